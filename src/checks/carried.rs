//! Certificates and keys that stages' values and the configuration itself carry, each value read once.

use jiff::Timestamp;

use super::view::{Shared, View, listed};
use super::{Context, StageInput, certificate, key_mismatch, key_shared, key_weak};
use crate::bundle::{Bundle, Node};
use crate::diagnostic::{Code, Diagnostic, Severity, Span};
use crate::profile::ParameterName;
use crate::values::Value;
use crate::values::material::Material;

/// How many leaves of the configuration are looked into.
const MOST_LITERALS: usize = 2000;

/// What one value carries.
pub(super) struct Carried<'a> {
    pub(super) by: Carrier<'a>,
    pub(super) material: Material,
}

/// Who carries it.
#[derive(Clone)]
pub(super) enum Carrier<'a> {
    /// A stage's value.
    Value {
        stage: &'a StageInput,
        name: &'a ParameterName,
        value: &'a Value,
    },
    /// A leaf of the configuration: all stages have it.
    Literal { node: Node<'a>, path: String },
}

impl Carrier<'_> {
    /// `` `SSL_KEY` ``, or the path of the leaf.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Value { name, .. } => name.to_string(),
            Self::Literal { path, .. } => path.clone(),
        }
    }
}

/// All rules over certificates and keys.
pub(super) fn find(context: &Context<'_>) -> Vec<Diagnostic> {
    let view = View::of(context);
    find_in(&view, in_bundle(context.bundle), context.now)
}

/// The same, with what the configuration carries.
pub(super) fn find_in<'a>(view: &View<'a>, in_bundle: Vec<Carried<'a>>, now: Timestamp) -> Vec<Diagnostic> {
    let all = in_values(view.all_stages);
    let shared = key_shared::find(view, &all);
    let is_checked = |carried: &Carried<'_>| match &carried.by {
        Carrier::Value { stage, .. } => view.stages.iter().any(|checked| checked.name == stage.name),
        Carrier::Literal { .. } => true,
    };
    let checked: Vec<_> = all.into_iter().chain(in_bundle).filter(is_checked).collect();
    let mut found = certificate::find(view, &checked, now);
    found.extend(key_mismatch::find(view, &checked));
    found.extend(key_weak::find(view, &checked));
    found.extend(shared);
    found
}

/// What the values of these stages carry.
pub(super) fn in_values(stages: &[StageInput]) -> Vec<Carried<'_>> {
    let mut carried = Vec::new();
    for stage in stages {
        for (name, value) in stage
            .values
            .iter()
            .filter(|(_, value)| Material::is_likely(value.expose()))
        {
            let material = Material::read(value.expose(), &passwords(stage, name));
            if !material.is_empty() {
                let by = Carrier::Value { stage, name, value };
                carried.push(Carried { by, material });
            }
        }
    }
    carried
}

/// What opens a store, as people name it: `SSL_KEYSTORE` is opened by `SSL_KEYSTORE_PASSWORD`, or by `SSL_PASSWORD`.
fn passwords<'a>(stage: &'a StageInput, name: &ParameterName) -> Vec<&'a str> {
    let name = name.as_str();
    let endings = ["", "_KEYSTORE", "_STORE", "_P12", "_PFX", "_KEY"];
    let stems = endings.iter().filter_map(|ending| name.strip_suffix(ending));
    let names = stems.flat_map(|stem| ["PASSWORD", "PASSPHRASE"].map(|word| format!("{stem}_{word}")));
    let mut found: Vec<_> = names
        .filter_map(|name| Some(stage.values.get(&name.parse().ok()?)?.expose()))
        .collect();
    found.dedup();
    found
}

/// What marks a text that may carry something.
const MARKS: [&str; 4] = ["-----BEGIN ", "MII", "data:application/", "LS0tLS1CRUdJTi"];

/// What the configuration carries.
pub(super) fn in_bundle(bundle: &Bundle) -> Vec<Carried<'_>> {
    let mut carried = Vec::new();
    for (file, source) in bundle.files().iter().enumerate() {
        let text = source.text().as_bytes();
        let marks = MARKS.iter().flat_map(|mark| memchr::memmem::find_iter(text, mark));
        let mut marks: Vec<_> = marks.collect();
        marks.sort_unstable();
        let mut done = 0;
        for at in marks {
            if at < done || carried.len() >= MOST_LITERALS {
                continue;
            }
            let Some(node) = bundle.tree().leaf_at(file, at) else {
                continue;
            };
            done = node.text_span().range.end;
            let value = node.value();
            let material = match Material::is_likely(&value) && !node.has_placeholder() {
                true => Material::read(&value, &[]),
                false => continue,
            };
            if !material.is_empty() {
                let path = node.path();
                let by = Carrier::Literal { node, path };
                carried.push(Carried { by, material });
            }
        }
    }
    carried
}

/// One finding about each stage's value, and about each leaf, that `tell` says something of.
pub(super) fn each(
    view: &View<'_>,
    carried: &[Carried<'_>],
    code: Code,
    tell: impl Fn(&Carried<'_>) -> Option<Said>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut shared = Shared::new();
    for each in carried {
        let Some(said) = tell(each) else { continue };
        match &each.by {
            Carrier::Value { stage, name, value } => {
                let place = view.value_span(name, value);
                shared.add(&stage.name, name, place.as_ref(), (*name, *value, place.clone(), said));
            }
            Carrier::Literal { node, path } => {
                let span = literal_span(node, &each.material);
                found.push(
                    said.diagnostic(code, &format!("`{path}`"))
                        .at(span, said.label)
                        .help(said.literal_help),
                );
            }
        }
    }
    let of_values = shared
        .into_found()
        .into_iter()
        .map(|((name, value, place, said), stages)| {
            let owner = format!("`{name}` of {}", listed(stages.iter().copied()));
            let diagnostic = View::about(said.diagnostic(code, &owner), name, stages.iter().copied());
            let diagnostic = view.at_value(diagnostic, stages[0], value, place, &said.label);
            diagnostic.help(said.help.replace("{owner}", &format!("`{name}` of `{}`", stages[0])))
        });
    found.extend(of_values);
    found
}

/// What a rule says of a value.
pub(super) struct Said {
    /// The sentence, with `{owner}` where the value's name stands.
    pub(super) message: String,
    pub(super) severity: Severity,
    /// What stands at the place.
    pub(super) label: String,
    /// What to do, with `{owner}`.
    pub(super) help: String,
    /// What to do where it stands in the configuration.
    pub(super) literal_help: &'static str,
}

impl Said {
    fn diagnostic(&self, code: Code, owner: &str) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(code, self.message.replace("{owner}", owner));
        diagnostic.severity = self.severity;
        diagnostic
    }
}

/// `` `a` ``, `` `a` (and one other) ``, `` `a` (and 2 others) ``
pub(super) fn and_others(first: &str, others: usize) -> String {
    match others {
        0 => format!("`{first}`"),
        1 => format!("`{first}` (and one other)"),
        _ => format!("`{first}` (and {others} others)"),
    }
}

/// The first line of a leaf: a certificate of thirty lines is shown by it; withheld where it may be a private key.
pub(super) fn literal_span(node: &Node<'_>, material: &Material) -> Span {
    let mut span = node.text_span();
    let first = span.text().find(['\n', '\r']).unwrap_or(span.text().len());
    span.range.end = span.range.start + first;
    if material.private_keys.is_empty() {
        span
    } else {
        span.withheld()
    }
}
