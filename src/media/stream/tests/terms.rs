//! What offer and answer say of the sound, kept: silence, packet lengths, Opus' parameters, and changes in the middle of a
//! call that nobody hears.

use super::*;

#[test]
fn a_silence_that_was_described_sounds_as_described_and_speech_ends_it() {
    let (_, mut b) = pair(Codec::Pcma);
    let (mut packet, mut frame, mut levels) = ([0; 1_472], [0; FRAME], Vec::new());
    for n in 0..250_u16 {
        // A second of speech, three of silence with a word about it each half second, and speech again.
        let speaks = !(50..200).contains(&n);
        let word = n == 50 || (n % 25 == 0 && !speaks);
        let tone: Vec<u8> = (0..160).map(|at| if at % 20 < 10 { 0xB5 } else { 0x35 }).collect();
        let head = Packet {
            marker: n == 200,
            payload_type: if speaks { 8 } else { 13 },
            sequence: if n >= 200 {
                n - 144
            } else if speaks {
                n
            } else {
                50 + (n - 50) / 25
            },
            timestamp: u32::from(n) * 160,
            ssrc: 5,
            payload: if speaks { &tone } else { &[50] },
        };
        if speaks || word {
            let length = rtp::write(&mut packet, &head);
            b.receive(tick(n.into()), A.parse().unwrap(), &packet[..length]);
        }
        hear(&mut b, tick(n.into()), &mut frame);
        levels.push(level_dbfs(&frame));
    }
    assert!(levels[20..45].iter().all(|level| *level > -30.0), "{levels:?}");
    assert!(levels[60..195].iter().all(|level| (-54.0..-46.0).contains(level)), "{levels:?}");
    assert!(levels[215..].iter().all(|level| *level > -30.0), "{levels:?}");
    assert!(b.figures().concealed <= 2 && b.figures().lost == 0, "{:?}", b.figures());
}

#[test]
fn comfort_noise_is_no_loss_and_no_refusal() {
    let (_, mut b) = pair(Codec::Pcma);
    let (mut packet, mut frame) = ([0; 1_472], [0; FRAME]);
    for n in 0..50_u16 {
        let quiet = n % 5 == 4;
        let payload = [0xD5; 160];
        let head = Packet {
            marker: false,
            payload_type: if quiet { 13 } else { 8 },
            sequence: n,
            timestamp: u32::from(n) * 160,
            ssrc: 5,
            payload: if quiet { &payload[..1] } else { &payload },
        };
        let length = rtp::write(&mut packet, &head);
        b.receive(tick(n.into()), A.parse().unwrap(), &packet[..length]);
        hear(&mut b, tick(n.into()), &mut frame);
    }
    assert_eq!((b.figures().lost, b.figures().refused, b.figures().packets), (0, 0, 50));
}

/// Sends a tone under these terms; gives the packets with the ticks at which they went.
fn sent(config: StreamConfig, ticks: u64, level: f32) -> (Vec<(u64, Vec<u8>)>, Vec<i16>) {
    let (mut a, mut b) = pair(config.codec);
    a.reconfigure(Duration::ZERO, StreamConfig { remote: B.parse().unwrap(), ..config });
    let mut sine = Sine::new(400, level);
    let (mut frame, mut packet) = ([0; FRAME], [0; 1_472]);
    let (mut packets, mut heard) = (Vec::new(), Vec::new());
    for n in 0..ticks {
        sine.fill(&mut frame);
        if level <= -90.0 {
            frame.fill(0);
        }
        let length = a.push(tick(n), &frame, &mut packet);
        if length > 0 {
            b.receive(tick(n), A.parse().unwrap(), &packet[..length]);
            packets.push((n, packet[..length].to_vec()));
        }
        hear(&mut b, tick(n), &mut frame);
        heard.extend(frame);
    }
    (packets, heard)
}

#[test]
fn packets_are_as_long_as_the_far_end_asks() {
    for codec in CODECS {
        for frames in 1..=3_u8 {
            let config = StreamConfig { frames, ..StreamConfig::new(B.parse().unwrap(), codec) };
            let (packets, heard) = sent(config, 120, -15.0);
            assert_eq!(packets.len(), 120 / usize::from(frames), "{codec:?} {frames}");
            let ticks = codec.clock_hz() / 50 * u32::from(frames);
            let read: Vec<_> = packets.iter().map(|(_, packet)| rtp::read(packet).unwrap()).collect();
            for two in read.windows(2) {
                assert_eq!(two[1].timestamp.wrapping_sub(two[0].timestamp), ticks);
                assert_eq!(two[1].sequence, two[0].sequence.wrapping_add(1));
                assert_eq!(duration_ticks(codec, two[1].payload), ticks);
            }
            let level = tone_level_dbfs(&heard[40 * FRAME..], 48_000, 400.0);
            assert!((level - -15.0).abs() < 1.0, "{codec:?} {frames}: {level} dB");
        }
    }
}

#[test]
fn a_far_end_that_wants_no_silence_gets_none_and_the_time_goes_on() {
    let terms = |dtx| OpusTerms { dtx, ..OpusTerms::default() };
    let config =
        |dtx| StreamConfig { opus: terms(dtx), ..StreamConfig::new(B.parse().unwrap(), Codec::Opus) };
    assert_eq!(sent(config(false), 200, -90.0).0.len(), 200);
    let (packets, _) = sent(config(true), 200, -90.0);
    assert!(packets.len() < 40, "{} packets of silence", packets.len());
    for two in packets.windows(2) {
        let [first, second] = [&two[0], &two[1]];
        let (a, b) = (rtp::read(&first.1).unwrap(), rtp::read(&second.1).unwrap());
        assert_eq!(b.timestamp.wrapping_sub(a.timestamp), 960 * (second.0 - first.0) as u32);
        assert_eq!((b.sequence, b.marker), (a.sequence.wrapping_add(1), second.0 > first.0 + 1));
    }
    assert_eq!(sent(config(true), 100, -15.0).0.len(), 100, "speech is sent");
}

#[test]
fn opus_takes_no_more_bits_than_the_far_end_wants() {
    let bits = |opus| {
        let config = StreamConfig { opus, ..StreamConfig::new(B.parse().unwrap(), Codec::Opus) };
        let (packets, _) = sent(config, 150, -15.0);
        packets[50..].iter().map(|(_, packet)| packet.len() - RTP_HEADER).sum::<usize>() * 8 / 2
    };
    let usual = bits(OpusTerms::default());
    let narrow = bits(OpusTerms { playback_hz: 8_000, ..OpusTerms::default() });
    let few = bits(OpusTerms { bitrate_max: Some(8_000), ..OpusTerms::default() });
    assert!(few < 10_000 && narrow < usual, "{usual}, narrow {narrow}, few {few}");
    let config = StreamConfig {
        opus: OpusTerms { cbr: true, ..OpusTerms::default() },
        ..StreamConfig::new(B.parse().unwrap(), Codec::Opus)
    };
    let (packets, _) = sent(config, 50, -15.0);
    assert!(
        packets.iter().all(|(_, packet)| packet.len() == packets[0].1.len()),
        "each is as long as the other"
    );
}

#[test]
fn another_codec_or_address_in_the_middle_of_a_call_makes_no_click() {
    for (from, to) in [(Codec::Pcmu, Codec::Opus), (Codec::Opus, Codec::Pcma), (Codec::G722, Codec::G722)] {
        let (mut a, mut b) = pair(from);
        let mut sine = Sine::new(400, -15.0);
        let (mut frame, mut packet) = ([0; FRAME], [0; 1_472]);
        let mut heard: Vec<i16> = Vec::new();
        let moved = "192.0.2.7:4000";
        for n in 0..100 {
            if n == 50 {
                // The packets under way are of the old kind, and lost.
                a.reconfigure(
                    tick(n),
                    StreamConfig { codec: to, ..StreamConfig::new(B.parse().unwrap(), to) },
                );
                b.reconfigure(tick(n), StreamConfig::new(moved.parse().unwrap(), to));
            }
            sine.fill(&mut frame);
            let length = a.push(tick(n), &frame, &mut packet);
            let source = if n < 50 { A } else { moved };
            b.receive(tick(n), source.parse().unwrap(), &packet[..length]);
            hear(&mut b, tick(n), &mut frame);
            heard.extend(frame);
        }
        let steepest = |sound: &[i16]| {
            sound.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap()
        };
        let usual = steepest(&heard[30 * FRAME..45 * FRAME]);
        let change = steepest(&heard[48 * FRAME..60 * FRAME]);
        assert!(change <= usual * 3 / 2, "{from:?} to {to:?}: {change} against {usual}");
        assert!(tone_level_dbfs(&heard[70 * FRAME..], 48_000, 400.0) > -17.0, "{from:?} to {to:?}");
    }
}
