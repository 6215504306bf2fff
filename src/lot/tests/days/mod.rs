//! Days of an office, from a seed: callers from a gateway and a provider, a group, transfers, parks and retrieves by phones,
//! by keys and by whoever is quicker; phones lose power, the network goes away, datagrams get lost, the lot is killed and
//! started again. Whatever happens: no caller is lost but by his own or his partner's doing, no two are joined, whoever dials
//! a slot gets the call that was in it, and in the evening no slot, leg, stream or line of the journal is left.
//!
//! A failing seed is printed; `PARKDECK_SEED=n` plays that day alone, `PARKDECK_SEEDS` chooses how many.

mod model;

use super::*;
use crate::sip::Event;
use model::Book;
use rand::seq::IndexedRandom;
use std::time::Duration;

/// How many days the ordinary run plays, split among so many tests.
const ORDINARY: u64 = 160;
const SHARES: u64 = 2;
/// And the whole of it.
const ALL: u64 = 10_000;
/// How many things happen in a day.
const DEEDS: usize = 90;

const PROVIDER: usize = 5;
const CALLERS: [usize; 3] = [JANE, KURT, PROVIDER];
const STAFF: [usize; 3] = [ANN, BOB, SHOP];
const SLOTS: [&str; 3] = ["701", "702", "703"];

/// One day.
struct Day {
    world: World,
    chance: StdRng,
    book: Book,
    config: LotConfig,
    /// Callers' calls: whose, which, how often his phone had lost power when it began, and whether somebody has ended it on
    /// purpose or his phone has been away since.
    calls: Vec<(usize, CallKey, usize, bool)>,
    /// When phones that are away are back.
    away: [Option<Moment>; 6],
    knock_at: Moment,
    /// What was done, and what the lot said of it: printed of a day that went wrong.
    story: Vec<String>,
    noticed: usize,
}

fn office_config() -> LotConfig {
    let mut config: toml::Table = OFFICE.parse().unwrap();
    let lot: toml::Table =
        "parkingtime = 40\ncomebackdialtime = 10\nfallback = '101'\nfallbackdialtime = 8\n\
                            findslot = 'next'\nexitkey = '0'"
            .parse()
            .unwrap();
    config["lots"][0].as_table_mut().unwrap().extend(lot);
    let more = "[[groups]]\nname = 'Sales'\nextension = '200'\nmembers = ['100', '101']\ntimeout = 6\n\
                strategy = 'linear'\nfallback = '102'\n\
                [[trunks]]\nname = 'provider'\nserver = '192.0.2.15'\nusername = 'acct'\nregister = false\n\
                inbound = [{ to = '200' }]\noutbound = [{ prefix = '0', min_digits = 3 }]";
    config.extend(more.parse::<toml::Table>().unwrap());
    let config: LotConfig = config.try_into().unwrap();
    assert_eq!(config.problems(), []);
    config
}

impl Day {
    fn begin(seed: u64) -> Self {
        let config = office_config();
        let mut world = open_office(config.clone());
        assert_eq!(world.add_phone("provider", "provider", "Provider"), PROVIDER);
        let mut day = Self {
            chance: StdRng::seed_from_u64(seed),
            book: Book::default(),
            calls: Vec::new(),
            away: [None; 6],
            knock_at: world.now + Duration::from_secs(30),
            story: Vec::new(),
            noticed: 0,
            world,
            config,
        };
        day.open_trunk();
        day.world.keep();
        // Two days in three are calm.
        day.world.loss_percent = if seed.is_multiple_of(3) { day.chance.random_range(1..12) } else { 0 };
        day
    }

    /// The provider is a server that knows no password and is asked for none.
    fn open_trunk(&mut self) {
        let address = self.world.phones[PROVIDER].address;
        self.world.lot.set_trunk_servers(self.world.now, "provider", vec![address]);
        self.world.run_ms(20);
    }

    /// A call of a phone that is up.
    fn a_call_of(&mut self, phone: usize) -> Option<CallKey> {
        let mut up: Vec<CallKey> = Vec::new();
        for event in &self.world.phones[phone].events {
            match event {
                Event::CallAnswered { call, .. } | Event::CallConfirmed { call } => up.push(*call),
                Event::CallEnded { call, .. } => up.retain(|c| c != call),
                _ => {}
            }
        }
        up.choose(&mut self.chance).copied()
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.chance).unwrap()
    }

    fn tell(&mut self, what: String) {
        let said = self.world.notices[self.noticed..].iter().map(|notice| format!("    {notice:?}"));
        self.story.extend(said);
        self.noticed = self.world.notices.len();
        self.story.push(format!("{:?} {what}", self.world.now));
    }

    /// The day went wrong: tells how it came to that.
    fn wrong(&mut self, what: &str) -> ! {
        self.tell(what.to_owned());
        let from = self.story.len().saturating_sub(160);
        panic!("{}\n{what}", self.story[from..].join("\n"))
    }

    /// The callers whom a phone of the staff talks with are excused: they are hung up on.
    fn excuse_partners_of(&mut self, staff: usize) {
        let legs = &self.world.lot.legs;
        let of_staff =
            legs.values().filter(|leg| leg.user.as_deref() == Some(&self.world.phones[staff].name));
        let partners = of_staff.filter_map(|leg| legs.get(&leg.peer()?)).map(|leg| leg.source);
        let partners: Vec<Peer> = partners.collect();
        for (who, _, _, excused) in &mut self.calls {
            *excused |= partners.contains(&self.world.phones[*who].address);
        }
    }

    fn excuse(&mut self, caller: usize) {
        self.calls.iter_mut().filter(|(who, ..)| *who == caller).for_each(|call| call.3 = true);
    }

    /// One thing that happens.
    fn deed(&mut self) {
        let staff = self.pick(&STAFF[..2]);
        let slot = self.pick(&SLOTS);
        let deed = self.chance.random_range(0..100);
        self.tell(format!("deed {deed} by {staff}, {slot}"));
        match deed {
            0..18 => self.somebody_calls(),
            18..38 => {
                let staff = self.pick(&STAFF);
                if let Some(call) = self.world.try_ringing(staff).filter(|_| !self.world.phones[staff].dead) {
                    self.world.answer(staff, call);
                }
            }
            38..54 => {
                let to = self.pick(&["700", "700", "700", slot]);
                if let Some(call) = self.a_call_of(staff) {
                    self.world.refer(staff, call, to, &[]);
                }
            }
            54..66 => self.somebody_retrieves(staff, slot),
            66..70 => {
                let to = self.pick(&["100", "101", "102", "200", "0123"]);
                if let Some(call) = self.a_call_of(staff) {
                    self.world.refer(staff, call, to, &[]);
                }
            }
            70..72 => {
                let (one, two) = (self.a_call_of(staff), self.a_call_of(staff));
                if let (Some(one), Some(two)) = (one, two)
                    && one != two
                {
                    self.world.refer_to_call(staff, one, "700", two);
                }
            }
            72..74 => drop(self.world.dial(staff, "700")),
            74..78 => {
                for key in ['#', '7', '2'] {
                    if self.world.has_stream(staff) {
                        self.world.press_key(staff, key);
                    }
                }
            }
            78..80 => {
                let caller = self.pick(&CALLERS);
                if self.world.has_stream(caller) {
                    self.world.press_key(caller, '0');
                }
            }
            80..84 => {
                let ringing = self.pick(&["*8100", "*8101", "*8200"]);
                self.world.dial(staff, ringing);
            }
            84..88 => {
                let staff = self.pick(&STAFF);
                if let Some(call) = self.a_call_of(staff) {
                    self.excuse_partners_of(staff);
                    self.world.hang_up(staff, call);
                }
            }
            88..92 => {
                if let Some((who, call, ..)) = self.calls.choose(&mut self.chance).copied() {
                    self.excuse(who);
                    self.world.hang_up(who, call);
                }
            }
            92..94 => {
                let phone = self.pick(&[ANN, BOB, SHOP, JANE, KURT]);
                self.excuse(phone);
                self.world.reboot(phone);
                self.away[phone] = None;
                self.world.register(phone);
            }
            94..97 => {
                let phone = self.pick(&[ANN, BOB, SHOP, JANE, KURT, PROVIDER]);
                self.excuse(phone);
                self.world.phones[phone].dead = true;
                let for_s = self.chance.random_range(2..90);
                self.away[phone] = Some(self.world.now + Duration::from_secs(for_s));
            }
            97 => self.restart(),
            _ => {
                let phone = self.pick(&[ANN, BOB, SHOP, JANE, KURT]);
                self.world.register(phone);
            }
        }
    }

    fn somebody_calls(&mut self) {
        let caller = self.pick(&CALLERS);
        let open = |(who, call, reboots, _): &&(usize, CallKey, usize, bool)| {
            *who == caller
                && self.world.phones[caller].reboots == *reboots
                && !self.world.is_over(caller, *call)
        };
        if self.calls.iter().filter(open).count() >= 2 || self.world.phones[caller].dead {
            return;
        }
        let to = self.pick(&["100", "101", "200"]);
        let call = match caller {
            PROVIDER => self.world.dial_with(PROVIDER, "acct", &[("P-Asserted-Identity", "<sip:0170@x>")]),
            _ => self.world.dial(caller, to),
        };
        self.calls.push((caller, call, self.world.phones[caller].reboots, false));
    }

    /// Somebody dials a slot. On a calm day he gets whoever was in it.
    fn somebody_retrieves(&mut self, staff: usize, slot: &str) {
        let there = self.book.in_slot(slot).cloned();
        // After a restart his phone may have been out of reach since, and has no sound to be joined with until it answers.
        let occupant = self.world.lot.lots[0].in_slot(slot).map(|parked| parked.occupant);
        let awake = occupant.is_some_and(|call| self.world.lot.codec_of(call).is_some());
        let call = self.world.dial(staff, slot);
        if self.chance.random_bool(0.3) {
            // And somebody else at the same moment.
            let other = if staff == ANN { BOB } else { ANN };
            self.world.dial(other, slot);
        }
        self.world.run_ms(30);
        let calm = self.world.loss_percent == 0 && self.world.phones.iter().all(|phone| !phone.dead);
        if !calm || !awake || !self.world.is_answered(staff, call) || self.world.is_over(staff, call) {
            return;
        }
        let there = there.expect("somebody was in the slot that was answered");
        let who = CALLERS.into_iter().chain(STAFF).find(|who| match *who {
            PROVIDER => there.number.as_str() == "0170",
            _ => self.world.phones[*who].display == there.label(),
        });
        let who = who.unwrap_or_else(|| panic!("nobody is called {}", there.label()));
        if !self.world.talk(staff, who) {
            self.wrong(&format!("{} was seen in {slot}", there.label()));
        }
    }

    /// kill -9, and another process a while later. Whoever rang or was rung then is rung no more.
    fn restart(&mut self) {
        let away = Duration::from_millis(self.chance.random_range(0..8_000));
        let followed = self.book.follow(&self.world.notices);
        self.world.crash(self.config.clone(), away);
        let calls = self.world.lot.lots.iter().flat_map(slots::ParkingLot::calls);
        let there = calls.map(|parked| (&parked.slot, &parked.parkee));
        // What the lot says while it starts is of callers whom only its slots show to be back.
        if let Err(wrong) = followed.and_then(|()| self.book.restarted(there, self.world.notices.len())) {
            self.wrong(&wrong);
        }
        self.open_trunk();
        // Two who were about to talk were not written down yet: their phones give up by themselves.
        for (who, call, reboots, excused) in &mut self.calls {
            *excused |= self.world.phones[*who].reboots != *reboots || !self.world.is_answered(*who, *call);
        }
    }

    fn time_passes(&mut self, until: Moment) {
        while self.world.now < until {
            let back = self.away.iter().flatten().copied().min();
            let next = [Some(until), back, Some(self.knock_at)].into_iter().flatten().min().unwrap_or(until);
            let pause = next.saturating_sub(self.world.now);
            self.world.run_ms(u64::try_from(pause.as_millis()).unwrap().max(1));
            for phone in 0..self.away.len() {
                if self.away[phone].is_some_and(|back| back <= self.world.now) {
                    self.away[phone] = None;
                    self.world.phones[phone].dead = false;
                }
            }
            if self.knock_at <= self.world.now {
                self.knock_at = self.world.now + Duration::from_secs(30);
                self.world.report_silence(30_000);
            }
        }
    }

    fn check(&mut self) {
        for a in CALLERS {
            for b in CALLERS.into_iter().filter(|b| *b != a) {
                if self.world.hears_anything_of(a, b) {
                    self.wrong(&format!("two callers are joined: {a} hears {b}"));
                }
            }
        }
        if let Err(wrong) = self.book.follow(&self.world.notices) {
            self.wrong(&wrong);
        }
        let calls = self.world.lot.lots.iter().flat_map(slots::ParkingLot::calls);
        if !self.book.agrees(calls.map(|parked| (&parked.slot, &parked.parkee))) {
            self.wrong(&format!("the lot's slots are not what it says of them: {:?}", self.book));
        }
        for parked in self.world.lot.lots.iter().flat_map(slots::ParkingLot::calls) {
            let leg = self.world.lot.legs.get(&parked.occupant).expect("a call for every slot");
            assert_eq!(leg.place, legs::Place::Parked(parked.ticket.clone()));
        }
        let back = |peer: &CallKey| self.world.lot.legs.get(peer).and_then(legs::Leg::peer);
        let alone = |(call, leg): &(&CallKey, &legs::Leg)| matches!(&leg.place, legs::Place::With(peer) if back(peer) != Some(**call));
        if let Some((call, leg)) = self.world.lot.legs.iter().find(alone) {
            let told = format!("{call:?} of {:?} talks with nobody: {:?}", leg.user, leg.place);
            self.wrong(&told);
        }
        let lost = |(who, call, reboots, excused): &&(usize, CallKey, usize, bool)| {
            self.world.phones[*who].reboots == *reboots
                && self.world.is_answered(*who, *call)
                && self.world.is_over(*who, *call)
                && !excused
        };
        if let Some((who, call, ..)) = self.calls.iter().find(lost).copied() {
            self.wrong(&format!("{who} was lost: {:?}", self.world.end_of(who, call)));
        }
    }

    /// Everybody goes home.
    fn end(&mut self) {
        self.world.loss_percent = 0;
        for phone in 0..self.away.len() {
            self.away[phone] = None;
            self.world.phones[phone].dead = false;
        }
        for _ in 0..3 {
            let calls = std::mem::take(&mut self.calls);
            for (who, call, reboots, _) in calls {
                if self.world.phones[who].reboots == reboots {
                    self.world.hang_up(who, call);
                }
            }
            for phone in 0..self.away.len() {
                while let Some(call) = self.a_call_of(phone) {
                    self.world.hang_up(phone, call);
                    self.world.run_ms(50);
                }
                while let Some(call) = self.world.try_ringing(phone) {
                    self.world.reject(phone, call, 486);
                    self.world.run_ms(50);
                }
            }
            self.time_passes(self.world.now + Duration::from_secs(100));
        }
        self.check();
        if let Some((call, leg)) = self.world.lot.legs.iter().next() {
            let (source, confirmed) = (leg.source, leg.confirmed);
            self.wrong(&format!(
                "{call:?} of {:?} at {source} is left: {:?} {confirmed}",
                leg.user, leg.place
            ));
        }
        self.world.assert_at_rest();
        assert!(self.world.lot.lots.iter().all(slots::ParkingLot::is_idle), "a slot is kept for nobody");
        assert_eq!(self.world.past.as_ref().unwrap().legs.len(), 0, "calls are left in the journal");
    }
}

/// Plays a day to its end: how many parks, retrieves and comebacks it had.
fn play(seed: u64) -> [usize; 3] {
    let mut day = Day::begin(seed);
    for _ in 0..DEEDS {
        day.deed();
        let pause = if day.chance.random_bool(0.1) { 60_000 } else { 4_000 };
        let pause = Duration::from_millis(day.chance.random_range(1..pause));
        day.time_passes(day.world.now + pause);
        day.check();
    }
    day.end();
    [day.book.parks, day.book.retrieves, day.book.comebacks]
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn run(usually: u64, share: u64) {
    let seeds = match number("PARKDECK_SEED") {
        Some(_) if share > 0 => return,
        Some(seed) => seed..seed + 1,
        None => 0..number("PARKDECK_SEEDS").unwrap_or(usually),
    };
    let mut sums = [0; 3];
    let days = seeds.end - seeds.start;
    for seed in seeds.filter(|seed| days == 1 || seed % SHARES == share) {
        match std::panic::catch_unwind(|| play(seed)) {
            Ok(counts) => sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count),
            Err(_) => panic!("the day of PARKDECK_SEED={seed} went wrong: see above"),
        }
    }
    println!("{days} days, this share: {} parks, {} retrieves, {} comebacks", sums[0], sums[1], sums[2]);
    // A day on which nobody parks proves nothing.
    let least = usize::try_from(days / SHARES).unwrap();
    assert!(days < 20 || sums[0] > 3 * least && sums[1] > least && sums[2] > least / 2, "{sums:?}");
}

#[test]
fn no_caller_is_lost_none_joined_no_slot_leaked_on_even_days() {
    run(ORDINARY, 0);
}

#[test]
fn no_caller_is_lost_none_joined_no_slot_leaked_on_odd_days() {
    run(ORDINARY, 1);
}

#[test]
#[ignore = "a quarter of an hour: the ordinary run takes the first of them"]
fn no_caller_is_lost_none_joined_no_slot_leaked_on_ten_thousand_days() {
    std::thread::scope(|scope| {
        let shares: Vec<_> = (0..SHARES).map(|share| scope.spawn(move || run(ALL, share))).collect();
        assert!(shares.into_iter().all(|share| share.join().is_ok()), "see above");
    });
}

#[test]
fn the_model_sees_a_lot_that_breaks_its_promises() {
    let who = |name: &str| crate::parking::Identity::new(name, "1");
    let slot = || crate::parking::SlotId::new("701").unwrap();
    let parked = |name| Notice::CallParked { slot: slot(), parkee: who(name), by: who("Ann") };
    let taken = |name| Notice::CallRetrieved { slot: slot(), parkee: who(name), by: who("Bob") };
    for (said, sound) in [
        (vec![parked("Jane"), taken("Jane"), parked("Kurt")], true),
        (vec![parked("Jane"), parked("Kurt")], false),
        (vec![parked("Jane"), taken("Kurt")], false),
        (vec![taken("Jane")], false),
    ] {
        assert_eq!(Book::default().follow(&said).is_ok(), sound, "{said:?}");
    }
    let (slot, jane) = (slot(), who("Jane"));
    let mut book = Book::default();
    book.follow(&[parked("Jane")]).unwrap();
    assert!(book.agrees([(&slot, &jane)].into_iter()) && !book.agrees([].into_iter()));
    assert!(book.restarted([].into_iter(), 1).is_err(), "nobody is forgotten by a restart");
}
