//! The threads that own the media sessions and their sockets.

use std::net::{IpAddr, SocketAddr};

use super::clock::Clock;
use super::ports::{PortPool, PortsExhausted};
use crate::media::audio_report::AudioReport;
use crate::media::media_session::{Command, Event};

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

/// The handle of the media threads. Dropping it stops them.
pub struct MediaEngine {
    _address: IpAddr,
}

impl MediaEngine {
    /// Starts `threads` media threads whose sockets are bound to `address` and ports of `ports`. What happens is told
    /// through `events`.
    pub fn start(
        _threads: usize,
        address: IpAddr,
        _ports: PortPool,
        _clock: Clock,
        _events: tokio::sync::mpsc::Sender<EngineEvent>,
    ) -> std::io::Result<Self> {
        Ok(MediaEngine { _address: address })
    }

    /// Binds a socket for `call` and returns its address. The session is silent until
    /// [`Command::Start`].
    pub fn open(&self, _call: CallKey) -> Result<SocketAddr, OpenError> {
        todo!()
    }

    /// Gives a command to the session of `call`; nothing happens when there is none.
    pub fn command(&self, _call: CallKey, _command: Command) {
        todo!()
    }

    /// Closes the session of `call`: [`EngineEvent::Closed`] follows.
    pub fn close(&self, _call: CallKey) {
        todo!()
    }
}
