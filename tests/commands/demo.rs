//! `ringcode demo`: what it proves, and that it fails when there is nothing to prove.

use std::fs;
use std::path::Path;

use crate::program::{Ended, Running, ringcode, run};
use crate::support::root;

/// Runs the demo with the shipped prompts.
fn demo(arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &[&["demo", "--prompts", &root().join("prompts").display().to_string()], arguments].concat())
}

/// A copy of the shipped prompts that may be damaged.
fn copied_prompts() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (root().join("prompts/en"), folder.path().join("prompts/en"));
    fs::create_dir_all(to.join("digits")).unwrap();
    for folder in ["", "digits"] {
        let files: Vec<_> = fs::read_dir(from.join(folder)).unwrap().map(|entry| entry.unwrap()).collect();
        let recordings: Vec<_> = files.iter().filter(|file| file.path().extension().is_some()).collect();
        assert!(recordings.len() >= 5, "the prompts are shipped");
        for file in recordings {
            fs::copy(file.path(), to.join(folder).join(file.file_name())).unwrap();
        }
    }
    folder
}

#[test]
fn without_a_key_the_code_is_heard_once() {
    let saved = tempfile::tempdir().unwrap();
    let shown =
        demo(&["--otp", "0071", "--press", "", "--save", &saved.path().join("new/folder").display().to_string()]);
    assert_eq!((shown.code, shown.last_line()), (Some(0), "heard 0071 1 time, verified"), "{shown:#?}");
    for line in ["registered with digest", "ringing (180)", "digit 3 of 4", "reason delivered", "status 200"] {
        assert!(shown.out.contains(line), "no {line:?} in {shown:#?}");
    }
    assert!(!shown.out.contains("presses"), "{shown:#?}");
    let wav = hound::WavReader::open(saved.path().join("new/folder/heard.wav")).expect("heard.wav is a WAV file");
    assert_eq!((wav.spec().sample_rate, wav.spec().channels), (8000, 1));
    assert!(wav.duration() > 10 * 8000, "{} samples", wav.duration());
}

#[test]
fn in_pcma_the_code_is_heard_twice() {
    let shown = demo(&["--otp", "4286", "--codec", "pcma"]);
    assert_eq!((shown.code, shown.last_line()), (Some(0), "heard 4286 2 times, verified"), "{shown:#?}");
    assert!(shown.out.contains("the phone presses 1"), "{shown:#?}");
}

#[test]
fn only_the_repeat_key_repeats() {
    let shown = demo(&["--otp", "5339", "--press", "2"]);
    assert_eq!((shown.code, shown.last_line()), (Some(0), "heard 5339 1 time, verified"), "{shown:#?}");
    assert!(shown.out.contains("the phone presses 2"), "{shown:#?}");
}

/// The daemon reads the recordings before the call, the judge after it: what is swapped in between was spoken wrongly.
#[test]
fn a_wrong_code_heard_fails() {
    let folder = copied_prompts();
    let mut running = Running::start(ringcode(folder.path(), &["demo", "--otp", "6038", "--press", ""]));
    running.wait_for_line("daemon     API on");
    let digits = folder.path().join("prompts/en/digits");
    for (from, to) in [("3.wav", "spare.wav"), ("4.wav", "3.wav"), ("spare.wav", "4.wav")] {
        fs::rename(digits.join(from), digits.join(to)).unwrap();
    }
    let shown = running.end();
    shown.fails_with(&["the phone heard 6048 instead of 6038"]);
    assert!(!shown.out.contains("verified"), "{shown:#?}");
}

#[test]
fn a_code_that_is_none_fails() {
    for (code, reason) in [
        ("12", "otp: A code has 4 to 10 digits."),
        ("12345678901", "otp: A code has 4 to 10 digits."),
        ("61O389", "otp: A code holds digits only."),
    ] {
        demo(&["--otp", code]).fails_with(&[reason]);
    }
}

#[test]
fn a_dead_trunk_fails() {
    demo(&["--trunk", "127.0.0.1:9"]).fails_with(&["the trunk did not register", "cannot be reached"]);
}

#[test]
fn what_the_demo_cannot_do_fails() {
    demo(&["--codec", "opus"]).fails_with(&["--codec opus", "pcmu and pcma"]);
    demo(&["--language", "xx"]).fails_with(&["prompts/xx", "no prompt pack for the language \"xx\""]);
    demo(&["--press", "1x"]).fails_with(&["--press", "'x' is no key"]);
    let empty = tempfile::tempdir().unwrap();
    run(empty.path(), &["demo"]).fails_with(&["prompts/en", "no prompt pack"]);
}

/// Does something bad to a file.
type Damage = fn(&Path);

#[test]
fn a_damaged_recording_fails_by_name() {
    let cases: [(&str, Damage); 5] = [
        ("cannot be read", |file| {
            let whole = fs::read(file).unwrap();
            fs::write(file, &whole[..whole.len() / 2]).unwrap();
        }),
        ("cannot be read", |file| fs::write(file, "no sound at all").unwrap()),
        ("is missing", |file| fs::remove_file(file).unwrap()),
        ("is empty", |file| fs::write(file, "").unwrap()),
        ("has 2 channels", |file| {
            let spec = hound::WavSpec {
                channels: 2,
                sample_rate: 8000,
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            let mut writer = hound::WavWriter::create(file, spec).unwrap();
            (0..16_000).for_each(|i| writer.write_sample(if i % 20 < 10 { 3000i16 } else { -3000 }).unwrap());
            writer.finalize().unwrap();
        }),
    ];
    for (fault, damage) in cases {
        let folder = copied_prompts();
        damage(&folder.path().join("prompts/en/digits/3.wav"));
        run(folder.path(), &["demo"]).fails_with(&["prompts/en/digits/3.wav", fault]);
    }
}
