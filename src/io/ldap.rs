//! Everybody whom an LDAP server (RFC 4511) has, in pages, within bounds.

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry};
use rustls::ClientConfig;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

/// How long the whole of it may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// Entries in a page; servers refuse much larger ones.
const PAGE: i32 = 500;
/// The longest value that is kept, in bytes.
const MAX_VALUE: usize = 1_024;
/// The most values of one entry.
const MAX_VALUES: usize = 64;

/// One entry's attributes that are text; several values are several pairs.
pub type Entry = Vec<(String, String)>;

/// What to ask for.
pub struct LdapQuery<'q> {
    /// `ldaps://host:port` or `ldap://host:port`.
    pub url: &'q str,
    /// Who to be, and the password; `None`: nobody.
    pub bind: Option<(&'q str, &'q str)>,
    /// The entry under which is searched.
    pub base: &'q str,
    /// RFC 4515.
    pub filter: &'q str,
    /// Which attributes.
    pub attributes: &'q [&'q str],
    /// The most entries that are taken.
    pub most: usize,
    /// Whether an unencrypted connection to another computer will do.
    pub allow_plain: bool,
}

/// Asks a server. An `ldap://` connection to another computer is encrypted by StartTLS before anything is said.
///
/// # Errors
/// In words: no connection, no such user, an answer that took longer than a minute.
pub async fn fetch(query: &LdapQuery<'_>, tls: Arc<ClientConfig>) -> Result<Vec<Entry>, String> {
    let asked = tokio::time::timeout(PATIENCE, ask(query, tls));
    match asked.await {
        Ok(Ok(entries)) => Ok(entries),
        Ok(Err(error)) => Err(words(&error)),
        Err(_) => Err(format!("the server did not answer within {} s", PATIENCE.as_secs())),
    }
}

async fn ask(query: &LdapQuery<'_>, tls: Arc<ClientConfig>) -> Result<Vec<Entry>, LdapError> {
    let plain = query.url.starts_with("ldap://") && (query.allow_plain || is_here(query.url));
    let settings = LdapConnSettings::new()
        .set_conn_timeout(CONNECT)
        .set_config(tls)
        .set_starttls(query.url.starts_with("ldap://") && !plain);
    let (connection, mut ldap) = LdapConnAsync::with_settings(settings, query.url).await?;
    let driven = tokio::spawn(async move {
        if let Err(error) = connection.drive().await {
            tracing::info!(%error, "the connection to the LDAP server has ended");
        }
    });
    let entries = search(&mut ldap, query).await;
    let _ = ldap.unbind().await;
    driven.abort();
    entries
}

async fn search(ldap: &mut ldap3::Ldap, query: &LdapQuery<'_>) -> Result<Vec<Entry>, LdapError> {
    if let Some((user, password)) = query.bind {
        ldap.simple_bind(user, password).await?.success()?;
    }
    let adapters: Vec<Box<dyn Adapter<'_, &str, &[&str]>>> =
        vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(PAGE))];
    let mut stream = ldap
        .streaming_search_with(adapters, query.base, Scope::Subtree, query.filter, query.attributes)
        .await?;
    let mut entries = Vec::new();
    while let Some(entry) = stream.next().await? {
        let attributes = SearchEntry::construct(entry).attrs.into_iter();
        let pairs = attributes.flat_map(|(name, values)| {
            values
                .into_iter()
                .filter(|value| value.len() <= MAX_VALUE)
                .map(move |value| (name.clone(), value))
        });
        entries.push(pairs.take(MAX_VALUES).collect());
        if entries.len() >= query.most {
            return Ok(entries);
        }
    }
    stream.finish().await.success()?;
    Ok(entries)
}

/// Whether the server is this computer.
fn is_here(url: &str) -> bool {
    let host = url.trim_start_matches("ldap://").split('/').next().unwrap_or_default();
    let host =
        host.rsplit_once(':').map_or(host, |(host, port)| if port.contains(']') { host } else { host });
    match host.trim_matches(['[', ']']) {
        "localhost" => true,
        host => match host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => (host, 389)
                .to_socket_addrs()
                .is_ok_and(|mut all| all.next().is_some_and(|first| first.ip().is_loopback())),
        },
    }
}

/// An error without the password, which none of them has, and without the library's words where ours are clearer.
fn words(error: &LdapError) -> String {
    match error {
        LdapError::LdapResult { result } if result.rc == 49 => {
            "the server refuses the user or its password".to_owned()
        }
        LdapError::LdapResult { result } if result.rc == 32 => "the server has no such base entry".to_owned(),
        LdapError::LdapResult { result } => format!("the server says {} ({})", result.text, result.rc),
        LdapError::Timeout { .. } => "the server does not answer".to_owned(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_on_this_computer_is_spoken_to_in_clear() {
        for (url, here) in [
            ("ldap://127.0.0.1:3389", true),
            ("ldap://[::1]:389/", true),
            ("ldap://localhost", true),
            ("ldap://192.0.2.1", false),
            ("ldap://192.0.2.1:389", false),
        ] {
            assert_eq!(is_here(url), here, "{url}");
        }
    }
}
