//! Servers that are away, unknown, or refuse us: a clear line within seconds, and the console goes on.

use crate::peers::process::Process;
use crate::peers::pty::Terminal;
use crate::peers::{LOOPBACK, free_udp_port, wait_until};
use crate::rig::{LEAVING, PARKDECK, PASSWORD, SOON, Setup, a_key_works, leave, nobody, parkdeck};
use crate::speaker::{Road, Speaker};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// `parkdeck lot` as a process of its own.
pub struct LotProcess {
    pub process: Process,
    pub address: SocketAddr,
    _home: TempDir,
}

pub fn lot() -> LotProcess {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let address = SocketAddr::from((LOOPBACK, free_udp_port(LOOPBACK)));
    let file = home.path().join("lot.toml");
    let config = format!(
        "listen = \"{address}\"\n[[users]]\nname = \"reception\"\nsecret = \"{PASSWORD}\"\nextension = \"100\"\n\
         [[lots]]\nparkpos = \"701-704\"\n"
    );
    std::fs::write(&file, config).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let arguments = ["lot", "--config", file.to_str().unwrap()].map(str::to_owned);
    let log = home.path().join("lot.log");
    let process = Process::start(Path::new(PARKDECK), &arguments, home.path(), &log);
    wait_until("the lot opens", SOON, || process.output().contains("the lot is open").then_some(()));
    LotProcess { process, address, _home: home }
}

/// The board is up and works with this server, says this, and `q` leaves at once.
#[track_caller]
fn says_and_goes_on(server: impl ToString, words: &[&str]) {
    let server = server.to_string();
    let mut terminal = Setup::towards(&server).start();
    terminal.wait_text("parked · lot “front”", SOON);
    terminal.wait_for(&format!("{words:?} for {server}"), SOON, |screen| {
        let flat = flat(screen);
        words.iter().all(|words| flat.contains(words)) && screen.contains("NOT REGISTERED")
    });
    a_key_works(&terminal);
    terminal.keys("d");
    terminal.wait_text("enter call", Duration::from_secs(1));
    terminal.keys("<esc>");
    std::thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    terminal.keys("q");
    assert_eq!(terminal.wait_exit(LEAVING).exit_code(), 0);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(terminal.unrestored(), Vec::<String>::new());
}

/// The screen as one line: a notice may be wrapped.
fn flat(screen: &str) -> String {
    screen.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_server_that_is_not_there_is_told_within_seconds() {
    says_and_goes_on(nobody(), &["not registered: no answer from 127.0.0.1:"]);
}

#[test]
fn a_server_that_swallows_everything_is_told_within_seconds() {
    let hole = UdpSocket::bind(("127.77.0.1", 0)).unwrap();
    says_and_goes_on(hole.local_addr().unwrap(), &["not registered: no answer from 127.77.0.1:"]);
}

#[test]
fn a_name_that_nobody_knows_is_told_within_seconds() {
    says_and_goes_on("no-such-host.invalid", &["can't find the server “no-such-host.invalid”"]);
}

#[test]
fn a_local_port_that_is_taken_is_told() {
    let taken = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let terminal = Setup { port, ..Setup::towards(nobody()) }.start();
    terminal.wait_for("which port", SOON, |screen| {
        flat(screen).contains(&format!("can't listen on 127.0.0.1:{port}"))
    });
    a_key_works(&terminal);
    leave(terminal);
}

#[test]
fn dialling_without_a_server_ends_with_the_reason() {
    let terminal = Setup::towards("no-such-host.invalid").start();
    terminal.wait_text("NOT REGISTERED", SOON);
    terminal.keys("d");
    terminal.wait_text("enter call", SOON);
    terminal.keys("12345<enter>");
    terminal.wait_text("there is no server to call through", SOON);
    terminal.wait_text("no calls", SOON);
    leave(terminal);
}

#[test]
fn a_server_that_comes_up_later_is_found_without_a_key() {
    let address = nobody();
    let terminal = Setup::towards(address).start();
    terminal.wait_text("NOT REGISTERED", SOON);
    let late = Speaker::at(address);
    terminal.wait_line(&["parkdeck", "reachable"], Duration::from_secs(15));
    assert_eq!(late.console().ip(), LOOPBACK, "and the lamps are watched");
    leave(terminal);
}

#[test]
fn a_wrong_password_is_told_in_words_and_tried_again_slowly() {
    let lot = lot();
    let road = Road::to(lot.address);
    let setup = Setup::towards(road.entrance);
    let terminal =
        parkdeck(&[]).home(setup.home()).environment(crate::rig::PASSWORD_VARIABLE, "wrong").start();
    terminal.wait_for("whose password", SOON, |screen| {
        flat(screen).contains("the server refused the credentials of reception: wrong user or password?")
            && screen.contains("NOT REGISTERED")
    });
    std::thread::sleep(Duration::from_secs(10));
    assert!((2..=4).contains(&road.registers()), "{} REGISTERs in ten seconds", road.registers());
    a_key_works(&terminal);
    leave(terminal);
}

#[test]
fn the_right_password_registers_at_the_lot_and_lights_its_lamps() {
    let lot = lot();
    let terminal: Terminal = Setup::towards(lot.address).start();
    terminal.wait_line(&["reachable", "lamps fresh"], SOON);
    terminal.wait_line(&["701", "free"], SOON);
    leave(terminal);
    let output = lot.process.output();
    assert!(!output.contains(PASSWORD) && !output.contains("panicked"), "{output}");
}
