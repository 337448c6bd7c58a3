//! A file for Docker compose. `$` begins a variable everywhere in it, and is written twice.

use super::yaml::{Yaml, list, map, text, texts};
use super::{Deployment, Options, Port, RenderError, Secrets};

pub(super) fn write(deployment: &Deployment, options: &Options) -> Result<String, RenderError> {
    let limits = &deployment.limits;
    let flag = |set: bool| set.then_some(Yaml::Flag(true));
    let command = (!deployment.command.is_empty()).then(|| texts(deployment.command.iter().map(|word| literal(word))));
    let tmpfs = (!limits.tmpfs.is_empty()).then(|| texts(limits.mounts().map(|mount| literal(&mount))));
    let dropped = (!limits.capabilities).then(|| texts(["ALL"]));
    let service = map([("image", text(literal(&deployment.reference())))])
        .with_some("command", command)
        .with("environment", environment(deployment, options))
        .with("ports", list(deployment.published().map(port)))
        .with("restart", text("unless-stopped"))
        .with("mem_limit", text(limits.memory.to_string()))
        .with("pids_limit", Yaml::Number(limits.processes.into()))
        .with_some("read_only", flag(limits.read_only))
        .with_some("tmpfs", tmpfs)
        .with_some("cap_drop", dropped)
        .with("security_opt", texts(["no-new-privileges:true"]));
    let name = deployment.name();
    let document = map([("name", text(name.clone())), ("services", map([(name, service)]))]);
    Ok(deployment.header(options) + &document.document())
}

fn environment(deployment: &Deployment, options: &Options) -> Yaml {
    let mut entries: Vec<_> = deployment
        .inline(options)
        .map(|(name, value)| (name.to_owned(), text(literal(value))))
        .collect();
    if options.secrets == Secrets::External {
        // An unset one stops compose; what it puts in here is not read for variables again.
        let names = deployment.secrets.keys();
        entries.extend(names.map(|name| (name.clone(), text(format!("${{{name}?is not set}}")))));
    }
    map(entries)
}

fn port((port, address): (&Port, std::net::SocketAddr)) -> Yaml {
    let published = (address.port() != 0).then(|| text(address.port().to_string()));
    map([
        ("target", Yaml::Number(port.number.into())),
        ("host_ip", text(address.ip().to_string())),
    ])
    .with_some("published", published)
}

fn literal(value: &str) -> String {
    value.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{HOSTILE, deployment, external, inline, omit, with_values};
    use super::*;
    use proptest::prelude::*;
    use serde_yaml_ng::Value;

    fn environment_of(text: &str) -> Value {
        let value: Value = serde_yaml_ng::from_str(text).unwrap();
        value["services"]["shop-staging"]["environment"].clone()
    }

    /// What compose makes of a text with no variable in it.
    fn interpolated(text: &str) -> String {
        assert!(!text.replace("$$", "").contains('$'), "a variable in {text:?}");
        text.replace("$$", "$")
    }

    #[test]
    fn a_service_with_hostile_values() {
        let text = write(&deployment(), &inline()).unwrap();
        for (name, value) in HOSTILE {
            let written = environment_of(&text)[name].as_str().unwrap().to_owned();
            assert_eq!(interpolated(&written), *value, "{name}");
        }
        insta::assert_snapshot!(text, @r##"
        # shop 1.0-0123456789ab in staging
        name: "shop-staging"
        services:
          "shop-staging":
            image: "registry.example.com/iam/idsvr@sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"
            environment:
              "AT": "@a: b #c"
              "BACKSLASH": "a\\nb\\\\c\\"
              "BLANKS": "  a  "
              "DB_PASSWORD": "hunter2'$$x\"%i\n\\"
              "DOLLAR": "$${X} $$$$ $$X $$(id) $$$$$$ a$$"
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
            ports:
            - target: 8443
              host_ip: "127.0.0.1"
              published: "443"
            restart: "unless-stopped"
            mem_limit: "2147483648"
            pids_limit: 512
            read_only: true
            tmpfs:
            - "/tmp:rw,exec,nosuid,nodev,mode=1777"
            cap_drop:
            - "ALL"
            security_opt:
            - "no-new-privileges:true"
        "##);
    }

    #[test]
    fn external_secrets_must_be_in_the_environment() {
        let text = write(&deployment(), &external()).unwrap();
        assert_eq!(environment_of(&text)["DB_PASSWORD"], "${DB_PASSWORD?is not set}");
        assert!(!text.contains("hunter2"));
    }

    #[test]
    fn omitted_secrets_are_named() {
        let text = write(&deployment(), &omit()).unwrap();
        assert!(text.contains("# without its secrets: DB_PASSWORD\n"));
        assert_eq!(environment_of(&text)["DB_PASSWORD"], Value::Null);
    }

    proptest! {
        #[test]
        fn every_value_is_read_back(value in any::<String>()) {
            let text = write(&with_values(&[("X", &value)]), &inline()).unwrap();
            let written = environment_of(&text)["X"].as_str().unwrap().to_owned();
            prop_assert_eq!(interpolated(&written), value);
        }
    }
}
