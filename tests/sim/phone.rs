//! The phones at the other end.

use std::time::Duration;

use ringcode::base::random::Random;

/// What a phone does with a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Temper {
    /// Rings, is answered, and listens until we hang up.
    Listens { rings: Duration },
    /// Also presses 1 once, this long after the answer.
    Presses { rings: Duration, after: Duration },
    /// Hangs up this long after the answer.
    HangsUp { rings: Duration, after: Duration },
    /// Refuses.
    Refuses { status: u16 },
    /// Rings until the call is given up; answers within moments of that, sometimes before, sometimes after.
    AnswersLate { rings: Duration },
    /// Never answers.
    Ignores,
}

impl Temper {
    /// A phone drawn at random. `ring_timeout` is the caller's patience.
    pub fn draw(random: &mut Random, ring_timeout: Duration) -> Temper {
        let mut millis = |from: u64, to: u64| Duration::from_millis(from + random.below(to - from));
        let rings = millis(0, 3000);
        let after = millis(600, 2500);
        let near = ring_timeout - Duration::from_millis(100) + millis(0, 200);
        let early = millis(0, 1500);
        match random.below(10) {
            0..=3 => Temper::Listens { rings },
            4 | 5 => Temper::Presses { rings, after },
            6 => Temper::HangsUp { rings, after: early },
            7 => Temper::Refuses {
                status: [302, 403, 404, 408, 480, 486, 487, 500, 503, 603]
                    [usize::try_from(random.below(10)).expect("small")],
            },
            8 => Temper::AnswersLate { rings: near },
            _ => Temper::Ignores,
        }
    }

    /// How long it rings before it is answered.
    pub fn rings(self) -> Option<Duration> {
        match self {
            Temper::Listens { rings }
            | Temper::Presses { rings, .. }
            | Temper::HangsUp { rings, .. }
            | Temper::AnswersLate { rings } => Some(rings),
            Temper::Refuses { .. } | Temper::Ignores => None,
        }
    }
}
