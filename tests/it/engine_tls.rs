//! An engine behind TLS: it proves who it is, and so do we.

use std::sync::Arc;

use iamship::engine::{Address, Docker, Endpoint, EngineError, TlsFiles};
use tokio::net::TcpListener;

use crate::support::fake_engine::{Answer, PATIENT, VERSION, serve};

const CA: &str = include_str!("support/tls/ca.pem");
const SERVER: (&str, &str) = (
    include_str!("support/tls/server.pem"),
    include_str!("support/tls/server-key.pem"),
);
const CLIENT: (&str, &str) = (
    include_str!("support/tls/client.pem"),
    include_str!("support/tls/client-key.pem"),
);

/// An engine behind TLS that wants to see a certificate; its port.
async fn behind_tls() -> u16 {
    use rustls::pki_types::pem::PemObject as _;
    let chain = |text: &str| {
        let all = rustls::pki_types::CertificateDer::pem_slice_iter(text.as_bytes());
        all.collect::<Result<Vec<_>, _>>().expect("certificates")
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(chain(CA).remove(0)).expect("a CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(SERVER.1.as_bytes()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(clients.build().expect("a verifier"))
        .with_single_cert(chain(SERVER.0), key)
        .expect("a certificate");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, Arc::new(|_: &str| Answer::ok(VERSION)), Arc::default()).await;
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn tls_proves_both_sides() {
    let port = behind_tls().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let ours = (file("cert.pem", CLIENT.0), file("key.pem", CLIENT.1));
    let right = TlsFiles {
        ca: file("ca.pem", CA),
        identity: Some(ours),
    };
    let connect = async |tls: Option<TlsFiles>| {
        let address = Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        };
        Docker::connect(&Endpoint { address, tls }, PATIENT).await.map(|_| ())
    };
    connect(Some(right.clone())).await.expect("both are who they say");

    let nobody = TlsFiles {
        identity: None,
        ..right.clone()
    };
    assert!(connect(Some(nobody)).await.is_err(), "it wants a certificate");
    // One that its own certificate does not vouch for.
    let stranger = TlsFiles {
        ca: file("other.pem", CLIENT.0),
        ..right.clone()
    };
    let error = connect(Some(stranger)).await.expect_err("nobody vouches for it");
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
    assert!(connect(None).await.is_err(), "no TLS at all");
    for (name, text) in [("ca.pem", ""), ("ca.pem", "rubbish"), ("key.pem", CA)] {
        file(name, text);
        let error = connect(Some(right.clone())).await.expect_err("unusable files");
        assert!(
            matches!(&error, EngineError::Settings(text) if text.contains(name)),
            "{error}"
        );
        file("ca.pem", CA);
    }
}
