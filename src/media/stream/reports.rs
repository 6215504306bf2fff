//! A stream's RTCP: reports out and in, covered like its sound.

use super::Stream;
use crate::media::red;
use crate::media::rtcp::{LONGEST, Ours, Theirs, is_rtcp};
use crate::media::srtp::{OVERHEAD, SrtpSession};
use std::net::SocketAddr;
use std::time::Duration;

impl Stream {
    /// Makes the report that is due by now, if one is; returns its length.
    pub fn report(&mut self, now: Duration, out: &mut [u8]) -> usize {
        if self.reports_to().is_none() || !self.reports.is_due(now) {
            return 0;
        }
        self.write_report(now, false, out)
    }

    /// Makes the report that says good-bye; 0 when the far end has never had one.
    pub(crate) fn farewell(&mut self, now: Duration, out: &mut [u8]) -> usize {
        if self.reports_to().is_none() || !self.reports.begun() {
            return 0;
        }
        self.write_report(now, true, out)
    }

    /// Where reports go.
    pub(crate) fn reports_to(&self) -> Option<SocketAddr> {
        if matches!(self.cover, super::Cover::Awaited) {
            return None;
        }
        let agreed = self.config.rtcp_remote.filter(|to| !to.ip().is_unspecified() && to.port() != 0)?;
        if self.config.rtcp_mux {
            return Some(self.remote());
        }
        Some(self.reports_from.unwrap_or(agreed))
    }

    fn write_report(&mut self, now: Duration, farewell: bool, out: &mut [u8]) -> usize {
        if out.len() < LONGEST + OVERHEAD {
            return 0;
        }
        let clock = self.config.codec.clock_hz();
        let since =
            |at: Duration| (now.saturating_sub(at).as_micros() * u128::from(clock) / 1_000_000) as u32;
        let outbound = &self.outbound;
        let ours = Ours {
            ssrc: outbound.ssrc,
            // The next packet's time is a frame after the last one's.
            timestamp: outbound.sent_at.map_or(outbound.timestamp, |at| {
                outbound.timestamp.wrapping_sub(clock / 50).wrapping_add(since(at))
            }),
            packets: self.figures.sent,
            octets: outbound.octets,
            sends: outbound.sent_at.is_some_and(|at| now.saturating_sub(at) < Duration::from_secs(10)),
        };
        let inbound = &self.inbound;
        let theirs = inbound.ssrc.map(|ssrc| Theirs {
            ssrc,
            highest: inbound.jitter.highest(),
            received: self.figures.packets,
            lost: inbound.jitter.lost(),
            jitter_ticks: inbound.jitter_ticks as u32,
        });
        let length = self.reports.write(now, &ours, theirs.as_ref(), farewell, out);
        match &mut self.cover {
            super::Cover::Clear => length,
            super::Cover::Awaited => 0,
            super::Cover::Srtp(session) => session.seal_rtcp(out, length),
        }
    }

    /// Takes a datagram of RTCP that came `from` there; the far end's only.
    pub fn receive_report(&mut self, now: Duration, from: SocketAddr, datagram: &mut [u8]) {
        let opened = self.uncover(datagram, SrtpSession::open_rtcp);
        let genuine = opened.and_then(|(length, proven)| {
            let packet = datagram.get(..length).filter(|_| proven || self.gate.knows(from))?;
            self.reports.read(now, self.outbound.ssrc, self.inbound.ssrc, packet).then_some(())
        });
        if genuine.is_some()
            && let Some(percent) = self.reports.heard.lost_percent
        {
            let percent = self.care.report(now, percent);
            // Whole packets sent again are better than what an encoder makes of them: not both.
            let repeats = self.config.red_payload_type.is_some();
            // A report tells how much is lost and not how: what we see on the way here is the best guess for the way there.
            let burst = self.inbound.jitter.burst();
            self.outbound.plan = if repeats { red::plan(percent, burst) } else { &[] };
            self.outbound.encoder.set_loss(percent, repeats);
        }
        match genuine {
            Some(()) if !self.config.rtcp_mux => self.reports_from = Some(from),
            Some(()) => {}
            None => self.figures.refused += 1,
        }
    }

    /// Whether a datagram on RTP's port is a report (RFC 5761).
    pub(crate) fn is_report(&self, datagram: &[u8]) -> bool {
        self.config.rtcp_mux && is_rtcp(datagram)
    }

    /// Whether this host has anything to do with the stream.
    pub(crate) fn knows(&self, from: SocketAddr) -> bool {
        self.gate.knows(from)
    }
}
