//! Tables: no borders, columns two blanks apart, colours not counted.

use std::fmt;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table as Inner};

/// Rows under a head.
pub(super) struct Table(Inner);

impl Table {
    pub(super) fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut table = Inner::new();
        // Lines are never broken: scripts and eyes read one row a line.
        table
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(head.into_iter().map(Into::into).collect::<Vec<String>>());
        Self(table)
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.0
            .add_row(cells.into_iter().map(Into::into).collect::<Vec<String>>());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.trim_end().strip_prefix(' ').unwrap_or(line.trim_end()))
            .collect();
        formatter.write_str(&lines.join("\n"))
    }
}
