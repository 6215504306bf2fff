//! What is wrong with a configuration file, and where: line, column, the line itself with a caret, the meaning in
//! words and the likely remedy. A secret in the excerpt is masked before it gets here.

use super::mask;
use std::cell::OnceCell;
use std::fmt;
use std::ops::Range;

/// The most problems that are told at once; more are seen when these are mended.
pub const MAX_PROBLEMS: usize = 20;
/// The most characters of a line that are shown.
const MAX_EXCERPT: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line, without control characters and with secrets masked; cut when it is long.
    pub excerpt: String,
    /// Where in `excerpt` the caret stands, in characters from 0.
    pub caret: usize,
    /// How many characters the caret underlines, at least 1.
    pub caret_width: usize,
    /// What is wrong, in words.
    pub meaning: String,
    /// What was probably meant.
    pub did_you_mean: Option<String>,
}

/// Everything that is wrong with one file, in the order of its lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file, as the user would name it.
    pub file: String,
    /// At least one, at most [`MAX_PROBLEMS`].
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// Points at values that a check beyond the types found wrong, by their path of keys and indices
    /// (`users.2.name`). A path that isn't in the file points at the nearest part of it that is.
    pub fn at_paths<'p>(
        text: &str,
        file_name: &str,
        found: impl IntoIterator<Item = (&'p str, String)>,
    ) -> Option<Self> {
        let source = Source::new(text, file_name);
        let root = toml::de::DeTable::parse(text).ok();
        let problems = found.into_iter().take(MAX_PROBLEMS).map(|(path, meaning)| {
            let keys: Vec<&str> = path.split('.').filter(|k| !k.is_empty()).collect();
            let span = root.as_ref().and_then(|root| super::strict::span_of(root.get_ref(), &keys));
            source.problem(span.unwrap_or(0..0), meaning, None)
        });
        Self::of(file_name, problems.collect())
    }

    /// `None` when there is no problem.
    pub(super) fn of(file_name: &str, mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort_by_key(|p| (p.line, p.column));
        problems.dedup();
        problems.truncate(MAX_PROBLEMS);
        (!problems.is_empty()).then(|| Self { file: file_name.to_owned(), problems })
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            let Problem { line, column, excerpt, caret, caret_width, meaning, did_you_mean } = problem;
            let gutter = line.to_string().len();
            writeln!(f, "{}:{line}:{column}: {meaning}", self.file)?;
            writeln!(f, " {line} | {excerpt}")?;
            write!(f, " {:gutter$} | {:caret$}{:^<caret_width$}", "", "", "")?;
            if let Some(remedy) = did_you_mean {
                write!(f, "\n {:gutter$} = did you mean {remedy}?", "")?;
            }
        }
        Ok(())
    }
}

/// A file's text, to find lines and columns in.
pub(super) struct Source<'t> {
    text: &'t str,
    /// Where its secrets are, sought when the first problem is shown.
    hidden: OnceCell<Vec<Range<usize>>>,
    /// The file's name for messages.
    pub file: &'t str,
}

impl<'t> Source<'t> {
    pub fn new(text: &'t str, file: &'t str) -> Self {
        Self { text, hidden: OnceCell::new(), file }
    }

    /// The whole text.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The bytes of the line that the byte `at` is in, its end included.
    pub fn line_around(&self, at: usize) -> Range<usize> {
        let at = boundary(self.text, at);
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        start..self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline) + 1
    }

    /// Key and value of the assignment whose value the byte `at` is in, for what is broken beyond a tree.
    pub fn assignment(&self, at: usize) -> Option<(&'t str, &'t str)> {
        let start = self.line_around(at).start;
        let (key, value) = self.text[start..].lines().next()?.split_once('=')?;
        let value = value.split('#').next().unwrap_or("").trim();
        (start + key.len() < at).then(|| (key.trim().trim_matches(['"', '\'']), value))
    }

    /// The text at `span`, empty when the span doesn't fit.
    pub fn slice(&self, span: Range<usize>) -> &'t str {
        self.text.get(span).unwrap_or("")
    }

    /// Like [`Source::problem`], for a value that may be a secret in the wrong place: only its key is shown.
    pub fn hidden(&self, span: Range<usize>, meaning: &str) -> Problem {
        let mut problem = self.problem(span, meaning.to_owned(), None);
        problem.excerpt = problem.excerpt.chars().take(problem.caret).chain(['…']).collect();
        problem.caret_width = 1;
        problem
    }

    /// Makes a problem that points at `span` (byte offsets).
    pub fn problem(&self, span: Range<usize>, meaning: String, did_you_mean: Option<String>) -> Problem {
        let start = boundary(self.text, span.start);
        let Range { start: line_start, end: line_end } = self.line_around(start);
        let line_end = line_end - 1;
        let line = self.text[..line_start].matches('\n').count() + 1;
        let column = self.text[line_start..start].chars().count() + 1;
        let end = boundary(self.text, span.end).clamp(start, line_end);
        let hidden = self.hidden.get_or_init(|| mask::secrets(self.text));
        let shown = excerpt(self.text, hidden, line_start..line_end, start..end);
        let (excerpt, caret, caret_width) = shown;
        Problem { line, column, excerpt, caret, caret_width, meaning, did_you_mean }
    }
}

/// The nearest character boundary at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The line as shown, with the caret's place and width in it.
fn excerpt(
    text: &str,
    hidden: &[Range<usize>],
    line: Range<usize>,
    mark: Range<usize>,
) -> (String, usize, usize) {
    let on_line = |h: &&Range<usize>| h.start < line.end && line.start < h.end;
    let hidden: Vec<&Range<usize>> = hidden.iter().filter(on_line).collect();
    let (mut shown, mut caret, mut width) = (Vec::new(), 0, 0);
    for (offset, c) in text[line.clone()].char_indices() {
        let at = line.start + offset;
        let mask = hidden.iter().find(|h| h.contains(&at));
        if mask.is_some_and(|h| at != h.start.max(line.start)) {
            continue;
        }
        if at < mark.start {
            caret = shown.len() + 1;
        } else if at < mark.end {
            width = shown.len() + 1 - caret;
        }
        shown.push(if mask.is_some() { '…' } else { plain(c) });
    }
    let start = caret.saturating_sub(MAX_EXCERPT / 2);
    let cut: String = shown.iter().skip(start).take(MAX_EXCERPT).collect();
    let caret = caret - start;
    let width = width.clamp(1, cut.chars().count().saturating_sub(caret).max(1));
    (cut.trim_end().to_owned(), caret, width)
}

/// A character that neither steers the terminal nor hides or reorders others; else a blank or a question mark.
fn plain(c: char) -> char {
    match c {
        c if c.is_control() => ' ',
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => '?',
        '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}' => '?',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_with_its_line_and_a_caret() {
        let text = "[account]\nservr = \"pbx\"\n";
        let problem =
            Source::new(text, "c.toml").problem(10..15, "no such key".into(), Some("“server”".into()));
        let error = ConfigError::of("c.toml", vec![problem]).unwrap();
        let shown = "c.toml:2:1: no such key\n 2 | servr = \"pbx\"\n   | ^^^^^\n   = did you mean “server”?";
        assert_eq!(error.to_string(), shown);
    }

    #[test]
    fn the_column_counts_characters_and_the_end_of_the_file_can_be_pointed_at() {
        let text = "näme = 1\nx";
        let source = Source::new(text, "c");
        let problem = source.problem(6..7, String::new(), None);
        assert_eq!((problem.line, problem.column, problem.caret), (1, 6, 5));
        let end = source.problem(999..1000, String::new(), None);
        assert_eq!((end.line, end.column, end.caret, end.caret_width), (2, 2, 1, 1));
        let inside = source.problem(2..3, String::new(), None);
        assert_eq!(inside.column, 2, "an offset inside a character counts as its start");
    }

    #[test]
    fn a_secret_on_the_line_is_never_shown() {
        let text = "users = [{ name = \"sam\", secret = \"hunter2\", colour = 3 }]";
        let at = text.find("colour").unwrap();
        let problem = Source::new(text, "c").problem(at..at + 6, String::new(), None);
        assert_eq!(problem.excerpt, "users = [{ name = \"sam\", secret = …, colour = 3 }]");
        let caret: String = problem.excerpt.chars().skip(problem.caret).take(problem.caret_width).collect();
        assert_eq!(caret, "colour");
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("{}here{}", "x".repeat(5_000), "y".repeat(5_000));
        let problem = Source::new(&text, "c").problem(5_000..5_004, String::new(), None);
        assert_eq!(problem.column, 5_001);
        assert!(problem.excerpt.chars().count() <= MAX_EXCERPT);
        let caret: String = problem.excerpt.chars().skip(problem.caret).take(problem.caret_width).collect();
        assert_eq!(caret, "here");
    }

    #[test]
    fn an_excerpt_carries_no_escape_sequence() {
        let problem = Source::new("a\u{1b}[2J\u{202e}b", "c").problem(0..1, String::new(), None);
        assert_eq!(problem.excerpt, "a [2J?b");
    }
}
