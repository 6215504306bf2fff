//! `res_parking.conf`, and the parking of an old `features.conf`: one `[[lots]]` for each lot.

use super::asterisk::{Entry, Place, Section};
use super::{Remark, boolean, is_lot, quoted, remark, string};
use crate::lot::config::{MAX_LOTS, MAX_SLOTS, MAX_TIME_S, ParkingConfig, SlotRange};
use crate::parking::SlotId;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Asterisk's own, when a file says nothing.
const DEFAULT_POSITIONS: SlotRange = SlotRange { first: 701, last: 750 };
/// The context that every lot has unless it says otherwise.
const DEFAULT_CONTEXT: &str = "parkedcalls";
/// Options of `[general]` that concern other things than parking, and where they are dealt with.
const GENERAL: [&str; 2] = ["featuredigittimeout", "transferdigittimeout"];
/// All options of a lot.
const OPTIONS: [&str; 18] = [
    "parkext",
    "parkext_exclusive",
    "parkpos",
    "context",
    "parkinghints",
    "parkingtime",
    "comebacktoorigin",
    "comebackdialtime",
    "comebackcontext",
    "courtesytone",
    "parkedplay",
    "parkedcalltransfers",
    "parkedcallreparking",
    "parkedcallhangup",
    "parkedcallrecording",
    "findslot",
    "parkedmusicclass",
    "parkeddynamic",
];

/// A lot as files describe it: name, settings, where it begins.
type Found<'a> = (String, Vec<&'a Entry>, Option<&'a Place>);

/// A lot that is described twice is one.
fn add<'a>(lots: &mut Vec<Found<'a>>, name: &str, entries: Vec<&'a Entry>, at: Option<&'a Place>) {
    match lots.iter_mut().find(|lot| lot.0 == name) {
        Some(known) => known.1.extend(entries),
        None => lots.push((name.to_owned(), entries, at)),
    }
}

/// Our `[[lots]]`.
pub(super) fn write(sections: &[Section], remarks: &mut Vec<Remark>) -> String {
    let mut lots: Vec<Found<'_>> = Vec::new();
    for section in sections.iter().filter(|section| !section.is_template) {
        if section.is("general") || section.is("globals") {
            general(section, remarks);
            // Before Asterisk 12 the default lot stood here.
            let parking =
                |entry: &&Entry| is_option(&entry.key) && !entry.key.eq_ignore_ascii_case("parkeddynamic");
            let old: Vec<&Entry> = section.entries.iter().filter(parking).collect();
            if old.iter().any(|entry| {
                entry.key.eq_ignore_ascii_case("parkpos") || entry.key.eq_ignore_ascii_case("parkext")
            }) {
                add(&mut lots, "default", old, Some(&section.at));
            }
        } else if is_lot(section) && section.entries.iter().any(|entry| is_option(&entry.key)) {
            let name = section.name.to_ascii_lowercase();
            let name = name.strip_prefix("parkinglot_").unwrap_or(&name).to_owned();
            add(&mut lots, &name, section.entries.iter().collect(), Some(&section.at));
        } else if is_lot(section) {
            let text = format!("[{}] is no parking lot: nothing in it is a parking option", section.name);
            remark(remarks, Some(&section.at), &text);
        }
    }
    if lots.is_empty() {
        remark(remarks, None, "no file describes a lot: this is the one that Asterisk makes by itself");
        lots.push(("default".to_owned(), Vec::new(), None));
    }
    for (name, _, at) in lots.iter().skip(MAX_LOTS) {
        remark(remarks, *at, &format!("{}: there are at most {MAX_LOTS} lots here", quoted(name)));
    }
    let mut used = BTreeSet::new();
    let mut toml = String::new();
    for (name, entries, at) in lots.iter().take(MAX_LOTS) {
        toml += &Writer { name, entries, at: *at, toml: String::new(), remarks, used: &mut used }.lot();
    }
    toml
}

/// Whether lots may be made on demand.
pub(super) fn is_dynamic(sections: &[Section]) -> bool {
    let general = sections.iter().filter(|section| section.is("general") || section.is("globals"));
    let mut said =
        general.flat_map(|section| &section.entries).filter(|e| e.key.eq_ignore_ascii_case("parkeddynamic"));
    said.next_back().and_then(|entry| boolean(&entry.value)) == Some(true)
}

fn is_option(key: &str) -> bool {
    OPTIONS.iter().any(|option| key.eq_ignore_ascii_case(option))
}

fn general(section: &Section, remarks: &mut Vec<Remark>) {
    for entry in &section.entries {
        let known = GENERAL.iter().any(|key| entry.key.eq_ignore_ascii_case(key));
        if entry.key.eq_ignore_ascii_case("parkeddynamic") {
            if boolean(&entry.value) == Some(true) {
                let text = "parkeddynamic: which lots can be made is written at the users here (parkinglot, \
                            parkingdynpos, parkingdynexten, parkingdynamic), not in channel variables";
                remark(remarks, Some(&entry.at), text);
            }
        } else if !known && !is_option(&entry.key) {
            remark(remarks, Some(&entry.at), &format!("{} has no meaning here", quoted(&entry.key)));
        }
    }
}

/// Writes one lot.
struct Writer<'a> {
    name: &'a str,
    entries: &'a [&'a Entry],
    at: Option<&'a Place>,
    toml: String,
    remarks: &'a mut Vec<Remark>,
    /// Extensions that lots before this one have.
    used: &'a mut BTreeSet<String>,
}

impl<'a> Writer<'a> {
    fn lot(mut self) -> String {
        let name: String =
            self.name.chars().filter(|c| !['"', '\\', ';'].contains(c) && !c.is_control()).take(64).collect();
        self.line("\n[[lots]]");
        self.line(&format!("name = {}", string(&name)));
        self.extensions();
        self.context();
        self.times();
        self.find_slot();
        self.sounds();
        self.rights();
        for entry in self.entries.iter().filter(|entry| !is_option(&entry.key)) {
            let text = format!("{} is no option of a parking lot", quoted(&entry.key));
            remark(self.remarks, Some(&entry.at), &text);
        }
        self.toml
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.toml, "{line}");
    }

    /// What counts for an option: what was said last.
    fn option(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().rev().find(|entry| entry.key.eq_ignore_ascii_case(key)).copied()
    }

    fn say(&mut self, entry: &Entry, text: &str) {
        remark(self.remarks, Some(&entry.at), &format!("{}: {text}", entry.key));
    }

    fn extensions(&mut self) {
        let slots = self.slots();
        let wanted = self.option("parkext");
        let parkext = wanted.and_then(|entry| SlotId::new(&entry.value));
        if let (Some(entry), None) = (wanted, &parkext) {
            self.say(entry, &format!("{} is no extension", quoted(&entry.value)));
        }
        let made_up = parkext.is_none();
        let parkext = parkext.unwrap_or_else(|| self.free_extension(slots));
        if made_up {
            let text = format!(
                "the lot {} has no parkext, so Asterisk makes no extensions for it; here it is parked in by \
                                dialling {parkext}, and its slots are dialled to retrieve",
                quoted(self.name)
            );
            remark(self.remarks, self.at, &text);
        }
        self.used.insert(parkext.to_string());
        self.used.extend(slots.slots().map(|slot| slot.to_string()));
        self.line(&format!("parkext = {}", string(parkext.as_str())));
        self.flag("parkext_exclusive");
        self.line(&format!("parkpos = \"{slots}\""));
    }

    fn slots(&mut self) -> SlotRange {
        let Some(entry) = self.option("parkpos") else { return DEFAULT_POSITIONS };
        let number = |text: Option<&str>| text.and_then(|text| text.trim().parse::<u32>().ok());
        let mut ends = entry.value.splitn(2, '-');
        let (first, last) = (number(ends.next()), number(ends.next()));
        match (SlotRange::parse(&entry.value), first, last) {
            (Ok(slots), ..) => slots,
            (Err(_), Some(first), Some(last)) if last > first => {
                let slots = SlotRange { first, last: first.saturating_add(MAX_SLOTS as u32 - 1) };
                self.say(
                    entry,
                    &format!("a lot has at most {MAX_SLOTS} slots here: it ends at {}", slots.last),
                );
                slots
            }
            (Err(why), ..) => {
                self.say(
                    entry,
                    &format!(
                        "{} is no range ({why}); {DEFAULT_POSITIONS} is written instead",
                        quoted(&entry.value)
                    ),
                );
                DEFAULT_POSITIONS
            }
        }
    }

    /// A number that nothing else has, near the slots.
    fn free_extension(&self, slots: SlotRange) -> SlotId {
        let below = (0..slots.first).rev();
        let above = slots.last.saturating_add(1)..u32::MAX;
        let free = below
            .chain(above)
            .filter_map(|n| SlotId::new(&n.to_string()))
            .find(|n| !self.used.contains(n.as_str()));
        free.unwrap_or_else(|| ParkingConfig::default().parkext)
    }

    fn context(&mut self) {
        if let Some(entry) = self.option("context").filter(|entry| entry.value != DEFAULT_CONTEXT) {
            self.line(&format!("context = {}", string(&entry.value)));
            let text = format!("the users who reach the lot need `contexts = [{}]`", string(&entry.value));
            self.say(entry, &text);
        }
        match self.option("parkinghints") {
            Some(_) => self.flag("parkinghints"),
            None => {
                // Lamps are what a console lives by; Asterisk's dialplan often has them where the option has not.
                self.line("parkinghints = true");
            }
        }
    }

    fn times(&mut self) {
        self.number("parkingtime", 0, 45);
        self.flag("comebacktoorigin");
        self.number("comebackdialtime", 1, 30);
        let to_origin =
            self.option("comebacktoorigin").and_then(|entry| boolean(&entry.value)).unwrap_or(true);
        match (self.option("comebackcontext"), to_origin) {
            (Some(entry), true) => self.say(entry, "has no effect while comebacktoorigin is yes"),
            (Some(entry), false) => {
                self.line("# fallback = \"…\"");
                let text = format!(
                    "the dialplan decides in {} who gets the call; write who as `fallback`, or for \
                                    each parker as `fallbacks`",
                    quoted(&entry.value)
                );
                self.say(entry, &text);
            }
            (None, false) => {
                self.line("# fallback = \"…\"");
                let text = format!(
                    "the dialplan decides in “parkedcallstimeout” who gets the calls of {}; write who \
                                    as `fallback`",
                    quoted(self.name)
                );
                remark(self.remarks, self.at, &text);
            }
            (None, true) => {}
        }
    }

    fn find_slot(&mut self) {
        let Some(entry) = self.option("findslot") else { return };
        match entry.value.to_ascii_lowercase().as_str() {
            word @ ("first" | "next" | "random") => self.line(&format!("findslot = \"{word}\"")),
            _ => self.say(entry, &format!("{} is neither first nor next", quoted(&entry.value))),
        }
    }

    fn sounds(&mut self) {
        if let Some(entry) = self.option("courtesytone").filter(|entry| !entry.value.is_empty()) {
            if entry.value == "beep" {
                self.line("courtesytone = \"beep\"");
            } else {
                let file = format!("{}.wav", entry.value.rsplit('/').next().unwrap_or_default());
                self.line(&format!("# courtesytone = {}", string(&plain(&file))));
                let text = format!(
                    "put the sound {} beside the lot's file as 16-bit WAV and name it",
                    quoted(&entry.value)
                );
                self.say(entry, &text);
            }
        }
        self.choice("parkedplay", &["parked", "caller", "both", "no"]);
        if let Some(entry) = self.option("parkedmusicclass").filter(|entry| entry.value != "default") {
            self.line(&format!("# music = {}", string(&plain(&format!("{}.wav", entry.value)))));
            let text = format!("name a file of the music of class {} as `music`", quoted(&entry.value));
            self.say(entry, &text);
        }
    }

    fn rights(&mut self) {
        for key in ["parkedcalltransfers", "parkedcallreparking", "parkedcallhangup", "parkedcallrecording"] {
            // Said or not: what Asterisk does without is "no", and not what ours does.
            if !self.choice(key, &["callee", "caller", "both", "no"]) {
                self.line(&format!("{key} = \"no\""));
            }
        }
    }

    fn choice(&mut self, key: &str, words: &[&str]) -> bool {
        let Some(entry) = self.option(key) else { return false };
        match words.iter().find(|word| entry.value.eq_ignore_ascii_case(word)) {
            Some(word) => self.line(&format!("{key} = \"{word}\"")),
            None => {
                self.say(entry, &format!("{} is none of {}", quoted(&entry.value), words.join(", ")));
                return false;
            }
        }
        true
    }

    fn flag(&mut self, key: &str) {
        let Some(entry) = self.option(key) else { return };
        match boolean(&entry.value) {
            Some(value) => self.line(&format!("{key} = {value}")),
            None => self.say(entry, &format!("{} is neither yes nor no", quoted(&entry.value))),
        }
    }

    fn number(&mut self, key: &str, least: u32, default: u32) {
        let Some(entry) = self.option(key) else { return };
        let value = entry.value.parse::<u32>().ok().filter(|value| (least..=MAX_TIME_S).contains(value));
        match value {
            Some(value) => self.line(&format!("{key} = {value}")),
            None => {
                let text = format!(
                    "{} is not between {least} and {MAX_TIME_S} seconds: it stays at {default}",
                    quoted(&entry.value)
                );
                self.say(entry, &text);
            }
        }
    }
}

/// A file's name as it can stand in a comment.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
