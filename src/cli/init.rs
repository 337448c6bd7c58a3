//! `iamship init`

use camino::Utf8PathBuf;
use serde_json::json;

use super::arguments::{Format, Global, Init, Service};
use super::shell::{Paint, Shell};
use super::{Outcome, connect};
use crate::ops::init;
use crate::project::{PROJECT_FILE, Pipeline};

pub(super) fn run(arguments: &Init, global: &Global, shell: &Shell) -> Outcome {
    let folder = connect::folder(global).join(arguments.folder.clone().unwrap_or_else(|| Utf8PathBuf::from(".")));
    let pipeline = arguments.ci.map(|service| match service {
        Service::Github => Pipeline::Github,
        Service::Gitlab => Pipeline::Gitlab,
        Service::Jenkins => Pipeline::Jenkins,
    });
    let plan = init::plan(&folder, &arguments.server, pipeline)?;
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
    let count = match files.len() {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    };
    let shown = match plan.folder.as_str() {
        "" | "." | "./" => "this folder".to_owned(),
        folder => format!("`{folder}`"),
    };
    shell.note(format!("{count} {verb} to {shown}"));
    if plan.files.iter().all(|file| file.path != PROJECT_FILE) {
        shell.note("its first lines say what it needs before it can run");
    } else if !arguments.dry_run {
        let next = match &arguments.folder {
            Some(folder) if folder != "." => format!("cd {folder} && iamship keygen && iamship check"),
            _ => "iamship keygen && iamship check".to_owned(),
        };
        shell.note(format!("next: {}", shell.paint(next, Paint::Strong)));
    }
    Ok(())
}
