//! Lots of Asterisk that are configured wrong, and several at once.

use super::*;

#[test]
fn what_is_wrong_with_a_lot_is_named() {
    let asterisk = Asterisk::start(AsteriskOptions {
        slots: 3,
        lot_lines:
            "[second]\nparkext => 800\nparkpos => 801-803\ncontext => parkedcalls\nparkinghints => yes\n\
                    [dark]\nparkext => 900\nparkpos => 901-903\ncontext => parkedcalls\nparkinghints => no\n\
                    parkext_exclusive => yes\n"
                .into(),
        ..Default::default()
    });
    let second = "park_extension = \"800\"\nslots = \"801-803\"\n";
    let found = whole_run(&asterisk, "reception", "100", second);
    found.says("park", '✗', &["none of the configured lamps lit", "parkext_exclusive=yes"]);
    let dark = "park_extension = \"900\"\nslots = \"901-903\"\n";
    let found = whole_run(&asterisk, "alice", "101", dark);
    found.says("lamps", '✗', &["901–903", "can be dialled", "parkinghints=yes"]);
    found.says("park", '✗', &["none of the configured lamps lit"]);
    // Every slot of the lot is taken: nothing is sent there.
    for _ in 0..3 {
        asterisk.rx("channel originate Local/602@phones application Park default");
    }
    peers::wait_until("three parked calls", Duration::from_secs(8), || {
        (asterisk.parked().len() == 3).then_some(())
    });
    let full = "park_extension = \"700\"\nslots = \"701-703\"\n";
    let found = Run::start(&of_asterisk(&asterisk, "bob", full), &["--yes", "--call", "102"]).finish();
    found.says("lamps", '✓', &["701–703", "all taken"]);
    found.says("park", '!', &["every slot is taken", "nothing was sent"]);
    assert_eq!(asterisk.parked(), [701, 702, 703], "whoever was parked is parked still");
}

#[test]
fn a_server_without_parking_is_told_apart() {
    let asterisk = Asterisk::start(AsteriskOptions { parking: false, ..Default::default() });
    let found = whole_run(&asterisk, "reception", "100", LOT);
    found.says("lamps", '✗', &["module show like res_parking"]);
    found.says("park", '✗', &["700"]);
}

#[test]
fn a_feature_code_parks_and_a_dial_without_k_is_named() {
    let asterisk = Asterisk::start(AsteriskOptions {
        dialplan_lines: "exten => 110,1,Dial(PJSIP/reception,60)\n".into(),
        ..Default::default()
    });
    let keys = "dialect = \"asterisk-dtmf\"\nslots = \"701-709\"\n";
    let found = whole_run(&asterisk, "reception", "100", keys);
    found.says("park", '✓', &["keys #72", "its lamp lit", "the server ended our leg"]);
    found.says("retrieve", '✓', &["both sides hear each other again"]);
    let setup = of_asterisk(&asterisk, "reception", keys);
    let found = Run::start(&setup, &["--yes", "--call", "110", "--caller-id", "100"]).finish();
    found.says("park", '✗', &["the digits #72 reached the other phone", "lacks k"]);
    nothing_is_left(&asterisk, "reception");
}

#[test]
fn each_lot_of_an_account_is_examined_and_what_is_wrong_is_said_and_written_of_that_one() {
    let asterisk = Asterisk::start(AsteriskOptions {
        slots: 3,
        second_lot: Some(peers::asterisk::SecondLot { name: "shop", slots: 801..804 }),
        ..Default::default()
    });
    let lots = "[[lots]]\nname = \"front\"\npark_extension = \"700\"\nslots = \"701-703\"\n\
                [[lots]]\nname = \"shop\"\npark_extension = \"800\"\nslots = \"801-805\"   # two too many\n";
    let mut run =
        Run::start(&of_asterisk(&asterisk, "reception", lots), &["--yes", "--call", "100", "--write"]);
    let found = run.finish();
    let (front, shop) = found.text.split_once("Lot “shop”:").unwrap_or_else(|| panic!("{}", found.text));
    for (text, words) in [
        (front, "Lot “front”:"),
        (front, "✓ ok       registration"),
        (front, "701–703 told"),
        (front, "REFER to 700: 202"),
        (front, "✓ ok       hold"),
        (shop, "801–803 told"),
        (shop, "✗ FAILED   lamps          804–805"),
        (shop, "REFER to 800: 202"),
        (shop, "✓ ok       retrieve       from 801"),
        (shop, "lot 2: slots = \"801-803\""),
    ] {
        assert!(text.contains(words), "“{words}” was expected:\n{}", found.text);
    }
    for once in ["registration", "reachability", "hold", "codecs"] {
        assert!(!shop.contains(&format!(" {once:<14} ")), "{once} was told with the first:\n{}", found.text);
    }
    assert!(!found.healthy);
    let written = run.read("config.toml");
    assert!(written.ends_with(&lots.replace("\"801-805\"", "\"801-803\"")), "{written}");
    nothing_is_left(&asterisk, "reception");
}

#[test]
fn hints_in_the_wrong_case_are_named() {
    let asterisk = Asterisk::start(AsteriskOptions {
        slots: 2,
        // Without hints of its own the lot has those of the dialplan: one in another context than the lot's.
        lot_lines: "parkinghints => no\n".into(),
        dialplan_lines: "exten => 701,hint,park:701@ParkedCalls\nexten => 702,hint,park:702@ParkedCalls\n\
                         exten => ORBIT1,hint,park:701@parkedcalls\nexten => ORBIT1,1,Goto(parkedcalls,701,1)\n"
            .into(),
        ..Default::default()
    });
    let named = "park_extension = \"700\"\nslots = \"orbit1\"\n";
    let found = quick_run(&asterisk, "reception", named);
    found.says("lamps", '✗', &["orbit1", "“ORBIT1” does", "case-sensitive"]);
    assert!(found.text.contains("slots = \"ORBIT1\""), "it would be written so:\n{}", found.text);
    let found = whole_run(&asterisk, "reception", "100", "park_extension = \"700\"\nslots = \"701-702\"\n");
    found.says("park", '✗', &["none of the configured lamps lit", "upper and lower case count"]);
}
