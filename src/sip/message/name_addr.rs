//! Addresses with a display name and parameters: From, To, Contact, Route, Refer-To … (RFC 3261 20.10).

use super::lexis;
use super::params::Params;
use super::uri::Uri;
use memchr::memchr;
use std::borrow::Cow;
use std::fmt;

/// A URI with a display name and header parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameAddr {
    /// The display name, unquoted; hostile text for all we know.
    pub display: Option<String>,
    /// The address.
    pub uri: Uri,
    /// Parameters of the header value, such as `tag` or `expires`.
    pub params: Params,
}

impl NameAddr {
    /// The bare address.
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::new() }
    }

    /// The same with that display name; an empty one is none.
    pub fn with_display(mut self, display: &str) -> Self {
        self.display = (!display.is_empty()).then(|| display.to_owned());
        self
    }

    /// The same with that tag.
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", tag);
        self
    }

    /// The tag, if there is one that isn't empty.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// Reads one `name-addr` or `addr-spec` with its parameters; `None` unless all of `text` is one.
    ///
    /// Blanks inside the angle brackets and unquoted display names with commas or beyond ASCII are tolerated
    /// (RFC 4475 3.1.2.14, 3.1.2.15); a `?` outside brackets is not (RFC 3261 20.10).
    pub fn parse(text: &str) -> Option<Self> {
        let found = Found::read(text)?;
        let uri = Uri::parse(found.uri)?;
        let params = Params::of_header(lexis::split_outside(found.params, ';')?)?;
        let display = (!found.display.is_empty()).then(|| found.display.into_owned());
        Some(Self { display, uri, params })
    }

    /// Whether [`NameAddr::parse`] would read all of `text`.
    pub(super) fn is_one(text: &str) -> bool {
        Found::read(text).is_some_and(|found| {
            Uri::is_uri(found.uri)
                && lexis::split_outside(found.params, ';').is_some_and(Params::are_of_header)
        })
    }
}

/// A `name-addr` or `addr-spec` in its text; URI and parameters are still to be read.
struct Found<'a> {
    display: Cow<'a, str>,
    uri: &'a str,
    params: &'a str,
}

impl<'a> Found<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let text = lexis::one_line(text)?.trim_ascii();
        let (display, rest) = if text.starts_with('"') {
            let end = lexis::quoted_end(text)?;
            let rest = text[end..].trim_ascii_start();
            if !rest.starts_with('<') {
                return None;
            }
            (lexis::unquoted(&text[..end])?, rest)
        } else {
            match memchr(b'<', text.as_bytes()) {
                Some(at) => (Cow::Borrowed(text[..at].trim_ascii()), &text[at..]),
                None => return Self::read_bare(text),
            }
        };
        if display.contains('>') && !text.starts_with('"') {
            return None;
        }
        let end = memchr(b'>', rest.as_bytes())?;
        let (uri, params) = (rest[1..end].trim_ascii(), rest[end + 1..].trim_ascii());
        let sound = params.is_empty() || params.starts_with(';');
        sound.then_some(Self { display, uri, params })
    }

    /// Without brackets every parameter belongs to the header.
    fn read_bare(text: &'a str) -> Option<Self> {
        let (uri, params) = lexis::cut(text, b';').unwrap_or((text, ""));
        let sound = !uri.contains('?');
        sound.then_some(Self { display: Cow::Borrowed(""), uri: uri.trim_ascii(), params })
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", lexis::quote(display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unquoted_and_quoted_again() {
        let from =
            NameAddr::parse(r#""J Rosenberg \\\"" <sip:jdrosen@example.com> ; tag = 98asjd8"#).unwrap();
        assert_eq!(from.display.as_deref(), Some(r#"J Rosenberg \""#));
        assert_eq!(from.tag(), Some("98asjd8"));
        assert_eq!(NameAddr::parse(&from.to_string()), Some(from));
    }

    #[test]
    fn parameters_without_brackets_belong_to_the_header() {
        let bare = NameAddr::parse("sip:+19725552222@gw1.example.net;unknownparam").unwrap();
        assert!(bare.params.has("unknownparam") && bare.uri.params.is_empty());
        let bracketed = NameAddr::parse("<sip:+19725552222@gw1.example.net;unknownparam>").unwrap();
        assert!(bracketed.uri.params.has("unknownparam") && bracketed.params.is_empty());
    }

    #[test]
    fn a_quoted_instance_survives() {
        let text = r#"<sip:100@10.0.0.1:5060;transport=tls>;+sip.instance="<urn:uuid:1>";reg-id=1"#;
        let contact = NameAddr::parse(text).unwrap();
        assert_eq!(contact.params.get("+sip.instance"), Some("<urn:uuid:1>"));
        assert_eq!(contact.to_string(), text);
    }

    #[test]
    fn what_has_only_one_meaning_is_tolerated() {
        let comma = NameAddr::parse("Bell, Alexander <sip:a.g.bell@example.com>;tag=43").unwrap();
        assert_eq!((comma.display.as_deref(), comma.tag()), (Some("Bell, Alexander"), Some("43")));
        let blanks = NameAddr::parse("\"Watson\" < sip:t.watson@example.org >").unwrap();
        assert_eq!(blanks.uri.to_string(), "sip:t.watson@example.org");
    }

    #[test]
    fn broken_addresses_are_refused() {
        for bad in [
            "\"Mr. J. User <sip:j.user@example.com>",
            "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
            "<sip:a@b> trailing",
            "<sip:a@b",
            "\"a\" b <sip:a@b>",
            "",
            "*",
        ] {
            assert_eq!(NameAddr::parse(bad), None, "{bad}");
        }
    }
}
