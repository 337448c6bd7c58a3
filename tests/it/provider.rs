//! A real identity server under test: the whole pipeline with a real engine, and what stops it.

use std::time::Duration;

use serde_json::Value;

use crate::support::project::{Project, text};
use crate::support::provider::{Provider, STAGES, now, wait_for};

/// Long enough for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The results of the suites, by name.
fn suites(document: &Value) -> Vec<(String, String)> {
    let suites = document["suites"].as_array().expect("suites");
    suites
        .iter()
        .map(|suite| (text(&suite["suite"]), text(&suite["result"])))
        .collect()
}

fn results(boot: &str, oidc: &str) -> Vec<(String, String)> {
    [("boot", boot), ("oidc", oidc)]
        .map(|(suite, result)| (suite.to_owned(), result.to_owned()))
        .into()
}

/// The details of the checks that failed.
fn failures(document: &Value) -> String {
    let checks = document["checks"].as_array().expect("checks");
    let failed = checks.iter().filter(|check| check["result"] == "failed");
    failed
        .map(|check| {
            format!(
                "{}: {}\n",
                text(&check["name"]),
                check["detail"].as_str().unwrap_or_default()
            )
        })
        .collect()
}

#[test]
fn one_digest_is_tested_in_each_stage_and_goes_to_production() {
    let Some(provider) = Provider::new() else { return };
    let digest = provider.build();
    for (from, to) in [("dev", "staging"), ("staging", "prod")] {
        let held = provider.json(&format!("promote {from} {to}"), 1);
        assert_eq!(held["moved"], false, "{held:#}");
        let tested = provider.json(&format!("test {from}"), 0);
        assert_eq!(tested["digest"], digest);
        assert_eq!(suites(&tested), results("passed", "passed"), "{tested:#}");
        let moved = provider.json(&format!("promote {from} {to}"), 0);
        assert_eq!(
            (&moved["moved"], &moved["digest"]),
            (&true.into(), &digest.clone().into())
        );
    }
    provider.json("test prod", 0);
    for stage in STAGES {
        assert_eq!(provider.project.stage(stage)["digest"], digest);
        assert_eq!(provider.project.stage(stage)["tested"]["result"], "passed");
    }
    let verified = provider.json("verify prod", 0);
    let statements = verified["statements"].as_array().expect("statements");
    let tested = statements
        .iter()
        .filter(|statement| statement["kind"] == "tested")
        .count();
    assert_eq!(tested, 6, "two suites in three stages: {verified:#}");
}

#[test]
fn a_client_that_gets_no_token_is_found_and_holds_the_promotion() {
    let Some(provider) = Provider::new() else { return };
    // The server boots with it and is healthy: it looks at a client when the client comes.
    provider.project.edit("config/server.yaml", "offline_access, ", "");
    provider.build();
    let tested = provider.json("test dev", 1);
    assert_eq!(suites(&tested), results("passed", "failed"), "{tested:#}");
    let failures = failures(&tested);
    assert!(
        failures.contains("web-shop") && failures.contains("invalid_client_metadata"),
        "{failures}"
    );
    assert!(tested["record"].is_string(), "{tested:#}");
    let held = provider.json("promote dev staging", 1);
    assert_eq!(Project::held(&held), ["tested"], "{held:#}");
    // What was recorded is what later runs see.
    assert_eq!(provider.project.stage("dev")["tested"]["result"], "failed");
}

#[test]
fn a_missing_parameter_holds_before_anything_starts() {
    let Some(mut provider) = Provider::new() else { return };
    provider.build();
    provider.set_secret("staging", "WEB_SHOP_SECRET", None);
    provider.json("test dev", 0);
    let began = now();
    let held = provider.start("promote dev staging --format json").end().ends(1);
    assert!(held.stdout.contains("WEB_SHOP_SECRET"), "{held:?}");
    provider.set_secret("dev", "WEB_SHOP_SECRET", None);
    let tested = provider
        .start("test dev --format json")
        .end()
        .ends(1)
        .says("WEB_SHOP_SECRET");
    for ended in [held, tested] {
        let events = provider.engine.events_since(began);
        assert!(!events.contains(&format!("/{}/", ended.process)), "{events}");
        provider.is_clean(&ended);
    }
}

#[test]
fn a_server_that_exits_at_once_fails_at_once_and_says_what_it_said() {
    let Some(mut provider) = Provider::new() else { return };
    provider.set_secret("dev", "SIGNING_KEYS", Some("this-is-no-key-set"));
    provider.build();
    let tested = provider.json("test dev", 1);
    assert_eq!(suites(&tested), results("failed", "failed"), "{tested:#}");
    let failures = failures(&tested);
    assert!(failures.contains("64"), "{failures}");
    provider.run("test dev").ends(1).says("`keys` is not a JWKS");
}

#[test]
fn a_server_that_never_gets_healthy_fails_after_its_time() {
    let Some(provider) = Provider::new() else { return };
    provider.project.append("env/dev.env", "LISTEN_PORT=9090\n");
    provider
        .project
        .edit("iamship.toml", "test    = { kind", "test    = { timeout = \"2s\", kind");
    provider.build();
    let tested = provider.json("test dev", 1);
    assert_eq!(suites(&tested), results("failed", "failed"), "{tested:#}");
    assert!(failures(&tested).contains("health"), "{tested:#}");
}

#[test]
fn the_secret_of_another_client_is_refused() {
    let Some(provider) = Provider::new() else { return };
    let other = "secret         = \"API_GATEWAY_SECRET\"";
    provider
        .project
        .edit("iamship.toml", "secret         = \"REPORTS_SERVICE_SECRET\"", other);
    provider.build();
    let tested = provider.json("test dev", 1);
    assert_eq!(suites(&tested), results("passed", "failed"), "{tested:#}");
    let failures = failures(&tested);
    assert!(
        failures.contains("reports-service") && failures.contains("invalid_client"),
        "{failures}"
    );
    assert!(!failures.contains("orders-service"), "{failures}");
}

#[test]
fn a_second_test_of_a_digest_transfers_nothing() {
    let Some(provider) = Provider::new() else { return };
    provider.build();
    let began = now();
    provider.json("test dev", 0);
    let image = provider.image().expect("the engine has it");
    let loads = |began| {
        let events = provider.engine.events_since(began);
        let loads = events
            .lines()
            .filter(|line| line.contains("\"load\"") && line.contains(&image));
        loads.count()
    };
    assert_eq!(loads(began), 1);
    provider.json("test dev", 0);
    assert_eq!(loads(began), 1);
}

#[test]
fn an_interrupted_test_leaves_nothing() {
    for signal in ["INT", "TERM"] {
        let Some(provider) = Provider::new() else { return };
        provider.project.append("env/dev.env", "LISTEN_PORT=9090\n");
        provider.build();
        let running = provider.start("test dev");
        wait_for("a container", PATIENCE, || {
            provider.engine.containers_of(running.process()).pop()
        });
        running.signal(signal);
        let ended = running.end();
        provider.is_clean(&ended);
        ended.ends(3).says("interrupted");
        assert!(provider.project.stage("dev")["tested"].is_null(), "nothing is recorded");
    }
}

#[test]
fn the_next_run_sweeps_away_what_a_killed_one_left() {
    let Some(provider) = Provider::new() else { return };
    provider.project.append("env/dev.env", "LISTEN_PORT=9090\n");
    provider.build();
    let running = provider.start("test dev");
    let process = running.process();
    wait_for("a container", PATIENCE, || provider.engine.containers_of(process).pop());
    running.signal("KILL");
    running.end();
    assert!(!provider.engine.left_by(process).is_empty());
    provider.project.edit("env/dev.env", "LISTEN_PORT=9090\n", "");
    provider.json("test dev", 0);
    assert_eq!(provider.engine.left_by(process), Vec::<String>::new());
}

#[test]
fn tests_that_run_side_by_side_do_not_touch_each_other() {
    let Some(provider) = Provider::new() else { return };
    provider.build();
    let running: Vec<_> = (0..4).map(|_| provider.start("test dev --format json")).collect();
    for ended in running.into_iter().map(|running| running.end()) {
        provider.is_clean(&ended);
        let ended = ended.ends(0);
        let document: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        assert_eq!(suites(&document), results("passed", "passed"));
    }
}

#[test]
fn no_secret_is_anywhere_but_in_its_container() {
    let Some(provider) = Provider::new() else { return };
    provider.build();
    let running = provider.start("test dev -vv");
    let process = running.process();
    // The engine's own view of the container: the environment is the one place.
    let container = wait_for("a container", PATIENCE, || provider.engine.containers_of(process).pop());
    let seen = provider
        .engine
        .try_run(&["container", "inspect", &container])
        .unwrap_or_default();
    let ended = running.end().ends(0);
    provider.is_clean(&ended);
    if let Some(seen) = serde_json::from_str::<Value>(&seen)
        .ok()
        .and_then(|mut seen| Some(seen.get_mut(0)?.take()))
    {
        let mut rest = seen.clone();
        let environment = rest["Config"]["Env"].take();
        assert!(
            !provider.secrets_in(environment.to_string().as_bytes()).is_empty(),
            "{environment}"
        );
        assert_eq!(provider.secrets_in(rest.to_string().as_bytes()), Vec::<String>::new());
    }
    provider.run("promote dev staging").ends(0);
    let image = provider.image().expect("the engine has it");
    for about in [
        ["image", "inspect", &image].as_slice(),
        &["image", "history", "--no-trunc", &image],
    ] {
        let told = provider.engine.run(about);
        assert_eq!(provider.secrets_in(told.as_bytes()), Vec::<String>::new(), "{told}");
    }
    assert_eq!(provider.secrets_kept(), Vec::<String>::new());
}

/// A stage whose secrets are encrypted before the server gets them.
fn protecting_dev() -> Option<Provider> {
    let mut provider = Provider::new()?;
    let values = "values  = [\"env/dev.env\"]";
    provider
        .project
        .edit("iamship.toml", values, &format!("{values}\nprotect = {{}}"));
    provider.set_secret("dev", "PROTECT_KEY", Some("the-key-that-dev-protects-with"));
    Some(provider)
}

#[test]
fn a_stage_can_give_its_secrets_encrypted_under_a_key_of_its_own() {
    let Some(provider) = protecting_dev() else { return };
    provider.build();
    let running = provider.start("test dev --format json");
    let environment = wait_for("the server", PATIENCE, || {
        let containers = provider.engine.containers_of(running.process());
        let told = containers.iter().filter_map(|id| {
            let format = "{{json .Config.Env}}";
            provider
                .engine
                .try_run(&["container", "inspect", "--format", format, id])
        });
        // The containers that protect have no such value.
        told.into_iter().find(|told| told.contains("ORDERS_SERVICE_SECRET="))
    });
    let ended = running.end();
    provider.is_clean(&ended);
    // Each client's secret is the one that the stage gave, seen from outside.
    let tested: Value = serde_json::from_str(&ended.ends(0).stdout).expect("JSON");
    assert_eq!(suites(&tested), results("passed", "passed"), "{tested:#}");
    for name in ["ORDERS_SERVICE_SECRET", "WEB_SHOP_SECRET", "SIGNING_KEYS", "COOKIE_KEY"] {
        assert!(environment.contains(&format!("{name}=enc:v1:")), "{environment}");
    }
    let bare = provider.secrets_in(environment.as_bytes());
    assert_eq!(bare, ["PROTECT_KEY of dev"], "{environment}");
}

#[test]
fn what_was_protected_under_another_key_does_not_start() {
    let Some(mut provider) = protecting_dev() else { return };
    let other = format!("enc:v1:{}", "A".repeat(60));
    provider.set_secret("dev", "COOKIE_KEY", Some(&other));
    provider.build();
    provider
        .run("test dev")
        .ends(1)
        .says("COOKIE_KEY: protected under another key");
    // One that was cut is seen without starting anything.
    provider.set_secret("dev", "COOKIE_KEY", Some("enc:v1:short"));
    let began = now();
    let ended = provider.run("test dev").ends(1).says("COOKIE_KEY");
    let events = provider.engine.events_since(began);
    assert!(!events.contains(&format!("/{}/", ended.process)), "{events}");
}

/// Removes a container that stays, also when the test fails.
struct Kept<'a>(&'a Provider, String);

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.0
            .engine
            .try_run(&["container", "rm", "--force", "--volumes", &self.1]);
    }
}

#[test]
fn what_was_tested_is_what_is_deployed_and_serves() {
    let Some(provider) = protecting_dev() else { return };
    // Containers that stay are named after their project.
    let name = format!("name   = \"provider-{}\"", std::process::id());
    provider.project.edit("iamship.toml", "name   = \"provider\"", &name);
    let digest = provider.build();
    provider.json("test dev", 0);
    let deployed = provider.json("deploy dev", 0);
    let kept = Kept(&provider, text(&deployed["container"]));
    assert_eq!(
        (&deployed["digest"], &deployed["changed"]),
        (&digest.into(), &true.into())
    );
    let image = provider
        .engine
        .run(&["container", "inspect", "--format", "{{.Image}}", &kept.1]);
    assert_eq!(
        Some(image.trim().to_owned()),
        provider.image(),
        "the image that was tested"
    );
    let address = deployed["addresses"][0]["address"].as_str().expect("an address");
    assert!(answers(address.trim_start_matches("http://")), "{deployed:#}");
    let again = provider.json("deploy dev", 0);
    assert_eq!(
        (&again["container"], &again["changed"]),
        (&deployed["container"], &false.into())
    );
}

/// Whether the server there says that it is well.
fn answers(address: &str) -> bool {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).expect("a connection");
    let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.starts_with("HTTP/1.1 200")
}

/// Whoever installs from it uses the registry that npm is set to.
#[test]
fn the_lock_file_names_no_registry() {
    let lock = include_str!("../projects/provider/server/package-lock.json");
    assert!(
        !lock.contains("\"resolved\""),
        "npm config set omit-lockfile-registry-resolved true"
    );
}
