//! The media tick never allocates: counted by an allocator of our own while real streams run. Alone in its binary, so
//! that no other test's allocations are counted.
#![allow(unsafe_code, reason = "a counting allocator can't be had without")]

use parkdeck::io::sound::{MediaEngine, MediaHandle, SoundOptions};
use parkdeck::media::{
    Codec, Command, DtlsRole, Music, OpusTerms, Protection, Report, Sink, Source, SrtpKey, SrtpSuite,
    StreamConfig, StreamId,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn open(handle: &mut MediaHandle, ports: &mut Vec<u16>, id: u64) -> (StreamId, SocketAddr) {
    while ports.is_empty() {
        match handle.try_recv() {
            Some(Report::PortsBound { ports: more }) => ports.extend(more),
            Some(_) => {}
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    let port = ports.pop().unwrap_or_default();
    let stream = StreamId(id);
    assert!(handle.send(Command::Open { stream, port }));
    (stream, SocketAddr::new(LOCAL, port))
}

#[allow(clippy::expect_used)]
fn srtp(send: u8, receive: u8) -> Protection {
    let key =
        |seed| SrtpKey::new(SrtpSuite::AesCm128HmacSha1_80, &[seed; 30]).expect("a key of the right length");
    Protection::Srtp { send: key(send), receive: vec![key(receive)] }
}

fn by_handshake(handle: &MediaHandle, role: DtlsRole) -> Protection {
    Protection::Dtls { role, fingerprint: handle.fingerprint() }
}

#[test]
fn while_streams_run_nothing_is_allocated_or_freed() {
    let mut handle = MediaEngine::start(SoundOptions::silent(LOCAL, 16, 7), || ()).unwrap();
    let mut ports = Vec::new();
    let music = Music::new(&[2_000; 48_000], 48_000);
    let mut bridged = Vec::new();
    // Three pairs that talk to each other, one in each codec: a tone one way and music the other.
    for (at, codec) in [Codec::Opus, Codec::Pcmu, Codec::Pcma].into_iter().enumerate() {
        let (a, address_a) = open(&mut handle, &mut ports, 2 * at as u64);
        let (b, address_b) = open(&mut handle, &mut ports, 2 * at as u64 + 1);
        // With everything that is done against loss, and packets of two frames.
        let config = |to| StreamConfig {
            red_payload_type: Some(120),
            red_receive_payload_type: Some(120),
            opus: OpusTerms { deep: true, ..OpusTerms::default() },
            frames: if codec == Codec::Pcma { 2 } else { 1 },
            ..StreamConfig::new(to, codec)
        };
        let commands = [
            Command::Configure { stream: a, config: config(address_b) },
            Command::Configure { stream: b, config: config(address_a) },
            Command::Send { stream: a, source: Source::Tone { hz: 440, level_dbfs: -20.0 } },
            Command::Send { stream: b, source: Source::Music(music.clone()) },
            Command::Hear { stream: a, sink: Sink::Headset },
            Command::Hear { stream: b, sink: Sink::Meter },
        ];
        // One pair in clear, one under keys of the signalling, one by a handshake.
        let (one, other) = match at {
            0 => (Protection::Clear, Protection::Clear),
            1 => (srtp(1, 2), srtp(2, 1)),
            _ => (by_handshake(&handle, DtlsRole::Active), by_handshake(&handle, DtlsRole::Passive)),
        };
        assert!(handle.send(Command::Protect { stream: a, protection: one }));
        assert!(handle.send(Command::Protect { stream: b, protection: other }));
        for command in commands {
            assert!(handle.send(command));
        }
        bridged.push(b);
    }
    // And a bridge that transcodes, and keys on their way.
    assert!(handle.send(Command::Bridge { a: bridged[0], b: bridged[1] }));
    assert!(handle.send(Command::Digit { stream: bridged[2], digit: '5' }));
    std::thread::sleep(Duration::from_millis(1_500));
    let before = CALLS.load(Ordering::Relaxed);
    // Long enough for reports, which come every few seconds.
    std::thread::sleep(Duration::from_secs(7));
    let calls = CALLS.load(Ordering::Relaxed) - before;
    assert_eq!(calls, 0, "in 350 ticks");
    let mut packets = [0; 6];
    let mut reports = 0;
    while let Some(report) = handle.try_recv() {
        if let Report::Figures { stream, figures } = report {
            packets[stream.0 as usize] = figures.packets;
            reports = reports.max(figures.reports);
        }
    }
    assert!(packets.iter().all(|packets| *packets > 150), "the streams did run: {packets:?}");
    assert!(reports > 0, "and reported");
}
