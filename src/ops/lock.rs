//! `lock`: the base image, pinned by digest.

use super::{Context, OpsError};
use crate::image::{Digest, Manifest, Reference, platform_entries};
use crate::project::Lock;

/// What is written.
pub struct Plan {
    /// The pin.
    pub lock: Lock,
    /// The digest that was pinned before.
    pub previous: Option<Digest>,
    /// Whether the file must be written.
    pub writes: bool,
    /// The base's manifest, where it had to be read.
    pub manifest: Option<Manifest>,
}

/// Decides: keeps a pin that is there unless it shall move.
pub async fn plan(context: &Context<'_>, update: bool) -> Result<Plan, OpsError> {
    let base = &context.project.image.base;
    let there = match Lock::load(&context.project.root, base) {
        Ok(lock) => lock,
        // A pin of another base, or a broken file: that is what `--update` mends.
        Err(_) if update => None,
        Err(diagnostics) => return Err(diagnostics.into()),
    };
    if let Some(lock) = there.clone().filter(|_| !update) {
        let previous = Some(lock.digest);
        return Ok(Plan {
            lock,
            previous,
            writes: false,
            manifest: None,
        });
    }
    let (lock, manifest) = pin(context, base).await?;
    Ok(Plan {
        writes: there.as_ref() != Some(&lock),
        previous: there.map(|lock| lock.digest),
        lock,
        manifest: Some(manifest),
    })
}

/// Writes the lock file.
pub fn apply(context: &Context<'_>, plan: &Plan) -> Result<(), OpsError> {
    if plan.writes {
        plan.lock.write(&context.project.root)?;
    }
    Ok(())
}

async fn pin(context: &Context<'_>, base: &Reference) -> Result<(Lock, Manifest), OpsError> {
    context.step(format!("asking for the base `{base}`"));
    let store = context.store(&base.location)?;
    let manifest = store.manifest(&base.target).await?.ok_or_else(|| {
        OpsError::world(format!("there is no base `{base}`")).help("is `base` in `iamship.toml` right?")
    })?;
    let lock = Lock {
        base: base.clone(),
        digest: manifest.digest(),
        media_type: Some(manifest.media_type().to_owned()),
        platforms: platforms(&manifest),
    };
    Ok((lock, manifest))
}

fn platforms(manifest: &Manifest) -> Vec<String> {
    let entries = manifest.index().into_iter().flat_map(platform_entries);
    entries
        .filter_map(|entry| entry.platform.as_ref())
        .map(ToString::to_string)
        .collect()
}
