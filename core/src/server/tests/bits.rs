//! Bits of strings.

use super::harness::{World, encoded};

#[test]
fn bits_are_set_and_read_and_the_string_grows() {
    let mut world = World::single("");
    let a = world.client(0);
    assert_eq!(world.ask(a, "setbit k 7 1"), ":0|");
    assert_eq!(world.ask(a, "setbit k 7 0"), ":1|");
    assert_eq!(world.ask(a, "setbit k 9 1"), ":0|");
    assert_eq!(world.ask(a, "getbit k 9"), ":1|");
    assert_eq!(world.ask(a, "getbit k 900"), ":0|");
    assert_eq!(world.ask(a, "getbit missing 0"), ":0|");
    assert_eq!(world.ask(a, "get k"), "$2|\0@|");
    world.ask(a, "set n 1");
    assert_eq!(world.ask(a, "setbit n 6 1"), ":0|");
    assert_eq!(world.ask(a, "get n"), "$1|3|");
    assert_eq!(world.ask(a, "object encoding n"), "$3|raw|");
}

#[test]
fn arguments_of_bit_commands_are_checked_as_in_redis() {
    let mut world = World::single("");
    let a = world.client(0);
    const OFFSET: &str = "-ERR bit offset is not an integer or out of range|";
    const TYPE: &str = "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is \
                        not supported but i64 is.|";
    const INTEGER: &str = "-ERR value is not an integer or out of range|";
    const SYNTAX: &str = "-ERR syntax error|";
    const BIT: &str = "-ERR bit is not an integer or out of range|";
    world.ask(a, "set abc abc");
    world.ask(a, "rpush list x");
    for (command, answer) in [
        ("setbit k -1 2", OFFSET),
        ("setbit k 4294967296 1", OFFSET),
        ("getbit k 4294967296", OFFSET),
        ("setbit k 0 2", BIT),
        ("setbit k 4294967295 x", BIT),
        ("bitcount abc 0", SYNTAX),
        ("bitcount abc 0 x foo", INTEGER),
        ("bitcount missing 0 1 foo", SYNTAX),
        ("bitcount missing 0 1 bit 2", SYNTAX),
        ("bitpos abc 2", "-ERR The bit argument must be 1 or 0.|"),
        ("bitpos missing 1 0 x foo", SYNTAX),
        ("bitpos missing 1 0 x bit", INTEGER),
        ("bitpos abc 1 0 1 bit 2", SYNTAX),
        ("bitop nand d abc", SYNTAX),
        (
            "bitop not d abc abc",
            "-ERR BITOP NOT must be called with a single source key.|",
        ),
        ("bitfield k get u64 0", TYPE),
        ("bitfield k get U8 0", TYPE),
        ("bitfield k get u8 #x", OFFSET),
        ("bitfield k get u8 #9223372036854775807", OFFSET),
        ("bitfield k get u8", SYNTAX),
        ("bitfield k set u8 0", SYNTAX),
        ("bitfield k set u8 0 x", INTEGER),
        (
            "bitfield k overflow foo",
            "-ERR Invalid OVERFLOW type specified|",
        ),
        (
            "bitfield_ro k set u8 0 1",
            "-ERR BITFIELD_RO only supports the GET subcommand|",
        ),
        ("exists k", ":0|"),
    ] {
        assert_eq!(world.ask(a, command), answer, "{command}");
    }
    for command in [
        "setbit list 0 1",
        "getbit list 0",
        "bitcount list",
        "bitpos list 0",
        "bitop or d abc list",
        "bitfield list",
        "bitfield list set u8 0 1",
    ] {
        assert!(world.ask(a, command).starts_with("-WRONGTYPE"), "{command}");
    }
    assert_eq!(world.ask(a, "exists d"), ":0|");
}

#[test]
fn bits_are_counted_and_found_in_parts_of_a_string() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "set abc abc");
    world.ask(a, "set empty ");
    world.ask(a, "bitfield ones set u16 0 65535");
    for (command, answer) in [
        ("bitcount abc", 10),
        ("bitcount abc 0 -1", 10),
        ("bitcount abc 1 1", 3),
        ("bitcount abc 0 -100", 3),
        ("bitcount abc -6 -7", 0),
        ("bitcount abc 1 9 bit", 4),
        ("bitcount missing", 0),
        ("bitcount empty 0 -1", 0),
        ("bitpos abc 1", 1),
        ("bitpos abc 0 -1", 16),
        ("bitpos abc 1 3 -1 bit", 7),
        ("bitpos abc 1 3 4 bit", -1),
        ("bitpos abc 1 -6 -7", 1),
        ("bitpos missing 0 5 10", 0),
        ("bitpos missing 1", -1),
        ("bitpos empty 0", -1),
        ("bitpos ones 0", 16),
        ("bitpos ones 0 1", 16),
        ("bitpos ones 0 0 -1", -1),
        ("bitpos ones 0 2", -1),
    ] {
        assert_eq!(world.ask(a, command), format!(":{answer}|"), "{command}");
    }
}

#[test]
fn combined_strings_are_stored_raw_and_live_for_ever_and_nothing_deletes_the_key() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "mset one 1 two 2 long foobar d x");
    world.ask(a, "expire d 100");
    assert_eq!(world.ask(a, "bitop or d one two"), ":1|");
    assert_eq!(world.ask(a, "get d"), "$1|3|");
    assert_eq!(world.ask(a, "object encoding d"), "$3|raw|");
    assert_eq!(world.ask(a, "ttl d"), ":-1|");
    assert_eq!(world.ask(a, "bitop and d one missing long"), ":6|");
    assert_eq!(world.ask(a, "get d"), "$6|\0\0\0\0\0\0|");
    assert_eq!(world.ask(a, "bitop xor long long long"), ":6|");
    assert_eq!(world.ask(a, "bitcount long"), ":0|");
    assert_eq!(world.ask(a, "bitop not d missing"), ":0|");
    assert_eq!(world.ask(a, "exists d"), ":0|");
}

#[test]
fn fields_are_changed_in_the_order_given() {
    let mut world = World::single("");
    let a = world.client(0);
    for (command, answer) in [
        ("bitfield k", "*0|"),
        (
            "bitfield k set i8 0 255 set i8 0 100 get i8 0",
            "*3|:0|:-1|:100|",
        ),
        ("bitfield k incrby u8 #1 300 get u8 8", "*2|:44|:44|"),
        ("bitfield k overflow sat incrby u8 #1 300", "*1|:255|"),
        (
            "bitfield k overflow fail incrby u8 #1 1 overflow wrap incrby u8 #1 1",
            "*2|$-1|:0|",
        ),
        (
            "bitfield_ro k get i8 0 overflow sat get u63 100",
            "*2|:100|:0|",
        ),
        ("strlen k", ":2|"),
        ("bitfield missing get u8 0", "*1|:0|"),
        ("exists missing", ":0|"),
    ] {
        assert_eq!(world.ask(a, command), answer, "{command}");
    }
}

#[test]
fn only_what_changed_counts_as_a_change() {
    let mut world = World::single("notify-keyspace-events KA");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(b, "psubscribe __keyspace@0__:*");
    let mut changes = 0;
    for (command, more, event) in [
        ("setbit k 5 1", 1, "setbit"),
        ("setbit k 5 1", 0, ""),
        ("setbit k 100 0", 1, "setbit"),
        ("bitfield k set u8 0 4", 0, ""),
        ("bitfield k set u8 0 5 set u8 8 6", 2, "setbit"),
        ("bitfield k set u8 0 5 set u8 104 0", 2, "setbit"),
        ("bitfield k overflow fail set u8 0 256", 0, ""),
        ("bitop or d k", 1, "set"),
        ("bitop or d missing", 1, "del"),
        ("bitop or d missing", 0, ""),
    ] {
        world.ask(a, command);
        changes += more;
        let total = world.info(0, "rdb_changes_since_last_save");
        assert_eq!(total, changes.to_string(), "{command}");
        let heard = world.heard(b);
        let heard = heard.trim_end_matches('|').rsplit('|').next();
        assert_eq!(heard, Some(event), "{command}");
    }
}

#[test]
fn a_string_that_only_grew_grows_on_replicas_too() {
    let mut world = World::new(3);
    world.start("", Default::default());
    world.start("replicaof 127.0.0.1 6379", Default::default());
    world.wait(3_000);
    let a = world.client(0);
    for command in [
        "bitfield k overflow fail set u8 100 256",
        "setbit s 130000 0",
        "setbit s 5 1",
        "bitop not n s",
        "bitfield s incrby i64 777 -3",
    ] {
        world.feed(0, a, &encoded(command));
    }
    world.wait(50);
    assert_eq!(world.digest(0), world.digest(1));
    let b = world.client(1);
    assert_eq!(world.ask_at(1, b, "strlen k"), ":14|");
    assert_eq!(
        world
            .ask_at(1, b, "bitfield s set u8 0 1 get u8 0")
            .get(..9),
        Some("-READONLY")
    );
    assert_eq!(world.ask_at(1, b, "bitfield_ro s get i64 777"), "*1|:-3|");
}
