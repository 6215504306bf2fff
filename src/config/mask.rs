//! Where a configuration text has secrets, so that no message ever shows one. Reads TOML only as far as needed for
//! that, and in doubt hides too much: the text may well be broken.

use std::ops::Range;

/// Whether a key of this name holds a secret, also when it is misspelt a little.
///
/// `password_file`, `password_env` and `password_command` say where the secret is and aren't secret themselves.
pub(super) fn is_secret_key(key: &str) -> bool {
    let key = key.to_lowercase();
    if ["_file", "_env", "_command"].iter().any(|tail| key.ends_with(tail)) {
        return false;
    }
    let says_so = ["pass", "secret", "pwd", "token"].iter().any(|word| key.contains(word));
    let nearly = ["password", "secret"].iter().any(|word| strsim::osa_distance(word, &key) <= 2);
    says_so || nearly
}

/// The byte ranges of all values of secret keys, in order.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut hidden: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find('=').map(|at| from + at) {
        from = at + 1;
        if is_secret_key(key_before(text, at)) {
            let start = at + 1 + bytes[at + 1..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            let end = value_end(text, start).max(start);
            if end > start {
                hidden.push(start..end);
            }
            from = end.max(from);
        }
    }
    hidden.extend(without_sign(text));
    hidden
}

/// What stands behind a secret's key on its line where the `=` was forgotten, or is a colon.
fn without_sign(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut next = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = next;
        next += line.len();
        let key = line.trim_start().trim_start_matches(['"', '\'']);
        let indent = line.len() - key.len();
        let length = key.find(|c: char| !(c.is_alphanumeric() || "_-.".contains(c)))?;
        let value = key[length..].trim_start_matches(['"', '\'', ':', ' ', '\t']);
        let last = key[..length].rsplit('.').next().unwrap_or("");
        let hide = is_secret_key(last) && !value.starts_with('=') && !value.trim_end().is_empty();
        // The quote before the value may be a part of it, or not: it is shown.
        hide.then(|| start + indent + key.len() - value.len()..start + indent + key.trim_end().len())
    })
}

/// The last part of the key that ends before the `=` at `at`.
fn key_before(text: &str, at: usize) -> &str {
    let head = text[..at].trim_end_matches([' ', '\t', '"', '\'']);
    let start = head.rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
    head[start.map_or(0, |s| s + head[s..].chars().next().map_or(1, char::len_utf8))..].trim()
}

/// Where the value that begins at `start` ends. A string without its closing quote ends with its line, several lines
/// without theirs with the file.
fn value_end(text: &str, start: usize) -> usize {
    let value = &text[start..];
    let line = value.find('\n').unwrap_or(value.len());
    for quote in ["\"\"\"", "'''"] {
        if let Some(body) = value.strip_prefix(quote) {
            return start + body.find(quote).map_or(value.len(), |end| end + 6);
        }
    }
    let end = match value.chars().next() {
        Some('"') => closing_quote(&value[..line]).unwrap_or(line),
        Some('\'') => value[1..line].find('\'').map_or(line, |end| end + 2),
        Some('[') => value.find(']').map_or(value.len(), |end| end + 1),
        // Unquoted by mistake: a secret may well have commas, braces and hashes in it.
        _ => line,
    };
    start + end
}

/// The offset behind the quote that closes a basic string.
fn closing_quote(value: &str) -> Option<usize> {
    let mut escaped = false;
    value.bytes().enumerate().skip(1).find_map(|(at, byte)| match byte {
        _ if std::mem::take(&mut escaped) => None,
        b'\\' => {
            escaped = true;
            None
        }
        b'"' => Some(at + 1),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut shown = text.to_owned();
        for range in secrets(text).into_iter().rev() {
            shown.replace_range(range, "…");
        }
        shown
    }

    #[test]
    fn the_names_of_secrets_are_known_even_misspelt() {
        for key in [
            "password",
            "Password",
            "pasword",
            "passwd",
            "secret",
            "secrt",
            "auth_secret",
            "pwd",
            "api-token",
        ] {
            assert!(is_secret_key(key), "{key}");
        }
        for key in
            ["password_file", "password_env", "password_command", "user", "server", "sercer_port", "realm"]
        {
            assert!(!is_secret_key(key), "{key}");
        }
    }

    #[test]
    fn every_way_to_write_a_secret_is_masked() {
        for (text, shown) in [
            ("secret = \"a\\\"b\" # c", "secret = … # c"),
            ("secret='ab'", "secret=…"),
            ("\"secret\" = 'ab'", "\"secret\" = …"),
            ("account.password = ab, }", "account.password = …"),
            ("secret = \"open\nnext = 1", "secret = …\nnext = 1"),
            ("secret = \"\"\"\nab\n\"\"\"\nnext = 1", "secret = …\nnext = 1"),
            ("secret = '''\nab\nnext = 1", "secret = …"),
            ("secret = [\"a\",\n\"b\"]\nx = 1", "secret = …\nx = 1"),
            ("secret = 12345", "secret = …"),
            ("u = { secret = \"a=b\", n = \"secret\" }", "u = { secret = …, n = \"secret\" }"),
            ("secret =", "secret ="),
            ("secret \"ab\"\nx", "secret \"…\nx"),
            ("  secret: ab cd", "  secret: …"),
            ("account.secret ab", "account.secret …"),
            ("secret", "secret"),
            ("password_file = \"x\"", "password_file = \"x\""),
            ("müsecret = 'ab'", "müsecret = …"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
