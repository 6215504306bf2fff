//! The log in lines of JSON, for programs that gather logs: one object a line, `timestamp`, `level`, `target`, and what
//! is told. A field named `notice` is an object itself, and its members stand beside the others.

use crate::lot::Notice;
use crate::lot::config::LogFormat;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes events as JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonLines;

/// The field whose text is JSON.
pub const NOTICE: &str = "notice";

#[derive(Default)]
struct Members(Map<String, Value>);

impl Visit for Members {
    fn record_str(&mut self, field: &Field, value: &str) {
        match serde_json::from_str(value) {
            Ok(Value::Object(members)) if field.name() == NOTICE => self.0.extend(members),
            _ => {
                self.0.insert(field.name().to_owned(), value.into());
            }
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut members = Members::default();
        event.record(&mut members);
        let meta = event.metadata();
        let mut line = Map::new();
        line.insert("timestamp".to_owned(), Timestamp::now().to_string().into());
        line.insert("level".to_owned(), meta.level().as_str().into());
        line.insert("target".to_owned(), meta.target().into());
        line.extend(members.0);
        writeln!(out, "{}", Value::Object(line))
    }
}

/// A line of the log.
pub(super) fn say(notice: &Notice, format: LogFormat) {
    let told = match format {
        LogFormat::Text => format!("{notice:?}"),
        LogFormat::Json => serde_json::to_string(notice).unwrap_or_default(),
    };
    let grave = matches!(notice, Notice::Lost { .. } | Notice::Stranded { .. } | Notice::Guessing { .. });
    match (format, grave) {
        (LogFormat::Text, false) => tracing::info!(target: "lot", "{told}"),
        (LogFormat::Text, true) => tracing::warn!(target: "lot", "{told}"),
        (LogFormat::Json, false) => tracing::info!(target: "lot", notice = told),
        (LogFormat::Json, true) => tracing::warn!(target: "lot", notice = told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_line_is_an_object_and_a_notice_stands_in_it_member_by_member() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().event_format(JsonLines).with_writer(move || writer.clone());
        tracing::subscriber::with_default(subscriber.finish(), || {
            tracing::info!(target: "lot", notice = r#"{"event":"call_parked","slot":"701"}"#);
            tracing::warn!(count = 3, "two\nlines of {}", "\"text\"");
        });
        let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let read: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            (&read[0]["event"], &read[0]["slot"], &read[0]["level"]),
            (&"call_parked".into(), &"701".into(), &"INFO".into())
        );
        assert_eq!((&read[1]["message"], &read[1]["count"]), (&"two\nlines of \"text\"".into(), &3.into()));
    }
}
