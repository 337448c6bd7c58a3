//! Paths that a project file names: inside the project, also after following links.

use std::io::Read as _;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

/// The project's folder.
pub(super) struct Root {
    path: Utf8PathBuf,
    /// Without links, for telling what leaves the project.
    real: Utf8PathBuf,
}

/// Why a path can't be used; a sentence's end after the path in backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PathProblem {
    /// It is absolute, climbs with `..`, or is empty.
    Outside,
    /// A link on the way leads out of the project.
    LinkOutside,
    /// Nothing is there.
    Missing,
    /// It is not a file (or not a file or folder).
    NotAFile,
    /// The system says no.
    Unreadable(String),
}

impl std::fmt::Display for PathProblem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Outside => formatter.write_str("must be a path inside the project, without a leading `/` or `..`"),
            Self::LinkOutside => formatter.write_str("is a link that leads out of the project"),
            Self::Missing => formatter.write_str("is not there"),
            Self::NotAFile => formatter.write_str("is not a file"),
            Self::Unreadable(reason) => write!(formatter, "can't be read: {reason}"),
        }
    }
}

/// A relative path with neither `.` nor `..` in it; a `/` at the end is kept off.
pub(super) fn plain_relative(text: &str) -> Result<Utf8PathBuf, PathProblem> {
    let mut plain = Utf8PathBuf::new();
    for component in Utf8Path::new(text).components() {
        match component {
            Utf8Component::CurDir => {}
            Utf8Component::Normal(part) if !part.contains('\0') => plain.push(part),
            _ => return Err(PathProblem::Outside),
        }
    }
    if plain.as_str().is_empty() {
        return Err(PathProblem::Outside);
    }
    Ok(plain)
}

impl Root {
    /// Fails when the folder is not there.
    pub(super) fn open(path: &Utf8Path) -> std::io::Result<Self> {
        // `canonicalize("")` fails, though it means here.
        let path = if path.as_str().is_empty() {
            Utf8Path::new(".")
        } else {
            path
        };
        Ok(Self {
            path: path.to_owned(),
            real: path.canonicalize_utf8()?,
        })
    }

    pub(super) fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// What a link (or a path with links on the way) leads to, when that is inside the project.
    pub(super) fn real_inside(&self, relative: &Utf8Path) -> Result<Utf8PathBuf, PathProblem> {
        let real = self
            .path
            .join(relative)
            .canonicalize_utf8()
            .map_err(|error| problem(&error))?;
        if real.starts_with(&self.real) {
            Ok(real)
        } else {
            Err(PathProblem::LinkOutside)
        }
    }

    /// A file or folder inside the project, as written but without `./`.
    pub(super) fn existing(&self, text: &str) -> Result<Utf8PathBuf, PathProblem> {
        let relative = plain_relative(text)?;
        self.real_inside(&relative)?;
        Ok(relative)
    }

    /// A file inside the project.
    pub(super) fn existing_file(&self, text: &str) -> Result<Utf8PathBuf, PathProblem> {
        let relative = plain_relative(text)?;
        match self.real_inside(&relative)?.is_file() {
            true => Ok(relative),
            false => Err(PathProblem::NotAFile),
        }
    }
}

pub(super) fn problem(error: &std::io::Error) -> PathProblem {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => PathProblem::Missing,
        kind => PathProblem::Unreadable(kind.to_string()),
    }
}

/// A whole file of at most `most` bytes. A larger one, or one that is not UTF-8, says so.
pub(super) fn read_text(path: &Utf8Path, most: u64) -> Result<String, PathProblem> {
    let bytes = read_bytes(path, most)?;
    String::from_utf8(bytes).map_err(|error| PathProblem::Unreadable(not_utf8(error.as_bytes())))
}

/// A whole file of at most `most` bytes; pipes and devices are refused, since they may never end.
pub(super) fn read_bytes(path: &Utf8Path, most: u64) -> Result<Vec<u8>, PathProblem> {
    let metadata = std::fs::metadata(path).map_err(|error| problem(&error))?;
    if !metadata.is_file() {
        return Err(PathProblem::NotAFile);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(most)).unwrap_or_default() + 1);
    let file = std::fs::File::open(path).map_err(|error| problem(&error))?;
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| problem(&error))?;
    if bytes.len() as u64 > most {
        return Err(PathProblem::Unreadable(format!("it is larger than {most} bytes")));
    }
    Ok(bytes)
}

/// Where a text stops being UTF-8.
pub(super) fn not_utf8(bytes: &[u8]) -> String {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return "it is UTF-16, not UTF-8".to_owned();
    }
    let sound = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    let line = bytes.iter().take(sound).filter(|byte| **byte == b'\n').count() + 1;
    format!("it is not UTF-8 from line {line}, byte {}", sound + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_paths_are_inside() {
        assert_eq!(plain_relative("./a//b/"), Ok("a/b".into()));
        for outside in ["/etc/passwd", "../a", "a/../../b", "", ".", "a\0b"] {
            assert_eq!(plain_relative(outside), Err(PathProblem::Outside), "{outside}");
        }
    }

    #[test]
    fn a_link_may_lead_round_the_project_but_not_out_of_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let base = Utf8Path::from_path(folder.path()).expect("UTF-8");
        std::fs::create_dir_all(base.join("project/sub")).expect("folder");
        std::fs::write(base.join("outside.env"), "A=1").expect("file");
        std::fs::write(base.join("project/inside.env"), "A=1").expect("file");
        std::os::unix::fs::symlink("../outside.env", base.join("project/out")).expect("link");
        std::os::unix::fs::symlink("../inside.env", base.join("project/sub/in")).expect("link");
        std::os::unix::fs::symlink("..", base.join("project/up")).expect("link");
        let root = Root::open(&base.join("project")).expect("there");
        assert_eq!(root.existing_file("out"), Err(PathProblem::LinkOutside));
        assert_eq!(root.existing_file("up/outside.env"), Err(PathProblem::LinkOutside));
        assert_eq!(root.existing_file("sub/in"), Ok("sub/in".into()));
        assert_eq!(root.existing_file("sub"), Err(PathProblem::NotAFile));
        assert_eq!(root.existing_file("none"), Err(PathProblem::Missing));
    }

    #[test]
    fn a_text_that_is_none_says_where() {
        assert_eq!(not_utf8(b"a\nb\xffc"), "it is not UTF-8 from line 2, byte 4");
        assert_eq!(not_utf8(b"\xff\xfea\0"), "it is UTF-16, not UTF-8");
    }
}
