//! One slot as its server tells it (RFC 4235, RFC 3863, BroadWorks' callpark): documents become a lamp, versions watched.

use crate::desk::{DialogKey, LampReport};
use crate::parking::{Identity, Lamp, Moment, SlotId, Text};
use crate::sip::callpark::{self, CallPark};
use crate::sip::dialog_info::{self, DialogElement, DialogInfo, DialogState, Party};
use crate::sip::message::Uri;
use crate::sip::presence::{self, Presence};
use crate::sip::{SubscriptionKey, multipart};

/// One watched slot.
pub(super) struct Watched {
    pub slot: SlotId,
    pub lamp: Lamp,
    /// By which subscription: its own, or the list's.
    pub by: Option<SubscriptionKey>,
    /// Which of the dialect's packages it is asked with.
    pub(super) package: usize,
    /// The version of the last dialog-info in this subscription; `None` before the first, and when any will do.
    pub(super) version: Option<u32>,
    /// Where the last state was heard; `None` before the first.
    pub(super) heard: Option<Heard>,
    /// Whether a word may have been missed since the lamp was told last.
    pub(super) gap: bool,
    pub(super) heard_at: Option<Moment>,
    /// Since when it has been free without a break, as far as every word was heard.
    pub(super) free_since: Option<Moment>,
    /// The dialogs as known, since partial states only name what changed.
    pub(super) dialogs: Vec<DialogElement>,
    /// Who is parked, by a callpark document.
    pub(super) parkee: Option<Identity>,
    /// Whether the server says of the slot only that nobody can be reached there.
    pub(super) closed: bool,
}

/// Where a state was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// The subscription, with the number of its dialog.
    pub by: (Option<SubscriptionKey>, u32),
    /// What counts the states in there: the document's own version, or the list's.
    pub version: Option<u32>,
}

/// How a state is known to follow the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// By its own version, where it has one.
    Itself,
    /// It came in a list, which had missed nothing (or may have).
    InList { unbroken: bool },
}

/// What a NOTIFY says of a slot.
pub(super) enum Told {
    Dialogs(DialogInfo),
    Presence(Presence),
    CallPark(CallPark),
}

/// Reads whatever a server may say of a slot: one document, or several of different kinds.
pub(super) fn read_state(content_type: &str, body: &[u8]) -> Result<Vec<Told>, String> {
    if !multipart::is_type(content_type, "multipart/mixed")
        && !multipart::is_type(content_type, "multipart/related")
    {
        return read_document(content_type, body);
    }
    let mut told = Vec::new();
    for part in multipart::read(content_type, body)? {
        let known = [dialog_info::CONTENT_TYPE, presence::CONTENT_TYPE, callpark::CONTENT_TYPE];
        if known.iter().any(|known| multipart::is_type(&part.content_type, known)) {
            told.extend(read_document(&part.content_type, part.body)?);
        }
    }
    if told.is_empty() { Err("no part of it is about a slot".into()) } else { Ok(told) }
}

fn read_document(content_type: &str, body: &[u8]) -> Result<Vec<Told>, String> {
    if multipart::is_type(content_type, presence::CONTENT_TYPE) {
        return Ok(vec![Told::Presence(presence::read(body)?)]);
    }
    if multipart::is_type(content_type, callpark::CONTENT_TYPE) {
        return Ok(vec![Told::CallPark(callpark::read(body)?)]);
    }
    let mut told = vec![Told::Dialogs(dialog_info::read(body)?)];
    // BroadWorks puts its element into the dialog.
    if body.windows(8).any(|word| word == b"callpark") {
        told.extend(callpark::find(body)?.map(Told::CallPark));
    }
    Ok(told)
}

impl Watched {
    /// Nothing is known of it.
    pub(super) fn new(slot: SlotId) -> Self {
        Self {
            slot,
            lamp: Lamp::Unknown,
            by: None,
            package: 0,
            version: None,
            heard: None,
            gap: false,
            heard_at: None,
            free_since: None,
            dialogs: Vec::new(),
            parkee: None,
            closed: false,
        }
    }

    /// Whether the lamp shows what the server says now.
    pub(super) fn is_fresh(&self) -> bool {
        matches!(self.lamp, Lamp::Free | Lamp::Parked | Lamp::RingingBack)
    }

    /// Whether it has been free all the time since then.
    pub(super) fn has_been_free_since(&self, then: Moment) -> bool {
        self.lamp == Lamp::Free && self.free_since.is_some_and(|since| since <= then)
    }

    /// From now on the list tells of it; its dialogs' versions begin anew.
    pub(super) fn join(&mut self, list: SubscriptionKey) {
        self.by = Some(list);
        self.version = None;
    }

    pub(super) fn make_stale(&mut self, since: Moment) -> Option<(SlotId, Lamp)> {
        if matches!(self.lamp, Lamp::Unknown | Lamp::Stale { .. } | Lamp::Refused { .. }) {
            return None;
        }
        let was_parked = self.lamp != Lamp::Free;
        self.lamp = Lamp::Stale { since: self.heard_at.unwrap_or(since), was_parked };
        self.free_since = None;
        Some((self.slot.clone(), self.lamp.clone()))
    }

    /// Takes note of whether the state that has been taken in, heard in this dialog of that subscription, follows the
    /// last one. If not, somebody may have left the slot and another have come.
    ///
    /// False if the dialog is another than before: then what changed may have changed long ago. (In the same dialog the
    /// server repeats a word until it is answered: what was missed there is recent.)
    pub(super) fn note_gap(&mut self, by: (Option<SubscriptionKey>, u32), follows: Follows) -> bool {
        let version = self.version;
        let before = self.heard.replace(Heard { by, version });
        let same_dialog = before.is_some_and(|before| before.by == by);
        let in_order = match (follows, before.and_then(|before| before.version), version) {
            (Follows::InList { unbroken }, ..) => unbroken,
            (Follows::Itself, Some(last), Some(version)) => {
                version == last || last.checked_add(1) == Some(version)
            }
            // Without versions there is only the subscription to go by: as long as it held, nothing was missed.
            (Follows::Itself, ..) => self.is_fresh(),
        };
        self.gap |= !(same_dialog && in_order);
        same_dialog
    }

    /// The next state; an error means that it makes no sense after the last and the full state is wanted.
    pub(super) fn take_in(&mut self, told: Told) -> Result<(), String> {
        match told {
            Told::Dialogs(info) => return self.follow(info),
            // What presence and callpark say is all there is: as if it were one dialog, or none.
            Told::Presence(presence) => {
                self.parkee = None;
                self.dialogs = if presence.is_busy() { vec![lit(&self.slot)] } else { Vec::new() };
                // Nobody can be reached there: no word about whether anybody is parked.
                self.closed = !presence.is_busy() && presence.is_open() != Some(true);
            }
            Told::CallPark(callpark) => {
                self.closed = false;
                self.parkee = callpark.parked.as_ref().map(identity_of).filter(|who| !who.is_withheld());
                if callpark.parked.is_none() {
                    self.dialogs.clear();
                } else if self.dialogs.iter().all(|d| d.state == DialogState::Terminated) {
                    self.dialogs = vec![lit(&self.slot)];
                }
            }
        }
        Ok(())
    }

    /// RFC 4235 4.3: versions go up by one; a full state may skip some, a partial one may not.
    fn follow(&mut self, info: DialogInfo) -> Result<(), String> {
        let fresh_start = self.version.is_none() || !self.is_fresh();
        match self.version {
            Some(version) if info.version == version && info.full && info.dialogs == self.dialogs => {
                return Ok(());
            }
            // An older or repeated state changes nothing; a server that restarted its count is asked afresh.
            Some(version) if info.version <= version && !fresh_start => return Err("an older state".into()),
            Some(version) if !info.full && version.checked_add(1) != Some(info.version) => {
                return Err("a state between is missing".into());
            }
            None if !info.full => return Err("a partial state comes first".into()),
            _ => {}
        }
        // A word between was not heard: somebody may have come and gone.
        if self.version.and_then(|version| version.checked_add(1)) != Some(info.version) {
            self.free_since = None;
        }
        self.version = Some(info.version);
        self.parkee = None;
        self.closed = false;
        self.merge(info)
    }

    /// Takes in a full state, or a partial one that follows the last.
    fn merge(&mut self, info: DialogInfo) -> Result<(), String> {
        if info.full {
            self.dialogs = info.dialogs;
            return Ok(());
        }
        for dialog in info.dialogs {
            self.dialogs.retain(|d| d.id != dialog.id);
            self.dialogs.push(dialog);
        }
        self.dialogs.retain(|d| d.state != DialogState::Terminated);
        if self.dialogs.len() > dialog_info::MAX_DIALOGS {
            self.dialogs.clear();
            return Err("more dialogs than a slot can have".into());
        }
        Ok(())
    }

    /// What the dialogs of a slot mean for its lamp.
    pub(super) fn lamp_told(&self) -> Lamp {
        let has = |wanted: fn(&DialogState) -> bool| self.dialogs.iter().any(|d| wanted(&d.state));
        if has(|s| matches!(s, DialogState::Trying | DialogState::Proceeding | DialogState::Early)) {
            Lamp::RingingBack
        } else if has(|s| *s == DialogState::Confirmed) {
            Lamp::Parked
        } else if self.closed {
            Lamp::Unknown
        } else {
            Lamp::Free
        }
    }

    pub(super) fn report(&self) -> LampReport {
        let lit = self.dialogs.iter().find(|d| d.state != DialogState::Terminated);
        let Some(dialog) = lit else {
            return LampReport { lamp: self.lamp.clone(), ..LampReport::default() };
        };
        let of = |party: &Option<Party>| party.as_ref().map(identity_of);
        LampReport {
            lamp: self.lamp.clone(),
            parkee: self.parkee.clone().or_else(|| of(&dialog.remote).filter(|p| !p.is_withheld())),
            parker: of(&dialog.referred_by),
            parked_for_s: dialog.duration_s,
            comes_back_in_s: None,
            note: dialog.note.as_deref().map(Text::new),
            key: key_of(dialog),
            fresh_until: None,
            gap: self.gap,
        }
    }
}

/// A dialog of which nothing is known but that it is there.
fn lit(slot: &SlotId) -> DialogElement {
    DialogElement { id: slot.to_string(), state: DialogState::Confirmed, ..DialogElement::default() }
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
