//! The user agent against scripted peers, and against itself, on virtual time.

mod answered;
mod bench;
mod calling;
mod pair;
mod registering;
mod ringing;
mod stray;
