//! Lamps (RFC 4235 over RFC 6665): slots and user extensions, the full state at once and after each change. Who is
//! parked, and the tags that name his dialog, are told only to those who may retrieve.

use super::Lot;
use super::legs::Place;
use super::plan::Destination;
use super::slots::{ParkedCall, Phase};
use super::words::Refusal;
use crate::parking::{Identity, Moment};
use crate::sip::Peer;
use crate::sip::dialog_info::{self, DialogElement, DialogInfo, DialogState, Direction, Party};
use crate::sip::message::{Method, Request, Uri};
use crate::sip::{CallKey, RequestKey, WatcherKey};
use std::collections::{BTreeMap, BTreeSet};

/// How many subscriptions a user may have to one extension; a further one ends the oldest.
pub const MAX_WATCHERS_PER_USER: usize = 2;
/// How many subscriptions the lot serves; beyond it a SUBSCRIBE gets 503.
pub const MAX_WATCHERS: usize = 8_000;
/// The longest subscription that is granted, in seconds.
const MAX_EXPIRES_S: u32 = 3_600;
/// What is granted to a SUBSCRIBE that names no time (RFC 4235 3.4).
const DEFAULT_EXPIRES_S: u32 = 3_600;

#[derive(Debug)]
struct Watcher {
    extension: String,
    user: String,
    version: u32,
}

/// Who watches what, and which lamps have changed.
#[derive(Debug, Default)]
pub(super) struct Presence {
    watchers: BTreeMap<WatcherKey, Watcher>,
    by_extension: BTreeMap<String, BTreeSet<WatcherKey>>,
    changed: BTreeSet<String>,
    /// What was told last, without what merely counts on.
    told: BTreeMap<String, Vec<DialogElement>>,
}

impl Presence {
    /// Something about this extension may have changed.
    pub(super) fn touch(&mut self, extension: &str) {
        if self.by_extension.contains_key(extension) {
            self.changed.insert(extension.to_owned());
        }
    }

    pub(super) fn count(&self) -> usize {
        self.watchers.len()
    }

    /// A watcher is gone.
    pub(super) fn forget(&mut self, key: WatcherKey) {
        let Some(watcher) = self.watchers.remove(&key) else { return };
        if let Some(of_extension) = self.by_extension.get_mut(&watcher.extension) {
            of_extension.remove(&key);
            if of_extension.is_empty() {
                self.by_extension.remove(&watcher.extension);
                self.told.remove(&watcher.extension);
                self.changed.remove(&watcher.extension);
            }
        }
    }

    fn add(&mut self, key: WatcherKey, extension: String, user: String) {
        self.by_extension.entry(extension.clone()).or_default().insert(key);
        self.watchers.insert(key, Watcher { extension, user, version: 0 });
    }

    /// All subscriptions of this user.
    pub(super) fn all_of(&self, user: &str) -> Vec<WatcherKey> {
        self.watchers.iter().filter(|(_, watcher)| watcher.user == user).map(|(key, _)| *key).collect()
    }

    /// This user's subscriptions to the extension, the oldest first.
    fn of_user(&self, extension: &str, user: &str) -> Vec<WatcherKey> {
        let of_extension = self.by_extension.get(extension).into_iter().flatten();
        of_extension.filter(|key| self.watchers.get(key).is_some_and(|w| w.user == user)).copied().collect()
    }
}

impl Lot {
    /// A SUBSCRIBE.
    pub(super) fn on_subscribe(&mut self, now: Moment, key: RequestKey, from: Peer, request: &Request) {
        let user = match self.prove(now, from, request) {
            Ok(user) => user,
            Err((status, headers)) => return self.agent.answer(now, key, status, headers, Vec::new()),
        };
        if let Err((refusal, more)) = self.admit(now, key, &user, request) {
            let mut headers = refusal.headers();
            headers.extend(more);
            self.agent.answer(now, key, refusal.status, headers, Vec::new());
            self.note_refusal(Method::Subscribe, from, Some(user), &refusal);
        }
    }

    fn admit(
        &mut self,
        now: Moment,
        key: RequestKey,
        user: &str,
        request: &Request,
    ) -> Result<(), (Refusal, Option<(String, String)>)> {
        let package = request.headers.get("Event").and_then(|e| e.split(';').next()).unwrap_or_default();
        if !package.trim().eq_ignore_ascii_case("dialog") {
            let allowed = ("Allow-Events".to_owned(), "dialog".to_owned());
            return Err((Refusal::new(489, "Only the dialog package is known."), Some(allowed)));
        }
        let refuse = |status, words: &str| Err((Refusal::new(status, words), None));
        let extension = request.uri.user.clone().unwrap_or_default();
        match self.destination_for(user, &extension) {
            Some(Destination::Slot { lot, .. }) if !self.has_hints(lot) => {
                return refuse(404, "The slots of that lot have no lamps (parkinghints).");
            }
            Some(Destination::Slot { .. } | Destination::User(_)) => {}
            Some(Destination::Park { .. }) | None => return refuse(404, "There is nothing to watch there."),
        }
        // The user agent sends NOTIFY only to where this came from, and the nonce has proven that somebody is there.
        if self.presence.count() >= MAX_WATCHERS {
            return refuse(503, "Too many subscriptions.");
        }
        let own = self.presence.of_user(&extension, user);
        for oldest in own.iter().take((own.len() + 1).saturating_sub(MAX_WATCHERS_PER_USER)) {
            self.agent.dismiss(now, *oldest, "rejected");
            self.presence.forget(*oldest);
        }
        let expires_s = request.headers.expires().unwrap_or(DEFAULT_EXPIRES_S).min(MAX_EXPIRES_S);
        if let Some(watcher) = self.agent.admit_watcher(now, key, expires_s) {
            self.presence.add(watcher, extension, user.to_owned());
            self.tell(now, watcher);
        }
        Ok(())
    }

    /// A watcher asked again.
    pub(super) fn on_watcher_refreshed(&mut self, now: Moment, watcher: WatcherKey) {
        self.tell(now, watcher);
    }

    /// After a reload: those who may no longer watch are sent away, and all others are told afresh.
    pub(super) fn review_watchers(&mut self, now: Moment) {
        let keys: Vec<WatcherKey> = self.presence.watchers.keys().copied().collect();
        for key in keys {
            let Some(watcher) = self.presence.watchers.get(&key) else { continue };
            let known = self.plan.user(&watcher.user).is_some();
            let gone = match self.destination_for(&watcher.user, &watcher.extension) {
                Some(Destination::Slot { lot, .. }) => !self.has_hints(lot),
                destination => destination.is_none(),
            };
            if !known || gone {
                self.agent.dismiss(now, key, "noresource");
                self.presence.forget(key);
            } else {
                self.tell(now, key);
            }
        }
    }

    /// Tells everybody who watches something that has changed.
    pub(super) fn tell_watchers(&mut self, now: Moment) {
        for extension in std::mem::take(&mut self.presence.changed) {
            let state = self.state_of(&extension);
            if self.presence.told.get(&extension) == Some(&state) {
                continue;
            }
            let watchers = self.presence.by_extension.get(&extension).cloned().unwrap_or_default();
            self.presence.told.insert(extension, state);
            for watcher in watchers {
                self.tell(now, watcher);
            }
        }
    }

    /// The full state, to one watcher.
    fn tell(&mut self, now: Moment, key: WatcherKey) {
        let Some(watcher) = self.presence.watchers.get(&key) else { return };
        let extension = watcher.extension.clone();
        let mut dialogs = self.state_of(&extension);
        let parked = self.lots.iter().enumerate();
        let parked = parked.map(|(lot, parking)| (lot, parking.in_slot(&extension)));
        let parked = parked.into_iter().find_map(|(lot, parked)| Some((lot, parked?)));
        if let (Some((lot, parked)), Some(dialog)) = (parked, dialogs.first_mut()) {
            if self.sees(&watcher.user, lot) || parked.parker.user == watcher.user {
                dialog.duration_s = Some(parked.waited_s(now));
            } else {
                *dialog = bare(dialog);
            }
        }
        let entity = Uri::sip(&extension, &self.config.realm).to_string();
        let Some(watcher) = self.presence.watchers.get_mut(&key) else { return };
        let info = DialogInfo { version: watcher.version, full: true, entity, dialogs };
        watcher.version = watcher.version.wrapping_add(1);
        self.agent.notify(now, key, dialog_info::CONTENT_TYPE, dialog_info::write(&info));
    }

    /// Whether the slots of that lot have lamps.
    fn has_hints(&self, lot: usize) -> bool {
        self.parking(lot).is_some_and(|parking| parking.parkinghints)
    }

    /// What there is to tell of an extension.
    fn state_of(&self, extension: &str) -> Vec<DialogElement> {
        if let Some(parked) = self.lots.iter().find_map(|lot| lot.in_slot(extension)) {
            return vec![self.parked_dialog(parked)];
        }
        let Some(user) = self.plan.user_at(extension) else { return vec![idle(extension)] };
        let of_user = self.legs.values().filter(|leg| leg.user.as_deref() == Some(&user.name));
        // The loudest of his phones: who talks is busy even while another phone rings.
        let state = of_user.filter_map(|leg| match leg.place {
            Place::With(_)
            | Place::Parked(_)
            | Place::Transferring(_)
            | Place::Stranded
            | Place::Listening => Some((2, DialogState::Confirmed, None)),
            Place::Dialled(_) => Some((1, DialogState::Early, Some(Direction::Recipient))),
            Place::Asking(_) => Some((0, DialogState::Early, Some(Direction::Initiator))),
            Place::Leaving => None,
        });
        match state.max_by_key(|(weight, ..)| *weight) {
            Some((_, state, direction)) => vec![DialogElement { state, direction, ..idle(extension) }],
            None => vec![idle(extension)],
        }
    }

    fn parked_dialog(&self, parked: &ParkedCall<CallKey>) -> DialogElement {
        let dialog = self.agent.dialog_id(parked.occupant);
        let target = self.agent.remote_target(parked.occupant).map(|uri| uri.to_string());
        // A parked call is one that somebody brought here; one that rings back is calling out.
        let (state, direction) = match parked.phase {
            Phase::Waiting { .. } | Phase::AwaitingParker { .. } => {
                (DialogState::Confirmed, Direction::Recipient)
            }
            Phase::RingingBack => (DialogState::Early, Direction::Initiator),
        };
        let slot = Uri::sip(parked.slot.as_str(), &self.config.realm).to_string();
        DialogElement {
            id: format!("{}-{}", parked.slot, parked.since.as_millis()),
            call_id: dialog.as_ref().map(|d| d.call_id.clone()),
            local_tag: dialog.as_ref().map(|d| d.local_tag.clone()),
            remote_tag: dialog.map(|d| d.remote_tag),
            direction: Some(direction),
            state,
            local: Some(Party { uri: slot.clone(), target: Some(slot), ..Party::default() }),
            remote: Some(Party { target, ..self.party(&parked.parkee) }),
            referred_by: Some(self.party(&parked.parker.identity)),
            duration_s: None,
            note: (!parked.note.is_empty()).then(|| parked.note.to_string()),
        }
    }

    fn party(&self, identity: &Identity) -> Party {
        let address = self.address(identity);
        Party { display: address.display, uri: address.uri.to_string(), ..Party::default() }
    }
}

/// Asterisk's way to say that nothing goes on: the element is there and says `terminated`. Phones want it.
fn idle(extension: &str) -> DialogElement {
    DialogElement { id: extension.to_owned(), state: DialogState::Terminated, ..DialogElement::default() }
}

/// The same lamp without who and without tags.
fn bare(dialog: &DialogElement) -> DialogElement {
    DialogElement {
        id: dialog.id.clone(),
        state: dialog.state,
        direction: dialog.direction,
        local: dialog.local.clone(),
        ..DialogElement::default()
    }
}
