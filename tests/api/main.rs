//! Both API faces through a real socket, over a real store, with nobody who places the calls: every status and every
//! body that a client can meet. Accepted calls stay PENDING.

#![expect(clippy::unwrap_used, reason = "a helper that unwraps fails the test that called it")]

mod alice;
mod otp_app;
mod rules;
mod server;
