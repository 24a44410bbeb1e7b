//! What a session is asked to play.

use std::fmt;
use std::time::Duration;

use crate::speech::encoded::EncodedPrompt;

/// Segments to play one after another, without anything between them.
#[derive(Clone, PartialEq, Eq)]
pub struct Playlist {
    /// The asker's number of this playlist; it comes back in [`Event::Reached`](super::session_io::Event::Reached)
    /// and [`Event::Finished`](super::session_io::Event::Finished).
    pub id: u32,
    /// The segments in playing order. None at all means silence.
    pub segments: Vec<Segment>,
}

impl fmt::Debug for Playlist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the segments: those of a code are the code.
        f.debug_struct("Playlist").field("id", &self.id).field("segments", &self.segments.len()).finish()
    }
}

/// One stretch of audio.
#[derive(Clone, PartialEq, Eq)]
pub struct Segment {
    /// What is heard.
    pub audio: SegmentAudio,
    /// Reported in [`Event::Reached`](super::session_io::Event::Reached) when the segment's last frame was sent.
    pub mark: Option<u32>,
}

/// What a segment sounds like.
#[derive(Clone, PartialEq, Eq)]
pub enum SegmentAudio {
    /// A prompt, encoded in the session's codec.
    Prompt(EncodedPrompt),
    /// Silence, rounded up to whole frames of 20 ms.
    Silence(Duration),
}
