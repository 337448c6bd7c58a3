//! Certificates and keys that a value carries: PEM, base64 of DER, `data:` addresses, key sets, PKCS#12.
//!
//! Whatever can't be read is passed over without a word: a value that the server encrypted is nobody's to read here.
//! What comes out tells nothing of what is private. Bounded in size, count and work, for values are anybody's.

mod armor;
mod certificate;
mod key;
mod key_set;
mod pkcs12;
#[cfg(test)]
pub(crate) mod testing;

pub use certificate::Certificate;
pub use key::{KeyFingerprint, PublicKey};

/// The longest text that is looked into: a set of all public authorities has a quarter of it.
const LONGEST_TEXT: usize = 1 << 20;
/// The shortest one: a key on a curve, without a certificate.
const SHORTEST_TEXT: usize = 80;
/// How many certificates or keys of one value are read.
const MOST_ENTRIES: usize = 500;

/// What a value carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material {
    /// Certificates, in their order.
    pub certificates: Vec<Certificate>,
    /// Public keys without a certificate.
    pub public_keys: Vec<PublicKey>,
    /// The public halves of private keys.
    pub private_keys: Vec<PublicKey>,
}

impl Material {
    /// Reads a value. Empty when it carries nothing that can be read. `passwords`: what a PKCS#12 may be opened with,
    /// beside the empty one.
    pub fn read(text: &str, passwords: &[&str]) -> Self {
        let mut material = Self::default();
        if (SHORTEST_TEXT..=LONGEST_TEXT).contains(&text.len()) {
            material.add(text.trim(), passwords);
        }
        material
    }

    /// Whether a text looks like something that [`read`](Self::read) understands: quick, for searching.
    pub fn is_likely(text: &str) -> bool {
        let text = text.trim_start();
        text.contains("-----BEGIN ")
            || text.starts_with("data:application/")
            || text.starts_with('{')
            || is_base64(text)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.public_keys.is_empty() && self.private_keys.is_empty()
    }

    /// Whether it has private keys and certificates, and a private key that is no certificate's.
    pub fn is_mismatched(&self) -> bool {
        let certified = |key: &PublicKey| {
            let mut keys = self
                .certificates
                .iter()
                .filter_map(|certificate| certificate.key.as_ref());
            keys.any(|certificate| certificate.fingerprint == key.fingerprint)
        };
        // A certificate of a kind that is not known may be the one.
        let all_known = self.certificates.iter().all(|certificate| certificate.key.is_some());
        all_known && !self.certificates.is_empty() && !self.private_keys.iter().all(certified)
    }

    fn add(&mut self, text: &str, passwords: &[&str]) {
        if text.starts_with("data:") {
            self.add_data(text, passwords);
        } else if text.contains("-----BEGIN ") {
            self.add_blocks(text);
        } else if text.starts_with('{') && text.contains("\"kty\"") {
            key_set::add(self, text);
        } else if is_base64(text) {
            self.add_base64(text, passwords);
        }
    }

    /// `data:application/p12;base64,…` (RFC 2397). What is `aes` is the server's own to read.
    fn add_data(&mut self, text: &str, passwords: &[&str]) {
        let Some((head, body)) = text.split_once(',') else {
            return;
        };
        if head.contains(";aes") {
            return;
        }
        if body.contains("-----BEGIN ") {
            self.add_blocks(&body.replace("%0A", "\n").replace("%20", " ").replace("%2B", "+"));
        } else {
            self.add_base64(body, passwords);
        }
    }

    fn add_base64(&mut self, text: &str, passwords: &[&str]) {
        let Some(bytes) = armor::decode(text) else { return };
        match std::str::from_utf8(&bytes) {
            Ok(inner) if inner.contains("-----BEGIN ") => self.add_blocks(inner),
            Ok(inner) if inner.trim_start().starts_with('{') => key_set::add(self, inner),
            _ => self.add_der(&bytes, passwords),
        }
    }

    fn add_blocks(&mut self, text: &str) {
        for block in armor::blocks(text, MOST_ENTRIES) {
            self.add_block(block.label, &block.bytes);
        }
    }

    fn add_block(&mut self, label: &str, der: &[u8]) {
        match label {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                self.certificates.extend(Certificate::from_der(der));
            }
            "PUBLIC KEY" => self.public_keys.extend(PublicKey::from_spki(der)),
            "RSA PUBLIC KEY" => self.public_keys.extend(PublicKey::from_rsa(der)),
            "PRIVATE KEY" => self.private_keys.extend(PublicKey::from_pkcs8(der)),
            "RSA PRIVATE KEY" => self.private_keys.extend(PublicKey::from_rsa_private(der)),
            "EC PRIVATE KEY" => self.private_keys.extend(PublicKey::from_sec1(der, None)),
            _ => {}
        }
    }

    fn add_der(&mut self, der: &[u8], passwords: &[&str]) {
        if let Some(certificate) = Certificate::from_der(der) {
            self.certificates.push(certificate);
        } else if let Some(key) = PublicKey::from_pkcs8(der) {
            self.private_keys.push(key);
        } else if let Some(key) = PublicKey::from_spki(der) {
            self.public_keys.push(key);
        } else {
            let passwords: Vec<_> = std::iter::once("").chain(passwords.iter().copied()).collect();
            let store = pkcs12::read(der, &passwords, MOST_ENTRIES).unwrap_or_default();
            let own = store
                .certificates
                .iter()
                .zip(&store.has_key)
                .filter(|(_, has_key)| **has_key);
            self.private_keys
                .extend(own.filter_map(|(certificate, _)| certificate.key.clone()));
            self.certificates.extend(store.certificates);
        }
    }
}

/// What DER, PEM and JSON begin with in base64: a sequence of 128 bytes or more, `-----BEGIN`, `{"`.
fn is_base64(text: &str) -> bool {
    let heads = ["MII", "MIG", "MIH", "LS0tLS1CRUdJTi", "eyJr", "ewog"];
    heads.iter().any(|head| text.starts_with(head)) && !text.contains('.')
}

#[cfg(test)]
mod tests;
