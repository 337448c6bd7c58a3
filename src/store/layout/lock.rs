//! The lock under which `index.json` is changed: the file and the kind of lock that BuildKit uses, too.

use std::io;
use std::time::Duration;

use camino::Utf8Path;
use fs_err as fs;

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(1);

/// Held until dropped, or until the process ends.
pub(super) struct Lock {
    _file: fs::File,
}

impl Lock {
    /// Its name in the layout's folder.
    pub(super) const FILE: &str = "index.json.lock";

    /// Waits for the lock, but not for ever: another process may be stuck.
    pub(super) fn take(path: &Utf8Path) -> io::Result<Self> {
        let mut waited = Duration::ZERO;
        loop {
            let file = fs::OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(false)
                .open(path)?;
            match file.file().try_lock() {
                Ok(()) if still_named(&file, path)? => return Ok(Self { _file: file }),
                // BuildKit removes the file when it is done: this lock is on one that nobody else will find.
                Ok(()) => continue,
                Err(std::fs::TryLockError::WouldBlock) => {}
                Err(std::fs::TryLockError::Error(error)) => return Err(error),
            }
            if waited >= PATIENCE {
                let text = format!("`{path}` has been locked by another process for over a minute");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            std::thread::sleep(PAUSE);
            waited += PAUSE;
        }
    }
}

#[cfg(unix)]
fn still_named(file: &fs::File, path: &Utf8Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let held = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok(held.dev() == named.dev() && held.ino() == named.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn still_named(_file: &fs::File, _path: &Utf8Path) -> io::Result<bool> {
    Ok(true)
}
