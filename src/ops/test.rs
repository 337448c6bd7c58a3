//! `test` and `attest tested`: what happened to a digest in a stage, signed.

use jiff::{Timestamp, ToSpan as _};
use secrecy::ExposeSecret as _;

use super::environment::environment;
use super::inputs::{self, StageReading};
use super::load_image::load_image;
use super::promote::current;
use super::protect::{self, Image};
use super::record::write_record;
use super::stage_definition::stage_definition;
use super::trial::Trial;
use super::view::{self, View, digest_of, ledger_location, required_manifest};
use super::{Context, Event, OpsError, junit, static_test};
use crate::attest::predicate::{Outcome, TestResult};
use crate::attest::{Predicate, Record, RecordKind, Statement};
use crate::diagnostic::nearest;
use crate::image::{Digest, Manifest};
use crate::project::{Permission, Stage, TestKind, check_suite_name};
use crate::promotion::TestFacts;
use crate::values::{Contract, SecretsHashed, fingerprint};

pub use super::trial::{Check, Tail};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// A digest or version; what the stage runs now when absent.
    pub digest: Option<String>,
    /// Of the stage's suites only these; all when empty.
    pub suites: Vec<String>,
    /// Whether the result will be recorded: then the key must be there before anything is started.
    pub is_recorded: bool,
}

/// What the suites found.
pub struct Report {
    /// The image.
    pub digest: Digest,
    /// The suites, in order; never empty.
    pub suites: Vec<SuiteReport>,
    /// Where to read more.
    pub url: Option<String>,
    /// The newest of what was written, where something failed that was started.
    pub tails: Vec<Tail>,
    /// What the container got beside its values; none where none was started.
    definition: Option<Digest>,
    subject: Manifest,
    contract: Contract,
    reading: StageReading,
    /// The newest result of each suite so far.
    tests: Vec<TestFacts>,
}

/// What one suite found.
pub struct SuiteReport {
    /// Its name.
    pub name: String,
    /// What was looked at, in order.
    pub checks: Vec<Check>,
    /// How it ended.
    pub outcome: Outcome,
}

impl SuiteReport {
    fn of(name: String, checks: Vec<Check>) -> Self {
        let failed = checks.iter().any(Check::has_failed);
        Self {
            name,
            checks,
            outcome: if failed { Outcome::Failed } else { Outcome::Passed },
        }
    }

    /// Whether it passed.
    pub fn passed(&self) -> bool {
        self.outcome != Outcome::Failed
    }
}

impl Report {
    /// Whether all suites passed.
    pub fn passed(&self) -> bool {
        self.suites.iter().all(SuiteReport::passed)
    }

    /// The suites' names, parted by commas.
    pub fn suite_names(&self) -> String {
        let names: Vec<_> = self.suites.iter().map(|suite| suite.name.as_str()).collect();
        names.join(",")
    }

    fn new(subject: Subject<'_>, suites: Vec<SuiteReport>) -> Self {
        Self {
            digest: subject.manifest.digest(),
            suites,
            url: None,
            tails: Vec::new(),
            definition: None,
            subject: subject.manifest,
            contract: subject.contract,
            reading: subject.reading,
            tests: subject.tests,
        }
    }

    fn newest(&self, suite: &str) -> Option<Timestamp> {
        let mut facts = self.tests.iter();
        facts.find(|facts| facts.suite == suite).map(|facts| facts.at)
    }
}

/// A digest in a stage, its contract and the stage's values.
pub(super) struct Subject<'p> {
    pub(super) stage: &'p Stage,
    pub(super) view: View,
    pub(super) manifest: Manifest,
    pub(super) contract: Contract,
    pub(super) reading: StageReading,
    tests: Vec<TestFacts>,
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

/// Runs the stage's suites. Records nothing.
///
/// Everything that can be seen without starting the server comes first, and where it fails nothing is started.
pub async fn run(context: &Context<'_>, stage: &str, wish: &Wish) -> Result<Report, OpsError> {
    let suites = suites(view::stage(context, stage)?, wish)?;
    // Where no key is trusted at all, that is the reason why the signing key isn't.
    context.require_trust()?;
    let key = async {
        match wish.is_recorded {
            true => context.keys.signing_key(Permission::Test).await.map(drop),
            false => Ok(()),
        }
    };
    let ((), subject) = futures::try_join!(key, subject(context, stage, wish.digest.as_deref()))?;
    let short = subject.manifest.digest().short();
    context.step(format!("testing {short} with the values of `{}`", subject.stage.name));
    let resolved = static_test::run(context, &subject).await?;
    let sound = !resolved.iter().any(Check::has_failed);
    if subject.stage.test.kind == TestKind::Engine && sound {
        return run_in_engine(context, subject, suites, resolved).await;
    }
    let reports = suites.into_iter().map(|suite| SuiteReport::of(suite, resolved.clone()));
    let reports = reports.collect();
    Ok(Report::new(subject, reports))
}

/// The suites that are meant, in the stage's order.
fn suites(stage: &Stage, wish: &Wish) -> Result<Vec<String>, OpsError> {
    let own = &stage.test.suites;
    if let Some(unknown) = wish.suites.iter().find(|suite| !own.contains(suite)) {
        let failure = OpsError::input(format!("`{}` has no suite `{unknown}`", stage.name));
        return Err(match nearest(unknown, own.iter().map(String::as_str)) {
            Some(meant) => failure.help(format!("did you mean `{meant}`?")),
            None => failure.help(format!("its suites: {}", own.join(", "))),
        });
    }
    let is_meant = |suite: &&String| wish.suites.is_empty() || wish.suites.contains(suite);
    Ok(own.iter().filter(is_meant).cloned().collect())
}

async fn run_in_engine(
    context: &Context<'_>,
    subject: Subject<'_>,
    suites: Vec<String>,
    resolved: Vec<Check>,
) -> Result<Report, OpsError> {
    let values = subject.reading.values();
    let (store, manifest) = (&subject.view.store, &subject.manifest);
    let image = Image { store, manifest };
    let engine = context.engines.connect_here().await?;
    let environment = environment(context, subject.stage, &subject.contract, &subject.reading, &image).await?;
    let loaded = load_image(context.events, &*engine, store, manifest, &context.project.name).await?;
    let trial = Trial {
        context,
        engine: &*engine,
        image: loaded.id,
        digest: manifest.digest(),
        stage: subject.stage,
        values,
        contract: &subject.contract,
        redactor: environment.redactor(&subject.reading),
        environment: environment.into_container(),
        suites: &suites,
    };
    let tried = trial.run().await?;
    let mut common = resolved;
    common.extend(tried.start.into_iter().map(|check| Check {
        is_common: true,
        ..check
    }));
    let reports = tried.suites.into_iter().map(|(suite, checks)| {
        let all = common.iter().cloned().chain(checks).collect();
        SuiteReport::of(suite, all)
    });
    let reports = reports.collect();
    Ok(Report {
        tails: tried.tails,
        definition: Some(stage_definition(&context.project.server, subject.stage)),
        ..Report::new(subject, reports)
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
    let suite = SuiteReport {
        name: result.suite,
        checks: report.map(outcomes).unwrap_or_default(),
        outcome: if passed { Outcome::Passed } else { Outcome::Failed },
    };
    Ok(Report {
        url: result.url,
        ..Report::new(subject, vec![suite])
    })
}

fn outcomes(report: junit::Report) -> Vec<Check> {
    let each = |names: Vec<String>, result| {
        names.into_iter().map(move |name| Check {
            name,
            result,
            detail: None,
            miss: None,
            is_common: false,
        })
    };
    each(report.failed, Outcome::Failed)
        .chain(each(report.passed, Outcome::Passed))
        .collect()
}

/// Signs and writes the results, one statement a suite and all in one record; the record's digest is the answer.
pub async fn record(context: &Context<'_>, stage: &str, report: &Report) -> Result<Digest, OpsError> {
    let stage = view::stage(context, stage)?;
    let (key, fingerprint_key) = futures::try_join!(
        context.keys.signing_key(Permission::Test),
        context.keys.fingerprint_key()
    )?;
    let secret = fingerprint_key.as_ref().map(|key| key.expose_secret());
    let asked = protect::with_keys(&context.project.server, stage, &report.contract);
    let values = fingerprint(stage.name.as_str(), &asked, report.reading.values(), secret);
    if values.secrets == SecretsHashed::LeftOut {
        let why = "no key is known that hashes the secrets (`IAMSHIP_FINGERPRINT_KEY`): a changed secret will not make this result stale";
        context.events.tell(Event::Warning(why));
    }
    let location = ledger_location(stage);
    let store = context.store(location)?;
    let statement = |suite: &SuiteReport| {
        let result = TestResult {
            outcome: suite.outcome,
            stage: stage.name.clone(),
            stage_definition: report.definition,
            suite: suite.name.clone(),
            values: values.clone(),
            checks: suite.checks.iter().map(Check::outcome).collect(),
            at: later_than(report.newest(&suite.name), context.now()),
            by: context.actor.to_owned(),
            url: report.url.clone(),
        };
        Statement::about(location.to_string(), report.digest, Predicate::TestResult(result))
    };
    let statements: Vec<_> = report.suites.iter().map(statement).collect();
    let envelopes = key.envelopes(&statements).await?;
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
