use super::super::testing::read_contents;
use super::*;

fn changes(before: &[&str], after: &[&str]) -> Vec<Change> {
    let (before, _) = read_contents(before);
    let (after, _) = read_contents(after);
    diff(&before, &after)
}

/// Kind, path and values of each change.
fn told(before: &[&str], after: &[&str]) -> Vec<String> {
    changes(before, after).iter().map(line).collect()
}

fn line(change: &Change) -> String {
    let mut line = format!("{} {}", change.kind.as_str(), change.path);
    for (sign, value) in [('-', &change.before), ('+', &change.after)] {
        if let Some(value) = value {
            line += &format!(" {sign}`{value}`");
        }
    }
    if change.secret {
        line += " secret";
    }
    line
}

#[test]
fn one_file_and_the_same_split_are_equal() {
    let whole = "<a><x><id>1</id><v>1</v></x><x><id>2</id><v>2</v></x></a><b>2</b>";
    let split = [
        "<a><x><id>2</id><v>2</v></x></a>",
        "<b>2</b><a><x><v>1</v><id>1</id></x></a>",
    ];
    assert_eq!(told(&[whole], &split), [""; 0]);
}

#[test]
fn entries_meet_by_key() {
    let before = "<a><x><id>1</id><v>1</v></x><x><id>2</id><v>2</v></x></a>";
    let after = "<a><x><id>2</id><v>3</v></x><x><id>3</id><v>1</v></x></a>";
    assert_eq!(
        told(&[before], &[after]),
        ["changed /a/x[2]/v -`2` +`3`", "added /a/x[3]", "removed /a/x[1]"]
    );
}

#[test]
fn values_of_leaf_lists_meet_by_themselves() {
    let before = "<c><redirect-uris>a</redirect-uris><redirect-uris>b</redirect-uris></c>";
    let after = "<c><redirect-uris>c</redirect-uris><redirect-uris>\n  b </redirect-uris></c>";
    assert_eq!(
        told(&[before], &[after]),
        ["added /c/redirect-uris +`c`", "removed /c/redirect-uris -`a`"]
    );
    // No profile knows this one: that it repeats on one side makes it a leaf-list on both.
    assert_eq!(
        told(&["<c><u>1</u></c>"], &["<c><u>1</u><u>2</u></c>"]),
        ["added /c/u +`2`"]
    );
    assert_eq!(
        told(&["<c><u>1</u></c>"], &["<c><u>2</u></c>"]),
        ["changed /c/u -`1` +`2`"]
    );
}

#[test]
fn entries_without_a_key_meet_by_content_and_then_by_place() {
    let before = "<c><p><k>1</k><v>1</v></p><p><k>2</k><v>2</v></p><p><k>3</k><v>3</v></p></c>";
    let after = "<c><p><v>3</v><k>3</k></p><p><k>1</k><v>one</v></p><p><k>2</k><v>2</v></p><p><k>4</k></p></c>";
    assert_eq!(told(&[before], &[after]), ["changed /c/p/v -`1` +`one`", "added /c/p"]);
    assert_eq!(
        told(&[after], &[before]),
        ["changed /c/p/v -`one` +`1`", "removed /c/p"]
    );
    // Lists in lists.
    let nested = |value: &str| {
        format!("<c><p><q><v>1</v></q><q><v>{value}</v></q></p><p><q><v>3</v></q><q><v>4</v></q></p></c>")
    };
    assert_eq!(told(&[&nested("2")], &[&nested("5")]), ["changed /c/p/q/v -`2` +`5`"]);
}

#[test]
fn order_counts_only_where_it_means_something() {
    let list = |name: &str, ids: &[&str]| {
        let entries: Vec<_> = ids.iter().map(|id| format!("<{name}><id>{id}</id></{name}>")).collect();
        format!("<c><other>1</other>{}</c>", entries.concat())
    };
    assert_eq!(
        told(&[&list("x", &["1", "2", "3"])], &[&list("x", &["3", "1", "2"])]),
        [""; 0]
    );
    // The last one went to the front: one moved, not three.
    assert_eq!(
        told(&[&list("rule", &["1", "2", "3"])], &[&list("rule", &["3", "1", "2"])]),
        ["moved /c/rule[3] -`3.` +`1.`"]
    );
    // Who stood in step before it is counted too; what came or went moves nobody.
    assert_eq!(
        told(
            &[&list("rule", &["1", "gone", "2", "3", "4"])],
            &[&list("rule", &["1", "2", "new", "4", "3"])]
        ),
        [
            "added /c/rule[new]",
            "moved /c/rule[4] -`5.` +`4.`",
            "removed /c/rule[gone]"
        ]
    );
    let steps = |values: &[&str]| {
        let values: Vec<_> = values.iter().map(|value| format!("<steps>{value}</steps>")).collect();
        format!("<c>{}</c>", values.concat())
    };
    assert_eq!(
        told(&[&steps(&["a", "b", "c"])], &[&steps(&["b", "c", "a"])]),
        ["moved /c/steps -`1. a` +`3. a`"]
    );
}

#[test]
fn what_moved_and_changed_is_told_as_both() {
    let before = "<c><rule><id>1</id><v>1</v></rule><rule><id>2</id><v>2</v></rule></c>";
    let after = "<c><rule><id>2</id><v>two</v></rule><rule><id>1</id><v>1</v></rule></c>";
    let told = told(&[before], &[after]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("moved /c/rule[")));
    assert!(told.contains(&"changed /c/rule[2]/v -`2` +`two`".to_owned()));
}

#[test]
fn an_entry_is_one_change_and_a_container_is_told_by_its_leaves() {
    let before = "<a><x><id>1</id></x></a>";
    let after = "<a><x><id>1</id><box2><u>1</u><d><w>2</w><e/></d></box2></x><x><id>2</id><u>1</u><w>2</w></x></a>";
    assert_eq!(
        told(&[before], &[after]),
        [
            "added /a/x[1]/box2/u +`1`",
            "added /a/x[1]/box2/d/w +`2`",
            "added /a/x[1]/box2/d/e +``",
            "added /a/x[2]",
        ]
    );
    let changes = changes(&[after], &[before]);
    let whole: Vec<_> = changes.iter().map(|change| change.whole).collect();
    assert_eq!(whole, [false, false, false, true]);
    assert_eq!(changes[3].before_span.as_ref().map(|span| span.text()), Some("<x>"));
}

#[test]
fn presence_is_seen_and_layout_is_not() {
    assert_eq!(
        told(&["<c><v>1</v></c>"], &["<c><v>1</v><implicit/></c>"]),
        ["added /c/implicit +``"]
    );
    assert_eq!(
        told(&["<c><implicit>\n  </implicit></c>"], &["<c><!-- none --></c>"]),
        ["removed /c/implicit -``"]
    );
    assert_eq!(
        told(
            &["<c><code>\n</code><v>a &amp; b</v></c>"],
            &["<c><code/><!-- x --><v> <![CDATA[a & b]]>\n</v></c>"]
        ),
        [""; 0]
    );
    assert_eq!(
        told(&["<c><prompt>a </prompt></c>"], &["<c><prompt>a</prompt></c>"]),
        ["changed /c/prompt -`a ` +`a`"]
    );
    assert_eq!(
        told(&["<c><d/></c>"], &["<c><d><e>1</e></d></c>"]),
        ["added /c/d/e +`1`"]
    );
    assert_eq!(
        told(&["<c><d>1</d></c>"], &["<c><d><e>1</e></d></c>"]),
        ["changed /c/d -`1` +``", "added /c/d/e +`1`"]
    );
}

#[test]
fn attributes_count_and_declarations_of_namespaces_do_not() {
    assert_eq!(
        told(
            &["<c a=\"1\" b=\"2\"><v>1</v></c>"],
            &["<c xmlns:x=\"urn:x\" b='2' a=\"&#51;\"><v x:w=\"1\">1</v></c>"]
        ),
        ["changed /c/@a -`1` +`3`", "added /c/v/@x:w +`1`"]
    );
    assert_eq!(
        told(
            &["<c><p a=\"1\"><q/></p><p a=\"2\"><q/></p></c>"],
            &["<c><p a=\"2\"><q/></p><p a=\"1\"><q/></p></c>"]
        ),
        [""; 0]
    );
    // Another namespace is another element.
    assert_eq!(
        told(&["<c xmlns=\"urn:a\"/>"], &["<c xmlns=\"urn:b\"/>"]),
        ["added /c +``", "removed /c -``"]
    );
}

#[test]
fn secrets_are_compared_and_never_shown() {
    let client = |secret: &str| format!("<client><secret>{secret}</secret></client>");
    let told = |before: &str, after: &str| told(&[&client(before)], &[&client(after)]);
    assert_eq!(told("first", "second"), ["changed /client/secret secret"]);
    assert_eq!(told("first", "first"), [""; 0]);
    // A parameter's name is none, its default is.
    assert_eq!(told("#{A}", "#{B}"), ["changed /client/secret -`#{A}` +`#{B}`"]);
    assert_eq!(told("first", "#{B}"), ["changed /client/secret secret"]);
    assert_eq!(told("#{A | first}", "#{A | second}"), ["changed /client/secret secret"]);
    assert_eq!(told("x#{A}", "#{A}"), ["changed /client/secret secret"]);
    let none = "<client><v>1</v></client>";
    let with = |secret: &str| format!("<client><v>1</v><secret>{secret}</secret></client>");
    assert_eq!(
        super::tests::told(&[none], &[&with("first")]),
        ["added /client/secret secret"]
    );
    assert_eq!(
        super::tests::told(&[&with("#{A}#{B}")], &[none]),
        ["removed /client/secret -`#{A}#{B}`"]
    );
}

#[test]
fn a_default_that_changes_is_a_change() {
    assert_eq!(
        told(&["<c><v>#{A | 1}</v></c>"], &["<c><v>#{A | 2}</v></c>"]),
        ["changed /c/v -`#{A | 1}` +`#{A | 2}`"]
    );
}

#[test]
fn files_without_a_tree_are_compared_as_they_are() {
    let read = |texts: &[&str]| super::super::testing::read(texts).0;
    let good = super::super::testing::config("<a>1</a>");
    let lines = |before: &[&str], after: &[&str]| {
        let changes = diff(&read(before), &read(after));
        changes
            .iter()
            .map(|change| format!("{} {}", line(change), change.subject))
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&[&good, "<broken"], &[&good, "<broken"]), [""; 0]);
    assert_eq!(
        lines(&[&good, "<broken"], &[&good, "<broken>"]),
        ["changed 1.xml file `1.xml`"]
    );
    assert_eq!(
        lines(&["<broken", &good], &[&good, &good]),
        ["changed 0.xml file `0.xml`"]
    );
    assert_eq!(lines(&[&good, "<broken"], &[&good]), ["removed 1.xml file `1.xml`"]);
}
