//! Reads one SIP message from one datagram: bounded, tolerant where RFC 4475 asks for it, and never further than
//! Content-Length (RFC 3261 18.3). What it lets through has a readable Via, From, To, Call-ID and CSeq.

use super::headers::{self, Headers, MAX_LIST};
use super::lexis;
use super::method::Method;
use super::name_addr::NameAddr;
use super::uri::{Scheme, Uri};
use super::via::{Seen, Via};
use super::{Message, Request, Response};
use memchr::{memchr, memchr2};
use rsip::Header;
use rsip::headers::UntypedHeader as _;
use std::borrow::Cow;

/// The largest message that is read, in bytes; also the largest UDP datagram.
pub const MAX_DATAGRAM: usize = 65_535;
/// The most header lines of one message.
pub const MAX_HEADERS: usize = 128;
/// The longest start line or header, its folded lines joined, in bytes.
pub const MAX_HEADER_LINE: usize = 8_192;

/// Why a message was not read, and what may be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status that says so; `None` for responses, for ACK, and for what isn't SIP: those get no answer.
    pub status: Option<u16>,
    /// What is wrong, in words for a log.
    pub reason: &'static str,
    /// The answer, ready but for a To tag, when enough of a request could be read to answer it.
    pub request_head: Option<Box<Response>>,
}

impl Refusal {
    pub(in crate::sip) fn silent(reason: &'static str) -> Self {
        Self { status: None, reason, request_head: None }
    }
}

/// What is wrong with a message, before it is known whether and how that can be answered.
struct Fault(u16, &'static str);

/// A start line.
enum Start {
    Request(Method, String),
    Response(u16, String),
}

/// Reads the message that `bytes` begin with. Line ends before it are skipped (RFC 3261 7.5), bytes behind its body
/// dropped.
pub fn read_datagram(bytes: &[u8]) -> Result<Message, Refusal> {
    if bytes.len() > MAX_DATAGRAM {
        return Err(Refusal::silent("the message is too large"));
    }
    let blank = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let bytes = &bytes[blank..];
    if bytes.is_empty() {
        return Err(Refusal::silent("empty"));
    }
    let (first, rest) = line(bytes).unwrap_or((bytes, &[]));
    if first.len() > MAX_HEADER_LINE {
        return Err(Refusal::silent("the start line is too long"));
    }
    let first = text_of(first);
    if let Some(reply) = first.strip_prefix("SIP/") {
        let (status, reason) = status_line(reply).map_err(|Fault(_, reason)| Refusal::silent(reason))?;
        let start = Start::Response(status, reason);
        return read_rest(start, None, rest).map_err(|(Fault(_, reason), _)| Refusal::silent(reason));
    }
    let (method, target, fault) = request_line(&first)?;
    let silent = method == Method::Ack;
    read_rest(Start::Request(method, target), fault, rest).map_err(|(Fault(status, reason), headers)| {
        if silent {
            return Refusal::silent(reason);
        }
        let answer = answerable(&headers).then(|| Box::new(Response::to_headers(&headers, status)));
        Refusal { status: Some(status), reason, request_head: answer }
    })
}

/// The refusal of a message on a stream for what is wrong with its framing: `head` is what could be made out of its
/// start line and headers, whole lines.
pub(in crate::sip) fn refuse(head: &[u8], status: u16, reason: &'static str) -> Refusal {
    let (first, rest) = line(head).unwrap_or((head, &[]));
    match request_line(&text_of(first)) {
        Ok((method, ..)) if method != Method::Ack => {
            let mut headers = Headers::new();
            // What stands above the fault is enough for an answer, or isn't.
            let _ = read_headers(&[rest, b"\r\n"].concat(), &mut headers);
            let answer = answerable(&headers).then(|| Box::new(Response::to_headers(&headers, status)));
            Refusal { status: Some(status), reason, request_head: answer }
        }
        _ => Refusal::silent(reason),
    }
}

/// Whether a message may begin with that byte.
pub(in crate::sip) fn is_token_byte(byte: u8) -> bool {
    lexis::is_token_octet(byte)
}

/// Whether that line, without its end, begins a SIP message of any version, sound or not.
pub(in crate::sip) fn is_start_line(line: &[u8]) -> bool {
    line.starts_with(b"SIP/") || request_line(&text_of(line)).is_ok()
}

/// What one whole header, its folds and line ends included, says of the body's length; `None` if it is another header.
pub(in crate::sip) fn length_of(field: &[u8]) -> Result<Option<usize>, &'static str> {
    let colon = field.iter().position(|b| *b == b':').ok_or("a header has no colon")?;
    let end = field[..colon].iter().rposition(|b| !matches!(b, b' ' | b'\t')).map_or(0, |at| at + 1);
    let name = &field[..end];
    if name.is_empty() || !name.iter().all(|b| is_token_byte(*b)) {
        return Err("a header's name isn't one");
    }
    if !name.eq_ignore_ascii_case(b"Content-Length") && !name.eq_ignore_ascii_case(b"l") {
        return Ok(None);
    }
    let value = std::str::from_utf8(&field[colon + 1..]).unwrap_or_default();
    let length = lexis::number(value.trim_matches([' ', '\t', '\r', '\n']), u64::from(u32::MAX));
    let length = length.and_then(|n| usize::try_from(n).ok());
    length.map(Some).ok_or("Content-Length isn't a length")
}

/// Whether a response to a request with these headers would find its way and its transaction.
fn answerable(headers: &Headers) -> bool {
    let named = |name| headers.get(name).is_some_and(|value: &str| !value.is_empty());
    headers.via().is_some() && ["From", "To", "Call-ID", "CSeq"].into_iter().all(named)
}

/// The first line and what follows it; CRLF and LF both end a line. `None` when no line ends.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr(b'\n', bytes)?;
    let text = &bytes[..end];
    Some((text.strip_suffix(b"\r").unwrap_or(text), &bytes[end + 1..]))
}

/// Behind `SIP/`: `2.0 200 OK`; the phrase may be missing (RFC 4475 3.1.1.13).
fn status_line(reply: &str) -> Result<(u16, String), Fault> {
    const BAD: Fault = Fault(400, "the status line can't be read");
    let (version, rest) = lexis::cut(reply, b' ').ok_or(BAD)?;
    if version != "2.0" {
        return Err(Fault(505, "not SIP/2.0"));
    }
    let (code, reason) = lexis::cut(rest, b' ').unwrap_or((rest, ""));
    let code = if code.len() == 3 { lexis::number(code, 699) } else { None };
    let status = code.and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 100);
    Ok((status.ok_or(Fault(400, "the status code isn't one"))?, clean(reason).into_owned()))
}

/// Method, target, and what is wrong with the line although it is a request's.
fn request_line(first: &str) -> Result<(Method, String, Option<Fault>), Refusal> {
    let method = first.split(' ').next().and_then(Method::read);
    let (Some(method), Some((_, version))) = (method, first.trim_ascii_end().rsplit_once(' ')) else {
        return Err(Refusal::silent("not SIP"));
    };
    if !version.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("SIP/")) {
        return Err(Refusal::silent("the request line names no version of SIP"));
    }
    let target = first.trim_ascii_end()[method.as_str().len()..].strip_suffix(version).unwrap_or_default();
    let fault = if !version[4..].eq("2.0") {
        Some(Fault(505, "not SIP/2.0"))
    } else if first.ends_with(char::is_whitespace) {
        Some(Fault(400, "blanks behind the request line"))
    } else if target.len() < 3 || target[1..target.len() - 1].contains(char::is_whitespace) {
        Some(Fault(400, "blanks in the request line"))
    } else {
        None
    };
    Ok((method, target.trim_ascii().to_owned(), fault))
}

/// Reads headers and body; on a fault gives back the headers read so far.
fn read_rest(start: Start, fault: Option<Fault>, rest: &[u8]) -> Result<Message, (Fault, Headers)> {
    let mut headers = Headers::with_room();
    let head = read_headers(rest, &mut headers);
    if let Some(fault) = fault {
        return Err((fault, headers));
    }
    let checked = head.and_then(|body| {
        let essentials = Essentials::of(&headers);
        let body = essentials.body(body)?;
        essentials.check(&start)?;
        Ok(body.to_vec())
    });
    let body = match checked {
        Ok(body) => body,
        Err(fault) => return Err((fault, headers)),
    };
    match start {
        Start::Response(status, reason) => {
            headers.remove_length();
            Ok(Message::Response(Response { status, reason, headers, body }))
        }
        Start::Request(method, target) => match request_uri(&target) {
            Err(fault) => Err((fault, headers)),
            Ok(uri) => {
                headers.remove_length();
                Ok(Message::Request(Request { method, uri, headers, body }))
            }
        },
    }
}

/// Reads header lines into `headers` up to the empty line; gives what follows that.
fn read_headers<'a>(mut rest: &'a [u8], headers: &mut Headers) -> Result<&'a [u8], Fault> {
    // Most headers are one line, which is read where it stands; only a folded one is put together.
    let mut pending: Option<Cow<'a, [u8]>> = None;
    let mut count = 0;
    loop {
        let (text, next) = line(rest).ok_or(Fault(400, "the headers never end"))?;
        rest = next;
        if text.len() > MAX_HEADER_LINE {
            return Err(Fault(513, "a header is too long"));
        }
        if matches!(text.first(), Some(b' ' | b'\t')) {
            let folded = pending.as_mut().ok_or(Fault(400, "a folded line continues nothing"))?.to_mut();
            folded.push(b' ');
            folded.extend_from_slice(text.trim_ascii());
            if folded.len() > MAX_HEADER_LINE {
                return Err(Fault(513, "a header is too long"));
            }
            continue;
        }
        if let Some(header) = pending.take() {
            push(&header, headers)?;
        }
        if text.is_empty() {
            return Ok(rest);
        }
        count += 1;
        if count > MAX_HEADERS {
            return Err(Fault(513, "too many headers"));
        }
        pending = Some(Cow::Borrowed(text.trim_ascii_end()));
    }
}

/// As text; octets that aren't UTF-8 become U+FFFD.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    // Nearly everything is ASCII, which this checks faster than the lossy reading does.
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Splits one unfolded header and keeps it.
fn push(header: &[u8], headers: &mut Headers) -> Result<(), Fault> {
    let header = text_of(header);
    let (name, value) = lexis::cut(&header, b':').ok_or(Fault(400, "a header has no colon"))?;
    let name = name.trim_end_matches([' ', '\t']);
    if !lexis::is_token(name) {
        return Err(Fault(400, "a header's name isn't one"));
    }
    // Compact names become long ones, and octets that are no UTF-8 three of them: what is kept has to keep the limit, or
    // it could not be passed on.
    match headers.push_read(name, &clean(value)) > MAX_HEADER_LINE {
        true => Err(Fault(513, "a header is too long")),
        false => Ok(()),
    }
}

/// A lone CR is no line end, but must not stay one for whoever prints the value.
fn clean(value: &str) -> Cow<'_, str> {
    let value = value.trim_ascii();
    if memchr(b'\r', value.as_bytes()).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.replace('\r', " ").trim_ascii().to_owned())
}

/// What the headers that matter to every reader say, found in one pass.
#[derive(Default)]
struct Essentials<'a> {
    /// Whether a header that may stand only once stands twice.
    twice: bool,
    from: Option<&'a str>,
    to: Option<&'a str>,
    call_id: Option<&'a str>,
    cseq: Option<&'a str>,
    max_forwards: Option<&'a str>,
    content_type: Option<&'a str>,
    length: Option<&'a str>,
    lengths: usize,
    /// What the topmost Via looks like.
    via: Option<Seen>,
    vias: List,
    contacts: List,
}

/// The values of a list header, over all its lines.
#[derive(Default)]
struct List {
    count: usize,
    spoilt: bool,
}

impl List {
    /// Looks at one line: whether every value can be read, and there are no more than anybody will look at.
    fn take(&mut self, line: &str, mut reads: impl FnMut(&str) -> bool) {
        if memchr2(b',', b'"', line.as_bytes()).is_none() {
            self.count += 1;
            self.spoilt |= self.count > MAX_LIST || !reads(line);
            return;
        }
        let Some(mut values) = lexis::split_outside(line, ',') else {
            self.spoilt = true;
            return;
        };
        self.spoilt |= !values.all(|value| {
            self.count += 1;
            self.count <= MAX_LIST && reads(value)
        });
    }
}

impl<'a> Essentials<'a> {
    fn of(headers: &'a Headers) -> Self {
        let mut found = Self::default();
        for header in headers.kinds() {
            let once = match header {
                Header::Via(held) => {
                    let first = &mut found.via;
                    found.vias.take(held.value(), |via| {
                        let seen = Via::look(via);
                        first.get_or_insert(seen);
                        seen != Seen::Unreadable
                    });
                    continue;
                }
                Header::Contact(held) if held.value() != "*" => {
                    found.contacts.take(held.value(), NameAddr::is_one);
                    continue;
                }
                Header::From(held) => found.from.replace(held.value()),
                Header::To(held) => found.to.replace(held.value()),
                Header::CallId(held) => found.call_id.replace(held.value()),
                Header::CSeq(held) => found.cseq.replace(held.value()),
                Header::MaxForwards(held) => found.max_forwards.replace(held.value()),
                Header::ContentType(held) => found.content_type.replace(held.value()),
                Header::ContentLength(held) => {
                    found.lengths += 1;
                    found.length.replace(held.value())
                }
                _ => continue,
            };
            found.twice |= once.is_some();
        }
        found
    }

    /// The body: as long as Content-Length says, or all the rest.
    fn body<'b>(&self, rest: &'b [u8]) -> Result<&'b [u8], Fault> {
        // Two lengths: which one the next hop believes can't be known (request smuggling), so neither is.
        if self.lengths > 1 {
            return Err(Fault(400, "more than one Content-Length"));
        }
        let Some(length) = self.length else { return Ok(rest) };
        let most = u64::try_from(MAX_DATAGRAM).unwrap_or(u64::MAX);
        let length = lexis::number(length, most).and_then(|n| usize::try_from(n).ok());
        let length = length.ok_or(Fault(400, "Content-Length isn't a length"))?;
        rest.get(..length).ok_or(Fault(400, "the body is shorter than Content-Length"))
    }

    /// Checks what every message needs (RFC 3261 8.1.1) and what later readers rely on.
    fn check(&self, start: &Start) -> Result<(), Fault> {
        if self.twice {
            return Err(Fault(400, "a header that may stand once stands twice"));
        }
        if self.vias.spoilt {
            return Err(Fault(400, "Via can't be read"));
        }
        if self.via.ok_or(Fault(400, "Via is missing"))? == Seen::NoIdentifier {
            return Err(Fault(400, "the branch has no identifier"));
        }
        let address = |value: Option<&'a str>| value.filter(|value| NameAddr::is_one(value));
        address(self.from).ok_or(Fault(400, "From is missing or can't be read"))?;
        address(self.to).ok_or(Fault(400, "To is missing or can't be read"))?;
        self.call_id.filter(|id| !id.is_empty()).ok_or(Fault(400, "Call-ID is missing"))?;
        let counted = self.cseq.and_then(headers::cseq_of);
        let (_, counted) = counted.ok_or(Fault(400, "CSeq is missing or can't be read"))?;
        if let Some(hops) = self.max_forwards {
            lexis::number(hops, 255).ok_or(Fault(400, "Max-Forwards isn't a number up to 255"))?;
        }
        if self.contacts.spoilt {
            return Err(Fault(400, "Contact can't be read"));
        }
        match start {
            Start::Request(Method::Other(_), _) if !is_method(start, &counted) => {
                Err(Fault(501, "CSeq names another method, and the request's isn't known"))
            }
            Start::Request(..) if !is_method(start, &counted) => Err(Fault(400, "CSeq names another method")),
            _ => Ok(()),
        }
    }
}

fn is_method(start: &Start, counted: &Method) -> bool {
    matches!(start, Start::Request(method, _) if method == counted)
}

/// The Request-URI: no brackets, no headers (RFC 3261 19.1.1), a scheme that we know.
fn request_uri(target: &str) -> Result<Uri, Fault> {
    let uri = Uri::parse(target).ok_or(Fault(400, "the Request-URI can't be read"))?;
    if matches!(uri.scheme, Scheme::Other(_)) {
        return Err(Fault(416, "the Request-URI's scheme isn't known"));
    }
    if !uri.headers.is_empty() {
        return Err(Fault(400, "the Request-URI has headers"));
    }
    Ok(uri)
}
