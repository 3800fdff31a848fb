//! SORT as clients see it.

use super::harness::{World, dialogue};
use super::replication::{assert_same, pair};

#[test]
fn numbers_are_sorted_as_numbers_and_texts_as_texts() {
    let lines = [
        ("rpush l 10 9 -1 2.5 9", ":5|"),
        ("sort l", "*5|$2|-1|$3|2.5|$1|9|$1|9|$2|10|"),
        ("sort l desc limit 1 2", "*2|$1|9|$1|9|"),
        ("sort l limit 3 100", "*2|$1|9|$2|10|"),
        ("sort l limit -5 1", "*1|$2|-1|"),
        ("sort l limit 9 1", "*0|"),
        (
            "sort l limit 0 -1 alpha",
            "*5|$2|-1|$2|10|$3|2.5|$1|9|$1|9|",
        ),
        ("sort_ro l by nosort", "*5|$2|10|$1|9|$2|-1|$3|2.5|$1|9|"),
        ("sort l by nosort desc limit 0 2", "*2|$1|9|$3|2.5|"),
        ("sort no", "*0|"),
        ("sadd s b a c", ":3|"),
        ("sort s alpha desc", "*3|$1|c|$1|b|$1|a|"),
        (
            "sort s",
            "-ERR One or more scores can't be converted into double|",
        ),
        ("zadd z 3 1 2 2 1 3", ":3|"),
        ("sort z", "*3|$1|1|$1|2|$1|3|"),
        ("sort z by nosort", "*3|$1|3|$1|2|$1|1|"),
        ("sort z by nosort desc", "*3|$1|1|$1|2|$1|3|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn keys_and_fields_give_weights_and_replies() {
    let lines = [
        ("rpush l 1 2 3", ":3|"),
        ("mset w1 30 w2 20 w3 10 o1 x o3 z", "+OK|"),
        ("sort l by w*", "*3|$1|3|$1|2|$1|1|"),
        (
            "sort l by w* get o* get #",
            "*6|$1|z|$1|3|$-1|$1|2|$1|x|$1|1|",
        ),
        ("hset h1 f b", ":1|"),
        ("hset h2 f a g 7", ":2|"),
        ("sort l by h*->f alpha", "*3|$1|3|$1|2|$1|1|"),
        ("sort l get h*->g", "*3|$-1|$1|7|$-1|"),
        (
            "sort l by h*->f",
            "-ERR One or more scores can't be converted into double|",
        ),
        ("sort l by none* get none", "*3|$-1|$-1|$-1|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn what_is_wrong_is_refused() {
    let lines = [
        ("set s x", "+OK|"),
        ("hset h a 1", ":1|"),
        (
            "sort s",
            "-WRONGTYPE Operation against a key holding the wrong kind of value|",
        ),
        (
            "sort h",
            "-WRONGTYPE Operation against a key holding the wrong kind of value|",
        ),
        ("sort s by", "-ERR syntax error|"),
        ("sort l limit 1", "-ERR syntax error|"),
        (
            "sort l limit a 1",
            "-ERR value is not an integer or out of range|",
        ),
        ("sort_ro l store x", "-ERR syntax error|"),
        ("sort", "-ERR wrong number of arguments for 'sort' command|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn what_is_stored_is_the_same_on_a_replica() {
    let mut world = pair(1, "");
    let a = world.client(0);
    for (command, reply) in [
        ("sadd s 3 1 2 x", ":4|"),
        ("sort s by nosort store d", ":4|"),
        ("lrange d 0 -1", "*4|$1|1|$1|2|$1|3|$1|x|"),
        ("sort s alpha get w* store d", ":4|"),
        ("lrange d 0 -1", "*4|$0||$0||$0||$0||"),
        ("sort none store d", ":0|"),
        ("exists d", ":0|"),
        ("sort s alpha store s", ":4|"),
        ("type s", "+list|"),
    ] {
        assert_eq!(world.ask(a, command), reply, "{command}");
    }
    assert_same(&mut world);
}

#[test]
fn what_weighs_the_same_stays_in_its_order() {
    let lines = [
        ("rpush l 3 1 2", ":3|"),
        ("sort l by none* alpha", "*3|$1|3|$1|1|$1|2|"),
        ("sort l by none* alpha desc limit 0 2", "*2|$1|3|$1|1|"),
        ("sort l by none*", "*3|$1|1|$1|2|$1|3|"),
        ("sort l by none* desc", "*3|$1|3|$1|2|$1|1|"),
        ("set w2 x", "+OK|"),
        ("sort l by w* alpha", "*3|$1|3|$1|1|$1|2|"),
        // A pattern without a star holds, whatever comes behind it.
        ("mset v1 3 v2 2 v3 1", "+OK|"),
        ("sort l by nosort by v* desc", "*3|$1|2|$1|1|$1|3|"),
        // Texts end at a zero byte, but not where they are stored.
        ("rpush zero a\0c a\0b a", ":3|"),
        ("sort zero alpha", "*3|$3|a\0c|$3|a\0b|$1|a|"),
        ("sort zero alpha store d", ":3|"),
        ("lrange d 0 -1", "*3|$1|a|$3|a\0b|$3|a\0c|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn numbers_are_read_as_c_reads_them() {
    let mut world = World::single("");
    let a = world.client(0);
    for (text, is_number) in [
        ("0x10", true),
        ("5\0x", true),
        ("\0", true),
        ("\x0b5", true),
        ("-inf", true),
        ("+5", true),
        ("5x", false),
        ("nan", false),
        ("1e400", false),
        ("1e-400", false),
        ("1e", false),
        ("\x0b", false),
    ] {
        world.ask(a, "del l");
        world.ask(a, &format!("rpush l {text}"));
        let reply = world.ask(a, "sort l");
        assert_eq!(reply.starts_with("*1|"), is_number, "{text:?}: {reply}");
    }
}

#[test]
fn a_sorted_set_is_a_skiplist_once_it_was_sorted() {
    let lines = [
        ("zadd z 2 a 1 b", ":2|"),
        ("sort_ro z by nosort", "*2|$1|b|$1|a|"),
        ("object encoding z", "$8|skiplist|"),
        ("sort z alpha", "*2|$1|a|$1|b|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn its_keys_are_found_and_named() {
    let lines = [
        (
            "command getkeysandflags sort k by store get x store b store",
            "*2|*2|$1|k|*2|+RO|+access|*2|$1|b|*2|+OW|+update|",
        ),
        ("command getkeys sort_ro k store b", "*1|$1|k|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn a_list_that_is_stored_serves_those_who_wait_and_is_an_event() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(a, "config set notify-keyspace-events KElg");
    world.ask(b, "psubscribe __keyspace*");
    let waiting = world.client(0);
    assert_eq!(world.ask(waiting, "blpop d 0"), "");
    world.ask(a, "rpush l 2 1");
    world.heard(b);
    assert_eq!(world.ask(a, "sort l store d"), ":2|");
    assert_eq!(world.heard(waiting), "*2|$1|d|$1|1|");
    let events = world.heard(b);
    assert!(events.contains("$9|sortstore|"), "{events}");
    assert_eq!(world.ask(a, "sort none store d"), ":0|");
    assert!(world.heard(b).contains("$3|del|"));
}
