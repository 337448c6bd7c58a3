//! What is stored at a path: names and values, read without a detour through plain texts.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize as _;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// Names and values of one path. `Debug` shows names only.
#[derive(Debug, Default)]
pub struct Entries {
    /// What can be a value: texts as they are, numbers and booleans as they are written. `null` is none.
    pub values: BTreeMap<String, SecretString>,
    /// What can't.
    pub skipped: Vec<Skipped>,
}

/// A name whose value is an object or a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The name.
    pub name: String,
}

impl Entries {
    /// Every name that has something.
    pub fn names(&self) -> Vec<String> {
        let skipped = self.skipped.iter().map(|skipped| &skipped.name);
        self.values.keys().chain(skipped).cloned().collect()
    }

    /// Reads a JSON object.
    pub fn of(object: &BTreeMap<String, &RawValue>) -> Self {
        let mut entries = Self::default();
        for (name, raw) in object {
            match text(raw) {
                Text::Value(value) => {
                    entries.values.insert(name.clone(), value);
                }
                Text::None => {}
                Text::Structure => entries.skipped.push(Skipped { name: name.clone() }),
            }
        }
        entries
    }
}

enum Text {
    Value(SecretString),
    None,
    Structure,
}

fn text(raw: &RawValue) -> Text {
    let written = raw.get();
    match written.as_bytes().first() {
        Some(b'"') => {
            let mut deserializer = serde_json::Deserializer::from_str(written);
            match String::deserialize(&mut deserializer).map(Zeroizing::new) {
                Ok(text) => Text::Value(text.as_str().into()),
                Err(_) => Text::Structure,
            }
        }
        Some(b'{' | b'[') => Text::Structure,
        Some(b'n') | None => Text::None,
        // Numbers as they stand: a detour through a float would change some.
        Some(_) => Text::Value(written.into()),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn texts_numbers_and_booleans_are_values_and_structures_are_not() {
        let json = r#"{"a":"x\n\"é","n":12345678901234567890.10,"b":true,"z":null,"o":{"p":1},"l":["x"],"e":""}"#;
        let object: BTreeMap<String, &RawValue> = serde_json::from_str(json).expect("JSON");
        let entries = Entries::of(&object);
        let read: Vec<_> = entries
            .values
            .iter()
            .map(|(name, text)| (name.as_str(), text.expose_secret()))
            .collect();
        let expected = [
            ("a", "x\n\"é"),
            ("b", "true"),
            ("e", ""),
            ("n", "12345678901234567890.10"),
        ];
        assert_eq!(read, expected);
        assert_eq!(
            entries
                .skipped
                .iter()
                .map(|skipped| skipped.name.as_str())
                .collect::<Vec<_>>(),
            ["l", "o"]
        );
        assert_eq!(entries.names().len(), 6);
        assert!(!format!("{entries:?}").contains("123456"));
    }
}
