//! The rules: a table, one file a rule.
//!
//! A rule is a pure function of a [`Context`]. Adding one is one file and one line in [`RULES`].

mod allow;
mod carried;
mod certificate;
mod contract;
mod debug_logging;
mod definition_unused;
mod filled;
#[cfg(test)]
mod fixture;
mod hosts;
mod iam;
mod key_mismatch;
mod key_shared;
mod key_weak;
mod likeness;
mod literal_stage_host;
mod matrix;
mod oidc_parameter;
mod parameter_defaulted;
mod parameter_empty;
mod parameter_missing;
mod parameter_misspelt;
mod parameter_type;
mod parameter_unused;
mod reference_dangling;
mod secret_in_values;
mod secret_literal;
mod secret_shared;
mod stage_example_domain;
mod stage_host;
mod stage_localhost;
mod stage_plain_http;
mod view;

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;

pub use allow::{Findings, Scene, allow};
pub use certificate::{Expiry, Standing, expiries};
pub use contract::contract;
pub use matrix::{Cell, Group, Mark, Matrix, Row, matrix};
use view::View;

use crate::bundle::Bundle;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::project::{Project, StageName};
use crate::values::{Contract, StageValues};

/// What the rules look at.
pub struct Context<'a> {
    /// The project.
    pub project: &'a Project,
    /// Its configuration.
    pub bundle: &'a Bundle,
    /// What the configuration asks for.
    pub contract: &'a Contract,
    /// The stages to check, in order, with their values.
    pub stages: &'a [StageInput],
    /// Every stage's values, also of those that are not checked: for comparing.
    pub all_stages: &'a [StageInput],
    /// What time it is: certificates expire.
    pub now: Timestamp,
}

/// One stage and its values.
#[derive(Clone, Debug)]
pub struct StageInput {
    /// Its name.
    pub name: StageName,
    /// Its values.
    pub values: StageValues,
}

/// One rule.
pub struct Rule {
    /// The codes that it can report.
    pub codes: &'static [Code],
    /// Looks.
    pub run: fn(&Context<'_>) -> Vec<Diagnostic>,
}

/// Below this many bytes of configuration, threads cost more than they bring.
const WORTH_THREADS: usize = 1024 * 1024;

/// All rules, in the order in which their findings are shown.
pub const RULES: &[Rule] = &[
    Rule {
        codes: &[Code::SecretLiteral],
        run: |context| secret_literal::find(context.bundle, &context.project.server),
    },
    Rule {
        codes: &[Code::ReferenceDangling],
        run: |context| {
            reference_dangling::find(context.bundle.tree(), &context.project.server, &|| {
                asset_paths(context.project)
            })
        },
    },
    Rule {
        codes: &[Code::DefinitionUnused],
        run: |context| definition_unused::find(context.bundle.tree(), &context.project.server),
    },
    Rule {
        codes: &[Code::LiteralStageHost],
        run: literal_stage_host::find,
    },
    Rule {
        codes: &[Code::HttpsWithoutKey],
        run: |context| iam::find(context, Code::HttpsWithoutKey),
    },
    Rule {
        codes: &[Code::GrantImplicit],
        run: |context| iam::find(context, Code::GrantImplicit),
    },
    Rule {
        codes: &[Code::GrantPassword],
        run: |context| iam::find(context, Code::GrantPassword),
    },
    Rule {
        codes: &[Code::ClientPublicWithoutPkce],
        run: |context| iam::find(context, Code::ClientPublicWithoutPkce),
    },
    Rule {
        codes: &[Code::RedirectWildcard],
        run: |context| iam::find(context, Code::RedirectWildcard),
    },
    Rule {
        codes: &[Code::RedirectHttp],
        run: |context| iam::find(context, Code::RedirectHttp),
    },
    Rule {
        codes: &[Code::LifetimeRefreshLong],
        run: |context| iam::find(context, Code::LifetimeRefreshLong),
    },
    Rule {
        codes: &[Code::CorsWildcard],
        run: |context| iam::find(context, Code::CorsWildcard),
    },
    Rule {
        codes: &[Code::DebugLogging],
        run: debug_logging::find,
    },
    Rule {
        codes: &[Code::ParameterMissing],
        run: |context| parameter_missing::find(&View::of(context)),
    },
    Rule {
        codes: &[Code::ParameterMisspelt],
        run: |context| parameter_misspelt::find(&View::of(context)),
    },
    Rule {
        codes: &[Code::ParameterEmpty],
        run: |context| parameter_empty::find(&View::of(context)),
    },
    Rule {
        codes: &[Code::ParameterType],
        run: |context| parameter_type::find(&View::of(context)),
    },
    Rule {
        codes: &[Code::ParameterDefaulted],
        run: |context| parameter_defaulted::find(&View::of(context)),
    },
    Rule {
        codes: &[Code::ParameterUnused],
        run: |context| parameter_unused::find(&View::of(context)),
    },
    Rule {
        codes: &[Code::SecretInValues],
        run: |context| secret_in_values::find(&View::of(context)),
    },
    Rule {
        codes: &[Code::OidcParameter],
        run: |context| oidc_parameter::find(&View::of(context)),
    },
    Rule {
        codes: &[Code::StageHost],
        run: |context| stage_host::find(&View::of(context)),
    },
    Rule {
        codes: &[Code::StageLocalhost],
        run: |context| stage_localhost::find(&View::of(context)),
    },
    Rule {
        codes: &[Code::StageExampleDomain],
        run: |context| stage_example_domain::find(&View::of(context)),
    },
    Rule {
        codes: &[Code::StagePlainHttp],
        run: |context| stage_plain_http::find(&View::of(context)),
    },
    Rule {
        codes: &[
            Code::CertificateExpired,
            Code::CertificateExpires,
            Code::CertificateNotYetValid,
            Code::KeyMismatch,
            Code::KeyWeak,
            Code::KeyShared,
        ],
        run: carried::find,
    },
    Rule {
        codes: &[Code::SecretShared],
        run: |context| secret_shared::find(&View::of(context)),
    },
];

/// Paths in the image of the assets. Assets that can't be listed define nothing; the build says why.
fn asset_paths(project: &Project) -> Vec<String> {
    let files = project.asset_files().unwrap_or_default();
    files.into_iter().map(|file| file.path).collect()
}

/// Runs all rules and gives their findings the severities that the project wants.
///
/// In the order of the rules; the findings of one rule by file and place, those without a place first.
pub fn run(context: &Context<'_>) -> Vec<Diagnostic> {
    let size: usize = context.bundle.files().iter().map(|file| file.text().len()).sum();
    let findings: Vec<_> = if size < WORTH_THREADS {
        RULES.iter().map(|rule| by_place((rule.run)(context))).collect()
    } else {
        side_by_side(context)
    };
    with_severities(findings.into_iter().flatten().collect(), context.project)
}

/// Each rule's findings, in the order of the rules, which know nothing of each other.
fn side_by_side(context: &Context<'_>) -> Vec<Vec<Diagnostic>> {
    let threads = std::thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(RULES.len());
    let next = AtomicUsize::new(0);
    let found: Vec<_> = RULES.iter().map(|_| OnceLock::new()).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((rule, slot)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    RULES.get(index).zip(found.get(index))
                } {
                    slot.get_or_init(|| by_place((rule.run)(context)));
                }
            });
        }
    });
    found.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// What a stage lacks to start a digest that asks for `contract`: values that are missing, empty or of the wrong type.
///
/// Needs no configuration: the contract travels with the digest.
pub fn completeness(project: &Project, contract: &Contract, stage: &StageInput) -> Vec<Diagnostic> {
    let stages = std::slice::from_ref(stage);
    let view = View {
        project,
        contract,
        stages,
        all_stages: stages,
        bundle: None,
    };
    let rules = [
        parameter_missing::find,
        parameter_misspelt::find,
        parameter_empty::find,
        parameter_type::find,
    ];
    let findings = rules.iter().flat_map(|find| find(&view)).collect();
    with_severities(findings, project)
}

/// Ids of the configuration that nothing defines; values play no part.
pub fn references(context: &Context<'_>) -> Vec<Diagnostic> {
    let rules = RULES
        .iter()
        .filter(|rule| rule.codes.contains(&Code::ReferenceDangling));
    let findings = rules.flat_map(|rule| (rule.run)(context)).collect();
    with_severities(findings, context.project)
}

/// Applies `[checks]` and the stages' own: another severity for a code, or nothing of it. What is about several stages
/// is as bad as for the strictest of them.
pub fn with_severities(diagnostics: Vec<Diagnostic>, project: &Project) -> Vec<Diagnostic> {
    let judged = |mut diagnostic: Diagnostic| {
        let code = diagnostic.code.as_str();
        let general = project.severities.get(code);
        let of_stage = |name: &str| project.stage(name)?.severities.get(code);
        let said = |own: Option<&Option<Severity>>| own.or(general).copied().unwrap_or(Some(diagnostic.severity));
        let strictest = diagnostic
            .stage_names()
            .into_iter()
            .map(|name| said(of_stage(name)))
            .max();
        diagnostic.severity = strictest.unwrap_or_else(|| said(None))?;
        Some(diagnostic)
    };
    diagnostics.into_iter().filter_map(judged).collect()
}

fn by_place(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by_cached_key(|diagnostic| {
        let place = diagnostic.labels.first().map(|label| &label.span);
        place.map(|span| (span.source.path().to_owned(), span.range.start))
    });
    diagnostics
}

#[cfg(test)]
mod tests {
    use super::fixture::Fixture;
    use super::*;

    #[test]
    fn each_code_belongs_to_one_rule() {
        let mut codes: Vec<_> = RULES.iter().flat_map(|rule| rule.codes).collect();
        let count = codes.len();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }

    #[test]
    fn rules_side_by_side_find_what_they_find_in_turn() {
        let fixture = Fixture::new(&["A", "B"], &[("dev", "A=http://localhost\n"), ("prod", "C=1\n")]);
        let (bundle, _) = crate::bundle::testing::read_contents(&[
            "<profiles><client><id>a</id><secret>x</secret></client></profiles>",
        ]);
        let context = Context {
            project: &fixture.project,
            bundle: &bundle,
            contract: &fixture.contract,
            stages: &fixture.stages,
            all_stages: &fixture.stages,
            now: Timestamp::UNIX_EPOCH,
        };
        let in_turn: Vec<_> = RULES.iter().map(|rule| by_place((rule.run)(&context))).collect();
        assert!(in_turn.iter().filter(|found| !found.is_empty()).count() > 1);
        assert_eq!(side_by_side(&context), in_turn);
    }

    #[test]
    fn a_project_turns_rules_up_down_and_off() {
        let mut fixture = Fixture::new(&[], &[("dev", ""), ("prod", "")]);
        let severities = [
            ("parameter-unused", Some(Severity::Error)),
            ("stage-host", None),
            ("parameter-empty", Some(Severity::Warning)),
        ];
        fixture.project.severities = severities.map(|(code, said)| (code.to_owned(), said)).into();
        let dev = &mut fixture.project.stages[0].severities;
        dev.insert("parameter-empty".to_owned(), None);
        dev.insert("stage-host".to_owned(), Some(Severity::Warning));
        let told = |code, stages: &[&str]| {
            let found = stages.iter().fold(Diagnostic::new(code, "x"), Diagnostic::stage);
            let judged = with_severities(vec![found], &fixture.project);
            judged.first().map(|found| found.severity)
        };
        let (warning, error) = (Some(Severity::Warning), Some(Severity::Error));
        assert_eq!(told(Code::ParameterUnused, &[]), error);
        assert_eq!(told(Code::StageHost, &[]), None);
        assert_eq!(told(Code::StageHost, &["prod"]), None);
        assert_eq!(told(Code::StageHost, &["dev"]), warning);
        assert_eq!(told(Code::ParameterEmpty, &["dev"]), None);
        assert_eq!(
            told(Code::ParameterEmpty, &["dev", "prod"]),
            warning,
            "the strictest counts"
        );
        assert_eq!(told(Code::SecretLiteral, &["dev"]), error);
    }

    #[test]
    fn findings_of_a_rule_come_by_place() {
        let fixture = Fixture::new(&[], &[("dev", "Z=1\nA=2\n")]);
        let found = by_place(parameter_unused::find(&fixture.view()));
        assert!(found[0].message.contains("`Z`"));
    }
}
