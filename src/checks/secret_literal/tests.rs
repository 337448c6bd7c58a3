use super::*;
use crate::bundle::testing::{profile, read_as, read_contents};
use crate::profile::Format;

fn found(content: &str) -> Vec<String> {
    let (bundle, _) = read_contents(&[content]);
    let found = find(&bundle, &profile());
    assert!(
        found
            .iter()
            .all(|found| found.code == Code::SecretLiteral && found.help.len() == 1)
    );
    found.into_iter().map(|found| found.message).collect()
}

fn client(secret: &str) -> String {
    format!("<client><id>web-client</id><secret>{secret}</secret></client>")
}

#[test]
fn a_literal_at_a_secret_place_is_told() {
    assert_eq!(
        found(&client("Password1")),
        ["`secret` of `web-client` holds a literal secret: a client's secret"]
    );
    assert_eq!(found(&client("<![CDATA[x]]>")).len(), 1);
    let (bundle, _) = read_contents(&[&client("Password1")]);
    let diagnostic = find(&bundle, &profile()).remove(0);
    assert_eq!(diagnostic.labels[0].span.range.len(), "Password1".len());
    assert!(diagnostic.labels[0].span.source.is_withheld());
    assert_eq!(
        diagnostic.help,
        ["put a placeholder here, `#{WEB_CLIENT_SECRET}`, and give each stage its value"]
    );
    assert!(!diagnostic.message.contains("Password1"));
}

#[test]
fn placeholders_and_empty_values_are_fine() {
    for secret in ["#{S}", " #{S}\n", "", "\n", "prefix-#{S}"] {
        assert_eq!(found(&client(secret)), [""; 0], "{secret:?}");
    }
    assert_eq!(found("<secret>elsewhere</secret>"), [""; 0]);
}

#[test]
fn an_address_is_a_secret_when_it_holds_a_password() {
    let at = |value: &str| found(&format!("<x><connection-string>{value}</connection-string></x>")).len();
    assert_eq!(at("jdbc:mysql://db/idsvr?useSSL=true"), 0);
    assert_eq!(at("jdbc:sqlserver://#{HOST};user=sa;password=#{PASSWORD}"), 0);
    assert_eq!(at("jdbc:sqlserver://#{HOST};user=sa;password=hunter2"), 1);
    assert_eq!(at("jdbc:sqlserver://db;user=sa;password=hunter2"), 1);
    assert_eq!(at("postgres://sa:hunter2@db/x"), 1);
    assert_eq!(at("postgres://sa:#{PASSWORD}@db/x"), 0);
    assert_eq!(at("not-an-address"), 1);
}

#[test]
fn secrets_are_known_by_their_looks_at_any_place() {
    let hash = "$5$saltsalt$0123456789012345678901234567890123456789012";
    let encrypted = "data:text/plain;aes,v:S.QUJDREVGR0hJSktMTU5PUFFSU1Q=.QUJD.QUJD.QUJD";
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ0ZXN0In0.c2lnbmF0dXJlc2lnbmF0dXJl";
    for value in [
        hash,
        encrypted,
        "v:S.QUJD.QUJD.QUJD.QUJD",
        token,
        "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
        "ghp_0123456789abcdefghij",
    ] {
        assert_eq!(
            found(&format!("<any><thing>\n{value}\n</thing></any>")).len(),
            1,
            "{value}"
        );
    }
}

#[test]
fn false_friends_stay_quiet() {
    let encrypted = "data:application/p12;aes,v:S.QUJDREVGR0hJSktMTU5PUFFSU1Q=.QUJD.QUJD.QUJD";
    let content = format!(
        "<client><id>a</id><logo>data:image/svg+xml;base64,eyJhIjoxfQ==</logo></client>\
         <signing-keystore-id>key</signing-keystore-id><ssl><truststore><keystore>{encrypted}</keystore></truststore></ssl>\
         <certificate>-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----</certificate>\
         <email>admin@example.com</email><html-form><password-only>true</password-only></html-form>\
         <path>/user[name='$USER']</path><prompt>\\h# </prompt><price>$5$ and $6$ more</price><!-- $5$ a@b -->"
    );
    assert_eq!(found(&content), [""; 0]);
    let key = "<truststore><keystore>-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----</keystore></truststore>";
    assert_eq!(found(key).len(), 1, "a private key is never public");
}

#[test]
fn files_without_elements_are_looked_at_line_by_line() {
    let mut text = profile();
    text.format = Format::Text;
    let (bundle, _) = read_as(
        &["a: b\ndsn: \"postgres://u:hunter2@db/x\"\nok: postgres://u@db/x\n"],
        &text,
    );
    let found = find(&bundle, &text);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].labels[0].span.position().line, 2);
}

#[test]
fn members_of_json_are_known_by_their_paths() {
    let mut json = profile();
    json.format = Format::Json;
    let source = r##"{"client": {"secret": "hunter2"}, "a": {"client": [{"secret": "#{S}"}, {"secret": "**********"}, {"secret": ""}]},
        "secret": "elsewhere", "client": {"id": "x"}}"##;
    let (bundle, _) = read_as(&[source], &json);
    let found = find(&bundle, &json);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].labels[0].span.position().column, 24);
    assert_eq!(found[0].message, "`secret` holds a literal secret: a client's secret");
}
