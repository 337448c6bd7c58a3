//! What is said about a Vault, by the project and by the environment, made usable.

use std::ffi::OsString;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use secrecy::SecretString;
use url::Url;
use zeroize::Zeroizing;

use super::VaultError;
use crate::project::{TextSource, VaultLogin, VaultSettings};

/// The largest file with a token or an id in it.
const MAX_TOKEN_FILE: usize = 64 << 10;

/// How a Vault is spoken to.
pub(super) struct Connection {
    /// Ends with a slash.
    pub(super) address: Url,
    pub(super) namespace: Option<String>,
    pub(super) ca: Option<Vec<u8>>,
    pub(super) login: Login,
    pub(super) patience: Patience,
}

/// Who logs in.
pub(super) enum Login {
    /// Nobody: an agent in between does.
    Agent,
    Token(SecretString),
    /// `auth/MOUNT/login` with these fields.
    Method {
        mount: String,
        fields: Vec<(&'static str, SecretString)>,
    },
}

/// How often a request is tried, and how long one may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) tries: usize,
    pub(super) first_wait: Duration,
    pub(super) longest_wait: Duration,
    /// From the first byte sent to the last one received.
    pub(super) request: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 3,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(10),
            request: Duration::from_secs(10),
        }
    }
}

impl Connection {
    pub(super) fn read(
        settings: &VaultSettings,
        root: &Utf8Path,
        variables: &[(OsString, OsString)],
    ) -> Result<Self, VaultError> {
        let reader = Reader { root, variables };
        let address = address(settings, &reader)?;
        let ca = settings.ca.clone().map(|path| root.join(path));
        let ca = match ca.or_else(|| reader.either("CACERT").map(|(_, path)| Utf8PathBuf::from(path))) {
            Some(path) => Some(std::fs::read(&path).map_err(|error| {
                problem(
                    format!("Vault's CA `{path}` can't be read: {error}"),
                    "see `ca` under `[vault]`, or `VAULT_CACERT`",
                )
            })?),
            None => None,
        };
        Ok(Self {
            namespace: settings.namespace.clone().or_else(|| {
                let namespace = reader.either("NAMESPACE")?.1;
                Some(namespace.trim_matches('/').to_owned()).filter(|namespace| !namespace.is_empty())
            }),
            ca,
            login: login(&settings.login, &reader, &address, settings.address.is_some())?,
            patience: patience(&reader)?,
            address,
        })
    }
}

fn problem(because: impl Into<String>, help: impl Into<String>) -> VaultError {
    VaultError::Settings {
        because: because.into(),
        help: Some(help.into()),
    }
}

fn address(settings: &VaultSettings, reader: &Reader<'_>) -> Result<Url, VaultError> {
    const HELP: &str = "set `address = \"https://vault.example.com:8200\"` under `[vault]`, or `VAULT_ADDR`";
    let said = settings.address.clone().map(|text| ("address".to_owned(), text));
    let (name, text) = said
        .or_else(|| reader.either("ADDR"))
        .ok_or_else(|| problem("it is not said where Vault is", HELP))?;
    let url: Url = text
        .parse()
        .ok()
        .filter(|url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty())
        .ok_or_else(|| problem(format!("`{name}` is not the address of a Vault"), HELP))?;
    if url.scheme() == "http" && !settings.insecure && !is_loopback(&url) {
        return Err(problem(
            format!("`{name}` is not https: whoever listens would read the secrets"),
            "use https, or set `insecure = true` under `[vault]` where the network is trusted",
        ));
    }
    Ok(whole(url))
}

/// As it is spoken to: it ends with a slash.
fn whole(mut url: Url) -> Url {
    url.set_query(None);
    url.set_fragment(None);
    // Some write the address with the API's version.
    let path = url.path().trim_end_matches('/');
    let path = format!("{}/", path.strip_suffix("/v1").unwrap_or(path));
    url.set_path(&path);
    url
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// `is_own`: the project says the address.
fn login(login: &VaultLogin, reader: &Reader<'_>, address: &Url, is_own: bool) -> Result<Login, VaultError> {
    match login {
        VaultLogin::Agent => Ok(Login::Agent),
        VaultLogin::Token => reader.usual_token(address, is_own).map(Login::Token),
        VaultLogin::TokenFrom(source) => reader.text(source, "Vault's token").map(Login::Token),
        VaultLogin::AppRole {
            mount,
            role_id,
            secret_id,
        } => Ok(Login::Method {
            mount: mount.clone(),
            fields: vec![
                ("role_id", reader.text(role_id, "the role id")?),
                ("secret_id", reader.text(secret_id, "the secret id")?),
            ],
        }),
        VaultLogin::Jwt { mount, role, token } => {
            let mut fields = vec![("jwt", reader.text(token, "the token to log in with")?)];
            fields.extend(role.clone().map(|role| ("role", role.into())));
            Ok(Login::Method {
                mount: mount.clone(),
                fields,
            })
        }
    }
}

/// `VAULT_CLIENT_TIMEOUT` (seconds, or with a unit) and `VAULT_MAX_RETRIES`, as Vault's own programs read them.
fn patience(reader: &Reader<'_>) -> Result<Patience, VaultError> {
    let mut patience = Patience::default();
    if let Some((name, text)) = reader.either("CLIENT_TIMEOUT") {
        patience.request = seconds(&text).ok_or_else(|| {
            problem(
                format!("`{name}` is no time"),
                "write seconds from 1 to 600, `30` or `30s`",
            )
        })?;
    }
    if let Some((name, text)) = reader.either("MAX_RETRIES") {
        let retries = text.parse::<usize>().ok().filter(|retries| *retries <= 20);
        patience.tries =
            1 + retries.ok_or_else(|| problem(format!("`{name}` is no number of tries"), "write 0 to 20"))?;
    }
    Ok(patience)
}

fn seconds(text: &str) -> Option<Duration> {
    let (number, unit) = match text.trim().strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (text.trim().trim_end_matches('s'), 1),
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (1..=600).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// How the variables of one program begin; the first one that says something counts.
const FAMILIES: [&str; 2] = ["VAULT", "BAO"];

struct Reader<'a> {
    root: &'a Utf8Path,
    variables: &'a [(OsString, OsString)],
}

impl Reader<'_> {
    /// A variable that is set and not empty.
    fn variable(&self, name: &str) -> Option<&str> {
        let (_, value) = self.variables.iter().find(|(known, _)| known == name)?;
        value.to_str().filter(|text| !text.is_empty())
    }

    /// `VAULT_X`, else `BAO_X`; with the name that was found.
    fn either(&self, name: &str) -> Option<(String, String)> {
        FAMILIES.iter().find_map(|prefix| {
            let name = format!("{prefix}_{name}");
            let text = self.variable(&name)?.to_owned();
            Some((name, text))
        })
    }

    /// Whether a family of variables says that its Vault is this one; none where it says nothing.
    fn means(&self, family: &str, address: &Url) -> Option<bool> {
        let said = self.variable(&format!("{family}_ADDR"))?;
        Some(said.parse().is_ok_and(|url| whole(url) == *address))
    }

    /// The user's own token, where it belongs: it goes to no other Vault than the one that the same variables name.
    fn usual_token(&self, address: &Url, is_own: bool) -> Result<SecretString, VaultError> {
        let said = FAMILIES.map(|family| self.means(family, address));
        let names_other = said.contains(&Some(false)) && !said.contains(&Some(true));
        let elsewhere = |what: &str| {
            problem(
                format!("{what} is not for the Vault at `{address}`: the address that belongs to it is another one"),
                "set `VAULT_ADDR` and `VAULT_TOKEN` together, or name another `login` under `[vault]`",
            )
        };
        let mut refused = None;
        for (family, said) in FAMILIES.iter().zip(said) {
            let name = format!("{family}_TOKEN");
            let Some(token) = self.variable(&name) else { continue };
            if said.unwrap_or(is_own && !names_other) {
                return Ok(token.trim().into());
            }
            refused = refused.or(Some(name));
        }
        if let Some(name) = refused {
            return Err(elsewhere(&format!("`{name}`")));
        }
        let missing = || {
            problem(
                "there is no token for Vault",
                "run `vault login`, set `VAULT_TOKEN`, or name another `login` under `[vault]`",
            )
        };
        let path = Utf8PathBuf::from(self.variable("HOME").ok_or_else(missing)?).join(".vault-token");
        match path.exists() {
            true if names_other => Err(elsewhere("`~/.vault-token`")),
            true => file(&path, "Vault's token"),
            false => Err(missing()),
        }
    }

    fn text(&self, source: &TextSource, what: &str) -> Result<SecretString, VaultError> {
        match source {
            TextSource::Literal(text) => Ok(text.as_str().into()),
            TextSource::Variable(name) => self.variable(name).map(|text| text.trim().into()).ok_or_else(|| {
                problem(
                    format!("{what} should be in `{name}`, and that is not set"),
                    "see `login` under `[vault]`",
                )
            }),
            TextSource::File(path) => file(&self.root.join(path), what),
        }
    }
}

fn file(path: &Utf8Path, what: &str) -> Result<SecretString, VaultError> {
    use std::io::Read as _;
    let unreadable = |why: String| {
        problem(
            format!("{what} can't be read from `{path}`: {why}"),
            "see `login` under `[vault]`",
        )
    };
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_TOKEN_FILE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(error.to_string()))?;
    let text = std::str::from_utf8(&bytes).ok().map(str::trim);
    match text.filter(|text| !text.is_empty() && text.len() <= MAX_TOKEN_FILE) {
        Some(text) => Ok(text.into()),
        None => Err(unreadable("it holds no token".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read(settings: &VaultSettings, variables: &[(&str, &str)], root: &str) -> Result<Connection, VaultError> {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, text)| (name.into(), text.into()))
            .collect();
        Connection::read(settings, Utf8Path::new(root), &variables)
    }

    fn token(connection: &Connection) -> String {
        match &connection.login {
            Login::Token(token) => token.expose_secret().to_owned(),
            _ => panic!("no token"),
        }
    }

    #[test]
    fn the_project_wins_over_vaults_variables_and_those_over_openbaos() {
        let mut settings = VaultSettings::default();
        let variables = [
            ("BAO_ADDR", "http://127.0.0.1:2/"),
            ("BAO_TOKEN", "b"),
            ("BAO_NAMESPACE", "/ns/"),
            ("VAULT_CLIENT_TIMEOUT", "2m"),
            ("VAULT_MAX_RETRIES", "0"),
        ];
        let connection = read(&settings, &variables, ".").expect("settings");
        assert_eq!(connection.address.as_str(), "http://127.0.0.1:2/");
        assert_eq!(
            (token(&connection).as_str(), connection.namespace.as_deref()),
            ("b", Some("ns"))
        );
        assert_eq!(
            (connection.patience.request.as_secs(), connection.patience.tries),
            (120, 1)
        );
        let more = [
            &variables[..],
            &[("VAULT_ADDR", "https://v.example.com/x/v1"), ("VAULT_TOKEN", " t\n")],
        ]
        .concat();
        let connection = read(&settings, &more, ".").expect("settings");
        assert_eq!(connection.address.as_str(), "https://v.example.com/x/");
        assert_eq!(token(&connection), "t");
        settings.address = Some("https://own.example.com".to_owned());
        settings.namespace = Some("own".to_owned());
        let connection = read(&settings, &[("VAULT_TOKEN", "t"), ("VAULT_NAMESPACE", "x")], ".").expect("settings");
        assert_eq!(connection.address.as_str(), "https://own.example.com/");
        assert_eq!(connection.namespace.as_deref(), Some("own"));
    }

    #[test]
    fn a_token_goes_only_where_it_is_said_to_belong() {
        let home = tempfile::tempdir().expect("a folder");
        let home = home.path().to_str().expect("UTF-8");
        std::fs::write(format!("{home}/.vault-token"), "from-home").expect("written");
        let (a, b) = ("https://a.example.com", "https://b.example.com");
        let own = VaultSettings {
            address: Some("https://a.example.com/v1/".to_owned()),
            ..VaultSettings::default()
        };
        let ambient = VaultSettings::default();
        let none = Err("a.example.com");
        for (settings, variables, expected) in [
            // The address of one family and the token of the other.
            (&ambient, &[("VAULT_ADDR", a), ("BAO_TOKEN", "bao")][..], none),
            (&ambient, &[("BAO_ADDR", a), ("VAULT_TOKEN", "vault")], none),
            (
                &ambient,
                &[("VAULT_ADDR", a), ("BAO_ADDR", b), ("BAO_TOKEN", "bao")],
                none,
            ),
            (
                &ambient,
                &[("VAULT_ADDR", a), ("BAO_ADDR", a), ("BAO_TOKEN", "bao")],
                Ok("bao"),
            ),
            (&ambient, &[("VAULT_ADDR", a), ("HOME", home)], Ok("from-home")),
            // A token that belongs elsewhere is told, not passed over for another one.
            (
                &ambient,
                &[("VAULT_ADDR", a), ("BAO_TOKEN", "bao"), ("HOME", home)],
                none,
            ),
            // The project's own address, and where the user's token belongs.
            (&own, &[("VAULT_TOKEN", "vault")], Ok("vault")),
            (&own, &[("VAULT_ADDR", a), ("VAULT_TOKEN", "vault")], Ok("vault")),
            (&own, &[("VAULT_ADDR", b), ("VAULT_TOKEN", "vault")], none),
            (&own, &[("VAULT_ADDR", b), ("BAO_TOKEN", "bao")], none),
            (
                &own,
                &[
                    ("VAULT_ADDR", b),
                    ("VAULT_TOKEN", "v"),
                    ("BAO_ADDR", a),
                    ("BAO_TOKEN", "bao"),
                ],
                Ok("bao"),
            ),
            (&own, &[("HOME", home)], Ok("from-home")),
            (&own, &[("VAULT_ADDR", a), ("HOME", home)], Ok("from-home")),
            (&own, &[("VAULT_ADDR", b), ("HOME", home)], none),
        ] {
            let found = read(settings, variables, ".");
            match (expected, found) {
                (Ok(expected), Ok(connection)) => assert_eq!(token(&connection), expected, "{variables:?}"),
                (Err(address), Err(error)) => {
                    assert!(
                        error.is_input() && error.to_string().contains(address),
                        "{variables:?}: {error}"
                    );
                    assert!(!error.to_string().contains("from-home"), "{error}");
                }
                (expected, found) => panic!("{variables:?}: {expected:?} and {:?}", found.err()),
            }
        }
    }

    #[test]
    fn a_token_may_lie_where_vault_login_puts_it() {
        let home = tempfile::tempdir().expect("a folder");
        let home = home.path().to_str().expect("UTF-8");
        let variables = [("VAULT_ADDR", "https://v"), ("HOME", home)];
        let error = read(&VaultSettings::default(), &variables, ".")
            .err()
            .expect("no token");
        assert!(error.is_input() && error.help().is_some_and(|help| help.contains("vault login")));
        std::fs::write(format!("{home}/.vault-token"), "hvs.x\n").expect("written");
        assert_eq!(
            token(&read(&VaultSettings::default(), &variables, ".").expect("settings")),
            "hvs.x"
        );
    }

    #[test]
    fn what_can_not_be_used_is_told_and_holds_no_secret() {
        let settings = VaultSettings::default();
        for (variables, part) in [
            (&[][..], "not said where"),
            (&[("VAULT_ADDR", "vault:8200")], "`VAULT_ADDR` is not the address"),
            (&[("VAULT_ADDR", "https://hunter2@vault")], "not the address"),
            (&[("BAO_ADDR", "http://vault:8200")], "not https"),
            (
                &[("VAULT_ADDR", "https://v"), ("VAULT_CACERT", "none.pem")],
                "`none.pem` can't be read",
            ),
            (
                &[
                    ("VAULT_ADDR", "https://v"),
                    ("VAULT_TOKEN", "t"),
                    ("VAULT_MAX_RETRIES", "-1"),
                ],
                "no number",
            ),
            (
                &[
                    ("VAULT_ADDR", "https://v"),
                    ("VAULT_TOKEN", "t"),
                    ("BAO_CLIENT_TIMEOUT", "0"),
                ],
                "no time",
            ),
        ] {
            let error = read(&settings, variables, ".").err().expect(part);
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.is_input() && error.help().is_some() && !format!("{error:?}").contains("hunter2"));
        }
        let insecure = VaultSettings {
            insecure: true,
            ..settings
        };
        assert!(read(&insecure, &[("BAO_ADDR", "http://vault:8200"), ("BAO_TOKEN", "t")], ".").is_ok());
    }

    #[test]
    fn logins_read_variables_and_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().to_str().expect("UTF-8");
        std::fs::write(format!("{root}/secret-id"), "s3\n").expect("written");
        let mut settings = VaultSettings {
            login: VaultLogin::AppRole {
                mount: "approle".to_owned(),
                role_id: TextSource::Variable("ROLE".to_owned()),
                secret_id: TextSource::File("secret-id".into()),
            },
            ..VaultSettings::default()
        };
        let variables = [("VAULT_ADDR", "https://v"), ("ROLE", "r1")];
        let Login::Method { mount, fields } = read(&settings, &variables, root).expect("settings").login else {
            panic!("a method");
        };
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, text)| (*name, text.expose_secret()))
            .collect();
        assert_eq!(
            (mount.as_str(), &fields[..]),
            ("approle", &[("role_id", "r1"), ("secret_id", "s3")][..])
        );
        let error = read(&settings, &variables[..1], root).err().expect("no role");
        assert!(error.to_string().contains("`ROLE`"), "{error}");
        settings.login = VaultLogin::TokenFrom(TextSource::File("none".into()));
        let error = read(&settings, &variables, root).err().expect("no file");
        assert!(error.to_string().contains("can't be read from"), "{error}");
    }
}
