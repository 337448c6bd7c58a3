//! `iamship.lock`: the base image's digest, so that a build can be repeated.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use camino::Utf8Path;

use super::load::LARGEST_TEXT;
use super::paths::{self, PathProblem};
use super::read::{Problems, Table};
use crate::diagnostic::{Code, Diagnostic, Source};
use crate::image::{Digest, Reference};

/// The lock file's name.
pub const LOCK_FILE: &str = "iamship.lock";
const UPDATE: &str = "`iamship lock --update` pins the base again";

/// What `base` meant when it was pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// `[image] base`, as written then.
    pub base: Reference,
    /// Of the manifest or index that it named.
    pub digest: Digest,
    /// That manifest's media type.
    pub media_type: Option<String>,
    /// `os/architecture[/variant]` of an index's images; empty for a single image.
    pub platforms: Vec<String>,
}

impl Lock {
    /// The lock of a project whose base is `base`; `None` when there is no lock file yet.
    ///
    /// # Errors
    /// A file that can't be read, or that pins another base.
    pub fn load(root: &Utf8Path, base: &Reference) -> Result<Option<Self>, Vec<Diagnostic>> {
        let text = match paths::read_text(&root.join(LOCK_FILE), LARGEST_TEXT) {
            Ok(text) => text,
            Err(PathProblem::Missing) => return Ok(None),
            Err(problem) => {
                let message = format!("`{LOCK_FILE}` {problem}");
                return Err(vec![Diagnostic::new(Code::LockInvalid, message).help(UPDATE)]);
            }
        };
        let problems = Problems::new(Source::new(LOCK_FILE, text));
        let lock = read(&problems, Some(base));
        let mut found = problems.into_sorted();
        if let Some(lock) = lock.filter(|_| found.is_empty()) {
            return Ok(Some(lock));
        }
        for diagnostic in &mut found {
            diagnostic.code = Code::LockInvalid;
            diagnostic.help = vec![UPDATE.to_owned()];
        }
        Err(found)
    }

    /// The lock that a text holds, of whatever base; `None` where it is no lock file.
    pub fn of_text(text: &str) -> Option<Self> {
        let problems = Problems::new(Source::new(LOCK_FILE, text));
        let lock = read(&problems, None);
        lock.filter(|_| problems.into_sorted().is_empty())
    }

    /// The file's text: the same lock always gives the same bytes.
    pub fn to_text(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut text = String::from(
            "# Written by `iamship lock`: which image `base` means. Keep it in git; `iamship lock --update` moves it.\n",
        );
        let mut line = |key: &str, value: String| {
            text.push_str(&format!("{key} = {value}\n"));
        };
        line("base", quoted(&self.base.to_string()));
        line("digest", quoted(&self.digest.to_string()));
        if let Some(media_type) = &self.media_type {
            line("media-type", quoted(media_type));
        }
        if !self.platforms.is_empty() {
            let platforms: Vec<_> = self.platforms.iter().map(|platform| quoted(platform)).collect();
            line("platforms", format!("[{}]", platforms.join(", ")));
        }
        text
    }

    /// Writes `root/iamship.lock`: the old one or the new one is there, never a part.
    ///
    /// # Errors
    /// The folder can't be written to.
    pub fn write(&self, root: &Utf8Path) -> std::io::Result<()> {
        let mode = std::fs::Permissions::from_mode(0o644);
        let mut file = tempfile::Builder::new()
            .prefix(".iamship.lock.")
            .permissions(mode)
            .tempfile_in(root)?;
        file.write_all(self.to_text().as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(root.join(LOCK_FILE))?;
        Ok(())
    }
}

/// `base` is what it must pin, if that is known.
fn read(problems: &Problems, base: Option<&Reference>) -> Option<Lock> {
    let source = problems.source().clone();
    let document = problems.parse(source.text())?;
    let file = Table::root(problems, &document);
    let pinned_value = file.need("base", "\"…\"");
    let pinned = pinned_value.as_ref().and_then(|value| value.parse::<Reference>());
    let digest = file.need("digest", "\"sha256:…\"").and_then(|value| value.parse());
    let media_type = file.get("media-type").and_then(|value| value.text()).map(str::to_owned);
    let platforms = file.get("platforms").and_then(|value| value.list()).unwrap_or_default();
    let platforms = platforms
        .iter()
        .filter_map(|platform| platform.text().map(str::to_owned))
        .collect();
    file.finish();
    let pinned = pinned?;
    if let Some(base) = base.filter(|base| pinned != **base) {
        return pinned_value?.refuse(
            format!("`{LOCK_FILE}` pins `{pinned}`, but the project's base is `{base}`"),
            None,
        );
    }
    Some(Lock {
        base: pinned,
        digest: digest?,
        media_type,
        platforms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::fixture::Folder;

    fn lock() -> Lock {
        Lock {
            base: "example.com/base:1".parse().expect("valid"),
            digest: Digest::of(b"base"),
            media_type: Some("application/vnd.oci.image.index.v1+json".to_owned()),
            platforms: vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()],
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let folder = Folder::new();
        let lock = lock();
        assert_eq!(Lock::load(folder.path(), &lock.base), Ok(None));
        lock.write(folder.path()).expect("writable");
        assert_eq!(Lock::load(folder.path(), &lock.base), Ok(Some(lock.clone())));
        assert_eq!(Lock::of_text(&lock.to_text()), Some(lock.clone()));
        assert_eq!(Lock::of_text("<<<<<<< ours\n"), None);
        let single = Lock {
            media_type: None,
            platforms: Vec::new(),
            ..lock
        };
        single.write(folder.path()).expect("writable");
        assert_eq!(Lock::load(folder.path(), &single.base), Ok(Some(single.clone())));
        let mode = std::fs::metadata(folder.path().join(LOCK_FILE))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o044, 0o044, "others can read it");
        assert_eq!(
            std::fs::read_dir(folder.path()).expect("there").count(),
            1,
            "no part is left behind"
        );
    }

    #[test]
    fn a_lock_of_another_base_says_how_to_mend_it() {
        let folder = Folder::new();
        lock().write(folder.path()).expect("writable");
        let other = "example.com/base:2".parse().expect("valid");
        let problems = Lock::load(folder.path(), &other).expect_err("refused");
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].code, Code::LockInvalid);
        assert!(problems[0].message.contains("base:1") && problems[0].message.contains("base:2"));
        assert_eq!(problems[0].labels[0].span.text(), "\"example.com/base:1\"");
        assert_eq!(problems[0].help, [UPDATE]);
    }

    #[test]
    fn rubbish_is_a_diagnostic_of_the_lock() {
        let folder = Folder::new();
        let base = "example.com/base:1".parse().expect("valid");
        for text in ["<<<<<<< ours\n", "", "base = 1\ndigest = \"sha256:x\"\n", "\u{0}"] {
            folder.write(LOCK_FILE, text);
            let problems = Lock::load(folder.path(), &base).expect_err(text);
            assert!(
                problems.iter().all(|problem| problem.code == Code::LockInvalid),
                "{problems:?}"
            );
        }
    }
}
