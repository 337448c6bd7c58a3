use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::bundle::testing::{codes, config, findings, profile, read, read_as, read_contents};
use crate::profile::ServerProfile;

fn fill(bundle: &Bundle, values: &[(&str, &str)]) -> Result<Filled, Vec<Diagnostic>> {
    let values: BTreeMap<_, _> = values.iter().copied().collect();
    bundle.fill(&|name| values.get(name.as_str()).copied())
}

fn text(filled: &Filled, file: usize) -> String {
    filled.files().nth(file).expect("a file").1.to_owned()
}

fn refused(bundle: &Bundle, values: &[(&str, &str)]) -> Vec<Diagnostic> {
    fill(bundle, values).expect_err("a refusal")
}

#[test]
fn values_are_the_same_text_after_parsing() {
    let (bundle, _) = read_contents(&["<a>x#{V}y</a><b><![CDATA[#{V}]]></b><c>#{D | a &amp; b}</c><!-- #{V} -->"]);
    let value = "1 < 2 & \"]]>\" 'é'";
    let filled = fill(&bundle, &[("V", value)]).expect("filled");
    let get = |name: &str| {
        filled
            .tree()
            .find(&name.parse().unwrap())
            .next()
            .unwrap()
            .text()
            .into_owned()
    };
    assert_eq!(get("a"), format!("x{value}y"));
    assert_eq!(get("b"), value);
    assert_eq!(get("c"), "a & b");
    assert!(text(&filled, 0).contains("<!-- #{V} -->"));
    assert_eq!(format!("{filled:?}"), "Filled(…)");
}

#[test]
fn a_placeholder_without_value_and_default_is_missing() {
    let (bundle, _) = read_contents(&["<a>#{X}</a><b>#{X | d}</b><c>#{Y | d}</c>"]);
    let diagnostics = refused(&bundle, &[]);
    assert_eq!(findings(&diagnostics), ["parameter-missing 0.xml:1:52"]);
}

#[test]
fn what_breaks_only_with_these_values_points_at_the_parameterized_file() {
    let (bundle, diagnostics) = read_contents(&["<e><u>#{A}</u></e><l><id>#{B}</id></l>\n<l><id>#{C}</id></l>"]);
    assert_eq!(findings(&diagnostics), [""; 0]);
    assert!(fill(&bundle, &[("A", "s"), ("B", "1"), ("C", "2")]).is_ok());
    let diagnostics = refused(
        &bundle,
        &[("A", "longer than it was"), ("B", "hidden"), ("C", "hidden")],
    );
    assert_eq!(findings(&diagnostics), ["filled-invalid 0.xml:2:1"]);
    assert_eq!(diagnostics[0].labels[1].span.text(), "<l>");
    assert!(!format!("{diagnostics:?}").contains("hidden"));

    let diagnostics = refused(&bundle, &[("A", "hidden\u{1}"), ("B", "1"), ("C", "2")]);
    assert_eq!(codes(&diagnostics), [Code::FilledInvalid]);
    assert_eq!(diagnostics[0].labels[0].span.text(), "#{A}");
    assert!(!format!("{diagnostics:?}").contains("hidden"));
}

#[test]
fn what_was_wrong_before_is_not_repeated() {
    let (bundle, diagnostics) = read_contents(&["<e><u>1</u><v>#{LONG}</v></e>", "<e><v>#{LONG}</v><u>2</u></e>"]);
    assert_eq!(codes(&diagnostics), [Code::MergeConflict]);
    assert!(fill(&bundle, &[("LONG", "a long value that moves everything")]).is_ok());
}

#[test]
fn json_is_escaped_in_strings_and_checked_when_it_is_whole() {
    let mut json = profile();
    json.format = Format::Json;
    json.placeholder.open = "$(env:".into();
    json.placeholder.close = ")".into();
    json.placeholder.default = Some(":-".into());
    let source = "{\n\"a\": \"x $(env:A)\", \"b\": $(env:B:-true)\n}";
    let (bundle, diagnostics) = read_as(&[source], &json);
    assert_eq!(findings(&diagnostics), [""; 0]);
    assert_eq!(bundle.parameters().len(), 2);
    assert_eq!(bundle.path(&bundle.parameters()["A"][0]), "/a");
    let filled = fill(&bundle, &[("A", "\"\n")]).expect("filled");
    assert_eq!(text(&filled, 0), "{\n\"a\": \"x \\\"\\n\", \"b\": true\n}");
    let diagnostics = refused(&bundle, &[("A", "a"), ("B", "hidden")]);
    assert_eq!(findings(&diagnostics), ["filled-invalid 0.xml:2:25"]);
    assert!(!format!("{diagnostics:?}").contains("hidden"));
}

proptest! {
    /// A placeholder filled with itself changes nothing.
    #[test]
    fn identity(parts in proptest::collection::vec("(<a>|</a>|#\\{[A-C]\\}|[ -%'-;=?-~]{0,6}|&lt;|\r\n|é)", 0..12)) {
        let source = config(&parts.concat());
        let (bundle, diagnostics) = read(&[&source]);
        prop_assert_eq!(bundle.files()[0].text(), &source);
        prop_assume!(diagnostics.is_empty() && bundle.parameters().values().flatten().all(|place| place.default.is_none()));
        let own: BTreeMap<_, _> = bundle.parameters().keys().map(|name| (name.clone(), format!("#{{{name}}}"))).collect();
        let filled = bundle.fill(&|name| own.get(name).map(String::as_str)).expect("filled");
        prop_assert_eq!(text(&filled, 0), source);
    }

    /// Whatever a value holds, it is one element's text and nothing else.
    #[test]
    fn no_value_adds_elements(value in "[^\u{0}-\u{1f}\u{fffe}\u{ffff}]{0,20}") {
        let (bundle, _) = read_contents(&["<a>#{V}</a><b><![CDATA[#{V}]]></b>"]);
        let filled = fill(&bundle, &[("V", &value)]).expect("filled");
        prop_assert_eq!(filled.tree().size(), 3);
        let texts: Vec<_> = filled.tree().leaves().map(|leaf| leaf.text().into_owned()).collect();
        prop_assert_eq!(texts, [value.clone(), value]);
    }
}

#[test]
fn what_is_no_json_with_any_values_is_told_at_once() {
    let keycloak = ServerProfile::built_in("keycloak").expect("built in");
    let (_, found) = read_as(&["{\"enabled\": ${ENABLED}, \"name\": \"${NAME:x}\"}"], &keycloak);
    assert_eq!(found, []);
    let (_, found) = read_as(&["{\"realm\": \"a\" \"b\": 1}"], &keycloak);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code, Code::JsonMalformed);
    assert_eq!(found[0].labels[0].span.position().line, 1);
}
