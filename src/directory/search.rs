//! The search as somebody types: words in any order by their beginnings, digits anywhere in a number, and, where that
//! finds too little, names with letters left out or mistyped.

use super::book::Directory;
use super::fold::fold;
use super::number::NumberKey;
use super::person::Person;
use frizbee::{CaseMatching, Config, Matcher, Pattern, PatternConfig};
use std::ops::Range;

/// The most words of a search that count.
const MAX_WORDS: usize = 6;
/// The longest word of a search, in bytes.
const MAX_WORD: usize = 48;
/// The fewest digits that are looked for in the middle of a number.
const DIGITS_ANYWHERE: usize = 3;

/// Who was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// See [`Directory::person`].
    pub person: usize,
    /// Which of his numbers, where the search was for digits that it has.
    pub number: Option<usize>,
}

/// Everything that can be found, in one long text: a line for each person, words behind blanks.
#[derive(Debug, Default)]
pub(super) struct Index {
    text: String,
    /// Where each person's line begins, and where his name ends in it.
    lines: Vec<(u32, u32)>,
    /// Where words begin and whose they are, in the order of the words.
    words: Vec<(u32, u32)>,
}

impl Index {
    /// Takes the next person.
    pub(super) fn add(&mut self, person: &Person, keys: &[NumberKey]) {
        let begin = self.text.len();
        self.put(&fold(person.name.as_str()));
        let name_end = self.text.len();
        for text in [&person.organisation, &person.role] {
            self.put(&fold(text.as_str()));
        }
        for (number, key) in person.numbers.iter().zip(keys) {
            let written: String =
                number.written.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
            let key = key.text();
            if key != written {
                self.put(&key);
            }
            self.put(&written);
        }
        self.text.push('\n');
        let at = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.lines.push((at(begin), at(name_end)));
    }

    fn put(&mut self, words: &str) {
        for word in words.split(|c: char| !c.is_alphanumeric() && c != '*' && c != '#') {
            if !word.is_empty() {
                self.text.push(' ');
                let at = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                self.words.push((at(self.text.len()), at(self.lines.len())));
                self.text.push_str(word);
            }
        }
    }

    /// Everybody was added.
    pub(super) fn finish(&mut self) {
        let mut words = std::mem::take(&mut self.words);
        words.sort_by(|a, b| self.word(a.0).cmp(self.word(b.0)));
        self.words = words;
        self.words.shrink_to_fit();
        self.text.shrink_to_fit();
        self.lines.shrink_to_fit();
    }

    fn word(&self, at: u32) -> &str {
        let rest = self.text.get(at as usize..).unwrap_or_default();
        rest.split([' ', '\n']).next().unwrap_or_default()
    }

    fn line(&self, nth: usize) -> &str {
        let begin = self.lines.get(nth).map_or(self.text.len(), |line| line.0 as usize);
        let end = self.lines.get(nth + 1).map_or(self.text.len(), |line| line.0 as usize);
        self.text.get(begin..end).unwrap_or_default()
    }

    fn name(&self, nth: usize) -> &str {
        let Some((begin, end)) = self.lines.get(nth) else { return "" };
        self.text.get(*begin as usize..*end as usize).unwrap_or_default()
    }

    fn line_of(&self, at: u32) -> usize {
        self.lines.partition_point(|(begin, _)| *begin <= at).saturating_sub(1)
    }

    /// The words that begin so.
    fn beginning(&self, prefix: &str) -> Range<usize> {
        let from = self.words.partition_point(|(at, _)| self.word(*at) < prefix);
        let rest = self.words.get(from..).unwrap_or_default();
        from..from + rest.partition_point(|(at, _)| self.word(*at).starts_with(prefix))
    }

    /// Those of whom each word is the beginning of a word, best first, at most `most`: rank, then the order of the names.
    fn literal(&self, words: &[String], most: usize) -> Vec<usize> {
        let ranges = words.iter().map(|word| self.beginning(word)).enumerate();
        let Some((rarest, range)) = ranges.min_by_key(|(_, range)| range.len()) else { return Vec::new() };
        let others: Vec<String> = words
            .iter()
            .enumerate()
            .filter(|(nth, _)| *nth != rarest)
            .map(|(_, word)| format!(" {word}"))
            .collect();
        // Only the best are kept: of a single letter half the directory has a word.
        let mut best: Vec<((bool, bool), u32)> = Vec::with_capacity(most + 1);
        for (at, nth) in self.words.get(range).unwrap_or_default() {
            let line = self.lines.get(*nth as usize).copied().unwrap_or_default();
            let in_name = *at < line.1;
            // No other word can make it better than this.
            let hope = ((*at != line.0 + 1 && others.is_empty(), !in_name), *nth);
            if best.len() >= most && best.last().is_some_and(|worst| hope >= *worst) {
                continue;
            }
            let has = |text: &str, word: &String| text.contains(word.as_str());
            let (whole, name) = (self.line(*nth as usize), self.name(*nth as usize));
            if !others.iter().all(|word| has(whole, word)) {
                continue;
            }
            let begins = *at == line.0 + 1 || others.iter().any(|word| name.starts_with(word.as_str()));
            let found = ((!begins, !(in_name && others.iter().all(|word| has(name, word)))), *nth);
            match best.iter().position(|(_, known)| known == nth) {
                Some(known) if best[known] <= found => continue,
                Some(known) => drop(best.remove(known)),
                None => {}
            }
            best.insert(best.partition_point(|known| *known < found), found);
            best.truncate(most);
        }
        best.into_iter().map(|(_, nth)| nth as usize).collect()
    }

    /// Everybody who has these digits in a row somewhere in a number.
    fn digits(&self, digits: &str, most: usize) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for at in memchr::memmem::find_iter(self.text.as_bytes(), digits) {
            let nth = self.line_of(u32::try_from(at).unwrap_or(u32::MAX));
            if found.last() != Some(&nth) {
                found.push(nth);
                if found.len() >= most {
                    break;
                }
            }
        }
        found
    }

    /// Everybody whose name has the letters of each word in their order, up to a slip or two.
    fn fuzzy(&self, words: &[String], most: usize) -> Vec<usize> {
        let names: Vec<&str> = (0..self.lines.len()).map(|nth| self.name(nth)).collect();
        let pattern = |word: &String| {
            let slips = match word.chars().count() {
                0..=3 => 0,
                4..=7 => 1,
                _ => 2,
            };
            Pattern::new(word, PatternConfig::default()).max_typos(Some(slips))
        };
        let patterns: Vec<Pattern> = words.iter().map(pattern).collect();
        let config = Config::default().casing(CaseMatching::Respect);
        let mut found = Matcher::from_patterns(&patterns, &config).match_list(&names);
        found.truncate(most);
        found.iter().map(|hit| hit.index as usize).collect()
    }
}

impl Directory {
    /// Finds people by what was typed so far, best first, at most `most`. Nobody where nothing was typed.
    pub fn search(&self, typed: &str, most: usize) -> Vec<Hit> {
        let folded = fold(typed.get(..typed.floor_char_boundary(256)).unwrap_or_default());
        let digits: String = folded.chars().filter(char::is_ascii_digit).collect();
        let is_number = !digits.is_empty() && !folded.chars().any(char::is_alphabetic);
        if is_number {
            return self.search_number(&digits, most);
        }
        let words: Vec<String> = folded
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| (1..=MAX_WORD).contains(&word.len()))
            .take(MAX_WORDS)
            .map(str::to_owned)
            .collect();
        if words.is_empty() {
            return Vec::new();
        }
        let mut found = self.index.literal(&words, most);
        if found.len() < most && words.iter().any(|word| word.len() > 2) {
            let also = self.index.fuzzy(&words, most);
            let new: Vec<usize> = also.into_iter().filter(|nth| !found.contains(nth)).collect();
            found.extend(new);
            found.truncate(most);
        }
        found.into_iter().map(|person| Hit { person, number: None }).collect()
    }

    fn search_number(&self, digits: &str, most: usize) -> Vec<Hit> {
        // A trunk's 0 is in no number of the world's plan.
        let national = digits.trim_start_matches('0');
        let mut found = self.index.literal(&[digits.to_owned()], most);
        if digits.len() >= DIGITS_ANYWHERE && found.len() < most {
            let also = self.index.digits(if national.is_empty() { digits } else { national }, most);
            let new: Vec<usize> = also.into_iter().filter(|nth| !found.contains(nth)).collect();
            found.extend(new);
        }
        found.truncate(most);
        let which = |person: usize| {
            let numbers = &self.person(person)?.numbers;
            numbers.iter().position(|number| {
                let written: String = number.written.as_str().chars().filter(char::is_ascii_digit).collect();
                written.contains(digits) || (!national.is_empty() && written.contains(national))
            })
        };
        found.into_iter().map(|person| Hit { person, number: which(person) }).collect()
    }
}
