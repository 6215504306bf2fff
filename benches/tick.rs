//! How punctual the media tick is: packets of a call, stamped by the kernel as they arrive on loopback, against the grid of
//! 20 ms on which they should leave; on an idle machine, and with two busy threads on every core.
//!
//! Run: `cargo bench --bench tick`; `PARKDECK_SECONDS` sets how long each is watched (60). *late* is a packet's time behind
//! the grid of the earliest ones: scheduling, and the encoding of Opus before it is sent. Below 2 ms at p99.9.
//! The threads have the priority that every program gets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "rig/figures.rs"]
#[allow(dead_code)]
mod figures;

use figures::{Samples, machine};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt};
use parkdeck::io::sound::{MediaEngine, SoundOptions};
use parkdeck::media::{Codec, Command, FRAME_TIME, Report, Source, StreamConfig, StreamId};
use std::io::IoSliceMut;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn main() {
    let seconds = std::env::var("PARKDECK_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    println!("\ntick · {} s each · {}\n", seconds, machine());
    println!("{:<34}{:>10}{:>10}{:>10}{:>10}", "late, ms", "p50", "p99", "p99.9", "most");
    row("nothing else to do", &watch(seconds));
    let over = Arc::new(AtomicBool::new(false));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let busy: Vec<_> = (0..2 * cores)
        .map(|_| {
            let over = over.clone();
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop()
                }
            })
        })
        .collect();
    row("two busy threads on every core", &watch(seconds));
    over.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
}

fn row(name: &str, late: &Samples) {
    let figure = |q| late.quantile_ms(q);
    println!(
        "{name:<34}{:>10.3}{:>10.3}{:>10.3}{:>10.3}",
        figure(0.5),
        figure(0.99),
        figure(0.999),
        figure(1.0)
    );
}

/// How late each packet of so many seconds was.
fn watch(seconds: u32) -> Samples {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).unwrap();
    let mut engine =
        MediaEngine::start(SoundOptions::silent(Ipv4Addr::LOCALHOST.into(), 2, 1), || ()).unwrap();
    let port = loop {
        if let Some(Report::PortsBound { ports }) = engine.try_recv() {
            break ports[0];
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let stream = StreamId(1);
    let config = StreamConfig::new(socket.local_addr().unwrap(), Codec::Opus);
    assert!(engine.send(Command::Open { stream, port }));
    assert!(engine.send(Command::Configure { stream, config }));
    assert!(engine.send(Command::Send { stream, source: Source::Tone { hz: 300, level_dbfs: -20.0 } }));
    // The first second is for everything to settle.
    let packets: Vec<Duration> = (0..(seconds + 1) * 50).map(|_| arrival(&socket)).skip(50).collect();
    let offsets: Vec<i128> = packets
        .iter()
        .enumerate()
        .map(|(nth, at)| at.as_nanos() as i128 - (FRAME_TIME * nth as u32).as_nanos() as i128)
        .collect();
    let earliest = offsets.iter().min().copied().unwrap_or(0);
    let mut late = Samples::default();
    offsets.iter().for_each(|offset| late.add(Duration::from_nanos((offset - earliest) as u64)));
    late
}

/// When the next datagram came, by the kernel.
fn arrival(socket: &UdpSocket) -> Duration {
    let mut bytes = [0; 1_500];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let mut space = nix::cmsg_space!(nix::sys::time::TimeSpec);
    let message =
        recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty()).unwrap();
    message
        .cmsgs()
        .unwrap()
        .find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
            _ => None,
        })
        .expect("the kernel stamps what comes")
}
