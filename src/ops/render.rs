//! `render`: what a stage runs, with its values, as another consumer reads it.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::environment::Environment;
use super::release::{Found, Held, Release, release};
use super::view::required_manifest;
use super::{Context, Event, OpsError, protect};
use crate::image::{Digest, Hasher, Location, MAX_CONFIG_BYTES, platform_entries};
use crate::profile::{MOST_PROCESSES, ServerProfile};
use crate::project::Stage;
use crate::render::{
    self, Deployment, Health, Limits, Options, Port, Secret, SecretStore, Secrets, Target, User, workload_name,
};
use crate::store::read_blob;
use crate::values::{Fingerprint, fingerprint};

/// What is asked for.
pub struct Wish {
    /// For whom.
    pub target: &'static Target,
    /// What becomes of the secrets; what is usual for the target when nothing is said.
    pub secrets: Option<Secrets>,
    /// Where an external secret comes from.
    pub store: SecretStore,
}

/// The answer.
pub enum Rendering {
    /// The document.
    Document(SecretString),
    /// What the stage runs may not be handed on.
    Held(Held),
}

/// Writes down what a stage runs.
pub async fn render(context: &Context<'_>, stage: &str, wish: &Wish) -> Result<Rendering, OpsError> {
    let release = match release(context, stage).await? {
        Found::Whole(release) => *release,
        Found::Held(held) => return Ok(Rendering::Held(held)),
    };
    let bare = Environment::unprotected(context, release.stage, &release.contract, &release.reading)?;
    let user = user(&release).await?;
    let mut deployment = deployment(context, &release, bare, user);
    if wish.target.is_pulled {
        deployment.repository = pulled_from(context, &deployment.repository);
    }
    let options = Options {
        secrets: wish.secrets.unwrap_or_else(|| (wish.target.default)(&deployment)),
        store: wish.store.clone(),
    };
    if options.secrets == Secrets::Inline {
        for (name, secret) in release.environment(context).await?.secrets {
            let vault = None;
            deployment.secrets.insert(
                name,
                Secret {
                    text: secret.text,
                    vault,
                },
            );
        }
    }
    let document = render::render(&deployment, wish.target, &options)
        .map_err(|error| OpsError::input(error.to_string()).help(error.help()))?;
    Ok(Rendering::Document(document))
}

/// Where the document's reader will look for the image. Nobody else sees a folder of this machine, but what a document
/// would be can be seen without a registry: then the name in it has the right form and leads nowhere.
fn pulled_from(context: &Context<'_>, location: &Location) -> Location {
    let Location::Layout(_) = location else {
        return location.clone();
    };
    let text = format!(
        "`{location}` is a folder, and nobody can pull the image from there: to use this document, name a registry's \
         repository (`[image] repository`)"
    );
    context.events.tell(Event::Warning(&text));
    Location::Registry {
        registry: "localhost".to_owned(),
        repository: workload_name(&context.project.name, "local"),
    }
}

/// The user that the image names; of an index, its first image.
async fn user(release: &Release<'_>) -> Result<Option<User>, OpsError> {
    let store = &*release.view.store;
    let manifest = match release
        .manifest
        .index()
        .and_then(|index| platform_entries(index).next())
    {
        None => release.manifest.clone(),
        Some(entry) => required_manifest(store, entry.digest).await?,
    };
    let Some(image) = manifest.image() else { return Ok(None) };
    let bytes = read_blob(store, &image.config, MAX_CONFIG_BYTES as u64).await?;
    let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok(document
        .pointer("/config/User")
        .and_then(|user| User::read(user.as_str()?)))
}

fn deployment(
    context: &Context<'_>,
    release: &Release<'_>,
    environment: Environment,
    user: Option<User>,
) -> Deployment {
    let (server, stage) = (&context.project.server, release.stage);
    let checksum = checksum(&values(server, release), &environment);
    let secrets = environment.secrets.into_iter().map(|(name, secret)| {
        let vault = secret
            .source
            .as_deref()
            .and_then(|source| source.strip_prefix("vault:"));
        let vault = vault.map(str::to_owned);
        let text = secret.text;
        (name, Secret { text, vault })
    });
    Deployment {
        project: context.project.name.clone(),
        stage: stage.name.to_string(),
        version: release.version.clone(),
        repository: release.view.location.clone(),
        digest: release.digest(),
        plain: environment.plain,
        secrets: secrets.collect(),
        user,
        ports: ports(context, stage),
        health: server.health.as_ref().map(|health| Health {
            port: health.port,
            path: health.path.clone(),
            status: health.status,
            tls: server.ports.iter().any(|port| port.port == health.port && port.tls),
        }),
        patience: patience(context, stage),
        command: server.run.command.clone(),
        limits: Limits {
            memory: stage.memory(server),
            processes: MOST_PROCESSES,
            read_only: server.run.read_only,
            tmpfs: server.run.tmpfs.clone(),
            capabilities: server.run.capabilities,
        },
        checksum,
    }
}

fn ports(context: &Context<'_>, stage: &Stage) -> Vec<Port> {
    let ports = context.project.server.ports.iter();
    ports
        .map(|port| Port {
            name: port.name.clone(),
            number: port.port,
            published: published(stage, &port.name),
        })
        .collect()
}

/// Where a stage publishes a port, if it says so.
pub(super) fn published(stage: &Stage, name: &str) -> Option<std::net::SocketAddr> {
    let mut named = stage.run.ports.iter();
    named.find(|port| port.name == name).map(|port| port.address)
}

/// How long a stage's container may take until it is healthy.
pub(super) fn patience(context: &Context<'_>, stage: &Stage) -> Duration {
    let usual = Duration::from_secs(context.project.server.run.timeout);
    stage.test.timeout.unwrap_or(usual)
}

/// The fingerprint of what the stage gives the parameters, and the server beside them.
pub(super) fn values(server: &ServerProfile, release: &Release<'_>) -> Fingerprint {
    let asked = protect::with_keys(server, release.stage, &release.contract);
    let key = release.key.as_ref().map(|key| key.expose_secret());
    fingerprint(release.stage.name.as_str(), &asked, release.reading.values(), key)
}

/// Changes when anything in the environment does: secrets by the fingerprint, the rest as it is.
pub(super) fn checksum(values: &Fingerprint, environment: &Environment) -> Digest {
    let mut hasher = Hasher::default();
    let mut field = |text: &str| {
        hasher.update(&(text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    };
    field("iamship.environment/v1");
    field(&values.digest.to_string());
    for (name, text) in &environment.plain {
        field(name);
        field(text);
    }
    hasher.finish()
}
