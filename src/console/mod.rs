//! The screen: keys and clicks in, [`desk::Command`](crate::desk::Command)s out; the desk's state in, a picture out.
//!
//! ratatui only. It draws and never decides: no call is known here but through `Desk`, and [`draw`] mutates nothing.
//! One table of commands ([`command_table`]) feeds the keymap, the footer, the help and the palette; one module
//! (`layout`) says where everything is, for drawing and for the mouse. What callers chose to be called reaches the
//! buffer only as `parking::Text` and through `paint`.

mod accounts;
mod banner;
mod calls;
mod commands;
mod configured;
mod finder;
mod footer;
mod journal;
mod keymap;
mod keys;
mod ladder;
mod layout;
mod line;
mod mouse;
mod notices;
mod overlay;
mod paint;
mod prompts;
mod quality;
mod settings;
mod slots;
mod small;
mod staff;
mod state;
mod tell;
mod theme;
mod top;
mod tour;
mod wallboard;
mod windows;
mod words;

pub use commands::{CommandRow, Deed, When, command_table};
pub use keymap::{Keymap, KeymapProblem, MAX_KEYS};
pub use keys::{Chord, key_events};
pub use ladder::{LadderMessage, MAX_LADDER};
pub use layout::SMALLEST;
pub use line::{Answered, LineConsole, MAX_TYPED};
pub use overlay::{MAX_NUMBER, MAX_SEARCH};
pub use state::Console;
pub use theme::{SCOPES, THEMES, Theme, ThemeError};
pub use wallboard::{Wall, WallLamp, WallSlot, draw_wall};
pub use words::next_change;

use crate::desk::Desk;
use paint::Canvas;
use ratatui::Frame;

/// Draws the whole screen.
pub fn draw(frame: &mut Frame<'_>, desk: &Desk, console: &Console, theme: &Theme) {
    let area = frame.area();
    let mut canvas = Canvas { buffer: frame.buffer_mut(), theme };
    canvas.clear(area, theme.style("board"));
    let Some(places) = layout::places(area, desk.staff.len()) else {
        return small::draw(&mut canvas, desk, console, area);
    };
    top::draw(&mut canvas, desk, console, places.top);
    let calls = layout::call_rows(desk, places.calls);
    calls::draw_frame(&mut canvas, desk, console, &places);
    calls::draw(&mut canvas, desk, places.calls, &calls);
    slots::draw(&mut canvas, desk, console, places.slots);
    staff::draw(&mut canvas, desk, console, &places);
    let free = tour::draw(&mut canvas, desk, (console.tour.as_ref(), &console.keymap), calls.below());
    let banner = banner::draw(&mut canvas, desk, free);
    windows::draw(&mut canvas, desk, console, &places);
    notices::draw(&mut canvas, desk, console, places.notices, banner);
    footer::draw(&mut canvas, desk, console, places.footer);
}
