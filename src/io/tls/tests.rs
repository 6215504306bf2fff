//! Every way in which TLS can be wrong has its sentence, over real sockets on loopback.

use super::rig::{Authority, server_params, uri};
use super::*;
use crate::io::net::{Net, NetEvent, NetOptions};
use crate::sip::{Peer, Transmit, Transport};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};
use rustls::server::WebPkiClientVerifier;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A listener with this certificate; it runs until it is dropped.
async fn server(files: TlsServerFiles) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let server = Some(TlsServer::new(files).unwrap());
    let tls = vec!["127.0.0.1:0".parse().unwrap()];
    let mut net = Net::open(NetOptions { tls, server, ..NetOptions::default() }).await.unwrap();
    let at = net.listening().next().unwrap().address;
    let running = tokio::spawn(async move {
        loop {
            if let NetEvent::Bytes { from, bytes } = net.next().await {
                net.send(Transmit { to: from, bytes });
            }
        }
    });
    (at, running)
}

/// A socket that answers whoever connects with these bytes, and then says nothing more.
async fn answering(bytes: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut greeting = [0; 2048];
            let _ = stream.read(&mut greeting).await;
            let _ = stream.write_all(&bytes).await;
            kept.push(stream);
        }
    });
    at
}

/// Connects, says something, and hears it back; or why not.
async fn call(files: TlsClientFiles, at: SocketAddr, name: &str) -> Result<(), String> {
    let mut net =
        Net::open(NetOptions { client: Some(TlsClient::new(files)), ..NetOptions::default() }).await.unwrap();
    let to = Peer::new(Transport::Tls, at);
    net.expect(to, TlsName::of_host(name));
    net.send(Transmit { to, bytes: b"hello".to_vec() });
    loop {
        match net.next().await {
            NetEvent::Bytes { bytes, .. } => {
                assert_eq!(bytes, b"hello");
                return Ok(());
            }
            NetEvent::Closed { reason, .. } => return Err(reason),
            _ => {}
        }
    }
}

async fn outcome(authority: &Authority, params: &CertificateParams, name: &str) -> Result<(), String> {
    let (at, _running) = server(authority.issue(params)).await;
    call(authority.client(), at, name).await
}

#[tokio::test]
async fn a_right_certificate_is_taken_whichever_kind_of_name_proves_it() {
    let authority = Authority::new("Office CA");
    let (domain, address) = (server_params(&["sip.example.test"]), server_params(&["127.0.0.1"]));
    assert_eq!(outcome(&authority, &domain, "sip.example.test").await, Ok(()));
    assert_eq!(outcome(&authority, &address, "127.0.0.1").await, Ok(()));
    let mut sip = server_params(&["host7.provider.test"]);
    sip.subject_alt_names.push(uri("sip:example.test"));
    assert_eq!(outcome(&authority, &sip, "example.test").await, Ok(()));
}

#[tokio::test]
async fn a_wrong_name_is_told_with_the_names_that_the_certificate_has() {
    let authority = Authority::new("Office CA");
    let told = |params: CertificateParams, name: &'static str| {
        let authority = &authority;
        async move { outcome(authority, &params, name).await.unwrap_err() }
    };
    assert_eq!(
        told(server_params(&["a.test", "b.test", "192.0.2.1"]), "sip.example.test").await,
        "the server's certificate is not for “sip.example.test”: it is for a.test, b.test, 192.0.2.1"
    );
    assert_eq!(
        told(server_params(&["*.example.test"]), "sip.example.test").await,
        "the server's certificate is not for “sip.example.test”: it is for *.example.test"
    );
    assert_eq!(
        told(server_params(&["sip.example.test"]), "127.0.0.1").await,
        "the server's certificate is not for “127.0.0.1”: it is for sip.example.test"
    );
    let mut other = server_params(&["example.test"]);
    other.subject_alt_names.push(uri("sip:other.test"));
    assert_eq!(
        told(other, "example.test").await,
        "the server's certificate is not for “example.test”: it is for sip:other.test, example.test"
    );
    assert!(told(server_params(&[]), "example.test").await.contains("its common name says “a server”"));
}

#[tokio::test]
async fn each_wrong_certificate_has_its_sentence() {
    let authority = Authority::new("Office CA");
    let right = || server_params(&["sip.test"]);
    let mut expired = right();
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 2, 3);
    assert_eq!(
        outcome(&authority, &expired, "sip.test").await.unwrap_err(),
        "the server's certificate expired on 2021-02-03: have it renewed, or set this computer's clock"
    );
    let mut early = right();
    early.not_before = date_time_ymd(2090, 1, 2);
    early.not_after = date_time_ymd(2091, 1, 1);
    let early = outcome(&authority, &early, "sip.test").await.unwrap_err();
    assert!(early.contains("counts only from 2090-01-02 on"), "{early}");
    let mut client_only = right();
    client_only.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client_only = outcome(&authority, &client_only, "sip.test").await.unwrap_err();
    assert!(client_only.contains("not meant for servers"), "{client_only}");

    let (at, _running) = server(authority.issue(&right())).await;
    let stranger = call(TlsClientFiles::default(), at, "sip.test").await.unwrap_err();
    assert!(stranger.contains("issued by “Office CA”, which is not trusted here"), "{stranger}");
    assert!(stranger.contains("ca_file"), "{stranger}");
    // Another authority of the same name has not signed it.
    let impostor = call(Authority::new("Office CA").client(), at, "sip.test").await.unwrap_err();
    assert!(impostor.contains("signature") || impostor.contains("not trusted"), "{impostor}");
}

#[tokio::test]
async fn a_self_signed_certificate_is_taken_only_from_the_operators_own_file() {
    let authority = Authority::new("nobody");
    for is_ca in [IsCa::NoCa, IsCa::Ca(rcgen::BasicConstraints::Unconstrained)] {
        let mut params = server_params(&["sip.test"]);
        params.is_ca = is_ca;
        let files = authority.issue_self_signed(&params);
        let own = TlsClientFiles { ca: Some(files.certificate.clone()), ..TlsClientFiles::default() };
        let (at, _running) = server(files).await;
        let refused = call(TlsClientFiles::default(), at, "sip.test").await.unwrap_err();
        assert_eq!(
            refused,
            "the server's certificate is self-signed: if it is yours, put it into [tls] ca_file"
        );
        assert_eq!(call(own.clone(), at, "sip.test").await, Ok(()));
        assert!(call(own, at, "other.test").await.unwrap_err().contains("not for “other.test”"));
    }
    let mut expired = server_params(&["sip.test"]);
    expired.not_after = date_time_ymd(2021, 2, 3);
    let files = authority.issue_self_signed(&expired);
    let own = TlsClientFiles { ca: Some(files.certificate.clone()), ..TlsClientFiles::default() };
    let (at, _running) = server(files).await;
    assert!(call(own, at, "sip.test").await.unwrap_err().contains("expired on 2021-02-03"));
}

#[tokio::test]
async fn without_verification_any_certificate_will_do() {
    let authority = Authority::new("nobody");
    let mut wrong = server_params(&["other.test"]);
    wrong.not_after = date_time_ymd(2021, 2, 3);
    let (at, _running) = server(authority.issue_self_signed(&wrong)).await;
    let files = TlsClientFiles { verify: false, ..TlsClientFiles::default() };
    assert_eq!(call(files, at, "sip.test").await, Ok(()));
}

#[tokio::test]
async fn what_does_not_speak_tls_or_only_an_old_one_is_told_apart() {
    let told = |bytes: Vec<u8>| async move {
        call(TlsClientFiles::default(), answering(bytes).await, "sip.test").await.unwrap_err()
    };
    let plain = told(b"SIP/2.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    assert!(plain.contains("does not speak TLS"), "{plain}");
    // A ServerHello of TLS 1.1 that takes ECDHE-RSA-AES128-SHA.
    let mut hello = vec![0x03, 0x02];
    hello.extend([7; 32]);
    hello.extend([0, 0xC0, 0x13, 0]);
    let mut old = vec![0x16, 0x03, 0x02, 0, hello.len() as u8 + 4, 0x02, 0, 0, hello.len() as u8];
    old.extend(hello);
    let old = told(old).await;
    assert!(old.contains("no TLS newer than 1.1"), "{old}");
    for (alert, words) in [
        (70, "no TLS newer than 1.1"),
        (40, "certificate_file"),
        (71, "no way of encrypting"),
        (112, "not the one we look for"),
    ] {
        let told = told(vec![0x15, 0x03, 0x03, 0, 2, 2, alert]).await;
        assert!(told.contains(words), "alert {alert}: {told}");
    }
}

#[tokio::test]
async fn a_listener_refuses_tls_1_1_and_goes_on_serving() {
    let authority = Authority::new("Office CA");
    let (at, _running) = server(authority.issue(&server_params(&["sip.test"]))).await;
    let mut hello = vec![0x03, 0x02];
    hello.extend([7; 32]);
    hello.extend([0, 0, 4, 0xC0, 0x13, 0, 0x2F, 1, 0, 0, 0]);
    let mut record = vec![0x16, 0x03, 0x01, 0, hello.len() as u8 + 4, 0x01, 0, 0, hello.len() as u8];
    record.extend(hello);
    let mut stream = tokio::net::TcpStream::connect(at).await.unwrap();
    stream.write_all(&record).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer.first(), Some(&0x15), "an alert, not a handshake: {answer:02x?}");
    assert_eq!(call(authority.client(), at, "sip.test").await, Ok(()));
}

/// A server that wants a certificate of clients, and says hello back.
async fn strict_server(authority: &Authority) -> SocketAddr {
    let files = authority.issue(&server_params(&["sip.test"]));
    let mut roots = RootCertStore::empty();
    roots.add(certificates("", &authority.file()).unwrap().remove(0)).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates("", &files.certificate).unwrap(), private_key("", &files.key).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut said = [0; 5];
            let _ = stream.read_exact(&mut said).await;
            let _ = stream.write_all(&said).await;
            let _ = stream.shutdown().await;
        }
    });
    at
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_of_us_gets_it_or_is_told_of() {
    let authority = Authority::new("Office CA");
    let at = strict_server(&authority).await;
    let bare = call(authority.client(), at, "sip.test").await.unwrap_err();
    assert!(bare.contains("wants a certificate from us"), "{bare}");
    let mut params = server_params(&[]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let with = |ours: TlsServerFiles| TlsClientFiles {
        certificate: Some(ours.certificate),
        key: Some(ours.key),
        ..authority.client()
    };
    assert_eq!(call(with(authority.issue(&params)), at, "sip.test").await, Ok(()));
    let foreign = call(with(Authority::new("Elsewhere").issue(&params)), at, "sip.test").await.unwrap_err();
    assert!(foreign.contains("our certificate"), "{foreign}");
}

#[tokio::test]
async fn our_own_files_are_told_of_when_they_are_wrong() {
    let authority = Authority::new("Office CA");
    let ours = authority.issue(&server_params(&[]));
    let read = |files: TlsClientFiles| TlsClient::new(files).config().unwrap_err().to_string();
    let missing = read(TlsClientFiles { ca: Some("/nowhere/ca.pem".into()), ..TlsClientFiles::default() });
    assert!(missing.starts_with("ca_file /nowhere/ca.pem: "), "{missing}");
    let half =
        read(TlsClientFiles { certificate: Some(ours.certificate.clone()), ..TlsClientFiles::default() });
    assert!(half.contains("belong together"), "{half}");
    let other = authority.issue(&server_params(&[]));
    let unfit = TlsClientFiles {
        certificate: Some(ours.certificate),
        key: Some(other.key.clone()),
        ..Default::default()
    };
    assert!(read(unfit).contains("certificate and key can't be used"));
    let empty = read(TlsClientFiles { ca: Some(other.key), ..TlsClientFiles::default() });
    assert!(empty.contains("there is no certificate in it"), "{empty}");
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    let authority = Authority::new("Office CA");
    let files = authority.issue(&server_params(&["old.test"]));
    let renewed = authority.issue(&server_params(&["new-name.test"]));
    let (at, _running) = server(files.clone()).await;
    assert_eq!(call(authority.client(), at, "old.test").await, Ok(()));
    std::fs::copy(&renewed.key, &files.key).unwrap();
    std::fs::copy(&renewed.certificate, &files.certificate).unwrap();
    assert_eq!(call(authority.client(), at, "new-name.test").await, Ok(()));
    std::fs::write(&files.certificate, "gone").unwrap();
    assert_eq!(call(authority.client(), at, "new-name.test").await, Ok(()));
    // The client's side: an authority that is added while we run counts from the next connection on.
    let (file, stranger) = (authority.file(), Authority::new("Other CA"));
    let client = TlsClient::new(TlsClientFiles { ca: Some(file.clone()), ..TlsClientFiles::default() });
    let first = client.config().unwrap();
    assert!(Arc::ptr_eq(&first, &client.config().unwrap()), "unchanged files are not read again");
    std::fs::write(
        &file,
        format!(
            "{}{}",
            std::fs::read_to_string(&file).unwrap(),
            std::fs::read_to_string(stranger.file()).unwrap()
        ),
    )
    .unwrap();
    assert!(!Arc::ptr_eq(&first, &client.config().unwrap()));
}
