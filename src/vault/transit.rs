//! Keys of a transit engine: public halves, signatures in batches, and a keyed hash for other purposes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretBox;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::wire::{Ask, Reply};
use super::{Vault, VaultError};
use crate::image::Digest;
use crate::project::TransitKey;

/// What Vault takes in one request is limited (32 MiB unless somebody chose otherwise), and base64 adds a third.
const MAX_BATCH: usize = 22 << 20;

/// A kind of key that iamship can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransitAlgorithm {
    /// `ecdsa-p256`
    P256,
    /// `ed25519`
    Ed25519,
}

/// The newest version of a key, as far as everybody may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitPublicKey {
    /// Which key.
    pub key: TransitKey,
    /// Which kind.
    pub algorithm: TransitAlgorithm,
    /// The newest version: with this one it signs.
    pub version: u64,
    /// The oldest version that may still be used: the one for what must stay the same when the key is rotated.
    pub oldest: u64,
    /// The `PUBLIC KEY` (SPKI) block.
    pub pem: String,
}

#[derive(Deserialize)]
struct Document<T> {
    data: T,
}

#[derive(Deserialize)]
struct KeyAnswer {
    #[serde(rename = "type")]
    kind: String,
    latest_version: u64,
    #[serde(default)]
    min_encryption_version: u64,
    #[serde(default)]
    min_decryption_version: u64,
    #[serde(default)]
    derived: bool,
    #[serde(default)]
    keys: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Batch {
    batch_results: Vec<Signed>,
}

#[derive(Deserialize)]
struct Signed {
    signature: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Hashed {
    hmac: String,
}

impl Vault {
    /// The public half of the newest version of a key.
    pub async fn public_key(&self, key: &TransitKey) -> Result<TransitPublicKey, VaultError> {
        let session = self.session().await?;
        let path = format!("{}/keys/{}", key.mount, key.name);
        let ask = Ask::get(&path);
        let reply = session.ask(&ask).await?;
        match reply.status.as_u16() {
            200..=299 => {}
            403 => return Err(denied(&path, "read")),
            404 => {
                return Err(VaultError::NotFound {
                    what: format!("the transit engine has no key `{path}`"),
                    help: Some(format!("make one: `vault write -f {path} type=ecdsa-p256`")),
                });
            }
            _ => return Err(session.wire.refused(&ask, &reply)),
        }
        let answer = reply.read::<Document<KeyAnswer>>(&session.wire)?.data;
        let unusable = |because: String| VaultError::Unusable {
            path: path.clone(),
            because,
        };
        let algorithm = match answer.kind.as_str() {
            "ecdsa-p256" => TransitAlgorithm::P256,
            "ed25519" if !answer.derived => TransitAlgorithm::Ed25519,
            "ed25519" => return Err(unusable("is a derived key: those have no one public key".to_owned())),
            other => {
                let kind = super::transport::one_line(other);
                return Err(unusable(format!(
                    "is a key of the type `{kind}`; use `ecdsa-p256` or `ed25519`"
                )));
            }
        };
        let newest = answer.keys.get(&answer.latest_version.to_string());
        let public = newest.and_then(|version| version.get("public_key")?.as_str());
        let pem = public.and_then(|public| match algorithm {
            TransitAlgorithm::P256 => Some(public.to_owned()),
            TransitAlgorithm::Ed25519 => ed25519_pem(public),
        });
        Ok(TransitPublicKey {
            key: key.clone(),
            algorithm,
            version: answer.latest_version,
            oldest: answer.min_encryption_version.max(answer.min_decryption_version).max(1),
            pem: pem.ok_or_else(|| session.wire.malformed("the key has no public half"))?,
        })
    }

    /// Signs messages with one version of a key, in one request: ASN.1 DER of ECDSA-SHA256, or Ed25519's 64 bytes. Of
    /// what an `ecdsa-p256` key signs, Vault sees only the hash.
    pub async fn sign(&self, key: &TransitPublicKey, messages: &[&[u8]]) -> Result<Vec<Vec<u8>>, VaultError> {
        let path = format!("{}/sign/{}", key.key.mount, key.key.name);
        let size: usize = messages.iter().map(|message| message.len()).sum();
        let mut body = json!({ "key_version": key.version });
        let input: Vec<String> = match key.algorithm {
            TransitAlgorithm::P256 => {
                body["prehashed"] = true.into();
                body["hash_algorithm"] = "sha2-256".into();
                body["marshaling_algorithm"] = "asn1".into();
                let hash = |message: &&[u8]| STANDARD.encode(Digest::of(message).as_bytes());
                messages.iter().map(hash).collect()
            }
            TransitAlgorithm::Ed25519 if size > MAX_BATCH => {
                return Err(VaultError::Unusable {
                    path,
                    because: format!(
                        "can't sign {} MiB: an `ed25519` key needs the whole text; use an `ecdsa-p256` key",
                        size >> 20
                    ),
                });
            }
            TransitAlgorithm::Ed25519 => messages.iter().map(|message| STANDARD.encode(message)).collect(),
        };
        body["batch_input"] = input.into_iter().map(|input| json!({ "input": input })).collect();
        let reply = self.write(&path, &body).await?;
        let wire = &self.session().await?.wire;
        let batch = reply.read::<Document<Batch>>(wire)?.data.batch_results;
        if batch.len() != messages.len() {
            return Err(wire.malformed(format!("{} signatures for {} texts", batch.len(), messages.len())));
        }
        let signature = |signed: Signed| match (signed.error, signed.signature) {
            (Some(error), _) if !error.is_empty() => Err(VaultError::Refused {
                act: format!("sign with `{}`", key.key),
                because: super::transport::one_line(&error),
            }),
            (_, Some(text)) => versioned(&text).ok_or_else(|| wire.malformed("a signature can't be read")),
            _ => Err(wire.malformed("a signature is missing")),
        };
        batch.into_iter().map(signature).collect()
    }

    /// A secret that only those can have who may use the key for it: HMAC-SHA256 of a text, with the oldest version of
    /// the key that is still allowed, so that it stays the same when the key is rotated. `None` if the policy says no.
    pub async fn hmac(&self, key: &TransitPublicKey, text: &str) -> Result<Option<SecretBox<[u8; 32]>>, VaultError> {
        let path = format!("{}/hmac/{}", key.key.mount, key.key.name);
        let body = json!({
            "input": STANDARD.encode(text),
            "algorithm": "sha2-256",
            "key_version": key.oldest,
        });
        let reply = match self.write(&path, &body).await {
            Err(VaultError::Denied { .. }) => return Ok(None),
            reply => reply?,
        };
        let wire = &self.session().await?.wire;
        let hashed = Zeroizing::new(reply.read::<Document<Hashed>>(wire)?.data.hmac);
        let bytes = versioned(&hashed).map(Zeroizing::new);
        let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
        let secret = bytes.ok_or_else(|| wire.malformed("the keyed hash can't be read"))?;
        Ok(Some(SecretBox::new(Box::new(secret))))
    }

    async fn write(&self, path: &str, body: &serde_json::Value) -> Result<Reply, VaultError> {
        let session = self.session().await?;
        let ask = Ask::post(path, Zeroizing::new(body.to_string().into_bytes()));
        let reply = session.ask(&ask).await?;
        match reply.status.as_u16() {
            200..=299 => Ok(reply),
            403 => Err(denied(path, "update")),
            _ => Err(session.wire.refused(&ask, &reply)),
        }
    }
}

fn denied(path: &str, capability: &'static str) -> VaultError {
    VaultError::Denied {
        path: path.to_owned(),
        capability,
        help: None,
    }
}

/// `vault:v1:BASE64`
fn versioned(text: &str) -> Option<Vec<u8>> {
    let (version, base64) = text.strip_prefix("vault:v")?.split_once(':')?;
    version.parse::<u64>().ok()?;
    STANDARD.decode(base64).ok()
}

/// Vault gives the 32 bytes only.
fn ed25519_pem(base64: &str) -> Option<String> {
    /// SPKI of an Ed25519 key, up to the key itself (RFC 8410).
    const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let key: [u8; 32] = STANDARD.decode(base64).ok()?.try_into().ok()?;
    let block = pem::Pem::new("PUBLIC KEY", [&SPKI[..], &key].concat());
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    Some(pem::encode_config(&block, config))
}
