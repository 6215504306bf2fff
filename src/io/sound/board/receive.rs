//! What comes in at the streams' sockets: sound, reports, records of handshakes; and what is passed on at once.

use super::super::order::Notice;
use super::{BURST, Board, DTLS, Outlet, send};
use std::net::SocketAddr;
use std::time::Duration;

impl Board {
    /// Takes the reports that wait at a socket of their own. What one turn doesn't take comes too fast to be true.
    pub(in crate::io::sound) fn receive_reports(&mut self, place: usize, now: Duration) {
        let Some(line) = self.lines.get_mut(place).and_then(Option::as_mut) else { return };
        let Some(socket) = &line.reports else { return };
        for _ in 0..BURST {
            match socket.recv_from(&mut self.packet) {
                Ok((length, from)) => {
                    let datagram = self.packet.get_mut(..length).unwrap_or_default();
                    if let Some(media) = &mut line.media {
                        media.receive_report(now, from, datagram);
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
    }

    /// Takes what waits at a socket, up to a turn's worth.
    pub(in crate::io::sound) fn receive(&mut self, place: usize, now: Duration, outlet: &mut impl Outlet) {
        for _ in 0..BURST {
            let Some(line) = self.lines.get_mut(place).and_then(Option::as_mut) else { return };
            line.pending = false;
            match line.socket.recv_from(&mut self.packet) {
                Ok((length, from)) => self.take(place, now, length, from, outlet),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                // An ICMP error of an earlier packet: the next read goes on.
                Err(_) => {}
            }
        }
        if let Some(line) = self.lines.get_mut(place).and_then(Option::as_mut) {
            line.pending = true;
        }
    }

    fn take(
        &mut self,
        place: usize,
        now: Duration,
        length: usize,
        from: SocketAddr,
        outlet: &mut impl Outlet,
    ) {
        let Some(line) = self.lines.get_mut(place).and_then(Option::as_mut) else { return };
        let datagram = self.packet.get_mut(..length).unwrap_or_default();
        if let (Some(media), Some(first)) = (&mut line.media, datagram.first()) {
            if DTLS.contains(first) {
                if media.knows(from) {
                    outlet.shake(line.id, from, datagram);
                }
                return;
            }
            if media.is_report(datagram) {
                return media.receive_report(now, from, datagram);
            }
        }
        // Out of its place while others are written to; moving the box allocates nothing.
        let Some(mut media) = line.media.take() else { return };
        let (id, listeners, decodes, told) = (line.id, line.listeners, line.decodes, line.silence_told);
        let first = media.heard_at().is_none();
        if let Some(mut admitted) = media.admit(now, from, datagram) {
            if decodes {
                media.store(now, &mut admitted);
            } else {
                media.count(&mut admitted);
            }
            if let Some(digit) = admitted.digit {
                outlet.tell(Notice::Digit { stream: id, digit });
            }
            if first || told > 0 {
                outlet.tell(Notice::StreamHeard { stream: id });
            }
            // Keys are told to the owner, who may take them for a code, and presses at the other end what is to go on.
            for listener in listeners.into_iter().flatten().filter(|_| !admitted.is_event()) {
                let Some(other) = self.lines.get_mut(listener).and_then(Option::as_mut) else { continue };
                let Some(onward) = other.media.as_mut() else { continue };
                if other.passes {
                    let length = onward.forward(now, &admitted, &mut self.out);
                    send(&other.socket, onward, self.out.get(..length).unwrap_or(&[]));
                }
            }
        }
        if let Some(line) = self.lines.get_mut(place).and_then(Option::as_mut) {
            if media.heard_at() == Some(now) {
                (line.silent_from, line.silence_told) = (now, 0);
            }
            line.media = Some(media);
        }
    }
}
