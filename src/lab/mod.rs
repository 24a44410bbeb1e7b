//! The built-in carrier: a registrar and phones, built from the same floors.
