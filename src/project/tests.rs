//! What a project file can get wrong: each class once, then many at once.

use super::fixture::{Folder, MINIMAL};
use super::*;
use crate::diagnostic::{Code, Diagnostic};

/// A complete project file; every problem below is one change to it.
const FULL: &str = r#"[project]
name = "idsvr"
server = "curity"

[image]
repository = "registry.example.com/iam/idsvr"
base = "example.com/base:1"
insecure = true

[config]
files = ["config/**/*.xml"]

[[asset]]
from = "procedures/"
to = "/opt/idsvr/etc/init/token-procedures/"

[parameters]
DB_PASSWORD = { secret = true, type = "text" }
BANNER = { optional = true }

[signing]
key = "file:keys/iamship.key"
trusted = ["keys/iamship.pub", { key = "keys/ops.pub", may = ["promote", "approve"] }]

[checks]
parameter-unused = "off"
stage-localhost = "error"

[[stage]]
name = "dev"
values = "env/dev.env"
secrets = ["file:/run/secrets/dev", "env:DEV_"]

[[stage]]
name = "prod"
tag = "production"
repository = ["eu.example.com/iam/idsvr", "oci:mirror"]
enter = { approvals = 0 }
leave = { tests = [] }

[stage.test]
kind = "static"
suite = "smoke"
"#;

fn folder(text: &str) -> Folder {
    let folder = Folder::new();
    for path in ["procedures/a.js", "keys/iamship.pub", "keys/ops.pub", "env/dev.env"] {
        folder.write(path, path);
    }
    folder.write("keys/private.pub", "-----BEGIN PRIVATE KEY-----");
    folder.write(PROJECT_FILE, text);
    folder
}

fn problems(text: &str) -> Vec<Diagnostic> {
    Project::load(folder(text).path()).expect_err("refused")
}

/// Code, the text it points at, the message.
fn told(text: &str) -> Vec<(Code, String, String)> {
    let place = |problem: &Diagnostic| problem.labels.first().map(|label| label.span.text().to_owned());
    problems(text)
        .iter()
        .map(|problem| {
            (
                problem.code,
                place(problem).unwrap_or_default(),
                problem.message.clone(),
            )
        })
        .collect()
}

#[test]
fn everything_that_can_be_said_is_understood() {
    let folder = folder(FULL);
    let project = Project::load(folder.path()).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(
        project.image.insecure.iter().collect::<Vec<_>>(),
        ["registry.example.com"]
    );
    assert_eq!(project.assets[0].to, "/opt/idsvr/etc/init/token-procedures/");
    assert_eq!(project.parameters.len(), 2);
    assert_eq!(project.signing.key, Some(KeyReference::File("keys/iamship.key".into())));
    let may: Vec<_> = project.signing.trusted.iter().map(|key| key.may.len()).collect();
    assert_eq!(may, [4, 2]);
    assert_eq!(project.severities["parameter-unused"], None);
    let [dev, prod] = project.stages.as_slice() else {
        panic!("two stages");
    };
    assert_eq!(dev.secrets.len(), 2);
    assert_eq!(dev.leave.tests, ["static"]);
    assert_eq!(
        (prod.tag.as_str(), prod.repositories.len(), prod.enter.approvals),
        ("production", 2, 0)
    );
    assert_eq!((prod.leave.tests.len(), prod.test.suites[0].as_str()), (0, "smoke"));
    assert_eq!(project.position(&prod.name), Some(1));
}

/// One change, the code, the text that the diagnostic points at, and a part of what it says or helps.
const CASES: &[(&str, &str, Code, &str, &str)] = {
    use Code::{
        ProjectInvalid as Invalid, ProjectMissing as Missing, ProjectSyntax as Syntax, ProjectUnknownKey as Key,
    };
    &[
        (
            "name = \"idsvr\"",
            "nam = \"idsvr\"",
            Key,
            "nam",
            "did you mean `name`?",
        ),
        (
            "name = \"idsvr\"",
            "name = 7",
            Syntax,
            "7",
            "must be a string, but here stands a whole number",
        ),
        (
            "name = \"idsvr\"",
            "name = \"../x\"",
            Invalid,
            "\"../x\"",
            "can't name a project",
        ),
        (
            "\"curity\"",
            "\"curty\"",
            Invalid,
            "\"curty\"",
            "did you mean `curity`?",
        ),
        (
            "\"curity\"",
            "\"../curity\"",
            Invalid,
            "\"../curity\"",
            "built-in profiles: `curity`",
        ),
        ("[image]", "[imag]", Key, "imag", "did you mean `image`?"),
        (
            "base = \"example.com/base:1\"\n",
            "",
            Missing,
            "[image]",
            "write `base = ",
        ),
        (
            "example.com/base:1",
            "Example.com/Base:1",
            Invalid,
            "\"Example.com/Base:1\"",
            "is not an image reference",
        ),
        (
            "iam/idsvr\"\nbase",
            "iam/idsvr:1\"\nbase",
            Invalid,
            "\"registry.example.com/iam/idsvr:1\"",
            "no place",
        ),
        ("insecure = true", "insecure = 1", Syntax, "1", "must be a list"),
        (
            "insecure = true",
            "insecure = [\"http://x\"]",
            Invalid,
            "\"http://x\"",
            "is not a registry",
        ),
        (
            "insecure = true",
            "ca = \"none.pem\"",
            Missing,
            "\"none.pem\"",
            "is not there",
        ),
        ("[\"config/**/*.xml\"]", "[]", Invalid, "[]", "names no file"),
        (
            "config/**/*.xml",
            "../**/*.xml",
            Invalid,
            "\"../**/*.xml\"",
            "inside the project",
        ),
        (
            "config/**/*.xml",
            "config/[.xml",
            Invalid,
            "\"config/[.xml\"",
            "is not a pattern",
        ),
        (
            "from = \"procedures/\"",
            "from = \"none/\"",
            Missing,
            "\"none/\"",
            "is not there",
        ),
        (
            "from = \"procedures/\"",
            "from = \"/etc\"",
            Invalid,
            "\"/etc\"",
            "inside the project",
        ),
        (
            "to = \"/opt",
            "to = \"opt",
            Invalid,
            "\"opt/idsvr/etc/init/token-procedures/\"",
            "absolute path",
        ),
        (
            "to = \"/opt",
            "to = \"/opt/..",
            Invalid,
            "\"/opt/../idsvr/etc/init/token-procedures/\"",
            "without `.`",
        ),
        ("BANNER", "BAN-NER", Invalid, "BAN-NER", "can't name a parameter"),
        (
            "type = \"text\"",
            "type = \"txt\"",
            Invalid,
            "\"txt\"",
            "did you mean `text`?",
        ),
        (
            "optional = true",
            "optional = \"yes\"",
            Syntax,
            "\"yes\"",
            "must be `true` or `false`",
        ),
        ("optional", "optionl", Key, "optionl", "did you mean `optional`?"),
        (
            "file:keys/iamship.key",
            "vault:transit/x",
            Invalid,
            "\"vault:transit/x\"",
            "`vault:transit/keys/NAME`",
        ),
        (
            "file:keys/iamship.key",
            "keys/iamship.key",
            Invalid,
            "\"keys/iamship.key\"",
            "file:keys/iamship.key",
        ),
        (
            "file:keys/iamship.key",
            "env:A-B",
            Invalid,
            "\"env:A-B\"",
            "environment variable",
        ),
        (
            "\"keys/iamship.pub\"",
            "\"keys/no.pub\"",
            Missing,
            "\"keys/no.pub\"",
            "`iamship keygen --out keys/no`",
        ),
        (
            "\"keys/iamship.pub\"",
            "\"keys/private.pub\"",
            Invalid,
            "\"keys/private.pub\"",
            "is a private key",
        ),
        (
            "\"approve\"",
            "\"aprove\"",
            Invalid,
            "\"aprove\"",
            "did you mean `approve`?",
        ),
        (
            "parameter-unused",
            "parameter-unusd",
            Key,
            "parameter-unusd",
            "did you mean `parameter-unused`?",
        ),
        (
            "parameter-unused",
            "xml-malformed",
            Invalid,
            "xml-malformed",
            "can't be changed",
        ),
        ("\"off\"", "\"of\"", Invalid, "\"of\"", "did you mean `off`?"),
        ("env/dev.env", "env/none.env", Missing, "\"env/none.env\"", "env file"),
        (
            "env/dev.env",
            "../dev.env",
            Invalid,
            "\"../dev.env\"",
            "inside the project",
        ),
        ("env:DEV_", "env:", Invalid, "\"env:\"", "STAGING_DB_PASSWORD"),
        (
            "env:DEV_",
            "vault:secret",
            Invalid,
            "\"vault:secret\"",
            "`vault kv get`",
        ),
        (
            "env:DEV_",
            "exec:sops -d x | jq",
            Invalid,
            "\"exec:sops -d x | jq\"",
            "no shell reads it",
        ),
        ("env:DEV_", "secrets.env", Invalid, "\"secrets.env\"", "file:PATH"),
        ("name = \"dev\"\n", "", Missing, "[[stage]]", "write `name = "),
        (
            "name = \"dev\"",
            "name = \"Dev\"",
            Invalid,
            "\"Dev\"",
            "write `name = \"dev\"`",
        ),
        (
            "name = \"dev\"",
            "name = \"prod\"",
            Invalid,
            "\"prod\"",
            "two stages are called `prod`",
        ),
        (
            "\"production\"",
            "\"dev\"",
            Invalid,
            "\"dev\"",
            "is the name of another stage",
        ),
        (
            "\"production\"",
            "\"sha256-x\"",
            Invalid,
            "\"sha256-x\"",
            "signatures and records",
        ),
        (
            "\"production\"",
            "\"iamship-x\"",
            Invalid,
            "\"iamship-x\"",
            "signatures and records",
        ),
        (
            "\"production\"",
            "\"1.0-0123456789ab\"",
            Invalid,
            "\"1.0-0123456789ab\"",
            "looks like a version",
        ),
        (
            "\"production\"",
            "\"prod-20261124-1\"",
            Invalid,
            "\"prod-20261124-1\"",
            "`<stage>-<date>-<n>`",
        ),
        (
            "\"production\"",
            "\"prod-2026-11-24-1\"",
            Invalid,
            "\"prod-2026-11-24-1\"",
            "`<stage>-<date>-<n>`",
        ),
        ("\"production\"", "\"a b\"", Invalid, "\"a b\"", "a tag has up to 128"),
        (
            "\"oci:mirror\"",
            "\"eu.example.com/iam/idsvr\"",
            Invalid,
            "\"eu.example.com/iam/idsvr\"",
            "twice",
        ),
        (
            "approvals = 0",
            "approvals = 2",
            Invalid,
            "2",
            "only 1 trusted key could approve what another one built, and 2 approvals are asked for",
        ),
        (
            "approvals = 0",
            "approvals = 1, approvers = \"keys/op.pub\"",
            Invalid,
            "\"keys/op.pub\"",
            "did you mean `keys/ops.pub`?",
        ),
        (
            "approvals = 0",
            "approvers = \"keys/ops.pub\"",
            Invalid,
            "\"keys/ops.pub\"",
            "write `approvals = 1` beside it",
        ),
        (
            "tests = []",
            "tests = [], soak = \"a day\"",
            Invalid,
            "\"a day\"",
            "is not a length of time",
        ),
        (
            "tests = []",
            "tests = [], soak = \"367d\"",
            Invalid,
            "\"367d\"",
            "longer than a year",
        ),
        ("approvals = 0", "approvals = -1", Invalid, "-1", "from 0 to 100"),
        ("approvals = 0", "approvals = \"2\"", Syntax, "\"2\"", "a whole number"),
        ("approvals", "aprovals", Key, "aprovals", "did you mean `approvals`?"),
        (
            "tests = []",
            "tests = [\"\"]",
            Invalid,
            "\"\"",
            "can't name a test suite",
        ),
        (
            "kind = \"static\"",
            "kind = \"statik\"",
            Invalid,
            "\"statik\"",
            "did you mean `static`?",
        ),
        (
            "suite = \"smoke\"",
            "suit = \"smoke\"",
            Key,
            "suit",
            "did you mean `suite`?",
        ),
    ]
};

#[test]
fn each_mistake_has_its_code_its_place_and_its_mend() {
    for (from, to, code, place, says) in CASES {
        assert!(FULL.contains(from), "{from}");
        let text = FULL.replacen(from, to, 1);
        let found = problems(&text);
        let fits = found.iter().any(|problem| {
            problem.code == *code
                && problem.labels.first().is_some_and(|label| label.span.text() == *place)
                && (problem.message.contains(says) || problem.help.iter().any(|help| help.contains(says)))
        });
        assert!(fits, "`{from}` -> `{to}`: {found:#?}");
    }
}

#[test]
fn two_stages_can_not_move_one_tag() {
    let text = FULL.replacen(
        "repository = [\"eu",
        "repository = [\"registry.example.com/iam/idsvr\", \"eu",
        1,
    );
    let text = text.replacen("name = \"dev\"\n", "name = \"dev\"\ntag = \"production\"\n", 1);
    let found = problems(&text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0]
            .message
            .contains("would move the tag `production` of `registry.example.com/iam/idsvr`")
    );
    assert_eq!(found[0].labels.len(), 2);
}

#[test]
fn all_problems_come_at_once_in_the_order_of_the_file() {
    let text = FULL
        .replacen("\"curity\"", "\"curty\"", 1)
        .replacen("insecure = true", "insecur = true", 1)
        .replacen("\"off\"", "false", 1)
        .replacen("env/dev.env", "env/none.env", 1)
        .replacen("approvals = 0", "approvals = 1000", 1);
    let codes: Vec<_> = told(&text).into_iter().map(|(code, place, _)| (code, place)).collect();
    let expected = [
        (Code::ProjectInvalid, "\"curty\""),
        (Code::ProjectUnknownKey, "insecur"),
        (Code::ProjectSyntax, "false"),
        (Code::ProjectMissing, "\"env/none.env\""),
        (Code::ProjectInvalid, "1000"),
    ];
    assert_eq!(codes, expected.map(|(code, place)| (code, place.to_owned())));
}

#[test]
fn an_empty_file_says_what_a_project_needs() {
    let found: Vec<_> = told("").into_iter().map(|(_, _, message)| message).collect();
    let expected = [
        "table `[project]`",
        "table `[image]`",
        "table `[config]`",
        "`[[stage]]`",
    ];
    assert_eq!(found, expected.map(|what| format!("the file has no {what}")));
}

#[test]
fn what_is_not_toml_is_told_without_guesses_about_the_rest() {
    let found = told(
        &FULL
            .replacen("name = \"idsvr\"", "name = \"idsvr", 1)
            .replacen("[config]", "[config", 1),
    );
    assert!(found.len() >= 2, "{found:?}");
    assert!(
        found
            .iter()
            .all(|(code, _, message)| *code == Code::ProjectSyntax && message.starts_with("not TOML")),
        "{found:#?}"
    );
    for rubbish in [
        "\u{0}",
        "=",
        "[[[[",
        "é = é",
        "a = \"\"\"é",
        &"[".repeat(100_000),
        &"a.".repeat(10_000),
    ] {
        assert!(!problems(rubbish).is_empty());
    }
}

#[test]
fn no_project_file_says_how_to_get_one() {
    let folder = Folder::new();
    for path in [folder.path().to_owned(), folder.path().join("none")] {
        let found = Project::load(&path).expect_err("refused");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].code, Code::ProjectMissing);
        assert!(found[0].help[0].contains("`iamship init`"));
    }
    std::fs::write(folder.path().join(PROJECT_FILE), b"\xff").expect("file");
    assert!(
        Project::load(folder.path()).expect_err("refused")[0]
            .message
            .contains("not UTF-8")
    );
}

#[test]
fn a_key_pair_trusts_itself_unless_the_project_says_whom_it_trusts() {
    let folder = folder(&format!("{MINIMAL}[signing]\nkey = \"file:keys/iamship.key\"\n"));
    let project = Project::load(folder.path()).expect("valid");
    assert_eq!(project.signing.trusted[0].path, "keys/iamship.pub");
    std::fs::remove_file(folder.path().join("keys/iamship.pub")).expect("there");
    assert!(Project::load(folder.path()).expect("valid").signing.trusted.is_empty());
    folder.write(
        PROJECT_FILE,
        &format!("{MINIMAL}[signing]\nkey = \"file:keys/iamship.key\"\ntrusted = []\n"),
    );
    assert!(Project::load(folder.path()).expect("valid").signing.trusted.is_empty());
}

#[test]
fn a_profile_in_the_project_wins_and_its_mistakes_point_into_it() {
    let folder = folder(MINIMAL);
    let own = crate::profile::built_in_text("curity")
        .expect("built in")
        .replace("uid = 10001", "uid = 7");
    folder.write("servers/curity.toml", &own);
    assert_eq!(Project::load(folder.path()).expect("valid").server.config.uid, 7);
    folder.write("servers/curity.toml", &own.replace("/opt/idsvr/etc/init\"", "etc\""));
    let found = Project::load(folder.path()).expect_err("refused");
    assert_eq!((found.len(), found[0].code), (1, Code::ProfileInvalid));
    assert_eq!(found[0].labels[0].span.source.path(), "servers/curity.toml");
    assert_eq!(found[0].labels[0].span.text(), "etc");
}

#[test]
fn a_stage_says_whether_changes_must_be_named() {
    let with = |word: &str| {
        let text = FULL.replace("{ approvals = 0 }", &format!("{{ changes = \"{word}\" }}"));
        Project::load(folder(&text).path())
    };
    let entering = |word: &str| with(word).expect("a project").stages[1].enter.changes;
    assert_eq!(entering("free"), EnteringChanges::Free);
    assert_eq!(entering("named"), EnteringChanges::Named);
    let found = with("fre").expect_err("refused");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].message, "`changes` can't be `fre`");
    assert_eq!(found[0].help, ["did you mean `free`?"]);
}

#[test]
fn rules_of_the_first_stage_that_no_gate_would_ask_are_refused() {
    let text = FULL.replacen("name = \"dev\"\n", "name = \"dev\"\nenter = { approvals = 0 }\n", 1);
    let found = told(&text);
    assert!(
        matches!(&found[..], [(Code::ProjectInvalid, place, message)]
            if place.contains("approvals") && message.contains("builds enter it")),
        "{found:#?}"
    );
}
