//! Where files belong: XDG on Linux, the system's own places elsewhere. Makes nothing and reads nothing but the
//! environment it is given.

use directories::ProjectDirs;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Names the console's file instead of the usual place.
pub const CONFIG_VARIABLE: &str = "PARKDECK_CONFIG";

/// The places of one user's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The console's configuration.
    pub config: PathBuf,
    /// Whether the environment named it: then it must be there.
    pub config_is_named: bool,
    /// The lot's configuration when none is named on the command line.
    pub lot_config: PathBuf,
    /// What survives a restart.
    pub state: PathBuf,
    /// The memory of parked calls.
    pub memory: PathBuf,
    /// The journal of calls.
    pub journal: PathBuf,
    /// The log, unless the configuration says otherwise.
    pub log: PathBuf,
}

impl Paths {
    /// Finds the places; `environment` looks a variable up (`|name| std::env::var_os(name)`).
    ///
    /// `None` when the user has no home directory.
    pub fn find(environment: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let dirs = ProjectDirs::from("", "", "parkdeck")?;
        let state = dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir());
        let named = environment(CONFIG_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        Some(Self::under(dirs.config_dir(), state, named))
    }

    /// The same with the directories given.
    pub fn under(config_dir: &Path, state_dir: &Path, named: Option<PathBuf>) -> Self {
        Self {
            config_is_named: named.is_some(),
            config: named.unwrap_or_else(|| config_dir.join("config.toml")),
            lot_config: config_dir.join("lot.toml"),
            state: state_dir.to_owned(),
            memory: state_dir.join("memory.json"),
            journal: state_dir.join("journal.sqlite"),
            log: state_dir.join("parkdeck.log"),
        }
    }
}

/// A path as the file means it: `~/` is the home directory, a relative path starts where the file is.
pub fn resolve(path: &Path, base: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => base.join(path),
    }
}

/// The user's home directory.
pub fn home() -> Option<PathBuf> {
    directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_can_name_the_file_and_only_the_file() {
        let usual = Paths::find(|_| None).unwrap();
        assert!(usual.config.ends_with("parkdeck/config.toml") && !usual.config_is_named, "{usual:?}");
        let named = Paths::find(|name| (name == CONFIG_VARIABLE).then(|| "/tmp/x.toml".into())).unwrap();
        assert!(named.config_is_named && named.config == Path::new("/tmp/x.toml"));
        assert_eq!(named.memory, usual.memory);
        assert_eq!(Paths::find(|_| Some("".into())).unwrap(), usual, "an empty variable names nothing");
    }

    #[test]
    fn a_path_starts_at_home_at_the_file_or_at_the_root() {
        let (base, home) = (Path::new("/etc/parkdeck"), Some(Path::new("/home/ann")));
        assert_eq!(resolve(Path::new("~/pw"), base, home), Path::new("/home/ann/pw"));
        assert_eq!(resolve(Path::new("pw"), base, home), Path::new("/etc/parkdeck/pw"));
        assert_eq!(resolve(Path::new("/pw"), base, home), Path::new("/pw"));
        assert_eq!(resolve(Path::new("~sam/pw"), base, home), Path::new("/etc/parkdeck/~sam/pw"));
    }
}
