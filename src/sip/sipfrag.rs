//! The fragment of a response in a REFER's NOTIFY (RFC 3515 2.4.5, RFC 3420): read, written, nothing more.

use super::message::reason_phrase;

/// The longest status line that is read, in bytes.
const MAX_LINE: usize = 1_024;

/// Status and reason phrase of a `message/sipfrag` body; `None` unless it begins with a status line.
pub fn read(body: &[u8]) -> Option<(u16, String)> {
    let line = body.trim_ascii_start().split(|b| *b == b'\n').next()?;
    let line = String::from_utf8_lossy(line.get(..MAX_LINE).unwrap_or(line).trim_ascii_end());
    let (version, rest) = line.split_once(' ')?;
    let (code, reason) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
    let is_code = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
    let status: u16 = code.parse().ok().filter(|status| is_code && (100..700).contains(status))?;
    version.eq_ignore_ascii_case("SIP/2.0").then(|| (status, reason.trim().to_owned()))
}

/// The body that reports `status`, with its usual phrase.
pub fn write(status: u16) -> Vec<u8> {
    format!("SIP/2.0 {status} {}\r\n", reason_phrase(status)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(&write(202)), Some((202, "Accepted".into())));
        assert_eq!(read(b"SIP/2.0 400 Bad Request\r\nVia: x\r\n"), Some((400, "Bad Request".into())));
        assert_eq!(read(b"SIP/2.0 100"), Some((100, String::new())));
    }

    #[test]
    fn what_is_no_status_line_is_nothing() {
        for body in
            [&b""[..], b"OK", b"SIP/2.0", b"SIP/2.0 99 x", b"SIP/2.0 +20 x", b"SIP/2.0 999 x", b"\xff"]
        {
            assert_eq!(read(body), None);
        }
        assert!(read(&[b"SIP/2.0 200 ", &[b'x'; 100_000][..]].concat()).unwrap().1.len() <= MAX_LINE);
    }
}
