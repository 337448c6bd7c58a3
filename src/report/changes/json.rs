//! The JSON document of `iamship diff` (`iamship.diff/v1`), and the parts that other documents share.

use serde_json::{Map, Value, json};

use super::{Changes, counts};
use crate::bundle::Change;
use crate::diagnostic::Span;
use crate::image::{BaseDifference, BaseImage, Digest};

/// `before`, `after` (`{name, digest}`), `differs`, `counts`, `hidden`, `changes[]`, `base`.
pub fn diff_json(changes: &Changes<'_>) -> Value {
    let side = |(name, digest): &(String, Option<Digest>)| json!({ "name": name, "digest": digest });
    let counts: Map<String, Value> = counts(&changes.changes)
        .into_iter()
        .map(|(severity, count)| (severity.as_str().to_owned(), count.into()))
        .collect();
    json!({
        "schema": "iamship.diff/v1",
        "before": side(&changes.before),
        "after": side(&changes.after),
        "differs": changes.differs(),
        "counts": counts,
        "hidden": changes.hidden,
        "changes": changes_json(changes.changes.iter().copied()),
        "base": base_json(changes.base),
    })
}

/// `[] {kind, subject, argument, path, severity, because, before, after, secret, places {before, after}}`
pub fn changes_json<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Value {
    changes.into_iter().map(change).collect()
}

fn change(change: &Change) -> Value {
    let value = |text: &Option<String>| text.as_ref().filter(|_| !change.secret).cloned();
    json!({
        "kind": change.kind.as_str(),
        "subject": change.subject.to_string(),
        "argument": change.subject.argument(),
        "path": change.path,
        "severity": change.severity.as_str(),
        "because": change.because,
        "before": value(&change.before),
        "after": value(&change.after),
        "secret": change.secret,
        "places": { "before": place(change.before_span.as_ref()), "after": place(change.after_span.as_ref()) },
    })
}

fn place(span: Option<&Span>) -> Value {
    span.map_or(Value::Null, |span| {
        let position = span.position();
        json!({ "file": span.source.path(), "line": position.line, "column": position.column })
    })
}

/// `{before, after}`, each `{reference, version, digest}` or null; `differs`; `image[] {what, name, before, after,
/// platform}`.
pub fn base_json(base: &BaseDifference) -> Value {
    let side = |base: &Option<BaseImage>| {
        base.as_ref().map_or(
            Value::Null,
            |base| json!({ "reference": base.reference, "version": base.version, "digest": base.digest }),
        )
    };
    let image = base.image.iter().map(|change| {
        json!({
            "what": change.what,
            "name": change.name,
            "before": change.before,
            "after": change.after,
            "platform": change.platform,
        })
    });
    json!({
        "before": side(&base.before),
        "after": side(&base.after),
        "differs": base.differs(),
        "image": image.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn the_document_says_all_that_people_are_told() {
        let (mut changes, base) = (example::changes(), example::base());
        // Whatever made it, a secret is told by nobody.
        changes[2].before = Some("hunter2".to_owned());
        let document = diff_json(&example::of(&changes, &base));
        assert_eq!(document["schema"], "iamship.diff/v1");
        assert_eq!(document["counts"]["breaking"], 1);
        assert_eq!(
            document["changes"][0],
            json!({
                "kind": "changed", "subject": "client `shop`", "argument": "client:shop", "path": "/client[shop]/lifetime",
                "severity": "behaviour", "because": null, "before": "60", "after": "30", "secret": false,
                "places": {"before": null, "after": {"file": "config/clients.xml", "line": 2, "column": 3}},
            })
        );
        assert_eq!(document["base"]["after"]["version"], "11.4.0");
        assert_eq!(document["base"]["image"][0]["what"], "user");
        assert!(!document.to_string().contains("hunter2"));
        let nothing = diff_json(&example::of(&[], &BaseDifference::default()));
        assert_eq!(
            (&nothing["differs"], &nothing["base"]["before"]),
            (&json!(false), &Value::Null)
        );
    }
}
