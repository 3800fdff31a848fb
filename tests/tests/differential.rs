//! Holdfast and a real server answer random sequences of commands alike.

use std::path::Path;

use holdfast_tests::differential::{FAMILIES, Pair, peers};
use holdfast_tests::{peers_are_here, say};

/// The families that are compared here; `cargo run -p holdfast-tests --bin differential` tries all.
const COMPARED: &[&str] = &[
    "strings",
    "lists",
    "generic",
    "transactions",
    "connection",
    "pubsub",
    "hyperloglog",
    "hashes",
    "sets",
    "zsets",
    "bits",
    "geo",
    "sort",
];
/// Sequences of each family. They are the same in every run.
const SEQUENCES: u64 = 40;
/// Commands of a sequence.
const COMMANDS: usize = 80;

#[test]
fn random_sequences_are_answered_as_by_a_real_server() {
    if !peers_are_here("the differential test") {
        return;
    }
    for peer in peers() {
        compare_with(&peer);
    }
}

fn compare_with(peer: &Path) {
    let mut pair = Pair::start(peer);
    for name in COMPARED {
        let family = FAMILIES.iter().find(|family| family.name == *name);
        let family = family.expect("a family that is compared has a table");
        let known = pair.known(family);
        assert!(!known.is_empty(), "{name}: both servers have its commands");
        for seed in 0..SEQUENCES {
            if let Some(finding) = pair.check(family, &known, seed, COMMANDS) {
                panic!("{} differs:\n{}", peer.display(), finding.show());
            }
        }
        say(&format!("{}: {name} alike", peer.display()));
    }
}
