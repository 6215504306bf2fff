//! SIP messages (RFC 3261 7): what stands in one, read from a datagram within limits, and written again.
//! The only place that knows rsip, which stores headers and names statuses but is never given bytes from the
//! network. No transactions and no dialogs here.

mod headers;
pub(in crate::sip) mod lexis;
mod method;
mod name_addr;
mod params;
mod phrases;
mod reader;
#[cfg(test)]
mod tests;
mod uri;
mod via;

pub use headers::{Headers, MAX_LIST};
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::{MAX_PARAMS, Params};
pub use phrases::reason_phrase;
pub use reader::{MAX_DATAGRAM, MAX_HEADER_LINE, MAX_HEADERS, Refusal, read_datagram};
pub(in crate::sip) use reader::{is_start_line, is_token_byte, length_of, refuse};
pub use uri::{Scheme, Uri};
pub use via::Via;

use std::fmt;
use std::io::Write as _;

/// Room for a start line, Content-Length and the empty line in what is written; a longer one makes it grow.
const ROOM: usize = 160;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The Request-URI.
    pub uri: Uri,
    /// Everything in the head but Content-Length, which follows from the body.
    pub headers: Headers,
    /// The body, as bytes; its type is in Content-Type.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: Headers::new(), body: Vec::new() }
    }

    /// The message as it goes on the wire, Content-Length last.
    pub fn to_bytes(&self) -> Vec<u8> {
        write(format_args!("{} {} SIP/2.0", self.method, self.uri), &self.headers, &self.body)
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code, 100 to 699.
    pub status: u16,
    /// The reason phrase; the sender's own words when it was received.
    pub reason: String,
    /// Everything in the head but Content-Length, which follows from the body.
    pub headers: Headers,
    /// The body, as bytes.
    pub body: Vec<u8>,
}

impl Response {
    /// The response to `request` with that status and its usual phrase: Via, From, To, Call-ID and CSeq are copied, and
    /// Timestamp into a 100 (RFC 3261 8.2.6). The To tag is the caller's to set.
    pub fn to(request: &Request, status: u16) -> Self {
        Self::to_headers(&request.headers, status)
    }

    /// The same for a request of which only the headers could be read.
    pub(super) fn to_headers(asked: &Headers, status: u16) -> Self {
        let mut headers = Headers::new();
        for via in asked.get_all("Via") {
            headers.push("Via", via);
        }
        for name in ["From", "To", "Call-ID", "CSeq"] {
            if let Some(value) = asked.get(name) {
                headers.push(name, value);
            }
        }
        if let Some(stamp) = asked.get("Timestamp").filter(|_| status == 100) {
            headers.push("Timestamp", stamp);
        }
        Self { status, reason: reason_phrase(status), headers, body: Vec::new() }
    }

    /// The message as it goes on the wire, Content-Length last.
    pub fn to_bytes(&self) -> Vec<u8> {
        let reason = lexis::without_line_ends(&self.reason);
        write(format_args!("SIP/2.0 {:03} {}", self.status, reason.trim_ascii()), &self.headers, &self.body)
    }
}

/// Either kind of message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// Its headers.
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// Its headers, to be changed.
    pub fn headers_mut(&mut self) -> &mut Headers {
        match self {
            Self::Request(request) => &mut request.headers,
            Self::Response(response) => &mut response.headers,
        }
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Request(request) => &request.body,
            Self::Response(response) => &response.body,
        }
    }

    /// The message as it goes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}

/// A message of these parts. `start` holds no line end.
fn write(start: fmt::Arguments<'_>, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ROOM + headers.written_length() + body.len());
    // Writing to memory can't fail.
    let _ = write!(bytes, "{start}\r\n");
    headers.write(&mut bytes);
    let _ = write!(bytes, "Content-Length: {}\r\n\r\n", body.len());
    bytes.extend_from_slice(body);
    bytes
}
