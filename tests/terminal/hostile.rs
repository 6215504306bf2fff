//! Garbage on the wire, names with teeth, keys at the wrong moment, a terminal that no longer reads: everybody goes on.

use crate::names;
use crate::peers::process::sockets_of;
use crate::peers::pty::Terminal;
use crate::peers::{LOOPBACK, free_udp_port, wait_for, wait_until};
use crate::rig::{SOON, Setup, a_key_works, demo, leave, log_of, memory_kb};
use crate::server::lot;
use crate::speaker::Speaker;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

/// How many datagrams each port gets.
const DATAGRAMS: usize = 5_000;
/// How much memory may grow over them, in kB: transactions that RFC 3261 keeps for half a minute, and calls that ring.
const GROWTH_KB: u64 = 16_384;

/// The torture collection.
fn torture() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let files = ["valid", "invalid", "real", "asterisk"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let mut files: Vec<_> = files.collect();
    files.sort();
    assert!(files.len() > 30, "the collection is there");
    files
}

/// One datagram: a torture message, a mutated one, or noise.
fn garbage(chance: &mut StdRng, torture: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = torture[chance.random_range(0..torture.len())].clone();
    match chance.random_range(0..10) {
        0 => bytes,
        1 => (0..chance.random_range(0..1_400)).map(|_| chance.random()).collect(),
        2 => vec![chance.random(); chance.random_range(0..9_000)],
        _ => {
            for _ in 0..chance.random_range(1..20) {
                let at = chance.random_range(0..=bytes.len());
                match chance.random_range(0..4) {
                    0 if at < bytes.len() => bytes[at] = chance.random(),
                    1 => bytes.truncate(at.max(40).min(bytes.len())),
                    2 => bytes.insert(at, b"\r\n:;,<>\"\0%="[chance.random_range(0..11)]),
                    _ => {
                        let piece = bytes[at / 2..at].to_vec();
                        bytes.splice(at..at, piece.into_iter().take(300));
                    }
                }
            }
            bytes
        }
    }
}

/// Sends garbage to these ports in turn, as fast as they take it.
fn pelt(ports: &[SocketAddr], seed: u64, count: usize) {
    let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    let (mut chance, torture) = (StdRng::seed_from_u64(seed), torture());
    for nth in 0..count {
        let _ = socket.send_to(&garbage(&mut chance, &torture), ports[nth % ports.len()]);
        if nth % 50 == 0 {
            // A few thousand a second: more than anybody means well, and no more than a socket's buffer holds.
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn garbage_at_the_console_and_at_the_lot_changes_nothing() {
    let lot = lot();
    let port = free_udp_port(LOOPBACK);
    let terminal = Setup { port, ..Setup::towards(lot.address) }.start();
    terminal.wait_line(&["reachable", "lamps fresh"], SOON);
    let pids = [terminal.pid(), lot.process.pid()];
    let before = pids.map(memory_kb);
    let targets = [SocketAddr::from((LOOPBACK, port)), lot.address];
    for seed in 0..4 {
        pelt(&targets, seed, DATAGRAMS / 2);
        a_key_works(&terminal);
    }
    let growth = [0, 1].map(|nth| memory_kb(pids[nth]).saturating_sub(before[nth]));
    assert!(growth.iter().all(|kb| *kb < GROWTH_KB), "console, lot: {growth:?} kB");
    terminal.wait_line(&["reachable", "lamps fresh"], SOON);
    assert!(!lot.process.output().contains("panicked"));
    leave(terminal);
}

#[test]
fn garbage_at_every_port_of_a_running_demo_ends_no_call() {
    let terminal = demo(5).start();
    terminal.wait_line(&["RINGING", "Jane Doe"], SOON);
    terminal.keys("<enter>");
    terminal.wait_line(&["talking", "Jane Doe"], SOON);
    let ports: Vec<SocketAddr> = sockets_of(terminal.pid())
        .iter()
        .filter_map(|socket| u16::from_str_radix(socket.strip_prefix("udp 127.0.0.1:")?, 16).ok())
        .map(|port| SocketAddr::from((LOOPBACK, port)))
        .collect();
    assert!(ports.len() > 4, "SIP and RTP of everybody: {ports:?}");
    pelt(&ports, 9, DATAGRAMS);
    a_key_works(&terminal);
    terminal.wait_line(&["talking", "Jane Doe"], SOON);
    terminal.wait_text("lamps fresh", SOON);
    leave(terminal);
}

/// No byte that a caller chose may steer the terminal.
fn assert_harmless(terminal: &Terminal) {
    let raw = terminal.raw();
    let text = String::from_utf8_lossy(&raw);
    for (unwanted, what) in [
        ("\x1b]", "an OSC sequence"),
        ("\x1bP", "a DCS sequence"),
        ("\x1b_", "an APC sequence"),
        ("\x1bc", "a reset"),
        ("\x1b[13;37;77m", "the caller's colours"),
        ("\x1b[31mfolded", "a folded line's colours"),
        ("\x07", "a bell"),
        ("\x08", "a backspace"),
        ("\t", "a tab"),
        ("\x7f", "a delete"),
        ("\0", "a NUL"),
    ] {
        assert!(!text.contains(unwanted), "{what} reached the terminal");
    }
    let unwanted = |c: &char| {
        matches!(c, '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let found = text.chars().find(unwanted);
    // A joiner between emoji would be harmless, but nothing needs it.
    assert_eq!(found, None, "{:?}", found.map(|c| c as u32));
}

/// The frame of the board stands straight: no name is wider or narrower than it was thought to be.
fn wait_straight(terminal: &Terminal) {
    terminal.wait_for("a straight frame", Duration::from_secs(3), |_| is_straight(terminal));
}

fn is_straight(terminal: &Terminal) -> bool {
    let screen = terminal.screen();
    let (rows, columns) = screen.size();
    let at = |row: u16, column: u16| screen.cell(row, column).map_or("", |cell| cell.contents()).to_owned();
    let last = (2..rows.get()).find(|row| at(*row, 0) == "└");
    let middle = (1..columns.get() - 1).find(|column| at(1, *column) == "┬");
    let (Some(last), Some(middle)) = (last, middle) else { return false };
    (2..last).all(|row| [0, middle, columns.get() - 1].iter().all(|column| at(row, *column) == "│"))
}

#[test]
fn no_callers_name_steers_the_terminal_or_bends_the_board() {
    let server = Speaker::start();
    // The log tells all that there is to tell.
    let terminal = Setup { more: "[log]\nlevel = \"trace\"", ..Setup::towards(server.address()) }.start();
    let console = server.console();
    terminal.wait_text("lamps fresh", SOON);
    for (nth, name) in names::senders().iter().enumerate() {
        let call = server.ring(console, name);
        // What is too long to be read far enough to be answered is dropped; all else rings, scrubbed.
        let status = wait_for(Duration::from_secs(1), || server.answer_to(&call).filter(|s| *s > 100));
        let shown = String::from_utf8_lossy(name).chars().take(60).collect::<String>();
        if status == Some(180) {
            terminal.wait_text("RINGING", SOON);
            // The emulator draws nothing for U+FFFD, unlike terminals: such a row is looked at no closer.
            let drawn = !shown.contains('\u{fffd}');
            // Both sizes, since the names are cut at other places.
            for (columns, rows) in [(160, 50), (80, 24)] {
                terminal.resize(columns, rows);
                terminal.wait_text("RINGING", SOON);
                if drawn {
                    wait_straight(&terminal);
                }
            }
            server.cancel(console, &call, name);
        } else {
            assert!(status.is_none() && name.len() > 10_000, "{status:?} for {}", shown.escape_debug());
        }
        terminal.wait_text("no calls", SOON);
        // Another size brings a whole new picture.
        terminal.resize(80, if nth % 2 == 0 { 25 } else { 26 });
        wait_straight(&terminal);
        assert_harmless(&terminal);
    }
    a_key_works(&terminal);
    let log = log_of(&terminal);
    assert!(log.contains("TRACE"), "the log tells much");
    assert!(!log.contains('\x1b') && !log.contains('\u{202e}') && !log.contains('\x07'), "nor the log");
    leave(terminal);
}

#[test]
fn no_parked_callers_name_steers_the_terminal_or_bends_the_board() {
    let server = Speaker::start();
    let terminal = Setup::towards(server.address()).start();
    server.console();
    terminal.wait_text("lamps fresh", SOON);
    let escaped = |name: &str| {
        name.chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("&#x{:x};", c as u32) })
            .collect::<String>()
    };
    let mut names: Vec<Vec<u8>> = names::senders();
    names.extend(
        ["\x1b]52;c;aGk=\x07Eve", "\u{202e}Eve\u{200b}", "会議室の受付からの大変に長い名前"]
            .map(|n| escaped(n).into_bytes()),
    );
    for name in &names {
        // As it stands in the attribute of the XML, and as the note.
        let name: Vec<u8> = name.iter().copied().filter(|b| !b"\"<>".contains(b)).collect();
        let dialogs = [
            b"<dialog id=\"a\" call-id=\"c\" local-tag=\"l\" remote-tag=\"r\" direction=\"initiator\"><state>confirmed</state><remote><identity display=\"".as_slice(),
            &name,
            b"\">sip:eve@127.0.0.1</identity></remote><duration>5</duration></dialog>",
        ];
        server.light("702", &dialogs.concat());
        // Refused as a whole, or shown scrubbed: the other lamps don't mind.
        std::thread::sleep(Duration::from_millis(150));
        wait_straight(&terminal);
        assert_harmless(&terminal);
        terminal.wait_line(&["701", "free"], SOON);
    }
    server.light("702", b"<dialog id=\"a\"><state>confirmed</state><remote><identity display=\"Eve\">sip:eve@127.0.0.1</identity></remote></dialog>");
    terminal.wait_line(&["702", "■", "Eve"], SOON);
    a_key_works(&terminal);
    leave(terminal);
}

#[test]
fn keys_at_the_wrong_moment_do_no_harm() {
    const KEYS: &[&str] = &[
        "<enter>",
        "x",
        "h",
        "m",
        "p",
        "P",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "8",
        "9",
        "0",
        "r",
        "u",
        "n",
        "d",
        "t",
        "#",
        "<down>",
        "<up>",
        "<left>",
        "<right>",
        "j",
        "k",
        "<tab>",
        "<s-tab>",
        "c",
        "?",
        ":",
        "<esc>",
        "<f1>",
        "<f12>",
        "<backspace>",
        "<home>",
        "<end>",
        "<pageup>",
        "<del>",
        "ü",
        "会",
        " ",
        "/",
    ];
    let mut chance = StdRng::seed_from_u64(11);
    let terminal = demo(6).start();
    terminal.wait_text("RINGING", SOON);
    for round in 0..10 {
        let mut keys = KEYS.to_vec();
        keys.shuffle(&mut chance);
        for key in keys {
            for _ in 0..2 {
                terminal.keys(key);
                std::thread::sleep(Duration::from_millis(chance.random_range(2..12)));
            }
            if round % 2 == 0 {
                // Nothing stays open, so that more keys reach the board.
                terminal.keys("<esc>");
                std::thread::sleep(Duration::from_millis(25));
            }
        }
        // A click anywhere, and what no terminal sends.
        terminal.bytes(format!("\x1b[<0;{};{}M", 1 + round * 7, 2 + round).as_bytes());
        terminal.bytes(b"\x1b[200~pasted \x1b]52;c;aGk=\x07 text\x1b[201~\xff\x1b[999;999R");
        if round == 4 {
            terminal.resize(40, 10);
        } else {
            terminal.resize(80, 24);
        }
        std::thread::sleep(Duration::from_millis(100));
        if round != 4 {
            a_key_works(&terminal);
        }
    }
    leave(terminal);
}

#[test]
fn a_terminal_that_stops_reading_does_not_stop_the_phone() {
    let server = Speaker::start();
    let terminal = Setup::towards(server.address()).start();
    let console = server.console();
    terminal.wait_text("lamps fresh", SOON);
    terminal.pause_reading(true);
    for columns in [180, 200].repeat(20) {
        terminal.resize(columns, 60);
        std::thread::sleep(Duration::from_millis(25));
    }
    let probes = server.count("OPTIONS");
    for _ in 0..5 {
        let status = server.ask(console, Duration::from_secs(1));
        assert!(status >= 200, "answered while nothing can be drawn: {status}");
        std::thread::sleep(Duration::from_millis(300));
    }
    let call = server.ring(console, b"\"Eve\" <sip:eve@127.0.0.1>");
    wait_until("it rings unseen", SOON, || server.answer_to(&call).filter(|s| *s == 180));
    wait_until("the console probes on", Duration::from_secs(12), || {
        (server.count("OPTIONS") > probes).then_some(())
    });
    terminal.pause_reading(false);
    terminal.resize(80, 24);
    terminal.wait_line(&["RINGING", "Eve"], SOON);
    server.cancel(console, &call, b"\"Eve\" <sip:eve@127.0.0.1>");
    terminal.wait_text("no calls", SOON);
    leave(terminal);
}
