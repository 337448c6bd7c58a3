//! `iamship verify`

use serde_json::json;

use super::Outcome;
use super::arguments::{Format, Verify};
use super::connect::yes_or_no;
use super::shell::{Paint, Shell};
use super::table::Table;
use crate::ops::Context;
use crate::ops::verify::{self, Said, Verification};

pub(super) async fn run(arguments: &Verify, context: &Context<'_>, shell: &Shell) -> Outcome {
    let verification = verify::verify(context, &arguments.what).await?;
    let good = verification.problems.is_empty();
    if shell.format() == Format::Json {
        let statements = verification.statements.iter().map(|said| {
            json!({
                "kind": said.kind,
                "signer": said.signer,
                "at": said.at,
                "stage": said.stage,
                "result": said.result,
                "reason": said.reason,
                "allows": said.allows,
            })
        });
        shell.json(&json!({
            "schema": "iamship.verify/v1",
            "digest": verification.digest,
            "repository": verification.location.to_string(),
            "signed_by": verification.signed_by,
            "statements": statements.collect::<Vec<_>>(),
            "problems": verification.problems,
            "ignored": verification.ignored,
        }));
    } else {
        text(&verification, shell);
    }
    yes_or_no(good)
}

/// How it ended, and what it lets pass.
fn result(said: &Said) -> String {
    let allows = (!said.allows.is_empty()).then(|| format!("allows {}", said.allows.join(", ")));
    let parts: Vec<_> = said.result.clone().into_iter().chain(allows).collect();
    match parts.is_empty() {
        true => "-".to_owned(),
        false => parts.join("; "),
    }
}

fn text(verification: &Verification, shell: &Shell) {
    let headline = if verification.problems.is_empty() {
        shell.paint("verified", Paint::Good)
    } else {
        shell.paint("NOT VERIFIED", Paint::Bad)
    };
    shell.answer(format!(
        "{headline}  {} in `{}`",
        verification.digest, verification.location
    ));
    for problem in &verification.problems {
        shell.answer(format!("  {}  {problem}", shell.paint("problem", Paint::Bad)));
    }
    shell.answer(format!(
        "  content    {} manifests and blobs, {} bytes, each hashed",
        verification.verified, verification.bytes
    ));
    if !verification.signed_by.is_empty() {
        shell.answer(format!("  signed by  {}", verification.signed_by.join(", ")));
    }
    if !verification.statements.is_empty() {
        let mut table = Table::new(["STATEMENT", "STAGE", "RESULT", "AT (UTC)", "SIGNER"]);
        for said in &verification.statements {
            table.row([
                said.kind.to_owned(),
                said.stage.clone().unwrap_or_else(|| "-".to_owned()),
                result(said),
                said.at
                    .map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string()),
                said.signer.clone(),
            ]);
        }
        shell.answer(format!("\n{table}"));
    }
    for ignored in &verification.ignored {
        shell.warn(ignored);
    }
}
