//! The slots' lamps: one dialog subscription each (RFC 6665, RFC 4235), versions watched, silence called stale.

use super::phone::Phone;
use super::words;
use crate::desk::{DialogKey, Event, LampReport};
use crate::parking::{Identity, Lamp, Moment, SlotId, Text};
use crate::sip::dialog_info::{self, DialogElement, DialogInfo, DialogState, Party};
use crate::sip::message::Uri;
use crate::sip::{Subscribe, SubscriptionKey};
use std::time::Duration;

/// How long a lamp's subscription is asked for.
const LAMP_EXPIRES_S: u32 = 300;
/// Between two askings of one lamp, so that a key held down is no storm.
const ASK_AT_MOST_EVERY: Duration = Duration::from_millis(500);

/// One watched slot.
pub(super) struct Watched {
    pub slot: SlotId,
    pub lamp: Lamp,
    /// The version of the last dialog-info in this subscription; `None` before the first.
    version: Option<u32>,
    heard_at: Option<Moment>,
    /// The dialogs as known, since partial states only name what changed.
    dialogs: Vec<DialogElement>,
    asked_at: Option<Moment>,
    /// A renewal that waits for its turn.
    ask_at: Option<Moment>,
}

impl Phone {
    /// Subscribes to every slot. The user agent spreads the requests.
    pub(super) fn watch_slots(&mut self, now: Moment) {
        for slot in self.config.slots.clone() {
            let subscribe = Subscribe {
                account: Some(self.account),
                target: self.uri_of(slot.as_str()),
                send_to: self.server(),
                event: "dialog".to_owned(),
                accept: "application/dialog-info+xml".to_owned(),
                expires_s: LAMP_EXPIRES_S,
            };
            let key = self.ua.subscribe(now, subscribe);
            let watched = Watched {
                slot,
                lamp: Lamp::Unknown,
                version: None,
                heard_at: None,
                dialogs: Vec::new(),
                asked_at: None,
                ask_at: None,
            };
            self.watched.insert(key, watched);
        }
    }

    /// What the server last said of a slot.
    pub(super) fn lamp(&self, slot: &SlotId) -> Option<&Lamp> {
        self.watched.values().find(|w| &w.slot == slot).map(|w| &w.lamp)
    }

    /// A fresh subscription counts its versions from anywhere.
    pub(super) fn subscription_active(&mut self, subscription: SubscriptionKey) {
        if let Some(watched) = self.watched.get_mut(&subscription)
            && matches!(watched.lamp, Lamp::Stale { .. } | Lamp::Refused { .. })
        {
            watched.version = None;
        }
    }

    pub(super) fn notified(&mut self, now: Moment, subscription: SubscriptionKey, body: &[u8]) {
        let Some(watched) = self.watched.get_mut(&subscription) else { return };
        let Ok(info) = dialog_info::read(body) else { return self.ask_soon(now, subscription) };
        let fresh_start = watched.version.is_none()
            || !matches!(watched.lamp, Lamp::Free | Lamp::Parked | Lamp::RingingBack);
        match watched.version {
            // An older or repeated state changes nothing; a server that restarted its count is asked afresh.
            Some(version) if info.version <= version && !fresh_start => {
                return self.ask_soon(now, subscription);
            }
            // A partial state after a gap can't be understood (RFC 4235 §4.3).
            Some(version) if !info.full && version.checked_add(1) != Some(info.version) => {
                return self.ask_soon(now, subscription);
            }
            None if !info.full => return self.ask_soon(now, subscription),
            _ => {}
        }
        watched.version = Some(info.version);
        watched.heard_at = Some(now);
        watched.merge(info);
        let before = std::mem::replace(&mut watched.lamp, lamp_of(&watched.dialogs));
        let (slot, report) = (watched.slot.clone(), watched.report());
        let was_free = matches!(before, Lamp::Free | Lamp::Stale { was_parked: false, .. });
        let lit = was_free && report.lamp == Lamp::Parked;
        self.say(Event::LampChanged { slot: slot.clone(), report });
        if lit {
            self.lamp_lit(now, &slot);
        }
    }

    pub(super) fn lamp_stale(&mut self, subscription: SubscriptionKey, since: Moment) {
        if let Some(watched) = self.watched.get_mut(&subscription) {
            let told = watched.make_stale(since);
            self.tell(told);
        }
    }

    pub(super) fn lamp_refused(&mut self, subscription: SubscriptionKey, status: u16, reason: &str) {
        let Some(watched) = self.watched.get_mut(&subscription) else { return };
        watched.version = None;
        let reason = match status {
            404 => "no hint for this slot on the server (404)".to_owned(),
            489 => "the server has no dialog lamps (489)".to_owned(),
            status => words::of_status(status, reason),
        };
        watched.lamp = Lamp::Refused { reason: Text::new(&reason) };
        let report = LampReport { lamp: watched.lamp.clone(), ..LampReport::default() };
        let slot = watched.slot.clone();
        self.say(Event::LampChanged { slot, report });
    }

    /// The server is silent: whatever the lamps showed may have changed by now.
    pub(super) fn all_lamps_stale(&mut self, now: Moment) {
        let told: Vec<_> =
            self.watched.values_mut().map(|w| w.make_stale(w.heard_at.unwrap_or(now))).collect();
        for tell in told {
            self.tell(tell);
        }
    }

    fn tell(&mut self, told: Option<(SlotId, Lamp)>) {
        if let Some((slot, lamp)) = told {
            self.say(Event::LampChanged { slot, report: LampReport { lamp, ..LampReport::default() } });
        }
    }

    /// The server is back: every lamp that went stale is asked for. The user agent bounds the rate.
    pub(super) fn renew_stale_lamps(&mut self, now: Moment) {
        let stale = |w: &Watched| !matches!(w.lamp, Lamp::Free | Lamp::Parked | Lamp::RingingBack);
        let keys: Vec<_> = self.watched.iter().filter(|(_, w)| stale(w)).map(|(key, _)| *key).collect();
        for key in keys {
            self.ask_soon(now, key);
        }
    }

    /// The operator pressed a lamp that isn't fresh.
    pub(super) fn ask_lamp(&mut self, now: Moment, slot: &SlotId) {
        let key = self.watched.iter().find(|(_, w)| &w.slot == slot).map(|(key, _)| *key);
        if let Some(key) = key {
            self.ask_soon(now, key);
        }
    }

    /// A park waits for a lamp that hasn't lit: perhaps its NOTIFY was lost.
    pub(super) fn ask_free_lamps(&mut self, now: Moment) {
        let free: Vec<_> =
            self.watched.iter().filter(|(_, w)| w.lamp == Lamp::Free).map(|(k, _)| *k).collect();
        for key in free {
            self.ask_soon(now, key);
        }
    }

    /// Renews a subscription, now or as soon as its last renewal is long enough ago.
    fn ask_soon(&mut self, now: Moment, subscription: SubscriptionKey) {
        let Some(watched) = self.watched.get_mut(&subscription) else { return };
        let earliest = watched.asked_at.map_or(now, |at| at + ASK_AT_MOST_EVERY);
        if now >= earliest {
            watched.ask(now);
            self.ua.renew(now, subscription);
        } else {
            watched.ask_at = Some(earliest);
        }
    }

    pub(super) fn ask_lamps_when_due(&mut self, now: Moment) {
        let due = |w: &Watched| w.ask_at.is_some_and(|at| now >= at);
        let keys: Vec<_> = self.watched.iter().filter(|(_, w)| due(w)).map(|(key, _)| *key).collect();
        for key in keys {
            if let Some(watched) = self.watched.get_mut(&key) {
                watched.ask(now);
            }
            self.ua.renew(now, key);
        }
    }

    pub(super) fn next_lamp_wake(&self) -> Option<Moment> {
        self.watched.values().filter_map(|w| w.ask_at).min()
    }
}

impl Watched {
    fn ask(&mut self, now: Moment) {
        self.asked_at = Some(now);
        self.ask_at = None;
        self.version = None;
    }

    fn make_stale(&mut self, since: Moment) -> Option<(SlotId, Lamp)> {
        if matches!(self.lamp, Lamp::Unknown | Lamp::Stale { .. } | Lamp::Refused { .. }) {
            return None;
        }
        let was_parked = self.lamp != Lamp::Free;
        self.lamp = Lamp::Stale { since: self.heard_at.unwrap_or(since), was_parked };
        Some((self.slot.clone(), self.lamp.clone()))
    }

    /// Takes in a full state, or a partial one that follows the last.
    fn merge(&mut self, info: DialogInfo) {
        if info.full {
            self.dialogs = info.dialogs;
            return;
        }
        for dialog in info.dialogs {
            self.dialogs.retain(|d| d.id != dialog.id);
            self.dialogs.push(dialog);
        }
        self.dialogs.retain(|d| d.state != DialogState::Terminated);
    }

    fn report(&self) -> LampReport {
        let lit = self.dialogs.iter().find(|d| d.state != DialogState::Terminated);
        let Some(dialog) = lit else {
            return LampReport { lamp: self.lamp.clone(), ..LampReport::default() };
        };
        let of = |party: &Option<Party>| party.as_ref().map(identity_of);
        LampReport {
            lamp: self.lamp.clone(),
            parkee: of(&dialog.remote).filter(|p| !p.is_withheld()),
            parker: of(&dialog.referred_by),
            parked_for_s: dialog.duration_s,
            note: dialog.note.as_deref().map(Text::new),
            key: key_of(dialog),
        }
    }
}

/// What the dialogs of a slot mean for its lamp.
fn lamp_of(dialogs: &[DialogElement]) -> Lamp {
    let has = |wanted: fn(&DialogState) -> bool| dialogs.iter().any(|d| wanted(&d.state));
    if has(|s| matches!(s, DialogState::Trying | DialogState::Proceeding | DialogState::Early)) {
        Lamp::RingingBack
    } else if has(|s| *s == DialogState::Confirmed) {
        Lamp::Parked
    } else {
        Lamp::Free
    }
}

fn identity_of(party: &Party) -> Identity {
    let user = Uri::parse(&party.uri).and_then(|u| u.user).unwrap_or_default();
    Identity::new(party.display.as_deref().unwrap_or_default(), &user)
}

/// The name of the parked dialog as a Replaces value, where the server told all of it (RFC 3891 §3: the to-tag is
/// that of the side that receives the INVITE, here the server).
fn key_of(dialog: &DialogElement) -> Option<DialogKey> {
    let replaces = crate::sip::replaces::Replaces {
        call_id: dialog.call_id.clone()?,
        to_tag: dialog.local_tag.clone()?,
        from_tag: dialog.remote_tag.clone()?,
        early_only: false,
    };
    Some(DialogKey(replaces.to_string()))
}
