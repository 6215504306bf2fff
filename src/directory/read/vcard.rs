//! vCards: 4.0 (RFC 6350), 3.0 (RFC 2426), and 2.1 as old phones export it with quoted-printable lines.

use super::Reading;
use crate::directory::{Kind, Person};
use crate::parking::Text;
use std::borrow::Cow;

/// The longest line once unfolded, in bytes: a photograph is longer, and is not looked at.
const MAX_LINE: usize = 16 * 1024;

pub(super) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut card: Option<Card> = None;
    let mut began_at = 0;
    for (number, line) in lines(text) {
        let Some(property) = Property::read(&line) else { continue };
        match (property.name.as_str(), &mut card) {
            ("BEGIN", open) if property.value.trim().eq_ignore_ascii_case("vcard") => {
                if open.is_some() {
                    reading.complain(began_at, "a card without its END");
                }
                (card, began_at) = (Some(Card::default()), number);
            }
            ("END", open) => {
                if let Some(whole) = open.take()
                    && !reading.take(whole.person())
                {
                    reading.complain(number, "no more people have room");
                    return reading;
                }
            }
            (_, Some(card)) => card.take(&property),
            (_, None) => {}
        }
    }
    if card.is_some() {
        reading.complain(began_at, "a card without its END");
    }
    reading
}

/// The lines, unfolded, each with the number of its first: RFC 6350 section 3.2, and the soft breaks of 2.1.
fn lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut rest = (1..).zip(text.lines()).peekable();
    std::iter::from_fn(move || {
        let (number, first) = rest.next()?;
        let mut whole = head(first, MAX_LINE).to_owned();
        // A name in the values could contain the words, the parameters stand before the colon.
        let quoted = first.split(':').next().is_some_and(|h| h.to_uppercase().contains("QUOTED-PRINTABLE"));
        loop {
            let soft = quoted && whole.ends_with('=');
            match rest.peek() {
                Some((_, next)) if soft || next.starts_with([' ', '\t']) => {
                    if soft {
                        whole.pop();
                    }
                    let next = if soft { next } else { next.get(1..).unwrap_or_default() };
                    whole.push_str(head(next, MAX_LINE.saturating_sub(whole.len())));
                    rest.next();
                }
                _ => return Some((number, whole)),
            }
        }
    })
}

fn head(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

/// One line: `item1.TEL;TYPE=work,voice:+44…`.
struct Property {
    /// In upper case, without its group.
    name: String,
    /// In upper case, `TYPE=` and bare ones alike.
    parameters: Vec<String>,
    value: String,
}

impl Property {
    fn read(line: &str) -> Option<Self> {
        let mut quoted = false;
        let colon = line.find(|c: char| {
            quoted ^= c == '"';
            c == ':' && !quoted
        })?;
        let (before, value) = (&line[..colon], &line[colon + 1..]);
        let mut parts = before.split(';');
        let name = parts.next()?.rsplit('.').next()?.trim().to_ascii_uppercase();
        let parameters: Vec<String> = parts
            .flat_map(|part| {
                let part = part.to_ascii_uppercase();
                let (key, values) = part.split_once('=').unwrap_or(("TYPE", part.as_str()));
                let values: Vec<String> = values.replace('"', "").split(',').map(str::to_owned).collect();
                let key = key.to_owned();
                values.into_iter().map(move |v| if key == "TYPE" { v } else { format!("{key}={v}") })
            })
            .collect();
        let is = |what: &str| parameters.iter().any(|p| p == what);
        let value = if is("ENCODING=QUOTED-PRINTABLE") || is("QUOTED-PRINTABLE") {
            unquoted(value)
        } else {
            value.to_owned()
        };
        Some(Self { name, parameters, value })
    }

    fn is(&self, what: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter == what)
    }

    /// The value up to its next bare `;`, unescaped (RFC 6350 section 3.4).
    fn components(&self) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut chars = self.value.chars();
        while let Some(c) = chars.next() {
            let c = match c {
                ';' => {
                    all.push(String::new());
                    continue;
                }
                '\\' => match chars.next() {
                    Some('n' | 'N') => ' ',
                    Some(escaped) => escaped,
                    None => continue,
                },
                c => c,
            };
            if let Some(last) = all.last_mut() {
                last.push(c);
            }
        }
        all
    }

    fn text(&self) -> Text {
        Text::new(&self.components().join(";"))
    }
}

/// Quoted-printable (RFC 2045 section 6.7) in UTF-8; what is none shows as it stands.
fn unquoted(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *byte == b'=') {
            Some(code) => {
                plain.push(code);
                at += 3;
            }
            None => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[derive(Default)]
struct Card {
    formatted: Text,
    structured: Text,
    person: Person,
    /// Preferred numbers come first.
    numbers: Vec<(bool, Kind, String)>,
}

impl Card {
    fn take(&mut self, property: &Property) {
        match property.name.as_str() {
            "FN" if self.formatted.is_empty() => self.formatted = property.text(),
            "N" => {
                let parts = property.components();
                let part = |nth: usize| parts.get(nth).map_or("", String::as_str);
                self.structured = Text::new(&[part(3), part(1), part(2), part(0)].join(" "));
            }
            "ORG" if self.person.organisation.is_empty() => {
                let parts = property.components();
                let mut parts = parts.iter().map(String::as_str).filter(|part| !part.trim().is_empty());
                self.person.organisation = Text::new(parts.next().unwrap_or_default());
                if self.person.role.is_empty() {
                    self.person.role = Text::new(parts.next().unwrap_or_default());
                }
            }
            "TITLE" => self.person.role = property.text(),
            "NOTE" => self.person.note = property.text(),
            "TEL" => self.number(property),
            _ => {}
        }
    }

    fn number(&mut self, property: &Property) {
        const UNSPEAKABLE: [&str; 5] = ["FAX", "PAGER", "MODEM", "BBS", "TEXTPHONE"];
        if UNSPEAKABLE.iter().any(|what| property.is(what)) || self.numbers.len() >= super::super::MAX_NUMBERS
        {
            return;
        }
        let kind = match () {
            () if property.is("CELL") => Kind::Mobile,
            () if property.is("HOME") => Kind::Home,
            () => Kind::Work,
        };
        let preferred = property.is("PREF") || property.is("PREF=1");
        let value: Cow<'_, str> = match property.value.trim() {
            uri if uri.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("tel:")) => {
                // RFC 3966: parameters behind the number, among them an extension that would be dialled by hand.
                Cow::Owned(uri[4..].split(';').next().unwrap_or_default().to_owned())
            }
            _ => Cow::Owned(property.components().join("")),
        };
        self.numbers.push((!preferred, kind, value.into_owned()));
    }

    fn person(mut self) -> Person {
        self.person.name = if self.formatted.is_empty() { self.structured } else { self.formatted };
        self.numbers.sort_by_key(|(later, ..)| *later);
        for (_, kind, number) in &self.numbers {
            self.person.add(*kind, number);
        }
        self.person
    }
}
