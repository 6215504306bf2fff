//! Asterisk's manager interface (AMI), sans-IO: who is parked, who parked him, how much time is left, who fetched him.
//!
//! `reader` cuts bytes into blocks, `block` reads and writes them, `parked` knows what a block says of a parked call,
//! `ledger` keeps who is parked and asks what may be shown, [`Session`] logs in, listens, and comes back after a loss.
//! An owner gives a session what happened to its connection, and every due moment; then takes what it wishes
//! ([`Wish`]) and what it knows ([`Fact`]).
//!
//! Measured on Asterisk 22.10: an event has number and name of a caller **also when he withholds them**, and no word
//! about that. So nobody's name leaves this module before the server has been asked (`CALLERID(pres)`) whether it may be
//! shown; until then, and if it may not, he is an identity that can only be compared.

mod block;
mod fact;
mod ledger;
mod login;
mod parked;
mod reader;
mod session;
#[cfg(test)]
mod tests;

pub use fact::Fact;
pub use parked::{Device, Parked};
pub use session::{Session, SessionConfig, Wish};
