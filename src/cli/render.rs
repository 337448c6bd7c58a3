//! `iamship render`

use secrecy::ExposeSecret as _;
use serde_json::json;

use super::Outcome;
use super::arguments::{Format, Render, SecretsChoice};
use super::failure::Failure;
use super::shell::{Paint, Shell};
use crate::ops::Context;
use crate::ops::release::Held;
use crate::ops::render::{self, Rendering, Wish};
use crate::render::{SecretStore, Secrets, target};

pub(super) async fn run(arguments: &Render, context: &Context<'_>, shell: &Shell) -> Outcome {
    if shell.format() != Format::Text {
        return Err(Failure::input("`render` answers with the document itself").help("leave `--format` out"));
    }
    let target = target(&arguments.target)
        .ok_or_else(|| Failure::input(format!("there is no target `{}`", arguments.target)))?;
    let wish = Wish {
        target,
        secrets: arguments.secrets.map(|choice| match choice {
            SecretsChoice::Inline => Secrets::Inline,
            SecretsChoice::External => Secrets::External,
            SecretsChoice::Omit => Secrets::Omit,
        }),
        store: store(&arguments.secret_store)?,
    };
    match render::render(context, &arguments.stage, &wish).await? {
        Rendering::Document(document) => {
            shell.document(document.expose_secret());
            Ok(())
        }
        Rendering::Held(held) => tell_held(&held, shell),
    }
}

/// `NAME`, `SecretStore/NAME`, `ClusterSecretStore/NAME`
fn store(text: &str) -> Result<SecretStore, Failure> {
    let (kind, name) = match text.split_once('/') {
        None => ("SecretStore", text),
        Some(("SecretStore", name)) => ("SecretStore", name),
        Some(("ClusterSecretStore", name)) => ("ClusterSecretStore", name),
        Some((kind, _)) => {
            return Err(Failure::input(format!("`{kind}` is no kind of secret store"))
                .help("write `SecretStore/NAME` or `ClusterSecretStore/NAME`"));
        }
    };
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = (1..=253).contains(&name.len())
        && name.bytes().all(|byte| inner(byte) || byte == b'-' || byte == b'.')
        && name.bytes().next().is_some_and(inner)
        && name.bytes().next_back().is_some_and(inner);
    match fits {
        true => Ok(SecretStore {
            kind,
            name: name.to_owned(),
        }),
        false => Err(Failure::input(format!("`{name}` can't name an object of Kubernetes"))),
    }
}

/// Why what a stage runs is not handed on: exit 1.
pub(super) fn tell_held(held: &Held, shell: &Shell) -> Outcome {
    let (stage, digest) = (&held.stage, held.digest);
    shell.error(format!("what `{stage}` runs is not handed on: {digest}"));
    for (gate, verdict) in &held.gates {
        let gate = gate.as_str();
        shell.aside(format!(
            "  {}  {gate}  {}",
            shell.paint("hold", Paint::Bad),
            verdict.because()
        ));
        for help in verdict.help() {
            shell.help(help);
        }
    }
    Err(Failure::No)
}

/// The gates that hold, for JSON.
pub(super) fn document(held: &Held) -> Vec<serde_json::Value> {
    let gates = held.gates.iter();
    gates
        .map(|(gate, verdict)| {
            json!({
                "gate": gate.as_str(),
                "verdict": verdict.as_str(),
                "because": verdict.because(),
                "help": verdict.help(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_named_with_their_kind() {
        let told = |text: &str| store(text).ok().map(|store| (store.kind, store.name));
        assert_eq!(told("vault"), Some(("SecretStore", "vault".to_owned())));
        assert_eq!(
            told("ClusterSecretStore/a.b"),
            Some(("ClusterSecretStore", "a.b".to_owned()))
        );
        for text in ["", "Secret/x", "SecretStore/", "Vault", "-x"] {
            assert_eq!(told(text), None, "{text}");
        }
    }
}
