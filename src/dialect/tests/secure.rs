//! Protection of the sound, over signalling in clear.

use super::*;
use crate::desk::{MediaCover, Security, SignallingCover};
use crate::dialect::MediaSecurity;
use crate::sip::sdp::{DtlsRole, Fingerprint, KeyExchange, LocalSecurity, Protection, SecureMedia};

fn wants(policy: SecureMedia) -> MediaSecurity {
    let fingerprint = Some(Fingerprint([1; 32]));
    MediaSecurity { policy, exchange: KeyExchange::Auto, fingerprint, certificates_checked: true }
}

fn theirs(policy: SecureMedia) -> LocalSecurity {
    LocalSecurity { policy, fingerprint: Some(Fingerprint([2; 32])), ..LocalSecurity::default() }
}

#[test]
fn where_protection_is_required_a_call_in_clear_is_turned_away_in_words() {
    let mut scene = Scene::registered(wants(SecureMedia::Required));
    scene.ring(address(1));
    scene.run(Duration::from_millis(100));
    assert!(!scene.heard.iter().any(|e| matches!(e, Event::CallArrived(_))));
    let told = scene.heard.iter().find_map(|e| match e {
        Event::Told(notice) => Some(notice.text.to_string()),
        _ => None,
    });
    assert!(told.is_some_and(|text| text.contains("Jane Doe") && text.contains("encrypted")));
}

#[test]
fn a_handshake_is_agreed_on_and_the_desk_is_told_what_is_missing() {
    for policy in [SecureMedia::Optional, SecureMedia::Required] {
        let mut scene = Scene::registered(wants(policy));
        scene.ring_protected(theirs(SecureMedia::Required));
        scene.run(Duration::from_millis(100));
        scene.phone.perform(scene.now, LineId::default(), Effect::Answer(CALL));
        scene.run(Duration::from_millis(100));
        let security =
            Security { wanted: true, signalling: SignallingCover::Clear, media: MediaCover::Awaited };
        assert!(scene.heard.contains(&Event::CallSecured { call: CALL, security: security.clone() }));
        let agreed = scene.phone.first().legs[&CALL].local.security.agreed.clone().unwrap().1;
        let fingerprint = Fingerprint([2; 32]);
        assert_eq!(agreed, Protection::Dtls { role: DtlsRole::Active, fingerprint });
        assert!(!Security { media: MediaCover::Encrypted, ..security }.is_locked(), "signalling is in clear");
    }
}

#[test]
fn who_may_do_without_is_answered_in_clear_and_off_refuses_who_insists() {
    let mut scene = Scene::registered(wants(SecureMedia::Optional));
    scene.ring(address(1));
    scene.run(Duration::from_millis(100));
    scene.phone.perform(scene.now, LineId::default(), Effect::Answer(CALL));
    scene.run(Duration::from_millis(100));
    let clear = Security { wanted: true, signalling: SignallingCover::Clear, media: MediaCover::Clear };
    assert!(scene.heard.contains(&Event::CallSecured { call: CALL, security: clear }));
    let mut scene = Scene::registered(wants(SecureMedia::Off));
    scene.ring_protected(theirs(SecureMedia::Required));
    scene.run(Duration::from_millis(100));
    assert!(!scene.heard.iter().any(|e| matches!(e, Event::CallArrived(_))));
}
