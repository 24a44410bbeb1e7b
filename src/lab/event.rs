//! What the lab tells of itself.

use std::fmt;
use std::sync::Arc;

use crate::base::secret::Masked;
use crate::lab::registrar::Change;
use crate::media::audio_report::AudioReport;
use crate::sip::call_end::CallEnd;
use crate::sip::message::UserPart;
use crate::sip::user_agent::CallId;
use crate::wire::codec::Codec;

/// What the lab tells, in order.
#[derive(Clone, Debug)]
pub enum LabEvent {
    /// Someone registered or unregistered.
    Registrar(Change),
    /// A call is passed on to the telephone that has registered under the number; the lab hears nothing of it.
    Forwarded {
        /// The number that was dialled.
        number: Masked,
    },
    /// A phone is called.
    Incoming {
        /// The call.
        call: CallId,
        /// The number that was dialled.
        number: Masked,
        /// In whose name.
        caller: Option<UserPart>,
    },
    /// The phone rings.
    Ringing {
        /// The call.
        call: CallId,
    },
    /// The phone answered, and audio flows.
    Answered {
        /// The call.
        call: CallId,
        /// The codec of what the phone sends.
        codec: Codec,
    },
    /// The caller began or stopped to speak.
    Speech {
        /// The call.
        call: CallId,
        /// Whether he speaks.
        speaking: bool,
    },
    /// The phone pressed a key.
    Pressed {
        /// The call.
        call: CallId,
        /// The key.
        digit: char,
    },
    /// The call is over, and this is what the phone heard. Told once for each call, and last.
    Ended(Arc<HeardCall>),
}

/// What a phone keeps of a call.
#[derive(Clone)]
pub struct HeardCall {
    /// The call.
    pub call: CallId,
    /// The number that was dialled.
    pub number: Masked,
    /// How it ended.
    pub end: CallEnd,
    /// Figures of the audio, without the audio; `None` when there was none.
    pub report: Option<AudioReport>,
    /// What was heard, 8 kHz, in RTP time from the first packet on; empty when the call was not answered.
    pub pcm: Vec<i16>,
}

impl HeardCall {
    /// What was heard, but for the pauses in which the sender held its audio back. A daemon on a busy machine comes too
    /// late for some frames and goes on with them after; a word with such a pause in it is the same word.
    pub fn speech(&self) -> Vec<i16> {
        let pauses = self.report.iter().flat_map(|report| &report.pauses);
        let (mut speech, mut from) = (Vec::with_capacity(self.pcm.len()), 0);
        for pause in pauses {
            speech.extend_from_slice(self.pcm.get(from..pause.start).unwrap_or_default());
            from = pause.end;
        }
        speech.extend_from_slice(self.pcm.get(from..).unwrap_or_default());
        speech
    }
}

impl fmt::Debug for HeardCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the number nor what was heard: it may be a code.
        f.debug_struct("HeardCall")
            .field("call", &self.call)
            .field("end", &self.end)
            .field("samples", &self.pcm.len())
            .finish_non_exhaustive()
    }
}
