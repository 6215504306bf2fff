//! A headset that goes in the middle of a call, in each way it can go, on a virtual card: the call goes on, no other
//! room's microphone and no speaker's monitor takes its place unasked, and the headset is taken again when it is back.
//!
//! A media engine lives in a process of its own (its sound card is in the environment) and tells what it reports.

// The part that is started as a program speaks by its standard output.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod peers;

use parkdeck::io::sound::{Driver, MediaEngine, SoundOptions};
use parkdeck::media::{Codec, Command, Device, Report, Sink, Source, StreamConfig, StreamId};
use peers::sound_card::SoundCard;
use std::io::{BufRead, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const HZ: u32 = 440;
const SOON: Duration = Duration::from_secs(15);
/// For what must not happen.
const A_WHILE: Duration = Duration::from_secs(2);

/// An engine with a call, in its own process.
struct Listener {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Listener {
    fn start(card: &SoundCard, driver: &str) -> Self {
        let mut child = std::process::Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "listens_and_tells", "--ignored", "--nocapture"])
            .env("PARKDECK_TEST_DRIVER", driver)
            .envs(card.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (told, lines) = channel();
        let output = std::io::BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = told.send(line);
            }
        });
        Self { child, lines, said: Vec::new() }
    }

    /// Waits for a line that has all of these words; what came before is done with.
    fn tells(&mut self, words: &[&str]) -> String {
        let until = Instant::now() + SOON;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.said.push(line.clone());
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
        self.said.dedup();
        panic!("waited in vain for {words:?}: {:#?}", self.said);
    }

    /// Listens for a while; whether a line with this word came.
    fn told_of(&mut self, word: &str) -> bool {
        let until = Instant::now() + A_WHILE;
        let mut came = false;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            came |= line.contains(word);
            self.said.push(line);
        }
        came
    }

    fn say(&mut self, word: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    /// Seconds of processor time it has used.
    fn cpu_s(&self) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().flatten();
        let times = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok());
        times.filter_map(|text| text.split_whitespace().next()?.parse::<f64>().ok()).sum::<f64>() / 1e9
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both devices run, and the microphone's tone is heard.
fn runs(listener: &mut Listener) {
    listener.tells(&["ready", "Microphone"]);
    listener.tells(&["loud"]);
}

#[test]
fn an_unplugged_headset_is_missed_at_once_replaced_by_nothing_and_taken_again() {
    let card = SoundCard::start(HZ);
    let mut listener = Listener::start(&card, "pulse");
    runs(&mut listener);
    // Another room: a server would move the stream there.
    card.load("module-null-sink norewinds=1 sink_name=room sink_properties=device.description=room");
    let began = listener.cpu_s();
    card.unplug();
    listener.tells(&["lost", "unplugged"]);
    listener.tells(&["offered", "Headset", "room"]);
    assert!(!listener.told_of("ready"), "nobody said yes: {:#?}", listener.said);
    assert!(!listener.said.iter().any(|line| line.contains("offered Microphone")), "only a monitor is left");
    assert!(listener.cpu_s() - began < 1.5, "no core is burnt meanwhile");
    card.plug(HZ);
    listener.tells(&["ready", "Microphone"]);
    listener.tells(&["loud"]);
}

#[test]
fn a_sound_server_that_dies_takes_no_call_along_and_a_new_one_is_used() {
    let mut card = SoundCard::start(HZ);
    let mut listener = Listener::start(&card, "auto");
    runs(&mut listener);
    card.end_server();
    listener.tells(&["lost", "sound system"]);
    assert!(!listener.told_of("ready"), "not by another way: {:#?}", listener.said);
    card.restart_server();
    runs(&mut listener);
}

#[test]
fn the_device_that_is_offered_is_used_after_a_yes() {
    let card = SoundCard::start(HZ);
    card.load("module-null-sink norewinds=1 sink_name=room sink_properties=device.description=room");
    card.load("module-sine sink=room frequency=880");
    card.load("module-remap-source master=room.monitor source_name=other source_properties=device.description=other");
    let mut listener = Listener::start(&card, "pulse");
    runs(&mut listener);
    card.unplug();
    listener.tells(&["offered Microphone"]);
    listener.say("take");
    listener.tells(&["ready Microphone", "other"]);
    listener.tells(&["loud"]);
}

#[test]
fn through_alsa_an_unplugged_headset_burns_no_core_and_is_taken_again() {
    let card = SoundCard::start(HZ);
    let mut listener = Listener::start(&card, "alsa");
    runs(&mut listener);
    let began = listener.cpu_s();
    card.unplug();
    listener.tells(&["lost"]);
    let _ = listener.told_of("");
    assert!(listener.cpu_s() - began < 1.5, "ALSA's error handler is called without end, but not by us");
    card.plug(HZ);
    runs(&mut listener);
}

/// Not a test: the process that the tests above start.
#[test]
#[ignore = "a program that the other tests start"]
fn listens_and_tells() {
    let driver = match std::env::var("PARKDECK_TEST_DRIVER").as_deref() {
        Ok("pulse") => Driver::Pulse,
        Ok("alsa") => Driver::Native,
        _ => Driver::Auto,
    };
    let (microphone, headset) = (Device::Default, Device::Default);
    let options =
        SoundOptions { driver, microphone, headset, ..SoundOptions::silent(peers::LOOPBACK.into(), 2, 7) };
    let (wake, woken) = channel();
    let wake_by_input = wake.clone();
    let mut engine = MediaEngine::start(options, move || {
        let _ = wake.send(true);
    })
    .unwrap();
    let (said, heard) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = said.send(line);
            let _ = wake_by_input.send(true);
        }
    });
    let stream = StreamId(1);
    loop {
        let _ = woken.recv_timeout(Duration::from_secs(1));
        if heard.try_iter().any(|line| line == "take") {
            engine.send(Command::TakeOffered);
        }
        while let Some(report) = engine.try_recv() {
            match report {
                Report::PortsBound { ports } if ports.len() == 2 => {
                    let config = StreamConfig::new((peers::LOOPBACK, ports[1]).into(), Codec::Pcmu);
                    engine.send(Command::Open { stream, port: ports[0] });
                    engine.send(Command::Configure { stream, config });
                    engine.send(Command::Send { stream, source: Source::Headset });
                    engine.send(Command::Hear { stream, sink: Sink::Headset });
                }
                Report::DeviceReady { role, name, .. } => println!("ready {role:?} {name}"),
                Report::DeviceLost { role, name, reason } => println!("lost {role:?} {name}: {reason}"),
                Report::NoDevice { role, reason } => println!("none {role:?}: {reason}"),
                Report::DeviceOffered { role, name } => println!("offered {role:?} {name}"),
                Report::Levels { microphone_dbfs, .. } if microphone_dbfs > -40.0 => println!("loud"),
                _ => {}
            }
        }
    }
}
