//! MIGRATE, between Holdfast and Redis.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use holdfast_tests::{Client, Flavour, Node, PATIENCE, peers_are_here, text_of, wait_until};

const OURS: Flavour = Flavour::Holdfast;
const REDIS: Flavour = Flavour::Redis;
const PAIRS: [(Flavour, Flavour); 3] = [(OURS, OURS), (OURS, REDIS), (REDIS, OURS)];

fn migrate(from: &Node, to: u16, rest: &str) -> String {
    let line = format!("MIGRATE 127.0.0.1 {to} {rest}");
    let words: Vec<&str> = line.split(' ').map(|word| word.trim_matches('"')).collect();
    from.text(&words)
}

fn fill(node: &Node) {
    let mut client = node.client();
    let words: Vec<String> = (0..2000).map(|n| format!("element:{n}")).collect();
    let big: Vec<&str> = ["RPUSH", "list"]
        .into_iter()
        .chain(words.iter().map(String::as_str))
        .collect();
    for words in [
        &["SET", "text", "hello"][..],
        &["SET", "mortal", "v", "EX", "1000"],
        &["HSET", "hash", "f", "1", "g", "2"],
        &["ZADD", "zset", "1", "a", "2.5", "b"],
        &["SADD", "set", "1", "2", "three"],
        &["XADD", "stream", "1-1", "f", "v"],
        &big,
    ] {
        assert!(!client.text(words).starts_with('-'), "{words:?}");
    }
}

const KEYS: &str = "text mortal hash zset set stream list";

#[test]
fn keys_of_every_type_move_between_servers_of_both_kinds() {
    if !peers_are_here("MIGRATE between Holdfast and Redis") {
        return;
    }
    for (from, to) in PAIRS {
        let (source, target) = (Node::server(from, ""), Node::server(to, ""));
        fill(&source);
        let look = |node: &Node, db: &str, key: &str| {
            let mut client = node.client();
            client.text(&["SELECT", db]);
            client.text(match key {
                "hash" => &["HMGET", "hash", "f", "g"],
                "zset" => &["ZRANGE", "zset", "0", "-1", "WITHSCORES"],
                "set" => &["SORT", "set", "ALPHA"],
                "stream" => &["XRANGE", "stream", "-", "+"],
                "list" => &["LRANGE", "list", "0", "-1"],
                "text" => &["GET", "text"],
                _ => &["GET", "mortal"],
            })
        };
        let before: Vec<String> = KEYS.split(' ').map(|key| look(&source, "0", key)).collect();
        let port = target.port();
        assert_eq!(migrate(&source, port, "text 3 5000 COPY"), "OK");
        assert_eq!(source.text(&["DBSIZE"]), "7");
        let busy =
            "-ERR Target instance replied with error: BUSYKEY Target key name already exists.";
        assert_eq!(migrate(&source, port, "text 3 5000"), busy);
        assert_eq!(source.text(&["EXISTS", "text"]), "1");
        let all = format!("\"\" 3 5000 REPLACE KEYS {KEYS} missing");
        assert_eq!(migrate(&source, port, &all), "OK");
        assert_eq!(source.text(&["DBSIZE"]), "0");
        for (key, value) in KEYS.split(' ').zip(before) {
            assert_eq!(
                look(&target, "3", key),
                value,
                "{key} from {from:?} to {to:?}"
            );
        }
        let mut client = target.client();
        client.text(&["SELECT", "3"]);
        let ttl: i64 = client.text(&["TTL", "mortal"]).parse().expect("a number");
        assert!((900..=1000).contains(&ttl), "{ttl}");
        assert_eq!(migrate(&source, port, "text 3 5000"), "NOKEY");
    }
}

#[test]
fn errors_are_those_of_redis() {
    if !peers_are_here("the errors of MIGRATE") {
        return;
    }
    let target = Node::server(REDIS, "requirepass secret\n");
    let locked = Node::server(REDIS, "user mover on >pass ~* +@all\n");
    let (ours, theirs) = (Node::server(OURS, ""), Node::server(REDIS, ""));
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let closed = nobody.local_addr().expect("it is bound").port();
    drop(nobody);
    for (to, rest) in [
        (closed, "k 0 200"),
        (target.port(), "k 0 2000"),
        (target.port(), "k 0 2000 AUTH wrong"),
        (target.port(), "k 99 2000 AUTH secret"),
        (target.port(), "k 0 2000 AUTH secret COPY"),
        (target.port(), "k 0 2000 AUTH secret"),
        (target.port(), "k 0 3000 AUTH secret COPY"),
        (target.port(), "k 0 3000 AUTH secret"),
        (target.port(), "k 0 3000 REPLACE AUTH secret"),
        (target.port(), "k 0 2000 COPY REPLACE AUTH2 default secret"),
        (locked.port(), "k 0 2000 AUTH2 mover pass COPY"),
        (locked.port(), "k 0 2000 AUTH2 mover wrong"),
        (target.port(), "none 0 200"),
        (target.port(), "k x 200"),
        (target.port(), "k 0 x"),
        (target.port(), "k 0 200 KEYS k"),
        (target.port(), "k 0 200 WHAT"),
        (target.port(), "k 0 200 AUTH"),
        (target.port(), "k 0 200 AUTH2 default"),
        (target.port(), "\"\" 0 200 KEYS"),
    ] {
        let answers = [&ours, &theirs].map(|node| {
            assert_eq!(node.text(&["SET", "k", "v"]), "OK");
            let mut client = target.client();
            client.text(&["AUTH", "secret"]);
            client.text(&["FLUSHALL"]);
            locked.text(&["FLUSHALL"]);
            if rest.starts_with("k 0 3000") {
                client.text(&["SET", "k", "there"]);
            }
            let answer = migrate(node, to, rest);
            (
                answer,
                node.text(&["EXISTS", "k"]),
                client.text(&["GET", "k"]),
            )
        });
        assert_eq!(answers[0], answers[1], "{rest}");
    }
    let long = ["MIGRATE", "no.such.host.invalid", "1", "k", "0", "100"];
    let unknown = "-IOERR error or timeout connecting to the client";
    assert_eq!(ours.text(&long), unknown);
    for words in [
        &["COMMAND", "GETKEYS", "MIGRATE", "h", "1", "a", "0", "1"][..],
        &[
            "COMMAND", "GETKEYS", "MIGRATE", "h", "1", "", "0", "1", "KEYS", "a", "b",
        ],
        &[
            "COMMAND", "GETKEYS", "MIGRATE", "h", "1", "", "0", "1", "AUTH", "keys", "KEYS", "a",
        ],
        &["COMMAND", "INFO", "MIGRATE"],
    ] {
        assert_eq!(ours.text(words), theirs.text(words), "{words:?}");
    }
}

#[test]
fn a_target_that_stands_still_costs_the_timeout_and_nothing_else() {
    let mut target = Node::server(OURS, "");
    let source = Node::server(OURS, "");
    assert_eq!(source.text(&["SET", "k", "v"]), "OK");
    target.pause();
    let started = Instant::now();
    let mut mover = source.client();
    let port = target.port().to_string();
    mover
        .send(&["MIGRATE", "127.0.0.1", &port, "k", "0", "1500"])
        .expect("the source reads");
    wait_until(PATIENCE, "the client is blocked", || {
        (source.info("clients").get("blocked_clients") == "1").then_some(())
    });
    // Others go on reading, and their writes wait for the answer.
    assert_eq!(source.text(&["GET", "k"]), "v");
    let mut writer = Client::connect(source.port()).expect("the source accepts");
    assert_eq!(writer.text(&["SET", "k", "later"]), "OK");
    assert!(started.elapsed() >= Duration::from_millis(1400));
    let answer = mover.receive().expect("the source answers");
    assert_eq!(
        text_of(&answer),
        "-IOERR error or timeout reading from target instance"
    );
    assert_eq!(source.text(&["GET", "k"]), "later");
    target.resume();
}

#[test]
fn what_has_moved_is_deleted_on_replicas_and_in_the_file() {
    let target = Node::server(OURS, "");
    let mut source = Node::server(OURS, "appendonly yes\nappendfsync always\n");
    let replica = Node::server(OURS, &format!("replicaof 127.0.0.1 {}\n", source.port()));
    replica.wait_for_link(source.port());
    for key in ["a", "b", "c"] {
        assert_eq!(source.text(&["SET", key, "v"]), "OK");
    }
    assert_eq!(target.text(&["SET", "b", "there"]), "OK");
    let busy = "-ERR Target instance replied with error: BUSYKEY Target key name already exists.";
    assert_eq!(
        migrate(&source, target.port(), "\"\" 0 5000 KEYS a b c"),
        busy
    );
    for node in [&source, &replica] {
        node.wait_for_key("a", "(nil)");
        node.wait_for_key("b", "v");
        node.wait_for_key("c", "(nil)");
    }
    source.kill();
    source.start();
    assert_eq!(source.text(&["KEYS", "*"]), "b");
    assert_eq!(target.text(&["GET", "b"]), "there");
    assert_eq!(target.text(&["DBSIZE"]), "3");
}

#[test]
fn a_transaction_can_not_wait_for_another_server() {
    let source = Node::server(OURS, "");
    let mut client = source.client();
    assert_eq!(client.text(&["SET", "k", "v"]), "OK");
    assert_eq!(client.text(&["MULTI"]), "OK");
    let queued = ["MIGRATE", "127.0.0.1", "1", "k", "0", "100"];
    assert_eq!(client.text(&queued), "QUEUED");
    assert_eq!(client.text(&["GET", "k"]), "QUEUED");
    let refused = "-ERR MIGRATE waits for another server, which a transaction can't v";
    assert_eq!(client.text(&["EXEC"]), refused);
}
