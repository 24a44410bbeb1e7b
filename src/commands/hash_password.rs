//! `ringcode hash-password`: the hash that config.toml wants.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

/// What `ringcode hash-password` takes.
#[derive(Debug, Args)]
pub struct HashPasswordArgs {}

/// Runs the command.
pub async fn run(_args: HashPasswordArgs) -> anyhow::Result<ExitCode> {
    bail!("not wired yet")
}
