//! The `;name=value` parameters of URIs and of header values.

use super::lexis;
use memchr::memchr3;
use std::borrow::Cow;
use std::fmt;

/// One parameter. The value is what it stands for: unquoted, unescaped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Param {
    name: String,
    value: Option<String>,
    quoted: bool,
}

/// Parameters in their order; names are compared without case, a value that came quoted is written quoted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params(Vec<Param>);

/// The most parameters that one URI or header value may have.
pub const MAX_PARAMS: usize = 64;

/// What a URI parameter may hold unescaped (RFC 3261 25.1: `param-unreserved`, `mark`).
const URI_PARAM_PLAIN: &str = "[]/:&+$-_.!~*'()";

impl Params {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of the first parameter of that name; `Some("")` for a flag without a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(|p| p.value.as_deref().unwrap_or_default())
    }

    /// Whether a parameter of that name is there.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Sets the first parameter of that name, or appends it; a value that can't stand bare will be quoted.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        let bare = !value.is_empty() && value.chars().all(|c| lexis::is_token_char(c) || ":[]".contains(c));
        self.put(Param { name: name.to_owned(), value: Some(value), quoted: !bare });
    }

    /// Sets a parameter without a value, such as `lr` or `rport`.
    pub fn set_flag(&mut self, name: &str) {
        self.put(Param { name: name.to_owned(), value: None, quoted: false });
    }

    /// Takes away every parameter of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|p| !p.name.eq_ignore_ascii_case(name));
    }

    /// Names and values in order; a flag has no value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|p| (p.name.as_str(), p.value.as_deref()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, name: &str) -> Option<&Param> {
        self.0.iter().find(|p| p.name.eq_ignore_ascii_case(name))
    }

    fn put(&mut self, param: Param) {
        match self.0.iter_mut().find(|p| p.name.eq_ignore_ascii_case(&param.name)) {
            Some(held) => *held = param,
            None => self.0.push(param),
        }
    }

    /// Reads the parameters of a header value: `parts` are what stands between the semicolons. Empty ones are skipped.
    pub(super) fn of_header<'a>(parts: impl Iterator<Item = &'a str>) -> Option<Self> {
        Self::of(parts.map(str::trim_ascii), header_param)
    }

    /// Whether [`Params::of_header`] would read these.
    pub(super) fn are_of_header<'a>(parts: impl Iterator<Item = &'a str>) -> bool {
        Self::each_of_header(parts, |_, _| {})
    }

    /// The same, showing each name and value that could be read to `look`.
    pub(super) fn each_of_header<'a>(
        parts: impl Iterator<Item = &'a str>,
        look: impl FnMut(&str, Option<&str>),
    ) -> bool {
        each(parts.map(str::trim_ascii), header_param, look)
    }

    /// Reads the parameters of a URI (everything behind the first semicolon), resolving escapes.
    pub(super) fn of_uri(text: &str) -> Option<Self> {
        Self::of(text.split(';'), uri_param)
    }

    /// Whether [`Params::of_uri`] would read these.
    pub(super) fn are_of_uri(text: &str) -> bool {
        text.is_empty() || each(text.split(';'), uri_param, |_, _| {})
    }

    fn of<'a>(
        parts: impl Iterator<Item = &'a str>,
        read: impl Fn(&'a str) -> Option<Found<'a>>,
    ) -> Option<Self> {
        let mut params = Vec::new();
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value, quoted) = read(part)?;
            if params.len() >= MAX_PARAMS {
                return None;
            }
            params.push(Param { name: name.into_owned(), value: value.map(Cow::into_owned), quoted });
        }
        Some(Self(params))
    }

    /// As part of a URI: with escapes, never quoted.
    pub(super) fn for_uri(&self) -> ForUri<'_> {
        ForUri(self)
    }
}

/// See [`Params::for_uri`].
pub(super) struct ForUri<'a>(&'a Params);

impl fmt::Display for ForUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for param in &self.0.0 {
            write!(f, ";{}", lexis::escape(&param.name, URI_PARAM_PLAIN))?;
            if let Some(value) = &param.value {
                write!(f, "={}", lexis::escape(value, URI_PARAM_PLAIN))?;
            }
        }
        Ok(())
    }
}

/// A parameter as it was found: its name, its value, and whether that was quoted.
type Found<'a> = (Cow<'a, str>, Option<Cow<'a, str>>, bool);

fn header_param(part: &str) -> Option<Found<'_>> {
    let (name, value) = match lexis::cut(part, b'=') {
        Some((name, value)) => (name.trim_ascii_end(), Some(value.trim_ascii_start())),
        None => (part, None),
    };
    if !lexis::is_token(name) {
        return None;
    }
    let quoted = value.is_some_and(|v| v.starts_with('"'));
    let value = match value {
        Some(value) if quoted => Some(lexis::unquoted(value)?),
        Some(value) if memchr3(b'"', b'<', b'>', value.as_bytes()).is_some() => return None,
        other => other.map(Cow::Borrowed),
    };
    Some((Cow::Borrowed(name), value, quoted))
}

fn uri_param(part: &str) -> Option<Found<'_>> {
    let (name, value) = match lexis::cut(part, b'=') {
        Some((name, value)) => (name, Some(lexis::unescape(value)?)),
        None => (part, None),
    };
    let name = lexis::unescape(name)?;
    (!name.is_empty()).then_some((name, value, false))
}

/// Whether all of these are parameters, and not too many. Each is shown to `look`.
fn each<'a>(
    parts: impl Iterator<Item = &'a str>,
    read: impl Fn(&'a str) -> Option<Found<'a>>,
    mut look: impl FnMut(&str, Option<&str>),
) -> bool {
    let mut count = 0;
    parts.filter(|part| !part.is_empty()).all(|part| {
        count += 1;
        let Some((name, value, _)) = read(part).filter(|_| count <= MAX_PARAMS) else { return false };
        look(&name, value.as_deref());
        true
    })
}

impl fmt::Display for Params {
    /// As part of a header value: `;name=value;flag;name="quoted"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for param in &self.0 {
            write!(f, ";{}", lexis::without_line_ends(&param.name))?;
            match &param.value {
                Some(value) if param.quoted => write!(f, "={}", lexis::quote(value))?,
                Some(value) => write!(f, "={}", lexis::without_line_ends(value))?,
                None => {}
            }
        }
        Ok(())
    }
}
