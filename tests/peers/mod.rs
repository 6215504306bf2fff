//! Real peers for the tests: an Asterisk, a Kamailio, baresip phones, SIPp callers, a voice over RTP, and a terminal
//! to put the console in. Knows nothing of the parkdeck library: what is tested can't vouch for itself here.
//!
//! `tests/setup.sh` brings the programs; without them these tests fail, they never skip. Everything speaks
//! on 127.0.0.0/8 only, lives in a folder of its own and dies with the value that started it.

// Each test binary takes what it needs; outside `#[test]` functions a failed step may panic here too.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

pub mod asterisk;
pub mod asterisk_files;
pub mod baresip;
pub mod certificates;
pub mod console;
pub mod kamailio;
pub mod kamailio_files;
pub mod linphone;
pub mod lot;
pub mod process;
pub mod pty;
pub mod rude;
pub mod sipp;
pub mod sound_card;
pub mod tone;
pub mod voice;
pub mod wire;

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The machine that Asterisk, phones and console share.
pub const LOOPBACK: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
/// Where callers from outside come from: Asterisk takes this address for its trunk and trusts it.
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Where `tests/setup.sh` puts what it fetches.
pub fn peers_folder() -> PathBuf {
    std::env::var_os("PARKDECK_PEERS")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".peers"))
}

/// Asks again and again until there is an answer; panics with `what` after `timeout`.
pub fn wait_until<T>(what: &str, timeout: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    match wait_for(timeout, &mut look) {
        Some(found) => found,
        None => panic!("waited {timeout:?} in vain for: {what}"),
    }
}

/// The same without the panic: `None` after `timeout`.
pub fn wait_for<T>(timeout: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if started.elapsed() >= timeout {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A port that is free now for UDP, TCP, and the TCP port after it (TLS), as SIP has them.
pub fn free_sip_port(address: Ipv4Addr) -> u16 {
    for _ in 0..1000 {
        let port = next_port(2);
        let tcp = |port| TcpListener::bind(SocketAddrV4::new(address, port)).is_ok();
        if UdpSocket::bind(SocketAddrV4::new(address, port)).is_ok() && tcp(port) && tcp(port + 1) {
            return port;
        }
    }
    panic!("no free SIP port on {address}");
}

/// A UDP port that is free now. Handed out from a range below the ephemeral ports, and from another place in
/// it by each test process, so that tests that run side by side seldom meet; who binds it still has to look.
pub fn free_udp_port(address: Ipv4Addr) -> u16 {
    for _ in 0..1000 {
        let port = next_port(2);
        if UdpSocket::bind(SocketAddrV4::new(address, port)).is_ok() {
            return port;
        }
    }
    panic!("no free UDP port on {address}");
}

/// A TCP port that is free now.
pub fn free_tcp_port(address: Ipv4Addr) -> u16 {
    for _ in 0..1000 {
        let port = next_port(2);
        if TcpListener::bind(SocketAddrV4::new(address, port)).is_ok() {
            return port;
        }
    }
    panic!("no free TCP port on {address}");
}

/// The first of `count` UDP ports, even, for RTP.
pub fn free_rtp_range(address: Ipv4Addr, count: u16) -> u16 {
    for _ in 0..1000 {
        let first = next_port(count + count % 2);
        let free = |port| UdpSocket::bind(SocketAddrV4::new(address, port)).is_ok();
        if (first..first + count).step_by(10).all(free) {
            return first;
        }
    }
    panic!("no {count} free RTP ports on {address}");
}

/// 10000–31999 in steps; always even.
fn next_port(step: u16) -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const SPAN: u32 = 22_000;
    let start = std::process::id().wrapping_mul(2_654_435_761) % (SPAN / 2) * 2;
    let taken = NEXT.fetch_add(u32::from(step), Ordering::Relaxed);
    let offset = (start + taken) % (SPAN - u32::from(step));
    (10_000 + (offset & !1)) as u16
}
