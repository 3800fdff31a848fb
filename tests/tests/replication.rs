//! Replication from and to the Redis that is installed.

use std::fmt::Write as _;

use holdfast_tests::{Client, Flavour, Node, PATIENCE, peers_are_here, wait_until};

const OURS: Flavour = Flavour::Holdfast;
const REDIS: Flavour = Flavour::Redis;
const PAIRS: [(Flavour, Flavour); 3] = [(REDIS, OURS), (OURS, REDIS), (OURS, OURS)];

/// Keys of every kind there is so far: short and long, plain and compressible, numbers, lists
/// of few and many elements, keys that expire, several databases.
fn fill(client: &mut Client) {
    let long = "long and compressible ".repeat(3000);
    let mut elements = vec!["RPUSH".to_owned(), "many".to_owned()];
    elements.extend((0..3000).map(|n| format!("element {n}")));
    let elements: Vec<&str> = elements.iter().map(String::as_str).collect();
    for words in [
        &["SET", "text", "hello"][..],
        &["SET", "empty", ""],
        &["SET", "number", "-1234567890123"],
        &["SET", "long", &long],
        &["SET", "expiring", "v", "PXAT", FAR_AWAY],
        &["RPUSH", "few", "a", "1", "", "4294967296"],
        &elements,
        &["SELECT", "5"],
        &["SET", "elsewhere", "five"],
        &["SELECT", "0"],
    ] {
        let reply = client.ask(words).expect("the server answers");
        assert_eq!(reply.as_error(), None, "{:?}", &words[..2]);
    }
    let mut pipeline = String::new();
    for n in 0..2000 {
        write!(pipeline, "SET key:{n} value:{n}\r\n").expect("a String takes any text");
    }
    client
        .send_raw(pipeline.as_bytes())
        .expect("the server reads");
    for _ in 0..2000 {
        let reply = client.receive().expect("the server answers");
        assert_eq!(holdfast_tests::text_of(&reply), "OK");
    }
}

/// In the year 2100.
const FAR_AWAY: &str = "4102444800000";

/// Everything `fill` made, as it can be asked for on either side.
fn contents(node: &Node) -> Vec<String> {
    let mut client = node.client();
    let mut found = Vec::new();
    for db in ["0", "5"] {
        assert_eq!(client.text(&["SELECT", db]), "OK");
        let keys = client.text(&["KEYS", "*"]);
        let mut keys: Vec<&str> = keys.split(' ').filter(|key| !key.is_empty()).collect();
        keys.sort_unstable();
        for key in keys {
            let kind = client.text(&["TYPE", key]);
            let value = match kind.as_str() {
                "string" => client.text(&["GET", key]),
                "list" => client.text(&["LRANGE", key, "0", "-1"]),
                other => panic!("{key} is a {other}"),
            };
            let expires = client.text(&["PEXPIRETIME", key]);
            found.push(format!("{db} {key} {kind} {expires} {value}"));
        }
    }
    found
}

/// Waits until both have processed the same of the stream.
fn wait_for_offset(master: &Node, replica: &Node) {
    wait_until(PATIENCE, "the replica has all of the stream", || {
        let (theirs, its) = (master.info("replication"), replica.info("replication"));
        let same = theirs.get("master_repl_offset") == its.get("slave_repl_offset")
            && theirs.get("master_replid") == its.get("master_replid");
        same.then_some(())
    });
}

fn pair(master: Flavour, replica: Flavour) -> (Node, Node) {
    let master = Node::server(master, "");
    let follow = format!("replicaof 127.0.0.1 {}\n", master.port());
    fill(&mut master.client());
    let replica = Node::server(replica, &follow);
    replica.wait_for_link(master.port());
    (master, replica)
}

#[test]
fn a_full_sync_brings_everything_over() {
    if !peers_are_here("full syncs from and to Redis") {
        return;
    }
    for (from, to) in PAIRS {
        let (master, replica) = pair(from, to);
        wait_for_offset(&master, &replica);
        let (theirs, its) = (contents(&master), contents(&replica));
        assert_eq!(theirs.len(), 2008, "{from:?}");
        assert!(theirs == its, "{from:?} to {to:?}: the data differ");
        assert_eq!(master.info("stats").get("sync_full"), "1");
    }
}

#[test]
fn the_stream_goes_on_after_a_full_sync() {
    if !peers_are_here("the stream from and to Redis") {
        return;
    }
    for (from, to) in PAIRS {
        let (master, replica) = pair(from, to);
        let mut client = master.client();
        for words in [
            &["SET", "text", "changed", "EX", "1000000"][..],
            &["INCRBY", "number", "7"],
            &["APPEND", "empty", "no more"],
            &["DEL", "long"],
            &["LPUSH", "few", "first"],
            &["RPOP", "many"],
            &["EXPIRE", "expiring", "-1"],
            &["MULTI"],
            &["SET", "in", "one"],
            &["RENAME", "in", "transaction"],
            &["EXEC"],
            &["SELECT", "5"],
            &["SET", "elsewhere", "changed"],
        ] {
            let reply = client.ask(words).expect("the master answers");
            assert_eq!(reply.as_error(), None, "{words:?}");
        }
        assert_eq!(client.text(&["WAIT", "1", "30000"]), "1");
        wait_for_offset(&master, &replica);
        assert!(
            contents(&master) == contents(&replica),
            "{from:?} to {to:?}: the data differ"
        );
    }
}

#[test]
fn a_cut_link_is_mended_by_a_partial_resync() {
    if !peers_are_here("partial resyncs from and to Redis") {
        return;
    }
    for (from, to) in PAIRS {
        let (master, replica) = pair(from, to);
        let mut client = master.client();
        for round in 1..=3 {
            assert_eq!(client.text(&["CLIENT", "KILL", "TYPE", "replica"]), "1");
            assert_eq!(client.text(&["SET", "round", &round.to_string()]), "OK");
            replica.wait_for_key("round", &round.to_string());
            replica.wait_for_link(master.port());
            let stats = master.info("stats");
            assert_eq!(
                stats.get("sync_full"),
                "1",
                "{from:?} to {to:?}, round {round}"
            );
            assert_eq!(stats.get("sync_partial_ok"), round.to_string());
        }
        wait_for_offset(&master, &replica);
        assert!(
            contents(&master) == contents(&replica),
            "{from:?} to {to:?}: the data differ"
        );
    }
}

#[test]
fn a_stopped_replica_comes_back_by_a_partial_resync() {
    if !peers_are_here("a replica of Redis that was stopped") {
        return;
    }
    for (from, to) in PAIRS {
        let (master, mut replica) = pair(from, to);
        replica.pause();
        assert_eq!(master.text(&["CLIENT", "KILL", "TYPE", "replica"]), "1");
        assert_eq!(master.text(&["SET", "while", "stopped"]), "OK");
        replica.resume();
        replica.wait_for_key("while", "stopped");
        assert_eq!(
            master.info("stats").get("sync_full"),
            "1",
            "{from:?} to {to:?}"
        );
    }
}

#[test]
fn a_chain_of_both_kinds_is_one_history() {
    if !peers_are_here("a chain with Redis at both ends") {
        return;
    }
    let (top, mut middle) = pair(REDIS, OURS);
    let follow = format!("replicaof 127.0.0.1 {}\n", middle.port());
    let bottom = Node::server(REDIS, &follow);
    bottom.wait_for_link(middle.port());
    assert_eq!(top.text(&["SET", "down", "the chain"]), "OK");
    bottom.wait_for_key("down", "the chain");
    wait_for_offset(&top, &middle);
    wait_for_offset(&top, &bottom);
    assert!(contents(&top) == contents(&bottom), "the data differ");

    // The middle becomes the master of a new history that begins with the old one.
    assert_eq!(middle.text(&["REPLICAOF", "NO", "ONE"]), "OK");
    assert_eq!(middle.text(&["SET", "promoted", "yes"]), "OK");
    bottom.wait_for_key("promoted", "yes");
    assert_eq!(
        middle.info("stats").get("sync_full"),
        "1",
        "the bottom followed without a sync"
    );
    let port = middle.port().to_string();
    assert_eq!(top.text(&["REPLICAOF", "127.0.0.1", &port]), "OK");
    top.wait_for_link(middle.port());
    top.wait_for_key("promoted", "yes");
    assert_eq!(
        middle.info("stats").get("sync_full"),
        "1",
        "the old master needed no full sync"
    );
    wait_for_offset(&middle, &top);
    wait_for_offset(&middle, &bottom);
    assert!(contents(&top) == contents(&bottom), "the data differ");
    assert_eq!(middle.terminate().code(), Some(0));
}

#[test]
fn passwords_are_given_and_wrong_ones_are_told() {
    let master = Node::server(OURS, "requirepass s3cret\n");
    let follow = format!("replicaof 127.0.0.1 {}\n", master.port());
    // A node that waits for PONG has no password to give, so the replica takes any client.
    let wrong = Node::server(OURS, &format!("{follow}masterauth wrong\n"));
    wrong.wait_for_log("Unable to AUTH to MASTER");
    let right = Node::server(OURS, &format!("{follow}masterauth s3cret\n"));
    right.wait_for_link(master.port());
}

#[test]
fn a_replica_refuses_writes_and_a_master_without_replicas_too_if_told_so() {
    let (master, replica) = pair(OURS, OURS);
    let readonly = "-READONLY You can't write against a read only replica.";
    assert_eq!(replica.text(&["SET", "k", "v"]), readonly);
    let mut client = master.client();
    let set = [
        "CONFIG",
        "SET",
        "min-replicas-to-write",
        "1",
        "min-replicas-max-lag",
        "10",
    ];
    assert_eq!(client.text(&set), "OK");
    wait_until(PATIENCE, "the replica counts as good", || {
        (client.text(&["SET", "k", "v"]) == "OK").then_some(())
    });
    drop(replica);
    let refused = "-NOREPLICAS Not enough good replicas to write.";
    wait_until(PATIENCE, "writes are refused", || {
        (client.text(&["SET", "k", "v"]) == refused).then_some(())
    });
    assert_eq!(client.text(&["GET", "k"]), "v");
}

#[test]
fn failover_hands_over_between_both_kinds() {
    if !peers_are_here("FAILOVER to and from Redis") {
        return;
    }
    for (old, new) in PAIRS {
        let (master, replica) = pair(old, new);
        wait_for_offset(&master, &replica);
        let before = contents(&master);
        let port = replica.port().to_string();
        let command = ["FAILOVER", "TO", "127.0.0.1", &port, "TIMEOUT", "10000"];
        assert_eq!(master.client().text(&command), "OK", "{old:?} to {new:?}");
        wait_until(PATIENCE, "the roles are changed", || {
            let (was, is) = (master.info("replication"), replica.info("replication"));
            let done = was.get("role") == "slave"
                && was.get("master_failover_state") == "no-failover"
                && was.get("master_link_status") == "up"
                && is.get("role") == "master";
            done.then_some(())
        });
        assert_eq!(replica.client().text(&["SET", "after", "1"]), "OK");
        wait_for_offset(&replica, &master);
        // The hand-over itself costs no snapshot.
        let snapshots = replica.info("stats");
        assert_eq!(snapshots.get("sync_full"), "0", "{old:?} to {new:?}");
        let after = contents(&master);
        assert_eq!(after.len(), before.len() + 1, "{old:?} to {new:?}");
        assert!(after == contents(&replica), "{old:?} to {new:?}");
    }
}
