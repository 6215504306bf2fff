//! The configuration in the words of desk, phone and sound.

use crate::config::{self, Config};
use crate::desk::{Desk, LotId, NewLine, NewLot, PageGroup, Routes, Settings, SoundRole};
use crate::dialect::{Dialect, MediaSecurity, PhoneConfig};
use crate::io::clock::{entropy, key_entropy};
use crate::io::sound::{Device, Driver, Format, MediaEngine, MediaHandle, Recordings, SoundOptions};
use crate::media::{self, Country};
use crate::parking::{Identity, Text};
use crate::sip::digest::Algorithm;
use crate::sip::message::{NameAddr, Uri};
use crate::sip::{Account, Peer, identity, sdp};
use color_eyre::eyre::eyre;
use secrecy::SecretString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Media ports kept ready.
const SPARE_PORTS: usize = 8;

/// The desk before anything is heard: every line, every slot, all lamps unknown.
pub(super) fn first_desk(config: &Config, dialects: &[Dialect]) -> Desk {
    let several = config.accounts.len() > 1;
    let line = |(account, dialect): (&config::Account, &Dialect)| {
        let label = account.label();
        NewLine {
            // The only account needs no name beside its address.
            name: if several || account.name.as_str() != label {
                account.name.to_string()
            } else {
                String::new()
            },
            label,
            voicemail: account.voicemail.clone(),
            answers_for: account.auto_answer.clone(),
            lots: (0u8..).map(LotId).zip(&account.lots).map(|(id, lot)| new_lot(dialect, id, lot)).collect(),
            team: account.team.iter().map(|number| colleague(config, number)).collect(),
            staff: account.watch.iter().map(|number| colleague(config, number)).collect(),
            pickup_prefix: account.pickup_prefix.clone().unwrap_or_default(),
        }
    };
    let mut desk = Desk::with_lines(config.accounts.iter().zip(dialects).map(line));
    let Settings { routes, people, waiting_tone } = desk_settings(config);
    (desk.routes, desk.people, desk.waiting_tone) = (routes, people, waiting_tone);
    desk
}

/// A lot of a server that parks in this way.
fn new_lot(dialect: &Dialect, id: LotId, lot: &config::Lot) -> NewLot {
    NewLot {
        name: lot.name.to_string(),
        slots: lot.slots.clone(),
        abilities: dialect.abilities(id, lot.parking_time_s),
        page: lot.page.as_ref().map(|page| PageGroup { number: page.to_string(), live: lot.page_live }),
        escalate_s: lot.escalate_s.clone(),
        comeback_prefix: lot.comeback_prefix.to_string(),
    }
}

/// What the desk takes over while it runs.
pub(super) fn desk_settings(config: &Config) -> Settings {
    Settings {
        routes: routes(&config.calls),
        people: config.people.clone(),
        waiting_tone: config.sound.waiting_tone,
    }
}

/// The configured device for a role.
pub(super) fn device(sound: &config::Sound, role: SoundRole) -> Device {
    match (sound.enabled, sound.device(role)) {
        (false, _) => Device::Off,
        (true, Some(name)) => Device::Named(name.to_owned()),
        (true, None) if role == SoundRole::SecondEar => Device::Off,
        (true, None) => Device::Default,
    }
}

/// By which sound system devices are reached.
pub(super) fn driver(driver: config::Driver) -> Driver {
    match driver {
        config::Driver::Auto => Driver::Auto,
        config::Driver::Pulse => Driver::Pulse,
        config::Driver::System => Driver::Native,
    }
}

/// Where callers are sent, in the desk's words.
fn routes(calls: &config::Calls) -> Routes {
    let text = |to: &Option<String>| Text::new(to.as_deref().unwrap_or_default());
    Routes {
        busy: text(&calls.busy),
        night: text(&calls.night),
        overflow: text(&calls.overflow),
        overflow_after: Some(Duration::from_secs(calls.overflow_after_s.into())),
        voicemail: text(&calls.voicemail),
        voicemail_prefix: text(&calls.voicemail_prefix),
    }
}

/// A colleague by his extension, with the name that `[people]` has for it.
fn colleague(config: &Config, number: &str) -> Identity {
    let known = config.people.iter().find(|person| person.number.as_str() == number);
    known.cloned().unwrap_or_else(|| Identity::new("", number))
}

/// Where sound arrives: at every address of ours, so that a call goes on when the one in use is another tomorrow; at that
/// one alone if the operator chose it, or nobody else is to reach it.
fn media_bind(address: IpAddr, chosen: Option<IpAddr>) -> IpAddr {
    match address {
        _ if address.is_loopback() || chosen.is_some() => address,
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// Whose tones are played: the configured country's, else that of the language settings, else E.180's.
fn country(configured: Option<&str>) -> &'static Country {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = || ["LC_ALL", "LC_TELEPHONE", "LANG"].into_iter().find_map(variable);
    // `de_AT.UTF-8`: the part between.
    let territory = || Some(locale()?.split(['.', '@']).next()?.split_once('_')?.1.to_owned());
    let code = configured.map(str::to_owned).or_else(territory);
    code.and_then(|code| Country::find(&code)).unwrap_or(Country::INTERNATIONAL)
}

/// Where recordings go: the configured folder, else one beside the memory; nowhere in the demo.
pub(super) fn recordings(config: &Config, memory: Option<&Path>) -> Option<Recordings> {
    let beside = || memory.map(|file| file.with_file_name("recordings"));
    Some(Recordings {
        folder: config.recording.folder.clone().or_else(beside)?,
        format: match config.recording.format {
            config::RecordingFormat::Opus => Format::Opus,
            config::RecordingFormat::Wav => Format::Wav,
        },
        tone: config.recording.tone,
    })
}

pub(super) fn start_sound(
    config: &Config,
    recordings: Option<Recordings>,
    address: IpAddr,
    other: Option<IpAddr>,
    heard: Arc<Notify>,
) -> (Option<MediaHandle>, Option<String>) {
    let device = |role| device(&config.sound, role);
    let options = SoundOptions {
        address: media_bind(address, config.network.address),
        // Which family the next server will be of is known only where we speak with this computer alone.
        both_families: config.network.address.is_none() && (other.is_some() || !address.is_loopback()),
        ports: config.network.rtp_ports.map(|(first, last)| first..=last),
        spare: SPARE_PORTS,
        streams_max: crate::desk::MAX_CALLS,
        driver: driver(config.sound.driver),
        microphone: device(SoundRole::Microphone),
        headset: device(SoundRole::Headset),
        ringer: device(SoundRole::Ringer),
        second_ear: device(SoundRole::SecondEar),
        echo: switch(config.sound.echo_canceller),
        noise: switch(config.sound.noise_suppression),
        gain: switch(config.sound.gain_control),
        country: country(config.sound.country.as_deref()),
        recordings,
        seed: entropy(),
    };
    match MediaEngine::start(options, move || heard.notify_one()) {
        Ok(mut handle) => {
            handle.send(media::Command::RingVolume { percent: config.sound.ring_volume });
            (Some(handle), None)
        }
        Err(error) => (None, Some(error.to_string())),
    }
}

fn switch(switch: config::Switch) -> crate::media::Switch {
    match switch {
        config::Switch::Auto => crate::media::Switch::Auto,
        config::Switch::On => crate::media::Switch::On,
        config::Switch::Off => crate::media::Switch::Off,
    }
}

fn weakest(digest: config::Digest) -> Algorithm {
    match digest {
        config::Digest::Md5 => Algorithm::Md5,
        config::Digest::Sha256 => Algorithm::Sha256,
        config::Digest::Sha512_256 => Algorithm::Sha512256,
    }
}

fn source(source: &config::IdentitySource) -> identity::Source {
    match source {
        config::IdentitySource::Pai => identity::Source::Asserted,
        config::IdentitySource::Rpid => identity::Source::RemoteParty,
        config::IdentitySource::From => identity::Source::From,
    }
}

/// What each line's phone needs to know, in the order of the accounts; `local` is our address, `servers` are those found
/// so far, `fingerprint` is that of the media engine's certificate.
pub(super) fn phone_configs(
    config: &Config,
    dialects: &[Dialect],
    passwords: &[SecretString],
    servers: &[Vec<Peer>],
    local: SocketAddr,
    fingerprint: Option<[u8; 32]>,
) -> color_eyre::Result<Vec<PhoneConfig>> {
    let each = config.accounts.iter().zip(dialects).enumerate().map(|(i, (account, dialect))| {
        let password = passwords.get(i).cloned().unwrap_or_default();
        let servers = servers.get(i).cloned().unwrap_or_default();
        phone_config(config, account, dialect.clone(), password, servers, local, fingerprint)
    });
    each.collect()
}

/// How the account wants its sound protected; `fingerprint` is that of the media engine's certificate.
fn media_security(
    config: &Config,
    account: &config::Account,
    fingerprint: Option<[u8; 32]>,
) -> MediaSecurity {
    MediaSecurity {
        policy: match account.secure_media {
            config::SecureMedia::Off => sdp::SecureMedia::Off,
            config::SecureMedia::Optional => sdp::SecureMedia::Optional,
            config::SecureMedia::Required => sdp::SecureMedia::Required,
        },
        exchange: match account.key_exchange {
            config::KeyExchange::Auto => sdp::KeyExchange::Auto,
            config::KeyExchange::Sdes => sdp::KeyExchange::Sdes,
            config::KeyExchange::Dtls => sdp::KeyExchange::Dtls,
        },
        fingerprint: fingerprint.map(sdp::Fingerprint),
        certificates_checked: config.tls.verify,
    }
}

fn phone_config(
    config: &Config,
    account: &config::Account,
    dialect: Dialect,
    password: SecretString,
    servers: Vec<Peer>,
    local: SocketAddr,
    fingerprint: Option<[u8; 32]>,
) -> color_eyre::Result<PhoneConfig> {
    let mut uri = Uri::sip(&account.user, &account.server.uri_host());
    uri.port = account.server.port.filter(|port| *port != config::Server::DEFAULT_PORT);
    let mut aor = NameAddr::new(uri);
    if !account.display_name.is_empty() {
        aor = aor.with_display(account.display_name.as_str());
    }
    let proxy = account.outbound_proxy.as_ref().map(|proxy| {
        let uri = proxy.uri();
        Uri::parse(&uri).ok_or_else(|| eyre!("the outbound proxy “{uri}” can't be read"))
    });
    let codec = |c: &config::Codec| match c {
        config::Codec::Opus => sdp::Codec::Opus,
        config::Codec::G722 => sdp::Codec::G722,
        config::Codec::Pcmu => sdp::Codec::Pcmu,
        config::Codec::Pcma => sdp::Codec::Pcma,
    };
    Ok(PhoneConfig {
        local,
        media_address: if local.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { local.ip() },
        account: Account {
            servers,
            outbound: proxy.transpose()?.into_iter().collect(),
            realm: account.realm.clone(),
            further_realms: account.further_realms.clone(),
            expires_s: account.expires_s,
            weakest_digest: weakest(account.digest),
            identity: account.identity.iter().map(source).collect(),
            ..Account::new(aor, local, account.auth_user.as_str(), password)
        },
        dialect,
        staff: account.watch.clone(),
        team: account.team.clone(),
        codecs: account.codecs.as_ref().unwrap_or(&config.sound.codecs).iter().map(codec).collect(),
        security: media_security(config, account, fingerprint),
        seed: key_entropy().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_country_that_can_be_configured_has_tones() {
        let known: Vec<&str> = config::COUNTRIES.into_iter().filter(|c| Country::find(c).is_some()).collect();
        assert_eq!(known, config::COUNTRIES);
        assert_eq!(Country::codes().count(), config::COUNTRIES.len());
    }
}
