//! `[vault]`: where Vault or OpenBao is, and how the program logs in there.
//!
//! What is not said here comes from the variables that Vault's own command line reads.

use camino::{Utf8Path, Utf8PathBuf};

use super::PROJECT_FILE;
use super::load::LARGEST_TEXT;
use super::paths;
use super::read::{Problems, Table, Value};
use super::signing::is_variable;
use crate::diagnostic::{Diagnostic, Source};

/// Where Vault or OpenBao is, and how the program logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultSettings {
    /// `address`, else `VAULT_ADDR` or `BAO_ADDR`: `https://vault.example.com:8200`.
    pub address: Option<String>,
    /// `namespace`, else `VAULT_NAMESPACE` or `BAO_NAMESPACE`.
    pub namespace: Option<String>,
    /// `ca`: a PEM file of further roots, seen from the root; else `VAULT_CACERT` or `BAO_CACERT`.
    pub ca: Option<Utf8PathBuf>,
    /// `insecure`: http also to an address that is not on this machine.
    pub insecure: bool,
    /// `login`
    pub login: VaultLogin,
}

/// Ways to log in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VaultLogin {
    /// The token in `token`, else in `VAULT_TOKEN`, `BAO_TOKEN`, else in `~/.vault-token`.
    #[default]
    Token,
    /// A token from a variable or a file that the project names.
    TokenFrom(TextSource),
    /// A Vault Agent or Proxy adds a token of its own; none is sent.
    Agent,
    /// A role id and a secret id.
    AppRole {
        /// Where the method is mounted.
        mount: String,
        /// The role id: no secret by itself.
        role_id: TextSource,
        /// The secret id.
        secret_id: TextSource,
    },
    /// A token that somebody else signed: a CI's OIDC token (`jwt`), a pod's service account token (`kubernetes`).
    Jwt {
        /// Where the method is mounted.
        mount: String,
        /// The role; without one the mount's default.
        role: Option<String>,
        /// The token.
        token: TextSource,
    },
}

/// Where a text is that does not belong into the project file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextSource {
    /// As it stands: for what is no secret.
    Literal(String),
    /// `env:NAME`
    Variable(String),
    /// `file:PATH`, absolute or seen from the root.
    File(Utf8PathBuf),
}

impl VaultSettings {
    /// Reads only `[vault]` of `root/iamship.toml`: for a project that is not whole yet. Without a file all is default.
    ///
    /// # Errors
    /// What is wrong in that table, or that the file is not TOML.
    pub fn load(root: &Utf8Path) -> Result<Self, Vec<Diagnostic>> {
        let Ok(text) = paths::read_text(&root.join(PROJECT_FILE), LARGEST_TEXT) else {
            return Ok(Self::default());
        };
        let problems = Problems::new(Source::new(PROJECT_FILE, text));
        let source = problems.source().clone();
        let settings = problems
            .parse(source.text())
            .map(|document| read(&Table::root(&problems, &document)));
        let found = problems.into_sorted();
        match settings {
            Some(settings) if found.is_empty() => Ok(settings),
            _ => Err(found),
        }
    }
}

pub(super) fn read(file: &Table<'_>) -> VaultSettings {
    let table = file.table("vault", "`[vault]`");
    let settings = VaultSettings {
        address: table.get("address").and_then(|value| address(&value)),
        namespace: table.get("namespace").and_then(|value| segments(&value)),
        ca: table.get("ca").and_then(|value| value.text()).map(Utf8PathBuf::from),
        insecure: table.get("insecure").and_then(|value| value.flag()).unwrap_or_default(),
        login: table.get("login").and_then(|value| login(&value)).unwrap_or_default(),
    };
    table.finish();
    settings
}

fn address(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let sound = url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty() && url.query().is_none()
    });
    match sound {
        true => Some(text.to_owned()),
        false => value.refuse(
            format!("`{text}` is not the address of a Vault"),
            "write it with its scheme: `address = \"https://vault.example.com:8200\"`".to_owned(),
        ),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Token,
    Agent,
    AppRole,
    Kubernetes,
    Jwt,
}

const METHODS: [(&str, Method); 5] = [
    ("token", Method::Token),
    ("approle", Method::AppRole),
    ("kubernetes", Method::Kubernetes),
    ("jwt", Method::Jwt),
    ("agent", Method::Agent),
];

/// Kubernetes puts it there in every pod.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// `login = "token"`, or a table `[vault.login]`.
fn login(value: &Value<'_>) -> Option<VaultLogin> {
    if !value.is_table() {
        return match value.choice(&METHODS)? {
            Method::Token => Some(VaultLogin::Token),
            Method::Agent => Some(VaultLogin::Agent),
            Method::AppRole => Some(app_role("approle".to_owned(), None, None)),
            Method::Kubernetes | Method::Jwt => value.refuse(
                "this login needs a role".to_owned(),
                "write a table: `[vault.login]`, `method = \"jwt\"`, `role = \"iamship\"`, `token = \"env:ID_TOKEN\"`"
                    .to_owned(),
            ),
        };
    }
    let table = value.table("`[vault.login]`")?;
    let method = table
        .need("method", "\"approle\"")
        .and_then(|value| value.choice(&METHODS));
    let mount = table.get("mount").and_then(|value| segments(&value));
    let text = |key, secret| table.get(key).map(|value| text_source(&value, secret));
    let login = match method {
        None => {
            for key in ["role", "role-id", "secret-id", "token"] {
                table.get(key);
            }
            None
        }
        Some(Method::Agent) => Some(VaultLogin::Agent),
        Some(Method::Token) => match text("token", true) {
            None => Some(VaultLogin::Token),
            Some(token) => token.map(VaultLogin::TokenFrom),
        },
        Some(Method::AppRole) => {
            let (role_id, secret_id) = (text("role-id", false), text("secret-id", true));
            match (role_id, secret_id) {
                // What can't be read was told.
                (Some(None), _) | (_, Some(None)) => None,
                (role_id, secret_id) => Some(app_role(
                    mount.unwrap_or_else(|| "approle".to_owned()),
                    role_id.flatten(),
                    secret_id.flatten(),
                )),
            }
        }
        Some(Method::Kubernetes) => {
            let role = table.need("role", "\"iamship\"").and_then(|value| value.text());
            let token = text("token", true).unwrap_or_else(|| Some(TextSource::File(SERVICE_ACCOUNT.into())));
            token.map(|token| VaultLogin::Jwt {
                mount: mount.unwrap_or_else(|| "kubernetes".to_owned()),
                role: role.map(str::to_owned),
                token,
            })
        }
        Some(Method::Jwt) => {
            let role = table.get("role").and_then(|value| value.text());
            let token = table.need("token", "\"env:ID_TOKEN\"");
            let token = token.and_then(|value| text_source(&value, true));
            token.map(|token| VaultLogin::Jwt {
                mount: mount.unwrap_or_else(|| "jwt".to_owned()),
                role: role.map(str::to_owned),
                token,
            })
        }
    };
    table.finish();
    login
}

fn app_role(mount: String, role_id: Option<TextSource>, secret_id: Option<TextSource>) -> VaultLogin {
    let variable = |name: &str| TextSource::Variable(name.to_owned());
    VaultLogin::AppRole {
        mount,
        role_id: role_id.unwrap_or_else(|| variable("VAULT_ROLE_ID")),
        secret_id: secret_id.unwrap_or_else(|| variable("VAULT_SECRET_ID")),
    }
}

fn text_source(value: &Value<'_>, secret: bool) -> Option<TextSource> {
    let text = value.text()?;
    match text.split_once(':') {
        Some(("env", name)) if is_variable(name) => Some(TextSource::Variable(name.to_owned())),
        Some(("file", path)) if !path.is_empty() => Some(TextSource::File(path.into())),
        _ if !secret && !text.is_empty() => Some(TextSource::Literal(text.to_owned())),
        // The text may be the secret itself: it is not shown again.
        _ => value.refuse(
            "this says not where the secret is".to_owned(),
            "write `\"env:NAME\"` or `\"file:PATH\"`; the secret itself does not belong into the project file"
                .to_owned(),
        ),
    }
}

/// `team/iam`: what can stand in an address.
fn segments(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let trimmed = text.trim_matches('/');
    match is_path(trimmed) {
        true => Some(trimmed.to_owned()),
        false => value.refuse(format!("`{text}` can't be a path in Vault"), None),
    }
}

/// Whether a text is a path in Vault: segments that are neither empty nor lead upwards.
pub(super) fn is_path(text: &str) -> bool {
    let sound = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.contains(|c: char| c.is_control() || "?#\\".contains(c))
    };
    text.len() <= 1024 && text.split('/').all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Project;
    use crate::project::fixture::{Folder, MINIMAL};

    fn settings(table: &str) -> Result<VaultSettings, String> {
        let folder = Folder::new();
        folder.write("iamship.toml", &format!("{MINIMAL}\n{table}"));
        match Project::load(folder.path()) {
            Ok(project) => Ok(project.vault),
            Err(found) => Err(found
                .iter()
                .map(|found| found.message.clone())
                .collect::<Vec<_>>()
                .join("; ")),
        }
    }

    fn variable(name: &str) -> TextSource {
        TextSource::Variable(name.to_owned())
    }

    #[test]
    fn nothing_is_needed_and_everything_can_be_said() {
        assert_eq!(settings(""), Ok(VaultSettings::default()));
        let all = settings(
            "[vault]\naddress = \"https://vault.example.com:8200\"\nnamespace = \"team/iam/\"\nca = \"vault.pem\"\n\
             [vault.login]\nmethod = \"approle\"\nmount = \"ci\"\nrole-id = \"4f2a\"\nsecret-id = \"file:/run/secret-id\"",
        );
        let expected = VaultSettings {
            address: Some("https://vault.example.com:8200".to_owned()),
            namespace: Some("team/iam".to_owned()),
            ca: Some("vault.pem".into()),
            insecure: false,
            login: VaultLogin::AppRole {
                mount: "ci".to_owned(),
                role_id: TextSource::Literal("4f2a".to_owned()),
                secret_id: TextSource::File("/run/secret-id".into()),
            },
        };
        assert_eq!(all, Ok(expected));
    }

    #[test]
    fn each_login_has_defaults_that_are_usual() {
        let login = |text: &str| settings(&format!("[vault]\nlogin = {text}")).map(|settings| settings.login);
        assert_eq!(login("\"token\""), Ok(VaultLogin::Token));
        assert_eq!(login("\"agent\""), Ok(VaultLogin::Agent));
        let from = login("{ method = \"token\", token = \"env:T\" }");
        assert_eq!(from, Ok(VaultLogin::TokenFrom(variable("T"))));
        let expected = VaultLogin::AppRole {
            mount: "approle".to_owned(),
            role_id: variable("VAULT_ROLE_ID"),
            secret_id: variable("VAULT_SECRET_ID"),
        };
        assert_eq!(login("\"approle\""), Ok(expected));
        let expected = VaultLogin::Jwt {
            mount: "kubernetes".to_owned(),
            role: Some("r".to_owned()),
            token: TextSource::File(SERVICE_ACCOUNT.into()),
        };
        assert_eq!(login("{ method = \"kubernetes\", role = \"r\" }"), Ok(expected));
        let expected = VaultLogin::Jwt {
            mount: "gitlab".to_owned(),
            role: None,
            token: variable("ID_TOKEN"),
        };
        assert_eq!(
            login("{ method = \"jwt\", mount = \"gitlab\", token = \"env:ID_TOKEN\" }"),
            Ok(expected)
        );
    }

    #[test]
    fn refusals_tell_what_is_wrong_and_show_no_secret() {
        for (table, part) in [
            ("address = \"vault.example.com\"", "not the address"),
            ("address = \"https://user:hunter2@vault\"", "not the address"),
            ("address = \"ldap://vault\"", "not the address"),
            ("namespace = \"a/../b\"", "can't be a path"),
            ("login = \"jwt\"", "needs a role"),
            ("login = \"ldap\"", "can't be `ldap`"),
            ("login = { method = \"jwt\" }", "has no `token`"),
            ("login = { method = \"kubernetes\" }", "has no `role`"),
            ("login = { mount = \"x\", token = \"env:X\" }", "has no `method`"),
            (
                "login = { method = \"approle\", secret-id = \"hunter2\" }",
                "not where the secret is",
            ),
            (
                "login = { method = \"approle\", secretid = \"env:X\" }",
                "no key `secretid`",
            ),
            ("adress = \"https://vault\"", "no key `adress`"),
        ] {
            let told = settings(&format!("[vault]\n{table}")).expect_err(table);
            assert!(told.contains(part), "{table}: {told}");
        }
        let told = settings("[vault]\nlogin = { method = \"token\", token = \"hvs.hunter2\" }").expect_err("a token");
        assert!(!told.contains("hunter2"), "{told}");
    }

    #[test]
    fn the_table_alone_can_be_read_where_the_project_is_not_whole() {
        let folder = Folder::new();
        assert_eq!(VaultSettings::load(folder.path()), Ok(VaultSettings::default()));
        folder.write(
            "iamship.toml",
            "[signing]\ntrusted = [\"not-there.pub\"]\n[vault]\nnamespace = \"iam\"",
        );
        let settings = VaultSettings::load(folder.path()).expect("a table");
        assert_eq!(settings.namespace.as_deref(), Some("iam"));
        folder.write("iamship.toml", "[vault]\nspace = \"iam\"");
        assert!(VaultSettings::load(folder.path()).is_err());
    }
}
