//! Env files of all kinds.

use secrecy::ExposeSecret as _;

use super::*;
use crate::diagnostic::Severity;

fn read(text: &str) -> (Vec<(String, String)>, Vec<Diagnostic>) {
    let (entries, diagnostics) = parse_env(&Source::new("x.env", text));
    let pairs = entries.into_iter().map(|entry| (entry.name.to_string(), entry.value));
    (pairs.collect(), diagnostics)
}

fn value(text: &str) -> String {
    let (mut pairs, diagnostics) = read(text);
    assert_eq!(diagnostics, [], "{text}");
    assert_eq!(pairs.len(), 1, "{text}");
    pairs.remove(0).1
}

fn refused(text: &str) -> Diagnostic {
    let (pairs, mut diagnostics) = read(text);
    assert_eq!((pairs.len(), diagnostics.len()), (0, 1), "{text}: {diagnostics:?}");
    assert_eq!(diagnostics[0].code, Code::EnvSyntax);
    assert!(diagnostics[0].is_error(), "{text}");
    diagnostics.remove(0)
}

#[test]
fn reads_values_as_people_write_them() {
    for (text, expected) in [
        ("X=a", "a"),
        ("X=a\r\n", "a"),
        ("\u{feff}X=a", "a"),
        ("  export\tX=a  ", "a"),
        ("X=", ""),
        ("X=   # nothing", ""),
        ("X=''", ""),
        ("X=a=b;c#d", "a=b;c#d"),
        ("X=a # b", "a"),
        ("X=#a", "#a"),
        ("X=two words", "two words"),
        ("X='a $b # \"c\" ${d}'  # note", "a $b # \"c\" ${d}"),
        (r#"X="a\n\"b\" \$c \\ \d""#, "a\n\"b\" $c \\ \\d"),
        ("X='a\r\nb\r\n'", "a\nb\n"),
        ("X=\"a\nb\"", "a\nb"),
        ("X='$5$abcdefgh$x'", "$5$abcdefgh$x"),
        ("X=cost $ 5$", "cost $ 5$"),
        ("# X=1\n\n   \nX=é", "é"),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn a_dollar_that_others_expand_is_kept_and_told() {
    for text in ["X=a${B}", "X=$5$abc", "X=\"$B\""] {
        let (pairs, diagnostics) = read(text);
        assert_eq!(pairs[0].1, text[2..].trim_matches('"'), "{text}");
        assert_eq!(diagnostics[0].severity, Severity::Warning);
        assert!(diagnostics[0].help[0].contains("single quotes"));
    }
}

#[test]
fn refuses_what_readers_disagree_on() {
    for (text, part) in [
        ("X =a", "blank before"),
        ("X= a", "blank after"),
        ("X", "no `=`"),
        ("export X", "no `=`"),
        ("MY-KEY=a", "`MY-KEY`"),
        ("=a", "no name"),
        ("1X='a\nb'", "`1X`"),
        ("X='a'b", "closing quote"),
        ("X='it'\\''s'", "closing quote"),
        ("X='a", "never closed"),
        ("X=\"a\\\"", "never closed"),
        ("X=a\0b", "NUL"),
    ] {
        assert!(
            refused(text).message.contains(part),
            "{text}: {}",
            refused(text).message
        );
    }
}

#[test]
fn an_open_quote_spoils_one_line_only() {
    let (pairs, diagnostics) = read("W='a\nX='b'\nY=c");
    assert_eq!(pairs.len(), 2);
    assert!(diagnostics[0].message.contains("`W`"), "{diagnostics:?}");
    let (pairs, diagnostics) = read("X='a\nY=b\n");
    assert_eq!(pairs, [("Y".to_owned(), "b".to_owned())]);
    assert_eq!(diagnostics.len(), 1);
}

#[test]
fn a_pem_text_without_quotes_is_one_problem_and_none_of_its_lines_a_name() {
    let text = "KEY=-----BEGIN PRIVATE KEY-----\nMIIabc=\nsecretline\n-----END PRIVATE KEY-----\nY=b";
    let (entries, diagnostics) = parse_secret_env("s.env", text);
    assert_eq!(entries.len(), 1);
    assert_eq!(diagnostics.len(), 1);
    assert!(diagnostics[0].message.contains("`KEY`"), "{}", diagnostics[0].message);
}

#[test]
fn two_values_are_an_error_at_both_places_and_one_value_twice_is_not() {
    let (pairs, diagnostics) = read("X=a\nY=b\nX=c\nY=b");
    assert_eq!(pairs.len(), 4);
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(diagnostics[0].code, Code::EnvDuplicate);
    let places: Vec<_> = diagnostics[0]
        .labels
        .iter()
        .map(|label| label.span.to_string())
        .collect();
    assert_eq!(places, ["x.env:3:1", "x.env:1:1"]);
}

#[test]
fn spans_point_at_name_and_value() {
    let (entries, _) = parse_env(&Source::new("x.env", "export X='a b' # c\nY=\nZ=d # e"));
    let spans: Vec<_> = entries
        .iter()
        .map(|e| (e.name_span.text(), e.value_span.text()))
        .collect();
    assert_eq!(spans, [("X", "a b"), ("Y", ""), ("Z", "d")]);
    assert_eq!(entries[1].value_span.to_string(), "x.env:2:3");
}

#[test]
fn problems_in_a_file_of_secrets_show_nothing_of_it() {
    let text =
        "A='hunter2\nhunter2\nMY-hunter2=hunter2\nB= hunter2\nC=$hunter2\nD=hunter2\nD=hunter22\nE='hunter2'hunter2";
    let (entries, diagnostics) = parse_secret_env("s.env", text);
    assert_eq!(
        entries
            .iter()
            .find(|e| e.name.as_str() == "D")
            .map(|e| e.value.expose_secret()),
        Some("hunter2")
    );
    assert!(diagnostics.len() >= 6);
    assert!(!format!("{diagnostics:?} {entries:?}").contains("hunter2"));
    for diagnostic in &diagnostics {
        assert!(!diagnostic.message.contains("hunter2") && !diagnostic.help.concat().contains("hunter2"));
        assert!(diagnostic.labels.iter().all(|label| label.span.source.is_withheld()));
    }
    assert_eq!(diagnostics[0].labels[0].span.to_string(), "s.env:1:1");
}

#[test]
fn a_secret_by_name_in_a_plain_file_is_not_shown_by_its_problem() {
    let (_, diagnostics) = read("DB_PASSWORD='a");
    assert!(diagnostics[0].labels[0].span.source.is_withheld());
    let (_, diagnostics) = read("DB_USER='a");
    assert!(!diagnostics[0].labels[0].span.source.is_withheld());
}

#[test]
fn rubbish_is_told_a_hundred_times_at_most() {
    let (_, diagnostics) = read(&"rubbish\n".repeat(100_000));
    assert_eq!(diagnostics.len(), MOST_PROBLEMS + 1);
    let (_, diagnostics) = read(&"X='\n".repeat(2_000));
    assert!(diagnostics.len() <= MOST_PROBLEMS + 1);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic_or_leak_a_bad_span(text in r#"([A-Z_]{1,3}|[='"\\\\$#;é \t\r\n\x00]|export |-----BEGIN |-----END ){0,40}"#) {
        let source = Source::new("x.env", text.clone());
        let (entries, _) = parse_env(&source);
        for entry in entries {
            proptest::prop_assert_eq!(entry.name_span.text(), entry.name.as_str());
            proptest::prop_assert!(text.get(entry.value_span.range).is_some());
        }
        parse_secret_env("s.env", &text);
    }

    #[test]
    fn single_quotes_carry_every_value(value in "[^'\r\0]{0,40}") {
        let (pairs, diagnostics) = read(&format!("A=1\nX='{value}' # c\nB=2"));
        proptest::prop_assert_eq!(diagnostics, []);
        proptest::prop_assert_eq!(&pairs[1].1, &value);
        proptest::prop_assert_eq!(pairs.len(), 3);
    }
}
