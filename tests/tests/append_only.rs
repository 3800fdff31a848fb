//! The append-only file on a real disk, and from and to a real Redis.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use holdfast_tests::dataset::{assert_same_contents, contents, without_counts};
use holdfast_tests::{
    Flavour, Kind, Node, PATIENCE, executable, kills, peers_are_here, wait_until,
};

const FILE: &str = "appendonly yes\n";

/// A bit of everything, in two databases.
fn fill(node: &Node) {
    let mut client = node.client();
    for line in [
        "SET string one",
        "SET number 17",
        "INCR number",
        "SET expiring x PX 100000000",
        "RPUSH list a b c",
        "LPOP list",
        "HSET hash f 1 g 2",
        "SADD set x y z",
        "SADD ints 1 2 3",
        "ZADD zset 1 a 2.5 b",
        "XADD stream 1-1 f v",
        "XADD stream 2-1 f w g x",
        "XADD stream 3-1 f v",
        "XGROUP CREATE stream group 0",
        "XREADGROUP GROUP group reader COUNT 2 STREAMS stream >",
        "XACK stream group 1-1",
        "XDEL stream 3-1",
        "XGROUP CREATE none group $ MKSTREAM",
        "XGROUP CREATECONSUMER none group idle",
        "SETBIT bits 100 1",
        "PFADD hll a b c",
        "SELECT 3",
        "SET elsewhere 1",
        "MULTI",
        "SET both 1",
        "APPEND both 2",
        "EXEC",
        "SPOP set",
        "SELECT 0",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let reply = client.text(&words);
        assert!(!reply.starts_with('-'), "{line}: {reply}");
    }
    for command in [
        "RPUSH long-list",
        "SADD long-set",
        "ZADD long-zset",
        "HSET long-hash",
    ] {
        let mut words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        words.extend((0..700).map(|n| format!("{n}.5")));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        client.text(&words);
    }
    client.text(&["SET", "long", &"x".repeat(200_000)]);
}

/// Lets another server start with the files of one that has ended.
fn hand_over(from: &Node, flavour: Flavour, config: &str) -> Node {
    let mut to = Node::new(flavour, Kind::Server, config);
    let dir = "appendonlydir";
    copy(&from.dir().join(dir), &to.dir().join(dir));
    to.start();
    wait_until(PATIENCE, "the dataset is loaded", || {
        (to.info("persistence").get("loading") == "0").then_some(())
    });
    to
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a directory can be made");
    for entry in std::fs::read_dir(from).expect("there is a log") {
        let entry = entry.expect("a directory can be read");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a file can be copied");
    }
}

fn rewrite(node: &Node) {
    let begun = node.text(&["BGREWRITEAOF"]);
    assert!(begun.contains("append only file rewriting"), "{begun}");
    wait_until(PATIENCE, "the rewrite has ended", || {
        let info = node.info("persistence");
        let over =
            info.get("aof_rewrite_in_progress") == "0" && info.get("aof_rewrite_scheduled") == "0";
        over.then(|| assert_eq!(info.get("aof_last_bgrewrite_status"), "ok"))
    });
}

#[test]
fn a_killed_server_has_lost_nothing_under_always() {
    let mut node = Node::server(Flavour::Holdfast, "appendonly yes\nappendfsync always\n");
    fill(&node);
    let before = contents(&node);
    node.kill();
    node.start();
    assert_same_contents(&before, &contents(&node), "always");
    rewrite(&node);
    assert_eq!(node.text(&["SET", "string", "two"]), "OK");
    let before = contents(&node);
    node.kill();
    node.start();
    assert_same_contents(&before, &contents(&node), "always");
}

#[test]
fn a_server_that_is_shut_down_has_lost_nothing_whatever_the_policy() {
    for policy in ["everysec", "no"] {
        let config = format!("{FILE}appendfsync {policy}\n");
        let mut node = Node::server(Flavour::Holdfast, &config);
        fill(&node);
        let before = contents(&node);
        assert!(node.terminate().success(), "{policy}");
        node.start();
        assert_same_contents(&before, &contents(&node), policy);
    }
}

#[test]
fn redis_loads_what_holdfast_has_written_and_the_other_way_round() {
    if !peers_are_here("append_only") {
        return;
    }
    let contents = |node: &Node| without_counts(contents(node));
    for (one, other) in [
        (Flavour::Holdfast, Flavour::Redis),
        (Flavour::Redis, Flavour::Holdfast),
    ] {
        for config in [
            "",
            "aof-timestamp-enabled yes\n",
            "aof-use-rdb-preamble no\n",
        ] {
            for rewritten in [false, true] {
                let config = format!("{FILE}{config}");
                let mut node = Node::server(one, &config);
                fill(&node);
                if rewritten {
                    rewrite(&node);
                    assert_eq!(node.text(&["SET", "string", "two"]), "OK");
                }
                let before = contents(&node);
                let context = format!("{one:?} {config} {rewritten}");
                assert!(node.terminate().success());
                let mut next = hand_over(&node, other, &config);
                assert_same_contents(&before, &contents(&next), &context);
                rewrite(&next);
                assert!(next.terminate().success());
                let back = hand_over(&next, one, &config);
                assert_same_contents(&before, &contents(&back), &context);
            }
        }
    }
}

/// What a checker says of a file, and how it ends.
fn checked(mut command: Command, file: &Path) -> (String, Option<i32>) {
    command.arg(file);
    let ended = command.output().expect("it can be run");
    let report = String::from_utf8_lossy(&ended.stdout).into_owned();
    (report, ended.status.code())
}

#[test]
fn check_aof_says_of_any_cut_of_a_file_what_redis_check_aof_says() {
    if !peers_are_here("append_only") || Command::new("redis-check-aof").output().is_err() {
        return;
    }
    let mut node = Node::server(
        Flavour::Holdfast,
        &format!("{FILE}aof-timestamp-enabled yes\n"),
    );
    fill(&node);
    let incr = node.dir().join("appendonlydir/appendonly.aof.1.incr.aof");
    assert!(node.terminate().success());
    let bytes = std::fs::read(incr).expect("there is a log");
    let file = node.dir().join("cut.aof");
    for len in (0..300)
        .chain((300..bytes.len()).step_by(997))
        .chain([bytes.len()])
    {
        std::fs::write(&file, &bytes[..len]).expect("a file can be written");
        let mut ours = Command::new(executable());
        ours.arg("check-aof");
        let theirs = checked(Command::new("redis-check-aof"), &file);
        let (report, code) = checked(ours, &file);
        assert_eq!(code, theirs.1, "{len}: {report}");
        // Of a line end that is cut off, Redis tells what its memory held before.
        let cut_in_line_end = report.contains("Expected \\r\\n");
        assert!(
            cut_in_line_end || report == theirs.0,
            "{len}: {report}{}",
            theirs.0
        );
    }
}

#[test]
fn what_is_no_log_stops_the_start_with_the_words_of_redis() {
    let whole = "*1\r\n$4\r\nPING\r\n";
    for (tail, words) in [
        ("!!\r\n", "Bad file format reading the append only file"),
        (
            "*1\r\n$3\r\nbla\r\n",
            "Unknown command 'bla' reading the append only file",
        ),
        (
            "*3\r\n$3\r\nSET",
            "Unexpected end of file reading the append only file",
        ),
    ] {
        let config = format!("{FILE}aof-load-truncated no\n");
        let mut node = Node::new(Flavour::Holdfast, Kind::Server, &config);
        let dir = node.dir().join("appendonlydir");
        std::fs::create_dir(&dir).expect("a directory can be made");
        let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n";
        let write = |name: &str, text: &str| {
            std::fs::write(dir.join(name), text).expect("a file can be written");
        };
        write("appendonly.aof.manifest", manifest);
        write("appendonly.aof.1.incr.aof", &format!("{whole}{tail}"));
        node.launch();
        let status = wait_until(PATIENCE, "it has ended", || node.process().ended());
        assert_eq!(status.code(), Some(1));
        let log = node.log();
        let last = log.lines().last().unwrap_or_default();
        assert!(last.contains(words), "{log}");
    }
}

#[test]
fn waitaof_waits_for_the_disk() {
    let node = Node::server(Flavour::Holdfast, FILE);
    let mut client = node.client();
    client.text(&["SET", "k", "v"]);
    let begun = std::time::Instant::now();
    assert_eq!(client.text(&["WAITAOF", "1", "0", "5000"]), "1 0");
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn what_was_acknowledged_survives_kill_9_under_every_policy() {
    for (appendfsync, rounds) in [("always", 10), ("everysec", 4), ("no", 4)] {
        let tally = kills::campaign(rounds, appendfsync);
        assert_eq!(tally.missing, 0, "{appendfsync}");
        assert!(tally.acknowledged > 0, "{appendfsync}");
    }
}
