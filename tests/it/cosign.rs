//! Stock cosign and iamship: each reads, verifies and keeps what the other wrote.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use bytes::Bytes;
use camino::Utf8PathBuf;
use iamship::attest::cosign::{
    Projection, SignatureManifest, append_attestations, append_signature, attestation_layers, attestation_tag,
    signature_payload, signature_tag,
};
use iamship::attest::predicate::{Approval, Json, Parameters, Rejection};
use iamship::attest::{Algorithm, Envelope, Predicate, SigningKey, Statement, TrustedKeys};
use iamship::image::{Descriptor, Digest, ImageManifest, Location, Manifest, Tag, Target, media_type};
use iamship::project::Permission;
use iamship::store::{Registry, RegistryOptions, Store as _, read_blob};
use secrecy::ExposeSecret as _;

use crate::support::project::Project;

const PASSWORD: &str = "test";
const TEST_RESULT: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// An image in a repository of its own, a key in cosign's format, and cosign.
struct Scene {
    store: Registry,
    folder: tempfile::TempDir,
    key: SigningKey,
    digest: Digest,
}

/// The registry that tests with stock cosign use; `None`, said aloud, where it or cosign is not there. In a pipeline
/// that is a failure.
fn registry() -> Option<String> {
    let registry = std::env::var("IAMSHIP_TEST_REGISTRY").ok();
    let cosign = Command::new("cosign").arg("version").output();
    if let (Some(registry), Ok(_)) = (registry, cosign) {
        return Some(registry);
    }
    let help = "cosign and a registry are needed: run ci/tools.sh, then ci/with-registry.sh cargo test";
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{help}");
    #[expect(clippy::print_stderr, reason = "a reader must see that it did not run")]
    {
        eprintln!("not run: {help}");
    }
    None
}

impl Scene {
    /// `None` where there is no cosign or no registry (`ci/with-registry.sh` runs one); in a pipeline that is a failure.
    async fn new(algorithm: Algorithm, name: &str) -> Option<Self> {
        let registry = registry()?;
        let repository = format!(
            "{registry}/cosign/{name}-{}-{}",
            algorithm_name(algorithm),
            std::process::id()
        );
        let location = repository.parse().expect("a location");
        let store = Registry::new(location, RegistryOptions::default()).expect("a registry");
        let folder = tempfile::tempdir().expect("a folder");
        let key = SigningKey::generate(algorithm).expect("a key");
        let sealed = key.seal(&PASSWORD.into()).expect("sealed");
        std::fs::write(folder.path().join("own.key"), sealed.expose_secret()).expect("written");
        std::fs::write(folder.path().join("own.pub"), key.public_key().to_pem()).expect("written");
        let other = SigningKey::generate(algorithm).expect("a key").public_key();
        std::fs::write(folder.path().join("other.pub"), other.to_pem()).expect("written");
        let predicate = r#"{"result":"PASSED","configuration":[]}"#;
        std::fs::write(folder.path().join("predicate.json"), predicate).expect("written");
        let config =
            Bytes::from_static(br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#);
        let image = Manifest::from_image(ImageManifest {
            schema_version: 2,
            media_type: None,
            artifact_type: None,
            config: Descriptor::of(media_type::OCI_CONFIG, &config),
            layers: Vec::new(),
            subject: None,
            annotations: BTreeMap::new(),
        });
        let scene = Self {
            store,
            folder,
            key,
            digest: image.digest(),
        };
        let blobs = vec![(Descriptor::of(media_type::OCI_CONFIG, &config), config)];
        let tag: Tag = "1".parse().expect("a tag");
        scene.push(&Projection { manifest: image, blobs }, &tag).await;
        Some(scene)
    }

    async fn push(&self, projection: &Projection, tag: &Tag) {
        for (descriptor, bytes) in &projection.blobs {
            self.store.push_blob(descriptor, bytes).await.expect("pushed");
        }
        let target = Target::Tag(tag.clone());
        self.store
            .push_manifest(&projection.manifest, &target)
            .await
            .expect("pushed");
    }

    async fn at(&self, tag: Tag) -> Option<Manifest> {
        self.store.manifest(&Target::Tag(tag)).await.expect("an answer")
    }

    fn location(&self) -> &Location {
        self.store.location()
    }

    fn payload(&self) -> Bytes {
        signature_payload(&self.location().to_string(), &self.digest, &BTreeMap::new())
    }

    fn trusted(&self) -> TrustedKeys {
        let mut trusted = TrustedKeys::default();
        trusted.insert(self.key.public_key(), "own.pub", Permission::ALL);
        trusted
    }

    fn envelopes(&self) -> Vec<Envelope> {
        let at = "2026-01-02T03:04:05Z".parse().expect("a time");
        let by = "ada".to_owned();
        let predicates = [
            Predicate::Parameters(Parameters {
                contract: Default::default(),
                config_layers: Vec::new(),
            }),
            Predicate::Sbom(Json::of(&serde_json::json!({"bomFormat": "CycloneDX"})).expect("JSON")),
            Predicate::Approval(Approval {
                stage: "prod".parse().expect("a stage"),
                reason: None,
                allows: Vec::new(),
                at,
                by: by.clone(),
            }),
            Predicate::Rejection(Rejection {
                stage: None,
                reason: "why".to_owned(),
                at,
                by,
            }),
        ];
        let name = self.location().to_string();
        let statements = predicates.map(|predicate| Statement::about(&name, self.digest, predicate));
        statements
            .iter()
            .map(|statement| Envelope::sign(statement, &self.key))
            .collect()
    }

    /// Writes all of ours; whether anything changed.
    async fn write(&self) -> bool {
        let (signatures, attestations) = (signature_tag(&self.digest), attestation_tag(&self.digest));
        let existing = self.at(signatures.clone()).await;
        let signed = append_signature(
            existing.as_ref(),
            &self.payload(),
            &self.key.public_key(),
            &self.key.sign(&self.payload()),
        )
        .expect("appends");
        let existing = self.at(attestations.clone()).await;
        let attested = append_attestations(existing.as_ref(), &self.envelopes()).expect("appends");
        for (projection, tag) in [(&signed, signatures), (&attested, attestations)] {
            if let Some(projection) = projection {
                self.push(projection, &tag).await;
            }
        }
        signed.is_some() || attested.is_some()
    }

    fn cosign(&self, arguments: &[&str]) -> Output {
        let image = format!("{}@{}", self.location(), self.digest);
        let output = Command::new("cosign")
            .args(arguments)
            .arg(image)
            .current_dir(self.folder.path())
            .env("COSIGN_PASSWORD", PASSWORD)
            .env("HOME", self.folder.path())
            .output();
        output.expect("cosign runs")
    }

    fn cosign_writes(&self, arguments: &[&str]) {
        let common = ["--tlog-upload=false", "--yes", "--key", "own.key"];
        let output = self.cosign(&[&arguments[..1], &common, &arguments[1..]].concat());
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// How many signatures or attestations cosign accepts; 0 if it fails.
    fn cosign_accepts(&self, key: &str, arguments: &[&str]) -> usize {
        let common = ["--insecure-ignore-tlog", "--key", key];
        let output = self.cosign(&[&arguments[..1], &common, &arguments[1..]].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        match (output.status.success(), arguments[0]) {
            (false, _) => 0,
            (true, "verify") => serde_json::from_str::<Vec<serde_json::Value>>(&text)
                .expect("JSON")
                .len(),
            (true, _) => text.lines().count(),
        }
    }

    fn cosign_accepts_types(&self, key: &str) -> Vec<usize> {
        let types = self.envelopes().into_iter().map(|envelope| {
            let statement = envelope.unverified_statement().expect("a statement");
            statement
                .predicate
                .predicate_type()
                .replace("https://cyclonedx.org/bom", "cyclonedx")
        });
        types
            .map(|kind| self.cosign_accepts(key, &["verify-attestation", "--type", &kind]))
            .collect()
    }

    /// How many attestations we accept.
    async fn accepted(&self) -> usize {
        let manifest = self.at(attestation_tag(&self.digest)).await.expect("there");
        let mut accepted = 0;
        for layer in attestation_layers(&manifest).expect("readable") {
            let bytes = read_blob(&self.store, &layer.envelope, 1 << 20).await.expect("there");
            let envelope = Envelope::parse(bytes).expect("an envelope");
            accepted += usize::from(self.trusted().verify(&envelope, &self.digest).is_ok());
        }
        accepted
    }
}

fn algorithm_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::P256 => "p256",
        Algorithm::Ed25519 => "ed25519",
    }
}

#[tokio::test]
async fn cosign_accepts_what_iamship_writes_and_appends_to_it() {
    for algorithm in [Algorithm::P256, Algorithm::Ed25519] {
        let Some(scene) = Scene::new(algorithm, "ours").await else {
            return;
        };
        assert_eq!(scene.cosign_accepts("own.pub", &["verify"]), 0);
        assert!(scene.write().await);
        assert_eq!(scene.cosign_accepts("own.pub", &["verify"]), 1);
        assert_eq!(scene.cosign_accepts_types("own.pub"), [1, 1, 1, 1]);
        assert_eq!(scene.cosign_accepts("other.pub", &["verify"]), 0);
        assert_eq!(scene.cosign_accepts_types("other.pub"), [0, 0, 0, 0]);

        // Twice: cosign reads the configuration that it wrote itself only the second time.
        for count in [2, 3] {
            scene.cosign_writes(&["sign", "-a", &format!("count={count}")]);
            scene.cosign_writes(&["attest", "--type", TEST_RESULT, "--predicate", "predicate.json"]);
            assert_eq!(scene.cosign_accepts("own.pub", &["verify"]), count);
            assert_eq!(scene.cosign_accepts_types("own.pub"), [1, 1, 1, 1]);
            assert_eq!(scene.accepted().await, 3 + count);
        }
        assert!(!scene.write().await, "all of ours is still there");
    }
}

#[tokio::test]
async fn iamship_accepts_what_cosign_writes_and_appends_to_it() {
    for algorithm in [Algorithm::P256, Algorithm::Ed25519] {
        let Some(scene) = Scene::new(algorithm, "theirs").await else {
            return;
        };
        scene.cosign_writes(&["sign"]);
        scene.cosign_writes(&["sign", "-a", "by=cosign"]);
        scene.cosign_writes(&["attest", "--type", TEST_RESULT, "--predicate", "predicate.json"]);
        assert_eq!(scene.accepted().await, 1);
        let manifest = scene.at(signature_tag(&scene.digest)).await.expect("there");
        let signatures = SignatureManifest::read(&manifest).expect("readable");
        let verified = signatures
            .verify(&scene.digest, &[scene.payload()], &scene.trusted())
            .expect("accepted");
        assert_eq!(verified.location, scene.location().to_string());
        let foreign = signatures.missing(&[scene.payload()]);
        assert_eq!(foreign.len(), 1, "only the one with annotations needs to be fetched");
        let payload = read_blob(&scene.store, foreign[0], 1 << 16).await.expect("there");
        let verified = signatures
            .verify(&scene.digest, &[payload], &scene.trusted())
            .expect("accepted");
        assert_eq!(verified.annotations["by"], "cosign");

        assert!(scene.write().await);
        let after = scene.at(signature_tag(&scene.digest)).await.expect("there");
        assert_eq!(after, manifest, "cosign's signature by this key is not doubled");
        assert_eq!(scene.accepted().await, 5);
        assert_eq!(scene.cosign_accepts("own.pub", &["verify"]), 2);
        assert_eq!(
            scene.cosign_accepts("own.pub", &["verify-attestation", "--type", TEST_RESULT]),
            1
        );
        assert_eq!(scene.cosign_accepts_types("own.pub"), [1, 1, 1, 1]);
        let path = Utf8PathBuf::from_path_buf(scene.folder.path().join("own.key")).expect("text");
        let output = Command::new("cosign")
            .args(["public-key", "--key", path.as_str()])
            .env("COSIGN_PASSWORD", PASSWORD)
            .output();
        let public = output.expect("cosign runs").stdout;
        assert_eq!(String::from_utf8_lossy(&public), scene.key.public_key().to_pem());
    }
}

/// Runs cosign in a project's folder.
fn cosign_in(project: &Project, arguments: &str) -> Output {
    Command::new("cosign")
        .args(arguments.split_whitespace())
        .current_dir(project.root())
        .env("COSIGN_PASSWORD", PASSWORD)
        .output()
        .expect("cosign runs")
}

#[test]
fn stock_cosign_accepts_what_the_program_built_and_promoted() {
    let Some(registry) = registry() else { return };
    let project = Project::new();
    let repository = format!("{registry}/cosign/program-{}", std::process::id());
    let named = format!("[image]\nrepository = \"{repository}\"");
    project.edit("iamship.toml", "[image]", &named);
    project.build();
    project.test("dev");
    project.promote("dev", "staging");
    project.test("staging");
    project.promote("staging", "prod");
    let flags = "--key keys/iamship.pub --insecure-ignore-tlog --allow-insecure-registry";
    let verified = cosign_in(&project, &format!("verify {flags} {repository}:prod"));
    assert!(verified.status.success(), "{verified:?}");
    for kind in [
        "slsaprovenance1",
        "cyclonedx",
        TEST_RESULT,
        "https://slsa.dev/verification_summary/v1",
        "https://iamship.dev/parameters/v1",
    ] {
        let verified = cosign_in(
            &project,
            &format!("verify-attestation {flags} --type {kind} {repository}:prod"),
        );
        assert!(verified.status.success(), "{kind}: {verified:?}");
    }
    let made = cosign_in(&project, "generate-key-pair --output-key-prefix foreign");
    assert!(made.status.success(), "{made:?}");
    let sign = "sign --tlog-upload=false -y --allow-insecure-registry --key foreign.key";
    let signed = cosign_in(&project, &format!("{sign} {repository}:prod"));
    assert!(signed.status.success(), "{signed:?}");
    project.test("prod");
    project.run("verify prod").expect_code(0);
    let foreign = "--key foreign.pub --insecure-ignore-tlog --allow-insecure-registry";
    let survived = cosign_in(&project, &format!("verify {foreign} {repository}:prod"));
    assert!(survived.status.success(), "{survived:?}");
}
