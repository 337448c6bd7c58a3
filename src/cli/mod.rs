//! The command line: arguments, connections to the world, printing, exit codes. One file a verb.

mod approve;
mod arguments;
mod attest;
mod build;
mod changes;
mod check;
mod completions;
mod connect;
mod deploy;
mod diff;
mod failure;
mod history;
mod incoming;
mod init;
mod key_ring;
mod keygen;
mod lock;
mod parameters;
#[cfg(test)]
mod pipelines;
mod promote;
mod reject;
mod render;
mod report;
mod rollback;
mod rule;
mod shell;
mod status;
mod table;
mod test;
mod transit;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;
use futures::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use arguments::{Arguments, Command, Format, Global};
use failure::Failure;
use shell::Shell;

use crate::ops::deploy::Switching;

/// What a verb gives back: done, or why not.
type Outcome = Result<(), Failure>;

/// Parses the arguments, runs the verb, tells what stopped it.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers; what is wrong with the arguments is not.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let shell = Shell::new(&arguments.global);
    trace(&arguments.global);
    let outcome = check_format(&arguments).and_then(|()| run(&arguments, &shell));
    shell.clear();
    let code = match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let (Command::Check(asked), Failure::Diagnostics(diagnostics)) = (&arguments.command, &failure) {
                check::document(diagnostics, &[], asked, &shell);
            }
            failure.tell(&shell)
        }
    };
    match shell.unwritten() {
        None => code,
        Some(error) => Failure::world(format!("the answer can't be written: {error}")).tell(&shell),
    }
}

fn run(arguments: &Arguments, shell: &Shell) -> Outcome {
    let global = &arguments.global;
    match &arguments.command {
        Command::Init(init) => init::run(init, global, shell),
        Command::Keygen(keygen) => keygen::run(keygen, global, shell),
        Command::Completions(completions) => completions::run(completions, shell),
        Command::Man(man) => completions::man(man, shell),
        Command::Rule(rule) => rule::run(rule, shell),
        command => {
            // Waiting for a registry needs no second thread; hashing and scrypt get one when they want it.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(connected(command, global, shell))
        }
    }
}

/// The verbs that need a project. Ctrl-C, and the SIGTERM of a pipeline that is cancelled, drop the verb where it waits,
/// so that temporary files go away; what a store holds is whole at every moment, and the same command finishes the work.
/// However it ends, also by a panic, what it made in an engine is removed.
async fn connected(command: &Command, global: &Global, shell: &Shell) -> Outcome {
    let connected = connect::Connected::open(global)?;
    let context = connected.context(shell);
    let switching = Switching::default();
    let verb = async {
        match command {
            Command::Diff(diff) => diff::run(diff, &context, shell).await,
            Command::Deploy(deploy) => deploy::run(deploy, &context, shell, &switching).await,
            Command::Lock(lock) => lock::run(lock, &context, shell).await,
            Command::Parameters(parameters) => parameters::run(parameters, &context, shell).await,
            Command::Check(check) => check::run(check, &context, shell).await,
            Command::Build(build) => build::run(build, &context, shell).await,
            Command::Test(test) => test::run(test, &context, shell).await,
            Command::Attest(attest) => attest::run(attest, &context, shell).await,
            Command::Promote(promote) => promote::run(promote, &context, shell).await,
            Command::Explain(explain) => promote::explain(explain, &context, shell).await,
            Command::Approve(approve) => approve::run(approve, &context, shell).await,
            Command::Reject(reject) => reject::run(reject, &context, shell).await,
            Command::Rollback(rollback) => rollback::run(rollback, &context, shell).await,
            Command::Status(_) => status::run(&context, shell).await,
            Command::History(history) => history::run(history, &context, shell).await,
            Command::Report(report) => report::run(report, &context, shell).await,
            Command::Incoming(incoming) => incoming::run(incoming, &context, shell).await,
            Command::Render(render) => render::run(render, &context, shell).await,
            Command::Verify(verify) => verify::run(verify, &context, shell).await,
            Command::Init(_) | Command::Keygen(_) | Command::Completions(_) | Command::Man(_) | Command::Rule(_) => {
                Ok(())
            }
        }
    };
    let mut interrupts = Interrupts::new()?;
    let ended = {
        // A panic goes on when the engine is clean.
        let verb = std::panic::AssertUnwindSafe(verb).catch_unwind();
        tokio::select! {
            outcome = verb => outcome,
            () = interrupts.next() => Ok(Err(Failure::world("interrupted").help("the same command again finishes the work"))),
        }
    };
    let put_back = tokio::select! {
        said = switching.put_back() => said.map_err(|error| error.to_string()),
        () = interrupts.next() => Err("interrupted again".to_owned()),
    };
    match put_back {
        Ok(Some(said)) => shell.note(said),
        Ok(None) => {}
        Err(because) => shell.warn(format!(
            "what ran before is not put back ({because}): the same command again does it"
        )),
    }
    let cleaned = tokio::select! {
        cleaned = connected.clean_up() => cleaned.map_err(|error| error.to_string()),
        () = interrupts.next() => Err("interrupted again".to_owned()),
    };
    if let Err(because) = cleaned {
        shell.warn(format!(
            "something may be left in the engine ({because}): the next run removes it"
        ));
    }
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Ctrl-C and SIGTERM.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Which verbs answer in a format that not all know.
fn check_format(arguments: &Arguments) -> Outcome {
    let (name, verbs, is_known) = match arguments.global.format {
        Format::Text | Format::Json => return Ok(()),
        Format::Sarif => ("sarif", "`check`", matches!(arguments.command, Command::Check(_))),
        Format::Github => ("github", "`check`", matches!(arguments.command, Command::Check(_))),
        Format::Junit => (
            "junit",
            "`check` and `test`",
            matches!(arguments.command, Command::Check(_) | Command::Test(_)),
        ),
        Format::Markdown => (
            "markdown",
            "`diff`, `incoming` and `parameters`",
            tells_changes(&arguments.command) || matches!(arguments.command, Command::Parameters(_)),
        ),
        Format::Html => ("html", "`diff` and `incoming`", tells_changes(&arguments.command)),
    };
    if is_known {
        return Ok(());
    }
    Err(Failure::input(format!("`--format {name}` is for {verbs}")).help("use `--format text` or `--format json`"))
}

fn tells_changes(command: &Command) -> bool {
    matches!(command, Command::Diff(_) | Command::Incoming(_))
}

/// `-v` tells each request, `-vv` more; `IAMSHIP_LOG` takes a filter of its own.
fn trace(global: &Global) {
    let filter = std::env::var("IAMSHIP_LOG").ok().or_else(|| match global.verbose {
        0 => None,
        1 => Some("iamship=debug".to_owned()),
        _ => Some("iamship=trace,reqwest=debug".to_owned()),
    });
    let Some(filter) = filter else { return };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_target(false)
        .try_init();
}
