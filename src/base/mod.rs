//! The ground floor: time, timers, randomness and secrets, as values that the floors above are given.

pub mod random;
pub mod secret;
pub mod time;
pub mod timers;
