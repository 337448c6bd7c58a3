//! No secret is anywhere: not in what a run leaves, not in what it says.

use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::support::project::{KEY_VARIABLE, Project};

/// Each is in one secret of one stage.
const CANARIES: [&str; 5] = [
    "canary-file-dev-7f3a",
    "canary-file-staging-7f3a",
    "canary-environment-7f3a",
    "canary-broken-type-7f3a",
    "canary-password-7f3a",
];

/// Bytes, and what they are when they are decompressed.
fn shows(content: &[u8]) -> Vec<&'static str> {
    let mut all = content.to_vec();
    let mut inflated = Vec::new();
    let _ = GzDecoder::new(content).read_to_end(&mut inflated);
    all.extend(inflated);
    let text = String::from_utf8_lossy(&all).into_owned();
    let decoded = encoded(&text);
    let is_shown = |canary: &&&str| text.contains(**canary) || decoded.iter().any(|each| each.contains(**canary));
    CANARIES.iter().filter(is_shown).copied().collect()
}

/// What is in base64 inside of a text: envelopes carry their payload so.
fn encoded(text: &str) -> Vec<String> {
    use base64::Engine as _;
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let long = text.split(|c| !is_base64(c)).filter(|part| part.len() > 32);
    long.filter_map(|part| base64::engine::general_purpose::STANDARD.decode(part).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

/// Every file but those that hold the secrets themselves.
fn files_that_show(folder: &Path) -> Vec<String> {
    let entries = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|entry| entry.expect("an entry"));
    entries
        .filter(|entry| entry.file_type().is_file())
        .filter(|entry| !entry.path().starts_with(folder.join("secrets")))
        .filter_map(|entry| {
            let shown = shows(&std::fs::read(entry.path()).expect("a file"));
            (!shown.is_empty()).then(|| format!("{} shows {shown:?}", entry.path().display()))
        })
        .collect()
}

#[test]
fn a_whole_run_leaves_and_says_none() {
    let mut project = Project::new();
    project.edit("secrets/dev.env", "example-db-password-dev", CANARIES[0]);
    project.edit("secrets/staging.env", "example-db-password-staging", CANARIES[1]);
    project.edit(
        "iamship.toml",
        "\"file:secrets/prod.env\"",
        "\"file:secrets/prod.env\", \"env:PROD_\"",
    );
    let secrets = project.read("secrets/prod.env");
    let without = secrets
        .lines()
        .filter(|line| !line.starts_with("DB_PASSWORD="))
        .collect::<Vec<_>>()
        .join("\n");
    project.write("secrets/prod.env", &format!("{without}\n"));
    project.set("PROD_DB_PASSWORD", CANARIES[2]);
    project.set("IAMSHIP_KEY_PASSWORD", CANARIES[4]);
    project.set("IAMSHIP_LOG", "trace");
    let mut said = Vec::new();
    let mut run = |project: &Project, arguments: &str, code: i32| {
        for format in ["", " --format json"] {
            let run = project.run(&format!("{arguments} -vv{format}"));
            run.expect_code(code);
            said.push((format!("{arguments}{format}"), run.stdout, run.stderr));
        }
    };
    for arguments in [
        "check",
        "check --deny-warnings prod",
        "parameters",
        "lock",
        "build",
        "test dev",
        "promote dev staging",
        "test staging",
        "promote staging prod",
        "test prod",
        "attest tested prod --suite e2e --result passed",
        "explain staging prod",
        "status",
        "history prod",
        "verify prod",
    ] {
        run(&project, arguments, 0);
    }
    // Failures are where secrets slip out: of the wrong type, in a file that can't be read, with a wrong key.
    let good = project.read("secrets/dev.env");
    let bad = good.replace("SIGNING_KEY='data:", &format!("SIGNING_KEY='{}:", CANARIES[3]));
    project.write("secrets/dev.env", &bad);
    run(&project, "check --deny-warnings", 1);
    run(&project, "test dev", 0);
    let bad = good.replace("DB_CONNECTION='jdbc:", &format!("DB_CONNECTION='<{}:", CANARIES[3]));
    project.write("secrets/dev.env", &bad.replace("LICENSE_KEY=", "# LICENSE_KEY="));
    run(&project, "check", 1);
    run(&project, "build", 1);
    run(&project, "test dev", 1);
    project.write(
        "secrets/dev.env",
        &format!("{good}\nBROKEN '{}\n\"{}", CANARIES[3], CANARIES[3]),
    );
    run(&project, "check", 1);
    // Nothing can be tested with a file that can't be read, and nothing is recorded.
    run(&project, "test dev", 2);
    project.write("secrets/dev.env", &good);
    project.run("keygen --out keys/own -vv").expect_code(0);
    project.edit("iamship.toml", "env:SHOP_SIGNING_KEY", "file:keys/own.key");
    project.set("IAMSHIP_KEY_PASSWORD", &format!("not the {}", CANARIES[4]));
    run(&project, "attest tested dev --suite e2e --result passed", 2);
    for (arguments, stdout, stderr) in &said {
        for (stream, text) in [("stdout", stdout), ("stderr", stderr)] {
            let shown = shows(text.as_bytes());
            assert!(shown.is_empty(), "`{arguments}` says {shown:?} on {stream}:\n{text}");
        }
    }
    assert_eq!(files_that_show(project.root()), Vec::<String>::new());
}

#[test]
fn the_private_key_is_nowhere_either() {
    let mut project = Project::new();
    let (private, _) = crate::support::project::key_pair();
    let heart = private.lines().nth(1).expect("its first line").to_owned();
    project.set(
        KEY_VARIABLE,
        &private.replace("PRIVATE KEY-----\n", "PRIVATE KEY-----\nrubbish!"),
    );
    let broken = project.run("build -vv");
    broken.expect_code(2);
    project.set(KEY_VARIABLE, &private);
    // A key that nobody trusts signs, but proves nothing: the build says so.
    let run = project.run("build -vv");
    for text in [&broken.stdout, &broken.stderr, &run.stdout, &run.stderr] {
        assert!(!text.contains(&heart), "{text}");
    }
    for entry in walkdir::WalkDir::new(project.root()) {
        let entry = entry.expect("an entry");
        if entry.file_type().is_file() {
            let content = std::fs::read(entry.path()).expect("a file");
            assert!(
                !String::from_utf8_lossy(&content).contains(&heart),
                "{}",
                entry.path().display()
            );
        }
    }
}
