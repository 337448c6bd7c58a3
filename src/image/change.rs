//! What differs between two images beside their configuration: the base, what a container of it runs as, its layers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::layer::LayerKind;
use super::{Descriptor, Digest, Image, LAYER_ANNOTATION, Reference, base_version, label};

/// What an image was made on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseImage {
    /// As the project named it; what an image says of itself is a hint.
    pub reference: Option<String>,
    /// Its digest.
    pub digest: Option<Digest>,
    /// Its version: its tag, or its own label.
    pub version: Option<String>,
}

impl BaseImage {
    /// As the labels of an image tell it; none where they tell nothing.
    pub fn of(image: &Image) -> Option<Self> {
        let reference = image.label(label::BASE_NAME).map(str::to_owned);
        let digest = image.label(label::BASE_DIGEST).and_then(|text| text.parse().ok());
        let own = image.label(label::VERSION).and_then(|version| {
            let (base, inputs) = version.rsplit_once('-')?;
            let is_ours = inputs.len() == 12 && inputs.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_ours.then(|| base.to_owned())
        });
        (reference.is_some() || digest.is_some()).then(|| Self {
            version: own.or_else(|| version_of(reference.as_deref()?)),
            reference,
            digest,
        })
    }

    /// A base that is not pinned.
    pub fn named(reference: &Reference) -> Self {
        Self {
            reference: Some(reference.to_string()),
            digest: None,
            version: version_of(&reference.to_string()),
        }
    }

    /// A base that is pinned.
    pub fn pinned(reference: &Reference, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..Self::named(reference)
        }
    }
}

fn version_of(reference: &str) -> Option<String> {
    let version = base_version(&reference.parse().ok()?, None);
    (version != "0").then_some(version)
}

/// What differs between two images beside their configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseDifference {
    /// The base before; none where nobody says.
    pub before: Option<BaseImage>,
    /// The base after; none where nobody says.
    pub after: Option<BaseImage>,
    /// What else in the image moved. Told only where both sides are images.
    pub image: Vec<ImageChange>,
}

impl BaseDifference {
    /// Whether the base is another one, as far as both sides say.
    pub fn is_another_base(&self) -> bool {
        let (Some(before), Some(after)) = (&self.before, &self.after) else {
            return false;
        };
        match (before.digest, after.digest) {
            (Some(before), Some(after)) => before != after,
            // Where one of them is not pinned, only the names tell.
            _ => before.reference.is_some() && after.reference.is_some() && before.reference != after.reference,
        }
    }

    /// Whether anything differs.
    pub fn differs(&self) -> bool {
        self.is_another_base() || !self.image.is_empty()
    }
}

/// One difference between two images.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageChange {
    /// "entrypoint", "user", "environment", "label", "asset".
    pub what: &'static str,
    /// Which, where there are many: a variable's name, an asset's folder. Empty where there is one.
    pub name: String,
    /// None: it was not there.
    pub before: Option<String>,
    /// None: it is not there any more.
    pub after: Option<String>,
    /// Of which platform; none: of all that both have.
    pub platform: Option<String>,
}

/// What differs between the images of two sides. Images meet by their platform; what differs in the same way on all of
/// them is told once.
pub fn image_changes(before: &[Image], after: &[Image]) -> Vec<ImageChange> {
    let (old, new) = (by_platform(before), by_platform(after));
    let mut changes = Vec::new();
    for (platform, was, is) in both(&old, &new).filter(|(_, was, is)| was.is_some() != is.is_some()) {
        changes.push(ImageChange {
            what: "platform",
            name: String::new(),
            before: was.map(|_| platform.clone()),
            after: is.map(|_| platform.clone()),
            platform: None,
        });
    }
    let shared: Vec<_> = both(&old, &new)
        .filter_map(|(platform, was, is)| Some((platform, aspects(was?), aspects(is?))))
        .collect();
    let mut found: BTreeMap<ImageChange, BTreeSet<&String>> = BTreeMap::new();
    for (platform, was, is) in &shared {
        for ((what, name), before, after) in both(was, is).filter(|(_, was, is)| was != is) {
            let change = ImageChange {
                what,
                name: name.clone(),
                before: before.cloned(),
                after: after.cloned(),
                platform: None,
            };
            found.entry(change).or_default().insert(platform);
        }
    }
    for (change, platforms) in found {
        if platforms.len() == shared.len() {
            changes.push(change);
            continue;
        }
        changes.extend(platforms.into_iter().map(|platform| ImageChange {
            platform: Some(platform.clone()),
            ..change.clone()
        }));
    }
    changes
}

fn by_platform(images: &[Image]) -> BTreeMap<String, &Image> {
    let name = |image: &Image| {
        image
            .platform()
            .map(|platform| platform.to_string())
            .unwrap_or_default()
    };
    images.iter().map(|image| (name(image), image)).collect()
}

/// Every key of two maps, with what each has under it.
fn both<'m, K: Ord, V>(
    before: &'m BTreeMap<K, V>,
    after: &'m BTreeMap<K, V>,
) -> impl Iterator<Item = (&'m K, Option<&'m V>, Option<&'m V>)> {
    let keys: BTreeSet<&K> = before.keys().chain(after.keys()).collect();
    keys.into_iter().map(|key| (key, before.get(key), after.get(key)))
}

type Aspects = BTreeMap<(&'static str, String), String>;

/// Everything of one image that may differ (OCI image spec, *Image Configuration*).
fn aspects(image: &&Image) -> Aspects {
    let mut aspects = Aspects::new();
    let none = Map::new();
    let config = image
        .document()
        .get("config")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let single = [
        ("entrypoint", "Entrypoint"),
        ("command", "Cmd"),
        ("user", "User"),
        ("working folder", "WorkingDir"),
        ("stop signal", "StopSignal"),
        ("health check", "Healthcheck"),
    ];
    for (what, field) in single {
        if let Some(text) = config.get(field).and_then(shown) {
            aspects.insert((what, String::new()), text);
        }
    }
    for (what, field) in [("exposed port", "ExposedPorts"), ("volume", "Volumes")] {
        for name in config
            .get(field)
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::keys)
        {
            aspects.insert((what, String::new() + name), String::new());
        }
    }
    for line in config.get("Env").and_then(Value::as_array).into_iter().flatten() {
        let (name, value) = line.as_str().unwrap_or_default().split_once('=').unwrap_or_default();
        aspects.insert(("environment", name.to_owned()), value.to_owned());
    }
    for (name, value) in config.get("Labels").and_then(Value::as_object).into_iter().flatten() {
        // These are told as the base, or say that it is another image.
        if ![label::BASE_NAME, label::BASE_DIGEST, label::VERSION].contains(&name.as_str()) {
            aspects.insert(("label", name.clone()), shown(value).unwrap_or_default());
        }
    }
    layers(image, &mut aspects);
    aspects
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The base's layers as one, each asset by its folder; the configuration's is what the changes are about.
fn layers(image: &Image, aspects: &mut Aspects) {
    let kind = |layer: &Descriptor| layer.annotations.get(LAYER_ANNOTATION).cloned();
    let own: Vec<_> = image.layers().iter().filter(|layer| kind(layer).is_none()).collect();
    let bytes = own.iter().map(|layer| layer.size).fold(0, u64::saturating_add);
    let all: Vec<_> = own.iter().map(|layer| layer.digest.short()).collect();
    let text = format!("{} of {bytes} bytes: {}", own.len(), all.join(" "));
    aspects.insert(("base layers", String::new()), text);
    for layer in image.layers() {
        let Some(kind) = kind(layer).filter(|kind| *kind != LayerKind::Config.to_string()) else {
            continue;
        };
        let folder = kind.strip_prefix("asset:").unwrap_or(&kind);
        let entry = aspects.entry(("asset", folder.to_owned())).or_default();
        if !entry.is_empty() {
            entry.push(' ');
        }
        entry.push_str(&layer.digest.short());
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::super::{ImageManifest, Manifest, media_type};
    use super::*;

    fn image(architecture: &str, config: Value, layers: &[(&str, Option<&str>)]) -> Image {
        let descriptors: Vec<_> = layers
            .iter()
            .map(|(content, kind)| {
                let mut layer = Descriptor::of("application/vnd.oci.image.layer.v1.tar+gzip", content.as_bytes());
                layer
                    .annotations
                    .extend(kind.map(|kind| (LAYER_ANNOTATION.to_owned(), kind.to_owned())));
                layer
            })
            .collect();
        let diff_ids: Vec<_> = descriptors.iter().map(|layer| layer.digest).collect();
        let config = json!({
            "architecture": architecture, "os": "linux", "config": config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = Bytes::from(config.to_string());
        let manifest = Manifest::from_image(ImageManifest {
            schema_version: 2,
            media_type: None,
            artifact_type: None,
            config: Descriptor::of(media_type::OCI_CONFIG, &config),
            layers: descriptors,
            subject: None,
            annotations: BTreeMap::new(),
        });
        Image::new(manifest, config).expect("an image")
    }

    fn told(before: &[Image], after: &[Image]) -> Vec<String> {
        let changes = image_changes(before, after).into_iter();
        changes
            .map(|change| {
                let platform = change
                    .platform
                    .map(|platform| format!(" on {platform}"))
                    .unwrap_or_default();
                let (what, name) = (change.what, change.name);
                format!("{what} {name}: {:?} -> {:?}{platform}", change.before, change.after)
            })
            .collect()
    }

    #[test]
    fn what_a_container_runs_as_and_what_it_holds_is_compared() {
        let before = json!({
            "Entrypoint": ["/run"], "User": "1000", "Env": ["A=1", "B=x=y", "GONE="],
            "ExposedPorts": {"80/tcp": {}}, "Labels": {"team": "a", label::VERSION: "1-0123456789ab"},
        });
        let after = json!({
            "Entrypoint": ["/run", "-v"], "User": "", "Env": ["A=1", "B=z"],
            "ExposedPorts": {"80/tcp": {}, "443/tcp": {}}, "Labels": {"team": "b", label::VERSION: "2-0123456789ab"},
        });
        let layers = [("one", None), ("c1", Some("config")), ("a1", Some("asset:/opt/a"))];
        let before = image("amd64", before, &layers);
        let layers = [
            ("one", None),
            ("c2", Some("config")),
            ("a2", Some("asset:/opt/a")),
            ("b", Some("asset:/b")),
        ];
        let after = image("amd64", after, &layers);
        let (old, new, b) = (
            Digest::of(b"a1").short(),
            Digest::of(b"a2").short(),
            Digest::of(b"b").short(),
        );
        assert_eq!(
            told(std::slice::from_ref(&before), &[after]),
            [
                format!("asset /b: None -> Some(\"{b}\")"),
                format!("asset /opt/a: Some(\"{old}\") -> Some(\"{new}\")"),
                r#"entrypoint : Some("[\"/run\"]") -> Some("[\"/run\",\"-v\"]")"#.to_owned(),
                r#"environment B: Some("x=y") -> Some("z")"#.to_owned(),
                r#"environment GONE: Some("") -> None"#.to_owned(),
                r#"exposed port 443/tcp: None -> Some("")"#.to_owned(),
                r#"label team: Some("a") -> Some("b")"#.to_owned(),
                r#"user : Some("1000") -> None"#.to_owned(),
            ]
        );
        assert_eq!(
            told(std::slice::from_ref(&before), std::slice::from_ref(&before)),
            [""; 0]
        );
    }

    #[test]
    fn what_all_platforms_share_is_told_once() {
        let of =
            |architecture: &str, user: &str, own: &str| image(architecture, json!({"User": user, "Cmd": own}), &[]);
        let before = [of("amd64", "1", "x"), of("arm64", "1", "x"), of("s390x", "1", "x")];
        let after = [of("amd64", "2", "x"), of("arm64", "2", "y"), of("riscv64", "2", "x")];
        assert_eq!(
            told(&before, &after),
            [
                "platform : None -> Some(\"linux/riscv64\")",
                "platform : Some(\"linux/s390x\") -> None",
                "command : Some(\"x\") -> Some(\"y\") on linux/arm64",
                "user : Some(\"1\") -> Some(\"2\")",
            ]
        );
    }

    #[test]
    fn an_image_says_what_it_was_made_on() {
        let digest = Digest::of(b"base");
        let labels = json!({"Labels": {
            label::BASE_NAME: "example.com/idsvr:11.3.1", label::BASE_DIGEST: digest.to_string(),
            label::VERSION: "11.3.1-0123456789ab",
        }});
        let pinned = BaseImage::pinned(&"example.com/idsvr:11.3.1".parse().expect("valid"), digest);
        assert_eq!(BaseImage::of(&image("amd64", labels, &[])), Some(pinned));
        assert_eq!(BaseImage::of(&image("amd64", json!({}), &[])), None);
        let rubbish = json!({"Labels": {label::BASE_NAME: "::", label::BASE_DIGEST: "x", label::VERSION: 1}});
        let base = BaseImage::of(&image("amd64", rubbish, &[])).expect("a name");
        assert_eq!((base.version, base.digest), (None, None));
    }

    #[test]
    fn who_says_nothing_does_not_differ() {
        let base = |text: &str| {
            Some(BaseImage::pinned(
                &"a.example/b:1".parse().expect("valid"),
                Digest::of(text.as_bytes()),
            ))
        };
        let differs = |before, after| {
            let image = Vec::new();
            BaseDifference { before, after, image }.differs()
        };
        assert!(differs(base("1"), base("2")));
        let named = |text: &str| Some(BaseImage::named(&text.parse().expect("valid")));
        assert!(differs(base("1"), named("a.example/b:2")) && !differs(base("1"), named("a.example/b:1")));
        assert!(!differs(base("1"), base("1")) && !differs(base("1"), None) && !differs(None, None));
    }
}
