//! `[[stage]]`: the order of promotion, and what each stage gives and asks for.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;

use super::image::read_insecure;
use super::paths::{PathProblem, Root};
use super::read::{Table, Value};
use super::test_settings::Known;
use super::{
    SigningSettings, Stage, StageName, allowance, protect, rules, run, secret_reference, settings, test_settings,
};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::image::{Location, Tag};

/// Reads all stages; at least one must be there.
pub(super) fn read(
    root: &Root,
    file: &Table<'_>,
    default: &Location,
    signing: &SigningSettings,
    insecure: &mut BTreeSet<String>,
    known: Known<'_>,
) -> Vec<Stage> {
    let items = match file.get("stage") {
        Some(value) => value.list(),
        None => Some(Vec::new()),
    };
    let Some(items) = items else { return Vec::new() };
    if items.is_empty() {
        let help = "add one for each stage, in the order of promotion: `[[stage]]`, `name = \"dev\"`";
        file.problems()
            .missing("the file has no `[[stage]]`", file.span(), help);
    }
    let mut stages = Vec::new();
    for item in &items {
        if let Some(table) = item.table("`[[stage]]`") {
            if stages.is_empty()
                && let Some(enter) = table.get("enter")
            {
                let _: Option<()> = enter.refuse(
                    "`enter` of the first stage holds nothing: builds enter it, and no gate is asked".to_owned(),
                    "move it to the stage after, or say under `leave` what a digest needs to go on".to_owned(),
                );
            }
            stages.extend(read_stage(root, table, default, signing, insecure, known));
        }
    }
    let collisions = collisions(&stages);
    file.problems().extend(collisions);
    stages.into_iter().map(|(stage, _)| stage).collect()
}

fn stage_name(value: &Value<'_>) -> Option<StageName> {
    let text = value.text()?;
    let problem = match text.parse() {
        Ok(name) => return Some(name),
        Err::<StageName, _>(problem) => problem,
    };
    let near = text.to_lowercase().replace(['_', '.', ' ', '/'], "-");
    let mend = near.parse::<StageName>().ok();
    value.refuse(
        problem.to_string(),
        mend.map(|name| format!("write `name = \"{name}\"`")),
    )
}

/// A stage, and where its tag is said.
fn read_stage(
    root: &Root,
    table: Table<'_>,
    default: &Location,
    signing: &SigningSettings,
    insecure: &mut BTreeSet<String>,
    known: Known<'_>,
) -> Option<(Stage, Span)> {
    let name_value = table.need("name", "\"dev\"");
    let span = name_value.as_ref().map_or_else(|| table.span(), Value::span);
    let name = name_value.as_ref().and_then(stage_name);
    let tag_value = table.get("tag").or(name_value);
    let tag_span = tag_value.as_ref().map_or_else(|| table.span(), Value::span);
    // A name that is none was told of; it is no better as a tag.
    let tag = match (&tag_value, &name) {
        (Some(value), name) if value.span() != span || name.is_some() => stage_tag(value),
        _ => None,
    };
    let values = table.get("values").map(Value::one_or_list).unwrap_or_default();
    let values = values.iter().filter_map(|value| values_file(root, value)).collect();
    let secrets = table.get("secrets").map(Value::one_or_list).unwrap_or_default();
    let secrets = secrets.iter().filter_map(secret_reference::read).collect();
    let repositories = read_repositories(&table, default);
    if let Some(value) = table.get("insecure") {
        read_insecure(&value, &repositories, insecure);
    }
    let test = test_settings::read(&table, known);
    let leave = rules::read_leave(&table, &test);
    let enter = rules::read_enter(&table, signing);
    let run = run::read(&table);
    let protect = protect::read(&table);
    let checks = table.table("checks", "`[stage.checks]`");
    let severities = settings::read_severities(&checks);
    if let Some(value) = checks.get(allowance::KEY) {
        let help = "write `[[checks.allow]]`: it holds for all stages".to_owned();
        let _: Option<()> = value.refuse("`allow` stands here for one stage", help);
    }
    table.finish();
    let stage = Stage {
        name: name?,
        span,
        tag: tag?,
        values,
        secrets,
        repositories,
        leave,
        enter,
        test,
        run,
        protect,
        severities,
    };
    Some((stage, tag_span))
}

fn stage_tag(value: &Value<'_>) -> Option<Tag> {
    let tag = value.parse::<Tag>()?;
    let text = tag.as_str();
    let taken = if text.starts_with("sha256-") || text.starts_with("iamship-") {
        "tags that begin so hold signatures and records"
    } else if ends_with_version(text) {
        "it looks like a version, `<base version>-<12 hex digits>`"
    } else if ends_with_date(text) {
        "it looks like a promotion's own tag, `<stage>-<date>-<n>`"
    } else {
        return Some(tag);
    };
    value.refuse(format!("`{text}` can't be a stage's tag: {taken}"), None)
}

fn ends_with_version(tag: &str) -> bool {
    tag.rsplit_once('-')
        .is_some_and(|(_, end)| end.len() == 12 && end.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

/// `prod-20261124-1`, `prod-2026-11-24-1`
fn ends_with_date(tag: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some((rest, number)) = tag.rsplit_once('-') else {
        return false;
    };
    let mut parts = rest
        .rsplitn(4, '-')
        .take(3)
        .map(|part| digits(part).then_some(part.len()));
    let lengths = [parts.next().flatten(), parts.next().flatten(), parts.next().flatten()];
    digits(number) && (lengths[0] == Some(8) || lengths == [Some(2), Some(2), Some(4)])
}

fn values_file(root: &Root, value: &Value<'_>) -> Option<Utf8PathBuf> {
    let text = value.text()?;
    match root.existing_file(text) {
        Ok(path) => Some(path),
        Err(PathProblem::Missing) => value.refuse_as(
            Code::ProjectMissing,
            format!("`{text}` is not there"),
            "make an env file there, one `NAME=value` a line".to_owned(),
        ),
        Err(problem) => value.refuse(format!("`{text}` {problem}"), None),
    }
}

fn read_repositories(table: &Table<'_>, default: &Location) -> Vec<Location> {
    let Some(value) = table.get("repository") else {
        return vec![default.clone()];
    };
    let items = value.one_or_list();
    if items.is_empty() {
        let message = "`repository` names no repository";
        let diagnostic = Diagnostic::new(Code::ProjectInvalid, message).at(table.span(), "");
        table
            .problems()
            .push(diagnostic.help("leave it out to use the image's"));
    }
    let mut locations: Vec<Location> = Vec::new();
    for item in items {
        match item.parse::<Location>() {
            Some(location) if locations.contains(&location) => item
                .refuse(format!("`{location}` stands here twice"), None)
                .unwrap_or_default(),
            Some(location) => locations.push(location),
            None => {}
        }
    }
    locations
}

/// Names that stand twice, tags that two stages would move, and tags that are another stage's name.
fn collisions(stages: &[(Stage, Span)]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut names: BTreeMap<&str, &Span> = BTreeMap::new();
    let mut tags: BTreeMap<(&Location, &str), &Span> = BTreeMap::new();
    for (stage, tag_span) in stages {
        let name = stage.name.as_str();
        if let Some(first) = names.insert(name, &stage.span) {
            let diagnostic = Diagnostic::new(Code::ProjectInvalid, format!("two stages are called `{name}`"));
            found.push(
                diagnostic
                    .at(stage.span.clone(), "again here")
                    .at(first.clone(), "first here"),
            );
            continue;
        }
        let tag = stage.tag.as_str();
        for location in &stage.repositories {
            if let Some(first) = tags.insert((location, tag), tag_span) {
                let message = format!("two stages would move the tag `{tag}` of `{location}`");
                let diagnostic = Diagnostic::new(Code::ProjectInvalid, message);
                let diagnostic = diagnostic
                    .at(tag_span.clone(), "again here")
                    .at(first.clone(), "first here");
                found.push(diagnostic.help("give one of them another `tag` or `repository`"));
            }
        }
    }
    for (stage, tag_span) in stages {
        let tag = stage.tag.as_str();
        let shared = found
            .iter()
            .any(|diagnostic| diagnostic.labels.iter().any(|label| label.span == *tag_span));
        if let Some(other) = names.get(tag).filter(|_| tag != stage.name.as_str() && !shared) {
            let message = format!(
                "the tag of stage `{}` is the name of another stage, `{tag}`",
                stage.name
            );
            let diagnostic = Diagnostic::new(Code::ProjectInvalid, message).at(tag_span.clone(), "the tag");
            found.push(diagnostic.at((*other).clone(), "the other stage"));
        }
    }
    found
}
