//! RTP packets (RFC 3550 5.1): reading with bounds, writing, and arithmetic on numbers that wrap.

use rtp_rs::{RtpPacketBuilder, RtpReader};

/// A packet as read from a datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: &'a [u8],
}

/// Reads a datagram; `None` if it is not RTP version 2, is cut short or carries nothing.
pub(crate) fn read(datagram: &[u8]) -> Option<Packet<'_>> {
    if datagram.len() > super::MAX_PACKET {
        return None;
    }
    let reader = RtpReader::new(datagram).ok()?;
    let payload = reader.payload();
    (!payload.is_empty()).then(|| Packet {
        marker: reader.mark(),
        payload_type: reader.payload_type(),
        sequence: reader.sequence_number().into(),
        timestamp: reader.timestamp(),
        ssrc: reader.ssrc(),
        payload,
    })
}

/// Writes a packet and returns its length; 0 if `out` is too short or a number out of range.
pub(crate) fn write(out: &mut [u8], packet: &Packet<'_>) -> usize {
    RtpPacketBuilder::new()
        .payload_type(packet.payload_type)
        .marked(packet.marker)
        .sequence(packet.sequence.into())
        .timestamp(packet.timestamp)
        .ssrc(packet.ssrc)
        .payload(packet.payload)
        .build_into(out)
        .unwrap_or(0)
}

/// The 64-bit sequence number nearest to `reference` whose low 16 bits are `sequence`.
pub(crate) fn extend_sequence(reference: i64, sequence: u16) -> i64 {
    let step = sequence.wrapping_sub(reference as u16) as i16;
    reference + i64::from(step)
}

/// The 64-bit timestamp nearest to `reference` whose low 32 bits are `timestamp`.
pub(crate) fn extend_timestamp(reference: i64, timestamp: u32) -> i64 {
    let step = timestamp.wrapping_sub(reference as u32) as i32;
    reference + i64::from(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: usize = 12;

    #[test]
    fn what_is_written_is_read() {
        let mut out = [0; 64];
        let packet = Packet {
            marker: true,
            payload_type: 111,
            sequence: 65_535,
            timestamp: 7,
            ssrc: 9,
            payload: &[1, 2, 3],
        };
        let length = write(&mut out, &packet);
        assert_eq!(length, HEADER + 3);
        let read = read(&out[..length]).unwrap();
        assert!(read.marker);
        assert_eq!((read.payload_type, read.sequence, read.timestamp, read.ssrc), (111, 65_535, 7, 9));
        assert_eq!(read.payload, [1, 2, 3]);
    }

    #[test]
    fn numbers_wrap_both_ways() {
        assert_eq!(extend_sequence(65_535, 0), 65_536);
        assert_eq!(extend_sequence(65_536, 65_535), 65_535);
        assert_eq!(extend_timestamp(0xFFFF_FFFF, 10), 0x1_0000_000A);
        assert_eq!(extend_timestamp(0x1_0000_0005, 0xFFFF_FFF0), 0xFFFF_FFF0);
    }

    #[test]
    fn no_garbage_is_taken_or_panics() {
        use rand::{Rng, SeedableRng, rngs::SmallRng};
        let mut random = SmallRng::seed_from_u64(1);
        let mut bytes = [0_u8; 64];
        for round in 0..200_000_u32 {
            random.fill_bytes(&mut bytes);
            if round % 2 == 0 {
                bytes[0] = 0x80 | (bytes[0] & 0x3F);
            }
            let length = random.next_u32() as usize % bytes.len();
            if let Some(packet) = read(&bytes[..length]) {
                assert!(!packet.payload.is_empty() && packet.payload.len() <= length - HEADER);
            }
        }
        assert!(read(&[0x80; 2000]).is_none());
    }
}
