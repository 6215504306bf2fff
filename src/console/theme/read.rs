//! TOML → theme: `[palette]` names colours, `[scopes]` gives each scope `fg`, `bg` and `modifiers`. Strict.

use super::{COLOURS, MODIFIERS, SCOPES, Theme, ThemeError};
use crate::console::keymap::nearest;
use crate::parking::Text;
use ratatui::style::{Color, Modifier, Style};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// The longest theme file that is read, in bytes.
const MAX_BYTES: usize = 64 * 1024;

type Key<'i> = Spanned<DeString<'i>>;
type Value<'i> = Spanned<DeValue<'i>>;

/// The text under the reader, to tell places in it.
struct Reader<'i> {
    source: &'i str,
    palette: BTreeMap<String, Color>,
}

pub(super) fn theme(toml: &str) -> Result<Theme, ThemeError> {
    let mut reader = Reader { source: toml, palette: BTreeMap::new() };
    if toml.len() > MAX_BYTES {
        return Err(reader.wrong(0, format!("a theme file has at most {MAX_BYTES} bytes")));
    }
    let document = DeTable::parse(toml).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        reader.wrong(at, format!("this isn't TOML: {}", error.message()))
    })?;
    let mut scopes = None;
    for (key, value) in document.get_ref() {
        match key.get_ref().as_ref() {
            "palette" => reader.read_palette(reader.table(value)?)?,
            "scopes" => scopes = Some(value),
            other => return Err(reader.unknown(key, "part of a theme", other, &["palette", "scopes"])),
        }
    }
    let mut styles = BTreeMap::new();
    if let Some(scopes) = scopes {
        for (key, value) in reader.table(scopes)? {
            let scope = key.get_ref().as_ref();
            if !SCOPES.contains(&scope) {
                return Err(reader.unknown(key, "scope", scope, SCOPES));
            }
            styles.insert(scope.to_owned(), reader.style(value)?);
        }
    }
    Ok(Theme { styles })
}

impl Reader<'_> {
    fn read_palette(&mut self, table: &DeTable<'_>) -> Result<(), ThemeError> {
        for (key, value) in table {
            let colour = self.colour(value)?;
            self.palette.insert(key.get_ref().to_string(), colour);
        }
        Ok(())
    }

    fn style(&self, value: &Value<'_>) -> Result<Style, ThemeError> {
        if matches!(value.get_ref(), DeValue::String(_)) {
            return Ok(Style::new().fg(self.colour(value)?));
        }
        let mut style = Style::new();
        for (key, value) in self.table(value)? {
            match key.get_ref().as_ref() {
                "fg" => style.fg = Some(self.colour(value)?),
                "bg" => style.bg = Some(self.colour(value)?),
                "modifiers" => style = style.add_modifier(self.modifiers(value)?),
                other => return Err(self.unknown(key, "part of a style", other, &["fg", "bg", "modifiers"])),
            }
        }
        Ok(style)
    }

    fn modifiers(&self, value: &Value<'_>) -> Result<Modifier, ThemeError> {
        let DeValue::Array(list) = value.get_ref() else {
            return Err(self.wrong(value.span().start, "a list is wanted here, as [\"bold\"]".into()));
        };
        let mut all = Modifier::empty();
        for item in list.iter() {
            let word = self.text(item)?;
            match MODIFIERS.iter().find(|(name, _)| *name == word) {
                Some((_, modifier)) => all |= *modifier,
                None => {
                    let known: Vec<&str> = MODIFIERS.iter().map(|(name, _)| *name).collect();
                    return Err(self.unknown_at(item.span().start, "modifier", word, &known));
                }
            }
        }
        Ok(all)
    }

    fn colour(&self, value: &Value<'_>) -> Result<Color, ThemeError> {
        let word = self.text(value)?;
        if let Some(hex) = word.strip_prefix('#') {
            let digits = hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit());
            return match u32::from_str_radix(hex, 16) {
                Ok(rgb) if digits => Ok(Color::from_u32(rgb)),
                _ => Err(self.wrong(value.span().start, "a colour is written as #rrggbb".into())),
            };
        }
        let built_in = || COLOURS.iter().find(|(name, _)| *name == word).map(|(_, colour)| *colour);
        self.palette.get(word).copied().or_else(built_in).ok_or_else(|| {
            let own = self.palette.keys().map(String::as_str);
            let known: Vec<&str> = own.chain(COLOURS.iter().map(|(name, _)| *name)).collect();
            self.unknown_at(value.span().start, "colour", word, &known)
        })
    }

    fn table<'t, 'i>(&self, value: &'t Value<'i>) -> Result<&'t DeTable<'i>, ThemeError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.wrong(value.span().start, "a table is wanted here, as { fg = \"red\" }".into())),
        }
    }

    fn text<'t>(&self, value: &'t Value<'_>) -> Result<&'t str, ThemeError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.as_ref()),
            _ => Err(self.wrong(value.span().start, "a text in quotes is wanted here".into())),
        }
    }

    fn unknown(&self, key: &Key<'_>, what: &str, word: &str, known: &[&str]) -> ThemeError {
        self.unknown_at(key.span().start, what, word, known)
    }

    fn unknown_at(&self, at: usize, what: &str, word: &str, known: &[&str]) -> ThemeError {
        let word = Text::new(word);
        let meaning = match nearest(word.as_str(), known.iter().copied()) {
            Some(meant) => format!("there is no {what} “{word}”: did you mean “{}”?", Text::new(meant)),
            None => format!("there is no {what} “{word}”"),
        };
        self.wrong(at, meaning)
    }

    fn wrong(&self, at: usize, meaning: String) -> ThemeError {
        let before = self.source.get(..at).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        ThemeError { line, column, meaning }
    }
}
