use crate::bundle::Bundle;
use crate::bundle::testing::{codes, config, findings, read, read_contents};
use crate::diagnostic::{Code, Severity};

fn paths(bundle: &Bundle, pattern: &str) -> Vec<String> {
    let pattern = pattern.parse().expect("a pattern");
    bundle.tree().find(&pattern).map(|node| node.path()).collect()
}

#[test]
fn entries_meet_by_key_across_files() {
    let (bundle, diagnostics) = read_contents(&[
        "<profile><id>token</id><type>oauth</type><settings><client><id>a</id></client></settings></profile>",
        "<profile><id>token</id><type>oauth</type><settings><client><id>b</id></client></settings></profile>",
        "<profile><id>token</id><settings><client><id>c</id></client></settings></profile><profile><id>x</id></profile>",
    ]);
    assert_eq!(findings(&diagnostics), [""; 0]);
    assert_eq!(paths(&bundle, "profile"), ["/profile[token]", "/profile[x]"]);
    let clients = paths(&bundle, "**/client");
    assert_eq!(clients.len(), 3, "{clients:?}");
    let token = bundle.tree().find(&"profile".parse().unwrap()).next().unwrap();
    let names: Vec<_> = token.children().map(|child| child.name()).collect();
    assert_eq!(names, ["id", "type", "settings"]);
    let settings = token.child("settings").unwrap();
    let keys: Vec<_> = settings.children().filter_map(|client| client.key()).collect();
    assert_eq!(keys, ["a", "b", "c"]);
    assert_eq!(settings.occurrences().count(), 3);
    let last = settings.children().last().unwrap();
    assert_eq!(last.parent(), Some(settings));
}

#[test]
fn one_leaf_with_two_values_names_both_places() {
    let (_, diagnostics) = read_contents(&["<e><base-url>a</base-url></e>", "<e><base-url> b </base-url></e>"]);
    assert_eq!(codes(&diagnostics), [Code::MergeConflict]);
    let places: Vec<_> = diagnostics[0].labels.iter().map(|label| label.span.text()).collect();
    assert_eq!(places, ["b", "a"]);
    assert_eq!(diagnostics[0].labels[1].span.source.path(), "0.xml");
    assert!(diagnostics[0].message.contains("`/e/base-url`"));

    let (bundle, diagnostics) = read_contents(&["<e><base-url>a</base-url></e>", "<e><base-url> a </base-url></e>"]);
    assert_eq!(findings(&diagnostics), [""; 0]);
    assert_eq!(paths(&bundle, "e/base-url").len(), 1);
}

#[test]
fn values_of_secret_leaves_are_not_shown() {
    let client = |secret: &str| format!("<client><id>a</id><secret>{secret}</secret></client>");
    let (_, diagnostics) = read_contents(&[&client("hunter1"), &client("hunter2")]);
    assert_eq!(codes(&diagnostics), [Code::MergeConflict]);
    assert!(
        diagnostics[0]
            .labels
            .iter()
            .all(|label| label.span.source.is_withheld())
    );
    assert!(!diagnostics[0].message.contains("hunter"));
}

#[test]
fn one_leaf_with_two_values_in_one_file() {
    let (_, diagnostics) = read_contents(&["<e><base-url>a</base-url><base-url>b</base-url></e>"]);
    assert_eq!(codes(&diagnostics), [Code::MergeConflict]);
    assert!(diagnostics[0].is_error(), "the profile knows this leaf");

    let (_, diagnostics) = read_contents(&["<e><plugin>a</plugin><plugin>b</plugin><plugin>c</plugin></e>"]);
    assert_eq!(codes(&diagnostics), [Code::MergeConflict]);
    assert_eq!(diagnostics[0].severity, Severity::Warning, "perhaps a leaf-list");

    let (_, diagnostics) = read_contents(&["<e><plugin>a</plugin><other/><plugin>b</plugin></e>"]);
    assert_eq!(codes(&diagnostics), [Code::MergeConflict]);
    assert!(diagnostics[0].is_error(), "no leaf-list is written like this");
}

#[test]
fn leaf_lists_unite() {
    let (bundle, diagnostics) = read_contents(&[
        "<role><id>d</id><endpoints>a</endpoints><endpoints>b</endpoints></role>",
        "<role><id>d</id><endpoints>b</endpoints><endpoints>c</endpoints></role>",
    ]);
    assert_eq!(findings(&diagnostics), [""; 0]);
    let role = bundle.tree().find(&"role".parse().unwrap()).next().unwrap();
    let values: Vec<_> = role.children().skip(1).map(|leaf| leaf.value()).collect();
    assert_eq!(values, ["a", "b", "c"]);
}

#[test]
fn an_entry_twice_in_one_file_is_told_once() {
    let (bundle, diagnostics) = read_contents(&[
        "<c><client><id>a</id><secret>1</secret></client>\n<client><id>a</id><secret>2</secret></client></c>",
    ]);
    assert_eq!(findings(&diagnostics), ["duplicate-key 0.xml:2:1"]);
    assert_eq!(diagnostics[0].labels.len(), 2);
    assert!(diagnostics[0].message.contains("`/c/client[a]`"));
    assert_eq!(paths(&bundle, "c/client/secret").len(), 1);

    let (_, diagnostics) = read_contents(&[
        "<c><client><id>a</id></client></c>",
        "<c><client><id>b</id></client><client><id>a</id></client><client><id>a</id></client></c>",
    ]);
    assert_eq!(codes(&diagnostics), [Code::DuplicateKey]);
}

#[test]
fn keys_of_the_profile_and_containers() {
    let (bundle, diagnostics) = read_contents(&[
        "<aaa><users><user><name>admin</name><id>1</id></user><user><name>other</name><id>1</id></user></users></aaa>",
        "<aaa><users><user><name>admin</name></user></users></aaa>",
    ]);
    assert_eq!(findings(&diagnostics), [""; 0]);
    assert_eq!(
        paths(&bundle, "aaa/users/user"),
        ["/aaa/users/user[admin]", "/aaa/users/user[other]"]
    );

    let pair = |right: &str| format!("<pair><right>{right}</right><left>l</left></pair>");
    let (bundle, diagnostics) = read_contents(&[&pair("1"), &pair("2"), &pair("1")]);
    assert_eq!(findings(&diagnostics), [""; 0]);
    assert_eq!(paths(&bundle, "pair"), ["/pair[l,1]", "/pair[l,2]"]);

    let (_, diagnostics) = read_contents(&["<box><id>1</id></box>", "<box><id>2</id></box>"]);
    assert_eq!(codes(&diagnostics), [Code::MergeConflict], "a container has one id");
}

#[test]
fn a_list_without_a_known_key_is_kept_and_said() {
    let entry = "<odd><kind>1</kind></odd><odd><kind>2</kind></odd>";
    let (bundle, diagnostics) = read_contents(&[entry, "<odd><kind>3</kind></odd>"]);
    assert_eq!(codes(&diagnostics), [Code::MergeConflict]);
    assert_eq!(diagnostics[0].severity, Severity::Warning);
    assert_eq!(paths(&bundle, "odd/kind").len(), 3);
}

#[test]
fn presence_containers_and_namespaces_are_kept_apart() {
    let (bundle, diagnostics) = read_contents(&[
        "<c><implicit/><code>\n</code><x xmlns=\"urn:1\">1</x></c>",
        "<c><code/><implicit><ttl>3</ttl></implicit><x xmlns=\"urn:2\">2</x></c>",
    ]);
    assert_eq!(findings(&diagnostics), [""; 0]);
    let c = bundle.tree().find(&"c".parse().unwrap()).next().unwrap();
    let names: Vec<_> = c.children().map(|child| (child.name(), child.namespace())).collect();
    let root = "http://tail-f.com/ns/config/1.0";
    assert_eq!(
        names,
        [("implicit", root), ("code", root), ("x", "urn:1"), ("x", "urn:2")]
    );
    let implicit = c.child("implicit").unwrap();
    assert!(!implicit.is_leaf());
    assert_eq!(implicit.child("ttl").unwrap().value(), "3");
}

#[test]
fn a_value_here_and_elements_there_conflict() {
    let (_, diagnostics) = read_contents(&["<e><x>1</x></e>", "<e><x><y/></x></e>"]);
    assert_eq!(codes(&diagnostics), [Code::MergeConflict]);
}

#[test]
fn roots_are_checked_file_by_file() {
    let good = config("<e><x>1</x></e>");
    let (bundle, diagnostics) = read(&[
        "<data xmlns=\"urn:ietf:params:xml:ns:yang:ietf-restconf\"><e><x>#{A}</x></e></data>",
        &good,
        "<config><e><x>2</x></e></config>",
    ]);
    assert_eq!(findings(&diagnostics), ["xml-root 0.xml:1:1", "xml-root 2.xml:1:1"]);
    assert_eq!(diagnostics[0].help, ["put it into `<config>`"]);
    assert!(diagnostics[1].message.contains("no namespace"));
    assert_eq!(paths(&bundle, "e/x").len(), 1);
    assert!(bundle.parameters().contains_key("A"), "still asked for");
}

#[test]
fn all_conflicts_of_all_files_are_told_in_order() {
    let (_, diagnostics) = read_contents(&[
        "<e><a>1</a><b>1</b></e>",
        "<e>\n<b>2</b>\n<a>2</a></e>",
        "<e><a>3</a></e>",
    ]);
    let places = [
        "merge-conflict 1.xml:2:4",
        "merge-conflict 1.xml:3:4",
        "merge-conflict 2.xml:1:55",
    ];
    assert_eq!(findings(&diagnostics), places);
}
