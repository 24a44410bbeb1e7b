//! Messages cut from datagrams and streams (RFC 3261 §18.3).
