//! The manager interface: what keeps it from telling, and what it calls this phone.

use super::*;

/// The lines of a lot about its manager interface.
fn ami(port: u16, user: &str, secret: &str, more: &str) -> String {
    format!(
        "{LOT}[lot.ami]\nuser = \"{user}\"\nport = {port}\nsecret_command = [\"printf\", \"%s\", \"{secret}\"]\n{more}"
    )
}

#[test]
fn what_keeps_the_manager_interface_from_telling_is_named() {
    let authority = peers::certificates::Authority::new("Office");
    let pair = authority.sign("pbx", &["localhost"]);
    let asterisk = Asterisk::start(AsteriskOptions {
        manager: true,
        manager_lines: "[blind]\nsecret=blind-secret\nread=call\nwrite=system\n".into(),
        streams: Some(peers::asterisk::Streams { tls: Some(pair) }),
        ..Default::default()
    });
    let (clear, tls) = (asterisk.ami().unwrap().port(), asterisk.ami_tls().unwrap().port());
    let trusted = format!("[tls]\nca_file = \"{}\"\n", authority.file().display());
    let run = |lot: &str, tables: &str| {
        let setup = Setup { more: tables.to_owned(), ..of_asterisk(&asterisk, "reception", lot) };
        Run::start(&setup, &["--quick", "--yes"]).finish()
    };
    let found = run(&ami(clear, "parkdeck", "ami-secret", ""), "");
    found.says("manager", '✓', &["logged in as parkdeck", "within this computer", "“default”, 0 parked"]);
    assert!(found.healthy, "{}", found.text);
    let found = run(&ami(clear, "parkdeck", "not-the-secret", ""), "");
    found.says("manager", '✗', &["refuses this user or his secret", "[parkdeck]", "permit/deny/acl"]);
    assert!(!found.healthy && !found.text.contains("not-the-secret"), "{}", found.text);
    let found = run(&ami(clear, "parkdeck", "ami-secret", "lot = \"front\"\n"), "");
    found.says("manager", '✗', &["no parking lot “front”, but: default", "res_parking.conf"]);
    let found = run(&ami(clear, "blind", "blind-secret", ""), "");
    found.says("manager", '✗', &["Permission denied", "[blind]", "read = call and write = call"]);
    // Ports: one where nobody listens, and that of the way without TLS.
    let nobody = peers::free_tcp_port(peers::LOOPBACK);
    let found = run(&ami(nobody, "parkdeck", "ami-secret", ""), "");
    found.says("manager", '✗', &["refuses connections", "usually on 5038", "enabled=yes"]);
    let found = run(&ami(clear, "parkdeck", "ami-secret", "tls = true\n"), "");
    found.says("manager", '✗', &["does not speak TLS", "usually on 5038, over TLS on 5039", "tlsenable=yes"]);
    let found = run(&ami(tls, "parkdeck", "ami-secret", "tls = true\nhost = \"localhost\"\n"), &trusted);
    found.says("manager", '✓', &["over TLS, the server has proven its name"]);
    let found = run(&ami(tls, "parkdeck", "ami-secret", "tls = true\n"), &trusted);
    found.says("manager", '✗', &["not for “127.0.0.1”", "localhost", "`host` of [lot.ami]"]);
}

/// A desk phone's endpoint that has another name than its user.
const DESK_7: &str = "[desk-7]\ntype=endpoint\ncontext=phones\ndisallow=all\nallow=ulaw\nauth=desk-7\naors=desk-7\n\
    identify_by=auth_username\ncallerid=\"Front\" <110>\nsend_pai=yes\ntrust_id_outbound=yes\ndirect_media=no\n\
    [desk-7]\ntype=auth\nauth_type=userpass\nusername=desk-7\npassword=front-secret\n\
    [desk-7]\ntype=aor\nmax_contacts=1\nremove_existing=yes\n";

#[test]
fn what_the_server_calls_the_phone_is_found_and_written_and_a_deaf_manager_user_is_named() {
    let asterisk = Asterisk::start(AsteriskOptions {
        manager: true,
        manager_lines: "[deaf]\nsecret=deaf-secret\nread=system\nwrite=call\n".into(),
        pjsip_lines: DESK_7.into(),
        dialplan_lines: "exten => 110,1,Dial(PJSIP/desk-7,60,kK)\n".into(),
        ..Default::default()
    });
    let port = asterisk.ami().unwrap().port();
    let server = asterisk.sip().to_string();
    let lot = ami(port, "parkdeck", "ami-secret", "");
    let config = Setup {
        account: "auth_user = \"desk-7\"\n".into(),
        ..Setup::new(&server, "front", "front-secret", &lot)
    };
    let mut run = Run::start(&config, &["--yes", "--call", "110", "--write"]);
    let found = run.finish();
    found.says(
        "manager events",
        '!',
        &["parked by PJSIP/desk-7", "only PJSIP/front", "device = \"PJSIP/desk-7\""],
    );
    assert!(found.healthy, "{}", found.text);
    assert!(run.read("config.toml").ends_with("device = \"PJSIP/desk-7\"\n"), "{}", run.read("config.toml"));
    let deaf = of_asterisk(&asterisk, "reception", &ami(port, "deaf", "deaf-secret", ""));
    let found = Run::start(&deaf, &["--yes", "--call", "100"]).finish();
    found.says("manager events", '✗', &["nothing was said of it", "[deaf]", "read = call"]);
    nothing_is_left(&asterisk, "reception");
}
