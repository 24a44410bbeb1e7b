//! `ringcode serve`: the daemon.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::config;
use crate::daemon::Daemon;
use crate::net::clock::Clock;

/// What `ringcode serve` takes.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    pub config: PathBuf,
}

/// Runs the command until SIGTERM or SIGINT; a second one hangs up what still runs.
///
/// # Errors
/// Why the daemon could not start.
pub async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    start_log();
    let config = config::load(&args.config)?;
    let trunks: Vec<_> = config.trunks.iter().map(|trunk| trunk.name.clone()).collect();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let daemon = Daemon::start(config, Clock::start()).await?;
    say!("listening on http://{}", daemon.http);
    say!("SIP on {}, trunks: {}", daemon.sip, trunks.join(", "));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    say!("stopping: running calls may end; press Ctrl-C to hang them up now");
    let hurry = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        say!("hanging up");
    };
    daemon.stop(hurry).await;
    say!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// The log goes to standard error; `RUST_LOG` says how much of it (`ringcode=debug`).
fn start_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("ringcode=info"));
    // It writes numbers down as they were given.
    let filter = filter.add_directive("rlibphonenumber=off".parse().expect("a target and a level"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Only the first log of a process counts; a second start is no reason to fail.
    let _ = log.with_ansi(std::io::stderr().is_terminal()).try_init();
}
