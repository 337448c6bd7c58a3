//! Findings for people, as rustc draws them: code, source line, caret, help.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};

use super::excerpt::excerpt;
use crate::diagnostic::{Diagnostic, Label, Position, Severity};

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// With ANSI sequences.
    Always,
    /// Plain.
    Never,
}

/// More places than this are only counted.
const MOST_PLACES: usize = 6;
/// Lines of one source that are so near are drawn together.
const NEAR: usize = 50;

/// All findings, with an empty line after each. Lines are cut to what a terminal shows, withheld ones left out.
pub fn text(diagnostics: &[Diagnostic], color: Color) -> String {
    let renderer = match color {
        Color::Always => Renderer::styled(),
        Color::Never => Renderer::plain(),
    };
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(draw(diagnostic, &renderer).trim_end());
        out.push_str("\n\n");
    }
    out
}

fn draw(diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(diagnostic.message.as_str())
        .id(diagnostic.code.as_str());
    let mut group = Group::with_title(title);
    let shown = &diagnostic.labels[..diagnostic.labels.len().min(MOST_PLACES)];
    let mut columns = Vec::new();
    for chunk in chunks(lines(shown)) {
        let (snippet, given) = snippet(&chunk);
        group = group.element(snippet);
        columns.extend(chunk.into_iter().zip(given));
    }
    let more = diagnostic.labels.len() - shown.len();
    if more > 0 {
        group = group.element(Level::NOTE.message(format!("and {more} more")));
    }
    let helps = diagnostic.help.iter().map(|help| Level::HELP.message(clean(help)));
    with_own_columns(renderer.render(&[group.elements(helps)]), &columns)
}

/// The renderer counts columns in the text that it is given; where that is a cut, put in the line's own.
fn with_own_columns(mut rendered: String, columns: &[(Line<'_>, usize)]) -> String {
    for (line, given) in columns.iter().filter(|(line, given)| *given != line.position.column) {
        let Position { line: number, column } = line.position;
        let path = path_of(line);
        rendered = rendered.replacen(
            &format!("{path}:{number}:{given}"),
            &format!("{path}:{number}:{column}"),
            1,
        );
    }
    rendered
}

/// Labels on one line of one source.
struct Line<'a> {
    position: Position,
    labels: Vec<&'a Label>,
    is_primary: bool,
}

/// The lines that have labels, in the order of their first labels.
fn lines(labels: &[Label]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for label in labels {
        let position = label.span.position();
        let same = lines
            .iter_mut()
            .find(|line| line.position.line == position.line && line.labels[0].span.source == label.span.source);
        match same {
            Some(line) => line.labels.push(label),
            None => lines.push(Line {
                position,
                labels: vec![label],
                is_primary: lines.is_empty(),
            }),
        }
    }
    lines
}

/// Lines of one source that are near each other, from the top: they are drawn as one piece.
fn chunks(lines: Vec<Line<'_>>) -> Vec<Vec<Line<'_>>> {
    let mut chunks: Vec<Vec<Line<'_>>> = Vec::new();
    for line in lines {
        let near = |known: &Line<'_>| {
            known.labels[0].span.source == line.labels[0].span.source
                && known.position.line.abs_diff(line.position.line) <= NEAR
        };
        match chunks.iter_mut().find(|chunk| chunk.iter().any(near)) {
            Some(chunk) => chunk.push(line),
            None => chunks.push(vec![line]),
        }
    }
    for chunk in &mut chunks {
        chunk.sort_by_key(|line| line.position.line);
    }
    chunks
}

/// Lines with their marks, and for each the column that the renderer will find in it.
///
/// The lines in between are left empty: the renderer shows a single one, and it may hold what must not be shown.
fn snippet<'a>(chunk: &[Line<'a>]) -> (Snippet<'a, Annotation<'a>>, Vec<usize>) {
    let first = chunk[0].position.line;
    let mut text = String::new();
    let mut annotations = Vec::new();
    let mut columns = Vec::new();
    for line in chunk {
        let breaks = text.matches('\n').count();
        text.extend(std::iter::repeat_n('\n', line.position.line - first - breaks));
        let spans: Vec<_> = line.labels.iter().map(|label| &label.span).collect();
        let excerpt = excerpt(line.position, &spans);
        columns.push(excerpt.text[..excerpt.marks[0].start].chars().count() + 1);
        for (index, (label, mark)) in line.labels.iter().zip(excerpt.marks).enumerate() {
            let kind = if line.is_primary && index == 0 {
                AnnotationKind::Primary
            } else {
                AnnotationKind::Context
            };
            let annotation = kind.span(text.len() + mark.start..text.len() + mark.end);
            annotations.push(match label.text.as_str() {
                "" => annotation,
                words => annotation.label(clean(words)),
            });
        }
        text.push_str(&excerpt.text);
    }
    let snippet = Snippet::source(text)
        .path(path_of(&chunk[0]))
        .line_start(first)
        .annotations(annotations);
    (snippet, columns)
}

fn path_of(line: &Line<'_>) -> String {
    clean(line.labels[0].span.source.path().as_str()).replace('\n', "␊")
}

/// Without characters that move a terminal's cursor or change its colours.
pub(super) fn clean(text: &str) -> String {
    normalize_untrusted_str(text).replace('\r', "␍")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Code, Source};
    use crate::report::example;

    #[test]
    fn looks_like_rustc() {
        insta::assert_snapshot!(text(&example::diagnostics(), Color::Never), @r#"
        error[stage-host]: `BASE` of `prod` names another host
         --> env/prod.env:2:6
          |
        1 | A=1
          | - compare: 50%, a,b
        2 | BASE=http://localhost:8443
          |      ^^^^^^^^^^^^^^^^^^^^^ the address
          |
          = help: change it
                  now
          = help: or run `iamship check`

        warning[parameter-missing]: no value for `X`

        error[secret-in-values]: `DB_PASSWORD` is a secret
         --> env/prod.env:3:13
          |
        3 | (not shown: it may hold a secret)
          | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ take it out
        "#);
    }

    #[test]
    fn endless_lines_are_cut_and_keep_their_columns() {
        let line = format!("<key>{}#{{X}}{}</key>", "A".repeat(12_000), "B".repeat(12_000));
        let source = Source::new("a.xml", line);
        let found = Diagnostic::new(Code::ParameterMissing, "no value").at(source.span(12_005..12_009), "here");
        insta::assert_snapshot!(text(&[found], Color::Never), @r#"
        error[parameter-missing]: no value
         --> a.xml:1:12006
          |
        1 | …AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA#{X}BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB…
          |                                          ^^^^ here
        "#);
    }

    #[test]
    fn thousands_of_findings_in_one_endless_line_take_no_time_each() {
        let source = Source::new("a.xml", "<a>#{X}</a>".repeat(200_000));
        let finding =
            |at: usize| Diagnostic::new(Code::ParameterMissing, "no").at(source.span(at * 11 + 3..at * 11 + 7), "");
        let findings: Vec<_> = (0..2_000).map(|index| finding(index * 100)).collect();
        let drawn = text(&findings, Color::Never);
        assert!(drawn.len() < 2_000 * 600);
        assert!(drawn.contains("a.xml:1:2198904"), "{}", &drawn[drawn.len() - 500..]);
    }

    #[test]
    fn lines_between_two_places_are_not_shown() {
        let source = Source::new("x.env", "A=1\nDB_PASSWORD=hunter2\nA=2\n");
        let found = Diagnostic::new(Code::EnvDuplicate, "`A` has two values");
        let found = found
            .at(source.span(24..25), "the second")
            .at(source.span(0..1), "the first");
        let drawn = text(&[found], Color::Never);
        assert!(
            drawn.contains("x.env:3:1") && drawn.contains("1 | A=1") && drawn.contains("3 | A=2"),
            "{drawn}"
        );
        assert!(!drawn.contains("hunter2"), "{drawn}");
    }

    #[test]
    fn marks_over_many_lines_end_with_the_first_and_places_beyond_a_handful_are_counted() {
        let source = Source::new("a.env", "X='a\nb\nc'\n".repeat(20));
        let places = (0..20).map(|index| source.span(index * 10 + 3..index * 10 + 8));
        let found = places.fold(Diagnostic::new(Code::EnvDuplicate, "many"), |found, place| {
            found.at(place, "here")
        });
        let drawn = text(&[found], Color::Never);
        assert_eq!(drawn.matches("here").count(), MOST_PLACES);
        assert!(drawn.contains("and 14 more"), "{drawn}");
    }

    #[test]
    fn nothing_in_a_text_can_steer_the_terminal() {
        let source = Source::new("a\x1b[2J.env", "X=\x1b[31mred\r\x07");
        let found = Diagnostic::new(Code::EnvSyntax, "m\x1b[1m")
            .at(source.span(2..10), "l\x1b[1m")
            .help("h\x1b[1m\r");
        let drawn = text(&[found], Color::Never);
        assert!(!drawn.contains(['\x1b', '\r', '\x07']), "{drawn:?}");
    }

    #[test]
    fn colours_come_when_asked_for() {
        assert!(text(&example::diagnostics(), Color::Always).contains("\x1b["));
        assert!(!text(&example::diagnostics(), Color::Never).contains("\x1b["));
    }

    proptest::proptest! {
        #[test]
        fn no_place_makes_it_panic(text in "[aé€𝄞\t\r\n\u{1b}]{0,300}", places in proptest::collection::vec((0usize..400, 0usize..400), 0..9)) {
            let source = Source::new("x", text);
            let found = places.into_iter().fold(Diagnostic::new(Code::EnvSyntax, "m"), |found, (start, length)| {
                let border = |at: usize| (0..=at.min(source.text().len())).rev().find(|at| source.text().is_char_boundary(*at));
                let (start, end) = (border(start).unwrap_or(0), border(start + length).unwrap_or(0));
                found.at(source.span(start..end), "here")
            });
            super::text(&[found], Color::Never);
        }
    }
}
