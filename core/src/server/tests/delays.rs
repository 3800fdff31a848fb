//! Saving and loading that is made to take long (`rdb-key-save-delay`, `key-load-delay`).

use super::harness::World;
use crate::machine::ConnId;

fn filled(config: &str) -> (World, ConnId) {
    let mut world = World::single(config);
    let a = world.client(0);
    for n in 0..10 {
        world.ask(a, &format!("set key{n} before"));
    }
    (world, a)
}

#[test]
fn each_key_takes_its_time_to_be_saved_while_clients_go_on() {
    let (mut world, a) = filled("rdb-key-save-delay 100000");
    world.ask(a, "bgsave");
    world.wait(450);
    assert_eq!(world.info(0, "current_save_keys_processed"), "5");
    assert_eq!(world.info(0, "current_save_keys_total"), "10");
    assert_eq!(world.ask(a, "set key0 after"), "+OK|");
    world.wait(540);
    assert_eq!(world.info(0, "rdb_bgsave_in_progress"), "1");
    world.wait(10);
    assert_eq!(world.info(0, "rdb_bgsave_in_progress"), "0");
    assert_eq!(world.info(0, "rdb_last_bgsave_status"), "ok");
    let again = world.restart(0, "");
    let b = world.client(again);
    assert_eq!(world.ask_at(again, b, "dbsize"), ":10|");
    assert_eq!(world.ask_at(again, b, "get key0"), "$6|before|");
}

#[test]
fn a_delay_that_is_taken_back_holds_no_save_any_more() {
    let (mut world, a) = filled("rdb-key-save-delay 2147483647");
    world.ask(a, "bgsave");
    world.wait(60_000);
    assert_eq!(world.info(0, "current_save_keys_processed"), "1");
    world.ask(a, "config set rdb-key-save-delay 0");
    assert_eq!(world.info(0, "rdb_bgsave_in_progress"), "0");
    assert_eq!(world.info(0, "rdb_last_bgsave_status"), "ok");
}

#[test]
fn what_changes_while_a_delay_holds_a_save_never_holds_commands() {
    let mut world = World::single("rdb-key-save-delay 1000000\nrdbcompression no");
    let a = world.client(0);
    let text = "x".repeat(1 << 20);
    for n in 0..64 {
        world.ask(a, &format!("set key{n} {text}"));
    }
    world.ask(a, "bgsave");
    for n in 0..64 {
        assert_eq!(world.ask(a, &format!("append key{n} y")), ":1048577|");
    }
}

#[test]
fn each_key_takes_its_time_to_be_loaded_and_a_delay_can_be_taken_back() {
    let (mut world, a) = filled("");
    assert_eq!(world.ask(a, "save"), "+OK|");
    let again = world.restart(0, "key-load-delay 100000");
    let b = world.client(again);
    world.wait(450);
    let refused = world.ask_at(again, b, "get key0");
    assert!(refused.starts_with("-LOADING"), "{refused}");
    assert_eq!(world.info(again, "loading"), "1");
    world.wait(560);
    assert_eq!(world.ask_at(again, b, "dbsize"), ":10|");
    let again = world.restart(again, "key-load-delay 2147483647");
    let b = world.client(again);
    world.wait(60_000);
    assert_eq!(world.info(again, "loading"), "1");
    world.ask_at(again, b, "config set key-load-delay 0");
    assert_eq!(world.ask_at(again, b, "dbsize"), ":10|");
}

#[test]
fn the_progress_of_a_load_is_told_by_the_size_of_its_file() {
    let (mut world, a) = filled("rdbcompression no");
    let text = "x".repeat(100_000);
    for n in 0..10 {
        world.ask(a, &format!("set key{n} {text}"));
    }
    assert_eq!(world.ask(a, "save"), "+OK|");
    let len = world.nodes[0].disk.files["dump.rdb"].len();
    let began = world.now().wall.as_secs().to_string();
    let again = world.restart(0, "key-load-delay 1000000");
    world.wait(3_500);
    assert_eq!(world.info(again, "loading_start_time"), began);
    assert_eq!(world.info(again, "loading_total_bytes"), len.to_string());
    assert_eq!(world.info(again, "rdb_last_load_keys_loaded"), "4");
    let read: f64 = world.info(again, "loading_loaded_bytes").parse().unwrap();
    assert!((400_000.0..len as f64).contains(&read), "{read}");
    let percent = format!("{:.2}", 100.0 * read / len as f64);
    assert_eq!(world.info(again, "loading_loaded_perc"), percent);
    let left = 3.0 * (len as f64 - read) / (read + 1.0);
    let eta = format!("{}", left as u64);
    assert_eq!(world.info(again, "loading_eta_seconds"), eta);
    world.wait(7_000);
    assert_eq!(world.info(again, "loading"), "0");
    assert_eq!(world.info(again, "rdb_last_load_keys_loaded"), "10");
}

/// A replica of the first server that takes the dataset into memory, a tenth of a second for each
/// key, when it has taken so many.
fn slow_replica(world: &mut World, keys: usize) -> usize {
    let config = "replicaof 127.0.0.1 6379\nrepl-diskless-load swapdb\nkey-load-delay 100000";
    let at = world.start(&format!("{config}\nrepl-timeout 2"), Default::default());
    let arrived = |world: &mut World| world.info(at, "rdb_last_load_keys_loaded");
    for _ in 0..40 {
        if arrived(world) == keys.to_string() {
            break;
        }
        world.wait(50);
    }
    assert_eq!(arrived(world), keys.to_string());
    assert_eq!(world.info(at, "master_sync_in_progress"), "1");
    at
}

#[test]
fn each_key_takes_its_time_to_arrive_in_memory_and_the_stream_waits_behind_it() {
    let (mut world, a) = filled("repl-diskless-sync-delay 0\nrepl-timeout 2");
    for n in 10..40 {
        world.ask(a, &format!("set key{n} before"));
    }
    let at = slow_replica(&mut world, 3);
    let began = world.now().mono;
    world.ask(a, "set key0 after");
    world.wait(3_500);
    assert_eq!(world.info(at, "master_link_status"), "down");
    assert_eq!(world.info(at, "loading"), "1");
    for _ in 0..20 {
        if world.info(at, "master_link_status") == "up" {
            break;
        }
        world.wait(50);
    }
    let took = world.now().mono.since(began).as_millis();
    assert!((3_600..3_900).contains(&took), "{took} ms");
    let b = world.client(at);
    assert_eq!(world.ask_at(at, b, "dbsize"), ":40|");
    world.wait(100);
    assert_eq!(world.ask_at(at, b, "get key0"), "$5|after|");
    assert_eq!(world.info(0, "sync_full"), "1");
}

#[test]
fn a_delay_of_what_arrives_in_memory_can_be_taken_back() {
    let (mut world, _) = filled("repl-diskless-sync-delay 0");
    let at = slow_replica(&mut world, 3);
    let b = world.client(at);
    world.ask_at(at, b, "config set key-load-delay 0");
    world.wait(100);
    assert_eq!(world.info(at, "master_link_status"), "up");
    assert_eq!(world.ask_at(at, b, "dbsize"), ":10|");
}

#[test]
fn what_waits_in_memory_is_of_no_use_once_its_link_is_gone() {
    let (mut world, a) = filled("repl-diskless-sync-delay 0");
    let at = slow_replica(&mut world, 3);
    assert_eq!(world.ask(a, "client kill type replica"), ":1|");
    world.wait(3_000);
    assert_eq!(world.info(0, "sync_full"), "2");
    assert_eq!(world.info(at, "master_link_status"), "up");
    let b = world.client(at);
    assert_eq!(world.ask_at(at, b, "dbsize"), ":10|");
}

#[test]
fn commands_of_the_append_only_file_take_their_time_like_the_keys_of_its_base() {
    let (mut world, a) = filled("appendonly yes");
    world.ask(a, "bgrewriteaof");
    for command in ["multi", "incr n", "incr n", "exec"] {
        world.ask(a, command);
    }
    // Ten keys, SELECT, and the four of the transaction.
    let again = world.restart(0, "appendonly yes\nkey-load-delay 100000");
    let b = world.client(again);
    world.wait(1_480);
    assert_eq!(world.info(again, "loading"), "1");
    world.wait(20);
    assert_eq!(world.info(again, "loading"), "0");
    assert_eq!(world.ask_at(again, b, "get n"), "$1|2|");
    assert_eq!(world.ask_at(again, b, "dbsize"), ":11|");
}

#[test]
fn a_reply_waits_for_what_is_held_back_from_the_append_only_file() {
    for policy in ["always", "everysec"] {
        let config = format!("appendonly yes\nappendfsync {policy}\nenable-debug-command yes");
        let mut world = World::single(&config);
        let a = world.client(0);
        let file = "appendonlydir/appendonly.aof.1.incr.aof";
        assert_eq!(world.ask(a, "debug aof-flush-sleep 500000"), "+OK|");
        assert_eq!(world.ask(a, "set k 1"), "", "{policy}");
        world.wait(499);
        assert_eq!(world.heard(a), "");
        assert!(world.nodes[0].disk.files[file].is_empty());
        world.wait(1);
        assert_eq!(world.heard(a), "+OK|");
        assert!(!world.nodes[0].disk.files[file].is_empty());
        world.ask(a, "debug aof-flush-sleep 0");
        assert_eq!(world.ask(a, "set k 2"), "+OK|");
    }
}

#[test]
fn a_rewrite_that_was_put_off_waits_for_a_dataset_that_is_loaded() {
    for config in ["appendonly yes", "appendonly no"] {
        let (mut world, _) = filled("");
        let at = world.start(
            &format!("{config}\nrdb-key-save-delay 100000000\nkey-load-delay 200000"),
            Default::default(),
        );
        let b = world.client(at);
        world.ask_at(at, b, "mset x 1 y 2");
        world.ask_at(at, b, "bgsave");
        let put_off = world.ask_at(at, b, "bgrewriteaof");
        assert!(put_off.contains("scheduled"), "{put_off}");
        world.ask_at(at, b, "replicaof 127.0.0.1 6379");
        while world.info(at, "loading") == "0" {
            world.wait(10);
        }
        world.ask_at(at, b, "config set rdb-key-save-delay 0");
        while world.info(at, "loading") == "1" {
            assert_eq!(world.info(at, "aof_rewrites"), "0", "{config}");
            world.wait(10);
        }
        world.wait(3_000);
        assert_eq!(world.info(at, "master_link_status"), "up");
        assert_eq!(world.digest(at), world.digest(0), "{config}");
        assert_eq!(world.info(at, "aof_rewrites"), "1", "{config}");
        let again = world.restart(at, "appendonly yes");
        assert_eq!(world.digest(again), world.digest(0), "{config}");
    }
}

#[test]
fn the_append_only_file_is_not_synced_while_a_save_runs_if_that_is_wanted() {
    for policy in ["always", "everysec"] {
        for (rests, synced) in [("no", true), ("yes", false)] {
            let config = format!(
                "appendonly yes\nappendfsync {policy}\nno-appendfsync-on-rewrite {rests}\n\
                 save ''\nrdb-key-save-delay 1000000"
            );
            let (mut world, a) = filled(&config);
            world.wait(2_000);
            world.ask(a, "bgsave");
            let before = world.nodes[0].disk.syncs;
            // Replies do not wait for it, either.
            assert_eq!(world.ask(a, "set k 1"), "+OK|");
            world.wait(2_000);
            assert_eq!(world.info(0, "rdb_bgsave_in_progress"), "1");
            let during = world.nodes[0].disk.syncs;
            assert_eq!(during > before, synced, "{policy} {rests}");
            world.ask(a, "config set rdb-key-save-delay 0");
            world.wait(2_000);
            // The file that was saved, and the one that has waited.
            let expected = if synced { 1 } else { 2 };
            assert_eq!(world.nodes[0].disk.syncs, during + expected);
        }
    }
}
