//! The lot's configuration: what is read, what is refused, and that secrets stay hidden.

use super::*;

fn read(text: &str) -> Result<LotConfig, toml::de::Error> {
    toml::from_str(text)
}

const OFFICE: &str = r#"
    listen = "127.0.0.1:5070"
    [[users]]
    name = "reception"
    secret = "s3cret"
    extension = "100"
    [[users]]
    name = "sam"
    secret = "other"
    extension = "101"
    permissions = { park = false }
    [[lots]]
    name = "front"
    parkext = "700"
    parkpos = "701-712"
    parkingtime = 0
    findslot = "next"
    fallback = "101"
"#;

#[test]
fn an_office_is_read_and_what_is_not_said_has_a_default() {
    let config = read(OFFICE).unwrap();
    assert_eq!(config.problems(), []);
    assert!(config.users[0].permissions.park && !config.users[1].permissions.park);
    assert!(config.users[1].permissions.retrieve);
    assert_eq!(config.lots[0].findslot, FindSlot::Next);
    assert_eq!(config.lots[0].parkpos.slots().count(), 12);
    assert_eq!(config.lots[0].comebackdialtime, 30);
    assert_eq!(LotConfig::default().problems(), []);
}

#[test]
fn the_example_with_everything_that_it_leaves_out_is_a_lot_and_names_every_option() {
    let example = include_str!("../../../assets/lot.example.toml");
    let uncommented = |line: &str| {
        let key = line.strip_prefix("# ").filter(|rest| {
            let key = rest.split(" = ").next().unwrap_or_default();
            rest.starts_with("[[")
                || rest.contains(" = ") && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        });
        key.unwrap_or(line).to_owned()
    };
    let whole: Vec<String> = example.lines().map(uncommented).collect();
    let config = read(&whole.join("\n")).unwrap();
    let problems: Vec<Problem> = config.problems();
    assert_eq!(problems, []);
    for options in [
        toml::Table::try_from(&config.lots[0]).unwrap(),
        toml::Table::try_from(&config.users[1]).unwrap(),
        toml::Table::try_from(&config.features).unwrap(),
        toml::Table::try_from(&config.groups[0]).unwrap(),
        toml::Table::try_from(&config.pages[0]).unwrap(),
        toml::Table::try_from(&config.trunks[0]).unwrap(),
        toml::Table::try_from(&config.trunks[0].outbound[0]).unwrap(),
    ] {
        for key in options.keys() {
            let named = |line: &String| line.contains(&format!("{key} ="));
            assert!(whole.iter().any(named), "{key} is not in the example");
        }
    }
    assert_eq!(config.lots[0].exitkey, Key::new('0'));
}

#[test]
fn a_secret_is_never_printed() {
    let config = read(OFFICE).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
    assert!(!toml::to_string(&config).unwrap().contains("s3cret"));
}

#[test]
fn an_unknown_key_is_refused() {
    assert!(read("parkingtyme = 3").is_err());
    assert!(read("[[lots]]\nparkingtyme = 3").is_err());
    assert!(read("[[lots]]\nparkpos = \"712-701\"").unwrap_err().to_string().contains("backwards"));
}

#[test]
fn one_number_means_one_thing() {
    let mut config = read(OFFICE).unwrap();
    config.users[1].extension = SlotId::new("705");
    config.lots.push(ParkingConfig { name: "back".into(), ..ParkingConfig::default() });
    config.lots[0].fallback = Some("nobody".into());
    let paths: Vec<String> = config.problems().into_iter().map(|p| p.path).collect();
    assert!(paths.contains(&"lots.0.parkpos".to_owned()), "{paths:?}");
    assert!(paths.contains(&"lots.1.parkpos".to_owned()), "{paths:?}");
    assert!(paths.contains(&"lots.0.fallback".to_owned()), "{paths:?}");
}

#[test]
fn a_wildcard_address_wants_an_advertised_one() {
    let mut config = read(OFFICE).unwrap();
    config.listen = "0.0.0.0:5060".parse().unwrap();
    assert_eq!(config.problems()[0].path, "listen");
    config.advertise = "192.0.2.1:5060".parse().ok();
    assert_eq!(config.problems(), []);
}

#[test]
fn tls_wants_a_certificate_and_a_port_of_its_own() {
    let mut config = read(OFFICE).unwrap();
    let said = |config: &LotConfig| config.problems().into_iter().map(|p| p.path).collect::<Vec<_>>();
    config.listen_tcp = "127.0.0.1:5070".parse().ok();
    assert_eq!(config.problems(), [], "UDP and TCP share a number");
    config.listen_tls = config.listen_tcp;
    assert_eq!(said(&config), ["listen_tls"; 3]);
    config.listen_tls = "127.0.0.1:5061".parse().ok();
    config.tls_certificate = Some("lot.pem".into());
    assert_eq!(said(&config), ["listen_tls"]);
    config.tls_key = Some("lot.key".into());
    assert_eq!(config.problems(), []);
    config.listen_tls = None;
    assert_eq!(said(&config), ["tls_certificate", "tls_key"]);
    config = read("listen_tcp = \"0.0.0.0:5060\"").unwrap();
    assert_eq!(said(&config), ["listen_tcp"]);
    config.advertise = "192.0.2.1:5060".parse().ok();
    assert_eq!(config.stream_address("0.0.0.0:5061".parse().unwrap()), "192.0.2.1:5061".parse().unwrap());
}

#[test]
fn a_slot_is_a_number_in_the_range_and_nothing_else() {
    let range = SlotRange::parse("701-712").unwrap();
    for (extension, inside) in
        [("701", true), ("712", true), ("713", false), ("0701", false), ("+701", false), ("", false)]
    {
        assert_eq!(range.contains(extension), inside, "{extension}");
    }
}
