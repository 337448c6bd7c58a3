//! `[stage.protect]`: secrets are encrypted by the image's own program before the server gets them.
//!
//! The program runs in a container without a network: the value on stdin, the protected one on stdout. Its environment is
//! what the profile's runs have, and the stage's keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use super::environment::Environment;
use super::inputs::StageReading;
use super::load_image::load_image;
use super::{Context, OpsError};
use crate::engine::{ContainerSpec, Engine, Finished, Limits};
use crate::image::{Digest, Manifest};
use crate::profile::{MOST_PROCESSES, ParameterName, ParameterType, Protect, ServerProfile};
use crate::project::{ProtectSettings, Stage};
use crate::store::Store;
use crate::values::{Contract, ContractParameter, Redactor, Value};

/// How many values are protected side by side.
const SIDE_BY_SIDE: usize = 4;
/// How much of what the program says is told.
const MOST_WORDS: usize = 300;

/// The image in its store.
pub(super) struct Image<'a> {
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) manifest: &'a Manifest,
}

/// Values that the program needs, and the server too, though no placeholder asks for them.
pub(super) fn keys<'p>(server: &'p ServerProfile, stage: &'p Stage) -> impl Iterator<Item = &'p ParameterName> {
    let known = server.protect.as_ref().map(|protect| &protect.environment);
    let own = stage.protect.as_ref().map(|settings| &settings.environment);
    [known, own].into_iter().flatten().flatten()
}

/// A contract and the keys that the server gets beside it: a changed key is a changed value.
pub(super) fn with_keys(server: &ServerProfile, stage: &Stage, contract: &Contract) -> Contract {
    let mut asked = contract.clone();
    let unasked = keys(server, stage).filter(|name| contract.get(name.as_str()).is_none());
    asked.parameters.extend(unasked.map(|name| ContractParameter {
        name: name.clone(),
        kind: ParameterType::Text,
        secret: true,
        may_be_empty: true,
        default: None,
        uses: 0,
        used: Vec::new(),
    }));
    asked
}

/// Whether a parameter's value must be protected: the stage says so, the profile means it, and it is not yet.
pub(super) fn must_protect(
    server: &ServerProfile,
    stage: &Stage,
    parameter: &ContractParameter,
    value: &Value,
) -> bool {
    let Some(protect) = server.protect.as_ref().filter(|_| stage.protect.is_some()) else {
        return false;
    };
    parameter.is_protected_by(protect) && !protect.is_protected(value.expose())
}

/// Puts protected values in the place of those that must be.
pub(super) async fn protect(
    context: &Context<'_>,
    stage: &Stage,
    reading: &StageReading,
    image: &Image<'_>,
    environment: &mut Environment,
) -> Result<(), OpsError> {
    let server = &context.project.server;
    let bare: Vec<_> = environment
        .secrets
        .iter()
        .filter(|(_, secret)| secret.is_bare)
        .collect();
    let (Some(settings), Some(form), false) = (&stage.protect, &server.protect, bare.is_empty()) else {
        return Ok(());
    };
    let given = given(server, stage, settings, reading)?;
    let engine = context.engines.connect().await?;
    let loaded = load_image(
        context.events,
        &*engine,
        image.store,
        image.manifest,
        &context.project.name,
    )
    .await?;
    context.step(format!("protecting {} values of `{}`", bare.len(), stage.name));
    let protector = Protector {
        engine: &*engine,
        form,
        spec: spec(context, stage, settings, form, loaded.id, given),
        redactor: Redactor::new(environment.secrets.values().map(|secret| secret.text.expose_secret())),
    };
    let protector = &protector;
    let each = bare.into_iter().map(|(name, secret)| async move {
        let text = protector.protect(name, &secret.text).await?;
        Ok::<_, OpsError>((name.clone(), text))
    });
    let done: Vec<(String, SecretString)> = futures::stream::iter(each).buffered(SIDE_BY_SIDE).try_collect().await?;
    for (name, text) in done {
        if let Some(secret) = environment.secrets.get_mut(&name) {
            (secret.text, secret.is_bare) = (text, false);
        }
    }
    Ok(())
}

/// The keys that the program gets. What the stage itself names it must give.
fn given(
    server: &ServerProfile,
    stage: &Stage,
    settings: &ProtectSettings,
    reading: &StageReading,
) -> Result<BTreeMap<String, SecretString>, OpsError> {
    let values = reading.values();
    if let Some(lacking) = settings.environment.iter().find(|name| values.get(name).is_none()) {
        let stage = &stage.name;
        let message = format!("`{lacking}` has no value in `{stage}`, and its secrets are protected with it");
        return Err(OpsError::input(message).help(format!("give it under `secrets` of `{stage}`")));
    }
    let plain = stage.environment(server).into_iter();
    let plain = plain.map(|(name, text)| (name, SecretString::from(text)));
    let keys = keys(server, stage).filter_map(|name| {
        let text = values.get(name)?.expose().to_owned();
        Some((name.to_string(), text.into()))
    });
    Ok(plain.chain(keys).collect())
}

fn spec(
    context: &Context<'_>,
    stage: &Stage,
    settings: &ProtectSettings,
    protect: &Protect,
    image: Digest,
    environment: BTreeMap<String, SecretString>,
) -> ContainerSpec {
    let run = &context.project.server.run;
    let words = settings.command(Some(protect));
    let (program, arguments) = words.split_at(words.len().min(1));
    ContainerSpec {
        image,
        name: None,
        labels: BTreeMap::from([("dev.iamship.stage".to_owned(), stage.name.to_string())]),
        is_kept: false,
        environment,
        command: Some(arguments.to_vec()),
        entrypoint: Some(program.to_vec()),
        network: None,
        ports: BTreeMap::new(),
        limits: Limits {
            memory: stage.memory(&context.project.server),
            processes: MOST_PROCESSES,
            read_only: run.read_only,
            tmpfs: run.tmpfs.clone(),
            capabilities: false,
        },
    }
}

struct Protector<'a> {
    engine: &'a dyn Engine,
    form: &'a Protect,
    spec: ContainerSpec,
    redactor: Redactor,
}

impl Protector<'_> {
    async fn protect(&self, name: &str, value: &SecretString) -> Result<SecretString, OpsError> {
        let stdin = SecretSlice::from(value.expose_secret().as_bytes().to_vec());
        let finished = self.engine.run(&self.spec, stdin).await?;
        self.read(&finished).map_err(|because| {
            OpsError::input(format!("the value of `{name}` could not be protected: {because}"))
                .help("look at `command` and `environment` under `[stage.protect]`")
        })
    }

    fn read(&self, finished: &Finished) -> Result<SecretString, String> {
        let program = self
            .spec
            .entrypoint
            .as_deref()
            .and_then(<[String]>::first)
            .map_or("", String::as_str);
        if finished.code != 0 {
            let said = self.said(finished.stderr.expose_secret());
            return Err(format!("`{program}` ended with {}{said}", finished.code));
        }
        let text = std::str::from_utf8(finished.stdout.expose_secret())
            .map_err(|_| format!("what `{program}` wrote is not UTF-8"))?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        match (text.is_empty(), self.form.has_form(text)) {
            (true, _) => Err(format!(
                "`{program}` wrote nothing{}",
                self.said(finished.stderr.expose_secret())
            )),
            (false, false) => Err(format!(
                "what `{program}` wrote does not have the form that the server's profile tells"
            )),
            (false, true) => Ok(SecretString::from(text)),
        }
    }

    /// What the program said, on one line, without secrets.
    fn said(&self, stderr: &[u8]) -> String {
        let text = self.redactor.text(&String::from_utf8_lossy(stderr));
        let words: Vec<_> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
        let line: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let line: String = line.join(" ").chars().take(MOST_WORDS).collect();
        match line.is_empty() {
            true => String::new(),
            false => format!(": {line}"),
        }
    }
}
