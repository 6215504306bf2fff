//! A busy office, seeded: whatever people do in whatever order, and however bad the wire, no two callers are joined,
//! nobody is lost, and nothing is left over.

use super::*;
use rand::seq::{IndexedMutRandom, IndexedRandom};

/// As many seeds from there; `PARKDECK_SEEDS` asks for more.
fn seeds(from: u64, usually: u64) -> std::ops::Range<u64> {
    let count = std::env::var("PARKDECK_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(usually);
    from..from + count
}

/// What staff and callers do at random.
struct Chaos {
    world: World,
    chance: StdRng,
    /// The callers' calls, and whether the caller himself has hung up.
    callers: Vec<(usize, CallKey, bool)>,
    lamps: Vec<(&'static str, crate::sip::SubscriptionKey)>,
    /// How often somebody of the staff hung up on a caller: so many callers may be gone without their own doing.
    dismissed: usize,
    seed: u64,
}

impl Chaos {
    fn new(seed: u64, loss_percent: u32) -> Self {
        let group = "[[groups]]\nname = 'All'\nextension = '200'\nmembers = ['100', '101']\ntimeout = 5\n\
                     strategy = 'linear'\nfallback = '102'";
        let mut world = office_of("parkingtime = 15\ncomebackdialtime = 6", group);
        let lamps = ["701", "702", "703"].map(|slot| (slot, world.watch(BOB, slot))).to_vec();
        world.run_ms(100);
        world.loss_percent = loss_percent;
        Self { world, chance: StdRng::seed_from_u64(seed), callers: Vec::new(), lamps, dismissed: 0, seed }
    }

    /// A call of a staff phone that is up.
    fn a_call_of(&mut self, phone: usize) -> Option<CallKey> {
        let mut up: Vec<CallKey> = Vec::new();
        for event in &self.world.phones[phone].events {
            match event {
                crate::sip::Event::CallAnswered { call, .. } | crate::sip::Event::CallConfirmed { call } => {
                    up.push(*call)
                }
                crate::sip::Event::CallEnded { call, .. } => up.retain(|c| c != call),
                _ => {}
            }
        }
        up.choose(&mut self.chance).copied()
    }

    fn step(&mut self) {
        let staff = *[ANN, BOB].choose(&mut self.chance).unwrap();
        let other = *["100", "101", "200"].choose(&mut self.chance).unwrap();
        let slot = *["701", "702", "703"].choose(&mut self.chance).unwrap();
        match self.chance.random_range(0..17) {
            0 | 1 => {
                let who = *[JANE, KURT].choose(&mut self.chance).unwrap();
                if self.callers.iter().filter(|(w, _, gone)| *w == who && !gone).count() < 2 {
                    let call = self.world.dial(who, other);
                    self.callers.push((who, call, false));
                }
            }
            2 | 3 => {
                if let Some(call) = self.world.try_ringing(staff) {
                    self.world.answer(staff, call);
                }
            }
            4 | 5 => {
                if let Some(call) = self.a_call_of(staff) {
                    self.world.refer(staff, call, "700", &[]);
                }
            }
            6 => {
                if let Some(call) = self.a_call_of(staff) {
                    self.world.refer(staff, call, slot, &[]);
                }
            }
            7 | 8 => {
                self.world.dial(staff, slot);
            }
            9 => {
                if let Some((who, call, gone)) = self.callers.choose_mut(&mut self.chance) {
                    *gone = true;
                    let (who, call) = (*who, *call);
                    self.world.hang_up(who, call);
                }
            }
            12 | 13 => {
                if let Some(call) = self.a_call_of(staff) {
                    let to = *["100", "101", "102", "200"].choose(&mut self.chance).unwrap();
                    self.world.refer(staff, call, to, &[]);
                }
            }
            14 => {
                self.world.dial(staff, "700");
            }
            16 => {
                let ringing = *["*8100", "*8101", "*8102", "*8200"].choose(&mut self.chance).unwrap();
                self.world.dial(staff, ringing);
            }
            15 => {
                let (one, two) = (self.a_call_of(staff), self.a_call_of(staff));
                if let (Some(one), Some(two)) = (one, two)
                    && one != two
                {
                    self.world.refer_to_call(staff, one, "700", two);
                }
            }
            10 => {
                if let Some(call) = self.world.try_ringing(staff) {
                    self.world.ring(staff, call);
                }
            }
            _ => {
                if let Some(call) = self.a_call_of(staff).filter(|_| self.chance.random_bool(0.3)) {
                    let hung_up_on = [JANE, KURT].iter().any(|who| self.world.hears_anything_of(*who, staff));
                    self.dismissed += usize::from(hung_up_on);
                    self.world.hang_up(staff, call);
                }
            }
        }
    }

    /// A caller who was answered is gone only by his own hang-up, or by that of somebody who talked with him.
    fn check_nobody_is_lost(&self) {
        let lost = self.callers.iter().filter(|(who, call, gone)| {
            !gone && self.world.is_answered(*who, *call) && self.world.is_over(*who, *call)
        });
        let lost: Vec<_> = lost.map(|(who, call, _)| (who, self.world.end_of(*who, *call))).collect();
        assert!(lost.len() <= self.dismissed, "{lost:?}, {} dismissed, seed {}", self.dismissed, self.seed);
    }

    /// Once the wire has come to rest, every lamp shows what is in its slot.
    fn check_lamps(&self) {
        for (slot, lamp) in &self.lamps {
            let lit = self.world.lamp(BOB, *lamp).dialogs[0].call_id.clone();
            let parked = self.world.lot.lots[0].in_slot(slot).map(|parked| parked.occupant);
            let dialog = parked.and_then(|call| self.world.lot.agent.dialog_id(call)).map(|d| d.call_id);
            assert_eq!(lit, dialog, "the lamp of {slot}, seed {}", self.seed);
        }
    }

    fn check(&self) {
        let seed = self.seed;
        assert!(!self.world.hears_anything_of(JANE, KURT), "two callers joined, seed {seed}");
        assert!(!self.world.hears_anything_of(KURT, JANE), "two callers joined, seed {seed}");
        for who in [JANE, KURT] {
            assert!(!self.world.talk(who, who), "a caller joined with himself, seed {seed}");
        }
        let census = self.world.lot.census();
        assert!(census.parked <= 3, "seed {seed}");
        // Every parked call has a leg that is where the slot book says, and the other way round.
        for lot in &self.world.lot.lots {
            for parked in lot.calls() {
                let leg = self.world.lot.legs.get(&parked.occupant).expect("a leg for every parked call");
                assert_eq!(leg.place, legs::Place::Parked(parked.ticket.clone()), "seed {seed}");
            }
        }
        for (call, leg) in &self.world.lot.legs {
            match &leg.place {
                legs::Place::With(peer) => {
                    let back = self.world.lot.legs.get(peer).and_then(legs::Leg::peer);
                    assert_eq!(back, Some(*call), "two legs talk with each other or not at all, seed {seed}");
                }
                legs::Place::Parked(ticket) => {
                    assert!(self.world.lot.lot_with(ticket).is_some(), "seed {seed}")
                }
                legs::Place::Asking(id) | legs::Place::Dialled(id) | legs::Place::Transferring(id) => {
                    assert!(self.world.lot.attempts.contains_key(id), "seed {seed}");
                }
                legs::Place::Hearing(pager) => {
                    let pager = self.world.lot.legs.get(pager).map(|leg| leg.place.clone());
                    assert_eq!(pager, Some(legs::Place::Paging), "seed {seed}");
                }
                legs::Place::Stranded
                | legs::Place::Listening
                | legs::Place::Paging
                | legs::Place::Leaving => {}
            }
        }
    }

    fn run(mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
            let pause = self.chance.random_range(1..1_500);
            self.world.run_ms(pause);
            self.check();
            self.check_nobody_is_lost();
        }
        self.world.loss_percent = 0;
        self.world.run_s(40);
        self.check_lamps();
        for (who, call, _) in std::mem::take(&mut self.callers) {
            self.world.hang_up(who, call);
        }
        // What the lost datagrams held up becomes known late: twice.
        self.everybody_hangs_up();
        self.world.run_s(200);
        self.everybody_hangs_up();
        self.world.run_s(40);
        self.check_lamps();
        let now = self.world.now;
        for (_, lamp) in self.lamps {
            self.world.phones[BOB].agent.unsubscribe(now, lamp);
        }
        self.world.assert_at_rest();
    }

    fn everybody_hangs_up(&mut self) {
        for staff in [ANN, BOB, SHOP] {
            while let Some(call) = self.a_call_of(staff) {
                self.world.hang_up(staff, call);
                self.world.run_ms(50);
            }
            while let Some(call) = self.world.try_ringing(staff) {
                self.world.reject(staff, call, 486);
                self.world.run_ms(50);
            }
        }
    }
}

#[test]
fn no_two_callers_are_joined_and_nothing_is_left_over() {
    for seed in seeds(0, 16) {
        Chaos::new(seed, 0).run(80);
    }
}

#[test]
fn nor_when_one_datagram_in_ten_is_lost() {
    for seed in seeds(1_000_000, 10) {
        Chaos::new(seed, 10).run(60);
    }
}

#[test]
fn a_caller_who_waits_is_never_lost_while_others_come_and_go() {
    for seed in 200..206 {
        let mut chaos = Chaos::new(seed, 0);
        let (jane, _) = ann_parks_jane(&mut chaos.world);
        // Nobody takes Jane: the staff phones only park Kurt's calls and dial the slots that aren't hers.
        for _ in 0..60 {
            let kurt = chaos.world.dial(KURT, "101");
            chaos.world.run_ms(200);
            if let Some(call) = chaos.world.try_ringing(BOB) {
                chaos.world.answer(BOB, call);
                chaos.world.run_ms(50);
                chaos.world.refer(BOB, call, if seed % 2 == 0 { "700" } else { "701" }, &[]);
                chaos.world.run_ms(100);
                chaos.world.hang_up(BOB, call);
            }
            let pause = chaos.chance.random_range(1..9_000);
            chaos.world.run_ms(pause);
            chaos.world.hang_up(KURT, kurt);
            chaos.check();
            assert!(!chaos.world.is_over(JANE, jane), "seed {seed}");
        }
        assert!(chaos.world.hears_music(JANE));
    }
}
