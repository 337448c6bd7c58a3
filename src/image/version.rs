//! The version of an image, derived from what goes into it: `<base version>-<12 hex>`.

use std::collections::BTreeMap;

use super::{Digest, Hasher, Layer, Reference, Tag, Target, label};

/// What remains of a tag's 128 characters besides `-` and 12 hexadecimal digits.
const MAX_BASE_LENGTH: usize = 115;

/// The digest of all that makes the image: base, layers (in order), project name, labels.
///
/// [`label::VERSION`] is left out, as it is derived from this. Layers count by their content, not by how it was
/// compressed.
pub fn inputs_digest(base: &Digest, layers: &[Layer], project: &str, labels: &BTreeMap<String, String>) -> Digest {
    let mut hasher = Hasher::default();
    // Each field goes with its length, so that no two lists of fields give the same bytes.
    let mut field = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    field(b"iamship inputs v1");
    field(base.as_bytes());
    field(project.as_bytes());
    field(&(layers.len() as u64).to_be_bytes());
    for layer in layers {
        field(layer.kind.to_string().as_bytes());
        field(layer.diff_id.as_bytes());
    }
    for (name, value) in labels.iter().filter(|(name, _)| *name != label::VERSION) {
        field(name.as_bytes());
        field(value.as_bytes());
    }
    hasher.finish()
}

/// The base's version: its tag, else its own version label, else `0`; always fit to begin a tag.
///
/// `latest` names no version: the label is asked first.
pub fn base_version(base: &Reference, version_label: Option<&str>) -> String {
    let tag = match &base.target {
        Target::Tag(tag) => Some(tag.as_str()),
        Target::Digest(_) => None,
    };
    [tag.filter(|tag| *tag != "latest"), version_label, tag]
        .into_iter()
        .flatten()
        .map(tag_safe)
        .find(|version| !version.is_empty())
        .unwrap_or_else(|| "0".to_owned())
}

/// The version, which is also the tag.
pub fn version(base_version: &str, inputs: &Digest) -> Tag {
    let mut base = tag_safe(base_version);
    if base.is_empty() {
        base.push('0');
    }
    #[expect(clippy::expect_used, reason = "made of a tag's characters only, and of at most 128")]
    format!("{base}-{}", inputs.short()).parse().expect("a tag")
}

fn tag_safe(text: &str) -> String {
    text.trim()
        .chars()
        .map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' | '-' => letter,
            _ => '-',
        })
        .skip_while(|letter| matches!(letter, '.' | '-'))
        .take(MAX_BASE_LENGTH)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::LayerKind;
    use super::*;

    fn layer(content: &[u8]) -> Layer {
        Layer {
            kind: LayerKind::Config,
            digest: Digest::of(b"compressed"),
            size: 10,
            diff_id: Digest::of(content),
        }
    }

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn every_input_counts_and_the_version_itself_does_not() {
        let base = Digest::of(b"base");
        let title = labels(&[(label::TITLE, "idsvr")]);
        let first = inputs_digest(&base, &[layer(b"a"), layer(b"b")], "idsvr", &title);
        let others = [
            inputs_digest(&Digest::of(b"other"), &[layer(b"a"), layer(b"b")], "idsvr", &title),
            inputs_digest(&base, &[layer(b"b"), layer(b"a")], "idsvr", &title),
            inputs_digest(&base, &[layer(b"a")], "idsvr", &title),
            inputs_digest(&base, &[layer(b"a"), layer(b"b")], "idsv", &title),
            inputs_digest(&base, &[layer(b"a"), layer(b"b")], "idsvr", &labels(&[])),
        ];
        for other in others {
            assert_ne!(other, first);
        }
        let with_version = labels(&[(label::TITLE, "idsvr"), (label::VERSION, "1")]);
        assert_eq!(
            inputs_digest(&base, &[layer(b"a"), layer(b"b")], "idsvr", &with_version),
            first
        );
    }

    #[test]
    fn compression_does_not_count() {
        let mut other = layer(b"a");
        other.digest = Digest::of(b"compressed otherwise");
        let base = Digest::of(b"base");
        assert_eq!(
            inputs_digest(&base, &[other], "idsvr", &labels(&[])),
            inputs_digest(&base, &[layer(b"a")], "idsvr", &labels(&[]))
        );
    }

    #[test]
    fn the_base_version_is_tag_label_or_zero() {
        let tagged: Reference = "registry.example.com/idsvr:11.3.1".parse().expect("valid");
        let latest: Reference = "registry.example.com/idsvr".parse().expect("valid");
        let pinned = tagged.location.reference(Digest::of(b"x"));
        assert_eq!(base_version(&tagged, Some("9")), "11.3.1");
        assert_eq!(base_version(&pinned, Some("v9 + beta/1")), "v9---beta-1");
        assert_eq!(base_version(&latest, Some("9")), "9");
        assert_eq!(base_version(&latest, None), "latest");
        assert_eq!(base_version(&pinned, Some("--")), "0");
        assert_eq!(base_version(&pinned, None), "0");
    }

    #[test]
    fn a_version_is_always_a_tag() {
        let inputs = Digest::of(b"x");
        assert_eq!(
            version("11.3.1", &inputs).as_str(),
            format!("11.3.1-{}", inputs.short())
        );
        for hostile in ["", "../..", "ä", &"9".repeat(500), "-1"] {
            assert!(
                version(hostile, &inputs).as_str().ends_with(&inputs.short()),
                "{hostile}"
            );
        }
    }
}
