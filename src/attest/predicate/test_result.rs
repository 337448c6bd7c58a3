//! A suite ran on a digest in a stage: in-toto test result v0.1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire::Resource;
use crate::image::Digest;
use crate::project::StageName;
use crate::values::{Fingerprint, SecretsHashed};

/// A suite ran on a digest in a stage, with the stage's values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct TestResult {
    /// What came out.
    pub outcome: Outcome,
    /// Where.
    pub stage: StageName,
    /// Hash of what the project says of the stage; `None` where the author had no project.
    pub stage_definition: Option<Digest>,
    /// Which suite.
    pub suite: String,
    /// Of the stage's values: with other values, the result is stale.
    pub values: Fingerprint,
    /// What was looked at, in order.
    pub checks: Vec<CheckOutcome>,
    /// When it ended: the newest result of a suite counts.
    pub at: Timestamp,
    /// Who ran it: a user or a pipeline, as it calls itself.
    pub by: String,
    /// Where to read more.
    pub url: Option<String>,
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// Good.
    Passed,
    /// Good enough, as the suite sees it.
    Warned,
    /// Bad.
    Failed,
}

/// One check of a suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckOutcome {
    /// Its name.
    pub name: String,
    /// What came out.
    pub result: Outcome,
    /// In words; never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    result: Outcome,
    configuration: Vec<Resource>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default)]
    passed_tests: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    warned_tests: Vec<String>,
    #[serde(default)]
    failed_tests: Vec<String>,
    // The specification lets producers add fields that are named by URIs.
    #[serde(rename = "https://iamship.dev/test/run/v1")]
    run: Run,
}

/// What the standard has no place for.
#[derive(Clone, Serialize, Deserialize)]
struct Run {
    at: Timestamp,
    #[serde(default)]
    by: String,
    /// How secrets went into the fingerprint.
    secrets: SecretsHashed,
    /// The name of the key that hashed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default)]
    checks: Vec<CheckOutcome>,
}

const STAGE: &str = "stage/";
const SUITE: &str = "suite/";
const VALUES: &str = "values";

impl From<TestResult> for Wire {
    fn from(test: TestResult) -> Self {
        let names = |outcome| {
            let with = test.checks.iter().filter(move |check| check.result == outcome);
            with.map(|check| check.name.clone()).collect()
        };
        let described = |prefix: &str, name: &str, digest: Option<&Digest>| {
            let resource = Resource::named(format!("{prefix}{name}"));
            match digest {
                Some(digest) => resource.with_digest(digest),
                None => Resource {
                    content: Some(STANDARD.encode(name)),
                    ..resource
                },
            }
        };
        Self {
            result: test.outcome,
            configuration: vec![
                described(STAGE, test.stage.as_str(), test.stage_definition.as_ref()),
                described(SUITE, &test.suite, None),
                Resource::named(VALUES).with_digest(&test.values.digest),
            ],
            passed_tests: names(Outcome::Passed),
            warned_tests: names(Outcome::Warned),
            failed_tests: names(Outcome::Failed),
            url: test.url,
            run: Run {
                at: test.at,
                by: test.by,
                secrets: test.values.secrets,
                key: test.values.key,
                checks: test.checks,
            },
        }
    }
}

impl TryFrom<Wire> for TestResult {
    type Error = String;

    fn try_from(wire: Wire) -> Result<Self, String> {
        let one = |prefix: &str| {
            let mut found = wire
                .configuration
                .iter()
                .filter_map(|resource| Some((resource.name.as_deref()?.strip_prefix(prefix)?, resource)));
            match (found.next(), found.next()) {
                (Some(only), None) => Ok(only),
                _ => Err(format!("not exactly one `{prefix}` in configuration")),
            }
        };
        let (stage, definition) = one(STAGE)?;
        let (suite, _) = one(SUITE)?;
        let (rest, values) = one(VALUES)?;
        if !rest.is_empty() {
            return Err(format!("`{VALUES}{rest}` in configuration"));
        }
        Ok(Self {
            outcome: wire.result,
            stage: stage.parse().map_err(|error| format!("{error}"))?,
            stage_definition: definition.sha256(),
            suite: suite.to_owned(),
            values: Fingerprint {
                digest: values.sha256().ok_or("the values have no fingerprint")?,
                secrets: wire.run.secrets,
                key: wire.run.key,
            },
            checks: wire.run.checks,
            at: wire.run.at,
            by: wire.run.by,
            url: wire.url,
        })
    }
}
