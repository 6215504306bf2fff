//! What the operator's headset plays beside calls, and where the live page is heard: through a real sound path, on both
//! sides of the server.

use super::*;
use peers::tone::{loudness, purity};
use std::time::Instant;

/// The waiting tone, Hz.
const WAITING_HZ: f64 = 660.0;
/// Pieces of 50 ms in which that tone is sought: half of one of its two beeps and less.
const PIECE: usize = 400;
/// The least amplitude that counts, a fifth of what is played; other tones leak less than a tenth of it into a piece.
const LEAST: f64 = 800.0;

/// Pieces in which the waiting tone is heard, whatever else is.
fn waiting_tone(heard: &[i16]) -> usize {
    let amplitude = |piece: &[i16]| loudness(piece) * (2.0 * purity(piece, WAITING_HZ)).sqrt();
    heard.chunks_exact(PIECE).filter(|piece| amplitude(piece) >= LEAST).count()
}

/// Waits until both beeps have been heard in the headset, counted from there.
fn wait_waiting_tone(card: &SoundCard, from: usize) {
    let both = || (waiting_tone(&card.played()[from..]) >= 3).then_some(());
    peers::wait_until("the waiting tone in the headset", SOON, both);
}

#[test]
fn the_waiting_tone_sounds_in_an_idle_headset_only_and_a_live_page_is_heard_by_the_page_group_alone() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let card = SoundCard::start(OPERATOR_HZ as u32);
    let bob = Baresip::start(&phone(&asterisk, "bob", 700.0).answering());
    asterisk.wait_for_registration("bob", SOON);
    let lot = "escalate = [1, 5]\npage = \"102\"\npage_voice = \"live\"\n".to_string();
    let console = Console::start(&ConsoleOptions { card: Some(&card), lot, ..reception(&asterisk) });
    console.wait_ready(asterisk.slots());

    // Jane waits too long, and nobody is spoken to: two beeps, for the operator alone.
    let jane = answered(&console, &jane(&asterisk));
    assert!(card.hears(JANE_HZ, SOON));
    let from = card.played().len();
    park(&console, 701, "Jane Doe");
    wait_waiting_tone(&card, from);

    // The page: the group hears the operator, and the one who is parked hears music.
    let paged = Instant::now();
    console.keys("G");
    bob.wait_established(SOON);
    console.wait_text("say: a call is parked on 701");
    assert!(bob.hears(OPERATOR_HZ, SOON), "the page group hears the operator");
    assert!(card.hears(700.0, SOON), "and is heard");
    console.keys("x");
    bob.wait_closed(SOON);
    console.wait_calls(0, SOON);
    assert_eq!(tone_ms(&jane.voice().heard_since(paged), OPERATOR_HZ), 0, "a parked caller hears no page");
    assert_eq!((asterisk.parked(), jane.is_up()), (vec![701], true));

    // Peter waits too long while Jane is spoken to: neither of the two hears a beep.
    let peter = answered(&console, &stranger(&asterisk, "100", "Peter Walsh", "02079460123"));
    park(&console, 702, "Peter Walsh");
    console.wait_calls(0, SOON);
    console.keys("1");
    console.wait_call(&["▶", "talking", "Jane Doe", "verified"], SOON);
    assert!(jane.voice().hears(OPERATOR_HZ, SOON) && card.hears(JANE_HZ, SOON));
    let (talking, from) = (Instant::now(), card.played().len());
    console.wait_slot(702, &["!!"], SOON);
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(waiting_tone(&card.played()[from..]), 0, "no tone into a conversation");
    assert_eq!(waiting_tone(&jane.voice().heard_since(talking)), 0, "and never to the far end");
    // As soon as the headset is idle it may say so.
    let from = card.played().len();
    console.keys("x");
    wait_waiting_tone(&card, from);
    assert!(peter.is_up());
}
