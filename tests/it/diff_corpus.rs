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
fn a_cluster_is_two_settings() {
    let Some(root) = corpus() else { return };
    assert_eq!(
        told(&root, "2-redeploy", "3-cluster"),
        [
            "behaviour added cluster: /environments/environment/cluster/keystore (secret) > (secret)",
            "behaviour added cluster: /environments/environment/cluster/host - > `idsvr-admin`",
        ]
    );
}

/// One file, then the same in five: only what was refined is told.
#[test]
fn a_split_file_differs_in_what_was_refined() {
    let Some(root) = corpus() else { return };
    assert_eq!(
        told(&root, "3-cluster", "4-refinements/config"),
        [
            "breaking changed endpoint `token-service-anonymous`: /profiles/profile[token-service]/endpoints/endpoint[token-service-anonymous]/uri `/oauth/v2/oauth-anonymous` > `/~`",
            "breaking removed signature verification key `default-signature-verification-key`: /facilities/crypto/signature-verification-keys/signature-verification-key[default-signature-verification-key] - > -",
            "behaviour removed TLS server key `default-admin-ssl-key`: /facilities/crypto/ssl/server-keystore[default-admin-ssl-key] - > -",
        ]
    );
    let mut all = told(&root, "2-redeploy", "3-cluster");
    all.extend(told(&root, "3-cluster", "4-refinements/config"));
    all.sort();
    let mut both = told(&root, "2-redeploy", "4-refinements/config");
    both.sort();
    assert_eq!(both, all);
}

#[test]
fn a_role_of_its_own_is_one_thing_more() {
    let Some(root) = corpus() else { return };
    assert_eq!(
        told(&root, "5-protect-secrets/configshared", "6-service-roles/configshared"),
        [
            "behaviour added profile `token-service-internal`: /profiles/profile[token-service-internal] - > -",
            "behaviour added service role `internal`: /environments/environment/services/service-role[internal] - > -",
        ]
    );
}
