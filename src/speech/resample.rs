//! Any sample rate to that of the telephone.

use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

/// Resamples mono `samples` from `rate` to `target`, both in Hz, between 8 and 48 kHz.
///
/// The result is `samples.len() * target / rate` long, rounded up, and stands at the same times: the filter's delay is
/// taken out.
///
/// # Errors
/// The resampler's own words; rates within bounds give none.
pub(crate) fn resample(samples: Vec<f32>, rate: u32, target: u32) -> Result<Vec<f32>, String> {
    if rate == target || samples.is_empty() {
        return Ok(samples);
    }
    // One block of an eighth of a second: shorter ones let the filter's slope eat the top of the telephone band.
    let block = rate as usize / 8;
    let window = WindowFunction::BlackmanHarris2;
    let mut resampler = Fft::<f32>::new_custom(rate as usize, target as usize, block, 1, 1, window, FixedSync::Input)
        .map_err(|error| error.to_string())?;
    let frames = samples.len();
    let input = InterleavedOwned::new_from(samples, 1, frames).map_err(|error| error.to_string())?;
    let output = resampler.process_all(&input, frames, None).map_err(|error| error.to_string())?;
    let mut samples = output.take_data();
    let exact = (frames as u64 * u64::from(target)).div_ceil(u64::from(rate));
    samples.resize(usize::try_from(exact).unwrap_or(samples.len()), 0.0);
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(hertz: f32, rate: u32, samples: usize) -> Vec<f32> {
        (0..samples).map(|n| 0.5 * (TAU * hertz * n as f32 / rate as f32).sin()).collect()
    }

    /// Level in dB against the tone that went in, away from the ends.
    fn gain_db(hertz: f32, rate: u32) -> f32 {
        let out = resample(tone(hertz, rate, rate as usize), rate, 8000).unwrap();
        let power: f32 = out[1000..7000].iter().map(|x| x * x).sum::<f32>() / 6000.0;
        10.0 * (power / 0.125).max(1e-12).log10()
    }

    #[test]
    fn the_telephone_band_passes_and_what_would_fold_into_it_does_not() {
        for rate in [11_025, 16_000, 22_050, 44_100, 48_000] {
            for hertz in [300.0, 1000.0, 3000.0, 3600.0] {
                assert!(gain_db(hertz, rate).abs() < 0.1, "{hertz} Hz at {rate} Hz: {} dB", gain_db(hertz, rate));
            }
            for hertz in [4100.0, 5000.0] {
                assert!(gain_db(hertz, rate) < -60.0, "{hertz} Hz at {rate} Hz: {} dB", gain_db(hertz, rate));
            }
        }
    }

    #[test]
    fn sound_stays_at_its_time_and_length_is_exact() {
        for rate in [8000, 11_025, 12_000, 16_000, 44_100, 48_000] {
            for length in [1, 399, 6000, 70_001] {
                let at = length / 2;
                let mut click = vec![0.0; length];
                click[at] = 1.0;
                let out = resample(click, rate, 8000).unwrap();
                assert_eq!(out.len(), (length * 8000).div_ceil(rate as usize), "{length} samples at {rate} Hz");
                let loudest = (0..out.len()).max_by(|a, b| out[*a].abs().total_cmp(&out[*b].abs())).unwrap();
                let expected = at as f32 * 8000.0 / rate as f32;
                assert!((loudest as f32 - expected).abs() <= 1.0, "{rate} Hz: {loudest}, not {expected}");
            }
        }
    }

    #[test]
    fn a_rate_without_a_common_divisor_works() {
        assert_eq!(resample(tone(1000.0, 47_999, 47_999), 47_999, 8000).unwrap().len(), 8000);
    }
}
