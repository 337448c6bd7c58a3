//! Connections that are cut and processes that are killed, at each request of each verb that writes.
//!
//! After each: the stage's tag is the old digest or the new one, every record is whole, and the same command again
//! ends with what an undisturbed run leaves.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use iamship::attest::{HistoryTag, Record, RecordTag};
use iamship::image::{Manifest, Tag, media_type};

use crate::support::registry::{Snapshot, TestRegistry, When};
use crate::support::shop::Shop;

const REPOSITORY: &str = "iam/idsvr";

/// A verb about to be run in a shop that is ready for it.
struct Scene {
    registry: TestRegistry,
    shop: Shop,
    before: Snapshot,
    line: String,
    stage: &'static str,
    /// What the stage's tag may be.
    allowed: [Option<String>; 2],
    /// What an undisturbed run leaves.
    after: BTreeMap<String, String>,
    /// Requests of an undisturbed run.
    requests: usize,
    /// So many of them come before the first that writes.
    reads: usize,
}

/// How a run is disturbed.
#[derive(Clone, Copy, Debug)]
enum Disturbance {
    Cut,
    Kill,
}

impl Scene {
    /// `steps` lead to where `line` moves `stage`. A step `=name` writes another configuration; `HELD` in the line stands
    /// for the rollback that holds the stage.
    fn new(steps: &[&str], line: &str, stage: &'static str) -> Self {
        let registry = TestRegistry::start();
        let shop = Shop::new(&registry);
        for step in steps {
            match step.strip_prefix('=') {
                Some(name) => shop.configure(name),
                None => drop(shop.done(step)),
            }
        }
        let before = registry.snapshot();
        let old = tag_digest(&registry, stage);
        let line = match line.contains("HELD") {
            true => line.replace("HELD", shop.status(stage)["held"]["record"].as_str().expect("a hold")),
            false => line.to_owned(),
        };
        registry.take_lines();
        shop.done(&line);
        let lines = registry.take_lines();
        let is_read = |line: &&String| line.starts_with("GET") || line.starts_with("HEAD");
        Self {
            before,
            line,
            stage,
            allowed: [old, tag_digest(&registry, stage)],
            after: state(&registry),
            requests: lines.len(),
            reads: lines.iter().take_while(is_read).count(),
            registry,
            shop,
        }
    }

    /// The requests to disturb: the first, the last before anything is written, and every `step`th from there on.
    fn moments(&self, step: usize) -> Vec<usize> {
        let last_read = self.reads.saturating_sub(1);
        let mut moments = vec![0];
        moments.extend((last_read.max(1)..self.requests).step_by(step));
        moments
    }

    /// Disturbs the verb at every `step`th of its requests; alternately before and after the effect.
    fn disturb(&self, how: Disturbance, first: When, step: usize) {
        let other = match first {
            When::BeforeEffect => When::AfterEffect,
            When::AfterEffect => When::BeforeEffect,
        };
        for (number, passing) in self.moments(step).into_iter().enumerate() {
            let when = if number % 2 == 0 { first } else { other };
            let told = format!("{} {how:?} {when:?} {passing}", self.line);
            self.registry.restore(&self.before);
            let code = match how {
                Disturbance::Cut => {
                    self.registry.cut_after(passing, when);
                    let ran = self.shop.run(&self.line);
                    if ran.code == Some(3) {
                        assert!(ran.stderr.contains("error: "), "{told}: {}", ran.stderr);
                    }
                    ran.code
                }
                Disturbance::Kill => self.kill(passing, when),
            };
            self.registry.heal();
            match how {
                Disturbance::Cut => assert_eq!(code, Some(3), "{told}"),
                // The last request may be answered before the signal arrives.
                Disturbance::Kill => assert!(code.is_none() || code == Some(0), "{told}: {code:?}"),
            }
            let now = tag_digest(&self.registry, self.stage);
            assert!(self.allowed.contains(&now), "{told}: the tag is {now:?}");
            whole(&self.registry, &told);
            // Nothing tells a second rollback from the first one again, once that was done to its end.
            if self.line.starts_with("rollback") && state(&self.registry) == self.after {
                continue;
            }
            let again = self.shop.run(&self.line);
            assert_eq!(again.code, Some(0), "{told}: again: {}{}", again.stdout, again.stderr);
            whole(&self.registry, &told);
            assert_eq!(state(&self.registry), self.after, "{told}");
        }
    }

    fn disturb_tests(&self, how: Disturbance, when: When) {
        for passing in self.moments(2) {
            let told = format!("{} {how:?} {when:?} {passing}", self.line);
            self.registry.restore(&self.before);
            let code = match how {
                Disturbance::Cut => {
                    self.registry.cut_after(passing, when);
                    self.shop.run(&self.line).code
                }
                Disturbance::Kill => self.kill(passing, when),
            };
            self.registry.heal();
            assert_ne!(code, Some(1), "{told}: a broken connection is no failed test");
            whole(&self.registry, &told);
            self.shop.done(&self.line);
            whole(&self.registry, &told);
            assert!(self.allowed.contains(&tag_digest(&self.registry, self.stage)));
        }
        self.shop.done("promote dev staging");
    }

    /// Runs it and kills it at one of its requests.
    fn kill(&self, passing: usize, when: When) -> Option<i32> {
        let process = Arc::new(AtomicU32::new(0));
        let victim = Arc::clone(&process);
        self.registry.act_after(passing, when, move || {
            while victim.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            let id = victim.load(Ordering::SeqCst).to_string();
            let killed = Command::new("kill").args(["-KILL", &id]).status();
            assert!(killed.expect("kill").success());
        });
        let mut command = self.shop.command(&self.line);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        process.store(child.id(), Ordering::SeqCst);
        let status = child.wait().expect("ended");
        assert!(status.code() == Some(0) || status.signal() == Some(9), "{status}");
        status.code()
    }
}

/// What a tag points at.
fn tag_digest(registry: &TestRegistry, tag: &str) -> Option<String> {
    let bytes = registry.manifest(REPOSITORY, tag)?;
    Some(iamship::image::Digest::of(&bytes).to_string())
}

/// Every tag with what it means: times and names of records left out, for they differ from run to run. How many tests
/// are on record is left out too: a test that runs again is another test.
fn state(registry: &TestRegistry) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    let mut count = |name: String| {
        let number = state.entry(name).or_insert_with(|| "0".to_owned());
        *number = (number.parse::<usize>().expect("a number") + 1).to_string();
    };
    let tags = registry.tags(REPOSITORY);
    let parsed: Vec<Tag> = tags.iter().map(|tag| tag.parse().expect("a tag")).collect();
    for tag in &parsed {
        if let Some(record) = RecordTag::parse(tag) {
            count(format!("record {} {}", record.kind, record.subject.short()));
        } else if let Some(entry) = HistoryTag::parse(tag) {
            count(format!("history {}", entry.stage));
        }
    }
    for tag in &parsed {
        let is_record = RecordTag::parse(tag).is_some() || HistoryTag::parse(tag).is_some();
        let bytes = registry.manifest(REPOSITORY, tag.as_str()).expect("tagged");
        let manifest = Manifest::parse(bytes, Some(media_type::OCI_MANIFEST)).ok();
        match (is_record, tag.as_str()) {
            (true, _) => {}
            (_, name) if name.ends_with(".sig") || name.ends_with(".att") => {
                let layers = manifest.and_then(|manifest| Some(manifest.image()?.layers.len()));
                state.insert(name.to_owned(), format!("{layers:?} layers"));
            }
            // The fallback index of referrers: read by others only.
            (_, name) if name.starts_with("sha256-") => {
                let index: serde_json::Value =
                    serde_json::from_slice(&registry.manifest(REPOSITORY, name).expect("tagged")).expect("JSON");
                let entries = index["manifests"].as_array().expect("entries").len();
                state.insert(name.to_owned(), format!("{entries} entries"));
            }
            (_, name) => {
                state.insert(name.to_owned(), tag_digest(registry, name).expect("tagged"));
            }
        }
    }
    state
}

/// Every tag names a manifest that can be read and whose content is there.
fn whole(registry: &TestRegistry, told: &str) {
    for name in registry.tags(REPOSITORY) {
        let bytes = registry.manifest(REPOSITORY, &name).expect("tagged");
        let tag: Tag = name.parse().expect("a tag");
        if name.starts_with("sha256-") && !name.contains('.') {
            continue;
        }
        let manifest = Manifest::parse(bytes, Some(media_type::OCI_MANIFEST)).expect("a manifest");
        for child in manifest.children() {
            let there = registry.blob(REPOSITORY, &child.digest);
            assert!(there.is_some(), "{told}: {name} lacks {}", child.digest);
        }
        if RecordTag::parse(&tag).is_some() || HistoryTag::parse(&tag).is_some() {
            let record = Record::read(&manifest);
            assert!(record.is_ok(), "{told}: {name}: {record:?}");
        }
    }
}

fn build() -> Scene {
    Scene::new(&["build", "=two"], "build", "dev")
}

fn first_build() -> Scene {
    Scene::new(&[], "build", "dev")
}

fn promote() -> Scene {
    Scene::new(
        &["build", "test dev", "promote dev staging", "=two", "build", "test dev"],
        "promote dev staging",
        "staging",
    )
}

fn rollback() -> Scene {
    Scene::new(
        &[
            "build",
            "test dev",
            "promote dev staging",
            "=two",
            "build",
            "test dev",
            "promote dev staging",
        ],
        "rollback staging",
        "staging",
    )
}

/// A promotion that names the rollback before it.
fn clearing() -> Scene {
    let steps = [
        "build",
        "test dev",
        "promote dev staging",
        "=two",
        "build",
        "test dev",
        "promote dev staging",
        "rollback staging",
        "=three",
        "build",
        "test dev",
    ];
    Scene::new(&steps, "promote dev staging --clear-hold HELD", "staging")
}

#[test]
fn a_promotion_that_clears_a_hold_and_is_cut_or_killed() {
    let scene = clearing();
    scene.disturb(Disturbance::Cut, When::AfterEffect, 2);
    scene.disturb(Disturbance::Kill, When::BeforeEffect, 3);
}

#[test]
fn a_first_build_that_is_cut_at_any_request() {
    first_build().disturb(Disturbance::Cut, When::BeforeEffect, 1);
}

#[test]
fn a_first_build_that_is_killed() {
    first_build().disturb(Disturbance::Kill, When::AfterEffect, 3);
}

#[test]
fn a_later_build_that_is_cut() {
    build().disturb(Disturbance::Cut, When::AfterEffect, 3);
}

#[test]
fn a_promotion_that_is_cut_before_or_after_any_request() {
    let scene = promote();
    scene.disturb(Disturbance::Cut, When::BeforeEffect, 1);
    scene.disturb(Disturbance::Cut, When::AfterEffect, 1);
}

#[test]
fn a_promotion_that_is_killed_at_any_request() {
    promote().disturb(Disturbance::Kill, When::AfterEffect, 1);
}

#[test]
fn a_rollback_that_is_cut_at_any_request() {
    rollback().disturb(Disturbance::Cut, When::AfterEffect, 1);
}

#[test]
fn a_rollback_that_is_killed_at_any_request() {
    rollback().disturb(Disturbance::Kill, When::BeforeEffect, 1);
}

/// A test moves no tag and may be on record twice afterwards; each record is whole.
#[test]
fn a_test_that_is_cut_or_killed_at_any_request() {
    let scene = Scene::new(&["build"], "test dev", "dev");
    scene.disturb_tests(Disturbance::Cut, When::BeforeEffect);
    scene.disturb_tests(Disturbance::Kill, When::AfterEffect);
}

/// One lost connection is nothing to tell of: the call is made again.
#[test]
fn a_promotion_with_a_cut_that_is_mended_ends_as_if_nothing_had_been() {
    let mut scene = promote();
    scene.shop.set("IAMSHIP_REGISTRY_TRIES", "5");
    for passing in (0..scene.requests).step_by(3) {
        let when = if passing % 2 == 0 {
            When::BeforeEffect
        } else {
            When::AfterEffect
        };
        scene.registry.restore(&scene.before);
        scene.registry.cut_once_after(passing, when);
        scene.shop.done(&scene.line);
        assert_eq!(state(&scene.registry), scene.after, "{passing} {when:?}");
    }
}
