//! From whom RTP is taken. The negotiated source is trusted at once and always. Another one is learned only where it can
//! be the far end behind NAT (symmetric RTP, RFC 4961), and then it is locked: nobody can put sound into a call, neither
//! into one that runs nor into one that has just begun or has just been changed (RTP bleed: AST-2017-005,
//! CVE-2025-53399).
//!
//! | the packet | comes from | is taken |
//! | --- | --- | --- |
//! | any | the negotiated address | at once |
//! | in clear | another port of that host, or of the host that the signalling comes from | after 300 ms of silence of the negotiated one, and four packets in a row |
//! | in clear | anywhere else | never |
//! | authenticated by SRTP | anywhere | at once: it has proven itself |
//!
//! So a phone whose sound comes from a third address (behind two NATs, with no relay between) is heard only when its
//! sound is encrypted. To learn whoever comes first would be heard by the whole world.

use super::rtp::Packet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long the negotiated address may be silent before another port or the signalling's host is considered.
const GRACE: Duration = Duration::from_millis(300);
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
    /// The host that the signalling of this leg comes from.
    signalling: Option<IpAddr>,
    since: Option<Duration>,
    locked: Option<SocketAddr>,
    candidates: [Option<Candidate>; CANDIDATES],
    next: usize,
}

impl Gate {
    pub(crate) fn new(negotiated: SocketAddr, signalling: Option<IpAddr>) -> Self {
        Self {
            negotiated: canonical(negotiated),
            signalling: signalling.map(|ip| ip.to_canonical()),
            since: None,
            locked: None,
            candidates: [None; CANDIDATES],
            next: 0,
        }
    }

    /// A new offer and answer: the lock stays if the negotiated address does.
    pub(crate) fn renegotiate(&mut self, negotiated: SocketAddr, signalling: Option<IpAddr>) {
        if canonical(negotiated) != self.negotiated {
            *self = Self::new(negotiated, signalling);
        } else {
            self.signalling = signalling.map(|ip| ip.to_canonical());
        }
    }

    pub(crate) fn locked(&self) -> Option<SocketAddr> {
        self.locked
    }

    /// Whether this host has anything to do with the leg: its RTCP and its handshakes are looked at.
    pub(crate) fn knows(&self, from: SocketAddr) -> bool {
        let ip = from.ip().to_canonical();
        ip == self.negotiated.ip()
            || Some(ip) == self.signalling
            || self.locked.is_some_and(|at| at.ip() == ip)
    }

    /// Whether to take a packet that is well formed, of a payload type that was negotiated, and, if `proven`, known to be
    /// from who has the key.
    pub(crate) fn admits(
        &mut self,
        now: Duration,
        from: SocketAddr,
        packet: &Packet<'_>,
        proven: bool,
    ) -> bool {
        let from = canonical(from);
        let since = *self.since.get_or_insert(now);
        if from == self.negotiated || proven {
            self.locked = Some(from);
            return true;
        }
        if let Some(locked) = self.locked {
            return locked == from;
        }
        let near = from.ip() == self.negotiated.ip() || Some(from.ip()) == self.signalling;
        if !near || now.saturating_sub(since) < GRACE || !self.proves_itself(from, packet) {
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
    const SIGNALLING: &str = "203.0.113.5";
    const BEHIND_NAT: &str = "203.0.113.5:61000";

    fn packet(sequence: u16) -> Packet<'static> {
        Packet { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 1, payload: &[0] }
    }

    fn feed(gate: &mut Gate, from: &str, start_ms: u64, count: u16) -> u16 {
        (0..count)
            .filter(|at| {
                let now = Duration::from_millis(start_ms + u64::from(*at) * 20);
                gate.admits(now, from.parse().unwrap(), &packet(*at), false)
            })
            .count() as u16
    }

    fn gate() -> Gate {
        let mut gate = Gate::new(NEGOTIATED.parse().unwrap(), Some(SIGNALLING.parse().unwrap()));
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
    fn a_phone_behind_nat_is_learned_by_the_host_of_its_signalling() {
        let mut gate = gate();
        assert_eq!(feed(&mut gate, BEHIND_NAT, 0, 50), 50 - 15 - 3);
        assert_eq!(feed(&mut gate, STRANGER, 1_000, 50), 0);
        assert!(gate.knows(BEHIND_NAT.parse().unwrap()) && gate.knows(NEGOTIATED.parse().unwrap()));
        assert!(!gate.knows(STRANGER.parse().unwrap()));
    }

    #[test]
    fn a_stranger_is_never_learned_however_long_he_tries_and_the_others_are_silent() {
        let mut gate = gate();
        for start_ms in [0, 1_500, 60_000, 3_600_000] {
            assert_eq!(feed(&mut gate, STRANGER, start_ms, 1_000), 0);
        }
        assert_eq!(gate.locked(), None);
        assert_eq!(feed(&mut gate, NEGOTIATED, 4_000_000, 5), 5);
    }

    #[test]
    fn who_has_proven_to_have_the_key_is_heard_from_anywhere_and_answered_there() {
        let mut gate = gate();
        let from: SocketAddr = STRANGER.parse().unwrap();
        assert!(gate.admits(Duration::ZERO, from, &packet(0), true));
        assert_eq!(gate.locked(), Some(from));
        let moved: SocketAddr = BEHIND_NAT.parse().unwrap();
        assert!(gate.admits(Duration::ZERO, moved, &packet(1), true));
        assert_eq!(gate.locked(), Some(moved), "the binding of a NAT changes");
    }

    #[test]
    fn the_negotiated_source_takes_the_call_back() {
        let mut gate = gate();
        feed(&mut gate, SAME_HOST, 2_000, 10);
        assert_eq!(feed(&mut gate, NEGOTIATED, 2_500, 1), 1);
        assert_eq!(feed(&mut gate, SAME_HOST, 2_600, 100), 0);
    }

    #[test]
    fn scattered_packets_prove_nothing() {
        let mut gate = gate();
        for at in 0..500_u16 {
            let now = Duration::from_millis(2_000 + u64::from(at));
            assert!(!gate.admits(now, SAME_HOST.parse().unwrap(), &packet(at.wrapping_mul(7_919)), false));
        }
    }

    #[test]
    fn a_new_address_after_a_re_invite_locks_the_old_one_out() {
        let mut gate = gate();
        feed(&mut gate, NEGOTIATED, 0, 5);
        gate.renegotiate(NEGOTIATED.parse().unwrap(), None);
        assert!(gate.locked().is_some());
        gate.renegotiate(STRANGER.parse().unwrap(), None);
        gate.listen_from(Duration::from_secs(1));
        assert_eq!(feed(&mut gate, NEGOTIATED, 1_000, 20), 0);
        assert_eq!(feed(&mut gate, STRANGER, 1_400, 20), 20);
        assert_eq!(feed(&mut gate, NEGOTIATED, 1_800, 50), 0);
    }

    #[test]
    fn ipv4_in_ipv6_is_the_same_host() {
        let mut gate = gate();
        let mapped = "[::ffff:192.0.2.1]:4000".parse().unwrap();
        assert!(gate.admits(Duration::ZERO, mapped, &packet(0), false));
    }
}
