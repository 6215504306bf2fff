//! What encrypted sound costs: SRTP for each packet, and a DTLS handshake for each call.
//!
//! Run: `cargo bench --bench secure`. No network beyond loopback, no sound card, no peer.
//!
//! - *seal* and *open*: one RTP packet of 20 ms G.711 (172 bytes), encrypted and authenticated in place; a call has fifty
//!   a second each way. The median of many batches.
//! - *handshake*: two engines of ours on loopback, from the two orders to begin until both have their keys, ECDSA
//!   certificates and all threads included.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "rig/figures.rs"]
#[allow(dead_code)]
mod figures;

use figures::Samples;
use parkdeck::io::sound::{MediaEngine, MediaHandle, SoundOptions};
use parkdeck::media::{
    Codec, Command, DtlsRole, Opened, Protection, Report, SrtpKey, SrtpSession, SrtpSuite, StreamConfig,
    StreamId,
};
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

const SUITES: [(&str, SrtpSuite); 4] = [
    ("AES_CM_128_HMAC_SHA1_80", SrtpSuite::AesCm128HmacSha1_80),
    ("AES_CM_128_HMAC_SHA1_32", SrtpSuite::AesCm128HmacSha1_32),
    ("AEAD_AES_128_GCM", SrtpSuite::AeadAes128Gcm),
    ("AEAD_AES_256_GCM", SrtpSuite::AeadAes256Gcm),
];
const BATCHES: usize = 300;
const IN_A_BATCH: usize = 100;
const HANDSHAKES: usize = 30;
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    println!("\nencrypted sound · {}\n", figures::machine());
    println!("{:<26}{:>10}{:>10}", "ns a packet", "seal", "open");
    for (name, suite) in SUITES {
        let (seal, open) = packets(suite);
        println!("{name:<26}{seal:>10.0}{open:>10.0}");
    }
    let shaken = handshakes();
    println!(
        "\n{:<26}{:>10}{:>10}\n{:<26}{:>10.2}{:>10.2}",
        "ms a handshake",
        "p50",
        "p99",
        format!("DTLS-SRTP, {} of them", shaken.count()),
        shaken.p50_ms(),
        shaken.p99_ms()
    );
}

fn packets(suite: SrtpSuite) -> (f64, f64) {
    let key = |seed| SrtpKey::new(suite, &vec![seed; suite.key_length() + suite.salt_length()]).unwrap();
    let (mut ours, mut theirs) =
        (SrtpSession::new(&key(1), &key(2)).unwrap(), SrtpSession::new(&key(2), &key(1)).unwrap());
    let mut sequence = 0_u16;
    let (mut sealed_in, mut opened_in) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        let mut batch: Vec<([u8; 256], usize)> = (0..IN_A_BATCH)
            .map(|_| {
                sequence = sequence.wrapping_add(1);
                (packet(sequence), 172)
            })
            .collect();
        let begun = Instant::now();
        for (packet, length) in &mut batch {
            *length = black_box(ours.seal(packet, *length));
        }
        sealed_in.push(begun.elapsed());
        let begun = Instant::now();
        for (packet, length) in &mut batch {
            assert_eq!(black_box(theirs.open(&mut packet[..*length])), Opened::Genuine(172));
        }
        opened_in.push(begun.elapsed());
    }
    (median(sealed_in), median(opened_in))
}

fn packet(sequence: u16) -> [u8; 256] {
    let mut packet = [0xD5; 256];
    packet[..12].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7]);
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet
}

fn median(mut batches: Vec<Duration>) -> f64 {
    batches.sort_unstable();
    batches[batches.len() / 2].as_nanos() as f64 / IN_A_BATCH as f64
}

/// An engine with what it has said.
struct Side {
    handle: MediaHandle,
    ports: Vec<u16>,
    heard: Vec<Report>,
}

impl Side {
    fn new(seed: u64) -> Self {
        let options = SoundOptions::silent(Ipv4Addr::LOCALHOST.into(), 4, seed);
        Self { handle: MediaEngine::start(options, || {}).unwrap(), ports: Vec::new(), heard: Vec::new() }
    }

    fn until<T>(&mut self, mut found: impl FnMut(&mut Self) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            while let Some(report) = self.handle.try_recv() {
                match report {
                    Report::PortsBound { ports } => self.ports.extend(ports),
                    other => self.heard.push(other),
                }
            }
            if let Some(found) = found(self) {
                return found;
            }
            assert!(Instant::now() < until, "{:?}", self.heard);
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    fn open(&mut self, stream: StreamId) -> SocketAddr {
        let port = self.until(|side| side.ports.pop());
        self.handle.send(Command::Open { stream, port });
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    fn begin(&mut self, stream: StreamId, role: DtlsRole, fingerprint: [u8; 32], remote: SocketAddr) {
        let protection = Protection::Dtls { role, fingerprint };
        self.handle.send(Command::Protect { stream, protection });
        self.handle.send(Command::Configure { stream, config: StreamConfig::new(remote, Codec::Pcmu) });
    }

    fn is_protected(&mut self, stream: StreamId) {
        let told = Report::Protected { stream };
        self.until(|side| side.heard.contains(&told).then_some(()));
    }
}

fn handshakes() -> Samples {
    let (mut a, mut b) = (Side::new(1), Side::new(2));
    let mut samples = Samples::default();
    for number in 0..HANDSHAKES as u64 {
        let stream = StreamId(number);
        let (at_a, at_b) = (a.open(stream), b.open(stream));
        let (mine, theirs) = (a.handle.fingerprint(), b.handle.fingerprint());
        let begun = Instant::now();
        b.begin(stream, DtlsRole::Passive, mine, at_a);
        a.begin(stream, DtlsRole::Active, theirs, at_b);
        a.is_protected(stream);
        b.is_protected(stream);
        samples.add(begun.elapsed());
        for side in [&mut a, &mut b] {
            side.handle.send(Command::Close { stream });
            side.heard.clear();
        }
    }
    samples
}
