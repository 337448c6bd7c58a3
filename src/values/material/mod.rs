//! Certificates and keys that a value carries: PEM, base64 of DER, `data:` addresses, key sets, PKCS#12.
//!
//! Whatever can't be read is passed over without a word: a value that the server encrypted is nobody's to read here.
//! What comes out tells nothing of what is private. Bounded in size, count and work, for values are anybody's.

mod armor;
mod certificate;
mod key;
#[cfg(test)]
pub(crate) mod testing;

pub use certificate::Certificate;
pub use key::{KeyFingerprint, PublicKey};

/// The longest text that is looked into: a set of all public authorities has a quarter of it.
const LONGEST_TEXT: usize = 1 << 20;
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
    /// Reads a value. Empty when it carries nothing that can be read.
    pub fn read(text: &str) -> Self {
        let mut material = Self::default();
        if text.len() <= LONGEST_TEXT {
            material.add(text.trim());
        }
        material
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

    fn add(&mut self, text: &str) {
        if text.contains("-----BEGIN ") {
            for block in armor::blocks(text, MOST_ENTRIES) {
                self.add_block(block.label, &block.bytes);
            }
        } else if let Some(bytes) = looks_like_der(text).then(|| armor::decode(text)).flatten() {
            self.add_der(&bytes);
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

    fn add_der(&mut self, der: &[u8]) {
        if let Some(certificate) = Certificate::from_der(der) {
            self.certificates.push(certificate);
        } else if let Some(key) = PublicKey::from_pkcs8(der) {
            self.private_keys.push(key);
        } else if let Some(key) = PublicKey::from_spki(der) {
            self.public_keys.push(key);
        }
    }
}

/// A sequence of 128 bytes or more, in base64: 0x30 0x81 or 0x30 0x82.
fn looks_like_der(text: &str) -> bool {
    text.len() >= 120 && (text.starts_with("MII") || text.starts_with("MIG") || text.starts_with("MIH"))
}

#[cfg(test)]
mod tests;
