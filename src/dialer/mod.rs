//! Challenge to call to media: queue, pacing, trunk choice and outcome.
