//! The cursor in the slots: where it is, and for how long arrows and enter are its keys.

use super::{Console, FOCUS_LASTS, Focus};
use crate::console::commands::Deed;
use crate::console::layout;
use crate::desk::{Command, Desk, LotKey};

impl Console {
    /// Whether the arrow and enter keys are the slots' now.
    pub(in crate::console) fn slots_chosen(&self, desk: &Desk) -> bool {
        self.focus == Focus::Slots && desk.now.saturating_sub(self.focused_at) < FOCUS_LASTS
    }

    /// The chosen slot, while the slots have the keys.
    pub(in crate::console) fn cursor_index(&self, desk: &Desk) -> Option<usize> {
        if self.slots_chosen(desk) { self.cursor_place(desk) } else { None }
    }

    /// The lot in which the cursor is, while the slots have the keys and there are lots to tell apart: of the call in hand's
    /// own server, if there is one.
    pub(super) fn cursor_lot(&self, desk: &Desk) -> Option<LotKey> {
        let lot = self.chosen_slot(desk).filter(|_| desk.numbered_lots().count() > 1)?.lot_key();
        Some(lot).filter(|lot| desk.hand().is_none_or(|call| call.line == lot.line))
    }

    /// Where the cursor is, or was: the page that shows.
    pub(in crate::console) fn cursor_place(&self, desk: &Desk) -> Option<usize> {
        let cursor = self.cursor.as_ref()?;
        desk.slots.iter().position(|s| s.is(cursor))
    }

    /// An arrow.
    pub(super) fn step(&mut self, desk: &Desk, deed: Deed) -> Vec<Command> {
        if !self.slots_chosen(desk) {
            return match deed {
                Deed::Right => {
                    self.move_cursor(desk, 0);
                    Vec::new()
                }
                Deed::Left => Vec::new(),
                _ if desk.calls.is_empty() => {
                    self.show_hint(desk.now, "no calls to choose from · tab goes to the slots");
                    Vec::new()
                }
                _ => vec![Command::Choose { forward: deed == Deed::Down }],
            };
        }
        let here = self.cursor_place(desk).unwrap_or(0);
        let beside = |right| {
            let places = layout::places(self.area, desk.staff.len())?;
            layout::SlotGrid::of(desk, places.slots, here).beside(here, right)
        };
        match deed {
            Deed::Left => match beside(false) {
                Some(there) => self.put_cursor(desk, there),
                None => self.focus = Focus::Calls,
            },
            Deed::Right => self.put_cursor(desk, beside(true).unwrap_or(here)),
            Deed::Down => self.move_cursor(desk, 1),
            _ => self.move_cursor(desk, -1),
        }
        Vec::new()
    }

    /// Moves the cursor within the slots and gives them the keys. A move that would leave the board is none.
    pub(in crate::console) fn move_cursor(&mut self, desk: &Desk, by: isize) {
        let here = self.cursor_place(desk).unwrap_or(0);
        let there = here.checked_add_signed(by).filter(|i| *i < desk.slots.len()).unwrap_or(here);
        self.put_cursor(desk, there);
    }

    /// Puts the cursor on a slot and gives the slots the keys.
    pub(in crate::console) fn put_cursor(&mut self, desk: &Desk, index: usize) {
        if let Some(slot) = desk.slots.get(index) {
            self.cursor = Some(slot.key());
            self.focus = Focus::Slots;
            self.focused_at = desk.now;
        }
    }

    /// Gives the keys back to the calls.
    pub(in crate::console) fn blur(&mut self) {
        self.focus = Focus::Calls;
    }
}
