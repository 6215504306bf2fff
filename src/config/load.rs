//! Reads configuration files from disk, bounded, and gives [`super::Config`] or one readable error.

use super::{Config, ConfigError, MAX_FILE};
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most dialects of the user's own.
pub const MAX_DIALECTS: usize = 64;

/// Why a configuration file gave no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is none at this place.
    #[error("{file}: there is no such file")]
    Absent {
        /// The file.
        file: String,
    },
    /// It can't be read.
    #[error("{file}: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why, in words.
        reason: String,
    },
    /// It was read and is wrong.
    #[error(transparent)]
    Wrong(#[from] ConfigError),
}

/// Reads the console's file.
///
/// # Errors
/// See [`LoadError`].
pub fn console(path: &Path) -> Result<Config, LoadError> {
    Ok(parse(&text(path)?, path)?)
}

/// Reads a text as if it stood in that console's file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    Config::parse_with(text, &path.display().to_string(), &own_dialects(path))
}

/// Where the user's own dialects are: beside the console's file.
pub fn dialect_folder(config: &Path) -> PathBuf {
    config.parent().unwrap_or(Path::new(".")).join("dialects")
}

/// The names of the user's own dialects, at most [`MAX_DIALECTS`], in their order.
fn own_dialects(config: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dialect_folder(config)) else { return Vec::new() };
    let name = |path: PathBuf| {
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        path.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_toml).map(str::to_owned)
    };
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| name(entry.path())).take(MAX_DIALECTS).collect();
    names.sort();
    names
}

/// Reads any other file strictly, for example the lot's. Gives the text as well, to point at what a later check finds
/// (see [`ConfigError::at_paths`]).
///
/// # Errors
/// See [`LoadError`].
pub fn file<T: DeserializeOwned>(path: &Path) -> Result<(T, String), LoadError> {
    let text = text(path)?;
    let value = super::read(&text, &path.display().to_string())?;
    Ok((value, text))
}

/// Reads a text file of at most [`MAX_FILE`] bytes.
///
/// # Errors
/// [`LoadError::Absent`] or [`LoadError::Unreadable`].
pub fn text(path: &Path) -> Result<String, LoadError> {
    let file = path.display().to_string();
    let unreadable = |reason: String| LoadError::Unreadable { file: file.clone(), reason };
    let told = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => LoadError::Absent { file: file.clone() },
        io::ErrorKind::PermissionDenied => unreadable("you may not read it".to_owned()),
        _ => unreadable(error.to_string()),
    };
    // Opening a named pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(told)?.is_file() {
        return Err(unreadable("this is not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    let bound = MAX_FILE as u64 + 1;
    File::open(path).and_then(|file| file.take(bound).read_to_end(&mut bytes)).map_err(told)?;
    if bytes.len() > MAX_FILE {
        return Err(unreadable(format!("it is longer than {} kB", MAX_FILE / 1024)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].iter().filter(|b| **b == b'\n').count() + 1;
        unreadable(format!("it is not UTF-8 text (line {line})"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_that_gives_nothing_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        assert!(matches!(console(&path), Err(LoadError::Absent { .. })));
        assert!(console(dir.path()).unwrap_err().to_string().contains("not a file"));
        fs::write(&path, b"[account]\nuser = \"\xff\"").unwrap();
        assert!(console(&path).unwrap_err().to_string().ends_with("it is not UTF-8 text (line 2)"));
        fs::write(&path, vec![b'#'; MAX_FILE + 1]).unwrap();
        assert!(console(&path).unwrap_err().to_string().contains("longer than"));
        fs::write(&path, "x = ").unwrap();
        let error = console(&path).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{}:1:", path.display())), "{error}");
    }

    #[test]
    fn the_example_is_loaded_from_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, Config::example()).unwrap();
        assert_eq!(console(&path).unwrap(), Config::parse(Config::example(), "x").unwrap());
    }
}
