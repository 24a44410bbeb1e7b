//! The drivers: sockets, clocks, entropy and threads.

pub mod clock;
pub mod dns;
pub mod entropy;
pub mod media_engine;
pub mod ports;
pub mod signalling;
pub mod udp;
