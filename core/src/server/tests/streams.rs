//! Streams as clients see them.

use super::harness::{World, dialogue};

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value|";
const BAD_ID: &str = "-ERR Invalid stream ID specified as stream command argument|";
const SYNTAX: &str = "-ERR syntax error|";

#[test]
fn entries_get_ids_that_ascend() {
    let too_small =
        "-ERR The ID specified in XADD is equal or smaller than the target stream top item|";
    let lines = [
        ("set str x", "+OK|"),
        ("xadd s nomkstream * a 1", "$-1|"),
        ("exists s", ":0|"),
        ("xadd s * a 1", "$15|1700000000000-0|"),
        ("xadd s * a 1", "$15|1700000000000-1|"),
        ("xadd s 5-5 a 1", too_small),
        ("xadd s 1700000000000-1 a 1", too_small),
        ("xadd s 1700000000000-* a 1", "$15|1700000000000-2|"),
        ("xadd s 1700000000001-* a 1", "$15|1700000000001-0|"),
        ("xadd s 1700000000000-* a 1", too_small),
        ("xadd s * a 1", "$15|1700000000001-1|"),
        (
            "xadd t 0-0 a 1",
            "-ERR The ID specified in XADD must be greater than 0-0|",
        ),
        ("xadd t 0-* a 1", "$3|0-1|"),
        ("xadd t x a 1", BAD_ID),
        ("xadd t - a 1", BAD_ID),
        (
            "xadd t * a",
            "-ERR wrong number of arguments for 'xadd' command|",
        ),
        (
            "xadd t * a 1 b",
            "-ERR wrong number of arguments for 'xadd' command|",
        ),
        ("xadd str * a 1", WRONG_TYPE),
        (
            "xadd t 18446744073709551615-18446744073709551615 a 1",
            "$41|18446744073709551615-18446744073709551615|",
        ),
        (
            "xadd t * a 1",
            "-ERR The stream has exhausted the last possible ID, unable to add more items|",
        ),
        ("xlen s", ":5|"),
        ("xlen no", ":0|"),
        ("xlen str", WRONG_TYPE),
        ("type s", "+stream|"),
        ("object encoding s", "$6|stream|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn ranges_are_read_in_both_directions() {
    let lines = [
        ("xadd s 1-1 a 1 b 22", "$3|1-1|"),
        ("xadd s 1-2 c x", "$3|1-2|"),
        ("xadd s 3-0 a 007", "$3|3-0|"),
        (
            "xrange s - + count 1",
            "*1|*2|$3|1-1|*4|$1|a|$1|1|$1|b|$2|22|",
        ),
        (
            "xrange s 1 1",
            "*2|*2|$3|1-1|*4|$1|a|$1|1|$1|b|$2|22|*2|$3|1-2|*2|$1|c|$1|x|",
        ),
        ("xrange s (1-1 (3-0", "*1|*2|$3|1-2|*2|$1|c|$1|x|"),
        (
            "xrevrange s + - count 2",
            "*2|*2|$3|3-0|*2|$1|a|$3|007|*2|$3|1-2|*2|$1|c|$1|x|",
        ),
        ("xrevrange s (3-0 (1-1", "*1|*2|$3|1-2|*2|$1|c|$1|x|"),
        ("xrange s 5 +", "*0|"),
        ("xrange s + -", "*0|"),
        ("xrange s - + count 0", "*-1|"),
        ("xrange s - + count -1", "*-1|"),
        ("xrange s - + count", SYNTAX),
        ("xrange s - + limit 1", SYNTAX),
        ("xrange s ( +", BAD_ID),
        ("xrange s (- +", BAD_ID),
        (
            "xrange s (18446744073709551615-18446744073709551615 +",
            "-ERR invalid start ID for the interval|",
        ),
        ("xrange s - (0-0", "-ERR invalid end ID for the interval|"),
        ("xrange no - +", "*0|"),
        ("xdel s 1-1 1-1 9-9", ":1|"),
        ("xdel s x", BAD_ID),
        ("xdel no x", ":0|"),
        ("xrange s - + count 1", "*1|*2|$3|1-2|*2|$1|c|$1|x|"),
        ("xdel s 1-2 3-0", ":2|"),
        ("xlen s", ":0|"),
        ("exists s", ":1|"),
        (
            "xadd s 3-0 a 1",
            "-ERR The ID specified in XADD is equal or smaller than the target stream top item|",
        ),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn trimming_is_exact_or_by_whole_nodes() {
    let mut world = World::single("stream-node-max-entries 10");
    let a = world.client(0);
    for n in 1..=100 {
        world.ask(a, &format!("xadd s {n}-0 f v"));
    }
    let lines = [
        ("xtrim s maxlen ~ 55", ":40|"),
        ("xtrim s maxlen ~ 0 limit 30", ":30|"),
        ("xtrim s maxlen ~ 0 limit 9", ":0|"),
        ("xtrim s minid ~ 85-0", ":10|"),
        ("xtrim s minid = 85-0", ":4|"),
        ("xtrim s maxlen 10", ":6|"),
        ("xlen s", ":10|"),
        ("xtrim s maxlen ~ 0", ":10|"),
        ("exists s", ":1|"),
        ("xadd s maxlen 0 * f v", "$15|1700000000000-0|"),
        ("xlen s", ":0|"),
        ("xtrim no maxlen 0", ":0|"),
        (
            "xtrim s maxlen -1",
            "-ERR The MAXLEN argument must be >= 0.|",
        ),
        (
            "xtrim s maxlen x",
            "-ERR value is not an integer or out of range|",
        ),
        ("xtrim s minid x", BAD_ID),
        (
            "xtrim s maxlen 1 minid 1",
            "-ERR syntax error, MAXLEN and MINID options at the same time are not compatible|",
        ),
        (
            "xtrim s maxlen 1 limit 1",
            "-ERR syntax error, LIMIT cannot be used without the special ~ option|",
        ),
        (
            "xtrim s maxlen ~ 1 limit -1",
            "-ERR The LIMIT argument must be >= 0.|",
        ),
        (
            "xtrim s limit 1",
            "-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy|",
        ),
        ("xtrim s limit 1 x", SYNTAX),
        (
            "xadd s limit 1 * a 1",
            "-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy|",
        ),
    ];
    for (command, reply) in lines {
        let got = world.ask(a, command);
        assert_eq!(got, *reply, "{command}");
    }
}

#[test]
fn replicas_get_real_ids_and_exact_trimming() {
    let mut world = World::single("stream-node-max-entries 10");
    let a = world.client(0);
    let ear = world.eavesdropper();
    let heard = |world: &mut World, command: &str| {
        world.ask(a, command);
        world.wait(1);
        world.overheard(ear).replace("SELECT 0 ", "")
    };
    let first = heard(&mut world, "xadd s * f v");
    let (head, id) = first.split_at("xadd s ".len());
    assert_eq!(head, "xadd s ");
    assert!(id.starts_with("17000000") && id.ends_with("-0 f v"), "{id}");
    for n in 0..30 {
        let command = format!("xadd s 1800000000000-{n} f v");
        assert_eq!(heard(&mut world, &command), command);
    }
    assert_eq!(
        heard(
            &mut world,
            "xadd s MAXLEN ~ 15 LIMIT 100 1800000000001-* f v"
        ),
        "xadd s MAXLEN = 22 1800000000001-0 f v"
    );
    assert_eq!(
        heard(&mut world, "xtrim s MINID ~ 1800000000000-20"),
        "xtrim s MINID = 1800000000000-19"
    );
    assert_eq!(heard(&mut world, "xtrim s MINID ~ 5"), "");
    assert_eq!(heard(&mut world, "xdel s 5-5"), "");
    assert_eq!(
        heard(&mut world, "xdel s 1800000000000-25"),
        "xdel s 1800000000000-25"
    );
}

#[test]
fn an_id_that_was_deleted_can_be_given_again() {
    let lines = [
        ("xadd s 5-3 a 1", "$3|5-3|"),
        ("xadd s 5-9 a 1", "$3|5-9|"),
        ("xdel s 5-9", ":1|"),
        ("xsetid s 5-9 entriesadded 2 maxdeletedid 1-1", "+OK|"),
        ("xsetid s 5-3", "+OK|"),
        ("xadd s 5-4 a 1", "$3|5-4|"),
        ("xadd s 5-9 a 1", "$3|5-9|"),
        ("xdel s 5-9", ":1|"),
        ("xlen s", ":2|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn the_last_id_can_be_set_but_not_below_what_was() {
    let lines = [
        ("xsetid no 1-1", "-ERR no such key|"),
        ("xadd s 5-0 a 1", "$3|5-0|"),
        (
            "xsetid s 4-0",
            "-ERR The ID specified in XSETID is smaller than the target stream top item|",
        ),
        (
            "xsetid s 9-0 entriesadded 0",
            "-ERR The entries_added specified in XSETID is smaller than the target stream length|",
        ),
        (
            "xsetid s 9-0 entriesadded -1",
            "-ERR entries_added must be positive|",
        ),
        (
            "xsetid s 9-0 maxdeletedid 9-1",
            "-ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id|",
        ),
        ("xsetid s 9-0 entriesadded", SYNTAX),
        ("xsetid s 9-0 entriesadded 7 maxdeletedid 3-3", "+OK|"),
        ("xdel s 5-0", ":1|"),
        (
            "xsetid s 4-9",
            "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id|",
        ),
        (
            "xinfo stream s",
            "*20|$6|length|:0|$15|radix-tree-keys|:0|$16|radix-tree-nodes|:1|$17|last-generated-id|$3|9-0|$20|max-deleted-entry-id|$3|5-0|$13|entries-added|:7|$23|recorded-first-entry-id|$3|0-0|$6|groups|:0|$11|first-entry|$-1|$10|last-entry|$-1|",
        ),
        (
            "xinfo stream s nope",
            "-ERR unknown subcommand or wrong number of arguments for 'stream'. Try XINFO HELP.|",
        ),
        ("xinfo stream no", "-ERR no such key|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn readers_wait_for_what_comes_behind_the_last_id() {
    let mut world = World::single("");
    let [a, b, c] = core::array::from_fn(|_| world.client(0));
    world.ask(c, "xadd s 1-0 a 1");
    world.ask(c, "set str x");
    let lines = [
        (
            "xread streams s t 0 0",
            "*1|*2|$1|s|*1|*2|$3|1-0|*2|$1|a|$1|1|",
        ),
        ("xread streams s $", "*-1|"),
        ("xread streams s 1-0", "*-1|"),
        ("xread streams no 0", "*-1|"),
        ("xread streams str 0", WRONG_TYPE),
        ("xread streams s x", BAD_ID),
        (
            "xread streams s t 0",
            "-ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.|",
        ),
        (
            "xread noack streams s 0",
            "-ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.|",
        ),
        (
            "xread group g c streams s 0",
            "-ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.|",
        ),
        ("xread block -1 streams s 0", "-ERR timeout is negative|"),
        (
            "xread block x streams s 0",
            "-ERR timeout is not an integer or out of range|",
        ),
        (
            "xread streams s >",
            "-ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.|",
        ),
        ("xread count 1 block 1", SYNTAX),
    ];
    for (command, reply) in lines {
        assert_eq!(world.ask(a, command), reply, "{command}");
    }
    assert_eq!(world.ask(a, "xread block 0 streams s t $ $"), "");
    assert_eq!(world.ask(b, "xread block 250 streams s 7-0"), "");
    world.ask(c, "xdel s 1-0");
    world.ask(c, "set t x");
    world.ask(c, "del t");
    assert_eq!(world.heard(a), "");
    world.ask(c, "xadd s 2-0 b 2");
    assert_eq!(world.heard(a), "*1|*2|$1|s|*1|*2|$3|2-0|*2|$1|b|$1|2|");
    assert_eq!(world.heard(b), "", "what came lies before what is wanted");
    world.wait(250);
    assert_eq!(world.heard(b), "*-1|");
    for command in ["multi", "xread block 0 streams s $"] {
        world.ask(a, command);
    }
    assert_eq!(world.ask(a, "exec"), "*1|*-1|");
    world.ask(a, "hello 3");
    assert_eq!(
        world.ask(a, "xread count 1 streams s 0"),
        "%1|$1|s|*1|*2|$3|2-0|*2|$1|b|$1|2|"
    );
}

#[test]
fn the_last_entry_is_read_or_waited_for() {
    let mut world = World::single("");
    let [a, b] = core::array::from_fn(|_| world.client(0));
    let last = "*1|*2|$1|s|*1|*2|$3|2-1|*2|$1|b|$1|2|";
    for (command, reply) in [
        ("xread streams s +", "*-1|"),
        ("xadd s 1-0 a 1", "$3|1-0|"),
        ("xdel s 1-0", ":1|"),
        ("xread streams s +", "*-1|"),
    ] {
        assert_eq!(world.ask(a, command), reply, "{command}");
    }
    assert_eq!(world.ask(a, "xread block 0 streams s t + +"), "");
    world.ask(b, "xadd s 2-0 a 1");
    assert_eq!(world.heard(a), "*1|*2|$1|s|*1|*2|$3|2-0|*2|$1|a|$1|1|");
    world.ask(b, "xadd s 2-1 b 2");
    for (command, reply) in [
        ("xread count 3 streams s +", last),
        ("xread block 0 streams no s + +", last),
        ("xread streams s +x", BAD_ID),
        ("xgroup create s g 0", "+OK|"),
        ("xreadgroup group g c streams s +", BAD_ID),
    ] {
        assert_eq!(world.ask(a, command), reply, "{command}");
    }
}

#[test]
fn subscribers_hear_of_what_is_done_to_streams() {
    let mut world = World::single("notify-keyspace-events Et");
    let [a, b] = core::array::from_fn(|_| world.client(0));
    world.ask(
        a,
        "subscribe __keyevent@0__:xadd __keyevent@0__:xtrim __keyevent@0__:xdel",
    );
    let heard = |world: &mut World, command: &str| {
        world.ask(b, command);
        let text = world.heard(a);
        let events = text.split("__keyevent@0__:").skip(1);
        let events = events.map(|event| event.split('|').next().unwrap_or_default().to_owned());
        events.collect::<Vec<_>>()
    };
    assert_eq!(heard(&mut world, "xadd s 1-0 a 1"), ["xadd"]);
    assert_eq!(
        heard(&mut world, "xadd s maxlen 1 2-0 a 1"),
        ["xadd", "xtrim"]
    );
    assert_eq!(heard(&mut world, "xdel s 9-9"), [""; 0]);
    assert_eq!(heard(&mut world, "xdel s 2-0"), ["xdel"]);
}
