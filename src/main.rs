//! Arguments to one command.

use std::process::ExitCode;

use clap::Parser;
use ringcode::commands::{self, Cli};

#[tokio::main]
async fn main() -> ExitCode {
    match commands::run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ringcode: {error:#}");
            ExitCode::FAILURE
        }
    }
}
