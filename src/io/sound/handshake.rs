//! DTLS handshakes for SRTP keys (RFC 5763, RFC 5764), on a thread of their own: they cost milliseconds and allocate,
//! which the media thread must not. Records come from its sockets and go out by them through wait-free rings.

use super::{QUEUE, Wake};
use crate::media::{DtlsRole, MAX_PACKET, Report, SrtpKey, SrtpSession, SrtpSuite, StreamId};
use dimpl::{Dtls, DtlsCertificate, KeyingMaterial, Output, SrtpProfile};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Records on their way from or to the media thread; more are lost, and come again.
pub(super) const RECORDS: usize = 128;
/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// After so long without an answer a flight is sent again, and then after twice as long.
const FIRST_REPEAT: Duration = Duration::from_millis(400);
/// Repeats of one flight.
const REPEATS: usize = 6;
/// How often a handshake that broke begins anew: anybody who can forge a source may break one (its alerts are in clear).
const ATTEMPTS: u32 = 4;
/// The largest record that we make, so that it needs no fragments on its way.
const MTU: usize = 1_200;

/// A datagram of a handshake.
pub(super) struct Record {
    pub stream: StreamId,
    /// Where it came from or goes to; `None`: where the stream's sound goes.
    pub other: Option<SocketAddr>,
    length: usize,
    bytes: [u8; MAX_PACKET],
}

impl Record {
    /// `None`: longer than any packet.
    pub(super) fn new(stream: StreamId, other: Option<SocketAddr>, record: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_PACKET];
        bytes.get_mut(..record.len())?.copy_from_slice(record);
        Some(Self { stream, other, length: record.len(), bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// What the owner wants.
pub(super) enum Wanted {
    Begin { stream: StreamId, role: DtlsRole, fingerprint: [u8; 32] },
    End { stream: StreamId },
}

/// What the media thread gets.
pub(super) enum Shaken {
    Record(Record),
    Keys { stream: StreamId, session: Box<SrtpSession> },
}

/// The certificate of this engine and its fingerprint.
pub(super) struct Certificate {
    pair: DtlsCertificate,
    pub fingerprint: [u8; 32],
}

impl Certificate {
    /// A fresh one, self-signed: what vouches for it is its fingerprint in the signalling.
    pub(super) fn generate() -> io::Result<Self> {
        let failed =
            |error: rcgen::Error| io::Error::other(format!("no certificate for encrypted sound: {error}"));
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let mut parameters = rcgen::CertificateParams::default();
        // Nothing that tells one installation from another.
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "sound");
        let certificate = parameters.self_signed(&key).map_err(failed)?.der().to_vec();
        let fingerprint = Sha256::digest(&certificate).into();
        Ok(Self { pair: DtlsCertificate { certificate, private_key: key.serialize_der() }, fingerprint })
    }
}

/// The ends of the rings that this thread has.
pub(super) struct Rings {
    pub wanted: rtrb::Consumer<Wanted>,
    pub records: rtrb::Consumer<Record>,
    pub shaken: rtrb::Producer<Shaken>,
    pub reports: rtrb::Producer<Report>,
    pub media: Arc<mio::Waker>,
    pub wake: Wake,
    pub stop: Arc<AtomicBool>,
}

struct Running {
    dtls: Dtls,
    role: DtlsRole,
    fingerprint: [u8; 32],
    verified: bool,
    done: bool,
    wake_at: Instant,
    until: Instant,
    attempts: u32,
    /// Where the last record came from that was worth an answer: the far end behind NAT. Garbage turns nothing away.
    peer: Option<SocketAddr>,
}

/// The thread's state.
pub(super) struct Handshakes {
    rings: Rings,
    config: Arc<dimpl::Config>,
    certificate: DtlsCertificate,
    running: HashMap<StreamId, Running>,
}

/// What became of a step.
enum Step {
    Goes,
    /// It is over, for this reason.
    Failed(String),
}

impl Handshakes {
    pub(super) fn new(rings: Rings, certificate: &Certificate) -> io::Result<Self> {
        let config = dimpl::Config::builder()
            .mtu(MTU)
            .handshake_timeout(PATIENCE)
            .flight_start_rto(FIRST_REPEAT)
            .flight_retries(REPEATS)
            .require_client_certificate(true)
            .build()
            .map_err(|error| io::Error::other(format!("no handshakes for encrypted sound: {error}")))?;
        let (config, certificate) = (Arc::new(config), certificate.pair.clone());
        Ok(Self { rings, config, certificate, running: HashMap::new() })
    }

    pub(super) fn run(mut self) {
        while !self.rings.stop.load(Ordering::Acquire) {
            while let Ok(wanted) = self.rings.wanted.pop() {
                self.obey(wanted);
            }
            while let Ok(record) = self.rings.records.pop() {
                self.take(&record);
            }
            self.repeat_if_due();
            let next = self.running.values().map(|running| running.wake_at).min();
            match next {
                Some(at) => std::thread::park_timeout(at.saturating_duration_since(Instant::now())),
                None => std::thread::park(),
            }
        }
    }

    fn obey(&mut self, wanted: Wanted) {
        match wanted {
            Wanted::Begin { stream, role, fingerprint } => {
                let until = Instant::now() + PATIENCE;
                self.begin(
                    stream,
                    Running {
                        dtls: self.dtls(role),
                        role,
                        fingerprint,
                        verified: false,
                        done: false,
                        wake_at: until,
                        until,
                        attempts: 1,
                        peer: None,
                    },
                );
            }
            Wanted::End { stream } => {
                self.running.remove(&stream);
            }
        }
    }

    /// DTLS 1.2: what every telephone and server that speaks DTLS-SRTP has.
    fn dtls(&self, role: DtlsRole) -> Dtls {
        let mut dtls = Dtls::new_12(self.config.clone(), self.certificate.clone(), Instant::now());
        dtls.set_active(role == DtlsRole::Active);
        dtls
    }

    fn begin(&mut self, stream: StreamId, running: Running) {
        if self.running.len() >= QUEUE {
            return self.fail(stream, "too many handshakes at a time");
        }
        self.running.insert(stream, running);
        self.step(stream, None);
    }

    fn take(&mut self, record: &Record) {
        if self.running.contains_key(&record.stream) {
            self.step(record.stream, Some(record));
        }
    }

    fn repeat_if_due(&mut self) {
        let now = Instant::now();
        let due =
            self.running.iter().filter(|(_, running)| running.wake_at <= now).map(|(stream, _)| *stream);
        for stream in due.collect::<Vec<_>>() {
            self.step(stream, None);
        }
    }

    /// Gives a handshake the time, and a record if one came, and carries away what it says.
    fn step(&mut self, stream: StreamId, record: Option<&Record>) {
        let Some(mut running) = self.running.remove(&stream) else { return };
        let now = Instant::now();
        let mut went = running.dtls.handle_timeout(now);
        if let (Ok(()), Some(record)) = (&went, record) {
            went = running.dtls.handle_packet(record.bytes());
        }
        let said = self.carry(stream, &mut running, record.and_then(|record| record.other));
        match (went, said) {
            (_, Step::Failed(reason)) => self.fail(stream, &reason),
            (Ok(()), Step::Goes) => {
                if !running.done && now >= running.until {
                    return self.fail(stream, "the other end doesn't take part in the handshake");
                }
                self.running.insert(stream, running);
            }
            // Keys that were made stay good, whatever comes after them.
            (Err(_), Step::Goes) if running.done => {}
            (Err(error), Step::Goes) if running.attempts < ATTEMPTS && now < running.until => {
                tracing::debug!(?stream, %error, "a handshake begins anew");
                running.dtls = self.dtls(running.role);
                running.attempts += 1;
                // Not at once: two sides that fail each other would turn in circles.
                running.wake_at = now + FIRST_REPEAT;
                self.running.insert(stream, running);
            }
            (Err(error), Step::Goes) => self.fail(stream, &format!("the handshake failed: {error}")),
        }
    }

    /// Takes out all that a handshake has to say.
    fn carry(&mut self, stream: StreamId, running: &mut Running, from: Option<SocketAddr>) -> Step {
        let mut buffer = [0; 2_048];
        loop {
            match running.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => {
                    running.peer = from.or(running.peer);
                    if let Some(record) = Record::new(stream, running.peer, packet) {
                        let _ = self.rings.shaken.push(Shaken::Record(record));
                        let _ = self.rings.media.wake();
                    }
                }
                Output::PeerCert(certificate) => {
                    let shown: [u8; 32] = Sha256::digest(certificate).into();
                    if shown != running.fingerprint {
                        return Step::Failed(
                            "their certificate isn't the one that the signalling announced".into(),
                        );
                    }
                    running.verified = true;
                }
                Output::KeyingMaterial(material, profile) if running.verified && !running.done => {
                    let session = session(&material, profile, running.role);
                    let Some(session) = session else {
                        return Step::Failed("the handshake agreed on a cipher that isn't known here".into());
                    };
                    running.done = true;
                    let _ = self.rings.shaken.push(Shaken::Keys { stream, session: Box::new(session) });
                    let _ = self.rings.media.wake();
                    self.tell(Report::Protected { stream });
                }
                Output::Connected if !running.verified => {
                    return Step::Failed("they showed no certificate".into());
                }
                Output::BufferTooSmall { .. } => return Step::Failed("a handshake of monstrous size".into()),
                Output::Timeout(at) => {
                    running.wake_at = at.max(Instant::now() + Duration::from_millis(1));
                    if !running.done {
                        running.wake_at = running.wake_at.min(running.until);
                    }
                    return Step::Goes;
                }
                _ => {}
            }
        }
    }

    fn fail(&mut self, stream: StreamId, reason: &str) {
        self.running.remove(&stream);
        self.tell(Report::ProtectionFailed { stream, reason: reason.to_owned() });
    }

    fn tell(&mut self, report: Report) {
        let _ = self.rings.reports.push(report);
        (self.rings.wake)();
    }
}

/// The keys of both directions (RFC 5764 4.2): client's and server's key, client's and server's salt.
fn session(material: &KeyingMaterial, profile: SrtpProfile, role: DtlsRole) -> Option<SrtpSession> {
    let suite = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => SrtpSuite::AesCm128HmacSha1_80,
        SrtpProfile::AEAD_AES_128_GCM => SrtpSuite::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => SrtpSuite::AeadAes256Gcm,
        _ => return None,
    };
    let (key, salt) = (suite.key_length(), suite.salt_length());
    let (keys, salts) = material.split_at_checked(2 * key)?;
    let of = |side: usize| {
        let mut bytes = Zeroizing::new(Vec::with_capacity(key + salt));
        bytes.extend_from_slice(keys.get(side * key..(side + 1) * key)?);
        bytes.extend_from_slice(salts.get(side * salt..(side + 1) * salt)?);
        SrtpKey::new(suite, &bytes)
    };
    let (client, server) = (of(0)?, of(1)?);
    match role {
        DtlsRole::Active => SrtpSession::new(&client, &server),
        DtlsRole::Passive => SrtpSession::new(&server, &client),
    }
}
