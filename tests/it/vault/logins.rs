//! Ways to log in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};

use super::{CANARY, Scene, asked, quiet};
use crate::support::bao::Bao;
use crate::support::fake_vault::{Answer, FakeVault};
use crate::support::project::{Project, text};

#[test]
fn an_app_role_logs_in() {
    let Some(scene) = Scene::new(2) else { return };
    let mut project = scene.project.checkout();
    let (bao, mount) = (&scene.bao, Bao::name("approle"));
    let policy = bao.policy(&format!("path \"{}\" {{ capabilities = [\"read\"] }}", scene.data()));
    bao.call("POST", &format!("sys/auth/{mount}"), &json!({ "type": "approle" }));
    let role = format!("auth/{mount}/role/iamship");
    bao.call(
        "POST",
        &role,
        &json!({ "token_policies": [policy], "token_ttl": "60s", "secret_id_num_uses": 0 }),
    );
    let role_id = text(&bao.call("GET", &format!("{role}/role-id"), &Value::Null)["data"]["role_id"]);
    let secret_id = text(&bao.call("POST", &format!("{role}/secret-id"), &json!({}))["data"]["secret_id"]);
    project.append(
        "iamship.toml",
        &format!("\n[vault.login]\nmethod = \"approle\"\nmount = \"{mount}\"\nrole-id = \"env:ROLE\"\nsecret-id = \"file:secret-id\"\n"),
    );
    project.set("VAULT_TOKEN", "");
    let run = quiet(&project, "check", 1);
    assert!(run.stderr.contains("`ROLE`, and that is not set"), "{}", run.stderr);
    project.set("ROLE", &role_id);
    project.write("secret-id", &format!("{secret_id}\n"));
    // One login more than with a token.
    let run = quiet(&project, "check", 0);
    assert_eq!(asked(&run), 3);
    assert!(!run.stderr.contains(&secret_id), "{}", run.stderr);
    project.write("secret-id", CANARY);
    let run = quiet(&project, "check", 3);
    assert!(
        run.stderr
            .contains(&format!("refuses the login at `auth/{mount}/login`")),
        "{}",
        run.stderr
    );
}

/// A JWT signed with ES256.
fn jwt(key: &p256::ecdsa::SigningKey, audience: &str) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "iss": "https://ci.example.com", "sub": "project/iam", "aud": audience, "nbf": 1_700_000_000, "exp": 4_102_444_800_u64 });
    let text = format!(
        "{}.{}",
        encode(&json!({ "alg": "ES256", "typ": "JWT" })),
        encode(&claims)
    );
    let signature: p256::ecdsa::Signature = key.sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

#[test]
fn a_pipelines_own_token_logs_in() {
    use p256::pkcs8::EncodePublicKey as _;
    let Some(scene) = Scene::new(2) else { return };
    let mut project = scene.project.checkout();
    let (bao, mount) = (&scene.bao, Bao::name("jwt"));
    let policy = bao.policy(&format!("path \"{}\" {{ capabilities = [\"read\"] }}", scene.data()));
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("a key");
    let pem = key
        .verifying_key()
        .to_public_key_pem(p256::pkcs8::LineEnding::LF)
        .expect("PEM");
    bao.call("POST", &format!("sys/auth/{mount}"), &json!({ "type": "jwt" }));
    bao.call(
        "POST",
        &format!("auth/{mount}/config"),
        &json!({ "jwt_validation_pubkeys": [pem] }),
    );
    let role = json!({
        "role_type": "jwt", "bound_audiences": ["vault"], "user_claim": "sub", "token_policies": [policy], "token_ttl": "60s",
    });
    bao.call("POST", &format!("auth/{mount}/role/iamship"), &role);
    project.append(
        "iamship.toml",
        &format!(
            "\n[vault.login]\nmethod = \"jwt\"\nmount = \"{mount}\"\nrole = \"iamship\"\ntoken = \"env:ID_TOKEN\"\n"
        ),
    );
    project.set("VAULT_TOKEN", "");
    let good = jwt(&key, "vault");
    project.set("ID_TOKEN", &good);
    let run = quiet(&project, "check", 0);
    assert!(!run.stderr.contains(&good));
    let foreign = jwt(&key, "somebody else");
    project.set("ID_TOKEN", &foreign);
    let run = quiet(&project, "check", 3);
    assert!(
        run.stderr.contains("refuses the login") && !run.stderr.contains(&foreign),
        "{}",
        run.stderr
    );
}

#[test]
fn a_pods_service_account_logs_in() {
    let fake = FakeVault::kv(json!({}), |request, _| {
        if request.line.contains("/auth/kubernetes/login") {
            let good = request.body == json!({ "jwt": "pod-token", "role": "iamship" });
            return Some(match good {
                true => Answer::Json(
                    200,
                    json!({ "auth": { "client_token": CANARY, "lease_duration": 3600 } }),
                ),
                false => Answer::Json(403, json!({ "errors": [format!("no role for {}", request.body)] })),
            });
        }
        (request.token.as_deref() != Some(CANARY))
            .then(|| Answer::Json(403, json!({ "errors": ["permission denied"] })))
    });
    let mut project = Project::new();
    project.edit(
        "iamship.toml",
        "\"file:secrets/dev.env\"",
        "\"file:secrets/dev.env\", \"vault:secret/iam/dev\"",
    );
    project.append(
        "iamship.toml",
        "\n[vault.login]\nmethod = \"kubernetes\"\nrole = \"iamship\"\ntoken = \"file:sa/token\"\n",
    );
    project.set("VAULT_ADDR", &fake.address);
    project.write("sa/token", "pod-token\n");
    quiet(&project, "check", 0);
    assert_eq!(
        fake.requests()
            .iter()
            .filter(|request| request.line.contains("login"))
            .count(),
        1
    );
    // The refusal repeats the token; we don't.
    project.write("sa/token", CANARY);
    let run = quiet(&project, "check", 3);
    assert!(run.stderr.contains("no role for"), "{}", run.stderr);
}

#[test]
fn a_namespace_has_engines_of_its_own() {
    let Some(scene) = Scene::new(2) else { return };
    let (bao, space) = (&scene.bao, Bao::name("ns"));
    bao.call("POST", &format!("sys/namespaces/{space}"), &json!({}));
    let kv = json!({ "type": "kv", "options": { "version": "2" } });
    bao.call_in(&space, "POST", "sys/mounts/secret", &kv);
    bao.call_in(&space, "POST", "secret/data/iam", &json!({ "data": scene.values }));
    let mut project = scene.project.checkout();
    project.edit("iamship.toml", &format!("vault:{}", scene.path), "vault:secret/iam");
    quiet(&project, "check", 1);
    project.set("VAULT_NAMESPACE", &space);
    quiet(&project, "check", 0);
    project.append("iamship.toml", "\n[vault]\nnamespace = \"another\"\n");
    let run = quiet(&project, "check", 1);
    assert!(run.stderr.contains("in the namespace `another`"), "{}", run.stderr);
}
