//! What a project allows: a comment where the finding is, or a `[[checks.allow]]`; each with its reason.

use std::cell::Cell;

use memchr::memmem;

use crate::bundle::Bundle;
use crate::diagnostic::{Allowed, Code, Diagnostic, Severity, Source, Span, nearest};
use crate::project::{Allowance, Project};

/// What a comment that allows begins with.
const MARK: &str = "iamship:";

/// Where findings stand.
pub struct Scene<'a> {
    /// The project.
    pub project: &'a Project,
    /// The configuration.
    pub bundle: &'a Bundle,
    /// Further texts with comments: the project file, values files.
    pub sources: &'a [Source],
    /// Whether every rule looked at everything; else nothing can be said of what allows nothing.
    pub whole: bool,
}

/// What is told, and what is allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
    /// What would be.
    pub allowed: Vec<Allowed>,
}

/// Parts what is allowed from what is not, and tells of allowances that can't count or allow nothing.
pub fn allow(diagnostics: Vec<Diagnostic>, scene: &Scene<'_>) -> Findings {
    let comments: Vec<_> = scene
        .bundle
        .files()
        .iter()
        .chain(scene.sources)
        .flat_map(comments)
        .collect();
    let allowances: Vec<_> = scene
        .project
        .allowances
        .iter()
        .map(|said| (said, Cell::new(false)))
        .collect();
    let mut findings = Findings::default();
    for diagnostic in diagnostics {
        let by_comment = comments.iter().find(|comment| comment.covers(&diagnostic));
        let by_project = || {
            allowances
                .iter()
                .find(|(said, _)| covers(said, &diagnostic, scene.bundle))
        };
        let (reason, span, in_source) = if let Some(comment) = by_comment {
            comment.used.set(true);
            (comment.reason.clone(), comment.span.clone(), true)
        } else if let Some((said, used)) = by_project() {
            used.set(true);
            (said.reason.clone(), said.span.clone(), false)
        } else {
            findings.diagnostics.push(diagnostic);
            continue;
        };
        findings.allowed.push(Allowed {
            diagnostic,
            reason,
            span,
            in_source,
        });
    }
    let unread = findings
        .diagnostics
        .iter()
        .any(|found| found.is_error() && !found.code.can_be_allowed());
    let invalid = comments.iter().filter_map(|comment| comment.problem.clone());
    let mut told: Vec<_> = invalid.collect();
    if scene.whole && !unread && scene.bundle.tree().is_complete() {
        let of_comments = comments
            .iter()
            .filter_map(|comment| comment.code.map(|code| (code, &comment.span, &comment.used)));
        let of_project = allowances.iter().map(|(said, used)| (said.code, &said.span, used));
        let unused = of_comments
            .chain(of_project)
            .filter(|(code, _, used)| !used.get() && is_on(scene.project, *code));
        told.extend(unused.map(|(code, span, _)| {
            let message = format!("`{code}` is allowed here, and is not found here");
            Diagnostic::new(Code::AllowUnused, message)
                .at(span.clone(), "")
                .help("remove it, or put it on the line of the finding or the line before")
        }));
    }
    findings.diagnostics.extend(super::with_severities(told, scene.project));
    findings
}

/// Whether a rule is on for somebody.
fn is_on(project: &Project, code: Code) -> bool {
    let off = |said: Option<&Option<Severity>>| said == Some(&None);
    let stages = || project.stages.iter().map(|stage| stage.severities.get(code.as_str()));
    !off(project.severities.get(code.as_str())) && !stages().any(off)
}

fn covers(said: &Allowance, diagnostic: &Diagnostic, bundle: &Bundle) -> bool {
    if said.code != diagnostic.code {
        return false;
    }
    let Some(span) = diagnostic.labels.first().map(|label| &label.span) else {
        return false;
    };
    let file = span.source.path();
    if !said.path.is_element() {
        return said.path.fits(file.as_str());
    }
    let index = bundle.files().iter().position(|source| source.path() == file);
    let node = index.and_then(|index| bundle.tree().node_at(index, span.range.start));
    node.is_some_and(|node| said.path.fits(&node.path()))
}

/// A comment that allows something.
struct Comment {
    /// What; none when it can't count.
    code: Option<Code>,
    reason: String,
    problem: Option<Diagnostic>,
    span: Span,
    /// The lines on which a finding is allowed.
    lines: (usize, usize),
    used: Cell<bool>,
}

impl Comment {
    fn covers(&self, diagnostic: &Diagnostic) -> bool {
        let place = || diagnostic.labels.first().map(|label| &label.span);
        self.code == Some(diagnostic.code)
            && place().is_some_and(|span| {
                let line = span.position().line;
                span.source.path() == self.span.source.path() && (self.lines.0..=self.lines.1).contains(&line)
            })
    }
}

/// How comments are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    /// `<!-- … -->`
    Markup,
    /// `# …` up to the end of the line.
    Hash,
    /// There are none.
    None,
}

impl Syntax {
    fn of(source: &Source) -> Self {
        match source.path().extension() {
            Some("json") => Self::None,
            Some("xml") => Self::Markup,
            _ => Self::Hash,
        }
    }
}

/// The comments of a text that allow something, or mean to.
fn comments(source: &Source) -> Vec<Comment> {
    let (text, syntax) = (source.text(), Syntax::of(source));
    if syntax == Syntax::None {
        return Vec::new();
    }
    let places = memmem::find_iter(text.as_bytes(), MARK);
    let mut comments: Vec<_> = places.filter_map(|at| comment(source, syntax, at)).collect();
    // Of comments one below the other each one reaches the line after the last.
    for index in (1..comments.len()).rev() {
        let (next_starts, reaches) = (comments[index].span.position().line, comments[index].lines.1);
        let before = &mut comments[index - 1];
        if before.lines.1 == next_starts && stands_alone(&comments[index].span) {
            comments[index - 1].lines.1 = reaches;
        }
    }
    comments
}

fn stands_alone(span: &Span) -> bool {
    let before = &span.source.text()[..span.range.start];
    let line = before.rsplit('\n').next().unwrap_or_default();
    line.trim().is_empty()
}

fn comment(source: &Source, syntax: Syntax, at: usize) -> Option<Comment> {
    let text = source.text();
    let before = text[..at].trim_end_matches([' ', '\t', '\r', '\n']);
    let (opens, rest) = match syntax {
        Syntax::Markup => ("<!--", text[at..].split("-->").next()?),
        Syntax::Hash => ("#", text[at..].lines().next()?),
        Syntax::None => return None,
    };
    let start = before.strip_suffix(opens)?.len();
    if syntax == Syntax::Hash && text[start..at].contains('\n') {
        return None;
    }
    let said = rest[MARK.len()..].trim_start().strip_prefix("allow")?;
    if said.starts_with(|next: char| !next.is_whitespace()) {
        return None;
    }
    let end = at + rest.len() + if syntax == Syntax::Markup { "-->".len() } else { 0 };
    let span = source.span(start..end.min(text.len()));
    let lines = (span.position().line, span.end().line + 1);
    let mut words = said.trim().splitn(2, char::is_whitespace);
    let (name, reason) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default().trim(),
    );
    let (code, problem) = match judge(name, reason) {
        Ok(code) => (Some(code), None),
        Err((message, help)) => {
            let found = Diagnostic::new(Code::AllowInvalid, message).at(span.clone(), "");
            (None, Some(found.help(help)))
        }
    };
    Some(Comment {
        code,
        reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
        problem,
        span,
        lines,
        used: Cell::new(false),
    })
}

/// The code, or a message and its mend.
fn judge(name: &str, reason: &str) -> Result<Code, (String, String)> {
    let known = || {
        Code::ALL
            .iter()
            .filter(|code| code.can_be_allowed())
            .map(|code| code.as_str())
    };
    match Code::named(name) {
        _ if name.is_empty() => Err((
            "this allows nothing: it names no code".to_owned(),
            "write `iamship: allow CODE reason`".to_owned(),
        )),
        None => Err((
            format!("this allows nothing: no check has the code `{name}`"),
            nearest(name, known()).map_or_else(
                || "`iamship rule` lists all".to_owned(),
                |near| format!("did you mean `{near}`?"),
            ),
        )),
        Some(code) if !code.can_be_allowed() => Err((
            format!("`{code}` can't be allowed"),
            format!("`iamship rule {code}` says what mends it"),
        )),
        Some(code) if reason.is_empty() => Err((
            format!("this allows nothing: it gives no reason for `{code}`"),
            format!("write why, for the next reader: `iamship: allow {code} because …`"),
        )),
        Some(code) => Ok(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::read_contents;
    use crate::checks::fixture::Fixture;

    /// What is told and what is allowed of one finding at the first `HERE`.
    fn judged(path: &str, text: &str, whole: bool) -> (Vec<String>, Vec<String>) {
        let source = Source::new(path, text);
        let at = text.find("HERE").expect("a place");
        let found = Diagnostic::new(Code::StagePlainHttp, "found").at(source.span(at..at + 4), "");
        let (bundle, _) = read_contents(&["<a/>"]);
        let fixture = Fixture::new(&[], &[("dev", "")]);
        let scene = Scene {
            project: &fixture.project,
            bundle: &bundle,
            sources: &[source],
            whole,
        };
        let findings = allow(vec![found], &scene);
        let told = findings
            .diagnostics
            .iter()
            .map(|found| format!("{}: {}", found.code, found.message));
        let allowed = findings.allowed.into_iter().map(|allowed| allowed.reason);
        (told.collect(), allowed.collect())
    }

    #[test]
    fn a_comment_allows_on_its_line_and_on_the_line_after() {
        let comment = "# iamship: allow stage-plain-http inside only";
        for text in [
            format!("{comment}\nA=HERE\n"),
            format!("A=HERE {comment}\n"),
            format!("  {comment}\r\nA=HERE\r\n"),
            format!("{comment}\n# iamship: allow stage-host another\nA=HERE\n"),
        ] {
            assert_eq!(
                judged("a.env", &text, false),
                (vec![], vec!["inside only".to_owned()]),
                "{text}"
            );
        }
        for text in [
            format!("{comment}\n\nA=HERE\n"),
            format!("A=HERE\n{comment}\n"),
            comment.replace('#', "//") + "\nA=HERE\n",
            comment.replace("plain-http", "host") + "\nA=HERE\n",
            format!("<!-- {} -->\nA=HERE\n", &comment[2..]),
        ] {
            let (told, allowed) = judged("a.env", &text, false);
            assert_eq!((told.len(), allowed.len()), (1, 0), "{text}");
        }
    }

    #[test]
    fn xml_has_its_own_comments_and_json_has_none() {
        let words = "iamship: allow stage-plain-http\n  inside   only";
        let (told, allowed) = judged("a.xml", &format!("<a>\n<!--\n {words}\n-->\n<b>HERE</b></a>"), false);
        assert_eq!((told, allowed), (vec![], vec!["inside only".to_owned()]));
        let (told, allowed) = judged("a.xml", "<a># iamship: allow stage-plain-http x\nHERE</a>", true);
        assert_eq!((told.len(), allowed.len()), (1, 0), "`#` is text in XML");
        let (told, allowed) = judged("a.json", "[\"# iamship: allow stage-plain-http x\",\n\"HERE\"]", true);
        assert_eq!((told.len(), allowed.len()), (1, 0));
    }

    #[test]
    fn what_allows_nothing_is_told() {
        let told = |comment: &str| {
            judged("a.env", &format!("# iamship: {comment}\n\nA=HERE\n"), true)
                .0
                .split_off(1)
        };
        assert_eq!(
            told("allow stage-plain-http x"),
            ["allow-unused: `stage-plain-http` is allowed here, and is not found here"]
        );
        for (comment, words) in [
            ("allow", "it names no code"),
            ("allow stage-plain-http", "it gives no reason for `stage-plain-http`"),
            ("allow stage-plain-htp x", "no check has the code `stage-plain-htp`"),
            ("allow xml-malformed x", "`xml-malformed` can't be allowed"),
            ("allow allow-unused x", "`allow-unused` can't be allowed"),
        ] {
            let told = told(comment);
            assert!(
                told.len() == 1 && told[0].starts_with("allow-invalid: ") && told[0].contains(words),
                "{told:?}"
            );
        }
        assert_eq!(told("allowed to run"), Vec::<String>::new());
        let unknown = judged("a.env", "# iamship: allow stage-host x\nA=HERE\n", false).0;
        assert_eq!(unknown.len(), 1, "nothing is known of stages that were not checked");
    }

    #[test]
    fn the_project_allows_by_file_and_by_element() {
        let (bundle, _) =
            read_contents(&["<c><client><id>a</id><s>x</s></client><client><id>b</id><s>x</s></client></c>"]);
        let mut fixture = Fixture::new(&[], &[("dev", "")]);
        let mut told = |path: &str| {
            fixture.project.allowances = vec![Allowance {
                code: Code::SecretLiteral,
                path: path.parse().expect("a path"),
                reason: "a demo".to_owned(),
                span: fixture.project.source.span(0..1),
            }];
            let of = |id: &str| {
                let pattern = "**/client".parse().expect("a pattern");
                let client = bundle
                    .tree()
                    .find(&pattern)
                    .find(|node| node.key().as_deref() == Some(id));
                let secret = client.and_then(|client| client.child("s")).expect("a secret");
                Diagnostic::new(Code::SecretLiteral, id).at(secret.text_span(), "")
            };
            let scene = Scene {
                project: &fixture.project,
                bundle: &bundle,
                sources: &[],
                whole: true,
            };
            let findings = allow(vec![of("a"), of("b")], &scene);
            findings
                .diagnostics
                .into_iter()
                .map(|found| found.message)
                .collect::<Vec<_>>()
        };
        assert_eq!(told("/c/client[a]/*"), ["b"]);
        assert_eq!(told("/c/client[*]/s"), Vec::<String>::new());
        let file = bundle.files()[0].path().to_string();
        assert_eq!(told(&file), Vec::<String>::new());
        assert_eq!(
            told("/c/client[c]/*").len(),
            3,
            "both, and that nothing is there to allow"
        );
    }
}
