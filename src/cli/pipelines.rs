//! Each command in the pipelines that `init --ci` writes is one that this program understands.

use clap::Parser as _;

use super::arguments::Arguments;
use crate::project::Pipeline;

/// The commands of a pipeline, without what a shell does with their output.
fn commands(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim().trim_start_matches("- "));
    let ours = lines.filter(|line| line.starts_with("iamship "));
    let bare = |line: &str| {
        let end = [" >", " ||", " #"].iter().filter_map(|mark| line.find(mark)).min();
        line[..end.unwrap_or(line.len())].to_owned()
    };
    ours.map(bare).collect()
}

/// The words after the shell: a scope is a stage, and names of what may be removed are whatever somebody typed.
fn words(command: &str) -> Vec<String> {
    // No word of a pipeline's has a space in it.
    let parts = command.split_whitespace().map(|word| word.trim_matches('"').to_owned());
    let word = |word: String| match word.as_str() {
        "$scope" => vec!["dev".to_owned()],
        "$@" => ["--allow-removal", "client:web", "--allow-removal", "scope:*"]
            .map(str::to_owned)
            .into(),
        _ => vec![word],
    };
    parts.flat_map(word).collect()
}

#[test]
fn every_command_of_a_pipeline_is_understood() {
    for pipeline in Pipeline::ALL {
        let file = pipeline.file();
        let commands = commands(file.text);
        assert!(commands.len() >= 8, "{}: {commands:?}", file.path);
        for command in commands {
            if let Err(error) = Arguments::try_parse_from(words(&command)) {
                panic!("{}: `{command}`: {error}", file.path);
            }
        }
    }
}

/// What the issue asks of each of them.
#[test]
fn each_pipeline_writes_both_reports_and_the_diff() {
    for pipeline in Pipeline::ALL {
        let file = pipeline.file();
        let commands = commands(file.text).join("\n");
        for part in [
            "--format sarif",
            "--format junit",
            "--format markdown",
            "iamship build",
            "iamship test dev",
            "iamship promote dev staging",
            "iamship promote staging prod",
        ] {
            assert!(commands.contains(part), "{}: {part}\n{commands}", file.path);
        }
    }
}
