//! All printing: the answer on stdout, everything else on stderr.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice as Choice};
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::arguments::{ColorChoice, Format, Global};
use crate::ops::{Event, Events};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// Where the program writes, and how.
pub(crate) struct Shell {
    format: Format,
    quiet: bool,
    choice: Choice,
    spinner: Option<ProgressBar>,
    unwritten: Mutex<Option<std::io::Error>>,
}

/// The colour of a word in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Good,
    Warning,
    Bad,
    Faint,
    Strong,
}

impl Shell {
    pub(crate) fn new(global: &Global) -> Self {
        let choice = match global.color {
            ColorChoice::Always => Choice::Always,
            ColorChoice::Never => Choice::Never,
            // Asks NO_COLOR, CLICOLOR, TERM and whether it is a terminal.
            ColorChoice::Auto => Choice::Auto,
        };
        let visible = std::io::stderr().is_terminal() && !global.no_progress && !global.quiet && global.verbose == 0;
        Self {
            format: global.format,
            quiet: global.quiet,
            choice,
            spinner: visible.then(spinner),
            unwritten: Mutex::default(),
        }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether stdout shows colours.
    pub(crate) fn is_colored(&self) -> bool {
        match self.choice {
            Choice::Auto => AutoStream::choice(&std::io::stdout()) != Choice::Never,
            choice => choice != Choice::Never,
        }
    }

    /// The answer, as text; it ends with one line break.
    pub(crate) fn answer(&self, text: impl AsRef<str>) {
        self.clear();
        let mut stdout = AutoStream::new(std::io::stdout(), self.choice);
        self.wrote(writeln!(stdout, "{}", text.as_ref().trim_end_matches('\n')));
    }

    /// The answer, as one JSON document.
    pub(crate) fn json(&self, document: &impl Serialize) {
        #[expect(clippy::expect_used, reason = "our own types with string keys always serialise")]
        let text = serde_json::to_string_pretty(document).expect("document serialises");
        self.answer(text);
    }

    /// A document for another program: byte for byte, whatever control characters stand in it.
    pub(crate) fn document(&self, text: &str) {
        self.clear();
        self.wrote(std::io::stdout().write_all(text.as_bytes()));
    }

    /// Remembers the first failure: what was begun goes on, and ends with it.
    fn wrote(&self, result: std::io::Result<()>) {
        if let (Err(error), Ok(mut unwritten)) = (result, self.unwritten.lock()) {
            unwritten.get_or_insert(error);
        }
    }

    /// Why not all answers are where they should be, if so; to be asked in the end. A reader that went away (`| head`)
    /// is no failure of ours.
    pub(crate) fn unwritten(&self) -> Option<std::io::Error> {
        self.wrote(std::io::stdout().flush());
        let error = self.unwritten.lock().ok().and_then(|mut error| error.take());
        error.filter(|error| error.kind() != std::io::ErrorKind::BrokenPipe)
    }

    /// A remark.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.error_line("note", FAINT, text.as_ref());
        }
    }

    /// Something that went another way than meant, but did not stop the work.
    pub(crate) fn warn(&self, text: impl AsRef<str>) {
        self.error_line("warning", WARNING, text.as_ref());
    }

    /// What stopped the work.
    pub(crate) fn error(&self, text: impl AsRef<str>) {
        self.error_line("error", BAD, text.as_ref());
    }

    /// A mend.
    pub(crate) fn help(&self, text: impl AsRef<str>) {
        self.error_line("help", GOOD, text.as_ref());
    }

    /// Text for stderr that is laid out already.
    pub(crate) fn aside(&self, text: impl AsRef<str>) {
        self.clear();
        let _ = writeln!(AutoStream::new(std::io::stderr(), self.choice), "{}", text.as_ref());
    }

    fn error_line(&self, word: &str, style: Style, text: &str) {
        self.aside(format!("{style}{word}{style:#}: {text}"));
    }

    /// A word in a colour; the stream takes the colour out where there is none.
    pub(crate) fn paint(&self, text: impl AsRef<str>, paint: Paint) -> String {
        let style = match paint {
            Paint::Good => GOOD,
            Paint::Warning => WARNING,
            Paint::Bad => BAD,
            Paint::Faint => FAINT,
            Paint::Strong => STRONG,
        };
        let text = text.as_ref();
        if self.is_colored() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// Takes the progress line away.
    pub(crate) fn clear(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }

    fn step(&self, text: &str) {
        match &self.spinner {
            Some(spinner) => {
                spinner.reset();
                spinner.set_message(text.to_owned());
                spinner.enable_steady_tick(Duration::from_millis(120));
            }
            None if !self.quiet && self.format == Format::Text => self.aside(format!("{FAINT}{text}{FAINT:#}")),
            None => {}
        }
    }
}

impl Events for Shell {
    fn tell(&self, event: Event<'_>) {
        match event {
            Event::Step(text) => self.step(text),
            Event::Note(text) => self.note(text),
            Event::Warning(text) => self.warn(text),
        }
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::default_spinner());
    bar
}
