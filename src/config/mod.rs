//! Configuration: as written (`file`), and as used (`checked`). Everyone else sees only the latter.

pub mod checked;
