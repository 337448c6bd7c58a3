//! `iamship promote` and `iamship explain`: the last tested digest, when every gate passes.

use serde_json::{Value, json};

use crate::support::folder::snapshot;
use crate::support::layout::LayoutFolder;
use crate::support::project::{Project, is_digest, key_pair, masked, text};

const GATES: [&str; 13] = [
    "order",
    "signed",
    "provenance",
    "not-rejected",
    "tested",
    "soak",
    "approved",
    "values",
    "changes",
    "freeze",
    "not-older",
    "held",
    "unchanged",
];

/// dev runs an image that is tested there.
fn tested() -> (Project, String) {
    let project = Project::new();
    let digest = project.build();
    project.test("dev");
    (project, digest)
}

fn holds(project: &Project, arguments: &str, gate: &str) -> Value {
    let before = snapshot(project.root());
    let document = project.json(arguments, 1);
    assert_eq!(Project::held(&document), [gate], "{document:#}");
    assert_eq!(document["moved"], false);
    assert_eq!(document["record"], Value::Null);
    assert_eq!(
        snapshot(project.root()),
        before,
        "a gate held and something was written"
    );
    let held = document["gates"]
        .as_array()
        .expect("gates")
        .iter()
        .find(|g| g["verdict"] == "hold");
    let held = held.expect("one").clone();
    assert!(held["help"].as_array().is_some_and(|help| !help.is_empty()), "{held}");
    held
}

#[test]
fn the_answer_has_what_scripts_rely_on() {
    let (project, digest) = tested();
    let version = project.stage("dev")["version"].clone();
    let done = project.json("promote dev staging", 0);
    assert_eq!(done["from"], "dev");
    assert_eq!(done["to"], "staging");
    assert_eq!(done["digest"], digest.as_str());
    assert_eq!(done["version"], version);
    assert!(done.as_object().expect("fields").contains_key("previous"));
    assert_eq!(done["previous"], Value::Null);
    assert_eq!(done["moved"], true);
    assert!(is_digest(&done["record"]), "{done}");
    let gates = done["gates"].as_array().expect("gates");
    let names: Vec<_> = gates.iter().map(|gate| text(&gate["gate"])).collect();
    assert_eq!(names, GATES);
    for gate in gates {
        assert_eq!(gate["verdict"], "pass");
        assert!(gate["because"].is_string());
        assert_eq!(gate["help"], json!([]));
    }
    assert_eq!(
        done["repositories"],
        json!([{ "repository": "oci:.iamship/store", "reference": "oci:.iamship/store#staging", "moved": true }])
    );
    assert_eq!(project.store().tag("staging"), Some(digest));
}

#[test]
fn a_second_promotion_has_nothing_to_do() {
    let (project, digest) = tested();
    let first = project.json("promote dev staging", 0);
    let before = snapshot(project.root());
    let second = project.json("promote dev staging", 0);
    assert_eq!(second["moved"], false);
    assert_eq!(second["digest"], digest.as_str());
    assert_eq!(second["previous"], digest.as_str());
    assert_eq!(second["record"], first["record"]);
    assert_eq!(snapshot(project.root()), before);
}

#[test]
fn the_immutable_tag_counts_the_days_promotions() {
    let (project, first) = tested();
    project.run("promote dev staging").expect_code(0);
    project.change_configuration("second");
    let second = project.build();
    project.promote("dev", "staging");
    let tags = project.store().tags();
    let mut dated: Vec<_> = tags.iter().filter(|(tag, _)| tag.starts_with("staging-")).collect();
    dated.sort();
    let [(one, one_digest), (two, two_digest)] = dated[..] else {
        panic!("two dated tags: {tags:?}")
    };
    assert!(
        one.ends_with("-1") && (two.ends_with("-2") || two.ends_with("-1")),
        "{one} {two}"
    );
    assert_eq!((one_digest, two_digest), (&first, &second));
}

#[test]
fn dry_run_and_explain_agree_with_the_promotion_and_write_nothing() {
    let (project, _) = tested();
    let before = snapshot(project.root());
    let dry = project.json("promote dev staging --dry-run", 0);
    let explained = project.json("explain dev staging", 0);
    assert_eq!(snapshot(project.root()), before);
    assert_eq!(dry["moved"], false);
    assert_eq!(explained["moved"], false);
    assert_eq!(explained["gates"], dry["gates"]);
    let done = project.json("promote dev staging", 0);
    assert_eq!(done["gates"], dry["gates"]);
    assert_eq!(done["digest"], explained["digest"]);
}

#[test]
fn what_was_never_tested_is_held() {
    let project = Project::new();
    project.build();
    let held = holds(&project, "promote dev staging", "tested");
    assert!(text(&held["help"][0]).starts_with("iamship test dev"), "{held}");
    let explained = project.json("explain dev staging", 1);
    assert_eq!(Project::held(&explained), ["tested"]);
}

#[test]
fn the_last_tested_digest_moves_and_the_newer_one_is_told() {
    let (project, older) = tested();
    project.change_configuration("newer");
    let newer = project.build();
    let run = project.run("promote dev staging");
    run.expect_code(0);
    assert!(
        run.stderr.contains(&format!(
            "`dev` runs {newer}, which is newer and has not passed its tests"
        )),
        "{}",
        run.stderr
    );
    assert_eq!(project.store().tag("staging"), Some(older.clone()));
    project.test("dev");
    let done = project.json("promote dev staging", 0);
    assert_eq!(done["digest"], newer.as_str());
    assert_eq!(done["previous"], older.as_str());
}

#[test]
fn a_failed_result_after_a_pass_is_passed_over() {
    let (project, older) = tested();
    project.change_configuration("newer");
    project.build();
    project.test("dev");
    project
        .run("attest tested dev --suite static --result failed")
        .expect_code(0);
    let done = project.json("promote dev staging", 0);
    assert_eq!(done["digest"], older.as_str());
}

#[test]
fn no_stage_is_skipped() {
    let (project, _) = tested();
    let held = project.json("promote dev prod", 1);
    assert_eq!(Project::held(&held), ["order"]);
    project.run("promote prod dev").expect_code(2);
    let backwards = {
        project.run("promote dev staging").expect_code(0);
        project.test("staging");
        project.json("promote staging dev", 1)
    };
    assert!(Project::held(&backwards).contains(&"order".to_owned()), "{backwards}");
    project.run("promote dev dev").expect_code(2);
}

#[test]
fn an_unknown_stage_is_told_with_a_suggestion() {
    let (project, _) = tested();
    for arguments in [
        "promote dev stagin",
        "promote de staging",
        "explain dev stagin",
        "test stagin",
        "history stagin",
    ] {
        let run = project.run(arguments);
        run.expect_code(2);
        assert_eq!(run.stdout, "");
        assert!(run.stderr.contains("help: is `"), "{arguments}: {}", run.stderr);
    }
}

#[test]
fn a_digest_that_is_named_is_taken() {
    let (project, first) = tested();
    let version = text(&project.stage("dev")["version"]);
    project.change_configuration("second");
    project.build();
    project.test("dev");
    let done = project.json(&format!("promote dev staging --digest {version} --dry-run"), 0);
    assert_eq!(done["digest"], first.as_str());
    let done = project.json(&format!("promote dev staging --digest {first}"), 0);
    assert_eq!(done["digest"], first.as_str());
    let absent = format!("sha256:{}", "0".repeat(64));
    project
        .run(&format!("promote dev staging --digest {absent}"))
        .expect_code(2);
    project.run("promote dev staging --digest sha256:12").expect_code(2);
    project
        .run("promote dev staging --digest 9.9-000000000000")
        .expect_code(2);
}

#[test]
fn backwards_only_when_it_is_asked_for() {
    let (project, first) = tested();
    project.run("promote dev staging").expect_code(0);
    project.change_configuration("second");
    project.build();
    project.promote("dev", "staging");
    holds(&project, &format!("promote dev staging --digest {first}"), "not-older");
    let done = project.json(&format!("promote dev staging --digest {first} --allow-older"), 0);
    assert_eq!(done["moved"], true);
    assert_eq!(project.store().tag("staging"), Some(first));
}

#[test]
fn the_target_must_run_what_is_expected() {
    let (project, first) = tested();
    project.run("promote dev staging").expect_code(0);
    project.change_configuration("second");
    project.build();
    project.test("dev");
    let other = format!("sha256:{}", "0".repeat(64));
    holds(
        &project,
        &format!("promote dev staging --expect-current {other}"),
        "unchanged",
    );
    project.json(&format!("promote dev staging --expect-current {first}"), 0);
    project
        .run("promote dev staging --expect-current rubbish")
        .expect_code(2);
}

#[test]
fn a_tag_moved_by_hand_holds_until_it_is_named() {
    let (project, first) = tested();
    project.run("promote dev staging").expect_code(0);
    project.change_configuration("second");
    let second = project.build();
    project.test("dev");
    // By hand to something that was never promoted here.
    project.store().set_tag("staging", &second);
    assert_eq!(project.stage("staging")["recorded"], false);
    holds(&project, "promote dev staging", "unchanged");
    project.json(&format!("promote dev staging --expect-current {second}"), 0);
    assert_eq!(project.stage("staging")["recorded"], true);
    // By hand back to what ran before: that is no unfinished move.
    project.store().set_tag("staging", &first);
    let row = project.stage("staging");
    assert_eq!(
        (&row["recorded"], &row["unfinished"]),
        (&json!(false), &json!(false)),
        "{row}"
    );
    holds(&project, "promote dev staging", "unchanged");
    let done = project.json(&format!("promote dev staging --expect-current {first}"), 0);
    assert_eq!(done["digest"], second.as_str());
    assert_eq!(project.store().tag("staging"), Some(second));
    assert_eq!(project.stage("staging")["recorded"], true);
}

#[test]
fn a_stage_that_lacks_a_value_is_held() {
    let (project, _) = tested();
    let good = project.read("env/staging.env");
    for (bad, word) in [
        (good.replace("DB_USERNAME=", "# DB_USERNAME="), "DB_USERNAME"),
        (good.replace("DB_USERNAME=idsvr", "DB_USERNAME="), "DB_USERNAME"),
        (
            good.replace("RUNTIME_BASE_URL=https://", "RUNTIME_BASE_URL="),
            "RUNTIME_BASE_URL",
        ),
    ] {
        project.write("env/staging.env", &bad);
        let held = holds(&project, "promote dev staging", "values");
        assert!(text(&held["because"]).contains(word), "{held}");
    }
    project.write("env/staging.env", &good);
    project.json("promote dev staging", 0);
}

#[test]
fn changed_values_make_a_test_stale() {
    let (project, _) = tested();
    let good = project.read("env/dev.env");
    project.edit("env/dev.env", "shop.dev", "other.dev");
    assert_eq!(project.stage("dev")["tested"]["stale"], true);
    holds(&project, "promote dev staging", "tested");
    project.write("env/dev.env", &good);
    assert_eq!(project.stage("dev")["tested"]["stale"], false);
    // A secret counts too, though it is nowhere to be read.
    project.edit("secrets/dev.env", "example-db-password-dev", "another-password-dev");
    assert_eq!(project.stage("dev")["tested"]["stale"], true);
    holds(&project, "promote dev staging", "tested");
    project.test("dev");
    project.json("promote dev staging", 0);
}

#[test]
fn a_key_that_nobody_trusts_proves_nothing() {
    let (project, digest) = tested();
    project.write("keys/iamship.pub", &key_pair().1);
    for verb in ["explain", "promote"] {
        let document = project.json(&format!("{verb} dev staging"), 1);
        assert_eq!(document["digest"], digest.as_str());
        let held = Project::held(&document);
        for gate in ["order", "signed", "provenance", "tested", "values"] {
            assert!(held.contains(&gate.to_owned()), "{held:?}");
        }
    }
    // What it would sign would not count either.
    for arguments in ["build", "attest tested dev --suite e2e --result passed"] {
        let run = project.run(arguments);
        run.expect_code(2);
        assert!(!run.stderr.is_empty());
    }
    assert_eq!(project.store().tag("staging"), None);
    let row = project.stage("dev");
    assert_eq!((&row["signed"], &row["recorded"]), (&json!(false), &json!(false)));
    let verified = project.json("verify dev", 1);
    assert_eq!(verified["signed_by"], json!([]));
}

#[test]
fn a_missing_signature_holds() {
    let (project, _) = tested();
    assert_eq!(project.store().remove_tags(|tag| tag.ends_with(".sig")), 1);
    holds(&project, "promote dev staging", "signed");
    // The same build again signs it.
    project.run("build").expect_code(0);
    project.json("promote dev staging", 0);
}

#[test]
fn records_that_were_taken_away_hold() {
    let (project, _) = tested();
    assert_eq!(project.store().remove_tags(|tag| tag.contains(".iamship-built-")), 1);
    let document = project.json("promote dev staging", 1);
    let held = Project::held(&document);
    for gate in ["provenance", "tested", "values"] {
        assert!(held.contains(&gate.to_owned()), "{held:?}");
    }
    project.run("build").expect_code(0);
    project.json("promote dev staging", 0);
    assert_eq!(project.store().remove_tags(|tag| tag.contains(".iamship-tested-")), 1);
    project.change_configuration("second");
    project.build();
    assert_eq!(Project::held(&project.json("explain dev staging", 1)), ["tested"]);
}

#[test]
fn a_record_that_was_tampered_with_stops_it() {
    let (project, _) = tested();
    let store = project.store();
    let tags = store.tags();
    let (_, record) = tags
        .iter()
        .find(|(tag, _)| tag.contains(".iamship-tested-"))
        .expect("a record");
    let path = store.blob_path(record);
    let mut bytes = std::fs::read(&path).expect("a record");
    let last = bytes.len() - 10;
    bytes[last] ^= 1;
    std::fs::write(path, bytes).expect("written");
    let run = project.run("promote dev staging");
    assert_ne!(run.code, Some(0), "{run:?}");
    assert!(run.code != Some(101) && !run.stderr.is_empty(), "{run:?}");
    assert_eq!(store.tag("staging"), None);
}

#[test]
fn what_is_promised_for_one_digest_does_not_count_for_another() {
    let (project, first) = tested();
    project.change_configuration("second");
    let second = project.build();
    // The first one's record under a tag that claims to be about the second.
    let store = project.store();
    let mut index = store.index();
    let entries = index["manifests"].as_array_mut().expect("entries");
    for entry in entries.iter_mut() {
        let tag = &mut entry["annotations"]["org.opencontainers.image.ref.name"];
        if let Some(name) = tag.as_str().filter(|name| name.contains(".iamship-tested-")) {
            *tag = name.replace(&first[7..], &second[7..]).into();
        }
    }
    store.write_index(&index);
    let document = project.json(&format!("promote dev staging --digest {second}"), 1);
    assert_eq!(Project::held(&document), ["tested"]);
}

#[test]
fn regions_move_together() {
    let project = Project::new();
    project.edit(
        "iamship.toml",
        "name    = \"prod\"",
        "name    = \"prod\"\nrepository = [\"oci:eu\", \"oci:us\"]",
    );
    project.build();
    project.promote("dev", "staging");
    let done = project.promote("staging", "prod");
    let digest = text(&done["digest"]);
    assert_eq!(
        done["repositories"],
        json!([
            { "repository": "oci:eu", "reference": "oci:eu#prod", "moved": true },
            { "repository": "oci:us", "reference": "oci:us#prod", "moved": true },
        ])
    );
    for name in ["eu", "us"] {
        let region = LayoutFolder(project.path(name));
        assert_eq!(region.tag("prod"), Some(digest.clone()));
        assert_eq!(region.flaws(), Vec::<String>::new());
        // Everything that is said of it came along: a verifier needs nothing but this store.
        let verified = project.json(&format!("verify oci:{name}#prod"), 0);
        assert_eq!(verified["signed_by"], json!(["keys/iamship.pub"]));
        let kinds: Vec<_> = verified["statements"]
            .as_array()
            .expect("statements")
            .iter()
            .map(|statement| text(&statement["kind"]))
            .collect();
        for kind in ["provenance", "sbom", "parameters", "tested", "promoted", "vsa"] {
            assert!(kinds.contains(&kind.to_owned()), "{name} lacks {kind}: {kinds:?}");
        }
    }
    assert_eq!(project.stage("prod")["repository"], "oci:eu");
    assert_eq!(project.json("promote staging prod", 0)["moved"], false);
    // One region that lags behind is brought along.
    LayoutFolder(project.path("us")).remove_tags(|tag| tag == "prod");
    assert_eq!(project.stage("prod")["divided"], json!(["oci:us"]));
    let again = project.json("promote staging prod", 0);
    assert_eq!(again["repositories"][0]["moved"], false);
    assert_eq!(again["repositories"][1]["moved"], true);
}

#[test]
fn a_region_that_fails_leaves_the_others_as_they_were() {
    let project = Project::new();
    project.edit(
        "iamship.toml",
        "name    = \"prod\"",
        "name    = \"prod\"\nrepository = [\"oci:eu\", \"oci:us\"]",
    );
    project.build();
    project.promote("dev", "staging");
    project.write("us/oci-layout", "{\"imageLayoutVersion\":\"9.0.0\"}");
    project.test("staging");
    project.run("promote staging prod").expect_code(3);
    assert!(!project.path("eu/index.json").exists() || LayoutFolder(project.path("eu")).tag("prod").is_none());
    std::fs::remove_dir_all(project.path("us")).expect("removed");
    project.json("promote staging prod", 0);
}

#[test]
fn six_at_once_of_one_digest_leave_one_state() {
    for _ in 0..3 {
        let (project, digest) = tested();
        let outputs = at_once(&project, &["promote dev staging"; 6]);
        for output in &outputs {
            assert!(
                [Some(0), Some(3)].contains(&output.status.code()),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        assert!(outputs.iter().any(|output| output.status.success()));
        settled(&project, &digest);
    }
}

#[test]
fn six_at_once_of_different_digests_leave_one_of_them() {
    let project = Project::new();
    let mut commands = Vec::new();
    for number in 0..3 {
        project.change_configuration(&format!("number {number}"));
        let digest = project.build();
        project.test("dev");
        commands.push(format!("promote dev staging --allow-older --digest {digest}"));
    }
    let commands: Vec<&str> = commands.iter().chain(&commands).map(String::as_str).collect();
    let outputs = at_once(&project, &commands);
    for output in &outputs {
        let code = output.status.code();
        assert!(
            [Some(0), Some(1), Some(3)].contains(&code),
            "{code:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert!(outputs.iter().any(|output| output.status.success()));
    let current = project.store().tag("staging").expect("it runs one");
    settled(&project, &current);
    // Nothing that happened is lost: each success is in the history.
    let history = project.json("history staging --limit 50", 0);
    let on_record: Vec<_> = history["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|e| text(&e["record"]))
        .collect();
    for output in outputs.iter().filter(|output| output.status.success()) {
        let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(on_record.contains(&text(&document["record"])), "{document}");
    }
}

fn at_once(project: &Project, commands: &[&str]) -> Vec<std::process::Output> {
    let children: Vec<_> = commands
        .iter()
        .map(|arguments| {
            let words: Vec<_> = arguments.split(' ').chain(["--format", "json"]).collect();
            let mut command = project.command(&words);
            command
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped());
            command.spawn().expect("runs")
        })
        .collect();
    children
        .into_iter()
        .map(|child| child.wait_with_output().expect("ends"))
        .collect()
}

/// The stage runs the digest, whole, on record; and it can go on from there.
fn settled(project: &Project, digest: &str) {
    assert_eq!(project.store().flaws(), Vec::<String>::new());
    let row = project.stage("staging");
    assert_eq!(row["digest"], digest);
    assert_eq!(row["recorded"], true, "{row}");
    project.json("verify staging", 0);
    project.promote("staging", "prod");
    project.change_configuration("what comes after");
    let next = project.build();
    project.promote("dev", "staging");
    assert_eq!(project.store().tag("staging"), Some(next));
    assert_eq!(project.stage("staging")["raced"], false);
}

#[test]
fn people_read_each_gate_with_its_reason() {
    let project = Project::new();
    project.build();
    let run = project.run("explain dev staging");
    run.expect_code(1);
    insta::assert_snapshot!(masked(&run.stdout), @r"
    held  `staging` stays as it is: 1 gate holds back sha256:… (1.0-…)
      pass  order         `staging` comes after `dev`
      pass  signed        signed by keys/iamship.pub
      pass  provenance    built outside of git, says keys/iamship.pub
      pass  not-rejected  nobody rejected it
      hold  tested        suite `static` has no result in `dev` for sha256:…
                          help: iamship test dev --digest sha256:…
      pass  soak          no time to soak in `dev` is asked for
      pass  approved      no approval is asked for to enter `staging`
      pass  values        `staging` gives all 12 parameters a value
      pass  changes       `staging` runs nothing yet
      pass  freeze        no freeze is set for `staging`
      pass  not-older     `staging` runs nothing yet
      pass  held          no rollback holds `staging`
      pass  unchanged     `staging` runs nothing yet
    ");
}

#[test]
fn where_nobody_is_trusted_the_first_line_says_so() {
    let project = Project::new();
    project.run("build").expect_code(0);
    project.edit("iamship.toml", "trusted = [\"keys/iamship.pub\"]", "trusted = []");
    for line in ["promote dev staging", "rollback dev", "test dev"] {
        let run = project.run(line);
        run.expect_code(2);
        assert!(
            run.stderr.starts_with("error: this project trusts no key"),
            "{line}: {}",
            run.stderr
        );
    }
    let run = project.run("status");
    run.expect_code(0);
    assert!(
        run.stderr.contains("warning: this project trusts no key"),
        "{}",
        run.stderr
    );
    let run = project.run("build");
    run.expect_code(2);
    assert!(run.stderr.contains("does not trust the signing key"), "{}", run.stderr);
}

#[test]
fn the_wrong_way_round_is_told_before_an_empty_stage() {
    let project = Project::new();
    project.run("build").expect_code(0);
    let run = project.run("promote prod dev");
    run.expect_code(2);
    assert!(run.stderr.contains("error: `dev` is the first stage"), "{}", run.stderr);
    assert!(run.stderr.contains("help: iamship build"), "{}", run.stderr);
}

#[test]
fn values_that_can_not_be_read_are_not_called_changed() {
    let project = Project::new();
    for line in ["build", "test dev"] {
        project.run(line).expect_code(0);
    }
    std::fs::remove_file(project.path("secrets/dev.env")).expect("removed");
    let document = project.json("promote dev staging", 1);
    let gates = document["gates"].as_array().expect("gates");
    let tested = gates.iter().find(|gate| gate["gate"] == "tested").expect("asked");
    assert_eq!(tested["verdict"], "hold");
    assert_eq!(tested["help"], serde_json::json!(["iamship check dev"]));
}
