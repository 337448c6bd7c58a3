//! A project on disk, for this floor's tests.

use camino::{Utf8Path, Utf8PathBuf};

/// What a project must say, no more.
pub(super) const MINIMAL: &str = r#"
[project]
name = "idsvr"
server = "curity"
[image]
base = "example.com/base:1"
[config]
files = ["config/**/*.xml"]
[[stage]]
name = "dev"
"#;

/// A folder that goes away with the test.
pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("temporary folder"))
    }

    pub(super) fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).expect("UTF-8")
    }

    pub(super) fn write(&self, path: &str, text: &str) -> Utf8PathBuf {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
        std::fs::write(&path, text).expect("file");
        path
    }
}
