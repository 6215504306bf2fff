//! `parkdeck lot import`: the files of an Asterisk in, the lot's configuration out. Reads them and what they include,
//! bounded; what can't be carried over is told beside.

use crate::config::MAX_FILE;
use crate::lot::import::{Imported, MAX_FILES, import};
use color_eyre::eyre::{Context, eyre};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Reads these files.
///
/// # Errors
/// When one of them can't be read. What they include and isn't there is a remark.
pub fn read(files: &[PathBuf]) -> color_eyre::Result<Imported> {
    let read = |file: &PathBuf| -> color_eyre::Result<(String, String)> {
        Ok((file.display().to_string(), text(file).wrap_err_with(|| file.display().to_string())?))
    };
    let texts: Vec<(String, String)> = files.iter().map(read).collect::<Result<_, _>>()?;
    let base = files.first().and_then(|file| file.parent()).unwrap_or(Path::new("."));
    Ok(import(&texts, &mut |named| included(base, named)))
}

/// The files that an `#include` names, beside the first of the files that are imported. Asterisk takes `*` in the name.
fn included(base: &Path, named: &str) -> Result<Vec<(String, String)>, String> {
    let path = base.join(named);
    let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let files = match file_name.split_once('*') {
        None => vec![path],
        Some((before, after)) => {
            let folder = path.parent().unwrap_or(Path::new("."));
            let fits = |file: &PathBuf| {
                let name =
                    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
            };
            let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
            let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(fits).collect();
            files.sort();
            // One more than are read, so that it is said.
            files.truncate(MAX_FILES + 1);
            files
        }
    };
    let read = |file: PathBuf| match text(&file) {
        Ok(text) => Ok((file.display().to_string(), text)),
        Err(error) => Err(error.to_string()),
    };
    files.into_iter().map(read).collect()
}

/// A file's text. Asterisk doesn't ask for UTF-8; what isn't is most likely in a comment.
fn text(file: &Path) -> color_eyre::Result<String> {
    // Opening a named pipe would wait for its writer.
    if !std::fs::metadata(file)?.is_file() {
        return Err(eyre!("this is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE {
        return Err(eyre!("it is longer than {} kB", MAX_FILE / 1024));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_and_what_they_include_are_read_from_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &[u8]| {
            fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        file("lots-a.conf", b"[a]\nparkext=700\nparkpos=701-702 ; caf\xe9\n");
        file("lots-b.conf", b"[b]\nparkext=800\nparkpos=801-802\n");
        let main = file("res_parking.conf", b"#include \"lots-*.conf\"\n#include gone.conf\n");
        let imported = read(std::slice::from_ref(&main)).unwrap();
        assert!(imported.toml.contains("name = \"a\"") && imported.toml.contains("name = \"b\""));
        assert_eq!(imported.remarks.len(), 1, "{:?}", imported.remarks);
        assert!(imported.remarks[0].to_string().contains("res_parking.conf:2: “gone.conf”"));
        assert!(format!("{:#}", read(&[folder.path().to_owned()]).unwrap_err()).contains("not a file"));
        let long = file("long.conf", &vec![b';'; MAX_FILE + 1]);
        assert!(format!("{:#}", read(&[long]).unwrap_err()).contains("longer than"));
    }
}
