//! `iamship deploy`

use serde_json::{Value, json};

use super::Outcome;
use super::arguments::{Deploy, Format};
use super::connect::yes_or_no;
use super::failure::Failure;
use super::render::{document as gates, tell_held};
use super::shell::{Paint, Shell};
use super::test;
use crate::ops::Context;
use crate::ops::deploy::{self, Act, Address, Done, Plan, Planned, Switching};
use crate::ops::release::Held;
use crate::ops::test::Check;

pub(super) async fn run(arguments: &Deploy, context: &Context<'_>, shell: &Shell, switching: &Switching) -> Outcome {
    let plan = match deploy::plan(context, &arguments.stage).await? {
        Planned::Plan(plan) => plan,
        Planned::Held(held) => return tell_no(&held, shell),
    };
    if arguments.dry_run {
        return tell_plan(arguments, context, &plan, shell);
    }
    let done = deploy::apply(context, &plan, switching).await?;
    tell(arguments, &plan, &done, shell)
}

fn tell_no(held: &Held, shell: &Shell) -> Outcome {
    if shell.format() != Format::Json {
        return tell_held(held, shell);
    }
    shell.json(&json!({
        "schema": "iamship.deploy/v1",
        "stage": held.stage,
        "digest": held.digest,
        "container": null,
        "addresses": [],
        "changed": false,
        "gates": gates(held),
    }));
    Err(Failure::No)
}

fn tell_plan(arguments: &Deploy, context: &Context<'_>, plan: &Plan<'_>, shell: &Shell) -> Outcome {
    let addresses = plan.addresses(context);
    let act = match plan.act() {
        Act::Nothing => "nothing",
        Act::Start => "start",
        Act::Replace => "replace",
        Act::Exchange => "exchange",
    };
    if shell.format() == Format::Json {
        shell.json(&json!({
            "schema": "iamship.deploy/v1",
            "stage": arguments.stage,
            "digest": plan.digest(),
            "container": null,
            "addresses": addresses.iter().map(document).collect::<Vec<_>>(),
            "changed": false,
            "name": plan.container(),
            "previous": plan.previous(),
            "act": act,
        }));
        return Ok(());
    }
    let (name, digest) = (plan.container(), plan.digest());
    shell.answer(match plan.act() {
        Act::Nothing => format!("`{name}` runs {digest} with these values already: nothing to do, if it is healthy"),
        Act::Start => format!("would start {digest} as `{name}`"),
        Act::Replace => format!("would start {digest} next to `{name}`, and let it take its place when it is healthy"),
        Act::Exchange => format!(
            "would try {digest} next to `{name}`, then stop that and start the new one; not healthy, the old one is put back"
        ),
    });
    tell_addresses(&addresses, shell);
    Ok(())
}

fn tell(arguments: &Deploy, plan: &Plan<'_>, done: &Done, shell: &Shell) -> Outcome {
    let (name, digest) = (plan.container(), plan.digest());
    let is_json = shell.format() == Format::Json;
    match done {
        Done::Running { id, addresses, changed } => {
            if is_json {
                shell.json(&json!({
                    "schema": "iamship.deploy/v1",
                    "stage": arguments.stage,
                    "digest": digest,
                    "container": id.0,
                    "addresses": addresses.iter().map(document).collect::<Vec<_>>(),
                    "changed": changed,
                    "name": name,
                    "previous": plan.previous(),
                }));
                return Ok(());
            }
            let word = if *changed { "deployed" } else { "unchanged" };
            shell.answer(format!(
                "{}  {digest} as `{name}` ({id})",
                shell.paint(word, Paint::Good)
            ));
            tell_addresses(addresses, shell);
        }
        Done::Failed { checks, tails, kept } => {
            if is_json {
                shell.json(&json!({
                    "schema": "iamship.deploy/v1",
                    "stage": arguments.stage,
                    "digest": digest,
                    "container": null,
                    "addresses": [],
                    "changed": false,
                    "name": name,
                    "previous": plan.previous(),
                    "kept": kept,
                    "checks": checks.iter().map(check).collect::<Vec<_>>(),
                }));
            } else {
                shell.answer(format!(
                    "{}  {digest} in `{}`",
                    shell.paint("not deployed", Paint::Bad),
                    arguments.stage
                ));
                for check in checks {
                    test::line(check, "  ", shell);
                }
            }
            test::tell_tails(tails, shell);
            shell.note(match kept {
                Some(kept) => format!("`{kept}` runs as before"),
                None => format!("nothing runs as `{name}`"),
            });
        }
    }
    yes_or_no(matches!(done, Done::Running { .. }))
}

fn check(check: &Check) -> Value {
    json!({
        "name": check.name,
        "result": if check.has_failed() { "failed" } else { "passed" },
        "detail": check.detail,
    })
}

fn tell_addresses(addresses: &[Address], shell: &Shell) {
    for address in addresses {
        let number = address.port.to_string();
        let name = address.name.as_deref().unwrap_or(&number);
        let place = match address.address.port() {
            0 => "any free port of loopback".to_owned(),
            _ => url(address),
        };
        shell.answer(format!("  {name}  {place}"));
    }
}

fn url(address: &Address) -> String {
    let scheme = if address.tls { "https" } else { "http" };
    format!("{scheme}://{}", address.address)
}

fn document(address: &Address) -> Value {
    let is_known = address.address.port() != 0;
    json!({
        "name": address.name,
        "port": address.port,
        "address": is_known.then(|| address.address.to_string()),
        "url": is_known.then(|| url(address)),
    })
}
