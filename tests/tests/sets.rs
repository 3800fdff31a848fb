//! Sets in the files of the Redis that is installed, and in ours.

use holdfast_tests::{Client, Flavour, Kind, Node, peers_are_here};

const OURS: Flavour = Flavour::Holdfast;
const REDIS: Flavour = Flavour::Redis;

/// Sets by their keys: integers and others, few and many, short ones and long.
fn sample() -> Vec<(&'static str, Vec<String>)> {
    let own =
        |members: &[&str]| -> Vec<String> { members.iter().map(|&member| member.into()).collect() };
    let many = |count: usize, prefix: &str| -> Vec<String> {
        (0..count).map(|n| format!("{prefix}{n}")).collect()
    };
    let long = "long and compressible ".repeat(500);
    vec![
        ("one", own(&["1"])),
        ("narrow", own(&["-32768", "0", "32767"])),
        ("middle", own(&["-2147483648", "0", "32768"])),
        (
            "wide",
            own(&["-9223372036854775808", "7", "9223372036854775807"]),
        ),
        ("ints", many(512, "")),
        ("over", many(513, "")),
        ("odd", own(&["", "-7", "007", "70000"])),
        ("full", many(128, "m")),
        ("fuller", many(129, "m")),
        ("large", many(20_000, "member:")),
        ("long", own(&[&long, "b"])),
    ]
}

fn encoding(key: &str) -> &'static str {
    match key {
        "one" | "narrow" | "middle" | "wide" | "ints" => "intset",
        "odd" | "full" => "listpack",
        _ => "hashtable",
    }
}

fn store(client: &mut Client, key: &str, members: &[String]) {
    for some in members.chunks(500) {
        let mut words = vec!["SADD", key];
        words.extend(some.iter().map(String::as_str));
        assert_eq!(client.text(&words), some.len().to_string());
    }
}

fn assert_holds(client: &mut Client, of: Flavour, key: &str, members: &[String]) {
    assert_eq!(client.text(&["SCARD", key]), members.len().to_string());
    let found = client.text(&["OBJECT", "ENCODING", key]);
    // Redis 7.0 has no listpacks of sets.
    let is_older = of == REDIS && encoding(key) == "listpack" && found == "hashtable";
    assert!(found == encoding(key) || is_older, "{key}: {found}");
    for member in members {
        assert!(client.text(&["SISMEMBER", key, member]) == "1", "{key}");
    }
}

#[test]
fn files_with_sets_are_exchanged_with_redis() {
    if !peers_are_here("the exchange of sets") {
        return;
    }
    for (from, to) in [(REDIS, OURS), (OURS, REDIS), (OURS, OURS)] {
        let source = Node::server(from, "");
        let mut client = source.client();
        for (key, members) in sample() {
            store(&mut client, key, &members);
        }
        assert_eq!(client.text(&["SAVE"]), "OK");
        let mut target = Node::new(to, Kind::Server, "");
        std::fs::copy(source.dir().join("dump.rdb"), target.dir().join("dump.rdb")).unwrap();
        target.start();
        let mut client = target.client();
        for (key, members) in sample() {
            assert_holds(&mut client, to, key, &members);
        }
    }
}

#[test]
fn a_file_shows_a_large_set_as_it_was_however_it_is_written_to_meanwhile() {
    let source = Node::server(OURS, "");
    let mut client = source.client();
    let members: Vec<String> = (0..100_000).map(|n| format!("member:{n}")).collect();
    store(&mut client, "large", &members);
    client.text(&["BGSAVE"]);
    for member in members.iter().step_by(7) {
        client.text(&["SREM", "large", member]);
        client.text(&["SADD", "large", &format!("{member}:new")]);
    }
    holdfast_tests::wait_until(holdfast_tests::PATIENCE, "the file is written", || {
        let info = source.info("persistence");
        (info.get("rdb_bgsave_in_progress") == "0").then_some(())
    });
    let mut target = Node::new(OURS, Kind::Server, "");
    std::fs::copy(source.dir().join("dump.rdb"), target.dir().join("dump.rdb")).unwrap();
    target.start();
    assert_holds(&mut target.client(), OURS, "large", &members);
}
