//! The dialer: the queue, and the calls that came out of it.

use std::sync::Arc;
use std::time::Duration;

use super::event::{Input, Output};
use super::trunks::DialTrunk;
use crate::base::random::Random;
use crate::base::time::{Instant, UnixTime};
use crate::otp::CallPolicy;
use crate::speech::PromptPack;
use crate::wire::codec::Codec;

/// How the dialer works.
#[derive(Clone, Debug)]
pub struct DialerConfig {
    /// The trunks; numbers differ.
    pub trunks: Vec<DialTrunk>,
    /// The rules of a call.
    pub policy: CallPolicy,
    /// The codecs to offer, most wanted first; the pack holds each.
    pub codecs: Vec<Codec>,
    /// Calls at a time over all trunks.
    pub max_calls: usize,
    /// Jobs that may wait; one more is released at once.
    pub max_queue: usize,
    /// How long a job waits for any trunk to be usable before it ends with `no_trunk`.
    pub trunk_wait: Duration,
}

/// The machine.
pub struct Dialer {
    config: DialerConfig,
    pack: Arc<PromptPack>,
    random: Random,
    civil: (Instant, UnixTime),
}

impl Dialer {
    /// A dialer that starts at `now`, which is `civil` by the calendar.
    pub fn new(now: Instant, civil: UnixTime, config: DialerConfig, pack: Arc<PromptPack>, random: Random) -> Self {
        Dialer { config, pack, random, civil: (now, civil) }
    }

    /// Takes one input. Drain [`Dialer::poll_output`] before the next.
    pub fn handle_input(&mut self, _now: Instant, _input: Input) {
        todo!("{:?} {:?} {:?} {:?}", self.config, self.pack, self.random, self.civil)
    }

    /// The next thing to do; [`Output::Timeout`] when there is none.
    pub fn poll_output(&mut self) -> Output {
        todo!()
    }

    /// How many more jobs may be brought before one is released at once.
    pub fn room(&self) -> usize {
        self.config.max_queue
    }

    /// Whether no job is left, waiting or running.
    pub fn is_idle(&self) -> bool {
        todo!()
    }
}
