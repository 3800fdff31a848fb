//! Two servers and more, one following the other.

use super::harness::{World, encoded};

/// A master and a replica of it, in step.
pub(super) fn pair(seed: u8, config: &str) -> World {
    let mut world = World::new(seed);
    world.start(config, Default::default());
    world.start(
        &format!("replicaof 127.0.0.1 6379\n{config}"),
        Default::default(),
    );
    world.wait(3_000);
    assert_eq!(world.info(1, "master_link_status"), "up");
    world
}

#[track_caller]
pub(super) fn assert_same(world: &mut World) {
    world.wait(50);
    assert_eq!(world.digest(0), world.digest(1));
    let offsets = (
        world.info(0, "master_repl_offset"),
        world.info(1, "master_repl_offset"),
    );
    assert_eq!(offsets.0, offsets.1);
}

#[test]
fn a_full_synchronisation_copies_everything_however_the_bytes_are_cut() {
    for seed in 0..8 {
        for load in ["disabled", "swapdb"] {
            let mut world = World::new(seed);
            world.start("", Default::default());
            let a = world.client(0);
            for n in 0..200 {
                world.ask(a, &format!("set key{n} value{n}"));
            }
            world.ask(a, "select 3");
            world.ask(a, "rpush list a b c");
            let config = format!("replicaof 127.0.0.1 6379\nrepl-diskless-load {load}");
            world.start(&config, Default::default());
            world.ask(a, "set during 1");
            world.wait(3_000);
            world.ask(a, "set after 1");
            assert_same(&mut world);
            assert_eq!(world.info(0, "sync_full"), "1");
        }
    }
}

#[test]
fn a_broken_link_is_taken_up_where_it_broke() {
    for seed in 0..8 {
        let mut world = pair(seed, "");
        let a = world.client(0);
        for n in 0..50 {
            world.feed(0, a, &encoded(&format!("set key{n} value{n}")));
            if n % 10 == 5 {
                world.cut();
            }
        }
        world.wait(5_000);
        assert_same(&mut world);
        assert_eq!(world.info(0, "sync_full"), "1");
        assert_ne!(world.info(0, "sync_partial_ok"), "0");
    }
}

#[test]
fn a_promoted_replica_keeps_its_backlog_for_the_others() {
    let mut world = pair(3, "");
    world.start("replicaof 127.0.0.1 6379", Default::default());
    world.wait(3_000);
    let a = world.client(0);
    world.ask(a, "set k 1");
    world.wait(50);
    let (b, c) = (world.client(1), world.client(2));
    assert_eq!(world.ask_at(1, b, "replicaof no one"), "+OK|");
    world.ask_at(1, b, "set k 2");
    assert_eq!(world.ask_at(2, c, "replicaof 127.0.0.1 6380"), "+OK|");
    assert_eq!(world.ask(a, "replicaof 127.0.0.1 6380"), "+OK|");
    world.wait(3_000);
    assert_eq!(world.info(1, "connected_slaves"), "2");
    assert_eq!(
        world.info(1, "sync_full"),
        "0",
        "both go on from its history"
    );
    assert_eq!(world.ask_at(2, c, "get k"), "$1|2|");
    assert_eq!(world.ask(a, "get k"), "$1|2|");
}

#[test]
fn effects_queued_before_replicaof_inside_a_transaction_belong_to_the_old_history() {
    let mut world = pair(5, "");
    world.start("", Default::default());
    let (a, c) = (world.client(0), world.client(2));
    world.ask_at(2, c, "set elsewhere 1");
    world.ask(a, "multi");
    world.ask(a, "set k 1");
    world.ask(a, "replicaof 127.0.0.1 6381");
    assert_eq!(world.ask(a, "exec"), "*2|+OK|+OK|");
    let b = world.client(1);
    world.wait(5_000);
    // The old replica now hangs below the other history, whole and not inside a transaction.
    assert_eq!(world.ask(a, "get elsewhere"), "$1|1|");
    assert_eq!(world.ask_at(1, b, "get elsewhere"), "$1|1|");
    assert_eq!(world.ask_at(1, b, "exists k"), ":0|");
    world.ask_at(2, c, "set more 1");
    world.wait(50);
    assert_eq!(world.ask_at(1, b, "get more"), "$1|1|");
}

#[test]
fn a_replica_hides_what_has_expired_and_leaves_the_deleting_to_its_master() {
    let mut world = pair(1, "");
    let (a, b) = (world.client(0), world.client(1));
    world.ask(a, "debug set-active-expire 0");
    world.ask(a, "set k 1 px 100");
    world.wait(50);
    assert_eq!(world.ask_at(1, b, "get k"), "$1|1|");
    world.wait(100);
    assert_eq!(world.ask_at(1, b, "get k"), "$-1|");
    assert_eq!(world.ask_at(1, b, "exists k"), ":0|");
    assert_eq!(world.ask_at(1, b, "dbsize"), ":1|");
    assert_eq!(world.info(1, "expired_keys"), "0");
    assert_eq!(world.ask(a, "get k"), "$-1|");
    world.wait(50);
    assert_eq!(world.ask_at(1, b, "dbsize"), ":0|", "the master's DEL came");
    assert_same(&mut world);
}

#[test]
fn a_replica_refuses_writes_and_passes_messages() {
    let mut world = pair(1, "");
    let (a, b) = (world.client(0), world.client(1));
    assert_eq!(
        world.ask_at(1, b, "set k 1"),
        "-READONLY You can't write against a read only replica.|"
    );
    assert_eq!(world.ask_at(1, b, "publish ch x"), ":0|");
    assert_eq!(
        world.ask_at(1, b, "subscribe ch"),
        "*3|$9|subscribe|$2|ch|:1|"
    );
    world.ask(a, "publish ch hi");
    world.wait(10);
    assert_eq!(world.heard_at(1, b), "*3|$7|message|$2|ch|$2|hi|");
}

#[test]
fn a_transaction_reaches_the_replica_whole() {
    let mut world = pair(2, "");
    let a = world.client(0);
    world.ask(a, "multi");
    world.ask(a, "set a 1");
    world.ask(a, "select 2");
    world.ask(a, "set b 1");
    world.ask(a, "incrbyfloat f 1.5");
    world.ask(a, "exec");
    assert_same(&mut world);
    let b = world.client(1);
    assert_eq!(world.ask_at(1, b, "get a"), "$1|1|");
    world.ask_at(1, b, "select 2");
    assert_eq!(world.ask_at(1, b, "mget b f"), "*2|$1|1|$3|1.5|");
}

#[test]
fn wait_answers_when_enough_replicas_have_it_or_its_time_is_over() {
    let mut world = pair(1, "");
    let a = world.client(0);
    world.ask(a, "set k 1");
    assert_eq!(world.ask(a, "wait 1 0"), ":1|");
    world.ask(a, "set k 2");
    world.feed(0, a, &[encoded("wait 2 100"), encoded("ping")].concat());
    world.wait(99);
    assert_eq!(world.heard(a), "", "what follows waits too");
    world.wait(1);
    assert_eq!(world.heard(a), ":1|+PONG|");
    world.ask(a, "multi");
    world.ask(a, "wait 9 0");
    assert!(
        world.ask(a, "exec").starts_with("*1|:"),
        "never blocks inside"
    );
}

#[test]
fn a_waiting_client_is_told_when_the_master_becomes_a_replica() {
    let mut world = pair(1, "");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(a, "set k 1");
    world.feed(0, a, &encoded("wait 5 0"));
    world.settle();
    world.ask(b, "replicaof 127.0.0.1 6380");
    assert!(world.heard(a).starts_with("-UNBLOCKED"));
    assert!(world.is_closed(a));
}

#[test]
fn unblock_ends_a_wait_with_its_count_or_an_error() {
    let mut world = pair(1, "");
    let (a, b) = (world.client(0), world.client(0));
    let id = world.ask(a, "client id");
    let id = id.trim_matches([':', '|']);
    for (reason, reply) in [
        ("", ":1|"),
        (" error", "-UNBLOCKED client unblocked via CLIENT UNBLOCK|"),
    ] {
        world.ask(a, "set k 1");
        world.feed(0, a, &encoded("wait 5 0"));
        world.wait(1_100);
        assert_eq!(world.ask(b, &format!("client unblock {id}{reason}")), ":1|");
        assert_eq!(world.heard(a), reply);
    }
    assert_eq!(world.ask(b, &format!("client unblock {id}")), ":0|");
}

#[test]
fn shutdown_waits_for_its_replicas_and_can_be_called_off() {
    let mut world = pair(1, "save \"\"\nshutdown-timeout 10");
    let (a, b) = (world.client(0), world.client(0));
    world.deaf(1, true);
    world.ask(a, "set k 1");
    assert_eq!(world.ask(a, "shutdown"), "");
    assert_eq!(world.nodes[0].exit, None);
    assert_eq!(world.ask(b, "shutdown abort"), "+OK|");
    assert_eq!(
        world.heard(a),
        "-ERR Errors trying to SHUTDOWN. Check logs.|"
    );
    assert_eq!(world.ask(a, "set k 2"), "+OK|", "the pause is over");
    assert_eq!(world.ask(a, "shutdown"), "");
    world.deaf(1, false);
    world.wait(1_500);
    assert_eq!(world.nodes[0].exit, Some(0));
    let c = world.client(1);
    assert_eq!(world.ask_at(1, c, "get k"), "$1|2|");
}

#[test]
fn a_replica_that_ends_waits_for_its_own_replicas() {
    let mut world = pair(1, "save \"\"\nshutdown-timeout 10");
    world.start("replicaof 127.0.0.1 6380", Default::default());
    world.wait(3_000);
    world.deaf(2, true);
    let a = world.client(0);
    world.ask(a, "set k 1");
    world.wait(100);
    let b = world.client(1);
    assert_eq!(world.ask_at(1, b, "shutdown"), "");
    assert_eq!(world.nodes[1].exit, None);
    world.ask(a, "set k 2");
    world.deaf(2, false);
    world.wait(1_500);
    assert_eq!(world.nodes[1].exit, Some(0));
    let c = world.client(2);
    assert_eq!(world.ask_at(2, c, "get k"), "$1|2|");
}

#[test]
fn few_replicas_stop_the_writes() {
    let mut world = pair(1, "min-replicas-to-write 1\nmin-replicas-max-lag 2");
    let a = world.client(0);
    assert_eq!(world.ask(a, "set k 1"), "+OK|");
    world.deaf(0, true);
    world.wait(5_000);
    assert_eq!(
        world.ask(a, "set k 2"),
        "-NOREPLICAS Not enough good replicas to write.|"
    );
    assert_eq!(world.ask(a, "get k"), "$1|1|");
    world.deaf(0, false);
    world.wait(3_000);
    assert_eq!(world.ask(a, "set k 2"), "+OK|");
}

#[test]
fn a_master_that_stood_still_takes_no_write_by_what_it_knew_before() {
    let mut world = pair(1, "min-replicas-to-write 1\nmin-replicas-max-lag 2");
    let a = world.client(0);
    world.deaf(0, true);
    world.stand_still(2_900);
    assert_eq!(world.ask(a, "set k 1"), "+OK|");
    world.stand_still(200);
    assert_eq!(
        world.ask(a, "set k 2"),
        "-NOREPLICAS Not enough good replicas to write.|"
    );
    world.deaf(0, false);
    world.wait(1_100);
    assert_eq!(world.ask(a, "set k 2"), "+OK|");
}

#[test]
fn a_writable_replica_expires_what_its_own_clients_have_made() {
    let mut world = pair(3, "replica-read-only no");
    let (a, b) = (world.client(0), world.client(1));
    world.ask(a, "set theirs 1 px 100");
    world.wait(20);
    world.ask_at(1, b, "set own 1 px 100");
    world.ask_at(1, b, "set later 1 px 50");
    world.ask_at(1, b, "pexpire later 100000");
    world.ask_at(1, b, "set moved 1 px 100");
    world.ask_at(1, b, "rename moved there");
    assert_eq!(world.info(1, "slave_expires_tracked_keys"), "4");
    // Out of the master's reach: what is its own stays where it is.
    world.deaf(1, true);
    world.wait(500);
    assert_eq!(world.info(1, "expired_keys"), "2");
    assert_eq!(world.info(1, "slave_expires_tracked_keys"), "1");
    assert_eq!(world.ask_at(1, b, "dbsize"), ":2|", "theirs and later");
    assert_eq!(world.ask_at(1, b, "replicaof no one"), "+OK|");
    assert_eq!(world.info(1, "slave_expires_tracked_keys"), "0");
    world.wait(500);
    assert_eq!(world.ask_at(1, b, "dbsize"), ":1|");
}

#[test]
fn clients_of_a_writable_replica_do_not_go_on_with_what_has_expired() {
    let mut world = pair(3, "replica-read-only no");
    let (a, b) = (world.client(0), world.client(1));
    world.ask(a, "set n 5 px 100");
    world.wait(20);
    world.deaf(1, true);
    world.wait(200);
    assert_eq!(world.ask_at(1, b, "dbsize"), ":1|");
    assert_eq!(world.ask_at(1, b, "incr n"), ":1|");
    assert_eq!(world.ask_at(1, b, "pttl n"), ":-1|");
}

#[test]
fn what_lagging_replicas_take_is_theirs_only_while_they_are_there() {
    let mut world = pair(1, "repl-backlog-size 16384\nrepl-timeout 1000");
    let a = world.client(0);
    world.deaf(1, true);
    for _ in 0..100 {
        world.ask(a, &format!("set k {}", "x".repeat(1_000)));
    }
    assert_ne!(world.info(0, "mem_clients_slaves"), "0");
    assert_eq!(world.ask(a, "client kill type replica"), ":1|");
    assert_eq!(world.info(0, "mem_clients_slaves"), "0");
}

#[test]
fn a_transaction_is_refused_on_a_stale_replica_if_one_of_its_commands_would_be() {
    let mut world = World::single("replica-serve-stale-data no");
    let (a, b) = (world.client(0), world.client(0));
    for (command, refused) in [("get k", true), ("ping", true), ("info server", false)] {
        assert_eq!(world.ask(a, "multi"), "+OK|");
        assert_eq!(world.ask(a, command), "+QUEUED|");
        assert_eq!(world.ask(a, "info server"), "+QUEUED|");
        assert_eq!(world.ask(b, "replicaof 127.0.0.1 1"), "+OK|");
        let answer = world.ask(a, "exec");
        let denied = answer.starts_with("-EXECABORT Transaction discarded because of: MASTERDOWN");
        assert_eq!(denied, refused, "{command}: {answer}");
        assert_eq!(world.ask(b, "replicaof no one"), "+OK|");
    }
    assert_eq!(world.ask(b, "replicaof 127.0.0.1 1"), "+OK|");
    assert_eq!(world.ask(a, "multi"), "+OK|");
    assert_eq!(world.ask(b, "replicaof no one"), "+OK|");
    assert_eq!(world.ask(a, "get k"), "+QUEUED|");
    assert_eq!(world.ask(a, "exec"), "*1|$-1|");
}

#[test]
fn a_link_that_is_killed_is_taken_up_where_it_was() {
    for asleep in ["ping", "debug sleep 1"] {
        let mut world = pair(9, "enable-debug-command yes");
        let (a, b) = (world.client(0), world.client(1));
        world.ask(a, "set k 1");
        for command in ["multi", "client kill type master", asleep, "exec"] {
            world.ask_at(1, b, command);
        }
        world.ask(a, "set k 2");
        world.wait(5_000);
        assert_eq!(world.info(1, "master_link_status"), "up", "{asleep}");
        assert_eq!(world.info(0, "sync_partial_ok"), "1", "{asleep}");
        assert_same(&mut world);
    }
}

#[test]
fn replicas_are_pinged_a_period_after_they_came_and_a_new_period_counts_at_once() {
    let mut world = pair(10, "repl-diskless-sync-delay 0");
    let a = world.client(0);
    let start = world.info(0, "master_repl_offset");
    world.wait(5_000);
    assert_eq!(world.info(0, "master_repl_offset"), start);
    world.ask(a, "config set repl-ping-replica-period 1");
    world.wait(1_500);
    assert_ne!(world.info(0, "master_repl_offset"), start);
}

#[test]
fn resetstat_counts_synchronisations_anew() {
    let mut world = pair(11, "");
    let a = world.client(0);
    assert_eq!(world.info(0, "sync_full"), "1");
    assert_eq!(world.ask(a, "config resetstat"), "+OK|");
    assert_eq!(world.info(0, "sync_full"), "0");
    assert_eq!(world.info(0, "sync_partial_ok"), "0");
}

#[test]
fn the_link_to_the_master_has_addresses_by_which_it_can_be_killed() {
    let mut world = pair(13, "");
    let b = world.client(1);
    let links = world.ask_at(1, b, "client list type master");
    assert!(
        links.contains(" addr=127.0.0.1:6379 laddr=127.0.0.1:"),
        "{links}"
    );
    assert_eq!(world.ask_at(1, b, "client kill 127.0.0.1:6379"), "+OK|");
    world.wait(5_000);
    assert_eq!(world.info(1, "master_link_status"), "up");
    assert_eq!(world.info(0, "sync_partial_ok"), "1");
}

#[test]
fn a_save_under_way_does_not_take_the_place_of_what_a_master_has_sent() {
    for steps in 0..16 {
        let mut world = World::new(14);
        world.start("", Default::default());
        world.start("", Default::default());
        let (a, b) = (world.client(0), world.client(1));
        world.ask(a, "set new 1");
        world.ask_at(1, b, "set old 1");
        world.nodes[1].disk.stuck = true;
        world.ask_at(1, b, "replicaof 127.0.0.1 6379");
        world.settle();
        for step in 0..60 {
            if step == steps {
                world.ask_at(1, b, "bgsave");
            }
            world.disk_step(1);
            world.settle();
        }
        world.nodes[1].disk.stuck = false;
        world.wait(3_000);
        assert_eq!(world.info(1, "master_link_status"), "up", "{steps}");
        assert_same(&mut world);
        let again = world.restart(1, "");
        let c = world.client(again);
        assert_eq!(world.ask_at(again, c, "exists old"), ":0|", "{steps}");
    }
}

#[test]
fn a_replica_that_was_cut_off_inside_a_transaction_gets_it_once_and_whole() {
    for seed in 0..20 {
        let mut world = pair(seed, "repl-ping-replica-period 3600");
        let a = world.client(0);
        world.deaf(1, true);
        for command in ["multi", "incr n", "rpush l a b c", "incr n", "exec"] {
            world.ask(a, command);
        }
        world.deaf(1, false);
        // The link breaks at one byte or another of what is under way.
        for _ in 0..seed {
            world.turn(1);
            world.carry();
        }
        world.cut();
        world.wait(3_000);
        assert_same(&mut world);
        let b = world.client(1);
        assert_eq!(world.ask_at(1, b, "get n"), "$1|2|");
        assert_eq!(world.info(0, "sync_full"), "1");
    }
}

#[test]
fn a_replica_answers_nothing_of_what_its_master_sends() {
    let mut world = pair(15, "");
    let a = world.client(0);
    let before = world.info(0, "total_commands_processed");
    // Each is answered to a client, and the last one fails at the replica, which has more keys.
    for command in ["set k 1", "incr k", "lpush l x", "select 2", "set k 1"] {
        world.ask(a, command);
    }
    world.settle();
    let after = world.info(0, "total_commands_processed");
    let count = |text: String| text.parse::<u32>().unwrap();
    // Five of the client, and INFO: nothing came up the link of the replica.
    assert_eq!(count(after) - count(before), 6);
    assert_eq!(world.info(0, "total_error_replies"), "0");
}

#[test]
fn a_replicas_connection_does_nothing_else() {
    let mut world = World::single("");
    let a = world.client(0);
    // An answer would be taken for a part of the stream.
    for command in [
        "set k 2",
        "get k",
        "publish c m",
        "ping",
        "xinfo help",
        "multi",
        "replicaof 127.0.0.1 1",
    ] {
        let replica = world.eavesdropper();
        world.ask(a, "set k 1");
        let stream = world.overheard(replica);
        assert!(stream.ends_with("set k 1"), "{command}: {stream}");
        world.feed(0, replica, &encoded(command));
        world.settle();
        assert_eq!(world.heard(replica), "", "{command}");
        assert!(world.is_closed(replica), "{command}");
        assert_eq!(world.ask(a, "get k"), "$1|1|", "{command}");
        assert_eq!(world.info(0, "role"), "master");
    }
    let replica = world.eavesdropper();
    world.feed(0, replica, &encoded("replconf ack 1"));
    world.settle();
    assert!(!world.is_closed(replica), "that has no reply");
}

#[test]
fn who_becomes_a_replica_hears_nothing_but_the_stream() {
    let mut world = World::single("");
    let (a, ear) = (world.client(0), world.client(0));
    world.ask(ear, "hello 3");
    world.ask(ear, "subscribe c");
    world.eavesdrop(ear);
    assert_eq!(world.ask(a, "publish c m"), ":0|");
    world.ask(a, "set k 1");
    assert!(world.overheard(ear).ends_with("set k 1"));
}

#[test]
fn a_full_synchronisation_fails_the_exec_of_whoever_watches() {
    for load in ["disabled", "swapdb"] {
        let mut world = World::new(16);
        world.start("", Default::default());
        let config = format!("repl-diskless-load {load}\nreplica-read-only no");
        world.start(&config, Default::default());
        let (a, b) = (world.client(0), world.client(1));
        world.ask(a, "set k theirs");
        world.ask_at(1, b, "set k ours");
        world.ask_at(1, b, "watch k");
        let c = world.client(1);
        world.ask_at(1, c, "replicaof 127.0.0.1 6379");
        world.wait(3_000);
        assert_eq!(world.info(1, "master_link_status"), "up", "{load}");
        world.ask_at(1, b, "multi");
        world.ask_at(1, b, "get k");
        assert_eq!(world.ask_at(1, b, "exec"), "*-1|", "{load}");
    }
}

#[test]
fn what_changes_nothing_here_goes_out_where_it_may_change_something_there() {
    let mut world = World::single("");
    let a = world.client(0);
    let stream = world.eavesdropper();
    world.ask(a, "flushall");
    world.ask(a, "flushdb");
    let heard = world.overheard(stream);
    assert_eq!(heard, "SELECT 0 flushall flushdb");
    for command in ["save", "sync", "psync ? -1"] {
        world.ask(a, "multi");
        let reply = world.ask(a, command);
        assert_eq!(reply, "-ERR Command not allowed inside a transaction|");
        world.ask(a, "discard");
    }
}

#[test]
fn what_is_past_its_time_already_is_deleted_everywhere_and_comes_back_nowhere() {
    let mut world = pair(17, "");
    let a = world.client(0);
    world.ask(a, "set past 1");
    assert_eq!(world.ask(a, "expire past -1"), ":1|");
    world.ask(a, "set gone 1 px 20");
    world.wait(50);
    assert_eq!(world.ask(a, "persist gone"), ":0|");
    for key in ["past", "gone"] {
        assert_eq!(world.ask(a, &format!("exists {key}")), ":0|");
    }
    assert_same(&mut world);
    let b = world.client(1);
    for key in ["past", "gone"] {
        assert_eq!(world.ask_at(1, b, &format!("exists {key}")), ":0|");
    }
}

#[test]
fn a_snapshot_for_replicas_is_shown_as_a_save_in_progress() {
    for diskless in ["yes", "no"] {
        let config = format!("repl-diskless-sync {diskless}\nrdb-key-save-delay 1000000");
        let mut world = World::single(&config);
        let a = world.client(0);
        world.ask(a, "mset a 1 b 2 c 3");
        assert_eq!(world.info(0, "rdb_bgsave_in_progress"), "0");
        assert_eq!(world.info(0, "rdb_current_bgsave_time_sec"), "-1");
        world.start("replicaof 127.0.0.1 6379", Default::default());
        world.wait(1_500);
        assert_eq!(world.info(0, "rdb_bgsave_in_progress"), "1", "{diskless}");
        assert_ne!(world.info(0, "rdb_current_bgsave_time_sec"), "-1");
        let refused = "-ERR Background save already in progress|";
        for command in ["save", "bgsave", "bgsave schedule"] {
            assert_eq!(world.ask(a, command), refused, "{diskless} {command}");
        }
        world.wait(3_000);
        assert_eq!(world.info(0, "rdb_bgsave_in_progress"), "0", "{diskless}");
        assert_eq!(world.info(1, "master_link_status"), "up");
    }
}

#[test]
fn a_master_lists_replicas_where_they_want_to_be_found() {
    let mut world = World::new(18);
    world.start("", Default::default());
    let elsewhere = "replica-announce-ip 10.1.2.3\nreplica-announce-port 7001";
    for config in [elsewhere, "replica-announced no"] {
        let config = format!("replicaof 127.0.0.1 6379\n{config}");
        world.start(&config, Default::default());
    }
    world.wait(3_000);
    let first = world.info(0, "slave0");
    assert!(
        first.starts_with("ip=10.1.2.3,port=7001,state=online,"),
        "{first}"
    );
    // Only to Sentinels does it not show itself.
    let second = world.info(0, "slave1");
    assert!(
        second.starts_with("ip=127.0.0.1,port=6381,state=online,"),
        "{second}"
    );
    let a = world.client(0);
    let role = world.ask(a, "role");
    let found = |ip: &str, port: &str| format!("*3|${}|{ip}|$4|{port}|", ip.len());
    assert!(role.contains(&found("10.1.2.3", "7001")), "{role}");
    assert!(role.contains(&found("127.0.0.1", "6381")), "{role}");
    assert_eq!(world.info(1, "replica_announced"), "1");
    assert_eq!(world.info(2, "replica_announced"), "0");
}
