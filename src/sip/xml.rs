//! XML within limits: no document type, no entities but XML's own, so deep, so many parts and no more. What the bodies
//! of NOTIFYs share; what their elements mean is decided by those who read them.

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

/// The largest document, in bytes.
pub const MAX_BODY: usize = 65_536;
/// The deepest nesting of elements.
pub const MAX_DEPTH: usize = 16;
/// The most tags, texts and references in a document: many small ones cost more than a few large ones.
pub(crate) const MAX_EVENTS: usize = 8_192;
/// The most attributes that an element may have.
const MAX_ATTRIBUTES: usize = 32;
/// The longest complaint of the parser that is passed on, in characters.
const MAX_COMPLAINT: usize = 120;

/// An element with all that is in it. Names are local names, for some servers write prefixes.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Attributes,
    /// Its own text, trimmed.
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// An attribute's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.find(name)
    }

    /// The children of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first element of that name, this one or any in it. As deep as a document may be.
    pub(crate) fn find(&self, name: &str) -> Option<&Self> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(name))
    }
}

/// Reads a whole document; the error says in words what is wrong with it.
pub(crate) fn read(body: &[u8]) -> Result<Element, String> {
    if body.len() > MAX_BODY {
        return Err("the document is too large".into());
    }
    let text = String::from_utf8_lossy(body);
    let mut xml = Reader::from_str(&text);
    // The bottom one holds the document's only element.
    let mut open = vec![Element::default()];
    for _ in 0..MAX_EVENTS {
        match xml.read_event().map_err(not_xml)? {
            Event::Start(start) => begin(&mut open, &start)?,
            Event::Empty(start) => {
                begin(&mut open, &start)?;
                end(&mut open);
            }
            Event::End(_) => end(&mut open),
            Event::Text(text) => say(&mut open, &text),
            Event::CData(text) => say(&mut open, &text),
            Event::GeneralRef(entity) => say(&mut open, &resolved(&entity)?),
            Event::DocType(_) => return Err("the document has a document type".into()),
            Event::Eof => return finished(open),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
    Err("the document has too many parts".into())
}

fn begin(open: &mut Vec<Element>, start: &BytesStart<'_>) -> Result<(), String> {
    if open.len() > MAX_DEPTH {
        return Err("the document is nested too deeply".into());
    }
    let name = start.local_name().as_ref().to_owned();
    open.push(Element { name, attributes: Attributes::read(start)?, ..Element::default() });
    Ok(())
}

fn end(open: &mut Vec<Element>) {
    if open.len() < 2 {
        return;
    }
    if let Some(mut done) = open.pop() {
        done.text = done.text.trim().to_owned();
        if let Some(parent) = open.last_mut() {
            parent.children.push(done);
        }
    }
}

fn say(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn finished(mut open: Vec<Element>) -> Result<Element, String> {
    match (open.pop(), open.is_empty()) {
        (Some(mut document), true) if document.children.len() == 1 => {
            document.children.pop().ok_or_else(|| "the document is empty".into())
        }
        (Some(_), true) => Err("not one document".into()),
        _ => Err("the document is cut short".into()),
    }
}

/// The parser's complaint, of which only plain characters are kept: it may quote the document.
pub(crate) fn not_xml(error: impl std::fmt::Display) -> String {
    let complaint = error.to_string();
    let plain: String = complaint.chars().filter(|c| matches!(c, ' '..='~')).take(MAX_COMPLAINT).collect();
    format!("not XML: {plain}")
}

/// What `&…;` stands for.
pub(crate) fn resolved(entity: &BytesRef<'_>) -> Result<String, String> {
    match entity.resolve_char_ref() {
        Ok(Some(c)) => Ok(c.to_string()),
        Ok(None) => resolve_xml_entity(entity).map(str::to_owned).ok_or_else(|| "an unknown entity".into()),
        Err(error) => Err(not_xml(error)),
    }
}

/// An element's attributes, unescaped.
#[derive(Debug, Default)]
pub(crate) struct Attributes(Vec<(String, String)>);

impl Attributes {
    pub(crate) fn read(start: &BytesStart<'_>) -> Result<Self, String> {
        let mut read = Vec::new();
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(not_xml)?;
            if read.len() >= MAX_ATTRIBUTES {
                return Err("an element has too many attributes".into());
            }
            if attribute.key.as_ref().starts_with("xmlns") {
                continue;
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(not_xml)?;
            let name = attribute.key.local_name();
            read.push((name.as_ref().to_owned(), value.into_owned()));
        }
        Ok(Self(read))
    }

    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.find(name).map(str::to_owned)
    }
}

/// Text for a document: without the characters that XML 1.0 can't hold even as references; white space becomes a
/// blank. Still to be escaped.
pub(crate) fn legal(text: &str) -> String {
    let held = |c: char| match c {
        '\t' | '\n' | '\r' => Some(' '),
        '\u{fffe}' | '\u{ffff}' => None,
        c => (!c.is_control()).then_some(c),
    };
    text.chars().filter_map(held).collect()
}

/// Text for a document, escaped.
pub(crate) fn escaped(text: &str) -> String {
    quick_xml::escape::escape(legal(text)).into_owned()
}
