//! The voicemail lamp: how many messages wait (RFC 3842), asked for where there is a mailbox, and heard where the
//! server says it unasked.

use super::lamps::{Subscribed, Watching};
use super::phone::Phone;
use crate::desk::{Event, Messages};
use crate::parking::Moment;
use crate::sip::message_summary;

impl Phone {
    /// Subscribes to our own mailbox, if we are said to have one.
    pub(super) fn watch_messages(&mut self, now: Moment) {
        let held = self.subscribed.values().any(|held| held.to == Watching::Messages);
        if !self.config.dialect.has_mailbox || held {
            return;
        }
        let user = self.config.account.aor.uri.user.clone().unwrap_or_default();
        let (event, accept) = (message_summary::EVENT, message_summary::CONTENT_TYPE);
        let key = self.subscribe_to(now, &user, event, accept, false);
        self.subscribed.insert(key, Subscribed::new(Watching::Messages));
    }

    /// A summary, asked for or not. One that can't be read says nothing.
    pub(super) fn hear_messages(&mut self, body: &[u8]) {
        let Ok(summary) = message_summary::read(body) else { return };
        let voice = summary.voice();
        let messages = Messages {
            waiting: summary.waiting,
            new: voice.map(|counts| counts.new),
            old: voice.map(|counts| counts.old),
            urgent: voice.map_or(0, |counts| counts.urgent_new),
        };
        self.say(Event::MessagesTold(Some(messages)));
    }
}
