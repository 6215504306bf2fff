//! The same on Asterisk 16: a good configuration, and three wrong ones.

use super::*;
use peers::asterisk::Version;

#[test]
fn a_good_configuration_passes_and_three_wrong_ones_are_named() {
    let asterisk = Asterisk::start(AsteriskOptions {
        phone_lines: vec![("alice", "send_pai=no\n", ""), ("bob", "allow_subscribe=no\n", "")],
        ..AsteriskOptions::of(Version::V16)
    });
    let found = whole_run(&asterisk, "reception", "100", LOT);
    assert!(found.healthy, "{}", found.text);
    found.says("lamps", '✓', &["701–709 told, by `dialog`: free"]);
    found.says("park", '✓', &["REFER to 700: 202", "its lamp lit", "asked again: 400"]);
    found.says("retrieve", '✓', &["both sides hear each other again"]);
    found.says("identity", '✓', &["“Reception”"]);
    found.says("free again", '✓', &[]);
    found.says("left behind", '✓', &["nothing"]);
    // Opus is what this one has not.
    found.says("codecs", '!', &["takes pcmu", "refuses opus", "allow=opus"]);
    let found = whole_run(&asterisk, "alice", "101", LOT);
    found.says("identity", '!', &["doesn't say who", "[alice]", "send_pai=yes"]);
    quick_run(&asterisk, "bob", LOT).says("lamps", '✗', &["[bob]", "allow_subscribe=yes"]);
    let beyond = "park_extension = \"700\"\nslots = \"701-712\"\n";
    let found = quick_run(&asterisk, "reception", beyond);
    assert!(found.text.contains("✗ FAILED   lamps          710–712"), "{}", found.text);
    found.says("left behind", '✓', &[]);
    nothing_is_left(&asterisk, "reception");
}
