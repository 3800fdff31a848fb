//! Hashes in the files of the Redis that is installed, and in ours.

use holdfast_tests::{Client, Flavour, Kind, Node, peers_are_here};

const OURS: Flavour = Flavour::Holdfast;
const REDIS: Flavour = Flavour::Redis;

/// Hashes by their keys: few fields and many, short ones and long, numbers, nothing at all.
fn sample() -> Vec<(&'static str, Vec<(String, String)>)> {
    let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(field, value)| ((*field).into(), (*value).into()))
            .collect()
    };
    let many = |count: usize| -> Vec<(String, String)> {
        (0..count)
            .map(|n| (format!("field:{n}"), (n * n).to_string()))
            .collect()
    };
    let long = "long and compressible ".repeat(500);
    vec![
        ("one", own(&[("f", "v")])),
        ("odd", own(&[("", ""), ("-7", "70000"), ("007", "-4096")])),
        ("full", many(512)),
        ("over", many(513)),
        ("large", many(20_000)),
        ("long", own(&[("a", &long), (&long, "b")])),
    ]
}

fn encoding(key: &str) -> &'static str {
    match key {
        "one" | "odd" | "full" => "listpack",
        _ => "hashtable",
    }
}

fn store(client: &mut Client, key: &str, pairs: &[(String, String)]) {
    for some in pairs.chunks(500) {
        let mut words = vec!["HSET", key];
        words.extend(some.iter().flat_map(|(field, value)| [&**field, &**value]));
        assert_eq!(client.text(&words), some.len().to_string());
    }
}

fn assert_holds(client: &mut Client, key: &str, pairs: &[(String, String)]) {
    assert_eq!(client.text(&["HLEN", key]), pairs.len().to_string());
    assert_eq!(client.text(&["OBJECT", "ENCODING", key]), encoding(key));
    for (field, value) in pairs {
        assert!(client.text(&["HGET", key, field]) == *value, "{key}");
    }
}

#[test]
fn files_with_hashes_are_exchanged_with_redis() {
    if !peers_are_here("the exchange of hashes") {
        return;
    }
    for (from, to) in [(REDIS, OURS), (OURS, REDIS), (OURS, OURS)] {
        let source = Node::server(from, "");
        let mut client = source.client();
        for (key, pairs) in sample() {
            store(&mut client, key, &pairs);
        }
        assert_eq!(client.text(&["SAVE"]), "OK");
        let mut target = Node::new(to, Kind::Server, "");
        std::fs::copy(source.dir().join("dump.rdb"), target.dir().join("dump.rdb")).unwrap();
        target.start();
        let mut client = target.client();
        for (key, pairs) in sample() {
            assert_holds(&mut client, key, &pairs);
        }
    }
}

#[test]
fn a_file_shows_a_large_hash_as_it_was_however_it_is_written_to_meanwhile() {
    let source = Node::server(OURS, "");
    let mut client = source.client();
    let pairs: Vec<(String, String)> = (0..100_000)
        .map(|n| (format!("field:{n}"), n.to_string()))
        .collect();
    store(&mut client, "large", &pairs);
    client.text(&["BGSAVE"]);
    for (field, _) in pairs.iter().step_by(7) {
        client.text(&["HSET", "large", field, "changed"]);
        client.text(&["HDEL", "large", field]);
    }
    holdfast_tests::wait_until(holdfast_tests::PATIENCE, "the file is written", || {
        let info = source.info("persistence");
        (info.get("rdb_bgsave_in_progress") == "0").then_some(())
    });
    let mut target = Node::new(OURS, Kind::Server, "");
    std::fs::copy(source.dir().join("dump.rdb"), target.dir().join("dump.rdb")).unwrap();
    target.start();
    assert_holds(&mut target.client(), "large", &pairs);
}
