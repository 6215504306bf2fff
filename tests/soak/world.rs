//! The soak's clock and wire: what flies, what is lost, what happens when.

use crate::pbx::Pbx;
use parkdeck::sip::dialog_info::{self, DialogState};
use parkdeck::sip::message::{NameAddr, Uri};
use parkdeck::sip::{
    Account, AccountKey, CallKey, Census, Event, Moment, Peer, Subscribe, SubscriptionKey, UaConfig,
    UserAgent,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

const SLOTS: usize = 500;
const PORTS: u16 = 8;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A lamp as the phone believes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lamp {
    Unknown,
    Free,
    Parked,
    Stale,
}

/// What happens by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Weather,
    Restart,
    Back,
    Move,
    Toggle,
    Call,
    HangUp,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Figures {
    datagrams: u64,
    lost: u64,
    restarts: u64,
    moves: u64,
    changes: u64,
    calls: u64,
    stales: u64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { datagrams, lost, restarts, moves, changes, calls, stales } = self;
        write!(
            f,
            "{datagrams} datagrams ({lost} lost), {restarts} restarts, {moves} moves, {changes} changes of lamps, "
        )?;
        write!(f, "{calls} calls, {stales} times stale")
    }
}

pub struct World {
    now: Moment,
    rng: StdRng,
    seed: u64,
    loss: f64,
    phone: UserAgent,
    phone_at: Peer,
    account: AccountKey,
    pbx: Pbx,
    pbx_at: Peer,
    /// While it restarts nobody hears.
    pbx_down: bool,
    flying: BTreeMap<(Moment, u64), (Peer, Peer, Vec<u8>)>,
    due: BTreeSet<(Moment, Happening)>,
    watched: BTreeMap<SubscriptionKey, usize>,
    lamps: Vec<Lamp>,
    versions: BTreeMap<SubscriptionKey, u32>,
    ports: Vec<u16>,
    calls: BTreeMap<CallKey, u16>,
    figures: Figures,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let pbx_at = Peer::udp(([10, 0, 0, 9], 5060).into());
        let phone_at = Peer::udp(([10, 0, 0, 1], 5060).into());
        let mut phone = UserAgent::new(UaConfig::new(phone_at.address, "soak", seed + 1));
        let aor = NameAddr::new(Uri::sip("reception", "10.0.0.9"));
        let account = phone.add_account(Account::new(aor, pbx_at, "reception", "secret".to_owned().into()));
        let mut world = Self {
            now: s(1000),
            rng: StdRng::seed_from_u64(seed),
            seed,
            loss: 0.01,
            phone,
            phone_at,
            account,
            pbx: Pbx::new(pbx_at, SLOTS, seed),
            pbx_at,
            pbx_down: false,
            flying: BTreeMap::new(),
            due: BTreeSet::new(),
            watched: BTreeMap::new(),
            lamps: vec![Lamp::Unknown; SLOTS],
            versions: BTreeMap::new(),
            ports: (0..PORTS).collect(),
            calls: BTreeMap::new(),
            figures: Figures::default(),
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        let now = self.now;
        self.phone.register(now, self.account);
        for slot in 0..SLOTS {
            let subscribe = Subscribe {
                account: Some(self.account),
                target: Uri::sip(&slot.to_string(), "10.0.0.9"),
                send_to: self.pbx_at,
                event: "dialog".to_owned(),
                accept: dialog_info::CONTENT_TYPE.to_owned(),
                expires_s: 3600,
                list: false,
            };
            let key = self.phone.subscribe(now, subscribe);
            self.watched.insert(key, slot);
        }
        self.drain();
    }

    fn between(&mut self, least_s: u64, most_s: u64) -> Moment {
        self.now + Duration::from_millis(self.rng.random_range(least_s * 1000..=most_s * 1000))
    }

    /// Lets so many hours pass, in which much happens.
    pub fn run_hours(&mut self, hours: u64) {
        for (happening, least, most) in [
            (Happening::Weather, 60, 600),
            (Happening::Restart, 600, 3600),
            (Happening::Move, 1200, 5400),
            (Happening::Toggle, 1, 30),
            (Happening::Call, 10, 120),
            (Happening::HangUp, 60, 200),
        ] {
            let at = self.between(least, most);
            self.due.insert((at, happening));
        }
        let until = self.now + s(hours * 3600);
        self.run_until(until);
        self.due.clear();
    }

    /// Fine weather, and nothing happens: long enough for everything that waits to be tried again.
    pub fn settle(&mut self) {
        self.loss = 0.0;
        if std::mem::replace(&mut self.pbx_down, false) {
            self.pbx.restart();
        }
        let calls = std::mem::take(&mut self.calls);
        calls.keys().for_each(|call| self.phone.hang_up(self.now, *call));
        self.ports.extend(calls.values());
        self.drain();
        self.run_until(self.now + s(3700));
    }

    fn run_until(&mut self, until: Moment) {
        loop {
            let packet = self.flying.first_key_value().map(|((at, _), _)| *at);
            let due = self.due.first().map(|(at, _)| *at);
            let pbx = self.pbx.agent.next_wake().filter(|_| !self.pbx_down);
            let next = [packet, due, self.phone.next_wake(), pbx].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            if packet == Some(next) {
                self.land();
            } else if due == Some(next) {
                self.happen();
            } else {
                self.phone.wake(self.now);
                if !self.pbx_down {
                    self.pbx.agent.wake(self.now);
                }
            }
            self.drain();
        }
        self.now = until;
    }

    fn land(&mut self) {
        let Some((_, (from, to, bytes))) = self.flying.pop_first() else { return };
        if to == self.pbx_at && !self.pbx_down {
            self.pbx.agent.receive(self.now, from, &bytes);
        } else if to == self.phone_at {
            self.phone.receive(self.now, from, &bytes);
        }
    }

    fn happen(&mut self) {
        let Some((_, happening)) = self.due.pop_first() else { return };
        let now = self.now;
        let (least, most) = match happening {
            Happening::Weather => {
                self.loss = f64::from(self.rng.random_range(1..=30)) / 100.0;
                (600, 3600)
            }
            Happening::Restart => {
                self.figures.restarts += 1;
                self.pbx_down = true;
                let back = self.between(1, 40);
                self.due.insert((back, Happening::Back));
                (1800, 7200)
            }
            Happening::Back => {
                self.pbx_down = false;
                self.pbx.restart();
                return;
            }
            Happening::Move => {
                self.figures.moves += 1;
                let host = 1 + (self.figures.moves % 5) as u8;
                let local: SocketAddr = ([10, 0, 1, host], 5060).into();
                self.phone_at = Peer::udp(local);
                self.phone.network_changed(now, local);
                (3600, 10_800)
            }
            Happening::Toggle => {
                self.figures.changes += 1;
                let slot = self.rng.random_range(0..SLOTS);
                if !self.pbx_down {
                    self.pbx.toggle(now, slot);
                }
                (5, 60)
            }
            Happening::Call => {
                if !self.pbx_down {
                    self.pbx.call(now, self.phone_at);
                }
                (60, 600)
            }
            Happening::HangUp => {
                if let Some((call, port)) = self.calls.pop_first() {
                    self.ports.push(port);
                    self.phone.hang_up(now, call);
                }
                (60, 300)
            }
        };
        let at = self.between(least, most);
        self.due.insert((at, happening));
    }

    fn drain(&mut self) {
        loop {
            if let Some(transmit) = self.phone.poll_transmit() {
                self.fly(self.phone_at, transmit.to, transmit.bytes);
            } else if let Some(event) = self.phone.poll_event() {
                self.hear(event);
            } else if self.pbx_down {
                return;
            } else if let Some(transmit) = self.pbx.agent.poll_transmit() {
                self.fly(self.pbx_at, transmit.to, transmit.bytes);
            } else if let Some(event) = self.pbx.agent.poll_event() {
                self.pbx.take_in(self.now, event);
            } else {
                return;
            }
        }
    }

    fn fly(&mut self, from: Peer, to: Peer, bytes: Vec<u8>) {
        let copies = if self.rng.random_bool(self.loss / 2.0) { 2 } else { 1 };
        for _ in 0..copies {
            self.figures.datagrams += 1;
            if self.rng.random_bool(self.loss) {
                self.figures.lost += 1;
                continue;
            }
            let extra = self.rng.random_range(0..=(self.loss * 1000.0) as u64);
            let at = self.now + Duration::from_millis(1 + extra);
            self.flying.insert((at, self.figures.datagrams), (from, to, bytes.clone()));
        }
    }

    /// What the phone's owner does with what it is told.
    fn hear(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::SubscriptionActive { subscription, .. } => {
                self.versions.remove(&subscription);
            }
            Event::SubscriptionStale { subscription, .. } => {
                self.figures.stales += 1;
                self.set(subscription, Lamp::Stale);
            }
            Event::Notified { subscription, body, .. } => self.hear_lamp(subscription, &body),
            Event::CallReceived { call, .. } => match self.ports.pop() {
                Some(port) => {
                    self.figures.calls += 1;
                    self.calls.insert(call, port);
                    self.phone.accept(now, call, b"v=0 answer".to_vec());
                }
                None => self.phone.reject(now, call, 486, Vec::new()),
            },
            Event::CallEnded { call, .. } => self.ports.extend(self.calls.remove(&call)),
            Event::OfferReceived { call, .. } => {
                self.phone.answer_offer(now, call, Ok(b"v=0 answer".to_vec()))
            }
            Event::MediaAddressWanted { call } => self.phone.reoffer(now, call, b"v=0 moved".to_vec()),
            _ => {}
        }
    }

    fn set(&mut self, subscription: SubscriptionKey, lamp: Lamp) {
        if let Some(slot) = self.watched.get(&subscription) {
            self.lamps[*slot] = lamp;
        }
    }

    fn hear_lamp(&mut self, subscription: SubscriptionKey, body: &[u8]) {
        let info = dialog_info::read(body).unwrap();
        let last = self.versions.get(&subscription);
        if last.is_some_and(|last| info.version <= *last) {
            return self.phone.renew(self.now, subscription);
        }
        self.versions.insert(subscription, info.version);
        let parked = info.dialogs.iter().any(|dialog| dialog.state == DialogState::Confirmed);
        self.set(subscription, if parked { Lamp::Parked } else { Lamp::Free });
    }

    /// What is not as a fresh start would have it: lamps, and how much is kept.
    pub fn differs_from_a_fresh_start(&self) -> Vec<String> {
        let mut wrong: Vec<String> = Vec::new();
        for (slot, (parked, lamp)) in self.pbx.slots.iter().zip(&self.lamps).enumerate() {
            let truth = if *parked { Lamp::Parked } else { Lamp::Free };
            if *lamp != truth {
                wrong.push(format!("slot {slot}: the lamp says {lamp:?}, the truth is {truth:?}"));
            }
        }
        let mut fresh = Self::new(self.seed + 99);
        fresh.settle();
        for (whose, ours, theirs) in [
            ("the phone", self.phone.census(), fresh.phone.census()),
            ("the server", self.pbx.agent.census(), fresh.pbx.agent.census()),
        ] {
            if kept(ours) != kept(theirs) {
                wrong.push(format!("{whose} keeps {ours:?}, after a fresh start {theirs:?}"));
            }
        }
        wrong
    }

    pub fn make_one_lamp_lie(&mut self) {
        self.lamps[3] = Lamp::Parked;
    }

    pub fn figures(&self) -> Figures {
        let Figures { datagrams, lost, restarts, moves, changes, calls, stales } = self.figures;
        Figures { datagrams, lost, restarts, moves, changes, calls, stales }
    }

    /// The phone leaves: what is left over on either side.
    pub fn leave(&mut self) -> Vec<String> {
        for key in std::mem::take(&mut self.watched).into_keys() {
            self.phone.unsubscribe(self.now, key);
        }
        self.phone.unregister(self.now, self.account);
        self.drain();
        self.run_until(self.now + s(200));
        let mut left = Vec::new();
        if self.phone.census() != Census::default() {
            left.push(format!("the phone keeps {:?}", self.phone.census()));
        }
        if self.pbx.agent.census() != Census::default() {
            left.push(format!("the server keeps {:?}", self.pbx.agent.census()));
        }
        if self.ports.len() != usize::from(PORTS) || !self.calls.is_empty() {
            left.push(format!("{} of {PORTS} ports came back", self.ports.len()));
        }
        left
    }
}

/// What lasts: transactions come and go with every refresh.
fn kept(census: Census) -> [usize; 6] {
    let Census { calls, dialogs, subscriptions, watchers, refers, requests, .. } = census;
    [calls, dialogs, subscriptions, watchers, refers, requests]
}
