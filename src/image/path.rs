//! Places in an image: normalised, below the root, safe to print.

use std::fmt;
use std::str::FromStr;

use camino::Utf8Path;

/// The longest path that Linux takes.
const MAX_PATH_BYTES: usize = 4095;
/// The longest file name that Linux's file systems take.
const MAX_NAME_BYTES: usize = 255;

/// A file's or folder's place in an image. Written with a leading `/`, kept without; never the root itself.
///
/// `..`, control characters (NUL among them) and names that no file system takes are refused at the door.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImagePath(String);

impl ImagePath {
    /// Without the leading `/`, as tar archives name it.
    pub fn as_relative(&self) -> &str {
        &self.0
    }

    /// Without the leading `/`.
    pub fn as_path(&self) -> &Utf8Path {
        Utf8Path::new(&self.0)
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.names().next_back().unwrap_or_default()
    }

    /// Its parts, outermost first.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The folders it lies in, outermost first, without the root and itself.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(index, _)| &self.0[..index])
    }

    /// A place below this one.
    pub fn join(&self, relative: impl AsRef<str>) -> Result<Self, InvalidImagePath> {
        format!("{}/{}", self.0, relative.as_ref()).parse()
    }

    /// Whether it lies below `folder`.
    pub fn is_below(&self, folder: &Self) -> bool {
        self.0.strip_prefix(&folder.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for ImagePath {
    /// `/opt/idsvr/etc/init/a.xml`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "/{}", self.0)
    }
}

impl FromStr for ImagePath {
    type Err = InvalidImagePath;

    /// Absolute, or relative to the root; `.`, `//` and a `/` at the end are dropped.
    fn from_str(text: &str) -> Result<Self, InvalidImagePath> {
        let invalid = |reason| InvalidImagePath {
            path: text.escape_debug().to_string(),
            reason,
        };
        if text.chars().any(char::is_control) {
            return Err(invalid("it has a control character"));
        }
        let mut normal = String::with_capacity(text.len());
        for name in text.split('/').filter(|name| !matches!(*name, "" | ".")) {
            if name == ".." {
                return Err(invalid("`..` could lead out of the folder"));
            }
            if name.len() > MAX_NAME_BYTES {
                return Err(invalid("a name in it is longer than 255 bytes"));
            }
            if !normal.is_empty() {
                normal.push('/');
            }
            normal.push_str(name);
        }
        if normal.is_empty() {
            return Err(invalid("it names no file"));
        }
        if normal.len() > MAX_PATH_BYTES {
            return Err(invalid("it is longer than 4095 bytes"));
        }
        Ok(Self(normal))
    }
}

/// A text that is no place in an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` can't be a path in the image: {reason}")]
pub struct InvalidImagePath {
    /// As written, with control characters escaped.
    pub path: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_and_names_parents() {
        let path: ImagePath = "//opt/./idsvr/etc/".parse().expect("valid");
        assert_eq!(path.to_string(), "/opt/idsvr/etc");
        assert_eq!(path.as_relative(), "opt/idsvr/etc");
        assert_eq!(path.parents().collect::<Vec<_>>(), ["opt", "opt/idsvr"]);
        assert_eq!(path.file_name(), "etc");
        let below = path.join("init/a.xml").expect("valid");
        assert!(below.is_below(&path));
        assert!(
            !"/opt/idsvr/etcetera"
                .parse::<ImagePath>()
                .expect("valid")
                .is_below(&path)
        );
    }

    #[test]
    fn refuses_what_leads_out_or_can_not_be() {
        let long = "x".repeat(256);
        let deep = "abc/".repeat(1100);
        for text in [
            "",
            "/",
            ".",
            "../a",
            "a/../../b",
            "a\0b",
            "a\nb",
            "a\u{1b}[2J",
            &long,
            &deep,
        ] {
            assert!(text.parse::<ImagePath>().is_err(), "{text:?}");
        }
        assert!(
            !"a\u{1b}[2J"
                .parse::<ImagePath>()
                .expect_err("control")
                .to_string()
                .contains('\u{1b}')
        );
    }
}
