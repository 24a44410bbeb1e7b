//! One call's media: playout, RTP, source lock and DTMF, without sockets or clocks.
