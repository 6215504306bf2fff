//! Server, user and password, until the server lets us in; the way there is found as the console finds it.

use super::ask::Asker;
use super::found::{Found, dialect_of};
use super::probe::{Answers, probe};
use super::write::PasswordPlace;
use super::{Wish, dialects, doctor};
use crate::app::doctor::{Examined, Finding, Verdict};
use crate::app::server::look_up;
use crate::config::{Config, PasswordSource, TransportChoice, secret};
use crate::parking::Text;
use crate::sip::{Peer, Transport};
use color_eyre::eyre::eyre;
use secrecy::SecretString;
use std::path::Path;

/// What has to be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    Server,
    Credentials,
    Certificate,
}

/// Asks until the account is registered.
///
/// # Errors
/// When nobody can be asked, with what is wrong.
pub(super) fn find(
    asker: &Asker,
    wish: &Wish,
    found: &mut Found,
) -> color_eyre::Result<(PasswordPlace, SecretString)> {
    found.transport = wish.transport;
    server(asker, wish.server.as_deref(), found)?;
    let (mut place, mut password) = credentials(asker, wish, found, true)?;
    loop {
        asker.say("Registering …")?;
        let examined = register(found, &password)?;
        let Some((again, sentence)) = wrong(&examined) else {
            welcome(asker, wish, found, &examined)?;
            return Ok((place, password));
        };
        if asker.is_unasked() {
            return Err(eyre!("{sentence}"));
        }
        asker.say(&format!("{sentence}\n"))?;
        match again {
            Again::Server => server(asker, None, found)?,
            Again::Credentials => (place, password) = credentials(asker, &Wish::default(), found, false)?,
            Again::Certificate => certificate(asker, found)?,
        }
    }
}

/// Asks for the server until somebody answers there.
fn server(asker: &Asker, given: Option<&str>, found: &mut Found) -> color_eyre::Result<()> {
    let mut given = given.map(str::to_owned);
    loop {
        let usual = found.server.clone();
        let answer = match given.take() {
            Some(given) => given,
            None => asker.line("Server (host or host:port)", &usual, "--server")?,
        };
        match reach(asker, &answer, found)? {
            None => return Ok(()),
            Some(why) if asker.is_unasked() => return Err(eyre!("{why}")),
            Some(why) => asker.say(&format!("{why}\n"))?,
        }
    }
}

/// Looks for the server; why it can't be that one, if it can't.
fn reach(asker: &Asker, answer: &str, found: &mut Found) -> color_eyre::Result<Option<String>> {
    // `reception@pbx.example.com` is how people write an account.
    let (user, host) =
        answer.trim().trim_start_matches("sip:").rsplit_once('@').unwrap_or(("", answer.trim()));
    let tried = Found { server: host.to_owned(), user: "anybody".to_owned(), ..found.clone() };
    let config = match tried.config() {
        Ok(config) => config,
        Err(why) => return Ok(Some(format!("“{}” can't be a server: {why}.", Text::new(host)))),
    };
    let Some(account) = config.accounts.first() else { return Ok(Some("There is no account.".to_owned())) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let looked_up = runtime.block_on(look_up(account));
    runtime.shutdown_background();
    let servers = match looked_up {
        Ok(servers) => servers,
        Err(why) => return Ok(Some(format!("{}.", capital(&why)))),
    };
    let Some(first) = servers.first().copied() else { return Ok(Some("There is no server.".to_owned())) };
    let of = |peer: &Peer| format!("{} {}", peer.transport.via_word(), peer.address);
    asker.say(&format!("{host} is {}.", servers.iter().map(of).collect::<Vec<_>>().join(", then ")))?;
    // Where there are several, the phone goes from one to the next by itself.
    let answers = if servers.len() == 1 { probe(first) } else { Answers::Asked };
    let transport = match (answers, first.transport) {
        (Answers::Asked, _) => found.transport,
        (Answers::OnlyTcp, _) => {
            asker.say("Nobody answers there by UDP, but TCP is open: that is used.")?;
            Some(TransportChoice::Tcp)
        }
        (Answers::Refused, transport) => {
            return Ok(Some(nobody(first, transport, "the computer there refuses")));
        }
        (Answers::Silence, transport) => return Ok(Some(nobody(first, transport, "nothing comes back"))),
    };
    host.clone_into(&mut found.server);
    found.transport = transport;
    if !user.is_empty() && found.user.is_empty() {
        user.clone_into(&mut found.user);
    }
    Ok(None)
}

fn nobody(server: Peer, transport: Transport, what: &str) -> String {
    let ways = if transport == Transport::Udp { "by UDP nor by TCP" } else { "there" };
    let neither = if transport == Transport::Udp { "neither " } else { "" };
    format!(
        "Nobody answers at {}, {neither}{ways}: {what}. Is the server up, is that its address, is its port another one \
         (host:port), does a firewall stand between?",
        server.address
    )
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

/// Asks for user and password. `first`: what the command gave is taken.
fn credentials(
    asker: &Asker,
    wish: &Wish,
    found: &mut Found,
    first: bool,
) -> color_eyre::Result<(PasswordPlace, SecretString)> {
    loop {
        let usual = found.user.clone();
        let user = match wish.user.clone().filter(|_| first) {
            Some(user) => user,
            None => asker.line("User", &usual, "--user")?,
        };
        let tried = Found { user: user.trim().to_owned(), ..found.clone() };
        match tried.config() {
            Ok(_) => {
                found.user = tried.user;
                break;
            }
            Err(why) if asker.is_unasked() => return Err(eyre!("{why}")),
            Err(why) => asker.say(&format!("“{}” can't be a user: {why}.\n", Text::new(&user)))?,
        }
    }
    if let Some((place, source)) = given_password(wish) {
        let password = secret::password(&source, Path::new("."), |name| std::env::var_os(name))?;
        return Ok((place, password));
    }
    Ok((PasswordPlace::Beside, asker.password("Password")?))
}

fn given_password(wish: &Wish) -> Option<(PasswordPlace, PasswordSource)> {
    if let Some(file) = &wish.password_file {
        // The configuration lies elsewhere: a relative name would mean another file there.
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        return Some((PasswordPlace::File(file.clone()), PasswordSource::File(file)));
    }
    let name = wish.password_env.clone()?;
    Some((PasswordPlace::Environment(name.clone()), PasswordSource::Environment(name)))
}

/// Registers and looks at the usual slots, with what is known so far.
fn register(found: &Found, password: &SecretString) -> color_eyre::Result<Examined> {
    let config: Config = super::config(found)?;
    let dialects = dialects::of(&config, None)?;
    let quick = doctor::Wish { quick: true, ..doctor::Wish::default() };
    doctor::examine_account(&config, &dialects, password.clone(), &quick, false)
}

/// What keeps us out, and which answer it belongs to; `None`: we were let in.
fn wrong(examined: &Examined) -> Option<(Again, String)> {
    if examined.registered {
        return None;
    }
    let bad = |finding: &&Finding| finding.verdict == Verdict::Bad;
    let seen = examined.findings.iter().find(bad).map(|finding| finding.seen.clone());
    let seen = seen.unwrap_or_else(|| "the examination ended early".to_owned());
    Some(match examined.status {
        Some(401 | 403 | 407) => (
            Again::Credentials,
            "The server refuses this user with this password: one of them is wrong.".to_owned(),
        ),
        Some(404) => (Again::Credentials, "The server knows no such user.".to_owned()),
        Some(status @ 400..) => {
            (Again::Credentials, format!("The server refuses to register this account: {seen} ({status})."))
        }
        None if seen.contains("certificate") => {
            (Again::Certificate, format!("The server's certificate isn't accepted: {seen}."))
        }
        // It may have answered a question before, and not the registration.
        _ => (Again::Server, format!("The server does not answer the registration: {seen}.")),
    })
}

/// What is to be done about a certificate that isn't accepted.
fn certificate(asker: &Asker, found: &mut Found) -> color_eyre::Result<()> {
    asker.say(
        "1  trust the authority of a file (PEM), for a certificate of your own\n\
         2  another name for the server: it must be one that the certificate has\n\
         3  connect without proof: whoever stands between could listen",
    )?;
    match asker.line("Which", "1", "--ca-file")?.as_str() {
        "2" => server(asker, None, found),
        "3" => {
            found.verify = false;
            Ok(())
        }
        _ => {
            let file = asker.line("File of the authority", "", "--ca-file")?;
            match std::fs::metadata(&file) {
                Ok(meta) if meta.is_file() => {
                    found.ca_file = Some(std::path::absolute(&file).unwrap_or_else(|_| file.into()));
                }
                Ok(_) => asker.say("That is no file.\n")?,
                Err(error) => asker.say(&format!("That file can't be read: {error}.\n"))?,
            }
            Ok(())
        }
    }
}

/// We were let in: who the server is, and what it told already.
fn welcome(asker: &Asker, wish: &Wish, found: &mut Found, examined: &Examined) -> color_eyre::Result<()> {
    let line = examined.findings.iter().find(|finding| finding.examination == "registration");
    asker.say(&format!("Registered {}.", line.map(|finding| finding.seen.as_str()).unwrap_or_default()))?;
    found.product = examined.product.as_deref().map(|product| Text::new(product).to_string());
    let told = found.product.as_deref().and_then(dialect_of);
    if let Some(dialect) = wish.dialect.as_deref().or(told) {
        dialect.clone_into(&mut found.dialect);
    }
    let server = match (&found.product, told) {
        (Some(product), Some(_)) => format!("The server calls itself {product}."),
        (Some(product), None) => format!("The server calls itself {product}, which nobody here knows."),
        (None, _) => "The server does not say what it is.".to_owned(),
    };
    asker.say(&server)?;
    if !examined.slots.is_empty() {
        found.slots.clone_from(&examined.slots);
        found.slots_told = true;
    }
    Ok(())
}
