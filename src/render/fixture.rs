//! A deployment whose values are as bad as values can be.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Deployment, Health, Limits, Options, Port, Secret, SecretStore, Secrets, User};
use crate::image::Digest;

/// Names and values that some reader somewhere reads as something else.
pub(super) const HOSTILE: &[(&str, &str)] = &[
    ("NO", "no"),
    ("Y", "1e3"),
    ("EMPTY", ""),
    ("NULL", "~"),
    ("AT", "@a: b #c"),
    ("BLANKS", "  a  "),
    ("BACKSLASH", r"a\nb\\c\"),
    ("QUOTES", r#"'a' "b" `id` it's"#),
    ("QUOTED", r#""whole""#),
    ("DOLLAR", "${X} $$ $X $(id) $$$ a$"),
    ("PERCENT", "%n %% 100%"),
    ("LINES", "-----BEGIN X-----\na: |\n  'b'\n\n-----END X-----\n"),
    ("UNICODE", "grüße \u{1F600} \u{2028} \u{85} \u{feff}"),
    ("EQUALS", "a=b;c&d|e<f>g*?[h]!{i}"),
    ("TAB", "\ta\tb"),
];

pub(super) fn deployment() -> Deployment {
    let mut deployment = with_values(HOSTILE);
    let secret = |text: &str| Secret {
        text: text.into(),
        vault: Some("secret/iam/staging".to_owned()),
    };
    deployment
        .secrets
        .insert("DB_PASSWORD".to_owned(), secret("hunter2'$x\"%i\n\\"));
    deployment
}

/// The hostile values that fit on a line.
pub(super) fn one_line_deployment() -> Deployment {
    let mut deployment = deployment();
    deployment.plain.retain(|_, value| !value.contains('\n'));
    let secret = deployment.secrets.get_mut("DB_PASSWORD").unwrap();
    secret.text = "hunter2'$x\"%i\\".into();
    deployment
}

pub(super) fn with_values(values: &[(&str, &str)]) -> Deployment {
    Deployment {
        project: "shop".to_owned(),
        stage: "staging".to_owned(),
        version: Some("1.0-0123456789ab".to_owned()),
        repository: "registry.example.com/iam/idsvr".parse().unwrap(),
        digest: Digest::of(b"image"),
        plain: values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        secrets: BTreeMap::new(),
        user: User::read("10001:10000"),
        ports: vec![
            Port {
                name: "runtime".to_owned(),
                number: 8443,
                published: Some("127.0.0.1:443".parse().unwrap()),
            },
            Port {
                name: "status".to_owned(),
                number: 4465,
                published: None,
            },
        ],
        health: Some(Health {
            port: 4465,
            path: "/".to_owned(),
            status: 200,
            tls: false,
        }),
        patience: Duration::from_secs(180),
        command: Vec::new(),
        limits: Limits {
            memory: 2 << 30,
            processes: 512,
            read_only: true,
            tmpfs: vec!["/tmp".to_owned()],
            capabilities: false,
        },
        checksum: Digest::of(b"values"),
    }
}

pub(super) fn options(secrets: Secrets) -> Options {
    Options {
        secrets,
        store: SecretStore {
            kind: "SecretStore",
            name: "vault".to_owned(),
        },
    }
}

pub(super) fn inline() -> Options {
    options(Secrets::Inline)
}

pub(super) fn external() -> Options {
    options(Secrets::External)
}

pub(super) fn omit() -> Options {
    options(Secrets::Omit)
}
