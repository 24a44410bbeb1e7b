//! The drivers: sockets, clocks, entropy and threads.
