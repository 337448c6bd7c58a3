//! `deploy`: what a stage runs, started in the engine; the old container is kept until the new one is healthy, and put
//! back when it is not.
//!
//! There is one container a stage, and its name is the truth: `shop-prod` runs. Whatever else is there under a name of
//! ours belongs to a deploy that goes on, or broke off; see [`place`].

mod place;
mod switch;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::environment::Environment;
use super::load_image::load_image;
use super::release::{Found, Held, Release, release};
use super::render::{checksum, published, values};
use super::trial::{Check, Tail, Trial};
use super::{Context, OpsError};
use crate::engine::{ContainerId, ContainerSpec, Engine, NetworkId};
use crate::image::{Digest, Hasher};
use crate::values::SecretsHashed;

pub use switch::Switching;

use place::{Place, Present};

/// The engine's own network: a container that outlives the run has none of the run's.
const NETWORK: &str = "bridge";

/// What a deployment would do.
pub struct Plan<'p> {
    release: Box<Release<'p>>,
    engine: Arc<dyn Engine>,
    place: Place,
    /// Everything that the container is made from, in one digest; none where nobody can tell whether secrets changed.
    configuration: Option<Digest>,
    present: Present,
}

/// A plan, or why there is none.
pub enum Planned<'p> {
    /// The stage's digest can be started.
    Plan(Box<Plan<'p>>),
    /// What the stage runs may not be handed on.
    Held(Held),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The same digest runs with the same values.
    Nothing,
    /// Nothing runs: it is started.
    Start,
    /// The new one is started next to the old one, then the old one goes.
    Replace,
    /// The new one is tried next to the old one; then the old one is stopped, because both want the same address.
    Exchange,
}

/// A port and where it is, or will be, published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The profile's name for it, where it has one.
    pub name: Option<String>,
    /// Its number in the container.
    pub port: u16,
    /// Where it is published; port 0 means any that is free.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// How it ended.
#[derive(Debug)]
pub enum Done {
    /// It runs.
    Running {
        /// The container.
        id: ContainerId,
        /// Where its ports are.
        addresses: Vec<Address>,
        /// Whether anything was done.
        changed: bool,
    },
    /// The new one did not come up.
    Failed {
        /// What was seen.
        checks: Vec<Check>,
        /// The newest of its log.
        tails: Vec<Tail>,
        /// The container that runs as before, if one did.
        kept: Option<String>,
    },
}

impl Plan<'_> {
    /// What it starts.
    pub fn digest(&self) -> Digest {
        self.release.digest()
    }

    /// The container's name.
    pub fn container(&self) -> &str {
        &self.place.name
    }

    /// The digest that runs, as its label says.
    pub fn previous(&self) -> Option<&str> {
        let main = self.present.main.as_ref()?;
        main.found.labels.get(place::DIGEST).map(String::as_str)
    }

    /// What is to be done.
    pub fn act(&self) -> Act {
        match &self.present.main {
            None => Act::Start,
            Some(main) if main.found.is_running && main.is(self.configuration) => Act::Nothing,
            Some(main) if main.holds_any(&self.fixed()) => Act::Exchange,
            Some(_) => Act::Replace,
        }
    }

    /// Its ports, and where they will be published.
    pub fn addresses(&self, context: &Context<'_>) -> Vec<Address> {
        named(context, &ports(context, &self.release))
    }

    /// What each of its containers publishes: not what only tests ask.
    fn ports(&self, context: &Context<'_>) -> Vec<u16> {
        ports(context, &self.release).into_keys().collect()
    }

    fn fixed(&self) -> Vec<SocketAddr> {
        self.release.stage.run.ports.iter().map(|port| port.address).collect()
    }
}

/// Looks what runs, and decides. Changes nothing.
pub async fn plan<'p>(context: &Context<'p>, stage: &str) -> Result<Planned<'p>, OpsError> {
    let release = match release(context, stage).await? {
        Found::Whole(release) => release,
        Found::Held(held) => return Ok(Planned::Held(held)),
    };
    let engine = context.engines.connect_here().await?;
    let place = Place::of(context, release.stage);
    let present = place.look(&*engine).await?;
    let configuration = configuration(context, &release)?;
    Ok(Planned::Plan(Box::new(Plan {
        release,
        engine,
        place,
        configuration,
        present,
    })))
}

/// Starts it. While it does, `switching` knows how to put back what ran.
pub async fn apply(context: &Context<'_>, plan: &Plan<'_>, switching: &Switching) -> Result<Done, OpsError> {
    let (engine, release) = (&*plan.engine, &plan.release);
    let manifest = &release.manifest;
    let loaded = load_image(
        context.events,
        engine,
        &release.view.store,
        manifest,
        &context.project.name,
    )
    .await?;
    let environment = release.environment(context).await?;
    let trial = Trial {
        context,
        engine,
        image: loaded.id,
        digest: manifest.digest(),
        stage: release.stage,
        values: release.reading.values(),
        contract: &release.contract,
        redactor: environment.redactor(&release.reading),
        environment: environment.into_container(),
        suites: &[],
    };
    switch::run(&trial, plan, switching).await
}

/// Which of its ports are published, and where: as the stage says, else on any port of loopback.
fn ports(context: &Context<'_>, release: &Release<'_>) -> BTreeMap<u16, SocketAddr> {
    let server = &context.project.server;
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let health = server.health.iter().map(|health| (health.port, anywhere));
    let ports = server.ports.iter().map(|port| {
        let address = published(release.stage, &port.name);
        (port.port, address.unwrap_or(anywhere))
    });
    health.chain(ports).collect()
}

fn named(context: &Context<'_>, ports: &BTreeMap<u16, SocketAddr>) -> Vec<Address> {
    let known = &context.project.server.ports;
    let named = ports.iter().map(|(number, address)| {
        let port = known.iter().find(|port| port.port == *number);
        Address {
            name: port.map(|port| port.name.clone()),
            port: *number,
            address: *address,
            tls: port.is_some_and(|port| port.tls),
        }
    });
    named.collect()
}

/// Everything that the container is made from. None where secrets are hashed by nobody: a changed one would not show.
fn configuration(context: &Context<'_>, release: &Release<'_>) -> Result<Option<Digest>, OpsError> {
    let server = &context.project.server;
    let values = values(server, release);
    if values.secrets == SecretsHashed::LeftOut {
        return Ok(None);
    }
    let environment = Environment::unprotected(context, release.stage, &release.contract, &release.reading)?;
    let run = &server.run;
    let text = format!(
        "{:?}",
        (
            checksum(&values, &environment).to_string(),
            ports(context, release),
            release.stage.memory(&context.project.server),
            (&run.command, run.read_only, &run.tmpfs, run.capabilities),
            &release.stage.protect.as_ref().map(|settings| &settings.command),
        )
    );
    let mut hasher = Hasher::default();
    hasher.update(text.as_bytes());
    Ok(Some(hasher.finish()))
}

/// A container of a trial, kept and published as the stage says.
fn kept(trial: &Trial<'_>, plan: &Plan<'_>, name: &str) -> ContainerSpec {
    let mut spec = beside(trial, plan, name);
    spec.is_kept = true;
    spec.ports = ports(trial.context, &plan.release);
    if let Some(configuration) = plan.configuration {
        let label = (place::CONFIGURATION.to_owned(), configuration.to_string());
        spec.labels.extend([label]);
    }
    spec
}

/// A container of a trial under a name, published on any ports of loopback.
fn beside(trial: &Trial<'_>, plan: &Plan<'_>, name: &str) -> ContainerSpec {
    let mut spec = trial.spec(NetworkId(NETWORK.to_owned()));
    spec.name = Some(name.to_owned());
    let wanted = plan.ports(trial.context);
    spec.ports.retain(|port, _| wanted.contains(port));
    spec
}
