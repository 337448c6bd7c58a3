//! `iamship attest`

use super::arguments::{Attest, AttestTested, TestResult};
use super::shell::Shell;
use super::{Outcome, connect};
use crate::ops::Context;
use crate::ops::test::{self, Elsewhere};

/// The largest report that is read: 64 MiB.
const MAX_REPORT_BYTES: u64 = 64 << 20;

pub(super) async fn run(arguments: &Attest, context: &Context<'_>, shell: &Shell) -> Outcome {
    match arguments {
        Attest::Tested(tested) => run_tested(tested, context, shell).await,
    }
}

async fn run_tested(arguments: &AttestTested, context: &Context<'_>, shell: &Shell) -> Outcome {
    let junit = match &arguments.report {
        Some(path) => Some(connect::read_file(path, MAX_REPORT_BYTES)?),
        None => None,
    };
    let result = Elsewhere {
        suite: arguments.suite.clone(),
        passed: arguments.result.map(|result| result == TestResult::Passed),
        url: arguments.url.clone(),
        junit,
    };
    let report = test::take_over(context, &arguments.stage, arguments.digest.as_deref(), result).await?;
    let record = if arguments.dry_run {
        None
    } else {
        Some(test::record(context, &arguments.stage, &report).await?)
    };
    // The answer is that it was recorded: a failure that was told is no failure of this call.
    match super::test::tell("iamship.attest/v1", &arguments.stage, &report, record, shell) {
        Err(super::failure::Failure::No) => Ok(()),
        other => other,
    }
}
