//! Lines: one account each, with its server's lots and what that server can do; and which of them a new call goes out by.

use super::lot::{LotId, LotKey, MAX_LOTS, NewLot, ParkingLot};
use super::{Abilities, Colleague, Desk, MAX_STAFF, Messages, Severity, Slot, StaffLamp};
use crate::parking::{Identity, Moment, SlotId, Text};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most lines of one desk.
pub const MAX_LINES: usize = 8;

/// Which line: the accounts in the order of the configuration, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LineId(pub u8);

impl LineId {
    /// As an index into [`Desk::lines`].
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// Which slot: two servers may have the same numbers. Shown as the number alone; [`Desk::place`] says whose it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SlotKey {
    /// Whose lot it is in.
    pub line: LineId,
    /// Its extension there.
    pub id: SlotId,
}

impl fmt::Display for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

/// How the account stands with its server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Registration {
    /// The first REGISTER is under way.
    #[default]
    Trying,
    /// Registered.
    Registered,
    /// Refused or unanswered; it is tried again by itself.
    Failed {
        /// What the server said, or what did not happen.
        reason: Text,
        /// When it is tried again.
        retry_at: Option<Moment>,
    },
}

/// What protects the signalling on its way to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protection {
    /// Nothing: UDP or TCP.
    #[default]
    None,
    /// TLS to a server that proved who it is.
    Verified,
    /// TLS to whoever answered: the configuration asks for no proof.
    Unverified,
}

/// How the server is reached at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// `UDP`, `TCP` or `TLS`.
    pub transport: Text,
    /// Address and port; empty while they aren't known.
    pub server: Text,
    /// What protects it.
    pub protection: Protection,
}

/// How we stand with the server's manager interface, which tells who is parked by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ManagerInterface {
    /// None is configured, or nothing is known of it yet.
    #[default]
    Unused,
    /// It tells.
    Connected,
    /// It doesn't; it is tried again by itself.
    Lost {
        /// Why.
        reason: Text,
        /// When it is tried again.
        retry_at: Moment,
    },
}

/// One account as shown in the top line and told in full by its window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What the board calls it; empty where there is only one and nobody named it.
    pub name: Text,
    /// `user@server`.
    pub label: Text,
    /// How it stands.
    pub registration: Registration,
    /// Until when the registration holds, unless it is renewed before.
    pub registered_until: Option<Moment>,
    /// Round trip of the last answered probe in ms; `None` while the server doesn't answer.
    pub round_trip_ms: Option<u32>,
    /// The messages in its mailbox; `None` where there is none, or nothing is known of it.
    #[serde(default)]
    pub messages: Option<Messages>,
    /// How the server is reached.
    pub way: Way,
    /// Whether the server itself tells who is parked.
    #[serde(default)]
    pub manager: ManagerInterface,
    /// What went wrong last, and when.
    pub last_trouble: Option<(Text, Moment)>,
}

impl Account {
    /// Its name, else its address.
    pub fn called(&self) -> &str {
        if self.name.is_empty() { self.label.as_str() } else { self.name.as_str() }
    }

    /// Whether a call that goes out by it is likely to arrive.
    pub fn is_reachable(&self) -> bool {
        self.registration == Registration::Registered && self.round_trip_ms.is_some()
    }
}

/// One line of the desk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The account.
    pub account: Account,
    /// The lots of its server: at least one, at most [`MAX_LOTS`].
    pub lots: Vec<ParkingLot>,
    /// The one that the park key parks in.
    #[serde(default)]
    pub chosen_lot: LotId,
    /// What calls its mailbox; empty where it has none.
    #[serde(default)]
    pub voicemail: Text,
    /// The colleagues at its server whose consoles are told things, and believed some.
    #[serde(default)]
    pub team: Vec<Identity>,
    /// What is dialled before a colleague's extension to pick up what rings there; empty where nothing is.
    #[serde(default)]
    pub pickup_prefix: Text,
    /// Whose calls answer themselves when they ask to be.
    #[serde(default)]
    pub answers_for: Vec<Text>,
}

/// What a line is made of.
#[derive(Clone, Debug, Default)]
pub struct NewLine {
    /// What the board calls it; may be empty where there is only one.
    pub name: String,
    /// `user@server`.
    pub label: String,
    /// The lots of its server.
    pub lots: Vec<NewLot>,
    /// What calls its mailbox, if it has one.
    pub voicemail: Option<String>,
    /// The colleagues' extensions, with their names where those are known.
    pub team: Vec<Identity>,
    /// The colleagues whose phones are watched, with their names where those are known.
    pub staff: Vec<Identity>,
    /// What is dialled before a colleague's extension to pick up what rings there; may be empty.
    pub pickup_prefix: String,
    /// Whose calls answer themselves when they ask to be.
    pub answers_for: Vec<String>,
}

impl Desk {
    /// A desk with these lines, all lamps unknown. At most [`MAX_LINES`], and [`super::MAX_SLOTS`] slots in all.
    pub fn with_lines(lines: impl IntoIterator<Item = NewLine>) -> Self {
        let mut desk = Self { next_call: 1, ..Self::default() };
        for (line, new) in (0u8..).map(LineId).zip(lines.into_iter().take(MAX_LINES)) {
            let account =
                Account { name: Text::new(&new.name), label: Text::new(&new.label), ..Account::default() };
            let voicemail = Text::new(new.voicemail.as_deref().unwrap_or_default());
            let answers_for = new.answers_for.iter().map(|user| Text::new(user)).collect();
            let lots = || (0u8..).map(LotId).zip(&new.lots).take(MAX_LOTS);
            desk.lines.push(Line {
                account,
                lots: lots().map(|(_, lot)| ParkingLot::from(lot)).collect(),
                chosen_lot: LotId::default(),
                voicemail,
                team: new.team,
                pickup_prefix: Text::new(&new.pickup_prefix),
                answers_for,
            });
            let unheard = |who| Colleague {
                line,
                who,
                lamp: StaffLamp::Unknown,
                since: Moment::ZERO,
                caller: Identity::default(),
            };
            let room = MAX_STAFF.saturating_sub(desk.staff.len());
            desk.staff.extend(new.staff.into_iter().take(room).map(unheard));
            for (lot, new) in lots() {
                let room = super::MAX_SLOTS.saturating_sub(desk.slots.len());
                let slot = |id: &SlotId| Slot::new(SlotKey { line, id: id.clone() }, lot);
                desk.slots.extend(new.slots.iter().take(room).map(slot));
            }
        }
        desk
    }

    /// The line with this number.
    pub fn line(&self, id: LineId) -> Option<&Line> {
        self.lines.get(id.index())
    }

    pub(super) fn line_mut(&mut self, id: LineId) -> Option<&mut Line> {
        self.lines.get_mut(id.index())
    }

    /// All lines with their numbers.
    pub fn numbered_lines(&self) -> impl Iterator<Item = (LineId, &Line)> {
        (0u8..).map(LineId).zip(&self.lines)
    }

    /// What the server of a line can do, as in its first lot: what is the same in all of them. What isn't
    /// ([`Abilities::directed_park`], [`Abilities::parking_time_s`]) see [`Desk::abilities_at`]. Nothing, where there is no
    /// such line.
    pub fn abilities(&self, line: LineId) -> Abilities {
        let nothing = || Abilities { park: false, ..Abilities::default() };
        self.lot(LotKey { line, lot: LotId::default() }).map_or_else(nothing, |lot| lot.abilities.clone())
    }

    /// The slots of a line, those of all its lots.
    pub fn slots_of(&self, line: LineId) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(move |slot| slot.line == line)
    }

    /// A slot's number, with its lot's name where another lot has the same number.
    pub fn place(&self, key: &SlotKey) -> String {
        let elsewhere = self.slots.iter().any(|slot| slot.id == key.id && slot.line != key.line);
        match self.lot_of(key).filter(|_| elsewhere) {
            Some(lot) => format!("{} {}", key.id, lot.name),
            None => key.id.to_string(),
        }
    }

    /// Of which line something is, at the head of a sentence; empty where there is only one.
    pub(super) fn of_line(&self, line: LineId) -> String {
        match self.line(line) {
            Some(line) if self.lines.len() > 1 => format!("{}: ", line.account.called()),
            _ => String::new(),
        }
    }

    /// The line that a new call goes out by: the operator's choice, else the first that is reachable, else the first.
    pub fn line_out(&self) -> LineId {
        let chosen = self.chosen_line.filter(|line| self.line(*line).is_some());
        let reachable = || self.numbered_lines().find(|(_, line)| line.account.is_reachable());
        chosen.or_else(|| reachable().map(|(id, _)| id)).unwrap_or_default()
    }

    /// The line whose mailbox a voicemail key means: one with new messages, else the one that new calls go out by, else
    /// any that has one.
    pub fn mailbox_line(&self) -> Option<LineId> {
        let has = |line: &Line| !line.voicemail.is_empty();
        let told = |line: &Line| line.account.messages.is_some_and(|messages| messages.has_news());
        let any = self.numbered_lines().find(|(_, line)| has(line)).map(|(id, _)| id);
        let with_news = self.numbered_lines().find(|(_, line)| has(line) && told(line)).map(|(id, _)| id);
        let out = Some(self.line_out()).filter(|out| self.line(*out).is_some_and(has));
        with_news.or(out).or(any)
    }

    /// Registers a line again, as the operator wishes.
    pub(super) fn register(&mut self, id: LineId) -> Vec<super::Effect> {
        let Some(line) = self.line(id) else { return Vec::new() };
        let text = format!("{} registers again", line.account.called());
        self.say(Severity::Info, &text);
        vec![super::Effect::Register { line: id }]
    }

    /// Puts another line in hand: this one, or the next in the row.
    pub(super) fn choose_line(&mut self, line: Option<LineId>) -> Vec<super::Effect> {
        if self.lines.len() < 2 {
            return self.nothing("there is only one account");
        }
        let count = u8::try_from(self.lines.len()).unwrap_or(u8::MAX);
        let next = LineId((self.line_out().0 + 1) % count);
        let line = line.filter(|line| self.line(*line).is_some()).unwrap_or(next);
        self.chosen_line = Some(line);
        let Some(account) = self.line(line).map(|l| &l.account) else { return Vec::new() };
        let (called, reachable) = (account.called().to_owned(), account.is_reachable());
        let (severity, but) = match reachable {
            true => (Severity::Info, ""),
            false => (Severity::Warning, ", which isn't reachable now"),
        };
        self.say(severity, &format!("new calls go out by {called}{but}"));
        Vec::new()
    }
}
