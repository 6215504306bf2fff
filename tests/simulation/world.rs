//! One world: the lot, two consoles, five callers, a colleague and the weather, driven by a seed; and the promises.

use super::net::{Net, Weather};
use super::people::{Operator, Phone, address, house};
use parkdeck::desk::{CallId, Command as Key, Desk, LineId, Phase};
use parkdeck::lot::{Lot, LotConfig};
use parkdeck::media::{Command, Report, Source, StreamId};
use parkdeck::parking::SlotId;
use parkdeck::sip::{EndedBy, Transport};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long people act; then everybody hangs up.
const BUSY_FOR: Duration = Duration::from_secs(90);
/// Longer than every timer (64·T1, Timer J, subscriptions' last NOTIFY …) once nobody wants anything any more.
const QUIET_FOR: Duration = Duration::from_secs(900);

/// The second house's callers, whom a console with two accounts serves as well.
const OTHERS: [(&str, &str); 3] = [("301", "Ann Other"), ("302", "Max Orr"), ("303", "Ivy Oke")];

const CALLERS: [(&str, &str); 5] =
    [("201", "Jane Doe"), ("202", "Bob Roe"), ("203", "Dr Patel"), ("204", "Acme Ltd"), ("205", "Eve Moe")];

/// A lot and its streams: where each sends, and what it sends.
struct House {
    address: SocketAddr,
    lot: Lot,
    streams: BTreeMap<StreamId, (Option<SocketAddr>, Option<StreamId>)>,
    next_port: u16,
    /// Nothing reaches it and nothing leaves it.
    dark: bool,
}

impl House {
    fn new(number: u8, callers: &[(&str, &str)], seed: u64) -> Self {
        let (address, lot) = (house(number), Lot::new(lot_config(number, callers), seed));
        Self { address, lot, streams: BTreeMap::new(), next_port: 30_000, dark: false }
    }

    /// Who hears whom at this moment, by address.
    fn bridges(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr)> + '_ {
        self.streams.values().filter_map(|(remote, heard)| {
            let other = self.streams.get(&(*heard)?)?.0?;
            Some(((*remote)?, other))
        })
    }
}

pub struct World {
    now: Duration,
    rng: StdRng,
    net: Net,
    houses: Vec<House>,
    phones: Vec<Phone>,
    operators: Vec<Operator>,
    /// Callers whose call somebody ended on purpose.
    dismissed: BTreeSet<String>,
    /// Since when an operator has been talking to whom, by the lot's bridges.
    talked: BTreeMap<(usize, CallId), (Duration, IpAddr)>,
    stuck: usize,
    /// What was done and what the lot said of it: printed of a world that broke a promise.
    pub story: Vec<String>,
    pub parks: usize,
    pub retrieves: usize,
    pub broken: Vec<String>,
}

fn lot_config(number: u8, callers: &[(&str, &str)]) -> LotConfig {
    let mut text = format!("listen = \"{}\"\nrealm = \"lot.test\"\n", house(number));
    let mut user = |name: &str, label: &str, number: &str| {
        text.push_str(&format!(
            "[[users]]\nname = \"{name}\"\nsecret = \"secret of {name}\"\ndisplay_name = \"{label}\"\nextension = \"{number}\"\n"
        ));
    };
    user("reception", "Reception", "100");
    user("ann", "Ann", "101");
    user("sam", "Sam", "110");
    for (number, name) in callers {
        user(&format!("caller{number}"), name, number);
    }
    text.push_str("[[lots]]\nname = \"front\"\nparkext = \"700\"\nparkpos = \"701-704\"\nparkingtime = 20\n");
    text.push_str("comebackdialtime = 15\n");
    let config: LotConfig = toml::from_str(&text).unwrap();
    assert_eq!(config.problems(), []);
    config
}

impl World {
    /// One lot, two operators.
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self::of(seed, weather, false)
    }

    /// Two lots, each with callers of its own; the first operator has an account at both, and both have the same slots.
    pub fn with_two_lots(seed: u64, weather: Weather) -> Self {
        Self::of(seed, weather, true)
    }

    fn of(seed: u64, weather: Weather, two: bool) -> Self {
        let slots: Vec<SlotId> = (701..=704).map(|n| SlotId::new(&n.to_string()).unwrap()).collect();
        let mut houses = vec![House::new(1, &CALLERS, seed)];
        let mut phones: Vec<Phone> = Vec::new();
        let phone = |i: usize, (number, name): (&str, &str), house| {
            let user: &'static str = Box::leak(format!("caller{number}").into_boxed_str());
            Phone::new(user, name, 20 + u8::try_from(i).unwrap(), seed + 10 + i as u64, house)
        };
        phones.extend(CALLERS.into_iter().enumerate().map(|(i, caller)| phone(i, caller, house(1))));
        if two {
            houses.push(House::new(2, &OTHERS, seed + 50));
            phones.extend(OTHERS.into_iter().enumerate().map(|(i, caller)| phone(5 + i, caller, house(2))));
        }
        phones.push(Phone::new("sam", "Sam", 30, seed + 30, house(1)));
        let all: Vec<SocketAddr> = houses.iter().map(|house| house.address).collect();
        let operators = vec![
            Operator::new("reception", "Reception", 10, seed + 1, &slots, &all),
            Operator::new("ann", "Ann", 11, seed + 2, &slots, &all[..1]),
        ];
        Self {
            now: Duration::from_secs(1),
            rng: StdRng::seed_from_u64(seed),
            net: Net::new(seed, weather),
            houses,
            phones,
            operators,
            dismissed: BTreeSet::new(),
            talked: BTreeMap::new(),
            stuck: 0,
            story: Vec::new(),
            parks: 0,
            retrieves: 0,
            broken: Vec::new(),
        }
    }

    pub fn run(&mut self) {
        self.begin();
        let busy_until = self.now + BUSY_FOR;
        let mut next_act = self.now + Duration::from_secs(5);
        while self.now < busy_until && self.broken.is_empty() {
            self.step(next_act.min(busy_until));
            if self.now >= next_act {
                self.act();
                next_act = self.now + Duration::from_millis(self.rng.random_range(50..1200));
            }
        }
        self.wind_up();
    }

    /// Everybody comes to work.
    fn begin(&mut self) {
        for house in &mut self.houses {
            let ports = (0..64).map(|i| 40_000 + 2 * i).collect();
            house.lot.report(self.now, Report::PortsBound { ports });
        }
        for phone in &mut self.phones {
            phone.register(self.now);
        }
        for operator in &mut self.operators {
            operator.start(self.now);
        }
        self.settle();
    }

    /// Everybody hangs up and goes home; nothing may be left over.
    fn wind_up(&mut self) {
        for phone in &mut self.phones {
            phone.hang_up(self.now);
        }
        // A few rounds: a call may be on its way back from a slot, or just being parked.
        for _ in 0..4 {
            self.step_until(self.now + Duration::from_secs(60));
            for phone in &mut self.phones {
                phone.hang_up(self.now);
            }
            for operator in &mut self.operators {
                if operator.engine.desk().calls.iter().any(|c| c.phase != Phase::Ringing) {
                    operator.engine.obey(self.now, Key::Quit);
                    operator.engine.obey(self.now, Key::Quit);
                }
            }
            self.settle();
        }
        for phone in &mut self.phones {
            phone.unregister(self.now);
        }
        for operator in &mut self.operators {
            operator.engine.stop(self.now);
        }
        self.settle();
        self.step_until(self.now + QUIET_FOR);
        self.nothing_is_left();
    }

    fn nothing_is_left(&mut self) {
        for house in &self.houses {
            let lot = house.lot.census();
            if lot.legs != 0
                || lot.parked != 0
                || lot.attempts != 0
                || lot.agent.dialogs != 0
                || lot.agent.calls != 0
            {
                self.broken.push(format!("left in the lot: {lot:?}"));
            }
            if !house.streams.is_empty() {
                self.broken.push(format!("streams left open: {:?}", house.streams));
            }
        }
        for operator in &self.operators {
            let census = operator.engine.census();
            if operator.engine.legs() != 0
                || census.calls != 0
                || census.dialogs != 0
                || census.subscriptions != 0
            {
                let calls = &operator.engine.desk().calls;
                self.broken.push(format!("left at {}: {census:?} {calls:?}", operator.user));
            }
        }
        for phone in &self.phones {
            let census = phone.ua.census();
            if census.calls != 0 || census.dialogs != 0 || census.client_transactions != 0 {
                self.broken.push(format!("left at {}: {census:?}", phone.user));
            }
        }
    }

    fn step_until(&mut self, until: Duration) {
        while self.now < until && self.broken.is_empty() {
            self.step(until);
        }
    }

    /// Goes to the next thing that happens, at most to `limit`.
    fn step(&mut self, limit: Duration) {
        let wakes = self.phones.iter().map(|p| p.ua.next_wake());
        let wakes = wakes.chain(self.operators.iter().map(|o| o.engine.next_wake()));
        let wakes = wakes.chain(self.houses.iter().map(|h| h.lot.next_wake()));
        let wakes = wakes.chain([self.net.next_at()]);
        let hang_ups = self.phones.iter().map(|p| p.hangs_up_at);
        let next = wakes.chain(hang_ups).flatten().min().unwrap_or(limit);
        self.time_goes_on(next);
        self.now = next.clamp(self.now, limit);
        while let Some(datagram) = self.net.take(self.now) {
            self.deliver(datagram.from, datagram.to, &datagram.bytes);
        }
        self.wake();
        self.settle();
    }

    /// Whoever asks to be woken at a time that has passed, again and again, would keep a processor busy for ever.
    fn time_goes_on(&mut self, next: Duration) {
        self.stuck = if next <= self.now { self.stuck + 1 } else { 0 };
        if self.stuck > 1_000 {
            let phones: Vec<_> = self.phones.iter().map(|p| (p.user, p.ua.next_wake())).collect();
            let operators: Vec<_> = self.operators.iter().map(|o| (o.user, o.engine.next_wake())).collect();
            let lot: Vec<_> = self.houses.iter().map(|h| h.lot.next_wake()).collect();
            self.broken
                .push(format!("{:?}: time stands still: {phones:?} {operators:?} lot {lot:?}", self.now));
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        if let Some(house) = self.houses.iter_mut().find(|h| h.address == to) {
            if !house.dark {
                house.lot.receive(now, from, bytes);
            }
        } else if self.houses.iter().any(|h| h.address == from && h.dark) {
        } else if let Some(phone) = self.phones.iter_mut().find(|p| p.address == to) {
            phone.ua.receive(now, from, bytes);
        } else if let Some(operator) = self.operators.iter_mut().find(|o| o.address == to) {
            operator.engine.receive(now, from, bytes);
        }
        self.settle();
    }

    fn wake(&mut self) {
        let now = self.now;
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        for house in &mut self.houses {
            if due(house.lot.next_wake()) {
                house.lot.wake(now);
            }
        }
        for phone in &mut self.phones {
            if due(phone.ua.next_wake()) {
                phone.ua.wake(now);
            }
            if due(phone.hangs_up_at) {
                phone.hang_up(now);
            }
        }
        for operator in &mut self.operators {
            if due(operator.engine.next_wake()) {
                operator.engine.wake(now);
            }
        }
    }

    /// Carries everything that was said to where it belongs, and looks at the promises.
    fn settle(&mut self) {
        let now = self.now;
        for phone in &mut self.phones {
            phone.turn(now);
            while let Some(t) = phone.ua.poll_transmit() {
                self.net.send(now, phone.address, t.to.address, t.bytes);
            }
        }
        for operator in &mut self.operators {
            operator.media(now);
            while let Some(t) = operator.poll() {
                // A request that is too long for a datagram: nobody here takes connections, which is told at once.
                if t.to.transport != Transport::Udp {
                    operator.engine.flow_closed(now, t.to, "refused");
                    continue;
                }
                self.net.send(now, operator.address, t.to.address, t.bytes);
            }
            while operator.engine.poll_deed().is_some() {}
        }
        for i in 0..self.houses.len() {
            self.lots_media(i);
            let house = &mut self.houses[i];
            while let Some(t) = house.lot.poll_transmit() {
                self.net.send(now, house.address, t.to.address, t.bytes);
            }
            while let Some(notice) = house.lot.poll_notice() {
                use parkdeck::lot::Notice;
                self.story.push(format!("{now:?} lot {}: {notice:?}", i + 1));
                match notice {
                    Notice::CallParked { .. } => self.parks += 1,
                    Notice::CallRetrieved { .. } => self.retrieves += 1,
                    _ => {}
                }
            }
        }
        self.everybody_is_in_his_own_lot();
        self.nobody_is_lost();
        self.the_right_caller();
    }

    fn lots_media(&mut self, i: usize) {
        let mut closed = Vec::new();
        while let Some(command) = self.houses[i].lot.poll_media() {
            let house = &mut self.houses[i];
            match command {
                Command::Open { stream, .. } => {
                    house.streams.insert(stream, (None, None));
                }
                Command::Configure { stream, config } => {
                    house.streams.entry(stream).or_default().0 = Some(config.remote);
                }
                Command::Bridge { a, b } => {
                    house.streams.entry(a).or_default().1 = Some(b);
                    house.streams.entry(b).or_default().1 = Some(a);
                }
                Command::Send { stream, source } => {
                    let other = if let Source::Bridge(other) = source { Some(other) } else { None };
                    house.streams.entry(stream).or_default().1 = other;
                }
                Command::Close { stream } => {
                    house.streams.remove(&stream);
                    for (_, heard) in house.streams.values_mut() {
                        *heard = heard.filter(|s| *s != stream);
                    }
                    closed.push(house.next_port);
                    house.next_port = if house.next_port > 39_000 { 30_000 } else { house.next_port + 2 };
                }
                _ => {}
            }
            self.nobody_is_joined();
        }
        if !closed.is_empty() {
            let now = self.now;
            self.houses[i].lot.report(now, Report::PortsBound { ports: closed });
            self.lots_media(i);
        }
    }

    /// Who hears whom at this moment, by address.
    fn bridges(&self) -> impl Iterator<Item = (SocketAddr, SocketAddr)> + '_ {
        self.houses.iter().flat_map(House::bridges)
    }

    /// Nobody is ever in another house than that of his own phone: neither by the lot's streams nor by any board.
    fn everybody_is_in_his_own_lot(&mut self) {
        let mut astray = Vec::new();
        for house in &self.houses {
            let elsewhere =
                |ip| self.phones.iter().any(|p| p.address.ip() == ip && p.server != house.address);
            let remotes = house.streams.values().filter_map(|(remote, _)| *remote);
            astray.extend(
                remotes.filter(|r| elsewhere(r.ip())).map(|r| format!("{r} is in {}", house.address)),
            );
        }
        for operator in &self.operators {
            let desk = operator.engine.desk();
            let own = |line: LineId| if line == LineId(0) { &CALLERS[..] } else { &OTHERS[..] };
            let known = |line, number: &str| {
                number.is_empty()
                    || !number.starts_with(['2', '3'])
                    || own(line).iter().any(|(n, _)| *n == number)
            };
            for slot in &desk.slots {
                let number = slot.parked.as_ref().map_or("", |p| p.parkee.number.as_str());
                if slot.holds_somebody() && !known(slot.line, number) {
                    astray.push(format!("{} sees {number} in {:?}", operator.user, slot.key()));
                }
            }
            for call in &desk.calls {
                if !known(call.line, call.party.number.as_str()) {
                    astray.push(format!("{} has {} on {:?}", operator.user, call.party.number, call.line));
                }
            }
        }
        self.broken.extend(astray.into_iter().map(|what| format!("{:?}: {what}", self.now)));
    }

    fn is_caller(&self, ip: IpAddr) -> bool {
        self.phones.iter().any(|p| p.address.ip() == ip && p.user.starts_with("caller"))
    }

    fn nobody_is_joined(&mut self) {
        let joined: Vec<_> =
            self.bridges().filter(|(a, b)| self.is_caller(a.ip()) && self.is_caller(b.ip())).collect();
        if let Some((a, b)) = joined.first() {
            self.broken.push(format!("{:?}: two callers were joined: {a} hears {b}", self.now));
        }
    }

    /// Breaks the promises on purpose, to see that somebody is watching: two callers joined, one lost.
    pub fn break_promises(&mut self) {
        let (a, b) = (StreamId(1), StreamId(2));
        self.houses[0].streams.insert(a, (Some(address(20)), None));
        self.houses[0].streams.insert(b, (Some(address(21)), Some(a)));
        self.nobody_is_joined();
        self.phones[0].ended = Some((EndedBy::Remote, None, true));
        self.nobody_is_lost();
    }

    fn nobody_is_lost(&mut self) {
        for phone in self.phones.iter_mut().filter(|p| p.user.starts_with("caller")) {
            let Some((by, status, was_up)) = phone.ended.take() else { continue };
            let excused = self.dismissed.remove(phone.user);
            if was_up && by != EndedBy::Local && !excused {
                self.broken.push(format!("{:?}: {} was lost: {by:?} {status:?}", self.now, phone.user));
            }
        }
    }

    /// Whoever an operator has been talking to for three seconds is the one whose name the board shows.
    fn the_right_caller(&mut self) {
        let mut seen = BTreeMap::new();
        for (i, operator) in self.operators.iter().enumerate() {
            let desk = operator.engine.desk();
            let Some(spoken) = desk.sound_plan().spoken_to.and_then(|id| desk.call(id)) else { continue };
            let ip = operator.address.ip();
            let bridged: Vec<IpAddr> = self
                .bridges()
                .filter(|(a, b)| b.ip() == ip && self.is_caller(a.ip()))
                .map(|(a, _)| a.ip())
                .collect();
            let [caller] = bridged.as_slice() else { continue };
            let since = self
                .talked
                .get(&(i, spoken.id))
                .filter(|(_, who)| who == caller)
                .map_or(self.now, |(at, _)| *at);
            seen.insert((i, spoken.id), (since, *caller));
            let user =
                self.phones.iter().find(|p| p.address.ip() == *caller).map(|p| p.user).unwrap_or_default();
            let shown = format!("caller{}", spoken.party.number);
            if self.now - since > Duration::from_secs(3) && shown != user {
                self.broken.push(format!("{:?}: the board says {shown}, the line is {user}", self.now));
            }
        }
        self.talked = seen;
    }

    /// The second house falls silent while a caller of each is with the operator, and comes back: what shows on the board
    /// meanwhile, and what goes on.
    pub fn one_house_goes_dark(&mut self) {
        self.begin();
        self.step_until(self.now + Duration::from_secs(5));
        for i in [0, 5] {
            let now = self.now;
            self.phones[i].dial(now, "100");
            self.settle();
            self.step_until(self.now + Duration::from_secs(2));
            self.operators[0].engine.obey(self.now, Key::Answer);
            self.settle();
            self.step_until(self.now + Duration::from_secs(2));
        }
        assert_eq!(self.board(|d| d.calls.iter().map(|c| c.line.0).collect::<Vec<_>>()), [0, 1]);
        self.houses[1].dark = true;
        self.step_until(self.now + Duration::from_secs(20));
        let silent = self.board(|d| {
            let fresh = |line| d.slots_of(line).filter(|s| s.is_known_free()).count();
            (fresh(LineId(0)), fresh(LineId(1)), d.lines[1].account.round_trip_ms, d.calls.len())
        });
        assert_eq!(silent, (4, 0, None, 2), "its lamps are stale, its call and the other line go on");
        let told = |d: &Desk| d.notices.iter().any(|n| n.text.as_str().contains("its call with you goes on"));
        assert!(self.board(told), "and the operator was told what becomes of the call");
        // The other line parks as ever; a key of the silent lot parks nobody.
        let first = self.board(|d| d.calls[0].id);
        let silent_slot = self.board(|d| d.slots[4].key());
        for key in [Key::Take(first), Key::PressSlot(silent_slot), Key::Park { slot: None }] {
            self.operators[0].engine.obey(self.now, key);
            self.settle();
            self.step_until(self.now + Duration::from_secs(2));
        }
        assert_eq!((self.parks, self.board(|d| d.calls.len())), (1, 1));
        self.houses[1].dark = false;
        self.step_until(self.now + Duration::from_secs(30));
        let back = self.board(|d| {
            (d.slots_of(LineId(1)).filter(|s| s.is_known_free()).count(), d.lines[1].account.is_reachable())
        });
        assert_eq!(back, (4, true), "and by itself it is as before");
        assert_eq!(self.broken, [""; 0]);
    }

    fn board<T>(&self, look: impl Fn(&Desk) -> T) -> T {
        look(self.operators[0].engine.desk())
    }

    /// One thing that people do.
    fn act(&mut self) {
        let now = self.now;
        match self.rng.random_range(0..10) {
            0..=2 => self.a_caller_acts(),
            3 => self.the_colleague_acts(),
            _ => {
                let i = self.rng.random_range(0..self.operators.len());
                let Some(key) = self.operators[i].key(&mut self.rng) else { return };
                if let Some(number) = self.operators[i].ends_by(&key) {
                    self.dismissed.insert(format!("caller{number}"));
                }
                self.story.push(format!(
                    "{now:?} {}: {key:?} {}",
                    self.operators[i].user,
                    self.operators[i].calls()
                ));
                let wrong = self.operators[i].parks_elsewhere(&key);
                self.operators[i].engine.obey(now, key);
                if let Some(call) = wrong.filter(|call| self.operators[i].is_parking(*call)) {
                    self.broken.push(format!("{now:?}: {call:?} goes into another account's lot"));
                }
            }
        }
        self.settle();
    }

    fn a_caller_acts(&mut self) {
        // The last phone is Sam's.
        let (i, now) = (self.rng.random_range(0..self.phones.len() - 1), self.now);
        let number =
            if self.rng.random_bool(0.7) || self.phones[i].server != house(1) { "100" } else { "101" };
        let patience = self.rng.random_range(5..80);
        let leaves = self.rng.random_bool(0.15);
        let phone = &mut self.phones[i];
        if phone.call.is_none() {
            self.dismissed.remove(phone.user);
            self.story.push(format!("{now:?} {} dials {number}", phone.user));
            phone.dial(now, number);
            phone.hangs_up_at = Some(now + Duration::from_secs(patience));
        } else if leaves {
            self.story.push(format!("{now:?} {} hangs up", phone.user));
            phone.hang_up(now);
        }
    }

    /// Sam dials a slot now and then, talks for a while, hangs up. Whoever he talks to then is dismissed by him.
    fn the_colleague_acts(&mut self) {
        let now = self.now;
        let slot = (701 + self.rng.random_range(0..4)).to_string();
        let sam_ip = address(30).ip();
        let partners: Vec<_> =
            self.bridges().filter(|(_, b)| b.ip() == sam_ip).map(|(a, _)| a.ip()).collect();
        let sam = self.phones.last_mut().unwrap();
        self.story.push(format!("{now:?} sam dials {slot} or hangs up; with {partners:?}"));
        if sam.call.is_none() {
            sam.dial(now, &slot);
            return;
        }
        sam.hang_up(now);
        for ip in partners {
            if let Some(phone) = self.phones.iter().find(|p| p.address.ip() == ip) {
                self.dismissed.insert(phone.user.to_owned());
            }
        }
    }
}
