//! After a restart: phones are registered as before, watchers are told afresh, parked callers sit in their slots, and
//! each of them is offered new sound within his dialog (re-INVITE). Who doesn't answer is lost: his lamp goes out, and
//! whoever parked him is told so.

use super::super::Lot;
use super::super::legs::{Leg, Place};
use super::super::notice::Notice;
use super::super::slots::{Departure, ParkedCall, Parker, Phase, Ticket};
use super::super::words::identity_of;
use super::entry::{Past, SavedLeg, SavedParking, SavedPlace, SavedRing, SavedWatch};
use crate::parking::{Identity, Moment, SlotId, Text};
use crate::sip::message::{Method, NameAddr, Uri};
use crate::sip::{AccountKey, Ask, CallKey, EndCause, EndedBy, Peer};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many calls are asked at once, and how soon the next are.
const AT_ONCE: usize = 50;
const PAUSE: Duration = Duration::from_millis(50);
/// For how long a phone that had a connection may take to come back with another.
const RECONNECTING: Duration = Duration::from_secs(60);
/// How often, and after what pause, somebody is asked who refuses what he is offered.
const TRIES: u32 = 6;
const ANOTHER_TRY: Duration = Duration::from_secs(5);
/// For how long a phone may think about new sound once it has said 100: one that lost power then never answers, and
/// nothing ends a re-INVITE that has had a provisional response (RFC 3261 17.1.1.2).
const ANSWER_TIME: Duration = Duration::from_secs(120);
/// By how much the versions of a watcher's documents leap over those that may have been sent since he was written down.
const VERSION_LEAP: u32 = 10_000;
/// How many messages wait for somebody's phone; beyond it the oldest is dropped (it is in the log as well).
const MAX_UNSAID: usize = 256;

/// A call of the last process whose far end has not answered yet.
#[derive(Debug)]
pub(in crate::lot) struct Waking {
    session_id: Option<u64>,
    /// When it is asked; `None`: it has been.
    due: Option<Moment>,
    /// When it was asked last.
    asked_at: Moment,
    tries: u32,
}

impl Waking {
    /// When something is to be done about it.
    fn next(&self) -> Moment {
        self.due.unwrap_or(self.asked_at + ANSWER_TIME)
    }
}

impl Lot {
    /// Goes on from what the last process wrote, which was this lot's (see [`Past::realm`]). [`Lot::keep`] comes first.
    /// Calls are asked as soon as there are media ports.
    pub fn revive(&mut self, now: Moment, past: Past) {
        let phones = self.revive_phones(now, &past);
        let calls = self.revive_calls(now, past.legs);
        self.end_rings(now, past.rings);
        let watchers = past.watchers.into_values().filter(|watch| self.revive_watcher(now, watch)).count();
        if calls + phones + watchers > 0 {
            self.say(Notice::Restarted { calls, phones, watchers });
        }
        self.ask_waking(now);
        self.settle(now);
    }

    fn revive_phones(&mut self, now: Moment, past: &Past) -> usize {
        let mut count = 0;
        for (user, phones) in &past.phones {
            let Some(most) = self.plan.user(user).map(|user| usize::from(user.max_contacts)) else {
                continue;
            };
            for phone in phones.iter().take(most) {
                let expires_at = self.memory.moment(phone.expires_ms);
                // No longer than anybody is granted: the wall clock may have been set.
                let expires_at = expires_at.min(now + Duration::from_secs(self.config.max_expires.into()));
                count += usize::from(self.registrar.restore(now, user, phone, expires_at));
            }
        }
        count
    }

    fn revive_watcher(&mut self, now: Moment, watch: &SavedWatch) -> bool {
        let ends = self.memory.moment(watch.ends_ms);
        let (event, list) = (watch.watcher.event(), watch.watcher.is_of_list());
        let allowed = self.may_still_watch(&watch.user, event, &watch.extension, list);
        let Some(members) = allowed else { return false };
        let Some(key) = self.agent.adopt_watcher(now, &watch.watcher, ends) else { return false };
        let version = watch.version.saturating_add(VERSION_LEAP);
        self.presence.restore(key, (&watch.extension, &watch.user, version), event, members);
        // A connection is gone with the process: its phone comes back with another, or asks anew.
        if self.agent.watcher_address(key).is_some_and(|peer| !peer.transport.is_reliable()) {
            self.on_watcher_refreshed(now, key);
        }
        true
    }

    /// Ends what was not answered: phones that rang ring no more, and whoever called is asked who he is, upon which his
    /// phone calls again by itself; a server that isn't asked is told to.
    fn end_rings(&mut self, now: Moment, rings: BTreeMap<u64, SavedRing>) {
        let (placed, rung): (Vec<SavedRing>, Vec<SavedRing>) =
            rings.into_values().partition(|ring| ring.placed);
        for ring in rung {
            if let Ok(peer) = ring.peer.parse::<Peer>() {
                self.agent.send_written(peer, ring.message.into_bytes());
            }
        }
        self.memory.replaying = true;
        for ring in placed {
            if let Ok(peer) = ring.peer.parse::<Peer>() {
                self.agent.receive(now, peer, ring.message.as_bytes());
                self.settle(now);
            }
        }
        self.memory.replaying = false;
    }

    /// Whether an INVITE is one that the last process had not answered, of somebody who is not asked who he is.
    pub(in crate::lot) fn is_left_over(&self, from: Peer) -> bool {
        self.memory.replaying && self.plan.server_at(from).is_some()
    }

    /// All of them get their places before any is asked, so that nobody else is put there meanwhile.
    fn revive_calls(&mut self, now: Moment, legs: BTreeMap<u64, SavedLeg>) -> usize {
        let mut keys: BTreeMap<u64, CallKey> = BTreeMap::new();
        for (id, saved) in &legs {
            match self.adopt_leg(now, saved) {
                Some(call) => {
                    keys.insert(*id, call);
                }
                None => self.tell_lost(now, saved, "the journal's line for the call can't be used"),
            }
        }
        // Who has no place takes one when all others have theirs.
        let mut stranded: Vec<(CallKey, &str)> = Vec::new();
        for (id, saved) in &legs {
            let Some(call) = keys.get(id).copied() else { continue };
            match &saved.place {
                SavedPlace::Parked(parking) => self.seat_again(now, call, saved, parking),
                SavedPlace::With { id } => match keys.get(id) {
                    Some(peer) => self.move_to(call, Place::With(*peer)),
                    None => stranded.push((call, "")),
                },
                SavedPlace::Stranded { sent_by } => stranded.push((call, sent_by)),
            }
        }
        for (call, sent_by) in stranded {
            self.strand(now, call, sent_by);
        }
        keys.len()
    }

    fn adopt_leg(&mut self, now: Moment, saved: &SavedLeg) -> Option<CallKey> {
        let source: Peer = saved.source.parse().ok()?;
        let call = self.agent.adopt_call(&saved.call)?;
        let mut leg = Leg::new(saved.user.clone(), saved.identity.clone(), source, Place::Leaving);
        leg.offer = saved.placed.then(Vec::new);
        leg.confirmed = true;
        leg.dialog = self.agent.dialog_id(call);
        leg.trunk = saved.trunk.clone().filter(|trunk| self.has_trunk(trunk));
        // A provider may ask whose call it is: that can be answered once its servers are known.
        let waits_for_trunk = leg.trunk.is_some();
        self.legs.insert(call, leg);
        let reconnects = source.transport.is_reliable() && !saved.call.dialog.is_routed();
        let due = Some(if reconnects || waits_for_trunk { now + RECONNECTING } else { now });
        let session_id = saved.call.session_id();
        self.memory.waking.insert(call, Waking { session_id, due, asked_at: now, tries: 0 });
        Some(call)
    }

    /// Into his slot; if that can't be, into another; if there is none, he waits for one.
    fn seat_again(&mut self, now: Moment, call: CallKey, saved: &SavedLeg, parking: &SavedParking) {
        let due = parking.due_ms.map(|due_ms| self.memory.moment(due_ms));
        let parker = Parker { user: parking.parker_user.clone(), identity: parking.parker.clone() };
        let Some(ticket) = Ticket::restored(&parking.ticket) else {
            return self.strand(now, call, &parker.user);
        };
        let parked = ParkedCall {
            ticket,
            slot: parking.slot.clone(),
            occupant: call,
            parkee: parking.parkee.clone(),
            parker,
            // Where the wall clock was set back, nobody has waited less than nothing.
            since: self.memory.moment(parking.since_ms).min(now),
            note: parking.note.clone(),
            phase: match due.filter(|_| parking.awaits_parker) {
                Some(until) => Phase::AwaitingParker { until },
                None => Phase::Waiting { until: due },
            },
            returns: parking.returns,
        };
        // A dynamic lot is made for him, as it was for whoever parked him.
        self.make_lot(&parking.lot);
        let named = self.lots.iter_mut().find(|lot| lot.config().name == parking.lot);
        let seated = match named.map(|lot| lot.restore(parked.clone()).cloned()) {
            Some(Ok(parked)) => Some(parked),
            _ => self.lots.iter_mut().find_map(|lot| lot.put_back(now, parked.clone()).cloned()),
        };
        match seated {
            Some(seated) => {
                self.move_to(call, Place::Parked(seated.ticket.clone()));
                self.presence.touch(seated.slot.as_str());
            }
            None => {
                if let Some(leg) = self.legs.get_mut(&call) {
                    leg.identity = saved.identity.clone();
                }
                self.strand(now, call, &parked.parker.user);
            }
        }
    }

    /// When the next of them is to be asked.
    pub(in crate::lot) fn next_waking(&self) -> Option<Moment> {
        let due = self.memory.waking.values().map(Waking::next).min()?;
        // Without a port there is nothing to offer; the engine says when there is one.
        self.sound.has_port().then(|| due.max(self.memory.next_waking))
    }

    /// Offers new sound to those who are due, a few at a time.
    pub(in crate::lot) fn ask_waking(&mut self, now: Moment) {
        if now < self.memory.next_waking {
            return;
        }
        self.let_go_of_silent(now);
        let is_due = |waking: &Waking| waking.due.is_some_and(|due| due <= now);
        let due = self.memory.waking.iter().filter(|(_, waking)| is_due(waking)).map(|(call, _)| *call);
        let due: Vec<CallKey> = due.take(AT_ONCE).collect();
        for call in &due {
            if !self.sound_for_waking(*call) {
                break;
            }
            let Some(sound) = self.legs.get_mut(call).and_then(|leg| leg.sound.as_mut()) else { continue };
            let offer = self.sound.offer(sound, super::super::sound::CODECS.to_vec());
            if let Some(waking) = self.memory.waking.get_mut(call) {
                waking.due = None;
                waking.asked_at = now;
                waking.tries += 1;
            }
            // Whoever hasn't heard yet that his call was answered takes no re-INVITE.
            self.agent.repeat_answer(*call);
            self.agent.reoffer(now, *call, offer);
            self.resound(*call);
        }
        if !due.is_empty() {
            self.memory.next_waking = now + PAUSE;
        }
    }

    /// Gives a call of the last process a stream, if it has none. False when there is no port.
    pub(in crate::lot) fn sound_for_waking(&mut self, call: CallKey) -> bool {
        let Some(waking) = self.memory.waking.get(&call) else { return true };
        let Some(leg) = self.legs.get_mut(&call).filter(|leg| leg.sound.is_none()) else { return true };
        leg.sound = match waking.session_id {
            Some(session_id) => self.sound.reopen(leg.source, session_id),
            None => self.sound.open(leg.source),
        };
        leg.sound.is_some()
    }

    /// The far end has answered: the call goes on.
    pub(in crate::lot) fn is_awake(&mut self, call: CallKey) {
        if self.memory.waking.remove(&call).is_some()
            && let Some(leg) = self.legs.get(&call)
        {
            let slot = self.lots.iter().find_map(|lot| Some(lot.by_occupant(call)?.slot.clone()));
            self.say(Notice::Recovered { slot, who: leg.identity.clone() });
        }
    }

    /// The far end refused what it was offered: it is asked again, and in the end let go.
    pub(in crate::lot) fn on_offer_refused(&mut self, now: Moment, call: CallKey) {
        let Some(waking) = self.memory.waking.get_mut(&call) else { return };
        if waking.tries < TRIES {
            waking.due = Some(now + ANOTHER_TRY);
            return;
        }
        self.let_go(now, call, "their phone refuses new sound");
    }

    /// Those who have been asked for longer than anybody needs to answer.
    fn let_go_of_silent(&mut self, now: Moment) {
        let is_silent = |waking: &Waking| waking.due.is_none() && waking.next() <= now;
        let silent = self.memory.waking.iter().filter(|(_, waking)| is_silent(waking));
        let silent: Vec<CallKey> = silent.map(|(call, _)| *call).collect();
        for call in silent {
            self.let_go(now, call, "their phone doesn't answer");
        }
    }

    fn let_go(&mut self, now: Moment, call: CallKey, reason: &'static str) {
        self.memory.waking.remove(&call);
        self.lose(now, call, reason);
        self.agent.hang_up(now, call);
        // Somebody may have taken the call meanwhile: he isn't left talking with nobody.
        let cause = EndCause { by: EndedBy::Timeout, status: None, reason: reason.to_owned() };
        self.on_ended(now, call, &cause);
    }

    /// A call of the last process has ended. Says whether it was never heard from again.
    pub(in crate::lot) fn never_woke(&mut self, now: Moment, call: CallKey, cause: &EndCause) -> bool {
        if self.memory.waking.remove(&call).is_none() {
            return false;
        }
        // A BYE is an end like any other, theirs or ours.
        if cause.by != EndedBy::Timeout {
            return false;
        }
        let reason = match cause.status {
            Some(481) => "they had hung up",
            Some(408) | None => "their phone doesn't answer",
            Some(_) => "their phone ended the call",
        };
        self.lose(now, call, reason);
        true
    }

    /// His phone is heard at another address: what waited for that goes on.
    pub(in crate::lot) fn phone_is_back(&mut self, now: Moment, user: &str, to: Peer) {
        for (call, waking) in &mut self.memory.waking {
            let his = self.legs.get(call).is_some_and(|l| l.user.as_deref() == Some(user) && l.source == to);
            if his && waking.due.is_some() {
                waking.due = Some(now);
            }
        }
        for watcher in self.presence.all_of(user) {
            if self.agent.watcher_address(watcher) == Some(to) {
                self.on_watcher_refreshed(now, watcher);
            }
        }
        self.ask_waking(now);
    }

    /// The servers of a trunk are known: its calls of the last process go on under its account.
    pub(in crate::lot) fn trunk_is_back(&mut self, now: Moment, trunk: &str, account: AccountKey) {
        for (call, waking) in &mut self.memory.waking {
            if self.legs.get(call).is_some_and(|leg| leg.trunk.as_deref() == Some(trunk)) {
                self.agent.assign_call(*call, account);
                if waking.due.is_some() {
                    waking.due = Some(now);
                }
            }
        }
        self.ask_waking(now);
    }

    /// Takes a parked call that is lost out of its slot, and tells.
    fn lose(&mut self, now: Moment, call: CallKey, reason: &'static str) {
        let parked = self.lots.iter().find_map(|lot| lot.by_occupant(call)).cloned();
        let Some(parked) = parked else {
            if let Some(who) = self.legs.get(&call).map(|leg| leg.identity.clone()) {
                self.say(Notice::Lost { slot: None, who, parker: None, waited_s: 0, reason });
            }
            return;
        };
        self.cancel_ringing_for(now, &parked.ticket, None);
        self.remember_gone(self.legs.get(&call).and_then(|leg| leg.dialog.clone()), &parked.ticket);
        for lot in &mut self.lots {
            lot.leave(now, &parked.ticket, Departure::Lost);
        }
        self.presence.touch(parked.slot.as_str());
        let waited_s = parked.waited_s(now);
        self.report_lost(now, parked.slot, parked.parkee, parked.parker, waited_s, reason);
    }

    fn tell_lost(&mut self, now: Moment, saved: &SavedLeg, reason: &'static str) {
        let SavedPlace::Parked(parking) = &saved.place else {
            let who = saved.identity.clone();
            return self.say(Notice::Lost { slot: None, who, parker: None, waited_s: 0, reason });
        };
        let parker = Parker { user: parking.parker_user.clone(), identity: parking.parker.clone() };
        let waited = now.saturating_sub(self.memory.moment(parking.since_ms));
        let waited_s = u32::try_from(waited.as_secs()).unwrap_or(u32::MAX);
        self.report_lost(now, parking.slot.clone(), parking.parkee.clone(), parker, waited_s, reason);
    }

    /// In the log, and in a message to whoever parked.
    fn report_lost(
        &mut self,
        now: Moment,
        slot: SlotId,
        who: Identity,
        parker: Parker,
        waited_s: u32,
        reason: &'static str,
    ) {
        let number = if who.number.is_empty() || who.name.is_empty() {
            String::new()
        } else {
            format!(" ({})", who.number)
        };
        let minutes = format!("{}:{:02}", waited_s / 60, waited_s % 60);
        let text = format!(
            "{}{number}, parked in {slot} for {minutes}, was lost when the lot restarted: {reason}.",
            who.label()
        );
        let identity = parker.identity;
        self.say(Notice::Lost { slot: Some(slot), who, parker: Some(identity), waited_s, reason });
        if self.memory.unsaid.len() >= MAX_UNSAID {
            self.memory.unsaid.pop_front();
        }
        self.memory.unsaid.push_back((parker.user, text));
        self.say_unsaid(now);
    }

    /// Sends what waits for users who have a phone now; what is for users who are no more is dropped.
    pub(in crate::lot) fn say_unsaid(&mut self, now: Moment) {
        if self.memory.unsaid.is_empty() {
            return;
        }
        for (user, text) in std::mem::take(&mut self.memory.unsaid) {
            let Some(known) = self.plan.user(&user).map(identity_of) else { continue };
            let reachable = |phone: &&super::super::registrar::Binding| {
                !phone.source.transport.is_reliable() || self.agent.has_flow(phone.source)
            };
            let phones: Vec<(Uri, Peer)> = self
                .registrar
                .phones(&user)
                .iter()
                .filter(reachable)
                .map(|phone| (phone.contact.clone(), phone.source))
                .collect();
            if phones.is_empty() {
                self.memory.unsaid.push_back((user, text));
                continue;
            }
            let from = self.own_address();
            for (target, send_to) in phones {
                let ask = Ask {
                    account: None,
                    from: Some(from.clone()),
                    method: Method::Message,
                    target,
                    send_to,
                    headers: vec![("Content-Type".to_owned(), "text/plain;charset=utf-8".to_owned())],
                    body: text.clone().into_bytes(),
                };
                self.agent.request(now, ask);
            }
            self.say(Notice::OperatorTold { user: known, text: Text::new(&text) });
        }
    }

    /// The lot itself: the park extension of its first parking lot.
    fn own_address(&self) -> NameAddr {
        let extension =
            self.lots.first().map(|lot| lot.config().parkext.as_str().to_owned()).unwrap_or_default();
        NameAddr::new(Uri::sip(&extension, &self.config.realm)).with_display("The lot")
    }
}
