//! Several accounts, transports, proxies, security and certificates: what may be said, and what contradicts itself.

use crate::config::*;

const ONE: &str = "[account]\nuser = \"reception\"\nserver = \"pbx\"\npassword_env = \"PW\"\n";
/// Two accounts: line 1 begins the first, line 8 the second.
const TWO: &str = "[[accounts]]\nname = \"Front\"\nuser = \"reception\"\nserver = \"pbx\"\npassword_env = \"A\"\n\
                   [accounts.lot]\nslots = \"701-703\"\n[[accounts]]\nname = \"Yard\"\nuser = \"100\"\n\
                   server = \"10.0.0.5:5080\"\npassword_env = \"B\"\n[accounts.lot]\nslots = \"701-702\"\n\
                   dialect = \"parkdeck\"\n";

/// Line, meaning and remedy of the only problem.
fn wrong(text: &str) -> (usize, String, Option<String>) {
    let mut problems = Config::parse(text, "config.toml").unwrap_err().problems;
    assert_eq!(problems.len(), 1, "{text}: {problems:#?}");
    let problem = problems.remove(0);
    (problem.line, problem.meaning, problem.did_you_mean)
}

fn right(text: &str) -> Config {
    Config::parse(text, "config.toml").unwrap_or_else(|error| panic!("{text}\n{error}"))
}

#[test]
fn several_accounts_have_names_passwords_and_lots_of_their_own() {
    let config = right(TWO);
    let [front, yard] = config.accounts.as_slice() else { panic!("{config:?}") };
    assert_eq!((front.name.as_str(), front.label().as_str()), ("Front", "reception@pbx"));
    assert_eq!((yard.name.as_str(), yard.label().as_str()), ("Yard", "100@10.0.0.5:5080"));
    assert_eq!((front.dialect.as_str(), front.lots[0].slots.len()), ("asterisk", 3));
    assert_eq!(
        (yard.dialect.as_str(), yard.lots[0].slots.len()),
        ("parkdeck", 2),
        "the same numbers may be in both"
    );
    assert_eq!((front.lots[0].name.as_str(), yard.lots[0].name.as_str()), ("Front", "Yard"));
    assert_eq!(yard.password, PasswordSource::Environment("B".to_owned()));
}

#[test]
fn the_two_forms_are_not_mixed() {
    let (line, meaning, _) = wrong(&format!("{ONE}{TWO}"));
    assert!(line == 5 && meaning.contains("[account] as well as [[accounts]]"), "{line}: {meaning}");
    let (line, meaning, remedy) = wrong(&format!("{TWO}[lot]\nslots = \"701\"\n"));
    assert!(line == 16 && meaning.contains("a lot of its own"), "{line}: {meaning}");
    assert_eq!(remedy.as_deref(), Some("[accounts.lot]"));
    let (line, meaning, remedy) = wrong(&format!("{ONE}[account.lot]\nslots = \"701\"\n"));
    assert!(line == 5 && meaning.contains("the lot of the one account"), "{line}: {meaning}");
    assert_eq!(remedy.as_deref(), Some("[lot]"));
    let (_, meaning, _) = wrong(&ONE.replace("[account]", "[[account]]"));
    assert!(meaning.contains("several are written [[accounts]]"), "{meaning}");
    let (_, meaning, remedy) = wrong(&ONE.replace("[account]", "[accounts]"));
    assert!(meaning.contains("double brackets"), "{meaning}");
    assert_eq!(remedy.as_deref(), Some("[[accounts]]"));
}

const AMI: &str = "[lot.ami]\nuser = \"parkdeck\"\nsecret_env = \"S\"\n";

fn ami(text: &str) -> Ami {
    right(text).accounts.remove(0).ami.expect("a manager interface")
}

#[test]
fn a_manager_interface_is_where_the_server_is_unless_said_otherwise() {
    assert_eq!(right(ONE).accounts[0].ami, None);
    let plain = ami(&format!("{ONE}{AMI}"));
    assert_eq!(
        (plain.host.as_str(), plain.port, plain.tls, plain.lots[0].as_str()),
        ("pbx", 5038, false, "default")
    );
    assert_eq!(plain.secret, PasswordSource::Environment("S".to_owned()));
    assert!(!plain.allow_plain_login);
    let other = format!("{ONE}{AMI}host = \"10.0.0.9\"\ntls = true\nlot = \"front\"\n");
    let other = ami(&other);
    assert_eq!((other.host.as_str(), other.port, other.lots[0].as_str()), ("10.0.0.9", 5039, "front"));
    assert_eq!(ami(&format!("{ONE}{AMI}port = 5138\n")).port, 5138);
    assert_eq!(plain.device, None, "it is called like the user");
    let named = ami(&format!("{ONE}{AMI}device = \"PJSIP/desk-7\"\n"));
    assert_eq!(named.device.as_deref(), Some("PJSIP/desk-7"));
    let yards =
        TWO.replace("dialect = \"parkdeck\"\n", "[accounts.lot.ami]\nuser = \"p\"\nsecret_file = \"f\"\n");
    assert_eq!(right(&yards).accounts[1].ami.as_ref().map(|ami| ami.host.as_str()), Some("10.0.0.5"));
}

#[test]
fn what_is_wrong_with_a_manager_interface_is_said_and_its_secret_is_not() {
    let (_, meaning, _) = wrong(&format!("{ONE}[lot.ami]\nuser = \"p\"\n"));
    assert!(meaning.contains("[lot.ami] doesn't say where the secret is: add secret_file"), "{meaning}");
    let (line, meaning, _) = wrong(&format!("{ONE}[lot.ami]\nuser = \"p\"\nsecret = \"hunter2\"\n"));
    assert!(
        line == 7 && meaning.contains("name it with secret_file") && !meaning.contains("hunter2"),
        "{meaning}"
    );
    let (_, meaning, _) = wrong(&format!("{ONE}{AMI}secret_file = \"f\"\n"));
    assert!(meaning.contains("the secret has two sources: keep one of secret_file, secret_env"), "{meaning}");
    let (_, _, remedy) = wrong(&format!("{ONE}{AMI}hots = \"x\"\n"));
    assert_eq!(remedy.as_deref(), Some("“host”"));
    let (_, meaning, _) = wrong(&format!("{ONE}{AMI}host = \"pbx:5038\"\n"));
    assert!(meaning.contains("a key of its own: port"), "{meaning}");
    let (_, meaning, _) = wrong(&format!("{ONE}[lot]\ndialect = \"parkdeck\"\n{AMI}"));
    assert!(meaning.contains("only Asterisk has a manager interface"), "{meaning}");
    let (_, meaning, remedy) = wrong(&format!("{ONE}{AMI}device = \"desk-7\"\n"));
    assert!(meaning.contains("technology, a slash"), "{meaning}");
    assert_eq!(remedy.as_deref(), Some("\"PJSIP/desk-7\""));
    for device in ["", "PJSIP/", "/desk", "PJSIP/a b"] {
        let (_, meaning, remedy) = wrong(&format!("{ONE}{AMI}device = \"{device}\"\n"));
        assert!(meaning.contains("technology, a slash") && remedy.is_none(), "{device}: {meaning}");
    }
    let (_, meaning, _) = wrong(&format!("{ONE}{AMI}user = \"p\"\n"));
    assert!(meaning.contains("user"), "{meaning}");
    let (_, meaning, _) = wrong(&format!("{ONE}allow_plain_login = true\n"));
    assert!(meaning.contains("belongs in [lot.ami]"), "{meaning}");
}

#[test]
fn no_two_accounts_are_the_same() {
    let (line, meaning, _) = wrong(&TWO.replace("\"Yard\"", "\"FRONT\""));
    assert!(line == 9 && meaning.contains("“FRONT” already"), "{line}: {meaning}");
    let same = TWO.replace("\"100\"", "\"reception\"").replace("10.0.0.5:5080", "PBX:5060");
    let (line, meaning, _) = wrong(&same);
    assert!(line == 10 && meaning.contains("registers once"), "{line}: {meaning}");
    right(&TWO.replace("10.0.0.5:5080", "pbx"));
    let (line, meaning, _) = wrong(&TWO.replace("name = \"Yard\"\n", ""));
    assert!(line == 8 && meaning.contains("entry 2 of [accounts] lacks “name”"), "{line}: {meaning}");
    assert!(wrong(&TWO.replace("\"Yard\"", "\" \"")).1.contains("empty"));
    assert!(wrong(&TWO.replace("\"Yard\"", "\"the yard behind the warehouse\"")).1.contains("at most 24"));
}

#[test]
fn what_is_wrong_in_one_of_several_names_its_entry() {
    let (line, meaning, _) = wrong(&TWO.replace("password_env = \"B\"\n", ""));
    assert!(
        line == 8 && meaning.starts_with("entry 2 of [accounts] doesn't say where the password"),
        "{meaning}"
    );
    let (_, meaning, _) = wrong(&TWO.replace("password_env = \"B\"", "password = \"hunter2\""));
    assert!(meaning.contains("not kept in this file"), "{meaning}");
    let (line, meaning, _) = wrong(&TWO.replace("server = \"pbx\"\n", ""));
    assert_eq!((line, meaning.as_str()), (1, "entry 1 of [accounts] lacks “server”"));
    let (line, meaning, remedy) =
        wrong(&TWO.replace("server = \"pbx\"", "server = \"pbx\"\ntransprot = \"tls\""));
    assert_eq!((line, meaning.as_str()), (5, "there is no key “transprot” in entry 1 of [accounts]"));
    assert_eq!(remedy.as_deref(), Some("“transport”"));
    let (_, meaning, _) = wrong(&TWO.replace("slots = \"701-702\"", "slots = \"701-702\"\ncolour = 1"));
    assert!(meaning.contains("“colour” in [accounts.lot] of entry 2"), "{meaning}");
    let (_, meaning, _) = wrong(&TWO.replace("user = \"100\"", "user = \"100\"\nslots = \"701\""));
    assert_eq!(meaning, "“slots” belongs in [accounts.lot]");
    let (_, meaning, _) = wrong(&TWO.replace("dialect =", "transport = \"tls\"\ndialect ="));
    assert_eq!(meaning, "“transport” belongs in [[accounts]]");
}

#[test]
fn slots_within_an_account_are_all_different_and_all_fit_on_one_board() {
    let (line, meaning, _) = wrong(&TWO.replace("\"701-702\"", "[\"701-702\", \"702\"]"));
    assert!(line == 14 && meaning.contains("702 is listed twice"), "{line}: {meaning}");
    let many = TWO.replace("701-703", "1001-1300").replace("701-702", "1001-1300");
    let (line, meaning, _) = wrong(&many);
    assert!(line == 14 && meaning.contains("those of all lots together"), "{line}: {meaning}");
    let (line, meaning, _) = wrong(&format!("{ONE}[lot]\nlist = \"700\"\n"));
    assert!(line == 6 && meaning.contains("extension of its own"), "{line}: {meaning}");
}

#[test]
fn there_are_at_most_so_many_accounts() {
    let entry = |n: usize| {
        format!("[[accounts]]\nname = \"a{n}\"\nuser = \"u{n}\"\nserver = \"pbx\"\npassword_env = \"A\"\n")
    };
    assert_eq!(right(&(0..MAX_ACCOUNTS).map(entry).collect::<String>()).accounts.len(), MAX_ACCOUNTS);
    assert!(wrong(&(0..=MAX_ACCOUNTS).map(entry).collect::<String>()).1.contains("at most 8 accounts"));
}

#[test]
fn a_proxy_is_a_server_or_a_uri() {
    for (text, uri) in [
        ("proxy", "sip:proxy;lr"),
        ("proxy:5080", "sip:proxy:5080;lr"),
        ("sip:proxy.example.com;transport=TCP;lr", "sip:proxy.example.com;transport=tcp;lr"),
        ("sips:proxy", "sip:proxy;transport=tls;lr"),
        ("sip:[2001:db8::1]:5070;lr", "sip:[2001:db8::1]:5070;lr"),
    ] {
        let config = right(&format!("{ONE}outbound_proxy = \"{text}\"\n"));
        assert_eq!(config.accounts[0].outbound_proxy.as_ref().unwrap().uri(), uri);
    }
    for (text, part) in [
        ("sip:ann@proxy", "has no user"),
        ("", "the proxy is a host"),
        ("sip:proxy;maddr=1.2.3.4", "“maddr” means nothing"),
        ("sip:proxy;transport=sctp", "udp, tcp or tls"),
        ("sips:proxy;transport=udp", "always TLS"),
        ("http://proxy", "the proxy is a host"),
    ] {
        let (line, meaning, _) = wrong(&format!("{ONE}outbound_proxy = \"{text}\"\n"));
        assert!(line == 5 && meaning.contains(part), "{text}: {meaning}");
    }
    let both = format!("{ONE}transport = \"udp\"\noutbound_proxy = \"sips:proxy\"\n");
    assert!(wrong(&both).1.contains("tls here and udp in transport"));
    let same = right(&format!("{ONE}transport = \"tls\"\noutbound_proxy = \"proxy\"\n"));
    assert_eq!(same.accounts[0].outbound_proxy.as_ref().unwrap().transport, TransportChoice::Tls);
}

#[test]
fn security_that_could_not_be_kept_is_refused() {
    let with = |lines: &str| format!("{ONE}{lines}\n");
    for (lines, part) in [
        (
            "transport = \"udp\"\nsecure_media = \"required\"\nkey_exchange = \"sdes\"",
            "anybody on the way can read over udp",
        ),
        ("transport = \"tcp\"\nsecure_media = \"optional\"\nkey_exchange = \"sdes\"", "read over tcp"),
        ("key_exchange = \"dtls\"", "no keys to exchange"),
        ("digest = \"sha256\"", "not one of: md5, sha-256, sha-512-256"),
        ("transport = \"sctp\"", "not one of: auto, udp, tcp, tls"),
        ("secure_media = true", "expected one word in quotes"),
        ("identity = []", "nobody would have a name"),
        ("identity = [\"pai\", \"pai\"]", "listed twice"),
        ("identity = [\"pid\"]", "not one of: pai, rpid, from"),
        ("voicemail = \"the box\"", "what is dialled"),
    ] {
        let (_, meaning, _) = wrong(&with(lines));
        assert!(meaning.contains(part), "{lines}: {meaning}");
    }
    for lines in [
        "transport = \"tls\"\nsecure_media = \"required\"\nkey_exchange = \"sdes\"",
        "transport = \"udp\"\nsecure_media = \"required\"\nkey_exchange = \"dtls\"",
        "secure_media = \"required\"",
    ] {
        right(&with(lines));
    }
}

#[test]
fn a_certificate_has_its_key() {
    let with = |lines: &str| format!("{ONE}[tls]\n{lines}\n");
    assert!(wrong(&with("certificate_file = \"a.pem\"")).1.contains("add key_file"));
    assert!(wrong(&with("key_file = \"a.key\"")).1.contains("add certificate_file"));
    assert!(wrong(&with("ca_file = \"\"")).1.contains("empty"));
    assert!(wrong(&with("verify = \"no\"")).1.contains("true or false"));
    let tls = right(&with("ca_file = \"ca.pem\"\nverify = false")).tls;
    assert_eq!(tls, Tls { ca_file: Some(PathBuf::from("ca.pem")), own: None, verify: false });
    assert!(wrong(&format!("{ONE}verify = false\n")).1.contains("belongs in [tls]"));
    assert!(wrong(&format!("{ONE}[log]\ntrace = \"full\"\n")).1.contains("not one of: off, on, anonymous"));
}

#[test]
fn further_realms_stand_beside_the_servers_own_and_are_few() {
    let config = right(&format!("{ONE}realm = \"pbx\"\nfurther_realms = [\"edge\", \"core\"]\n"));
    assert_eq!(config.accounts[0].further_realms, ["edge", "core"]);
    let (_, meaning, _) = wrong(&format!("{ONE}further_realms = [\"edge\"]\n"));
    assert!(meaning.contains("name it as `realm`"), "{meaning}");
    let (_, meaning, _) =
        wrong(&format!("{ONE}realm = \"r\"\nfurther_realms = [\"a\", \"b\", \"c\", \"d\"]\n"));
    assert!(meaning.contains("at most 3"), "{meaning}");
}

#[test]
fn a_team_people_a_page_group_and_a_ladder_are_read() {
    let text = format!(
        "{ONE}[lot]\nescalate = [30, 60]\npage = \"770\"\npage_voice = \"live\"\ncomeback_prefix = \"Park-\"\n\
         [team]\nmembers = [\"101\", \"105\"]\nwatch = [\"104\"]\npickup_prefix = \"**\"\n[people]\nSam = \"101\"\n\"Dr Patel\" = \"+441614960100\"\n\
         [sound]\nwaiting_tone = false\n"
    );
    let config = right(&text);
    let account = &config.accounts[0];
    assert_eq!(account.team, ["101", "105"]);
    assert_eq!((&account.watch[..], account.pickup_prefix.as_deref()), (&["104".to_owned()][..], Some("**")));
    assert_eq!(account.lots[0].escalate_s.as_deref(), Some(&[30, 60][..]));
    assert_eq!(account.lots[0].page.as_ref().map(ToString::to_string).as_deref(), Some("770"));
    assert!(account.lots[0].page_live && !config.sound.waiting_tone);
    assert_eq!(account.lots[0].comeback_prefix.as_str(), "Park-");
    let people: Vec<_> = config.people.iter().map(|p| (p.name.as_str(), p.number.as_str())).collect();
    assert_eq!(people, [("Dr Patel", "+441614960100"), ("Sam", "101")]);
    let several = right(&format!("{TWO}[accounts.team]\nmembers = [\"9\"]\n"));
    assert_eq!((several.accounts[0].team.len(), several.accounts[1].team.len()), (0, 1));
    assert!(right(ONE).sound.waiting_tone && right(ONE).accounts[0].team.is_empty());
}

#[test]
fn what_makes_no_sense_for_a_team_is_told() {
    for (lines, part) in [
        ("[team]\nmembers = [\"101\", \"101\"]\n", "listed twice"),
        ("[team]\nmembers = [\"Ann Adams\"]\n", "by his extension"),
        ("[team]\nwatch = [\"1 2\"]\n", "by his extension"),
        ("[team]\npickup_prefix = \"**\"\n", "nobody is watched"),
        ("[team]\nwatch = [\"1\"]\npickup_prefix = \"* *\"\n", "what is dialled"),
        ("watch = [\"1\"]\n", "belongs in [team]"),
        ("[people]\nSam = \"1 2\"\n", "what is dialled"),
        ("[lot]\nescalate = [120, 60]\n", "later than the one before"),
        ("[lot]\nescalate = [1, 2, 3, 4]\n", "at most three"),
        ("[lot]\nescalate = [90000]\n", "86400"),
        ("[lot]\npage = \"701\"\n", "an extension of its own"),
        ("[lot]\npage_voice = \"spoken\"\n", "no page group"),
        ("members = [\"101\"]\n", "belongs in [team]"),
    ] {
        let (_, meaning, _) = wrong(&format!("{ONE}{lines}"));
        assert!(meaning.contains(part), "{lines}: {meaning}");
    }
    let (_, meaning, remedy) = wrong(&format!("{TWO}[team]\nmembers = [\"101\"]\n"));
    assert!(meaning.contains("a team of its own"), "{meaning}");
    assert_eq!(remedy.as_deref(), Some("[accounts.team]"));
    let (_, meaning, _) = wrong(&format!("{ONE}[account.team]\nmembers = [\"101\"]\n"));
    assert!(meaning.contains("the team of the one account"), "{meaning}");
}

#[test]
fn an_account_has_codecs_of_its_own_where_it_says_so() {
    use crate::config::Codec::{Opus, Pcma};
    let several = right(&TWO.replace("user = \"100\"", "user = \"100\"\ncodecs = [\"pcma\", \"opus\"]"));
    assert_eq!(several.accounts[0].codecs, None);
    assert_eq!(several.accounts[1].codecs.as_deref(), Some(&[Pcma, Opus][..]));
    assert!(wrong(&format!("{ONE}codecs = []\n")).1.contains("at least one codec"));
    assert!(wrong(&format!("{ONE}codecs = [\"pcma\", \"pcma\"]\n")).1.contains("listed twice"));
}

#[test]
fn whose_calls_answer_themselves_are_users_whom_the_server_asserts() {
    let config = right(&format!("{ONE}auto_answer = [\"101\", \"sam\"]\n"));
    assert_eq!(config.accounts[0].auto_answer, ["101", "sam"]);
    assert!(right(ONE).accounts[0].auto_answer.is_empty(), "nobody's without");
    for (list, meaning) in [
        ("[\"sam@pbx\"]", "by their name or number"),
        ("[\"*\"]", "by their name or number"),
        ("[\"\"]", "by their name or number"),
        ("[\"sam\"]\nidentity = [\"from\"]", "anybody can claim to be anybody"),
    ] {
        let (line, told, _) = wrong(&format!("{ONE}auto_answer = {list}\n"));
        assert!(line == 5 && told.contains(meaning), "{line}: {told}");
    }
    let many: Vec<String> = (100..133).map(|n| format!("\"{n}\"")).collect();
    assert!(wrong(&format!("{ONE}auto_answer = [{}]\n", many.join(", "))).1.contains("at most 32"));
}

#[test]
fn a_directory_is_files_a_country_and_a_server_and_what_is_wrong_is_told() {
    let text = with_one(
        "[directory]\nfiles = [\"people.csv\", \"/srv/team.VCF\"]\ncountry = \"gb\"\n\
         ldap = { url = \"ldaps://ldap.example.com\", base = \"ou=people\", user = \"cn=reader\", password_env = \"PW\" }\n",
    );
    let directory = Config::parse(&text, "x").unwrap().directory;
    assert_eq!((directory.files.len(), directory.country.as_deref()), (2, Some("GB")));
    let ldap = directory.ldap.unwrap();
    assert_eq!((ldap.filter.as_str(), ldap.refresh_s), (crate::config::Ldap::FILTER, 600));
    for (wrong, told) in [
        ("[directory]\nfiles = [\"people.xls\"]\n", "ends in .toml"),
        ("[directory]\ncountry = \"England\"\n", "two letters"),
        ("[directory]\nldap = { url = \"ldap.example.com\", base = \"x\" }\n", "ldaps://host"),
        (
            "[directory]\nldap = { url = \"ldap://x\", base = \"x\", user = \"cn=r\" }\n",
            "where the password is",
        ),
        (
            "[directory]\nldap = { url = \"ldap://x\", base = \"x\", password_env = \"P\" }\n",
            "whose password",
        ),
        ("[directory]\nldap = { url = \"ldap://x\", base = \"x\", refresh = 1 }\n", "between 30"),
        ("[directory]\nfile = [\"a.csv\"]\n", "did you mean “files”"),
    ] {
        let error = Config::parse(&with_one(wrong), "x").unwrap_err().to_string();
        assert!(error.contains(told), "{wrong}: {error}");
    }
}

fn with_one(more: &str) -> String {
    format!("{ONE}{more}")
}

/// Two lots of one account: line 5 begins the first, line 9 the second.
const TWO_LOTS: &str = "[[lots]]\nname = \"front\"\npark_extension = \"700\"\nslots = \"701-709\"\n\
                        [[lots]]\nname = \"sales\"\npark_extension = \"750\"\nslots = \"751-754\"\nparking_time = 90\n";

#[test]
fn one_account_may_have_several_lots_each_with_options_of_its_own() {
    let config = right(&format!("{ONE}{TWO_LOTS}page = \"780\"\n"));
    let account = &config.accounts[0];
    let [front, sales] = account.lots.as_slice() else { panic!("{account:?}") };
    assert_eq!((front.name.as_str(), front.park_extension.as_str(), front.slots.len()), ("front", "700", 9));
    assert_eq!((sales.name.as_str(), sales.park_extension.as_str(), sales.slots.len()), ("sales", "750", 4));
    assert_eq!((front.parking_time_s, sales.parking_time_s), (None, Some(90)));
    assert!(front.page.is_none() && sales.page.is_some());
    assert_eq!((account.dialect.as_str(), account.ami.as_ref()), ("asterisk", None));
    let of_accounts = TWO.replacen("[accounts.lot]\n", "", 1).replacen(
        "slots = \"701-703\"\n",
        &TWO_LOTS.replace("[[lots]]", "[[accounts.lots]]"),
        1,
    );
    let config = right(&of_accounts);
    assert_eq!(config.accounts.iter().map(|a| a.lots.len()).collect::<Vec<_>>(), [2, 1]);
    let ami = "[lots.ami]\nuser = \"p\"\nsecret_env = \"S\"\nlot = [\"default\", \"sales\"]\n";
    let config = right(&format!("{ONE}{TWO_LOTS}{ami}"));
    assert_eq!(config.accounts[0].ami.as_ref().unwrap().lots, ["default", "sales"]);
}

#[test]
fn what_two_lots_of_an_account_can_not_share_is_said_where_it_stands() {
    let changed = |from: &str, to: &str| format!("{ONE}{}", TWO_LOTS.replacen(from, to, 1));
    for (text, line, words) in [
        (format!("{ONE}[lot]\nslots = \"1-2\"\n{TWO_LOTS}"), 7, "[lot] as well as [[lots]]"),
        (changed("\"751-754\"", "\"709-712\""), 12, "709 is a slot of lot “front” already"),
        (changed("\"750\"", "\"700\""), 11, "700 belongs to lot “front”"),
        (changed("\"750\"", "\"705\""), 11, "705 belongs to lot “front”"),
        (changed("\"700\"", "\"751\""), 7, "751 belongs to lot “sales”"),
        (changed("\"sales\"", "\"Front\""), 10, "another lot is called “Front” already"),
        (changed("name = \"sales\"\n", ""), 9, "entry 2 of [lots] lacks “name”"),
        (changed("park_extension = \"750\"\n", ""), 9, "entry 2 of [lots] lacks “park_extension”"),
        (changed("slots = \"751-754\"\n", ""), 9, "entry 2 of [lots] lacks “slots”"),
        (format!("{ONE}dialect = \"generic\"\n{TWO_LOTS}"), 5, "“dialect” belongs in [lot]"),
        (
            format!(
                "{ONE}{}dialect = \"generic\"\n",
                TWO_LOTS.replacen("\"front\"\n", "\"front\"\ndialect = \"portsip\"\n", 1)
            ),
            15,
            "the first lot says “portsip”",
        ),
        (
            format!(
                "{ONE}{}lamps = \"presence\"\n",
                TWO_LOTS.replacen("\"front\"\n", "\"front\"\nlamps = \"dialog\"\n", 1)
            ),
            15,
            "one kind of lamps",
        ),
        (
            format!("{ONE}{TWO_LOTS}parking_tyme = 5\n"),
            14,
            "there is no key “parking_tyme” in entry 2 of [lots]",
        ),
        (format!("{ONE}[lots]\nslots = \"1-2\"\n"), 5, "double brackets"),
        (
            format!("{ONE}{TWO_LOTS}[lots.ami]\nuser = \"p\"\nsecret_env = \"S\"\n"),
            14,
            "what does the server call the 2 lots?",
        ),
        (
            format!("{ONE}{TWO_LOTS}[lots.ami]\nuser = \"p\"\nsecret_env = \"S\"\nlot = [\"a\", \"a\"]\n"),
            17,
            "a lot is named twice",
        ),
        (
            format!("{ONE}{TWO_LOTS}[lots.ami]\nuser = \"p\"\nsecret_env = \"S\"\nlot = \"a\"\n"),
            17,
            "there are 2 lots and 1 names",
        ),
        (format!("{TWO}{TWO_LOTS}"), 16, "lots of its own, written behind it"),
    ] {
        let (at, meaning, _) = wrong(&text);
        assert!(meaning.contains(words) && at == line, "{line} {words}\nis not {at} {meaning}\n{text}");
    }
    let nine =
        (0..9).map(|n| format!("[[lots]]\nname = \"l{n}\"\npark_extension = \"{n}00\"\nslots = \"{n}01\"\n"));
    let (_, meaning, _) = wrong(&format!("{ONE}{}", nine.collect::<String>()));
    assert!(meaning.contains("at most 8 lots"), "{meaning}");
    let large = TWO_LOTS.replace("701-709", "1001-1300").replace("751-754", "2001-2300");
    let (line, meaning, _) = wrong(&format!("{ONE}{large}"));
    assert!(line == 12 && meaning.contains("at most 500 slots"), "{line}: {meaning}");
}

#[test]
fn what_the_board_can_set_is_checked_like_the_rest() {
    let all = "[calls]\nnight = \"105\"\nnight_hours = [\"mon-fri 18:00-08:00\", \"sun\"]\n[sound]\nring_volume = 40\n\
               [wallboard]\ncallers = \"hidden\"\n";
    let config = right(&format!("{ONE}{all}"));
    assert_eq!((config.sound.ring_volume, config.wallboard.callers), (40, CallersShown::Hidden));
    assert_eq!((config.calls.is_night(6, 0), config.calls.is_night(0, 720)), (Some(true), Some(false)));
    assert_eq!(right(ONE).calls.is_night(6, 0), None);
    for (more, line, part) in [
        ("[calls]\nnight_hours = \"18:00-08:00\"\n", 6, "where do callers go at night"),
        ("[calls]\nnight = \"1\"\nnight_hours = \"18-08\"\n", 7, "“18” is no day"),
        ("[sound]\nring_volume = 101\n", 6, "from 0 to 100"),
        ("[calls]\nring_volume = 10\n", 6, "belongs in [sound]"),
    ] {
        let (at, meaning, _) = wrong(&format!("{ONE}{more}"));
        assert!(at == line && meaning.contains(part), "{at}: {meaning}");
    }
    let (_, _, meant) = wrong(&format!("{ONE}[wallboard]\ncallers = \"maskd\"\n"));
    assert_eq!(meant.as_deref(), Some("\"masked\""));
    let (_, _, meant) = wrong(&format!("{ONE}[wallbord]\ncallers = \"masked\"\n"));
    assert!(meant.is_some_and(|meant| meant.contains("wallboard")));
}
