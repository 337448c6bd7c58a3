//! Keys that never leave a transit engine.

use std::process::Command;

use base64::Engine as _;
use p256::ecdsa::signature::Signer as _;
use serde_json::json;

use super::{CANARY, asked, quiet, tested};
use crate::support::bao::Bao;
use crate::support::fake_vault::{Answer, FakeVault};
use crate::support::project::{Project, text};

/// A project that signs with a key in a transit engine.
struct Transit {
    bao: Bao,
    project: Project,
    mount: String,
}

impl Transit {
    fn new(kind: &str) -> Option<Self> {
        let bao = Bao::shared()?;
        let mut project = Project::new();
        let mount = bao.transit(kind);
        let own = "\"env:SHOP_SIGNING_KEY\"";
        project.edit("iamship.toml", own, &format!("\"vault:{mount}/keys/iamship\""));
        std::fs::remove_file(project.path("keys/iamship.pub")).expect("removed");
        project.set("SHOP_SIGNING_KEY", "");
        project.set("VAULT_ADDR", &bao.address);
        project.set("VAULT_TOKEN", &bao.root);
        Some(Self { bao, project, mount })
    }

    fn fetch(&self, prefix: &str) -> String {
        let fetched = self.project.json(
            &format!("keygen --from vault:{}/keys/iamship --out {prefix}", self.mount),
            0,
        );
        text(&fetched["fingerprint"])
    }
}

#[test]
fn a_key_that_never_leaves_vault_signs_everything() {
    for kind in ["ecdsa-p256", "ed25519"] {
        let Some(transit) = Transit::new(kind) else { return };
        let project = &transit.project;
        let run = quiet(project, "check", 2);
        assert!(run.stderr.contains("iamship keygen --from vault:"), "{}", run.stderr);
        transit.fetch("keys/iamship");
        // The public key, all signatures of a build at once, and the move's two.
        assert_eq!(asked(&quiet(project, "build", 0)), 3);
        // Nothing is new.
        assert_eq!(asked(&quiet(project, "build", 0)), 1);
        // The public key, the key for the fingerprint, the signature.
        assert_eq!(asked(&quiet(project, "test dev", 0)), 3);
        assert_eq!(asked(&quiet(project, "promote dev staging", 0)), 3);
        let verified = project.json("verify staging", 0);
        assert_eq!(verified["signed_by"], json!(["keys/iamship.pub"]));
    }
}

#[test]
fn stock_cosign_accepts_what_a_transit_key_signed() {
    let cosign = Command::new("cosign").arg("version").output();
    let registry = std::env::var("IAMSHIP_TEST_REGISTRY");
    for kind in ["ecdsa-p256", "ed25519"] {
        let Some(transit) = Transit::new(kind) else { return };
        let (Ok(registry), Ok(_)) = (&registry, &cosign) else {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "cosign and a registry are needed"
            );
            return;
        };
        let project = &transit.project;
        transit.fetch("keys/iamship");
        let repository = format!("{registry}/{}", Bao::name("cosign-transit"));
        project.edit(
            "iamship.toml",
            "[image]",
            &format!("[image]\nrepository = \"{repository}\""),
        );
        project.build();
        project.promote("dev", "staging");
        let flags = "--key keys/iamship.pub --insecure-ignore-tlog --allow-insecure-registry";
        let run = |arguments: &str| {
            let words: Vec<_> = arguments.split_whitespace().collect();
            let output = Command::new("cosign")
                .args(words)
                .current_dir(project.root())
                .output()
                .expect("cosign runs");
            assert!(output.status.success(), "{kind}: {output:?}");
        };
        run(&format!("verify {flags} {repository}:staging"));
        for predicate in [
            "slsaprovenance1",
            "cyclonedx",
            "https://in-toto.io/attestation/test-result/v0.1",
            "https://slsa.dev/verification_summary/v1",
            "https://iamship.dev/parameters/v1",
        ] {
            run(&format!(
                "verify-attestation {flags} --type {predicate} {repository}:staging"
            ));
        }
    }
}

#[test]
fn a_rotated_key_must_be_trusted_before_it_signs_and_tests_stay_fresh() {
    let Some(transit) = Transit::new("ecdsa-p256") else {
        return;
    };
    let project = &transit.project;
    let first = transit.fetch("keys/iamship");
    project.build();
    project.test("dev");
    transit
        .bao
        .call("POST", &format!("{}/keys/iamship/rotate", transit.mount), &json!({}));
    let run = quiet(project, "promote dev staging", 2);
    assert!(
        run.stderr.contains("does not trust") && run.stderr.contains("keygen --from vault:"),
        "{}",
        run.stderr
    );
    let second = transit.fetch("keys/second");
    assert_ne!(first, second);
    project.edit(
        "iamship.toml",
        "[\"keys/iamship.pub\"]",
        "[\"keys/iamship.pub\", \"keys/second.pub\"]",
    );
    assert_eq!(tested(project)["stale"], false, "the secrets are the same");
    project.json("promote dev staging", 0);
    let entry = project.json("history staging", 0)["entries"][0].clone();
    assert_eq!(entry["signer"], "keys/second.pub");
}

#[test]
fn without_the_right_to_hash_secrets_are_left_out_and_that_is_said() {
    let Some(mut transit) = Transit::new("ed25519") else {
        return;
    };
    transit.fetch("keys/iamship");
    let mount = &transit.mount;
    let policy = format!(
        "path \"{mount}/keys/iamship\" {{ capabilities = [\"read\"] }}\npath \"{mount}/sign/iamship\" {{ capabilities = [\"update\"] }}"
    );
    let token = transit.bao.token(&policy);
    transit.project.set("VAULT_TOKEN", &token);
    let project = &mut transit.project;
    project.build();
    let run = quiet(project, "test dev", 0);
    assert!(run.stderr.contains("IAMSHIP_FINGERPRINT_KEY"), "{}", run.stderr);
    project.json("promote dev staging", 0);
    project.set("IAMSHIP_FINGERPRINT_KEY", "one text on every machine");
    let run = quiet(project, "test dev", 0);
    assert!(!run.stderr.contains("IAMSHIP_FINGERPRINT_KEY"), "{}", run.stderr);
    // Somebody without any access still sees what is there.
    project.set("VAULT_TOKEN", "");
    project.json("status", 0);
    project.json("verify dev", 0);
    let run = quiet(project, "test dev", 2);
    assert!(
        run.stderr.contains("the signing key `vault:") && run.stderr.contains("no token for Vault"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_key_that_can_not_be_used_is_told() {
    let Some(transit) = Transit::new("aes256-gcm96") else {
        return;
    };
    let fetch = |name: &str| format!("keygen --from vault:{}/keys/{name}", transit.mount);
    let run = quiet(&transit.project, &fetch("iamship"), 2);
    assert!(
        run.stderr.contains("`aes256-gcm96`; use `ecdsa-p256`"),
        "{}",
        run.stderr
    );
    let run = quiet(&transit.project, &fetch("none"), 2);
    assert!(
        run.stderr.contains("has no key") && run.stderr.contains("type=ecdsa-p256"),
        "{}",
        run.stderr
    );
    quiet(&transit.project, "keygen --from vault:transit/x", 2);
    assert!(!transit.project.path("keys/iamship.pub").exists());
}

#[test]
fn a_signature_that_is_not_the_keys_is_never_written() {
    use p256::pkcs8::EncodePublicKey as _;
    let key = p256::ecdsa::SigningKey::from_slice(&[9; 32]).expect("a key");
    let pem = key
        .verifying_key()
        .to_public_key_pem(p256::pkcs8::LineEnding::LF)
        .expect("PEM");
    let public = pem.clone();
    let foreign: p256::ecdsa::Signature = key.sign(b"something else");
    let signature = base64::engine::general_purpose::STANDARD.encode(foreign.to_der().as_bytes());
    let fake = FakeVault::new(move |request, _| match request.body["batch_input"].as_array() {
        None => Answer::Json(
            200,
            json!({ "data": { "type": "ecdsa-p256", "latest_version": 1, "keys": { "1": { "public_key": public } } } }),
        ),
        Some(batch) => {
            let signed = json!({ "signature": format!("vault:v1:{signature}") });
            Answer::Json(200, json!({ "data": { "batch_results": vec![signed; batch.len()] } }))
        }
    });
    let mut project = Project::new();
    project.write("keys/iamship.pub", &pem);
    project.edit(
        "iamship.toml",
        "\"env:SHOP_SIGNING_KEY\"",
        "\"vault:transit/keys/iamship\"",
    );
    project.set("VAULT_ADDR", &fake.address);
    project.set("VAULT_TOKEN", CANARY);
    let run = quiet(&project, "build", 3);
    assert!(
        run.stderr.contains("a signature that came back is not of the key"),
        "{}",
        run.stderr
    );
    // Of what an ECDSA key signs, only the hash is sent.
    let requests = fake.requests();
    let batch = requests.last().expect("a request").body["batch_input"].clone();
    assert!(
        batch
            .as_array()
            .expect("a batch")
            .iter()
            .all(|item| text(&item["input"]).len() == 44),
        "{batch}"
    );
    assert!(
        project.store().tags().keys().all(|tag| !tag.starts_with("sha256-")),
        "{:?}",
        project.store().tags()
    );
}

/// A token that has run out, a login that is refused: nobody may take that for "the secrets can't be compared".
#[test]
fn a_vault_that_refuses_us_is_no_missing_key() {
    let mut project = Project::new();
    project.build();
    project.test("dev");
    let fake = FakeVault::new(|_, _| Answer::Json(403, json!({ "errors": ["permission denied"] })));
    project.edit(
        "iamship.toml",
        "\"env:SHOP_SIGNING_KEY\"",
        "\"vault:transit/keys/iamship\"",
    );
    project.set("VAULT_ADDR", &fake.address);
    project.set("VAULT_TOKEN", CANARY);
    let run = quiet(&project, "explain dev staging", 3);
    assert!(
        run.stderr.contains("Vault denies `transit/keys/iamship`"),
        "{}",
        run.stderr
    );
    project.json("status", 0);
    project.append(
        "iamship.toml",
        "\n[vault.login]\nmethod = \"approle\"\nrole-id = \"env:ROLE\"\nsecret-id = \"env:ROLE\"\n",
    );
    project.set("ROLE", CANARY);
    let run = quiet(&project, "explain dev staging", 3);
    assert!(run.stderr.contains("refuses the login"), "{}", run.stderr);
}
