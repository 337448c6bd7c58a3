//! Everything about a digest in a stage that can be seen without starting the server.

use super::promote::value_problems;
use super::stored;
use super::test::Subject;
use super::trial::Check;
use super::{Context, OpsError};
use crate::bundle::Bundle;
use crate::checks::{self, StageInput};
use crate::diagnostic::{Code, Diagnostic, Source};
use crate::values::Contract;

/// How many findings a check's detail names.
const MAX_DETAILS: usize = 20;

/// Resolves the digest's whole configuration with the stage's values, as the server would.
pub(super) async fn run(context: &Context<'_>, subject: &Subject<'_>) -> Result<Vec<Check>, OpsError> {
    let files = stored::configuration(context, &*subject.view.store, &subject.manifest).await?;
    let mut checks = static_checks(context, subject, files)?;
    for check in &mut checks {
        check.is_common = true;
    }
    Ok(checks)
}

/// Everything that can be seen without starting the server.
fn static_checks(context: &Context<'_>, subject: &Subject<'_>, files: Vec<Source>) -> Result<Vec<Check>, OpsError> {
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
    let dangling = dangling(context, &bundle, &own);
    let references = check("references", errors(&dangling), || {
        match dangling.iter().filter(|found| !found.is_error()).count() {
            0 => "every id is defined".to_owned(),
            open => format!("every id is defined, but for {open} that files may define: see `iamship check`"),
        }
    });
    Ok(vec![read, contract, values, resolves, references])
}

fn check(name: &str, problems: Vec<String>, good: impl FnOnce() -> String) -> Check {
    if problems.is_empty() {
        return Check::passed(name, good());
    }
    let mut detail = problems
        .iter()
        .take(MAX_DETAILS)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    if problems.len() > MAX_DETAILS {
        detail = format!("{detail}; and {} more", problems.len() - MAX_DETAILS);
    }
    Check::failed(name, detail)
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

fn dangling(context: &Context<'_>, bundle: &Bundle, contract: &Contract) -> Vec<Diagnostic> {
    let stages: &[StageInput] = &[];
    let found = checks::references(&checks::Context {
        project: context.project,
        bundle,
        contract,
        stages,
        all_stages: stages,
        now: context.now(),
    });
    let scene = checks::Scene {
        project: context.project,
        bundle,
        sources: &[],
        whole: false,
    };
    let found = checks::allow(found, &scene).diagnostics;
    found
        .into_iter()
        .filter(|found| found.code == Code::ReferenceDangling)
        .collect()
}
