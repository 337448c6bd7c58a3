//! A file that a running server gave, read as if it were configuration.

use std::borrow::Cow;

use crate::profile::{ServerProfile, XmlShape};

/// The text of an export with the root that the server loads: a RESTCONF document's `<data>` holds the same children.
/// Everything else is left as it is, and so is what has another root.
pub(super) fn as_configuration<'t>(text: &'t str, profile: &ServerProfile) -> Cow<'t, str> {
    let renamed = profile.xml.as_ref().and_then(|shape| rename_root(text, shape));
    renamed.map_or(Cow::Borrowed(text), Cow::Owned)
}

fn rename_root(text: &str, shape: &XmlShape) -> Option<String> {
    let start = root_start(text)?;
    let tag_end = start + tag_length(&text[start..])?;
    let tag = &text[start..tag_end];
    let name_length = tag[1..].find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'))?;
    let name = &tag[1..1 + name_length];
    let local = name.rsplit(':').next()?;
    let is_known = shape.rejected_roots.iter().any(|root| root.name == local);
    if !is_known || local == shape.root.name {
        return None;
    }
    let attributes = without_default_namespace(&tag[1 + name_length..]);
    let end = match tag.ends_with("/>") {
        true => String::new(),
        false => {
            let close = text.rfind(&format!("</{name}"))?;
            format!(
                "{}</{}{}",
                &text[tag_end..close],
                shape.root.name,
                &text[close + 2 + name.len()..]
            )
        }
    };
    let (before, root) = (&text[..start], &shape.root);
    Some(format!(
        "{before}<{} xmlns=\"{}\"{attributes}{end}",
        root.name, root.namespace
    ))
}

/// Where the root element begins: after declarations, comments and blanks.
fn root_start(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += text[at..].find('<')?;
        let rest = &text[at..];
        at += match rest {
            _ if rest.starts_with("<?") => rest.find("?>")? + 2,
            _ if rest.starts_with("<!--") => rest.find("-->")? + 3,
            _ if rest.starts_with("<!") => return None,
            _ => return Some(at),
        };
    }
}

/// A start tag's bytes; a `>` in quotes does not end it.
fn tag_length(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return Some(at + 1),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Attributes as written, but for `xmlns="…"`.
fn without_default_namespace(attributes: &str) -> String {
    let Some(start) = attributes.match_indices("xmlns").find_map(|(at, word)| {
        let rest = attributes[at + word.len()..].trim_start();
        let is_alone = attributes[..at].ends_with(|c: char| c.is_ascii_whitespace());
        (is_alone && rest.starts_with('=')).then_some(at)
    }) else {
        return attributes.to_owned();
    };
    let value = attributes[start..].find(['"', '\'']).and_then(|open| {
        let quote = attributes[start + open..].chars().next()?;
        let close = attributes[start + open + 1..].find(quote)?;
        Some(start + open + 1 + close + 1)
    });
    match value {
        Some(end) => format!("{}{}", attributes[..start].trim_end(), &attributes[end..]),
        None => attributes.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Bundle;
    use crate::diagnostic::Source;

    fn curity() -> ServerProfile {
        ServerProfile::built_in("curity").unwrap()
    }

    const CONFIG: &str = "<config xmlns=\"http://tail-f.com/ns/config/1.0\"";

    #[test]
    fn a_restconf_document_becomes_a_configuration() {
        let restconf = "<data xmlns=\"urn:ietf:params:xml:ns:yang:ietf-restconf\"";
        let of = |text: String| as_configuration(&text, &curity()).into_owned();
        assert_eq!(of(format!("{restconf}><a/></data>")), format!("{CONFIG}><a/></config>"));
        let written = |root: &str, name: &str| {
            format!("<?xml version=\"1.0\"?>\n<!-- <x> -->{root}\n  xmlns:b='b>' >\n<a>\u{e9}</a></{name} >\n")
        };
        assert_eq!(of(written(restconf, "data")), written(CONFIG, "config"));
        let prefixed = "<rc:data xmlns:rc=\"urn:ietf:params:xml:ns:yang:ietf-restconf\"><a/></rc:data>";
        let (bundle, found) = Bundle::read(vec![Source::new("a.xml", of(prefixed.to_owned()))], &curity());
        assert!(found.is_empty() && bundle.tree().size() == 2, "{found:?}");
        assert_eq!(of(format!("{restconf}/>")), format!("{CONFIG}/>"));
    }

    #[test]
    fn everything_else_is_left_alone() {
        for text in [
            "",
            "<",
            "<a",
            "<a b='>",
            "<config/>",
            "<other></other>",
            "<data>",
            "<!DOCTYPE data><data></data>",
            "<?x",
            "text",
        ] {
            assert_eq!(as_configuration(text, &curity()), text);
        }
        let generic = ServerProfile::built_in("generic").unwrap();
        assert_eq!(as_configuration("<data></data>", &generic), "<data></data>");
    }
}
