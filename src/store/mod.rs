//! The drivers of files: the database, and the prompt folder.

pub mod prompt_dir;
