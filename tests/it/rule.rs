//! `iamship rule`: what a check means, without a project.

use crate::support::project::{Project, text};

#[test]
fn all_codes_are_listed_and_each_has_a_page() {
    let nowhere = Project::empty();
    let document = nowhere.json("rule", 0);
    assert_eq!(document["schema"], "iamship.rule/v1");
    let rules = document["rules"].as_array().expect("rules");
    assert!(rules.len() > 30);
    for rule in rules {
        assert!(
            ["error", "warning"].contains(&text(&rule["severity"]).as_str()),
            "{rule}"
        );
        assert!(!text(&rule["summary"]).is_empty());
    }
    let listed = nowhere.run("rule");
    listed.expect_code(0);
    assert_eq!(listed.stdout.lines().count(), rules.len());
    let page = nowhere.json("rule reference-dangling", 0);
    assert_eq!(page["rules"][0]["code"], "reference-dangling");
    assert!(text(&page["page"]).starts_with("# reference-dangling\n"));
    let shown = nowhere.run("rule reference-dangling");
    shown.expect_code(0);
    for words in [
        "# reference-dangling\n",
        "an id that nothing defines (error, can be allowed)",
        "## Mend",
    ] {
        assert!(shown.stdout.contains(words), "{words}: {}", shown.stdout);
    }
}

#[test]
fn a_misspelt_code_is_told_with_the_nearest() {
    let run = Project::empty().run("rule reference-dangeling");
    run.expect_code(2);
    assert!(run.stderr.contains("is `reference-dangling` meant?"), "{}", run.stderr);
}
