//! The daemon: configuration → parts → run → drain.
//!
//! ```text
//!  http ──► service ──► store ◄── dispatcher (drives the dialer) ──► signalling (drives the user agent) ──► UDP
//!                                     └──────────────────────────► media engine (drives the sessions) ──► RTP
//! ```

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::base::secret::Secret;
use crate::config::checked::{Config, TrunkConfig};
use crate::dialer::{Dialer, DialerConfig, MediaUnavailable};
use crate::http::{self, ApiSettings, server};
use crate::media::media_session;
use crate::net::clock::Clock;
use crate::net::media_engine::{CallKey, EngineEvent, MediaEngine};
use crate::net::ports::PortPool;
use crate::net::{dns, entropy, signalling, udp};
use crate::otp::Limits;
use crate::service::{Dispatcher, MediaDriver, OtpService, ServiceSettings, TrunkStates, call_link};
use crate::sip::user_agent::{Policy, Trunk, TrunkId, UserAgent};
use crate::store::Store;
use crate::store::prompt_dir::load_pack;

/// How long running calls may go on after a stop before they are hung up: one call of six digits, read twice.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// Jobs that wait in memory; the rest waits in the store.
const MAX_QUEUE: usize = 1024;
/// How long a call waits for any trunk to be usable.
const TRUNK_WAIT: Duration = Duration::from_secs(30);
/// Orders and events that may wait between two floors; at the bound their sender waits.
const CHANNEL: usize = 1024;

/// A running daemon.
pub struct Daemon {
    /// Where the API listens.
    pub http: SocketAddr,
    /// Where SIP comes in.
    pub sip: SocketAddr,
    /// The service behind the API.
    pub service: OtpService,
    calls: watch::Sender<Calls>,
    dispatcher: JoinHandle<()>,
    stop_server: watch::Sender<bool>,
    server: JoinHandle<()>,
    store: Store,
}

impl Daemon {
    /// Builds every part and starts it. When this returns, the API answers and registrations are under way; when it
    /// fails, nothing has been started that would go on.
    ///
    /// # Errors
    /// What is wrong, in words for whoever runs the daemon: a damaged prompt, a database that cannot be opened, a port
    /// that is taken, a trunk whose name is unknown.
    pub async fn start(config: Config, clock: Clock) -> anyhow::Result<Daemon> {
        let pack = load_pack(&config.speech.dir, &config.speech.language, &config.media.codecs)?;
        let trunks = find_trunks(&config).await?;
        let (socket, local) = signalling_socket(&config, &trunks)?;
        let listener = TcpListener::bind(config.http.listen)
            .await
            .with_context(|| format!("http.listen: {} cannot be used", config.http.listen))?;
        let http = listener.local_addr()?;
        let store = Store::open(&config.store.url, entropy::system(), clock.unix_now())
            .await
            .with_context(|| format!("store.url: {} cannot be used", config.store.url))?;
        let interrupted = store.recover(clock.unix_now()).await?;
        if !interrupted.is_empty() {
            tracing::warn!(calls = interrupted.len(), "calls were interrupted when the daemon ended last time");
        }

        let (media_sink, media_events) = mpsc::channel(CHANNEL);
        let media = start_media(&config, local.ip(), clock.clone(), media_sink)?;

        let dial_trunks: Vec<_> =
            (0..).map(TrunkId).zip(&config.trunks).map(|(id, trunk)| trunk.dial_trunk(id)).collect();
        let max_calls = usize::try_from(config.limits.max_calls).unwrap_or(usize::MAX);
        let (link, driver) = call_link(TrunkStates::new(&dial_trunks));
        let dialer = Dialer::new(
            clock.now(),
            clock.unix_now(),
            DialerConfig {
                trunks: dial_trunks,
                policy: config.call,
                codecs: config.media.codecs,
                max_calls,
                max_queue: MAX_QUEUE,
                trunk_wait: TRUNK_WAIT,
            },
            Arc::new(pack),
            entropy::system(),
        );

        let policy = Policy {
            accept_calls: false,
            deliver_requests: false,
            accept_any_source: false,
            user_agent: concat!("ringcode/", env!("CARGO_PKG_VERSION")).to_owned(),
            local,
            // A call that the dialer has given up can linger for the 32 s of RFC 3261's timers.
            max_calls: max_calls.saturating_mul(4),
        };
        let agent = UserAgent::new(policy, trunks, entropy::system());
        let (orders, commands) = mpsc::channel(CHANNEL);
        let (sip_sink, sip_events) = mpsc::channel(CHANNEL);
        tokio::spawn(signalling::run(agent, socket, commands, sip_sink, clock.clone()));

        let limits = Limits { home: config.limits.country, countries: config.limits.countries };
        let settings = ServiceSettings { users: config.users.clone(), otp: config.otp, limits };
        let service = OtpService::new(settings, store.clone(), link, clock.clone(), entropy::system());

        let (calls, told) = watch::channel(Calls::Run);
        let dispatcher = Dispatcher {
            dialer,
            store: store.clone(),
            clock: clock.clone(),
            link: driver,
            sip: orders,
            sip_events,
            media,
            media_events,
            drain_limit: DRAIN_LIMIT,
        };
        let dispatcher =
            tokio::spawn(dispatcher.run(reached(told.clone(), Calls::Drain), reached(told, Calls::HangUp)));

        let token_key = config.http.token_secret.clone().unwrap_or_else(|| {
            let mut random = entropy::system();
            Secret::new(random.token() + &random.token())
        });
        let mut http_config = config.http;
        http_config.listen = http;
        let router = http::router(
            service.clone(),
            ApiSettings {
                http: http_config,
                users: config.users,
                language: config.speech.language,
                token_key,
                body_timeout: http::BODY_TIMEOUT,
                now: Arc::new(move || clock.unix_now()),
            },
        );
        let (stop_server, server_stopped) = watch::channel(false);
        let limits = server::ServerLimits::default();
        let server = tokio::spawn(server::serve(listener, router, limits, reached(server_stopped, true)));
        Ok(Daemon { http, sip: local, service, calls, dispatcher, stop_server, server, store })
    }

    /// Takes no more calls, lets the running ones end, hangs up those that do not within the drain limit or when `hurry`
    /// is done, ends the registrations, and writes down what happened. The API answers until all calls have ended, so
    /// that clients can follow them.
    pub async fn stop(self, hurry: impl Future<Output = ()>) {
        let Daemon { calls, mut dispatcher, stop_server, server, store, .. } = self;
        calls.send_replace(Calls::Drain);
        tokio::select! {
            // A task that panicked has ended as well.
            _ = &mut dispatcher => {}
            () = hurry => {
                calls.send_replace(Calls::HangUp);
                let _ = dispatcher.await;
            }
        }
        stop_server.send_replace(true);
        let _ = server.await;
        store.close().await;
    }
}

/// What is to become of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Calls {
    Run,
    Drain,
    HangUp,
}

async fn reached<T: PartialOrd>(mut told: watch::Receiver<T>, wanted: T) {
    // A sender that is gone means the same as a stop.
    let _ = told.wait_for(|now| *now >= wanted).await;
}

/// The trunks with their hosts looked up.
async fn find_trunks(config: &Config) -> anyhow::Result<Vec<Trunk>> {
    let mut trunks = Vec::with_capacity(config.trunks.len());
    for (id, trunk) in (0..).map(TrunkId).zip(&config.trunks) {
        trunks.push(find_trunk(config, id, trunk).await?);
    }
    Ok(trunks)
}

async fn find_trunk(config: &Config, id: TrunkId, trunk: &TrunkConfig) -> anyhow::Result<Trunk> {
    let hop = trunk.next_hop();
    let targets = dns::lookup(&hop.host, hop.port, config.sip.listen.ip())
        .await
        .with_context(|| format!("trunk {}: {hop} cannot be looked up", trunk.name))?;
    trunk.sip_trunk(id, &targets).with_context(|| format!("trunk {}: {hop} has no address", trunk.name))
}

/// The socket of signalling, and the address under which the first trunk reaches it.
fn signalling_socket(config: &Config, trunks: &[Trunk]) -> anyhow::Result<(UdpSocket, SocketAddr)> {
    let listen = config.sip.listen;
    let socket = udp::bind(listen).with_context(|| format!("sip.listen: {listen} cannot be used"))?;
    let mut local = socket.local_addr()?;
    if let (true, Some(trunk)) = (local.ip().is_unspecified(), trunks.first()) {
        let ip = udp::local_address_towards(trunk.proxy)
            .with_context(|| format!("trunk {}: there is no way to {}", trunk.name, trunk.proxy))?;
        local.set_ip(ip);
    }
    Ok((socket, local))
}

/// The media sessions, offered under another address than the sockets have when the daemon stands behind NAT.
struct Media {
    engine: MediaEngine,
    offered: Option<IpAddr>,
}

impl MediaDriver for Media {
    fn open(&self, call: CallKey) -> Result<SocketAddr, MediaUnavailable> {
        let mut address = MediaDriver::open(&self.engine, call)?;
        if let Some(offered) = self.offered {
            address.set_ip(offered);
        }
        Ok(address)
    }

    fn command(&self, call: CallKey, command: media_session::Command) {
        self.engine.command(call, command);
    }

    fn close(&self, call: CallKey) {
        self.engine.close(call);
    }
}

fn start_media(
    config: &Config,
    local: IpAddr,
    clock: Clock,
    events: mpsc::Sender<EngineEvent>,
) -> anyhow::Result<Media> {
    let wanted = config.media.address.unwrap_or(local);
    let ours = std::net::UdpSocket::bind((wanted, 0)).is_ok();
    let unspecified = if wanted.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
    let (bound, offered) = if ours { (wanted, None) } else { (unspecified, Some(wanted)) };
    if let Some(offered) = offered {
        tracing::info!(%offered, "media.address is not an address of this machine: taken as the public one behind NAT");
    }
    let ports = PortPool::new(config.media.ports, &mut entropy::system());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let engine = MediaEngine::start(threads, bound, ports, clock, events).context("the media threads cannot start")?;
    Ok(Media { engine, offered })
}
