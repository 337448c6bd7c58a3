//! A folder as one value, to see whether anything in it was touched.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use iamship::image::Digest;

/// Every path with its kind, mode, content and time of change.
pub(crate) fn snapshot(folder: &Path) -> BTreeMap<String, String> {
    walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| {
            let entry = entry.expect("can be read");
            let metadata = entry.metadata().expect("metadata");
            let content = if metadata.is_file() {
                Digest::of(&std::fs::read(entry.path()).expect("can be read")).to_string()
            } else {
                format!("{:?}", metadata.file_type())
            };
            let (mode, inode) = (metadata.permissions().mode(), metadata.ino());
            let changed = format!("{}.{}", metadata.mtime(), metadata.mtime_nsec());
            let name = entry.path().strip_prefix(folder).expect("below").display().to_string();
            (name, format!("{mode:o} {inode} {changed} {content}"))
        })
        .collect()
}
