//! `ringcode serve`: the daemon.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

/// What `ringcode serve` takes.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    pub config: std::path::PathBuf,
}

/// Runs the command.
pub async fn run(_args: ServeArgs) -> anyhow::Result<ExitCode> {
    bail!("not wired yet")
}
