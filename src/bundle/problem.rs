//! What is wrong with a text, before it has a [`Source`]: places are file numbers and byte ranges.
//!
//! The same reader reads the parameterized files and the filled ones. A problem of a filled file must not be shown
//! in its own text (it may hold secrets), so problems become diagnostics in a second step.

use std::ops::Range;

use crate::diagnostic::{Code, Diagnostic, Severity, Source};

/// One finding of the reader or of the merge.
#[derive(Clone)]
pub(super) struct Problem {
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    pub places: Vec<Place>,
    pub help: Vec<String>,
}

/// Where, and a few words on it.
#[derive(Clone)]
pub(super) struct Place {
    pub file: usize,
    pub range: Range<usize>,
    pub text: String,
    /// The line holds a secret.
    pub withheld: bool,
}

impl Problem {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            places: Vec::new(),
            help: Vec::new(),
        }
    }

    pub(super) fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    pub(super) fn at(mut self, file: usize, range: Range<usize>, text: impl Into<String>) -> Self {
        self.places.push(Place {
            file,
            range,
            text: text.into(),
            withheld: false,
        });
        self
    }

    /// Hides the text of the place that was added last.
    pub(super) fn withhold_if(mut self, secret: bool) -> Self {
        if let Some(place) = self.places.last_mut() {
            place.withheld = secret;
        }
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Where it is shown among others: file by file, from the top.
    pub(super) fn order(&self) -> (usize, usize) {
        self.places
            .first()
            .map_or((0, 0), |place| (place.file, place.range.start))
    }

    /// As everyone else sees it, in the texts that it was found in.
    pub(super) fn into_diagnostic(self, files: &[Source]) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(self.code, self.message);
        diagnostic.severity = self.severity;
        diagnostic.help = self.help;
        self.places
            .into_iter()
            .filter_map(|place| Some((files.get(place.file)?, place)))
            .fold(diagnostic, |diagnostic, (source, place)| {
                let span = source.span(place.range);
                let span = if place.withheld { span.withheld() } else { span };
                diagnostic.at(span, place.text)
            })
    }
}
