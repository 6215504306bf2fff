//! The policies against each other, keys and fingerprints as others write them, and what must never be written or taken.

use super::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

fn side(policy: SecureMedia, exchange: KeyExchange, sealed: bool, seed: u64) -> LocalMedia {
    let keys = Some(SdesKeys::new(&mut StdRng::seed_from_u64(seed)));
    let fingerprint = Some(Fingerprint([seed as u8; 32]));
    LocalMedia {
        address: [10, 0, 0, 5].into(),
        port: 40_000,
        codecs: Codec::ALL.to_vec(),
        redundancy: false,
        direction: Direction::SendRecv,
        session_id: 7,
        version: 1,
        security: LocalSecurity { policy, exchange, sealed, keys, fingerprint, agreed: None },
    }
}

fn text(sdp: &[u8]) -> String {
    String::from_utf8(sdp.to_vec()).unwrap()
}

fn kind(protection: &Protection) -> &'static str {
    match protection {
        Protection::Clear => "clear",
        Protection::Sdes { .. } => "sdes",
        Protection::Dtls { .. } => "dtls",
    }
}

/// What becomes of a call between two policies: the protection, or the answerer's refusal.
fn between(a: &mut LocalMedia, b: &mut LocalMedia) -> Result<&'static str, SdpRefusal> {
    let offer = offer(a);
    let (answered, theirs) = answer(&offer, b)?;
    let ours = accept(a, &answered)?;
    match (&ours.protection, &theirs.protection) {
        (Protection::Sdes { send, receive }, Protection::Sdes { send: back, receive: there }) => {
            assert_eq!((&[send.clone()][..], &receive[..]), (&there[..], &[back.clone()][..]));
            assert_ne!(receive.first(), Some(send), "each direction has its own");
        }
        (Protection::Dtls { role, fingerprint }, Protection::Dtls { role: other, fingerprint: shown }) => {
            assert_ne!(role, other);
            assert_eq!((Some(*fingerprint), Some(*shown)), (b.security.fingerprint, a.security.fingerprint));
        }
        (Protection::Clear, Protection::Clear) => {}
        other => panic!("they don't agree: {other:?}"),
    }
    a.security.settle(&ours);
    b.security.settle(&theirs);
    Ok(kind(&ours.protection))
}

#[test]
fn every_policy_meets_every_other_as_the_table_says() {
    use SecureMedia::{Off, Optional, Required};
    let table = [
        (Off, Off, Ok("clear")),
        (Off, Optional, Ok("clear")),
        (Off, Required, Err(SdpRefusal::NotSecured)),
        (Optional, Off, Ok("clear")),
        (Optional, Optional, Ok("safe")),
        (Optional, Required, Ok("safe")),
        (Required, Off, Err(SdpRefusal::SecureOff)),
        (Required, Optional, Ok("safe")),
        (Required, Required, Ok("safe")),
    ];
    for sealed in [true, false] {
        for (a, b, outcome) in &table {
            let mut a = side(*a, KeyExchange::Auto, sealed, 1);
            let mut b = side(*b, KeyExchange::Auto, sealed, 2);
            let safe = if sealed { "sdes" } else { "dtls" };
            let outcome = outcome.clone().map(|kind| if kind == "safe" { safe } else { kind });
            assert_eq!(between(&mut a, &mut b), outcome, "{:?} {:?}", a.security.policy, b.security.policy);
        }
    }
}

#[test]
fn keys_are_never_written_where_the_signalling_is_in_clear_nor_taken_from_there() {
    for policy in [SecureMedia::Off, SecureMedia::Optional, SecureMedia::Required] {
        for exchange in [KeyExchange::Auto, KeyExchange::Sdes, KeyExchange::Dtls] {
            let plain = side(policy, exchange, false, 1);
            assert!(!text(&offer(&plain)).contains("inline"), "{policy:?} {exchange:?}");
            let theirs = text(&offer(&side(SecureMedia::Required, KeyExchange::Sdes, true, 2)));
            assert!(theirs.contains("RTP/SAVP ") && theirs.contains("a=crypto:1 AEAD_AES_256_GCM inline:"));
            let refusal = answer(theirs.as_bytes(), &plain).unwrap_err();
            let wanted = match (policy, exchange) {
                (SecureMedia::Off, _) => SdpRefusal::SecureOff,
                (_, KeyExchange::Dtls) => SdpRefusal::OtherExchange,
                _ => SdpRefusal::KeysInClear,
            };
            assert_eq!(refusal, wanted);
            assert_eq!(refusal.status(), 488);
        }
    }
    let stuck = side(SecureMedia::Required, KeyExchange::Sdes, false, 1);
    assert_eq!(stuck.security.offerable(), Err(SdpRefusal::KeysInClear));
    assert!(text(&offer(&stuck)).contains("RTP/SAVP"), "nothing that could be answered in clear");
    // Optional keys over plain signalling are as good as none: the call goes on in clear.
    let optional = text(&offer(&side(SecureMedia::Optional, KeyExchange::Sdes, true, 2)));
    let (answered, agreed) =
        answer(optional.as_bytes(), &side(SecureMedia::Optional, KeyExchange::Auto, false, 1)).unwrap();
    assert_eq!(agreed.protection, Protection::Clear);
    assert!(!text(&answered).contains("crypto"));
    let strict = side(SecureMedia::Required, KeyExchange::Auto, false, 1);
    assert_eq!(answer(optional.as_bytes(), &strict).unwrap_err(), SdpRefusal::KeysInClear);
}

#[test]
fn a_later_offer_says_the_same_keys_and_roles_again() {
    for (sealed, savp) in [(true, "RTP/SAVP "), (false, "UDP/TLS/RTP/SAVP ")] {
        let mut a = side(SecureMedia::Required, KeyExchange::Auto, sealed, 1);
        let mut b = side(SecureMedia::Required, KeyExchange::Auto, sealed, 2);
        between(&mut a, &mut b).unwrap();
        let before = (a.security.clone(), b.security.clone());
        for _ in 0..2 {
            between(&mut a, &mut b).unwrap();
            // And the other way round: nothing changes either.
            between(&mut b, &mut a).unwrap();
            assert!(text(&offer(&b)).contains(savp));
        }
        assert_eq!(before, (a.security, b.security));
    }
}

#[test]
fn roles_are_turned_round_when_they_ask_for_it() {
    let mut a = side(SecureMedia::Required, KeyExchange::Dtls, false, 1);
    let mut b = side(SecureMedia::Required, KeyExchange::Dtls, false, 2);
    between(&mut a, &mut b).unwrap();
    assert!(matches!(b.security.agreed, Some((_, Protection::Dtls { role: DtlsRole::Active, .. }))));
    let turned = text(&offer(&a)).replace("a=setup:passive", "a=setup:active");
    let (answered, agreed) = answer(turned.as_bytes(), &b).unwrap();
    assert!(matches!(agreed.protection, Protection::Dtls { role: DtlsRole::Passive, .. }));
    assert!(text(&answered).contains("a=setup:passive"));
}

/// As Asterisk 22 offers with `media_encryption=sdes`.
const ASTERISK_SDES: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=Asterisk\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 10000 RTP/SAVP 0 101\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n\
    a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

/// As Asterisk 22 offers with `media_encryption=dtls`.
const ASTERISK_DTLS: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=Asterisk\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 10000 UDP/TLS/RTP/SAVP 0 101\r\na=connection:new\r\na=setup:actpass\r\n\
    a=fingerprint:SHA-256 AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:ab:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB\r\n\
    a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=rtcp-mux\r\na=sendrecv\r\n";

#[test]
fn an_asterisk_is_answered_in_its_own_way() {
    let tls = side(SecureMedia::Optional, KeyExchange::Auto, true, 1);
    let (answered, agreed) = answer(ASTERISK_SDES.as_bytes(), &tls).unwrap();
    assert!(text(&answered).contains("m=audio 40000 RTP/SAVP 0 101\r\n"));
    assert!(text(&answered).contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"));
    let Protection::Sdes { receive, .. } = &agreed.protection else { panic!("{agreed:?}") };
    assert_eq!(
        (receive.len(), receive[0].suite(), receive[0].expose().len()),
        (1, Suite::AesCm128HmacSha1_80, 30)
    );
    assert_eq!(agreed.rtcp_remote.unwrap().port(), 10_001);
    assert!(!agreed.rtcp_mux);

    let udp = side(SecureMedia::Required, KeyExchange::Auto, false, 1);
    let (answered, agreed) = answer(ASTERISK_DTLS.as_bytes(), &udp).unwrap();
    assert!(text(&answered).contains("m=audio 40000 UDP/TLS/RTP/SAVP 0 101\r\n"));
    assert!(text(&answered).contains("a=setup:active\r\n") && text(&answered).contains("a=rtcp-mux\r\n"));
    let fingerprint = Fingerprint([0xAB; 32]);
    assert_eq!(agreed.protection, Protection::Dtls { role: DtlsRole::Active, fingerprint });
    assert!(agreed.rtcp_mux && agreed.rtcp_remote == Some(agreed.remote));
    // The fingerprint may stand above all streams, and the profile may be for feedback.
    let line = ASTERISK_DTLS.lines().find(|l| l.starts_with("a=fingerprint")).unwrap();
    let moved =
        ASTERISK_DTLS.replace(&format!("{line}\r\n"), "").replace("t=0 0", &format!("t=0 0\r\n{line}"));
    assert_eq!(answer(moved.as_bytes(), &udp).unwrap().1.protection, agreed.protection);
    let feedback = ASTERISK_SDES.replace("RTP/SAVP", "RTP/SAVPF");
    assert!(text(&answer(feedback.as_bytes(), &tls).unwrap().0).contains("RTP/SAVPF"));
}

#[test]
fn of_several_streams_the_protected_one_is_taken() {
    let both = format!("{}m=audio 20000 RTP/AVP 0\r\n", ASTERISK_SDES);
    let other = ASTERISK_SDES.replace("m=audio", "m=audio 9 RTP/AVP 0\r\nm=audio");
    let local = side(SecureMedia::Optional, KeyExchange::Auto, true, 1);
    for offered in [both, other] {
        let (answered, agreed) = answer(offered.as_bytes(), &local).unwrap();
        assert_eq!((kind(&agreed.protection), agreed.remote.port()), ("sdes", 10_000));
        assert!(text(&answered).contains("m=audio 0 RTP/AVP 0\r\n"));
    }
}

#[test]
fn a_crypto_line_is_read_within_bounds_or_not_at_all() {
    let suite = "AES_CM_128_HMAC_SHA1_80";
    for good in [
        format!("1 {suite} inline:{KEY}"),
        format!("999999999 aes_cm_128_hmac_sha1_32 INLINE:{KEY}|2^20"),
        format!("1 {suite} inline:{KEY}|2^48 WSH=64"),
        format!("7 {suite} inline:{KEY}|1048576 -x"),
        format!("1 {suite} inline:{KEY}|2^20|1:4"),
        format!("1 {suite} inline:{KEY}|255:1"),
        format!("1 {suite} inline:{KEY}|2^20|1:4;inline:{KEY}|2^31|2:4"),
    ] {
        let (_, keys) = crypto::read(&good).expect(&good);
        let key = &keys[0];
        assert_eq!(key.expose().len(), 30);
        assert!((1 << 20..=1 << 48).contains(&key.lifetime()));
        assert!(!format!("{key:?}").contains(&KEY[..6]) && format!("{key:?}").contains("redacted"));
    }
    for bad in [
        String::new(),
        "1".into(),
        format!("x {suite} inline:{KEY}"),
        format!("1234567890 {suite} inline:{KEY}"),
        format!("-1 {suite} inline:{KEY}"),
        format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"),
        format!("1 AEAD_AES_128_GCM inline:{KEY}"),
        format!("1 {suite}"),
        format!("1 {suite} {KEY}"),
        format!("1 {suite} inline:"),
        format!("1 {suite} inline:{}", &KEY[..36]),
        format!("1 {suite} inline:{KEY}AAAA"),
        format!("1 {suite} inline:!!!!{}", &KEY[4..]),
        format!("1 {suite} inline:{KEY}|2^19"),
        format!("1 {suite} inline:{KEY}|2^49"),
        format!("1 {suite} inline:{KEY}|2^64"),
        format!("1 {suite} inline:{KEY}|2^99999999999999999999"),
        format!("1 {suite} inline:{KEY}|99999999999999999999"),
        format!("1 {suite} inline:{KEY}|2^"),
        format!("1 {suite} inline:{KEY}|"),
        format!("1 {suite} inline:{KEY}|1:4|2^20"),
        format!("1 {suite} inline:{KEY}|256:1"),
        format!("1 {suite} inline:{KEY}|1:0"),
        format!("1 {suite} inline:{KEY}|1:9"),
        format!("1 {suite} inline:{KEY}|:4"),
        format!("1 {suite} inline:{KEY}|1:4|1:4"),
        format!("1 {suite} inline:{KEY};inline:{KEY}|2^20|2:4"),
        format!("1 {suite} inline:{KEY}|1:4;inline:{KEY}|1:4"),
        format!("1 {suite} inline:{KEY}|1:4;inline:{KEY}|2:2"),
        format!("1 {suite} inline:{KEY}|1:4;"),
        format!("1 {suite} {}", (1..10).map(|n| format!("inline:{KEY}|{n}:1")).collect::<Vec<_>>().join(";")),
        format!("1 {suite} inline:{KEY} UNENCRYPTED_SRTP"),
        format!("1 {suite} inline:{KEY} UNAUTHENTICATED_SRTP"),
        format!("1 {suite} inline:{KEY} KDR=3"),
        format!("1 {suite} inline:é{KEY}"),
        format!("1 {suite} ïnline:{KEY}"),
        format!("1 {suite} inline:{KEY}{}", "A".repeat(5_000)),
    ] {
        assert!(crypto::read(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_line_that_cannot_be_used_is_passed_over_and_no_line_at_all_is_said_in_words() {
    let local = side(SecureMedia::Required, KeyExchange::Auto, true, 1);
    let line = ASTERISK_SDES.lines().find(|l| l.starts_with("a=crypto")).unwrap();
    let first = line.replace("AES_CM_128_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_80");
    let second = line.replace("crypto:1", "crypto:5");
    let several = ASTERISK_SDES.replace(line, &format!("{first}\r\n{second}"));
    let (answered, _) = answer(several.as_bytes(), &local).unwrap();
    assert!(text(&answered).contains("a=crypto:5 AES_CM_128_HMAC_SHA1_80 "));
    let none = ASTERISK_SDES.replace(line, &first);
    assert_eq!(answer(none.as_bytes(), &local).unwrap_err(), SdpRefusal::NoKey("its suite isn't known here"));
    let bare = ASTERISK_SDES.replace(&format!("{line}\r\n"), "");
    assert_eq!(answer(bare.as_bytes(), &local).unwrap_err(), SdpRefusal::NotSecured);
    let many = ASTERISK_SDES.replace(line, &format!("{first}\r\n").repeat(300));
    assert!(answer(many.as_bytes(), &local).is_err());
}

#[test]
fn a_fingerprint_is_sha_256_whole_or_no_fingerprint() {
    let udp = side(SecureMedia::Required, KeyExchange::Auto, false, 1);
    for (from, to) in
        [("SHA-256", "sha-1"), (":AB\r\n", "\r\n"), (":AB\r\n", ":AB:AB\r\n"), (":AB\r\n", ":+B\r\n")]
    {
        let bad = ASTERISK_DTLS.replace(from, to);
        assert_eq!(answer(bad.as_bytes(), &udp).unwrap_err(), SdpRefusal::NoFingerprint, "{to:?}");
    }
    let held = ASTERISK_DTLS.replace("actpass", "holdconn");
    assert!(answer(held.as_bytes(), &udp).is_err());
    let written = Fingerprint([0x0A; 32]).to_string();
    assert_eq!(Fingerprint::parse(&written), Some(Fingerprint([0x0A; 32])));
}

#[test]
fn an_answer_may_not_take_protection_away_nor_change_the_suite() {
    let mut a = side(SecureMedia::Required, KeyExchange::Auto, true, 1);
    let b = side(SecureMedia::Required, KeyExchange::Auto, true, 2);
    let (good, _) = answer(&offer(&a), &b).unwrap();
    let good = text(&good);
    assert!(accept(&a, good.as_bytes()).is_ok());
    let line = good.lines().find(|l| l.starts_with("a=crypto")).unwrap();
    let bare = good.replace(&format!("{line}\r\n"), "");
    for bad in [
        bare.clone(),
        bare.replace("RTP/SAVP", "RTP/AVP"),
        good.replace("crypto:1", "crypto:2"),
        good.replace("crypto:1", "crypto:9"),
        good.replace("crypto:1", "crypto:0"),
        good.replace("AEAD_AES_256_GCM", "AEAD_AES_128_GCM"),
    ] {
        assert!(accept(&a, bad.as_bytes()).is_err(), "{bad}");
    }
    // Optional: in clear is an answer, but RTP/SAVP without a key is none.
    a.security.policy = SecureMedia::Optional;
    let clear = bare.replace("RTP/SAVP", "RTP/AVP");
    assert_eq!(accept(&a, clear.as_bytes()).unwrap().protection, Protection::Clear);
    assert_eq!(accept(&a, bare.as_bytes()).unwrap_err(), SdpRefusal::NotSecured);
}

#[test]
fn rtcp_goes_where_it_is_wanted_but_to_no_other_host() {
    let local = side(SecureMedia::Off, KeyExchange::Auto, false, 1);
    let plain = ASTERISK_SDES.replace("RTP/SAVP", "RTP/AVP");
    for (line, port) in [
        ("a=rtcp:9999", 9_999),
        ("a=rtcp:9999 IN IP4 192.0.2.1", 9_999),
        ("a=rtcp:9999 IN IP4 198.51.100.9", 10_001),
        ("a=rtcp:0", 10_001),
        ("a=rtcp:x", 10_001),
    ] {
        let (_, agreed) = answer(format!("{plain}{line}\r\n").as_bytes(), &local).unwrap();
        assert_eq!(agreed.rtcp_remote.unwrap().to_string(), format!("192.0.2.1:{port}"), "{line}");
    }
    assert!(text(&offer(&local)).contains("a=rtcp-mux\r\n"));
}

#[test]
fn keys_that_packets_name_are_taken_all_and_ours_is_named_like_them_in_every_offer_that_follows() {
    let mut local = side(SecureMedia::Required, KeyExchange::Auto, true, 1);
    let named = format!("inline:{KEY}|2^31|1:4;inline:{}|2^20|2:4", KEY.replace('d', "e"));
    let offered = ASTERISK_SDES.replace(&format!("inline:{KEY}"), &named);
    let (answered, agreed) = answer(offered.as_bytes(), &local).unwrap();
    let line = text(&answered).lines().find(|l| l.starts_with("a=crypto:1 ")).unwrap().to_owned();
    assert!(line.ends_with("|1:4"), "{line}");
    let Protection::Sdes { send, receive } = &agreed.protection else { panic!("{agreed:?}") };
    assert_eq!(send.name(), Some(KeyName { value: 1, length: 4 }));
    let theirs: Vec<_> = receive.iter().map(|key| (key.name().unwrap().value, key.lifetime())).collect();
    assert_eq!(theirs, [(1, 1 << 31), (2, 1 << 20)]);
    local.security.settle(&agreed);
    let again = text(&offer(&local));
    let own = line.split_once(' ').unwrap().1;
    assert!(again.lines().any(|l| l.ends_with(own)), "{again}");
}

#[test]
fn fresh_keys_replace_the_old_ones_in_the_next_offer_and_count_once_it_is_answered() {
    let mut a = side(SecureMedia::Required, KeyExchange::Auto, true, 1);
    let mut b = side(SecureMedia::Required, KeyExchange::Auto, true, 2);
    let mut random = StdRng::seed_from_u64(3);
    assert!(!a.security.renew_keys(&mut random), "nothing is agreed on yet");
    assert_eq!(between(&mut a, &mut b), Ok("sdes"));
    let (agreed, before) = (a.security.agreed.clone(), text(&offer(&a)));
    assert!(a.security.renew_keys(&mut random));
    assert_eq!(a.security.agreed, agreed, "still in use");
    let fresh = text(&offer(&a));
    let keys =
        |text: &str| text.lines().filter(|l| l.contains("inline:")).map(str::to_owned).collect::<Vec<_>>();
    assert!(keys(&fresh).iter().all(|line| !keys(&before).contains(line)) && keys(&fresh).len() == 4);
    assert_eq!(between(&mut a, &mut b), Ok("sdes"));
    assert_ne!(a.security.agreed, agreed);
    let mut dtls = side(SecureMedia::Required, KeyExchange::Dtls, true, 1);
    let mut other = side(SecureMedia::Required, KeyExchange::Auto, true, 2);
    assert_eq!(between(&mut dtls, &mut other), Ok("dtls"));
    assert!(!dtls.security.renew_keys(&mut random), "a handshake makes its own");
}
