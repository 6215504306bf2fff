//! Reads dialog-info documents: no document type, no entities but XML's own, and limits on everything.

use super::{DialogElement, DialogInfo, DialogState, Direction, Party};
use crate::sip::xml::{Attributes, MAX_EVENTS, not_xml, resolved};
pub use crate::sip::xml::{MAX_BODY, MAX_DEPTH};
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// The most dialogs in a document.
pub const MAX_DIALOGS: usize = 64;
/// The most parameters of one target.
const MAX_PARAMS: usize = 16;

/// Reads a document; the error says in words what is wrong with it.
///
/// Elements are known by their local names, for some servers write prefixes; unknown ones are skipped.
pub fn read(body: &[u8]) -> Result<DialogInfo, String> {
    if body.len() > MAX_BODY {
        return Err("the document is too large".into());
    }
    let text = String::from_utf8_lossy(body);
    let mut xml = Reader::from_str(&text);
    let mut builder = Builder::default();
    for _ in 0..MAX_EVENTS {
        match xml.read_event().map_err(not_xml)? {
            Event::Start(element) => builder.open(&element)?,
            Event::Empty(element) => {
                builder.open(&element)?;
                builder.close()?;
            }
            Event::End(_) => builder.close()?,
            Event::Text(text) => builder.text.push_str(&text),
            Event::CData(text) => builder.text.push_str(&text),
            Event::GeneralRef(entity) => builder.text.push_str(&resolved(&entity)?),
            Event::DocType(_) => return Err("the document has a document type".into()),
            Event::Eof => return builder.finish(),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
    Err("the document has too many parts".into())
}

/// The elements that mean something to us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    DialogInfo,
    Dialog,
    State,
    Duration,
    ReferredBy,
    Local,
    Remote,
    Identity,
    Target,
    Param,
    Parked,
    Note,
    Other,
}

impl Element {
    /// Known only where it belongs: `parent` is the element it stands in.
    fn of(name: &str, parent: Option<Self>) -> Self {
        match (parent, name) {
            (None, "dialog-info") => Self::DialogInfo,
            (Some(Self::DialogInfo), "dialog") => Self::Dialog,
            (Some(Self::Dialog), "state") => Self::State,
            (Some(Self::Dialog), "duration") => Self::Duration,
            (Some(Self::Dialog), "referred-by") => Self::ReferredBy,
            (Some(Self::Dialog), "local") => Self::Local,
            (Some(Self::Dialog), "remote") => Self::Remote,
            (Some(Self::Local | Self::Remote), "identity") => Self::Identity,
            (Some(Self::Local | Self::Remote), "target") => Self::Target,
            (Some(Self::Target), "param") => Self::Param,
            (Some(Self::Dialog), "parked") => Self::Parked,
            (Some(Self::Parked), "note") => Self::Note,
            _ => Self::Other,
        }
    }
}

#[derive(Default)]
struct Builder {
    info: Option<DialogInfo>,
    open: Vec<Element>,
    stated: bool,
    text: String,
}

impl Builder {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err("the document is nested too deeply".into());
        }
        let local_name = start.local_name();
        let element = Element::of(local_name.as_ref(), self.open.last().copied());
        if self.open.is_empty() && (element != Element::DialogInfo || self.info.is_some()) {
            return Err("not a dialog-info document".into());
        }
        self.text.clear();
        let attributes = Attributes::read(start)?;
        match element {
            Element::DialogInfo => self.info = Some(head(attributes)?),
            Element::Dialog => self.begin_dialog(attributes)?,
            Element::ReferredBy => {
                let display = attributes.get("display");
                self.dialog()?.referred_by = Some(Party { display, ..Party::default() });
            }
            Element::Identity => self.party()?.display = attributes.get("display"),
            Element::Target => self.party()?.target = attributes.get("uri"),
            Element::Param => {
                let name = attributes.get("pname").unwrap_or_default();
                let value = attributes.get("pval").unwrap_or_default();
                let params = &mut self.party()?.params;
                if params.len() >= MAX_PARAMS {
                    return Err("a target has too many parameters".into());
                }
                params.push((name, value));
            }
            Element::Parked => {
                if let Some(seconds) = attributes.get("seconds").and_then(|s| s.parse().ok()) {
                    self.dialog()?.duration_s = Some(seconds);
                }
            }
            _ => {}
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        match self.open.last() {
            Some(Element::State) => {
                let state = DialogState::read(text).ok_or("a dialog has an unknown state")?;
                self.dialog()?.state = state;
                self.stated = true;
            }
            // Our own `parked` says it more exactly, wherever it stands.
            Some(Element::Duration) => {
                let dialog = self.dialog()?;
                dialog.duration_s = dialog.duration_s.or(text.parse().ok());
            }
            Some(Element::ReferredBy) => {
                let uri = text.to_owned();
                if let Some(party) = &mut self.dialog()?.referred_by {
                    party.uri = uri;
                }
            }
            Some(Element::Note) if !text.is_empty() => self.dialog()?.note = Some(text.to_owned()),
            Some(Element::Identity) => {
                self.open.pop();
                self.party()?.uri = text.to_owned();
                return Ok(());
            }
            Some(Element::Dialog) if !self.stated => return Err("a dialog has no state".into()),
            _ => {}
        }
        self.open.pop();
        Ok(())
    }

    fn begin_dialog(&mut self, attributes: Attributes) -> Result<(), String> {
        self.stated = false;
        let direction = attributes.get("direction").and_then(|word| match word.as_str() {
            "initiator" => Some(Direction::Initiator),
            "recipient" => Some(Direction::Recipient),
            _ => None,
        });
        let info = self.info.as_mut().ok_or("not a dialog-info document")?;
        if info.dialogs.len() >= MAX_DIALOGS {
            return Err("the document has too many dialogs".into());
        }
        info.dialogs.push(DialogElement {
            id: attributes.get("id").unwrap_or_default(),
            call_id: attributes.get("call-id"),
            local_tag: attributes.get("local-tag"),
            remote_tag: attributes.get("remote-tag"),
            direction,
            ..DialogElement::default()
        });
        Ok(())
    }

    /// The dialog that is being read.
    fn dialog(&mut self) -> Result<&mut DialogElement, String> {
        let dialogs = self.info.as_mut().map(|info| &mut info.dialogs);
        dialogs.and_then(|dialogs| dialogs.last_mut()).ok_or_else(|| "no dialog is open".into())
    }

    /// The side of it that is being read.
    fn party(&mut self) -> Result<&mut Party, String> {
        let local = self.open.iter().rev().find(|e| matches!(e, Element::Local | Element::Remote));
        let local = local == Some(&Element::Local);
        let dialog = self.dialog()?;
        let party = if local { &mut dialog.local } else { &mut dialog.remote };
        Ok(party.get_or_insert_default())
    }

    fn finish(self) -> Result<DialogInfo, String> {
        if !self.open.is_empty() {
            return Err("the document is cut short".into());
        }
        self.info.ok_or_else(|| "not a dialog-info document".into())
    }
}

fn head(attributes: Attributes) -> Result<DialogInfo, String> {
    let version =
        attributes.get("version").and_then(|v| v.parse().ok()).ok_or("the version isn't a number")?;
    let full = match attributes.get("state").as_deref() {
        Some("full") => true,
        Some("partial") => false,
        _ => return Err("the document is neither full nor partial".into()),
    };
    Ok(DialogInfo {
        version,
        full,
        entity: attributes.get("entity").unwrap_or_default(),
        dialogs: Vec::new(),
    })
}
