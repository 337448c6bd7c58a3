//! The suites: what the profile and the stage probe, OpenID Connect's own, and the project's programs.

use super::health::{Ports, door, still_runs};
use super::log::Tail;
use super::{Check, Trial, program, provider};
use crate::engine::ContainerId;
use crate::ops::OpsError;
use crate::probe::{Finding, Found, Prober, look, oidc};
use crate::profile::{OIDC, Probe};

pub(super) async fn run(
    trial: &Trial<'_>,
    prober: &Prober,
    id: &ContainerId,
    ports: &Ports,
    tails: &mut Vec<Tail>,
) -> Result<Vec<(String, Vec<Check>)>, OpsError> {
    let mut results = Vec::new();
    for suite in trial.suites {
        trial.context.step(format!("running suite `{suite}`"));
        let mut checks = probes(trial, prober, ports, suite).await;
        if suite == OIDC {
            checks.extend(open_id(trial, prober, ports).await);
        }
        if let Some(program) = trial.stage.test.programs.get(suite) {
            checks.extend(program::run(trial, suite, program, ports, tails).await?);
        }
        // A server that is gone fails whatever is asked, and that is not what is wrong with it. An engine that is gone
        // makes the whole run void.
        checks.extend(still_runs(trial, id).await?);
        results.push((suite.clone(), checks));
    }
    Ok(results)
}

async fn probes(trial: &Trial<'_>, prober: &Prober, ports: &Ports, suite: &str) -> Vec<Check> {
    let all = trial.profile().probes.iter().chain(&trial.stage.test.probes);
    let mut checks = Vec::new();
    for probe in all.filter(|probe| probe.suite == suite) {
        checks.push(ask(trial, prober, ports, probe).await.into());
    }
    checks
}

async fn ask(trial: &Trial<'_>, prober: &Prober, ports: &Ports, probe: &Probe) -> Finding {
    match door(trial, ports, probe.port) {
        Ok(door) => {
            // Behind the proxy is what the issuer's port serves; the others are seen by the engine's machine only.
            let door = match provider::forwarded(trial, probe.port) {
                Some(forwarded) => crate::probe::Door {
                    forwarded: Some(forwarded),
                    ..door
                },
                None => door,
            };
            look(prober, &door, probe).await
        }
        Err(miss) => Finding {
            name: probe.name.clone(),
            found: Found::Bad(miss),
        },
    }
}

async fn open_id(trial: &Trial<'_>, prober: &Prober, ports: &Ports) -> Vec<Check> {
    match provider::provider(trial, ports) {
        Ok(provider) => oidc(prober, &provider).await.into_iter().map(Check::from).collect(),
        Err(why) => vec![Check::failed("issuer", why)],
    }
}
