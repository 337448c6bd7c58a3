//! A kustomize component: it pins the image in the manifests that take it in, and generates what they refer to.
//!
//! Generated names end with a hash of the content, so that a changed value restarts the pods.

use super::kubernetes::secrets_name;
use super::yaml::{Yaml, list, map, text, texts};
use super::{Deployment, Options, RenderError, Secrets};
use secrecy::ExposeSecret as _;

pub(super) fn write(deployment: &Deployment, options: &Options) -> Result<String, RenderError> {
    let image = map([
        ("name", text(deployment.repository.to_string())),
        ("digest", text(deployment.digest.to_string())),
    ]);
    let plain = deployment.plain.iter().map(|(name, value)| literal(name, value));
    let mut document = map([
        ("apiVersion", text("kustomize.config.k8s.io/v1alpha1")),
        ("kind", text("Component")),
        ("images", list([image])),
        ("configMapGenerator", list([generated(deployment.name(), plain)])),
    ]);
    if options.secrets == Secrets::Inline && !deployment.secrets.is_empty() {
        let secrets = deployment.secrets.iter();
        let secrets = secrets.map(|(name, secret)| literal(name, secret.text.expose_secret()));
        let generated = generated(secrets_name(deployment), secrets);
        document = document.with("secretGenerator", list([generated]));
    }
    Ok(deployment.header(options) + &document.document())
}

fn generated(name: String, literals: impl Iterator<Item = String>) -> Yaml {
    map([("name", text(name)), ("literals", texts(literals))])
}

/// Kustomize takes one pair of quotes off a value that has them at both ends.
fn literal(name: &str, value: &str) -> String {
    let quoted = value.len() > 1
        && ['"', '\'']
            .iter()
            .any(|quote| value.starts_with(*quote) && value.ends_with(*quote));
    match quoted {
        true => format!("{name}=\"{value}\""),
        false => format!("{name}={value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{HOSTILE, deployment, inline, omit};
    use super::*;
    use serde_yaml_ng::Value;

    #[test]
    fn a_component_with_hostile_values() {
        let text = write(&deployment(), &inline()).unwrap();
        let value: Value = serde_yaml_ng::from_str(&text).unwrap();
        let literals = value["configMapGenerator"][0]["literals"].as_sequence().unwrap();
        for (name, expected) in HOSTILE {
            assert!(literals.contains(&literal(name, expected).into()), "{name}");
        }
        insta::assert_snapshot!(text, @r##"
        # shop 1.0-0123456789ab in staging
        apiVersion: "kustomize.config.k8s.io/v1alpha1"
        kind: "Component"
        images:
        - name: "registry.example.com/iam/idsvr"
          digest: "sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"
        configMapGenerator:
        - name: "shop-staging"
          literals:
          - "AT=@a: b #c"
          - "BACKSLASH=a\\nb\\\\c\\"
          - "BLANKS=  a  "
          - "DOLLAR=${X} $$ $X $(id) $$$ a$"
          - "EMPTY="
          - "EQUALS=a=b;c&d|e<f>g*?[h]!{i}"
          - "LINES=-----BEGIN X-----\na: |\n  'b'\n\n-----END X-----\n"
          - "NO=no"
          - "NULL=~"
          - "PERCENT=%n %% 100%"
          - "QUOTED=\"\"whole\"\""
          - "QUOTES='a' \"b\" `id` it's"
          - "TAB=\ta\tb"
          - "UNICODE=grüße 😀 \u2028 \x85 \uFEFF"
          - "Y=1e3"
        secretGenerator:
        - name: "shop-staging-secrets"
          literals:
          - "DB_PASSWORD=hunter2'$x\"%i\n\\"
        "##);
    }

    #[test]
    fn omitted_secrets_are_not_generated() {
        let text = write(&deployment(), &omit()).unwrap();
        assert!(!text.contains("secretGenerator") && !text.contains("hunter2"));
    }
}
