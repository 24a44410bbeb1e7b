//! What the tests over real sockets share: the daemon as a process, its API as a client sees it, sipp as the carrier,
//! and tshark and sox as the judges of what was sent.

#![allow(dead_code, reason = "each test target uses a part of this module")]

pub mod api;
pub mod capture;
pub mod daemon;
pub mod pcap;
pub mod prompts;
pub mod sipp;

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

/// The top of the checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Whether a program that a test needs is on the machine.
pub fn has_program(name: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder: PathBuf| Path::new(&folder).join(name).is_file()))
}

/// Prints why a test cannot run here. `tests/run` installs what is missing, so nothing is skipped there.
pub fn missing(programs: &[&str]) -> bool {
    let absent: Vec<_> = programs.iter().filter(|name| !has_program(name)).collect();
    if !absent.is_empty() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "CI lacks {absent:?}; tests/run installs them");
        eprintln!("skipped: {absent:?} not installed; tests/run installs them");
    }
    !absent.is_empty()
}

/// A UDP port on 127.0.0.1 that is free. It and the nine above it are no other caller's in this process: sipp takes
/// several for media.
pub fn free_udp_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    for _ in 0..600 {
        let port = 10_000 + NEXT.fetch_add(10, Ordering::Relaxed) % 6_000;
        if (port..port + 6).all(|port| UdpSocket::bind(("127.0.0.1", port)).is_ok()) {
            return port;
        }
    }
    panic!("no free UDP port between 10000 and 16000");
}

/// The first of 20 UDP ports for the media of one daemon; no other daemon of this process gets them.
pub fn media_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    16_000 + NEXT.fetch_add(20, Ordering::Relaxed) % 8_000
}
