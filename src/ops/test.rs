//! `test` and `attest tested`: what happened to a digest in a stage, signed.

use std::io::Cursor;

use jiff::{Timestamp, ToSpan as _};
use secrecy::ExposeSecret as _;

use super::inputs::{self, StageReading};
use super::promote::{current, value_problems};
use super::record::write_record;
use super::view::{self, View, digest_of, ledger_location, required_manifest};
use super::{Context, OpsError, junit};
use crate::attest::predicate::{CheckOutcome, Outcome, TestResult};
use crate::attest::{Predicate, Record, RecordKind, Statement};
use crate::bundle::Bundle;
use crate::checks::{self, StageInput};
use crate::diagnostic::{Diagnostic, Source};
use crate::image::{Digest, LayerBounds, Manifest, config_layer, read_layer_files};
use crate::project::{Permission, Project, Stage, check_suite_name};
use crate::promotion::TestFacts;
use crate::store::read_blob;
use crate::values::{Contract, fingerprint};

/// The largest compressed configuration layer that is read: 256 MiB.
const MAX_LAYER_BYTES: u64 = 256 << 20;
/// How many findings a check's detail names.
const MAX_DETAILS: usize = 20;

/// What a suite found.
pub struct Report {
    /// The image.
    pub digest: Digest,
    /// The suite.
    pub suite: String,
    /// What was looked at, in order.
    pub checks: Vec<CheckOutcome>,
    /// How it ended.
    pub outcome: Outcome,
    /// Where to read more.
    pub url: Option<String>,
    subject: Manifest,
    contract: Contract,
    reading: StageReading,
    /// When the newest result of the suite, if there is one, was told.
    newest: Option<Timestamp>,
}

impl Report {
    /// Whether it passed.
    pub fn passed(&self) -> bool {
        self.outcome != Outcome::Failed
    }
}

/// A digest in a stage, its contract and the stage's values.
struct Subject<'p> {
    stage: &'p Stage,
    view: View,
    manifest: Manifest,
    contract: Contract,
    reading: StageReading,
    /// The newest result of each suite so far.
    tests: Vec<TestFacts>,
}

impl Subject<'_> {
    fn newest(&self, suite: &str) -> Option<Timestamp> {
        self.tests
            .iter()
            .find(|facts| facts.suite == suite)
            .map(|facts| facts.at)
    }
}

/// The digest that is meant (what the stage runs when none is named), with its signed contract.
async fn subject<'p>(context: &Context<'p>, stage: &str, digest: Option<&str>) -> Result<Subject<'p>, OpsError> {
    let stage = view::stage(context, stage)?;
    context.require_trust()?;
    let location = ledger_location(stage);
    let (mut views, now, reading) = futures::try_join!(
        view::views(context, [location]),
        current(context, stage),
        inputs::stage(context, stage),
    )?;
    reading.require_whole()?;
    let Some(view) = views.remove(location) else {
        return Err(OpsError::world(format!("`{location}` was not listed")));
    };
    let manifest = match (digest, now) {
        (Some(text), _) => required_manifest(&*view.store, digest_of(&view, text).await?).await?,
        (None, Some(manifest)) => manifest,
        (None, None) => return Err(nothing_there(context, stage)),
    };
    let candidate = view.ledger(context).candidate(manifest.digest(), &stage.name).await?;
    let contract = candidate.contract.ok_or_else(|| {
        let why = candidate
            .ignored
            .first()
            .map(|why| format!(" ({why})"))
            .unwrap_or_default();
        OpsError::input(format!(
            "no trusted key says which parameters {} needs{why}",
            manifest.digest()
        ))
        .help(format!("iamship verify {}", manifest.digest()))
    })?;
    Ok(Subject {
        stage,
        view,
        manifest,
        contract,
        reading,
        tests: candidate.tests,
    })
}

pub(super) fn nothing_there(context: &Context<'_>, stage: &Stage) -> OpsError {
    let failure = OpsError::input(format!("`{}` runs nothing yet", stage.name));
    match context.project.position(&stage.name) {
        Some(0) | None => failure.help("iamship build"),
        Some(position) => {
            let before = &context.project.stages[position - 1].name;
            failure.help(format!("iamship promote {before} {}", stage.name))
        }
    }
}

/// Runs the stage's own suite: resolves the digest's whole configuration with the stage's values, as the server would.
/// Records nothing.
pub async fn run(context: &Context<'_>, stage: &str, digest: Option<&str>) -> Result<Report, OpsError> {
    let subject = subject(context, stage, digest).await?;
    let short = subject.manifest.digest().short();
    context.step(format!("testing {short} with the values of `{}`", subject.stage.name));
    let files = read_configuration(context, &subject).await?;
    let checks = static_checks(context, &subject, files)?;
    let failed = checks.iter().any(|check| check.result == Outcome::Failed);
    Ok(Report {
        digest: subject.manifest.digest(),
        suite: subject.stage.test.suites[0].clone(),
        outcome: if failed { Outcome::Failed } else { Outcome::Passed },
        checks,
        url: None,
        newest: subject.newest(&subject.stage.test.suites[0]),
        subject: subject.manifest,
        contract: subject.contract,
        reading: subject.reading,
    })
}

/// A result that came from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere {
    /// The suite's name.
    pub suite: String,
    /// How it ended; none when the JUnit report tells.
    pub passed: Option<bool>,
    /// Where to read more.
    pub url: Option<String>,
    /// A JUnit report.
    pub junit: Option<String>,
}

/// Takes over a result of a suite that ran elsewhere. Records nothing.
pub async fn take_over(
    context: &Context<'_>,
    stage: &str,
    digest: Option<&str>,
    result: Elsewhere,
) -> Result<Report, OpsError> {
    check_suite_name(&result.suite).map_err(|error| OpsError::input(error.to_string()))?;
    let read = result.junit.as_deref().map(junit::read).transpose();
    let report = read.map_err(|error| OpsError::input(format!("the report can't be read as JUnit: {error}")))?;
    let told = report.as_ref().map(|report| report.counts.failed == 0);
    let passed = match (result.passed, told) {
        (Some(true), Some(false)) => {
            return Err(OpsError::input("`--result passed`, but the report has failures").help("leave `--result` out"));
        }
        (Some(said), _) => said,
        (None, Some(told)) => told,
        (None, None) => return Err(OpsError::input("how did it end?").help("--result passed, or --report FILE")),
    };
    let subject = subject(context, stage, digest).await?;
    Ok(Report {
        digest: subject.manifest.digest(),
        newest: subject.newest(&result.suite),
        suite: result.suite,
        checks: report.map(outcomes).unwrap_or_default(),
        outcome: if passed { Outcome::Passed } else { Outcome::Failed },
        url: result.url,
        subject: subject.manifest,
        contract: subject.contract,
        reading: subject.reading,
    })
}

fn outcomes(report: junit::Report) -> Vec<CheckOutcome> {
    let each = |names: Vec<String>, result| {
        names.into_iter().map(move |name| CheckOutcome {
            name,
            result,
            detail: None,
        })
    };
    each(report.failed, Outcome::Failed)
        .chain(each(report.passed, Outcome::Passed))
        .collect()
}

/// Signs and writes the result; its record's digest is the answer.
pub async fn record(context: &Context<'_>, stage: &str, report: &Report) -> Result<Digest, OpsError> {
    let stage = view::stage(context, stage)?;
    let (key, fingerprint_key) = futures::try_join!(
        context.keys.signing_key(Permission::Test),
        context.keys.fingerprint_key()
    )?;
    let secret = fingerprint_key.as_ref().map(|key| key.expose_secret());
    let values = fingerprint(stage.name.as_str(), &report.contract, report.reading.values(), secret);
    let result = TestResult {
        outcome: report.outcome,
        stage: stage.name.clone(),
        stage_definition: None,
        suite: report.suite.clone(),
        values,
        checks: report.checks.clone(),
        at: later_than(report.newest, context.now()),
        by: context.actor.to_owned(),
        url: report.url.clone(),
    };
    let location = ledger_location(stage);
    let store = context.store(location)?;
    let statement = Statement::about(location.to_string(), report.digest, Predicate::TestResult(result));
    let envelopes = key.envelopes(&[statement]).await?;
    let record = Record::new(RecordKind::Tested, &report.subject.descriptor(), &envelopes);
    let tag = record.tag();
    context.step("recording the result");
    futures::try_join!(
        write_record(&*store, &record, &tag),
        super::record::project_attestations(&*store, report.digest, &envelopes),
    )?;
    Ok(record.manifest().digest())
}

/// The newest result counts, and times are told to the second: a second test in one second, or on a clock that is
/// behind, must still come after the first.
fn later_than(newest: Option<Timestamp>, now: Timestamp) -> Timestamp {
    newest.map_or(now, |newest| now.max(newest.saturating_add(1.second()).unwrap_or(now)))
}

/// The configuration files of a digest, from the layer itself: what was built counts, not the working tree.
async fn read_configuration(context: &Context<'_>, subject: &Subject<'_>) -> Result<Vec<Source>, OpsError> {
    let store = &*subject.view.store;
    let images = match subject.manifest.index() {
        None => vec![subject.manifest.clone()],
        Some(index) => {
            let mut images = Vec::new();
            for entry in &index.manifests {
                images.push(required_manifest(store, entry.digest).await?);
            }
            images
        }
    };
    let mut layers = images.iter().map(config_layer);
    let unusable = |why: &str| OpsError::world(format!("{} {why}", subject.manifest.digest()));
    let first = layers
        .next()
        .flatten()
        .ok_or_else(|| unusable("has no configuration layer"))?;
    if layers.any(|layer| layer.map(|layer| layer.digest) != Some(first.digest)) {
        return Err(unusable("has different configurations for its platforms"));
    }
    let bytes = read_blob(store, first, MAX_LAYER_BYTES).await?;
    let files = tokio::task::spawn_blocking(move || read_layer_files(Cursor::new(bytes), &LayerBounds::default()))
        .await
        .map_err(|error| OpsError::world(format!("reading the layer broke off: {error}")))?
        .map_err(|error| unusable(&format!("has a configuration layer that can't be read: {error}")))?;
    let folder = context.project.server.config.folder.trim_end_matches('/');
    let text =
        |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| unusable("has a configuration file that is not UTF-8"));
    files
        .into_iter()
        .map(|(path, bytes)| {
            let path = path.to_string();
            let name = path
                .strip_prefix(folder)
                .unwrap_or(&path)
                .trim_start_matches('/')
                .to_owned();
            Ok(Source::new(name, text(bytes)?))
        })
        .collect()
}

/// Everything that can be seen without starting the server.
fn static_checks(
    context: &Context<'_>,
    subject: &Subject<'_>,
    files: Vec<Source>,
) -> Result<Vec<CheckOutcome>, OpsError> {
    let project = context.project;
    let (bundle, found) = Bundle::read(files, &project.server);
    let read = check("configuration", errors(&found), || {
        format!("{} files read", bundle.files().len())
    });
    let own = checks::contract(project, &bundle)?;
    let contract = check("contract", contract_problems(&own, &subject.contract), || {
        format!("{} parameters, as signed", own.parameters.len())
    });
    let values = check(
        "values",
        value_problems(context, &subject.contract, &subject.reading),
        || format!("`{}` gives every parameter a value that fits", subject.stage.name),
    );
    let lookup =
        |name: &crate::profile::ParameterName| subject.reading.values().get(name).map(crate::values::Value::expose);
    let filled = match bundle.fill(&lookup) {
        Ok(_) => Vec::new(),
        Err(diagnostics) => errors(&diagnostics),
    };
    let resolves = check("resolves", filled, || "valid with these values".to_owned());
    let dangling = dangling(project, &bundle, &own);
    let references = check("references", errors(&dangling), || {
        match dangling.iter().filter(|found| !found.is_error()).count() {
            0 => "every id is defined".to_owned(),
            open => format!("every id is defined, but for {open} that files may define: see `iamship check`"),
        }
    });
    Ok(vec![read, contract, values, resolves, references])
}

fn check(name: &str, problems: Vec<String>, good: impl FnOnce() -> String) -> CheckOutcome {
    let (result, detail) = match problems.as_slice() {
        [] => (Outcome::Passed, good()),
        problems => {
            let mut detail = problems
                .iter()
                .take(MAX_DETAILS)
                .cloned()
                .collect::<Vec<_>>()
                .join("; ");
            if problems.len() > MAX_DETAILS {
                detail = format!("{detail}; and {} more", problems.len() - MAX_DETAILS);
            }
            (Outcome::Failed, detail)
        }
    };
    CheckOutcome {
        name: name.to_owned(),
        result,
        detail: Some(detail),
    }
}

/// The sentences of what is an error, with its place.
fn errors(diagnostics: &[Diagnostic]) -> Vec<String> {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    errors
        .map(|diagnostic| match diagnostic.labels.first() {
            Some(label) => format!("{} ({})", diagnostic.message, label.span),
            None => diagnostic.message.clone(),
        })
        .collect()
}

/// The signed contract must ask for what the layer asks for: nobody may sign away a parameter.
fn contract_problems(own: &Contract, signed: &Contract) -> Vec<String> {
    let lacks = |contract: &Contract, name: &str| contract.get(name).is_none();
    let unsigned = own
        .parameters
        .iter()
        .filter(|parameter| lacks(signed, parameter.name.as_str()));
    let unused = signed
        .parameters
        .iter()
        .filter(|parameter| lacks(own, parameter.name.as_str()));
    unsigned
        .map(|parameter| format!("`{}` is asked for and not in the signed contract", parameter.name))
        .chain(unused.map(|parameter| format!("`{}` is in the signed contract and not asked for", parameter.name)))
        .collect()
}

fn dangling(project: &Project, bundle: &Bundle, contract: &Contract) -> Vec<Diagnostic> {
    let stages: &[StageInput] = &[];
    checks::references(&checks::Context {
        project,
        bundle,
        contract,
        stages,
        all_stages: stages,
    })
}
