//! A small profile and short ways to read texts, for the tests of this module.

use super::Bundle;
use crate::diagnostic::{Code, Diagnostic, Source};
use crate::profile::ServerProfile;

pub(crate) const ROOT: &str = "<config xmlns=\"http://tail-f.com/ns/config/1.0\">";

/// A profile with one of everything.
pub(crate) fn profile() -> ServerProfile {
    toml::from_str(
        r##"
        name = "test"
        title = "Test"
        format = "xml"
        public = ["**/*truststore*/**", "**/client/logo", "**/*-id"]
        [config]
        folder = "/etc/init"
        uid = 1
        gid = 1
        replace = true
        subfolders = false
        [placeholder]
        open = "#{"
        close = "}"
        default = "|"
        trim = true
        lookalikes = [
            { pattern = '\$\{[A-Z][A-Z0-9_]*\}', help = "this server reads `#{NAME}`" },
            { pattern = '\$\{[a-z][^}]*\}' },
        ]
        [xml]
        root = { name = "config", namespace = "http://tail-f.com/ns/config/1.0" }
        rejected-roots = [
            { name = "data", namespace = "urn:ietf:params:xml:ns:yang:ietf-restconf", help = "put it into `<config>`" },
        ]
        [tree]
        keys = ["id"]
        lists = [{ path = "aaa/users/user", keys = ["name"] }, { path = "**/pair", keys = ["left", "right"] }]
        containers = ["**/box"]
        leaf-lists = ["**/redirect-uris", "**/endpoints", "**/steps"]
        ordered = ["**/rule", "**/steps"]
        preserve-space = ["**/prompt"]
        [[types]]
        pattern = "**/base-url"
        type = "url"
        [[secrets]]
        path = "**/client/secret"
        what = "a client's secret"
        [[secrets]]
        path = "**/connection-string"
        what = "a connection string"
        [[secrets]]
        path = "**/keystore"
        what = "a key"
        [[references]]
        what = "data source"
        defined-by = ["facilities/data-source"]
        used-by = ["**/data-source-id"]
        "##,
    )
    .expect("a profile")
}

/// Reads files named `0.xml`, `1.xml` ….
pub(crate) fn read(texts: &[&str]) -> (Bundle, Vec<Diagnostic>) {
    read_as(texts, &profile())
}

pub(crate) fn read_as(texts: &[&str], profile: &ServerProfile) -> (Bundle, Vec<Diagnostic>) {
    let files = texts
        .iter()
        .enumerate()
        .map(|(index, text)| Source::new(format!("{index}.xml"), *text))
        .collect();
    Bundle::read(files, profile)
}

/// The root element round a content.
pub(crate) fn config(content: &str) -> String {
    format!("{ROOT}{content}</config>")
}

/// Reads contents, each in a root of its own.
pub(crate) fn read_contents(contents: &[&str]) -> (Bundle, Vec<Diagnostic>) {
    let texts: Vec<_> = contents.iter().map(|content| config(content)).collect();
    read(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Code and place of each finding, as `xml-root 0.xml:1:1`.
pub(crate) fn findings(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics
        .iter()
        .map(|diagnostic| match diagnostic.labels.first() {
            Some(label) => format!("{} {}", diagnostic.code, label.span),
            None => diagnostic.code.to_string(),
        })
        .collect()
}

/// The codes alone.
pub(crate) fn codes(diagnostics: &[Diagnostic]) -> Vec<Code> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}
