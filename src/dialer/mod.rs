//! Challenge to call to media: queue, pacing, trunk choice and outcome. Here a code meets SIP and RTP.
//!
//! # A call's way
//!
//! ```text
//!  Job ──────────► queue      waits for: a usable trunk with a free channel and a CPS token, room under max_calls,
//!                    │                   and the end of any other call to the same number
//!                    ▼
//!  OpenMedia ────► opening    MediaOpened: a port of ours to offer; none free: no_media_ports, nothing is dialled
//!                    ▼
//!  Record ───────► recording  Recorded: the attempt is durable; from here on a crash means "interrupted", never a
//!                    │        second ring; RecordFailed: store_failure, nothing is dialled
//!                    ▼
//!  Sip(Invite) ──► dialing    180/183 are told and nothing is spoken; ring_timeout or the code's end: hang up
//!                    ▼
//!  Media(Start) ─► talking    the call script speaks through Media(Play) and hears FirstPacket, Digit, Reached, Finished
//!                    ▼
//!  Sip(Hangup) ──► hanging up the script is through, or Cancel, or HangupAll; skipped when the other end hangs up
//!                    ▼
//!  CloseMedia ───► closing    MediaClosed brings the audio figures
//!                    ▼
//!  Ended(Outcome)             once for each job; Released instead when a drain hands a job back that was never tried
//! ```
//!
//! # What can be relied on
//!
//! - Each [`Job`] ends in exactly one [`Output::Ended`] or [`Output::Released`], whatever the drivers do or leave
//!   undone: every stage has a deadline. After it the dialer says nothing about the call any more, except that it hangs
//!   up a call that is answered all the same.
//! - Nothing is dialled before the attempt was recorded, and nothing is spoken before the answer.
//! - Two calls never ring one number at the same time.
//! - The code stands in its [`Job`] and its playlists only. No `Debug` output, event or outcome holds it.

mod call;
mod desk;
mod event;
mod job;
mod machine;
mod outcome;
mod progress;
mod trunks;

pub use event::{Attempt, Input, MediaUnavailable, Output};
pub use job::Job;
pub use machine::{Dialer, DialerConfig};
pub use outcome::Outcome;
pub use progress::{CallProgress, CallStep};
pub use trunks::DialTrunk;
