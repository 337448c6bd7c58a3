//! One text with the server's placeholders in it, outside of the configuration: the issuer in `iamship.toml`.

use std::ops::Range;

use super::placeholder::{Found, Grammar};
use crate::profile::{ParameterName, PlaceholderSyntax};

/// A text and its placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    holes: Vec<Hole>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Hole {
    place: Range<usize>,
    name: ParameterName,
    default: Option<String>,
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// Something in it looks like a placeholder and is none; in words.
    pub fn read(text: &str, syntax: &PlaceholderSyntax) -> Result<Self, String> {
        Self::read_as(text, &Grammar::new(syntax).0)
    }

    /// The same with a grammar that is there: compiling one costs more than reading a hundred texts.
    pub(super) fn read_as(text: &str, grammar: &Grammar) -> Result<Self, String> {
        let mut holes: Vec<Hole> = Vec::new();
        for at in grammar.openings(text) {
            if holes.last().is_some_and(|last| at < last.place.end) {
                continue;
            }
            match grammar.read(text, at, text.len()) {
                Found::Placeholder { name, default, end } => holes.push(Hole {
                    place: at..end,
                    name: text[name].parse().map_err(|error| format!("{error}"))?,
                    default: default.map(|default| text[default].to_owned()),
                }),
                Found::Unclear { doubt, .. } => return Err(doubt.words().0.to_owned()),
                Found::Other => {}
            }
        }
        Ok(Self {
            text: text.to_owned(),
            holes,
        })
    }

    /// The parameters that it asks for, in the order of the text; each with whether it has a default.
    pub fn parameters(&self) -> impl Iterator<Item = (&ParameterName, bool)> {
        self.holes.iter().map(|hole| (&hole.name, hole.default.is_some()))
    }

    /// The text with values in it: what `lookup` gives, else the default.
    ///
    /// # Errors
    /// The first parameter that has neither.
    pub fn fill<'v>(&self, lookup: impl Fn(&ParameterName) -> Option<&'v str>) -> Result<String, ParameterName> {
        let mut filled = String::with_capacity(self.text.len());
        let mut done = 0;
        for hole in &self.holes {
            filled.push_str(&self.text[done..hole.place.start]);
            match lookup(&hole.name).or(hole.default.as_deref()) {
                Some(value) => filled.push_str(value),
                None => return Err(hole.name.clone()),
            }
            done = hole.place.end;
        }
        filled.push_str(&self.text[done..]);
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ServerProfile;

    fn read(server: &str, text: &str) -> Result<Template, String> {
        let profile = ServerProfile::built_in(server).expect("built in");
        Template::read(text, &profile.placeholder)
    }

    fn fill(server: &str, text: &str) -> Result<String, String> {
        let template = read(server, text)?;
        let values = |name: &ParameterName| (name.as_str() == "HOST").then_some("login.example.com");
        template.fill(values).map_err(|name| format!("{name} is missing"))
    }

    #[test]
    fn values_and_defaults_go_in_as_each_server_writes_them() {
        assert_eq!(
            fill("curity", "https://#{HOST}/o").as_deref(),
            Ok("https://login.example.com/o")
        );
        assert_eq!(
            fill("generic", "https://${HOST}:${PORT:-8443}${x.y}").as_deref(),
            Ok("https://login.example.com:8443${x.y}")
        );
        assert_eq!(fill("curity", "plain").as_deref(), Ok("plain"));
        assert_eq!(fill("curity", "#{OTHER}"), Err("OTHER is missing".to_owned()));
        assert!(fill("curity", "#{OTHER").is_err_and(|error| error.contains("not closed")));
        let template = read("generic", "${A}${B:-c}").expect("valid");
        let names: Vec<_> = template.parameters().map(|(name, has)| (name.as_str(), has)).collect();
        assert_eq!(names, [("A", false), ("B", true)]);
    }
}
