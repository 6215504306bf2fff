//! Sounds from files as people make them, and files that are none.

use super::*;
use ogg::writing::{PacketWriteEndInfo, PacketWriter};

/// A second of 440 Hz as an Ogg file with Opus, 312 samples of it not for ears, and so many channels said in its head.
fn ogg(channels: u8) -> Vec<u8> {
    let both = if channels == 2 { opusic_c::Channels::Stereo } else { opusic_c::Channels::Mono };
    let mut encoder =
        opusic_c::Encoder::new(both, opusic_c::SampleRate::Hz48000, opusic_c::Application::Audio).unwrap();
    let mut pages = PacketWriter::new(Vec::new());
    let mut head = b"OpusHead\x01".to_vec();
    head.extend([channels, 56, 1, 0x80, 0xbb, 0, 0, 0, 0, 0]);
    pages.write_packet(head, 7, PacketWriteEndInfo::EndPage, 0).unwrap();
    let comments = b"OpusTags\0\0\0\0\0\0\0\0".to_vec();
    pages.write_packet(comments, 7, PacketWriteEndInfo::EndPage, 0).unwrap();
    for nth in 0..51_u64 {
        let sample = |at: u64| (at as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin() * 0.25;
        let frame: Vec<f32> = (nth * 960..(nth + 1) * 960)
            .flat_map(|at| vec![sample(at); usize::from(channels.clamp(1, 2))])
            .collect();
        let mut packet = vec![0; 1_275];
        let length = encoder.encode_float_to_slice(&frame, &mut packet).unwrap();
        packet.truncate(length);
        let (end, position) = match nth {
            50 => (PacketWriteEndInfo::EndStream, 48_000 + 312),
            _ => (PacketWriteEndInfo::NormalPacket, (nth + 1) * 960),
        };
        pages.write_packet(packet, 7, end, position).unwrap();
    }
    pages.into_inner()
}

/// How often the sound crosses zero upwards: its pitch in a second.
fn pitch(samples: &[i16]) -> usize {
    samples.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count()
}

#[test]
fn opus_in_ogg_is_read_to_the_sample_and_two_channels_become_one() {
    for channels in [1, 2] {
        let (samples, rate) = samples_of(&ogg(channels)).unwrap();
        assert_eq!((samples.len(), rate), (48_000, 48_000), "what is not for ears is left out at both ends");
        assert!((435..=445).contains(&pitch(&samples)), "{}", pitch(&samples));
        let loudest = samples.iter().skip(4_800).map(|s| s.unsigned_abs()).max().unwrap();
        assert!((6_000..=11_000).contains(&loudest), "{loudest}");
    }
}

#[test]
fn a_file_that_is_no_sound_is_refused_with_words_and_never_a_panic() {
    let whole = ogg(1);
    let mut vorbis = whole.clone();
    let at = vorbis.windows(8).position(|bytes| bytes == b"OpusHead").unwrap();
    vorbis[at..at + 8].copy_from_slice(b"\x01vorbis\0");
    let mut chances = vec![Vec::new(), b"OggS".to_vec(), b"RIFF".to_vec(), vec![0; 500], vorbis, ogg(3)];
    chances.extend((1..whole.len()).step_by(97).map(|length| whole[..length].to_vec()));
    for at in (0..whole.len()).step_by(53) {
        let mut bent = whole.clone();
        bent[at] ^= 0x55;
        chances.push(bent);
    }
    for bytes in &chances {
        match samples_of(bytes) {
            Ok((samples, _)) => assert!(samples.len() <= 51 * 960, "cut short, what there is is played"),
            Err(error) => assert!(!format!("{error:#}").is_empty()),
        }
    }
    for nonsense in &chances[..6] {
        assert!(samples_of(nonsense).is_err(), "{nonsense:.20?}");
    }
}

#[test]
fn lots_that_name_one_file_share_what_was_made_of_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("moh.opus"), ogg(2)).unwrap();
    let text = "[[lots]]\nname='a'\nparkpos='701-702'\nmusic='moh.opus'\n\
                [[lots]]\nname='b'\nparkext='710'\nparkpos='711-712'\nmusic='moh.opus'";
    let config: LotConfig = toml::from_str(text).unwrap();
    let sounds = load_sounds(&config, folder.path()).unwrap();
    let of = |lot: &str| sounds.music.iter().find(|piece| piece.lot.as_deref() == Some(lot)).unwrap();
    assert!(std::ptr::eq(of("a").music.samples(), of("b").music.samples()));
    std::fs::write(folder.path().join("moh.opus"), b"OggS nothing").unwrap();
    let error = load_sounds(&config, folder.path()).err().unwrap();
    assert!(format!("{error:#}").contains("music") && format!("{error:#}").contains("moh.opus"), "{error:#}");
}
