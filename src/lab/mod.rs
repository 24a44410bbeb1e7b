//! The built-in carrier: a registrar and phones, built from the same floors.
//!
//! What a phone does is told by the last digits of its number ([`phone`]); a telephone that registers under a number is
//! called instead. [`carrier`] is the side that faces the network, [`exchange`] holds the phones,
//! and [`run`] drives both.
//!
//! It listens on loopback by default, admits who knows its one password, and is no carrier for the open network.

pub mod carrier;
pub mod event;
pub mod exchange;
pub mod phone;
pub mod proxy;
pub mod registrar;
pub mod run;
#[cfg(test)]
mod tests;

pub use event::{HeardCall, LabEvent};
pub use run::{LabConfig, LabError, LabHandle, start};
