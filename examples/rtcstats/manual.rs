//! `rtcstats man`

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_mangen::Man;

use crate::UsageError;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rtcstats man | man -l -
  rtcstats man plot | man -l -
  rtcstats man --directory ~/.local/share/man/man1")]
pub(crate) struct Arguments {
    /// The command whose page it is; without, that of all.
    command: Option<String>,

    /// Write the pages of all commands there, instead of printing one.
    #[arg(short, long, value_name = "DIR", conflicts_with = "command")]
    directory: Option<PathBuf>,
}

/// Prints a manual page, or writes all of them.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let mut program = crate::Arguments::command();
    program.build();
    if let Some(directory) = &arguments.directory {
        std::fs::create_dir_all(directory)
            .and_then(|()| clap_mangen::generate_to(program, directory))
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let command = match &arguments.command {
        None => program,
        Some(name) => {
            let command = program.find_subcommand(name).cloned();
            let command = command.ok_or_else(|| {
                UsageError(format!("no command '{name}'; `rtcstats --help` lists them"))
            })?;
            command.display_name(format!("rtcstats-{name}"))
        }
    };
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    io::stdout().lock().write_all(&page)?;
    Ok(ExitCode::SUCCESS)
}
