//! The drivers: sockets, clocks, entropy and threads.

pub mod clock;
pub mod dns;
pub mod entropy;
pub mod media_engine;
mod media_thread;
pub mod ports;
pub mod signalling;
pub mod udp;
