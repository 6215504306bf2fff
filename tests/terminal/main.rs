//! The real binary in a terminal, as an operator, a stranger on the network and a careless administrator meet it:
//! what it says, what it survives, and that the terminal comes back whole.
//!
//! | file | what is shown |
//! | --- | --- |
//! | `rig` | how the binary is started, and a configuration around a server |
//! | `speaker` | a small SIP server and caller of our own, that says what no well-bred one would |
//! | `restore` | the terminal after every kind of end |
//! | `files` | configuration, passwords, the plain commands |
//! | `server` | servers that are away, unknown, or refuse us |
//! | `hostile` | garbage, names with teeth, a terminal that no longer reads |
//! | `line` | line mode through a pipe |
//! | `replay` | the ladder, and recorded sessions |
//! | `setup` | the wizard, with right answers and with each wrong one |
//! | `looks` | sizes, themes, NO_COLOR |
//! | `settings` | what is changed while the console runs; the wallboard |
//! | `show` | the demo, played by keys |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what helps a test may fail it")]

#[path = "../hostile/names.rs"]
mod names;
#[path = "../peers/mod.rs"]
mod peers;

mod files;
mod hostile;
mod line;
mod looks;
mod replay;
mod restore;
mod rig;
mod server;
mod settings;
mod setup;
mod show;
mod speaker;
