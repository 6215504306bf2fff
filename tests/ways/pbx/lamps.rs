//! The slots of the model server, and what it tells of them.

use super::*;

impl Pbx {
    /// The number of a slot.
    pub fn number(&self, slot: usize) -> String {
        (701 + slot).to_string()
    }

    pub fn slot_numbered(&self, number: &str) -> Option<usize> {
        (0..self.setup.slots + self.setup.hidden).find(|slot| self.number(*slot) == number)
    }

    /// The first slot of the lot that nobody is in; where there are two lots, of the first.
    pub fn free_slot(&self) -> Option<usize> {
        let Setup { slots, hidden, second, .. } = self.setup;
        let mut own = (0..slots - second).chain(slots..slots + hidden);
        own.find(|slot| self.is_free(*slot))
    }

    /// The first slot of the second lot that nobody is in.
    pub fn free_slot_of_the_second(&self) -> Option<usize> {
        let Setup { slots, second, .. } = self.setup;
        (slots - second..slots).find(|slot| self.is_free(*slot))
    }

    fn is_free(&self, slot: usize) -> bool {
        let empty = self.model.who_is(Place::Slot(slot)).is_none();
        empty && !self.selves.contains_key(&slot) && !self.leaving.contains(&slot)
    }

    /// The lamp of a slot is told once the server gets round to it.
    pub fn lamp_changes(&mut self, now: Moment, slot: usize) {
        self.in_future(now + LAMP_AFTER + self.setup.lamps_late, Later::Lamp(slot));
    }

    pub fn tell_lamp(&mut self, now: Moment, slot: usize) {
        if self.model.who_is(Place::Slot(slot)).is_some() || self.selves.contains_key(&slot) {
            self.told_lit.insert(slot);
        } else {
            self.told_lit.remove(&slot);
            self.blurred.remove(&slot);
        }
        let watchers = self.watchers.iter().filter(|(_, watcher)| watcher.slot == slot);
        let watchers: Vec<_> = watchers.map(|(key, _)| *key).collect();
        watchers.into_iter().for_each(|watcher| self.tell_watcher(now, watcher, false));
    }

    /// What the server says of a slot, of its own accord or because it was `asked`.
    pub(super) fn tell_watcher(&mut self, now: Moment, key: WatcherKey, asked: bool) {
        let Some(watcher) = self.watchers.get_mut(&key) else { return };
        let (slot, version, callpark) = (watcher.slot, watcher.version, watcher.callpark);
        watcher.version += 1;
        let there = self.model.who_is(Place::Slot(slot));
        let truth = there.is_some() || self.selves.contains_key(&slot);
        let lit = self.lies.get(&slot).copied().unwrap_or(truth);
        if callpark {
            let parked = lit.then(|| there.unwrap_or(JANE)).map(|caller| Party {
                display: Some(caller.name().to_owned()).filter(|_| caller != NOBODY),
                uri: match caller {
                    NOBODY => "sip:anonymous@anonymous.invalid".to_owned(),
                    caller => format!("sip:{}@{HOST}", caller.number()),
                },
                ..Party::default()
            });
            let body = callpark::write(&CallPark { parked });
            return self.ua.notify(now, key, callpark::CONTENT_TYPE, body);
        }
        let state = match (lit, self.setup.kind) {
            // Its source has it so: early to whoever asks, confirmed when it changes.
            (true, Kind::FreeSwitch) if asked => DialogState::Early,
            (true, _) => DialogState::Confirmed,
            (false, _) => DialogState::Terminated,
        };
        let number = self.number(slot);
        let dialog = DialogElement { id: number.clone(), state, ..DialogElement::default() };
        let entity = format!("sip:{number}@{HOST}");
        let info = DialogInfo { version, full: true, entity, dialogs: vec![dialog] };
        self.ua.notify(now, key, dialog_info::CONTENT_TYPE, dialog_info::write(&info));
    }
}
