//! Values for a chart of the shape that `helm create` gives, with `env`, `envFrom` and `args` as lists of Kubernetes.
//!
//! Charts that know `image.digest` take it instead of the tag; the others put repository and tag together, so that the
//! tag pins the digest too.

use super::kubernetes::{annotations, arguments, mounts, resources, secrets_name, security, volumes};
use super::yaml::{list, map, text};
use super::{Deployment, Options, RenderError, Secrets};
use crate::image::Tag;

pub(super) fn write(deployment: &Deployment, options: &Options) -> Result<String, RenderError> {
    let version = deployment
        .version
        .as_deref()
        .and_then(|version| version.parse::<Tag>().ok());
    let tag = version.map_or_else(|| deployment.stage.clone(), |version| version.to_string());
    let environment = deployment
        .inline(options)
        .map(|(name, value)| map([("name", text(name)), ("value", text(literal(value)))]));
    let mut sources = Vec::new();
    if options.secrets == Secrets::Omit && !deployment.secrets.is_empty() {
        sources.push(map([("secretRef", map([("name", text(secrets_name(deployment)))]))]));
    }
    let document = map([
        (
            "image",
            map([
                ("repository", text(deployment.repository.to_string())),
                ("tag", text(format!("{tag}@{}", deployment.digest))),
                ("digest", text(deployment.digest.to_string())),
            ]),
        ),
        ("podAnnotations", annotations(deployment)),
        ("securityContext", security(deployment)),
        ("resources", resources(deployment)),
    ])
    .with_some("args", arguments(deployment))
    .with_some("volumeMounts", mounts(deployment))
    .with_some("volumes", volumes(deployment))
    .with("env", list(environment))
    .with("envFrom", list(sources));
    Ok(deployment.header(options) + &document.document())
}

/// Kubernetes expands `$(X)` in such a value, and reads `$$` as `$`.
fn literal(value: &str) -> String {
    value.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{HOSTILE, deployment, inline, omit};
    use super::*;
    use serde_yaml_ng::Value;

    #[test]
    fn values_with_hostile_values() {
        let text = write(&deployment(), &inline()).unwrap();
        let value: Value = serde_yaml_ng::from_str(&text).unwrap();
        let environment = value["env"].as_sequence().unwrap();
        for (name, expected) in HOSTILE {
            let entry = environment.iter().find(|entry| entry["name"] == *name).unwrap();
            let written = entry["value"].as_str().unwrap();
            assert!(!written.replace("$$", "").contains('$'));
            assert_eq!(written.replace("$$", "$"), *expected, "{name}");
        }
        insta::assert_snapshot!(text, @r##"
        # shop 1.0-0123456789ab in staging
        image:
          repository: "registry.example.com/iam/idsvr"
          tag: "1.0-0123456789ab@sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"
          digest: "sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"
        podAnnotations:
          "dev.iamship/values": "sha256:89445ea08b55421faa49919a5fd272e9a520f701b479d6084847e161ca5b7711"
        securityContext:
          runAsUser: 10001
          runAsGroup: 10000
          runAsNonRoot: true
          readOnlyRootFilesystem: true
          allowPrivilegeEscalation: false
          capabilities:
            drop:
            - "ALL"
          seccompProfile:
            type: "RuntimeDefault"
        resources:
          requests:
            memory: "2147483648"
          limits:
            memory: "2147483648"
        volumeMounts:
        - name: "tmpfs-0"
          mountPath: "/tmp"
        volumes:
        - name: "tmpfs-0"
          emptyDir:
            medium: "Memory"
        env:
        - name: "AT"
          value: "@a: b #c"
        - name: "BACKSLASH"
          value: "a\\nb\\\\c\\"
        - name: "BLANKS"
          value: "  a  "
        - name: "DB_PASSWORD"
          value: "hunter2'$$x\"%i\n\\"
        - name: "DOLLAR"
          value: "$${X} $$$$ $$X $$(id) $$$$$$ a$$"
        - name: "EMPTY"
          value: ""
        - name: "EQUALS"
          value: "a=b;c&d|e<f>g*?[h]!{i}"
        - name: "LINES"
          value: "-----BEGIN X-----\na: |\n  'b'\n\n-----END X-----\n"
        - name: "NO"
          value: "no"
        - name: "NULL"
          value: "~"
        - name: "PERCENT"
          value: "%n %% 100%"
        - name: "QUOTED"
          value: "\"whole\""
        - name: "QUOTES"
          value: "'a' \"b\" `id` it's"
        - name: "TAB"
          value: "\ta\tb"
        - name: "UNICODE"
          value: "grüße 😀 \u2028 \x85 \uFEFF"
        - name: "Y"
          value: "1e3"
        envFrom: []
        "##);
    }

    #[test]
    fn the_command_is_the_one_that_was_tested() {
        let mut deployment = deployment();
        deployment.command = vec!["serve".to_owned()];
        let value: Value = serde_yaml_ng::from_str(&write(&deployment, &inline()).unwrap()).unwrap();
        assert_eq!(value["args"][0], "serve");
    }

    #[test]
    fn without_secrets_the_secret_is_referred_to() {
        let text = write(&deployment(), &omit()).unwrap();
        assert!(!text.contains("hunter2"));
        let value: Value = serde_yaml_ng::from_str(&text).unwrap();
        assert_eq!(value["envFrom"][0]["secretRef"]["name"], "shop-staging-secrets");
    }
}
