//! `render`: the program's answer as its consumers read it.

use std::process::Command;

use serde_json::Value;

use super::support::registry::TestRegistry;
use super::support::shop::{PASSWORD, Ran, Shop};
use super::support::tools::{output, tool};
use super::support::yard::{Yard, environment};

const TARGETS: &[&str] = &[
    "env",
    "docker",
    "compose",
    "systemd",
    "kubernetes",
    "helm-values",
    "kustomize",
];

fn built() -> (TestRegistry, Shop) {
    let registry = TestRegistry::start();
    let shop = Shop::new(&registry);
    shop.done("build");
    (registry, shop)
}

#[test]
fn every_target_names_the_digest_that_the_stage_runs() {
    let (registry, shop) = built();
    let digest = shop.status("dev")["digest"].as_str().expect("a digest").to_owned();
    let repository = format!("{}/iam/idsvr", registry.address());
    for target in TARGETS {
        let document = shop.done(&format!("render dev --for {target}")).stdout;
        assert!(document.contains(&digest), "{target}: {document}");
        assert!(document.contains(&repository), "{target}: {document}");
        // A unit names the file that has its values.
        let told = document.contains("login.dev.example.com");
        assert_eq!(told, *target != "systemd", "{target}: {document}");
        let inline = matches!(*target, "env" | "docker");
        assert_eq!(document.contains(PASSWORD), inline, "{target}: {document}");
        let document = shop.done(&format!("render dev --for {target} --secrets inline")).stdout;
        let encoded = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZQ==";
        assert!(document.contains(PASSWORD) || document.contains(encoded), "{target}");
        let document = shop.done(&format!("render dev --for {target} --secrets omit")).stdout;
        assert!(!document.contains(PASSWORD), "{target}");
        assert!(
            document.contains("# without its secrets: DB_PASSWORD"),
            "{target}: {document}"
        );
    }
}

#[test]
fn two_renderings_are_the_same_and_a_changed_value_changes_the_annotation() {
    let (_registry, shop) = built();
    let rendering = || shop.done("render dev --for kubernetes").stdout;
    let before = rendering();
    assert_eq!(before, rendering());
    shop.write("secrets/dev.env", "DB_PASSWORD=another\n");
    let after = rendering();
    let annotation = |text: &str| {
        let line = text.lines().find(|line| line.contains("dev.iamship/values"));
        line.expect("an annotation").to_owned()
    };
    assert_ne!(annotation(&before), annotation(&after));
    assert!(!after.contains("another"));
}

#[test]
fn what_is_not_signed_recorded_or_complete_is_not_rendered() {
    let (registry, shop) = built();
    shop.write("env/dev.env", "\n");
    let run = shop.run("render dev --for kubernetes").ends(1);
    assert_eq!(run.stdout, "");
    let run = run.says("`PUBLIC_HOST` has no value in `dev`");
    run.says("iamship check dev");

    let run = shop.run("render staging --for env").ends(2);
    run.says("`staging` runs nothing yet")
        .says("iamship promote dev staging");

    // Moved by hand, to an image that nobody signed.
    let foreign = registry.manifest("vendor/idsvr", "1.0").expect("the base");
    registry.put_manifest(
        "iam/idsvr",
        "prod",
        "application/vnd.oci.image.manifest.v1+json",
        &foreign,
    );
    let run = shop.run("render prod --for env").ends(1);
    assert_eq!(run.stdout, "");
    run.says("no trusted key signed")
        .says("moved to")
        .says("without a record");
}

#[test]
fn secrets_that_the_target_has_no_way_to_get_are_refused() {
    let (_registry, shop) = built();
    let run = shop.run("render dev --for env --secrets external").ends(2);
    assert_eq!(run.stdout, "");
    run.says("`--secrets external` means nothing for `env`")
        .says("`--secrets inline` or `--secrets omit`");
    let run = shop.run("render dev --for kubernetes --secrets external").ends(2);
    run.says("no vault holds `DB_PASSWORD`").says("--secrets omit");
}

#[test]
fn a_value_that_the_consumer_cannot_carry_is_told_without_it() {
    let (_registry, shop) = built();
    shop.write("secrets/dev.env", "DB_PASSWORD='top\nsecret'\n");
    let run = shop.run("render dev --for docker").ends(2);
    assert_eq!(run.stdout, "");
    assert!(
        !run.stderr.contains("top") && !run.stderr.contains("secret'"),
        "{}",
        run.stderr
    );
    run.says("the value of `DB_PASSWORD` can't be written for `docker`")
        .says("`--for compose` can carry it");
    let text = shop.done("render dev --for env").stdout;
    assert!(text.contains("DB_PASSWORD='top\nsecret'\n"), "{text}");
}

#[test]
fn that_nobody_can_pull_an_image_from_a_folder_is_told() {
    let project = super::support::project::Project::new();
    project.build();
    let digest = project.store().tag("dev").expect("built").to_string();
    for target in ["compose", "systemd", "kubernetes", "helm-values", "kustomize"] {
        let run = project.run(&format!("render dev --for {target}"));
        run.expect_code(0);
        assert!(
            run.stderr.contains("nobody can pull the image from there"),
            "{}",
            run.stderr
        );
        assert!(run.stdout.contains(&digest), "{target}: {}", run.stdout);
        assert!(!run.stdout.contains("oci:"), "{target}: {}", run.stdout);
    }
    let run = project.run("render dev --for env");
    run.expect_code(0);
    assert!(!run.stderr.contains("folder"), "{}", run.stderr);
}

#[test]
fn the_document_is_the_answer_and_json_is_not() {
    let (_registry, shop) = built();
    let run = shop.run("render dev --for env --format json").ends(2);
    assert_eq!(run.stdout, "");
    run.says("`render` answers with the document itself");
    let status: Value = shop.status("dev");
    assert!(status["digest"].is_string());
}

#[test]
fn pods_run_as_the_user_that_the_image_names() {
    let (_registry, shop) = built();
    for target in ["kubernetes", "helm-values"] {
        let document = shop.done(&format!("render dev --for {target}")).stdout;
        // The image names none, and was tested as that.
        assert!(!document.contains("runAs"), "{document}");
    }
}

#[test]
fn the_file_of_a_unit_is_the_only_one_that_has_its_values() {
    let (_registry, shop) = built();
    let unit = shop.done("render dev --for systemd").stdout;
    assert!(
        !unit.contains("login.dev.example.com") && !unit.contains("\nEnvironment="),
        "{unit}"
    );
    // Pasted, it works.
    let line = unit.lines().find_map(|line| line.strip_prefix("# its values: "));
    let line = line.expect("a command").replace("/etc/iamship", "etc/iamship");
    let mut shell = Command::new("sh");
    shell.args(["-c", &line.replace("iamship render", "./iamship render")]);
    let command = shop.command("");
    std::os::unix::fs::symlink(command.get_program(), shop.path().join("iamship")).expect("a link");
    shell.current_dir(shop.path());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    output(&mut shell);
    let file = shop.path().join("etc/iamship/shop-dev.env");
    let text = std::fs::read_to_string(&file).expect("written");
    assert!(
        text.contains(PASSWORD) && text.contains("login.dev.example.com"),
        "{text}"
    );
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("there").permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_document_that_could_not_be_written_is_no_success() {
    let (_registry, shop) = built();
    for words in [
        "render dev --for env",
        "status",
        "status --format json",
        "completions bash",
    ] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("it opens");
        let child = shop.command(words).stdout(full).spawn().expect("it starts");
        let run = Ran::of(child.wait_with_output().expect("it ends")).ends(3);
        run.says("the answer can't be written").says("No space left");
    }
    // A reader that went away is no failure.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let child = shop
        .command("render dev --for env")
        .stdout(writer)
        .spawn()
        .expect("it starts");
    let run = Ran::of(child.wait_with_output().expect("it ends")).ends(0);
    assert_eq!(run.stderr.matches("error").count(), 0, "{}", run.stderr);
}

/// Names and values that some reader somewhere reads as something else.
const HOSTILE: &[(&str, &str)] = &[
    ("NO", "no"),
    ("Y", "1e3"),
    ("TILDE", "~"),
    ("AT", "@a: b #c"),
    ("BLANKS", "  a  "),
    ("BACKSLASH", r"a\nb\\c\"),
    ("QUOTES", r#"'a' "b" `id` it's"#),
    ("QUOTED", r#""whole""#),
    ("DOLLAR", "${X} $$ $X $(id) $$$ a$"),
    ("PERCENT", "%n %% 100%"),
    ("LINES", "-----BEGIN X-----\na: |\n  'b'\n\n-----END X-----\n"),
    ("UNICODE", "grüße \u{1F600} \u{2028} \u{feff}"),
    ("EQUALS", "a=b;c&d|e<f>g*?[h]!{i}"),
    ("TAB", "\ta\tb"),
];

/// Gives `dev` the hostile values, and a configuration that asks for them.
fn give_hostile(shop: &Shop, values: &[(&str, &str)]) {
    let quoted = |value: &str| {
        let escaped = |c: char| match c {
            '\n' => "\\n".to_owned(),
            '"' | '\\' | '$' | '`' => format!("\\{c}"),
            c => c.to_string(),
        };
        value.chars().map(escaped).collect::<String>()
    };
    let line = |(name, value): &(&str, &str)| format!("{name}=\"{}\"\n", quoted(value));
    shop.write("env/dev.env", &values.iter().map(line).collect::<String>());
    let line = |(name, _): &(&str, &str)| format!("{}: ${{{name}}}\n", name.to_lowercase());
    let lines: String = values.iter().map(line).collect();
    shop.write("config/server.yaml", &format!("password: ${{DB_PASSWORD}}\n{lines}"));
}

fn one_line() -> Vec<(&'static str, &'static str)> {
    HOSTILE
        .iter()
        .copied()
        .filter(|(_, value)| !value.contains('\n'))
        .collect()
}

#[test]
fn a_docker_client_reads_every_value() {
    let Some(yard) = Yard::new("render-docker", "") else {
        return;
    };
    give_hostile(&yard.shop, &one_line());
    yard.shop.done("build");
    yard.shop
        .write("docker.env", &yard.shop.done("render dev --for docker").stdout);
    let image = yard.shop.done("render dev --for env").stdout;
    let image = image
        .lines()
        .find_map(|line| line.strip_prefix("# for "))
        .expect("an image")
        .to_owned();
    let file = yard.shop.path().join("docker.env");
    let mut create = Command::new("docker");
    create.args(["create", "--env-file"]).arg(&file).arg(&image);
    let id = output(&mut create).trim().to_owned();
    let given = environment(&id);
    output(Command::new("docker").args(["rm", &id]));
    output(Command::new("docker").args(["rmi", &image]));
    for (name, value) in one_line() {
        assert_eq!(given[name], value, "{name}");
    }
    assert_eq!(given["DB_PASSWORD"], PASSWORD);
}

#[test]
fn compose_starts_it_with_every_value() {
    let Some(yard) = Yard::new("render-compose", "") else {
        return;
    };
    let Some(compose) = tool("docker-compose") else { return };
    give_hostile(&yard.shop, HOSTILE);
    yard.shop.done("build");
    let image = yard.shop.done("render dev --for env").stdout;
    let image = image
        .lines()
        .find_map(|line| line.strip_prefix("# for "))
        .expect("an image")
        .to_owned();
    for choice in ["inline", "external"] {
        let text = yard
            .shop
            .done(&format!("render dev --for compose --secrets {choice}"))
            .stdout;
        assert_eq!(text.contains(PASSWORD), choice == "inline");
        yard.shop.write("compose.yaml", &text);
        let compose = |words: &[&str]| {
            let mut command = Command::new(&compose);
            command.arg("-f").arg(yard.shop.path().join("compose.yaml")).args(words);
            // What an external secret comes from is not read for variables once more.
            command.env(
                "DB_PASSWORD",
                if choice == "inline" { "another" } else { "$$x ${HOME}" },
            );
            output(&mut command)
        };
        compose(&["up", "--detach", "--wait"]);
        let given = environment(compose(&["ps", "--quiet"]).trim());
        compose(&["down"]);
        for (name, value) in HOSTILE {
            assert_eq!(given[*name], *value, "{name}");
        }
        assert_eq!(
            given["DB_PASSWORD"],
            if choice == "inline" { PASSWORD } else { "$$x ${HOME}" }
        );
    }
    output(Command::new("docker").args(["rmi", &image]));
}

#[test]
fn kubernetes_own_schemas_accept_it() {
    let Some(validate) = tool("kubernetes-validate") else {
        return;
    };
    let (_registry, shop) = built();
    give_hostile(&shop, HOSTILE);
    shop.done("build");
    for choice in ["inline", "omit"] {
        // An ExternalSecret is of the operator's own schema, which is not among them: it is not validated here.
        shop.write(
            "objects.yaml",
            &shop
                .done(&format!("render dev --for kubernetes --secrets {choice}"))
                .stdout,
        );
        let file = shop.path().join("objects.yaml");
        let told = output(Command::new(&validate).arg("--strict").arg(&file));
        assert!(told.contains("deployment/shop-dev") || told.is_empty(), "{told}");
    }
}

#[test]
fn kustomize_puts_it_into_the_manifests_that_take_it_in() {
    let Some(kubectl) = tool("kubectl") else { return };
    let (registry, shop) = built();
    give_hostile(&shop, HOSTILE);
    shop.done("build");
    shop.write(
        "k/component/kustomization.yaml",
        &shop.done("render dev --for kustomize --secrets inline").stdout,
    );
    shop.write(
        "k/kustomization.yaml",
        "resources: [pod.yaml]\ncomponents: [component]\n",
    );
    let image = format!("{}/iam/idsvr", registry.address());
    shop.write(
        "k/pod.yaml",
        &format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec:\n  containers:\n  - name: server\n    image: {image}\n    \
             envFrom: [{{configMapRef: {{name: shop-dev}}}}, {{secretRef: {{name: shop-dev-secrets}}}}]\n"
        ),
    );
    let text = output(Command::new(kubectl).arg("kustomize").arg(shop.path().join("k")));
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    let objects: Vec<serde_yaml_ng::Value> = documents
        .map(|document| serde::Deserialize::deserialize(document).expect("an object"))
        .collect();
    let kind = |kind: &str| objects.iter().find(|object| object["kind"] == kind).expect(kind);
    for (name, value) in HOSTILE {
        assert_eq!(kind("ConfigMap")["data"][*name], *value, "{name}");
    }
    let container = &kind("Pod")["spec"]["containers"][0];
    let digest = shop.status("dev")["digest"].as_str().expect("a digest").to_owned();
    assert_eq!(container["image"], format!("{image}@{digest}"));
    assert_eq!(
        container["envFrom"][0]["configMapRef"]["name"],
        kind("ConfigMap")["metadata"]["name"]
    );
    assert_eq!(
        container["envFrom"][1]["secretRef"]["name"],
        kind("Secret")["metadata"]["name"]
    );
}

#[test]
fn systemd_accepts_the_unit() {
    let Some(analyze) = tool("systemd-analyze") else { return };
    let (_registry, shop) = built();
    give_hostile(&shop, HOSTILE);
    shop.done("build");
    for choice in ["inline", "external"] {
        let unit = shop
            .done(&format!("render dev --for systemd --secrets {choice}"))
            .stdout;
        // Its programs need not be on this machine.
        let unit = unit.replace("/usr/bin/docker", "/bin/true");
        let unit = unit
            .lines()
            .filter(|line| !line.starts_with("Requires="))
            .collect::<Vec<_>>()
            .join("\n");
        shop.write("shop-dev.service", &unit);
        let mut verify = Command::new(&analyze);
        verify
            .args(["verify", "--man=no"])
            .arg(shop.path().join("shop-dev.service"));
        let output = verify.output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        // What it says of units of the machine itself is not ours.
        let ours: Vec<_> = told.lines().filter(|line| line.contains("shop-dev")).collect();
        assert!(output.status.success() && ours.is_empty(), "{told}");
    }
}
