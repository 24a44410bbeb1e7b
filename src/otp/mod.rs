//! One-time codes: the number, the code, its verification, and the script of a call. Knows no SIP.
