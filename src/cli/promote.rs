//! `iamship promote` and `iamship explain`

use serde_json::{Value, json};

use super::Outcome;
use super::arguments::{Explain, Format, Promote};
use super::changes;
use super::connect::yes_no_or_unanswered;
use super::failure::Failure;
use super::shell::{Paint, Shell};
use crate::image::Digest;
use crate::ops::Context;
use crate::ops::promote::{self, Done, Plan, Wish};
use crate::promotion::GateName;

/// A promotion tells so many changes that hold it; `explain` tells all.
const MOST_CHANGES: usize = 10;

pub(super) async fn run(arguments: &Promote, context: &Context<'_>, shell: &Shell) -> Outcome {
    let wish = Wish {
        digest: arguments.digest.clone(),
        expect_current: digest(arguments.expect_current.as_deref())?,
        allow_older: arguments.allow_older,
        clear_hold: digest(arguments.on.clear_hold.as_deref())?,
        override_freeze: reason(arguments.on.override_freeze.as_deref())?,
        allow_removal: names(&arguments.on.allow_removal, "--allow-removal")?,
    };
    let mut plan = promote::plan(context, &arguments.from, &arguments.to, &wish).await?;
    promote::warn_of_passed_over(context, &arguments.from, &plan);
    promote::warn_of_needless_names(context, &plan);
    let done = if plan.is_cleared() && !arguments.dry_run {
        promote::apply(context, &mut plan).await?
    } else {
        None
    };
    let said = Said {
        verb: "promote",
        from: Some(&arguments.from),
        to: &arguments.to,
        plan: &plan,
        done: done.as_ref(),
        dry_run: arguments.dry_run,
    };
    said.tell(shell)
}

pub(super) async fn explain(arguments: &Explain, context: &Context<'_>, shell: &Shell) -> Outcome {
    let wish = Wish {
        digest: arguments.digest.clone(),
        expect_current: digest(arguments.expect_current.as_deref())?,
        allow_older: arguments.allow_older,
        clear_hold: digest(arguments.on.clear_hold.as_deref())?,
        override_freeze: reason(arguments.on.override_freeze.as_deref())?,
        allow_removal: names(&arguments.on.allow_removal, "--allow-removal")?,
    };
    let plan = promote::plan(context, &arguments.from, &arguments.to, &wish).await?;
    promote::warn_of_passed_over(context, &arguments.from, &plan);
    promote::warn_of_needless_names(context, &plan);
    let said = Said {
        verb: "explain",
        from: Some(&arguments.from),
        to: &arguments.to,
        plan: &plan,
        done: None,
        dry_run: true,
    };
    said.tell(shell)
}

pub(super) fn digest(text: Option<&str>) -> Result<Option<Digest>, Failure> {
    Ok(text.map(str::parse).transpose()?)
}

/// A reason that is signed must say something.
pub(super) fn reason(text: Option<&str>) -> Result<Option<String>, Failure> {
    match text.map(str::trim) {
        Some("") => Err(Failure::input("the reason is empty, and it will be signed")),
        text => Ok(text.map(str::to_owned)),
    }
}

/// Names of what may be removed. An empty one names nothing, which is not what anybody means.
pub(super) fn names(given: &[String], flag: &str) -> Result<Vec<String>, Failure> {
    match given.iter().any(|name| name.trim().is_empty()) {
        true => Err(Failure::input(format!("`{flag}` names nothing"))),
        false => Ok(given.to_vec()),
    }
}

/// What a promotion, an explanation or a rollback answers.
pub(super) struct Said<'a> {
    pub(super) verb: &'a str,
    pub(super) from: Option<&'a str>,
    pub(super) to: &'a str,
    pub(super) plan: &'a Plan,
    pub(super) done: Option<&'a Done>,
    pub(super) dry_run: bool,
}

impl Said<'_> {
    pub(super) fn tell(&self, shell: &Shell) -> Outcome {
        if shell.format() == Format::Json {
            shell.json(&self.document());
        } else {
            self.text(shell);
        }
        for why in self.plan.unanswered.iter().filter(|_| !self.plan.is_cleared()) {
            shell.error(why);
        }
        yes_no_or_unanswered(self.plan.is_cleared(), !self.plan.unanswered.is_empty())
    }

    fn moved(&self) -> bool {
        self.done
            .is_some_and(|done| done.repositories.iter().any(|repository| repository.moved))
    }

    fn document(&self) -> Value {
        let repositories = self.done.map_or(&self.plan.repositories, |done| &done.repositories);
        json!({
            "schema": format!("iamship.{}/v1", self.verb),
            "from": self.from,
            "to": self.to,
            "digest": self.plan.digest,
            "version": self.plan.version,
            "previous": self.plan.previous,
            "moved": self.moved(),
            "gates": self.plan.judgement.gates.iter().map(|(gate, verdict)| json!({
                "gate": gate.as_str(),
                "verdict": verdict.as_str(),
                "because": verdict.because(),
                "help": verdict.help(),
            })).collect::<Vec<_>>(),
            "changes": self.plan.changes.iter().map(changes::document).collect::<Vec<_>>(),
            "passed_over": self.plan.passed_over.iter().map(|passed| passed.digest).collect::<Vec<_>>(),
            "repositories": repositories.iter().map(|repository| json!({
                "repository": repository.location.to_string(),
                "reference": repository.reference,
                "moved": repository.moved,
            })).collect::<Vec<_>>(),
            "record": self.done.and_then(|done| done.record),
            "dry_run": self.dry_run,
        })
    }

    fn text(&self, shell: &Shell) {
        shell.answer(self.headline(shell));
        let width = self
            .plan
            .judgement
            .gates
            .iter()
            .map(|(gate, _)| gate.as_str().len())
            .max()
            .unwrap_or(0);
        for (gate, verdict) in &self.plan.judgement.gates {
            let mark = if verdict.is_hold() {
                shell.paint("hold", Paint::Bad)
            } else {
                shell.paint("pass", Paint::Good)
            };
            let because = if verdict.is_hold() {
                verdict.because().to_owned()
            } else {
                shell.paint(verdict.because(), Paint::Faint)
            };
            shell.answer(format!("  {mark}  {:width$}  {because}", gate.as_str()));
            if *gate == GateName::Changes && verdict.is_hold() {
                self.unnamed(shell, width);
            }
            for help in verdict.help() {
                shell.answer(format!(
                    "        {:width$}  {} {help}",
                    "",
                    shell.paint("help:", Paint::Good)
                ));
            }
        }
    }

    /// What nobody has named: all of it where somebody asks for that.
    fn unnamed(&self, shell: &Shell, width: usize) {
        let most = if self.verb == "explain" {
            usize::MAX
        } else {
            MOST_CHANGES
        };
        let unnamed = self.plan.changes.iter().filter(|named| named.name.is_none());
        let lines: Vec<_> = unnamed.map(|named| changes::line(&named.change)).collect();
        for line in lines.iter().take(most) {
            shell.answer(format!("        {:width$}  {line}", ""));
        }
        if let (Some(from), true) = (self.from, lines.len() > most) {
            let (more, to) = (lines.len() - most, self.to);
            shell.answer(format!(
                "        {:width$}  … and {more} more: iamship explain {from} {to}",
                ""
            ));
        }
    }

    fn headline(&self, shell: &Shell) -> String {
        let version = self.plan.version.as_deref().unwrap_or("unknown version");
        let what = format!("{} ({version})", self.plan.digest);
        let to = self.to;
        let held = self
            .plan
            .judgement
            .gates
            .iter()
            .filter(|(_, verdict)| verdict.is_hold())
            .count();
        if held > 0 {
            let gates = if held == 1 {
                "1 gate holds".to_owned()
            } else {
                format!("{held} gates hold")
            };
            return format!(
                "{}  `{to}` stays as it is: {gates} back {what}",
                shell.paint("held", Paint::Bad)
            );
        }
        match (self.moved(), self.done) {
            (true, _) => format!("{}  `{to}` runs {what}", shell.paint("moved", Paint::Good)),
            (false, Some(_)) => format!("{}  `{to}` runs {what} already", shell.paint("unchanged", Paint::Good)),
            (false, None) if self.plan.is_done() => {
                format!("{}  `{to}` runs {what} already", shell.paint("unchanged", Paint::Good))
            }
            (false, None) => format!("{}  `{to}` may move to {what}", shell.paint("clear", Paint::Good)),
        }
    }
}
