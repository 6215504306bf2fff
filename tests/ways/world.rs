//! One world: a model server, consoles and the weather between them, in virtual time; and the promises, looked at after
//! everything that happens.

use super::console::{Console, dialect};
use super::model::{CallerId, JANE, Place, Why};
use super::net::{Net, Weather};
use super::pbx::{Kind, Pbx, Setup};
use parkdeck::desk::{Command, Phase, Slot};
use parkdeck::dialect::Dialect;
use parkdeck::parking::{Identity, Lamp, Moment};
use parkdeck::sip::Transport;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Longer than every timer once nobody wants anything any more.
const QUIET_FOR: Duration = Duration::from_secs(900);

pub fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 5060))
}

/// What may befall a world in the middle of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The server falls silent.
    Dark,
    Restart,
    HangsUp(CallerId),
    /// The datagram is lost.
    Loss,
    /// It comes twice, the second time late.
    Double,
}

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lost,
    Late(Duration),
    Twice(Duration),
}

/// What becomes of certain datagrams.
struct Fated {
    /// Whether those of the server, or those of the consoles.
    from_server: bool,
    words: &'static str,
    left: usize,
    fate: Fate,
}

pub struct World {
    pub now: Moment,
    net: Net,
    pub pbx: Pbx,
    pub consoles: Vec<Console>,
    fated: Vec<Fated>,
    /// Nothing reaches the server, and nothing leaves it.
    pub dark: bool,
    /// What happens at the datagram so many from now.
    fuse: Option<(usize, Mishap)>,
    /// How many datagrams went so far.
    pub datagrams: usize,
    /// The words that the server sent about lamps: when, of which slot, and whether it is parked.
    words: BTreeMap<(String, String), (usize, String, bool)>,
    /// The last word that each console heard of each slot.
    heard: BTreeMap<(usize, String), (usize, bool)>,
    stuck: usize,
    pub broken: Vec<String>,
}

impl World {
    /// One console in fine weather, registered, all lamps known.
    pub fn calm(setup: Setup) -> Self {
        Self::with(setup, 1, false)
    }

    /// The same with several consoles; `prefix` lets them park into named slots by the dialplan.
    pub fn with(setup: Setup, consoles: usize, prefix: bool) -> Self {
        let dialect = dialect(&setup, prefix);
        let mut world = Self::new(setup, consoles, &dialect, 1, Weather::of(0));
        world.begin();
        world.run(3_000);
        for (i, console) in world.consoles.iter().enumerate() {
            let lamps: Vec<_> = console.desk().slots.iter().map(|slot| slot.lamp.clone()).collect();
            assert!(lamps.iter().all(|lamp| *lamp == Lamp::Free), "console {i}: {lamps:?}");
        }
        world
    }

    pub fn new(setup: Setup, consoles: usize, dialect: &Dialect, seed: u64, weather: Weather) -> Self {
        let pbx = Pbx::new(address(1), setup, seed);
        let users = ["reception", "ann"];
        let consoles = users.into_iter().zip(10..).take(consoles);
        let consoles = consoles.map(|(user, host)| {
            Console::new(user, address(host), &pbx, dialect.clone(), seed + u64::from(host))
        });
        Self {
            now: Duration::from_secs(1),
            net: Net::new(seed, weather),
            consoles: consoles.collect(),
            pbx,
            fated: Vec::new(),
            dark: false,
            fuse: None,
            datagrams: 0,
            words: BTreeMap::new(),
            heard: BTreeMap::new(),
            stuck: 0,
            broken: Vec::new(),
        }
    }

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
    fn excuse(&mut self, console: usize, call: Option<parkdeck::desk::CallId>) {
        let Some(call) = call else { return };
        let there = &self.consoles[console];
        let party = there.desk().call(call).map(|call| call.party.clone()).unwrap_or_default();
        let rings = |leg: &&super::pbx::LegState| {
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

    pub fn run(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while self.now < until && self.broken.is_empty() {
            self.step(until);
        }
        self.now = self.now.max(until);
    }

    /// Lets time pass to whatever happens next, at most to `limit`.
    pub fn step(&mut self, limit: Moment) {
        let next = [self.net.next_at(), self.pbx.next_wake()];
        let engines = self.consoles.iter().filter_map(|console| console.engine.next_wake());
        let next = next.into_iter().flatten().chain(engines).min();
        let next = next.unwrap_or(limit).clamp(self.now, limit);
        self.stuck = if next == self.now { self.stuck + 1 } else { 0 };
        if self.stuck > 2_000 {
            self.broken.push(format!("{:?}: time stands still", self.now));
        }
        self.now = next;
        while let Some(datagram) = self.net.take(self.now) {
            self.deliver(datagram.from, datagram.to, &datagram.bytes);
        }
        if self.pbx.next_wake().is_some_and(|at| at <= self.now) {
            self.pbx.wake(self.now);
        }
        for console in &mut self.consoles {
            if console.engine.next_wake().is_some_and(|at| at <= self.now) {
                console.engine.wake(self.now);
            }
        }
        self.settle();
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        let server = self.pbx.address;
        if self.dark && (from == server || to == server) {
            return;
        }
        if to == server {
            self.pbx.receive(now, from, bytes);
        } else if let Some(i) = self.consoles.iter().position(|console| console.address == to) {
            self.consoles[i].engine.receive(now, from, bytes);
        }
        self.settle();
    }

    /// Carries everything that was said to where it belongs, and looks at the promises.
    pub fn settle(&mut self) {
        let now = self.now;
        for i in 0..self.consoles.len() {
            self.consoles[i].media(now);
            for (call, digit) in std::mem::take(&mut self.consoles[i].digits) {
                if let Some(leg) = self.consoles[i].leg(&self.pbx, call) {
                    self.pbx.digit(now, leg, digit);
                }
            }
            while let Some(transmit) = self.consoles[i].engine.poll_transmit() {
                // A request that is too long for a datagram: nobody here takes connections, which is told at once.
                if transmit.to.transport != Transport::Udp {
                    self.consoles[i].engine.flow_closed(now, transmit.to, "refused");
                    continue;
                }
                self.take_word(i, &transmit.bytes);
                self.send(self.consoles[i].address, transmit.to.address, transmit.bytes);
            }
            while self.consoles[i].engine.poll_deed().is_some() {}
        }
        while let Some(transmit) = self.pbx.poll_transmit() {
            self.hear_word(&transmit.bytes);
            self.send(self.pbx.address, transmit.to.address, transmit.bytes);
        }
        self.broken.append(&mut self.pbx.model.broken);
        for i in 0..self.consoles.len() {
            self.microphone_is_where_the_board_says(i);
            self.lamps_are_honest(i);
        }
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.datagrams += 1;
        let from_server = from == self.pbx.address;
        let text = String::from_utf8_lossy(&bytes);
        let fated = self
            .fated
            .iter_mut()
            .find(|fated| fated.left > 0 && fated.from_server == from_server && text.contains(fated.words));
        if let Some(fated) = fated {
            fated.left -= 1;
            match fated.fate {
                Fate::Lost => {}
                Fate::Late(late) => self.net.send(self.now + late, from, to, bytes),
                Fate::Twice(late) => {
                    self.net.send(self.now, from, to, bytes.clone());
                    self.net.send(self.now + late, from, to, bytes);
                }
            }
            return;
        }
        match self.fuse.as_mut() {
            Some((0, mishap)) => {
                let mishap = *mishap;
                self.fuse = None;
                let head = text.lines().next().unwrap_or_default().to_owned();
                self.note(&format!("{mishap:?} at “{head}”"));
                return self.befall(mishap, from, to, bytes);
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        self.net.send(self.now, from, to, bytes);
    }

    fn befall(&mut self, mishap: Mishap, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        match mishap {
            Mishap::Loss => return,
            Mishap::Dark => self.dark = true,
            Mishap::Restart => self.pbx.restart(self.now),
            Mishap::HangsUp(caller) => self.pbx.caller_hangs_up(self.now, caller),
            Mishap::Double => {
                self.net.send(self.now + Duration::from_millis(40), from, to, bytes.clone());
            }
        }
        self.net.send(self.now, from, to, bytes);
    }

    /// Keeps in mind what the server says of a slot.
    fn hear_word(&mut self, bytes: &[u8]) {
        let Some(name) = name_of_notify(bytes) else { return };
        let text = String::from_utf8_lossy(bytes);
        // Whose subscription it is: callpark documents don't say.
        let slot = between(&text, "\r\nFrom: ", "@").and_then(|from| Some(from.split_once("sip:")?.1));
        let slot = slot.map(|slot| slot.strip_prefix("park+").unwrap_or(slot));
        let (Some(slot), serial) = (slot, self.words.len()) else { return };
        let lit = ["<state>confirmed", "<state>early", "<parked>"];
        let parked = lit.iter().any(|word| text.contains(word));
        self.words.entry(name).or_insert((serial, slot.to_owned(), parked));
    }

    /// What a console says 200 to, it has heard. A word of a subscription that it has given up for another is none of
    /// these (481), and both may come in the same millisecond.
    fn take_word(&mut self, i: usize, answer: &[u8]) {
        if !answer.starts_with(b"SIP/2.0 2") {
            return;
        }
        let word = dialog_name(answer, "NOTIFY").and_then(|name| self.words.get(&name));
        if let Some((serial, slot, parked)) = word {
            let last = self.heard.entry((i, slot.clone())).or_insert((*serial, *parked));
            if *serial >= last.0 {
                *last = (*serial, *parked);
            }
        }
    }

    // The promises.

    /// The microphone is open only towards the caller whom the board names, or whom the operator accepted by a key.
    fn microphone_is_where_the_board_says(&mut self, i: usize) {
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
    fn lamps_are_honest(&mut self, i: usize) {
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
                    let whose = (0..super::model::CALLERS.len()).map(CallerId).find(|who| who.is(party));
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
            for i in 0..super::model::CALLERS.len() {
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

    fn nothing_is_left(&mut self) {
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

/// What names a NOTIFY about a lamp, also when it comes a second time.
fn name_of_notify(bytes: &[u8]) -> Option<(String, String)> {
    if !bytes.starts_with(b"NOTIFY") {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    (text.contains("<dialog-info") || text.contains("callpark-info ")).then_some(())?;
    dialog_name(bytes, "NOTIFY")
}

/// Call-ID and CSeq of a message that belongs to such a request.
fn dialog_name(bytes: &[u8], method: &str) -> Option<(String, String)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let call_id = between(text, "\r\nCall-ID: ", "\r\n")?;
    let number = between(text, "\r\nCSeq: ", "\r\n").filter(|cseq| cseq.ends_with(method))?;
    Some((call_id.to_owned(), number.to_owned()))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}
