//! Stages beside parameters: what each stage gives, which stages give the same, and what is suspicious about it.

use std::collections::{BTreeMap, BTreeSet};

use super::StageInput;
use super::likeness::{Comparison, Likeness};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::project::StageName;
use crate::values::{Contract, ContractParameter, Coverage};

/// A row for each parameter, a column for each stage. Holds no value of a stage.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// The columns, in the order of promotion.
    pub stages: Vec<StageName>,
    /// The rows, by the parameters' names.
    pub rows: Vec<Row>,
}

/// One parameter.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is asked for, and where. Its default is the configuration's own text.
    pub parameter: ContractParameter,
    /// What each stage gives, in the order of [`Matrix::stages`].
    pub cells: Vec<Cell>,
}

/// What one stage gives one parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Whether it gives something, and from where.
    pub coverage: Coverage,
    /// Stages of a row that have one value have one letter. None where there is no value, or it was not read.
    pub group: Option<Group>,
    /// What is suspicious, the worst first.
    pub marks: Vec<Mark>,
}

/// Which of a row's different values: 0 is the first stage's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(pub u16);

/// Something suspicious about a cell: a finding of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which rule speaks.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// The finding's sentence.
    pub message: String,
}

impl std::fmt::Display for Group {
    /// `A` to `Z`, then `A1`, `B1` …
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letter = char::from(b'A' + (self.0 % 26) as u8);
        match self.0 / 26 {
            0 => write!(formatter, "{letter}"),
            round => write!(formatter, "{letter}{round}"),
        }
    }
}

impl Row {
    /// How many different values its stages have.
    pub fn distinct(&self) -> usize {
        let groups: BTreeSet<_> = self.cells.iter().filter_map(|cell| cell.group).collect();
        groups.len()
    }

    /// The worst of its marks.
    pub fn severity(&self) -> Option<Severity> {
        let marks = self.cells.iter().flat_map(|cell| &cell.marks);
        marks.map(|mark| mark.severity).max()
    }
}

/// Lays out what these stages give. `unread`: stages of which only the names of secrets are known.
pub fn matrix(contract: &Contract, stages: &[StageInput], unread: &[StageName], findings: &[Diagnostic]) -> Matrix {
    let comparison = Comparison::new();
    let marks = marks(findings);
    let coverage: Vec<_> = stages.iter().map(|stage| contract.coverage(&stage.values)).collect();
    let rows = contract.parameters.iter().enumerate().map(|(index, parameter)| {
        let mut groups: Vec<Likeness> = Vec::new();
        let cells = stages.iter().zip(&coverage).map(|(stage, coverage)| {
            let value = value(parameter, stage, unread);
            let place = (stage.name.as_str(), parameter.name.as_str());
            Cell {
                coverage: coverage[index],
                group: value.map(|value| group(&mut groups, comparison.likeness(value))),
                marks: marks.get(&place).cloned().unwrap_or_default(),
            }
        });
        let cells = cells.collect();
        Row {
            parameter: parameter.clone(),
            cells,
        }
    });
    Matrix {
        rows: rows.collect(),
        stages: stages.iter().map(|stage| stage.name.clone()).collect(),
    }
}

/// What the server would get, as far as it is known.
fn value<'a>(parameter: &'a ContractParameter, stage: &'a StageInput, unread: &[StageName]) -> Option<&'a str> {
    match stage.values.get(&parameter.name) {
        Some(value) if value.is_secret() && unread.contains(&stage.name) => None,
        Some(value) => Some(value.expose()),
        None => parameter.default.as_deref(),
    }
}

fn group(groups: &mut Vec<Likeness>, likeness: Likeness) -> Group {
    let index = groups.iter().position(|known| *known == likeness).unwrap_or_else(|| {
        groups.push(likeness);
        groups.len() - 1
    });
    Group(u16::try_from(index).unwrap_or(u16::MAX))
}

fn marks(findings: &[Diagnostic]) -> BTreeMap<(&str, &str), Vec<Mark>> {
    let mut marks: BTreeMap<_, Vec<Mark>> = BTreeMap::new();
    for finding in findings {
        for about in &finding.about {
            let place = (about.stage.as_str(), about.parameter.as_str());
            marks.entry(place).or_default().push(Mark {
                code: finding.code,
                severity: finding.severity,
                message: finding.message.clone(),
            });
        }
    }
    for marks in marks.values_mut() {
        marks.sort_by(|one, other| (other.severity, one.code).cmp(&(one.severity, other.code)));
        marks.dedup();
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;

    #[test]
    fn stages_with_one_value_have_one_letter() {
        let fixture = Fixture::new(
            &["A?one", "!S", "URL:url"],
            &[
                ("dev", "A=one\nURL=http://localhost"),
                ("qa", "A=two\n"),
                ("prod", "URL=http://localhost"),
            ],
        )
        .secret("dev", "S", "hunter2")
        .secret("qa", "S", "hunter3")
        .secret("prod", "S", "hunter2");
        let found = crate::checks::stage_localhost::find(&fixture.view());
        let told = |matrix: &Matrix| -> Vec<String> {
            let cell = |cell: &Cell| {
                let group = cell.group.map_or("-".to_owned(), |group| group.to_string());
                let marks: String = cell.marks.iter().map(|mark| format!(" {}", mark.code)).collect();
                format!("{:?} {group}{marks}", cell.coverage)
            };
            let row = |row: &Row| row.cells.iter().map(cell).collect::<Vec<_>>().join(" | ");
            matrix.rows.iter().map(row).collect()
        };
        let whole = matrix(&fixture.contract, &fixture.stages, &[], &found);
        assert_eq!(
            told(&whole),
            [
                "Given A | Given B | Default A",
                "Secret A | Secret B | Secret A",
                "Given A | Missing - | Given A stage-localhost",
            ]
        );
        assert_eq!((whole.rows[0].distinct(), whole.rows[0].severity()), (2, None));
        assert_eq!(whole.rows[2].severity(), Some(Severity::Error));
        let unread = fixture.stages[2].name.clone();
        let half = matrix(&fixture.contract, &fixture.stages, &[unread], &found);
        assert_eq!(told(&half)[1], "Secret A | Secret B | Secret -");
        assert!(!format!("{whole:?}").contains("hunter"));
    }

    #[test]
    fn letters_go_on_after_the_last_one() {
        let letters: Vec<_> = [0, 25, 26, 53].iter().map(|group| Group(*group).to_string()).collect();
        assert_eq!(letters, ["A", "Z", "A1", "B2"]);
    }
}
