//! The commands of the binary: arguments in, an exit code out.

use crate::app::control::{self, Verb, client};
use crate::app::{
    check, console, dialects, doctor, history, import, log, lot, lot_keeper, replay, setup, trace, wallboard,
};
use crate::config::load::{self, LoadError};
use crate::config::paths::Paths;
use crate::config::{Config, secret};
use crate::demo;
use crate::dialect::Preset;
use clap::{CommandFactory, Parser};
use color_eyre::eyre::eyre;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tracing_appender::non_blocking::NonBlockingBuilder;

mod arguments;

use arguments::{Cli, Command, LotTask, OnOff};
/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            crate::io::terminal::give_back();
            let _ = writeln!(std::io::stderr(), "parkdeck: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> color_eyre::Result<ExitCode> {
    let config = cli.config;
    // Of the two files that there are, `--config` names the one that the command is about.
    let named = config.clone().filter(|_| !matches!(cli.command, Some(Command::Lot { .. })));
    let paths = Paths::find(|name| match (name, &named) {
        (crate::config::paths::CONFIG_VARIABLE, Some(named)) => Some(named.clone().into()),
        (name, _) => std::env::var_os(name),
    })
    .ok_or_else(|| eyre!("there is no home directory to keep files in"))?;
    match cli.command {
        None => board(&paths, cli.line, cli.record),
        Some(Command::Demo { seed, silent, line, record }) => {
            let _log = log_to(&paths.log, "info");
            let line = line || cli.line;
            let record = record.or(cli.record);
            let (socket, log) = (Some(control::demo_socket(&paths.state)), Some(paths.log.clone()));
            demo::run(demo::Wish { seed, silent, line, record, socket, log })?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Setup { answers }) => set_up(&paths, &answers.wish(), cli.line),
        Some(Command::Lot { task: Some(LotTask::Import { files }) }) => {
            let imported = import::read(&files)?;
            say(&imported.toml)?;
            for remark in &imported.remarks {
                writeln!(std::io::stderr(), "{remark}")?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Lot { task: None }) => {
            let file = config.unwrap_or(paths.lot_config);
            log_to_stderr(lot::read(&file).map(|config| config.log.format).unwrap_or_default());
            lot::run(&file, &paths.state)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Lot { task: Some(LotTask::Reload) }) => {
            lot_keeper::reload(&config.unwrap_or(paths.lot_config), &paths.state)?;
            say("reloaded\n")?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Check { lot }) => {
            let found = check::check(&paths, lot.as_deref());
            say(&found.text)?;
            Ok(if found.sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Some(Command::Doctor { account, call, caller_id, quick, yes, comeback, write, json }) => examine(
            &paths,
            doctor::Wish { account, call, caller_id, quick, yes, consented: false, comeback, write, json },
        ),
        Some(Command::Example { dialect: Some(name), .. }) => {
            let names: Vec<&str> = Preset::names().collect();
            let unknown = || eyre!("there is no dialect “{name}”; there are {}", names.join(", "));
            say(Preset::text(&name).ok_or_else(unknown)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Example { lot, desktop, dialect: None }) => {
            say(match (lot, desktop) {
                (true, _) => Config::lot_example(),
                (_, true) => DESKTOP_ENTRY,
                _ => Config::example(),
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Trace { anonymous, without_texts, lot, file }) => {
            let file = file.unwrap_or_else(|| {
                paths.state.join(if lot { trace::LOT_FILE_NAME } else { trace::FILE_NAME })
            });
            let wish = trace::Wish { anonymous, without_texts };
            trace::print(&file, wish, &mut std::io::stdout())
                .map_err(|error| eyre!("the trace {}: {error}", file.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Replay { file, mask, text }) => {
            say(&replay::run(&replay::Wish { file, mask, text })?)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Journal { which, search, missed }) => {
            history::journal(&paths.journal, &which.wish(search, missed), &mut std::io::stdout().lock())?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Report { which }) => {
            history::shift(&paths.journal, &which.wish(None, false), &mut std::io::stdout().lock())?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Wallboard { demo }) => wallboard(&paths, demo),
        Some(Command::Status { json, watch }) => status(&paths, json, watch),
        Some(Command::Call { to }) => tell(&paths, |_| Ok(Verb::Dial { to })),
        Some(Command::Open { link }) => tell(&paths, |_| Ok(Verb::Offer { to: link })),
        Some(Command::Answer { call }) => {
            tell(&paths, |client| Ok(Verb::Answer { call: client.call_meant(call, &["ringing"])? }))
        }
        Some(Command::HangUp { call }) => tell(&paths, |_| Ok(Verb::HangUp { call })),
        Some(Command::Hold { call }) => {
            tell(&paths, |client| Ok(Verb::Hold { call: client.call_meant(call, &["talking"])? }))
        }
        Some(Command::Resume { call }) => {
            tell(&paths, |client| Ok(Verb::Resume { call: client.call_meant(call, &["held"])? }))
        }
        Some(Command::Park { call, slot, lot }) => tell(&paths, |client| {
            Ok(Verb::Park { call: client.call_meant(call, &["talking", "held"])?, slot, lot })
        }),
        Some(Command::Retrieve { slot, account }) => tell(&paths, |_| Ok(Verb::Retrieve { slot, account })),
        Some(Command::Transfer { call, to }) => tell(&paths, |_| Ok(Verb::Transfer { call, to })),
        Some(Command::Dnd { state }) => tell(&paths, |_| Ok(Verb::DoNotDisturb { on: state == OnOff::On })),
        Some(Command::Night { state }) => tell(&paths, |_| Ok(Verb::Night { on: state == OnOff::On })),
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "parkdeck", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What makes `parkdeck open` the program for links with numbers.
const DESKTOP_ENTRY: &str = include_str!("../assets/parkdeck.desktop");

/// Has the running console do something; prints what the board says of it.
fn tell(
    paths: &Paths,
    verb: impl FnOnce(&mut client::Client) -> color_eyre::Result<Verb>,
) -> color_eyre::Result<ExitCode> {
    let mut client = client::Client::connect(&control::socket(&paths.state))?;
    let verb = verb(&mut client)?;
    let reply = client.ask(verb)?;
    if !reply.say.is_empty() {
        say(&format!("{}\n", reply.say))?;
    }
    Ok(if reply.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the running console's board.
fn status(paths: &Paths, json: bool, watch: bool) -> color_eyre::Result<ExitCode> {
    let mut client = client::Client::connect(&control::socket(&paths.state))?;
    if watch {
        client.watch(&mut std::io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    let view = client.status()?;
    match json {
        true => say(&format!("{}\n", serde_json::to_string(&view)?))?,
        false => say(&format!("{}\n", client::lines(&view).join("\n")))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows the running console's slots and waits.
fn wallboard(paths: &Paths, demo: bool) -> color_eyre::Result<ExitCode> {
    let config = match load::console(&paths.config) {
        Ok(config) => Some(config),
        Err(LoadError::Absent { .. }) if !paths.config_is_named => None,
        Err(error) => return Err(error.into()),
    };
    let socket = if demo { control::demo_socket(&paths.state) } else { control::socket(&paths.state) };
    let start = wallboard::Start::new(socket, config.as_ref(), &paths.config, paths.log.clone());
    wallboard::run(&start)?;
    Ok(ExitCode::SUCCESS)
}

fn say(text: &str) -> std::io::Result<()> {
    std::io::stdout().write_all(text.as_bytes())
}

/// The board with the user's configuration; without one, what to do.
fn board(paths: &Paths, line: bool, record: Option<PathBuf>) -> color_eyre::Result<ExitCode> {
    let config = match load::console(&paths.config) {
        Ok(config) => config,
        Err(LoadError::Absent { file }) if !paths.config_is_named => {
            // A shell makes no folders for `>`.
            let folder = paths.config.parent().unwrap_or(Path::new(".")).display();
            let text = format!(
                "There is no configuration yet ({file}).\n\n\
                 To get one by answering a few questions:\n  parkdeck setup\n\n\
                 To see everything without one:\n  parkdeck demo\n\n\
                 To write one yourself, fill it in and check it:\n  mkdir -p {folder}\n  \
                 parkdeck example > {file}\n  parkdeck check\n"
            );
            say(&text)?;
            return offer(paths, line);
        }
        Err(error) => return Err(error.into()),
    };
    let base = paths.config.parent().unwrap_or(Path::new("."));
    let passwords = passwords(&config, base)?;
    let ami_secrets = ami_secrets(&config, base)?;
    let ldap_password = ldap_password(&config, base)?;
    let log = config.log.file.clone().unwrap_or_else(|| paths.log.clone());
    let _guard = log_to(&log, config.log.level.word());
    let recorded = config.screen.record.as_deref();
    let recorded = recorded
        .map(|file| crate::config::paths::resolve(file, base, crate::config::paths::home().as_deref()));
    let start = console::Start {
        dialects: dialects::of(&config, Some(&load::dialect_folder(&paths.config)))?,
        config,
        passwords,
        ami_secrets,
        ldap_password,
        base: Some(base.to_owned()),
        memory: Some(paths.memory.clone()),
        journal: Some(paths.journal.clone()),
        socket: Some(control::socket(&paths.state)),
        themes: Some(base.join("themes")),
        config_file: Some(paths.config.clone()),
        log: Some(log),
        greeting: None,
        tour: false,
        record: record.or(recorded),
        line,
    };
    console::run(start)?;
    Ok(ExitCode::SUCCESS)
}

/// Without a configuration: what somebody at a terminal wants to do about it.
fn offer(paths: &Paths, line: bool) -> color_eyre::Result<ExitCode> {
    use std::io::{BufRead, IsTerminal};
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Ok(ExitCode::FAILURE);
    }
    say("\nSet it up now (s), see the demo (d), or leave (enter)? ")?;
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "s" | "setup" => set_up(paths, &setup::Wish::default(), line),
        "d" | "demo" => {
            let _log = log_to(&paths.log, "info");
            let (socket, log) = (Some(control::demo_socket(&paths.state)), Some(paths.log.clone()));
            demo::run(demo::Wish { line, socket, log, ..demo::Wish::default() })?;
            Ok(ExitCode::SUCCESS)
        }
        _ => Ok(ExitCode::FAILURE),
    }
}

/// Sets it up, and opens the board if that is wanted.
fn set_up(paths: &Paths, wish: &setup::Wish, line: bool) -> color_eyre::Result<ExitCode> {
    match setup::run(paths, wish)? {
        setup::Ended::Written { start: true } => board(paths, line, None),
        setup::Ended::Written { start: false } => Ok(ExitCode::SUCCESS),
        setup::Ended::LeftAlone => Ok(ExitCode::FAILURE),
    }
}

/// Examines the server of the user's configuration.
fn examine(paths: &Paths, wish: doctor::Wish) -> color_eyre::Result<ExitCode> {
    let config = load::console(&paths.config)?;
    let base = paths.config.parent().unwrap_or(Path::new("."));
    let passwords = passwords(&config, base)?;
    let ami_secrets = ami_secrets(&config, base)?;
    let log = config.log.file.clone().unwrap_or_else(|| paths.log.clone());
    let _log = log_to(&log, config.log.level.word());
    let dialects = dialects::of(&config, Some(&load::dialect_folder(&paths.config)))?;
    let file = paths.config.clone();
    let healthy = doctor::run(doctor::Start { config, dialects, passwords, ami_secrets, file, wish })?;
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The password of each account. One that asks for a passphrase does so before the screen is taken.
fn passwords(config: &Config, base: &Path) -> color_eyre::Result<Vec<secrecy::SecretString>> {
    let several = config.accounts.len() > 1;
    let of = |account: &crate::config::Account| {
        let found = secret::password(&account.password, base, |name| std::env::var_os(name));
        found.map_err(|error| match several {
            true => color_eyre::eyre::eyre!("account “{}”: {error}", account.name),
            false => error.into(),
        })
    };
    config.accounts.iter().map(of).collect()
}

/// The secret of each account's manager interface, where it has one.
fn ami_secrets(config: &Config, base: &Path) -> color_eyre::Result<Vec<Option<secrecy::SecretString>>> {
    let of = |account: &crate::config::Account| {
        let Some(ami) = &account.ami else { return Ok(None) };
        let found = secret::secret(&ami.secret, base, |name| std::env::var_os(name));
        found.map(Some).map_err(|error| color_eyre::eyre::eyre!("account “{}”, AMI: {error}", account.name))
    };
    config.accounts.iter().map(of).collect()
}

/// The password of the directory's LDAP server, where it needs one.
fn ldap_password(config: &Config, base: &Path) -> color_eyre::Result<Option<secrecy::SecretString>> {
    let source = config.directory.ldap.as_ref().and_then(|ldap| ldap.password.as_ref());
    let found = source.map(|source| secret::password(source, base, |name| std::env::var_os(name)));
    found.transpose().map_err(|error| eyre!("[directory] ldap: {error}"))
}

/// Lines that may wait to be written; beyond it a line is lost, never a call delayed.
const LOG_LINES_WAITING: usize = 1_024;

/// Logs to a file, never to the screen; `RUST_LOG` overrules `level`. The guard flushes when dropped.
fn log_to(file: &Path, level: &str) -> Option<tracing_appender::non_blocking::WorkerGuard> {
    let (dir, name) = (file.parent()?, file.file_name()?);
    std::fs::create_dir_all(dir).ok()?;
    // Its default keeps room for 128,000 lines: 4 MB, a third of an idle console.
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LOG_LINES_WAITING)
        .finish(tracing_appender::rolling::never(dir, name));
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt().with_writer(writer).with_env_filter(filter).with_ansi(false).init();
    Some(guard)
}

fn log_to_stderr(format: lot::LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    match format {
        lot::LogFormat::Text => lines.init(),
        lot::LogFormat::Json => lines.with_ansi(false).event_format(log::JsonLines).init(),
    }
}
