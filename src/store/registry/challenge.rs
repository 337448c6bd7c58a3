//! Reads `WWW-Authenticate` (RFC 9110, section 11.6.1): several challenges, quoted strings.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// What a registry wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A user name and a password.
    Basic,
    /// A token from another server (distribution spec of tokens, Docker's *Token Authentication*).
    Bearer {
        /// The token server.
        realm: String,
        /// The name by which it knows the registry.
        service: Option<String>,
        /// What the token must allow, separated by spaces.
        scope: Option<String>,
    },
}

/// The challenge to answer: a token where one is offered, else user name and password.
pub(super) fn from_headers(headers: &HeaderMap) -> Option<Challenge> {
    let mut found: Vec<Challenge> = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(parse)
        .collect();
    found.sort_by_key(|challenge| matches!(challenge, Challenge::Basic));
    found.into_iter().next()
}

fn parse(text: &str) -> Vec<Challenge> {
    let mut schemes: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        let (word, after) = rest.split_at(end);
        match (after.trim_start().strip_prefix('='), schemes.last_mut()) {
            (Some(value), Some((_, parameters))) => {
                let (value, after) = value_of(value.trim_start());
                parameters.push((word.to_ascii_lowercase(), value));
                rest = after;
            }
            (Some(_), None) => break,
            (None, _) => {
                schemes.push((word.to_ascii_lowercase(), Vec::new()));
                rest = after;
            }
        }
    }
    schemes.into_iter().filter_map(challenge).collect()
}

fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '\t', ',']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut escaped = false;
    for (index, character) in quoted.char_indices() {
        match character {
            _ if escaped => {
                value.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &quoted[index + 1..]),
            _ => value.push(character),
        }
    }
    (value, "")
}

fn challenge((scheme, parameters): (String, Vec<(String, String)>)) -> Option<Challenge> {
    let get = |name: &str| {
        let found = parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    match scheme.as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: get("realm")?,
            service: get("service"),
            scope: get("scope"),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let pairs = values
            .iter()
            .map(|value| (WWW_AUTHENTICATE, value.parse().expect("header")));
        pairs.collect()
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        })
    }

    #[test]
    fn a_scope_may_hold_commas_and_a_realm_a_query() {
        let text = r#"Bearer realm="https://auth.example.com/token?x=1,2",service="registry, \"main\"", scope="repository:a/b:pull,push""#;
        assert_eq!(
            from_headers(&headers(&[text])),
            bearer(
                "https://auth.example.com/token?x=1,2",
                Some("registry, \"main\""),
                Some("repository:a/b:pull,push")
            )
        );
    }

    #[test]
    fn prefers_a_token_in_whatever_order() {
        let both = r#"Basic realm="r", bearer realm=https://a/t , service=s"#;
        assert_eq!(from_headers(&headers(&[both])), bearer("https://a/t", Some("s"), None));
        let lines = headers(&["Negotiate", "Basic realm=\"r\"", "Bearer realm=\"https://a/t\""]);
        assert_eq!(from_headers(&lines), bearer("https://a/t", None, None));
        assert_eq!(from_headers(&headers(&["basic"])), Some(Challenge::Basic));
    }

    #[test]
    fn rubbish_is_no_challenge() {
        for text in [
            "",
            "=",
            "Bearer",
            "Bearer realm=",
            "Bearer realm=\"\"",
            ",,,",
            "a=b",
            "Negotiate abc==",
            "Basi\"c",
        ] {
            assert_eq!(from_headers(&headers(&[text])), None, "{text}");
        }
        assert_eq!(
            from_headers(&headers(&["Bearer realm=\"open"])),
            bearer("open", None, None)
        );
    }
}
