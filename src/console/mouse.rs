//! Clicks and the wheel: everything that shows is clickable, and a click means what the key there means.

use super::banner::{self, Banner};
use super::footer;
use super::keys::Chord;
use super::layout::{self, Places, StaffGrid};
use super::overlay::Overlay;
use super::state::Console;
use super::{slots, top, tour, windows};
use crate::desk::{Command, Desk};
use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

impl Console {
    /// What a click or a turn of the wheel means on a screen of this size.
    pub fn mouse(&mut self, desk: &Desk, event: MouseEvent, area: Rect) -> Vec<Command> {
        self.set_area(area);
        let position = Position { x: event.column, y: event.row };
        let Some(places) = layout::places(area, desk.staff.len()) else { return Vec::new() };
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => self.click(desk, &places, position),
            MouseEventKind::ScrollDown => self.wheel(desk, &places, position, true),
            MouseEventKind::ScrollUp => self.wheel(desk, &places, position, false),
            _ => Vec::new(),
        }
    }

    fn click(&mut self, desk: &Desk, places: &Places, position: Position) -> Vec<Command> {
        if let Some(hint) = footer::at(desk, self, places.footer, position) {
            let key = Chord::read(&hint.key).filter(|_| hint.key != "…");
            return key.map_or_else(Vec::new, |key| self.key(desk, key.press()));
        }
        if self.overlay.is_some() {
            return self.click_overlay(desk, places, position);
        }
        // A second click at once is a slip: the row under it may be another caller's by now.
        if self.click_slips(desk.now) {
            return Vec::new();
        }
        let calls = layout::call_rows(desk, places.calls);
        let (_, free) = tour::place(self.tour.as_ref(), calls.below());
        let undo = match banner::place(desk, free) {
            Banner::Large(area) => area.contains(position),
            Banner::Line => places.notices.y == position.y,
            Banner::None => false,
        };
        if undo {
            return vec![Command::Undo];
        }
        if let Some(call) = calls.at(position).and_then(|i| desk.calls.get(i)) {
            return vec![Command::Take(call.id)];
        }
        let grid = slots::layout(desk, self, places.slots);
        if let Some((index, slot)) = grid.at(position).and_then(|i| desk.slots.get(i).map(|s| (i, s))) {
            self.put_cursor(desk, index);
            self.blur();
            return vec![Command::PressSlot(slot.key())];
        }
        let staff = StaffGrid::of(desk.staff.len(), places.staff);
        if let Some(nth) = staff.at(position) {
            return self.press_colleague(desk, nth);
        }
        if top::is_microphone(self, places.top, position) {
            return vec![Command::Mute];
        }
        Vec::new()
    }

    /// With something open, the board below is out of reach: a click beside it closes it and does no more.
    fn click_overlay(&mut self, desk: &Desk, places: &Places, position: Position) -> Vec<Command> {
        let area = windows::place(self, desk, places);
        if !area.contains(position) {
            return self.close(desk);
        }
        let Self { overlay, kept, .. } = self;
        if let Some(Overlay::Settings(window)) = overlay
            && let Some((nth, first)) = window.row_at(area, position)
        {
            return match window.click(desk, kept, nth, first) {
                true => self.key(desk, KeyEvent::from(KeyCode::Enter)),
                false => Vec::new(),
            };
        }
        if let Some(Overlay::Palette { chosen, .. }) = &mut self.overlay
            && let Some(row) = windows::palette_at(area, *chosen, position)
        {
            *chosen = row;
            return self.key(desk, KeyEvent::from(KeyCode::Enter));
        }
        if let Some(Overlay::Prompt(prompt)) = &mut self.overlay
            && let Some(row) = prompt.finder.row_at(area, position)
        {
            prompt.finder.chosen = Some(row);
            return self.key(desk, KeyEvent::from(KeyCode::Enter));
        }
        if let Some(Overlay::Journal(window)) = &mut self.overlay
            && let Some(row) = window.row_at(area, position)
        {
            window.chosen = row;
            return Vec::new();
        }
        if let Some(Overlay::Tell(tell)) = &mut self.overlay
            && let Some(row) = tell.row_at(area, position)
        {
            tell.chosen = row;
            return self.key(desk, KeyEvent::from(KeyCode::Enter));
        }
        Vec::new()
    }

    fn wheel(&mut self, desk: &Desk, places: &Places, position: Position, down: bool) -> Vec<Command> {
        if self.overlay.is_some() {
            let key = if down { KeyCode::Down } else { KeyCode::Up };
            return self.key(desk, KeyEvent::from(key));
        }
        if places.slots.contains(position) {
            self.move_cursor(desk, if down { 1 } else { -1 });
        }
        Vec::new()
    }
}
