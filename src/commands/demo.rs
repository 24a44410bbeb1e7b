//! `ringcode demo`: the whole main job with nothing installed.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

/// What `ringcode demo` takes.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The code that is read to the phone, 4 to 10 digits
    #[arg(long, value_name = "DIGITS", default_value = "610389")]
    pub otp: String,
    /// The keys that the phone presses, one after another; none when empty
    #[arg(long, value_name = "KEYS", default_value = "1")]
    pub press: String,
    /// The codec: pcmu or pcma
    #[arg(long, value_name = "NAME", default_value = "pcmu")]
    pub codec: String,
    /// The language of the prompts
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    pub language: String,
    /// Write heard.wav, what the phone heard, to this folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub save: std::path::PathBuf,
}

/// Runs the command.
pub async fn run(_args: DemoArgs) -> anyhow::Result<ExitCode> {
    bail!("not wired yet")
}
