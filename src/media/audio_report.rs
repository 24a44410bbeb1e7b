//! What a session has to tell about its call's audio.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// Figures of one session, from its start to the moment of asking.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AudioReport {
    /// RTP packets sent.
    pub sent: u64,
    /// Packets among `sent` that the operating system refused; the driver counts them.
    pub unsent: u64,
    /// Frames that were not sent because the driver came too late for them.
    pub skipped: u64,
    /// RTP packets accepted from the peer, duplicates included.
    pub received: u64,
    /// Packets that the peer's sequence numbers promise and that never came (RFC 3550 §6.4.1, at least 0).
    pub lost: u64,
    /// Accepted packets that came twice or more.
    pub duplicates: u64,
    /// Accepted packets that came after one with a later sequence number.
    pub late: u64,
    /// Packets thrown away: malformed, or from a source that is not the peer.
    pub dropped: u64,
    /// Datagrams that came while the session was not running: early media, for one.
    pub ignored: u64,
    /// Digits reported.
    pub digits: u64,
    /// The longest time between two accepted packets, as exact as the driver's tick.
    pub max_gap: Duration,
    /// With `record`: what was heard, as 8 kHz PCM placed by RTP timestamp from the first packet on.
    pub heard: Option<Vec<i16>>,
    /// Stretches of `heard` in which the sender held its audio back: nothing was lost, and it goes on after them.
    pub pauses: Vec<Range<usize>>,
}

impl fmt::Debug for AudioReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudioReport")
            .field("sent", &self.sent)
            .field("unsent", &self.unsent)
            .field("skipped", &self.skipped)
            .field("received", &self.received)
            .field("lost", &self.lost)
            .field("duplicates", &self.duplicates)
            .field("late", &self.late)
            .field("dropped", &self.dropped)
            .field("ignored", &self.ignored)
            .field("digits", &self.digits)
            .field("max_gap", &self.max_gap)
            // How much, not what: it may be a code that is read out.
            .field("heard", &self.heard.as_ref().map(Vec::len))
            .field("pauses", &self.pauses.len())
            .finish()
    }
}
