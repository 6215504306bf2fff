//! The troupe against the real lot in virtual time, with a receptionist made of the same telephone; and once on real
//! sockets with real sound.

use super::people::PEOPLE;
use super::phone::{Exchange, Phone};
use super::*;
use crate::lot::{Lot, Notice};
use crate::media::{Clip, Command, Music, Report, Source, StreamFigures, StreamId};
use crate::parking::{Moment, SlotId};
use crate::sip::message::{NameAddr, Uri};
use crate::sip::sdp::Codec;
use crate::sip::{Account, CallKey, Event};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

const LOT: u16 = 5060;
const OUTSIDE: u16 = 6001;
const SAM: u16 = 6002;
const DESK: u16 = 6003;
const TICK: Duration = Duration::from_millis(250);

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// What a media engine was told of its streams.
#[derive(Default)]
struct Streams {
    port: BTreeMap<StreamId, u16>,
    remote: BTreeMap<StreamId, u16>,
    music: BTreeMap<StreamId, bool>,
    prompts: usize,
}

impl Streams {
    fn obey(&mut self, command: Command) {
        match command {
            Command::Open { stream, port } => {
                self.port.insert(stream, port);
            }
            Command::Configure { stream, config } => {
                self.remote.insert(stream, config.remote.port());
            }
            Command::Send { stream, source } => {
                self.prompts += usize::from(matches!(source, Source::Prompt(_)));
                self.music.insert(stream, matches!(source, Source::Music(_)));
            }
            Command::Bridge { a, b } => {
                self.music.insert(a, false);
                self.music.insert(b, false);
            }
            Command::Close { stream } => {
                self.port.remove(&stream);
                self.remote.remove(&stream);
                self.music.remove(&stream);
            }
            _ => {}
        }
    }

    /// Whether this engine plays music to that port.
    fn plays_music_to(&self, port: u16) -> bool {
        self.remote.iter().any(|(stream, remote)| *remote == port && self.music.get(stream) == Some(&true))
    }
}

/// The receptionist: what she is told to do with a ringing call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Lets it ring.
    Ignore,
    /// Answers, parks it after ten seconds.
    Park,
    /// Answers and talks.
    Talk,
}

struct World {
    now: Moment,
    lot: Lot,
    troupe: Troupe,
    desk: Phone,
    exchange: Exchange,
    habit: Habit,
    park_at: Vec<(Moment, CallKey)>,
    /// Names of whoever rang.
    rang: Vec<String>,
    ended: Vec<(Moment, CallKey)>,
    /// What the lot said of itself.
    notices: Vec<Notice>,
    wire: VecDeque<(u16, u16, Vec<u8>)>,
    lot_streams: Streams,
    troupe_streams: Streams,
}

impl World {
    fn new(seed: u64, habit: Habit) -> Self {
        let users = users(seed);
        let config = lot_config(local(LOT), &users);
        assert_eq!(config.problems(), []);
        let slots: Vec<SlotId> = config.lots[0].parkpos.slots().collect();
        let domain = config.realm.clone();
        let secret = users[0].secret.clone();
        let script = Script {
            lot: local(LOT),
            domain: domain.clone(),
            reception: RECEPTION.to_owned(),
            slots,
            users,
            seed,
        };
        let now = seconds(100);
        let mut lot = Lot::new(config, seed);
        lot.set_music(Some("front"), Music::new(&[1_000; 8_000], 8_000));
        let account = Account {
            realm: None,
            expires_s: 600,
            ..Account::new(
                NameAddr::new(Uri::sip(RECEPTION_USER, &domain)),
                local(LOT),
                RECEPTION_USER.to_owned(),
                secret,
            )
        };
        let desk = Phone::new(local(DESK), account, &[Codec::Opus, Codec::Pcma], seed);
        let mut exchange = Exchange::new(local(0).ip());
        exchange.add_ports((50_000..50_200).step_by(2).collect());
        let mut world = Self {
            now,
            lot,
            troupe: Troupe::new(script, Voices::silent(), [local(OUTSIDE), local(SAM)], now, seed),
            desk,
            exchange,
            habit,
            park_at: Vec::new(),
            rang: Vec::new(),
            ended: Vec::new(),
            notices: Vec::new(),
            wire: VecDeque::new(),
            lot_streams: Streams::default(),
            troupe_streams: Streams::default(),
        };
        world.lot.report(now, Report::PortsBound { ports: (20_000..21_000).step_by(2).collect() });
        world.troupe.report(now, Report::PortsBound { ports: (40_000..40_400).step_by(2).collect() });
        world.desk.agent.register(now, world.desk.account);
        world.troupe.start(now);
        world.settle();
        world
    }

    /// Runs for so long.
    fn run(&mut self, length: Duration) {
        let end = self.now + length;
        while self.now < end {
            self.now += TICK;
            self.lot.wake(self.now);
            self.troupe.wake(self.now);
            self.desk.agent.wake(self.now);
            for (at, call) in std::mem::take(&mut self.park_at) {
                if at > self.now {
                    self.park_at.push((at, call));
                    continue;
                }
                let to = NameAddr::new(self.desk.uri("700"));
                self.desk.agent.refer(self.now, call, to, Vec::new());
            }
            self.settle();
            self.play();
            self.settle();
        }
    }

    /// Carries datagrams until all are silent.
    fn settle(&mut self) {
        loop {
            while let Some(sent) = self.lot.poll_transmit() {
                self.wire.push_back((LOT, sent.to.port(), sent.bytes));
            }
            while let Some((seat, sent)) = self.troupe.poll_transmit() {
                let from = if seat == Seat::Outside { OUTSIDE } else { SAM };
                self.wire.push_back((from, sent.to.port(), sent.bytes));
            }
            while let Some(notice) = self.lot.poll_notice() {
                self.notices.push(notice);
            }
            self.sit_at_the_desk();
            while let Some(sent) = self.desk.agent.poll_transmit() {
                self.wire.push_back((DESK, sent.to.port(), sent.bytes));
            }
            while let Some(command) = self.lot.poll_media() {
                self.lot_streams.obey(command);
            }
            while let Some(command) = self.troupe.poll_media() {
                self.troupe_streams.obey(command);
            }
            let Some((from, to, bytes)) = self.wire.pop_front() else { return };
            match to {
                LOT => self.lot.receive(self.now, local(from), &bytes),
                OUTSIDE => self.troupe.receive(self.now, Seat::Outside, local(from), &bytes),
                SAM => self.troupe.receive(self.now, Seat::Colleague, local(from), &bytes),
                DESK => self.desk.agent.receive(self.now, local(from), &bytes),
                other => panic!("nobody is at {other}"),
            }
        }
    }

    fn sit_at_the_desk(&mut self) {
        while let Some(event) = self.desk.poll_event(self.now, &mut self.exchange) {
            match event {
                Event::CallReceived { call, request, .. } => {
                    let from =
                        request.headers.name_addr("P-Asserted-Identity").or_else(|| request.headers.from());
                    self.rang.push(from.and_then(|f| f.display).unwrap_or_default());
                    if self.habit == Habit::Ignore {
                        self.desk.agent.ring(self.now, call, None);
                    } else {
                        self.desk.answer(self.now, &mut self.exchange, call, &request.body);
                    }
                }
                Event::CallConfirmed { call } if self.habit == Habit::Park => {
                    self.park_at.push((self.now + seconds(10), call));
                }
                Event::ReferProgress { call: Some(call), status: 200..300, .. }
                | Event::ReferAccepted { call: Some(call), .. } => {
                    self.desk.agent.hang_up(self.now, call);
                }
                Event::CallEnded { call, .. } => self.ended.push((self.now, call)),
                _ => {}
            }
        }
        self.exchange.commands.clear();
    }

    /// Tells each of the troupe's streams what it hears: music from the lot is loud, everything else is silent.
    fn play(&mut self) {
        for (stream, port) in self.troupe_streams.port.clone() {
            let loud = self.lot_streams.plays_music_to(port);
            let level_dbfs = if loud { -20.0 } else { -90.0 };
            let figures = StreamFigures { level_dbfs, ..StreamFigures::default() };
            self.troupe.report(self.now, Report::Figures { stream, figures });
        }
    }

    /// The curtain falls; nothing may be left over anywhere.
    fn end(mut self) {
        self.troupe.stop(self.now);
        self.desk.hang_up_all(self.now);
        self.settle();
        self.run(seconds(70));
        assert_eq!(self.troupe.calls(), (0, 0));
        for census in self.troupe.census() {
            assert_eq!((census.calls, census.dialogs, census.subscriptions), (0, 0, 0), "{census:?}");
        }
        let lot = self.lot.census();
        assert_eq!((lot.legs, lot.parked, lot.watchers, lot.attempts), (0, 0, 0, 0), "{lot:?}");
        assert!(self.troupe_streams.port.is_empty() && self.lot_streams.port.is_empty());
    }
}

#[test]
fn callers_ring_with_their_names_and_give_up_when_nobody_answers() {
    let mut world = World::new(1, Habit::Ignore);
    world.run(seconds(30));
    assert_eq!(world.rang[0], "Jane Doe");
    assert!(world.rang.len() >= 2 && world.ended.is_empty(), "{:?}", world.rang);
    let began = seconds(102);
    world.run(seconds(30));
    let patience = world.ended[0].0 - began;
    assert!((seconds(38)..=seconds(53)).contains(&patience), "{patience:?}");
    world.run(seconds(900));
    let names: std::collections::BTreeSet<&str> = world.rang.iter().map(String::as_str).collect();
    assert!(names.len() >= 5, "{names:?}");
    assert!(names.iter().any(|name| name.eq_ignore_ascii_case("anonymous")), "{names:?}");
    assert!(world.troupe.calls().0 <= 5);
    world.end();
}

#[test]
fn an_answered_caller_says_his_line_again_and_leaves_in_the_end() {
    let mut world = World::new(2, Habit::Talk);
    world.run(seconds(4));
    assert_eq!(world.troupe_streams.prompts, 1);
    world.run(seconds(55));
    assert!(world.troupe_streams.prompts >= 3);
    world.run(seconds(120));
    let talked = world.ended[0].0 - seconds(102);
    assert!((seconds(100)..=seconds(161)).contains(&talked), "{talked:?}");
    world.end();
}

#[test]
fn parked_callers_wait_with_the_music_until_they_give_up_or_sam_fetches_them() {
    let (mut gave_up, mut fetched) = (0, 0);
    for seed in 0..6 {
        let mut world = World::new(seed, Habit::Park);
        world.run(seconds(16));
        assert_eq!(world.lot.census().parked, 1, "seed {seed}");
        world.run(seconds(60));
        // From now on everybody rings in vain, those who come back from their slots as well.
        world.habit = Habit::Ignore;
        world.run(seconds(300));
        assert_eq!(world.lot.census().parked, 0, "seed {seed}: everybody's patience ends");
        let by_sam = |n: &&Notice| matches!(n, Notice::CallRetrieved { by, .. } if by.label() == "Sam");
        let abandoned = |n: &&Notice| matches!(n, Notice::GivenUp { .. });
        fetched += world.notices.iter().filter(by_sam).count();
        gave_up += world.notices.iter().filter(abandoned).count();
        world.end();
    }
    assert!(gave_up > 0 && fetched > 0, "{gave_up} gave up, {fetched} were fetched");
}

#[test]
fn an_hour_with_a_busy_receptionist_leaves_nothing_over() {
    let mut world = World::new(11, Habit::Park);
    world.run(seconds(3_600));
    assert!(world.rang.len() > 60, "{}", world.rang.len());
    assert!(world.lot.census().parked <= 12);
    world.end();
}

#[test]
fn sam_answers_and_hangs_up_and_is_busy_meanwhile() {
    let mut world = World::new(4, Habit::Ignore);
    let codecs = [Codec::Opus];
    let first =
        world.desk.call(world.now, &mut world.exchange, COLLEAGUE, None, &codecs, Vec::new()).unwrap();
    world.run(seconds(1));
    let second =
        world.desk.call(world.now, &mut world.exchange, COLLEAGUE, None, &codecs, Vec::new()).unwrap();
    world.run(seconds(5));
    assert_eq!(world.ended.iter().map(|(_, call)| *call).collect::<Vec<_>>(), [second], "busy");
    assert_eq!(world.troupe_streams.prompts, 1, "he speaks");
    world.run(seconds(20));
    assert!(world.ended.iter().any(|(_, call)| *call == first), "he hangs up");
    world.end();
}

#[test]
fn everybody_has_a_voice_that_can_be_played() {
    for wav in PEOPLE.iter().map(|person| person.line).chain([people::COLLEAGUE_LINE]) {
        let (samples, rate_hz) = crate::app::lot::samples_of(wav).unwrap();
        let length_s = samples.len() as f32 / rate_hz as f32;
        assert!((4.0..11.0).contains(&length_s), "{length_s}");
        let level = crate::media::level_dbfs(Clip::new(&samples, rate_hz).samples());
        assert!((-30.0..-15.0).contains(&level), "{level}");
    }
}

#[test]
fn secrets_are_new_every_time_and_never_printed() {
    use secrecy::ExposeSecret;
    let (one, other) = (users(1), users(2));
    assert_eq!(one.len(), 3);
    for (a, b) in one.iter().zip(&other) {
        assert_ne!(a.secret.expose_secret(), b.secret.expose_secret());
        assert!(!format!("{a:?}").contains(a.secret.expose_secret()));
    }
}

/// The receptionist on real sockets, with a real media engine: answers the first caller, and meters what she hears.
async fn answer_somebody(lot: SocketAddr, users: &[User]) -> (String, f32) {
    let socket = crate::io::net::bind_sip(local(0)).unwrap();
    let heard = std::sync::Arc::new(tokio::sync::Notify::new());
    let wake = heard.clone();
    let options = crate::io::sound::SoundOptions::silent(local(0).ip(), 4, 9);
    let mut media = crate::io::sound::MediaEngine::start(options, move || wake.notify_one()).unwrap();
    let clock = crate::io::clock::Clock::start();
    let account = Account {
        realm: None,
        expires_s: 600,
        ..Account::new(
            NameAddr::new(Uri::sip(RECEPTION_USER, "parkdeck")),
            lot,
            RECEPTION_USER.to_owned(),
            users[0].secret.clone(),
        )
    };
    let mut desk = Phone::new(socket.local_addr().unwrap(), account, &[Codec::Opus], 5);
    let mut exchange = Exchange::new(local(0).ip());
    desk.agent.register(clock.now(), desk.account);
    let (mut caller, mut loudest) = (String::new(), -90.0_f32);
    let mut datagram = vec![0; 65_535];
    while loudest < -30.0 {
        while let Some(event) = desk.poll_event(clock.now(), &mut exchange) {
            if let Event::CallReceived { call, request, .. } = event {
                caller = request.headers.from().and_then(|from| from.display).unwrap_or_default();
                desk.answer(clock.now(), &mut exchange, call, &request.body);
            }
        }
        while let Some(command) = exchange.commands.pop_front() {
            assert!(media.send(command));
        }
        while let Some(sent) = desk.agent.poll_transmit() {
            socket.send_to(&sent.bytes, sent.to.address).await.unwrap();
        }
        tokio::select! {
            came = socket.recv_from(&mut datagram) => {
                let (length, from) = came.unwrap();
                desk.agent.receive(clock.now(), from, &datagram[..length]);
            }
            () = heard.notified() => {}
            () = tokio::time::sleep(Duration::from_millis(50)) => desk.agent.wake(clock.now()),
        }
        while let Some(report) = media.try_recv() {
            match report {
                Report::PortsBound { ports } => exchange.add_ports(ports),
                Report::Figures { figures, .. } => loudest = loudest.max(figures.level_dbfs),
                _ => {}
            }
        }
    }
    (caller, loudest)
}

#[test]
fn on_real_sockets_the_receptionist_hears_the_caller_and_the_show_ends_at_once() {
    let users = users(77);
    let house = show::House::open(&users).unwrap();
    let script = Script {
        lot: house.address,
        domain: "parkdeck".to_owned(),
        reception: RECEPTION.to_owned(),
        slots: (701..713).filter_map(|n| SlotId::new(&n.to_string())).collect(),
        users: users.clone(),
        seed: 1,
    };
    let performance = perform(script).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let heard = runtime
        .block_on(async { tokio::time::timeout(seconds(60), answer_somebody(house.address, &users)).await });
    let (caller, level) = heard.expect("somebody is heard within a minute");
    assert!(!caller.is_empty() && level > -30.0);
    let start = std::time::Instant::now();
    performance.end();
    drop(house);
    assert!(start.elapsed() < seconds(5), "{:?}", start.elapsed());
}
