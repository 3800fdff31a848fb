//! Datasets from a master that go past the disk (`repl-diskless-load`).

use super::harness::{World, encoded};
use crate::machine::Machine as _;
use crate::persist::rdb::{Encoder, Preamble};
use std::collections::BTreeMap;

/// A dataset's file that holds nothing but a function library of this name.
fn with_library(name: &str) -> BTreeMap<String, Vec<u8>> {
    let mut encoder = Encoder::new(true, true);
    encoder.preamble(&Preamble::default());
    let text = format!("#!lua name={name}\nredis.register_function('f', function() end)");
    encoder.function(text.as_bytes());
    encoder.eof();
    let mut file = Vec::new();
    while let Some(chunk) = encoder.poll_chunk() {
        file.extend_from_slice(&chunk);
    }
    BTreeMap::from([("dump.rdb".to_owned(), file)])
}

/// Whether the file that a node has saved holds a library of this name.
fn holds(world: &World, node: usize, name: &str) -> bool {
    let file = &world.nodes[node].disk.files["dump.rdb"];
    let text = format!("#!lua name={name}\n");
    file.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn functions_come_with_a_dataset_however_it_is_loaded() {
    for load in ["disabled", "on-empty-db", "swapdb"] {
        let mut world = World::new(1);
        world.start("rdbcompression no", with_library("theirs"));
        let config = format!("rdbcompression no\nrepl-diskless-load {load}");
        let replica = world.start(&config, with_library("ours"));
        let b = world.client(replica);
        assert_eq!(world.ask_at(replica, b, "save"), "+OK|");
        assert!(holds(&world, replica, "ours"), "{load}");
        world.ask_at(replica, b, "replicaof 127.0.0.1 6379");
        world.wait(3_000);
        assert_eq!(world.info(replica, "master_link_status"), "up", "{load}");
        assert_eq!(world.ask_at(replica, b, "save"), "+OK|");
        assert!(holds(&world, replica, "theirs"), "{load}");
        assert!(!holds(&world, replica, "ours"), "{load}");
    }
}

#[test]
fn a_dataset_goes_past_the_disk_if_there_was_none_or_always_as_it_is_wanted() {
    for (load, keys, past) in [
        ("disabled", false, false),
        ("disabled", true, false),
        ("on-empty-db", false, true),
        ("on-empty-db", true, false),
        ("swapdb", false, true),
        ("swapdb", true, true),
    ] {
        let mut world = World::new(1);
        world.start("", BTreeMap::new());
        let a = world.client(0);
        world.ask(a, "set k theirs");
        let config = format!("save ''\nrepl-diskless-load {load}");
        let replica = world.start(&config, BTreeMap::new());
        let b = world.client(replica);
        if keys {
            world.ask_at(replica, b, "set k ours");
        }
        world.ask_at(replica, b, "replicaof 127.0.0.1 6379");
        world.wait(3_000);
        assert_eq!(world.ask_at(replica, b, "get k"), "$6|theirs|", "{load}");
        let files = &world.nodes[replica].disk.files;
        assert_eq!(!files.contains_key("dump.rdb"), past, "{load} {keys}");
    }
}

/// A replica that receives ten keys, a second for each, and had none or an earlier state of them.
fn receiving(own_history: bool) -> World {
    let mut world = World::new(1);
    world.start("repl-backlog-size 16kb\nrdbcompression no", BTreeMap::new());
    let replica = world.start("repl-diskless-load swapdb", BTreeMap::new());
    let (a, b) = (world.client(0), world.client(replica));
    if own_history {
        world.ask_at(replica, b, "replicaof 127.0.0.1 6379");
        world.wait(3_000);
        world.deaf(replica, true);
        world.cut();
    }
    let text = "x".repeat(100_000);
    for n in 0..10 {
        world.ask(a, &format!("set key{n} {text}"));
    }
    world.ask(a, "config set rdb-key-save-delay 1000000");
    if own_history {
        world.deaf(replica, false);
    } else {
        world.ask_at(replica, b, "replicaof 127.0.0.1 6379");
    }
    world.wait(5_000);
    assert_eq!(world.info(replica, "master_sync_in_progress"), "1");
    world
}

#[test]
fn info_tells_how_far_a_dataset_is_that_goes_past_the_disk() {
    for own_history in [false, true] {
        let mut world = receiving(own_history);
        let beside = u8::from(own_history);
        assert_eq!(world.info(1, "async_loading"), beside.to_string());
        assert_eq!(world.info(1, "loading"), (1 - beside).to_string());
        let number = |world: &mut World, field| world.info(1, field).parse::<u64>().unwrap();
        let now = u64::try_from(world.now().wall.as_secs()).unwrap();
        let elapsed = now - number(&mut world, "loading_start_time");
        assert!((3..=5).contains(&elapsed), "{elapsed}");
        assert_eq!(number(&mut world, "loading_total_bytes"), 0);
        let memory = number(&mut world, "loading_rdb_used_mem");
        assert!(memory > 1_000_000, "{memory}");
        let keys = number(&mut world, "rdb_last_load_keys_loaded");
        assert!((3..=6).contains(&keys), "{keys}");
        let read = number(&mut world, "loading_loaded_bytes");
        assert!(read > 0);
        for set in ["appendonly yes", "repl-diskless-load disabled"] {
            let client = world.client(1);
            let answer = world.ask_at(1, client, &format!("config set {set}"));
            let loading = "-LOADING Redis is loading the dataset in memory|";
            assert_eq!(answer, loading, "{set}");
        }
        // How much there is can only be guessed.
        let percent = format!("{:.2}", 100.0 * read as f64 / memory as f64);
        assert_eq!(world.info(1, "loading_loaded_perc"), percent);
        let eta = number(&mut world, "loading_eta_seconds");
        assert_eq!(eta, elapsed * (memory - read) / (read + 1));
        world.wait(8_000);
        assert_eq!(world.info(1, "master_link_status"), "up");
        assert_eq!(world.info(1, "rdb_last_load_keys_loaded"), "10");
        let client = world.client(1);
        let report = world.ask_at(1, client, "info persistence");
        assert!(!report.contains("loading_start_time"), "{report}");
    }
}

#[test]
fn a_dataset_that_goes_past_the_disk_has_the_size_that_was_announced() {
    let mut world = World::new(1);
    world.start("repl-diskless-sync no\nsave ''", BTreeMap::new());
    let (a, text) = (world.client(0), "x".repeat(100_000));
    world.ask(a, &format!("set k {text}"));
    let config = "repl-diskless-load swapdb\nreplicaof 127.0.0.1 6379\nsave ''";
    let replica = world.start_stuck(config, BTreeMap::new());
    world.nodes[replica].disk.stuck = false;
    let arriving = |world: &World| {
        let receiving = world.nodes[replica].server.st.persist.receiving.as_ref();
        let progress = receiving.map(|receiving| receiving.progress);
        progress.filter(|progress| progress.read > 0)
    };
    for _ in 0..10_000 {
        for node in [0, replica] {
            let now = world.now();
            world.nodes[node].server.handle_timeout(now);
            world.turn(node);
        }
        world.carry();
        if arriving(&world).is_some() {
            break;
        }
    }
    let progress = arriving(&world).expect("a dataset arrives");
    let len = world.nodes[0].disk.files["dump.rdb"].len() as u64;
    assert_eq!(progress.total, len);
    assert!(progress.read < len);
}

#[test]
fn what_was_durable_in_one_history_is_forgotten_with_it_even_while_the_file_is_ended() {
    let mut world = World::single("appendonly yes\nappendfsync always");
    let a = world.client(0);
    world.ask(a, "set k 1");
    let durable = |world: &World| world.nodes[0].server.st.aof.durable();
    assert!(durable(&world).is_some());
    world.nodes[0].disk.stuck = true;
    for command in ["set k 2", "config set appendonly no"] {
        world.feed(0, a, &encoded(command));
        world.settle();
    }
    assert!(!world.nodes[0].server.st.aof.is_on());
    assert!(durable(&world).is_some(), "the disk has yet to answer");
    world.nodes[0].server.abandon_aof();
    assert_eq!(durable(&world), None);
}
