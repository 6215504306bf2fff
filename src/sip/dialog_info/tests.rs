//! Documents as Asterisk and phones write them, our own, and hostile ones.

use super::*;

const EARLY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="3" state="full" entity="sip:100@127.0.0.1:5060">
 <dialog id="100" direction="recipient">
  <remote>
   <identity display="Alice">sip:101@127.0.0.1</identity>
   <target uri="sip:101@127.0.0.1" />
  </remote>
  <local>
   <identity display="Reception">sip:100@127.0.0.1</identity>
   <target uri="sip:100@127.0.0.1:5060" />
  </local>
  <state>early</state>
 </dialog>
</dialog-info>"#;

/// In the manner of phones: prefixes, tags, parameters, entities, an unknown extension.
const PHONE: &str = r#"<?xml version="1.0"?>
<!-- a phone --><di:dialog-info xmlns:di="urn:ietf:params:xml:ns:dialog-info" version="4294967295" state="partial"
 entity="sip:bob@example.com"><di:dialog id="as7d900as8" call-id="a84b4c76e66710" local-tag="1928301774"
 remote-tag="456887766" direction="initiator"><di:state event="remote-bye" code="200">terminated</di:state>
 <di:duration>274</di:duration><di:referred-by display="A &amp; B">sip:x@y?a=1&amp;b=&#50;</di:referred-by>
 <di:local><di:identity><![CDATA[sip:bob@example.com]]></di:identity><di:target uri="sip:bob@10.0.0.1"><di:param
 pname="+sip.rendering" pval="no"/></di:target></di:local><vendor><state>confirmed</state></vendor></di:dialog>
</di:dialog-info>"#;

#[test]
fn asterisks_ringing_extension_is_understood() {
    let info = read(EARLY.as_bytes()).unwrap();
    assert_eq!((info.version, info.full, info.entity.as_str()), (3, true, "sip:100@127.0.0.1:5060"));
    let dialog = &info.dialogs[0];
    assert_eq!((dialog.state, dialog.direction), (DialogState::Early, Some(Direction::Recipient)));
    let remote = dialog.remote.as_ref().unwrap();
    assert_eq!((remote.display.as_deref(), remote.uri.as_str()), (Some("Alice"), "sip:101@127.0.0.1"));
    assert_eq!(dialog.local.as_ref().unwrap().target.as_deref(), Some("sip:100@127.0.0.1:5060"));
    assert_eq!((dialog.call_id.as_ref(), dialog.note.as_ref()), (None, None));
}

#[test]
fn a_phones_document_is_understood() {
    let info = read(PHONE.as_bytes()).unwrap();
    let dialog = &info.dialogs[0];
    assert_eq!((info.version, info.full), (u32::MAX, false));
    assert_eq!((dialog.state, dialog.duration_s), (DialogState::Terminated, Some(274)));
    assert_eq!(dialog.call_id.as_deref(), Some("a84b4c76e66710"));
    assert_eq!(
        (dialog.local_tag.as_deref(), dialog.remote_tag.as_deref()),
        (Some("1928301774"), Some("456887766"))
    );
    let referrer = dialog.referred_by.as_ref().unwrap();
    assert_eq!((referrer.display.as_deref(), referrer.uri.as_str()), (Some("A & B"), "sip:x@y?a=1&b=2"));
    let local = dialog.local.as_ref().unwrap();
    assert_eq!(local.uri, "sip:bob@example.com");
    assert_eq!(local.params, [("+sip.rendering".to_owned(), "no".to_owned())]);
}

#[test]
fn what_is_written_is_read() {
    let party = |name: &str| Party {
        display: Some(format!("{name} <\"&'> Żółć")),
        uri: format!("sip:{name}@h?a=1&b=2"),
        target: Some(format!("sip:{name}@10.0.0.1:5060;transport=udp")),
        params: vec![("p".into(), "\"v\"".into())],
    };
    let dialog = DialogElement {
        id: "d1".into(),
        call_id: Some("x@y".into()),
        local_tag: Some("l".into()),
        remote_tag: Some("r".into()),
        direction: Some(Direction::Recipient),
        state: DialogState::Confirmed,
        local: Some(party("slot")),
        remote: Some(party("caller")),
        referred_by: Some(Party {
            display: Some("Desk".into()),
            uri: "sip:100@h".into(),
            ..Party::default()
        }),
        duration_s: Some(42),
        note: Some("asks for <Ms> Ng & co".into()),
    };
    let bare = DialogElement { id: "d2".into(), duration_s: Some(7), ..DialogElement::default() };
    let info = DialogInfo { version: 9, full: true, entity: "sip:701@h".into(), dialogs: vec![dialog, bare] };
    assert_eq!(read(&write(&info)), Ok(info));
}

#[test]
fn characters_that_xml_cannot_hold_are_dropped() {
    let hostile =
        DialogElement { note: Some("a\0\u{1b}[2J\u{ffff}\r\nb]]>".into()), ..DialogElement::default() };
    let info = DialogInfo { dialogs: vec![hostile], ..DialogInfo::default() };
    assert_eq!(read(&write(&info)).unwrap().dialogs[0].note.as_deref(), Some("a[2J  b]]>"));
}

#[test]
fn hostile_documents_are_refused_in_words() {
    let with =
        |inner: &str| format!("<dialog-info version=\"1\" state=\"full\" entity=\"e\">{inner}</dialog-info>");
    let dialogs = |n| with(&"<dialog id=\"a\"><state>early</state></dialog>".repeat(n));
    assert_eq!(read(dialogs(MAX_DIALOGS).as_bytes()).unwrap().dialogs.len(), MAX_DIALOGS);
    let bomb = "<!DOCTYPE lolz [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><dialog-info/>";
    let attributes = format!("<dialog {}/>", (0..40).map(|n| format!("a{n}=\"\" ")).collect::<String>());
    for (document, reason) in [
        (bomb.to_owned(), "document type"),
        (with("<dialog id=\"&a;\"/>"), "not XML"),
        (with("&undefined;"), "unknown entity"),
        (with(&format!("{}{}", "<a>".repeat(MAX_DEPTH), "</a>".repeat(MAX_DEPTH))), "too deeply"),
        (dialogs(MAX_DIALOGS + 1), "too many dialogs"),
        (with(&attributes), "too many attributes"),
        (with("<dialog id=\"a\"/>"), "no state"),
        (with("<dialog id=\"a\"><state>odd</state></dialog>"), "unknown state"),
        (with(&"<a/>".repeat(16_000)), "too many parts"),
        (with("<dialog>"), "not XML"),
        (with("<\u{1b}[2J></b\u{202e}>"), "not XML"),
        (with("").replace("</dialog-info>", ""), "cut short"),
        (with("").replace("\"1\"", "\"-1\""), "version"),
        (with("").replace("\"1\"", "\"4294967296\""), "version"),
        (with("").replace("full", "half"), "neither full nor partial"),
        (format!("{}{}", with(""), with("")), "not a dialog-info"),
        ("<presence/>".to_owned(), "not a dialog-info"),
        (String::new(), "not a dialog-info"),
        ("\0\u{ff}<".to_owned(), ""),
        (" ".repeat(MAX_BODY + 1), "too large"),
    ] {
        let error = read(document.as_bytes()).unwrap_err();
        assert!(error.chars().all(|c| matches!(c, ' '..='~')), "{error:?}");
        assert!(error.contains(reason), "{reason}: {error}: {document:.200}");
    }
}
