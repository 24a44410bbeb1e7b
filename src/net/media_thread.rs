//! A thread that owns media sessions and their sockets.
//!
//! Time is cut into ticks of 1 ms and each session belongs to one of the 20 ticks of a frame, the least loaded when it
//! was opened, so that packets leave evenly. In its tick a session's socket is drained, its machine gets the time, and
//! what it has to send is sent. A thread that comes late runs what it missed, each session once: the machines see to it
//! that nothing leaves in a burst. Polling on the tick costs up to 20 ms of delay on reception, which nobody hears, and
//! saves one wake-up for each packet, which is dearer than the packet.
//!
//! In the steady state a tick costs one wake-up and one reading of the clock, and a packet one system call: no
//! allocation, no lock. The payload is copied behind its header on the stack: 160 bytes cost less than the second
//! element of a scatter list.
//!
//! Without sessions the thread blocks on its requests. Bounds: [`MAX_DATAGRAMS`] a session and tick, the rest waits in
//! the socket's buffer and is lost there when that is full; [`MAX_REQUESTS`] a tick when the thread is late;
//! [`MAX_WAITING_EVENTS`] when the owner does not take its events, later ones are lost and logged once, and the owner's
//! own deadlines end those calls.

use std::collections::{HashMap, VecDeque};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::clock::Clock;
use super::entropy;
use super::media_engine::{CallKey, EngineEvent, lock};
use super::ports::PortPool;
use crate::base::time::Instant;
use crate::media::media_session::{Command, Input, MediaSession, Output, Packet};

/// The length of a tick.
const TICK: Duration = Duration::from_millis(1);

/// Ticks in a frame of 20 ms.
const SLOTS: u64 = 20;

/// Datagrams taken from one socket in one tick: 1,600 a second.
const MAX_DATAGRAMS: usize = 32;

/// Requests taken between two ticks of a thread that is late.
const MAX_REQUESTS: usize = 64;

/// Events that wait for room in the owner's channel.
const MAX_WAITING_EVENTS: usize = 65_536;

/// Longer than any RTP packet that we negotiate.
const MAX_DATAGRAM: usize = 2048;

/// What the engine asks of a thread.
pub(super) enum Request {
    /// Take over a session.
    Open(Opened),
    /// Pass on a command.
    Command {
        /// The call.
        call: CallKey,
        /// What its owner wants.
        command: Command,
    },
    /// Report and forget.
    Close {
        /// The call.
        call: CallKey,
    },
}

/// A call with its socket.
pub(super) struct Opened {
    pub(super) call: CallKey,
    pub(super) socket: UdpSocket,
    pub(super) port: u16,
}

/// What the thread runs on.
pub(super) struct MediaThread {
    requests: Receiver<Request>,
    clock: Clock,
    ports: Arc<Mutex<PortPool>>,
    load: Arc<AtomicUsize>,
    /// The sessions by tick of the frame.
    slots: [Vec<Session>; SLOTS as usize],
    /// Which slot has which call.
    slot_of: HashMap<CallKey, usize>,
    last_tick: u64,
    events: EventQueue,
}

struct Session {
    call: CallKey,
    socket: UdpSocket,
    port: u16,
    machine: MediaSession,
    /// Packets that the operating system refused to send.
    unsent: u64,
}

/// Events on their way out, in order.
struct EventQueue {
    sender: Sender<EngineEvent>,
    waiting: VecDeque<EngineEvent>,
    overflowed: bool,
}

impl MediaThread {
    pub(super) fn new(
        requests: Receiver<Request>,
        events: Sender<EngineEvent>,
        clock: Clock,
        ports: Arc<Mutex<PortPool>>,
        load: Arc<AtomicUsize>,
    ) -> Self {
        let events = EventQueue { sender: events, waiting: VecDeque::new(), overflowed: false };
        let slots = std::array::from_fn(|_| Vec::new());
        MediaThread { requests, clock, ports, load, slots, slot_of: HashMap::new(), last_tick: 0, events }
    }

    /// Runs until the engine is dropped.
    pub(super) fn run(mut self) {
        loop {
            let due = match self.next_due() {
                Some(due) => due,
                None if self.events.waiting.is_empty() => match self.requests.recv() {
                    Ok(request) => {
                        self.obey(request);
                        continue;
                    }
                    Err(_) => return,
                },
                // Only the owner of the events is waited for; there is no signal for that.
                None => self.clock.now() + TICK,
            };
            let now = self.clock.now();
            if now < due {
                match self.requests.recv_timeout(due - now) {
                    Ok(request) => self.obey(request),
                    Err(RecvTimeoutError::Timeout) => self.events.flush(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                continue;
            }
            self.run_due(now);
            self.events.flush();
            // A thread that is always late would never wait, and so never hear.
            for _ in 0..MAX_REQUESTS {
                let Ok(request) = self.requests.try_recv() else { break };
                self.obey(request);
            }
        }
    }

    /// When the next slot with a session is due.
    fn next_due(&self) -> Option<Instant> {
        let tick = (self.last_tick + 1..=self.last_tick + SLOTS).find(|tick| !self.slots[slot_of(*tick)].is_empty())?;
        Some(Instant::from_nanos(tick * TICK.as_nanos() as u64))
    }

    /// Runs every slot that is due, each at most once however late it is.
    fn run_due(&mut self, now: Instant) {
        let present = now.as_nanos() / TICK.as_nanos() as u64;
        let first = (self.last_tick + 1).max((present + 1).saturating_sub(SLOTS));
        for tick in first..=present {
            for session in &mut self.slots[slot_of(tick)] {
                session.drain_socket(now, &mut self.events);
                session.handle(now, Input::Timeout, &mut self.events);
            }
        }
        self.last_tick = present;
    }

    fn obey(&mut self, request: Request) {
        let now = self.clock.now();
        match request {
            Request::Open(opened) => self.open(opened),
            Request::Command { call, command } => {
                let session =
                    self.slot_of.get(&call).and_then(|slot| self.slots[*slot].iter_mut().find(|s| s.call == call));
                if let Some(session) = session {
                    session.handle(now, Input::Command(command), &mut self.events);
                }
            }
            Request::Close { call } => self.close(now, call),
        }
    }

    fn open(&mut self, Opened { call, socket, port }: Opened) {
        let slot = (0..self.slots.len()).min_by_key(|slot| self.slots[*slot].len()).unwrap_or(0);
        let machine = MediaSession::new(TICK * slot as u32, entropy::system());
        self.slots[slot].push(Session { call, socket, port, machine, unsent: 0 });
        self.slot_of.insert(call, slot);
    }

    fn close(&mut self, now: Instant, call: CallKey) {
        let Some(slot) = self.slot_of.remove(&call) else { return };
        let Some(place) = self.slots[slot].iter().position(|session| session.call == call) else { return };
        let mut session = self.slots[slot].swap_remove(place);
        session.drain_socket(now, &mut self.events);
        let mut report = session.machine.report();
        report.unsent = session.unsent;
        self.load.fetch_sub(1, Ordering::Relaxed);
        drop(session.socket);
        lock(&self.ports).give_back(now, session.port);
        self.events.tell(EngineEvent::Closed { call, report });
    }
}

/// The slot of a tick.
fn slot_of(tick: u64) -> usize {
    (tick % SLOTS) as usize
}

impl Session {
    fn drain_socket(&mut self, now: Instant, events: &mut EventQueue) {
        let mut bytes = [0; MAX_DATAGRAM];
        for _ in 0..MAX_DATAGRAMS {
            match self.socket.recv_from(&mut bytes) {
                // A datagram that fills the buffer was cut.
                Ok((MAX_DATAGRAM, _)) => {}
                Ok((length, source)) => {
                    self.handle(now, Input::Packet { source, bytes: &bytes[..length] }, events);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                // An ICMP error of an earlier packet; the next call may bring a datagram.
                Err(_) => {}
            }
        }
    }

    fn handle(&mut self, now: Instant, input: Input<'_>, events: &mut EventQueue) {
        self.machine.handle_input(now, input);
        loop {
            match self.machine.poll_output() {
                Output::Transmit { destination, packet } => {
                    self.unsent += u64::from(!send(&self.socket, destination, &packet));
                }
                Output::Event(event) => events.tell(EngineEvent::Media { call: self.call, event }),
                Output::Timeout(_) => return,
            }
        }
    }
}

fn send(socket: &UdpSocket, destination: SocketAddr, packet: &Packet<'_>) -> bool {
    let mut bytes = [0; MAX_DATAGRAM];
    let length = packet.header.len() + packet.payload.len();
    let Some(datagram) = bytes.get_mut(..length) else { return false };
    let (header, payload) = datagram.split_at_mut(packet.header.len());
    header.copy_from_slice(&packet.header);
    payload.copy_from_slice(packet.payload);
    socket.send_to(datagram, destination).is_ok()
}

impl EventQueue {
    fn tell(&mut self, event: EngineEvent) {
        if !self.waiting.is_empty() {
            return self.wait(event);
        }
        match self.sender.try_send(event) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(event)) => self.wait(event),
        }
    }

    fn wait(&mut self, event: EngineEvent) {
        if self.waiting.len() < MAX_WAITING_EVENTS {
            self.waiting.push_back(event);
        } else if !std::mem::replace(&mut self.overflowed, true) {
            tracing::error!("media events are lost: nobody takes them");
        }
    }

    fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.sender.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => return self.waiting.push_front(event),
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::base::random::Random;

    #[test]
    fn sessions_are_spread_over_the_frame_and_a_late_thread_runs_each_once() {
        let (_requests, receiver) = sync_channel(1);
        let (events, _receiver) = tokio::sync::mpsc::channel(1);
        let pool = PortPool::new("24600-24601".parse().unwrap(), &mut Random::from_seed(1));
        let load = Arc::new(AtomicUsize::new(45));
        let mut thread = MediaThread::new(receiver, events, Clock::start(), Arc::new(Mutex::new(pool)), load);
        for call in 0..45 {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            thread.open(Opened { call, socket, port: 0 });
        }
        let sizes: Vec<usize> = thread.slots.iter().map(Vec::len).collect();
        assert!(sizes.iter().all(|size| (2..=3).contains(size)), "{sizes:?}");
        assert_eq!(thread.next_due(), Some(Instant::from_nanos(1_000_000)));
        thread.run_due(Instant::from_nanos(1_000_000_000_000));
        assert_eq!(thread.next_due(), Some(Instant::from_nanos(1_000_001_000_000)));
        for call in 0..45 {
            thread.close(Instant::ZERO, call);
        }
        assert_eq!((thread.next_due(), thread.load.load(Ordering::Relaxed)), (None, 0));
    }
}
