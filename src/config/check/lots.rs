//! The lots of one account, in either form: `[lot]`, or several `[[lots]]`. Whatever stands in two of them must be told apart
//! on the board and at the server.

use super::super::raw::RawLot;
use super::super::{Ami, Lamps, Lot, Server};
use super::Check;
use crate::desk::MAX_LOTS;
use crate::parking::SlotId;
use toml::Spanned;

/// What a file says of an account's lots.
#[derive(Clone, Copy)]
pub(super) struct Given<'r> {
    /// `[lot]`.
    pub one: Option<&'r Spanned<RawLot>>,
    /// `[[lots]]`.
    pub several: &'r [Spanned<RawLot>],
}

/// The same, checked.
pub(super) struct Lots {
    pub dialect: String,
    pub lamps: Lamps,
    pub ami: Option<Ami>,
    pub lots: Vec<Lot>,
}

impl Check<'_> {
    /// Checks the lots; `name` is what the only one is called when the file doesn't say, `place` the path of the table that
    /// they are written in, `server` their account's.
    pub(super) fn lots(
        &mut self,
        given: Given<'_>,
        name: &str,
        place: &[&str],
        server: Option<&Server>,
    ) -> Option<Lots> {
        let (all, several) = self.form(given, place)?;
        let empty = RawLot::default();
        let raws: Vec<&RawLot> =
            if all.is_empty() { vec![&empty] } else { all.iter().map(|raw| raw.get_ref()).collect() };
        let dialect = self.one_dialect(&raws);
        let lamps = self.one_kind_of_lamps(&raws);
        let ami = self.one_manager(&raws, &dialect, place, several, server);
        let lots: Vec<Option<Lot>> = raws
            .iter()
            .enumerate()
            .map(|(index, raw)| {
                if let (true, Some(at)) = (several, all.get(index)) {
                    self.is_complete(at, index, place);
                }
                self.lot(raw, name, &dialect)
            })
            .collect();
        let lots: Vec<Lot> = lots.into_iter().collect::<Option<_>>()?;
        for (index, at) in all.iter().enumerate() {
            self.stands_apart(at, &lots, index);
        }
        Some(Lots { dialect, lamps, ami: ami?, lots })
    }

    /// The tables as they were given, and whether in the form of several.
    fn form<'r>(&mut self, given: Given<'r>, place: &[&str]) -> Option<(Vec<&'r Spanned<RawLot>>, bool)> {
        let word = |many: &str, one: &str| match place {
            [] => (format!("[[{many}]]"), format!("[{one}]")),
            _ => (format!("[[accounts.{many}]]"), format!("[accounts.{one}]")),
        };
        let (many, one) = word("lots", "lot");
        if let Some(beyond) = given.several.get(MAX_LOTS) {
            self.say(beyond, format!("an account has at most {MAX_LOTS} lots"), None);
            return None;
        }
        match (given.one, given.several) {
            (Some(_), [first, ..]) => {
                let words = format!(
                    "there is {one} as well as {many}: keep one form; several lots are all written {many}"
                );
                self.say(first, words, None);
                None
            }
            (one, []) => Some((one.into_iter().collect(), false)),
            (_, several) => Some((several.iter().collect(), true)),
        }
    }

    /// One server parks in one way: the first lot that names a dialect names it for all.
    fn one_dialect(&mut self, raws: &[&RawLot]) -> String {
        let mut named = raws.iter().filter_map(|raw| raw.dialect.as_ref());
        let Some(first) = named.next() else { return "asterisk".to_owned() };
        let dialect = self.dialect(first).to_owned();
        if let Some(other) = named.find(|other| *other.get_ref() != dialect) {
            let words =
                format!("one server parks in one way, and the first lot says “{dialect}”: leave this out");
            self.say(other, words, None);
        }
        dialect
    }

    fn one_kind_of_lamps(&mut self, raws: &[&RawLot]) -> Lamps {
        let mut named = raws.iter().filter_map(|raw| raw.lamps.as_ref());
        let Some(first) = named.next() else { return Lamps::default() };
        if let Some(other) = named.find(|other| other.get_ref() != first.get_ref()) {
            self.say(other, "one server has one kind of lamps: say it in the first lot alone", None);
        }
        *first.get_ref()
    }

    /// One manager interface tells of all lots.
    fn one_manager(
        &mut self,
        raws: &[&RawLot],
        dialect: &str,
        place: &[&str],
        several: bool,
        server: Option<&Server>,
    ) -> Option<Option<Ami>> {
        let mut all = raws.iter().enumerate().filter_map(|(index, raw)| Some((index, raw.ami.as_ref()?)));
        let Some((index, first)) = all.next() else { return Some(None) };
        if let Some((_, second)) = all.next() {
            let words =
                "one manager interface tells of all lots of a server: its `lot` names them, in their order";
            self.say(second, words, Some("lot = [\"default\", …]".to_owned()));
        }
        let number = index.to_string();
        let lot: &[&str] = if several { &["lots", number.as_str()] } else { &["lot"] };
        self.ami(dialect, first, &[place, lot].concat(), server, raws.len()).map(Some)
    }

    /// Of several lots each says what it is called, how it is parked in, and which are its slots.
    fn is_complete(&mut self, raw: &Spanned<RawLot>, index: usize, place: &[&str]) {
        let lot = raw.get_ref();
        let (number, nth) = (index.to_string(), index + 1);
        let keys = [
            ("name", lot.name.is_none()),
            ("park_extension", lot.park_extension.is_none()),
            ("slots", lot.slots.is_none()),
        ];
        for (key, _) in keys.into_iter().filter(|(_, missing)| *missing) {
            if !self.reading.left_out(&[place, &["lots", number.as_str(), key]].concat()) {
                let words = format!("entry {nth} of [lots] lacks “{key}”: of several lots each has its own");
                self.say(raw, words, None);
            }
        }
    }

    /// Tells where a lot is like one before it: by name, park extension, list or slots.
    fn stands_apart(&mut self, raw: &Spanned<RawLot>, lots: &[Lot], index: usize) {
        let (raw, Some(lot)) = (raw.get_ref(), lots.get(index)) else { return };
        let others: Vec<&Lot> =
            lots.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, lot)| lot).collect();
        let before = || lots.iter().take(index);
        let lower = |lot: &Lot| lot.name.as_str().to_lowercase();
        if let Some(name) = &raw.name
            && before().any(|other| lower(other) == lower(lot))
        {
            self.say(name, format!("another lot is called “{}” already", lot.name), None);
        }
        // Of two that are parked in alike the second is told.
        let taken = |id: &SlotId| {
            let holder = others.iter().copied().find(|other| other.slots.contains(id));
            holder
                .or_else(|| before().find(|other| other.park_extension == *id))
                .map(|other| other.name.clone())
        };
        let again =
            |id: &SlotId| before().find(|other| other.slots.contains(id)).map(|other| other.name.clone());
        let double = lot.slots.iter().find_map(|id| Some((id, again(id)?)));
        if let (Some(slots), Some((id, other))) = (&raw.slots, double) {
            let words = format!(
                "{id} is a slot of lot “{other}” already: the account's own server knows each number once"
            );
            self.say(slots, words, None);
        }
        for (what, id) in [("park extension", &raw.park_extension), ("list of lamps", &raw.list)] {
            let Some(id) = id else { continue };
            let like =
                before().any(|other| other.list.as_ref() == Some(id.get_ref()) && what != "park extension");
            if let Some(other) = taken(id.get_ref()) {
                self.say(
                    id,
                    format!("{} belongs to lot “{other}”: each {what} is a number of its own", id.get_ref()),
                    None,
                );
            } else if like {
                self.say(id, "another lot has this list already", None);
            }
        }
    }
}
