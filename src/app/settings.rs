//! The configuration in the words of desk, phone and sound.

use crate::config::{self, Config};
use crate::desk::Desk;
use crate::dialect::{Dialect, PhoneConfig};
use crate::io::clock::{entropy, key_entropy};
use crate::io::sound::{Device, MediaEngine, MediaHandle, SoundOptions};
use crate::sip::message::{NameAddr, Uri};
use crate::sip::{Account, sdp};
use color_eyre::eyre::eyre;
use secrecy::SecretString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::sync::Notify;

/// Media ports kept ready.
const SPARE_PORTS: usize = 8;

fn dialect(config: &Config) -> color_eyre::Result<Dialect> {
    let name = match config.lot.dialect {
        config::Dialect::Asterisk => "asterisk",
        config::Dialect::Parkdeck => "parkdeck",
    };
    let lot = &config.lot;
    Dialect::named(name, lot.park_extension.clone(), lot.directed_prefix.clone())
        .ok_or_else(|| eyre!("no dialect “{name}”"))
}

/// The account in one word.
pub(super) fn label(config: &Config) -> String {
    format!("{}@{}", config.account.user, config.account.server)
}

pub(super) fn first_desk(config: &Config) -> Desk {
    let abilities = dialect(config).map(|d| d.abilities(config.lot.parking_time_s)).unwrap_or_default();
    Desk::new(&label(config), config.lot.name.as_str(), config.lot.slots.clone(), abilities)
}

pub(super) fn start_sound(
    config: &Config,
    address: IpAddr,
    heard: Arc<Notify>,
) -> (Option<MediaHandle>, Option<String>) {
    let device = |name: &Option<String>| match name {
        _ if !config.sound.enabled => Device::Off,
        Some(name) => Device::Named(name.clone()),
        None => Device::Default,
    };
    let options = SoundOptions {
        address,
        ports: config.network.rtp_ports.map(|(first, last)| first..=last),
        spare: SPARE_PORTS,
        streams_max: crate::desk::MAX_CALLS,
        microphone: device(&config.sound.headset_in),
        headset: device(&config.sound.headset_out),
        ringer: device(&config.sound.ringer),
        seed: entropy(),
    };
    match MediaEngine::start(options, move || heard.notify_one()) {
        Ok(handle) => (Some(handle), None),
        Err(error) => (None, Some(error.to_string())),
    }
}

/// What the phone needs to know; `local` is our address towards the server.
pub(super) fn phone_config(
    config: &Config,
    password: SecretString,
    server: SocketAddr,
    local: SocketAddr,
) -> color_eyre::Result<PhoneConfig> {
    let account = &config.account;
    let mut uri = Uri::sip(&account.user, &account.server.uri_host());
    if account.server.port != config::Server::DEFAULT_PORT {
        uri.port = Some(account.server.port);
    }
    let mut aor = NameAddr::new(uri);
    if !account.display_name.is_empty() {
        aor = aor.with_display(account.display_name.as_str());
    }
    let codec = |c: &config::Codec| match c {
        config::Codec::Opus => sdp::Codec::Opus,
        config::Codec::Pcmu => sdp::Codec::Pcmu,
        config::Codec::Pcma => sdp::Codec::Pcma,
    };
    Ok(PhoneConfig {
        local,
        media_address: if local.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { local.ip() },
        account: Account {
            realm: account.realm.clone(),
            expires_s: account.expires_s,
            ..Account::new(aor, server, account.auth_user.as_str(), password)
        },
        dialect: dialect(config)?,
        slots: config.lot.slots.clone(),
        codecs: config.sound.codecs.iter().map(codec).collect(),
        seed: key_entropy().into(),
    })
}
