//! The commands that gates tell: what was asked for, and what lets it pass.

use super::super::evidence::{Evidence, Request};

impl Evidence {
    /// The command that asks for this promotion or rollback with another request.
    pub(super) fn command(&self, request: &Request) -> String {
        let (from, to) = (&self.from.name, &self.to.name);
        let mut words = Vec::new();
        let named = request.digest.as_ref();
        // A rollback goes from a stage to itself.
        if from == to {
            words.push(format!("iamship rollback {to}"));
            words.extend(named.map(|digest| format!("--to {digest}")));
        } else {
            words.push(format!("iamship promote {from} {to}"));
            words.extend(named.map(|digest| format!("--digest {digest}")));
        }
        words.extend(
            request
                .expect_current
                .map(|digest| format!("--expect-current {digest}")),
        );
        if from != to {
            words.extend(request.allow_older.then(|| "--allow-older".to_owned()));
        }
        let allowed = request.allow_removal.iter();
        words.extend(allowed.map(|name| format!("--allow-removal {}", quoted(name))));
        words.extend(request.clear_hold.map(|record| format!("--clear-hold {record}")));
        let reason = request.override_freeze.as_deref();
        words.extend(reason.map(|reason| format!("--override-freeze {}", quoted(reason))));
        words.join(" ")
    }
}

/// A text as a shell's word.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.,:/@+".contains(letter);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{digest, evidence};
    use super::*;

    #[test]
    fn what_was_asked_for_is_kept_and_reasons_are_one_word_of_a_shell() {
        let mut evidence = evidence();
        assert_eq!(evidence.command(&Request::default()), "iamship promote staging prod");
        let request = Request {
            expect_current: Some(digest("old")),
            allow_older: true,
            digest: Some("1.0-new".into()),
            clear_hold: Some(digest("record")),
            override_freeze: Some("it's down".into()),
            allow_removal: vec!["client:web".into(), "data source `main`".into()],
        };
        assert_eq!(
            evidence.command(&request),
            format!(
                "iamship promote staging prod --digest 1.0-new --expect-current {} --allow-older \
                 --allow-removal client:web --allow-removal 'data source `main`' --clear-hold {} --override-freeze 'it'\\''s down'",
                digest("old"),
                digest("record")
            )
        );
        evidence.from = evidence.to.clone();
        let back = Request {
            clear_hold: None,
            override_freeze: None,
            allow_removal: Vec::new(),
            ..request
        };
        assert_eq!(
            evidence.command(&back),
            format!("iamship rollback prod --to 1.0-new --expect-current {}", digest("old"))
        );
    }
}
