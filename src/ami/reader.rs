//! Cuts what a server sends into blocks, bounded in every direction.

use super::block::Block;

/// The longest line that is kept, in bytes; a longer one (a caller's endless name) is left out of its block.
pub(super) const MAX_LINE: usize = 2 * 1024;
/// The most lines of a block that are kept; what follows is left out.
pub(super) const MAX_FIELDS: usize = 128;
/// The most bytes between two empty lines; beyond it this is no manager interface.
pub(super) const MAX_BLOCK: usize = 512 * 1024;
/// The longest greeting, in bytes.
const MAX_GREETING: usize = 128;
/// What every Asterisk says first.
const GREETING: &str = "Asterisk Call Manager/";

/// Why nothing more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Garbage {
    #[error("what answers there is no Asterisk manager interface")]
    NoManager,
    #[error("the manager interface sent a line that is none of its own")]
    NoField,
    #[error("the manager interface sent a message without end")]
    Endless,
}

/// What was cut.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// The greeting, with the interface's version.
    Greeting(String),
    Block(Block),
}

/// The bytes of one connection.
#[derive(Debug, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    /// The line has become longer than what is kept.
    overlong: bool,
    block: Block,
    /// Bytes since the last empty line.
    length: usize,
    greeted: bool,
}

impl Reader {
    /// Takes one byte; says what it completes.
    ///
    /// # Errors
    /// What can't come from a manager interface. The connection is worth nothing any more.
    pub(super) fn take(&mut self, byte: u8) -> Result<Option<Item>, Garbage> {
        if byte != b'\n' {
            return self.keep(byte).map(|()| None);
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        let line = std::mem::take(&mut self.line);
        let overlong = std::mem::take(&mut self.overlong);
        if !self.greeted {
            self.greeted = true;
            self.length = 0;
            return greeting(&line).map(Some);
        }
        if line.is_empty() && !overlong {
            self.length = 0;
            let block = std::mem::take(&mut self.block);
            return Ok((!block.is_empty()).then_some(Item::Block(block)));
        }
        if !overlong && self.block.len() < MAX_FIELDS {
            let (key, value) = field(&line)?;
            self.block.push(key, value);
        }
        Ok(None)
    }

    fn keep(&mut self, byte: u8) -> Result<(), Garbage> {
        self.length += 1;
        if !self.greeted && self.length > MAX_GREETING {
            return Err(Garbage::NoManager);
        }
        if self.length > MAX_BLOCK {
            return Err(Garbage::Endless);
        }
        if self.line.len() < MAX_LINE {
            self.line.push(byte);
        } else {
            self.overlong = true;
        }
        Ok(())
    }

    /// How many bytes are kept just now, at most about [`MAX_FIELDS`] lines of [`MAX_LINE`].
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.line.len() + self.block.bytes()
    }
}

fn greeting(line: &[u8]) -> Result<Item, Garbage> {
    let text = std::str::from_utf8(line).map_err(|_| Garbage::NoManager)?;
    let version = text.strip_prefix(GREETING).ok_or(Garbage::NoManager)?;
    Ok(Item::Greeting(version.trim().to_owned()))
}

/// A line's key and value. A key is a word: it has neither blanks at its ends nor control characters.
fn field(line: &[u8]) -> Result<(String, String), Garbage> {
    let text = String::from_utf8_lossy(line);
    let (key, value) = text.split_once(':').ok_or(Garbage::NoField)?;
    if key.is_empty() || key.trim() != key || key.chars().any(char::is_control) {
        return Err(Garbage::NoField);
    }
    Ok((key.to_owned(), value.trim().to_owned()))
}
