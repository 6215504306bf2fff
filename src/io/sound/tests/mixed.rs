//! Streams that take each other's sound, or a recording's, and what is recorded of them.

use super::*;

#[test]
fn a_bridge_forwards_the_same_codec_at_once_and_transcodes_another() {
    for (left, right) in [(Codec::Pcmu, Codec::Pcmu), (Codec::Opus, Codec::Opus), (Codec::Pcma, Codec::Opus)]
    {
        let (mut caller, mut lot, mut phone) = (Side::local(1), Side::local(2), Side::local(1));
        let (in_caller, lot_left) = call(&mut caller, &mut lot, left);
        let (in_phone, lot_right) = call(&mut phone, &mut lot, right);
        assert!(lot.handle.send(Command::Bridge { a: lot_left, b: lot_right }));
        caller.send(in_caller, tone(600));
        phone.send(in_phone, tone(900));
        caller.meter(in_caller);
        phone.meter(in_phone);
        phone.hears_tone(in_phone, 600);
        caller.hears_tone(in_caller, 900);
        for key in ['1', '#'] {
            assert!(caller.handle.send(Command::Digit { stream: in_caller, digit: key }));
            // What goes on is for the lot to say: it may be part of a code.
            lot.until("the key", |side| side.heard.contains(&Report::Digit { stream: lot_left, digit: key }));
            assert!(lot.handle.send(Command::Digit { stream: lot_right, digit: key }));
            phone.until("the key", |side| {
                side.heard.contains(&Report::Digit { stream: in_phone, digit: key })
            });
        }
        let keys = phone.heard.iter().filter(|report| matches!(report, Report::Digit { .. })).count();
        assert_eq!(keys, 2, "each once");
        // One side goes: the other hears silence and then music, and nothing breaks.
        assert!(lot.handle.send(Command::Close { stream: lot_left }));
        let sine: Vec<i16> = (0..8_000)
            .map(|at| (9_000.0 * (std::f32::consts::TAU * 320.0 * at as f32 / 8_000.0).sin()) as i16)
            .collect();
        lot.send(lot_right, Source::Music(Music::new(&sine, 8_000)));
        phone.hears_tone(in_phone, 320);
        assert_eq!(phone.figures(in_phone).lost, 0, "{left:?} {right:?}");
    }
}

#[test]
fn a_bridge_of_one_codec_passes_payloads_untouched_and_at_once() {
    let mut lot = Side::local(2);
    let far = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    let (caller, phone) = (far(), far());
    let ((left, address), (right, _)) = (lot.open(), lot.open());
    lot.configure(left, caller.local_addr().unwrap(), Codec::Opus);
    lot.configure(right, phone.local_addr().unwrap(), Codec::Opus);
    assert!(lot.handle.send(Command::Bridge { a: left, b: right }));
    lot.listen_for(Duration::from_millis(100));
    let mut waits = Vec::new();
    let mut heads = Vec::new();
    for n in 0..60_u8 {
        let mut packet = [0x80, 111, 0, n, 0, 0, n, 0, 1, 2, 3, 4, n, 7, 7, 7, n];
        let start = Instant::now();
        caller.send_to(&packet, address).unwrap();
        let length = phone.recv(&mut packet).unwrap();
        waits.push(start.elapsed());
        assert_eq!(packet[12..length], [n, 7, 7, 7, n]);
        heads.push((u16::from_be_bytes([packet[2], packet[3]]), packet[8..12].to_vec()));
        std::thread::sleep(Duration::from_millis(3));
    }
    waits.sort_unstable();
    assert!(waits[30] < Duration::from_millis(5), "half wait {:?}: that is the tick", waits[30]);
    assert!(heads.windows(2).all(|w| w[1].0 == w[0].0.wrapping_add(1) && w[1].1 == w[0].1));
    assert_ne!(heads[0].1, [1, 2, 3, 4], "the far end's own number is not passed on");
}

#[test]
fn a_prompt_plays_once_and_says_so() {
    let (mut a, mut b) = (Side::local(1), Side::local(1));
    let (in_a, in_b) = call(&mut a, &mut b, Codec::Pcmu);
    b.meter(in_b);
    let sine: Vec<i16> = (0..48_000)
        .map(|at| (9_000.0 * (std::f32::consts::TAU * 440.0 * at as f32 / 48_000.0).sin()) as i16)
        .collect();
    a.send(in_a, Source::Prompt(Clip::new(&sine, 48_000)));
    b.hears_tone(in_b, 440);
    a.until("the end", |side| side.heard.contains(&Report::PromptEnded { stream: in_a }));
    b.until("silence", |side| side.figures(in_b).level_dbfs < -60.0);
}

#[test]
fn joined_callers_hear_each_other_and_the_microphone_until_one_leaves() {
    let (mut us, mut them) = (Side::local(4), Side::local(4));
    let (jane, far_jane) = call(&mut us, &mut them, Codec::Opus);
    let (bob, far_bob) = call(&mut us, &mut them, Codec::Pcmu);
    them.send(far_jane, tone(500));
    them.send(far_bob, tone(900));
    them.meter(far_jane);
    them.meter(far_bob);
    for (stream, other) in [(jane, bob), (bob, jane)] {
        us.send(stream, Source::Joined(other));
        assert!(us.handle.send(Command::Hear { stream, sink: Sink::Headset }));
    }
    them.hears_tone(far_jane, 900);
    them.hears_tone(far_bob, 500);
    assert!(us.handle.send(Command::Close { stream: bob }));
    them.until("silence for who is left", |side| side.figures(far_jane).tone_hz.is_none());
}

#[test]
fn a_recording_has_both_sides_and_is_whole_when_the_call_ends() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = Recordings { folder: folder.path().to_owned(), format: Format::Wav, tone: false };
    let options = SoundOptions {
        recordings: Some(recordings),
        ..SoundOptions::silent(Ipv4Addr::LOCALHOST.into(), 4, 42)
    };
    let (mut us, mut them) = (Side::with(options), Side::local(4));
    let (stream, far) = call(&mut us, &mut them, Codec::Opus);
    us.send(stream, tone(600));
    them.send(far, tone(1_200));
    us.meter(stream);
    us.hears_tone(stream, 1_200);
    assert!(us.handle.send(Command::Record { stream, label: "Jane".into() }));
    us.until("the file", |side| {
        side.heard.iter().any(|report| matches!(report, Report::RecordingStarted { .. }))
    });
    us.listen_for(Duration::from_millis(1_200));
    assert!(us.handle.send(Command::Close { stream }));
    us.until("its end", |side| {
        side.heard.iter().any(|report| matches!(report, Report::RecordingEnded { .. }))
    });
    let file = std::fs::read_dir(folder.path()).unwrap().flatten().next().unwrap().path();
    let mut reader = hound::WavReader::open(file).unwrap();
    let samples: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
    assert!(samples.len() > 2 * 12_000, "{}", samples.len());
    let side = |at| samples[8_000..].iter().skip(at).step_by(2).copied().collect::<Vec<i16>>();
    let level = |at, hz| crate::media::tone_level_dbfs(&side(at), 16_000, hz);
    assert!(
        level(0, 600.0) > -22.0 && level(1, 1_200.0) > -24.0,
        "{} {}",
        level(0, 600.0),
        level(1, 1_200.0)
    );
    assert!(level(0, 1_200.0) < -40.0 && level(1, 600.0) < -40.0, "each side on its own track");
}
