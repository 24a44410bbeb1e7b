//! RTP fixed header and packet (RFC 3550 §5.1).
