//! Remembers which blobs this program has put into a repository, so that none goes twice, least of all at one time.
//!
//! It spares requests (every record needs the empty blob), and docker-registry on a file system needs it: while a blob
//! is uploaded again, it answers that the blob is not there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::image::Digest;

/// One entry for each blob; whoever uploads it holds the lock, and the others wait.
#[derive(Default)]
pub(super) struct Present(Mutex<HashMap<(String, Digest), Slot>>);

/// Whether a blob is there.
pub(super) type Slot = Arc<tokio::sync::Mutex<bool>>;

impl Present {
    pub(super) fn slot(&self, repository: &str, digest: Digest) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry((repository.to_owned(), digest)).or_default())
    }

    /// Whether this program has put all of them there.
    pub(super) fn has_all(&self, repository: &str, digests: &[Digest]) -> bool {
        let is_there = |digest: &Digest| self.slot(repository, *digest).try_lock().is_ok_and(|there| *there);
        !digests.is_empty() && digests.iter().all(is_there)
    }

    /// The registry says that it has them no longer.
    pub(super) fn forget(&self, repository: &str, digests: &[Digest]) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for digest in digests {
            slots.remove(&(repository.to_owned(), *digest));
        }
    }
}
