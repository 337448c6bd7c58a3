//! The names of records: what a listing tells before anything is read. All hints.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};

use super::RecordKind;
use crate::image::{Digest, Tag};
use crate::project::StageName;

/// How many hexadecimal digits of a record's digest its tags carry.
const SHORT: usize = 16;
const TIME_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// `sha256-<64 hex of the image>.iamship-<kind>-<16 hex of the record>`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordTag {
    /// The image.
    pub subject: Digest,
    /// The act.
    pub kind: RecordKind,
    record: String,
}

impl RecordTag {
    /// The name of the record of that digest.
    pub fn new(subject: Digest, kind: RecordKind, record: &Digest) -> Self {
        Self {
            subject,
            kind,
            record: record.hex()[..SHORT].to_owned(),
        }
    }

    /// Reads a tag; `None` for all others.
    pub fn parse(tag: &Tag) -> Option<Self> {
        let (subject, rest) = tag.as_str().strip_prefix("sha256-")?.split_once(".iamship-")?;
        let (kind, record) = rest.split_once('-')?;
        Some(Self {
            subject: Digest::from_hex(subject).ok()?,
            kind: kind.parse().ok()?,
            record: short_hex(record)?,
        })
    }

    /// The tags of one kind of records about an image, for people: `sha256-<hex>.iamship-tested-*`.
    pub fn pattern(subject: &Digest, kind: RecordKind) -> String {
        format!("sha256-{}.iamship-{kind}-*", subject.hex())
    }

    /// Whether the record of that digest may have this tag.
    pub fn names(&self, record: &Digest) -> bool {
        record.hex().starts_with(&self.record)
    }

    /// As in a store.
    pub fn to_tag(&self) -> Tag {
        tag(self)
    }
}

impl fmt::Display for RecordTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, kind, record } = self;
        write!(formatter, "sha256-{}.iamship-{kind}-{record}", subject.hex())
    }
}

/// `iamship-<stage>-<UTC time>-<16 hex of the record>`
///
/// Ordered by stage, then time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistoryTag {
    /// Where the promotion went.
    pub stage: StageName,
    /// When, to the second.
    pub at: Timestamp,
    record: String,
}

impl HistoryTag {
    pub(super) fn new(stage: &StageName, at: Timestamp, record: &Digest) -> Self {
        Self {
            stage: stage.clone(),
            at: Timestamp::from_second(at.as_second()).unwrap_or(at),
            record: record.hex()[..SHORT].to_owned(),
        }
    }

    /// Reads a tag; `None` for all others. A stage's name may hold `-`.
    pub fn parse(tag: &Tag) -> Option<Self> {
        let (rest, record) = tag.as_str().strip_prefix("iamship-")?.rsplit_once('-')?;
        let (stage, time) = rest.rsplit_once('-')?;
        let civil = jiff::civil::DateTime::strptime(TIME_FORMAT, time).ok()?;
        let read = Self {
            stage: stage.parse().ok()?,
            at: civil.to_zoned(TimeZone::UTC).ok()?.timestamp(),
            record: short_hex(record)?,
        };
        // Times can be written in several ways, tags in one.
        (read.to_string() == tag.as_str()).then_some(read)
    }

    /// Whether the record of that digest may have this tag.
    pub fn names(&self, record: &Digest) -> bool {
        record.hex().starts_with(&self.record)
    }

    /// As in a store.
    pub fn to_tag(&self) -> Tag {
        tag(self)
    }
}

impl fmt::Display for HistoryTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, at, record } = self;
        write!(formatter, "iamship-{stage}-{}-{record}", at.strftime(TIME_FORMAT))
    }
}

fn short_hex(text: &str) -> Option<String> {
    let fits = text.len() == SHORT && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    fits.then(|| text.to_owned())
}

fn tag(name: &impl fmt::Display) -> Tag {
    #[expect(
        clippy::expect_used,
        reason = "made of characters that tags may have, at most 106 of them"
    )]
    name.to_string().parse().expect("names of records are tags")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> (Option<RecordTag>, Option<HistoryTag>) {
        let tag: Tag = text.parse().expect(text);
        (RecordTag::parse(&tag), HistoryTag::parse(&tag))
    }

    #[test]
    fn a_stage_may_hold_hyphens_and_look_like_a_time() {
        let record = Digest::of(b"record");
        let at: Timestamp = "2026-01-02T03:04:05.678Z".parse().expect("time");
        for stage in [
            "prod",
            "eu-west-prod",
            "20260102t030405z",
            "a-0123456789abcdef",
            "iamship-x",
        ] {
            let stage: StageName = stage.parse().expect(stage);
            let tag = HistoryTag::new(&stage, at, &record).to_tag();
            assert_eq!(
                tag.as_str(),
                format!("iamship-{stage}-20260102T030405Z-{}", &record.hex()[..16])
            );
            let read = HistoryTag::parse(&tag).expect("reads");
            assert_eq!(
                (&read.stage, read.at.to_string().as_str()),
                (&stage, "2026-01-02T03:04:05Z")
            );
            assert!(read.names(&record) && !read.names(&Digest::of(b"other")));
        }
    }

    #[test]
    fn other_tags_are_passed_over() {
        let hex = Digest::of(b"image").hex();
        let short = "0123456789abcdef";
        for text in [
            "latest",
            "prod",
            "prod-20260102-1",
            &format!("sha256-{hex}"),
            &format!("sha256-{hex}.sig"),
            &format!("sha256-{hex}.att"),
            &format!("sha256-{hex}.iamship-built"),
            &format!("sha256-{hex}.iamship-built-"),
            &format!("sha256-{hex}.iamship-other-{short}"),
            &format!("sha256-{hex}.iamship-built-{}", short.to_uppercase()),
            &format!("sha256-{hex}.iamship-built-x-{short}"),
            &format!("sha256-{}.iamship-built-{short}", &hex[1..]),
            "iamship-prod",
            "iamship-",
            "iamship---",
            &format!("iamship-prod-20261302T030405Z-{short}"),
            &format!("iamship-prod-20260102T030405-{short}"),
            &format!("iamship-prod-20260102T030460Z-{short}"),
            &format!("iamship-prod-_0260102T030405Z-{short}"),
            &format!("iamship--20260102T030405Z-{short}"),
            &format!("iamship-PROD-20260102T030405Z-{short}"),
            &format!("iamship-prod-20260102T030405Z-{short}0"),
        ] {
            assert_eq!(parsed(text), (None, None), "{text}");
        }
    }

    proptest! {
        #[test]
        fn tags_read_as_written(
            stage in "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?",
            second in 0_i64..253_402_300_799,
            bytes: [u8; 4],
            kind in 0_usize..6,
        ) {
            let at = Timestamp::from_second(second).expect("in range");
            let history = HistoryTag::new(&stage.parse().expect("stage"), at, &Digest::of(&bytes));
            prop_assert_eq!(HistoryTag::parse(&history.to_tag()), Some(history.clone()));
            prop_assert_eq!(RecordTag::parse(&history.to_tag()), None);
            let record = RecordTag::new(Digest::of(b"x"), RecordKind::ALL[kind], &Digest::of(&bytes));
            prop_assert_eq!(RecordTag::parse(&record.to_tag()), Some(record.clone()));
            prop_assert_eq!(HistoryTag::parse(&record.to_tag()), None);
        }

        #[test]
        fn no_tag_panics_and_what_reads_writes_the_same(text in "(iamship-|sha256-)?[A-Za-z0-9_][A-Za-z0-9._-]{0,100}") {
            let Ok(tag) = text.parse::<Tag>() else { return Ok(()) };
            if let Some(read) = HistoryTag::parse(&tag) {
                prop_assert_eq!(read.to_tag(), tag.clone());
            }
            if let Some(read) = RecordTag::parse(&tag) {
                prop_assert_eq!(read.to_tag(), tag);
            }
        }
    }
}
