//! An operator at a real console: desk, dialect and user agent, with media threads that only hand out ports and
//! remember what they were told to do with the microphone.

use super::model::Leg;
use super::pbx::{Kind, Pbx, Setup};
use super::{asterisk, freeswitch, generic};
use parkdeck::app::Engine;
use parkdeck::desk::{CallId, Command, Desk, LineId, LotId, NewLine, NewLot, Phase, Slot, SlotKey};
use parkdeck::dialect::{Dialect, LotNumbers, MediaSecurity, PhoneConfig};
use parkdeck::media::{self, Report, Source, StreamId};
use parkdeck::parking::{Moment, SlotId, Strength};
use parkdeck::sip::Account;
use parkdeck::sip::message::{NameAddr, Uri};
use parkdeck::sip::sdp::Codec;
use rand::RngExt;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// How many media ports a console has.
const PORTS: u16 = 8;

pub struct Console {
    pub user: &'static str,
    pub address: SocketAddr,
    pub engine: Engine,
    /// By which port each call is heard.
    pub ports: BTreeMap<CallId, u16>,
    /// The call that the microphone goes to, as the media threads were told last.
    pub microphone: Option<CallId>,
    /// Whom the operator accepted by a key though nobody said who he is.
    pub accepted: BTreeSet<CallId>,
    /// Digits for the sound of a call, in order.
    pub digits: Vec<(CallId, char)>,
    next_port: u16,
}

/// The dialect that goes with a server; `named` lets the operator name slots, by whatever the server has for it.
pub fn dialect(setup: &Setup, named: bool) -> Dialect {
    let (preset, park) = match setup.kind {
        Kind::Asterisk => ("asterisk", asterisk::PARK),
        Kind::AsteriskDtmf => ("asterisk-dtmf", asterisk::PARK),
        Kind::FreeSwitch => ("freeswitch", freeswitch::AUTO_IN),
        Kind::BroadWorks => ("broadworks", "701"),
        Kind::PortSip => ("portsip", generic::PORTSIP_PARK),
        Kind::Generic => ("generic", generic::PARK),
    };
    let prefix = named.then(|| asterisk::PREFIX.to_owned());
    let lot =
        LotNumbers { park_extension: SlotId::new(park), directed_prefix: prefix, ..LotNumbers::default() };
    let mut dialect = Dialect::named(preset, lot).unwrap();
    if !(named || setup.kind.names_slots()) {
        dialect.preset.park_on = None;
    }
    dialect
}

impl Console {
    pub fn new(user: &'static str, address: SocketAddr, pbx: &Pbx, mut dialect: Dialect, seed: u64) -> Self {
        let slots = (0..pbx.setup.slots).map(|slot| SlotId::new(&pbx.number(slot)).unwrap());
        dialect.lots[0].slots = slots.collect();
        if pbx.setup.second > 0 {
            let second = dialect.lots[0].slots.split_off(pbx.setup.slots - pbx.setup.second);
            dialect.lots.push(LotNumbers::new(SlotId::new(asterisk::SECOND_PARK).unwrap(), second));
        }
        let seconds = u32::try_from(pbx.setup.parking_time.as_secs()).unwrap();
        let line = NewLine {
            label: user.to_owned(),
            lots: (0u8..)
                .map(LotId)
                .zip(&dialect.lots)
                .map(|(id, lot)| NewLot {
                    name: ["front", "second"][id.index()].to_owned(),
                    abilities: dialect.abilities(id, Some(seconds)),
                    slots: lot.slots.clone(),
                    ..NewLot::default()
                })
                .collect(),
            ..NewLine::default()
        };
        let account = Account {
            realm: None,
            expires_s: 600,
            ..Account::new(NameAddr::new(Uri::sip(user, "10.0.0.1")), pbx.address, user, "secret".into())
        };
        let config = PhoneConfig {
            local: address,
            media_address: address.ip(),
            account,
            dialect,
            codecs: vec![Codec::Pcmu],
            security: MediaSecurity::default(),
            staff: Vec::new(),
            team: Vec::new(),
            seed: seed.into(),
        };
        let engine = Engine::new(Desk::with_lines([line]), [config]).unwrap();
        Self {
            user,
            address,
            engine,
            ports: BTreeMap::new(),
            microphone: None,
            accepted: BTreeSet::new(),
            digits: Vec::new(),
            next_port: 20_000 + 2 * PORTS,
        }
    }

    pub fn start(&mut self, now: Moment) {
        let ports = (0..PORTS).map(|i| 20_000 + 2 * i).collect();
        self.engine.report(now, Report::PortsBound { ports });
        self.engine.start(now);
    }

    /// The media threads' part: ports and microphone; a closed port is replaced by a fresh one.
    pub fn media(&mut self, now: Moment) {
        let mut closed = 0;
        while let Some(command) = self.engine.poll_sound() {
            match command {
                media::Command::Open { stream, port } => {
                    self.ports.insert(CallId(stream.0), port);
                }
                media::Command::Send { stream, source } => self.switch(stream, source),
                media::Command::Digit { stream, digit } => self.digits.push((CallId(stream.0), digit)),
                media::Command::Close { stream } => {
                    closed += 1;
                    self.ports.remove(&CallId(stream.0));
                    self.accepted.remove(&CallId(stream.0));
                    self.microphone = self.microphone.filter(|call| call.0 != stream.0);
                }
                _ => {}
            }
        }
        for _ in 0..closed {
            let port = self.next_port;
            self.next_port = self.next_port.checked_add(2).unwrap_or(20_000);
            self.engine.report(now, Report::PortsBound { ports: vec![port] });
        }
    }

    fn switch(&mut self, stream: StreamId, source: Source) {
        let call = CallId(stream.0);
        if matches!(source, Source::Headset) {
            self.microphone = Some(call);
        } else {
            self.microphone = self.microphone.filter(|open| *open != call);
        }
    }

    pub fn desk(&self) -> &Desk {
        self.engine.desk()
    }

    /// The server's leg of a call, if it has one.
    pub fn leg(&self, pbx: &Pbx, call: CallId) -> Option<Leg> {
        pbx.leg_at(self.address, *self.ports.get(&call)?)
    }

    /// Before a key is pressed: whom it lets go of by the operator's own wish, and whom it accepts unproven.
    pub fn before(&mut self, command: &Command) -> Option<CallId> {
        let hand = self.desk().hand()?;
        let (call, phase) = (hand.id, hand.phase.clone());
        let unproven = |call: CallId| {
            self.desk()
                .call(call)
                .is_some_and(|call| call.phase == Phase::Held && call.strength == Some(Strength::Unverified))
        };
        // Who could not be put back waits on hold until the operator takes him on.
        let taken = match command {
            Command::Answer | Command::Hold => Some(call),
            Command::Take(call) => Some(*call),
            _ => None,
        };
        if let Some(call) = taken.filter(|call| unproven(*call)) {
            self.accepted.insert(call);
        }
        match (command, phase) {
            (Command::Answer, Phase::Verifying { until, .. }) if until == Moment::MAX => {
                self.accepted.insert(call);
                None
            }
            (
                Command::HangUp,
                Phase::Ringing
                | Phase::Answering
                | Phase::Talking
                | Phase::Held
                | Phase::Holding
                | Phase::Resuming
                | Phase::Dialling
                | Phase::RingingThere,
            ) => Some(call),
            _ => None,
        }
    }

    /// A key, as likely as in a busy hour. `None`: both hands on the coffee.
    pub fn key(&self, rng: &mut StdRng) -> Option<Command> {
        let desk = self.desk();
        let slot = desk.slots.get(rng.random_range(0..desk.slots.len())).map(Slot::key)?;
        let ringing = desk.longest_ringing().is_some();
        Some(match rng.random_range(0..100) {
            0..40 if ringing => Command::Answer,
            0..8 => return None,
            8..32 => Command::Park { slot: None },
            32..52 => Command::PressSlot(slot),
            52..62 => Command::RetrieveLongest,
            62..67 => Command::Undo,
            67..74 => Command::Hold,
            74..79 => Command::Choose { forward: rng.random_bool(0.5) },
            79..83 => {
                let calls: Vec<_> = desk.calls.iter().map(|c| c.id).collect();
                Command::Take(*calls.get(rng.random_range(0..calls.len().max(1)))?)
            }
            83..86 => Command::HangUp,
            86..88 => Command::Transfer { to: slot.to_string() },
            88..89 => Command::Transfer { to: "110".into() },
            89..91 => Command::NoteSlot { slot, text: "for Sam".into() },
            91..92 => Command::Dial(slot.to_string()),
            92..96 if desk.has_lots_to_choose() => Command::ChooseLot(None),
            _ => Command::Answer,
        })
    }

    /// Whether the board says that this call is who he is said to be, as far as that goes.
    pub fn vouches_for(&self, call: CallId) -> bool {
        let strength = self.desk().call(call).and_then(|call| call.strength);
        strength != Some(Strength::Unverified) || !self.accepted.contains(&call)
    }

    /// The calls on the board, for the story.
    pub fn calls(&self) -> String {
        let desk = self.desk();
        let calls = desk.calls.iter().map(|c| {
            let hand = if desk.in_hand == Some(c.id) { "*" } else { "" };
            let phase: String = format!("{:?}", c.phase).chars().take(24).collect();
            format!("{hand}{} {phase}", c.party.label())
        });
        calls.collect::<Vec<_>>().join("; ")
    }

    /// What the operator was told, newest last.
    pub fn was_told(&self, words: &str) -> bool {
        self.desk().notices.iter().any(|notice| notice.text.as_str().contains(words))
    }

    pub fn slot_key(number: &str) -> SlotKey {
        SlotKey { line: LineId(0), id: SlotId::new(number).unwrap() }
    }

    pub fn lamp(&self, number: &str) -> parkdeck::parking::Lamp {
        self.desk().slot(&Self::slot_key(number)).unwrap().lamp.clone()
    }
}
