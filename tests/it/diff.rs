//! `iamship diff`: sides, what is told of them, exit codes, requests.

use std::process::Command;

use serde_json::Value;

use crate::support::project::{Project, masked, text};
use crate::support::registry::TestRegistry;
use crate::support::shop::{PASSWORD, Shop, seed_base};

/// A client as the server keeps it.
fn client(id: &str, more: &str) -> String {
    format!("<client><id>{id}</id>{more}</client>")
}

/// A configuration with these clients and this lifetime.
fn clients(clients: &[String], lifetime: u32) -> String {
    format!(
        r#"<config xmlns="http://tail-f.com/ns/config/1.0">
  <profiles xmlns="https://curity.se/ns/conf/base">
    <profile>
      <id>token-service</id>
      <type xmlns:as="https://curity.se/ns/conf/profile/oauth">as:oauth-service</type>
      <settings>
        <authorization-server xmlns="https://curity.se/ns/conf/profile/oauth">
          <access-token-ttl>{lifetime}</access-token-ttl>
          <client-store><config-backed>{}</config-backed></client-store>
        </authorization-server>
      </settings>
    </profile>
  </profiles>
</config>
"#,
        clients.concat()
    )
}

const WEB: &str = "<redirect-uris>https://shop.example.com/cb</redirect-uris><secret>#{WEB_SECRET}</secret>";

/// A project whose first stage runs `before`, with `after` in the working tree.
fn project(before: &str, after: &str) -> Project {
    let project = Project::new();
    for name in ["services", "facilities", "environment"] {
        std::fs::remove_file(project.path(&format!("config/{name}.xml"))).expect("there");
    }
    for stage in ["dev", "staging", "prod"] {
        project.write(&format!("env/{stage}.env"), "");
        project.write(&format!("secrets/{stage}.env"), "WEB_SECRET=correct-horse-battery\n");
    }
    project.write("config/clients.xml", before);
    project.build();
    project.write("config/clients.xml", after);
    project
}

fn two_states() -> Project {
    let before = clients(&[client("web", WEB), client("old", "")], 300);
    let after = WEB.replace("https://shop.example.com/cb", "https://shop.example.com/callback");
    project(&before, &clients(&[client("web", &after)], 60))
}

fn git(project: &Project, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]);
    let done = git
        .args(arguments)
        .current_dir(project.root())
        .output()
        .expect("git runs");
    assert!(done.status.success(), "{arguments:?}: {done:?}");
}

fn commit(project: &Project) {
    git(project, &["add", "-A", "-f", "config", "iamship.toml", "iamship.lock"]);
    git(project, &["commit", "-q", "-m", "change"]);
}

/// Subjects and kinds of a document's changes.
fn told(document: &Value) -> Vec<String> {
    let changes = document["changes"].as_array().expect("changes");
    let told = changes
        .iter()
        .map(|change| format!("{} {}", text(&change["kind"]), text(&change["path"])));
    let mut told: Vec<_> = told
        .map(|line| line.replace("/profiles/profile[token-service]/settings/authorization-server", "…"))
        .collect();
    told.sort();
    told
}

const TOLD: [&str; 4] = [
    "added …/client-store/config-backed/client[web]/redirect-uris",
    "changed …/access-token-ttl",
    "removed …/client-store/config-backed/client[old]",
    "removed …/client-store/config-backed/client[web]/redirect-uris",
];

#[test]
fn nothing_named_is_the_first_stage_against_the_working_tree() {
    let project = two_states();
    let run = project.run("diff");
    run.expect_code(1);
    insta::assert_snapshot!(masked(&run.stdout), @r#"
    4 changes: 3 breaking, 1 behaviour
    stage:dev (…) → working tree

    profile `token-service`
      breaking   changed  /profiles/profile[token-service]/settings/authorization-server/access-token-ttl: 300 → 60
                          because what an application keeps is refused earlier

    client `web`
      breaking   removed  /profiles/profile[token-service]/settings/authorization-server/client-store/config-backed/client[web]/redirect-uris: https://shop.example.com/cb
                          because logins that return to this address fail
      behaviour  added    /profiles/profile[token-service]/settings/authorization-server/client-store/config-backed/client[web]/redirect-uris: https://shop.example.com/callback

    client `old`
      breaking   removed  /profiles/profile[token-service]/settings/authorization-server/client-store/config-backed/client[old]
                          because the application can get no tokens any more
    "#);
    let document = project.json("diff", 1);
    assert_eq!(told(&document), TOLD);
    assert_eq!(document["before"]["name"], "stage:dev");
    assert_eq!(document["base"]["before"], document["base"]["after"]);
    assert_eq!(document["base"]["differs"], false);
    project.run("diff --exit-zero").expect_code(0);
    let grave = project.json("diff --severity breaking", 1);
    let changes = grave["changes"].as_array().expect("changes");
    assert!(changes.len() < 4 && changes.iter().all(|change| change["severity"] == "breaking"));
    project.build();
    let run = project.run("diff");
    run.expect_code(0);
    assert_eq!(run.stdout.lines().next(), Some("no difference"));
}

#[test]
fn every_kind_of_side_tells_the_same() {
    let project = two_states();
    let before = text(&project.stage("dev")["digest"]);
    let version = text(&project.stage("dev")["version"]);
    let after = project.read("config/clients.xml");
    git(&project, &["init", "-q", "-b", "main"]);
    let old = clients(&[client("web", WEB), client("old", "")], 300);
    project.write("config/clients.xml", &old);
    commit(&project);
    project.write("old.xml", &old);
    let restconf = old
        .replace(
            "<config xmlns=\"http://tail-f.com/ns/config/1.0\">",
            "<data xmlns=\"urn:ietf:params:xml:ns:yang:ietf-restconf\">",
        )
        .replace("</config>", "</data>");
    project.write("export.xml", &restconf);
    project.write("loose/a/old.xml", &old);
    let other = project.checkout();
    project.write("config/clients.xml", &after);
    let other = other.root().to_str().expect("UTF-8").to_owned();
    let sides = [
        "stage:dev",
        "dev",
        &before,
        &format!("version:{version}"),
        "git:HEAD",
        "git:main",
        "old.xml",
        "export.xml",
        "./loose",
        &other,
    ];
    for side in sides {
        let document = project.json(&format!("diff {side}"), 1);
        assert_eq!(told(&document), TOLD, "{side}");
        let turned = project.json(&format!("diff . {side}"), 1);
        assert_eq!(turned["changes"].as_array().map(Vec::len), Some(4), "{side}");
        project.run(&format!("diff {side} {before}")).expect_code(0);
    }
    commit(&project);
    assert_eq!(told(&project.json("diff git:HEAD~1 git:HEAD", 1)), TOLD);
    assert_eq!(
        project.json("diff git:HEAD", 0)["base"]["before"]["reference"],
        "oci:base#1.0"
    );
    // Another project may have another folder of its own; both are seen from where the program was started.
    let mut command = project.command(&["-C", &other, "diff", "git:HEAD", "."]);
    command.current_dir(project.root());
    crate::support::project::Run::of(command).expect_code(1);
}

#[test]
fn a_project_in_a_subfolder_of_its_repository_is_read_as_its_file_said_then() {
    let project = two_states();
    let outer = Project::empty();
    git(&outer, &["init", "-q"]);
    let inside = outer.path("iam/idsvr");
    for file in [
        "iamship.toml",
        "iamship.lock",
        "keys/iamship.pub",
        "env/dev.env",
        "env/staging.env",
        "env/prod.env",
    ] {
        outer.write(&format!("iam/idsvr/{file}"), &project.read(file));
    }
    let toml = project.read("iamship.toml").replace("config/*.xml", "config/**/*.xml");
    outer.write("iam/idsvr/iamship.toml", &toml.replace("config/", "conf/"));
    outer.write("iam/idsvr/conf/clients.xml", &clients(&[client("web", WEB)], 300));
    outer.write("config/clients.xml", "not configuration");
    git(&outer, &["add", "-A"]);
    git(&outer, &["commit", "-q", "-m", "one"]);
    outer.write("iam/idsvr/iamship.toml", &toml);
    std::fs::rename(inside.join("conf"), inside.join("config")).expect("renamed");
    outer.write("iam/idsvr/config/clients.xml", &clients(&[client("web", WEB)], 60));
    let document = outer.run("-C iam/idsvr diff git:HEAD --format json");
    document.expect_code(1);
    assert_eq!(told(&document.document()), ["changed …/access-token-ttl"]);
}

#[test]
fn what_names_nothing_says_what_would() {
    let project = two_states();
    let says = |side: &str, parts: &[&str]| {
        let run = project.run(&format!("diff {side}"));
        run.expect_code(2);
        for part in parts {
            assert!(run.stderr.contains(part), "`{part}` is not in:\n{}", run.stderr);
        }
        assert_eq!(run.stdout, "");
    };
    says("stage:dve", &["there is no stage `dve`", "is `dev` meant?"]);
    says(
        "stage:prod",
        &["`prod` runs nothing yet", "iamship promote staging prod"],
    );
    says("stagng", &["neither a stage nor a file", "is `stage:staging` meant?"]);
    says("stge:dev", &["is `stage:dev` meant?", "a side is"]);
    says("sha256:0123", &["not a whole digest", "version:V"]);
    let nobody = format!("sha256:{}", "0".repeat(64));
    says(&nobody, &["in none of the project's repositories"]);
    let version = text(&project.stage("dev")["version"]);
    says(
        &format!("version:{version}0"),
        &[&format!("is `version:{version}` meant?")],
    );
    says("version:a b", &[]);
    says("version:a/b", &["a/b"]);
    says("./none.xml", &["neither a stage nor a file or folder"]);
    says("git:HEAD", &["is in no git repository"]);
    git(&project, &["init", "-q", "-b", "main"]);
    commit(&project);
    says("git:mian", &["git knows no revision `mian`", "is `git:main` meant?"]);
    says("git:--all", &["git knows no revision"]);
    says("main", &["it is a git revision: say `git:main`"]);
    project.write("empty/readme.md", "");
    says("empty", &["is not a project", "**/*.xml"]);
    project.write("dev/a.xml", "<a/>");
    says("dev", &["`dev` is a stage and a folder", "say `stage:dev` or `./dev`"]);
    project.write("broken.xml", "<config>");
    says("broken.xml", &["broken.xml", "xml-"]);
    project.write("bytes.xml", "");
    std::fs::write(project.path("bytes.xml"), b"\xff").expect("written");
    says("bytes.xml", &["not UTF-8"]);
    says("--values none export.xml", &["neither"]);
    let other = Project::empty();
    other.run("init . --server keycloak --quiet").expect_code(0);
    says(
        other.root().to_str().expect("UTF-8"),
        &["is a project for `keycloak`, and this one is for `curity`"],
    );
    says("dev staging prod", &["unexpected argument"]);
    says("--format sarif", &["`--format sarif` is for `check`"]);
}

#[test]
fn an_export_is_compared_with_the_values_of_its_stage() {
    let project = two_states();
    let secret = "correct-horse-battery";
    let after = project.read("config/clients.xml");
    project.write("same.xml", &after.replace("#{WEB_SECRET}", secret));
    project.write(
        "other.xml",
        &after.replace("#{WEB_SECRET}", "another-horse").replace(">60<", ">61<"),
    );
    let run = project.run("diff same.xml");
    run.expect_code(1);
    assert!(run.stderr.contains("`--values STAGE` fills in"), "{}", run.stderr);
    project.run("diff same.xml --values prod").expect_code(0);
    for format in ["text", "json", "markdown", "html"] {
        let run = project.run(&format!("diff other.xml --values prod --format {format}"));
        run.expect_code(1);
        for hidden in [secret, "another-horse"] {
            assert!(!run.stdout.contains(hidden) && !run.stderr.contains(hidden), "{format}");
        }
    }
    let document = project.json("diff other.xml --values prod", 1);
    assert_eq!(
        told(&document),
        [
            "changed …/access-token-ttl",
            "changed …/client-store/config-backed/client[web]/secret"
        ]
    );
    let changes = document["changes"].as_array().expect("changes");
    let hidden = changes
        .iter()
        .find(|change| change["secret"] == true)
        .expect("the secret");
    assert!(hidden["before"].is_null() && hidden["after"].is_null());
    project.write("secrets/prod.env", "");
    let run = project.run("diff other.xml --values prod");
    run.expect_code(2);
    assert!(run.stderr.contains("WEB_SECRET"), "{}", run.stderr);
}

#[test]
fn another_base_is_a_difference() {
    let registry = TestRegistry::start();
    let shop = Shop::new(&registry);
    shop.done("build");
    shop.done("test dev");
    shop.done("promote dev staging");
    seed_base(&registry, "vendor/idsvr", "1.0", "another layer");
    shop.done("lock --update");
    let document = shop.run("diff --format json").ends(1).json();
    assert_eq!(document["changes"].as_array().map(Vec::len), Some(0));
    assert_eq!(document["base"]["differs"], true);
    assert_ne!(
        document["base"]["before"]["digest"],
        document["base"]["after"]["digest"]
    );
    assert_eq!(document["base"]["after"]["version"], "1.0");
    shop.done("build");
    let document = shop.run("diff staging dev --format json").ends(1).json();
    assert_eq!(document["base"]["image"][0]["what"], "base layers");
    let told = shop.run("diff staging dev").ends(1);
    assert!(
        told.stdout.starts_with("another base image; 1 change of the image\n"),
        "{}",
        told.stdout
    );
}

#[test]
fn only_manifests_the_configuration_of_the_image_and_its_configuration_layer_are_read() {
    let registry = TestRegistry::start();
    let shop = Shop::new(&registry);
    seed_base(&registry, "vendor/idsvr", "1.0", vec![7; 5 << 20]);
    shop.done("build");
    shop.done("test dev");
    shop.done("promote dev staging");
    shop.configure("two");
    shop.done("build");
    let cost = |line: &str, code: i32| {
        registry.take_lines();
        shop.run(line).ends(code);
        let log = registry.requests();
        assert!(log.iter().all(|request| request.method == "GET"), "{line}");
        let sent: usize = log.iter().map(|request| request.sent).sum();
        assert!(sent < 64 << 10, "{line}: {sent}");
        log.iter()
            .filter(|request| request.path.contains("/manifests/") || request.path.contains("/blobs/"))
            .count()
    };
    // Two manifests, two image configurations, two layers.
    assert_eq!(cost("diff staging dev", 1), 6);
    assert_eq!(cost("diff dev", 0), 3);
    assert_eq!(cost("diff dev dev", 0), 2);
    let seen = shop.run("diff staging dev --format json").ends(1);
    assert!(!seen.stdout.contains(PASSWORD));
}

#[test]
fn a_comment_and_a_page_are_whole_documents() {
    let project = two_states();
    let comment = project.run("diff --format markdown");
    comment.expect_code(1);
    assert!(comment.stdout.starts_with("### 4 changes: "), "{}", comment.stdout);
    assert!(comment.stdout.contains("<details>"));
    let page = project.run("diff --format html");
    page.expect_code(1);
    assert!(page.stdout.starts_with("<!doctype html>") && page.stdout.ends_with("</html>\n"));
}
