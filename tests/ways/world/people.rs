//! What operators, callers and the weather do in a world, and what can be asked of it.

use super::*;

impl World {
    pub fn begin(&mut self) {
        for console in &mut self.consoles {
            console.start(self.now);
        }
        self.settle();
    }

    // What people do.

    pub fn press(&mut self, command: Command) {
        self.press_at(0, command);
    }

    pub fn press_at(&mut self, console: usize, command: Command) {
        let calls = self.consoles[console].calls();
        self.note(&format!("{} presses {command:?} with {calls}", self.consoles[console].user));
        let lets_go = self.consoles[console].before(&command);
        self.excuse(console, lets_go);
        self.consoles[console].engine.obey(self.now, command);
        self.settle();
    }

    /// The operator ends this call by a key.
    pub(super) fn excuse(&mut self, console: usize, call: Option<parkdeck::desk::CallId>) {
        let Some(call) = call else { return };
        let there = &self.consoles[console];
        let party = there.desk().call(call).map(|call| call.party.clone()).unwrap_or_default();
        let rings = |leg: &&crate::pbx::LegState| {
            let ringing = Place::Ringing(leg.key.number());
            let caller = self.pbx.model.who_is(ringing);
            leg.console == there.address && caller.is_some_and(|caller| caller.is(&party))
        };
        let leg = there.leg(&self.pbx, call);
        let leg = leg.or_else(|| self.pbx.legs.values().find(rings).map(|leg| leg.key.number()));
        self.pbx.excused.extend(leg);
    }

    pub fn rings(&mut self, caller: CallerId) {
        self.rings_at(0, caller);
    }

    pub fn rings_at(&mut self, console: usize, caller: CallerId) {
        let address = self.consoles[console].address;
        self.note(&format!("{} dials", caller.name()));
        self.pbx.caller_dials(self.now, caller, address);
        self.settle();
    }

    /// He rings, is answered and talks.
    pub fn talks(&mut self, caller: CallerId) {
        self.talks_at(0, caller);
    }

    pub fn talks_at(&mut self, console: usize, caller: CallerId) {
        self.rings_at(console, caller);
        self.run(200);
        let ringing = self.consoles[console].desk().calls.iter().find(|c| c.phase == Phase::Ringing);
        let ringing = ringing.expect("it rings").id;
        self.press_at(console, Command::Take(ringing));
        self.run(200);
        assert!(matches!(self.place(caller), Place::With(_)), "{:?}", self.place(caller));
    }

    /// He talks and is parked, in that slot.
    pub fn is_parked(&mut self, caller: CallerId, slot: usize) {
        self.talks(caller);
        self.parks(0, slot);
        // Asterisk says the slot before it ends the leg of whoever parked by keys.
        self.run(if self.pbx.setup.kind == Kind::AsteriskDtmf { 3_500 } else { 500 });
        assert_eq!(self.place(caller), Place::Slot(slot));
        assert_eq!(self.consoles[0].desk().calls.len(), 0, "our leg is released");
    }

    /// The key that parks: of the slot, where slots have to be named.
    pub fn parks(&mut self, console: usize, slot: usize) {
        let key = Console::slot_key(&self.pbx.number(slot));
        let named = self.pbx.setup.kind.names_slots();
        self.press_at(console, if named { Command::PressSlot(key) } else { Command::Park { slot: None } });
    }

    pub fn hangs_up(&mut self, caller: CallerId) {
        self.note(&format!("{} hangs up", caller.name()));
        self.pbx.caller_hangs_up(self.now, caller);
        self.settle();
    }

    /// A colleague parks somebody who called him.
    pub fn colleague_parks(&mut self, caller: CallerId) -> Option<usize> {
        let slot = self.pbx.colleague_parks(self.now, caller);
        self.settle();
        slot
    }

    /// The same in the second lot.
    pub fn colleague_parks_in_the_second(&mut self, caller: CallerId) -> Option<usize> {
        let slot = self.pbx.colleague_parks_in_the_second(self.now, caller);
        self.settle();
        slot
    }

    pub fn colleague_takes(&mut self, slot: usize) -> bool {
        let taken = self.pbx.colleague_takes(self.now, slot);
        self.settle();
        taken
    }

    /// The lot is filled up by the colleague, behind everybody's back or not; the callers are the last ones of the list.
    pub fn fill(&mut self, but: usize) {
        let free = (0..self.pbx.setup.slots + self.pbx.setup.hidden)
            .filter(|slot| self.pbx.model.who_is(Place::Slot(*slot)).is_none())
            .count();
        for i in 0..free.saturating_sub(but) {
            self.pbx.colleague_parks(self.now, CallerId(4 - i));
        }
        self.settle();
    }

    // What befalls them.

    /// The next so many datagrams with these words are lost.
    pub fn server_loses(&mut self, words: &'static str, count: usize) {
        self.fated.push(Fated { from_server: true, words, left: count, fate: Fate::Lost });
    }

    pub fn console_loses(&mut self, words: &'static str, count: usize) {
        self.fated.push(Fated { from_server: false, words, left: count, fate: Fate::Lost });
    }

    /// The server's next datagram with these words comes so much later.
    pub fn late_once(&mut self, words: &'static str, late: Duration) {
        self.fated.push(Fated { from_server: true, words, left: 1, fate: Fate::Late(late) });
    }

    /// It comes again so much later.
    pub fn double_once(&mut self, words: &'static str, late: Duration) {
        self.fated.push(Fated { from_server: true, words, left: 1, fate: Fate::Twice(late) });
    }

    pub fn loses_no_more(&mut self) {
        self.fated.clear();
    }

    /// The first console's only leg is ended as a phone might end it, whatever its desk thinks.
    pub fn console_says_goodbye(&mut self) {
        let call = self.consoles[0].desk().calls[0].id;
        let leg = self.consoles[0].leg(&self.pbx, call).unwrap();
        self.pbx.console_ended(self.now, leg);
        self.settle();
    }

    /// As if the server had said that, last of all.
    pub fn hears_a_word(&mut self, console: usize, slot: &str, parked: bool) {
        self.heard.insert((console, slot.to_owned()), (usize::MAX, parked));
    }

    pub fn mishap_at(&mut self, datagram: usize, mishap: Mishap) {
        self.fuse = Some((datagram, mishap));
    }

    pub fn mishap_has_happened(&self) -> bool {
        self.fuse.is_none()
    }

    pub fn restart(&mut self) {
        self.pbx.restart(self.now);
        self.settle();
    }

    pub fn note(&mut self, what: &str) {
        self.pbx.model.story.push(format!("{:?} {what}", self.now));
    }

    // What is seen.

    pub fn place(&self, caller: CallerId) -> Place {
        self.pbx.model.place(caller)
    }

    pub fn ended(&self, caller: CallerId) -> Option<Why> {
        self.pbx.model.ends.get(&caller).copied()
    }

    /// Whom the operator speaks to, by the model.
    pub fn spoken_to(&self, console: usize) -> Option<CallerId> {
        let there = &self.consoles[console];
        let leg = there.leg(&self.pbx, there.microphone?)?;
        self.pbx.model.who_is(Place::With(leg))
    }

    #[track_caller]
    pub fn told(&self, words: &str) {
        let notices = &self.consoles[0].desk().notices;
        let texts: Vec<_> = notices.iter().map(|notice| notice.text.to_string()).collect();
        assert!(self.consoles[0].was_told(words), "“{words}” was not said: {texts:#?}");
    }

    #[track_caller]
    pub fn talks_with(&self, caller: CallerId) {
        assert_eq!(self.spoken_to(0), Some(caller), "{}", self.consoles[0].calls());
    }

    /// A park of his has failed: he is heard, and spoken to by the operator's key.
    #[track_caller]
    pub fn is_given_back(&mut self, caller: CallerId) {
        assert!(matches!(self.place(caller), Place::With(_)), "{:?}{}", self.place(caller), self.tells());
        assert_eq!(self.spoken_to(0), None, "not before the operator says so");
        self.press(Command::Answer);
        self.run(500);
        assert_eq!(self.spoken_to(0), Some(caller), "{}", self.tells());
    }

    /// Which REFERs reached the server.
    pub fn refers(&self) -> &[String] {
        &self.pbx.refers_seen
    }

    // Time.
}
