//! Hostile peers: each row of what a user agent must hold, with its numbers, against the very engine of the console in
//! virtual time, from a seed. What needs the real program, a terminal or a socket is elsewhere; this is the index.
//!
//! | row | held by |
//! | --- | --- |
//! | NOTIFY storm, 500 subscriptions, 2,000/s | `storms::two_thousand_notifies_a_second_…`; drawn: `benches/latency` |
//! | version gap, regression, CSeq jump | `storms::a_jump_of_numbers_…`; `sip::agent::tests::subscriptions` |
//! | server restart with 500 subscriptions | `storms::a_restarted_server_…` |
//! | UDP loss, reorder, duplicates | `tests/simulation`; `sip::agent::tests::weather` |
//! | hostile names | `words::…`, `surfaces::…` (renderer, line mode, socket, journal); in a terminal: `tests/terminal/hostile` |
//! | hostile SDP, 46 kinds | `bodies::no_description_of_a_session_…` (offer, answer, re-offer) |
//! | XML bombs, DTD, depth, size | `bodies::no_document_…` |
//! | 200 ringing calls at once | `tests/peers_rude`: `of_two_hundred_callers_…`; `storms::more_callers_…` |
//! | 401, 407 and 302 loops | `authority::challenges_…`, `authority::a_registrar_…`; by SIPp: `tests/peers_rude/servers` |
//! | digest leak | `authority::credentials_…`; `sip::agent::tests::registrations` |
//! | REFER from the peer | `authority::nobody_but_the_operator_…`; by SIPp: `tests/peers_rude/callers` |
//! | mutated messages | `mutations::…` (20,000 here; 1,000,000 with `--run-ignored`); `tests/terminal/hostile`; `fuzz/` |
//! | strangers | `authority::a_stranger_rings_nobody_…` |
//! | bad certificates, stalled handshake, cut connections | `tests/peers_streams`; `io::tls`, `io::net` |
//! | RTP injection, garbage at 5,000/s | `io::sound::tests::injection_…`; `media::gate` |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what helps a test may fail it"
)]

mod authority;
mod bodies;
mod mutations;
mod names;
mod rig;
mod storms;
mod surfaces;
mod words;
