//! The connections: http without certificates, https with the system's and the given ones.

use std::error::Error as _;
use std::sync::Arc;

use reqwest::{Client, redirect};

use super::connection::{Connection, is_loopback};

/// A client for one Vault. Redirects are followed by hand, so that no token goes along; tries are counted by hand, too.
pub(super) fn client(connection: &Connection) -> Result<Client, String> {
    let mut builder = Client::builder()
        .user_agent(concat!("iamship/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(connection.patience.request)
        .timeout(connection.patience.request);
    if is_loopback(&connection.address) {
        builder = builder.no_proxy();
    }
    if connection.address.scheme() == "http" {
        // Trusts nobody, so that no certificate has to be read from the disk.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let builder = builder.http1_only().tls_backend_preconfigured(tls);
        return builder.build().map_err(|error| reason(&error));
    }
    // An error means that the program has chosen a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    builder = builder.https_only(true);
    if let Some(pem) = &connection.ca {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).unwrap_or_default();
        if certificates.is_empty() {
            return Err("the given CA has no PEM certificate in it".to_owned());
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder
        .build()
        .map_err(|error| format!("no certificates to check Vault's against: {}", reason(&error)))
}

/// The innermost causes, in one line, without the address.
pub(super) fn reason(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        // hyper repeats its cause in its own text.
        texts.retain(|outer| !outer.contains(&text) && !outer.starts_with("client error ("));
        texts.push(text);
        cause = inner.source();
    }
    let text = texts.join(": ");
    match text.as_str() {
        _ if error.is_timeout() => "it took too long".to_owned(),
        "" => "the request failed".to_owned(),
        text if text.contains("InvalidContentType") => format!("it does not speak https ({})", one_line(text)),
        text => one_line(text),
    }
}

/// Text from outside: without control characters, and not longer than a message should be.
pub(super) fn one_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut line = String::new();
    for character in text.chars() {
        if line.len() >= LONGEST {
            line.push('…');
            break;
        }
        match character {
            character if character.is_whitespace() => {
                if !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            character if character.is_control() => {}
            character => line.push(character),
        }
    }
    line.trim().to_owned()
}

/// Whether a request that failed so may work in a moment. Bad TLS and a name that nobody has stay as they are.
pub(super) fn may_mend(error: &reqwest::Error) -> bool {
    if error.is_builder() {
        return false;
    }
    let text = format!("{:?}", error.source());
    let fixed = [
        "certificate",
        "UnknownIssuer",
        "InvalidContentType",
        "failed to lookup",
        "dns error",
    ];
    !fixed.iter().any(|word| text.contains(word))
}
