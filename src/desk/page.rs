//! Park and announce: once a park is proven the page group is called, and hears which slot. Spoken by the program, the
//! call is nobody's on the board and is heard by the page group alone; spoken by the operator, it is a call in hand.

use super::line::SlotKey;
use super::{CallId, Desk, Direction, Effect, MAX_CALLS, Phase, Severity};
use crate::parking::{Identity, Moment, Text};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long the page group may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How long the announcement may take.
const SPOKEN_WITHIN: Duration = Duration::from_secs(20);

/// Whom a lot pages, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageGroup {
    /// Its extension.
    pub number: String,
    /// Whether the operator speaks, and not the program.
    pub live: bool,
}

/// An announcement on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Paging {
    call: CallId,
    slot: SlotKey,
    /// Whether the page group has answered and hears it.
    heard: bool,
    until: Moment,
}

impl Desk {
    /// `G`: parks the call in hand and pages once that is proven; with none in hand, pages for who is parked already.
    pub(super) fn page(&mut self, slot: Option<SlotKey>) -> Vec<Effect> {
        let Some(hand) = self.hand().filter(|call| call.is_up() && slot.is_none()) else {
            let slot = slot.or_else(|| self.slot_to_tell().map(super::Slot::key));
            return match slot {
                Some(slot) => self.page_for(&slot),
                None => self.nothing("no call in hand to park, and nobody is parked to page for"),
            };
        };
        let (call, line) = (hand.id, hand.line);
        if self.lot(self.lot_out(line)).is_none_or(|lot| lot.page.is_none()) {
            return self.no_page_group();
        }
        let effects = self.park(None);
        let parking = self.call(call).is_some_and(|c| matches!(c.phase, Phase::Parking { .. }));
        self.page_after = parking.then_some(call);
        effects
    }

    fn no_page_group(&mut self) -> Vec<Effect> {
        self.nothing("there is no page group: set “page” in [lot] to its extension · g tells by message")
    }

    /// A park is proven: was it to be announced?
    pub(super) fn page_if_wanted(&mut self, parked: CallId, slot: Option<&SlotKey>) -> Vec<Effect> {
        if self.page_after.take_if(|call| *call == parked).is_none() {
            return Vec::new();
        }
        let live = slot.and_then(|slot| self.lot_of(slot)?.page.as_ref());
        let engaged = self.hand().is_some_and(super::Call::is_engaged);
        match slot {
            // Another caller was taken meanwhile: nobody is put on hold unasked.
            Some(_) if engaged && live.is_some_and(|group| group.live) => {
                self.nothing("not paged: you are in a call · G pages when you are free")
            }
            Some(slot) => self.page_for(slot),
            None => self.nothing("not paged: the server doesn't say in which slot the caller is"),
        }
    }

    /// Calls the page group for whoever is in that slot.
    fn page_for(&mut self, slot: &SlotKey) -> Vec<Effect> {
        let Some(group) = self.lot_of(slot).and_then(|lot| lot.page.clone()) else {
            return self.no_page_group();
        };
        let place = self.place(slot);
        if self.slot(slot).is_none_or(|s| s.parked.is_none()) {
            return self.nothing(&format!("nobody is parked on {place}: not paged"));
        }
        if self.calls.len() >= MAX_CALLS {
            return self.nothing("too many calls at once");
        }
        let call = self.new_call_id();
        let page = Effect::Page { line: slot.line, call, to: group.number.clone() };
        if group.live {
            let mut effects = self.free_the_hand(call);
            let party = Identity::new("page", &group.number);
            let mut live = self.fresh_call(call, slot.line, Direction::Outbound, party, Phase::Dialling);
            live.called = Text::new(&group.number);
            live.remark = Text::new(&format!("say: a call is parked on {place}"));
            self.calls.push(live);
            self.in_hand = Some(call);
            effects.push(page);
            return effects;
        }
        if self.paging.is_some() {
            return self.nothing("a page is under way: wait a moment");
        }
        if !slot.id.as_str().bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#') {
            return self
                .nothing(&format!("“{place}” can't be spoken: page_voice = \"live\" lets you say it"));
        }
        let until = self.now + ANSWER_WITHIN;
        self.paging = Some(Paging { call, slot: slot.clone(), heard: false, until });
        self.say(Severity::Info, &format!("paging {}, which hears “{place}” in a moment", group.number));
        vec![page]
    }

    /// The page group has answered, if this call is the page.
    pub(super) fn page_answered(&mut self, call: CallId) -> Option<Vec<Effect>> {
        let until = self.now + SPOKEN_WITHIN;
        let paging = self.paging.as_mut().filter(|paging| paging.call == call)?;
        if std::mem::replace(&mut paging.heard, true) {
            return Some(Vec::new());
        }
        paging.until = until;
        Some(vec![Effect::Announce { call, slot: paging.slot.id.clone() }])
    }

    /// The announcement was spoken to its end.
    pub(super) fn announced(&mut self, call: CallId) -> Vec<Effect> {
        let Some(paging) = self.paging.take_if(|paging| paging.call == call) else { return Vec::new() };
        let place = self.place(&paging.slot);
        self.say(Severity::Info, &format!("{place} was announced"));
        vec![Effect::HangUp(call)]
    }

    /// The call is over, if it is the page: too early, when nobody has ended it on this side.
    pub(super) fn page_ended(&mut self, call: CallId, reason: &Text) {
        let Some(paging) = self.paging.take_if(|paging| paging.call == call) else { return };
        let place = self.place(&paging.slot);
        let why = match (reason.is_empty(), paging.heard) {
            (false, _) => reason.to_string(),
            (true, true) => "the page group hung up early".to_owned(),
            (true, false) => "the page group didn't answer".to_owned(),
        };
        self.say(Severity::Warning, &format!("{place} was not announced: {why} · the caller stays parked"));
    }

    /// A page that nobody answers, or that doesn't end, is given up.
    pub(super) fn give_up_page(&mut self) -> Vec<Effect> {
        let now = self.now;
        let Some(call) = self.paging.as_ref().filter(|paging| now >= paging.until).map(|p| p.call) else {
            return Vec::new();
        };
        self.page_ended(call, &Text::default());
        vec![Effect::HangUp(call)]
    }

    /// The call in which the program speaks.
    pub(super) fn paging_call(&self) -> Option<CallId> {
        self.paging.as_ref().map(|paging| paging.call)
    }

    /// When [`Desk::give_up_page`] has something to do.
    pub(super) fn page_deadline(&self) -> Option<Moment> {
        self.paging.as_ref().map(|paging| paging.until)
    }
}
