//! Whether the server is there: asked every few seconds (OPTIONS), and what follows from its answer or its silence.

use super::phone::Phone;
use crate::desk::{Event, Protection, Way};
use crate::parking::{Moment, Text};
use crate::sip::{self, ProbeKey};
use std::time::Duration;

/// How often the server is asked whether it is there.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// How long its answer is waited for before lamps are called stale.
const PROBE_PATIENCE: Duration = Duration::from_secs(4);

impl Phone {
    pub(super) fn probe_when_due(&mut self, now: Moment) {
        if let Some((_, until)) = self.probing {
            if now >= until {
                self.silence(now);
                self.probing = None;
                self.next_probe = Some(now + Duration::from_secs(1));
            }
            return;
        }
        if self.next_probe.is_some_and(|at| now >= at) {
            let server = self.server();
            let target = self.uri_of("");
            let probe = self.ua.probe(now, Some(self.account), target, server);
            self.probing = Some((probe, now + PROBE_PATIENCE));
            self.next_probe = None;
        }
    }

    pub(super) fn probe_answered(&mut self, now: Moment, probe: ProbeKey, round_trip: Duration) {
        if self.probing.as_ref().is_some_and(|(p, _)| *p == probe) {
            self.probing = None;
            self.next_probe = Some(now + PROBE_EVERY);
        }
        self.tell_way();
        let ms = u32::try_from(round_trip.as_millis()).unwrap_or(u32::MAX);
        self.say(Event::Reached { round_trip_ms: ms });
        if !std::mem::replace(&mut self.reachable, true) {
            self.reachable_again(now);
        }
    }

    pub(super) fn probe_lost(&mut self, now: Moment, probe: ProbeKey) {
        if self.probing.as_ref().is_some_and(|(p, _)| *p == probe) {
            self.probing = None;
            self.next_probe = Some(now + Duration::from_secs(1));
            self.silence(now);
        }
    }

    /// A probe got no answer.
    pub(super) fn silence(&mut self, now: Moment) {
        if std::mem::replace(&mut self.reachable, false) {
            self.say(Event::Unreachable);
            self.all_lamps_stale(now);
        } else if !self.registered && !self.met_silence {
            // REGISTER itself gives up after half a minute only (RFC 3261 17.1.2.2): too long to look at nothing.
            self.registration_failed(now, self.server(), None, "", None);
        }
    }

    fn reachable_again(&mut self, now: Moment) {
        if self.registered || self.met_silence {
            self.ua.register(now, self.account);
            self.renew_stale_lamps(now);
        }
    }

    /// Tells how the server is reached, if that is news.
    pub(super) fn tell_way(&mut self) {
        let peer = self.server();
        let protection = match (peer.transport, self.config.security.certificates_checked) {
            (sip::Transport::Tls, true) => Protection::Verified,
            (sip::Transport::Tls, false) => Protection::Unverified,
            _ => Protection::None,
        };
        let transport = Text::new(peer.transport.via_word());
        let way = Way { transport, server: Text::new(&peer.address.to_string()), protection };
        let news = Some((way.clone(), self.registered_until));
        if self.told != news {
            self.told = news;
            self.say(Event::WayTold { way, registered_until: self.registered_until });
        }
    }
}
