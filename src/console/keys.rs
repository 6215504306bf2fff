//! Key strings, as in the configuration, the footer and the tests: `p`, `P`, `enter`, `ctrl-c`, `f1`, `shift-tab`.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::fmt;

/// One key with its modifiers, in the one form in which keys are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// Keys with names of their own. The first name of a key is the one shown.
const NAMED: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("return", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("escape", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("space", KeyCode::Char(' ')),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
];

impl Chord {
    /// The chord of a key event. A letter's shift is in the letter.
    pub fn of(key: KeyEvent) -> Self {
        Self::new(key.code, key.modifiers)
    }

    fn new(code: KeyCode, modifiers: KeyModifiers) -> Self {
        let known = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT;
        let mut modifiers = modifiers & known;
        let code = match code {
            KeyCode::BackTab => {
                modifiers |= KeyModifiers::SHIFT;
                KeyCode::Tab
            }
            KeyCode::Char(c) => {
                let shifted = modifiers.contains(KeyModifiers::SHIFT) && c.is_ascii_lowercase();
                if c != ' ' {
                    modifiers -= KeyModifiers::SHIFT;
                }
                KeyCode::Char(if shifted { c.to_ascii_uppercase() } else { c })
            }
            code => code,
        };
        Self { code, modifiers }
    }

    /// Reads a key string; `None` if there is no such key.
    pub fn read(text: &str) -> Option<Self> {
        let mut modifiers = KeyModifiers::empty();
        let mut rest = text;
        loop {
            let (word, after) = match rest.split_once('-') {
                Some((word, after)) if !word.is_empty() && !after.is_empty() => (word, after),
                _ => break,
            };
            modifiers |= match word.to_ascii_lowercase().as_str() {
                "ctrl" => KeyModifiers::CONTROL,
                "alt" => KeyModifiers::ALT,
                "shift" => KeyModifiers::SHIFT,
                _ => return None,
            };
            rest = after;
        }
        Some(Self::new(read_code(rest)?, modifiers))
    }

    /// The key event that presses this chord.
    pub fn press(self) -> KeyEvent {
        KeyEvent::new_with_kind(self.code, self.modifiers, KeyEventKind::Press)
    }
}

fn read_code(text: &str) -> Option<KeyCode> {
    let mut letters = text.chars();
    if let (Some(only), None) = (letters.next(), letters.next()) {
        return (!only.is_control()).then_some(KeyCode::Char(only));
    }
    let lower = text.to_ascii_lowercase();
    if let Some((_, code)) = NAMED.iter().find(|(name, _)| *name == lower) {
        return Some(*code);
    }
    let number = lower.strip_prefix('f')?.parse().ok()?;
    (1..=24).contains(&number).then_some(KeyCode::F(number))
}

/// Names that a mistyped key string is compared with.
pub(super) fn key_names() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|(name, _)| *name)
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, word) in
            [(KeyModifiers::CONTROL, "ctrl-"), (KeyModifiers::ALT, "alt-"), (KeyModifiers::SHIFT, "shift-")]
        {
            if self.modifiers.contains(modifier) {
                f.write_str(word)?;
            }
        }
        match self.code {
            KeyCode::F(n) => write!(f, "f{n}"),
            code => match NAMED.iter().find(|(_, named)| *named == code) {
                Some((name, _)) => f.write_str(name),
                None => match code {
                    KeyCode::Char(c) => write!(f, "{}", c.escape_debug()),
                    _ => f.write_str("that key"),
                },
            },
        }
    }
}

/// Reads key strings set apart by blanks and gives the events that press them. For tests and scripts.
pub fn key_events(keys: &str) -> Option<Vec<KeyEvent>> {
    keys.split_whitespace().map(|k| Chord::read(k).map(Chord::press)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_string_reads_back_as_itself() {
        for text in
            ["p", "P", "-", "?", "#", "enter", "ctrl-c", "alt-x", "shift-tab", "f12", "shift-up", "space"]
        {
            assert_eq!(Chord::read(text).unwrap().to_string(), text);
        }
        for text in ["", "entr", "hyper-x", "f25", "ctrl-"] {
            assert_eq!(Chord::read(text), None, "{text}");
        }
    }

    #[test]
    fn shift_is_in_the_letter_however_the_terminal_tells_it() {
        let told = |code, modifiers| Chord::of(KeyEvent::new(code, modifiers));
        let shift = KeyModifiers::SHIFT;
        assert_eq!(told(KeyCode::Char('P'), shift), Chord::read("P").unwrap());
        assert_eq!(told(KeyCode::Char('p'), shift), Chord::read("P").unwrap());
        assert_eq!(told(KeyCode::Char('?'), shift), Chord::read("?").unwrap());
        assert_eq!(told(KeyCode::BackTab, shift), Chord::read("shift-tab").unwrap());
    }
}
