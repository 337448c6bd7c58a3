//! What is wrong, where, and how to mend it: one type for every check, gate and file problem.
//!
//! A [`Diagnostic`] is a value. It is made on any floor and drawn by a renderer above (text in
//! `cli`, SARIF and GitHub annotations in `report`). Its [`Label`]s hold their [`Source`], so a
//! diagnostic can be drawn without the thing that made it.

mod allow;
mod code;
mod page;
mod source;

pub use allow::Allowed;
pub use code::{Code, Severity};
pub use source::{Position, Source, Span};

/// One finding: a code, a sentence (lower case, no full stop), the places, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which rule or parser speaks.
    pub code: Code,
    /// How bad it is; a project may change it for a rule.
    pub severity: Severity,
    /// One sentence with names in backticks; never a secret's value.
    pub message: String,
    /// The first one is the primary place.
    pub labels: Vec<Label>,
    /// Mends, the best first; a command that can be run where there is one.
    pub help: Vec<String>,
    /// The stages that it is about, beside those of `about`; none when it is about the project.
    pub stages: Vec<String>,
    /// Which stages' values it is about; empty when it is about something else.
    pub about: Vec<About>,
}

/// What one stage gives one parameter, or fails to give.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct About {
    /// The stage's name.
    pub stage: String,
    /// The parameter's.
    pub parameter: String,
}

/// A place in a source, with a few words on what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// Why the place matters; may be empty for the primary place.
    pub text: String,
}

impl Diagnostic {
    /// A diagnostic with the code's own severity and no place yet.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            labels: Vec::new(),
            help: Vec::new(),
            stages: Vec::new(),
            about: Vec::new(),
        }
    }

    /// Adds a stage's value that it is about.
    #[must_use]
    pub fn about(mut self, stage: impl ToString, parameter: impl ToString) -> Self {
        self.about.push(About {
            stage: stage.to_string(),
            parameter: parameter.to_string(),
        });
        self
    }

    /// Adds a place; the first one added is the primary one.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Adds a mend.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Says that it is about a stage; one finding may be about several.
    #[must_use]
    pub fn stage(mut self, name: impl std::fmt::Display) -> Self {
        self.stages.push(name.to_string());
        self
    }

    /// The names of all stages that it is about, each once.
    pub fn stage_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let about = self.about.iter().map(|about| &about.stage);
        for name in self.stages.iter().chain(about) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// Whether it stops a build.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The nearest of `known` to a misspelt `word`, if one is near enough to be meant.
///
/// Case is ignored first, then Damerau-Levenshtein distance up to a third of the word's length.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= word.len().max(candidate.len()).div_ceil(3))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_forgives_case_and_small_slips_only() {
        assert_eq!(nearest("db_password", ["DB_PASSWORD", "X"]), Some("DB_PASSWORD"));
        assert_eq!(nearest("DB_PASWORD", ["DB_PASSWORD"]), Some("DB_PASSWORD"));
        assert_eq!(nearest("LICENSE_KEY", ["DB_PASSWORD"]), None);
    }
}
