//! `.sig`: signatures over a small JSON text that names the image (Red Hat's *simple signing*).

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CosignError, Projection, SIGNATURE, image};
use crate::attest::{PublicKey, TrustedKeys, Verified, VerifyError};
use crate::image::{Descriptor, Digest, Manifest, media_type};
use crate::project::Permission;

const TYPE: &str = "cosign container image signature";
/// Ours have some 230 bytes; others may add annotations.
const MAX_PAYLOAD_BYTES: u64 = 64 << 10;

#[derive(Serialize, Deserialize)]
struct Payload {
    critical: Critical,
    #[serde(default)]
    optional: Option<BTreeMap<String, Value>>,
}

#[derive(Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Identity {
    docker_reference: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    docker_manifest_digest: Digest,
}

/// The bytes that cosign signs for an image at a location, to the byte. cosign checks the digest, not the location.
pub fn signature_payload(location: &str, digest: &Digest, annotations: &BTreeMap<String, String>) -> Bytes {
    let optional = annotations
        .iter()
        .map(|(key, value)| (key.clone(), value.clone().into()));
    let payload = Payload {
        critical: Critical {
            identity: Identity {
                docker_reference: location.to_owned(),
            },
            image: Image {
                docker_manifest_digest: *digest,
            },
            kind: TYPE.to_owned(),
        },
        optional: (!annotations.is_empty()).then(|| optional.collect()),
    };
    #[expect(clippy::expect_used, reason = "a struct of strings always serialises")]
    let text = serde_json::to_string(&payload).expect("payload serialises");
    // Go's writer escapes these; they can only stand inside strings.
    let escapes = [
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u{2028}", "\\u2028"),
        ("\u{2029}", "\\u2029"),
    ];
    let escaped = escapes.iter().fold(text, |text, (from, to)| text.replace(from, to));
    escaped.into()
}

/// What a signature says: this digest is an image of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageSignature {
    /// Where it was signed; copies keep it.
    pub location: String,
    /// What the signer added.
    pub annotations: BTreeMap<String, Value>,
}

/// A `.sig` manifest. Layers that are no signatures, or broken ones, are passed over, as cosign does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureManifest {
    layers: Vec<SignatureLayer>,
}

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLayer {
    /// The signed payload.
    pub payload: Descriptor,
    /// The signature over it.
    pub signature: Vec<u8>,
}

impl SignatureManifest {
    /// Reads the manifest at [`super::signature_tag`].
    pub fn read(manifest: &Manifest) -> Result<Self, CosignError> {
        let layers = image(manifest)?.layers.iter().filter_map(|layer| {
            if layer.media_type != media_type::COSIGN_SIMPLE_SIGNING || layer.size > MAX_PAYLOAD_BYTES {
                return None;
            }
            let signature = STANDARD.decode(layer.annotations.get(SIGNATURE)?).ok()?;
            Some(SignatureLayer {
                payload: layer.clone(),
                signature,
            })
        });
        Ok(Self {
            layers: layers.collect(),
        })
    }

    /// All signatures, in order.
    pub fn layers(&self) -> &[SignatureLayer] {
        &self.layers
    }

    /// The payloads that are not among `known`, each once. What a `.sig` of our own holds we can write ourselves:
    /// with [`signature_payload`] among `known`, nothing needs to be fetched.
    pub fn missing(&self, known: &[Bytes]) -> Vec<&Descriptor> {
        let mut have: Vec<Digest> = known.iter().map(|bytes| Digest::of(bytes)).collect();
        let mut missing = Vec::new();
        for layer in &self.layers {
            if !have.contains(&layer.payload.digest) {
                have.push(layer.payload.digest);
                missing.push(&layer.payload);
            }
        }
        missing
    }

    /// Proves that a trusted key whose owner may build signed this digest. One good signature is enough;
    /// those whose payload is not among `payloads` don't count.
    pub fn verify(
        &self,
        subject: &Digest,
        payloads: &[Bytes],
        trusted: &TrustedKeys,
    ) -> Result<Verified<ImageSignature>, VerifyError> {
        let payloads: HashMap<Digest, &Bytes> = payloads.iter().map(|bytes| (Digest::of(bytes), bytes)).collect();
        let mut refusal = VerifyError::Untrusted;
        for layer in &self.layers {
            let Some(payload) = payloads.get(&layer.payload.digest) else {
                continue;
            };
            match verify_one(payload, &layer.signature, subject, trusted) {
                Ok(verified) => return Ok(verified),
                Err(VerifyError::Untrusted) => {}
                Err(better) => refusal = better,
            }
        }
        Err(refusal)
    }
}

fn verify_one(
    payload: &Bytes,
    signature: &[u8],
    subject: &Digest,
    trusted: &TrustedKeys,
) -> Result<Verified<ImageSignature>, VerifyError> {
    let signer = trusted
        .who_signed(payload, signature, "")
        .ok_or(VerifyError::Untrusted)?;
    let read: Payload = serde_json::from_slice(payload).map_err(|_| VerifyError::OtherSubject(*subject))?;
    if read.critical.image.docker_manifest_digest != *subject || read.critical.kind != TYPE {
        return Err(VerifyError::OtherSubject(*subject));
    }
    if !signer.may(Permission::Build) {
        return Err(VerifyError::NotPermitted {
            signer: signer.name().to_owned(),
            permission: Permission::Build.as_str(),
        });
    }
    let content = ImageSignature {
        location: read.critical.identity.docker_reference,
        annotations: read.optional.unwrap_or_default(),
    };
    Ok(Verified::new(content, signer.clone(), *subject, Digest::of(payload)))
}

/// Whether this key's signature over the payload is in a `.sig` manifest.
pub fn has_signature(existing: Option<&Manifest>, payload: &Bytes, key: &PublicKey) -> Result<bool, CosignError> {
    let Some(manifest) = existing else {
        return Ok(false);
    };
    let digest = Digest::of(payload);
    // By verifying, not by comparing: ECDSA signatures differ each time, but for those that are made here.
    let same = |layer: &SignatureLayer| layer.payload.digest == digest && key.verify(payload, &layer.signature).is_ok();
    Ok(SignatureManifest::read(manifest)?.layers.iter().any(same))
}

/// The `.sig` manifest with this key's signature over the payload; `None` if one of them is there already.
pub fn append_signature(
    existing: Option<&Manifest>,
    payload: &Bytes,
    key: &PublicKey,
    signature: &[u8],
) -> Result<Option<Projection>, CosignError> {
    if has_signature(existing, payload, key)? {
        return Ok(None);
    }
    let mut layer = Descriptor::of(media_type::COSIGN_SIMPLE_SIGNING, payload);
    layer
        .annotations
        .insert(SIGNATURE.to_owned(), STANDARD.encode(signature));
    Projection::append(existing, vec![(layer, payload.clone())]).map(Some)
}
