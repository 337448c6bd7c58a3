//! A program and its arguments in one text, as a shell would part them. No shell ever sees it.

use std::fmt;
use std::str::FromStr;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The program: a name that is looked for in `PATH`, or a path seen from the project.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl CommandLine {
    /// The program and its arguments; none when there is no program.
    pub fn of(words: Vec<String>) -> Option<Self> {
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty())?;
        Some(Self {
            program,
            arguments: words.collect(),
        })
    }
}

/// Shows the program; arguments may be nobody's business.
impl fmt::Display for CommandLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.program)
    }
}

/// A text that is no command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCommandLine {
    /// Nothing.
    #[error("it names no program")]
    Empty,
    /// A quote without its end.
    #[error("the quote `{0}` has no end")]
    Quote(char),
    /// A backslash at the end.
    #[error("nothing follows the last `\\`")]
    Backslash,
    /// What only a shell understands.
    #[error("no shell reads it, so `{}` means nothing", .0.escape_default())]
    Shell(char),
}

impl FromStr for CommandLine {
    type Err = InvalidCommandLine;

    fn from_str(text: &str) -> Result<Self, InvalidCommandLine> {
        Self::of(words(text)?).ok_or(InvalidCommandLine::Empty)
    }
}

/// What only a shell understands.
const OPERATORS: &str = "|&;<>()$`*?{}~#\n";

/// Splits at blanks. `'…'` is literal, `"…"` takes `\"` and `\\`, `\x` is `x`.
fn words(text: &str) -> Result<Vec<String>, InvalidCommandLine> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or(InvalidCommandLine::Quote('\''))? {
                        '\'' => break,
                        inner => word.push(inner),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or(InvalidCommandLine::Quote('"'))? {
                        '"' => break,
                        '\\' => match characters.next().ok_or(InvalidCommandLine::Quote('"'))? {
                            escaped @ ('"' | '\\') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        '$' | '`' => return Err(InvalidCommandLine::Shell('$')),
                        inner => word.push(inner),
                    }
                }
            }
            '\\' => {
                let escaped = characters.next().ok_or(InvalidCommandLine::Backslash)?;
                word.get_or_insert_default().push(escaped);
            }
            operator if OPERATORS.contains(operator) => return Err(InvalidCommandLine::Shell(operator)),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
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
            let line: CommandLine = text.parse().expect(text);
            let parted: Vec<_> = std::iter::once(line.program).chain(line.arguments).collect();
            assert_eq!(parted, words, "{text}");
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
            let refused = text.parse::<CommandLine>().expect_err(text);
            assert!(refused.to_string().contains("no shell"), "{text}");
        }
        for text in ["", "  ", "'' a", "a 'b", "a \"b", "a \"b\\", "a \\"] {
            assert!(text.parse::<CommandLine>().is_err(), "{text}");
        }
    }
}
