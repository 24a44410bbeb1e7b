//! The driver of a signalling machine over one UDP socket.
//!
//! Bounds: a datagram is read up to 64 kB; at most [`DATAGRAMS_PER_WAKE`] are taken before timers and commands get their
//! turn; while [`EVENTS_PENDING_MAX`] events wait for a slow receiver no datagram is read, so that the kernel's buffer
//! and then the network hold the rest back. Commands are always taken: whoever sends them may be the slow receiver.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::clock::Clock;
use super::udp;
use crate::base::time::Instant;
use crate::sip::user_agent::{self, UserAgent};

/// Datagrams read in one go.
pub const DATAGRAMS_PER_WAKE: usize = 64;

/// Events kept for a receiver that is behind.
pub const EVENTS_PENDING_MAX: usize = 16_384;

/// The largest UDP payload.
const DATAGRAM_MAX: usize = 65_535;

/// How long reading rests after an error that is no peer's fault, so that one that stays cannot spin.
const READ_REST: Duration = Duration::from_millis(10);

/// What a signalling machine is given.
#[derive(Debug)]
pub enum SignallingInput<'a, C> {
    /// A datagram came.
    Datagram {
        /// Who sent it.
        source: SocketAddr,
        /// All of it.
        bytes: &'a [u8],
    },
    /// The operating system says that datagrams do not reach `remote`.
    TransportError {
        /// Where they were sent.
        remote: SocketAddr,
    },
    /// An order from above.
    Command(C),
    /// The time of the last [`SignallingOutput::Timeout`] has come.
    Timeout,
}

/// What a signalling machine wants done.
#[derive(Debug)]
pub enum SignallingOutput<E> {
    /// Send a datagram.
    Transmit {
        /// To whom.
        remote: SocketAddr,
        /// All of it.
        bytes: Bytes,
    },
    /// Tell the floor above.
    Event(E),
    /// Drained; wake it then.
    Timeout(Option<Instant>),
}

/// A machine that speaks SIP over one socket: a user agent, or the lab's carrier.
pub trait SignallingMachine {
    /// Orders from above.
    type Command;
    /// What is told above.
    type Event;

    /// Takes one input. Drain [`SignallingMachine::poll_output`] afterwards.
    fn handle_input(&mut self, now: Instant, input: SignallingInput<'_, Self::Command>);

    /// The next thing to do; [`SignallingOutput::Timeout`] means that there is nothing left.
    fn poll_output(&mut self) -> SignallingOutput<Self::Event>;
}

impl SignallingMachine for UserAgent {
    type Command = user_agent::Command;
    type Event = user_agent::Event;

    fn handle_input(&mut self, now: Instant, input: SignallingInput<'_, user_agent::Command>) {
        let input = match input {
            SignallingInput::Datagram { source, bytes } => user_agent::Input::Datagram { source, bytes },
            SignallingInput::TransportError { remote } => user_agent::Input::TransportError { remote },
            SignallingInput::Command(command) => user_agent::Input::Command(command),
            SignallingInput::Timeout => user_agent::Input::Timeout,
        };
        UserAgent::handle_input(self, now, input);
    }

    fn poll_output(&mut self) -> SignallingOutput<user_agent::Event> {
        match UserAgent::poll_output(self) {
            user_agent::Output::Transmit(transmit) => {
                SignallingOutput::Transmit { remote: transmit.path.remote, bytes: transmit.bytes }
            }
            user_agent::Output::Event(event) => SignallingOutput::Event(event),
            user_agent::Output::Timeout(wake) => SignallingOutput::Timeout(wake),
        }
    }
}

/// Drives `machine` over `socket` until every sender of `commands` or the receiver of `events` is gone; gives the machine
/// back.
///
/// No error of the socket ends it: a peer that cannot be reached becomes [`SignallingInput::TransportError`], the rest is
/// passed over, for SIP retransmits.
pub async fn run<M: SignallingMachine>(
    machine: M,
    socket: UdpSocket,
    mut commands: mpsc::Receiver<M::Command>,
    events: mpsc::Sender<M::Event>,
    clock: Clock,
) -> M {
    let mut driver = Driver { machine, socket, clock, pending: VecDeque::new(), wake: None, rest_until: None };
    let mut buffer = vec![0; DATAGRAM_MAX];
    driver.drain().await;
    loop {
        let now = driver.clock.now();
        if driver.rest_until.is_some_and(|until| until <= now) {
            driver.rest_until = None;
        }
        let reading = driver.pending.len() < EVENTS_PENDING_MAX && driver.rest_until.is_none();
        let wake = [driver.wake, driver.rest_until].into_iter().flatten().min();
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => driver.give(SignallingInput::Command(command)),
                None => return driver.machine,
            },
            permit = events.reserve(), if !driver.pending.is_empty() => match permit {
                Ok(permit) => {
                    if let Some(event) = driver.pending.pop_front() {
                        permit.send(event);
                    }
                    continue;
                }
                Err(_) => return driver.machine,
            },
            ready = driver.socket.ready(Interest::READABLE | Interest::ERROR), if reading => match ready {
                Ok(ready) => {
                    if ready.is_error() {
                        driver.take_errors().await;
                    }
                    driver.read(&mut buffer).await;
                }
                Err(_) => driver.rest(),
            },
            () = driver.clock.sleep_until(wake) => {}
            () = events.closed(), if driver.pending.is_empty() => return driver.machine,
        }
        if driver.wake.is_some_and(|at| at <= driver.clock.now()) {
            driver.give(SignallingInput::Timeout);
        }
        driver.drain().await;
    }
}

struct Driver<M: SignallingMachine> {
    machine: M,
    socket: UdpSocket,
    clock: Clock,
    pending: VecDeque<M::Event>,
    wake: Option<Instant>,
    rest_until: Option<Instant>,
}

impl<M: SignallingMachine> Driver<M> {
    fn give(&mut self, input: SignallingInput<'_, M::Command>) {
        self.machine.handle_input(self.clock.now(), input);
    }

    /// Does what the machine wants until it wants no more.
    async fn drain(&mut self) {
        loop {
            match self.machine.poll_output() {
                SignallingOutput::Transmit { remote, bytes } => self.send(remote, &bytes).await,
                SignallingOutput::Event(event) => self.pending.push_back(event),
                SignallingOutput::Timeout(wake) => {
                    self.wake = wake;
                    return;
                }
            }
        }
    }

    async fn read(&mut self, buffer: &mut [u8]) {
        for _ in 0..DATAGRAMS_PER_WAKE {
            match self.socket.try_recv_from(buffer) {
                Ok((length, source)) => {
                    self.give(SignallingInput::Datagram { source, bytes: &buffer[..length] });
                    self.drain().await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    if !self.report_unreachable() {
                        return self.rest();
                    }
                    self.drain().await;
                }
            }
            if self.pending.len() >= EVENTS_PENDING_MAX {
                return;
            }
        }
    }

    /// Hears what the network reports without a datagram. The readiness is put back first, so that a report that comes
    /// meanwhile wakes us again.
    async fn take_errors(&mut self) {
        let _ = self.socket.try_io(Interest::ERROR, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        if self.report_unreachable() {
            self.drain().await;
        }
    }

    async fn send(&mut self, remote: SocketAddr, bytes: &[u8]) {
        // An ICMP error for an earlier datagram surfaces at the next send and swallows it: such a send is repeated once.
        for _ in 0..2 {
            match self.socket.send_to(bytes, remote).await {
                Ok(_) => return,
                Err(error) if error.raw_os_error().is_some() && self.report_unreachable() => {}
                Err(error) => {
                    tracing::debug!(%remote, %error, "a datagram could not be sent");
                    return self.give(SignallingInput::TransportError { remote });
                }
            }
        }
    }

    /// Tells the machine which peers the network calls unreachable; whether there was any.
    fn report_unreachable(&mut self) -> bool {
        let mut any = false;
        while let Some(remote) = udp::take_unreachable(&self.socket) {
            self.give(SignallingInput::TransportError { remote });
            any = true;
        }
        any
    }

    fn rest(&mut self) {
        self.rest_until = Some(self.clock.now() + READ_REST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends back what it gets, and tells of everything.
    #[derive(Default)]
    struct Echo {
        outputs: VecDeque<SignallingOutput<Seen>>,
        wake: Option<Instant>,
    }

    #[derive(Debug, PartialEq)]
    enum Seen {
        Datagram(Vec<u8>),
        TransportError(SocketAddr),
        Timeout,
    }

    enum Order {
        Send(SocketAddr),
        WakeAt(Instant),
    }

    impl SignallingMachine for Echo {
        type Command = Order;
        type Event = Seen;

        fn handle_input(&mut self, _: Instant, input: SignallingInput<'_, Order>) {
            let output = match input {
                SignallingInput::Datagram { source, bytes } => {
                    let bytes = Bytes::copy_from_slice(bytes);
                    self.outputs.push_back(SignallingOutput::Event(Seen::Datagram(bytes.to_vec())));
                    SignallingOutput::Transmit { remote: source, bytes }
                }
                SignallingInput::TransportError { remote } => SignallingOutput::Event(Seen::TransportError(remote)),
                SignallingInput::Timeout => {
                    self.wake = None;
                    SignallingOutput::Event(Seen::Timeout)
                }
                SignallingInput::Command(Order::Send(remote)) => {
                    SignallingOutput::Transmit { remote, bytes: Bytes::from_static(b"hello") }
                }
                SignallingInput::Command(Order::WakeAt(at)) => {
                    self.wake = Some(at);
                    return;
                }
            };
            self.outputs.push_back(output);
        }

        fn poll_output(&mut self) -> SignallingOutput<Seen> {
            self.outputs.pop_front().unwrap_or(SignallingOutput::Timeout(self.wake))
        }
    }

    struct Bench {
        address: SocketAddr,
        clock: Clock,
        commands: mpsc::Sender<Order>,
        events: mpsc::Receiver<Seen>,
        running: tokio::task::JoinHandle<Echo>,
    }

    fn bench(capacity: usize) -> Bench {
        let socket = udp::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = socket.local_addr().expect("bound");
        let (commands, command_receiver) = mpsc::channel(4);
        let (event_sender, events) = mpsc::channel(capacity);
        let clock = Clock::start();
        let running = tokio::spawn(run(Echo::default(), socket, command_receiver, event_sender, clock.clone()));
        Bench { address, clock, commands, events, running }
    }

    #[tokio::test]
    async fn datagrams_and_timeouts_reach_the_machine_and_it_ends_with_its_commander() {
        let mut bench = bench(4);
        let peer = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        peer.send_to(b"ping", bench.address).await.expect("loopback");
        assert_eq!(bench.events.recv().await, Some(Seen::Datagram(b"ping".to_vec())));
        let mut buffer = [0; 16];
        let (length, source) = peer.recv_from(&mut buffer).await.expect("an echo");
        assert_eq!((&buffer[..length], source), (&b"ping"[..], bench.address));

        let at = bench.clock.now() + Duration::from_millis(2);
        bench.commands.send(Order::WakeAt(at)).await.expect("running");
        assert_eq!(bench.events.recv().await, Some(Seen::Timeout));
        assert!(bench.clock.now() >= at);

        drop(bench.commands);
        bench.running.await.expect("no panic");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_unreachable_peer_is_reported_and_the_others_are_still_served() {
        let mut bench = bench(4);
        let closed = {
            let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
            taken.local_addr().expect("bound")
        };
        bench.commands.send(Order::Send(closed)).await.expect("running");
        assert_eq!(bench.events.recv().await, Some(Seen::TransportError(closed)));
        let peer = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        bench.commands.send(Order::Send(peer.local_addr().expect("bound"))).await.expect("running");
        assert_eq!(peer.recv_from(&mut [0; 16]).await.expect("it came").0, 5);
    }

    #[tokio::test]
    async fn a_slow_receiver_stops_neither_commands_nor_echoes() {
        let mut bench = bench(1);
        let peer = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        for _ in 0..20 {
            peer.send_to(b"ping", bench.address).await.expect("loopback");
            peer.recv_from(&mut [0; 16]).await.expect("an echo");
        }
        for _ in 0..20 {
            assert_eq!(bench.events.recv().await, Some(Seen::Datagram(b"ping".to_vec())));
        }
        drop(bench.events);
        bench.running.await.expect("ends with its listener");
    }
}
