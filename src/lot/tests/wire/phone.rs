//! One phone: a real user agent, and how it answers what it is asked.

use super::super::super::*;
use crate::sip::message::Method;
use crate::sip::sdp::{self, Codec, Direction, LocalMedia};
use crate::sip::{AccountKey, Event};
use std::collections::BTreeMap;

pub struct Phone {
    pub name: String,
    pub display: String,
    pub agent: UserAgent,
    pub address: Peer,
    pub account: AccountKey,
    /// Everything that happened, oldest first.
    pub events: Vec<Event>,
    /// Its calls' media: the next call takes the next port.
    pub(super) ports: BTreeMap<CallKey, u16>,
    pub(super) offers: BTreeMap<CallKey, Vec<u8>>,
    pub codecs: Vec<Codec>,
    /// How it answers an offer inside a call.
    pub direction: Direction,
    pub(super) next_port: u16,
    /// Unplugged: hears and says nothing.
    pub dead: bool,
    /// How often it has lost power.
    pub reboots: usize,
    /// What it answers to a MESSAGE.
    pub message_status: u16,
}

impl Phone {
    pub(super) fn take_port(&mut self) -> u16 {
        self.next_port += 2;
        self.next_port
    }

    pub(super) fn local(&self, port: u16, direction: Direction, version: u64) -> LocalMedia {
        let codecs = self.codecs.clone();
        let security = sdp::LocalSecurity::default();
        let session_id = port.into();
        let redundancy = false;
        LocalMedia {
            address: self.address.ip(),
            port,
            codecs,
            redundancy,
            direction,
            session_id,
            version,
            security,
        }
    }

    pub(super) fn on_event(&mut self, now: Moment, event: Event) {
        match &event {
            Event::CallReceived { call, request, .. } => {
                self.offers.insert(*call, request.body.clone());
            }
            Event::RequestReceived { key, request, .. } if request.method == Method::Message => {
                self.agent.answer(now, *key, self.message_status, Vec::new(), Vec::new());
            }
            Event::OfferReceived { call, sdp, .. } => {
                let port = self.ports.get(call).copied().unwrap_or(9);
                let local = self.local(port, self.direction, now.as_millis() as u64);
                let answer = if sdp.is_empty() {
                    Ok(sdp::offer(&local))
                } else {
                    sdp::answer(sdp, &local).map(|(answer, _)| answer).map_err(|_| 488)
                };
                self.agent.answer_offer(now, *call, answer);
            }
            _ => {}
        }
        self.events.push(event);
    }
}
