//! Presence documents: PIDF (RFC 3863) with the activities of RPID (RFC 4480). What they mean for a lamp is decided
//! elsewhere; here they are read within limits, and written.

use super::xml::{self, Element};
use std::fmt::Write as _;

/// The Content-Type of these documents.
pub const CONTENT_TYPE: &str = "application/pidf+xml";
/// The event package.
pub const EVENT: &str = "presence";
/// The most tuples of a document.
pub const MAX_TUPLES: usize = 64;
/// The most activities that are kept.
pub const MAX_ACTIVITIES: usize = 64;
/// The most notes that are kept.
const MAX_NOTES: usize = 16;

macro_rules! activities {
    ($($name:ident $word:literal),* $(,)?) => {
        /// What somebody does (RFC 4480 3.2).
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Activity {
            $(#[doc = concat!("`", $word, "`")] $name,)*
            /// In other words.
            Other(String),
        }

        impl Activity {
            /// The name of the element.
            pub fn word(&self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                    Self::Other(_) => "other",
                }
            }

            fn read(element: &Element) -> Option<Self> {
                match element.name.as_str() {
                    $($word => Some(Self::$name),)*
                    "other" => Some(Self::Other(element.text.clone())),
                    _ => None,
                }
            }
        }
    };
}

activities! {
    Appointment "appointment", Away "away", Breakfast "breakfast", Busy "busy", Dinner "dinner", Holiday "holiday",
    InTransit "in-transit", LookingForWork "looking-for-work", Lunch "lunch", Meal "meal", Meeting "meeting",
    OnThePhone "on-the-phone", Performance "performance", PermanentAbsence "permanent-absence", Playing "playing",
    Presentation "presentation", Shopping "shopping", Sleeping "sleeping", Spectator "spectator",
    Steering "steering", Travel "travel", Tv "tv", Unknown "unknown", Vacation "vacation", Working "working",
    Worship "worship",
}

/// One way to reach somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuple {
    /// The same for it in all documents.
    pub id: String,
    /// Whether messages are accepted there, if told.
    pub open: Option<bool>,
    /// Its URI.
    pub contact: Option<String>,
    /// In words.
    pub note: Option<String>,
}

/// One document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Whose presence.
    pub entity: String,
    /// The ways to reach him.
    pub tuples: Vec<Tuple>,
    /// What he does; wherever in the document it was said.
    pub activities: Vec<Activity>,
    /// In words, of all of it.
    pub notes: Vec<String>,
}

impl Presence {
    /// Whether somebody talks, or is otherwise not to be had.
    pub fn is_busy(&self) -> bool {
        self.activities.iter().any(|a| matches!(a, Activity::OnThePhone | Activity::Busy | Activity::Meeting))
    }

    /// Whether one of the ways is open; `None` if nothing is said of any.
    pub fn is_open(&self) -> Option<bool> {
        let mut told = self.tuples.iter().filter_map(|tuple| tuple.open).peekable();
        told.peek()?;
        Some(told.any(|open| open))
    }
}

/// Reads a document; the error says in words what is wrong with it.
pub fn read(body: &[u8]) -> Result<Presence, String> {
    let document = xml::read(body)?;
    if document.name != "presence" {
        return Err("not a presence document".into());
    }
    let mut presence =
        Presence { entity: document.get("entity").unwrap_or_default().to_owned(), ..Presence::default() };
    for element in &document.children {
        match element.name.as_str() {
            "tuple" => {
                if presence.tuples.len() >= MAX_TUPLES {
                    return Err("the document has too many tuples".into());
                }
                presence.tuples.push(tuple(element)?);
                take_activities(&mut presence.activities, element);
                element.all("status").for_each(|status| take_activities(&mut presence.activities, status));
            }
            "person" | "device" => take_activities(&mut presence.activities, element),
            "note" if presence.notes.len() < MAX_NOTES => presence.notes.push(element.text.clone()),
            _ => {}
        }
    }
    Ok(presence)
}

fn tuple(element: &Element) -> Result<Tuple, String> {
    let basic = element.child("status").and_then(|status| status.child("basic"));
    let open = match basic.map(|basic| basic.text.to_ascii_lowercase()).as_deref() {
        None => None,
        Some("open") => Some(true),
        Some("closed") => Some(false),
        Some(_) => return Err("a tuple is neither open nor closed".into()),
    };
    Ok(Tuple {
        id: element.get("id").unwrap_or_default().to_owned(),
        open,
        contact: element.child("contact").map(|contact| contact.text.clone()),
        note: element.child("note").map(|note| note.text.clone()),
    })
}

fn take_activities(held: &mut Vec<Activity>, element: &Element) {
    let told = element.all("activities").flat_map(|activities| activities.children.iter());
    for activity in told.filter_map(Activity::read) {
        if held.len() < MAX_ACTIVITIES && !held.contains(&activity) {
            held.push(activity);
        }
    }
}

/// The document as bytes. Characters that XML 1.0 can't hold are dropped.
pub fn write(presence: &Presence) -> Vec<u8> {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" \
         entity=\"{}\">\r\n",
        xml::escaped(&presence.entity)
    );
    for tuple in &presence.tuples {
        let _ = write!(text, "<tuple id=\"{}\"><status>", xml::escaped(&tuple.id));
        if let Some(open) = tuple.open {
            let _ = write!(text, "<basic>{}</basic>", if open { "open" } else { "closed" });
        }
        text.push_str("</status>");
        if let Some(contact) = &tuple.contact {
            let _ = write!(text, "<contact>{}</contact>", xml::escaped(contact));
        }
        if let Some(note) = &tuple.note {
            let _ = write!(text, "<note>{}</note>", xml::escaped(note));
        }
        text.push_str("</tuple>\r\n");
    }
    for note in &presence.notes {
        let _ = write!(text, "<note>{}</note>\r\n", xml::escaped(note));
    }
    if !presence.activities.is_empty() {
        text.push_str("<dm:person id=\"p\"><rpid:activities>");
        for activity in &presence.activities {
            let word = activity.word();
            let _ = match activity {
                Activity::Other(other) => write!(text, "<rpid:{word}>{}</rpid:{word}>", xml::escaped(other)),
                _ => write!(text, "<rpid:{word}/>"),
            };
        }
        text.push_str("</rpid:activities></dm:person>\r\n");
    }
    text.push_str("</presence>\r\n");
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asterisks_presence_is_read() {
        let captured = include_str!("../../tests/torture/asterisk/notify-pidf.sip");
        let body = captured.split_once("<?xml").unwrap().1;
        let presence = read(format!("<?xml{body}").as_bytes()).unwrap();
        assert_eq!(presence.entity, "sip:702@127.0.0.1:5060");
        assert_eq!((presence.is_open(), presence.is_busy()), (Some(true), false));
        assert_eq!(presence.notes, ["Ready"]);
        assert_eq!(presence.tuples[0].contact.as_deref(), Some("sip:reception@127.0.0.1"));
    }

    #[test]
    fn activities_are_found_wherever_they_stand() {
        for inner in [
            "<dm:person><rpid:activities><rpid:on-the-phone/></rpid:activities></dm:person>",
            "<tuple id=\"a\"><status><basic>open</basic><ep:activities><ep:busy/></ep:activities></status></tuple>",
            "<tuple id=\"a\"><status/><activities><meeting/></activities></tuple>",
        ] {
            let presence = read(format!("<presence entity=\"e\">{inner}</presence>").as_bytes()).unwrap();
            assert!(presence.is_busy(), "{inner}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let presence = Presence {
            entity: "sip:a&b@h".into(),
            tuples: vec![
                Tuple {
                    id: "1".into(),
                    open: Some(true),
                    contact: Some("sip:x@y".into()),
                    note: Some("<hi>".into()),
                },
                Tuple { id: "2".into(), ..Tuple::default() },
            ],
            activities: vec![Activity::OnThePhone, Activity::InTransit, Activity::Other("digging".into())],
            notes: vec!["On the phone".into()],
        };
        assert_eq!(read(&write(&presence)), Ok(presence));
    }

    #[test]
    fn hostile_documents_are_refused_in_words() {
        let with = |inner: &str| format!("<presence entity=\"e\">{inner}</presence>");
        for (document, reason) in [
            ("<dialog-info/>".to_owned(), "not a presence"),
            ("<!DOCTYPE p []><presence/>".to_owned(), "document type"),
            (with("&lol;"), "unknown entity"),
            (with(&"<tuple id=\"a\"/>".repeat(MAX_TUPLES + 1)), "too many tuples"),
            (with("<tuple id=\"a\"><status><basic>ajar</basic></status></tuple>"), "neither open"),
            (with(&format!("{}{}", "<a>".repeat(16), "</a>".repeat(16))), "too deeply"),
            (with(&"<a/>".repeat(9_000)), "too many parts"),
            (format!("{}{}", with(""), with("")), "not one document"),
            (with("").replace("</presence>", ""), "cut short"),
            (String::new(), "not one document"),
            (" ".repeat(xml::MAX_BODY + 1), "too large"),
        ] {
            let error = read(document.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{reason}: {error}: {document:.200}");
        }
        let many = with(&format!(
            "<dm:person><activities>{}</activities></dm:person>",
            "<other>x</other><tv/>".repeat(500)
        ));
        assert_eq!(read(many.as_bytes()).unwrap().activities.len(), 2);
    }
}
