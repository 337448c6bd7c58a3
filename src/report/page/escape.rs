//! How every text gets into the page: as text, and seen.

use std::fmt::{Result, Write};

/// Escapes for elements and quoted attributes, and shows what would not be seen: control characters, and those that turn
/// the direction of what follows, as `⟨U+202E⟩`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Visible;

impl askama::filters::Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut to: W, text: &str) -> Result {
        let mut rest = text;
        while let Some(at) = rest.find(is_special) {
            to.write_str(&rest[..at])?;
            let mut characters = rest[at..].chars();
            if let Some(character) = characters.next() {
                write(&mut to, character)?;
            }
            rest = characters.as_str();
        }
        to.write_str(rest)
    }
}

fn write(to: &mut impl Write, character: char) -> Result {
    match character {
        '<' => to.write_str("&lt;"),
        '>' => to.write_str("&gt;"),
        '&' => to.write_str("&amp;"),
        '"' => to.write_str("&quot;"),
        '\'' => to.write_str("&#39;"),
        '`' => to.write_str("&#96;"),
        hidden => write!(to, "⟨U+{:04X}⟩", u32::from(hidden)),
    }
}

fn is_special(character: char) -> bool {
    matches!(character, '<' | '>' | '&' | '"' | '\'' | '`') || is_hidden(character)
}

/// Controls but line breaks and tabs; marks, embeddings, overrides and isolates of direction; zero widths; separators
/// that end a line; tags.
fn is_hidden(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\t'))
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use askama::filters::Escaper as _;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        Visible.write_escaped_str(&mut out, text).unwrap();
        out
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(
            escaped("</script><b a=\"x\" c='`'>&"),
            "&lt;/script&gt;&lt;b a=&quot;x&quot; c=&#39;&#96;&#39;&gt;&amp;"
        );
    }

    #[test]
    fn what_would_not_be_seen_is_shown() {
        assert_eq!(escaped("web\u{202e}nimda\u{0}"), "web⟨U+202E⟩nimda⟨U+0000⟩");
        assert_eq!(
            escaped("a\u{200b}b\u{feff}\u{2066}\u{e0041}"),
            "a⟨U+200B⟩b⟨U+FEFF⟩⟨U+2066⟩⟨U+E0041⟩"
        );
        assert_eq!(escaped("Zoë 🦀\n\t日本"), "Zoë 🦀\n\t日本");
    }
}
