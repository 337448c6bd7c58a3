//! Parses, runs, exits.

fn main() -> std::process::ExitCode {
    iamship::cli::main()
}
