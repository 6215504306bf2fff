//! The session against what a real Asterisk 22.10 said, word for word; against hostile bytes; and in virtual time.

mod captured;
mod hostile;
mod patience;

use super::reader::{Item, Reader};
use super::*;
use crate::parking::{Identity, Moment, SlotId};
use std::time::Duration;

const SECRET: &str = "ami-secret";

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn slot(id: &str) -> SlotId {
    SlotId::new(id).unwrap()
}

/// A session, and what it has said so far.
struct Scene {
    now: Moment,
    session: Session,
    /// The actions sent, each as its lines.
    sent: Vec<Vec<String>>,
    connects: usize,
    disconnects: usize,
    facts: Vec<Fact>,
}

impl Scene {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut SessionConfig)) -> Self {
        let mut config = SessionConfig {
            user: "parkdeck".into(),
            secret: SECRET.into(),
            lots: vec!["default".into()],
            allow_plain_login: false,
            seed: 7,
        };
        change(&mut config);
        let session = Session::new(config);
        let mut scene =
            Self { now: s(100), session, sent: vec![], connects: 0, disconnects: 0, facts: vec![] };
        scene.session.start(scene.now);
        scene.settle();
        scene
    }

    fn settle(&mut self) {
        while let Some(wish) = self.session.poll_wish() {
            match wish {
                Wish::Connect => self.connects += 1,
                Wish::Disconnect => self.disconnects += 1,
                Wish::Send(bytes) => {
                    let text = String::from_utf8(bytes).unwrap();
                    assert!(text.ends_with("\r\n\r\n"));
                    self.sent.push(text.trim_end().split("\r\n").map(str::to_owned).collect());
                }
            }
        }
        while let Some(fact) = self.session.poll_fact() {
            self.facts.push(fact);
        }
    }

    fn open(&mut self, private: bool) {
        self.session.opened(self.now, private);
        self.hear("Asterisk Call Manager/11.0.0\n");
    }

    /// What the server says, its lines ended as it ends them; `{id}` is the number of our last action.
    fn hear(&mut self, text: &str) {
        let id = self.sent.last().map(|a| a[1].replace("ActionID: ", "")).unwrap_or_default();
        let text = text.replace("{id}", &id).replace('\n', "\r\n");
        self.session.received(self.now, text.as_bytes());
        self.settle();
    }

    fn close(&mut self, reason: &str) {
        self.session.closed(self.now, reason);
        self.settle();
    }

    /// Time goes on; whatever falls due is done at its moment.
    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.session.next_wake().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.session.wake(self.now);
            self.settle();
        }
        self.now = until;
    }

    fn last(&self) -> &str {
        &self.sent.last().unwrap()[0]
    }

    /// Logged in, list read.
    fn listening(parked: &str) -> Self {
        let mut scene = Self::new();
        scene.open(true);
        scene.log_in(parked);
        scene
    }

    fn log_in(&mut self, parked: &str) {
        self.hear("Response: Success\nActionID: {id}\nChallenge: 196121208\n\n");
        self.hear("Response: Success\nActionID: {id}\nMessage: Authentication accepted\n\n");
        self.hear("Response: Error\nActionID: {id}\nMessage: Permission denied\n\n");
        self.hear("Response: Success\nActionID: {id}\nEvents: On\n\n");
        self.hear(captured::LOTS);
        let list =
            "Response: Success\nActionID: {id}\nEventList: start\nMessage: Parked calls will follow\n\n";
        self.hear(list);
        self.hear(parked);
        self.hear(
            "Event: ParkedCallsComplete\nActionID: {id}\nEventList: Complete\nListItems: 1\nTotal: 1\n\n",
        );
        assert!(matches!(self.facts.last(), Some(Fact::Connected(_))), "{:?}", self.facts);
    }

    /// Answers the last question.
    fn presentation(&mut self, value: &str) {
        assert_eq!(self.last(), "Action: Getvar");
        self.hear(&format!("Response: Success\nActionID: {{id}}\nVariable: x\nValue: {value}\n\n"));
    }

    fn last_fact(&self) -> &Fact {
        self.facts.last().unwrap()
    }

    fn reason(&self) -> String {
        match self.last_fact() {
            Fact::Lost { reason, .. } | Fact::Troubled { reason } => reason.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

fn items(bytes: &[u8]) -> Result<Vec<Item>, super::reader::Garbage> {
    let mut reader = Reader::default();
    let mut found = Vec::new();
    for byte in bytes {
        found.extend(reader.take(*byte)?);
    }
    Ok(found)
}
