//! How an image was made: SLSA provenance v1.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::uri;
use super::wire::Resource;
use crate::image::{Digest, Reference};

/// How an image was made, from what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct Provenance {
    /// `[project] name`
    pub project: String,
    /// The image's version.
    pub version: String,
    /// The server profile's name.
    pub server: String,
    /// What it was made on.
    pub base: Base,
    /// The commit; `None` outside git.
    pub source: Option<SourceCommit>,
    /// The inputs' hash, from which the version is derived.
    pub inputs: Digest,
    /// The version of iamship.
    pub builder_version: String,
    /// What a pipeline calls this run: usually a URL.
    pub invocation: Option<String>,
    /// When it began.
    pub started_on: Timestamp,
    /// When it ended.
    pub finished_on: Timestamp,
}

/// The base image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// As the project names it.
    pub reference: Reference,
    /// As the lock file pins it.
    pub digest: Digest,
}

/// Where the configuration came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCommit {
    /// The repository's URL without credentials; `None` where it has no remote.
    pub repository: Option<String>,
    /// The commit's id: 40 or 64 hexadecimal digits.
    pub commit: String,
    /// The commit's author, as git tells it: `Ada <ada@example.com>`.
    pub author: Option<String>,
    /// Whether files differed from the commit.
    pub dirty: bool,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    build_definition: BuildDefinition,
    run_details: RunDetails,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition {
    build_type: String,
    external_parameters: External,
    #[serde(default)]
    internal_parameters: Internal,
    #[serde(default)]
    resolved_dependencies: Vec<Resource>,
}

#[derive(Clone, Serialize, Deserialize)]
struct External {
    project: String,
    version: String,
    server: String,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Internal {
    /// Whether the working copy differed from the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dirty: Option<bool>,
    /// The commit's author: in the log of a clone, not in the commit's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    author: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct RunDetails {
    builder: Builder,
    metadata: Metadata,
}

#[derive(Clone, Serialize, Deserialize)]
struct Builder {
    id: String,
    #[serde(default)]
    version: BTreeMap<String, String>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    // cosign's own writer spells it `invocationID`.
    #[serde(default, alias = "invocationID", skip_serializing_if = "Option::is_none")]
    invocation_id: Option<String>,
    started_on: Timestamp,
    finished_on: Timestamp,
}

const COMMIT: &str = "gitCommit";

impl From<Provenance> for Wire {
    fn from(provenance: Provenance) -> Self {
        let mut base = Resource::named("base").with_digest(&provenance.base.digest);
        base.uri = Some(provenance.base.reference.to_string());
        let source = provenance.source.as_ref().map(|source| Resource {
            uri: source.repository.as_ref().map(|url| format!("git+{url}")),
            digest: BTreeMap::from([(COMMIT.to_owned(), source.commit.clone())]),
            ..Resource::named("source")
        });
        let inputs = Resource::named("inputs").with_digest(&provenance.inputs);
        Self {
            build_definition: BuildDefinition {
                build_type: uri::BUILD_TYPE.to_owned(),
                external_parameters: External {
                    project: provenance.project,
                    version: provenance.version,
                    server: provenance.server,
                },
                internal_parameters: Internal {
                    dirty: provenance.source.as_ref().map(|source| source.dirty),
                    author: provenance.source.and_then(|source| source.author),
                },
                resolved_dependencies: [Some(base), source, Some(inputs)].into_iter().flatten().collect(),
            },
            run_details: RunDetails {
                builder: Builder {
                    id: uri::TOOL.to_owned(),
                    version: BTreeMap::from([("iamship".to_owned(), provenance.builder_version)]),
                },
                metadata: Metadata {
                    invocation_id: provenance.invocation,
                    started_on: provenance.started_on,
                    finished_on: provenance.finished_on,
                },
            },
        }
    }
}

impl TryFrom<Wire> for Provenance {
    type Error = String;

    fn try_from(wire: Wire) -> Result<Self, String> {
        let definition = wire.build_definition;
        if definition.build_type != uri::BUILD_TYPE {
            return Err(format!("built by `{}`, not by iamship", definition.build_type));
        }
        let dependency = |name: &str| {
            let mut all = definition.resolved_dependencies.iter();
            all.find(|resource| resource.name.as_deref() == Some(name))
        };
        let base = dependency("base").ok_or("no base in resolvedDependencies")?;
        let reference = base.uri.as_deref().ok_or("the base has no uri")?;
        let source = dependency("source").map(|source| {
            let commit = source.digest.get(COMMIT).ok_or("the source has no gitCommit")?;
            Ok::<_, String>(SourceCommit {
                repository: source
                    .uri
                    .as_deref()
                    .map(|uri| uri.strip_prefix("git+").unwrap_or(uri).to_owned()),
                commit: commit.clone(),
                author: definition.internal_parameters.author.clone(),
                dirty: definition.internal_parameters.dirty.unwrap_or_default(),
            })
        });
        let metadata = wire.run_details.metadata;
        Ok(Self {
            base: Base {
                reference: reference.parse().map_err(|error| format!("the base: {error}"))?,
                digest: base.sha256().ok_or("the base has no sha256")?,
            },
            source: source.transpose()?,
            inputs: dependency("inputs")
                .and_then(Resource::sha256)
                .ok_or("no hash of the inputs")?,
            project: definition.external_parameters.project,
            version: definition.external_parameters.version,
            server: definition.external_parameters.server,
            builder_version: wire
                .run_details
                .builder
                .version
                .get("iamship")
                .cloned()
                .unwrap_or_default(),
            invocation: metadata.invocation_id,
            started_on: metadata.started_on,
            finished_on: metadata.finished_on,
        })
    }
}
