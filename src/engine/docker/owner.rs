//! To whom things in the engine belong: labels that name the run, its process, and when it is surely over.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::engine::EngineError;

/// The run that made it.
pub(super) const RUN: &str = "dev.iamship.run";
/// The process of that run.
pub(super) const PROCESS: &str = "dev.iamship.process";
/// Seconds since 1970 after which nobody needs it any more.
pub(super) const DEADLINE: &str = "dev.iamship.deadline";
/// How long a run may take at most, for those who can't see its process.
const LONGEST_RUN: Duration = Duration::from_secs(4 * 3600);

/// One run of this program.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    run: String,
    process: Option<Process>,
}

/// A process, told apart from later ones of the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    /// Which boot of which machine.
    boot: String,
    /// The space in which the number counts: containers have their own.
    namespace: String,
    number: u32,
    /// In clock ticks after the boot.
    started: u64,
}

impl Owner {
    /// This run; several in one process have different names.
    pub(super) fn new() -> Result<Self, EngineError> {
        let mut name = [0; 16];
        getrandom::fill(&mut name)
            .map_err(|error| EngineError::Settings(format!("the system gives no random numbers: {error}")))?;
        Ok(Self {
            run: name.iter().map(|byte| format!("{byte:02x}")).collect(),
            process: Process::own(),
        })
    }

    /// Its name.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// What everything of this run carries.
    pub(super) fn labels(&self) -> HashMap<String, String> {
        let deadline = now() + LONGEST_RUN.as_secs();
        let process = self.process.as_ref().map(Process::to_string).unwrap_or_default();
        HashMap::from([
            (RUN.to_owned(), self.run.clone()),
            (PROCESS.to_owned(), process),
            (DEADLINE.to_owned(), deadline.to_string()),
        ])
    }

    /// Whether what carries these labels was left behind by another run.
    pub(super) fn has_abandoned(&self, labels: &HashMap<String, String>) -> bool {
        if labels.get(RUN).is_none_or(|run| *run == self.run) {
            return false;
        }
        is_abandoned(labels, self.process.as_ref(), now(), start_of)
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn is_abandoned(
    labels: &HashMap<String, String>,
    own: Option<&Process>,
    now: u64,
    start_of: impl Fn(u32) -> Option<u64>,
) -> bool {
    let owner = labels.get(PROCESS).and_then(|text| Process::parse(text));
    if let (Some(owner), Some(own)) = (owner, own)
        && owner.boot == own.boot
        && owner.namespace == own.namespace
    {
        return start_of(owner.number) != Some(owner.started);
    }
    // A process of another machine, or of another container of this one: its end can't be seen.
    let deadline = labels.get(DEADLINE).and_then(|text| text.parse::<u64>().ok());
    deadline.is_some_and(|deadline| deadline < now)
}

impl Process {
    fn own() -> Option<Self> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
        let number = std::process::id();
        Some(Self {
            boot: boot.trim().to_owned(),
            namespace: namespace.to_str()?.to_owned(),
            number,
            started: start_of(number)?,
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let process = Self {
            boot: parts.next()?.to_owned(),
            namespace: parts.next()?.to_owned(),
            number: parts.next()?.parse().ok()?,
            started: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(process)
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            boot,
            namespace,
            number,
            started,
        } = self;
        write!(formatter, "{boot}/{namespace}/{number}/{started}")
    }
}

/// When a process began; none when it is gone, or has ended and only waits for its parent (proc(5), fields 3 and 22).
fn start_of(number: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // The name in brackets may hold anything, brackets and blanks too.
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X"))
        .then(|| fields.nth(18)?.parse().ok())
        .flatten()
}
