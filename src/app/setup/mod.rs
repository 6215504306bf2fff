//! `parkdeck setup`: from a server's name to a working call and a configuration. Each answer is tried at once, with the
//! very phone of the console; a wrong one gets a plain sentence and the question again.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `ask` | questions and answers, a password that doesn't show |
//! | `probe` | whether anybody answers at an address at all |
//! | `account` | server, user and password, until the server lets us in |
//! | `lot` | how the server parks, and which are its slots |
//! | `headset` | a tone in the ear, a meter for the microphone |
//! | `found` | what is known so far, and the configuration that follows |
//! | `write` | both files, for their owner alone |

mod account;
mod ask;
mod found;
mod headset;
mod lot;
mod probe;
mod write;

use super::{dialects, doctor};
use crate::config::TransportChoice;
use crate::config::paths::Paths;
use ask::Asker;
use color_eyre::eyre::eyre;
use found::Found;
use secrecy::SecretString;
use std::path::PathBuf;
use write::PasswordPlace;

/// What was given with the command; the rest is asked for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Host or host:port.
    pub server: Option<String>,
    /// The account's user.
    pub user: Option<String>,
    /// A file with the password, which the configuration will name.
    pub password_file: Option<PathBuf>,
    /// A variable with the password, which the configuration will name.
    pub password_env: Option<String>,
    /// How the server is reached.
    pub transport: Option<TransportChoice>,
    /// The authority that signed the server's certificate.
    pub ca_file: Option<PathBuf>,
    /// How the server parks.
    pub dialect: Option<String>,
    /// The extension that parks.
    pub park_extension: Option<String>,
    /// The slots, as the configuration has them.
    pub slots: Option<String>,
    /// The number that the test call dials.
    pub call: Option<String>,
    /// No test call.
    pub no_call: bool,
    /// No headset test.
    pub no_sound: bool,
    /// An older configuration may be replaced.
    pub overwrite: bool,
    /// Ask nothing.
    pub yes: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The configuration is written; `start`: and the board is wanted.
    Written {
        /// Whether it is.
        start: bool,
    },
    /// Nothing was written.
    LeftAlone,
}

/// Asks, tries and writes. Blocks.
///
/// # Errors
/// What nobody could be asked about, and files that can't be written. Nothing is half written.
pub fn run(paths: &Paths, wish: &Wish) -> color_eyre::Result<Ended> {
    let asker = Asker::new(wish.yes)?;
    if paths.config.exists() && !may_replace(&asker, paths, wish)? {
        asker.say("Nothing was changed.")?;
        return Ok(Ended::LeftAlone);
    }
    asker.say(
        "This asks for your phone account, finds out how the server parks, tests headset and call, and writes the\n\
         configuration. Nothing is written before the end; Ctrl-C leaves at any time.\n",
    )?;
    let mut found = Found { ca_file: wish.ca_file.clone(), ..Found::default() };
    let (place, password) = account::find(&asker, wish, &mut found)?;
    lot::find(&asker, wish, &mut found, &password)?;
    if !wish.no_sound && (wish.yes || asker.yes("\nTest the headset now?", true)?) {
        headset::test(&asker, &config(&found)?)?;
    }
    let worked = if wish.no_call { None } else { call(&asker, wish, &found, &password)? };
    finish(&asker, paths, &found, (&place, &password), worked)
}

/// Whether the configuration that is there may be replaced.
fn may_replace(asker: &Asker, paths: &Paths, wish: &Wish) -> color_eyre::Result<bool> {
    if wish.overwrite {
        return Ok(true);
    }
    let file = paths.config.display();
    if asker.is_unasked() {
        return Err(eyre!(
            "there is a configuration already ({file}); --overwrite replaces it and keeps the old one"
        ));
    }
    let question = format!(
        "There is a configuration already: {file}\nSetup would replace it, and keep the old one beside it. Go on?"
    );
    asker.yes(&question, false)
}

fn config(found: &Found) -> color_eyre::Result<crate::config::Config> {
    found.config().map_err(|why| eyre!("{why}"))
}

/// A whole call: it rings, both sides are heard, it is parked and fetched. `None`: none was made.
fn call(
    asker: &Asker,
    wish: &Wish,
    found: &Found,
    password: &SecretString,
) -> color_eyre::Result<Option<bool>> {
    if wish.call.is_none() && !asker.is_unasked() {
        let question = "\nMake a test call? For about 20 s the account calls itself with tones; the call is put on hold, parked \
                        and fetched again. Whoever calls meanwhile hears busy.";
        if !asker.yes(question, true)? {
            return Ok(None);
        }
    }
    let usual = wish.call.clone().unwrap_or_else(|| found.user.clone());
    let mut number = match &wish.call {
        Some(number) => number.clone(),
        None => asker.line("Which number rings this account?", &usual, "--call")?,
    };
    loop {
        let config = config(found)?;
        let dialects = dialects::of(&config, None)?;
        let doctors = doctor::Wish { call: Some(number.clone()), consented: true, ..doctor::Wish::default() };
        let examined = doctor::examine_account(&config, &dialects, password.clone(), &doctors, true)?;
        if !examined.failed {
            asker.say("\nThe call works.")?;
            return Ok(Some(true));
        }
        asker.say("\nSomething of it failed: what to do stands behind the arrows (→) above.")?;
        if asker.is_unasked() || !asker.yes("Try the call again?", false)? {
            return Ok(Some(false));
        }
        number = asker.line("Which number rings this account?", &number, "--call")?;
    }
}

/// Writes, and says what comes next.
fn finish(
    asker: &Asker,
    paths: &Paths,
    found: &Found,
    (place, password): (&PasswordPlace, &SecretString),
    worked: Option<bool>,
) -> color_eyre::Result<Ended> {
    if worked == Some(false) && !asker.yes("\nWrite the configuration all the same?", true)? {
        asker.say("Nothing was written.")?;
        return Ok(Ended::LeftAlone);
    }
    let kept = write::write(&paths.config, found, place, password)?;
    asker.say(&format!("\nWritten: {}", paths.config.display()))?;
    for older in kept {
        asker.say(&format!("What was there before is in {}", older.display()))?;
    }
    asker.say(
        "Later: `parkdeck example` shows all that can be set, `parkdeck doctor` examines the server again.",
    )?;
    let start = !asker.is_unasked() && asker.yes("Open the board now?", true)?;
    Ok(Ended::Written { start })
}
