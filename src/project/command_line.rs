//! A program and its arguments in one text, as a shell would part them. No shell ever sees it.

use std::fmt;
use std::str::FromStr;

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The program: a name that is looked for in `PATH`, or a path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

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
    #[error("a quote is not closed")]
    Quote,
    /// A word that only a shell understands.
    #[error("no shell reads it, so `{0}` means nothing: write a script and name that")]
    Shell(&'static str),
}

/// What a shell would act on.
const SHELL_WORDS: &[&str] = &["|", "||", "&", "&&", ";", "<", ">", ">>", "2>&1"];

impl FromStr for CommandLine {
    type Err = InvalidCommandLine;

    fn from_str(text: &str) -> Result<Self, InvalidCommandLine> {
        let mut words = words(text)?.into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        Ok(Self {
            program: program.ok_or(InvalidCommandLine::Empty)?,
            arguments: words.collect(),
        })
    }
}

/// Words parted by blanks; `'…'` is taken as it stands, in `"…"` and outside of quotes `\` takes the next character.
fn words(text: &str) -> Result<Vec<String>, InvalidCommandLine> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut plain = true;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c.is_whitespace() {
            push(&mut words, word.take(), plain)?;
            plain = true;
            continue;
        }
        let word = word.get_or_insert_default();
        match c {
            '\'' | '"' => {
                plain = false;
                quoted(&mut characters, c, word)?;
            }
            '\\' => word.push(characters.next().ok_or(InvalidCommandLine::Quote)?),
            other => word.push(other),
        }
    }
    push(&mut words, word, plain)?;
    Ok(words)
}

fn quoted(characters: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Result<(), InvalidCommandLine> {
    loop {
        match characters.next().ok_or(InvalidCommandLine::Quote)? {
            end if end == quote => return Ok(()),
            '\\' if quote == '"' => word.push(characters.next().ok_or(InvalidCommandLine::Quote)?),
            other => word.push(other),
        }
    }
}

fn push(words: &mut Vec<String>, word: Option<String>, plain: bool) -> Result<(), InvalidCommandLine> {
    let Some(word) = word else { return Ok(()) };
    match SHELL_WORDS.iter().find(|shell| plain && **shell == word) {
        Some(shell) => Err(InvalidCommandLine::Shell(shell)),
        None => {
            words.push(word);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parted(text: &str) -> Vec<String> {
        let line: CommandLine = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        std::iter::once(line.program).chain(line.arguments).collect()
    }

    #[test]
    fn words_are_parted_as_a_shell_parts_them() {
        assert_eq!(parted("  npx  playwright test "), ["npx", "playwright", "test"]);
        assert_eq!(
            parted(r#"a 'b c' "d \" e" f\ g '' "|""#),
            ["a", "b c", "d \" e", "f g", "", "|"]
        );
        assert_eq!(parted("a --x='y z'$HOME"), ["a", "--x=y z$HOME"]);
    }

    #[test]
    fn what_needs_a_shell_or_has_no_end_is_refused() {
        for (text, error) in [
            ("", InvalidCommandLine::Empty),
            ("''", InvalidCommandLine::Empty),
            ("a 'b", InvalidCommandLine::Quote),
            ("a \"b", InvalidCommandLine::Quote),
            ("a \\", InvalidCommandLine::Quote),
            ("a | b", InvalidCommandLine::Shell("|")),
            ("a > b", InvalidCommandLine::Shell(">")),
        ] {
            assert_eq!(text.parse::<CommandLine>(), Err(error), "{text}");
        }
    }
}
