//! Line mode: the demo through a pipe, as a screen reader or a script has it.

use crate::peers::pty::xdg_folders;
use crate::peers::wait_until;
use crate::rig::{LEAVING, PARKDECK, SOON};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A console in line mode with pipes for its input and output.
struct Lines {
    child: Child,
    out: Arc<Mutex<String>>,
    /// Up to where what was written was looked at.
    seen: usize,
    _home: tempfile::TempDir,
}

impl Lines {
    fn demo(seed: u64) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(PARKDECK);
        command.args(["demo", "--line", "--silent", "--seed", &seed.to_string()]).env_clear();
        command.env("HOME", home.path()).envs(xdg_folders(home.path()));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = Arc::new(Mutex::new(String::new()));
        let (mut read, into) = (child.stdout.take().unwrap(), Arc::clone(&out));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = read.read(&mut bytes) {
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        Self { child, out, seen: 0, _home: home }
    }

    fn type_line(&mut self, line: &str) {
        // It may be gone already, after "quit".
        let _ = self.child.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes());
    }

    /// Waits for a line with this in it, behind those that were waited for before.
    #[track_caller]
    fn wait(&mut self, words: &str) {
        let found = wait_until(&format!("“{words}”"), SOON * 2, || {
            let out = self.out.lock().unwrap();
            let at = out.get(self.seen..)?.find(words)? + self.seen;
            let end = at + out[at..].find('\n')?;
            Some(end)
        });
        self.seen = found;
    }

    fn all(&self) -> String {
        self.out.lock().unwrap().clone()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_demo_is_played_through_a_pipe() {
    let mut lines = Lines::demo(24);
    lines.wait("This is parkdeck in line mode.");
    lines.wait("rings: Jane Doe, 01614960100.");
    lines.type_line("");
    lines.wait("Talking to Jane Doe.");
    lines.type_line("note about the invoice");
    lines.wait("Note of Jane Doe: about the invoice.");
    lines.type_line("park");
    lines.wait("Jane Doe is parked on 701. u takes it back.");
    lines.type_line("und");
    lines.wait("Jane Doe is back from 701 (exact).");
    lines.type_line("p 703");
    lines.wait("Jane Doe is parked on 703.");
    lines.type_line("703");
    lines.wait("Jane Doe is back from 703 (exact).");
    lines.type_line("who");
    lines.wait("note: about the invoice");
    lines.type_line("transfer");
    lines.wait("Transfer Jane Doe: to whom?");
    lines.type_line("sam");
    lines.wait("To Sam, ext 101, free.");
    lines.wait("Jane Doe was handed to 101.");
    lines.type_line("journal jane");
    lines.wait("Jane Doe, 01614960100, ");
    lines.type_line("quit");
    // The second caller may have begun to ring: then it is asked first.
    lines.type_line("quit");
    let mut child = std::mem::replace(&mut lines.child, Command::new("true").spawn().unwrap());
    let status = wait_until("the end", LEAVING * 2, || child.try_wait().unwrap());
    assert!(status.success(), "{status}");
    let steers = |c: &char| c.is_control() && *c != '\n';
    assert_eq!(lines.all().chars().find(steers), None, "no cursor is moved and nothing coloured");
}

#[test]
fn the_end_of_the_input_ends_the_console() {
    let mut lines = Lines::demo(26);
    lines.wait("This is parkdeck in line mode.");
    drop(lines.child.stdin.take());
    lines.wait("The input has ended");
    let status = wait_until("the end", LEAVING * 2, || lines.child.try_wait().unwrap());
    assert!(status.success(), "{status}");
}
