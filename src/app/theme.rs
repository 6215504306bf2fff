//! Which theme the board wears: one of ours or the user's own, as this terminal can show it.

use crate::console::{THEMES, Theme};
use color_eyre::eyre::eyre;
use std::path::Path;

/// The theme by name: one of ours, or `NAME.toml` in the folder of the user's own.
///
/// # Errors
/// No such theme, or what is wrong with the file.
pub(super) fn theme(name: Option<&str>, own: Option<&Path>) -> color_eyre::Result<Theme> {
    let name = name.unwrap_or("dark");
    if let Some(theme) = Theme::named(name) {
        return Ok(theme);
    }
    let unknown =
        || eyre!("there is no theme “{name}”: dark, light, high-contrast, mono, or a file of your own");
    // A name, not a path: the folder is not left.
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let file = own.filter(|_| plain).map(|dir| dir.join(format!("{name}.toml"))).ok_or_else(unknown)?;
    let text = crate::config::load::text(&file).map_err(|_| unknown())?;
    Theme::read(&text).map_err(|error| eyre!("{}: {error}", file.display()))
}

/// The most themes of the user's own.
const MAX_OWN: usize = 64;

/// All themes there are: ours, then the user's own by name.
pub(super) fn names(own: Option<&Path>) -> Vec<String> {
    let entries = own.and_then(|folder| std::fs::read_dir(folder).ok());
    let name = |path: std::path::PathBuf| {
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        path.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_toml).map(str::to_owned)
    };
    let own = entries.into_iter().flatten().flatten().filter_map(|entry| name(entry.path()));
    let mut own: Vec<String> = own.filter(|name| !THEMES.contains(&name.as_str())).take(MAX_OWN).collect();
    own.sort();
    THEMES.iter().map(|name| (*name).to_owned()).chain(own).collect()
}

/// The theme as this terminal can show it.
pub(super) fn fitted(theme: Theme) -> Theme {
    let variable = |name| std::env::var(name).unwrap_or_default();
    if !variable("NO_COLOR").is_empty() {
        return theme.without_colour();
    }
    let rich = ["truecolor", "24bit"].contains(&variable("COLORTERM").as_str());
    if rich || variable("TERM").contains("256color") || variable("TERM").contains("direct") {
        theme
    } else {
        theme.with_16_colours()
    }
}
