//! Secrets from an env file that is not in git.

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

use super::{SecretError, SecretSource, Secrets};
use crate::diagnostic::{Code, Diagnostic, Source};
use crate::values::parse_secret_env;

/// A file of `NAME=value` lines, as [`parse_secret_env`] reads them.
pub struct FileSource {
    path: Utf8PathBuf,
    shown: Utf8PathBuf,
}

impl FileSource {
    /// Larger files are refused, in bytes.
    pub const LARGEST: u64 = 4 * 1024 * 1024;

    /// A file, seen from the project's root.
    pub fn new(root: &Utf8Path, path: &Utf8Path) -> Self {
        Self {
            path: root.join(path),
            shown: path.to_owned(),
        }
    }

    /// The text, and whether everyone on the machine may read it.
    async fn text(&self) -> Result<(Zeroizing<String>, Exposure), SecretError> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => SecretError::Absent {
                source_name: self.name(),
            },
            _ => SecretError::Unreadable {
                source_name: self.name(),
                because: error.to_string(),
                help: None,
            },
        };
        let file = tokio::fs::File::open(&self.path).await.map_err(failed)?;
        let exposure = exposure(&file.metadata().await.map_err(failed)?);
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(Self::LARGEST + 1)
            .read_to_end(&mut bytes)
            .await
            .map_err(failed)?;
        if bytes.len() as u64 > Self::LARGEST {
            return Err(self.malformed(format!("it is larger than {} MiB", Self::LARGEST >> 20), Vec::new()));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| self.malformed("it is not UTF-8".to_owned(), Vec::new()))?;
        Ok((Zeroizing::new(text.to_owned()), exposure))
    }

    fn malformed(&self, because: String, diagnostics: Vec<Diagnostic>) -> SecretError {
        SecretError::Malformed {
            source_name: self.name(),
            because,
            diagnostics,
        }
    }
}

#[async_trait]
impl SecretSource for FileSource {
    fn name(&self) -> String {
        format!("file:{}", self.shown)
    }

    async fn read(&self) -> Result<Secrets, SecretError> {
        let (text, exposure) = self.text().await?;
        let (entries, diagnostics) = parse_secret_env(self.shown.as_str(), &text);
        if let Some(first) = diagnostics.iter().find(|diagnostic| diagnostic.is_error()) {
            let place = first
                .labels
                .first()
                .map(|label| format!("{}: ", label.span))
                .unwrap_or_default();
            return Err(self.malformed(format!("{place}{}", first.message), diagnostics));
        }
        let mut warnings = diagnostics;
        if exposure == Exposure::Everyone {
            let message = format!("everyone on this machine can read the secrets in `{}`", self.shown);
            // A place in an empty text: the file is named, no line of it shown.
            let place = Source::withheld(self.shown.clone(), "").span(0..0);
            let warning = Diagnostic::new(Code::SecretsExposed, message).at(place, "");
            warnings.push(warning.help(format!("run `chmod 600 {}`", self.shown)));
        }
        Ok(Secrets {
            values: entries.into_iter().map(|entry| (entry.name, entry.value)).collect(),
            warnings,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exposure {
    Few,
    Everyone,
}

#[cfg(unix)]
fn exposure(metadata: &std::fs::Metadata) -> Exposure {
    use std::os::unix::fs::PermissionsExt as _;
    // Pipes (`<(sops -d …)`) are not files that lie about.
    match metadata.is_file() && metadata.permissions().mode() & 0o004 != 0 {
        true => Exposure::Everyone,
        false => Exposure::Few,
    }
}

#[cfg(not(unix))]
fn exposure(_: &std::fs::Metadata) -> Exposure {
    Exposure::Few
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(bytes: &[u8], mode: u32) -> Self {
            let folder = Self(tempfile::tempdir().expect("folder"));
            let path = folder.0.path().join("s.env");
            std::fs::write(&path, bytes).expect("file");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
            }
            folder
        }

        async fn read(&self, file: &str) -> Result<Secrets, SecretError> {
            let root = Utf8Path::from_path(self.0.path()).expect("UTF-8");
            FileSource::new(root, Utf8Path::new(file)).read().await
        }
    }

    #[tokio::test]
    async fn reads_an_env_file() {
        let secrets = Folder::with(b"export X='hunter2'\nY=b\n", 0o600)
            .read("s.env")
            .await
            .expect("secrets");
        let read: Vec<_> = secrets
            .values
            .iter()
            .map(|(name, text)| (name.as_str(), text.expose_secret()))
            .collect();
        assert_eq!(read, [("X", "hunter2"), ("Y", "b")]);
        assert_eq!(secrets.warnings, []);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_for_everyone_is_told() {
        let secrets = Folder::with(b"X=a", 0o644).read("s.env").await.expect("secrets");
        assert_eq!(secrets.warnings[0].code, Code::SecretsExposed);
        assert_eq!(secrets.warnings[0].help, ["run `chmod 600 s.env`"]);
    }

    #[tokio::test]
    async fn refusals_name_the_source_and_show_nothing_of_it() {
        let absent = Folder::with(b"", 0o600).read("none.env").await.expect_err("absent");
        assert!(absent.to_string().contains("`file:none.env`: no such file") && absent.is_input());
        let folder = Folder::with(b"", 0o600).read(".").await.expect_err("a folder");
        assert!(!folder.is_input(), "{folder}");
        let large = vec![b'#'; FileSource::LARGEST as usize + 1];
        for (bytes, part) in [
            (b"A=1\nX='hunter2".as_slice(), "s.env:2:1: a quote"),
            (b"X=hunter2\nX=hunter3", "two values"),
            (b"X=hunter2\xff", "UTF-8"),
            (&large, "4 MiB"),
        ] {
            let error = Folder::with(bytes, 0o600).read("s.env").await.expect_err(part);
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.is_input());
            assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
        }
    }
}
