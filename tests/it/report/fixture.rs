//! Pages of every kind: an ordinary one, a hostile one, a large one.

use iamship::bundle::{Change, ChangeKind, Impact, Subject};
use iamship::report::page::{
    Act, ActKind, Application, Arriving, Cell, Changes, Expiry, Gate, Given, Judged, Matrix, Page, Part, Running,
    Setting, Stage, Step, Test, Trail,
};
use jiff::{SignedDuration, Timestamp};

/// When the pages were made.
pub(super) fn now() -> Timestamp {
    "2026-11-24T18:30:00Z".parse().expect("a time")
}

pub(super) fn hours_ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

fn digest(seed: &str) -> String {
    iamship::image::Digest::of(seed.as_bytes()).to_string()
}

fn test(suite: &str, passed: bool, stale: Option<bool>, hours: i64) -> Test {
    Test {
        suite: suite.to_owned(),
        passed,
        at: hours_ago(hours),
        stale,
    }
}

fn stage(name: &str, version: &str, hours: i64, by: &str, tests: Vec<Test>) -> Stage {
    Stage {
        name: name.to_owned(),
        repository: "registry.example.com/iam/idsvr".to_owned(),
        tag: name.to_owned(),
        running: Some(Running {
            digest: digest(version),
            version: Some(version.to_owned()),
            since: Some(hours_ago(hours)),
            by: Some(by.to_owned()),
            signed: true,
            tests,
        }),
        alarms: Vec::new(),
        notes: Vec::new(),
    }
}

fn gate(name: &str, because: &str) -> Gate {
    Gate {
        name: name.to_owned(),
        holds: false,
        because: because.to_owned(),
        help: Vec::new(),
    }
}

fn holding(name: &str, because: &str, help: &str) -> Gate {
    Gate {
        holds: true,
        help: vec![help.to_owned()],
        ..gate(name, because)
    }
}

fn passing() -> Vec<Gate> {
    vec![
        gate("order", "staging follows dev"),
        gate("signed", "keys/iamship.pub signed it"),
        gate("provenance", "built from commit 4f1c2aa"),
        gate("not-rejected", "nobody rejected it"),
        gate("tested", "`static` and `oidc` passed with the values of now"),
        gate("values", "every setting has a value that fits"),
        gate("freeze", "no freeze is on"),
    ]
}

fn change(kind: ChangeKind, severity: Impact, subject: (&str, &str), leaf: &str, values: (&str, &str)) -> Change {
    let shown = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
    let (what, id) = subject;
    Change {
        kind,
        subject: Subject {
            what: what.to_owned(),
            id: id.to_owned(),
        },
        path: format!("/profiles/profile[token-service]/settings/{what}-store/{what}[{id}]/{leaf}"),
        severity,
        because: None,
        whole: false,
        before: shown(values.0),
        after: shown(values.1),
        secret: false,
        before_span: None,
        after_span: None,
    }
}

fn changes() -> Vec<Change> {
    use ChangeKind::{Added, Changed, Removed};
    let web = ("client", "web-client");
    let mut removed = change(
        Removed,
        Impact::Breaking,
        web,
        "redirect-uris",
        ("https://shop.example.com/cb", ""),
    );
    removed.because = Some("logins that come back to this address fail".to_owned());
    let mut secret = change(Changed, Impact::Security, ("client", "batch-job"), "secret", ("", ""));
    secret.secret = true;
    vec![
        removed,
        change(
            Added,
            Impact::Behaviour,
            web,
            "redirect-uris",
            ("", "https://shop.example.com/oauth/callback"),
        ),
        change(Changed, Impact::Behaviour, web, "access-token-ttl", ("300", "600")),
        secret,
        change(
            Added,
            Impact::Security,
            ("client", "partner-portal"),
            "capabilities/implicit",
            ("", "true"),
        ),
        change(
            Changed,
            Impact::Cosmetic,
            ("client", "kiosk"),
            "description",
            ("Kiosk in the hall", "Kiosks"),
        ),
        change(
            Added,
            Impact::Behaviour,
            ("scope", "orders:read"),
            "claims",
            ("", "customer_id"),
        ),
    ]
}

fn arriving(version: &str, author: &str, hours: i64) -> Arriving {
    Arriving {
        version: version.to_owned(),
        commit: Some(digest(version)[7..14].to_owned()),
        author: Some(author.to_owned()),
        at: Some(hours_ago(hours)),
    }
}

fn cell(given: Given, group: &str) -> Cell {
    Cell {
        given,
        group: Some(group.to_owned()).filter(|group| !group.is_empty()),
        marks: Vec::new(),
    }
}

fn setting(name: &str, kind: &str, secret: bool, cells: [Cell; 3]) -> Setting {
    Setting {
        name: name.to_owned(),
        kind: kind.to_owned(),
        secret,
        cells: cells.into(),
    }
}

fn matrix() -> Matrix {
    use Given::{Default, Missing, Secret, Value};
    let mut password = setting(
        "DB_PASSWORD",
        "text",
        true,
        [cell(Secret, "A"), cell(Secret, "B"), cell(Secret, "B")],
    );
    password.cells[1].marks.push("same secret as prod".to_owned());
    password.cells[2].marks.push("same secret as staging".to_owned());
    Matrix {
        stages: ["dev", "staging", "prod"].map(str::to_owned).to_vec(),
        settings: vec![
            setting(
                "BASE_URL",
                "url",
                false,
                [cell(Value, "A"), cell(Value, "B"), cell(Value, "C")],
            ),
            password,
            setting(
                "LOG_LEVEL",
                "text",
                false,
                [cell(Value, "A"), cell(Default, "B"), cell(Default, "B")],
            ),
            setting(
                "SMTP_HOST",
                "host",
                false,
                [cell(Value, "A"), cell(Value, "A"), cell(Missing, "")],
            ),
            setting(
                "SIGNING_KEY",
                "PKCS#12",
                true,
                [cell(Secret, "A"), cell(Secret, "B"), cell(Secret, "C")],
            ),
        ],
    }
}

fn expiry(what: &str, setting: &str, stages: &[&str], days: i64) -> Expiry {
    Expiry {
        what: what.to_owned(),
        setting: setting.to_owned(),
        stages: stages.iter().map(|stage| (*stage).to_owned()).collect(),
        at: now() + SignedDuration::from_hours(days * 24 + 5),
    }
}

fn act(kind: ActKind, stage: &str, version: &str, hours: i64, by: &str, why: &str) -> Act {
    Act {
        kind,
        stage: Some(stage.to_owned()),
        from: None,
        version: version.to_owned(),
        at: hours_ago(hours),
        by: by.to_owned(),
        signer: "keys/iamship.pub".to_owned(),
        why: Some(why.to_owned()).filter(|why| !why.is_empty()),
    }
}

fn acts() -> Vec<Act> {
    use ActKind::{Approved, Entered, Promoted, Rejected, RolledBack, TestFailed, TestPassed};
    let mut acts = vec![
        act(TestPassed, "dev", "11.3.1-7be01d9a2c44", 2, "pipeline", "static"),
        act(Entered, "dev", "11.3.1-7be01d9a2c44", 3, "pipeline", ""),
        act(
            TestFailed,
            "staging",
            "11.3.1-c0ffee12ab90",
            20,
            "pipeline",
            "oidc: 1 of 14 failed",
        ),
        act(TestPassed, "staging", "11.3.1-c0ffee12ab90", 21, "pipeline", "static"),
        act(
            Promoted,
            "staging",
            "11.3.1-c0ffee12ab90",
            22,
            "Grace Hopper",
            "from dev",
        ),
        act(
            Approved,
            "prod",
            "11.3.1-5a11d0c3f7e8",
            290,
            "Ada Lovelace",
            "release of the autumn",
        ),
        act(
            Promoted,
            "prod",
            "11.3.1-5a11d0c3f7e8",
            288,
            "Ada Lovelace",
            "from staging",
        ),
        act(
            Rejected,
            "prod",
            "11.3.1-dead00beef11",
            700,
            "Grace Hopper",
            "logins of partners fail",
        ),
        act(
            RolledBack,
            "prod",
            "11.3.1-0123456789ab",
            702,
            "Ada Lovelace",
            "back from 11.3.1-dead00beef11",
        ),
        act(
            Promoted,
            "prod",
            "11.3.1-dead00beef11",
            705,
            "Grace Hopper",
            "from staging",
        ),
    ];
    acts.sort_by_key(|act| std::cmp::Reverse(act.at));
    acts
}

/// Three stages: something is ready, something is held, a certificate ends.
pub(super) fn ordinary() -> Page {
    let tests = |hours| {
        vec![
            test("static", true, Some(false), hours),
            test("oidc", true, Some(false), hours),
        ]
    };
    let mut staging_tests = tests(21);
    staging_tests[1].passed = false;
    let held = [
        holding(
            "tested",
            "`oidc` failed in staging 20 hours ago",
            "iamship test staging",
        ),
        holding(
            "approved",
            "1 of 2 approvals for prod are there",
            "iamship approve 11.3.1-c0ffee12ab90 --for prod",
        ),
    ];
    Page {
        project: "shop-login".to_owned(),
        server: "Curity Identity Server".to_owned(),
        made: now(),
        program: "0.1.0".to_owned(),
        stages: vec![
            stage("dev", "11.3.1-7be01d9a2c44", 3, "pipeline", tests(2)),
            stage("staging", "11.3.1-c0ffee12ab90", 22, "Grace Hopper", staging_tests),
            stage("prod", "11.3.1-5a11d0c3f7e8", 288, "Ada Lovelace", tests(280)),
        ],
        steps: vec![
            Step {
                from: "dev".to_owned(),
                to: "staging".to_owned(),
                waiting: 1,
                judged: Part::Known(Some(Judged {
                    digest: digest("7"),
                    version: Some("11.3.1-7be01d9a2c44".to_owned()),
                    is_there: false,
                    newer: None,
                    gates: passing(),
                })),
                versions: vec![arriving("11.3.1-7be01d9a2c44", "Ada Lovelace", 3)],
                changes: Part::Known(Changes::new(&changes()[5..])),
                applications: Vec::new(),
            },
            Step {
                from: "staging".to_owned(),
                to: "prod".to_owned(),
                waiting: 2,
                judged: Part::Known(Some(Judged {
                    digest: digest("c"),
                    version: Some("11.3.1-c0ffee12ab90".to_owned()),
                    is_there: false,
                    newer: None,
                    gates: passing().into_iter().chain(held).collect(),
                })),
                versions: vec![
                    arriving("11.3.1-c0ffee12ab90", "Grace Hopper", 30),
                    arriving("11.3.1-91aa00bb22cc", "Ada Lovelace", 120),
                ],
                changes: Part::Known(Changes::new(&changes())),
                applications: vec![
                    Application {
                        name: "web-client".to_owned(),
                        owners: vec!["@team-web".to_owned()],
                    },
                    Application {
                        name: "batch-job".to_owned(),
                        owners: vec!["@team-data".to_owned()],
                    },
                ],
            },
        ],
        settings: Part::Known(matrix()),
        expiries: Part::Known(vec![
            expiry("certificate CN=login.shop.example", "TLS_CERT", &["prod"], 12),
            expiry(
                "certificate CN=login.staging.shop.example",
                "TLS_CERT",
                &["staging"],
                26,
            ),
            expiry(
                "certificate CN=partner-idp",
                "PARTNER_CERT",
                &["dev", "staging", "prod"],
                28,
            ),
            expiry("signing key shop-2026", "SIGNING_KEY", &["prod"], 310),
        ]),
        trail: Trail {
            acts: acts(),
            has_older: false,
        },
    }
}

/// All is the newest, tested and signed; nothing waits.
pub(super) fn quiet() -> Page {
    let mut page = ordinary();
    let newest = page.stages[0].running.clone();
    for stage in &mut page.stages {
        stage.running = newest.clone();
    }
    for step in &mut page.steps {
        step.waiting = 0;
        step.changes = Part::Known(Changes::default());
        if let Part::Known(Some(judged)) = &mut step.judged {
            judged.is_there = true;
            judged.gates = passing();
        }
    }
    page.settings = Part::Known(Matrix {
        settings: matrix().settings[..1].to_vec(),
        ..matrix()
    });
    page.expiries = Part::Known(Vec::new());
    page
}

/// Nothing has been built yet.
pub(super) fn empty() -> Page {
    let mut page = quiet();
    for stage in &mut page.stages {
        stage.running = None;
    }
    for step in &mut page.steps {
        step.judged = Part::Known(None);
        step.versions.clear();
    }
    page.trail = Trail::default();
    page
}

/// A vault did not answer, prod was moved by hand and rejected.
pub(super) fn broken() -> Page {
    let mut page = ordinary();
    let silent = "`vault:secret/shop/prod` did not answer: connection refused".to_owned();
    page.settings = Part::Unknown(silent.clone());
    page.expiries = Part::Unknown(silent.clone());
    page.steps[1].judged = Part::Unknown(silent.clone());
    page.steps[1].changes = Part::Unknown(silent);
    page.stages[2].alarms = vec![
        "was moved by something that left no record".to_owned(),
        "runs a version that somebody rejected".to_owned(),
    ];
    if let Some(running) = &mut page.stages[2].running {
        running.signed = false;
        running.by = None;
        running.since = None;
    }
    page
}

/// Texts that want to be more than text.
pub(super) const HOSTILE: &str = "</script></style><script>boom()</script><img src=http://evil.example/x onerror=boom()>\
    \" onmouseover='boom()' &amp; \u{202e}nimda\u{2066}\u{0}";

/// The same texts wherever somebody else may write one.
pub(super) fn hostile() -> Page {
    let bad = || HOSTILE.to_owned();
    let mut page = ordinary();
    page.project = bad();
    page.server = bad();
    for stage in &mut page.stages {
        stage.repository = bad();
        stage.alarms = vec![bad()];
        stage.notes = vec![bad()];
        if let Some(running) = &mut stage.running {
            running.version = Some(bad());
            running.by = Some(bad());
            running.tests[0].suite = bad();
        }
    }
    let subject = (HOSTILE, HOSTILE);
    let mut nasty = change(
        ChangeKind::Changed,
        Impact::Breaking,
        subject,
        HOSTILE,
        (HOSTILE, HOSTILE),
    );
    nasty.because = Some(bad());
    page.steps[1].changes = Part::Known(Changes::new(&[nasty]));
    page.steps[1].versions[0].author = Some(bad());
    page.steps[1].versions[0].version = bad();
    page.steps[1].applications[0].name = bad();
    page.steps[1].applications[0].owners = vec![bad()];
    if let Part::Known(Some(judged)) = &mut page.steps[1].judged {
        judged.gates[0] = holding(HOSTILE, HOSTILE, HOSTILE);
    }
    page.steps[0].changes = Part::Unknown(bad());
    if let Part::Known(matrix) = &mut page.settings {
        matrix.settings[0].name = bad();
        matrix.settings[0].kind = bad();
        matrix.settings[0].cells[0].marks = vec![bad()];
    }
    page.expiries = Part::Known(vec![expiry(HOSTILE, HOSTILE, &[HOSTILE], 3)]);
    for act in &mut page.trail.acts {
        act.version = bad();
        act.by = bad();
        act.stage = Some(bad());
        act.why = Some(bad());
    }
    page
}

/// So many stages and acts, all with something to say.
pub(super) fn large(stages: usize, acts: usize) -> Page {
    let mut page = ordinary();
    let name = |number: usize| format!("region-{number:02}");
    let (staging, held) = (page.stages[1].clone(), page.steps[1].clone());
    page.stages = (0..stages)
        .map(|number| Stage {
            name: name(number),
            tag: name(number),
            ..staging.clone()
        })
        .collect();
    page.steps = (1..stages)
        .map(|number| Step {
            from: name(number - 1),
            to: name(number),
            ..held.clone()
        })
        .collect();
    page.settings = Part::Known(Matrix {
        stages: (0..stages).map(name).collect(),
        settings: (0..60)
            .map(|number| Setting {
                name: format!("SETTING_{number}"),
                kind: "text".to_owned(),
                secret: number % 4 == 0,
                cells: (0..stages)
                    .map(|stage| cell(Given::Value, ["A", "B"][stage % 2]))
                    .collect(),
            })
            .collect(),
    });
    page.trail.acts = (0..acts)
        .map(|number| {
            let version = format!("11.3.1-{:012x}", number * 7_919);
            let stage = name(number % stages);
            act(
                ActKind::Promoted,
                &stage,
                &version,
                number as i64 * 5,
                "Grace Hopper",
                "from the region before",
            )
        })
        .collect();
    page
}
