//! Configuration: as written (`file`), and as used (`checked`).
