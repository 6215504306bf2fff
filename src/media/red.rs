//! Redundant payloads (RFC 2198): packets sent before, again beside the new one. Writing, reading within bounds, and how
//! many copies a loss calls for.

use super::jitter::MAX_PAYLOAD;

/// Most copies beside the new payload.
pub(crate) const COPIES: usize = 3;
/// Bytes before a copy, and before the new payload.
const HEAD: usize = 4;
/// What fits the fields: 14 bits of timestamp, 10 of length.
const OFFSET_MAX: u32 = (1 << 14) - 1;
const LENGTH_MAX: usize = (1 << 10) - 1;
/// Most blocks that are read from a packet.
const BLOCKS_MAX: usize = 8;
/// How many packets back the farthest copy may lie.
const DEPTH: usize = 6;
/// From which reported loss on, in percent, which packets are sent again: how many packets back each lies, nearest first.
const PLANS: [Plan; 3] = [(14.0, &[1, 2, 3]), (5.0, &[1, 2]), (1.0, &[1])];
/// The same where losses come in bursts: what would be lost together lies farther apart.
const PLANS_APART: [Plan; 3] = [(8.0, &[2, 4, 6]), (3.0, &[2, 4]), (1.0, &[3])];
/// Losses of so many packets in a row on average are bursts.
const BURST: f32 = 1.8;
/// From which loss on, in percent, which packets.
type Plan = (f32, &'static [usize]);
/// What is sent again before the far end has reported anything.
pub(crate) const UNKNOWN: &[usize] = &[1];
/// Largest payload that is kept for copies.
const KEPT: usize = 400;

/// Which packets a loss calls for again, of which so many come in a row.
pub(crate) fn plan(lost_percent: f32, burst: f32) -> &'static [usize] {
    let plans = if burst >= BURST { PLANS_APART } else { PLANS };
    plans.iter().find(|(from, _)| lost_percent >= *from).map_or(&[], |(_, plan)| plan)
}

#[derive(Clone, Copy)]
struct Sent {
    timestamp: u32,
    length: usize,
    bytes: [u8; KEPT],
}

/// The payloads that were sent last.
pub(crate) struct History {
    /// The newest first.
    sent: [Sent; DEPTH],
    count: usize,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { sent: [Sent { timestamp: 0, length: 0, bytes: [0; KEPT] }; DEPTH], count: 0 }
    }

    /// What was sent is of no use any more: another codec.
    pub(crate) fn forget(&mut self) {
        self.count = 0;
    }

    /// Keeps a payload that was sent.
    pub(crate) fn keep(&mut self, timestamp: u32, payload: &[u8]) {
        let Some(bytes) = self.sent[DEPTH - 1].bytes.get_mut(..payload.len()) else {
            return self.forget();
        };
        bytes.copy_from_slice(payload);
        (self.sent[DEPTH - 1].timestamp, self.sent[DEPTH - 1].length) = (timestamp, payload.len());
        self.sent.rotate_right(1);
        self.count = (self.count + 1).min(DEPTH);
    }

    /// Writes a payload after those of the `plan` that were sent; returns the length, 0 when there is nothing to repeat or
    /// no room. `ticks` is what a packet lasts: only packets in a row are repeated.
    pub(crate) fn write(&self, plan: &[usize], ticks: u32, new: (u8, u32, &[u8]), out: &mut [u8]) -> usize {
        let (payload_type, timestamp, payload) = new;
        let fits = |back: &&usize| {
            let sent = self.sent[..self.count].get(back.wrapping_sub(1));
            sent.is_some_and(|sent| {
                let offset = timestamp.wrapping_sub(sent.timestamp);
                offset == ticks * **back as u32 && offset <= OFFSET_MAX && sent.length <= LENGTH_MAX
            })
        };
        let mut chosen = [0; COPIES];
        let mut copies = 0;
        for (place, back) in chosen.iter_mut().zip(plan.iter().filter(fits)) {
            *place = back - 1;
            copies += 1;
        }
        let chosen = &chosen[..copies];
        let repeated: usize = chosen.iter().map(|at| self.sent[*at].length).sum();
        let length = copies * HEAD + 1 + repeated + payload.len();
        if copies == 0 || length > out.len() {
            return 0;
        }
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        for sent in chosen.iter().rev().map(|at| &self.sent[*at]) {
            let word = timestamp.wrapping_sub(sent.timestamp) << 10 | sent.length as u32;
            put(&(u32::from(0x80 | payload_type) << 24 | word).to_be_bytes());
        }
        put(&[payload_type]);
        chosen.iter().rev().map(|at| &self.sent[*at]).for_each(|sent| put(&sent.bytes[..sent.length]));
        put(payload);
        length
    }
}

/// A block of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    pub payload_type: u8,
    /// How much earlier than the packet's its timestamp is.
    pub offset: u32,
    pub payload: &'a [u8],
}

/// The blocks of a redundant payload, the new one last. Nothing when it isn't one.
pub(crate) fn read(payload: &[u8]) -> impl Iterator<Item = Block<'_>> {
    let mut heads = [(0_u8, 0_u32, 0_usize); BLOCKS_MAX];
    let (mut count, mut rest) = (0, payload);
    let mut whole = false;
    while count < BLOCKS_MAX
        && let Some((first, behind)) = rest.split_first()
    {
        if first & 0x80 == 0 {
            // The new one takes what is left.
            let repeated: usize = heads[..count].iter().map(|(_, _, length)| length).sum();
            if let Some(length) = behind.len().checked_sub(repeated).filter(|length| *length <= MAX_PAYLOAD) {
                heads[count] = (*first, 0, length);
                (count, rest, whole) = (count + 1, behind, true);
            }
            break;
        }
        let &[_, a, b, c, ..] = rest else { break };
        let word = u32::from_be_bytes([0, a, b, c]);
        heads[count] = (first & 0x7F, word >> 10, (word & 0x3FF) as usize);
        (count, rest) = (count + 1, &rest[HEAD..]);
    }
    let count = if whole { count } else { 0 };
    heads.into_iter().take(count).scan(rest, |rest, (payload_type, offset, length)| {
        let (payload, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        Some(Block { payload_type, offset, payload })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_only_packets_in_a_row_are_repeated() {
        let mut history = History::new();
        let mut out = [0; 200];
        assert_eq!(history.write(&[1, 2], 960, (107, 0, &[1]), &mut out), 0, "nothing to repeat");
        for n in 0..5_u8 {
            history.keep((u32::MAX - 1_919).wrapping_add(960 * u32::from(n)), &[n; 10]);
        }
        let length = history.write(&[1, 2], 960, (107, 2_880, &[9; 3]), &mut out);
        let read: Vec<_> = read(&out[..length]).collect();
        let block = |offset, payload| Block { payload_type: 107, offset, payload };
        assert_eq!(read, [block(1_920, &[3; 10][..]), block(960, &[4; 10]), block(0, &[9; 3])]);
        let length = history.write(&[1, 4], 960, (107, 2_880, &[9; 3]), &mut out);
        let offsets: Vec<_> = super::read(&out[..length]).map(|block| block.offset).collect();
        assert_eq!(offsets, [3_840, 960, 0], "with others between");
        assert_eq!(
            history.write(&[1, 2], 960, (107, 3_840, &[9; 3]), &mut out),
            0,
            "a packet is missing between"
        );
        assert_eq!(history.write(&[9, 0], 960, (107, 2_880, &[9; 3]), &mut out), 0, "nothing so old is kept");
        assert_eq!(history.write(&[1, 2, 3], 960, (107, 2_880, &[9; 3]), &mut [0; 20]), 0, "no room");
    }

    #[test]
    fn hostile_payloads_are_bounded() {
        use rand::{Rng, SeedableRng, rngs::SmallRng};
        let mut random = SmallRng::seed_from_u64(3);
        let mut bytes = [0; 64];
        for n in 0..20_000 {
            random.fill_bytes(&mut bytes);
            let blocks = read(&bytes[..n % 64]);
            assert!(blocks.map(|block| block.payload.len()).sum::<usize>() <= n % 64);
        }
        assert_eq!(read(&[0x80 | 107]).count(), 0);
        assert_eq!(read(&[0x80 | 107, 0, 0, 9, 107, 1, 2]).count(), 0, "shorter than it says");
    }

    #[test]
    fn the_more_is_lost_the_more_is_repeated() {
        assert_eq!(
            [0.0, 0.9, 1.0, 4.0, 10.0, 20.0, 100.0].map(|lost| plan(lost, 1.0).len()),
            [0, 0, 1, 1, 2, 3, 3]
        );
        assert_eq!((plan(10.0, 1.0), plan(10.0, 3.0)), (&[1, 2][..], &[2, 4, 6][..]));
        for (_, plan) in PLANS.into_iter().chain(PLANS_APART) {
            assert!(plan.len() <= COPIES && plan.iter().all(|back| (1..=DEPTH).contains(back)));
        }
    }
}
