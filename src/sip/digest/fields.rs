//! The `name=value` fields of digest headers: challenges (several may share a line), answers, Authentication-Info.

use crate::sip::message::lexis;

/// The most parameters that are read from one challenge or answer.
const MAX_FIELDS: usize = 32;
/// The longest challenge or answer that is read, in bytes.
const MAX_LENGTH: usize = 4_096;
/// The most challenges that are read from one header line.
const MAX_CHALLENGES: usize = 16;

/// The `name=value` fields behind `Digest`, unquoted. A field given twice is refused: nobody can say which is meant.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The fields of an answer: all of `header` is one.
    pub(super) fn read(header: &str) -> Option<Self> {
        if header.len() > MAX_LENGTH {
            return None;
        }
        let (scheme, rest) = header.trim().split_once(char::is_whitespace)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        Self::of_parts(lexis::split_outside(rest, ',')?)
    }

    /// The fields of every Digest challenge in a line, which may hold several, of other schemes too (RFC 7235 4.1).
    pub(super) fn read_challenges(header: &str) -> Vec<Self> {
        if header.len() > MAX_LENGTH {
            return Vec::new();
        }
        let Some(parts) = lexis::split_outside(header, ',') else { return Vec::new() };
        let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
        for part in parts.map(|part| part.trim()).filter(|part| !part.is_empty()) {
            match scheme_of(part) {
                Some((scheme, rest)) if found.len() < MAX_CHALLENGES => found.push((scheme, vec![rest])),
                Some(_) => break,
                None => found.last_mut().into_iter().for_each(|(_, fields)| fields.push(part)),
            }
        }
        let digest = found.into_iter().filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Digest"));
        digest.filter_map(|(_, parts)| Self::of_parts(parts.into_iter())).collect()
    }

    /// The fields of Authentication-Info, which names no scheme.
    pub(super) fn read_info(header: &str) -> Option<Self> {
        if header.len() > MAX_LENGTH {
            return None;
        }
        Self::of_parts(lexis::split_outside(header, ',')?)
    }

    fn of_parts<'a>(parts: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=')?;
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            let value = if value.starts_with('"') { lexis::unquote(value)? } else { value.to_owned() };
            if fields.len() >= MAX_FIELDS || fields.iter().any(|(held, _)| *held == name) {
                return None;
            }
            fields.push((name, value));
        }
        Some(Self(fields))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

/// The scheme that begins a challenge and what follows; `None` for a further field of the one before.
fn scheme_of(part: &str) -> Option<(&str, &str)> {
    let end = part.find(|c: char| !lexis::is_token_char(c)).unwrap_or(part.len());
    let (word, rest) = part.split_at(end);
    let begins = !word.is_empty() && (rest.is_empty() || rest.starts_with(char::is_whitespace));
    // `name = value` with blanks is a field.
    (begins && !rest.trim_start().starts_with('=')).then(|| (word, rest.trim_start()))
}
