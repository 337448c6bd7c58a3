//! `iamship completions` and `iamship man`

use clap::CommandFactory as _;

use super::Outcome;
use super::arguments::{Arguments, Completions, Man};
use super::failure::Failure;
use super::shell::Shell;

pub(super) fn run(arguments: &Completions, shell: &Shell) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "iamship", &mut text);
    shell.answer(String::from_utf8_lossy(&text).trim_end());
    Ok(())
}

pub(super) fn man(arguments: &Man, shell: &Shell) -> Outcome {
    fs_err::create_dir_all(&arguments.out)?;
    clap_mangen::generate_to(Arguments::command(), &arguments.out)
        .map_err(|error| Failure::world(format!("`{}` can't be written: {error}", arguments.out)))?;
    shell.answer(arguments.out.as_str());
    Ok(())
}
