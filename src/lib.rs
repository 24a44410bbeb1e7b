//! ringcode
pub mod base;
