//! A host that differs between the stages stands in the configuration: it should be a parameter.
//!
//! Hosts come from the stages' plain values, as for `stage-host`; one that all stages share is no stage's own.

use std::borrow::Cow;

use hashbrown::HashMap;
use memchr::memmem;

use super::Context;
use super::hosts::{Host, authority_host, hosts, is_local};
use super::view::{View, listed};
use crate::bundle::Node;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::profile::{ParameterName, ParameterType, PathPattern};
use crate::project::StageName;

/// How many places of one host are shown.
const MOST_PLACES: usize = 3;
/// More findings than this help nobody.
const MOST_PER_HOST: usize = 1_000;

/// Whose host it is, and by which parameter.
struct Owner<'a> {
    stages: Vec<&'a StageName>,
    parameter: &'a ParameterName,
}

pub(super) fn find(context: &Context<'_>) -> Vec<Diagnostic> {
    let owners = owners(context);
    if owners.is_empty() {
        return Vec::new();
    }
    let mut places: Vec<(String, Vec<Span>)> = Vec::new();
    let mut add = |host: String, span: Span| match places.iter_mut().find(|(known, _)| *known == host) {
        Some((_, spans)) if spans.len() < MOST_PER_HOST && !spans.contains(&span) => spans.push(span),
        Some(_) => {}
        None => places.push((host, vec![span])),
    };
    for (index, source) in context.bundle.files().iter().enumerate() {
        for at in memmem::find_iter(source.text().as_bytes(), "://") {
            let host = authority_host(source.text(), at + "://".len());
            let host = host.filter(|host| owners.contains_key(host.name.as_str()));
            let leaf = || context.bundle.tree().leaf_at(index, at);
            if let Some(host) = host.filter(|_| leaf().is_some_and(|leaf| is_public(&leaf))) {
                add(host.name, source.span(host.range));
            }
        }
    }
    for leaf in context.bundle.tree().find_any(&host_patterns(context)) {
        if let (Some(host), false) = (bare(&leaf), leaf.has_placeholder())
            && owners.contains_key(host.name.as_str())
            && is_public(&leaf)
        {
            add(host.name, leaf.text_span());
        }
    }
    places
        .into_iter()
        .map(|(host, spans)| diagnostic(context, &owners, &host, &spans))
        .collect()
}

fn is_public(leaf: &Node<'_>) -> bool {
    !leaf.is_secret()
}

fn bare(leaf: &Node<'_>) -> Option<Host> {
    let value: Cow<'_, str> = leaf.value();
    let mut found = hosts(ParameterType::Host, &value);
    (found.len() == 1).then(|| found.remove(0))
}

/// Leaves that hold a host without an address round it.
fn host_patterns(context: &Context<'_>) -> Vec<PathPattern> {
    let types = context.project.server.types.iter();
    let hosts = types.filter(|hint| hint.kind == Some(ParameterType::Host));
    hosts.filter_map(|hint| hint.pattern.parse().ok()).collect()
}

/// The hosts that some stages give, and not all of them.
fn owners<'a>(context: &Context<'a>) -> HashMap<String, Owner<'a>> {
    let view = View::of(context);
    let mut owners: HashMap<String, Owner<'a>> = HashMap::new();
    for input in context.all_stages {
        for (name, value) in input.values.iter().filter(|(name, value)| !view.is_hidden(name, value)) {
            let Some(parameter) = context.contract.get(name.as_str()) else {
                continue;
            };
            for host in hosts(parameter.kind, value.expose()) {
                if is_local(&host.name) || !host.name.contains('.') {
                    continue;
                }
                let owner = owners.entry(host.name).or_insert(Owner {
                    stages: Vec::new(),
                    parameter: name,
                });
                if !owner.stages.contains(&&input.name) {
                    owner.stages.push(&input.name);
                }
            }
        }
    }
    let all = context.all_stages.len();
    owners.retain(|_, owner| all == 1 || owner.stages.len() < all);
    owners
}

fn diagnostic(context: &Context<'_>, owners: &HashMap<String, Owner<'_>>, host: &str, spans: &[Span]) -> Diagnostic {
    let (stages, parameter) = match owners.get(host) {
        Some(owner) => (listed(owner.stages.iter().copied()), owner.parameter.as_str()),
        None => (String::new(), ""),
    };
    let places = match spans.len() {
        1 => "the configuration names".to_owned(),
        count => format!("{count} places of the configuration name"),
    };
    let message = format!("{places} `{host}`, which is the host of {stages} only");
    let found = spans.iter().take(MOST_PLACES);
    let found = found.fold(Diagnostic::new(Code::LiteralStageHost, message), |found, span| {
        found.at(span.clone(), "the same in all stages")
    });
    let placeholder = context.bundle.placeholder(parameter);
    found.help(format!(
        "write a placeholder: `{placeholder}` gives this host in {stages}"
    ))
}
