//! Datasets from a master that go past the disk (`repl-diskless-load`).

use super::harness::World;
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
