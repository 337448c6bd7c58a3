//! The ledger: records about digests and stages, read from a store and verified.
//!
//! Tags name the records, so one listing tells what there is; each record is one request. What is in
//! a tag is a hint: it is checked against the signed content before it counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::StreamExt as _;
use futures::stream;

use crate::attest::{Envelope, Envelopes, HistoryTag, Record, RecordKind, RecordTag, Statement, TrustedKeys, Verified};
use crate::image::{Descriptor, Digest, Manifest, Tag};
use crate::project::StageName;
use crate::store::{Store, StoreError, read_blob};

/// How many records are read at once.
const PARALLEL: usize = 16;
/// The most records of one kind that are read for one digest.
const MAX_RECORDS: usize = 1_000;
/// The largest envelope that is read from a blob: 64 MiB, an SBOM.
const MAX_ENVELOPE_BYTES: u64 = 64 << 20;

/// What one listing of a store's tags tells.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    tags: BTreeSet<Tag>,
    records: HashMap<Digest, Vec<RecordTag>>,
    history: BTreeMap<StageName, Vec<HistoryTag>>,
}

impl Listing {
    /// Lists a store; a listing that fails is an error.
    pub async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        Ok(Self::new(store.tags().await?))
    }

    /// Sorts tags by what they name; histories newest first, as their tags say.
    pub fn new(tags: impl IntoIterator<Item = Tag>) -> Self {
        let mut listing = Self::default();
        for tag in tags {
            if let Some(record) = RecordTag::parse(&tag) {
                listing.records.entry(record.subject).or_default().push(record);
            } else if let Some(entry) = HistoryTag::parse(&tag) {
                listing.history.entry(entry.stage.clone()).or_default().push(entry);
            }
            listing.tags.insert(tag);
        }
        for entries in listing.history.values_mut() {
            entries.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| b.cmp(a)));
        }
        listing
    }

    /// Whether there is such a tag.
    pub fn has(&self, tag: &Tag) -> bool {
        self.tags.contains(tag)
    }

    /// All tags.
    pub fn tags(&self) -> &BTreeSet<Tag> {
        &self.tags
    }

    /// The records of one kind about a digest.
    pub fn records(&self, digest: &Digest, kind: RecordKind) -> Vec<&RecordTag> {
        let all = self.records.get(digest).into_iter().flatten();
        all.filter(|record| record.kind == kind).collect()
    }

    /// The records of every kind about a digest.
    pub fn all_records(&self, digest: &Digest) -> &[RecordTag] {
        self.records.get(digest).map_or(&[], Vec::as_slice)
    }

    /// A stage's history, newest first as the tags say.
    pub fn history(&self, stage: &StageName) -> &[HistoryTag] {
        self.history.get(stage).map_or(&[], Vec::as_slice)
    }
}

/// A record whose every statement is by a trusted key that may say such things.
#[derive(Clone, Debug)]
pub struct VerifiedRecord {
    /// The manifest, for carrying it to another store.
    pub manifest: Manifest,
    /// What it is about.
    pub subject: Descriptor,
    /// What the act was.
    pub kind: RecordKind,
    /// What it says.
    pub statements: Vec<Verified<Statement>>,
}

impl VerifiedRecord {
    /// The record's name.
    pub fn digest(&self) -> Digest {
        self.manifest.digest()
    }
}

/// One record as it was read.
#[derive(Clone, Debug)]
pub enum Reading {
    /// It counts.
    Counts(Box<VerifiedRecord>),
    /// It does not, and why.
    Ignored(String),
}

/// Reads the record under a tag. A record that does not count is no error; one that can't be read is.
pub async fn read_record(store: &dyn Store, tag: &Tag, trusted: &TrustedKeys) -> Result<Reading, StoreError> {
    let Some(manifest) = store.manifest(&tag.into()).await? else {
        return Err(StoreError::NotFound {
            location: store.location().clone(),
            what: format!("the record `{tag}`, which is listed,"),
        });
    };
    read_manifest(store, manifest, tag, trusted).await
}

async fn read_manifest(
    store: &dyn Store,
    manifest: Manifest,
    tag: &Tag,
    trusted: &TrustedKeys,
) -> Result<Reading, StoreError> {
    let ignored = |why: String| Ok(Reading::Ignored(format!("`{tag}` does not count: {why}")));
    let content = match Record::read(&manifest) {
        Ok(content) => content,
        Err(error) => return ignored(error.to_string()),
    };
    let envelopes = match &content.envelopes {
        Envelopes::Inside(envelopes) => envelopes.clone(),
        Envelopes::Blobs(blobs) => {
            let mut envelopes = Vec::new();
            for blob in blobs {
                let bytes = read_blob(store, blob, MAX_ENVELOPE_BYTES).await?;
                match Envelope::parse(bytes) {
                    Ok(envelope) => envelopes.push(envelope),
                    Err(error) => return ignored(error.to_string()),
                }
            }
            envelopes
        }
    };
    let statements = match content.verify(&content.subject.digest, &envelopes, trusted) {
        Ok(statements) => statements,
        Err(error) if error.is_noise() => return ignored(error.to_string()),
        // A trusted key said something that can't be read here: it may be a failure or a rejection.
        Err(error) => {
            return Err(StoreError::Refused {
                location: store.location().clone(),
                action: format!("reading the record `{tag}`"),
                reason: error.to_string(),
            });
        }
    };
    Ok(Reading::Counts(Box::new(VerifiedRecord {
        manifest,
        subject: content.subject,
        kind: content.kind,
        statements,
    })))
}

/// Records about one digest: those that count, and why others don't.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// They count.
    pub verified: Vec<VerifiedRecord>,
    /// They don't, and why.
    pub ignored: Vec<String>,
}

/// Reads the records of some kinds about a digest, many at once.
pub async fn records(
    store: &dyn Store,
    listing: &Listing,
    digest: &Digest,
    kinds: &[RecordKind],
    trusted: &TrustedKeys,
) -> Result<Records, StoreError> {
    let tags: Vec<&RecordTag> = kinds.iter().flat_map(|kind| listing.records(digest, *kind)).collect();
    if tags.len() > MAX_RECORDS {
        return Err(StoreError::Refused {
            location: store.location().clone(),
            action: format!("reading the records about {digest}"),
            reason: format!("there are {}, over the limit of {MAX_RECORDS}", tags.len()),
        });
    }
    let read = |tag: &RecordTag| {
        let (tag, name) = (tag.clone(), tag.to_tag());
        async move { Ok::<_, StoreError>((tag, read_record(store, &name, trusted).await?)) }
    };
    let mut readings = stream::iter(tags.into_iter().map(read)).buffered(PARALLEL);
    let mut records = Records::default();
    while let Some(reading) = readings.next().await {
        match reading? {
            (tag, Reading::Counts(record))
                if tag.names(&record.digest()) && tag.kind == record.kind && tag.subject == record.subject.digest =>
            {
                records.verified.push(*record);
            }
            (tag, Reading::Counts(_)) => records
                .ignored
                .push(format!("`{tag}` holds another record than it says")),
            (_, Reading::Ignored(why)) => records.ignored.push(why),
        }
    }
    Ok(records)
}
