//! ringcode: one daemon that turns a carrier's SIP trunk into a voice one-time-code service.

pub mod base;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod dialer;
pub mod http;
pub mod lab;
pub mod media;
pub mod net;
pub mod otp;
pub mod service;
pub mod sip;
pub mod speech;
pub mod store;
pub mod wire;
