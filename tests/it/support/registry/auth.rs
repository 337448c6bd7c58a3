//! Who may do what: anonymous, basic, or tokens with scopes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;

use super::faults::Canned;
use super::{Shared, locked};

/// How the registry asks who is there.
#[derive(Clone, Debug, Default)]
pub(crate) enum Auth {
    #[default]
    Nobody,
    /// A user name and a password with every request.
    Basic { username: String, password: String },
    /// A token from `/token` on the same address.
    Token {
        username: String,
        password: String,
        /// Where nobody need say who they are to pull.
        public: Vec<String>,
        /// Tells this address instead of its own token server's.
        realm: Option<String>,
        /// Of a token, in seconds.
        lifetime: Option<u64>,
    },
}

impl Auth {
    pub(crate) fn basic(username: &str, password: &str) -> Self {
        Self::Basic {
            username: username.to_owned(),
            password: password.to_owned(),
        }
    }

    pub(crate) fn token(username: &str, password: &str) -> Self {
        Self::Token {
            username: username.to_owned(),
            password: password.to_owned(),
            public: Vec::new(),
            realm: None,
            lifetime: None,
        }
    }
}

fn basic_header(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

fn authorization(head: &Parts) -> Option<&str> {
    head.headers.get(AUTHORIZATION)?.to_str().ok()
}

/// The scope that a request needs, one text for each repository.
pub(super) fn needed(method: &Method, repository: &str) -> Vec<String> {
    let actions: &[&str] = match *method {
        Method::GET | Method::HEAD => &["pull"],
        Method::DELETE => &["delete"],
        _ => &["pull", "push"],
    };
    actions
        .iter()
        .map(|action| format!("repository:{repository}:{action}"))
        .collect()
}

/// Whether a request may do all of `needed`; else the 401.
pub(super) fn check(shared: &Shared, head: &Parts, needed: &[String]) -> Result<(), Canned> {
    match &shared.options.auth {
        Auth::Nobody => Ok(()),
        Auth::Basic { username, password } => {
            if authorization(head) == Some(&basic_header(username, password)) {
                return Ok(());
            }
            Err(Canned::error(401, "UNAUTHORIZED").header("www-authenticate", "Basic realm=\"test\""))
        }
        Auth::Token { realm, .. } => {
            if grants(shared, head, needed) {
                return Ok(());
            }
            let own = format!("http://{}/token", shared.address);
            let realm = realm.as_ref().unwrap_or(&own);
            let actions: Vec<&str> = needed.iter().filter_map(|one| one.rsplit(':').next()).collect();
            let resource = needed
                .first()
                .and_then(|one| one.rsplit_once(':'))
                .map_or("", |(resource, _)| resource);
            let challenge = format!(
                "Bearer realm=\"{realm}\",service=\"test\",scope=\"{resource}:{}\"",
                actions.join(",")
            );
            Err(Canned::error(401, "UNAUTHORIZED").header("www-authenticate", &challenge))
        }
    }
}

/// Whether the request's token allows all of `needed`. Without tokens, everything is allowed.
pub(super) fn grants(shared: &Shared, head: &Parts, needed: &[String]) -> bool {
    if !matches!(shared.options.auth, Auth::Token { .. }) {
        return true;
    }
    let token = authorization(head)
        .and_then(|text| text.strip_prefix("Bearer "))
        .unwrap_or_default();
    let state = locked(&shared.state);
    state
        .tokens
        .get(token)
        .is_some_and(|granted| needed.iter().all(|one| granted.contains(one)))
}

/// The token server.
pub(super) fn token(shared: &Shared, head: &Parts, body: &[u8]) -> Canned {
    let Auth::Token {
        username,
        password,
        public,
        lifetime,
        ..
    } = &shared.options.auth
    else {
        return Canned::status(404);
    };
    let form = if head.method == Method::POST {
        body
    } else {
        head.uri.query().unwrap_or_default().as_bytes()
    };
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(form).into_owned().collect();
    let known = match authorization(head) {
        Some(text) if text == basic_header(username, password) => true,
        Some(_) => return Canned::error(401, "UNAUTHORIZED"),
        // An identity token of this server's is the user's password.
        None => fields
            .iter()
            .any(|(name, value)| name == "refresh_token" && value == password),
    };
    let asked = fields
        .iter()
        .filter(|(name, _)| name == "scope")
        .flat_map(|(_, value)| value.split(' '));
    let mut granted = Vec::new();
    for scope in asked {
        let Some((resource, actions)) = scope.rsplit_once(':') else {
            continue;
        };
        let is_public = public.iter().any(|one| resource == format!("repository:{one}"));
        for action in actions.split(',') {
            if known || (is_public && action == "pull") {
                granted.push(format!("{resource}:{action}"));
            }
        }
    }
    let mut state = locked(&shared.state);
    let token = format!("token-{}", state.number());
    state.tokens.insert(token.clone(), granted);
    let lifetime = lifetime.unwrap_or(300);
    Canned::status(200)
        .header("content-type", "application/json")
        .body(format!(r#"{{"token":"{token}","expires_in":{lifetime}}}"#))
}

/// Tokens that were given out are worth nothing any more.
pub(super) fn revoke(shared: &Shared) {
    locked(&shared.state).tokens.clear();
}
