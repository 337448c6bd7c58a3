//! `enter = { freeze = […] }`: when nothing new may come to a stage. Once, between two moments, or every week.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{Disambiguation, TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp, ToSpan as _};

use super::read::{Table, Value};
use crate::diagnostic::{Code, Diagnostic};

/// When nothing new may come to a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// When.
    pub window: Window,
    /// `reason`
    pub reason: Option<String>,
}

/// A stretch of time; its end is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Window {
    /// Once.
    Once {
        /// Its first moment.
        from: Timestamp,
        /// The first moment after it.
        until: Timestamp,
    },
    /// Every week.
    Weekly {
        /// When it begins, by the clocks of the zone.
        from: WeekTime,
        /// When it ends.
        until: WeekTime,
        /// Whose clocks.
        zone: TimeZone,
    },
}

/// `fri 16:00`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeekTime {
    /// The day.
    pub day: Weekday,
    /// The time of that day.
    pub time: Time,
}

impl Window {
    /// When it ends, if `now` is in it.
    ///
    /// A time that clocks show twice begins a window the first time and ends one the second time; of a time that clocks
    /// skip, the window gets what is next to it on its outer side.
    pub fn ends_after(&self, now: Timestamp) -> Option<Timestamp> {
        let (from, until) = match self {
            Self::Once { from, until } => (*from, *until),
            Self::Weekly { from, until, zone } => latest(*from, *until, zone, now)?,
        };
        (from <= now && now < until).then_some(until)
    }
}

/// The newest of a weekly window's turns that has begun. None at the ends of the calendar.
fn latest(from: WeekTime, until: WeekTime, zone: &TimeZone, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let today = now.to_zoned(zone.clone()).date();
    let since = i64::from(today.weekday().since(from.day));
    let begun = |weeks: i64| {
        let date = today.checked_sub(Span::new().try_days(since + 7 * weeks).ok()?).ok()?;
        let from = moment(zone, date.to_datetime(from.time), Disambiguation::Earlier)?;
        (from <= now).then_some((date, from))
    };
    let (date, begins) = begun(0).or_else(|| begun(1))?;
    let days = match until.day.since(from.day) {
        0 if until.time <= from.time => 7,
        days => days,
    };
    let last: Date = date.checked_add(days.days()).ok()?;
    let ends = moment(zone, last.to_datetime(until.time), Disambiguation::Later)?;
    Some((begins, ends))
}

fn moment(zone: &TimeZone, civil: DateTime, which: Disambiguation) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(civil).disambiguate(which).ok()
}

pub(super) fn read(value: Value<'_>) -> Vec<Freeze> {
    let items = value.one_or_list();
    items.iter().filter_map(read_one).collect()
}

fn read_one(item: &Value<'_>) -> Option<Freeze> {
    let table = item.table("the freeze")?;
    let zone_value = table.get("zone");
    let zone = zone_value.as_ref().and_then(read_zone);
    let from = table.need("from", "\"2026-12-20\"` or `from = \"fri 16:00\"");
    let until = table.need("until", "\"2027-01-03\"` or `until = \"mon 08:00\"");
    let ends = [from.as_ref().and_then(read_end), until.as_ref().and_then(read_end)];
    let reason = table.get("reason").and_then(|value| value.text().map(str::to_owned));
    // A zone that is none was told of; what lacks one only for that is not told again.
    let is_sound = zone_value.is_none() || zone.is_some();
    let window = match (ends, is_sound) {
        ([Some(from), Some(until)], true) => window(&table, item, from, until, zone),
        _ => None,
    };
    table.finish();
    Some(Freeze {
        window: window?,
        reason,
    })
}

/// One end of a window, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// `2026-12-20T00:00Z`
    At(Timestamp),
    /// `2026-12-20`, `2026-12-20T18:00`: by the clocks of a zone.
    Civil(DateTime),
    /// `fri 16:00`
    Weekly(WeekTime),
}

fn read_end(value: &Value<'_>) -> Option<End> {
    let text = value.time_text()?;
    let end = text
        .parse()
        .map(End::At)
        .ok()
        .or_else(|| text.parse().map(End::Civil).ok())
        .or_else(|| week_time(&text).map(End::Weekly));
    end.or_else(|| {
        value.refuse(
            format!("`{text}` is no time to freeze at"),
            "write `2026-12-20`, `2026-12-20T18:00`, `2026-12-20T18:00Z`, or for every week `fri 16:00`".to_owned(),
        )
    })
}

fn week_time(text: &str) -> Option<WeekTime> {
    const DAYS: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let (day, time) = text.trim().split_once(' ')?;
    let day = day.to_lowercase();
    let is_meant = |name: &str| name == day || name[..3] == *day;
    let (_, day) = DAYS.into_iter().find(|(name, _)| is_meant(name))?;
    let time = time.trim();
    let time = Time::strptime("%H:%M", time).or_else(|_| Time::strptime("%H:%M:%S", time));
    Some(WeekTime { day, time: time.ok()? })
}

fn read_zone(value: &Value<'_>) -> Option<TimeZone> {
    let name = value.text()?;
    // Not the machine's own: a window must be the same on each of them.
    match TimeZoneDatabase::bundled().get(name) {
        Ok(zone) => Some(zone),
        Err(_) => value.refuse(
            format!("`{name}` is no time zone"),
            "write a name of the IANA database: `Europe/Berlin`, `UTC`".to_owned(),
        ),
    }
}

fn window(table: &Table<'_>, item: &Value<'_>, from: End, until: End, zone: Option<TimeZone>) -> Option<Window> {
    if zone.is_none() && [from, until].iter().any(|end| !matches!(end, End::At(_))) {
        let diagnostic = Diagnostic::new(Code::ProjectMissing, "the freeze does not say by whose clocks");
        let diagnostic = diagnostic.at(table.span(), "").help("write `zone = \"Europe/Berlin\"`");
        table.problems().push(diagnostic);
        return None;
    }
    let zone = zone.unwrap_or(TimeZone::UTC);
    let window = match (from, until) {
        (End::Weekly(from), End::Weekly(until)) if from == until => {
            return item.refuse("the freeze would never end", None);
        }
        (End::Weekly(from), End::Weekly(until)) => Window::Weekly { from, until, zone },
        (End::Weekly(_), _) | (_, End::Weekly(_)) => {
            return item.refuse("a freeze is every week, or between two dates, not both", None);
        }
        (from, until) => Window::Once {
            from: once(from, &zone, Disambiguation::Earlier)?,
            until: once(until, &zone, Disambiguation::Later)?,
        },
    };
    match window {
        Window::Once { from, until } if until <= from => item.refuse("the freeze ends before it begins", None),
        window => Some(window),
    }
}

fn once(end: End, zone: &TimeZone, which: Disambiguation) -> Option<Timestamp> {
    match end {
        End::At(at) => Some(at),
        End::Civil(civil) => moment(zone, civil, which),
        End::Weekly(_) => None,
    }
}

#[cfg(test)]
mod tests;
