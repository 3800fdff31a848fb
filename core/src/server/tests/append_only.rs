//! The append-only file.

use super::harness::{World, encoded};
use std::collections::BTreeMap;

const DIR: &str = "appendonlydir/appendonly.aof";

fn file(world: &World, node: usize, name: &str) -> String {
    let bytes = world.nodes[node].disk.files.get(&format!("{DIR}{name}"));
    let bytes = bytes.unwrap_or_else(|| panic!("no {name}"));
    String::from_utf8_lossy(bytes).replace("\r\n", "|")
}

fn names(world: &World, node: usize) -> Vec<String> {
    let names = world.nodes[node].disk.files.keys();
    let ours = names.filter_map(|name| name.strip_prefix("appendonlydir/"));
    ours.map(str::to_owned).collect()
}

/// The words of the commands in a file.
fn words(world: &World, node: usize, name: &str) -> String {
    let text = file(world, node, name);
    let words = text
        .split('|')
        .filter(|word| !word.starts_with(['*', '$', '#']));
    words.collect::<Vec<_>>().join(" ").trim_end().to_owned()
}

fn with(files: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
    let files = files.iter();
    files
        .map(|(name, bytes)| (format!("{DIR}{name}"), bytes.to_vec()))
        .collect()
}

const ONE_FILE: &[u8] = b"file appendonly.aof.1.incr.aof seq 1 type i\n";

#[test]
fn a_first_start_makes_a_base_a_file_and_a_manifest() {
    let world = World::single("appendonly yes");
    let expected = [
        "appendonly.aof.1.base.rdb",
        "appendonly.aof.1.incr.aof",
        "appendonly.aof.manifest",
    ];
    assert_eq!(names(&world, 0), expected);
    let manifest = String::from_utf8(
        world.nodes[0].disk.files["appendonlydir/appendonly.aof.manifest"].clone(),
    );
    assert_eq!(
        manifest.unwrap(),
        "file appendonly.aof.1.base.rdb seq 1 type b\n\
         file appendonly.aof.1.incr.aof seq 1 type i\n"
    );
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let mut world = World::single("appendonly yes");
    let a = world.client(0);
    world.ask(a, "set a 1");
    world.ask(a, "select 3");
    world.ask(a, "rpush l x y");
    for command in ["multi", "set b 1", "incr b", "exec"] {
        world.ask(a, command);
    }
    world.ask(a, "set gone 1 px 50");
    world.ask(a, "get b");
    assert_eq!(
        words(&world, 0, ".1.incr.aof"),
        "SELECT 0 set a 1 SELECT 3 rpush l x y MULTI set b 1 incr b EXEC SET gone 1 PXAT \
         1700000000050"
    );
    let digest = world.digest(0);
    let again = world.restart(0, "appendonly yes");
    assert_eq!(world.digest(again), digest);
    let b = world.client(again);
    world.ask_at(again, b, "select 3");
    assert_eq!(world.ask_at(again, b, "get b"), "$1|2|");
    let counted = world.info(again, "total_commands_processed");
    assert_eq!(counted, "2", "what was loaded is not counted again");
}

#[test]
fn what_expires_is_deleted_in_the_file_too() {
    let mut world = World::single("appendonly yes");
    let a = world.client(0);
    world.ask(a, "set k 1 px 50");
    world.wait(1_000);
    assert_eq!(
        words(&world, 0, ".1.incr.aof"),
        "SELECT 0 SET k 1 PXAT 1700000000050 DEL k"
    );
}

#[test]
fn the_time_is_noted_if_it_shall_be_and_skipped_when_loading() {
    let mut world = World::single("appendonly yes\naof-timestamp-enabled yes");
    let a = world.client(0);
    world.ask(a, "set a 1");
    world.ask(a, "set b 1");
    world.wait(2_000);
    world.ask(a, "set c 1");
    let text = file(&world, 0, ".1.incr.aof");
    assert!(text.starts_with("#TS:1700000000|*2|$6|SELECT|"), "{text}");
    assert_eq!(text.matches("#TS:").count(), 2, "{text}");
    let digest = world.digest(0);
    let again = world.restart(0, "appendonly yes");
    assert_eq!(world.digest(again), digest);
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room_and_leaves_no_half_command() {
    let mut world = World::single("appendonly yes");
    let a = world.client(0);
    world.ask(a, "set a 1");
    world.nodes[0].disk.full = true;
    assert_eq!(world.ask(a, "set b 1"), "+OK|");
    let refused = "-MISCONF Errors writing to the AOF file: No space left on device|";
    assert_eq!(world.ask(a, "set c 1"), refused);
    assert_eq!(world.ask(a, "ping"), refused);
    assert_eq!(world.ask(a, "get b"), "$1|1|");
    assert_eq!(world.info(0, "aof_last_write_status"), "err");
    world.wait(3_000);
    assert_eq!(words(&world, 0, ".1.incr.aof"), "SELECT 0 set a 1");
    world.nodes[0].disk.full = false;
    world.wait(1_100);
    assert_eq!(world.info(0, "aof_last_write_status"), "ok");
    assert_eq!(world.ask(a, "set c 1"), "+OK|");
    assert_eq!(
        words(&world, 0, ".1.incr.aof"),
        "SELECT 0 set a 1 set b 1 set c 1"
    );
}

#[test]
fn under_always_a_fault_ends_the_process_before_anyone_is_told() {
    for full in [true, false] {
        let mut world = World::single("appendonly yes\nappendfsync always");
        let a = world.client(0);
        world.nodes[0].disk.full = full;
        world.nodes[0].disk.fails_to_sync = !full;
        assert_eq!(world.ask(a, "set k 1"), "");
        assert_eq!(world.nodes[0].exit, Some(1), "{full}");
    }
}

#[test]
fn after_a_failed_sync_everything_is_written_anew() {
    let mut world = World::single("appendonly yes");
    let a = world.client(0);
    world.ask(a, "set a 1");
    world.nodes[0].disk.fails_to_sync = true;
    world.wait(1_500);
    assert!(
        world
            .ask(a, "set b 1")
            .starts_with("-MISCONF Errors writing to the AOF file")
    );
    world.wait(3_000);
    assert!(world.ask(a, "set b 1").starts_with("-MISCONF"));
    world.wait(10_000);
    world.nodes[0].disk.fails_to_sync = false;
    world.wait(2_000);
    assert_eq!(world.ask(a, "set b 1"), "+OK|");
    assert_eq!(world.info(0, "aof_last_write_status"), "ok");
    let expected = [
        "appendonly.aof.2.base.rdb",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.manifest",
    ];
    assert_eq!(names(&world, 0), expected);
    let digest = world.digest(0);
    let again = world.restart(0, "appendonly yes");
    assert_eq!(world.digest(again), digest);
}

#[test]
fn a_rewrite_takes_the_place_of_everything_before_it() {
    let mut world = World::single("appendonly yes");
    let a = world.client(0);
    for n in 0..300 {
        world.ask(a, &format!("set key{n} {n}"));
    }
    let begun = "+Background append only file rewriting started|";
    world.nodes[0].disk.stuck = true;
    assert_eq!(world.ask(a, "bgrewriteaof"), begun);
    assert_eq!(
        world.ask(a, "bgrewriteaof"),
        "-ERR Background append only file rewriting already in progress|"
    );
    world.nodes[0].disk.stuck = false;
    // Writes before, while and after the files change.
    let mut n = 0;
    while n == 0 || world.info(0, "aof_rewrite_in_progress") == "1" {
        n += 1;
        world.feed(0, a, &encoded(&format!("set during {n}")));
        for _ in 0..3 {
            world.turn(0);
        }
        assert!(n < 1_000);
    }
    world.settle();
    let expected = [
        "appendonly.aof.2.base.rdb",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.manifest",
    ];
    assert_eq!(names(&world, 0), expected);
    assert_eq!(world.info(0, "aof_last_bgrewrite_status"), "ok");
    assert_eq!(world.info(0, "aof_rewrites"), "1");
    let digest = world.digest(0);
    let again = world.restart(0, "appendonly yes");
    assert_eq!(world.digest(again), digest);
}

#[test]
fn whichever_step_of_a_rewrite_a_crash_follows_nothing_acknowledged_is_lost() {
    for steps in 0.. {
        let mut world = World::single("appendonly yes\nappendfsync always");
        let a = world.client(0);
        for n in 0..20 {
            world.ask(a, &format!("set key{n} {n}"));
        }
        world.nodes[0].disk.stuck = true;
        world.ask(a, "bgrewriteaof");
        world.heard(a);
        for n in 0..steps {
            world.feed(0, a, &encoded(&format!("set during{n} 1")));
            world.disk_step(0);
        }
        let over = world.nodes[0].disk.files.len() == 4
            && names(&world, 0)[0] == "appendonly.aof.2.base.rdb";
        let acknowledged = world.heard(a).matches("+OK|").count();
        let again = world.restart(0, "appendonly yes\nappendfsync always");
        assert_eq!(world.nodes[again].exit, None, "{steps}");
        let b = world.client(again);
        for n in 0..20 {
            let value = format!("${}|{n}|", n.to_string().len());
            assert_eq!(world.ask_at(again, b, &format!("get key{n}")), value);
        }
        for n in 0..acknowledged {
            let key = format!("get during{n}");
            assert_eq!(world.ask_at(again, b, &key), "$1|1|", "{steps}: {key}");
        }
        if over && steps > 30 {
            return;
        }
        assert!(
            steps < 200,
            "the rewrite comes to its end: {:?}",
            names(&world, again)
        );
    }
}

#[test]
fn a_rewrite_that_fails_leaves_everything_as_it_was() {
    let mut world = World::single("appendonly yes");
    let a = world.client(0);
    world.ask(a, "set a 1");
    world.nodes[0].disk.stuck = true;
    world.ask(a, "bgrewriteaof");
    // The new file is made and named before the disk is full.
    for _ in 0..12 {
        world.disk_step(0);
    }
    world.nodes[0].disk.full = true;
    world.nodes[0].disk.stuck = false;
    world.settle();
    world.nodes[0].disk.full = false;
    world.wait(2_000);
    assert_eq!(world.info(0, "aof_last_bgrewrite_status"), "err");
    assert_eq!(world.info(0, "aof_rewrites_consecutive_failures"), "1");
    assert_eq!(world.info(0, "aof_last_write_status"), "ok");
    world.ask(a, "set b 1");
    let digest = world.digest(0);
    let again = world.restart(0, "appendonly yes");
    assert_eq!(world.digest(again), digest);
    let b = world.client(again);
    world.ask_at(again, b, "bgrewriteaof");
    assert_eq!(world.info(again, "aof_last_bgrewrite_status"), "ok");
    assert_eq!(names(&world, again).len(), 3, "{:?}", names(&world, again));
}

#[test]
fn a_file_that_has_grown_is_rewritten_by_itself() {
    let config = "appendonly yes\nauto-aof-rewrite-min-size 1kb\nauto-aof-rewrite-percentage 100";
    let mut world = World::single(config);
    let a = world.client(0);
    for n in 0..100 {
        world.ask(a, &format!("set k {n}"));
    }
    world.wait(200);
    assert_eq!(world.info(0, "aof_rewrites"), "1");
    assert!(names(&world, 0)[0].contains(".2.base."));
}

#[test]
fn a_rewrite_waits_for_a_snapshot_and_for_the_end_of_a_transaction() {
    let mut world = World::single("appendonly yes");
    let a = world.client(0);
    world.nodes[0].disk.stuck = true;
    world.ask(a, "bgsave");
    let scheduled = "+Background append only file rewriting scheduled|";
    assert_eq!(world.ask(a, "bgrewriteaof"), scheduled);
    assert_eq!(world.info(0, "aof_rewrite_scheduled"), "1");
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.info(0, "aof_rewrites"), "1");
    world.ask(a, "multi");
    world.ask(a, "bgrewriteaof");
    assert_eq!(world.ask(a, "exec"), format!("*1|{scheduled}"));
    assert_eq!(world.info(0, "aof_rewrites"), "2");
}

#[test]
fn it_can_be_switched_on_and_off() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "set a 1");
    assert_eq!(world.ask(a, "config set appendonly yes"), "+OK|");
    assert_eq!(world.info(0, "aof_enabled"), "1");
    world.ask(a, "set b 1");
    let digest = world.digest(0);
    assert_eq!(world.ask(a, "config set appendonly no"), "+OK|");
    world.ask(a, "set c 1");
    assert_eq!(world.info(0, "aof_enabled"), "0");
    assert_eq!(words(&world, 0, ".1.incr.aof"), "SELECT 0 set b 1");
    let again = world.restart(0, "appendonly yes");
    assert_eq!(world.digest(again), digest);
}

#[test]
fn a_rewrite_without_a_file_makes_a_base() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "set a 1");
    world.ask(a, "bgrewriteaof");
    assert_eq!(
        names(&world, 0),
        ["appendonly.aof.1.base.rdb", "appendonly.aof.manifest"]
    );
    let again = world.restart(0, "appendonly yes");
    assert_eq!(world.digest(again), world.digest(0));
    assert_eq!(names(&world, again).len(), 3);
}

#[test]
fn what_is_cut_is_cut_off_and_a_transaction_goes_as_a_whole() {
    let whole = [encoded("select 0"), encoded("set a 1")].concat();
    let set = encoded("set b 1");
    let transaction = [encoded("multi"), set.clone()].concat();
    for tail in [&set[..7], &transaction, &transaction[..20]] {
        let text = [&whole[..], tail].concat();
        let files = with(&[(".manifest", ONE_FILE), (".1.incr.aof", &text)]);
        let mut world = World::new(1);
        let node = world.start("appendonly yes", files.clone());
        let a = world.client(node);
        assert_eq!(world.ask_at(node, a, "dbsize"), ":1|");
        world.ask_at(node, a, "set c 1");
        let again = world.restart(node, "appendonly yes");
        assert_eq!(world.digest(again), world.digest(node));
        let refused = world.start("appendonly yes\naof-load-truncated no", files);
        assert_eq!(world.nodes[refused].exit, Some(1));
    }
}

#[test]
fn zeros_that_a_loss_of_power_leaves_are_cut_off() {
    let whole = [encoded("select 0"), encoded("set a 1")].concat();
    let set = encoded("set b hello");
    for kept in [0, 1, 5, set.len() - 7, set.len() - 2, set.len() - 1] {
        for zeros in [set.len() - kept, 600] {
            let text = [&whole[..], &set[..kept], &vec![0; zeros]].concat();
            let files = with(&[(".manifest", ONE_FILE), (".1.incr.aof", &text)]);
            let mut world = World::new(1);
            let node = world.start("appendonly yes", files);
            assert_eq!(world.nodes[node].exit, None, "{kept} {zeros}");
            let a = world.client(node);
            assert_eq!(world.ask_at(node, a, "mget a b"), "*2|$1|1|$-1|");
            assert_eq!(words(&world, node, ".1.incr.aof"), "select 0 set a 1");
        }
    }
}

#[test]
fn what_is_no_command_stops_the_start() {
    for tail in [
        "\0\0*1\r\n",
        "!!\r\n",
        "*0\r\n",
        "*1\r\n$3\r\nbla\r\n",
        "*x\r\n",
        "\r\n",
    ] {
        let text = [&encoded("set a 1")[..], tail.as_bytes()].concat();
        let files = with(&[(".manifest", ONE_FILE), (".1.incr.aof", &text)]);
        let mut world = World::new(1);
        let node = world.start("appendonly yes", files);
        assert_eq!(world.nodes[node].exit, Some(1), "{tail}");
    }
}

#[test]
fn clients_are_told_while_it_is_loaded() {
    let text = encoded("set a 1").repeat(20_000);
    let files = with(&[(".manifest", ONE_FILE), (".1.incr.aof", &text)]);
    let mut world = World::new(1);
    let node = world.start_stuck("appendonly yes", files);
    for _ in 0..14 {
        world.disk_step(node);
    }
    let a = world.client(node);
    assert!(world.ask_at(node, a, "get a").starts_with("-LOADING"));
    let total = text.len().to_string();
    assert_eq!(world.info(node, "loading"), "1");
    assert_eq!(world.info(node, "loading_total_bytes"), total);
    assert_ne!(world.info(node, "loading_loaded_bytes"), "0");
    world.nodes[node].disk.stuck = false;
    world.settle();
    assert_eq!(world.ask_at(node, a, "get a"), "$1|1|");
}

#[test]
fn a_single_file_of_an_old_server_is_taken_over() {
    let files = BTreeMap::from([("appendonly.aof".to_owned(), encoded("set a 1"))]);
    let mut world = World::new(1);
    let node = world.start("appendonly yes", files);
    let a = world.client(node);
    assert_eq!(world.ask_at(node, a, "get a"), "$1|1|");
    let expected = [
        "appendonly.aof",
        "appendonly.aof.1.incr.aof",
        "appendonly.aof.manifest",
    ];
    assert_eq!(names(&world, node), expected);
}

#[test]
fn debug_loadaof_brings_back_what_was_written() {
    let mut world = World::single("appendonly yes\nenable-debug-command yes");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(a, "set a 1");
    world.ask(a, "lpush l 1 2 3");
    world.ask(a, "set short 1 px 1");
    world.wait(10);
    let digest = world.digest(0);
    world.feed(0, a, &[encoded("debug loadaof"), encoded("get a")].concat());
    world.turn(0);
    world.turn(0);
    world.feed(0, b, &encoded("get a"));
    world.settle();
    assert_eq!(world.heard(a), "+OK|$1|1|");
    assert!(world.heard(b).starts_with("-LOADING"));
    assert_eq!(world.digest(0), digest);
    let text = file(&world, 0, ".1.incr.aof");
    assert_eq!(text.matches("lpush").count(), 1, "nothing is written twice");
}

#[test]
fn what_a_killed_process_left_unsynced_is_synced_before_it_is_served() {
    let mut world = World::single("appendonly yes\nappendfsync no");
    let a = world.client(0);
    world.ask(a, "set a 1");
    let again = world.restart(0, "appendonly yes\nappendfsync no");
    assert_eq!(world.nodes[again].disk.syncs, 1);
    let files = core::mem::take(&mut world.nodes[again].disk.files);
    let stuck = world.start_stuck("appendonly yes", files);
    while world.nodes[stuck].disk.syncs == 0 {
        let b = world.client(stuck);
        let reply = world.ask_at(stuck, b, "get a");
        assert!(reply.is_empty() || reply.starts_with("-LOADING"), "{reply}");
        world.disk_step(stuck);
    }
}

#[test]
fn shutdown_makes_everything_durable() {
    for policy in ["always", "everysec", "no"] {
        let config = format!("appendonly yes\nappendfsync {policy}");
        let mut world = World::single(&config);
        let a = world.client(0);
        world.ask(a, "set a 1");
        let syncs = world.nodes[0].disk.syncs;
        world.nodes[0].disk.stuck = true;
        world.feed(0, a, &[encoded("set b 1"), encoded("shutdown")].concat());
        world.settle();
        assert_eq!(world.nodes[0].exit, None, "{policy}: it waits for the disk");
        world.nodes[0].disk.stuck = false;
        world.settle();
        assert_eq!(world.nodes[0].exit, Some(0));
        assert!(world.nodes[0].disk.syncs > syncs, "{policy}");
        let again = world.restart(0, &config);
        let b = world.client(again);
        assert_eq!(world.ask_at(again, b, "mget a b"), "*2|$1|1|$1|1|");
    }
}

#[test]
fn shutdown_waits_for_no_first_file_unless_forced() {
    let mut world = World::single("save ''");
    let a = world.client(0);
    world.nodes[0].disk.stuck = true;
    world.ask(a, "config set appendonly yes");
    assert_eq!(
        world.ask(a, "shutdown"),
        "-ERR Errors trying to SHUTDOWN. Check logs.|"
    );
    world.ask(a, "shutdown force");
    assert_eq!(world.nodes[0].exit, Some(0));
}

#[test]
fn a_replica_writes_what_its_master_sends() {
    for load in ["disabled", "swapdb"] {
        let mut world = World::new(3);
        world.start("", BTreeMap::new());
        let a = world.client(0);
        world.ask(a, "set before 1");
        let config = format!("replicaof 127.0.0.1 6379\nappendonly yes\nrepl-diskless-load {load}");
        world.start(&config, BTreeMap::new());
        world.wait(3_000);
        for command in ["set a 1 ex 100", "multi", "incr n", "lpush l x", "exec"] {
            world.ask(a, command);
        }
        world.wait(3_000);
        assert_eq!(world.digest(1), world.digest(0), "{load}");
        assert_eq!(
            words(&world, 1, ".2.incr.aof"),
            "SELECT 0 SET a 1 PXAT 1700000103000 MULTI incr n lpush l x EXEC"
        );
        let digest = world.digest(1);
        let again = world.restart(1, "appendonly yes");
        assert_eq!(world.digest(again), digest, "{load}");
    }
}

#[test]
fn a_promoted_replica_goes_on_with_its_file() {
    let mut world = World::new(3);
    world.start("", BTreeMap::new());
    world.start("replicaof 127.0.0.1 6379\nappendonly yes", BTreeMap::new());
    world.wait(3_000);
    let (a, b) = (world.client(0), world.client(1));
    world.ask(a, "set a 1");
    world.wait(100);
    world.ask_at(1, b, "replicaof no one");
    world.ask_at(1, b, "set b 1");
    let digest = world.digest(1);
    let again = world.restart(1, "appendonly yes");
    assert_eq!(world.digest(again), digest);
}

#[test]
fn waitaof_answers_when_our_own_file_is_durable() {
    let mut world = World::single("appendonly yes");
    let a = world.client(0);
    world.ask(a, "set a 1");
    world.feed(0, a, &encoded("waitaof 1 0 0"));
    world.wait(500);
    assert_eq!(world.heard(a), "");
    world.wait(1_000);
    assert_eq!(world.heard(a), "*2|:1|:0|");
    assert_eq!(world.ask(a, "waitaof 1 0 0"), "*2|:1|:0|", "all is durable");
    world.ask(a, "set a 2");
    world.feed(0, a, &encoded("waitaof 1 0 100"));
    world.wait(200);
    assert_eq!(world.heard(a), "*2|:0|:0|", "its time was over");
    let range = "-ERR value is out of range, value must between 0 and 1|";
    assert_eq!(world.ask(a, "waitaof 2 0 0"), range);
    world.ask(a, "config set appendonly no");
    assert!(
        world
            .ask(a, "waitaof 1 0 0")
            .starts_with("-ERR WAITAOF cannot be used when numlocal")
    );
    assert_eq!(world.ask(a, "waitaof 0 0 0"), "*2|:0|:0|");
}

#[test]
fn waitaof_counts_the_replicas_whose_file_is_durable() {
    let mut world = World::new(3);
    world.start("appendonly yes", BTreeMap::new());
    world.start("replicaof 127.0.0.1 6379\nappendonly yes", BTreeMap::new());
    world.start("replicaof 127.0.0.1 6379", BTreeMap::new());
    world.wait(3_000);
    let a = world.client(0);
    world.nodes[1].disk.stuck = true;
    world.ask(a, "set a 1");
    assert_eq!(world.ask(a, "wait 2 0"), ":2|");
    world.feed(0, a, &encoded("waitaof 1 1 0"));
    world.wait(3_000);
    assert_eq!(world.heard(a), "");
    world.nodes[1].disk.stuck = false;
    world.wait(3_000);
    assert_eq!(world.heard(a), "*2|:1|:1|");
    world.feed(0, a, &encoded("waitaof 0 2 500"));
    world.wait(1_000);
    assert_eq!(
        world.heard(a),
        "*2|:1|:1|",
        "it is told what is durable here anyway"
    );
}

#[test]
fn waitaof_waits_for_a_first_file_to_count() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "set a 1");
    world.nodes[0].disk.stuck = true;
    world.ask(a, "config set appendonly yes");
    world.feed(0, a, &encoded("waitaof 1 0 0"));
    world.settle();
    assert_eq!(world.heard(a), "");
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.heard(a), "*2|:1|:0|");
}

#[test]
fn debug_loadaof_needs_no_file_that_is_written_to() {
    let mut world = World::single("enable-debug-command yes");
    let a = world.client(0);
    let failed = "-ERR Error trying to load the AOF files, check server logs.|";
    assert_eq!(world.ask(a, "debug loadaof"), failed);
    world.ask(a, "rpush l 1 2 3");
    world.ask(a, "bgrewriteaof");
    world.ask(a, "flushall");
    assert_eq!(world.ask(a, "debug loadaof"), "+OK|");
    assert_eq!(world.ask(a, "llen l"), ":3|");
}

#[test]
fn a_file_that_was_not_loaded_is_not_written_over() {
    let mut world = World::single("appendonly yes");
    let a = world.client(0);
    world.ask(a, "set old 1");
    let config = "appendonly no\nsave ''";
    let node = world.restart(0, config);
    let b = world.client(node);
    world.ask_at(node, b, "set new 1");
    let files = world.nodes[node].disk.files.clone();
    world.nodes[node].disk.stuck = true;
    world.ask_at(node, b, "config set appendonly yes");
    assert_eq!(world.info(node, "aof_rewrite_in_progress"), "1");
    // Until the new log counts, the old one is there as it was.
    for _ in 0..100 {
        let manifest = &world.nodes[node].disk.files[&format!("{DIR}.manifest")];
        if *manifest != files[&format!("{DIR}.manifest")] {
            break;
        }
        for name in [".1.base.rdb", ".1.incr.aof"] {
            let name = format!("{DIR}{name}");
            assert_eq!(world.nodes[node].disk.files[&name], files[&name]);
        }
        world.disk_step(node);
    }
    world.nodes[node].disk.stuck = false;
    world.settle();
    let expected = [
        "appendonly.aof.2.base.rdb",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.manifest",
    ];
    assert_eq!(names(&world, node), expected);
    let again = world.restart(node, "appendonly yes");
    assert_eq!(world.digest(again), world.digest(node));
}

#[test]
fn a_manifest_that_makes_no_sense_is_not_replaced() {
    let mut world = World::new(1);
    let node = world.start("", with(&[(".manifest", b"nonsense\n")]));
    let a = world.client(node);
    world.ask_at(node, a, "bgrewriteaof");
    assert_eq!(world.info(node, "aof_last_bgrewrite_status"), "err");
    assert_eq!(file(&world, node, ".manifest"), "nonsense\n");
    world.ask_at(node, a, "config set appendonly yes");
    world.wait(5_000);
    assert_eq!(file(&world, node, ".manifest"), "nonsense\n");
}

#[test]
fn a_replica_goes_on_in_the_stream_where_its_file_ends() {
    for policy in ["always", "everysec"] {
        let mut world = World::new(3);
        world.start("", BTreeMap::new());
        let config = format!("replicaof 127.0.0.1 6379\nappendonly yes\nappendfsync {policy}");
        world.start(&config, BTreeMap::new());
        world.wait(3_000);
        let a = world.client(0);
        world.ask(a, "select 2");
        world.ask(a, "set a 1");
        world.wait(2_000);
        let again = world.restart(1, &config);
        world.ask(a, "set b 1");
        world.wait(3_000);
        assert_eq!(world.info(0, "sync_full"), "1", "{policy}");
        assert_eq!(world.info(0, "sync_partial_ok"), "1", "{policy}");
        assert_eq!(world.digest(again), world.digest(0), "{policy}");
    }
}

#[test]
fn a_master_is_gone_on_with_after_a_restart_from_its_file() {
    let mut world = World::new(3);
    world.start("appendonly yes\nappendfsync always", BTreeMap::new());
    world.start("replicaof 127.0.0.1 6379", BTreeMap::new());
    world.wait(3_000);
    let (a, b) = (world.client(0), world.client(1));
    world.ask(a, "set a 1");
    world.ask(a, "bgrewriteaof");
    world.ask(a, "set b 1");
    world.wait(12_000);
    let before = world.info(0, "master_replid");
    let again = world.restart(0, "appendonly yes\nappendfsync always");
    assert_eq!(world.info(again, "master_replid2"), before);
    world.ask_at(1, b, "replicaof 127.0.0.1 6381");
    world.wait(3_000);
    assert_eq!(world.info(again, "sync_partial_ok"), "1");
    assert_eq!(world.info(again, "sync_full"), "0");
    let c = world.client(again);
    world.ask_at(again, c, "set c 1");
    world.wait(100);
    assert_eq!(world.digest(1), world.digest(again));
}

#[test]
fn a_file_that_goes_beyond_its_last_note_of_the_place_tells_none() {
    let mut world = World::new(3);
    world.start("appendonly yes", BTreeMap::new());
    world.start("replicaof 127.0.0.1 6379", BTreeMap::new());
    world.wait(3_000);
    let a = world.client(0);
    world.ask(a, "set a 1");
    let name = format!("{DIR}.1.incr.aof");
    let text = world.nodes[0].disk.files.get_mut(&name).unwrap();
    assert!(text.windows(6).any(|window| window == b"#REPL:"));
    text.extend_from_slice(&encoded("set unknown 1"));
    let before = world.info(0, "master_replid");
    let again = world.restart(0, "appendonly yes");
    let none = "0".repeat(40);
    assert_eq!(world.info(again, "master_replid2"), none);
    assert_ne!(world.info(again, "master_replid"), before);
}

#[test]
fn a_rewrite_that_a_client_asks_for_does_not_wait_for_what_failed_before() {
    let mut world = World::single("appendonly yes\nsave ''");
    let a = world.client(0);
    world.ask(a, "set a 1");
    for n in 1..=4 {
        world.nodes[0].disk.stuck = true;
        world.ask(a, "bgrewriteaof");
        for _ in 0..12 {
            world.disk_step(0);
        }
        world.nodes[0].disk.full = true;
        world.nodes[0].disk.stuck = false;
        world.settle();
        world.nodes[0].disk.full = false;
        world.wait(2_000);
        let failures = world.info(0, "aof_rewrites_consecutive_failures");
        assert_eq!(failures, n.to_string());
    }
    world.ask(a, "bgrewriteaof");
    assert_eq!(world.info(0, "aof_last_bgrewrite_status"), "ok");
    assert_eq!(world.info(0, "aof_rewrites_consecutive_failures"), "0");
}

#[test]
fn switching_it_off_ends_a_rewrite_which_is_no_failure() {
    let mut world = World::single("appendonly yes");
    let a = world.client(0);
    world.ask(a, "set a 1");
    world.nodes[0].disk.stuck = true;
    world.ask(a, "bgrewriteaof");
    for _ in 0..12 {
        world.disk_step(0);
    }
    world.feed(0, a, &encoded("config set appendonly no"));
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.info(0, "aof_rewrite_in_progress"), "0");
    assert_eq!(world.info(0, "aof_rewrites_consecutive_failures"), "0");
    let again = world.restart(0, "appendonly yes");
    assert_eq!(world.digest(again), world.digest(0));
}

#[test]
fn a_rewrite_behind_flushall_does_not_count_as_waiting() {
    let mut world = World::single("save 3600 1\nappendonly yes");
    let a = world.client(0);
    world.ask(a, "set a 1");
    world.nodes[0].disk.stuck = true;
    world.ask(a, "flushall");
    // FLUSHALL is answered when the disk has it.
    let b = world.client(0);
    let begun = "+Background append only file rewriting started|";
    world.feed(0, b, &encoded("bgrewriteaof"));
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.heard(a), "+OK|");
    assert_eq!(world.heard(b), begun);
    assert_eq!(world.info(0, "aof_rewrites"), "1");
}

#[test]
fn a_master_whose_disk_fails_has_replicas_all_the_same() {
    let mut world = World::new(3);
    world.start("appendonly yes", BTreeMap::new());
    let a = world.client(0);
    world.ask(a, "set a 1");
    world.nodes[0].disk.full = true;
    world.ask(a, "set b 1");
    assert!(world.ask(a, "ping").starts_with("-MISCONF"));
    world.start("replicaof 127.0.0.1 6379", BTreeMap::new());
    world.wait(5_000);
    assert_eq!(world.digest(1), world.digest(0));
    assert_eq!(world.info(1, "master_link_status"), "up");
}

#[test]
fn what_a_writable_replica_expires_itself_goes_to_its_own_file() {
    let config = "repl-diskless-sync-delay 0\nreplica-read-only no\nappendonly yes";
    let mut world = super::replication::pair(12, config);
    let b = world.client(1);
    assert_eq!(world.ask_at(1, b, "set k 1 px 1"), "+OK|");
    world.wait(2_000);
    assert_eq!(world.info(1, "expired_keys"), "1");
    assert_eq!(world.ask_at(1, b, "dbsize"), ":0|");
    let files = &world.nodes[1].disk.files;
    let newest = files.keys().rfind(|name| name.ends_with(".incr.aof"));
    let text = &files[newest.expect("it writes one")];
    let deletion = b"DEL\r\n$1\r\nk\r\n";
    let deleted = text.windows(deletion.len()).any(|part| part == deletion);
    assert!(deleted, "{}", text.escape_ascii());
}

#[test]
fn commands_with_large_arguments_are_read_again() {
    for len in [1_000, 32_767, 32_768, 40_000, 131_072, 1_000_000] {
        let mut world = World::single("appendonly yes");
        let a = world.client(0);
        let text = "x".repeat(len);
        world.ask(a, &format!("set first {text}"));
        world.ask(a, &format!("append {text} 1"));
        world.ask(a, "set last 1");
        let digest = world.digest(0);
        let again = world.restart(0, "appendonly yes");
        assert_eq!(world.digest(again), digest, "{len}");
    }
}
