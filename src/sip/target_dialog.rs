//! The Target-Dialog header (RFC 4538): which dialog a request outside of it is about.

use super::message::lexis;
use std::fmt;

/// A dialog, named by the one who sends the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetDialog {
    /// Call-ID.
    pub call_id: String,
    /// The sender's own tag.
    pub local_tag: String,
    /// The receiver's.
    pub remote_tag: String,
}

impl TargetDialog {
    /// Reads the header's value; `None` unless Call-ID and both tags are there, each once.
    pub fn read(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let call_id = parts.next().filter(|id| is_word(id))?.to_owned();
        let (mut local, mut remote) = (None, None);
        for part in parts {
            let (name, value) = part.split_once('=').map_or((part, ""), |(n, v)| (n.trim(), v.trim()));
            let slot = match name.to_ascii_lowercase().as_str() {
                "local-tag" => &mut local,
                "remote-tag" => &mut remote,
                _ => continue,
            };
            if slot.is_some() || !lexis::is_token(value) {
                return None;
            }
            *slot = Some(value.to_owned());
        }
        Some(Self { call_id, local_tag: local?, remote_tag: remote? })
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, ';' | ','))
}

impl fmt::Display for TargetDialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |text: &str| -> String {
            text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, ';' | ',')).collect()
        };
        let (call_id, local, remote) = (word(&self.call_id), word(&self.local_tag), word(&self.remote_tag));
        write!(f, "{call_id};local-tag={local};remote-tag={remote}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_read_and_written() {
        // RFC 4538 7.
        let text = "fa77as7dad8-sd98ajzz@host.example.com;local-tag=kkaz-;remote-tag=6544";
        let read = TargetDialog::read(text).unwrap();
        assert_eq!((read.local_tag.as_str(), read.remote_tag.as_str()), ("kkaz-", "6544"));
        assert_eq!(read.to_string(), text);
    }

    #[test]
    fn half_a_dialog_is_none() {
        for bad in
            ["", "a", "a;local-tag=1", ";local-tag=1;remote-tag=2", "a;local-tag=1;local-tag=1;remote-tag=2"]
        {
            assert_eq!(TargetDialog::read(bad), None, "{bad}");
        }
    }
}
