//! Names are asked of a name server of our own on loopback, which tells the truth, lies, cuts short or says nothing.

use super::*;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use hickory_resolver::proto::op::{Message, OpCode, Query};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, NAPTR, SOA, SRV};
use hickory_resolver::proto::rr::{Name, Record};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// So long a name server may think in these tests.
const PATIENCE: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Truthful,
    /// Over UDP only the beginning is said.
    CutShort,
    Silent,
    Garbage,
    /// Every answer is this error.
    Failing,
    /// Types that it does not know are not answered: what cheap routers do.
    OnlyAddresses,
}

struct Zone {
    records: Vec<(&'static str, RData)>,
    manner: Manner,
    asked_by_tcp: AtomicUsize,
}

fn name(text: &str) -> Name {
    Name::from_str(&format!("{}.", text.trim_end_matches('.'))).unwrap()
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> RData {
    let target = if target == "." { Name::root() } else { name(target) };
    RData::SRV(SRV::new(priority, weight, port, target))
}

fn naptr(order: u16, preference: u16, service: &str, replacement: &str) -> RData {
    let (flags, service, regexp) = (b"s".as_slice().into(), service.as_bytes().into(), b"".as_slice().into());
    RData::NAPTR(NAPTR::new(order, preference, flags, service, regexp, name(replacement)))
}

fn a(last: u8) -> RData {
    RData::A(A::new(127, 0, 0, last))
}

impl Zone {
    fn answer(&self, question: &[u8], over_udp: bool) -> Option<Vec<u8>> {
        let asked = Message::from_vec(question).ok()?;
        let query = asked.queries.first()?.clone();
        let address = matches!(query.query_type, RecordType::A | RecordType::AAAA);
        match self.manner {
            Manner::Silent => return None,
            Manner::OnlyAddresses if !address => return None,
            Manner::Garbage => return Some(vec![0xA5; 40]),
            _ => {}
        }
        let mut answer = Message::response(asked.metadata.id, OpCode::Query);
        answer.add_query(query.clone());
        answer.metadata.recursion_available = true;
        if self.manner == Manner::Failing {
            answer.metadata.response_code = ResponseCode::ServFail;
        } else if self.manner == Manner::CutShort && over_udp {
            answer.metadata.truncation = true;
        } else {
            self.fill(&mut answer, &query);
        }
        answer.to_vec().ok()
    }

    fn fill(&self, answer: &mut Message, query: &Query) {
        let mut wanted = query.name.clone();
        for (owner, data) in &self.records {
            if name(owner) != wanted {
                continue;
            }
            if let RData::CNAME(alias) = data {
                answer.add_answer(Record::from_rdata(wanted.clone(), 60, data.clone()));
                wanted = alias.0.clone();
            } else if data.record_type() == query.query_type {
                answer.add_answer(Record::from_rdata(wanted.clone(), 60, data.clone()));
            }
        }
        if answer.answers.is_empty() {
            let soa = SOA::new(name("ns.test"), name("admin.test"), 1, 60, 60, 60, 60);
            answer.add_authority(Record::from_rdata(name("test"), 60, RData::SOA(soa)));
            if !self.records.iter().any(|(owner, _)| name(owner) == query.name) {
                answer.metadata.response_code = ResponseCode::NXDomain;
            }
        }
    }
}

/// A name server with these records, and names that ask it.
async fn serve(manner: Manner, records: Vec<(&'static str, RData)>) -> (Names, Arc<Zone>) {
    let zone = Arc::new(Zone { records, manner, asked_by_tcp: AtomicUsize::new(0) });
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = udp.local_addr().unwrap();
    let tcp = TcpListener::bind(at).await.unwrap();
    let by_udp = zone.clone();
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            if let Some(answer) = by_udp.answer(&buffer[..length], true) {
                let _ = udp.send_to(&answer, from).await;
            }
        }
    });
    let by_tcp = zone.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let zone = by_tcp.clone();
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut question = vec![0; usize::from(length)];
                    stream.read_exact(&mut question).await.unwrap();
                    zone.asked_by_tcp.fetch_add(1, Ordering::Relaxed);
                    let Some(answer) = zone.answer(&question, false) else { return };
                    stream.write_u16(answer.len() as u16).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            });
        }
    });
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = at.port();
        connection
    });
    let server = NameServerConfig::new(at.ip(), true, connections.into());
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let resolver = build(config, ResolverOpts::default(), PATIENCE);
    assert!(resolver.is_some());
    (Names { resolver, ask_system: false }, zone)
}

fn wanted(host: &str, port: Option<u16>, transport: Option<Transport>) -> Wanted {
    Wanted { host: host.to_owned(), port, transport }
}

async fn found(names: &Names, wanted: &Wanted) -> Vec<String> {
    names.resolve(wanted, 1).await.unwrap().iter().map(ToString::to_string).collect()
}

/// RFC 3263 4.1's own example, with our addresses.
fn example() -> Vec<(&'static str, RData)> {
    vec![
        ("example.test", naptr(50, 50, "SIPS+D2T", "_sips._tcp.example.test")),
        ("example.test", naptr(90, 50, "SIP+D2T", "_sip._tcp.example.test")),
        ("example.test", naptr(100, 50, "SIP+D2U", "_sip._udp.example.test")),
        ("_sips._tcp.example.test", srv(0, 1, 5061, "server1.example.test")),
        ("_sips._tcp.example.test", srv(1, 1, 5071, "server2.example.test")),
        ("_sip._tcp.example.test", srv(0, 1, 5060, "server1.example.test")),
        ("_sip._udp.example.test", srv(0, 1, 5062, "server2.example.test")),
        ("server1.example.test", a(1)),
        ("server1.example.test", a(2)),
        ("server2.example.test", a(3)),
        ("example.test", a(9)),
    ]
}

#[tokio::test]
async fn what_a_domain_prefers_is_tried_first_and_its_second_server_after_the_first() {
    let (names, _) = serve(Manner::Truthful, example()).await;
    assert_eq!(
        found(&names, &wanted("example.test", None, None)).await,
        ["tls:127.0.0.1:5061", "tls:127.0.0.2:5061", "tls:127.0.0.3:5071"]
    );
}

#[tokio::test]
async fn a_transport_that_somebody_named_is_looked_up_without_naptr() {
    let (names, _) = serve(Manner::Truthful, example()).await;
    for (transport, first) in [
        (Transport::Udp, "udp:127.0.0.3:5062"),
        (Transport::Tcp, "tcp:127.0.0.1:5060"),
        (Transport::Tls, "tls:127.0.0.1:5061"),
    ] {
        assert_eq!(found(&names, &wanted("example.test", None, Some(transport))).await[0], first);
    }
}

#[tokio::test]
async fn a_port_that_somebody_named_leaves_nothing_to_look_up_but_the_address() {
    let (names, _) = serve(Manner::Truthful, example()).await;
    assert_eq!(found(&names, &wanted("example.test", Some(7000), None)).await, ["udp:127.0.0.9:7000"]);
    let tls = wanted("example.test", Some(7001), Some(Transport::Tls));
    assert_eq!(found(&names, &tls).await, ["tls:127.0.0.9:7001"]);
}

#[tokio::test]
async fn a_literal_address_is_asked_of_nobody() {
    let names = Names { resolver: None, ask_system: false };
    assert_eq!(found(&names, &wanted("192.0.2.7", None, None)).await, ["udp:192.0.2.7:5060"]);
    assert_eq!(
        found(&names, &wanted("[2001:db8::7]", None, Some(Transport::Tls))).await,
        ["tls:[2001:db8::7]:5061"]
    );
}

#[tokio::test]
async fn a_host_without_any_service_records_is_a_plain_udp_server() {
    let (names, _) = serve(Manner::Truthful, vec![("pbx.test", a(4))]).await;
    assert_eq!(found(&names, &wanted("pbx.test", None, None)).await, ["udp:127.0.0.4:5060"]);
    assert_eq!(found(&names, &wanted("pbx.test", None, Some(Transport::Tls))).await, ["tls:127.0.0.4:5061"]);
}

#[tokio::test]
async fn service_records_without_naptr_are_found_too() {
    let records =
        vec![("_sip._tcp.pbx.test", srv(1, 1, 5080, "a.pbx.test")), ("a.pbx.test", a(5)), ("pbx.test", a(6))];
    let (names, _) = serve(Manner::Truthful, records).await;
    assert_eq!(found(&names, &wanted("pbx.test", None, None)).await, ["tcp:127.0.0.5:5080"]);
}

#[tokio::test]
async fn an_alias_leads_to_the_address() {
    let records = vec![("pbx.test", RData::CNAME(CNAME(name("real.test")))), ("real.test", a(7))];
    let (names, _) = serve(Manner::Truthful, records).await;
    assert_eq!(found(&names, &wanted("pbx.test", Some(5060), None)).await, ["udp:127.0.0.7:5060"]);
}

#[tokio::test]
async fn both_families_are_found() {
    let records = vec![("pbx.test", a(8)), ("pbx.test", RData::AAAA(AAAA::new(0, 0, 0, 0, 0, 0, 0, 1)))];
    let (names, _) = serve(Manner::Truthful, records).await;
    let mut both = found(&names, &wanted("pbx.test", Some(5060), None)).await;
    both.sort();
    assert_eq!(both, ["udp:127.0.0.8:5060", "udp:[::1]:5060"]);
}

#[tokio::test]
async fn a_server_whose_name_leads_nowhere_is_left_out() {
    let records = vec![
        ("_sip._udp.pbx.test", srv(1, 1, 5060, "lost.test")),
        ("_sip._udp.pbx.test", srv(2, 1, 5060, "a.test")),
        ("a.test", a(1)),
    ];
    let (names, _) = serve(Manner::Truthful, records).await;
    assert_eq!(found(&names, &wanted("pbx.test", None, None)).await, ["udp:127.0.0.1:5060"]);
}

#[tokio::test]
async fn a_cut_answer_is_asked_for_again_over_tcp() {
    let (names, zone) = serve(Manner::CutShort, example()).await;
    assert_eq!(found(&names, &wanted("example.test", None, None)).await[0], "tls:127.0.0.1:5061");
    assert!(zone.asked_by_tcp.load(Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn a_router_that_ignores_unknown_types_costs_time_but_not_the_server() {
    let (names, _) = serve(Manner::OnlyAddresses, vec![("pbx.test", a(4))]).await;
    assert_eq!(found(&names, &wanted("pbx.test", None, None)).await, ["udp:127.0.0.4:5060"]);
}

#[tokio::test]
async fn each_way_to_fail_has_words_of_its_own() {
    let (names, _) = serve(Manner::Truthful, example()).await;
    let error = |w: Wanted| {
        let names = &names;
        async move { names.resolve(&w, 1).await.unwrap_err() }
    };
    let typo = error(wanted("exmaple.test", Some(5060), None)).await;
    assert_eq!(typo, NameError::NoSuchName("exmaple.test".into()));
    let bare = error(wanted("_sip._tcp.example.test", Some(5060), None)).await;
    assert_eq!(bare, NameError::NoAddress("_sip._tcp.example.test".into()));
    for malformed in ["two words", "", "a..b", "a/b", &"x".repeat(300)] {
        let error = error(wanted(malformed, None, None)).await;
        assert!(matches!(error, NameError::Malformed(_)), "{malformed}: {error}");
    }

    let (names, _) =
        serve(Manner::Truthful, vec![("_sip._udp.pbx.test", srv(0, 0, 0, ".")), ("pbx.test", a(1))]).await;
    let none = names.resolve(&wanted("pbx.test", None, None), 1).await.unwrap_err();
    assert_eq!(none.to_string(), "“pbx.test” says in DNS that it offers no SIP over UDP");

    let (names, _) = serve(Manner::Failing, example()).await;
    let failing = names.resolve(&wanted("example.test", Some(5060), None), 1).await.unwrap_err();
    assert!(matches!(failing, NameError::Refused { .. }), "{failing:?}");
}

#[tokio::test]
async fn a_name_server_that_is_silent_or_talks_nonsense_is_no_answer_and_bounded_in_time() {
    for manner in [Manner::Silent, Manner::Garbage] {
        let (names, _) = serve(manner, example()).await;
        let began = std::time::Instant::now();
        let error = names.resolve(&wanted("example.test", None, None), 1).await.unwrap_err();
        assert_eq!(error, NameError::NoAnswer("example.test".into()));
        // Everything is asked at once, each twice; the rest is a busy machine.
        assert!(began.elapsed() <= 4 * PATIENCE + Duration::from_secs(2), "{:?}", began.elapsed());
    }
    let nobody = Names { resolver: None, ask_system: false };
    let error = nobody.resolve(&wanted("example.test", None, None), 1).await.unwrap_err();
    assert!(error.to_string().contains("no name server answers"), "{error}");
}

#[tokio::test]
async fn of_too_many_records_some_are_left_out() {
    let hosts: Vec<&'static str> = (0..60).map(|i| &*format!("h{i}.test").leak()).collect();
    let mut records: Vec<(&'static str, RData)> =
        hosts.iter().map(|host| ("_sip._udp.pbx.test", srv(1, 1, 5060, host))).collect();
    records.extend(hosts.iter().enumerate().map(|(i, host)| (*host, a(i as u8 + 1))));
    let (names, _) = serve(Manner::CutShort, records).await;
    assert_eq!(found(&names, &wanted("pbx.test", None, None)).await.len(), SERVERS_MAX);
}

#[tokio::test]
async fn the_hosts_file_counts_before_dns() {
    assert!(names_in_hosts("127.0.0.1 localhost # pbx\n10.0.0.1\tpbx.lan pbx\n").eq([
        "localhost",
        "pbx.lan",
        "pbx"
    ]));
    let names = Names { resolver: None, ask_system: true };
    let local = found(&names, &wanted("localhost", None, None)).await;
    assert!(local.iter().all(|peer| peer.ends_with(":5060")) && !local.is_empty(), "{local:?}");
}
