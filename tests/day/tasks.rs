//! What a receptionist does, each task in key strings. A task begins with nobody in hand and leaves nobody in hand; what
//! comes in between (another ring, a caller who hangs up) is as it is.

use crate::world::Day;
use parkdeck::desk::{Call, Desk, Phase};
use std::time::Duration;

/// A task: its name, and how it goes. It tells whether it came to its end; a caller may have hung up before.
pub type Task = (&'static str, fn(&mut Day) -> bool);

/// All of them, in the order in which the day brings them.
pub const TASKS: &[Task] = &[
    ("answer, talk, hang up", answer_and_hang_up),
    ("park, retrieve by the slot's key", park_and_retrieve),
    ("note, park, retrieve the longest", note_and_park),
    ("park and undo", park_and_undo),
    ("hold and resume", hold_and_resume),
    ("hand over to Sam by name", hand_over),
    ("ask Sam first, then hand over", ask_first),
    ("ask Sam, go to and fro, take the caller back", ask_and_swap),
    ("turn a ringing caller away", turn_away),
    ("park in a slot of one's choice", park_on),
    ("send digits", send_digits),
    ("mute", mute),
    ("tell the team", tell_the_team),
    ("announce a parked caller", announce),
    ("hand over to whom the note names", hand_to_named),
    ("record", record),
    ("three-way call", three_way),
    ("do not disturb", do_not_disturb),
    ("call Sam", call_sam),
    ("let a parked caller come back", come_back),
    ("look things up", look_up),
    ("let Sam fetch", let_sam_fetch),
    ("what isn't set up says so", not_set_up),
];

fn talks(desk: &Desk) -> bool {
    desk.hand().is_some_and(|call| call.phase == Phase::Talking && !call.waits_for_key())
}

fn rings(desk: &Desk) -> bool {
    desk.longest_ringing().is_some()
}

fn parked(desk: &Desk) -> bool {
    desk.longest_parked().is_some()
}

/// Waits for a caller and answers.
fn answer(day: &mut Day) -> bool {
    day.wait(240, rings) && {
        day.keys("enter");
        day.wait(5, talks)
    }
}

/// Speaks for a while; whether the caller is there still.
fn speak(day: &mut Day, seconds: u64) -> bool {
    day.pass(Duration::from_secs(seconds));
    talks(day.desk())
}

/// Parks the call in hand; whether its slot is known.
fn park(day: &mut Day) -> bool {
    day.keys("p");
    day.wait(5, |desk| desk.hand().is_none() && desk.undo.is_some())
}

/// Ends whatever is in hand.
pub fn hang_up(day: &mut Day) -> bool {
    for _ in 0..3 {
        if day.desk().hand().is_some_and(|call| call.phase != Phase::Ringing) {
            day.keys("x");
            day.wait(3, |desk| desk.hand().is_none());
        }
    }
    true
}

fn answer_and_hang_up(day: &mut Day) -> bool {
    answer(day) && speak(day, 12) && hang_up(day)
}

fn park_and_retrieve(day: &mut Day) -> bool {
    answer(day) && speak(day, 4) && park(day) && {
        day.pass(Duration::from_secs(6));
        let slot = day.desk().slots.iter().position(|slot| slot.parked.as_ref().is_some_and(|p| p.ours));
        let Some(slot) = slot.filter(|slot| *slot < 9) else { return false };
        day.keys(&(slot + 1).to_string());
        day.wait(5, talks) && hang_up(day)
    }
}

fn note_and_park(day: &mut Day) -> bool {
    answer(day) && {
        day.keys("n");
        day.types("about the invoice");
        day.keys("enter");
        let noted = day.desk().hand().is_some_and(|call| call.note.as_str() == "about the invoice");
        noted && park(day) && {
            day.pass(Duration::from_secs(8));
            day.keys("r");
            day.wait(5, talks) && speak(day, 3) && hang_up(day)
        }
    }
}

fn park_and_undo(day: &mut Day) -> bool {
    answer(day) && park(day) && {
        day.keys("u");
        day.wait(5, talks) && hang_up(day)
    }
}

fn hold_and_resume(day: &mut Day) -> bool {
    answer(day) && {
        day.keys("h");
        let held = day.wait(5, |desk| desk.hand().is_some_and(|call| call.phase == Phase::Held));
        day.pass(Duration::from_secs(5));
        day.keys("h");
        held && day.wait(5, talks) && hang_up(day)
    }
}

fn hand_over(day: &mut Day) -> bool {
    answer(day) && day.wait(60, sam_is_free) && talks(day.desk()) && {
        day.keys("t s a m enter");
        day.wait(10, |desk| desk.hand().is_none())
    }
}

fn sam_is_free(desk: &Desk) -> bool {
    desk.staff.first().is_some_and(|one| one.lamp == parkdeck::desk::StaffLamp::Free)
}

fn ask_first(day: &mut Day) -> bool {
    answer(day) && day.wait(60, sam_is_free) && talks(day.desk()) && {
        day.keys("t s a m tab");
        day.wait(10, |desk| desk.consulted_for().is_some() && talks(desk)) && {
            day.keys("b");
            day.wait(10, |desk| desk.hand().is_none())
        }
    }
}

fn ask_and_swap(day: &mut Day) -> bool {
    answer(day) && day.wait(60, sam_is_free) && talks(day.desk()) && {
        day.keys("t s a m tab");
        day.wait(10, |desk| desk.consulted_for().is_some() && talks(desk)) && {
            day.keys("w");
            day.wait(5, |desk| talks(desk) && desk.hand().is_some_and(|call| call.consult_for.is_none()));
            hang_up(day);
            for _ in 0..3 {
                if day.desk().calls.iter().any(|call| call.phase == Phase::Held) {
                    day.keys("enter");
                    day.wait(5, talks);
                    hang_up(day);
                }
            }
            true
        }
    }
}

fn turn_away(day: &mut Day) -> bool {
    day.wait(240, rings) && {
        // A call that has only just rung isn't turned away by one key.
        day.pass(Duration::from_secs(3));
        day.keys("down x");
        day.wait(3, |desk| desk.hand().is_none());
        true
    }
}

fn park_on(day: &mut Day) -> bool {
    answer(day) && {
        day.keys("P 7 0 5 enter");
        let there =
            |desk: &Desk| desk.slots.iter().any(|slot| slot.id.as_str() == "705" && slot.holds_somebody());
        day.wait(5, there) && {
            day.pass(Duration::from_secs(3));
            day.keys("5");
            day.wait(5, talks) && hang_up(day)
        }
    }
}

fn send_digits(day: &mut Day) -> bool {
    answer(day) && {
        day.keys("# 1 2 # esc");
        let sent = day.desk().hand().is_some_and(|call| call.digits == "12#");
        sent && hang_up(day)
    }
}

fn mute(day: &mut Day) -> bool {
    answer(day) && {
        day.keys("m");
        let muted = day.desk().sound.muted;
        day.keys("m");
        muted && !day.desk().sound.muted && hang_up(day)
    }
}

fn tell_the_team(day: &mut Day) -> bool {
    answer(day) && park(day) && {
        day.keys("g s a m enter");
        day.pass(Duration::from_secs(3));
        day.keys("c r");
        day.wait(5, talks) && hang_up(day)
    }
}

fn announce(day: &mut Day) -> bool {
    answer(day) && day.wait(60, sam_is_free) && talks(day.desk()) && {
        day.keys("G");
        day.wait(20, |desk| desk.notices.iter().rev().take(3).any(|n| n.text.as_str().contains("announced")));
        day.wait(20, |desk| desk.hand().is_none());
        if parked(day.desk()) {
            day.keys("r");
            day.wait(5, talks);
        }
        hang_up(day)
    }
}

fn hand_to_named(day: &mut Day) -> bool {
    answer(day) && {
        day.keys("n");
        day.types("for Sam");
        day.keys("enter");
        day.wait(60, sam_is_free) && talks(day.desk()) && {
            day.keys("T");
            day.wait(10, |desk| desk.hand().is_none())
        }
    }
}

fn record(day: &mut Day) -> bool {
    answer(day) && {
        day.keys("ctrl-r");
        let on = day.desk().hand().is_some_and(|call| call.recording.is_some());
        day.pass(Duration::from_secs(4));
        day.keys("ctrl-r");
        on && hang_up(day)
    }
}

fn three_way(day: &mut Day) -> bool {
    answer(day) && {
        day.keys("h");
        day.wait(5, |desk| desk.hand().is_none_or(|call| call.phase == Phase::Held));
        // A caller on hold waits for minutes, and the next one rings sooner.
        day.wait(90, rings) && {
            day.keys("enter");
            day.wait(5, talks) && {
                day.keys("C");
                let joined = day.wait(5, |desk| desk.three_way().is_some());
                day.pass(Duration::from_secs(5));
                day.keys("C");
                day.wait(5, |desk| desk.three_way().is_none());
                hang_up(day);
                let held = |desk: &Desk| desk.calls.iter().any(|call: &Call| call.phase == Phase::Held);
                for _ in 0..3 {
                    if held(day.desk()) {
                        day.keys("enter");
                        day.wait(5, talks);
                        hang_up(day);
                    }
                }
                joined
            }
        }
    }
}

fn do_not_disturb(day: &mut Day) -> bool {
    day.keys("D");
    let on = day.desk().presence.do_not_disturb;
    let heard_busy =
        |desk: &Desk| desk.notices.iter().rev().take(3).any(|n| n.text.as_str().contains("heard busy"));
    let told = day.wait(240, heard_busy);
    day.keys("D");
    on && told && !day.desk().presence.do_not_disturb
}

fn call_sam(day: &mut Day) -> bool {
    day.wait(60, sam_is_free) && {
        day.keys("f1 enter");
        day.wait(10, talks) && speak(day, 3) && hang_up(day)
    }
}

fn come_back(day: &mut Day) -> bool {
    answer(day) && park(day) && {
        let back = |desk: &Desk| {
            desk.calls.iter().any(|call| call.phase == Phase::Ringing && call.comeback.is_some())
        };
        // Sam may have been quicker.
        day.wait(100, |desk| back(desk) || !parked(desk));
        back(day.desk()) && {
            let nth = day.desk().calls.iter().filter(|call| call.phase == Phase::Ringing).count();
            for _ in 0..nth {
                day.keys("enter");
                day.wait(5, talks);
                hang_up(day);
            }
            true
        }
    }
}

fn look_up(day: &mut Day) -> bool {
    let mut shown = true;
    for (keys, words) in [
        ("J", "journal"),
        ("R", "today so far"),
        ("?", "all keys"),
        (":", "all commands"),
        ("A", "the account"),
        ("Q", "how it sounds"),
        ("l", "ladder"),
    ] {
        day.keys(keys);
        shown &= day.screen().contains(words);
        day.keys("esc");
    }
    shown
}

fn let_sam_fetch(day: &mut Day) -> bool {
    answer(day) && park(day) && {
        day.wait(200, |desk| !parked(desk) || rings(desk));
        true
    }
}

fn not_set_up(day: &mut Day) -> bool {
    day.keys("N");
    let night = day.screen().contains("nowhere to send callers at night");
    day.keys("v");
    night && day.screen().contains("no account has a mailbox")
}
