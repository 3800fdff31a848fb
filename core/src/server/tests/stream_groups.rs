//! Groups of consumers of streams as clients see them.

use super::harness::{World, dialogue, encoded};
use super::replication::{assert_same, pair};
use std::collections::BTreeMap;

const NO_KEY: &str = "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE \
                      you may want to use the MKSTREAM option to create an empty stream \
                      automatically.|";

#[test]
fn groups_come_and_go() {
    let no_group = "-NOGROUP No such consumer group 'g' for key name 's'|";
    let wrong_create =
        "-ERR unknown subcommand or wrong number of arguments for 'create'. Try XGROUP HELP.|";
    let lines = [
        ("xgroup create s g $", NO_KEY),
        ("xgroup destroy s g", NO_KEY),
        ("xgroup create s g $ mkstream", "+OK|"),
        (
            "xgroup create s g 0",
            "-BUSYGROUP Consumer Group name already exists|",
        ),
        (
            "xgroup create s h x",
            "-ERR Invalid stream ID specified as stream command argument|",
        ),
        (
            "xgroup create s h 0 entriesread -2",
            "-ERR value for ENTRIESREAD must be positive or -1|",
        ),
        ("xgroup create s h 0 nope", wrong_create),
        (
            "xgroup create s h 0 mkstream mkstream mkstream mkstream",
            wrong_create,
        ),
        (
            "xinfo groups s",
            "*1|*12|$4|name|$1|g|$9|consumers|:0|$7|pending|:0|$17|last-delivered-id|$3|0-0|$12|entries-read|$-1|$3|lag|:0|",
        ),
        ("xgroup createconsumer s g c", ":1|"),
        ("xgroup createconsumer s g c", ":0|"),
        (
            "xinfo consumers s g",
            "*1|*8|$4|name|$1|c|$7|pending|:0|$4|idle|:0|$8|inactive|:-1|",
        ),
        ("xgroup setid s g 5-5 entriesread 3", "+OK|"),
        ("xgroup delconsumer s g no", ":0|"),
        ("xgroup delconsumer s g c", ":0|"),
        ("xgroup destroy s g", ":1|"),
        ("xgroup destroy s g", ":0|"),
        ("xgroup setid s g 0", no_group),
        ("xgroup createconsumer s g c", no_group),
        ("xgroup delconsumer s g c", no_group),
        ("xinfo consumers s g", no_group),
        ("set str x", "+OK|"),
        (
            "xgroup create str g 0",
            "-WRONGTYPE Operation against a key holding the wrong kind of value|",
        ),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn what_a_consumer_got_is_pending_until_it_is_acknowledged() {
    let lines = [
        ("xadd s 1-0 a 1", "$3|1-0|"),
        ("xadd s 2-0 b 2", "$3|2-0|"),
        ("xgroup create s g 0", "+OK|"),
        (
            "xreadgroup group g c count 1 streams s >",
            "*1|*2|$1|s|*1|*2|$3|1-0|*2|$1|a|$1|1|",
        ),
        (
            "xreadgroup group g d streams s >",
            "*1|*2|$1|s|*1|*2|$3|2-0|*2|$1|b|$1|2|",
        ),
        ("xreadgroup group g d streams s >", "*-1|"),
        (
            "xreadgroup group g c streams s 0",
            "*1|*2|$1|s|*1|*2|$3|1-0|*2|$1|a|$1|1|",
        ),
        ("xreadgroup group g c streams s 1", "*1|*2|$1|s|*0|"),
        (
            "xreadgroup group no c streams s >",
            "-NOGROUP No such key 's' or consumer group 'no' in XREADGROUP with GROUP option|",
        ),
        (
            "xreadgroup count 1 streams s t 0 0",
            "-ERR Missing GROUP option for XREADGROUP|",
        ),
        (
            "xpending s g",
            "*4|:2|$3|1-0|$3|2-0|*2|*2|$1|c|$1|1|*2|$1|d|$1|1|",
        ),
        (
            "xpending s g - + 10",
            "*2|*4|$3|1-0|$1|c|:0|:2|*4|$3|2-0|$1|d|:0|:1|",
        ),
        ("xpending s g (1-0 + 10", "*1|*4|$3|2-0|$1|d|:0|:1|"),
        ("xpending s g idle 1 - + 10", "*0|"),
        ("xpending s g - + 10 c", "*1|*4|$3|1-0|$1|c|:0|:2|"),
        ("xpending s g - + 10 no", "*0|"),
        ("xpending s g -", "-ERR syntax error|"),
        (
            "xpending s no",
            "-NOGROUP No such key 's' or consumer group 'no'|",
        ),
        ("xdel s 1-0", ":1|"),
        (
            "xreadgroup group g c streams s 0",
            "*1|*2|$1|s|*1|*2|$3|1-0|*-1|",
        ),
        ("xack s g 1-0 2-0 3-0", ":2|"),
        (
            "xack s g x",
            "-ERR Invalid stream ID specified as stream command argument|",
        ),
        ("xack s no x", ":0|"),
        ("xpending s g", "*4|:0|$-1|$-1|*-1|"),
        ("xadd s 3-0 c 3", "$3|3-0|"),
        (
            "xreadgroup group g e noack streams s >",
            "*1|*2|$1|s|*1|*2|$3|3-0|*2|$1|c|$1|3|",
        ),
        ("xpending s g", "*4|:0|$-1|$-1|*-1|"),
        (
            "xreadgroup group g e streams s $",
            "-ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.|",
        ),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn entries_are_taken_over() {
    let mut world = World::single("");
    let a = world.client(0);
    for n in 1..=4 {
        world.ask(a, &format!("xadd s {n}-0 f {n}"));
    }
    world.ask(a, "xgroup create s g 0");
    world.ask(a, "xreadgroup group g c count 3 streams s >");
    world.wait(100);
    let lines = [
        ("xclaim s g d 200 1-0", "*0|"),
        ("xclaim s g d 50 1-0", "*1|*2|$3|1-0|*2|$1|f|$1|1|"),
        ("xclaim s g d 0 2-0 justid", "*1|$3|2-0|"),
        ("xclaim s g d 0 4-0", "*0|"),
        (
            "xclaim s g d 0 4-0 force retrycount 7 idle 30",
            "*1|*2|$3|4-0|*2|$1|f|$1|4|",
        ),
        (
            "xpending s g - + 9",
            "*4|*4|$3|1-0|$1|d|:0|:2|*4|$3|2-0|$1|d|:0|:1|*4|$3|3-0|$1|c|:100|:1|*4|$3|4-0|$1|d|:30|:7|",
        ),
        (
            "xclaim s g d 0 1-0 nope",
            "-ERR Unrecognized XCLAIM option 'nope'|",
        ),
        (
            "xclaim s g d x 1-0",
            "-ERR Invalid min-idle-time argument for XCLAIM|",
        ),
        (
            "xclaim s no d x 1-0",
            "-NOGROUP No such key 's' or consumer group 'no'|",
        ),
        ("xdel s 3-0", ":1|"),
        ("xclaim s g e 0 3-0", "*0|"),
        ("xpending s g - + 9 c", "*0|"),
        ("xdel s 2-0", ":1|"),
        (
            "xautoclaim s g e 0 0 count 2",
            "*3|$3|4-0|*1|*2|$3|1-0|*2|$1|f|$1|1|*1|$3|2-0|",
        ),
        ("xautoclaim s g e 0 4-0 justid", "*3|$3|0-0|*1|$3|4-0|*0|"),
        ("xautoclaim s g e 1000 0", "*3|$3|0-0|*0|*0|"),
        ("xautoclaim s g e 0 0 count 0", "-ERR COUNT must be > 0|"),
        (
            "xautoclaim s g e x 0",
            "-ERR Invalid min-idle-time argument for XAUTOCLAIM|",
        ),
        ("xgroup delconsumer s g e", ":2|"),
        ("xpending s g", "*4|:0|$-1|$-1|*-1|"),
    ];
    for (command, reply) in lines {
        assert_eq!(world.ask(a, command), reply, "{command}");
    }
}

#[test]
fn replicas_learn_of_deliveries_as_claims() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "xadd s 1-0 f v");
    world.ask(a, "xadd s 2-0 f v");
    world.ask(a, "xgroup create s g 0");
    let ear = world.eavesdropper();
    let now = world.now().wall.as_millis();
    let heard = |world: &mut World, command: &str| {
        world.ask(a, command);
        world.overheard(ear).replace("SELECT 0 ", "")
    };
    assert_eq!(
        heard(&mut world, "xreadgroup group g c streams s >"),
        format!(
            "MULTI XCLAIM s g c 0 1-0 TIME {now} RETRYCOUNT 1 FORCE JUSTID LASTID 2-0 \
             XCLAIM s g c 0 2-0 TIME {now} RETRYCOUNT 1 FORCE JUSTID LASTID 2-0 \
             XGROUP SETID s g 2-0 ENTRIESREAD 2 EXEC"
        )
    );
    assert_eq!(heard(&mut world, "xreadgroup group g c streams s 0"), "");
    assert_eq!(
        heard(&mut world, "xreadgroup group g n noack streams s >"),
        "XGROUP CREATECONSUMER s g n"
    );
    assert_eq!(
        heard(&mut world, "xclaim s g d 0 1-0 justid"),
        format!("XCLAIM s g d 0 1-0 TIME {now} RETRYCOUNT 2 FORCE JUSTID LASTID 2-0")
    );
    assert_eq!(
        heard(&mut world, "xclaim s g d 0 9-0 lastid 5-0"),
        "XGROUP SETID s g 5-0 ENTRIESREAD 2"
    );
    world.ask(a, "xdel s 2-0");
    world.overheard(ear);
    assert_eq!(
        heard(&mut world, "xautoclaim s g d 0 2-0"),
        format!("XCLAIM s g c 0 2-0 TIME {now} RETRYCOUNT 2 FORCE JUSTID LASTID 5-0")
    );
    assert_eq!(heard(&mut world, "xack s g 1-0 7-0"), "xack s g 1-0 7-0");
}

#[test]
fn replicas_learn_of_consumers_that_got_nothing() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "xadd s 1-0 f v");
    world.ask(a, "xadd s 2-0 f v");
    world.ask(a, "xgroup create s g 0");
    let now = world.now().wall.as_millis();
    world.ask(a, "xreadgroup group g c streams s >");
    let ear = world.eavesdropper();
    let mut heard = |command: &str| {
        world.ask(a, command);
        world.overheard(ear).replace("SELECT 0 ", "")
    };
    for (consumer, command) in [
        ("new", "xreadgroup group g new streams s >"),
        ("old", "xreadgroup group g old streams s 0"),
        ("claims", "xclaim s g claims 1000000 1-0"),
        ("gone", "xclaim s g gone 0 7-0"),
        ("auto", "xautoclaim s g auto 1000000 0"),
    ] {
        assert_eq!(
            heard(command),
            format!("XGROUP CREATECONSUMER s g {consumer}")
        );
        assert_eq!(heard(command), "");
    }
    heard("xdel s 2-0");
    // The claim that tells of what is gone makes no consumer but that which had it.
    world.ask(a, "xautoclaim s g last 0 2-0");
    let told = world.overheard(ear);
    let claim = format!("XCLAIM s g c 0 2-0 TIME {now} RETRYCOUNT 1 FORCE JUSTID LASTID 2-0");
    assert_eq!(
        told,
        format!("MULTI XGROUP CREATECONSUMER s g last {claim} EXEC")
    );
}

#[test]
fn a_replica_has_the_same_groups() {
    let mut world = pair(3, "");
    let a = world.client(0);
    let commands = [
        "xadd s 1-0 f v",
        "xadd s 2-0 f v",
        "xadd s 3-0 f v",
        "xgroup create s g 0",
        "xreadgroup group g c count 2 streams s >",
        "xclaim s g d 0 2-0",
        "xdel s 1-0",
        "xautoclaim s g e 0 0",
        "xautoclaim s g f 1000000 0",
        "xreadgroup group g h streams s 0",
        "xtrim s maxlen ~ 0",
        "xgroup create t g $ mkstream",
    ];
    for command in commands {
        world.ask(a, command);
    }
    world.settle();
    assert_same(&mut world);
}

#[test]
fn who_waits_for_a_group_hears_of_its_end() {
    let no_group =
        "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option|";
    for end in ["xgroup destroy s g", "del s", "flushall"] {
        let mut world = World::single("");
        let [a, b, c] = core::array::from_fn(|_| world.client(0));
        world.ask(c, "xgroup create s g $ mkstream");
        assert_eq!(world.ask(a, "xreadgroup group g c block 0 streams s >"), "");
        assert_eq!(world.ask(b, "xreadgroup group g d block 0 streams s >"), "");
        world.ask(c, "xadd s 1-0 f v");
        assert_eq!(world.heard(a), "*1|*2|$1|s|*1|*2|$3|1-0|*2|$1|f|$1|v|");
        assert_eq!(world.heard(b), "");
        world.ask(c, end);
        assert_eq!(world.heard(b), no_group, "{end}");
    }
    let mut world = World::single("");
    let [a, c] = core::array::from_fn(|_| world.client(0));
    world.ask(c, "xgroup create s g $ mkstream");
    assert_eq!(world.ask(a, "xreadgroup group g c block 0 streams s >"), "");
    world.ask(c, "set s x");
    assert_eq!(
        world.heard(a),
        "-WRONGTYPE Operation against a key holding the wrong kind of value|"
    );
}

#[test]
fn the_lag_of_a_group_is_told_where_it_can_be() {
    let mut world = World::single("");
    let a = world.client(0);
    for n in 1..=5 {
        world.ask(a, &format!("xadd s {n}-0 f {n}"));
    }
    world.ask(a, "xgroup create s g 0");
    let lag = |world: &mut World, command: &str| {
        world.ask(a, command);
        let text = world.ask(a, "xinfo groups s");
        let (_, figures) = text.split_once("entries-read|").expect("it is told");
        figures.replace("$3|lag|", "")
    };
    assert_eq!(lag(&mut world, "ping"), "$-1|:5|");
    assert_eq!(
        lag(&mut world, "xreadgroup group g c count 1 streams s >"),
        ":1|:4|"
    );
    assert_eq!(lag(&mut world, "xdel s 3-0"), ":1|$-1|");
    assert_eq!(
        lag(&mut world, "xreadgroup group g c streams s >"),
        ":5|:0|"
    );
    assert_eq!(lag(&mut world, "xgroup setid s g 2-0"), "$-1|$-1|");
    assert_eq!(lag(&mut world, "xtrim s maxlen 1"), "$-1|:1|");
}

#[test]
fn maps_are_maps_in_resp3() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "hello 3");
    world.ask(a, "xadd s 1-0 f v");
    world.ask(a, "xgroup create s g 0");
    assert_eq!(
        world.ask(a, "xreadgroup group g c streams s >"),
        "%1|$1|s|*1|*2|$3|1-0|*2|$1|f|$1|v|"
    );
    assert_eq!(
        world.ask(a, "xinfo stream s full"),
        "%9|$6|length|:1|$15|radix-tree-keys|:1|$16|radix-tree-nodes|:2|$17|last-generated-id|\
         $3|1-0|$20|max-deleted-entry-id|$3|0-0|$13|entries-added|:1|$23|recorded-first-entry-id|\
         $3|1-0|$7|entries|*1|*2|$3|1-0|*2|$1|f|$1|v|$6|groups|*1|%7|$4|name|$1|g|\
         $17|last-delivered-id|$3|1-0|$12|entries-read|:1|$3|lag|:0|$9|pel-count|:1|$7|pending|*1|\
         *4|$3|1-0|$1|c|:1700000000000|:1|$9|consumers|*1|%5|$4|name|$1|c|$9|seen-time|\
         :1700000000000|$11|active-time|:1700000000000|$9|pel-count|:1|$7|pending|*1|\
         *3|$3|1-0|:1700000000000|:1|"
    );
    assert_eq!(
        world.ask(a, "xinfo consumers s g"),
        "*1|%4|$4|name|$1|c|$7|pending|:1|$4|idle|:0|$8|inactive|:0|"
    );
}

#[test]
fn a_group_can_be_set_to_either_end_of_all_ids() {
    let mut world = World::single("");
    let a = world.client(0);
    for id in ["1-1", "2-1"] {
        world.ask(a, &format!("xadd s {id} f v"));
    }
    world.ask(a, "xgroup create s g $");
    let read = "xreadgroup group g c streams s >";
    assert_eq!(world.ask(a, read), "*-1|");
    assert_eq!(world.ask(a, "xgroup setid s g -"), "+OK|");
    assert!(world.ask(a, read).contains("2-1"));
    assert_eq!(world.ask(a, "xgroup setid s g +"), "+OK|");
    world.ask(a, "xadd s 3-1 f v");
    assert_eq!(world.ask(a, read), "*-1|");
    let groups = world.ask(a, "xinfo groups s");
    assert!(groups.contains("18446744073709551615-18446744073709551615"));
    for end in ["-", "+"] {
        assert_eq!(
            world.ask(a, &format!("xgroup create s h {end}")),
            "-ERR Invalid stream ID specified as stream command argument|"
        );
    }
}

#[test]
fn a_time_that_was_noted_elsewhere_stays_whatever_our_clock_says() {
    let mut world = World::single("");
    let a = world.client(0);
    let late = world.now().wall.as_millis() + 60_000;
    let claim = format!("xclaim s g c 0 1-0 time {late} retrycount 1 force justid");
    let made = ["xgroup create s g $ mkstream", "xadd s 1-0 f v"];
    let lines = made.into_iter().chain([claim.as_str()]);
    let log: Vec<u8> = lines.flat_map(encoded).collect();
    let files = BTreeMap::from([("appendonly.aof".to_owned(), log)]);
    let again = world.start("appendonly yes", files);
    let b = world.client(again);
    let told = world.ask_at(again, b, "xinfo stream s full");
    assert!(told.contains(&format!(":{late}|")), "{told}");
    // A client's own clock may be ahead.
    for line in made {
        world.ask(a, line);
    }
    world.ask(a, &claim);
    let told = world.ask(a, "xinfo stream s full");
    assert!(!told.contains(&format!(":{late}|")), "{told}");
}
