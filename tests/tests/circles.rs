//! Servers that are told to follow themselves, or each other in a circle.

use holdfast_tests::{Flavour, Node, PATIENCE, peers_are_here, wait_until};

const OURS: Flavour = Flavour::Holdfast;
const REDIS: Flavour = Flavour::Redis;

fn follow(node: &Node, port: u16) {
    let port = port.to_string();
    assert_eq!(node.text(&["REPLICAOF", "127.0.0.1", &port]), "OK");
}

fn pair(master: Flavour, replica: Flavour) -> (Node, Node) {
    let master = Node::server(master, "");
    let config = format!("replicaof 127.0.0.1 {}\n", master.port());
    let replica = Node::server(replica, &config);
    replica.wait_for_link(master.port());
    (master, replica)
}

fn wait_for_circle(node: &Node) {
    wait_until(PATIENCE, "the circle is found", || {
        node.info("replication")
            .names()
            .contains(&"master_link_cycle")
            .then_some(())
    });
    let info = node.info("replication");
    assert_eq!(info.get("role"), "slave");
    assert_eq!(info.get("master_link_status"), "down");
}

/// The replica goes on with what the master is given.
fn assert_replicates(master: &Node, replica: &Node) {
    replica.wait_for_link(master.port());
    assert_eq!(master.text(&["SET", "behind", "the circle"]), "OK");
    assert_eq!(master.text(&["WAIT", "1", "30000"]), "1");
    assert_eq!(replica.text(&["GET", "behind"]), "the circle");
    let info = replica.info("replication");
    assert!(!info.names().contains(&"master_link_cycle"));
}

#[test]
fn a_server_that_follows_itself_says_so_and_leads_again_when_it_is_told_to() {
    let node = Node::server(OURS, "");
    assert_eq!(node.text(&["SET", "kept", "1"]), "OK");
    follow(&node, node.port());
    wait_for_circle(&node);
    let warning = format!("MASTER 127.0.0.1:{} is this server itself.", node.port());
    // It is tried again, but not said again.
    wait_until(PATIENCE, "it is tried again", || {
        let tries = node.log().matches("Master replied to PING").count();
        (tries > 5).then_some(())
    });
    assert_eq!(node.log().matches(&warning).count(), 1);
    assert_eq!(node.text(&["REPLICAOF", "NO", "ONE"]), "OK");
    assert_eq!(node.text(&["SET", "more", "1"]), "OK");
    assert_eq!(node.text(&["GET", "kept"]), "1");
}

#[test]
fn two_servers_that_follow_each_other_say_so_until_one_of_them_leads() {
    let (first, second) = pair(OURS, OURS);
    follow(&first, second.port());
    wait_for_circle(&first);
    first.wait_for_log("they follow each other in a circle");
    assert_eq!(second.text(&["REPLICAOF", "NO", "ONE"]), "OK");
    assert_replicates(&second, &first);

    // Now the other way round.
    follow(&second, first.port());
    wait_for_circle(&second);
    assert_eq!(second.text(&["REPLICAOF", "NO", "ONE"]), "OK");
    assert_replicates(&second, &first);
}

#[test]
fn a_circle_with_a_redis_is_found_by_whichever_is_told_to_close_it() {
    if !peers_are_here("circles with Redis") {
        return;
    }
    let (ours, redis) = pair(OURS, REDIS);
    follow(&ours, redis.port());
    wait_for_circle(&ours);
    assert_eq!(redis.text(&["REPLICAOF", "NO", "ONE"]), "OK");
    assert_replicates(&redis, &ours);

    // A Redis does not ask, so it is not answered.
    follow(&redis, ours.port());
    redis.wait_for_log("NOMASTERLINK Can't SYNC with the server that I follow myself");
    ours.wait_for_log("has the address of MASTER");
    let info = redis.info("replication");
    assert_eq!(info.get("master_link_status"), "down");
    assert_eq!(redis.text(&["REPLICAOF", "NO", "ONE"]), "OK");
    assert_replicates(&redis, &ours);
}

#[test]
fn a_circle_that_nobody_could_know_of_does_not_outlive_the_timeout() {
    if !peers_are_here("circles with Redis") {
        return;
    }
    // One that shows itself with another address than it is followed at.
    let config = "repl-timeout 5\nrepl-ping-replica-period 1\n";
    let hidden = format!("{config}replica-announce-ip 192.0.2.1\n");
    let redis = Node::server(REDIS, &hidden);
    let ours = Node::server(
        OURS,
        &format!("{config}replicaof 127.0.0.1 {}\n", redis.port()),
    );
    ours.wait_for_link(redis.port());
    follow(&redis, ours.port());
    redis.wait_for_link(ours.port());
    redis.wait_for_log("NOMASTERLINK Can't SYNC before my master has sent anything");
    wait_until(PATIENCE, "nobody thinks to have a master", || {
        let is_down = |node: &Node| node.info("replication").get("master_link_status") == "down";
        (is_down(&ours) && is_down(&redis)).then_some(())
    });
    assert_eq!(redis.text(&["REPLICAOF", "NO", "ONE"]), "OK");
    assert_replicates(&redis, &ours);
}
