//! Subscription-State (RFC 6665 4.1.3): whether the server goes on telling, and when it wants to be asked again.

/// Why a subscription was ended, as far as it matters for asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Ask again at once (`deactivated`, `timeout`): Retry-After means nothing here.
    AtOnce,
    /// Ask again later (`probation`).
    Later,
    /// Ask again when you like, if the server didn't say when (`giveup`, none, or one that nobody knows).
    AnyTime,
    /// We may not (`rejected`).
    Rejected,
    /// There is no such thing (`noresource`).
    NoResource,
    /// It will never change (`invariant`): what was told holds, and nothing more is to be asked.
    Invariant,
}

impl Reason {
    fn read(word: &str) -> Self {
        match word {
            "deactivated" | "timeout" => Self::AtOnce,
            "probation" => Self::Later,
            "rejected" => Self::Rejected,
            "noresource" => Self::NoResource,
            "invariant" => Self::Invariant,
            _ => Self::AnyTime,
        }
    }
}

/// The header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Why it is over, if it is. `active`, `pending`, and words that nobody knows, go on.
    pub(super) ended: Option<Reason>,
    pub(super) expires_s: Option<u32>,
    /// Only where the reason gives it a meaning.
    pub(super) retry_after_s: Option<u64>,
}

impl State {
    pub(super) fn read(value: &str) -> Self {
        let value = value.to_ascii_lowercase();
        let mut parts = value.split(';').map(str::trim);
        let terminated = parts.next() == Some("terminated");
        let params: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let param = |name: &str| params.iter().find(|(n, _)| n.trim() == name).map(|(_, v)| v.trim());
        let ended = terminated.then(|| Reason::read(param("reason").unwrap_or_default()));
        let heeded = matches!(ended, Some(Reason::Later | Reason::AnyTime));
        Self {
            ended,
            expires_s: param("expires").and_then(|v| v.parse().ok()),
            retry_after_s: param("retry-after").filter(|_| heeded).and_then(|v| v.parse().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_counts_only_where_the_rfc_gives_it_a_meaning() {
        for (reason, ended, after) in [
            ("deactivated", Reason::AtOnce, None),
            ("timeout", Reason::AtOnce, None),
            ("probation", Reason::Later, Some(9)),
            ("giveup", Reason::AnyTime, Some(9)),
            ("made-up", Reason::AnyTime, Some(9)),
            ("rejected", Reason::Rejected, None),
            ("noresource", Reason::NoResource, None),
            ("invariant", Reason::Invariant, None),
        ] {
            let state = State::read(&format!("Terminated; Reason={reason} ;retry-after=9"));
            assert_eq!((state.ended, state.retry_after_s), (Some(ended), after), "{reason}");
        }
        let active = State { ended: None, expires_s: Some(5), retry_after_s: None };
        assert_eq!(State::read("active;expires=5;retry-after=9"), active);
        assert_eq!(State::read("pending"), State { expires_s: None, ..active });
    }
}
