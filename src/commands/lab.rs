//! `ringcode lab`: the built-in carrier alone.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

/// What `ringcode lab` takes.
#[derive(Debug, Args)]
pub struct LabArgs {}

/// Runs the command.
pub async fn run(_args: LabArgs) -> anyhow::Result<ExitCode> {
    bail!("not wired yet")
}
