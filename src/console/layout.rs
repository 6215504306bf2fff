//! Where everything is on the screen. Drawing and the mouse both ask here, so what shows is what is clicked.

use crate::desk::{Desk, Phase};
use ratatui::layout::{Position, Rect};

/// The smallest screen that shows the whole board: columns and rows.
pub const SMALLEST: (u16, u16) = (80, 24);

/// The places of the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// The top line.
    pub(super) top: Rect,
    /// The box around both panels.
    pub(super) frame: Rect,
    /// Inside of the calls panel.
    pub(super) calls: Rect,
    /// Inside of the slots panel.
    pub(super) slots: Rect,
    /// Inside of the colleagues' panel, below both; no line of it where nobody is watched.
    pub(super) staff: Rect,
    /// The lines for notices.
    pub(super) notices: Rect,
    /// The last line.
    pub(super) footer: Rect,
}

/// Columns that a colleague's cell takes at least.
const STAFF_COLUMNS: u16 = 25;

/// The places on a screen of this size, with so many colleagues watched; `None` when it is too small for the board.
pub(super) fn places(area: Rect, staff: usize) -> Option<Places> {
    let (columns, rows) = SMALLEST;
    if area.width < columns || area.height < rows {
        return None;
    }
    let line = |y: u16, height: u16| Rect { x: area.x, y, width: area.width, height };
    let frame = line(area.y + 1, area.height - 4);
    let inner = area.width - 3;
    let calls = (35 + (area.width - columns) * 2 / 5).min(90);
    // The colleagues get what they need, but never so much that calls and slots go short.
    let wanted = staff.div_ceil(StaffGrid::columns(area.width - 2));
    let most = if area.height < 34 { 2 } else { 4 };
    let staff_lines = u16::try_from(wanted).unwrap_or(u16::MAX).min(most);
    let staff_height = if staff_lines == 0 { 0 } else { staff_lines + 1 };
    let height = frame.height - 2 - staff_height;
    let inside = |x: u16, width: u16| Rect { x, y: frame.y + 1, width, height };
    let staff = Rect {
        x: area.x + 1,
        y: frame.bottom() - 1 - staff_lines,
        width: area.width - 2,
        height: staff_lines,
    };
    Some(Places {
        top: line(area.y, 1),
        frame,
        calls: inside(area.x + 1, calls),
        slots: inside(area.x + 2 + calls, inner - calls),
        staff,
        notices: line(area.bottom() - 3, 2),
        footer: line(area.bottom() - 1, 1),
    })
}

/// How the calls stand in their panel: one or two lines each, and which of them are on this page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallRows {
    area: Rect,
    /// Lines of one call.
    pub(super) lines: u16,
    /// Index of the first call shown.
    pub(super) first: usize,
    /// How many are shown.
    pub(super) shown: usize,
    /// Whether the panel's last line is needed to say that there are more.
    pub(super) more: bool,
}

/// Lays the calls into their panel. The page is the one with the call in hand, else with the longest ringing one.
pub(super) fn call_rows(desk: &Desk, area: Rect) -> CallRows {
    let count = desk.calls.len();
    let height = usize::from(area.height);
    let lines = if count * 2 <= height { 2 } else { 1 };
    let more = count * lines > height;
    let page = (height / lines).saturating_sub(usize::from(more)).max(1);
    let wanted = desk.hand().or_else(|| desk.longest_ringing());
    let here = wanted.and_then(|w| desk.calls.iter().position(|c| c.id == w.id)).unwrap_or(0);
    let first = here / page * page;
    let lines = u16::try_from(lines).unwrap_or(1);
    CallRows { area, lines, first, shown: page.min(count.saturating_sub(first)), more }
}

impl CallRows {
    /// The place of a call by its index on the desk.
    pub(super) fn place(&self, index: usize) -> Option<Rect> {
        let row = index.checked_sub(self.first).filter(|row| *row < self.shown)?;
        let y = self.area.y + u16::try_from(row).ok()? * self.lines;
        Some(Rect { y, height: self.lines, ..self.area })
    }

    /// The index of the call at a position.
    pub(super) fn at(&self, position: Position) -> Option<usize> {
        (self.first..self.first + self.shown)
            .find(|index| self.place(*index).is_some_and(|r| r.contains(position)))
    }

    /// What is left of the panel under the calls.
    pub(super) fn below(&self) -> Rect {
        let used =
            u16::try_from(self.shown).unwrap_or(u16::MAX).saturating_mul(self.lines) + u16::from(self.more);
        let used = used.min(self.area.height);
        Rect { y: self.area.y + used, height: self.area.height - used, ..self.area }
    }

    /// How many calls are not shown, and how many of them ring.
    pub(super) fn elsewhere(&self, desk: &Desk) -> (usize, usize) {
        let shown = self.first..self.first + self.shown;
        let hidden = desk.calls.iter().enumerate().filter(|(i, _)| !shown.contains(i));
        let ringing = hidden.clone().filter(|(_, c)| c.phase == Phase::Ringing).count();
        (hidden.count(), ringing)
    }
}

/// How the slots stand in their panel: down the columns, each cell one or two lines, in pages if need be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    area: Rect,
    /// Columns of cells.
    pub(super) columns: usize,
    /// Cells in a column.
    pub(super) rows: usize,
    /// Columns on the screen of one cell.
    pub(super) width: u16,
    /// Lines of one cell.
    pub(super) lines: u16,
    /// Blank lines under a cell.
    gap: u16,
    /// Index of the first slot shown.
    pub(super) first: usize,
    /// How many are shown.
    pub(super) shown: usize,
}

/// Cell shapes from the roomiest to the tightest: lines, blank lines below, least width.
const SHAPES: [(u16, u16, u16); 6] = [(2, 1, 50), (2, 0, 42), (1, 0, 42), (1, 0, 32), (1, 0, 24), (1, 0, 20)];

/// Lays `count` slots into their panel, with the page that has the slot at `cursor`.
pub(super) fn grid(count: usize, area: Rect, cursor: usize) -> Grid {
    let shape = |(lines, gap, least): (u16, u16, u16)| {
        let columns = usize::from((area.width + 1) / (least + 1)).max(1);
        // The last cell of a column needs no blank line under it.
        let rows = usize::from((area.height + gap) / (lines + gap)).max(1);
        (lines, gap, columns, rows)
    };
    let fits = |(_, _, columns, rows): &(u16, u16, usize, usize)| columns * rows >= count;
    let tightest = shape(SHAPES[SHAPES.len() - 1]);
    let (lines, gap, columns, rows) = SHAPES.into_iter().map(shape).find(fits).unwrap_or(tightest);
    let page = columns * rows;
    let first = cursor / page * page;
    let shown = page.min(count.saturating_sub(first));
    // No more columns than are needed, and those filled evenly.
    let columns = if count > page { columns } else { count.div_ceil(rows).max(1) };
    let rows = if count > page { rows } else { count.div_ceil(columns).max(1) };
    let gaps = u16::try_from(columns).unwrap_or(1);
    let width = (area.width + 1) / gaps - 1;
    Grid { area, columns, rows, width, lines, gap, first, shown }
}

impl Grid {
    /// The place of a slot by its index on the desk.
    pub(super) fn place(&self, index: usize) -> Option<Rect> {
        let nth = index.checked_sub(self.first).filter(|nth| *nth < self.shown)?;
        let (column, row) = (u16::try_from(nth / self.rows).ok()?, u16::try_from(nth % self.rows).ok()?);
        let place = Rect {
            x: self.area.x + column * (self.width + 1),
            y: self.area.y + row * (self.lines + self.gap),
            width: self.width,
            height: self.lines,
        };
        Some(place.intersection(self.area)).filter(|p| !p.is_empty())
    }

    /// The index of the slot at a position.
    pub(super) fn at(&self, position: Position) -> Option<usize> {
        (self.first..self.first + self.shown)
            .find(|index| self.place(*index).is_some_and(|r| r.contains(position)))
    }

    /// What is left of the panel under the cells.
    pub(super) fn below(&self) -> Rect {
        let used = u16::try_from(self.rows.min(self.shown)).unwrap_or(u16::MAX);
        let used = used.saturating_mul(self.lines + self.gap).min(self.area.height);
        Rect { y: self.area.y + used, height: self.area.height - used, ..self.area }
    }
}

/// The slots as they stand: in a grid, and where there are several lots each under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlotGrid {
    /// Of the cells: those of the slots, and those of the lots' names.
    pub(super) cells: Grid,
    /// The slot with which each lot begins; empty where there is only one lot, which needs no name here.
    begins: Vec<usize>,
    slots: usize,
}

impl SlotGrid {
    /// Lays the desk's slots into their panel, with the page that has the slot at `cursor`.
    pub(super) fn of(desk: &Desk, area: Rect, cursor: usize) -> Self {
        let slots = desk.slots.len();
        let lot = |i: usize| desk.slots.get(i).map(crate::desk::Slot::lot_key);
        let begins: Vec<usize> = match desk.numbered_lots().count() {
            0 | 1 => Vec::new(),
            _ => {
                (0..slots).filter(|i| i.checked_sub(1).is_none_or(|before| lot(before) != lot(*i))).collect()
            }
        };
        let cell = cursor + begins.iter().filter(|begin| **begin <= cursor).count();
        Self { cells: grid(slots + begins.len(), area, cell), begins, slots }
    }

    /// The cell of a slot.
    fn cell(&self, slot: usize) -> usize {
        slot + self.begins.iter().filter(|begin| **begin <= slot).count()
    }

    /// The slot in a cell; `None` where a lot's name stands.
    fn slot(&self, cell: usize) -> Option<usize> {
        let names = self.begins.iter().enumerate().filter(|(nth, begin)| *begin + nth <= cell).count();
        let slot = cell.checked_sub(names)?;
        (self.cell(slot) == cell && slot < self.slots).then_some(slot)
    }

    /// The place of a slot by its index on the desk.
    pub(super) fn place(&self, slot: usize) -> Option<Rect> {
        self.cells.place(self.cell(slot))
    }

    /// The places of the lots' names that show, each with the first slot of its lot.
    pub(super) fn names(&self) -> impl Iterator<Item = (usize, Rect)> {
        let name = |begin: &usize| Some((*begin, self.cells.place(self.cell(*begin) - 1)?));
        self.begins.iter().filter_map(name)
    }

    /// The index of the slot at a position.
    pub(super) fn at(&self, position: Position) -> Option<usize> {
        self.cells.at(position).and_then(|cell| self.slot(cell))
    }

    /// The slots on this page.
    pub(super) fn page(&self) -> std::ops::Range<usize> {
        let cells = self.cells.first..self.cells.first + self.cells.shown;
        let mut shown = cells.filter_map(|cell| self.slot(cell));
        let first = shown.next().unwrap_or(0);
        first..shown.next_back().unwrap_or(first) + usize::from(self.slots > 0)
    }

    /// The slot in the next column to the left or right of one; `None` where there is no such column.
    pub(super) fn beside(&self, slot: usize, right: bool) -> Option<usize> {
        let (cell, rows) = (self.cell(slot), self.cells.rows);
        let there = if right { cell + rows } else { cell.checked_sub(rows)? };
        // Beside a lot's name its first slot is meant.
        self.slot(there).or_else(|| self.slot(there + 1))
    }
}

/// How the colleagues stand in their panel: in rows, as on the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StaffGrid {
    area: Rect,
    /// How many stand in a row.
    columns: usize,
    /// How many are shown.
    pub(super) shown: usize,
    /// Whether the last place is needed to say that there are more.
    pub(super) more: bool,
}

impl StaffGrid {
    fn columns(width: u16) -> usize {
        usize::from((width + 1) / (STAFF_COLUMNS + 1)).max(1)
    }

    /// Lays so many colleagues into their panel.
    pub(super) fn of(count: usize, area: Rect) -> Self {
        let columns = Self::columns(area.width);
        let room = columns * usize::from(area.height);
        let more = count > room;
        Self { area, columns, shown: if more { room.saturating_sub(1) } else { count }, more }
    }

    /// The place of a colleague by his index on the desk; of the first that isn't shown, where there are more.
    pub(super) fn place(&self, index: usize) -> Option<Rect> {
        let (column, row) = (index % self.columns, index / self.columns);
        let width = (self.area.width + 1) / u16::try_from(self.columns).ok()?;
        let (x, y) = (u16::try_from(column).ok()?.checked_mul(width)?, u16::try_from(row).ok()?);
        let there = index < self.shown + usize::from(self.more) && y < self.area.height;
        there.then(|| Rect { x: self.area.x + x, y: self.area.y + y, width: width - 1, height: 1 })
    }

    /// The index of the colleague at a position.
    pub(super) fn at(&self, position: Position) -> Option<usize> {
        (0..self.shown).find(|index| self.place(*index).is_some_and(|place| place.contains(position)))
    }
}

/// A window of at most this size in the middle of the board, or as large as there is room.
pub(super) fn window(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_a_place_of_its_own_on_its_page() {
        for (width, height) in [(42, 18), (89, 44), (120, 54), (42, 3), (20, 1)] {
            let area = Rect::new(3, 2, width, height);
            for count in [1, 2, 9, 12, 36, 60, 500] {
                let mut index = 0;
                while index < count {
                    let page = grid(count, area, index);
                    assert_eq!(page.first, index);
                    for slot in page.first..page.first + page.shown {
                        let place = page.place(slot).unwrap();
                        assert_eq!(page.at(place.as_position()), Some(slot), "{count} slots in {area}");
                        assert!(
                            area.union(place) == area && place.width >= 20.min(width),
                            "{place} in {area}"
                        );
                    }
                    index += page.shown;
                }
            }
        }
    }

    #[test]
    fn twelve_slots_show_at_once_on_the_smallest_screen_and_get_room_on_a_large_one() {
        let small = places(Rect::new(0, 0, 80, 24), 0).unwrap();
        let page = grid(12, small.slots, 0);
        assert_eq!((page.shown, page.columns, page.lines), (12, 1, 1));
        assert!(page.below().height >= 5, "with room to tell more of one of them");
        let large = places(Rect::new(0, 0, 160, 50), 0).unwrap();
        assert_eq!(grid(12, large.slots, 0).lines, 2);
        assert_eq!(grid(60, large.slots, 0).shown, 60);
        assert_eq!(places(Rect::new(0, 0, 79, 24), 0), None);
    }
    #[test]
    fn colleagues_take_no_line_that_twelve_slots_need_and_the_rest_is_counted() {
        for count in [1, 3, 4, 6, 7, 48] {
            let small = places(Rect::new(0, 0, 80, 24), count).unwrap();
            assert_eq!(grid(12, small.slots, 0).shown, 12);
            assert!(small.slots.bottom() < small.staff.y && small.staff.bottom() < small.frame.bottom());
            let staff = StaffGrid::of(count, small.staff);
            assert_eq!((staff.shown, staff.more), if count > 6 { (5, true) } else { (count, false) });
            for index in 0..staff.shown {
                let place = staff.place(index).unwrap();
                assert_eq!(staff.at(place.as_position()), Some(index));
                assert!(small.staff.union(place) == small.staff && place.width >= STAFF_COLUMNS);
            }
        }
        assert_eq!(places(Rect::new(0, 0, 80, 24), 0).unwrap().staff.height, 0);
    }
}
