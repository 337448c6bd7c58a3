//! Waits until the server is up: as its profile says, within its deadline, and not longer than it lives.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::{Check, Trial};
use crate::engine::{ContainerId, ContainerState, EngineError};
use crate::ops::OpsError;
use crate::probe::{Door, Miss, Prober, answers, responds};

/// What the check is called.
const NAME: &str = "healthy";
/// Between two looks; servers take from half a second to minutes.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// After how long it is told that something is still waited for; then each time twice as long.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// An answer to a question about health takes no time; while one is waited for, the container may end.
const ANSWER: Duration = Duration::from_secs(5);

/// Where each port of the container is reached.
pub(in crate::ops) type Ports = BTreeMap<u16, SocketAddr>;

/// Waits for a container that was made with these ports published.
pub(super) async fn wait(
    trial: &Trial<'_>,
    prober: &Prober,
    id: &ContainerId,
    wanted: &[u16],
) -> Result<(Check, Ports), OpsError> {
    let began = Instant::now();
    let patience = trial.patience();
    let deadline = began + patience;
    let (mut pause, mut word) = (FIRST_PAUSE, FIRST_WORD);
    let mut last: Option<Miss> = None;
    loop {
        let state = trial.engine.state(id).await?;
        if let Some(why) = trial.ended(state.phase) {
            let detail = format!("{why} before it was healthy, after {}", seconds(began.elapsed()));
            return Ok((Check::failed(NAME, detail), Ports::new()));
        }
        let ports = published(&state);
        if wanted.iter().all(|port| ports.contains_key(port)) {
            let until = deadline.min(Instant::now() + ANSWER);
            match tokio::time::timeout_at(until, ask(trial, prober, &ports)).await {
                Ok(Ok(words)) => {
                    let detail = format!("{words} after {}", seconds(began.elapsed()));
                    return Ok((Check::passed(NAME, detail), ports));
                }
                Ok(Err(miss)) => last = Some(miss),
                Err(_) => {}
            }
        }
        if Instant::now() >= deadline {
            return Ok((late(trial, patience, last), ports));
        }
        if began.elapsed() >= word {
            word *= 2;
            tell(trial, began.elapsed(), last.as_ref());
        }
        tokio::time::sleep_until(deadline.min(Instant::now() + pause)).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

async fn ask(trial: &Trial<'_>, prober: &Prober, ports: &Ports) -> Result<String, Miss> {
    match trial.health() {
        Some(health) => {
            answers(
                prober,
                &door(trial, ports, health.port)?,
                &health.path,
                health.expected(),
            )
            .await
        }
        None => {
            let port = trial.profile().ports.first().map_or(0, |port| port.port);
            responds(prober, &door(trial, ports, port)?).await
        }
    }
}

/// A port as the engine's own machine sees it, without a proxy in front.
pub(super) fn door(trial: &Trial<'_>, ports: &Ports, port: u16) -> Result<Door, Miss> {
    let address = ports.get(&port).ok_or_else(|| Miss {
        asked: format!("the engine for port {port}"),
        came: "no published address".to_owned(),
        expected: "one on a loopback address".to_owned(),
    })?;
    Ok(Door {
        address: *address,
        port,
        tls: trial.speaks_tls(port),
        forwarded: None,
    })
}

/// Engines may publish a port on IPv4 and IPv6; the first one will do.
fn published(state: &ContainerState) -> Ports {
    let mut ports = Ports::new();
    for published in &state.ports {
        ports.entry(published.port).or_insert(published.address);
    }
    ports
}

fn late(trial: &Trial<'_>, patience: Duration, last: Option<Miss>) -> Check {
    let detail = format!("it was not healthy within {}", seconds(patience));
    let miss = last.unwrap_or_else(|| Miss {
        asked: match trial.health() {
            Some(health) => format!("GET {} on port {}", health.path, health.port),
            None => "its first port".to_owned(),
        },
        came: "no answer".to_owned(),
        expected: match trial.health() {
            Some(health) => format!("HTTP {}", health.status),
            None => "any answer".to_owned(),
        },
    });
    Check::missed(NAME, format!("{detail}: {miss}"), miss)
}

fn tell(trial: &Trial<'_>, waited: Duration, last: Option<&Miss>) {
    let came = last.map(|miss| format!(": {} answers {}", miss.asked, miss.came));
    trial.context.step(format!(
        "waiting since {} until it is healthy{}",
        seconds(waited),
        came.unwrap_or_default()
    ));
}

/// `0.6 s`, `12 s`
pub(super) fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        whole => format!("{whole} s"),
    }
}

/// Whether the container still runs.
pub(super) async fn still_runs(trial: &Trial<'_>, id: &ContainerId) -> Result<Option<Check>, EngineError> {
    let state = trial.engine.state(id).await?;
    let ended = trial.ended(state.phase);
    Ok(ended.map(|why| Check::failed("running", format!("{why} while it was looked at"))))
}
