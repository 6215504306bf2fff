//! The words in which consoles tell each other who is where: SIP MESSAGE (RFC 3428) with one line of text, because some
//! servers relay nothing but text/plain. `parkdeck-team/1 {…}`: the first word, a version, JSON of at most 1 kB.
//!
//! Accepted from the account's own server alone, and from members alone, as that server names them. Each message tells
//! everything of one slot, so that a lost or a repeated one does no harm; numbers put them in order, for each sender and
//! slot, and a console that has started anew counts anew under another name.

use super::phone::Phone;
use crate::desk::{Event, TeamDeed, TeamNews, ToldCall};
use crate::parking::{Identity, Moment, SlotId, Text};
use crate::sip::message::Method;
use crate::sip::{Ask, RequestKey, SentKey};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The first word, with the version.
const FIRST_WORD: &str = "parkdeck-team/1 ";
/// What the first word of any version begins with.
const ANY_VERSION: &[u8] = b"parkdeck-team/";
/// The longest body, in bytes.
const MAX_BODY: usize = 1_000;
/// The most members of a team.
const MAX_MEMBERS: usize = 32;
/// The most slots of one sender whose order is kept; beyond it the one told of longest ago is forgotten.
const MAX_SLOTS_OF_SENDER: usize = 128;
/// How many of a sender's earlier runs are known to be over.
const MAX_DEAD_RUNS: usize = 4;
/// The longest name of a run.
const MAX_RUN: usize = 32;
/// How many messages of one sender are taken at once, and how many a second in the long run.
const BURST: u32 = 80;
const PER_S: u32 = 10;
/// How many messages to people may be unanswered.
const MAX_MESSAGES: usize = 128;
const TEXT_PLAIN: &str = "text/plain;charset=utf-8";

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Say {
    Hello,
    Parked,
    Noted,
    Claimed,
    Released,
    Retrieved,
    Withdrawn,
}

/// One message.
#[derive(Serialize, Deserialize)]
struct Wire {
    /// Which run of the sender's program.
    run: String,
    /// Its how manieth message.
    n: u64,
    say: Say,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slot: Option<SlotId>,
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    name: Text,
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    number: Text,
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    note: Text,
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    by: Text,
    #[serde(default, skip_serializing_if = "is_zero")]
    waited_s: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(seconds: &u32) -> bool {
    *seconds == 0
}

/// What is kept of one sender.
#[derive(Debug)]
struct Sender {
    run: String,
    dead: VecDeque<String>,
    /// The last number of each slot (of none: greetings), the latest heard last.
    last: VecDeque<(Option<SlotId>, u64)>,
    /// At or below this number nothing is new: what was forgotten.
    floor: u64,
    tokens: u32,
    filled_at: Moment,
}

/// The team of one account.
#[derive(Debug)]
pub(super) struct TeamWire {
    members: Vec<String>,
    run: String,
    next: u64,
    senders: BTreeMap<String, Sender>,
    /// Messages to people that were not answered yet, by whom they are for.
    messages: BTreeMap<SentKey, String>,
}

/// What became of a message in the team's form.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    News(TeamNews),
    Stranger,
    /// Old, repeated, too many, our own, or of a version that we don't know.
    Nothing,
}

/// Whether this body is in the team's form, of whatever version: never shown as text.
pub(super) fn is_teams(body: &[u8]) -> bool {
    body.starts_with(ANY_VERSION)
}

impl TeamWire {
    /// A team of these extensions; `run` names this run of the program and no other.
    pub(super) fn new(members: &[String], run: String) -> Self {
        let members = members.iter().take(MAX_MEMBERS).cloned().collect();
        Self { members, run, next: 1, senders: BTreeMap::new(), messages: BTreeMap::new() }
    }

    fn write(&mut self, news: &TeamNews) -> Vec<u8> {
        let n = self.next;
        self.next += 1;
        let (say, slot, call) = match news.clone() {
            TeamNews::Hello => (Say::Hello, None, ToldCall::default()),
            TeamNews::About { slot, deed, call } => {
                let say = match deed {
                    TeamDeed::Parked => Say::Parked,
                    TeamDeed::Noted => Say::Noted,
                    TeamDeed::Claimed => Say::Claimed,
                    TeamDeed::Released => Say::Released,
                    TeamDeed::Retrieved => Say::Retrieved,
                    TeamDeed::Withdrawn => Say::Withdrawn,
                };
                (say, Some(slot), call)
            }
        };
        let ToldCall { parkee: Identity { name, number, .. }, parker: by, note, waited_s } = call;
        let mut wire = Wire { run: self.run.clone(), n, say, slot, name, number, note, by, waited_s };
        // Letters of many bytes each: the longest text gives way until all of it fits.
        loop {
            let body = format!("{FIRST_WORD}{}", serde_json::to_string(&wire).unwrap_or_default());
            if body.len() <= MAX_BODY {
                return body.into_bytes();
            }
            let texts = [&mut wire.note, &mut wire.name, &mut wire.by, &mut wire.number];
            let Some(longest) = texts.into_iter().max_by_key(|text| text.as_str().len()) else {
                break Vec::new();
            };
            let kept = longest.as_str().chars().count() / 2;
            *longest = Text::new(&longest.as_str().chars().take(kept).collect::<String>());
        }
    }

    fn read(&mut self, now: Moment, from: &str, body: &[u8]) -> Verdict {
        if !self.members.iter().any(|member| member == from) {
            return Verdict::Stranger;
        }
        let json = body.get(FIRST_WORD.len()..).filter(|_| body.starts_with(FIRST_WORD.as_bytes()));
        let wire = json
            .filter(|_| body.len() <= MAX_BODY)
            .and_then(|json| serde_json::from_slice::<Wire>(json).ok());
        let Some(wire) = wire.filter(|wire| (1..=MAX_RUN).contains(&wire.run.len()) && wire.run != self.run)
        else {
            return Verdict::Nothing;
        };
        let sender = self.senders.entry(from.to_owned()).or_insert_with(|| Sender::new(now, &wire.run));
        if !sender.may_speak(now) || !sender.is_new(&wire.run, wire.slot.as_ref(), wire.n) {
            return Verdict::Nothing;
        }
        let call = ToldCall {
            parkee: Identity { name: wire.name, number: wire.number, mark: None },
            parker: wire.by,
            note: wire.note,
            waited_s: wire.waited_s,
        };
        let deed = match wire.say {
            Say::Hello => return Verdict::News(TeamNews::Hello),
            Say::Parked => TeamDeed::Parked,
            Say::Noted => TeamDeed::Noted,
            Say::Claimed => TeamDeed::Claimed,
            Say::Released => TeamDeed::Released,
            Say::Retrieved => TeamDeed::Retrieved,
            Say::Withdrawn => TeamDeed::Withdrawn,
        };
        match wire.slot {
            Some(slot) => Verdict::News(TeamNews::About { slot, deed, call }),
            None => Verdict::Nothing,
        }
    }
}

impl Sender {
    fn new(now: Moment, run: &str) -> Self {
        Self {
            run: run.to_owned(),
            dead: VecDeque::new(),
            last: VecDeque::new(),
            floor: 0,
            tokens: BURST,
            filled_at: now,
        }
    }

    fn may_speak(&mut self, now: Moment) -> bool {
        let seconds = now.saturating_sub(self.filled_at).as_secs();
        if seconds > 0 {
            let more = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(PER_S);
            self.tokens = self.tokens.saturating_add(more).min(BURST);
            self.filled_at += Duration::from_secs(seconds);
        }
        let may = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        may
    }

    fn is_new(&mut self, run: &str, slot: Option<&SlotId>, n: u64) -> bool {
        if self.run != run {
            if self.dead.iter().any(|dead| dead == run) {
                return false;
            }
            if self.dead.len() >= MAX_DEAD_RUNS {
                self.dead.pop_front();
            }
            self.dead.push_back(std::mem::replace(&mut self.run, run.to_owned()));
            (self.last, self.floor) = (VecDeque::new(), 0);
        }
        let known = self.last.iter().position(|(of, _)| of.as_ref() == slot);
        let before = known.and_then(|at| self.last.get(at)).map_or(self.floor, |(_, n)| *n);
        if n <= before {
            return false;
        }
        known.map(|at| self.last.remove(at));
        if self.last.len() >= MAX_SLOTS_OF_SENDER
            && let Some((_, forgotten)) = self.last.pop_front()
        {
            self.floor = self.floor.max(forgotten);
        }
        self.last.push_back((slot.cloned(), n));
        true
    }
}

impl Phone {
    /// A message in the team's form came from our own server, which says that it is `who`'s.
    pub(super) fn team_received(&mut self, now: Moment, key: RequestKey, who: Identity, body: &[u8]) {
        match self.team.read(now, who.number.as_str(), body) {
            Verdict::News(news) => self.say(Event::TeamTold { from: who, news }),
            Verdict::Nothing => {}
            Verdict::Stranger => {
                let reason =
                    format!("{} wrote as a colleague's console does, but is not in [team]", who.label());
                self.say(Event::LineTroubled { reason: Text::new(&reason) });
                return self.ua.answer(now, key, 403, Vec::new(), Vec::new());
            }
        }
        self.ua.answer(now, key, 200, Vec::new(), Vec::new());
    }

    /// Tells the colleagues, or one of them. Who isn't there misses it, and asks when he starts.
    pub(super) fn tell_team(&mut self, now: Moment, to: Option<&Text>, news: &TeamNews) {
        if !self.registered || self.ua.server_of(self.account).is_none() {
            return;
        }
        let body = self.team.write(news);
        let ours = self.config.account.aor.uri.user.clone().unwrap_or_default();
        let meant = |member: &&String| **member != ours && to.is_none_or(|to| to.as_str() == *member);
        for member in self.team.members.iter().filter(meant).cloned().collect::<Vec<_>>() {
            let target = self.uri_of(&member);
            self.send_text(now, target, body.clone());
        }
    }

    /// Sends people a message, and tells the desk what became of it.
    pub(super) fn send_message(&mut self, now: Moment, to: String, text: &str) {
        let refuse =
            |reason: &str| Event::MessageAnswered { to: to.clone(), outcome: Err(Text::new(reason)) };
        if self.ua.server_of(self.account).is_none() {
            return self.say(refuse("this account's server has not been found yet"));
        }
        if self.team.messages.len() >= MAX_MESSAGES {
            return self.say(refuse("too many messages are unanswered"));
        }
        let Some(target) = self.uri_typed(&to) else {
            return self.say(refuse("that is no number or address"));
        };
        let sent = self.send_text(now, target, text.as_bytes().to_vec());
        self.team.messages.insert(sent, to);
    }

    fn send_text(&mut self, now: Moment, target: crate::sip::message::Uri, body: Vec<u8>) -> SentKey {
        let ask = Ask {
            account: Some(self.account),
            from: None,
            method: Method::Message,
            target,
            send_to: self.server(),
            headers: vec![("Content-Type".to_owned(), TEXT_PLAIN.to_owned())],
            body,
        };
        self.ua.request(now, ask)
    }

    /// Whether an answer is to a message of this line's.
    pub(super) fn awaits_message(&self, sent: &SentKey) -> bool {
        self.team.messages.contains_key(sent)
    }

    /// A message was answered, or never was.
    pub(super) fn message_answered(&mut self, sent: SentKey, status: u16, reason: &str) {
        let Some(to) = self.team.messages.remove(&sent) else { return };
        let outcome = match status {
            200..300 => Ok(()),
            404 | 410 => Err(Text::new("no such number")),
            405 | 501 => Err(Text::new("the server or their phone takes no messages")),
            480 => Err(Text::new("no phone of theirs is registered")),
            _ => Err(Text::new(&super::words::of_status(status, reason))),
        };
        self.say(Event::MessageAnswered { to, outcome });
    }

    /// Calls a page group. The words are those in which common phones and servers are asked to answer by themselves.
    pub(super) fn page(&mut self, now: Moment, call: crate::desk::CallId, to: &str) {
        let server = self.uri_of("").to_string();
        let headers = [
            ("Call-Info", format!("<{server}>;answer-after=0")),
            ("Alert-Info", format!("<{server}>;info=alert-autoanswer;delay=0")),
            // RFC 5373.
            ("Answer-Mode", "Auto".to_owned()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let target = self.uri_of(to);
        self.invite(now, call, target, headers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(id: &str) -> SlotId {
        SlotId::new(id).unwrap()
    }

    fn wire(run: &str) -> TeamWire {
        TeamWire::new(&["101".into(), "105".into()], run.to_owned())
    }

    fn about(id: &str, deed: TeamDeed, name: &str, note: &str) -> TeamNews {
        let call = ToldCall {
            parkee: Identity::new(name, "0161"),
            parker: Text::default(),
            note: Text::new(note),
            waited_s: 3,
        };
        TeamNews::About { slot: slot(id), deed, call }
    }

    const NOW: Moment = Duration::from_secs(9);

    #[test]
    fn what_one_console_writes_the_other_reads() {
        let (mut ann, mut ben) = (wire("a"), wire("b"));
        for news in [
            TeamNews::Hello,
            about("701", TeamDeed::Parked, "Jane \"J\" Doe", "for Sam, bay 3"),
            about("701", TeamDeed::Claimed, "", ""),
            about("*8", TeamDeed::Withdrawn, "李小龙", ""),
        ] {
            let body = ann.write(&news);
            assert!(is_teams(&body) && body.len() <= MAX_BODY && !body.contains(&b'\n'));
            assert_eq!(ben.read(NOW, "101", &body), Verdict::News(news));
        }
    }

    #[test]
    fn strangers_and_our_own_words_and_other_versions_are_nothing() {
        let (mut ann, mut ben) = (wire("a"), wire("b"));
        let body = ann.write(&TeamNews::Hello);
        assert_eq!(ben.read(NOW, "199", &body), Verdict::Stranger);
        assert_eq!(ben.read(NOW, "", &body), Verdict::Stranger);
        assert_eq!(ann.read(NOW, "101", &body), Verdict::Nothing, "we are in the list ourselves");
        assert_eq!(ben.read(NOW, "101", b"parkdeck-team/2 {}"), Verdict::Nothing);
        for broken in
            ["parkdeck-team/1 ", "parkdeck-team/1 {", "parkdeck-team/1 {\"run\":\"a\"}", "parkdeck-team/1"]
        {
            assert_eq!(ben.read(NOW, "101", broken.as_bytes()), Verdict::Nothing, "{broken}");
        }
        let padded = [body.clone(), vec![b' '; MAX_BODY]].concat();
        assert_eq!(ben.read(NOW, "101", &padded), Verdict::Nothing);
        assert!(matches!(ben.read(NOW, "101", &body), Verdict::News(_)));
    }

    #[test]
    fn repeated_old_and_overtaken_messages_change_nothing() {
        let (mut ann, mut ben) = (wire("a"), wire("b"));
        let parked = ann.write(&about("701", TeamDeed::Parked, "Jane", ""));
        let other = ann.write(&about("702", TeamDeed::Parked, "Bob", ""));
        let retrieved = ann.write(&about("701", TeamDeed::Retrieved, "Jane", ""));
        let mut takes = |body: &[u8]| matches!(ben.read(NOW, "101", body), Verdict::News(_));
        assert!(takes(&retrieved), "it overtook the others");
        assert!(!takes(&parked), "she has left 701 since");
        assert!(takes(&other), "what concerns another slot is news all the same");
        assert!(!takes(&other) && !takes(&retrieved), "repeated");
        let mut restarted = wire("a2");
        let anew = restarted.write(&TeamNews::Hello);
        assert!(takes(&anew));
        let late = ann.write(&about("703", TeamDeed::Parked, "Ghost", ""));
        assert!(!takes(&late), "from before the restart");
        let first = restarted.write(&about("701", TeamDeed::Parked, "Eve", ""));
        assert!(takes(&first), "a new run counts anew");
    }

    #[test]
    fn a_sender_is_bounded_in_rate_and_in_memory() {
        let (mut ann, mut ben) = (wire("a"), wire("b"));
        let mut taken = 0;
        for n in 0..400 {
            let body = ann.write(&about(&format!("s{n}"), TeamDeed::Parked, "Jane", ""));
            taken += u32::from(matches!(ben.read(NOW, "101", &body), Verdict::News(_)));
        }
        assert_eq!(taken, BURST);
        for second in 1..100u32 {
            for n in 0..20 {
                let body = ann.write(&about(&format!("t{second}-{n}"), TeamDeed::Parked, "Jane", ""));
                ben.read(NOW + Duration::from_secs(second.into()), "101", &body);
            }
        }
        assert_eq!(ben.senders["101"].last.len(), MAX_SLOTS_OF_SENDER);
        assert_eq!(ben.senders.len(), 1);
    }

    #[test]
    fn the_longest_texts_are_cut_until_they_fit() {
        let mut ann = wire("a");
        let long = "é".repeat(4_000);
        let body = ann.write(&about("701", TeamDeed::Noted, &long, &long));
        assert!(body.len() <= MAX_BODY && body.len() > MAX_BODY / 3, "{}", body.len());
        assert!(matches!(wire("b").read(NOW, "101", &body), Verdict::News(_)));
    }
}
