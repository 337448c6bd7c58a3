//! The page in a real browser: light, dark, narrow, on paper, by keyboard, and as a screen reader's rules want it.

use std::path::PathBuf;

use iamship::report::page::Page;
use serde_json::Value;

use super::{fixture, folder};
use crate::support::browser::Browser;

const TAB: u32 = 9;
const ENTER: u32 = 13;

/// Writes a page for the browser. It is left there for people to look at.
fn page(name: &str, page: &Page) -> PathBuf {
    let file = folder().join(format!("{name}.html"));
    std::fs::write(&file, page.html().expect("a page")).expect("written");
    file
}

fn all() -> Vec<(&'static str, Page)> {
    vec![
        ("ordinary", fixture::ordinary()),
        ("quiet", fixture::quiet()),
        ("empty", fixture::empty()),
        ("broken", fixture::broken()),
        ("hostile", fixture::hostile()),
        ("many", fixture::large(12, 60)),
    ]
}

#[test]
fn it_loads_without_a_complaint_in_every_light_and_width_and_asks_for_nothing() {
    let Some(mut browser) = Browser::start() else { return };
    for (name, data) in all() {
        let file = page(name, &data);
        browser.resize(1280, 900);
        browser.open(&file);
        assert_eq!(browser.complaints(), Vec::<String>::new(), "{name}");
        let asked = browser.requests();
        assert_eq!(asked.len(), 1, "{name}: {asked:?}");
        for (width, scheme) in [(1280, "light"), (1280, "dark"), (375, "light")] {
            browser.resize(width, 900);
            browser.scheme(scheme);
            let shown = browser.evaluate("document.documentElement.scrollWidth");
            assert_eq!(shown, width, "{name} is wider than the window");
            browser.picture(&folder().join(format!("{name}-{scheme}-{width}.png")), false);
        }
    }
}

#[test]
fn hostile_texts_stay_texts() {
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&page("hostile", &fixture::hostile()));
    assert_eq!(browser.evaluate("document.querySelectorAll('script').length"), 1);
    assert_eq!(browser.evaluate("document.querySelectorAll('img').length"), 0);
    assert_eq!(browser.evaluate("document.querySelectorAll('[onmouseover]').length"), 0);
    assert_eq!(browser.evaluate("document.querySelectorAll('style').length"), 1);
    let title = browser.evaluate("document.title");
    assert!(
        title
            .as_str()
            .is_some_and(|title| title.contains("<script>boom()</script>")),
        "{title}"
    );
}

#[test]
fn what_is_put_into_it_later_does_not_run() {
    let Some(mut browser) = Browser::start() else { return };
    let file = page("tampered", &fixture::ordinary());
    let html = std::fs::read_to_string(&file).expect("read");
    let html = html.replace(
        "</main>",
        "<script>window.boom = 1</script><img src=\"https://example.com/x\"></main>",
    );
    std::fs::write(&file, html).expect("written");
    browser.open(&file);
    assert_eq!(browser.evaluate("typeof window.boom"), "undefined");
    let complaints = browser.complaints();
    assert!(
        complaints.iter().any(|said| said.contains("Content Security Policy")),
        "{complaints:?}"
    );
}

#[test]
fn on_paper_everything_is_unfolded() {
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&page("paper", &fixture::ordinary()));
    let sheets = browser.print(&folder().join("ordinary.pdf"));
    assert!((2..12).contains(&sheets), "{sheets} sheets");
    browser.evaluate("dispatchEvent(new Event('beforeprint'))");
    assert_eq!(
        browser.evaluate("document.querySelectorAll('details:not([open])').length"),
        0
    );
    browser.evaluate("dispatchEvent(new Event('afterprint'))");
    assert_ne!(
        browser.evaluate("document.querySelectorAll('details:not([open])').length"),
        0
    );
}

/// What has the focus, and whether one sees it.
const FOCUS: &str = "(() => {
    const at = document.activeElement;
    const style = getComputedStyle(at);
    const box = at.getBoundingClientRect();
    return { name: at.localName, text: (at.innerText || at.ariaLabel || '').trim().slice(0, 40), hash: at.hash || '',
        seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && box.width > 0 && box.height > 0 };
})()";

#[test]
fn the_keyboard_reaches_everything_and_one_sees_where_it_is() {
    let Some(mut browser) = Browser::start() else { return };
    browser.resize(1280, 900);
    browser.open(&page("keyboard", &fixture::ordinary()));
    let mut visited: Vec<Value> = Vec::new();
    loop {
        browser.press("Tab", TAB);
        let focus = browser.evaluate(FOCUS);
        if focus["name"] == "body" || visited.len() > 200 {
            break;
        }
        assert_eq!(focus["seen"], true, "{focus}");
        visited.push(focus);
    }
    assert_eq!(visited[0]["text"], "Skip to the content");
    let reachable =
        "document.querySelectorAll('a[href], summary, button:not([hidden]), select, [tabindex=\"0\"]').length";
    let folded = "document.querySelectorAll('details:not([open]) [tabindex=\"0\"]').length";
    let (all, folded) = (browser.evaluate(reachable), browser.evaluate(folded));
    let expected = all.as_u64().expect("a number") - folded.as_u64().expect("a number");
    assert_eq!(visited.len() as u64, expected, "{visited:#?}");
    // The skip link leads past the navigation.
    browser.evaluate("document.activeElement.blur(); scrollTo(0, 0)");
    browser.open(&folder().join("keyboard.html"));
    browser.press("Tab", TAB);
    browser.press("Enter", ENTER);
    browser.press("Tab", TAB);
    let first = browser.evaluate("document.activeElement.closest('main') !== null");
    assert_eq!(first, true);
    // A change unfolds by keyboard.
    browser.evaluate("document.querySelector('details.change > summary').focus()");
    browser.press("Enter", ENTER);
    assert_eq!(browser.evaluate("document.querySelector('details.change').open"), true);
}

#[test]
fn the_history_is_filtered_and_says_how_much_is_left() {
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&page("filter", &fixture::large(12, 400)));
    let choose = |browser: &mut Browser, name: &str, value: &str| {
        browser.evaluate(&format!(
            "(() => {{ const field = document.querySelector('form.filter').elements['{name}']; field.value = '{value}'; \
             field.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()"
        ));
    };
    let shown = "[...document.querySelectorAll('.trail tbody tr:not([hidden])')]";
    assert_eq!(browser.evaluate(&format!("{shown}.length")), 400);
    choose(&mut browser, "stage", "region-03");
    assert_eq!(
        browser.evaluate(&format!("{shown}.every((row) => row.dataset.s === 'region-03')")),
        true
    );
    let said = browser.evaluate("document.querySelector('form.filter output').textContent");
    assert_eq!(said, "34 entries");
    choose(&mut browser, "stage", "");
    assert_eq!(browser.evaluate(&format!("{shown}.length")), 400);
}

#[test]
fn a_link_into_something_folded_unfolds_it() {
    let Some(mut browser) = Browser::start() else { return };
    browser.open(&page("links", &fixture::large(12, 20)));
    assert_eq!(
        browser.evaluate("document.getElementById('stage-region-05').open"),
        false
    );
    browser.evaluate("location.hash = '#stage-region-05'; new Promise((done) => setTimeout(done, 50))");
    assert_eq!(
        browser.evaluate("document.getElementById('stage-region-05').open"),
        true
    );
    let dangling = "[...document.querySelectorAll('a[href^=\"#\"]')].map((a) => a.hash)\
        .filter((hash) => !document.getElementById(decodeURIComponent(hash.slice(1))))";
    assert_eq!(browser.evaluate(dangling), Value::Array(Vec::new()));
}

#[test]
fn fifty_stages_and_a_thousand_promotions_open_at_once() {
    let Some(mut browser) = Browser::start() else { return };
    let data = fixture::large(50, 1_000);
    let bytes = data.html().expect("a page").len();
    assert!(bytes < 2_000_000, "{bytes}");
    let file = page("large", &data);
    browser.resize(1280, 900);
    browser.open(&file);
    let timing = browser.evaluate(
        "(() => { const t = performance.getEntriesByType('navigation')[0]; \
         return { interactive: t.domInteractive, loaded: t.loadEventEnd }; })()",
    );
    let scroll = browser.evaluate(
        "(async () => { let worst = 0; for (let y = 0; y < document.body.scrollHeight; y += 900) { \
         const start = performance.now(); scrollTo({ top: y, behavior: 'instant' }); \
         document.body.getBoundingClientRect(); worst = Math.max(worst, performance.now() - start); \
         } return worst; })()",
    );
    println!("{bytes} bytes, {timing}, slowest step of scrolling {scroll} ms");
    browser.picture(&folder().join("large.png"), false);
}

/// axe-core, where `ci/tools.sh` has put it.
#[test]
fn the_rules_of_accessibility_find_nothing() {
    let Some(mut browser) = Browser::start() else { return };
    let Some(script) = crate::support::browser::axe() else {
        return;
    };
    for (name, data) in all() {
        for scheme in ["light", "dark"] {
            browser.resize(1280, 900);
            browser.scheme(scheme);
            browser.open(&page(&format!("axe-{name}"), &data));
            // What is folded is to be read too.
            browser.evaluate("for (const details of document.querySelectorAll('details')) details.open = true");
            browser.evaluate(&script);
            let found = browser.evaluate(
                "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map((found) => \
                 `${found.impact} ${found.id}: ${found.help}: ${found.nodes.slice(0, 3).map((node) => node.html)}`))",
            );
            assert_eq!(found, Value::Array(Vec::new()), "{name} {scheme}");
        }
    }
}
