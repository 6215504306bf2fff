//! Programs of the user's own, run for what happens to calls: the call as JSON on standard input, no shell, a bound on
//! how many run and for how long. None of them can delay a call.

use crate::config::{HookEvent, Notify, Outside};
use crate::desk::{CallWay, Entry, Fate, Outcome, RecordId};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Semaphore;

/// Programs that run at once.
const RUNNING_MAX: usize = 4;
/// Events that may wait for a program; more are dropped, and that is logged.
const WAITING_MAX: usize = 64;
/// How long a program may run before it is ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs hooks.
pub(super) struct Hooks {
    programs: BTreeMap<HookEvent, Vec<String>>,
    notify: bool,
    seen: HashMap<RecordId, Seen>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// What a record was like when it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    answered: bool,
    over: bool,
}

impl Hooks {
    /// The hooks of a configuration.
    pub fn new(outside: &Outside) -> Self {
        Self {
            programs: outside.hooks.clone(),
            notify: outside.notify == Notify::NotifySend,
            seen: HashMap::new(),
            running: Arc::new(Semaphore::new(RUNNING_MAX)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }

    /// Those of another configuration from now on. What was told already isn't told again.
    pub fn renew(&mut self, outside: &Outside) {
        self.programs.clone_from(&outside.hooks);
        self.notify = outside.notify == Notify::NotifySend;
    }

    /// Runs what is wanted for what is new.
    pub fn take(&mut self, entries: &[Entry]) {
        for entry in entries {
            for event in self.events(entry) {
                if let Some(program) = self.programs.get(&event) {
                    self.run(program.clone(), told(event, entry));
                }
                if let Entry::Call(call) = entry
                    && self.notify
                    && event == HookEvent::Ringing
                {
                    let text = format!("{} {}", call.label(), call.party.number);
                    let program = ["notify-send", "--app-name=parkdeck", "--", "Call", text.trim()];
                    self.run(program.map(str::to_owned).to_vec(), Vec::new());
                }
            }
        }
    }

    /// What has happened since the record was last looked at.
    fn events(&mut self, entry: &Entry) -> Vec<HookEvent> {
        let (now, begins, ends) = match entry {
            Entry::Call(call) => {
                let now = Seen { answered: call.answered_ms.is_some(), over: call.outcome != Outcome::Open };
                let begins = match call.way {
                    CallWay::In | CallWay::CameBack => HookEvent::Ringing,
                    CallWay::Out | CallWay::Retrieved => HookEvent::Dialled,
                };
                let ends = if call.is_missed() { HookEvent::Missed } else { HookEvent::Ended };
                (now, begins, ends)
            }
            Entry::Park(park) => {
                let now = Seen { answered: false, over: park.fate != Fate::Waiting };
                (now, HookEvent::Parked, HookEvent::Left)
            }
        };
        let before = self.seen.insert(entry.id(), now);
        if now.over {
            self.seen.remove(&entry.id());
        }
        let mut events = Vec::new();
        if before.is_none() && !now.over {
            events.push(begins);
        }
        if now.answered && before.is_some_and(|before| !before.answered) {
            events.push(HookEvent::Answered);
        }
        if now.over && before.is_some_and(|before| !before.over) {
            events.push(ends);
        }
        events
    }

    fn run(&self, program: Vec<String>, input: Vec<u8>) {
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            tracing::warn!(program = program.first(), "too many hooks wait: one was left out");
            return;
        };
        let running = Arc::clone(&self.running);
        tokio::spawn(async move {
            let Ok(_turn) = running.acquire_owned().await else { return };
            drop(place);
            if let Err(reason) = run(&program, &input).await {
                tracing::warn!(program = program.first(), %reason, "a hook failed");
            }
        });
    }
}

/// The event and the record, as JSON.
fn told(event: HookEvent, entry: &Entry) -> Vec<u8> {
    let value = match entry {
        Entry::Call(call) => json!({"event": event.name(), "call": call}),
        Entry::Park(park) => json!({"event": event.name(), "parked": park}),
    };
    format!("{value}\n").into_bytes()
}

async fn run(program: &[String], input: &[u8]) -> Result<(), String> {
    let Some((name, arguments)) = program.split_first() else { return Ok(()) };
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    let stdin = child.stdin.take();
    let talk = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input has its reasons.
            let _ = stdin.write_all(input).await;
        }
        child.wait().await
    };
    match tokio::time::timeout(PATIENCE, talk).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(status.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it ran for more than {} s and was ended", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::CallRecord;
    use crate::parking::{Identity, Text};

    fn call(id: u64, answered: bool, outcome: Outcome) -> Entry {
        Entry::Call(CallRecord {
            id,
            account: Text::default(),
            way: CallWay::In,
            party: Identity::new("Jane \"Doe\"; rm -rf /", "1"),
            known: Text::default(),
            called: Text::default(),
            slot: None,
            note: Text::default(),
            began_ms: 1,
            answered_ms: answered.then_some(2),
            ended_ms: None,
            held_ms: 0,
            outcome,
            detail: Text::default(),
            quality: None,
        })
    }

    #[test]
    fn each_event_of_a_call_is_told_once() {
        use HookEvent::{Answered, Ended, Missed, Ringing};
        let mut hooks = Hooks::new(&Outside::default());
        let told = [
            hooks.events(&call(1, false, Outcome::Open)),
            hooks.events(&call(1, false, Outcome::Open)),
            hooks.events(&call(1, true, Outcome::Open)),
            hooks.events(&call(1, true, Outcome::HungUp)),
            hooks.events(&call(2, false, Outcome::Open)),
            hooks.events(&call(2, false, Outcome::Missed)),
        ];
        assert_eq!(told, [vec![Ringing], vec![], vec![Answered], vec![Ended], vec![Ringing], vec![Missed]]);
        assert!(hooks.seen.is_empty(), "nothing is kept of what is over");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_program_is_given_the_call_as_it_is_and_no_shell_sees_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out; touch evil");
        let program = ["tee".to_owned(), file.display().to_string()];
        run(&program, &told(HookEvent::Ringing, &call(1, false, Outcome::Open))).await.unwrap();
        let read: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!((&read["event"], &read["call"]["party"]["number"]), (&json!("ringing"), &json!("1")));
        assert!(run(&["/nowhere/at/all".to_owned()], b"").await.is_err());
        assert!(run(&["false".to_owned()], b"x").await.is_err());
    }
}
