//! FAILOVER: a master hands over to its replica.

use super::harness::World;
use super::replication::{assert_same, pair};

/// A master, its replica, and a client of each, with something written.
fn group(seed: u8) -> (World, [crate::machine::ConnId; 2]) {
    let mut world = pair(seed, "");
    let clients = [world.client(0), world.client(1)];
    world.ask(clients[0], "set k 1");
    world.wait(50);
    (world, clients)
}

#[test]
fn what_cannot_be_handed_over_is_refused() {
    let mut world = World::single("");
    let alone = world.client(0);
    let refused = |world: &mut World, command: &str, text: &str| {
        assert_eq!(
            world.ask(alone, command),
            format!("-ERR {text}|"),
            "{command}"
        );
    };
    for words in [
        "to",
        "to 127.0.0.1",
        "foo",
        "abort timeout 5",
        "abort abort",
        "timeout 5 timeout 6",
        "to a 1 to b 2",
    ] {
        refused(&mut world, &format!("failover {words}"), "syntax error");
    }
    let number = "value is not an integer or out of range";
    refused(&mut world, "failover to a x", number);
    refused(&mut world, "failover timeout x", number);
    for timeout in ["0", "-5"] {
        let command = format!("failover timeout {timeout}");
        refused(
            &mut world,
            &command,
            "FAILOVER timeout must be greater than 0",
        );
    }
    refused(&mut world, "failover abort", "No failover in progress.");
    refused(
        &mut world,
        "failover",
        "FAILOVER requires connected replicas.",
    );

    let (mut world, [a, b]) = group(1);
    let needs = "-ERR FAILOVER with force option requires both a timeout and target HOST and IP.|";
    assert_eq!(world.ask(a, "failover force timeout 5"), needs);
    assert_eq!(world.ask(a, "failover to 127.0.0.1 6380 force"), needs);
    assert_eq!(
        world.ask(a, "failover to 127.0.0.1 1"),
        "-ERR FAILOVER target HOST and PORT is not a replica.|"
    );
    assert_eq!(
        world.ask_at(1, b, "failover"),
        "-ERR FAILOVER is not valid when server is a replica.|"
    );
    assert_eq!(world.info(0, "master_failover_state"), "no-failover");
}

#[test]
fn a_replica_that_has_everything_becomes_the_master_without_a_snapshot() {
    for seed in 0..8 {
        let (mut world, [a, b]) = group(seed);
        assert_eq!(world.ask(a, "failover"), "+OK|");
        // It is sent to no master that may not be one any more, nor lost.
        assert_eq!(world.ask(a, "set k 2"), "");
        world.wait(3_000);
        assert!(world.heard(a).starts_with("-READONLY"));
        assert_eq!(world.ask(a, "get k"), "$1|1|");
        assert_eq!(world.info(0, "role"), "slave");
        assert_eq!(world.info(1, "role"), "master");
        assert_eq!(world.info(0, "master_link_status"), "up");
        assert_eq!(world.info(0, "master_failover_state"), "no-failover");
        assert_eq!(world.info(1, "sync_full"), "0");
        assert_eq!(world.info(1, "sync_partial_ok"), "1");
        assert_eq!(world.ask_at(1, b, "set k 3"), "+OK|");
        assert_same(&mut world);
    }
}

#[test]
fn a_failover_waits_for_its_replica_and_can_be_called_off() {
    let (mut world, [a, _]) = group(2);
    world.deaf(1, true);
    world.ask(a, "set k 2");
    assert_eq!(world.ask(a, "failover to 127.0.0.1 6380"), "+OK|");
    assert_eq!(world.info(0, "master_failover_state"), "waiting-for-sync");
    assert_eq!(
        world.ask(a, "failover"),
        "-ERR FAILOVER already in progress.|"
    );
    assert_eq!(
        world.ask(a, "replicaof no one"),
        "-ERR REPLICAOF not allowed while failing over.|"
    );
    let other = world.client(0);
    assert_eq!(
        world.ask(other, "psync ? -1"),
        "-NOMASTERLINK Can't SYNC while failing over|"
    );
    let end = world.info(0, "master_repl_offset");
    world.wait(15_000);
    // Not even a PING may come behind what the replica has to reach.
    assert_eq!(world.info(0, "master_repl_offset"), end);
    let writer = world.client(0);
    assert_eq!(world.ask(writer, "set k 3"), "");
    assert_eq!(world.ask(a, "failover abort"), "+OK|");
    assert_eq!(world.heard(writer), "+OK|");
    assert_eq!(world.info(0, "role"), "master");
    assert_eq!(world.info(0, "master_failover_state"), "no-failover");
    world.deaf(1, false);
    world.wait(3_000);
    assert_same(&mut world);
}

#[test]
fn a_replica_that_never_catches_up_ends_the_failover_at_its_timeout() {
    let (mut world, [a, _]) = group(3);
    world.deaf(1, true);
    world.ask(a, "set k 2");
    assert_eq!(world.ask(a, "failover timeout 500"), "+OK|");
    assert_eq!(world.ask(a, "set k 3"), "");
    world.wait(499);
    assert_eq!(world.info(0, "master_failover_state"), "waiting-for-sync");
    world.wait(2);
    assert_eq!(world.heard(a), "+OK|");
    assert_eq!(world.info(0, "role"), "master");
    assert_eq!(world.info(0, "master_failover_state"), "no-failover");
}

#[test]
fn force_hands_over_at_the_timeout_whatever_the_replica_lacks() {
    let (mut world, [a, b]) = group(4);
    world.deaf(1, true);
    world.ask(a, "set k 2");
    let command = "failover to 127.0.0.1 6380 force timeout 500";
    assert_eq!(world.ask(a, command), "+OK|");
    // It came before the handover, and is neither done nor refused until that is over.
    assert_eq!(world.ask(a, "set k 3"), "");
    world.wait(510);
    assert_eq!(world.info(0, "role"), "slave");
    assert_eq!(
        world.info(0, "master_failover_state"),
        "failover-in-progress"
    );
    world.deaf(1, false);
    world.wait(10_000);
    assert!(world.heard(a).starts_with("-READONLY"));
    assert_eq!(world.info(1, "role"), "master");
    assert_eq!(world.info(0, "master_failover_state"), "no-failover");
    world.ask_at(1, b, "set k 4");
    assert_same(&mut world);
}

#[test]
fn whom_the_chosen_replica_keeps_waiting_is_not_cut_off_from_sentinels() {
    let (mut world, [a, _]) = group(8);
    world.deaf(1, true);
    let order = "failover to 127.0.0.1 6380 force timeout 500";
    assert_eq!(world.ask(a, order), "+OK|");
    // It would go into the stream, whose end the replica is to reach.
    let (writer, sentinel) = (world.client(0), world.client(0));
    assert_eq!(world.ask(writer, "set k 3"), "");
    assert_eq!(world.ask(sentinel, "publish __sentinel__:hello a"), "");
    assert_eq!(world.ask(sentinel, "ping"), "");
    world.wait(1_000);
    assert_eq!(
        world.info(0, "master_failover_state"),
        "failover-in-progress"
    );
    assert_eq!(world.heard(sentinel), ":0|+PONG|");
    assert_eq!(world.ask(sentinel, "publish __sentinel__:hello b"), ":0|");
    assert_eq!(world.heard(writer), "");
    assert_eq!(world.ask(sentinel, "replicaof no one"), "+OK|");
    world.wait(200);
    assert_eq!(world.heard(writer), "+OK|");
    assert_eq!(world.info(0, "role"), "master");
    assert_eq!(world.info(0, "master_failover_state"), "no-failover");
}

#[test]
fn a_handover_that_is_called_off_makes_a_master_again() {
    let (mut world, [a, _]) = group(5);
    world.deaf(1, true);
    world.ask(a, "set k 2");
    let id = world.info(0, "master_replid");
    assert_eq!(
        world.ask(a, "failover to 127.0.0.1 6380 force timeout 100"),
        "+OK|"
    );
    assert_eq!(world.ask(a, "set k 3"), "");
    world.wait(200);
    assert_eq!(world.info(0, "role"), "slave");
    let other = world.client(0);
    assert_eq!(world.ask(other, "failover abort"), "+OK|");
    assert_eq!(world.heard(a), "+OK|");
    assert_eq!(world.info(0, "role"), "master");
    // The replica may have heard of the handover: the histories part here.
    assert_ne!(world.info(0, "master_replid"), id);
    assert_eq!(world.info(0, "master_failover_state"), "no-failover");
}

#[test]
fn a_master_that_does_not_follow_its_replica_any_more_is_told_so() {
    let (mut world, [a, b]) = group(6);
    world.deaf(1, true);
    assert_eq!(
        world.ask(a, "failover to 127.0.0.1 6380 force timeout 100"),
        "+OK|"
    );
    world.wait(200);
    // The replica was promoted by somebody else meanwhile: it is the master that was wanted.
    world.deaf(1, false);
    world.ask_at(1, b, "replicaof no one");
    world.wait(10_000);
    assert_eq!(world.info(0, "role"), "slave");
    assert_eq!(world.info(0, "master_link_status"), "up");
    assert_eq!(world.info(0, "master_failover_state"), "no-failover");
    world.ask_at(1, b, "set k 4");
    assert_same(&mut world);
}

#[test]
fn another_master_may_be_named_while_the_chosen_one_does_not_answer() {
    let (mut world, [a, _]) = group(7);
    world.start("", Default::default());
    world.deaf(1, true);
    assert_eq!(
        world.ask(a, "failover to 127.0.0.1 6380 force timeout 100"),
        "+OK|"
    );
    assert_eq!(world.ask(a, "set k 3"), "");
    world.wait(200);
    let sentinel = world.client(0);
    assert_eq!(world.ask(sentinel, "replicaof 127.0.0.1 6381"), "+OK|");
    world.wait(10_000);
    assert!(world.heard(a).starts_with("-READONLY"));
    assert_eq!(world.info(0, "master_failover_state"), "no-failover");
    assert_eq!(world.info(0, "master_link_status"), "up");
    assert_eq!(world.info(2, "role"), "master");
}
