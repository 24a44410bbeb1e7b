//! What the transaction layer wants done and what it tells its user.

use bytes::Bytes;

use super::key::{ClientKey, ServerKey};
use super::path::Path;
use crate::base::time::Instant;
use crate::sip::message::{Request, Response};

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub path: Path,
    /// The whole message.
    pub bytes: Bytes,
}

/// The name of a transaction of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TransactionKey {
    /// We asked.
    Client(ClientKey),
    /// We were asked.
    Server(ServerKey),
}

/// What the layer wants done.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "outputs live from one poll to the next; a box each would cost more")]
pub enum Output {
    /// Send this.
    Transmit(Transmit),
    /// Tell the transaction's user.
    Event(Event),
    /// Drained. Call [`super::Transactions::handle_timeout`] at this time.
    Timeout(Option<Instant>),
}

/// What the layer tells its user.
///
/// A client transaction ends with exactly one of `TimedOut`, `TransportFailed` and `Terminated`, and nothing is told
/// of it afterwards.
#[derive(Clone, Debug)]
pub enum Event {
    /// A response to a request of ours: each provisional one, the final one once, and each copy of a 2xx to INVITE.
    Response {
        /// Which request.
        key: ClientKey,
        /// The response.
        response: Response,
        /// Where it came from.
        path: Path,
    },
    /// A new request, neither ACK nor CANCEL. Answer it with [`super::Transactions::send_response`].
    Request {
        /// Its transaction.
        key: ServerKey,
        /// The request, with `received` and `rport` filled in.
        request: Request,
        /// Where it came from.
        path: Path,
    },
    /// An ACK that ends no transaction of ours: the one for a 2xx.
    Ack {
        /// The ACK.
        request: Request,
        /// Where it came from.
        path: Path,
    },
    /// A CANCEL of an INVITE that has no final response yet. The CANCEL is already answered with 200; answer the INVITE
    /// with 487.
    Cancel {
        /// The transaction of the INVITE.
        key: ServerKey,
        /// The CANCEL.
        request: Request,
        /// Where it came from.
        path: Path,
    },
    /// No response, or no final one, in time: to be treated like a 408 (RFC 3261 §8.1.3.1).
    TimedOut {
        /// Which request.
        key: ClientKey,
    },
    /// The request could not be sent: to be treated like a 503 (RFC 3261 §8.1.3.1).
    TransportFailed {
        /// Which request.
        key: ClientKey,
    },
    /// No ACK came for our final response other than 2xx (timer H). `Terminated` follows.
    ServerTimedOut {
        /// The transaction of the INVITE.
        key: ServerKey,
    },
    /// A 2xx to an INVITE whose transaction is gone: it still wants its ACK (RFC 3261 §13.2.2.4).
    Stray {
        /// The response.
        response: Response,
        /// Where it came from.
        path: Path,
    },
    /// The transaction is gone; its key means nothing any more.
    Terminated {
        /// Which.
        key: TransactionKey,
    },
}
