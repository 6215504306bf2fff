//! `parkdeck wallboard`: shows a running console's slots and waits for a whole room, over its control socket. It asks for
//! nothing but to be told, survives the console's end, and says so.

use super::control::{AccountView, CallView, Reply, SlotView, View};
use super::theme::{fitted, theme};
use crate::config::{CallersShown, Config};
use crate::console::{Wall, WallLamp, WallSlot, draw_wall};
use crate::io::terminal::Screen;
use crate::parking::Text;
use color_eyre::eyre::eyre;
use crossterm::event::{Event, EventStream, KeyCode, KeyEventKind, KeyModifiers};
use futures_util::StreamExt;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use unicode_segmentation::UnicodeSegmentation;

/// How soon a console that isn't there is looked for again.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest line that a console tells, in bytes: a status of 500 slots and 64 calls has a quarter of it.
const MAX_LINE: u64 = 1024 * 1024;
/// Lines that may wait to be shown.
const LINES_MAX: usize = 64;
/// How often the picture is drawn when nothing happens: waits count in seconds.
const TICK: Duration = Duration::from_secs(1);

/// What the wallboard is started with.
pub struct Start {
    /// The console's socket.
    pub socket: PathBuf,
    /// The theme, and the folder of the user's own.
    pub theme: Option<String>,
    /// The folder of the user's own themes.
    pub themes: PathBuf,
    /// How much of callers is shown.
    pub callers: CallersShown,
    /// Where stray output goes meanwhile.
    pub log: PathBuf,
}

impl Start {
    /// As the configuration says; without one, as if nothing were said.
    pub fn new(socket: PathBuf, config: Option<&Config>, file: &Path, log: PathBuf) -> Self {
        Self {
            socket,
            theme: config.and_then(|config| config.screen.theme.clone()),
            themes: file.parent().unwrap_or(Path::new(".")).join("themes"),
            callers: config.map(|config| config.wallboard.callers).unwrap_or_default(),
            log,
        }
    }
}

/// Runs until `q`. Blocks.
///
/// # Errors
/// When the terminal can't be drawn on, or there is no such theme.
pub fn run(start: &Start) -> color_eyre::Result<()> {
    let theme = fitted(theme(start.theme.as_deref(), Some(&start.themes))?);
    let mut screen = Screen::take(false, Some(&start.log))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shown = runtime.block_on(async {
        let (tell, mut told) = mpsc::channel(LINES_MAX);
        let listening = tokio::spawn(listen(start.socket.clone(), tell));
        let (mut keys, mut seen) = (EventStream::new(), Seen::default());
        let (mut terminate, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
        loop {
            let clock = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
            let wall = seen.wall(Instant::now(), start.callers, clock);
            screen.draw(|frame| draw_wall(frame, &wall, &theme))?;
            tokio::select! {
                event = keys.next() => match event {
                    Some(Ok(event)) if is_end(&event) => break,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break,
                },
                Some(news) = told.recv() => seen.take(Instant::now(), news),
                _ = terminate.recv() => break,
                _ = hang_up.recv() => break,
                () = tokio::time::sleep(TICK) => {}
            }
        }
        listening.abort();
        std::io::Result::Ok(())
    });
    drop(screen);
    shown.map_err(|error| eyre!("the terminal could not be drawn on: {error}"))
}

fn is_end(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press && (interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc))
}

/// What comes from the console.
#[derive(Debug)]
enum News {
    /// The board as it is.
    All(Box<View>),
    /// Something has changed.
    Changed(Box<Change>),
    /// Nobody tells any more, or nobody did: why.
    Gone(String),
}

/// A line after the first: only what is shown is read.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Change {
    Call {
        call: CallView,
    },
    Gone {
        call: CallView,
    },
    Slot {
        slot: SlotView,
    },
    Desk {
        accounts: Vec<AccountView>,
        do_not_disturb: bool,
        night: bool,
    },
    #[serde(other)]
    Other,
}

/// Listens to the console for ever, also to the next one.
async fn listen(socket: PathBuf, tell: mpsc::Sender<News>) {
    loop {
        let why = match hear(&socket, &tell).await {
            Ok(()) => "the console has ended".to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => error.to_string(),
            Err(_) => "no console is running here".to_owned(),
        };
        if tell.send(News::Gone(why)).await.is_err() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Listens until the console ends.
async fn hear(socket: &Path, tell: &mpsc::Sender<News>) -> std::io::Result<()> {
    let (read, mut write) = UnixStream::connect(socket).await?.into_split();
    write.write_all(b"{\"do\":\"watch\"}\n").await?;
    let mut read = BufReader::new(read);
    let first = line(&mut read).await?;
    let reply: Reply = first.as_deref().map(parse).transpose()?.unwrap_or_default();
    let Some(view) = reply.status else { return Ok(()) };
    let _ = tell.send(News::All(Box::new(view))).await;
    while let Some(text) = line(&mut read).await? {
        let _ = tell.send(News::Changed(Box::new(parse(&text)?))).await;
    }
    Ok(())
}

/// The next line; `None` at the end.
async fn line(read: &mut BufReader<OwnedReadHalf>) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let count = read.take(MAX_LINE).read_until(b'\n', &mut bytes).await?;
    Ok((count > 0).then_some(bytes))
}

fn parse<'t, T: Deserialize<'t>>(text: &'t [u8]) -> std::io::Result<T> {
    let unread =
        |_| std::io::Error::new(std::io::ErrorKind::InvalidData, "the console's words can't be read");
    serde_json::from_slice(text).map_err(unread)
}

/// Something with seconds, and when it was told.
type At<T> = (T, Instant);

/// The console's board as it was told.
#[derive(Default)]
struct Seen {
    accounts: Vec<AccountView>,
    calls: Vec<At<CallView>>,
    slots: Vec<At<SlotView>>,
    night: bool,
    do_not_disturb: bool,
    /// Why nobody tells, and since when.
    gone: Option<(String, Instant)>,
}

impl Seen {
    fn take(&mut self, now: Instant, news: News) {
        match news {
            News::All(view) => {
                let View { accounts, calls, slots, night, do_not_disturb, .. } = *view;
                *self = Self {
                    accounts,
                    calls: calls.into_iter().map(|call| (call, now)).collect(),
                    slots: slots.into_iter().map(|slot| (slot, now)).collect(),
                    night,
                    do_not_disturb,
                    gone: None,
                };
            }
            News::Changed(change) => self.change(now, *change),
            News::Gone(why) => {
                // Since the first time: the console is looked for every second.
                let since = self.gone.as_ref().map_or(now, |(_, since)| *since);
                let first = self.gone.as_ref().map(|(why, _)| why.clone());
                self.gone = Some((first.unwrap_or(why), since));
            }
        }
    }

    fn change(&mut self, now: Instant, change: Change) {
        match change {
            Change::Call { call } => match self.calls.iter_mut().find(|(known, _)| known.call == call.call) {
                Some(known) => *known = (call, now),
                None => self.calls.push((call, now)),
            },
            Change::Gone { call } => self.calls.retain(|(known, _)| known.call != call.call),
            Change::Slot { slot } => {
                let is = |known: &SlotView| (&known.slot, &known.account) == (&slot.slot, &slot.account);
                if let Some(known) = self.slots.iter_mut().find(|(known, _)| is(known)) {
                    *known = (slot, now);
                }
            }
            Change::Desk { accounts, do_not_disturb, night } => {
                (self.accounts, self.do_not_disturb, self.night) = (accounts, do_not_disturb, night);
            }
            Change::Other => {}
        }
    }

    /// What is on the wall now.
    fn wall(&self, now: Instant, callers: CallersShown, clock: String) -> Wall {
        let gone = self.gone.is_some();
        let since = |at: &Instant| now.saturating_duration_since(*at).as_secs();
        let slot = |(slot, at): &At<SlotView>| WallSlot {
            id: Text::new(&slot.slot),
            // Nobody says any more that it is so.
            lamp: if gone { WallLamp::Unknown } else { lamp(&slot.lamp) },
            who: slot.parked.as_ref().map(|p| who(callers, &p.label, &p.number, &p.note)).unwrap_or_default(),
            wait_s: slot.parked.as_ref().map_or(0, |parked| parked.seconds + since(at)),
        };
        let calls =
            |state: &'static str| self.calls.iter().filter(move |(call, _)| !gone && call.state == state);
        let longest = calls("ringing").map(|(call, at)| call.waiting + since(at)).max();
        Wall {
            title: self.title(),
            trouble: self.trouble(now),
            clock,
            slots: self.slots.iter().map(slot).collect(),
            ringing: (calls("ringing").count(), longest.unwrap_or(0)),
            talking: calls("talking").count(),
            held: calls("held").count(),
            night: self.night && !gone,
            do_not_disturb: self.do_not_disturb && !gone,
        }
    }

    fn title(&self) -> Text {
        let names: Vec<&str> = self.accounts.iter().map(|account| account.name.as_str()).collect();
        Text::new(&names.join(", "))
    }

    fn trouble(&self, now: Instant) -> String {
        if let Some((why, since)) = &self.gone {
            let seconds = now.saturating_duration_since(*since).as_secs();
            let ago = format!("{}:{:02}", seconds / 60, seconds % 60);
            return format!("{why} ({ago} ago) · what is here is not known any more · waiting for it");
        }
        let away: Vec<&str> = self
            .accounts
            .iter()
            .filter(|account| !account.registered)
            .map(|account| account.name.as_str())
            .collect();
        if away.is_empty() {
            return String::new();
        }
        Text::new(&format!("not registered: {}", away.join(", "))).to_string()
    }
}

fn lamp(word: &str) -> WallLamp {
    match word {
        "free" => WallLamp::Free,
        "parked" => WallLamp::Parked,
        "ringing_back" => WallLamp::RingingBack,
        "stale" => WallLamp::Stale,
        "refused" => WallLamp::Refused,
        _ => WallLamp::Unknown,
    }
}

/// Digits of a number that are left at its end.
const DIGITS_LEFT: usize = 2;

/// A caller as far as everybody in the room may know.
fn who(callers: CallersShown, label: &str, number: &str, note: &str) -> Text {
    let shown = match callers {
        CallersShown::Hidden => String::new(),
        CallersShown::Shown => {
            let number = if label == number { "" } else { number };
            let note = if note.is_empty() { String::new() } else { format!(" → {note}") };
            format!("{label} {number}{note}")
        }
        CallersShown::Masked => {
            let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit() || "+*# ()-./".contains(c));
            let initials = label.split_whitespace().filter_map(|word| word.graphemes(true).next());
            let initials: Vec<String> = initials.take(4).map(|initial| format!("{initial}.")).collect();
            let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
            // Of a short number the end is nearly all of it.
            let tail = match digits.len() {
                0..=4 => String::new(),
                n => format!(" …{}", digits[n - DIGITS_LEFT..].iter().collect::<String>()),
            };
            if is_number(label) { tail } else { format!("{}{tail}", initials.join(" ")) }
        }
    };
    Text::new(shown.trim())
}

#[cfg(test)]
mod tests {
    use super::super::control::ParkedView;
    use super::*;

    fn masked(label: &str, number: &str) -> String {
        who(CallersShown::Masked, label, number, "for Sam Hill").to_string()
    }

    #[test]
    fn nobody_in_the_room_learns_who_waits_unless_it_may_be_shown() {
        assert_eq!(masked("Jane Doe", "0161 496 0100"), "J. D. …00");
        assert_eq!(masked("07700900123", "07700900123"), "…23");
        assert_eq!(masked("Sam", "101"), "S.");
        assert_eq!(masked("withheld", ""), "w.");
        assert_eq!(masked("王 芳", "+8613800001234"), "王. 芳. …34");
        assert_eq!(masked("\u{1b}[31mE\u{301}va", ""), masked("\u{1b}[31mE\u{301}va", ""));
        assert!(!masked("\u{1b}[31mx", "").contains('\u{1b}'));
        assert_eq!(who(CallersShown::Hidden, "Jane", "123456", "x").as_str(), "");
        assert_eq!(who(CallersShown::Shown, "Jane", "123456", "x").as_str(), "Jane 123456 → x");
    }

    fn view() -> View {
        let parked = ParkedView {
            label: "Jane Doe".into(),
            number: "01614960100".into(),
            seconds: 30,
            ..ParkedView::default()
        };
        let slot = |slot: &str, lamp: &str, parked: Option<ParkedView>| SlotView {
            slot: slot.into(),
            lamp: lamp.into(),
            parked,
            ..SlotView::default()
        };
        View {
            accounts: vec![AccountView { name: "front".into(), registered: true, round_trip_ms: None }],
            slots: vec![slot("701", "parked", Some(parked)), slot("702", "free", None)],
            calls: vec![CallView { call: 7, state: "ringing".into(), waiting: 4, ..CallView::default() }],
            ..View::default()
        }
    }

    #[test]
    fn waits_count_on_and_changes_are_taken_over() {
        let (mut seen, began) = (Seen::default(), Instant::now());
        let at = |s| began + Duration::from_secs(s);
        seen.take(began, News::All(Box::new(view())));
        let wall = seen.wall(at(10), CallersShown::Masked, String::new());
        assert_eq!((wall.slots[0].wait_s, wall.ringing, wall.trouble.as_str()), (40, (1, 14), ""));
        let told = |text: &str| News::Changed(Box::new(parse(text.as_bytes()).unwrap()));
        let call = serde_json::to_string(&CallView { call: 7, ..CallView::default() }).unwrap();
        seen.take(at(11), told(&format!("{{\"event\":\"gone\",\"call\":{call}}}")));
        seen.take(at(11), told("{\"event\":\"notice\",\"severity\":\"info\",\"text\":\"x\"}"));
        let slot = serde_json::to_string(&SlotView {
            slot: "701".into(),
            lamp: "free".into(),
            ..SlotView::default()
        });
        seen.take(at(11), told(&format!("{{\"event\":\"slot\",\"slot\":{}}}", slot.unwrap())));
        let wall = seen.wall(at(12), CallersShown::Masked, String::new());
        assert_eq!((wall.slots[0].lamp, wall.ringing), (WallLamp::Free, (0, 0)));
    }

    #[test]
    fn when_the_console_has_ended_no_lamp_is_believed_and_the_next_console_is_shown() {
        let (mut seen, began) = (Seen::default(), Instant::now());
        let at = |s| began + Duration::from_secs(s);
        seen.take(began, News::All(Box::new(view())));
        seen.take(at(5), News::Gone("the console has ended".to_owned()));
        seen.take(at(6), News::Gone("no console is running here".to_owned()));
        let wall = seen.wall(at(70), CallersShown::Masked, String::new());
        assert!(wall.trouble.starts_with("the console has ended (1:05 ago)"), "{}", wall.trouble);
        assert!(wall.slots.iter().all(|slot| slot.lamp == WallLamp::Unknown));
        assert_eq!(wall.ringing, (0, 0));
        seen.take(at(71), News::All(Box::new(view())));
        assert_eq!(seen.wall(at(71), CallersShown::Masked, String::new()).trouble, "");
    }
}
