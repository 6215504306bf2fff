//! Names and words that want to be more than text: none of what the console keeps, shows or writes has them as they came.

use crate::names::{names, senders};
use crate::rig::*;
use parkdeck::desk::{Command, LineId};
use parkdeck::journal::Snapshot;
use parkdeck::parking::Lamp;
use serde_json::Value;

/// Every string in a tree.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, found)),
        _ => {}
    }
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '■' | '□' | '│' | '▶')
}

/// What the screen is drawn from, and what the journal would keep.
fn assert_harmless(office: &Office, what: &str) {
    let desk = office.engine.desk();
    let kept = Snapshot::of([("reception@office.test", &desk.memory(LineId::default())[..])], 0);
    let mut found = Vec::new();
    strings(&serde_json::to_value(desk).unwrap(), &mut found);
    strings(&serde_json::to_value(&kept).unwrap(), &mut found);
    for text in found {
        let harmful = text.chars().find(|c| is_harmful(*c));
        assert_eq!(harmful, None, "{what}: {}", text.escape_debug());
        assert!(text.chars().count() <= 128 * 8, "{what}: {} characters", text.chars().count());
    }
}

#[test]
fn no_name_in_a_call_a_lamp_or_a_message_keeps_its_teeth() {
    let mut office = Office::open(2, 1);
    for sender in senders() {
        let shown = String::from_utf8_lossy(&sender).chars().take(40).collect::<String>();
        let what = shown.escape_debug().to_string();
        let call = office.ring(&sender, SDP);
        assert_harmless(&office, &what);
        office.run(ms(10));
        let (_, message) = office.request("MESSAGE", &sender, "Content-Type: text/plain\r\n", &sender);
        office.tell(SERVER, &message);
        office.run(ms(10));
        assert_harmless(&office, &what);
        if office.status_of(&call) == Some(180) {
            office.cancel(&call);
        }
        office.run(s(40));
        assert_eq!(office.engine.desk().calls.len(), 0, "{what}");
    }
    for name in names() {
        let what =
            String::from_utf8_lossy(&name).chars().take(40).collect::<String>().escape_debug().to_string();
        let name: String = String::from_utf8_lossy(&name).chars().filter(|c| !"\"<>&".contains(*c)).collect();
        let escaped: String = name.chars().take(2_000).map(|c| format!("&#x{:x};", u32::from(c))).collect();
        for name in [name, escaped] {
            let bytes = office.notification(0, &taken(&name));
            office.tell(SERVER, &bytes);
            office.run(ms(10));
            assert_harmless(&office, &what);
            let bytes = office.notification(1, "");
            office.tell(SERVER, &bytes);
            office.run(ms(10));
            assert!(office.lamps().any(|lamp| *lamp == Lamp::Free), "the other lamp doesn't mind");
        }
    }
}

#[test]
fn no_word_of_a_refusal_a_reason_or_an_answer_keeps_its_teeth() {
    let mut office = Office::open(2, 2);
    for name in names() {
        let text = String::from_utf8_lossy(&name)
            .chars()
            .filter(|c| !"\"\r\n".contains(*c))
            .take(3_000)
            .collect::<String>();
        let what = text.chars().take(40).collect::<String>().escape_debug().to_string();
        // A call of ours is refused in such words, another answered by somebody of that name who gives a reason to go.
        for head in [
            format!("486 {text}"),
            format!("480 No\r\nReason: SIP;cause=480;text=\"{text}\"\r\nWarning: 399 x \"{text}\""),
            format!("180 {text}\r\nP-Asserted-Identity: \"{text}\" <sip:eve@office.test>"),
        ] {
            office.heard.clear();
            office.key(Command::Dial("200".into()));
            office.run(ms(5));
            let Some(invite) = office.requests("INVITE").pop() else { continue };
            office.answer(&invite, &head, b"");
            office.run(ms(10));
            assert_harmless(&office, &what);
            office.answer(&invite, "486 Busy", b"");
            office.run(s(40));
            assert_harmless(&office, &what);
        }
        let call = office.talking();
        let bye = office.inside("BYE", &call, 2, &format!("Reason: Q.850;cause=16;text=\"{text}\"\r\n"), b"");
        office.tell(SERVER, &bye);
        office.run(s(1));
        assert_harmless(&office, &what);
        office.run(s(40));
        assert_eq!(office.engine.desk().calls.len(), 0, "{what}");
    }
}
