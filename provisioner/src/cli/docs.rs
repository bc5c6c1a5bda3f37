//! Completion scripts and manual pages, both made from the grammar of the command line.

use std::{fs, io, path::Path};

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Failure, args::Cli, screen::Screen};

pub(crate) fn completions(shell: Shell) {
    clap_complete::generate(shell, &mut Cli::command(), "provisioner", &mut io::stdout());
}

pub(crate) fn man(dir: &Path, screen: Screen) -> Result<(), Failure> {
    let told = |error: io::Error| {
        Failure::failed(format!("the manual pages can't be written to {}: {error}", dir.display()))
            .remedy("name a directory that can be made and written")
    };
    fs::create_dir_all(dir).map_err(told)?;
    clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), dir).map_err(told)?;
    let mut names: Vec<String> = fs::read_dir(dir)
        .map_err(told)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("provisioner") && name.ends_with(".1"))
        .collect();
    names.sort();
    if screen.is_json() {
        return screen.json(&names);
    }
    screen.line(&format!("{} pages in {}", names.len(), dir.display()))
}
