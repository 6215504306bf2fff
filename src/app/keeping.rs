//! Keeps the configuration: reads its file again when it changes, and writes into it what the operator changes on the
//! board. All of it on a thread of its own, since a disk may be slow; what is wrong with a file keeps what ran before.

use super::people::{Stamp, stamp};
use super::theme::theme;
use crate::config::load::{self, LoadError};
use crate::config::{Change, Config, ConfigError, save, secret};
use crate::console::{Keymap, Theme};
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::mpsc;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Changes that may wait to be written.
const CHANGES_MAX: usize = 32;
/// News that may wait to be taken.
const NEWS_MAX: usize = 8;

/// What has become of the configuration.
#[derive(Debug)]
pub(super) enum News {
    /// It is this one now: read strictly, and whole.
    Adopted(Box<Adopted>),
    /// It stays as it was: why the file can't be taken, or what could not be written into it.
    Refused(String),
}

/// Another configuration.
#[derive(Debug)]
pub(super) struct Adopted {
    /// All of it.
    pub config: Config,
    /// The password for its LDAP server.
    pub ldap_password: Option<SecretString>,
    /// The operator made it so on the board, and sees that.
    pub by_hand: bool,
}

/// The configuration as it is kept.
pub(super) struct Keeping {
    /// What the operator changes.
    pub changes: SyncSender<Change>,
    /// What becomes of it.
    pub news: mpsc::Receiver<News>,
}

impl Keeping {
    /// Begins to keep it; without a file (the demo) changes last until the end.
    pub fn start(config: Config, ldap_password: Option<SecretString>, file: Option<PathBuf>) -> Self {
        let (changes, changed) = sync_channel(CHANGES_MAX);
        let (tell, news) = mpsc::channel(NEWS_MAX);
        let keeper = Keeper { ldap_password, ..Keeper::new(config, file, tell) };
        let thread = std::thread::Builder::new().name("configuration".into());
        if let Err(error) = thread.spawn(move || keeper.run(&changed)) {
            tracing::error!(%error, "the configuration's thread");
        }
        Self { changes, news }
    }
}

struct Keeper {
    config: Config,
    ldap_password: Option<SecretString>,
    file: Option<PathBuf>,
    tell: mpsc::Sender<News>,
    /// The files as they were when they were last read.
    read: Vec<Stamp>,
    /// The files as they were at the last look.
    seen: Vec<Stamp>,
}

impl Keeper {
    fn new(config: Config, file: Option<PathBuf>, tell: mpsc::Sender<News>) -> Self {
        let (read, seen) = (Vec::new(), Vec::new());
        let mut keeper = Self { config, ldap_password: None, file, tell, read, seen };
        keeper.read = keeper.stamps();
        keeper.seen.clone_from(&keeper.read);
        keeper
    }

    fn run(mut self, changes: &Receiver<Change>) {
        loop {
            match changes.recv_timeout(LOOK) {
                Ok(change) => self.change_all(change, changes),
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.tell.is_closed() {
                return;
            }
        }
    }

    /// The configuration's file, and that of the theme in use where it is the user's own.
    fn stamps(&self) -> Vec<Stamp> {
        let Some(file) = &self.file else { return Vec::new() };
        let own = self.config.screen.theme.as_deref().filter(|name| Theme::named(name).is_none());
        let theme = own.map(|name| themes(file).join(format!("{name}.toml")));
        [Some(file.clone()), theme].into_iter().flatten().map(|file| stamp(&file)).collect()
    }

    /// Reads the files again if they are others than before, and have been for one look: an editor may be at it.
    fn look(&mut self) {
        let now = self.stamps();
        let still = now == self.seen;
        self.seen.clone_from(&now);
        let Some(file) = self.file.clone().filter(|_| still && now != self.read) else { return };
        self.read = now;
        match read(&file) {
            Ok(config) => self.adopt(config, false),
            Err(why) => {
                tracing::warn!(%why, "the configuration stays as it was");
                self.say(News::Refused(format!("{why} · the configuration stays as it was")));
            }
        }
    }

    /// Makes a change, and those that wait behind it. Of several of the same thing only the last is worth the disk.
    fn change_all(&mut self, first: Change, changes: &Receiver<Change>) {
        let mut change = first;
        while let Ok(next) = changes.try_recv() {
            if !next.is_of_the_same(&change) {
                self.change(&change);
            }
            change = next;
        }
        self.change(&change);
    }

    fn change(&mut self, change: &Change) {
        let mut config = self.config.clone();
        change.apply(&mut config);
        if let Some(file) = self.file.clone() {
            match write(&file, change) {
                // Whatever else was changed in the file is taken over with it.
                Ok(read) => config = read,
                Err(why) => {
                    let line = format!("that lasts only until you leave: {}: {why}", name(&file));
                    self.say(News::Refused(line));
                }
            }
            self.config.screen.theme.clone_from(&config.screen.theme);
            self.read = self.stamps();
            self.seen.clone_from(&self.read);
        }
        self.adopt(config, true);
    }

    fn adopt(&mut self, config: Config, by_hand: bool) {
        // A password may come from a program that asks: only another server is worth that.
        if config.directory.ldap != self.config.directory.ldap {
            let base = self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
            match ldap_password(&config, base) {
                Ok(password) => self.ldap_password = password,
                Err(why) => {
                    return self.say(News::Refused(format!("{why} · the configuration stays as it was")));
                }
            }
        }
        self.config = config.clone();
        let ldap_password = self.ldap_password.clone();
        self.say(News::Adopted(Box::new(Adopted { config, ldap_password, by_hand })));
    }

    fn say(&self, news: News) {
        // Whoever doesn't listen any more has ended.
        let _ = self.tell.blocking_send(news);
    }
}

/// Where the user's own themes are: beside the file.
fn themes(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new(".")).join("themes")
}

/// The password of the directory's LDAP server, where it needs one.
fn ldap_password(config: &Config, base: &Path) -> Result<Option<SecretString>, String> {
    let source = config.directory.ldap.as_ref().and_then(|ldap| ldap.password.as_ref());
    let found = source.map(|source| secret::password(source, base, |name| std::env::var_os(name)));
    found.transpose().map_err(|error| format!("[directory] ldap: {error}"))
}

/// Reads the file as strictly as at the start, keys and theme too.
fn read(file: &Path) -> Result<Config, String> {
    let config = load::console(file).map_err(|error| match error {
        LoadError::Wrong(wrong) => in_a_line(file, &wrong),
        LoadError::Absent { .. } => format!("{} is gone", name(file)),
        LoadError::Unreadable { reason, .. } => format!("{}: {reason}", name(file)),
    })?;
    whole(&config, file)?;
    Ok(config)
}

/// What the file alone can't say: whether keys and theme are right.
fn whole(config: &Config, file: &Path) -> Result<(), String> {
    if let Err(problems) = Keymap::with_overrides(&config.keys) {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        return Err(format!("{}, [keys]: {first}", name(file)));
    }
    let folder = themes(file);
    let short = |text: String| text.replace(&format!("{}/", folder.display()), "");
    theme(config.screen.theme.as_deref(), Some(&folder)).map_err(|error| short(error.to_string()))?;
    Ok(())
}

/// Writes the change into the file, if the whole is right then.
fn write(file: &Path, change: &Change) -> Result<Config, String> {
    let text = load::text(file).map_err(|error| error.to_string())?;
    let edited = change.edit(&text)?;
    let shown = file.display().to_string();
    let config = load::parse(&edited, file).map_err(|error| in_a_line(file, &error))?;
    whole(&config, file)?;
    if edited != text {
        save::exchange(file, &edited).map_err(|error| error.to_string())?;
        tracing::info!(file = %shown, ?change, "written into the configuration");
    }
    Ok(config)
}

/// The first thing that is wrong, with its place, for one line of the board.
fn in_a_line(file: &Path, error: &ConfigError) -> String {
    let Some(first) = error.problems.first() else { return name(file) };
    let meant = first.did_you_mean.as_ref().map(|meant| format!(": did you mean {meant}?"));
    let more = match error.problems.len() {
        1 => String::new(),
        n => format!(" · and {} more", n - 1),
    };
    let (line, column, meaning) = (first.line, first.column, &first.meaning);
    format!("{}, line {line}, column {column}: {meaning}{}{more}", name(file), meant.unwrap_or_default())
}

/// The file's name without its folder: a line on the board is short.
fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const FILE: &str = "[account]\nuser = \"a\"\nserver = \"pbx.test\"\npassword_env = \"P\"\n[lot]\nslots = \"701-703\"\n\
                        [screen]\ntheme = \"dark\"   # at night\n";

    fn keeper(text: &str) -> (tempfile::TempDir, PathBuf, Keeper, mpsc::Receiver<News>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, text).unwrap();
        let (tell, news) = mpsc::channel(NEWS_MAX);
        let config = read(&file).unwrap();
        let keeper = Keeper::new(config, Some(file.clone()), tell);
        (folder, file, keeper, news)
    }

    fn adopted(news: &mut mpsc::Receiver<News>) -> Adopted {
        match news.try_recv() {
            Ok(News::Adopted(adopted)) => *adopted,
            other => panic!("{other:?}"),
        }
    }

    fn refused(news: &mut mpsc::Receiver<News>) -> String {
        match news.try_recv() {
            Ok(News::Refused(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_changed_file_is_read_once_it_is_still_and_a_bad_one_keeps_the_old() {
        let (_folder, file, mut keeper, mut news) = keeper(FILE);
        keeper.look();
        assert!(news.try_recv().is_err(), "nothing has changed");
        std::fs::write(&file, FILE.replace("\"701-703\"", "\"701-704\"   # one more")).unwrap();
        keeper.look();
        assert!(news.try_recv().is_err(), "somebody may still be writing");
        keeper.look();
        assert_eq!(adopted(&mut news).config.accounts[0].lots[0].slots.len(), 4);
        std::fs::write(&file, FILE.replace("theme =", "thme =")).unwrap();
        keeper.look();
        keeper.look();
        let why = refused(&mut news);
        assert!(why.contains("stays as it was") && why.contains("line 8, column 1"), "{why}");
        assert_eq!(keeper.config.accounts[0].lots[0].slots.len(), 4);
        keeper.look();
        assert!(news.try_recv().is_err(), "said once");
        for (wrong, part) in [
            (FILE.replace("\"dark\"", "\"drak\""), "no theme “drak”"),
            (format!("{FILE}[keys]\npark = \"enter\"\n"), "would mean both"),
        ] {
            std::fs::write(&file, &wrong).unwrap();
            keeper.look();
            keeper.look();
            let why = refused(&mut news);
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn a_change_goes_into_the_file_and_what_others_changed_there_is_taken_over() {
        let (_folder, file, mut keeper, mut news) = keeper(FILE);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        keeper.change(&Change::Theme("light".to_owned()));
        let first = adopted(&mut news);
        assert!(first.by_hand && first.config.screen.theme.as_deref() == Some("light"));
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text, FILE.replace("\"dark\"", "\"light\""), "the comment stays");
        std::fs::write(&file, text.replace("701-703", "701-705")).unwrap();
        keeper.change(&Change::RingVolume(30));
        let second = adopted(&mut news).config;
        assert_eq!((second.sound.ring_volume, second.accounts[0].lots[0].slots.len()), (30, 5));
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        keeper.look();
        keeper.look();
        assert!(news.try_recv().is_err(), "what we wrote ourselves is no news");
    }

    #[test]
    fn a_change_that_can_not_be_written_counts_until_the_end() {
        let (_folder, file, mut keeper, mut news) = keeper(FILE);
        std::fs::write(&file, "broken = ").unwrap();
        keeper.change(&Change::RingVolume(30));
        let why = refused(&mut news);
        assert!(why.contains("until you leave"), "{why}");
        assert_eq!(adopted(&mut news).config.sound.ring_volume, 30);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "broken = ", "somebody is at it: left alone");
    }

    #[test]
    fn the_users_own_theme_is_read_again_when_its_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::create_dir(folder.path().join("themes")).unwrap();
        let own = folder.path().join("themes/mine.toml");
        std::fs::write(&own, "[scopes]\nboard = \"red\"\n").unwrap();
        std::fs::write(&file, FILE.replace("\"dark\"", "\"mine\"")).unwrap();
        let (tell, mut news) = mpsc::channel(NEWS_MAX);
        let mut keeper = Keeper::new(read(&file).unwrap(), Some(file), tell);
        std::fs::write(&own, "[scopes]\nboard = \"blue\"   # calmer\n").unwrap();
        keeper.look();
        keeper.look();
        assert!(!adopted(&mut news).by_hand);
        std::fs::write(&own, "[scopes]\nbord = \"blue\"\n").unwrap();
        keeper.look();
        keeper.look();
        let why = refused(&mut news);
        assert!(
            why.starts_with("mine.toml: line 2, column 1") && why.contains("did you mean “board”"),
            "{why}"
        );
    }
}
