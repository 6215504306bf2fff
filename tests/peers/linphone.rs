//! A real linphone (linphonec, liblinphone 5): a phone that we did not write and that looks at parking through presence. It
//! is told what to do on its standard input, and says what happens on its output.

use super::baresip::on_path;
use super::process::read_text;
use super::{LOOPBACK, free_rtp_range, free_udp_port, wait_for};
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running linphonec.
pub struct Linphone {
    child: Child,
    folder: tempfile::TempDir,
}

impl Linphone {
    /// A phone of that user, whose secret is `USER-secret`, which registers by itself and watches these extensions.
    pub fn start(user: &str, server: SocketAddr, realm: &str, watched: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-linphone-").tempdir().unwrap();
        let file = folder.path().join("linphonerc");
        std::fs::write(&file, configuration(user, server, realm, watched)).unwrap();
        // Where it keeps its databases.
        for made in [".local/share/linphone", ".config/linphone"] {
            std::fs::create_dir_all(folder.path().join(made)).unwrap();
        }
        let log = File::create(folder.path().join("output.txt")).unwrap();
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(on_path("linphonec"))
            .arg("-c")
            .arg(&file)
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("linphonec can't be started: {error}. Run tests/setup.sh first"));
        // There is no sound card: it plays and records files.
        writeln!(child.stdin.as_mut().unwrap(), "soundcard use files").unwrap();
        Self { child, folder }
    }

    /// Types a command.
    pub fn command(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    /// Everything it has said.
    pub fn output(&self) -> String {
        read_text(&self.folder.path().join("output.txt"))
    }

    pub fn count(&self, text: &str) -> usize {
        self.output().matches(text).count()
    }

    /// Waits until it has said this so often.
    pub fn wait(&self, text: &str, times: usize, timeout: Duration) {
        if wait_for(timeout, || (self.count(text) >= times).then_some(())).is_none() {
            panic!("linphonec never said “{text}” {times} times:\n{}", self.output());
        }
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(user: &str, server: SocketAddr, realm: &str, watched: &[&str]) -> String {
    let (sip, rtp) = (free_udp_port(LOOPBACK), free_rtp_range(LOOPBACK, 2));
    let mut text = format!(
        "[sip]\nsip_port={sip}\nsip_tcp_port=0\nsip_tls_port=0\ndefault_proxy=0\nuse_ipv6=0\nipv6_migration_done=1\n\
         register_only_when_network_is_up=0\nguess_hostname=0\nbind_address={LOOPBACK}\n\
         [rtp]\naudio_rtp_port={rtp}\n[net]\nmtu=0\n\
         [proxy_0]\nreg_proxy=<sip:{server};transport=udp>\nreg_route=<sip:{server};transport=udp;lr>\n\
         reg_identity=sip:{user}@{server}\nreg_expires=3600\nreg_sendregister=1\npublish=0\n\
         [auth_info_0]\nusername={user}\npasswd={user}-secret\nrealm={realm}\n"
    );
    for (nth, extension) in watched.iter().enumerate() {
        text += &format!(
            "[friend_{nth}]\nurl=\"{extension}\" <sip:{extension}@{server}>\npol=accept\nsubscribe=1\n"
        );
    }
    text
}
