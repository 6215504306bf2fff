//! What a server says of its own accord: transfers it wishes, messages, digits, diversions; and what waits behind it.

use super::*;

impl Scene {
    /// A request of the server's own in Jane's call, or outside of it.
    fn server_says(&mut self, deed: impl FnOnce(&mut UserAgent, Moment, CallKey)) {
        let call = self.server.call.unwrap();
        deed(&mut self.server.ua, self.now, call);
        self.run(Duration::from_millis(10));
    }

    /// Another call of the server's with these headers, which gets the number 7 unless it takes the place of one.
    fn ring_with(&mut self, headers: &[(&str, &str)]) -> CallKey {
        let media = LocalMedia {
            address: address(1).ip(),
            port: 30_002,
            codecs: vec![Codec::Pcmu],
            redundancy: false,
            direction: sdp::Direction::SendRecv,
            session_id: 2,
            version: 1,
            security: sdp::LocalSecurity::default(),
        };
        let invite = Invite {
            account: None,
            from: Some(NameAddr::new(Uri::sip("0999", "10.0.0.1")).with_display("Mallory")),
            target: Uri::sip("reception", "10.0.0.2"),
            send_to: address(2).into(),
            sdp: sdp::offer(&media),
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        };
        self.server.ua.invite(self.now, invite)
    }

    fn told(&self) -> Vec<String> {
        let text = |e: &Event| match e {
            Event::Told(notice) => Some(notice.text.to_string()),
            Event::CallRemarked { remark, .. } => Some(remark.to_string()),
            Event::TransferWished { to, .. } => Some(format!("wishes {to}")),
            Event::DigitHeard { digit, .. } => Some(format!("digit {digit}")),
            _ => None,
        };
        self.heard.iter().filter_map(text).collect()
    }
}

#[test]
fn a_transfer_that_the_other_end_asks_for_is_refused_and_told() {
    let mut scene = Scene::talking();
    scene.server_says(|ua, now, call| {
        let to = NameAddr::new(Uri::sip("205", "10.0.0.1")).with_display("Sa\u{1b}[31mm");
        ua.refer(now, call, to, Vec::new());
    });
    assert_eq!(scene.told(), ["wishes Sa[31mm"]);
    assert_eq!((scene.phone.legs(), scene.server.ended), (1, None), "nobody was called, nothing was ended");
}

#[test]
fn a_message_of_our_server_is_shown_scrubbed_and_one_of_a_stranger_is_not() {
    let mut scene = Scene::talking();
    let ask = |from: &str| sip::Ask {
        account: None,
        from: Some(NameAddr::new(Uri::sip("202", "10.0.0.1")).with_display(from)),
        method: Method::Message,
        target: Uri::sip("reception", "10.0.0.2"),
        send_to: address(2).into(),
        headers: vec![("Content-Type".into(), "text/plain".into())],
        body: b"Mr. \x1b]52;c;x\x07Lopez is \xffhere".to_vec(),
    };
    scene.server_says(|ua, now, _| {
        ua.request(now, ask("Sam"));
    });
    scene.server_says(|ua, now, call| ua.message(now, call, "text/plain", b"two minutes".to_vec()));
    let told = scene.told();
    assert_eq!(told.len(), 2);
    assert!(told[0].starts_with("Sam writes: Mr. ") && !told[0].contains('\u{1b}'), "{told:?}");
    assert!(told[1].ends_with("two minutes"));
    let mut stranger = UserAgent::new(UaConfig::new(address(9), "stranger", 9));
    stranger.request(scene.now, ask("The boss"));
    while let Some(t) = stranger.poll_transmit() {
        scene.phone.receive(scene.now, address(9), &t.bytes);
    }
    scene.run(Duration::from_millis(10));
    assert_eq!(scene.told().len(), 2);
}

#[test]
fn digits_in_info_are_heard() {
    let mut scene = Scene::talking();
    scene.server_says(|ua, now, call| ua.info(now, call, "application/dtmf-relay", b"Signal=5\r\n".to_vec()));
    scene.server_says(|ua, now, call| ua.info(now, call, "application/dtmf", b"#".to_vec()));
    scene.server_says(|ua, now, call| ua.info(now, call, "application/media_control+xml", b"5".to_vec()));
    assert_eq!(scene.told(), ["digit 5", "digit #"]);
}

#[test]
fn a_call_tells_where_it_was_diverted_from() {
    let mut scene = Scene::talking();
    scene.phone.perform(scene.now, LineId::default(), Effect::HangUp(CALL));
    scene.run(Duration::from_secs(1));
    scene.heard.clear();
    scene.ring_with(&[("Diversion", "\"Sam\" <sip:202@10.0.0.1>;reason=user-busy")]);
    scene.run(Duration::from_millis(10));
    assert_eq!(scene.told(), ["diverted from Sam (busy)"]);
}

#[test]
fn a_call_of_our_server_may_take_the_place_of_another_and_nobody_elses_may() {
    let mut scene = Scene::talking();
    let id = scene.server.ua.dialog_id(scene.server.call.unwrap()).unwrap();
    let named = format!("{};to-tag={};from-tag={}", id.call_id, id.remote_tag, id.local_tag);
    // A stranger who knows the tags.
    let mut stranger = UserAgent::new(UaConfig::new(address(9), "stranger", 9));
    let stolen = Invite {
        account: None,
        from: Some(NameAddr::new(Uri::sip("0161", "10.0.0.1"))),
        target: Uri::sip("reception", "10.0.0.2"),
        send_to: address(2).into(),
        sdp: b"v=0".to_vec(),
        headers: vec![("Replaces".into(), named.clone())],
    };
    let theft = stranger.invite(scene.now, stolen);
    while let Some(t) = stranger.poll_transmit() {
        scene.phone.receive(scene.now, address(9), &t.bytes);
    }
    scene.run(Duration::from_millis(10));
    assert_eq!((scene.phone.legs(), scene.server.ended), (1, None));
    let _ = theft;
    // Tags of no call of ours.
    scene.ring_with(&[("Replaces", "nobody;to-tag=1;from-tag=2")]);
    scene.run(Duration::from_millis(10));
    assert!(scene.heard.iter().all(|e| !matches!(e, Event::PartyTold { .. } | Event::CallArrived(_))));
    scene.ring_with(&[("Replaces", &named), ("Require", "replaces")]);
    scene.run(Duration::from_millis(50));
    let joined =
        |e: &Event| matches!(e, Event::PartyTold { call: CALL, party } if party.name.as_str() == "Mallory");
    assert!(scene.heard.iter().any(joined), "{:?}", scene.heard);
    assert_eq!(scene.server.ended, Some(true), "the old leg got its BYE");
    assert_eq!(scene.phone.legs(), 1, "and the operator's call goes on");
    assert!(!scene.heard.iter().any(|e| matches!(e, Event::CallEnded { .. } | Event::CallArrived(_))));
}

#[test]
fn a_call_that_somebody_else_answered_is_not_one_that_gave_up() {
    for (reason, expected) in [
        ("SIP;cause=200;text=\"Call completed elsewhere\"", "answered elsewhere"),
        ("SIP;cause=603", "declined elsewhere"),
        ("SIP;cause=487;text=\"ORIGINATOR_CANCEL\"", ""),
        ("Q.850;cause=16", ""),
    ] {
        let mut scene = Scene::talking();
        scene.phone.perform(scene.now, LineId::default(), Effect::HangUp(CALL));
        scene.run(Duration::from_secs(1));
        scene.heard.clear();
        let call = scene.ring_with(&[]);
        scene.run(Duration::from_millis(10));
        scene.server.ua.hang_up(scene.now, call);
        scene.server.take_in(scene.now);
        while let Some(t) = scene.server.ua.poll_transmit() {
            let text = String::from_utf8(t.bytes).unwrap();
            let text = text.replace("Max-Forwards", &format!("Reason: {reason}\r\nMax-Forwards"));
            scene.phone.receive(scene.now, address(1), text.as_bytes());
        }
        scene.run(Duration::from_millis(10));
        let why = scene.heard.iter().find_map(|e| match e {
            Event::CallEnded { reason, .. } => Some(reason.to_string()),
            _ => None,
        });
        assert_eq!(why.as_deref(), Some(expected), "{reason}");
    }
}

#[test]
fn a_probe_that_has_to_wait_is_given_its_time_when_it_is_sent() {
    let mut scene = Scene::talking();
    scene.park();
    // The server is in the middle of a re-INVITE without an answer to it: the probe can't go out yet.
    let now = scene.now;
    scene.phone.with_first(now, |phone| {
        let key = *phone.by_key.keys().next().unwrap();
        phone.ua.reoffer(now, key, b"v=0".to_vec());
    });
    scene.light("701");
    scene.run(Duration::from_secs(5));
    assert_eq!((scene.refused(), scene.proven()), (None, None), "it has not even been asked");
    assert_eq!(scene.server.refers.len(), 1);
}

#[test]
fn a_park_that_was_given_up_before_it_was_asked_for_is_never_asked_for() {
    let mut scene = Scene::talking();
    let now = scene.now;
    scene.phone.with_first(now, |phone| {
        let key = *phone.by_key.keys().next().unwrap();
        phone.ua.reoffer(now, key, b"v=0".to_vec());
    });
    scene.run(Duration::from_millis(10));
    scene.park();
    // The server never answers the re-INVITE; the operator is told that the park failed.
    scene.run(Duration::from_secs(19));
    assert!(scene.server.refers.is_empty());
    let later = scene.now + Duration::from_secs(60);
    scene.phone.with_first(later, |phone| phone.decide_attempts(later));
    assert!(scene.phone.first().attempts.is_empty());
    scene.run(Duration::from_secs(40));
    assert!(scene.server.refers.is_empty(), "the REFER that waited was taken back");
}

#[test]
fn digits_go_in_info_where_the_other_end_takes_no_telephone_event() {
    let mut scene = Scene::talking();
    scene.phone.perform(scene.now, LineId::default(), Effect::SendDigit { call: CALL, digit: '5' });
    let by_sound = |said: &Said| matches!(said, Said::Sound(SoundStep::Digit { digit: '5', .. }));
    assert!(std::iter::from_fn(|| scene.phone.poll_said()).any(|(_, said)| by_sound(&said)));
    let offer =
        b"v=0\r\no=- 1 9 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n";
    let now = scene.now;
    scene.phone.with_first(now, |phone| {
        let key = *phone.by_key.keys().next().unwrap();
        phone.offer_received(now, key, offer);
    });
    scene.phone.perform(scene.now, LineId::default(), Effect::SendDigit { call: CALL, digit: '6' });
    assert!(
        !std::iter::from_fn(|| scene.phone.poll_said())
            .any(|(_, s)| matches!(s, Said::Sound(SoundStep::Digit { .. })))
    );
    let sent = std::iter::from_fn(|| scene.phone.poll_transmit()).map(|t| t.bytes);
    let told: Vec<String> = sent.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    assert!(told.iter().any(|text| text.starts_with("INFO ") && text.contains("Signal=6")), "{told:?}");
}

#[test]
fn a_colleagues_console_is_heard_where_the_server_vouches_for_it_and_never_shown_as_text() {
    let mut scene = Scene::talking();
    let message = |number: &str, n: u32| sip::Ask {
        account: None,
        from: Some(NameAddr::new(Uri::sip(number, "10.0.0.1")).with_display("Ann")),
        method: Method::Message,
        target: Uri::sip("reception", "10.0.0.2"),
        send_to: address(2).into(),
        headers: vec![("Content-Type".into(), "text/plain".into())],
        body: format!("parkdeck-team/1 {{\"run\":\"a\",\"n\":{n},\"say\":\"claimed\",\"slot\":\"701\"}}")
            .into_bytes(),
    };
    for (n, number) in ["101", "199"].into_iter().enumerate() {
        let ask = message(number, u32::try_from(n).unwrap() + 1);
        scene.server_says(|ua, now, _| {
            ua.request(now, ask);
        });
    }
    assert!(scene.told().is_empty(), "{:?}", scene.told());
    let heard = scene.heard.iter().filter_map(|event| match event {
        Event::TeamTold { from, .. } => Some(from.number.to_string()),
        _ => None,
    });
    assert_eq!(heard.collect::<Vec<_>>(), ["101"]);
    let stranger = |event: &Event| matches!(event, Event::LineTroubled { reason } if reason.as_str().contains("not in [team]"));
    assert_eq!(scene.heard.iter().filter(|event| stranger(event)).count(), 1);
}

#[test]
fn what_is_told_to_the_team_goes_to_its_members_and_a_message_to_people_is_answered_for() {
    let mut scene = Scene::talking();
    let news = crate::desk::TeamNews::Hello;
    let before = scene.server.methods.iter().filter(|m| **m == Method::Message).count();
    scene.phone.perform(scene.now, LineId(0), Effect::TellTeam { line: LineId(0), to: None, news });
    scene.run(Duration::from_millis(10));
    let sent = scene.server.methods.iter().filter(|m| **m == Method::Message).count() - before;
    assert_eq!(sent, 2, "101 and 105");
    let message = Effect::SendMessage { line: LineId(0), to: "0161 496".into(), text: "hello".into() };
    scene.phone.perform(scene.now, LineId(0), message);
    let message = Effect::SendMessage { line: LineId(0), to: "no such thing".into(), text: "hello".into() };
    scene.phone.perform(scene.now, LineId(0), message);
    scene.run(Duration::from_millis(10));
    let answered = |to: &str| {
        scene.heard.iter().find_map(|event| match event {
            Event::MessageAnswered { to: there, outcome } if there == to => Some(outcome.clone()),
            _ => None,
        })
    };
    assert_eq!(answered("0161 496"), Some(Ok(())));
    assert_eq!(answered("no such thing"), Some(Err(Text::new("that is no number or address"))));
}

#[test]
fn a_page_asks_to_be_answered_at_once_in_the_words_of_common_phones() {
    let mut scene = Scene::talking();
    let page = CallId(9);
    scene.phone.perform(scene.now, LineId(0), Effect::Page { line: LineId(0), call: page, to: "770".into() });
    let mut invite = None;
    while let Some(transmit) = scene.phone.poll_transmit() {
        let read = crate::sip::message::read_datagram(&transmit.bytes);
        if let Ok(crate::sip::message::Message::Request(request)) = read {
            invite = Some(request).filter(|r| r.method == Method::Invite).or(invite);
        }
    }
    let invite = invite.expect("an INVITE");
    assert_eq!((invite.method.clone(), invite.uri.user.as_deref()), (Method::Invite, Some("770")));
    assert!(crate::sip::ring::announcement(&invite.headers).wants_auto_answer);
    assert!(invite.headers.get("Call-Info").is_some_and(|v| v.contains("answer-after=0")));
}
