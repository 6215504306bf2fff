//! What can be seen and heard: of calls, lamps, streams, and what is left over.

use super::super::super::*;
use super::{Heard, World};
use crate::media::{Report, StreamConfig, StreamId};
use crate::sip::message::Headers;
use crate::sip::{Event, ReferKey, SubscriptionKey};

impl World {
    pub fn is_over(&self, phone: usize, wanted: CallKey) -> bool {
        self.end_of(phone, wanted).is_some()
    }

    /// Status and words of a call's end.
    pub fn end_of(&self, phone: usize, wanted: CallKey) -> Option<(Option<u16>, String)> {
        self.phones[phone].events.iter().find_map(|event| match event {
            Event::CallEnded { call, cause } if *call == wanted => Some((cause.status, cause.reason.clone())),
            _ => None,
        })
    }

    /// The last final answer to an INVITE of a phone, whole: status line and headers.
    pub fn last_refusal(&self) -> &str {
        let refusal = |text: &&String| {
            text.starts_with("SIP/2.0 4") || text.starts_with("SIP/2.0 5") || text.starts_with("SIP/2.0 6")
        };
        self.traffic.iter().rev().find(refusal).map(String::as_str).unwrap_or_default()
    }

    pub fn is_answered(&self, phone: usize, wanted: CallKey) -> bool {
        let answered = |e: &Event| matches!(e, Event::CallAnswered { call, .. } if *call == wanted);
        self.phones[phone].events.iter().any(answered)
    }

    /// The slot in the answer to a REFER.
    pub fn parked_slot(&self, phone: usize, refer: ReferKey) -> String {
        let value = self.slot_header(phone, refer);
        value.split(';').next().unwrap_or_default().to_owned()
    }

    pub fn slot_header(&self, phone: usize, wanted: ReferKey) -> String {
        let accepted = self.phones[phone].events.iter().find_map(|event| match event {
            Event::ReferAccepted { refer, headers, .. } if *refer == wanted => headers.get("Parkdeck-Slot"),
            _ => None,
        });
        accepted.unwrap_or_else(|| panic!("not parked: {:?}", self.notices)).to_owned()
    }

    pub fn ticket(&self, phone: usize, refer: ReferKey) -> String {
        self.slot_header(phone, refer).split_once("ticket=").expect("a ticket").1.to_owned()
    }

    /// The status and the words with which a REFER was refused.
    pub fn refusal(&self, phone: usize, wanted: ReferKey) -> Option<u16> {
        self.phones[phone].events.iter().find_map(|event| match event {
            Event::ReferRefused { refer, status, .. } if *refer == wanted => Some(*status),
            _ => None,
        })
    }

    pub fn progress(&self, phone: usize, wanted: ReferKey) -> Vec<u16> {
        let said = self.phones[phone].events.iter().filter_map(|event| match event {
            Event::ReferProgress { refer, status, .. } if *refer == wanted => Some(*status),
            _ => None,
        });
        said.collect()
    }

    /// The last identity that the lot told this phone for a call, as the header's value.
    pub fn told_identity(&self, phone: usize, wanted: CallKey) -> Option<String> {
        let asserted = |headers: &Headers| headers.get("P-Asserted-Identity").map(str::to_owned);
        self.phones[phone].events.iter().rev().find_map(|event| match event {
            Event::IdentityChanged { call, headers } if *call == wanted => asserted(headers),
            Event::CallAnswered { call, headers, .. } if *call == wanted => asserted(headers),
            _ => None,
        })
    }

    /// The last state of a lamp.
    pub fn lamp(&self, phone: usize, wanted: SubscriptionKey) -> crate::sip::dialog_info::DialogInfo {
        let body = self.phones[phone].events.iter().rev().find_map(|event| match event {
            Event::Notified { subscription, body, .. } if *subscription == wanted => Some(body),
            _ => None,
        });
        crate::sip::dialog_info::read(body.expect("a NOTIFY")).expect("a dialog-info")
    }

    pub fn lamps_told(&self, phone: usize, wanted: SubscriptionKey) -> usize {
        let told = |e: &&Event| matches!(e, Event::Notified { subscription, .. } if *subscription == wanted);
        self.phones[phone].events.iter().filter(told).count()
    }

    /// The stream to a phone's live call; the newest.
    fn streams_of(&self, phone: usize) -> Vec<StreamId> {
        let ip = self.phones[phone].address.ip();
        let to = |config: &Option<StreamConfig>| config.is_some_and(|config| config.remote.ip() == ip);
        self.engine.open.iter().filter(|(_, (_, config, _))| to(config)).map(|(stream, _)| *stream).collect()
    }

    fn hears(&self, stream: StreamId) -> &Heard {
        &self.engine.open[&stream].2
    }

    /// Whether some call of one is joined with some call of the other, both ways.
    pub fn talk(&self, a: usize, b: usize) -> bool {
        self.streams_of(a).iter().any(|x| {
            let joined =
                |y: &StreamId| *self.hears(*x) == Heard::Stream(*y) && *self.hears(*y) == Heard::Stream(*x);
            self.streams_of(b).iter().any(joined)
        })
    }

    /// Whether one hears anything of the other, in whatever state.
    pub fn hears_anything_of(&self, a: usize, b: usize) -> bool {
        let of_b = self.streams_of(b);
        self.streams_of(a).iter().any(|x| matches!(self.hears(*x), Heard::Stream(y) if of_b.contains(y)))
    }

    pub fn hears_music(&self, phone: usize) -> bool {
        self.streams_of(phone).iter().any(|stream| *self.hears(*stream) == Heard::Music)
    }

    /// How many seconds the recordings last that a phone hears.
    pub fn hears_prompt_s(&self, phone: usize) -> Option<f32> {
        let mut heard = self.streams_of(phone).into_iter().filter_map(|stream| match self.hears(stream) {
            Heard::Prompt(samples) => Some(*samples as f32 / 48_000.0),
            _ => None,
        });
        heard.next()
    }

    pub fn hears_ringing(&self, phone: usize) -> bool {
        self.streams_of(phone).iter().any(|stream| *self.hears(*stream) == Heard::Ringing)
    }

    pub fn hears_silence(&self, phone: usize) -> bool {
        self.streams_of(phone).iter().all(|stream| *self.hears(*stream) == Heard::Silence)
    }

    pub fn codec_to(&self, phone: usize) -> Option<crate::media::Codec> {
        let stream = *self.streams_of(phone).last()?;
        self.engine.open[&stream].1.map(|config| config.codec)
    }

    pub fn press(&mut self, phone: usize, digit: char) -> Vec<(usize, char)> {
        self.press_key(phone, digit);
        self.digits()
    }

    /// A key, whoever it is for.
    pub fn press_key(&mut self, phone: usize, digit: char) {
        let stream = *self.streams_of(phone).last().expect("a call");
        self.lot.report(self.now, Report::Digit { stream, digit });
        self.collect();
    }

    /// All keys that went on, and to whom.
    pub fn digits(&self) -> Vec<(usize, char)> {
        let owner = |stream: &StreamId| {
            (0..self.phones.len()).find(|p| self.streams_of(*p).contains(stream)).unwrap()
        };
        self.engine.digits.iter().map(|(stream, digit)| (owner(stream), *digit)).collect()
    }

    /// Words of 100 ms a letter, and a courtesy tone of 250 ms where a lot wants one.
    pub fn give_sounds(&mut self) {
        let letters = "0123456789*#".chars().map(|letter| (letter, vec![1_000; 4_800])).collect();
        self.lot.set_words(Words { parked_on: vec![1_000; 9_600], letters });
        let wanting = self.lot.config.lots.iter().filter(|lot| lot.courtesytone.is_some());
        for lot in wanting.map(|lot| lot.name.clone()).collect::<Vec<_>>() {
            self.lot.set_courtesy_tone(&lot, crate::media::Clip::new(&[1_000; 12_000], 48_000));
        }
    }

    /// The recordings that play now never end.
    pub fn forget_prompts(&mut self) {
        self.engine.prompts.clear();
    }

    /// The media engine reports that nothing is heard from a phone.
    pub fn silent(&mut self, phone: usize, silent_ms: u32) {
        let stream = *self.streams_of(phone).last().expect("a call");
        self.lot.report(self.now, Report::StreamSilent { stream, silent_ms });
        self.collect();
    }

    /// Whether the lot has a stream to this phone.
    pub fn has_stream(&self, phone: usize) -> bool {
        !self.streams_of(phone).is_empty()
    }

    /// Whether some call of this phone is recorded.
    pub fn is_recorded(&self, phone: usize) -> bool {
        self.streams_of(phone).iter().any(|stream| self.engine.recorded.contains(stream))
    }

    /// The media engine can't record what it was told to.
    pub fn recording_fails(&mut self, phone: usize) {
        let stream = *self.streams_of(phone).last().expect("a call");
        let reason = "the disk is full".to_owned();
        self.lot.report(self.now, Report::RecordingFailed { stream, file: None, reason });
        self.collect();
    }

    pub fn open_streams(&self) -> usize {
        self.engine.open.len()
    }

    pub fn noticed(&self, wanted: impl Fn(&Notice) -> bool) -> usize {
        self.notices.iter().filter(|notice| wanted(notice)).count()
    }

    /// Nothing of any call is left.
    pub fn assert_at_rest(&mut self) {
        self.run_s(120);
        let census = self.lot.census();
        assert_eq!((census.legs, census.attempts, census.parked), (0, 0, 0), "{census:?}");
        assert_eq!(self.open_streams(), 0);
        let agent = census.agent;
        assert_eq!(
            (agent.calls, agent.client_transactions, agent.server_transactions, agent.refers, agent.requests),
            (0, 0, 0, 0, 0),
            "{agent:?}"
        );
    }
}
