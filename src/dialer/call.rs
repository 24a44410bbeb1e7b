//! One call, from its channel to its outcome.
