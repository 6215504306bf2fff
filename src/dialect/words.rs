//! Status codes and reasons as a receptionist would say them.

use crate::parking::Text;
use crate::sip::message::Headers;

/// What a final status means for the person who dialled.
pub fn of_status(status: u16, reason: &str) -> String {
    let known = match status {
        401 | 407 => "the server refused the password",
        403 => "not allowed by the server",
        404 | 410 => "no such number",
        408 => "no answer from the server",
        480 => "not available now",
        481 => "the call is no longer there",
        484 => "the number is incomplete",
        486 | 600 => "busy",
        487 => "cancelled",
        488 | 606 => "no common way to talk (codec)",
        489 => "the server doesn't offer lamps here",
        491 => "something else was under way, try again",
        503 => "the server is overloaded or the lot is full",
        603 => "declined",
        _ => "",
    };
    let reason = reason.trim();
    match (known, reason) {
        ("", "") => format!("refused with {status}"),
        ("", reason) => format!("{reason} ({status})"),
        (known, _) => format!("{known} ({status})"),
    }
}

/// The server's own words in Warning (RFC 3261 §20.43) or Reason (RFC 3326), if it used any.
pub fn of_headers(headers: &Headers) -> Option<Text> {
    let quoted = |value: &str| value.split('"').nth(1).map(Text::new).filter(|t| !t.is_empty());
    headers.get("Warning").and_then(quoted).or_else(|| headers.get("Reason").and_then(quoted))
}
