//! `[stage.protect]`: what the image's own program makes of a stage's secrets, on the real engine.

use super::support::yard::{Yard, environment};

/// Prints `sealed:` and the base64 of key and value; refuses without a key.
const SEAL: &str = r#"[stage.protect]
command = ["/bin/busybox", "sh", "-c", '[ -n "$SEAL_KEY" ] || { echo "no key for $(/bin/busybox cat)" >&2; exit 3; }; printf sealed:; { printf "%s." "$SEAL_KEY"; /bin/busybox cat; } | /bin/busybox base64 -w0']
"#;

fn yard(test: &str, protect: &str) -> Option<Yard> {
    let yard = Yard::new(test, protect)?;
    yard.shop
        .write("config/server.yaml", "password: ${DB_SEALED}\nother: ${DB_PASSWORD}\n");
    yard.shop.write(
        "secrets/dev.env",
        "DB_SEALED=hunter2-bare\nDB_PASSWORD=hunter2-plain\nSEAL_KEY=the-key-of-dev\n",
    );
    yard.shop.write("env/dev.env", "");
    yard.shop.done("build");
    Some(yard)
}

#[test]
fn secrets_are_protected_by_the_images_own_program() {
    let Some(yard) = yard("protect", SEAL) else { return };
    let sealed = "sealed:dGhlLWtleS1vZi1kZXYuaHVudGVyMi1iYXJl";
    let answer = yard.shop.answer("deploy dev");
    let given = environment(answer["container"].as_str().expect("an id"));
    assert_eq!(given["DB_SEALED"], sealed);
    assert_eq!(given["DB_PASSWORD"], "hunter2-plain");
    // The server needs the key, too.
    assert_eq!(given["SEAL_KEY"], "the-key-of-dev");

    let text = yard.shop.done("render dev --for env").stdout;
    assert!(
        text.contains(&format!("DB_SEALED='{sealed}'")) && !text.contains("hunter2-bare"),
        "{text}"
    );
    // Without secrets nothing is run, and nothing shown.
    let text = yard.shop.done("render dev --for kubernetes").stdout;
    assert!(
        text.contains("# without its secrets: DB_PASSWORD, DB_SEALED, SEAL_KEY"),
        "{text}"
    );

    // What is protected already passes through.
    yard.edit("secrets/dev.env", "hunter2-bare", "sealed:AAAA");
    let text = yard.shop.done("render dev --for env").stdout;
    assert!(text.contains("DB_SEALED='sealed:AAAA'"), "{text}");
    // Of another form it does not.
    yard.edit("secrets/dev.env", "sealed:AAAA", "sealed:!");
    let run = yard.shop.run("render dev --for env").ends(1);
    run.says("`DB_SEALED` of `dev` should be a protected value");
}

#[test]
fn a_program_that_fails_is_told_without_the_secret() {
    let Some(yard) = yard("protect-fails", SEAL) else {
        return;
    };
    yard.edit("secrets/dev.env", "SEAL_KEY=the-key-of-dev\n", "");
    let run = yard.shop.run("deploy dev").ends(2);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    let run = run.says("the value of `DB_SEALED` could not be protected: `/bin/busybox` ended with 3: no key for ***");
    run.says("`command` and `environment` under `[stage.protect]`");
    assert_eq!(yard.containers(), []);

    // A key that the stage itself names is asked for before anything is started.
    yard.edit(
        "iamship.toml",
        "[stage.protect]\n",
        "[stage.protect]\nenvironment = [\"OTHER_KEY\"]\n",
    );
    yard.shop
        .run("deploy dev")
        .ends(2)
        .says("`OTHER_KEY` has no value in `dev`");

    yard.edit("iamship.toml", "environment = [\"OTHER_KEY\"]\n", "");
    let toml = yard.shop.read("iamship.toml");
    let start = toml.find("command = ").expect("a command");
    let end = start + toml[start..].find('\n').expect("a line");
    yard.shop.write(
        "iamship.toml",
        &format!(
            "{}command = [\"/bin/busybox\", \"cat\"]{}",
            &toml[..start],
            &toml[end..]
        ),
    );
    let run = yard.shop.run("deploy dev").ends(2);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    run.says("what `/bin/busybox` wrote does not have the form");
}
