//! Files that verbs write: whole or not at all, and never over what is there unless that is meant.

use std::io::Write as _;

use camino::Utf8Path;

/// Who may read a written file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Mode 0644.
    Everyone,
    /// Mode 0600.
    OwnerOnly,
}

/// Writes a new file beside its place, then renames it there: a crash leaves no half of it. One that is there already is
/// an error.
pub(crate) fn write(path: &Utf8Path, bytes: &[u8], readers: Readers) -> std::io::Result<()> {
    let named = |error: std::io::Error| std::io::Error::new(error.kind(), format!("{path}: {error}"));
    let file = beside(path, bytes, readers)?;
    file.persist_noclobber(path)
        .map(drop)
        .map_err(|error| named(error.error))
}

/// The same, over what is there.
pub(crate) fn replace(path: &Utf8Path, bytes: &[u8], readers: Readers) -> std::io::Result<()> {
    let named = |error: std::io::Error| std::io::Error::new(error.kind(), format!("{path}: {error}"));
    let file = beside(path, bytes, readers)?;
    file.persist(path).map(drop).map_err(|error| named(error.error))
}

fn beside(path: &Utf8Path, bytes: &[u8], readers: Readers) -> std::io::Result<tempfile::NamedTempFile> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_str().is_empty())
        .unwrap_or(Utf8Path::new("."));
    fs_err::create_dir_all(folder)?;
    let named = |error: std::io::Error| std::io::Error::new(error.kind(), format!("{path}: {error}"));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(named)?;
    set_mode(file.as_file(), readers).map_err(named)?;
    file.write_all(bytes).map_err(named)?;
    file.as_file().sync_all().map_err(named)?;
    Ok(file)
}

#[cfg(unix)]
fn set_mode(file: &std::fs::File, readers: Readers) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = match readers {
        Readers::Everyone => 0o644,
        Readers::OwnerOnly => 0o600,
    };
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_file: &std::fs::File, _readers: Readers) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("a/b");
        write(&path, b"1", Readers::OwnerOnly).unwrap();
        let error = write(&path, b"2", Readers::OwnerOnly).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"1");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
