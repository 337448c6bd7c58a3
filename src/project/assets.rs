//! `[[asset]]`: further files that all stages share.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::DirEntry;

use super::files::{MOST_FILES, relative, walk, walk_problem};
use super::paths::{PathProblem, Root};
use super::read::{Table, Value};
use super::{Asset, Project};
use crate::diagnostic::{Code, Diagnostic};

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

/// A file that all stages share, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssetFile {
    /// Absolute path in the image.
    pub path: String,
    /// The file, seen from the project's root.
    pub source: Utf8PathBuf,
    /// Whether its owner may execute it.
    pub executable: bool,
}

impl Project {
    /// The assets' files, sorted by their path in the image.
    ///
    /// # Errors
    /// Links, names that are not UTF-8, two files for one path, an empty folder, too many files.
    pub fn asset_files(&self) -> Result<Vec<AssetFile>, Vec<Diagnostic>> {
        let root = self.open_root()?;
        let mut files: BTreeMap<String, AssetFile> = BTreeMap::new();
        let mut problems = Vec::new();
        for asset in &self.assets {
            let before = files.len() + problems.len();
            for entry in walk(&root, &asset.from) {
                match asset_file(&root, asset, entry) {
                    Ok(None) => {}
                    Ok(Some(file)) => {
                        if let Some(other) = files.insert(file.path.clone(), file.clone()) {
                            let both = format!("`{}` and `{}` both go to `{}`", other.source, file.source, file.path);
                            problems.push(Diagnostic::new(Code::ProjectInvalid, both));
                        }
                    }
                    Err(message) => problems.push(Diagnostic::new(Code::FileUnreadable, message)),
                }
                if files.len() > MOST_FILES {
                    let message = format!("`{}` has more than {MOST_FILES} files", asset.from);
                    return Err(vec![Diagnostic::new(Code::ProjectInvalid, message)]);
                }
            }
            if files.len() + problems.len() == before {
                let message = format!("the asset `{}` has no file", asset.from);
                problems.push(Diagnostic::new(Code::ProjectMissing, message));
            }
        }
        if problems.is_empty() {
            Ok(files.into_values().collect())
        } else {
            Err(problems)
        }
    }
}

fn asset_file(root: &Root, asset: &Asset, entry: walkdir::Result<DirEntry>) -> Result<Option<AssetFile>, String> {
    let entry = entry.map_err(|error| walk_problem(&error))?;
    let source = relative(root, &entry)?;
    let kind = entry.file_type();
    if kind.is_dir() {
        return Ok(None);
    }
    if kind.is_symlink() {
        return Err(format!("`{source}` is a link: put the file itself there"));
    }
    if !kind.is_file() {
        return Err(format!("`{source}` is neither a file nor a folder"));
    }
    let metadata = entry.metadata().map_err(|error| walk_problem(&error))?;
    Ok(Some(AssetFile {
        path: target(asset, &source),
        executable: metadata.permissions().mode() & 0o100 != 0,
        source,
    }))
}

/// A folder's files keep their path below `to`; a single file goes into `to` when that ends with `/`, else it becomes `to`.
fn target(asset: &Asset, source: &Utf8Path) -> String {
    let to = asset.to.as_str();
    let below = source.strip_prefix(&asset.from).map_or("", Utf8Path::as_str);
    match (below, to.strip_suffix('/')) {
        ("", None) => to.to_owned(),
        ("", Some(folder)) => format!("{folder}/{}", source.file_name().unwrap_or_default()),
        (below, folder) => format!("{}/{below}", folder.unwrap_or(to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::fixture::{Folder, MINIMAL};

    fn project(folder: &Folder, assets: &str) -> Project {
        folder.write("iamship.toml", &format!("{MINIMAL}\n{assets}"));
        Project::load(folder.path()).expect("valid")
    }

    #[test]
    fn assets_keep_their_path_and_their_executable_bit() {
        let folder = Folder::new();
        folder.write("procedures/b/b.js", "b");
        folder.write("procedures/a.js", "a");
        folder.write("licence.json", "{}");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path().join("procedures/a.js"), mode).expect("mode");
        let assets = "[[asset]]\nfrom = 'procedures/'\nto = '/opt/p/'\n\
                      [[asset]]\nfrom = 'licence.json'\nto = '/opt/licence/'\n\
                      [[asset]]\nfrom = 'licence.json'\nto = '/opt/l.json'\n";
        let files = project(&folder, assets).asset_files().expect("readable");
        let told: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.executable)).collect();
        assert_eq!(
            told,
            [
                ("/opt/l.json", false),
                ("/opt/licence/licence.json", false),
                ("/opt/p/a.js", true),
                ("/opt/p/b/b.js", false),
            ]
        );
        assert_eq!(files[3].source, "procedures/b/b.js");
    }

    #[test]
    fn links_doubles_and_empty_folders_among_assets_are_refused() {
        let folder = Folder::new();
        folder.write("a/x", "1");
        folder.write("b/x", "2");
        std::fs::create_dir(folder.path().join("empty")).expect("folder");
        std::os::unix::fs::symlink("x", folder.path().join("b/link")).expect("link");
        let assets = "[[asset]]\nfrom = 'a'\nto = '/t'\n[[asset]]\nfrom = 'b'\nto = '/t/'\n\
                      [[asset]]\nfrom = 'empty'\nto = '/t'\n";
        let problems = project(&folder, assets).asset_files().expect_err("refused");
        let told: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(
            told,
            [
                "`b/link` is a link: put the file itself there",
                "`a/x` and `b/x` both go to `/t/x`",
                "the asset `empty` has no file",
            ]
        );
    }
}
