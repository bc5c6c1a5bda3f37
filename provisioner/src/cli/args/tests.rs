//! The grammar itself, and what it refuses.

use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Cli, String> {
    Cli::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())
}

#[test]
fn the_grammar_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_a_summary_and_every_flag_a_help() {
    fn check(command: &clap::Command) {
        let name = command.get_name();
        assert!(command.get_about().is_some(), "{name} has no summary");
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "{name} {} has no help", arg.get_id());
        }
        command.get_subcommands().for_each(check);
    }
    let mut cli = Cli::command();
    cli.build();
    cli.get_subcommands().filter(|command| command.get_name() != "help").for_each(|command| {
        if command.get_subcommands().next().is_none() {
            check(command);
        }
    });
}

#[test]
fn bad_words_are_refused_with_the_flag_and_what_would_do() {
    let refused = |line: &str, parts: &[&str]| {
        let error = parse(line).unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{line}: {error}");
        }
    };
    refused("provisioner project create acme/web --residency uk", &["--residency", "`uk`", "us", "eu"]);
    refused("provisioner project create acme/web --residency us --size 3x3", &["--size", "4x8"]);
    refused("provisioner project create acme/web --residency us --cloud azure", &["--cloud", "gcp"]);
    refused("provisioner project create acme --residency us", &["ORG/PROJECT", "acme/web"]);
    refused("provisioner project create Acme/web --residency us", &["`Acme`", "lower-case"]);
    refused("provisioner builder provision acme/web --arch mips", &["--arch", "arm64"]);
    refused("provisioner builder provision acme/web", &["--arch"]);
    refused("provisioner job list --state done", &["--state", "stuck"]);
    refused("provisioner job show twelve", &["ID"]);
    refused("provisioner org create", &["<ORG>"]);
}

#[test]
fn global_flags_may_stand_after_the_command() {
    let cli = parse("provisioner builder stop acme/web --arch arm64 --priority -3 --output json").unwrap();
    assert_eq!(cli.global.output, Output::Json);
    let Command::Builder(BuilderCommand::Stop(target)) = cli.command else { panic!("another command") };
    assert_eq!((target.enqueue.priority, target.project.to_string().as_str()), (-3, "acme/web"));
}
