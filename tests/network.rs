//! The ground moves under a running call: the console's computer gets another address. Two network namespaces with a
//! cable between them, the lot and a colleague in one, the receptionist in the other; the real binaries, no help. And a
//! server with two addresses, the first of which is dead.
//!
//! Wants root and `ip` (package iproute2), as CI has; without them it fails, it never skips.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what helps a test may fail it"
)]

#[path = "peers/mod.rs"]
mod peers;

use peers::process::{Process, read_text};
use peers::pty::{Terminal, TerminalOptions};
use peers::wait_until;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const PARKDECK: &str = env!("CARGO_BIN_EXE_parkdeck");
/// What should be there at once may take this long on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// How long everything may take to come back after the address has changed: a look around, a REGISTER, a re-INVITE.
const COMES_BACK: Duration = Duration::from_secs(40);
const OFFICE: &str = "10.77.0.1";

fn ip(arguments: &[&str]) -> String {
    let done = Command::new("ip").args(arguments).output().expect("ip is there (package iproute2)");
    let words = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "ip {}: {words} (network namespaces want root)", arguments.join(" "));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Two computers and a cable.
struct Cable {
    office: String,
    reception: String,
}

impl Cable {
    fn lay() -> Self {
        static CABLES: AtomicU32 = AtomicU32::new(0);
        let name = format!("pd{}-{}", std::process::id(), CABLES.fetch_add(1, Ordering::Relaxed));
        let cable = Self { office: format!("{name}o"), reception: format!("{name}r") };
        for namespace in [&cable.office, &cable.reception] {
            ip(&["netns", "add", namespace]);
            ip(&["-n", namespace, "link", "set", "lo", "up"]);
        }
        ip(&["-n", &cable.office, "link", "add", "wire", "type", "veth", "peer", "name", "plug"]);
        ip(&["-n", &cable.office, "link", "set", "plug", "netns", &cable.reception]);
        ip(&["-n", &cable.office, "addr", "add", &format!("{OFFICE}/24"), "dev", "wire"]);
        ip(&["-n", &cable.office, "link", "set", "wire", "up"]);
        ip(&["-n", &cable.reception, "link", "set", "plug", "up"]);
        cable
    }

    fn give(&self, address: &str) {
        ip(&["-n", &self.reception, "addr", "add", &format!("{address}/24"), "dev", "plug"]);
    }

    fn take(&self, address: &str) {
        ip(&["-n", &self.reception, "addr", "del", &format!("{address}/24"), "dev", "plug"]);
    }

    /// Packets that the receptionist's computer has received and sent.
    fn packets(&self) -> (u64, u64) {
        let text = ip(&["netns", "exec", &self.reception, "cat", "/proc/net/dev"]);
        let line = text.lines().find_map(|line| line.trim().strip_prefix("plug:")).unwrap();
        let figures: Vec<u64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
        (figures[1], figures[9])
    }

    /// Sound goes both ways, and goes on doing so.
    fn carries_sound(&self, within: Duration) {
        wait_until("fifty packets a second, both ways", within, || {
            let before = self.packets();
            std::thread::sleep(Duration::from_secs(2));
            let after = self.packets();
            (after.0 - before.0 >= 60 && after.1 - before.1 >= 60).then_some(())
        });
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for namespace in [&self.office, &self.reception] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).status();
        }
    }
}

/// The lot, listening on everything it can.
fn lot(namespace: &str, address: &str, home: &Path) -> Process {
    use std::os::unix::fs::PermissionsExt;
    let file = home.join("lot.toml");
    let user = |name: &str, extension: u32| {
        format!("[[users]]\nname = \"{name}\"\nsecret = \"secret\"\nextension = \"{extension}\"\n")
    };
    let config = format!(
        "listen = \"{address}:5060\"\nlisten_tcp = \"{address}:5060\"\n{}{}[[lots]]\nparkpos = \"701-704\"\n",
        user("reception", 100),
        user("sam", 101)
    );
    std::fs::write(&file, config).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let arguments = ["netns", "exec", namespace, PARKDECK, "lot", "--config", file.to_str().unwrap()];
    let arguments: Vec<String> = arguments.map(str::to_owned).into();
    let process = Process::start(Path::new("ip"), &arguments, home, &home.join("lot.log"));
    wait_until("the lot opens", SOON, || process.output().contains("the lot is open").then_some(()));
    process
}

fn console(namespace: &str, server: &str, user: &str, transport: &str) -> Terminal {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config/parkdeck/config.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let config = format!(
        "[account]\nuser = \"{user}\"\nserver = \"{server}\"\ntransport = \"{transport}\"\n\
         password_env = \"PARKDECK_TEST_PASSWORD\"\n\
         [lot]\ndialect = \"parkdeck\"\nslots = \"701-704\"\n[sound]\nenabled = false\n[log]\nlevel = \"debug\"\n"
    );
    std::fs::write(file, config).unwrap();
    let home: Arc<TempDir> = Arc::new(home);
    TerminalOptions::new(Path::new("ip"))
        .arguments(&["netns", "exec", namespace, PARKDECK])
        .environment("PARKDECK_TEST_PASSWORD", "secret")
        .size(120, 30)
        .home(home)
        .start()
}

fn log_of(terminal: &Terminal) -> String {
    read_text(&terminal.home().path().join("state/parkdeck/parkdeck.log"))
}

fn is_ready(terminal: &Terminal) {
    terminal.wait_line(&["reachable", "lamps fresh"], SOON);
}

fn a_new_address_mid_call(transport: &str) {
    let folder = tempfile::tempdir().unwrap();
    let cable = Cable::lay();
    cable.give("10.77.0.2");
    let lot = lot(&cable.office, OFFICE, folder.path());
    let sam = console(&cable.office, OFFICE, "sam", "udp");
    let reception = console(&cable.reception, OFFICE, "reception", transport);
    is_ready(&sam);
    is_ready(&reception);
    sam.keys("d");
    sam.wait_text("enter call", SOON);
    sam.keys("100<enter>");
    reception.wait_text("sam", SOON);
    reception.keys("<enter>");
    cable.carries_sound(SOON);

    cable.take("10.77.0.2");
    cable.give("10.77.0.3");
    let began = std::time::Instant::now();
    let moved = || lot.output().contains("10.77.0.3").then_some(());
    wait_until("the lot hears of the new address", COMES_BACK, moved);
    let registered = began.elapsed();
    cable.carries_sound(COMES_BACK);
    eprintln!(
        "{transport}: registered from the new address after {registered:?}, sound after {:?}",
        began.elapsed()
    );
    reception.wait_line(&["reachable", "lamps fresh"], COMES_BACK);

    // Sam parks nobody: a lamp that changes now proves that the subscriptions came along.
    reception.keys("p");
    reception.wait_line(&["701", "sam"], SOON);
    is_ready(&reception);
    let log = log_of(&reception);
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn over_udp_a_new_address_mid_call_brings_registration_lamps_and_sound_back_by_themselves() {
    a_new_address_mid_call("udp");
}

#[test]
fn over_tcp_a_new_address_mid_call_brings_registration_lamps_and_sound_back_by_themselves() {
    a_new_address_mid_call("tcp");
}

/// A computer of its own, whose hosts file gives the office two addresses: one of each family, both its own.
struct Alone(String);

impl Alone {
    fn new(name: &str) -> Self {
        let name = format!("pd{}-{name}", std::process::id());
        ip(&["netns", "add", &name]);
        ip(&["-n", &name, "link", "set", "lo", "up"]);
        let hosts = Path::new("/etc/netns").join(&name);
        std::fs::create_dir_all(&hosts).unwrap();
        std::fs::write(hosts.join("hosts"), "::1 office\n127.0.0.1 office\n").unwrap();
        Self(name)
    }

    fn packets(&self) -> u64 {
        let text = ip(&["netns", "exec", &self.0, "cat", "/proc/net/dev"]);
        let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
        let _ = std::fs::remove_dir_all(Path::new("/etc/netns").join(&self.0));
    }
}

/// The name of the office leads to an address of either family first, and the lot listens on the second one alone.
fn only_the_second_family_answers(transport: &str, patience: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let computer = Alone::new(transport);
    let lot = lot(&computer.0, "127.0.0.1", folder.path());
    let sam = console(&computer.0, "127.0.0.1", "sam", "udp");
    let reception = console(&computer.0, "office", "reception", transport);
    is_ready(&sam);
    reception.wait_line(&["reachable", "lamps fresh"], patience);
    sam.keys("d");
    sam.wait_text("enter call", SOON);
    sam.keys("100<enter>");
    reception.wait_text("sam", SOON);
    reception.keys("<enter>");
    // Two calls, each with sound both ways: 200 packets a second, as many as 50 a call and way.
    wait_until("sound both ways in both calls", SOON, || {
        let before = computer.packets();
        std::thread::sleep(Duration::from_secs(2));
        (computer.packets() - before >= 360).then_some(())
    });
    // And one that the receptionist begins: her offer names where she can be heard.
    reception.keys("h");
    reception.wait_text("hold", SOON);
    let screen = reception.screen_text();
    assert!(!screen.contains("[::1]"), "the board tells of the server in use:\n{screen}");
    let heard = lot.output();
    assert!(!log_of(&reception).contains("panicked") && !heard.contains("panicked"));
}

#[test]
fn over_udp_a_server_of_the_other_family_takes_the_place_of_one_that_is_silent_sound_and_all() {
    // A datagram to nobody is given up after half a minute (RFC 3261 17.1.2.2).
    only_the_second_family_answers("udp", Duration::from_secs(60));
}

#[test]
fn over_tcp_a_server_of_the_other_family_takes_the_place_of_one_that_refuses_sound_and_all() {
    only_the_second_family_answers("tcp", SOON);
}
