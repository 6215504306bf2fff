//! The Replaces header (RFC 3891): which dialog a call is to take the place of.

use super::message::lexis;
use std::fmt;

/// A dialog named by somebody else. Knowing it is no authority to take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Call-ID of the dialog.
    pub call_id: String,
    /// The tag of the side that receives the Replaces: its own, local one.
    pub to_tag: String,
    /// The tag of that side's peer: its remote one.
    pub from_tag: String,
    /// Only if the dialog isn't confirmed yet.
    pub early_only: bool,
}

impl Replaces {
    /// Reads the header's value; `None` unless Call-ID and both tags are there, each once.
    pub fn read(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let call_id = parts.next().filter(|id| is_word(id))?.to_owned();
        let (mut to_tag, mut from_tag, mut early_only) = (None, None, false);
        for part in parts {
            let (name, value) = part.split_once('=').map_or((part, ""), |(n, v)| (n.trim(), v.trim()));
            let slot = match name.to_ascii_lowercase().as_str() {
                "to-tag" => &mut to_tag,
                "from-tag" => &mut from_tag,
                "early-only" => {
                    early_only = true;
                    continue;
                }
                _ => continue,
            };
            if slot.is_some() || !lexis::is_token(value) {
                return None;
            }
            *slot = Some(value.to_owned());
        }
        Some(Self { call_id, to_tag: to_tag?, from_tag: from_tag?, early_only })
    }
}

/// Whether `text` can be a Call-ID: visible, and without what separates parameters, headers or lines.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, ';' | ','))
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |text: &str| -> String {
            text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, ';' | ',')).collect()
        };
        let (call_id, to, from) = (word(&self.call_id), word(&self.to_tag), word(&self.from_tag));
        write!(f, "{call_id};to-tag={to};from-tag={from}")?;
        if self.early_only { f.write_str(";early-only") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Uri;

    #[test]
    fn it_travels_in_a_refer_to() {
        let replaces = Replaces::read("abc@pbx ; to-tag=1;FROM-TAG = 2 ;early-only;x=y").unwrap();
        assert_eq!(replaces.to_string(), "abc@pbx;to-tag=1;from-tag=2;early-only");
        let mut target = Uri::sip("102", "pbx");
        target.headers.push(("Replaces".into(), replaces.to_string()));
        let read = Uri::parse(&target.to_string()).unwrap();
        assert_eq!(Replaces::read(read.header("Replaces").unwrap()), Some(replaces));
    }

    #[test]
    fn half_a_dialog_is_none() {
        for bad in [
            "",
            "a",
            "a;to-tag=1",
            ";to-tag=1;from-tag=2",
            "a;to-tag=1;to-tag=2;from-tag=3",
            "a;to-tag=;from-tag=1",
        ] {
            assert_eq!(Replaces::read(bad), None, "{bad}");
        }
    }
}
