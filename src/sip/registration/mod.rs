//! One trunk's registration (RFC 3261 §10.2) as a machine: it makes REGISTER requests and is fed their fate.

mod backoff;
mod machine;
mod state;
mod verdict;

pub use machine::{Input, Output, Registration, RegistrationConfig, STOP_LIMIT, SendFailure};
pub use state::{RegistrationFailure, RegistrationState};
