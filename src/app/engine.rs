//! Desk and phone as one machine without a clock: commands, datagrams and reports in; datagrams, sound and deeds out.
//! The real console and the simulation run this very type.

use super::sound::SoundDirector;
use crate::desk::{Command, Desk, Effect, Event, Notice, Severity, SoundState};
use crate::dialect::{Phone, PhoneConfig, Said};
use crate::media;
use crate::parking::{Moment, Text};
use crate::sip::{Census, Transmit};
use std::collections::VecDeque;
use std::time::Duration;

/// What only the program around the engine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Keep [`Desk::memory`] for the next session.
    SaveMemory,
    /// End the program.
    Leave,
}

/// Desk and phone. After each call that takes `now`, drain the three `poll_` methods.
pub struct Engine {
    desk: Desk,
    phone: Phone,
    sound: SoundDirector,
    deeds: VecDeque<Deed>,
}

impl Engine {
    /// An engine around a desk; nothing is sent before [`Engine::start`].
    pub fn new(desk: Desk, phone: PhoneConfig) -> Self {
        Self { desk, phone: Phone::new(phone), sound: SoundDirector::default(), deeds: VecDeque::new() }
    }

    /// What the console draws.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Registers and goes on by itself.
    pub fn start(&mut self, now: Moment) {
        self.phone.start(now);
        self.settle(now);
    }

    /// Unregisters; drain the datagrams for as long as patience allows.
    pub fn stop(&mut self, now: Moment) {
        self.phone.stop(now);
        self.settle(now);
    }

    /// The operator said something.
    pub fn obey(&mut self, now: Moment, command: Command) {
        let effects = self.desk.obey(now, command);
        self.perform(now, effects);
        self.settle(now);
    }

    /// A datagram came.
    pub fn receive(&mut self, now: Moment, from: impl Into<crate::sip::Peer>, bytes: &[u8]) {
        self.phone.receive(now, from, bytes);
        self.settle(now);
    }

    /// A moment that [`Engine::next_wake`] named has come (or any other has passed).
    pub fn wake(&mut self, now: Moment) {
        self.phone.wake(now);
        self.learn(now, Event::Ticked);
        self.settle(now);
    }

    /// When [`Engine::wake`] is wanted next.
    pub fn next_wake(&self) -> Option<Moment> {
        [self.phone.next_wake(), self.desk.next_deadline()].into_iter().flatten().min()
    }

    /// The media threads said something.
    pub fn report(&mut self, now: Moment, report: media::Report) {
        if let media::Report::PortsBound { ports } = &report {
            self.phone.add_ports(ports);
        }
        if let Some(event) = self.sound.report(&self.desk, report) {
            self.learn(now, event);
        }
        self.settle(now);
    }

    /// Something to tell the operator that belongs to no call.
    pub fn tell(&mut self, now: Moment, severity: Severity, text: &str) {
        let notice = Notice { at: now, severity, text: Text::new(text) };
        self.learn(now, Event::Told(notice));
    }

    /// Sound is switched off by configuration: nobody need wait for a headset.
    pub fn sound_is_off(&mut self, now: Moment) {
        let sound = SoundState { off: true, ..self.desk.sound.clone() };
        self.learn(now, Event::SoundChanged(sound));
    }

    /// What an earlier session knew.
    pub fn remember(&mut self, parked: Vec<(crate::parking::SlotId, crate::desk::ParkedCall)>) {
        self.desk.remember(parked);
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.phone.poll_transmit()
    }

    /// The next command to the media threads.
    pub fn poll_sound(&mut self) -> Option<media::Command> {
        self.sound.poll()
    }

    /// The next deed.
    pub fn poll_deed(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    /// What the user agent keeps (leak tests).
    pub fn census(&self) -> Census {
        self.phone.census()
    }

    /// How many calls the phone keeps (leak tests).
    pub fn legs(&self) -> usize {
        self.phone.legs()
    }

    fn learn(&mut self, now: Moment, event: Event) {
        let effects = self.desk.learn(now, event);
        self.perform(now, effects);
    }

    fn perform(&mut self, now: Moment, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::SaveMemory => self.deeds.push_back(Deed::SaveMemory),
                Effect::Leave => self.deeds.push_back(Deed::Leave),
                effect => self.phone.perform(now, effect),
            }
        }
    }

    /// Lets phone and desk talk until both are silent, then brings the sound in line.
    fn settle(&mut self, now: Moment) {
        /// Desk and phone answer each other a few times at most; more would be a loop.
        const ROUNDS_MAX: usize = 10_000;
        for _ in 0..ROUNDS_MAX {
            if self.phone.has_arrival() {
                let call = self.desk.new_call_id();
                self.phone.admit(now, call);
            }
            match self.phone.poll_said() {
                Some(Said::Desk(event)) => self.learn(now, event),
                Some(Said::Sound(step)) => self.sound.step(step),
                None if self.phone.has_arrival() => {}
                None => break,
            }
        }
        self.sound.follow(self.desk.sound_plan(), self.desk.sound.muted);
    }
}

/// How long leaving waits for the server to answer BYE and unREGISTER.
pub const LEAVE_PATIENCE: Duration = Duration::from_millis(700);
