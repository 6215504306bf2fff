//! What consoles tell each other: who fetches whom, and who was parked where. Said when the desk's own state changes,
//! so that no path forgets it; what a colleague says is judged in [`super::hearsay`].

use super::line::{LineId, SlotKey};
use super::{CallId, Desk, Effect, Phase, Registration};
use crate::parking::{Identity, Moment, SlotId, Text};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most calls that are told to a colleague who has just started.
pub const MAX_TOLD_AT_ONCE: usize = 32;

/// How often one colleague is told everything, and within which time: his console may start anew, or be made to seem so.
const MAX_ANSWERS: usize = 4;
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// A parked call as one console describes it to another. Either part of the name may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldCall {
    /// Who is parked.
    pub parkee: Identity,
    /// Who parked him, as a name.
    pub parker: Text,
    /// The note.
    pub note: Text,
    /// For how many seconds he has been parked.
    pub waited_s: u32,
}

/// What became of a slot's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TeamDeed {
    /// Somebody is parked there.
    Parked,
    /// His note is another one now.
    Noted,
    /// The teller's console is fetching him.
    Claimed,
    /// It no longer is, and has not got him.
    Released,
    /// It has got him.
    Retrieved,
    /// What was told of this slot was wrong.
    Withdrawn,
}

/// What one console tells the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TeamNews {
    /// "I have just started: who is where?"
    Hello,
    /// Of one slot, with everything that is known of its call: the last word says all.
    About {
        /// The slot.
        slot: SlotId,
        /// What happened.
        deed: TeamDeed,
        /// To whom.
        call: ToldCall,
    },
}

/// What was told to the team, so that only what is new is told again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Team {
    /// Lines whose colleagues know that we are here.
    greeted: Vec<LineId>,
    /// Slots whose caller is being fetched, and by which call.
    claims: Vec<(CallId, SlotKey, ToldCall)>,
    /// What the others know of parked calls: who and which note.
    pub(super) known: Vec<(SlotKey, Identity, Text)>,
    /// Slots whose note we have just written.
    written: Vec<SlotKey>,
    /// What was told of slots whose lamp has not lit yet.
    pub(super) pending: Vec<super::hearsay::Pending>,
    /// Which colleagues were told everything lately, and when.
    greeters: Vec<(LineId, Text, Moment)>,
    /// What was done about a colleague's wish to be told; sent with the next words.
    pub(super) answers: Vec<Effect>,
}

impl Desk {
    /// The colleagues at the server of a line, by their extensions.
    pub fn team_of(&self, line: LineId) -> &[Identity] {
        self.line(line).map_or(&[], |line| line.team.as_slice())
    }

    /// What the team has to be told now, because it differs from what it was told last.
    pub(super) fn tell_team(&mut self) -> Vec<Effect> {
        if self.lines.iter().all(|line| line.team.is_empty()) {
            return Vec::new();
        }
        let mut effects = std::mem::take(&mut self.team.answers);
        self.greet(&mut effects);
        self.tell_claims(&mut effects);
        self.tell_parks(&mut effects);
        effects
    }

    /// Once registered, or registered again, the others are asked what they know.
    fn greet(&mut self, effects: &mut Vec<Effect>) {
        for (line, there) in (0u8..).map(LineId).zip(&self.lines) {
            let registered = there.account.registration == Registration::Registered;
            let greeted = self.team.greeted.contains(&line);
            match (registered && !there.team.is_empty(), greeted) {
                (true, false) => {
                    self.team.greeted.push(line);
                    effects.push(Effect::TellTeam { line, to: None, news: TeamNews::Hello });
                }
                (false, true) => self.team.greeted.retain(|l| *l != line),
                _ => {}
            }
        }
    }

    /// The key was pressed: everybody should know at once, before the server's answer.
    fn tell_claims(&mut self, effects: &mut Vec<Effect>) {
        let mut fetching: Vec<(CallId, SlotKey)> = Vec::new();
        for call in &self.calls {
            let (Phase::Retrieving { target } | Phase::Verifying { target, .. }) = &call.phase else {
                continue;
            };
            if !self.team_of(call.line).is_empty() {
                fetching.push((call.id, call.slot_key(&target.slot)));
            }
        }
        let over = |(call, slot, _): &(CallId, SlotKey, ToldCall)| {
            !fetching.iter().any(|(c, s)| c == call && s == slot)
        };
        let ended: Vec<_> = self.team.claims.extract_if(.., |claim| over(claim)).collect();
        for (call, slot, told) in ended {
            let got = self.call(call).is_some_and(|c| c.strength.is_some());
            let deed = if got { TeamDeed::Retrieved } else { TeamDeed::Released };
            effects.push(about(&slot, deed, told));
        }
        for (call, slot) in fetching {
            if !self.team.claims.iter().any(|(c, ..)| *c == call) {
                let told = self.told_call(&slot);
                self.team.claims.push((call, slot.clone(), told.clone()));
                effects.push(about(&slot, TeamDeed::Claimed, told));
            }
        }
    }

    /// Who was parked by us where the server's lamps name nobody, and what was written on anybody.
    fn tell_parks(&mut self, effects: &mut Vec<Effect>) {
        let free = |slot: &SlotKey, desk: &Self| desk.slot(slot).is_none_or(|s| s.parked.is_none());
        let gone: Vec<SlotKey> =
            self.team.known.iter().map(|(slot, ..)| slot.clone()).filter(|slot| free(slot, self)).collect();
        self.team.known.retain(|(slot, ..)| !gone.contains(slot));
        let mut news = Vec::new();
        for slot in self.slots.iter().filter(|slot| slot.holds_somebody()) {
            let silent = self.team_of(slot.line).is_empty() || self.abilities(slot.line).lamps_name_callers;
            let Some(parked) = slot.parked.as_ref().filter(|_| !silent) else { continue };
            let key = slot.key();
            let before = self.team.known.iter().find(|(known, ..)| *known == key);
            let deed = match before {
                Some((_, who, note)) if *who == parked.parkee && *note == parked.note => continue,
                Some(_) if parked.parkee.is_withheld() && parked.note.is_empty() => TeamDeed::Withdrawn,
                Some((_, who, _)) if *who == parked.parkee => TeamDeed::Noted,
                _ if parked.ours => TeamDeed::Parked,
                // Written by us on somebody else's caller.
                None if self.team.written.contains(&key) => TeamDeed::Noted,
                _ => continue,
            };
            news.push((key, deed, parked.parkee.clone(), parked.note.clone()));
        }
        self.team.written.clear();
        for (slot, deed, who, note) in news {
            effects.push(about(&slot, deed, self.told_call(&slot)));
            self.now_known(&slot, who, note);
        }
    }

    /// A note was written here.
    pub(super) fn team_hears_of_note(&mut self, slot: &SlotKey) {
        self.team.written.push(slot.clone());
    }

    /// The others know this of a slot, and need not be told it by us.
    pub(super) fn now_known(&mut self, slot: &SlotKey, who: Identity, note: Text) {
        self.team.known.retain(|(known, ..)| known != slot);
        if self.team.known.len() < super::MAX_SLOTS {
            self.team.known.push((slot.clone(), who, note));
        }
    }

    /// A parked call in the words of one console to another.
    pub(super) fn told_call(&self, slot: &SlotKey) -> ToldCall {
        let Some(parked) = self.slot(slot).and_then(|s| s.parked.as_ref()) else {
            return ToldCall::default();
        };
        let waited = self.now.saturating_sub(parked.since).as_secs();
        ToldCall {
            // A withheld number's mark means something to this program only, and is nobody's business.
            parkee: Identity { mark: None, ..parked.parkee.clone() },
            // "you" on our board; the others know us by what the server says of us.
            parker: if parked.ours || parked.parker.is_withheld() {
                Text::default()
            } else {
                Text::new(parked.parker.label())
            },
            note: parked.note.clone(),
            waited_s: u32::try_from(waited).unwrap_or(u32::MAX),
        }
    }

    /// Everything that a colleague who has just started could not know.
    pub(super) fn answer_hello(&mut self, line: LineId, from: &Identity) {
        let now = self.now;
        self.team.greeters.retain(|(.., at)| now.saturating_sub(*at) < ANSWERS_WITHIN);
        let of_him = |(on, number, _): &(LineId, Text, Moment)| *on == line && *number == from.number;
        if self.team.greeters.iter().filter(|greeter| of_him(greeter)).count() >= MAX_ANSWERS {
            return;
        }
        self.team.greeters.push((line, from.number.clone(), now));
        let worth_telling = |slot: &&super::Slot| {
            slot.line == line
                && slot.holds_somebody()
                && slot.parked.as_ref().is_some_and(|p| p.parkee.is_comparable() || !p.note.is_empty())
        };
        let claimed = self.team.claims.iter().filter(|(_, slot, _)| slot.line == line);
        let claimed = claimed.map(|(_, slot, told)| (slot.clone(), TeamDeed::Claimed, told.clone()));
        let parked: Vec<SlotKey> = match self.abilities(line).lamps_name_callers {
            true => Vec::new(),
            false => self.slots.iter().filter(worth_telling).map(super::Slot::key).collect(),
        };
        let parked = parked.into_iter().map(|slot| {
            let told = self.told_call(&slot);
            (slot, TeamDeed::Parked, told)
        });
        let to = Some(from.number.clone());
        let answers = parked.chain(claimed).take(MAX_TOLD_AT_ONCE).map(|(slot, deed, call)| {
            let news = TeamNews::About { slot: slot.id, deed, call };
            Effect::TellTeam { line, to: to.clone(), news }
        });
        let answers: Vec<Effect> = answers.collect();
        self.team.answers.extend(answers);
    }
}

fn about(slot: &SlotKey, deed: TeamDeed, call: ToldCall) -> Effect {
    let news = TeamNews::About { slot: slot.id.clone(), deed, call };
    Effect::TellTeam { line: slot.line, to: None, news }
}
