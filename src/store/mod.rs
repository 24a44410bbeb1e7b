//! The drivers of files: the database, and the prompt folder.

pub mod call_status;
pub mod error;
pub mod prompt_dir;

pub use call_status::{CallStatus, Disposition};
pub use error::StoreError;
