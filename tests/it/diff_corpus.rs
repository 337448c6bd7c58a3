//! Steps of a real training (its configuration grows from one file to many) differ in what truly changed.

use std::path::Path;

use iamship::bundle::{Bundle, Change, diff};
use iamship::diagnostic::Source;
use iamship::profile::ServerProfile;

use super::corpus::corpus;

const STEPS: &str = "curityio+curity-operational-training/1-configure-deployments";

fn step(root: &Path, folder: &str) -> Bundle {
    let mut paths: Vec<_> = std::fs::read_dir(root.join(STEPS).join(folder))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "xml"))
        .collect();
    paths.sort();
    let source = |path: &std::path::PathBuf| {
        let name = path.file_name().expect("a name").to_str().expect("UTF-8");
        Source::new(name, std::fs::read_to_string(path).expect("a text"))
    };
    let profile = ServerProfile::built_in("curity").expect("built in");
    Bundle::read(paths.iter().map(source).collect(), &profile).0
}

/// Severity, kind, subject, path; values where they are short.
fn line(change: &Change) -> String {
    let value = |value: &Option<String>| match value {
        _ if change.secret => "(secret)".to_owned(),
        Some(value) if value.len() <= 40 => format!("`{value}`"),
        Some(_) => "(long)".to_owned(),
        None => "-".to_owned(),
    };
    format!(
        "{} {} {}: {} {} > {}",
        change.severity.as_str(),
        change.kind.as_str(),
        change.subject,
        change.path,
        value(&change.before),
        value(&change.after)
    )
}

fn told(root: &Path, before: &str, after: &str) -> Vec<String> {
    diff(&step(root, before), &step(root, after)).iter().map(line).collect()
}

#[test]
fn each_step_tells_what_it_changed() {
    let Some(root) = corpus() else { return };
    for (before, after) in [
        ("2-redeploy", "3-cluster"),
        ("3-cluster", "4-refinements/config"),
        ("2-redeploy", "4-refinements/config"),
        ("4-refinements/config", "5-protect-secrets/configshared"),
        ("5-protect-secrets/configshared", "6-service-roles/configshared"),
    ] {
        println!("== {before} {after}");
        for line in told(&root, before, after) {
            println!("{line}");
        }
    }
}
