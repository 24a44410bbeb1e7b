//! The HTTP faces.
