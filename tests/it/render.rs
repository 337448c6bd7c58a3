//! `render`: the program's answer as its consumers read it.

use serde_json::Value;

use super::support::registry::TestRegistry;
use super::support::shop::{PASSWORD, Shop};

const TARGETS: &[&str] = &[
    "env",
    "docker",
    "compose",
    "systemd",
    "kubernetes",
    "helm-values",
    "kustomize",
];

fn built() -> (TestRegistry, Shop) {
    let registry = TestRegistry::start();
    let shop = Shop::new(&registry);
    shop.done("build");
    (registry, shop)
}

#[test]
fn every_target_names_the_digest_that_the_stage_runs() {
    let (registry, shop) = built();
    let digest = shop.status("dev")["digest"].as_str().expect("a digest").to_owned();
    let repository = format!("{}/iam/idsvr", registry.address());
    for target in TARGETS {
        let document = shop.done(&format!("render dev --for {target}")).stdout;
        assert!(document.contains(&digest), "{target}: {document}");
        assert!(document.contains(&repository), "{target}: {document}");
        assert!(document.contains("login.dev.example.com"), "{target}: {document}");
        let inline = matches!(*target, "env" | "docker");
        assert_eq!(document.contains(PASSWORD), inline, "{target}: {document}");
        let document = shop.done(&format!("render dev --for {target} --secrets inline")).stdout;
        let encoded = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ==";
        assert!(document.contains(PASSWORD) || document.contains(encoded), "{target}");
        let document = shop.done(&format!("render dev --for {target} --secrets omit")).stdout;
        assert!(!document.contains(PASSWORD), "{target}");
        assert!(
            document.contains("# without its secrets: DB_PASSWORD"),
            "{target}: {document}"
        );
    }
}

#[test]
fn two_renderings_are_the_same_and_a_changed_value_changes_the_annotation() {
    let (_registry, shop) = built();
    let rendering = || shop.done("render dev --for kubernetes").stdout;
    let before = rendering();
    assert_eq!(before, rendering());
    shop.write("secrets/dev.env", "DB_PASSWORD=another\n");
    let after = rendering();
    let annotation = |text: &str| {
        let line = text.lines().find(|line| line.contains("dev.iamship/values"));
        line.expect("an annotation").to_owned()
    };
    assert_ne!(annotation(&before), annotation(&after));
    assert!(!after.contains("another"));
}

#[test]
fn what_is_not_signed_recorded_or_complete_is_not_rendered() {
    let (registry, shop) = built();
    shop.write("env/dev.env", "\n");
    let run = shop.run("render dev --for kubernetes").ends(1);
    assert_eq!(run.stdout, "");
    let run = run.says("`PUBLIC_HOST` has no value in `dev`");
    run.says("iamship check dev");

    let run = shop.run("render staging --for env").ends(2);
    run.says("`staging` runs nothing yet")
        .says("iamship promote dev staging");

    // Moved by hand, to an image that nobody signed.
    let foreign = registry.manifest("vendor/idsvr", "1.0").expect("the base");
    registry.put_manifest(
        "iam/idsvr",
        "prod",
        "application/vnd.oci.image.manifest.v1+json",
        &foreign,
    );
    let run = shop.run("render prod --for env").ends(1);
    assert_eq!(run.stdout, "");
    run.says("no trusted key signed")
        .says("moved to")
        .says("without a record");
}

#[test]
fn secrets_that_the_target_has_no_way_to_get_are_refused() {
    let (_registry, shop) = built();
    let run = shop.run("render dev --for env --secrets external").ends(2);
    assert_eq!(run.stdout, "");
    run.says("`--secrets external` means nothing for `env`")
        .says("`--secrets inline` or `--secrets omit`");
    let run = shop.run("render dev --for kubernetes --secrets external").ends(2);
    run.says("no vault holds `DB_PASSWORD`").says("--secrets omit");
}

#[test]
fn a_value_that_the_consumer_cannot_carry_is_told_without_it() {
    let (_registry, shop) = built();
    shop.write("secrets/dev.env", "DB_PASSWORD='top\nsecret'\n");
    let run = shop.run("render dev --for docker").ends(2);
    assert_eq!(run.stdout, "");
    assert!(
        !run.stderr.contains("top") && !run.stderr.contains("secret'"),
        "{}",
        run.stderr
    );
    run.says("the value of `DB_PASSWORD` can't be written for `docker`")
        .says("`--for compose` can carry it");
    let text = shop.done("render dev --for env").stdout;
    assert!(text.contains("DB_PASSWORD='top\nsecret'\n"), "{text}");
}

#[test]
fn an_image_in_a_folder_can_be_pulled_by_nobody() {
    let project = super::support::project::Project::new();
    project.build();
    let run = project.run("render dev --for kubernetes");
    run.expect_code(2);
    assert!(
        run.stderr.contains("nobody can pull the image from there"),
        "{}",
        run.stderr
    );
    project.run("render dev --for env").expect_code(0);
}

#[test]
fn the_document_is_the_answer_and_json_is_not() {
    let (_registry, shop) = built();
    let run = shop.run("render dev --for env --format json").ends(2);
    assert_eq!(run.stdout, "");
    run.says("`render` answers with the document itself");
    let status: Value = shop.status("dev");
    assert!(status["digest"].is_string());
}
