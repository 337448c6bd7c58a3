//! Findings for people and for other programs: text, JSON, SARIF, JUnit, GitHub annotations.
//!
//! Each renderer is a pure function of diagnostics to a text; none of them shows a withheld source.

pub mod changes;
mod excerpt;
mod github;
mod json;
mod junit;
pub mod page;
mod sarif;
mod text;

pub use github::github;
pub use json::{json, json_value};
pub use junit::{JunitCase, JunitFailure, JunitSuite, junit, junit_findings};
pub use sarif::sarif;
pub use text::{Color, text};

use crate::diagnostic::{Diagnostic, Severity};

/// How many findings there are of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They stop a build.
    pub errors: usize,
    /// They stop nothing.
    pub warnings: usize,
}

impl Counts {
    /// Counts.
    pub fn of(diagnostics: &[Diagnostic]) -> Self {
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
        Self {
            errors,
            warnings: diagnostics.len() - errors,
        }
    }
}

/// The last line under findings: `2 errors, 1 warning`, or `nothing found`.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let Counts { errors, warnings } = Counts::of(diagnostics);
    let counted = |count: usize, severity: Severity| match count {
        0 => None,
        1 => Some(format!("1 {}", severity.as_str())),
        _ => Some(format!("{count} {}s", severity.as_str())),
    };
    let parts = [counted(errors, Severity::Error), counted(warnings, Severity::Warning)];
    match parts.into_iter().flatten().collect::<Vec<_>>() {
        parts if parts.is_empty() => "nothing found".to_owned(),
        parts => parts.join(", "),
    }
}

/// Diagnostics for the renderers' tests.
#[cfg(test)]
mod example {
    use crate::diagnostic::{Allowed, Code, Diagnostic, Severity, Source};

    pub(super) fn env() -> Source {
        Source::new("env/prod.env", "A=1\nBASE=http://localhost:8443\nDB_PASSWORD=hunter2\n")
    }

    /// One that a comment allows.
    pub(super) fn allowed() -> Vec<Allowed> {
        let env = env();
        vec![Allowed {
            diagnostic: Diagnostic::new(Code::SecretLiteral, "a password").at(env.span(4..8), ""),
            reason: "a demo account".to_owned(),
            span: env.span(0..3),
            in_source: true,
        }]
    }

    /// One with two places and helps, one without a place, one in a withheld source.
    pub(super) fn diagnostics() -> Vec<Diagnostic> {
        let env = env();
        let mut missing = Diagnostic::new(Code::ParameterMissing, "no value for `X`");
        missing.severity = Severity::Warning;
        vec![
            Diagnostic::new(Code::StageHost, "`BASE` of `prod` names another host")
                .stage("prod")
                .at(env.span(9..30), "the address")
                .at(env.span(0..1), "compare: 50%, a,b")
                .help("change it\nnow")
                .help("or run `iamship check`"),
            missing,
            Diagnostic::new(Code::SecretInValues, "`DB_PASSWORD` is a secret")
                .at(env.span(43..50).withheld(), "take it out"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts() {
        let diagnostics = example::diagnostics();
        assert_eq!(summary(&diagnostics), "2 errors, 1 warning");
        assert_eq!(summary(&diagnostics[1..2]), "1 warning");
        assert_eq!(summary(&[]), "nothing found");
    }

    #[test]
    fn no_renderer_shows_a_withheld_line() {
        let diagnostics = example::diagnostics();
        let all = [
            json(&diagnostics, &[]),
            sarif(&diagnostics, &[]),
            github(&diagnostics),
            junit_findings(&diagnostics, false),
            text(&diagnostics, Color::Never),
        ];
        for rendered in all {
            assert!(!rendered.contains("hunter2"), "{rendered}");
            assert!(rendered.contains("DB_PASSWORD"), "{rendered}");
        }
    }
}
