//! RTCP (RFC 3550 6): what we report of a stream, and what the far end reports of ours. Reports are written by hand into
//! the buffer that is lent, because nothing may allocate; they are read within bounds by rtcp-types.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};
use rtcp_types::{Bye, Compound, ReceiverReport, ReportBlock, RtcpPacketParser, SenderReport};
use std::time::Duration;

/// The least time between two reports, on average (RFC 3550 6.2). Calls of two need no more than that.
const INTERVAL: Duration = Duration::from_secs(5);
/// What the randomised intervals are divided by, so that their mean is right (RFC 3550 6.3.1).
const COMPENSATION: f32 = 1.218_28;
/// Packets read from one compound packet.
const PACKETS_MAX: usize = 16;
/// The longest round trip that is believed.
const ROUND_TRIP_MAX_MS: f32 = 60_000.0;
/// Characters of our canonical name (RFC 7022 4.2: 96 random bits).
const NAME: usize = 16;
/// Room for the longest that is written: SR with a block, SDES, BYE.
pub(crate) const LONGEST: usize = 28 + 24 + 32 + 8;

/// What is known of what we send.
pub(crate) struct Ours {
    pub ssrc: u32,
    /// The RTP timestamp that this moment has.
    pub timestamp: u32,
    pub packets: u64,
    pub octets: u64,
    /// We have sent something since the last report.
    pub sends: bool,
}

/// What is known of what the far end sends.
pub(crate) struct Theirs {
    pub ssrc: u32,
    pub highest: u32,
    pub received: u64,
    pub lost: u64,
    pub jitter_ticks: u32,
}

/// What the far end reports of what it hears of us.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Heard {
    pub round_trip_ms: Option<f32>,
    pub lost_percent: Option<f32>,
    pub jitter_ticks: Option<u32>,
}

/// The state of both directions' reports.
pub(crate) struct Reports {
    name: [u8; NAME],
    random: SmallRng,
    due: Option<Duration>,
    sent: bool,
    /// The middle of the NTP time of the far end's last sender report, and when it came.
    last: Option<(u32, Duration)>,
    received_before: u64,
    lost_before: u64,
    pub heard: Heard,
    pub packets: u64,
    /// The far end said good-bye.
    pub bye: bool,
}

impl Reports {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut bits = [0; NAME / 4 * 3];
        random.fill_bytes(&mut bits);
        let mut name = [b'A'; NAME];
        // The room is exactly what it takes.
        let _ = STANDARD.encode_slice(bits, &mut name);
        Self {
            name,
            random,
            due: None,
            sent: false,
            last: None,
            received_before: 0,
            lost_before: 0,
            heard: Heard::default(),
            packets: 0,
            bye: false,
        }
    }

    /// Whether a report is due; the first one comes after half the time (RFC 3550 6.2).
    pub(crate) fn is_due(&mut self, now: Duration) -> bool {
        let share = self.random.random_range(0.5..1.5) / COMPENSATION;
        match self.due {
            None => {
                self.due = Some(now + INTERVAL.mul_f32(share / 2.0));
                false
            }
            Some(due) if now >= due => {
                self.due = Some(now + INTERVAL.mul_f32(share));
                true
            }
            Some(_) => false,
        }
    }

    /// Whether anything was reported so far: then a good-bye is due in the end.
    pub(crate) fn begun(&self) -> bool {
        self.sent
    }

    /// Writes a report with our name; a sender report if we send.
    pub(crate) fn write(
        &mut self,
        now: Duration,
        ours: &Ours,
        theirs: Option<&Theirs>,
        farewell: bool,
        out: &mut [u8],
    ) -> usize {
        let mut writer = Writer { out, at: 0 };
        let block = u8::from(theirs.is_some());
        if ours.sends {
            writer.head(block, 200, 6 + 6 * u16::from(block), ours.ssrc);
            writer.put(&ntp(now).to_be_bytes());
            writer.put(&ours.timestamp.to_be_bytes());
            writer.put(&(ours.packets as u32).to_be_bytes());
            writer.put(&(ours.octets as u32).to_be_bytes());
        } else {
            writer.head(block, 201, 1 + 6 * u16::from(block), ours.ssrc);
        }
        if let Some(theirs) = theirs {
            self.write_block(now, theirs, &mut writer);
        }
        // One chunk: SSRC, CNAME, and zeros up to the next word.
        writer.head(1, 202, 6, ours.ssrc);
        writer.put(&[1, NAME as u8]);
        writer.put(&self.name);
        writer.put(&[0, 0]);
        if farewell {
            writer.head(1, 203, 1, ours.ssrc);
        }
        self.sent = true;
        writer.at
    }

    fn write_block(&mut self, now: Duration, theirs: &Theirs, writer: &mut Writer<'_>) {
        let lost = theirs.lost.saturating_sub(self.lost_before);
        let expected = lost + theirs.received.saturating_sub(self.received_before);
        (self.lost_before, self.received_before) = (theirs.lost, theirs.received);
        let fraction = (lost * 256).checked_div(expected).unwrap_or(0).min(255) as u32;
        let cumulative = theirs.lost.min(0x7F_FFFF) as u32;
        let (last, delay) = match self.last {
            Some((last, came)) => (last, (ntp(now.saturating_sub(came)) >> 16) as u32),
            None => (0, 0),
        };
        for word in
            [theirs.ssrc, fraction << 24 | cumulative, theirs.highest, theirs.jitter_ticks, last, delay]
        {
            writer.put(&word.to_be_bytes());
        }
    }

    /// Reads a compound or reduced-size packet (RFC 5506); `ours` and `theirs` are the SSRCs that count. `false`: it is
    /// none.
    pub(crate) fn read(&mut self, now: Duration, ours: u32, theirs: Option<u32>, packet: &[u8]) -> bool {
        // Checks that the lengths add up. Its packets are taken by hand: to look into an SDES it allocates.
        if Compound::parse(packet).is_err() {
            return false;
        }
        let counts = |ssrc: u32| theirs.is_none_or(|theirs| theirs == ssrc);
        let mut rest = packet;
        for _ in 0..PACKETS_MAX {
            let &[_, kind, high, low, ..] = rest else { break };
            let length = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
            let Some((one, behind)) = rest.split_at_checked(length) else { break };
            rest = behind;
            match kind {
                200 => {
                    let Ok(report) = SenderReport::parse(one) else { continue };
                    if counts(report.ssrc()) {
                        self.last = Some(((report.ntp_timestamp() >> 16) as u32, now));
                    }
                    self.take_blocks(now, ours, report.report_blocks());
                }
                201 => {
                    let Ok(report) = ReceiverReport::parse(one) else { continue };
                    self.take_blocks(now, ours, report.report_blocks());
                }
                203 => self.bye |= Bye::parse(one).is_ok_and(|bye| bye.ssrcs().any(counts)),
                _ => {}
            }
        }
        self.packets += 1;
        true
    }

    fn take_blocks<'a>(&mut self, now: Duration, ours: u32, blocks: impl Iterator<Item = ReportBlock<'a>>) {
        for block in blocks.filter(|block| block.ssrc() == ours) {
            self.heard.lost_percent = Some(f32::from(block.fraction_lost()) * 100.0 / 256.0);
            self.heard.jitter_ticks = Some(block.interarrival_jitter());
            let sent = block.last_sender_report_timestamp();
            if sent == 0 {
                continue;
            }
            let now = (ntp(now) >> 16) as u32;
            let waited = block.delay_since_last_sender_report_timestamp();
            // In 1/65,536 s; what comes out below zero or too large is a lie or a broken clock.
            let trip = now.wrapping_sub(sent).wrapping_sub(waited) as f32 * 1_000.0 / 65_536.0;
            if trip < ROUND_TRIP_MAX_MS {
                self.heard.round_trip_ms = Some(trip);
            }
        }
    }
}

/// A time in NTP's format. The origin is whatever `now` counts from (RFC 3550 6.4.1 leaves it open).
fn ntp(time: Duration) -> u64 {
    let fraction = (u64::from(time.subsec_nanos()) << 32) / 1_000_000_000;
    time.as_secs() << 32 | fraction
}

/// Whether a datagram on RTP's port is RTCP (RFC 5761 4).
pub(crate) fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.out.get_mut(self.at..self.at + bytes.len()) {
            room.copy_from_slice(bytes);
            self.at += bytes.len();
        }
    }

    /// The common header: `words` follow its first one.
    fn head(&mut self, count: u8, kind: u8, words: u16, ssrc: u32) {
        self.put(&[0x80 | count, kind]);
        self.put(&words.to_be_bytes());
        self.put(&ssrc.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtcp_types::Packet;

    fn ours(ssrc: u32) -> Ours {
        Ours { ssrc, timestamp: 1, packets: 50, octets: 8_000, sends: true }
    }

    fn theirs(ssrc: u32, received: u64, lost: u64) -> Theirs {
        Theirs { ssrc, highest: 77, received, lost, jitter_ticks: 80 }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn two_sides_measure_the_round_trip_the_loss_and_the_jitter() {
        let (mut a, mut b) = (Reports::new(1), Reports::new(2));
        let mut out = [0; LONGEST];
        let length = a.write(ms(1_000), &ours(1), None, false, &mut out);
        assert!(b.read(ms(1_040), 2, Some(1), &out[..length]));
        // b answers 500 ms later, with 25 of 100 lost.
        let length = b.write(ms(1_540), &ours(2), Some(&theirs(1, 75, 25)), false, &mut out);
        assert_eq!(length, 28 + 24 + 32 - 4);
        assert!(a.read(ms(1_580), 1, Some(2), &out[..length]));
        let heard = a.heard;
        assert!((heard.round_trip_ms.unwrap() - 80.0).abs() < 1.0, "{heard:?}");
        assert_eq!((heard.lost_percent, heard.jitter_ticks), (Some(25.0), Some(80)));
        // The next interval lost nothing.
        let length = b.write(ms(6_000), &ours(2), Some(&theirs(1, 175, 25)), true, &mut out);
        assert!(a.read(ms(6_040), 1, Some(2), &out[..length]));
        assert_eq!(a.heard.lost_percent, Some(0.0));
        assert!(a.bye && !b.bye);
    }

    #[test]
    fn what_is_written_can_be_read_by_others() {
        let mut reports = Reports::new(1);
        let mut out = [0; LONGEST];
        for (sends, with) in [(true, true), (true, false), (false, true), (false, false)] {
            let ours = Ours { sends, ..ours(9) };
            let theirs = with.then(|| theirs(1, 10, 0));
            let length = reports.write(ms(5), &ours, theirs.as_ref(), true, &mut out);
            let packets: Vec<_> = Compound::parse(&out[..length]).unwrap().collect();
            assert_eq!(packets.len(), 3);
            assert!(packets.iter().all(Result::is_ok), "{packets:?}");
            let Ok(Packet::Sdes(sdes)) = &packets[1] else { panic!("{packets:?}") };
            let chunk = sdes.chunks().next().unwrap();
            assert_eq!(chunk.items().next().unwrap().value().len(), NAME);
        }
    }

    #[test]
    fn reports_come_every_few_seconds_and_never_in_step() {
        let mut reports = Reports::new(3);
        let due: Vec<u64> = (0..600_u64).filter(|n| reports.is_due(ms(n * 250))).collect();
        assert!((20..60).contains(&due.len()), "{due:?}");
        let steps: Vec<u64> = due.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(
            steps.iter().all(|s| (8..=26).contains(s)) && steps.iter().any(|s| *s != steps[0]),
            "{steps:?}"
        );
    }

    #[test]
    fn hostile_reports_are_bounded_and_lies_are_not_believed() {
        let mut random = SmallRng::seed_from_u64(5);
        let mut reports = Reports::new(4);
        let mut bytes = [0; 1_472];
        for n in 0..20_000_u64 {
            random.fill_bytes(&mut bytes);
            bytes[0] = 0x80 | bytes[0] & 0x3F;
            bytes[1] = 192 + bytes[1] % 32;
            let length = random.random_range(0..bytes.len());
            if n % 2 == 0 {
                // Fits its own length, so that it is looked into.
                bytes[2..4].copy_from_slice(&((length / 4) as u16).saturating_sub(1).to_be_bytes());
            }
            reports.read(ms(n), 1, Some(2), &bytes[..length / 4 * 4]);
        }
        let mut out = [0; LONGEST];
        let mut liar = Reports::new(5);
        liar.last = Some((u32::MAX / 2, ms(0)));
        let length = liar.write(ms(10), &ours(2), Some(&theirs(1, 1, 0)), false, &mut out);
        let mut honest = Reports::new(6);
        assert!(honest.read(ms(20), 1, Some(2), &out[..length]));
        assert_eq!(honest.heard.round_trip_ms, None);
        assert!(!honest.read(ms(20), 1, None, &[]) && !honest.read(ms(20), 1, None, &[0x80]));
    }
}
