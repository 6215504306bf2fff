//! Where a call has been before it came here: History-Info (RFC 7044) and Diversion (RFC 5806) into plain words.

use super::message::{Headers, NameAddr};

/// The most entries that are read.
const MAX_ENTRIES: usize = 16;

/// Why a call was sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// He was busy.
    Busy,
    /// He did not answer.
    NoAnswer,
    /// Always.
    Unconditional,
    /// He sent this one on himself.
    Deflection,
    /// He can't be reached.
    Unavailable,
    /// Something else, or not told.
    Unknown,
}

/// One place that a call was sent on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diverted {
    /// Who sent it on.
    pub by: NameAddr,
    /// Why.
    pub cause: Cause,
    /// Whether he asked not to be named.
    pub withheld: bool,
}

/// Who sent a call on, the first of them first. Empty for a call that came straight.
pub fn diversions(headers: &Headers) -> Vec<Diverted> {
    let diversion = by_diversion(headers);
    if diversion.is_empty() { by_history(headers) } else { diversion }
}

/// Diversion names the last one first (RFC 5806 5).
fn by_diversion(headers: &Headers) -> Vec<Diverted> {
    let mut told: Vec<Diverted> = headers
        .routes("Diversion")
        .into_iter()
        .take(MAX_ENTRIES)
        .map(|by| {
            let cause = match by.params.get("reason").map(str::to_ascii_lowercase).as_deref() {
                Some("user-busy") => Cause::Busy,
                Some("no-answer") => Cause::NoAnswer,
                Some("unconditional") => Cause::Unconditional,
                Some("deflection") => Cause::Deflection,
                Some("unavailable" | "out-of-service") => Cause::Unavailable,
                _ => Cause::Unknown,
            };
            let shown = by.params.get("privacy").is_none_or(|value| value.eq_ignore_ascii_case("off"));
            Diverted { by, cause, withheld: !shown }
        })
        .collect();
    told.reverse();
    told
}

/// One entry of History-Info: where in the tree of retargetings, and what led away from it.
struct Entry {
    index: Vec<u32>,
    address: NameAddr,
    cause: Option<u16>,
    /// Whether this target came to be by a diversion (`mp`) or a contact (`rc`), not by plain routing (`np`).
    retargeted: bool,
    withheld: bool,
}

fn by_history(headers: &Headers) -> Vec<Diverted> {
    let entries: Vec<Entry> =
        headers.routes("History-Info").into_iter().take(MAX_ENTRIES).filter_map(entry).collect();
    // The reason why a target was left stands with it, or as a cause with the one that followed (RFC 4458, RFC 7044 10).
    let mut told = Vec::new();
    for (at, target) in entries.iter().enumerate() {
        let next = entries.get(at + 1).filter(|next| next.index.len() >= target.index.len());
        let left_for = next.and_then(|next| next.cause);
        let diverted = next.is_some_and(|next| next.retargeted || next.cause.is_some());
        let cause = target.cause.filter(|_| next.is_some() && !target.retargeted).or(left_for);
        if diverted || (cause.is_some() && next.is_some()) {
            let by = target.address.clone();
            told.push(Diverted { by, cause: cause_of(cause), withheld: target.withheld });
        }
    }
    told
}

fn entry(mut address: NameAddr) -> Option<Entry> {
    let index =
        address.params.get("index")?.split('.').map(|n| n.parse().ok()).collect::<Option<Vec<u32>>>()?;
    let reason = address.uri.header("Reason").and_then(|reason| {
        let (_, rest) = reason.split_once(';')?;
        let cause = rest.split(';').find_map(|p| p.trim().strip_prefix("cause="))?;
        cause.trim().parse::<u16>().ok()
    });
    let cause = address.uri.params.get("cause").and_then(|cause| cause.parse().ok());
    let withheld =
        address.uri.header("Privacy").is_some_and(|value| value.to_ascii_lowercase().contains("history"));
    let retargeted = address.params.has("mp");
    address.uri.headers.clear();
    Some(Entry { index, address, cause: reason.or(cause), retargeted, withheld })
}

/// RFC 4458 2.2: status codes that stand for why a call was sent on.
fn cause_of(status: Option<u16>) -> Cause {
    match status {
        Some(486 | 600) => Cause::Busy,
        Some(408) => Cause::NoAnswer,
        Some(302) => Cause::Unconditional,
        Some(480 | 487) => Cause::Deflection,
        Some(404 | 503) => Cause::Unavailable,
        _ => Cause::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[(&str, &str)]) -> Vec<(String, Cause, bool)> {
        let mut headers = Headers::new();
        lines.iter().for_each(|(name, value)| headers.push(name, *value));
        let user = |d: &Diverted| d.by.uri.user.clone().unwrap_or_default();
        diversions(&headers).iter().map(|d| (user(d), d.cause, d.withheld)).collect()
    }

    #[test]
    fn diversion_tells_the_last_one_first() {
        let lines = [(
            "Diversion",
            "\"Carol\" <sip:carol@x>;reason=no-answer;privacy=full, <sip:bob@x>;reason=user-busy;counter=1",
        )];
        let expected = [("bob".into(), Cause::Busy, false), ("carol".into(), Cause::NoAnswer, true)];
        assert_eq!(told(&lines), expected);
    }

    #[test]
    fn history_tells_who_sent_it_on_and_why() {
        // After RFC 7044 appendix B.1: bob's busy phone, then his voice mail.
        let lines = [(
            "History-Info",
            "<sip:bob@example.com>;index=1, \
             <sip:bob@192.0.2.4?Reason=SIP%3Bcause%3D486>;index=1.1;rc=1, \
             <sip:vm@example.com;target=sip:bob%40example.com;cause=486>;index=2;mp=1",
        )];
        let told = told(&lines);
        assert_eq!(told.last().map(|(user, cause, _)| (user.as_str(), *cause)), Some(("bob", Cause::Busy)));
    }

    #[test]
    fn a_call_that_came_straight_or_told_nonsense_was_not_diverted() {
        assert_eq!(told(&[]), []);
        assert_eq!(told(&[("History-Info", "<sip:bob@x>;index=1, <sip:bob@192.0.2.4>;index=1.1;rc=1")]), []);
        assert_eq!(told(&[("History-Info", "<sip:bob@x>, ???, <sip:a@b>;index=1.x")]), []);
        let many = vec!["<sip:a@b>;reason=away"; 1_000].join(",");
        assert_eq!(told(&[("Diversion", &many)]).len(), MAX_ENTRIES);
    }
}
