//! `ringcode lab`: the built-in carrier alone.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::base::secret::Masked;
use crate::lab::registrar::Change;
use crate::lab::{self, LabConfig, LabEvent};
use crate::net::clock::Clock;
use crate::net::entropy;

/// What `ringcode lab` takes.
#[derive(Debug, Args)]
pub struct LabArgs {
    /// Where the carrier listens for SIP over UDP
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5070")]
    pub listen: SocketAddr,
}

const NUMBERS: &str = "\
What a number does is in its last digits:
  0000 answers and listens          0001 answers and presses 1 once
  0486 is busy                      0480 is unavailable
  0404 is unallocated               0603 declines
  0408 never answers                0503 is congested
  0100 hangs up in the second digit 0200 is a mailbox
  any other answers and listens; a phone that has registered under the number is called instead.";

/// Runs the command until SIGTERM or SIGINT.
///
/// # Errors
/// Why the carrier could not start.
pub async fn run(args: LabArgs) -> anyhow::Result<ExitCode> {
    let config = LabConfig { listen: args.listen, ..LabConfig::default() };
    let (username, password) = (config.accounts.username.clone(), config.accounts.password.clone());
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut lab = lab::start(config, &Clock::start(), entropy::system)?;
    say!("carrier on {} (UDP), username {username}, password {}", lab.address(), password.expose());
    say!("{NUMBERS}");
    loop {
        tokio::select! {
            event = lab.next_event() => match event {
                Some(event) => {
                    if let Some(line) = words(&event) {
                        say!("{line}");
                    }
                }
                None => anyhow::bail!("the carrier has ended"),
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    lab.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// What happens at the carrier, in words; nothing for what nobody wants to read.
fn words(event: &LabEvent) -> Option<String> {
    let shown = |number: &Masked| number.escape_debug().to_string();
    Some(match event {
        LabEvent::Registrar(Change::Registered { user, expires }) => {
            format!("{} registers for {expires} s", user.escape_debug())
        }
        LabEvent::Registrar(Change::Unregistered { user }) => format!("{} unregisters", user.escape_debug()),
        LabEvent::Forwarded { number } => format!("a call to {} goes to the phone that has registered", shown(number)),
        LabEvent::Incoming { call, number, .. } => format!("call {}: {} is called", name(call.0), shown(number)),
        LabEvent::Ringing { call } => format!("call {}: rings", name(call.0)),
        LabEvent::Answered { call, codec } => format!("call {}: answers in {}", name(call.0), codec.encoding_name()),
        LabEvent::Speech { .. } => return None,
        LabEvent::Pressed { call, digit } => format!("call {}: presses {digit}", name(call.0)),
        LabEvent::Ended(heard) => {
            let seconds = heard.pcm.len() as f64 / 8000.0;
            format!("call {}: over, {seconds:.1} s of audio heard", name(heard.call.0))
        }
    })
}

/// The call's number without the bit that marks it as incoming.
fn name(call: u64) -> u64 {
    call & !crate::sip::user_agent::CallId::INCOMING
}
