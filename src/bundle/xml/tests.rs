use proptest::prelude::*;

use crate::bundle::testing::{ROOT, codes, config, findings, read, read_contents};
use crate::diagnostic::{Code, Severity};

#[test]
fn malformed_files_are_told_with_line_and_column_and_all_at_once() {
    let (bundle, diagnostics) = read(&[
        &config("\n<a><b></a>\n"),
        &config("<ok>#{GOOD}</ok>"),
        &format!("{ROOT}\n  <a>1 & 2</a></config>"),
        &format!("{ROOT}<a>#{{BEFORE}}</a>\n<b x='1' x='2'/><c>#{{AFTER}}</c></config>"),
        "",
        &format!("{ROOT}<a>"),
        &format!("{ROOT}</config><config/>"),
        "text",
        &config("<p:a/>"),
        &config("<a>&nbsp;</a>"),
        &config("<a b=1/>"),
        &config("<a>\u{1}</a>"),
        &config("<a><!-- -- --></a>"),
        "<a xmlns='u",
        &config("<#{X}/>"),
    ]);
    assert_eq!(
        findings(&diagnostics),
        [
            "xml-malformed 0.xml:2:7",
            "xml-malformed 2.xml:2:8",
            "xml-malformed 3.xml:2:10",
            "xml-malformed 4.xml:1:1",
            "xml-malformed 5.xml:1:49",
            "xml-malformed 6.xml:1:58",
            "xml-malformed 7.xml:1:1",
            "xml-malformed 8.xml:1:50",
            "xml-malformed 9.xml:1:52",
            "xml-malformed 10.xml:1:54",
            "xml-malformed 11.xml:1:52",
            "xml-malformed 12.xml:1:52",
            "xml-malformed 13.xml:1:12",
            "xml-malformed 14.xml:1:49",
        ]
    );
    let names: Vec<_> = bundle.parameters().keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["AFTER", "BEFORE", "GOOD", "X"]);
}

#[test]
fn doctypes_are_refused_whatever_they_say() {
    for doctype in [
        "<!DOCTYPE config>",
        "<!DOCTYPE config SYSTEM \"file:///etc/passwd\">",
        "<!DOCTYPE c [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>",
        "<!DOCTYPE config [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>",
        "<!DOCTYPE ",
    ] {
        let text = format!("<?xml version=\"1.0\"?>\n{doctype}\n{}", config("<a>&x;</a>"));
        let (_, diagnostics) = read(&[&text]);
        assert_eq!(findings(&diagnostics), ["xml-doctype 0.xml:2:1"], "{doctype}");
    }
}

#[test]
fn everything_that_xml_allows_is_read() {
    let text = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<?pi x?>\r\n<!-- c -->\r\n{ROOT}\r\n\
         <c:a xmlns:c=\"urn:c\" c:n=\"&amp;\">\r\n<b xmlns=\"\"><![CDATA[x < #{{IN_CDATA}}]]></b>\r\n\
         <type xmlns:as=\"urn:as\">as:oauth</type><e><!-- inside -->v<?pi y?></e>\
         <lines>a\r\nb</lines><prompt>\\h&gt; </prompt><é>ü</é></c:a></config>\r\n<!-- end -->"
    );
    let (bundle, diagnostics) = read(&[&text]);
    assert_eq!(findings(&diagnostics), [""; 0]);
    let find = |pattern: &str| bundle.tree().find(&pattern.parse().unwrap()).next().unwrap();
    assert_eq!(find("a").namespace(), "urn:c");
    assert!(find("a").has_attributes());
    assert_eq!(find("a/b").namespace(), "");
    assert_eq!(find("a/b").value(), "x < #{IN_CDATA}");
    assert!(find("a/b").has_placeholder());
    assert_eq!(find("a/type").value(), "as:oauth");
    assert!(!find("a/type").has_attributes());
    assert_eq!(find("a/e").value(), "v");
    assert_eq!(find("a/lines").text(), "a\nb");
    assert_eq!(find("a/prompt").value(), "\\h> ", "blanks that mean something");
    assert_eq!(find("a/é").span().text(), "<é>ü</é>");
    assert_eq!(find("a/é").text_span().text(), "ü");
    assert_eq!(bundle.files()[0].text(), text, "the bytes are never changed");
    assert_eq!(bundle.path(&bundle.parameters()["IN_CDATA"][0]), "/a/b");
}

#[test]
fn unclear_placeholders_are_flagged_where_they_stand() {
    let (bundle, diagnostics) = read_contents(&[
        "<a>#{X | }</a>\n<b>#{}</b>\n<c>#{ }</c>\n<d>#{A#{B}}</d>\n<e>#{Y</e>\n<f>#{we-ird}</f>\n<g h=\"#{ATTRIBUTE}\"/>",
    ]);
    let places: Vec<_> = (1..=7)
        .map(|line| match line {
            1 => "placeholder-unclear 0.xml:1:52".to_owned(),
            7 => "placeholder-unclear 0.xml:7:7".to_owned(),
            line => format!("placeholder-unclear 0.xml:{line}:4"),
        })
        .collect();
    assert_eq!(findings(&diagnostics), places);
    assert!(
        diagnostics
            .iter()
            .all(|diagnostic| diagnostic.is_error() && !diagnostic.help.is_empty())
    );
    let names: Vec<_> = bundle.parameters().keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["ATTRIBUTE", "X"]);
}

#[test]
fn a_comment_uses_nothing_but_may_stop_the_server() {
    let (bundle, diagnostics) = read_contents(&["<!-- #{USED} #{ONLY_HERE} #{ --><a>#{USED}</a>"]);
    assert_eq!(codes(&diagnostics), [Code::PlaceholderUnclear]);
    assert_eq!(diagnostics[0].severity, Severity::Warning);
    assert_eq!(diagnostics[0].labels[0].span.text(), "#{ONLY_HERE}");
    assert_eq!(bundle.parameters().len(), 1);
    assert_eq!(bundle.parameters()["USED"].len(), 1);
}

#[test]
fn lookalikes_are_told_and_the_rest_is_left_alone() {
    let (_, diagnostics) = read_contents(&[
        "<a>${SSL_KEY}</a><b>${se.curity:identity-server:db}</b><c>\\h# </c><d>$5$salt$hash</d><!-- ${SSL_KEY} -->",
    ]);
    assert_eq!(findings(&diagnostics), ["placeholder-lookalike 0.xml:1:52"]);
    assert_eq!(diagnostics[0].help, ["this server reads `#{NAME}`"]);
}

#[test]
fn depth_is_bounded() {
    let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
    assert_eq!(codes(&read_contents(&[&deep]).1), [Code::XmlMalformed]);
}

proptest! {
    #[test]
    fn rubbish_never_panics(text in "(<[a-c/!?]|[a-c]|>|/>|#\\{|\\}|\\||&|;|\"|'| |=|--|\\[CDATA\\[|\\]\\]>|é|\n|\r|xmlns|\\PC){0,60}") {
        let (bundle, _) = read(&[&text, &config(&text)]);
        for uses in bundle.parameters().values() {
            for place in uses {
                let _ = (bundle.path(place), bundle.span(place).position(), bundle.default(place).is_some());
            }
        }
        for node in bundle.tree().leaves() {
            let _ = (node.value().len(), node.path(), node.span().text().len());
        }
    }

    /// What this reader takes for XML, a whole parser does, too, and the other way round.
    #[test]
    fn another_parser_agrees(text in "(<a>|</a>|<b x='1'>|</b>|<c/>|<!-- c -->|<!\\[CDATA\\[d\\]\\]>|&amp;|&#65;|&|t| |<\\?p q\\?>|<p:a/>){0,12}") {
        let text = config(&text);
        let (_, diagnostics) = read(&[&text]);
        let ours = !diagnostics.iter().any(|diagnostic| diagnostic.code == Code::XmlMalformed);
        prop_assert_eq!(ours, roxmltree::Document::parse(&text).is_ok(), "{}", text);
    }
}
