//! A prompt in one codec, cut into frames of 20 ms that all calls share.

use std::fmt;

use bytes::Bytes;

use crate::wire::codec::Codec;

/// An encoded prompt. Clones share the same bytes. `Debug` tells neither sound nor length: a playlist of these spells a
/// code.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedPrompt {
    codec: Codec,
    bytes: Bytes,
}

impl EncodedPrompt {
    /// Wraps encoded audio of one byte a sample.
    ///
    /// `bytes` holds whole frames; a rest of less than a frame is cut off, so that gaps stay exact in RTP time.
    pub fn new(codec: Codec, bytes: Bytes) -> Self {
        let frame = Self::frame_length(codec);
        let whole = bytes.len() / frame * frame;
        EncodedPrompt { codec, bytes: bytes.slice(..whole) }
    }

    /// The codec that the frames are in.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Number of frames of 20 ms.
    pub fn frame_count(&self) -> usize {
        self.bytes.len() / Self::frame_length(self.codec)
    }

    /// The payload of frame `i`; empty past the end.
    pub fn frame(&self, i: usize) -> &[u8] {
        let frame = Self::frame_length(self.codec);
        i.checked_mul(frame).and_then(|start| self.bytes.get(start..start + frame)).unwrap_or_default()
    }

    /// The payload of frame `i` without a copy; empty past the end.
    pub fn frame_bytes(&self, i: usize) -> Bytes {
        let frame = Self::frame_length(self.codec);
        if i < self.frame_count() { self.bytes.slice(i * frame..(i + 1) * frame) } else { Bytes::new() }
    }

    /// Length in ticks of the codec's RTP clock.
    pub fn ticks(&self) -> u32 {
        u32::try_from(self.frame_count()).unwrap_or(u32::MAX).saturating_mul(self.codec.ticks_per_frame())
    }

    /// Bytes of one frame: G.711 has one byte a tick.
    fn frame_length(codec: Codec) -> usize {
        match codec {
            Codec::Pcmu | Codec::Pcma => codec.ticks_per_frame() as usize,
        }
    }
}

impl fmt::Debug for EncodedPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodedPrompt({:?})", self.codec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_whole_and_shared() {
        let bytes = Bytes::from((0..=255u8).cycle().take(2 * 160 + 7).collect::<Vec<u8>>());
        let prompt = EncodedPrompt::new(Codec::Pcma, bytes.clone());
        assert_eq!((prompt.frame_count(), prompt.ticks()), (2, 320));
        assert_eq!(prompt.frame(1), &bytes[160..320]);
        assert_eq!(prompt.frame_bytes(1).as_ptr(), bytes[160..].as_ptr());
        assert_eq!((prompt.frame(2), prompt.frame_bytes(2).len()), (&[][..], 0));
        assert_eq!(prompt.frame(usize::MAX), &[] as &[u8]);
    }

    #[test]
    fn two_prompts_print_alike() {
        let prompt = |frames| EncodedPrompt::new(Codec::Pcmu, Bytes::from(vec![frames; 160 * usize::from(frames)]));
        assert_eq!(format!("{:?}", prompt(1)), format!("{:?}", prompt(2)));
    }
}
