//! One call's media: playout, RTP, source lock and DTMF, without sockets or clocks.

pub mod audio_report;
pub mod media_session;
pub mod playlist;
