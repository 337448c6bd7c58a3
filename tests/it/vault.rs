//! Secrets and keys in Vault: against a real OpenBao, and against servers that are none.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};

use crate::support::bao::Bao;
use crate::support::fake_vault::{Answer, FakeVault};
use crate::support::project::{Project, Run, text};

/// In every secret of these tests.
const CANARY: &str = "canary-vault-51c7";

/// A project whose stage `dev` has its secrets in OpenBao.
struct Scene {
    bao: Bao,
    project: Project,
    /// With the mount.
    path: String,
    values: Value,
}

impl Scene {
    fn new(version: u8) -> Option<Self> {
        let bao = Bao::shared()?;
        let mut project = Project::new();
        let path = format!("{}/iam/dev", bao.kv(version));
        project.edit("secrets/dev.env", "example-db-password-dev", CANARY);
        let values = bao.move_in(&project, "dev", &path, version);
        project.set("VAULT_ADDR", &bao.address);
        project.set("VAULT_TOKEN", &bao.root);
        Some(Self {
            bao,
            project,
            path,
            values,
        })
    }

    /// Stores the values with one changed.
    fn change(&mut self, name: &str, value: impl Into<Value>) {
        self.values[name] = value.into();
        self.bao.put(&self.path, 2, &self.values);
    }

    /// `secret/data/iam/dev`
    fn data(&self) -> String {
        let (mount, rest) = self.path.split_once('/').expect("a mount");
        format!("{mount}/data/{rest}")
    }
}

/// Runs with every trace there is, and looks that nothing of a secret is in it.
fn quiet(project: &Project, arguments: &str, code: i32) -> Run {
    let mut words: Vec<_> = arguments.split_whitespace().collect();
    words.push("-vv");
    let mut command = project.command(&words);
    command.env("IAMSHIP_LOG", "trace");
    let run = Run::of(command);
    run.expect_code(code);
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains(CANARY) && !text.contains("hvs."), "{text}");
    }
    run
}

/// How often a run asked Vault.
fn asked(run: &Run) -> usize {
    run.stderr.matches("asked Vault").count()
}

fn tested(project: &Project) -> Value {
    project.stage("dev")["tested"].clone()
}

#[test]
fn both_versions_of_kv_give_a_stage_its_secrets() {
    for version in [1, 2] {
        let Some(scene) = Scene::new(version) else { return };
        // Once for the engine, once for the path.
        assert_eq!(asked(&quiet(&scene.project, "check", 0)), 2);
        quiet(&scene.project, "build", 0);
        let run = quiet(&scene.project, "test dev", 0);
        assert_eq!(asked(&run), 2);
        quiet(&scene.project, "promote dev staging", 0);
    }
}

#[test]
fn the_first_source_wins_and_a_rotated_secret_makes_a_test_stale() {
    let Some(mut scene) = Scene::new(2) else { return };
    let second = format!("{}/common", scene.bao.kv(1));
    scene.bao.put(
        &second,
        1,
        &json!({ "DB_PASSWORD": "one", "OTHER": "x", "db-password": "y" }),
    );
    let sources = format!("\"vault:{}\"", scene.path);
    scene
        .project
        .edit("iamship.toml", &sources, &format!("{sources}, \"vault:{second}\""));
    let checked = scene.project.json("check", 0);
    let told = text(&checked["diagnostics"][0]["message"]);
    assert!(
        told.contains("`db-password`"),
        "a name that nobody can ask for is told: {told}"
    );
    scene.project.build();
    scene.project.test("dev");
    scene.bao.put(&second, 1, &json!({ "DB_PASSWORD": "two" }));
    assert_eq!(tested(&scene.project)["stale"], false, "the first source has it");
    scene.change("DB_PASSWORD", "rotated");
    assert_eq!(tested(&scene.project)["stale"], true);
    assert_eq!(Project::held(&scene.project.json("promote dev staging", 1)), ["tested"]);
    scene.project.test("dev");
    scene.project.json("promote dev staging", 0);
}

#[test]
fn one_path_of_several_stages_is_asked_for_once() {
    let Some(scene) = Scene::new(2) else { return };
    for stage in ["staging", "prod"] {
        let (own, shared) = (
            format!("\"file:secrets/{stage}.env\""),
            format!("\"vault:{}\"", scene.path),
        );
        scene.project.edit("iamship.toml", &own, &format!("{own}, {shared}"));
    }
    assert_eq!(asked(&scene.project.run("check -v")), 2);
}

#[test]
fn numbers_and_booleans_are_texts_and_objects_are_refused() {
    let Some(mut scene) = Scene::new(2) else { return };
    scene.change("DB_PASSWORD", 12345);
    scene.change("NOTHING", Value::Null);
    scene.change("a-note", json!({ "of": "somebody" }));
    scene.project.run("check").expect_code(0);
    scene.change("DB_PASSWORD", json!({ "old": CANARY }));
    let run = quiet(&scene.project, "check", 1);
    assert!(run.stderr.contains("`DB_PASSWORD` is an object"), "{}", run.stderr);
}

#[test]
fn presence_is_seen_without_reading_a_value() {
    let Some(scene) = Scene::new(2) else { return };
    let mut project = scene.project.checkout();
    let subkeys = scene.data().replace("/data/", "/subkeys/");
    let policy = format!("path \"{subkeys}\" {{ capabilities = [\"read\"] }}");
    project.set("VAULT_TOKEN", &scene.bao.token(&policy));
    let parameters = project.json("parameters", 0);
    let all = parameters["parameters"].as_array().expect("parameters");
    assert!(
        all.iter().any(|parameter| parameter["stages"]["dev"] == "secret"),
        "{parameters}"
    );
    assert!(
        all.iter().all(|parameter| parameter["stages"]["dev"] != "missing"),
        "{parameters}"
    );
    let run = quiet(&project, "check", 3);
    let lacks = format!("Vault denies `{}`: the token's policy lacks `read` there", scene.data());
    assert!(run.stderr.contains(&lacks), "{}", run.stderr);
    assert!(
        run.stderr
            .contains(&format!("path \"{}\" {{ capabilities", scene.data())),
        "{}",
        run.stderr
    );
    // Nobody's secrets are needed to judge the configuration.
    assert_eq!(asked(&quiet(&project, "check --no-stage", 0)), 0);
    // The other way round: no subkeys, so the values are read.
    project.set("VAULT_TOKEN", &scene.bao.token(&policy.replace("/subkeys/", "/data/")));
    project.json("parameters", 0);
    quiet(&project, "check", 0);
}

#[test]
fn a_token_that_may_nothing_and_a_path_with_nothing_are_told_apart() {
    let Some(scene) = Scene::new(2) else { return };
    let mut project = scene.project.checkout();
    project.set(
        "VAULT_TOKEN",
        &scene.bao.token("path \"other/x\" { capabilities = [\"read\"] }"),
    );
    let run = quiet(&project, "check", 3);
    assert!(
        run.stderr.contains(&format!("Vault denies `{}`", scene.path)),
        "{}",
        run.stderr
    );
    project.set("VAULT_TOKEN", "hvs.nobody");
    quiet(&project, "check", 3);
    project.set("VAULT_TOKEN", &scene.bao.root);
    project.edit("iamship.toml", "/iam/dev", "/iam/nothing");
    let run = quiet(&project, "check", 1);
    assert!(
        run.stderr.contains("Vault holds nothing at") && run.stderr.contains("vault kv put"),
        "{}",
        run.stderr
    );
    project.edit("iamship.toml", "/iam/nothing", "/data/iam/dev");
    let run = quiet(&project, "check", 1);
    assert!(
        run.stderr.contains(&format!(
            "write it without `data/`, as for `vault kv get`: `vault:{}`",
            scene.path
        )),
        "{}",
        run.stderr
    );
    let (mount, _) = scene.path.split_once('/').expect("a mount");
    scene.bao.call("DELETE", &scene.data(), &Value::Null);
    let run = quiet(&scene.project, "check", 1);
    assert!(
        run.stderr.contains("was deleted at 20") && run.stderr.contains("undelete"),
        "{}",
        run.stderr
    );
    let transit = scene.bao.transit("ed25519");
    scene
        .project
        .edit("iamship.toml", &format!("vault:{mount}/"), &format!("vault:{transit}/"));
    let run = quiet(&scene.project, "check", 1);
    assert!(run.stderr.contains("an engine of the kind `transit`"), "{}", run.stderr);
}

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
    let down = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let down = format!("http://{}", down.expect("a port"));
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
    assert!(run.stderr.contains("no token for Vault"), "{}", run.stderr);
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
