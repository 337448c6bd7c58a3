//! `index.json` (OCI image spec, *Image Layout*): which manifests the folder holds, and their tags.
//!
//! Other tools write this file too. An entry is kept as the bytes it came as, so what iamship does not
//! know survives; only the tag of an entry is ever edited.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::image::{Digest, Manifest, Tag, media_type};

/// The annotation that holds an entry's tag.
const TAG: &str = "org.opencontainers.image.ref.name";

/// The annotation that says what an entry is about: a digest, or nothing at all. It spares reading every manifest to
/// find a subject's referrers. A hint: a manifest is listed only after its own `subject` was read.
const SUBJECT: &str = "io.iamship.subject";

/// The file as read.
#[derive(Clone, Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
    others: BTreeMap<String, Box<RawValue>>,
}

/// One of the file's `manifests`.
#[derive(Clone)]
pub(super) struct Entry {
    raw: Box<RawValue>,
    /// `None`: of an algorithm that iamship does not read.
    pub(super) digest: Option<Digest>,
    pub(super) media_type: String,
    /// `None` also where the name is not a valid tag: other tools write full references there.
    pub(super) tag: Option<Tag>,
    pub(super) subject: Subject,
}

/// What an entry says that its manifest is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// It does not say: another tool wrote it.
    Unknown,
    Nothing,
    Of(Digest),
}

/// What iamship needs of an entry.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    media_type: String,
    digest: String,
    annotations: Option<Names>,
}

#[derive(Default, Deserialize)]
struct Names {
    #[serde(rename = "org.opencontainers.image.ref.name")]
    tag: Option<String>,
    #[serde(rename = "io.iamship.subject")]
    subject: Option<String>,
}

impl Entry {
    fn read(raw: Box<RawValue>) -> serde_json::Result<Self> {
        let view: View = serde_json::from_str(raw.get())?;
        let names = view.annotations.unwrap_or_default();
        let subject = match names.subject.as_deref() {
            None => Subject::Unknown,
            Some("") => Subject::Nothing,
            Some(text) => text.parse().map_or(Subject::Unknown, Subject::Of),
        };
        Ok(Self {
            raw,
            digest: view.digest.parse().ok(),
            media_type: view.media_type,
            tag: names.tag.and_then(|text| text.parse().ok()),
            subject,
        })
    }

    fn of(manifest: &Manifest, tag: Option<&Tag>) -> serde_json::Result<Self> {
        let mut descriptor = manifest.descriptor();
        descriptor.artifact_type = manifest.artifact_type().map(str::to_owned);
        let subject = manifest.subject().map(|subject| subject.digest.to_string());
        descriptor
            .annotations
            .insert(SUBJECT.to_owned(), subject.unwrap_or_default());
        if let Some(tag) = tag {
            descriptor.annotations.insert(TAG.to_owned(), tag.to_string());
        }
        Self::read(serde_json::value::to_raw_value(&descriptor)?)
    }

    /// The entry with another tag or none; all else as it was.
    fn tagged(self, tag: Option<&Tag>) -> serde_json::Result<Self> {
        let mut value: Value = serde_json::from_str(self.raw.get())?;
        let Some(fields) = value.as_object_mut() else {
            return Ok(self);
        };
        let mut annotations = match fields.remove("annotations") {
            Some(Value::Object(annotations)) => annotations,
            _ => serde_json::Map::new(),
        };
        match tag {
            Some(tag) => annotations.insert(TAG.to_owned(), tag.as_str().into()),
            None => annotations.remove(TAG),
        };
        if !annotations.is_empty() {
            fields.insert("annotations".to_owned(), annotations.into());
        }
        Self::read(serde_json::value::to_raw_value(&value)?)
    }

    /// Whether its media type is one of a manifest that iamship reads.
    pub(super) fn is_manifest(&self) -> bool {
        media_type::MANIFESTS.contains(&self.media_type.as_str())
    }
}

/// What a tag names.
pub(super) enum Named<'a> {
    Nothing,
    One(&'a Entry),
    /// Entries of different content, or content under a digest that iamship does not read.
    Unclear,
}

impl Index {
    pub(super) fn read(bytes: &[u8]) -> serde_json::Result<Self> {
        let mut others: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(bytes)?;
        let manifests: Vec<Box<RawValue>> = match others.remove("manifests") {
            Some(raw) => serde_json::from_str::<Option<_>>(raw.get())?.unwrap_or_default(),
            None => Vec::new(),
        };
        let entries = manifests
            .into_iter()
            .map(Entry::read)
            .collect::<serde_json::Result<_>>()?;
        Ok(Self { entries, others })
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let fixed = [
            ("schemaVersion", "2".to_owned()),
            ("mediaType", format!("\"{}\"", media_type::OCI_INDEX)),
        ];
        let mut text = String::from("{");
        for (key, default) in &fixed {
            let value = self.others.get(*key).map_or(default.as_str(), |raw| raw.get());
            text.push_str(&format!("\"{key}\":{value},"));
        }
        text.push_str("\"manifests\":[");
        for (position, entry) in self.entries.iter().enumerate() {
            if position > 0 {
                text.push(',');
            }
            text.push_str(entry.raw.get());
        }
        text.push(']');
        for (key, raw) in self
            .others
            .iter()
            .filter(|(key, _)| fixed.iter().all(|(fixed, _)| fixed != key))
        {
            text.push_str(&format!(",{}:{}", Value::from(key.as_str()), raw.get()));
        }
        text.push('}');
        text.into_bytes()
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn named(&self, tag: &Tag) -> Named<'_> {
        let mut entries = self.entries.iter().filter(|entry| entry.tag.as_ref() == Some(tag));
        let Some(first) = entries.next() else {
            return Named::Nothing;
        };
        if first.digest.is_none() || entries.any(|other| other.digest != first.digest) {
            return Named::Unclear;
        }
        Named::One(first)
    }

    /// The media type that an entry gives this content.
    pub(super) fn media_type(&self, digest: Digest) -> Option<&str> {
        let mut entries = self.entries.iter().filter(|entry| entry.digest == Some(digest));
        entries
            .find(|entry| entry.is_manifest())
            .map(|entry| entry.media_type.as_str())
    }

    /// Enters a manifest under a tag, which may have named another, or without one. The folder's other readers find
    /// content only from here, so whatever loses its tag keeps an entry.
    pub(super) fn put(&mut self, manifest: &Manifest, tag: Option<&Tag>) -> serde_json::Result<Changed> {
        let digest = Some(manifest.digest());
        let mut changed = Changed::No;
        if let Some(tag) = tag {
            changed = changed.or(self.untag(tag, digest)?);
        }
        let there = match tag {
            Some(tag) => self
                .entries
                .iter()
                .any(|entry| entry.digest == digest && entry.tag.as_ref() == Some(tag)),
            None => self.entries.iter().any(|entry| entry.digest == digest),
        };
        if !there {
            let plain =
                |entry: &Entry| entry.digest == digest && entry.subject != Subject::Unknown && entry.tag.is_none();
            let entry = match self.entries.iter().position(plain) {
                Some(position) => self.entries.remove(position).tagged(tag)?,
                None => Entry::of(manifest, tag)?,
            };
            self.entries.push(entry);
            changed = Changed::Yes;
        }
        if let Some(index) = manifest.index() {
            let children: HashSet<_> = index.manifests.iter().map(|child| Some(child.digest)).collect();
            let before = self.entries.len();
            self.entries.retain(|entry| {
                entry.tag.is_some() || entry.subject != Subject::Nothing || !children.contains(&entry.digest)
            });
            changed = changed.or(Changed::from(self.entries.len() != before));
        }
        Ok(changed)
    }

    /// Takes a tag from all entries but those of `except`.
    pub(super) fn untag(&mut self, tag: &Tag, except: Option<Digest>) -> serde_json::Result<Changed> {
        let (named, mut others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|entry| entry.tag.as_ref() == Some(tag) && (except.is_none() || entry.digest != except));
        let changed = Changed::from(!named.is_empty());
        for entry in named {
            let known = entry.digest.is_some() && others.iter().any(|other| other.digest == entry.digest);
            if !known {
                others.push(entry.tagged(None)?);
            }
        }
        self.entries = others;
        Ok(changed)
    }
}

/// Whether the file must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    Yes,
    No,
}

impl Changed {
    fn or(self, other: Self) -> Self {
        if self == Self::Yes { self } else { other }
    }
}

impl From<bool> for Changed {
    fn from(changed: bool) -> Self {
        if changed { Self::Yes } else { Self::No }
    }
}
