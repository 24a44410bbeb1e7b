//! The drivers: sockets, clocks, entropy and threads.

pub mod signalling;
