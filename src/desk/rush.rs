//! What happens to callers whom nobody can answer: do not disturb, the night, and those who have rung too long. A parked
//! caller who comes back rings in any case: he was promised somebody.

use super::{CallId, Desk, Effect, Phase, Severity};
use crate::parking::{Moment, Text};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where callers are sent; what is empty is nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// While do not disturb is on; empty: they hear busy.
    pub busy: Text,
    /// At night; empty: they ring here as by day.
    pub night: Text,
    /// Those who have rung too long; empty: they go on ringing.
    pub overflow: Text,
    /// How long that is.
    pub overflow_after: Option<Duration>,
    /// Where messages are left for this desk.
    pub voicemail: Text,
    /// What is dialled before an extension to reach its mailbox; empty: nothing does.
    pub voicemail_prefix: Text,
}

/// Whether this desk takes calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// New calls are turned away.
    pub do_not_disturb: bool,
    /// New calls go where they go at night.
    pub night: bool,
}

impl Desk {
    /// Do not disturb, on or off.
    pub(super) fn set_do_not_disturb(&mut self, on: bool) -> Vec<Effect> {
        self.presence.do_not_disturb = on;
        let text = match (on, self.routes.busy.as_str()) {
            (false, _) => "new calls ring here again".to_owned(),
            (true, "") => "do not disturb: new callers hear busy; parked callers still come back".to_owned(),
            (true, to) => format!("do not disturb: new callers go to {to}; parked callers still come back"),
        };
        self.nothing(&text)
    }

    /// Night or day.
    pub(super) fn set_night(&mut self, on: bool) -> Vec<Effect> {
        if on && self.routes.night.is_empty() {
            return self.nothing("there is nowhere to send callers at night: set night in [calls]");
        }
        if on && !self.numbered_lines().any(|(line, _)| self.abilities(line).redirects) {
            return self.nothing("this server sends nobody on unanswered: it can't be night here");
        }
        self.presence.night = on;
        let text = match on {
            true => format!("night: new callers go to {}; parked callers still come back", self.routes.night),
            false => "day: new calls ring here again".to_owned(),
        };
        self.nothing(&text)
    }

    /// What becomes of a call that has just begun to ring, if it is not to ring here.
    pub(super) fn turn_away(&mut self, id: CallId) -> Option<Vec<Effect>> {
        let call = self.call(id).filter(|call| call.comeback.is_none())?;
        let who = self.label(&call.party).to_owned();
        let sent_on = self.abilities(call.line).redirects;
        let to = match self.presence {
            Presence { night: true, .. } if sent_on => self.routes.night.to_string(),
            Presence { do_not_disturb: true, .. } if !sent_on => String::new(),
            Presence { do_not_disturb: true, .. } => self.routes.busy.to_string(),
            Presence { .. } => return None,
        };
        if !to.is_empty() {
            return Some(self.redirect(id, &to));
        }
        self.drop_call(id);
        self.say(Severity::Info, &format!("{who} called and heard busy: do not disturb is on"));
        Some(vec![Effect::Reject(id)])
    }

    /// Sends on whoever has rung too long.
    pub(super) fn overflow(&mut self) -> Vec<Effect> {
        let Some(after) = self.routes.overflow_after.filter(|_| !self.routes.overflow.is_empty()) else {
            return Vec::new();
        };
        let now = self.now;
        let over = self.calls.iter().filter(|call| {
            self.abilities(call.line).redirects
                && call.phase == Phase::Ringing
                && call.comeback.is_none()
                && now.saturating_sub(call.since) >= after
        });
        let over: Vec<CallId> = over.map(|call| call.id).collect();
        let to = self.routes.overflow.to_string();
        over.into_iter().flat_map(|id| self.redirect(id, &to)).collect()
    }

    /// When the next caller has rung too long.
    pub(super) fn overflow_deadline(&self) -> Option<Moment> {
        let after = self.routes.overflow_after.filter(|_| !self.routes.overflow.is_empty())?;
        let sent_on = |call: &&super::Call| self.abilities(call.line).redirects;
        let ringing = self.calls.iter().filter(|c| c.phase == Phase::Ringing && c.comeback.is_none());
        let ringing = ringing.filter(sent_on);
        ringing.map(|call| call.since + after).min()
    }

    /// Sends a ringing caller to where messages are left.
    pub(super) fn send_to_voicemail(&mut self, id: CallId) -> Vec<Effect> {
        match self.routes.voicemail.to_string() {
            to if to.is_empty() => self.nothing("no mailbox for callers: set voicemail in [calls]"),
            to => self.redirect(id, &to),
        }
    }
}
