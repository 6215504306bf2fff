//! Writes dialog-info documents, in the order that RFC 4235's schema wants.

use super::{DialogElement, DialogInfo, Direction, PARKDECK_NAMESPACE, Party};
use crate::sip::xml::escaped;

/// The document as bytes. Characters that XML 1.0 can't hold are dropped.
pub fn write(info: &DialogInfo) -> Vec<u8> {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<dialog-info");
    attribute(&mut xml, "xmlns", Some("urn:ietf:params:xml:ns:dialog-info"));
    attribute(&mut xml, "xmlns:parkdeck", Some(PARKDECK_NAMESPACE));
    attribute(&mut xml, "version", Some(&info.version.to_string()));
    attribute(&mut xml, "state", Some(if info.full { "full" } else { "partial" }));
    attribute(&mut xml, "entity", Some(&info.entity));
    xml.push_str(">\r\n");
    for element in &info.dialogs {
        dialog(&mut xml, element);
    }
    xml.push_str("</dialog-info>\r\n");
    xml.into_bytes()
}

fn dialog(xml: &mut String, dialog: &DialogElement) {
    xml.push_str("<dialog");
    attribute(xml, "id", Some(&dialog.id));
    attribute(xml, "call-id", dialog.call_id.as_deref());
    attribute(xml, "local-tag", dialog.local_tag.as_deref());
    attribute(xml, "remote-tag", dialog.remote_tag.as_deref());
    let direction = dialog.direction.map(|direction| match direction {
        Direction::Initiator => "initiator",
        Direction::Recipient => "recipient",
    });
    attribute(xml, "direction", direction);
    xml.push_str(">\r\n");
    xml.push_str(&format!("<state>{}</state>\r\n", dialog.state.word()));
    if let Some(seconds) = dialog.duration_s {
        xml.push_str(&format!("<duration>{seconds}</duration>\r\n"));
    }
    if let Some(referrer) = &dialog.referred_by {
        identity(xml, "referred-by", referrer);
    }
    party(xml, "local", dialog.local.as_ref());
    party(xml, "remote", dialog.remote.as_ref());
    parked(xml, dialog);
    xml.push_str("</dialog>\r\n");
}

/// What RFC 4235 has no place for, in a namespace of its own: others skip it.
fn parked(xml: &mut String, dialog: &DialogElement) {
    let Some(note) = &dialog.note else { return };
    xml.push_str("<parkdeck:parked");
    attribute(xml, "seconds", dialog.duration_s.map(|s| s.to_string()).as_deref());
    xml.push_str(&format!("><parkdeck:note>{}</parkdeck:note></parkdeck:parked>\r\n", escaped(note)));
}

fn party(xml: &mut String, side: &str, party: Option<&Party>) {
    let Some(party) = party else { return };
    xml.push_str(&format!("<{side}>"));
    identity(xml, "identity", party);
    if let Some(target) = &party.target {
        xml.push_str("<target");
        attribute(xml, "uri", Some(target));
        xml.push('>');
        for (name, value) in &party.params {
            xml.push_str("<param");
            attribute(xml, "pname", Some(name));
            attribute(xml, "pval", Some(value));
            xml.push_str("/>");
        }
        xml.push_str("</target>");
    }
    xml.push_str(&format!("</{side}>\r\n"));
}

fn identity(xml: &mut String, element: &str, party: &Party) {
    xml.push_str(&format!("<{element}"));
    attribute(xml, "display", party.display.as_deref());
    xml.push_str(&format!(">{}</{element}>", escaped(&party.uri)));
}

fn attribute(xml: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        xml.push_str(&format!(" {name}=\"{}\"", escaped(value)));
    }
}
