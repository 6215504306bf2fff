//! Whole messages: read, understood, written, and read again.

use super::*;

const OPTIONS: &str = "OPTIONS sip:100@10.0.0.5 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKabc\r\n\
    From: <sip:100@pbx.example>;tag=a1\r\nTo: <sip:701@pbx.example>\r\nCall-ID: x@y\r\nCSeq: 1 OPTIONS\r\n";

fn read(rest: &str) -> Result<Message, Refusal> {
    read_datagram(format!("{OPTIONS}{rest}").as_bytes())
}

#[test]
fn a_request_is_read_and_written_the_same() {
    let message = read("Subject: a\r\n  b\r\nContent-Length: 3\r\n\r\nabcEXCESS").unwrap();
    assert_eq!(message.headers().get("subject"), Some("a b"));
    assert_eq!(message.body(), b"abc", "what is behind Content-Length is dropped");
    assert_eq!(read_datagram(&message.to_bytes()), Ok(message));
}

#[test]
fn a_response_copies_what_it_must() {
    let Ok(Message::Request(request)) = read("Via: SIP/2.0/UDP b\r\nTimestamp: 5\r\n\r\n") else { panic!() };
    let response = Response::to(&request, 100);
    assert_eq!(response.reason, "Trying");
    assert_eq!(response.headers.vias().len(), 2);
    for name in ["From", "To", "Call-ID", "CSeq", "Timestamp"] {
        assert_eq!(response.headers.get(name), request.headers.get(name));
    }
    let text = String::from_utf8(response.to_bytes()).unwrap();
    assert!(text.starts_with("SIP/2.0 100 Trying\r\n") && text.ends_with("Content-Length: 0\r\n\r\n"));
}

#[test]
fn a_refused_request_comes_with_its_answer() {
    let refusal = read("Content-Length: 9\r\n\r\nshort").unwrap_err();
    assert_eq!(refusal.status, Some(400));
    let answer = refusal.request_head.unwrap();
    assert_eq!((answer.status, answer.headers.call_id()), (400, Some("x@y")));
}

#[test]
fn limits_hold_and_say_so() {
    let long = "x".repeat(MAX_HEADER_LINE);
    assert_eq!(read(&format!("A: {long}\r\n\r\n")).unwrap_err().status, Some(513));
    let folded = " x\r\n".repeat(MAX_HEADER_LINE);
    assert_eq!(read(&format!("A: x\r\n{folded}\r\n")).unwrap_err().status, Some(513));
    let many = "A: x\r\n".repeat(MAX_HEADERS);
    assert_eq!(read(&format!("{many}\r\n")).unwrap_err().status, Some(513));
    let listed = format!("Contact: {}<sip:a@b>\r\n\r\n", "<sip:a@b>, ".repeat(MAX_LIST));
    assert_eq!(read(&listed).unwrap_err().status, Some(400));
    assert_eq!(read_datagram(&vec![b'x'; MAX_DATAGRAM + 1]).unwrap_err().status, None);
}

#[test]
fn line_ends_may_be_mixed() {
    let text = OPTIONS.replace("\r\n", "\n") + "Subject: x\r\n\nbody";
    let message = read_datagram(text.as_bytes()).unwrap();
    assert_eq!((message.headers().get("Subject"), message.body()), (Some("x"), &b"body"[..]));
}

#[test]
fn an_ack_and_a_response_are_never_answered() {
    let ack = OPTIONS.replace("OPTIONS", "ACK") + "Content-Length: 9\r\n\r\n";
    let refusal = read_datagram(ack.as_bytes()).unwrap_err();
    assert_eq!((refusal.status, refusal.request_head), (None, None));
    let reply =
        OPTIONS.replace("OPTIONS sip:100@10.0.0.5 SIP/2.0", "SIP/2.0 200 OK") + "Content-Length: 9\r\n\r\n";
    assert_eq!(read_datagram(reply.as_bytes()).unwrap_err().status, None);
}

#[test]
fn keep_alives_and_strangers_are_no_messages() {
    for bytes in
        [&b"\r\n\r\n"[..], b"", b"\0\x01\0\0\x21\x12\xa4\x42", b"GET / HTTP/1.1\r\n\r\n", b"SIP/2.0\r\n\r\n"]
    {
        assert_eq!(read_datagram(bytes).unwrap_err().status, None);
    }
}

#[test]
fn bytes_that_are_not_utf8_survive_in_bodies_and_show_in_headers() {
    let mut bytes = OPTIONS.as_bytes().to_vec();
    bytes.extend_from_slice(b"Subject: \xff\r\nContent-Length: 2\r\n\r\n\xff\xfe");
    let message = read_datagram(&bytes).unwrap();
    assert_eq!((message.headers().get("Subject"), message.body()), (Some("\u{fffd}"), &b"\xff\xfe"[..]));
}

#[test]
fn nothing_that_is_written_can_inject_a_header() {
    let mut request = Request::new(Method::new("EVIL\r\nX: 1"), Uri::sip("a\r\nX: 2", "h\r\nX:3"));
    request.headers.push("Subject\r\nX", "a\r\nX: 4\r\n\r\nbody");
    let text = String::from_utf8(request.to_bytes()).unwrap();
    assert_eq!(text.matches("\r\n").count(), 4, "start line, Subject, Content-Length, empty line: {text}");
    let mut response = Response::to(&request, 200);
    response.reason = "OK\r\nX: 5".into();
    assert_eq!(String::from_utf8(response.to_bytes()).unwrap().matches("\r\n").count(), 3);
}

mod whatever_is_written_reads_back {
    use super::*;
    use proptest::prelude::*;

    /// Text that people and machines put into names and values: beyond ASCII, quoted, escaped, never a line end.
    fn text() -> impl Strategy<Value = String> {
        "[ -~äöß漢字🙂\u{202e}\t]{1,20}"
    }

    fn params() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
        prop::collection::vec(("[a-z+.-]{1,8}", prop::option::of(text())), 0..6)
    }

    fn set(params: &mut Params, all: &[(String, Option<String>)]) {
        for (name, value) in all {
            match value {
                Some(value) => params.set(name, value.clone()),
                None => params.set_flag(name),
            }
        }
    }

    fn host() -> impl Strategy<Value = String> {
        let address = any::<u128>().prop_map(|bits| format!("[{}]", std::net::Ipv6Addr::from(bits)));
        prop_oneof!["[a-z0-9]{1,8}(\\.[a-z0-9]{1,8}){0,3}", address]
    }

    fn uri() -> impl Strategy<Value = Uri> {
        let sip = (text(), host(), any::<Option<u16>>(), params(), prop::option::of(text()), any::<bool>());
        let sip = sip.prop_map(|(user, host, port, all, replaces, secure)| {
            let mut uri = Uri::sip(&user, &host);
            uri.port = port;
            uri.scheme = if secure { Scheme::Sips } else { Scheme::Sip };
            set(&mut uri.params, &all);
            uri.params.set("gr", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
            uri.headers.extend(replaces.map(|value| ("Replaces".to_owned(), value)));
            uri
        });
        let tel = ("\\+?[0-9().*#-]{1,16}", params()).prop_map(|(number, all)| {
            let mut uri = Uri::sip(&number, "");
            uri.scheme = Scheme::Tel;
            set(&mut uri.params, &all);
            uri.params.set("phone-context", "+1-555");
            uri
        });
        prop_oneof![sip, tel].prop_map(|made| {
            let read = Uri::parse(&made.to_string()).unwrap();
            assert_eq!(meaning(&read), meaning(&made), "{made}");
            read
        })
    }

    /// Whether a value was quoted, which means nothing in a URI, left aside.
    fn meaning(uri: &Uri) -> impl PartialEq + std::fmt::Debug {
        let params: Vec<(String, Option<String>)> =
            uri.params.iter().map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).collect();
        (uri.scheme.clone(), uri.user.clone(), uri.host.clone(), uri.port, params, uri.headers.clone())
    }

    proptest! {
        #[test]
        fn uris(uri in uri()) {
            prop_assert_eq!(Uri::parse(&uri.to_string()), Some(uri));
        }

        #[test]
        fn addresses(uri in uri(), display in text(), all in params()) {
            let mut address = NameAddr::new(uri).with_display(&display);
            set(&mut address.params, &all);
            prop_assert_eq!(NameAddr::parse(&address.to_string()), Some(address));
        }

        #[test]
        fn vias(host in host(), port: Option<u16>, all in params()) {
            let mut via = Via { transport: "TLS".into(), host, port, params: Params::new() };
            set(&mut via.params, &all);
            prop_assert_eq!(Via::parse(&via.to_string()), Some(via));
        }

        #[test]
        fn requests(
            uri in uri(), from in uri(), display in text(), subject in text(),
            contacts in prop::collection::vec(uri(), 0..4), body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut request = Request::new(Method::Message, Uri { headers: Vec::new(), ..uri });
            let headers = &mut request.headers;
            headers.push("Via", "SIP/2.0/UDP a;branch=z9hG4bKx, SIP/2.0/TCP b;branch=z9hG4bKy");
            let from = NameAddr::new(from).with_display(&display).with_tag("1");
            headers.push("From", from.to_string());
            headers.push("To", "<sip:a@b>");
            headers.push("Call-ID", "x");
            headers.push("CSeq", "1 MESSAGE");
            headers.push("Subject", subject);
            let contacts: Vec<NameAddr> = contacts.into_iter().map(NameAddr::new).collect();
            let line: Vec<String> = contacts.iter().map(ToString::to_string).collect();
            headers.push("Contact", line.join(", "));
            if contacts.is_empty() {
                headers.remove("Contact");
            }
            request.body = body;
            let read = read_datagram(&request.to_bytes()).unwrap();
            prop_assert_eq!(read.headers().from(), Some(from));
            prop_assert_eq!(read.headers().contacts(), contacts);
            prop_assert_eq!(read, Message::Request(request));
        }
    }
}
