//! How to copy, and who is told about it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::image::{Descriptor, Digest};

/// How to copy.
#[derive(Clone)]
pub struct CopyOptions {
    /// How many requests and blobs at a time.
    pub parallel: usize,
    /// Blobs that were made just now: no other repository has them, so none is asked for them.
    pub fresh: HashSet<Digest>,
    /// Who is told how far it is.
    pub progress: Arc<dyn CopyProgress>,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            parallel: 8,
            fresh: HashSet::new(),
            progress: Arc::new(Quiet),
        }
    }
}

/// Is told how far a copy is; called from many places at a time.
pub trait CopyProgress: Send + Sync {
    /// So many more blobs with so many bytes will be moved.
    fn planned(&self, _blobs: usize, _bytes: u64) {}

    /// So many more bytes have been read.
    fn advanced(&self, _bytes: u64) {}

    /// A blob is read from its beginning again: so many bytes, said before, don't count.
    fn restarted(&self, _bytes: u64) {}

    /// A blob is in the target.
    fn finished(&self, _blob: &Descriptor, _how: Arrival) {}
}

/// How a blob got into the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Its bytes were read from the source.
    Moved,
    /// The target took it over from another place that it holds.
    Mounted,
}

struct Quiet;

impl CopyProgress for Quiet {}
