//! Desk and phones as one machine without a clock: commands, datagrams and reports in; datagrams, sound and deeds out.
//! The real console and the simulation run this very type.

use super::announce;
use super::sound::{self, SoundDirector};
use crate::ami::Fact;
use crate::desk::{
    CallId, Command, Desk, Effect, Entry, Event, KeyToWire, Known, LineId, ListedDevice, Notice, ParkedCall,
    Settings, Severity, SoundDeed, SoundState,
};
use crate::dialect::{PhoneConfig, Said, Switchboard};
use crate::directory::Directory;
use crate::journal::Follower;
use crate::media;
use crate::parking::{Moment, SlotId, Text};
use crate::sip::{Census, Peer, Secured, Transmit};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What only the program around the engine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Keep [`Desk::memory`] for the next session.
    SaveMemory,
    /// Look up where the server of this line is, and tell it with [`Engine::set_servers`].
    FindServers(LineId),
    /// Find out which sound devices there are, and tell with [`Engine::devices_listed`].
    ListDevices,
    /// End the program.
    Leave,
}

/// Desk and phones. After each call that takes `now`, drain the `poll_` methods.
pub struct Engine {
    desk: Desk,
    phones: Switchboard,
    sound: SoundDirector,
    deeds: VecDeque<Deed>,
    directory: Arc<Directory>,
    follower: Follower,
    entries: Vec<Entry>,
}

impl Engine {
    /// An engine around a desk, with the phones of its lines in their order; `None` without any. Nothing is sent before
    /// [`Engine::start`].
    pub fn new(desk: Desk, phones: impl IntoIterator<Item = PhoneConfig>) -> Option<Self> {
        let phones = Switchboard::new(phones)?;
        let (sound, deeds) = (SoundDirector::default(), VecDeque::new());
        let follower = Follower::new(0, 0, Vec::new());
        Some(Self { desk, phones, sound, deeds, directory: Arc::default(), follower, entries: Vec::new() })
    }

    /// What the console draws.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Registers and goes on by itself.
    pub fn start(&mut self, now: Moment) {
        self.phones.start(now);
        self.settle(now);
    }

    /// Unregisters; drain the datagrams for as long as patience allows.
    pub fn stop(&mut self, now: Moment) {
        self.phones.stop(now);
        self.settle(now);
    }

    /// The operator said something.
    pub fn obey(&mut self, now: Moment, command: Command) {
        let effects = self.desk.obey(now, command);
        self.perform(now, effects);
        self.settle(now);
    }

    /// Somebody outside said something: whether anything was begun, and what the board says of it.
    pub fn obey_told(&mut self, now: Moment, command: Command) -> (bool, String) {
        let last = |desk: &Desk| desk.notices.back().cloned();
        let (before, said_before) = (self.desk.clone(), last(&self.desk));
        let effects = self.desk.obey(now, command);
        let begun = !effects.is_empty() || {
            let mut after = self.desk.clone();
            (after.now, after.notices) = (before.now, before.notices.clone());
            after != before
        };
        self.perform(now, effects);
        let said = last(&self.desk).filter(|said| Some(said) != said_before.as_ref());
        self.settle(now);
        (begun, said.map(|notice| notice.text.to_string()).unwrap_or_default())
    }

    /// A datagram came.
    pub fn receive(&mut self, now: Moment, from: impl Into<Peer>, bytes: &[u8]) {
        self.phones.receive(now, from, bytes);
        self.settle(now);
    }

    /// A connection brought this.
    pub fn receive_stream(&mut self, now: Moment, from: Peer, bytes: &[u8]) {
        self.phones.receive_stream(now, from, bytes);
        self.settle(now);
    }

    /// The manager interface of a line's server said something.
    pub fn hear_ami(&mut self, now: Moment, line: LineId, fact: Fact) {
        self.phones.hear_ami(now, line, fact);
        self.settle(now);
    }

    /// A connection is up, whoever opened it.
    pub fn flow_opened(&mut self, now: Moment, peer: Peer, secured: Secured) {
        self.phones.flow_opened(now, peer, secured);
        self.settle(now);
    }

    /// A connection is gone, or could not be opened.
    pub fn flow_closed(&mut self, now: Moment, peer: Peer, reason: &str) {
        self.phones.flow_closed(now, peer, reason);
        self.settle(now);
    }

    /// The network says that nobody takes our datagrams there.
    pub fn datagram_refused(&mut self, now: Moment, to: SocketAddr) {
        self.phones.datagram_refused(now, to);
        self.settle(now);
    }

    /// The servers of a line anew, in order of preference.
    pub fn set_servers(&mut self, now: Moment, line: LineId, servers: Vec<Peer>) {
        self.phones.set_servers(now, line, servers);
        self.settle(now);
    }

    /// The server of a line was looked up and not found.
    pub fn servers_not_found(&mut self, now: Moment, line: LineId, reason: &str, retry_at: Moment) {
        let retry_at = Some(retry_at);
        self.learn_on(now, line, Event::RegistrationFailed { reason: Text::new(reason), retry_at });
        self.settle(now);
    }

    /// We are reached at that address as well, by the family of addresses in which we had none.
    pub fn add_address(&mut self, local: SocketAddr) {
        self.phones.add_address(local);
    }

    /// We are reached at another address than before, or have just resumed.
    pub fn network_changed(&mut self, now: Moment, local: SocketAddr) {
        self.phones.network_changed(now, local);
        self.settle(now);
    }

    /// A moment that [`Engine::next_wake`] named has come (or any other has passed).
    pub fn wake(&mut self, now: Moment) {
        self.phones.wake(now);
        self.learn(now, Event::Ticked);
        self.settle(now);
    }

    /// When [`Engine::wake`] is wanted next.
    pub fn next_wake(&self) -> Option<Moment> {
        [self.phones.next_wake(), self.desk.next_deadline()].into_iter().flatten().min()
    }

    /// The media threads said something.
    pub fn report(&mut self, now: Moment, report: media::Report) {
        if let media::Report::PortsBound { ports } = &report {
            self.phones.add_ports(ports);
        }
        if let media::Report::KeysAging { stream } = &report {
            self.phones.renew_keys(now, sound::call(*stream));
        }
        if let Some(event) = self.sound.report(now, &self.desk, report) {
            self.learn(now, event);
        }
        self.settle(now);
    }

    /// Something to tell the operator that belongs to no call.
    pub fn tell(&mut self, now: Moment, severity: Severity, text: &str) {
        let notice = Notice { at: now, severity, text: Text::new(text) };
        self.learn(now, Event::Told(notice));
    }

    /// What [`Engine::tell`] said in that sentence is mended.
    pub fn mended(&mut self, now: Moment, text: &str) {
        self.learn(now, Event::Mended(Text::new(text)));
    }

    /// Sound is switched off by configuration: nobody need wait for a headset.
    pub fn sound_is_off(&mut self, now: Moment) {
        let sound = SoundState { off: true, ..self.desk.sound.clone() };
        self.learn(now, Event::SoundChanged(sound));
    }

    /// The sound devices there are.
    pub fn devices_listed(&mut self, now: Moment, devices: Vec<ListedDevice>) {
        self.learn(now, Event::DevicesListed(devices));
        self.settle(now);
    }

    /// Another configuration, as far as the desk takes it over while it runs.
    pub fn settings_changed(&mut self, now: Moment, settings: Settings) {
        self.learn(now, Event::SettingsChanged(settings));
        self.settle(now);
    }

    /// How long keys took to the packets that they caused.
    pub fn keys_timed(&mut self, now: Moment, figures: KeyToWire) {
        self.learn(now, Event::KeysTimed(figures));
    }

    /// Another directory: everybody on the board is named anew.
    pub fn set_directory(&mut self, now: Moment, directory: Arc<Directory>) {
        self.learn(now, Event::DirectoryChanged { people: directory.len() });
        self.directory = directory;
        self.settle(now);
    }

    /// What an earlier session knew of a line's slots.
    pub fn remember(&mut self, line: LineId, parked: Vec<(SlotId, ParkedCall)>) {
        self.desk.remember(line, parked);
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.phones.poll_transmit()
    }

    /// The next connection to close.
    pub fn poll_close(&mut self) -> Option<Peer> {
        self.phones.poll_close()
    }

    /// The next command to the media threads.
    pub fn poll_sound(&mut self) -> Option<media::Command> {
        self.sound.poll()
    }

    /// Keeps the journal's numbers from now on; without it they are those of no session.
    pub fn keep_journal(&mut self, follower: Follower) {
        self.follower = follower;
    }

    /// What is new for the journal since it was last asked for.
    pub fn take_entries(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// The last of it: the program ends, and with it every call.
    pub fn close_journal(&mut self, now: Moment) -> Vec<Entry> {
        let mut entries = self.take_entries();
        entries.extend(self.follower.close(now));
        entries
    }

    /// The next deed.
    pub fn poll_deed(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    /// The Call-ID by which the server knows a call, while there is one.
    pub fn sip_call_id(&self, call: CallId) -> Option<&str> {
        self.phones.sip_call_id(call)
    }

    /// What the user agent keeps (leak tests).
    pub fn census(&self) -> Census {
        self.phones.census()
    }

    /// How many calls the phone keeps (leak tests).
    pub fn legs(&self) -> usize {
        self.phones.legs()
    }

    /// For what happens here, not on a line.
    fn learn(&mut self, now: Moment, event: Event) {
        self.learn_on(now, LineId::default(), event);
    }

    fn learn_on(&mut self, now: Moment, line: LineId, event: Event) {
        if let Event::LineTroubled { reason } = &event {
            tracing::warn!(line = line.0, %reason, "trouble on a line");
        }
        self.follower.hear(now, line, &event);
        let effects = self.desk.learn_on(now, line, event);
        self.perform(now, effects);
    }

    fn perform(&mut self, now: Moment, effects: Vec<Effect>) {
        for effect in effects {
            self.follower.see(&effect);
            match effect {
                Effect::SaveMemory => self.deeds.push_back(Deed::SaveMemory),
                Effect::Leave => self.deeds.push_back(Deed::Leave),
                Effect::Sound(SoundDeed::ListDevices) => self.deeds.push_back(Deed::ListDevices),
                Effect::Sound(deed) => self.sound.perform(deed),
                Effect::Announce { call, slot } => self.announce(now, call, &slot),
                effect => {
                    let line = self.line_of(&effect);
                    self.phones.perform(now, line, effect);
                }
            }
        }
    }

    /// Speaks into the paging call. What can't be spoken was refused by the desk before anybody was called.
    fn announce(&mut self, now: Moment, call: CallId, slot: &SlotId) {
        match announce::clip(slot) {
            Some(clip) => self.sound.speak(call, clip),
            None => self.learn(now, Event::Announced { call }),
        }
    }

    /// Asks the directory about whoever is new on the board.
    fn name_people(&mut self, now: Moment) {
        if self.directory.is_empty() {
            return;
        }
        for number in self.desk.unnamed() {
            let known = self.directory.match_number(number.as_str());
            let known = known.map(|found| Known { name: found.name, about: found.about });
            self.learn(now, Event::named(number, known));
        }
    }

    /// By which line something is done that no phone has begun yet.
    fn line_of(&self, effect: &Effect) -> LineId {
        match effect {
            Effect::AskLamp(slot) | Effect::TellNote { slot, .. } => slot.line,
            Effect::TellTeam { line, .. }
            | Effect::SendMessage { line, .. }
            | Effect::Page { line, .. }
            | Effect::Register { line } => *line,
            effect => {
                effect.call().and_then(|call| self.desk.call(call)).map_or(LineId::default(), |c| c.line)
            }
        }
    }

    /// Lets phones and desk talk until both are silent, then brings the sound in line.
    fn settle(&mut self, now: Moment) {
        /// Desk and phones answer each other a few times at most; more would be a loop.
        const ROUNDS_MAX: usize = 10_000;
        for _ in 0..ROUNDS_MAX {
            if self.phones.has_arrival() {
                let call = self.desk.new_call_id();
                self.phones.admit(now, call);
            }
            match self.phones.poll_said() {
                Some((line, Said::Desk(event))) => self.learn_on(now, line, event),
                Some((_, Said::Sound(step))) => self.sound.step(step),
                Some((line, Said::ServersWanted)) => self.deeds.push_back(Deed::FindServers(line)),
                None if self.phones.has_arrival() => {}
                None => break,
            }
        }
        self.name_people(now);
        self.entries.extend(self.follower.follow(now, &self.desk));
        self.sound.follow(self.desk.sound_plan(), self.desk.sound.muted);
    }
}

/// How long leaving waits for the server to answer BYE and unREGISTER.
pub const LEAVE_PATIENCE: Duration = Duration::from_millis(700);
