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
    // What stands behind the last colon is a port, unless an address in brackets ends there.
    let host = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
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

    use crate::io::tls::{TlsClient, TlsClientFiles};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    /// An element of BER.
    fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        let mut all = vec![tag, 0x82];
        all.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        all.extend(body);
        all
    }

    fn octets(text: &str) -> Vec<u8> {
        element(0x04, &[text.as_bytes()])
    }

    fn message(id: u8, operation: Vec<u8>, controls: &[u8]) -> Vec<u8> {
        element(0x30, &[&[0x02, 1, id], &operation, controls])
    }

    fn result(tag: u8, code: u8) -> Vec<u8> {
        element(tag, &[&[0x0a, 1, code], &octets(""), &octets("no")])
    }

    fn entry(id: u8, name: &str, number: &str) -> Vec<u8> {
        let attribute =
            |kind: &str, value: &str| element(0x30, &[&octets(kind), &element(0x31, &[&octets(value)])]);
        let attributes = element(0x30, &[&attribute("cn", name), &attribute("telephoneNumber", number)]);
        message(id, element(0x64, &[&octets("cn=x"), &attributes]), &[])
    }

    /// The end of a page; a cookie says that there is another.
    fn done(id: u8, cookie: &str) -> Vec<u8> {
        let value = element(0x30, &[&[0x02, 1, 0], &octets(cookie)]);
        let control = element(0x30, &[&octets("1.2.840.113556.1.4.319"), &element(0x04, &[&value])]);
        message(id, result(0x65, 0), &element(0xa0, &[&control]))
    }

    /// The next request: its number and its operation's tag. None of the tests' is longer than 16 kB.
    async fn request(stream: &mut TcpStream) -> Option<(u8, u8)> {
        let mut head = [0; 2];
        stream.read_exact(&mut head).await.ok()?;
        let length = match head[1] {
            short if short < 0x80 => usize::from(short),
            long => {
                let mut bytes = vec![0; usize::from(long & 0x7f)];
                stream.read_exact(&mut bytes).await.ok()?;
                bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
            }
        };
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        // INTEGER, its length, and then the operation.
        let number = usize::from(body[1]);
        Some((body[1 + number], body[2 + number]))
    }

    /// A server with two people on two pages, which lets in whoever it likes.
    async fn serve(listener: TcpListener, bind_code: u8) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut pages = 0;
        while let Some((id, operation)) = request(&mut stream).await {
            let answer = match (operation, pages) {
                (0x60, _) => message(id, result(0x61, bind_code), &[]),
                (0x63, 0) => [entry(id, "Jane Doe", "0161 496 0100"), done(id, "more")].concat(),
                (0x63, _) => [entry(id, "Sam Hill", "101"), done(id, "")].concat(),
                _ => return,
            };
            pages += usize::from(operation == 0x63);
            stream.write_all(&answer).await.unwrap();
        }
    }

    async fn asked(bind_code: u8, most: usize) -> Result<Vec<Entry>, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ldap://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(serve(listener, bind_code));
        let tls =
            TlsClient::new(TlsClientFiles { verify: false, ..TlsClientFiles::default() }).config().unwrap();
        let query = LdapQuery {
            url: &url,
            bind: Some(("cn=reader", "secret")),
            base: "ou=people",
            filter: "(telephoneNumber=*)",
            attributes: &["cn", "telephoneNumber"],
            most,
            allow_plain: false,
        };
        let entries = fetch(&query, tls).await;
        server.abort();
        entries
    }

    #[tokio::test(flavor = "current_thread")]
    async fn everybody_is_fetched_page_by_page_and_no_more_than_there_is_room_for() {
        let names = |entries: Vec<Entry>| -> Vec<String> {
            let name =
                |entry: &Entry| entry.iter().find(|(kind, _)| kind == "cn").map(|(_, name)| name.clone());
            entries.iter().filter_map(name).collect()
        };
        assert_eq!(names(asked(0, 10).await.unwrap()), ["Jane Doe", "Sam Hill"]);
        assert_eq!(names(asked(0, 1).await.unwrap()), ["Jane Doe"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_refusal_is_told_without_the_password() {
        let error = asked(49, 10).await.unwrap_err();
        assert_eq!(error, "the server refuses the user or its password");
    }

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
