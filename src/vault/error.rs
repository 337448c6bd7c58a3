//! Why Vault could not do it.

/// Why Vault could not do it. Holds no secret. "Vault" is OpenBao too: one API, and who asks knows which it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// It is not said where Vault is or who logs in, or what is said can't be used.
    #[error("{because}")]
    Settings {
        /// What is wrong.
        because: String,
        /// What to do.
        help: Option<String>,
    },
    /// Nobody answers.
    #[error("Vault at `{address}` does not answer: {because}")]
    Unreachable {
        /// Where.
        address: String,
        /// What was seen.
        because: String,
    },
    /// It answers that it can't.
    #[error("Vault at `{address}` has trouble of its own: {because}")]
    Troubled {
        /// Where.
        address: String,
        /// Its words, bounded, with the status.
        because: String,
    },
    /// It is sealed.
    #[error("Vault at `{address}` is sealed")]
    Sealed {
        /// Where.
        address: String,
    },
    /// It is a standby that nobody active answers for.
    #[error("Vault at `{address}` is a standby and no active node answers for it")]
    Standby {
        /// Where.
        address: String,
    },
    /// It sends us elsewhere.
    #[error("Vault at `{address}` sends us to `{target}`, which does not get the token")]
    Redirected {
        /// Where.
        address: String,
        /// The other host.
        target: String,
    },
    /// The login was refused.
    #[error("Vault refuses the login at `{path}`: {because}")]
    Login {
        /// `auth/approle/login`
        path: String,
        /// Its words.
        because: String,
    },
    /// The token is not allowed to.
    #[error("Vault denies `{path}`: the token's policy lacks `{capability}` there")]
    Denied {
        /// As policies name it: `secret/data/iam/staging`.
        path: String,
        /// As policies name it: `read`.
        capability: &'static str,
        /// What else it may be.
        help: Option<String>,
    },
    /// There is nothing.
    #[error("{what}")]
    NotFound {
        /// What is not there.
        what: String,
        /// What to do.
        help: Option<String>,
    },
    /// What is there is of no use.
    #[error("`{path}` {because}")]
    Unusable {
        /// The path.
        path: String,
        /// Why.
        because: String,
    },
    /// It answered with an error.
    #[error("Vault refused to {act}: {because}")]
    Refused {
        /// "read `secret/data/iam/staging`"
        act: String,
        /// Its words, bounded, with the status.
        because: String,
    },
    /// What came is no answer of a Vault.
    #[error("the answer of Vault at `{address}` makes no sense: {because}")]
    Malformed {
        /// Where.
        address: String,
        /// What is wrong with it.
        because: String,
    },
}

impl VaultError {
    /// Whether the project or the environment is to blame, and not the world.
    pub fn is_input(&self) -> bool {
        matches!(
            self,
            Self::Settings { .. } | Self::NotFound { .. } | Self::Unusable { .. }
        )
    }

    /// Whether nobody said how Vault is reached and logged in to from here. A login that is refused is another matter.
    pub fn is_no_access(&self) -> bool {
        matches!(self, Self::Settings { .. })
    }

    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Settings { help, .. } | Self::NotFound { help, .. } => help.clone(),
            Self::Unreachable { because, .. } if because.contains("certificate") => {
                Some("name your CA's PEM file: `ca` under `[vault]`, or `VAULT_CACERT`".to_owned())
            }
            Self::Unreachable { .. } => {
                Some("is it up? `address` under `[vault]`, or `VAULT_ADDR`, says where it is".to_owned())
            }
            Self::Sealed { .. } => Some("somebody has to unseal it: `vault operator unseal`".to_owned()),
            Self::Standby { .. } => Some("ask for the active node's address, or wait until one is elected".to_owned()),
            Self::Redirected { target, .. } => Some(format!(
                "if that is yours, set `address = \"{target}\"` under `[vault]`"
            )),
            Self::Login { .. } => Some("see `login` under `[vault]`, and what it reads".to_owned()),
            Self::Denied { help: Some(help), .. } => Some(help.clone()),
            Self::Denied { path, capability, .. } => Some(format!(
                "give it a policy with `path \"{path}\" {{ capabilities = [\"{capability}\"] }}`"
            )),
            Self::Troubled { .. } => Some("the same command again may do; else see its log".to_owned()),
            Self::Unusable { .. } | Self::Refused { .. } | Self::Malformed { .. } => None,
        }
    }
}
