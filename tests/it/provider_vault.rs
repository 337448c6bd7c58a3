//! The example as it is kept: a real identity server, a real engine, and a real OpenBao with the secrets of `staging`.

use serde_json::{Value, json};

use crate::support::project::{Project, text};
use crate::support::provider::{Provider, VAULT_PATH, now};

/// Fails the test when a secret is kept anywhere but in the vault and the folder of secrets.
#[track_caller]
fn nothing_is_kept(provider: &Provider) {
    assert_eq!(provider.secrets_kept(), Vec::<String>::new());
}

/// What holds a promotion from `staging`: the help of the gate `tested`.
#[track_caller]
fn mends(provider: &Provider) -> Vec<String> {
    let held = provider.json("promote staging prod", 1);
    assert_eq!(Project::held(&held), ["tested"], "{held:#}");
    let gates = held["gates"].as_array().expect("gates");
    let gate = gates.iter().find(|gate| gate["gate"] == "tested").expect("the gate");
    gate["help"].as_array().expect("help").iter().map(text).collect()
}

#[test]
fn a_secret_that_is_rotated_in_the_vault_holds_until_the_stage_is_tested_again() {
    let Some(mut provider) = Provider::with_vault() else {
        return;
    };
    let digest = provider.build();
    provider.json("test dev", 0);
    provider.json("promote dev staging", 0);
    let tested = provider.json("test staging", 0);
    assert_eq!(tested["result"], "passed", "{tested:#}");
    assert!(!provider.project.path("secrets/staging.env").exists());

    provider.set_secret("staging", "ORDERS_SERVICE_SECRET", Some("rotated-in-the-vault"));
    assert_eq!(provider.project.stage("staging")["tested"]["stale"], true);
    let mends = mends(&provider);
    assert_eq!(mends, [format!("iamship test staging --digest {digest}")]);
    let again = mends[0].strip_prefix("iamship ").expect("a command");
    // The server has the new secret, and so has the client that asks.
    provider.json(again, 0);
    let moved = provider.json("promote staging prod", 0);
    assert_eq!((&moved["moved"], &moved["digest"]), (&true.into(), &digest.into()));
    provider.json("test prod", 0);
    nothing_is_kept(&provider);
}

/// The key and the property of each secret that an `ExternalSecret` asks for.
fn asked_for(document: &str) -> Vec<(&str, &str)> {
    let values = |name| {
        let lines = document.lines().map(|line| line.trim().trim_start_matches("- "));
        let values = lines.filter_map(move |line| line.strip_prefix(name)?.strip_prefix(": "));
        values.map(|value| value.trim_matches('"'))
    };
    values("key").zip(values("property")).collect()
}

#[test]
fn a_vault_that_is_sealed_or_away_stops_its_stage_only_and_nothing_is_recorded() {
    let Some(mut provider) = Provider::with_vault() else {
        return;
    };
    provider.build();
    provider.json("test dev", 0);
    provider.json("promote dev staging", 0);
    provider.json("test staging", 0);

    // What a cluster gets has the vault's path, and the operator there reads it.
    let document = provider.run("render staging --for kubernetes").ends(0).stdout;
    assert!(document.contains("ExternalSecret"), "{document}");
    let asked_for = asked_for(&document);
    assert!(asked_for.contains(&(VAULT_PATH, "SIGNING_KEYS")), "{document}");
    assert_eq!(asked_for.len(), 6, "{document}");
    assert!(asked_for.iter().all(|(key, _)| *key == VAULT_PATH), "{document}");

    provider.project.set("VAULT_MAX_RETRIES", "0");
    let records = |provider: &Provider| -> Value { provider.json("history staging", 0) };
    let before = records(&provider);
    for is_away in [false, true] {
        match is_away {
            false => {
                let bao = provider.vault.as_ref().expect("a vault");
                bao.call("POST", "sys/seal", &json!({}));
            }
            true => provider.vault = None,
        }
        let began = now();
        let ended = provider.run("test staging").ends(3);
        let events = provider.engine.events_since(began);
        assert!(!events.contains(&format!("/{}/", ended.process)), "{events}");
        ended.says(if is_away { "does not answer" } else { "sealed" });
        assert_eq!(records(&provider), before);
        // Whether the pass of then still counts, nobody can tell.
        let held = provider.json("promote staging prod", 3);
        assert_eq!(Project::held(&held), ["tested"], "{held:#}");
        assert!(held.to_string().contains("iamship check staging"), "{held:#}");
        let told = provider.run("promote staging prod").ends(3);
        told.says(if is_away { "does not answer" } else { "sealed" });
    }
    // Nobody else needs it.
    provider.json("test dev", 0);
    nothing_is_kept(&provider);
}
