//! The examination as one machine without a clock or a socket: bytes, reports and time in; bytes, sound and findings out.
//! It has the place of the desk: the phones are those of the console, what is decided is decided here.

use super::ami::Manager;
use super::enquiry::Enquirer;
use super::finding::{Finding, Verdict};
use super::legs::Leg;
use super::plan::Plan;
use super::witness::Witness;
use crate::app::sound::SoundDirector;
use crate::desk::{CallId, LampReport};
use crate::dialect::{PhoneConfig, Said, Switchboard};
use crate::media::Command;
use crate::parking::{Lamp, Moment, SlotId};
use crate::sip::Peer;
use crate::sip::framing::Framer;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How often it is looked whether something has come to pass or to its end.
const TICK: Duration = Duration::from_millis(100);
/// Steps that may follow from one event; more would be a loop.
const MAX_STEPS: usize = 1_000;

/// How far the examination has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Who is registered already?
    Bindings,
    /// The administrator is asked whether that phone may lose its place.
    Displacing,
    Registering,
    Reaching,
    /// Does the manager interface let us in?
    Managing,
    Lamps,
    /// What can be dialled, and has a hint?
    Extensions,
    /// The administrator is asked whether calls may be made.
    Consent,
    Dialling,
    /// Do both hear each other?
    Hearing,
    Holding,
    Held,
    Resuming,
    Parking,
    /// Parked, as far as is known: is it true?
    Parked,
    Retrieving,
    /// Is it the one who was parked?
    Recognising,
    /// It is not: back with him.
    PuttingBack,
    ParkingAgain,
    /// The parked party hangs up.
    Abandoning,
    ComingBack,
    Codecs,
    /// Somebody else's phone is parked: it is fetched before we leave.
    FetchingBack,
    /// Calls end.
    HangingUp,
    /// Registration and subscriptions end.
    Leaving,
    Over,
}

/// How a park ended.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Proven(Option<SlotId>),
    Refused(String),
}

/// What the phones have said.
#[derive(Default)]
pub(super) struct Facts {
    pub registered: bool,
    /// REGISTER has gone out.
    pub asked_in: bool,
    /// It was refused, or nobody has answered it.
    pub refused: bool,
    /// How the server is reached.
    pub way: Option<String>,
    pub registration_failed: Option<String>,
    /// Why connections ended, or could not be made.
    pub closed: Vec<String>,
    /// The server that serves.
    pub server: Option<SocketAddr>,
    pub round_trip_ms: Option<u32>,
    pub unreachable: bool,
    /// An extension that can be dialled and is where the park extension would be, while the configured one has failed.
    pub other_park_extension: Option<SlotId>,
    /// The one that is used in its place.
    pub park_extension_tried: Option<SlotId>,
    /// That one has parked the test call.
    pub park_extension_found: bool,
    pub lamps: BTreeMap<SlotId, LampReport>,
    /// Lamps that lit and went out, and when.
    pub lit: Vec<(Moment, SlotId)>,
    pub park: Option<Outcome>,
    /// Keys that the party heard who was to be parked.
    pub digits: String,
    pub doubted: Vec<SlotId>,
    /// Callers who were no part of the examination, turned away as busy.
    pub turned_away: Vec<String>,
    /// What our own call showed as its caller when it was not recognised.
    pub stranger: Option<String>,
    /// How long a parked call took to come back.
    pub came_back_after: Option<Duration>,
}

/// The machine. After each call that takes `now`, drain the `poll_` methods.
pub(super) struct Examiner {
    pub(super) plan: Plan,
    pub(super) phones: Switchboard,
    pub(super) enquirer: Enquirer,
    pub(super) director: SoundDirector,
    pub(super) sound: VecDeque<Command>,
    pub(super) witness: Witness,
    pub(super) streams: BTreeMap<Peer, Framer>,
    pub(super) facts: Facts,
    pub(super) manager: Manager,
    pub(super) findings: VecDeque<Finding>,
    pub(super) question: Option<String>,
    pub(super) answer: Option<bool>,
    pub(super) stage: Stage,
    pub(super) since: Moment,
    ticked: Moment,
    /// Our address in the other family of addresses, where some server is of that one.
    pub(super) other_address: Option<IpAddr>,
    pub(super) legs: BTreeMap<CallId, Leg>,
    pub(super) calls_total: u64,
    /// A media port that the phones don't get: for calls in one codec.
    pub(super) spare_port: Option<u16>,
    /// Who is going to be parked, who parks, who retrieves.
    pub(super) parkee: Option<CallId>,
    pub(super) parker: Option<CallId>,
    pub(super) retriever: Option<CallId>,
    /// The test call reached another phone than ourselves.
    pub(super) other_phone: bool,
    /// Where the test call is parked.
    pub(super) slot: Option<SlotId>,
    /// Where a park by the dialplan's prefix was to go.
    pub(super) wished: Option<SlotId>,
    pub(super) parked_at: Option<Moment>,
    /// When the retriever began to speak, having heard who was parked.
    pub(super) spoke_at: Option<Moment>,
    /// The second test call, which waits for its comeback.
    pub(super) second_call: bool,
    /// The same test call once more, for another park extension or another lot: nothing but that is new.
    pub(super) parks_anew: bool,
    /// Codecs that the server did not name in its answer, those that are still to be tried first.
    pub(super) untried: Vec<crate::sip::sdp::Codec>,
    pub(super) codec_findings: Vec<(crate::sip::sdp::Codec, super::enquiry::Trial)>,
    /// Whether who was held heard music.
    pub(super) held_music: bool,
    interrupted: bool,
}

impl Examiner {
    /// Nothing is sent before [`Examiner::start`]. `None` without an account.
    pub fn new(plan: Plan, phone: PhoneConfig, seed: [u8; 32]) -> Option<Self> {
        let enquirer = Enquirer::new(phone.local, phone.account.clone(), seed);
        let parks_anew = plan.only_parking;
        Some(Self {
            plan,
            phones: Switchboard::new([phone])?,
            enquirer,
            director: SoundDirector::default(),
            sound: VecDeque::new(),
            witness: Witness::default(),
            streams: BTreeMap::new(),
            facts: Facts::default(),
            manager: Manager::default(),
            findings: VecDeque::new(),
            question: None,
            answer: None,
            stage: Stage::Over,
            since: Moment::ZERO,
            ticked: Moment::ZERO,
            other_address: None,
            legs: BTreeMap::new(),
            calls_total: 0,
            spare_port: None,
            parkee: None,
            parker: None,
            retriever: None,
            other_phone: false,
            slot: None,
            wished: None,
            parked_at: None,
            spoke_at: None,
            second_call: false,
            parks_anew,
            untried: Vec::new(),
            codec_findings: Vec::new(),
            held_music: false,
            interrupted: false,
        })
    }

    /// We are reached at that address as well: some servers are of the other family of addresses.
    pub fn add_address(&mut self, local: SocketAddr) {
        self.other_address = Some(local.ip());
        self.phones.add_address(local);
        self.enquirer.user_agent().add_address(local);
    }

    /// Our address as the server that serves can reach it.
    pub(super) fn own_address(&self) -> IpAddr {
        let first = self.plan.media_address;
        let fits = |ours: &IpAddr| self.facts.server.is_some_and(|server| server.is_ipv4() == ours.is_ipv4());
        self.other_address.filter(|other| fits(other) && !fits(&first)).unwrap_or(first)
    }

    /// Begins.
    pub fn start(&mut self, now: Moment) {
        self.enter(now, Stage::Bindings);
        self.settle(now);
    }

    /// The administrator wants to leave: everything of ours is taken back first. A second time: at once.
    pub fn interrupt(&mut self, now: Moment) {
        if self.stage == Stage::Over {
            return;
        }
        if std::mem::replace(&mut self.interrupted, true) {
            self.find(Finding::new(
                "left behind",
                Verdict::Bad,
                "interrupted twice: nobody waited for the server",
            ));
            self.stage = Stage::Over;
            return;
        }
        self.find(Finding::new("interrupted", Verdict::Bad, "the rest was not examined"));
        self.withdraw(now);
        self.settle(now);
    }

    /// The answer to the last question.
    pub fn take_answer(&mut self, now: Moment, yes: bool) {
        self.answer = Some(yes);
        self.settle(now);
    }

    /// Time went on.
    pub fn wake(&mut self, now: Moment) {
        self.ticked = now;
        self.enquirer.wake(now);
        self.phones.wake(now);
        self.settle(now);
    }

    /// When [`Examiner::wake`] is wanted next.
    pub fn next_wake(&mut self) -> Moment {
        let timers = [self.phones.next_wake(), self.enquirer.user_agent().next_wake()];
        timers.into_iter().flatten().fold(self.ticked + TICK, Moment::min)
    }

    /// Something to ask the administrator; answered by [`Examiner::take_answer`].
    pub fn poll_question(&mut self) -> Option<String> {
        self.question.take()
    }

    /// Whether another lot of the same account can be examined as well: we were let in, and nobody wants to leave.
    pub fn may_go_on(&self) -> bool {
        self.facts.registered && !self.facts.unreachable && !self.interrupted
    }

    /// Everything was examined and taken back.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    pub(super) fn find(&mut self, finding: Finding) {
        self.findings.push_back(finding);
    }

    /// How long the present stage has lasted.
    pub(super) fn lasted(&self, now: Moment) -> Duration {
        now.saturating_sub(self.since)
    }

    pub(super) fn lamp(&self, slot: &SlotId) -> Lamp {
        self.facts.lamps.get(slot).map(|report| report.lamp.clone()).unwrap_or_default()
    }

    /// Lets phones and examination talk until both are silent.
    pub(super) fn settle(&mut self, now: Moment) {
        for _ in 0..MAX_STEPS {
            if self.phones.has_arrival() {
                let call = self.new_leg(None);
                self.phones.admit(now, call);
            }
            match self.phones.poll_said() {
                Some((_, Said::Desk(event))) => self.learn(now, event),
                Some((_, Said::Sound(step))) => self.take_step(step),
                // They were looked up a moment ago: what is wrong with them shall be seen, not mended.
                Some((_, Said::ServersWanted)) => {}
                None if self.phones.has_arrival() => {}
                None => match self.look(now) {
                    Some(next) => self.enter(now, next),
                    None => return,
                },
            }
        }
    }

    pub(super) fn enter(&mut self, now: Moment, stage: Stage) {
        let stage = match stage {
            Stage::FetchingBack | Stage::HangingUp | Stage::Leaving | Stage::Over => stage,
            _ if self.interrupted => self.way_out(),
            stage => stage,
        };
        tracing::debug!(?stage, "the examination goes on");
        (self.stage, self.since) = (stage, now);
        match stage {
            Stage::Bindings => self.enquirer.ask_bindings(now),
            Stage::Displacing => self.ask_to_displace(),
            Stage::Registering => {
                self.facts.asked_in = true;
                self.phones.start(now);
            }
            Stage::Extensions => self.ask_extensions(now),
            Stage::Consent => self.ask_consent(),
            Stage::Dialling => self.dial(now),
            Stage::Holding => self.hold(now, true),
            Stage::Resuming => self.hold(now, false),
            Stage::Parking => self.park(now),
            Stage::Retrieving => self.retrieve(now),
            Stage::PuttingBack => self.put_back(now),
            Stage::ParkingAgain => self.park_again(now),
            Stage::Abandoning => self.hang_up(now, self.parkee),
            Stage::FetchingBack => self.retrieve(now),
            Stage::HangingUp => {
                self.hang_up_all(now);
                self.enquirer.stop(now);
            }
            Stage::Leaving => self.leave(now),
            _ => {}
        }
    }

    /// What comes next, if anything does.
    fn look(&mut self, now: Moment) -> Option<Stage> {
        if let Some(next) = self.server_gone() {
            return Some(next);
        }
        match self.stage {
            Stage::Bindings => self.look_at_bindings(now),
            Stage::Displacing => self.look_at_displacing(),
            Stage::Registering => self.look_at_registration(now),
            Stage::Reaching => self.look_at_reach(now),
            Stage::Managing => self.look_at_manager(now),
            Stage::Lamps => self.look_at_lamps(now),
            Stage::Extensions => self.look_at_extensions(now),
            Stage::Consent => self.look_at_consent(),
            Stage::Dialling => self.look_at_call(now),
            Stage::Hearing => self.look_at_sound(now),
            Stage::Holding => self.look_at_hold(now),
            Stage::Held => self.look_at_held(now),
            Stage::Resuming => self.look_at_resume(now),
            Stage::Parking => self.look_at_park(now),
            Stage::Parked => self.look_at_parked(now),
            Stage::Retrieving => self.look_at_retrieve(now),
            Stage::Recognising => self.look_at_identity(now),
            Stage::PuttingBack => self.look_at_putting_back(now),
            Stage::ParkingAgain => self.look_at_second_park(now),
            Stage::Abandoning => self.look_at_lamp_off(now),
            Stage::ComingBack => self.look_at_comeback(now),
            Stage::Codecs => self.look_at_codecs(now),
            Stage::FetchingBack => self.look_at_fetching(now),
            Stage::HangingUp => self.look_at_hanging_up(now),
            Stage::Leaving => self.look_at_leaving(now),
            Stage::Over => None,
        }
    }
}
