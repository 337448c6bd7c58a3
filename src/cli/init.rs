//! `iamship init`

use camino::Utf8PathBuf;
use serde_json::json;

use super::arguments::{Format, Global, Init};
use super::shell::{Paint, Shell};
use super::{Outcome, connect};
use crate::ops::init;

pub(super) fn run(arguments: &Init, global: &Global, shell: &Shell) -> Outcome {
    let folder = connect::folder(global).join(arguments.folder.clone().unwrap_or_else(|| Utf8PathBuf::from(".")));
    let plan = init::plan(&folder, &arguments.server)?;
    if !arguments.dry_run {
        init::apply(&plan)?;
    }
    let files: Vec<_> = plan.files.iter().map(|file| file.path).collect();
    if shell.format() == Format::Json {
        shell.json(&json!({ "schema": "iamship.init/v1", "folder": plan.folder, "files": files, "dry_run": arguments.dry_run }));
        return Ok(());
    }
    for file in &files {
        shell.answer(file);
    }
    let verb = if arguments.dry_run {
        "would be written"
    } else {
        "written"
    };
    shell.note(format!("{} files {verb} to `{}`", files.len(), plan.folder));
    if !arguments.dry_run {
        let next = match &arguments.folder {
            Some(folder) if folder != "." => format!("cd {folder} && iamship keygen && iamship check"),
            _ => "iamship keygen && iamship check".to_owned(),
        };
        shell.note(format!("next: {}", shell.paint(next, Paint::Strong)));
    }
    Ok(())
}
