//! Keys: P-256 as cosign makes them, and Ed25519.

use std::fmt;

use ed25519_dalek::pkcs8::KeypairBytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::cosign_key;
use crate::image::Digest;

/// The largest key file that is read.
const MAX_PEM_BYTES: usize = 64 << 10;

/// The label of the key that hashes secrets in fingerprints of values: `key.derive(FINGERPRINT)`.
pub const FINGERPRINT: &str = "values-fingerprint";

/// A kind of key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256: cosign's own kind.
    #[default]
    P256,
    /// Ed25519.
    Ed25519,
}

/// A private key. `Debug` shows only the fingerprint; the bytes are wiped when it is dropped.
#[derive(Clone)]
pub struct SigningKey(Private);

#[derive(Clone)]
enum Private {
    P256(Box<p256::ecdsa::SigningKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

impl SigningKey {
    /// A new key from the system's randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        loop {
            getrandom::fill(seed.as_mut_slice()).map_err(|_| KeyError::NoRandomness)?;
            let private = match algorithm {
                Algorithm::Ed25519 => Private::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(&seed))),
                // Of 2^256 numbers some 2^224 are no scalar of the curve: draw again.
                Algorithm::P256 => match p256::ecdsa::SigningKey::from_slice(seed.as_slice()) {
                    Ok(key) => Private::P256(Box::new(key)),
                    Err(_) => continue,
                },
            };
            return Ok(Self(private));
        }
    }

    /// Reads cosign's encrypted key file (both labels), or a plain `PRIVATE KEY` (PKCS#8) or `EC PRIVATE KEY` (SEC1).
    ///
    /// The password is used for the first only; it may be empty, as cosign allows.
    pub fn from_pem(pem: &SecretString, password: Option<&SecretString>) -> Result<Self, KeyError> {
        let text = pem.expose_secret();
        if text.len() > MAX_PEM_BYTES {
            return Err(KeyError::Malformed("larger than any key"));
        }
        for block in pem::parse_many(text).map_err(|_| KeyError::NotPem)? {
            let label = block.tag().to_owned();
            let contents = Zeroizing::new(block.into_contents());
            match label.as_str() {
                cosign_key::LABEL | cosign_key::OLD_LABEL => {
                    let password = password.ok_or(KeyError::PasswordNeeded)?;
                    return Self::from_pkcs8(&cosign_key::open(&contents, password)?);
                }
                "PRIVATE KEY" => return Self::from_pkcs8(&contents),
                "EC PRIVATE KEY" => {
                    let key = p256::SecretKey::from_sec1_der(&contents)
                        .map_err(|_| KeyError::Unsupported("an `EC PRIVATE KEY` that is not of P-256".to_owned()))?;
                    return Ok(Self(Private::P256(Box::new(key.into()))));
                }
                // `openssl ecparam -genkey` writes this block before the key.
                "EC PARAMETERS" => {}
                "PUBLIC KEY" => return Err(KeyError::PublicNotPrivate),
                _ => return Err(KeyError::Unsupported(format!("a PEM block `{}`", bounded(&label)))),
            }
        }
        Err(KeyError::NotPem)
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(key) = p256::SecretKey::from_pkcs8_der(der) {
            return Ok(Self(Private::P256(Box::new(key.into()))));
        }
        ed25519_dalek::SigningKey::from_pkcs8_der(der)
            .map(|key| Self(Private::Ed25519(Box::new(key))))
            .map_err(|_| KeyError::Unsupported("a key that is neither of P-256 nor Ed25519".to_owned()))
    }

    /// cosign's encrypted key file, which `cosign sign` reads too. Another salt and nonce each time.
    pub fn seal(&self, password: &SecretString) -> Result<SecretString, KeyError> {
        let sealed = cosign_key::seal(&self.to_pkcs8()?, password)?;
        let block = pem::Pem::new(cosign_key::LABEL, sealed);
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        Ok(pem::encode_config(&block, config).into())
    }

    /// The plain PKCS#8 PEM, for an `env:` key: whoever reads it can sign.
    pub fn to_plain_pem(&self) -> Result<SecretString, KeyError> {
        let block = pem::Pem::new("PRIVATE KEY", self.to_pkcs8()?.as_slice());
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        Ok(pem::encode_config(&block, config).into())
    }

    fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let document = match &self.0 {
            Private::P256(key) => key.to_pkcs8_der(),
            // Without the public half: that form (version 2) is unknown to some readers.
            Private::Ed25519(key) => KeypairBytes {
                secret_key: key.to_bytes(),
                public_key: None,
            }
            .to_pkcs8_der(),
        };
        document
            .map(|document| document.to_bytes())
            .map_err(|_| KeyError::Malformed("can't be written as PKCS#8"))
    }

    /// Signs: ASN.1 DER of ECDSA-SHA256, or Ed25519's 64 bytes. The same message gives the same signature (RFC 6979, RFC 8032).
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Private::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
            Private::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }

    /// The other half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(match &self.0 {
            Private::P256(key) => Public::P256(*key.verifying_key()),
            Private::Ed25519(key) => Public::Ed25519(key.verifying_key()),
        })
    }

    /// A secret for another purpose, which tells nothing of the key: HMAC-SHA256 of the label.
    ///
    /// Everyone who holds the key gets the same one, so fingerprints made on two machines compare.
    /// For [`crate::values::fingerprint`] the label is [`FINGERPRINT`].
    pub fn derive(&self, label: &str) -> SecretBox<[u8; 32]> {
        let secret = match &self.0 {
            Private::P256(key) => Zeroizing::new(<[u8; 32]>::from(key.to_bytes())),
            Private::Ed25519(key) => Zeroizing::new(key.to_bytes()),
        };
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_slice()).expect("32 bytes are a key");
        mac.update(b"iamship derived key v1\0");
        mac.update(label.as_bytes());
        SecretBox::new(Box::new(mac.finalize().into_bytes().into()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.public_key().fingerprint().short())
    }
}

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Public);

#[derive(Clone, PartialEq, Eq)]
enum Public {
    P256(p256::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

impl PublicKey {
    /// Reads a `PUBLIC KEY` (SPKI) block, as `cosign.pub` is.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.len() > MAX_PEM_BYTES {
            return Err(KeyError::Malformed("larger than any key"));
        }
        let block = pem::parse(text).map_err(|_| KeyError::NotPem)?;
        match block.tag() {
            "PUBLIC KEY" => Self::from_spki(block.contents()),
            label if label.contains("PRIVATE KEY") => Err(KeyError::PrivateNotPublic),
            label => Err(KeyError::Unsupported(format!("a PEM block `{}`", bounded(label)))),
        }
    }

    fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(der) {
            return Ok(Self(Public::P256(key)));
        }
        match ed25519_dalek::VerifyingKey::from_public_key_der(der) {
            // A key of small order verifies signatures that nobody made.
            Ok(key) if key.is_weak() => Err(KeyError::Malformed("a weak Ed25519 key")),
            Ok(key) => Ok(Self(Public::Ed25519(key))),
            Err(_) => Err(KeyError::Unsupported(
                "a key that is neither of P-256 nor Ed25519".to_owned(),
            )),
        }
    }

    /// The `PUBLIC KEY` block, as cosign writes it.
    pub fn to_pem(&self) -> String {
        let pem = match &self.0 {
            Public::P256(key) => key.to_public_key_pem(LineEnding::LF),
            Public::Ed25519(key) => key.to_public_key_pem(LineEnding::LF),
        };
        #[expect(clippy::expect_used, reason = "a valid key has a fixed, small encoding")]
        pem.expect("public key encodes")
    }

    /// The key's kind.
    pub fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Public::P256(_) => Algorithm::P256,
            Public::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// SHA-256 of the SPKI DER: the key's name in envelopes, and what `cosign` calls its hint.
    pub fn fingerprint(&self) -> Digest {
        let der = match &self.0 {
            Public::P256(key) => key.to_public_key_der(),
            Public::Ed25519(key) => key.to_public_key_der(),
        };
        #[expect(clippy::expect_used, reason = "a valid key has a fixed, small encoding")]
        Digest::of(der.expect("public key encodes").as_bytes())
    }

    /// Whether the signature is this key's over exactly these bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        match &self.0 {
            Public::P256(key) => {
                let signature = p256::ecdsa::Signature::from_der(signature).map_err(|_| BadSignature)?;
                key.verify(message, &signature).map_err(|_| BadSignature)
            }
            Public::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| BadSignature)?;
                key.verify_strict(message, &signature).map_err(|_| BadSignature)
            }
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({})", self.fingerprint().short())
    }
}

fn bounded(label: &str) -> String {
    label.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// The signature is not this key's over these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not this key's over these bytes")]
pub struct BadSignature;

/// Why a text gives no key. Says nothing of its content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM block.
    #[error("not a key: no `-----BEGIN …-----` block in it")]
    NotPem,
    /// An encrypted key, and no password.
    #[error("the key is encrypted: give its password in `IAMSHIP_KEY_PASSWORD` or `COSIGN_PASSWORD`")]
    PasswordNeeded,
    /// An encrypted key that this password doesn't open, or that was changed.
    #[error("the password doesn't open the key")]
    WrongPassword,
    /// The wrong half.
    #[error("this is a public key: a private key is needed to sign")]
    PublicNotPrivate,
    /// The wrong half, and it should not be here.
    #[error("this is a private key: list the public key (`.pub`) instead, and keep this one out of git")]
    PrivateNotPublic,
    /// Another kind of key.
    #[error("{0}: `iamship keygen` makes a key that works")]
    Unsupported(String),
    /// Broken, or made to break the reader.
    #[error("not a usable key: {0}")]
    Malformed(&'static str),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

#[cfg(test)]
pub(super) mod tests;
