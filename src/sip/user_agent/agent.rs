//! The agent itself.

use std::collections::VecDeque;

use super::event::{Input, Output, Policy};
use super::trunk::Trunk;
use crate::base::random::Random;
use crate::base::time::Instant;

/// A SIP user agent over one transport.
pub struct UserAgent {
    outputs: VecDeque<Output>,
}

impl UserAgent {
    /// An agent for `trunks`; nothing happens before its first input.
    pub fn new(_policy: Policy, _trunks: Vec<Trunk>, _random: Random) -> Self {
        UserAgent { outputs: VecDeque::new() }
    }

    /// Takes one input. Drain [`UserAgent::poll_output`] afterwards.
    pub fn handle_input(&mut self, _now: Instant, _input: Input<'_>) {}

    /// The next thing to do; [`Output::Timeout`] means that there is nothing left.
    pub fn poll_output(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or(Output::Timeout(None))
    }

    /// Whether nothing is left of any call: no session, no transaction.
    pub fn is_idle(&self) -> bool {
        self.outputs.is_empty()
    }
}
