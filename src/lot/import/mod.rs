//! Reads an Asterisk's parking, `res_parking.conf` and `features.conf`, and writes it in our words; says line by line what
//! could not be carried over, and why. Which files there are is for the caller to know.

mod asterisk;
mod features;
mod parking;
#[cfg(test)]
mod tests;

use super::LotConfig;
use crate::parking::Text;
pub use asterisk::{Include, MAX_DEPTH, MAX_ENTRIES, MAX_FILES, MAX_LINE, MAX_SECTIONS};
use asterisk::{Place, Reader, Section};
use std::fmt;

/// The most remarks that are kept; the last one says that there were more.
pub const MAX_REMARKS: usize = 1_000;

/// Something that could not be carried over, or that is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The file and the line, from 1; `None`: of the whole.
    pub at: Option<(String, usize)>,
    /// In words.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some((file, line)) => write!(f, "{file}:{line}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// What became of the files.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Our configuration.
    pub toml: String,
    /// What is not in it, or is to be looked at.
    pub remarks: Vec<Remark>,
}

/// Reads files (name and text) in their order. Parking options are taken from any of them, also from a `features.conf` of
/// the time before Asterisk 12. `include` gives what `#include` names.
pub fn import(files: &[(String, String)], include: Include<'_>) -> Imported {
    let mut reader = Reader::new(include);
    for (name, text) in files {
        reader.file(name, text);
    }
    let (sections, mut remarks) = (reader.sections, reader.remarks);
    let mut toml = String::from(
        "# Written by parkdeck lot import. What is missing: listen, realm and the [[users]] (parkdeck example --lot).\n",
    );
    if parking::is_dynamic(&sections) {
        toml += "parkeddynamic = true\n";
    }
    toml += &features::write(&sections, &mut remarks);
    toml += &parking::write(&sections, &mut remarks);
    check(&toml, &mut remarks);
    Imported { toml, remarks }
}

/// Whether we understand ourselves, and what stands in the way of running it.
fn check(toml: &str, remarks: &mut Vec<Remark>) {
    match toml::from_str::<LotConfig>(toml) {
        Ok(config) => {
            for problem in config.problems() {
                remark(remarks, None, &format!("{}: {}", problem.path, problem.message));
            }
        }
        Err(error) => remark(remarks, None, error.message()),
    }
}

/// Adds a remark, scrubbed and within bounds.
fn remark(remarks: &mut Vec<Remark>, at: Option<&Place>, text: &str) {
    if remarks.len() + 1 < MAX_REMARKS {
        let at = at.map(|at| (at.file.to_string(), at.line));
        // Sentence by sentence: what is quoted is short, the whole of it may be longer than a name is.
        let text = text.chars().filter(|c| !c.is_control()).take(400).collect();
        remarks.push(Remark { at, text });
    } else if remarks.len() + 1 == MAX_REMARKS {
        remarks.push(Remark { at: None, text: "there is more to say than is said here".to_owned() });
    }
}

/// Something of a file's as it may be repeated in a remark.
fn quoted(text: &str) -> String {
    format!("“{}”", Text::new(text))
}

/// As a TOML string.
fn string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// What Asterisk takes for yes and for no.
fn boolean(text: &str) -> Option<bool> {
    let is = |words: [&str; 6]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match (is(["yes", "true", "y", "t", "1", "on"]), is(["no", "false", "n", "f", "0", "off"])) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// Whether a section is one of several that are no parking lot.
fn is_lot(section: &Section) -> bool {
    !section.is_template
        && !["general", "globals", "featuremap", "applicationmap"].iter().any(|name| section.is(name))
}
