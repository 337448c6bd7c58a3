//! Approvals and rejections when others can write to the registry, when repositories differ, and when they come late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use iamship::attest::predicate::{Approval, Rejection};
use iamship::attest::{Algorithm, Envelope, Predicate, Record, RecordKind, RecordTag, SigningKey, Statement};
use iamship::image::{Descriptor, Manifest, Tag, media_type};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::support::project::text;
use crate::support::registry::{Canned, TestRegistry, When};
use crate::support::shop::{Shop, seed_base, stage};

const REPOSITORY: &str = "iam/idsvr";

/// A shop whose `staging` asks for an approval, and the keys beside the pipeline's.
struct Scene {
    registry: TestRegistry,
    shop: Shop,
    approver: SigningKey,
    tester: SigningKey,
    stranger: SigningKey,
}

fn scene(stages: impl Fn(&TestRegistry) -> String) -> Scene {
    let registry = TestRegistry::start();
    seed_base(&registry, "vendor/idsvr", "1.0", "the base's layer");
    let mut shop = Shop::with(
        &format!("{}/{REPOSITORY}", registry.address()),
        &format!("{}/vendor/idsvr:1.0", registry.address()),
        &stages(&registry),
    );
    let [approver, tester, stranger] = [(); 3].map(|()| SigningKey::generate(Algorithm::Ed25519).expect("a key"));
    shop.write("keys/approver.pub", &approver.public_key().to_pem());
    shop.write("keys/tester.pub", &tester.public_key().to_pem());
    let toml = shop.read("iamship.toml").replace(
        "[\"keys/test.pub\"]",
        "[\"keys/test.pub\", { key = \"keys/approver.pub\", may = [\"approve\"] }, { key = \"keys/tester.pub\", may = [\"test\"] }]",
    );
    shop.write("iamship.toml", &toml);
    shop.set("IAMSHIP_FINGERPRINT_KEY", "one text on every machine");
    shop.done("build");
    shop.done("test dev");
    Scene {
        registry,
        shop,
        approver,
        tester,
        stranger,
    }
}

fn one_repository(_: &TestRegistry) -> String {
    [
        stage("dev", ""),
        stage("staging", "enter = { approvals = 1 }"),
        stage("prod", ""),
    ]
    .concat()
}

impl Scene {
    fn image(&self, tag: &str) -> Descriptor {
        let image = self.registry.manifest(REPOSITORY, tag).expect("it runs something");
        Manifest::parse(image, Some(media_type::OCI_MANIFEST))
            .expect("a manifest")
            .descriptor()
    }

    fn put(&self, record: &Record, tag: &Tag) {
        self.put_into(REPOSITORY, record, tag);
    }

    fn put_into(&self, repository: &str, record: &Record, tag: &Tag) {
        for (_, bytes) in record.blobs() {
            self.registry.put_blob(repository, bytes.clone());
        }
        let bytes = record.manifest().bytes();
        self.registry
            .put_manifest(repository, tag.as_str(), media_type::OCI_MANIFEST, bytes);
    }

    /// An approval as another machine would have signed and written it.
    fn approve(&self, key: &SigningKey, image: &Descriptor, stage: &str) -> Tag {
        let record = Record::new(RecordKind::Approved, image, &[approval(key, image, stage)]);
        self.put(&record, &record.tag());
        record.tag()
    }

    fn reject(&self, key: &SigningKey, image: &Descriptor) {
        let record = rejection(key, image);
        self.put(&record, &record.tag());
    }

    /// Runs as the approver.
    fn as_approver(&mut self) {
        let key = self.approver.to_plain_pem().expect("PEM").expose_secret().to_owned();
        self.shop.set("TEST_SIGNING_KEY", &key);
    }

    fn as_pipeline(&mut self) {
        let key = self.shop.key.to_plain_pem().expect("PEM").expose_secret().to_owned();
        self.shop.set("TEST_SIGNING_KEY", &key);
    }

    /// Why the promotion is held by this gate alone.
    #[track_caller]
    fn held(&self, line: &str, gate: &str) -> String {
        let document = self.shop.run(&format!("{line} --format json")).ends(1).json();
        let gates = document["gates"].as_array().expect("gates");
        let held: Vec<&Value> = gates.iter().filter(|gate| gate["verdict"] == "hold").collect();
        assert_eq!(held.len(), 1, "{document:#}");
        assert_eq!(held[0]["gate"], gate, "{document:#}");
        format!("{} {}", text(&held[0]["because"]), held[0]["help"])
    }
}

fn approval(key: &SigningKey, image: &Descriptor, stage: &str) -> Envelope {
    let approval = Approval {
        stage: stage.parse().expect("a stage"),
        reason: None,
        allows: Vec::new(),
        at: jiff::Timestamp::now(),
        by: "somebody".to_owned(),
    };
    Envelope::sign(
        &Statement::about("shop", image.digest, Predicate::Approval(approval)),
        key,
    )
}

fn rejection(key: &SigningKey, image: &Descriptor) -> Record {
    let rejection = Rejection {
        stage: None,
        reason: "logins fail".to_owned(),
        at: jiff::Timestamp::now(),
        by: "somebody".to_owned(),
    };
    let envelope = Envelope::sign(
        &Statement::about("shop", image.digest, Predicate::Rejection(rejection)),
        key,
    );
    Record::new(RecordKind::Rejected, image, &[envelope])
}

// --- whose word counts

#[test]
fn an_approval_counts_by_a_key_that_may_and_did_not_build() {
    let scene = scene(one_repository);
    let image = scene.image("dev");
    let explain = "explain dev staging";
    scene.approve(&scene.stranger, &image, "staging");
    assert!(scene.held(explain, "approved").contains("0 of 1"));
    scene.approve(&scene.tester, &image, "staging");
    assert!(scene.held(explain, "approved").contains("0 of 1"));
    scene.approve(&scene.shop.key, &image, "staging");
    assert!(scene.held(explain, "approved").contains("`keys/test.pub` built it"));
    let tag = scene.approve(&scene.approver, &image, "staging");
    scene.shop.done(explain);
    // Taken away again, it holds again.
    scene.registry.delete(REPOSITORY, tag.as_str());
    scene.held("promote dev staging", "approved");
}

#[test]
fn an_approval_is_for_one_digest_and_one_stage() {
    let scene = scene(one_repository);
    let first = scene.image("dev");
    let approved = scene.approve(&scene.approver, &first, "staging");
    scene.shop.done("promote dev staging");
    scene.shop.configure("two");
    scene.shop.done("build");
    scene.shop.done("test dev");
    let second = scene.image("dev");
    assert_ne!(first.digest, second.digest);
    let explain = "explain dev staging";
    scene.held(explain, "approved");
    // The first one's record under the second one's name, and the first one's statement in a record on the second.
    let record = scene
        .registry
        .manifest(REPOSITORY, approved.as_str())
        .expect("the record");
    let parsed = Manifest::parse(record.clone(), Some(media_type::OCI_MANIFEST)).expect("a manifest");
    let tag = RecordTag::new(second.digest, RecordKind::Approved, &parsed.digest()).to_tag();
    scene
        .registry
        .put_manifest(REPOSITORY, tag.as_str(), media_type::OCI_MANIFEST, &record);
    scene.held(explain, "approved");
    let replayed = Record::new(
        RecordKind::Approved,
        &second,
        &[approval(&scene.approver, &first, "staging")],
    );
    scene.put(&replayed, &replayed.tag());
    scene.held(explain, "approved");
    scene.approve(&scene.approver, &second, "prod");
    scene.held(explain, "approved");
    scene.approve(&scene.approver, &second, "staging");
    scene.shop.done(explain);
}

#[test]
fn a_rejection_counts_by_a_key_that_may_only() {
    let scene = scene(one_repository);
    let image = scene.image("dev");
    scene.approve(&scene.approver, &image, "staging");
    for key in [&scene.stranger, &scene.tester] {
        scene.reject(key, &image);
        scene.shop.done("explain dev staging");
    }
    scene.reject(&scene.approver, &image);
    assert!(
        scene
            .held("promote dev staging", "not-rejected")
            .contains("logins fail")
    );
}

#[test]
fn an_image_of_another_project_is_not_approved() {
    let mut scene = scene(one_repository);
    let digest = scene.image("dev").digest;
    let toml = scene.shop.read("iamship.toml");
    scene
        .shop
        .write("iamship.toml", &toml.replace("\"shop\"", "\"another\""));
    scene.as_approver();
    let before = scene.registry.tags(REPOSITORY);
    for line in [
        format!("approve {digest} --for staging"),
        format!("reject {digest} --reason broken"),
    ] {
        scene
            .shop
            .run(&line)
            .ends(2)
            .says("was built from the project `shop`, not from `another`");
    }
    assert_eq!(scene.registry.tags(REPOSITORY), before);
    let verified = scene.shop.run(&format!("verify {digest} --format json")).ends(1).json();
    let problems = verified["problems"].to_string();
    assert!(
        problems.contains("was built from the project `shop`, not from `another`"),
        "{problems}"
    );
    // A version is a tag, which anybody may have moved.
    scene.shop.write("iamship.toml", &toml);
    let bytes = scene.registry.manifest(REPOSITORY, "dev").expect("a manifest");
    scene
        .registry
        .put_manifest(REPOSITORY, "1.0-other", media_type::OCI_MANIFEST, &bytes);
    scene
        .shop
        .run("approve 1.0-other --for staging")
        .ends(2)
        .says("somebody moved it");
}

// --- where they are

#[test]
fn each_decision_is_where_the_next_promotion_reads_it() {
    let mut scene = scene(|registry| {
        let address = registry.address();
        [
            stage("dev", ""),
            stage(
                "staging",
                &format!("repository = [\"{address}/eu/idsvr\", \"{address}/us/idsvr\"]\nenter = {{ approvals = 1 }}"),
            ),
            stage(
                "prod",
                &format!("repository = \"{address}/prod/idsvr\"\nenter = {{ approvals = 1 }}"),
            ),
        ]
        .concat()
    });
    let version = text(&scene.shop.status("dev")["version"]);
    let digest = scene.image("dev").digest;
    scene.as_approver();
    // Not there yet: nothing could be read of it.
    scene
        .shop
        .run(&format!("approve {version} --for prod"))
        .ends(2)
        .says("iamship history staging");
    scene.shop.done(&format!("approve {version} --for staging"));
    scene.as_pipeline();
    scene.shop.done("promote dev staging");
    scene.shop.done("test staging");
    scene.as_approver();
    // A version is known by its name in the project's own repository only.
    let approved = scene.shop.answer(&format!("approve {version} --for prod"));
    assert_eq!(approved["digest"], digest.to_string());
    let approvals = |repository: &str| {
        let tags = scene.registry.tags(repository);
        tags.iter().filter(|tag| tag.contains(".iamship-approved-")).count()
    };
    assert_eq!(
        [approvals(REPOSITORY), approvals("eu/idsvr"), approvals("us/idsvr")],
        [1, 2, 1]
    );
    scene.as_pipeline();
    scene.shop.done("promote staging prod");
    let approvals = scene.registry.tags("prod/idsvr");
    assert_eq!(
        approvals
            .iter()
            .filter(|tag| tag.contains(".iamship-approved-"))
            .count(),
        2
    );
    // One repository that is down keeps no other from hearing of a rejection; the whole was not done.
    scene.as_approver();
    let down = Canned::status(500);
    scene.registry.answer_next(20, "/v2/us/idsvr/", down);
    let ran = scene.shop.run(&format!("reject {version} --reason broken")).ends(3);
    assert!(ran.stderr.contains("rejects it everywhere"), "{}", ran.stderr);
    scene.registry.heal();
    let rejected = |repository: &str| {
        let tags = scene.registry.tags(repository);
        tags.iter().any(|tag| tag.contains(".iamship-rejected-"))
    };
    let everywhere = [REPOSITORY, "eu/idsvr", "us/idsvr", "prod/idsvr"];
    assert_eq!(everywhere.map(rejected), [true, true, false, true]);
    let again = scene.shop.answer(&format!("reject {version} --reason broken"));
    assert_eq!(again["repositories"].as_array().map(Vec::len), Some(4));
    assert_eq!(everywhere.map(rejected), [true; 4]);
    let rows = scene.shop.answer("status")["stages"].clone();
    let rows = rows.as_array().expect("stages");
    assert!(rows.iter().all(|row| row["rejected"] == json!(true)), "{rows:#?}");
}

fn two_regions(registry: &TestRegistry) -> String {
    let address = registry.address();
    let regions = format!("repository = [\"{address}/eu/idsvr\", \"{address}/us/idsvr\"]");
    [stage("dev", ""), stage("staging", &regions), stage("prod", "")].concat()
}

#[test]
fn a_rejection_in_a_stages_second_repository_alone_is_seen_by_every_verb() {
    let mut scene = scene(two_regions);
    let image = scene.image("dev");
    scene.shop.done("promote dev staging");
    scene.shop.done("test staging");
    scene.shop.done("render staging --for env");
    scene.shop.done("explain staging prod");
    let record = rejection(&scene.approver, &image);
    scene.put_into("us/idsvr", &record, &record.tag());
    assert_eq!(scene.shop.status("staging")["rejected"], json!(true));
    let ran = scene.shop.run("render staging --for env").ends(1);
    assert_eq!(ran.stdout, "");
    ran.says("logins fail").says("iamship rollback staging");
    assert!(
        scene
            .held("promote staging prod", "not-rejected")
            .contains("logins fail")
    );
    let verified = scene.shop.run("verify staging --format json").ends(1).json();
    assert!(verified["problems"].to_string().contains("logins fail"), "{verified:#}");
    scene.as_pipeline();
}

#[test]
fn a_repository_that_is_down_keeps_no_other_from_hearing_of_a_rejection() {
    let mut scene = scene(two_regions);
    let digest = scene.image("dev").digest;
    scene.shop.done("promote dev staging");
    scene.as_approver();
    let rejected = |scene: &Scene, repository: &str| {
        let tags = scene.registry.tags(repository);
        tags.iter().any(|tag| tag.contains(".iamship-rejected-"))
    };
    let before = scene.registry.snapshot();
    for (down, hears) in [
        // The project's own one, wholly; and the first one that is read, as soon as a record is asked for.
        (format!("/v2/{REPOSITORY}/"), "us/idsvr"),
        ("/v2/eu/idsvr/manifests/sha256-".to_owned(), REPOSITORY),
    ] {
        scene.registry.restore(&before);
        scene.registry.answer_next(100, &down, Canned::status(500));
        let ran = scene.shop.run(&format!("reject {digest} --reason broken")).ends(3);
        scene.registry.heal();
        assert!(rejected(&scene, hears), "{down}: {}", ran.stderr);
        ran.says("rejects it everywhere");
    }
}

#[test]
fn a_build_brings_no_digest_back_that_was_rejected_or_rolled_back() {
    let mut scene = scene(one_repository);
    let configuration = |scene: &Scene, name: &str| scene.shop.configure(name);
    configuration(&scene, "bad");
    scene.shop.done("build");
    let bad = scene.image("dev");
    scene.shop.done("rollback dev");
    let good = scene.image("dev");
    assert_ne!(good.digest, bad.digest);
    let before = scene.registry.tags(REPOSITORY);
    let ran = scene.shop.run("build").ends(1);
    ran.says("was rolled back from it")
        .says(&format!("iamship rollback dev --to {}", bad.digest));
    assert_eq!(scene.registry.tags(REPOSITORY), before);
    // Whoever wants it back says so; whoever has changed it goes on.
    scene.shop.done(&format!("rollback dev --to {}", bad.digest));
    scene.shop.done("build");
    scene.as_approver();
    scene.shop.done(&format!("reject {} --reason broken", bad.digest));
    scene.as_pipeline();
    configuration(&scene, "other");
    scene.shop.done("build");
    let other = scene.image("dev").digest;
    configuration(&scene, "bad");
    let document = scene.shop.run("build --format json").ends(1).json();
    assert_eq!(document["entered"], json!(false));
    assert!(document["diagnostics"].to_string().contains("broken"), "{document:#}");
    assert_eq!(scene.image("dev").digest, other);
    scene.shop.done("build --no-stage");
}

// --- late

/// Somebody rejects the digest at each moment of its promotion: either the stage stays what it was, or the rejection
/// came after all was looked at, and then the next one is held.
#[test]
fn a_rejection_at_any_moment_of_a_promotion() {
    let scene = scene(one_repository);
    let first = scene.image("dev");
    scene.approve(&scene.approver, &first, "staging");
    scene.shop.done("promote dev staging");
    scene.shop.configure("two");
    scene.shop.done("build");
    scene.shop.done("test dev");
    let second = scene.image("dev");
    scene.approve(&scene.approver, &second, "staging");
    let before = scene.registry.snapshot();
    scene.registry.take_lines();
    scene.shop.done("promote dev staging");
    let lines = scene.registry.take_lines();
    let is_listing = |line: &&String| line.contains("/tags/list");
    let last_listing = lines.iter().rposition(|line| is_listing(&line)).expect("a listing");
    let record = rejection(&scene.approver, &second);
    let (bytes, tag) = (record.manifest().bytes().clone(), record.tag());
    let Scene { registry, mut shop, .. } = scene;
    // The request at which it comes is cut and made again.
    shop.set("IAMSHIP_REGISTRY_TRIES", "5");
    let registry = Arc::new(registry);
    let mut put_back = 0;
    for passing in 0..lines.len() {
        registry.restore(&before);
        let (writer, bytes, tag) = (Arc::downgrade(&registry), bytes.clone(), tag.clone());
        let came = Arc::new(AtomicBool::new(false));
        let has_come = Arc::clone(&came);
        registry.act_after(passing, When::BeforeEffect, move || {
            let writer = writer.upgrade().expect("the registry");
            writer.put_manifest(REPOSITORY, tag.as_str(), media_type::OCI_MANIFEST, &bytes);
            has_come.store(true, Ordering::SeqCst);
        });
        let ran = shop.run("promote dev staging --format json");
        registry.heal();
        assert!(came.load(Ordering::SeqCst), "{passing}");
        let now = registry
            .manifest(REPOSITORY, "staging")
            .map(|bytes| iamship::image::Digest::of(&bytes));
        match ran.code {
            // Passed over: the stage runs the one before already.
            Some(0) if now == Some(first.digest) => assert!(ran.stderr.contains("was rejected"), "{passing}"),
            Some(0) => assert!(
                passing > last_listing,
                "{passing}: {}\n{}",
                lines.join("\n"),
                ran.stderr
            ),
            Some(1) => {
                assert_eq!(now, Some(first.digest), "{passing}: {}", ran.stdout);
                assert!(ran.stdout.contains("rejected it"), "{}", ran.stdout);
                put_back += usize::from(ran.stdout.contains("was put back"));
            }
            code => panic!("{passing}: {code:?} {}{}", ran.stdout, ran.stderr),
        }
        let held = shop.run(&format!("promote dev staging --digest {} --format json", second.digest));
        let held = held.ends(1);
        assert!(held.stdout.contains("\"not-rejected\""), "{passing}: {}", held.stdout);
    }
    assert!(put_back > 3, "{put_back} of {} were put back", lines.len());
}

#[test]
fn a_rejection_in_the_source_alone_is_seen_while_the_image_is_copied() {
    let scene = scene(|registry| {
        let second = format!("repository = \"{}/iam/second\"", registry.address());
        [stage("dev", ""), stage("staging", &second)].concat()
    });
    let image = scene.image("dev");
    let before = scene.registry.snapshot();
    scene.registry.take_lines();
    scene.shop.done("promote dev staging");
    let lines = scene.registry.take_lines();
    let copied = lines.iter().position(|line| line.starts_with("PUT")).expect("a copy");
    let record = rejection(&scene.approver, &image);
    let (bytes, tag) = (record.manifest().bytes().clone(), record.tag());
    let Scene { registry, mut shop, .. } = scene;
    shop.set("IAMSHIP_REGISTRY_TRIES", "5");
    let registry = Arc::new(registry);
    registry.restore(&before);
    let writer = Arc::downgrade(&registry);
    registry.act_after(copied, When::BeforeEffect, move || {
        let writer = writer.upgrade().expect("the registry");
        writer.put_manifest(REPOSITORY, tag.as_str(), media_type::OCI_MANIFEST, &bytes);
    });
    let ran = shop.run("promote dev staging --format json").ends(1);
    assert!(ran.stdout.contains("was put back"), "{}", ran.stdout);
    assert_eq!(registry.manifest("iam/second", "staging"), None);
}
