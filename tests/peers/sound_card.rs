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
    server: Process,
    folder: tempfile::TempDir,
}

impl SoundCard {
    /// Starts one; whoever speaks into its microphone says a tone of `hz`.
    pub fn start(hz: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-card-").tempdir().unwrap();
        write_files(folder.path(), hz);
        let server = start_server(folder.path());
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
        Self { _recorder: recorder, server, folder }
    }

    /// What a program needs in its environment to take this for the machine's sound card.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        environment(self.folder.path())
    }

    /// Unplugs headset and microphone: the server goes on without them.
    pub fn unplug(&self) {
        for name in ["sink_name=ear ", "source_name=microphone", "module-sine", "sink_name=mic "] {
            let modules = self.pactl(&["list", "short", "modules"]);
            let number = modules.lines().find(|line| format!("{line} ").contains(name));
            let number = number.and_then(|line| line.split_whitespace().next());
            self.pactl(&["unload-module", number.unwrap_or_else(|| panic!("{name} in {modules}"))]);
        }
    }

    /// Plugs them in again.
    pub fn plug(&self, hz: u32) {
        for module in modules(hz) {
            self.load(&module);
        }
    }

    /// Plugs something else in: the arguments of the server's `load-module`.
    pub fn load(&self, module: &str) {
        let arguments: Vec<&str> = std::iter::once("load-module").chain(module.split_whitespace()).collect();
        self.pactl(&arguments);
    }

    /// The sound server dies.
    pub fn end_server(&mut self) {
        self.server.kill();
    }

    /// And is started again, with everything plugged in.
    pub fn restart_server(&mut self) {
        let _ = std::fs::remove_file(self.folder.path().join("native"));
        self.server = start_server(self.folder.path());
    }

    fn pactl(&self, arguments: &[&str]) -> String {
        let done = command(self.folder.path(), "pactl").args(arguments).output().unwrap();
        assert!(done.status.success(), "pactl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
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

fn start_server(folder: &Path) -> Process {
    let script = folder.join("card.pa").to_string_lossy().into_owned();
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
    let server = start(folder, "pulseaudio", &arguments);
    wait_until("PulseAudio", Duration::from_secs(20), || {
        command(folder, "pactl").arg("info").output().ok()?.status.success().then_some(())
    });
    server
}

/// Headset and microphone as the server's modules. A null sink without norewinds sleeps in blocks of up to two seconds; a
/// monitor is no microphone, but something made of it is.
fn modules(hz: u32) -> Vec<String> {
    vec![
        "module-null-sink norewinds=1 sink_name=ear rate=48000 channels=2".to_owned(),
        "module-null-sink norewinds=1 sink_name=mic rate=48000 channels=1".to_owned(),
        format!("module-sine sink=mic frequency={hz}"),
        "module-remap-source master=mic.monitor source_name=microphone".to_owned(),
    ]
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
    let load: String = modules(hz).iter().map(|module| format!("load-module {module}\n")).collect();
    let script = format!(
        "load-module module-native-protocol-unix socket={}/native auth-anonymous=1\n{load}\
         set-sink-volume mic 0xa000\nset-default-sink ear\nset-default-source microphone\n",
        folder.display()
    );
    std::fs::write(folder.join("card.pa"), script).unwrap();
    let alsa = "pcm.!default { type asym\n  playback.pcm { type pulse device \"ear\" }\n  \
                capture.pcm { type pulse device \"mic.monitor\" }\n  \
                hint { show on description \"Test headset\" } }\nctl.!default { type pulse }\n";
    std::fs::write(folder.join("asound.conf"), alsa).unwrap();
}
