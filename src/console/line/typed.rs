//! What a typed line means: a command of the table by its name, by the shortest beginning that only it has, or by its
//! key; and the few words that only line mode needs.

use crate::console::commands::{Deed, command_table};
use crate::console::keymap::{Keymap, nearest};
use crate::console::keys::Chord;

/// What only line mode needs: elsewhere the board shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extra {
    /// Who is where.
    Who,
    /// The last sentences again.
    Again,
    /// Ask somebody before the caller is handed over.
    Ask,
}

/// Their names, each with what it is for.
pub(super) const EXTRAS: [(&str, Extra, &str); 3] = [
    ("who", Extra::Who, "who rings, talks, waits and is parked, and whose phone is free"),
    ("again", Extra::Again, "what was said last, once more"),
    ("ask", Extra::Ask, "with a number or name: call there first, the caller waits; then join or swap"),
];

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// A command of the table, with what stood behind it.
    Deed(Deed, String),
    /// A word of line mode, with what stood behind it.
    Extra(Extra, String),
    /// The number of a slot.
    Slot(String),
    /// Nothing that anybody knows: why, in words.
    Unknown(String),
}

/// Reads a line. An empty one is the enter key.
pub(super) fn read(keymap: &Keymap, is_slot: impl Fn(&str) -> bool, line: &str) -> Typed {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim().to_owned();
    let word = if word.is_empty() { "enter" } else { word };
    let lower = word.to_lowercase();
    if let Some(row) = command_table().iter().find(|row| row.name == lower) {
        return Typed::Deed(row.deed, rest);
    }
    if let Some((_, extra, _)) = EXTRAS.iter().find(|(name, ..)| *name == lower) {
        return Typed::Extra(*extra, rest);
    }
    if let Some(deed) = Chord::read(word).and_then(|chord| keymap.deed(chord.press())) {
        return Typed::Deed(deed, rest);
    }
    if is_slot(word) {
        return Typed::Slot(word.to_owned());
    }
    // `slot 3` is what one would say.
    let (lower, rest) = match (lower.as_str(), rest.parse::<u8>()) {
        ("slot" | "colleague", Ok(nth)) => (format!("{lower}-{nth}"), String::new()),
        _ => (lower, rest),
    };
    by_beginning(&lower, rest)
}

fn by_beginning(word: &str, rest: String) -> Typed {
    let rows = command_table().iter().filter(|row| row.name.starts_with(word));
    let rows: Vec<_> = rows.map(|row| (row.name, Typed::Deed(row.deed, rest.clone()))).collect();
    let extras = EXTRAS.iter().filter(|(name, ..)| name.starts_with(word));
    let mut found: Vec<_> = rows
        .into_iter()
        .chain(extras.map(|(name, extra, _)| (*name, Typed::Extra(*extra, rest.clone()))))
        .collect();
    if let Some(exact) = found.iter().position(|(name, _)| *name == word) {
        return found.swap_remove(exact).1;
    }
    match found.len() {
        1 => found.swap_remove(0).1,
        0 => Typed::Unknown(unknown(word)),
        n => {
            let names: Vec<String> = found.iter().take(5).map(|(name, _)| (*name).to_owned()).collect();
            let more = if n > 5 { " and others" } else { "" };
            Typed::Unknown(format!("{word} could be {}{more}", super::spoken::list(&names, "or")))
        }
    }
}

fn unknown(word: &str) -> String {
    let names = command_table().iter().map(|row| row.name).chain(EXTRAS.iter().map(|(name, ..)| *name));
    match nearest(word, names) {
        Some(meant) => format!("there is no command {word}: did you mean {meant}?"),
        None => format!("there is no command {word}: help names all of them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Typed {
        read(&Keymap::default(), |slot| slot == "701", line)
    }

    #[test]
    fn names_beginnings_and_keys_mean_the_same_as_on_the_board() {
        let deed = |deed, rest: &str| Typed::Deed(deed, rest.to_owned());
        for (line, means) in [
            ("park", deed(Deed::Park, "")),
            ("  PARK  703 ", deed(Deed::Park, "703")),
            ("p", deed(Deed::Park, "")),
            ("P 703", deed(Deed::ParkOn, "703")),
            ("", deed(Deed::Enter, "")),
            ("enter", deed(Deed::Enter, "")),
            ("an", deed(Deed::Enter, "")),
            ("hang", deed(Deed::HangUp, "")),
            ("und", deed(Deed::Undo, "")),
            ("u", deed(Deed::Undo, "")),
            ("n for Sam, bay 3", deed(Deed::Note, "for Sam, bay 3")),
            ("transfer 101", deed(Deed::Transfer, "101")),
            ("slot 3", deed(Deed::Slot(2), "")),
            ("3", deed(Deed::Slot(2), "")),
            ("ctrl-c", deed(Deed::Quit, "")),
            ("f2", deed(Deed::Colleague(1), "")),
            ("701", Typed::Slot("701".into())),
            ("who", Typed::Extra(Extra::Who, String::new())),
            ("as sam", Typed::Extra(Extra::Ask, "sam".into())),
        ] {
            assert_eq!(typed(line), means, "{line}");
        }
    }

    #[test]
    fn what_could_be_several_is_asked_back_and_what_is_none_gets_a_suggestion() {
        let said = |line| match typed(line) {
            Typed::Unknown(said) => said,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(said("tra"), "tra could be transfer or transfer-named");
        assert_eq!(said("paark"), "there is no command paark: did you mean park?");
        assert_eq!(said("799"), "there is no command 799: help names all of them");
    }

    #[test]
    fn every_name_and_key_of_the_table_is_understood() {
        for row in command_table() {
            for line in std::iter::once(&row.name).chain(row.keys) {
                assert_eq!(typed(line), Typed::Deed(row.deed, String::new()), "{line}");
            }
        }
        for (name, extra, _) in EXTRAS {
            assert_eq!(typed(name), Typed::Extra(extra, String::new()));
        }
    }
}
