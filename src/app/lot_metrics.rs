//! The lot's figures in the Prometheus text format (0.0.4). Names keep to its conventions: a unit or `_total` ends them.

use crate::lot::{Lot, Notice};
use crate::parking::Moment;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::{Display, Write};

/// How often each kind of thing has happened since the start. There are no more kinds than notices and methods have.
#[derive(Debug, Default)]
pub(super) struct Tally {
    events: BTreeMap<String, u64>,
    refusals: BTreeMap<(String, u16), u64>,
}

impl Tally {
    /// Counts one.
    pub(super) fn count(&mut self, notice: &Notice) {
        #[derive(Deserialize)]
        struct Kind {
            event: String,
        }
        if let Notice::Refused { method, status, .. } = notice {
            // Whatever strangers call their methods: one name for all that we don't know.
            let method = match method {
                crate::sip::message::Method::Other(_) => "other",
                known => known.as_str(),
            };
            *self.refusals.entry((method.to_owned(), *status)).or_default() += 1;
        }
        let kind = serde_json::to_value(notice).and_then(serde_json::from_value::<Kind>);
        if let Ok(Kind { event }) = kind {
            *self.events.entry(event).or_default() += 1;
        }
    }
}

/// What else there is to tell.
pub(super) struct Rest {
    pub uptime_s: u64,
    pub journal_failing: bool,
    pub reloads_refused_total: u64,
}

/// The page.
pub(super) fn page(now: Moment, lot: &Lot, tally: &Tally, rest: &Rest) -> String {
    let mut page = Page(String::new());
    page.family("info", "gauge", "The program's version.");
    page.line("info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.one("uptime_seconds", "gauge", "Since the start.", rest.uptime_s);
    let lots = lot.parking_figures(now);
    page.family("slots", "gauge", "Slots of a parking lot.");
    lots.iter().for_each(|lot| page.line("slots", &[("lot", &lot.name)], lot.slots));
    page.family("parked_calls", "gauge", "Calls parked now.");
    lots.iter().for_each(|lot| page.line("parked_calls", &[("lot", &lot.name)], lot.parked));
    page.family("longest_wait_seconds", "gauge", "How long whoever waits longest has waited.");
    lots.iter().for_each(|lot| page.line("longest_wait_seconds", &[("lot", &lot.name)], lot.longest_wait_s));
    let census = lot.census();
    page.one("legs", "gauge", "Calls, each phone's counted.", census.legs);
    page.one("ringing", "gauge", "People who are being rung.", census.attempts);
    page.one("phones", "gauge", "Registered phones.", census.phones);
    page.one("watchers", "gauge", "Lamps that are watched.", census.watchers);
    page.one("connections", "gauge", "TCP and TLS connections.", census.agent.flows);
    page.family("transactions", "gauge", "SIP transactions under way (RFC 3261 17).");
    page.line("transactions", &[("side", "client")], census.agent.client_transactions);
    page.line("transactions", &[("side", "server")], census.agent.server_transactions);
    page.one("malformed_total", "counter", "Datagrams that were no SIP message.", lot.malformed_total());
    page.family("events_total", "counter", "What happened, as the log names it.");
    tally.events.iter().for_each(|(event, count)| page.line("events_total", &[("event", event)], count));
    page.family("refusals_total", "counter", "Requests refused for another reason than a missing password.");
    for ((method, status), count) in &tally.refusals {
        page.line("refusals_total", &[("method", method), ("status", &status.to_string())], count);
    }
    page.one(
        "journal_failing",
        "gauge",
        "1 while the journal can't be written.",
        u8::from(rest.journal_failing),
    );
    let refused = rest.reloads_refused_total;
    page.one("reloads_refused_total", "counter", "Configurations that were refused.", refused);
    page.0
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP parkdeck_lot_{name} {help}\n# TYPE parkdeck_lot_{name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", quoted(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "parkdeck_lot_{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.line(name, &[], value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lot::LotConfig;
    use crate::sip::message::Method;

    #[test]
    fn a_page_has_each_family_once_and_names_are_quoted() {
        let mut config = LotConfig::default();
        config.lots[0].name = "the \\ lot".to_owned();
        let lot = Lot::new(config, 1);
        let mut tally = Tally::default();
        let from = "udp:192.0.2.1:5060".parse().unwrap();
        let refused =
            |method| Notice::Refused { method, from, user: None, status: 404, reason: String::new() };
        tally.count(&refused(Method::Invite));
        tally.count(&refused(Method::Other("X".repeat(100))));
        tally.count(&refused(Method::Other("Y".repeat(100))));
        let rest = Rest { uptime_s: 5, journal_failing: true, reloads_refused_total: 2 };
        let page = page(Moment::from_secs(10), &lot, &tally, &rest);
        for line in [
            "parkdeck_lot_parked_calls{lot=\"the \\\\ lot\"} 0",
            "parkdeck_lot_refusals_total{method=\"INVITE\",status=\"404\"} 1",
            "parkdeck_lot_refusals_total{method=\"other\",status=\"404\"} 2",
            "parkdeck_lot_events_total{event=\"refused\"} 3",
            "parkdeck_lot_journal_failing 1",
        ] {
            assert!(page.lines().any(|l| l == line), "{line} in:\n{page}");
        }
        let mut families: Vec<&str> = page.lines().filter_map(|l| l.strip_prefix("# TYPE ")).collect();
        let count = families.len();
        families.dedup();
        assert_eq!(families.len(), count);
        let plain = |line: &str| {
            line.starts_with("# ") || line.rsplit(' ').next().is_some_and(|v| v.parse::<f64>().is_ok())
        };
        assert!(page.lines().all(plain), "{page}");
    }
}
