//! `iamship incoming`: what comes, from whom, and whose applications it touches.

use std::process::Command;

use crate::support::project::{Project, masked, text};

fn git(project: &Project, author: &str, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.args([
        "-c",
        &format!("user.name={author}"),
        "-c",
        &format!("user.email={author}@example.com"),
    ]);
    let done = git
        .args(arguments)
        .current_dir(project.root())
        .output()
        .expect("git runs");
    assert!(done.status.success(), "{arguments:?}: {done:?}");
}

fn client(id: &str, redirect: &str, owner: Option<&str>) -> String {
    let owner = owner
        .map(|owner| format!("<properties><property><key>owner</key><value>{owner}</value></property></properties>"));
    format!(
        "<client><id>{id}</id>{}<redirect-uris>{redirect}</redirect-uris></client>",
        owner.unwrap_or_default()
    )
}

fn configure(project: &Project, author: &str, clients: &[String]) {
    let text = format!(
        r#"<config xmlns="http://tail-f.com/ns/config/1.0"><profiles xmlns="https://curity.se/ns/conf/base"><profile>
<id>token-service</id><type xmlns:as="https://curity.se/ns/conf/profile/oauth">as:oauth-service</type><settings>
<authorization-server xmlns="https://curity.se/ns/conf/profile/oauth"><client-store><config-backed>
{}
</config-backed></client-store></authorization-server></settings></profile></profiles></config>
"#,
        clients.join("\n")
    );
    project.write("config/clients.xml", &text);
    git(project, author, &["add", "-A"]);
    git(project, author, &["commit", "-q", "-m", "change"]);
}

fn project() -> Project {
    let project = Project::new();
    for name in ["services", "facilities", "environment"] {
        std::fs::remove_file(project.path(&format!("config/{name}.xml"))).expect("there");
    }
    for stage in ["dev", "staging", "prod"] {
        project.write(&format!("env/{stage}.env"), "");
        project.write(&format!("secrets/{stage}.env"), "");
    }
    project.edit(
        "iamship.toml",
        "server = \"curity\"",
        "server = \"curity\"\nowners = \"OWNERS\"",
    );
    project.write("OWNERS", "# who answers\nclient:shop-* @team-shop\n");
    git(&project, "ada", &["init", "-q"]);
    project
}

#[test]
fn versions_come_with_their_authors_and_the_applications_that_they_touch() {
    let project = project();
    let web = |redirect| client("web", redirect, Some("@team-web"));
    configure(
        &project,
        "ada",
        &[web("https://a.example.com/"), client("shop-app", "app://1", None)],
    );
    let first = project.build();
    let told = project.run("incoming staging");
    told.expect_code(0);
    assert!(
        told.stdout.contains("`staging` runs nothing yet: all of it is new"),
        "{}",
        told.stdout
    );
    assert!(told.stdout.contains("held by tested: "), "{}", told.stdout);
    project.promote("dev", "staging");

    let nothing = project.json("incoming staging", 0);
    assert!(nothing["digest"].is_null() && nothing["current"] == first.as_str());
    assert_eq!(nothing["remark"], "`staging` runs what `dev` runs");
    assert!(
        project
            .run("incoming staging")
            .stdout
            .starts_with("nothing is incoming to `staging`\n")
    );

    std::thread::sleep(std::time::Duration::from_millis(1_100));
    configure(
        &project,
        "bob",
        &[web("https://a.example.com/"), client("shop-app", "app://2", None)],
    );
    project.build();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    configure(
        &project,
        "eve",
        &[web("https://b.example.com/"), client("shop-app", "app://2", None)],
    );
    let last = project.build();
    project.test("dev");

    let document = project.json("incoming staging", 0);
    assert_eq!(document["stage"], "staging");
    assert_eq!(document["from"], "dev");
    assert_eq!(document["digest"], last.as_str());
    assert_eq!(document["current"], first.as_str());
    let versions = document["versions"].as_array().expect("versions");
    let authors: Vec<_> = versions.iter().map(|version| text(&version["author"])).collect();
    assert_eq!(authors, ["eve <eve@example.com>", "bob <bob@example.com>"]);
    assert!(
        versions
            .iter()
            .all(|version| text(&version["commit"]).len() == 40 && version["at"].is_string())
    );
    let applications = document["applications"].as_array().expect("applications");
    let owners: Vec<_> = applications
        .iter()
        .map(|found| (text(&found["client"]), text(&found["owners"][0])))
        .collect();
    let pair = |client: &str, owner: &str| (client.to_owned(), owner.to_owned());
    assert_eq!(owners, [pair("shop-app", "@team-shop"), pair("web", "@team-web")]);
    assert_eq!(document["changes"].as_array().map(Vec::len), Some(4));
    let told = project.run("incoming staging");
    told.expect_code(0);
    insta::assert_snapshot!(masked(&told.stdout), @r#"
    1.0-… would come from `dev` to `staging`; 4 changes: 2 breaking, 2 behaviour
    held by changes: `staging` would lose or break what nobody has named: client `web`, client `shop-app` (2 changes)

    versions
      1.0-…  TIME  …  eve <eve@example.com>
      1.0-…  TIME  …  bob <bob@example.com>

    applications
      shop-app  @team-shop  2 changes, breaking
      web       @team-web   2 changes, breaking

    client `web`
      breaking   removed  /profiles/profile[token-service]/settings/authorization-server/client-store/config-backed/client[web]/redirect-uris: https://a.example.com/
                          because logins that return to this address fail
      behaviour  added    /profiles/profile[token-service]/settings/authorization-server/client-store/config-backed/client[web]/redirect-uris: https://b.example.com/

    client `shop-app`
      breaking   removed  /profiles/profile[token-service]/settings/authorization-server/client-store/config-backed/client[shop-app]/redirect-uris: app://1
                          because logins that return to this address fail
      behaviour  added    /profiles/profile[token-service]/settings/authorization-server/client-store/config-backed/client[shop-app]/redirect-uris: app://2
    "#);

    let comment = project.run("incoming staging --format markdown");
    comment.expect_code(0);
    assert!(
        comment
            .stdout
            .contains("| <code>web</code> | <code>&#64;team-web</code> |"),
        "{}",
        comment.stdout
    );
    let page = project.run("incoming staging --format html");
    page.expect_code(0);
    assert!(page.stdout.contains("<td>web</td><td>@team-web</td>"));

    // Who is newer and not tested does not come.
    configure(&project, "mallory", &[web("https://c.example.com/")]);
    project.build();
    assert_eq!(project.json("incoming staging", 0)["digest"], last.as_str());
    project.test("dev");
    project.json("promote dev staging --allow-removal client:*", 0);
}

#[test]
fn what_can_come_to_no_stage_says_so() {
    let project = project();
    let says = |line: &str, code: i32, part: &str| {
        let run = project.run(line);
        run.expect_code(code);
        assert!(
            run.stderr.contains(part) || run.stdout.contains(part),
            "`{part}` is not in {run:?}"
        );
    };
    says(
        "incoming dev",
        2,
        "is the first stage: what comes there is the next build",
    );
    says("incoming stagin", 2, "is `staging` meant?");
    says("incoming staging", 0, "`dev` runs nothing");
    says("incoming staging --format github", 2, "is for `check`");
}
