//! What goes into the dialer and what comes out of it.

use std::net::SocketAddr;

use super::job::Job;
use super::outcome::Outcome;
use super::progress::CallProgress;
use crate::base::time::{Instant, UnixTime};
use crate::media::audio_report::AudioReport;
use crate::media::media_session;
use crate::sip::registration::RegistrationState;
use crate::sip::user_agent::{CallEvent, CallId, Command, TrunkId};

/// What the dialer is given. Inputs about calls that it does not know, or that cannot be at that point of the call, are
/// ignored.
#[derive(Debug)]
pub enum Input {
    /// A call is to be made.
    Job(Job),
    /// The API's client takes a call back: out of the queue, or hung up.
    Cancel {
        /// Which.
        call: CallId,
    },
    /// The answer to [`Output::OpenMedia`].
    MediaOpened {
        /// For which call.
        call: CallId,
        /// Where our RTP socket is reachable.
        result: Result<SocketAddr, MediaUnavailable>,
    },
    /// The answer to [`Output::Record`]: the attempt is durable.
    Recorded {
        /// Whose.
        call: CallId,
    },
    /// The other answer to [`Output::Record`]: it could not be written.
    RecordFailed {
        /// Whose.
        call: CallId,
    },
    /// Something happened in a call.
    Sip {
        /// Which.
        call: CallId,
        /// What.
        event: CallEvent,
    },
    /// A trunk's registration changed.
    Registration {
        /// Which.
        trunk: TrunkId,
        /// Where it stands now.
        state: RegistrationState,
    },
    /// A call's media session has something to tell.
    Media {
        /// Whose.
        call: CallId,
        /// What.
        event: media_session::Event,
    },
    /// A call's media session is gone: the answer to [`Output::CloseMedia`], or the end of a media thread.
    MediaClosed {
        /// Whose.
        call: CallId,
        /// Its figures.
        report: AudioReport,
    },
    /// The civil time that it is now; to be told again when the machine's clock was set.
    CivilTime(UnixTime),
    /// Take no new calls, hand back those that wait, let the running ones end.
    Drain,
    /// Drain, and hang up the running calls as well.
    HangupAll,
    /// The time of the last [`Output::Timeout`] has come.
    Timeout,
}

/// There is no port or no socket for a call's RTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("no RTP port is free")]
pub struct MediaUnavailable;

/// What the dialer wants done, in this order.
#[derive(Debug)]
pub enum Output {
    /// Open a call's RTP socket, silent for now, and answer with [`Input::MediaOpened`].
    OpenMedia {
        /// For which call.
        call: CallId,
    },
    /// Make an attempt durable and answer with [`Input::Recorded`] or [`Input::RecordFailed`]. The INVITE waits for it.
    Record(Attempt),
    /// An order to the user agent.
    Sip(Command),
    /// An order to a call's media session.
    Media {
        /// Whose.
        call: CallId,
        /// What.
        command: media_session::Command,
    },
    /// Close a call's media session and answer with [`Input::MediaClosed`]. Can come before [`Input::MediaOpened`] was
    /// given; then it closes what is being opened.
    CloseMedia {
        /// Whose.
        call: CallId,
    },
    /// A step of a call.
    Timeline(CallProgress),
    /// A job was never tried and is handed back: somebody else, or the next start, may do it. Its last output.
    Released {
        /// Which.
        call: CallId,
    },
    /// A job is done. Its last output.
    Ended(Box<Outcome>),
    /// Drained. Come back with [`Input::Timeout`] at this time, or with any input before.
    Timeout(Option<Instant>),
}

/// An attempt that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which call.
    pub call: CallId,
    /// Over which trunk.
    pub trunk: TrunkId,
    /// Its name.
    pub trunk_name: String,
    /// When.
    pub at: UnixTime,
}
