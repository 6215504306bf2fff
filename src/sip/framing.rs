//! Cuts a stream of bytes into SIP messages (RFC 3261 18.3) and keep-alives (RFC 5626 4.4.1), within limits.
//!
//! Where one message ends and the next begins is decided by Content-Length alone, so everything about it that two
//! readers could see in two ways ends the stream: a length that is missing, stands twice (even twice the same: RFC 4475
//! 3.3.9), has a sign or anything but digits, or goes beyond the largest message; a line that ends in a bare CR or LF;
//! a header whose name is none. What follows such a head is never looked at, so nothing can be smuggled in behind it.

use super::message::{
    self, MAX_DATAGRAM, MAX_HEADER_LINE, MAX_HEADERS, Refusal, is_start_line, is_token_byte, length_of,
};

/// The largest message on a stream, head and body, in bytes: the same as of a datagram.
pub const MAX_MESSAGE: usize = MAX_DATAGRAM;
/// The largest start line and headers, in bytes, with the empty line.
pub const MAX_HEAD: usize = 32_768;
/// The most bytes that wait in a [`Framer`]; what doesn't fit is not taken until frames were.
pub const MAX_BUFFER: usize = 2 * MAX_MESSAGE;
/// A buffer that has grown beyond this is given back when it is empty: most connections are silent most of the time.
const KEPT_CAPACITY: usize = 8_192;

/// What a stream brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One whole message with exactly the body that its Content-Length says; to be read with
    /// [`message::read_datagram`].
    Message(Vec<u8>),
    /// A single CRLF between messages: the answer to our keep-alive (RFC 5626 3.5.1). The first half of a ping is told
    /// as one too, for nobody can know what follows; that does no harm.
    Pong,
    /// The second CRLF in a row: whoever accepted the connection answers with one CRLF.
    Ping,
    /// Nothing that follows can be understood: answer if there is an answer, then close the connection. The last frame.
    Fatal(Refusal),
}

/// Reads one stream. Which frames come out does not depend on how the bytes were sliced.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// How many bytes of the buffer were given away.
    given: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Between two messages; whether the last thing was a single CRLF.
    Between(bool),
    /// In a head.
    Head(Head),
    /// The head is whole; so many bytes make the message.
    Body(usize),
    /// The stream is beyond understanding.
    Broken,
}

impl Default for State {
    fn default() -> Self {
        Self::Between(false)
    }
}

/// How far a head was looked at; offsets count from where the message begins.
#[derive(Debug, Default)]
struct Head {
    /// Where the line begins that is not whole yet.
    line: usize,
    /// Up to where that line was searched for its end.
    searched: usize,
    /// Where the header begins that may go on in a folded line; `None` before the first.
    field: Option<usize>,
    /// Header lines, folded ones not counted.
    count: usize,
    /// What Content-Length said.
    length: Option<usize>,
    /// What is wrong with a header. Told when the head is whole, so that it can be answered.
    fault: Option<&'static str>,
}

/// Why a stream breaks off.
struct Broken {
    /// The status to answer with; `None` for what isn't SIP.
    status: Option<u16>,
    reason: &'static str,
    /// How much of the head the answer may be made from.
    readable: usize,
}

impl Framer {
    /// At the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes of the stream and tells how many. Fewer than all only when [`MAX_BUFFER`] would be exceeded: then
    /// take the frames there are and give the rest. When every frame was taken at least one byte always fits.
    #[must_use = "what wasn't taken must be given again"]
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        if matches!(self.state, State::Broken) {
            return bytes.len();
        }
        if self.given * 2 >= self.buffer.len() {
            // At most as much is moved as was given away: a constant cost for each byte.
            self.buffer.drain(..self.given);
            self.given = 0;
        }
        let taken = bytes.len().min(MAX_BUFFER.saturating_sub(self.buffer.len()));
        self.buffer.extend_from_slice(&bytes[..taken]);
        taken
    }

    /// The next frame, if it is whole.
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            match &mut self.state {
                State::Broken => return None,
                State::Between(after_line_end) => match &self.buffer[self.given..] {
                    [b'\r', b'\n', ..] => {
                        let ping = *after_line_end;
                        *after_line_end = !ping;
                        self.give(2);
                        return Some(if ping { Frame::Ping } else { Frame::Pong });
                    }
                    [] | [b'\r'] => return None,
                    [first, ..] if is_token_byte(*first) => self.state = State::Head(Head::default()),
                    _ => return Some(self.break_off(Broken::silent("not SIP"))),
                },
                State::Head(head) => match head.read(&self.buffer[self.given..]) {
                    Ok(None) => return None,
                    Ok(Some(whole)) => self.state = State::Body(whole),
                    Err(broken) => return Some(self.break_off(broken)),
                },
                State::Body(whole) => {
                    let whole = *whole;
                    let message = self.buffer[self.given..].get(..whole)?.to_vec();
                    self.give(whole);
                    self.state = State::Between(false);
                    return Some(Frame::Message(message));
                }
            }
        }
    }

    /// How many bytes wait for the rest of their message: a connection on which that stays above 0 is a slow one, or
    /// one that wants to be held open.
    pub fn waiting(&self) -> usize {
        self.buffer.len() - self.given
    }

    fn give(&mut self, count: usize) {
        self.given += count;
        if self.given == self.buffer.len() {
            self.given = 0;
            self.buffer.clear();
            self.buffer.shrink_to(KEPT_CAPACITY);
        }
    }

    fn break_off(&mut self, broken: Broken) -> Frame {
        self.state = State::Broken;
        let buffer = std::mem::take(&mut self.buffer);
        let head = buffer[self.given..].get(..broken.readable).unwrap_or_default();
        self.given = 0;
        Frame::Fatal(match broken.status {
            Some(status) => message::refuse(head, status, broken.reason),
            None => Refusal::silent(broken.reason),
        })
    }
}

impl Broken {
    fn silent(reason: &'static str) -> Self {
        Self { status: None, reason, readable: 0 }
    }
}

impl Head {
    /// Goes on reading; the length of the whole message when the head has ended.
    fn read(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        while let Some(end) = self.line_end(bytes)? {
            let text = self.text(bytes, end)?;
            let begins = std::mem::replace(&mut self.line, end + 1);
            self.searched = self.line;
            if begins == 0 {
                if !is_start_line(text) {
                    return Err(Broken::silent("not SIP"));
                }
                continue;
            }
            if matches!(text.first(), Some(b' ' | b'\t')) {
                self.fold(begins, end)?;
                continue;
            }
            if let Some(field) = self.field.replace(begins) {
                self.take_field(&bytes[field..begins]);
            }
            if text.is_empty() {
                return self.finish().map(Some);
            }
            self.count += 1;
            if self.count > MAX_HEADERS {
                return Err(Broken { status: Some(513), reason: "too many headers", readable: begins });
            }
        }
        Ok(None)
    }

    /// Where the line feed of the current line is. Which limit is told when both are exceeded must not depend on how
    /// much has arrived: the one that the bytes reach first.
    fn line_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        let line_most = self.line + MAX_HEADER_LINE + 1;
        let most = line_most.min(MAX_HEAD - 1);
        let end = bytes[self.searched..].iter().position(|b| *b == b'\n').map(|at| self.searched + at);
        self.searched = bytes.len();
        if end.unwrap_or(bytes.len()) <= most {
            return Ok(end);
        }
        let reason = match self.line {
            0 => "the start line is too long",
            _ if most == line_most => "a header is too long",
            _ => "the head is too large",
        };
        Err(Broken { status: Some(513), reason, readable: self.line })
    }

    /// The current line without its line end, which is CRLF and nothing else.
    fn text<'a>(&self, bytes: &'a [u8], end: usize) -> Result<&'a [u8], Broken> {
        match bytes[self.line..end].strip_suffix(b"\r") {
            Some(text) if !text.contains(&b'\r') => Ok(text),
            _ => Err(Broken { status: Some(400), reason: "a line doesn't end in CRLF", readable: self.line }),
        }
    }

    /// A folded line from `begins` to `end`: it must continue something, and both together keep the limit.
    fn fold(&mut self, begins: usize, end: usize) -> Result<(), Broken> {
        let broken = |status, reason, readable| Err(Broken { status: Some(status), reason, readable });
        match self.field {
            None => broken(400, "a folded line continues nothing", begins),
            Some(field) if end - field > MAX_HEADER_LINE => broken(513, "a header is too long", field),
            Some(_) => Ok(()),
        }
    }

    /// Looks at one whole header, folds and line ends included.
    fn take_field(&mut self, field: &[u8]) {
        let seen = match length_of(field) {
            Err(reason) => Err(reason),
            Ok(Some(_)) if self.length.is_some() => Err("more than one Content-Length"),
            Ok(length) => {
                self.length = self.length.or(length);
                Ok(())
            }
        };
        self.fault = self.fault.or(seen.err());
    }

    /// The length of the message whose head has just ended.
    fn finish(&self) -> Result<usize, Broken> {
        let head = self.line;
        let broken = |reason| Broken { status: Some(400), reason, readable: head };
        if let Some(reason) = self.fault {
            return Err(broken(reason));
        }
        let length = self.length.ok_or(broken("Content-Length is missing"))?;
        let whole = head.saturating_add(length);
        if whole > MAX_MESSAGE {
            return Err(broken("Content-Length is beyond the largest message"));
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests;
