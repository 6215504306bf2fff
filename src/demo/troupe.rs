//! Callers, colleague and director as one machine without a clock or a socket: datagrams and media reports in,
//! datagrams and media commands out.

use super::cast::Cast;
use super::colleague::Colleague;
use super::outside::Outside;
use super::people::{COLLEAGUE_LINE, PEOPLE, Person};
use super::phone::{Exchange, Phone};
use super::{COLLEAGUE_USER, OUTSIDE_USER, User};
use crate::media::{Clip, Command, Report};
use crate::parking::{Moment, SlotId};
use crate::sip::message::{NameAddr, Uri};
use crate::sip::sdp::Codec;
use crate::sip::{Account, Census, Transmit};
use std::net::SocketAddr;

/// How long Sam's registration shall hold, in seconds.
const EXPIRES_S: u32 = 300;

/// Where and for whom the show is.
#[derive(Clone, Debug)]
pub struct Script {
    /// The lot.
    pub lot: SocketAddr,
    /// Its realm, which is the domain of every address.
    pub domain: String,
    /// The extension that the callers ring.
    pub reception: String,
    /// The slots whose lamps Sam watches.
    pub slots: Vec<SlotId>,
    /// Everybody's account, as [`super::users`] gave them to the lot.
    pub users: Vec<User>,
    /// The same seed brings the same show.
    pub seed: u64,
}

/// What everybody says, ready to be played. Cheap to clone; reading it takes a moment.
#[derive(Clone, Debug)]
pub struct Voices {
    people: Vec<(Person, Clip)>,
    colleague: Clip,
}

impl Voices {
    /// Reads the recordings.
    pub fn read() -> Self {
        let people = PEOPLE.iter().map(|person| (*person, clip(person.line))).collect();
        Self { people, colleague: clip(COLLEAGUE_LINE) }
    }

    /// Silence in their place, for tests that only count who speaks: reading takes seconds without optimisation.
    pub fn silent() -> Self {
        let silence = Clip::new(&[0; 960], 48_000);
        let people = PEOPLE.iter().map(|person| (*person, silence.clone())).collect();
        Self { people, colleague: silence }
    }
}

/// Which telephone a datagram is for or from: each has its own socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// The line on which the callers come in.
    Outside,
    /// Sam's desk phone.
    Colleague,
}

impl Seat {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Outside, Self::Colleague];
}

/// All of them. After each method that takes `now`, drain [`Troupe::poll_transmit`] and [`Troupe::poll_media`].
pub struct Troupe {
    script: Script,
    cast: Cast,
    outside: Outside,
    colleague: Colleague,
    exchange: Exchange,
    closing: bool,
}

impl Troupe {
    /// A troupe whose telephones are at these addresses (the outside line's and Sam's), and whose show begins at `now`.
    /// `secret_seed` decides tags and keys and is best unguessable.
    pub fn new(script: Script, voices: Voices, at: [SocketAddr; 2], now: Moment, secret_seed: u64) -> Self {
        let [outside, colleague] = at;
        let Voices { people, colleague: sams_line } = voices;
        let phone = |local, user: &str, codecs: &[Codec], seed| {
            let account = account(&script, user);
            Phone::new(local, account, codecs, seed)
        };
        let line = phone(outside, OUTSIDE_USER, &[Codec::Pcma, Codec::Pcmu], secret_seed);
        let desk = phone(colleague, COLLEAGUE_USER, &[Codec::Opus, Codec::Pcma], !secret_seed);
        Self {
            cast: Cast::new(script.seed, people.len(), now),
            outside: Outside::new(line, people),
            colleague: Colleague::new(desk, script.slots.clone(), script.reception.clone(), sams_line),
            exchange: Exchange::new(outside.ip()),
            closing: false,
            script,
        }
    }

    /// The curtain rises.
    pub fn start(&mut self, now: Moment) {
        self.colleague.start(now);
        self.settle(now);
    }

    /// The curtain falls: everybody hangs up, Sam's phone goes off, nobody rings any more.
    pub fn stop(&mut self, now: Moment) {
        self.closing = true;
        self.outside.phone.hang_up_all(now);
        self.colleague.phone.hang_up_all(now);
        self.colleague.stop(now);
        self.settle(now);
    }

    /// A datagram came to a telephone.
    pub fn receive(&mut self, now: Moment, seat: Seat, from: SocketAddr, bytes: &[u8]) {
        self.phone(seat).agent.receive(now, from, bytes);
        self.settle(now);
    }

    /// The media engine reports.
    pub fn report(&mut self, now: Moment, report: Report) {
        match report {
            Report::PortsBound { ports } => self.exchange.add_ports(ports),
            Report::Figures { stream, figures } => {
                self.outside.hear(now, stream, &figures);
            }
            _ => {}
        }
        self.settle(now);
    }

    /// The moment of [`Troupe::next_wake`] has come.
    pub fn wake(&mut self, now: Moment) {
        for seat in Seat::ALL {
            let agent = &mut self.phone(seat).agent;
            if agent.next_wake().is_some_and(|at| at <= now) {
                agent.wake(now);
            }
        }
        self.settle(now);
        self.outside.wake(now, &mut self.exchange);
        self.colleague.wake(now, &mut self.exchange);
        if !self.closing
            && let Some(entrance) = self.cast.wake(now)
        {
            self.outside.enter(now, &mut self.exchange, &self.script.reception, entrance);
        }
        self.settle(now);
    }

    /// When to call [`Troupe::wake`] next.
    pub fn next_wake(&self) -> Option<Moment> {
        let entrance = self.cast.next_wake().filter(|_| !self.closing);
        let agents = [self.outside.phone.agent.next_wake(), self.colleague.phone.agent.next_wake()];
        let people = [entrance, self.outside.next_wake(), self.colleague.next_wake()];
        agents.into_iter().chain(people).flatten().min()
    }

    /// The next datagram to send, and from which telephone.
    pub fn poll_transmit(&mut self) -> Option<(Seat, Transmit)> {
        Seat::ALL.into_iter().find_map(|seat| Some((seat, self.phone(seat).agent.poll_transmit()?)))
    }

    /// The next command for the media engine.
    pub fn poll_media(&mut self) -> Option<Command> {
        self.exchange.commands.pop_front()
    }

    /// How many calls there are: the callers', and Sam's.
    pub fn calls(&self) -> (usize, usize) {
        (self.outside.live(), usize::from(self.colleague.is_busy()))
    }

    /// What the user agents keep (leak tests).
    pub fn census(&self) -> [Census; 2] {
        [self.outside.phone.agent.census(), self.colleague.phone.agent.census()]
    }

    fn phone(&mut self, seat: Seat) -> &mut Phone {
        match seat {
            Seat::Outside => &mut self.outside.phone,
            Seat::Colleague => &mut self.colleague.phone,
        }
    }

    fn settle(&mut self, now: Moment) {
        self.outside.settle(now, &mut self.exchange);
        self.colleague.settle(now, &mut self.exchange, &mut self.cast);
        for person in self.outside.take_gone() {
            self.cast.exit(now, person);
        }
    }
}

/// The account of one of the users; one without a password when the script doesn't have it.
fn account(script: &Script, name: &str) -> Account {
    let user = script.users.iter().find(|user| user.name == name);
    Account {
        realm: Some(script.domain.clone()),
        expires_s: EXPIRES_S,
        // The stage carries datagrams only.
        udp_to_tcp: false,
        ..Account::new(
            NameAddr::new(Uri::sip(name, &script.domain)).with_display(user.map_or("", |u| u.display_name)),
            script.lot,
            name.to_owned(),
            user.map(|user| user.secret.clone()).unwrap_or_default(),
        )
    }
}

/// A recording of ours; silence if it could not be read, which a test excludes.
fn clip(wav: &[u8]) -> Clip {
    let (samples, rate_hz) = crate::app::lot::samples_of(wav).unwrap_or((vec![0; 8_000], 8_000));
    Clip::new(&samples, rate_hz)
}
