//! One end of an RTP stream: sends a tone, hears what comes. A SIPp scenario names its port in the SDP, so
//! that SIPp speaks SIP and this speaks.

use super::tone::{PACKET, RATE, Sine, alaw_decode, loudness, tone_ms, ulaw_decode, ulaw_encode};
use super::{free_rtp_range, wait_for};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How much of what was heard is kept.
const KEPT_S: usize = 60;

/// A voice with an ear. Sends nothing until it knows where to: from [`Voice::speak_to`], or because a packet
/// came (then it answers to where that came from, as a phone behind a router does).
pub struct Voice {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    tone: Option<Sine>,
    remote: Option<SocketAddr>,
    /// Samples in order of arrival; `marks` says when each packet came.
    heard: Vec<i16>,
    marks: Vec<(Instant, usize)>,
    packets: u64,
    sources: Vec<SocketAddr>,
}

impl Voice {
    /// A voice on a free port of `address` that says a tone of `hz`, or nothing for `None`: comfort to the
    /// other side, since a silent caller still has to send packets.
    pub fn new(address: Ipv4Addr, hz: Option<f64>) -> Self {
        let (socket, port) = std::iter::repeat_with(|| free_rtp_range(address, 2))
            .find_map(|port| UdpSocket::bind((address, port)).ok().map(|socket| (socket, port)))
            .unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        let shared = Shared {
            tone: hz.map(Sine::new),
            remote: None,
            heard: Vec::new(),
            marks: Vec::new(),
            packets: 0,
            sources: Vec::new(),
        };
        let shared = Arc::new(Mutex::new(shared));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (shared, stop) = (shared.clone(), stop.clone());
            std::thread::spawn(move || run(&socket, &shared, &stop))
        };
        Self { port, shared, stop, thread: Some(thread) }
    }

    /// For the SDP.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }

    /// Speaks to this address from now on.
    pub fn speak_to(&self, remote: SocketAddr) {
        self.shared().remote = Some(remote);
    }

    /// Changes the tone; `None` is silence.
    pub fn say(&self, hz: Option<f64>) {
        self.shared().tone = hz.map(Sine::new);
    }

    /// Everything heard so far (the last minute of it).
    pub fn heard(&self) -> Vec<i16> {
        self.shared().heard.clone()
    }

    /// What was heard since `then`.
    pub fn heard_since(&self, then: Instant) -> Vec<i16> {
        let shared = self.shared();
        let newer = shared.marks.iter().find(|(when, _)| *when >= then);
        newer.map(|(_, start)| shared.heard[*start..].to_vec()).unwrap_or_default()
    }

    /// Packets received.
    pub fn packets(&self) -> u64 {
        self.shared().packets
    }

    /// Addresses that packets have come from.
    pub fn sources(&self) -> Vec<SocketAddr> {
        self.shared().sources.clone()
    }

    /// Waits until a tone of `hz` has been heard for 300 ms, counted from now; false after `timeout`.
    pub fn hears(&self, hz: f64, timeout: Duration) -> bool {
        let started = Instant::now();
        wait_for(timeout, || (tone_ms(&self.heard_since(started), hz) >= 300).then_some(())).is_some()
    }

    /// Waits until anything but that tone, and louder than a whisper, has been heard for 300 ms: music.
    pub fn hears_something_but(&self, hz: f64, timeout: Duration) -> bool {
        let started = Instant::now();
        let sounding = |window: &[i16]| loudness(window) > 50.0 && tone_ms(window, hz) == 0;
        let found = wait_for(timeout, || {
            let heard = self.heard_since(started);
            (heard.chunks_exact(800).filter(|window| sounding(window)).count() >= 3).then_some(())
        });
        found.is_some()
    }

    /// Listens for `listen` and says whether the tone of `hz` was absent all that time.
    pub fn hears_nothing_of(&self, hz: f64, listen: Duration) -> bool {
        let started = Instant::now();
        std::thread::sleep(listen);
        tone_ms(&self.heard_since(started), hz) == 0
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(socket: &UdpSocket, shared: &Mutex<Shared>, stop: &AtomicBool) {
    let mut datagram = [0; 2048];
    let (mut sequence, mut timestamp) = (1u16, 0u32);
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut datagram) {
            shared.lock().unwrap().receive(&datagram[..length], from);
        }
        let now = Instant::now();
        if now < due {
            continue;
        }
        // Late by more than a packet or two: the machine slept, don't shout it all out at once.
        due = if now - due > Duration::from_millis(60) { now } else { due } + Duration::from_millis(20);
        let (packet, remote) = shared.lock().unwrap().speak(sequence, timestamp);
        if let Some(remote) = remote {
            let _ = socket.send_to(&packet, remote);
        }
        sequence = sequence.wrapping_add(1);
        timestamp = timestamp.wrapping_add(PACKET as u32);
    }
}

impl Shared {
    fn speak(&mut self, sequence: u16, timestamp: u32) -> (Vec<u8>, Option<SocketAddr>) {
        let mut packet = vec![0x80, 0];
        packet.extend(sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(0x7e57_7e57u32.to_be_bytes());
        match &mut self.tone {
            Some(sine) => packet.extend((0..PACKET).map(|_| ulaw_encode(sine.next_sample()))),
            None => packet.extend([0xff; PACKET]),
        }
        (packet, self.remote)
    }

    fn receive(&mut self, datagram: &[u8], from: SocketAddr) {
        // Version 2, no padding or extension is expected of G.711 senders; contributing sources are skipped.
        let Some(&first) = datagram.first().filter(|first| *first >> 6 == 2) else { return };
        let start = 12 + 4 * usize::from(first & 0x0f);
        let (Some(payload), Some(kind)) = (datagram.get(start..), datagram.get(1)) else { return };
        let decode = match kind & 0x7f {
            0 => ulaw_decode,
            8 => alaw_decode,
            _ => return,
        };
        self.packets += 1;
        self.remote.get_or_insert(from);
        if !self.sources.contains(&from) {
            self.sources.push(from);
        }
        self.marks.push((Instant::now(), self.heard.len()));
        self.heard.extend(payload.iter().map(|&byte| decode(byte)));
        self.forget();
    }

    fn forget(&mut self) {
        let kept = KEPT_S * RATE as usize;
        if self.heard.len() < 2 * kept {
            return;
        }
        let gone = self.heard.len() - kept;
        self.heard.drain(..gone);
        self.marks.retain_mut(|(_, start)| {
            let stays = *start >= gone;
            *start = start.saturating_sub(gone);
            stays
        });
    }
}
