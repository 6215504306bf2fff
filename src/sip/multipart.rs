//! Bodies of several parts (RFC 2046 5.1) within limits: cut at the boundary, each part with its type and name. Parts
//! are bytes; SIP sends them as they are (RFC 3261 7.4.2), so a part in base64 or quoted-printable is refused. And the one
//! part among them that describes the session (RFC 5621).

/// The most parts of one body.
pub const MAX_PARTS: usize = 1_024;
/// The longest boundary (RFC 2046 5.1.1).
const MAX_BOUNDARY: usize = 70;
/// The largest head of a part, in bytes.
const MAX_HEAD: usize = 4_096;
/// The most lines of it.
const MAX_HEAD_LINES: usize = 16;

/// How deep parts may lie within parts where a description is sought.
const MAX_NESTING: u32 = 4;

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its Content-Type; `text/plain` where it named none.
    pub content_type: String,
    /// Its Content-ID without the angle brackets.
    pub content_id: Option<String>,
    /// What it is for and how it is to be handled, in small letters (RFC 3261 20.11); empty where it says nothing.
    pub disposition: String,
    /// Its content.
    pub body: &'a [u8],
}

/// Whether that Content-Type is of this type, parameters left aside.
pub fn is_type(content_type: &str, wanted: &str) -> bool {
    content_type.split(';').next().is_some_and(|held| held.trim().eq_ignore_ascii_case(wanted))
}

/// A parameter of a Content-Type, unquoted.
pub fn parameter(content_type: &str, name: &str) -> Option<String> {
    let mut rest = content_type.split_once(';')?.1;
    loop {
        rest = rest.trim_start_matches([';', ' ', '\t']);
        let (key, after) = rest.split_once('=')?;
        let (value, more) = value_of(after.trim_start())?;
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = more;
    }
}

/// A token or a quoted string, and what follows it.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((text.get(..end)?.trim().to_owned(), text.get(end..)?));
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((value, quoted.get(at + 1..)?)),
            c => value.push(c),
        }
    }
    None
}

/// The only part that describes the session, wherever it lies. `None`: there is none or more than one, or another part has
/// to be understood (`handling=required`) that isn't. One that says nothing of its handling would have to be understood
/// as well (RFC 3261 20.11 says SHOULD), but no call is turned away for a sender's silence.
pub fn description<'a>(content_type: &str, body: &'a [u8]) -> Option<&'a [u8]> {
    let mut found = Vec::new();
    seek(content_type, body, MAX_NESTING, &mut found)?;
    match found.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// Adds the descriptions of this body; `None` where nothing may be taken from it.
fn seek<'a>(content_type: &str, body: &'a [u8], depth: u32, found: &mut Vec<&'a [u8]>) -> Option<()> {
    for part in read(content_type, body).ok()? {
        let session = part.disposition.is_empty() || part.disposition.split(';').next() == Some("session");
        if is_type(&part.content_type, "application/sdp") && session {
            found.push(part.body);
        } else if is_multipart(&part.content_type) {
            seek(&part.content_type, part.body, depth.checked_sub(1)?, found)?;
        } else if part.disposition.contains(";handling=required") {
            return None;
        }
    }
    Some(())
}

/// Whether a body of that type has parts.
pub fn is_multipart(content_type: &str) -> bool {
    content_type.trim_start().get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"))
}

/// Cuts a body; the error says in words what is wrong with it.
pub fn read<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, String> {
    let boundary = parameter(content_type, "boundary").ok_or("the parts have no boundary")?;
    if boundary.is_empty()
        || boundary.len() > MAX_BOUNDARY
        || boundary.bytes().any(|b| !(b' '..=b'~').contains(&b))
    {
        return Err("the boundary is none".into());
    }
    let mut parts = Vec::new();
    // What stands before the first boundary is for readers that know no parts.
    let mut open: Option<usize> = None;
    let mut at = 0;
    while at < body.len() {
        let end = line_end(body, at);
        let line = body.get(at..end).unwrap_or_default();
        if let Some(last) = delimiter(line, &boundary) {
            if let Some(begin) = open {
                if parts.len() >= MAX_PARTS {
                    return Err("there are too many parts".into());
                }
                // The line end before a boundary belongs to the boundary.
                parts.push(part(without_line_end(body.get(begin..at).unwrap_or_default()))?);
            }
            if last {
                return Ok(parts);
            }
            open = Some(end);
        }
        at = end;
    }
    Err("the last part is cut short".into())
}

/// Where the line that begins at `at` ends, its line end included.
fn line_end(body: &[u8], at: usize) -> usize {
    let rest = body.get(at..).unwrap_or_default();
    rest.iter().position(|b| *b == b'\n').map_or(body.len(), |found| at + found + 1)
}

/// Whether a line is a boundary; `Some(true)` for the last one.
fn delimiter(line: &[u8], boundary: &str) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary.as_bytes())?;
    let (rest, last) = rest.strip_prefix(b"--").map_or((rest, false), |rest| (rest, true));
    rest.iter().all(u8::is_ascii_whitespace).then_some(last)
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

fn part(bytes: &[u8]) -> Result<Part<'_>, String> {
    let mut part =
        Part { content_type: "text/plain".into(), content_id: None, disposition: String::new(), body: &[] };
    let mut at = 0;
    for _ in 0..=MAX_HEAD_LINES {
        let end = line_end(bytes, at);
        let line = without_line_end(bytes.get(at..end).unwrap_or_default());
        at = end;
        if line.is_empty() {
            part.body = bytes.get(at..).unwrap_or_default();
            return Ok(part);
        }
        if at > MAX_HEAD {
            break;
        }
        let line = String::from_utf8_lossy(line);
        let Some((name, value)) = line.split_once(':') else { return Err("a part has a broken head".into()) };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "content-type" | "c" => part.content_type = value.to_owned(),
            "content-id" => part.content_id = Some(value.trim_matches(['<', '>']).to_owned()),
            "content-disposition" => part.disposition = value.to_ascii_lowercase().replace(' ', ""),
            "content-transfer-encoding" => {
                let plain = ["binary", "8bit", "7bit"].iter().any(|e| value.eq_ignore_ascii_case(e));
                if !plain {
                    return Err("a part is encoded, which SIP has no use for".into());
                }
            }
            _ => {}
        }
    }
    Err("a part has too large a head".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/related;type=\"application/rlmi+xml\";boundary=amwbz";

    #[test]
    fn parts_are_cut_with_their_types_and_names() {
        let body = b"preamble\r\n--amwbz\r\nContent-ID: <a@b>\r\nContent-Type: application/rlmi+xml\r\n\r\nfirst\r\n\r\n--amwbz \r\n\r\nsecond\r\n--amwbzz\r\n--amwbz--\r\nepilogue";
        let parts = read(TYPE, body).unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].content_id.as_deref(), Some("a@b"));
        assert_eq!(parts[0].content_type, "application/rlmi+xml");
        assert_eq!(parts[0].body, b"first\r\n");
        assert_eq!(parts[1].content_type, "text/plain");
        assert_eq!(parts[1].body, b"second\r\n--amwbzz", "a longer word is no boundary");
    }

    #[test]
    fn a_boundary_may_be_quoted_and_stand_anywhere() {
        for content_type in [
            "multipart/mixed; boundary=\"a b;c\"",
            "multipart/mixed;x=\"boundary=no\"; Boundary=\"a \\b;c\" ; charset=utf-8",
        ] {
            assert_eq!(parameter(content_type, "boundary").as_deref(), Some("a b;c"), "{content_type}");
        }
        assert_eq!(read("multipart/mixed; boundary=\"a b\"", b"--a b\n\nx\n--a b--").unwrap()[0].body, b"x");
        assert!(is_type("Multipart/Related ;a=b", "multipart/related"));
    }

    #[test]
    fn the_only_description_is_found_among_other_parts_and_none_where_one_of_them_must_be_understood() {
        let sdp = "Content-Type: application/sdp\r\n\r\nv=0";
        let plain = "Content-Type: application/ISUP\r\n";
        let nested = format!(
            "Content-Type: multipart/alternative;boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n{sdp}\r\n--b--"
        );
        let deep = |depth: usize| {
            let mut part = sdp.to_owned();
            for level in 0..depth {
                part = format!(
                    "Content-Type: multipart/mixed;boundary=l{level}\r\n\r\n--l{level}\r\n{part}\r\n--l{level}--"
                );
            }
            part
        };
        for (parts, found) in [
            (vec![sdp.to_owned()], true),
            (
                vec![format!("{plain}Content-Disposition: signal; handling=optional\r\n\r\nx"), sdp.into()],
                true,
            ),
            (vec![sdp.into(), format!("{plain}\r\nx")], true),
            (vec![nested], true),
            (vec![deep(4)], true),
            (vec![format!("Content-Disposition: Session\r\n{sdp}")], true),
            (vec![deep(5)], false),
            (
                vec![sdp.into(), format!("{plain}Content-Disposition: signal ;Handling=Required\r\n\r\nx")],
                false,
            ),
            (vec![sdp.into(), sdp.into()], false),
            (vec![format!("Content-Disposition: early-session\r\n{sdp}")], false),
            (vec![format!("{plain}\r\nx")], false),
            (vec![], false),
        ] {
            let body: String = parts.iter().map(|part| format!("--amwbz\r\n{part}\r\n")).collect();
            let body = format!("{body}--amwbz--");
            let told = description("multipart/mixed;boundary=amwbz", body.as_bytes());
            assert_eq!(told, found.then_some(&b"v=0"[..]), "{body}");
        }
        assert_eq!(description("multipart/mixed", b"--x--"), None);
    }

    #[test]
    fn hostile_bodies_are_refused_in_words() {
        let many = format!("{}--amwbz--", "--amwbz\r\n\r\n\r\n".repeat(MAX_PARTS + 1));
        let lines = format!("--amwbz\r\n{}\r\n--amwbz--", "a: b\r\n".repeat(MAX_HEAD_LINES + 1));
        let long = format!("--amwbz\r\na: {}\r\n\r\n--amwbz--", "b".repeat(MAX_HEAD));
        for (content_type, body, reason) in [
            ("multipart/related", "", "no boundary"),
            ("multipart/related;boundary=\"a", "", "no boundary"),
            ("multipart/related;boundary=", "", "none"),
            (TYPE, "", "cut short"),
            (TYPE, "--amwbz\r\n\r\nx", "cut short"),
            (TYPE, many.as_str(), "too many parts"),
            (TYPE, lines.as_str(), "too large a head"),
            (TYPE, long.as_str(), "too large a head"),
            (TYPE, "--amwbz\r\nno head\r\n--amwbz--", "broken head"),
            (TYPE, "--amwbz\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n--amwbz--", "encoded"),
        ] {
            assert!(read(content_type, body.as_bytes()).unwrap_err().contains(reason), "{body:.60}");
        }
        assert_eq!(read(TYPE, b"--amwbz--"), Ok(Vec::new()));
    }
}
