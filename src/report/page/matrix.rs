//! Stages by parameters: who gives what, and which are the same. Never a value.

use serde::Serialize;

use super::words;

/// Which stage gives which parameter.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Matrix {
    /// The stages: one a column.
    pub stages: Vec<String>,
    /// The parameters: one a row.
    pub settings: Vec<Setting>,
}

/// One parameter.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// What it must look like.
    pub kind: String,
    /// Whether it is a secret.
    pub secret: bool,
    /// What each stage gives, in the order of the matrix's stages.
    pub cells: Vec<Cell>,
}

/// What one stage gives.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// Where it comes from.
    pub given: Given,
    /// A letter that is the same where the value is; none where that can't be told.
    pub group: Option<String>,
    /// What is suspicious: each a sentence.
    pub marks: Vec<String>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Given {
    /// From the stage's values.
    Value,
    /// From the stage's secrets.
    Secret,
    /// The server's default is taken.
    Default,
    /// From nowhere, and it must be there.
    Missing,
}

impl Given {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Secret => "secret",
            Self::Default => "default",
            Self::Missing => "missing",
        }
    }
}

impl Setting {
    /// Whether somebody should look at it.
    pub fn needs_a_look(&self) -> bool {
        self.cells
            .iter()
            .any(|cell| cell.given == Given::Missing || !cell.marks.is_empty())
    }
}

impl Matrix {
    /// How many settings somebody should look at.
    pub fn suspicious(&self) -> usize {
        self.settings.iter().filter(|setting| setting.needs_a_look()).count()
    }

    /// The settings that somebody should look at come first.
    pub fn ordered(&self) -> Vec<&Setting> {
        let mut ordered: Vec<&Setting> = self.settings.iter().collect();
        ordered.sort_by_key(|setting| !setting.needs_a_look());
        ordered
    }

    /// Whether letters tell which values are the same.
    pub fn has_groups(&self) -> bool {
        let mut cells = self.settings.iter().flat_map(|setting| &setting.cells);
        cells.any(|cell| cell.group.is_some())
    }

    /// The answer, in a sentence.
    pub fn sentence(&self) -> String {
        let all = words::counted(self.settings.len(), "setting");
        let missing = self.settings.iter().filter(|setting| {
            let mut cells = setting.cells.iter();
            cells.any(|cell| cell.given == Given::Missing)
        });
        match (self.settings.len(), missing.count(), self.suspicious()) {
            (0, ..) => "The configuration asks the stages for nothing.".to_owned(),
            (_, 0, 0) => format!("Every stage gives all of {all}, and nothing looks wrong."),
            (_, 0, 1) => format!("Every stage gives all of {all}; 1 needs a look."),
            (_, 0, look) => format!("Every stage gives all of {all}; {} need a look.", words::number(look)),
            (_, 1, 1) => format!("Of {all}, 1 is missing somewhere."),
            (_, missing, look) => format!(
                "Of {all}, {} missing somewhere, {} a look.",
                match missing {
                    1 => "1 is".to_owned(),
                    missing => format!("{} are", words::number(missing)),
                },
                match look {
                    1 => "1 needs".to_owned(),
                    look => format!("{} need", words::number(look)),
                }
            ),
        }
    }
}
