//! `parkdeck replay FILE`: a recorded session's screens again; and how a session is recorded.
//!
//! A recording is an asciicast, version 2: a line of JSON for the size, one for each picture. Any player of that format
//! shows it. Events of a kind of their own say who is on the screens, so that `--mask` can hide them. A file may be from
//! anybody: its bytes never reach the terminal, only the cells that a terminal of our own makes of them.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `film` | the file: read strictly, bounded, written |
//! | `record` | a session becomes a file |
//! | `project` | which screen is shown at which moment |
//! | `mask` | names and numbers, hidden |
//! | `play` | keys, time and the terminal |

mod film;
mod mask;
mod play;
mod project;
mod record;
#[cfg(test)]
mod tests;

pub use film::{Film, FilmError};
pub use play::{Wish, run};
pub use project::Projector;
pub(super) use record::Recording;
