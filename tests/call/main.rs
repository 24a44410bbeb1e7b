//! Whole calls with sipp as the carrier. Each test asserts what sipp received and what the API then tells.

#[path = "../support/mod.rs"]
mod support;

mod answered;
mod authenticated;
mod cancelled;
mod heard;
mod pressed;
mod refused;
mod restarted;
