//! The driver of a signalling machine over one UDP socket.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::base::time::Instant;

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
