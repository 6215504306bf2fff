//! The configuration files of the test's Asterisk, written from text here. Only loopback is bound.

use super::asterisk::{AsteriskOptions, Media, PHONES, password};
use super::{LOOPBACK, OUTSIDE};
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

/// Where this Asterisk is and what it may use.
pub struct Places {
    /// What `tests/setup.sh` unpacked.
    pub unpacked: PathBuf,
    /// The test's own folder.
    pub folder: PathBuf,
    pub sip: SocketAddrV4,
    pub rtp_first: u16,
    pub rtp_last: u16,
    pub ami: Option<SocketAddrV4>,
}

impl Places {
    pub fn program(&self) -> PathBuf {
        self.unpacked.join("asterisk")
    }

    pub fn main_file(&self) -> String {
        self.folder.join("etc/asterisk.conf").to_string_lossy().into_owned()
    }
}

/// Modules that would bind other addresses, look for what isn't there, or only cost time at the start.
const UNWANTED: &str = "\
    chan_sip chan_iax2 chan_skinny chan_mgcp chan_unistim chan_ooh323 chan_motif chan_dahdi chan_console \
    chan_alsa pbx_dundi pbx_ael pbx_lua res_xmpp res_snmp res_phoneprov res_pjsip_phoneprov_provider \
    res_resolver_unbound res_stun_monitor res_hep res_hep_pjsip res_hep_rtcp res_odbc \
    res_odbc_transaction func_odbc res_config_curl res_config_ldap res_config_odbc res_config_pgsql \
    res_config_sqlite3 res_calendar res_calendar_caldav res_calendar_ews res_calendar_exchange \
    res_calendar_icalendar res_prometheus res_adsi res_pjsip_notify app_adsiprog app_getcpeid \
    app_voicemail app_voicemail_imap app_voicemail_odbc app_minivm app_queue app_confbridge app_page \
    app_followme app_agent_pool app_amd app_alarmreceiver app_festival app_jack cdr_adaptive_odbc \
    cdr_csv cdr_custom cdr_manager cdr_odbc cdr_pgsql cdr_radius cdr_sqlite3_custom cdr_tds cel_custom \
    cel_manager cel_odbc cel_pgsql cel_radius cel_sqlite3_custom cel_tds";

/// Writes all of them.
pub fn write(places: &Places, options: &AsteriskOptions) {
    let etc = places.folder.join("etc");
    for folder in ["etc", "var", "spool", "log"] {
        std::fs::create_dir_all(places.folder.join(folder)).unwrap();
    }
    copy_folder(&places.unpacked.join("var"), &places.folder.join("var"));
    forget_state(places);
    let file = |name: &str, text: String| std::fs::write(etc.join(name), text).unwrap();
    file("asterisk.conf", main(places, options));
    file("modules.conf", modules(options));
    file(
        "logger.conf",
        format!(
            "[general]\ndateformat=%T.%3q\n[logfiles]\nfull => {}\n",
            if options.quiet { "warning,error" } else { "notice,warning,error,verbose" }
        ),
    );
    file("rtp.conf", format!("[general]\nrtpstart={}\nrtpend={}\n", places.rtp_first, places.rtp_last));
    file(
        "musiconhold.conf",
        format!("[default]\nmode=files\ndirectory={}/data/moh\n", places.unpacked.display()),
    );
    file("features.conf", format!("[general]\n[featuremap]\n{}", options.features));
    file("manager.conf", manager(places, options));
    file("pjsip.conf", pjsip(places, options));
    file("extensions.conf", dialplan(options));
    if options.parking {
        file("res_parking.conf", parking(options));
    }
    for empty in ["ccss.conf", "udptl.conf", "cdr.conf", "cel.conf"] {
        file(empty, "[general]\n".into());
    }
}

/// Removes the database in which subscriptions and contacts would survive a restart.
pub fn forget_state(places: &Places) {
    for name in ["astdb.sqlite3", "astdb.sqlite3-journal", "astdb.sqlite3-wal", "astdb.sqlite3-shm"] {
        let _ = std::fs::remove_file(places.folder.join("var").join(name));
    }
}

fn main(places: &Places, options: &AsteriskOptions) -> String {
    let own = places.folder.display();
    let unpacked = places.unpacked.display();
    let verbose = if options.quiet { 0 } else { 3 };
    format!(
        "[directories]
astetcdir => {own}/etc
astmoddir => {unpacked}/modules
astvarlibdir => {own}/var
astdbdir => {own}/var
astkeydir => {own}/var
astdatadir => {unpacked}/data
astagidir => {own}/var
astspooldir => {own}/spool
astrundir => {own}
astlogdir => {own}
astsbindir => {own}
[options]
verbose = {verbose}
nocolor = yes
languageprefix = yes
"
    )
}

fn modules(options: &AsteriskOptions) -> String {
    let mut text = String::from("[modules]\nautoload=yes\n");
    for module in UNWANTED.split_whitespace() {
        text += &format!("noload => {module}.so\n");
    }
    if !options.parking {
        text += "noload => res_parking.so\n";
    }
    text
}

fn manager(places: &Places, options: &AsteriskOptions) -> String {
    let tls = |pair: &super::certificates::Pair, ami: SocketAddrV4| {
        format!(
            "tlsenable=yes\ntlsbindaddr={}:{}\ntlscertfile={}\ntlsprivatekey={}\n",
            ami.ip(),
            ami.port() + 1,
            pair.certificate.display(),
            pair.key.display(),
        )
    };
    let pair = options.streams.as_ref().and_then(|streams| streams.tls.as_ref());
    match places.ami {
        None => "[general]\nenabled=no\n".into(),
        Some(ami) => format!(
            "[general]\nenabled=yes\nbindaddr={}\nport={}\n{}[parkdeck]\nsecret=ami-secret\nread=all\nwrite=all\n{}",
            ami.ip(),
            ami.port(),
            pair.map(|pair| tls(pair, ami)).unwrap_or_default(),
            options.manager_lines,
        ),
    }
}

fn pjsip(places: &Places, options: &AsteriskOptions) -> String {
    let mut text = format!(
        "[global]\ntype=global\nuser_agent=Asterisk-peer\nendpoint_identifier_order=ip,username,anonymous,auth_username\n\
         [udp]\ntype=transport\nprotocol=udp\nbind={}\n",
        places.sip
    );
    if let Some(streams) = &options.streams {
        text += &format!("[tcp]\ntype=transport\nprotocol=tcp\nbind={}\n", places.sip);
        if let Some(pair) = &streams.tls {
            let bind = SocketAddrV4::new(*places.sip.ip(), places.sip.port() + 1);
            text += &format!(
                "[tls]\ntype=transport\nprotocol=tls\nbind={bind}\nmethod=tlsv1_2\ncert_file={}\npriv_key_file={}\n",
                pair.certificate.display(),
                pair.key.display(),
            );
        }
    }
    let media = format!("direct_media=no\nmedia_address={LOOPBACK}\nbind_rtp_to_media_address=yes\n");
    for (user, extension, name) in PHONES {
        let own = options.phone_lines.iter().find(|(phone, ..)| *phone == user);
        let (endpoint, aor) = own.map(|(_, endpoint, aor)| (*endpoint, *aor)).unwrap_or_default();
        text += &format!(
            "[{user}]\ntype=endpoint\ncontext=phones\ndisallow=all\nallow={}\nauth={user}\naors={user}\n\
             callerid=\"{name}\" <{extension}>\nsend_pai=yes\ntrust_id_outbound=yes\n\
             allow_subscribe=yes\ndtmf_mode=rfc4733\n{media}{}{}\n{endpoint}\n\
             [{user}]\ntype=auth\nauth_type=userpass\nusername={user}\npassword={}\n\
             [{user}]\ntype=aor\nmax_contacts=1\nremove_existing=yes\nminimum_expiration=10\nsupport_path=yes\n{aor}\n",
            options.allow,
            protection(options),
            options.endpoint_lines.replace("{user}", user),
            password(user),
        );
    }
    text += &format!(
        "[trunk]\ntype=endpoint\ncontext=outside\ndisallow=all\nallow=ulaw,alaw\ntrust_id_inbound=yes\n\
         send_pai=yes\ntrust_id_outbound=yes\n{media}{}\n\
         [trunk]\ntype=identify\nendpoint=trunk\nmatch={OUTSIDE}/32\n",
        options.trunk_lines
    );
    text += &options.pjsip_lines;
    for list in &options.lists {
        let items: String = list.items.iter().map(|item| format!("list_item={item}\n")).collect();
        text += &format!("[{}]\ntype=resource_list\nevent=dialog\nfull_state=no\n{items}", list.name);
    }
    text
}

/// Of a phone's endpoint: its media, and the connection that it came by.
fn protection(options: &AsteriskOptions) -> String {
    let media = match options.media {
        Media::Plain => "",
        Media::Sdes => "media_encryption=sdes\n",
        Media::Dtls => {
            "media_encryption=dtls\ndtls_auto_generate_cert=yes\ndtls_verify=fingerprint\ndtls_setup=actpass\n"
        }
    };
    // Without it Asterisk opens a connection of its own to what the Contact says.
    let contact = if options.streams.is_some() { "rewrite_contact=yes\n" } else { "" };
    format!("{media}{contact}")
}

fn dialplan(options: &AsteriskOptions) -> String {
    let mut text = String::from("[general]\n[globals]\n[phones]\n");
    // Without the parking module a call with these would be hung up when it is answered.
    let may_park = if options.parking { "kK" } else { "" };
    for (user, extension, _) in PHONES {
        text += &format!(
            "exten => {extension},hint,PJSIP/{user}\nexten => {extension},1,Dial(PJSIP/{user},60,{may_park})\n \
             same => n,Hangup()\n"
        );
    }
    text += "exten => 600,1,Answer()\n same => n,Echo()\n\
             exten => 601,1,Answer()\n same => n,Milliwatt()\n\
             exten => 602,1,Answer()\n same => n,MusicOnHold()\n\
             exten => 603,1,Answer()\n same => n,Playback(vm-goodbye)\n same => n,Hangup()\n";
    if options.parking {
        text += "include => parkedcalls\n\
                 exten => _97XX,1,Set(PARKINGEXTEN=${EXTEN:1})\n same => n,Park(default,s)\n";
    }
    text += &options.dialplan_lines;
    text += "\n[outside]\ninclude => phones\n\
             [parkedcallstimeout]\nexten => _[a-zA-Z0-9].,1,NoOp(comeback from ${PARKING_SPACE} of ${PARKER})\n";
    text += match options.timeout_lines.as_str() {
        "" => " same => n,MusicOnHold()\n",
        lines => lines,
    };
    text
}

fn parking(options: &AsteriskOptions) -> String {
    let first = options.first_slot..options.first_slot + options.slots;
    let mut text = String::from("[general]\nparkeddynamic=no\n");
    text += &lot("default", &first, options);
    if let Some(second) = &options.second_lot {
        text += &lot(second.name, &second.slots, options);
    }
    text
}

fn lot(name: &str, slots: &std::ops::Range<u16>, options: &AsteriskOptions) -> String {
    // Else the park extension parks into the lot of whoever is parked.
    let own = if options.second_lot.is_some() { "parkext_exclusive => yes\n" } else { "" };
    format!(
        "[{name}]\nparkext => {}\nparkpos => {}-{}\ncontext => parkedcalls\n\
         parkinghints => yes\nparkingtime => {}\ncomebacktoorigin => {}\ncomebackdialtime => {}\n\
         findslot => first\nparkedmusicclass => default\nparkedcalltransfers => both\nparkedcallreparking => both\n\
         {own}{}\n",
        slots.start - 1,
        slots.start,
        slots.end - 1,
        options.parking_s,
        if options.comeback_to_origin { "yes" } else { "no" },
        options.comeback_ring_s,
        options.lot_lines,
    )
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
