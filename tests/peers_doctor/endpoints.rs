//! Endpoints of Asterisk that are configured wrong, by their options.

use super::*;

#[test]
fn what_is_wrong_with_an_endpoint_is_named_by_its_option() {
    let asterisk = Asterisk::start(AsteriskOptions {
        phone_lines: vec![
            ("alice", "send_pai=no\n", ""),
            ("bob", "send_connected_line=no\n", ""),
            ("carol", "trust_id_outbound=no\n", ""),
            ("dave", "disallow=all\nallow=ulaw\n", ""),
            ("desk2", "direct_media=yes\n", ""),
        ],
        dialplan_lines: "exten => 115,1,Dial(PJSIP/desk2,60)\n".into(),
        ..Default::default()
    });
    let found = whole_run(&asterisk, "alice", "101", LOT);
    found.says("identity", '!', &["doesn't say who", "[alice]", "send_pai=yes"]);
    assert!(found.healthy, "a warning is no failure");
    let found = whole_run(&asterisk, "bob", "102", LOT);
    found.says("identity", '!', &["no UPDATE", "[bob]", "send_connected_line=yes"]);
    let found = whole_run(&asterisk, "carol", "103", LOT);
    found.says("identity", '✓', &["P-Asserted-Identity"]);
    let found = whole_run(&asterisk, "dave", "104", LOT);
    found.says("codecs", '!', &["takes pcmu", "refuses opus", "[dave]", "allow=opus"]);
    // Only where Dial() has no features does Asterisk take itself out of the way.
    let setup = of_asterisk(&asterisk, "desk2", LOT);
    let found = Run::start(&setup, &["--yes", "--call", "115", "--caller-id", "105"]).finish();
    found.says("direct media", '!', &["[desk2]", "direct_media=no"]);
}

#[test]
fn what_keeps_a_console_from_registering_or_from_its_lamps_is_named() {
    let asterisk = Asterisk::start(AsteriskOptions {
        phone_lines: vec![
            ("alice", "allow_subscribe=no\n", ""),
            ("bob", "context=elsewhere\n", ""),
            ("carol", "", "max_contacts=0\n"),
            ("dave", "aors=nowhere\n", ""),
        ],
        dialplan_lines: "[elsewhere]\nexten => 102,1,Dial(PJSIP/bob,60,kK)\n".into(),
        ..Default::default()
    });
    let server = asterisk.sip().to_string();
    let wrong = Setup::new(&server, "reception", "not-the-password", LOT);
    let found = Run::start(&wrong, &["--quick", "--yes"]).finish();
    found.says("registration", '✗', &["password", "[reception]", "type=auth"]);
    assert!(!found.healthy);
    let unknown = Setup::new(&server, "nobody", "not-the-password", LOT);
    let found = Run::start(&unknown, &["--quick", "--yes"]).finish();
    found.says("registration", '✗', &["endpoint [nobody] at all?"]);
    quick_run(&asterisk, "carol", LOT).says("registration", '✗', &["403", "[carol]", "max_contacts"]);
    quick_run(&asterisk, "dave", LOT).says("registration", '✗', &["404", "[dave]", "aors="]);
    quick_run(&asterisk, "alice", LOT).says("lamps", '✗', &["[alice]", "allow_subscribe=yes"]);
    let found = quick_run(&asterisk, "bob", LOT);
    found.says("lamps", '✗', &["701–709", "[bob]", "include => parkedcalls", "upper and lower case"]);
    found.says("park extension", '✗', &["700 can't be dialled"]);
    let beyond = "park_extension = \"700\"\nslots = \"701-712\"\n";
    let found = quick_run(&asterisk, "reception", beyond);
    found.says("lamps", '✓', &["701–709 told, by `dialog`: free"]);
    assert!(found.text.contains("✗ FAILED   lamps          710–712"), "{}", found.text);
    assert!(
        found.text.contains("beyond parkpos") && found.text.contains("slots = \"701-709\""),
        "{}",
        found.text
    );
    let elsewhere = "park_extension = \"700\"\nslots = \"801-804\"\n";
    let found = quick_run(&asterisk, "reception", elsewhere);
    found.says("lamps", '✗', &["701–709 have lamps"]);
    nothing_is_left(&asterisk, "reception");
    // Calls: the dialplan of bob's context has no lot, and someone's park extension is a number that doesn't exist.
    let found = whole_run(&asterisk, "bob", "102", LOT);
    found.says("park", '✗', &["700", "[bob]"]);
    let mut run = Run::start(
        &of_asterisk(&asterisk, "reception", "slots = \"701-709\"\npark_extension = \"799\"   # wrong\n"),
        &["--yes", "--call", "100", "--write"],
    );
    let found = run.finish();
    found.says("park extension", '✗', &["799", "parkext", "700 can be dialled"]);
    found.says("park", '✓', &["REFER to 700: 202"]);
    found.says("retrieve", '✓', &["both sides hear each other again"]);
    let written = run.read("config.toml");
    assert!(written.ends_with("slots = \"701-709\"\npark_extension = \"700\"   # wrong\n"), "{written}");
    nothing_is_left(&asterisk, "reception");
    let found = whole_run(&asterisk, "reception", "100", "park_extension = \"602\"\nslots = \"701-709\"\n");
    found.says("park", '✗', &["none of the configured lamps lit", "602 isn't a park extension"]);
    found.says("park extension", '!', &["700 can be dialled", "once more"]);
    assert!(found.text.contains("✓ ok       park           REFER to 700: 202"), "{}", found.text);
    assert!(
        found.text.contains("park_extension = \"700\"   # the test call was parked by it"),
        "{}",
        found.text
    );
}

#[test]
fn a_certificate_of_another_name_is_told_with_the_names_that_it_has() {
    let authority = peers::certificates::Authority::new("Office");
    let pair = authority.sign("other", &["other.test"]);
    let asterisk = Asterisk::start(AsteriskOptions {
        streams: Some(peers::asterisk::Streams { tls: Some(pair) }),
        ..Default::default()
    });
    let server = format!("localhost:{}", asterisk.tls().port());
    let setup = Setup {
        account: "transport = \"tls\"\n".into(),
        more: format!("[tls]\nca_file = \"{}\"\n", authority.file().display()),
        ..Setup::new(&server, "reception", &password("reception"), LOT)
    };
    let found = Run::start(&setup, &["--quick", "--yes"]).finish();
    found.says("registration", '✗', &["not for “localhost”", "other.test"]);
    assert!(!found.healthy);
}

#[test]
fn a_call_that_is_not_acceptable_to_the_server_is_told_by_codecs_or_by_encryption() {
    let asterisk = Asterisk::start(AsteriskOptions {
        phone_lines: vec![("bob", "disallow=all\nallow=gsm\n", "")],
        ..Default::default()
    });
    let found = whole_run(&asterisk, "bob", "102", LOT);
    found.says("test call", '✗', &["488", "[bob]", "allow= has none of the codecs"]);
    assert!(!found.text.contains("media_encryption=dtls"), "{}", found.text);
    // DTLS is wanted, and the endpoint has none.
    let setup = Setup {
        account: "secure_media = \"required\"\nkey_exchange = \"dtls\"\n".into(),
        ..of_asterisk(&asterisk, "reception", LOT)
    };
    let found = Run::start(&setup, &["--yes", "--call", "100"]).finish();
    let mend = [
        "488",
        "[reception]: media_encryption=dtls and dtls_auto_generate_cert=yes",
        "secure_media = \"off\"",
    ];
    found.says("test call", '✗', &mend);
    assert!(!found.healthy);
    nothing_is_left(&asterisk, "reception");
}
