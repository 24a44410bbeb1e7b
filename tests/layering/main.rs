//! The floors of the house: a room uses only rooms below it, and only the drivers touch the machine.
//!
//! Reads the source as text, so that a forbidden path fails wherever it stands: in a `use`, in an expression, in a
//! test module.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the ground up; rooms of one rank do not use each other.
const RANKS: &[(&str, u8)] = &[
    ("base", 0),
    ("wire", 1),
    ("speech", 2),
    ("sip", 3),
    ("media", 4),
    ("otp", 5),
    ("dialer", 6),
    ("net", 7),
    ("store", 7),
    ("lab", 8),
    ("config", 9),
    ("service", 10),
    ("http", 11),
    ("daemon", 12),
    ("commands", 13),
];

/// Uses that the ranks would allow and the design forbids.
const STRANGERS: &[(&str, &[&str])] = &[
    ("sip", &["speech"]),
    ("otp", &["sip", "media", "wire"]),
    ("net", &["otp", "dialer"]),
    ("store", &["sip", "media", "dialer"]),
    ("http", &["sip", "media", "wire", "dialer", "net", "store", "lab"]),
];

/// Rooms without sockets, threads, clocks, files or global state.
const PURE: &[&str] = &["base", "wire", "speech", "sip", "media", "otp", "dialer"];

/// What a pure room must not name.
const MACHINERY: &[&str] = &[
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::fs",
    "std::thread",
    "std::env",
    "std::process",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "tokio::",
    "sqlx::",
    "axum::",
    "socket2::",
    "SysRng",
    "static mut",
];

/// The only files that read the machine's clock and entropy.
const CLOCK_AND_ENTROPY: &[&str] = &["net/clock.rs", "net/entropy.rs"];

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the source folder is readable") {
        let path = entry.expect("a folder entry is readable").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Every source file as (path below src, room, text without comments).
fn sources() -> Vec<(String, String, String)> {
    let root = source_root();
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 30, "only {} source files found below {}", files.len(), root.display());
    files
        .into_iter()
        .map(|path| {
            let below = path.strip_prefix(&root).expect("found below the root").to_string_lossy().into_owned();
            let room = below.split(['/', '.']).next().unwrap_or_default().to_string();
            let text = fs::read_to_string(&path).expect("a source file is UTF-8");
            let code: String =
                text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
            (below, room, code)
        })
        .collect()
}

fn rank(room: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == room).map(|(_, rank)| *rank)
}

/// The rooms that `code` names by `crate::room`, also in `use crate::{a::…, b::…}`.
fn rooms_used(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            let mut at_name = true;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => at_name = true,
                    c if depth == 0 && at_name && (c.is_alphanumeric() || c == '_') => name.push(c),
                    c if depth == 0 && at_name && c == ':' => at_name = false,
                    _ => {}
                }
                if !at_name && !name.is_empty() {
                    used.push(std::mem::take(&mut name));
                }
            }
            if !name.is_empty() {
                used.push(name);
            }
        } else {
            used.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    used.retain(|room| rank(room).is_some());
    used
}

#[test]
fn no_room_uses_one_above_it() {
    let mut climbs = Vec::new();
    for (file, room, code) in sources() {
        let Some(own) = rank(&room) else { continue };
        for used in rooms_used(&code) {
            if used == room {
                continue;
            }
            let forbidden = STRANGERS.iter().any(|(name, list)| *name == room && list.contains(&used.as_str()));
            if rank(&used).is_some_and(|theirs| theirs >= own) || forbidden {
                climbs.push(format!("{file}: {room} uses {used}"));
            }
        }
    }
    assert!(climbs.is_empty(), "imports that climb:\n{}", climbs.join("\n"));
}

#[test]
fn every_room_has_a_rank() {
    for (file, room, _) in sources() {
        assert!(
            rank(&room).is_some() || room == "lib" || room == "main",
            "{file}: the room {room} stands on no floor; give it a rank in tests/layering"
        );
    }
}

#[test]
fn pure_rooms_name_no_machinery() {
    let mut found = Vec::new();
    for (file, room, code) in sources() {
        if !PURE.contains(&room.as_str()) {
            continue;
        }
        for word in MACHINERY {
            if code.contains(word) {
                found.push(format!("{file}: {word}"));
            }
        }
    }
    assert!(found.is_empty(), "machinery on the pure floors:\n{}", found.join("\n"));
}

#[test]
fn only_the_clock_and_entropy_rooms_read_the_machine() {
    let reads = ["Instant::now(", "SystemTime::now(", "now_utc(", "SysRng", "rand::rng(", "rand::random"];
    let mut found = Vec::new();
    for (file, _, code) in sources() {
        if CLOCK_AND_ENTROPY.contains(&file.as_str()) {
            continue;
        }
        for read in reads {
            if code.contains(read) {
                found.push(format!("{file}: {read}"));
            }
        }
    }
    assert!(found.is_empty(), "clock or entropy read outside net/clock.rs and net/entropy.rs:\n{}", found.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_every_form() {
    let code = "use crate::{base::time, sip::{message, user_agent}, otp};\nfn f() { crate::net::clock::x() }";
    assert_eq!(rooms_used(code), ["base", "sip", "otp", "net"]);
}
