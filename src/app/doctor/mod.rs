//! `parkdeck doctor`: examines the way to a live server and how it parks, the way a receptionist would use it, and says
//! what is misconfigured in the server's own words.
//!
//! It lives in `app` because it takes the desk's place around the very phones of the console ([`crate::dialect`]), with
//! the same sockets and the same sound path; only the carrier knows a clock.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `plan` | what is to be examined: the one place that reads the dialect |
//! | `examiner` | the machine: stages, one after another; bytes and time in, findings out |
//! | `intake` | bytes and reports, handed to whom they are for |
//! | `hearing` | what the phones say, kept |
//! | `witness` | what went over the wire, in whose words |
//! | `enquiry` | questions that no phone asks: OPTIONS, hints, who is registered, one codec |
//! | `line` `lamps` `call` `legs` `park` `fetch` `comeback` `leave` | the stages |
//! | `ami` | the manager interface, where one is configured |
//! | `advice` | the server's own words |
//! | `finding` | how an outcome is told |
//! | `carrier` | clock, sockets, media threads, terminal |
//! | `write` | what was found, put into the configuration |

mod advice;
mod ami;
mod call;
mod carrier;
mod comeback;
mod enquiry;
mod examiner;
mod fetch;
mod finding;
mod hearing;
mod intake;
mod lamps;
mod leave;
mod legs;
mod line;

mod park;
mod plan;
mod witness;
mod write;

pub(super) use carrier::{Examined, examine_account};
pub use carrier::{Start, run};
pub(super) use finding::{Finding, Verdict};
pub use plan::Wish;
pub(super) use plan::in_short;
pub(super) use write::backup_of;
