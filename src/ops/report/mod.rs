//! `report`: everything that the page tells, from one listing of each store, read side by side.
//!
//! A store that does not answer is an error: half a pipeline is no picture of it. A source of secrets that does not, or
//! values that can't be read, are a gap that the page tells.

mod settings;
mod snapshot;
mod stages;
mod steps;
mod trail;

use std::io::Read as _;

use camino::Utf8Path;

use super::files::{self, Readers};
use super::status;
use super::{Context, Event, Events, OpsError};
use crate::report::page::Page;
use snapshot::Snapshot;

/// How many stages are read at once.
const PARALLEL: usize = 8;
/// What tells a page of ours from another file, and where it stands.
const MARK: &str = "<meta name=\"generator\" content=\"iamship ";
const HEAD_BYTES: u64 = 4096;

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// The page's data.
    pub page: Page,
    /// Whether it was the world that kept a part away.
    pub world_failed: bool,
}

/// Reads all that the page tells. Writes nothing.
pub async fn report(context: &Context<'_>) -> Result<Report, OpsError> {
    let stores = Snapshot::new(context.stores);
    let events = WarningsOnly(context.events);
    let silent = Context {
        stores: &stores,
        events: &events,
        ..*context
    };
    context.step("reading what runs where, and what happened");
    let (rows, histories, settings) = futures::try_join!(
        status::status(&silent),
        trail::histories(&silent),
        settings::settings(&silent)
    )?;
    let (steps, trail) = futures::try_join!(
        steps::steps(&silent, &rows, &histories),
        trail::trail(&silent, &histories)
    )?;
    let made = context.now();
    let page = Page {
        project: context.project.name.clone(),
        server: context.project.server.title.clone(),
        made,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        stages: rows.iter().map(stages::stage).collect(),
        steps: steps.steps,
        settings: settings.matrix,
        expiries: settings.expiries,
        trail,
    };
    Ok(Report {
        page,
        world_failed: settings.world_failed || steps.world_failed,
    })
}

/// One line says what is done; of fifty stages nobody wants to hear each.
struct WarningsOnly<'a>(&'a dyn Events);

impl Events for WarningsOnly<'_> {
    fn tell(&self, event: Event<'_>) {
        if let Event::Warning(_) = event {
            self.0.tell(event);
        }
    }
}

/// Writes the page beside its place, then renames it there: who has it open sees the old one or the new one. What is
/// there and is no page of ours is left alone.
pub fn write(path: &Utf8Path, html: &[u8]) -> Result<(), OpsError> {
    if let Some(what) = foreign(path)? {
        let message = format!("`{path}` {what}, and is left alone");
        return Err(OpsError::input(message).help("name another file with `--out`"));
    }
    Ok(files::replace(path, html, Readers::Everyone)?)
}

/// What else stands there.
fn foreign(path: &Utf8Path) -> Result<Option<&'static str>, OpsError> {
    let found = match fs_err::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !found.is_file() {
        return Ok(Some("is no file"));
    }
    let mut start = Vec::new();
    fs_err::File::open(path)?.take(HEAD_BYTES).read_to_end(&mut start)?;
    let is_ours = String::from_utf8_lossy(&start).contains(MARK);
    Ok((!is_ours && !start.is_empty()).then_some("is no page of this program"))
}
