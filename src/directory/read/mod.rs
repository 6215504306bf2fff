//! Directory files: TOML, CSV and vCard, told apart by their names. What can't be read is told by its line and left out;
//! the rest counts.

mod csv;
pub mod ldap;
mod toml;
mod vcard;

use super::{MAX_ENTRIES, MAX_FILE, Person};

/// The most complaints about one file that are kept.
pub const MAX_COMPLAINTS: usize = 20;

/// What a file gave.
#[derive(Debug, Default)]
pub struct Reading {
    /// The people, in the file's order.
    pub people: Vec<Person>,
    /// What was wrong, each with its line.
    pub complaints: Vec<String>,
}

impl Reading {
    fn complain(&mut self, line: impl std::fmt::Display, what: impl std::fmt::Display) {
        if self.complaints.len() < MAX_COMPLAINTS {
            self.complaints.push(format!("line {line}: {what}"));
        }
    }

    /// Takes somebody; false when there is no more room.
    fn take(&mut self, person: Person) -> bool {
        self.people.extend(person.complete());
        self.people.len() < MAX_ENTRIES
    }
}

/// Whether a file of this name can be read.
pub fn is_known(name: &str) -> bool {
    Format::of(name).is_some()
}

enum Format {
    Toml,
    Csv,
    Vcard,
}

impl Format {
    fn of(name: &str) -> Option<Self> {
        Some(match name.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "toml" => Self::Toml,
            "csv" | "tsv" => Self::Csv,
            "vcf" | "vcard" => Self::Vcard,
            _ => return None,
        })
    }
}

/// Reads a file by its name's ending.
///
/// # Errors
/// In words, when nothing of it can be used: too long, no known ending, no TOML, a table without the columns it takes.
pub fn read(name: &str, bytes: &[u8]) -> Result<Reading, String> {
    if bytes.len() > MAX_FILE {
        return Err(format!("it is longer than {} MB", MAX_FILE >> 20));
    }
    let format = Format::of(name).ok_or("its name ends in none of .toml, .csv, .tsv, .vcf")?;
    let text = decoded(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match format {
        Format::Toml => toml::read(text),
        Format::Csv => csv::read(text),
        Format::Vcard => Ok(vcard::read(text)),
    }
}

/// The text of a file: UTF-8, UTF-16 with its mark (as Outlook and Excel save), else Windows-1252.
fn decoded(bytes: &[u8]) -> String {
    let wide = |order: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| order([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|byte| western(*byte)).collect(),
        },
    }
}

/// A byte of Windows-1252.
fn western(byte: u8) -> char {
    /// 0x80 to 0x9f; the rest is Latin-1.
    const UPPER: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => UPPER[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}
