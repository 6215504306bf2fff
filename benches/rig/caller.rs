//! Somebody who calls and talks (G.711), the same towards every server: our user agent on a socket and a thread of its
//! own, with a voice beside it.

use super::peers::voice::Voice;
use parkdeck::sip::message::{NameAddr, Uri};
use parkdeck::sip::sdp::{self, Codec, Direction, LocalMedia};
use parkdeck::sip::{Account, Event, Invite, UaConfig, UserAgent};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Who calls whom.
pub struct Plan {
    pub server: SocketAddr,
    /// The caller's own address.
    pub from: Ipv4Addr,
    pub extension: String,
    pub name: String,
    pub number: String,
    /// User and password, where the server wants to know.
    pub login: Option<(String, String)>,
}

/// The call; it ends (by BYE) when this is dropped.
pub struct Caller {
    stop: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    answered: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Caller {
    pub fn call(plan: Plan) -> Self {
        let [stop, ended, answered] = std::array::from_fn(|_| Arc::new(AtomicBool::new(false)));
        let shared = (stop.clone(), ended.clone(), answered.clone());
        let thread = std::thread::spawn(move || Line::new(plan).run(&shared.0, &shared.1, &shared.2));
        Self { stop, ended, answered, thread: Some(thread) }
    }

    pub fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    pub fn is_up(&self) -> bool {
        self.is_answered() && !self.ended.load(Ordering::Relaxed)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Line {
    agent: UserAgent,
    socket: UdpSocket,
    voice: Voice,
    local: LocalMedia,
    began: Instant,
    call: parkdeck::sip::CallKey,
}

impl Line {
    fn new(plan: Plan) -> Self {
        let socket = UdpSocket::bind((plan.from, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let voice = Voice::new(plan.from, Some(440.0));
        let local = LocalMedia {
            address: plan.from.into(),
            port: voice.port(),
            codecs: vec![Codec::Pcmu],
            redundancy: false,
            direction: Direction::SendRecv,
            session_id: u64::from(address.port()),
            version: 1,
            security: sdp::LocalSecurity::default(),
        };
        let seed = u64::from(address.port()) << 16 | u64::from(std::process::id());
        let mut agent = UserAgent::new(UaConfig::new(address, "parkdeck-bench", seed));
        let uri = |user: &str| Uri::sip(user, &plan.server.ip().to_string()).with_port(plan.server.port());
        let account = plan.login.map(|(user, password)| {
            agent.add_account(Account {
                realm: None,
                expires_s: 300,
                ..Account::new(NameAddr::new(uri(&user)), plan.server, user, password.into())
            })
        });
        let invite = Invite {
            account,
            from: Some(NameAddr::new(uri(&plan.number)).with_display(plan.name.as_str())),
            target: uri(&plan.extension),
            send_to: plan.server.into(),
            sdp: sdp::offer(&local),
            headers: Vec::new(),
        };
        let call = agent.invite(Duration::ZERO, invite);
        Self { agent, socket, voice, local, began: Instant::now(), call }
    }

    fn run(mut self, stop: &AtomicBool, ended: &AtomicBool, answered: &AtomicBool) {
        let mut datagram = vec![0; 65_535];
        let mut leaving: Option<Instant> = None;
        loop {
            while let Some(transmit) = self.agent.poll_transmit() {
                let _ = self.socket.send_to(&transmit.bytes, transmit.to.address);
            }
            while let Some(event) = self.agent.poll_event() {
                match event {
                    Event::CallAnswered { sdp, .. } => {
                        answered.store(true, Ordering::Relaxed);
                        let settled = sdp.and_then(|sdp| sdp::accept(&self.local, &sdp).ok());
                        self.voice.speak_to(settled.expect("an answer in G.711").remote);
                    }
                    Event::OfferReceived { call, sdp, .. } => self.answer_offer(call, &sdp),
                    Event::CallEnded { .. } => ended.store(true, Ordering::Relaxed),
                    _ => {}
                }
            }
            if stop.load(Ordering::Relaxed) && leaving.is_none() {
                leaving = Some(Instant::now());
                self.agent.hang_up(self.now(), self.call);
                continue;
            }
            if leaving.is_some_and(|since| {
                ended.load(Ordering::Relaxed) || since.elapsed() > Duration::from_secs(1)
            }) {
                return;
            }
            let wait =
                self.agent.next_wake().map_or(Duration::from_secs(1), |at| at.saturating_sub(self.now()));
            let wait = wait.clamp(Duration::from_millis(1), Duration::from_millis(50));
            self.socket.set_read_timeout(Some(wait)).unwrap();
            match self.socket.recv_from(&mut datagram) {
                Ok((length, from)) => self.agent.receive(self.now(), from, &datagram[..length]),
                Err(_) => self.agent.wake(self.now()),
            }
        }
    }

    fn answer_offer(&mut self, call: parkdeck::sip::CallKey, offer: &[u8]) {
        self.local.version += 1;
        let answer = if offer.is_empty() {
            Ok(sdp::offer(&self.local))
        } else {
            sdp::answer(offer, &self.local).map_err(|_| 488).map(|(answer, settled)| {
                self.voice.speak_to(settled.remote);
                answer
            })
        };
        self.agent.answer_offer(self.now(), call, answer);
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}
