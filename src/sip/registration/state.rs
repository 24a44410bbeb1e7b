//! Where a registration stands, and why.

use crate::base::time::Instant;

/// Where a registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationState {
    /// Not started.
    Unregistered,
    /// A REGISTER is out and no binding of ours is known to hold.
    Registering,
    /// The registrar holds our Contact. Failed refreshes are retried quietly for as long as this lasts.
    Registered {
        /// When the binding ends unless it is refreshed before.
        until: Instant,
    },
    /// A fault that may pass; tried again with back-off, for ever.
    Waiting {
        /// When.
        retry_at: Instant,
        /// What went wrong.
        failure: RegistrationFailure,
    },
    /// The registrar does not want us as we are: this is the alarm. Tried again, slowly.
    Refused {
        /// Its word: 401, 403, 404, …
        status: u16,
        /// When it is tried again.
        retry_at: Instant,
    },
    /// A REGISTER that removes the binding is out, or waits for the one before it.
    Unregistering,
    /// Over, until it is started again.
    Stopped,
}

/// Why a REGISTER did not lead to a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationFailure {
    /// No answer in 64*T1.
    #[error("the registrar does not answer")]
    TimedOut,
    /// The transport says that the registrar cannot be reached.
    #[error("the registrar cannot be reached")]
    Unreachable,
    /// The registrar answered with this status.
    #[error("the registrar answered {0}")]
    Status(u16),
    /// Nonces went stale faster than they could be answered.
    #[error("the registrar keeps challenging with new nonces")]
    ChallengedForEver,
    /// 200, but our Contact is not bound.
    #[error("the registrar answered 200 without binding our contact")]
    NotBound,
    /// There is no address to send to.
    #[error("the trunk has no address")]
    NoTarget,
}
