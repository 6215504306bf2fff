//! What is said to the operator in a sentence: what happened, what became of the caller, what to press.

use super::{Desk, MAX_NOTICES};
use crate::parking::{Moment, Text};
use serde::{Deserialize, Serialize};

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// Good to know.
    Info,
    /// A wish was not granted; nobody suffered.
    Warning,
    /// Somebody has to act.
    Error,
}

/// One sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When.
    pub at: Moment,
    /// How much it matters.
    pub severity: Severity,
    /// The sentence.
    pub text: Text,
}

impl Desk {
    /// Adds a notice; the oldest goes when there are [`MAX_NOTICES`].
    pub(super) fn say(&mut self, severity: Severity, text: &str) {
        let notice = Notice { at: self.now, severity, text: Text::new(text) };
        // The same complaint again (a server that refuses every minute) renews the old one.
        if self.notices.back().is_some_and(|n| n.text == notice.text) {
            self.notices.pop_back();
        }
        if self.notices.len() >= MAX_NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    /// What the notices say that begin so is mended: they are remembered, and no longer called for.
    pub(super) fn mend(&mut self, beginning: &str) {
        for notice in self.notices.iter_mut().filter(|n| n.text.as_str().starts_with(beginning)) {
            notice.severity = Severity::Info;
        }
    }

    /// The notice to show now: the newest, while it is young enough for its weight.
    pub fn current_notice(&self) -> Option<&Notice> {
        self.notices.iter().rev().find(|n| {
            let shown_s = match n.severity {
                Severity::Info => 8,
                Severity::Warning => 20,
                Severity::Error => 60,
            };
            self.now.saturating_sub(n.at).as_secs() < shown_s
        })
    }
}
