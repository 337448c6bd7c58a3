//! `[[asset]]`: further files that all stages share.

use camino::Utf8PathBuf;

use super::Asset;
use super::paths::{PathProblem, Root};
use super::read::{Table, Value};
use crate::diagnostic::Code;

pub(super) fn read(root: &Root, file: &Table<'_>) -> Vec<Asset> {
    let Some(assets) = file.get("asset") else {
        return Vec::new();
    };
    let items = assets.list().unwrap_or_default();
    let asset = |value: &Value<'_>| {
        let table = value.table("`[[asset]]`")?;
        let from = table
            .need("from", "\"procedures/\"")
            .and_then(|from| asset_source(root, &from));
        let to = table.need("to", "\"/opt/idsvr/etc/init/token-procedures/\"");
        let to = to.and_then(|to| asset_target(&to));
        table.finish();
        Some(Asset { from: from?, to: to? })
    };
    items.iter().filter_map(asset).collect()
}

fn asset_source(root: &Root, value: &Value<'_>) -> Option<Utf8PathBuf> {
    let text = value.text()?;
    match root.existing(text) {
        Ok(path) => Some(path),
        Err(PathProblem::Missing) => {
            value.refuse_as(Code::ProjectMissing, format!("`{text}` {}", PathProblem::Missing), None)
        }
        Err(problem) => value.refuse(format!("`{text}` {problem}"), None),
    }
}

fn asset_target(value: &Value<'_>) -> Option<Utf8PathBuf> {
    let text = value.text()?;
    let below = text.strip_prefix('/').unwrap_or_default();
    if !text.starts_with('/') {
        let help = format!("write `to = \"/{text}\"`");
        return value.refuse(format!("`{text}` must be an absolute path in the image"), help);
    }
    let parts = below.strip_suffix('/').unwrap_or(below);
    if parts
        .split('/')
        .any(|part| matches!(part, "" | "." | "..") || part.contains('\0'))
    {
        let message = format!("`{text}` must be a path below `/`, without `.`, `..` and double `/`");
        return value.refuse(message, None);
    }
    Some(text.into())
}
