//! The words of the TOML reader and of serde, turned into words for an administrator, with the likely remedy.

use super::mask::is_secret_key;
use crate::parking::Text;

/// What a reader's message comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    /// In words.
    pub words: String,
    /// What was probably meant.
    pub did_you_mean: Option<String>,
    /// The key that is missing, if that is it.
    pub missing: Option<String>,
}

impl Meaning {
    fn plain(words: impl Into<String>) -> Self {
        Self { words: words.into(), did_you_mean: None, missing: None }
    }
}

/// The candidate nearest to `word`, if one is near enough to be meant.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase();
    let near = |c: &&str| {
        let (c, distance) = (c.to_lowercase(), strsim::osa_distance(&word, &c.to_lowercase()));
        // A third of the letters may be wrong; a word cut short, or with a tail, counts as well.
        let cut = word.len() >= 3 && (c.starts_with(&word) || word.starts_with(&c) && c.len() >= 3);
        cut || distance <= (c.chars().count().max(3) / 3)
    };
    let distance = |c: &&str| strsim::osa_distance(&word, &c.to_lowercase());
    candidates.into_iter().filter(near).min_by_key(distance)
}

/// What serde said of the value (or table) at `path`.
pub(super) fn of_value(message: &str, path: &[String]) -> Meaning {
    let secret = path.last().is_some_and(|key| is_secret_key(key));
    let message = message.trim_end();
    if let Some(rest) = message.strip_prefix("unknown field ") {
        // For an unknown key the path names the key itself.
        return unknown_key(rest, path.split_last().map_or(&[], |(_, parent)| parent));
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        let key = backticked(rest).next().unwrap_or_default();
        let meaning = Meaning::plain(format!("{} lacks “{}”", section(path), Text::new(key)));
        return Meaning { missing: Some(key.to_owned()), ..meaning };
    }
    if secret {
        return Meaning::plain(match message.rsplit_once(", expected ") {
            Some((_, expected)) => format!("expected {} here", words_for_type(expected)),
            None => "this value is not accepted".to_owned(),
        });
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return unknown_choice(rest);
    }
    for head in ["invalid type: ", "invalid value: ", "invalid length "] {
        if let Some((found, expected)) = message.strip_prefix(head).and_then(|m| m.rsplit_once(", expected "))
        {
            let found = Text::new(found);
            return Meaning::plain(format!("expected {}, found {found}", words_for_type(expected)));
        }
    }
    if message == "wanted string or table" {
        // The reader's words for a number or a truth value where one of several words is wanted.
        return Meaning::plain("expected one word in quotes");
    }
    Meaning::plain(Text::new(message).to_string())
}

fn unknown_key(rest: &str, parent: &[String]) -> Meaning {
    let mut words = backticked(rest);
    let key = words.next().unwrap_or_default();
    let known: Vec<&str> = words.collect();
    let near = nearest(key, known.iter().copied());
    let mut text = format!("there is no key “{}” in {}", Text::new(key), section(parent));
    if near.is_none() && !known.is_empty() {
        text += &format!("; it may have: {}", known.join(", "));
    }
    Meaning { did_you_mean: near.map(|k| format!("“{k}”")), ..Meaning::plain(text) }
}

fn unknown_choice(rest: &str) -> Meaning {
    let mut words = backticked(rest);
    let choice = words.next().unwrap_or_default();
    let known: Vec<&str> = words.collect();
    let text = format!("“{}” is not one of: {}", Text::new(choice), known.join(", "));
    let near = nearest(choice, known.iter().copied());
    Meaning { did_you_mean: near.map(|k| format!("\"{k}\"")), ..Meaning::plain(text) }
}

/// What the TOML reader said of text that is no TOML; `found` is the text it pointed at, `assignment` the key and the
/// value that it is in, as far as the line has such.
pub(super) fn of_syntax(message: &str, found: &str, assignment: Option<(&str, &str)>) -> Meaning {
    let message = message.trim_end();
    let says = |part: &str| message.contains(part);
    if says("duplicate key") {
        let words = format!("“{}” is given twice", Text::new(found.trim_matches(['[', ']', ' '])));
        return Meaning::plain(words);
    }
    if let Some((key, value)) = assignment.filter(|(_, value)| is_bare_text(value)) {
        let remedy = (!is_secret_key(key)).then(|| format!("\"{}\"", Text::new(value)));
        return Meaning { did_you_mean: remedy, ..Meaning::plain("text needs quotes around it") };
    }
    if assignment.is_some_and(|(_, value)| value.is_empty()) {
        return Meaning::plain("the value is missing");
    }
    if says("with no value") || says("missing assignment") {
        return Meaning::plain("a key wants “=” and a value behind it: key = value");
    }
    if says("missing value") || message == "invalid value" {
        return Meaning::plain("the value is missing, or is nothing that TOML knows");
    }
    if says("unclosed") {
        return Meaning::plain("a bracket is opened here and not closed");
    }
    if says("invalid basic string") || says("invalid literal string") || says("missing closing quote") {
        return Meaning::plain("the closing quote is missing");
    }
    Meaning::plain(format!("this is not TOML: {}", Text::new(message)))
}

/// Whether a value looks like text that was left without quotes. (Digits alone are a number with another fault.)
fn is_bare_text(value: &str) -> bool {
    !value.starts_with(['"', '\'', '[', '{']) && value.contains(|c: char| !c.is_ascii_digit() && c != '_')
}

/// `[account]`, `entry 2 of [users]`, `the file`.
pub(super) fn section<S: AsRef<str>>(path: &[S]) -> String {
    let index = |key: &S| key.as_ref().parse::<usize>().ok();
    let joined =
        |path: &[S]| Text::new(&path.iter().map(S::as_ref).collect::<Vec<_>>().join(".")).to_string();
    match path {
        [] => "the file".to_owned(),
        [parent @ .., last] if index(last).is_some() && !parent.is_empty() => {
            format!("entry {} of [{}]", index(last).map_or(0, |i| i + 1), joined(parent))
        }
        [list, number, inner @ ..] if index(number).is_some() => {
            format!("[{}.{}] of entry {}", list.as_ref(), joined(inner), index(number).map_or(0, |i| i + 1))
        }
        path => format!("[{}]", joined(path)),
    }
}

/// serde's names of types in words for a person.
fn words_for_type(expected: &str) -> String {
    match expected {
        "a string" => "text in quotes".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number".to_owned(),
        "a sequence" => "a list in brackets".to_owned(),
        other if other.starts_with("struct ") || other == "a map" => "a table of keys".to_owned(),
        other => Text::new(other).to_string(),
    }
}

/// The words between backticks, as serde quotes names.
fn backticked(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|k| (*k).to_owned()).collect()
    }

    #[test]
    fn a_misspelt_key_is_recognised() {
        let meaning = of_value(
            "unknown field `servr`, expected one of `user`, `server`, `realm`",
            &path(&["account", "servr"]),
        );
        assert_eq!(meaning.words, "there is no key “servr” in [account]");
        assert_eq!(meaning.did_you_mean.as_deref(), Some("“server”"));
    }

    #[test]
    fn a_key_like_no_other_is_told_what_there_is() {
        let meaning = of_value("unknown field `colour`, expected `user` or `server`", &path(&["colour"]));
        assert_eq!(meaning.words, "there is no key “colour” in the file; it may have: user, server");
        assert_eq!(meaning.did_you_mean, None);
    }

    #[test]
    fn the_nearest_word_is_near_or_none() {
        let known = ["parkingtime", "parkpos", "parkext", "findslot"];
        assert_eq!(nearest("parkingtyme", known), Some("parkingtime"));
        assert_eq!(nearest("PARKPOS", known), Some("parkpos"));
        assert_eq!(nearest("find", known), Some("findslot"));
        assert_eq!(nearest("zzz", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn a_wrong_type_is_named_but_never_a_secrets_value() {
        let message = "invalid type: integer `12345`, expected a string";
        assert_eq!(
            of_value(message, &path(&["log", "level"])).words,
            "expected text in quotes, found integer `12345`"
        );
        assert_eq!(of_value(message, &path(&["users", "0", "secret"])).words, "expected text in quotes here");
        let meaning = of_value("“hunter2” is weak", &path(&["users", "0", "secret"]));
        assert_eq!(meaning.words, "this value is not accepted");
    }

    #[test]
    fn what_is_missing_is_named_with_its_section() {
        let meaning = of_value("missing field `name`", &path(&["users", "1"]));
        assert_eq!(meaning.words, "entry 2 of [users] lacks “name”");
        assert_eq!(meaning.missing.as_deref(), Some("name"));
    }
}
