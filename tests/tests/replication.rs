//! Replication from and to the Redis that is installed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use holdfast_tests::dataset::{assert_same, assert_same_but_counts, change, contents, fill};
use holdfast_tests::{Client, Flavour, Node, PATIENCE, peers_are_here, wait_until};

const OURS: Flavour = Flavour::Holdfast;
const REDIS: Flavour = Flavour::Redis;
const PAIRS: [(Flavour, Flavour); 3] = [(REDIS, OURS), (OURS, REDIS), (OURS, OURS)];

/// Waits until both have processed the same of the stream.
fn wait_for_offset(master: &Node, replica: &Node) {
    wait_until(PATIENCE, "the replica has all of the stream", || {
        let (theirs, its) = (master.info("replication"), replica.info("replication"));
        let same = theirs.get("master_repl_offset") == its.get("slave_repl_offset")
            && theirs.get("master_replid") == its.get("master_replid");
        same.then_some(())
    });
}

/// The stream of a master that has no PING of its own in it, so that a replica that is promoted is
/// not behind.
const QUIET: &str = "repl-ping-replica-period 3600\n";

fn pair(master: Flavour, replica: Flavour) -> (Node, Node) {
    pair_with(master, replica, "")
}

fn pair_with(master: Flavour, replica: Flavour, config: &str) -> (Node, Node) {
    let config = format!("{QUIET}{config}");
    let master = Node::server(master, &config);
    fill(&master);
    let replica = follow(&master, replica, &config);
    (master, replica)
}

/// Starts a replica and waits until it has the data.
fn follow(master: &Node, replica: Flavour, config: &str) -> Node {
    let config = format!("replicaof 127.0.0.1 {}\n{config}", master.port());
    let replica = Node::server(replica, &config);
    replica.wait_for_link(master.port());
    replica
}

#[test]
fn what_is_carried_over_has_every_form_that_values_take() {
    for flavour in [REDIS, OURS] {
        if flavour == REDIS && !peers_are_here("the forms of values in Redis") {
            continue;
        }
        let node = Node::server(flavour, "");
        fill(&node);
        let mut client = node.client();
        for (key, encoding) in [
            ("number", "int"),
            ("text", "embstr"),
            ("long", "raw"),
            ("many", "quicklist"),
            ("record", "listpack"),
            ("fields", "hashtable"),
            ("wide:hash", "hashtable"),
            ("ints", "intset"),
            ("members", "hashtable"),
            ("numbers", "hashtable"),
            ("ranks", "listpack"),
            ("scores", "skiplist"),
            ("events", "stream"),
        ] {
            let told = client.text(&["OBJECT", "ENCODING", key]);
            assert_eq!(told, encoding, "{flavour:?}, {key}");
        }
        let pending = client.text(&["XPENDING", "gone", "g"]);
        assert_eq!(pending, "1 1-1 1-1 c 1", "{flavour:?}");
        assert_eq!(client.text(&["XLEN", "gone"]), "0");
    }
}

#[test]
fn a_full_sync_brings_everything_over() {
    if !peers_are_here("full syncs from and to Redis") {
        return;
    }
    let ways = [
        "repl-diskless-sync no\n",
        "repl-diskless-sync yes\nrepl-diskless-load disabled\n",
        "repl-diskless-sync yes\nrepl-diskless-load swapdb\n",
    ];
    for (from, to) in PAIRS {
        for way in ways {
            let (master, replica) = pair_with(from, to, way);
            wait_for_offset(&master, &replica);
            assert_same(&master, &replica, &format!("{from:?} to {to:?}, {way}"));
            assert_eq!(master.info("stats").get("sync_full"), "1");
        }
    }
}

/// Asserts that a replica holds what the stream of its master has brought it.
#[track_caller]
fn assert_has_followed(whose: Flavour, master: &Node, replica: &Node, context: &str) {
    match whose {
        OURS => assert_same(master, replica, context),
        REDIS => assert_same_but_counts(master, replica, context),
    }
}

#[test]
fn the_stream_goes_on_after_a_full_sync() {
    if !peers_are_here("the stream from and to Redis") {
        return;
    }
    for (from, to) in PAIRS {
        let (master, replica) = pair(from, to);
        for round in 1..=2 {
            change(&master);
            wait_for_offset(&master, &replica);
            let context = format!("{from:?} to {to:?}, round {round}");
            assert_has_followed(from, &master, &replica, &context);
        }
        let mut client = master.client();
        assert_eq!(client.text(&["SET", "text", "waited for"]), "OK");
        assert_eq!(client.text(&["WAIT", "1", "30000"]), "1");
        assert_eq!(replica.text(&["GET", "text"]), "waited for");
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
        change(&master);
        wait_for_offset(&master, &replica);
        assert_has_followed(from, &master, &replica, &format!("{from:?} to {to:?}"));
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
    if !peers_are_here("chains of both kinds") {
        return;
    }
    for (one, other) in [(REDIS, OURS), (OURS, REDIS)] {
        let (top, mut middle) = pair(one, other);
        let bottom = follow(&middle, one, QUIET);
        change(&top);
        wait_for_offset(&top, &middle);
        wait_for_offset(&top, &bottom);
        assert_has_followed(one, &top, &middle, &format!("from {one:?}"));
        assert_has_followed(one, &top, &bottom, &format!("from {one:?}"));

        // The middle becomes the master of a new history that begins with the old one.
        promote(&middle, &[&top, &bottom]);
        assert_eq!(
            middle.info("stats").get("sync_full"),
            "1",
            "the bottom followed without a sync, and the old master needed none"
        );
        change(&middle);
        wait_for_offset(&middle, &top);
        wait_for_offset(&middle, &bottom);
        assert_same_but_counts(&middle, &top, &format!("from {other:?}"));
        assert_same_but_counts(&middle, &bottom, &format!("from {other:?}"));
        assert_eq!(middle.terminate().code(), Some(0));
    }
}

/// Makes one server the master of others.
fn promote(new: &Node, others: &[&Node]) {
    assert_eq!(new.text(&["REPLICAOF", "NO", "ONE"]), "OK");
    let port = new.port().to_string();
    for other in others {
        let reply = other.text(&["REPLICAOF", "127.0.0.1", &port]);
        assert!(reply.starts_with("OK"), "{reply}");
    }
    for other in others {
        other.wait_for_link(new.port());
    }
}

#[test]
fn everyone_in_a_group_of_both_kinds_can_lead_and_the_others_go_on_where_they_are() {
    if !peers_are_here("a group of both kinds") {
        return;
    }
    let (first, second) = pair(REDIS, OURS);
    let group = [
        second,
        follow(&first, REDIS, QUIET),
        follow(&first, OURS, QUIET),
        first,
    ];
    let mut leader = 3;
    for next in [0, 1, 2, 3, 1, 0] {
        change(&group[leader]);
        let others: Vec<&Node> = group
            .iter()
            .filter(|node| node.port() != group[next].port())
            .collect();
        for node in &group {
            if node.port() != group[leader].port() {
                wait_for_offset(&group[leader], node);
            }
        }
        promote(&group[next], &others);
        change(&group[next]);
        for other in others {
            wait_for_offset(&group[next], other);
            assert_same_but_counts(&group[next], other, &format!("{leader} to {next}"));
        }
        leader = next;
    }
    let synced: Vec<String> = group
        .iter()
        .map(|node| node.info("stats").get("sync_full").to_owned())
        .collect();
    assert_eq!(synced, ["0", "0", "0", "3"], "nobody needed a full sync");
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
        let before = contents(&master).len();
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
        assert_eq!(contents(&master).len(), before, "{old:?} to {new:?}");
        change(&replica);
        wait_for_offset(&replica, &master);
        // The hand-over itself costs no snapshot.
        let snapshots = replica.info("stats");
        assert_eq!(snapshots.get("sync_full"), "0", "{old:?} to {new:?}");
        assert_has_followed(new, &replica, &master, &format!("{old:?} to {new:?}"));
    }
}

#[test]
fn a_stream_that_follows_a_file_at_once_is_applied_whole() {
    if !peers_are_here("a file and its stream from Redis") {
        return;
    }
    for flavour in [REDIS, OURS] {
        let master = Node::server(flavour, "repl-diskless-sync no\n");
        let port = master.port();
        let end = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&end);
        let writer = thread::spawn(move || {
            let mut client = Client::connect(port).expect("the master accepts");
            let mut line = 0;
            while !over.load(Ordering::Relaxed) {
                let batch: String = (0..100)
                    .map(|n| format!("SELECT {}\r\nINCR n:{}\r\n", n % 3, (line + n) % 1000))
                    .collect();
                line += 100;
                client.send_raw(batch.as_bytes()).expect("it reads");
                for _ in 0..200 {
                    client.receive().expect("it answers");
                }
            }
        });
        let replicas: Vec<Node> = (0..3)
            .map(|_| Node::server(OURS, &format!("replicaof 127.0.0.1 {port}\n")))
            .collect();
        for replica in &replicas {
            replica.wait_for_link(port);
        }
        end.store(true, Ordering::Relaxed);
        writer.join().expect("the writer does not panic");
        let sums = |node: &Node| -> Vec<String> {
            let mut client = node.client();
            let of_db = |db: i32| {
                client.text(&["SELECT", &db.to_string()]);
                let names: Vec<String> = (0..1000).map(|n| format!("n:{n}")).collect();
                let mut words = vec!["MGET"];
                words.extend(names.iter().map(String::as_str));
                client.text(&words)
            };
            (0..3).map(of_db).collect()
        };
        for replica in &replicas {
            wait_for_offset(&master, replica);
            assert!(!replica.log().contains("== CRITICAL =="), "{flavour:?}");
            assert!(sums(replica) == sums(&master), "{flavour:?}: they differ");
        }
    }
}

#[test]
fn replicas_of_both_kinds_share_the_file_of_a_master_that_sends_files() {
    if !peers_are_here("a file sent to Redis") {
        return;
    }
    let config = "repl-diskless-sync no\nrdb-del-sync-files yes\n";
    let master = Node::server(OURS, config);
    fill(&master);
    let follow = format!("replicaof 127.0.0.1 {}\n", master.port());
    let replicas = [
        Node::server(REDIS, &follow),
        Node::server(OURS, &format!("{follow}rdb-del-sync-files yes\n")),
    ];
    for replica in &replicas {
        replica.wait_for_link(master.port());
        assert_same(&master, replica, "by a file");
        // The stream follows.
        let name = replica.port().to_string();
        assert_eq!(master.text(&["SET", "follows", &name]), "OK");
        replica.wait_for_key("follows", &name);
    }
    let stats = master.info("stats");
    assert_eq!(stats.get("sync_full"), "2");
    let log = master.log();
    let starts = log
        .matches("Starting BGSAVE for SYNC with target: disk")
        .count();
    assert!((1..=2).contains(&starts), "{log}");
    // Nobody keeps the file that has no other use.
    for node in [&master, &replicas[1]] {
        wait_until(PATIENCE, "the file is removed", || {
            (!node.dir().join("dump.rdb").exists()).then_some(())
        });
    }
    assert!(replicas[0].dir().join("dump.rdb").exists());
}

/// The link of a replica to something that plays its master, granted a full synchronization
/// under an id.
fn grant(listener: &TcpListener, id: &str) -> TcpStream {
    let (mut link, _) = listener.accept().expect("the replica connects");
    let mut heard = String::new();
    for (words, answer) in [
        ("PING", "+PONG\r\n".to_owned()),
        ("psync2", "+OK\r\n".repeat(3)),
        ("PSYNC", format!("+FULLRESYNC {id} 100\r\n$EOF:{MARK}\r\n")),
    ] {
        let mut chunk = [0; 1024];
        while !heard.contains(words) {
            let read = link.read(&mut chunk).expect("the replica speaks");
            heard += &String::from_utf8_lossy(&chunk[..read]);
        }
        link.write_all(answer.as_bytes())
            .expect("the replica listens");
    }
    link
}

const MARK: &str = "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm";

#[test]
fn a_dataset_is_loaded_beside_the_old_one_which_is_served_if_it_is_of_the_same_history() {
    let source = Node::server(OURS, "");
    let rdb = |value: &str| {
        assert_eq!(source.text(&["SET", "key", value]), "OK");
        assert_eq!(source.text(&["SAVE"]), "OK");
        fs::read(source.dir().join("dump.rdb")).expect("it was saved")
    };
    let (old, new) = (rdb("old"), rdb("new"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let config = format!("replicaof 127.0.0.1 {port}\nrepl-diskless-load swapdb\n");
    let replica = Node::server(OURS, &config);
    let (mine, other) = ("1".repeat(40), "2".repeat(40));
    let wait_for = |field: &str, value: &str| {
        wait_until(PATIENCE, &format!("{field} is {value}"), || {
            (replica.info("persistence").get(field) == value).then_some(())
        });
    };

    let mut link = grant(&listener, &mine);
    wait_for("loading", "1");
    assert!(replica.text(&["GET", "key"]).starts_with("-LOADING"));
    link.write_all(&old).expect("it listens");
    link.write_all(MARK.as_bytes()).expect("it listens");
    replica.wait_for_link(port);
    replica.wait_for_key("key", "old");

    // A later state of the same history: the old one is of use until the new one is complete.
    drop(link);
    let mut link = grant(&listener, &mine);
    let half = new.len() / 2;
    link.write_all(&new[..half]).expect("it listens");
    wait_for("async_loading", "1");
    assert_eq!(replica.info("persistence").get("loading"), "0");
    assert_eq!(replica.text(&["GET", "key"]), "old");
    assert!(replica.text(&["BGSAVE"]).starts_with("-LOADING"));
    drop(link);

    // One that breaks off leaves everything as it was.
    let mut link = grant(&listener, &other);
    wait_for("async_loading", "0");
    wait_for("loading", "1");
    link.write_all(&new[..half]).expect("it listens");
    assert!(replica.text(&["GET", "key"]).starts_with("-LOADING"));
    drop(link);
    wait_for("loading", "0");
    assert_eq!(replica.text(&["GET", "key"]), "old");

    let mut link = grant(&listener, &mine);
    link.write_all(&new).expect("it listens");
    link.write_all(MARK.as_bytes()).expect("it listens");
    replica.wait_for_key("key", "new");
    wait_for("async_loading", "0");
}
