//! What an examination found, and how it is told: one line each, with what is to be mended beneath it.

use serde::Serialize;
use std::fmt::Write as _;

/// How an examination ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and could be better or safer.
    Doubtful,
    /// It doesn't work.
    Bad,
    /// It was not examined.
    Skipped,
}

impl Verdict {
    fn mark(self) -> char {
        match self {
            Self::Good => '✓',
            Self::Doubtful => '!',
            Self::Bad => '✗',
            Self::Skipped => '·',
        }
    }

    /// The same for whoever can't tell the marks apart, or reads them aloud.
    fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Doubtful => "warning",
            Self::Bad => "FAILED",
            Self::Skipped => "skipped",
        }
    }

    /// SGR parameters.
    fn colour(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Doubtful => "33",
            Self::Bad => "31;1",
            Self::Skipped => "2",
        }
    }
}

/// One examination's outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was examined.
    pub examination: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What is misconfigured in the server's own words, and how to mend it.
    pub advice: Vec<String>,
    /// The lot that it is about, where the account has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
}

impl Finding {
    /// A finding without advice.
    pub fn new(examination: &'static str, verdict: Verdict, seen: impl Into<String>) -> Self {
        Self { examination, verdict, seen: seen.into(), advice: Vec::new(), lot: None }
    }

    /// The same with advice.
    pub fn advise(mut self, advice: impl IntoIterator<Item = String>) -> Self {
        self.advice.extend(advice);
        self
    }

    /// For a terminal or a pipe: a line, and one more for each piece of advice.
    pub fn text(&self, colour: bool) -> String {
        let verdict = format!("{} {:<8}", self.verdict.mark(), self.verdict.word());
        let verdict = match colour {
            true => format!("\u{1b}[{}m{verdict}\u{1b}[0m", self.verdict.colour()),
            false => verdict,
        };
        let mut text = format!("{verdict} {:<14} {}\n", self.examination, self.seen);
        for advice in &self.advice {
            let _ = writeln!(text, "{:26}→ {advice}", "");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_told_by_mark_and_word_and_its_advice_stands_beneath() {
        let finding = Finding::new("hold", Verdict::Bad, "refused").advise(["mend it".to_owned()]);
        assert_eq!(
            finding.text(false),
            "✗ FAILED   hold           refused\n                          → mend it\n"
        );
        assert!(finding.text(true).starts_with("\u{1b}[31;1m✗ FAILED  \u{1b}[0m hold"));
    }
}
