//! Start line and headers of a redacted message.

use super::Redactor;
use super::names::{Kind, is_word};
use super::scrub::{BLANK, scrub};
use crate::sip::message::{Headers, Method, NameAddr, Via, lexis, reason_phrase};

/// Headers with credentials or challenges, and the one that is a ticket of our lot.
const CREDENTIALS: [&str; 7] = [
    "Authorization",
    "Proxy-Authorization",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Authentication-Info",
    "Proxy-Authentication-Info",
    "Parkdeck-Ticket",
];
/// Fields of credentials that are shown: they tell how, not with what.
const SHOWN_FIELDS: [&str; 7] = ["realm", "username", "uri", "algorithm", "qop", "stale", "nc"];

/// Fields of which only the name is shown.
const HIDDEN_FIELDS: [&str; 6] = ["response", "nonce", "cnonce", "opaque", "nextnonce", "rspauth"];

/// Headers that are lists of addresses.
const ADDRESSES: [&str; 16] = [
    "From",
    "To",
    "Contact",
    "Route",
    "Record-Route",
    "Path",
    "Service-Route",
    "Refer-To",
    "Referred-By",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "P-Called-Party-ID",
    "P-Associated-URI",
    "Remote-Party-ID",
    "Diversion",
    "History-Info",
];
/// Headers that are a number.
const NUMBERS: [&str; 9] = [
    "Max-Forwards",
    "Expires",
    "Min-Expires",
    "Min-SE",
    "Content-Length",
    "RSeq",
    "Retry-After",
    "Session-Expires",
    "Timestamp",
];
/// Headers that are lists of words of the protocol.
const WORDS: [&str; 13] = [
    "Allow",
    "Allow-Events",
    "Supported",
    "Require",
    "Proxy-Require",
    "Unsupported",
    "Event",
    "Subscription-State",
    "Content-Type",
    "Accept",
    "Content-Disposition",
    "Privacy",
    "Refer-Sub",
];

/// Further headers of which something is shown.
const OTHERS: [&str; 9] =
    ["Via", "Call-ID", "Replaces", "Target-Dialog", "CSeq", "RAck", "Reason", "User-Agent", "Server"];

/// The words of the protocol that may stand in [`WORDS`], in lower case: option tags, event packages and what becomes
/// of subscriptions, media types, privacy.
const VOCABULARY: [&str; 62] = [
    "100rel",
    "timer",
    "replaces",
    "norefersub",
    "outbound",
    "path",
    "gruu",
    "eventlist",
    "join",
    "tdialog",
    "histinfo",
    "from-change",
    "precondition",
    "privacy",
    "sec-agree",
    "uui",
    "answermode",
    "multiple-refer",
    "resource-priority",
    "recipient-list-subscribe",
    "dialog",
    "presence",
    "message-summary",
    "refer",
    "reg",
    "conference",
    "call-info",
    "x-broadworks-callpark",
    "as-feature-event",
    "ua-profile",
    "active",
    "pending",
    "terminated",
    "deactivated",
    "probation",
    "rejected",
    "timeout",
    "giveup",
    "noresource",
    "invariant",
    "application/sdp",
    "application/dialog-info+xml",
    "application/pidf+xml",
    "application/xpidf+xml",
    "application/simple-message-summary",
    "application/dtmf-relay",
    "application/dtmf",
    "application/rlmi+xml",
    "multipart/related",
    "multipart/mixed",
    "message/sipfrag",
    "text/plain",
    "session",
    "render",
    "id",
    "header",
    "user",
    "none",
    "critical",
    "true",
    "false",
    "*/*",
];

impl Redactor {
    /// The start line.
    pub(super) fn start_line(&mut self, line: &str) -> String {
        if !self.wish.anonymous {
            return scrub(line);
        }
        if let Some(reply) = line.strip_prefix("SIP/") {
            let code = reply.split(' ').nth(1).unwrap_or_default();
            return match code.parse::<u16>() {
                // The phrase is the sender's own text.
                Ok(status) if code.len() == 3 => format!("SIP/2.0 {code} {}", reason_phrase(status)),
                _ => format!("SIP/{BLANK}"),
            };
        }
        let (method, rest) = line.split_once(' ').unwrap_or((line, ""));
        let target = rest.trim().rsplit_once(' ').map_or("", |(target, _)| target);
        format!("{} {} SIP/2.0", method_word(method), self.names.uri_text(target))
    }

    /// A header's full name, and its line as it may be shown.
    pub(super) fn header(&mut self, line: &str) -> (String, String) {
        let (name, value) = lexis::cut(line, b':').unwrap_or((line, ""));
        let name = name.trim();
        if !lexis::is_token(name) {
            return (String::new(), format!("({} bytes that are no header)", line.len()));
        }
        // The store of headers knows compact names and usual spellings.
        let mut store = Headers::new();
        store.push(name, value);
        let (name, value) =
            store.iter().next().map(|(n, v)| (n.to_owned(), v.to_owned())).unwrap_or_default();
        let secret = CREDENTIALS.iter().any(|held| held.eq_ignore_ascii_case(&name));
        let shown = match (secret, self.wish.anonymous) {
            (true, _) => self.credentials(&value),
            (false, true) => self.anonymous(&name, &value),
            (false, false) => scrub(&value),
        };
        // A name that nobody knows may be anybody's: a torn message can make one of a Call-ID.
        let told = !self.wish.anonymous || secret || is_known(&name);
        let line = format!("{}: {shown}", if told { &name } else { BLANK });
        (name, line)
    }

    /// Credentials and challenges: the scheme, and how; of a scheme that isn't known nothing else.
    fn credentials(&mut self, value: &str) -> String {
        let (scheme, rest) = value.trim().split_once(' ').unwrap_or(("", value));
        let digest = scheme.eq_ignore_ascii_case("Digest");
        if !digest && !scheme.is_empty() {
            return BLANK.to_owned();
        }
        let Some(fields) = lexis::split_outside(rest, ',') else { return format!("{scheme} {BLANK}") };
        let fields: Vec<String> = fields.map(|field| self.field(field)).collect();
        format!("{scheme} {}", fields.join(", ")).trim_start().to_owned()
    }

    fn field(&mut self, field: &str) -> String {
        let Some((name, value)) = lexis::cut(field, b'=') else { return BLANK.to_owned() };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if !SHOWN_FIELDS.contains(&name.as_str()) {
            let known = HIDDEN_FIELDS.contains(&name.as_str());
            return if known { format!("{name}={BLANK}") } else { BLANK.to_owned() };
        }
        let plain = lexis::unquote(value).unwrap_or_else(|| value.to_owned());
        let shown = match (name.as_str(), self.wish.anonymous) {
            ("realm", true) => self.names.host(&plain),
            ("username", true) => self.names.user(&plain),
            ("uri", true) => self.names.uri_text(&plain),
            ("nc", true) => plain.parse::<u32>().map_or_else(|_| BLANK.to_owned(), |_| plain),
            (_, true) => digest_words(&plain),
            (_, false) => scrub(&plain),
        };
        format!("{name}={}", lexis::quote(&shown))
    }

    /// The value of a header, with nothing of anybody in it.
    fn anonymous(&mut self, name: &str, value: &str) -> String {
        let is = |known: &&str| known.eq_ignore_ascii_case(name);
        if ADDRESSES.iter().any(&is) {
            return if value == "*" { value.to_owned() } else { self.addresses(value) };
        }
        if WORDS.iter().any(&is) {
            return words(value);
        }
        if NUMBERS.iter().any(&is) {
            return number(value);
        }
        match name {
            "Via" => self.vias(value),
            "Call-ID" => self.names.of(Kind::Call, value),
            "Replaces" | "Target-Dialog" => self.names.dialog(value),
            "CSeq" | "RAck" => value
                .split_ascii_whitespace()
                .map(|part| if part.parse::<u32>().is_ok() { part.to_owned() } else { method_word(part) })
                .collect::<Vec<_>>()
                .join(" "),
            "Reason" => reason(value),
            "User-Agent" | "Server" => product(value),
            _ => format!("({} bytes left out)", value.len()),
        }
    }

    fn addresses(&mut self, value: &str) -> String {
        let one = |names: &mut super::names::Names, text: &str| {
            NameAddr::parse(text).map_or_else(|| BLANK.to_owned(), |address| names.address(&address))
        };
        if NameAddr::parse(value).is_some() {
            return one(&mut self.names, value);
        }
        let Some(values) = lexis::split_outside(value, ',') else { return BLANK.to_owned() };
        values.map(|value| one(&mut self.names, value)).collect::<Vec<_>>().join(", ")
    }

    fn vias(&mut self, value: &str) -> String {
        let Some(values) = lexis::split_outside(value, ',') else { return BLANK.to_owned() };
        let mut shown = Vec::new();
        for value in values {
            let Some(via) = Via::parse(value) else {
                shown.push(BLANK.to_owned());
                continue;
            };
            let host = self.names.host(&via.host);
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            let port = via.port.map(|port| format!(":{port}")).unwrap_or_default();
            let mut transport = ["UDP", "TCP", "TLS", "WS", "WSS", "SCTP"].into_iter();
            let transport = transport.rfind(|t| t.eq_ignore_ascii_case(&via.transport)).unwrap_or(BLANK);
            shown.push(format!("SIP/2.0/{transport} {host}{port}{}", self.names.params(&via.params)));
        }
        shown.join(", ")
    }
}

/// Whether that header, in its usual spelling, is one whose value is shown to a stranger.
fn is_known(name: &str) -> bool {
    let lists: [&[&str]; 4] = [&ADDRESSES, &NUMBERS, &WORDS, &OTHERS];
    lists.iter().any(|list| list.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// A method that we know; others may be anybody's word.
fn method_word(method: &str) -> String {
    match Method::new(method) {
        Method::Other(_) => BLANK.to_owned(),
        known => known.to_string(),
    }
}

/// The number that a value begins with.
fn number(value: &str) -> String {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    match (1..=10).contains(&digits) {
        true => value[..digits].to_owned(),
        false => BLANK.to_owned(),
    }
}

/// Words of the protocol, and of their parameters `expires`, `retry-after` and `reason`; another word is nobody's business.
fn words(value: &str) -> String {
    let Some(values) = lexis::split_outside(value, ',') else { return BLANK.to_owned() };
    let word = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let known = VOCABULARY.contains(&lower.as_str()) || method_word(text) != BLANK;
        if known { text.to_owned() } else { BLANK.to_owned() }
    };
    let one = |value: &str| {
        let mut parts = value.split(';').map(str::trim);
        let mut shown = word(parts.next().unwrap_or_default());
        for (name, value) in parts.filter_map(|part| lexis::cut(part, b'=')) {
            match name {
                "expires" | "retry-after" => shown.push_str(&format!(";{name}={}", number(value))),
                "reason" => shown.push_str(&format!(";{name}={}", word(value))),
                _ => {}
            }
        }
        shown
    };
    values.map(|value| one(value.trim())).collect::<Vec<_>>().join(", ")
}

/// Algorithms, qualities and truths of a digest.
fn digest_words(value: &str) -> String {
    const KNOWN: [&str; 10] = [
        "md5",
        "md5-sess",
        "sha-256",
        "sha-256-sess",
        "sha-512-256",
        "sha-512-256-sess",
        "auth",
        "auth-int",
        "true",
        "false",
    ];
    let known = |word: &&str| KNOWN.iter().any(|known| known.eq_ignore_ascii_case(word));
    value
        .split(',')
        .map(str::trim)
        .map(|word| if known(&word) { word } else { BLANK })
        .collect::<Vec<_>>()
        .join(",")
}

/// Whether more than three digits stand in a row, blanks and separators between them or not.
fn has_run(text: &str) -> bool {
    let digits = text.bytes().filter(|b| !b"-. ()".contains(b));
    let mut run = 0;
    digits.into_iter().any(|b| {
        run = if b.is_ascii_digit() { run + 1 } else { 0 };
        run > 3
    })
}

/// Protocol and cause of a Reason (RFC 3326); its text may say anything.
fn reason(value: &str) -> String {
    let mut parts = value.split(';').map(str::trim);
    let protocol = match parts.next().unwrap_or_default() {
        known @ ("SIP" | "Q.850") => known,
        _ => BLANK,
    };
    let cause = parts.filter_map(|part| lexis::cut(part, b'=')).find(|(name, _)| *name == "cause");
    match cause.filter(|(_, value)| value.len() <= 3) {
        Some((_, value)) => format!("{protocol};cause={}", number(value)),
        None => protocol.to_owned(),
    }
}

/// What kind of thing it is: words without long numbers, which could be a device's.
fn product(value: &str) -> String {
    let known = |word: &&str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-./_()".contains(&b);
        word.len() < 32 && word.bytes().all(plain) && !has_run(word) && !is_hardware(word)
    };
    let shown: Vec<&str> = value.split_ascii_whitespace().filter(known).take(3).collect();
    if shown.is_empty() { BLANK.to_owned() } else { shown.join(" ") }
}

/// Whether a word looks like a MAC address: eight or more hexadecimal digits in a row.
fn is_hardware(word: &str) -> bool {
    let mut run = 0;
    let hex = word.bytes().any(|b| {
        run = if b.is_ascii_hexdigit() { run + 1 } else { 0 };
        run >= 8
    });
    hex || is_word(word)
}
