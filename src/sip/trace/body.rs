//! Bodies of a redacted message: those that are understood, without what is secret; of others the size.

use super::names::Kind;
use super::scrub::{BLANK, scrub};
use super::{MAX_LINES, Redactor, push};
use crate::sip::dialog_info::{self, DialogInfo, Party};
use crate::sip::message::lexis;
use crate::sip::sipfrag;

/// Attributes of a session description that tell nothing about anybody.
const ATTRIBUTES: [&str; 20] = [
    "rtpmap",
    "fmtp",
    "ptime",
    "maxptime",
    "sendrecv",
    "sendonly",
    "recvonly",
    "inactive",
    "rtcp-mux",
    "rtcp-fb",
    "rtcp-rsize",
    "rtcp-xr",
    "setup",
    "connection",
    "mid",
    "group",
    "ice-lite",
    "ice-options",
    "end-of-candidates",
    "silenceSupp",
];
/// The longest value of such an attribute that is shown to a stranger.
const MAX_ATTRIBUTE: usize = 120;

/// The suites of `a=crypto` (RFC 4568, RFC 6188, RFC 7714): any other word there may be somebody's name, or a key.
const SUITES: [&str; 9] = [
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
    "AES_192_CM_HMAC_SHA1_80",
    "AES_192_CM_HMAC_SHA1_32",
    "AES_256_CM_HMAC_SHA1_80",
    "AES_256_CM_HMAC_SHA1_32",
    "AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM",
    "F8_128_HMAC_SHA1_80",
];

impl Redactor {
    /// Adds what may be shown of a body.
    pub(super) fn body(&mut self, text: &mut String, content_type: &str, body: &[u8]) {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let anonymous = self.wish.anonymous;
        let lines = || -> Vec<String> {
            let lines = body.split(|b| *b == b'\n').take(MAX_LINES);
            lines.map(|line| String::from_utf8_lossy(line).trim_end_matches('\r').to_owned()).collect()
        };
        let shown: Option<Vec<String>> = match kind {
            "application/sdp" => Some(lines().iter().filter_map(|line| self.session_line(line)).collect()),
            "message/sipfrag" if anonymous => {
                sipfrag::read(body).map(|(status, _)| vec![self.start_line(&format!("SIP/2.0 {status} x"))])
            }
            "message/sipfrag" => Some(lines().iter().map(|line| self.fragment_line(line)).collect()),
            "application/dialog-info+xml" if anonymous => {
                dialog_info::read(body).ok().map(|info| self.dialogs(info))
            }
            "application/dialog-info+xml" => Some(lines().iter().map(|line| scrub(line)).collect()),
            "application/simple-message-summary" => {
                Some(lines().iter().filter_map(|line| self.summary_line(line)).collect())
            }
            "text/plain" if !anonymous && !self.wish.without_texts => {
                Some(lines().iter().map(|line| scrub(line)).collect())
            }
            _ => None,
        };
        match shown {
            Some(lines) => lines.iter().for_each(|line| push(text, line)),
            None => push(text, &format!("({} bytes left out)", body.len())),
        }
    }

    fn fragment_line(&mut self, line: &str) -> String {
        if line.starts_with("SIP/") || line.is_empty() { scrub(line) } else { self.header(line).1 }
    }

    /// A line of a session description; `None` if it is left out.
    fn session_line(&mut self, line: &str) -> Option<String> {
        let (letter, value) = lexis::cut(line, b'=')?;
        let value = value.trim();
        match (letter, self.wish.anonymous) {
            // RFC 8866 5.12: obsolete, and a key.
            ("k", _) => Some(format!("k={BLANK}")),
            ("a", anonymous) => {
                let (name, rest) = lexis::cut(value, b':').map_or((value, None), |(n, r)| (n, Some(r)));
                self.attribute(anonymous, name.trim(), rest).map(|shown| format!("a={shown}"))
            }
            (_, false) => Some(scrub(line)),
            ("v", true) => Some("v=0".to_owned()),
            ("o", true) => Some(self.origin(value)),
            ("s", true) => Some("s=-".to_owned()),
            ("c", true) => {
                let host = value.split_ascii_whitespace().nth(2).unwrap_or_default();
                Some(self.connection("c", host))
            }
            ("t", true) => Some("t=0 0".to_owned()),
            ("m", true) => media_line(value),
            _ => None,
        }
    }

    fn origin(&mut self, value: &str) -> String {
        let parts: Vec<&str> = value.split_ascii_whitespace().collect();
        let part = |at: usize| parts.get(at).copied().unwrap_or_default();
        let session = self.names.of(Kind::Session, part(1));
        let version = self.names.of(Kind::Session, part(2));
        format!("o=- {session} {version} {}", self.connection("", part(5)).trim_start_matches('='))
    }

    fn connection(&mut self, letter: &str, host: &str) -> String {
        let host = self.names.host(host);
        let family = if host.contains(':') { "IP6" } else { "IP4" };
        format!("{letter}=IN {family} {host}")
    }

    fn attribute(&mut self, anonymous: bool, name: &str, value: Option<&str>) -> Option<String> {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "crypto" => {
                // Tag and suite, as far as they are such; everything behind is keys and their parameters (RFC 4568 9.1).
                let words = value.unwrap_or_default().split_ascii_whitespace().take(2);
                let tag = |w: &str| w.len() <= 2 && w.bytes().all(|b| b.is_ascii_digit());
                let shown: Vec<&str> = words.filter(|w| tag(w) || SUITES.contains(w)).collect();
                return Some(format!("crypto:{} inline:{BLANK}", shown.join(" ")));
            }
            "ice-pwd" | "ice-ufrag" | "key-mgmt" | "zrtp-hash" => return Some(format!("{lower}:{BLANK}")),
            _ => {}
        }
        if !anonymous {
            let shown = value.map(|value| format!(":{}", scrub(value))).unwrap_or_default();
            return Some(format!("{name}{shown}"));
        }
        if lower == "fingerprint" {
            // It names a certificate, and so its owner.
            let hash =
                value.and_then(|v| v.split_ascii_whitespace().next()).filter(|h| h.starts_with("sha-"));
            return Some(format!("fingerprint:{} {BLANK}", hash.filter(|h| h.len() < 8).unwrap_or(BLANK)));
        }
        let known = ATTRIBUTES.iter().find(|known| known.eq_ignore_ascii_case(name))?;
        let Some(value) = value else { return Some((*known).to_owned()) };
        let sound = value.len() <= MAX_ATTRIBUTE && is_technical(value);
        Some(format!("{known}:{}", if sound { value } else { BLANK }))
    }

    /// A dialog-info document with pseudonyms.
    fn dialogs(&mut self, mut info: DialogInfo) -> Vec<String> {
        info.entity = self.names.uri_text(&info.entity);
        for dialog in &mut info.dialogs {
            dialog.id = self.names.of(Kind::Session, &dialog.id);
            dialog.call_id = dialog.call_id.take().map(|id| self.names.of(Kind::Call, &id));
            for tag in [&mut dialog.local_tag, &mut dialog.remote_tag] {
                *tag = tag.take().map(|tag| self.names.of(Kind::Tag, &tag));
            }
            for party in [&mut dialog.local, &mut dialog.remote, &mut dialog.referred_by] {
                *party = party.take().map(|party| self.party(&party));
            }
            // What was written down about a caller is nobody else's.
            dialog.note = None;
        }
        let written = dialog_info::write(&info);
        String::from_utf8_lossy(&written).lines().map(str::to_owned).collect()
    }

    fn party(&mut self, party: &Party) -> Party {
        Party {
            display: party.display.as_deref().map(|name| self.names.display(name)),
            uri: self.names.uri_text(&party.uri),
            target: party.target.as_deref().map(|target| self.names.uri_text(target)),
            params: Vec::new(),
        }
    }

    /// A line of a message summary (RFC 3842); the headers of the messages themselves are left out.
    fn summary_line(&mut self, line: &str) -> Option<String> {
        let (name, value) = lexis::cut(line, b':')?;
        match name.trim().to_ascii_lowercase().as_str() {
            "message-account" if self.wish.anonymous => {
                Some(format!("Message-Account: {}", self.names.uri_text(value)))
            }
            "message-account" => Some(scrub(line)),
            "messages-waiting" if value.trim().len() <= 3 => Some(line.to_owned()),
            "voice-message" | "fax-message" | "text-message" | "multimedia-message" => {
                let counted = |b: u8| b.is_ascii_digit() || b"/() ".contains(&b);
                (value.len() < 30 && value.bytes().all(counted)).then(|| line.to_owned())
            }
            _ => None,
        }
    }
}

/// Whether a value has nothing but the words below and numbers of at most six digits (clocks, bit rates).
fn is_technical(value: &str) -> bool {
    let apart = |c: char| " -./=;,*+".contains(c);
    value.split(apart).filter(|word| !word.is_empty()).all(|word| {
        let number = word.len() <= 6 && word.bytes().all(|b| b.is_ascii_digit());
        number || TECHNICAL.iter().any(|known| known.eq_ignore_ascii_case(word))
    })
}

/// What stands in attributes of audio.
const TECHNICAL: [&str; 44] = [
    "pcmu",
    "pcma",
    "opus",
    "g722",
    "g729",
    "g726",
    "gsm",
    "ilbc",
    "speex",
    "l16",
    "amr",
    "wb",
    "telephone",
    "event",
    "cn",
    "useinbandfec",
    "x",
    "dred",
    "usedtx",
    "stereo",
    "sprop",
    "cbr",
    "maxaveragebitrate",
    "maxplaybackrate",
    "minptime",
    "maxptime",
    "mode",
    "annexb",
    "octet",
    "align",
    "yes",
    "no",
    "on",
    "off",
    "active",
    "passive",
    "actpass",
    "holdconn",
    "new",
    "existing",
    "audio",
    "video",
    "bundle",
    "nack",
];

/// An `m=` line: what media, the port, the profile, payload numbers.
fn media_line(value: &str) -> Option<String> {
    let mut parts = value.split_ascii_whitespace();
    let kind =
        parts.next().filter(|kind| ["audio", "video", "image", "application", "text"].contains(kind))?;
    let port = parts.next().and_then(|port| port.parse::<u16>().ok())?;
    let profile =
        parts.next().filter(|p| p.len() < 30 && p.bytes().all(|b| b.is_ascii_uppercase() || b == b'/'))?;
    let formats: Vec<String> = parts.filter_map(|f| f.parse::<u8>().ok()).map(|f| f.to_string()).collect();
    Some(format!("m={kind} {port} {profile} {}", formats.join(" ")).trim_end().to_owned())
}
