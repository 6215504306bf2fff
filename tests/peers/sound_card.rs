//! A sound card without hardware: PulseAudio in a folder of its own, two null sinks, and ALSA's way to them.
//! Into the microphone a tone is played; what the headset plays is recorded.

use super::baresip::on_path;
use super::process::Process;
use super::tone::{RATE, tone_ms};
use super::{wait_for, wait_until};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A running sound card.
pub struct SoundCard {
    // Before the folder: the processes must be gone when it is removed.
    _recorder: Process,
    _server: Process,
    folder: tempfile::TempDir,
}

impl SoundCard {
    /// Starts one; whoever speaks into its microphone says a tone of `hz`.
    pub fn start(hz: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-card-").tempdir().unwrap();
        write_files(folder.path(), hz);
        let script = folder.path().join("card.pa").to_string_lossy().into_owned();
        let arguments = [
            "-n",
            "-F",
            &script,
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--use-pid-file=no",
            "--disable-shm=yes",
            "--resample-method=speex-float-1",
        ];
        let server = start(folder.path(), "pulseaudio", &arguments);
        wait_until("PulseAudio", Duration::from_secs(20), || {
            command(folder.path(), "pactl").arg("info").output().ok()?.status.success().then_some(())
        });
        let rate = format!("--rate={RATE}");
        let ear = folder.path().join("ear.raw").to_string_lossy().into_owned();
        let arguments = [
            "--device=ear.monitor",
            &rate,
            "--channels=1",
            "--format=s16le",
            "--raw",
            "--latency-msec=50",
            &ear,
        ];
        let recorder = start(folder.path(), "parec", &arguments);
        Self { _recorder: recorder, _server: server, folder }
    }

    /// What a program needs in its environment to take this for the machine's sound card.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        environment(self.folder.path())
    }

    /// Everything that the headset has played, 8 kHz.
    pub fn played(&self) -> Vec<i16> {
        let bytes = std::fs::read(self.folder.path().join("ear.raw")).unwrap_or_default();
        bytes.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect()
    }

    /// Waits until a tone of `hz` has been heard in the headset for 300 ms, counted from now.
    pub fn hears(&self, hz: f64, timeout: Duration) -> bool {
        let before = self.played().len();
        wait_for(timeout, || (tone_ms(&self.played()[before..], hz) >= 300).then_some(())).is_some()
    }

    /// Listens for `listen` and says whether the tone was absent from the headset all that time.
    pub fn hears_nothing_of(&self, hz: f64, listen: Duration) -> bool {
        let before = self.played().len();
        std::thread::sleep(listen);
        tone_ms(&self.played()[before..], hz) == 0
    }
}

fn start(folder: &Path, program: &str, arguments: &[&str]) -> Process {
    let home = ("HOME", folder.to_string_lossy().into_owned());
    let variables =
        environment(folder).into_iter().chain([home]).map(|(name, value)| format!("{name}={value}"));
    let program = on_path(program).to_string_lossy().into_owned();
    let output = folder.join(format!("{}.txt", Path::new(&program).file_name().unwrap().to_string_lossy()));
    // env replaces itself by the program, so the pid is the program's.
    let arguments: Vec<String> =
        variables.chain([program]).chain(arguments.iter().map(|a| (*a).to_string())).collect();
    Process::start(&on_path("env"), &arguments, folder, &output)
}

fn command(folder: &Path, program: &str) -> Command {
    let mut command = Command::new(on_path(program));
    command.env("HOME", folder).envs(environment(folder));
    command
}

fn environment(folder: &Path) -> Vec<(&'static str, String)> {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    vec![
        ("PULSE_SERVER", format!("unix:{}", path("native"))),
        ("PULSE_COOKIE", path("cookie")),
        ("PULSE_RUNTIME_PATH", path("runtime")),
        ("PULSE_STATE_PATH", path("state")),
        ("ALSA_CONFIG_PATH", format!("/usr/share/alsa/alsa.conf:{}", path("asound.conf"))),
    ]
}

fn write_files(folder: &Path, hz: u32) {
    for name in ["runtime", "state"] {
        let path: PathBuf = folder.join(name);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    std::fs::write(folder.join("cookie"), [7; 256]).unwrap();
    // A null sink without norewinds sleeps in blocks of up to two seconds.
    let script = format!(
        "load-module module-native-protocol-unix socket={own}/native auth-anonymous=1\n\
         load-module module-null-sink norewinds=1 sink_name=ear rate=48000 channels=2\n\
         load-module module-null-sink norewinds=1 sink_name=mic rate=48000 channels=1\n\
         load-module module-sine sink=mic frequency={hz}\n\
         set-sink-volume mic 0xa000\n\
         set-default-sink ear\nset-default-source mic.monitor\n",
        own = folder.display()
    );
    std::fs::write(folder.join("card.pa"), script).unwrap();
    let alsa = "pcm.!default { type asym\n  playback.pcm { type pulse device \"ear\" }\n  \
                capture.pcm { type pulse device \"mic.monitor\" }\n  \
                hint { show on description \"Test headset\" } }\nctl.!default { type pulse }\n";
    std::fs::write(folder.join("asound.conf"), alsa).unwrap();
}
