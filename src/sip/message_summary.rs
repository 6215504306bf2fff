//! Message summaries (RFC 3842): whether messages wait, and how many. As Asterisk, FreeSWITCH and Kamailio send them,
//! asked for or not.

use std::fmt::Write as _;

/// The Content-Type of these documents.
pub const CONTENT_TYPE: &str = "application/simple-message-summary";
/// The event package.
pub const EVENT: &str = "message-summary";
/// The largest document, in bytes.
pub const MAX_BODY: usize = 16_384;
/// The most lines of it that are read.
const MAX_LINES: usize = 64;
/// The longest Message-Account that is kept, in bytes.
const MAX_ACCOUNT: usize = 512;

/// The message context classes of RFC 3458.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// `Voice-Message`
    Voice,
    /// `Fax-Message`
    Fax,
    /// `Pager-Message`
    Pager,
    /// `Multimedia-Message`
    Multimedia,
    /// `Text-Message`
    Text,
    /// `None`
    Other,
}

impl Class {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Voice, "Voice-Message"),
        (Self::Fax, "Fax-Message"),
        (Self::Pager, "Pager-Message"),
        (Self::Multimedia, "Multimedia-Message"),
        (Self::Text, "Text-Message"),
        (Self::Other, "None"),
    ];

    fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(word)).map(|(class, _)| class)
    }

    /// The word in the document.
    pub fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(class, _)| *class == self).map_or("None", |(_, name)| name)
    }
}

/// How many messages of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Not heard yet.
    pub new: u32,
    /// Heard, and kept.
    pub old: u32,
    /// Those of `new` that are urgent.
    pub urgent_new: u32,
    /// Those of `old` that are urgent.
    pub urgent_old: u32,
}

/// One document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageSummary {
    /// Whether messages wait: all that some servers say.
    pub waiting: bool,
    /// Whose mailbox, as a URI, if told.
    pub account: Option<String>,
    /// How many of each class, each class once.
    pub counts: Vec<(Class, Counts)>,
}

impl MessageSummary {
    /// The counts of voice messages, if told.
    pub fn voice(&self) -> Option<Counts> {
        self.counts.iter().find(|(class, _)| *class == Class::Voice).map(|(_, counts)| *counts)
    }
}

/// Reads a document; the error says in words what is wrong with it.
pub fn read(body: &[u8]) -> Result<MessageSummary, String> {
    if body.len() > MAX_BODY {
        return Err("the message summary is too large".into());
    }
    let text = String::from_utf8_lossy(body);
    let mut summary = MessageSummary::default();
    let mut stated = false;
    // Behind an empty line come headers of single messages: not ours to read.
    for line in
        text.lines().map(str::trim).skip_while(|l| l.is_empty()).take_while(|l| !l.is_empty()).take(MAX_LINES)
    {
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("Messages-Waiting") {
            summary.waiting = match value.to_ascii_lowercase().as_str() {
                "yes" => true,
                "no" => false,
                _ => return Err("messages wait neither yes nor no".into()),
            };
            stated = true;
        } else if name.eq_ignore_ascii_case("Message-Account") && value.len() <= MAX_ACCOUNT {
            summary.account = Some(value.to_owned());
        } else if let Some(class) = Class::read(name) {
            let counts = counts(value).ok_or("the messages are not counted in numbers")?;
            summary.counts.retain(|(held, _)| *held != class);
            summary.counts.push((class, counts));
        }
    }
    if stated { Ok(summary) } else { Err("the message summary doesn't say whether messages wait".into()) }
}

/// `2/8`, `2/8 (0/2)`.
fn counts(value: &str) -> Option<Counts> {
    let (all, urgent) = match value.split_once('(') {
        Some((all, urgent)) => (all, urgent.trim().strip_suffix(')')?),
        None => (value, "0/0"),
    };
    let pair = |text: &str| {
        let (new, old) = text.trim().split_once('/')?;
        Some((number(new)?, number(old)?))
    };
    let ((new, old), (urgent_new, urgent_old)) = (pair(all)?, pair(urgent)?);
    Some(Counts { new, old, urgent_new, urgent_old })
}

/// Digits; more than we can count is as many as we can.
fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// The document as bytes.
pub fn write(summary: &MessageSummary) -> Vec<u8> {
    let mut text = format!("Messages-Waiting: {}\r\n", if summary.waiting { "yes" } else { "no" });
    if let Some(account) = &summary.account {
        let account: String = account.chars().filter(|c| !c.is_control()).collect();
        let _ = write!(text, "Message-Account: {account}\r\n");
    }
    for (class, counts) in &summary.counts {
        let Counts { new, old, urgent_new, urgent_old } = counts;
        let _ = write!(text, "{}: {new}/{old} ({urgent_new}/{urgent_old})\r\n", class.word());
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read_as_the_rfc_and_asterisk_write_it() {
        let rfc = b"Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\nVoice-Message: 2/8 (0/2)\r\n\r\nTo: <alice@atlanta.example.com>\r\nVoice-Message: 9/9\r\n";
        let summary = read(rfc).unwrap();
        assert!(summary.waiting);
        assert_eq!(summary.account.as_deref(), Some("sip:alice@vmail.example.com"));
        assert_eq!(summary.voice(), Some(Counts { new: 2, old: 8, urgent_new: 0, urgent_old: 2 }));
        let asterisk = b"Messages-Waiting: no\r\nMessage-Account: sip:asterisk@127.0.0.1;user=phone\r\nVoice-Message: 0/3 (0/0)\r\n";
        let summary = read(asterisk).unwrap();
        assert!(!summary.waiting);
        assert_eq!(summary.voice().unwrap().old, 3);
        assert_eq!(
            read(b"messages-waiting:YES\n"),
            Ok(MessageSummary { waiting: true, ..MessageSummary::default() })
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let counts = Counts { new: 1, old: 2, urgent_new: 3, urgent_old: u32::MAX };
        let summary = MessageSummary {
            waiting: true,
            account: Some("sip:a@b".into()),
            counts: vec![(Class::Voice, counts), (Class::Fax, Counts::default())],
        };
        assert_eq!(read(&write(&summary)), Ok(summary));
    }

    #[test]
    fn hostile_summaries_are_refused_and_numbers_have_an_end() {
        for (body, reason) in [
            (String::new(), "doesn't say"),
            ("Voice-Message: 1/1".into(), "doesn't say"),
            ("Messages-Waiting: maybe".into(), "neither"),
            ("Messages-Waiting: yes\r\nVoice-Message: -1/1".into(), "numbers"),
            ("Messages-Waiting: yes\r\nVoice-Message: 1/1 (1/1".into(), "numbers"),
            ("Messages-Waiting: yes\r\nVoice-Message: ".into(), "numbers"),
            ("x".repeat(MAX_BODY + 1), "too large"),
        ] {
            assert!(read(body.as_bytes()).unwrap_err().contains(reason), "{body:.60}");
        }
        let many = read(b"Messages-Waiting: yes\r\nVoice-Message: 99999999999999999999/0").unwrap();
        assert_eq!(many.voice().unwrap().new, u32::MAX);
    }
}
