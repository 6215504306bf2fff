//! Broken off, whenever: nothing of ours stays on the server, and what could not be taken back is told.

use super::*;

/// Whenever it is broken off, and however: what was begun is taken back.
#[test]
fn nothing_of_ours_is_left_whenever_the_doctor_is_interrupted() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let setup = of_asterisk(&asterisk, "reception", LOT);
    for after_ms in [60, 90, 130, 200, 600, 1_100, 1_900, 2_600, 3_300, 3_900, 4_500] {
        let mut run = Run::start(&setup, &["--yes", "--call", "100"]);
        std::thread::sleep(Duration::from_millis(after_ms));
        run.process.signal("INT");
        let found = run.finish();
        println!("── after {after_ms} ms ──\n{}", found.text);
        nothing_is_left(&asterisk, "reception");
    }
}

#[test]
fn a_server_that_goes_away_in_the_middle_is_told_and_the_doctor_comes_to_an_end() {
    let mut asterisk = Asterisk::start(AsteriskOptions { parking_s: 45, ..Default::default() });
    let setup = of_asterisk(&asterisk, "reception", LOT);
    let mut run = Run::start(&setup, &["--yes", "--call", "100", "--comeback"]);
    peers::wait_until("the test call to be parked", Duration::from_secs(20), || {
        run.process.output().contains("free again").then_some(())
    });
    asterisk.stop();
    let found = run.finish();
    found.says("server", '✓', &[]);
    assert!(found.text.contains("it fell silent during the test call") && !found.healthy, "{}", found.text);
    found.says("left behind", '✗', &["own timers"]);
}
