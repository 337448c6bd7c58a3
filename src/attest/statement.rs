//! in-toto statements: what is said of which digests (in-toto attestation spec, *Statement* v1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::predicate::{
    Approval, Json, Parameters, Promotion, PromotionKind, Provenance, Rejection, Summary, TestResult, uri,
};
use crate::image::Digest;
use crate::project::Permission;

const V1: &str = "https://in-toto.io/Statement/v1";
/// What cosign 2 writes.
const V0_1: &str = "https://in-toto.io/Statement/v0.1";
/// An image and its platforms are a handful.
const MAX_SUBJECTS: usize = 1024;

/// What is said of which digests.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What it is about. Those that have no SHA-256 digest are not kept.
    pub subjects: Vec<Subject>,
    /// What it says.
    pub predicate: Predicate,
}

/// One digest that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Where the author saw it; nobody checks that.
    pub name: String,
    /// What it is.
    pub digest: Digest,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// How the image was made.
    Provenance(Provenance),
    /// What the image needs from a stage.
    Parameters(Parameters),
    /// What is in the configuration: CycloneDX.
    Sbom(Json),
    /// A suite ran on it in a stage.
    TestResult(TestResult),
    /// It was moved to a stage.
    Promotion(Promotion),
    /// The same for general verifiers: a SLSA verification summary.
    Summary(Summary),
    /// Somebody wants it.
    Approval(Approval),
    /// Somebody doesn't.
    Rejection(Rejection),
    /// Anything else, and what has a known type in a foreign shape.
    Other {
        /// The predicate's type, as written.
        predicate_type: String,
        /// The predicate, as written.
        predicate: Json,
    },
}

/// One kind of predicate, for [`super::Verified::of`]. Only this module's kinds are.
pub trait PredicateBody: Clone + sealed::Sealed {
    /// The predicate's content, if it is of this kind.
    fn from_predicate(predicate: &Predicate) -> Option<&Self>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! bodies {
    ($($variant:ident($body:ty)),+) => { $(
        impl sealed::Sealed for $body {}
        impl PredicateBody for $body {
            fn from_predicate(predicate: &Predicate) -> Option<&Self> {
                match predicate {
                    Predicate::$variant(body) => Some(body),
                    _ => None,
                }
            }
        }
    )+ };
}

bodies!(
    Provenance(Provenance),
    Parameters(Parameters),
    Sbom(Json),
    TestResult(TestResult),
    Promotion(Promotion),
    Summary(Summary),
    Approval(Approval),
    Rejection(Rejection)
);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Writing<'a, P> {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: Vec<WrittenSubject>,
    predicate_type: &'a str,
    predicate: &'a P,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reading {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(default)]
    subject: Vec<WrittenSubject>,
    predicate_type: String,
    predicate: Option<Box<RawValue>>,
}

#[derive(Serialize, Deserialize)]
struct WrittenSubject {
    #[serde(default)]
    name: String,
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

impl Statement {
    /// Says something of one digest. `name` is where it is: `registry.example.com/iam/idsvr`.
    pub fn about(name: impl Into<String>, digest: Digest, predicate: Predicate) -> Self {
        let name = name.into();
        Self {
            subjects: vec![Subject { name, digest }],
            predicate,
        }
    }

    /// Compact JSON, the same each time.
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = match &self.predicate {
            Predicate::Provenance(predicate) => self.write(predicate),
            Predicate::Parameters(predicate) => self.write(predicate),
            Predicate::Sbom(predicate) | Predicate::Other { predicate, .. } => self.write(predicate),
            Predicate::TestResult(predicate) => self.write(predicate),
            Predicate::Promotion(predicate) => self.write(predicate),
            Predicate::Summary(predicate) => self.write(predicate),
            Predicate::Approval(predicate) => self.write(predicate),
            Predicate::Rejection(predicate) => self.write(predicate),
        };
        #[expect(
            clippy::expect_used,
            reason = "strings, numbers and maps with string keys always serialise"
        )]
        json.expect("statement serialises")
    }

    fn write(&self, predicate: &impl Serialize) -> serde_json::Result<Vec<u8>> {
        let subject = self.subjects.iter().map(|subject| WrittenSubject {
            name: subject.name.clone(),
            digest: BTreeMap::from([("sha256".to_owned(), subject.digest.hex())]),
        });
        serde_json::to_vec(&Writing {
            kind: V1,
            subject: subject.collect(),
            predicate_type: self.predicate.predicate_type(),
            predicate,
        })
    }

    /// Reads a statement, v1 or v0.1. Unknown fields are passed over.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let reading: Reading = serde_json::from_slice(bytes)?;
        if reading.kind != V1 && reading.kind != V0_1 {
            return Err(StatementError::Type(reading.kind));
        }
        if reading.subject.len() > MAX_SUBJECTS {
            return Err(StatementError::TooManySubjects(reading.subject.len()));
        }
        let subjects = reading.subject.into_iter().filter_map(|subject| {
            let digest = Digest::from_hex(subject.digest.get("sha256")?).ok()?;
            Some(Subject {
                name: subject.name,
                digest,
            })
        });
        Ok(Self {
            subjects: subjects.collect(),
            predicate: Predicate::read(reading.predicate_type, reading.predicate)?,
        })
    }

    /// Whether this digest is one of the subjects.
    pub fn is_about(&self, digest: &Digest) -> bool {
        self.subjects.iter().any(|subject| subject.digest == *digest)
    }
}

impl Predicate {
    fn read(predicate_type: String, predicate: Option<Box<RawValue>>) -> Result<Self, StatementError> {
        let json = Json::from_raw(predicate);
        let own = match predicate_type.as_str() {
            uri::PARAMETERS => json.read().map(Self::Parameters),
            uri::PROMOTION => json.read().map(Self::Promotion),
            uri::APPROVAL => json.read().map(Self::Approval),
            uri::REJECTION => json.read().map(Self::Rejection),
            uri::PROVENANCE => json.read().map(Self::Provenance),
            uri::TEST_RESULT => json.read().map(Self::TestResult),
            uri::SUMMARY => json.read().map(Self::Summary),
            text if is_cyclonedx(text) => return Ok(Self::Sbom(json)),
            _ => {
                return Ok(Self::Other {
                    predicate_type,
                    predicate: json,
                });
            }
        };
        match own {
            Ok(predicate) => Ok(predicate),
            // A provenance of another builder is no error. But one that is meant for iamship and can't be read must
            // not pass as "nothing was said": it might be a failed test.
            Err(_) if !predicate_type.starts_with(uri::OURS) && !json.as_str().contains(uri::OURS) => Ok(Self::Other {
                predicate_type,
                predicate: json,
            }),
            Err(error) => Err(StatementError::Predicate { predicate_type, error }),
        }
    }

    /// The predicate's type: a URI.
    pub fn predicate_type(&self) -> &str {
        match self {
            Self::Provenance(_) => uri::PROVENANCE,
            Self::Parameters(_) => uri::PARAMETERS,
            Self::Sbom(_) => uri::CYCLONEDX,
            Self::TestResult(_) => uri::TEST_RESULT,
            Self::Promotion(_) => uri::PROMOTION,
            Self::Summary(_) => uri::SUMMARY,
            Self::Approval(_) => uri::APPROVAL,
            Self::Rejection(_) => uri::REJECTION,
            Self::Other { predicate_type, .. } => predicate_type,
        }
    }

    /// What a signer must be allowed to say for this to count. By the type, whatever its shape; nothing for unknown types.
    ///
    /// A build lets its image enter the first stage: whoever may build may say that. That it is the first stage is
    /// for the reader of histories to see.
    pub fn permission(&self) -> Option<Permission> {
        match self.predicate_type() {
            _ if matches!(self, Self::Promotion(promotion) if promotion.kind == PromotionKind::Enter) => {
                Some(Permission::Build)
            }
            uri::PROVENANCE | uri::PARAMETERS => Some(Permission::Build),
            uri::TEST_RESULT => Some(Permission::Test),
            uri::PROMOTION | uri::SUMMARY => Some(Permission::Promote),
            uri::APPROVAL | uri::REJECTION => Some(Permission::Approve),
            text if is_cyclonedx(text) => Some(Permission::Build),
            _ => None,
        }
    }
}

fn is_cyclonedx(predicate_type: &str) -> bool {
    predicate_type
        .strip_prefix(uri::CYCLONEDX)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A payload that is no statement iamship can rely on.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The envelope holds something else.
    #[error("`{0}` is not an in-toto statement")]
    PayloadType(String),
    /// Another `_type`.
    #[error("`{0}` is not a version of in-toto statements that iamship reads")]
    Type(String),
    /// Over the limit.
    #[error("a statement about {0} subjects; the limit is {MAX_SUBJECTS}")]
    TooManySubjects(usize),
    /// Not the JSON of a statement.
    #[error("not an in-toto statement: {0}")]
    Json(#[from] serde_json::Error),
    /// A predicate meant for iamship that it can't read.
    #[error("the predicate `{predicate_type}` can't be read: {error}")]
    Predicate {
        /// Its type.
        predicate_type: String,
        /// What is wrong.
        error: serde_json::Error,
    },
}

#[cfg(test)]
mod tests;
