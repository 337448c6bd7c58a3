//! DSSE envelopes: signed bytes with their type (secure-systems-lab/dsse, protocol v1).

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{PublicKey, SigningKey, Statement, StatementError};
use crate::image::Digest;

/// The payload type of in-toto statements.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The largest envelope that is read: an SBOM of a configuration with 100,000 clients fits.
pub const MAX_ENVELOPE_BYTES: usize = 64 << 20;
const MAX_SIGNATURES: usize = 16;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Signed bytes and their signatures. Nothing in it is proven: see [`super::TrustedKeys::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    bytes: Bytes,
    payload_type: String,
    payload: Bytes,
    signatures: Vec<Signature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Which key may have made it: a hint that nothing protects.
    pub key_id: String,
    /// As [`SigningKey::sign`] makes it.
    pub signature: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    payload_type: String,
    payload: String,
    signatures: Vec<WrittenSignature>,
}

#[derive(Serialize, Deserialize)]
struct WrittenSignature {
    #[serde(default, deserialize_with = "text_or_null")]
    keyid: String,
    sig: String,
}

fn text_or_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An envelope before it is signed.
#[derive(Clone, Debug)]
pub struct Unsigned {
    payload_type: String,
    payload: Vec<u8>,
    message: Vec<u8>,
}

impl Unsigned {
    /// A statement's.
    pub fn new(statement: &Statement) -> Self {
        Self::of(IN_TOTO, statement.to_bytes())
    }

    fn of(payload_type: &str, payload: Vec<u8>) -> Self {
        Self {
            payload_type: payload_type.to_owned(),
            message: pre_authentication(payload_type, &payload),
            payload,
        }
    }

    /// What is to be signed.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The envelope, with the signature of that key over the message.
    pub fn signed(self, key: &PublicKey, signature: Vec<u8>) -> Envelope {
        let key_id = key.fingerprint().hex();
        let written = Written {
            payload_type: self.payload_type.clone(),
            payload: BASE64.encode(&self.payload),
            signatures: vec![WrittenSignature {
                keyid: key_id.clone(),
                sig: BASE64.encode(&signature),
            }],
        };
        #[expect(clippy::expect_used, reason = "a struct of strings always serialises")]
        let bytes = serde_json::to_vec(&written).expect("envelope serialises");
        Envelope {
            bytes: bytes.into(),
            payload_type: self.payload_type,
            payload: self.payload.into(),
            signatures: vec![Signature { key_id, signature }],
        }
    }
}

impl Envelope {
    /// Signs a statement. The same statement and key give the same bytes.
    pub fn sign(statement: &Statement, key: &SigningKey) -> Self {
        Self::sign_bytes(IN_TOTO, statement.to_bytes(), key)
    }

    /// Signs bytes of any type.
    pub fn sign_bytes(payload_type: &str, payload: Vec<u8>, key: &SigningKey) -> Self {
        let unsigned = Unsigned::of(payload_type, payload);
        let signature = key.sign(unsigned.message());
        unsigned.signed(&key.public_key(), signature)
    }

    /// Reads an envelope; base64 may be standard or URL-safe, padded or not.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, EnvelopeError> {
        let bytes = bytes.into();
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(EnvelopeError::TooLarge(bytes.len()));
        }
        let written: Written = serde_json::from_slice(&bytes)?;
        if written.signatures.len() > MAX_SIGNATURES {
            return Err(EnvelopeError::TooManySignatures(written.signatures.len()));
        }
        let signatures = written.signatures.into_iter().map(|signature| {
            Ok(Signature {
                signature: decode(&signature.sig)?,
                key_id: signature.keyid,
            })
        });
        Ok(Self {
            payload_type: written.payload_type,
            payload: decode(&written.payload)?.into(),
            signatures: signatures.collect::<Result<_, EnvelopeError>>()?,
            bytes,
        })
    }

    /// The envelope's exact JSON.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Digest of [`Self::bytes`]. Others can wrap the same signed payload in other bytes:
    /// to tell whether two envelopes say the same, compare [`Self::payload_digest`].
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// Digest of what was signed.
    pub fn payload_digest(&self) -> Digest {
        Digest::of(&self.payload)
    }

    /// What the payload is.
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// What was signed.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Never more than 16.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The statement as claimed: for choosing what to verify, never for relying on.
    pub fn unverified_statement(&self) -> Result<Statement, StatementError> {
        if self.payload_type != IN_TOTO {
            return Err(StatementError::PayloadType(self.payload_type.clone()));
        }
        Statement::parse(&self.payload)
    }

    /// The bytes that the signatures are over.
    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        pre_authentication(&self.payload_type, &self.payload)
    }
}

/// PAE (DSSE protocol, *Signature Definition*): type and payload with their lengths, so that neither can run into the other.
fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

fn decode(text: &str) -> Result<Vec<u8>, EnvelopeError> {
    let engine = if text.contains(['-', '_']) {
        &BASE64_URL
    } else {
        &BASE64
    };
    engine.decode(text).map_err(|_| EnvelopeError::Base64)
}

/// Bytes that are no DSSE envelope.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Over [`MAX_ENVELOPE_BYTES`].
    #[error("an envelope of {0} bytes; the limit is {MAX_ENVELOPE_BYTES}")]
    TooLarge(usize),
    /// Over 16.
    #[error("an envelope with {0} signatures; the limit is {MAX_SIGNATURES}")]
    TooManySignatures(usize),
    /// The payload or a signature.
    #[error("the envelope's payload or signature is not base64")]
    Base64,
    /// Not the JSON of an envelope.
    #[error("not a DSSE envelope: {0}")]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attest::Algorithm;

    #[test]
    fn encodes_as_the_protocol_says() {
        // The protocol's own example.
        assert_eq!(
            pre_authentication("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn reads_what_it_writes_and_is_the_same_each_time() {
        for algorithm in [Algorithm::P256, Algorithm::Ed25519] {
            let key = SigningKey::generate(algorithm).expect("randomness");
            let envelope = Envelope::sign_bytes("text/plain", b"\xff\xfe\xfd".to_vec(), &key);
            assert_eq!(
                envelope,
                Envelope::sign_bytes("text/plain", b"\xff\xfe\xfd".to_vec(), &key)
            );
            assert_eq!(Envelope::parse(envelope.bytes().clone()).expect("reads"), envelope);
        }
    }

    #[test]
    fn both_base64_alphabets_and_missing_padding_are_read() {
        for payload in ["//79+w==", "__79-w==", "//79+w", "__79-w"] {
            let text = format!(r#"{{"payloadType":"t","payload":"{payload}","signatures":[{{"sig":"AA"}}],"x":1}}"#);
            let envelope = Envelope::parse(text.into_bytes()).expect(payload);
            assert_eq!(envelope.payload().as_ref(), b"\xff\xfe\xfd\xfb");
            assert_eq!(envelope.signatures()[0].key_id, "");
        }
    }

    #[test]
    fn junk_is_refused() {
        let many = vec![r#"{"sig":"AA"}"#; 17].join(",");
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"payloadType":"t","payload":"*","signatures":[]}"#,
            r#"{"payloadType":"t","payload":"_+","signatures":[]}"#,
            r#"{"payloadType":"t","payload":"AA","signatures":[{"keyid":"x"}]}"#,
            r#"{"payloadType":"t","payload":"AA","payload":"BB","signatures":[]}"#,
            &format!(r#"{{"payloadType":"t","payload":"AA","signatures":[{many}]}}"#),
            &"[".repeat(100_000),
        ] {
            assert!(
                Envelope::parse(text.to_owned()).is_err(),
                "{}",
                &text[..text.len().min(80)]
            );
        }
        let large = vec![b' '; MAX_ENVELOPE_BYTES + 1];
        assert!(matches!(Envelope::parse(large), Err(EnvelopeError::TooLarge(_))));
    }
}
