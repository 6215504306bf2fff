//! Recording a call: the media thread puts what both sides say into a ring and never waits; a thread for each recording
//! takes it out and writes the file ([`file`]). A full disk ends the recording, never the call.

mod file;

use super::Wake;
use crate::media::{FRAME, Pattern, Report, StreamId};
use file::TapeFile;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// Samples of both sides in a frame: left is us, right is them.
pub(super) const BOTH: usize = 2 * FRAME;
/// Sound that may wait for the disk: 4 s. Beyond, it is left out and counted.
const RING: usize = 200 * BOTH;
/// How often the ring is emptied.
const ROUND: Duration = Duration::from_millis(100);
/// Most recordings at a time.
const RECORDINGS_MAX: usize = 8;

/// The file's format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Opus in Ogg (RFC 7845), about 15 MB an hour.
    #[default]
    Opus,
    /// PCM, 16 bits, 16 kHz: 230 MB an hour, and readable by everything.
    Wav,
}

/// Where recordings go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recordings {
    /// The folder; it is made (0700) where it isn't there.
    pub folder: PathBuf,
    /// Of new ones.
    pub format: Format,
    /// Whether both sides hear a tone while it records.
    pub tone: bool,
}

/// The media thread's end of a recording.
pub(super) struct Tape {
    ring: rtrb::Producer<i16>,
    tone: Option<Pattern>,
    /// The tone of this tick.
    pub beep: [i16; FRAME],
    /// Frames the ring had no room for.
    lost: u32,
}

impl Tape {
    /// Makes this tick's part of the tone.
    pub(super) fn advance(&mut self) {
        if let Some(tone) = &mut self.tone {
            self.beep.fill(0);
            tone.mix_into(&mut self.beep);
        }
    }

    /// Takes 20 ms of both sides.
    pub(super) fn take(&mut self, us: &[i16; FRAME], them: &[i16; FRAME]) {
        let Ok(mut chunk) = self.ring.write_chunk(BOTH) else {
            self.lost = self.lost.saturating_add(1);
            return;
        };
        let (first, second) = chunk.as_mut_slices();
        let both = us.iter().zip(them).flat_map(|(us, them)| [*us, *them]);
        for (place, sample) in first.iter_mut().chain(second).zip(both) {
            *place = sample;
        }
        chunk.commit_all();
    }
}

/// The owner's end of all recordings.
pub(super) struct Tapes {
    recordings: Option<Recordings>,
    reports: Sender<Report>,
    wake: Wake,
    running: Vec<std::thread::JoinHandle<()>>,
}

impl Tapes {
    pub(super) fn new(recordings: Option<Recordings>, reports: Sender<Report>, wake: Wake) -> Self {
        Self { recordings, reports, wake, running: Vec::new() }
    }

    /// Begins one: the file is made by its own thread, which tells. `None` where none may be made, which is told, too.
    pub(super) fn begin(&mut self, stream: StreamId, label: &str) -> Option<Box<Tape>> {
        self.running.retain(|thread| !thread.is_finished());
        let refused = match &self.recordings {
            None => "there is no folder for recordings",
            Some(_) if self.running.len() >= RECORDINGS_MAX => "too many recordings at once",
            Some(_) => "",
        };
        let Some(recordings) = self.recordings.clone().filter(|_| refused.is_empty()) else {
            self.tell(Report::RecordingFailed { stream, file: None, reason: refused.to_owned() });
            return None;
        };
        let (ring, end) = rtrb::RingBuffer::new(RING);
        let tone = recordings.tone.then(Pattern::recording);
        let (reports, wake, label) = (self.reports.clone(), self.wake.clone(), label.to_owned());
        let thread = std::thread::Builder::new().name("recording".into()).spawn(move || {
            let report = write(stream, &recordings, &label, end, &reports, &wake);
            let _ = reports.send(report);
            wake();
        });
        match thread {
            Ok(thread) => self.running.push(thread),
            Err(error) => {
                let reason = error.to_string();
                self.tell(Report::RecordingFailed { stream, file: None, reason });
                return None;
            }
        }
        Some(Box::new(Tape { ring, tone, beep: [0; FRAME], lost: 0 }))
    }

    fn tell(&self, report: Report) {
        let _ = self.reports.send(report);
        (self.wake)();
    }

    /// Waits until every file is whole; the media thread must have let its ends go.
    pub(super) fn finish(&mut self) {
        for thread in self.running.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Writes one recording from its beginning to its end; the report says how it went.
fn write(
    stream: StreamId,
    recordings: &Recordings,
    label: &str,
    mut ring: rtrb::Consumer<i16>,
    reports: &Sender<Report>,
    wake: &Wake,
) -> Report {
    let failed = |file: Option<&TapeFile>, error: &std::io::Error| Report::RecordingFailed {
        stream,
        file: file.map(TapeFile::name),
        reason: file::words(error),
    };
    let mut file = match TapeFile::create(recordings, label) {
        Ok(file) => file,
        Err(error) => return failed(None, &error),
    };
    let _ = reports.send(Report::RecordingStarted { stream, file: file.name() });
    wake();
    let mut both = [0; BOTH];
    loop {
        // Looked at before the ring is: what comes after is the next round's.
        let over = ring.is_abandoned();
        while ring.pop_entire_slice(&mut both).is_ok() {
            if let Err(error) = file.put(&both) {
                return failed(Some(&file), &error);
            }
        }
        if over {
            break;
        }
        std::thread::sleep(ROUND);
    }
    match file.finish() {
        Ok(()) => Report::RecordingEnded { stream, file: file.name() },
        Err(error) => failed(Some(&file), &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};

    fn tapes(folder: PathBuf, format: Format) -> (Tapes, Receiver<Report>) {
        let (reports, told) = channel();
        let recordings = Recordings { folder, format, tone: true };
        (Tapes::new(Some(recordings), reports, Arc::new(|| {})), told)
    }

    fn told(reports: &Receiver<Report>) -> Report {
        reports.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    /// Three seconds of 440 Hz on our side and 1 kHz on theirs, and then its end.
    fn record(format: Format, folder: &std::path::Path) -> PathBuf {
        let (mut tapes, reports) = tapes(folder.join("calls"), format);
        let mut tape = tapes.begin(StreamId(3), "Jane/../Döe \u{202e}\n0161").unwrap();
        let (mut us, mut them) = (crate::media::Sine::new(440, -20.0), crate::media::Sine::new(1_000, -30.0));
        let (mut ours, mut theirs) = ([0; FRAME], [0; FRAME]);
        for _ in 0..150 {
            us.fill(&mut ours);
            them.fill(&mut theirs);
            tape.take(&ours, &theirs);
        }
        assert_eq!(tape.lost, 0);
        drop(tape);
        tapes.finish();
        let Report::RecordingStarted { file, .. } = told(&reports) else { panic!("it begins") };
        assert!(matches!(told(&reports), Report::RecordingEnded { .. }));
        let path = PathBuf::from(file);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.contains("Jane") && name.contains("0161"), "{name}");
        assert!(!name.contains("..") && !name.contains('\u{202e}'), "{name}");
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        path
    }

    #[test]
    fn a_wav_file_has_us_on_the_left_and_them_on_the_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = record(Format::Wav, folder.path());
        let mut reader = hound::WavReader::open(path).unwrap();
        assert_eq!((reader.spec().channels, reader.spec().sample_rate), (2, 16_000));
        let samples: Vec<i16> = reader.samples::<i16>().map(Result::unwrap).collect();
        assert!(samples.len().abs_diff(2 * 48_000) < 200, "{}", samples.len());
        let side = |at| samples.iter().skip(at).step_by(2).copied().collect::<Vec<i16>>();
        let level = |side: &[i16], hz| crate::media::tone_level_dbfs(side, 16_000, hz);
        assert!((level(&side(0), 440.0) - -20.0).abs() < 0.5);
        assert!((level(&side(1), 1_000.0) - -30.0).abs() < 0.5);
        assert!(level(&side(0), 1_000.0) < -55.0);
    }

    #[test]
    fn an_opus_file_is_whole_and_plays_as_long_as_the_call() {
        let folder = tempfile::tempdir().unwrap();
        let path = record(Format::Opus, folder.path());
        let mut reader = ogg::PacketReader::new(std::fs::File::open(path).unwrap());
        let head = reader.read_packet().unwrap().unwrap();
        assert!(head.data.starts_with(b"OpusHead") && head.data[9] == 2);
        let skip = u16::from_le_bytes([head.data[10], head.data[11]]);
        assert!(reader.read_packet().unwrap().unwrap().data.starts_with(b"OpusTags"));
        let (stereo, rate) = (opusic_c::Channels::Stereo, opusic_c::SampleRate::Hz48000);
        let mut decoder = opusic_c::Decoder::new(stereo, rate).unwrap();
        let (mut sound, mut end) = (Vec::new(), 0);
        while let Some(packet) = reader.read_packet().unwrap() {
            let mut frame = [0.0; BOTH];
            let count = decoder.decode_float_to_slice(&packet.data, &mut frame, false).unwrap();
            sound.extend(frame[..2 * count].iter().map(|sample| (sample * 32_768.0) as i16));
            end = packet.absgp_page();
        }
        assert_eq!(end, 150 * FRAME as u64 + u64::from(skip), "the last page says how long it is");
        let left: Vec<i16> = sound.iter().step_by(2).copied().skip(48_000).take(48_000).collect();
        assert!((crate::media::tone_level_dbfs(&left, 48_000, 440.0) - -20.0).abs() < 2.0);
    }

    #[test]
    fn without_a_folder_nothing_is_recorded_and_that_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "").unwrap();
        let (mut tapes, reports) = tapes(blocked.join("calls"), Format::Opus);
        let tape = tapes.begin(StreamId(1), "x");
        assert!(matches!(told(&reports), Report::RecordingFailed { file: None, .. }));
        drop(tape);
        tapes.recordings = None;
        assert!(tapes.begin(StreamId(1), "x").is_none());
        assert!(matches!(told(&reports), Report::RecordingFailed { .. }));
    }

    #[test]
    fn a_disk_that_does_not_keep_up_costs_sound_of_the_recording_and_no_waiting() {
        let (ring, _end) = rtrb::RingBuffer::new(3 * BOTH);
        let mut tape = Tape { ring, tone: None, beep: [0; FRAME], lost: 0 };
        for _ in 0..5 {
            tape.take(&[1; FRAME], &[2; FRAME]);
        }
        assert_eq!(tape.lost, 2);
    }

    /// The disk, a tenth of a megabyte, in a mount namespace of its own: the child is this very program.
    #[test]
    fn on_a_full_disk_the_recording_ends_and_what_there_is_stays_whole() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        std::fs::create_dir(&disk).unwrap();
        let script = "mount -t tmpfs -o size=100k tmpfs \"$1\" && exec \"$2\" --exact --ignored \
                      io::sound::tape::tests::records_until_the_disk_is_full";
        let done = std::process::Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
            .arg(&disk)
            .arg(std::env::current_exe().unwrap())
            .env("PARKDECK_TEST_DISK", &disk)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
        assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"), "the child did run");
    }

    #[test]
    #[ignore = "the test above starts it on a disk of its own"]
    fn records_until_the_disk_is_full() {
        let disk = PathBuf::from(std::env::var_os("PARKDECK_TEST_DISK").unwrap());
        for format in [Format::Wav, Format::Opus] {
            let (mut tapes, reports) = tapes(disk.join(format!("{format:?}")), format);
            let mut tape = tapes.begin(StreamId(1), "Jane").unwrap();
            let mut sound = [0; FRAME];
            let mut loud = crate::media::Sine::new(700, -6.0);
            let report = loop {
                loud.fill(&mut sound);
                tape.take(&sound, &[0; FRAME]);
                match reports.try_recv() {
                    Ok(Report::RecordingStarted { .. }) => {}
                    Ok(report) => break report,
                    Err(_) if tape.ring.slots() < BOTH => std::thread::sleep(Duration::from_millis(5)),
                    Err(_) => {}
                }
            };
            let Report::RecordingFailed { file: Some(file), reason, .. } = report else {
                panic!("{report:?}")
            };
            assert_eq!(reason, "the disk is full");
            // No part of a second that lost its rest, and nothing that a player stumbles over.
            match format {
                Format::Wav => {
                    let mut reader = hound::WavReader::open(&file).unwrap();
                    assert!(reader.samples::<i16>().map(Result::unwrap).count() > 16_000);
                }
                Format::Opus => {
                    let mut reader = ogg::PacketReader::new(std::fs::File::open(&file).unwrap());
                    let mut packets = 0;
                    while reader.read_packet().unwrap().is_some() {
                        packets += 1;
                    }
                    assert!(packets > 50, "{packets}");
                }
            }
            std::fs::remove_file(file).unwrap();
        }
    }
}
