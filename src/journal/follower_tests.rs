//! What the journal has of a day at the desk.

use super::*;
use crate::desk::{Abilities, CallArrival, Command, Known, LampReport};
use crate::parking::{Identity, Strength};

/// A desk and who follows it, as the engine brings them together.
struct Scene {
    desk: Desk,
    follower: Follower,
    calls: BTreeMap<RecordId, CallRecord>,
    parks: BTreeMap<RecordId, ParkRecord>,
    now: Moment,
}

impl Scene {
    fn new(inherited: Vec<ParkRecord>) -> Self {
        let slots = ["701", "702"].map(|id| SlotId::new(id).unwrap()).to_vec();
        let abilities = Abilities { strength: Strength::Verified, ..Abilities::default() };
        let desk = Desk::new("reception@pbx", "front", slots, abilities);
        let follower = Follower::new(3, 1_000_000, inherited);
        let mut scene =
            Self { desk, follower, calls: BTreeMap::new(), parks: BTreeMap::new(), now: Duration::ZERO };
        scene.learn(Event::Registered);
        scene
    }

    fn learn(&mut self, event: Event) {
        self.now += Duration::from_secs(1);
        self.follower.hear(self.now, LineId(0), &event);
        let effects = self.desk.learn(self.now, event);
        self.settle(&effects);
    }

    fn obey(&mut self, command: Command) {
        self.now += Duration::from_secs(1);
        let effects = self.desk.obey(self.now, command);
        self.settle(&effects);
    }

    fn settle(&mut self, effects: &[Effect]) {
        effects.iter().for_each(|effect| self.follower.see(effect));
        for entry in self.follower.follow(self.now, &self.desk) {
            match entry {
                Entry::Call(record) => drop(self.calls.insert(record.id, record)),
                Entry::Park(record) => drop(self.parks.insert(record.id, record)),
            }
        }
    }

    fn ring(&mut self, name: &str, number: &str) -> CallId {
        let call = self.desk.new_call_id();
        self.learn(Event::CallArrived(CallArrival {
            call,
            party: Identity::new(name, number),
            called: "100".into(),
            comeback: None,
            referred_by_us: false,
            note: Text::default(),
        }));
        call
    }

    fn talk(&mut self, name: &str, number: &str) -> CallId {
        let call = self.ring(name, number);
        self.obey(Command::Take(call));
        self.learn(Event::CallAnswered { call });
        call
    }

    fn lamp(&mut self, slot: &str, lamp: Lamp, parkee: Option<Identity>) {
        let report = LampReport { lamp, parkee, ..LampReport::default() };
        self.learn(Event::LampChanged { slot: SlotId::new(slot).unwrap(), report });
    }

    fn end(&mut self, call: CallId, by_them: bool) {
        self.learn(Event::CallEnded { call, reason: Text::default(), by_them });
    }

    fn outcomes(&self) -> Vec<Outcome> {
        self.calls.values().map(|record| record.outcome).collect()
    }

    fn park(&mut self) -> CallId {
        for slot in ["701", "702"] {
            self.lamp(slot, Lamp::Free, None);
        }
        let call = self.talk("Jane Doe", "01614960100");
        self.obey(Command::Park { slot: None });
        self.lamp("701", Lamp::Parked, None);
        self.learn(Event::ParkProven { call, slot: SlotId::new("701") });
        call
    }
}

#[test]
fn who_is_turned_away_before_standing_on_the_board_is_written_down_all_the_same() {
    let mut scene = Scene::new(Vec::new());
    scene.obey(Command::DoNotDisturb(Some(true)));
    scene.ring("Jane Doe", "0161");
    assert!(scene.desk.calls.is_empty());
    let call = scene.calls.values().next().unwrap();
    assert_eq!(
        (call.outcome, call.way, call.party.number.as_str()),
        (Outcome::TurnedAway, CallWay::In, "0161")
    );
    assert_eq!((scene.calls.len(), call.ended_ms), (1, Some(call.began_ms)));
}

#[test]
fn a_call_is_kept_from_its_first_ring_with_its_waits_and_its_end() {
    let mut scene = Scene::new(Vec::new());
    let call = scene.talk("Jane Doe", "01614960100");
    scene.obey(Command::NoteCall { call, text: "for Sam".into() });
    let open = scene.calls.values().next().unwrap();
    assert_eq!((open.outcome, open.note.as_str(), open.id), (Outcome::Open, "for Sam", 3_000_001));
    scene.obey(Command::Hold);
    scene.learn(Event::CallHeld { call });
    scene.obey(Command::Hold);
    scene.learn(Event::CallResumed { call });
    scene.end(call, true);
    let over = scene.calls.values().next().unwrap();
    assert_eq!((over.outcome, over.account.as_str()), (Outcome::HungUp, "reception@pbx"));
    assert_eq!((over.waited_ms(0), over.talked_ms(0), over.held_ms), (1_000, 7_000, 2_000));
}

#[test]
fn every_end_has_its_name() {
    let mut scene = Scene::new(Vec::new());
    let missed = scene.ring("A", "1");
    scene.end(missed, true);
    scene.ring("B", "2");
    scene.learn(Event::Ticked);
    scene.obey(Command::HangUp);
    let talked = scene.talk("C", "3");
    scene.obey(Command::HangUp);
    scene.end(talked, false);
    scene.obey(Command::Dial("105".into()));
    let dialled = scene.desk.in_hand.unwrap();
    scene.learn(Event::CallEnded { call: dialled, reason: "busy".into(), by_them: true });
    scene.obey(Command::Dial("106".into()));
    scene.obey(Command::HangUp);
    let handed = scene.talk("D", "4");
    scene.obey(Command::Transfer { to: "101".into() });
    scene.learn(Event::TransferDone { call: handed });
    use Outcome::{Ended, GivenUp, Missed, NotReached, Transferred, TurnedAway};
    assert_eq!(scene.outcomes(), [Missed, TurnedAway, Ended, NotReached, GivenUp, Transferred]);
    let details: Vec<&str> = scene.calls.values().map(|r| r.detail.as_str()).collect();
    assert_eq!(details[3..], ["busy", "", "101"]);
    assert!(scene.calls.values().next().unwrap().is_missed());
}

#[test]
fn leaving_ends_every_call_and_keeps_who_is_parked() {
    let mut scene = Scene::new(Vec::new());
    scene.park();
    scene.talk("A", "1");
    scene.ring("B", "2");
    scene.obey(Command::Quit);
    scene.obey(Command::Quit);
    for entry in scene.follower.close(scene.now) {
        let Entry::Call(record) = entry else { panic!("no stay ends: {entry:?}") };
        scene.calls.insert(record.id, record);
    }
    assert_eq!(scene.outcomes(), [Outcome::Parked, Outcome::Ended, Outcome::TurnedAway]);
    assert_eq!(scene.parks.values().next().unwrap().fate, Fate::Waiting);
}

#[test]
fn a_parked_caller_has_a_stay_and_the_retrieve_ends_it() {
    let mut scene = Scene::new(Vec::new());
    scene.park();
    assert_eq!(scene.outcomes(), [Outcome::Parked]);
    assert_eq!(scene.calls.values().next().unwrap().slot, SlotId::new("701"));
    let stay = scene.parks.values().next().unwrap().clone();
    assert_eq!((stay.label(), stay.ours, stay.fate), ("Jane Doe", true, Fate::Waiting));
    scene.obey(Command::RetrieveLongest);
    let call = scene.desk.in_hand.unwrap();
    scene.learn(Event::CallAnswered { call });
    scene.lamp("701", Lamp::Free, None);
    scene.learn(Event::PartyTold { call, party: Identity::new("Jane Doe", "01614960100") });
    assert_eq!(scene.parks.values().next().unwrap().fate, Fate::RetrievedHere);
    assert_eq!(scene.parks.len(), 1);
    let retrieved = scene.calls.values().last().unwrap();
    assert_eq!((retrieved.way, retrieved.label()), (CallWay::Retrieved, "Jane Doe"));
}

#[test]
fn why_somebody_left_a_slot_counts_whether_told_before_or_after() {
    let gave_up = |scene: &mut Scene| {
        let parkee = Identity::new("Jane Doe", "01614960100");
        scene.learn(Event::GaveUp { slot: SlotId::new("701").unwrap(), parkee, waited_s: 9 });
    };
    let mut before = Scene::new(Vec::new());
    before.park();
    gave_up(&mut before);
    before.lamp("701", Lamp::Free, None);
    assert_eq!(before.parks.values().next().unwrap().fate, Fate::GaveUp);
    let mut after = Scene::new(Vec::new());
    after.park();
    after.lamp("701", Lamp::Free, None);
    assert_eq!(after.parks.values().next().unwrap().fate, Fate::Left);
    after.ring("Jane Doe", "01614960100");
    let back = after.calls.values().last().unwrap();
    assert_eq!((back.way, back.slot.clone()), (CallWay::CameBack, SlotId::new("701")));
    assert_eq!(after.parks.values().next().unwrap().fate, Fate::CameBack);
}

#[test]
fn who_was_parked_when_the_program_stopped_is_the_same_stay_or_gone() {
    let stay = |id: u64, slot: &str, parked_ms: u64| ParkRecord {
        id,
        account: "reception@pbx".into(),
        slot: SlotId::new(slot).unwrap(),
        party: Identity::new("Jane Doe", "01614960100"),
        known: Text::default(),
        parker: Identity::default(),
        ours: true,
        note: "for Sam".into(),
        parked_ms,
        left_ms: None,
        fate: Fate::Waiting,
        by: Text::default(),
    };
    // The lamps are told at 2 and 3 s of this session, whose moment zero is at 1,000,000 ms.
    let mut scene = Scene::new(vec![stay(7, "701", 1_002_000), stay(8, "702", 990_000)]);
    scene.lamp("701", Lamp::Parked, Some(Identity::new("Jane Doe", "01614960100")));
    scene.lamp("702", Lamp::Free, None);
    let fates: Vec<(u64, Fate)> = scene.parks.values().map(|r| (r.id, r.fate)).collect();
    assert_eq!(fates, [(7, Fate::Waiting), (8, Fate::Left)]);
    assert!(scene.parks[&8].by.as_str().contains("not running"));
}

#[test]
fn what_is_learned_of_a_parked_caller_is_written_down_and_nothing_twice() {
    let mut scene = Scene::new(Vec::new());
    scene.park();
    let slot = SlotKey { line: LineId(0), id: SlotId::new("701").unwrap() };
    scene.obey(Command::NoteSlot { slot, text: "for Sam".into() });
    let kept = |scene: &Scene| scene.parks.values().next().unwrap().clone();
    assert_eq!(kept(&scene).note.as_str(), "for Sam");
    let known = Known { name: "Jane of Acme".into(), about: Text::default() };
    scene.learn(Event::named("01614960100".into(), Some(known)));
    assert_eq!(kept(&scene).known.as_str(), "Jane of Acme");
    scene.now += Duration::from_secs(1);
    assert_eq!(scene.follower.follow(scene.now, &scene.desk), []);
    scene.learn(Event::named("01614960100".into(), None));
    assert_eq!(kept(&scene).known.as_str(), "", "the directory has lost the name");
}
