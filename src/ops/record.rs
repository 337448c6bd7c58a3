//! Writing records and cosign's projections of them.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::try_join_all;

use super::OpsError;
use crate::attest::cosign::{self, CosignError, Projection};
use crate::attest::{Envelope, Envelopes, PublicKey, Record};
use crate::image::{Descriptor, Digest, Location, Manifest, Tag, Target};
use crate::store::{Listed, Pushed, Store, StoreError, push_unlisted_with_blobs, push_with_blobs, read_blob};

/// How often a projection is tried again when somebody else wrote at the same time.
const TRIES: usize = 5;

/// Writes a record under a tag. Usually one request: its blobs are pushed only when the store asks for them.
pub(super) async fn write_record(store: &dyn Store, record: &Record, tag: &Tag) -> Result<(), OpsError> {
    record
        .check_size()
        .map_err(|error| OpsError::input(error.to_string()))?;
    let written = put_record(store, record.manifest(), record.blobs(), tag).await?;
    // Other tools find it too, also where the store has no list of referrers of its own.
    if written.listed == Listed::NotYet {
        store.list_referrer(record.manifest()).await?;
    }
    Ok(())
}

/// Writes a record's manifest under a tag, and no list of referrers.
pub(super) async fn put_record(
    store: &dyn Store,
    manifest: &Manifest,
    blobs: &[(Descriptor, Bytes)],
    tag: &Tag,
) -> Result<Pushed, OpsError> {
    // What is larger than the empty blob is this record's own: the store can't have it yet.
    let own = blobs
        .iter()
        .filter(|(blob, _)| blob.digest != Descriptor::empty().digest);
    push_blobs(store, own).await?;
    Ok(push_unlisted_with_blobs(store, manifest, blobs, &tag.into()).await?)
}

/// A record's statements as they were signed, with the blobs that they are in, if they are.
pub(super) async fn read_envelopes(
    store: &dyn Store,
    record: &Manifest,
) -> Result<Vec<(Option<(Descriptor, Bytes)>, Envelope)>, OpsError> {
    let unreadable = |why: String| OpsError::world(format!("the record {} can't be read: {why}", record.digest()));
    let content = Record::read(record).map_err(|error| unreadable(error.to_string()))?;
    match content.envelopes {
        Envelopes::Inside(envelopes) => Ok(envelopes.into_iter().map(|envelope| (None, envelope)).collect()),
        Envelopes::Blobs(blobs) => {
            let mut envelopes = Vec::new();
            for blob in blobs {
                let bytes = read_blob(store, &blob, content.kind.max_bytes()).await?;
                let envelope = Envelope::parse(bytes.clone()).map_err(|error| unreadable(error.to_string()))?;
                envelopes.push((Some((blob, bytes)), envelope));
            }
            Ok(envelopes)
        }
    }
}

/// Pushes blobs side by side.
pub(super) async fn push_blobs<'b>(
    store: &dyn Store,
    blobs: impl IntoIterator<Item = &'b (Descriptor, Bytes)>,
) -> Result<(), StoreError> {
    try_join_all(blobs.into_iter().map(|(blob, bytes)| store.push_blob(blob, bytes))).await?;
    Ok(())
}

/// The two bytes that every record points at: pushed once where a location may not have them.
pub(super) async fn push_empty_blob(store: &dyn Store) -> Result<(), StoreError> {
    let empty = Descriptor::empty();
    if !store.has_blob(&empty).await? {
        store.push_blob(&empty, &Bytes::from_static(b"{}")).await?;
    }
    Ok(())
}

/// Whether somebody has looked already at what is under one of cosign's tags.
#[derive(Clone, Debug, Default)]
pub(super) enum Seen {
    /// Not yet.
    #[default]
    Unread,
    /// This was there.
    Read(Option<Manifest>),
}

type Append<'a> = Box<dyn Fn(Option<&Manifest>) -> Result<Option<Projection>, CosignError> + Send + Sync + 'a>;

/// An addition to one of cosign's tags whose blobs are there already. What is there stays, also what is foreign.
pub(super) struct Addition<'a> {
    store: &'a dyn Store,
    tag: Tag,
    append: Append<'a>,
    /// None: it is there already.
    projection: Option<Projection>,
}

/// A signature of a digest as cosign makes it, and what was under its tag before.
pub(super) struct ImageSigning {
    digest: Digest,
    payload: Bytes,
    key: PublicKey,
    existing: Option<Manifest>,
    /// None: it is there already.
    signature: Option<Vec<u8>>,
}

impl ImageSigning {
    /// Looks what is there.
    pub(super) async fn look(
        store: &dyn Store,
        location: &Location,
        digest: Digest,
        key: PublicKey,
    ) -> Result<Self, OpsError> {
        Ok(Self {
            digest,
            payload: cosign::signature_payload(&location.to_string(), &digest, &BTreeMap::new()),
            key,
            existing: store.manifest(&Target::from(&cosign::signature_tag(&digest))).await?,
            signature: None,
        })
    }

    /// What has to be signed, if that was not done before.
    pub(super) fn message(&self) -> Option<&[u8]> {
        // What can't be read is told when it is added to.
        let there = cosign::has_signature(self.existing.as_ref(), &self.payload, &self.key);
        (!there.unwrap_or_default()).then_some(&self.payload)
    }

    pub(super) fn signed(&mut self, signature: Vec<u8>) {
        self.signature = Some(signature);
    }

    pub(super) async fn prepare(self, store: &dyn Store) -> Result<Option<Addition<'_>>, OpsError> {
        let Some(signature) = self.signature else {
            return Ok(None);
        };
        let (payload, key) = (self.payload, self.key);
        let append: Append<'_> =
            Box::new(move |existing| cosign::append_signature(existing, &payload, &key, &signature));
        let tag = cosign::signature_tag(&self.digest);
        Addition::prepare(store, tag, append, Seen::Read(self.existing))
            .await
            .map(Some)
    }
}

/// Adds statements where cosign looks for them.
pub(super) async fn prepare_attestations<'a>(
    store: &'a dyn Store,
    digest: Digest,
    envelopes: &'a [Envelope],
    seen: Seen,
) -> Result<Addition<'a>, OpsError> {
    // Nothing to add: nothing to look for.
    let seen = if envelopes.is_empty() { Seen::Read(None) } else { seen };
    let append: Append<'a> = Box::new(move |existing| cosign::append_attestations(existing, envelopes));
    Addition::prepare(store, cosign::attestation_tag(&digest), append, seen).await
}

/// [`prepare_attestations`] and [`Addition::write`].
pub(super) async fn project_attestations(
    store: &dyn Store,
    digest: Digest,
    envelopes: &[Envelope],
) -> Result<(), OpsError> {
    prepare_attestations(store, digest, envelopes, Seen::Unread)
        .await?
        .write()
        .await
}

impl<'a> Addition<'a> {
    async fn prepare(store: &'a dyn Store, tag: Tag, append: Append<'a>, seen: Seen) -> Result<Self, OpsError> {
        let mut addition = Self {
            store,
            tag,
            append,
            projection: None,
        };
        let existing = match seen {
            Seen::Read(existing) => existing,
            Seen::Unread => store.manifest(&Target::from(&addition.tag)).await?,
        };
        addition.add_to(existing.as_ref()).await?;
        Ok(addition)
    }

    /// Works out what is to be written, and pushes its blobs: what is new is known to be missing.
    async fn add_to(&mut self, existing: Option<&Manifest>) -> Result<(), OpsError> {
        self.projection = (self.append)(existing).map_err(|error| {
            let reference = self.store.location().reference(&self.tag);
            OpsError::world(format!("`{reference}` can't be added to: {error}"))
        })?;
        if let Some(projection) = &self.projection {
            push_blobs(self.store, &projection.blobs).await?;
        }
        Ok(())
    }

    /// Writes, and does not look again: what is lost to a concurrent writer stands in its record all the same. For a
    /// promotion, whose requests count.
    pub(super) async fn write_once(self) -> Result<(), OpsError> {
        let Some(projection) = &self.projection else {
            return Ok(());
        };
        let target = Target::from(&self.tag);
        push_with_blobs(self.store, &projection.manifest, &projection.blobs, &target).await?;
        Ok(())
    }

    /// Writes. Where somebody else wrote since it was read, what they added is taken in and it is written once more.
    pub(super) async fn write(mut self) -> Result<(), OpsError> {
        let target = Target::from(&self.tag);
        for _ in 0..TRIES {
            let Some(projection) = &self.projection else {
                return Ok(());
            };
            push_with_blobs(self.store, &projection.manifest, &projection.blobs, &target).await?;
            if self.store.resolve(&self.tag).await? == Some(projection.manifest.digest()) {
                return Ok(());
            }
            let existing = self.store.manifest(&target).await?;
            self.add_to(existing.as_ref()).await?;
        }
        let reference = self.store.location().reference(&self.tag);
        Err(
            OpsError::world(format!("`{reference}` is written by others all the time"))
                .help("the same command again adds what is missing"),
        )
    }
}
