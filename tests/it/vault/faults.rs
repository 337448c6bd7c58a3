//! A vault that is sealed, slow, cut off, or none at all.

use serde_json::{Value, json};

use super::{CANARY, quiet};
use crate::support::bao::Bao;
use crate::support::fake_vault::{Answer, FakeVault};
use crate::support::ports::Nobody;
use crate::support::project::{Project, text};

#[test]
fn a_sealed_vault_is_the_world_and_nothing_is_recorded() {
    let Some(bao) = Bao::own(false) else { return };
    let mut project = Project::new();
    bao.move_in(&project, "dev", "secret/iam/dev", 2);
    bao.move_in(&project, "staging", "secret/iam/staging", 2);
    project.set("VAULT_ADDR", &bao.address);
    project.set("VAULT_TOKEN", &bao.root);
    project.build();
    project.test("dev");
    bao.call("PUT", "sys/seal", &Value::Null);
    let before = project.store().tags();
    for arguments in [
        "check",
        "check dev",
        "test dev",
        "promote dev staging",
        "explain dev staging",
        "build",
    ] {
        let run = quiet(&project, arguments, 3);
        assert!(
            run.stderr.contains("is sealed") || run.stdout.contains("is sealed"),
            "{arguments}: {run:?}"
        );
        assert!(
            format!("{}{}", run.stderr, run.stdout).contains("secret/iam/"),
            "{arguments}: {run:?}"
        );
    }
    let checked = project.json("check", 3);
    assert_eq!(checked["diagnostics"][0]["code"], "secrets-unreachable");
    assert!(
        text(&checked["diagnostics"][0]["help"][0]).contains("unseal"),
        "{checked}"
    );
    assert_eq!(project.json("promote dev staging", 3)["moved"], false);
    assert_eq!(project.store().tags(), before);
    // Who only looks is told what can still be known.
    project.json("status", 0);
    project.json("history dev", 0);
}

#[test]
fn a_vault_with_a_certificate_of_its_own_needs_its_ca() {
    let Some(bao) = Bao::own(true) else { return };
    let mut project = Project::new();
    project.edit(
        "iamship.toml",
        "\"file:secrets/dev.env\"",
        "\"file:secrets/dev.env\", \"vault:secret/iam/dev\"",
    );
    project.set("VAULT_ADDR", &bao.address);
    project.set("VAULT_TOKEN", &bao.root);
    let run = quiet(&project, "check", 3);
    assert!(run.stderr.contains("VAULT_CACERT"), "{}", run.stderr);
    project.set("VAULT_CACERT", &bao.ca());
    // It is spoken to; there is nothing yet.
    let run = quiet(&project, "check", 1);
    assert!(run.stderr.contains("holds nothing"), "{}", run.stderr);
    project.set("VAULT_CACERT", "");
    project.write("vault.pem", &std::fs::read_to_string(bao.ca()).expect("a CA"));
    project.append("iamship.toml", "\n[vault]\nca = \"vault.pem\"\n");
    let run = quiet(&project, "check", 1);
    assert!(run.stderr.contains("holds nothing"), "{}", run.stderr);
    project.write("vault.pem", "rubbish");
    let run = quiet(&project, "check", 3);
    assert!(run.stderr.contains("no PEM certificate"), "{}", run.stderr);
}

/// A project that has all it needs and asks a fake for more.
fn beside(fake: &FakeVault) -> Project {
    let mut project = Project::new();
    project.edit(
        "iamship.toml",
        "\"file:secrets/dev.env\"",
        "\"file:secrets/dev.env\", \"vault:secret/iam/dev\"",
    );
    project.set("VAULT_ADDR", &fake.address);
    project.set("VAULT_TOKEN", CANARY);
    project
}

#[test]
fn what_passes_is_waited_for() {
    let busy = || Answer::Raw(b"HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nContent-Length: 2\r\n\r\n{}".to_vec());
    let broken = || Answer::Json(500, json!({ "errors": ["internal error"] }));
    let cut = || Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"da".to_vec());
    let closed = || Answer::Raw(Vec::new());
    let faults: [(&str, &dyn Fn() -> Answer); 4] =
        [("busy", &busy), ("broken", &broken), ("cut", &cut), ("closed", &closed)];
    for (name, make) in faults {
        let answers = std::sync::Mutex::new([make(), make()].into_iter());
        let fake = FakeVault::kv(json!({ "MORE": CANARY }), move |_, _| {
            answers.lock().expect("answers").next()
        });
        quiet(&beside(&fake), "check", 0);
        assert_eq!(fake.requests().len(), 4, "{name}");
    }
}

#[test]
fn what_is_no_vault_is_told_soon_and_shows_nothing() {
    let nobody = Nobody::new();
    let down = format!("http://{}", nobody.address);
    let redirect = |target: &str| {
        let target = target.to_owned();
        move || Answer::Raw(format!("HTTP/1.1 307 T\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n").into_bytes())
    };
    let elsewhere = FakeVault::kv(json!({}), |_, _| None);
    let (away, circle) = (redirect(&format!("{}/v1/x", elsewhere.address)), redirect("/v1/circle"));
    let silence = || Answer::Silence;
    let endless = || Answer::Endless;
    let rubbish = || Answer::Raw(format!("HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{CANARY}").into_bytes());
    let half = || Answer::Json(200, json!({ "data": { "path": CANARY } }));
    let echo = || {
        Answer::Json(
            500,
            json!({ "errors": [format!("token {CANARY} is \u{1b}[31mbad\nx")] }),
        )
    };
    let standby = || Answer::Json(473, json!({}));
    let no_http = || Answer::Raw(b"SSH-2.0-OpenSSH\r\n".to_vec());
    let forbidden = || Answer::Raw(b"HTTP/1.1 403 F\r\nContent-Length: 4\r\n\r\n<h1>".to_vec());
    type Make<'a> = &'a (dyn Fn() -> Answer + Sync);
    let cases: [(Make<'_>, &str); 10] = [
        (&away, "which does not get the token"),
        (&circle, "in a circle"),
        (&silence, "it took too long"),
        (&endless, "more than 4 MiB"),
        (&rubbish, "not the JSON"),
        (&half, "not the JSON"),
        (&echo, "token … is"),
        (&standby, "is a standby"),
        (&no_http, "does not answer"),
        (&forbidden, "Vault denies `secret/iam/dev`"),
    ];
    std::thread::scope(|scope| {
        for (make, part) in cases {
            // The fake outlives this function: its answers are made beforehand.
            let answers = std::sync::Mutex::new((0..4).map(|_| make()).collect::<Vec<_>>());
            scope.spawn(move || {
                let fake =
                    FakeVault::new(move |_, _| answers.lock().expect("answers").pop().unwrap_or(Answer::Silence));
                let mut project = beside(&fake);
                project.set("VAULT_CLIENT_TIMEOUT", "2");
                project.set("VAULT_MAX_RETRIES", "1");
                let run = quiet(&project, "check", 3);
                assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
                assert!(
                    run.stderr.contains("`vault:secret/iam/dev`"),
                    "the source is named: {}",
                    run.stderr
                );
                assert!(
                    !run.stderr.contains("\u{1b}[31m") && fake.requests().len() <= 2,
                    "{}",
                    run.stderr
                );
            });
        }
    });
    assert!(elsewhere.requests().is_empty());
    let mut project = beside(&elsewhere);
    project.set("VAULT_ADDR", &down);
    for arguments in ["check", "parameters", "build"] {
        let run = quiet(&project, arguments, 3);
        assert!(run.stderr.contains("VAULT_ADDR"), "{}", run.stderr);
    }
    project.set("VAULT_ADDR", "http://vault.example.com");
    let run = quiet(&project, "check", 1);
    assert!(run.stderr.contains("not https"), "{}", run.stderr);
}

/// A server that repeats what it was sent, behind so many words that a cut goes through the middle of it.
#[test]
fn what_was_sent_to_log_in_is_in_no_message() {
    for status in [400, 412, 500, 503] {
        let fake = FakeVault::new(move |request, _| {
            let sent = request.body["secret_id"].as_str().unwrap_or_default();
            let words = format!("{} {sent} and {sent}", "x".repeat(280));
            Answer::Json(status, json!({ "errors": [words] }))
        });
        let mut project = beside(&fake);
        let secret = format!("{CANARY}-{}", "s".repeat(40));
        project.set("SECRET_ID", &secret);
        project.set("VAULT_MAX_RETRIES", "0");
        project.append(
            "iamship.toml",
            "\n[vault.login]\nmethod = \"approle\"\nrole-id = \"a-role\"\nsecret-id = \"env:SECRET_ID\"\n",
        );
        let run = project.run("check");
        run.expect_code(3);
        assert!(run.stderr.contains("xxx"), "{status}: {}", run.stderr);
        assert!(!run.stderr.contains(&CANARY[..8]), "{status}: {}", run.stderr);
    }
}
