//! Runs the lot: its sockets, its media engine, its clock, its log. `parkdeck lot`, and the demo's own.

use super::lot_keeper::{self, Bound, Keeper};
use super::lot_metrics::{self, Tally};
pub use super::lot_sounds::{LotMusic, LotSounds, load_sounds, read_sound, samples_of};
use super::lot_sounds::{SoundFile, sound_files};
use super::trace::{LOT_FILE_NAME, Recorder};
use crate::config::load;
use crate::config::{ConfigError, secret};
use crate::io::clock::{Clock, entropy, key_entropy};
use crate::io::metrics::{Asked, Metrics};
use crate::io::names::{self, NameError, Wanted};
use crate::io::net::{Net, NetEvent, NetOptions};
use crate::io::sound::{Format, MediaEngine, MediaHandle, Recordings, SoundOptions};
use crate::io::tls::{TlsClient, TlsClientFiles, TlsName, TlsServer, TlsServerFiles};
pub use crate::lot::config::LogFormat;
use crate::lot::config::{LogConfig, Trace};
use crate::lot::{Lot, LotConfig, TrunkLookup};
use crate::sip::{Peer, Transport};
use color_eyre::eyre::Context;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What the network brings is taken so often in a row before timers and media get their turn.
const EVENTS_IN_A_ROW: usize = 256;
/// Media ports kept ready: a burst of calls between two turns of the media thread.
const SPARE_PORTS: usize = 64;
/// Media streams at a time, two a call.
const STREAMS_MAX: usize = 2048;

/// Reads and checks the lot's file.
///
/// # Errors
/// Where and why it is wrong.
pub fn read(path: &Path) -> color_eyre::Result<LotConfig> {
    let (config, text): (LotConfig, String) = load::file(path)?;
    let problems = config.problems();
    let found = problems.iter().map(|p| (p.path.as_str(), p.message.clone()));
    if let Some(error) = ConfigError::at_paths(&text, &path.display().to_string(), found) {
        return Err(error.into());
    }
    if !config.users.is_empty() {
        // It holds the phones' secrets.
        secret::check_file(path, "lot's file, which has the secrets,")?;
    }
    Ok(config)
}

/// Runs the lot of this file until a signal. SIGHUP reads the file again; a bad one keeps the old running. `state` is the
/// folder of what it writes.
///
/// # Errors
/// What keeps it from starting.
pub fn run(path: &Path, state: &Path) -> color_eyre::Result<()> {
    let config = read(path)?;
    let sounds = load_sounds(&config, path.parent().unwrap_or(Path::new(".")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        };
        let net = open(&config, path.parent().unwrap_or(Path::new("."))).await?;
        let files = Files { config: path.to_owned(), state: state.to_owned() };
        serve(config, sounds, net, Some(files), stop).await
    })
}

/// Opens what the lot listens on; files are sought beside `base`.
async fn open(config: &LotConfig, base: &Path) -> color_eyre::Result<Net> {
    let home = crate::config::paths::home();
    let found = |file: &PathBuf| crate::config::paths::resolve(file, base, home.as_deref());
    let server = match (config.listen_tls, &config.tls_certificate, &config.tls_key) {
        (Some(_), Some(certificate), Some(key)) => {
            let files = TlsServerFiles { certificate: found(certificate), key: found(key) };
            secret::check_file(&files.key, "tls_key")?;
            Some(TlsServer::new(files)?)
        }
        _ => None,
    };
    let options = NetOptions {
        udp: vec![config.listen],
        tcp: config.listen_tcp.into_iter().collect(),
        tls: config.listen_tls.into_iter().collect(),
        server,
        client: Some(TlsClient::new(TlsClientFiles {
            ca: config.tls_authority.as_ref().map(found),
            ..TlsClientFiles::default()
        })),
    };
    let everywhere = [
        Some(("UDP", config.listen)),
        config.listen_tcp.map(|at| ("TCP", at)),
        config.listen_tls.map(|at| ("TLS", at)),
    ];
    let everywhere: Vec<String> =
        everywhere.into_iter().flatten().map(|(how, at)| format!("{at} ({how})")).collect();
    let everywhere = everywhere.join(", ");
    let net = Net::open(options).await.wrap_err_with(|| format!("can't listen on {everywhere}"))?;
    tracing::info!(listen = %everywhere, "the lot is open");
    Ok(net)
}

/// The files of a lot that has any.
pub struct Files {
    /// Its configuration, read again when it is told to.
    config: PathBuf,
    /// The folder of what it writes.
    state: PathBuf,
}

impl Files {
    /// Files that are named without a folder, or with one that isn't whole, lie beside the configuration.
    fn base(&self) -> &Path {
        self.config.parent().unwrap_or(Path::new("."))
    }

    /// Where calls are recorded.
    fn recordings(&self, config: &LotConfig) -> Recordings {
        let home = crate::config::paths::home();
        let named = config.recordings.as_ref();
        let named = named.map(|folder| crate::config::paths::resolve(folder, self.base(), home.as_deref()));
        let folder = named.unwrap_or_else(|| self.state.join("lot-recordings"));
        Recordings { folder, format: Format::Opus, tone: config.recording_tone }
    }

    /// Opens the trace, if one is wanted.
    fn recorder(&self, log: &LogConfig) -> Option<Recorder> {
        let wanted = match log.trace {
            Trace::Off => crate::config::Trace::Off,
            Trace::On => crate::config::Trace::On,
            Trace::Anonymous => crate::config::Trace::Anonymous,
        };
        let home = crate::config::paths::home();
        let named = |file: &PathBuf| crate::config::paths::resolve(file, self.base(), home.as_deref());
        let file = log.trace_file.as_ref().map_or_else(|| self.state.join(LOT_FILE_NAME), named);
        Recorder::open(wanted, &file)
    }
}

/// Serves on sockets that are bound already, until `stop`.
///
/// # Errors
/// When the media engine can't start.
pub async fn serve(
    config: LotConfig,
    sounds: LotSounds,
    net: Net,
    files: Option<Files>,
    stop: impl Future<Output = ()>,
) -> color_eyre::Result<()> {
    let heard = Arc::new(Notify::new());
    let wake = heard.clone();
    let mut options = SoundOptions::silent(config.contact_address().ip(), SPARE_PORTS, entropy());
    options.streams_max = STREAMS_MAX;
    options.recordings = files.as_ref().map(|files| files.recordings(&config));
    let media =
        MediaEngine::start(options, move || wake.notify_one()).wrap_err("the media engine can't start")?;
    let log = config.log.clone();
    let sound_files = files.as_ref().map(|files| sound_files(&config, files.base())).unwrap_or_default();
    let trace = files.as_ref().and_then(|files| files.recorder(&log));
    let metrics = match config.metrics {
        Some(at) => {
            Some(Metrics::listen(at).await.wrap_err_with(|| format!("metrics can't listen on {at}"))?)
        }
        None => None,
    };
    let bound = Bound::of(&config);
    let journal = files.as_ref().map(|files| lot_keeper::file(&config, files.base(), &files.state));
    let realm = config.realm.clone();
    let mut lot = Lot::new(config, key_entropy());
    lot.set_fingerprint(media.fingerprint());
    sounds.give_to(&mut lot);
    let clock = Clock::start();
    let keeper = match journal {
        Some(file) => Keeper::open(&file, &realm, &mut lot, &clock),
        None => Keeper::none(),
    };
    let (tally, refused_total) = (Tally::default(), 0);
    let mut carrier = LotCarrier {
        lot,
        net,
        media,
        clock,
        files,
        sound_files,
        log,
        trace,
        keeper,
        metrics,
        tally,
        bound,
        refused_total,
        lookups: JoinSet::new(),
    };
    carrier.flush();
    carrier.run(heard, stop).await
}

struct LotCarrier {
    lot: Lot,
    net: Net,
    media: MediaHandle,
    clock: Clock,
    files: Option<Files>,
    /// What the sounds were made of that are in use.
    sound_files: Vec<SoundFile>,
    log: LogConfig,
    trace: Option<Recorder>,
    /// Servers of trunks that are being looked up.
    lookups: JoinSet<(TrunkLookup, Result<Vec<Peer>, NameError>)>,
    keeper: Keeper,
    metrics: Option<Metrics>,
    tally: Tally,
    bound: Bound,
    /// How many configurations were refused.
    refused_total: u64,
}

/// Until somebody asks for metrics.
async fn asked(metrics: &mut Option<Metrics>) -> Asked {
    match metrics {
        Some(metrics) => metrics.next().await,
        None => std::future::pending().await,
    }
}

impl LotCarrier {
    async fn run(&mut self, heard: Arc<Notify>, stop: impl Future<Output = ()>) -> color_eyre::Result<()> {
        let mut reload = signal(SignalKind::hangup())?;
        tokio::pin!(stop);
        loop {
            let due = self.lot.next_wake().map(|at| self.clock.instant(at));
            let wake =
                due.into_iter().chain(self.keeper.next_try()).min().map(tokio::time::Instant::from_std);
            let sleep = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                () = heard.notified() => {
                    while let Some(report) = self.media.try_recv() {
                        self.lot.report(self.clock.now(), report);
                    }
                }
                event = self.net.next() => self.take_events(event),
                Some(Ok((lookup, found))) = self.lookups.join_next(), if !self.lookups.is_empty() => {
                    self.found(&lookup, found);
                }
                _ = reload.recv(), if self.files.is_some() => self.reload(),
                asked = asked(&mut self.metrics) => drop(asked.send(self.page())),
                () = sleep => self.lot.wake(self.clock.now()),
            }
            self.flush();
        }
    }

    /// Takes what the network brought and what waits behind it.
    fn take_events(&mut self, first: NetEvent) {
        let mut came = Some(first);
        for left in (0..EVENTS_IN_A_ROW).rev() {
            let now = self.clock.now();
            if let (Some(trace), Some(event)) = (&mut self.trace, &came) {
                trace.heard(&self.clock, event);
            }
            match came {
                Some(NetEvent::Datagram { from, bytes }) => self.lot.receive(now, from, &bytes),
                Some(NetEvent::Bytes { from, bytes }) => self.lot.receive_stream(now, from, &bytes),
                Some(NetEvent::Opened { peer }) => self.lot.flow_opened(now, peer),
                Some(NetEvent::Closed { peer, reason }) => self.lot.flow_closed(now, peer, &reason),
                // The lot is where its file says.
                // There is one way to each phone: its requests are repeated, and given up in time.
                Some(
                    NetEvent::Refused { .. } | NetEvent::AddressChanged { .. } | NetEvent::Resumed { .. },
                ) => {}
                None => return,
            }
            came = if left > 0 { self.net.try_next() } else { None };
        }
    }

    /// A trunk's servers were looked up. Over TLS the name that was configured is to be proven, whatever DNS made of it
    /// (RFC 5922 4).
    fn found(&mut self, lookup: &TrunkLookup, found: Result<Vec<Peer>, NameError>) {
        let now = self.clock.now();
        match found {
            Ok(servers) => {
                for peer in servers.iter().filter(|peer| peer.transport == Transport::Tls) {
                    self.net.expect(*peer, TlsName::of_host(&lookup.host));
                }
                self.lot.set_trunk_servers(now, &lookup.trunk, servers);
            }
            Err(error) => self.lot.trunk_not_found(now, &lookup.trunk, &error.to_string()),
        }
    }

    fn page(&self) -> String {
        let now = self.clock.now();
        let rest = lot_metrics::Rest {
            uptime_s: self.clock.uptime().as_secs(),
            journal_failing: self.keeper.is_failing(),
            reloads_refused_total: self.refused_total,
        };
        lot_metrics::page(now, &self.lot, &self.tally, &rest)
    }

    fn flush(&mut self) {
        // Before anything is sent: what others are told is never forgotten.
        self.keeper.write(&mut self.lot);
        while let Some(lookup) = self.lot.poll_lookup() {
            let (host, transport) = (lookup.host.clone(), Some(lookup.transport));
            let wanted = Wanted { host, port: lookup.port, transport };
            self.lookups.spawn(async move {
                let found = names::resolve(&wanted, entropy()).await;
                (lookup, found)
            });
        }
        while let Some(command) = self.lot.poll_media() {
            if !self.media.send(command) {
                tracing::warn!("the media thread is behind: a command was dropped");
            }
        }
        while let Some(transmit) = self.lot.poll_transmit() {
            if let Some(trace) = &mut self.trace {
                trace.sent(&self.clock, &transmit);
            }
            self.net.send(transmit);
        }
        while let Some(peer) = self.lot.poll_close() {
            if let Some(trace) = &mut self.trace {
                trace.closed(peer);
            }
            self.net.close(peer);
        }
        while let Some(notice) = self.lot.poll_notice() {
            self.tally.count(&notice);
            super::log::say(&notice, self.log.format);
        }
    }

    fn reload(&mut self) {
        let Some(files) = &self.files else { return };
        let fresh = read(&files.config).and_then(|config| {
            let named = sound_files(&config, files.base());
            let sounds = (self.sound_files != named).then(|| load_sounds(&config, files.base()));
            Ok((config, named, sounds.transpose()?))
        });
        match fresh {
            Ok((config, named, sounds)) => {
                self.sound_files = named;
                if self.log != config.log {
                    self.trace = files.recorder(&config.log);
                    self.log = config.log.clone();
                }
                if Bound::of(&config) != self.bound {
                    tracing::warn!(
                        "addresses, certificate files, the journal's place and that of recordings change at the next start"
                    );
                }
                if let Some(sounds) = sounds {
                    sounds.give_to(&mut self.lot);
                }
                self.lot.reload(self.clock.now(), config);
                tracing::info!("configuration reloaded");
                self.keeper.reloaded(None);
            }
            Err(error) => {
                tracing::error!("the old configuration runs on: {error:#}");
                self.refused_total += 1;
                self.keeper.reloaded(Some(format!("{error:#}")));
            }
        }
    }
}
