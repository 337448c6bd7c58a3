//! `iamship build`: the image, its version, and the same bytes everywhere.

use serde_json::{Value, json};

use crate::support::base::{Dialect, FACTORY_FILE};
use crate::support::folder::snapshot;
use crate::support::layout::LayoutFolder;
use crate::support::project::{Project, Run, is_digest, text};

#[test]
fn the_answer_has_what_scripts_rely_on() {
    let project = Project::new();
    let base = project.bases().image("1.0", Dialect::Oci, "base").to_string();
    let built = project.json("build", 0);
    assert!(is_digest(&built["digest"]), "{built}");
    let version = text(&built["version"]);
    let hex = version.strip_prefix("1.0-").expect("the base's version");
    assert!(
        hex.len() == 12 && hex.bytes().all(|b| b.is_ascii_hexdigit()),
        "{version}"
    );
    assert_eq!(built["reference"], format!("oci:.iamship/store#{version}"));
    assert_eq!(built["stage"], "dev");
    assert_eq!(built["built"], true);
    assert_eq!(built["platforms"], json!(["linux/amd64"]));
    assert_eq!(built["base"], json!({ "reference": "oci:base#1.0", "digest": base }));

    let again = project.json("build", 0);
    assert_eq!(again["built"], false);
    assert_eq!(again["digest"], built["digest"]);
    assert_eq!(again["stage"], "dev");
}

#[test]
fn it_tags_the_version_and_enters_the_first_stage() {
    let project = Project::new();
    let built = project.json("build", 0);
    let tags = project.store().tags();
    let digest = text(&built["digest"]);
    assert_eq!(tags[&text(&built["version"])], digest);
    assert_eq!(tags["dev"], digest);
    let dated = tags.keys().find(|tag| tag.starts_with("dev-") && tag.ends_with("-1"));
    let dated = dated.unwrap_or_else(|| panic!("no immutable tag in {tags:?}"));
    assert_eq!(dated.len(), "dev-2026-11-24-1".len());
    assert_eq!(tags[dated], digest);
}

#[test]
fn without_a_stage_only_the_version_is_tagged() {
    let project = Project::new();
    let built = project.json("build --no-stage", 0);
    assert_eq!(built["stage"], Value::Null);
    assert_eq!(project.store().tag("dev"), None);
    assert_eq!(
        project.store().tag(&text(&built["version"])),
        Some(text(&built["digest"]))
    );
    // The next one lets it enter and makes nothing.
    let again = project.json("build", 0);
    assert_eq!(again["built"], false);
    assert_eq!(project.store().tag("dev"), Some(text(&built["digest"])));
}

#[test]
fn two_checkouts_on_different_days_give_one_digest() {
    let one = Project::new();
    let other = one.checkout();
    let digest = one.build();
    for path in ["config/services.xml", "config/environment.xml", "iamship.toml"] {
        let file = std::fs::File::options()
            .write(true)
            .open(other.path(path))
            .expect("opens");
        let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        file.set_modified(then).expect("a time");
    }
    let script = r#"umask 077; chmod 600 config/*.xml; exec "$0" build --format json"#;
    let program = env!("CARGO_BIN_EXE_iamship");
    let mut command = other.command(&[]);
    let environment: Vec<_> = command
        .get_envs()
        .map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned)))
        .collect();
    command = std::process::Command::new("sh");
    command
        .args(["-c", script, program])
        .current_dir(other.root())
        .env_clear();
    command.envs(environment.into_iter().filter_map(|(name, value)| Some((name, value?))));
    command.env("TZ", "Pacific/Kiritimati").env("LANG", "de_DE.UTF-8");
    let run = Run::of(command);
    run.expect_code(0);
    assert_eq!(run.document()["digest"], digest);
}

#[test]
fn a_commit_changes_nothing_in_the_image() {
    let project = Project::new();
    let digest = project.build();
    for arguments in [
        vec!["init", "-q"],
        vec!["add", "config", "iamship.toml", "iamship.lock"],
        vec![
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.com",
            "commit",
            "-qm",
            "first",
        ],
    ] {
        let status = std::process::Command::new("git")
            .args(arguments)
            .current_dir(project.root())
            .status();
        assert!(status.expect("git runs").success());
    }
    assert_eq!(project.build(), digest);
}

#[test]
fn another_configuration_is_another_image() {
    let project = Project::new();
    let first = project.build();
    project.change_configuration("more");
    let second = project.json("build", 0);
    assert_ne!(second["digest"], first.as_str());
    assert_eq!(second["built"], true);
    assert_eq!(project.store().tag("dev"), Some(text(&second["digest"])));
}

#[test]
fn an_error_in_the_configuration_writes_nothing() {
    let project = Project::new();
    project.edit("config/services.xml", "</config>", "");
    let before = snapshot(project.root());
    let refused = project.json("build", 1);
    assert!(refused["errors"].as_u64() > Some(0), "{refused}");
    assert_eq!(refused["built"], false);
    assert_eq!(refused["digest"], Value::Null);
    assert!(
        refused["diagnostics"].as_array().is_some_and(|all| !all.is_empty()),
        "{refused}"
    );
    assert_eq!(snapshot(project.root()), before);
    let told = project.run("build");
    told.expect_code(1);
    assert_eq!(told.stdout, "");
    assert!(told.stderr.contains("config/services.xml:"), "{}", told.stderr);
}

#[test]
fn what_the_first_stage_lacks_stops_it_and_what_a_later_one_lacks_does_not() {
    let project = Project::new();
    project.edit("env/prod.env", "DB_USERNAME=", "# DB_USERNAME=");
    project.run("build").expect_code(0);
    project.edit("env/dev.env", "DB_USERNAME=", "# DB_USERNAME=");
    let run = project.run("build");
    run.expect_code(1);
    assert!(run.stderr.contains("DB_USERNAME"), "{}", run.stderr);
    project.run("build --no-stage").expect_code(0);
}

#[test]
fn a_dry_run_writes_nothing_and_knows_the_digest() {
    let project = Project::new();
    let before = snapshot(project.root());
    let planned = project.json("build --dry-run", 0);
    assert_eq!(snapshot(project.root()), before);
    assert_eq!(project.build(), text(&planned["digest"]));
    assert_eq!(planned["built"], true);
    let after = snapshot(project.root());
    assert_eq!(project.json("build --dry-run", 0)["built"], false);
    assert_eq!(snapshot(project.root()), after);
}

#[test]
fn the_layer_replaces_the_factory_configuration() {
    let project = Project::new();
    let digest = project.build();
    let layer = project.store().last_layer(&digest);
    let folder = FACTORY_FILE.rsplit_once('/').expect("a folder").0;
    assert!(
        layer.contains_key(&format!("{folder}/.wh..wh..opq")),
        "{:?}",
        layer.keys()
    );
    let services = &layer[&format!("{folder}/services.xml")];
    assert_eq!(services.text, project.read("config/services.xml"));
    assert_eq!(services.owner, (10001, 10000));
    assert_eq!(services.mode & 0o777, 0o644);
    let times: std::collections::BTreeSet<_> = layer.values().map(|entry| entry.modified).collect();
    assert_eq!(times.len(), 1, "one fixed time");
}

#[test]
fn configuration_of_the_image_is_the_bases_with_labels() {
    let project = Project::new();
    let built = project.json("build", 0);
    let store = project.store();
    let manifest = store.json(&text(&built["digest"]));
    let config = store.json(&text(&manifest["config"]["digest"]));
    assert_eq!(config["created"], "2026-01-01T00:00:00Z");
    assert_eq!(config["config"]["User"], "10001:10000");
    assert_eq!(config["config"]["Cmd"], json!(["idsvr"]));
    assert_eq!(config["x-vendor"], json!({ "kept": true }));
    let labels = &config["config"]["Labels"];
    assert_eq!(labels["vendor"], "example");
    assert_eq!(labels["org.opencontainers.image.title"], "identity-server");
    assert_eq!(labels["org.opencontainers.image.version"], built["version"]);
    assert_eq!(labels["org.opencontainers.image.base.name"], "oci:base#1.0");
    assert_eq!(labels["org.opencontainers.image.base.digest"], built["base"]["digest"]);
    let (layers, diffs) = (&manifest["layers"], &config["rootfs"]["diff_ids"]);
    assert_eq!(layers.as_array().map(Vec::len), diffs.as_array().map(Vec::len));
}

#[test]
fn a_docker_base_gives_a_docker_image() {
    let project = Project::without_base();
    project.bases().image("1.0", Dialect::Docker, "base");
    let digest = project.build();
    let manifest = project.store().json(&digest);
    assert_eq!(
        manifest["mediaType"],
        "application/vnd.docker.distribution.manifest.v2+json"
    );
    for layer in manifest["layers"].as_array().expect("layers") {
        assert_eq!(layer["mediaType"], Dialect::Docker.layer());
    }
    project.promote("dev", "staging");
    project.json("verify staging", 0);
}

#[test]
fn an_index_stays_one_with_all_its_platforms() {
    for dialect in [Dialect::Oci, Dialect::Docker] {
        let project = Project::without_base();
        let base = project.bases().index("1.0", dialect);
        let built = project.json("build", 0);
        assert_eq!(built["platforms"], json!(["linux/amd64", "linux/arm64"]));
        let store = project.store();
        let index = store.json(&text(&built["digest"]));
        let base = LayoutFolder(project.path("base")).json(&base.to_string());
        assert_eq!(index["mediaType"], base["mediaType"]);
        let entries = index["manifests"].as_array().expect("entries");
        assert_eq!(
            entries.len(),
            2,
            "a statement about the base is none about this image: {index}"
        );
        let last: std::collections::BTreeSet<_> = entries
            .iter()
            .map(|entry| {
                let manifest = store.json(&text(&entry["digest"]));
                text(&manifest["layers"].as_array().and_then(|l| l.last()).expect("a layer")["digest"])
            })
            .collect();
        assert_eq!(last.len(), 1, "one configuration on every platform");
        project.promote("dev", "staging");
        let verified = project.json("verify staging", 0);
        assert_eq!(verified["digest"], built["digest"]);
    }
}

#[test]
fn a_zstd_layer_is_carried_as_it_is() {
    let project = Project::without_base();
    let (_, layer) = project.bases().zstd_image("1.0");
    let digest = project.build();
    let manifest = project.store().json(&digest);
    assert_eq!(manifest["layers"][0]["digest"], layer.digest.to_string());
    assert_eq!(manifest["layers"][0]["mediaType"], layer.media_type);
    assert_eq!(project.store().flaws(), Vec::<String>::new());
    project.promote("dev", "staging");
}

#[test]
fn the_lock_file_holds_though_the_bases_tag_moves() {
    let project = Project::new();
    let first = project.json("build", 0);
    project.bases().image("1.0", Dialect::Oci, "a newer base");
    let second = project.json("build", 0);
    assert_eq!(second["digest"], first["digest"]);
    assert_eq!(second["built"], false);
    let lock = project.json("lock --update", 0);
    let third = project.json("build", 0);
    assert_ne!(third["digest"], first["digest"]);
    assert_eq!(third["base"]["digest"], lock["digest"]);
}

#[test]
fn a_base_that_is_gone_is_told_with_a_mend() {
    let project = Project::new();
    project.run("lock").expect_code(0);
    std::fs::remove_dir_all(project.path("base")).expect("removed");
    let run = project.run("build");
    run.expect_code(3);
    assert!(run.stderr.contains("base"), "{}", run.stderr);
    assert!(run.stderr.contains("help: "), "{}", run.stderr);
    std::fs::remove_file(project.path("iamship.lock")).expect("removed");
    project.run("build").expect_code(3);
}

#[test]
fn without_a_key_nothing_is_tagged() {
    let mut project = Project::new();
    project.set(crate::support::project::KEY_VARIABLE, "");
    let run = project.run("build");
    run.expect_code(2);
    assert!(run.stderr.contains("SHOP_SIGNING_KEY"), "{}", run.stderr);
    let index = project.path(".iamship/store/index.json");
    assert!(
        !index.exists() || project.store().tags().is_empty(),
        "{:?}",
        project.store().tags()
    );
}

#[test]
fn a_version_that_somebody_moved_is_refused() {
    let project = Project::new();
    let first = project.json("build", 0);
    project.change_configuration("second");
    let second = project.json("build", 0);
    project
        .store()
        .set_tag(&text(&second["version"]), &text(&first["digest"]));
    let run = project.run("build");
    run.expect_code(3);
    assert!(run.stderr.contains("somebody moved it"), "{}", run.stderr);
}

#[test]
fn six_at_once_make_one_image() {
    let project = Project::new();
    project.run("lock").expect_code(0);
    let children: Vec<_> = (0..6)
        .map(|_| {
            let mut command = project.command(&["build", "--format", "json"]);
            command
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped());
            command.spawn().expect("runs")
        })
        .collect();
    let outputs: Vec<_> = children
        .into_iter()
        .map(|child| child.wait_with_output().expect("ends"))
        .collect();
    for output in &outputs {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(project.store().flaws(), Vec::<String>::new());
    let digest = project.build();
    assert_eq!(project.store().tag("dev"), Some(digest));
    assert_eq!(project.stage("dev")["recorded"], true);
    project.promote("dev", "staging");
    project.json("verify staging", 0);
}
