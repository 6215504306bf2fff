//! Digest against the vectors of the RFCs, and the authenticator against those who would cheat it.

use super::*;
use std::net::SocketAddr;
use std::time::Duration;

const NOW: Duration = Duration::from_secs(1_000);

fn challenge(text: &str) -> Challenge {
    Challenge::read(text).unwrap()
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
        answer(&challenge, "Mufasa", &"Circle Of Life".into(), "GET", "/dir/index.html", 1, "0a4f113b");
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
            answer(&challenge, "Mufasa", &"Circle of Life".into(), "GET", "/dir/index.html", 1, cnonce);
        assert_eq!(response(&header), expected);
    }
}

#[test]
fn session_algorithms_and_no_qop() {
    // Computed with Python's hashlib from RFC 7616 3.4.
    for (fields, expected) in [
        (r#"qop="auth", algorithm=MD5-sess"#, "54577b56569bad3b829173b2aa31bd25"),
        (
            r#"qop="auth", algorithm=SHA-256-sess"#,
            "ec2d53add5b70090cd97dc028b3e19ed102a0ccb0d602c180c0e4d9296b74116",
        ),
        ("algorithm=MD5", "08511252d9ca27933c0b2144213a7e7b"),
        ("algorithm=SHA-256", "e3864228e88f69269ae9ef46ffd590c435b7e28fdeea2d73e13848ab4115ec00"),
    ] {
        let challenge = challenge(&format!(r#"Digest realm="pbx", nonce="abc", {fields}"#));
        let header = answer(&challenge, "100", &"s3cret".into(), "REGISTER", "sip:pbx", 1, "0a4f113b");
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
    assert_eq!(nonces, ["c", "b"]);
    assert!(Challenge::read_all(&headers, true).is_empty());
}

#[test]
fn a_hostile_realm_cannot_break_out_of_the_answer() {
    let challenge = Challenge {
        realm: "a\", response=\"x\r\nEvil: 1".into(),
        ..challenge(r#"Digest realm="", nonce="n""#)
    };
    let header = answer(&challenge, "u\"", &"p".into(), "REGISTER", "sip:\"", 1, "c");
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
        self.0.verify(now, from, "INVITE", header, |user| (user == "100").then(|| "right".into()))
    }
}

fn source(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn credentials(challenge: &str, user: &str, password: &str, count: u32) -> String {
    let challenge = Challenge::read(challenge).unwrap();
    answer(&challenge, user, &password.into(), "INVITE", "sip:701@lot", count, "cn")
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
