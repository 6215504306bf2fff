//! Fetches a password from its 0600 file, the environment or a command. What it returns can't be printed, and what
//! was read on the way is wiped; no error ever repeats any of it.

use super::{PasswordCommand, PasswordSource, paths};
use secrecy::SecretString;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The longest password, in bytes.
pub const MAX_PASSWORD: usize = 4_096;
/// How long a command may take: there may be somebody typing a passphrase.
pub const COMMAND_PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no password. Never has any of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Others may read the file.
    #[error("others may read the {what} {file} (mode {mode:04o}): run `chmod 600 {file}`")]
    Exposed {
        /// What kind of file it is.
        what: &'static str,
        /// The file.
        file: String,
        /// Its permission bits.
        mode: u32,
    },
    /// The file can't be read.
    #[error("the {what} {file} can't be read: {reason}")]
    File {
        /// What kind of file it is.
        what: &'static str,
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The variable isn't set.
    #[error("the environment variable {name}, named by {what}_env, is not set")]
    Unset {
        /// `password` or `secret`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The command failed.
    #[error("{what}_command failed: {reason}; run it by hand to see more")]
    Command {
        /// `password` or `secret`.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// There is nothing, too much, or something that is no text.
    #[error("the {what} from {place} {reason}")]
    Unusable {
        /// `password` or `secret`.
        what: &'static str,
        /// Where it came from.
        place: String,
        /// What is the matter.
        reason: &'static str,
    },
}

/// Fetches the password; `base` is the directory of the configuration file, `environment` looks a variable up.
///
/// Blocks while a command runs, which may ask for a passphrase on the terminal: call it before the screen is up.
///
/// # Errors
/// See [`SecretError`].
pub fn password(
    source: &PasswordSource,
    base: &Path,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<SecretString, SecretError> {
    fetch("password", source, base, environment)
}

/// The same for the secret of a manager interface.
///
/// # Errors
/// See [`SecretError`].
pub fn secret(
    source: &PasswordSource,
    base: &Path,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<SecretString, SecretError> {
    fetch("secret", source, base, environment)
}

fn fetch(
    what: &'static str,
    source: &PasswordSource,
    base: &Path,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<SecretString, SecretError> {
    match source {
        PasswordSource::File(path) => {
            let path = paths::resolve(path, base, paths::home().as_deref());
            take(from_file(what, &path)?, what, &format!("the {what} file"))
        }
        PasswordSource::Environment(name) => {
            let value = environment(name).ok_or_else(|| SecretError::Unset { what, name: name.clone() })?;
            let bytes = Zeroizing::new(value.into_encoded_bytes());
            take(bytes, what, "the environment")
        }
        PasswordSource::Command(command) => {
            take(from_command(what, command, base, COMMAND_PATIENCE)?, what, &format!("{what}_command"))
        }
    }
}

/// What a file with a secret of this kind is called.
fn file_word(what: &str) -> &'static str {
    if what == "secret" { "secret file" } else { "password file" }
}

/// One password out of what was read: the line's end is cut off.
fn take(bytes: Zeroizing<Vec<u8>>, what: &'static str, place: &str) -> Result<SecretString, SecretError> {
    let unusable = |reason| SecretError::Unusable { what, place: place.to_owned(), reason };
    if bytes.len() > MAX_PASSWORD {
        return Err(unusable("is too long"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| unusable("is not UTF-8 text"))?;
    let text = text.strip_suffix('\n').map_or(text, |t| t.strip_suffix('\r').unwrap_or(t));
    match text {
        "" => Err(unusable("is empty")),
        text if text.contains(['\n', '\r', '\0']) => Err(unusable("has more than one line")),
        text => Ok(SecretString::from(text)),
    }
}

fn from_file(what: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let file = path.display().to_string();
    let told = |error: io::Error| SecretError::File {
        what: file_word(what),
        file: file.clone(),
        reason: error.to_string(),
    };
    // Not to wait for the writer of a named pipe; what was opened is what is looked at.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(told)?;
    let facts = opened.metadata().map_err(told)?;
    if !facts.is_file() {
        return Err(SecretError::File { what: file_word(what), file, reason: "it is not a file".to_owned() });
    }
    let mode = facts.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Exposed { what: file_word(what), file, mode });
    }
    bounded(opened).map_err(told)
}

/// Reads one byte more than a password may have, so that too much is seen.
fn bounded(source: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // Never grows, so no copy of it stays behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_PASSWORD + 64));
    source.take(MAX_PASSWORD as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn from_command(
    what: &'static str,
    command: &PasswordCommand,
    base: &Path,
    patience: Duration,
) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let failed = |reason: String| SecretError::Command { what, reason };
    let mut process = match command {
        PasswordCommand::Shell(line) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(line);
            shell
        }
        PasswordCommand::Program(words) => {
            let (program, arguments) = words.split_first().ok_or_else(|| failed("it is empty".to_owned()))?;
            let mut process = Command::new(program);
            process.args(arguments);
            process
        }
    };
    let base = if base.as_os_str().is_empty() { PathBuf::from(".") } else { base.to_owned() };
    // Its questions and complaints go to the terminal, as they should; only what it prints is taken.
    let spawned = process.current_dir(base).stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| failed(error.to_string()))?;
    let output = child.stdout.take().ok_or_else(|| failed("it has no output".to_owned()))?;
    let (told, heard) = mpsc::sync_channel(1);
    // Ends when the command closes its output, or with the process; reads a bounded number of bytes.
    thread::spawn(move || told.send(bounded(output)));
    let until = Instant::now() + patience;
    let late = || failed(format!("it did not end within {} seconds", patience.as_secs()));
    let Ok(read) = heard.recv_timeout(patience) else {
        end(&mut child);
        return Err(late());
    };
    let status = wait(&mut child, until).map_err(|error| failed(error.to_string()))?.ok_or_else(late)?;
    if !status.success() {
        return Err(failed(status.to_string()));
    }
    read.map_err(|error| failed(error.to_string()))
}

/// Waits for the child's end; after `until` it is ended.
fn wait(child: &mut Child, until: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            end(child);
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself meanwhile: then there is nothing to do.
    let _ = child.kill();
    let _ = child.wait();
}

/// Whether a file would be refused for its mode, for a look ahead without reading it; `what` names its kind.
///
/// # Errors
/// [`SecretError::Exposed`] or [`SecretError::File`].
pub fn check_file(path: &Path, what: &'static str) -> Result<(), SecretError> {
    let file = path.display().to_string();
    let told = |error: io::Error| SecretError::File { what, file: file.clone(), reason: error.to_string() };
    let mode = File::open(path).and_then(|f| f.metadata()).map_err(told)?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(SecretError::Exposed { what, file, mode }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use std::fs;

    fn file_with(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    fn read(content: &[u8], mode: u32) -> Result<String, String> {
        let (_dir, path) = file_with(content, mode);
        let read = password(&PasswordSource::File(path), Path::new("/"), |_| None);
        read.map(|p| p.expose_secret().to_owned()).map_err(|e| format!("{e} {e:?}"))
    }

    fn run(command: PasswordCommand) -> Result<String, String> {
        let read = from_command("password", &command, Path::new("/"), Duration::from_millis(400));
        let read = read.and_then(|bytes| take(bytes, "password", "password_command"));
        read.map(|p| p.expose_secret().to_owned()).map_err(|e| e.to_string())
    }

    fn shell(line: &str) -> Result<String, String> {
        run(PasswordCommand::Shell(line.to_owned()))
    }

    #[test]
    fn the_last_line_end_is_cut_off_and_nothing_else() {
        for content in ["s3cret", "s3cret\n", "s3cret\r\n"] {
            assert_eq!(read(content.as_bytes(), 0o600).unwrap(), "s3cret");
        }
        assert_eq!(read(" s3 cret ".as_bytes(), 0o400).unwrap(), " s3 cret ");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_the_remedy() {
        for mode in [0o644, 0o640, 0o604, 0o660, 0o601] {
            let refusal = read(b"hunter2", mode).unwrap_err();
            assert!(refusal.contains("chmod 600") && refusal.contains(&format!("{mode:04o}")), "{refusal}");
            assert!(!refusal.contains("hunter2"));
        }
        let (_dir, path) = file_with(b"x", 0o644);
        assert!(matches!(check_file(&path, "password file"), Err(SecretError::Exposed { mode: 0o644, .. })));
    }

    #[test]
    fn what_is_no_password_is_refused_without_showing_it() {
        for (content, part) in [
            (&b""[..], "empty"),
            (b"\n", "empty"),
            (b"hunter2\nhunter2\n", "more than one line"),
            (b"hunter2\xff", "not UTF-8"),
            (&[b'h'; MAX_PASSWORD + 1], "too long"),
        ] {
            let refusal = read(content, 0o600).unwrap_err();
            assert!(refusal.contains(part), "{refusal}");
            assert!(!refusal.contains("hunter2") && !refusal.contains("hhhh"));
        }
        assert_eq!(read(&[b'h'; MAX_PASSWORD], 0o600).unwrap().len(), MAX_PASSWORD);
    }

    #[test]
    fn a_missing_file_a_directory_and_a_pipe_are_no_files() {
        let dir = tempfile::tempdir().unwrap();
        let of = |path: PathBuf| password(&PasswordSource::File(path), Path::new("/"), |_| None).unwrap_err();
        assert!(of(dir.path().join("none")).to_string().contains("No such file"));
        assert!(of(dir.path().to_owned()).to_string().contains("not a file"));
        let pipe = dir.path().join("pipe");
        assert!(Command::new("mkfifo").arg("-m600").arg(&pipe).status().unwrap().success());
        assert!(of(pipe).to_string().contains("not a file"), "and it did not wait for a writer");
    }

    #[test]
    fn a_relative_file_is_sought_beside_the_configuration() {
        let (dir, _path) = file_with(b"s3cret", 0o600);
        let found = password(&PasswordSource::File("password".into()), dir.path(), |_| None).unwrap();
        assert_eq!(found.expose_secret(), "s3cret");
    }

    #[test]
    fn the_environment_gives_a_password_or_names_the_variable() {
        let source = PasswordSource::Environment("PBX_PASSWORD".to_owned());
        let found =
            password(&source, Path::new("/"), |name| (name == "PBX_PASSWORD").then(|| "s3cret".into()));
        assert_eq!(found.unwrap().expose_secret(), "s3cret");
        let missing = password(&source, Path::new("/"), |_| None).unwrap_err();
        assert!(missing.to_string().contains("PBX_PASSWORD"));
    }

    #[test]
    fn a_command_gives_what_it_prints() {
        assert_eq!(shell("printf 's3%s\\n' cret").unwrap(), "s3cret");
        let program = ["printf", "%s", "a b;c"].map(str::to_owned).to_vec();
        assert_eq!(run(PasswordCommand::Program(program)).unwrap(), "a b;c");
    }

    #[test]
    fn a_command_that_fails_hangs_or_babbles_is_told() {
        let failed = shell("echo hunter2; exit 3").unwrap_err();
        assert!(failed.contains("exit status: 3") && !failed.contains("hunter2"), "{failed}");
        assert!(shell("exec sleep 30").unwrap_err().contains("did not end"));
        assert!(shell("exec >&-; exec sleep 30").unwrap_err().contains("did not end"));
        assert!(shell("yes").unwrap_err().contains("failed"));
        assert!(shell("true").unwrap_err().contains("empty"));
        assert!(
            run(PasswordCommand::Program(vec!["/no/such".to_owned()])).unwrap_err().contains("No such file")
        );
    }
}
