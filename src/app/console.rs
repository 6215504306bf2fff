//! The console's event loop: one `select!`, one order of events. The engine decides, this loop only carries.

mod adopt;
mod kept;
mod outside;
mod servers;

use super::ami::Interfaces;
use super::control::{Asked, Server};
use super::engine::{Deed, Engine, LEAVE_PATIENCE};
use super::hooks::Hooks;
use super::keeping::Keeping;
use super::ladder::{Ladder, Tap};
use super::line;
use super::people::{People, Sources};
use super::records::Records;
use super::replay::Recording;
use super::screen::{self, BoardLink, Keyed, ScreenLink};
use super::server::{Found, Signals, find_servers};
use super::settings::{first_desk, phone_configs, recordings, start_sound};
use super::theme::{fitted, theme};
use super::trace::{self, Recorder};
use crate::config::{self, Config};
use crate::console::{Console, Keymap, LineConsole};
use crate::desk::{Command, Desk, History, KeyTimes, LineId, ListedDevice, Notice, Severity};
use crate::dialect::Dialect;
use crate::io::clock::Clock;
use crate::io::net::{Net, NetEvent};
use crate::io::sound::MediaHandle;
use crate::io::terminal::{self, Screen};
use crate::journal::Memory;
use crate::parking::Moment;
use crate::sip::{Peer, Secured, Transport};
use color_eyre::eyre::{Context, eyre};
use secrecy::SecretString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

/// Commands that may wait for the engine.
const COMMANDS_MAX: usize = 64;
/// What the network brings is taken so often in a row before anything else gets its turn.
const EVENTS_IN_A_ROW: usize = 64;
/// What manager interfaces have said already is taken so often before the network's events.
const AMI_EVENTS_BEFORE: usize = 8;

/// How long the screen's thread may take to end.
const SCREEN_PATIENCE: Duration = Duration::from_millis(500);

/// What the console is started with, all of it checked before the screen is taken.
pub struct Start {
    /// The configuration.
    pub config: Config,
    /// How the accounts' servers park, in their order.
    pub dialects: Vec<Dialect>,
    /// The passwords of the accounts, in their order.
    pub passwords: Vec<SecretString>,
    /// The password for the directory's LDAP server.
    pub ldap_password: Option<SecretString>,
    /// Where relative names of directory files begin; `None`: there is no directory but `[people]`.
    pub base: Option<PathBuf>,
    /// The secrets of the accounts' manager interfaces, in the same order.
    pub ami_secrets: Vec<Option<SecretString>>,
    /// Where who is parked is remembered; `None`: nowhere (the demo).
    pub memory: Option<PathBuf>,
    /// Where other programs reach the console; `None`: nowhere (the demo).
    pub socket: Option<PathBuf>,
    /// Where calls are written down; `None`: nowhere (the demo).
    pub journal: Option<PathBuf>,
    /// The folder of the user's own themes.
    pub themes: Option<PathBuf>,
    /// The file that the configuration was read from; `None`: there is none (the demo), and what is changed on the board
    /// lasts until the end.
    pub config_file: Option<PathBuf>,
    /// Where stray output goes while the screen is up.
    pub log: Option<PathBuf>,
    /// Said in the first seconds.
    pub greeting: Option<String>,
    /// Begin with the first day's tour.
    pub tour: bool,
    /// Where the session's screens are recorded.
    pub record: Option<PathBuf>,
    /// Line mode: a sentence for each event instead of a screen.
    pub line: bool,
}

/// Runs the console until the operator leaves. Blocks.
///
/// # Errors
/// What keeps it from starting, in words; never what happens later.
pub fn run(start: Start) -> color_eyre::Result<()> {
    let keymap = Keymap::with_overrides(&start.config.keys).map_err(|problems| {
        eyre!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })?;
    let theme = fitted(theme(start.config.screen.theme.as_deref(), start.themes.as_deref())?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let record = match start.record.as_ref().filter(|_| !start.line) {
        Some(file) => Some(
            Recording::create(file)
                .wrap_err_with(|| format!("the session can't be recorded in {}", file.display()))?,
        ),
        None => None,
    };
    // Before the screen is taken: from then on a signal must not end us where we stand.
    let signals = runtime.block_on(async { Signals::listen(!start.line) })?;
    let screen = match start.line {
        true => None,
        false => Some(Screen::take(start.config.screen.mouse, start.log.as_deref())?),
    };
    if start.line {
        terminal::keep_stderr_out(start.log.as_deref());
    }
    let (commands, commanded) = mpsc::channel(COMMANDS_MAX);
    let (shown, desk) = watch::channel(Arc::new(first_desk(&start.config, &start.dialects)));
    let notify = screen::terminal_notify(start.config.outside.notify);
    let clock = Clock::start();
    let sources = sources(&start.config, start.ldap_password.clone(), start.base.as_deref());
    let people = People::start(sources);
    let directory = people.directory.clone();
    let (calls, history) = watch::channel(Arc::new(History::default()));
    let file = start.config_file.clone();
    let keeping = Keeping::start(start.config.clone(), start.ldap_password.clone(), file.clone());
    let (adopted, config) = watch::channel(Arc::new(start.config.clone()));
    let changes = keeping.changes.clone();
    let board = BoardLink { config, changes, themes: start.themes.clone(), file };
    let mut console = Console::new(keymap);
    if start.tour {
        console.begin_tour();
    }
    let ladder = Ladder::default();
    let tap = Tap::new(ladder.clone());
    let wish =
        trace::Wish { anonymous: start.config.log.trace == config::Trace::Anonymous, ..Default::default() };
    let thread = std::thread::Builder::new().name("screen".into()).spawn(move || {
        let link = ScreenLink { desk, directory, history, commands, notify, clock, ladder, wish, record };
        match screen {
            Some(screen) => screen::run(screen, console, theme, link, board),
            None => line::run(LineConsole::new(console), link),
        }
    })?;
    let board = Board { commanded, shown, calls, tap, adopted, keeping };
    let served = runtime.block_on(Carrier::serve(start, clock, signals, board, people));
    // A name that is still being looked up must not keep us.
    runtime.shutdown_background();
    // Here and not in the screen's thread: that one may be stuck in a terminal that no longer reads.
    crate::io::terminal::give_back();
    // The engine hung up: the screen's thread ends; unless the terminal keeps it for ever, which must not keep us.
    let drawn = match ended_within(&thread, SCREEN_PATIENCE) {
        true => thread.join().map_err(|_| eyre!("the screen's thread panicked"))?,
        false => Ok(()),
    };
    served.and(drawn.wrap_err("the terminal could not be drawn on"))
}

/// What the directory is made of.
fn sources(config: &Config, password: Option<SecretString>, base: Option<&Path>) -> Sources {
    Sources {
        directory: config.directory.clone(),
        password,
        tls: config.tls.clone(),
        people: config.people.clone(),
        base: base.unwrap_or(Path::new("")).to_owned(),
    }
}

fn ended_within<T>(thread: &std::thread::JoinHandle<T>, patience: Duration) -> bool {
    let began = std::time::Instant::now();
    while !thread.is_finished() && began.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(2));
    }
    thread.is_finished()
}

/// Debug builds only: `PARKDECK_PANIC=engine` or `PARKDECK_PANIC=screen` makes that thread panic once it runs, so that
/// tests see what a bug leaves behind.
#[cfg(debug_assertions)]
#[allow(clippy::panic)]
pub(super) fn panic_on_request(thread: &str) {
    if std::env::var_os("PARKDECK_PANIC").is_some_and(|wanted| wanted == thread) {
        panic!("PARKDECK_PANIC asks for it");
    }
}

/// The next request over the control socket, where there is one.
async fn next_asked(control: &mut Option<Server>) -> Asked {
    match control {
        Some(server) => server.next().await,
        None => std::future::pending().await,
    }
}

/// The engine's ends of what it shares with the board.
struct Board {
    /// What the operator says.
    commanded: mpsc::Receiver<Keyed>,
    /// Where the desk is shown.
    shown: watch::Sender<Arc<Desk>>,
    /// Where the calls of these days are shown.
    calls: watch::Sender<Arc<History>>,
    /// Where the newest SIP messages are shown.
    tap: Tap,
    /// Where the configuration in force is shown.
    adopted: watch::Sender<Arc<Config>>,
    /// Who keeps it.
    keeping: Keeping,
}

/// Carries bytes, commands and reports to the engine and its answers away.
struct Carrier {
    engine: Engine,
    net: Net,
    ami: Interfaces,
    local: SocketAddr,
    network: config::Network,
    media: Option<MediaHandle>,
    clock: Clock,
    memory: Option<Memory>,
    accounts: Vec<config::Account>,
    /// Servers that are being looked up.
    lookups: JoinSet<(LineId, Result<Vec<Peer>, String>)>,
    trace: Option<Recorder>,
    tap: Tap,
    shown: watch::Sender<Arc<Desk>>,
    people: People,
    records: Records,
    hooks: Hooks,
    control: Option<Server>,
    /// The configuration in force, where it is shown, and who keeps it.
    config: Arc<Config>,
    adopted: watch::Sender<Arc<Config>>,
    keeping: Keeping,
    /// What was last wrong with its file, as it was told.
    refused: Option<String>,
    base: Option<PathBuf>,
    /// Sound devices are being looked for.
    listing: JoinSet<Vec<ListedDevice>>,
    /// How long keys took to the packets that they caused.
    key_times: KeyTimes,
    /// Whether it was night by the configured hours when they were last looked at, and when they are looked at next.
    night_by_hours: Option<bool>,
    hours_due: Moment,
    /// The newest notice that watchers were told of.
    told: Option<Notice>,
    leaving: Option<Moment>,
}

impl Carrier {
    async fn serve(
        start: Start,
        clock: Clock,
        mut signals: Signals,
        board: Board,
        people: People,
    ) -> color_eyre::Result<()> {
        let Board { mut commanded, shown, calls, tap, adopted, keeping } = board;
        let found = tokio::select! {
            found = find_servers(&start.config, first_desk(&start.config, &start.dialects), &clock, &mut commanded, &shown) => found,
            () = signals.come() => None,
        };
        let Some(Found { servers, net, local, other }) = found else { return Ok(()) };
        let heard = Arc::new(Notify::new());
        let recordings = recordings(&start.config, start.memory.as_deref());
        let (media, silent_because) =
            start_sound(&start.config, recordings, local.ip(), other.map(|o| o.ip()), heard.clone());
        let fingerprint = media.as_ref().map(MediaHandle::fingerprint);
        let phones =
            phone_configs(&start.config, &start.dialects, &start.passwords, &servers, local, fingerprint)?;
        let mut engine = Engine::new(first_desk(&start.config, &start.dialects), phones)
            .ok_or_else(|| eyre!("the configuration has no account"))?;
        if let Some(other) = other {
            engine.add_address(other);
        }
        if let Some(reason) = silent_because {
            engine.tell(clock.now(), Severity::Error, &format!("no sound: {reason} · calls go on, silently"));
        }
        if !start.config.sound.enabled {
            engine.sound_is_off(clock.now());
        }
        if let Some(greeting) = &start.greeting {
            engine.tell(clock.now(), Severity::Info, greeting);
        }
        let accounts: Vec<String> = start.config.accounts.iter().map(config::Account::label).collect();
        // The trace lies beside the memory, in the state directory.
        let traced = start.memory.as_ref().map(|file| file.with_file_name(trace::FILE_NAME));
        let trace = traced.and_then(|file| Recorder::open(start.config.log.trace, &file));
        let memory = start.memory.map(|file| Memory::open(&file, &accounts, clock.origin_wall_ms()));
        let journal = start.journal.filter(|_| start.config.journal.enabled);
        let opened =
            Records::open(journal.as_deref(), start.config.journal.keep_days, clock.origin_wall_ms(), calls);
        engine.keep_journal(opened.follower);
        for line in &opened.lines {
            engine.tell(clock.now(), Severity::Warning, line);
        }
        let hooks = Hooks::new(&start.config.outside);
        let socket = start.socket.filter(|_| start.config.outside.socket);
        let control = match socket {
            Some(path) => match Server::open(&path).await {
                Ok(server) => Some(server),
                Err(error) => {
                    let line = format!("other programs can't steer this console: {error}");
                    engine.tell(clock.now(), Severity::Warning, &line);
                    None
                }
            },
            None => None,
        };
        let network = start.config.network.clone();
        let ami = Interfaces::new(&start.config, start.ami_secrets);
        let (accounts, lookups) = (start.config.accounts.clone(), JoinSet::new());
        let mut carrier = Self {
            engine,
            net,
            ami,
            local,
            network,
            media,
            clock,
            memory,
            accounts,
            lookups,
            trace,
            tap,
            shown,
            people,
            records: opened.records,
            hooks,
            control,
            config: Arc::new(start.config),
            adopted,
            keeping,
            base: start.base,
            listing: JoinSet::new(),
            key_times: KeyTimes::default(),
            night_by_hours: None,
            hours_due: Moment::ZERO,
            told: None,
            leaving: None,
            refused: None,
        };
        carrier.recall();
        carrier.engine.start(clock.now());
        carrier.ami.start(clock.now());
        carrier.flush();
        carrier.run(signals, commanded, heard).await
    }

    async fn run(
        &mut self,
        mut signals: Signals,
        mut commanded: mpsc::Receiver<Keyed>,
        heard: Arc<Notify>,
    ) -> color_eyre::Result<()> {
        #[cfg(debug_assertions)]
        panic_on_request("engine");
        while self.leaving.is_none_or(|until| self.clock.now() < until) {
            self.follow_the_hours();
            let wakes = [self.engine.next_wake(), self.ami.next_wake(), self.leaving, self.hours_wake()];
            let wake = wakes.into_iter().flatten().min();
            let wake = wake.map(|at| tokio::time::Instant::from_std(self.clock.instant(at)));
            let sleep = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                command = commanded.recv() => match command {
                    Some(keyed) => self.obey(keyed),
                    // The screen's thread is gone: nobody can see the calls any more.
                    None => self.leave(),
                },
                () = signals.come() => self.leave(),
                () = heard.notified() => self.take_reports(),
                event = self.net.next() => self.take_events(event),
                Ok(()) = self.people.directory.changed() => {
                    let directory = Arc::clone(&self.people.directory.borrow_and_update());
                    self.engine.set_directory(self.clock.now(), directory);
                }
                asked = next_asked(&mut self.control) => self.take_asked(asked),
                Some(line) = self.people.complaints.recv() => {
                    self.engine.tell(self.clock.now(), Severity::Warning, &line);
                }
                event = self.ami.next() => self.ami.take(self.clock.now(), event),
                Some(found) = self.lookups.join_next() => self.take_servers(found).await,
                Some(news) = self.keeping.news.recv() => self.take_news(news),
                Some(listed) = self.listing.join_next() => {
                    self.engine.devices_listed(self.clock.now(), listed.unwrap_or_default());
                }
                () = sleep => {
                    self.engine.wake(self.clock.now());
                    self.ami.wake(self.clock.now());
                }
            }
            self.take_ami_facts();
            self.take_journal_reports();
            self.flush();
        }
        self.records.take(self.engine.close_journal(self.clock.now()));
        self.records.flush(LEAVE_PATIENCE);
        // What was said last goes out before the connections end.
        tokio::join!(self.net.finish(), self.ami.finish());
        Ok(())
    }

    /// Does what the operator said. What goes out at once, the key has caused: all else was sent before.
    fn obey(&mut self, keyed: Keyed) {
        self.engine.obey(self.clock.now(), keyed.command);
        if self.send() > 0 {
            let now = self.clock.now();
            self.key_times.add(now.saturating_sub(keyed.at));
            if let Some(figures) = self.key_times.figures() {
                self.engine.keys_timed(now, figures);
            }
        }
    }

    /// Takes what the network brought and what waits behind it.
    fn take_events(&mut self, first: NetEvent) {
        // A comeback's INVITE is known by the time-out that the manager interface told a moment before.
        for _ in 0..AMI_EVENTS_BEFORE {
            let Some(event) = self.ami.try_next() else { break };
            self.ami.take(self.clock.now(), event);
        }
        self.take_ami_facts();
        let mut came = Some(first);
        for left in (0..EVENTS_IN_A_ROW).rev() {
            let Some(event) = came else { return };
            self.take_event(event);
            came = if left > 0 { self.net.try_next() } else { None };
        }
    }

    fn take_event(&mut self, event: NetEvent) {
        let now = self.clock.now();
        self.tap.heard(now, &event);
        if let Some(trace) = &mut self.trace {
            trace.heard(&self.clock, &event);
        }
        match event {
            NetEvent::Datagram { from, bytes } => self.engine.receive(now, from, &bytes),
            NetEvent::Bytes { from, bytes } => self.engine.receive_stream(now, from, &bytes),
            NetEvent::Refused { to } => self.engine.datagram_refused(now, to),
            NetEvent::Opened { peer } => {
                let secured = if peer.transport == Transport::Tls { Secured::Tls } else { Secured::No };
                self.engine.flow_opened(now, peer, secured);
            }
            NetEvent::Closed { peer, reason } => {
                tracing::info!(%peer, %reason, "a connection has ended");
                self.engine.flow_closed(now, peer, &reason);
            }
            NetEvent::AddressChanged { local, .. } => {
                self.local = local;
                self.engine.network_changed(now, local);
            }
            NetEvent::Resumed { .. } => self.engine.network_changed(now, self.local),
        }
    }

    fn take_reports(&mut self) {
        let now = self.clock.now();
        while let Some(report) = self.media.as_mut().and_then(MediaHandle::try_recv) {
            self.engine.report(now, report);
        }
    }

    /// Sends what the engine has to send, shows its desk, does its deeds.
    fn flush(&mut self) {
        self.send();
        while let Some(command) = self.engine.poll_sound() {
            if let Some(media) = &mut self.media
                && !media.send(command)
            {
                tracing::warn!("the media thread is behind: a command was dropped");
            }
        }
        while let Some(deed) = self.engine.poll_deed() {
            match deed {
                Deed::SaveMemory => self.save(),
                Deed::FindServers(line) => self.look_up(line, Duration::ZERO),
                Deed::ListDevices => self.list_devices(),
                Deed::Leave => self.leave(),
            }
        }
        let entries = self.engine.take_entries();
        self.hooks.take(&entries);
        self.records.take(entries);
        self.show_outside();
        self.show();
    }

    /// Sends what the engine has to send; how many messages that were.
    fn send(&mut self) -> usize {
        let mut sent = 0;
        while let Some(transmit) = self.engine.poll_transmit() {
            sent += 1;
            self.tap.sent(self.clock.now(), &transmit);
            if let Some(trace) = &mut self.trace {
                trace.sent(&self.clock, &transmit);
            }
            self.net.send(transmit);
        }
        while let Some(peer) = self.engine.poll_close() {
            self.tap.closed(peer);
            if let Some(trace) = &mut self.trace {
                trace.closed(peer);
            }
            self.net.close(peer);
        }
        sent
    }

    /// Puts the desk where the screen finds it, if anything but the time has changed: most datagrams, timers and sound
    /// reports change nothing that shows, and a picture costs more than they do.
    fn show(&mut self) {
        let desk = self.engine.desk();
        for call in &desk.calls {
            if let Some(call_id) = self.engine.sip_call_id(call.id) {
                self.tap.name(call.id, call_id);
            }
        }
        self.shown.send_if_modified(|shown| {
            let same = Arc::get_mut(shown).is_some_and(|shown| {
                shown.now = desk.now;
                shown == desk
            });
            if !same {
                *shown = Arc::new(desk.clone());
            }
            !same
        });
    }

    /// Says good-bye to the server and lets the datagrams out.
    fn leave(&mut self) {
        if self.leaving.is_some() {
            return;
        }
        let now = self.clock.now();
        self.leaving = Some(now + LEAVE_PATIENCE);
        self.engine.obey(now, Command::Quit);
        self.engine.obey(now, Command::Quit);
        self.engine.stop(now);
        self.ami.stop();
        self.send();
        self.save();
    }

    /// What the manager interfaces had to say.
    fn take_ami_facts(&mut self) {
        let now = self.clock.now();
        while let Some((line, fact)) = self.ami.poll_fact() {
            self.engine.hear_ami(now, line, fact);
        }
    }
}
