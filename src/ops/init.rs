//! `init`: a starter project. Nothing is ever overwritten.

use camino::{Utf8Path, Utf8PathBuf};

use super::OpsError;
use super::files::{self, Readers};
use crate::diagnostic::nearest;
use crate::profile::BUILT_IN;
use crate::project::{NoStarter, PROJECT_FILE, Pipeline, StarterFile, starter};

/// What is written where.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder.
    pub folder: Utf8PathBuf,
    /// Its files.
    pub files: Vec<StarterFile>,
}

/// Decides; a folder that has one of the files already is left as it is. A folder that is a project gets the pipeline
/// alone, if one is asked for.
pub fn plan(folder: &Utf8Path, server: &str, pipeline: Option<Pipeline>) -> Result<Plan, OpsError> {
    if folder.is_file() {
        return Err(OpsError::input(format!("`{folder}` is a file, not a folder")));
    }
    let mut files = starter(server).map_err(|error| no_starter(server, &error))?;
    if pipeline.is_some() && folder.join(PROJECT_FILE).exists() {
        files.clear();
    }
    files.extend(pipeline.map(Pipeline::file));
    let mut paths = files.iter().map(|file| folder.join(file.path));
    if let Some(there) = paths.find(|path| path.exists()) {
        let there = there.strip_prefix(".").unwrap_or(&there);
        let failure = OpsError::input(format!("`{there}` is there already, and nothing is overwritten"));
        return Err(match there.ends_with(PROJECT_FILE) {
            true => failure.help("iamship init another-folder, or iamship check, to go on with this project"),
            false => failure.help("iamship init another-folder, or move the file out of the way"),
        });
    }
    Ok(Plan {
        folder: folder.to_owned(),
        files,
    })
}

fn no_starter(server: &str, error: &NoStarter) -> OpsError {
    let failure = OpsError::input(error.to_string());
    match nearest(server, BUILT_IN.iter().copied()) {
        Some(near) => failure.help(format!("iamship init --server {near}")),
        None => failure,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("shop");
        (folder, path)
    }

    #[test]
    fn nothing_is_overwritten() {
        let (_keeps, path) = folder();
        apply(&plan(&path, "curity", None).unwrap()).unwrap();
        assert!(matches!(plan(&path, "curity", None), Err(OpsError::Input { .. })));
        let file = path.join("README.md");
        let OpsError::Input { message, .. } = plan(&file, "curity", None).unwrap_err() else {
            panic!("input");
        };
        assert!(message.ends_with("is a file, not a folder"));
    }

    #[test]
    fn a_project_that_is_there_gets_the_pipeline_alone_and_once() {
        let (_keeps, path) = folder();
        apply(&plan(&path, "curity", None).unwrap()).unwrap();
        for (pipeline, file) in [
            (Pipeline::Github, ".github/workflows/iamship.yml"),
            (Pipeline::Gitlab, ".gitlab-ci.yml"),
            (Pipeline::Jenkins, "Jenkinsfile"),
        ] {
            let plan_ = plan(&path, "curity", Some(pipeline)).unwrap();
            assert_eq!(plan_.files.iter().map(|file| file.path).collect::<Vec<_>>(), [file]);
            apply(&plan_).unwrap();
            assert!(path.join(file).exists());
            assert!(plan(&path, "curity", Some(pipeline)).is_err());
        }
    }

    #[test]
    fn a_new_project_gets_both() {
        let (_keeps, path) = folder();
        let plan = plan(&path, "generic", Some(Pipeline::Gitlab)).unwrap();
        assert_eq!(plan.files[0].path, PROJECT_FILE);
        assert!(plan.files.iter().any(|file| file.path == ".gitlab-ci.yml"));
    }

    #[test]
    fn a_misspelt_server_is_suggested() {
        let (_keeps, path) = folder();
        let OpsError::Input { help, .. } = plan(&path, "keycloack", None).unwrap_err() else {
            panic!("input");
        };
        assert_eq!(help, ["iamship init --server keycloak"]);
    }
}
