//! Protection of the sound, over signalling in clear.

use super::*;
use crate::desk::{MediaCover, Security, SignallingCover};
use crate::dialect::MediaSecurity;
use crate::sip::sdp::{DtlsRole, Fingerprint, KeyExchange, LocalSecurity, Protection, SdesKeys, SecureMedia};
use rand::SeedableRng;
use rand::rngs::StdRng;

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

#[test]
fn keys_that_come_near_their_end_are_replaced_by_an_offer_with_fresh_ones() {
    let wanted = MediaSecurity { exchange: KeyExchange::Sdes, ..wants(SecureMedia::Required) };
    let mut scene = Scene::registered_at(SERVER_BY_TLS, Dialect::named("asterisk", front()).unwrap(), wanted);
    let keys = Some(SdesKeys::new(&mut StdRng::seed_from_u64(3)));
    let theirs =
        LocalSecurity { sealed: true, keys, exchange: KeyExchange::Sdes, ..theirs(SecureMedia::Required) };
    scene.ring_protected(theirs);
    scene.run(Duration::from_millis(100));
    scene.phone.renew_keys(scene.now, CALL);
    assert!(scene.server.descriptions.is_empty(), "it only rings");
    scene.phone.perform(scene.now, LineId::default(), Effect::Answer(CALL));
    scene.run(Duration::from_millis(100));
    let agreed = |scene: &Scene| scene.phone.first().legs[&CALL].local.security.agreed.clone();
    let before = agreed(&scene);
    assert!(matches!(&before, Some((_, Protection::Sdes { .. }))), "{before:?}");
    scene.phone.renew_keys(scene.now, CALL);
    scene.run(Duration::from_millis(100));
    let offer = String::from_utf8(scene.server.descriptions.pop().unwrap()).unwrap();
    assert_eq!(offer.matches("a=crypto:").count(), 4, "{offer}");
    assert_eq!(agreed(&scene), before, "in use until it is answered");
}

#[test]
fn where_no_keys_stand_in_descriptions_nothing_is_renewed() {
    let mut scene = Scene::talking();
    scene.phone.renew_keys(scene.now, CALL);
    scene.run(Duration::from_millis(100));
    assert!(scene.server.descriptions.is_empty());
}
