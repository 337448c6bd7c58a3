//! What `iamship init` writes: a small project for one server that passes `check`.

/// One file of a starter project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StarterFile {
    /// Seen from the project's root.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
    /// Its permissions: secrets are their owner's alone.
    pub mode: u32,
}

/// Readable by all.
const PLAIN: u32 = 0o644;
/// Readable by the owner.
const PRIVATE: u32 = 0o600;

/// A file of `templates/starter/`, by server.
macro_rules! file {
    ($server:literal, $path:literal, $mode:ident) => {
        StarterFile {
            path: $path,
            text: include_str!(concat!("../../templates/starter/", $server, "/", $path)),
            mode: $mode,
        }
    };
}

/// The files of one server, with those that all servers share.
macro_rules! starter {
    ($server:literal: $($config:literal),+) => {
        &[
            file!($server, "iamship.toml", PLAIN),
            $(file!($server, $config, PLAIN),)+
            file!($server, "env/dev.env", PLAIN),
            file!($server, "env/staging.env", PLAIN),
            file!($server, "env/prod.env", PLAIN),
            file!($server, "secrets/dev.env", PRIVATE),
            file!($server, "secrets/staging.env", PRIVATE),
            file!($server, "secrets/prod.env", PRIVATE),
            StarterFile {
                path: ".gitignore",
                text: include_str!("../../templates/starter/gitignore"),
                mode: PLAIN,
            },
            StarterFile {
                path: "README.md",
                text: include_str!("../../templates/starter/README.md"),
                mode: PLAIN,
            },
        ]
    };
}

const CURITY: &[StarterFile] =
    starter!("curity": "config/environment.xml", "config/facilities.xml", "config/services.xml");
const KEYCLOAK: &[StarterFile] = starter!("keycloak": "config/shop-realm.json");
const GENERIC: &[StarterFile] = starter!("generic": "config/server.yaml");

/// The starter project of a built-in server, `iamship.toml` first.
///
/// # Errors
/// There is none for that name.
pub fn starter(server: &str) -> Result<Vec<StarterFile>, NoStarter> {
    let files = match server {
        "curity" => CURITY,
        "keycloak" => KEYCLOAK,
        "generic" => GENERIC,
        _ => return Err(NoStarter(server.to_owned())),
    };
    Ok(files.to_vec())
}

/// Where a pipeline of the starter project can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipeline {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
    /// Jenkins, a multibranch pipeline.
    Jenkins,
}

impl Pipeline {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Github, Self::Gitlab, Self::Jenkins];

    /// The file that its service reads.
    pub fn file(self) -> StarterFile {
        let (path, text) = match self {
            Self::Github => (
                ".github/workflows/iamship.yml",
                include_str!("../../templates/ci/github.yml"),
            ),
            Self::Gitlab => (".gitlab-ci.yml", include_str!("../../templates/ci/gitlab.yml")),
            Self::Jenkins => ("Jenkinsfile", include_str!("../../templates/ci/Jenkinsfile")),
        };
        StarterFile {
            path,
            text,
            mode: PLAIN,
        }
    }
}

/// A server that no starter project is for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no starter project for `{0}`, only for `curity`, `keycloak` and `generic`")]
pub struct NoStarter(pub String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::BUILT_IN;
    use crate::project::fixture::Folder;
    use crate::project::{Project, SecretReference};

    fn written(server: &str) -> Folder {
        let folder = Folder::new();
        for file in starter(server).expect(server) {
            folder.write(file.path, file.text);
        }
        folder
    }

    /// Names in front of `=`.
    fn names(text: &str) -> Vec<&str> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.split_once('=').map(|(name, _)| name))
            .collect()
    }

    #[test]
    fn each_built_in_server_has_one_that_loads_and_gives_every_parameter() {
        for server in BUILT_IN {
            let folder = written(server);
            let project = Project::load(folder.path()).unwrap_or_else(|problems| panic!("{server}: {problems:#?}"));
            let texts = project
                .config_files()
                .unwrap_or_else(|problems| panic!("{server}: {problems:#?}"));
            let syntax = &project.server.placeholder;
            let mut asked = Vec::new();
            for source in &texts {
                for rest in source.text().split(&syntax.open).skip(1) {
                    let inside = rest.split(&syntax.close).next().unwrap_or_default();
                    if !inside.contains(":-") && inside.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') {
                        asked.push(inside.to_owned());
                    }
                }
            }
            asked.sort_unstable();
            asked.dedup();
            for stage in &project.stages {
                let SecretReference::File(secrets) = &stage.secrets[0] else {
                    panic!("a file");
                };
                let read = |path| std::fs::read_to_string(folder.path().join(path)).expect("there");
                let (values, secrets) = (read(&stage.values[0]), read(secrets));
                let mut given: Vec<_> = names(&values).into_iter().chain(names(&secrets)).collect();
                given.sort_unstable();
                assert_eq!(given, asked, "{server} {}", stage.name);
                let secret = |name: &str| {
                    let hint = project.server.names.iter().find(|hint| hint.fits_name(name));
                    hint.and_then(|hint| hint.secret)
                };
                assert!(names(&values).iter().all(|name| secret(name) != Some(true)), "{server}");
            }
        }
    }

    /// The pipelines give exactly the files that the starter keeps out of git, and name no stage that it lacks.
    #[test]
    fn pipelines_fit_the_starter() {
        let folder = written("curity");
        let project = Project::load(folder.path()).expect("loads");
        for pipeline in Pipeline::ALL {
            let StarterFile { path, text, .. } = pipeline.file();
            for stage in &project.stages {
                let SecretReference::File(secrets) = &stage.secrets[0] else {
                    panic!("a file");
                };
                assert!(text.contains(secrets.as_str()), "{path} gives {secrets}");
            }
            assert!(text.contains("keys/iamship.key"), "{path} gives the key");
            let commands = text
                .lines()
                .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("iamship "));
            let commands: Vec<Vec<&str>> = commands.map(|command| command.split(' ').collect()).collect();
            let promotes = |command: &Vec<&str>| command.starts_with(&["promote", "staging", "prod"]);
            assert!(commands.iter().any(promotes), "{path}");
            for command in commands {
                let stages: &[&str] = match command[0] {
                    "test" => &command[1..2],
                    "promote" => &command[1..3],
                    _ => &[],
                };
                assert!(
                    stages.iter().all(|stage| project.stage(stage).is_some()),
                    "{path}: {command:?}"
                );
            }
        }
    }

    /// An action is whatever its tag names today; only a commit stays what was read.
    #[test]
    fn actions_are_pinned_by_commit() {
        let text = Pipeline::Github.file().text;
        let uses = text.lines().filter_map(|line| line.split_once("uses: "));
        for (_, action) in uses {
            let commit = action
                .split_once('@')
                .expect("a version")
                .1
                .split(' ')
                .next()
                .expect("a word");
            assert!(
                commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()),
                "{action}"
            );
        }
    }

    #[test]
    fn secrets_are_private_and_ignored_by_git() {
        for server in BUILT_IN {
            let files = starter(server).expect(server);
            let ignored = files.iter().find(|file| file.path == ".gitignore").expect("there").text;
            assert!(ignored.lines().any(|line| line == "secrets/") && ignored.lines().any(|line| line == "keys/*.key"));
            for file in files {
                let private = file.path.starts_with("secrets/");
                assert_eq!(file.mode & 0o077 == 0, private, "{}", file.path);
            }
        }
        assert!(starter("nothing").is_err());
    }
}
