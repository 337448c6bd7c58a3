//! Each rule has a case that it finds, and one that it leaves alone: `tests/rules/<code>.txt`.
//!
//! A file has two parts, `=== fires` and `=== quiet`. Each is a small project: `--- PATH` begins a file. XML below
//! `config/` gets its root; `iamship.toml` and the stages' env files are there without being written. Where the case has
//! a JSON file it is Keycloak's, and a YAML file is a generic server's.

use std::collections::BTreeMap;
use std::path::Path;

use camino::Utf8Path;
use iamship::bundle::Bundle;
use iamship::checks::{self, RULES, StageInput};
use iamship::diagnostic::{Code, Source};
use iamship::project::Project;
use iamship::values::stage_values;

const PROJECT: &str = r#"
[project]
name = "shop"
server = "curity"
[image]
base = "oci:base#1.0"
[config]
files = ["config/*"]
[[stage]]
name = "dev"
values = ["env/dev.env"]
[[stage]]
name = "staging"
values = ["env/staging.env"]
[[stage]]
name = "prod"
values = ["env/prod.env"]
"#;

/// Codes of rules whose cases stand beside the rule, as tests of its own.
const TESTED_BESIDE: &[&str] = &[
    "certificate-expired",
    "certificate-expires",
    "certificate-not-yet-valid",
    "key-mismatch",
    "key-shared",
    "key-weak",
    "oidc-parameter",
    "parameter-defaulted",
    "parameter-empty",
    "parameter-missing",
    "parameter-misspelt",
    "parameter-type",
    "parameter-unused",
    "secret-in-values",
    "secret-shared",
    "stage-example-domain",
    "stage-host",
    "stage-localhost",
    "stage-plain-http",
];

type Files = BTreeMap<String, String>;

/// The parts `fires` and `quiet`.
fn parts(text: &str) -> BTreeMap<String, Vec<Files>> {
    let mut parts: BTreeMap<String, Vec<Files>> = BTreeMap::new();
    let mut part = String::new();
    let mut file = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            part = name.to_owned();
            parts.entry(part.clone()).or_default().push(Files::new());
        } else if let Some(path) = line.strip_prefix("--- ") {
            file = path.to_owned();
            let files = parts
                .get_mut(&part)
                .and_then(|cases| cases.last_mut())
                .expect("a part first");
            files.insert(file.clone(), String::new());
        } else if let Some(text) = parts.get_mut(&part).and_then(|cases| cases.last_mut()?.get_mut(&file)) {
            text.push_str(line);
            text.push('\n');
        }
    }
    parts
}

/// What the rules find in a project of these files: code and message.
fn findings(mut files: Files) -> Vec<(Code, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    for path in ["iamship.toml", "env/dev.env", "env/staging.env", "env/prod.env"] {
        let ends = |ending: &str| files.keys().any(|path| path.ends_with(ending));
        let server = match (ends(".json"), ends(".yaml")) {
            (true, _) => "keycloak",
            (_, true) => "generic",
            _ => "curity",
        };
        let usual = if path == "iamship.toml" { PROJECT } else { "" };
        files
            .entry(path.to_owned())
            .or_insert_with(|| usual.replace("curity", server));
    }
    for (path, text) in &files {
        let target = folder.path().join(path);
        std::fs::create_dir_all(target.parent().expect("a parent")).expect("a folder");
        let is_part = path.starts_with("config/") && path.ends_with(".xml") && !text.contains("<config ");
        let whole = format!("<config xmlns=\"http://tail-f.com/ns/config/1.0\">{text}</config>");
        std::fs::write(target, if is_part { &whole } else { text }).expect("written");
    }
    let project = Project::load(Utf8Path::from_path(folder.path()).expect("UTF-8")).expect("a project");
    let (bundle, mut found) = Bundle::read(project.config_files().expect("files"), &project.server);
    let contract = checks::contract(&project, &bundle).expect("a contract");
    let mut sources = vec![project.source.clone()];
    let mut stages = Vec::new();
    for stage in &project.stages {
        let read = |path: &camino::Utf8PathBuf| Source::new(path.clone(), files[path.as_str()].clone());
        let texts: Vec<_> = stage.values.iter().map(read).collect();
        let (values, problems) = stage_values(&texts);
        found.extend(problems);
        sources.extend(texts);
        stages.push(StageInput {
            name: stage.name.clone(),
            values,
        });
    }
    found.extend(checks::run(&checks::Context {
        project: &project,
        bundle: &bundle,
        contract: &contract,
        stages: &stages,
        all_stages: &stages,
        now: "2026-11-24T12:00:00Z".parse().expect("a time"),
    }));
    let scene = checks::Scene {
        project: &project,
        bundle: &bundle,
        sources: &sources,
        whole: true,
    };
    let told = checks::allow(found, &scene).diagnostics.into_iter();
    told.map(|found| (found.code, found.message)).collect()
}

#[test]
fn each_rule_finds_one_case_and_leaves_another_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let codes = RULES
        .iter()
        .flat_map(|rule| rule.codes)
        .chain(&[Code::AllowUnused, Code::AllowInvalid]);
    let mut missing = Vec::new();
    for code in codes {
        let Ok(text) = std::fs::read_to_string(folder.join(format!("{code}.txt"))) else {
            if !TESTED_BESIDE.contains(&code.as_str()) {
                missing.push(code.as_str());
            }
            continue;
        };
        let parts = parts(&text);
        for (part, fires) in [("fires", true), ("quiet", false)] {
            let cases = parts.get(part).map(Vec::as_slice).unwrap_or_default();
            assert!(!cases.is_empty(), "{code}: there is no `=== {part}`");
            for (index, files) in cases.iter().enumerate() {
                let found = findings(files.clone());
                let told = found.iter().any(|(other, _)| other == code);
                assert_eq!(told, fires, "{code}, {part} {index}: {found:#?}");
            }
        }
    }
    assert!(missing.is_empty(), "write tests/rules/<code>.txt for {missing:?}");
}

#[test]
fn no_case_is_of_a_code_that_is_gone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    for entry in std::fs::read_dir(folder).expect("the cases") {
        let path = entry.expect("a case").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("UTF-8");
        assert!(Code::named(name).is_some(), "no check has the code `{name}`");
    }
}
