//! Our own torture messages against `fixtures/sip/EXPECT.tsv`.

use std::collections::BTreeSet;
use std::fs;

use ringcode::sip::framing::is_keep_alive;
use ringcode::sip::message::{HeaderName, Message};

use crate::corpus::{find, own, samples};
use crate::facts::{Outcome, facts, outcome, request};

/// The rows of the table, without the one that names the columns.
fn rows() -> Vec<Vec<String>> {
    let table = fs::read_to_string(own("EXPECT.tsv")).expect("the table is there");
    table.lines().skip(1).map(|row| row.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn each_message_ends_as_its_row_says() {
    let (valid, invalid) = (samples(&own("valid"), Some("sip")), samples(&own("invalid"), Some("sip")));
    let mut seen = BTreeSet::new();
    for row in rows() {
        let [path, expected, start, vias, from, to, cseq, call_id, contacts, body_bytes, why] = row.as_slice() else {
            panic!("a row has eleven columns: {row:?}")
        };
        seen.insert(path.clone());
        let (kind, name) = path.split_once('/').expect("a kind and a name");
        let file = format!("{name}.sip");
        let bytes = find(if kind == "valid" { &valid } else { &invalid }, &file);
        let expected = match expected.as_str() {
            "pass" => Outcome::Passes,
            "drop" => Outcome::Dropped,
            status => Outcome::Answered(status.parse().expect("a status")),
        };
        assert_eq!(outcome(bytes), expected, "{path}: {why}");
        assert_eq!(expected == Outcome::Passes, kind == "valid", "{path} is in the wrong directory");
        if expected == Outcome::Passes {
            let facts = facts(path, bytes);
            let read = [facts.start, facts.vias.join(" "), facts.from, facts.to, facts.cseq, facts.call_id];
            assert_eq!(read.each_ref(), [start, vias, from, to, cseq, call_id], "{path}: {why}");
            assert_eq!(facts.contacts.join(" "), *contacts, "{path}: {why}");
            assert_eq!(facts.body.len().to_string(), *body_bytes, "{path}: {why}");
        }
    }
    assert_eq!(seen.len(), valid.len() + invalid.len(), "each file has one row");
}

#[test]
fn what_passes_is_written_as_it_was_read() {
    for (name, bytes) in samples(&own("valid"), Some("sip")) {
        let message = Message::parse(bytes.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = message.to_bytes();
        assert_eq!(facts(&name, &written), facts(&name, &bytes), "{name}");
        let again = Message::parse(written).unwrap_or_else(|error| panic!("{name}: {error}"));
        let fields = |message: &Message| -> Vec<(Vec<u8>, Vec<u8>)> {
            let all = message.headers().iter().map(|(name, value)| (name.to_vec(), value.to_vec()));
            all.filter(|(name, _)| name != b"Content-Length").collect()
        };
        assert_eq!(fields(&again), fields(&message), "{name}");
    }
}

#[test]
fn bytes_that_are_no_text_stay_as_they_are() {
    let valid = samples(&own("valid"), Some("sip"));
    let request = request("not_utf8", find(&valid, "not_utf8.sip"));
    let headers = request.headers();
    assert_eq!(headers.first(&HeaderName::Subject), Some(&b"\xa4\xff\xfe"[..]));
    assert_eq!(headers.text(&HeaderName::Subject), None);
    let written = request.to_bytes();
    assert!(written.windows(8).any(|window| window == b"\"\xa4\xff\" <si"), "the display name is written as it came");
}

#[test]
fn folded_values_are_one_line() {
    let valid = samples(&own("valid"), Some("sip"));
    let folded = request("folded", find(&valid, "folded.sip"));
    assert_eq!(folded.headers().first(&HeaderName::Subject), Some(&b"a b c"[..]));
    assert_eq!(folded.headers().max_forwards(), Some(70));
    assert!(!folded.to_bytes().windows(3).any(|window| window == b"\r\n "));
}

#[test]
fn keep_alives_are_told_from_messages() {
    let invalid = samples(&own("invalid"), Some("sip"));
    assert!(is_keep_alive(find(&invalid, "nothing.sip")));
    assert!(!is_keep_alive(find(&invalid, "stun.sip")));
}
