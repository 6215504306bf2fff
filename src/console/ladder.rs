//! The window that shows a call's SIP messages as a ladder: arrows between us and whom they went to, and one message in
//! full. What it shows was redacted before it came here.

use super::overlay::Outcome;
use super::paint::{Canvas, columns, fit};
use super::windows::open;
use crate::desk::{CallId, Desk};
use crate::parking::Moment;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

/// The most messages that are shown; of more the newest.
pub const MAX_LADDER: usize = 200;
/// The most far ends with a lane of their own; what goes to others is drawn to the last.
const MAX_LANES: usize = 3;
/// Columns for the time.
const TIME: u16 = 9;

/// One message, redacted and plain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LadderMessage {
    /// When it came or went.
    pub at: Moment,
    /// It went out.
    pub ours: bool,
    /// The far end: transport, address and port.
    pub peer: String,
    /// Method and target, or status and what it answers.
    pub summary: String,
    /// All of it, line by line.
    pub lines: Vec<String>,
}

/// The window, bound to the call that was in hand when it was opened.
#[derive(Clone, Debug, Default)]
pub(super) struct LadderWindow {
    /// Whose messages; `None`: of all calls and none.
    pub(super) call: Option<CallId>,
    who: String,
    messages: Vec<LadderMessage>,
    chosen: usize,
    /// The chosen message is open, from this line on.
    open: Option<usize>,
}

impl LadderWindow {
    /// Opens for the call in hand, else for everything.
    pub(super) fn new(desk: &Desk) -> Self {
        let hand = desk.hand();
        let who = hand.map(|call| desk.label(&call.party).to_owned()).unwrap_or_default();
        Self { call: hand.map(|call| call.id), who, ..Self::default() }
    }

    /// The messages as they are now. The newest stays chosen when it was.
    pub(super) fn take(&mut self, mut messages: Vec<LadderMessage>) {
        messages.drain(..messages.len().saturating_sub(MAX_LADDER));
        let last = |messages: &[LadderMessage]| messages.len().saturating_sub(1);
        let follows = self.chosen == last(&self.messages) && self.open.is_none();
        // The oldest may have made room: what is looked at stays the same message.
        let at = self.messages.get(self.chosen).map(|message| (message.at, message.ours));
        let same = at.and_then(|at| messages.iter().position(|message| (message.at, message.ours) == at));
        self.chosen =
            if follows { last(&messages) } else { same.unwrap_or(self.chosen).min(last(&messages)) };
        self.messages = messages;
    }

    /// Everything that is shown, for whoever has it read out.
    pub(super) fn messages(&self) -> &[LadderMessage] {
        &self.messages
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> Outcome {
        let lines = self.messages.get(self.chosen).map_or(0, |message| message.lines.len());
        let last = self.messages.len().saturating_sub(1);
        let step = |at: usize, most: usize, code| match code {
            KeyCode::Up => at.saturating_sub(1),
            KeyCode::Down => (at + 1).min(most),
            KeyCode::PageUp => at.saturating_sub(10),
            KeyCode::PageDown => (at + 10).min(most),
            KeyCode::Home => 0,
            KeyCode::End => most,
            _ => at,
        };
        match (key.code, &mut self.open) {
            (KeyCode::Enter, open @ None) if lines > 0 => *open = Some(0),
            (KeyCode::Enter, open) => *open = None,
            (code, Some(first)) => *first = step(*first, lines.saturating_sub(1), code),
            (code, None) => self.chosen = step(self.chosen, last, code),
        }
        Outcome::Stays
    }

    /// Draws it.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) {
        match (self.open, self.messages.get(self.chosen)) {
            (Some(first), Some(message)) => draw_message(canvas, message, first, area),
            _ => self.draw_ladder(canvas, area),
        }
    }

    fn draw_ladder(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let whose = if self.call.is_some() { self.who.as_str() } else { "everything" };
        let inside = open(canvas, area, &format!("ladder · {whose} · enter opens a message"));
        let peers = peers(&self.messages);
        if peers.is_empty() {
            canvas.line(inside, inside.y).say("no message yet", "dim");
            return;
        }
        let lanes = Lanes::of(inside, peers.len());
        canvas.line(inside, inside.y).say("seconds", "dim");
        lanes.name(canvas, inside.y, 0, "us");
        for (nth, peer) in peers.iter().enumerate() {
            lanes.name(canvas, inside.y, nth + 1, peer);
        }
        let list = Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside };
        let shown = usize::from(list.height).max(1);
        let first = self.chosen.saturating_sub(shown - 1);
        let began = self.messages.first().map_or(Moment::ZERO, |message| message.at);
        for ((nth, message), y) in self.messages.iter().enumerate().skip(first).zip(list.y..list.bottom()) {
            if nth == self.chosen {
                let style = canvas.style("chosen");
                canvas.tint(Rect { y, height: 1, ..list }, style);
            }
            let since = message.at.saturating_sub(began);
            let time = format!("{:>8.3}", since.as_secs_f64());
            canvas.line(list, y).say(&time, "dim");
            let lane = peers.iter().position(|peer| *peer == message.peer).unwrap_or(peers.len() - 1);
            lanes.arrow(canvas, y, lane + 1, message);
        }
    }
}

/// The far ends, in the order in which they were spoken to first.
fn peers(messages: &[LadderMessage]) -> Vec<String> {
    let mut peers: Vec<String> = Vec::new();
    for message in messages {
        if peers.len() < MAX_LANES && !peers.contains(&message.peer) {
            peers.push(message.peer.clone());
        }
    }
    peers
}

fn draw_message(canvas: &mut Canvas<'_>, message: &LadderMessage, first: usize, area: Rect) {
    let way = if message.ours { "to" } else { "from" };
    let inside = open(canvas, area, &format!("{} · {way} {}", message.summary, message.peer));
    for (y, line) in (inside.top()..inside.bottom()).zip(message.lines.iter().skip(first)) {
        canvas.line(inside, y).say(line, "overlay");
    }
    let below = message.lines.len().saturating_sub(first + usize::from(inside.height));
    if below > 0 {
        let style = canvas.style("overlay.title");
        let y = area.bottom().saturating_sub(1);
        canvas.put(area.x + 2, y, area.width, &format!(" {below} more · ↓ "), style);
    }
}

/// Where the vertical lines stand; ours is the first.
struct Lanes {
    first: u16,
    between: u16,
    count: u16,
    right: u16,
}

impl Lanes {
    fn of(inside: Rect, peers: usize) -> Self {
        let count = u16::try_from(peers).unwrap_or(1).max(1);
        let first = inside.x + TIME;
        let room = inside.right().saturating_sub(first + 1);
        Self { first, between: room / count, count, right: inside.right() }
    }

    fn at(&self, lane: usize) -> u16 {
        self.first + self.between.saturating_mul(u16::try_from(lane).unwrap_or(self.count).min(self.count))
    }

    /// What stands over a lane: to the left of the last one, so that it isn't cut off.
    fn name(&self, canvas: &mut Canvas<'_>, y: u16, lane: usize, name: &str) {
        let style = canvas.style("overlay.title");
        let name = fit(name, self.between.saturating_sub(2));
        let wanted = columns(&name);
        let at = self.at(lane);
        let x = if at + wanted >= self.right { at.saturating_sub(wanted.saturating_sub(1)) } else { at };
        canvas.put(x, y, wanted, &name, style);
    }

    /// All lanes, and the arrow of one message.
    fn arrow(&self, canvas: &mut Canvas<'_>, y: u16, lane: usize, message: &LadderMessage) {
        let (line, words) =
            (canvas.style("dim"), canvas.style(if message.ours { "overlay.key" } else { "overlay" }));
        for lane in 0..=usize::from(self.count) {
            canvas.put(self.at(lane), y, 1, "│", line);
        }
        let (from, to) = (self.at(0) + 1, self.at(lane));
        let room = to.saturating_sub(from);
        if room < 4 {
            return;
        }
        let label = format!(" {} ", message.summary);
        let label = fit(&label, room.saturating_sub(4));
        let rest = usize::from(room.saturating_sub(columns(&label) + 3));
        let (head, tail) = if message.ours { ("──", "▶") } else { ("◀─", "─") };
        let text = format!("{head}{label}{}{tail}", "─".repeat(rest));
        canvas.put(from, y, room, &text, words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn message(at: u64, ours: bool, peer: &str, summary: &str) -> LadderMessage {
        let lines = vec![summary.to_owned(), "Call-ID: x".to_owned()];
        LadderMessage {
            at: Duration::from_millis(at),
            ours,
            peer: peer.into(),
            summary: summary.into(),
            lines,
        }
    }

    #[test]
    fn the_newest_stays_chosen_until_somebody_looks_at_another() {
        let mut window = LadderWindow::default();
        window.take(vec![message(0, true, "a", "INVITE"), message(1, false, "a", "100")]);
        assert_eq!(window.chosen, 1);
        window.key(KeyCode::Up.into());
        window.take(vec![
            message(0, true, "a", "INVITE"),
            message(1, false, "a", "100"),
            message(2, false, "a", "200"),
        ]);
        assert_eq!(window.chosen, 0);
        // The oldest has made room.
        window.key(KeyCode::Down.into());
        window.take(vec![message(1, false, "a", "100"), message(2, false, "a", "200")]);
        assert_eq!(window.messages[window.chosen].summary, "100");
    }

    #[test]
    fn it_is_bounded() {
        let mut window = LadderWindow::default();
        window.take((0..1_000).map(|at| message(at, true, &format!("peer {at}"), "OPTIONS")).collect());
        assert_eq!((window.messages.len(), peers(&window.messages).len()), (MAX_LADDER, MAX_LANES));
    }
}
