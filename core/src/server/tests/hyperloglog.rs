//! HyperLogLogs.

use super::harness::{World, encoded};

#[test]
fn elements_are_counted_once_however_often_they_are_added() {
    let mut world = World::single("");
    let a = world.client(0);
    for (command, answer) in [
        ("pfadd k", ":1|"),
        ("pfadd k", ":0|"),
        ("pfadd k a b c", ":1|"),
        ("pfadd k a b c", ":0|"),
        ("pfcount k", ":3|"),
        ("pfadd other c d", ":1|"),
        ("pfcount k other missing", ":4|"),
        ("pfcount missing", ":0|"),
        ("pfmerge all k other missing", "+OK|"),
        ("pfcount all", ":4|"),
        ("pfmerge new missing", "+OK|"),
        ("pfcount new", ":0|"),
        ("object encoding k", "$3|raw|"),
        ("pfselftest", "+OK|"),
    ] {
        assert_eq!(world.ask(a, command), answer, "{command}");
    }
}

#[test]
fn the_inside_is_shown_and_becomes_dense_on_demand() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "pfadd k x");
    for (command, answer) in [
        ("pfdebug decode k", "$17|Z:16374 v:2,1 z:9|"),
        ("pfdebug encoding k", "+sparse|"),
        ("pfdebug todense k", ":1|"),
        ("pfdebug ToDense k", ":0|"),
        ("pfdebug encoding k", "+dense|"),
        ("pfdebug decode k", "-ERR HLL encoding is not sparse|"),
        ("strlen k", ":12304|"),
        ("pfadd k x", ":0|"),
        ("pfadd k y", ":1|"),
        ("pfcount k", ":2|"),
        ("pfdebug Foo k", "-ERR Unknown PFDEBUG subcommand 'Foo'|"),
        (
            "pfdebug encoding missing",
            "-ERR The specified key does not exist|",
        ),
    ] {
        assert_eq!(world.ask(a, command), answer, "{command}");
    }
    world.ask(a, "pfadd r x");
    let registers = world.ask(a, "pfdebug getreg r");
    let registers: Vec<&str> = registers.trim_end_matches('|').split('|').collect();
    assert_eq!(registers.len(), 16_385);
    assert_eq!(registers[0], "*16384");
    assert_eq!(registers[16_375], ":2");
    assert_eq!(world.ask(a, "pfdebug encoding r"), "+dense|");
}

#[test]
fn one_that_grows_beyond_its_limit_becomes_dense() {
    let mut world = World::single("hll-sparse-max-bytes 30");
    let a = world.client(0);
    world.ask(a, "pfadd k a b");
    assert_eq!(world.ask(a, "pfdebug encoding k"), "+sparse|");
    world.ask(a, "pfadd k c d e f g");
    assert_eq!(world.ask(a, "pfdebug encoding k"), "+dense|");
    assert_eq!(world.ask(a, "pfcount k"), ":7|");
    world.ask(a, "config set hll-sparse-max-bytes 3000");
    world.ask(a, "pfadd small x");
    world.ask(a, "pfmerge small k");
    assert_eq!(world.ask(a, "pfdebug encoding small"), "+dense|");
    assert_eq!(world.ask(a, "pfcount small"), ":8|");
}

#[test]
fn strings_that_are_none_or_are_damaged_are_refused() {
    let mut world = World::single("");
    let a = world.client(0);
    const FOREIGN: &str = "-WRONGTYPE Key is not a valid HyperLogLog string value.|";
    const CORRUPT: &str = "-INVALIDOBJ Corrupted HLL object detected|";
    world.ask(a, "mset s HYLL n 1");
    world.ask(a, "rpush list x");
    world.ask(a, "pfadd k a b c");
    world.ask(a, "append k hello");
    for (command, answer) in [
        ("pfadd s x", FOREIGN),
        ("pfcount n", FOREIGN),
        ("pfcount n k", FOREIGN),
        ("pfmerge d s", FOREIGN),
        ("pfmerge s k", FOREIGN),
        ("pfcount k", CORRUPT),
        ("pfcount k k", CORRUPT),
        ("pfmerge d k", CORRUPT),
        ("pfdebug todense k", CORRUPT),
        ("exists d", ":0|"),
        ("strlen k", ":32|"),
    ] {
        assert_eq!(world.ask(a, command), answer, "{command}");
    }
    for command in ["pfadd list x", "pfcount list", "pfmerge d list"] {
        assert!(world.ask(a, command).starts_with("-WRONGTYPE Operation"));
    }
}

#[test]
fn elements_that_meet_damage_are_not_added_and_neither_are_those_before_them() {
    let mut world = World::single("");
    let a = world.client(0);
    // The registers end behind that of `a`.
    let damaged = "HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x72\0";
    world.ask(a, &format!("set k {damaged}"));
    let refused = world.ask(a, "pfadd k a b");
    assert_eq!(refused, "-INVALIDOBJ Corrupted HLL object detected|");
    assert_eq!(world.ask(a, "get k"), format!("$18|{damaged}|"));
    assert_eq!(world.ask(a, "pfadd k a"), ":1|");
}

#[test]
fn counting_is_a_change_when_the_estimate_was_stale() {
    let mut world = World::single("notify-keyspace-events KA");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(b, "psubscribe __keyspace@0__:*");
    let mut changes = 0;
    for (command, more, event) in [
        ("pfadd k", 1, "pfadd"),
        ("pfadd k a b c", 3, "pfadd"),
        ("pfadd k a", 0, ""),
        ("pfcount k", 1, ""),
        ("pfcount k", 0, ""),
        ("pfcount k k", 0, ""),
        ("pfmerge d k", 1, "pfadd"),
        ("pfadd new a", 2, "pfadd"),
    ] {
        world.ask(a, command);
        changes += more;
        let total = world.info(0, "rdb_changes_since_last_save");
        assert_eq!(total, changes.to_string(), "{command}");
        let heard = world.heard(b);
        let heard = heard.trim_end_matches('|').rsplit('|').next();
        assert_eq!(heard, Some(event), "{command}");
    }
    world.ask(b, "punsubscribe");
    world.ask(b, "watch d");
    world.ask(a, "pfcount d");
    world.ask(b, "multi");
    assert_eq!(world.ask(b, "exec"), "*-1|");
}

#[test]
fn replicas_hold_the_same_bytes() {
    let mut world = World::new(4);
    world.start("", Default::default());
    world.start("replicaof 127.0.0.1 6379", Default::default());
    world.wait(3_000);
    let a = world.client(0);
    for n in 0..600 {
        let command = match n % 10 {
            8 => "pfcount k".into(),
            9 => format!("pfmerge k{} k", n % 3),
            _ => format!("pfadd k {n} {} {}", n * 7, n * 11),
        };
        world.feed(0, a, &encoded(&command));
    }
    world.wait(50);
    assert_eq!(world.digest(0), world.digest(1));
    let count = world.ask(a, "pfcount k");
    let count: Vec<&str> = count.trim_end_matches('|').rsplit('|').collect();
    let b = world.client(1);
    world.wait(50);
    assert_eq!(world.ask_at(1, b, "pfcount k"), format!("{}|", count[0]));
}
