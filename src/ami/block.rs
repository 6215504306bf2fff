//! One block of the manager interface: `Key: Value` lines up to an empty one. And how an action is written.

use std::fmt::Write as _;

/// What a server writes where it knows nothing.
const UNKNOWN: &str = "<unknown>";

/// One block as it came: a response or an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    fields: Vec<(String, String)>,
}

impl Block {
    pub(super) fn push(&mut self, key: String, value: String) {
        self.fields.push((key, value));
    }

    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of a key, without case. One that stands there twice says nothing: which of them is true?
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(k, _)| k.eq_ignore_ascii_case(key));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// The same; empty where it is missing, empty or unknown to the server.
    pub(super) fn known(&self, key: &str) -> &str {
        self.get(key).filter(|value| *value != UNKNOWN).unwrap_or_default()
    }

    /// Whether an action went well; `None` where the block answers none.
    pub(super) fn succeeded(&self) -> Option<bool> {
        self.get("Response").map(|word| word.eq_ignore_ascii_case("Success"))
    }

    /// The number of the action that this belongs to.
    pub(super) fn action(&self) -> Option<u64> {
        self.get("ActionID")?.strip_prefix(ACTION_PREFIX)?.parse().ok()
    }

    /// Whether it is this event.
    pub(super) fn is_event(&self, name: &str) -> bool {
        self.get("Event").is_some_and(|event| event.eq_ignore_ascii_case(name))
    }
}

/// What our action's numbers begin with.
const ACTION_PREFIX: &str = "parkdeck-";

/// An action as it goes out. What could end a line is left out of values, so that nobody adds lines by a name.
pub(super) fn action(name: &str, number: u64, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("Action: {name}\r\nActionID: {ACTION_PREFIX}{number}\r\n");
    for (key, value) in fields {
        let plain: String = value.chars().filter(|c| !c.is_control()).collect();
        // Writing to a String can't fail.
        let _ = write!(text, "{key}: {plain}\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

#[cfg(test)]
impl Block {
    pub(super) fn bytes(&self) -> usize {
        self.fields.iter().map(|(key, value)| key.len() + value.len()).sum()
    }
}
