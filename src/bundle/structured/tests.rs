use std::sync::LazyLock;

use proptest::prelude::*;

use crate::bundle::testing::findings;
use crate::bundle::{Bundle, Node, diff};
use crate::diagnostic::{Code, Diagnostic, Source};
use crate::profile::ServerProfile;

/// Read once: a profile has a hundred patterns, and a property is tried on hundreds of texts.
static PROFILE: LazyLock<ServerProfile> = LazyLock::new(|| {
    let mut profile = ServerProfile::built_in("generic").expect("built in");
    profile.tree.keys = vec!["id".to_owned(), "name".to_owned()];
    profile.secrets.truncate(4);
    profile.changes.clear();
    profile
});

fn read(files: &[(&str, &str)]) -> (Bundle, Vec<Diagnostic>) {
    let files = files.iter().map(|(path, text)| Source::new(*path, *text)).collect();
    Bundle::read(files, &PROFILE)
}

/// Every leaf as `path = value`.
fn leaves(path: &str, text: &str) -> Vec<String> {
    let (bundle, diagnostics) = read(&[(path, text)]);
    assert_eq!(findings(&diagnostics), [""; 0], "{text}");
    told(&bundle)
}

fn told(bundle: &Bundle) -> Vec<String> {
    bundle.tree().leaves().map(|leaf| line(&leaf)).collect()
}

fn line(leaf: &Node<'_>) -> String {
    format!("{} = {}", leaf.path(), leaf.value())
}

#[test]
fn json_yaml_and_toml_are_one_tree() {
    let json = r#"{"port": 8443, "on": true, "none": null, "clients": [
        {"id": "a", "uris": ["x", "y\"\u00e9"], "more": {}}, {"uris": [], "id": "b"}], "t": {"u": "v"}}"#;
    let yaml = "port: 8443\non: true\nnone:\nclients: # all\n- id: a\n  uris: [x, \"y\\\"\\u00e9\"]\n  more: {}\n- uris: []\n  id: 'b'\nt:\n  u: v\n";
    let toml = "port = 8443\non = true\n[[clients]]\nid = \"a\"\nuris = [\"x\", \"y\\\"\\u00e9\"]\n[clients.more]\n[[clients]]\nuris = []\nid = 'b'\n[t]\nu = \"v\"\n";
    let expected = [
        "/port = 8443",
        "/on = true",
        "/none = ",
        "/clients[a]/id = a",
        "/clients[a]/uris = x",
        "/clients[a]/uris = y\"é",
        "/clients[a]/more = ",
        "/clients[b]/uris = ",
        "/clients[b]/id = b",
        "/t/u = v",
    ];
    assert_eq!(leaves("a.json", json), expected);
    assert_eq!(leaves("a.yaml", yaml), expected);
    let without_null: Vec<_> = expected.into_iter().filter(|line| !line.contains("none")).collect();
    assert_eq!(leaves("a.toml", toml), without_null);
}

#[test]
fn a_file_may_be_an_array_or_a_scalar_or_several_documents() {
    assert_eq!(
        leaves("a.json", r#"[{"id": "a", "x": 1}, [2, [3]], "s"]"#),
        [
            "/item[a]/id = a",
            "/item[a]/x = 1",
            "/item/item = 2",
            "/item/item/item = 3",
            "/item = s"
        ]
    );
    assert_eq!(leaves("a.json", " \"s\" "), ["/ = s"]);
    assert_eq!(leaves("a.yaml", "a: 1\n---\na: 2\n"), ["/a = 1", "/a = 2"]);
    assert_eq!(leaves("a.yaml", "# nothing\n"), [""; 0]);
    assert_eq!(leaves("a.toml", ""), ["/ = "]);
    assert_eq!(leaves("a.json", "[]"), ["/ = "]);
}

#[test]
fn an_array_without_items_is_told_from_one_with_them() {
    let (bundle, _) = read(&[("a.json", r#"{"a": [], "b": [1], "c": {}, "d": [[]]}"#)]);
    let empty: Vec<_> = bundle
        .tree()
        .leaves()
        .map(|leaf| (leaf.name(), leaf.is_empty_list(), leaf.is_leaf_list()))
        .collect();
    assert_eq!(
        empty,
        [
            ("a", true, false),
            ("b", false, true),
            ("c", false, false),
            ("d", true, false)
        ]
    );
}

#[test]
fn yaml_is_read_as_written() {
    let text = "plain: a b # no\nfolded: one\n  two\n\n  three\nsingle: 'it''s\n  so'\ndouble: \"a\\tb\\\n  c\n\n  d\"\n\
                literal: |\n  x\n   y\n\n  z\n\nstripped: >-\n  one\n  two\n\n  three\nkept: |+ # c\n  k\n\nindented: |2\n   i\n\
                tagged: !!str &anchor 'tag'   # c\nalias: *anchor\n<<: *anchor\n? [a, b]\n: complex\nempty: \"\"\nlast: >\n  end";
    let expected = [
        ("plain", "a b"),
        ("folded", "one two\nthree"),
        ("single", "it's so"),
        ("double", "a\tbc\nd"),
        ("literal", "x\n y\n\nz\n"),
        ("stripped", "one two\nthree"),
        ("kept", "k\n\n"),
        ("indented", " i\n"),
        ("tagged", "tag"),
        ("alias", "*anchor"),
        ("<<", "*anchor"),
        ("[a, b]", "complex"),
        ("empty", ""),
        ("last", "end\n"),
    ];
    let (bundle, diagnostics) = read(&[("a.yaml", text)]);
    assert_eq!(findings(&diagnostics), [""; 0]);
    let read: Vec<_> = bundle
        .tree()
        .leaves()
        .map(|leaf| (leaf.name(), leaf.value().into_owned()))
        .collect();
    let read: Vec<_> = read.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(read, expected);
    let alias = bundle.tree().leaves().nth(9).expect("a leaf");
    assert!(alias.has_placeholder(), "what it is, stands elsewhere");
}

#[test]
fn toml_tables_in_pieces_are_one() {
    let text =
        "a.b = 1\n[x.y]\nz = '''\nl'''\n[other]\nk = 2\n[x]\nw = \"\"\"\nm \\\n  n\"\"\"\n\"q r\" = {i = [1, 2]}\n";
    assert_eq!(
        leaves("a.toml", text),
        [
            "/a/b = 1",
            "/other/k = 2",
            "/x/y/z = l",
            "/x/w = m n",
            "/x/q r/i = 1",
            "/x/q r/i = 2"
        ]
    );
    let (bundle, _) = read(&[("a.toml", text)]);
    let at = |needle: &str| {
        bundle
            .tree()
            .leaf_at(0, text.find(needle).expect("there"))
            .map(|leaf| leaf.path())
    };
    assert_eq!(at("2\n[x]").as_deref(), Some("/other/k"));
    assert_eq!(at("m \\").as_deref(), Some("/x/w"));
    assert_eq!(at("[other]"), None);
}

#[test]
fn placeholders_know_their_elements_wherever_they_stand() {
    for (path, text) in [
        (
            "a.json",
            "{\"c\": [{\"id\": \"a\", \"s\": \"${S}\", \"n\": ${N:-1}, \"u\": \"h://${H}${P}/\"}]}",
        ),
        (
            "a.yaml",
            "c:\n- id: a\n  s: ${S}\n  n: '${N:-1}'\n  u: h://${H}${P}/ # ${NOT}\n",
        ),
        (
            "a.toml",
            "[[c]]\nid = 'a'\ns = '${S}'\nn = ${N:-1}\nu = \"h://${H}${P}/\"\n",
        ),
    ] {
        let (bundle, diagnostics) = read(&[(path, text)]);
        let unexpected: Vec<_> = diagnostics
            .iter()
            .filter(|found| found.code != Code::PlaceholderUnclear)
            .collect();
        assert!(unexpected.is_empty(), "{unexpected:?}");
        let places: Vec<_> = bundle
            .parameters()
            .iter()
            .map(|(name, uses)| format!("{name} {} {}", bundle.path(&uses[0]), bundle.span(&uses[0]).text()))
            .collect();
        assert_eq!(
            places,
            [
                "H /c[a]/u ${H}",
                "N /c[a]/n ${N:-1}",
                "P /c[a]/u ${P}",
                "S /c[a]/s ${S}"
            ],
            "{path}"
        );
        let secret = bundle
            .tree()
            .find(&"c/s".parse().expect("a pattern"))
            .next()
            .expect("there");
        assert_eq!((secret.written(), secret.has_placeholder()), ("${S}", true));
        assert_eq!(bundle.default(&bundle.parameters()["N"][0]).as_deref(), Some("1"));
    }
}

#[test]
fn a_placeholder_in_a_comment_is_no_use() {
    let (bundle, diagnostics) = read(&[
        ("a.yaml", "a: b # ${X}\n# ${Y}\nc: ${Y}#${Z}\n"),
        ("b.toml", "a = 1 # ${W}"),
    ]);
    let names: Vec<_> = bundle.parameters().keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["Y", "Z"]);
    assert_eq!(
        findings(&diagnostics),
        ["placeholder-unclear a.yaml:1:8", "placeholder-unclear b.toml:1:9"]
    );
}

#[test]
fn what_is_not_well_formed_is_told_with_its_place() {
    for (path, text, expected) in [
        ("a.json", "{\"a\": 1,}", "json-malformed a.json:1:9"),
        ("a.json", "{'a': 1}", "json-malformed a.json:1:2"),
        ("a.json", "{\"a\": 01}", "json-malformed a.json:1:7"),
        ("a.json", "{\"a\": \"b\n\"}", "json-malformed a.json:1:7"),
        ("a.json", "{\"a\": [1, 2", "json-malformed a.json:1:7"),
        ("a.json", "{} x", "json-malformed a.json:1:4"),
        ("a.json", "", "json-malformed a.json:1:1"),
        ("a.json", "// c\n{}", "json-malformed a.json:1:1"),
        ("a.json", "{\"a\": \"\\q\"}", "json-malformed a.json:1:8"),
        ("a.json", "\u{feff}{}", "json-malformed a.json:1:1"),
        ("a.yaml", "a: b: c\n", "yaml-malformed a.yaml:1:5"),
        ("a.yaml", "é: *none\n", "yaml-malformed a.yaml:1:4"),
        ("a.toml", "a = 1\na = 2\n", "toml-malformed a.toml:2:1"),
        ("a.toml", "a = b\n", "toml-malformed a.toml:1:5"),
    ] {
        let (bundle, diagnostics) = read(&[(path, text)]);
        assert_eq!(findings(&diagnostics), [expected], "{text}");
        assert!(!bundle.tree().is_complete());
        assert_eq!(bundle.tree().roots().count(), 0);
    }
    // What comes after an error asks for its parameters all the same.
    let (bundle, _) = read(&[("a.json", "{\"a\": 1,}\n\"${X}\"")]);
    assert!(bundle.parameters().contains_key("X"));
}

#[test]
fn members_stand_once() {
    let (_, found) = read(&[(
        "a.json",
        r#"{"a": {"s": 1, "t": [1], "s": 2}, "s": 3, "t": [{"s": 1}, {"s": 1}]}"#,
    )]);
    assert_eq!(findings(&found), ["duplicate-key a.json:1:26"]);
    assert!(found[0].message.contains("`s`") && found[0].labels.len() == 2);
    let (_, found) = read(&[
        ("a.yaml", "a: 1\nb: 2\na: 3\n"),
        ("b.json", r#"{"${A}": 1, "${B}": 2}"#),
    ]);
    assert_eq!(findings(&found), ["duplicate-key a.yaml:3:1"]);
}

#[test]
fn bounds_hold() {
    for (path, text) in [
        ("a.json", "[".repeat(100_000)),
        ("a.json", "{\"a\":".repeat(100_000)),
        ("a.yaml", "[".repeat(20_000)),
        ("a.yaml", "- ".repeat(2_000)),
        ("a.toml", format!("a = {}", "[".repeat(100_000))),
        ("a.toml", format!("a{} = 1", ".a".repeat(100_000))),
    ] {
        let (_, found) = read(&[(path, &text)]);
        assert_eq!(found.len(), 1, "{path}");
        assert!(
            found[0].code.as_str().ends_with("-malformed"),
            "{path} {}",
            found[0].code
        );
    }
    let laughs = (1..30).fold("a0: &a0 x\n".to_owned(), |text, n| {
        let last = n - 1;
        format!("{text}a{n}: &a{n} [*a{last}, *a{last}, *a{last}, *a{last}, *a{last}]\n")
    });
    let (bundle, found) = read(&[("a.yaml", &laughs)]);
    assert_eq!((found.len(), bundle.tree().size()), (0, 1 + 1 + 29 * 5));
}

#[test]
fn an_export_of_several_realms_is_several_roots() {
    let keycloak = ServerProfile::built_in("keycloak").expect("built in");
    let text = r#"[{"realm": "a", "clients": [{"clientId": "x"}]}, {"clients": [{"clientId": "x"}], "realm": "b"}]"#;
    let (bundle, found) = Bundle::read(vec![Source::new("all.json", text)], &keycloak);
    assert_eq!(findings(&found), [""; 0]);
    let pattern = "clients".parse().expect("a pattern");
    let paths: Vec<_> = bundle.tree().find(&pattern).map(|client| client.path()).collect();
    assert_eq!(paths, ["/realm[a]/clients[x]", "/realm[b]/clients[x]"]);
}

/// Every change as `kind subject path severity before after`.
fn changes(server: &str, before: &[(&str, &str)], after: &[(&str, &str)]) -> Vec<String> {
    let profile = ServerProfile::built_in(server).expect("built in");
    let bundle = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(path, text)| Source::new(*path, *text)).collect();
        let (bundle, found) = Bundle::read(files, &profile);
        assert_eq!(findings(&found), [""; 0]);
        bundle
    };
    let changes = diff(&bundle(before), &bundle(after)).into_iter();
    changes
        .map(|change| {
            let value = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            format!(
                "{} {} {} {} {} {}",
                change.kind.as_str(),
                change.subject,
                change.path,
                change.severity.as_str(),
                value(change.before),
                value(change.after)
            )
        })
        .collect()
}

#[test]
fn a_realm_is_compared_in_its_own_terms() {
    let before = r#"{"realm": "shop", "sslRequired": "external", "clients": [
        {"clientId": "a", "redirectUris": ["https://a", "https://b"], "secret": "${S}", "enabled": true},
        {"clientId": "b", "webOrigins": []}]}"#;
    let after = r#"{"clients": [
        {"clientId": "b", "webOrigins": ["https://x"], "redirectUris": []},
        {"enabled": true, "clientId": "a", "redirectUris": ["https://b", "http://c"], "secret": "${T}"}],
        "sslRequired": "none", "realm": "shop"}"#;
    let expected = [
        "added client `b` /realm[shop]/clients[b]/webOrigins behaviour - https://x",
        "added client `b` /realm[shop]/clients[b]/redirectUris behaviour - ",
        "added client `a` /realm[shop]/clients[a]/redirectUris security - http://c",
        "changed client `a` /realm[shop]/clients[a]/secret breaking ${S} ${T}",
        "removed client `a` /realm[shop]/clients[a]/redirectUris breaking https://a -",
        "changed realm `shop` /realm[shop]/sslRequired security external none",
    ];
    // A realm is the same whatever its file is called, and beside others.
    let other = r#"{"realm": "other", "clients": [{"clientId": "a"}]}"#;
    assert_eq!(
        changes("keycloak", &[("a.json", before)], &[("b.json", after)]),
        expected
    );
    let two = [("o.json", other), ("b.json", after)];
    assert_eq!(
        changes("keycloak", &[("a.json", before), ("o.json", other)], &two),
        expected
    );
    assert_eq!(changes("keycloak", &two, &two), [""; 0]);
}

#[test]
fn files_of_a_project_meet_those_of_an_image() {
    let clients = "clients:\n- client_id: a\n  port: 1\n";
    let project = [
        ("config/clients/apps.yaml", clients),
        ("config/apps.yaml", "issuer: x\n"),
    ];
    let same = "clients:\n- {port: \"1\", client_id: 'a'}\n";
    let image = [("apps.yaml", "issuer: x\n"), ("clients/apps.yaml", same)];
    assert_eq!(changes("generic", &project, &image), [""; 0]);
    let renamed = r#"{"clients": [{"client_id": "a", "port": 2}]}"#;
    let renamed = [("apps.yaml", "issuer: x\n"), ("clients/all.json", renamed)];
    assert_eq!(
        changes("generic", &project, &renamed),
        ["changed client `a` /clients[a]/port behaviour 1 2"]
    );
}

#[test]
fn entries_of_one_key_are_told_where_the_profile_knows_the_list() {
    let keycloak = ServerProfile::built_in("keycloak").expect("built in");
    let text =
        r#"{"realm": "a", "clients": [{"clientId": "x"}, {"clientId": "x"}], "other": [{"id": "1"}, {"id": "1"}]}"#;
    let (_, found) = Bundle::read(vec![Source::new("a.json", text)], &keycloak);
    assert_eq!(findings(&found), ["duplicate-key a.json:1:47"]);
}

#[test]
fn spans_point_at_the_scalar_and_at_the_key() {
    let (bundle, _) = read(&[("a.yaml", "\"a b\": 'x'\nc:\n  - d: e\n    f: \"\"\n")]);
    let spans: Vec<_> = bundle
        .tree()
        .leaves()
        .map(|leaf| leaf.text_span().text().to_owned())
        .collect();
    assert_eq!(spans, ["x", "e", "f"]);
    let c = bundle
        .tree()
        .find(&"c".parse().expect("a pattern"))
        .next()
        .expect("there");
    assert_eq!((c.tag_span().text(), c.span().text()), ("d: e", "d: e\n    f: \"\""));
}

proptest! {
    /// Whatever the text: no panic, and every place lies on characters of the text.
    #[test]
    fn rubbish_is_survived(
        parts in proptest::collection::vec(
            "(\\$\\{[AB]\\}|\\$\\{A:-x\"\\}|[{}\\[\\],:]|\"|'|- |\n|\n  |# |a|b: |\\\\|é|&a |\\*a|!!t |\\||>|=|\\[\\[a\\]\\]\n|1|\"x\"|---\n|\\? |\t|%|0)", 0..24),
        ending in "(json|yaml|toml)",
    ) {
        let text = parts.concat();
        let (bundle, diagnostics) = read(&[(&format!("a.{ending}"), &text)]);
        let source = &bundle.files()[0];
        for index in 0..bundle.tree().size() {
            let node = bundle.tree().at(0, index as u32).expect("there");
            for span in [node.span(), node.text_span(), node.tag_span()] {
                prop_assert!(text.get(span.range.clone()).is_some(), "{:?} of {:?}", span.range, text);
            }
            let _ = (node.value(), node.path(), bundle.literal_text(&node));
        }
        for place in bundle.parameters().values().flatten() {
            let is_one = bundle.span(place).text().starts_with("${");
            prop_assert!(is_one);
        }
        for label in diagnostics.iter().flat_map(|found| &found.labels) {
            prop_assert!(source.text().get(label.span.range.clone()).is_some());
        }
        let _ = bundle.fill(&|_| Some("a: \"b'\n"));
    }

    /// Scalars of YAML mean what the parser says they mean.
    #[test]
    fn yaml_scalars_are_decoded_as_the_library_does(
        parts in proptest::collection::vec("(a|b c|''|\\\\n|\\\\x41|\n  |\n\n  |\n   x|\\\\\n  | |é|\\\\\\\\|\t)", 0..8),
        style in "('|\"|\\|\n  |>\n  |>-\n  |\\|\\+\n  |)",
    ) {
        use saphyr_parser::{Event, Parser};
        let close = if style.len() == 1 { style.as_str() } else { "" };
        let text = format!("k: {style}{}{close}\nz: 1\n", parts.concat());
        let scalars: Option<Vec<String>> = Parser::new_from_str(&text)
            .map(|event| event.ok().map(|(event, _)| event))
            .collect::<Option<Vec<_>>>()
            .map(|events| events.into_iter().filter_map(|event| match event {
                Event::Scalar(value, ..) => Some(value.into_owned()),
                _ => None,
            }).collect());
        prop_assume!(scalars.as_ref().is_some_and(|scalars| scalars.len() == 4));
        let value = scalars.expect("some").remove(1);
        let (bundle, _) = read(&[("a.yaml", &text)]);
        let leaf = bundle.tree().leaves().next().expect("a leaf");
        prop_assert_eq!(leaf.value(), value, "{:?}", text);
    }

    /// What is filled in is read back, whatever it holds and wherever it stands.
    #[test]
    fn filled_values_are_read_back(value in "[a-c:#'\" \\\\\n,{}\\[\\]é\t|>*&!%@`~=-]{0,8}") {
        for (path, text) in [
            ("a.json", "{\"a\": \"${V}\", \"b\": \"x${V}y\"}"),
            ("a.yaml", "a: ${V}\nb: x${V}y\nc: '${V}'\nd: \"${V}\"\ne: ['x${V}', ${V}]\n"),
            ("a.toml", "a = \"${V}\"\nb = 'x${V}y'\nc = \"\"\"${V}\"\"\"\nd = '''x${V}'''\n"),
        ] {
            let (bundle, found) = read(&[(path, text)]);
            prop_assert_eq!(findings(&found), [""; 0]);
            let filled = bundle.fill(&|_| Some(&value));
            let Ok(filled) = filled else { return Err(TestCaseError::fail(format!("{filled:?}"))) };
            let expected: Vec<_> = bundle.tree().leaves().map(|leaf| leaf.value().replace("${V}", &value)).collect();
            let read: Vec<_> = filled.tree().leaves().map(|leaf| leaf.value().into_owned()).collect();
            let file = filled.files().next().expect("a file").1.to_owned();
            prop_assert_eq!(read, expected, "{:?}", file);
        }
    }

    /// A placeholder filled with itself changes nothing.
    #[test]
    fn identity(parts in proptest::collection::vec("(a: |\\$\\{[AB]\\}|'\\$\\{A\\}'|x|\n|\n- |  |\"|é)", 0..12), ending in "(yaml|json|toml|txt)") {
        let text = parts.concat();
        let (bundle, diagnostics) = read(&[(&format!("a.{ending}"), &text)]);
        prop_assume!(diagnostics.is_empty());
        // `${A}` is no plain text of YAML in its own right, so what stands for it is.
        let filled = bundle.fill(&|name| Some(if name.as_str() == "A" { "1000" } else { "1001" })).expect("filled");
        let expected = text.replace("${A}", "1000").replace("${B}", "1001");
        prop_assert_eq!(filled.files().next().expect("a file").1, expected);
    }
}
