//! The one-time-code service that both API faces share, and the driver of the dialer.
