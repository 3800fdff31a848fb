//! The real redis-cli against our server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use holdfast_tests::{Flavour, Node, PATIENCE, Process, peers_are_here, redis_cli, wait_until};

fn server(test: &str) -> Option<Node> {
    peers_are_here(test).then(|| Node::server(Flavour::Holdfast, ""))
}

fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// The output of redis-cli with a file as its input.
fn piped(node: &Node, args: &[&str], input: &[u8]) -> String {
    let path = node.dir().join("input");
    fs::write(&path, input).unwrap();
    let mut command = redis_cli(node.port());
    command.args(args).stdin(File::open(&path).unwrap());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

#[test]
fn commands_and_pipelines_are_answered() {
    let Some(node) = server("commands of redis-cli") else {
        return;
    };
    let cli = |args: &[&str]| output(redis_cli(node.port()).args(args));
    assert_eq!(cli(&["SET", "k", "v"]), "OK");
    assert_eq!(cli(&["GET", "k"]), "v");
    assert_eq!(cli(&["RPUSH", "l", "a", "b"]), "2");
    assert_eq!(cli(&["LRANGE", "l", "0", "-1"]), "a\nb");
    let mut lines = String::new();
    for n in 1..=200 {
        writeln!(lines, "INCR counter").unwrap();
        writeln!(lines, "SET key:{n} \"quoted {n}\"").unwrap();
    }
    let replies = piped(&node, &[], lines.as_bytes());
    let replies: Vec<&str> = replies.lines().collect();
    assert_eq!(replies.len(), 400);
    assert_eq!(&replies[..4], ["1", "OK", "2", "OK"]);
    assert_eq!(cli(&["GET", "counter"]), "200");
    assert_eq!(cli(&["GET", "key:77"]), "quoted 77");
}

#[test]
fn resp3_is_spoken_when_asked_for() {
    let Some(node) = server("redis-cli -3") else {
        return;
    };
    let reply = output(redis_cli(node.port()).args(["-3", "--no-raw", "HELLO"]));
    assert!(reply.contains("\"proto\" => (integer) 3"), "{reply}");
    assert!(reply.contains("\"role\" => \"master\""), "{reply}");
    let reply = output(redis_cli(node.port()).args(["-3", "--no-raw", "GET", "none"]));
    assert_eq!(reply, "(nil)");
}

#[test]
fn scan_returns_every_key_once() {
    let Some(node) = server("redis-cli --scan") else {
        return;
    };
    let mut lines = String::new();
    for n in 0..3000 {
        writeln!(lines, "SET key:{n} {n}").unwrap();
    }
    piped(&node, &[], lines.as_bytes());
    let keys = output(redis_cli(node.port()).arg("--scan"));
    let mut keys: Vec<&str> = keys.lines().collect();
    assert_eq!(keys.len(), 3000);
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3000);
    let some = output(redis_cli(node.port()).args(["--scan", "--pattern", "key:299?"]));
    assert_eq!(some.lines().count(), 10);
}

#[test]
fn a_mass_insertion_ends_with_no_error() {
    let Some(node) = server("redis-cli --pipe") else {
        return;
    };
    let mut input = Vec::new();
    for n in 0..20_000 {
        let (key, value) = (format!("key:{n}"), format!("value \r\n {n}"));
        let words: [&[u8]; 3] = [b"SET", key.as_bytes(), value.as_bytes()];
        holdfast_core::resp::encode_command(&mut input, &words);
    }
    let report = piped(&node, &["--pipe"], &input);
    assert!(report.ends_with("errors: 0, replies: 20000"), "{report}");
    assert_eq!(node.text(&["DBSIZE"]), "20000");
    assert_eq!(node.text(&["GET", "key:19999"]), "value \r\n 19999");
}

#[test]
fn statistics_are_shown() {
    let Some(node) = server("redis-cli --stat") else {
        return;
    };
    node.text(&["SET", "k", "v"]);
    let mut command = redis_cli(node.port());
    command.args(["--stat", "-i", "0.1"]).stdout(Stdio::piped());
    let mut process = Process::start(&mut command);
    let lines = BufReader::new(process.take_stdout().unwrap()).lines();
    let lines: Vec<String> = lines.take(5).map(Result::unwrap).collect();
    assert!(lines[0].starts_with("------- data ------"), "{lines:?}");
    let words: Vec<&str> = lines[3].split_whitespace().collect();
    assert_eq!(words[0], "1", "{lines:?}");
    assert!(
        words[1].ends_with('M') || words[1].ends_with('K'),
        "{lines:?}"
    );
}

#[test]
fn a_copy_of_the_data_is_fetched() {
    let Some(node) = server("redis-cli --rdb") else {
        return;
    };
    node.text(&["SET", "k", "v"]);
    let path = node.dir().join("copy.rdb");
    output(redis_cli(node.port()).arg("--rdb").arg(&path));
    let copy = fs::read(&path).unwrap();
    assert!(copy.starts_with(b"REDIS00"), "{copy:?}");
    // It is one that Redis starts with.
    let mut redis = Node::new(
        Flavour::Redis,
        holdfast_tests::Kind::Server,
        "dbfilename copy.rdb\n",
    );
    fs::copy(&path, redis.dir().join("copy.rdb")).unwrap();
    redis.start();
    assert_eq!(redis.text(&["GET", "k"]), "v");
}

#[test]
fn functions_are_fetched_without_the_data() {
    if !peers_are_here("redis-cli --functions-rdb") {
        return;
    }
    let redis = Node::server(Flavour::Redis, "");
    let library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
    assert_eq!(redis.text(&["FUNCTION", "LOAD", library]), "lib");
    redis.text(&["SET", "k", "v"]);
    assert_eq!(redis.text(&["SAVE"]), "OK");
    let from = redis.dir().join("dump.rdb");

    let mut node = Node::new(Flavour::Holdfast, holdfast_tests::Kind::Server, "");
    fs::copy(&from, node.dir().join("dump.rdb")).unwrap();
    node.start();
    assert_eq!(node.text(&["GET", "k"]), "v");
    for (option, keys) in [("--functions-rdb", "0"), ("--rdb", "1")] {
        let path = node.dir().join("fetched.rdb");
        output(redis_cli(node.port()).arg(option).arg(&path));
        let mut redis = Node::new(Flavour::Redis, holdfast_tests::Kind::Server, "");
        fs::copy(&path, redis.dir().join("dump.rdb")).unwrap();
        redis.start();
        assert_eq!(redis.text(&["DBSIZE"]), keys, "{option}");
        assert_eq!(redis.text(&["FCALL", "f", "0"]), "1", "{option}");
    }
    // Who only fetches that is no replica.
    assert_eq!(node.info("replication").get("connected_slaves"), "0");
}

#[test]
fn messages_reach_a_subscriber() {
    let Some(node) = server("redis-cli SUBSCRIBE") else {
        return;
    };
    let mut command = redis_cli(node.port());
    command
        .args(["PSUBSCRIBE", "news.*"])
        .stdout(Stdio::piped());
    let mut process = Process::start(&mut command);
    let mut lines = BufReader::new(process.take_stdout().unwrap())
        .lines()
        .map(Result::unwrap);
    assert_eq!(
        lines.by_ref().take(3).collect::<Vec<_>>(),
        ["psubscribe", "news.*", "1"]
    );
    let published = || node.text(&["PUBLISH", "news.today", "rain"]);
    assert_eq!(
        wait_until(PATIENCE, "a receiver", || Some(published())),
        "1"
    );
    let message: Vec<String> = lines.take(4).collect();
    assert_eq!(message, ["pmessage", "news.*", "news.today", "rain"]);
}
