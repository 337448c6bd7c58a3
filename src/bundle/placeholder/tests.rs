use super::*;

fn grammar(text: &str) -> Grammar {
    Grammar::new(&toml::from_str(text).expect("a syntax")).0
}

fn curity() -> Grammar {
    grammar("open = '#{'\nclose = '}'\ndefault = '|'\ntrim = true")
}

fn read(grammar: &Grammar, text: &str) -> Result<(String, Option<String>), Option<Doubt>> {
    let at = grammar.openings(text).next().expect("an opening");
    match grammar.read(text, at, text.len()) {
        Found::Placeholder { name, default, .. } => {
            Ok((text[name].to_owned(), default.map(|default| text[default].to_owned())))
        }
        Found::Unclear { doubt, .. } => Err(Some(doubt)),
        Found::Other => Err(None),
    }
}

#[test]
fn curity_reads_names_and_defaults() {
    let curity = curity();
    assert_eq!(read(&curity, "x#{A}y"), Ok(("A".into(), None)));
    assert_eq!(read(&curity, "#{ A }"), Ok(("A".into(), None)));
    assert_eq!(
        read(&curity, "#{BASE_URL | http://localhost}"),
        Ok(("BASE_URL".into(), Some("http://localhost".into())))
    );
    assert_eq!(read(&curity, "#{A|b}"), Ok(("A".into(), Some("b".into()))));
}

#[test]
fn what_is_not_documented_is_told_apart() {
    let curity = curity();
    for (text, doubt) in [
        ("#{}", Doubt::Blank),
        ("#{ }", Doubt::Blank),
        ("#{ | d}", Doubt::Blank),
        ("#{X | }", Doubt::EmptyDefault),
        ("#{X|}", Doubt::EmptyDefault),
        ("#{A#{B}}", Doubt::Nested),
        ("#{#{B}}", Doubt::Nested),
        ("#{A | #{B}}", Doubt::Nested),
        ("#{X", Doubt::Unclosed),
        ("#{X | a | b}", Doubt::SecondSeparator),
    ] {
        assert_eq!(read(&curity, text), Err(Some(doubt)), "{text}");
    }
}

#[test]
fn a_pattern_for_names_leaves_the_rest_alone() {
    let keycloak = grammar("open = '${'\nclose = '}'\ndefault = ':'\nname = '[A-Z][A-Z0-9_]*'");
    assert_eq!(read(&keycloak, "${role_admin}"), Err(None));
    assert_eq!(read(&keycloak, "${"), Err(None));
    assert_eq!(
        read(&keycloak, "${URL:https://x:1}"),
        Ok(("URL".into(), Some("https://x:1".into())))
    );
    let command = grammar("open = '$(env:'\nclose = ')'\ndefault = ':-'");
    assert_eq!(read(&command, "$(env:X:-d)"), Ok(("X".into(), Some("d".into()))));
}

#[test]
fn the_first_look_that_fits_speaks() {
    let grammar = grammar(
        "open = '#{'\nclose = '}'\nlookalikes = [\n{ pattern = '\\$\\{[a-z.]+:' },\n\
         { pattern = '\\$\\{[A-Za-z_.:-]+\\}', help = 'write #{}' },\n{ pattern = '(%[A-Z]+%)', help = 'no' }]",
    );
    let text = "${se.curity:db} ${KEY} %X% $5$salt$hash";
    let found = grammar.lookalikes(text);
    let found: Vec<_> = found
        .into_iter()
        .filter_map(|(at, index)| grammar.lookalike(text, at, index))
        .map(|(range, _)| &text[range])
        .collect();
    assert_eq!(found, ["${KEY}", "%X%"]);
}

#[test]
fn prefixes_are_what_every_match_begins_with() {
    assert_eq!(literal_prefix(r"\$\{[A-Z]+\}"), "${");
    assert_eq!(literal_prefix("ab?c"), "a");
    assert_eq!(literal_prefix("a|b"), "");
    assert_eq!(literal_prefix("(a)"), "");
    assert_eq!(literal_prefix(r"\$\((env|sys):"), "$(");
    assert_eq!(literal_prefix(r"\d"), "");
}
