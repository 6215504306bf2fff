//! The vectors of RFC 3711 and RFC 7714, and two sessions with each other: replay, tampering, rollover, new keys.

use super::*;
use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};

const SUITES: [SrtpSuite; 4] = [
    SrtpSuite::AesCm128HmacSha1_80,
    SrtpSuite::AesCm128HmacSha1_32,
    SrtpSuite::AeadAes128Gcm,
    SrtpSuite::AeadAes256Gcm,
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn key(suite: SrtpSuite, seed: u8) -> SrtpKey {
    let length = suite.key_length() + suite.salt_length();
    let material: Vec<u8> = (0..length as u8).map(|at| at.wrapping_mul(7).wrapping_add(seed)).collect();
    SrtpKey::new(suite, &material).unwrap()
}

fn pair(suite: SrtpSuite) -> (SrtpSession, SrtpSession) {
    let (ours, theirs) = (key(suite, 1), key(suite, 99));
    (SrtpSession::new(&ours, &theirs).unwrap(), SrtpSession::new(&theirs, &ours).unwrap())
}

fn packet(sequence: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 0, 0, 0, 0, 0, 0, 1];
    packet[2..4].copy_from_slice(&sequence.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xD5; 160]);
    packet
}

fn sealed(session: &mut SrtpSession, clear: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 1_500];
    buffer[..clear.len()].copy_from_slice(clear);
    let length = session.seal(&mut buffer, clear.len());
    buffer[..length].to_vec()
}

fn opened(session: &mut SrtpSession, sealed: &[u8]) -> Option<Vec<u8>> {
    let mut packet = sealed.to_vec();
    match session.open(&mut packet) {
        Opened::Genuine(length) => Some(packet[..length].to_vec()),
        _ => None,
    }
}

#[test]
fn rfc_3711_b2_the_keystream_of_counter_mode() {
    use aes::cipher::KeyInit;
    let aes = aes::Aes128::new_from_slice(&bytes("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
    let counter: [u8; 16] = bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap();
    let mut stream = [0; 48];
    key::keystream(&aes, counter, &mut stream);
    let expected =
        "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0";
    assert_eq!(stream.to_vec(), bytes(expected));
}

#[test]
fn rfc_3711_b3_session_keys_follow_from_the_master_key() {
    let master = bytes("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
    let key = SrtpKey::new(SrtpSuite::AesCm128HmacSha1_80, &master).unwrap();
    let derived = |label, length| {
        let mut out = vec![0; length];
        key.derive(label, false, &mut out);
        out
    };
    assert_eq!(derived(key::Label::Encryption, 16), bytes("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(derived(key::Label::Salt, 14), bytes("30CBBC08863D8C85D49DB34A9AE1"));
    let authentication = derived(key::Label::Authentication, 94);
    assert_eq!(authentication[..16], bytes("CEBE321F6FF7716B6FD4AB49AF256A15"));
    assert_eq!(authentication[80..], bytes("6B68642C59BBFC2F34DB60DBDFB2"));
}

/// RFC 7714 16.1 and 16.2 give session keys; they are put in place of the derived ones.
#[test]
fn rfc_7714_16_rtp_packets_are_sealed_bit_by_bit_as_written_there() {
    let clear = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 \
        61727465 73207472 6573";
    let with_128 = "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a \
        51c7d19b 36de3adf 8833 899d7f27 beb16a91 52cf765e e4390cce";
    let with_256 = "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 \
        76ffae0f 1ba63799 b87b 7aa3db36 dfffd6b0 f9bb7878 d7a76c13";
    for (suite, expected) in [(SrtpSuite::AeadAes128Gcm, with_128), (SrtpSuite::AeadAes256Gcm, with_256)] {
        let session: Vec<u8> = (0..suite.key_length() as u8).collect();
        let cipher = Cipher::with_session_keys(suite, &session, &bytes("51756964 2070726f 2071756f"));
        let mut buffer = [0; 100];
        let clear = bytes(clear);
        buffer[..clear.len()].copy_from_slice(&clear);
        let length = cipher.seal_rtp(&mut buffer, 12, clear.len(), 0x5501_A0B2, 0xF17B).unwrap();
        assert_eq!(buffer[..length], bytes(expected), "{suite:?}");
        let length = cipher.open_rtp(&mut buffer[..length], 12, 0x5501_A0B2, 0xF17B).unwrap();
        assert_eq!(buffer[..length], clear);
    }
}

/// RFC 7714 17.1 and 17.3.
#[test]
fn rfc_7714_17_rtcp_packets_are_sealed_bit_by_bit_as_written_there() {
    let clear = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef \
        deadbeef deadbeef deadbeef";
    let with_128 = "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda \
        4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4";
    let with_256 = "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be \
        8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4";
    for (suite, expected) in [(SrtpSuite::AeadAes128Gcm, with_128), (SrtpSuite::AeadAes256Gcm, with_256)] {
        let session: Vec<u8> = (0..suite.key_length() as u8).collect();
        let cipher = Cipher::with_session_keys(suite, &session, &bytes("51756964 2070726f 2071756f"));
        let mut buffer = [0; 120];
        let clear = bytes(clear);
        buffer[..clear.len()].copy_from_slice(&clear);
        let length = cipher.seal_rtcp(&mut buffer, clear.len(), 0x4D61_7273, 0x5D4).unwrap();
        assert_eq!(buffer[..length], bytes(expected), "{suite:?}");
        assert_eq!(cipher.rtcp_index(&buffer[..length]), Some(0x5D4));
        let length = cipher.open_rtcp(&mut buffer[..length], 0x4D61_7273, 0x5D4).unwrap();
        assert_eq!(buffer[..length], clear);
    }
}

#[test]
fn what_one_seals_the_other_opens_once_and_a_stranger_never() {
    for suite in SUITES {
        let (mut a, mut b) = pair(suite);
        let mut stranger = SrtpSession::new(&key(suite, 5), &key(suite, 6)).unwrap();
        for sequence in 0..300 {
            let clear = packet(sequence, 7);
            let secret = sealed(&mut a, &clear);
            assert_ne!(secret[12..172], clear[12..], "{suite:?}");
            assert_eq!(opened(&mut stranger, &secret), None);
            assert_eq!(opened(&mut b, &secret).as_ref(), Some(&clear), "{suite:?} {sequence}");
            assert_eq!(b.open(&mut secret.clone()), Opened::Replayed);
        }
    }
}

#[test]
fn a_single_bit_that_was_changed_is_noticed_and_the_packet_is_left_as_it_came() {
    for suite in SUITES {
        let (mut a, mut b) = pair(suite);
        let secret = sealed(&mut a, &packet(9, 7));
        for at in 0..secret.len() * 8 {
            let mut bad = secret.clone();
            bad[at / 8] ^= 1 << (at % 8);
            let as_it_came = bad.clone();
            assert_eq!(b.open(&mut bad), Opened::Forged, "{suite:?} bit {at}");
            assert_eq!(bad, as_it_came);
        }
        for length in 0..secret.len() {
            assert_eq!(b.open(&mut secret[..length].to_vec()), Opened::Forged);
        }
        assert!(opened(&mut b, &secret).is_some(), "the genuine one still counts");
    }
}

#[test]
fn ten_thousand_bad_tags_change_nothing() {
    let mut random = SmallRng::seed_from_u64(11);
    for suite in SUITES {
        let (mut a, mut b) = pair(suite);
        assert!(opened(&mut b, &sealed(&mut a, &packet(1, 7))).is_some());
        for _ in 0..10_000 {
            let mut garbage = vec![0; random.random_range(0..300)];
            random.fill_bytes(&mut garbage);
            if let Some(first) = garbage.first_mut() {
                *first = 0x80 | *first & 0x1F;
            }
            if garbage.len() > 12 && random.random_bool(0.5) {
                garbage[8..12].copy_from_slice(&7_u32.to_be_bytes());
            }
            assert_eq!(b.open(&mut garbage), Opened::Forged);
        }
        assert_eq!(b.receive.as_ref().unwrap().sources.iter().flatten().count(), 1, "no state for strangers");
        assert!(opened(&mut b, &sealed(&mut a, &packet(2, 7))).is_some());
    }
}

#[test]
fn sequence_numbers_wrap_in_any_order_and_the_rollover_follows() {
    for suite in SUITES {
        let (mut a, mut b) = pair(suite);
        let far = (0..200_000_u32).step_by(10_000);
        let wraps = [65_536, 131_072].into_iter().flat_map(|wrap| wrap - 8..wrap + 8);
        let mut numbers: Vec<u32> = far.chain(wraps).collect();
        numbers.sort_unstable();
        let mut packets: Vec<Vec<u8>> =
            numbers.iter().map(|n| sealed(&mut a, &packet(*n as u16, 7))).collect();
        // Those around the wraps come in pieces turned round.
        for (numbers, packets) in numbers.chunks(4).zip(packets.chunks_mut(4)) {
            if numbers[3..].iter().all(|last| last - numbers[0] < 4) {
                packets.reverse();
            }
        }
        assert!(packets.iter().all(|p| opened(&mut b, p).is_some()), "{suite:?}");
        assert!(packets.iter().all(|p| opened(&mut b, p).is_none()), "{suite:?}: nothing twice");
    }
}

#[test]
fn who_joins_late_or_missed_half_an_hour_finds_the_rollover() {
    for suite in SUITES {
        let (mut a, mut b) = pair(suite);
        let mut heard = 0;
        for n in (0..140_000_u32).filter(|n| n % 20_000 < 5) {
            let secret = sealed(&mut a, &packet(n as u16, 7));
            if !(5..120_000).contains(&n) {
                assert!(opened(&mut b, &secret).is_some(), "{suite:?} {n}");
                heard += 1;
            }
        }
        assert_eq!(heard, 10);
    }
}

#[test]
fn other_ssrcs_have_numbers_of_their_own_and_the_oldest_makes_room() {
    let (mut a, mut b) = pair(SrtpSuite::AesCm128HmacSha1_80);
    for ssrc in 0..200 {
        // Each of ours is made by a session of its own, since ours has one SSRC.
        let mut fresh = SrtpSession::new(&a.send.key, &a.receive.as_ref().unwrap().keys[0].key).unwrap();
        assert!(opened(&mut b, &sealed(&mut fresh, &packet(60_000, ssrc))).is_some());
    }
    assert_eq!(b.receive.as_ref().unwrap().sources.iter().flatten().count(), SOURCES);
    assert!(opened(&mut b, &sealed(&mut a, &packet(60_001, 199))).is_some());
}

#[test]
fn nothing_is_ever_sealed_twice_under_one_index() {
    let (mut a, _) = pair(SrtpSuite::AesCm128HmacSha1_80);
    assert!(!sealed(&mut a, &packet(10, 7)).is_empty());
    assert!(sealed(&mut a, &packet(10, 7)).is_empty());
    assert!(!sealed(&mut a, &packet(12, 7)).is_empty());
    assert!(!sealed(&mut a, &packet(11, 7)).is_empty(), "late, but new");
    assert!(sealed(&mut a, &packet(11, 7)).is_empty());
    let worn = key(SrtpSuite::AesCm128HmacSha1_80, 3).lasting(2);
    let mut a = SrtpSession::new(&worn, &worn).unwrap();
    let sent = (0..5).filter(|n| !sealed(&mut a, &packet(*n, 7)).is_empty()).count();
    assert_eq!(sent, 2, "a key that is worn out protects nothing any more");
}

#[test]
fn a_new_key_takes_over_and_the_old_one_opens_what_was_on_its_way() {
    for suite in SUITES {
        let (mut a, mut b) = pair(suite);
        let numbers = (0..69_990).step_by(9_000).chain(69_990..70_000_u32);
        let before: Vec<_> = numbers.map(|n| sealed(&mut a, &packet(n as u16, 7))).collect();
        assert!(before[..8].iter().all(|p| opened(&mut b, p).is_some()));
        // A new key of a's alone: b's own stays, with its counters.
        let (new, theirs) = (key(suite, 50), b.send.key.clone());
        let mut a2 = SrtpSession::new(&new, &theirs).unwrap();
        a2.continues(&mut a);
        let mut b2 = SrtpSession::new(&theirs, &new).unwrap();
        b2.continues(&mut b);
        let fresh: Vec<_> = (4_464..4_700_u16).map(|n| sealed(&mut a2, &packet(n, 7))).collect();
        assert!(opened(&mut b2, &fresh[0]).is_some(), "{suite:?}");
        assert!(opened(&mut b2, &before[13]).is_some(), "{suite:?}: it was on its way");
        assert!(fresh[1..].iter().all(|p| opened(&mut b2, p).is_some()));
        assert!(opened(&mut b2, &before[14]).is_none(), "{suite:?}: by now nothing old is on its way");
        // The same keys again, as every re-INVITE says them: nothing begins anew, nothing can be replayed.
        let mut b3 = SrtpSession::new(&theirs, &new).unwrap();
        b3.continues(&mut b2);
        assert!(fresh.iter().all(|p| opened(&mut b3, p).is_none()));
    }
}

#[test]
fn rtcp_is_opened_once_only_encrypted_and_its_index_grows() {
    let clear = bytes("80c90001 00000007 81ca0002 00000007 01016100");
    for suite in SUITES {
        let (mut a, mut b) = pair(suite);
        for _ in 0..200 {
            let mut buffer = [0; 100];
            buffer[..clear.len()].copy_from_slice(&clear);
            let length = a.seal_rtcp(&mut buffer, clear.len());
            assert!(length <= clear.len() + OVERHEAD);
            for at in [0, 9, length - 1, length - 5] {
                let mut bad = buffer[..length].to_vec();
                bad[at] ^= 0x20;
                assert_ne!(b.open_rtcp(&mut bad), Opened::Genuine(clear.len()));
            }
            assert_eq!(
                b.open_rtcp(&mut buffer[..length].to_vec()),
                Opened::Genuine(clear.len()),
                "{suite:?}"
            );
            assert_eq!(b.open_rtcp(&mut buffer[..length].to_vec()), Opened::Replayed);
        }
        assert_eq!(b.open_rtcp(&mut clear.clone()), Opened::Forged, "{suite:?}: in clear");
    }
}

#[test]
fn a_header_with_sources_and_an_extension_stays_readable() {
    for suite in SUITES {
        let (mut a, mut b) = pair(suite);
        let mut clear = bytes("9200 0001 00000001 00000007 00000001 00000002 BEDE0001 11223344 01020304");
        let secret = sealed(&mut a, &clear);
        assert_eq!(secret[..28], clear[..28]);
        assert_ne!(secret[28..32], clear[28..]);
        assert_eq!(opened(&mut b, &secret).as_ref(), Some(&clear));
        // An extension that claims more than there is.
        clear[22] = 0xFF;
        assert!(sealed(&mut a, &clear).is_empty());
        assert_eq!(b.open(&mut clear), Opened::Forged);
    }
}

#[test]
fn a_key_cannot_be_printed() {
    let key = key(SrtpSuite::AeadAes256Gcm, 0x41);
    assert_eq!(format!("{key:?}"), "SrtpKey(AeadAes256Gcm, [redacted])");
    assert!(SrtpKey::new(SrtpSuite::AeadAes256Gcm, &[0; 43]).is_none());
    assert!(SrtpKey::new(SrtpSuite::AesCm128HmacSha1_80, &[0; 31]).is_none());
}

/// A key as the far end names it: number and bytes.
fn named(suite: SrtpSuite, seed: u8, value: u64, length: usize) -> SrtpKey {
    key(suite, seed).named(value, length).unwrap()
}

#[test]
fn a_key_that_packets_name_is_found_by_its_name_in_both_kinds_of_packet() {
    let report = bytes("80c90001 00000007 81ca0002 00000007 01016100");
    for suite in SUITES {
        for length in [1, 4, 8] {
            let (first, second) = (named(suite, 1, 1, length), named(suite, 2, 2, length));
            let theirs = key(suite, 99);
            let mut b = SrtpSession::with_keys(&theirs, &[first.clone(), second.clone()]).unwrap();
            let mut plain = SrtpSession::new(&key(suite, 1), &theirs).unwrap();
            for (at, ours) in [&first, &second, &first].into_iter().enumerate() {
                let mut a = SrtpSession::new(ours, &theirs).unwrap();
                let clear = packet(at as u16 + 1, 7);
                let secret = sealed(&mut a, &clear);
                assert_eq!(secret.len(), sealed(&mut plain, &clear).len() + length, "{suite:?}");
                assert_eq!(opened(&mut b, &secret), Some(clear), "{suite:?} {length} {at}");
                assert_eq!(b.open(&mut secret.clone()), Opened::Replayed, "one list for all keys");
                let mut buffer = [0; 100];
                buffer[..report.len()].copy_from_slice(&report);
                a.send.rtcp_index = at as u32 + 1;
                let sealed = a.seal_rtcp(&mut buffer, report.len());
                assert!(sealed <= report.len() + OVERHEAD);
                assert_eq!(b.open_rtcp(&mut buffer[..sealed]), Opened::Genuine(report.len()));
                assert_eq!(buffer[..report.len()], report);
            }
        }
    }
}

#[test]
fn a_packet_that_names_no_key_or_another_is_not_opened() {
    for suite in SUITES {
        let theirs = key(suite, 99);
        let mut b = SrtpSession::with_keys(&theirs, &[named(suite, 1, 1, 4), named(suite, 2, 2, 4)]).unwrap();
        for wrong in [key(suite, 1), named(suite, 1, 3, 4), named(suite, 1, 2, 4), named(suite, 1, 1, 2)] {
            let mut a = SrtpSession::new(&wrong, &theirs).unwrap();
            let mut secret = sealed(&mut a, &packet(1, 7));
            let before = secret.clone();
            assert_eq!(b.open(&mut secret), Opened::Forged, "{suite:?} {wrong:?}");
            assert_eq!(secret, before, "left as it came");
        }
        for length in 0..40 {
            assert_eq!(b.open(&mut vec![0x80; length]), Opened::Forged);
            assert_eq!(b.open_rtcp(&mut vec![0x80; length]), Opened::Forged);
        }
    }
    assert!(key(SUITES[0], 1).named(256, 1).is_none() && key(SUITES[0], 1).named(1, 9).is_none());
    assert!(key(SUITES[0], 1).named(1, 0).is_none() && key(SUITES[0], 1).named(u64::MAX, 8).is_some());
}

#[test]
fn a_key_that_gets_a_name_goes_on_counting_and_never_repeats_an_index() {
    for suite in SUITES {
        let theirs = key(suite, 99);
        let mut before = SrtpSession::new(&key(suite, 1), &theirs).unwrap();
        assert!(!sealed(&mut before, &packet(5, 7)).is_empty());
        let mut after = SrtpSession::new(&named(suite, 1, 1, 4), &theirs).unwrap();
        after.continues(&mut before);
        assert!(sealed(&mut after, &packet(5, 7)).is_empty(), "the same keystream would be used twice");
        assert!(!sealed(&mut after, &packet(6, 7)).is_empty());
    }
}

#[test]
fn fresh_keys_are_wanted_before_a_key_is_worn_out_whichever_end_uses_it() {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    for receives in [false, true] {
        let (mine, theirs) = (key(suite, 1).lasting(1 << 10), key(suite, 99));
        let mut a = SrtpSession::new(&mine, &theirs).unwrap();
        let mut b = SrtpSession::new(&theirs, &mine).unwrap();
        let mut wanted = Vec::new();
        for sequence in 0..1_100_u16 {
            let secret = sealed(&mut a, &packet(sequence, 7));
            assert_eq!(secret.is_empty(), sequence >= 1 << 10, "{sequence}");
            let genuine = opened(&mut b, &secret).is_some();
            assert_eq!(genuine, !secret.is_empty());
            let session = if receives { &mut b } else { &mut a };
            if session.wants_fresh_keys() {
                wanted.push(sequence + 1);
            }
        }
        assert_eq!(wanted, [960, 976, 992, 1008, 1024]);
    }
    // By default that is beyond any call.
    assert!(!is_aging(1 << 40, MAX_PACKETS) && is_aging(MAX_PACKETS / 16 * 15, MAX_PACKETS));
    assert!(is_aging((1 << 20) / 16 * 15, 1 << 20) && !is_aging(1 << 19, 1 << 20));
}
