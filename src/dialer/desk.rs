//! What all calls of a dialer share: the rules, the prompts, the timers, and the pile of what is to be done.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::event::Output;
use super::progress::{CallProgress, CallStep};
use crate::base::random::Random;
use crate::base::time::{Instant, UnixTime};
use crate::base::timers::Timers;
use crate::media::playlist::{Playlist, Segment, SegmentAudio};
use crate::otp::{CallPolicy, Phrase};
use crate::sip::user_agent::CallId;
use crate::speech::PromptPack;
use crate::wire::codec::Codec;

/// The dialer's timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Timer {
    /// A trunk has a token again.
    Pace,
    /// A waiting job has seen no usable trunk for too long.
    NoTrunk(CallId),
    /// The code's time is over.
    Expiry(CallId),
    /// It has rung long enough.
    Ring(CallId),
    /// The call's script wants to be woken.
    Script(CallId),
    /// What plays should have ended, or the hold should have.
    Stall(CallId),
    /// The user agent has not told the end of a call that we hung up.
    Hangup(CallId),
    /// The media session has not told its end.
    Close(CallId),
}

pub(super) struct Desk {
    pub policy: CallPolicy,
    pub codecs: Vec<Codec>,
    pub pack: Arc<PromptPack>,
    pub random: Random,
    pub timers: Timers<Timer>,
    pub outputs: VecDeque<Output>,
    /// A moment by both clocks.
    pub civil: (Instant, UnixTime),
}

impl Desk {
    /// The civil time at `at`, which may lie before the moment that both clocks were read.
    pub fn civil(&self, at: Instant) -> UnixTime {
        let (instant, civil) = self.civil;
        civil + at.saturating_duration_since(instant) - instant.saturating_duration_since(at)
    }

    pub fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub fn step(&mut self, now: Instant, call: CallId, step: CallStep) {
        let at = self.civil(now);
        self.put(Output::Timeline(CallProgress { call, at, step }));
    }

    /// Disarms every timer of a call.
    pub fn forget_timers(&mut self, call: CallId) {
        for timer in [
            Timer::NoTrunk(call),
            Timer::Expiry(call),
            Timer::Ring(call),
            Timer::Script(call),
            Timer::Stall(call),
            Timer::Hangup(call),
            Timer::Close(call),
        ] {
            self.timers.cancel(&timer);
        }
    }

    /// A script's phrases as frames of `codec`, which the pack holds, and how long they last.
    pub fn playlist(&self, codec: Codec, id: u32, phrases: &[(Phrase, Option<u32>)]) -> (Playlist, Duration) {
        let mut lasts = Duration::ZERO;
        let segment = |(phrase, mark): &(Phrase, Option<u32>)| {
            let audio = match phrase {
                Phrase::Prompt(prompt) => {
                    let prompt = self.pack.prompt(codec, *prompt).clone();
                    lasts += Duration::from_secs(1) * prompt.ticks() / codec.clock_rate();
                    SegmentAudio::Prompt(prompt)
                }
                Phrase::Silence(silence) => {
                    lasts += *silence;
                    SegmentAudio::Silence(*silence)
                }
            };
            Segment { audio, mark: *mark }
        };
        let segments = phrases.iter().map(segment).collect();
        (Playlist { id, segments }, lasts)
    }
}
