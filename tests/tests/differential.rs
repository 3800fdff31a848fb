//! Holdfast and a real server answer random sequences of commands alike: differences are told, and
//! are a failure with HOLDFAST_DIFF_STRICT=1.

use std::path::Path;
use std::time::{Duration, Instant};

use holdfast_tests::differential::{FAMILIES, Family, Known, Pair, peers};
use holdfast_tests::{peers_are_here, say};

/// How long sequences are tried with each peer.
const BUDGET: Duration = Duration::from_secs(30);
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
    let families: Vec<(&Family, Known)> = FAMILIES
        .iter()
        .map(|family| (family, pair.known(family)))
        .filter(|(_, known)| !known.is_empty())
        .collect();
    // Differences that are known and not settled yet would hide all others.
    let strict = std::env::var("HOLDFAST_DIFF_STRICT").is_ok_and(|value| value == "1");
    let started = Instant::now();
    let mut sequences = 0;
    for seed in 0.. {
        for (family, known) in &families {
            if started.elapsed() > BUDGET {
                say(&format!("{}: {sequences} sequences", peer.display()));
                return;
            }
            if let Some(finding) = pair.check(family, known, seed, COMMANDS) {
                let text = format!("{} differs:\n{}", peer.display(), finding.show());
                assert!(!strict, "{text}");
                say(&text);
            }
            sequences += 1;
        }
    }
}
