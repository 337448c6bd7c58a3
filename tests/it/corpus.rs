//! Real configurations of other people, beside the checkout or where `IAMSHIP_CORPUS` says; none of them is in here.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use iamship::bundle::Bundle;
use iamship::diagnostic::Source;
use iamship::profile::ServerProfile;
use serde_json::Value;

use super::support::shop::Shop;

/// The example of the server's vendor for configuration in git.
const GITOPS: &str = "curityio+idsvr-gitops-configuration-management/git-repo";
const STAGES: [&str; 3] = ["dev", "staging", "production"];
const SECRET: &str = "correct-horse-battery-staple";

/// The corpus, if it is on this machine. One that was asked for must be.
#[expect(
    clippy::print_stderr,
    reason = "who reads the tests' output must see what did not run"
)]
pub(super) fn corpus() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("IAMSHIP_CORPUS").map(PathBuf::from) {
        assert!(path.is_dir(), "IAMSHIP_CORPUS: `{}` is no folder", path.display());
        return Some(path);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    if !beside.is_dir() {
        eprintln!("not run: there is no corpus beside the checkout, and IAMSHIP_CORPUS is not set");
        return None;
    }
    Some(beside)
}

/// The files of one folder that one server reads.
struct Group {
    folder: PathBuf,
    server: &'static str,
    files: Vec<PathBuf>,
}

fn groups(root: &Path) -> Vec<Group> {
    let mut groups: BTreeMap<(PathBuf, &'static str), Vec<PathBuf>> = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let server = match path.extension().and_then(|ending| ending.to_str()) {
                Some("xml") => "curity",
                Some("json") => "keycloak",
                Some("yaml" | "yml" | "toml" | "tmpl") => "generic",
                _ => continue,
            };
            groups.entry((folder.clone(), server)).or_default().push(path);
        }
    }
    let group = |((folder, server), files)| Group { folder, server, files };
    groups.into_iter().map(group).collect()
}

/// A project of these files, in the server's way.
fn project(group: &Group) -> Shop {
    let stages = "[[stage]]\nname = \"dev\"\nvalues = [\"env/dev.env\"]\n";
    let shop = shop(group.server, stages);
    shop.write("env/dev.env", "");
    for file in &group.files {
        copy(file, &shop);
    }
    shop
}

fn shop(server: &str, stages: &str) -> Shop {
    let shop = Shop::with("oci:store", "oci:base#1.0", stages);
    let toml = shop.read("iamship.toml");
    let toml = toml.replace("\"generic\"", &format!("\"{server}\""));
    shop.write("iamship.toml", &toml.replace("config/*.yaml", "configuration/*"));
    shop
}

fn copy(file: &Path, shop: &Shop) {
    let name = file.file_name().expect("a name").to_str().expect("UTF-8");
    let text = std::fs::read_to_string(file).expect("a text");
    shop.write(&format!("configuration/{name}"), &text);
}

#[test]
fn every_folder_can_be_asked_for_its_parameters_and_checked() {
    let Some(root) = corpus() else { return };
    let groups = groups(&root);
    assert!(!groups.is_empty(), "no configuration in `{}`", root.display());
    for group in &groups {
        let shop = project(group);
        for verb in ["parameters", "check"] {
            let ran = shop.run(&format!("{verb} --format json"));
            let place = group.folder.display();
            assert!(
                matches!(ran.code, Some(0 | 1)),
                "{verb} of {place}: {:?} {}",
                ran.code,
                ran.stderr
            );
            assert_eq!(ran.json()["schema"], format!("iamship.{verb}/v1"), "{place}");
        }
    }
}

/// Rules over clients, services and definitions that real configurations must not be pestered with.
const JUDGING: [&str; 11] = [
    "client-public-without-pkce",
    "cors-wildcard",
    "debug-logging",
    "definition-unused",
    "grant-implicit",
    "grant-password",
    "https-without-key",
    "lifetime-refresh-long",
    "literal-stage-host",
    "redirect-http",
    "redirect-wildcard",
];

#[test]
fn no_rule_cries_wolf_over_what_the_vendor_publishes() {
    let Some(root) = corpus() else { return };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for group in groups(&root).iter().filter(|group| group.server == "curity") {
        let answer = project(group).run("check --format json").json();
        for found in answer["diagnostics"].as_array().expect("diagnostics") {
            let code = found["code"].as_str().expect("a code");
            if JUDGING.contains(&code) {
                *counts.entry(code.to_owned()).or_default() += 1;
            }
        }
    }
    // An account manager that one folder's overlay brings for a server that names it elsewhere, and a redirect to
    // `http://www.product.example/callback`.
    let expected = [("definition-unused", 1), ("redirect-http", 1)];
    assert_eq!(counts, expected.map(|(code, count)| (code.to_owned(), count)).into());
}

#[test]
fn filling_each_placeholder_with_itself_keeps_every_byte() {
    let Some(root) = corpus() else { return };
    let groups = groups(&root);
    let mut filled_groups = 0;
    for group in &groups {
        let profile = ServerProfile::built_in(group.server).expect("built in");
        let source = |file: &PathBuf| {
            let name = file.file_name().expect("a name").to_str().expect("UTF-8");
            Source::new(name, std::fs::read_to_string(file).expect("a text"))
        };
        let (bundle, _) = Bundle::read(group.files.iter().map(source).collect(), &profile);
        let itself: BTreeMap<_, _> = bundle
            .parameters()
            .iter()
            .map(|(name, uses)| (name, bundle.span(&uses[0]).text().to_owned()))
            .collect();
        // What is wrong with the files is wrong with the filled ones, too.
        let Ok(filled) = bundle.fill(&|name| itself.get(name).map(String::as_str)) else {
            continue;
        };
        filled_groups += 1;
        for (before, (path, after)) in bundle.files().iter().zip(filled.files()) {
            assert_eq!(before.path(), path);
            // In YAML's plain text `${X}` is written in quotes: a value with braces can't stand there everywhere.
            let is_yaml = matches!(path.extension(), Some("yaml" | "yml"));
            assert!(
                is_yaml || before.text() == after,
                "{}: `{path}` changed",
                group.folder.display()
            );
        }
    }
    assert!(
        filled_groups * 5 > groups.len() * 4,
        "{filled_groups} of {}",
        groups.len()
    );
}

/// The example, its three env files as they are, and a small base image.
fn gitops(root: &Path) -> Shop {
    let table = |name: &str| {
        let source = match name {
            "staging" => "file:secrets.env".to_owned(),
            _ => format!("env:{}_", name.to_uppercase()),
        };
        format!("[[stage]]\nname = \"{name}\"\nvalues = [\"{name}.env\"]\nsecrets = [\"{source}\"]\n")
    };
    let shop = shop("curity", &STAGES.map(table).concat());
    let example = root.join(GITOPS);
    for file in std::fs::read_dir(example.join("config")).expect("the example") {
        copy(&file.expect("an entry").path(), &shop);
    }
    for stage in STAGES {
        let name = format!("{stage}.env");
        shop.write(
            &name,
            &std::fs::read_to_string(example.join(&name)).expect("an env file"),
        );
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/base-image.sh");
    let made = Command::new("bash")
        .arg(script)
        .args(["base", "1.0"])
        .current_dir(shop.path())
        .output();
    assert!(made.expect("bash").status.success());
    shop
}

/// Values of the parameters that the env files leave out, and of those that `dev.env` leaves blank.
fn secrets() -> Vec<(&'static str, String)> {
    let hash = format!("$5$12345678${}", "a".repeat(43));
    let (part, tail) = ("A".repeat(22) + "==", "z".repeat(43) + "=");
    let key = format!("data:application/p12;aes,v:S.{part}.{part}.QUJD.{tail}");
    vec![
        ("ADMIN_PASSWORD", hash),
        ("DB_CONNECTION", "jdbc:hsqldb:mem:shop;ifexists=true".to_owned()),
        ("DB_PASSWORD", SECRET.to_owned()),
        ("LICENSE_KEY", SECRET.to_owned()),
        ("SIGNING_KEY", key.clone()),
        ("SSL_KEY", key),
        ("SYMMETRIC_KEY", "00112233".repeat(8)),
        ("VERIFICATION_KEY", "data:text/plain,certificate".to_owned()),
        ("WEB_CLIENT_SECRET", SECRET.to_owned()),
    ]
}

fn supply_secrets(shop: &mut Shop) {
    let mut file = String::new();
    for (name, value) in secrets() {
        shop.set(&format!("DEV_{name}"), &value);
        shop.set(&format!("PRODUCTION_{name}"), &value);
        file += &format!("{name}='{value}'\n");
    }
    shop.write("secrets.env", &file);
    let path = shop.path().join("secrets.env");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    shop.set("DEV_RUNTIME_BASE_URL", "https://login.dev.example");
    shop.set("DEV_WEB_BASE_URL", "https://web.dev.example");
    shop.set("DEV_DB_USERNAME", "SA");
}

/// Code, severity and parameter or id of each finding.
fn findings(answer: &Value) -> Vec<String> {
    let found = answer["diagnostics"].as_array().expect("diagnostics").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    found
        .map(|found| {
            let message = text(&found["message"]);
            let named: Vec<_> = message.split('`').skip(1).step_by(2).collect();
            format!(
                "{} {}: {}",
                text(&found["severity"]),
                text(&found["code"]),
                named.join(" ")
            )
        })
        .collect()
}

#[test]
fn the_example_lacks_what_it_lacks() {
    let Some(root) = corpus() else { return };
    let shop = gitops(&root);
    shop.write("secrets.env", "");
    let found = findings(&shop.run("check --format json").ends(1).json());
    let missing = found
        .iter()
        .filter(|line| line.starts_with("error parameter-missing"))
        .count();
    assert_eq!(missing, secrets().len(), "{found:#?}");
    let found = findings(&shop.run("check dev --format json").ends(1).json());
    for name in ["RUNTIME_BASE_URL", "DB_USERNAME", "WEB_BASE_URL"] {
        assert!(
            found.contains(&format!("error parameter-empty: {name} dev")),
            "{found:#?}"
        );
    }
    shop.run("build").ends(1).says("parameter-missing");
}

#[test]
fn the_example_goes_to_production() {
    let Some(root) = corpus() else { return };
    let mut shop = gitops(&root);
    supply_secrets(&mut shop);
    let found = findings(&shop.run("check --format json").ends(1).json());
    assert_eq!(
        found,
        [
            "warning reference-dangling: procedure custom-client-credentials-procedure",
            "error stage-localhost: RUNTIME_BASE_URL production",
            "warning stage-localhost: RUNTIME_BASE_URL staging",
            "warning stage-example-domain: WEB_BASE_URL production web.example.com",
            "warning secret-shared: ADMIN_PASSWORD dev staging production",
            "warning secret-shared: DB_PASSWORD dev staging production",
            "warning secret-shared: SIGNING_KEY dev staging production",
            "warning secret-shared: SSL_KEY dev staging production",
            "warning secret-shared: SYMMETRIC_KEY dev staging production",
            "warning secret-shared: WEB_CLIENT_SECRET dev staging production",
        ]
    );
    shop.done("check dev");
    let built = shop.answer("build");
    assert_eq!(built["stage"], "dev");
    for (from, to) in [("dev", "staging"), ("staging", "production")] {
        assert_eq!(shop.answer(&format!("test {from}"))["result"], "passed");
        let moved = shop.answer(&format!("promote {from} {to}"));
        assert_eq!(
            (&moved["digest"], &moved["moved"]),
            (&built["digest"], &Value::Bool(true))
        );
    }
    assert_eq!(shop.answer("test production")["result"], "passed");
    assert_eq!(shop.status("production")["digest"], built["digest"]);
    assert_eq!(shop.answer("verify production")["problems"], serde_json::json!([]));
    assert_eq!(shop.answer("build")["built"], false);
}
