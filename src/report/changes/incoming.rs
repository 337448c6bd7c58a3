//! What the next promotion would bring: versions with who made them, applications with who owns them, the changes.

use std::fmt::Write as _;

use anstyle::Style;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::text::Color;
use super::{Changes, base_json, changes_json, counted, html, line, markdown, text};
use crate::bundle::Impact;
use crate::image::Digest;

const STRONG: Style = Style::new().bold();
/// Names of people and versions are cut after this.
const LONGEST: usize = 120;

/// A version on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: Digest,
    /// The commit that it was built from, as its signed provenance says.
    pub commit: Option<String>,
    /// Whether there were changes that the commit does not have.
    pub dirty: bool,
    /// The commit's author.
    pub author: Option<String>,
    /// When it was built.
    pub at: Option<Timestamp>,
}

/// An application that is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its client's id.
    pub client: String,
    /// Who owns it; nobody is known where it is empty.
    pub owners: Vec<String>,
    /// How many changes touch it.
    pub changes: usize,
    /// How grave the gravest of them is.
    pub severity: Impact,
    /// What it uses that changes: ``scope `read` ``. Empty where only its own settings do.
    pub through: Vec<String>,
}

/// What the next promotion to a stage would bring.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    /// The stage.
    pub stage: String,
    /// The stage before it.
    pub from: String,
    /// What would come; none when nothing would.
    pub digest: Option<Digest>,
    /// Its version.
    pub version: Option<String>,
    /// Why nothing would come, or a remark on what does.
    pub remark: Option<String>,
    /// What comes since what the stage runs, newest first.
    pub versions: &'a [Version],
    /// Whose applications are touched, the gravest first.
    pub applications: &'a [Application],
    /// Gates that hold now, and why.
    pub held: Vec<(String, String)>,
    /// What changes.
    pub changes: Changes<'a>,
}

impl Incoming<'_> {
    fn headline(&self) -> String {
        let (stage, from) = (&self.stage, &self.from);
        match &self.digest {
            None => format!("nothing is incoming to `{stage}`"),
            Some(_) => {
                let version = self
                    .version
                    .as_deref()
                    .map_or_else(|| "an unknown version".to_owned(), |text| line(text, LONGEST));
                format!(
                    "{version} would come from `{from}` to `{stage}`; {}",
                    self.changes.headline()
                )
            }
        }
    }
}

impl Application {
    fn owners(&self) -> String {
        match self.owners.is_empty() {
            true => "(no owner)".to_owned(),
            false => line(&self.owners.join(", "), LONGEST),
        }
    }

    /// `2 changes, breaking; through scope `read``
    fn touched(&self) -> String {
        let own = format!("{}, {}", counted(self.changes, "change"), self.severity.as_str());
        match self.through.is_empty() {
            true => own,
            false => format!("{own}; through {}", line(&self.through.join(", "), LONGEST)),
        }
    }
}

impl Version {
    fn commit(&self) -> String {
        let commit = self.commit.as_deref().unwrap_or("(no commit)");
        let short: String = line(commit, 12).trim_end_matches('…').to_owned();
        match (&self.commit, self.dirty) {
            (Some(_), true) => format!("{short} with changes"),
            (Some(_), false) => short,
            (None, _) => commit.to_owned(),
        }
    }

    fn author(&self) -> String {
        self.author
            .as_deref()
            .map_or_else(|| "(unknown)".to_owned(), |author| line(author, LONGEST))
    }

    fn at(&self) -> String {
        self.at.map_or_else(
            || "(unknown)".to_owned(),
            |at| at.strftime("%Y-%m-%d %H:%M").to_string(),
        )
    }
}

/// For a terminal; it ends with a line break.
pub fn incoming_text(incoming: &Incoming<'_>, color: Color) -> String {
    let mut out = format!("{}\n", text::paint(&incoming.headline(), STRONG, color));
    if let Some(remark) = &incoming.remark {
        let _ = writeln!(out, "{}", line(remark, 400));
    }
    for (gate, because) in &incoming.held {
        let _ = writeln!(out, "held by {gate}: {}", line(because, 400));
    }
    if incoming.digest.is_none() {
        return out;
    }
    section(
        &mut out,
        "versions",
        color,
        incoming.versions.iter().map(|version| {
            [
                line(&version.version, LONGEST),
                version.at(),
                version.commit(),
                version.author(),
            ]
            .to_vec()
        }),
    );
    section(
        &mut out,
        "applications",
        color,
        incoming.applications.iter().map(|application| {
            [
                line(&application.client, LONGEST),
                application.owners(),
                application.touched(),
            ]
            .to_vec()
        }),
    );
    out.push_str(&text::body(&incoming.changes, color));
    out
}

/// Rows under a title, each column as wide as its widest cell; nothing where there are none.
fn section(out: &mut String, title: &str, color: Color, rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<_> = rows.collect();
    let Some(first) = rows.first() else { return };
    let widths: Vec<usize> = (0..first.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let _ = writeln!(out, "\n{}", text::paint(title, STRONG, color));
    for row in &rows {
        let cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        let _ = writeln!(out, "  {}", cells.join("  ").trim_end());
    }
}

/// `iamship.incoming/v1`
pub fn incoming_json(incoming: &Incoming<'_>) -> Value {
    let versions = incoming.versions.iter().map(|version| {
        json!({
            "version": version.version,
            "digest": version.digest,
            "commit": version.commit,
            "dirty": version.dirty,
            "author": version.author,
            "at": version.at,
        })
    });
    let applications = incoming.applications.iter().map(|application| {
        json!({
            "client": application.client,
            "owners": application.owners,
            "changes": application.changes,
            "severity": application.severity.as_str(),
            "through": application.through,
        })
    });
    let held = incoming
        .held
        .iter()
        .map(|(gate, because)| json!({ "gate": gate, "because": because }));
    json!({
        "schema": "iamship.incoming/v1",
        "stage": incoming.stage,
        "from": incoming.from,
        "digest": incoming.digest,
        "version": incoming.version,
        "current": incoming.changes.before.1,
        "remark": incoming.remark,
        "versions": versions.collect::<Vec<_>>(),
        "changes": changes_json(incoming.changes.changes.iter().copied()),
        "base": base_json(incoming.changes.base),
        "applications": applications.collect::<Vec<_>>(),
        "held": held.collect::<Vec<_>>(),
    })
}

/// For a comment; it ends with a line break.
pub fn incoming_markdown(incoming: &Incoming<'_>) -> String {
    let code = |text: &str| markdown::code(&line(text, LONGEST));
    let version = incoming.version.as_deref().unwrap_or("unknown version");
    let mut out = match incoming.digest {
        None => format!("### Nothing is incoming to {}\n\n", code(&incoming.stage)),
        Some(_) => format!(
            "### {}\n\n{} would come from {} to {}\n\n",
            incoming.changes.headline(),
            code(version),
            code(&incoming.from),
            code(&incoming.stage)
        ),
    };
    if let Some(remark) = &incoming.remark {
        let _ = writeln!(out, "{}\n", markdown::code(&line(remark, 400)));
    }
    for (gate, because) in &incoming.held {
        let _ = writeln!(out, "- held by {}: {}", code(gate), markdown::code(&line(because, 400)));
    }
    if incoming.digest.is_none() {
        return out;
    }
    if !incoming.versions.is_empty() {
        out.push_str("\n| Version | Built | Commit | Author |\n|---|---|---|---|\n");
    }
    for version in incoming.versions {
        let cells = [&version.version, &version.at(), &version.commit(), &version.author()].map(|cell| code(cell));
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    if !incoming.applications.is_empty() {
        out.push_str("\n| Application | Owners | Touched by |\n|---|---|---|\n");
    }
    for application in incoming.applications {
        let cells = [&application.client, &application.owners(), &application.touched()].map(|cell| code(cell));
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out.push('\n');
    out.push_str(&markdown::body(&incoming.changes));
    out
}

/// A page.
pub fn incoming_html(incoming: &Incoming<'_>) -> String {
    let mut body = String::new();
    let remarks = incoming.remark.iter().cloned();
    let held = incoming
        .held
        .iter()
        .map(|(gate, because)| format!("held by {gate}: {because}"));
    for text in remarks.chain(held) {
        let _ = writeln!(body, "<p>{}</p>", html::escape(&line(&text, 400)));
    }
    if incoming.digest.is_some() {
        let versions = incoming.versions.iter().map(|version| {
            [
                line(&version.version, LONGEST),
                version.at(),
                version.commit(),
                version.author(),
            ]
            .to_vec()
        });
        table(
            &mut body,
            "Versions",
            &["Version", "Built", "Commit", "Author"],
            versions,
        );
        let applications = incoming.applications.iter().map(|application| {
            [
                line(&application.client, LONGEST),
                application.owners(),
                application.touched(),
            ]
            .to_vec()
        });
        table(
            &mut body,
            "Applications",
            &["Client", "Owners", "Touched by"],
            applications,
        );
        body.push_str(&html::body(&incoming.changes));
    }
    html::page(&incoming.headline(), &body)
}

fn table(out: &mut String, title: &str, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let head: String = head
        .iter()
        .map(|cell| format!("<th scope=\"col\">{cell}</th>"))
        .collect();
    let _ = writeln!(
        out,
        "<section>\n<h2>{title}</h2>\n<table>\n<thead><tr>{head}</tr></thead>\n<tbody>"
    );
    for row in rows {
        let cells: String = row
            .iter()
            .map(|cell| format!("<td>{}</td>", html::escape(cell)))
            .collect();
        let _ = writeln!(out, "<tr>{cells}</tr>");
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::image::BaseDifference;

    fn version(text: &str) -> Version {
        Version {
            version: text.to_owned(),
            digest: Digest::of(text.as_bytes()),
            commit: Some(format!("0123456789abcdef{text}")),
            dirty: false,
            author: Some(format!("Ada {text} <ada@example.com>")),
            at: "2026-11-24T08:15:00Z".parse().ok(),
        }
    }

    fn application(client: &str, owner: &str) -> Application {
        Application {
            client: client.to_owned(),
            owners: (!owner.is_empty()).then(|| owner.to_owned()).into_iter().collect(),
            changes: 2,
            severity: Impact::Breaking,
            through: vec![format!("scope `{client}`")],
        }
    }

    fn incoming<'a>(versions: &'a [Version], applications: &'a [Application], changes: Changes<'a>) -> Incoming<'a> {
        Incoming {
            stage: "staging".to_owned(),
            from: "dev".to_owned(),
            digest: Some(Digest::of(b"x")),
            version: versions.first().map(|version| version.version.clone()),
            remark: None,
            versions,
            applications,
            held: vec![("tested".to_owned(), "no suite has passed".to_owned())],
            changes,
        }
    }

    #[test]
    fn it_tells_what_comes_from_whom_and_whom_it_touches() {
        let (changes, base) = (example::changes(), BaseDifference::default());
        let mut versions = [version("11.3.1-2"), version("11.3.1-1")];
        versions[1].commit = None;
        versions[1].author = None;
        let applications = [application("web-client", "@team-web"), application("shop", "")];
        let incoming = incoming(&versions, &applications, example::of(&changes[..1], &base));
        insta::assert_snapshot!(incoming_text(&incoming, Color::Never), @r#"
        11.3.1-2 would come from `dev` to `staging`; 1 change: 1 behaviour
        held by tested: no suite has passed

        versions
          11.3.1-2  2026-11-24 08:15  0123456789ab  Ada 11.3.1-2 <ada@example.com>
          11.3.1-1  2026-11-24 08:15  (no commit)   (unknown)

        applications
          web-client  @team-web   2 changes, breaking; through scope `web-client`
          shop        (no owner)  2 changes, breaking; through scope `shop`

        client `shop`
          behaviour  changed  /client[shop]/lifetime: 60 → 30
        "#);
        insta::assert_snapshot!(incoming_markdown(&incoming), @r#"
        ### 1 change: 1 behaviour

        <code>11&#46;3&#46;1-2</code> would come from <code>dev</code> to <code>staging</code>

        - held by <code>tested</code>: <code>no suite has passed</code>

        | Version | Built | Commit | Author |
        |---|---|---|---|
        | <code>11&#46;3&#46;1-2</code> | <code>2026-11-24 08&#58;15</code> | <code>0123456789ab</code> | <code>Ada 11&#46;3&#46;1-2 &#60;ada&#64;example&#46;com&#62;</code> |
        | <code>11&#46;3&#46;1-1</code> | <code>2026-11-24 08&#58;15</code> | <code>&#40;no commit&#41;</code> | <code>&#40;unknown&#41;</code> |

        | Application | Owners | Touched by |
        |---|---|---|
        | <code>web-client</code> | <code>&#64;team-web</code> | <code>2 changes, breaking&#59; through scope &#96;web-client&#96;</code> |
        | <code>shop</code> | <code>&#40;no owner&#41;</code> | <code>2 changes, breaking&#59; through scope &#96;shop&#96;</code> |

        | Severity | What | Changes |
        |---|---|---|
        | **behaviour** | <code>client &#96;shop&#96;</code> | 1 changed |

        <details>
        <summary>Every change</summary>

        | Severity | Change | Where | Before | After |
        |---|---|---|---|---|
        | behaviour | changed | <code>/client&#91;shop&#93;/lifetime</code> | <code>60</code> | <code>30</code> |

        </details>
        "#);
        let document = incoming_json(&incoming);
        assert_eq!(document["applications"][0]["owners"], json!(["@team-web"]));
        assert_eq!(document["versions"][0]["at"], "2026-11-24T08:15:00Z");
        assert!(incoming_html(&incoming).contains("<td>web-client</td><td>@team-web</td>"));
    }

    #[test]
    fn nothing_is_an_answer() {
        let base = BaseDifference::default();
        let nothing = Incoming {
            digest: None,
            version: None,
            remark: Some("`staging` runs the last tested digest of `dev`".to_owned()),
            held: Vec::new(),
            ..incoming(&[], &[], example::of(&[], &base))
        };
        assert_eq!(
            incoming_text(&nothing, Color::Never),
            "nothing is incoming to `staging`\n`staging` runs the last tested digest of `dev`\n"
        );
        assert!(incoming_json(&nothing)["digest"].is_null());
        assert!(incoming_markdown(&nothing).starts_with("### Nothing is incoming to <code>staging</code>"));
        assert!(incoming_html(&nothing).contains("<h1>nothing is incoming to `staging`</h1>"));
    }

    #[test]
    fn nobody_can_call_himself_what_a_reader_obeys() {
        let (changes, base) = (example::hostile(), example::hostile_base());
        let versions: Vec<_> = example::HOSTILE.iter().map(|text| version(text)).collect();
        let applications: Vec<_> = example::HOSTILE.iter().map(|text| application(text, text)).collect();
        let incoming = incoming(&versions, &applications, example::of(&changes, &base));
        let text = incoming_text(&incoming, Color::Never);
        assert!(!text.contains(['\x1b', '\r', '\x07', '\u{202e}']), "{text:?}");
        let page = incoming_html(&incoming);
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
        let comment = incoming_markdown(&incoming);
        assert!(
            !comment.contains(['@', '`', '[', '\\']) && !comment.contains("<script"),
            "{comment}"
        );
        assert!(comment.len() < 65_536, "{}", comment.len());
    }
}
