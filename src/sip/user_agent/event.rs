//! What goes into a user agent and what comes out of it.

use std::fmt;
use std::net::SocketAddr;

use super::trunk::TrunkId;
use crate::base::time::Instant;
use crate::sip::call_end::CallEnd;
use crate::sip::offer_answer::{Direction, LocalMedia, NegotiatedMedia};
use crate::sip::registration::RegistrationState;

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

/// The user part of a SIP URI that needs no escaping: a telephone number or an account's user.
///
/// Holds 1 to 64 letters, digits and `+ - . _ *`, so that nothing from an API can climb into the host or the
/// parameters. `Debug` shows the last two characters only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserPart(String);

impl UserPart {
    /// Takes `text` as a user part.
    ///
    /// # Errors
    /// [`InvalidUserPart`] when it is empty, longer than 64 characters, or holds another character than letters, digits
    /// and `+ - . _ *`.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidUserPart> {
        let text = text.into();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "+-._*".contains(c);
        if text.is_empty() || text.len() > 64 || !text.chars().all(allowed) {
            return Err(InvalidUserPart);
        }
        Ok(UserPart(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UserPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…{}", &self.0[self.0.len().saturating_sub(2)..])
    }
}

/// The text cannot stand as the user part of a URI as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user part is 1 to 64 letters, digits and + - . _ *")]
pub struct InvalidUserPart;

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
        /// What to offer; `session_id` and `version` are kept by the call.
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
}

/// What a user agent wants done.
#[derive(Clone, Debug)]
pub enum Output {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_part_holds_no_delimiter() {
        assert!(UserPart::new("+84919273027").is_ok());
        for bad in ["", "a@b", "a b", "a\r\nb", "a;b", "a>", "é", &"1".repeat(65)] {
            assert_eq!(UserPart::new(bad), Err(InvalidUserPart), "{bad:?}");
        }
    }

    #[test]
    fn a_user_part_shows_its_last_two_characters_only() {
        let user = UserPart::new("+84919273027").expect("digits");
        assert_eq!(format!("{user:?}"), "…27");
    }
}
