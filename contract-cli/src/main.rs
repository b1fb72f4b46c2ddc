//! `pvm-contract`: upload, instantiate, call and inspect PolkaVM contracts on a chain. Implemented in the library.
//!
//! Exit codes: 0 success, 1 refused by the chain or a check, 2 invalid command line or unreachable chain.

use clap::Parser as _;
use contract_cli::{args::Args, error::Error, output};
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        // With `--json` every error is reported as JSON.
        Err(error) if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") => {
            let error = Error::Usage(error.to_string().trim_end().to_owned());
            output::print_error(&error, true);
            return ExitCode::from(error.exit_code());
        }
        Err(error) => error.exit(),
    };
    let json = args.global.json;
    match contract_cli::run(args).await {
        Ok(report) => {
            report.print(json);
            ExitCode::from(u8::from(report.is_failure()))
        }
        Err(error) => {
            output::print_error(&error, json);
            ExitCode::from(error.exit_code())
        }
    }
}
