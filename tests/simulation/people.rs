//! Who lives in the simulation: callers and a colleague with plain phones, and operators at real consoles.

use parkdeck::app::Engine;
use parkdeck::desk::{Abilities, CallId, Command, Desk, LotId, NewLine, NewLot, Phase, Slot};
use parkdeck::dialect::{Dialect, LotNumbers, PhoneConfig};
use parkdeck::media::{self, Report};
use parkdeck::parking::{Identity, SlotId};
use parkdeck::sip::message::{NameAddr, Uri};
use parkdeck::sip::sdp::{self, Codec, Direction, LocalMedia};
use parkdeck::sip::{Account, AccountKey, CallKey, EndedBy, Event, Invite, Transmit, UaConfig, UserAgent};
use rand::RngExt;
use rand::rngs::StdRng;
use std::net::SocketAddr;
use std::time::Duration;

/// The operators' extensions: their consoles tell each other what they do.
const TEAM: [&str; 2] = ["100", "101"];

pub fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 5060))
}

/// Where a lot is: `1` and `2` are the two houses of a world with two.
pub fn house(number: u8) -> SocketAddr {
    address(number)
}

fn account(user: &str, name: &str, server: SocketAddr) -> Account {
    Account {
        realm: None,
        expires_s: 600,
        ..Account::new(
            NameAddr::new(Uri::sip(user, "lot.test")).with_display(name),
            server,
            user,
            format!("secret of {user}").into(),
        )
    }
}

/// A plain phone: calls, answers, hangs up. Knows nothing of parking.
pub struct Phone {
    pub user: &'static str,
    pub address: SocketAddr,
    pub ua: UserAgent,
    /// Its lot.
    pub server: SocketAddr,
    account: AccountKey,
    /// The call it is in, if any, and whether it is up.
    pub call: Option<(CallKey, bool)>,
    /// When it hangs up by itself.
    pub hangs_up_at: Option<Duration>,
    /// How its last call ended, if not by its own wish.
    pub ended: Option<(EndedBy, Option<u16>, bool)>,
    next_port: u16,
}

impl Phone {
    pub fn new(user: &'static str, name: &str, host: u8, seed: u64, server: SocketAddr) -> Self {
        let address = address(host);
        let mut ua = UserAgent::new(UaConfig::new(address, "phone", seed));
        let account = ua.add_account(account(user, name, server));
        Self {
            user,
            address,
            ua,
            server,
            account,
            call: None,
            hangs_up_at: None,
            ended: None,
            next_port: 20_000,
        }
    }

    pub fn register(&mut self, now: Duration) {
        self.ua.register(now, self.account);
    }

    fn media(&mut self) -> LocalMedia {
        self.next_port += 2;
        LocalMedia {
            address: self.address.ip(),
            port: self.next_port,
            codecs: vec![Codec::Pcmu],
            redundancy: false,
            direction: Direction::SendRecv,
            session_id: u64::from(self.next_port),
            version: 1,
            security: sdp::LocalSecurity::default(),
        }
    }

    pub fn dial(&mut self, now: Duration, number: &str) {
        let sdp = sdp::offer(&self.media());
        let invite = Invite {
            account: Some(self.account),
            from: None,
            target: Uri::sip(number, "lot.test"),
            send_to: self.server.into(),
            sdp,
            headers: vec![],
        };
        self.call = Some((self.ua.invite(now, invite), false));
        self.ended = None;
    }

    pub fn hang_up(&mut self, now: Duration) {
        if let Some((call, _)) = self.call.take() {
            self.ua.hang_up(now, call);
        }
        self.hangs_up_at = None;
    }

    pub fn unregister(&mut self, now: Duration) {
        self.ua.unregister(now, self.account);
    }

    /// Takes in what the user agent says.
    pub fn turn(&mut self, now: Duration) {
        while let Some(event) = self.ua.poll_event() {
            match event {
                Event::CallReceived { call, request, .. } => {
                    if self.call.is_some() {
                        self.ua.reject(now, call, 486, vec![]);
                        continue;
                    }
                    let media = self.media();
                    match sdp::answer(&request.body, &media) {
                        Ok((answer, _)) => {
                            self.ua.accept(now, call, answer);
                            self.call = Some((call, true));
                        }
                        Err(_) => self.ua.reject(now, call, 488, vec![]),
                    }
                }
                Event::CallAnswered { call, .. } => {
                    if let Some((ours, up)) = &mut self.call
                        && *ours == call
                    {
                        *up = true;
                    }
                }
                Event::OfferReceived { call, sdp, .. } => {
                    let media = self.media();
                    let answer = if sdp.is_empty() {
                        Ok(sdp::offer(&media))
                    } else {
                        sdp::answer(&sdp, &media).map(|(answer, _)| answer).map_err(|_| 488)
                    };
                    self.ua.answer_offer(now, call, answer);
                }
                Event::CallEnded { call, cause } if self.call.is_some_and(|(ours, _)| ours == call) => {
                    let up = self.call.take().is_some_and(|(_, up)| up);
                    self.ended = Some((cause.by, cause.status, up));
                    self.hangs_up_at = None;
                }
                Event::ReferReceived { refer, .. } => self.ua.answer_refer(now, refer, 603, vec![]),
                Event::RequestReceived { key, .. } => self.ua.answer(now, key, 405, vec![], vec![]),
                _ => {}
            }
        }
    }
}

/// An operator at a real console: engine and all, with media threads that only hand out ports.
pub struct Operator {
    pub user: &'static str,
    pub address: SocketAddr,
    pub engine: Engine,
    next_port: u16,
}

impl Operator {
    /// An operator with an account at each of these lots, all of whose slots have the same numbers.
    pub fn new(
        user: &'static str,
        name: &str,
        host: u8,
        seed: u64,
        slots: &[SlotId],
        lots: &[SocketAddr],
    ) -> Self {
        let address = address(host);
        let park = SlotId::new("700").unwrap();
        let dialect = Dialect::named("parkdeck", LotNumbers::new(park, slots.to_vec())).unwrap();
        let abilities: Abilities = dialect.abilities(LotId(0), Some(45));
        let line = |lot: &SocketAddr| NewLine {
            name: if lots.len() > 1 { format!("house {}", lot.ip()) } else { String::new() },
            label: user.to_owned(),
            lots: vec![NewLot {
                name: format!("lot {}", lot.ip()),
                slots: slots.to_vec(),
                abilities: abilities.clone(),
                ..NewLot::default()
            }],
            // Each is in the list as well, as where all consoles have the same file.
            team: TEAM.map(|number| Identity::new("", number)).to_vec(),
            ..NewLine::default()
        };
        let desk = Desk::with_lines(lots.iter().map(line));
        let config = |lot: &SocketAddr| PhoneConfig {
            local: address,
            media_address: address.ip(),
            account: account(user, name, *lot),
            dialect: dialect.clone(),
            codecs: vec![Codec::Opus, Codec::Pcmu],
            security: parkdeck::dialect::MediaSecurity::default(),
            staff: Vec::new(),
            team: TEAM.map(str::to_owned).to_vec(),
            seed: seed.into(),
        };
        let engine = Engine::new(desk, lots.iter().map(config)).unwrap();
        Self { user, address, engine, next_port: 20_000 }
    }

    pub fn start(&mut self, now: Duration) {
        let ports = (0..8).map(|i| 20_000 + 2 * i).collect();
        self.next_port = 20_016;
        self.engine.report(now, Report::PortsBound { ports });
        self.engine.start(now);
    }

    /// The media threads' part: a closed port is replaced by a fresh one.
    pub fn media(&mut self, now: Duration) {
        let mut closed = 0;
        while let Some(command) = self.engine.poll_sound() {
            closed += usize::from(matches!(command, media::Command::Close { .. }));
        }
        for _ in 0..closed {
            let port = self.next_port;
            self.next_port = self.next_port.checked_add(2).unwrap_or(20_000);
            self.engine.report(now, Report::PortsBound { ports: vec![port] });
        }
    }

    pub fn poll(&mut self) -> Option<Transmit> {
        self.engine.poll_transmit()
    }

    /// A key, as likely as in a busy hour. `None`: both hands on the coffee.
    pub fn key(&self, rng: &mut StdRng) -> Option<Command> {
        let desk = self.engine.desk();
        let slot = desk.slots.get(rng.random_range(0..desk.slots.len())).map(Slot::key)?;
        let ringing = desk.longest_ringing().is_some();
        Some(match rng.random_range(0..100) {
            0..30 if ringing => Command::Answer,
            0..10 => return None,
            10..35 => Command::Park { slot: None },
            35..50 => Command::PressSlot(slot),
            50..60 => Command::RetrieveLongest,
            60..66 => Command::Undo,
            66..74 => Command::Hold,
            74..80 => Command::Choose { forward: rng.random_bool(0.5) },
            80..84 => {
                let calls: Vec<_> = desk.calls.iter().map(|c| c.id).collect();
                Command::Take(*calls.get(rng.random_range(0..calls.len().max(1)))?)
            }
            84..86 => Command::HangUp,
            86..88 => Command::Transfer { to: slot.to_string() },
            90..94 if desk.lines.len() > 1 => Command::Park { slot: Some(slot) },
            94..96 if desk.lines.len() > 1 => Command::ChooseLine(None),
            88..90 => Command::NoteSlot { slot, text: "for Sam".into() },
            _ => Command::Answer,
        })
    }

    /// The calls on the board, for the story.
    pub fn calls(&self) -> String {
        let desk = self.engine.desk();
        let calls = desk.calls.iter().map(|c| {
            let hand = if desk.in_hand == Some(c.id) { "*" } else { "" };
            format!("{hand}{} {:?}", c.party.number, c.phase).chars().take(40).collect::<String>()
        });
        calls.collect::<Vec<_>>().join("; ")
    }

    /// The call that this key would park in another account's lot, if parking were all it took.
    pub fn parks_elsewhere(&self, command: &Command) -> Option<CallId> {
        let hand = self.engine.desk().hand().filter(|c| c.is_up())?;
        match command {
            Command::PressSlot(slot) | Command::Park { slot: Some(slot) } if slot.line != hand.line => {
                Some(hand.id)
            }
            _ => None,
        }
    }

    /// Whether a call is being parked.
    pub fn is_parking(&self, call: CallId) -> bool {
        self.engine.desk().call(call).is_some_and(|c| matches!(c.phase, Phase::Parking { .. }))
    }

    /// Callers (by number) whose call this key would end by the operator's own wish.
    pub fn ends_by(&self, command: &Command) -> Option<String> {
        let desk = self.engine.desk();
        let hand = desk.hand()?;
        let ends = match (command, &hand.phase) {
            (Command::HangUp, _) => true,
            // A dialled or retrieving call is given up when the hand is needed; nobody is connected yet.
            (_, Phase::Dialling | Phase::RingingThere) => true,
            _ => false,
        };
        ends.then(|| hand.party.number.to_string())
    }
}
