//! The base of the append-only file as plain commands (`aof-use-rdb-preamble no`).

use super::harness::World;
use crate::machine::ConnId;

const PLAIN: &str = "appendonly yes\naof-use-rdb-preamble no";
const DIR: &str = "appendonlydir/appendonly.aof";

fn base(world: &World, node: usize, seq: u32) -> String {
    let bytes = &world.nodes[node].disk.files[&format!("{DIR}.{seq}.base.aof")];
    String::from_utf8_lossy(bytes).into()
}

/// The commands of a base, one a line.
fn commands(world: &World, node: usize, seq: u32) -> Vec<String> {
    let text = base(world, node, seq);
    let commands = text.split("\r\n*").map(|command| {
        let words = command.split("\r\n").skip(1);
        words.skip(1).step_by(2).collect::<Vec<_>>().join(" ")
    });
    commands.filter(|command| !command.is_empty()).collect()
}

fn rewritten(lines: &[&str]) -> (World, ConnId) {
    let mut world = World::single(PLAIN);
    let a = world.client(0);
    for line in lines {
        let reply = world.ask(a, line);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
    world.ask(a, "bgrewriteaof");
    (world, a)
}

#[test]
fn every_type_is_written_as_redis_writes_it() {
    for (lines, expected) in [
        (&["set k v"][..], &["SET k v"][..]),
        (&["set k -17"], &["SET k -17"]),
        (
            &["set k v", "pexpireat k 1700000100000"],
            &["SET k v", "PEXPIREAT k 1700000100000"],
        ),
        (&["rpush k a b 3"], &["RPUSH k a b 3"]),
        (&["hset k f 1 g 2"], &["HMSET k f 1 g 2"]),
        (&["sadd k 3 1 2"], &["SADD k 1 2 3"]),
        (&["sadd k x y"], &["SADD k x y"]),
        (&["zadd k 1.5 a inf b"], &["ZADD k 1.5 a inf b"]),
        (&["select 3", "set k v"], &["SELECT 3", "SET k v"]),
        (
            &["xadd k 1-1 f v", "xadd k 2-1 f w g x", "xdel k 1-1"],
            &[
                "XADD k 2-1 f w g x",
                "XSETID k 2-1 ENTRIESADDED 2 MAXDELETEDID 1-1",
            ],
        ),
        (
            &[
                "xgroup create k g $ mkstream",
                "xgroup createconsumer k g c",
            ],
            &[
                "XADD k MAXLEN 0 0-1 x y",
                "XSETID k 0-0 ENTRIESADDED 0 MAXDELETEDID 0-0",
                "XGROUP CREATE k g 0-0 ENTRIESREAD -1",
                "XGROUP CREATECONSUMER k g c",
            ],
        ),
        (
            &[
                "xadd k 1-1 f v",
                "xadd k 2-1 f v",
                "xgroup create k g 0",
                "xreadgroup group g c streams k >",
            ],
            &[
                "XADD k 1-1 f v",
                "XADD k 2-1 f v",
                "XSETID k 2-1 ENTRIESADDED 2 MAXDELETEDID 0-0",
                "XGROUP CREATE k g 2-1 ENTRIESREAD 2",
                "XGROUP CREATECONSUMER k g c",
                "XCLAIM k g c 0 1-1 TIME 1700000000000 RETRYCOUNT 1 JUSTID FORCE",
                "XCLAIM k g c 0 2-1 TIME 1700000000000 RETRYCOUNT 1 JUSTID FORCE",
            ],
        ),
    ] {
        let (world, _) = rewritten(lines);
        let mut written = commands(&world, 0, 2);
        if !lines[0].starts_with("select") {
            assert_eq!(written.remove(0), "SELECT 0", "{lines:?}");
        }
        // What goes on is behind the commands.
        let last = written.last_mut().unwrap();
        *last = last.split(" #REPL:").next().unwrap().trim_end().to_owned();
        if lines[0].starts_with("sadd k x") {
            written[0] = written[0].replace("y x", "x y");
        }
        assert_eq!(written, expected);
    }
}

/// Consumers of `s` hold 1-0 to 5-0, of which some go.
fn with_entries_gone(go: &[&str]) -> (World, ConnId) {
    let mut lines = vec!["xgroup create s g 0 mkstream", "xgroup create s other 0"];
    let add: Vec<_> = (1..=6).map(|n| format!("xadd s {n}-0 f {n}")).collect();
    lines.extend(add.iter().map(String::as_str));
    lines.extend([
        "xreadgroup group g c count 3 streams s >",
        "xreadgroup group g d count 2 streams s >",
        "xreadgroup group other c count 2 streams s >",
    ]);
    lines.extend(go);
    rewritten(&lines)
}

#[test]
fn what_was_not_acknowledged_is_there_after_a_restart_though_its_entry_is_gone() {
    for go in [
        &["xtrim s minid 3-0"][..],
        &["xdel s 2-0 4-0"],
        &["xtrim s minid 3-0", "xdel s 4-0"],
        &["xdel s 4-0", "xtrim s maxlen 1"],
        &["xtrim s maxlen 0"],
        &["xdel s 1-0 2-0 3-0 4-0 5-0 6-0"],
        &["xtrim s maxlen 0", "xadd s 7-0 f 7", "xsetid s 9-0"],
        // The last ID there can be.
        &[
            "xadd s 18446744073709551615-18446744073709551615 f 7",
            "xreadgroup group g d count 2 streams s >",
            "xdel s 18446744073709551615-18446744073709551615",
        ],
    ] {
        let (mut world, a) = with_entries_gone(go);
        let questions = [
            "xpending s g - + 10",
            "xpending s other - + 10",
            "xinfo groups s",
            "xinfo stream s",
            "xrange s - +",
        ];
        let before = questions.map(|question| world.ask(a, question));
        let digest = world.digest(0);
        assert!(before[0].contains("1-0"), "{go:?}");
        let again = world.restart(0, PLAIN);
        assert_eq!(world.digest(again), digest, "{go:?}");
        let b = world.client(again);
        let after = questions.map(|question| world.ask_at(again, b, question));
        assert_eq!(after, before, "{go:?}");
    }
}

#[test]
fn what_stands_in_for_entries_is_taken_away() {
    let (world, _) = with_entries_gone(&["xtrim s minid 3-0", "xdel s 4-0"]);
    let written = commands(&world, 0, 2);
    let expected = [
        "SELECT 0",
        "XADD s 1-0 x y",
        "XADD s 2-0 x y",
        "XADD s 3-0 f 3",
        "XADD s 4-0 x y",
        "XADD s 5-0 f 5",
        "XADD s 6-0 f 6",
        "XGROUP CREATE s g 5-0 ENTRIESREAD 5",
    ];
    assert_eq!(written[..expected.len()], expected);
    let at = written.iter().position(|line| line.starts_with("XTRIM"));
    let [trim, delete, set, ..] = &written[at.unwrap()..] else {
        panic!("{written:?}");
    };
    assert_eq!(trim, "XTRIM s MINID = 3-0");
    assert_eq!(delete, "XDEL s 4-0");
    assert!(set.starts_with("XSETID s 6-0 ENTRIESADDED 6 MAXDELETEDID 4-0"));
    let claims = written.iter().filter(|line| line.starts_with("XCLAIM"));
    assert_eq!(claims.count(), 7);
}

#[test]
fn what_a_plain_base_holds_is_there_after_a_restart() {
    let mut world = World::single(PLAIN);
    let a = world.client(0);
    let many = |command: &str, each: &dyn Fn(u32) -> String| {
        let words: Vec<_> = (0..1000).map(each).collect();
        format!("{command} {}", words.join(" "))
    };
    let lines = [
        format!("set long {}", "x".repeat(100_000)),
        many("rpush list", &|n| format!("item{n}")),
        many("hset hash", &|n| format!("field{n} {n}")),
        many("sadd set", &|n| format!("member{n}")),
        many("sadd ints", &|n| n.to_string()),
        many("zadd zset", &|n| format!("{}.25 member{n}", n)),
        "setbit bits 7 1".to_owned(),
        "set expiring 1 px 100000".to_owned(),
        "select 5".to_owned(),
        "pfadd hll a b c".to_owned(),
        "xgroup create stream g 0 mkstream".to_owned(),
    ];
    for line in &lines {
        assert!(!world.ask(a, line).starts_with('-'));
    }
    for n in 1..=300 {
        world.ask(a, &format!("xadd stream {n}-0 f {n}"));
    }
    world.ask(a, "xreadgroup group g c count 200 streams stream >");
    world.ask(a, "xreadgroup group g d count 10 streams stream >");
    world.ask(a, "xack stream g 7-0");
    world.ask(a, "bgrewriteaof");
    world.ask(a, "set behind 1");
    let digest = world.digest(0);
    let pending = world.ask(a, "xpending stream g");
    let groups = world.ask(a, "xinfo groups stream");
    assert!(!base(&world, 0, 2).contains("REDIS"));
    let again = world.restart(0, PLAIN);
    assert_eq!(world.digest(again), digest);
    let b = world.client(again);
    world.ask_at(again, b, "select 5");
    assert_eq!(world.ask_at(again, b, "xpending stream g"), pending);
    assert_eq!(world.ask_at(again, b, "xinfo groups stream"), groups);
    // The other form takes its place, and the other way round.
    world.ask_at(again, b, "config set aof-use-rdb-preamble yes");
    world.ask_at(again, b, "bgrewriteaof");
    let files = &world.nodes[again].disk.files;
    assert!(files.contains_key(&format!("{DIR}.3.base.rdb")));
    assert!(!files.contains_key(&format!("{DIR}.2.base.aof")));
    let last = world.restart(again, PLAIN);
    assert_eq!(world.digest(last), digest);
}

#[test]
fn a_dataset_without_keys_has_a_base_without_commands() {
    let mut world = World::single(PLAIN);
    assert_eq!(base(&world, 0, 1), "");
    let again = world.restart(0, PLAIN);
    let b = world.client(again);
    world.ask_at(again, b, "set k 1");
    let last = world.restart(again, PLAIN);
    let c = world.client(last);
    assert_eq!(world.ask_at(last, c, "get k"), "$1|1|");
}

#[test]
fn a_plain_base_says_when_it_was_written_and_where_in_the_stream() {
    let mut world = World::single(&format!("{PLAIN}\naof-timestamp-enabled yes"));
    let a = world.client(0);
    let replica = world.start("replicaof 127.0.0.1 6379", Default::default());
    world.wait(2_000);
    assert_eq!(world.info(replica, "master_link_status"), "up");
    world.ask(a, "set k 1");
    world.ask(a, "bgrewriteaof");
    let text = base(&world, 0, 2);
    assert!(
        text.starts_with("#TS:1700000002\r\n*2\r\n$6\r\nSELECT"),
        "{text}"
    );
    let offset = world.info(0, "master_repl_offset");
    let replid = world.info(0, "master_replid");
    assert!(
        text.ends_with(&format!("#REPL:{replid}:{offset}:0\r\n")),
        "{text}"
    );
    let again = world.restart(0, PLAIN);
    assert_eq!(world.info(again, "master_replid2"), replid);
}

#[test]
fn changes_while_a_plain_base_is_written_are_not_in_it() {
    let mut world = World::single(PLAIN);
    let a = world.client(0);
    let words: Vec<_> = (0..2000).map(|n| format!("field{n} before")).collect();
    world.ask(a, &format!("hset hash {}", words.join(" ")));
    world.ask(a, "set k before");
    world.ask(a, "config set rdb-key-save-delay 1000000");
    world.ask(a, "bgrewriteaof");
    world.ask(a, "set k after");
    world.ask(a, "hset hash field7 after");
    world.ask(a, "config set rdb-key-save-delay 0");
    let text = base(&world, 0, 2);
    assert!(text.contains("before") && !text.contains("after"));
    let digest = world.digest(0);
    let again = world.restart(0, PLAIN);
    assert_eq!(world.digest(again), digest);
}

#[test]
fn keys_of_a_base_count_as_loaded_if_it_is_rdb_data() {
    for (preamble, keys) in [("yes", "3"), ("no", "0")] {
        let config =
            format!("appendonly yes\naof-use-rdb-preamble {preamble}\nenable-debug-command yes");
        let mut world = World::single(&config);
        let a = world.client(0);
        for command in [
            "mset a 1 b 2",
            "set gone 1 px 50",
            "bgrewriteaof",
            "set c 3",
        ] {
            world.ask(a, command);
        }
        world.wait(1_000);
        let again = world.restart(0, &config);
        assert_eq!(world.info(again, "rdb_last_load_keys_loaded"), keys);
        // What has expired is left to the commands that follow.
        assert_eq!(world.info(again, "rdb_last_load_keys_expired"), "0");
        let b = world.client(again);
        assert_eq!(world.ask_at(again, b, "debug reload"), "+OK|");
        assert_eq!(world.info(again, "rdb_last_load_keys_loaded"), "3");
        // Nothing is loaded from an RDB file where the base has none.
        assert_eq!(world.ask_at(again, b, "debug loadaof"), "+OK|");
        assert_eq!(world.info(again, "rdb_last_load_keys_loaded"), "3");
    }
}
