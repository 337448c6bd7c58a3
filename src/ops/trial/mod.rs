//! A digest started in an engine with a stage's values, and looked at from outside.
//!
//! Whatever is found wrong with the server is a result; an engine that does not answer is an error, and there is none.
//! What was made is removed by id, whichever of the two it is.

mod health;
mod log;
mod program;
mod provider;
mod report;
mod suites;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use camino::Utf8Path;
use secrecy::SecretString;

use super::{Context, Event, OpsError};
use crate::engine::{ContainerId, ContainerSpec, Engine, EngineError, Limits, NetworkId, Phase};
use crate::image::Digest;
use crate::probe::Prober;
use crate::profile::{Health, MOST_PROCESSES, ServerProfile};
use crate::project::Stage;
use crate::values::{Contract, Redactor, StageValues};

pub(super) use health::Ports;
pub use log::Tail;
pub use report::Check;

/// What is tried.
pub(super) struct Trial<'a> {
    /// The project, and who hears what happens.
    pub(super) context: &'a Context<'a>,
    /// Where it runs.
    pub(super) engine: &'a dyn Engine,
    /// The image, by the engine's own id.
    pub(super) image: Digest,
    /// The digest, as everybody else knows it.
    pub(super) digest: Digest,
    /// Whose values it gets.
    pub(super) stage: &'a Stage,
    /// Its values.
    pub(super) values: &'a StageValues,
    /// What it asks for.
    pub(super) contract: &'a Contract,
    /// What the container gets as its environment.
    pub(super) environment: BTreeMap<String, SecretString>,
    /// Takes the stage's secrets out of everything that is told.
    pub(super) redactor: Redactor,
    /// What is run, in order.
    pub(super) suites: &'a [String],
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Tried {
    /// What comes before all suites: whether it started and got healthy.
    pub(super) start: Vec<Check>,
    /// What each suite found. Where it did not start, none found anything.
    pub(super) suites: Vec<(String, Vec<Check>)>,
    /// The newest of what was written, where something failed.
    pub(super) tails: Vec<Tail>,
}

impl Tried {
    fn has_failed(&self) -> bool {
        let all = self.suites.iter().flat_map(|(_, checks)| checks);
        self.start.iter().chain(all).any(Check::has_failed)
    }
}

impl Trial<'_> {
    /// Starts it, looks at it, removes it.
    ///
    /// # Errors
    /// The engine, or a program that should run a suite: nothing is known of the server then.
    pub(super) async fn run(&self) -> Result<Tried, OpsError> {
        let mut made = Made::default();
        let tried = self.try_it(&mut made).await;
        self.remove(made).await;
        tried
    }

    async fn try_it(&self, made: &mut Made) -> Result<Tried, OpsError> {
        self.context
            .step(format!("starting {} in the engine", self.digest.short()));
        let network = self.engine.create_network().await?;
        made.network = Some(network.clone());
        let id = self.engine.create(&self.spec(network)).await?;
        made.container = Some(id.clone());
        let mut tried = Tried {
            start: Vec::new(),
            suites: Vec::new(),
            tails: Vec::new(),
        };
        match self.engine.start(&id).await {
            Ok(()) => {
                let prober = Prober::new(Redactor::clone(&self.redactor)).map_err(OpsError::world)?;
                let (check, ports) = health::wait(self, &prober, &id, &self.ports()).await?;
                let is_up = !check.has_failed();
                tried.start.push(check);
                if is_up {
                    tried.suites = suites::run(self, &prober, &id, &ports, &mut tried.tails).await?;
                }
            }
            // The engine is well, and can't run this image: there is no such program in it, say.
            Err(EngineError::Refused { because, status, .. }) if (400..500).contains(&status) => {
                let because = self.redactor.text(&because);
                tried
                    .start
                    .push(Check::failed("started", format!("it can't be started: {because}")));
            }
            Err(error) => return Err(error.into()),
        }
        if tried.suites.is_empty() {
            tried.suites = self.suites.iter().map(|suite| (suite.clone(), Vec::new())).collect();
        }
        if tried.has_failed() {
            tried.tails.insert(0, log::of_container(self, &id).await);
        }
        Ok(tried)
    }

    /// Waits until a container that was made with these ports published is healthy, and says where they are.
    pub(super) async fn healthy(&self, id: &ContainerId, wanted: &[u16]) -> Result<(Check, Ports), OpsError> {
        let prober = Prober::new(Redactor::clone(&self.redactor)).map_err(OpsError::world)?;
        health::wait(self, &prober, id, wanted).await
    }

    /// The newest of what a container wrote.
    pub(super) async fn log(&self, id: &ContainerId) -> Tail {
        log::of_container(self, id).await
    }

    pub(super) fn spec(&self, network: NetworkId) -> ContainerSpec {
        let run = &self.profile().run;
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        ContainerSpec {
            image: self.image,
            name: None,
            labels: [
                ("dev.iamship.project", self.context.project.name.as_str()),
                ("dev.iamship.stage", self.stage.name.as_str()),
                ("dev.iamship.digest", &self.digest.to_string()),
            ]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into(),
            is_kept: false,
            environment: self.environment.clone(),
            command: (!run.command.is_empty()).then(|| run.command.clone()),
            entrypoint: None,
            network: Some(network),
            ports: self.ports().into_iter().map(|port| (port, anywhere)).collect(),
            limits: Limits {
                memory: self.memory(),
                processes: MOST_PROCESSES,
                read_only: run.read_only,
                tmpfs: run.tmpfs.clone(),
                capabilities: run.capabilities,
            },
        }
    }

    fn profile(&self) -> &ServerProfile {
        &self.context.project.server
    }

    fn memory(&self) -> u64 {
        self.stage.memory(self.profile())
    }

    fn patience(&self) -> Duration {
        let of_profile = Duration::from_secs(self.profile().run.timeout);
        self.stage.test.timeout.unwrap_or(of_profile)
    }

    /// Every port that something will be asked on.
    fn ports(&self) -> Vec<u16> {
        let profile = self.profile();
        let named = profile.ports.iter().map(|port| port.port);
        let probed = profile
            .probes
            .iter()
            .chain(&self.stage.test.probes)
            .map(|probe| probe.port);
        let oidc = self.context.project.oidc.as_ref().map(|oidc| oidc.port);
        let health = profile.health.as_ref().map(|health| health.port);
        let mut ports: Vec<u16> = named.chain(probed).chain(oidc).chain(health).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    fn speaks_tls(&self, port: u16) -> bool {
        let mut ports = self.profile().ports.iter();
        ports.any(|other| other.port == port && other.tls)
    }

    /// Where the server is asked whether it is up: as its profile says, else any answer on its first port will do.
    fn health(&self) -> Option<&Health> {
        self.profile().health.as_ref()
    }

    /// What to say of a container that is not running; nothing while it runs.
    fn ended(&self, phase: Phase) -> Option<String> {
        match phase {
            Phase::Created | Phase::Running => None,
            Phase::Exited {
                out_of_memory: true, ..
            } => Some(format!(
                "it ended: it took more than its {} MiB of memory",
                self.memory() >> 20
            )),
            Phase::Exited { code, .. } => Some(format!("it ended with exit code {code}")),
        }
    }

    /// By id, the container first: a network that is in use can't be removed. What can't be removed now is removed
    /// when the program ends, else by the next run.
    async fn remove(&self, made: Made) {
        let container = match &made.container {
            Some(id) => self.engine.remove(id).await,
            None => Ok(()),
        };
        let network = match &made.network {
            Some(id) => self.engine.remove_network(id).await,
            None => Ok(()),
        };
        if let Err(error) = container.and(network) {
            let text = format!("something may be left in the engine: {error}");
            self.context.events.tell(Event::Warning(&text));
        }
    }

    fn root(&self) -> &Utf8Path {
        &self.context.project.root
    }
}

/// What has to go.
#[derive(Default)]
struct Made {
    network: Option<NetworkId>,
    container: Option<ContainerId>,
}
