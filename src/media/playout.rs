//! What is heard in each frame: a playlist's segments, frame by frame, or silence.
//!
//! A playlist takes over at the next frame border. When a prompt is cut in its middle, one frame comes first that fades
//! that prompt out, because speech that breaks off at full level is heard as a click.

use std::time::Duration;

use super::playlist::{Playlist, Segment, SegmentAudio};
use crate::wire::codec::Codec;
use crate::wire::g711;

/// The length of a frame.
pub const FRAME: Duration = Duration::from_millis(20);

/// Samples, and G.711 bytes, of a frame.
const FRAME_SAMPLES: usize = 160;

static SILENCE_PCMU: [u8; FRAME_SAMPLES] = [g711::silence(Codec::Pcmu); FRAME_SAMPLES];
static SILENCE_PCMA: [u8; FRAME_SAMPLES] = [g711::silence(Codec::Pcma); FRAME_SAMPLES];

/// Plays one playlist at a time.
#[derive(Clone, Debug)]
pub struct Playout {
    codec: Codec,
    playlist: Option<Playlist>,
    /// Whether the playlist's end is still to be told.
    playing: bool,
    /// The segment and the frame in it that come next.
    segment: usize,
    frame: usize,
    current: Current,
    /// Whether `fade` comes before the playlist.
    fading: bool,
    fade: [u8; FRAME_SAMPLES],
}

/// The frame that was selected last.
#[derive(Clone, Copy, Debug)]
enum Current {
    Silence,
    Prompt { segment: usize, frame: usize },
    Fade,
}

/// What the selected frame brings to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// A marked segment.
    Reached {
        /// The playlist.
        playlist: u32,
        /// The segment's mark.
        mark: u32,
    },
    /// The playlist.
    Finished {
        /// The playlist.
        playlist: u32,
    },
}

/// A playlist holds a prompt in another codec than the session's; it would be noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongCodec;

impl Playout {
    /// Silence in `codec`.
    pub fn new(codec: Codec) -> Self {
        Playout {
            codec,
            playlist: None,
            playing: false,
            segment: 0,
            frame: 0,
            current: Current::Silence,
            fading: false,
            fade: [g711::silence(codec); FRAME_SAMPLES],
        }
    }

    /// Plays `playlist` from the next frame on, in place of what is playing. A refused playlist leaves silence.
    pub fn play(&mut self, playlist: Playlist) -> Result<(), WrongCodec> {
        let right_codec = playlist.segments.iter().all(|segment| match &segment.audio {
            SegmentAudio::Prompt(prompt) => prompt.codec() == self.codec,
            SegmentAudio::Silence(_) => true,
        });
        self.fade_out();
        (self.segment, self.frame, self.current) = (0, 0, Current::Silence);
        self.playing = right_codec && !playlist.segments.is_empty();
        self.playlist = self.playing.then_some(playlist);
        if right_codec { Ok(()) } else { Err(WrongCodec) }
    }

    /// Goes over to silence in another codec, at once, and returns the playlist that is cut short.
    pub fn change_codec(&mut self, codec: Codec) -> Option<u32> {
        let cut = self.playlist.as_ref().filter(|_| self.playing).map(|playlist| playlist.id);
        *self = Playout::new(codec);
        cut
    }

    /// Selects the next frame and tells what ends with it.
    pub fn advance(&mut self, mut tell: impl FnMut(Milestone)) {
        if std::mem::take(&mut self.fading) {
            self.current = Current::Fade;
            return;
        }
        self.current = Current::Silence;
        self.leave_ended_segments(&mut tell);
        if let Some(segment) = self.next_segment() {
            if matches!(segment.audio, SegmentAudio::Prompt(_)) {
                self.current = Current::Prompt { segment: self.segment, frame: self.frame };
            }
            self.frame += 1;
            self.leave_ended_segments(&mut tell);
        }
    }

    /// Time has passed without frames. It counts for a silence that is being played, all but its last frame, so that
    /// pauses keep their length; speech waits.
    pub fn skip(&mut self, frames: u64) {
        if let Some(Segment { audio: SegmentAudio::Silence(duration), .. }) = self.next_segment() {
            let last = silence_frames(*duration).saturating_sub(1);
            let skipped = self.frame.saturating_add(usize::try_from(frames).unwrap_or(usize::MAX)).min(last);
            self.frame = self.frame.max(skipped);
        }
    }

    /// The payload of the selected frame.
    pub fn payload(&self) -> &[u8] {
        let silence = match self.codec {
            Codec::Pcmu => &SILENCE_PCMU,
            Codec::Pcma => &SILENCE_PCMA,
        };
        match self.current {
            Current::Silence => silence,
            Current::Fade => &self.fade,
            Current::Prompt { segment, frame } => {
                match self.playlist.as_ref().and_then(|playlist| playlist.segments.get(segment)) {
                    Some(Segment { audio: SegmentAudio::Prompt(prompt), .. }) => prompt.frame(frame),
                    _ => silence,
                }
            }
        }
    }

    fn next_segment(&self) -> Option<&Segment> {
        self.playlist.as_ref()?.segments.get(self.segment)
    }

    /// Steps over segments without a frame left; the playlist itself stays for the frame that was selected.
    fn leave_ended_segments(&mut self, tell: &mut impl FnMut(Milestone)) {
        let Some(playlist) = self.playlist.as_ref().filter(|_| self.playing) else { return };
        while let Some(segment) = playlist.segments.get(self.segment)
            && self.frame >= segment_frames(segment)
        {
            if let Some(mark) = segment.mark {
                tell(Milestone::Reached { playlist: playlist.id, mark });
            }
            (self.segment, self.frame) = (self.segment + 1, 0);
        }
        if self.segment >= playlist.segments.len() {
            self.playing = false;
            tell(Milestone::Finished { playlist: playlist.id });
        }
    }

    /// Makes the fade of a prompt that is cut in its middle, from the frame that would have come next.
    fn fade_out(&mut self) {
        if self.fading || self.frame == 0 {
            return;
        }
        let Some(Segment { audio: SegmentAudio::Prompt(prompt), .. }) = self.next_segment() else { return };
        let mut samples = [0; FRAME_SAMPLES];
        g711::decode_into(self.codec, prompt.frame(self.frame), &mut samples);
        for (sample, left) in samples.iter_mut().zip((0..FRAME_SAMPLES as i32).rev()) {
            let faded = i32::from(*sample) * left / FRAME_SAMPLES as i32;
            *sample = i16::try_from(faded).unwrap_or_default();
        }
        g711::encode_into(self.codec, &samples, &mut self.fade);
        self.fading = true;
    }
}

fn segment_frames(segment: &Segment) -> usize {
    match &segment.audio {
        SegmentAudio::Prompt(prompt) => prompt.frame_count(),
        SegmentAudio::Silence(duration) => silence_frames(*duration),
    }
}

fn silence_frames(duration: Duration) -> usize {
    usize::try_from(duration.as_nanos().div_ceil(FRAME.as_nanos())).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::speech::encoded::EncodedPrompt;

    fn prompt(codec: Codec, byte: u8, frames: usize) -> SegmentAudio {
        SegmentAudio::Prompt(EncodedPrompt::new(codec, Bytes::from(vec![byte; frames * FRAME_SAMPLES])))
    }

    fn silence(millis: u64) -> SegmentAudio {
        SegmentAudio::Silence(Duration::from_millis(millis))
    }

    /// Marks each segment with its number, from 1.
    fn playlist(id: u32, audio: Vec<SegmentAudio>) -> Playlist {
        let segments = audio.into_iter().zip(1..).map(|(audio, mark)| Segment { audio, mark: Some(mark) }).collect();
        Playlist { id, segments }
    }

    /// The first byte of each of the next frames, and after which frame each milestone came.
    fn run(playout: &mut Playout, frames: usize) -> (Vec<u8>, Vec<(usize, Milestone)>) {
        let mut milestones = Vec::new();
        let bytes = (1..=frames)
            .map(|frame| {
                playout.advance(|milestone| milestones.push((frame, milestone)));
                assert_eq!(playout.payload().len(), FRAME_SAMPLES);
                playout.payload()[0]
            })
            .collect();
        (bytes, milestones)
    }

    fn reached(mark: u32) -> Milestone {
        Milestone::Reached { playlist: 7, mark }
    }

    #[test]
    fn segments_follow_each_other_to_the_frame_and_end_with_their_last() {
        let mut playout = Playout::new(Codec::Pcmu);
        playout.play(playlist(7, vec![prompt(Codec::Pcmu, 1, 2), silence(60), prompt(Codec::Pcmu, 2, 1)])).unwrap();
        let (bytes, milestones) = run(&mut playout, 8);
        assert_eq!(bytes, [1, 1, 0xFF, 0xFF, 0xFF, 2, 0xFF, 0xFF]);
        let finished = Milestone::Finished { playlist: 7 };
        assert_eq!(milestones, [(2, reached(1)), (5, reached(2)), (6, reached(3)), (6, finished)]);
    }

    #[test]
    fn silence_is_rounded_up_to_whole_frames_and_empty_segments_take_no_time() {
        let mut playout = Playout::new(Codec::Pcma);
        playout.play(playlist(7, vec![silence(0), silence(41), prompt(Codec::Pcma, 1, 0), silence(0)])).unwrap();
        let (bytes, milestones) = run(&mut playout, 4);
        assert_eq!(bytes, [0xD5; 4]);
        let finished = Milestone::Finished { playlist: 7 };
        assert_eq!(milestones, [(1, reached(1)), (3, reached(2)), (3, reached(3)), (3, reached(4)), (3, finished)]);
    }

    #[test]
    fn a_playlist_without_any_frame_finishes_in_the_next_frame_and_an_empty_one_tells_nothing() {
        let mut playout = Playout::new(Codec::Pcmu);
        playout.play(playlist(7, vec![silence(0)])).unwrap();
        assert_eq!(run(&mut playout, 2).1, [(1, reached(1)), (1, Milestone::Finished { playlist: 7 })]);
        playout.play(playlist(8, vec![])).unwrap();
        assert_eq!(run(&mut playout, 3), (vec![0xFF; 3], vec![]));
    }

    #[test]
    fn a_prompt_cut_in_its_middle_fades_out_in_one_frame() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let loud = g711::encode(codec, &[20_000])[0];
            let mut playout = Playout::new(codec);
            playout.play(playlist(7, vec![prompt(codec, loud, 5)])).unwrap();
            run(&mut playout, 2);
            playout.play(playlist(8, vec![prompt(codec, 1, 1)])).unwrap();
            playout.advance(|_| ());
            let fade = g711::decode(codec, playout.payload());
            assert!(fade.is_sorted_by(|a, b| a >= b), "{fade:?}");
            assert!(fade[0] > 19_000 && fade[FRAME_SAMPLES - 1] < 200, "{fade:?}");
            assert_eq!(run(&mut playout, 2).0, [1, g711::silence(codec)]);
        }
    }

    #[test]
    fn what_is_not_cut_does_not_fade() {
        let mut playout = Playout::new(Codec::Pcmu);
        playout.play(playlist(7, vec![prompt(Codec::Pcmu, 1, 2), silence(100), prompt(Codec::Pcmu, 2, 2)])).unwrap();
        playout.play(playlist(7, vec![prompt(Codec::Pcmu, 3, 2), silence(100)])).unwrap();
        assert_eq!(run(&mut playout, 2).0, [3, 3], "the first was not begun");
        playout.play(playlist(7, vec![prompt(Codec::Pcmu, 4, 1)])).unwrap();
        assert_eq!(run(&mut playout, 2).0, [4, 0xFF], "the second was at a segment's end");
    }

    #[test]
    fn skipped_time_counts_for_silence_only() {
        let mut playout = Playout::new(Codec::Pcmu);
        playout.play(playlist(7, vec![silence(100), prompt(Codec::Pcmu, 1, 2)])).unwrap();
        run(&mut playout, 1);
        playout.skip(2);
        assert_eq!(run(&mut playout, 3).0, [0xFF, 0xFF, 1]);
        playout.skip(9);
        assert_eq!(run(&mut playout, 2).0, [1, 0xFF]);
        playout.play(playlist(7, vec![silence(100), prompt(Codec::Pcmu, 1, 2)])).unwrap();
        playout.skip(u64::MAX);
        assert_eq!(run(&mut playout, 2).0, [0xFF, 1]);
    }

    #[test]
    fn another_codec_cuts_at_once_and_refuses_the_old_one() {
        let mut playout = Playout::new(Codec::Pcmu);
        playout.play(playlist(7, vec![prompt(Codec::Pcmu, 1, 5)])).unwrap();
        run(&mut playout, 1);
        assert_eq!(playout.change_codec(Codec::Pcma), Some(7));
        assert_eq!(run(&mut playout, 2), (vec![0xD5; 2], vec![]));
        assert_eq!(playout.play(playlist(8, vec![prompt(Codec::Pcmu, 1, 5)])), Err(WrongCodec));
        assert_eq!(run(&mut playout, 2), (vec![0xD5; 2], vec![]));
        assert_eq!(playout.change_codec(Codec::Pcmu), None);
    }
}
