//! The ledger's unit: all statements of one act in one immutable manifest, so that no half of them can be there.
//!
//! Small envelopes travel inside the manifest, as annotations, so reading a record is one request and writing it another.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Envelope, EnvelopeError, HistoryTag, MAX_ENVELOPE_BYTES, Predicate, RecordTag, Statement, TrustedKeys, Verified,
    VerifyError,
};
use crate::image::{Descriptor, Digest, ImageManifest, Manifest, Tag, media_type};
use crate::project::StageName;

/// Which act: a hint, the statements say what it was.
const KIND: &str = "dev.iamship.kind";
/// Followed by the envelope's number.
const ENVELOPE: &str = "dev.iamship.envelope.";
/// More than this goes into blobs: registries bound manifests (4 MiB), and listings would get slow.
const MAX_INSIDE_BYTES: usize = 64 << 10;
/// As many as one test may have suites.
const MAX_ENVELOPES: usize = 32;

/// An act that statements are recorded of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// Provenance and parameters.
    Built,
    /// A CycloneDX document.
    Sbom,
    /// Test results: one a suite.
    Tested,
    /// A promotion and its summary.
    Promoted,
    /// An approval.
    Approved,
    /// A rejection.
    Rejected,
}

impl RecordKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Built,
        Self::Sbom,
        Self::Tested,
        Self::Promoted,
        Self::Approved,
        Self::Rejected,
    ];

    /// The word in tags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Sbom => "sbom",
            Self::Tested => "tested",
            Self::Promoted => "promoted",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    /// How many bytes the envelopes of such a record may have together: an SBOM names every client, a contract every
    /// parameter, and all else is small. What is larger is not written, and not read either.
    pub fn max_bytes(self) -> u64 {
        match self {
            Self::Sbom => MAX_ENVELOPE_BYTES as u64,
            Self::Built => 16 << 20,
            Self::Tested | Self::Promoted | Self::Approved | Self::Rejected => 1 << 20,
        }
    }

    /// Whether such a record is the place for such a statement: in another one it does not count.
    pub fn carries(self, predicate: &Predicate) -> bool {
        matches!(
            (self, predicate),
            (Self::Built, Predicate::Provenance(_) | Predicate::Parameters(_))
                | (Self::Sbom, Predicate::Sbom(_))
                | (Self::Tested, Predicate::TestResult(_))
                | (Self::Promoted, Predicate::Promotion(_) | Predicate::Summary(_))
                | (Self::Approved, Predicate::Approval(_))
                | (Self::Rejected, Predicate::Rejection(_))
        )
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for RecordKind {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| RecordError::Kind(text.chars().take(40).collect()))
    }
}

/// A record to write. The same envelopes give the same manifest, so writing it twice is writing it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    kind: RecordKind,
    subject: Descriptor,
    manifest: Manifest,
    blobs: Vec<(Descriptor, Bytes)>,
}

impl Record {
    /// Packs the statements of one act about `subject`: the image's manifest or index.
    pub fn new(kind: RecordKind, subject: &Descriptor, envelopes: &[Envelope]) -> Self {
        // Hints around the subject (platform, annotations) would make another record of the same act.
        let subject = Descriptor::new(&subject.media_type, subject.digest, subject.size);
        let mut annotations = BTreeMap::from([(KIND.to_owned(), kind.to_string())]);
        let mut blobs = vec![(Descriptor::empty(), Bytes::from_static(b"{}"))];
        let mut layers = vec![Descriptor::empty()];
        let texts: Option<Vec<&str>> = envelopes
            .iter()
            .map(|envelope| std::str::from_utf8(envelope.bytes()).ok())
            .collect();
        let total: usize = envelopes.iter().map(|envelope| envelope.bytes().len()).sum();
        match texts.filter(|_| total <= MAX_INSIDE_BYTES) {
            Some(texts) => {
                let numbered = texts.iter().enumerate();
                annotations.extend(numbered.map(|(number, text)| (format!("{ENVELOPE}{number}"), (*text).to_owned())));
            }
            None => {
                layers.clear();
                for envelope in envelopes {
                    let layer = Descriptor::of(media_type::DSSE_ENVELOPE, envelope.bytes());
                    layers.push(layer.clone());
                    blobs.push((layer, envelope.bytes().clone()));
                }
            }
        }
        let manifest = Manifest::from_image(ImageManifest {
            schema_version: 2,
            media_type: None,
            artifact_type: Some(media_type::RECORD.to_owned()),
            config: Descriptor::empty(),
            layers,
            subject: Some(subject.clone()),
            annotations,
        });
        Self {
            kind,
            subject,
            manifest,
            blobs,
        }
    }

    /// Which act.
    pub fn kind(&self) -> RecordKind {
        self.kind
    }

    /// The manifest to push under [`Self::tag`].
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What must be there before: the empty blob, and envelopes that are too large to travel inside.
    pub fn blobs(&self) -> &[(Descriptor, Bytes)] {
        &self.blobs
    }

    /// Whether it can be read again.
    pub fn check_size(&self) -> Result<(), RecordError> {
        let own = self
            .blobs
            .iter()
            .filter(|(blob, _)| blob.media_type == media_type::DSSE_ENVELOPE);
        let bytes = own.fold(0_u64, |bytes, (blob, _)| bytes.saturating_add(blob.size));
        match bytes > self.kind.max_bytes() {
            true => Err(RecordError::TooLarge { kind: self.kind, bytes }),
            false => Ok(()),
        }
    }

    /// The tag that keeps it from being collected, and lists it where there is no referrers API.
    pub fn tag(&self) -> Tag {
        RecordTag::new(self.subject.digest, self.kind, &self.manifest.digest()).to_tag()
    }

    /// The second tag of a promotion, by which a stage's history is one listing.
    pub fn history_tag(&self, stage: &StageName, at: Timestamp) -> Tag {
        HistoryTag::new(stage, at, &self.manifest.digest()).to_tag()
    }

    /// Reads a record's manifest. Nothing in it is proven.
    pub fn read(manifest: &Manifest) -> Result<RecordContent, RecordError> {
        let image = manifest.image().ok_or(RecordError::NotARecord)?;
        if image.artifact_type.as_deref() != Some(media_type::RECORD) {
            return Err(RecordError::NotARecord);
        }
        let subject = image.subject.clone().ok_or(RecordError::NoSubject)?;
        let kind: RecordKind = image.annotations.get(KIND).ok_or(RecordError::NotARecord)?.parse()?;
        let inside = image.annotations.keys().filter(|key| key.starts_with(ENVELOPE)).count();
        let layers = || {
            image
                .layers
                .iter()
                .filter(|layer| layer.media_type == media_type::DSSE_ENVELOPE)
        };
        let count = inside + layers().count();
        if count == 0 || count > MAX_ENVELOPES {
            return Err(RecordError::Count(count));
        }
        if inside == 0 {
            let bytes = layers().fold(0_u64, |bytes, layer| bytes.saturating_add(layer.size));
            if bytes > kind.max_bytes() {
                return Err(RecordError::TooLarge { kind, bytes });
            }
            let envelopes = Envelopes::Blobs(layers().cloned().collect());
            return Ok(RecordContent {
                kind,
                subject,
                envelopes,
            });
        }
        let envelope = |number| {
            let text = image.annotations.get(&format!("{ENVELOPE}{number}"));
            Ok(Envelope::parse(text.ok_or(RecordError::Count(count))?.clone())?)
        };
        // A mix of both forms is nothing that iamship writes: the count no longer fits the numbers then.
        let envelopes = (0..count).map(envelope).collect::<Result<_, RecordError>>()?;
        Ok(RecordContent {
            kind,
            subject,
            envelopes: Envelopes::Inside(envelopes),
        })
    }
}

/// What a record's manifest holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordContent {
    /// As it calls itself.
    pub kind: RecordKind,
    /// As it says; the statements must say so too.
    pub subject: Descriptor,
    /// The statements.
    pub envelopes: Envelopes,
}

impl RecordContent {
    /// Proves a record about `subject`. It counts whole or not at all: each statement must be trusted, about the
    /// subject, of the record's kind, and the only one of its type (of test results: of its suite). `envelopes` are those inside, or the blobs' content.
    pub fn verify(
        &self,
        subject: &Digest,
        envelopes: &[Envelope],
        trusted: &TrustedKeys,
    ) -> Result<Vec<Verified<Statement>>, VerifyError> {
        if self.subject.digest != *subject {
            return Err(VerifyError::OtherSubject(*subject));
        }
        let mut statements: Vec<Verified<Statement>> = Vec::new();
        for envelope in envelopes {
            let statement = self.verify_next(&statements, envelope, trusted)?;
            statements.push(statement);
        }
        if statements.is_empty() {
            return Err(VerifyError::Untrusted);
        }
        Ok(statements)
    }

    /// Proves one more envelope of a record after those `before` it: of a large record, each is proven before the next
    /// one is fetched. The record counts when all do.
    pub fn verify_next(
        &self,
        before: &[Verified<Statement>],
        envelope: &Envelope,
        trusted: &TrustedKeys,
    ) -> Result<Verified<Statement>, VerifyError> {
        let statement = trusted.verify(envelope, &self.subject.digest)?;
        let twice = before
            .iter()
            .any(|other| is_same(&other.predicate, &statement.predicate));
        if twice || !self.kind.carries(&statement.predicate) {
            return Err(VerifyError::Misplaced {
                predicate_type: statement.predicate.predicate_type().to_owned(),
                kind: self.kind,
            });
        }
        Ok(statement)
    }
}

/// Whether one record can't say both: two of a type, or two results of one suite.
fn is_same(one: &Predicate, other: &Predicate) -> bool {
    match (one, other) {
        (Predicate::TestResult(one), Predicate::TestResult(other)) => {
            (&one.stage, &one.suite) == (&other.stage, &other.suite)
        }
        _ => one.predicate_type() == other.predicate_type(),
    }
}

/// Where a record's envelopes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Envelopes {
    /// In the manifest.
    Inside(Vec<Envelope>),
    /// In blobs, to fetch and [`Envelope::parse`].
    Blobs(Vec<Descriptor>),
}

/// A manifest that is no record iamship can read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Another kind of artifact.
    #[error("not a record of iamship")]
    NotARecord,
    /// About nothing.
    #[error("the record has no subject")]
    NoSubject,
    /// A kind of a later version, or junk.
    #[error("`{0}` is not a kind of record that this version knows")]
    Kind(String),
    /// None, too many, or their numbers have gaps.
    #[error("the record holds {0} envelopes, or their numbers have gaps; 1 to {MAX_ENVELOPES} are allowed")]
    Count(usize),
    /// Its envelopes.
    #[error("the record's envelopes have {bytes} bytes; the limit for the kind `{kind}` is {}", .kind.max_bytes())]
    TooLarge {
        /// Which act.
        kind: RecordKind,
        /// All of them together.
        bytes: u64,
    },
    /// What it holds is no envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

#[cfg(test)]
mod tests;
