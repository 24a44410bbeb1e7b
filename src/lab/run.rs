//! Runs the lab on real sockets.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::base::random::Random;
use crate::base::secret::Secret;
use crate::base::time::Instant;
use crate::lab::carrier::{Carrier, Signal};
use crate::lab::event::{HeardCall, LabEvent};
use crate::lab::exchange::{Exchange, Input, Output, Settings};
use crate::lab::phone::PhoneSettings;
use crate::lab::registrar::Accounts;
use crate::net::clock::Clock;
use crate::net::media_engine::{EngineEvent, MediaEngine};
use crate::net::ports::{PortPool, PortRange};
use crate::net::{signalling, udp};
use crate::sip::user_agent::{CallId, Command};
use crate::speech::PromptError;
use crate::speech::pack::encode_recording;
use crate::wire::codec::Codec;

/// What a mailbox says.
const GREETING: &[u8] = include_bytes!("../../prompts/lab/mailbox.wav");

/// Events that wait for a slow watcher; further ones are lost to it.
const MAX_WAITING_EVENTS: usize = 4096;

/// Messages that wait between the lab's own parts.
const CHANNEL: usize = 1024;

/// How a lab is set.
#[derive(Clone, Debug)]
pub struct LabConfig {
    /// Where it listens for SIP over UDP; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Who may register and call.
    pub accounts: Accounts,
    /// What its phones do.
    pub phones: PhoneSettings,
    /// The codecs of its phones, most wanted first.
    pub codecs: Vec<Codec>,
    /// The UDP ports of its phones' audio.
    pub ports: PortRange,
    /// Threads that carry its phones' audio.
    pub media_threads: usize,
    /// Calls whose audio is kept; the oldest make room.
    pub keep_calls: usize,
}

impl Default for LabConfig {
    /// What the shipped `config.toml` expects.
    fn default() -> Self {
        LabConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 5070)),
            accounts: Accounts {
                realm: "ringcode lab".to_owned(),
                username: "ringcode".to_owned(),
                password: Secret::new("ringcode-lab"),
                min_expires: 10,
                max_expires: 3600,
            },
            phones: PhoneSettings::default(),
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            // Apart from the daemon's, and below what the system lends to everyone.
            ports: "30000-32767".parse().expect("a range with even ports above 1023"),
            media_threads: 1,
            keep_calls: 20,
        }
    }
}

/// Why a lab does not start.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The address stands in Via and Contact, so that it must be one.
    #[error("the lab needs an address of this machine to listen on, not {0}")]
    NoAddress(IpAddr),
    /// The port is taken, or the address is not this machine's.
    #[error("the lab cannot listen on {address}: {error}")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The media threads do not start.
    #[error("the lab's audio does not start: {0}")]
    Media(io::Error),
    /// The mailbox's greeting is damaged.
    #[error(transparent)]
    Greeting(#[from] PromptError),
}

/// A running lab. Dropping it ends the lab.
pub struct LabHandle {
    address: SocketAddr,
    events: mpsc::Receiver<LabEvent>,
    kept: Kept,
    stop: Option<oneshot::Sender<()>>,
    tasks: [JoinHandle<()>; 2],
}

type Kept = Arc<Mutex<VecDeque<Arc<HeardCall>>>>;

impl LabHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next thing that happens; `None` when the lab has ended.
    pub async fn next_event(&mut self) -> Option<LabEvent> {
        self.events.recv().await
    }

    /// The last calls with what was heard in them, the oldest first.
    pub fn kept_calls(&self) -> Vec<Arc<HeardCall>> {
        lock(&self.kept).iter().cloned().collect()
    }

    /// Ends the lab; its sockets are closed afterwards.
    pub async fn stop(mut self) {
        self.stop.take();
        for task in &mut self.tasks {
            // A task that panicked has ended as well.
            let _ = task.await;
        }
    }
}

/// Starts a lab on the current tokio runtime. `entropy` gives it its randomness, one source for each part.
///
/// # Errors
/// [`LabError`] says what is in the way.
pub fn start(config: LabConfig, clock: &Clock, mut entropy: impl FnMut() -> Random) -> Result<LabHandle, LabError> {
    if config.listen.ip().is_unspecified() {
        return Err(LabError::NoAddress(config.listen.ip()));
    }
    let refused = |error| LabError::Listen { address: config.listen, error };
    let socket = udp::bind(config.listen).map_err(refused)?;
    let address = socket.local_addr().map_err(refused)?;
    let recorded = |codec: Codec| Ok((codec, encode_recording("prompts/lab/mailbox.wav", GREETING, codec)?));
    let greeting = config.codecs.iter().copied().map(recorded).collect::<Result<_, PromptError>>()?;

    let (media_events, from_media) = mpsc::channel(CHANNEL);
    let ports = PortPool::new(config.ports, &mut entropy());
    let media = MediaEngine::start(config.media_threads, address.ip(), ports, clock.clone(), media_events)
        .map_err(LabError::Media)?;
    let carrier = Carrier::new(address, config.accounts, &mut entropy);
    let exchange = Exchange::new(Settings { phones: config.phones, codecs: config.codecs, greeting }, entropy());

    let (commands, for_carrier) = mpsc::channel(CHANNEL);
    let (signals, from_carrier) = mpsc::channel(CHANNEL);
    let (events, watched) = mpsc::channel(MAX_WAITING_EVENTS);
    let (stop, stopped) = oneshot::channel();
    let kept = Kept::default();
    let driver = Driver {
        exchange,
        media,
        commands,
        events,
        kept: Arc::clone(&kept),
        keep_calls: config.keep_calls,
        clock: clock.clone(),
    };
    let carrier_clock = clock.clone();
    let tasks = [
        tokio::spawn(async move {
            signalling::run(carrier, socket, for_carrier, signals, carrier_clock).await;
        }),
        tokio::spawn(driver.run(from_carrier, from_media, stopped)),
    ];
    Ok(LabHandle { address, events: watched, kept, stop: Some(stop), tasks })
}

/// Carries values between the exchange and the rest.
struct Driver {
    exchange: Exchange,
    media: MediaEngine,
    commands: mpsc::Sender<Command>,
    events: mpsc::Sender<LabEvent>,
    kept: Kept,
    keep_calls: usize,
    clock: Clock,
}

impl Driver {
    /// Ends when the lab is stopped; with it the carrier ends, for nobody commands it any more.
    async fn run(
        mut self,
        mut from_carrier: mpsc::Receiver<Signal>,
        mut from_media: mpsc::Receiver<EngineEvent>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        loop {
            let Some(wake) = self.drain().await else { return };
            let input = tokio::select! {
                _ = &mut stopped => return,
                signal = from_carrier.recv() => match signal {
                    Some(signal) => Input::Signal(signal),
                    None => return,
                },
                event = from_media.recv() => match event {
                    Some(EngineEvent::Media { call, event }) => Input::Media { call: CallId(call), event },
                    Some(EngineEvent::Closed { call, report }) => Input::MediaClosed { call: CallId(call), report },
                    None => return,
                },
                () = self.clock.sleep_until(wake) => Input::Timeout,
            };
            self.exchange.handle_input(self.clock.now(), input);
        }
    }

    /// Does what the exchange wants; gives when to wake it. `None` when the carrier has ended.
    async fn drain(&mut self) -> Option<Option<Instant>> {
        loop {
            match self.exchange.poll_output() {
                Output::Sip(command) => self.commands.send(command).await.ok()?,
                Output::OpenMedia(call) => {
                    let address = self.media.open(call.0).ok();
                    self.exchange.handle_input(self.clock.now(), Input::MediaOpened { call, address });
                }
                Output::Media { call, command } => self.media.command(call.0, command),
                Output::CloseMedia(call) => self.media.close(call.0),
                Output::Event(event) => self.tell(event),
                Output::Timeout(wake) => return Some(wake),
            }
        }
    }

    fn tell(&self, event: LabEvent) {
        if let LabEvent::Ended(heard) = &event {
            let mut kept = lock(&self.kept);
            kept.push_back(Arc::clone(heard));
            while kept.len() > self.keep_calls {
                kept.pop_front();
            }
        }
        // A watcher that does not look misses it; the lab goes on.
        let _ = self.events.try_send(event);
    }
}

fn lock(kept: &Kept) -> std::sync::MutexGuard<'_, VecDeque<Arc<HeardCall>>> {
    // Nothing in between leaves the list half changed.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
