//! One loudness for every recording: active speech level after ITU-T P.56, a limit on peaks, and soft ends.

/// What recordings are brought to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loudness {
    /// Active speech level (ITU-T P.56, method B) in dB against a full-scale square wave.
    pub active_level_dbov: f32,
    /// No sample exceeds this, in dB against full scale.
    pub peak_dbfs: f32,
}

impl Default for Loudness {
    /// -22 dBov with peaks under -3 dBFS.
    fn default() -> Self {
        Loudness { active_level_dbov: -22.0, peak_dbfs: -3.0 }
    }
}

/// Speech below this active level is taken for silence: bringing it up would bring up its noise.
const SILENCE_DBOV: f32 = -55.0;

/// Rounds of gain and limiting; the limiter takes a little level away, each round gives it back.
const ROUNDS: usize = 4;

/// Length of the fades at both ends, in seconds.
const FADE_SECONDS: f32 = 0.005;

/// Brings `samples` to `loudness` and fades both ends. False when there is no speech in them.
#[must_use]
pub(crate) fn level(samples: &mut [f32], rate: u32, loudness: Loudness) -> bool {
    fade_ends(samples, rate);
    let ceiling = from_db(loudness.peak_dbfs);
    for round in 0..ROUNDS {
        let Some(level) = active_level_dbov(samples, rate).filter(|level| round > 0 || *level > SILENCE_DBOV) else {
            return false;
        };
        let gain = from_db(loudness.active_level_dbov - level);
        samples.iter_mut().for_each(|sample| *sample *= gain);
        limit(samples, rate, ceiling);
    }
    true
}

/// Active speech level in dBov by ITU-T P.56 method B; `None` when nothing is active.
pub(crate) fn active_level_dbov(samples: &[f32], rate: u32) -> Option<f32> {
    const THRESHOLDS: usize = 15; // full scale halved once to fifteen times, as for 16-bit samples
    const MARGIN_DB: f64 = 15.9;
    let smoothing = (-1.0 / (f64::from(rate) * 0.03)).exp();
    let hangover = rate / 5;
    let mut active = [0u64; THRESHOLDS];
    let mut inactive_for = [hangover; THRESHOLDS];
    let (mut energy, mut first_stage, mut envelope) = (0.0f64, 0.0f64, 0.0f64);
    for sample in samples {
        let sample = f64::from(*sample);
        energy += sample * sample;
        first_stage = smoothing * first_stage + (1.0 - smoothing) * sample.abs();
        envelope = smoothing * envelope + (1.0 - smoothing) * first_stage;
        let mut threshold = 0.5;
        for j in 0..THRESHOLDS {
            if envelope >= threshold {
                active[j] += 1;
                inactive_for[j] = 0;
            } else if inactive_for[j] < hangover {
                active[j] += 1;
                inactive_for[j] += 1;
            }
            threshold *= 0.5;
        }
    }
    // The level is where it stands the margin above the threshold that gave it, between two thresholds by interpolation.
    let mut above: Option<(f64, f64)> = None;
    for (j, count) in active.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        let level = 10.0 * (energy / count as f64).log10();
        let excess = level - 20.0 * 0.5f64.powi(j as i32 + 1).log10() - MARGIN_DB;
        if excess >= 0.0 {
            let exact = match above {
                Some((last, before)) => level + (last - level) * excess / (excess - before),
                None => level,
            };
            return Some(exact as f32);
        }
        above = Some((level, excess));
    }
    None
}

/// Keeps every sample within ±`ceiling` by a gain that sinks and rises over 5 ms around each peak.
fn limit(samples: &mut [f32], rate: u32, ceiling: f32) {
    if samples.iter().all(|sample| sample.abs() <= ceiling) {
        return;
    }
    let reach = (rate as usize / 200).max(1);
    let wanted: Vec<f32> = samples.iter().map(|sample| (ceiling / sample.abs().max(ceiling)).min(1.0)).collect();
    let around = |i: usize, n: usize| i.saturating_sub(reach)..(i + reach + 1).min(n);
    // The lowest gain near each sample, then its mean over the same stretch: smooth, and at a peak never above what the
    // peak needs, because every value in the mean was lowered by that peak.
    let lowest: Vec<f32> =
        (0..wanted.len()).map(|i| wanted[around(i, wanted.len())].iter().copied().fold(1.0, f32::min)).collect();
    for (i, sample) in samples.iter_mut().enumerate() {
        let stretch = &lowest[around(i, lowest.len())];
        *sample *= stretch.iter().sum::<f32>() / stretch.len() as f32;
        *sample = sample.clamp(-ceiling, ceiling); // rounding of the mean
    }
}

/// A straight fade of 5 ms at the start and at the end, so that the join with silence does not click.
fn fade_ends(samples: &mut [f32], rate: u32) {
    let length = ((rate as f32 * FADE_SECONDS) as usize).min(samples.len() / 2);
    let last = samples.len().saturating_sub(1);
    for i in 0..length {
        let gain = i as f32 / length as f32;
        samples[i] *= gain;
        samples[last - i] *= gain;
    }
}

fn from_db(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(amplitude: f32, samples: usize) -> Vec<f32> {
        (0..samples).map(|n| amplitude * (TAU * 440.0 * n as f32 / 8000.0).sin()).collect()
    }

    #[test]
    fn pauses_do_not_count_into_the_active_level() {
        let steady = active_level_dbov(&tone(0.2, 16_000), 8000).unwrap();
        assert!((steady - (20.0 * 0.2f32.log10() - 3.01)).abs() < 0.1, "{steady} dBov");
        let mut with_pause = tone(0.2, 16_000);
        with_pause.extend(vec![0.0; 32_000]);
        let paused = active_level_dbov(&with_pause, 8000).unwrap();
        // Only the hangover of 200 ms is counted of the four seconds: 0.6 dB, where the mean falls by 4.8 dB.
        assert!(steady - paused < 0.7, "{steady} then {paused} dBov");
        assert_eq!(active_level_dbov(&[0.0; 8000], 8000), None);
    }

    #[test]
    fn quiet_and_loud_recordings_end_at_the_same_level() {
        for amplitude in [0.01, 0.1, 0.9] {
            let mut samples = tone(amplitude, 8000);
            assert!(level(&mut samples, 8000, Loudness::default()));
            let reached = active_level_dbov(&samples, 8000).unwrap();
            assert!((reached + 22.0).abs() < 0.1, "{reached} dBov from amplitude {amplitude}");
        }
    }

    #[test]
    fn peaks_stay_under_the_ceiling_without_steps() {
        let mut samples = tone(0.1, 8000);
        (3990..4000).for_each(|i| samples[i] *= 9.0);
        let loudness = Loudness { active_level_dbov: -20.0, peak_dbfs: -9.0 };
        assert!(level(&mut samples, 8000, loudness));
        let ceiling = from_db(-9.0);
        assert!(samples.iter().all(|sample| sample.abs() <= ceiling + 1e-6));
        assert!((active_level_dbov(&samples, 8000).unwrap() + 20.0).abs() < 0.3);
    }

    #[test]
    fn ends_begin_and_end_at_rest() {
        let mut samples = vec![0.1; 4000];
        assert!(level(&mut samples, 8000, Loudness::default()));
        assert_eq!((samples[0], samples[3999]), (0.0, 0.0));
        assert!(samples.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.005), "a step is left");
    }

    #[test]
    fn silence_is_not_brought_up() {
        assert!(!level(&mut [0.0; 4000], 8000, Loudness::default()));
        assert!(!level(&mut tone(0.001, 4000), 8000, Loudness::default()));
        assert!(!level(&mut [], 8000, Loudness::default()));
    }
}
