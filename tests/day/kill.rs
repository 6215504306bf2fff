//! The real console, killed in the middle of its work: the journal opens, nothing that was confirmed is missing, and the
//! next session says what became of each call. The lot and its callers live on; their clock runs quicker than ours.

use crate::peers::pty::{Terminal, TerminalOptions};
use crate::peers::wait_for;
use parkdeck::app::lot;
use parkdeck::demo::{self, RECEPTION, RECEPTION_USER, Script, Seat, Troupe, Voices};
use parkdeck::desk::{CallRecord, Outcome, ParkRecord};
use parkdeck::io::net::{Net, NetOptions};
use parkdeck::journal::Database;
use parkdeck::media::{Command, Report};
use parkdeck::parking::SlotId;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// So many times as quick as ours is the callers' clock: somebody rings about every second.
const QUICKER: u32 = 25;
/// What was on the board so long before the kill counts as confirmed: the journal's thread has long written it.
const CONFIRMED: Duration = Duration::from_millis(400);
/// The variable with the account's password.
const PASSWORD: &str = "PARKDECK_TEST_PASSWORD";

/// The lot and its callers, on threads of their own.
struct Office {
    address: SocketAddr,
    secret: String,
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Office {
    fn open(seed: u64) -> Self {
        let users = demo::users(seed);
        let secret =
            users.iter().find(|user| user.name == RECEPTION_USER).unwrap().secret.expose_secret().to_owned();
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, opened) = std::sync::mpsc::channel();
        let (stopped, lots_users) = (Arc::clone(&stop), users.clone());
        let house = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let anywhere = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
                let net =
                    Net::open(NetOptions { udp: vec![anywhere], ..NetOptions::default() }).await.unwrap();
                let address = net.local_for(anywhere).unwrap();
                let mut config = demo::lot_config(address, &lots_users);
                // The console's clock is ours: a parked call comes back within a few seconds.
                config.lots[0].parkingtime = 5;
                let sounds = lot::load_sounds(&config, Path::new(".")).unwrap();
                ready.send((address, config.clone())).unwrap();
                let over = async {
                    while !stopped.load(Ordering::Relaxed) {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                };
                lot::serve(config, sounds, net, None, over).await.unwrap();
            });
        });
        let (address, config) = opened.recv().unwrap();
        let script = Script {
            lot: address,
            domain: config.realm.clone(),
            reception: RECEPTION.to_owned(),
            slots: config.lots[0].parkpos.slots().collect::<Vec<SlotId>>(),
            users,
            seed,
        };
        let ends = Arc::clone(&stop);
        let callers = std::thread::spawn(move || perform(script, &ends));
        Self { address, secret, stop, threads: vec![house, callers] }
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The troupe on two sockets, its clock quickened. Nobody is heard: callers ring, wait and give up.
fn perform(script: Script, stop: &AtomicBool) {
    let sockets: [UdpSocket; 2] = std::array::from_fn(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    for socket in &sockets {
        socket.set_nonblocking(true).unwrap();
    }
    let at = [sockets[0].local_addr().unwrap(), sockets[1].local_addr().unwrap()];
    let began = Instant::now();
    let clock = || Duration::from_secs(100) + began.elapsed() * QUICKER;
    let mut troupe = Troupe::new(script, Voices::silent(), at, clock(), 7);
    let mut ports: VecDeque<u16> = (0..200).map(|nth| 30_000 + 2 * nth).collect();
    troupe.report(clock(), Report::PortsBound { ports: ports.drain(..60).collect() });
    troupe.start(clock());
    let mut bytes = vec![0; 65_535];
    while !stop.load(Ordering::Relaxed) {
        let mut idle = true;
        for (seat, socket) in Seat::ALL.into_iter().zip(&sockets) {
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                idle = false;
                troupe.receive(clock(), seat, from, &bytes[..length]);
            }
        }
        if troupe.next_wake().is_some_and(|at| at <= clock()) {
            troupe.wake(clock());
        }
        let mut closed = 0;
        while let Some(command) = troupe.poll_media() {
            closed += usize::from(matches!(command, Command::Close { .. }));
        }
        for _ in 0..closed {
            let port = ports.pop_front().unwrap_or(30_000);
            ports.push_back(port);
            troupe.report(clock(), Report::PortsBound { ports: vec![port] });
        }
        while let Some((seat, transmit)) = troupe.poll_transmit() {
            let _ =
                sockets[usize::from(seat == Seat::Colleague)].send_to(&transmit.bytes, transmit.to.address);
        }
        if idle {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn home_for(office: &Office) -> Arc<TempDir> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config/parkdeck/config.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let config = format!(
        "[account]\nuser = \"{RECEPTION_USER}\"\nserver = \"{}\"\npassword_env = \"{PASSWORD}\"\n[lot]\n\
         dialect = \"parkdeck\"\nslots = \"701-712\"\nparking_time = 5\n[sound]\nenabled = false\n",
        office.address
    );
    std::fs::write(file, config).unwrap();
    Arc::new(home)
}

fn console(office: &Office, home: &Arc<TempDir>) -> Terminal {
    let options = TerminalOptions::new(Path::new(env!("CARGO_BIN_EXE_parkdeck")));
    options.environment(PASSWORD, &office.secret).home(Arc::clone(home)).start()
}

fn journal_of(home: &TempDir) -> PathBuf {
    home.path().join("state/parkdeck/journal.sqlite")
}

/// The whole journal.
fn read(home: &TempDir) -> (Vec<CallRecord>, Vec<ParkRecord>) {
    let reader = Database::read_only(&journal_of(home)).unwrap();
    let for_ever = u64::MAX >> 1;
    (reader.calls(0, for_ever).unwrap(), reader.parks(0, for_ever).unwrap())
}

/// What is on the board, over the control socket.
fn board(home: &TempDir) -> Option<Value> {
    let socket = UnixStream::connect(home.path().join("run/parkdeck/control.sock")).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let mut socket = BufReader::new(socket);
    socket.get_mut().write_all(b"{\"do\":\"status\"}\n").ok()?;
    let mut line = String::new();
    socket.read_line(&mut line).ok()?;
    Some(serde_json::from_str::<Value>(&line).ok()?["status"].clone())
}

fn list<'v>(board: &'v Value, what: &str) -> Vec<&'v Value> {
    board[what].as_array().map(|all| all.iter().collect()).unwrap_or_default()
}

/// One of the keys of a busy receptionist.
fn press(terminal: &Terminal, chance: &mut StdRng) {
    terminal.keys(match chance.random_range(0..12) {
        0..=3 => "<enter>",
        4 | 5 => "p",
        6 => "n",
        7 => "note for Sam<enter>",
        8 => "r",
        9 => "h",
        10 => "<esc>",
        _ => "u",
    });
}

/// Plays for a while, kills, and returns the board as it was a moment before.
fn play_and_kill(terminal: &mut Terminal, home: &TempDir, chance: &mut StdRng) -> Option<Value> {
    let long = Duration::from_millis(chance.random_range(450..1_300));
    let began = Instant::now();
    let mut boards: Vec<(Instant, Value)> = Vec::new();
    while began.elapsed() < long {
        press(terminal, chance);
        std::thread::sleep(Duration::from_millis(chance.random_range(5..60)));
        boards.extend(board(home).map(|board| (Instant::now(), board)));
    }
    terminal.signal("KILL");
    let killed = Instant::now();
    terminal.wait_exit(Duration::from_secs(5));
    boards.into_iter().rev().find(|(at, _)| killed.duration_since(*at) >= CONFIRMED).map(|(_, board)| board)
}

/// Every call and every stay that was on the board is in the journal.
fn nothing_confirmed_is_missing(home: &TempDir, before: &Value) {
    let (calls, parks) = read(home);
    for call in list(before, "calls") {
        let number = call["number"].as_str().unwrap_or_default();
        let there = calls.iter().any(|record| record.party.number.as_str() == number);
        assert!(there, "a call with {number} was on the board and is not in the journal: {call}");
    }
    for slot in list(before, "slots").into_iter().filter(|slot| slot["parked"].is_object()) {
        let (id, number) = (slot["slot"].as_str().unwrap(), slot["parked"]["number"].as_str().unwrap());
        let there = parks.iter().any(|park| park.slot.as_str() == id && park.party.number.as_str() == number);
        assert!(there, "{number} was parked on {id} and is not in the journal: {slot}");
    }
}

/// The next session: it opens within a moment, tells of the calls that were cut off, and still knows who is parked, with
/// their notes.
fn the_next_session_tells(office: &Office, home: &Arc<TempDir>, before: Option<&Value>) -> Terminal {
    let (open, _) = read(home);
    let open: Vec<CallRecord> = open.into_iter().filter(|call| call.outcome == Outcome::Open).collect();
    let terminal = console(office, home);
    terminal.wait_line(&["reachable"], Duration::from_secs(20));
    if !open.is_empty() {
        let told = wait_for(Duration::from_secs(3), || {
            let screen = terminal.screen_text().split_whitespace().collect::<Vec<_>>().join(" ");
            (screen.contains("when the console stopped") || screen.contains("were cut off then"))
                .then_some(())
        });
        assert!(
            told.is_some(),
            "{} calls were cut off, and nobody says so:\n{}",
            open.len(),
            terminal.screen_text()
        );
    }
    let (calls, _) = read(home);
    for cut in &open {
        let now = calls.iter().find(|call| call.id == cut.id).expect("no call is forgotten");
        assert_eq!(now.outcome, Outcome::Interrupted, "{now:?}");
    }
    let Some((before, after)) = before.zip(board(home)) else { return terminal };
    for slot in list(before, "slots").into_iter().filter(|slot| slot["parked"].is_object()) {
        let again = list(&after, "slots").into_iter().find(|again| again["slot"] == slot["slot"]);
        let Some(again) = again.filter(|again| again["parked"]["number"] == slot["parked"]["number"]) else {
            continue;
        };
        // A note may have been written in the last moments; one that was there is there.
        if slot["parked"]["note"] != "" {
            assert_ne!(again["parked"]["note"], "", "the note of {slot} is gone: {again}");
        }
    }
    terminal
}

fn kill(kills: usize) {
    let seed = std::env::var("PARKDECK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("PARKDECK_SEED={seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let office = Office::open(seed);
    let home = home_for(&office);
    let mut terminal = console(&office, &home);
    terminal.wait_line(&["reachable"], Duration::from_secs(20));
    let (mut confirmed, mut cut) = (0, 0);
    for _ in 0..kills {
        let before = play_and_kill(&mut terminal, &home, &mut chance);
        if let Some(before) = &before {
            confirmed += list(before, "calls").len();
            nothing_confirmed_is_missing(&home, before);
        }
        cut += read(&home).0.iter().filter(|call| call.outcome == Outcome::Open).count();
        terminal = the_next_session_tells(&office, &home, before.as_ref());
    }
    println!("{kills} kills: {confirmed} calls were on the board before, {cut} were cut off and told of");
    assert!(confirmed > 0 && cut > 0, "{confirmed} {cut}: nothing was going on");
    terminal.signal("TERM");
    terminal.wait_exit(Duration::from_secs(5));
}

#[test]
fn nothing_confirmed_is_lost_and_each_call_is_told_of() {
    kill(20);
}

#[test]
#[ignore = "a thousand kills: half an hour"]
fn nothing_confirmed_is_lost_by_a_thousand_kills() {
    kill(1_000);
}
