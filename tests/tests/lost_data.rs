//! Masters that are killed and come back at once without their data.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use holdfast_tests::{
    Client, Flavour, Group, Node, PATIENCE, Shape, peers_are_here, text_of, wait_until,
};

const OURS: Flavour = Flavour::Holdfast;
const REDIS: Flavour = Flavour::Redis;

/// Writes `PREFIX:1`, `PREFIX:2` and so on to one port, over a new connection whenever one
/// breaks, until it is told to end.
struct Writer {
    acked: Arc<AtomicU64>,
    end: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Writer {
    fn start(port: u16, prefix: &'static str) -> Self {
        let (acked, end) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, over) = (Arc::clone(&acked), Arc::clone(&end));
        let thread = thread::spawn(move || {
            let mut client = None;
            while !over.load(Ordering::Relaxed) {
                let Some(open) = client.as_mut() else {
                    client = Client::connect_within(port, Duration::from_secs(1)).ok();
                    continue;
                };
                let n = count.load(Ordering::Relaxed) + 1;
                match open.ask(&["SET", &format!("{prefix}:{n}"), "v"]) {
                    Ok(reply) if text_of(&reply) == "OK" => count.store(n, Ordering::Relaxed),
                    Ok(_) | Err(_) => client = None,
                }
            }
        });
        Self { acked, end, thread }
    }

    fn wait_for(&self, count: u64) {
        wait_until(PATIENCE, "the master takes writes", || {
            (self.acked.load(Ordering::Relaxed) >= count).then_some(())
        });
    }

    fn stop(self) -> u64 {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().expect("the writer does not panic");
        self.acked.load(Ordering::Relaxed)
    }
}

fn keys(node: &Node) -> u64 {
    node.text(&["DBSIZE"]).parse().expect("DBSIZE is a number")
}

#[test]
fn a_group_without_files_loses_nothing_that_a_replica_held() {
    let mut group = Group::start(&Shape::of(OURS));
    let old = group.servers[0].port();
    let before = Writer::start(old, "before");
    before.wait_for(500);
    group.servers[0].kill();
    group.servers[0].start();
    let after = Writer::start(old, "after");
    // All that the best replica held it must have in the end.
    let held = group.servers[1..].iter().map(keys).max().unwrap();
    let written = before.stop();
    assert!(held >= 500, "the replicas held {held} of {written}");
    let new = group.wait_for_switch(old, &[0, 1, 2]);
    after.stop();
    assert_ne!(new, old);
    group.servers[0].wait_for_link(new);
    for server in &group.servers {
        if server.port() != new {
            server.wait_for_link(new);
        }
        let mut client = server.client();
        for n in 1..=held {
            let key = format!("before:{n}");
            assert_eq!(
                client.text(&["GET", &key]),
                "v",
                "{key} of {held} on {}",
                server.port()
            );
        }
    }
    group.write(new, "goes", "on");
    for server in &group.servers {
        server.wait_for_key("goes", "on");
    }
}

/// A master with data and a replica that follows it.
struct Pair {
    master: Node,
    replica: Node,
    /// Stays subscribed as a Sentinel does.
    sentinel: Client,
}

impl Pair {
    fn new(master: Flavour, master_config: &str, replica_config: &str) -> Self {
        let master = Node::server(master, master_config);
        let config = format!("replicaof 127.0.0.1 {}\n{replica_config}", master.port());
        let replica = Node::server(OURS, &config);
        replica.wait_for_link(master.port());
        let mut sentinel = replica.client();
        sentinel.text(&["SUBSCRIBE", "__sentinel__:hello"]);
        let pair = Self {
            master,
            replica,
            sentinel,
        };
        assert_eq!(pair.master.text(&["SET", "kept", "yes"]), "OK");
        pair.replica.wait_for_key("kept", "yes");
        pair
    }

    /// The master dies and comes back at once.
    fn restart(&mut self) {
        self.master.kill();
        self.master.start();
    }

    fn wait_for_refusal(&self) {
        wait_until(PATIENCE, "the replica refuses its master", || {
            let info = self.replica.try_info("replication")?;
            (info.get("master_sync_refused") == "1").then_some(())
        });
        assert_eq!(
            self.replica.info("replication").get("master_link_status"),
            "down"
        );
        assert_eq!(self.replica.text(&["GET", "kept"]), "yes");
    }

    fn wait_for_new_data(&self, value: &str) {
        self.replica.wait_for_link(self.master.port());
        self.replica.wait_for_key("kept", value);
        let info = self.replica.info("replication");
        assert_eq!(info.get("master_sync_refused"), "");
    }
}

#[test]
fn a_replica_keeps_its_data_from_a_master_that_came_back_empty() {
    let mut pair = Pair::new(OURS, "", "");
    pair.restart();
    assert_eq!(pair.master.text(&["SET", "other", "v"]), "OK");
    pair.wait_for_refusal();
    // By hand it is promoted, and the old master follows it.
    assert_eq!(pair.replica.text(&["REPLICAOF", "NO", "ONE"]), "OK");
    let port = pair.replica.port().to_string();
    assert_eq!(pair.master.text(&["REPLICAOF", "127.0.0.1", &port]), "OK");
    pair.master.wait_for_key("kept", "yes");
    pair.master.wait_for_key("other", "(nil)");
}

#[test]
fn it_keeps_its_data_from_a_master_of_redis_too() {
    if !peers_are_here("a master of Redis that comes back empty") {
        return;
    }
    let mut pair = Pair::new(REDIS, "", "");
    pair.restart();
    pair.wait_for_refusal();
}

#[test]
fn a_master_that_comes_back_with_its_append_only_file_is_followed() {
    for flavour in [OURS, REDIS] {
        if flavour == REDIS && !peers_are_here("a master of Redis with an append-only file") {
            return;
        }
        let mut pair = Pair::new(flavour, "appendonly yes\nappendfsync always\n", "");
        pair.restart();
        pair.wait_for_new_data("yes");
    }
}

#[test]
fn a_master_that_comes_back_with_an_old_file_is_refused_and_with_the_last_one_followed() {
    let mut pair = Pair::new(OURS, "", "");
    assert_eq!(pair.master.text(&["SAVE"]), "OK");
    pair.restart();
    pair.wait_for_new_data("yes");
    assert_eq!(pair.master.text(&["SAVE"]), "OK");
    assert_eq!(pair.master.text(&["SET", "later", "yes"]), "OK");
    pair.replica.wait_for_key("later", "yes");
    pair.restart();
    pair.wait_for_refusal();
    assert_eq!(pair.replica.text(&["GET", "later"]), "yes");
}

#[test]
fn who_is_told_by_hand_to_follow_an_empty_master_does() {
    let mut pair = Pair::new(OURS, "", "");
    pair.restart();
    pair.wait_for_refusal();
    let port = pair.master.port().to_string();
    assert_eq!(pair.replica.text(&["REPLICAOF", "NO", "ONE"]), "OK");
    assert_eq!(pair.replica.text(&["REPLICAOF", "127.0.0.1", &port]), "OK");
    pair.wait_for_new_data("(nil)");
    // One that has always had another master, too.
    let other = Node::server(OURS, "");
    assert_eq!(pair.master.text(&["SET", "kept", "again"]), "OK");
    pair.replica.wait_for_key("kept", "again");
    let port = other.port().to_string();
    assert_eq!(pair.replica.text(&["REPLICAOF", "127.0.0.1", &port]), "OK");
    pair.replica.wait_for_link(other.port());
    pair.replica.wait_for_key("kept", "(nil)");
}

#[test]
fn a_master_that_is_flushed_is_followed() {
    let mut pair = Pair::new(OURS, "", "");
    assert_eq!(pair.master.text(&["FLUSHALL"]), "OK");
    pair.replica.wait_for_key("kept", "(nil)");
    // There is nothing to be kept any more.
    pair.restart();
    assert_eq!(pair.master.text(&["SET", "kept", "new"]), "OK");
    pair.wait_for_new_data("new");
}

#[test]
fn the_refusal_ends_in_time_and_with_the_directive() {
    let mut pair = Pair::new(OURS, "", "replica-keep-data-timeout 3\n");
    pair.restart();
    pair.wait_for_refusal();
    pair.wait_for_new_data("(nil)");
    assert!(
        pair.replica
            .log()
            .contains("No replica was promoted in time")
    );

    let mut pair = Pair::new(OURS, "", "");
    pair.restart();
    pair.wait_for_refusal();
    let off = ["CONFIG", "SET", "replica-keep-data-timeout", "0"];
    assert_eq!(pair.replica.text(&off), "OK");
    pair.wait_for_new_data("(nil)");
}

#[test]
fn a_master_is_followed_whatever_it_lost_if_no_sentinel_watches() {
    let mut pair = Pair::new(OURS, "", "replica-keep-data-timeout 2\n");
    pair.sentinel = pair.master.client();
    thread::sleep(Duration::from_secs(3));
    pair.restart();
    pair.wait_for_new_data("(nil)");
}

#[test]
fn a_user_that_may_not_ask_for_info_makes_the_replica_follow() {
    if !peers_are_here("a user of Redis that may replicate only") {
        return;
    }
    let user = "user repl on >secret +psync +replconf +ping\n";
    let config = "masteruser repl\nmasterauth secret\n";
    let mut pair = Pair::new(REDIS, user, config);
    pair.restart();
    pair.wait_for_new_data("(nil)");
    pair.replica
        .wait_for_log("Let this replica's user run INFO");
}
