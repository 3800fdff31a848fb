//! What is sent without being asked, and when.

use std::collections::BTreeSet;

use super::{ms, settled};

/// Down after 1,000 ms, so each is asked every 125 ms and a round trip.
#[test]
fn servers_of_a_group_are_pinged_together_and_each_often_enough() {
    let mut world = settled(3, 1, 1);
    world.pings.clear();
    world.run_for(ms(10_000));
    let times: BTreeSet<u64> = world.pings.iter().map(|(at, _)| *at).collect();
    assert!((78..82).contains(&times.len()), "{}", times.len());
    assert_eq!(world.pings.len(), 4 * times.len());
}
