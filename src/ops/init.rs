//! `init`: a starter project. Nothing is ever overwritten.

use camino::{Utf8Path, Utf8PathBuf};

use super::OpsError;
use super::files::{self, Readers};
use crate::project::{PROJECT_FILE, StarterFile, starter};

/// What is written where.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder.
    pub folder: Utf8PathBuf,
    /// Its files.
    pub files: Vec<StarterFile>,
}

/// Decides; a folder that has one of the files already is left as it is.
pub fn plan(folder: &Utf8Path, server: &str) -> Result<Plan, OpsError> {
    let files = starter(server).map_err(|error| OpsError::input(error.to_string()))?;
    let there: Vec<_> = files
        .iter()
        .map(|file| folder.join(file.path))
        .filter(|path| path.exists())
        .collect();
    if let Some(first) = there.first() {
        return Err(
            OpsError::input(format!("`{first}` is there already, and nothing is overwritten"))
                .help("iamship init another-folder"),
        );
    }
    Ok(Plan {
        folder: folder.to_owned(),
        files,
    })
}

/// Writes the files; `iamship.toml` comes last, so that a half-written folder is no project.
pub fn apply(plan: &Plan) -> Result<(), OpsError> {
    let is_project = |file: &&StarterFile| file.path == PROJECT_FILE;
    let others = plan.files.iter().filter(|file| !is_project(file));
    for file in others.chain(plan.files.iter().filter(is_project)) {
        let readers = match file.mode {
            0o600 => Readers::OwnerOnly,
            _ => Readers::Everyone,
        };
        files::write(&plan.folder.join(file.path), file.text.as_bytes(), readers)?;
    }
    Ok(())
}
