//! Carries bytes, sound and questions between the examiner and the world, and prints what is found as it is found.

use super::examiner::Examiner;
use super::finding::{Finding, Verdict};
use super::plan::{Plan, Wish};
use super::write::{self, Change};
use crate::ami::Fact;
use crate::app::ami::Interfaces;
use crate::app::server::{Signals, expect, look_up, open_net, reach_also};
use crate::app::settings::{phone_configs, start_sound};
use crate::config::{self, Config};
use crate::dialect::Dialect;
use crate::io::clock::{Clock, key_entropy};
use crate::io::net::{Net, NetEvent};
use crate::io::sound::MediaHandle;
use crate::parking::SlotId;
use crate::sip::{Peer, Secured, Transport};
use color_eyre::eyre::eyre;
use secrecy::SecretString;
use std::io::{BufRead, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};

/// What the doctor is started with.
pub struct Start {
    /// The configuration; of several accounts one is examined.
    pub config: Config,
    /// How each account's server parks, in their order.
    pub dialects: Vec<Dialect>,
    /// The passwords of the accounts, in their order.
    pub passwords: Vec<SecretString>,
    /// The secret of each account's manager interface, where it has one.
    pub ami_secrets: Vec<Option<SecretString>>,
    /// The configuration's file, for `--write`.
    pub file: PathBuf,
    /// What was asked for.
    pub wish: Wish,
}

/// Examines one account and prints what is found. True: nothing failed. Blocks.
///
/// # Errors
/// What keeps the examination from beginning, and a configuration that could not be written.
pub fn run(start: Start) -> color_eyre::Result<bool> {
    let Start { config, dialects, passwords, ami_secrets, file, wish } = start;
    let index = chosen(&config, wish.account.as_deref())?;
    let mut printer = Printer::new(wish.json);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let account = config.accounts.get(index).cloned().ok_or_else(|| eyre!("there is no such account"))?;
    let password = passwords.into_iter().nth(index).unwrap_or_default();
    let dialect = dialects.into_iter().nth(index).ok_or_else(|| eyre!("the account has no dialect"))?;
    let ami_secret = ami_secrets.into_iter().nth(index).flatten();
    let several = account.lots.len() > 1;
    let mut changes: Vec<Change> = Vec::new();
    for nth in 0..account.lots.len() {
        // The one account alone with the one lot, and no sound device.
        let (account, dialect) = with_lot_alone(&account, &dialect, nth);
        let mut alone = Config { accounts: vec![account], ..config.clone() };
        alone.sound.enabled = false;
        let secrets = (password.clone(), ami_secret.clone());
        let nth_of_several = several.then_some(nth);
        let dialects = [dialect];
        let examined = examine(&alone, &dialects, secrets, (&wish, nth_of_several), &mut printer);
        let Examined { changes: found, goes_on, .. } = runtime.block_on(examined)?;
        let news = |change: &Change| !change.is_of_server() || changes.iter().all(|c| c.key != change.key);
        let found: Vec<Change> = found.into_iter().filter(news).collect();
        changes.extend(found.into_iter().map(|change| Change { lot: nth, ..change }));
        if !goes_on {
            break;
        }
    }
    runtime.shutdown_background();
    printer.conclude(&changes)?;
    if !changes.is_empty() {
        offer(&file, index, &config, &changes, &wish)?;
    }
    Ok(!printer.failed)
}

/// The account as if that lot were its only one.
fn with_lot_alone(account: &config::Account, dialect: &Dialect, nth: usize) -> (config::Account, Dialect) {
    let lots = account.lots.iter().skip(nth).take(1).cloned().collect();
    let numbers = dialect.lots.iter().skip(nth).take(1).cloned().collect();
    let ami = account.ami.clone().map(|ami| {
        let name = ami.lots.get(nth).cloned();
        config::Ami { lots: name.into_iter().collect(), ..ami }
    });
    (config::Account { lots, ami, ..account.clone() }, Dialect { lots: numbers, ..dialect.clone() })
}

/// What an examination came to, for whoever tells it in words of his own.
#[derive(Clone, Debug, Default)]
pub(in crate::app) struct Examined {
    /// The findings, in their order; none where they were printed.
    pub findings: Vec<Finding>,
    /// What the configuration should say instead.
    pub changes: Vec<Change>,
    /// What the server calls itself.
    pub product: Option<String>,
    /// The account was let in.
    pub registered: bool,
    /// The server's answer to REGISTER, if it gave one.
    pub status: Option<u16>,
    /// Slots whose lamp the server tells: of the configured ones, else of those behind the park extension.
    pub slots: Vec<SlotId>,
    /// Whether the park extension can be dialled, where the server says so.
    pub parks: Option<bool>,
    /// Something failed.
    pub failed: bool,
    /// Another lot can be examined.
    pub goes_on: bool,
}

/// Examines the only account of this configuration; `print`: and tells what is found as it is found. Blocks.
///
/// # Errors
/// What keeps the examination from beginning.
pub(in crate::app) fn examine_account(
    config: &Config,
    dialects: &[Dialect],
    password: SecretString,
    wish: &Wish,
    print: bool,
) -> color_eyre::Result<Examined> {
    let mut printer = Printer::new(!print);
    let mut config = config.clone();
    config.sound.enabled = false;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let examined =
        runtime.block_on(examine(&config, dialects, (password, None), (wish, None), &mut printer))?;
    runtime.shutdown_background();
    Ok(Examined { findings: printer.kept, failed: printer.failed, ..examined })
}

/// Which account: the one that was named, or the only one.
fn chosen(config: &Config, name: Option<&str>) -> color_eyre::Result<usize> {
    let names: Vec<&str> = config.accounts.iter().map(|account| account.name.as_str()).collect();
    match name {
        Some(name) => names
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))
            .ok_or_else(|| eyre!("no account is called “{name}”; there is {}", names.join(", "))),
        None if names.len() == 1 => Ok(0),
        None => Err(eyre!("which account? --account with one of {}", names.join(", "))),
    }
}

/// Shows the changes, and writes them if that is wanted.
fn offer(
    file: &std::path::Path,
    index: usize,
    config: &Config,
    changes: &[Change],
    wish: &Wish,
) -> color_eyre::Result<()> {
    if !wish.write {
        return say(&format!("`--write` would put this into {}.\n", file.display()), wish.json);
    }
    if !wish.yes && !ask(&format!("Write this into {}?", file.display())) {
        return say("Nothing was written.\n", wish.json);
    }
    let backup = write::write(file, index, config.accounts.len() > 1, changes)?;
    say(&format!("Written; what was there before is in {}.\n", backup.display()), wish.json)
}

/// Beside JSON nothing else is printed.
fn say(text: &str, quietly: bool) -> color_eyre::Result<()> {
    match quietly {
        true => std::io::stderr().write_all(text.as_bytes())?,
        false => std::io::stdout().write_all(text.as_bytes())?,
    }
    Ok(())
}

/// Asks on standard error; anything but yes is no.
fn ask(question: &str) -> bool {
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.is_ok() && matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// What is the same for all lots of an account.
const OF_THE_ACCOUNT: [&str; 6] =
    ["server", "certificate", "registration", "reachability", "first server", "left behind"];

/// Prints findings, or keeps them for the JSON at the end.
struct Printer {
    /// The lot that is being examined, where there are several, and whether another was before.
    lot: Option<(String, bool)>,
    json: bool,
    colour: bool,
    kept: Vec<Finding>,
    failed: bool,
}

impl Printer {
    fn new(json: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = !plain && std::io::stdout().is_terminal();
        Self { lot: None, json, colour, kept: Vec::new(), failed: false }
    }

    /// From now on it is about that lot of several.
    fn turn_to(&mut self, lot: &str) -> std::io::Result<()> {
        let another = self.lot.is_some();
        self.lot = Some((lot.to_owned(), another));
        match self.json {
            true => Ok(()),
            false => writeln!(std::io::stdout(), "{}Lot “{lot}”:", if another { "\n" } else { "" }),
        }
    }

    fn print(&mut self, mut finding: Finding) -> std::io::Result<()> {
        self.failed |= finding.verdict == Verdict::Bad;
        if let Some((lot, another)) = &self.lot {
            // That we are let in was told with the first.
            if *another && finding.verdict == Verdict::Good && OF_THE_ACCOUNT.contains(&finding.examination) {
                return Ok(());
            }
            finding.lot = Some(lot.clone());
        }
        if self.json {
            self.kept.push(finding);
            return Ok(());
        }
        std::io::stdout().write_all(finding.text(self.colour).as_bytes())?;
        std::io::stdout().flush()
    }

    fn conclude(&self, changes: &[Change]) -> color_eyre::Result<()> {
        let mut out = std::io::stdout();
        if self.json {
            let all =
                serde_json::json!({ "findings": self.kept, "changes": changes, "healthy": !self.failed });
            writeln!(out, "{all:#}")?;
            return Ok(());
        }
        let verdict = if self.failed { "Something failed: see → above." } else { "Nothing failed." };
        writeln!(out, "\n{verdict}")?;
        for change in changes {
            let nth = format!("lot {}: ", change.lot + 1);
            let lot = if self.lot.is_some() && !change.is_of_server() { nth.as_str() } else { "" };
            writeln!(out, "{lot}{} = {}   # {}", change.key, change.value, change.why)?;
        }
        Ok(())
    }
}

/// Examines the account with its one lot, of several the `nth`. What the configuration should say instead, and whether
/// another lot can be examined.
async fn examine(
    config: &Config,
    dialects: &[Dialect],
    (password, ami_secret): (SecretString, Option<SecretString>),
    (wish, nth): (&Wish, Option<usize>),
    printer: &mut Printer,
) -> color_eyre::Result<Examined> {
    let mut signals = Signals::listen(true)?;
    let account = config.accounts.first().ok_or_else(|| eyre!("the configuration has no account"))?;
    if let (Some(_), Some(lot)) = (nth, account.lots.first()) {
        printer.turn_to(lot.name.as_str())?;
    }
    let found = tokio::select! {
        found = look_up(account) => found,
        () = signals.come() => Err("interrupted while the server's name was looked up".to_owned()),
    };
    let servers = match found {
        Ok(servers) => servers,
        Err(reason) => {
            printer.print(Finding::new("server", Verdict::Bad, reason))?;
            return Ok(Examined::default());
        }
    };
    printer.print(Finding::new("server", Verdict::Good, places(account, &servers)))?;
    let Some(first) = servers.first().copied() else { return Err(eyre!("there is no server")) };
    let opened = open_net(config, first.address).await;
    let (mut net, local) = opened.map_err(|reason| eyre!("{reason}"))?;
    expect(&mut net, account, &servers);
    let other = reach_also(&config.network, &mut net, &servers).await;
    let heard = Arc::new(Notify::new());
    let (media, silent_because) = start_sound(config, None, local.ip(), other.map(|o| o.ip()), heard.clone());
    let media = media.ok_or_else(|| eyre!("no sound: {}", silent_because.unwrap_or_default()))?;
    let fingerprint = Some(media.fingerprint());
    let phones = phone_configs(config, dialects, &[password], &[servers], local, fingerprint)?;
    let phone = phones.into_iter().next().ok_or_else(|| eyre!("the configuration has no account"))?;
    let plan = Plan::new(account, &phone, wish, nth);
    let mut examiner =
        Examiner::new(plan, phone, key_entropy()).ok_or_else(|| eyre!("the configuration has no account"))?;
    if let Some(other) = other {
        examiner.add_address(other);
    }
    let manager = Interfaces::new(config, vec![ami_secret]);
    let mut carrier = Carrier {
        examiner,
        net,
        manager,
        local,
        media,
        clock: Clock::start(),
        yes: wish.yes || wish.consented,
        consented: wish.consented,
    };
    carrier.run(signals, heard, config, printer).await?;
    Ok(carrier.examiner.examined())
}

/// Where the server is, for people.
fn places(account: &config::Account, servers: &[Peer]) -> String {
    let of = |peer: &Peer| format!("{} {}", peer.transport.via_word(), peer.address);
    let all: Vec<String> = servers.iter().map(of).collect();
    format!("{} is {}", account.server, all.join(", then "))
}

/// The examiner's hands.
struct Carrier {
    examiner: Examiner,
    net: Net,
    manager: Interfaces,
    local: SocketAddr,
    media: MediaHandle,
    clock: Clock,
    yes: bool,
    /// The question was put already, in other words.
    consented: bool,
}

impl Carrier {
    async fn run(
        &mut self,
        mut signals: Signals,
        heard: Arc<Notify>,
        config: &Config,
        printer: &mut Printer,
    ) -> color_eyre::Result<()> {
        let (answers, mut answered) = mpsc::channel(1);
        self.examiner.start(self.clock.now());
        self.manager.start(self.clock.now());
        let mut certificate_told = false;
        loop {
            self.flush(printer, &answers)?;
            if self.examiner.is_over() {
                break;
            }
            let due = [Some(self.examiner.next_wake()), self.manager.next_wake()];
            let due = due.into_iter().flatten().min().unwrap_or_default();
            let wake = self.clock.instant(due);
            tokio::select! {
                biased;
                () = signals.come() => self.examiner.interrupt(self.clock.now()),
                Some(yes) = answered.recv() => self.examiner.take_answer(self.clock.now(), yes),
                () = heard.notified() => {
                    while let Some(report) = self.media.try_recv() {
                        self.examiner.report(self.clock.now(), report);
                    }
                }
                event = self.net.next() => {
                    if let NetEvent::Opened { peer } = &event
                        && peer.transport == Transport::Tls
                        && !std::mem::replace(&mut certificate_told, true)
                    {
                        printer.print(certificate(config))?;
                    }
                    self.take_event(event);
                }
                event = self.manager.next() => {
                    self.manager.take(self.clock.now(), event);
                    self.hear_manager();
                }
                () = tokio::time::sleep_until(tokio::time::Instant::from_std(wake)) => {
                    self.manager.wake(self.clock.now());
                    self.hear_manager();
                    self.examiner.wake(self.clock.now());
                }
            }
        }
        self.manager.stop();
        self.manager.finish().await;
        self.net.finish().await;
        Ok(())
    }

    /// Hands on what the manager interface said. A refusal is what was to be found out: it isn't tried again, which
    /// might lock us out.
    fn hear_manager(&mut self) {
        if let Some(private) = self.manager.is_private() {
            self.examiner.manager_opened(private);
        }
        while let Some((_, fact)) = self.manager.poll_fact() {
            if matches!(fact, Fact::Lost { .. }) {
                self.manager.stop();
            }
            self.examiner.hear_manager(self.clock.now(), fact);
        }
    }

    fn take_event(&mut self, event: NetEvent) {
        let now = self.clock.now();
        match event {
            NetEvent::Datagram { from, bytes } => self.examiner.receive(now, from, &bytes),
            NetEvent::Bytes { from, bytes } => self.examiner.receive_stream(now, from, &bytes),
            NetEvent::Refused { to } => self.examiner.datagram_refused(now, to),
            NetEvent::Opened { peer } => {
                let secured = if peer.transport == Transport::Tls { Secured::Tls } else { Secured::No };
                self.examiner.flow_opened(now, peer, secured);
            }
            NetEvent::Closed { peer, reason } => self.examiner.flow_closed(now, peer, &reason),
            NetEvent::AddressChanged { local, .. } => {
                self.local = local;
                self.examiner.network_changed(now, local);
            }
            NetEvent::Resumed { .. } => self.examiner.network_changed(now, self.local),
        }
    }

    fn flush(&mut self, printer: &mut Printer, answers: &mpsc::Sender<bool>) -> std::io::Result<()> {
        let now = self.clock.now();
        while let Some(transmit) = self.examiner.poll_transmit(now) {
            self.net.send(transmit);
        }
        while let Some(peer) = self.examiner.poll_close() {
            self.net.close(peer);
        }
        while let Some(command) = self.examiner.poll_sound() {
            self.media.send(command);
        }
        while let Some(finding) = self.examiner.poll_finding() {
            printer.print(finding)?;
        }
        if let Some(question) = self.examiner.poll_question() {
            self.put(question, answers);
        }
        Ok(())
    }

    /// Puts a question, on a thread that may wait for a person; the examination goes on hearing the server meanwhile.
    fn put(&mut self, question: String, answers: &mpsc::Sender<bool>) {
        if self.yes {
            if !self.consented {
                let _ = writeln!(std::io::stderr(), "{question} (--yes)");
            }
            let _ = answers.try_send(true);
            return;
        }
        let answers = answers.clone();
        let asked = std::thread::Builder::new().name("question".into()).spawn(move || {
            let _ = answers.blocking_send(ask(&question));
        });
        if let Err(error) = asked {
            tracing::error!(%error, "nobody can be asked");
        }
    }
}

/// A TLS connection is up: its certificate was accepted.
fn certificate(config: &Config) -> Finding {
    match config.tls.verify {
        true => Finding::new("certificate", Verdict::Good, "TLS; the server has proven its name"),
        false => {
            let advice = "[tls] verify = true, and ca_file for an authority of your own".to_owned();
            let seen = "TLS, but nobody has looked at the certificate (verify = false)";
            Finding::new("certificate", Verdict::Doubtful, seen).advise([advice])
        }
    }
}
