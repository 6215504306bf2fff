//! What the agent changes in a description: the version in the `o=` line (RFC 3264 8), which rises by one whenever what
//! we say differs from what we said before, and stays when it does not, whoever made it and however often it was tried;
//! and our address, where a call goes another way than the one it was made for.

use std::net::IpAddr;

/// `next` with the version that follows from `last`, which was sent before in the same dialog.
pub(super) fn restamped(last: &[u8], next: Vec<u8>) -> Vec<u8> {
    let (Some(old), Some(new)) = (Origin::find(last), Origin::find(&next)) else { return next };
    let (Some(before), Some(after)) = (old.around(last), new.around(&next)) else { return next };
    let of_one_session = old.session(last) == new.session(&next);
    if !of_one_session {
        return next;
    }
    let version = if before == after { old.version } else { old.version.saturating_add(1) };
    [after.0, version.to_string().as_bytes(), after.1].concat()
}

/// A description with `new` wherever its `o=` and `c=` lines name our address `old`.
pub(super) fn readdressed(sdp: Vec<u8>, old: IpAddr, new: IpAddr) -> Vec<u8> {
    let words = |ip: IpAddr| format!("IN {} {ip}", if ip.is_ipv4() { "IP4" } else { "IP6" }).into_bytes();
    let (old, new) = (words(old), words(new));
    let mut changed = Vec::with_capacity(sdp.len() + new.len());
    for line in sdp.split_inclusive(|b| *b == b'\n') {
        let text = line.trim_ascii_end();
        let named = text.starts_with(b"o=") || text.starts_with(b"c=");
        match text.strip_suffix(old.as_slice()).filter(|_| named) {
            Some(before) => {
                changed.extend_from_slice(before);
                changed.extend_from_slice(&new);
                changed.extend_from_slice(line.get(text.len()..).unwrap_or_default());
            }
            None => changed.extend_from_slice(line),
        }
    }
    changed
}

/// Where the version stands.
struct Origin {
    line: usize,
    from: usize,
    to: usize,
    version: u64,
}

impl Origin {
    fn find(sdp: &[u8]) -> Option<Self> {
        let mut line = 0;
        for text in sdp.split_inclusive(|b| *b == b'\n') {
            if text.starts_with(b"o=") {
                return Self::read(line, text);
            }
            line += text.len();
        }
        None
    }

    /// `o=<user> <session> <version> …`
    fn read(line: usize, text: &[u8]) -> Option<Self> {
        let mut blanks = text.iter().enumerate().filter(|(_, b)| **b == b' ').map(|(at, _)| at).skip(1);
        let (from, to) = (blanks.next()? + 1, blanks.next()?);
        let version = std::str::from_utf8(text.get(from..to)?).ok()?.parse().ok()?;
        Some(Self { line, from: line + from, to: line + to, version })
    }

    /// What stands before and after it.
    fn around<'a>(&self, sdp: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        Some((sdp.get(..self.from)?, sdp.get(self.to..)?))
    }

    fn session<'a>(&self, sdp: &'a [u8]) -> Option<&'a [u8]> {
        sdp.get(self.line..self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp(version: u64, way: &str) -> Vec<u8> {
        format!(
            "v=0\r\no=- 77 {version} IN IP4 10.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na={way}\r\n"
        )
        .into_bytes()
    }

    #[test]
    fn what_is_the_same_keeps_its_version_and_what_differs_gets_the_next() {
        assert_eq!(restamped(&sdp(4, "sendrecv"), sdp(9, "sendrecv")), sdp(4, "sendrecv"));
        assert_eq!(
            restamped(&sdp(4, "sendrecv"), sdp(2, "sendonly")),
            sdp(5, "sendonly"),
            "older by a glare"
        );
        assert_eq!(restamped(&sdp(4, "sendrecv"), sdp(9, "sendonly")), sdp(5, "sendonly"));
        let other = String::from_utf8(sdp(1, "sendrecv")).unwrap().replace("o=- 77", "o=- 78").into_bytes();
        assert_eq!(restamped(&sdp(4, "sendrecv"), other.clone()), other, "another session counts for itself");
    }

    #[test]
    fn only_our_own_address_is_exchanged() {
        let (old, new) = ("10.0.0.1".parse().unwrap(), "2001:db8::7".parse().unwrap());
        let sdp = "v=0\r\no=- 7 1 IN IP4 10.0.0.1\r\nc=IN IP4 10.0.0.1\r\nm=audio 4 RTP/AVP 0\r\na=x:IN IP4 10.0.0.1\r\n";
        let moved = "v=0\r\no=- 7 1 IN IP6 2001:db8::7\r\nc=IN IP6 2001:db8::7\r\nm=audio 4 RTP/AVP 0\r\na=x:IN IP4 10.0.0.1\r\n";
        assert_eq!(readdressed(sdp.into(), old, new), moved.as_bytes());
        let another = sdp.replace("10.0.0.1\r", "10.0.0.12\r");
        assert_eq!(readdressed(another.clone().into(), old, new), another.as_bytes());
        assert_eq!(readdressed(Vec::new(), old, new), b"");
    }

    #[test]
    fn what_is_no_description_stays_as_it_is() {
        for text in ["", "v=0 offer", "o=\r\n", "o=- 77\r\n", "o=- 77 x IN IP4 1.1.1.1\r\n"] {
            assert_eq!(restamped(&sdp(4, "sendrecv"), text.into()), text.as_bytes());
            assert_eq!(restamped(text.as_bytes(), sdp(4, "sendrecv")), sdp(4, "sendrecv"));
        }
    }
}
