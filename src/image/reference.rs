//! Where images live and how they are named: locations, tags, references.

use std::fmt;
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};

use super::Digest;

/// A place that holds images: a repository of a registry, or an OCI image layout folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// `registry.example.com/iam/idsvr`
    Registry {
        /// Host and port: `registry.example.com`, `127.0.0.1:5000`, `docker.io`.
        registry: String,
        /// Path in it: `iam/idsvr`.
        repository: String,
    },
    /// `oci:PATH`
    Layout(Utf8PathBuf),
}

impl Location {
    /// Whether the registry is on this machine, and so spoken to over http.
    pub fn is_loopback(&self) -> bool {
        let Self::Registry { registry, .. } = self else {
            return false;
        };
        let host = match registry.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => registry.split(':').next().unwrap_or_default(),
        };
        host == "localhost"
            || host
                .parse::<core::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// A layout's path, seen from another folder; a registry stays what it is.
    #[must_use]
    pub fn under(self, folder: &Utf8Path) -> Self {
        match self {
            Self::Layout(path) => Self::Layout(folder.join(path)),
            registry @ Self::Registry { .. } => registry,
        }
    }

    /// The reference of a tag or digest here.
    pub fn reference(&self, target: impl Into<Target>) -> Reference {
        Reference {
            location: self.clone(),
            target: target.into(),
        }
    }

    /// The last part of the name, for titles.
    pub fn base_name(&self) -> &str {
        match self {
            Self::Registry { repository, .. } => repository.rsplit('/').next().unwrap_or_default(),
            Self::Layout(path) => path.file_name().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { registry, repository } => write!(formatter, "{registry}/{repository}"),
            Self::Layout(path) => write!(formatter, "oci:{path}"),
        }
    }
}

impl FromStr for Location {
    type Err = InvalidReference;

    /// A repository without tag or digest, or `oci:PATH`.
    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        if text.starts_with("oci:") {
            let (location, target) = split_layout(text)?;
            return match target {
                None => Ok(location),
                Some(_) => Err(InvalidReference::new(text, "a tag has no place here")),
            };
        }
        let reference = parse_registry(text)?;
        let last = text.rsplit('/').next().unwrap_or_default();
        if last.contains(':') || text.contains('@') {
            return Err(InvalidReference::new(text, "a tag or digest has no place here"));
        }
        Ok(reference.location)
    }
}

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (OCI distribution spec, *Pulling manifests*).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if !first || !rest || text.len() > 128 {
            return Err(InvalidReference::new(
                text,
                "a tag has up to 128 of `A-Z a-z 0-9 _ . -` and begins with a letter, digit or `_`",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// One of a location's images.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A name that can move.
    Tag(Tag),
    /// The content itself.
    Digest(Digest),
}

impl From<Tag> for Target {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl From<&Tag> for Target {
    fn from(tag: &Tag) -> Self {
        Self::Tag(tag.clone())
    }
}

impl From<Digest> for Target {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(formatter),
            Self::Digest(digest) => digest.fmt(formatter),
        }
    }
}

/// A location and one image of it: `registry/repo:tag`, `registry/repo@sha256:…`, `oci:PATH#tag`, `oci:PATH@sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Where.
    pub location: Location,
    /// Which.
    pub target: Target,
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.location, &self.target) {
            (location, Target::Digest(digest)) => write!(formatter, "{location}@{digest}"),
            (location @ Location::Layout(_), Target::Tag(tag)) => write!(formatter, "{location}#{tag}"),
            (location @ Location::Registry { .. }, Target::Tag(tag)) => write!(formatter, "{location}:{tag}"),
        }
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    /// A reference; a registry's without tag means `latest`, a layout's must name one.
    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        if text.starts_with("oci:") {
            let (location, target) = split_layout(text)?;
            let target = target.ok_or_else(|| InvalidReference::new(text, "which image? write `oci:PATH#TAG`"))?;
            return Ok(Self { location, target });
        }
        parse_registry(text)
    }
}

fn split_layout(text: &str) -> Result<(Location, Option<Target>), InvalidReference> {
    let rest = text.strip_prefix("oci:").unwrap_or(text);
    let (path, target) = if let Some((path, digest)) = rest.split_once("@sha256:") {
        let digest = Digest::from_hex(digest).map_err(|error| InvalidReference::new(text, error.to_string()))?;
        (path, Some(Target::Digest(digest)))
    } else if let Some((path, tag)) = rest.rsplit_once('#') {
        (path, Some(Target::Tag(tag.parse()?)))
    } else {
        (rest, None)
    };
    if path.is_empty() {
        return Err(InvalidReference::new(text, "no path after `oci:`"));
    }
    Ok((Location::Layout(path.into()), target))
}

/// Reads what nobody doubts: a host with a dot or a port, a lower-case path, one tag or digest.
///
/// The library's regular expression decides all else, and explains what is wrong; but making it takes 40 ms, which is
/// most of what a promotion takes.
fn parse_plain(text: &str) -> Option<Reference> {
    let (name, target) = match text.split_once("@sha256:") {
        Some((name, hex)) => (name, Some(Target::Digest(Digest::from_hex(hex).ok()?))),
        None => {
            let path_at = text.rfind('/')?;
            match text[path_at..].rfind(':') {
                Some(colon) => (
                    &text[..path_at + colon],
                    Some(Target::Tag(text[path_at + colon + 1..].parse().ok()?)),
                ),
                None => (text, None),
            }
        }
    };
    let (registry, repository) = name.split_once('/')?;
    let (host, port) = registry.split_once(':').unwrap_or((registry, "0"));
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_host = (registry.contains(['.', ':']) || registry == "localhost") && host.split('.').all(label);
    let plain = is_host
        && port.parse::<u16>().is_ok()
        // Docker's hub has names of its own.
        && !host.ends_with("docker.io")
        && name.len() <= 255
        && repository.split('/').all(|component| component.split(['.', '-', '_']).all(part));
    plain.then(|| {
        let location = Location::Registry {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
        };
        let target = target.unwrap_or_else(|| Target::Tag(Tag("latest".to_owned())));
        Reference { location, target }
    })
}

fn parse_registry(text: &str) -> Result<Reference, InvalidReference> {
    if let Some(reference) = parse_plain(text) {
        return Ok(reference);
    }
    let parsed: oci_distribution::Reference = text
        .parse()
        .map_err(|error| InvalidReference::new(text, format!("{error}")))?;
    let target = match (parsed.digest(), parsed.tag()) {
        (Some(digest), _) => Target::Digest(
            digest
                .parse()
                .map_err(|error: super::InvalidDigest| InvalidReference::new(text, error.to_string()))?,
        ),
        (None, Some(tag)) => Target::Tag(tag.parse()?),
        (None, None) => Target::Tag("latest".parse()?),
    };
    Ok(Reference {
        location: Location::Registry {
            registry: parsed.registry().to_owned(),
            repository: parsed.repository().to_owned(),
        },
        target,
    })
}

/// A text that names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an image reference: {reason}")]
pub struct InvalidReference {
    /// As written.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

impl InvalidReference {
    fn new(text: &str, reason: impl Into<String>) -> Self {
        Self {
            text: text.to_owned(),
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let digest = Digest::of(b"x");
        for text in [
            "registry.example.com/iam/idsvr:11.3.1",
            "127.0.0.1:5000/idsvr:dev",
            "oci:base#1.0",
            "oci:.iamship/store#dev",
            &format!("oci:a b/c@{digest}"),
            &format!("registry.example.com/iam/idsvr@{digest}"),
        ] {
            assert_eq!(text.parse::<Reference>().expect(text).to_string(), *text);
        }
    }

    #[test]
    fn plain_names_are_read_as_the_library_reads_them() {
        let digest = Digest::of(b"x");
        let texts = [
            "registry.example.com/iam/idsvr:11.3.1".to_owned(),
            "127.0.0.1:5000/idsvr".to_owned(),
            "localhost/a-b_c.d/e:dev_1".to_owned(),
            format!("registry.example.com:5000/iam/idsvr@{digest}"),
        ];
        for text in texts {
            let plain = parse_plain(&text).expect("plain");
            let library: oci_distribution::Reference = text.parse().expect("valid");
            let Location::Registry { registry, repository } = &plain.location else {
                panic!("{text} is in a registry");
            };
            assert_eq!(
                (registry.as_str(), repository.as_str()),
                (library.registry(), library.repository())
            );
            let target = library.digest().or(library.tag()).expect("a target").to_owned();
            assert_eq!(plain.target.to_string(), target);
        }
        for text in [
            "idsvr",
            "docker.io/idsvr:1",
            "registry.example.com/Iam/idsvr",
            "registry.example.com/iam/",
            "registry.example.com//idsvr",
            "registry.example.com/../idsvr",
            "registry.example.com/iam/idsvr:a:b",
            "-registry.example.com/idsvr",
            "registry.example.com:99999/idsvr",
            "iam/idsvr",
        ] {
            assert_eq!(parse_plain(text), None, "{text}");
        }
    }

    #[test]
    fn a_location_has_no_tag_and_a_layout_reference_has_one() {
        assert!("registry.example.com/a:1".parse::<Location>().is_err());
        assert!("oci:a#1".parse::<Location>().is_err());
        assert!("oci:a".parse::<Reference>().is_err());
        assert!("oci:#1".parse::<Reference>().is_err());
        assert!("127.0.0.1:5000/a".parse::<Location>().expect("valid").is_loopback());
        assert!(
            "[::1]:5000/a".parse::<Location>().is_ok_and(|l| l.is_loopback())
                || "[::1]:5000/a".parse::<Location>().is_err()
        );
        assert!(
            !"registry.example.com/a"
                .parse::<Location>()
                .expect("valid")
                .is_loopback()
        );
    }
}
