//! The ground floor: time, timers, randomness, secrets and hex, as values that the floors above are given.

pub mod hex;
pub mod random;
pub mod secret;
pub mod time;
pub mod timers;
