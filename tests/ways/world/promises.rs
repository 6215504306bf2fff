//! The promises, looked at after everything that happens and when all is over.

use super::*;

impl World {
    /// The microphone is open only towards the caller whom the board names, or whom the operator accepted by a key.
    pub(super) fn microphone_is_where_the_board_says(&mut self, i: usize) {
        let console = &self.consoles[i];
        let (Some(call), Some(caller)) = (console.microphone, self.spoken_to(i)) else { return };
        let shown = console.desk().call(call);
        let named = shown.is_some_and(|shown| caller.is(&shown.party));
        if !named && console.vouches_for(call) {
            let shown = shown.map(|shown| shown.party.label().to_owned());
            let what = format!("{} speaks to {}, the board says {shown:?}", console.user, caller.name());
            self.broken.push(format!("{:?}: {what}", self.now));
        }
    }

    /// A lamp is shown free only if the last word that came from the server says so.
    pub(super) fn lamps_are_honest(&mut self, i: usize) {
        for slot in &self.consoles[i].desk().slots {
            let word = || self.heard.get(&(i, slot.id.to_string())).map(|(_, parked)| *parked);
            if slot.lamp == Lamp::Free && word() != Some(false) {
                let what = format!("{} shows {} free, heard {:?}", self.consoles[i].user, slot.id, word());
                self.broken.push(format!("{:?}: {what}", self.now));
            }
        }
    }

    /// In fine weather: whoever has been in a slot for a while is not shown under another's name, as if that were known.
    ///
    /// Two cases are undecidable, for the console and for anybody who only watches lamps:
    ///
    /// - A slot that changes hands faster than its lamp is told. It never goes out, so nothing says that anybody has left.
    /// - A caller who hangs up while he is being parked by keys, or at a server whose lamps are seconds behind, at the
    ///   moment in which a colleague's park lights a lamp. His BYE is also what such a server says of a park that has
    ///   worked.
    pub fn nobody_is_shown_as_another(&mut self) {
        let behind = self.pbx.setup.lamps_late + self.pbx.setup.silent_callers + self.pbx.setup.announced();
        let patience = Duration::from_secs(3) + behind;
        for (caller, place) in self.pbx.model.inside().collect::<Vec<_>>() {
            let Place::Slot(slot) = place else { continue };
            let since = self.pbx.parkings.get(&caller).map_or(self.now, |parking| parking.since);
            if self.pbx.blurred.contains(&slot) {
                continue;
            }
            if slot >= self.pbx.setup.slots || self.now.saturating_sub(since) < patience {
                continue;
            }
            let key = Console::slot_key(&self.pbx.number(slot));
            for console in &self.consoles {
                // Who is only remembered is drawn so, and compared when he is retrieved.
                let known = |slot: &&Slot| slot.lamp == Lamp::Parked && !slot.remembered;
                let shown = console.desk().slot(&key).filter(known);
                let shown = shown.and_then(|slot| slot.parked.as_ref()).map(|parked| parked.parkee.clone());
                let told_by_bye = self.pbx.setup.kind == Kind::AsteriskDtmf || self.pbx.setup.announces;
                let hung_up = |party: &Identity| {
                    let whose = (0..crate::model::CALLERS.len()).map(CallerId).find(|who| who.is(party));
                    whose.is_some_and(|who| {
                        self.place(who) == Place::Outside && self.ended(who) == Some(Why::OwnWish)
                    })
                };
                let wrong = |party: &Identity| {
                    party.is_comparable() && !caller.is(party) && !(told_by_bye && hung_up(party))
                };
                if let Some(party) = shown.filter(wrong) {
                    let what = format!("{} shows {} as {}", console.user, caller.name(), party.label());
                    self.broken.push(format!("{:?}: {what} in {}", self.now, key.id));
                }
            }
        }
    }

    /// In fine weather, with nobody at the keys: everybody who is in the house is in somebody's care.
    pub fn everybody_is_in_care(&mut self) {
        for (caller, place) in self.pbx.model.inside().collect::<Vec<_>>() {
            let cared_for = match place {
                Place::With(leg) => self.consoles.iter().any(|console| {
                    console.desk().calls.iter().any(|call| console.leg(&self.pbx, call.id) == Some(leg))
                }),
                Place::Ringing(_) => self.consoles.iter().any(|console| {
                    console.desk().calls.iter().any(|c| c.phase == Phase::Ringing && caller.is(&c.party))
                }),
                Place::Slot(slot) if slot < self.pbx.setup.slots => {
                    let number = self.pbx.number(slot);
                    self.consoles.iter().any(|console| {
                        // FreeSWITCH says "early" to whoever asks.
                        matches!(console.lamp(&number), Lamp::Parked | Lamp::RingingBack)
                    })
                }
                Place::Slot(_) | Place::Returning | Place::Colleague | Place::Outside => true,
            };
            if !cared_for {
                let what = format!("{} is {place:?}, and no board shows him", caller.name());
                self.broken.push(format!("{:?}: {what}", self.now));
            }
        }
    }

    /// Everybody goes home; nothing may be left over.
    pub fn ends(&mut self) {
        self.dark = false;
        self.fuse = None;
        self.fated.clear();
        self.net = Net::new(0, Weather::of(0));
        // Nobody touches a key: what is under way is decided, what was lost is repeated, who waits too long comes back.
        self.run(70_000);
        self.everybody_is_in_care();
        for round in 0..4 {
            for i in 0..crate::model::CALLERS.len() {
                self.pbx.caller_hangs_up(self.now, CallerId(i));
            }
            self.settle();
            self.run(if round == 0 { 65_000 } else { 5_000 });
            for i in 0..self.consoles.len() {
                // A server that was restarted has forgotten whom it rang for; the operator turns the ringing off.
                if !self.consoles[i].desk().calls.is_empty() {
                    let calls: Vec<_> = self.consoles[i].desk().calls.iter().map(|call| call.id).collect();
                    calls.into_iter().for_each(|call| self.excuse(i, Some(call)));
                    self.consoles[i].engine.obey(self.now, Command::Quit);
                    self.consoles[i].engine.obey(self.now, Command::Quit);
                    self.settle();
                }
            }
        }
        for console in &mut self.consoles {
            console.engine.stop(self.now);
        }
        self.settle();
        let until = self.now + QUIET_FOR;
        while self.now < until && self.broken.is_empty() {
            self.step(until);
        }
        self.nothing_is_left();
    }

    pub(super) fn nothing_is_left(&mut self) {
        if !self.broken.is_empty() {
            return;
        }
        let mut left = Vec::new();
        let mut kept = |whose: &str, what: String, none: bool| {
            if !none {
                left.push(format!("{whose} keeps {what}"));
            }
        };
        for console in &self.consoles {
            let census = console.engine.census();
            kept(console.user, format!("{census:?}"), census == Default::default());
            kept(console.user, format!("{} legs", console.engine.legs()), console.engine.legs() == 0);
            kept(console.user, format!("{:?}", console.ports), console.ports.is_empty());
            let asking = console.desk().slots.iter().filter(|slot| slot.asking.is_some()).count();
            kept(console.user, format!("{asking} slots asked"), asking == 0);
        }
        let census = self.pbx.ua.census();
        kept("the server", format!("{census:?}"), census == Default::default());
        kept("the server", format!("{} legs", self.pbx.legs.len()), self.pbx.legs.is_empty());
        self.broken.extend(left);
    }

    /// The end of a way's test: nobody was lost, nobody joined, nothing is left.
    #[track_caller]
    pub fn keeps_its_promises(mut self) {
        self.ends();
        assert!(self.broken.is_empty(), "{}", self.tells());
    }

    /// The story and what was broken, for whoever reads of a failure.
    pub fn tells(&self) -> String {
        let story = &self.pbx.model.story;
        let story = &story[story.len().saturating_sub(80)..];
        format!("\n      {}\n    {}", story.join("\n      "), self.broken.join("\n    "))
    }

    /// Jane talks; the ordinary beginning.
    pub fn jane_talks(setup: Setup) -> Self {
        let mut world = Self::calm(setup);
        world.talks(JANE);
        world
    }
}
