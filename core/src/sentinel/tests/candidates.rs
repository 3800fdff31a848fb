//! Who can become the master of a group, and what becomes of a group in which nobody can.

use super::world::{SENTINEL_PORT, World};
use super::{all_see, ms, settled};

#[test]
fn replicas_without_a_master_during_tilt_are_candidates_after_it() {
    let mut world = settled(2, 1, 1);
    world.freeze(0, ms(5_000));
    world.run_for(ms(6_000));
    assert_eq!(world.count("+tilt"), 1);
    world.kill_server(6379);
    for server in &mut world.servers {
        server.down_for = 25;
    }
    world.run_for(ms(31_000));
    assert_eq!(world.count("-failover-abort-no-good-slave"), 0);
    assert_eq!(world.count("+selected-slave"), 1);
}

#[test]
fn a_replica_found_down_after_tilt_accuses_its_master_no_more() {
    let mut world = settled(2, 1, 1);
    world.freeze(0, ms(5_000));
    world.run_for(ms(6_000));
    assert_eq!(world.count("+tilt"), 1);
    let replica = world.server(6380);
    world.servers[replica].refuses = true;
    world.run_for(ms(12_000));
    world.kill_server(6380);
    world.run_for(ms(30_000));
    assert_eq!(world.count("-tilt"), 1);
    assert_eq!(world.count("+sdown slave"), 1, "{:#?}", world.log());
    assert_eq!(world.count("+sdown master"), 0, "{:#?}", world.log());
}

#[test]
fn replicas_that_refuse_their_master_are_candidates_unless_they_lost_it_long_before() {
    for (down_for, chosen) in [(15, 1), (60, 0)] {
        let mut world = settled(2, 1, 1);
        world.kill_server(6379);
        world.restart_server(6379);
        world.run_for(ms(1_000));
        // They have noticed only after they were asked, and are asked again an INFO period later.
        for server in &mut world.servers[1..] {
            (server.refuses, server.down_for) = (true, down_for);
        }
        world.run_for(ms(14_000));
        assert_eq!(world.count("+sdown master"), 1);
        assert_eq!(world.count("+selected-slave"), chosen);
    }
}

#[test]
fn a_master_that_follows_its_replica_is_replaced_by_it() {
    let mut world = settled(2, 3, 2);
    // As after a restart with the files from before a failover.
    let (old, new) = (world.server(6379), world.server(6380));
    world.servers[old].master = Some(6380);
    world.servers[new].master = None;
    world.servers[new].replid = "z".repeat(40);
    let other = world.server(6381);
    world.servers[other].offset = 1_000_000;
    world.run_until(ms(60_000), |world| all_see(world, 6380));
    assert!(all_see(&world, 6380), "{:#?}", world.log());
    assert_eq!(world.count("+convert-to-slave"), 0);
}

#[test]
fn a_circle_of_replicas_gets_a_master_again() {
    let mut world = settled(2, 3, 2);
    let old = world.server(6379);
    world.servers[old].master = Some(6380);
    for server in &mut world.servers {
        server.down_for = 25;
    }
    world.run_until(ms(30_000), |world| {
        world.servers.iter().any(|one| one.master.is_none())
    });
    world.run_for(ms(1_000));
    assert!(!all_see(&world, 6379), "{:#?}", world.log());
    let masters = world.servers.iter().filter(|one| one.master.is_none());
    assert_eq!(masters.count(), 1);
}

#[test]
fn a_circle_in_which_nobody_else_is_fit_gets_its_master_back() {
    let mut world = settled(2, 3, 2);
    let old = world.server(6379);
    world.servers[old].master = Some(6380);
    for port in [6380, 6381] {
        let replica = world.server(port);
        world.servers[replica].never_synced = true;
        world.servers[replica].replid = "e".repeat(40);
    }
    world.run_until(ms(60_000), |world| world.servers[old].master.is_none());
    world.run_for(ms(15_000));
    assert!(all_see(&world, 6379), "{:#?}", world.log());
    let masters = world.servers.iter().filter(|one| one.master.is_none());
    assert_eq!(masters.count(), 1);
}

/// A master that has handed over to its only replica and waits for its answer.
fn handing_over() -> World {
    let mut world = settled(1, 3, 2);
    let old = world.server(6379);
    world.servers[old].master = Some(6380);
    world.servers[old].never_synced = true;
    world
}

#[test]
fn a_master_that_hands_over_to_a_dead_replica_gets_its_role_back() {
    let mut world = handing_over();
    let old = world.server(6379);
    world.kill_server(6380);
    world.run_until(ms(60_000), |world| world.servers[old].master.is_none());
    world.run_for(ms(5_000));
    assert!(all_see(&world, 6379), "{:#?}", world.log());
    assert_eq!(world.count("+selected-slave"), 0);
    // An older configuration that hardly anybody has heard of does not count any more.
    let masters = world
        .nodes
        .iter()
        .map(|node| node.machine.watch().masters().next());
    let epochs: Vec<_> = masters
        .map(|master| master.unwrap().config_epoch.0)
        .collect();
    assert!(epochs[0] > 0);
    assert_eq!(epochs, [epochs[0]; 3]);
    // It may have been told to take over before it died.
    let new = world.server(6380);
    world.servers[new].master = None;
    world.restart_server(6380);
    world.run_for(ms(15_000));
    assert!(all_see(&world, 6379), "{:#?}", world.log());
    assert_eq!(world.servers[new].master, Some(6379));
}

#[test]
fn a_master_that_has_lost_its_data_waits_for_the_replica_it_follows() {
    let mut world = handing_over();
    let old = world.server(6379);
    world.servers[old].replid = "e".repeat(40);
    world.kill_server(6380);
    world.run_for(ms(90_000));
    assert_ne!(world.count("-failover-abort-no-good-slave"), 0);
    assert_eq!(world.servers[old].master, Some(6380));
    let new = world.server(6380);
    world.servers[new].master = None;
    world.restart_server(6380);
    world.run_until(ms(60_000), |world| all_see(world, 6380));
}

#[test]
fn a_master_is_not_taken_from_the_replica_it_is_connected_to() {
    let mut world = settled(1, 3, 2);
    let (old, new) = (world.server(6379), world.server(6380));
    for n in 0..3 {
        world.cut.insert((SENTINEL_PORT + n, 6380));
    }
    world.kill_server(6380);
    world.restart_server(6380);
    world.servers[old].master = Some(6380);
    world.servers[new].master = None;
    world.run_for(ms(90_000));
    assert_ne!(world.count("-failover-abort-no-good-slave"), 0);
    assert_eq!(world.servers[old].master, Some(6380));
    world.cut.clear();
    world.run_until(ms(60_000), |world| all_see(world, 6380));
}

#[test]
fn a_master_that_follows_a_stranger_is_left_to_whoever_did_that() {
    let mut world = settled(2, 3, 2);
    let old = world.server(6379);
    world.servers[old].master = Some(7000);
    for port in [6380, 6381] {
        let replica = world.server(port);
        world.servers[replica].never_synced = true;
        world.servers[replica].replid = "e".repeat(40);
    }
    world.run_for(ms(60_000));
    assert_ne!(world.count("-failover-abort-no-good-slave"), 0);
    assert_eq!(world.servers[old].master, Some(7000));
}

#[test]
fn a_replica_that_never_synced_is_not_promoted() {
    let mut world = World::new(1, 1, 1);
    world.servers[1].never_synced = true;
    world.servers[1].replid = "e".repeat(40);
    world.run_for(ms(3_000));
    world.kill_server(6379);
    world.run_for(ms(10_000));
    assert_eq!(world.count("+selected-slave"), 0);
    assert_eq!(world.count("-failover-abort-no-good-slave"), 1);
}
