//! A command in one line, split into words as a shell would; no shell ever reads it.

/// What only a shell understands.
const OPERATORS: &str = "|&;<>()$`*?{}~#\n";

/// Splits at blanks. `'…'` is literal, `"…"` takes `\"` and `\\`, `\x` is `x`.
///
/// # Errors
/// What only a shell understands, a quote without its end, or no word at all: said so that it can be shown.
pub(super) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    let unclosed = |quote: char| format!("the quote `{quote}` has no end");
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or_else(|| unclosed('\''))? {
                        '\'' => break,
                        inner => word.push(inner),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or_else(|| unclosed('"'))? {
                        '"' => break,
                        '\\' => match characters.next().ok_or_else(|| unclosed('"'))? {
                            escaped @ ('"' | '\\') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        '$' | '`' => return Err(shell('$')),
                        inner => word.push(inner),
                    }
                }
            }
            '\\' => {
                let escaped = characters.next().ok_or("nothing follows the last `\\`")?;
                word.get_or_insert_default().push(escaped);
            }
            operator if OPERATORS.contains(operator) => return Err(shell(operator)),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    match words.first() {
        Some(program) if !program.is_empty() => Ok(words),
        _ => Err("it names no program".to_owned()),
    }
}

fn shell(operator: char) -> String {
    format!("no shell reads it, so `{}` means nothing", operator.escape_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_a_shell_would_make_of_them() {
        for (text, words) in [
            ("sops -d secrets/prod.json", &["sops", "-d", "secrets/prod.json"][..]),
            ("  op\titem  get ", &["op", "item", "get"]),
            (
                r#"a 'b  $c' "d \"e\" \n" f\ g h"i"'j'"#,
                &["a", "b  $c", "d \"e\" \\n", "f g", "hij"],
            ),
            ("a '' \"\"", &["a", "", ""]),
            ("sh -c 'sops -d x | jq .'", &["sh", "-c", "sops -d x | jq ."]),
            ("a --x=é", &["a", "--x=é"]),
        ] {
            assert_eq!(split(text).expect(text), words, "{text}");
        }
    }

    #[test]
    fn what_only_a_shell_understands_is_refused() {
        for text in [
            "a | b",
            "a > b",
            "a $HOME",
            "a \"$HOME\"",
            "a `b`",
            "a; b",
            "a && b",
            "a *.env",
            "~/a",
        ] {
            assert!(split(text).is_err_and(|told| told.contains("no shell")), "{text}");
        }
        for text in ["", "  ", "'' a", "a 'b", "a \"b", "a \"b\\", "a \\"] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
