//! Reads TOML: `toml` parses, with a place for everything; tables that stand in pieces are put together.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::document::Syntax;
use super::super::scalar;
use super::{Builder, Malformed, Result};

/// Reads a text. The library bounds the depth.
pub(super) fn read(text: &str, builder: &mut Builder<'_>) -> Result<()> {
    let document = DeTable::parse(text).map_err(|error| {
        let range = error.span().unwrap_or(text.len()..text.len());
        Malformed::new(error.message(), range)
    })?;
    let mut reader = Reader { text, builder };
    reader.builder.object(0)?;
    reader.members(document.get_ref())?;
    reader.builder.close(Some(text.len()));
    Ok(())
}

struct Reader<'t, 'b, 'r> {
    text: &'t str,
    builder: &'b mut Builder<'r>,
}

impl Reader<'_, '_, '_> {
    /// A table's members in the order of the text.
    fn members(&mut self, table: &DeTable<'_>) -> Result<()> {
        let mut members: Vec<_> = table.iter().collect();
        members.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in members {
            let span = key.span();
            let content = self.content(&span);
            let name = scalar::decode(Syntax::Toml, self.builder.text(), content.clone()).into_owned();
            self.builder.member(&name, span, content)?;
            self.value(value)?;
        }
        Ok(())
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>) -> Result<()> {
        let span = value.span();
        // A table of its own has its header's place.
        let inline = self.text[span.clone()].starts_with('{');
        match value.get_ref() {
            DeValue::Table(table) => {
                self.builder.object(span.start)?;
                self.members(table)?;
                self.builder.close(inline.then_some(span.end));
            }
            DeValue::Array(array) => {
                let tables = self.text[span.clone()].starts_with("[[") && self.is_tables(array, &span);
                self.builder.array(span.start)?;
                for item in array.iter() {
                    self.value(item)?;
                }
                self.builder.close((!tables).then_some(span.end));
            }
            _ => {
                let content = self.content(&span);
                self.builder.scalar(span, content, 0)?;
            }
        }
        Ok(())
    }

    /// Whether an array is written as `[[tables]]`: its first item has the header's place.
    fn is_tables(&self, array: &toml::de::DeArray<'_>, span: &Range<usize>) -> bool {
        array.iter().next().is_some_and(|first| first.span() == *span)
    }

    /// Within the quotes, if there are any.
    fn content(&self, span: &Range<usize>) -> Range<usize> {
        let written = &self.text[span.clone()];
        let quotes = if written.len() >= 6 && (written.starts_with("\"\"\"") || written.starts_with("'''")) {
            3
        } else if written.len() >= 2 && written.starts_with(['"', '\'']) {
            1
        } else {
            0
        };
        span.start + quotes..span.end - quotes
    }
}
