//! Files of the append-only file that are of no use any more (`aof-disable-auto-gc`).

use super::harness::{World, encoded};

const DIR: &str = "appendonlydir/appendonly.aof";
const FIRST: [&str; 2] = ["1.base.rdb", "1.incr.aof"];
const SECOND: [&str; 2] = ["2.base.rdb", "2.incr.aof"];

/// The files of the first node's log without its manifest, by what comes behind its name.
fn files(world: &World) -> Vec<&str> {
    let names = world.nodes[0].disk.files.keys();
    let parts = names.filter_map(|name| name.strip_prefix(DIR)?.strip_prefix('.'));
    parts.filter(|part| *part != "manifest").collect()
}

fn manifest(world: &World) -> String {
    let bytes = &world.nodes[0].disk.files[&format!("{DIR}.manifest")];
    String::from_utf8_lossy(bytes).into()
}

#[test]
fn files_that_are_of_no_use_any_more_stay_until_they_may_go() {
    let mut world = World::single("appendonly yes");
    let a = world.client(0);
    assert_eq!(files(&world), FIRST);
    world.ask(a, "bgrewriteaof");
    assert_eq!(files(&world), SECOND);
    world.ask(a, "config set aof-disable-auto-gc yes");
    world.ask(a, "bgrewriteaof");
    assert_eq!(files(&world).len(), 4);
    assert_eq!(manifest(&world).matches(" type h").count(), 2);
    world.ask(a, "config set aof-disable-auto-gc no");
    assert_eq!(files(&world), ["3.base.rdb", "3.incr.aof"]);
    assert_eq!(manifest(&world).matches(" type h").count(), 0);
}

#[test]
fn files_that_may_go_while_a_rewrite_runs_go_when_it_ends_however_it_does() {
    let mut world = World::single("appendonly yes\naof-disable-auto-gc yes");
    let a = world.client(0);
    world.ask(a, "bgrewriteaof");
    assert_eq!(files(&world).len(), 4);
    world.nodes[0].disk.stuck = true;
    world.ask(a, "bgrewriteaof");
    world.feed(0, a, &encoded("config set aof-disable-auto-gc no"));
    world.nodes[0].disk.full = true;
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.info(0, "aof_last_bgrewrite_status"), "err");
    assert!(FIRST.iter().all(|name| !files(&world).contains(name)));
    assert!(SECOND.iter().all(|name| files(&world).contains(name)));
    // The disk takes no new manifest, either: what is gone is named on until it does.
    world.nodes[0].disk.full = false;
    world.ask(a, "bgrewriteaof");
    assert_eq!(manifest(&world).matches(" type h").count(), 0);
}

#[test]
fn no_file_goes_that_the_manifest_may_name_after_a_crash() {
    let mut world = World::single("appendonly yes\naof-disable-auto-gc yes");
    let a = world.client(0);
    world.nodes[0].disk.stuck = true;
    world.ask(a, "bgrewriteaof");
    while !manifest(&world).contains("2.base.rdb") {
        world.disk_step(0);
    }
    world.nodes[0].disk.fails_to_sync_dir = true;
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.info(0, "aof_last_write_status"), "err");
    world.ask(a, "config set aof-disable-auto-gc no");
    assert!(FIRST.iter().all(|name| files(&world).contains(name)));
    world.nodes[0].disk.fails_to_sync_dir = false;
    world.wait(3_000);
    assert_eq!(world.info(0, "aof_last_write_status"), "ok");
    assert_eq!(files(&world), ["3.base.rdb", "3.incr.aof"]);
}
