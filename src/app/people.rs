//! Keeps the directory: reads its files and asks its LDAP server on a thread of its own, again whenever they change.
//! What can't be read is told; what was known stays until something better is there.

use super::server::tls_files;
use crate::config::{self, paths};
use crate::directory::read::{self, ldap};
use crate::directory::{Country, Directory, Kind, MAX_ENTRIES, MAX_FILE, Person};
use crate::io::ldap::{LdapQuery, fetch};
use crate::io::tls::TlsClient;
use crate::parking::{Identity, Text};
use secrecy::{ExposeSecret, SecretString};
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{mpsc, watch};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How soon an LDAP server that failed is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// Complaints that may wait to be shown.
const COMPLAINTS_MAX: usize = 8;

/// What the directory is made of.
pub struct Sources {
    /// The files and the server.
    pub directory: config::Directory,
    /// The password for the LDAP server.
    pub password: Option<SecretString>,
    /// Whom its certificate is checked by.
    pub tls: config::Tls,
    /// The people of the configuration itself.
    pub people: Vec<Identity>,
    /// Where relative names of files begin.
    pub base: PathBuf,
}

/// The directory as it becomes known, and what is wrong with it.
pub struct People {
    /// The newest.
    pub directory: watch::Receiver<Arc<Directory>>,
    /// For the operator, a line each.
    pub complaints: mpsc::Receiver<String>,
    sources: Sender<Sources>,
}

impl People {
    /// Begins to read. The thread ends when this is gone.
    pub fn start(sources: Sources) -> Self {
        let (tell, directory) = watch::channel(Arc::new(Directory::default()));
        let (complain, complaints) = mpsc::channel(COMPLAINTS_MAX);
        let keeper =
            Keeper { sources, tell, complain, stamps: Vec::new(), from_server: Vec::new(), due: None };
        let (renew, renewed) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("directory".into()).spawn(move || keeper.run(&renewed));
        if let Err(error) = thread {
            tracing::error!(%error, "the directory's thread");
        }
        Self { directory, complaints, sources: renew }
    }

    /// Reads it from elsewhere from now on. What was known stays until that is read.
    pub fn renew(&self, sources: Sources) {
        // Without its thread there is no directory, which was said.
        let _ = self.sources.send(sources);
    }
}

/// A file as it was when it was last read.
pub(super) type Stamp = Option<(SystemTime, u64, u64)>;

struct Keeper {
    sources: Sources,
    tell: watch::Sender<Arc<Directory>>,
    complain: mpsc::Sender<String>,
    stamps: Vec<Stamp>,
    from_server: Vec<Person>,
    /// When the server is asked next; `None`: at once.
    due: Option<Instant>,
}

impl Keeper {
    fn run(mut self, renewed: &Receiver<Sources>) {
        let mut first = true;
        loop {
            let asked = self.ask_server();
            let stamps: Vec<Stamp> = self.files().iter().map(|file| stamp(file)).collect();
            if first || asked || stamps != self.stamps {
                self.stamps = stamps;
                self.read(first);
                first = false;
            }
            if self.tell.is_closed() {
                return;
            }
            // Where there is nothing to look at, it waits for other sources.
            let directory = &self.sources.directory;
            let watched = !directory.files.is_empty() || directory.ldap.is_some();
            let renewed = match watched {
                true => renewed.recv_timeout(LOOK),
                false => renewed.recv().map_err(RecvTimeoutError::from),
            };
            match renewed {
                Ok(sources) => {
                    (self.sources, first) = (sources, true);
                    (self.from_server, self.due) = (Vec::new(), None);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let home = paths::home();
        let place = |file: &PathBuf| paths::resolve(file, &self.sources.base, home.as_deref());
        self.sources.directory.files.iter().map(place).collect()
    }

    /// Makes a new directory, unless a file that was good has become bad: then the old one is better.
    fn read(&self, first: bool) {
        let mut people: Vec<Person> = self.sources.people.iter().map(configured).collect();
        people.extend(self.from_server.iter().cloned());
        for file in self.files() {
            match read_file(&file) {
                Ok(reading) => {
                    if let Some(complaint) = reading.complaints.first() {
                        let more = reading.complaints.len() - 1;
                        let more = if more > 0 { format!(" · and {more} more") } else { String::new() };
                        self.complain(&format!("{}: {complaint}{more}", name(&file)));
                    }
                    people.extend(reading.people);
                }
                Err(reason) if first => self.complain(&format!("{}: {reason}", name(&file))),
                Err(reason) => {
                    self.complain(&format!("the directory stays as it was: {}: {reason}", name(&file)));
                    return;
                }
            }
        }
        let country = self.sources.directory.country.as_deref().and_then(Country::new);
        let directory = Directory::new(people, country);
        if directory.left_out() > 0 {
            self.complain(&format!(
                "the directory has room for {MAX_ENTRIES} people: {} were left out",
                directory.left_out()
            ));
        }
        tracing::info!(people = directory.len(), "the directory was read");
        let _ = self.tell.send(Arc::new(directory));
    }

    fn complain(&self, line: &str) {
        let line = Text::new(line);
        tracing::warn!(%line, "the directory");
        // Full: what waits there says enough.
        let _ = self.complain.try_send(line.to_string());
    }

    /// Asks the LDAP server if it is time to; whether it gave people.
    fn ask_server(&mut self) -> bool {
        let Some(server) = self.sources.directory.ldap.clone() else { return false };
        if self.due.is_some_and(|due| Instant::now() < due) {
            return false;
        }
        let given = ask(&server, &self.sources);
        let wait = match &given {
            Ok(_) => Duration::from_secs(server.refresh_s.into()),
            Err(_) => ASK_AGAIN,
        };
        let was_told = self.due.is_some() && self.from_server.is_empty();
        self.due = Some(Instant::now() + wait);
        match given {
            Ok(people) => {
                self.from_server = people;
                true
            }
            Err(reason) => {
                if !was_told {
                    self.complain(&format!("{}: {reason} · asked again by itself", server.url));
                }
                false
            }
        }
    }
}

fn ask(server: &config::Ldap, sources: &Sources) -> Result<Vec<Person>, String> {
    let tls = TlsClient::new(tls_files(&sources.tls)).config().map_err(|error| error.to_string())?;
    let password = sources.password.as_ref().map(ExposeSecret::expose_secret);
    let query = LdapQuery {
        url: &server.url,
        bind: server.user.as_deref().zip(password),
        base: &server.base,
        filter: &server.filter,
        attributes: &ldap::ATTRIBUTES,
        most: MAX_ENTRIES,
        allow_plain: server.allow_plain,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let entries = runtime.map_err(|error| error.to_string())?.block_on(fetch(&query, tls))?;
    let person = |entry: &Vec<(String, String)>| {
        ldap::person(entry.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    };
    Ok(entries.iter().filter_map(person).collect())
}

fn configured(known: &Identity) -> Person {
    let mut person = Person { name: known.name.clone(), ..Person::default() };
    let number = known.number.as_str();
    let kind = if number.starts_with('+') || number.len() > 6 { Kind::Work } else { Kind::Extension };
    person.add(kind, number);
    person
}

/// The file's name without its folder: a line on the board is short.
fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

pub(super) fn stamp(file: &Path) -> Stamp {
    let told: Metadata = std::fs::metadata(file).ok()?;
    // Another file under the same name may be as long, and come from the same moment.
    Some((told.modified().ok()?, told.len(), told.ino()))
}

/// Reads one directory file.
///
/// # Errors
/// In words.
pub fn read_file(file: &Path) -> Result<read::Reading, String> {
    let told = std::fs::metadata(file).map_err(|error| error.to_string())?;
    // Opening a named pipe would wait for its writer.
    if !told.is_file() {
        return Err("this is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    let open = File::open(file).map_err(|error| error.to_string())?;
    open.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    read::read(&file.to_string_lossy(), &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper(
        base: &Path,
        files: &[&str],
    ) -> (Keeper, watch::Receiver<Arc<Directory>>, mpsc::Receiver<String>) {
        let directory = config::Directory {
            files: files.iter().map(PathBuf::from).collect(),
            country: Some("GB".to_owned()),
            ldap: None,
        };
        let people = vec![Identity::new("Ann", "105")];
        let (password, tls, base) = (None, config::Tls::default(), base.to_owned());
        let sources = Sources { directory, password, tls, people, base };
        let (tell, told) = watch::channel(Arc::new(Directory::default()));
        let (complain, complaints) = mpsc::channel(COMPLAINTS_MAX);
        let keeper =
            Keeper { sources, tell, complain, stamps: Vec::new(), from_server: Vec::new(), due: None };
        (keeper, told, complaints)
    }

    #[test]
    fn a_file_that_turns_bad_leaves_the_directory_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("people.csv");
        std::fs::write(&file, "name,number\nSam Hill,101\n").unwrap();
        let (keeper, told, mut complaints) = keeper(dir.path(), &["people.csv", "absent.vcf"]);
        keeper.read(true);
        assert_eq!(told.borrow().len(), 2, "Sam from the file, Ann from the configuration");
        assert!(complaints.try_recv().unwrap().contains("absent.vcf"), "told, and no obstacle at the start");
        std::fs::write(&file, "nobody knows these columns\n").unwrap();
        keeper.read(false);
        assert_eq!(told.borrow().match_number("101").unwrap().name.as_str(), "Sam Hill");
        assert!(complaints.try_recv().unwrap().contains("stays as it was"));
        std::fs::write(&file, "name,number\nSam Hill,102\n").unwrap();
        std::fs::write(dir.path().join("absent.vcf"), "").unwrap();
        keeper.read(false);
        assert_eq!((told.borrow().match_number("101"), told.borrow().len()), (None, 2));
    }

    #[test]
    fn a_changed_file_is_seen_by_its_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("people.csv");
        assert_eq!(stamp(&file), None);
        std::fs::write(&file, "a").unwrap();
        let before = stamp(&file);
        std::fs::write(&file, "ab").unwrap();
        assert!(before.is_some() && before != stamp(&file));
    }
}
