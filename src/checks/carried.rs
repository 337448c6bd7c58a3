//! Certificates and keys that stages' values and the configuration itself carry, each value read once.

use super::view::View;
use super::{Context, StageInput, certificate};
use crate::bundle::{Bundle, Node};
use crate::diagnostic::{Diagnostic, Span};
use crate::profile::ParameterName;
use crate::values::Value;
use crate::values::material::Material;

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
    let mut carried = in_values(&view, context.stages);
    carried.extend(in_bundle(context.bundle));
    certificate::find(&view, &carried, context.now)
}

/// What the values of these stages carry.
pub(super) fn in_values<'a>(view: &View<'a>, stages: &'a [StageInput]) -> Vec<Carried<'a>> {
    let mut carried = Vec::new();
    for stage in stages {
        for (name, value) in stage.values.iter() {
            let material = Material::read(value.expose());
            if !material.is_empty() {
                let by = Carrier::Value { stage, name, value };
                carried.push(Carried { by, material });
            }
        }
    }
    let _ = view;
    carried
}

/// What the configuration carries.
pub(super) fn in_bundle(bundle: &Bundle) -> Vec<Carried<'_>> {
    let mut carried = Vec::new();
    for (file, source) in bundle.files().iter().enumerate() {
        let text = source.text();
        let mut done = 0;
        for at in memchr::memmem::find_iter(text.as_bytes(), "-----BEGIN ") {
            if at < done {
                continue;
            }
            let Some(node) = bundle.tree().leaf_at(file, at) else {
                continue;
            };
            done = node.text_span().range.end;
            let material = Material::read(&node.value());
            if !material.is_empty() {
                let by = Carrier::Literal {
                    node,
                    path: node.path(),
                };
                carried.push(Carried { by, material });
            }
        }
    }
    carried
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
