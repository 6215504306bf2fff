//! Digest against the vectors of the RFCs, and the authenticator against those who would cheat it.

use super::*;
use std::net::SocketAddr;
use std::time::Duration;

const NOW: Duration = Duration::from_secs(1_000);

fn challenge(text: &str) -> Challenge {
    Challenge::read(text).unwrap()
}

fn get(method: &'static str, uri: &'static str) -> Asking<'static> {
    Asking { method, uri, body: b"" }
}

fn response(header: &str) -> String {
    Fields::read(header).unwrap().get("response").unwrap().to_owned()
}

#[test]
fn the_vector_of_rfc_2617() {
    let challenge = challenge(
        r#"Digest realm="testrealm@host.com", qop="auth,auth-int",
        nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#,
    );
    let header =
        answer(&challenge, "Mufasa", &"Circle Of Life".into(), get("GET", "/dir/index.html"), 1, "0a4f113b");
    assert_eq!(response(&header), "6629fae49393a05397450978507c4ef1");
    assert!(header.contains("nc=00000001") && header.contains("opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""));
}

#[test]
fn the_vectors_of_rfc_7616() {
    for (algorithm, expected) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let challenge = challenge(&format!(
            r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm},
            nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v""#
        ));
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let header =
            answer(&challenge, "Mufasa", &"Circle of Life".into(), get("GET", "/dir/index.html"), 1, cnonce);
        assert_eq!(response(&header), expected);
    }
}

#[test]
fn session_algorithms_and_no_qop() {
    // Computed with Python's hashlib from RFC 7616 3.4.
    for (fields, expected) in [
        (
            r#"qop="auth", algorithm=SHA-512-256"#,
            "dd17109a1c5d80bf1b3af28fbae6a016b6fa17ac3843fed501efe864f1152bea",
        ),
        (
            r#"qop="auth", algorithm=SHA-512-256-sess"#,
            "04ce10605b3b511b456fc1128529c4b68ded8c4a5821a2b1af022b1b7511d363",
        ),
        ("algorithm=SHA-512-256", "37cf58a0362088b3f1ac2b759c93cf1337a6aa14f33c46dfff4bba1dc58fbfa1"),
        (r#"qop="auth", algorithm=MD5-sess"#, "54577b56569bad3b829173b2aa31bd25"),
        (
            r#"qop="auth", algorithm=SHA-256-sess"#,
            "ec2d53add5b70090cd97dc028b3e19ed102a0ccb0d602c180c0e4d9296b74116",
        ),
        ("algorithm=MD5", "08511252d9ca27933c0b2144213a7e7b"),
        ("algorithm=SHA-256", "e3864228e88f69269ae9ef46ffd590c435b7e28fdeea2d73e13848ab4115ec00"),
    ] {
        let challenge = challenge(&format!(r#"Digest realm="pbx", nonce="abc", {fields}"#));
        let header = answer(&challenge, "100", &"s3cret".into(), get("REGISTER", "sip:pbx"), 1, "0a4f113b");
        assert_eq!(response(&header), expected, "{fields}");
    }
}

#[test]
fn the_strongest_known_challenge_comes_first() {
    let mut headers = Headers::new();
    headers.push("WWW-Authenticate", r#"Digest realm="pbx",nonce="a",algorithm=SHA-512-256,qop="auth""#);
    headers.push("WWW-Authenticate", r#"Digest realm="pbx",nonce="b",algorithm=MD5,qop="auth""#);
    headers.push("WWW-Authenticate", r#"Digest realm="pbx",nonce="c",algorithm=SHA-256,qop="auth,auth-int""#);
    headers.push("WWW-Authenticate", r#"Digest realm="pbx",nonce="d",qop="auth-int""#);
    headers.push("WWW-Authenticate", "Basic realm=\"pbx\"");
    let nonces: Vec<_> = Challenge::read_all(&headers, false).into_iter().map(|c| c.nonce).collect();
    assert_eq!(nonces, ["a", "c", "b", "d"]);
    assert!(Challenge::read_all(&headers, true).is_empty());
}

#[test]
fn a_hostile_realm_cannot_break_out_of_the_answer() {
    let challenge = Challenge {
        realm: "a\", response=\"x\r\nEvil: 1".into(),
        ..challenge(r#"Digest realm="", nonce="n""#)
    };
    let header = answer(&challenge, "u\"", &"p".into(), get("REGISTER", "sip:\""), 1, "c");
    let fields = Fields::read(&header).unwrap();
    assert_eq!(fields.get("realm"), Some("a\", response=\"xEvil: 1"));
    assert_eq!(fields.get("username"), Some("u\""));
}

struct Server(Authenticator);

impl Server {
    fn new() -> Self {
        Self(Authenticator::new("lot", [7; 32]))
    }

    fn judge(&mut self, now: Duration, from: SocketAddr, header: &str) -> Verdict {
        self.0.verify(now, from, get("INVITE", "sip:701@lot"), header, |user| {
            (user == "100").then(|| "right".into())
        })
    }
}

fn source(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn credentials(challenge: &str, user: &str, password: &str, count: u32) -> String {
    let challenge = Challenge::read(challenge).unwrap();
    answer(&challenge, user, &password.into(), get("INVITE", "sip:701@lot"), count, "cn")
}

#[test]
fn both_algorithms_are_offered_and_accepted() {
    let mut server = Server::new();
    let offered = server.0.challenge(NOW, source(5060));
    assert!(offered[0].contains("SHA-256") && offered[1].contains("algorithm=MD5"));
    for (count, challenge) in (1..).zip(&offered) {
        let verdict = server.judge(NOW, source(5060), &credentials(challenge, "100", "right", count));
        assert_eq!(verdict, Verdict::Accepted { username: "100".into() });
    }
}

#[test]
fn wrong_password_unknown_user_and_nonsense_look_the_same() {
    let mut server = Server::new();
    let challenge = &server.0.challenge(NOW, source(5060))[0];
    let good = credentials(challenge, "100", "right", 1);
    for header in [
        credentials(challenge, "100", "wrong", 1),
        credentials(challenge, "999", "no user has this password", 1),
        good.replace("realm=\"lot\"", "realm=\"other\""),
        good.replace("nc=00000001", "nc=1"),
        good.replace("qop=auth, ", ""),
        good.replace("SHA-256", "SHA-256-sess"),
        good.replace("sip:701@lot", "sip:702@lot"),
        format!("{good}, username=\"101\""),
        "Digest".into(),
        "Digest \"".into(),
    ] {
        assert_eq!(server.judge(NOW, source(5060), &header), Verdict::Refused, "{header}");
    }
    for header in ["", "Basic abc", "NoOneKnowsThisScheme opaque-data=here"] {
        assert_eq!(server.judge(NOW, source(5060), header), Verdict::Absent);
    }
}

#[test]
fn a_nonce_serves_only_its_source_for_its_time_and_each_count_once() {
    let mut server = Server::new();
    let challenge = server.0.challenge(NOW, source(5060)).remove(0);
    let first = credentials(&challenge, "100", "right", 1);
    assert_eq!(server.judge(NOW, source(5061), &first), Verdict::Stale, "another port");
    assert!(matches!(server.judge(NOW, source(5060), &first), Verdict::Accepted { .. }));
    assert_eq!(server.judge(NOW, source(5060), &first), Verdict::Stale, "replayed");
    for (count, fresh) in [(5, true), (4, true), (4, false), (1_000, true), (2, false), (999, true)] {
        let verdict = server.judge(NOW, source(5060), &credentials(&challenge, "100", "right", count));
        assert_eq!(matches!(verdict, Verdict::Accepted { .. }), fresh, "{count}");
    }
    let late = credentials(&challenge, "100", "right", 2_000);
    assert_eq!(server.judge(NOW + NONCE_LIFE, source(5060), &late), Verdict::Stale, "too old");
    assert!(server.0.challenge_stale(NOW, source(5060))[0].ends_with("stale=true"));
}

#[test]
fn a_forged_nonce_is_stale_and_no_oracle() {
    let mut server = Server::new();
    for nonce in ["x", "3e8.1.00", "ffffffffffffffff.1.0", "..", "ffffffffffffffffff.1.0"] {
        for password in ["right", "wrong"] {
            let forged = format!(r#"Digest realm="lot", nonce="{nonce}", qop="auth""#);
            let verdict = server.judge(NOW, source(5060), &credentials(&forged, "100", password, 1));
            assert_eq!(verdict, Verdict::Stale);
        }
    }
}

#[test]
fn memory_is_bounded_and_forgetting_allows_no_replay() {
    let mut server = Server::new();
    let challenge = server.0.challenge(NOW, source(5060)).remove(0);
    let first = credentials(&challenge, "100", "right", 1);
    assert!(matches!(server.judge(NOW, source(5060), &first), Verdict::Accepted { .. }));
    for _ in 0..MAX_NONCES + 10 {
        let challenge = server.0.challenge(NOW, source(5060)).remove(1);
        let verdict = server.judge(NOW, source(5060), &credentials(&challenge, "100", "right", 1));
        assert!(matches!(verdict, Verdict::Accepted { .. }));
    }
    assert_eq!(server.0.remembered(), MAX_NONCES);
    assert_eq!(server.judge(NOW, source(5060), &first), Verdict::Stale);
    let later = NOW + 2 * NONCE_LIFE;
    let challenge = server.0.challenge(later, source(5060)).remove(0);
    server.judge(later, source(5060), &credentials(&challenge, "100", "right", 1));
    assert_eq!(server.0.remembered(), 1, "old counts are let go");
}

#[test]
fn the_body_is_protected_where_nothing_else_is_offered() {
    // Computed with Python's hashlib from RFC 7616 3.4.
    for (algorithm, expected) in [
        ("MD5", "5268340fa7a472df19b222c3c27896fe"),
        ("MD5-sess", "b2ae5b77686a8c23979300baee8110f8"),
        ("SHA-256", "4da19eb3ccdf9013977060378fa168521332adbbad3e212cc97c0c8c6dbe101f"),
        ("SHA-256-sess", "7fea8fa9b86e53b8dc41c0f50d627e3f11bee6c12b0062630fc3e10d6896ba24"),
        ("SHA-512-256", "6843ff06f12ca1a7a75bfa8c266c68f060040dd35f163452be53c0dc0f4051d2"),
        ("SHA-512-256-sess", "8f1f1adc0f4a0e4d5b0e659509154079cbe6530b8063679d4c91d41d5f783aac"),
    ] {
        let asked = format!(r#"Digest realm="pbx", nonce="abc", qop="auth-int", algorithm={algorithm}"#);
        let asking = Asking { method: "MESSAGE", uri: "sip:pbx", body: b"hello" };
        let header = answer(&challenge(&asked), "100", &"s3cret".into(), asking, 1, "0a4f113b");
        assert_eq!(response(&header), expected, "{algorithm}");
        assert!(header.contains("qop=auth-int"), "{header}");
    }
}

#[test]
fn a_changed_body_is_refused_where_the_body_was_protected() {
    let mut server = Server::new();
    let offered = server.0.challenge(NOW, source(5060)).remove(0).replace("qop=\"auth\"", "qop=\"auth-int\"");
    for (count, body, right) in [(1, &b"pay 1"[..], true), (2, b"pay 1000", false)] {
        let asking = Asking { method: "MESSAGE", uri: "sip:701@lot", body: b"pay 1" };
        let header = answer(&challenge(&offered), "100", &"right".into(), asking, count, "cn");
        let verdict =
            server.0.verify(NOW, source(5060), Asking { body, ..asking }, &header, |_| Some("right".into()));
        assert_eq!(verdict == Verdict::Accepted { username: "100".into() }, right);
    }
}

#[test]
fn several_challenges_may_share_a_line_with_other_schemes_between_them() {
    let mut headers = Headers::new();
    headers.push(
        "Proxy-Authenticate",
        r#"Basic realm="x, y", Digest realm="a", nonce="1, 2", qop="auth,auth-int", algorithm=MD5, Negotiate,
        digest nonce = "3" ,realm="b", algorithm=SHA-512-256, Digest realm="c""#,
    );
    headers.push("Proxy-Authenticate", r#"Digest realm="d", nonce="4", algorithm=SHA3-256"#);
    let read = Challenge::read_all(&headers, true);
    let told: Vec<_> = read.iter().map(|c| (c.realm.as_str(), c.nonce.as_str())).collect();
    assert_eq!(told, [("b", "3"), ("a", "1, 2")], "c has no nonce, d an algorithm of the future");
    assert_eq!(Challenge::unknown_algorithms(&headers, true), ["SHA3-256"]);
}

#[test]
fn a_name_beyond_ascii_is_hashed_or_extended_as_the_server_wants_it() {
    // RFC 7616 3.9.2 with its erratum 4897: the hash of the name. The response was computed with Python's hashlib.
    let asked = r#"Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256,
        nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", charset=UTF-8, userhash=true"#;
    let asking = get("GET", "/doe.json");
    let answer_to = |challenge: &Challenge| {
        answer(
            challenge,
            "Jäsøn Doe",
            &"Secret, or not?".into(),
            asking,
            1,
            "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm",
        )
    };
    let hashed = answer_to(&challenge(asked));
    let field = |header: &str, name: &str| Fields::read(header).unwrap().get(name).map(str::to_owned);
    let name = "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b";
    assert_eq!(field(&hashed, "username").as_deref(), Some(name));
    assert_eq!(response(&hashed), "7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c");
    assert_eq!(field(&hashed, "userhash").as_deref(), Some("true"));
    let plain = Challenge { userhash: false, ..challenge(asked) };
    assert_eq!(field(&answer_to(&plain), "username*").as_deref(), Some("UTF-8''J%C3%A4s%C3%B8n%20Doe"));
    let silent = Challenge { utf8: false, ..plain };
    assert_eq!(field(&answer_to(&silent), "username").as_deref(), Some("Jäsøn Doe"));
}

#[test]
fn only_who_knows_the_password_can_make_the_proof_of_the_answer() {
    for (algorithm, proof) in [
        ("MD5", "c0264378de2cc0b61be2cceafe0ac843"),
        ("SHA-256", "60f491ca26d0322bf1fe2ab3c6465c037524687a8e8d89c96332697721e519e5"),
        ("SHA-512-256-sess", "0dcd80a0cddf19b41fac725a7bdc6dd73a3301b2b362f77e088577e36c2e7af2"),
    ] {
        let asked = format!(r#"Digest realm="pbx", nonce="abc", qop="auth", algorithm={algorithm}"#);
        let given =
            answer(&challenge(&asked), "100", &"s3cret".into(), get("REGISTER", "sip:pbx"), 1, "0a4f113b");
        let told = |info: &str| acknowledgement(info, &given, "100", &"s3cret".into(), b"");
        let info = format!(r#"rspauth="{proof}", qop=auth, cnonce="0a4f113b", nc=00000001, nextnonce="n2""#);
        let right = Acknowledgement { next_nonce: Some("n2".into()), proven: Some(true) };
        assert_eq!(told(&info), right, "{algorithm}");
        assert_eq!(
            told(&info.replace("nc=00000001", "nc=00000002")).proven,
            Some(false),
            "another request's"
        );
        assert_eq!(told(r#"rspauth="00""#).proven, Some(false));
        assert_eq!(told("nextnonce=\"n3\"").proven, None);
    }
}
