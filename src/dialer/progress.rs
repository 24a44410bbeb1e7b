//! The live steps of a call, for its timeline.

use serde::Serialize;

use crate::base::time::UnixTime;
use crate::otp::ScriptEvent;
use crate::sip::user_agent::CallId;

/// One step of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallProgress {
    /// Which call.
    pub call: CallId,
    /// When.
    pub at: UnixTime,
    /// What happened.
    pub step: CallStep,
}

/// What can happen in a call before it ends. Serializes with its [`CallStep::name`] under `event` and its fields beside
/// it: `{"event":"digit_read","reading":1,"index":3,"of":6}`. Names no digit of the code, and no pressed key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum CallStep {
    /// The INVITE leaves.
    Dialing {
        /// The trunk's name.
        trunk: String,
    },
    /// The carrier says that the phone rings, or that it works on it.
    Ringing {
        /// 180, 181, 182, 183 …
        status: u16,
    },
    /// The carrier sends audio before the answer; it is ignored.
    EarlyMedia {
        /// The status that brought it.
        status: u16,
    },
    /// The phone was answered.
    Answered,
    /// A reading begins.
    ReadingStarted {
        /// From 1.
        reading: u32,
    },
    /// A digit was sent to its end.
    DigitRead {
        /// The reading that it belongs to.
        reading: u32,
        /// Its place, from 1.
        index: u32,
        /// Digits of the code.
        of: u32,
    },
    /// All digits of a reading were sent.
    ReadingCompleted {
        /// Which.
        reading: u32,
    },
    /// The callee asked for the code again, and gets it.
    Repeated {
        /// How often up to now.
        repeats: u32,
    },
    /// The call waits for the repeat key.
    Listening,
    /// The goodbye begins.
    Goodbye,
    /// The other end does not want to hear us for now.
    Held,
    /// It does again.
    Resumed,
}

impl CallStep {
    /// The step's word, as it stands under `event`.
    pub const fn name(&self) -> &'static str {
        match self {
            CallStep::Dialing { .. } => "dialing",
            CallStep::Ringing { .. } => "ringing",
            CallStep::EarlyMedia { .. } => "early_media",
            CallStep::Answered => "answered",
            CallStep::ReadingStarted { .. } => "reading_started",
            CallStep::DigitRead { .. } => "digit_read",
            CallStep::ReadingCompleted { .. } => "reading_completed",
            CallStep::Repeated { .. } => "repeated",
            CallStep::Listening => "listening",
            CallStep::Goodbye => "goodbye",
            CallStep::Held => "held",
            CallStep::Resumed => "resumed",
        }
    }
}

impl From<ScriptEvent> for CallStep {
    fn from(event: ScriptEvent) -> Self {
        match event {
            ScriptEvent::ReadingStarted { reading } => CallStep::ReadingStarted { reading },
            ScriptEvent::DigitRead { reading, index, of } => CallStep::DigitRead { reading, index, of },
            ScriptEvent::ReadingCompleted { reading } => CallStep::ReadingCompleted { reading },
            ScriptEvent::Repeated { repeats } => CallStep::Repeated { repeats },
            ScriptEvent::Listening => CallStep::Listening,
            ScriptEvent::Goodbye => CallStep::Goodbye,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json() {
        let steps = [
            CallStep::Dialing { trunk: "lab".to_owned() },
            CallStep::Ringing { status: 180 },
            CallStep::EarlyMedia { status: 183 },
            CallStep::Answered,
            ScriptEvent::ReadingStarted { reading: 1 }.into(),
            ScriptEvent::DigitRead { reading: 1, index: 3, of: 6 }.into(),
            ScriptEvent::ReadingCompleted { reading: 1 }.into(),
            ScriptEvent::Repeated { repeats: 1 }.into(),
            ScriptEvent::Listening.into(),
            ScriptEvent::Goodbye.into(),
            CallStep::Held,
            CallStep::Resumed,
        ];
        for step in steps {
            assert_eq!(serde_json::to_value(&step).expect("plain values")["event"], step.name());
        }
        let json = serde_json::to_string(&CallStep::DigitRead { reading: 1, index: 3, of: 6 }).expect("plain values");
        assert_eq!(json, r#"{"event":"digit_read","reading":1,"index":3,"of":6}"#);
    }
}
