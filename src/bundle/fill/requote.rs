//! Values in scalars of JSON, YAML and TOML. Where a style can't carry a value (a line end between single quotes, `: `
//! in YAML's plain text), the whole scalar is written between double quotes: it is the same text after parsing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::super::collect::{NO_NODE, Placement, Use};
use super::super::document::Element;
use super::super::scalar::{self, Style, Written};
use super::super::tree::NodeId;
use super::{Bundle, Edit};

/// Placeholders and their values, by file and element.
pub(super) type Scalars<'b, 'v> = BTreeMap<(u32, u32), Vec<(&'b Use, &'v str)>>;

impl Bundle {
    pub(super) fn fill_scalars<'v>(&'v self, scalars: Scalars<'v, 'v>, edits: &mut [Vec<Edit<'v>>]) {
        for ((file, _), mut places) in scalars {
            places.sort_by_key(|(place, _)| place.range.start);
            let edits = &mut edits[file as usize];
            match self.scalar_content(places[0].0) {
                Some(content) if places.iter().all(|(place, _)| within(place, &content)) => {
                    self.fill_scalar(&content, &places, edits);
                }
                // A key, which is named by its file as it stands.
                _ => edits.extend(places.iter().map(|(place, value)| Edit {
                    source: place.bytes(),
                    text: written_in_key(place, value),
                })),
            }
        }
    }

    /// Within the quotes of the scalar that a placeholder stands in, if it is no key.
    fn scalar_content(&self, place: &Use) -> Option<Range<usize>> {
        let id = NodeId {
            file: place.file,
            index: place.node,
        };
        if place.node == NO_NODE {
            return None;
        }
        let element = self.tree.element(id);
        (element.has(Element::PLACEHOLDER) && self.tree.is_leaf(id)).then(|| element.content())
    }

    fn fill_scalar<'v>(&'v self, content: &Range<usize>, places: &[(&Use, &'v str)], edits: &mut Vec<Edit<'v>>) {
        let file = places[0].0.file as usize;
        let text = self.files()[file].text();
        let Placement::Scalar(style) = places[0].0.placement else {
            return;
        };
        let here: Vec<_> = places
            .iter()
            .map(|(place, value)| {
                let bytes = place.bytes();
                let ends = (bytes.start == content.start, bytes.end == content.end);
                match scalar::write(style, value, ends, indentation(text, bytes.start)) {
                    Written::Here(text) => Some(Edit { source: bytes, text }),
                    Written::Requoted => None,
                }
            })
            .collect();
        if here.iter().all(Option::is_some) {
            edits.extend(here.into_iter().flatten());
        } else {
            // Defaults in it stand in it already.
            let defaults = self
                .parameters
                .values()
                .flatten()
                .filter(|place| place.file as usize == file && within(place, content));
            let mut all: Vec<(&Use, Option<&str>)> = defaults.map(|place| (place, None)).collect();
            for (place, value) in places {
                all.retain(|(other, _)| other.range != place.range);
                all.push((place, Some(value)));
            }
            all.sort_by_key(|(place, _)| place.range.start);
            edits.retain(|edit| !(edit.source.start >= content.start && edit.source.end <= content.end));
            edits.push(self.requoted(text, style, content, &all));
        }
    }

    /// The whole scalar between double quotes.
    fn requoted<'v>(
        &self,
        text: &str,
        style: Style,
        content: &Range<usize>,
        places: &[(&Use, Option<&str>)],
    ) -> Edit<'v> {
        let (open, quotes) = match style {
            Style::TomlLiteralLines => ("\"\"\"", 3),
            Style::YamlPlain => ("\"", 0),
            _ => ("\"", 1),
        };
        let mut written = open.to_owned();
        let literal = |written: &mut String, part: &str| {
            let part = if style == Style::YamlSingle {
                part.replace("''", "'")
            } else {
                part.to_owned()
            };
            // Line ends stay: they are folded between double quotes as they were before.
            for (index, line) in part.split('\n').enumerate() {
                if index > 0 {
                    written.push('\n');
                }
                written.push_str(&scalar::quoted(line));
            }
        };
        let mut done = content.start;
        for (place, value) in places {
            literal(&mut written, &text[done..place.bytes().start]);
            match value {
                Some(value) => written.push_str(&scalar::quoted(value)),
                None => literal(&mut written, self.default_as_written(place)),
            }
            done = place.bytes().end;
        }
        literal(&mut written, &text[done..content.end]);
        written.push_str(open);
        Edit {
            source: content.start - quotes..content.end + quotes,
            text: Cow::Owned(written),
        }
    }
}

fn within(place: &Use, content: &Range<usize>) -> bool {
    content.start <= place.bytes().start && place.bytes().end <= content.end
}

fn written_in_key<'v>(place: &Use, value: &'v str) -> Cow<'v, str> {
    match place.placement {
        Placement::Scalar(style) => match scalar::write(style, value, (false, false), "") {
            Written::Here(text) => text,
            Written::Requoted => Cow::Borrowed(value),
        },
        _ => Cow::Borrowed(value),
    }
}

/// The blanks that the line of a place begins with.
fn indentation(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[start..at];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}
