//! How a call wants to be announced: Alert-Info (RFC 7462), Call-Info, Answer-Mode. Hints only: nothing is fetched because
//! of them, and nothing answered here.

use super::message::{Headers, lexis};

/// The most entries that are read from one header.
const MAX_ENTRIES: usize = 8;

/// How a call should ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// As always.
    #[default]
    Normal,
    /// From inside the house.
    Internal,
    /// From outside.
    External,
    /// Above all others.
    Priority,
    /// A call that waits while another is on.
    CallWaiting,
    /// A parked or forwarded call that comes back.
    Recall,
}

/// What the headers ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announcement {
    /// How it should ring.
    pub kind: Kind,
    /// The words that the server used (`info=…`), for whoever maps them to tones himself.
    pub info: Option<String>,
    /// Whether the phone is asked to answer by itself. Never obeyed without configuration.
    pub wants_auto_answer: bool,
}

/// Something that goes with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallInfo {
    /// Where it is.
    pub uri: String,
    /// What it is for: `icon`, `info`, `card` …
    pub purpose: String,
}

/// Reads Alert-Info, Call-Info and Answer-Mode.
pub fn announcement(headers: &Headers) -> Announcement {
    let mut told = Announcement::default();
    for (uri, params) in entries(headers, "Alert-Info") {
        let info = params.iter().find(|(name, _)| name == "info").map(|(_, value)| value.clone());
        let named = kind_of(&uri).or_else(|| info.as_deref().and_then(kind_of));
        told.kind = if told.kind == Kind::Normal { named.unwrap_or_default() } else { told.kind };
        let delay = |(name, value): &(String, String)| name == "delay" && value == "0";
        told.wants_auto_answer |= info.as_deref().is_some_and(means_answer) || params.iter().any(delay);
        told.info = told.info.or(info);
    }
    let answer_after =
        |(_, params): &(String, Vec<(String, String)>)| params.iter().any(|(name, _)| name == "answer-after");
    told.wants_auto_answer |= entries(headers, "Call-Info").iter().any(answer_after);
    told.wants_auto_answer |= ["Answer-Mode", "Priv-Answer-Mode"].iter().any(|name| {
        headers.get(name).is_some_and(|v| v.trim_start().to_ascii_lowercase().starts_with("auto"))
    });
    told
}

/// Reads Call-Info.
pub fn call_infos(headers: &Headers) -> Vec<CallInfo> {
    let purpose = |params: &[(String, String)]| {
        params.iter().find(|(name, _)| name == "purpose").map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let entries = entries(headers, "Call-Info").into_iter();
    entries.map(|(uri, params)| CallInfo { purpose: purpose(&params), uri }).collect()
}

/// `<uri>;name=value…`, the URI as it stands.
fn entries(headers: &Headers, name: &str) -> Vec<(String, Vec<(String, String)>)> {
    let read = |value: String| {
        let rest = value.trim_start().strip_prefix('<')?;
        let (uri, params) = rest.split_once('>')?;
        let params = lexis::split_outside(params, ';')?.filter(|p| !p.trim().is_empty()).map(|param| {
            let (name, value) = param.split_once('=').unwrap_or((param, ""));
            let value = value.trim();
            let plain = lexis::unquote(value).unwrap_or_else(|| value.to_owned());
            (name.trim().to_ascii_lowercase(), plain)
        });
        Some((uri.to_owned(), params.take(MAX_ENTRIES).collect()))
    };
    headers.list(name).into_iter().take(MAX_ENTRIES).filter_map(read).collect()
}

/// The kinds that servers name in many ways: RFC 7462's URNs, Asterisk's and BroadWorks' words.
fn kind_of(text: &str) -> Option<Kind> {
    let text = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    Some(match () {
        () if says(&["source:internal", "alert-internal", "bellcore-dr1", "info=internal"]) => Kind::Internal,
        () if text == "internal" => Kind::Internal,
        () if says(&["source:external", "alert-external", "bellcore-dr2"]) || text == "external" => {
            Kind::External
        }
        () if says(&["priority:high", "alert-community", "urgent"]) => Kind::Priority,
        () if says(&["service:call-waiting"]) => Kind::CallWaiting,
        () if says(&["service:recall", "service:auto-callback", "park-return", "alert-recall"]) => {
            Kind::Recall
        }
        () => return None,
    })
}

fn means_answer(info: &str) -> bool {
    let info = info.to_ascii_lowercase();
    info.contains("alert-autoanswer") || info.contains("auto-answer") || info.contains("auto answer")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        lines.iter().for_each(|(name, value)| headers.push(name, *value));
        headers
    }

    #[test]
    fn the_kinds_of_ring_are_known_in_the_words_of_several_servers() {
        for (value, kind) in [
            ("<urn:alert:source:internal>", Kind::Internal),
            ("<urn:alert:priority:high>, <urn:alert:source:external>", Kind::Priority),
            ("<http://127.0.0.1/Bellcore-dr2>", Kind::External),
            ("<http://x>;info=alert-internal", Kind::Internal),
            ("<urn:alert:service:call-waiting>", Kind::CallWaiting),
            ("<http://parkdeck>;info=park-return", Kind::Recall),
            ("<http://x/sound.wav>", Kind::Normal),
            ("http://no.brackets", Kind::Normal),
        ] {
            assert_eq!(announcement(&headers(&[("Alert-Info", value)])).kind, kind, "{value}");
        }
    }

    #[test]
    fn a_wish_to_be_answered_at_once_is_read_and_nothing_more() {
        for (name, value) in [
            ("Alert-Info", "<http://x>;info=\"alert-autoanswer\";delay=0"),
            ("Call-Info", "<sip:127.0.0.1>;answer-after=0"),
            ("Answer-Mode", "Auto"),
            ("Priv-Answer-Mode", "auto;require"),
        ] {
            assert!(announcement(&headers(&[(name, value)])).wants_auto_answer, "{name}: {value}");
        }
        assert!(!announcement(&headers(&[("Answer-Mode", "Manual")])).wants_auto_answer);
    }

    #[test]
    fn call_info_is_told_and_not_fetched() {
        // RFC 3261 20.9.
        let lines = [(
            "Call-Info",
            "<http://wwww.example.com/alice/photo.jpg> ;purpose=icon, <http://www.example.com/alice/> ;purpose=info",
        )];
        let told = call_infos(&headers(&lines));
        let purposes: Vec<_> = told.iter().map(|info| info.purpose.as_str()).collect();
        assert_eq!(purposes, ["icon", "info"]);
    }
}
