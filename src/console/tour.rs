//! The first day's tour: a few steps that watch what the operator really does and take no key from a call. Each is done by
//! doing it; `ctrl-t` ends the whole.

use super::commands::Deed;
use super::keymap::Keymap;
use super::paint::{Canvas, wrap};
use super::state::Console;
use crate::desk::{CallId, Desk, Phase};
use crate::parking::Moment;
use ratatui::layout::Rect;
use std::time::Duration;

/// How long the last word stands.
const FAREWELL: Duration = Duration::from_secs(20);
/// Lines of a step, its heading included.
const LINES: u16 = 5;
/// Lines that the banner keeps for itself where there is room.
const LEAST_BELOW: u16 = 1;

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Answer,
    Park,
    Look,
    Retrieve,
    Note,
    Undo,
    Transfer,
}

const STEPS: [Step; 7] =
    [Step::Answer, Step::Park, Step::Look, Step::Retrieve, Step::Note, Step::Undo, Step::Transfer];

/// How far the tour has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Tour {
    done: usize,
    /// Until when the park could be taken back that was seen last.
    undo_until: Option<Moment>,
    /// The call that is being handed over.
    handed: Option<CallId>,
    /// When the last step was done.
    ended: Option<Moment>,
}

impl Tour {
    /// Sees what has happened; whether the tour is over.
    pub(super) fn follow(&mut self, desk: &Desk, on_slots: bool) -> bool {
        while let Some(step) = STEPS.get(self.done) {
            if !self.is_done(*step, desk, on_slots) {
                return false;
            }
            self.done += 1;
        }
        let ended = *self.ended.get_or_insert(desk.now);
        desk.now.saturating_sub(ended) >= FAREWELL
    }

    fn is_done(&mut self, step: Step, desk: &Desk, on_slots: bool) -> bool {
        let talks = |call: &crate::desk::Call| call.phase == Phase::Talking;
        match step {
            Step::Answer => desk.calls.iter().any(talks),
            Step::Park => desk.slots.iter().any(|slot| slot.parked.as_ref().is_some_and(|p| p.ours)),
            Step::Look => on_slots,
            Step::Retrieve => desk.calls.iter().any(|call| talks(call) && call.strength.is_some()),
            Step::Note => {
                desk.calls.iter().any(|call| !call.note.is_empty())
                    || desk.slots.iter().any(|slot| slot.parked.as_ref().is_some_and(|p| !p.note.is_empty()))
            }
            Step::Undo => match (&desk.undo, self.undo_until) {
                (Some(undo), _) => {
                    self.undo_until = Some(undo.until);
                    false
                }
                (None, Some(until)) => {
                    self.undo_until = None;
                    desk.now < until && desk.hand().is_some()
                }
                (None, None) => false,
            },
            Step::Transfer => {
                let now = desk.calls.iter().find(|call| matches!(call.phase, Phase::Transferring { .. }));
                let before = std::mem::replace(&mut self.handed, now.map(|call| call.id));
                // Whom nobody took is here again.
                now.is_none() && before.is_some_and(|id| desk.call(id).is_none())
            }
        }
    }

    /// What to do now. `to` is a key's name by its command.
    fn words(&self, desk: &Desk, keymap: &Keymap) -> String {
        let key = |deed| keymap.key_of(deed).unwrap_or_else(|| "(no key)".into());
        let (answer, park) = (key(Deed::Enter), key(Deed::Park));
        let Some(step) = STEPS.get(self.done) else {
            let (help, palette, settings) = (key(Deed::Help), key(Deed::Palette), key(Deed::Settings));
            return format!(
                "That is most of a day. {help} shows every key, {palette} every command, {settings} the settings."
            );
        };
        let up = desk.hand().is_some_and(crate::desk::Call::is_up);
        match step {
            Step::Answer if desk.longest_ringing().is_some() => {
                format!("Somebody rings. {answer} answers whoever has waited longest.")
            }
            Step::Answer => format!("In a moment somebody rings. {answer} answers."),
            Step::Park | Step::Note | Step::Undo | Step::Transfer if !up => {
                format!("First have somebody on the line: {answer} answers the next caller.")
            }
            Step::Park => {
                format!("{park} parks the caller. A lamp turns ■, but only once the server says so.")
            }
            Step::Look => {
                let (other, calls) = (key(Deed::OtherPanel), key(Deed::Close));
                format!("{other} goes to the lamps: who waits, how long, by whom. {calls} goes back.")
            }
            Step::Retrieve => {
                let longest = key(Deed::RetrieveLongest);
                format!(
                    "{longest} takes the caller back, and so does the slot's own key, {}.",
                    key(Deed::Slot(0))
                )
            }
            Step::Note => {
                format!("{} writes a note. It stays with the caller, in a slot too.", key(Deed::Note))
            }
            Step::Undo => {
                format!("{park} again, then {} takes that park back while its seconds run.", key(Deed::Undo))
            }
            Step::Transfer => {
                format!("{}, a number or name (in the demo 101), {answer}: handed over.", key(Deed::Transfer))
            }
        }
    }
}

impl Console {
    /// Begins the first day's tour.
    pub fn begin_tour(&mut self) {
        self.tour = Some(Tour::default());
    }

    /// Lets the tour see what has happened. To be called with every picture.
    pub fn follow(&mut self, desk: &Desk) {
        let on_slots = self.slots_chosen(desk);
        if let Some(tour) = &mut self.tour
            && tour.follow(desk, on_slots)
        {
            self.tour = None;
        }
    }
}

/// Where the tour stands in what the calls leave of their panel, and what is left then.
pub(super) fn place(tour: Option<&Tour>, free: Rect) -> (Option<Rect>, Rect) {
    if tour.is_none() || free.height < LINES + LEAST_BELOW {
        return (None, free);
    }
    let rest = Rect { y: free.y + LINES, height: free.height - LINES, ..free };
    (Some(Rect { height: LINES, ..free }), rest)
}

/// Draws it; what is left of the panel.
pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    desk: &Desk,
    (tour, keymap): (Option<&Tour>, &Keymap),
    free: Rect,
) -> Rect {
    let (at, rest) = place(tour, free);
    let (Some(at), Some(tour)) = (at, tour) else { return rest };
    let ends = keymap.key_of(Deed::Tour).map(|key| format!(" · {key} ends it")).unwrap_or_default();
    let heading = match STEPS.get(tour.done) {
        Some(_) => format!("first day {}/{}{ends}", tour.done + 1, STEPS.len()),
        None => "first day: done".to_owned(),
    };
    let mut pen = canvas.line(at, at.y + 1);
    pen.skip(2);
    pen.say(&heading, "title.focus");
    let lines = wrap(&tour.words(desk, keymap), at.width.saturating_sub(4));
    for (y, line) in (at.y + 2..at.bottom()).zip(lines) {
        let mut pen = canvas.line(at, y);
        pen.skip(2);
        pen.say(&line, "notice.info");
    }
    rest
}
