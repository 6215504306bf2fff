//! The second test call, which is parked and left there until the server brings it back.

use super::advice::Server;
use super::examiner::{Examiner, Stage};
use super::finding::{Finding, Verdict};
use super::legs::{PARKEE_HZ, RETRIEVER_HZ};
use crate::desk::{CallArrival, CallId, Effect};
use crate::parking::Moment;
use std::time::Duration;

/// How long a comeback is waited for when nobody has said how long a call is parked.
const UNKNOWN: Duration = Duration::from_secs(180);
/// How much longer than was said.
const MARGIN: Duration = Duration::from_secs(10);

impl Examiner {
    /// Whether a call that an account has parked with itself comes back there: our lot knows that this is one person.
    pub(super) fn may_come_back(&self) -> bool {
        self.words().server != Server::Lot
    }

    /// A parked call of ours rings here again.
    pub(super) fn take_comeback(&mut self, now: Moment, call: CallId, arrival: &CallArrival) {
        self.retriever = Some(call);
        // To the nearest second, as servers count: we learn of the park a moment after it, and of the end as well.
        let waited = now.saturating_sub(self.parked_at.unwrap_or(now)) + Duration::from_millis(500);
        let waited = Duration::from_secs(waited.as_secs());
        self.facts.came_back_after = Some(waited);
        let sign = match (&arrival.comeback, arrival.referred_by_us) {
            (Some((Some(slot), _)), _) => format!("the server says so, and that it was on {slot}"),
            (Some((None, _)), _) => "the server says so (Alert-Info)".to_owned(),
            (None, true) => "known by Referred-By".to_owned(),
            (None, false) => "known only by who calls".to_owned(),
        };
        let seen =
            format!("rings here after {} s, shows “{}”; {sign}", waited.as_secs(), arrival.party.label());
        self.find(Finding::new("comeback", Verdict::Good, seen));
        self.play(call, Some(RETRIEVER_HZ));
        self.perform(now, Effect::Answer(call));
    }

    pub(super) fn look_at_comeback(&mut self, now: Moment) -> Option<Stage> {
        if self.retriever.is_some() {
            let both = self.hears(self.retriever, PARKEE_HZ) && self.hears(self.parkee, RETRIEVER_HZ);
            let ended = self.leg(self.retriever).is_some_and(|leg| leg.ended.is_some());
            if both || ended || self.lasted(now) >= self.comeback_patience() + MARGIN {
                if !both {
                    self.find(Finding::new("comeback", Verdict::Bad, "the two don't hear each other"));
                }
                return Some(self.end_calls(now));
            }
            return None;
        }
        if !self.is_up(self.parkee) {
            let seen = "the parked party was hung up before it came back: a real caller would have been lost";
            self.find(Finding::new("comeback", Verdict::Bad, seen));
            return Some(self.end_calls(now));
        }
        if self.lasted(now) < self.comeback_patience() {
            return None;
        }
        let seen = format!("nothing came back within {} s", self.comeback_patience().as_secs());
        let advice = "res_parking.conf, the lot's section: parkingtime and comebacktoorigin=yes".to_owned();
        self.find(Finding::new("comeback", Verdict::Bad, seen).advise([advice]));
        Some(self.end_calls(now))
    }

    fn comeback_patience(&self) -> Duration {
        match self.plan.parking_time_s {
            Some(0) | None => UNKNOWN,
            Some(seconds) => Duration::from_secs(seconds.into()) + MARGIN,
        }
    }
}
