//! Every timer by its value in RFC 3261 table 4, and RFC 6026.

use super::*;
use crate::sip::message::{Message, Uri, read_datagram};
use std::time::Duration;

fn at(port: u16) -> Peer {
    Peer::udp(([127, 0, 0, 1], port).into())
}

fn request(method: Method) -> Request {
    let mut request = Request::new(method.clone(), Uri::sip("you", "127.0.0.1"));
    request.headers.push("Via", "SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKtest;rport");
    request.headers.push("From", "<sip:me@127.0.0.1>;tag=a");
    request.headers.push("To", "<sip:you@127.0.0.1>");
    request.headers.push("Call-ID", "c");
    request.headers.push("CSeq", format!("1 {method}"));
    request
}

fn response(method: Method, status: u16) -> Response {
    let mut response = Response::to(&request(method), status);
    response.headers.set("To", "<sip:you@127.0.0.1>;tag=b");
    response
}

/// Lets timers go off until nothing is set or `until` has come; when something was sent, and what was told.
fn run(layer: &mut Transactions, until: Duration) -> (Vec<u64>, Vec<String>) {
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    let mut now = Duration::ZERO;
    loop {
        while layer.poll_transmit().is_some() {
            sent.push(now.as_millis() as u64);
        }
        while let Some(news) = layer.poll_news() {
            let what = format!("{news:?}").split(' ').next().unwrap().to_owned();
            told.push(format!("{what} {}", now.as_millis()));
        }
        match layer.next_wake().filter(|next| *next <= until) {
            Some(next) => now = next,
            None => return (sent, told),
        }
        layer.wake(now);
    }
}

const FOREVER: Duration = Duration::from_secs(1000);

#[test]
fn timers_a_and_b_repeat_an_invite_and_give_up() {
    let mut layer = Transactions::new();
    layer.send(Duration::ZERO, at(1), request(Method::Invite));
    let (sent, told) = run(&mut layer, FOREVER);
    assert_eq!(sent, [0, 500, 1500, 3500, 7500, 15500, 31500]);
    assert_eq!(told, ["TimedOut 32000"]);
    assert_eq!(layer.counts(), (0, 0));
}

#[test]
fn timers_e_and_f_repeat_other_requests_and_give_up() {
    let mut layer = Transactions::new();
    layer.send(Duration::ZERO, at(1), request(Method::Options));
    let (sent, told) = run(&mut layer, FOREVER);
    assert_eq!(sent, [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    assert_eq!(told, ["TimedOut 32000"]);
}

#[test]
fn a_provisional_response_stops_an_invite_and_slows_the_others() {
    let mut layer = Transactions::new();
    layer.send(Duration::ZERO, at(1), request(Method::Invite));
    layer.receive_response(Duration::ZERO, at(1), response(Method::Invite, 100));
    let (sent, told) = run(&mut layer, FOREVER);
    assert_eq!((sent, told), (vec![0], vec!["Answered 0".to_owned()]));
    assert_eq!((layer.counts(), layer.alarms_set()), ((1, 0), 0), "it may ring for ever");

    let mut layer = Transactions::new();
    layer.send(Duration::ZERO, at(1), request(Method::Options));
    layer.receive_response(Duration::ZERO, at(1), response(Method::Options, 100));
    let (sent, _) = run(&mut layer, FOREVER);
    assert_eq!(sent, [0, 500, 4500, 8500, 12500, 16500, 20500, 24500, 28500]);
}

#[test]
fn timer_d_acknowledges_repeated_refusals_for_32_s() {
    let mut layer = Transactions::new();
    layer.send(Duration::ZERO, at(1), request(Method::Invite));
    for _ in 0..3 {
        layer.receive_response(Duration::ZERO, at(1), response(Method::Invite, 486));
    }
    let acks: Vec<Message> = std::iter::from_fn(|| layer.poll_transmit())
        .filter_map(|transmit| read_datagram(&transmit.bytes).ok())
        .filter(|message| matches!(message, Message::Request(r) if r.method == Method::Ack))
        .collect();
    assert_eq!(acks.len(), 3);
    let headers = acks[0].headers();
    assert_eq!(headers.via().unwrap().branch(), Some("z9hG4bKtest"), "the INVITE's own branch");
    assert_eq!(headers.to().unwrap().tag(), Some("b"));
    assert_eq!(layer.next_wake(), Some(timers::D));
    let (_, told) = run(&mut layer, FOREVER);
    assert_eq!(told, ["Answered 0"], "once, however often it is repeated");
    assert_eq!(layer.counts(), (0, 0));
}

#[test]
fn timer_m_lets_every_2xx_through_for_64_t1() {
    let mut layer = Transactions::new();
    layer.send(Duration::ZERO, at(1), request(Method::Invite));
    for _ in 0..3 {
        layer.receive_response(Duration::ZERO, at(1), response(Method::Invite, 200));
    }
    let (sent, told) = run(&mut layer, FOREVER);
    assert_eq!(sent, [0], "the ACK is the user's");
    assert_eq!(told, ["Answered 0", "Answered 0", "Answered 0", "Settled 32000"]);
}

#[test]
fn timer_k_absorbs_repeated_answers_for_5_s() {
    let mut layer = Transactions::new();
    layer.send(Duration::ZERO, at(1), request(Method::Options));
    layer.receive_response(Duration::ZERO, at(1), response(Method::Options, 200));
    layer.receive_response(Duration::ZERO, at(1), response(Method::Options, 200));
    assert_eq!(layer.next_wake(), Some(timers::T4));
    let (_, told) = run(&mut layer, FOREVER);
    assert_eq!(told, ["Answered 0"]);
    assert_eq!(layer.counts(), (0, 0));
}

#[test]
fn timers_g_and_h_repeat_a_refusal_until_nobody_acknowledges() {
    let mut layer = Transactions::new();
    let id = layer.open(at(1), &request(Method::Invite)).unwrap();
    layer.respond(Duration::ZERO, id, &response(Method::Invite, 486));
    let (sent, _) = run(&mut layer, FOREVER);
    assert_eq!(sent, [0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    assert_eq!(layer.counts(), (0, 0));
}

#[test]
fn timer_i_absorbs_repeated_acks_for_5_s() {
    let mut layer = Transactions::new();
    let id = layer.open(at(1), &request(Method::Invite)).unwrap();
    layer.respond(Duration::ZERO, id, &response(Method::Invite, 486));
    for _ in 0..2 {
        assert_eq!(layer.receive_request(Duration::ZERO, at(1), &request(Method::Ack)), Arrival::Absorbed);
    }
    assert_eq!(layer.next_wake(), Some(timers::I));
    let (sent, _) = run(&mut layer, FOREVER);
    assert_eq!((sent, layer.counts()), (vec![0], (0, 0)));
}

#[test]
fn timer_j_answers_repetitions_for_64_t1() {
    let mut layer = Transactions::new();
    let id = layer.open(at(1), &request(Method::Options)).unwrap();
    assert_eq!(layer.receive_request(Duration::ZERO, at(1), &request(Method::Options)), Arrival::Absorbed);
    assert!(layer.poll_transmit().is_none(), "nothing to say yet");
    layer.respond(Duration::ZERO, id, &response(Method::Options, 200));
    assert_eq!(layer.receive_request(Duration::ZERO, at(1), &request(Method::Options)), Arrival::Absorbed);
    assert_eq!(layer.next_wake(), Some(timers::LIMIT));
    let (sent, _) = run(&mut layer, FOREVER);
    assert_eq!((sent, layer.counts()), (vec![0, 0], (0, 0)));
}

#[test]
fn timer_l_absorbs_repeated_invites_and_the_2xx_is_the_users_to_repeat() {
    let mut layer = Transactions::new();
    let id = layer.open(at(1), &request(Method::Invite)).unwrap();
    layer.respond(Duration::ZERO, id, &response(Method::Invite, 200));
    assert_eq!(layer.receive_request(Duration::ZERO, at(1), &request(Method::Invite)), Arrival::Absorbed);
    assert_eq!(layer.receive_request(Duration::ZERO, at(1), &request(Method::Ack)), Arrival::New);
    layer.repeat_last(id);
    assert_eq!(layer.next_wake(), Some(timers::LIMIT));
    let (sent, _) = run(&mut layer, FOREVER);
    assert_eq!((sent, layer.counts()), (vec![0, 0], (0, 0)));
}

#[test]
fn a_cancel_is_matched_by_branch_and_method() {
    let mut layer = Transactions::new();
    let id = layer.open(at(1), &request(Method::Invite)).unwrap();
    assert_eq!(
        layer.receive_request(Duration::ZERO, at(1), &cancel_of(&request(Method::Invite))),
        Arrival::Cancels(id)
    );
    // And the answer to our CANCEL is not taken for one to our INVITE.
    layer.send(Duration::ZERO, at(1), request(Method::Invite));
    let cancel = layer.send(Duration::ZERO, at(1), cancel_of(&request(Method::Invite)));
    layer.receive_response(Duration::ZERO, at(1), response(Method::Cancel, 200));
    assert!(matches!(layer.poll_news(), Some(News::Answered { client, .. }) if client == cancel));
    assert!(layer.poll_news().is_none());
}

#[test]
fn branches_of_the_old_kind_are_matched_by_everything_else() {
    let old = |method: Method| {
        let mut request = request(method);
        request.headers.set("Via", "SIP/2.0/UDP 127.0.0.1:6001");
        request
    };
    let mut layer = Transactions::new();
    let id = layer.open(at(1), &old(Method::Invite)).unwrap();
    assert_eq!(layer.receive_request(Duration::ZERO, at(1), &old(Method::Invite)), Arrival::Absorbed);
    layer.respond(Duration::ZERO, id, &response(Method::Invite, 486));
    assert_eq!(layer.receive_request(Duration::ZERO, at(1), &old(Method::Ack)), Arrival::Absorbed);
    let mut other = old(Method::Invite);
    other.headers.set("Call-ID", "other");
    assert_eq!(layer.receive_request(Duration::ZERO, at(1), &other), Arrival::New);
}

fn stream(port: u16) -> Peer {
    Peer::new(crate::sip::Transport::Tcp, at(port).address)
}

#[test]
fn over_a_stream_a_and_e_are_off_and_b_and_f_are_not() {
    for method in [Method::Invite, Method::Options] {
        let mut layer = Transactions::new();
        layer.send(Duration::ZERO, stream(1), request(method));
        let (sent, told) = run(&mut layer, FOREVER);
        assert_eq!((sent, told), (vec![0], vec!["TimedOut 32000".to_owned()]));
        assert_eq!((layer.counts(), layer.alarms_set()), ((0, 0), 0));
    }
}

#[test]
fn over_a_stream_d_and_k_are_zero() {
    for (method, status) in [(Method::Invite, 486), (Method::Options, 200)] {
        let mut layer = Transactions::new();
        layer.send(Duration::ZERO, stream(1), request(method.clone()));
        layer.receive_response(Duration::ZERO, stream(1), response(method.clone(), status));
        // What is asked for while the answer is dealt with is still there, and then no longer.
        assert_eq!(layer.counts(), (1, 0));
        let (sent, _) = run(&mut layer, Duration::ZERO);
        assert_eq!(sent.len(), if method == Method::Invite { 2 } else { 1 }, "the ACK goes once");
        assert_eq!((layer.counts(), layer.alarms_set()), ((0, 0), 0));
    }
}

#[test]
fn over_a_stream_an_accepted_invite_still_lets_every_2xx_through_for_64_t1() {
    let mut layer = Transactions::new();
    layer.send(Duration::ZERO, stream(1), request(Method::Invite));
    layer.receive_response(Duration::ZERO, stream(1), response(Method::Invite, 200));
    let (_, told) = run(&mut layer, FOREVER);
    assert_eq!(told, ["Answered 0", "Settled 32000"]);
}

#[test]
fn over_a_stream_g_is_off_h_is_not_and_i_and_j_are_zero() {
    let mut layer = Transactions::new();
    let id = layer.open(stream(1), &request(Method::Invite)).unwrap();
    layer.respond(Duration::ZERO, id, &response(Method::Invite, 486));
    assert_eq!(run(&mut layer, Duration::from_secs(31)).0, [0]);
    assert_eq!(layer.counts(), (0, 1), "the ACK may still come");
    run(&mut layer, FOREVER);
    assert_eq!(layer.counts(), (0, 0));
    let id = layer.open(stream(1), &request(Method::Invite)).unwrap();
    layer.respond(Duration::ZERO, id, &response(Method::Invite, 486));
    layer.receive_request(Duration::ZERO, stream(1), &request(Method::Ack));
    run(&mut layer, Duration::ZERO);
    assert_eq!(layer.counts(), (0, 0), "timer I");
    let id = layer.open(stream(1), &request(Method::Options)).unwrap();
    layer.respond(Duration::ZERO, id, &response(Method::Options, 200));
    run(&mut layer, Duration::ZERO);
    assert_eq!((layer.counts(), layer.alarms_set()), ((0, 0), 0), "timer J");
}

#[test]
fn a_request_on_a_connection_that_closes_fails_at_once_and_says_how_far_it_was() {
    let mut layer = Transactions::new();
    layer.send(Duration::ZERO, stream(1), request(Method::Invite));
    layer.receive_response(Duration::ZERO, stream(1), response(Method::Invite, 180));
    layer.send(Duration::ZERO, stream(1), request(Method::Options));
    layer.send(Duration::ZERO, stream(2), request(Method::Message));
    layer.lose_flow(stream(1), true, "reset", true);
    let mut failed = Vec::new();
    while let Some(news) = layer.poll_news() {
        if let News::Failed { request, loss, .. } = news {
            failed.push((request.method.to_string(), loss.heard, loss.was_open, loss.reason));
        }
    }
    let told = |method: &str, heard| (method.to_owned(), heard, true, "reset".to_owned());
    assert_eq!(failed, [told("INVITE", true), told("OPTIONS", false)]);
    assert_eq!(layer.counts(), (1, 0));
}

#[test]
fn an_answer_goes_to_the_sent_by_port_when_the_connection_is_gone_and_we_may_open_one() {
    for (opens, expected) in [(true, stream(6001)), (false, stream(40_000))] {
        let mut layer = Transactions::new();
        let id = layer.open(stream(40_000), &request(Method::Options)).unwrap();
        layer.lose_flow(stream(40_000), true, "reset", opens);
        layer.respond(Duration::ZERO, id, &response(Method::Options, 200));
        assert_eq!(layer.poll_transmit().unwrap().to, expected);
    }
}

#[test]
fn the_same_branch_over_another_transport_is_another_transaction() {
    let mut layer = Transactions::new();
    layer.open(at(1), &request(Method::Invite)).unwrap();
    let cancel = cancel_of(&request(Method::Invite));
    assert_eq!(layer.receive_request(Duration::ZERO, stream(1), &cancel), Arrival::New);
    assert!(matches!(layer.receive_request(Duration::ZERO, at(1), &cancel), Arrival::Cancels(_)));
    layer.send(Duration::ZERO, stream(9), request(Method::Options));
    layer.receive_response(Duration::ZERO, at(9), response(Method::Options, 200));
    assert!(layer.poll_news().is_none(), "no answer over another transport than the question's");
}
