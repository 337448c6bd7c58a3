//! A Deployment, a ConfigMap, and a Secret or an ExternalSecret.
//!
//! Values come by `envFrom`: in `env[].value` Kubernetes would expand `$(X)`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::ExposeSecret as _;

use super::names::{label_value, port_name};
use super::yaml::{Yaml, list, map, text, texts};
use super::{Deployment, Health, Options, RenderError, Secrets};

/// What one ConfigMap or Secret holds: 1 MiB.
const MOST_BYTES: usize = 1 << 20;
/// How often it is asked whether the server is up, in seconds.
const PERIOD: u64 = 5;

pub(super) fn write(deployment: &Deployment, options: &Options) -> Result<String, RenderError> {
    check_size(deployment.plain.values().map(String::len).sum())?;
    check_size(
        deployment
            .secrets
            .values()
            .map(|secret| secret.text.expose_secret().len())
            .sum(),
    )?;
    let mut objects = vec![config_map(deployment)];
    if !deployment.secrets.is_empty() {
        match options.secrets {
            Secrets::Inline => objects.push(secret(deployment)),
            Secrets::External => objects.push(external_secret(deployment, options)?),
            Secrets::Omit => {}
        }
    }
    objects.push(workload(deployment));
    let documents: Vec<_> = objects.iter().map(Yaml::document).collect();
    let mut header = deployment.header(options);
    if options.secrets == Secrets::Omit && !deployment.secrets.is_empty() {
        header.push_str(&format!("# expected in the Secret {}\n", secrets_name(deployment)));
    }
    Ok(header + &documents.join("---\n"))
}

fn check_size(bytes: usize) -> Result<(), RenderError> {
    match bytes > MOST_BYTES {
        true => Err(RenderError::TooLarge {
            target: "kubernetes",
            bytes,
            limit: MOST_BYTES,
        }),
        false => Ok(()),
    }
}

/// The name of the Secret.
pub(super) fn secrets_name(deployment: &Deployment) -> String {
    format!("{}-secrets", deployment.name())
}

fn object(deployment: &Deployment, version: &str, kind: &str, name: String) -> Yaml {
    map([
        ("apiVersion", text(version)),
        ("kind", text(kind)),
        ("metadata", map([("name", text(name)), ("labels", labels(deployment))])),
    ])
}

/// What selects the pods: never changes for one project and stage.
fn selector(deployment: &Deployment) -> Yaml {
    let name = deployment.name();
    let project = label_value(&deployment.project).unwrap_or(&name).to_owned();
    map([
        ("app.kubernetes.io/name", text(project)),
        ("app.kubernetes.io/instance", text(name)),
    ])
}

fn labels(deployment: &Deployment) -> Yaml {
    let version = deployment.version.as_deref().and_then(label_value);
    selector(deployment)
        .with_some("app.kubernetes.io/version", version.map(text))
        .with("app.kubernetes.io/managed-by", text("iamship"))
}

fn config_map(deployment: &Deployment) -> Yaml {
    let values = deployment.plain.iter();
    object(deployment, "v1", "ConfigMap", deployment.name())
        .with("data", map(values.map(|(name, value)| (name.clone(), text(value)))))
}

fn secret(deployment: &Deployment) -> Yaml {
    let data = deployment.secrets.iter().map(|(name, secret)| {
        let encoded = BASE64_STANDARD.encode(secret.text.expose_secret());
        (name.clone(), text(encoded))
    });
    object(deployment, "v1", "Secret", secrets_name(deployment))
        .with("type", text("Opaque"))
        .with("data", map(data))
}

/// For the External Secrets Operator: it reads the vault, and no value stands here.
fn external_secret(deployment: &Deployment, options: &Options) -> Result<Yaml, RenderError> {
    let lacking: Vec<_> = deployment
        .secrets
        .iter()
        .filter(|(_, secret)| secret.vault.is_none())
        .map(|(name, _)| name.clone())
        .collect();
    if !lacking.is_empty() {
        return Err(RenderError::NotInVault(lacking));
    }
    let data = deployment.secrets.iter().map(|(name, secret)| {
        let path = secret.vault.clone().unwrap_or_default();
        map([
            ("secretKey", text(name)),
            ("remoteRef", map([("key", text(path)), ("property", text(name))])),
        ])
    });
    let store = &options.store;
    let spec = map([
        ("refreshInterval", text("1h")),
        (
            "secretStoreRef",
            map([("kind", text(store.kind)), ("name", text(&store.name))]),
        ),
        (
            "target",
            map([
                ("name", text(secrets_name(deployment))),
                ("creationPolicy", text("Owner")),
            ]),
        ),
        ("data", list(data)),
    ]);
    let name = secrets_name(deployment);
    Ok(object(deployment, "external-secrets.io/v1", "ExternalSecret", name).with("spec", spec))
}

fn workload(deployment: &Deployment) -> Yaml {
    let pod = map([
        // The account's token and other services' addresses are nothing that the server was tested with.
        ("automountServiceAccountToken", Yaml::Flag(false)),
        ("enableServiceLinks", Yaml::Flag(false)),
        ("containers", list([container(deployment)])),
    ])
    .with_some("volumes", volumes(deployment));
    let template = map([
        (
            "metadata",
            map([("labels", labels(deployment)), ("annotations", annotations(deployment))]),
        ),
        ("spec", pod),
    ]);
    let spec = map([
        ("replicas", Yaml::Number(1)),
        ("selector", map([("matchLabels", selector(deployment))])),
        ("template", template),
    ]);
    object(deployment, "apps/v1", "Deployment", deployment.name()).with("spec", spec)
}

/// A changed value changes the pods, and so restarts them.
pub(super) fn annotations(deployment: &Deployment) -> Yaml {
    map([("dev.iamship/values", text(deployment.checksum.to_string()))])
}

/// The command, where it is not the image's own.
pub(super) fn arguments(deployment: &Deployment) -> Option<Yaml> {
    (!deployment.command.is_empty()).then(|| texts(&deployment.command))
}

/// The folders in memory.
pub(super) fn volumes(deployment: &Deployment) -> Option<Yaml> {
    let volumes = deployment.limits.tmpfs.iter().zip(0..).map(|(_, index)| {
        map([
            ("name", text(format!("tmpfs-{index}"))),
            ("emptyDir", map([("medium", text("Memory"))])),
        ])
    });
    (!deployment.limits.tmpfs.is_empty()).then(|| list(volumes))
}

/// Where they are.
pub(super) fn mounts(deployment: &Deployment) -> Option<Yaml> {
    let folders = deployment.limits.tmpfs.iter().zip(0..);
    let mounts =
        folders.map(|(folder, index)| map([("name", text(format!("tmpfs-{index}"))), ("mountPath", text(folder))]));
    (!deployment.limits.tmpfs.is_empty()).then(|| list(mounts))
}

fn container(deployment: &Deployment) -> Yaml {
    let ports = deployment.ports.iter().map(|port| {
        map([
            ("name", text(port_name(&port.name, port.number))),
            ("containerPort", Yaml::Number(port.number.into())),
            ("protocol", text("TCP")),
        ])
    });
    let container = map([("name", text("server")), ("image", text(deployment.reference()))])
        .with("imagePullPolicy", text("IfNotPresent"))
        .with_some("args", arguments(deployment))
        .with("envFrom", list(sources(deployment)))
        .with("ports", list(ports));
    let container = match &deployment.health {
        Some(health) => container
            .with(
                "startupProbe",
                probe(health, deployment.patience.as_secs().div_ceil(PERIOD)),
            )
            .with("readinessProbe", probe(health, 2))
            .with("livenessProbe", probe(health, 6)),
        None => container,
    };
    container
        .with("resources", resources(deployment))
        .with("securityContext", security(deployment))
        .with_some("volumeMounts", mounts(deployment))
}

fn sources(deployment: &Deployment) -> Vec<Yaml> {
    let name = |name: String| map([("name", text(name))]);
    let mut sources = vec![map([("configMapRef", name(deployment.name()))])];
    if !deployment.secrets.is_empty() {
        sources.push(map([("secretRef", name(secrets_name(deployment)))]));
    }
    sources
}

/// Kubernetes takes any status from 200 to 399 for health; where another one is meant, an open port must do.
fn probe(health: &Health, failures: u64) -> Yaml {
    let port = Yaml::Number(health.port.into());
    let asked = match health.status {
        200..=399 => {
            let scheme = if health.tls { "HTTPS" } else { "HTTP" };
            let get = map([("path", text(&health.path)), ("port", port), ("scheme", text(scheme))]);
            ("httpGet", get)
        }
        _ => ("tcpSocket", map([("port", port)])),
    };
    map([asked])
        .with("periodSeconds", Yaml::Number(PERIOD))
        .with("timeoutSeconds", Yaml::Number(PERIOD))
        .with("failureThreshold", Yaml::Number(failures.max(1)))
}

pub(super) fn resources(deployment: &Deployment) -> Yaml {
    let memory = || map([("memory", text(deployment.limits.memory.to_string()))]);
    map([("requests", memory()), ("limits", memory())])
}

pub(super) fn security(deployment: &Deployment) -> Yaml {
    let dropped = (!deployment.limits.capabilities).then(|| map([("drop", texts(["ALL"]))]));
    let user = deployment.user;
    let group = user.and_then(|user| user.gid);
    // As it was tested: of a user that is a name, or none, Kubernetes can't tell whether it is root.
    map::<&str>([])
        .with_some("runAsUser", user.map(|user| Yaml::Number(user.uid.into())))
        .with_some("runAsGroup", group.map(|gid| Yaml::Number(gid.into())))
        .with_some("runAsNonRoot", user.map(|user| Yaml::Flag(user.uid != 0)))
        .with("readOnlyRootFilesystem", Yaml::Flag(deployment.limits.read_only))
        .with("allowPrivilegeEscalation", Yaml::Flag(false))
        .with_some("capabilities", dropped)
        .with("seccompProfile", map([("type", text("RuntimeDefault"))]))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{HOSTILE, deployment, external, inline, omit, with_values};
    use super::*;
    use serde::Deserialize as _;
    use serde_yaml_ng::Value;

    fn objects(text: &str) -> Vec<Value> {
        let documents = serde_yaml_ng::Deserializer::from_str(text);
        documents
            .map(|document| Value::deserialize(document).unwrap())
            .collect()
    }

    fn of_kind(text: &str, kind: &str) -> Value {
        let mut found = objects(text).into_iter().filter(|object| object["kind"] == kind);
        found.next().unwrap_or_else(|| panic!("no {kind} in {text}"))
    }

    #[test]
    fn objects_with_hostile_values() {
        let text = write(&deployment(), &inline()).unwrap();
        let config = of_kind(&text, "ConfigMap");
        for (name, value) in HOSTILE {
            assert_eq!(config["data"][name], *value, "{name}");
        }
        let secret = of_kind(&text, "Secret");
        let encoded = secret["data"]["DB_PASSWORD"].as_str().unwrap();
        assert_eq!(BASE64_STANDARD.decode(encoded).unwrap(), b"hunter2'$x\"%i\n\\");
        insta::assert_snapshot!(text, @r##"
        # shop 1.0-0123456789ab in staging
        apiVersion: "v1"
        kind: "ConfigMap"
        metadata:
          name: "shop-staging"
          labels:
            "app.kubernetes.io/name": "shop"
            "app.kubernetes.io/instance": "shop-staging"
            "app.kubernetes.io/version": "1.0-0123456789ab"
            "app.kubernetes.io/managed-by": "iamship"
        data:
          "AT": "@a: b #c"
          "BACKSLASH": "a\\nb\\\\c\\"
          "BLANKS": "  a  "
          "DOLLAR": "${X} $$ $X $(id) $$$ a$"
          "EMPTY": ""
          "EQUALS": "a=b;c&d|e<f>g*?[h]!{i}"
          "LINES": "-----BEGIN X-----\na: |\n  'b'\n\n-----END X-----\n"
          "NO": "no"
          "NULL": "~"
          "PERCENT": "%n %% 100%"
          "QUOTED": "\"whole\""
          "QUOTES": "'a' \"b\" `id` it's"
          "TAB": "\ta\tb"
          "UNICODE": "grüße 😀 \u2028 \x85 \uFEFF"
          "Y": "1e3"
        ---
        apiVersion: "v1"
        kind: "Secret"
        metadata:
          name: "shop-staging-secrets"
          labels:
            "app.kubernetes.io/name": "shop"
            "app.kubernetes.io/instance": "shop-staging"
            "app.kubernetes.io/version": "1.0-0123456789ab"
            "app.kubernetes.io/managed-by": "iamship"
        type: "Opaque"
        data:
          "DB_PASSWORD": "aHVudGVyMickeCIlaQpc"
        ---
        apiVersion: "apps/v1"
        kind: "Deployment"
        metadata:
          name: "shop-staging"
          labels:
            "app.kubernetes.io/name": "shop"
            "app.kubernetes.io/instance": "shop-staging"
            "app.kubernetes.io/version": "1.0-0123456789ab"
            "app.kubernetes.io/managed-by": "iamship"
        spec:
          replicas: 1
          selector:
            matchLabels:
              "app.kubernetes.io/name": "shop"
              "app.kubernetes.io/instance": "shop-staging"
          template:
            metadata:
              labels:
                "app.kubernetes.io/name": "shop"
                "app.kubernetes.io/instance": "shop-staging"
                "app.kubernetes.io/version": "1.0-0123456789ab"
                "app.kubernetes.io/managed-by": "iamship"
              annotations:
                "dev.iamship/values": "sha256:89445ea08b55421faa49919a5fd272e9a520f701b479d6084847e161ca5b7711"
            spec:
              automountServiceAccountToken: false
              enableServiceLinks: false
              containers:
              - name: "server"
                image: "registry.example.com/iam/idsvr@sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"
                imagePullPolicy: "IfNotPresent"
                envFrom:
                - configMapRef:
                    name: "shop-staging"
                - secretRef:
                    name: "shop-staging-secrets"
                ports:
                - name: "runtime"
                  containerPort: 8443
                  protocol: "TCP"
                - name: "status"
                  containerPort: 4465
                  protocol: "TCP"
                startupProbe:
                  httpGet:
                    path: "/"
                    port: 4465
                    scheme: "HTTP"
                  periodSeconds: 5
                  timeoutSeconds: 5
                  failureThreshold: 36
                readinessProbe:
                  httpGet:
                    path: "/"
                    port: 4465
                    scheme: "HTTP"
                  periodSeconds: 5
                  timeoutSeconds: 5
                  failureThreshold: 2
                livenessProbe:
                  httpGet:
                    path: "/"
                    port: 4465
                    scheme: "HTTP"
                  periodSeconds: 5
                  timeoutSeconds: 5
                  failureThreshold: 6
                resources:
                  requests:
                    memory: "2147483648"
                  limits:
                    memory: "2147483648"
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
                volumeMounts:
                - name: "tmpfs-0"
                  mountPath: "/tmp"
              volumes:
              - name: "tmpfs-0"
                emptyDir:
                  medium: "Memory"
        "##);
    }

    #[test]
    fn a_user_that_is_no_number_is_left_to_the_image() {
        for (text, expected) in [
            ("idsvr", None),
            ("", None),
            ("0", Some((0, false))),
            ("7", Some((7, true))),
        ] {
            let mut deployment = deployment();
            deployment.user = super::super::User::read(text);
            let text = write(&deployment, &inline()).unwrap();
            let pod = of_kind(&text, "Deployment")["spec"]["template"]["spec"].clone();
            let security = &pod["containers"][0]["securityContext"];
            let told = security["runAsUser"].as_u64().zip(security["runAsNonRoot"].as_bool());
            assert_eq!((told, &security["runAsGroup"]), (expected, &Value::Null), "{text}");
        }
    }

    #[test]
    fn an_external_secret_holds_no_value() {
        let text = write(&deployment(), &external()).unwrap();
        assert!(!text.contains("hunter2"));
        let secret = of_kind(&text, "ExternalSecret");
        insta::assert_snapshot!(serde_yaml_ng::to_string(&secret["spec"]).unwrap(), @r#"
        refreshInterval: 1h
        secretStoreRef:
          kind: SecretStore
          name: vault
        target:
          name: shop-staging-secrets
          creationPolicy: Owner
        data:
        - secretKey: DB_PASSWORD
          remoteRef:
            key: secret/iam/staging
            property: DB_PASSWORD
        "#);
    }

    #[test]
    fn a_secret_that_is_in_no_vault_is_not_promised() {
        let mut deployment = deployment();
        deployment.secrets.get_mut("DB_PASSWORD").unwrap().vault = None;
        let error = write(&deployment, &external()).unwrap_err();
        assert_eq!(error.to_string(), "no vault holds `DB_PASSWORD`");
    }

    #[test]
    fn omitted_secrets_are_still_asked_for() {
        let text = write(&deployment(), &omit()).unwrap();
        assert!(!objects(&text).iter().any(|object| object["kind"] == "Secret"));
        let container = of_kind(&text, "Deployment")["spec"]["template"]["spec"]["containers"][0].clone();
        assert_eq!(container["envFrom"][1]["secretRef"]["name"], "shop-staging-secrets");
    }

    #[test]
    fn a_health_that_kubernetes_would_not_take_becomes_an_open_port() {
        let mut deployment = with_values(&[]);
        deployment.health.as_mut().unwrap().status = 401;
        let text = write(&deployment, &inline()).unwrap();
        let container = of_kind(&text, "Deployment")["spec"]["template"]["spec"]["containers"][0].clone();
        assert_eq!(container["readinessProbe"]["tcpSocket"]["port"], 4465);
    }

    #[test]
    fn more_than_an_object_holds_is_refused() {
        let error = write(&with_values(&[("X", &"x".repeat(MOST_BYTES + 1))]), &inline()).unwrap_err();
        assert!(error.to_string().contains("more than `kubernetes` takes"));
    }
}
