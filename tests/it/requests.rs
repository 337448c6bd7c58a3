//! What the verbs of the main job ask of a registry: how many requests, and how many one after the other.

use std::time::Duration;

use iamship::attest::{Algorithm, SigningKey};
use secrecy::ExposeSecret as _;

use crate::support::registry::{Builder, Request, TestRegistry};
use crate::support::shop::{Shop, seed_base, seed_moves, stage};

/// The most requests of which each began when the one before it had been answered.
fn rounds(requests: &[Request]) -> usize {
    let mut sorted: Vec<&Request> = requests.iter().collect();
    sorted.sort_by_key(|request| request.began);
    let mut depths: Vec<usize> = Vec::new();
    for (at, request) in sorted.iter().enumerate() {
        let before = (0..at).filter(|other| sorted[*other].ended <= request.began);
        depths.push(1 + before.map(|other| depths[other]).max().unwrap_or(0));
    }
    depths.into_iter().max().unwrap_or(0)
}

fn told(requests: &[Request]) -> String {
    let Some(first) = requests.iter().map(|request| request.began).min() else {
        return String::new();
    };
    let mut sorted: Vec<&Request> = requests.iter().collect();
    sorted.sort_by_key(|request| request.began);
    let lines = sorted.iter().map(|request| {
        let began = request.began.duration_since(first).as_millis();
        let (received, sent) = (request.received, request.sent);
        format!("{began:5} {} ({received} in, {sent} out)\n", request.line())
    });
    lines.collect()
}

/// Requests and rounds of one run.
struct Cost {
    requests: usize,
    rounds: usize,
    sent: usize,
    log: Vec<Request>,
}

/// Runs with a slow registry, so that what could go side by side does.
fn cost(registry: &TestRegistry, shop: &Shop, line: &str) -> Cost {
    registry.take_lines();
    registry.slow(Duration::from_millis(100));
    shop.done(line);
    registry.heal();
    let log = registry.requests();
    Cost {
        requests: log.len(),
        rounds: rounds(&log),
        sent: log.iter().map(|request| request.sent).sum(),
        log,
    }
}

impl Cost {
    #[track_caller]
    fn at_most(&self, requests: usize, rounds: usize) {
        let good = self.requests <= requests && self.rounds <= rounds;
        assert!(
            good,
            "{} requests, {} rounds\n{}",
            self.requests,
            self.rounds,
            told(&self.log)
        );
    }
}

/// A second promotion: the stage runs something, and its history has an entry.
fn second_promotion(builder: Builder) -> (TestRegistry, Shop, Cost) {
    let registry = builder.start();
    let shop = Shop::new(&registry);
    for name in ["one", "two"] {
        shop.configure(name);
        shop.done("build");
        shop.done("test dev");
        if name == "one" {
            shop.done("promote dev staging");
            // Records tell the time in seconds: what comes now must be seen to come later.
            std::thread::sleep(Duration::from_millis(1_100));
        }
    }
    let cost = cost(&registry, &shop, "promote dev staging");
    (registry, shop, cost)
}

/// What the stage runs and what comes are compared: two configuration layers, read beside the histories.
#[test]
fn a_promotion_is_twenty_two_requests_and_eight_of_them_in_sequence() {
    let (_, _, cost) = second_promotion(TestRegistry::builder().referrers_api());
    cost.at_most(22, 8);
    let blobs = cost
        .log
        .iter()
        .filter(|request| request.path.contains("/blobs/sha256:"));
    let layers = blobs.filter(|request| request.method == "GET").count();
    assert_eq!(layers, 2, "{}", told(&cost.log));
}

/// A move is found by its stage's history tags: OCI's fallback list of referrers is not written for it.
#[test]
fn a_promotion_without_the_referrers_api_is_as_many() {
    let (_, _, cost) = second_promotion(TestRegistry::builder());
    cost.at_most(22, 8);
}

/// No request is made twice: neither the same question, nor the same answer.
#[test]
fn a_promotion_asks_nothing_twice() {
    let (_, _, cost) = second_promotion(TestRegistry::builder().referrers_api());
    let reads = cost.log.iter().filter(|request| request.method == "GET");
    let mut paths: Vec<&str> = reads.map(|request| request.path.as_str()).collect();
    paths.sort_unstable();
    let all = paths.len();
    paths.dedup();
    // The tags are listed again after the record was written: that is how a rival is seen.
    assert_eq!(paths.len(), all - 1, "{}", told(&cost.log));
}

/// Nothing is asked about what nobody has said; what somebody has, is one request each.
#[test]
fn each_approval_is_one_request_more() {
    let registry = TestRegistry::builder().referrers_api().start();
    let mut shop = Shop::new(&registry);
    let toml = shop.read("iamship.toml");
    let [ada, bob] = [(); 2].map(|()| SigningKey::generate(Algorithm::Ed25519).expect("a key"));
    shop.write("keys/ada.pub", &ada.public_key().to_pem());
    shop.write("keys/bob.pub", &bob.public_key().to_pem());
    let trusted = "[\"keys/test.pub\", \"keys/ada.pub\", \"keys/bob.pub\"]";
    let toml = toml.replace("[\"keys/test.pub\"]", trusted);
    let staging = "name = \"staging\"";
    let toml = toml.replace(staging, &format!("{staging}\nenter = {{ approvals = 2 }}"));
    shop.write("iamship.toml", &toml);
    shop.set("IAMSHIP_FINGERPRINT_KEY", "one text on every machine");
    shop.done("build");
    shop.done("test dev");
    let own = shop.key.to_plain_pem().expect("PEM").expose_secret().to_owned();
    for key in [&ada, &bob] {
        shop.set("TEST_SIGNING_KEY", key.to_plain_pem().expect("PEM").expose_secret());
        let version = shop.status("dev")["version"].as_str().expect("a version").to_owned();
        shop.done(&format!("approve {version} --for staging"));
    }
    shop.set("TEST_SIGNING_KEY", &own);
    let cost = cost(&registry, &shop, "promote dev staging");
    cost.at_most(22, 8);
}

#[test]
fn the_image_may_be_large_and_the_history_long() {
    let registry = TestRegistry::builder().referrers_api().start();
    let shop = Shop::new(&registry);
    seed_base(&registry, "vendor/idsvr", "1.0", vec![7; 20 << 20]);
    shop.done("build");
    seed_moves(&registry, &shop, "staging", 1000);
    shop.configure("two");
    shop.done("build");
    shop.done("test dev");
    let cost = cost(&registry, &shop, "promote dev staging");
    cost.at_most(22, 8);
    let beside_listings = cost.log.iter().filter(|request| !request.path.ends_with("/tags/list"));
    let sent: usize = beside_listings.map(|request| request.sent).sum();
    assert!(sent < 64 << 10, "{}", told(&cost.log));
    assert!(cost.sent > sent);
}

#[test]
fn a_build_reads_no_layer_of_a_base_in_the_same_registry() {
    for api in [true, false] {
        let builder = TestRegistry::builder();
        let registry = if api { builder.referrers_api() } else { builder }.start();
        let shop = Shop::new(&registry);
        seed_base(&registry, "vendor/idsvr", "1.0", vec![7; 5 << 20]);
        let cost = cost(&registry, &shop, "build");
        let reads = cost.log.iter().filter(|request| request.path.contains("/blobs/"));
        let read: usize = reads.map(|request| request.sent).sum();
        assert!(read < 4096, "{}", told(&cost.log));
        let mounts: Vec<&Request> = cost
            .log
            .iter()
            .filter(|request| request.query.contains("mount="))
            .collect();
        assert_eq!(mounts.len(), 1, "{}", told(&cost.log));
        assert_eq!(mounts[0].status, Some(201));
        let pushed: usize = cost.log.iter().map(|request| request.received).sum();
        assert!(pushed < 64 << 10, "{}", told(&cost.log));
        cost.at_most(BUILD.0 + if api { 0 } else { 9 }, BUILD.1 + if api { 0 } else { 4 });
        let again = self::cost(&registry, &shop, "build");
        again.at_most(12, 5);
    }
}

/// Requests and rounds of a first build.
const BUILD: (usize, usize) = (41, 16);

#[test]
fn what_only_looks_writes_nothing() {
    let registry = TestRegistry::start();
    let shop = Shop::with(
        &format!("{}/iam/idsvr", registry.address()),
        &format!("{}/vendor/idsvr:1.0", registry.address()),
        &["dev", "staging"].map(|name| stage(name, "")).concat(),
    );
    seed_base(&registry, "vendor/idsvr", "1.0", "layer");
    shop.done("build --dry-run");
    shop.done("build");
    shop.done("test dev");
    registry.take_lines();
    for line in [
        "build --dry-run",
        "test dev --dry-run",
        "promote dev staging --dry-run",
        "explain dev staging",
        "status",
        "history dev",
        "verify dev",
    ] {
        shop.done(line);
    }
    let log = registry.requests();
    assert!(
        log.iter()
            .all(|request| matches!(request.method.as_str(), "GET" | "HEAD")),
        "{}",
        told(&log)
    );
}
