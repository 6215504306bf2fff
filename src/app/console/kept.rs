//! What outlives the console: who is parked, and what the threads that write it down had to say.

use super::Carrier;
use crate::desk::{LineId, Severity};
use crate::journal::{JournalReport, Memory, Report};

impl Carrier {
    /// Keeps who is parked.
    pub(super) fn save(&mut self) {
        if let Some(memory) = &mut self.memory {
            let desk = self.engine.desk();
            let parked: Vec<_> = desk.numbered_lines().map(|(line, _)| desk.memory(line)).collect();
            memory.save(&parked);
        }
    }

    /// What the journal's thread had to say.
    pub(super) fn take_journal_reports(&mut self) {
        let now = self.clock.now();
        while let Some(report) = self.records.poll_report() {
            match report {
                JournalReport::Failed(line) => self.engine.tell(now, Severity::Warning, &line),
                JournalReport::Resumed => {
                    self.engine.tell(now, Severity::Info, "the journal is written again")
                }
            }
        }
        while let Some(report) = self.memory.as_ref().and_then(Memory::poll_report) {
            match report {
                Report::Failed(line) => self.engine.tell(now, Severity::Warning, &line),
                Report::Resumed => self.engine.tell(now, Severity::Info, "parked calls are remembered again"),
            }
        }
    }

    /// What was kept when we ended.
    pub(super) fn recall(&mut self) {
        let Some(memory) = &mut self.memory else { return };
        match memory.recall() {
            Ok(accounts) => {
                for (line, parked) in (0u8..).map(LineId).zip(accounts) {
                    self.engine.remember(line, parked);
                }
            }
            Err(warning) => {
                self.engine.tell(self.clock.now(), Severity::Warning, &warning.to_string());
            }
        }
    }
}
