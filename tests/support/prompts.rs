//! The shipped prompts as sox reads them, and which of them stand in a stretch of audio decoded by sox.

use std::path::Path;
use std::process::Command;

/// Samples per second of everything here.
pub const RATE: usize = 8000;

/// A stretch of sound between two silences.
#[derive(Clone, Debug, PartialEq)]
pub struct Burst {
    /// The file stem of the prompt that it resembles most, e.g. `digits/3`.
    pub prompt: String,
    /// How alike they are: 1 is the same but for level.
    pub likeness: f64,
    /// Index of the prompt's first sample.
    pub start: usize,
    /// Index after the prompt's last sample.
    pub end: usize,
}

/// Decodes raw G.711 with sox: `kind` is `ul` or `al`.
pub fn decode(folder: &Path, kind: &str, bytes: &[u8]) -> Vec<i16> {
    let raw = folder.join("heard.raw");
    std::fs::write(&raw, bytes).expect("the payload can be written");
    let raw = raw.to_string_lossy();
    sox(&["-t", kind, "-r", "8000", "-c", "1", &raw])
}

/// All prompts of a pack at 8 kHz, by file stem.
pub fn load(folder: &Path) -> Vec<(String, Vec<i16>)> {
    let digits = (0..10).map(|digit| format!("digits/{digit}"));
    let phrases = ["otp-intro", "otp-again", "otp-press-1", "goodbye"].map(String::from);
    digits
        .chain(phrases)
        .map(|stem| {
            let file = folder.join(format!("{stem}.wav"));
            let samples = sox(&[&file.to_string_lossy()]);
            assert!(!samples.is_empty(), "{} has no samples", file.display());
            (stem, samples)
        })
        .collect()
}

fn sox(input: &[&str]) -> Vec<i16> {
    let out = Command::new("sox")
        .args(input)
        .args(["-t", "raw", "-e", "signed", "-b", "16", "-L", "-r", "8000", "-c", "1", "-", "dither", "-S"])
        .output()
        .expect("sox runs");
    assert!(out.status.success(), "sox: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Finds the prompts in `audio`: wherever sound begins after 60 ms of silence, the prompt most alike is taken.
pub fn find(audio: &[i16], prompts: &[(String, Vec<i16>)]) -> Vec<Burst> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(onset) = next_sound(audio, at) {
        let best = prompts
            .iter()
            .filter_map(|(stem, prompt)| {
                let lead = next_sound(prompt, 0)?;
                let around = onset.saturating_sub(lead + 240)..onset.saturating_sub(lead) + 240;
                let (start, likeness) =
                    around.map(|start| (start, likeness(audio, start, prompt))).max_by(|a, b| a.1.total_cmp(&b.1))?;
                Some(Burst { prompt: stem.clone(), likeness, start, end: start + prompt.len() })
            })
            .max_by(|a, b| a.likeness.total_cmp(&b.likeness));
        let Some(burst) = best else { break };
        at = if burst.likeness > 0.6 { burst.end } else { onset + RATE / 10 };
        if burst.likeness > 0.6 {
            found.push(burst);
        }
    }
    found
}

fn next_sound(audio: &[i16], from: usize) -> Option<usize> {
    let floor = 250;
    (from..audio.len()).find(|&i| i32::from(audio[i]).abs() > floor)
}

/// Normalised correlation of `prompt` with the audio that begins at `start`.
fn likeness(audio: &[i16], start: usize, prompt: &[i16]) -> f64 {
    let end = (start + prompt.len()).min(audio.len());
    if start >= end || end - start < prompt.len() * 9 / 10 {
        return 0.0;
    }
    let (mut cross, mut ours, mut theirs) = (0.0, 0.0, 0.0);
    for (a, b) in audio[start..end].iter().zip(prompt) {
        let (a, b) = (f64::from(*a), f64::from(*b));
        cross += a * b;
        ours += a * a;
        theirs += b * b;
    }
    if ours == 0.0 || theirs == 0.0 { 0.0 } else { cross / (ours * theirs).sqrt() }
}
