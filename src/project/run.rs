//! `[stage.run]`: what a stage's containers get beside their values.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use super::quantity::Memory;
use super::read::{Table, Value, listed};
use super::signing::is_variable;
use super::{RunSettings, Stage, StagePort};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::profile::ServerProfile;

pub(super) fn read(table: &Table<'_>) -> RunSettings {
    let run = table.table("run", "`[stage.run]`");
    let memory = run.get("memory").and_then(|value| value.parse::<Memory>());
    let table = run.table("environment", "`[stage.run.environment]`");
    let mut environment = BTreeMap::new();
    for (name, span, value) in table.entries() {
        if !is_variable(name) {
            let message = format!("`{name}` can't name an environment variable");
            run.problems()
                .push(Diagnostic::new(Code::ProjectInvalid, message).at(span, ""));
        } else if let Some(text) = value.text() {
            environment.insert(name.to_owned(), text.to_owned());
        }
    }
    let ports = ports(&run);
    run.finish();
    RunSettings {
        ports,
        memory: memory.map(|Memory(bytes)| bytes),
        environment,
    }
}

fn ports(run: &Table<'_>) -> Vec<StagePort> {
    let table = run.table("ports", "`[stage.run.ports]`");
    let mut ports: Vec<StagePort> = Vec::new();
    for (name, span, value) in table.entries() {
        let Some(address) = address(&value) else { continue };
        if ports.iter().any(|port| port.address == address) {
            let _: Option<()> = value.refuse(format!("two ports can't be published at `{address}`"), None);
            continue;
        }
        let name = name.to_owned();
        ports.push(StagePort { name, address, span });
    }
    ports
}

fn address(value: &Value<'_>) -> Option<SocketAddr> {
    let text = value.text()?;
    match text.parse::<SocketAddr>() {
        Ok(address) if !address.ip().is_loopback() => value.refuse(
            format!("`{text}` is seen from other machines"),
            "publish it on loopback, `127.0.0.1:PORT`, and put a proxy before it".to_owned(),
        ),
        Ok(address) if address.port() != 0 => Some(address),
        Ok(_) => value.refuse(
            "port 0 names no port".to_owned(),
            "leave it out to have any port that is free".to_owned(),
        ),
        Err(_) => value.refuse(format!("`{text}` is no address"), "write `127.0.0.1:8443`".to_owned()),
    }
}

/// Ports that stages publish and the server does not have.
pub(super) fn port_problems(server: &ServerProfile, stages: &[Stage]) -> Vec<Diagnostic> {
    let known: Vec<&str> = server.ports.iter().map(|port| port.name.as_str()).collect();
    let named = stages.iter().flat_map(|stage| &stage.run.ports);
    named
        .filter(|port| !known.contains(&port.name.as_str()))
        .map(|port| {
            let message = format!("{} has no port `{}`", server.title, port.name);
            let diagnostic = Diagnostic::new(Code::ProjectInvalid, message).at(port.span.clone(), "");
            match nearest(&port.name, known.iter().copied()) {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None if known.is_empty() => diagnostic.help("name its ports in the server's profile: `[[ports]]`"),
                None => diagnostic.help(format!("its ports: {}", listed(&known))),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Folder, MINIMAL};
    use crate::project::{PROJECT_FILE, Project};

    fn load(run: &str) -> Result<Project, Vec<String>> {
        let folder = Folder::new();
        folder.write(PROJECT_FILE, &format!("{MINIMAL}[stage.run]\n{run}\n"));
        Project::load(folder.path()).map_err(|problems| {
            let told = problems.into_iter();
            told.map(|problem| match problem.help.first() {
                Some(help) => format!("{} ({help})", problem.message),
                None => problem.message,
            })
            .collect()
        })
    }

    #[test]
    fn ports_are_published_on_loopback() {
        let project = load("ports = { runtime = \"127.0.0.1:8443\", status = \"[::1]:4465\" }").expect("a project");
        let ports = &project.stages[0].run.ports;
        let told: Vec<_> = ports
            .iter()
            .map(|port| format!("{} {}", port.name, port.address))
            .collect();
        assert_eq!(told, ["runtime 127.0.0.1:8443", "status [::1]:4465"]);
    }

    #[test]
    fn what_can_be_published_nowhere_is_refused() {
        let one = |text: &str| load(text).expect_err(text).pop().expect("a problem");
        let cases = [
            (
                "ports = { runtme = \"127.0.0.1:1\" }",
                "Curity Identity Server has no port `runtme` (did you mean `runtime`?)",
            ),
            (
                "ports = { runtime = \"0.0.0.0:8443\" }",
                "`0.0.0.0:8443` is seen from other machines (publish it on loopback, `127.0.0.1:PORT`, and put a proxy before it)",
            ),
            (
                "ports = { runtime = \"8443\" }",
                "`8443` is no address (write `127.0.0.1:8443`)",
            ),
            (
                "ports = { runtime = \"127.0.0.1:0\" }",
                "port 0 names no port (leave it out to have any port that is free)",
            ),
            (
                "ports = { runtime = \"127.0.0.1:1\", admin = \"127.0.0.1:1\" }",
                "two ports can't be published at `127.0.0.1:1`",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(one(text), expected);
        }
    }
}
