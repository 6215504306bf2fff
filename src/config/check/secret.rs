//! The check of where a secret is: exactly one of a file, a variable and a command.

use super::super::meaning::section;
use super::super::raw::OneOrMany;
use super::super::{PasswordCommand, PasswordSource};
use super::Check;
use std::ops::Range;
use std::path::PathBuf;
use toml::Spanned;

/// What the file says of where a secret is.
pub(super) struct Sources<'r> {
    /// What the keys begin with: `password` or `secret`.
    pub what: &'static str,
    pub file: Option<&'r Spanned<PathBuf>>,
    pub environment: Option<&'r Spanned<String>>,
    pub command: Option<&'r Spanned<OneOrMany>>,
}

impl Check<'_> {
    /// Checks them; `whole` is the section that they stand in, `place` its path.
    pub(super) fn source(
        &mut self,
        sources: &Sources<'_>,
        whole: Range<usize>,
        place: &[&str],
    ) -> Option<PasswordSource> {
        let what = sources.what;
        let mut found: Vec<(Range<usize>, PasswordSource)> = Vec::new();
        if let Some(file) = sources.file {
            if file.get_ref().as_os_str().is_empty() {
                self.say(file, format!("the name of the {what} file is empty"), None);
            }
            found.push((file.span(), PasswordSource::File(file.get_ref().clone())));
        }
        if let Some(name) = sources.environment {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            if name.get_ref().is_empty() || !name.get_ref().bytes().all(plain) {
                // What stands here may be the secret itself: it isn't repeated.
                let words = format!(
                    "the name of an environment variable has letters, digits and “_”; the {what} itself doesn't \
                     belong here"
                );
                self.problems.push(self.source.hidden(name.span(), &words));
            }
            found.push((name.span(), PasswordSource::Environment(name.get_ref().clone())));
        }
        if let Some(command) = sources.command {
            found.push((command.span(), PasswordSource::Command(self.command(command))));
        }
        found.sort_by_key(|(span, _)| span.start);
        if let Some((second, _)) = found.get(1) {
            let meaning =
                format!("the {what} has two sources: keep one of {what}_file, {what}_env, {what}_command");
            self.problems.push(self.source.problem(second.clone(), meaning, None));
        }
        let keys = ["file", "env", "command"].map(|tail| format!("{what}_{tail}"));
        let gone = |key: &String| self.reading.left_out(&[place, &[key.as_str()]].concat());
        let refused = keys.iter().any(gone) || self.reading.left_out_secret(place);
        if found.is_empty() && !refused {
            let meaning = format!(
                "{} doesn't say where the {what} is: add {what}_file = \"…\" (a file with `chmod 600`), \
                 {what}_env or {what}_command",
                section(place)
            );
            self.problems.push(self.source.problem(whole, meaning, None));
        }
        found.into_iter().next().map(|(_, source)| source)
    }

    fn command(&mut self, command: &Spanned<OneOrMany>) -> PasswordCommand {
        let OneOrMany { items, listed } = command.get_ref();
        match items.first().filter(|first| !first.trim().is_empty()) {
            Some(_) if *listed => PasswordCommand::Program(items.clone()),
            Some(line) => PasswordCommand::Shell(line.clone()),
            None => {
                self.say(command, "the command is empty", None);
                PasswordCommand::Program(Vec::new())
            }
        }
    }
}
