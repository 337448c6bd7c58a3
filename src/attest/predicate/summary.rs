//! A promotion as general verifiers read it: SLSA verification summary v1.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::uri;
use super::wire::sha256;
use crate::image::Digest;

/// A verifier judged a digest against a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct Summary {
    /// Who judged: [`uri::TOOL`], or another verifier's URI.
    pub verifier: String,
    /// The version of iamship.
    pub version: String,
    /// When.
    pub at: Timestamp,
    /// What it may be used as: the stage's repository, `oci://registry.example.com/iam/idsvr`.
    pub resource: String,
    /// Against which rules.
    pub policy: SummaryPolicy,
    /// All the statements that it relied on.
    pub inputs: Vec<InputAttestation>,
    /// The answer.
    pub result: SummaryResult,
    /// `SLSA_BUILD_LEVEL_1`, `IAMSHIP_STAGE_STAGING`.
    pub levels: Vec<String>,
}

/// The rules of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryPolicy {
    /// What they are called.
    pub uri: String,
    /// Their hash.
    pub digest: Digest,
}

/// A statement that was relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputAttestation {
    /// Where it was.
    pub uri: String,
    /// The envelope's digest.
    pub digest: Digest,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SummaryResult {
    /// Yes.
    Passed,
    /// No.
    Failed,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    verifier: Verifier,
    time_verified: Timestamp,
    resource_uri: String,
    policy: Pointer,
    #[serde(default)]
    input_attestations: Vec<Pointer>,
    verification_result: SummaryResult,
    verified_levels: Vec<String>,
    #[serde(default)]
    slsa_version: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Verifier {
    id: String,
    #[serde(default)]
    version: BTreeMap<String, String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Pointer {
    #[serde(default)]
    uri: String,
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

impl Pointer {
    fn sha256(&self) -> Result<Digest, String> {
        let hex = self.digest.get("sha256").ok_or("no sha256 digest")?;
        Digest::from_hex(hex).map_err(|error| error.to_string())
    }
}

impl From<Summary> for Wire {
    fn from(summary: Summary) -> Self {
        let pointer = |uri: String, digest: Digest| Pointer {
            uri,
            digest: sha256(&digest),
        };
        Self {
            verifier: Verifier {
                id: summary.verifier,
                version: BTreeMap::from([("iamship".to_owned(), summary.version)]),
            },
            time_verified: summary.at,
            resource_uri: summary.resource,
            policy: pointer(summary.policy.uri, summary.policy.digest),
            input_attestations: summary
                .inputs
                .into_iter()
                .map(|input| pointer(input.uri, input.digest))
                .collect(),
            verification_result: summary.result,
            verified_levels: summary.levels,
            slsa_version: "1.1".to_owned(),
        }
    }
}

impl TryFrom<Wire> for Summary {
    type Error = String;

    fn try_from(wire: Wire) -> Result<Self, String> {
        let inputs = wire.input_attestations.into_iter().map(|input| {
            Ok::<_, String>(InputAttestation {
                digest: input.sha256()?,
                uri: input.uri,
            })
        });
        Ok(Self {
            verifier: wire.verifier.id,
            version: wire.verifier.version.get("iamship").cloned().unwrap_or_default(),
            at: wire.time_verified,
            resource: wire.resource_uri,
            policy: SummaryPolicy {
                digest: wire.policy.sha256()?,
                uri: wire.policy.uri,
            },
            inputs: inputs.collect::<Result<_, _>>()?,
            result: wire.verification_result,
            levels: wire.verified_levels,
        })
    }
}

impl Summary {
    /// Whether iamship judged.
    pub fn is_ours(&self) -> bool {
        self.verifier == uri::TOOL
    }
}
