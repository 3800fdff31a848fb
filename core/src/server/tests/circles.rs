//! Servers that are told to follow themselves, or each other in a circle.

use super::harness::World;
use super::replication::{assert_same, pair};

/// A chain of servers, each of which follows the one before it.
fn chain(seed: u8, len: u16) -> World {
    let mut world = World::new(seed);
    world.start("", Default::default());
    for port in 6379..6379 + len - 1 {
        let config = format!("replicaof 127.0.0.1 {port}");
        world.start(&config, Default::default());
        world.wait(3_000);
    }
    for node in 1..usize::from(len) {
        assert_eq!(world.info(node, "master_link_status"), "up");
    }
    world
}

fn follow(world: &mut World, node: usize, port: u16) {
    let client = world.client(node);
    let reply = world.ask_at(node, client, &format!("replicaof 127.0.0.1 {port}"));
    assert_eq!(reply, "+OK|");
}

fn lead(world: &mut World, node: usize) {
    let client = world.client(node);
    assert_eq!(world.ask_at(node, client, "replicaof no one"), "+OK|");
}

#[track_caller]
fn assert_circular(world: &mut World, node: usize) {
    assert_eq!(world.info(node, "role"), "slave");
    assert_eq!(world.info(node, "master_link_status"), "down");
    assert!(is_circular(world, node));
}

fn is_circular(world: &mut World, node: usize) -> bool {
    let client = world.client(node);
    let report = world.ask_at(node, client, "info replication");
    report.contains("|master_link_cycle:1|")
}

#[test]
fn a_server_that_follows_itself_says_so_until_it_is_told_otherwise() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "set k 1");
    follow(&mut world, 0, 6379);
    world.wait(100);
    assert_circular(&mut world, 0);
    world.wait(180_000);
    assert_circular(&mut world, 0);
    assert_eq!(world.info(0, "sync_full"), "0");
    lead(&mut world, 0);
    assert!(!is_circular(&mut world, 0));
    assert_eq!(world.ask(a, "set k 2"), "+OK|");
}

#[test]
fn a_circle_is_noticed_when_it_is_closed_and_gone_when_one_of_it_leads() {
    for (seed, len) in [(0, 2), (1, 3), (2, 4)] {
        let mut world = chain(seed, len);
        let a = world.client(0);
        world.ask(a, "set k 1");
        world.wait(1_000);
        let offset = world.info(0, "master_repl_offset");
        follow(&mut world, 0, 6379 + len - 1);
        world.wait(1_000);
        assert_circular(&mut world, 0);
        for node in 0..usize::from(len) {
            assert_eq!(world.info(node, "master_repl_offset"), offset);
        }
        // The others hear nothing any more.
        world.wait(180_000);
        for node in 0..usize::from(len) {
            assert_eq!(world.info(node, "master_link_status"), "down");
        }
        lead(&mut world, 1);
        world.wait(5_000);
        assert_eq!(world.info(0, "master_link_status"), "up");
        assert!(!is_circular(&mut world, 0));
        let b = world.client(1);
        world.ask_at(1, b, "set k 2");
        assert_same(&mut world);
    }
}

#[test]
fn both_of_two_that_follow_each_other_say_so() {
    let mut world = pair(1, "repl-timeout 30");
    follow(&mut world, 0, 6380);
    world.wait(2_000);
    assert_circular(&mut world, 0);
    world.wait(30_000);
    assert_circular(&mut world, 0);
    assert_circular(&mut world, 1);
}

#[test]
fn servers_that_are_told_to_follow_each_other_at_once_say_so() {
    let mut world = World::new(7);
    world.start("replicaof 127.0.0.1 6380", Default::default());
    world.start("replicaof 127.0.0.1 6379", Default::default());
    world.wait(5_000);
    assert_circular(&mut world, 0);
    assert_circular(&mut world, 1);
}

#[test]
fn a_circle_is_noticed_through_a_replica_that_has_come_in_between() {
    // Two replicas of one master, and one below the second.
    let mut world = chain(3, 2);
    world.start("replicaof 127.0.0.1 6379", Default::default());
    world.start("replicaof 127.0.0.1 6381", Default::default());
    world.wait(5_000);
    // The second goes on with the same stream below the first: nothing but that has changed for
    // the one below it.
    follow(&mut world, 2, 6380);
    world.wait(3_000);
    assert_eq!(world.info(2, "master_link_status"), "up");
    assert_eq!(world.info(3, "master_link_status"), "up");
    assert_eq!(world.info(3, "sync_full"), "0");
    follow(&mut world, 1, 6382);
    world.wait(1_000);
    assert_circular(&mut world, 1);
}

#[test]
fn whom_a_chain_has_lost_may_be_put_at_its_end() {
    let mut world = chain(4, 3);
    lead(&mut world, 1);
    follow(&mut world, 0, 6381);
    world.wait(3_000);
    assert_eq!(world.info(0, "master_link_status"), "up");
    let b = world.client(1);
    world.ask_at(1, b, "set k 2");
    assert_same(&mut world);
}

#[test]
fn a_handover_turns_the_order_round_and_is_no_circle() {
    let mut world = pair(2, "");
    let a = world.client(0);
    world.ask(a, "set k 1");
    world.wait(1_000);
    assert_eq!(world.ask(a, "failover"), "+OK|");
    world.wait(3_000);
    assert_eq!(world.info(1, "role"), "master");
    assert_eq!(world.info(0, "master_link_status"), "up");
    // The order is known from the start.
    follow(&mut world, 1, 6379);
    world.wait(1_000);
    assert_circular(&mut world, 1);
}
