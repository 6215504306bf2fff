//! BroadWorks' callpark documents (`application/x-broadworks-callpark-info+xml`): who is parked, as BroadWorks and
//! Asterisk's shared call appearances tell it. The same `callpark` element also stands inside other documents.

use super::dialog_info::Party;
use super::xml;

/// The Content-Type of these documents, and what goes into Accept to get them.
pub const CONTENT_TYPE: &str = "application/x-broadworks-callpark-info+xml";
/// The event package by which they can be asked for alone.
pub const EVENT: &str = "x-broadworks-callpark-info";

/// What a document says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallPark {
    /// Who is parked; `None` when nobody is.
    pub parked: Option<Party>,
}

/// Reads a callpark document, or the `callpark` element of any other: `Ok(None)` if it has none.
pub fn find(body: &[u8]) -> Result<Option<CallPark>, String> {
    let document = xml::read(body)?;
    let Some(callpark) = document.find("callpark") else { return Ok(None) };
    let parked = callpark.child("parked").map(|parked| {
        let identity = parked.child("identity");
        Party {
            display: identity.and_then(|i| i.get("display")).filter(|d| !d.is_empty()).map(str::to_owned),
            uri: identity.map(|i| i.text.clone()).unwrap_or_default(),
            ..Party::default()
        }
    });
    Ok(Some(CallPark { parked }))
}

/// Reads a callpark document.
pub fn read(body: &[u8]) -> Result<CallPark, String> {
    find(body)?.ok_or_else(|| "not a callpark document".into())
}

/// Writes one.
pub fn write(callpark: &CallPark) -> Vec<u8> {
    let inner = callpark.parked.as_ref().map(|party| {
        let display = xml::escaped(party.display.as_deref().unwrap_or_default());
        let uri = xml::escaped(&party.uri);
        format!("<callpark><parked><identity display=\"{display}\">{uri}</identity></parked></callpark>")
    });
    let inner = inner.unwrap_or_else(|| "<callpark/>".to_owned());
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<x-broadworks-callpark-info \
         xmlns=\"http://schema.broadsoft.com/callpark\">{inner}</x-broadworks-callpark-info>\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_parked_is_read_and_written() {
        let body = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<x-broadworks-callpark-info xmlns=\"http://schema.broadsoft.com/callpark\">\n <callpark>\n  <parked>\n   <identity display=\"C. Parked\">sip:C@as.foo.com;user=phone</identity>\n  </parked>\n </callpark>\n</x-broadworks-callpark-info>";
        let callpark = read(body).unwrap();
        let party = callpark.parked.clone().unwrap();
        assert_eq!(party.display.as_deref(), Some("C. Parked"));
        assert_eq!(party.uri, "sip:C@as.foo.com;user=phone");
        assert_eq!(read(&write(&callpark)), Ok(callpark));
        let nobody = CallPark::default();
        assert_eq!(read(&write(&nobody)), Ok(nobody));
    }

    #[test]
    fn the_element_is_found_in_a_dialog_info_and_missed_where_it_is_not() {
        let inside = b"<dialog-info version=\"1\" state=\"full\" entity=\"e\"><dialog id=\"1\"><state>confirmed</state>\
            <callpark><parked><identity display=\"Jane\">sip:7@x</identity></parked></callpark></dialog></dialog-info>";
        assert_eq!(find(inside).unwrap().unwrap().parked.unwrap().uri, "sip:7@x");
        assert_eq!(find(b"<dialog-info/>"), Ok(None));
        assert!(read(b"<dialog-info/>").is_err());
        assert!(read(b"<!DOCTYPE a><callpark/>").unwrap_err().contains("document type"));
    }
}
