//! `[stage.test]`: how a digest is tested in a stage.

use std::collections::BTreeMap;
use std::time::Duration;

use super::oidc::{self, OidcSettings};
use super::quantity::Patience;
use super::read::{Problems, Table, Value, listed};
use super::{CommandLine, ProgramSuite, Stage, TestKind, TestSettings};
use crate::diagnostic::{Code, Diagnostic, Span, nearest};
use crate::profile::{
    self, BOOT, OIDC, Probe, ServerProfile, is_suite_name, path_problem, pattern_problem, pointer_problem,
};

/// More suites than this are a mistake.
const MOST_SUITES: usize = 32;
/// How long a program may take where nothing is said.
const PROGRAM_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What the rest of the file says that suites depend on.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// The profile, if it could be read.
    pub(super) server: Option<&'a ServerProfile>,
    /// Whether there is an `[oidc]`.
    pub(super) is_provider: bool,
    /// Whether it has a client.
    pub(super) has_clients: bool,
}

pub(super) fn read(table: &Table<'_>, known: Known<'_>) -> TestSettings {
    let test = table.table("test", "`[stage.test]`");
    let kinds = [("static", TestKind::Static), ("engine", TestKind::Engine)];
    let kind_value = test.get("kind");
    let kind = kind_value
        .as_ref()
        .and_then(|value| value.choice(&kinds))
        .unwrap_or_default();
    let named = test.get("suite");
    let suites = named.map(|value| suites(value, kind)).unwrap_or_default();
    let patience = test.get("timeout").and_then(|value| value.parse::<Patience>());
    let listed = Listed::of(kind, &suites);
    let probes = probes(&test, known.server, &listed);
    let programs = programs(&test, &listed);
    match kind {
        TestKind::Static => {
            refuse_without_engine(&test);
            refuse_suites_of_a_server(&suites, known.server, test.problems());
        }
        TestKind::Engine => {
            let own = OwnSuites {
                probes: &probes,
                programs: &programs,
                known,
            };
            for (name, span) in &suites {
                own.check(name, span, test.problems());
            }
            if let Some(server) = known
                .server
                .filter(|server| server.ports.is_empty() && server.health.is_none())
            {
                let message = format!(
                    "the profile `{}` does not say how to see that the server is up",
                    server.name
                );
                let span = kind_value.map_or_else(|| test.span(), |value| value.span());
                test.problems()
                    .missing(message, span, "give the profile a `[[ports]]`, or a `[health]`");
            }
        }
    }
    test.finish();
    let default = match kind {
        TestKind::Static => "static",
        TestKind::Engine => BOOT,
    };
    TestSettings {
        kind,
        suites: if suites.is_empty() {
            vec![default.to_owned()]
        } else {
            suites.into_iter().map(|(name, _)| name).collect()
        },
        timeout: patience.map(|Patience(duration)| duration),
        probes,
        programs,
    }
}

fn suites(value: Value<'_>, kind: TestKind) -> Vec<(String, Span)> {
    let span = value.span();
    let problems = value.problems();
    let mut names: Vec<(String, Span)> = Vec::new();
    for item in value.one_or_list() {
        match suite_name(&item) {
            Some(name) if names.iter().any(|(other, _)| *other == name) => {
                let _: Option<()> = item.refuse(format!("suite `{name}` stands here twice"), None);
            }
            Some(name) => names.push((name, item.span())),
            None => {}
        }
    }
    let message = match (kind, names.len()) {
        (TestKind::Static, 2..) => "a static test is one suite",
        (_, count) if count > MOST_SUITES => "more suites than anybody needs",
        _ => return names,
    };
    problems.push(Diagnostic::new(Code::ProjectInvalid, message).at(span, ""));
    names
}

/// The suites that a stage can run.
struct OwnSuites<'a> {
    probes: &'a [Probe],
    programs: &'a BTreeMap<String, ProgramSuite>,
    known: Known<'a>,
}

impl OwnSuites<'_> {
    fn names(&self) -> Vec<&str> {
        let of_profile = self.known.server.into_iter().flat_map(|server| &server.probes);
        let probed = self.probes.iter().chain(of_profile).map(|probe| probe.suite.as_str());
        let built_in = [BOOT].into_iter().chain(self.known.is_provider.then_some(OIDC));
        let programs = self.programs.keys().map(String::as_str);
        let mut names = Vec::new();
        for name in built_in.chain(programs).chain(probed) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// A suite that nothing runs would be an empty one, and an empty one passes.
    fn check(&self, name: &str, span: &Span, problems: &Problems) {
        let names = self.names();
        if name == OIDC && self.known.is_provider && !self.known.has_clients {
            let diagnostic = Diagnostic::new(Code::ProjectInvalid, "suite `oidc` has no client to try");
            let help =
                "write `[[oidc.client]]`, `id = \"web\"`, `redirect-uris = [\"https://web.example.com/callback\"]`";
            problems.push(diagnostic.at(span.clone(), "").help(help));
            return;
        }
        // Without a profile nobody knows what it probes.
        if names.contains(&name) || self.known.server.is_none() {
            return;
        }
        let diagnostic = if name == OIDC {
            Diagnostic::new(Code::ProjectInvalid, "suite `oidc` needs to know the issuer").help(
                "write `[oidc]`, `issuer = \"https://login.example.com\"`, with placeholders as in the configuration",
            )
        } else {
            let diagnostic = Diagnostic::new(Code::ProjectInvalid, format!("nothing runs in suite `{name}`"));
            match nearest(name, names.iter().copied()) {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None => diagnostic.help(format!(
                    "known suites: {}; a program runs others: `[stage.test.suites]`, `{name} = \"exec:PROGRAM\"`",
                    listed(&names)
                )),
            }
        };
        problems.push(diagnostic.at(span.clone(), ""));
    }
}

fn refuse_without_engine(test: &Table<'_>) {
    for key in ["probe", "suites"] {
        if let Some(value) = test.get(key) {
            let _: Option<()> = value.refuse(
                format!("`{key}` needs a server that runs, and a static test starts none"),
                "write `kind = \"engine\"`".to_owned(),
            );
        }
    }
}

/// A static test starts nothing, and what it signs must not read as if it had.
fn refuse_suites_of_a_server(suites: &[(String, Span)], server: Option<&ServerProfile>, problems: &Problems) {
    let probed = |name: &str| {
        let mut probes = server.into_iter().flat_map(|server| &server.probes);
        probes.any(|probe| probe.suite == name)
    };
    for (name, span) in suites {
        if [BOOT, OIDC].contains(&name.as_str()) || probed(name) {
            let message = format!("suite `{name}` needs a server that runs, and a static test starts none");
            let diagnostic = Diagnostic::new(Code::ProjectInvalid, message).at(span.clone(), "");
            problems.push(diagnostic.help("write `kind = \"engine\"`"));
        }
    }
}

/// The suites that an engine's test runs; none for a static test, whose probes and programs are refused as they are.
struct Listed<'a>(Option<Vec<&'a str>>);

impl<'a> Listed<'a> {
    fn of(kind: TestKind, suites: &'a [(String, Span)]) -> Self {
        let names = suites.iter().map(|(name, _)| name.as_str());
        Self(match kind {
            TestKind::Static => None,
            TestKind::Engine if suites.is_empty() => Some(vec![BOOT]),
            TestKind::Engine => Some(names.collect()),
        })
    }

    /// What stands in a suite that is not listed would never run, and nobody would hear of it.
    fn check(&self, name: &str, span: Span, problems: &Problems) {
        let Some(listed) = self.0.as_ref().filter(|listed| !listed.contains(&name)) else {
            return;
        };
        let all = listed.iter().chain([&name]).map(|name| format!("\"{name}\""));
        let help = format!("add it: `suite = [{}]`", all.collect::<Vec<_>>().join(", "));
        let message = format!("no test runs suite `{name}`");
        problems.push(Diagnostic::new(Code::ProjectInvalid, message).at(span, "").help(help));
    }
}

/// Clients, or a provider, that no stage's test looks at.
pub(super) fn untested_provider(oidc: &OidcSettings, stages: &[Stage]) -> Option<Diagnostic> {
    let mut in_engine = stages.iter().filter(|stage| stage.test.kind == TestKind::Engine);
    let problem = |message: &str, help: &str| {
        let diagnostic = Diagnostic::new(Code::ProjectInvalid, message).at(oidc.issuer.span.clone(), "");
        Some(diagnostic.help(help))
    };
    if in_engine.clone().next().is_none() {
        return problem(
            "no stage starts the server, so that nothing is known of the provider",
            "write `test = { kind = \"engine\", suite = [\"boot\", \"oidc\"] }` in a stage",
        );
    }
    let runs = |stage: &Stage| stage.test.suites.iter().any(|suite| suite == OIDC);
    if !oidc.clients.is_empty() && !in_engine.any(runs) {
        return problem(
            "no stage tests these clients",
            "add suite `oidc` to a stage: `suite = [\"boot\", \"oidc\"]`",
        );
    }
    None
}

fn probes(test: &Table<'_>, server: Option<&ServerProfile>, listed: &Listed<'_>) -> Vec<Probe> {
    let items = test.get("probe").and_then(|value| value.list()).unwrap_or_default();
    let mut probes: Vec<Probe> = Vec::new();
    for item in &items {
        let Some(table) = item.table("`[[stage.test.probe]]`") else {
            continue;
        };
        let span = table.span();
        let Some(probe) = probe(table, server) else { continue };
        listed.check(&probe.suite, span.clone(), item.problems());
        let of_profile = server.into_iter().flat_map(|server| &server.probes);
        let same = |other: &&Probe| other.name == probe.name && other.suite == probe.suite;
        if probes.iter().chain(of_profile).find(same).is_some() {
            let message = format!("suite `{}` has two probes called `{}`", probe.suite, probe.name);
            item.problems()
                .push(Diagnostic::new(Code::ProjectInvalid, message).at(span, ""));
        }
        probes.push(probe);
    }
    probes
}

fn probe(table: Table<'_>, server: Option<&ServerProfile>) -> Option<Probe> {
    let name = table
        .need("name", "\"login-page\"")
        .and_then(|value| suite_name(&value));
    let suite = match table.get("suite") {
        Some(value) => suite_name(&value),
        None => Some(BOOT.to_owned()),
    };
    let port = match (table.get("port"), server) {
        (Some(value), Some(server)) => oidc::port(&value, server),
        (None, Some(server)) => server.ports.first().map(|port| port.port).or_else(|| {
            let help = "write its number: `port = 8443`";
            table.problems().missing("the probe needs a port", table.span(), help);
            None
        }),
        (_, None) => None,
    };
    let path = table
        .need("path", "\"/\"")
        .and_then(|value| checked(&value, path_problem));
    let status = match table.get("status") {
        Some(value) => status(&value),
        None => Some(200),
    };
    let matches = table.get("matches");
    let matches = matches.map(|value| checked(&value, pattern_problem));
    let json = json(&table);
    table.finish();
    Some(Probe {
        name: name?,
        suite: suite?,
        port: port?,
        path: path?,
        status: status?,
        json,
        matches: matches.flatten(),
    })
}

fn checked(value: &Value<'_>, problem: fn(&str) -> Option<String>) -> Option<String> {
    let text = value.text()?;
    match problem(text) {
        None => Some(text.to_owned()),
        Some(problem) => value.refuse(problem, None),
    }
}

fn status(value: &Value<'_>) -> Option<u16> {
    let status = u16::try_from(value.count(u32::from(u16::MAX))?).ok()?;
    match profile::status_problem(status) {
        None => Some(status),
        Some(problem) => value.refuse(problem, None),
    }
}

fn json(table: &Table<'_>) -> BTreeMap<String, serde_json::Value> {
    let fields = table.table("json", "`json`");
    let mut json = BTreeMap::new();
    for (pointer, span, value) in fields.entries() {
        match pointer_problem(pointer) {
            Some(problem) => table
                .problems()
                .push(Diagnostic::new(Code::ProjectInvalid, problem).at(span, "")),
            None => json.extend(value.json().map(|value| (pointer.to_owned(), value))),
        }
    }
    json
}

fn programs(test: &Table<'_>, listed: &Listed<'_>) -> BTreeMap<String, ProgramSuite> {
    let table = test.table("suites", "`[stage.test.suites]`");
    let mut programs = BTreeMap::new();
    for (name, span, value) in table.entries() {
        let refused = match check_suite_name(name) {
            Err(error) => Some(error.to_string()),
            Ok(()) if [BOOT, OIDC].contains(&name) => Some(format!("suite `{name}` is built in: give it another name")),
            Ok(()) => None,
        };
        match refused {
            Some(message) => table
                .problems()
                .push(Diagnostic::new(Code::ProjectInvalid, message).at(span, "")),
            None => {
                listed.check(name, span, table.problems());
                programs.extend(program(&value).map(|program| (name.to_owned(), program)));
            }
        }
    }
    programs
}

/// `"exec:PROGRAM ARGS"`, or `{ run = "exec:PROGRAM ARGS", timeout = "30m" }`.
fn program(value: &Value<'_>) -> Option<ProgramSuite> {
    if !value.is_table() {
        return Some(ProgramSuite {
            command: command(value)?,
            timeout: PROGRAM_PATIENCE,
        });
    }
    let table = value.table("the suite")?;
    let run = table
        .need("run", "\"exec:./smoke.sh\"")
        .and_then(|value| command(&value));
    let patience = table.get("timeout").and_then(|value| value.parse::<Patience>());
    table.finish();
    Some(ProgramSuite {
        command: run?,
        timeout: patience.map_or(PROGRAM_PATIENCE, |Patience(duration)| duration),
    })
}

fn command(value: &Value<'_>) -> Option<CommandLine> {
    let text = value.text()?;
    let Some(line) = text.strip_prefix("exec:") else {
        let message = format!("`{text}` does not say what runs the suite");
        return value.refuse(message, format!("write `\"exec:{text}\"`"));
    };
    match line.parse() {
        Ok(command) => Some(command),
        Err(error) => value.refuse(format!("`{text}` can't be run: {error}"), None),
    }
}

pub(super) fn suite_name(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    match check_suite_name(text) {
        Ok(()) => Some(text.to_owned()),
        Err(error) => value.refuse(error.to_string(), None),
    }
}

/// Whether a text can name a test suite: up to 64 of `A-Z a-z 0-9 . _ -`.
///
/// # Errors
/// It can't.
pub fn check_suite_name(text: &str) -> Result<(), InvalidSuiteName> {
    match is_suite_name(text) {
        true => Ok(()),
        false => Err(InvalidSuiteName(text.to_owned())),
    }
}

/// A text that can't name a test suite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` can't name a test suite: up to 64 of `A-Z a-z 0-9 . _ -`")]
pub struct InvalidSuiteName(pub String);

#[cfg(test)]
mod tests;
