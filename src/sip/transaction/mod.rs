//! The transaction layer (RFC 3261 §17, RFC 6026, RFC 3581).

mod key;
mod path;

pub use key::{ClientKey, ServerKey};
pub use path::{Path, Transport};
