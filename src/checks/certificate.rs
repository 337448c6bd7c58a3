//! Certificates that expired, will soon, or are not valid yet, in stages' values and in the configuration itself.
//!
//! The notice is 30 days (a warning), 14 days (a warning that says so) and 7 days (an error). A certificate that lives
//! for less than 90 days is renewed by a machine: its notices are a third, a sixth and a twelfth of its life. In a
//! store of several authorities one that expired is a warning: nobody is shut out by it.

use jiff::{SignedDuration, Timestamp};

use super::Context;
use super::carried::{Carried, Carrier, Said, and_others, each, in_bundle, in_values};
use super::view::View;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::project::StageName;
use crate::values::material::{Certificate, Material};

/// Notices, in days.
const NOTICES: [i64; 3] = [30, 14, 7];
/// The same for short lives, as parts of the life.
const PARTS: [i32; 3] = [3, 6, 12];

/// A certificate on the line of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Whose value carries it; none where the configuration does, which all stages have.
    pub stage: Option<StageName>,
    /// The parameter, or the path of the configuration's element.
    pub place: String,
    /// Its common name.
    pub subject: String,
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ends to be valid.
    pub not_after: Timestamp,
    /// How it stands at the time of asking.
    pub standing: Standing,
    /// How bad that is; none when it is fine.
    pub severity: Option<Severity>,
}

/// How a certificate stands at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is no longer valid.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// Within the last notice: 7 days.
    Last,
    /// Within the second notice: 14 days.
    Second,
    /// Within the first notice: 30 days.
    First,
    /// Good for longer.
    Fine,
}

impl Standing {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::Last => "7-days",
            Self::Second => "14-days",
            Self::First => "30-days",
            Self::Fine => "fine",
        }
    }

    /// How a certificate stands.
    pub fn of(certificate: &Certificate, now: Timestamp) -> Self {
        if now > certificate.not_after {
            return Self::Expired;
        }
        if now < certificate.not_before {
            return Self::NotYetValid;
        }
        let left = certificate.not_after.duration_since(now);
        let life = certificate.not_after.duration_since(certificate.not_before);
        let within = |index: usize| {
            let notice = SignedDuration::from_hours(24 * NOTICES[index]);
            left <= notice.min(life / PARTS[index])
        };
        match () {
            () if within(2) => Self::Last,
            () if within(1) => Self::Second,
            () if within(0) => Self::First,
            () => Self::Fine,
        }
    }

    fn code(self) -> Option<Code> {
        match self {
            Self::Expired => Some(Code::CertificateExpired),
            Self::NotYetValid => Some(Code::CertificateNotYetValid),
            Self::Last | Self::Second | Self::First => Some(Code::CertificateExpires),
            Self::Fine => None,
        }
    }

    fn severity(self, material: &Material) -> Option<Severity> {
        match self {
            Self::Fine => None,
            Self::First | Self::Second => Some(Severity::Warning),
            _ if is_store(material) => Some(Severity::Warning),
            Self::Expired | Self::NotYetValid | Self::Last => Some(Severity::Error),
        }
    }
}

/// Several authorities and nothing else: whoever verifies takes the one that fits.
fn is_store(material: &Material) -> bool {
    let mut certificates = material.certificates.iter();
    material.certificates.len() > 1
        && material.private_keys.is_empty()
        && certificates.all(|certificate| certificate.is_root || certificate.is_authority)
}

/// Every certificate of all stages' values and of the configuration, the soonest first.
pub fn expiries(context: &Context<'_>) -> Vec<Expiry> {
    let mut carried = in_values(context.all_stages);
    carried.extend(in_bundle(context.bundle));
    let mut expiries: Vec<_> = carried
        .iter()
        .flat_map(|carried| {
            let certificates = carried.material.certificates.iter();
            certificates.map(|certificate| expiry(carried, certificate, context.now))
        })
        .collect();
    expiries.sort_by(|one, other| (one.not_after, &one.place).cmp(&(other.not_after, &other.place)));
    expiries
}

fn expiry(carried: &Carried<'_>, certificate: &Certificate, now: Timestamp) -> Expiry {
    let standing = Standing::of(certificate, now);
    Expiry {
        stage: match &carried.by {
            Carrier::Value { stage, .. } => Some(stage.name.clone()),
            Carrier::Literal { .. } => None,
        },
        place: carried.by.name(),
        subject: certificate.subject.clone(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        standing,
        severity: standing.severity(&carried.material),
    }
}

/// One finding for each value and code, told by the certificate that needs attention first.
pub(super) fn find(view: &View<'_>, carried: &[Carried<'_>], now: Timestamp) -> Vec<Diagnostic> {
    let codes = [
        Code::CertificateExpired,
        Code::CertificateNotYetValid,
        Code::CertificateExpires,
    ];
    codes
        .iter()
        .flat_map(|code| of_code(view, carried, now, *code))
        .collect()
}

fn of_code(view: &View<'_>, carried: &[Carried<'_>], now: Timestamp, code: Code) -> Vec<Diagnostic> {
    each(view, carried, code, |carried| {
        let of_code = |certificate: &&Certificate| Standing::of(certificate, now).code() == Some(code);
        let mut fitting: Vec<_> = carried.material.certificates.iter().filter(of_code).collect();
        fitting.sort_by_key(|certificate| certificate.not_after);
        let certificate = *fitting.first()?;
        let standing = Standing::of(certificate, now);
        let which = and_others(&certificate.subject, fitting.len() - 1);
        let (verb, day) = match standing {
            Standing::Expired => ("expired on", certificate.not_after),
            Standing::NotYetValid => ("is not valid before", certificate.not_before),
            _ => ("expires on", certificate.not_after),
        };
        Some(Said {
            message: format!(
                "the certificate {which} in {{owner}} {verb} {}",
                day.strftime("%Y-%m-%d")
            ),
            severity: standing.severity(&carried.material)?,
            label: distance(now, day),
            help: match standing {
                Standing::NotYetValid => "give {owner} one that is valid today".to_owned(),
                _ => "renew it, and give {owner} the new one".to_owned(),
            },
            literal_help: "put the new one here, or a placeholder where stages need one each",
        })
    })
}

/// `in 3 days`, `12 hours ago`
fn distance(now: Timestamp, then: Timestamp) -> String {
    let hours = then.duration_since(now).as_hours();
    let length = match hours.abs() {
        hours @ 0..48 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    };
    if then < now {
        format!("{length} ago")
    } else {
        format!("in {length}")
    }
}

#[cfg(test)]
mod tests;
