//! Every code that a diagnostic can carry, each once.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a look; stops nothing.
    Warning,
    /// Stops a build and a promotion.
    Error,
}

impl Severity {
    /// The word in JSON and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Declares the codes: variant, name, severity, one-line summary.
macro_rules! codes {
    ($($variant:ident $name:literal $severity:ident $summary:literal;)*) => {
        /// Which rule or parser speaks; its name is stable, scripts filter by it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $summary] $variant,)*
        }

        impl Code {
            /// All codes, in the order of this table.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            /// The stable name, as in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How bad it is unless a project says otherwise.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// One line on what it means.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)* }
            }
        }
    };
}

codes! {
    // --- iamship.toml, profiles, lock (always exit 2)
    ProjectSyntax "project-syntax" Error "the project file is not TOML, or a value has the wrong type";
    ProjectUnknownKey "project-unknown-key" Error "a key that iamship does not know";
    ProjectInvalid "project-invalid" Error "a value that is well-formed but means nothing";
    ProjectMissing "project-missing" Error "something that the project file must say, or a file that it names";
    ProfileInvalid "profile-invalid" Error "a server profile that can't be used";
    LockInvalid "lock-invalid" Error "iamship.lock can't be read or belongs to another base";
    // --- reading the bundle
    FileUnreadable "file-unreadable" Error "a configuration file can't be read, or is not UTF-8";
    XmlMalformed "xml-malformed" Error "a configuration file is not well-formed XML";
    JsonMalformed "json-malformed" Error "a configuration file is not JSON, whatever the values are";
    YamlMalformed "yaml-malformed" Error "a configuration file is not YAML, whatever the values are";
    TomlMalformed "toml-malformed" Error "a configuration file is not TOML, whatever the values are";
    XmlDoctype "xml-doctype" Error "a DOCTYPE or an entity declaration, refused";
    XmlRoot "xml-root" Error "a root element that the server does not load";
    MergeConflict "merge-conflict" Error "one leaf has two values";
    DuplicateKey "duplicate-key" Error "one list entry stands twice in one file";
    PlaceholderUnclear "placeholder-unclear" Error "a placeholder whose meaning the server leaves undocumented";
    PlaceholderLookalike "placeholder-lookalike" Warning "looks like a placeholder of this server and is none";
    // --- values
    EnvSyntax "env-syntax" Error "a line of an env file that can't be read the same way by everyone";
    EnvDuplicate "env-duplicate" Error "one name has two values in one env file";
    ParameterMissing "parameter-missing" Error "a stage gives a parameter no value";
    ParameterEmpty "parameter-empty" Error "a stage gives a parameter an empty value";
    ParameterUnused "parameter-unused" Warning "a value that no placeholder asks for";
    ParameterMisspelt "parameter-misspelt" Error "a value whose name is nearly that of a missing parameter";
    ParameterDefaulted "parameter-defaulted" Warning "a stage relies on a default while others give a value";
    ParameterType "parameter-type" Error "a value is not of the parameter's type";
    SecretInValues "secret-in-values" Error "a secret stands in a plain values file";
    SecretLiteral "secret-literal" Error "a secret stands in the bundle";
    StageHost "stage-host" Error "a stage's value names another stage's host";
    StageLocalhost "stage-localhost" Warning "a stage's value names the local machine";
    StagePlainHttp "stage-plain-http" Warning "a stage's value is an `http://` address";
    OidcParameter "oidc-parameter" Error "`[oidc]` names a parameter that the configuration does not ask for";
    CertificateExpired "certificate-expired" Error "a certificate in a value or in the bundle is no longer valid";
    CertificateExpires "certificate-expires" Warning "a certificate in a value or in the bundle is valid for a few days only";
    CertificateNotYetValid "certificate-not-yet-valid" Error "a certificate in a value or in the bundle is not valid yet";
    KeyWeak "key-weak" Warning "a key or a signature that is too weak to rely on";
    KeyMismatch "key-mismatch" Error "a private key that does not belong to the certificate beside it";
    KeyShared "key-shared" Error "two stages have one private key";
    SecretShared "secret-shared" Warning "two stages have one secret";
    StageExampleDomain "stage-example-domain" Warning "a stage's value names a host that is only an example";
    SecretsUnreadable "secrets-unreadable" Error "a secret source can't be read";
    SecretsUnreachable "secrets-unreachable" Error "a secret source does not answer";
    SecretsName "secrets-name" Warning "a secret source holds a name that can't be a parameter's";
    SecretsExposed "secrets-exposed" Warning "everyone on the machine can read a file of secrets";
    // --- the tree
    ReferenceDangling "reference-dangling" Error "an id that nothing defines";
    DefinitionUnused "definition-unused" Warning "a definition that nothing names";
    HttpsWithoutKey "https-without-key" Error "a service speaks HTTPS and has no key";
    LiteralStageHost "literal-stage-host" Warning "a stage's host stands in the configuration, for all stages";
    // --- identity and access
    GrantImplicit "grant-implicit" Warning "a client may use the implicit grant";
    GrantPassword "grant-password" Warning "a client may use the password grant";
    ClientPublicWithoutPkce "client-public-without-pkce" Warning "a public client need not prove its key (PKCE)";
    RedirectWildcard "redirect-wildcard" Warning "a redirect URI has a wildcard";
    RedirectHttp "redirect-http" Warning "a redirect URI is `http://`";
    LifetimeRefreshLong "lifetime-refresh-long" Warning "a refresh token lives for more than 90 days";
    CorsWildcard "cors-wildcard" Warning "every site's scripts may call";
    DebugLogging "debug-logging" Warning "the last stage's log tells too much";
    FilledInvalid "filled-invalid" Error "the configuration is not valid once a stage's values are filled in";
    // --- what is allowed
    AllowUnused "allow-unused" Warning "something is allowed that no check finds";
    AllowInvalid "allow-invalid" Warning "an allowance without a reason, or of what can't be allowed";
    // --- what a build would bring
    BuildRejected "build-rejected" Error "the image was rejected, or its stage was rolled back from it";
}

impl Code {
    /// The code of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// Whether a project may allow a finding. Not what can't be read, what would fail at the first start, or what
    /// `[parameters]` says better.
    pub fn can_be_allowed(self) -> bool {
        let name = self.as_str();
        let unreadable = name.starts_with("project-") || name.ends_with("-malformed") || name.ends_with("-syntax");
        !unreadable
            && !matches!(
                self,
                Self::ProfileInvalid
                    | Self::LockInvalid
                    | Self::FileUnreadable
                    | Self::XmlDoctype
                    | Self::XmlRoot
                    | Self::MergeConflict
                    | Self::DuplicateKey
                    | Self::PlaceholderUnclear
                    | Self::EnvDuplicate
                    | Self::ParameterMissing
                    | Self::ParameterEmpty
                    | Self::ParameterMisspelt
                    | Self::ParameterType
                    | Self::SecretsUnreadable
                    | Self::SecretsUnreachable
                    | Self::FilledInvalid
                    | Self::AllowUnused
                    | Self::AllowInvalid
                    | Self::BuildRejected
            )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_once() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
