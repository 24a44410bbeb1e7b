//! The commands as a user runs them: the built program, its words, its exit code.

#![expect(clippy::unwrap_used, reason = "a helper that unwraps fails the test that called it")]

#[path = "../support/mod.rs"]
mod support;

mod demo;
mod plain;
mod program;
mod serve;
mod shipped;
