//! What goes into a user agent and what comes out of it.

use std::net::SocketAddr;

use super::trunk::TrunkId;
use crate::base::time::Instant;
use crate::sip::call_end::CallEnd;
use crate::sip::message::{HeaderName, HeaderValue, Request, Response, UserPart};
use crate::sip::offer_answer::{Direction, LocalMedia, NegotiatedMedia};
use crate::sip::registration::RegistrationState;
use crate::sip::transaction::{ServerKey, Transmit};
use crate::wire::sdp::SessionDescription;

/// Our number of a call, given by whoever places it; it is not the SIP Call-ID. Numbers with the high bit set are the
/// user agent's own, for calls that come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

impl CallId {
    /// The bit that marks calls that came in.
    pub const INCOMING: u64 = 1 << 63;
}

/// A Q.850 cause (1-127) for the Reason header of a CANCEL or BYE (RFC 3326).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Q850(pub u8);

/// What a user agent is given.
#[derive(Debug)]
pub enum Input<'a> {
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
    Command(Command),
    /// The time of the last [`Output::Timeout`] has come.
    Timeout,
}

/// An order to a user agent.
#[derive(Clone, Debug)]
pub enum Command {
    /// Begin the registrations.
    Start,
    /// Take no new call, end every registration; [`Event::Stopped`] follows.
    Stop,
    /// Place a call.
    Invite {
        /// Its number; an unused one.
        call: CallId,
        /// Over which trunk.
        trunk: TrunkId,
        /// Whom.
        callee: UserPart,
        /// In whose name; the trunk's own when absent.
        caller_id: Option<UserPart>,
        /// What to offer.
        media: LocalMedia,
    },
    /// End a call: CANCEL, BYE or 603, as its state asks. Does nothing the second time.
    Hangup {
        /// Which.
        call: CallId,
        /// The cause to tell the peer.
        cause: Option<Q850>,
    },
    /// Offer new media in an answered call with a re-INVITE: hold, resume, another port or codec.
    Modify {
        /// Which.
        call: CallId,
        /// What to offer; `session_id` and `version` are kept by the call. Passed over while another offer is open.
        media: LocalMedia,
        /// Our direction.
        direction: Direction,
    },
    /// Send a provisional response to a call that came in.
    Provisional {
        /// Which.
        call: CallId,
        /// 101-199.
        status: u16,
        /// Early media, as the answer to the caller's offer.
        with_media: Option<LocalMedia>,
    },
    /// Answer a call that came in with 200.
    Answer {
        /// Which.
        call: CallId,
        /// What to answer the caller's offer with, or what to offer when the INVITE brought none.
        media: LocalMedia,
    },
    /// Refuse a call that came in.
    Reject {
        /// Which.
        call: CallId,
        /// 300-699.
        status: u16,
        /// What the response carries besides the usual: a challenge, a Reason, Retry-After.
        headers: Vec<(HeaderName, HeaderValue)>,
    },
    /// Answer an [`Event::Request`].
    Respond {
        /// Its transaction.
        key: ServerKey,
        /// The whole response; see [`Response::reply_to`].
        response: Response,
    },
}

/// What a user agent wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this.
    Transmit(Transmit),
    /// Tell the floor above.
    Event(Event),
    /// Drained. Come back with [`Input::Timeout`] at this time, or with any input before.
    Timeout(Option<Instant>),
}

/// What a user agent tells the floor above.
#[derive(Clone, Debug)]
pub enum Event {
    /// A trunk's registration changed.
    Registration {
        /// Whose.
        trunk: TrunkId,
        /// To what.
        state: RegistrationState,
    },
    /// Something happened in a call.
    Call {
        /// Which.
        call: CallId,
        /// What.
        event: CallEvent,
    },
    /// A call comes in; only with [`Policy::accept_calls`]. Answer with [`Command::Provisional`], [`Command::Answer`] or
    /// [`Command::Reject`].
    IncomingCall {
        /// Its number, given here.
        call: CallId,
        /// The INVITE.
        request: Box<Request>,
        /// Who sent it.
        source: SocketAddr,
        /// The caller's offer, when the INVITE brought one.
        offer: Option<SessionDescription>,
    },
    /// A request outside of calls; only with [`Policy::deliver_requests`]. Answer with [`Command::Respond`].
    Request {
        /// Its transaction.
        key: ServerKey,
        /// The request.
        request: Box<Request>,
        /// Who sent it.
        source: SocketAddr,
    },
    /// After [`Command::Stop`]: every registration is gone or given up.
    Stopped,
}

/// What happens in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEvent {
    /// The next hop has the INVITE (100).
    Trying,
    /// A provisional response above 100 came; told once for each status and fork.
    Ringing {
        /// 180, 181, 182, 183, 199 …
        status: u16,
    },
    /// A provisional response brought a session description. This is no answer: nothing is spoken into it.
    EarlyMedia {
        /// 183, or 180.
        status: u16,
    },
    /// The call is answered; the ACK is already sent (as UAS: the 200 is).
    Answered {
        /// What was agreed.
        media: NegotiatedMedia,
    },
    /// An answered call's media changed: hold, resume, another address or codec.
    MediaChanged {
        /// What holds from now on.
        media: NegotiatedMedia,
    },
    /// The call is over. Told exactly once, and last.
    Ended(CallEnd),
}

/// How a user agent behaves towards everyone.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Take calls from outside.
    pub accept_calls: bool,
    /// Hand REGISTER and other requests outside dialogs up as [`Event`]s instead of answering them here.
    pub deliver_requests: bool,
    /// Take packets from any source, not only from the trunks' addresses; for the lab.
    pub accept_any_source: bool,
    /// User-Agent and Server header.
    pub user_agent: String,
    /// The address in Via and Contact.
    pub local: SocketAddr,
    /// The most calls that are not yet over.
    pub max_calls: usize,
}
