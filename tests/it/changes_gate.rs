//! The gate `changes`: what a promotion would take away or break is named first, or nothing moves.

use serde_json::{Value, json};

use crate::approve::Crew;
use crate::support::folder::snapshot;
use crate::support::project::{Project, text};

const SERVICES: &str = "config/services.xml";
const SECRET: &str = "$5$vLFLWdo7n.1kZuGi$rounds-are-never-shown-0123456789abcdefgh/ABCD";

fn gate(document: &Value) -> Value {
    let gates = document["gates"].as_array().expect("gates");
    let changes = gates.iter().find(|gate| gate["gate"] == "changes");
    changes.expect("the gate").clone()
}

fn because(document: &Value) -> String {
    text(&gate(document)["because"])
}

/// Takes the text from one mark up to another out of a file, with both.
fn cut(project: &Project, from: &str, to: &str) {
    let whole = project.read(SERVICES);
    let start = whole.find(from).expect("the beginning");
    let end = start + whole[start..].find(to).expect("the end") + to.len();
    project.write(SERVICES, &format!("{}{}", &whole[..start], &whole[end..]));
}

fn cut_client(project: &Project) {
    cut(project, "<client>", "</client>");
}

fn cut_scope(project: &Project) {
    cut(project, "<scope>\n              <id>orders</id>", "</scope>");
}

/// staging runs the starter project; dev has one that lost its client and a scope, and is tested.
fn poorer() -> Project {
    let project = Project::new();
    project.build();
    project.promote("dev", "staging");
    cut_client(&project);
    cut_scope(&project);
    project.build();
    project.test("dev");
    project
}

#[test]
fn what_is_removed_holds_until_it_is_named_and_is_signed_with_its_name() {
    let project = poorer();
    let before = snapshot(project.root());
    let held = project.json("promote dev staging", 1);
    assert_eq!(snapshot(project.root()), before);
    assert_eq!(Project::held(&held), ["changes"]);
    let told = because(&held);
    assert!(
        told.starts_with("`staging` would lose or break what nobody has named: "),
        "{told}"
    );
    assert!(
        told.contains("client `web-shop`") && told.contains("scope `orders`"),
        "{told}"
    );
    // One command mends it all, and it can be run as it stands.
    let help = text(&gate(&held)["help"][0]);
    let (_, command) = help.split_once("iamship ").expect("a command");
    assert!(command.contains("--allow-removal client:web-shop"), "{command}");
    assert!(command.contains("--allow-removal scope:orders"), "{command}");
    let partly = project.json("promote dev staging --allow-removal client:web-shop", 1);
    assert!(!because(&partly).contains("web-shop"), "{}", because(&partly));
    assert!(because(&partly).contains("scope `orders`"), "{}", because(&partly));
    // The whole command, not only its rest.
    let words = |help: &str| {
        let mut words: Vec<_> = help.split(" --").map(str::to_owned).collect();
        words.sort_unstable();
        words
    };
    assert_eq!(words(&text(&gate(&partly)["help"][0])), words(&help));
    project.run(&format!("{command} --dry-run")).expect_code(0);
    assert_eq!(snapshot(project.root()), before);
    let moved = project.json(command, 0);
    assert_eq!(moved["moved"], json!(true));
    let entry = project.json("history staging --limit 1", 0)["entries"][0].clone();
    let names: Vec<_> = entry["allowed_changes"].as_array().expect("a list").iter().collect();
    let names: Vec<_> = names.iter().map(|allowed| text(&allowed["name"])).collect();
    assert!(names.contains(&"client:web-shop".to_owned()), "{entry:#}");
    assert_eq!(entry["allowed_changes"][0]["approval"], Value::Null);
    let history = project.run("history staging").stdout;
    assert!(history.contains("client:web-shop"), "{history}");
    let verified = project.json("verify staging", 0);
    let statements = verified["statements"].as_array().expect("statements").clone();
    assert!(
        statements
            .iter()
            .any(|said| said["kind"] == "promoted" && said["allows"].to_string().contains("client:web-shop")),
        "{verified:#}"
    );
    // And what is there already needs no name.
    let again = project.json("promote dev staging", 0);
    assert_eq!(again["moved"], json!(false));
    assert_eq!(gate(&again)["verdict"], "pass");
    assert_eq!(again["changes"], json!([]));
}

#[test]
fn explain_tells_each_change_and_the_same_as_a_dry_run() {
    let project = poorer();
    let before = snapshot(project.root());
    let explained = project.json("explain dev staging", 1);
    let planned = project.json("promote dev staging --dry-run", 1);
    assert_eq!(explained["gates"], planned["gates"]);
    assert_eq!(explained["changes"], planned["changes"]);
    assert_eq!(snapshot(project.root()), before);
    let changes = explained["changes"].as_array().expect("changes");
    let client = changes
        .iter()
        .find(|change| change["argument"] == "client:web-shop")
        .expect("the client");
    assert_eq!(client["kind"], "removed");
    assert_eq!(client["severity"], "breaking");
    assert_eq!(client["subject"], "client `web-shop`");
    assert_eq!(client["named"], Value::Null);
    let path = text(&client["path"]);
    assert!(path.ends_with("/client[web-shop]"), "{path}");
    let run = project.run("explain dev staging");
    for change in changes {
        assert!(run.stdout.contains(&text(&change["path"])), "{}", run.stdout);
    }
    let named = project.json(&format!("explain dev staging --allow-removal {path}"), 1);
    let client = named["changes"].as_array().expect("changes").clone();
    let client = client
        .iter()
        .find(|change| change["path"] == path)
        .expect("the client")
        .clone();
    assert_eq!(client["named"], json!(path), "a path is a name too");
    let verdicts = ["gate", "verdict", "because", "help"];
    for gate in explained["gates"].as_array().expect("gates") {
        let mut keys: Vec<_> = gate
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        let mut expected = verdicts;
        expected.sort_unstable();
        assert_eq!(keys, expected);
    }
    let names: Vec<_> = explained["gates"]
        .as_array()
        .expect("gates")
        .iter()
        .map(|gate| text(&gate["gate"]))
        .collect();
    let position = |name: &str| names.iter().position(|other| other == name).expect("the gate");
    assert_eq!(position("changes"), position("values") + 1);
    assert_eq!(position("changes") + 1, position("freeze"));
}

#[test]
fn a_name_that_nothing_has_is_told_with_the_nearest() {
    let project = poorer();
    let run = project.run("promote dev staging --allow-removal client:web-shpo --allow-removal elephant");
    run.expect_code(1);
    assert!(
        run.stderr.contains(
            "`--allow-removal client:web-shpo` names nothing that is removed or breaks; is `client:web-shop` meant?"
        ),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .contains("`--allow-removal elephant` names nothing that is removed or breaks\n"),
        "{}",
        run.stderr
    );
    project.run("promote dev staging --allow-removal=").expect_code(2);
}

#[test]
fn what_is_only_added_or_changed_passes_as_does_the_first_promotion() {
    let project = Project::new();
    project.build();
    let first = project.promote("dev", "staging");
    assert_eq!(because(&first), "`staging` runs nothing yet");
    project.edit(SERVICES, "<client-name>Web shop<", "<client-name>The web shop<");
    project.build();
    let second = project.promote("dev", "staging");
    assert_eq!(because(&second), "1 change: nothing is removed, nothing breaks");
    assert_eq!(second["changes"], json!([]));
    // Another image with the same configuration: the base moved.
    project
        .bases()
        .image("1.0", crate::support::base::Dialect::Oci, "another base");
    project.run("lock --update").expect_code(0);
    project.build();
    let third = project.promote("dev", "staging");
    assert_eq!(because(&third), "the configuration is the one that `staging` runs");
}

#[test]
fn a_stage_may_take_any_change_and_a_rollback_takes_all() {
    let project = poorer();
    project.edit(
        "iamship.toml",
        "name    = \"staging\"",
        "name    = \"staging\"\nenter   = { changes = \"free\" }",
    );
    let moved = project.json("promote dev staging", 0);
    assert_eq!(because(&moved), "`staging` takes any change");
    // Back, and forth: a rollback asks nobody what it takes away.
    project.edit("iamship.toml", "enter   = { changes = \"free\" }", "");
    let back = project.json("rollback staging", 0);
    assert_eq!(back["moved"], json!(true));
    let forth = project.json(&format!("rollback staging --to {}", text(&moved["digest"])), 0);
    assert_eq!(forth["moved"], json!(true));
    project.edit(
        "iamship.toml",
        "name    = \"staging\"",
        "name    = \"staging\"\nenter   = { changes = \"fre\" }",
    );
    let run = project.run("check");
    run.expect_code(2);
    assert!(
        run.stdout.contains("`free`") || run.stderr.contains("`free`"),
        "{run:?}"
    );
}

#[test]
fn an_approval_lists_what_may_go_and_only_that_of_who_may_approve() {
    let mut crew = Crew::new("{ approvals = 1, approvers = [\"keys/ada.pub\"] }");
    let first = crew.tested();
    crew.is("ada").json(&format!("approve {first} --for staging"), 0);
    crew.is("pipeline").json("promote dev staging", 0);
    cut_client(&crew.project);
    let second = crew.tested();
    crew.is("ada").json(&format!("approve {second} --for staging"), 0);
    let held = crew.is("pipeline").json("promote dev staging", 1);
    assert_eq!(Project::held(&held), ["changes"]);
    let help = text(&gate(&held)["help"][1]);
    let (_, command) = help.split_once("iamship ").expect("a command");
    assert!(
        command.starts_with(&format!("approve {second} --for staging --allows ")),
        "{command}"
    );
    // Others may say it, and are told at once that it does not count.
    for name in ["bob", "pipeline"] {
        let run = crew.is(name).run(command);
        run.expect_code(2);
        assert!(run.stderr.contains("does not count"), "{}", run.stderr);
    }
    assert_eq!(
        Project::held(&crew.is("pipeline").json("promote dev staging", 1)),
        ["changes"]
    );
    // She has approved it already, and says more now.
    let approved = crew.is("ada").json(command, 0);
    assert_eq!(approved["approved"], json!(true));
    assert!(approved["allows"].to_string().contains("client:web-shop"));
    assert_eq!(crew.is("ada").json(command, 0)["approved"], json!(false));
    let moved = crew.is("pipeline").json("promote dev staging", 0);
    assert!(because(&moved).contains("by `keys/ada.pub`"), "{}", because(&moved));
    assert_eq!(moved["changes"][0]["approved_by"], "keys/ada.pub");
    let entry = crew.project.json("history staging --limit 1", 0)["entries"][0].clone();
    let client = entry["allowed_changes"].as_array().expect("a list").clone();
    let client = client
        .iter()
        .find(|allowed| allowed["name"] == "client:web-shop")
        .expect("it");
    assert_eq!(client["approved_by"], "keys/ada.pub");
    assert_eq!(client["approval"], approved["record"]);
}

#[test]
fn what_a_key_that_may_not_approve_allows_does_not_count() {
    // Nobody is asked, so anybody may be a witness; but letting something pass takes the right to.
    let mut crew = Crew::new("{ approvals = 0 }");
    crew.tested();
    crew.project.json("promote dev staging", 0);
    cut_client(&crew.project);
    let second = crew.tested();
    let line = format!("approve {second} --for staging --allows client:*");
    crew.is("pipeline").run(&line).expect_code(2);
    crew.is("eve").run(&line).expect_code(2);
    assert_eq!(
        Project::held(&crew.is("pipeline").json("promote dev staging", 1)),
        ["changes"]
    );
    crew.is("bob").json(&line, 0);
    let moved = crew.is("pipeline").json("promote dev staging", 0);
    assert!(
        because(&moved).contains("`client:*` by `keys/bob.pub`"),
        "{}",
        because(&moved)
    );
}

#[test]
fn a_configuration_that_can_not_be_read_moves_nothing() {
    let project = poorer();
    let image = project.store().json(&project.store().tag("staging").expect("a tag"));
    let layers = image["layers"].as_array().expect("layers");
    let layer = layers
        .iter()
        .find(|layer| layer["annotations"].to_string().contains("config"))
        .expect("the configuration");
    let digest = text(&layer["digest"]).replace("sha256:", "");
    let blob = format!(".iamship/store/blobs/sha256/{digest}");
    let mut bytes = std::fs::read(project.path(&blob)).expect("the layer");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(project.path(&blob), bytes).expect("written");
    let before = snapshot(project.root());
    let held = project.json(
        "promote dev staging --allow-removal client:* --allow-removal scope:*",
        3,
    );
    assert_eq!(Project::held(&held), ["changes"]);
    assert!(
        because(&held).starts_with("it can't be compared with what `staging` runs"),
        "{}",
        because(&held)
    );
    assert_eq!(
        project.json("explain dev staging", 3)["gates"],
        project.json("promote dev staging --dry-run", 3)["gates"]
    );
    assert_eq!(snapshot(project.root()), before);
    std::fs::remove_file(project.path(&blob)).expect("removed");
    project.json("promote dev staging", 3);
    // The way out that the help names.
    project.edit(
        "iamship.toml",
        "name    = \"staging\"",
        "name    = \"staging\"\nenter   = { changes = \"free\" }",
    );
    project.json("promote dev staging", 0);
}

#[test]
fn a_secret_is_never_shown() {
    let project = Project::new();
    project.edit(SERVICES, "#{WEB_CLIENT_SECRET}", SECRET);
    for stage in ["dev", "staging", "prod"] {
        let path = format!("secrets/{stage}.env");
        let kept: Vec<_> = project
            .read(&path)
            .lines()
            .filter(|line| !line.contains("WEB_CLIENT_SECRET"))
            .map(str::to_owned)
            .collect();
        project.write(&path, &(kept.join("\n") + "\n"));
    }
    project.edit("iamship.toml", "[checks]\n", "[checks]\nsecret-literal = \"off\"\n");
    project.build();
    project.promote("dev", "staging");
    cut(&project, "<secret>", "</secret>");
    project.build();
    project.test("dev");
    for line in [
        "promote dev staging",
        "explain dev staging",
        "explain dev staging --format json",
    ] {
        let run = project.run(line);
        run.expect_code(1);
        assert!(
            !(run.stdout.clone() + &run.stderr).contains("rounds-are-never"),
            "{run:?}"
        );
        assert!(run.stdout.contains("/secret"), "{run:?}");
    }
    assert!(project.run("explain dev staging").stdout.contains("(secret)"));
}
