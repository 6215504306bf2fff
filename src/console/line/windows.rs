//! What the board shows in windows, read out.

use super::LineConsole;
use super::spoken::{count, wait};
use super::typed::EXTRAS;
use crate::console::commands::Deed;
use crate::console::ladder::LadderMessage;
use crate::console::overlay::{Overlay, help_rows, palette_rows};
use crate::console::{accounts, quality};
use crate::desk::{CallRecord, CallWay, Desk, Outcome};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The most calls of the journal that are read out at once.
const CALLS_READ: usize = 10;

impl LineConsole {
    /// What is open, in sentences; `rest` is what stood behind the command.
    pub(super) fn read_out(&mut self, desk: &Desk, deed: Deed, rest: &str) -> Vec<String> {
        match (&mut self.console.overlay, deed) {
            (Some(Overlay::Help { .. }), _) => self.help(rest),
            (Some(Overlay::Palette { .. }), _) => names(rest),
            (Some(Overlay::Accounts { .. }), _) => accounts::read_out(desk),
            (Some(Overlay::Quality), _) => quality::read_out(desk),
            (Some(Overlay::Report { lines, .. }), _) => lines.clone(),
            (Some(Overlay::Journal(_)), _) => self.journal(rest),
            _ => vec!["that is a window of the board: parkdeck without --line shows it".to_owned()],
        }
    }

    /// The open ladder: a line for each message.
    pub(super) fn ladder(&self) -> Vec<String> {
        let Some(Overlay::Ladder(window)) = &self.console.overlay else { return Vec::new() };
        let messages = window.messages();
        let began = messages.first().map(|message| message.at).unwrap_or_default();
        let of = |message: &LadderMessage| {
            let way = if message.ours { "to" } else { "from" };
            let since = message.at.saturating_sub(began).as_secs_f64();
            format!("{since:.3} {way} {}: {}", message.peer, message.summary)
        };
        match messages.is_empty() {
            true => vec!["no message yet".to_owned()],
            false => messages.iter().map(of).collect(),
        }
    }

    fn help(&self, search: &str) -> Vec<String> {
        let rows = help_rows(&self.console.keymap, search);
        let extra = EXTRAS.iter().filter(|(name, _, about)| name.contains(search) || about.contains(search));
        let mut said: Vec<String> = extra.map(|(name, _, about)| format!("{name}: {about}")).collect();
        for row in rows {
            let key = match row.keys.as_str() {
                "" => String::new(),
                keys => format!(", key {}", keys.replace(' ', " or ")),
            };
            let when = if row.when.is_empty() { String::new() } else { format!(". Needs: {}", row.when) };
            said.push(format!("{}{key}: {}{when}", row.name, row.about));
        }
        if said.is_empty() {
            said.push("no command does that".to_owned());
        }
        said
    }

    fn journal(&mut self, search: &str) -> Vec<String> {
        let (now_ms, zone) = self.console.wall();
        let (now_ms, zone) = (now_ms, zone.clone());
        let history = self.console.history();
        let Some(Overlay::Journal(window)) = &mut self.console.overlay else { return Vec::new() };
        window.search_for(&history, search);
        let rows = window.rows();
        let more = rows.len().saturating_sub(CALLS_READ);
        let mut said: Vec<String> =
            rows.iter().take(CALLS_READ).map(|call| of_record(call, now_ms, &zone)).collect();
        match (said.is_empty(), more) {
            (true, _) => said.push("no call is like that".to_owned()),
            (_, 0) => {}
            (_, more) => said
                .push(format!("and {} before: journal and a word finds them", count(more, "call", "calls"))),
        }
        said
    }
}

/// The commands with these words in their names or descriptions.
fn names(search: &str) -> Vec<String> {
    let rows = palette_rows(search);
    match rows.is_empty() {
        true => vec!["no command has these words".to_owned()],
        false => rows.iter().map(|row| format!("{}: {}", row.name, row.about)).collect(),
    }
}

fn of_record(call: &CallRecord, now_ms: u64, zone: &TimeZone) -> String {
    let began = Timestamp::from_millisecond(i64::try_from(call.began_ms).unwrap_or(0));
    let began = began.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone());
    let way = match call.way {
        CallWay::In => "called",
        CallWay::Out => "was called",
        CallWay::Retrieved => "was fetched",
        CallWay::CameBack => "came back",
    };
    let number = match call.party.number.as_str() {
        number if number.is_empty() || number == call.label() => String::new(),
        number => format!(", {number},"),
    };
    let outcome = match call.outcome {
        Outcome::Missed => format!("missed after {}", wait(call.waited_ms(now_ms) / 1_000)),
        Outcome::Transferred => format!("handed over to {}", call.detail),
        outcome => outcome.word().to_owned(),
    };
    let talked = match call.talked_ms(now_ms) / 1_000 {
        0 => String::new(),
        seconds => format!(", talked for {}", wait(seconds)),
    };
    let note = if call.note.is_empty() { String::new() } else { format!(", note: {}", call.note) };
    format!("{} {}{number} {way}: {outcome}{talked}{note}", began.strftime("%H:%M"), call.label())
}
