//! `ringcode call`: places a call through a running daemon, and follows it.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::api_client::ApiClient;
use super::progress::{Progress, verdict};
use crate::base::secret::Secret;
use crate::config;
use crate::config::checked::Config;

/// How often the daemon is asked how the call goes.
const POLL: Duration = Duration::from_millis(250);

/// What `ringcode call` takes.
#[derive(Debug, Args)]
pub struct CallArgs {
    /// The number to call: +84919273027, or as it is dialled in the daemon's country
    pub number: String,
    /// The code to read, 4 to 10 digits [default: the daemon draws one]
    #[arg(long, value_name = "DIGITS")]
    pub otp: Option<String>,
    /// How often the code is read again by itself, 0 to 10
    #[arg(long, value_name = "TIMES", default_value_t = 0)]
    pub maxretry: u8,
    /// The configuration of the daemon, for its address and its first user
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    pub config: PathBuf,
    /// The daemon's address [default: from the configuration]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The user to log in as [default: the first one of the configuration]
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// The environment variable that holds the password; on a terminal it is asked for when the variable is not set
    #[arg(long, value_name = "VARIABLE", default_value = "RINGCODE_PASSWORD")]
    pub password_env: String,
    /// The environment variable that holds an API key, to be used instead of user and password
    #[arg(long, value_name = "VARIABLE")]
    pub api_key_env: Option<String>,
}

/// Runs the command.
pub async fn run(args: CallArgs) -> anyhow::Result<ExitCode> {
    let client = connect(&args).await?;
    let otp = args.otp.as_deref().map(Secret::new);
    let call = client.place(&args.number, otp.as_ref(), args.maxretry).await?;
    say!("call {} is accepted", call.id);
    if otp.is_none() {
        say!("the code is {}", call.otp.expose());
    }
    tokio::select! {
        followed = follow(&client, call.id) => followed,
        _ = tokio::signal::ctrl_c() => {
            client.cancel(call.id).await.context("cannot hang up")?;
            bail!("interrupted: the call is hung up");
        }
    }
}

async fn follow(client: &ApiClient, id: i64) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::default();
    let mut poll = tokio::time::interval(POLL);
    loop {
        poll.tick().await;
        let view = client.call(id).await?;
        for line in progress.lines(&view) {
            say!("{line}");
        }
        if view.has_ended() {
            return Ok(match verdict(&view) {
                Ok(delivered) => {
                    say!("{delivered}");
                    ExitCode::SUCCESS
                }
                Err(failed) => {
                    say!("{failed}");
                    ExitCode::FAILURE
                }
            });
        }
    }
}

async fn connect(args: &CallArgs) -> anyhow::Result<ApiClient> {
    let needs_user = args.username.is_none() && args.api_key_env.is_none();
    let config = if args.url.is_none() || needs_user { Some(read_config(&args.config)?) } else { None };
    let url = args.url.clone().or_else(|| config.as_ref().map(url_of)).unwrap_or_default();
    if let Some(variable) = &args.api_key_env {
        let key = std::env::var(variable).with_context(|| format!("the variable {variable} holds no API key"))?;
        return ApiClient::with_key(&url, Secret::new(key));
    }
    let first = || config.as_ref().and_then(|config| config.users.first()).map(|user| user.username.clone());
    let username = args.username.clone().or_else(first).context("name a user with --username")?;
    let password = match std::env::var(&args.password_env) {
        Ok(password) => Secret::new(password),
        Err(_) if std::io::stdin().is_terminal() => {
            let asked = rpassword::prompt_password(format!("Password of {username}: "));
            Secret::new(asked.context("cannot read the password")?)
        }
        Err(_) => bail!("the variable {} holds no password", args.password_env),
    };
    ApiClient::login(&url, &username, &password).await
}

fn read_config(path: &Path) -> anyhow::Result<Config> {
    config::load(path).context("the daemon's address or user is not known; give --url and --username")
}

/// Where a daemon with this configuration is reached from its own machine.
fn url_of(config: &Config) -> String {
    let mut address = config.http.listen;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    format!("http://{address}")
}
