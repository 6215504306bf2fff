//! Offers and answers as real phones and servers send them, and hostile ones.

use super::*;

fn local(codecs: &[Codec], direction: Direction) -> LocalMedia {
    LocalMedia {
        address: [10, 0, 0, 5].into(),
        port: 40_000,
        codecs: codecs.to_vec(),
        redundancy: false,
        direction,
        session_id: 7,
        version: 1,
        security: LocalSecurity::default(),
    }
}

fn ours() -> LocalMedia {
    local(&Codec::ALL, Direction::SendRecv)
}

/// Asterisk 22's offer with all its codecs, from the captures.
const ASTERISK: &str = "v=0\r\no=- 501596381 501596381 IN IP4 127.0.0.1\r\ns=Asterisk\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 20546 RTP/AVP 0 8 9 107 101 103\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:9 G722/8000\r\n\
    a=rtpmap:107 opus/48000/2\r\na=fmtp:107 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n\
    a=rtpmap:103 telephone-event/48000\r\na=fmtp:103 0-16\r\na=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\n";

/// As baresip offers, with video and a label.
const BARESIP: &str = "v=0\r\no=- 2839462 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
    a=tool:baresip 1.0.0\r\nm=video 30002 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n\
    m=audio 30000 RTP/AVP 96 0 8 97\r\nb=AS:125\r\na=rtpmap:96 opus/48000/2\r\n\
    a=fmtp:96 stereo=1;sprop-stereo=1;useinbandfec=1\r\na=rtpmap:97 telephone-event/48000\r\na=sendrecv\r\na=label:1\r\n\
    a=rtcp-rsize\r\na=ssrc:1 cname:sip:a@b\r\na=ptime:20\r\n";

fn text(sdp: &[u8]) -> String {
    String::from_utf8(sdp.to_vec()).unwrap()
}

#[test]
fn our_offer_names_everything_and_can_be_answered_by_ourselves() {
    let offered = offer(&ours());
    let shown = text(&offered);
    for line in [
        "m=audio 40000 RTP/AVP 107 9 0 8 102 101",
        "a=rtpmap:107 opus/48000/2",
        "a=fmtp:107 useinbandfec=1;minptime=10;x-dred=1",
        "a=rtpmap:102 telephone-event/48000",
        "a=rtpmap:101 telephone-event/8000",
        "a=ptime:20",
        "a=sendrecv",
    ] {
        assert!(shown.contains(&format!("{line}\r\n")), "{line} in {shown}");
    }
    assert_eq!(codecs_of(&offered), Codec::ALL);
    let far = LocalMedia { port: 50_000, ..local(&[Codec::Pcma], Direction::SendRecv) };
    let (answered, theirs) = answer(&offered, &far).unwrap();
    let mine = accept(&ours(), &answered).unwrap();
    assert_eq!((mine.codec, theirs.codec), (Codec::Pcma, Codec::Pcma));
    assert_eq!((mine.remote.port(), theirs.remote.port()), (50_000, 40_000));
    assert_eq!((mine.dtmf_payload_type, mine.dtmf_receive_payload_type), (Some(101), Some(101)));
}

#[test]
fn packets_are_sent_again_where_both_sides_say_so() {
    let mine = LocalMedia { redundancy: true, ..ours() };
    let offered = offer(&mine);
    let shown = text(&offered);
    assert!(shown.contains("a=rtpmap:108 red/48000/2\r\na=fmtp:108 107/107/107/107\r\n"), "{shown}");
    assert!(
        shown.contains("red/8000") && shown.matches("red/").count() == 2,
        "for one more, of G.711: {shown}"
    );
    assert_eq!(codecs_of(&offered), Codec::ALL);
    let far = LocalMedia { port: 50_000, ..mine.clone() };
    let (answered, theirs) = answer(&offered, &far).unwrap();
    let agreed = accept(&mine, &answered).unwrap();
    for red in [&theirs, &agreed] {
        assert_eq!((red.red_payload_type, red.red_receive_payload_type), (Some(108), Some(108)));
    }
    let (answered, theirs) = answer(&offered, &ours()).unwrap();
    assert!(!text(&answered).contains("red/"));
    assert_eq!((theirs.red_payload_type, accept(&mine, &answered).unwrap().red_payload_type), (None, None));
    let mixed = shown.replace("107/107/107/107", "107/0");
    assert_eq!(answer(mixed.as_bytes(), &far).unwrap().1.red_payload_type, None, "of one codec only");
}

#[test]
fn asterisks_offer_is_answered_with_its_own_numbers() {
    let (answered, agreed) = answer(ASTERISK.as_bytes(), &ours()).unwrap();
    assert_eq!(codecs_of(ASTERISK.as_bytes()), [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus]);
    assert_eq!((agreed.codec, agreed.payload_type, agreed.dtmf_payload_type), (Codec::Opus, 107, Some(103)));
    assert!(agreed.opus.fec && agreed.ptime_ms == 20);
    assert!(text(&answered).contains("m=audio 40000 RTP/AVP 107 103\r\n"));
    let (_, narrow) = answer(ASTERISK.as_bytes(), &local(&[Codec::Pcma], Direction::SendRecv)).unwrap();
    assert_eq!((narrow.payload_type, narrow.dtmf_payload_type), (8, Some(101)));
}

#[test]
fn video_is_refused_in_its_place() {
    let (answered, agreed) = answer(BARESIP.as_bytes(), &ours()).unwrap();
    let lines: Vec<_> = text(&answered).lines().filter(|l| l.starts_with("m=")).map(str::to_owned).collect();
    assert_eq!(lines, ["m=video 0 RTP/AVP 99", "m=audio 40000 RTP/AVP 96 97"]);
    assert_eq!(agreed.remote.to_string(), "192.0.2.7:30000");
}

#[test]
fn every_way_to_hold_is_mirrored() {
    for (line, direction, mirrored) in [
        ("a=sendonly", Direction::RecvOnly, "a=recvonly"),
        ("a=recvonly", Direction::SendOnly, "a=sendonly"),
        ("a=inactive", Direction::Inactive, "a=inactive"),
        ("a=sendrecv", Direction::SendRecv, "a=sendrecv"),
    ] {
        let (answered, agreed) = answer(ASTERISK.replace("a=sendrecv", line).as_bytes(), &ours()).unwrap();
        assert_eq!(agreed.direction, direction);
        assert!(text(&answered).contains(mirrored));
        let at_session = ASTERISK.replace("a=sendrecv\r\n", "").replace("t=0 0", &format!("t=0 0\r\n{line}"));
        assert_eq!(answer(at_session.as_bytes(), &ours()).unwrap().1.direction, direction);
    }
    let old = ASTERISK.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0");
    let (_, agreed) = answer(old.as_bytes(), &ours()).unwrap();
    assert_eq!(agreed.direction, Direction::RecvOnly, "nothing is sent to 0.0.0.0");
    let held = local(&Codec::ALL, Direction::SendOnly);
    let inactive = ASTERISK.replace("a=sendrecv", "a=sendonly");
    assert_eq!(answer(inactive.as_bytes(), &held).unwrap().1.direction, Direction::Inactive);
    assert_eq!(Direction::SendOnly.reversed(), Direction::RecvOnly);
}

#[test]
fn static_numbers_need_no_rtpmap_and_a_rtpmap_overrules_them() {
    let plain = "v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nc=IN IP6 ::1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0\r\n";
    let (answered, agreed) = answer(plain.as_bytes(), &ours()).unwrap();
    assert_eq!((agreed.codec, agreed.dtmf_payload_type), (Codec::Pcmu, None));
    assert_eq!(agreed.remote.to_string(), "[::1]:4000");
    assert!(!text(&answered).contains("telephone-event"));
    let other = format!("{plain}a=rtpmap:0 G722/8000\r\n");
    assert_eq!(codecs_of(other.as_bytes()), [Codec::Pcma, Codec::G722]);
}

#[test]
fn an_answer_with_numbers_of_its_own_is_understood() {
    let answered = ASTERISK
        .replace("0 8 9 107 101 103", "96 97")
        .replace("rtpmap:107", "rtpmap:96")
        .replace("fmtp:107", "fmtp:96")
        .replace(":103", ":97");
    let agreed = accept(&ours(), answered.as_bytes()).unwrap();
    assert_eq!((agreed.payload_type, agreed.receive_payload_type), (96, 107));
    assert_eq!((agreed.dtmf_payload_type, agreed.dtmf_receive_payload_type), (Some(97), Some(102)));
}

#[test]
fn what_cannot_be_used_is_refused_in_words() {
    let cases: [(String, SdpRefusal); 9] = [
        (ASTERISK.replace("m=audio 20546", "m=audio 0"), SdpRefusal::NoAudio),
        (ASTERISK.replace("m=audio", "m=video"), SdpRefusal::NoAudio),
        (ASTERISK.replace("RTP/AVP", "RTP/SAVP"), SdpRefusal::SecureOff),
        (ASTERISK.replace(" 0 8 9 107 101 103", " 18 101"), SdpRefusal::NoCodec),
        (ASTERISK.replace("c=IN IP4 127.0.0.1", "c=IN IP4 224.0.0.1"), SdpRefusal::NoAddress),
        (ASTERISK.replace("c=IN IP4 127.0.0.1", "c=IN IP4 255.255.255.255"), SdpRefusal::NoAddress),
        (ASTERISK.replace("c=IN IP4 127.0.0.1\r\n", ""), SdpRefusal::NoAddress),
        (ASTERISK.replace("c=IN IP4 127.0.0.1", "c=IN IP4 host.example"), SdpRefusal::NoAddress),
        (format!("{ASTERISK}{}", "a=x\r\n".repeat(600)), SdpRefusal::TooLarge),
    ];
    for (sdp, refusal) in cases {
        assert_eq!(answer(sdp.as_bytes(), &ours()).unwrap_err(), refusal, "{sdp}");
    }
    for sdp in [&b""[..], b"\0", b"v=1\r\n", b"v=0\r\nm=audio 99999 RTP/AVP 0\r\n", b"hello"] {
        let refusal = answer(sdp, &ours()).unwrap_err();
        assert!(matches!(refusal.status(), 400 | 488) && !refusal.to_string().is_empty());
    }
    let words = answer(b"v=\x1b[2J\xff\r\n", &ours()).unwrap_err().to_string();
    assert!(words.chars().all(|c| matches!(c, ' '..='~')), "no bytes of the sender's: {words:?}");
    assert_eq!(answer(&vec![b'a'; MAX_SDP + 1], &ours()).unwrap_err(), SdpRefusal::TooLarge);
    let many = format!("{ASTERISK}{}", "m=audio 1 RTP/AVP 0\r\n".repeat(MAX_MEDIA));
    assert_eq!(answer(many.as_bytes(), &ours()).unwrap_err(), SdpRefusal::TooLarge);
}

#[test]
fn an_answer_must_fit_the_offer() {
    for (sdp, refusal) in [
        (ASTERISK.replace("m=audio", "m=video"), SdpRefusal::NotOurOffer),
        (ASTERISK.replace("m=audio 20546", "m=audio 0"), SdpRefusal::NoAudio),
        ("v=0\r\ns=-\r\n".to_owned(), SdpRefusal::NotOurOffer),
    ] {
        assert_eq!(accept(&ours(), sdp.as_bytes()).unwrap_err(), refusal);
    }
}

#[test]
fn what_the_far_end_wants_of_opus_is_read_and_nonsense_is_not() {
    let read = |fmtp: &str| {
        let offer = format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 96\r\n\
             a=rtpmap:96 opus/48000/2\r\na=fmtp:96 {fmtp}\r\n"
        );
        answer(offer.as_bytes(), &ours()).unwrap().1.opus
    };
    let none =
        OpusTerms { fec: false, deep: false, dtx: false, cbr: false, bitrate_max: None, playback_hz: 48_000 };
    assert_eq!(read("stereo=1"), none);
    assert_eq!(
        read("maxplaybackrate=16000; UseInbandFec=1; usedtx=1;cbr=1; maxaveragebitrate=20000;x-dred=1"),
        OpusTerms {
            fec: true,
            deep: true,
            dtx: true,
            cbr: true,
            bitrate_max: Some(20_000),
            playback_hz: 16_000
        }
    );
    assert_eq!(read("maxaveragebitrate=1;maxplaybackrate=999999;usedtx=yes;useinbandfec=2;=;;x"), none);
}

#[test]
fn comfort_noise_is_taken_where_it_is_offered_and_never_offered() {
    let offer = |formats: &str| {
        format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP {formats}\r\na=rtpmap:96 opus/48000/2\r\na=ptime:60\r\na=maxptime:40\r\n"
        )
    };
    let says = |formats: &str| {
        let (answered, agreed) = answer(offer(formats).as_bytes(), &ours()).unwrap();
        assert_eq!(agreed.ptime_ms, 40, "no more than it bears");
        String::from_utf8(answered).unwrap().contains("a=rtpmap:13 CN/8000")
    };
    assert!(says("8 13") && !says("8") && !says("96 13"));
    assert!(!String::from_utf8(super::offer(&ours())).unwrap().contains("CN/8000"));
}
