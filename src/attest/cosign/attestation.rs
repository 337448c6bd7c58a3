//! `.att`: one layer an envelope.

use bytes::Bytes;

use super::{CosignError, PREDICATE_TYPE, Projection, SIGNATURE, image};
use crate::attest::{Envelope, MAX_ENVELOPE_BYTES};
use crate::image::{Descriptor, Manifest, media_type};

/// One envelope of an `.att` manifest, to fetch and [`Envelope::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationLayer {
    /// The envelope.
    pub envelope: Descriptor,
    /// What kind of predicate it is said to hold: a hint.
    pub predicate_type: Option<String>,
}

/// The envelopes in the manifest at [`super::attestation_tag`]. What is no envelope, or too large, is passed over.
pub fn attestation_layers(manifest: &Manifest) -> Result<Vec<AttestationLayer>, CosignError> {
    let fits =
        |layer: &&Descriptor| layer.media_type == media_type::DSSE_ENVELOPE && layer.size <= MAX_ENVELOPE_BYTES as u64;
    let layers = image(manifest)?.layers.iter().filter(fits);
    Ok(layers
        .map(|layer| AttestationLayer {
            predicate_type: layer.annotations.get(PREDICATE_TYPE).cloned(),
            envelope: layer.clone(),
        })
        .collect())
}

/// The `.att` manifest with these envelopes; `None` if all are there already.
pub fn append_attestations(
    existing: Option<&Manifest>,
    envelopes: &[Envelope],
) -> Result<Option<Projection>, CosignError> {
    let mut there = match existing {
        Some(manifest) => attestation_layers(manifest)?,
        None => Vec::new(),
    };
    let mut added: Vec<(Descriptor, Bytes)> = Vec::new();
    for envelope in envelopes {
        let predicate_type = envelope.unverified_statement()?.predicate.predicate_type().to_owned();
        let mut layer = Descriptor::of(media_type::DSSE_ENVELOPE, envelope.bytes());
        let entry = AttestationLayer {
            predicate_type: Some(predicate_type.clone()),
            envelope: layer.clone(),
        };
        let same = |other: &AttestationLayer| {
            other.envelope.digest == layer.digest && other.predicate_type == entry.predicate_type
        };
        if there.iter().any(same) {
            continue;
        }
        layer.annotations.insert(SIGNATURE.to_owned(), String::new());
        layer.annotations.insert(PREDICATE_TYPE.to_owned(), predicate_type);
        added.push((layer, envelope.bytes().clone()));
        there.push(entry);
    }
    if added.is_empty() {
        return Ok(None);
    }
    Projection::append(existing, added).map(Some)
}
