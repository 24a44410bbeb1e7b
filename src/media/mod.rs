//! One call's media: playout, RTP, source lock and DTMF, without sockets or clocks.
//!
//! [`media_session`] is the machine and the face of this floor; the rest are its parts.

pub mod audio_report;
pub mod digit_sender;
pub mod dtmf;
pub mod media_session;
pub mod playlist;
pub mod playout;
pub mod recording;
pub mod rtp_receiver;
pub mod rtp_sender;
pub mod session_config;
pub mod session_io;
pub mod source_lock;
pub mod speech_detector;

#[cfg(test)]
mod tests;
