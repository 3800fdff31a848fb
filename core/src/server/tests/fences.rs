//! Which replies wait for the append-only file, and for how long.

use super::harness::{World, encoded};
use crate::machine::Machine as _;

#[test]
fn under_always_replies_wait_for_the_disk_and_share_a_sync() {
    let mut world = World::single("appendonly yes\nappendfsync always");
    let (a, b, c) = (world.client(0), world.client(0), world.client(0));
    world.nodes[0].disk.stuck = true;
    world.feed(0, a, &encoded("set k 1"));
    world.settle();
    world.feed(0, b, &encoded("set k 2"));
    world.feed(0, c, &encoded("get k"));
    world.settle();
    assert_eq!(world.heard(a), "");
    assert_eq!(world.heard(b), "");
    assert_eq!(world.heard(c), "", "what may be undone is not shown either");
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.heard(a), "+OK|");
    assert_eq!(world.heard(b), "+OK|");
    assert_eq!(world.heard(c), "$1|2|");
    world.nodes[0].disk.stuck = true;
    assert_eq!(world.ask(c, "get k"), "$1|2|", "nothing is under way");
}

#[test]
fn under_always_all_that_is_asked_for_during_a_sync_shares_the_next_one() {
    let mut world = World::single("appendonly yes\nappendfsync always");
    let clients: Vec<_> = (0..5).map(|_| world.client(0)).collect();
    let syncs = world.nodes[0].disk.syncs;
    world.nodes[0].disk.stuck = true;
    for &client in &clients {
        world.feed(0, client, &encoded("incr k"));
        world.settle();
    }
    world.nodes[0].disk.stuck = false;
    world.settle();
    for (place, client) in (1..).zip(clients) {
        assert_eq!(world.heard(client), format!(":{place}|"));
    }
    assert_eq!(world.nodes[0].disk.syncs, syncs + 2);
}

#[test]
fn under_always_more_is_awaited_before_a_sync_as_long_as_it_comes_but_not_for_ever() {
    let mut world = World::single("appendonly yes\nappendfsync always");
    let clients: Vec<_> = (0..8).map(|_| world.client(0)).collect();
    let syncs = world.nodes[0].disk.syncs;
    for &client in &clients {
        world.feed(0, client, &encoded("incr k"));
        assert!(world.turn(0), "the next turn comes at once");
        assert_eq!(world.nodes[0].disk.waiting.len(), 0);
    }
    world.settle();
    assert_eq!(world.nodes[0].disk.syncs, syncs + 1);
    for (place, &client) in (1..).zip(&clients) {
        assert_eq!(world.heard(client), format!(":{place}|"));
    }
    for &client in &clients {
        world.feed(0, client, &encoded("incr k"));
        world.turn(0);
        world.stand_still(1);
    }
    assert_ne!(world.nodes[0].disk.syncs, syncs + 1);
    world.settle();
    assert!(!world.nodes[0].server.has_backlog());
    assert_eq!(world.info(0, "aof_buffer_length"), "0");
}

#[test]
fn under_always_messages_about_a_write_wait_too() {
    let mut world = World::single("appendonly yes\nappendfsync always\nnotify-keyspace-events KEA");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(b, "subscribe __keyevent@0__:set");
    world.nodes[0].disk.stuck = true;
    world.ask(a, "set k 1");
    assert_eq!(world.heard(b), "");
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert!(world.heard(b).contains(":set|"));
}

#[test]
fn under_everysec_replies_wait_for_the_write_and_not_for_the_sync() {
    for policy in ["everysec", "no"] {
        let mut world = World::single(&format!("appendonly yes\nappendfsync {policy}"));
        let a = world.client(0);
        assert_eq!(world.ask(a, "get k"), "$-1|");
        let syncs = world.nodes[0].disk.syncs;
        world.nodes[0].disk.stuck = true;
        assert_eq!(
            world.ask(a, "set k 1"),
            "",
            "a process that dies here has kept nothing"
        );
        world.disk_step(0);
        world.settle();
        assert_eq!(world.heard(a), "+OK|");
        assert_eq!(world.nodes[0].disk.syncs, syncs);
        assert_eq!(world.info(0, "aof_buffer_length"), "0");
    }
}

#[test]
fn under_everysec_replies_do_not_wait_for_a_sync_that_is_in_the_way() {
    let mut world = World::single("appendonly yes");
    let a = world.client(0);
    world.ask(a, "set k 1");
    world.nodes[0].disk.stuck = true;
    world.wait(1_100);
    assert_eq!(world.ask(a, "set k 2"), "+OK|");
    assert_eq!(world.info(0, "aof_pending_bio_fsync"), "1");
    assert_ne!(world.info(0, "aof_buffer_length"), "0");
}

#[test]
fn replies_that_waited_show_when_they_need_not_any_more() {
    for command in [
        "config set appendfsync everysec",
        "config set appendonly no",
    ] {
        let mut world = World::single("appendonly yes\nappendfsync always");
        let (a, b) = (world.client(0), world.client(0));
        world.nodes[0].disk.stuck = true;
        world.feed(0, a, &encoded("set k 1"));
        world.settle();
        world.feed(0, b, &encoded(command));
        world.settle();
        world.nodes[0].disk.stuck = false;
        world.settle();
        assert_eq!(world.heard(a), "+OK|", "{command}");
        assert_eq!(world.heard(b), "+OK|", "{command}");
        world.nodes[0].disk.stuck = command.ends_with("no");
        let syncs = world.nodes[0].disk.syncs;
        assert_eq!(world.ask(a, "set k 2"), "+OK|", "{command}");
        assert_eq!(world.nodes[0].disk.syncs, syncs, "{command}");
    }
}
