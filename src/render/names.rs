//! Names as consumers take them.

use crate::image::Digest;

/// The longest label of a host name (RFC 1123), which Kubernetes asks of most names.
const LONGEST_LABEL: usize = 63;
/// Room for what is put behind a name: `-secrets`, and a generator's hash.
const ROOM: usize = 20;

/// A name for a deployment of a project in a stage: `a-z 0-9 -`, at most 43, so that something can stand behind it.
///
/// Where the project's own name does not fit, some digits of its hash keep two projects apart.
pub(crate) fn workload_name(project: &str, stage: &str) -> String {
    let wanted = format!("{project}-{stage}");
    let mut name: String = wanted
        .chars()
        .map(|character| match character.to_ascii_lowercase() {
            fitting @ ('a'..='z' | '0'..='9' | '-') => fitting,
            _ => '-',
        })
        .collect();
    // A service's name must begin with a letter (RFC 1035).
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        name.insert_str(0, "x-");
    }
    if name == wanted && name.len() <= LONGEST_LABEL - ROOM {
        return name;
    }
    let hash = Digest::of(wanted.as_bytes()).to_string();
    let hash = &hash["sha256:".len()..][..8];
    name.truncate(LONGEST_LABEL - ROOM - hash.len() - 1);
    format!("{}-{hash}", name.trim_end_matches('-'))
}

/// A text as the value of a Kubernetes label, if it can be one.
pub(super) fn label_value(text: &str) -> Option<&str> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let fits = text.len() <= LONGEST_LABEL
        && text.bytes().all(inner)
        && ends(text.bytes().next())
        && ends(text.bytes().next_back());
    fits.then_some(text)
}

/// A port's name: at most 15 of `a-z 0-9 -` with a letter in it (RFC 6335); made from its number where it has no such
/// name.
pub(super) fn port_name(name: &str, number: u16) -> String {
    let lower = name.to_ascii_lowercase();
    let fits = lower.len() <= 15
        && lower
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && lower.bytes().any(|byte| byte.is_ascii_lowercase())
        && !lower.starts_with('-')
        && !lower.ends_with('-')
        && !lower.contains("--");
    if fits { lower } else { format!("port-{number}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plain_name_stays_and_two_that_would_collide_do_not() {
        assert_eq!(workload_name("shop", "prod"), "shop-prod");
        let (upper, dotted) = (workload_name("My.Shop", "prod"), workload_name("My_Shop", "prod"));
        assert!(upper.starts_with("my-shop-prod-"), "{upper}");
        assert_ne!(upper, dotted);
        assert!(workload_name("1st", "dev").starts_with("x-1st-dev-"));
    }

    proptest! {
        #[test]
        fn names_fit_rfc_1035(project in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", stage in "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?") {
            let name = workload_name(&project, &stage);
            prop_assert!(name.len() <= 43);
            prop_assert!(name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-'), "{}", name);
            prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        }
    }

    #[test]
    fn ports_and_labels_are_named_as_the_rules_say() {
        assert_eq!(port_name("runtime", 8443), "runtime");
        assert_eq!(port_name("a-name-that-is-too-long", 8443), "port-8443");
        assert_eq!(port_name("443", 443), "port-443");
        assert_eq!(label_value("1.0-0123456789ab"), Some("1.0-0123456789ab"));
        assert_eq!(label_value("-x"), None);
        assert_eq!(label_value(""), None);
        assert_eq!(label_value(&"x".repeat(64)), None);
    }
}
