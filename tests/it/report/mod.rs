//! `iamship report`: one page, for people who never use a terminal.

mod browser;
mod fixture;

use std::path::PathBuf;

use serde_json::json;

use crate::support::folder::snapshot;
use crate::support::ports::Nobody;
use crate::support::project::{Project, text};
use crate::support::registry::TestRegistry;
use crate::support::shop::{Shop, seed_moves};

/// Where the program writes, unless it is told otherwise.
const FILE: &str = "iamship-report.html";

/// Where pages and pictures are left for people to look at.
fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/report");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Everything in a page that could load something or lead away.
fn addresses(html: &str) -> Vec<String> {
    const LOADS: [&str; 11] = [
        "href",
        "src",
        "srcset",
        "action",
        "formaction",
        "data",
        "poster",
        "background",
        "cite",
        "ping",
        "manifest",
    ];
    let attributes = regex_lite::Regex::new(r#"\s([a-zA-Z:-]+)="([^"]*)""#).expect("a pattern");
    let attributes = attributes.captures_iter(html);
    let loading = attributes.filter(|found| LOADS.contains(&&found[1]));
    loading.map(|found| found[2].to_owned()).collect()
}

#[test]
fn a_page_before_anything_ran_says_so_and_touches_nothing_else() {
    let project = Project::new();
    let mut before = snapshot(project.root());
    let document = project.json("report", 0);
    assert_eq!((&document["file"], &document["whole"]), (&json!(FILE), &json!(true)));
    let html = project.read(FILE);
    assert!(html.contains("Nothing runs anywhere yet."), "{html}");
    let mut after = snapshot(project.root());
    assert!(after.remove(FILE).is_some());
    // The folder itself is newer.
    for files in [&mut before, &mut after] {
        files.remove("");
    }
    assert_eq!(after, before);
}

#[test]
fn it_tells_what_runs_where_what_waits_and_what_happened() {
    let project = Project::new();
    let first = project.build();
    project.promote("dev", "staging");
    project.change_configuration("second");
    let second = project.build();
    let version = text(&project.stage("dev")["version"]);
    project
        .run(&format!("reject {version} --reason partners-fail"))
        .expect_code(0);
    project.run("report").expect_code(0);
    let html = project.read(FILE);
    for part in [
        first.as_str(),
        &second,
        &version,
        "tester",
        "partners-fail",
        "dev is 1 version ahead of staging; what is newer was rejected.",
        "dev runs a version that somebody rejected",
        "DB_PASSWORD",
        "Test passed",
        "Promoted",
        "Rejected",
    ] {
        assert!(html.contains(part), "{part} is not in the page");
    }
}

#[test]
fn what_a_promotion_would_change_unfolds_by_subject() {
    let project = Project::new();
    project.build();
    project.promote("dev", "staging");
    let services = project.read("config/services.xml");
    let at = services.find("<redirect-uris>").expect("a client has one");
    let end = at + services[at..].find("</redirect-uris>").expect("it ends");
    let mut changed = services.clone();
    changed.replace_range(at + "<redirect-uris>".len()..end, "https://elsewhere.example.org/cb");
    project.write("config/services.xml", &changed);
    project.build();
    project.test("dev");
    project.run("report").expect_code(0);
    let html = project.read(FILE);
    assert!(html.contains("https://elsewhere.example.org/cb"), "{html}");
    assert!(html.contains("class=\"change\""), "{html}");
    assert!(
        html.contains(
            "dev is 1 version ahead of staging; to go on it needs somebody to say that breaking changes are meant."
        ),
        "{html}"
    );
    std::fs::write(folder().join("program.html"), html).expect("written");
}

#[test]
fn no_value_of_any_stage_is_in_it() {
    let project = Project::new();
    project.build();
    project.promote("dev", "staging");
    project.edit(
        "secrets/dev.env",
        "example-db-password-dev",
        "canary-of-the-yellow-mine",
    );
    project.edit(
        "secrets/prod.env",
        "example-db-password-prod",
        "canary-of-the-yellow-mine",
    );
    project.change_configuration("second");
    project.build();
    project.run("report").expect_code(0);
    let html = project.read(FILE);
    let stages = ["dev", "staging", "prod"].into_iter();
    for file in stages.flat_map(|stage| [format!("secrets/{stage}.env"), format!("env/{stage}.env")]) {
        for line in project.read(&file).lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim_matches('\'').trim_matches('"');
            assert!(
                value.len() < 8 || !html.contains(value),
                "the value of {name} in {file} is in the page"
            );
        }
    }
}

#[test]
fn it_loads_nothing_and_leads_nowhere() {
    let pages = [
        fixture::ordinary(),
        fixture::hostile(),
        fixture::broken(),
        fixture::empty(),
    ];
    for page in pages {
        let html = page.html().expect("a page");
        let tags = regex_lite::Regex::new(r"<[a-zA-Z][^<>]*>").expect("a pattern");
        let tags: String = tags.find_iter(&html).map(|tag| tag.as_str()).collect();
        let tags = tags.replace('\n', " ");
        assert!(!addresses(&tags).is_empty());
        for address in addresses(&tags) {
            assert!(address.starts_with('#'), "{address}");
        }
        let style = html
            .split("<style>")
            .nth(1)
            .and_then(|rest| rest.split("</style>").next());
        let style = style.expect("a style").to_lowercase();
        assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
        let policy = "content=\"default-src &#39;none&#39;; style-src &#39;sha256-";
        assert!(html.contains(policy), "no policy");
        assert!(!html.contains("unsafe-"), "{policy}");
        assert_eq!(html.matches("<script").count(), 1);
        assert!(!tags.contains(" style="), "styles beside the one that the policy names");
    }
}

#[test]
fn every_table_and_section_is_named_for_those_who_hear_it() {
    let html = fixture::ordinary().html().expect("a page");
    assert!(html.contains("<html lang=\"en\">"));
    for landmark in [
        "<header",
        "<nav aria-label",
        "<main id=\"main\"",
        "<footer",
        "class=\"skip\" href=\"#main\"",
    ] {
        assert_eq!(html.matches(landmark).count(), 1, "{landmark}");
    }
    let heads = regex_lite::Regex::new(r"<th(?:\s[^>]*)?>").expect("a pattern");
    for head in heads.find_iter(&html) {
        assert!(head.as_str().contains("scope="), "{}", head.as_str());
    }
    let ids = regex_lite::Regex::new(r#" id="([^"]*)""#).expect("a pattern");
    let mut ids: Vec<_> = ids.captures_iter(&html).map(|found| found[1].to_owned()).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id stands twice");
}

#[test]
fn it_goes_to_stdout_or_nowhere_when_that_is_asked_for() {
    let project = Project::new();
    let before = snapshot(project.root());
    let run = project.run("report --out -");
    run.expect_code(0);
    assert!(run.stdout.starts_with("<!doctype html>") && run.stdout.ends_with("</html>\n"));
    let run = project.run("report --dry-run");
    run.expect_code(0);
    assert!(
        run.stdout.starts_with("would write iamship-report.html ("),
        "{}",
        run.stdout
    );
    assert_eq!(project.json("report --dry-run", 0)["dry_run"], true);
    project.run("report --out - --format json").expect_code(2);
    assert_eq!(snapshot(project.root()), before);
}

#[test]
fn an_older_page_is_replaced_and_another_file_is_left_alone() {
    let project = Project::new();
    for _ in 0..2 {
        project.run("report --out public/index.html").expect_code(0);
    }
    for name in ["iamship.toml", "config"] {
        let before = snapshot(project.root());
        let run = project.run(&format!("report --out {name}"));
        run.expect_code(2);
        assert!(run.stderr.contains("is left alone"), "{}", run.stderr);
        assert_eq!(snapshot(project.root()), before);
    }
}

#[test]
fn values_that_can_not_be_read_are_a_gap_that_the_page_tells() {
    let mut project = Project::new();
    project.build();
    std::fs::remove_file(project.path("secrets/prod.env")).expect("removed");
    let document = project.json("report", 1);
    assert_eq!(document["whole"], false);
    assert!(project.read(FILE).contains("This page is not whole"));
    // It is the world that does not answer.
    let nobody = Nobody::new();
    project.edit(
        "iamship.toml",
        "\"file:secrets/prod.env\"",
        "\"vault:secret/shop/prod\"",
    );
    project.set("VAULT_ADDR", &format!("http://{}", nobody.address));
    project.set("VAULT_TOKEN", "canary-token");
    project.set("VAULT_MAX_RETRIES", "0");
    let run = project.run("report");
    run.expect_code(3);
    assert!(run.stderr.contains("the page is not whole"), "{}", run.stderr);
    let html = project.read(FILE);
    assert!(
        html.contains("This page is not whole") && html.contains("<code>vault:secret/shop/prod</code>"),
        "{html}"
    );
    assert!(!html.contains("canary-token"));
}

#[test]
fn without_its_store_there_is_no_page() {
    let project = Project::new();
    project.build();
    project.write(".iamship/store/index.json", "{");
    project.run("report").expect_code(3);
    assert!(!project.path(FILE).exists());
}

#[test]
fn a_store_is_listed_once_and_each_record_costs_the_same() {
    let registry = TestRegistry::start();
    let shop = Shop::new(&registry);
    shop.done("build");
    let mut costs = Vec::new();
    for moves in [20, 40, 60] {
        seed_moves(&registry, &shop, "staging", moves);
        registry.take_lines();
        shop.done("report");
        let lines = registry.take_lines();
        let listings = lines.iter().filter(|line| line.contains("/tags/list")).count();
        assert_eq!(listings, 1, "{lines:#?}");
        costs.push(lines.len());
    }
    let (first, second) = (costs[1] - costs[0], costs[2] - costs[1]);
    assert!(second <= first + 4 && second <= 20 * 4, "{costs:?}");
}
