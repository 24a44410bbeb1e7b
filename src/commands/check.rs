//! `ringcode check`: tries the configuration, the prompts and each trunk, and prints what works.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::config;
use crate::config::checked::{Config, SpeechConfig, TrunkConfig};
use crate::net::clock::Clock;
use crate::net::{dns, entropy, signalling, udp};
use crate::sip::registration::RegistrationState;
use crate::sip::user_agent::{Command, Event, Policy, Trunk, TrunkId, UserAgent};
use crate::store::prompt_dir::load_pack;

/// How long a registrar has to answer: 64*T1 of a transaction (RFC 3261 §17.1.2.2), and a second for the answer to its
/// challenge.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(33);

/// How long a registrar has to take the registration back.
const UNREGISTER_TIMEOUT: Duration = Duration::from_secs(5);

/// What `ringcode check` takes.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    pub config: PathBuf,
}

/// One row of the table.
#[derive(Debug)]
struct Row {
    subject: String,
    /// What works, or why it does not.
    result: Result<String, String>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, text) = match &self.result {
            Ok(text) => ("ok", text),
            Err(text) => ("FAILED", text),
        };
        write!(f, "{:<20} {word:<7} {}", self.subject, text.replace('\n', "\n                             "))
    }
}

/// Runs the command.
pub async fn run(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let mut failed = false;
    let mut tell = |row: Row| {
        failed |= row.result.is_err();
        say!("{row}");
    };
    let subject = "configuration".to_string();
    let config = match config::load(&args.config) {
        Ok(config) => config,
        Err(error) => {
            tell(Row { subject, result: Err(error.to_string()) });
            return Ok(ExitCode::FAILURE);
        }
    };
    tell(Row { subject, result: Ok(args.config.display().to_string()) });
    tell(Row { subject: "prompts".into(), result: prompts(&config) });
    for (index, trunk) in (0..).zip(&config.trunks) {
        let result = try_trunk(&config, trunk, TrunkId(index)).await;
        tell(Row { subject: format!("trunk {}", trunk.name), result });
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn prompts(config: &Config) -> Result<String, String> {
    let SpeechConfig { dir, language } = &config.speech;
    let pack = load_pack(dir, language, &config.media.codecs).map_err(|error| error.to_string())?;
    let codecs: Vec<_> = config.media.codecs.iter().map(|codec| codec.config_name()).collect();
    Ok(format!("{} in {}, for {}", pack.language(), dir.display(), codecs.join(" and ")))
}

/// Looks the trunk up, and registers it when it does that, as the daemon would; then takes the registration back.
async fn try_trunk(config: &Config, trunk: &TrunkConfig, id: TrunkId) -> Result<String, String> {
    let hop = trunk.next_hop();
    let listen = config.sip.listen;
    let targets = dns::lookup(&hop.host, hop.port, listen.ip()).await;
    let targets = targets.map_err(|error| format!("{hop} cannot be looked up: {error}"))?;
    let sip = trunk.sip_trunk(id, &targets).ok_or_else(|| format!("{hop} has no address"))?;
    let way = if hop.host == sip.proxy.ip().to_string() { String::new() } else { format!(" ({})", sip.proxy.ip()) };
    let local =
        udp::local_address_towards(sip.proxy).map_err(|error| format!("there is no way to {hop}{way}: {error}"))?;
    if !trunk.register {
        return Ok(format!("{hop}{way} is reached from {local}; does not register"));
    }
    let socket = bind(listen).map_err(|error| format!("sip.listen {listen} cannot be used: {error}"))?;
    let port = socket.local_addr().map_err(|error| error.to_string())?.port();
    let address = SocketAddr::new(if listen.ip().is_unspecified() { local } else { listen.ip() }, port);
    register(sip, socket, address)
        .await
        .map(|()| format!("{hop}{way} registers {address}"))
        .map_err(|reason| format!("{hop}{way} as {}: {reason}", trunk.username.as_deref().unwrap_or_default()))
}

/// The configured port; any other while a daemon holds it, so that a running one can be checked too.
fn bind(listen: SocketAddr) -> std::io::Result<UdpSocket> {
    match udp::bind(listen) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => udp::bind(SocketAddr::new(listen.ip(), 0)),
        bound => bound,
    }
}

async fn register(trunk: Trunk, socket: UdpSocket, local: SocketAddr) -> Result<(), String> {
    let policy = Policy {
        accept_calls: false,
        deliver_requests: false,
        accept_any_source: false,
        user_agent: format!("ringcode/{}", env!("CARGO_PKG_VERSION")),
        local,
        max_calls: 0,
    };
    let agent = UserAgent::new(policy, vec![trunk], entropy::system());
    let (commands, orders) = mpsc::channel(4);
    let (sink, mut events) = mpsc::channel(64);
    let driver = tokio::spawn(signalling::run(agent, socket, orders, sink, Clock::start()));
    let order = |command| commands.send(command);

    let mut result = Err("the user agent ended".to_string());
    if order(Command::Start).await.is_ok() {
        result = match timeout(REGISTER_TIMEOUT, registered(&mut events)).await {
            Ok(result) => result,
            Err(_) => Err("the registrar does not answer".into()),
        };
        if result.is_ok() && order(Command::Stop).await.is_ok() {
            // Whether it was taken back in time is not what is checked: a binding ends by itself.
            let stopped = async { while events.recv().await.is_some_and(|event| !matches!(event, Event::Stopped)) {} };
            let _ = timeout(UNREGISTER_TIMEOUT, stopped).await;
        }
    }
    driver.abort();
    result
}

/// Waits for the first word on the registration: it holds, or why not.
async fn registered(events: &mut mpsc::Receiver<Event>) -> Result<(), String> {
    while let Some(event) = events.recv().await {
        let Event::Registration { state, .. } = event else { continue };
        match state {
            RegistrationState::Registered { .. } => return Ok(()),
            RegistrationState::Waiting { failure, .. } => return Err(failure.to_string()),
            RegistrationState::Refused { status, .. } => {
                let advice = match status {
                    401 | 403 | 407 => "; are username and password right?",
                    404 => "; is the username right?",
                    _ => "",
                };
                return Err(format!("the registrar refuses with {status}{advice}"));
            }
            RegistrationState::Unregistered
            | RegistrationState::Registering
            | RegistrationState::Unregistering
            | RegistrationState::Stopped => {}
        }
    }
    Err("the user agent ended".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Instant;
    use crate::sip::registration::RegistrationFailure;

    #[test]
    fn rows_line_up_and_shout_when_they_fail() {
        let rows = [
            Row { subject: "prompts".into(), result: Ok("en".into()) },
            Row { subject: "trunk lab".into(), result: Err("one\ntwo".into()) },
        ];
        assert_eq!(rows[0].to_string(), "prompts              ok      en");
        let [first, second] = [0, 1].map(|line| rows[1].to_string().lines().nth(line).map(str::to_string).unwrap());
        assert_eq!(first, "trunk lab            FAILED  one");
        assert_eq!(first.find("one"), second.find("two"));
    }

    #[tokio::test]
    async fn the_first_word_of_the_registrar_counts() {
        let trunk = TrunkId(0);
        for (state, result) in [
            (RegistrationState::Registered { until: Instant::ZERO }, Ok(())),
            (
                RegistrationState::Refused { status: 403, retry_at: Instant::ZERO },
                Err("the registrar refuses with 403; are username and password right?".to_string()),
            ),
            (
                RegistrationState::Waiting { retry_at: Instant::ZERO, failure: RegistrationFailure::TimedOut },
                Err("the registrar does not answer".to_string()),
            ),
        ] {
            let (sink, mut events) = mpsc::channel(4);
            sink.send(Event::Registration { trunk, state: RegistrationState::Registering }).await.unwrap();
            sink.send(Event::Registration { trunk, state }).await.unwrap();
            assert_eq!(registered(&mut events).await, result);
        }
    }

    #[tokio::test]
    async fn a_name_that_is_nowhere_is_told() {
        let source = include_str!("../../config.toml").replace("127.0.0.1:5070", "nowhere.invalid");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, source).unwrap();
        let config = config::load(&path).unwrap();
        let error = try_trunk(&config, &config.trunks[0], TrunkId(0)).await.unwrap_err();
        assert!(error.starts_with("nowhere.invalid cannot be looked up"), "{error}");
    }

    /// A registrar that answers everything with `answer`; what it was asked comes out.
    async fn registrar(answer: &'static str) -> (u16, mpsc::UnboundedReceiver<String>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let (asked, questions) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
                let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:", "Contact:"];
                let lines = request.lines().filter(|line| kept.iter().any(|name| line.starts_with(name)));
                let headers: String = lines
                    .map(|line| format!("{line}{}\r\n", if line.starts_with("To:") { ";tag=registrar" } else { "" }))
                    .collect();
                let response = format!("SIP/2.0 {answer}\r\n{headers}Content-Length: 0\r\n\r\n");
                let _ = socket.send_to(response.as_bytes(), peer).await;
                let _ = asked.send(request);
            }
        });
        (port, questions)
    }

    fn config_for(port: u16) -> Config {
        let source = include_str!("../../config.toml")
            .replace("127.0.0.1:5070", &format!("127.0.0.1:{port}"))
            .replace("# listen = \"0.0.0.0:5060\"", "listen = \"127.0.0.1:0\" #");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, source).unwrap();
        config::load(&path).unwrap()
    }

    #[tokio::test]
    async fn a_trunk_is_registered_and_given_back() {
        let (port, mut questions) = registrar("200 OK").await;
        let config = config_for(port);
        let told = try_trunk(&config, &config.trunks[0], TrunkId(0)).await.unwrap();
        assert!(told.starts_with(&format!("127.0.0.1:{port} registers 127.0.0.1:")), "{told}");
        let expires = |request: &str| request.lines().find(|line| line.starts_with("Expires:")).map(str::to_string);
        for expected in ["Expires: 600", "Expires: 0"] {
            let question = timeout(UNREGISTER_TIMEOUT, questions.recv()).await.expect("nothing was asked").unwrap();
            assert_eq!(expires(&question).as_deref(), Some(expected));
        }
    }

    #[tokio::test]
    async fn a_refused_trunk_is_told_with_advice() {
        let (port, _questions) = registrar("403 Forbidden").await;
        let config = config_for(port);
        let told = try_trunk(&config, &config.trunks[0], TrunkId(0)).await.unwrap_err();
        let expected = "as ringcode: the registrar refuses with 403; are username and password right?";
        assert_eq!(told, format!("127.0.0.1:{port} {expected}"));
    }
}
