//! The drivers of files: the database, and the prompt folder.
