//! The program against registries: several at once, hostile ones, dead ones, and such that want to know who is there.

use std::process::Child;
use std::time::{Duration, Instant};

use iamship::attest::{Algorithm, RecordKind, RecordTag, SigningKey, cosign};
use iamship::image::{Digest, Manifest, Tag, media_type};
use serde_json::{Value, json};

use crate::support::registry::{Auth, Canned, TestRegistry};
use crate::support::shop::{PASSWORD, Ran, Shop, base_image, seed_base, stage};

const REPOSITORY: &str = "iam/idsvr";

fn digest(registry: &TestRegistry, repository: &str, tag: &str) -> Option<Digest> {
    Some(Digest::of(&registry.manifest(repository, tag)?))
}

fn own(registry: &TestRegistry, tag: &str) -> Option<Digest> {
    digest(registry, REPOSITORY, tag)
}

/// `dev` runs a tested second image, `staging` the first one.
fn ready(registry: &TestRegistry) -> Shop {
    let shop = Shop::new(registry);
    for line in ["build", "test dev", "promote dev staging"] {
        shop.done(line);
    }
    shop.configure("two");
    shop.done("build");
    shop.done("test dev");
    shop
}

fn start(shop: &Shop, line: &str) -> Child {
    shop.command(line).spawn().expect("the program starts")
}

fn end(child: Child) -> Ran {
    Ran::of(child.wait_with_output().expect("ended"))
}

// --- two at once

#[test]
fn of_two_promotions_at_once_one_wins_and_both_are_told() {
    let registry = TestRegistry::start();
    let shop = ready(&registry);
    let (first, second) = (
        own(&registry, "staging").expect("one"),
        own(&registry, "dev").expect("two"),
    );
    shop.configure("three");
    shop.done("build");
    shop.done("test dev");
    let third = own(&registry, "dev").expect("three");
    let before = registry.snapshot();
    for _ in 0..3 {
        registry.restore(&before);
        registry.slow(Duration::from_millis(40));
        let lines = [second, third].map(|digest| format!("promote dev staging --digest {digest} --allow-older"));
        let children = [start(&shop, &lines[0]), start(&shop, &lines[1])];
        let ran = children.map(end);
        registry.heal();
        let now = own(&registry, "staging").expect("a tag");
        assert!(now == second || now == third, "{now} is neither, and not {first}");
        let done = ran.iter().filter(|ran| ran.code == Some(0)).count();
        assert_eq!(done, 1, "{}\n---\n{}", ran[0].stderr, ran[1].stderr);
        let winner = if now == second { &ran[0] } else { &ran[1] };
        assert_eq!(
            winner.code,
            Some(0),
            "the one that was told `done` is the one whose digest runs"
        );
        let row = shop.status("staging");
        assert_eq!(row["digest"], now.to_string());
        assert_eq!(row["recorded"], true, "{row}");
        let other = if now == second { third } else { second };
        shop.done(&format!("promote dev staging --digest {other} --allow-older"));
        assert_eq!(own(&registry, "staging"), Some(other));
        assert_eq!(shop.status("staging")["raced"], false);
    }
}

#[test]
fn a_promotion_and_a_rollback_at_once_leave_one_of_both() {
    let registry = TestRegistry::start();
    let shop = ready(&registry);
    shop.done("promote dev staging");
    shop.configure("three");
    shop.done("build");
    shop.done("test dev");
    let newest = own(&registry, "dev").expect("three");
    registry.slow(Duration::from_millis(40));
    let children = [start(&shop, "promote dev staging"), start(&shop, "rollback staging")];
    let ran = children.map(end);
    registry.heal();
    let done: Vec<bool> = ran.iter().map(|ran| ran.code == Some(0)).collect();
    let now = own(&registry, "staging").expect("a tag");
    match done[..] {
        [true, false] => assert_eq!(now, newest),
        [false, true] => assert_ne!(now, newest),
        _ => panic!("{}\n---\n{}", ran[0].stderr, ran[1].stderr),
    }
    assert_eq!(shop.status("staging")["recorded"], true);
    // A rollback that won holds the stage until somebody names it; one that lost does not.
    let held = shop.status("staging")["held"]["record"].as_str().map(str::to_owned);
    assert_eq!(held.is_some(), done[1]);
    let named = held.map(|record| format!(" --clear-hold {record}")).unwrap_or_default();
    shop.done(&format!("promote dev staging{named}"));
    assert_eq!(own(&registry, "staging"), Some(newest));
}

// --- regions

struct Regions {
    home: TestRegistry,
    abroad: TestRegistry,
    shop: Shop,
}

/// `staging` is in three repositories on two registries.
fn regions(abroad: TestRegistry) -> Regions {
    let home = TestRegistry::start();
    let stages = [
        stage("dev", ""),
        stage(
            "staging",
            &format!(
                "repository = [\"{0}/eu/idsvr\", \"{0}/us/idsvr\", \"{1}/asia/idsvr\"]",
                home.address(),
                abroad.address()
            ),
        ),
    ];
    let shop = Shop::with(
        &format!("{}/{REPOSITORY}", home.address()),
        &format!("{}/vendor/idsvr:1.0", home.address()),
        &stages.concat(),
    );
    seed_base(&home, "vendor/idsvr", "1.0", "the base's layer");
    shop.done("build");
    shop.done("test dev");
    Regions { home, abroad, shop }
}

impl Regions {
    fn staging(&self) -> [Option<Digest>; 3] {
        [
            digest(&self.home, "eu/idsvr", "staging"),
            digest(&self.home, "us/idsvr", "staging"),
            digest(&self.abroad, "asia/idsvr", "staging"),
        ]
    }

    fn next(&self) -> Digest {
        self.shop.configure("two");
        self.shop.done("build");
        self.shop.done("test dev");
        own(&self.home, "dev").expect("two")
    }
}

#[test]
fn regions_move_together_or_are_put_back() {
    let regions = regions(TestRegistry::start());
    let first = own(&regions.home, "dev");
    regions.shop.done("promote dev staging");
    assert_eq!(regions.staging(), [first; 3]);
    let second = Some(regions.next());
    // Refused at the tag of the third.
    let refusal = Canned::error(403, "DENIED");
    regions
        .abroad
        .answer_next(1, "PUT /v2/asia/idsvr/manifests/staging", refusal);
    let ran = regions.shop.run("promote dev staging").ends(3);
    ran.says("put back").says("the same command again");
    assert_eq!(regions.staging(), [first; 3]);
    regions.shop.done("promote dev staging");
    assert_eq!(regions.staging(), [second; 3]);
    let row = regions.shop.status("staging");
    assert_eq!((&row["recorded"], &row["divided"]), (&json!(true), &json!([])), "{row}");
    // One history, not one a try.
    let history = regions.shop.answer("history staging");
    assert_eq!(history["entries"].as_array().map(Vec::len), Some(2), "{history}");
}

#[test]
fn a_region_whose_answer_got_lost_is_put_back_too() {
    let regions = regions(TestRegistry::start());
    let first = own(&regions.home, "dev");
    regions.shop.done("promote dev staging");
    regions.next();
    // It takes the tag, and says 500.
    let reached = regions.home.manifest(REPOSITORY, "dev").expect("two");
    regions
        .abroad
        .answer_next(1, "PUT /v2/asia/idsvr/manifests/staging", Canned::status(500));
    regions.shop.run("promote dev staging").ends(3);
    assert_eq!(regions.staging(), [first; 3]);
    regions
        .abroad
        .put_manifest("asia/idsvr", "staging", media_type::OCI_MANIFEST, &reached);
    regions.shop.done("promote dev staging");
}

#[test]
fn a_region_that_had_nothing_is_emptied_again_or_said_to_be_moved() {
    for deletes in [true, false] {
        let home = TestRegistry::builder();
        let abroad = if deletes { home } else { home.no_tag_deletion() }.start();
        let home = TestRegistry::start();
        let stages = [
            stage("dev", ""),
            stage(
                "staging",
                &format!(
                    "repository = [\"{}/asia/idsvr\", \"{}/eu/idsvr\"]",
                    abroad.address(),
                    home.address()
                ),
            ),
        ];
        let shop = Shop::with(
            &format!("{}/{REPOSITORY}", home.address()),
            &format!("{}/vendor/idsvr:1.0", home.address()),
            &stages.concat(),
        );
        seed_base(&home, "vendor/idsvr", "1.0", "the base's layer");
        shop.done("build");
        shop.done("test dev");
        home.answer_next(1, "PUT /v2/eu/idsvr/manifests/staging", Canned::error(403, "DENIED"));
        let ran = shop.run("promote dev staging").ends(3);
        if deletes {
            ran.says("put back");
            assert_eq!(digest(&abroad, "asia/idsvr", "staging"), None);
        } else {
            ran.says("could NOT be put back");
        }
        shop.done("promote dev staging");
        assert_eq!(digest(&home, "eu/idsvr", "staging"), own(&home, "dev"));
        assert_eq!(digest(&abroad, "asia/idsvr", "staging"), own(&home, "dev"));
    }
}

#[test]
fn another_registry_gets_the_image_with_everything_that_is_said_of_it() {
    let regions = regions(TestRegistry::start());
    let image = own(&regions.home, "dev").expect("an image");
    // Somebody signed the same digest over there already.
    let foreign = SigningKey::generate(Algorithm::P256).expect("a key");
    let payload = cosign::signature_payload("elsewhere/idsvr", &image, &Default::default());
    let signed = cosign::append_signature(None, &payload, &foreign.public_key(), &foreign.sign(&payload))
        .expect("signs")
        .expect("something to add");
    for (_, bytes) in &signed.blobs {
        regions.abroad.put_blob("asia/idsvr", bytes.clone());
    }
    let tag = cosign::signature_tag(&image);
    let bytes = signed.manifest.bytes();
    regions
        .abroad
        .put_manifest("asia/idsvr", tag.as_str(), signed.manifest.media_type(), bytes);
    regions.shop.done("promote dev staging");
    let there = regions.abroad.tags("asia/idsvr");
    for kind in [RecordKind::Built, RecordKind::Sbom, RecordKind::Tested] {
        let found = there.iter().filter_map(|tag| RecordTag::parse(&tag.parse().ok()?));
        assert!(found.into_iter().any(|record| record.kind == kind), "{kind}: {there:?}");
    }
    let layers = |tag: &Tag| {
        let bytes = regions.abroad.manifest("asia/idsvr", tag.as_str()).expect("there");
        let manifest = Manifest::parse(bytes, Some(media_type::OCI_MANIFEST)).expect("a manifest");
        let layers = manifest.image().expect("an image").layers.clone();
        for layer in &layers {
            assert!(regions.abroad.blob("asia/idsvr", &layer.digest).is_some(), "{tag}");
        }
        layers.len()
    };
    assert_eq!(layers(&tag), 2, "the foreign signature and ours");
    // Provenance, parameters, SBOM, test, summary.
    assert_eq!(layers(&cosign::attestation_tag(&image)), 5);
    let reference = format!("{}/asia/idsvr:staging", regions.abroad.address());
    regions.shop.done(&format!("verify {reference}"));
    // What is known there is enough to go on from there.
    regions.shop.done("test staging");
}

// --- hostile

#[test]
fn a_listing_that_fails_is_never_an_empty_one() {
    let registry = TestRegistry::start();
    let shop = ready(&registry);
    let staging = own(&registry, "staging");
    for status in [401, 403, 404, 429, 500, 503] {
        for line in [
            "promote dev staging",
            "rollback staging",
            "status",
            "history staging",
            "build",
            "test dev",
        ] {
            registry.answer_next(20, "/tags/list", Canned::status(status));
            let ran = shop.run(line);
            registry.heal();
            assert_eq!(ran.code, Some(3), "{status} {line}: {}{}", ran.stdout, ran.stderr);
        }
    }
    assert_eq!(own(&registry, "staging"), staging);
}

#[test]
fn a_page_that_is_no_listing_is_not_read_as_one() {
    let registry = TestRegistry::start();
    let shop = ready(&registry);
    for body in [
        "",
        "{}",
        "<html>sign in</html>",
        "[]",
        "{\"name\":\"iam/idsvr\",\"tags\":7}",
    ] {
        registry.answer_next(2, "/tags/list", Canned::status(200).body(body));
        shop.run("promote dev staging").ends(3);
        registry.heal();
    }
}

#[test]
fn changed_manifests_are_found_out() {
    let registry = TestRegistry::start();
    let shop = ready(&registry);
    // Other bytes under the record's name, of the same length.
    let tags = registry.tags(REPOSITORY);
    for name in tags
        .iter()
        .filter(|name| name.contains(".iamship-built-") || name.contains(".iamship-tested-"))
    {
        let bytes = registry.manifest(REPOSITORY, name).expect("there");
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let changed = text.replacen("\"schemaVersion\":2", "\"schemaVersion\":2 ", 1);
        let answer = Canned::status(200)
            .header("content-type", media_type::OCI_MANIFEST)
            .header("docker-content-digest", &Digest::of(text.as_bytes()).to_string())
            .body(changed);
        registry.answer_next(1, &format!("manifests/{name}"), answer);
    }
    shop.run("promote dev staging").ends(3).says("it was changed");
}

#[test]
fn a_changed_layer_fails_the_test_and_the_verification() {
    let registry = TestRegistry::start();
    let shop = ready(&registry);
    let manifest = registry.manifest(REPOSITORY, "dev").expect("an image");
    let manifest = Manifest::parse(manifest, Some(media_type::OCI_MANIFEST)).expect("a manifest");
    let layer = manifest
        .image()
        .expect("an image")
        .layers
        .last()
        .expect("a layer")
        .digest;
    registry.corrupt_blob(&layer);
    shop.run("test dev").ends(3).says("it was changed");
    let verified = shop.run("verify dev --format json").ends(1).json();
    assert!(
        verified["problems"][0]
            .as_str()
            .is_some_and(|text| text.contains("changed")),
        "{verified}"
    );
}

#[test]
fn a_record_of_another_digest_does_not_count_for_this_one() {
    let registry = TestRegistry::start();
    let shop = Shop::new(&registry);
    shop.done("build");
    shop.done("test dev");
    let first = own(&registry, "dev").expect("one");
    shop.configure("two");
    shop.done("build");
    let second = own(&registry, "dev").expect("two");
    // The first one's test, under a name that says it is the second one's.
    for name in registry.tags(REPOSITORY) {
        if name.contains(&first.hex()) && name.contains(".iamship-tested-") {
            let bytes = registry.manifest(REPOSITORY, &name).expect("there");
            let replayed = name.replace(&first.hex(), &second.hex());
            registry.put_manifest(REPOSITORY, &replayed, media_type::OCI_MANIFEST, &bytes);
        }
    }
    let ran = shop.run(&format!("promote dev staging --digest {second} --format json"));
    assert_ne!(ran.code, Some(0), "{}", ran.stdout);
    assert_eq!(own(&registry, "staging"), None);
}

#[test]
fn a_promotion_replayed_under_a_newer_name_is_not_the_newest() {
    let registry = TestRegistry::start();
    let shop = ready(&registry);
    let old = registry
        .tags(REPOSITORY)
        .into_iter()
        .find(|name| name.starts_with("iamship-staging-"));
    let old = old.expect("a record");
    shop.done("promote dev staging");
    let now = own(&registry, "staging");
    let bytes = registry.manifest(REPOSITORY, &old).expect("there");
    let (_, id) = old.rsplit_once('-').expect("a name");
    let replayed = format!("iamship-staging-20990101T000000Z-{id}");
    registry.put_manifest(REPOSITORY, &replayed, media_type::OCI_MANIFEST, &bytes);
    let row = shop.status("staging");
    assert_eq!(row["digest"], now.expect("two").to_string());
    assert_eq!(row["recorded"], true, "{row}");
    assert_eq!(
        shop.answer("history staging")["entries"].as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn a_tag_that_was_moved_by_hand_is_told_and_not_promoted_over() {
    let registry = TestRegistry::start();
    let shop = ready(&registry);
    let image = registry.manifest("vendor/idsvr", "1.0").expect("the base");
    registry.put_manifest(REPOSITORY, "staging", media_type::OCI_MANIFEST, &image);
    assert_eq!(shop.status("staging")["recorded"], false);
    shop.run("promote dev staging").ends(1);
    assert_eq!(own(&registry, "staging"), Some(Digest::of(&image)));
}

#[test]
fn a_newest_promotion_that_was_deleted_leaves_the_stage_unrecorded() {
    let registry = TestRegistry::start();
    let shop = ready(&registry);
    shop.done("promote dev staging");
    let names = registry.tags(REPOSITORY);
    let newest = names
        .iter()
        .filter(|name| name.starts_with("iamship-staging-"))
        .max()
        .expect("a record");
    registry.delete(REPOSITORY, newest);
    assert_eq!(shop.status("staging")["recorded"], false);
}

#[test]
fn a_hundred_history_tags_of_garbage_do_not_hide_what_is_there() {
    let registry = TestRegistry::start();
    let shop = ready(&registry);
    let staging = own(&registry, "staging");
    let junk = json!({"schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": {"mediaType": "a/b",
        "digest": Digest::of(b"{}"), "size": 2}, "layers": []});
    for number in 0..100 {
        let id = &Digest::of(format!("{number}").as_bytes()).hex()[..16];
        let name = format!(
            "iamship-staging-2099010{}T0000{:02}Z-{id}",
            1 + number / 60,
            number % 60
        );
        registry.put_manifest(REPOSITORY, &name, media_type::OCI_MANIFEST, junk.to_string().as_bytes());
    }
    let row = shop.status("staging");
    assert_eq!(row["digest"], staging.expect("one").to_string());
    assert_eq!(row["recorded"], true, "{row}");
    assert_eq!(
        shop.answer("history staging")["entries"].as_array().map(Vec::len),
        Some(1)
    );
    shop.done("promote dev staging");
    assert_eq!(own(&registry, "staging"), own(&registry, "dev"));
}

#[test]
fn ten_thousand_foreign_tags_are_only_a_longer_list() {
    let registry = TestRegistry::builder().page(1000).start();
    let shop = ready(&registry);
    let image = registry.manifest("vendor/idsvr", "1.0").expect("the base");
    for number in 0..10_000 {
        registry.put_manifest(REPOSITORY, &format!("ci-{number}"), media_type::OCI_MANIFEST, &image);
    }
    shop.done("promote dev staging");
}

#[test]
fn what_others_sign_does_not_count() {
    let registry = TestRegistry::start();
    let mut shop = Shop::new(&registry);
    shop.done("build");
    // Another key tests it; only the first is trusted.
    let trusted = std::mem::replace(&mut shop.key, SigningKey::generate(Algorithm::P256).expect("a key"));
    shop.run("test dev");
    shop.key = trusted;
    let held = shop.run("promote dev staging --format json");
    assert_eq!(held.code, Some(1), "{}", held.stderr);
    assert_eq!(own(&registry, "staging"), None);
}

// --- who is there

fn with_auth(auth: Auth) -> (TestRegistry, Shop) {
    let registry = TestRegistry::builder().auth(auth).start();
    let shop = Shop::new(&registry);
    (registry, shop)
}

/// Everything that the main job needs.
fn main_job(shop: &Shop) -> String {
    let mut said = String::new();
    for line in ["build -vv", "test dev -vv", "promote dev staging -vv", "status -vv"] {
        let ran = shop.done(line);
        said.push_str(&ran.stdout);
        said.push_str(&ran.stderr);
    }
    said
}

const SECRET: &str = "s3cret-of-the-registry";

#[test]
fn credentials_from_the_environment_and_from_dockers_file() {
    for auth in [Auth::basic("robot", SECRET), Auth::token("robot", SECRET)] {
        let (registry, mut shop) = with_auth(auth.clone());
        shop.run("build").ends(3).says("docker login");
        shop.set("IAMSHIP_REGISTRY_USERNAME", "robot");
        shop.set("IAMSHIP_REGISTRY_PASSWORD", SECRET);
        let said = main_job(&shop);
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("robot:{SECRET}"));
        for secret in [SECRET, PASSWORD, encoded.as_str(), "Bearer ", "PRIVATE KEY"] {
            assert!(!said.contains(secret), "`{secret}` in\n{said}");
        }
        for bytes in registry.everything() {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(SECRET) && !text.contains(PASSWORD), "{text}");
        }
        shop.set("IAMSHIP_REGISTRY_PASSWORD", "wrong");
        let ran = shop.run("status").ends(3).says("IAMSHIP_REGISTRY_PASSWORD");
        assert!(!ran.stderr.contains("wrong"), "{}", ran.stderr);

        let (registry, mut shop) = with_auth(auth);
        let config = json!({"auths": {registry.address(): {"auth": encoded}}});
        shop.write("docker/config.json", &config.to_string());
        let folder = shop.path().join("docker");
        shop.set("DOCKER_CONFIG", folder.to_str().expect("text"));
        let said = main_job(&shop);
        assert!(!said.contains(SECRET) && !said.contains(&encoded), "{said}");
    }
}

#[test]
fn a_dead_registry_is_told_at_once() {
    let registry = TestRegistry::start();
    let shop = ready(&registry);
    drop(registry);
    let started = Instant::now();
    for line in [
        "build",
        "test dev",
        "promote dev staging",
        "status",
        "history dev",
        "verify dev",
        "rollback dev",
    ] {
        shop.run(line).ends(3).says("can't be reached");
    }
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_busy_registry_is_waited_for() {
    let registry = TestRegistry::start();
    let mut shop = ready(&registry);
    shop.set("IAMSHIP_REGISTRY_TRIES", "5");
    let busy = Canned::status(429).header("retry-after", "1");
    registry.answer_next(2, "/tags/list", busy.clone());
    registry.answer_next(1, "PUT /v2/iam/idsvr/manifests/staging", busy);
    let started = Instant::now();
    shop.done("promote dev staging");
    // Three waits of a second, two of them side by side at best.
    assert!(started.elapsed() >= Duration::from_secs(2));
    assert_eq!(own(&registry, "staging"), own(&registry, "dev"));
}

// --- bases elsewhere

/// The highest resident memory of a process that runs, in bytes.
#[cfg(target_os = "linux")]
fn peak(child: &mut Child) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("waits").is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) * 1024);
        std::thread::sleep(Duration::from_millis(5));
    }
    peak
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_base_in_another_registry_is_streamed() {
    let (home, vendor) = (TestRegistry::start(), TestRegistry::start());
    let shop = Shop::with(
        &format!("{}/{REPOSITORY}", home.address()),
        &format!("{}/vendor/idsvr:1.0", vendor.address()),
        &stage("dev", ""),
    );
    let size = 200 << 20;
    seed_base(&vendor, "vendor/idsvr", "1.0", vec![7; size]);
    let mut child = start(&shop, "build");
    let peak = peak(&mut child);
    end(child).ends(0);
    assert!(own(&home, "dev").is_some());
    let moved = home.requests().iter().map(|request| request.received).max();
    assert_eq!(moved, Some(size));
    // An unoptimised build of the program included.
    assert!(peak > 0 && peak < 100 << 20, "{peak} bytes");
}

#[test]
fn a_base_in_a_layout_folder() {
    let registry = TestRegistry::start();
    let shop = Shop::with(
        &format!("{}/{REPOSITORY}", registry.address()),
        "oci:base#1.0",
        &[stage("dev", ""), stage("staging", "")].concat(),
    );
    let (manifest, blobs) = base_image("the base's layer".into());
    for bytes in blobs.iter().chain([manifest.bytes()]) {
        let path = shop.path().join("base/blobs/sha256").join(Digest::of(bytes).hex());
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        std::fs::write(path, bytes).expect("written");
    }
    shop.write("base/oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
    let mut entry: Value = serde_json::to_value(manifest.descriptor()).expect("JSON");
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "1.0"});
    shop.write(
        "base/index.json",
        &json!({"schemaVersion": 2, "manifests": [entry]}).to_string(),
    );
    for line in ["build", "test dev", "promote dev staging", "verify staging"] {
        shop.done(line);
    }
    assert_eq!(own(&registry, "staging"), own(&registry, "dev"));
}
