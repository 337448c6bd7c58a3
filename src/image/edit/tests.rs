//! What an edit promises: it adds, and leaves all else as the base has it.

use super::*;
use crate::image::{LayerKind, label};

const FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

fn base_config() -> String {
    let ids: Vec<_> = [&b"1"[..], b"2"]
        .map(|content| format!("\"{}\"", Digest::of(content)))
        .into();
    format!(
        r#"{{ "architecture":"arm64","os":"linux","variant":"v8","created":"2024-05-01T10:00:00.123456789Z","x-unknown":{{"b":1,"a":[1.0,null]}},
        "config":{{"User":"10001:10000","Env":["PATH=/bin","A=<&>"],"Entrypoint":["/opt/idsvr/bin/idsvr"],"OnBuild":["RUN true"],
          "Healthcheck":{{"Test":["CMD","true"],"Interval":30000000000}},"Labels":{{"vendor":"x","{}":"base"}}}},
        "rootfs":{{"type":"layers","diff_ids":[{}]}},
        "history":[{{"created_by":"a"}},{{"created_by":"b","empty_layer":true}},{{"created_by":"c"}}],"moby.buildkit.cache":"kept" }}"#,
        label::TITLE,
        ids.join(",")
    )
}

fn base(flavour: Flavour, config: &str, layers: &[&str]) -> Result<Image, InvalidImage> {
    let descriptors = layers.iter().map(|media_type| {
        let mut layer = Descriptor::of(*media_type, media_type.as_bytes());
        layer.urls = vec!["https://example.com/layer".to_owned()];
        layer
    });
    let manifest = Manifest::from_image(ImageManifest {
        schema_version: 2,
        media_type: Some(flavour.manifest().to_owned()),
        artifact_type: None,
        config: Descriptor::of(flavour.config(), config.as_bytes()),
        layers: descriptors.collect(),
        subject: None,
        annotations: [(label::VERSION, "1"), ("vendor", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    });
    Image::new(manifest, config.to_owned())
}

fn layers() -> Vec<Layer> {
    let asset = LayerKind::Asset("/opt/a".parse().expect("valid"));
    [asset, LayerKind::Config]
        .map(|kind| Layer {
            digest: Digest::of(kind.to_string().as_bytes()),
            size: 7,
            diff_id: Digest::of(b"inside"),
            kind,
        })
        .into()
}

fn labels() -> BTreeMap<String, String> {
    [(label::TITLE, "idsvr"), (label::VERSION, "1-abc")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn edited(flavour: Flavour) -> (Image, Image) {
    let image = base(flavour, &base_config(), &[FOREIGN, ZSTD]).expect("valid");
    let edited = image.with_layers(&layers(), &labels()).expect("edited");
    (image, edited)
}

#[test]
fn base_layers_stay_and_new_ones_speak_the_flavour() {
    for (flavour, vendor) in [(Flavour::Oci, "vnd.oci."), (Flavour::Docker, "vnd.docker.")] {
        let (image, edited) = edited(flavour);
        assert_eq!(edited.layers()[..2], image.layers()[..]);
        assert_eq!(edited.layers().len(), 4);
        let ours = edited.layers()[2..].iter().chain([edited.config_descriptor()]);
        for descriptor in ours {
            assert!(descriptor.media_type.contains(vendor), "{}", descriptor.media_type);
        }
        assert_eq!(edited.manifest().media_type(), flavour.manifest());
        let found = crate::image::config_layer(edited.manifest()).expect("annotated");
        assert_eq!(found.digest, layers()[1].digest);
        assert_eq!(crate::image::config_layer(image.manifest()), None);
    }
}

#[test]
fn the_configuration_only_grows() {
    let (_, edited) = edited(Flavour::Docker);
    let mut expected: Value = serde_json::from_str(&base_config()).expect("json");
    let inside = Digest::of(b"inside").to_string();
    let ids = expected["rootfs"]["diff_ids"].as_array_mut().expect("array");
    ids.extend([Value::from(inside.as_str()), Value::from(inside)]);
    let entry = json!({"created": "2024-05-01T10:00:00.123456789Z", "created_by": "iamship"});
    let history = expected["history"].as_array_mut().expect("array");
    history.extend([entry.clone(), entry]);
    expected["config"]["Labels"][label::TITLE] = "idsvr".into();
    expected["config"]["Labels"][label::VERSION] = "1-abc".into();
    let text = serde_json::to_string(&expected).expect("json");
    assert_eq!(
        std::str::from_utf8(edited.config()).expect("text"),
        text,
        "values and order"
    );
    assert_eq!(edited.label("vendor"), Some("x"));
    assert_eq!(edited.created(), Some("2024-05-01T10:00:00.123456789Z"));
    assert_eq!(edited.platform().expect("named").to_string(), "linux/arm64/v8");
}

#[test]
fn annotations_that_a_label_contradicts_follow_it() {
    let (_, edited) = edited(Flavour::Oci);
    let annotations = edited.manifest().annotations();
    assert_eq!(annotations.get(label::VERSION).map(String::as_str), Some("1-abc"));
    assert_eq!(annotations.get("vendor").map(String::as_str), Some("x"));
    assert_eq!(annotations.get(label::TITLE), None, "a label alone adds no annotation");
}

#[test]
fn the_same_edit_gives_the_same_image() {
    assert_eq!(edited(Flavour::Oci).1, edited(Flavour::Oci).1);
}

#[test]
fn a_sparse_base_is_enough() {
    let config = r#"{"config":{"Labels":null},"rootfs":{"type":"layers","diff_ids":[]}}"#;
    let image = base(Flavour::Oci, config, &[]).expect("valid");
    let edited = image.with_layers(&layers(), &labels()).expect("edited");
    assert_eq!(edited.label(label::TITLE), Some("idsvr"));
    assert_eq!(edited.created(), None);
    assert_eq!(edited.platform(), None);
    let text = String::from_utf8_lossy(edited.config());
    assert!(!text.contains("history") && !text.contains("created"), "{text}");
}

#[test]
fn refuses_bases_that_do_not_fit_together() {
    let refused = |config: &str, layers: &[&str]| base(Flavour::Oci, config, layers).expect_err("refused");
    let counts = refused(&base_config(), &[ZSTD]);
    assert!(
        matches!(counts, InvalidImage::Counts { layers: 1, diff_ids: 2 }),
        "{counts}"
    );
    for malformed in [
        "{}",
        r#"{"rootfs":{}}"#,
        r#"{"rootfs":{"diff_ids":["sha256:../../x"]}}"#,
        r#"{"rootfs":[]}"#,
    ] {
        let shape = refused(malformed, &[]);
        assert!(matches!(shape, InvalidImage::Shape("rootfs.diff_ids")), "{shape}");
    }
    for text in ["", "[]", "null", &"[".repeat(10_000)] {
        let json = refused(text, &[]);
        assert!(matches!(json, InvalidImage::Json(_)), "{json}");
    }
    let large = refused(&" ".repeat(MAX_CONFIG_BYTES + 1), &[]);
    assert!(matches!(large, InvalidImage::TooLarge(_)), "{large}");
}

#[test]
fn refuses_a_configuration_of_another_image() {
    let image = base(Flavour::Oci, &base_config(), &[FOREIGN, ZSTD]).expect("valid");
    let other = Image::new(image.manifest().clone(), base_config().replace("arm64", "amd64"));
    assert!(matches!(other, Err(InvalidImage::WrongConfig { .. })));
}

#[test]
fn refuses_what_is_no_image() {
    let chart = Manifest::from_image(ImageManifest {
        schema_version: 2,
        media_type: None,
        artifact_type: None,
        config: Descriptor::of("application/vnd.cncf.helm.config.v1+json", b"{}"),
        layers: Vec::new(),
        subject: None,
        annotations: BTreeMap::new(),
    });
    let error = Image::new(chart, "{}").expect_err("refused");
    assert!(error.to_string().contains("helm"), "{error}");
}

#[test]
fn malformed_parts_of_the_configuration_stop_the_edit() {
    for (text, part) in [
        (r#"{"rootfs":{"diff_ids":[]},"config":[]}"#, "config"),
        (r#"{"rootfs":{"diff_ids":[]},"config":{"Labels":"x"}}"#, "config.Labels"),
        (r#"{"rootfs":{"diff_ids":[]},"history":{}}"#, "history"),
    ] {
        let image = base(Flavour::Oci, text, &[]).expect("valid so far");
        let error = image.with_layers(&layers(), &labels()).expect_err("refused");
        assert!(error.to_string().contains(&format!("`{part}`")), "{error}");
    }
}
