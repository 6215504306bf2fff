//! What went over the wire while the doctor was at work: the phones tell what it means for a receptionist, this tells in
//! whose words it was said. Knows no clock and no socket.

use crate::parking::Moment;
use crate::sip::digest::Challenge;
use crate::sip::message::{Headers, Message, Method, Response, read_datagram};
use crate::sip::{identity, sdp, sipfrag};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// The newest messages that are kept; a run has a few hundred.
const MAX_SEEN: usize = 4_096;

/// One message.
struct Seen {
    at: Moment,
    ours: bool,
    message: Message,
}

/// All that was said.
#[derive(Default)]
pub(super) struct Witness {
    seen: VecDeque<Seen>,
}

/// How the server answered our REGISTERs.
#[derive(Debug, Default)]
pub(super) struct Registration {
    /// The realms and digests that it asked for.
    pub challenges: Vec<Challenge>,
    /// The last final answer that was no challenge, or the last challenge where nothing else came.
    pub status: Option<u16>,
    /// Seconds granted.
    pub expires_s: Option<u32>,
    /// Where it sees us, when it says so.
    pub seen_at: Option<String>,
    /// The Contacts that it has for the account.
    pub contacts: usize,
}

/// A park as the wire saw it.
#[derive(Debug, Default)]
pub(super) struct Park {
    /// When the first REFER went out.
    pub asked_at: Option<Moment>,
    /// Its final answer.
    pub status: Option<u16>,
    /// What the sipfrags said, in order.
    pub fragments: Vec<u16>,
    /// What they said after the second REFER, which asks whether the first has worked.
    pub probe: Vec<u16>,
    /// Who ended the leg: `Some(true)`: the server.
    pub ended_by_server: Option<bool>,
}

/// How the server said who is at the other end of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// `the answer`, `UPDATE`, `re-INVITE`.
    pub by: &'static str,
    /// The header.
    pub header: &'static str,
    /// How long after the answer.
    pub after: Duration,
}

impl Witness {
    /// A whole message, ours or theirs. What can't be read is no evidence.
    pub fn note(&mut self, at: Moment, ours: bool, bytes: &[u8]) {
        if let Ok(message) = read_datagram(bytes) {
            if self.seen.len() >= MAX_SEEN {
                self.seen.pop_front();
            }
            self.seen.push_back(Seen { at, ours, message });
        }
    }

    /// Responses of the server to requests of that method, in order.
    fn answers(&self, method: &Method) -> impl DoubleEndedIterator<Item = (Moment, &Response)> {
        self.seen.iter().filter_map(move |seen| match &seen.message {
            Message::Response(response) if !seen.ours => {
                let (_, asked) = response.headers.cseq()?;
                (asked == *method).then_some((seen.at, response))
            }
            _ => None,
        })
    }

    /// What the server calls itself.
    pub fn server(&self) -> Option<&str> {
        let theirs = self.seen.iter().filter(|seen| !seen.ours).map(|seen| seen.message.headers());
        theirs.filter_map(|headers| headers.get("Server").or_else(|| headers.get("User-Agent"))).next()
    }

    pub fn registration(&self) -> Registration {
        let mut found = Registration::default();
        for (_, response) in self.answers(&Method::Register) {
            if matches!(response.status, 401 | 407) {
                found.challenges.extend(Challenge::read_all(&response.headers, response.status == 407));
            }
            if response.status < 200 {
                continue;
            }
            found.status = Some(response.status);
            if response.status == 200 {
                let contacts = response.headers.contacts();
                let named =
                    contacts.iter().filter_map(|c| c.params.get("expires")?.parse::<u32>().ok()).max();
                found.expires_s = named.or(response.headers.expires());
                found.contacts = contacts.len();
            }
            found.seen_at = response.headers.via().and_then(|via| {
                let host = via.params.get("received").unwrap_or(&via.host).to_owned();
                let port = via.params.get("rport").map(str::to_owned);
                let port = port.or_else(|| via.port.map(|p| p.to_string()))?;
                Some(format!("{host}:{port}"))
            });
        }
        found
    }

    /// How many requests of ours that begin or end something on the server have no final answer.
    pub fn unanswered(&self) -> usize {
        let name = |headers: &Headers| {
            let (number, method) = headers.cseq()?;
            Some((headers.call_id()?.to_owned(), number, method.as_str().to_owned()))
        };
        let mut open = BTreeSet::new();
        for seen in &self.seen {
            match &seen.message {
                Message::Request(r) if seen.ours => {
                    let binds = [Method::Bye, Method::Cancel, Method::Register, Method::Subscribe];
                    open.extend(name(&r.headers).filter(|_| binds.contains(&r.method)));
                }
                Message::Response(r) if !seen.ours && r.status >= 200 => {
                    if let Some((call_id, number, method)) = name(&r.headers) {
                        // What went to another server in place of one that is silent has the next number.
                        let stands_for =
                            |it: &(String, u32, String)| it.0 == call_id && it.2 == method && it.1 <= number;
                        open.retain(|it| !stands_for(it));
                    }
                }
                _ => {}
            }
        }
        open.len()
    }

    /// How many subscriptions the server has let end without the NOTIFY that says so (RFC 6665 4.4.1 wants one; Asterisk 16
    /// sends none). Its 200 to our SUBSCRIBE is all that comes.
    pub fn silent_goodbyes(&self) -> usize {
        let name = |headers: &Headers| Some((headers.call_id()?.to_owned(), headers.cseq()?.0));
        let (mut asked, mut ended) = (BTreeSet::new(), BTreeSet::new());
        for seen in &self.seen {
            match &seen.message {
                Message::Request(r) if seen.ours && r.method == Method::Subscribe => {
                    asked.extend(name(&r.headers).filter(|_| r.headers.expires() == Some(0)));
                }
                Message::Request(r) if !seen.ours && r.method == Method::Notify => {
                    let state = r.headers.get("Subscription-State").unwrap_or_default();
                    let over = state.trim_start().to_ascii_lowercase().starts_with("terminated");
                    ended.extend(r.headers.call_id().filter(|_| over).map(str::to_owned));
                }
                _ => {}
            }
        }
        let granted = self.answers(&Method::Subscribe).filter(|(_, r)| (200..300).contains(&r.status));
        let granted: BTreeSet<_> = granted.filter_map(|(_, r)| name(&r.headers)).collect();
        let silent = asked.into_iter().filter(|it| granted.contains(it)).map(|(call_id, _)| call_id);
        silent.filter(|call_id| !ended.contains(call_id)).collect::<BTreeSet<_>>().len()
    }

    /// Whether the server has confirmed a REGISTER of ours that takes the registration back.
    pub fn unregistered(&self) -> bool {
        let takes_back = |headers: &Headers| {
            let at_once = headers.contacts().iter().any(|contact| contact.params.get("expires") == Some("0"));
            at_once || headers.expires() == Some(0)
        };
        let name = |headers: &Headers| Some((headers.call_id()?.to_owned(), headers.cseq()?.0));
        let asked = self.seen.iter().filter_map(|seen| match &seen.message {
            Message::Request(r) if seen.ours && r.method == Method::Register => {
                name(&r.headers).filter(|_| takes_back(&r.headers))
            }
            _ => None,
        });
        let asked: BTreeSet<_> = asked.collect();
        let granted = self.answers(&Method::Register).filter(|(_, response)| response.status == 200);
        granted.filter_map(|(_, response)| name(&response.headers)).any(|answered| asked.contains(&answered))
    }

    /// The final answer to the last SUBSCRIBE to that extension, and the package.
    pub fn subscription(&self, extension: &str) -> Option<(u16, String)> {
        let (call_id, event) = self.seen.iter().rev().find_map(|seen| match &seen.message {
            Message::Request(request) if seen.ours && request.method == Method::Subscribe => {
                let to = request.headers.to()?.uri.user?;
                let event = request.headers.get("Event")?.to_owned();
                (to == extension).then(|| (request.headers.call_id().map(str::to_owned), event))
            }
            _ => None,
        })?;
        let of_it = |headers: &Headers| headers.call_id() == call_id.as_deref();
        let last = self.answers(&Method::Subscribe).rev().find(|(_, r)| r.status >= 200 && of_it(&r.headers));
        last.map(|(_, response)| (response.status, event))
    }

    /// The Call-ID of the last INVITE that began a call, ours or theirs, since then.
    pub fn began_call(&self, ours: bool, since: Moment) -> Option<&str> {
        let begins = |seen: &&Seen| {
            let Message::Request(request) = &seen.message else { return false };
            let outside = request.headers.to().is_some_and(|to| to.tag().is_none());
            seen.ours == ours && seen.at >= since && request.method == Method::Invite && outside
        };
        self.seen.iter().rev().find(begins)?.message.headers().call_id()
    }

    /// Whether our INVITE named the very dialog that it took over (RFC 3891).
    pub fn replaced(&self, call_id: &str) -> bool {
        self.seen.iter().filter(|seen| seen.ours).any(|seen| {
            let headers = seen.message.headers();
            headers.call_id() == Some(call_id) && headers.get("Replaces").is_some()
        })
    }

    /// The last final answer to an INVITE of that call.
    pub fn invite_status(&self, call_id: &str) -> Option<u16> {
        let of_it = |r: &Response| r.status >= 200 && r.headers.call_id() == Some(call_id);
        let answers = self.answers(&Method::Invite).rev();
        answers.map(|(_, response)| response).find(|r| of_it(r)).map(|r| r.status)
    }

    /// The codecs in the answer to our offer.
    pub fn answered_codecs(&self, call_id: &str) -> Vec<sdp::Codec> {
        let of_it = |r: &Response| r.status == 200 && r.headers.call_id() == Some(call_id);
        let found = self.answers(&Method::Invite).find(|(_, response)| of_it(response));
        found.map(|(_, response)| sdp::codecs_of(&response.body)).unwrap_or_default()
    }

    /// How the server said who is at the other end of a call that it answered.
    pub fn identity(&self, call_id: &str) -> Option<Told> {
        let mut answered_at = None;
        for seen in self.seen.iter().filter(|seen| !seen.ours) {
            let headers = seen.message.headers();
            if headers.call_id() != Some(call_id) {
                continue;
            }
            let by = match &seen.message {
                Message::Response(r) if r.status == 200 && is_to(headers, &Method::Invite) => {
                    answered_at.get_or_insert(seen.at);
                    "the answer"
                }
                Message::Request(r) if r.method == Method::Update => "UPDATE",
                Message::Request(r) if r.method == Method::Invite => "re-INVITE",
                _ => continue,
            };
            if let Some(header) = naming(headers) {
                let after = seen.at.saturating_sub(answered_at.unwrap_or(seen.at));
                return Some(Told { by, header, after });
            }
        }
        None
    }

    /// Whether the INVITE that rang here named the caller in a header that the server vouches for.
    pub fn arrived_with_identity(&self, call_id: &str) -> bool {
        self.seen.iter().filter(|seen| !seen.ours).any(|seen| match &seen.message {
            Message::Request(r) => {
                r.method == Method::Invite
                    && r.headers.call_id() == Some(call_id)
                    && naming(&r.headers).is_some()
            }
            Message::Response(_) => false,
        })
    }

    /// Whether the server told a running call to send its sound to that very port: past the server, to ourselves.
    pub fn sound_sent_to(&self, ports: &[u16]) -> bool {
        self.seen.iter().filter(|seen| !seen.ours).any(|seen| match &seen.message {
            Message::Request(r) if r.method == Method::Invite => {
                let inside = r.headers.to().is_some_and(|to| to.tag().is_some());
                let text = String::from_utf8_lossy(&r.body);
                let port = text.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next());
                let port = port.and_then(|port| port.parse().ok());
                inside && port.is_some_and(|port: u16| port != 0 && ports.contains(&port))
            }
            _ => false,
        })
    }

    /// What became of the park of that call.
    pub fn park(&self, call_id: &str) -> Park {
        let mut park = Park::default();
        let mut asked = 0_i32;
        for seen in self.seen.iter().filter(|seen| seen.message.headers().call_id() == Some(call_id)) {
            match &seen.message {
                Message::Request(r) if seen.ours && r.method == Method::Refer => {
                    park.asked_at.get_or_insert(seen.at);
                    asked += 1;
                }
                Message::Request(r) if !seen.ours && r.method == Method::Notify => {
                    let told = if asked > 1 { &mut park.probe } else { &mut park.fragments };
                    told.extend(sipfrag::read(&r.body).map(|(status, _)| status));
                }
                Message::Request(r) if r.method == Method::Bye => {
                    park.ended_by_server.get_or_insert(!seen.ours);
                }
                Message::Response(r) if !seen.ours && is_to(&r.headers, &Method::Refer) => {
                    match r.status {
                        // Asked for the password: the same REFER goes out once more.
                        401 | 407 => asked -= 1,
                        status if status >= 200 => {
                            park.status.get_or_insert(status);
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        park
    }
}

fn is_to(headers: &Headers, method: &Method) -> bool {
    headers.cseq().is_some_and(|(_, asked)| asked == *method)
}

/// The header in which a server vouches for who somebody is.
fn naming(headers: &Headers) -> Option<&'static str> {
    let trusted = [identity::Source::Asserted, identity::Source::RemoteParty];
    Some(match identity::asserted(headers, &trusted)?.source {
        identity::Source::RemoteParty => "Remote-Party-ID",
        _ => "P-Asserted-Identity",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(first: &str, cseq: &str, more: &str, body: &str) -> Vec<u8> {
        format!(
            "{first}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@x.test>;tag=1\r\nTo: <sip:b@x.test>;tag=2\r\n\
             Call-ID: c\r\nCSeq: {cseq}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    const REFER: &str = "REFER sip:b@x.test SIP/2.0";
    const NOTIFY: &str = "NOTIFY sip:a@x.test SIP/2.0";

    /// So many milliseconds in, by whom, what.
    fn witness(messages: &[(u64, bool, Vec<u8>)]) -> Witness {
        let mut witness = Witness::default();
        messages.iter().for_each(|(ms, ours, bytes)| witness.note(Duration::from_millis(*ms), *ours, bytes));
        witness
    }

    #[test]
    fn a_refer_that_was_challenged_is_the_same_park_and_the_second_is_the_probe() {
        let seen = witness(&[
            (10, true, message(REFER, "1 REFER", "", "")),
            (11, false, message("SIP/2.0 401 Unauthorized", "1 REFER", "", "")),
            (12, true, message(REFER, "2 REFER", "", "")),
            (13, false, message("SIP/2.0 202 Accepted", "2 REFER", "", "")),
            (
                14,
                false,
                message(NOTIFY, "1 NOTIFY", "Content-Type: message/sipfrag\r\n", "SIP/2.0 100 Trying\r\n"),
            ),
            (15, true, message(REFER, "3 REFER", "", "")),
            (
                16,
                false,
                message(NOTIFY, "2 NOTIFY", "Content-Type: message/sipfrag\r\n", "SIP/2.0 400 Bad\r\n"),
            ),
            (17, true, message("BYE sip:b@x.test SIP/2.0", "4 BYE", "", "")),
        ]);
        let park = seen.park("c");
        assert_eq!((park.status, park.asked_at), (Some(202), Some(Duration::from_millis(10))));
        assert_eq!((park.fragments, park.probe, park.ended_by_server), (vec![100], vec![400], Some(false)));
        assert_eq!(seen.unanswered(), 1, "nobody has answered the BYE");
    }

    #[test]
    fn who_was_fetched_is_told_by_an_update_behind_the_answer() {
        let pai = "P-Asserted-Identity: <sip:101@x.test>\r\n";
        let seen = witness(&[
            (5, false, message("SIP/2.0 200 OK", "1 INVITE", "", "")),
            (25, false, message("UPDATE sip:a@x.test SIP/2.0", "1 UPDATE", pai, "")),
        ]);
        let after = Duration::from_millis(20);
        assert_eq!(seen.identity("c"), Some(Told { by: "UPDATE", header: "P-Asserted-Identity", after }));
        assert_eq!(seen.identity("another"), None);
    }

    #[test]
    fn what_was_answered_by_the_next_server_is_answered() {
        let register = "REGISTER sip:x.test SIP/2.0";
        let seen = witness(&[
            (1, true, message(register, "1 REGISTER", "", "")),
            (2, true, message(register, "2 REGISTER", "", "")),
            (3, true, message("BYE sip:b@x.test SIP/2.0", "1 BYE", "", "")),
            (4, false, message("SIP/2.0 200 OK", "2 REGISTER", "", "")),
        ]);
        assert_eq!(seen.unanswered(), 1, "the BYE");
    }

    #[test]
    fn no_more_than_the_named_maximum_is_kept_and_garbage_is_no_evidence() {
        let mut witness = Witness::default();
        witness.note(Moment::ZERO, false, b"garbage");
        assert_eq!(witness.seen.len(), 0);
        let bye = message("BYE sip:b@x.test SIP/2.0", "4 BYE", "", "");
        (0..MAX_SEEN + 10).for_each(|_| witness.note(Moment::ZERO, true, &bye));
        assert_eq!(witness.seen.len(), MAX_SEEN);
    }
}
