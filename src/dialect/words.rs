//! Status codes and reasons as a receptionist would say them.

use crate::sip::message::reason_phrase;

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
    let reason = reason.trim().trim_end_matches('.');
    // The server's own sentence (Warning, Reason) says more than a phrase that every server uses.
    let own = !reason.is_empty() && !reason.eq_ignore_ascii_case(&reason_phrase(status));
    match (known, own) {
        (_, true) => format!("{reason} ({status})"),
        ("", false) => format!("refused with {status}"),
        (known, false) => format!("{known} ({status})"),
    }
}
