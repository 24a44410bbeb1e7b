//! The media threads' handle: opens, commands and closes sessions.
//!
//! Each call belongs to one thread, the one with the fewest calls when it was opened. Commands travel through a bounded
//! channel that the thread empties at every tick of 1 ms: at the bound the asker waits that long. Events travel through
//! the channel that the owner gives; see `media_thread` for what happens when it is full.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::clock::Clock;
use super::media_thread::{MediaThread, Opened, Request};
use super::ports::{PortPool, PortsExhausted};
use crate::media::audio_report::AudioReport;
use crate::media::media_session::{Command, Event};

/// How many requests may wait for one thread.
const MAX_WAITING_REQUESTS: usize = 4096;

/// How many ports are tried when other programs hold some of ours.
const BIND_ATTEMPTS: usize = 16;

/// Our number of a call.
pub type CallKey = u64;

/// What the engine tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineEvent {
    /// A session has something to tell.
    Media {
        /// The call.
        call: CallKey,
        /// What its session tells.
        event: Event,
    },
    /// A session is closed; nothing follows for this call.
    Closed {
        /// The call.
        call: CallKey,
        /// Its figures.
        report: AudioReport,
    },
}

/// Why a session could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A session of this call is open already.
    #[error("call {0} has a media session already")]
    InUse(CallKey),
    /// Every port is taken.
    #[error(transparent)]
    PortsExhausted(#[from] PortsExhausted),
    /// The socket could not be made.
    #[error("cannot bind an RTP socket: {0}")]
    Socket(#[from] std::io::Error),
    /// The engine is shutting down.
    #[error("the media engine has stopped")]
    Stopped,
}

/// The handle of the media threads. Dropping it stops them, and with them every session, without a report.
pub struct MediaEngine {
    address: IpAddr,
    clock: Clock,
    ports: Arc<Mutex<PortPool>>,
    threads: Vec<Worker>,
    /// Which thread has which call.
    calls: Mutex<HashMap<CallKey, usize>>,
}

struct Worker {
    requests: Option<SyncSender<Request>>,
    load: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl MediaEngine {
    /// Starts `threads` media threads (at least one) whose sockets are bound to `address` and ports of `ports`. What
    /// happens is told through `events`.
    pub fn start(
        threads: usize,
        address: IpAddr,
        ports: PortPool,
        clock: Clock,
        events: tokio::sync::mpsc::Sender<EngineEvent>,
    ) -> io::Result<Self> {
        let ports = Arc::new(Mutex::new(ports));
        let worker = |number| {
            let (requests, receiver) = sync_channel(MAX_WAITING_REQUESTS);
            let load = Arc::new(AtomicUsize::new(0));
            let media_thread =
                MediaThread::new(receiver, events.clone(), clock.clone(), Arc::clone(&ports), Arc::clone(&load));
            let thread =
                std::thread::Builder::new().name(format!("media-{number}")).spawn(move || media_thread.run())?;
            Ok(Worker { requests: Some(requests), load, thread: Some(thread) })
        };
        let threads = (0..threads.max(1)).map(worker).collect::<io::Result<_>>()?;
        Ok(MediaEngine { address, ports, clock, threads, calls: Mutex::default() })
    }

    /// Binds a socket for `call` and returns its address. The session is silent until [`Command::Start`].
    pub fn open(&self, call: CallKey) -> Result<SocketAddr, OpenError> {
        if lock(&self.calls).contains_key(&call) {
            return Err(OpenError::InUse(call));
        }
        let (socket, port) = self.bind()?;
        let address = socket.local_addr()?;
        let number = (0..self.threads.len()).min_by_key(|n| self.threads[*n].load.load(Ordering::Relaxed)).unwrap_or(0);
        self.threads[number].load.fetch_add(1, Ordering::Relaxed);
        self.send(number, Request::Open(Opened { call, socket, port })).map_err(|_| OpenError::Stopped)?;
        lock(&self.calls).insert(call, number);
        Ok(address)
    }

    /// Gives a command to the session of `call`; nothing happens when there is none.
    pub fn command(&self, call: CallKey, command: Command) {
        let number = lock(&self.calls).get(&call).copied();
        if let Some(number) = number {
            // A thread that has ended has no session to command.
            let _ = self.send(number, Request::Command { call, command });
        }
    }

    /// Closes the session of `call`: [`EngineEvent::Closed`] follows. Nothing happens when there is none.
    pub fn close(&self, call: CallKey) {
        let number = lock(&self.calls).remove(&call);
        if let Some(number) = number {
            let _ = self.send(number, Request::Close { call });
        }
    }

    /// How many sessions are open.
    pub fn open_sessions(&self) -> usize {
        lock(&self.calls).len()
    }

    fn bind(&self) -> Result<(UdpSocket, u16), OpenError> {
        let mut last_error = None;
        for _ in 0..BIND_ATTEMPTS {
            let port = lock(&self.ports).take(self.clock.now())?;
            let bound = UdpSocket::bind((self.address, port)).and_then(|socket| {
                socket.set_nonblocking(true)?;
                Ok(socket)
            });
            match bound {
                Ok(socket) => return Ok((socket, port)),
                Err(error) => {
                    lock(&self.ports).give_back(self.clock.now(), port);
                    let elsewhere_in_use = error.kind() == ErrorKind::AddrInUse;
                    last_error = Some(error);
                    if !elsewhere_in_use {
                        break;
                    }
                }
            }
        }
        Err(OpenError::Socket(last_error.unwrap_or_else(|| ErrorKind::AddrInUse.into())))
    }

    fn send(&self, number: usize, request: Request) -> Result<(), ()> {
        self.threads[number].requests.as_ref().ok_or(())?.send(request).map_err(|_| ())
    }
}

impl Drop for MediaEngine {
    fn drop(&mut self) {
        for worker in &mut self.threads {
            worker.requests = None;
        }
        for worker in &mut self.threads {
            if let Some(thread) = worker.thread.take() {
                // A thread that panicked has said so itself.
                let _ = thread.join();
            }
        }
    }
}

/// A panic elsewhere leaves the pool and the table usable: no change to them is made in two steps.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::net::UdpSocket;
    use tokio::sync::mpsc::{self, Receiver};
    use tokio::time::timeout;

    use super::*;
    use crate::base::random::Random;
    use crate::media::media_session::SessionConfig;
    use crate::media::playlist::{Playlist, Segment, SegmentAudio};
    use crate::sip::offer_answer::{Direction, TelephoneEventFormat};
    use crate::speech::encoded::EncodedPrompt;
    use crate::wire::codec::Codec;
    use crate::wire::rtp::{RtpHeader, RtpPacket};

    const DEADLINE: Duration = Duration::from_secs(20);
    const HOST: &str = "127.0.0.3";

    /// Tests run side by side: each takes ports of its own.
    fn engine(ports: &str) -> (MediaEngine, Receiver<EngineEvent>) {
        let (events, receiver) = mpsc::channel(100);
        let clock = Clock::start();
        let pool = PortPool::new(ports.parse().unwrap(), &mut Random::from_seed(1));
        (MediaEngine::start(2, HOST.parse().unwrap(), pool, clock, events).unwrap(), receiver)
    }

    fn config(remote: SocketAddr) -> SessionConfig {
        SessionConfig {
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive_payload_type: 0,
            telephone_event: Some(TelephoneEventFormat {
                send_payload_type: 96,
                receive_payload_type: 101,
                clock_rate: 8000,
            }),
            remote,
            signalled_by: remote.ip(),
            direction: Direction::SendRecv,
            record: true,
            receive_timeout: None,
        }
    }

    async fn next_event(events: &mut Receiver<EngineEvent>) -> EngineEvent {
        timeout(DEADLINE, events.recv()).await.expect("an event in time").expect("a living engine")
    }

    async fn next_packet(peer: &UdpSocket) -> (RtpHeader, Vec<u8>, SocketAddr) {
        let mut bytes = [0; 2048];
        let (length, source) = timeout(DEADLINE, peer.recv_from(&mut bytes)).await.expect("RTP in time").unwrap();
        let packet = RtpPacket::parse(&bytes[..length]).unwrap();
        (packet.header, packet.payload.to_vec(), source)
    }

    fn rtp(payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let header = RtpHeader { payload_type, marker: false, sequence, timestamp, ssrc: 77 };
        [&header.write()[..], payload].concat()
    }

    #[tokio::test]
    async fn a_call_sends_without_a_break_plays_hears_a_digit_and_reports() {
        let (engine, mut events) = engine("24000-24099");
        let peer = UdpSocket::bind("127.0.0.4:0").await.unwrap();
        let attacker = UdpSocket::bind("127.0.0.2:0").await.unwrap();
        let address = engine.open(5).unwrap();
        assert_eq!((address.ip().to_string().as_str(), address.port() % 2), (HOST, 0));
        engine.command(5, Command::Start(config(peer.local_addr().unwrap())));

        let (first, payload, source) = next_packet(&peer).await;
        assert_eq!((source, payload, first.marker), (address, vec![0xFF; 160], true));
        let prompt = EncodedPrompt::new(Codec::Pcmu, Bytes::from(vec![7; 3 * 160]));
        let segments = vec![Segment { audio: SegmentAudio::Prompt(prompt), mark: Some(9) }];
        engine.command(5, Command::Play { playlist: Playlist { id: 4, segments } });
        let (mut last, mut played, mut after) = (first, 0, 0);
        while after < 10 {
            let (header, payload, _) = next_packet(&peer).await;
            assert_eq!(header.sequence, last.sequence.wrapping_add(1));
            let step = header.timestamp.wrapping_sub(last.timestamp);
            // A machine too busy to run this thread for a frame shows as a marked jump by whole frames.
            assert!(step == 160 || header.marker && step % 160 == 0, "{step}");
            match payload[0] {
                7 => played += 1,
                _ => after += u32::from(played > 0),
            }
            last = header;
        }
        assert_eq!(played, 3);
        let told = [next_event(&mut events).await, next_event(&mut events).await];
        let media = |event| EngineEvent::Media { call: 5, event };
        assert_eq!(told, [Event::Reached { playlist: 4, mark: 9 }, Event::Finished { playlist: 4 }].map(media));

        attacker.send_to(&rtp(101, 1, 0, &[6, 0x80, 0, 160]), address).await.unwrap();
        peer.send_to(&rtp(0, 1, 0, &[0x80; 160]), address).await.unwrap();
        peer.send_to(&rtp(101, 2, 160, &[1, 0x80, 0, 160]), address).await.unwrap();
        assert_eq!(next_event(&mut events).await, media(Event::FirstPacket));
        assert_eq!(next_event(&mut events).await, media(Event::Digit { digit: '1' }));

        engine.close(5);
        let EngineEvent::Closed { call: 5, report } = next_event(&mut events).await else { panic!("closed") };
        assert_eq!((report.received, report.lost, report.dropped, report.digits), (2, 0, 1, 1));
        assert!(report.sent >= 14);
        assert_eq!(report.heard, Some(vec![32_124; 160]));
        assert_eq!(attacker.try_recv(&mut [0; 10]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(engine.open_sessions(), 0);
    }

    #[tokio::test]
    async fn calls_of_all_threads_run_side_by_side() {
        let (engine, mut events) = engine("24100-24299");
        let peer = UdpSocket::bind("127.0.0.4:0").await.unwrap();
        let mut silent: std::collections::HashSet<SocketAddr> = (0..60)
            .map(|call| {
                let address = engine.open(call).unwrap();
                engine.command(call, Command::Start(config(peer.local_addr().unwrap())));
                address
            })
            .collect();
        assert_eq!(silent.len(), 60);
        while !silent.is_empty() {
            silent.remove(&next_packet(&peer).await.2);
        }
        for call in 0..60 {
            engine.close(call);
        }
        for _ in 0..60 {
            assert!(matches!(next_event(&mut events).await, EngineEvent::Closed { .. }));
        }
    }

    #[tokio::test]
    async fn a_full_event_channel_loses_nothing() {
        let (sender, mut events) = mpsc::channel(1);
        let pool = PortPool::new("24300-24399".parse().unwrap(), &mut Random::from_seed(1));
        let engine = MediaEngine::start(1, HOST.parse().unwrap(), pool, Clock::start(), sender).unwrap();
        for call in 0..20 {
            engine.open(call).unwrap();
        }
        for call in 0..20 {
            engine.close(call);
        }
        for expected in 0..20 {
            assert!(matches!(next_event(&mut events).await, EngineEvent::Closed { call, .. } if call == expected));
        }
    }

    #[test]
    fn a_port_that_another_program_holds_is_passed_over_and_the_last_one_is_an_error() {
        let held = std::net::UdpSocket::bind((HOST, 24402)).unwrap();
        let (engine, _events) = engine("24400-24405");
        let ports: std::collections::BTreeSet<u16> = [1, 2].map(|call| engine.open(call).unwrap().port()).into();
        assert_eq!(ports, [24400, 24404].into());
        assert!(matches!(engine.open(1), Err(OpenError::InUse(1))));
        assert!(matches!(engine.open(3), Err(OpenError::PortsExhausted(PortsExhausted { count: 3 }))));
        drop(held);
    }

    #[test]
    fn an_address_that_is_not_ours_is_an_error() {
        let (sender, _events) = mpsc::channel(1);
        let pool = PortPool::new("24500-24599".parse().unwrap(), &mut Random::from_seed(1));
        let engine = MediaEngine::start(1, "192.0.2.1".parse().unwrap(), pool, Clock::start(), sender).unwrap();
        assert!(matches!(engine.open(1), Err(OpenError::Socket(_))));
    }
}
