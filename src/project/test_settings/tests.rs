//! What `[stage.test]` and `[oidc]` can get wrong: each class once, then many at once.

use std::time::Duration;

use crate::diagnostic::Code;
use crate::project::fixture::{Folder, MINIMAL};
use crate::project::{Authentication, PROJECT_FILE, Project};

const FULL: &str = r##"
[stage.test]
kind = "engine"
suite = ["boot", "oidc", "e2e", "login", "slow"]
timeout = "90s"

[[stage.test.probe]]
name = "metadata"
suite = "login"
port = "runtime"
path = "/login?a=b"
status = 302
json = { "/issuer" = "x", "/n" = 1, "/f" = 1.5, "/up" = true }
matches = "^a+$"

[stage.test.suites]
e2e = "exec:npx playwright 'a b'"
slow = { run = "exec:./slow.sh", timeout = "1h" }

[oidc]
issuer = "#{BASE_URL}/oauth/v2/oauth-anonymous"
port = "runtime"

[[oidc.client]]
id = "machine"
secret = "MACHINE_SECRET"
scope = "read write"
introspect = true

[[oidc.client]]
id = "web"
secret = "WEB_SECRET"
grants = ["authorization_code", "refresh_token"]
authentication = "post"
redirect-uris = ["#{WEB_URL}/cb"]

[[oidc.client]]
id = "app"
redirect-uris = "https://app.example.com/cb"
"##;

fn load(text: &str) -> Result<Project, Vec<crate::diagnostic::Diagnostic>> {
    let folder = Folder::new();
    folder.write(PROJECT_FILE, &format!("{MINIMAL}{text}"));
    Project::load(folder.path())
}

#[test]
fn everything_that_can_be_said_is_understood() {
    let project = load(FULL).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let test = &project.stages[0].test;
    assert_eq!(test.suites, ["boot", "oidc", "e2e", "login", "slow"]);
    assert_eq!(project.stages[0].leave.tests, test.suites);
    let [probe] = test.probes.as_slice() else {
        panic!("one probe")
    };
    assert_eq!((probe.port, probe.status, probe.json.len()), (8443, 302, 4));
    assert_eq!(probe.json["/f"], 1.5);
    let e2e = &test.programs["e2e"];
    assert_eq!(e2e.command.program, "npx");
    assert_eq!(e2e.command.arguments, ["playwright", "a b"]);
    assert_eq!(test.programs["slow"].timeout, Duration::from_secs(3600));
    let oidc = project.oidc.as_ref().expect("a provider");
    assert_eq!((oidc.port, oidc.clients.len()), (8443, 3));
    let grants: Vec<_> = oidc.clients.iter().map(|client| client.grants[0].as_str()).collect();
    assert_eq!(
        grants,
        ["client_credentials", "authorization_code", "authorization_code"]
    );
    let authentications: Vec<_> = oidc.clients.iter().map(|client| client.authentication).collect();
    assert_eq!(
        authentications,
        [Authentication::Basic, Authentication::Post, Authentication::None]
    );
}

#[test]
fn an_engine_test_runs_boot_where_nothing_is_said() {
    let project = load("[stage.test]\nkind = \"engine\"\n").expect("valid");
    assert_eq!(project.stages[0].test.suites, ["boot"]);
    assert!(project.oidc.is_none());
}

/// One change, the code, the text that the diagnostic points at, and a part of what it says or helps.
const CASES: &[(&str, &str, Code, &str, &str)] = {
    use Code::{
        ProjectInvalid as Invalid, ProjectMissing as Missing, ProjectSyntax as Syntax, ProjectUnknownKey as Key,
    };
    &[
        ("\"boot\", ", "\"bot\", ", Invalid, "\"bot\"", "did you mean `boot`?"),
        (
            "\"e2e\", ",
            "\"smoke\", ",
            Invalid,
            "\"smoke\"",
            "known suites: `boot`, `oidc`, `e2e`",
        ),
        (
            "kind = \"engine\"",
            "",
            Invalid,
            "[[stage.test.probe]]",
            "needs a server that runs",
        ),
        (
            ", \"login\"",
            "",
            Invalid,
            "[[stage.test.probe]]",
            "no test runs suite `login`",
        ),
        (
            ", \"slow\"",
            "",
            Invalid,
            "slow",
            "add it: `suite = [\"boot\", \"oidc\", \"e2e\", \"login\", \"slow\"]`",
        ),
        (
            "\"oidc\", ",
            "",
            Invalid,
            "\"#{BASE_URL}/oauth/v2/oauth-anonymous\"",
            "no stage tests these clients",
        ),
        (
            "introspect = true",
            "grants = \"password\"",
            Invalid,
            "\"machine\"",
            "nothing of client `machine` can be tried",
        ),
        (
            "port = \"runtime\"\npath",
            "port = \"runtim\"\npath",
            Invalid,
            "\"runtim\"",
            "did you mean `runtime`?",
        ),
        (
            "port = \"runtime\"\npath",
            "port = 0\npath",
            Invalid,
            "0",
            "0 is no port",
        ),
        (
            "port = \"runtime\"\npath",
            "port = 65536\npath",
            Invalid,
            "65536",
            "from 0 to 65535",
        ),
        (
            "path = \"/login?a=b\"",
            "path = \"login\"",
            Invalid,
            "\"login\"",
            "begin with `/`",
        ),
        (
            "path = \"/login?a=b\"",
            "path = \"/a b\"",
            Invalid,
            "\"/a b\"",
            "percent-encode",
        ),
        (
            "path = \"/login?a=b\"\n",
            "",
            Missing,
            "[[stage.test.probe]]",
            "write `path = ",
        ),
        ("status = 302", "status = 20", Invalid, "20", "no HTTP status"),
        ("\"/issuer\"", "\"a.b\"", Invalid, "\"a.b\"", "write `/a/b`"),
        (
            "\"/issuer\" = \"x\"",
            "\"/issuer\" = []",
            Syntax,
            "[]",
            "a string, a number or a boolean",
        ),
        ("^a+$", "(", Invalid, "\"(\"", "not a regular expression"),
        (
            "name = \"metadata\"",
            "name = \"a b\"",
            Invalid,
            "\"a b\"",
            "can't name",
        ),
        ("matches =", "match =", Key, "match", "did you mean `matches`?"),
        ("exec:npx", "npx", Invalid, "\"npx playwright 'a b'\"", "exec:npx"),
        (
            "'a b'\"",
            "| b\"",
            Invalid,
            "\"exec:npx playwright | b\"",
            "no shell reads it",
        ),
        ("e2e = ", "boot = ", Invalid, "boot", "is built in"),
        ("e2e = ", "\"e e\" = ", Invalid, "\"e e\"", "can't name a test suite"),
        (
            "timeout = \"1h\"",
            "timeout = \"1\"",
            Invalid,
            "\"1\"",
            "is not a length of time",
        ),
        (
            "issuer = \"#{BASE_URL}/oauth/v2/oauth-anonymous\"\n",
            "",
            Missing,
            "[oidc]",
            "write `issuer = ",
        ),
        (
            "#{BASE_URL}/oauth",
            "#{BASE_URL} /oauth",
            Invalid,
            "\"#{BASE_URL} /oauth/v2/oauth-anonymous\"",
            "blanks",
        ),
        (
            "\"MACHINE_SECRET\"",
            "\"a-b\"",
            Invalid,
            "\"a-b\"",
            "can't name a parameter",
        ),
        (
            "secret = \"MACHINE_SECRET\"\n",
            "",
            Invalid,
            "\"machine\"",
            "`client_credentials` needs one",
        ),
        (
            "secret = \"WEB_SECRET\"\n",
            "",
            Invalid,
            "\"web\"",
            "has no `secret` to authenticate with",
        ),
        ("\"post\"", "\"none\"", Invalid, "\"web\"", "does not authenticate"),
        ("\"post\"", "\"pots\"", Invalid, "\"pots\"", "did you mean `post`?"),
        (
            "\"refresh_token\"",
            "\"refresh\"",
            Invalid,
            "\"refresh\"",
            "`refresh` is no grant",
        ),
        (
            "id = \"web\"",
            "id = \"machine\"",
            Invalid,
            "\"machine\"",
            "two clients have the id",
        ),
        (
            "introspect = true",
            "introspekt = true",
            Key,
            "introspekt",
            "did you mean `introspect`?",
        ),
    ]
};

#[test]
fn each_mistake_has_its_code_its_place_and_its_mend() {
    for (from, to, code, place, says) in CASES {
        assert!(FULL.contains(from), "{from}");
        let found = load(&FULL.replacen(from, to, 1)).expect_err(to);
        let fits = found.iter().any(|problem| {
            problem.code == *code
                && problem.labels.first().is_some_and(|label| label.span.text() == *place)
                && (problem.message.contains(says) || problem.help.iter().any(|help| help.contains(says)))
        });
        assert!(fits, "`{from}` -> `{to}`: {found:#?}");
    }
}

#[test]
fn the_suite_oidc_needs_an_issuer() {
    let found = load("[stage.test]\nkind = \"engine\"\nsuite = \"oidc\"\n").expect_err("refused");
    assert!(found[0].message.contains("needs to know the issuer"), "{found:#?}");
    assert!(found[0].help[0].contains("[oidc]"));
}

#[test]
fn the_suite_oidc_needs_a_client() {
    let text = "[stage.test]\nkind = \"engine\"\nsuite = \"oidc\"\n[oidc]\nissuer = \"https://a.example\"\n";
    let found = load(text).expect_err("refused");
    assert!(found[0].message.contains("no client"), "{found:#?}");
    assert!(found[0].help[0].contains("[[oidc.client]]"), "{found:#?}");
}

#[test]
fn a_static_test_has_no_suite_that_needs_a_server() {
    for suite in ["boot", "oidc"] {
        let found = load(&format!("test = {{ suite = \"{suite}\" }}\n")).expect_err(suite);
        assert!(found[0].message.contains("needs a server that runs"), "{found:#?}");
        assert_eq!(found[0].labels[0].span.text(), format!("\"{suite}\""));
        assert_eq!(found[0].help, ["write `kind = \"engine\"`"]);
    }
    assert!(load("test = { suite = \"smoke\" }\n").is_ok());
}

#[test]
fn a_static_test_has_no_suite_that_the_profile_probes() {
    let folder = Folder::new();
    folder.write(
        "servers/own.toml",
        "name = \"own\"\ntitle = \"Own\"\nformat = \"text\"\nports = [{ name = \"web\", port = 80 }]\n\
         [config]\nfolder = \"/c\"\nuid = 1\ngid = 1\nreplace = true\nsubfolders = true\n\
         [placeholder]\nopen = \"${\"\nclose = \"}\"\n\
         [[probe]]\nname = \"up\"\nsuite = \"pages\"\nport = 80\npath = \"/\"\n",
    );
    let minimal = MINIMAL.replace("curity", "own");
    folder.write(PROJECT_FILE, &format!("{minimal}test = {{ suite = \"pages\" }}\n"));
    let found = Project::load(folder.path()).expect_err("refused");
    assert!(found[0].message.contains("suite `pages` needs a server"), "{found:#?}");
    // A stage need not run all that the profile offers.
    folder.write(PROJECT_FILE, &format!("{minimal}test = {{ kind = \"engine\" }}\n"));
    assert!(Project::load(folder.path()).is_ok());
}

#[test]
fn a_provider_that_no_engine_starts_is_told() {
    let found = load("[oidc]\nissuer = \"https://a.example\"\n").expect_err("refused");
    assert!(found[0].message.contains("no stage starts the server"), "{found:#?}");
    let text = "test = { kind = \"engine\" }\n[oidc]\nissuer = \"https://a.example\"\n";
    assert!(load(text).is_ok(), "probes are asked as the issuer");
}

#[test]
fn all_problems_come_at_once() {
    let text = FULL
        .replacen("\"e2e\", ", "\"smoke\", ", 1)
        .replacen("status = 302", "status = 20", 1)
        .replacen("exec:npx", "npx", 1)
        .replacen("\"MACHINE_SECRET\"", "\"a-b\"", 1);
    let found = load(&text).expect_err("refused");
    assert!(found.len() >= 4, "{found:#?}");
}
