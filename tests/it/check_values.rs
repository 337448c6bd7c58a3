//! `iamship check`: certificates and keys in values, and secrets that stages share.

use std::process::Command;

use base64::Engine as _;
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use serde_json::Value;

use crate::support::project::Project;

/// Code and message of each finding.
fn told(document: &Value) -> Vec<String> {
    let found = document["diagnostics"].as_array().expect("diagnostics").iter();
    found
        .map(|found| {
            let text = |name: &str| found[name].as_str().expect("a text").to_owned();
            format!("{} {}: {}", text("severity"), text("code"), text("message"))
        })
        .collect()
}

/// A certificate that expired, and its key.
fn expired(name: &str) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = date_time_ymd(2019, 1, 1);
    parameters.not_after = date_time_ymd(2020, 1, 1);
    let certificate = parameters.self_signed(&key).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

/// A parameter of its own, so that the starter's others stay as they are.
fn ask_for(project: &Project, name: &str) {
    project.edit(
        "config/facilities.xml",
        "#{DB_USERNAME}",
        &format!("#{{DB_USERNAME}}#{{{name}}}"),
    );
}

/// Values of many lines stand in an env file on one.
fn one_line(pem: &str) -> String {
    pem.trim().replace("\r\n", "\n").replace('\n', "\\n")
}

#[test]
fn an_expired_certificate_and_a_shared_key_stop_a_build_and_show_no_key() {
    let project = Project::new();
    project.json("check", 0);
    ask_for(&project, "TLS_KEY");
    let (certificate, key) = expired("login.example.net");
    let both = one_line(&format!("{certificate}{key}"));
    for stage in ["dev", "staging", "prod"] {
        project.append(&format!("secrets/{stage}.env"), &format!("\nTLS_KEY='{both}'\n"));
    }
    let run = project.run("check --format json");
    run.expect_code(1);
    let expired = |stage: &str| {
        format!(
            "error certificate-expired: the certificate `login.example.net` in `TLS_KEY` of `{stage}` expired on 2020-01-01"
        )
    };
    assert_eq!(
        told(&run.document()),
        [
            expired("dev"),
            "error key-shared: `TLS_KEY` is one and the same private key in `dev`, `staging` and `prod`".to_owned(),
            expired("staging"),
            expired("prod"),
        ]
    );
    let secret = key.lines().nth(1).expect("a line");
    let shown = project.run("check");
    assert!(!run.stdout.contains(secret) && !shown.stderr.contains(secret) && !shown.stdout.contains(secret));
}

#[test]
fn a_secret_of_two_stages_is_a_warning_that_a_project_can_take_back() {
    let project = Project::new();
    let (staging, prod) = ("'example-db-password-staging'", "'example-db-password-prod'");
    project.edit("secrets/prod.env", prod, staging);
    let run = project.run("check --format json");
    assert_eq!(
        told(&run.expect_code(0).document()),
        ["warning secret-shared: `DB_PASSWORD` is one and the same secret in `staging` and `prod`"]
    );
    assert!(!run.stdout.contains("example-db-password"), "{}", run.stdout);
    project.append("iamship.toml", "\n[parameters]\nDB_PASSWORD = { shared = true }\n");
    assert_eq!(told(&project.json("check", 0)), [""; 0]);
}

/// A PKCS#12 with its private key, made by OpenSSL as people make it, with the password `changeit`.
#[expect(
    clippy::print_stderr,
    reason = "who reads the tests' output must see what did not run"
)]
fn store(project: &Project, more: &[&str]) -> Option<String> {
    let (certificate, key) = expired("store.example.net");
    project.write("made.pem", &format!("{certificate}{key}"));
    let made = Command::new("openssl")
        .args([
            "pkcs12",
            "-export",
            "-in",
            "made.pem",
            "-out",
            "made.p12",
            "-passout",
            "pass:changeit",
        ])
        .args(more)
        .current_dir(project.root())
        .output();
    match made {
        Ok(made) if made.status.success() => {}
        failed => {
            assert!(std::env::var_os("CI").is_none(), "openssl makes no PKCS#12: {failed:?}");
            eprintln!("not run: openssl makes no PKCS#12");
            return None;
        }
    }
    let bytes = std::fs::read(project.path("made.p12")).expect("a store");
    Some(base64::engine::general_purpose::STANDARD.encode(bytes))
}

#[test]
fn a_store_is_opened_with_the_password_beside_it() {
    for more in [&[][..], &["-legacy"][..]] {
        let project = Project::new();
        let Some(store) = store(&project, more) else { return };
        ask_for(&project, "TLS_KEYSTORE");
        ask_for(&project, "TLS_KEYSTORE_PASSWORD");
        for (stage, password) in [("dev", "changeit"), ("staging", "changed"), ("prod", "changeit")] {
            let lines = format!("\nTLS_KEYSTORE='{store}'\nTLS_KEYSTORE_PASSWORD='{password}'\n");
            project.append(&format!("secrets/{stage}.env"), &lines);
        }
        let found = told(&project.json("check", 1));
        assert!(
            found.contains(
                &"error key-shared: `TLS_KEYSTORE` is one and the same private key in `dev` and `prod`".to_owned()
            ),
            "{found:#?}"
        );
        let expired = found
            .iter()
            .filter(|line| line.starts_with("error certificate-expired"))
            .count();
        assert_eq!(expired, 2, "{found:#?}");
    }
}
