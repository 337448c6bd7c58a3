//! The connections: one client without certificates for http, one with them for https, each made when first needed.

use std::error::Error as _;
use std::sync::{Arc, OnceLock};

use reqwest::{Client, ClientBuilder, redirect};
use url::Url;

use super::options::RegistryOptions;
use super::retry::Again;

/// The clients of one pool.
#[derive(Default)]
pub(super) struct Transport {
    loopback: OnceLock<Result<Client, String>>,
    plain: OnceLock<Result<Client, String>>,
    secure: OnceLock<Result<Client, String>>,
}

impl Transport {
    /// The client for an address.
    pub(super) fn client(&self, url: &Url, options: &RegistryOptions) -> Result<Client, String> {
        let client = if url.scheme() == "https" {
            self.secure.get_or_init(|| secure(options))
        } else if is_loopback(url) {
            self.loopback.get_or_init(|| plain(base(options).no_proxy()))
        } else {
            self.plain.get_or_init(|| plain(base(options)))
        };
        client.clone()
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Redirects are followed by hand, so that no credential goes along; retries too, so that each request is counted.
fn base(options: &RegistryOptions) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("iamship/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(options.patience.connect)
}

/// A client that can't do TLS: it trusts nobody, so that no certificate has to be read from the disk.
fn plain(builder: ClientBuilder) -> Result<Client, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    builder
        .http1_only()
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|error| chain(&error))
}

/// The system's certificates (as OpenSSL finds them, `SSL_CERT_FILE` included) and the given ones.
fn secure(options: &RegistryOptions) -> Result<Client, String> {
    // An error means that the program has chosen a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = base(options).https_only(true).http2_adaptive_window(true);
    if let Some(pem) = &options.ca {
        let certificates = reqwest::Certificate::from_pem_bundle(pem)
            .map_err(|error| format!("the given CA is not a PEM certificate: {}", chain(&error)))?;
        if certificates.is_empty() {
            return Err("the given CA has no PEM certificate in it".to_owned());
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| {
        format!(
            "no certificates to check the registry's against: {}; install the system's (`ca-certificates`) or name a CA",
            chain(&error)
        )
    })
}

/// What went wrong with a connection, in words that help.
pub(super) fn reason(error: &reqwest::Error) -> String {
    let text = chain(error);
    if text.contains("InvalidContentType") {
        return format!("it does not speak https ({text}); set `insecure = true` beside the repository to use http");
    }
    if text.contains("certificate") || text.contains("UnknownIssuer") {
        return format!("{text}; if the registry has a certificate of your own CA, name that CA's PEM file");
    }
    text
}

/// Whether a connection that failed so may work in a moment. Nobody listening, no such name and bad TLS stay as they are.
pub(super) fn again(error: &reqwest::Error) -> Again {
    if error.is_builder() || error.is_redirect() {
        return Again::Never;
    }
    if error.is_connect() && !error.is_timeout() {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(io) = inner.downcast_ref::<std::io::Error>()
                && io.kind() == std::io::ErrorKind::ConnectionReset
            {
                return Again::Soon;
            }
            cause = inner.source();
        }
        return Again::Never;
    }
    Again::Soon
}

/// The innermost causes, without the address, which may carry a signature.
fn chain(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        // hyper repeats its cause in its own text.
        texts.retain(|outer| !outer.contains(&text) && !outer.starts_with("client error ("));
        texts.push(text);
        cause = inner.source();
    }
    match texts.as_slice() {
        [] if error.is_timeout() => "it took too long".to_owned(),
        [] => "the request failed".to_owned(),
        texts => super::envelope::one_line(&texts.join(": ")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// Of nobody, for nobody: an empty store would be an error of its own.
    const CA: &str = "-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIUF9w2Nn2WcJFjE0GoyHd7S0obgsIwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGbm9ib2R5MCAXDTI2MTEyNDExNDQ0OVoYDzIxMjYxMDMxMTE0
NDQ5WjARMQ8wDQYDVQQDDAZub2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AARdwPJTOgDYBmKiCiBGpf8GO7BhGWV4olBlP+Dsm3DrIFzZ9AELJg6ARfPT0dLk
NnkRbn5ctnPA5DIatfeXkNg6o1MwUTAdBgNVHQ4EFgQU26QBr4vftKQbZi/K10Ku
ySH3WFQwHwYDVR0jBBgwFoAU26QBr4vftKQbZi/K10KuySH3WFQwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAlwFOo0vxiTSbeIP5nJ/+P1jqGyc6
v7J3YikAawbSkfMCIG6qwbQzkPkzyaud+gp5yPiNFuzN+kF73a44aTarjivm
-----END CERTIFICATE-----
";

    fn options(ca: &str) -> RegistryOptions {
        RegistryOptions {
            ca: Some(ca.as_bytes().to_vec()),
            ..RegistryOptions::default()
        }
    }

    #[tokio::test]
    async fn a_server_without_tls_is_recognised_and_not_asked_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
        let address = listener.local_addr().expect("address");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("connection");
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        });
        let url: Url = format!("https://{address}/v2/").parse().expect("address");
        let client = Transport::default().client(&url, &options(CA)).expect("a client");
        let error = client.get(url).send().await.expect_err("no TLS");
        assert!(reason(&error).contains("insecure = true"), "{}", reason(&error));
        assert_eq!(again(&error), Again::Never);
        server.join().expect("served");
    }

    #[test]
    fn a_ca_that_is_none_is_said_so_and_http_needs_none() {
        let secure: Url = "https://registry.example.com/".parse().expect("address");
        let plain: Url = "http://registry.example.com/".parse().expect("address");
        for rubbish in [
            "",
            "rubbish",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            let transport = Transport::default();
            let error = transport.client(&secure, &options(rubbish)).expect_err(rubbish);
            assert!(error.contains("CA") || error.contains("certificate"), "{error}");
            assert!(transport.client(&plain, &options(rubbish)).is_ok());
        }
    }
}
