//! A value that no placeholder asks for: left over, or meant for a placeholder that nobody wrote.

use std::collections::BTreeSet;

use super::parameter_misspelt::slips;
use super::view::{Shared, View};
use crate::diagnostic::{Code, Diagnostic};

/// Values in files only: a secret source may serve others too. What is misspelt is told by that rule.
pub(super) fn find(view: &View<'_>) -> Vec<Diagnostic> {
    let mut shared = Shared::new();
    for stage in view.stages {
        let misspelt: BTreeSet<_> = slips(view, stage).iter().map(|slip| slip.given).collect();
        for (name, _) in view.unasked(stage).filter(|(name, _)| !misspelt.contains(name)) {
            if let Some(place) = view.name_span(stage, name) {
                shared.add(&stage.name, name, Some(&place), (name, place.clone()));
            }
        }
    }
    let finding = |((name, place), stages): ((&_, _), Vec<_>)| {
        let diagnostic = Diagnostic::new(Code::ParameterUnused, format!("nothing asks for `{name}`"));
        View::about(diagnostic, name, stages)
            .at(place, "a value without a placeholder")
            .help("take the line out, or write the placeholder into the configuration")
    };
    shared.into_found().into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;

    #[test]
    fn values_in_files_only_and_no_misspelt_ones() {
        let fixture = Fixture::new(
            &["A", "BASE_URL"],
            &[("dev", "A=1\nOLD=2\nbase_url=3\n"), ("prod", "A=1\nBASE_URL=2\n")],
        )
        .secret("prod", "OTHER", "x");
        assert_eq!(fixture.told(find), ["warning: nothing asks for `OLD`"]);
        assert!(fixture.drawn(find).contains("env/dev.env:2:1"));
    }
}
