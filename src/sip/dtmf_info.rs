//! Digits in INFO: `application/dtmf-relay` and `application/dtmf`, for far ends that take no telephone-event.

/// What is sent, and how long a digit sounds there.
pub const CONTENT_TYPE: &str = "application/dtmf-relay";
/// How long a digit sounds, in ms.
const DURATION_MS: u32 = 160;
/// The longest body that is read.
const MAX_BODY: usize = 256;

/// The body that sends one digit.
pub fn write(digit: char) -> Vec<u8> {
    format!("Signal={digit}\r\nDuration={DURATION_MS}\r\n").into_bytes()
}

/// The digit in an INFO of either kind; `None` for another kind or what is no digit.
pub fn read(content_type: &str, body: &[u8]) -> Option<char> {
    let kind = content_type.split(';').next()?.trim().to_ascii_lowercase();
    let text = std::str::from_utf8(body.get(..body.len().min(MAX_BODY))?).ok()?;
    match kind.as_str() {
        "application/dtmf-relay" => text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("Signal").then(|| digit(value.trim()))?
        }),
        "application/dtmf" => digit(text.trim()),
        _ => None,
    }
}

/// A digit by its sign, or by its event number (RFC 4733 3.2), as some phones write it.
fn digit(text: &str) -> Option<char> {
    let named = match text {
        "10" => Some('*'),
        "11" => Some('#'),
        "12" => Some('A'),
        "13" => Some('B'),
        "14" => Some('C'),
        "15" => Some('D'),
        _ => None,
    };
    let mut letters = text.chars();
    let single = letters.next().filter(|_| letters.next().is_none()).map(|c| c.to_ascii_uppercase());
    named.or(single).filter(|c| c.is_ascii_digit() || "*#ABCD".contains(*c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_survives_the_way() {
        for sent in "0123456789*#ABCD".chars() {
            assert_eq!(read(CONTENT_TYPE, &write(sent)), Some(sent));
        }
    }

    #[test]
    fn phones_write_it_in_several_ways() {
        assert_eq!(read("application/dtmf-relay", b"Signal= 5\nDuration= 100\n"), Some('5'));
        assert_eq!(read("Application/DTMF-Relay; x=y", b"signal=10\r\n"), Some('*'));
        assert_eq!(read("application/dtmf", b"b\r\n"), Some('B'));
        for (kind, body) in [
            ("application/dtmf", &b"55"[..]),
            ("application/dtmf", b"\x1b"),
            ("application/dtmf-relay", b"Duration=1"),
            ("text/plain", b"5"),
            ("application/dtmf", b"\xff"),
            ("application/dtmf", b""),
        ] {
            assert_eq!(read(kind, body), None, "{kind} {body:?}");
        }
    }
}
