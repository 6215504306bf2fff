//! Why a request was sent (RFC 3326): the Reason header of a BYE or CANCEL.

use super::message::{Headers, reason_phrase};

/// The longest text that we say.
const MAX_TEXT: usize = 128;

/// A reason in SIP's own terms: a status that says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The status, 200 to 699.
    pub cause: u16,
    /// In words.
    pub text: String,
}

impl Reason {
    /// That status, in its own phrase.
    pub fn of_status(cause: u16) -> Self {
        Self { cause, text: reason_phrase(cause) }
    }

    /// Somebody else who was called has answered (RFC 3326 3.1).
    pub fn answered_elsewhere() -> Self {
        Self { cause: 200, text: "Call completed elsewhere".to_owned() }
    }

    /// The same with other words.
    #[must_use]
    pub fn saying(self, text: &str) -> Self {
        Self { text: text.to_owned(), ..self }
    }

    /// The header's value. What can't stand in quotes is left out of the words.
    pub fn write(&self) -> String {
        let plain = |c: &char| !c.is_control() && !matches!(c, '"' | '\\');
        let text: String = self.text.chars().filter(plain).take(MAX_TEXT).collect();
        match text.is_empty() {
            true => format!("SIP;cause={}", self.cause),
            false => format!("SIP;cause={};text=\"{text}\"", self.cause),
        }
    }
}

/// The `SIP` cause of a Reason header and its text; else no status and `otherwise`.
pub fn read(headers: &Headers, otherwise: &str) -> (Option<u16>, String) {
    let values = headers.list("Reason");
    let parts = values.iter().find_map(|value| value.split_once(';').map(|(p, rest)| (p.trim(), rest)));
    let Some((protocol, rest)) = parts else { return (None, otherwise.to_owned()) };
    let param = |name: &str| {
        rest.split(';').filter_map(|p| p.split_once('=')).find(|(n, _)| n.trim().eq_ignore_ascii_case(name))
    };
    let cause = param("cause").and_then(|(_, cause)| cause.trim().parse().ok());
    let text = param("text").map(|(_, text)| text.trim().trim_matches('"').to_owned());
    let is_sip = protocol.eq_ignore_ascii_case("SIP");
    (cause.filter(|_| is_sip), text.filter(|text| !text.is_empty()).unwrap_or_else(|| otherwise.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_nobody_breaks_out_of_the_quotes() {
        for reason in
            [Reason::answered_elsewhere(), Reason::of_status(488), Reason::of_status(488).saying("")]
        {
            let mut headers = Headers::new();
            headers.push("Reason", reason.write());
            let text = if reason.text.is_empty() { "otherwise".to_owned() } else { reason.text };
            assert_eq!(read(&headers, "otherwise"), (Some(reason.cause), text));
        }
        assert_eq!(
            Reason::of_status(503).saying("a\"\r\nEvil: \\1").write(),
            "SIP;cause=503;text=\"aEvil: 1\""
        );
    }
}
