//! What is in a message and what of it gets out, also when the message is torn.

use super::*;
use crate::sip::Transport;
use proptest::prelude::*;

const NUMBER: &str = "+4930987654321";
const NAME: &str = "Zacharias";
const USER: &str = "zachwinter";
const HOST: &str = "pbx.winterhaus.example";
const ADDRESS: &str = "10.77.66.55";
const CALL: &str = "ab12cd34ef56";
const RESPONSE: &str = "6629fae49393a05397450978507c4ef1";
const NONCE: &str = "dcd98b7102dd2f0e8b11d0f600bfb0c0";
const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const PASSWORD: &str = "hunter2hunter2";
const TEXT: &str = "meet me at seven";
const DIGITS: &str = "Signal=7391";
const TICKET: &str = "q7Zx1vPk0Lm3";

/// Nobody ever sees these.
const SECRETS: [&str; 6] = [RESPONSE, NONCE, KEY, PASSWORD, DIGITS, TICKET];
/// Nor, with `anonymous`, these.
const PRIVATE: [&str; 8] = [NUMBER, "4930987654321", NAME, USER, HOST, ADDRESS, CALL, TEXT];

fn invite() -> String {
    let sdp = format!(
        "v=0\r\no={USER} 20987654321 2 IN IP4 {ADDRESS}\r\ns={NAME}\r\nc=IN IP4 {ADDRESS}\r\nt=0 0\r\ni={NAME}\r\n\
         m=audio 4000 RTP/SAVP 0 101\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:32\r\n\
         a=ice-pwd:{PASSWORD}\r\na=rtpmap:0 PCMU/8000\r\na=candidate:1 1 UDP 1 {ADDRESS} 4000 typ host\r\na=sendrecv\r\n"
    );
    format!(
        "INVITE sip:{NUMBER}@{HOST};user=phone SIP/2.0\r\nVia: SIP/2.0/UDP {ADDRESS}:5060;rport;branch=z9hG4bK{CALL}\r\n\
         From: \"{NAME}\" <sip:{USER}:{PASSWORD}@{HOST}>;tag={CALL}\r\nTo: <tel:{NUMBER};phone-context={HOST}>\r\n\
         Call-ID: {CALL}@{ADDRESS}\r\nCSeq: 7 INVITE\r\nContact: <sip:{USER}@{ADDRESS}:5060>;+sip.instance=\"<urn:uuid:{CALL}>\"\r\n\
         P-Asserted-Identity: \"{NUMBER}\" <sip:{NUMBER}@{HOST}>, <tel:{NUMBER}>\r\nSubject: {NAME} {NUMBER}\r\n\
         X-Number: {NUMBER}\r\nUser-Agent: Phone/1.2 {CALL}\r\nAllow: INVITE, ACK\r\nContent-Type: application/sdp\r\n\
         Proxy-Authorization: Digest username=\"{USER}\", realm=\"{HOST}\", nonce=\"{NONCE}\", uri=\"sip:{NUMBER}@{HOST}\",\r\n \
         response=\"{RESPONSE}\", algorithm=MD5, cnonce=\"{NONCE}\", opaque=\"{NONCE}\", qop=auth, nc=00000001\r\n\
         Content-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

fn refer() -> String {
    format!(
        "REFER sip:{USER}@{ADDRESS};ticket={TICKET} SIP/2.0\r\nParkdeck-Ticket: {TICKET}\r\n\
         Parkdeck-Slot: 701;lot=\"front\";ticket={TICKET}\r\nParkdeck-Orbit: <sip:701@{HOST};ticket={TICKET}>\r\nv: SIP/2.0/UDP {ADDRESS};branch=z9hG4bK{CALL}\r\nf: <sip:{USER}@{HOST}>;tag=1\r\n\
         t: <sip:{NUMBER}@{HOST}>;tag=2\r\ni: {CALL}\r\nCSeq: 8 REFER\r\n\
         r: <sip:{NUMBER}@{HOST}?Replaces={CALL}%3Bto-tag%3D1%3Bfrom-tag%3D2&Proxy-Authorization=Digest%20response%3D{RESPONSE}>\r\n\
         Reason: Q.850;cause=16;text=\"{NAME}\"\r\nHistory-Info: <sip:{NUMBER}@{HOST}>;index=1\r\nl: 0\r\n\r\n"
    )
}

fn challenge() -> String {
    format!(
        "SIP/2.0 401 {NAME} {NUMBER}\r\nVia: SIP/2.0/UDP {ADDRESS};branch=z9hG4bK{CALL};received={ADDRESS}\r\n\
         From: <sip:{USER}@{HOST}>;tag=1\r\nTo: <sip:{USER}@{HOST}>;tag=2\r\nCall-ID: {CALL}\r\nCSeq: 1 REGISTER\r\n\
         WWW-Authenticate: Digest realm=\"{HOST}\", nonce=\"{NONCE}\", opaque=\"{NONCE}\", qop=\"auth,auth-int\", algorithm=SHA-256\r\n\
         Authorization: Basic {PASSWORD}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn with_body(content_type: &str, body: &str) -> String {
    format!(
        "NOTIFY sip:{USER}@{HOST} SIP/2.0\r\nVia: SIP/2.0/UDP {ADDRESS};branch=z9hG4bK{CALL}\r\nFrom: <sip:{USER}@{HOST}>;tag=1\r\n\
         To: <sip:{USER}@{HOST}>;tag=2\r\nCall-ID: {CALL}\r\nCSeq: 1 NOTIFY\r\nEvent: dialog;id={CALL}\r\n\
         Subscription-State: active;expires=60\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn dialogs() -> String {
    let xml = format!(
        "<?xml version=\"1.0\"?><dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"3\" state=\"full\" \
         entity=\"sip:{NUMBER}@{HOST}\"><dialog id=\"{CALL}\" call-id=\"{CALL}\" local-tag=\"{CALL}\" direction=\"recipient\">\
         <state>confirmed</state><remote><identity display=\"{NAME}\">sip:{NUMBER}@{HOST}</identity>\
         <target uri=\"sip:{USER}:{PASSWORD}@{ADDRESS}\"/></remote></dialog></dialog-info>"
    );
    with_body("application/dialog-info+xml", &xml)
}

fn messages() -> Vec<String> {
    vec![
        invite(),
        refer(),
        challenge(),
        dialogs(),
        with_body("application/dtmf-relay", &format!("{DIGITS}\r\nDuration=100\r\n")),
        with_body(
            "message/sipfrag",
            &format!(
                "SIP/2.0 200 {NAME}\r\nTo: <sip:{NUMBER}@{HOST}>\r\nAuthorization: Digest response=\"{RESPONSE}\"\r\n"
            ),
        ),
        with_body("text/plain", TEXT),
        with_body("application/pidf+xml", &format!("<presence entity=\"{NUMBER}\"/>{PASSWORD}")),
        with_body(
            "application/simple-message-summary",
            &format!(
                "Messages-Waiting: yes\r\nMessage-Account: sip:{NUMBER}@{HOST}\r\nVoice-Message: 2/8 (0/2)\r\nSubject: {NAME} {PASSWORD}\r\n"
            ),
        ),
    ]
}

fn holds(text: &str, what: &str) -> bool {
    text.to_lowercase().contains(&what.to_lowercase())
}

#[test]
fn no_secret_is_shown_to_anybody() {
    for message in messages() {
        let shown = Redactor::new(Wish::default()).message(message.as_bytes());
        for secret in SECRETS {
            assert!(!holds(&shown, secret), "{secret} in\n{shown}");
        }
        assert!(holds(&shown, USER), "only secrets are taken away:\n{shown}");
    }
}

#[test]
fn what_people_wrote_is_left_out_when_that_is_wished() {
    let message = with_body("text/plain", TEXT);
    assert!(holds(&Redactor::default().message(message.as_bytes()), TEXT));
    let wish = Wish { without_texts: true, ..Wish::default() };
    let shown = Redactor::new(wish).message(message.as_bytes());
    assert!(shown.ends_with("\n(16 bytes left out)\n"), "{shown}");
}

#[test]
fn a_stranger_sees_no_number_name_or_address() {
    for message in messages() {
        let shown = Redactor::new(Wish { anonymous: true, ..Wish::default() }).message(message.as_bytes());
        for hidden in SECRETS.iter().chain(&PRIVATE) {
            assert!(!holds(&shown, hidden), "{hidden} in\n{shown}");
        }
    }
}

#[test]
fn the_same_number_has_the_same_pseudonym_throughout_a_trace() {
    let mut redactor = Redactor::new(Wish { anonymous: true, ..Wish::default() });
    let shown = redactor.message(invite().as_bytes());
    let expected = "INVITE sip:number-1@host-1.invalid;user=phone SIP/2.0\n\
         Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=branch-1\n\
         From: \"name-1\" <sip:user-1@host-1.invalid>;tag=tag-1\nTo: <tel:number-1>\nCall-ID: call-1\nCSeq: 7 INVITE\n\
         Contact: <sip:user-1@192.0.2.1:5060>\n\
         P-Asserted-Identity: \"number-1\" <sip:number-1@host-1.invalid>, <tel:number-1>\n";
    assert!(shown.starts_with(expected), "{shown}");
    assert!(shown.contains("\nc=IN IP4 192.0.2.1\n"), "{shown}");
    assert!(shown.contains("\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:…\n"), "{shown}");
    let dialogs = redactor.message(dialogs().as_bytes());
    assert!(
        dialogs.contains("<identity display=\"name-1\">sip:number-1@host-1.invalid</identity>"),
        "{dialogs}"
    );
    let refer = redactor.message(refer().as_bytes());
    assert!(refer.contains("Refer-To: <sip:number-1@host-1.invalid?Replaces="), "{refer}");
    assert_eq!(
        redactor.peer(Peer::new(Transport::Tls, format!("{ADDRESS}:5061").parse().unwrap())),
        "tls:192.0.2.1:5061"
    );
}

#[test]
fn numbers_are_the_same_with_and_without_separators() {
    let mut names = Names::default();
    assert_eq!(names.user("+49 (30) 98-76"), names.user("+49309876"));
    assert_eq!(names.user("*97"), "number-2");
    assert_eq!(names.host("[2001:db8:1::9]"), "2001:db8::1");
    assert_eq!(names.host("0.0.0.0"), "0.0.0.0", "a hold stays one");
}

#[test]
fn pseudonyms_are_bounded() {
    let mut names = Names::default();
    for number in 0..MAX_PSEUDONYMS + 5 {
        names.user(&number.to_string());
    }
    assert_eq!(names.user("a stranger"), "user-0");
    assert_eq!(names.user("7"), "number-8");
}

#[test]
fn what_is_no_sip_is_told_by_its_size() {
    assert_eq!(Redactor::default().message(b"\x16\x03\x01 secret"), "(10 bytes that are no SIP)\n");
    assert_eq!(Redactor::default().message(b""), "(0 bytes that are no SIP)\n");
}

#[test]
fn nothing_shown_moves_a_cursor_and_it_can_be_read_back() {
    let text = "SIP/2.0 200 \x1b]52;c;x\x07\u{202e}\\ Zoë\r\nSubject: a\x00b\r\n\r\n";
    let shown = Redactor::default().message(text.as_bytes());
    assert_eq!(shown, "SIP/2.0 200 \\u{1b}]52;c;x\\u{7}\\u{202e}\\\\ Zoë\nSubject: a\\u{0}b\n");
    let back: Vec<String> = shown.lines().map(unescaped).collect();
    assert_eq!(back[0], text.lines().next().unwrap());
    assert_eq!(unescaped("\\u{zz} \\x \\"), "\\u{zz} \\x \\");
}

#[test]
fn a_header_hidden_behind_a_lone_carriage_return_is_a_header() {
    let message = format!("SIP/2.0 200 OK\r\nX: a\rAuthorization: Basic {PASSWORD}\r\n\r\n");
    let shown = Redactor::default().message(message.as_bytes());
    assert!(!holds(&shown, PASSWORD), "{shown}");
}

#[test]
fn a_text_has_a_largest_size() {
    let message = format!("SIP/2.0 200 OK\r\n{}\r\n\r\n", "X: \x01\x02\x03\x04\r\n".repeat(9_000));
    assert!(Redactor::default().message(message.as_bytes()).len() < MAX_TEXT + 1_000);
}

/// Pieces taken out, doubled, moved and overwritten, but never inside of what must not get out: a torn number is another.
fn torn(message: &str, cuts: &[(u16, u16, u8)]) -> Vec<u8> {
    let mut bytes = message.as_bytes().to_vec();
    for (at, length, how) in cuts {
        let at = usize::from(*at) % bytes.len().max(1);
        let end = (at + usize::from(*length) % 60).min(bytes.len());
        match how % 4 {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let piece = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            2 => {
                let spite: [&[u8]; 8] = [b"\r\n", b"\"", b"<", b">", b"\r\n ", b";", b",", b"\\"];
                let piece = spite[usize::from(*length) % spite.len()];
                drop(bytes.splice(at..at, piece.iter().copied()));
            }
            _ => bytes[at..end].reverse(),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn a_stranger_sees_nothing_of_a_torn_message_either(
        which in 0usize..9,
        cuts in prop::collection::vec(any::<(u16, u16, u8)>(), 0..6),
    ) {
        let bytes = torn(&messages()[which], &cuts);
        let shown = Redactor::new(Wish { anonymous: true, ..Wish::default() }).message(&bytes);
        for hidden in SECRETS.iter().chain(&PRIVATE) {
            prop_assert!(!holds(&shown, hidden), "{} in\n{}", hidden, shown);
        }
    }

    #[test]
    fn bytes_of_any_kind_become_printable_lines(bytes in prop::collection::vec(any::<u8>(), 0..400), anonymous: bool) {
        let message = [b"SIP/2.0 200 OK\r\n".as_slice(), &bytes].concat();
        let shown = Redactor::new(Wish { anonymous, without_texts: false }).message(&message);
        prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()));
    }
}
