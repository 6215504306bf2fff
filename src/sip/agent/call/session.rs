//! Session timers (RFC 4028): a call whose far end has vanished without a word ends when nobody refreshes it. Asked for
//! by phones, granted to whoever asks; refreshed by UPDATE where the far end takes that, else by a re-INVITE that
//! changes nothing.

use super::super::{CallKey, EndCause, EndedBy, UserAgent, Why};
use super::wishes::Wish;
use crate::sip::alarms::Alarm;
use crate::sip::message::{Headers, Request, Response};
use crate::sip::reason::Reason;
use crate::sip::{Moment, Peer};
use std::time::Duration;

/// The shortest session that is granted (RFC 4028 4).
pub const MIN_SESSION_S: u32 = 90;
/// The longest that is asked for or heeded.
const MAX_SESSION_S: u32 = 86_400;
/// How often an interval that was too small is made longer.
const MAX_TOO_SMALL: u32 = 3;
/// How long after a refresh that failed the next one is tried, at least.
const LEAST_RETRY: Duration = Duration::from_secs(5);

/// The session timer of a call.
#[derive(Debug, Default)]
pub(in super::super) struct Session {
    /// As agreed; none while there is no timer.
    interval_s: Option<u32>,
    we_refresh: bool,
    /// The greatest Min-SE that was heard.
    min_s: u32,
    too_small: u32,
    ends_at: Moment,
    refresh: Option<Alarm>,
    end: Option<Alarm>,
}

/// Session-Expires: the seconds, and whether the one who sent the request refreshes.
fn read(headers: &Headers) -> Option<(u32, Option<bool>)> {
    let value = headers.get("Session-Expires")?;
    let mut parts = value.split(';').map(str::trim);
    let seconds = parts.next()?.parse::<u32>().ok()?;
    let refresher = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("refresher").then(|| value.trim().eq_ignore_ascii_case("uac"))
    });
    Some((seconds.min(MAX_SESSION_S), refresher))
}

fn min_se(headers: &Headers) -> Option<u32> {
    headers.get("Min-SE")?.split(';').next()?.trim().parse().ok().map(|least: u32| least.min(MAX_SESSION_S))
}

fn knows_timers(headers: &Headers) -> bool {
    headers.list("Supported").iter().any(|tag| tag.eq_ignore_ascii_case("timer"))
}

impl Session {
    fn seconds(&self, wished_s: u32) -> u32 {
        self.interval_s.unwrap_or(wished_s).max(self.min_s).min(MAX_SESSION_S)
    }
}

impl UserAgent {
    /// What an INVITE, re-INVITE or refresh of ours says of the timer; nothing where there is none.
    pub(super) fn add_session(&self, key: CallKey, headers: &mut Headers) {
        let Some(session) = self.calls.get(&key).map(|call| &call.session) else { return };
        let wished_s = self.config.session_expires_s;
        if session.interval_s.is_none() && wished_s == 0 {
            return;
        }
        let role = match session.interval_s {
            Some(_) if session.we_refresh => ";refresher=uac",
            Some(_) => ";refresher=uas",
            None => "",
        };
        headers.set("Session-Expires", format!("{}{role}", session.seconds(wished_s)));
        if session.min_s > MIN_SESSION_S {
            headers.set("Min-SE", session.min_s.to_string());
        }
    }

    /// Refuses an INVITE or UPDATE whose session would be too short (RFC 4028 9). True if it did.
    pub(super) fn refuses_session(&mut self, from: Peer, request: &Request) -> bool {
        let short = read(&request.headers).is_some_and(|(seconds, _)| seconds < MIN_SESSION_S);
        if !short || !knows_timers(&request.headers) {
            return false;
        }
        let mut response = self.reply_outside(request, 422);
        response.headers.push("Min-SE", MIN_SESSION_S.to_string());
        self.transactions.transmit(from, response.to_bytes());
        true
    }

    /// What our 2xx says of the timer that an INVITE or UPDATE asks for (RFC 4028 9, table 2); sets it.
    pub(super) fn grant_session(
        &mut self,
        now: Moment,
        key: CallKey,
        asked: &Headers,
    ) -> Vec<(String, String)> {
        let Some(call) = self.calls.get_mut(&key) else { return Vec::new() };
        let knows = knows_timers(asked);
        let (seconds, uac) = match (read(asked), call.session.interval_s) {
            (Some((seconds, who)), _) => {
                let least = min_se(asked).unwrap_or(0).max(MIN_SESSION_S);
                (seconds.max(least), knows && who.unwrap_or(true))
            }
            // Their request says nothing of the timer that runs: it goes on as it was.
            (None, Some(seconds)) if knows => (seconds, !call.session.we_refresh),
            (None, _) => {
                self.stop_session(key);
                return Vec::new();
            }
        };
        self.start_session(now, key, seconds, !uac);
        let role = if uac { "uac" } else { "uas" };
        let mut headers = vec![("Session-Expires".to_owned(), format!("{seconds};refresher={role}"))];
        if uac {
            headers.push(("Require".to_owned(), "timer".to_owned()));
        }
        headers
    }

    /// What a 2xx to a request of ours says of the timer.
    pub(super) fn take_session(&mut self, now: Moment, key: CallKey, answer: &Headers) {
        match read(answer) {
            Some((seconds, who)) => {
                self.start_session(now, key, seconds.max(MIN_SESSION_S), who.unwrap_or(true));
            }
            None => self.stop_session(key),
        }
    }

    fn start_session(&mut self, now: Moment, key: CallKey, seconds: u32, we_refresh: bool) {
        let Some(call) = self.calls.get_mut(&key).filter(|call| !call.ended) else { return };
        let session = &mut call.session;
        session.interval_s = Some(seconds);
        session.we_refresh = we_refresh;
        session.too_small = 0;
        let whole = Duration::from_secs(u64::from(seconds));
        // RFC 4028 10: a little before the end, so that both sides end it at about the same time.
        session.ends_at = now + whole - (whole / 3).min(Duration::from_secs(32));
        self.alarms.reset(&mut session.end, session.ends_at, Why::SessionEnds(key));
        self.alarms.cancel(&mut session.refresh);
        if we_refresh {
            session.refresh = Some(self.alarms.set(now + whole / 2, Why::SessionRefreshDue(key)));
        }
    }

    pub(super) fn stop_session(&mut self, key: CallKey) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.session.interval_s = None;
            self.alarms.cancel(&mut call.session.refresh);
            self.alarms.cancel(&mut call.session.end);
        }
    }

    pub(in super::super) fn refresh_session(&mut self, now: Moment, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.session.refresh = None;
        let waits = |wish: &Wish| matches!(wish, Wish::Refresh);
        if call.in_hand.as_ref().is_some_and(waits) || call.wishes.iter().any(waits) {
            return;
        }
        self.wish(now, key, Wish::Refresh);
    }

    /// A refresh was not granted: tried again while there is time.
    pub(super) fn refresh_later(&mut self, now: Moment, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key).filter(|call| !call.ended) else { return };
        let session = &mut call.session;
        let wait = (session.ends_at.saturating_sub(now) / 2).max(LEAST_RETRY);
        if session.interval_s.is_some() && session.we_refresh {
            self.alarms.reset(&mut session.refresh, now + wait, Why::SessionRefreshDue(key));
        }
    }

    /// 422: takes the server's minimum. False if it names none, or did so too often.
    pub(super) fn take_min_session(&mut self, key: CallKey, response: &Response) -> bool {
        let Some(call) = self.calls.get_mut(&key) else { return false };
        let session = &mut call.session;
        let Some(least) = min_se(&response.headers).filter(|least| *least > session.min_s) else {
            return false;
        };
        session.too_small += 1;
        session.min_s = least;
        session.interval_s = session.interval_s.map(|seconds| seconds.max(least));
        session.too_small <= MAX_TOO_SMALL
    }

    /// Nobody has refreshed the session.
    pub(in super::super) fn end_session(&mut self, now: Moment, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.session.end = None;
        let reason = "nothing was heard of the other end for too long (session expired)".to_owned();
        self.give_reason(key, Reason::of_status(408).saying("session expired"));
        self.tell_ended(key, EndCause { by: EndedBy::Timeout, status: None, reason });
        self.send_bye(now, key);
    }
}
