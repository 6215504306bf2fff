//! From whom RTP is taken. The negotiated source is trusted at once and always; another one only when the negotiated
//! one stays silent, and only after it has proven to send a real stream (symmetric RTP behind NAT, RFC 4961). Then it is
//! locked: nobody can put sound into a call that runs (RTP bleed, RTP injection).

use super::rtp::Packet;
use std::net::SocketAddr;
use std::time::Duration;

/// How long the negotiated address may be silent before another port of the same host is considered.
const GRACE_SAME_HOST: Duration = Duration::from_millis(300);
/// The same for another host.
const GRACE_OTHER_HOST: Duration = Duration::from_millis(1_500);
/// Consecutive packets that prove a stream (RFC 3550 A.1 asks for two).
const PROOF: u8 = 4;
/// Sources observed at a time.
const CANDIDATES: usize = 4;

#[derive(Clone, Copy)]
struct Candidate {
    from: SocketAddr,
    ssrc: u32,
    sequence: u16,
    proof: u8,
}

/// The one source of a stream.
pub(crate) struct Gate {
    negotiated: SocketAddr,
    since: Option<Duration>,
    locked: Option<SocketAddr>,
    candidates: [Option<Candidate>; CANDIDATES],
    next: usize,
}

impl Gate {
    pub(crate) fn new(negotiated: SocketAddr) -> Self {
        Self {
            negotiated: canonical(negotiated),
            since: None,
            locked: None,
            candidates: [None; CANDIDATES],
            next: 0,
        }
    }

    /// A new offer and answer: the lock stays if the negotiated address does.
    pub(crate) fn renegotiate(&mut self, negotiated: SocketAddr) {
        if canonical(negotiated) != self.negotiated {
            *self = Self::new(negotiated);
        }
    }

    pub(crate) fn locked(&self) -> Option<SocketAddr> {
        self.locked
    }

    /// Whether to take a packet that is well formed and of a payload type that was negotiated.
    pub(crate) fn admits(&mut self, now: Duration, from: SocketAddr, packet: &Packet<'_>) -> bool {
        let from = canonical(from);
        let since = *self.since.get_or_insert(now);
        if from == self.negotiated {
            self.locked = Some(from);
            return true;
        }
        if let Some(locked) = self.locked {
            return locked == from;
        }
        let grace = if from.ip() == self.negotiated.ip() { GRACE_SAME_HOST } else { GRACE_OTHER_HOST };
        if now.saturating_sub(since) < grace || !self.proves_itself(from, packet) {
            return false;
        }
        self.locked = Some(from);
        true
    }

    /// When the stream began to listen; packets that come before don't shorten the grace.
    pub(crate) fn listen_from(&mut self, now: Duration) {
        self.since.get_or_insert(now);
    }

    fn proves_itself(&mut self, from: SocketAddr, packet: &Packet<'_>) -> bool {
        let known = self.candidates.iter_mut().flatten().find(|c| c.from == from);
        if let Some(candidate) = known {
            let follows =
                packet.sequence == candidate.sequence.wrapping_add(1) && packet.ssrc == candidate.ssrc;
            candidate.proof = if follows { candidate.proof + 1 } else { 1 };
            candidate.sequence = packet.sequence;
            candidate.ssrc = packet.ssrc;
            return candidate.proof >= PROOF;
        }
        if let Some(slot) = self.candidates.get_mut(self.next) {
            *slot = Some(Candidate { from, ssrc: packet.ssrc, sequence: packet.sequence, proof: 1 });
        }
        self.next = (self.next + 1) % CANDIDATES;
        false
    }
}

/// An IPv4 address that came in IPv6's clothes is the same address.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEGOTIATED: &str = "192.0.2.1:4000";
    const SAME_HOST: &str = "192.0.2.1:5000";
    const STRANGER: &str = "198.51.100.7:4000";

    fn packet(sequence: u16) -> Packet<'static> {
        Packet { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 1, payload: &[0] }
    }

    fn feed(gate: &mut Gate, from: &str, start_ms: u64, count: u16) -> u16 {
        (0..count)
            .filter(|at| {
                let now = Duration::from_millis(start_ms + u64::from(*at) * 20);
                gate.admits(now, from.parse().unwrap(), &packet(*at))
            })
            .count() as u16
    }

    fn gate() -> Gate {
        let mut gate = Gate::new(NEGOTIATED.parse().unwrap());
        gate.listen_from(Duration::ZERO);
        gate
    }

    #[test]
    fn the_negotiated_source_is_taken_at_once_and_nobody_else_after_it() {
        let mut gate = gate();
        assert_eq!(feed(&mut gate, NEGOTIATED, 0, 1), 1);
        assert_eq!(feed(&mut gate, STRANGER, 2_000, 200), 0);
        assert_eq!(feed(&mut gate, SAME_HOST, 6_000, 200), 0);
    }

    #[test]
    fn behind_nat_another_port_is_learned_and_locked() {
        let mut gate = gate();
        assert_eq!(feed(&mut gate, SAME_HOST, 0, 50), 50 - 15 - 3);
        assert_eq!(gate.locked(), Some(SAME_HOST.parse().unwrap()));
        assert_eq!(feed(&mut gate, STRANGER, 3_000, 50), 0);
    }

    #[test]
    fn another_host_has_to_wait_longer() {
        let mut gate = gate();
        assert_eq!(feed(&mut gate, STRANGER, 0, 75), 0);
        assert_eq!(feed(&mut gate, STRANGER, 1_500, 10), 10 - 3);
    }

    #[test]
    fn the_negotiated_source_takes_the_call_back() {
        let mut gate = gate();
        feed(&mut gate, STRANGER, 2_000, 10);
        assert_eq!(feed(&mut gate, NEGOTIATED, 2_500, 1), 1);
        assert_eq!(feed(&mut gate, STRANGER, 2_600, 100), 0);
    }

    #[test]
    fn scattered_packets_prove_nothing() {
        let mut gate = gate();
        for at in 0..500_u16 {
            let now = Duration::from_millis(2_000 + u64::from(at));
            assert!(!gate.admits(now, STRANGER.parse().unwrap(), &packet(at.wrapping_mul(7_919))));
        }
    }

    #[test]
    fn a_new_address_after_a_re_invite_locks_the_old_one_out() {
        let mut gate = gate();
        feed(&mut gate, NEGOTIATED, 0, 5);
        gate.renegotiate(NEGOTIATED.parse().unwrap());
        assert!(gate.locked().is_some());
        gate.renegotiate(STRANGER.parse().unwrap());
        gate.listen_from(Duration::from_secs(1));
        assert_eq!(feed(&mut gate, NEGOTIATED, 1_000, 20), 0);
        assert_eq!(feed(&mut gate, STRANGER, 1_400, 20), 20);
        assert_eq!(feed(&mut gate, NEGOTIATED, 1_800, 50), 0);
    }

    #[test]
    fn ipv4_in_ipv6_is_the_same_host() {
        let mut gate = gate();
        let mapped = "[::ffff:192.0.2.1]:4000".parse().unwrap();
        assert!(gate.admits(Duration::ZERO, mapped, &packet(0)));
    }
}
