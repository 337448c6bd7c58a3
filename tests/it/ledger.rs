//! What counts in the ledger when somebody else can write to the registry, and what is read of it.

use std::sync::Arc;

use iamship::attest::predicate::{
    Base, GateOutcome, Outcome, Promotion, PromotionKind, Provenance, TestResult, Verdict,
};
use iamship::attest::{Envelope, Predicate, Record, RecordKind, Statement};
use iamship::image::{Descriptor, Digest, Manifest, Tag, media_type};
use iamship::values::{Fingerprint, SecretsHashed};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::folder::snapshot;
use crate::support::project::{Project, text};
use crate::support::registry::{TestRegistry, When};
use crate::support::shop::{Shop, seed_base, stage};

const REPOSITORY: &str = "iam/idsvr";

/// dev runs an image.
fn built(registry: &TestRegistry) -> (Shop, Descriptor) {
    let shop = Shop::new(registry);
    shop.done("build");
    let image = image(registry, "dev");
    (shop, image)
}

fn image(registry: &TestRegistry, tag: &str) -> Descriptor {
    let image = registry.manifest(REPOSITORY, tag).expect("it runs something");
    let image = Manifest::parse(image, Some(media_type::OCI_MANIFEST)).expect("a manifest");
    image.descriptor()
}

fn put(registry: &TestRegistry, tag: &Tag, record: &Record) {
    for (_, bytes) in record.blobs() {
        registry.put_blob(REPOSITORY, bytes.clone());
    }
    let bytes = record.manifest().bytes();
    registry.put_manifest(REPOSITORY, tag.as_str(), media_type::OCI_MANIFEST, bytes);
}

fn sign(shop: &Shop, image: &Descriptor, predicate: Predicate) -> Envelope {
    Envelope::sign(&Statement::about("shop", image.digest, predicate), &shop.key)
}

/// A result as another machine would have signed it.
fn put_result(registry: &TestRegistry, shop: &Shop, image: &Descriptor, outcome: Outcome, at: Timestamp) -> Tag {
    let result = TestResult {
        outcome,
        stage: "dev".parse().expect("a stage"),
        stage_definition: None,
        suite: "static".to_owned(),
        values: Fingerprint {
            digest: Digest::of(b"values"),
            secrets: SecretsHashed::LeftOut,
            key: None,
        },
        checks: Vec::new(),
        at,
        by: "tester".to_owned(),
        url: None,
    };
    let envelope = sign(shop, image, Predicate::TestResult(result));
    let record = Record::new(RecordKind::Tested, image, &[envelope]);
    put(registry, &record.tag(), &record);
    record.tag()
}

fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).expect("a time")
}

fn because(document: &Value, gate: &str) -> String {
    let gates = document["gates"].as_array().expect("gates");
    let found = gates.iter().find(|each| each["gate"] == gate).expect("the gate");
    format!("{} {}", text(&found["because"]), found["help"])
}

#[test]
fn a_failed_test_whose_tag_was_moved_still_holds() {
    let project = Project::new();
    let digest = project.build();
    project.test("dev");
    let passed = text(&project.json("test dev", 0)["record"]);
    let env = project.read("env/dev.env");
    project.write("env/dev.env", &env.replace("DB_USERNAME=", "# DB_USERNAME="));
    let failed = text(&project.json("test dev", 1)["record"]);
    project.write("env/dev.env", &env);
    let tags = project.store().tags();
    let (tag, _) = tags
        .iter()
        .find(|(tag, target)| **target == failed && tag.contains(".iamship-tested-"))
        .expect("the failure's tag");
    for other in [&passed, &digest] {
        project.store().set_tag(tag, other);
        let held = project.json("explain dev staging", 1);
        assert_eq!(Project::held(&held), ["tested"]);
        assert!(because(&held, "tested").contains(tag.as_str()), "{held:#}");
    }
    project.store().remove_tags(|name| name == tag);
    project.json("explain dev staging", 0);
}

#[test]
fn a_result_after_one_of_a_clock_that_is_ahead_is_the_newest() {
    let registry = TestRegistry::start();
    let (shop, image) = built(&registry);
    let ahead = now().checked_add(SignedDuration::from_secs(120)).expect("a time");
    put_result(&registry, &shop, &image, Outcome::Passed, ahead);
    shop.done("attest tested dev --suite static --result failed");
    let row = shop.status("dev");
    assert_eq!(row["tested"]["result"], "failed", "{row:#}");
    let at: Timestamp = text(&row["tested"]["at"]).parse().expect("a time");
    assert!(at > ahead);
}

#[test]
fn a_result_of_the_future_holds_and_its_tag_is_named() {
    let registry = TestRegistry::start();
    let (shop, image) = built(&registry);
    shop.done("test dev");
    let ahead = now().checked_add(SignedDuration::from_secs(3600)).expect("a time");
    let tag = put_result(&registry, &shop, &image, Outcome::Passed, ahead);
    let held = shop.run("explain dev staging --format json").ends(1).json();
    let because = because(&held, "tested");
    assert!(
        because.contains("later than now") && because.contains(tag.as_str()),
        "{because}"
    );
    registry.delete(REPOSITORY, tag.as_str());
    shop.answer("explain dev staging");
}

#[test]
fn nothing_is_recorded_of_values_that_can_not_be_read() {
    let project = Project::new();
    project.build();
    let env = project.read("env/dev.env");
    let secrets = project.read("secrets/dev.env");
    let refused = |what: &str, code: i32| {
        let before = snapshot(project.root());
        for line in ["test dev", "attest tested dev --suite e2e --result passed"] {
            let run = project.run(line);
            run.expect_code(code);
            assert_eq!(run.stdout, "", "{what}: {line}");
            assert!(run.stderr.contains("iamship check dev"), "{what}: {}", run.stderr);
        }
        assert_eq!(snapshot(project.root()), before, "{what}: {code}");
    };
    project.write("env/dev.env", &format!("{env}\nnot a line of an env file\n"));
    refused("values", 2);
    project.write("env/dev.env", &env);
    project.write("secrets/dev.env", "not a line of an env file\n");
    refused("malformed secrets", 2);
    std::fs::remove_file(project.path("secrets/dev.env")).expect("removed");
    refused("absent secrets", 2);
    project.write("secrets/dev.env", &secrets);
    project.json("test dev", 0);
}

#[test]
fn a_promotion_names_only_what_it_relied_on() {
    let registry = TestRegistry::start();
    let (shop, image) = built(&registry);
    shop.done("attest tested dev --suite static --result failed");
    let later = now().checked_add(SignedDuration::from_secs(1)).expect("a time");
    put_result(&registry, &shop, &image, Outcome::Passed, later);
    shop.done("attest tested dev --suite unasked --result failed");
    shop.done("test dev");
    let record = text(&shop.answer("promote dev staging")["record"]);
    let record = registry.manifest(REPOSITORY, &record).expect("the record");
    let record = Manifest::parse(record, Some(media_type::OCI_MANIFEST)).expect("a manifest");
    let annotations = &record.image().expect("an image").annotations;
    let envelope = annotations["dev.iamship.envelope.1"].clone();
    let envelope = Envelope::parse(envelope).expect("an envelope");
    let statement = envelope.unverified_statement().expect("a statement");
    let Predicate::Summary(summary) = statement.predicate else {
        panic!("no summary")
    };
    // Provenance, parameters, and the newest result of the suite that is asked for.
    assert_eq!(summary.inputs.len(), 3, "{:#?}", summary.inputs);
}

/// A record of a move to staging that is too large to travel inside its manifest; the stage's tag was not moved yet.
fn put_large_move(registry: &TestRegistry, shop: &Shop, image: &Descriptor) -> Digest {
    let stage = "staging".parse().expect("a stage");
    let at = now().checked_sub(SignedDuration::from_secs(60)).expect("a time");
    let promotion = Promotion {
        kind: PromotionKind::Promote,
        stage,
        from: Some("dev".parse().expect("a stage")),
        version: "1".to_owned(),
        previous: Vec::new(),
        replaces: None,
        tag: "staging-2024-01-01-1".parse().expect("a tag"),
        at,
        by: "tester".to_owned(),
        gates: vec![GateOutcome {
            gate: "tested".to_owned(),
            verdict: Verdict::Pass,
            because: "passed ".repeat(10_000),
        }],
        reason: None,
        cleared_hold: None,
        overridden_freeze: None,
        allowed_changes: Vec::new(),
    };
    let stage = promotion.stage.clone();
    let envelope = sign(shop, image, Predicate::Promotion(promotion));
    let record = Record::new(RecordKind::Promoted, image, &[envelope]);
    assert_eq!(record.blobs().len(), 2, "the envelope travels in a blob");
    put(registry, &record.history_tag(&stage, at), &record);
    record.manifest().digest()
}

#[test]
fn a_large_record_of_a_move_that_broke_off_is_taken_up() {
    let registry = TestRegistry::start();
    let repository = format!("{}/{REPOSITORY}", registry.address());
    let second = format!("{}/iam/second", registry.address());
    let stages = [
        stage("dev", ""),
        stage("staging", &format!("repository = [\"{repository}\", \"{second}\"]")),
    ];
    seed_base(&registry, "vendor/idsvr", "1.0", "the base's layer");
    let base = format!("{}/vendor/idsvr:1.0", registry.address());
    let shop = Shop::with(&repository, &base, &stages.concat());
    shop.done("build");
    shop.done("test dev");
    let record = put_large_move(&registry, &shop, &image(&registry, "dev"));
    let done = shop.answer("promote dev staging");
    assert_eq!(done["record"], record.to_string());
    assert_eq!(done["moved"], true);
    assert!(registry.manifest("iam/second", &record.to_string()).is_some());
    assert_eq!(shop.status("staging")["recorded"], true);
}

#[test]
fn records_that_do_not_count_are_not_carried() {
    let registry = TestRegistry::start();
    let repository = format!("{}/{REPOSITORY}", registry.address());
    let second = format!("{}/iam/second", registry.address());
    let stages = [
        stage("dev", ""),
        stage("staging", &format!("repository = \"{second}\"")),
    ];
    seed_base(&registry, "vendor/idsvr", "1.0", "the base's layer");
    let base = format!("{}/vendor/idsvr:1.0", registry.address());
    let shop = Shop::with(&repository, &base, &stages.concat());
    let stranger = Shop::with(&repository, &base, "");
    shop.done("build");
    shop.done("test dev");
    let image = image(&registry, "dev");
    let foreign = put_result(&registry, &stranger, &image, Outcome::Passed, now());
    let junk: Tag = format!("sha256-{}.iamship-sbom-0123456789abcdef", image.digest.hex())
        .parse()
        .expect("a tag");
    let bytes = registry.manifest(REPOSITORY, "dev").expect("a manifest");
    registry.put_manifest(REPOSITORY, junk.as_str(), media_type::OCI_MANIFEST, &bytes);
    shop.done("promote dev staging");
    let tags = registry.tags("iam/second");
    let has = |what: &str| tags.iter().any(|tag| tag.contains(what));
    for kind in [".iamship-built-", ".iamship-sbom-", ".iamship-tested-", ".sig", ".att"] {
        assert!(has(kind), "{kind} in {tags:#?}");
    }
    assert!(!has(foreign.as_str()) && !has(junk.as_str()), "{tags:#?}");
}

#[test]
fn a_stage_that_was_moved_by_hand_is_not_verified() {
    let project = Project::new();
    let first = project.build();
    project.promote("dev", "staging");
    project.change_configuration("second");
    let second = project.build();
    project.json("verify staging", 0);
    project.store().set_tag("staging", &second);
    let document = project.json("verify staging", 1);
    assert!(
        document["problems"].to_string().contains("without a record"),
        "{document:#}"
    );
    // The image itself is good.
    project.json(&format!("verify {second}"), 0);
    project.store().set_tag("staging", &first);
    project.json("verify staging", 0);
}

#[test]
fn a_build_adds_what_half_a_record_lacks() {
    let registry = TestRegistry::start();
    let (shop, image) = built(&registry);
    let own = |tag: &String| tag.contains(".iamship-built-");
    let tag = registry.tags(REPOSITORY).into_iter().find(own).expect("a record");
    registry.delete(REPOSITORY, &tag);
    let provenance = Provenance {
        project: "shop".to_owned(),
        version: "0-half".to_owned(),
        server: "generic".to_owned(),
        base: Base {
            reference: "example.com/base:1".parse().expect("a reference"),
            digest: Digest::of(b"base"),
        },
        source: None,
        inputs: Digest::of(b"inputs"),
        builder_version: "0".to_owned(),
        invocation: None,
        started_on: now(),
        finished_on: "2024-01-01T00:00:00Z".parse().expect("a time"),
    };
    let half = sign(&shop, &image, Predicate::Provenance(provenance));
    let half = Record::new(RecordKind::Built, &image, &[half]);
    put(&registry, &half.tag(), &half);
    shop.run("test dev").ends(2);
    shop.done("build");
    shop.done("test dev");
    // Version and contract come from the whole record, not one of each.
    assert!(text(&shop.status("dev")["version"]).starts_with("1.0-"));
    shop.done("promote dev staging");
}

#[test]
fn a_failed_suite_is_told_though_another_passed_later() {
    let project = Project::new();
    project.build();
    project
        .run("attest tested dev --suite e2e --result failed")
        .expect_code(0);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    project.test("dev");
    let row = project.stage("dev");
    assert_eq!(row["tested"]["suite"], "e2e", "{row:#}");
    assert_eq!(row["tested"]["result"], "failed");
    assert_eq!(row["tests"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_rollback_is_not_kept_from_going_back_by_junk() {
    let registry = TestRegistry::start();
    let (shop, image) = built(&registry);
    shop.done("test dev");
    shop.done("promote dev staging");
    shop.configure("two");
    shop.done("build");
    shop.done("test dev");
    shop.done("promote dev staging");
    let bytes = registry.manifest(REPOSITORY, "dev").expect("a manifest");
    for number in 0..1001 {
        let tag = format!("sha256-{}.iamship-tested-{number:016x}", image.digest.hex());
        registry.put_manifest(REPOSITORY, &tag, media_type::OCI_MANIFEST, &bytes);
    }
    let refused = shop.run(&format!("explain dev staging --digest {}", image.digest));
    refused.ends(3).says(".iamship-tested-*");
    let back = shop.answer("rollback staging");
    assert_eq!(back["digest"], image.digest.to_string());
}

#[test]
fn a_suites_name_must_be_one_that_the_project_could_ask_for() {
    let project = Project::new();
    project.build();
    let before = snapshot(project.root());
    for name in ["E2E!", "", "a/b"] {
        let arguments = ["attest", "tested", "dev", "--result", "passed", "--suite", name];
        let run = crate::support::project::Run::of(project.command(&arguments));
        run.expect_code(2);
    }
    assert_eq!(snapshot(project.root()), before);
}

/// The list that settles races is read after the tags were written: it tells of a test that failed meanwhile, too.
#[test]
fn a_failure_that_comes_while_a_stage_is_moved_puts_it_back() {
    let registry = Arc::new(TestRegistry::start());
    let (mut shop, image) = built(&registry);
    shop.done("test dev");
    let before = registry.snapshot();
    registry.take_lines();
    shop.done("promote dev staging");
    let lines = registry.take_lines();
    // What is listed after the tag was written is read beside other requests: the tag itself has a place of its own.
    let moves = |line: &&String| line.contains("PUT") && line.contains("/manifests/staging");
    let moved = lines.iter().position(|line| moves(&line)).expect("the tag is written");
    let tag = put_result(&registry, &shop, &image, Outcome::Failed, now());
    let record = registry.manifest(REPOSITORY, tag.as_str()).expect("a record");
    registry.restore(&before);
    shop.set("IAMSHIP_REGISTRY_TRIES", "5");
    let writer = Arc::downgrade(&registry);
    registry.act_after(moved, When::BeforeEffect, move || {
        let writer = writer.upgrade().expect("the registry");
        writer.put_manifest(REPOSITORY, tag.as_str(), media_type::OCI_MANIFEST, &record);
    });
    let ran = shop.run("promote dev staging --format json").ends(1);
    registry.heal();
    assert!(because(&ran.json(), "tested").contains("failed in `dev` while `staging` was moved"));
    assert!(registry.manifest(REPOSITORY, "staging").is_none());
}
