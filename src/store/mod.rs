//! The drivers of files: the database, and the prompt folder.

pub mod code_vault;
pub mod error;
mod hex;
pub mod key_file;
pub mod prompt_dir;
pub mod schema;
pub mod writer;

pub use crate::otp::{CallStatus, Disposition};
pub use error::StoreError;
