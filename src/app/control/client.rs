//! The one-shot commands: one request to a running console, its answer printed.

use super::protocol::{Reply, Request, Verb};
use super::view::{CallView, View};
use color_eyre::eyre::{Context, eyre};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to a running console.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When no console runs.
    pub fn connect(socket: &Path) -> color_eyre::Result<Self> {
        let stream = UnixStream::connect(socket)
            .map_err(|_| eyre!("no console is running here (nobody listens at {})", socket.display()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// When none comes.
    pub fn ask(&mut self, verb: Verb) -> color_eyre::Result<Reply> {
        let request = serde_json::to_string(&Request { id: None, verb })?;
        self.stream.get_mut().write_all(format!("{request}\n").as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line).wrap_err("the console did not answer")?;
        serde_json::from_str(&line).wrap_err("the console's answer can't be read")
    }

    /// Passes on everything that the console tells from now on, until it ends.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn watch(mut self, out: &mut impl Write) -> color_eyre::Result<()> {
        let reply = self.ask(Verb::Watch)?;
        self.stream.get_mut().set_read_timeout(None)?;
        writeln!(out, "{}", serde_json::to_string(&reply)?)?;
        let mut line = String::new();
        while self.stream.read_line(&mut line)? > 0 {
            out.write_all(line.as_bytes())?;
            out.flush()?;
            line.clear();
        }
        Ok(())
    }

    /// The board as it is.
    ///
    /// # Errors
    /// When no answer comes.
    pub fn status(&mut self) -> color_eyre::Result<View> {
        self.ask(Verb::Status)?.status.ok_or_else(|| eyre!("the console told no status"))
    }

    /// Which call is meant: the one named, else the only one for which the command makes sense.
    ///
    /// # Errors
    /// When none or several could be meant; they are listed.
    pub fn call_meant(&mut self, named: Option<u64>, states: &[&str]) -> color_eyre::Result<u64> {
        if let Some(call) = named {
            return Ok(call);
        }
        let view = self.status()?;
        let fits: Vec<&CallView> =
            view.calls.iter().filter(|call| states.contains(&call.state.as_str())).collect();
        match fits.as_slice() {
            [only] => Ok(only.call),
            [] => Err(eyre!("no call is {}", states.join(" or "))),
            several => {
                let list: Vec<String> = several
                    .iter()
                    .map(|c| format!("\n  {}  {}  {} {}", c.call, c.state, c.label, c.number))
                    .collect();
                Err(eyre!("several calls could be meant: name one by its number{}", list.concat()))
            }
        }
    }
}

/// The board in words.
pub fn lines(view: &View) -> Vec<String> {
    let clock = |seconds: u64| format!("{}:{:02}", seconds / 60, seconds % 60);
    let mut lines: Vec<String> = view
        .accounts
        .iter()
        .map(|account| {
            let state = if account.registered { "registered" } else { "NOT registered" };
            let trip = account.round_trip_ms.map(|ms| format!(", {ms} ms")).unwrap_or_default();
            format!("account {}: {state}{trip}", account.name)
        })
        .collect();
    if view.do_not_disturb || view.night {
        lines.push(if view.night { "night: new calls are sent on" } else { "do not disturb" }.to_owned());
    }
    for call in &view.calls {
        let hand = if view.in_hand == Some(call.call) { "▶" } else { " " };
        let note = if call.note.is_empty() { String::new() } else { format!(" → {}", call.note) };
        let time = clock(if call.state == "ringing" { call.waiting } else { call.seconds });
        lines.push(format!(
            "{hand} call {}  {}  {time}  {}  {}{note}",
            call.call, call.state, call.label, call.number
        ));
    }
    for slot in &view.slots {
        if let Some(parked) = &slot.parked {
            let note = if parked.note.is_empty() { String::new() } else { format!(" → {}", parked.note) };
            lines.push(format!(
                "  slot {}  {}  {}  {}  {}{note}",
                slot.slot,
                slot.lamp,
                clock(parked.seconds),
                parked.label,
                parked.number
            ));
        }
    }
    let free = view.slots.iter().filter(|slot| slot.lamp == "free").count();
    lines.push(format!("{} calls, {free} of {} slots free", view.calls.len(), view.slots.len()));
    lines
}
