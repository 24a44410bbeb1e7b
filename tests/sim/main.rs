//! Both ends of many calls on one virtual clock, through a link that loses, duplicates and reorders.
//!
//! Our side is the real dialer, user agent and media sessions; the other side is a second user agent with phones of
//! every temper and media sessions of their own. Nothing waits: an hour of calls takes seconds.
//!
//! | rule | where it is checked |
//! |---|---|
//! | each job has one outcome | `World::check_outcomes` |
//! | every 2xx that reached us was acknowledged (RFC 3261 §13.2.2.4) | `World::check_acknowledgements` |
//! | tables are empty and no timer is left at the end | `World::check_rest` |
//! | set-up holds to 20 % loss, the code is read once or as often as asked | `lossy_links_still_ring_and_read` |
//!
//! `RINGCODE_SIM_SEED=n` runs one seed, `RINGCODE_SIM_CALLS=n` another number of calls.

mod link;
mod phone;
mod world;

use link::Link;
use world::{Tally, World};

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

/// Runs `calls` calls for each seed, and names the seed when one fails.
fn for_each_seed(seeds: std::ops::Range<u64>, calls: u64, link: Link) -> Tally {
    let seeds: Vec<u64> = from_environment("RINGCODE_SIM_SEED").map_or_else(|| seeds.collect(), |seed| vec![seed]);
    let calls = from_environment("RINGCODE_SIM_CALLS").unwrap_or(calls);
    let mut sum = Tally::default();
    for seed in seeds {
        let run = std::panic::catch_unwind(|| World::new(seed, link).run(calls));
        match run {
            Ok(tally) => sum += tally,
            Err(panic) => {
                eprintln!("the simulation failed with RINGCODE_SIM_SEED={seed} RINGCODE_SIM_CALLS={calls}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    sum
}

#[test]
fn a_perfect_link_delivers_every_code_that_was_listened_to() {
    let tally = for_each_seed(1..4, 500, Link::PERFECT);
    assert_eq!(tally.listeners_served, tally.listeners, "who answered and listened heard the whole code: {tally:?}");
    assert_eq!(tally.presses_honoured, tally.presses, "who pressed 1 heard it again: {tally:?}");
    assert!(tally.listeners > 300 && tally.presses > 50, "the phones of this run were all of one kind: {tally:?}");
}

#[test]
fn lossy_links_still_ring_and_read() {
    let tally = for_each_seed(10..14, 400, Link::LOSSY);
    // A phone whose 200 or our ACK is lost for 32 s is an honest failure; with 20 % loss that is one in millions.
    assert_eq!(tally.listeners_served, tally.listeners, "{tally:?}");
    assert!(tally.lost > 1000 && tally.duplicated > 1000, "the link was not lossy: {tally:?}");
}

#[test]
fn a_link_that_reorders_and_duplicates_changes_no_outcome() {
    let tally = for_each_seed(20..23, 400, Link::UNRULY);
    assert_eq!(tally.listeners_served, tally.listeners, "{tally:?}");
    assert_eq!(tally.presses_honoured, tally.presses, "{tally:?}");
}

#[test]
fn a_dead_link_ends_each_call_with_an_outcome() {
    let tally = for_each_seed(30..32, 200, Link { loss: 1.0, ..Link::PERFECT });
    assert_eq!(tally.listeners_served, 0);
}
