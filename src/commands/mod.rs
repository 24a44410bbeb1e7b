//! One file a command.

/// Prints a line. A reader that has gone away is no reason to end: `serve | head` must still drain its calls.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}

pub mod api_client;
pub mod call;
pub mod check;
pub mod demo;
pub mod hash_password;
pub mod lab;
pub mod progress;
pub mod serve;

use clap::{Parser, Subcommand};

/// A voice one-time-code service on any carrier's SIP trunk: it calls the phone, reads the code digit by digit, and
/// reads it again when 1 is pressed.
#[derive(Debug, Parser)]
#[command(name = "ringcode", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon: register to the trunks, answer the HTTP API, place calls
    ///
    /// The log goes to standard error; the environment variable RUST_LOG says how much of it: ringcode=warn,
    /// ringcode=info (the default) or ringcode=debug.
    Serve(serve::ServeArgs),
    /// Show the whole job on this machine alone: a built-in carrier, the daemon, one call, and proof of what was heard
    Demo(demo::DemoArgs),
    /// Run the built-in carrier alone, to develop against without a real one
    Lab(lab::LabArgs),
    /// Call a number through a running daemon and follow the call
    Call(call::CallArgs),
    /// Try the configuration, the prompts and each trunk, and print what works and what does not
    Check(check::CheckArgs),
    /// Turn a password into the hash that config.toml wants
    ///
    /// On a terminal the password is asked for twice and not shown. Otherwise it is the first line of standard input:
    /// printf '%s\n' "$PASSWORD" | ringcode hash-password
    HashPassword(hash_password::HashPasswordArgs),
}

/// Runs the command and gives the process's exit code: 0 when it did what it promises.
pub async fn run(cli: Cli) -> anyhow::Result<std::process::ExitCode> {
    match cli.command {
        Command::Serve(args) => serve::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Lab(args) => lab::run(args).await,
        Command::Call(args) => call::run(args).await,
        Command::Check(args) => check::run(args).await,
        Command::HashPassword(args) => hash_password::run(args).await,
    }
}
