//! What type a parameter has and whether it is secret: from the project, the places that use it, and its name.

use std::collections::BTreeSet;

use crate::profile::{InvalidPattern, ParameterName, ParameterType, PathPattern, ServerProfile};

/// A profile's hints, ready for many parameters.
#[derive(Clone, Debug)]
pub struct Inference {
    names: Vec<Hint>,
    types: Vec<Hint>,
    secrets: Vec<PathPattern>,
    public: Vec<PathPattern>,
}

#[derive(Clone, Debug)]
struct Hint {
    pattern: PathPattern,
    kind: Option<ParameterType>,
    secret: Option<bool>,
}

/// One place that uses a parameter.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// Local names from just below the root to the element.
    pub path: &'a [&'a str],
    /// How much of the element's value the placeholder is.
    pub extent: Extent,
}

/// How much of a value a placeholder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// All of it: what is said of the element is said of the parameter.
    Whole,
    /// A piece (`https://#{HOST}/`): the element's type and secrecy say nothing of it.
    Piece,
}

/// What `iamship.toml` says; it wins over everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// `type`
    pub kind: Option<ParameterType>,
    /// `secret`
    pub secret: Option<bool>,
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inferred {
    /// The type.
    pub kind: ParameterType,
    /// Whether it is secret.
    pub secret: bool,
}

impl Inference {
    /// Reads a profile's patterns.
    pub fn new(profile: &ServerProfile) -> Result<Self, InvalidPattern> {
        let hints = |hints: &[crate::profile::NameHint], case: fn(&str) -> String| {
            let hint = |hint: &crate::profile::NameHint| {
                Ok(Hint {
                    pattern: case(&hint.pattern).parse()?,
                    kind: hint.kind,
                    secret: hint.secret,
                })
            };
            hints.iter().map(hint).collect::<Result<Vec<_>, InvalidPattern>>()
        };
        Ok(Self {
            names: hints(&profile.names, str::to_ascii_uppercase)?,
            types: hints(&profile.types, str::to_owned)?,
            secrets: profile.secrets.iter().map(|rule| rule.path.clone()).collect(),
            public: profile.public.clone(),
        })
    }

    /// Type and secrecy of one parameter.
    ///
    /// The project's word wins, then the elements that the parameter fills alone, then its name (case does not
    /// matter). A name can't make public what fills a secret element; uses that disagree on a type tell none.
    pub fn infer<'a>(&self, name: &ParameterName, uses: impl IntoIterator<Item = Use<'a>>, said: Override) -> Inferred {
        let mut kinds = BTreeSet::new();
        let (mut secret_place, mut public_places, mut hinted) = (false, 0_usize, None);
        let mut whole = 0_usize;
        for place in uses.into_iter().filter(|place| place.extent == Extent::Whole) {
            whole += 1;
            if self.public.iter().any(|pattern| pattern.matches(place.path)) {
                public_places += 1;
            } else if self.secrets.iter().any(|pattern| pattern.matches(place.path)) {
                secret_place = true;
            }
            if let Some(hint) = self.types.iter().find(|hint| hint.pattern.matches(place.path)) {
                kinds.extend(hint.kind);
                hinted = hinted.max(hint.secret);
            }
        }
        let by_name = self.by_name(name);
        let by_place = kinds.first().copied().filter(|_| kinds.len() == 1);
        let all_public = whole > 0 && whole == public_places;
        let secret = match (secret_place, hinted) {
            (true, _) => true,
            (false, Some(hinted)) => hinted,
            (false, None) if all_public => false,
            (false, None) => by_name.and_then(|hint| hint.secret).unwrap_or(false),
        };
        Inferred {
            kind: said
                .kind
                .or(by_place)
                .or(by_name.and_then(|hint| hint.kind))
                .unwrap_or_default(),
            secret: said.secret.unwrap_or(secret),
        }
    }

    fn by_name(&self, name: &ParameterName) -> Option<&Hint> {
        let name = name.as_str().to_ascii_uppercase();
        self.names.iter().find(|hint| hint.pattern.matches(&[&name]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = r##"
        name = "test"
        title = "Test"
        format = "xml"
        config = { folder = "/etc", uid = 1, gid = 1, replace = true, subfolders = false }
        placeholder = { open = "#{", close = "}" }
        public = ["crypto/*truststore*/keystore"]
        [[secrets]]
        path = "**/keystore"
        what = "a keystore"
        [[secrets]]
        path = "**/connection-string"
        what = "a connection string"
        [[names]]
        pattern = "*_BASE_URL"
        type = "url"
        [[names]]
        pattern = "*PASSWORD*"
        secret = true
        [[types]]
        pattern = "**/port"
        type = "port"
        [[types]]
        pattern = "**/enabled"
        type = "boolean"
    "##;

    fn infer(name: &str, uses: &[(&str, Extent)], said: Override) -> (ParameterType, bool) {
        let profile: ServerProfile = toml::from_str(PROFILE).expect("profile");
        let inference = Inference::new(&profile).expect("patterns");
        let paths: Vec<(Vec<&str>, Extent)> = uses.iter().map(|(path, e)| (path.split('/').collect(), *e)).collect();
        let uses = paths.iter().map(|(path, extent)| Use { path, extent: *extent });
        let inferred = inference.infer(&name.parse().expect("name"), uses, said);
        (inferred.kind, inferred.secret)
    }

    #[test]
    fn places_tell_more_than_names_and_the_project_more_than_both() {
        let (whole, piece) = (Extent::Whole, Extent::Piece);
        let none = Override::default();
        assert_eq!(infer("X", &[("a/b", whole)], none), (ParameterType::Text, false));
        assert_eq!(
            infer("A_BASE_URL", &[("a/b", piece)], none),
            (ParameterType::Url, false)
        );
        assert_eq!(infer("a_base_url", &[], none), (ParameterType::Url, false));
        assert_eq!(
            infer("A_BASE_URL", &[("x/port", whole)], none),
            (ParameterType::Port, false)
        );
        assert_eq!(infer("X", &[("x/port", piece)], none), (ParameterType::Text, false));
        assert_eq!(
            infer("X", &[("x/port", whole), ("x/enabled", whole)], none),
            (ParameterType::Text, false)
        );
        assert_eq!(
            infer("DB_PASSWORD", &[("a/b", whole)], none),
            (ParameterType::Text, true)
        );
        let said = Override {
            kind: Some(ParameterType::Integer),
            secret: Some(false),
        };
        assert_eq!(
            infer("DB_PASSWORD", &[("x/port", whole)], said),
            (ParameterType::Integer, false)
        );
    }

    #[test]
    fn a_secret_place_makes_a_secret_and_a_piece_of_one_does_not() {
        let (whole, piece) = (Extent::Whole, Extent::Piece);
        let secret = |name, uses: &[(&str, Extent)]| infer(name, uses, Override::default()).1;
        assert!(secret("K", &[("crypto/key/keystore", whole)]));
        assert!(!secret("K", &[("crypto/server-truststore/keystore", whole)]));
        assert!(secret(
            "K",
            &[
                ("crypto/server-truststore/keystore", whole),
                ("crypto/key/keystore", whole)
            ]
        ));
        assert!(!secret("HOST", &[("x/connection-string", piece)]));
        assert!(secret("PASSWORD", &[("x/connection-string", piece)]));
    }
}
