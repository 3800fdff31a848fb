//! The dataset and the configuration on disk.

use super::harness::{World, encoded};
use crate::limits;
use crate::machine::{Machine as _, Signal};
use crate::persist::rdb::{Encoder, Preamble};
use std::collections::BTreeMap;

#[test]
fn what_was_saved_is_there_after_a_restart() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "mset a 1 b two");
    world.ask(a, "rpush l x y z");
    world.ask(a, "set gone 1 px 50");
    world.ask(a, "expire a 1000");
    assert_eq!(world.ask(a, "save"), "+OK|");
    assert_eq!(world.info(0, "rdb_changes_since_last_save"), "0");
    world.ask(a, "set later 1");
    world.wait(100);
    let again = world.restart(0, "");
    let b = world.client(again);
    assert_eq!(world.ask_at(again, b, "dbsize"), ":3|");
    assert_eq!(world.ask_at(again, b, "ttl a"), ":1000|");
    assert_eq!(
        world.ask_at(again, b, "lrange l 0 -1"),
        "*3|$1|x|$1|y|$1|z|"
    );
    assert_eq!(world.info(again, "rdb_last_load_keys_loaded"), "3");
    assert_eq!(world.info(again, "rdb_last_load_keys_expired"), "1");
}

#[test]
fn a_snapshot_shows_one_moment_while_clients_go_on() {
    let mut world = World::single("");
    let a = world.client(0);
    for n in 0..300 {
        world.ask(a, &format!("set key{n} before"));
    }
    world.nodes[0].disk.stuck = true;
    assert_eq!(world.ask(a, "bgsave"), "+Background saving started|");
    assert_eq!(
        world.ask(a, "bgsave"),
        "-ERR Background save already in progress|"
    );
    for n in 0..300 {
        world.ask(a, &format!("set key{n} after"));
    }
    world.ask(a, "set new 1");
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.info(0, "rdb_last_bgsave_status"), "ok");
    assert_eq!(world.info(0, "rdb_changes_since_last_save"), "301");
    let again = world.restart(0, "");
    let b = world.client(again);
    assert_eq!(world.ask_at(again, b, "dbsize"), ":300|");
    assert_eq!(
        world.ask_at(again, b, "mget key0 key299"),
        "*2|$6|before|$6|before|"
    );
}

#[test]
fn save_answers_when_the_file_is_there_and_commands_behind_it_wait() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "set k 1");
    world.nodes[0].disk.stuck = true;
    world.feed(0, a, &[encoded("save"), encoded("get k")].concat());
    world.settle();
    assert_eq!(world.heard(a), "");
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.heard(a), "+OK|$1|1|");
    assert!(world.nodes[0].disk.files.contains_key("dump.rdb"));
}

#[test]
fn writes_are_refused_while_saving_fails_and_allowed_after_a_success() {
    let mut world = World::single("save 3600 1");
    let a = world.client(0);
    world.ask(a, "set k 1");
    world.nodes[0].disk.full = true;
    assert!(world.ask(a, "save").starts_with("-ERR"));
    assert!(world.ask(a, "set k 2").starts_with("-MISCONF"));
    assert!(
        world.ask(a, "ping").starts_with("-MISCONF"),
        "monitoring is told"
    );
    assert_eq!(world.ask(a, "get k"), "$1|1|");
    assert_eq!(world.ask(a, "publish ch x"), ":0|");
    world.nodes[0].disk.full = false;
    assert_eq!(world.ask(a, "save"), "+OK|");
    assert_eq!(world.ask(a, "set k 2"), "+OK|");
    let left: Vec<_> = world.nodes[0].disk.files.keys().cloned().collect();
    assert_eq!(left, ["dump.rdb", "redis.conf"], "no temporary file stays");
}

#[test]
fn writes_are_taken_while_saving_fails_if_they_are_not_to_be_refused() {
    let mut world = World::single("save 3600 1\nstop-writes-on-bgsave-error no");
    let a = world.client(0);
    world.nodes[0].disk.full = true;
    assert!(world.ask(a, "save").starts_with("-ERR"));
    assert_eq!(world.info(0, "rdb_last_bgsave_status"), "err");
    assert_eq!(world.ask(a, "set k 1"), "+OK|");
    assert_eq!(world.ask(a, "ping"), "+PONG|");
    world.ask(a, "config set stop-writes-on-bgsave-error yes");
    assert!(world.ask(a, "set k 2").starts_with("-MISCONF"));
    assert!(world.ask(a, "ping").starts_with("-MISCONF"));
    world.ask(a, "config set stop-writes-on-bgsave-error no");
    assert_eq!(world.ask(a, "ping"), "+PONG|");
}

/// Sentinels take it for down then, and do not promote it.
#[test]
fn a_replica_whose_disk_fails_says_so_and_follows_its_master() {
    for files in ["save 3600 1000", "save ''\nappendonly yes"] {
        let mut world = World::new(2);
        world.start("", BTreeMap::new());
        let config = format!("{files}\nreplicaof 127.0.0.1 6379");
        world.start(&config, BTreeMap::new());
        world.wait(3_000);
        let (a, b) = (world.client(0), world.client(1));
        world.nodes[1].disk.full = true;
        world.ask(a, "set k 1");
        world.ask_at(1, b, "bgsave");
        world.heard_at(1, b);
        for command in ["ping", "set own 1"] {
            let reply = world.ask_at(1, b, command);
            assert!(reply.starts_with("-MISCONF"), "{command}: {reply}");
        }
        world.ask(a, "set k 22");
        assert_eq!(world.ask_at(1, b, "get k"), "$2|22|", "{files}");
        assert_eq!(world.info(1, "master_link_status"), "up");
        world.nodes[1].disk.full = false;
        world.wait(10_000);
        assert_eq!(world.ask_at(1, b, "ping"), "+PONG|", "{files}");
        let reply = world.ask_at(1, b, "set own 1");
        assert!(reply.starts_with("-READONLY"), "{reply}");
    }
}

/// With save points that nothing reaches any more: no write is taken.
#[test]
fn a_save_that_failed_is_tried_again_until_the_disk_can_take_it() {
    let mut world = World::single("save 3600 1000");
    let a = world.client(0);
    world.ask(a, "set k 1");
    world.nodes[0].disk.full = true;
    assert!(world.ask(a, "save").starts_with("-ERR"));
    world.wait(20_000);
    assert!(world.ask(a, "ping").starts_with("-MISCONF"));
    world.nodes[0].disk.full = false;
    world.wait(6_000);
    assert_eq!(world.info(0, "rdb_last_bgsave_status"), "ok");
    assert_eq!(world.ask(a, "ping"), "+PONG|");
    assert!(world.nodes[0].disk.files.contains_key("dump.rdb"));
}

#[test]
fn a_snapshot_is_work_in_the_background_until_a_client_has_a_backlog() {
    let mut world = World::single("");
    let a = world.client(0);
    world.feed(0, a, &encoded("debug populate 20000"));
    world.settle();
    assert!(!world.nodes[0].server.is_in_background());
    world.feed(0, a, &encoded("bgsave"));
    world.turn(0);
    let server = &world.nodes[0].server;
    assert!(server.has_backlog() && server.is_in_background());
    let lot = encoded("incr k").repeat(limits::COMMANDS_PER_TURN_MAX + 1);
    world.feed(0, a, &lot);
    let server = &world.nodes[0].server;
    assert!(server.has_backlog() && !server.is_in_background());
    world.settle();
    let server = &world.nodes[0].server;
    assert!(!server.has_backlog() && !server.is_in_background());
    assert_eq!(world.info(0, "rdb_last_bgsave_status"), "ok");
}

#[test]
fn a_save_point_saves_by_itself() {
    let mut world = World::single("save 2 3");
    let a = world.client(0);
    world.ask(a, "mset a 1 b 2");
    world.wait(5_000);
    assert_eq!(world.info(0, "rdb_saves"), "0", "too few changes");
    world.ask(a, "set c 3");
    world.wait(200);
    assert_eq!(world.info(0, "rdb_saves"), "1");
}

#[test]
fn what_flushall_deleted_does_not_come_back_where_there_are_save_points() {
    for (config, saves, left) in [("save 3600 1000", "2", ":0|"), ("save ''", "1", ":1|")] {
        let mut world = World::single(config);
        let a = world.client(0);
        world.ask(a, "set k 1");
        world.ask(a, "save");
        world.ask(a, "set k 2");
        assert_eq!(world.ask(a, "flushall"), "+OK|");
        assert_eq!(world.info(0, "rdb_saves"), saves, "{config}");
        let unsaved = world.info(0, "rdb_changes_since_last_save");
        assert_eq!(unsaved == "0", saves == "2", "{config}: {unsaved}");
        let again = world.restart(0, config);
        let b = world.client(again);
        assert_eq!(world.ask_at(again, b, "dbsize"), left, "{config}");
    }
}

#[test]
fn a_save_that_flushall_overtakes_gives_way_to_one_of_nothing() {
    let mut world = World::single("save 3600 1000");
    let a = world.client(0);
    world.ask(a, "set k 1");
    world.nodes[0].disk.stuck = true;
    world.ask(a, "bgsave");
    assert_eq!(world.ask(a, "flushall"), "", "it waits for the disk");
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.heard(a), "+OK|");
    assert_eq!(world.info(0, "rdb_saves"), "1");
    assert_eq!(world.info(0, "rdb_changes_since_last_save"), "0");
    let again = world.restart(0, "");
    let b = world.client(again);
    assert_eq!(world.ask_at(again, b, "dbsize"), ":0|");
}

#[test]
fn flushall_is_answered_when_the_disk_has_it_or_can_not_have_it() {
    let mut world = World::single("save 3600 1000");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(a, "set k 1");
    let id = world.ask(a, "client id");
    world.nodes[0].disk.stuck = true;
    assert_eq!(world.ask(a, "flushall"), "");
    assert_eq!(world.ask(b, "dbsize"), ":0|", "others go on");
    let unblock = format!("client unblock {}", &id[1..id.len() - 1]);
    assert_eq!(world.ask(b, &unblock), ":0|", "as little as SAVE");
    world.ask(b, "multi");
    world.ask(b, "flushall");
    assert_eq!(world.ask(b, "exec"), "*1|+OK|", "a transaction can't wait");
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.heard(a), "+OK|");
    assert_eq!(world.info(0, "rdb_changes_since_last_save"), "0");
    world.nodes[0].disk.full = true;
    assert_eq!(world.ask(a, "flushall"), "+OK|");
    assert_eq!(world.info(0, "rdb_last_bgsave_status"), "err");
}

#[test]
fn whoever_waits_for_a_save_is_told_when_its_dataset_is_replaced() {
    let mut world = World::new(1);
    world.start("", Default::default());
    let config = "save 3600 1000\nrepl-diskless-load swapdb";
    let at = world.start(config, Default::default());
    let (a, b, c) = (world.client(at), world.client(at), world.client(at));
    world.nodes[at].disk.stuck = true;
    assert_eq!(world.ask_at(at, a, "flushall"), "");
    assert_eq!(world.ask_at(at, b, "replicaof 127.0.0.1 6379"), "+OK|");
    world.wait(3_000);
    assert_eq!(world.info(at, "master_link_status"), "up");
    assert_eq!(world.heard_at(at, a), "+OK|");
    assert_eq!(world.ask_at(at, c, "save"), "", "the next one waits");
}

#[test]
fn a_damaged_file_stops_the_start() {
    let mut world = World::new(1);
    let files = BTreeMap::from([("dump.rdb".to_string(), b"REDIS0011garbage".to_vec())]);
    let node = world.start("", files);
    assert_eq!(world.nodes[node].exit, Some(1));
}

#[test]
fn config_rewrite_answers_when_the_file_is_replaced_in_the_order_of_commands() {
    let mut world = World::single("# a comment\nmaxmemory 1mb");
    let a = world.client(0);
    assert_eq!(world.ask(a, "config set maxmemory 2mb"), "+OK|");
    world.nodes[0].disk.stuck = true;
    world.feed(0, a, &[encoded("config rewrite"), encoded("ping")].concat());
    world.settle();
    assert_eq!(world.heard(a), "", "a later reply does not overtake");
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.heard(a), "+OK|+PONG|");
    let text = String::from_utf8(world.nodes[0].disk.files["redis.conf"].clone()).unwrap();
    assert!(text.contains("# a comment\n"), "{text}");
    assert!(text.contains("maxmemory 2mb\n"), "{text}");
    assert!(!text.contains("1mb"), "{text}");
    world.nodes[0].disk.full = true;
    assert!(
        world
            .ask(a, "config rewrite")
            .starts_with("-ERR Rewriting config file: ")
    );
}

#[test]
fn a_configuration_file_that_cannot_be_read_is_closed_and_read_again_the_next_time() {
    let mut world = World::single("");
    let a = world.client(0);
    world.nodes[0].disk.fails_to_read = true;
    for _ in 0..2 {
        let reply = world.ask(a, "config rewrite");
        assert!(reply.starts_with("-ERR Rewriting config file: "), "{reply}");
    }
    world.nodes[0].disk.fails_to_read = false;
    assert_eq!(world.ask(a, "config rewrite"), "+OK|");
}

#[test]
fn shutdown_saves_by_its_save_points_or_as_it_is_told() {
    for (config, command, saves) in [
        ("save 60 1", "shutdown", true),
        ("save \"\"", "shutdown", false),
        ("save 60 1", "shutdown nosave", false),
        ("save \"\"", "shutdown save", true),
        ("save 60 1", "shutdown now", true),
    ] {
        let mut world = World::single(config);
        let a = world.client(0);
        world.ask(a, "set k 1");
        assert_eq!(world.ask(a, command), "", "{config} {command}");
        assert_eq!(world.nodes[0].exit, Some(0), "{config} {command}");
        let saved = world.nodes[0].disk.files.contains_key("dump.rdb");
        assert_eq!(saved, saves, "{config} {command}");
    }
}

#[test]
fn a_shutdown_that_can_not_save_does_not_happen_unless_forced() {
    let mut world = World::single("save 60 1");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(a, "set k 1");
    world.nodes[0].disk.full = true;
    assert_eq!(
        world.ask(a, "shutdown"),
        "-ERR Errors trying to SHUTDOWN. Check logs.|"
    );
    assert_eq!(world.nodes[0].exit, None);
    assert_eq!(world.ask(b, "get k"), "$1|1|", "it goes on");
    assert_eq!(world.ask(a, "shutdown force"), "");
    assert_eq!(world.nodes[0].exit, Some(0));
}

#[test]
fn a_signal_ends_the_server_like_shutdown() {
    let mut world = World::single("save 60 1");
    let a = world.client(0);
    world.ask(a, "set k 1");
    let now = world.now();
    world.nodes[0].server.handle_signal(now, Signal::Terminate);
    world.settle();
    assert_eq!(world.nodes[0].exit, Some(0));
    assert!(world.nodes[0].disk.files.contains_key("dump.rdb"));
}

#[test]
fn a_save_asked_for_in_a_transaction_begins_behind_it() {
    let mut world = World::single("");
    let a = world.client(0);
    for command in ["multi", "incr k", "bgsave", "incr k"] {
        world.ask(a, command);
    }
    assert_eq!(
        world.ask(a, "exec"),
        "*3|:1|+Background saving scheduled|:2|"
    );
    world.wait(200);
    assert_eq!(world.info(0, "rdb_saves"), "1");
    assert_eq!(world.info(0, "rdb_changes_since_last_save"), "0");
    let again = world.restart(0, "");
    let b = world.client(again);
    assert_eq!(world.ask_at(again, b, "get k"), "$1|2|");
}

#[test]
fn what_is_acknowledged_while_the_server_ends_is_in_its_last_save() {
    let mut world = World::single("save 60 1");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(a, "set k 1");
    world.nodes[0].disk.stuck = true;
    world.feed(0, a, &encoded("shutdown"));
    world.settle();
    assert_eq!(world.ask(b, "get k"), "$1|1|", "reading goes on");
    assert_eq!(world.ask(b, "set k 2"), "", "it waits for the end");
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.nodes[0].exit, Some(0));
    assert_eq!(world.heard(b), "");
}

#[test]
fn a_last_save_that_is_called_off_goes_on_and_writes_with_it() {
    let mut world = World::single("save 60 1");
    let (a, b, c) = (world.client(0), world.client(0), world.client(0));
    world.ask(a, "set k 1");
    world.nodes[0].disk.stuck = true;
    world.feed(0, a, &encoded("shutdown"));
    world.settle();
    world.feed(0, b, &encoded("set k 2"));
    world.settle();
    assert_eq!(world.ask(c, "shutdown abort"), "+OK|");
    assert_eq!(
        world.heard(a),
        "-ERR Errors trying to SHUTDOWN. Check logs.|"
    );
    assert_eq!(world.heard(b), "+OK|");
    assert_eq!(
        world.ask(c, "shutdown abort"),
        "-ERR No shutdown in progress.|"
    );
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.nodes[0].exit, None);
    assert_eq!(world.info(0, "rdb_saves"), "1");
}

#[test]
fn a_signal_ends_the_server_in_the_way_that_is_configured_for_it() {
    // Nothing is saved by itself: there is no save point, or a disk that is full.
    for (config, full, exit, saved) in [
        (
            "save ''\nshutdown-on-sigterm default",
            false,
            Some(0),
            false,
        ),
        ("save ''\nshutdown-on-sigterm save", false, Some(0), true),
        (
            "save 60 1\nshutdown-on-sigterm nosave",
            false,
            Some(0),
            false,
        ),
        ("save 60 1\nshutdown-on-sigterm default", true, None, false),
        ("save 60 1\nshutdown-on-sigterm force", true, Some(0), false),
        (
            "save ''\nshutdown-on-sigterm save force",
            true,
            Some(0),
            false,
        ),
    ] {
        for signal in [Signal::Terminate, Signal::Interrupt] {
            let config = match signal {
                Signal::Interrupt => config.replace("sigterm", "sigint"),
                _ => config.to_owned(),
            };
            let mut world = World::single(&config);
            let a = world.client(0);
            world.ask(a, "set k 1");
            world.nodes[0].disk.full = full;
            let now = world.now();
            world.nodes[0].server.handle_signal(now, signal);
            world.settle();
            assert_eq!(world.nodes[0].exit, exit, "{config}");
            let files = &world.nodes[0].disk.files;
            assert_eq!(files.contains_key("dump.rdb"), saved, "{config}");
        }
    }
}

#[test]
fn a_signal_does_not_wait_for_replicas_if_it_is_to_be_at_once() {
    for (words, waits) in [("default", true), ("nosave", true), ("now", false)] {
        let config = format!("shutdown-on-sigterm {words}\nsave ''");
        let mut world = super::replication::pair(4, &config);
        let a = world.client(0);
        world.deaf(1, true);
        world.ask(a, "set k 1");
        let now = world.now();
        world.nodes[0].server.handle_signal(now, Signal::Terminate);
        world.settle();
        assert_eq!(world.nodes[0].exit.is_none(), waits, "{words}");
        world.wait(11_000);
        assert_eq!(world.nodes[0].exit, Some(0));
    }
}

#[test]
fn a_full_synchronisation_does_not_keep_a_replica_from_ending() {
    let mut world = World::new(1);
    world.start("", Default::default());
    let config = "save 3600 1000\nrepl-diskless-load swapdb";
    let at = world.start(config, Default::default());
    let a = world.client(0);
    world.ask(a, "set k 1");
    let b = world.client(at);
    world.nodes[at].disk.stuck = true;
    world.feed(at, b, &encoded("replicaof 127.0.0.1 6379"));
    let now = world.now();
    world.nodes[at].server.handle_signal(now, Signal::Terminate);
    world.wait(3_000);
    assert_eq!(
        world.nodes[at].server.keys().len(),
        1,
        "the dataset is there"
    );
    assert_eq!(world.nodes[at].exit, None, "it is to be saved");
    world.nodes[at].disk.stuck = false;
    world.wait(1_000);
    assert_eq!(world.nodes[at].exit, Some(0));
}

#[test]
fn a_last_save_that_fails_does_not_stop_writes() {
    let mut world = World::single("save 60 1");
    let a = world.client(0);
    world.ask(a, "set k 1");
    world.nodes[0].disk.full = true;
    let now = world.now();
    world.nodes[0].server.handle_signal(now, Signal::Terminate);
    world.settle();
    assert_eq!(world.nodes[0].exit, None);
    assert_eq!(world.ask(a, "set k 2"), "+OK|");
    assert_eq!(world.info(0, "rdb_last_bgsave_status"), "ok");
    assert!(world.ask(a, "shutdown").starts_with("-ERR Errors trying"));
    assert_eq!(world.ask(a, "ping"), "+PONG|");
}

#[test]
fn a_signal_is_acted_upon_by_periodic_work_and_can_be_taken_back_before() {
    let mut world = World::single("enable-debug-command yes");
    let a = world.client(0);
    world.ask(a, "debug pause-cron 1");
    let now = world.now();
    world.nodes[0].server.handle_signal(now, Signal::Terminate);
    world.settle();
    assert_eq!(world.nodes[0].exit, None);
    assert_eq!(world.ask(a, "shutdown abort"), "+OK|");
    world.ask(a, "debug pause-cron 0");
    world.wait(1_000);
    assert_eq!(world.ask(a, "ping"), "+PONG|");
    world.ask(a, "debug pause-cron 1");
    let now = world.now();
    world.nodes[0].server.handle_signal(now, Signal::Terminate);
    world.ask(a, "debug pause-cron 0");
    assert_eq!(world.nodes[0].exit, Some(0));
}

#[test]
fn no_unfinished_file_stays_when_the_server_ends_while_it_saves() {
    for (command, ended) in [("shutdown nosave", 0), ("", 1)] {
        let mut world = World::single("rdb-key-save-delay 1000000");
        let a = world.client(0);
        world.ask(a, "mset a 1 b 2 c 3");
        let now = world.now();
        if command.is_empty() {
            world.nodes[0].server.handle_signal(now, Signal::Interrupt);
            world.wait(100);
            let files = &world.nodes[0].disk.files;
            assert!(files.contains_key("temp-0.rdb"), "{:?}", files.keys());
            let now = world.now();
            world.nodes[0].server.handle_signal(now, Signal::Interrupt);
            world.settle();
        } else {
            world.ask(a, "bgsave");
            assert_eq!(world.nodes[0].disk.files.len(), 2);
            world.ask(a, command);
        }
        assert_eq!(world.nodes[0].exit, Some(ended));
        world.nodes[0].disk.finish();
        let left: Vec<_> = world.nodes[0].disk.files.keys().collect();
        assert_eq!(left, ["redis.conf"], "{command}");
    }
}

#[test]
fn flushall_gives_a_save_up_where_there_are_no_save_points() {
    let mut world = World::single("save ''\nrdb-key-save-delay 1000000");
    let a = world.client(0);
    world.ask(a, "mset a 1 b 2 c 3");
    world.ask(a, "bgsave");
    assert_eq!(world.info(0, "rdb_bgsave_in_progress"), "1");
    assert_eq!(world.ask(a, "flushall"), "+OK|");
    assert_eq!(world.info(0, "rdb_bgsave_in_progress"), "0");
    assert_eq!(world.info(0, "rdb_saves"), "0");
    assert_eq!(world.info(0, "rdb_last_bgsave_status"), "ok");
    world.ask(a, "config set rdb-key-save-delay 0");
    world.ask(a, "bgsave");
    assert_eq!(world.info(0, "rdb_saves"), "1");
}

#[test]
fn a_scheduled_save_begins_when_no_other_snapshot_is_taken() {
    let mut world = World::single("rdb-key-save-delay 100000");
    let a = world.client(0);
    world.ask(a, "mset a 1 b 2 c 3");
    world.ask(a, "bgrewriteaof");
    assert!(
        world
            .ask(a, "bgsave")
            .starts_with("-ERR Another child process")
    );
    assert_eq!(
        world.ask(a, "bgsave schedule"),
        "+Background saving scheduled|"
    );
    assert_eq!(world.info(0, "rdb_bgsave_in_progress"), "0");
    world.wait(500);
    assert_eq!(world.info(0, "aof_rewrite_in_progress"), "0");
    assert_eq!(world.info(0, "rdb_bgsave_in_progress"), "1");
    world.wait(400);
    assert_eq!(world.info(0, "rdb_saves"), "1");
    world.wait(10_000);
    assert_eq!(world.info(0, "rdb_saves"), "1");
}

#[test]
fn functions_that_came_with_a_dataset_are_in_every_file_and_with_every_replica() {
    const LIBRARY: &[u8] = b"#!lua name=lib\nredis.register_function('f', function() end)";
    let mut encoder = Encoder::new(true, true);
    encoder.preamble(&Preamble::default());
    encoder.function(LIBRARY);
    encoder.eof();
    let mut file = Vec::new();
    while let Some(chunk) = encoder.poll_chunk() {
        file.extend_from_slice(&chunk);
    }
    let holds = |files: &BTreeMap<String, Vec<u8>>, name: &str| {
        let bytes = &files[name];
        bytes.windows(20).any(|part| part == &LIBRARY[..20])
    };
    let mut world = World::new(1);
    let files = BTreeMap::from([("dump.rdb".to_owned(), file)]);
    let config = "rdbcompression no\naof-use-rdb-preamble no";
    world.start(config, files);
    let a = world.client(0);
    world.ask(a, "flushall");
    assert_eq!(world.ask(a, "save"), "+OK|");
    assert!(holds(&world.nodes[0].disk.files, "dump.rdb"));
    world.ask(a, "config set appendonly yes");
    let base = "appendonlydir/appendonly.aof.1.base.rdb";
    assert!(holds(&world.nodes[0].disk.files, base));
    let replica = world.start(
        "rdbcompression no\nreplicaof 127.0.0.1 6379",
        BTreeMap::new(),
    );
    world.wait(2_000);
    let b = world.client(replica);
    assert_eq!(world.ask_at(replica, b, "save"), "+OK|");
    assert!(holds(&world.nodes[replica].disk.files, "dump.rdb"));
    let again = world.restart(0, &format!("appendonly yes\n{config}"));
    let c = world.client(again);
    world.ask_at(again, c, "bgrewriteaof");
    let base = "appendonlydir/appendonly.aof.2.base.rdb";
    assert!(holds(&world.nodes[again].disk.files, base));
}

#[test]
fn the_file_of_a_full_synchronisation_goes_if_that_is_wanted_and_nothing_else_is_kept() {
    for (config, stays) in [
        ("save ''", true),
        ("rdb-del-sync-files yes", true),
        ("save ''\nrdb-del-sync-files yes\nappendonly yes", true),
        ("save ''\nrdb-del-sync-files yes", false),
    ] {
        let mut world = World::new(1);
        world.start("", BTreeMap::new());
        let a = world.client(0);
        world.ask(a, "set k 1");
        let config = format!("{config}\nreplicaof 127.0.0.1 6379");
        let replica = world.start(&config, BTreeMap::new());
        world.wait(2_000);
        assert_eq!(world.info(replica, "master_link_status"), "up");
        assert_eq!(world.nodes[replica].server.keys().len(), 1);
        let files = &world.nodes[replica].disk.files;
        assert_eq!(files.contains_key("dump.rdb"), stays, "{config}");
    }
}

#[test]
fn info_tells_what_is_copied_for_a_snapshot_and_what_the_last_ones_had() {
    let mut world = World::single("save ''");
    let a = world.client(0);
    let text = "x".repeat(500);
    for n in 0..1000 {
        world.ask(a, &format!("set key{n} {text}"));
    }
    let number = |world: &mut World, field| world.info(0, field).parse::<usize>().unwrap();
    for (command, last, other) in [
        ("bgsave", "rdb_last_cow_size", "aof_last_cow_size"),
        ("bgrewriteaof", "aof_last_cow_size", "rdb_last_cow_size"),
    ] {
        let before = number(&mut world, other);
        assert_eq!(number(&mut world, last), 0);
        assert_eq!(number(&mut world, "current_cow_size"), 0);
        world.ask(a, "config set rdb-key-save-delay 10000");
        world.ask(a, command);
        world.wait(100);
        let copied = number(&mut world, "current_cow_size");
        for n in 0..50 {
            world.ask(a, &format!("setrange key{n} 0 y"));
        }
        let grown = number(&mut world, "current_cow_size");
        assert!(grown >= copied + 50 * 500 / 2, "{copied} {grown}");
        world.wait(100);
        let peak = number(&mut world, "current_cow_peak");
        let left = number(&mut world, "current_cow_size");
        assert!(peak >= grown && left < grown, "{grown} {peak} {left}");
        assert_eq!(number(&mut world, last), 0, "it is not over");
        world.ask(a, "config set rdb-key-save-delay 0");
        world.wait(1_000);
        assert_eq!(number(&mut world, "current_cow_size"), 0);
        assert_eq!(number(&mut world, "current_cow_peak"), 0);
        assert!(number(&mut world, last) >= peak);
        assert_eq!(number(&mut world, other), before);
    }
}
