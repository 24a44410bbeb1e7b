//! Where a message goes to or came from: an address and the transport under it.

use std::fmt;
use std::net::SocketAddr;

use crate::sip::message::DEFAULT_PORT;

/// A transport for SIP (RFC 3261 §18). Decides which timers a transaction needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams: transactions retransmit.
    Udp,
    /// A stream: nothing is retransmitted but 2xx and its ACK.
    Tcp,
    /// A stream under TLS.
    Tls,
}

impl Transport {
    /// Whether the transport itself delivers or reports, so that transactions need not retransmit.
    pub fn is_reliable(self) -> bool {
        self != Transport::Udp
    }

    /// The token in a Via: `UDP`, `TCP` or `TLS`.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        }
    }

    /// The port meant where a Via or a URI gives none (RFC 3261 §18.2.2, §19.1.2).
    pub fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => DEFAULT_PORT,
            Transport::Tls => 5061,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The far end of one hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// The peer's address: the source of what is received, the destination of what is sent.
    pub remote: SocketAddr,
    /// The transport that carries it.
    pub transport: Transport,
}

impl Path {
    /// The way to `remote` over datagrams.
    pub fn udp(remote: SocketAddr) -> Self {
        Path { remote, transport: Transport::Udp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_datagrams_are_unreliable() {
        let reliable = [Transport::Udp, Transport::Tcp, Transport::Tls].map(Transport::is_reliable);
        assert_eq!(reliable, [false, true, true]);
        assert_eq!((Transport::Tcp.default_port(), Transport::Tls.default_port()), (5060, 5061));
    }
}
