//! The arguments, as clap reads them.

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::bundle::Impact;

/// Bake an identity server's configuration into one signed image, and promote the tested digest from stage to stage.
#[derive(Debug, Parser)]
#[command(
    name = "iamship",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Examples:
  iamship init shop && cd shop            start a project
  iamship check                           is everything there, for every stage?
  iamship build                           one signed image; it enters the first stage
  iamship test dev                        test it with dev's values
  iamship promote dev staging             move staging to the last tested digest
  iamship explain staging prod            what holds the next promotion, and what mends it
  iamship approve 11.3.1-… --for prod     a signed yes; `reject` is a signed no
  iamship render prod --for kubernetes    hand on what prod runs; `deploy` starts it here
  iamship diff                            what the next build would change
  iamship status                          one row a stage
  iamship report                          the same and more, as a page for everybody

Exit codes: 0 done, 1 the answer is no, 2 your input, 3 the world (network, registry), 101 a bug"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every verb.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of every verb")]
pub(crate) struct Global {
    /// Run as if started in this folder
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true)]
    pub(crate) directory: Option<Utf8PathBuf>,
    /// How the answer is written; all but `text` and `json` are for some verbs only
    #[arg(long, value_enum, global = true, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Only the answer and what is wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more: every request (-v), every detail (-vv)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colours; `NO_COLOR` is honoured
    #[arg(long, value_enum, global = true, default_value_t = ColorChoice::Auto)]
    pub(crate) color: ColorChoice,
    /// No progress bars, only lines
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Sarif,
    Github,
    Junit,
    Markdown,
    Html,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(Init),
    Keygen(Keygen),
    Lock(Lock),
    Parameters(Parameters),
    Check(Check),
    Build(Build),
    Test(Test),
    #[command(subcommand)]
    Attest(Attest),
    Promote(Promote),
    Explain(Explain),
    Approve(Approve),
    Reject(Reject),
    Rollback(Rollback),
    Status(Status),
    History(History),
    Diff(Diff),
    Incoming(Incoming),
    Verify(Verify),
    Render(Render),
    Report(Report),
    Deploy(Deploy),
    Rule(Rule),
    Completions(Completions),
    Man(Man),
}

/// Write a starter project that passes `check`
///
/// Nothing is ever overwritten.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship init                            here
  iamship init shop --server keycloak     in a new folder, for Keycloak
  iamship init --ci github                a pipeline for the project that is here")]
pub(crate) struct Init {
    /// The folder; this one when absent
    pub(crate) folder: Option<Utf8PathBuf>,
    /// Which identity server: curity, keycloak, generic
    #[arg(long, default_value = "curity", value_name = "NAME")]
    pub(crate) server: String,
    /// Also write a pipeline; a folder that is a project already gets only that
    #[arg(long, value_enum, value_name = "SERVICE")]
    pub(crate) ci: Option<Service>,
    /// Print what would be written
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Where a pipeline runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Service {
    Github,
    Gitlab,
    Jenkins,
}

/// Make a signing key
///
/// The private key is in cosign's encrypted format. Its password comes from `IAMSHIP_KEY_PASSWORD`, else
/// `COSIGN_PASSWORD`, else it is asked for on a terminal.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship keygen                          keys/iamship.key and keys/iamship.pub
  IAMSHIP_KEY_PASSWORD=… iamship keygen --out keys/ops --algorithm ed25519
  iamship keygen --from vault:transit/keys/iamship      keys/iamship.pub of a key in Vault")]
pub(crate) struct Keygen {
    /// Where to write PREFIX.key and PREFIX.pub
    #[arg(long, default_value = "keys/iamship", value_name = "PREFIX")]
    pub(crate) out: Utf8PathBuf,
    /// Which kind of key
    #[arg(long, value_enum, default_value_t = KeyAlgorithm::EcdsaP256)]
    pub(crate) algorithm: KeyAlgorithm,
    /// Write the public half of a key that is in Vault or OpenBao already: `vault:transit/keys/NAME`
    #[arg(long, value_name = "KEY", conflicts_with = "algorithm")]
    pub(crate) from: Option<String>,
    /// Print what would be written
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyAlgorithm {
    EcdsaP256,
    Ed25519,
}

/// Pin the base image by digest in `iamship.lock`
///
/// `build` does it when there is no lock file; with one it never moves it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship lock                            pin it, or show the pin
  iamship lock --update                   move the pin to what the tag names now")]
pub(crate) struct Lock {
    /// Move the pin to what the base's tag names now
    #[arg(long)]
    pub(crate) update: bool,
    /// Print what would be written
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Show every parameter, where it is used, and what each stage gives it
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship parameters                      a table, one column a stage
  iamship parameters --format json        for scripts")]
pub(crate) struct Parameters {
    /// Only these stages (repeatable); all when none is named
    #[arg(long = "stage", value_name = "STAGE")]
    pub(crate) stages: Vec<String>,
}

/// Show what a check means, why, an example, and how to mend or allow it
///
/// Works without a project.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship rule                            every code
  iamship rule redirect-wildcard          its page

Allow a finding on its line or the line before, with a reason:
  # iamship: allow stage-plain-http inside the cluster only
  <!-- iamship: allow redirect-wildcard the partner's test tool -->")]
pub(crate) struct Rule {
    /// The code, as findings show it
    pub(crate) code: Option<String>,
}

/// Check the project, its configuration and the stages' values
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship check                           everything, for every stage
  iamship check prod                      for one stage
  iamship check --no-stage                only the configuration, where there are no secrets
  iamship check --format sarif            for code scanning; `github` writes annotations
  iamship check --format junit >check.xml for the report of a pipeline")]
pub(crate) struct Check {
    /// The stages to check; all when none is named
    #[arg(value_name = "STAGE")]
    pub(crate) stages: Vec<String>,
    /// Only the configuration, no stage's values: needs no secrets
    #[arg(long, conflicts_with = "stages")]
    pub(crate) no_stage: bool,
    /// Warnings count as errors
    #[arg(long)]
    pub(crate) deny_warnings: bool,
}

/// Check, bake, push and sign one image, and let it enter the first stage
///
/// The same inputs give the same digest. An image that is in the store already is not made again.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship build                           the whole of it
  iamship build --no-stage                leave the first stage alone
  iamship build --dry-run                 the digest it would have, nothing written")]
pub(crate) struct Build {
    /// Leave the first stage as it is
    #[arg(long)]
    pub(crate) no_stage: bool,
    /// Print what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Test a digest with a stage's values and record the result
///
/// `kind = "engine"` under `[stage.test]` starts it in Docker or Podman with the stage's values and secrets, waits until
/// it is healthy, and runs the stage's suites. An engine that does not answer is exit 3, and nothing is recorded.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship test dev                        what dev runs now
  iamship test dev --suite oidc           only one of its suites
  iamship test dev --format junit >t.xml  for the report of a pipeline
  iamship test dev --dry-run              test, but record nothing
  iamship test staging --digest sha256:…  another digest, with staging's values")]
pub(crate) struct Test {
    /// Whose values are taken
    pub(crate) stage: String,
    /// A digest or version; what the stage runs now when absent
    #[arg(long, value_name = "DIGEST|VERSION")]
    pub(crate) digest: Option<String>,
    /// Only this one of the stage's suites; may be given several times
    #[arg(long = "suite", value_name = "NAME")]
    pub(crate) suites: Vec<String>,
    /// Test, but record nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Record a statement about a digest
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  iamship attest tested staging --suite e2e --report junit.xml")]
pub(crate) enum Attest {
    Tested(AttestTested),
}

/// Record the result of a suite that ran elsewhere
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship attest tested staging --suite e2e --result passed --url https://ci.example.com/42
  iamship attest tested staging --suite e2e --report junit.xml")]
pub(crate) struct AttestTested {
    /// Where it was tested
    pub(crate) stage: String,
    /// The suite's name
    #[arg(long)]
    pub(crate) suite: String,
    /// How it ended; may be left out with a report, which tells it
    #[arg(long, value_enum, required_unless_present = "report")]
    pub(crate) result: Option<TestResult>,
    /// A digest or version; what the stage runs now when absent
    #[arg(long, value_name = "DIGEST|VERSION")]
    pub(crate) digest: Option<String>,
    /// Where the run can be seen
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// A JUnit file with the single tests
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<Utf8PathBuf>,
    /// Print what would be recorded
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestResult {
    Passed,
    Failed,
}

/// Move a stage to the last tested digest of the one before it
///
/// Nothing is rebuilt. It moves only when every gate passes: see `iamship explain`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship promote dev staging
  iamship promote staging prod --dry-run  judge and plan, write nothing
  iamship promote staging prod --digest sha256:…
  iamship promote staging prod --expect-current sha256:…
  iamship promote staging prod --allow-removal client:web-client
  iamship promote staging prod --clear-hold sha256:…
  iamship promote staging prod --override-freeze 'logins are down'")]
pub(crate) struct Promote {
    /// The stage to take it from
    pub(crate) from: String,
    /// The stage to move
    pub(crate) to: String,
    /// This digest or version instead of the last tested one
    #[arg(long, value_name = "DIGEST|VERSION")]
    pub(crate) digest: Option<String>,
    /// Hold unless the stage runs this digest now
    #[arg(long, value_name = "DIGEST")]
    pub(crate) expect_current: Option<String>,
    /// Also move to a digest that is older than what the stage runs
    #[arg(long)]
    pub(crate) allow_older: bool,
    #[command(flatten)]
    pub(crate) on: GoOn,
    /// Judge and plan, write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What goes on past a stop; signed into the promotion's record.
#[derive(Args, Clone, Debug)]
pub(crate) struct GoOn {
    /// A removal or breaking change that is meant: `client:web-client`, `client:*`, or a path; may be given several times
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) allow_removal: Vec<String>,
    /// Clear the hold that a rollback set: the rollback's record, or the digest that it took back
    #[arg(long, value_name = "RECORD|DIGEST")]
    pub(crate) clear_hold: Option<String>,
    /// Go on in spite of a freeze
    #[arg(long, value_name = "REASON")]
    pub(crate) override_freeze: Option<String>,
}

/// Approve a digest for a stage
///
/// A signed statement. `enter = { approvals = 2 }` asks for so many of them, by different keys, none of which built it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship approve sha256:… --for prod
  iamship approve 11.3.1-0123456789ab --for prod --reason 'CHG-4711'
  iamship approve sha256:… --for prod --allows client:web-client")]
pub(crate) struct Approve {
    /// A digest or version
    #[arg(value_name = "DIGEST|VERSION")]
    pub(crate) digest: String,
    /// The stage that it may enter
    #[arg(long = "for", value_name = "STAGE")]
    pub(crate) stage: String,
    /// Why
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// A removal or breaking change that is meant, as `promote --allow-removal` takes it; may be given several times
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) allows: Vec<String>,
    /// Print what would be recorded
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Reject a digest: it can't be promoted or rolled back to anywhere
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship reject 11.3.1-0123456789ab --reason 'logins fail'")]
pub(crate) struct Reject {
    /// A digest or version
    #[arg(value_name = "DIGEST|VERSION")]
    pub(crate) digest: String,
    /// Why
    #[arg(long)]
    pub(crate) reason: String,
    /// Print what would be recorded
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Judge a promotion without writing; for each hold the command that mends it
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship explain staging prod")]
pub(crate) struct Explain {
    /// The stage to take it from
    pub(crate) from: String,
    /// The stage to move
    pub(crate) to: String,
    /// This digest or version instead of the last tested one
    #[arg(long, value_name = "DIGEST|VERSION")]
    pub(crate) digest: Option<String>,
    /// Also move to a digest that is older than what the stage runs
    #[arg(long)]
    pub(crate) allow_older: bool,
    /// Hold unless the stage runs this digest now
    #[arg(long, value_name = "DIGEST")]
    pub(crate) expect_current: Option<String>,
    #[command(flatten)]
    pub(crate) on: GoOn,
}

/// Move a stage back to its previous good digest
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship rollback prod
  iamship rollback prod --to 11.3.1-0123456789ab")]
pub(crate) struct Rollback {
    /// The stage to move back
    pub(crate) stage: String,
    /// A digest or version that ran there before
    #[arg(long, value_name = "DIGEST|VERSION")]
    pub(crate) to: Option<String>,
    /// Hold unless the stage runs this digest now
    #[arg(long, value_name = "DIGEST")]
    pub(crate) expect_current: Option<String>,
    /// Judge and plan, write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Show what each stage runs
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship status
  iamship status --format json | jq -r '.stages[] | \"\\(.name) \\(.digest)\"'")]
pub(crate) struct Status {}

/// Show what ran in a stage, newest first, and who moved it
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship history prod
  iamship history prod --limit 3")]
pub(crate) struct History {
    /// Whose history
    pub(crate) stage: String,
    /// How many entries
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) limit: usize,
}

/// Show what differs between two sides, in the server's own terms
///
/// A side is `stage:NAME` (what it runs), `version:V`, `sha256:…`, `git:REV` (the project at a revision), a folder
/// (another project, or one of configuration files) or an exported file. Without A: the first stage. Without B: the
/// working tree. Entries meet by their keys, order counts only where it means something, and no secret is shown.
///
/// Exit 0: nothing differs. Exit 1: something does.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship diff                            what the next build would bring to the first stage
  iamship diff git:origin/main            what a branch changes
  iamship diff stage:prod stage:staging --severity security
  iamship diff git:origin/main --format markdown --exit-zero      for a pull request
  iamship diff export.xml --values prod   what somebody changed in the admin UI of prod

`--values STAGE` fills the stage's values, secrets too, into the side that has placeholders; what comes from a secret is
told as changed, never shown. A server's export holds more than its configuration files do (defaults, values that the
server encrypted): that is told as it is.")]
pub(crate) struct Diff {
    /// One side; the first stage when absent
    #[arg(value_name = "A", value_hint = ValueHint::AnyPath)]
    pub(crate) before: Option<String>,
    /// The other side; the working tree when absent
    #[arg(value_name = "B", value_hint = ValueHint::AnyPath)]
    pub(crate) after: Option<String>,
    /// Fill this stage's values into placeholders first
    #[arg(long, value_name = "STAGE")]
    pub(crate) values: Option<String>,
    #[command(flatten)]
    pub(crate) shown: Shown,
    /// Exit 0 also when something differs
    #[arg(long)]
    pub(crate) exit_zero: bool,
}

/// Show what the next promotion to a stage would bring
///
/// The digest that `promote` would take, each version since what the stage runs with its commit and author (from signed
/// provenance), what changes, and whose applications are touched: by the owner among a client's own settings, or by the
/// `OWNERS` file that `[project] owners` names.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship incoming prod
  iamship incoming prod --severity breaking
  iamship incoming prod --format json | jq -r '.applications[].owners[]' | sort -u")]
pub(crate) struct Incoming {
    /// The stage
    pub(crate) stage: String,
    #[command(flatten)]
    pub(crate) shown: Shown,
}

/// Which changes are shown.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// Only changes of the configuration that are at least so grave; the image's are always shown
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = Severity::Cosmetic, hide_default_value = true)]
    pub(crate) severity: Severity,
}

/// How grave a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Severity {
    Breaking,
    Security,
    Behaviour,
    Cosmetic,
}

impl Severity {
    pub(crate) fn impact(self) -> Impact {
        match self {
            Self::Breaking => Impact::Breaking,
            Self::Security => Impact::Security,
            Self::Behaviour => Impact::Behaviour,
            Self::Cosmetic => Impact::Cosmetic,
        }
    }
}

/// Verify an image: its content, its signatures, its statements
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship verify prod                     what a stage runs
  iamship verify sha256:…                 a digest in the project's repository
  iamship verify registry.example.com/iam/idsvr:prod")]
pub(crate) struct Verify {
    /// A stage, a version, a digest, or a whole reference
    #[arg(value_name = "REFERENCE|DIGEST|STAGE")]
    pub(crate) what: String,
}

/// Write down what a stage runs, with its values, as another program reads it
///
/// The image is pinned by its digest. It must be recorded and signed, and have a value for everything that it asks for.
///
/// Where a file usually rests in git or on a disk, no secret stands in it unless you say `--secrets inline`. Without
/// `--secrets`: inline for `env` and `docker`; external for `compose` (from the environment of compose) and `systemd`
/// (from an `EnvironmentFile`); external for `kubernetes` (an ExternalSecret, when a vault holds all of them), else, as for
/// `helm-values` and `kustomize`, omitted: the Secret is named and yours to bring.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship render prod --for kubernetes | kubectl apply -f -
  iamship render prod --for compose --secrets inline | docker compose -f - up -d --wait
  iamship render prod --for env --secrets inline > prod.env   for `set -a; . ./prod.env`, or systemd
  docker run --env-file <(iamship render dev --for docker) …

The charts that `helm-values` fits read `image.repository`, `image.tag` or `image.digest`, `env`, `envFrom`.
`kustomize` writes a component: put it in a folder and name that under `components`.")]
pub(crate) struct Render {
    /// Whose digest and values
    pub(crate) stage: String,
    /// Who reads it
    #[arg(long = "for", value_name = "TARGET", value_parser = targets())]
    pub(crate) target: String,
    /// What becomes of secrets: in the document, from elsewhere, or left out
    #[arg(long, value_enum)]
    pub(crate) secrets: Option<SecretsChoice>,
    /// The External Secrets Operator's store, for `kubernetes`: NAME or ClusterSecretStore/NAME
    #[arg(long, value_name = "NAME", default_value = "vault")]
    pub(crate) secret_store: String,
}

fn targets() -> clap::builder::PossibleValuesParser {
    let names = crate::render::TARGETS.iter().map(|target| target.name);
    clap::builder::PossibleValuesParser::new(names)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SecretsChoice {
    Inline,
    External,
    Omit,
}

/// Start what a stage runs on the engine, and let it take the old container's place when it is healthy
///
/// The old container runs until then, and is put back when the new one does not come up. Ports are published on loopback:
/// where `[stage.run] ports` says, else on any that is free. Two containers can't have one address, so with fixed ports
/// the new one is tried on free ones first, then the old one is stopped. The same digest with the same values, running and
/// healthy, is left alone.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship deploy staging
  iamship deploy prod --dry-run           what would be done
  iamship deploy dev --format json | jq -r '.addresses[0].address'")]
pub(crate) struct Deploy {
    /// Whose digest and values
    pub(crate) stage: String,
    /// Print what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Write the completions of a shell
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship completions bash > /etc/bash_completion.d/iamship
  iamship completions zsh > \"${fpath[1]}/_iamship\"")]
pub(crate) struct Completions {
    /// For which shell
    pub(crate) shell: clap_complete::Shell,
}

/// Write the man pages, one a verb
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship man --out /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// The folder to write them to
    #[arg(long, default_value = "man", value_name = "DIR")]
    pub(crate) out: Utf8PathBuf,
}

/// Write one HTML page for people who never use a terminal
///
/// What runs where, what comes next and what holds it, what the stages give, when certificates end, and what happened.
/// The page is one file that needs no network. What can't be read is told in it, and then the exit code is not 0.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  iamship report                          iamship-report.html
  iamship report --out public/index.html  in another place
  iamship report --out - > page.html      on stdout")]
pub(crate) struct Report {
    /// The file; `-` is stdout. An older page there is replaced, another file is left alone
    #[arg(long, value_name = "FILE", default_value = "iamship-report.html")]
    pub(crate) out: String,
    /// Read everything, write nothing, and tell what would be written
    #[arg(long)]
    pub(crate) dry_run: bool,
}
