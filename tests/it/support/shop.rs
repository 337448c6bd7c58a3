//! A small project whose images are in a registry, and the program run in it as a child process.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use bytes::Bytes;
use iamship::attest::predicate::{Promotion, PromotionKind};
use iamship::attest::{Algorithm, Envelope, Predicate, Record, RecordKind, SigningKey, Statement};
use iamship::image::{Descriptor, Digest, ImageManifest, Manifest, Tag, media_type};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::registry::TestRegistry;

/// What the stages are, unless a test writes others.
pub(crate) const STAGES: &[&str] = &["dev", "staging", "prod"];
/// Of every stage; must never be seen.
pub(crate) const PASSWORD: &str = "correct-horse-battery-staple";

/// A project in a temporary folder.
pub(crate) struct Shop {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
    pub(crate) key: SigningKey,
}

/// A child process that has ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails the test unless it ended so.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\n{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless the messages have this.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {} {}", self.stdout, self.stderr))
    }
}

/// A base image of one layer, put into a registry without a request. Returns its digest.
pub(crate) fn seed_base(registry: &TestRegistry, repository: &str, tag: &str, layer: impl Into<Bytes>) -> Digest {
    let (manifest, blobs) = base_image(layer.into());
    for bytes in blobs {
        registry.put_blob(repository, bytes);
    }
    registry.put_manifest(repository, tag, manifest.media_type(), manifest.bytes());
    manifest.digest()
}

/// A base image of one layer, with its blobs.
pub(crate) fn base_image(layer: Bytes) -> (Manifest, Vec<Bytes>) {
    let config = serde_json::json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "2024-01-01T00:00:00Z",
        "config": {"Labels": {"org.opencontainers.image.version": "1.0"}},
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(&layer)]},
        "history": [{"created": "2024-01-01T00:00:00Z"}],
    });
    let config = Bytes::from(config.to_string());
    let manifest = Manifest::from_image(ImageManifest {
        schema_version: 2,
        media_type: None,
        artifact_type: None,
        config: Descriptor::of(media_type::OCI_CONFIG, &config),
        layers: vec![Descriptor::of("application/vnd.oci.image.layer.v1.tar", &layer)],
        subject: None,
        annotations: Default::default(),
    });
    (manifest, vec![config, layer])
}

/// So many moves of a stage to what `dev` runs, one a minute in 2024, as promotions write them.
pub(crate) fn seed_moves(registry: &TestRegistry, shop: &Shop, stage: &str, count: usize) {
    let repository = "iam/idsvr";
    let image = registry.manifest(repository, "dev").expect("dev runs something");
    let image = Manifest::parse(image, Some(media_type::OCI_MANIFEST)).expect("a manifest");
    let mut previous = Vec::new();
    for number in 0..count {
        let at = Timestamp::from_second(1_704_067_200 + 60 * number as i64).expect("a time");
        let tag: Tag = format!("{stage}-2024-01-01-{number}").parse().expect("a tag");
        let promotion = Promotion {
            kind: PromotionKind::Promote,
            stage: stage.parse().expect("a stage"),
            from: Some("dev".parse().expect("a stage")),
            version: "1".to_owned(),
            previous,
            replaces: (number > 0).then(|| image.digest()),
            tag: tag.clone(),
            at,
            by: "tester".to_owned(),
            gates: Vec::new(),
            reason: None,
            cleared_hold: None,
            overridden_freeze: None,
            allowed_changes: Vec::new(),
        };
        let statement = Statement::about("shop", image.digest(), Predicate::Promotion(promotion));
        let envelope = Envelope::sign(&statement, &shop.key);
        let record = Record::new(RecordKind::Promoted, &image.descriptor(), &[envelope]);
        let name = record.history_tag(&stage.parse().expect("a stage"), at);
        let bytes = record.manifest().bytes();
        registry.put_manifest(repository, name.as_str(), media_type::OCI_MANIFEST, bytes);
        registry.put_manifest(repository, tag.as_str(), image.media_type(), image.bytes());
        previous = vec![record.manifest().digest()];
    }
    registry.put_manifest(repository, stage, image.media_type(), image.bytes());
}

impl Shop {
    /// Images and base in one registry.
    pub(crate) fn new(registry: &TestRegistry) -> Self {
        seed_base(registry, "vendor/idsvr", "1.0", "the base's layer");
        Self::with(
            &format!("{}/iam/idsvr", registry.address()),
            &format!("{}/vendor/idsvr:1.0", registry.address()),
            &STAGES.iter().map(|name| stage(name, "")).collect::<String>(),
        )
    }

    /// A project with this repository, base, and these `[[stage]]` tables.
    pub(crate) fn with(repository: &str, base: &str, stages: &str) -> Self {
        let key = SigningKey::generate(Algorithm::P256).expect("a key");
        let shop = Self {
            folder: tempfile::tempdir().expect("a folder"),
            environment: Vec::new(),
            key,
        };
        let toml = format!(
            "[project]\nname = \"shop\"\nserver = \"generic\"\n\n[image]\nrepository = \"{repository}\"\nbase = \"{base}\"\n\n\
             [config]\nfiles = [\"config/*.yaml\"]\n\n[signing]\nkey = \"env:TEST_SIGNING_KEY\"\ntrusted = [\"keys/test.pub\"]\n\n{stages}"
        );
        shop.write("iamship.toml", &toml);
        shop.write("keys/test.pub", &shop.key.public_key().to_pem());
        shop.configure("one");
        for stage in STAGES {
            shop.write(
                &format!("env/{stage}.env"),
                &format!("PUBLIC_HOST=login.{stage}.example.com\n"),
            );
            shop.write(&format!("secrets/{stage}.env"), &format!("DB_PASSWORD={PASSWORD}\n"));
        }
        shop
    }

    /// Another configuration: another image.
    pub(crate) fn configure(&self, name: &str) {
        let text = format!("name: {name}\nhost: ${{PUBLIC_HOST}}\ndatabase:\n  password: ${{DB_PASSWORD}}\n");
        self.write("config/server.yaml", &text);
    }

    /// For every later run.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        std::fs::write(path, text).expect("written");
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(path)).expect("a file")
    }

    /// The program, not yet started.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iamship"));
        command
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("IAMSHIP_ACTOR", "tester")
            // One try: what is cut is an error at once, and no test waits.
            .env("IAMSHIP_REGISTRY_TRIES", "1")
            .env(
                "TEST_SIGNING_KEY",
                self.key.to_plain_pem().expect("a key").expose_secret(),
            )
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, line: &str) -> Ran {
        Ran::of(self.command(line).output().expect("the program starts"))
    }

    /// Runs it and reads its JSON; it must end well.
    #[track_caller]
    pub(crate) fn answer(&self, line: &str) -> Value {
        self.run(&format!("{line} --format json")).ends(0).json()
    }

    /// Runs what must end well.
    #[track_caller]
    pub(crate) fn done(&self, line: &str) -> Ran {
        self.run(line).ends(0)
    }

    /// The row of one stage.
    #[track_caller]
    pub(crate) fn status(&self, stage: &str) -> Value {
        let status = self.answer("status");
        let rows = status["stages"].as_array().expect("rows").clone();
        rows.into_iter().find(|row| row["name"] == stage).expect("the stage")
    }
}

/// A `[[stage]]` table; `more` are further lines of it.
pub(crate) fn stage(name: &str, more: &str) -> String {
    format!(
        "[[stage]]\nname = \"{name}\"\nvalues = [\"env/{name}.env\"]\nsecrets = [\"file:secrets/{name}.env\"]\n{more}\n"
    )
}
