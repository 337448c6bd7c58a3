//! `diff`: what differs between two sides, in the server's own terms, and what they were made on.

use super::filled::Filling;
use super::side::{self, Content, Side, SideName};
use super::stored::Stored;
use super::{Context, Event, OpsError};
use crate::bundle::{self, Bundle, Change};
use crate::diagnostic::{Code, Diagnostic, Source};
use crate::image::{BaseDifference, BaseImage, Digest, Image, Manifest, image_changes};
use crate::store::Store;
use crate::values::is_secret_name;

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct Wish {
    /// One side.
    pub before: SideName,
    /// The other.
    pub after: SideName,
    /// The stage whose values go into placeholders first, for comparing with what holds values already.
    pub values: Option<String>,
}

impl Wish {
    /// As the arguments say: the first stage against the working tree where nothing is named, what is named against the
    /// working tree where it is one.
    pub fn of(
        context: &Context<'_>,
        before: Option<&str>,
        after: Option<&str>,
        values: Option<&str>,
    ) -> Result<Self, OpsError> {
        let side = |text| SideName::of(context.project, text);
        let first = || SideName::Stage(context.project.stages[0].name.to_string());
        Ok(Self {
            before: before.map(side).transpose()?.unwrap_or_else(first),
            after: after.map(side).transpose()?.unwrap_or(SideName::WorkingTree),
            values: values.map(str::to_owned),
        })
    }
}

/// Two sides, compared.
#[derive(Clone, Debug)]
pub struct Compared {
    /// One side.
    pub before: Known,
    /// The other.
    pub after: Known,
    /// What differs.
    pub difference: Difference,
}

/// What is known of a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// As it is named.
    pub name: SideName,
    /// Of its image, if it is one.
    pub digest: Option<Digest>,
}

/// Compares two sides.
pub async fn compare(context: &Context<'_>, wish: &Wish) -> Result<Compared, OpsError> {
    context.step(format!("comparing {} with {}", wish.before, wish.after));
    let (before, after) = futures::try_join!(
        side::open(context, wish.before.clone()),
        side::open(context, wish.after.clone()),
    )?;
    let known = |side: &Side| Known {
        name: side.name.clone(),
        digest: match &side.content {
            Content::Image { manifest, .. } => Some(manifest.digest()),
            Content::Files(_) => None,
        },
    };
    let (before_known, after_known) = (known(&before), known(&after));
    let difference = match (&before.content, &after.content, &wish.values) {
        (Content::Image { .. }, Content::Image { .. }, None) => {
            between(context, in_store(&before)?, in_store(&after)?).await?
        }
        _ => of_sides(context, before, after, wish.values.as_deref()).await?,
    };
    Ok(Compared {
        before: before_known,
        after: after_known,
        difference,
    })
}

fn in_store(side: &Side) -> Result<InStore<'_>, OpsError> {
    match &side.content {
        Content::Image { store, manifest } => Ok(InStore {
            store: &**store,
            manifest,
        }),
        Content::Files(_) => Err(OpsError::input(format!("`{}` is no image", side.name))),
    }
}

/// A side with its files read.
struct Read {
    name: SideName,
    bundle: Bundle,
    base: Option<BaseImage>,
    images: Option<Vec<Image>>,
}

async fn read(context: &Context<'_>, side: Side, with_all: bool) -> Result<Read, OpsError> {
    let name = side.name;
    let (files, base, images) = match side.content {
        Content::Files(files) => (files.files, files.base, None),
        Content::Image { store, manifest } => {
            let stored = Stored::open(&*store, &manifest).await?;
            let images = async {
                match with_all {
                    true => stored.images().await,
                    false => Ok(stored.first_image().await?.into_iter().collect()),
                }
            };
            let (files, images) = futures::try_join!(stored.configuration(context), images)?;
            let base = images.first().and_then(BaseImage::of);
            (files, base, Some(images))
        }
    };
    Ok(Read {
        bundle: readable(context, files, &name.to_string())?,
        name,
        base,
        images,
    })
}

async fn of_sides(
    context: &Context<'_>,
    before: Side,
    after: Side,
    values: Option<&str>,
) -> Result<Difference, OpsError> {
    let are_images = matches!(
        (&before.content, &after.content),
        (Content::Image { .. }, Content::Image { .. })
    );
    let (mut before, mut after) =
        futures::try_join!(read(context, before, are_images), read(context, after, are_images))?;
    let filling = match values {
        Some(stage) => Some(fill(context, stage, &mut before, &mut after).await?),
        None => {
            tell_of_values(context, &before, &after);
            None
        }
    };
    let mut changes = bundle::diff(&before.bundle, &after.bundle);
    if let Some(filling) = filling {
        changes.iter_mut().for_each(|change| filling.conceal(change));
    }
    let base = match (before.images.filter(|_| are_images), after.images) {
        (Some(old), Some(new)) => base_difference(&old, &new),
        _ => BaseDifference {
            before: before.base,
            after: after.base,
            image: Vec::new(),
        },
    };
    Ok(Difference { changes, base })
}

/// Fills in those sides that have placeholders.
async fn fill(context: &Context<'_>, stage: &str, before: &mut Read, after: &mut Read) -> Result<Filling, OpsError> {
    let mut filling = Filling::read(context, stage).await?;
    let mut is_filled = false;
    for side in [before, after] {
        if side.bundle.parameters().is_empty() {
            continue;
        }
        let unfilled = std::mem::replace(&mut side.bundle, Bundle::read(Vec::new(), &context.project.server).0);
        side.bundle = filling.fill(context, unfilled)?;
        is_filled = true;
    }
    if !is_filled {
        let text = format!("neither side has placeholders: the values of `{stage}` go nowhere");
        context.events.tell(Event::Warning(&text));
    }
    Ok(filling)
}

/// A file that a server gave has values where the project has placeholders: every one of them would seem a change.
fn tell_of_values(context: &Context<'_>, before: &Read, after: &Read) {
    let (filled, open) = match (
        before.bundle.parameters().is_empty(),
        after.bundle.parameters().is_empty(),
    ) {
        (true, false) => (before, after),
        (false, true) => (after, before),
        _ => return,
    };
    // A project may have no placeholders at all.
    if matches!(filled.name, SideName::Path(_)) {
        let text = format!(
            "`{}` has placeholders and `{}` has none: `--values STAGE` fills in what a stage gives them first",
            open.name, filled.name
        );
        context.events.tell(Event::Note(&text));
    }
}

/// What differs between two sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Of the configuration, in its own order.
    pub changes: Vec<Change>,
    /// Of the base and the rest of the image.
    pub base: BaseDifference,
}

impl Difference {
    /// Whether anything differs.
    pub fn differs(&self) -> bool {
        !self.changes.is_empty() || self.base.differs()
    }
}

/// An image and the store that holds it.
#[derive(Clone, Copy)]
pub struct InStore<'s> {
    /// Where it is.
    pub store: &'s dyn Store,
    /// The image or index.
    pub manifest: &'s Manifest,
}

/// What differs between two images. Equal digests cost nothing; else an index's manifests, one image configuration a
/// platform, and the configuration layers where they differ.
pub async fn between(context: &Context<'_>, before: InStore<'_>, after: InStore<'_>) -> Result<Difference, OpsError> {
    Ok(between_with_files(context, before, after).await?.0)
}

/// The same, with the configurations, where they had to be read.
pub(super) async fn between_with_files(
    context: &Context<'_>,
    before: InStore<'_>,
    after: InStore<'_>,
) -> Result<(Difference, Option<(Bundle, Bundle)>), OpsError> {
    if before.manifest.digest() == after.manifest.digest() {
        return Ok((Difference::default(), None));
    }
    let (before, after) = open(before, after).await?;
    let (read, base) = futures::try_join!(stored_changes(context, &before, &after), stored_base(&before, &after))?;
    let (changes, files) = read;
    Ok((Difference { changes, base }, files))
}

/// The changes of the configuration alone: no image configuration is read.
pub async fn changes_between(
    context: &Context<'_>,
    before: InStore<'_>,
    after: InStore<'_>,
) -> Result<Vec<Change>, OpsError> {
    if before.manifest.digest() == after.manifest.digest() {
        return Ok(Vec::new());
    }
    let (before, after) = open(before, after).await?;
    Ok(stored_changes(context, &before, &after).await?.0)
}

async fn open<'s>(before: InStore<'s>, after: InStore<'s>) -> Result<(Stored<'s>, Stored<'s>), OpsError> {
    futures::try_join!(
        Stored::open(before.store, before.manifest),
        Stored::open(after.store, after.manifest),
    )
}

/// The changes, and the configurations, where they had to be read.
async fn stored_changes(
    context: &Context<'_>,
    before: &Stored<'_>,
    after: &Stored<'_>,
) -> Result<(Vec<Change>, Option<(Bundle, Bundle)>), OpsError> {
    if before.config_layer()?.digest == after.config_layer()?.digest {
        return Ok((Vec::new(), None));
    }
    let (old, new) = futures::try_join!(before.configuration(context), after.configuration(context))?;
    let old = readable(context, old, &before.digest().short())?;
    let new = readable(context, new, &after.digest().short())?;
    let changes = bundle::diff(&old, &new);
    Ok((changes, Some((old, new))))
}

/// A side's files as a tree. Of half a tree nothing can be said: what can't be read would seem to be removed.
///
/// # Errors
/// What is wrong with the files, told of the side by its name.
pub(super) fn readable(context: &Context<'_>, files: Vec<Source>, side: &str) -> Result<Bundle, OpsError> {
    let (bundle, found) = Bundle::read(files, &context.project.server);
    let broken: Vec<Diagnostic> = found
        .into_iter()
        .filter(|found| keeps_from_reading(found.code))
        .map(|mut found| {
            found.message = format!("{side}: {}", found.message);
            found
        })
        .collect();
    match broken.is_empty() {
        true => Ok(bundle),
        false => Err(broken.into()),
    }
}

fn keeps_from_reading(code: Code) -> bool {
    matches!(
        code,
        Code::XmlMalformed
            | Code::XmlDoctype
            | Code::XmlRoot
            | Code::JsonMalformed
            | Code::YamlMalformed
            | Code::TomlMalformed
            | Code::ProfileInvalid
    )
}

async fn stored_base(before: &Stored<'_>, after: &Stored<'_>) -> Result<BaseDifference, OpsError> {
    let (old, new) = futures::try_join!(before.images(), after.images())?;
    Ok(base_difference(&old, &new))
}

/// What two images were made on, and what else of them differs. Variables of a secret's name are told without values.
pub(super) fn base_difference(before: &[Image], after: &[Image]) -> BaseDifference {
    let mut image = image_changes(before, after);
    for change in image
        .iter_mut()
        .filter(|change| change.what == "environment" && is_secret_name(&change.name))
    {
        for value in [&mut change.before, &mut change.after].into_iter().flatten() {
            SECRET.clone_into(value);
        }
    }
    BaseDifference {
        before: before.first().and_then(BaseImage::of),
        after: after.first().and_then(BaseImage::of),
        image,
    }
}

/// What stands in a secret's place.
const SECRET: &str = "(secret)";
