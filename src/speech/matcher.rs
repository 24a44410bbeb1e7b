//! Finds a pack's prompts in what a phone heard, by normalised cross-correlation.
//!
//! A prompt that was sent arrives sample for sample, but for the codec's noise, the line's gain and lost frames. Its
//! correlation with the original is then close to 1, whatever the gain; that of any other word of the same voice stays
//! far below. Both sides are pre-emphasised first: without it the voice's pitch makes all vowels alike.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::speech::{PromptId, PromptPack};

/// Lowest normalised cross-correlation that counts as heard.
///
/// Measured with the shipped prompts (`scores_lie_far_from_the_threshold` repeats it): through G.711 with 3 % of the
/// frames lost a prompt scores above 0.75, and a place where it does not stand at most 0.5.
pub const THRESHOLD: f32 = 0.6;

/// A longer silence than this between two digits separates two readings: 2.5 s at 8 kHz.
const READING_GAP: usize = 20_000;

/// Samples in one transform. Prompts of more than half of it are compared by their first half alone.
const BLOCK: usize = 65_536;

/// Stretches with less power than this (root mean square of 8 of 32,768 after pre-emphasis) hold no speech.
const QUIET: f64 = 8.0 * 8.0;

/// A prompt that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Which prompt.
    pub prompt: PromptId,
    /// Where it starts, in samples at 8 kHz.
    pub start_sample: usize,
    /// Where it ends, in samples at 8 kHz.
    pub end_sample: usize,
    /// Normalised cross-correlation, 0 to 1.
    pub score: f32,
}

/// Finds the prompts of `pack` in `pcm` (8 kHz): in time order, not overlapping, each with at least [`THRESHOLD`].
pub fn find_prompts(pcm: &[i16], pack: &PromptPack) -> Vec<Heard> {
    find_above(pcm, pack, THRESHOLD)
}

/// The codes that were read: runs of digits, split by any other prompt and by a gap of more than 2.5 s.
pub fn readings(heard: &[Heard]) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    let mut last_end = None;
    for found in heard {
        let PromptId::Digit(digit) = found.prompt else {
            last_end = None;
            continue;
        };
        let digit = char::from(b'0' + digit % 10);
        match (last_end, codes.last_mut()) {
            (Some(end), Some(code)) if found.start_sample.saturating_sub(end) <= READING_GAP => code.push(digit),
            _ => codes.push(digit.to_string()),
        }
        last_end = Some(found.end_sample);
    }
    codes
}

fn find_above(pcm: &[i16], pack: &PromptPack, threshold: f32) -> Vec<Heard> {
    let patterns: Vec<Pattern> = PromptId::ALL.into_iter().filter_map(|id| Pattern::of(id, pack.samples(id))).collect();
    let mut candidates = correlate(pcm, &patterns, threshold);
    // The best first; whatever overlaps something better is an echo of it.
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut chosen: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        let overlaps =
            |other: &Candidate| candidate.sound.start < other.sound.end && other.sound.start < candidate.sound.end;
        if !chosen.iter().any(overlaps) {
            chosen.push(candidate);
        }
    }
    chosen.sort_by_key(|candidate| candidate.sound.start);
    chosen
        .into_iter()
        .map(|Candidate { pattern, sound, score }| {
            let pattern = &patterns[pattern];
            let start_sample = sound.start.saturating_sub(pattern.lead);
            Heard { prompt: pattern.id, start_sample, end_sample: start_sample + pattern.length, score }
        })
        .collect()
}

/// A prompt as it is looked for: its sounding part, pre-emphasised.
struct Pattern {
    id: PromptId,
    /// Samples of near silence before the sounding part.
    lead: usize,
    /// Length of the whole prompt in samples.
    length: usize,
    sound: Vec<f32>,
    norm: f64,
}

impl Pattern {
    /// `None` for a prompt without sound, which a pack does not hold.
    fn of(id: PromptId, pcm: &[i16]) -> Option<Pattern> {
        let floor = pcm.iter().map(|sample| sample.unsigned_abs()).max()? / 100;
        let loud = |sample: &i16| sample.unsigned_abs() > floor;
        let lead = pcm.iter().position(loud)?;
        let end = pcm.iter().rposition(loud)? + 1;
        let sound = &pcm[lead..end.min(lead + BLOCK / 2)];
        let sound: Vec<f32> = pre_emphasised(sound).map(|sample| sample as f32).collect();
        let norm = sound.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>().sqrt();
        (norm > 0.0).then_some(Pattern { id, lead, length: pcm.len(), sound, norm })
    }
}

/// A place where a pattern fits.
struct Candidate {
    /// Place in the list of patterns.
    pattern: usize,
    sound: Range<usize>,
    score: f32,
}

/// The difference between neighbours: +6 dB an octave, in whole numbers so that sums of squares stay exact.
fn pre_emphasised(pcm: &[i16]) -> impl Iterator<Item = i32> + '_ {
    let before = std::iter::once(&0).chain(pcm);
    pcm.iter().zip(before).map(|(sample, before)| i32::from(*sample) - i32::from(*before))
}

/// Local maxima of each pattern's normalised cross-correlation with `pcm`, from `threshold` up.
fn correlate(pcm: &[i16], patterns: &[Pattern], threshold: f32) -> Vec<Candidate> {
    let Some(longest) = patterns.iter().map(|pattern| pattern.sound.len()).max() else { return Vec::new() };
    let heard: Vec<i32> = pre_emphasised(pcm).collect();
    // energy[n] is the sum of the squares before n.
    let energy: Vec<u64> = std::iter::once(0)
        .chain(heard.iter().scan(0u64, |sum, sample| {
            *sum += u64::from(sample.unsigned_abs()).pow(2);
            Some(*sum)
        }))
        .collect();
    let mut transform = Transform::new();
    let spectra: Vec<Vec<Complex<f32>>> =
        patterns.iter().map(|pattern| transform.forward(pattern.sound.iter().copied())).collect();
    let mut peaks: Vec<Peaks> = patterns.iter().map(|pattern| Peaks::new(pattern.sound.len())).collect();
    // Overlap-save: of each block, the first `hop` places see nothing that wrapped around.
    let hop = BLOCK - longest;
    for start in (0..heard.len()).step_by(hop) {
        let block = transform.forward(heard[start..].iter().take(BLOCK).map(|sample| *sample as f32));
        if energy[(start + BLOCK).min(heard.len())] == energy[start] {
            continue;
        }
        for (place, (pattern, spectrum)) in patterns.iter().zip(&spectra).enumerate() {
            let length = pattern.sound.len();
            let places = hop.min((heard.len() + 1).saturating_sub(start + length));
            let products = transform.correlation(&block, spectrum);
            for (offset, product) in products.iter().take(places).enumerate() {
                let at = start + offset;
                let power = (energy[at + length] - energy[at]) as f64;
                if *product <= 0.0 || power < QUIET * length as f64 {
                    continue;
                }
                let score = (f64::from(*product) / (BLOCK as f64 * pattern.norm * power.sqrt())) as f32;
                if score >= threshold {
                    peaks[place].offer(at, score.min(1.0));
                }
            }
        }
    }
    let candidate = |pattern: usize, (at, score): (usize, f32)| {
        let sound = at..at + patterns[pattern].sound.len();
        Candidate { pattern, sound, score }
    };
    peaks
        .into_iter()
        .enumerate()
        .flat_map(|(pattern, peaks)| peaks.found.into_iter().map(move |peak| candidate(pattern, peak)))
        .collect()
}

/// Keeps the best place of each stretch as long as the pattern itself.
struct Peaks {
    length: usize,
    found: VecDeque<(usize, f32)>,
}

impl Peaks {
    fn new(length: usize) -> Self {
        Peaks { length, found: VecDeque::new() }
    }

    /// Places come in rising order. One that lies within the pattern's length of the last replaces it if better.
    fn offer(&mut self, at: usize, score: f32) {
        match self.found.back_mut() {
            Some((last, best)) if at < *last + self.length => {
                if score > *best {
                    (*last, *best) = (at, score);
                }
            }
            _ => self.found.push_back((at, score)),
        }
    }
}

/// The Fourier transform of [`BLOCK`] real samples, with its buffers.
struct Transform {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    scratch: Vec<Complex<f32>>,
    time: Vec<f32>,
    product: Vec<Complex<f32>>,
}

impl Transform {
    fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(BLOCK), planner.plan_fft_inverse(BLOCK));
        let scratch = vec![Complex::default(); forward.get_scratch_len().max(inverse.get_scratch_len())];
        let (time, product) = (forward.make_input_vec(), forward.make_output_vec());
        Transform { forward, inverse, scratch, time, product }
    }

    /// The spectrum of `samples`, filled up with silence.
    fn forward(&mut self, samples: impl Iterator<Item = f32>) -> Vec<Complex<f32>> {
        let samples = samples.chain(std::iter::repeat(0.0));
        self.time.iter_mut().zip(samples).for_each(|(place, sample)| *place = sample);
        let mut spectrum = self.forward.make_output_vec();
        self.forward
            .process_with_scratch(&mut self.time, &mut spectrum, &mut self.scratch)
            .expect("the buffers were made by the plan itself");
        spectrum
    }

    /// [`BLOCK`] times the correlation of what `block` and `pattern` are the spectra of.
    fn correlation(&mut self, block: &[Complex<f32>], pattern: &[Complex<f32>]) -> &[f32] {
        let pairs = block.iter().zip(pattern);
        self.product.iter_mut().zip(pairs).for_each(|(product, (block, pattern))| *product = block * pattern.conj());
        // Both factors are real at the ends; rounding must not say otherwise, or the transform refuses.
        let last = self.product.len() - 1;
        self.product[0].im = 0.0;
        self.product[last].im = 0.0;
        self.inverse
            .process_with_scratch(&mut self.product, &mut self.time, &mut self.scratch)
            .expect("the buffers were made by the plan itself and the ends are real");
        &self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;
    use crate::speech::pack::tests::shipped;
    use crate::wire::codec::Codec;
    use crate::wire::g711;

    const GAP: usize = 8000;

    /// What a phone hears of `prompts`, each after a second of silence, through `codec`: the samples, and where each
    /// prompt starts.
    fn call(pack: &PromptPack, codec: Codec, prompts: &[PromptId]) -> (Vec<i16>, Vec<usize>) {
        let (mut pcm, mut starts) = (Vec::new(), Vec::new());
        for id in prompts {
            pcm.resize(pcm.len() + GAP, 0);
            starts.push(pcm.len());
            let prompt = pack.prompt(codec, *id);
            (0..prompt.frame_count()).for_each(|i| pcm.extend(g711::decode(codec, prompt.frame(i))));
        }
        (pcm, starts)
    }

    /// Takes a share of the frames away.
    fn lose(pcm: &mut [i16], share: f64, random: &mut Random) {
        pcm.chunks_mut(160).filter(|_| random.fraction() < share).for_each(|frame| frame.fill(0));
    }

    fn code(length: usize, random: &mut Random) -> Vec<PromptId> {
        (0..length).map(|_| PromptId::Digit(random.below(10) as u8)).collect()
    }

    fn names(heard: &[Heard]) -> Vec<PromptId> {
        heard.iter().map(|found| found.prompt).collect()
    }

    #[test]
    fn random_codes_are_found_at_their_places_through_each_codec_with_lost_frames() {
        let pack = shipped();
        for (seed, codec, share, gain) in [
            (1, Codec::Pcmu, 0.0, 1.0),
            (2, Codec::Pcma, 0.0, 0.1),
            (3, Codec::Pcmu, 0.03, 2.0),
            (4, Codec::Pcma, 0.03, 0.3),
        ] {
            let mut random = Random::from_seed(seed);
            let mut said = vec![PromptId::Intro];
            said.extend(code(10, &mut random));
            said.push(PromptId::Again);
            said.extend(code(6, &mut random));
            said.extend([PromptId::PressOne, PromptId::PressKey, PromptId::Digit(4), PromptId::Goodbye]);
            let (mut pcm, starts) = call(pack, codec, &said);
            lose(&mut pcm, share, &mut random);
            pcm.iter_mut().for_each(|sample| *sample = (f64::from(*sample) * gain) as i16);
            let heard = find_prompts(&pcm, pack);
            assert_eq!(names(&heard), said, "seed {seed}");
            for (found, start) in heard.iter().zip(&starts) {
                assert_eq!((found.start_sample, found.end_sample), (*start, start + pack.samples(found.prompt).len()));
            }
            assert_eq!(readings(&heard).len(), 3);
        }
    }

    #[test]
    fn scores_lie_far_from_the_threshold() {
        let pack = shipped();
        let mut random = Random::from_seed(11);
        let patterns: Vec<Pattern> =
            PromptId::ALL.into_iter().filter_map(|id| Pattern::of(id, pack.samples(id))).collect();
        let (mut pcm, starts) = call(pack, Codec::Pcmu, &PromptId::ALL);
        lose(&mut pcm, 0.03, &mut random);
        // Before the choice among what overlaps, so that no wrong one hides behind the right one.
        let is_right = |found: &Candidate| found.sound.start == starts[found.pattern] + patterns[found.pattern].lead;
        let (right, wrong): (Vec<Candidate>, Vec<Candidate>) =
            correlate(&pcm, &patterns, 0.1).into_iter().partition(is_right);
        assert_eq!(right.len(), patterns.len());
        let lowest_right = right.iter().map(|found| found.score).fold(1.0, f32::min);
        let highest_wrong = wrong.iter().map(|found| found.score).fold(0.0, f32::max);
        assert!(lowest_right > 0.75, "{lowest_right}");
        assert!(highest_wrong < 0.5, "{highest_wrong}");
    }

    #[test]
    fn a_digit_that_was_not_said_is_not_found() {
        let pack = shipped();
        for digit in 0..10 {
            let others: Vec<PromptId> = (0..10).filter(|other| *other != digit).map(PromptId::Digit).collect();
            let (pcm, _) = call(pack, Codec::Pcma, &others);
            assert_eq!(names(&find_prompts(&pcm, pack)), others);
        }
    }

    #[test]
    fn silence_and_noise_hold_no_prompt() {
        let pack = shipped();
        let mut random = Random::from_seed(5);
        assert_eq!(find_prompts(&[], pack), []);
        assert_eq!(find_prompts(&[0; 100], pack), []);
        assert_eq!(find_prompts(&vec![0; 200_000], pack), []);
        let noise: Vec<i16> = (0..200_000).map(|_| (random.fraction() * 8000.0 - 4000.0) as i16).collect();
        assert_eq!(find_prompts(&noise, pack), []);
        let idle: Vec<i16> = (0..200_000).map(|_| random.below(3) as i16 - 1).collect();
        assert_eq!(find_prompts(&idle, pack), []);
    }

    #[test]
    fn a_word_cut_short_by_a_new_reading_is_not_heard() {
        let pack = shipped();
        let (pcm, starts) = call(pack, Codec::Pcmu, &[PromptId::Digit(1), PromptId::Digit(7)]);
        let mut cut = pcm[..starts[1] + 2400].to_vec();
        cut.extend_from_slice(pack.samples(PromptId::Intro));
        assert_eq!(names(&find_prompts(&cut, pack)), [PromptId::Digit(1), PromptId::Intro]);
    }

    #[test]
    fn prompts_across_the_blocks_of_a_long_call_are_found_once() {
        let pack = shipped();
        let said: Vec<PromptId> = [3, 1, 4, 1, 5, 9, 2, 6].into_iter().cycle().take(60).map(PromptId::Digit).collect();
        let (pcm, _) = call(pack, Codec::Pcmu, &said);
        assert!(pcm.len() > 80 * 8000);
        assert_eq!(names(&find_prompts(&pcm, pack)), said);
    }

    #[test]
    fn readings_are_split_by_other_prompts_and_by_long_gaps() {
        let found = |prompt, start_sample, end_sample| Heard { prompt, start_sample, end_sample, score: 1.0 };
        let heard = [
            found(PromptId::Intro, 0, 100),
            found(PromptId::Digit(1), 8000, 12_000),
            found(PromptId::Digit(2), 32_000, 36_000),
            found(PromptId::Digit(3), 56_001, 60_000),
            found(PromptId::PressOne, 60_000, 61_000),
            found(PromptId::Digit(4), 61_000, 62_000),
        ];
        assert_eq!(readings(&heard), ["12", "3", "4"]);
        assert_eq!(readings(&heard[..1]), Vec::<String>::new());
    }
}
