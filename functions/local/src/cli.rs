//! The command line.

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum, error::ErrorKind};

use crate::{
    commands::{check, decide, explain, function, keys, package, serve, test, up},
    exit::{Exit, Failure},
    output::error_line,
};

/// One trust decision, every cloud's gateway.
///
/// An edge checks a consumer's token and bridges it into a short-lived token for exactly one backend; the gateway in the
/// backend's cloud checks that token before the request goes on. This binary runs the whole chain on one machine and holds the
/// operator's commands.
#[derive(Debug, Parser)]
#[command(name = "drawbridge", version, after_long_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Arguments),
    Check(check::Arguments),
    Decide(decide::Arguments),
    Explain(explain::Arguments),
    Test(test::Arguments),
    Keys(keys::Arguments),
    Package(package::Arguments),
    #[command(hide = true)]
    Function(function::Arguments),
    #[command(hide = true)]
    Serve(serve::Arguments),
}

/// For people or for programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text.
    #[default]
    Human,
    /// JSON.
    Json,
}

/// Runs the command that `arguments` (the program's name first) ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(answer) => {
            // Nothing is left to do where stdout or stderr is closed.
            let _ = answer.print();
            return match answer.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Ok.into(),
                _ => Exit::Invalid.into(),
            };
        }
    };
    let result = match cli.command {
        Command::Up(arguments) => up::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Decide(arguments) => decide::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Test(arguments) => test::run(arguments),
        Command::Keys(arguments) => keys::run(arguments),
        Command::Package(arguments) => package::run(arguments),
        Command::Function(arguments) => function::run(arguments),
        Command::Serve(arguments) => serve::run(arguments),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(Failure { exit, message }) => {
            error_line(&message);
            exit.into()
        }
    }
}

const EXIT_CODES: &str = "\
Exit codes: 0 ok or allowed, 1 failure, 2 denied, 3 invalid input.

Examples:
  drawbridge up                                   start the whole chain on this machine
  drawbridge check drawbridge.yaml                every mistake of a configuration, with its place and the mend
  drawbridge decide --backend orders              decide requests from stdin, one JSON object a line
  drawbridge explain --token - < token.txt        every check of one token or request, with what it saw
  drawbridge test orders.test.yaml                test routes, scopes and policies
  drawbridge keys list --backend orders            the versions of its keys
  drawbridge package azure                        the zip that is deployed as a Function App";
