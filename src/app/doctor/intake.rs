//! What comes from the network and the media threads, handed to whom it is for; and what goes out.

use super::enquiry::call_id_of;
use super::examiner::Examiner;
use super::finding::Finding;
use crate::desk::CallId;
use crate::media::{Command, Report};
use crate::parking::Moment;
use crate::sip::framing::Frame;
use crate::sip::{Peer, Secured, Transmit};
use std::net::SocketAddr;

/// Streams whose messages are told apart; one server has one, or two while it is exchanged for another.
const MAX_STREAMS: usize = 8;
/// Keys that are remembered.
const MAX_DIGITS: usize = 32;

impl Examiner {
    /// A datagram came.
    pub fn receive(&mut self, now: Moment, from: Peer, bytes: &[u8]) {
        self.witness.note(now, false, bytes);
        match call_id_of(bytes).is_some_and(|call_id| self.enquirer.is_about(&call_id)) {
            true => self.enquirer.receive(now, from, bytes),
            false => self.phones.receive(now, from, bytes),
        }
        self.settle(now);
    }

    /// A connection brought this: cut into messages, since each is for one of two user agents.
    pub fn receive_stream(&mut self, now: Moment, from: Peer, bytes: &[u8]) {
        if self.streams.len() >= MAX_STREAMS && !self.streams.contains_key(&from) {
            return;
        }
        let mut framer = self.streams.remove(&from).unwrap_or_default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = framer.push(rest);
            rest = rest.get(taken..).unwrap_or_default();
            while let Some(frame) = framer.next_frame() {
                self.take_frame(now, from, frame, bytes);
            }
            if taken == 0 {
                break;
            }
        }
        self.streams.insert(from, framer);
        self.settle(now);
    }

    fn take_frame(&mut self, now: Moment, from: Peer, frame: Frame, whole: &[u8]) {
        match frame {
            Frame::Message(message) => {
                self.witness.note(now, false, &message);
                match call_id_of(&message).is_some_and(|call_id| self.enquirer.is_about(&call_id)) {
                    true => self.enquirer.receive_stream(now, from, &message),
                    false => self.phones.receive_stream(now, from, &message),
                }
            }
            Frame::Pong => {
                self.enquirer.receive_stream(now, from, b"\r\n");
                self.phones.receive_stream(now, from, b"\r\n");
            }
            Frame::Ping => self.phones.receive_stream(now, from, b"\r\n"),
            // The phones say what is wrong with it, and end the connection.
            Frame::Fatal(_) => self.phones.receive_stream(now, from, whole),
        }
    }

    /// A connection is up.
    pub fn flow_opened(&mut self, now: Moment, peer: Peer, secured: Secured) {
        self.enquirer.user_agent().flow_opened(now, peer, secured);
        self.phones.flow_opened(now, peer, secured);
        self.settle(now);
    }

    /// A connection is gone, or could not be opened.
    pub fn flow_closed(&mut self, now: Moment, peer: Peer, reason: &str) {
        self.streams.remove(&peer);
        if self.facts.closed.len() < MAX_STREAMS && !self.facts.closed.iter().any(|known| known == reason) {
            self.facts.closed.push(reason.to_owned());
        }
        self.enquirer.user_agent().flow_closed(now, peer, reason);
        self.phones.flow_closed(now, peer, reason);
        self.settle(now);
    }

    /// The network says that nobody takes our datagrams there: where nothing else is heard, that is why.
    pub fn datagram_refused(&mut self, now: Moment, to: SocketAddr) {
        let reason = format!("nothing listens for datagrams (UDP) at {to}, or there is no way there");
        if self.facts.closed.len() < MAX_STREAMS && !self.facts.closed.contains(&reason) {
            self.facts.closed.push(reason);
        }
        self.enquirer.user_agent().datagram_refused(now, to);
        self.phones.datagram_refused(now, to);
        self.settle(now);
    }

    /// We are reached at another address than before.
    pub fn network_changed(&mut self, now: Moment, local: SocketAddr) {
        self.enquirer.user_agent().network_changed(now, local);
        self.phones.network_changed(now, local);
        self.settle(now);
    }

    /// The media threads said something.
    pub fn report(&mut self, now: Moment, report: Report) {
        match report {
            Report::PortsBound { mut ports } => {
                self.spare_port = self.spare_port.or_else(|| ports.pop());
                self.phones.add_ports(&ports);
            }
            Report::Figures { stream, figures } => {
                if let Some(leg) = self.legs.get_mut(&CallId(stream.0)) {
                    leg.measured(now, figures);
                }
            }
            Report::Digit { stream, digit }
                if self.parkee == Some(CallId(stream.0)) && self.facts.digits.len() < MAX_DIGITS =>
            {
                self.facts.digits.push(digit);
            }
            _ => {}
        }
        self.settle(now);
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self, now: Moment) -> Option<Transmit> {
        let transmit = self.enquirer.poll_transmit().or_else(|| self.phones.poll_transmit())?;
        self.witness.note(now, true, &transmit.bytes);
        Some(transmit)
    }

    /// The next connection to close.
    pub fn poll_close(&mut self) -> Option<Peer> {
        self.phones.poll_close().or_else(|| self.enquirer.user_agent().poll_close())
    }

    /// The next command to the media threads.
    pub fn poll_sound(&mut self) -> Option<Command> {
        self.sound.pop_front()
    }

    /// The next finding.
    pub fn poll_finding(&mut self) -> Option<Finding> {
        self.findings.pop_front()
    }
}
