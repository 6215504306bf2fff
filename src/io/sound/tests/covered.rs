//! Calls between two engines under SDES keys and by DTLS, with RTCP on its own port or with RTP.

use super::*;
use crate::media::{DtlsRole, SrtpKey, SrtpSuite};

fn protect(side: &mut Side, stream: StreamId, protection: Protection) {
    assert!(side.handle.send(Command::Protect { stream, protection }));
}

fn by_dtls(role: DtlsRole, other: &Side) -> Protection {
    Protection::Dtls { role, fingerprint: other.handle.fingerprint() }
}

/// A call by DTLS, `a` beginning the handshake.
fn dtls_call(a: &mut Side, b: &mut Side) -> (StreamId, SocketAddr, StreamId, SocketAddr) {
    let ((sa, aa), (sb, ab)) = (a.open(), b.open());
    protect(a, sa, by_dtls(DtlsRole::Active, b));
    protect(b, sb, by_dtls(DtlsRole::Passive, a));
    a.configure(sa, ab, Codec::Pcmu);
    b.configure(sb, aa, Codec::Pcmu);
    a.send(sa, Source::Tone { hz: 440, level_dbfs: -20.0 });
    b.send(sb, Source::Tone { hz: 600, level_dbfs: -20.0 });
    a.meter(sa);
    b.meter(sb);
    (sa, aa, sb, ab)
}

fn is_protected(side: &mut Side, of: StreamId) {
    side.until("keys", |side| side.heard.contains(&Report::Protected { stream: of }));
    side.heard.retain(|r| *r != Report::Protected { stream: of });
}

#[test]
fn a_handshake_makes_keys_for_both_and_the_roles_can_be_turned_round_in_the_call() {
    let (mut a, mut b) = (Side::local(2), Side::local(2));
    let (sa, aa, sb, ab) = dtls_call(&mut a, &mut b);
    let began = Instant::now();
    is_protected(&mut a, sa);
    is_protected(&mut b, sb);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    a.hears_tone(sa, 600);
    b.hears_tone(sb, 440);
    // The same again changes nothing: no second handshake.
    protect(&mut a, sa, by_dtls(DtlsRole::Active, &b));
    a.configure(sa, ab, Codec::Pcmu);
    a.listen_for(Duration::from_millis(300));
    assert!(!a.heard.contains(&Report::Protected { stream: sa }));
    // A re-INVITE that turns the roles round: the old keys serve until the new ones are there.
    let lost = a.figures(sa).lost;
    protect(&mut a, sa, by_dtls(DtlsRole::Passive, &b));
    protect(&mut b, sb, by_dtls(DtlsRole::Active, &a));
    a.configure(sa, ab, Codec::Pcmu);
    b.configure(sb, aa, Codec::Pcmu);
    is_protected(&mut a, sa);
    is_protected(&mut b, sb);
    a.listen_for(Duration::from_millis(600));
    b.listen();
    assert!(a.figures(sa).lost <= lost + 2, "{:?}", a.figures(sa));
    a.hears_tone(sa, 600);
    b.hears_tone(sb, 440);
}

#[test]
fn who_shows_another_certificate_gets_no_sound_and_sends_none() {
    let (mut a, mut b) = (Side::local(2), Side::local(2));
    let ((sa, aa), (sb, ab)) = (a.open(), b.open());
    protect(&mut a, sa, Protection::Dtls { role: DtlsRole::Active, fingerprint: [7; 32] });
    protect(&mut b, sb, by_dtls(DtlsRole::Passive, &a));
    a.configure(sa, ab, Codec::Pcmu);
    b.configure(sb, aa, Codec::Pcmu);
    a.send(sa, Source::Tone { hz: 440, level_dbfs: -20.0 });
    a.until("the refusal", |side| {
        side.heard
            .iter()
            .any(|r| matches!(r, Report::ProtectionFailed { reason, .. } if reason.contains("certificate")))
    });
    a.listen_for(Duration::from_millis(300));
    assert_eq!((a.figures(sa).sent, a.figures(sa).packets), (0, 0));
}

#[test]
fn a_handshake_survives_loss_at_its_beginning_and_garbage_in_its_middle() {
    let (mut a, mut b) = (Side::local(2), Side::local(2));
    let ((sa, aa), (sb, ab)) = (a.open(), b.open());
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    protect(&mut a, sa, by_dtls(DtlsRole::Active, &b));
    a.configure(sa, ab, Codec::Pcmu);
    // Nobody is there yet: the first flights are lost.
    a.listen_for(Duration::from_millis(500));
    for first in [20_u8, 21, 22, 23, 63] {
        for length in [1, 13, 60, 1_400] {
            let mut garbage = vec![first; length];
            if length > 13 {
                garbage[1..3].copy_from_slice(&[0xFE, 0xFD]);
            }
            stranger.send_to(&garbage, aa).unwrap();
        }
    }
    protect(&mut b, sb, by_dtls(DtlsRole::Passive, &a));
    b.configure(sb, aa, Codec::Pcmu);
    a.send(sa, Source::Tone { hz: 440, level_dbfs: -20.0 });
    b.meter(sb);
    is_protected(&mut b, sb);
    b.hears_tone(sb, 440);
}

#[test]
fn sdes_keys_cover_sound_and_reports_on_a_port_of_their_own() {
    let (mut a, mut b) = (Side::local(4), Side::local(4));
    let ((sa, aa), (sb, ab)) = (a.open(), b.open());
    let key = |seed| SrtpKey::new(SrtpSuite::AesCm128HmacSha1_80, &[seed; 30]).unwrap();
    protect(&mut a, sa, Protection::Srtp { send: key(1), receive: vec![key(2)] });
    protect(&mut b, sb, Protection::Srtp { send: key(2), receive: vec![key(1)] });
    for (side, stream, remote) in [(&mut a, sa, ab), (&mut b, sb, aa)] {
        let next = SocketAddr::new(remote.ip(), remote.port() + 1);
        let config = StreamConfig {
            rtcp_mux: false,
            rtcp_remote: Some(next),
            ..StreamConfig::new(remote, Codec::Pcma)
        };
        assert!(side.handle.send(Command::Configure { stream, config }));
        side.send(stream, Source::Tone { hz: 440, level_dbfs: -20.0 });
        side.meter(stream);
    }
    a.hears_tone(sa, 440);
    // Garbage and a replay at both ports; the call lives.
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in 0..10_000_u32 {
        let mut bad = [0x80; 182];
        bad[2..6].copy_from_slice(&n.to_be_bytes());
        stranger.send_to(&bad, ab).unwrap();
        bad[1] = 200;
        stranger.send_to(&bad, SocketAddr::new(ab.ip(), ab.port() + 1)).unwrap();
        if n % 500 == 0 {
            b.listen_for(Duration::from_millis(20));
        }
    }
    b.until("a report", |side| side.figures(sb).reports > 0);
    let figures = b.figures(sb);
    assert!(figures.forged > 1_000, "{figures:?}");
    assert!(figures.round_trip_ms.is_none_or(|ms| ms < 100.0), "{figures:?}");
    b.hears_tone(sb, 440);
}
