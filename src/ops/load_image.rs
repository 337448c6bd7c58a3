//! An image from a store into the engine: only what it lacks, and what it says it has is verified.

use std::sync::Arc;

use super::image_archive::archive;
use super::{Event, Events, OpsError};
use crate::engine::{Engine, EngineError, EngineInfo, LocalImage};
use crate::image::{Descriptor, Digest, Image, ImageIndex, MAX_CONFIG_BYTES, Manifest, platform_entries};
use crate::store::{Store, read_blob};

/// Under which name an engine keeps what was loaded: a registry of this name does not exist anywhere.
const NAMES: &str = "localhost/iamship";
/// The longest last part of such a name.
const MAX_NAME: usize = 64;

/// An image that is in the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The engine's own id of it, which containers are made from.
    pub id: Digest,
    /// The manifest of the platform that was chosen.
    pub manifest: Digest,
    /// How many bytes of layers the engine was given.
    pub transferred: u64,
}

/// Gets the image of a manifest, or of the engine's platform in an index, into the engine, under a name for people.
///
/// Nothing is transferred when it is there; else the layers that no image of the engine has below the same others.
pub async fn load_image(
    events: &dyn Events,
    engine: &dyn Engine,
    store: &Arc<dyn Store>,
    manifest: &Manifest,
    name: &str,
) -> Result<Loaded, OpsError> {
    let info = engine.info().await?;
    let image = read(&**store, manifest, &info).await?;
    let digest = image.manifest().digest();
    if let Some(there) = find(engine, &image).await? {
        return Ok(Loaded {
            id: there,
            manifest: digest,
            transferred: 0,
        });
    }
    warn_of_platform(events, &image, &info);
    events.tell(Event::Step(&format!("loading {} into the engine", digest.short())));
    let name = local_name(name, digest);
    let held = held(&image, &engine.images().await?);
    let mut transferred = match transfer(engine, store, &image, &name, held).await {
        // Not every engine takes an archive with gaps.
        Err(Refusal::Engine(_)) if held > 0 => None,
        answer => Some(answer?),
    };
    let mut there = match transferred {
        Some(_) => find(engine, &image).await?,
        None => None,
    };
    if there.is_none() && (held > 0 || transferred.is_none()) {
        transferred = Some(transfer(engine, store, &image, &name, 0).await?);
        there = find(engine, &image).await?;
    }
    let transferred = transferred.unwrap_or_default();
    let id = there.ok_or_else(|| {
        OpsError::world(format!(
            "the engine at `{}` loaded {}, and does not have it: neither by its manifest's nor by its configuration's digest",
            engine.name(),
            digest.short()
        ))
    })?;
    events.tell(Event::Note(&format!("{} went to the engine", size(transferred))));
    Ok(Loaded {
        id,
        manifest: digest,
        transferred,
    })
}

/// The image that will run: the manifest's own, or that of the engine's platform.
async fn read(store: &dyn Store, manifest: &Manifest, info: &EngineInfo) -> Result<Image, OpsError> {
    let unusable = |why: String| {
        OpsError::world(format!(
            "{} in `{}` can't run in the engine: {why}",
            manifest.digest(),
            store.location()
        ))
    };
    let manifest = match manifest.index() {
        None => manifest.clone(),
        Some(index) => {
            let entry = choose(index, info).map_err(unusable)?;
            let found = store.manifest(&entry.digest.into()).await?;
            found.ok_or_else(|| unusable(format!("its image {} is not there", entry.digest)))?
        }
    };
    let view = manifest
        .image()
        .ok_or_else(|| unusable("it is an index in an index".to_owned()))?;
    let config = read_blob(store, &view.config, MAX_CONFIG_BYTES as u64).await?;
    Image::new(manifest, config).map_err(|error| unusable(error.to_string()))
}

fn choose<'a>(index: &'a ImageIndex, info: &EngineInfo) -> Result<&'a Descriptor, String> {
    let has = |entry: &&Descriptor| {
        let platform = entry.platform.as_ref();
        platform.is_some_and(|platform| platform.os == info.os && platform.architecture == info.architecture)
    };
    platform_entries(index).find(has).ok_or_else(|| {
        let all: Vec<_> = platform_entries(index)
            .filter_map(|entry| Some(entry.platform.as_ref()?.to_string()))
            .collect();
        format!(
            "the engine is {}/{}, and it is there for {}",
            info.os,
            info.architecture,
            all.join(", ")
        )
    })
}

/// Engines can run foreign architectures when somebody has taught them to; most can't.
fn warn_of_platform(events: &dyn Events, image: &Image, info: &EngineInfo) {
    let Some(platform) = image.platform() else { return };
    if platform.os != info.os || platform.architecture != info.architecture {
        let text = format!(
            "the image is for {platform}, and the engine is {}/{}",
            info.os, info.architecture
        );
        events.tell(Event::Warning(&text));
    }
}

/// The engine's id of an image, if it has it: known by its digest, and made of the same layers.
async fn find(engine: &dyn Engine, image: &Image) -> Result<Option<Digest>, OpsError> {
    for id in [image.config_descriptor().digest, image.manifest().digest()] {
        let Some(there) = engine.image(id).await? else { continue };
        if there.id != id || there.layers != image.diff_ids() {
            return Err(OpsError::world(format!(
                "the engine at `{}` has {id}, but with other layers than its configuration names",
                engine.name()
            ))
            .help(format!("remove it: docker image rm {id}")));
        }
        return Ok(Some(id));
    }
    Ok(None)
}

/// How many layers, from the bottom, some image of the engine begins with.
fn held(image: &Image, all: &[LocalImage]) -> usize {
    let common = |other: &LocalImage| {
        let pairs = image.diff_ids().iter().zip(&other.layers);
        pairs.take_while(|(ours, theirs)| ours == theirs).count()
    };
    all.iter().map(common).max().unwrap_or_default()
}

enum Refusal {
    /// The engine did not take it.
    Engine(EngineError),
    /// All else.
    Other(OpsError),
}

impl From<Refusal> for OpsError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Engine(error) => error.into(),
            Refusal::Other(error) => error,
        }
    }
}

async fn transfer(
    engine: &dyn Engine,
    store: &Arc<dyn Store>,
    image: &Image,
    name: &str,
    held: usize,
) -> Result<u64, Refusal> {
    let (pieces, sent) = archive(store, image, name, held);
    let loaded = engine.load(pieces).await;
    // The engine only sees that the archive breaks off.
    if let Some(error) = sent.failure() {
        return Err(Refusal::Other(error.into()));
    }
    match loaded {
        Ok(()) => Ok(sent.bytes()),
        Err(error @ (EngineError::Refused { .. } | EngineError::BrokenOff { .. })) => Err(Refusal::Engine(error)),
        Err(error) => Err(Refusal::Other(error.into())),
    }
}

/// `localhost/iamship/idsvr:3f2a9c…`; so that it stands in lists, and nothing takes it for garbage.
fn local_name(name: &str, digest: Digest) -> String {
    let mut plain = String::new();
    for character in name.to_ascii_lowercase().chars().take(MAX_NAME) {
        match character {
            'a'..='z' | '0'..='9' => plain.push(character),
            // Separators stand between letters, one at a time.
            _ if plain.is_empty() || plain.ends_with('-') => {}
            _ => plain.push('-'),
        }
    }
    let plain = match plain.trim_end_matches('-') {
        "" => "image",
        plain => plain,
    };
    format!("{NAMES}/{plain}:{}", digest.short())
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(architecture: &str) -> EngineInfo {
        EngineInfo {
            product: "Docker".to_owned(),
            version: "20.10.24".to_owned(),
            api: "1.41".to_owned(),
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
        }
    }

    #[test]
    fn names_are_ones_that_engines_take() {
        let digest = Digest::of(b"");
        for (name, wanted) in [
            ("idsvr", "idsvr"),
            ("My Server__2", "my-server-2"),
            ("--a--", "a"),
            ("Ünder", "nder"),
            ("", "image"),
            ("…", "image"),
        ] {
            let wanted = format!("localhost/iamship/{wanted}:{}", digest.short());
            assert_eq!(local_name(name, digest), wanted, "{name}");
        }
        assert!(local_name(&"a".repeat(500), digest).len() < 128);
    }

    #[test]
    fn the_engine_s_platform_is_chosen_and_statements_are_not() {
        let entry = |architecture: &str, content: &[u8]| {
            let mut entry = Descriptor::of(crate::image::media_type::OCI_MANIFEST, content);
            entry.platform = serde_json::from_value(serde_json::json!({ "os": "linux", "architecture": architecture }))
                .expect("a platform");
            entry
        };
        let mut statement = entry("amd64", b"statement");
        let mark = (
            "vnd.docker.reference.type".to_owned(),
            "attestation-manifest".to_owned(),
        );
        statement.annotations = [mark].into();
        let index = ImageIndex {
            schema_version: 2,
            media_type: None,
            artifact_type: None,
            manifests: vec![statement, entry("arm64", b"arm"), entry("amd64", b"amd")],
            subject: None,
            annotations: std::collections::BTreeMap::new(),
        };
        assert_eq!(
            choose(&index, &info("amd64")).map(|entry| entry.digest),
            Ok(Digest::of(b"amd"))
        );
        let error = choose(&index, &info("s390x")).expect_err("not there");
        assert!(
            error.ends_with("linux/s390x, and it is there for linux/arm64, linux/amd64"),
            "{error}"
        );
    }
}
