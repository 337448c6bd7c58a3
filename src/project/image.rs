//! `[image]`: where the image goes, what it is made on, and which registries are spoken to how.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;

use super::ImageSettings;
use super::load::LARGEST_TEXT;
use super::paths::{self, Root};
use super::read::{Table, Value};
use crate::diagnostic::Code;
use crate::image::{Location, Reference};

/// Where images go when `repository` is absent: it works with nothing installed.
pub(super) fn default_repository() -> Location {
    Location::Layout(".iamship/store".into())
}

pub(super) fn read(root: &Root, file: &Table<'_>, insecure: &mut BTreeSet<String>) -> Option<ImageSettings> {
    let table = file.table("image", "`[image]`");
    if file.get("image").is_none() {
        let help = "say what the image is made on: `[image]`, `base = \"curity.azurecr.io/curity/idsvr:11.3.1\"`";
        file.problems()
            .missing("the file has no table `[image]`", file.span(), help);
    }
    let repository = match table.get("repository") {
        Some(value) => value.parse(),
        None => Some(default_repository()),
    };
    let base = table.need("base", "\"curity.azurecr.io/curity/idsvr:11.3.1\"");
    let base = base.and_then(|value| value.parse::<Reference>());
    let ca = table.get("ca").and_then(|value| certificate_file(root, &value));
    if let Some(value) = table.get("insecure") {
        read_insecure(&value, repository.as_slice(), insecure);
    }
    table.finish();
    Some(ImageSettings {
        repository: repository?,
        base: base?,
        insecure: BTreeSet::new(),
        ca,
    })
}

/// `true` speaks of the repositories beside it; a list names registries.
pub(super) fn read_insecure(value: &Value<'_>, repositories: &[Location], insecure: &mut BTreeSet<String>) {
    if value.is_flag() {
        if value.flag() == Some(true) {
            insecure.extend(repositories.iter().filter_map(|location| match location {
                Location::Registry { registry, .. } => Some(registry.clone()),
                Location::Layout(_) => None,
            }));
        }
        return;
    }
    for item in value.list().unwrap_or_default() {
        let Some(text) = item.text() else { continue };
        match format!("{text}/x").parse::<Location>() {
            Ok(Location::Registry { registry, .. }) if registry == text => {
                insecure.insert(registry);
            }
            _ => item
                .refuse(
                    format!("`{text}` is not a registry"),
                    "write host and port: `\"10.0.0.5:5000\"`".to_owned(),
                )
                .unwrap_or_default(),
        }
    }
}

/// Roots lie where the machine keeps them, so any path will do.
fn certificate_file(root: &Root, value: &Value<'_>) -> Option<Utf8PathBuf> {
    let text = value.text()?;
    match paths::read_bytes(&root.path().join(text), LARGEST_TEXT) {
        Ok(_) => Some(text.into()),
        Err(problem) => value.refuse_as(Code::ProjectMissing, format!("`{text}` {problem}"), None),
    }
}
