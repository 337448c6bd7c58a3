//! Writes YAML that every parser reads alike: each text in double quotes, on one line, with escapes (YAML 1.1 and 1.2).
//!
//! Plain scalars are where YAML's readers differ (`no`, `1e3`, `~`, `@a`); none is written but for keys of our own.

use std::fmt::Write as _;

/// A document, or a part of one.
#[derive(Clone, Debug)]
pub(super) enum Yaml {
    /// A mapping, in this order.
    Map(Vec<(String, Yaml)>),
    /// A sequence.
    List(Vec<Yaml>),
    /// A text.
    Text(String),
    /// A whole number.
    Number(u64),
    /// A truth value.
    Flag(bool),
}

/// A mapping: `map([("name", text("x"))])`.
pub(super) fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Yaml)>) -> Yaml {
    Yaml::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// A sequence.
pub(super) fn list(items: impl IntoIterator<Item = Yaml>) -> Yaml {
    Yaml::List(items.into_iter().collect())
}

/// A sequence of texts.
pub(super) fn texts<T: Into<String>>(items: impl IntoIterator<Item = T>) -> Yaml {
    list(items.into_iter().map(text))
}

/// A text.
pub(super) fn text(text: impl Into<String>) -> Yaml {
    Yaml::Text(text.into())
}

impl Yaml {
    /// Adds an entry to a mapping.
    pub(super) fn with(mut self, key: &str, value: Yaml) -> Self {
        if let Self::Map(entries) = &mut self {
            entries.push((key.to_owned(), value));
        }
        self
    }

    /// Adds an entry to a mapping, where there is one.
    pub(super) fn with_some(self, key: &str, value: Option<Yaml>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Map(entries) => entries.is_empty(),
            Self::List(items) => items.is_empty(),
            _ => false,
        }
    }

    /// The document; it ends with a line break.
    pub(super) fn document(&self) -> String {
        let mut out = String::new();
        self.block(&mut out, 0);
        out
    }

    /// Writes it as lines that are indented so far; the first line's indentation is there already.
    fn block(&self, out: &mut String, depth: usize) {
        match self {
            Self::Map(entries) if !entries.is_empty() => {
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        indent(out, depth);
                    }
                    push_key(out, key);
                    out.push(':');
                    value.behind(out, depth);
                }
            }
            Self::List(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        indent(out, depth);
                    }
                    out.push_str("- ");
                    item.block(out, depth + 1);
                }
            }
            scalar => {
                scalar.inline(out);
                out.push('\n');
            }
        }
    }

    /// Writes it behind a key.
    fn behind(&self, out: &mut String, depth: usize) {
        let inner = match self {
            Self::Map(_) if !self.is_empty() => depth + 1,
            Self::List(_) if !self.is_empty() => depth,
            _ => {
                out.push(' ');
                self.inline(out);
                out.push('\n');
                return;
            }
        };
        out.push('\n');
        indent(out, inner);
        self.block(out, inner);
    }

    fn inline(&self, out: &mut String) {
        match self {
            Self::Map(_) => out.push_str("{}"),
            Self::List(_) => out.push_str("[]"),
            Self::Text(text) => push_quoted(out, text),
            Self::Number(number) => _ = write!(out, "{number}"),
            Self::Flag(flag) => _ = write!(out, "{flag}"),
        }
    }
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Keys of formats stay bare; names that somebody gave (`NO`, `y`, `1`) do not.
fn push_key(out: &mut String, key: &str) {
    let mut bytes = key.bytes();
    let bare = bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && key.len() > 2
        && !matches!(key, "true" | "false" | "yes" | "null" | "off");
    if bare {
        out.push_str(key);
    } else {
        push_quoted(out, key);
    }
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // What YAML 1.1 does not take as it is, and what looks like a line break to it.
            '\0'..='\x1f' | '\x7f'..='\u{9f}' => _ = write!(out, "\\x{:02X}", u32::from(character)),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}'..='\u{ffff}' => {
                _ = write!(out, "\\u{:04X}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> serde_yaml_ng::Value {
        serde_yaml_ng::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
    }

    #[test]
    fn nested_and_empty_things_are_read_back() {
        let document = map([
            ("name", text("no")),
            ("empty", map::<String>([])),
            ("none", list([])),
            (
                "items",
                list([map([("key", text("a")), ("value", Yaml::Number(1))]), texts(["x", "~"])]),
            ),
            ("on", map([("NO", Yaml::Flag(true))])),
        ]);
        insta::assert_snapshot!(document.document(), @r#"
        name: "no"
        empty: {}
        none: []
        items:
        - key: "a"
          value: 1
        - - "x"
          - "~"
        "on":
          "NO": true
        "#);
        let value = read(&document.document());
        assert_eq!(value["items"][1][1], "~");
        assert_eq!(value["on"]["NO"], true);
    }

    proptest! {
        #[test]
        fn every_text_is_read_back(key in any::<String>(), value in any::<String>(), nested in any::<String>()) {
            let document = list([map([(key.clone(), text(value.clone())), (format!("{key}2"), texts([nested.clone()]))])]);
            let back = read(&document.document());
            prop_assert_eq!(back[0].get(&key).and_then(|text| text.as_str()), Some(value.as_str()));
            prop_assert_eq!(back[0][&format!("{key}2")][0].as_str(), Some(nested.as_str()));
        }
    }
}
