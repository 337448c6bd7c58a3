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

    /// What things carry that outlive their run. Said aloud, since containers inherit the labels of their image.
    pub(super) fn labels_of_nobody() -> HashMap<String, String> {
        HashMap::from([(RUN.to_owned(), String::new())])
    }

    /// Whether what carries these labels was left behind by another run.
    pub(super) fn has_abandoned(&self, labels: &HashMap<String, String>) -> bool {
        if labels.get(RUN).is_none_or(|run| run.is_empty() || *run == self.run) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn process() -> Process {
        Process {
            boot: "0b9c".to_owned(),
            namespace: "pid:[4026531836]".to_owned(),
            number: 77,
            started: 12345,
        }
    }

    fn is_left(process: &str, deadline: &str, starts: Option<u64>) -> bool {
        let labels = [(RUN, "other"), (PROCESS, process), (DEADLINE, deadline)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        is_abandoned(&labels, Some(&super::tests::process()), NOW, |number| {
            starts.filter(|_| number == 77)
        })
    }

    #[test]
    fn what_a_living_process_has_stays_whatever_the_clock_says() {
        let owner = process().to_string();
        for deadline in ["999999", "1000001", "", "soon"] {
            assert!(!is_left(&owner, deadline, Some(12345)), "{deadline}");
        }
    }

    #[test]
    fn what_a_gone_process_had_is_left() {
        let owner = process().to_string();
        assert!(is_left(&owner, "1000001", None));
        // Its number went to another one.
        assert!(is_left(&owner, "1000001", Some(12346)));
    }

    #[test]
    fn of_processes_that_can_not_be_seen_only_the_deadline_tells() {
        let mut other_boot = process();
        other_boot.boot = "77aa".to_owned();
        let mut other_container = process();
        other_container.namespace = "pid:[4026532000]".to_owned();
        for owner in [
            other_boot.to_string(),
            other_container.to_string(),
            String::new(),
            "a/b/c".to_owned(),
        ] {
            assert!(!is_left(&owner, "1000001", None), "{owner}");
            assert!(is_left(&owner, "999999", None), "{owner}");
            assert!(!is_left(&owner, "", None), "{owner}");
        }
    }

    #[test]
    fn own_things_and_those_of_nobody_are_never_left() {
        let owner = Owner::new().expect("random numbers");
        let mut labels = owner.labels();
        assert!(!owner.has_abandoned(&labels));
        labels.insert(RUN.to_owned(), "other".to_owned());
        assert!(!owner.has_abandoned(&labels), "this process lives");
        labels.insert(PROCESS.to_owned(), String::new());
        labels.insert(DEADLINE.to_owned(), "1".to_owned());
        assert!(owner.has_abandoned(&labels));
        labels.extend(Owner::labels_of_nobody());
        assert!(!owner.has_abandoned(&labels));
        labels.remove(RUN);
        assert!(!owner.has_abandoned(&labels));
    }

    #[test]
    fn reads_what_it_writes_and_sees_itself() {
        let process = process();
        assert_eq!(Process::parse(&process.to_string()), Some(process.clone()));
        assert_eq!(Process::parse(&format!("{process}/more")), None);
        if let Some(own) = Process::own() {
            assert_eq!(start_of(own.number), Some(own.started));
        }
        assert_eq!(start_of(u32::MAX), None);
    }
}
