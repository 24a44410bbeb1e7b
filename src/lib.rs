//! ringcode: one daemon that turns a carrier's SIP trunk into a voice one-time-code service.
//!
//! # The map of the house
//!
//! Floors from the top down; a room uses only rooms below it, which `tests/layering` checks.
//!
//! | floor | room | holds |
//! |---|---|---|
//! | commands | [`commands`] | one file a command: `serve`, `demo`, `lab`, `call`, `check`, `hash-password` |
//! | | [`daemon`] | configuration → parts → run → drain |
//! | faces | [`http`] | the two shapes of the API, and health |
//! | | [`service`] | what both shapes ask for; the driver of the dialer; what is written about a call |
//! | | [`config`] | the configuration as written and as used |
//! | | [`lab`] | the built-in carrier: registrar, proxy, phones |
//! | drivers | [`net`] | the only sockets, clocks, entropy and threads |
//! | | [`store`] | the database, its key file, and the prompt folder |
//! | pure | [`dialer`] | code ↔ call ↔ audio: queue, pacing, choice of trunk, outcome |
//! | | [`otp`] | codes, their verification, phone numbers, the script of a call |
//! | | [`media`] | one call's RTP: playout, source lock, digits |
//! | | [`sip`] | messages, transactions, dialogs, registration, the user agent |
//! | | [`speech`] | recordings → prompts → encoded frames |
//! | | [`wire`] | RTP, telephone-event, SDP, G.711 |
//! | | [`base`] | time, timers, randomness, secrets |
//!
//! The pure floors hold no socket, thread, clock or file. Their machines have one shape: `handle_input(now, input)`, then
//! `poll_output()` until it gives a timeout; so the same code runs on virtual time in tests. `wire` and `sip` know
//! nothing of codes, `otp` nothing of SIP; they meet in `dialer`.
//!
//! # The map of the house
//!
//! Floors; a room uses only rooms below it, which `tests/layering` proves.
//!
//! | floor | room | holds |
//! |---|---|---|
//! | commands | [`commands`] | one file a command; `main.rs` turns arguments into one of them |
//! | | [`daemon`] | configuration → parts → run → drain |
//! | faces | [`http`] | both APIs: server, login, errors, health |
//! | | [`service`] | what both APIs ask for, and the driver of the dialer |
//! | | [`config`] | the file as written, and the configuration as everyone else sees it |
//! | | [`lab`] | the built-in carrier: registrar, phones, forwarding proxy |
//! | drivers | [`net`] | the only clocks, entropy, sockets and threads: signalling, media engine, ports, name look-up |
//! | | [`store`] | the only files: the database, its key, the folder of prompts |
//! | pure | [`dialer`] | where a code meets SIP and RTP: queue, pacing, trunk choice, one outcome for each job |
//! | | [`otp`] | number, code, verification, limits, and the script of a call; knows no SIP |
//! | | [`media`] | one call's RTP: playout, source lock, key presses, recording |
//! | | [`sip`] | the user agent: messages, transactions, digest, registration, dialogs, calls |
//! | | [`speech`] | recordings → levelled prompts → frames that all calls share; and which prompts an audio holds |
//! | | [`wire`] | RTP, telephone-event, SDP and G.711 as bytes |
//! | | [`base`] | time, timers, randomness and secrets as values |
//!
//! The pure floors hold no socket, thread, clock, file or global state. Every machine there has one shape:
//! `handle_input(now, input)`, then `poll_output()` until it says when to come back. Time and randomness are arguments,
//! so that the code that runs in the daemon runs in a simulation as well.
//!
//! # The way of a request, a call and a packet
//!
//! ```text
//! request  http → service → store (durable) ── 201 ──► client
//!                              │ feeder
//! call                      dispatcher ⇄ dialer ⇄ call_script
//!                           │        └── orders ──► net::signalling ⇄ sip::user_agent ⇄ transactions ──► UDP
//!                           └── orders ──► net::media_engine
//! packet                                      └ one tick a millisecond: media_session → 12 bytes and a shared frame ──► UDP
//! record   recorder → store ◄── every step and the outcome, before anybody hears of it
//! ```

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
