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
        self.is_missing_somewhere() || self.cells.iter().any(|cell| !cell.marks.is_empty())
    }

    fn is_missing_somewhere(&self) -> bool {
        self.cells.iter().any(|cell| cell.given == Given::Missing)
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
        let missing: Vec<&Setting> = self
            .settings
            .iter()
            .filter(|setting| setting.is_missing_somewhere())
            .collect();
        let given = match missing.as_slice() {
            _ if self.settings.is_empty() => return "The configuration asks the stages for nothing.".to_owned(),
            [] => format!(
                "Every stage gives all of {}",
                words::counted(self.settings.len(), "setting")
            ),
            [one] => format!("{} has no value in {}", one.name, words::list(&self.missing_in(one))),
            several => format!(
                "{} have no value in some stage",
                words::counted(several.len(), "setting")
            ),
        };
        let look = match (self.suspicious() - missing.len(), missing.is_empty()) {
            (0, true) => ", and nothing looks wrong".to_owned(),
            (0, false) => String::new(),
            (1, _) => "; 1 looks suspicious".to_owned(),
            (look, _) => format!("; {} look suspicious", words::number(look)),
        };
        format!("{given}{look}.")
    }

    fn missing_in(&self, setting: &Setting) -> Vec<&str> {
        let cells = setting.cells.iter().zip(&self.stages);
        let missing = cells.filter(|(cell, _)| cell.given == Given::Missing);
        missing.map(|(_, stage)| stage.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, given: [Given; 2], marks: &[&str]) -> Setting {
        let cell = |given| Cell {
            given,
            group: None,
            marks: marks.iter().map(|mark| (*mark).to_owned()).collect(),
        };
        Setting {
            name: name.to_owned(),
            kind: "text".to_owned(),
            secret: false,
            cells: given.map(cell).into(),
        }
    }

    #[test]
    fn the_sentence_names_what_is_missing_and_where() {
        let said = |settings: Vec<Setting>| {
            let stages = vec!["dev".to_owned(), "prod".to_owned()];
            Matrix { stages, settings }.sentence()
        };
        let (value, missing) = (Given::Value, Given::Missing);
        let good = setting("A", [value, value], &[]);
        let gone = setting("B", [value, missing], &[]);
        let odd = setting("C", [value, value], &["same secret"]);
        assert_eq!(said(vec![]), "The configuration asks the stages for nothing.");
        assert_eq!(
            said(vec![good.clone()]),
            "Every stage gives all of 1 setting, and nothing looks wrong."
        );
        assert_eq!(said(vec![good.clone(), gone.clone()]), "B has no value in prod.");
        assert_eq!(
            said(vec![gone.clone(), odd.clone()]),
            "B has no value in prod; 1 looks suspicious."
        );
        assert_eq!(
            said(vec![good, odd]),
            "Every stage gives all of 2 settings; 1 looks suspicious."
        );
        assert_eq!(
            said(vec![gone.clone(), gone]),
            "2 settings have no value in some stage."
        );
    }
}
