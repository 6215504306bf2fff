//! Reads TOML into any serde type and reports everything that is wrong at once: after each refusal the refused
//! value is taken out of the tree and the rest is read again.

use super::mask::is_secret_key;
use super::meaning::{self, Meaning};
use super::problem::{ConfigError, MAX_PROBLEMS, Problem, Source};
use serde::de::DeserializeOwned;
use std::cmp::Reverse;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// The longest file that is read, in bytes.
pub const MAX_FILE: usize = 1 << 20;

/// Reads `text` strictly into a `T`; `file_name` is for the messages.
///
/// Strict is what `T` makes of it: give every struct `deny_unknown_fields`. For what the types can't say, check the
/// value and use [`ConfigError::at_paths`].
///
/// # Errors
/// Every problem that could be told apart, at most [`MAX_PROBLEMS`].
pub fn read<T: DeserializeOwned>(text: &str, file_name: &str) -> Result<T, ConfigError> {
    let source = Source::new(text, file_name);
    let reading = Reading::<T>::of(&source, |_| None)?;
    match (reading.value, ConfigError::of(file_name, reading.problems)) {
        (Some(value), None) => Ok(value),
        (_, Some(error)) => Err(error),
        (None, None) => Err(source.refusal("the file can't be read".to_owned())),
    }
}

impl Source<'_> {
    /// An error about the file as a whole.
    pub fn refusal(&self, meaning: String) -> ConfigError {
        let problem = self.problem(0..0, meaning, None);
        ConfigError { file: self.file.to_owned(), problems: vec![problem] }
    }
}

/// What came of reading: as much as could be read, and what was wrong.
pub(super) struct Reading<T> {
    /// `None` when what is wrong couldn't be left out.
    pub value: Option<T>,
    /// What was wrong.
    pub problems: Vec<Problem>,
    /// The paths that were left out.
    removed: Vec<Vec<String>>,
}

impl<T: DeserializeOwned> Reading<T> {
    /// Reads; `remedy` may have better words for what was refused at a path.
    ///
    /// # Errors
    /// When the text is no TOML, or too long.
    pub fn of(
        source: &Source<'_>,
        remedy: impl Fn(&[String]) -> Option<(String, Option<String>)>,
    ) -> Result<Self, ConfigError> {
        let whole = parse(source)?;
        let mut root = whole.clone();
        let mut reading = Self { value: None, problems: Vec::new(), removed: Vec::new() };
        while reading.problems.len() < MAX_PROBLEMS {
            let error = match T::deserialize(toml::Deserializer::from(root.clone())) {
                Ok(value) => {
                    reading.value = Some(value);
                    break;
                }
                Err(error) => error,
            };
            // Told by its place in the file, taken out by its place in what is left of it.
            let place = |tree: &DeTable<'_>| error.span().and_then(|span| find(tree, &span));
            let path = place(whole.get_ref()).unwrap_or_default();
            reading.note(source, &error, &path, &remedy);
            match place(root.get_ref()) {
                Some(left) if remove(root.get_mut(), &left) => reading.removed.push(path),
                _ => break,
            }
        }
        Ok(reading)
    }

    /// Whether the value at `path`, or one around it, was refused and left out.
    pub fn left_out(&self, path: &[&str]) -> bool {
        let inside =
            |gone: &Vec<String>| gone.iter().zip(path).all(|(a, b)| a == b) && gone.len() <= path.len();
        self.removed.iter().any(inside)
    }

    /// Whether anything inside the value at `path` was refused and left out.
    pub fn left_out_inside(&self, path: &[&str]) -> bool {
        self.removed.iter().any(|gone| gone.len() > path.len() && gone.iter().zip(path).all(|(a, b)| a == b))
    }

    /// Whether a secret was refused and left out in the section at this path.
    pub fn left_out_secret(&self, section: &[&str]) -> bool {
        let secret = |path: &Vec<String>| match path.split_last() {
            Some((key, parent)) => is_secret_key(key) && parent.iter().eq(section.iter()),
            None => false,
        };
        self.removed.iter().any(secret)
    }

    fn note(
        &mut self,
        source: &Source<'_>,
        error: &toml::de::Error,
        path: &[String],
        remedy: &impl Fn(&[String]) -> Option<(String, Option<String>)>,
    ) {
        let mut meaning = meaning::of_value(error.message(), path);
        if let Some(missing) = &meaning.missing {
            let keys: Vec<&str> = path.iter().map(String::as_str).chain([missing.as_str()]).collect();
            if self.left_out(&keys) {
                return;
            }
        } else if let Some((words, did_you_mean)) = remedy(path) {
            meaning = Meaning { words, did_you_mean, missing: None };
        }
        let span = error.span().unwrap_or(0..0);
        self.problems.push(source.problem(span, meaning.words, meaning.did_you_mean));
    }
}

/// Reads the TOML itself.
fn parse<'t>(source: &Source<'t>) -> Result<Spanned<DeTable<'t>>, ConfigError> {
    if source.text().len() > MAX_FILE {
        return Err(source.refusal(format!("the file is longer than {} kB", MAX_FILE / 1024)));
    }
    let (root, errors) = DeTable::parse_recoverable(source.text());
    let mut problems: Vec<Problem> = Vec::new();
    let mut told: Option<Range<usize>> = None;
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        // One slip often trips the reader several times: the first word about a line is the useful one.
        if told.as_ref().is_some_and(|line| line.contains(&span.start)) {
            continue;
        }
        told = Some(source.line_around(span.start));
        let found = source.slice(span.clone());
        let meaning = meaning::of_syntax(error.message(), found, source.assignment(span.start));
        problems.push(source.problem(span, meaning.words, meaning.did_you_mean));
        if problems.len() == MAX_PROBLEMS {
            break;
        }
    }
    ConfigError::of(source.file, problems).map_or(Ok(root), Err)
}

/// The path to the entry that `span` points at: its key or its value exactly, else the innermost that contains it.
/// A list of tables has the same place as its first table, which is the one that is meant.
fn find(root: &DeTable<'_>, span: &Range<usize>) -> Option<Vec<String>> {
    type Rank = (bool, Reverse<usize>, usize);
    let mut best: Option<(Rank, Vec<String>)> = None;
    visit(root, &mut Vec::new(), &mut |path, key, value| {
        let exact = key.as_ref() == Some(span) || value == *span;
        let contains = value.start <= span.start && span.end <= value.end;
        let rank = (exact, Reverse(value.len()), path.len());
        if (exact || contains) && best.as_ref().is_none_or(|(held, _)| rank > *held) {
            best = Some((rank, path.to_vec()));
        }
    });
    best.map(|(_, path)| path)
}

/// Visits every entry with its path, its key's span (none in an array) and its value's span.
fn visit(
    table: &DeTable<'_>,
    path: &mut Vec<String>,
    seen: &mut impl FnMut(&[String], Option<Range<usize>>, Range<usize>),
) {
    for (key, value) in table.iter() {
        path.push(key.get_ref().to_string());
        seen(path, Some(key.span()), value.span());
        visit_value(value.get_ref(), path, seen);
        path.pop();
    }
}

fn visit_value(
    value: &DeValue<'_>,
    path: &mut Vec<String>,
    seen: &mut impl FnMut(&[String], Option<Range<usize>>, Range<usize>),
) {
    match value {
        DeValue::Table(table) => visit(table, path, seen),
        DeValue::Array(array) => {
            for (index, item) in array.iter().enumerate() {
                path.push(index.to_string());
                seen(path, None, item.span());
                visit_value(item.get_ref(), path, seen);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Takes the entry at `path` out of the tree; false when it isn't there.
fn remove(table: &mut DeTable<'_>, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    let Some(key) = table.keys().find(|k| k.get_ref().as_ref() == first.as_str()).cloned() else {
        return false;
    };
    if rest.is_empty() {
        return table.remove(&key).is_some();
    }
    table.get_mut(&key).is_some_and(|inner| remove_inside(inner.get_mut(), rest))
}

fn remove_inside<'i>(value: &mut DeValue<'i>, path: &[String]) -> bool {
    match value {
        DeValue::Table(inner) => remove(inner, path),
        DeValue::Array(array) => {
            let Some(index) = path[0].parse::<usize>().ok().filter(|i| *i < array.len()) else {
                return false;
            };
            if path.len() > 1 {
                return array.get_mut(index).is_some_and(|item| remove_inside(item.get_mut(), &path[1..]));
            }
            let kept =
                std::mem::replace(array, DeArray::new()).into_iter().enumerate().filter(|(i, _)| *i != index);
            *array = kept.map(|(_, item)| item).collect();
            true
        }
        _ => false,
    }
}

/// Where the value at `keys` is (its table's or its parent's place when it isn't there).
pub(super) fn span_of(root: &DeTable<'_>, keys: &[&str]) -> Option<Range<usize>> {
    let mut best: Option<(usize, Range<usize>)> = None;
    visit(root, &mut Vec::new(), &mut |path, _, value| {
        let on_the_way = path.len() <= keys.len() && path.iter().zip(keys).all(|(a, b)| a == b);
        if on_the_way && best.as_ref().is_none_or(|(depth, _)| path.len() > *depth) {
            best = Some((path.len(), value));
        }
    });
    best.map(|(_, span)| span)
}

#[cfg(test)]
#[path = "strict_tests.rs"]
mod tests;
