//! What watchers are told: the state of an extension or a slot, of which each sees as much as he may.

use super::super::Lot;
use super::super::legs::{Attempt, Place, Purpose};
use super::super::slots::{ParkedCall, Phase};
use super::{Package, State};
use crate::parking::{Identity, Moment};
use crate::sip::CallKey;
use crate::sip::dialog_info::{self, DialogElement, DialogInfo, DialogState, Direction, Party};
use crate::sip::message::Uri;
use crate::sip::message_summary::{self, MessageSummary};
use crate::sip::presence::{self, Activity, Tuple};

impl Lot {
    /// What one user is told of an extension, and of what type that is.
    pub(super) fn document(
        &self,
        now: Moment,
        user: &str,
        package: Package,
        extension: &str,
        version: u32,
    ) -> (&'static str, Vec<u8>) {
        let mut state = self.state_of(extension);
        let entity = Uri::sip(extension, &self.config.realm).to_string();
        match package {
            Package::Dialog => {
                if let Some(dialog) = state.dialogs.first_mut() {
                    let mut lots = self.lots.iter().enumerate();
                    let parked = lots.find_map(|(lot, parking)| Some((lot, parking.in_slot(extension)?)));
                    dialog.duration_s = parked.map(|(_, parked)| parked.waited_s(now));
                    if !self.may_know(user, extension, parked) {
                        *dialog = bare(dialog);
                    }
                }
                let info = DialogInfo { version, full: true, entity, dialogs: state.dialogs };
                (dialog_info::CONTENT_TYPE, dialog_info::write(&info))
            }
            Package::Presence => (presence::CONTENT_TYPE, presence::write(&presence_of(entity, &state))),
            Package::Messages => {
                let summary = state.messages.unwrap_or_default();
                let summary = MessageSummary { account: Some(entity), ..summary };
                (message_summary::CONTENT_TYPE, message_summary::write(&summary))
            }
        }
    }

    /// Whether a watcher may know who is parked in a slot, or who calls at an extension, and the tags with which the
    /// call can be taken.
    pub(super) fn may_know(
        &self,
        watcher: &str,
        extension: &str,
        parked: Option<(usize, &ParkedCall<CallKey>)>,
    ) -> bool {
        let Some(user) = self.plan.user(watcher) else { return false };
        match parked {
            Some((lot, parked)) => self.sees(watcher, lot) || parked.parker.user == watcher,
            None => {
                let own = self.plan.user_at(extension).is_some_and(|watched| watched.name == watcher);
                own || user.permissions.may_pick_up()
            }
        }
    }

    pub(super) fn state_of(&self, extension: &str) -> State {
        let user = self.plan.user_at(extension);
        State {
            dialogs: self.dialogs_of(extension),
            open: user.is_none_or(|user| !self.registrar.phones(&user.name).is_empty()),
            messages: user.and_then(|user| self.messages_of(user)),
        }
    }

    /// Whether the slots of that lot have lamps.
    pub(super) fn has_hints(&self, lot: usize) -> bool {
        self.parking(lot).is_some_and(|parking| parking.parkinghints)
    }

    /// What there is to tell of an extension.
    pub(super) fn dialogs_of(&self, extension: &str) -> Vec<DialogElement> {
        if let Some(parked) = self.lots.iter().find_map(|lot| lot.in_slot(extension)) {
            return vec![self.parked_dialog(parked)];
        }
        let Some(user) = self.plan.user_at(extension) else {
            let ringing = self.attempts.values().find(|attempt| attempt.step.rings_group(extension));
            return vec![
                ringing.map_or_else(|| idle(extension), |attempt| self.ringing_dialog(extension, attempt)),
            ];
        };
        let of_user = self.legs.values().filter(|leg| leg.user.as_deref() == Some(&user.name));
        // The loudest of his phones: who talks is busy even while another phone rings.
        let state = of_user.filter_map(|leg| match leg.place {
            Place::With(_)
            | Place::Parked(_)
            | Place::Transferring(_)
            | Place::Stranded
            | Place::Listening
            | Place::Paging
            | Place::Hearing(_) => Some((2, DialogState::Confirmed, None)),
            Place::Dialled(_) => Some((1, DialogState::Early, Some(Direction::Recipient))),
            Place::Asking(_) => Some((0, DialogState::Early, Some(Direction::Initiator))),
            Place::Leaving => None,
        });
        match state.max_by_key(|(weight, ..)| *weight) {
            Some((_, DialogState::Early, Some(Direction::Recipient))) => {
                let rings = |attempt: &&Attempt| {
                    let mut legs = attempt.branches.iter().filter_map(|branch| self.legs.get(branch));
                    legs.any(|leg| leg.user.as_deref() == Some(&user.name))
                };
                let attempt = self.attempts.values().find(rings);
                vec![attempt.map_or_else(|| ringing(extension), |a| self.ringing_dialog(extension, a))]
            }
            Some((_, state, direction)) => vec![DialogElement { state, direction, ..idle(extension) }],
            None => vec![idle(extension)],
        }
    }

    /// A call that rings at an extension: who calls, and the dialog by which it can be taken, which is that of the one
    /// who waits.
    fn ringing_dialog(&self, extension: &str, attempt: &Attempt) -> DialogElement {
        let parked = |ticket| self.lots.iter().find_map(|lot| lot.by_ticket(ticket));
        let waiting = match &attempt.purpose {
            Purpose::Call { caller } => Some(*caller),
            Purpose::Transfer { transferee, .. } => Some(*transferee),
            Purpose::Comeback { ticket } | Purpose::Fallback { ticket } => parked(ticket).map(|p| p.occupant),
            Purpose::Page { .. } | Purpose::Announce { .. } => None,
        };
        let leg = waiting.and_then(|call| self.legs.get(&call));
        let dialog = waiting.and_then(|call| self.agent.dialog_id(call));
        let target = waiting.and_then(|call| self.agent.remote_target(call)).map(|uri| uri.to_string());
        let local = Uri::sip(extension, &self.config.realm).to_string();
        DialogElement {
            call_id: dialog.as_ref().map(|d| d.call_id.clone()),
            local_tag: dialog.as_ref().map(|d| d.local_tag.clone()),
            remote_tag: dialog.map(|d| d.remote_tag),
            local: Some(Party { uri: local.clone(), target: Some(local), ..Party::default() }),
            remote: leg.map(|leg| Party { target, ..self.party(&leg.identity) }),
            ..ringing(extension)
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

fn ringing(extension: &str) -> DialogElement {
    let direction = Some(Direction::Recipient);
    DialogElement { state: DialogState::Early, direction, ..idle(extension) }
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

/// What an extension's calls mean as presence.
fn presence_of(entity: String, state: &State) -> presence::Presence {
    let told = state.dialogs.first().map(|dialog| (dialog.state, dialog.direction));
    let (activity, note) = match told {
        _ if !state.open => (None, "Not registered"),
        Some((DialogState::Early, Some(Direction::Recipient))) => (Some(Activity::Busy), "Ringing"),
        Some((DialogState::Terminated, _)) | None => (None, "Ready"),
        Some(_) => (Some(Activity::OnThePhone), "On the phone"),
    };
    let tuple = Tuple {
        id: "t".to_owned(),
        open: Some(state.open),
        contact: Some(entity.clone()),
        note: Some(note.to_owned()),
    };
    presence::Presence {
        entity,
        tuples: vec![tuple],
        activities: activity.into_iter().collect(),
        notes: vec![note.to_owned()],
    }
}
