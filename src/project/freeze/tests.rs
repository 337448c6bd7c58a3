use super::*;
use crate::project::fixture::{Folder, MINIMAL};
use crate::project::{PROJECT_FILE, Project};

/// The freezes of a stage that says this, or what is wrong with them.
fn freezes(text: &str) -> Result<Vec<Freeze>, Vec<String>> {
    let folder = Folder::new();
    folder.write(
        PROJECT_FILE,
        &format!("{MINIMAL}\n[[stage]]\nname = \"later\"\nenter = {{ freeze = {text} }}\n"),
    );
    match Project::load(folder.path()) {
        Ok(project) => Ok(project.stages[1].enter.freezes.clone()),
        Err(found) => Err(found
            .iter()
            .map(|problem| format!("{} {}", problem.message, problem.help.join(" ")))
            .collect()),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// When the only freeze ends, asked at a time.
fn ends(text: &str, now: &str) -> Option<String> {
    let found = freezes(text).unwrap_or_else(|problems| panic!("{problems:?}"));
    found[0].window.ends_after(at(now)).map(|end| end.to_string())
}

#[test]
fn a_window_of_two_moments() {
    let holidays = "{ from = \"2026-12-20T00:00Z\", until = 2027-01-03T08:00:00+01:00, reason = \"holidays\" }";
    let end = Some("2027-01-03T07:00:00Z".to_owned());
    assert_eq!(ends(holidays, "2026-12-19T23:59:59Z"), None);
    assert_eq!(ends(holidays, "2026-12-20T00:00:00Z"), end);
    assert_eq!(ends(holidays, "2027-01-03T06:59:59Z"), end);
    assert_eq!(ends(holidays, "2027-01-03T07:00:00Z"), None);
    assert_eq!(freezes(holidays).expect("reads")[0].reason.as_deref(), Some("holidays"));
}

#[test]
fn days_begin_and_end_where_the_zone_is() {
    let days = "{ from = \"2026-06-30\", until = 2026-07-01, zone = \"Asia/Tokyo\" }";
    assert_eq!(ends(days, "2026-06-29T14:59:59Z"), None);
    assert_eq!(
        ends(days, "2026-06-29T15:00:00Z"),
        Some("2026-06-30T15:00:00Z".to_owned())
    );
}

#[test]
fn every_week_by_the_clocks_of_a_zone() {
    let weekend = "[{ from = \"Fri 16:00\", until = \"monday 08:00\", zone = \"Europe/Berlin\" }]";
    // Winter: one hour ahead; summer: two.
    assert_eq!(ends(weekend, "2026-11-27T14:59:59Z"), None);
    assert_eq!(
        ends(weekend, "2026-11-27T15:00:00Z"),
        Some("2026-11-30T07:00:00Z".to_owned())
    );
    assert_eq!(
        ends(weekend, "2026-11-30T06:59:59Z"),
        Some("2026-11-30T07:00:00Z".to_owned())
    );
    assert_eq!(ends(weekend, "2026-11-30T07:00:00Z"), None);
    assert_eq!(
        ends(weekend, "2026-07-03T14:00:00Z"),
        Some("2026-07-06T06:00:00Z".to_owned())
    );
    // Clocks change in that night: it begins by one and ends by the other.
    assert_eq!(
        ends(weekend, "2026-10-24T12:00:00Z"),
        Some("2026-10-26T07:00:00Z".to_owned())
    );
    for day in ["2026-11-24T12:00:00Z", "2026-11-26T23:00:00Z"] {
        assert_eq!(ends(weekend, day), None, "{day}");
    }
}

#[test]
fn within_one_day_and_almost_the_whole_week() {
    let noon = "{ from = \"wed 12:00\", until = \"wed 13:00\", zone = \"UTC\" }";
    assert_eq!(ends(noon, "2026-11-25T11:59:59Z"), None);
    assert_eq!(
        ends(noon, "2026-11-25T12:30:00Z"),
        Some("2026-11-25T13:00:00Z".to_owned())
    );
    let rest = "{ from = \"wed 13:00\", until = \"wed 12:00\", zone = \"UTC\" }";
    assert_eq!(ends(rest, "2026-11-25T12:30:00Z"), None);
    assert_eq!(
        ends(rest, "2026-11-25T11:59:59Z"),
        Some("2026-11-25T12:00:00Z".to_owned())
    );
    assert_eq!(
        ends(rest, "2026-11-25T13:00:00Z"),
        Some("2026-12-02T12:00:00Z".to_owned())
    );
}

/// In Berlin 02:30 is not there on 29 March, and there twice on 25 October 2026.
#[test]
fn clocks_that_change_make_a_window_no_shorter() {
    let from = "{ from = \"sun 02:30\", until = \"sun 06:00\", zone = \"Europe/Berlin\" }";
    assert_eq!(
        ends(from, "2026-03-29T00:30:00Z"),
        Some("2026-03-29T04:00:00Z".to_owned())
    );
    assert_eq!(
        ends(from, "2026-10-25T00:30:00Z"),
        Some("2026-10-25T05:00:00Z".to_owned())
    );
    let until = "{ from = \"sun 00:00\", until = \"sun 02:30\", zone = \"Europe/Berlin\" }";
    assert_eq!(
        ends(until, "2026-03-29T00:00:00Z"),
        Some("2026-03-29T01:30:00Z".to_owned())
    );
    assert_eq!(
        ends(until, "2026-10-25T01:00:00Z"),
        Some("2026-10-25T01:30:00Z".to_owned())
    );
}

#[test]
fn the_ends_of_the_calendar_are_no_panic() {
    let weekend = freezes("{ from = \"fri 16:00\", until = \"mon 08:00\", zone = \"Pacific/Kiritimati\" }");
    let window = weekend.expect("reads")[0].window.clone();
    for now in [Timestamp::MIN, Timestamp::MAX] {
        let _ = window.ends_after(now);
    }
}

#[test]
fn each_mistake_is_told_with_its_mend() {
    for (text, told) in [
        (
            "{ from = \"2026-12-20\", until = \"2027-01-03\" }",
            "zone = \"Europe/Berlin\"",
        ),
        (
            "{ from = \"fri 16:00\", until = \"mon 08:00\" }",
            "zone = \"Europe/Berlin\"",
        ),
        (
            "{ from = \"fri 16:00\", until = \"mon 08:00\", zone = \"Berlin\" }",
            "`Berlin` is no time zone",
        ),
        (
            "{ from = \"friday\", until = \"mon 08:00\", zone = \"UTC\" }",
            "`friday` is no time to freeze at",
        ),
        (
            "{ from = \"fry 16:00\", until = \"mon 08:00\", zone = \"UTC\" }",
            "`fri 16:00`",
        ),
        (
            "{ from = \"fri 25:00\", until = \"mon 08:00\", zone = \"UTC\" }",
            "is no time to freeze at",
        ),
        (
            "{ from = \"fri 16:00\", until = \"fri 16:00\", zone = \"UTC\" }",
            "would never end",
        ),
        (
            "{ from = \"fri 16:00\", until = \"2027-01-03\", zone = \"UTC\" }",
            "not both",
        ),
        (
            "{ from = \"2027-01-03\", until = \"2026-12-20\", zone = \"UTC\" }",
            "ends before it begins",
        ),
        ("{ until = \"2026-12-20T00:00Z\" }", "has no `from`"),
        ("{ from = \"2026-12-20T00:00Z\" }", "has no `until`"),
        ("{ from = 1, until = \"2027-01-03\" }", "must be a string"),
        ("{ form = \"2026-12-20T00:00Z\" }", "did you mean `from`?"),
        ("\"always\"", "must be a table"),
    ] {
        let found = freezes(text).expect_err(text);
        assert!(found.iter().any(|problem| problem.contains(told)), "{text}: {found:?}");
    }
}
