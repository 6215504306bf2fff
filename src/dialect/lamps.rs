//! The slots' lamps (RFC 6665): one subscription each, or one list for all of them (`lists.rs`); silence called stale. What
//! a NOTIFY means for a lamp is in `watched.rs`.

use super::phone::Phone;
use super::staff::StaffWord;
use super::watched::{Follows, Watched, read_state};
use super::words;
use super::{Dialect, LampEvent};
use crate::desk::{Event, LampReport};
use crate::parking::{Identity, Lamp, Moment, SlotId, Text};
use crate::sip::callpark;
use crate::sip::dialog_info;
use crate::sip::presence;
use crate::sip::{Subscribe, SubscriptionKey};
use std::time::Duration;

/// How long a lamp's subscription is asked for.
pub(super) const LAMP_EXPIRES_S: u32 = 300;
/// Between two askings by one subscription, so that a key held down is no storm; doubled each time that the answer makes
/// no sense either.
const ASK_AT_MOST_EVERY: Duration = Duration::from_millis(500);
/// How often it is doubled.
const MAX_DOUBLINGS: u32 = 6;
/// After so many documents in a row that can't be read, the lamp says so.
const MAX_UNREADABLE: u32 = 3;

/// What a subscription of the phone is for, and when it was last renewed by us.
pub(super) struct Subscribed {
    pub to: Watching,
    asked_at: Option<Moment>,
    /// A renewal that waits for its turn.
    ask_at: Option<Moment>,
    /// How many NOTIFYs in a row made no sense.
    troubles: u32,
}

/// What a subscription of the phone is for.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Watching {
    /// One slot.
    Slot(SlotId),
    /// All slots that a list names.
    List,
    /// A colleague's phone, by one of two packages.
    Staff(String, StaffWord),
    /// Our own mailbox.
    Messages,
}

impl Subscribed {
    pub(super) fn new(to: Watching) -> Self {
        Self { to, asked_at: None, ask_at: None, troubles: 0 }
    }
}

fn watched_lit(lamp: &Lamp) -> bool {
    matches!(lamp, Lamp::Parked | Lamp::RingingBack)
}

impl LampEvent {
    /// The event package.
    pub(super) fn package(self) -> &'static str {
        match self {
            Self::Dialog => "dialog",
            Self::Presence => presence::EVENT,
            Self::CallPark => callpark::EVENT,
        }
    }

    /// What is understood of it.
    pub(super) fn accept(self) -> &'static str {
        match self {
            Self::Dialog => dialog_info::CONTENT_TYPE,
            Self::Presence => presence::CONTENT_TYPE,
            Self::CallPark => callpark::CONTENT_TYPE,
        }
    }
}

impl Dialect {
    fn lamp_event(&self, package: usize) -> LampEvent {
        self.preset.lamps.events.get(package).copied().unwrap_or(LampEvent::Dialog)
    }
}

impl Phone {
    /// Subscribes to every slot of each lot, or to the list of them. The user agent spreads the requests.
    pub(super) fn watch_slots(&mut self, now: Moment) {
        for lot in self.config.dialect.lots.clone() {
            let fresh = |slot: &SlotId| (slot.clone(), Watched::new(slot.clone()));
            self.watched.extend(lot.slots.iter().map(fresh));
            match &lot.list {
                Some(list) => self.watch_list(now, list, &lot.slots),
                None => lot.slots.iter().for_each(|slot| self.watch_singly(now, slot)),
            }
        }
    }

    /// Subscribes to one slot by itself.
    pub(super) fn watch_singly(&mut self, now: Moment, slot: &SlotId) {
        let Some(watched) = self.watched.get_mut(slot) else { return };
        let event = self.config.dialect.lamp_event(watched.package);
        watched.version = None;
        let user = self.config.dialect.watched_user(slot).unwrap_or_else(|| slot.to_string());
        let key = self.subscribe_to(now, &user, event.package(), event.accept(), false);
        self.subscribed.insert(key, Subscribed::new(Watching::Slot(slot.clone())));
        if let Some(watched) = self.watched.get_mut(slot) {
            watched.by = Some(key);
        }
    }

    pub(super) fn subscribe_to(
        &mut self,
        now: Moment,
        user: &str,
        event: &str,
        accept: &str,
        list: bool,
    ) -> SubscriptionKey {
        let subscribe = Subscribe {
            account: Some(self.account),
            target: self.uri_of(user),
            send_to: self.server(),
            event: event.to_owned(),
            accept: accept.to_owned(),
            expires_s: LAMP_EXPIRES_S,
            list,
        };
        self.ua.subscribe(now, subscribe)
    }

    /// What the server last said of a slot.
    pub(super) fn lamp(&self, slot: &SlotId) -> Option<&Lamp> {
        self.watched.get(slot).map(|w| &w.lamp)
    }

    fn watching(&self, subscription: SubscriptionKey) -> Option<Watching> {
        self.subscribed.get(&subscription).map(|held| held.to.clone())
    }

    fn watched_by(&mut self, subscription: SubscriptionKey) -> impl Iterator<Item = &mut Watched> {
        self.watched.values_mut().filter(move |w| w.by == Some(subscription))
    }

    /// A fresh subscription counts its versions from anywhere.
    pub(super) fn subscription_active(&mut self, subscription: SubscriptionKey) {
        for watched in self.watched_by(subscription) {
            if !watched.is_fresh() {
                watched.version = None;
            }
        }
        self.expect_whole_list(subscription);
    }

    /// The server has said that it would still tell us: what it said last holds for longer.
    pub(super) fn subscription_refreshed(&mut self, subscription: SubscriptionKey) {
        let Some(until) = self.ua.fresh_until(subscription) else { return };
        let fresh: Vec<SlotId> =
            self.watched_by(subscription).filter(|w| w.is_fresh()).map(|w| w.slot.clone()).collect();
        fresh.into_iter().for_each(|slot| self.say(Event::LampConfirmed { slot, until }));
    }

    pub(super) fn notified(
        &mut self,
        now: Moment,
        subscription: SubscriptionKey,
        content_type: &str,
        body: &[u8],
    ) {
        match self.watching(subscription) {
            Some(Watching::Slot(slot)) => self.hear_lamp(now, &slot, content_type, body, Follows::Itself),
            Some(Watching::List) => self.hear_list(now, subscription, content_type, body),
            Some(Watching::Staff(number, word)) => {
                self.hear_staff(now, subscription, &number, word, content_type, body);
            }
            Some(Watching::Messages) => self.hear_messages(body),
            None => {}
        }
    }

    /// A slot's state, however it came.
    pub(super) fn hear_lamp(
        &mut self,
        now: Moment,
        slot: &SlotId,
        content_type: &str,
        body: &[u8],
        follows: Follows,
    ) {
        let Some(watched) = self.watched.get_mut(slot) else { return };
        let by = watched.by;
        let told = match read_state(content_type, body) {
            Ok(told) => told,
            Err(reason) => return self.take_unreadable(now, slot, &reason),
        };
        if told.into_iter().try_for_each(|told| watched.take_in(told)).is_err() {
            by.into_iter().for_each(|subscription| self.ask_in_trouble(now, subscription));
            return;
        }
        let watched_until_now = watched.note_gap((by, by.map_or(0, |by| self.ua.dialogs_of(by))), follows);
        watched.heard_at = Some(now);
        if let Some(held) = by.and_then(|by| self.subscribed.get_mut(&by)) {
            held.troubles = 0;
        }
        let lamp = match watched.lamp_told() {
            Lamp::RingingBack if self.config.dialect.preset.lamps.early_is_parked => Lamp::Parked,
            lamp => lamp,
        };
        let before = std::mem::replace(&mut watched.lamp, lamp);
        watched.free_since = (watched.lamp == Lamp::Free).then(|| watched.free_since.unwrap_or(now));
        let report =
            LampReport { fresh_until: by.and_then(|by| self.ua.fresh_until(by)), ..watched.report() };
        watched.gap = false;
        let was_free = matches!(before, Lamp::Free | Lamp::Stale { was_parked: false, .. });
        let lit = was_free && matches!(report.lamp, Lamp::Parked | Lamp::RingingBack);
        let names = report.parkee.clone().filter(|_| self.config.dialect.preset.lamps.name_callers);
        self.tell_lamp(now, slot, report);
        let out = watched_lit(&before) && self.lamp(slot) == Some(&Lamp::Free);
        if out {
            self.lamp_out(slot);
        }
        if lit && !watched_until_now {
            self.lamp_found_lit(now, slot);
        } else if lit {
            self.lamp_lit(now, slot, names.filter(Identity::is_comparable).as_ref());
        }
    }

    /// Perhaps it was torn on the way. If it stays so, nothing is known, and why is no secret.
    fn take_unreadable(&mut self, now: Moment, slot: &SlotId, reason: &str) {
        let Some(watched) = self.watched.get_mut(slot) else { return };
        let by = watched.by;
        by.into_iter().for_each(|subscription| self.ask_in_trouble(now, subscription));
        let troubles = by.and_then(|by| self.subscribed.get(&by)).map_or(0, |held| held.troubles);
        if let Some(watched) = self.watched.get_mut(slot).filter(|_| troubles >= MAX_UNREADABLE) {
            watched.lamp = Lamp::Refused { reason: Text::new(&format!("can't be read: {reason}")) };
            let report = LampReport { lamp: watched.lamp.clone(), ..LampReport::default() };
            self.tell_lamp(now, slot, report);
        }
    }

    pub(super) fn lamp_stale(&mut self, now: Moment, subscription: SubscriptionKey, since: Moment) {
        match self.watching(subscription) {
            Some(Watching::Messages) => return self.say(Event::MessagesTold(None)),
            Some(Watching::Staff(number, word)) => return self.staff_stale(&number, word, since),
            _ => {}
        }
        let told: Vec<_> = self.watched_by(subscription).map(|w| w.make_stale(since)).collect();
        told.into_iter().for_each(|told| self.tell(now, told));
    }

    pub(super) fn lamp_refused(
        &mut self,
        now: Moment,
        subscription: SubscriptionKey,
        status: u16,
        reason: &str,
    ) {
        match self.watching(subscription) {
            Some(Watching::Slot(slot)) => self.slot_refused(now, subscription, &slot, status, reason),
            // Whatever it is that the server does not like about lists: it may like slots.
            Some(Watching::List) => self.leave_list(now, subscription),
            Some(Watching::Staff(number, word)) => {
                self.staff_refused(now, subscription, &number, word, status, reason);
            }
            Some(Watching::Messages) => self.say(Event::MessagesTold(None)),
            None => {}
        }
    }

    fn slot_refused(
        &mut self,
        now: Moment,
        subscription: SubscriptionKey,
        slot: &SlotId,
        status: u16,
        reason: &str,
    ) {
        let Some(watched) = self.watched.get_mut(slot) else { return };
        watched.version = None;
        // The server has no such package, or no way to write it that we can read (RFC 6665 7.2, RFC 3261 21.4.7).
        let unknown_here = matches!(status, 406 | 415 | 489);
        if unknown_here && watched.package + 1 < self.config.dialect.preset.lamps.events.len() {
            let package = watched.package;
            return self.try_next_package(now, package, subscription);
        }
        let reason = match status {
            404 => "no hint for this slot on the server (404)".to_owned(),
            489 => "the server has no dialog lamps (489)".to_owned(),
            status => words::of_status(status, reason),
        };
        watched.lamp = Lamp::Refused { reason: Text::new(&reason) };
        let report = LampReport { lamp: watched.lamp.clone(), ..LampReport::default() };
        self.tell_lamp(now, slot, report);
    }

    /// One slot is refused a package that the server doesn't have: so will all be that were not told anything by it yet.
    fn try_next_package(&mut self, now: Moment, package: usize, refused: SubscriptionKey) {
        let alike = |w: &Watched| w.package == package && (w.by == Some(refused) || w.heard_at.is_none());
        let own = |w: &Watched| w.by.and_then(|by| Some((by, self.subscribed.get(&by)?)));
        let slots: Vec<(SlotId, SubscriptionKey)> = self
            .watched
            .values()
            .filter(|w| alike(w))
            .filter_map(|w| own(w).map(|(by, held)| (w.slot.clone(), by, held)))
            .filter(|(_, _, held)| held.to != Watching::List)
            .map(|(slot, by, _)| (slot, by))
            .collect();
        for (slot, by) in slots {
            self.ua.unsubscribe(now, by);
            self.subscribed.remove(&by);
            if let Some(watched) = self.watched.get_mut(&slot) {
                watched.package = package + 1;
            }
            self.watch_singly(now, &slot);
        }
    }

    /// The server is silent: whatever the lamps showed may have changed by now.
    pub(super) fn all_lamps_stale(&mut self, now: Moment) {
        let told: Vec<_> =
            self.watched.values_mut().map(|w| w.make_stale(w.heard_at.unwrap_or(now))).collect();
        told.into_iter().for_each(|told| self.tell(now, told));
        self.all_staff_stale(now);
    }

    fn tell(&mut self, now: Moment, told: Option<(SlotId, Lamp)>) {
        if let Some((slot, lamp)) = told {
            self.tell_lamp(now, &slot, LampReport { lamp, ..LampReport::default() });
        }
    }

    /// Tells a lamp, with what else is known of who is there.
    fn tell_lamp(&mut self, now: Moment, slot: &SlotId, report: LampReport) {
        let report = self.witness.enrich(now, slot, report);
        self.say(Event::LampChanged { slot: slot.clone(), report });
    }

    /// The same lamp once more: something else is known of who is there than before.
    pub(super) fn retell_lamp(&mut self, now: Moment, slot: &SlotId) {
        let Some(watched) = self.watched.get(slot).filter(|w| w.lamp != Lamp::Free) else { return };
        let fresh_until = watched.by.and_then(|by| self.ua.fresh_until(by)).filter(|_| watched.is_fresh());
        let report = LampReport { fresh_until, ..watched.report() };
        self.tell_lamp(now, slot, report);
    }

    /// The server is back: every lamp that went stale is asked for. The user agent bounds the rate.
    pub(super) fn renew_stale_lamps(&mut self, now: Moment) {
        let stale = self.watched.values().filter(|w| !w.is_fresh());
        let mut keys: Vec<SubscriptionKey> = stale.filter_map(|w| w.by).collect();
        keys.dedup();
        keys.extend(self.stale_staff());
        keys.into_iter().for_each(|key| self.ask_soon(now, key));
    }

    /// The operator pressed a lamp that isn't fresh.
    pub(super) fn ask_lamp(&mut self, now: Moment, slot: &SlotId) {
        if let Some(by) = self.watched.get(slot).and_then(|w| w.by) {
            self.ask_soon(now, by);
        }
    }

    /// A park waits for a lamp that hasn't lit: perhaps its NOTIFY was lost.
    pub(super) fn ask_free_lamps(&mut self, now: Moment) {
        let free = self.watched.values().filter(|w| w.lamp == Lamp::Free);
        let mut keys: Vec<SubscriptionKey> = free.filter_map(|w| w.by).collect();
        keys.dedup();
        keys.into_iter().for_each(|key| self.ask_soon(now, key));
    }

    /// Renews a subscription, now or as soon as its last renewal is long enough ago.
    pub(super) fn ask_soon(&mut self, now: Moment, subscription: SubscriptionKey) {
        let Some(held) = self.subscribed.get_mut(&subscription) else { return };
        let pause = ASK_AT_MOST_EVERY * (1 << held.troubles.min(MAX_DOUBLINGS));
        let earliest = held.asked_at.map_or(now, |at| at + pause);
        if now >= earliest {
            self.ask(now, subscription);
        } else {
            held.ask_at = Some(earliest);
        }
    }

    /// The same after a NOTIFY that made no sense.
    pub(super) fn ask_in_trouble(&mut self, now: Moment, subscription: SubscriptionKey) {
        self.ask_soon(now, subscription);
        if let Some(held) = self.subscribed.get_mut(&subscription) {
            held.troubles = held.troubles.saturating_add(1);
        }
    }

    pub(super) fn ask_lamps_when_due(&mut self, now: Moment) {
        let due = |held: &Subscribed| held.ask_at.is_some_and(|at| now >= at);
        let keys: Vec<_> =
            self.subscribed.iter().filter(|(_, held)| due(held)).map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| self.ask(now, key));
    }

    /// The full state that the renewal brings may have any version.
    fn ask(&mut self, now: Moment, subscription: SubscriptionKey) {
        if let Some(held) = self.subscribed.get_mut(&subscription) {
            held.asked_at = Some(now);
            held.ask_at = None;
        }
        self.watched_by(subscription).for_each(|w| w.version = None);
        self.expect_whole_list(subscription);
        self.ua.renew(now, subscription);
    }

    pub(super) fn next_lamp_wake(&self) -> Option<Moment> {
        self.subscribed.values().filter_map(|held| held.ask_at).min()
    }
}
