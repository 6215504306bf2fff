//! The colleagues' phones (feature G6): by the dialog package (RFC 4235), which says what they do, and by presence
//! (RFC 3863), which says whether anybody can be reached there at all; by one of them where the server has only that.
//!
//! A phone that is switched off is in no dialog: without presence it looks like one that is free.

use super::lamps::{Subscribed, Watching};
use super::phone::Phone;
use super::watched::{Told, Watched, read_state};
use super::words;
use crate::desk::{Event, MAX_STAFF, StaffLamp};
use crate::parking::{Identity, Moment, SlotId, Text};
use crate::sip::SubscriptionKey;
use crate::sip::dialog_info::{self, DialogElement, DialogState, Direction, Party};
use crate::sip::message::Uri;
use crate::sip::presence::{self, Presence};

/// By which package a phone is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StaffWord {
    Dialog,
    Presence,
}

impl StaffWord {
    fn package(self) -> (&'static str, &'static str) {
        match self {
            Self::Dialog => ("dialog", dialog_info::CONTENT_TYPE),
            Self::Presence => (presence::EVENT, presence::CONTENT_TYPE),
        }
    }
}

/// What one package says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// Nothing yet.
    Silent,
    Told,
    Stale {
        since: Moment,
    },
    Refused {
        reason: Text,
    },
}

/// A watched phone.
pub(super) struct Colleague {
    /// Its dialogs, followed like those of a slot.
    watched: Watched,
    dialogs: Source,
    dialog_by: Option<SubscriptionKey>,
    presence: Source,
    presence_by: Option<SubscriptionKey>,
    /// Whether presence says that he is reachable, and busy.
    open: Option<bool>,
    busy: bool,
    heard_at: Moment,
    said: Option<(StaffLamp, Identity)>,
}

impl Phone {
    /// Subscribes to every colleague. The user agent spreads the requests.
    pub(super) fn watch_staff(&mut self, now: Moment) {
        for number in self.config.staff.iter().take(MAX_STAFF).cloned().collect::<Vec<_>>() {
            let Some(slot) = SlotId::new(&number) else { continue };
            let colleague = Colleague {
                watched: Watched::new(slot),
                dialogs: Source::Silent,
                dialog_by: Some(self.watch_one(now, &number, StaffWord::Dialog)),
                presence: Source::Silent,
                presence_by: Some(self.watch_one(now, &number, StaffWord::Presence)),
                open: None,
                busy: false,
                heard_at: now,
                said: None,
            };
            self.staff.insert(number, colleague);
        }
    }

    fn watch_one(&mut self, now: Moment, number: &str, word: StaffWord) -> SubscriptionKey {
        let (package, accept) = word.package();
        let key = self.subscribe_to(now, number, package, accept, false);
        self.subscribed.insert(key, Subscribed::new(Watching::Staff(number.to_owned(), word)));
        key
    }

    pub(super) fn hear_staff(
        &mut self,
        now: Moment,
        subscription: SubscriptionKey,
        number: &str,
        word: StaffWord,
        content_type: &str,
        body: &[u8],
    ) {
        let Some(colleague) = self.staff.get_mut(number) else { return };
        let told = read_state(content_type, body)
            .and_then(|told| told.into_iter().try_for_each(|told| colleague.take_in(word, told)));
        if told.is_err() {
            if word == StaffWord::Dialog {
                colleague.watched.version = None;
            }
            return self.ask_in_trouble(now, subscription);
        }
        colleague.heard_at = now;
        *colleague.source(word) = Source::Told;
        self.tell_staff(number);
    }

    pub(super) fn staff_stale(&mut self, number: &str, word: StaffWord, since: Moment) {
        if let Some(colleague) = self.staff.get_mut(number) {
            colleague.go_stale(word, since);
        }
        self.tell_staff(number);
    }

    /// The server is silent.
    pub(super) fn all_staff_stale(&mut self, now: Moment) {
        for number in self.staff.keys().cloned().collect::<Vec<_>>() {
            if let Some(colleague) = self.staff.get_mut(&number) {
                let since = colleague.heard_at.min(now);
                colleague.go_stale(StaffWord::Dialog, since);
                colleague.go_stale(StaffWord::Presence, since);
            }
            self.tell_staff(&number);
        }
    }

    /// What has to be asked anew once the server is back.
    pub(super) fn stale_staff(&self) -> Vec<SubscriptionKey> {
        let stale = |source: &Source, by: Option<SubscriptionKey>| {
            by.filter(|_| matches!(source, Source::Silent | Source::Stale { .. }))
        };
        let of =
            |one: &Colleague| [stale(&one.dialogs, one.dialog_by), stale(&one.presence, one.presence_by)];
        self.staff.values().flat_map(of).flatten().collect()
    }

    pub(super) fn staff_refused(
        &mut self,
        now: Moment,
        subscription: SubscriptionKey,
        number: &str,
        word: StaffWord,
        status: u16,
        reason: &str,
    ) {
        let Some(colleague) = self.staff.get_mut(number) else { return };
        let words = match status {
            404 => "no hint for this extension on the server (404)".to_owned(),
            status => words::of_status(status, reason),
        };
        *colleague.source(word) = Source::Refused { reason: Text::new(&words) };
        // A server that has no such package needn't be asked for it again and again.
        if matches!(status, 406 | 415 | 489) {
            match word {
                StaffWord::Dialog => colleague.dialog_by = None,
                StaffWord::Presence => colleague.presence_by = None,
            }
            self.ua.unsubscribe(now, subscription);
            self.subscribed.remove(&subscription);
        }
        self.tell_staff(number);
    }

    /// Tells the desk of a colleague, if it is news.
    fn tell_staff(&mut self, number: &str) {
        let Some(colleague) = self.staff.get_mut(number) else { return };
        let says = (colleague.lamp(), colleague.caller());
        if colleague.said.as_ref() != Some(&says) {
            colleague.said = Some(says.clone());
            let (lamp, caller) = says;
            self.say(Event::StaffTold { number: Text::new(number), lamp, caller });
        }
    }
}

impl Colleague {
    fn source(&mut self, word: StaffWord) -> &mut Source {
        match word {
            StaffWord::Dialog => &mut self.dialogs,
            StaffWord::Presence => &mut self.presence,
        }
    }

    fn go_stale(&mut self, word: StaffWord, since: Moment) {
        let source = self.source(word);
        if *source == Source::Told {
            *source = Source::Stale { since };
        }
        if word == StaffWord::Dialog {
            // Whatever comes next may be of another dialog, which counts anew.
            self.watched.version = None;
        }
    }

    fn take_in(&mut self, word: StaffWord, told: Told) -> Result<(), String> {
        match (word, told) {
            (StaffWord::Dialog, told @ Told::Dialogs(_)) => self.watched.take_in(told),
            (StaffWord::Presence, Told::Presence(presence)) => {
                self.take_presence(&presence);
                Ok(())
            }
            // What a slot's lamp would want to know.
            (StaffWord::Dialog, Told::CallPark(_)) => Ok(()),
            _ => Err("a document of another package".into()),
        }
    }

    fn take_presence(&mut self, presence: &Presence) {
        self.open = presence.is_open();
        self.busy = presence.is_busy();
    }

    /// What both packages mean together. Whether he talks the dialogs say best; presence adds whether he is there.
    fn lamp(&self) -> StaffLamp {
        match (&self.dialogs, &self.presence) {
            (Source::Told, presence) => match self.doing() {
                StaffLamp::Free if *presence == Source::Told && self.open == Some(false) && !self.busy => {
                    StaffLamp::Away
                }
                doing => doing,
            },
            (Source::Stale { since }, _) => StaffLamp::Stale { since: *since },
            (Source::Silent, _) => StaffLamp::Unknown,
            (Source::Refused { .. }, Source::Told) => match (self.busy, self.open) {
                (true, _) => StaffLamp::Talking,
                (false, Some(true)) => StaffLamp::Free,
                (false, Some(false)) => StaffLamp::Away,
                (false, None) => StaffLamp::Unknown,
            },
            (Source::Refused { .. }, Source::Stale { since }) => StaffLamp::Stale { since: *since },
            (Source::Refused { .. }, Source::Silent) => StaffLamp::Unknown,
            (Source::Refused { reason }, Source::Refused { .. }) => {
                StaffLamp::Refused { reason: reason.clone() }
            }
        }
    }

    /// By the dialogs alone. Who rings at somebody who talks can be picked up all the same; but the colleague is busy.
    fn doing(&self) -> StaffLamp {
        let confirmed = || self.watched.dialogs.iter().filter(|d| d.state == DialogState::Confirmed);
        if confirmed().next().is_some() {
            let held = confirmed().all(is_held);
            return if held { StaffLamp::Held } else { StaffLamp::Talking };
        }
        let rings = |d: &&DialogElement| is_early(d) && d.direction != Some(Direction::Initiator);
        if self.watched.dialogs.iter().any(|d| rings(&d)) {
            StaffLamp::Ringing
        } else if self.watched.dialogs.iter().any(is_early) {
            StaffLamp::Talking
        } else {
            StaffLamp::Free
        }
    }

    /// Who rings there, if the server names him.
    fn caller(&self) -> Identity {
        let ringing =
            self.watched.dialogs.iter().find(|d| is_early(d) && d.direction != Some(Direction::Initiator));
        ringing.and_then(|d| d.remote.as_ref()).map(identity_of).unwrap_or_default()
    }
}

fn is_early(dialog: &DialogElement) -> bool {
    matches!(dialog.state, DialogState::Trying | DialogState::Proceeding | DialogState::Early)
}

/// RFC 4235 4.1: a target that renders nothing has the call on hold.
fn is_held(dialog: &DialogElement) -> bool {
    let silent = |party: &Party| {
        let mut rendering =
            party.params.iter().filter(|(name, _)| name.eq_ignore_ascii_case("+sip.rendering"));
        rendering.any(|(_, value)| value.eq_ignore_ascii_case("no"))
    };
    dialog.local.as_ref().is_some_and(silent)
}

fn identity_of(party: &Party) -> Identity {
    let user = Uri::parse(&party.uri).and_then(|uri| uri.user).unwrap_or_default();
    Identity::new(party.display.as_deref().unwrap_or_default(), &user)
}
