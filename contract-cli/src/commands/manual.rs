//! `completions` and `man`: shell completions and man pages, from the definition of the command line.

use crate::{args::Args, error::Error, output::Report};
use clap::CommandFactory as _;
use clap_complete::Shell;

/// The script that completes commands and options in a shell.
pub fn completions(shell: Shell) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "pvm-contract", &mut script);
    Report::new("completions").with_text(&String::from_utf8_lossy(&script))
}

/// Prints the manual pages: of the program, then of each command.
pub fn man() -> Result<Report, Error> {
    let mut command = Args::command();
    // Sets the full names of commands, and their common options.
    command.build();
    let commands = command.get_subcommands().filter(|command| command.get_name() != "help");
    let mut page = Vec::new();
    for command in std::iter::once(&command).chain(commands) {
        clap_mangen::Man::new(command.clone())
            .render(&mut page)
            .map_err(|error| Error::Usage(format!("the manual page cannot be written: {error}")))?;
    }
    Ok(Report::new("man").with_text(&String::from_utf8_lossy(&page)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    fn text(report: &Report) -> String {
        report.to_json()["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn every_shell_completes_the_commands() {
        for shell in Shell::value_variants() {
            let script = text(&completions(*shell));
            for word in ["dry-run", "terminate", "--deposit-limit", "--finalized"] {
                assert!(script.contains(word.trim_start_matches('-')), "{shell} knows no {word}");
            }
        }
    }

    #[test]
    fn the_manual_page_has_commands_options_and_examples() {
        let page = text(&man().unwrap());
        assert!(page.contains(".TH pvm-contract 1"), "{}", &page[..200]);
        for word in ["dry\\-run", "\\-\\-suri", "PVM_URL", "Token.sol", "pvm\\-contract\\-deploy"] {
            assert!(page.contains(word), "{word}");
        }
    }
}
