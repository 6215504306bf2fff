//! What the binary takes on its command line, and what that asks of its rooms.

use crate::app::{history, setup};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// A receptionist's console with a built-in softphone, and the lot, a small call-park server.
#[derive(Parser)]
#[command(version, about, after_help = EXAMPLES)]
pub(super) struct Cli {
    /// The configuration file: the console's (else PARKDECK_CONFIG names it), or the lot's with `lot`.
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
    /// Line mode, for screen readers, braille and pipes: type commands, read a sentence for each event.
    #[arg(long)]
    pub(super) line: bool,
    /// Record every screen of the session there, for `parkdeck replay` (asciicast 2; names and numbers are in it).
    #[arg(long, value_name = "FILE")]
    pub(super) record: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
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
pub(super) enum Command {
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
pub(super) enum LotTask {
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
pub(super) struct Answers {
    /// The server: host or host:port.
    #[arg(long, value_name = "HOST")]
    pub(super) server: Option<String>,
    /// The account's user.
    #[arg(long)]
    pub(super) user: Option<String>,
    /// A file with the password (chmod 600).
    #[arg(long, value_name = "FILE", conflicts_with = "password_env")]
    pub(super) password_file: Option<PathBuf>,
    /// A variable with the password.
    #[arg(long, value_name = "NAME")]
    pub(super) password_env: Option<String>,
    /// How the server is reached, where its records don't say so.
    #[arg(long, value_parser = ["udp", "tcp", "tls"])]
    pub(super) transport: Option<String>,
    /// The authority that signed the server's certificate (PEM).
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// How the server parks: asterisk, freeswitch …
    #[arg(long, value_name = "NAME")]
    pub(super) dialect: Option<String>,
    /// The extension that parks.
    #[arg(long, value_name = "EXT")]
    pub(super) park_extension: Option<String>,
    /// The slots, as 701-709.
    #[arg(long)]
    pub(super) slots: Option<String>,
    /// The number that the test call dials: one that rings this account.
    #[arg(long, value_name = "EXT", conflicts_with = "no_call")]
    pub(super) call: Option<String>,
    /// No test call.
    #[arg(long)]
    pub(super) no_call: bool,
    /// No headset test.
    #[arg(long)]
    pub(super) no_sound: bool,
    /// Replace a configuration that is there; the old one is kept.
    #[arg(long)]
    pub(super) overwrite: bool,
    /// Ask nothing: what isn't given and can't be found is an error.
    #[arg(long)]
    pub(super) yes: bool,
}

impl Answers {
    pub(super) fn wish(self) -> setup::Wish {
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
pub(super) enum OnOff {
    On,
    Off,
}

/// Which part of the journal, and in which form.
#[derive(clap::Args)]
pub(super) struct Which {
    /// From when: today, yesterday, 08:00, 2026-11-28, "2026-11-28 08:00" [default: today].
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Until when.
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// Print JSON instead.
    #[arg(long, conflicts_with = "csv")]
    pub(super) json: bool,
    /// Print a table for a spreadsheet instead.
    #[arg(long)]
    pub(super) csv: bool,
}

impl Which {
    pub(super) fn wish(self, search: Option<String>, missed: bool) -> history::Wish {
        let form = match (self.json, self.csv) {
            (true, _) => history::Form::Json,
            (_, true) => history::Form::Csv,
            _ => history::Form::Text,
        };
        history::Wish { since: self.since, until: self.until, search, missed, form }
    }
}
