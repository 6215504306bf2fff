//! One call's media: frames to RTP packets, and packets by way of the jitter buffer to frames.

use super::{FRAME, StreamConfig, StreamFigures};
use std::net::SocketAddr;
use std::time::Duration;

/// One call's media, sans-IO. Making one allocates; nothing after that does, but for a change of codec.
pub struct Stream {
    config: StreamConfig,
    figures: StreamFigures,
}

impl Stream {
    /// A stream whose SSRC, first sequence number and first timestamp come from `seed` (RFC 3550 5.1).
    pub fn new(config: StreamConfig, seed: u64) -> Self {
        let _ = seed;
        Self { config, figures: StreamFigures::default() }
    }

    /// Takes over what a new offer and answer settled.
    pub fn reconfigure(&mut self, now: Duration, config: StreamConfig) {
        let _ = now;
        self.config = config;
    }

    /// Takes a datagram that came `from` there. Returns a digit the far end pressed, once.
    pub fn receive(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) -> Option<char> {
        let _ = (now, from, datagram);
        None
    }

    /// The next 20 ms to be heard.
    pub fn pull(&mut self, now: Duration, frame: &mut [i16; FRAME]) {
        let _ = now;
        frame.fill(0);
    }

    /// Makes the packet for the next 20 ms in `packet`; returns its length, 0 when nothing is to be sent.
    pub fn push(&mut self, frame: &[i16; FRAME], packet: &mut [u8]) -> usize {
        let _ = (frame, packet);
        0
    }

    /// Queues a telephone event; `false` when the far end takes none, the queue is full or it is no key.
    pub fn send_digit(&mut self, digit: char, duration_ms: u16) -> bool {
        let _ = (digit, duration_ms);
        false
    }

    /// Where packets go: the negotiated address, or the one learned (symmetric RTP, RFC 4961).
    pub fn remote(&self) -> SocketAddr {
        self.config.remote
    }

    /// Counters and state.
    pub fn figures(&self) -> StreamFigures {
        self.figures
    }
}
