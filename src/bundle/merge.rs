//! The merge rule.

use super::problem::Problem;
use super::tree::{NodeId, Tree};
use crate::profile::ServerProfile;

pub(super) fn merge(tree: &mut Tree, profile: &ServerProfile) -> Vec<Problem> {
    let _ = profile;
    for file in 0..tree.files.len() {
        if !tree.documents[file].elements.is_empty() {
            tree.roots.push(NodeId {
                file: file as u32,
                index: 0,
            });
        }
    }
    Vec::new()
}
