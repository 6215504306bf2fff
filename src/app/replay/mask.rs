//! Names, numbers and notes, hidden: every word of theirs becomes dots of the same length, cut off or not, and every long
//! number.

use std::collections::BTreeSet;

/// A number with so many digits is somebody's, whoever it is.
const LONG_NUMBER: usize = 6;
/// What stands for a letter or a digit.
const DOT: &str = "•";

/// Whom to hide.
#[derive(Clone, Debug, Default)]
pub(super) struct Mask {
    /// Their words in small letters.
    words: BTreeSet<String>,
}

impl Mask {
    /// Hides everything that these texts are made of.
    pub(super) fn new(people: &[String]) -> Self {
        let words = people.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        // A single digit or letter says nothing of anybody, and the board is full of them.
        let says_something = |word: &&str| word.chars().nth(1).is_some();
        Self { words: words.filter(says_something).map(str::to_lowercase).collect() }
    }

    /// Hides them in one row of cells.
    pub(super) fn hide(&self, row: &mut [String]) {
        let is_letter = |cell: &String| cell.chars().next().is_some_and(char::is_alphanumeric);
        let mut at = 0;
        while at < row.len() {
            if !is_letter(&row[at]) {
                at += 1;
                continue;
            }
            // The empty second half of a wide character belongs to its word.
            let length = row[at..].iter().take_while(|cell| cell.is_empty() || is_letter(cell)).count();
            let word = row[at..at + length].concat().to_lowercase();
            let cut = row.get(at + length).is_some_and(|next| next == "…");
            if self.hides(&word, cut) {
                for cell in &mut row[at..at + length] {
                    // Where a wide character stood, two dots do.
                    *cell = DOT.to_owned();
                }
            }
            at += length;
        }
    }

    fn hides(&self, word: &str, cut: bool) -> bool {
        let long_number = word.len() >= LONG_NUMBER && word.chars().all(|c| c.is_ascii_digit());
        let begins =
            || self.words.range(word.to_owned()..).next().is_some_and(|known| known.starts_with(word));
        long_number || self.words.contains(word) || (cut && begins())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(people: &[&str], row: &str) -> String {
        let people: Vec<String> = people.iter().map(|text| (*text).to_owned()).collect();
        let mut cells: Vec<String> = row.chars().map(String::from).collect();
        Mask::new(&people).hide(&mut cells);
        cells.concat()
    }

    #[test]
    fn names_numbers_and_notes_become_dots_and_the_board_stays() {
        let people = ["Jane Doe", "01614960100", "for Sam, bay 3"];
        assert_eq!(
            hidden(&people, "▶ talking 02:10 Jane Doe 01614960100 → for Sam, bay 3"),
            "▶ talking 02:10 •••• ••• ••••••••••• → ••• •••, ••• 3"
        );
        assert_eq!(hidden(&people, "Jane D… parked 701"), "•••• •… parked 701");
        assert_eq!(
            hidden(&[], "0161496 parked on 701"),
            "••••••• parked on 701",
            "a long number is somebody's"
        );
    }
}
