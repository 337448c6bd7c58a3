//! The ledger: records about digests and stages, read from a store and verified.
//!
//! Tags name the records, so one listing tells what there is; each record is one request. What is in
//! a tag is a hint: it is checked against the signed content before it counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::StreamExt as _;
use futures::stream;

use crate::attest::{
    Envelope, Envelopes, HistoryTag, Record, RecordContent, RecordKind, RecordTag, Statement, TrustedKeys, Verified,
    VerifyError,
};
use crate::image::{Descriptor, Digest, Manifest, Tag};
use crate::project::StageName;
use crate::store::{Store, StoreError, read_blob};

/// How many records are read at once.
const PARALLEL: usize = 16;
/// The most records that are read for one digest.
pub const MAX_RECORDS: usize = 1_000;

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
    record: Digest,
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
        self.record
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
    let manifest = listed_manifest(store, tag).await?;
    match prove(store, &manifest, tag, trusted).await? {
        Proof::Holds(record) => Ok(Reading::Counts(record)),
        Proof::Foreign(why) | Proof::Junk(why) => Ok(Reading::Ignored(format!("`{tag}` does not count: {why}"))),
    }
}

async fn listed_manifest(store: &dyn Store, tag: &Tag) -> Result<Manifest, StoreError> {
    store.manifest(&tag.into()).await?.ok_or_else(|| StoreError::NotFound {
        location: store.location().clone(),
        what: format!("the record `{tag}`, which is listed,"),
    })
}

/// The manifest under a tag, if it is the record that the tag says, and counts, and brings nothing else along.
pub async fn counted_manifest(
    store: &dyn Store,
    tag: &RecordTag,
    trusted: &TrustedKeys,
) -> Result<Option<Manifest>, StoreError> {
    let name = tag.to_tag();
    let manifest = listed_manifest(store, &name).await?;
    let bytes = manifest.children().into_iter().map(|child| child.size);
    let bytes = bytes.fold(0, u64::saturating_add);
    if bytes > tag.kind.max_bytes().saturating_add(Descriptor::empty().size) {
        return Ok(None);
    }
    let proof = prove(store, &manifest, &name, trusted).await?;
    let counts = matches!(proof, Proof::Holds(record) if is_named(tag, &record));
    Ok(counts.then_some(manifest))
}

/// What became of a record's proof.
enum Proof {
    /// Trusted keys say all of it.
    Holds(Box<VerifiedRecord>),
    /// It is a record, and others say it.
    Foreign(String),
    /// It is no record.
    Junk(String),
}

async fn prove(store: &dyn Store, manifest: &Manifest, tag: &Tag, trusted: &TrustedKeys) -> Result<Proof, StoreError> {
    let content = match Record::read(manifest) {
        Ok(content) => content,
        Err(error) => return Ok(Proof::Junk(error.to_string())),
    };
    let proven = match &content.envelopes {
        Envelopes::Inside(envelopes) => content.verify(&content.subject.digest, envelopes, trusted),
        Envelopes::Blobs(blobs) => match verify_blobs(store, &content, blobs, trusted).await {
            Ok(statements) => Ok(statements),
            Err(Stopped::Store(error)) => return Err(error),
            Err(Stopped::NoEnvelope(why)) => return Ok(Proof::Junk(why)),
            Err(Stopped::Unproven(error)) => Err(error),
        },
    };
    match proven {
        Ok(statements) => Ok(Proof::Holds(Box::new(VerifiedRecord {
            record: manifest.digest(),
            subject: content.subject,
            kind: content.kind,
            statements,
        }))),
        Err(error) if error.is_noise() => Ok(Proof::Foreign(error.to_string())),
        // A trusted key said something that can't be read here: it may be a failure or a rejection.
        Err(error) => Err(StoreError::Refused {
            location: store.location().clone(),
            action: format!("reading the record `{tag}`"),
            reason: error.to_string(),
        }),
    }
}

/// Why no further envelope of a record is fetched.
enum Stopped {
    Store(StoreError),
    NoEnvelope(String),
    Unproven(VerifyError),
}

/// Each envelope is proven before the next one is fetched: whoever is not trusted costs one of them.
async fn verify_blobs(
    store: &dyn Store,
    content: &RecordContent,
    blobs: &[Descriptor],
    trusted: &TrustedKeys,
) -> Result<Vec<Verified<Statement>>, Stopped> {
    let mut statements = Vec::new();
    for blob in blobs {
        let bytes = read_blob(store, blob, content.kind.max_bytes()).await;
        let envelope = Envelope::parse(bytes.map_err(Stopped::Store)?);
        let envelope = envelope.map_err(|error| Stopped::NoEnvelope(error.to_string()))?;
        let statement = content.verify_next(&statements, &envelope, trusted);
        statements.push(statement.map_err(Stopped::Unproven)?);
    }
    Ok(statements)
}

/// Records about one digest: those that count, and why others don't.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// They count.
    pub verified: Vec<VerifiedRecord>,
    /// They don't, and why.
    pub ignored: Vec<String>,
    /// Tags that do not hold what their name says: whoever moved one may have hidden a record that counts.
    pub doubtful: Vec<RecordTag>,
}

impl Records {
    fn add(&mut self, tag: RecordTag, manifest: &Manifest, proof: Proof) {
        let why = match proof {
            Proof::Holds(record) if is_named(&tag, &record) => return self.verified.push(*record),
            // Everybody may have keys of their own; this is what was written under the name.
            Proof::Foreign(why) if tag.names(&manifest.digest()) => {
                return self.ignored.push(format!("`{tag}` does not count: {why}"));
            }
            Proof::Holds(_) | Proof::Foreign(_) => "it holds another record than it says".to_owned(),
            Proof::Junk(why) => why,
        };
        self.ignored.push(format!("`{tag}` does not count: {why}"));
        self.doubtful.push(tag);
    }
}

/// Reads the records of some kinds about a digest: many manifests at once, envelopes in blobs one record after the other.
pub async fn records(
    store: &dyn Store,
    listing: &Listing,
    digest: &Digest,
    kinds: &[RecordKind],
    trusted: &TrustedKeys,
) -> Result<Records, StoreError> {
    let tags: Vec<&RecordTag> = kinds.iter().flat_map(|kind| listing.records(digest, *kind)).collect();
    refuse_too_many(store, digest, &tags)?;
    let fetch = |tag: &RecordTag| {
        let (tag, name) = (tag.clone(), tag.to_tag());
        async move {
            let manifest = listed_manifest(store, &name).await?;
            Ok::<_, StoreError>((tag, name, manifest))
        }
    };
    let mut manifests = stream::iter(tags.into_iter().map(fetch)).buffered(PARALLEL);
    let mut records = Records::default();
    while let Some(fetched) = manifests.next().await {
        let (tag, name, manifest) = fetched?;
        let proof = prove(store, &manifest, &name, trusted).await?;
        records.add(tag, &manifest, proof);
    }
    Ok(records)
}

/// Whether a record is the one that its tag says.
fn is_named(tag: &RecordTag, record: &VerifiedRecord) -> bool {
    tag.names(&record.digest()) && tag.kind == record.kind && tag.subject == record.subject.digest
}

fn refuse_too_many(store: &dyn Store, digest: &Digest, tags: &[&RecordTag]) -> Result<(), StoreError> {
    if tags.len() <= MAX_RECORDS {
        return Ok(());
    }
    let count = |kind: RecordKind| tags.iter().filter(|tag| tag.kind == kind).count();
    let most = RecordKind::ALL.into_iter().max_by_key(|kind| count(*kind));
    let named = most.map_or_else(String::new, |kind| RecordTag::pattern(digest, kind));
    Err(StoreError::Refused {
        location: store.location().clone(),
        action: format!("reading the records about {digest}"),
        reason: format!(
            "there are {}, over the limit of {MAX_RECORDS}: delete the tags `{named}` that none of yours wrote",
            tags.len()
        ),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::attest::predicate::Json;
    use crate::attest::{Algorithm, Predicate, SigningKey};
    use crate::image::{Target, media_type};
    use crate::project::Permission;
    use crate::store::Memory;

    fn store() -> Memory {
        Memory::new("registry.example.com/iam/idsvr".parse().unwrap())
    }

    fn image() -> Descriptor {
        Descriptor::new(media_type::OCI_MANIFEST, Digest::of(b"image"), 5)
    }

    fn keys() -> (SigningKey, TrustedKeys) {
        let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let mut trusted = TrustedKeys::default();
        trusted.insert(key.public_key(), "keys/test.pub", Permission::ALL);
        (key, trusted)
    }

    /// A record of one envelope, too large to travel inside.
    fn large(key: &SigningKey) -> Record {
        let json = Json::of(&"x".repeat(100_000)).unwrap();
        let statement = Statement::about("x", image().digest, Predicate::Sbom(json));
        Record::new(RecordKind::Sbom, &image(), &[Envelope::sign(&statement, key)])
    }

    async fn push(store: &Memory, manifest: &Manifest, blobs: &[(Descriptor, Bytes)], tag: &Tag) {
        for (blob, bytes) in blobs {
            store.push_blob(blob, bytes).await.unwrap();
        }
        store.push_manifest(manifest, &Target::from(tag)).await.unwrap();
    }

    async fn read(store: &Memory, kind: RecordKind, trusted: &TrustedKeys) -> Records {
        let listing = Listing::read(store).await.unwrap();
        records(store, &listing, &image().digest, &[kind], trusted)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_large_record_counts_and_a_strangers_costs_one_envelope() {
        let (store, (key, trusted), (stranger, _)) = (store(), keys(), keys());
        let good = large(&key);
        push(&store, good.manifest(), good.blobs(), &good.tag()).await;
        let foreign = large(&stranger);
        let junk = Bytes::from_static(b"no envelope");
        let mut image = foreign.manifest().image().unwrap().clone();
        image.layers.push(Descriptor::of(media_type::DSSE_ENVELOPE, &junk));
        let stuffed = Manifest::from_image(image);
        let mut blobs = foreign.blobs().to_vec();
        blobs.push((Descriptor::of(media_type::DSSE_ENVELOPE, &junk), junk));
        let tag = RecordTag::new(self::image().digest, RecordKind::Sbom, &stuffed.digest());
        push(&store, &stuffed, &blobs, &tag.to_tag()).await;
        let found = read(&store, RecordKind::Sbom, &trusted).await;
        assert_eq!(found.verified.len(), 1);
        assert_eq!(found.verified[0].digest(), good.manifest().digest());
        // The second envelope, which is none, was not looked at.
        assert!(
            found.ignored[0].contains("no key in `signing.trusted`"),
            "{:?}",
            found.ignored
        );
    }

    #[tokio::test]
    async fn what_is_not_what_its_tag_says_is_doubtful_and_a_strangers_record_is_not() {
        let (store, (key, trusted), (stranger, _)) = (store(), keys(), keys());
        let (own, foreign) = (large(&key), large(&stranger));
        push(&store, foreign.manifest(), foreign.blobs(), &foreign.tag()).await;
        let found = read(&store, RecordKind::Sbom, &trusted).await;
        assert_eq!((found.ignored.len(), found.doubtful.len()), (1, 0));
        push(&store, foreign.manifest(), foreign.blobs(), &own.tag()).await;
        let found = read(&store, RecordKind::Sbom, &trusted).await;
        assert_eq!(found.doubtful, [RecordTag::parse(&own.tag()).unwrap()]);
        let counted = |tag: Tag| RecordTag::parse(&tag).unwrap();
        let foreign = counted_manifest(&store, &counted(foreign.tag()), &trusted)
            .await
            .unwrap();
        assert_eq!(foreign, None);
        push(&store, own.manifest(), own.blobs(), &own.tag()).await;
        let found = counted_manifest(&store, &counted(own.tag()), &trusted).await.unwrap();
        assert_eq!(found.as_ref(), Some(own.manifest()));
    }

    #[tokio::test]
    async fn too_many_tags_are_named() {
        let (store, (key, trusted)) = (store(), keys());
        let record = large(&key);
        let hex = image().digest.hex();
        let tags = (0..=MAX_RECORDS).map(|n| format!("sha256-{hex}.iamship-tested-{n:016x}").parse().unwrap());
        let listing = Listing::new(tags.chain([record.tag()]));
        let kinds = [RecordKind::Tested];
        let refused = records(&store, &listing, &image().digest, &kinds, &trusted)
            .await
            .unwrap_err();
        let named = format!("`sha256-{hex}.iamship-tested-*`");
        assert!(refused.to_string().contains(&named), "{refused}");
    }
}
