//! Annotations that GitHub Actions shows beside the changed lines.

use std::fmt::Write as _;

use crate::diagnostic::{Diagnostic, Severity};

/// One workflow command a finding: `::error file=…,line=…,col=…,title=…::message`.
pub fn github(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(annotation).collect()
}

fn annotation(diagnostic: &Diagnostic) -> String {
    let command = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut properties = String::new();
    if let Some(label) = diagnostic.labels.first() {
        let (start, end) = (label.span.position(), label.span.end());
        let file = property(label.span.source.path().as_str());
        // Writing to a `String` does not fail.
        let _ = write!(
            properties,
            "file={file},line={},endLine={},col={}",
            start.line, end.line, start.column
        );
        // GitHub refuses an end column on another line, and counts it inclusively.
        if start.line == end.line && end.column > start.column {
            let _ = write!(properties, ",endColumn={}", end.column - 1);
        }
        properties.push(',');
    }
    let title = property(&format!("iamship: {}", diagnostic.code));
    format!("::{command} {properties}title={title}::{}\n", data(&body(diagnostic)))
}

/// Only the first place is a property; the others are told in words.
fn body(diagnostic: &Diagnostic) -> String {
    let mut body = diagnostic.message.clone();
    for (index, label) in diagnostic.labels.iter().enumerate() {
        let _ = match (index, label.text.is_empty()) {
            (0, true) => Ok(()),
            (0, false) => write!(body, "\n{}", label.text),
            (_, true) => write!(body, "\n{}", label.span),
            (_, false) => write!(body, "\n{}: {}", label.span, label.text),
        };
    }
    for help in &diagnostic.help {
        let _ = write!(body, "\nhelp: {help}");
    }
    body
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Code, Source};
    use crate::report::example;

    #[test]
    fn writes_commands_that_nothing_can_break_out_of() {
        assert_eq!(
            github(&example::diagnostics()),
            "::error file=env/prod.env,line=2,endLine=2,col=6,endColumn=26,title=iamship%3A stage-host::\
             `BASE` of `prod` names another host%0Athe address%0Aenv/prod.env:1:1: compare: 50%25, a,b%0A\
             help: change it%0Anow%0Ahelp: or run `iamship check`\n\
             ::warning title=iamship%3A parameter-missing::no value for `X`\n\
             ::error file=env/prod.env,line=3,endLine=3,col=13,endColumn=19,title=iamship%3A secret-in-values::\
             `DB_PASSWORD` is a secret%0Atake it out\n"
        );
        let source = Source::new("a,b:c%\n::error::x.env", "x");
        let hostile = Diagnostic::new(Code::EnvSyntax, "a\r\n::set-output::b").at(source.span(0..0), "");
        assert_eq!(
            github(&[hostile]),
            "::error file=a%2Cb%3Ac%25%0A%3A%3Aerror%3A%3Ax.env,line=1,endLine=1,col=1,title=iamship%3A env-syntax::\
             a%0D%0A::set-output::b\n"
        );
    }
}
