//! Everything about a digest in a stage that can be seen without starting the server.

use std::io::Cursor;

use super::promote::value_problems;
use super::test::Subject;
use super::trial::Check;
use super::view::required_manifest;
use super::{Context, OpsError};
use crate::bundle::Bundle;
use crate::checks::{self, StageInput};
use crate::diagnostic::{Diagnostic, Source};
use crate::image::{LayerBounds, config_layer, read_layer_files};
use crate::project::Project;
use crate::store::read_blob;
use crate::values::Contract;

/// The largest compressed configuration layer that is read: 256 MiB.
const MAX_LAYER_BYTES: u64 = 256 << 20;
/// How many findings a check's detail names.
const MAX_DETAILS: usize = 20;

/// Resolves the digest's whole configuration with the stage's values, as the server would.
pub(super) async fn run(context: &Context<'_>, subject: &Subject<'_>) -> Result<Vec<Check>, OpsError> {
    let files = read_configuration(context, subject).await?;
    let mut checks = static_checks(context, subject, files)?;
    for check in &mut checks {
        check.is_common = true;
    }
    Ok(checks)
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
    let dangling = dangling(project, &bundle, &own);
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
