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
use clap::{CommandFactory, Parser, Subcommand};
use color_eyre::eyre::eyre;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tracing_appender::non_blocking::NonBlockingBuilder;

/// A receptionist's console with a built-in softphone, and the lot, a small call-park server.
#[derive(Parser)]
#[command(version, about, after_help = EXAMPLES)]
struct Cli {
    /// The configuration file: the console's (else PARKDECK_CONFIG names it), or the lot's with `lot`.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Line mode, for screen readers, braille and pipes: type commands, read a sentence for each event.
    #[arg(long)]
    line: bool,
    /// Record every screen of the session there, for `parkdeck replay` (asciicast 2; names and numbers are in it).
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "Examples:
  parkdeck demo                       try it: a lot and a few callers, no server needed
  parkdeck setup                      asks for your account, finds the slots, tests a call, writes the configuration
  parkdeck                            the board, with your configuration
  parkdeck example > config.toml      an annotated configuration to start from
  parkdeck check                      is the configuration right?
  parkdeck doctor                     is the server's, too? Registers, and makes a test call if you agree
  parkdeck lot --config lot.toml      a park server for a small office
  parkdeck wallboard                  who waits where, large, for a screen on the wall
  parkdeck status                     what is on the board of the running console
  parkdeck call 101                   have it call somebody; also answer, park, retrieve, transfer …
  parkdeck report --since yesterday   what the shift was like";

const DOCTOR_EXAMPLES: &str = "Examples:
  parkdeck doctor --quick                registration, reachability and lamps; calls nobody
  parkdeck doctor --call 100             100 rings this account: it calls itself, parks and fetches the call
  parkdeck doctor --call 101             101 is another phone; somebody answers it
  parkdeck doctor --call 100 --comeback --write --yes
                                         everything, unasked, and what was found goes into the configuration

It ends with 0 when nothing failed, else with 1. Ctrl-C takes back whatever is under way.";

const SETUP_EXAMPLES: &str = "Examples:
  parkdeck setup                         asks for everything
  parkdeck setup --server pbx.example.com --user reception
                                         asks for the password and what it can't find
  parkdeck setup --server pbx.example.com --user reception --password-env PW --yes --no-sound --call 100
                                         asks nothing; ends with 0 when the configuration is written";

#[derive(Subcommand)]
enum Command {
    /// The board with a lot on loopback and simulated callers; needs nothing.
    Demo {
        /// The same seed brings the same callers.
        #[arg(long)]
        seed: Option<u64>,
        /// Use no sound device.
        #[arg(long)]
        silent: bool,
        /// Line mode: type commands, read a sentence for each event.
        #[arg(long)]
        line: bool,
        /// Record every screen of the session there.
        #[arg(long, value_name = "FILE", id = "demo_record")]
        record: Option<PathBuf>,
    },
    /// Set it up: ask for the account, register, find the slots, test headset and call, write the configuration.
    #[command(after_help = SETUP_EXAMPLES)]
    Setup {
        #[command(flatten)]
        answers: Answers,
    },
    /// The park server alone.
    Lot {
        #[command(subcommand)]
        task: Option<LotTask>,
    },
    /// Read every configuration file strictly and say what is wrong.
    Check {
        /// The lot's file, if it isn't in its usual place.
        #[arg(long, value_name = "FILE")]
        lot: Option<PathBuf>,
    },
    /// Examine the server as a receptionist would use it: registration, lamps, a test call that is parked and fetched
    /// again; and say what is misconfigured there, and how to mend it.
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor {
        /// Which account, where the configuration has several.
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
        /// The number that the test call dials: the account's own (it rings here and is answered), or another phone that
        /// somebody answers. Else the account's user.
        #[arg(long, value_name = "EXT")]
        call: Option<String>,
        /// The number that the account's own calls show, where it isn't the one dialled.
        #[arg(long, value_name = "NUMBER")]
        caller_id: Option<String>,
        /// Nothing that makes a call.
        #[arg(long, conflicts_with_all = ["call", "comeback"])]
        quick: bool,
        /// Ask nothing.
        #[arg(long)]
        yes: bool,
        /// Also wait until a parked call comes back (as long as the server parks).
        #[arg(long)]
        comeback: bool,
        /// Put what was found into the configuration; the old file is kept.
        #[arg(long)]
        write: bool,
        /// Print JSON instead, at the end.
        #[arg(long)]
        json: bool,
    },
    /// Print an annotated configuration.
    Example {
        /// The lot's instead of the console's.
        #[arg(long)]
        lot: bool,
        /// The desktop entry for tel: and sip: links instead.
        #[arg(long, conflicts_with_all = ["lot", "dialect"])]
        desktop: bool,
        /// A dialect's file instead, to be copied and changed: asterisk, freeswitch, …
        #[arg(long, value_name = "NAME", conflicts_with = "lot")]
        dialect: Option<String>,
    },
    /// Print a SIP trace so that it can be handed to a stranger: no passwords, no keys.
    Trace {
        /// Also no numbers, names and addresses: the same one gets the same pseudonym throughout.
        #[arg(long)]
        anonymous: bool,
        /// Also nothing of what people wrote to each other.
        #[arg(long)]
        without_texts: bool,
        /// The lot's own instead of the console's.
        #[arg(long, conflicts_with = "file")]
        lot: bool,
        /// The trace, if it is neither's own (`[log] trace = "on"` writes one).
        file: Option<PathBuf>,
    },
    /// Show a recorded session's screens again: space pauses, the arrows step, q leaves.
    Replay {
        /// The recording (asciicast 2), as --record and [screen] record make it.
        file: PathBuf,
        /// Hide names, numbers and notes.
        #[arg(long)]
        mask: bool,
        /// Print the last screen as text instead.
        #[arg(long)]
        text: bool,
    },
    /// Print the calls that the console has written down.
    Journal {
        #[command(flatten)]
        which: Which,
        /// Only calls with these words in names, numbers or notes.
        #[arg(long, value_name = "WORDS")]
        search: Option<String>,
        /// Only calls that nobody answered.
        #[arg(long)]
        missed: bool,
    },
    /// Print what a shift was like: calls, waits, parked callers.
    Report {
        #[command(flatten)]
        which: Which,
    },
    /// What is on the board of the running console.
    Status {
        /// Print JSON instead.
        #[arg(long)]
        json: bool,
        /// Go on with a line of JSON for every change.
        #[arg(long)]
        watch: bool,
    },
    /// Show the running console's slots and waits large, for a whole room. It can do nothing; callers are masked
    /// (`[wallboard] callers`).
    Wallboard {
        /// Those of a running demo.
        #[arg(long)]
        demo: bool,
    },
    /// Have the running console call somebody.
    Call {
        /// Number or address.
        to: String,
    },
    /// Show the number of a tel: or sip: link on the running console's board; its operator dials it.
    Open {
        /// The link, or a number.
        link: String,
    },
    /// Have the running console answer a call.
    Answer {
        /// Its number, where several ring.
        call: Option<u64>,
    },
    /// Have the running console hang up, or turn a call away.
    HangUp {
        /// Its number.
        call: u64,
    },
    /// Have the running console put a call on hold.
    Hold {
        /// Its number, where there are several.
        call: Option<u64>,
    },
    /// Have the running console take a call off hold.
    Resume {
        /// Its number, where there are several.
        call: Option<u64>,
    },
    /// Have the running console park a call.
    Park {
        /// Its number, where there are several.
        call: Option<u64>,
        /// The slot; else the server chooses.
        #[arg(long)]
        slot: Option<String>,
        /// The lot, where the server has several; else the one chosen on the board.
        #[arg(long, value_name = "NAME", conflicts_with = "slot")]
        lot: Option<String>,
    },
    /// Have the running console retrieve whoever is in a slot.
    Retrieve {
        /// Its extension.
        slot: String,
        /// The account, where several have such a slot.
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
    },
    /// Have the running console hand a call over.
    Transfer {
        /// The number of the call.
        call: u64,
        /// To whom: number or address.
        to: String,
    },
    /// Take no new calls at the running console, or take them again.
    Dnd {
        /// on or off.
        state: OnOff,
    },
    /// Send new callers of the running console where they go at night, or not.
    Night {
        /// on or off.
        state: OnOff,
    },
    /// Print completions for a shell.
    Completions {
        /// Which.
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand)]
enum LotTask {
    /// Read an Asterisk's res_parking.conf and features.conf, print them as the lot's configuration, and say what could
    /// not be carried over.
    #[command(after_help = IMPORT_EXAMPLE)]
    Import {
        /// The files; what they include is sought beside the first.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Have the running lot read its configuration again; a bad one is refused, and the old one runs on.
    Reload,
}

const IMPORT_EXAMPLE: &str = "Example:
  parkdeck lot import res_parking.conf features.conf > lot.toml";

/// Answers to what `setup` asks.
#[derive(clap::Args)]
struct Answers {
    /// The server: host or host:port.
    #[arg(long, value_name = "HOST")]
    server: Option<String>,
    /// The account's user.
    #[arg(long)]
    user: Option<String>,
    /// A file with the password (chmod 600).
    #[arg(long, value_name = "FILE", conflicts_with = "password_env")]
    password_file: Option<PathBuf>,
    /// A variable with the password.
    #[arg(long, value_name = "NAME")]
    password_env: Option<String>,
    /// How the server is reached, where its records don't say so.
    #[arg(long, value_parser = ["udp", "tcp", "tls"])]
    transport: Option<String>,
    /// The authority that signed the server's certificate (PEM).
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How the server parks: asterisk, freeswitch …
    #[arg(long, value_name = "NAME")]
    dialect: Option<String>,
    /// The extension that parks.
    #[arg(long, value_name = "EXT")]
    park_extension: Option<String>,
    /// The slots, as 701-709.
    #[arg(long)]
    slots: Option<String>,
    /// The number that the test call dials: one that rings this account.
    #[arg(long, value_name = "EXT", conflicts_with = "no_call")]
    call: Option<String>,
    /// No test call.
    #[arg(long)]
    no_call: bool,
    /// No headset test.
    #[arg(long)]
    no_sound: bool,
    /// Replace a configuration that is there; the old one is kept.
    #[arg(long)]
    overwrite: bool,
    /// Ask nothing: what isn't given and can't be found is an error.
    #[arg(long)]
    yes: bool,
}

impl Answers {
    fn wish(self) -> setup::Wish {
        use crate::config::TransportChoice;
        let transport = self.transport.as_deref().map(|word| match word {
            "tcp" => TransportChoice::Tcp,
            "tls" => TransportChoice::Tls,
            _ => TransportChoice::Udp,
        });
        setup::Wish {
            server: self.server,
            user: self.user,
            password_file: self.password_file,
            password_env: self.password_env,
            transport,
            ca_file: self.ca_file.map(|file| std::path::absolute(&file).unwrap_or(file)),
            dialect: self.dialect,
            park_extension: self.park_extension,
            slots: self.slots,
            call: self.call,
            no_call: self.no_call,
            no_sound: self.no_sound,
            overwrite: self.overwrite,
            yes: self.yes,
        }
    }
}

/// On or off.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OnOff {
    On,
    Off,
}

/// Which part of the journal, and in which form.
#[derive(clap::Args)]
struct Which {
    /// From when: today, yesterday, 08:00, 2026-11-28, "2026-11-28 08:00" [default: today].
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until when.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Print JSON instead.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print a table for a spreadsheet instead.
    #[arg(long)]
    csv: bool,
}

impl Which {
    fn wish(self, search: Option<String>, missed: bool) -> history::Wish {
        let form = match (self.json, self.csv) {
            (true, _) => history::Form::Json,
            (_, true) => history::Form::Csv,
            _ => history::Form::Text,
        };
        history::Wish { since: self.since, until: self.until, search, missed, form }
    }
}

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
