//! `ringcode call`: places a call through a running daemon.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

/// What `ringcode call` takes.
#[derive(Debug, Args)]
pub struct CallArgs {
    /// The number to call
    pub number: String,
}

/// Runs the command.
pub async fn run(_args: CallArgs) -> anyhow::Result<ExitCode> {
    bail!("not wired yet")
}
