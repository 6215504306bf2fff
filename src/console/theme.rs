//! Themes: styles by scope with dotted fallback (`lamp.parked.late` → `lamp.parked` → `lamp`), read from TOML with
//! line, column and the likely meaning of what is wrong.

mod read;

use ratatui::style::{Color, Modifier, Style};
use std::collections::BTreeMap;
use std::fmt;

/// The scopes that the console draws with. A theme may leave any out; a scope outside this list is an error.
pub const SCOPES: &[&str] = &[
    "board",
    "border",
    "border.focus",
    "title",
    "title.focus",
    "dim",
    "top",
    "top.product",
    "top.good",
    "top.trying",
    "top.bad",
    "meter",
    "muted",
    "call",
    "call.hand",
    "call.ringing",
    "call.comeback",
    "call.asking",
    "call.checking",
    "call.talking",
    "call.held",
    "call.held.long",
    "call.name",
    "call.facts",
    "lamp",
    "lamp.free",
    "lamp.asking",
    "lamp.parked",
    "lamp.parked.long",
    "lamp.parked.late",
    "lamp.back",
    "lamp.unknown",
    "lamp.stale",
    "lamp.refused",
    "slot",
    "slot.key",
    "slot.id",
    "slot.who",
    "slot.was",
    "slot.facts",
    "slot.cursor",
    "notice",
    "notice.info",
    "notice.warning",
    "notice.error",
    "banner",
    "banner.digits",
    "hint",
    "footer",
    "footer.key",
    "footer.off",
    "overlay",
    "overlay.border",
    "overlay.title",
    "overlay.key",
    "input",
    "input.cursor",
    "chosen",
];

/// The names of the themes that come with the program.
pub const THEMES: &[&str] = &["dark", "light", "high-contrast", "mono"];

/// What is wrong with a theme file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThemeError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what was probably meant.
    pub meaning: String,
}

impl fmt::Display for ThemeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.meaning)
    }
}

impl std::error::Error for ThemeError {}

/// Styles by scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Theme {
    styles: BTreeMap<String, Style>,
}

impl Theme {
    /// A theme that comes with the program: one of [`THEMES`].
    pub fn named(name: &str) -> Option<Self> {
        let toml = match name {
            "dark" => include_str!("../../themes/dark.toml"),
            "light" => include_str!("../../themes/light.toml"),
            "high-contrast" => include_str!("../../themes/high-contrast.toml"),
            "mono" => include_str!("../../themes/mono.toml"),
            _ => return None,
        };
        Self::read(toml).ok()
    }

    /// Reads a theme file (see `themes/dark.toml` for the form).
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn read(toml: &str) -> Result<Self, ThemeError> {
        read::theme(toml)
    }

    /// The style of a scope, or of the nearest one above it.
    pub fn style(&self, scope: &str) -> Style {
        let mut scope = scope;
        loop {
            if let Some(style) = self.styles.get(scope) {
                return *style;
            }
            match scope.rsplit_once('.') {
                Some((above, _)) => scope = above,
                None => return Style::new(),
            }
        }
    }

    /// The same theme for a terminal that shall show no colour (`NO_COLOR`): bold, dim, reversed and underlined stay,
    /// and where a colour alone set something apart, the mono theme's way is used.
    #[must_use]
    pub fn without_colour(&self) -> Self {
        let mono = Self::named("mono").unwrap_or_default();
        let plain = |scope: &&str| {
            let kept = self.style(scope).add_modifier | mono.style(scope).add_modifier;
            ((*scope).to_owned(), Style::new().add_modifier(kept))
        };
        Self { styles: SCOPES.iter().map(plain).collect() }
    }

    /// The same theme with every colour replaced by the nearest of the terminal's sixteen.
    #[must_use]
    pub fn with_16_colours(&self) -> Self {
        let near = |style: &Style| Style {
            fg: style.fg.map(nearest_of_16),
            bg: style.bg.map(nearest_of_16),
            ..*style
        };
        Self { styles: self.styles.iter().map(|(scope, style)| (scope.clone(), near(style))).collect() }
    }
}

/// The sixteen colours, with the values that most terminals give them.
const SIXTEEN: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0, 0, 0]),
    (Color::Red, [170, 0, 0]),
    (Color::Green, [0, 140, 0]),
    (Color::Yellow, [170, 110, 0]),
    (Color::Blue, [0, 0, 170]),
    (Color::Magenta, [170, 0, 170]),
    (Color::Cyan, [0, 150, 150]),
    (Color::Gray, [190, 190, 190]),
    (Color::DarkGray, [100, 100, 100]),
    (Color::LightRed, [255, 95, 95]),
    (Color::LightGreen, [110, 230, 110]),
    (Color::LightYellow, [255, 225, 95]),
    (Color::LightBlue, [110, 150, 255]),
    (Color::LightMagenta, [255, 110, 255]),
    (Color::LightCyan, [110, 230, 230]),
    (Color::White, [255, 255, 255]),
];

fn nearest_of_16(color: Color) -> Color {
    let Color::Rgb(r, g, b) = color else { return color };
    let distance = |[x, y, z]: [u8; 3]| {
        let square = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
        3 * square(r, x) + 6 * square(g, y) + square(b, z)
    };
    SIXTEEN.iter().min_by_key(|(_, value)| distance(*value)).map_or(color, |(name, _)| *name)
}

/// The modifiers a theme file can name.
const MODIFIERS: &[(&str, Modifier)] = &[
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
];

/// The colours a theme file can name, beside `#rrggbb` and its own palette.
const COLOURS: &[(&str, Color)] = &[
    ("default", Color::Reset),
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("gray", Color::Gray),
    ("dark-gray", Color::DarkGray),
    ("light-red", Color::LightRed),
    ("light-green", Color::LightGreen),
    ("light-yellow", Color::LightYellow),
    ("light-blue", Color::LightBlue),
    ("light-magenta", Color::LightMagenta),
    ("light-cyan", Color::LightCyan),
    ("white", Color::White),
];

#[cfg(test)]
mod tests;
