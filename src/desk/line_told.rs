//! What is said of a line: whether it is registered, how its server is reached, and that it has fallen silent.

use super::line::LineId;
use super::{Desk, Effect, Registration, Severity};
use crate::parking::{Moment, Text};

/// How the notice begins that a server has fallen silent.
const SILENT: &str = "the server doesn't answer";

impl Desk {
    pub(super) fn registered(&mut self, line: LineId) -> Vec<Effect> {
        let of = self.of_line(line);
        let Some(there) = self.line_mut(line) else { return Vec::new() };
        let before = std::mem::replace(&mut there.account.registration, Registration::Registered);
        if let Registration::Failed { reason, .. } = before {
            let mended = self.words_unregistered(line, &reason);
            self.mend(&mended);
            self.say(Severity::Info, &format!("{of}registered again"));
        }
        Vec::new()
    }

    pub(super) fn way_told(&mut self, line: LineId, way: super::Way, until: Option<Moment>) -> Vec<Effect> {
        if let Some(there) = self.line_mut(line) {
            there.account.way = way;
            there.account.registered_until = until;
        }
        Vec::new()
    }

    pub(super) fn registration_failed(
        &mut self,
        line: LineId,
        reason: Text,
        retry_at: Option<Moment>,
    ) -> Vec<Effect> {
        let now = self.now;
        let text = self.words_unregistered(line, &reason);
        self.say(Severity::Error, &text);
        if let Some(there) = self.line_mut(line) {
            there.account.last_trouble = Some((reason.clone(), now));
            there.account.registration = Registration::Failed { reason, retry_at };
            there.account.registered_until = None;
        }
        Vec::new()
    }

    fn words_unregistered(&self, line: LineId, reason: &Text) -> String {
        let of = self.of_line(line);
        let calls = if self.lines.len() > 1 { "no calls arrive there" } else { "no calls arrive" };
        format!("{of}not registered: {reason} · {calls} until this is mended")
    }

    pub(super) fn reached(&mut self, line: LineId, round_trip_ms: Option<u32>) -> Vec<Effect> {
        let (now, of) = (self.now, self.of_line(line));
        let Some(there) = self.line_mut(line) else { return Vec::new() };
        match (std::mem::replace(&mut there.account.round_trip_ms, round_trip_ms), round_trip_ms) {
            (Some(_), None) => {
                there.account.last_trouble = Some((Text::new("the server didn't answer"), now));
                let fate = self.fate_of_calls(line);
                self.say(Severity::Error, &format!("{of}{SILENT}: {fate}, lamps can't be trusted"));
            }
            // The first answer of all is what everybody expects: nothing to say, and no greeting to push aside.
            (None, Some(_)) if self.notices.iter().any(|n| n.severity == Severity::Error) => {
                self.mend(&format!("{of}{SILENT}"));
                self.say(Severity::Info, &format!("{of}the server answers"));
            }
            _ => {}
        }
        Vec::new()
    }

    /// What becomes of the calls of a line whose server has fallen silent.
    fn fate_of_calls(&self, line: LineId) -> String {
        if self.lines.len() < 2 {
            return "calls with you go on".to_owned();
        }
        match self.calls.iter().filter(|c| c.line == line).count() {
            0 => "no call is on it".to_owned(),
            1 => "its call with you goes on".to_owned(),
            calls => format!("its {calls} calls with you go on"),
        }
    }
}
