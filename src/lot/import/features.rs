//! `features.conf`: what can be typed into a call.

use super::asterisk::{Entry, Section};
use super::{Remark, quoted, remark, string};
use crate::lot::config::{Code, MAX_CODE};
use std::fmt::Write as _;

/// What features of Asterisk's the lot has.
const OURS: [&str; 4] = ["parkcall", "blindxfer", "disconnect", "automixmon"];

/// Our `[features]`.
pub(super) fn write(sections: &[Section], remarks: &mut Vec<Remark>) -> String {
    let mut toml = String::from("\n[features]\n");
    let map: Vec<&Entry> = entries(sections, "featuremap").collect();
    for feature in OURS {
        let set = map.iter().rev().find(|entry| entry.key.eq_ignore_ascii_case(feature));
        let code = set.map(|entry| (entry, Code::try_from(entry.value.clone())));
        match code {
            Some((entry, Ok(_))) => {
                let _ = writeln!(toml, "{feature} = {}", string(&entry.value));
            }
            Some((entry, Err(_))) => {
                let text = format!(
                    "{feature}: {} is not up to {MAX_CODE} keys: it can't be typed here",
                    quoted(&entry.value)
                );
                remark(remarks, Some(&entry.at), &text);
                let _ = writeln!(toml, "{feature} = \"\"");
            }
            None => {
                let _ = writeln!(toml, "{feature} = \"\"");
            }
        }
    }
    for entry in map.iter().filter(|entry| !OURS.iter().any(|ours| entry.key.eq_ignore_ascii_case(ours))) {
        let why = match entry.key.to_ascii_lowercase().as_str() {
            "atxfer" => "an attended transfer is made with the phone's own key, not typed",
            "automon" => "it is automixmon here, as in Asterisk since version 21",
            _ => "there is no such feature here",
        };
        remark(remarks, Some(&entry.at), &format!("{}: {why}", quoted(&entry.key)));
    }
    for (key, least, most) in [("featuredigittimeout", 100, 10_000), ("transferdigittimeout", 1, 30)] {
        let Some(entry) = entries(sections, "general").filter(|e| e.key.eq_ignore_ascii_case(key)).last()
        else {
            continue;
        };
        match entry.value.parse::<u32>().ok().filter(|value| (least..=most).contains(value)) {
            Some(value) => {
                let _ = writeln!(toml, "{key} = {value}");
            }
            None => {
                let text = format!("{key}: {} is not between {least} and {most}", quoted(&entry.value));
                remark(remarks, Some(&entry.at), &text);
            }
        }
    }
    for entry in entries(sections, "applicationmap") {
        remark(
            remarks,
            Some(&entry.at),
            &format!("{}: applications can't be typed here", quoted(&entry.key)),
        );
    }
    toml
}

fn entries<'a>(sections: &'a [Section], name: &'a str) -> impl Iterator<Item = &'a Entry> {
    sections
        .iter()
        .filter(move |section| section.is(name) && !section.is_template)
        .flat_map(|section| &section.entries)
}
