//! The checks of hooks and of the control socket.

use super::super::meaning::nearest;
use super::super::raw::RawConfig;
use super::super::{HookEvent, Outside};
use super::Check;
use std::collections::BTreeMap;

/// The most words of a hook's command line.
const MAX_WORDS: usize = 32;

impl Check<'_> {
    pub(super) fn outside(&mut self, raw: &RawConfig) -> Outside {
        let mut hooks = BTreeMap::new();
        for (name, command) in &raw.hooks {
            let words = command.get_ref();
            let Some(event) = HookEvent::ALL.into_iter().find(|event| event.name() == name) else {
                let names = HookEvent::ALL.map(HookEvent::name);
                let meant = nearest(name, names).map(str::to_owned);
                let meaning =
                    format!("there is no event “{}”; there are {}", name.escape_debug(), names.join(", "));
                self.say(command, meaning, meant);
                continue;
            };
            let empty = words.items.first().is_none_or(|program| program.trim().is_empty());
            if empty || words.items.len() > MAX_WORDS {
                self.say(
                    command,
                    "a hook is a program and its arguments: [\"/usr/bin/program\", \"-x\"]",
                    None,
                );
            } else if !words.listed && words.items.iter().any(|program| program.contains(' ')) {
                let meaning = "no shell takes this apart: write a list, [\"program\", \"argument\"]";
                self.say(command, meaning, None);
            }
            hooks.insert(event, words.items.clone());
        }
        Outside {
            socket: raw.control.socket.unwrap_or(true),
            notify: raw.control.notify.unwrap_or_default(),
            hooks,
        }
    }
}
