//! A systemd unit that runs the container with the docker client. Values reach the client through its environment, so
//! that no command line shows one.
//!
//! systemd(7) unescapes `\`, then expands `%`; in a command line it expands `$` as well.

use std::fmt::Write as _;

use super::{Deployment, Options, RenderError, Secrets};

/// Where units find their values.
const FOLDER: &str = "/etc/iamship";

pub(super) fn write(deployment: &Deployment, options: &Options) -> Result<String, RenderError> {
    let name = deployment.name();
    let mut out = deployment.header(options);
    // One of the two has all values: a file that is older than the unit would win over it.
    let is_in_file = options.secrets == Secrets::External && !deployment.secrets.is_empty();
    if is_in_file {
        let (stage, file) = (&deployment.stage, file(&name));
        _ = writeln!(
            out,
            "# its values: (umask 077; mkdir -p {FOLDER}; iamship render {stage} --for env > {file})"
        );
    }
    let version = deployment.version.as_deref().unwrap_or("its image");
    let description = super::one_line(&format!("{} {version} in {}", deployment.project, deployment.stage));
    _ = writeln!(
        out,
        "[Unit]\nDescription={}",
        description.replace('%', "%%").trim_end_matches('\\')
    );
    out.push_str("Requires=docker.service\nWants=network-online.target\nAfter=docker.service network-online.target\n");
    out.push_str("\n[Service]\n");
    if is_in_file {
        _ = writeln!(out, "EnvironmentFile={}", file(&name));
    } else {
        for (variable, value) in deployment.inline(options) {
            _ = writeln!(out, "Environment={}", quoted(&assignment(variable, value)?));
        }
    }
    _ = writeln!(out, "ExecStartPre=-/usr/bin/docker rm --force {name}");
    let command: Vec<_> = command(deployment, &name).iter().map(|word| argument(word)).collect();
    _ = writeln!(out, "ExecStart=/usr/bin/docker {}", command.join(" "));
    _ = writeln!(out, "ExecStop=/usr/bin/docker stop {name}");
    _ = writeln!(
        out,
        "Restart=always\nRestartSec=2\nTimeoutStartSec={}",
        deployment.patience.as_secs()
    );
    out.push_str("\n[Install]\nWantedBy=multi-user.target\n");
    Ok(out)
}

fn file(name: &str) -> String {
    format!("{FOLDER}/{name}.env")
}

fn command(deployment: &Deployment, name: &str) -> Vec<String> {
    let limits = &deployment.limits;
    let mut words: Vec<String> = ["run", "--rm", "--name", name].map(str::to_owned).into();
    let mut option = |name: &str, value: String| words.push(format!("--{name}={value}"));
    for variable in deployment.names() {
        option("env", variable.to_owned());
    }
    for (port, address) in deployment.published() {
        let published = match address.port() {
            0 => String::new(),
            number => number.to_string(),
        };
        let host = match address {
            std::net::SocketAddr::V4(address) => address.ip().to_string(),
            std::net::SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        option("publish", format!("{host}:{published}:{}", port.number));
    }
    option("memory", format!("{}b", limits.memory));
    option("pids-limit", limits.processes.to_string());
    for mount in limits.mounts() {
        option("tmpfs", mount);
    }
    if limits.read_only {
        option("read-only", "true".to_owned());
    }
    if !limits.capabilities {
        option("cap-drop", "ALL".to_owned());
    }
    option("security-opt", "no-new-privileges".to_owned());
    words.push(deployment.reference());
    words.extend(deployment.command.iter().cloned());
    words
}

fn assignment(name: &str, value: &str) -> Result<String, RenderError> {
    match value.chars().any(is_noncharacter) {
        true => Err(RenderError::Unwritable {
            name: name.to_owned(),
            target: "systemd",
            because: NONCHARACTER,
            instead: Some("docker"),
        }),
        false => Ok(format!("{name}={value}")),
    }
}

/// Why systemd ignores such a value.
pub(super) const NONCHARACTER: &str = "it has a code point in it that is no character, and systemd takes none";

/// What systemd does not take for UTF-8, though it is.
pub(super) fn is_noncharacter(character: char) -> bool {
    let code = u32::from(character);
    (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}

/// A word of a setting.
fn quoted(word: &str) -> String {
    let mut out = String::from("\"");
    for character in word.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '%' => out.push_str("%%"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0'..='\x1f' | '\x7f' => _ = write!(out, "\\x{:02x}", u32::from(character)),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// A word of a command line.
fn argument(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=./:@,[]".contains(&byte);
    match !word.is_empty() && word.bytes().all(plain) {
        true => word.to_owned(),
        false => quoted(word).replace('$', "$$"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{HOSTILE, deployment, external, inline, with_values};
    use super::*;
    use proptest::prelude::*;

    /// What systemd makes of the words of a setting: the inverse, written from systemd.syntax(7).
    fn read_setting(written: &str) -> String {
        let inner = written
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap();
        let mut unescaped = String::new();
        let mut characters = inner.chars();
        while let Some(character) = characters.next() {
            assert_ne!(character, '"', "{written}");
            assert!(!character.is_ascii_control(), "{written:?}");
            if character != '\\' {
                unescaped.push(character);
                continue;
            }
            match characters.next().unwrap() {
                'n' => unescaped.push('\n'),
                't' => unescaped.push('\t'),
                'r' => unescaped.push('\r'),
                'x' => {
                    let code: String = characters.by_ref().take(2).collect();
                    unescaped.push(char::from(u8::from_str_radix(&code, 16).unwrap()));
                }
                escaped @ ('"' | '\\') => unescaped.push(escaped),
                other => panic!("\\{other} in {written}"),
            }
        }
        assert!(!unescaped.replace("%%", "").contains('%'), "a specifier in {written}");
        unescaped.replace("%%", "%")
    }

    fn assigned(unit: &str, name: &str) -> String {
        let lines = unit.lines().filter_map(|line| line.strip_prefix("Environment="));
        let mut values = lines.map(read_setting).filter_map(|line| {
            let (found, value) = line.split_once('=').unwrap();
            (found == name).then(|| value.to_owned())
        });
        values.next().unwrap()
    }

    #[test]
    fn a_unit_with_hostile_values() {
        let unit = write(&deployment(), &inline()).unwrap();
        for (name, value) in HOSTILE {
            assert_eq!(assigned(&unit, name), *value, "{name}");
        }
        insta::assert_snapshot!(unit, @r##"
        # shop 1.0-0123456789ab in staging
        [Unit]
        Description=shop 1.0-0123456789ab in staging
        Requires=docker.service
        Wants=network-online.target
        After=docker.service network-online.target

        [Service]
        Environment="AT=@a: b #c"
        Environment="BACKSLASH=a\\nb\\\\c\\"
        Environment="BLANKS=  a  "
        Environment="DB_PASSWORD=hunter2'$x\"%%i\n\\"
        Environment="DOLLAR=${X} $$ $X $(id) $$$ a$"
        Environment="EMPTY="
        Environment="EQUALS=a=b;c&d|e<f>g*?[h]!{i}"
        Environment="LINES=-----BEGIN X-----\na: |\n  'b'\n\n-----END X-----\n"
        Environment="NO=no"
        Environment="NULL=~"
        Environment="PERCENT=%%n %%%% 100%%"
        Environment="QUOTED=\"whole\""
        Environment="QUOTES='a' \"b\" `id` it's"
        Environment="TAB=\ta\tb"
        Environment="UNICODE=grüße 😀    ﻿"
        Environment="Y=1e3"
        ExecStartPre=-/usr/bin/docker rm --force shop-staging
        ExecStart=/usr/bin/docker run --rm --name shop-staging --env=AT --env=BACKSLASH --env=BLANKS --env=DB_PASSWORD --env=DOLLAR --env=EMPTY --env=EQUALS --env=LINES --env=NO --env=NULL --env=PERCENT --env=QUOTED --env=QUOTES --env=TAB --env=UNICODE --env=Y --publish=127.0.0.1:443:8443 --memory=2147483648b --pids-limit=512 --tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777 --read-only=true --cap-drop=ALL --security-opt=no-new-privileges registry.example.com/iam/idsvr@sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d
        ExecStop=/usr/bin/docker stop shop-staging
        Restart=always
        RestartSec=2
        TimeoutStartSec=180

        [Install]
        WantedBy=multi-user.target
        "##);
    }

    #[test]
    fn external_secrets_come_from_a_file_that_root_reads() {
        let unit = write(&deployment(), &external()).unwrap();
        assert!(unit.contains("\nEnvironmentFile=/etc/iamship/shop-staging.env\n"));
        assert!(unit.contains(" --env=DB_PASSWORD ") && unit.contains(" --env=NO "));
        // What stands in the file is newer; and what stands in both wins from the file.
        assert!(!unit.contains("\nEnvironment="));
        assert!(!unit.contains("hunter2"));
    }

    #[test]
    fn words_of_a_command_are_not_expanded() {
        assert_eq!(argument("--path=$X %n"), r#""--path=$$X %%n""#);
        assert_eq!(argument("[::1]:443:8443"), "[::1]:443:8443");
        assert_eq!(argument(""), "\"\"");
    }

    #[test]
    fn what_systemd_drops_silently_is_refused() {
        let error = write(&with_values(&[("X", "\u{fffe}")]), &inline()).unwrap_err();
        assert_eq!(error.help(), "`--for docker` can carry it");
    }

    proptest! {
        #[test]
        fn every_other_value_is_read_back(value in any::<String>()) {
            prop_assume!(!value.chars().any(is_noncharacter));
            let unit = write(&with_values(&[("X", &value)]), &inline()).unwrap();
            prop_assert_eq!(assigned(&unit, "X"), value);
        }
    }
}
