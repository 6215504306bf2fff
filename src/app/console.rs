//! The console's event loop: one `select!`, one order of events. The engine decides, this loop only carries.

use super::engine::{Deed, Engine, LEAVE_PATIENCE};
use super::screen::{self, ScreenLink};
use crate::config::{self, Config};
use crate::console::{Console, Keymap, Theme};
use crate::desk::{Command, Desk, Effect, Event, Severity};
use crate::dialect::{Dialect, PhoneConfig};
use crate::io::clock::{Clock, entropy};
use crate::io::net;
use crate::io::sound::{Device, MediaEngine, MediaHandle, SoundOptions};
use crate::io::terminal::Screen;
use crate::journal::{Memory, Report};
use crate::parking::{Moment, Text};
use crate::sip::message::{NameAddr, Uri};
use crate::sip::{Account, sdp};
use color_eyre::eyre::{Context, eyre};
use secrecy::SecretString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};

/// Commands that may wait for the engine.
const COMMANDS_MAX: usize = 64;
/// The longest datagram that UDP carries.
const DATAGRAM_MAX: usize = 65_535;
/// Datagrams taken in a row before anything else gets its turn.
const DATAGRAMS_IN_A_ROW: usize = 64;
/// Between two attempts to find a server whose name isn't known or to which no route leads.
const FIND_AGAIN: Duration = Duration::from_secs(10);
/// Media ports kept ready.
const SPARE_PORTS: usize = 8;

/// How long the screen's thread may take to end.
const SCREEN_PATIENCE: Duration = Duration::from_millis(500);

/// What the console is started with, all of it checked before the screen is taken.
pub struct Start {
    /// The configuration.
    pub config: Config,
    /// The account's password.
    pub password: SecretString,
    /// Where who is parked is remembered; `None`: nowhere (the demo).
    pub memory: Option<PathBuf>,
    /// The folder of the user's own themes.
    pub themes: Option<PathBuf>,
    /// Where stray output goes while the screen is up.
    pub log: Option<PathBuf>,
    /// Said in the first seconds.
    pub greeting: Option<String>,
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
    // Before the screen is taken: from then on a signal must not end us where we stand.
    let signals = runtime.block_on(async { Signals::listen() })?;
    let screen = Screen::take(start.config.screen.mouse, start.log.as_deref())?;
    let (commands, commanded) = mpsc::channel(COMMANDS_MAX);
    let (shown, desk) = watch::channel(Arc::new(first_desk(&start.config)));
    let clock = Clock::start();
    let console = Console::new(keymap);
    let thread = std::thread::Builder::new()
        .name("screen".into())
        .spawn(move || screen::run(screen, console, &theme, ScreenLink { desk, commands, clock }))?;
    let served = runtime.block_on(Carrier::serve(start, clock, signals, commanded, shown));
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

fn ended_within<T>(thread: &std::thread::JoinHandle<T>, patience: Duration) -> bool {
    let began = std::time::Instant::now();
    while !thread.is_finished() && began.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(2));
    }
    thread.is_finished()
}

/// The theme by name: one of ours, or `NAME.toml` in the folder of the user's own.
///
/// # Errors
/// No such theme, or what is wrong with the file.
pub fn theme(name: Option<&str>, own: Option<&Path>) -> color_eyre::Result<Theme> {
    let name = name.unwrap_or("dark");
    if let Some(theme) = Theme::named(name) {
        return Ok(theme);
    }
    let unknown =
        || eyre!("there is no theme “{name}”: dark, light, high-contrast, mono, or a file of your own");
    // A name, not a path: the folder is not left.
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let file = own.filter(|_| plain).map(|dir| dir.join(format!("{name}.toml"))).ok_or_else(unknown)?;
    let text = crate::config::load::text(&file).map_err(|_| unknown())?;
    Theme::read(&text).map_err(|error| eyre!("{}: {error}", file.display()))
}

/// The theme as this terminal can show it.
fn fitted(theme: Theme) -> Theme {
    let variable = |name| std::env::var(name).unwrap_or_default();
    if !variable("NO_COLOR").is_empty() {
        return theme.without_colour();
    }
    let rich = ["truecolor", "24bit"].contains(&variable("COLORTERM").as_str());
    if rich || variable("TERM").contains("256color") || variable("TERM").contains("direct") {
        theme
    } else {
        theme.with_16_colours()
    }
}

fn dialect(config: &Config) -> color_eyre::Result<Dialect> {
    let name = match config.lot.dialect {
        config::Dialect::Asterisk => "asterisk",
        config::Dialect::Parkdeck => "parkdeck",
    };
    let lot = &config.lot;
    Dialect::named(name, lot.park_extension.clone(), lot.directed_prefix.clone())
        .ok_or_else(|| eyre!("no dialect “{name}”"))
}

/// The account in one word.
fn label(config: &Config) -> String {
    format!("{}@{}", config.account.user, config.account.server)
}

fn first_desk(config: &Config) -> Desk {
    let abilities = dialect(config).map(|d| d.abilities(config.lot.parking_time_s)).unwrap_or_default();
    Desk::new(&label(config), config.lot.name.as_str(), config.lot.slots.clone(), abilities)
}

/// The signals that ask us to leave.
struct Signals([Signal; 3]);

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let [terminate, hang_up, interrupt] =
            [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()].map(signal);
        Ok(Self([terminate?, hang_up?, interrupt?]))
    }

    /// Until one of them comes.
    async fn come(&mut self) {
        let [terminate, hang_up, interrupt] = &mut self.0;
        tokio::select! { _ = terminate.recv() => {}, _ = hang_up.recv() => {}, _ = interrupt.recv() => {} }
    }
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

/// Carries bytes, commands and reports to the engine and its answers away.
struct Carrier {
    engine: Engine,
    socket: UdpSocket,
    media: Option<MediaHandle>,
    clock: Clock,
    memory: Option<Memory>,
    shown: watch::Sender<Arc<Desk>>,
    leaving: Option<Moment>,
}

impl Carrier {
    async fn serve(
        start: Start,
        clock: Clock,
        mut signals: Signals,
        mut commanded: mpsc::Receiver<Command>,
        shown: watch::Sender<Arc<Desk>>,
    ) -> color_eyre::Result<()> {
        let found = tokio::select! {
            found = find_server(&start.config, &clock, &mut commanded, &shown) => found,
            () = signals.come() => None,
        };
        let Some((server, socket)) = found else { return Ok(()) };
        let heard = Arc::new(Notify::new());
        let local = socket.local_addr()?;
        let (media, silent_because) = start_sound(&start.config, local.ip(), heard.clone());
        let mut engine = Engine::new(first_desk(&start.config), phone_config(&start, server, local)?);
        if let Some(reason) = silent_because {
            engine.tell(clock.now(), Severity::Error, &format!("no sound: {reason} · calls go on, silently"));
        }
        if !start.config.sound.enabled {
            engine.sound_is_off(clock.now());
        }
        if let Some(greeting) = &start.greeting {
            engine.tell(clock.now(), Severity::Info, greeting);
        }
        let memory =
            start.memory.map(|file| Memory::open(&file, &label(&start.config), clock.origin_wall_ms()));
        let mut carrier = Self { engine, socket, media, clock, memory, shown, leaving: None };
        carrier.recall();
        carrier.engine.start(clock.now());
        carrier.flush();
        carrier.run(signals, commanded, heard).await
    }

    async fn run(
        &mut self,
        mut signals: Signals,
        mut commanded: mpsc::Receiver<Command>,
        heard: Arc<Notify>,
    ) -> color_eyre::Result<()> {
        let mut datagram = vec![0; DATAGRAM_MAX];
        #[cfg(debug_assertions)]
        panic_on_request("engine");
        while self.leaving.is_none_or(|until| self.clock.now() < until) {
            let wake = [self.engine.next_wake(), self.leaving].into_iter().flatten().min();
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
                    Some(command) => self.engine.obey(self.clock.now(), command),
                    // The screen's thread is gone: nobody can see the calls any more.
                    None => self.leave(),
                },
                () = signals.come() => self.leave(),
                () = heard.notified() => self.take_reports(),
                came = self.socket.recv_from(&mut datagram) => self.take_datagrams(came, &mut datagram),
                () = sleep => self.engine.wake(self.clock.now()),
            }
            self.take_journal_reports();
            self.flush();
        }
        Ok(())
    }

    /// Takes the datagram that came and those that wait behind it.
    fn take_datagrams(&mut self, first: std::io::Result<(usize, SocketAddr)>, buffer: &mut [u8]) {
        let mut came = first;
        for _ in 0..DATAGRAMS_IN_A_ROW {
            // An error here is an ICMP answer to something we sent: the transaction's timers deal with it.
            if let Ok((length, from)) = came {
                let bytes = buffer.get(..length).unwrap_or_default();
                self.engine.receive(self.clock.now(), from, bytes);
            }
            came = match self.socket.try_recv_from(buffer) {
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return,
                other => other,
            };
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
        while let Some(transmit) = self.engine.poll_transmit() {
            // A full buffer or an unreachable host is a lost datagram: SIP repeats it.
            if let Err(error) = self.socket.try_send_to(&transmit.bytes, transmit.to) {
                tracing::debug!(to = %transmit.to, %error, "datagram not sent");
            }
        }
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
                Deed::Leave => self.leave(),
            }
        }
        self.show();
    }

    /// Puts the desk where the screen finds it, if anything but the time has changed: most datagrams, timers and sound
    /// reports change nothing that shows, and a picture costs more than they do.
    fn show(&mut self) {
        let desk = self.engine.desk();
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
        while let Some(transmit) = self.engine.poll_transmit() {
            let _ = self.socket.try_send_to(&transmit.bytes, transmit.to);
        }
        self.save();
    }

    fn save(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.save(&self.engine.desk().memory());
        }
    }

    /// What the journal's thread had to say.
    fn take_journal_reports(&mut self) {
        let now = self.clock.now();
        while let Some(report) = self.memory.as_ref().and_then(Memory::poll_report) {
            match report {
                Report::Failed(line) => self.engine.tell(now, Severity::Warning, &line),
                Report::Resumed => self.engine.tell(now, Severity::Info, "parked calls are remembered again"),
            }
        }
    }

    fn recall(&mut self) {
        let Some(memory) = &mut self.memory else { return };
        match memory.recall() {
            Ok(parked) => self.engine.remember(parked),
            Err(warning) => {
                self.engine.tell(self.clock.now(), Severity::Warning, &warning.to_string());
            }
        }
    }
}

/// Finds the server and binds a socket towards it; shows what is wrong until it works. `None`: the operator left.
async fn find_server(
    config: &Config,
    clock: &Clock,
    commanded: &mut mpsc::Receiver<Command>,
    shown: &watch::Sender<Arc<Desk>>,
) -> Option<(SocketAddr, UdpSocket)> {
    let mut desk = first_desk(config);
    loop {
        // Looking a name up takes seconds where nobody answers: keys are heard meanwhile.
        let reached = tokio::select! {
            reached = reach(config) => reached,
            () = leave_asked(&mut desk, clock, commanded, shown) => return None,
        };
        let reason = match reached {
            Ok(found) => return Some(found),
            Err(reason) => Text::new(&reason),
        };
        let retry_at = Some(clock.now() + FIND_AGAIN);
        desk.learn(clock.now(), Event::RegistrationFailed { reason, retry_at });
        shown.send_replace(Arc::new(desk.clone()));
        tokio::select! {
            () = tokio::time::sleep(FIND_AGAIN) => {}
            () = leave_asked(&mut desk, clock, commanded, shown) => return None,
        }
    }
}

/// Hears the operator while there is no phone yet, until he leaves.
async fn leave_asked(
    desk: &mut Desk,
    clock: &Clock,
    commanded: &mut mpsc::Receiver<Command>,
    shown: &watch::Sender<Arc<Desk>>,
) {
    // No more commands: the screen's thread is gone.
    while let Some(command) = commanded.recv().await {
        let now = clock.now();
        for effect in desk.obey(now, command) {
            match effect {
                Effect::Leave => return,
                Effect::Dial { call, .. } => {
                    let reason = Text::new("there is no server to call through");
                    desk.learn(now, Event::CallEnded { call, reason, by_them: false });
                }
                _ => {}
            }
        }
        shown.send_replace(Arc::new(desk.clone()));
    }
}

async fn reach(config: &Config) -> Result<(SocketAddr, UdpSocket), String> {
    let server = &config.account.server;
    let address = net::resolve(&server.host, server.port)
        .await
        .map_err(|e| format!("can't find the server “{}”: {e}", server.host))?;
    let local = match config.network.address {
        Some(local) => local,
        None => net::address_towards(address).map_err(|e| format!("no way to {address}: {e}"))?,
    };
    let bind = SocketAddr::new(local, config.network.port);
    let socket = net::bind_sip(bind).map_err(|e| format!("can't listen on {bind}: {e}"))?;
    // Until it has been polled once, a fresh socket refuses to send at once: the first REGISTER would be lost.
    socket.writable().await.map_err(|e| format!("can't send from {bind}: {e}"))?;
    Ok((address, socket))
}

fn start_sound(
    config: &Config,
    address: IpAddr,
    heard: Arc<Notify>,
) -> (Option<MediaHandle>, Option<String>) {
    let device = |name: &Option<String>| match name {
        _ if !config.sound.enabled => Device::Off,
        Some(name) => Device::Named(name.clone()),
        None => Device::Default,
    };
    let options = SoundOptions {
        address,
        ports: config.network.rtp_ports.map(|(first, last)| first..=last),
        spare: SPARE_PORTS,
        streams_max: crate::desk::MAX_CALLS,
        microphone: device(&config.sound.headset_in),
        headset: device(&config.sound.headset_out),
        ringer: device(&config.sound.ringer),
        seed: entropy(),
    };
    match MediaEngine::start(options, move || heard.notify_one()) {
        Ok(handle) => (Some(handle), None),
        Err(error) => (None, Some(error.to_string())),
    }
}

fn phone_config(start: &Start, server: SocketAddr, local: SocketAddr) -> color_eyre::Result<PhoneConfig> {
    let config = &start.config;
    let account = &config.account;
    let mut uri = Uri::sip(&account.user, &account.server.uri_host());
    if account.server.port != config::Server::DEFAULT_PORT {
        uri.port = Some(account.server.port);
    }
    let mut aor = NameAddr::new(uri);
    if !account.display_name.is_empty() {
        aor = aor.with_display(account.display_name.as_str());
    }
    let codec = |c: &config::Codec| match c {
        config::Codec::Opus => sdp::Codec::Opus,
        config::Codec::Pcmu => sdp::Codec::Pcmu,
        config::Codec::Pcma => sdp::Codec::Pcma,
    };
    Ok(PhoneConfig {
        local,
        media_address: if local.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { local.ip() },
        account: Account {
            aor,
            server,
            username: account.auth_user.clone(),
            password: start.password.clone(),
            realm: account.realm.clone(),
            expires_s: account.expires_s,
        },
        dialect: dialect(config)?,
        slots: config.lot.slots.clone(),
        codecs: config.sound.codecs.iter().map(codec).collect(),
        seed: entropy(),
    })
}
