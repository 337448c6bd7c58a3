//! Finds the credential for a registry: given ones, Docker's `config.json`, podman's `auth.json`, their helpers.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use docker_credential::{CredentialRetrievalError as Problem, DockerCredential, get_credential_from_reader};
use secrecy::SecretString;

use super::envelope::one_line;
use super::options::Credentials;

/// A credential, and in which words to speak of it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) credential: Credential,
    /// "as user `ci` of /home/ci/.docker/config.json"; never the secret.
    pub(super) told: String,
}

/// What proves who we are.
#[derive(Clone, Debug)]
pub(super) enum Credential {
    /// Nothing.
    Anonymous,
    /// A user name and a password.
    Basic { username: String, password: SecretString },
    /// A refresh token for the token server.
    IdentityToken(SecretString),
}

/// The places where Docker and podman keep credentials, given a look at the process environment:
/// `REGISTRY_AUTH_FILE`, `DOCKER_CONFIG`/`HOME`, `XDG_RUNTIME_DIR`.
///
/// The best first. With `REGISTRY_AUTH_FILE` it is the only one, as for podman and skopeo.
pub fn docker_config_paths(environment: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(file) = set("REGISTRY_AUTH_FILE") {
        return vec![file];
    }
    let docker = set("DOCKER_CONFIG").or_else(|| set("HOME").map(|home| home.join(".docker")));
    let podman = set("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json"));
    let podman_home = set("HOME").map(|home| home.join(".config/containers/auth.json"));
    let docker = docker.map(|folder| folder.join("config.json"));
    [docker, podman, podman_home].into_iter().flatten().collect()
}

impl Credentials {
    /// The credential for a registry (`registry.example.com`). Reads files and may run a helper: blocking.
    ///
    /// An entry that is there and can't be used is an error: going on without it would only end in a puzzling refusal.
    pub(super) fn find(&self, registry: &str) -> Result<Found, String> {
        let mut searched = Vec::new();
        if let Some(found) = self.search(registry, &mut searched)? {
            return Ok(found);
        }
        let places = searched
            .iter()
            .map(|path| format!("`{}`", path.display()))
            .collect::<Vec<_>>();
        let told = match places.as_slice() {
            [] => "anonymously".to_owned(),
            places => format!(
                "anonymously: there is nothing for `{registry}` in {}",
                places.join(", ")
            ),
        };
        Ok(Found {
            credential: Credential::Anonymous,
            told,
        })
    }

    fn search(&self, registry: &str, searched: &mut Vec<PathBuf>) -> Result<Option<Found>, String> {
        match self {
            Self::Anonymous => Ok(None),
            Self::Basic {
                registry: Some(only), ..
            } if only != registry => Ok(None),
            Self::Basic { username, password, .. } => Ok(Some(Found {
                credential: Credential::Basic {
                    username: username.clone(),
                    password: password.clone(),
                },
                told: format!("as user `{username}` with the given password"),
            })),
            Self::FromDockerConfig { paths } => {
                for path in paths {
                    searched.push(path.clone());
                    if let Some(found) = in_docker_config(path, registry)? {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
            Self::FirstOf(several) => {
                for one in several {
                    if let Some(found) = one.search(registry, searched)? {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
        }
    }
}

fn in_docker_config(path: &Path, registry: &str) -> Result<Option<Found>, String> {
    let shown = path.display();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("the credentials in `{shown}` can't be read: {error}")),
    };
    // Docker files its own registry under the address of an older protocol.
    let key = match registry {
        "docker.io" | "index.docker.io" => "https://index.docker.io/v1/",
        other => other,
    };
    let found = match get_credential_from_reader(std::io::BufReader::new(file), key) {
        Ok(found) => found,
        Err(problem) if is_nothing(&problem) => return Ok(None),
        Err(problem) => return Err(explain(&problem, path, registry)),
    };
    Ok(Some(match found {
        // `docker login` to a registry without a user writes an empty pair.
        DockerCredential::UsernamePassword(username, _) if username.is_empty() => return Ok(None),
        DockerCredential::UsernamePassword(username, password) => Found {
            told: format!("as user `{username}` of `{shown}`"),
            credential: Credential::Basic {
                username,
                password: password.into(),
            },
        },
        DockerCredential::IdentityToken(token) => Found {
            told: format!("with the identity token of `{shown}`"),
            credential: Credential::IdentityToken(token.into()),
        },
    }))
}

fn is_nothing(problem: &Problem) -> bool {
    match problem {
        Problem::NoCredentialConfigured | Problem::ConfigNotFound => true,
        // What every helper of Docker's says, on stdout, when it has none for that registry.
        Problem::HelperFailure { stdout, stderr, .. } => {
            let says = |text: &str| text.contains("credentials not found in native keychain");
            says(stdout) || says(stderr)
        }
        _ => false,
    }
}

fn explain(problem: &Problem, path: &Path, registry: &str) -> String {
    let shown = path.display();
    match problem {
        // The helper's stdout may be half a credential: it is not repeated.
        Problem::HelperFailure { helper, stderr, .. } => {
            let says = one_line(stderr);
            format!("the helper `{helper}`, which `{shown}` names for `{registry}`, failed: {says}")
        }
        Problem::HelperCommunicationError => {
            format!("the credential helper that `{shown}` names for `{registry}` can't be run: is it in PATH?")
        }
        Problem::MalformedHelperResponse => {
            format!("the credential helper that `{shown}` names for `{registry}` gave no credential that can be read")
        }
        Problem::ConfigReadError => format!("`{shown}` is not a configuration file of Docker or podman"),
        _ => format!("the entry for `{registry}` in `{shown}` can't be read: log in again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> (tempfile::TempDir, Credentials) {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("config.json");
        std::fs::write(&path, text).expect("written");
        let missing = folder.path().join("none.json");
        let paths = vec![missing, path];
        (folder, Credentials::FromDockerConfig { paths })
    }

    #[test]
    fn an_entry_of_docker_s_file_is_found_by_host_and_its_password_never_shown() {
        // "ci:hunter2"
        let (_folder, credentials) =
            config(r#"{"auths":{"https://registry.example.com/v1/":{"auth":"Y2k6aHVudGVyMg=="}}}"#);
        let found = credentials.find("registry.example.com").expect("readable");
        assert!(matches!(&found.credential, Credential::Basic { username, .. } if username == "ci"));
        assert!(found.told.contains("as user `ci` of"), "{}", found.told);
        assert!(!format!("{found:?}").contains("hunter2"));
        let none = credentials.find("other.example.com").expect("readable");
        assert!(matches!(none.credential, Credential::Anonymous));
        assert!(none.told.contains("config.json"), "{}", none.told);
    }

    #[test]
    fn identity_tokens_docker_hub_and_broken_files() {
        let (_folder, hub) = config(r#"{"auths":{"https://index.docker.io/v1/":{"identitytoken":"t0k3n"}}}"#);
        let found = hub.find("docker.io").expect("readable");
        assert!(matches!(found.credential, Credential::IdentityToken(_)));
        assert!(!format!("{found:?}").contains("t0k3n"));
        let (_folder, broken) = config("{");
        assert!(broken.find("docker.io").expect_err("broken").contains("config.json"));
        let (_folder, helper) = config(r#"{"credHelpers":{"r.example.com":"does-not-exist-anywhere"}}"#);
        assert!(helper.find("r.example.com").expect_err("no helper").contains("PATH"));
        assert!(matches!(
            helper.find("other.example.com").expect("nothing").credential,
            Credential::Anonymous
        ));
    }

    #[test]
    fn a_given_password_goes_to_its_own_registry_only() {
        let (_folder, config) = config(r#"{"auths":{"base.example.com":{"auth":"Y2k6aHVudGVyMg=="}}}"#);
        let given = Credentials::Basic {
            username: "me".to_owned(),
            password: "secret".into(),
            registry: Some("own.example.com".to_owned()),
        };
        let both = Credentials::FirstOf(vec![given, config]);
        let name = |registry: &str| match both.find(registry).expect("readable").credential {
            Credential::Basic { username, .. } => username,
            _ => String::new(),
        };
        assert_eq!(name("own.example.com"), "me");
        assert_eq!(name("base.example.com"), "ci");
        assert_eq!(name("third.example.com"), "");
    }

    #[test]
    fn the_file_named_by_the_environment_is_the_only_one() {
        let all = |name: &str| Some(OsString::from(format!("/{name}")));
        assert_eq!(docker_config_paths(all), [PathBuf::from("/REGISTRY_AUTH_FILE")]);
        let home = |name: &str| (name == "HOME").then(|| OsString::from("/home/me"));
        assert_eq!(
            docker_config_paths(home),
            [
                PathBuf::from("/home/me/.docker/config.json"),
                PathBuf::from("/home/me/.config/containers/auth.json")
            ]
        );
        assert!(docker_config_paths(|_| None).is_empty());
    }
}
