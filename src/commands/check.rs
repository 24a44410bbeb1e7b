//! `ringcode check`: tries the configuration.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

/// What `ringcode check` takes.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    pub config: std::path::PathBuf,
}

/// Runs the command.
pub async fn run(_args: CheckArgs) -> anyhow::Result<ExitCode> {
    bail!("not wired yet")
}
