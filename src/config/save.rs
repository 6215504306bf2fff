//! Puts a new text in a configuration file's place, in one step: a crash leaves the old file or the new one, whole.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Exchanges the file's text. Its permissions stay; where it is a link, what it leads to is exchanged.
///
/// # Errors
/// As the system says; the old file is then as it was.
pub fn exchange(file: &Path, text: &str) -> io::Result<()> {
    let file = std::fs::canonicalize(file)?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let fresh = file.with_file_name(format!(".{name}.new"));
    let exchanged = write_beside(&file, &fresh, text);
    if exchanged.is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
    exchanged
}

/// The new text beside the old, safe on disk, then in its place.
fn write_beside(file: &Path, fresh: &Path, text: &str) -> io::Result<()> {
    let permissions = std::fs::metadata(file)?.permissions();
    let mut written = File::create(fresh)?;
    written.set_permissions(permissions)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    std::fs::rename(fresh, file)?;
    // The name is safe only once its folder is.
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_link_stays_a_link_and_a_secret_file_secret() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real.toml"), folder.path().join("config.toml"));
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&file, &link).unwrap();
        exchange(&link, "new").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
        assert!(exchange(&folder.path().join("absent"), "x").is_err());
    }
}
