//! One world: a model server, consoles and the weather between them, in virtual time; and the promises, looked at after
//! everything that happens.

mod people;
mod promises;

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
