//! Clients that wait for keys.

use super::harness::{World, encoded};
use super::replication::{assert_same, pair};
use crate::machine::{ConnId, Machine as _};

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value|";

/// Several clients of a single server.
fn clients<const N: usize>() -> (World, [ConnId; N]) {
    let mut world = World::single("");
    let conns = core::array::from_fn(|_| world.client(0));
    (world, conns)
}

#[track_caller]
fn waits(world: &mut World, conn: ConnId, command: &str) {
    assert_eq!(world.ask(conn, command), "", "{command} waits");
}

#[test]
fn what_is_there_is_taken_at_once_from_the_first_list_that_has_it() {
    let (mut world, [a]) = clients();
    world.ask(a, "rpush two a b c d");
    assert_eq!(world.ask(a, "blpop one two 0"), "*2|$3|two|$1|a|");
    assert_eq!(world.ask(a, "brpop two one 0"), "*2|$3|two|$1|d|");
    assert_eq!(
        world.ask(a, "blmpop 0 2 one two left count 5"),
        "*2|$3|two|*2|$1|b|$1|c|"
    );
    world.ask(a, "rpush two x");
    assert_eq!(world.ask(a, "brpoplpush two one 0"), "$1|x|");
    assert_eq!(world.ask(a, "blmove one two left left 0"), "$1|x|");
    assert_eq!(world.ask(a, "exists one two"), ":1|");
}

#[test]
fn clients_are_served_in_order_of_arrival() {
    let (mut world, [a, b, c, d]) = clients();
    waits(&mut world, a, "blpop x y 0");
    waits(&mut world, b, "brpop y 0");
    waits(&mut world, c, "blmpop 0 2 z y left count 10");
    assert_eq!(world.ask(d, "rpush y 1 2 3 4 5"), ":5|");
    assert_eq!(world.heard(a), "*2|$1|y|$1|1|");
    assert_eq!(world.heard(b), "*2|$1|y|$1|5|");
    assert_eq!(world.heard(c), "*2|$1|y|*3|$1|2|$1|3|$1|4|");
    assert_eq!(world.ask(d, "exists y"), ":0|");
    assert_eq!(world.info(0, "blocked_clients"), "0");
}

#[test]
fn those_who_waited_are_served_between_two_commands_of_a_pipeline() {
    let (mut world, [a, b, c]) = clients();
    waits(&mut world, a, "blpop k 0");
    waits(&mut world, b, "blpop k 0");
    let lot = ["lpush k 1", "lpush k 2", "llen k"].map(encoded).concat();
    world.feed(0, c, &lot);
    world.settle();
    assert_eq!(world.heard(c), ":1|:1|:0|");
    assert_eq!(world.heard(a), "*2|$1|k|$1|1|");
    assert_eq!(world.heard(b), "*2|$1|k|$1|2|");
}

#[test]
fn a_transaction_is_over_before_anyone_is_served() {
    let (mut world, [a, b]) = clients();
    waits(&mut world, a, "blpop k 0");
    for command in ["multi", "rpush k 1", "del k", "rpush k 2 3", "lpop k"] {
        world.ask(b, command);
    }
    assert_eq!(world.ask(b, "exec"), "*4|:1|:1|:2|$1|2|");
    assert_eq!(world.heard(a), "*2|$1|k|$1|3|");
    waits(&mut world, a, "blpop k 0");
    for command in ["multi", "rpush k 1", "del k", "set k x"] {
        world.ask(b, command);
    }
    assert_eq!(world.ask(b, "exec"), "*3|:1|:1|+OK|");
    assert_eq!(world.heard(a), "", "nothing was left");
    world.ask(b, "del k");
    world.ask(b, "rpush k 1");
    assert_eq!(world.heard(a), "*2|$1|k|$1|1|");
}

#[test]
fn nobody_waits_inside_a_transaction() {
    let (mut world, [a]) = clients();
    world.ask(a, "multi");
    for command in [
        "blpop no 0",
        "blmove no l left left 0",
        "brpoplpush no l 0",
        "blmpop 0 1 no left",
    ] {
        assert_eq!(world.ask(a, command), "+QUEUED|");
    }
    assert_eq!(world.ask(a, "exec"), "*4|*-1|$-1|$-1|*-1|");
}

#[test]
fn time_is_over_to_the_millisecond_and_what_was_sent_meanwhile_is_run_then() {
    for command in [
        "blpop k 0.25",
        "brpop j k 0.25",
        "blmove k l left right 0.25",
        "brpoplpush k l 0.25",
        "blmpop 0.25 1 k left",
    ] {
        let (mut world, [a]) = clients();
        world.feed(0, a, &[encoded(command), encoded("ping")].concat());
        world.wait(249);
        assert_eq!(world.heard(a), "", "{command}");
        world.wait(1);
        assert_eq!(world.heard(a), "*-1|+PONG|", "{command}");
        world.ask(a, "hello 3");
        waits(&mut world, a, command);
        world.wait(250);
        assert_eq!(world.heard(a), "_|", "{command}");
    }
}

#[test]
fn many_wait_each_for_its_own_time() {
    let (mut world, [a, b, c, d]) = clients();
    waits(&mut world, a, "blpop k 0.3");
    waits(&mut world, b, "blpop k 0.1");
    waits(&mut world, c, "blpop k 0");
    assert_eq!(world.info(0, "clients_in_timeout_table"), "2");
    world.wait(100);
    assert_eq!(world.heard(b), "*-1|");
    assert_eq!(world.heard(a), "");
    world.wait(200);
    assert_eq!(world.heard(a), "*-1|");
    world.wait(10_000);
    world.ask(d, "rpush k 1");
    assert_eq!(world.heard(c), "*2|$1|k|$1|1|");
}

#[test]
fn another_type_is_an_error_at_once_and_ignored_while_waiting() {
    let (mut world, [a, b]) = clients();
    world.ask(b, "set str x");
    assert_eq!(world.ask(a, "blpop no str 0"), WRONG_TYPE);
    assert_eq!(world.ask(a, "blmove str l left left 0"), WRONG_TYPE);
    waits(&mut world, a, "blpop no k 0");
    world.ask(b, "set k x");
    world.ask(b, "rename str no");
    assert_eq!(world.heard(a), "");
    world.ask(b, "del k");
    world.ask(b, "rpush k 1");
    // The command runs again from its start.
    assert_eq!(world.heard(a), WRONG_TYPE);
    waits(&mut world, a, "blpop other j 0");
    world.ask(b, "set j x");
    assert_eq!(world.heard(a), "");
    world.ask(b, "rpush other 1");
    assert_eq!(world.heard(a), "*2|$5|other|$1|1|");
}

#[test]
fn a_wrong_destination_fails_who_waited_and_leaves_the_element_to_the_next() {
    let (mut world, [a, b, c]) = clients();
    world.ask(c, "set str x");
    waits(&mut world, a, "brpoplpush k str 0");
    waits(&mut world, b, "brpoplpush k l 0");
    world.ask(c, "rpush k 1 2");
    assert_eq!(world.heard(a), WRONG_TYPE);
    assert_eq!(world.heard(b), "$1|2|");
    assert_eq!(world.ask(c, "lrange k 0 -1"), "*1|$1|1|");
    assert_eq!(world.info(0, "errorstat_WRONGTYPE"), "count=1");
}

#[test]
fn one_who_is_served_can_serve_the_next() {
    let (mut world, [a, b, c, d]) = clients();
    waits(&mut world, a, "blmove one two left right 0");
    waits(&mut world, b, "blmove two three left right 0");
    waits(&mut world, c, "blpop three 0");
    world.ask(d, "rpush one x");
    assert_eq!(world.heard(a), "$1|x|");
    assert_eq!(world.heard(b), "$1|x|");
    assert_eq!(world.heard(c), "*2|$5|three|$1|x|");
    assert_eq!(world.ask(d, "dbsize"), ":0|");
    // In a circle, each goes once.
    waits(&mut world, a, "brpoplpush one two 0");
    waits(&mut world, b, "brpoplpush two one 0");
    waits(&mut world, c, "brpoplpush self self 0");
    world.ask(d, "rpush one x");
    world.ask(d, "rpush self y");
    assert_eq!(world.heard(a), "$1|x|");
    assert_eq!(world.heard(b), "$1|x|");
    assert_eq!(world.heard(c), "$1|y|");
    assert_eq!(world.ask(d, "lrange one 0 -1"), "*1|$1|x|");
    assert_eq!(world.ask(d, "lrange self 0 -1"), "*1|$1|y|");
}

#[test]
fn however_a_list_appears_it_serves() {
    let ways: &[&[&str]] = &[
        &["rpush t 1", "rename t k"],
        &["rpush t 1", "copy t k"],
        &["select 1", "rpush k 1", "move k 0"],
        &["select 1", "rpush k 1", "swapdb 0 1"],
        &["rpush t 1", "lmove t k left left"],
        &["multi", "set k x", "del k", "rpush k 1", "exec"],
    ];
    for way in ways {
        let (mut world, [a, b]) = clients();
        waits(&mut world, a, "blpop k 0");
        for command in *way {
            assert_eq!(world.heard(a), "");
            world.ask(b, command);
        }
        assert_eq!(world.heard(a), "*2|$1|k|$1|1|", "{way:?}");
    }
}

#[test]
fn a_list_that_has_expired_serves_nobody() {
    let (mut world, [a, b]) = clients();
    world.ask(b, "debug set-active-expire 0");
    world.ask(b, "select 1");
    world.ask(b, "rpush k old");
    world.ask(b, "pexpire k 10");
    waits(&mut world, a, "blpop k 0");
    world.wait(20);
    world.ask(b, "swapdb 0 1");
    assert_eq!(world.heard(a), "");
    world.ask(b, "select 0");
    world.ask(b, "rpush k new");
    assert_eq!(world.heard(a), "*2|$1|k|$3|new|");
}

#[test]
fn who_leaves_or_is_killed_takes_nothing() {
    let (mut world, [a, b, c, d]) = clients();
    for conn in [a, b, c] {
        waits(&mut world, conn, "blpop k 0");
    }
    assert_eq!(world.info(0, "total_blocking_keys"), "1");
    world.leave(a);
    world.feed(
        0,
        d,
        &[encoded("client kill id 2"), encoded("rpush k 1 2")].concat(),
    );
    world.settle();
    assert_eq!(world.heard(d), ":1|:2|");
    assert_eq!(world.heard(b), "");
    assert_eq!(world.heard(c), "*2|$1|k|$1|1|");
    assert_eq!(world.ask(d, "lrange k 0 -1"), "*1|$1|2|");
    assert_eq!(world.info(0, "total_blocking_keys"), "0");
}

#[test]
fn unblock_ends_a_wait_as_its_time_or_an_error_would() {
    let (mut world, [a, b]) = clients();
    for (reason, reply) in [
        ("", "*-1|"),
        (" timeout", "*-1|"),
        (" error", "-UNBLOCKED client unblocked via CLIENT UNBLOCK|"),
    ] {
        waits(&mut world, a, "blpop k 0");
        assert_eq!(world.ask(b, &format!("client unblock 1{reason}")), ":1|");
        assert_eq!(world.heard(a), reply);
        assert_eq!(world.ask(b, "client unblock 1"), ":0|");
    }
    world.ask(b, "rpush k 1");
    assert_eq!(world.ask(b, "llen k"), ":1|", "nobody waits any more");
}

#[test]
fn a_pause_keeps_everyone_waiting() {
    let (mut world, [a, b, c]) = clients();
    waits(&mut world, a, "blpop k 0");
    for command in ["multi", "rpush k 1", "client pause 100 write"] {
        world.ask(b, command);
    }
    assert_eq!(world.ask(b, "exec"), "*2|:1|+OK|");
    world.feed(0, c, &encoded("lpop k"));
    world.wait(99);
    assert_eq!(world.heard(a), "");
    assert!(!world.nodes[0].server.has_backlog(), "it does not spin");
    world.wait(1);
    assert_eq!(world.heard(a), "*2|$1|k|$1|1|");
    assert_eq!(world.heard(c), "$-1|");
}

#[test]
fn a_command_counts_once_and_when_it_is_through() {
    let (mut world, [a, b]) = clients();
    let calls = |world: &mut World| {
        let report = world.ask(b, "info commandstats");
        let line = report
            .split('|')
            .find(|line| line.starts_with("cmdstat_blpop"));
        line.map(|line| line.split([',', '=']).nth(1).expect("a count").to_owned())
    };
    waits(&mut world, a, "blpop k 0");
    assert_eq!(calls(&mut world), None);
    world.ask(b, "rpush k 1");
    assert_eq!(calls(&mut world).as_deref(), Some("1"));
    assert_eq!(world.heard(a), "*2|$1|k|$1|1|");
    waits(&mut world, a, "blpop k 0.1");
    world.wait(100);
    assert_eq!(calls(&mut world).as_deref(), Some("2"));
}

#[test]
fn a_silenced_client_hears_nothing_when_it_is_served() {
    let (mut world, [a, b]) = clients();
    waits(&mut world, a, "client reply skip");
    waits(&mut world, a, "blpop k 0");
    world.ask(b, "rpush k 1");
    assert_eq!(world.heard(a), "");
    assert_eq!(world.ask(a, "exists k"), ":0|");
    waits(&mut world, a, "client reply skip");
    waits(&mut world, a, "blpop k 0.01");
    world.wait(10);
    assert_eq!(world.heard(a), "");
}

#[test]
fn what_is_watched_changes_when_someone_is_served() {
    let (mut world, [a, b, c]) = clients();
    world.ask(a, "watch to");
    waits(&mut world, b, "brpoplpush from to 0");
    world.ask(a, "multi");
    world.ask(a, "ping");
    world.ask(c, "rpush from 1");
    assert_eq!(world.ask(a, "exec"), "*-1|");
}

#[test]
fn the_stream_has_what_was_done_in_units_of_their_own() {
    let (mut world, [a, b, c, d]) = clients();
    let e = world.eavesdropper();
    waits(&mut world, a, "blpop k 0");
    world.ask(d, "rpush k 1 2");
    assert_eq!(world.overheard(e), "SELECT 0 rpush k 1 2 LPOP k");
    world.ask(a, "brpop k 0");
    assert_eq!(world.overheard(e), "RPOP k");
    waits(&mut world, a, "blmove k l Left right 0");
    waits(&mut world, b, "brpoplpush l m 0");
    waits(&mut world, c, "blmpop 0 1 m right count 9");
    for command in ["multi", "rpush k x", "set z 1", "exec"] {
        world.ask(d, command);
    }
    assert_eq!(
        world.overheard(e),
        "MULTI rpush k x set z 1 EXEC LMOVE k l Left right RPOPLPUSH l m RPOP m 1"
    );
    world.ask(d, "rpush k 1 2 3");
    world.ask(d, "lmpop 2 no k left count 2");
    world.ask(d, "ltrim k 0 -1");
    world.ask(d, "lrem k 0 nope");
    world.ask(d, "lmpop 1 k right");
    assert_eq!(world.overheard(e), "rpush k 1 2 3 LPOP k 2 RPOP k 1");
    world.ask(d, "blpop k 0.001");
    world.heard(a);
    waits(&mut world, a, "blpop k 0");
    world.ask(d, "client unblock 1");
    assert_eq!(world.overheard(e), "", "waiting leaves no trace");
}

#[test]
fn a_read_that_finds_a_key_expired_adds_nothing_but_its_removal_to_the_stream() {
    let (mut world, [a]) = clients();
    let e = world.eavesdropper();
    world.ask(a, "debug set-active-expire 0");
    world.ask(a, "set k 1 px 10");
    world.wait(20);
    world.overheard(e);
    assert_eq!(world.ask(a, "get k"), "$-1|");
    assert_eq!(world.overheard(e), "DEL k");
}

#[test]
fn replicas_follow_what_those_who_waited_got() {
    for seed in 0..4 {
        let mut world = pair(seed, "");
        let conns: Vec<ConnId> = (0..6).map(|_| world.client(0)).collect();
        waits(&mut world, conns[0], "blpop a b 0");
        waits(&mut world, conns[1], "blmove b c left right 0");
        waits(&mut world, conns[2], "brpoplpush c a 0");
        waits(&mut world, conns[3], "blmpop 0 2 a b left count 3");
        world.ask(conns[4], "select 2");
        waits(&mut world, conns[4], "blpop a 0");
        let lot = ["rpush b 1 2 3 4 5 6", "select 2", "rpush a x y"].map(encoded);
        world.feed(0, conns[5], &lot.concat());
        assert_same(&mut world);
        assert_eq!(world.info(0, "blocked_clients"), "0", "seed {seed}");
        let b = world.client(1);
        world.ask_at(1, b, "select 2");
        assert_eq!(world.ask_at(1, b, "lrange a 0 -1"), "*1|$1|y|");
    }
}

#[test]
fn who_waits_for_keys_is_told_when_the_master_becomes_a_replica() {
    let mut world = pair(1, "");
    let (a, b) = (world.client(0), world.client(0));
    waits(&mut world, a, "blpop k 0");
    for command in ["multi", "rpush k 1", "replicaof 127.0.0.1 6380"] {
        world.ask(b, command);
    }
    world.ask(b, "exec");
    assert_eq!(
        world.heard(a),
        "-UNBLOCKED force unblock from blocking operation, instance state changed (master -> \
         replica?)|"
    );
    assert!(world.is_closed(a));
    assert_eq!(world.info(0, "total_blocking_keys"), "0");
}

#[test]
fn a_writable_replica_serves_what_its_master_sends() {
    let mut world = pair(1, "replica-read-only no");
    let (a, b) = (world.client(0), world.client(1));
    assert_eq!(world.ask_at(1, b, "blpop k 0"), "");
    world.ask(a, "multi");
    world.ask(a, "rpush k 1");
    world.ask(a, "rpush k 2");
    world.ask(a, "exec");
    world.wait(10);
    assert_eq!(world.heard_at(1, b), "*2|$1|k|$1|1|");
    assert_eq!(world.ask_at(1, b, "blpop k 0"), "*2|$1|k|$1|2|");
    assert_eq!(world.ask(a, "llen k"), ":2|", "its own writes stay its own");
}

#[test]
fn wrong_arguments_are_refused_before_anything_waits() {
    let (mut world, [a]) = clients();
    let no_float = "-ERR timeout is not a float or out of range|";
    let negative = "-ERR timeout is negative|";
    let numkeys = "-ERR numkeys should be greater than 0|";
    let syntax = "-ERR syntax error|";
    for (command, reply) in [
        ("blpop k x", no_float),
        ("blpop k -1", negative),
        ("blpop k 1e300", "-ERR timeout is out of range|"),
        ("blmove k l left up x", syntax),
        ("blmove k l left right x", no_float),
        ("brpoplpush k l -1", negative),
        ("blmpop x 0 k left", numkeys),
        ("blmpop x 1 k left", no_float),
        ("blmpop 0 2 k left", syntax),
        (
            "blmpop 0 1 k left count 0",
            "-ERR count should be greater than 0|",
        ),
        ("blmpop 0 1 k left count 1 count 1", syntax),
        ("lmpop 0 k left", numkeys),
        ("lmpop 1 k up", syntax),
        ("lmpop 1 k left count", syntax),
        ("lmpop 99999999999 k left", syntax),
    ] {
        assert_eq!(world.ask(a, command), reply, "{command}");
    }
}

#[test]
fn what_expires_while_the_server_sleeps_serves_nobody() {
    let mut world = World::single("enable-debug-command yes");
    let (a, b, c) = (world.client(0), world.client(0), world.client(0));
    waits(&mut world, a, "brpop k 0");
    waits(&mut world, b, "bzpopmin z 1");
    world.ask(c, "debug set-active-expire 0");
    world.ask(c, "multi");
    for command in [
        "rpush k x",
        "pexpire k 100",
        "zadd z 1 one",
        "pexpire z 100",
        "debug sleep 0.2",
    ] {
        assert_eq!(world.ask(c, command), "+QUEUED|");
    }
    world.feed(0, c, &[encoded("exec"), encoded("exists k")].concat());
    world.settle();
    assert_eq!(world.heard(c), "", "even the answer waits");
    world.wait(201);
    assert_eq!(world.heard(c), "*5|:1|:1|:1|:1|+OK|:0|");
    assert_eq!(world.heard(a), "");
    world.wait(900);
    assert_eq!(world.heard(b), "*-1|");
    world.ask(c, "rpush k y");
    assert_eq!(world.heard(a), "*2|$1|k|$1|y|");
}
