//! The built-in carrier: a registrar and phones, built from the same floors.

pub mod phone;
pub mod proxy;
pub mod registrar;
