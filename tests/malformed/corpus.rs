//! Finds the torture messages: those in `fixtures/`, which are always there, and the RFCs', where this machine has them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bytes::Bytes;

/// A file's name without directory, and its bytes.
pub type Sample = (String, Bytes);

/// The directory `name` of the RFC corpora: under `RINGCODE_CORPUS`, or in `../shared/corpus` beside the repository.
///
/// `None` where neither is there; it says so on standard output.
pub fn rfc(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let root = std::env::var_os("RINGCODE_CORPUS").map_or(beside, PathBuf::from);
    let directory = root.join(name);
    if directory.is_dir() {
        return Some(directory);
    }
    println!("skipped: the {name} corpus is not at {} (set RINGCODE_CORPUS to its parent)", directory.display());
    None
}

/// The directory `name` of our own fixtures.
pub fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sip").join(name)
}

/// Every file of `directory` whose extension is `extension`, in the order of their names; there is at least one.
pub fn samples(directory: &Path, extension: Option<&str>) -> Vec<Sample> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut samples: Vec<Sample> = entries
        .map(|entry| entry.expect("the directory can be listed").path())
        .filter(|path| path.is_file() && path.extension().and_then(|e| e.to_str()) == extension)
        .map(|path| {
            let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            (name, Bytes::from(fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))))
        })
        .collect();
    samples.sort();
    assert!(!samples.is_empty(), "{} holds no messages", directory.display());
    samples
}

/// The sample `name`.
pub fn find<'a>(samples: &'a [Sample], name: &str) -> &'a Bytes {
    &samples.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no sample {name}")).1
}

/// Every message at hand: ours, and the RFCs' where they are.
pub fn everything() -> &'static [Sample] {
    static EVERYTHING: LazyLock<Vec<Sample>> = LazyLock::new(read_everything);
    &EVERYTHING
}

fn read_everything() -> Vec<Sample> {
    let mut all = samples(&own("valid"), Some("sip"));
    all.extend(samples(&own("invalid"), Some("sip")));
    all.extend(rfc("rfc4475").iter().flat_map(|directory| samples(directory, Some("dat"))));
    all.extend(rfc("rfc5118").iter().flat_map(|directory| samples(directory, None)));
    all
}
