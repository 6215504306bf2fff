//! The configuration of the test's Kamailio, written from text here. Only loopback is bound; its tables are text.

use super::kamailio::{KamailioOptions, Role};
use std::net::SocketAddr;
use std::path::Path;

/// Users are asked for `NAME-secret` in this realm by the registrar.
pub const REALM: &str = "kamailio.test";
/// And in this by a proxy, whatever realm the server behind it has.
pub const PROXY_REALM: &str = "proxy.test";
/// Asterisk's: some phones can't be asked by two in one realm, so that a proxy has one of its own unless told otherwise.
pub const ASTERISK_REALM: &str = "asterisk";

/// The whole configuration for a Kamailio at `sip` that lives in `folder`.
pub fn config(options: &KamailioOptions, sip: SocketAddr, folder: &Path) -> String {
    let mut text = core(options, sip);
    text += &match options.role {
        Role::Proxy { server } => proxy(options, sip, server),
        Role::Presence => presence(sip, folder),
        Role::Lots { .. } => lots(folder),
    };
    text
}

/// `tls.cfg`, next to the configuration.
pub fn tls(options: &KamailioOptions) -> String {
    let Some(pair) = &options.tls else { return String::new() };
    format!(
        "[server:default]\nmethod = TLSv1.2+\nverify_certificate = no\nrequire_certificate = no\n\
         private_key = {}\ncertificate = {}\n[client:default]\nverify_certificate = no\n",
        pair.key.display(),
        pair.certificate.display(),
    )
}

fn core(options: &KamailioOptions, sip: SocketAddr) -> String {
    let mut text = format!(
        "#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=2
tcp_children=2
auto_aliases=no
dns=no
rev_dns=no
disable_tcp=no
user_agent_header=\"User-Agent: Kamailio-peer\"
server_header=\"Server: Kamailio-peer\"
listen=udp:{sip}
listen=tcp:{sip}
"
    );
    if options.tls.is_some() {
        let tls = SocketAddr::new(sip.ip(), sip.port() + 1);
        text += &format!(
            "enable_tls=yes\nlisten=tls:{tls}\nloadmodule \"tls.so\"\nmodparam(\"tls\", \"config\", \"tls.cfg\")\n"
        );
    }
    for module in ["tm", "sl", "rr", "pv", "maxfwd", "textops", "siputils", "xlog", "auth", "path"] {
        text += &format!("loadmodule \"{module}.so\"\n");
    }
    text + "modparam(\"path\", \"use_received\", 1)\n"
}

/// What every request meets first, and what goes within a dialog.
const BEGINNING: &str = r#"
request_route {
    xlog("L_NOTICE", "heard $rm $ru from $proto:$si:$sp $ci\n");
    if (!mf_process_maxfwd_header("20")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    $var(secret) = $au + "-secret";
"#;

fn proxy(options: &KamailioOptions, sip: SocketAddr, server: SocketAddr) -> String {
    let asks = if options.asks {
        let realm = options.realm;
        format!(
            "        if (!is_method(\"ACK\")) {{
            if (!pv_proxy_authenticate(\"{realm}\", \"$var(secret)\", \"0\")) {{
                xlog(\"L_NOTICE\", \"asked $rm $ci\\n\");
                proxy_challenge(\"{realm}\", \"1\"); exit;
            }}
            xlog(\"L_NOTICE\", \"proven $rm $ci\\n\");
            consume_credentials();
        }}\n"
        )
    } else {
        String::new()
    };
    let service_route = if options.service_route {
        format!("    if (status == \"200\") append_hf(\"Service-Route: <sip:{sip};lr>\\r\\n\");\n")
    } else {
        String::new()
    };
    let no_way_around = if options.insists {
        // A request that knows the way here only from configuration must say so in a Route.
        "        if (!is_method(\"REGISTER\") && !is_present_hf(\"Route\") && $var(preloaded) == 0) {
            sl_send_reply(\"403\", \"No Route\"); exit;
        }\n"
    } else {
        ""
    };
    format!(
        r#"{BEGINNING}
    if (has_totag()) {{
        if (loose_route()) {{
            if (is_method("INVITE|SUBSCRIBE|UPDATE|REFER")) record_route();
            t_relay(); exit;
        }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("404", "Not here"); exit;
    }}
    if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
    $var(preloaded) = 0;
    if (is_present_hf("Route")) {{ $var(preloaded) = 1; loose_route(); }}
    if ($si == "{server_ip}" && $sp == {server_port}) {{
        record_route();
    }} else {{
{no_way_around}{asks}        $du = "sip:{server}";
        if (is_method("REGISTER")) {{ add_path_received(); t_on_reply("REGISTERED"); }} else {{ record_route(); }}
    }}
    if (!t_relay()) sl_reply_error();
}}
onreply_route[REGISTERED] {{
    xlog("L_NOTICE", "registered $rs $ci\n");
{service_route}}}
"#,
        server_ip = server.ip(),
        server_port = server.port(),
    )
}

/// `lots.list`, next to the configuration.
pub fn lots_list(options: &KamailioOptions) -> String {
    let Role::Lots { lots } = &options.role else { return String::new() };
    let lines = lots.iter().enumerate().map(|(at, lot)| format!("100 sip:{lot}\n{} sip:{lot}\n", at + 1));
    lines.collect()
}

/// A registrar that includes what we ship for several lots, with a shorter patience.
fn lots(folder: &Path) -> String {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/kamailio-lots.cfg");
    let (list, shipped) = (folder.join("lots.list"), shipped.display().to_string());
    format!(
        r#"loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_contacts", 1)
#!define LOTS_LIST "{list}"
#!define LOTS_PROBE_S 1
#!define LOTS_WAIT_MS 500
include_file "{shipped}"
{BEGINNING}
    if (has_totag()) {{
        route(LOTS_TRANSFER);
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("404", "Not here"); exit;
    }}
    if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("{REALM}", "$var(secret)", "0")) {{ www_challenge("{REALM}", "1"); exit; }}
        save("location"); exit;
    }}
    if (!ds_is_from_list("100")) {{
        if (!pv_proxy_authenticate("{REALM}", "$var(secret)", "0")) {{ proxy_challenge("{REALM}", "1"); exit; }}
        consume_credentials();
        if ($au != $fU) {{ sl_send_reply("403", "Not your address"); exit; }}
        if ($rU =~ "^7[0-9][0-9]$") {{ route(LOTS); exit; }}
    }}
    record_route();
    if (!lookup("location")) {{ sl_send_reply("404", "Nobody there"); exit; }}
    if (!t_relay()) sl_reply_error();
}}
"#,
        list = list.display(),
    )
}

fn presence(sip: SocketAddr, folder: &Path) -> String {
    let tables = folder.join("tables");
    let tables = tables.display();
    let mut text = String::from("loadmodule \"db_text.so\"\n");
    for module in ["usrloc", "registrar", "presence", "presence_xml", "presence_dialoginfo", "presence_mwi"] {
        text += &format!("loadmodule \"{module}.so\"\n");
    }
    text += &format!(
        r#"modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_contacts", 1)
modparam("registrar", "max_expires", 3600)
modparam("presence", "db_url", "text://{tables}")
modparam("presence", "server_address", "sip:{sip}")
modparam("presence", "subs_db_mode", 0)
modparam("presence", "publ_cache", 2)
modparam("presence", "send_fast_notify", 1)
modparam("presence", "clean_period", 3)
modparam("presence_xml", "db_url", "text://{tables}")
modparam("presence_xml", "force_active", 1)
modparam("presence_dialoginfo", "force_single_dialog", 0)
{BEGINNING}
    if (has_totag()) {{
        if (is_method("SUBSCRIBE") && uri == myself) {{ route(PRESENCE); exit; }}
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
        sl_send_reply("404", "Not here"); exit;
    }}
    if (is_method("ACK")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("{REALM}", "$var(secret)", "0")) {{ www_challenge("{REALM}", "1"); exit; }}
        save("location"); exit;
    }}
    # The test itself publishes, and is asked nothing.
    if (is_method("PUBLISH")) {{ route(PRESENCE); exit; }}
    if (!pv_proxy_authenticate("{REALM}", "$var(secret)", "0")) {{ proxy_challenge("{REALM}", "1"); exit; }}
    consume_credentials();
    if (is_method("SUBSCRIBE")) {{ route(PRESENCE); exit; }}
    record_route();
    if (!lookup("location")) {{ sl_send_reply("404", "Nobody there"); exit; }}
    if (!t_relay()) sl_reply_error();
}}
route[PRESENCE] {{
    if (!t_newtran()) {{ sl_reply_error(); exit; }}
    if (is_method("PUBLISH")) handle_publish(); else handle_subscribe();
    t_release();
}}
"#
    );
    text
}
