//! What can be wrong with a line of an env file, in words that never hold a piece of the value.

use super::likely_secret::is_secret_name;
use crate::diagnostic::{Code, Diagnostic, Severity, Span};
use crate::profile::ParameterName;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    NoEquals,
    InvalidName,
    BlankBefore,
    BlankAfter,
    BehindQuote,
    OpenQuote,
    PemWithoutQuotes,
    Nul,
    Dollar,
}

impl Problem {
    /// The diagnostic at the name's place; `name` is there when it is one.
    pub(super) fn diagnostic(self, name: Option<&ParameterName>, place: Span) -> Diagnostic {
        // A line without a proper name may be anything, also a piece of a secret, when its file holds secrets;
        // such a file's source is withheld, and `place.text()` empty.
        let place = if name.is_some_and(|name| is_secret_name(name.as_str())) {
            place.withheld()
        } else {
            place
        };
        let message = match (self, name) {
            (Self::InvalidName, _) if place.range.is_empty() => "a line with no name before the `=`".to_owned(),
            (Self::InvalidName, _) if place.text().is_empty() => "a name that can't be one".to_owned(),
            (Self::InvalidName, _) => format!("`{}` can't be a name", clip(place.text())),
            (_, Some(name)) => format!("{} `{name}`", self.what()),
            (_, None) => "a line with no `=`".to_owned(),
        };
        let mut diagnostic = Diagnostic::new(Code::EnvSyntax, message).at(place, self.label());
        if self == Self::Dollar {
            diagnostic.severity = Severity::Warning;
        }
        diagnostic.help(self.mend(name.map_or("NAME", ParameterName::as_str)))
    }

    fn what(self) -> &'static str {
        match self {
            Self::NoEquals | Self::InvalidName => "a line that is none:",
            Self::BlankBefore => "a blank before the `=` of",
            Self::BlankAfter => "a blank after the `=` of",
            Self::BehindQuote => "text behind the closing quote of",
            Self::OpenQuote => "a quote that is never closed, in the value of",
            Self::PemWithoutQuotes => "a value of many lines without quotes:",
            Self::Nul => "a NUL character in the value of",
            Self::Dollar => "a `$` that other readers expand, in the value of",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::NoEquals => "neither `NAME=value` nor a comment",
            Self::InvalidName => "a letter or `_`, then letters, digits and `_`",
            Self::BlankBefore => "a shell takes this for a command",
            Self::BlankAfter => "empty for a shell, with a blank for docker, without one for compose",
            Self::BehindQuote => "a shell joins the pieces, compose refuses them",
            Self::OpenQuote => "the value begins here",
            Self::PemWithoutQuotes => "only its first line would be the value",
            Self::Nul => "no environment can carry it",
            Self::Dollar => "taken literally here; a shell and compose put a variable in its place",
        }
    }

    fn mend(self, name: &str) -> String {
        match self {
            Self::NoEquals => "write `NAME=value`, or `#` before a comment".to_owned(),
            Self::InvalidName => "rename it, here and in its placeholder".to_owned(),
            Self::BlankBefore | Self::BlankAfter => {
                format!("write `{name}=…` without blanks round the `=`; a blank in the value goes into quotes")
            }
            Self::BehindQuote => format!("put the whole value into one pair of quotes: `{name}=\"…\"`, `\\\"` inside"),
            Self::OpenQuote => "close the quote".to_owned(),
            Self::PemWithoutQuotes => format!("put it into single quotes, from `{name}='-----BEGIN` to the last line"),
            Self::Nul => "take it out".to_owned(),
            Self::Dollar => format!("put it into single quotes: `{name}='…'`"),
        }
    }
}

/// So much of a wrong name as helps to find it.
fn clip(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
