//! Paging: one speaks, and is heard on all phones of a group that are free, which answer by themselves. Nobody hears
//! back. A page is over when the pager hangs up, or its time is.

use super::Lot;
use super::attempts::Bell;
use super::config::MAX_PAGED;
use super::hunt::Step;
use super::legs::{AttemptId, Place, Purpose};
use super::notice::Notice;
use super::words::Refusal;
use crate::parking::{Identity, Moment};
use crate::sip::CallKey;
use std::time::Duration;

/// How long a phone has to answer by itself; one that hasn't stops ringing.
const ANSWERS_WITHIN: Duration = Duration::from_secs(8);

impl Lot {
    /// A user calls a page group.
    pub(super) fn page(
        &mut self,
        now: Moment,
        call: CallKey,
        user: &str,
        page: usize,
    ) -> Result<(), Refusal> {
        let Some(group) = self.config.pages.get(page).cloned() else {
            return Err(Refusal::new(404, "There is no such extension."));
        };
        // Whoever calls through somebody who speaks for others is no colleague.
        if self.plan.user(user).is_none_or(|user| user.permissions.assert_identity) {
            return Err(Refusal::new(403, "You may not page."));
        }
        let who = self.legs.get(&call).map(|leg| leg.identity.clone()).unwrap_or_default();
        let members = group.members.iter().filter_map(|member| self.plan.user_at(member));
        let others = members.map(|member| member.name.clone()).filter(|member| member != user).collect();
        let step = Step::of_free(others, &group.name, group.extension.as_str());
        let offer = self.legs.get(&call).and_then(|leg| leg.offer.clone()).unwrap_or_default();
        let codecs = self.codecs_like(&offer);
        let shown = Identity::new(&format!("{}: {}", group.name, who.label()), &who.number.to_string());
        let bell = Bell {
            from: self.address(&shown),
            caller: Some(user.to_owned()),
            headers: self.asserted(&shown).into_iter().chain(auto_answer(&self.config.realm)).collect(),
            codecs: codecs.clone(),
            time: ANSWERS_WITHIN,
        };
        let answer = self.answer_offer_of(call, codecs.first().copied())?;
        self.ring(now, Purpose::Page { pager: call }, [step].into(), &bell)?;
        self.agent.accept(now, call, answer);
        self.move_to(call, Place::Paging);
        if let Some(leg) = self.legs.get_mut(&call) {
            leg.ends_at = Some(now + Duration::from_secs(group.timeout.into()));
        }
        self.say(Notice::Paged { by: who, group: group.name });
        Ok(())
    }

    /// A phone has answered: it hears the pager, and the others go on being called.
    pub(super) fn page_answered(&mut self, now: Moment, id: AttemptId, pager: CallKey, by: CallKey) {
        let all_answered = self.attempts.get_mut(&id).is_some_and(|attempt| {
            attempt.branches.remove(&by);
            attempt.branches.is_empty()
        });
        if all_answered {
            self.attempts.remove(&id);
        }
        if self.hearers(pager).len() >= MAX_PAGED || !self.legs.contains_key(&pager) {
            return self.hang_up(now, by);
        }
        self.move_to(by, Place::Hearing(pager));
    }

    fn hearers(&self, pager: CallKey) -> Vec<CallKey> {
        let hears = self.legs.iter().filter(|(_, leg)| leg.place == Place::Hearing(pager));
        hears.map(|(call, _)| *call).collect()
    }

    fn page_attempt(&self, pager: CallKey) -> Option<AttemptId> {
        let pages = |purpose: &Purpose| matches!(purpose, Purpose::Page { pager: p } if *p == pager);
        self.attempts.iter().find(|(_, attempt)| pages(&attempt.purpose)).map(|(id, _)| *id)
    }

    /// A phone that was paged has left, or can't be reached: with the last one the page is over.
    pub(super) fn review_page(&mut self, now: Moment, pager: CallKey) {
        let paging = self.legs.get(&pager).is_some_and(|leg| leg.place == Place::Paging);
        if paging && self.hearers(pager).is_empty() && self.page_attempt(pager).is_none() {
            self.hang_up(now, pager);
        }
    }

    /// The pager has left.
    pub(super) fn end_page(&mut self, now: Moment, pager: CallKey) {
        if let Some(id) = self.page_attempt(pager) {
            self.cancel_attempt(now, id, None);
        }
        for hearer in self.hearers(pager) {
            self.hang_up(now, hearer);
        }
    }

    /// When the next page has gone on for long enough.
    pub(super) fn next_page_end(&self) -> Option<Moment> {
        self.legs.values().filter_map(|leg| leg.ends_at).min()
    }

    /// Ends pages that have gone on for long enough.
    pub(super) fn end_overdue_pages(&mut self, now: Moment) {
        let over = self.legs.iter().filter(|(_, leg)| leg.ends_at.is_some_and(|at| at <= now));
        for pager in over.map(|(call, _)| *call).collect::<Vec<_>>() {
            if let Some(leg) = self.legs.get_mut(&pager) {
                leg.ends_at = None;
            }
            self.hang_up(now, pager);
            self.end_page(now, pager);
        }
    }
}

/// What makes phones answer by themselves: the three ways that are in use (RFC 5373, and two older ones).
fn auto_answer(realm: &str) -> Vec<(String, String)> {
    let header = |name: &str, value: String| (name.to_owned(), value);
    vec![
        header("Answer-Mode", "Auto".to_owned()),
        header("Call-Info", format!("<sip:{realm}>;answer-after=0")),
        header("Alert-Info", "<http://www.notused.invalid>;info=alert-autoanswer;delay=0".to_owned()),
    ]
}
