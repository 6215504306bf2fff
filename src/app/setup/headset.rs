//! The headset, tried before any call: a tone in the ear, a meter for the microphone.

use super::ask::Asker;
use crate::app::settings::start_sound;
use crate::config::Config;
use crate::io::sound::MediaHandle;
use crate::media::{Codec, Command, Cue, Report, Role, Source, StreamConfig, StreamId};
use crate::parking::Text;
use std::io::{IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long a device may take to open.
const OPEN_PATIENCE: Duration = Duration::from_secs(4);
/// How long the microphone is listened to.
const METER_LASTS: Duration = Duration::from_secs(5);
/// Louder than this it is a voice and not the room, in dB below full scale.
const VOICE_DBFS: f32 = -45.0;
/// The width of the meter.
const METER: usize = 30;

/// Plays a tone and shows what the microphone hears, as often as that is wished.
///
/// # Errors
/// When nobody can be asked any more.
pub(super) fn test(asker: &Asker, config: &Config) -> color_eyre::Result<()> {
    loop {
        let sound = once(asker, config)?;
        if sound
            || asker.is_unasked()
            || !asker.yes("Plug it in or choose it in the system's settings: try again?", false)?
        {
            return Ok(());
        }
    }
}

/// Whether both were found and heard.
fn once(asker: &Asker, config: &Config) -> color_eyre::Result<bool> {
    let heard = Arc::new(Notify::new());
    let (media, why) = start_sound(config, None, Ipv4Addr::LOCALHOST.into(), None, heard);
    let Some(media) = media else {
        asker.say(&format!("There is no sound: {}.", why.unwrap_or_default()))?;
        return Ok(false);
    };
    let mut test =
        Test { media, ports: Vec::new(), headset: None, microphone: None, loudest: f32::NEG_INFINITY };
    asker.say("A tone sounds in the headset now.")?;
    test.media.send(Command::Play { cue: Cue::RingBack });
    test.listen(OPEN_PATIENCE, |test| test.headset.is_some(), false);
    test.listen(Duration::from_secs(3), |_| false, false);
    test.media.send(Command::Play { cue: Cue::Off });
    let ear = name(asker, "The headset", &test.headset)?;
    let ear = ear && asker.yes("Did you hear it?", true)?;
    asker.say("Say something: this is what the microphone hears.")?;
    test.open_microphone();
    test.listen(OPEN_PATIENCE, |test| test.microphone.is_some(), false);
    test.listen(METER_LASTS, |_| false, std::io::stdout().is_terminal());
    let microphone = name(asker, "The microphone", &test.microphone)?;
    if microphone && test.loudest < VOICE_DBFS {
        asker.say(
            "It heard next to nothing: is it muted, or another one meant? [sound] headset_in names it.",
        )?;
    }
    Ok(ear && microphone && test.loudest >= VOICE_DBFS)
}

type Named = Option<Result<String, String>>;

struct Test {
    media: MediaHandle,
    ports: Vec<u16>,
    headset: Named,
    microphone: Named,
    loudest: f32,
}

impl Test {
    /// Takes what the sound threads say until `done`, or until `patience` is over; with a meter if that can be drawn.
    fn listen(&mut self, patience: Duration, done: impl Fn(&Self) -> bool, meter: bool) {
        let began = Instant::now();
        while began.elapsed() < patience && !done(self) {
            while let Some(report) = self.media.try_recv() {
                self.take(report, meter);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if meter {
            let _ = writeln!(std::io::stdout());
        }
    }

    fn take(&mut self, report: Report, meter: bool) {
        match report {
            Report::PortsBound { ports } => self.ports.extend(ports),
            Report::DeviceReady { role: Role::Headset, name, .. } => self.headset = Some(Ok(name)),
            Report::DeviceReady { role: Role::Microphone, name, .. } => self.microphone = Some(Ok(name)),
            Report::NoDevice { role: Role::Headset, reason } => self.headset = Some(Err(reason)),
            Report::NoDevice { role: Role::Microphone, reason } => self.microphone = Some(Err(reason)),
            Report::Levels { microphone_dbfs, .. } => {
                self.loudest = self.loudest.max(microphone_dbfs);
                if meter {
                    let _ = write!(std::io::stdout(), "\r{}", bar(microphone_dbfs));
                    let _ = std::io::stdout().flush();
                }
            }
            _ => {}
        }
    }

    /// A stream that goes nowhere but to ourselves: the microphone is open as long as one is sent.
    fn open_microphone(&mut self) {
        let [port, other] = match self.ports.as_slice() {
            [port, other, ..] => [*port, *other],
            _ => return,
        };
        let stream = StreamId(1);
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, other));
        self.media.send(Command::Open { stream, port });
        self.media.send(Command::Configure { stream, config: StreamConfig::new(nobody, Codec::Pcma) });
        self.media.send(Command::Send { stream, source: Source::Headset });
    }
}

/// Says which device it is, or why there is none; whether there is one.
fn name(asker: &Asker, what: &str, named: &Named) -> color_eyre::Result<bool> {
    let said = match named {
        Some(Ok(name)) => format!("{what} is “{}”.", Text::new(name)),
        Some(Err(reason)) => format!("{what} can't be used: {}.", Text::new(reason)),
        None => format!("{what} did not open."),
    };
    asker.say(&said)?;
    Ok(matches!(named, Some(Ok(_))))
}

/// `▕▇▇▇      ▏ −30 dB`.
fn bar(dbfs: f32) -> String {
    let share = ((dbfs + 60.0) / 60.0).clamp(0.0, 1.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and METER")]
    let full = (share * METER as f32).round() as usize;
    format!("▕{}{}▏ {dbfs:>4.0} dB", "▇".repeat(full), " ".repeat(METER - full.min(METER)))
}
