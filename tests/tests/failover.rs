//! Groups that lose their master, their network or their sentinels.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::thread;
use std::time::Duration;

use holdfast_tests::{
    Flavour, Group, Info, MASTER, Node, PATIENCE, Shape, peers_are_here, say, wait_until,
};

const OURS: Flavour = Flavour::Holdfast;
const REDIS: Flavour = Flavour::Redis;
/// Sentinels of Redis send a PING every second, and what a new master owes counts from when they
/// know of it: where that second is all the time allowed, they may take it for down before they
/// have asked.
const DOWN_AFTER_WITH_REDIS_MS: u64 = 2_000;

fn two_and_two() -> Shape<'static> {
    let mut shape = Shape::of(OURS);
    shape.servers = &[OURS; 2];
    shape.sentinels = &[OURS; 2];
    shape
}

#[test]
fn three_and_three_survive_kill_9_of_the_master() {
    let mut group = Group::start(&Shape::of(OURS));
    let first = group.servers[0].port();
    group.write(first, "before", "kept");
    assert_eq!(group.servers[0].text(&["WAIT", "2", "30000"]), "2");
    let failover = group.kill_master();
    say(&format!(
        "a write is taken {} ms after the kill",
        failover.took.as_millis()
    ));
    assert_eq!(failover.old, first);
    assert_eq!(group.wait_for_switch(first, &[0, 1, 2]), failover.new);
    group.server(failover.new).wait_for_key("before", "kept");
    let rejoin = group.restart(failover);
    say(&format!(
        "the old master has converged {} ms after its PONG",
        rejoin.took.as_millis()
    ));
    for server in &group.servers {
        server.wait_for_key("before", "kept");
        server.wait_for_key("after-failover", &failover.new.to_string());
    }
    let others = group
        .servers
        .iter()
        .filter(|server| server.port() != failover.new);
    others.for_each(|server| server.wait_for_link(failover.new));
    one_history(&group, failover.new);
}

/// All servers show the history of the master, and its offset when they have caught up.
fn one_history(group: &Group, master: u16) {
    let at = |node: &Node| -> Option<(String, String)> {
        let info = node.try_info("replication")?;
        let offset = info.get("master_repl_offset").to_owned();
        Some((info.get("master_replid").to_owned(), offset))
    };
    let lead = group
        .servers
        .iter()
        .find(|server| server.port() == master)
        .unwrap();
    wait_until(
        PATIENCE,
        "all servers are at one point of one history",
        || {
            let wanted = at(lead)?;
            group
                .servers
                .iter()
                .all(|server| at(server).as_ref() == Some(&wanted))
                .then_some(())
        },
    );
}

#[test]
fn two_machines_fail_over_when_the_master_alone_dies() {
    let mut group = Group::start(&two_and_two());
    let failover = group.kill_master();
    assert_eq!(group.wait_for_switch(failover.old, &[0, 1]), failover.new);
    group.restart(failover);
}

#[test]
fn one_machine_of_two_does_not_make_itself_master() {
    let mut shape = two_and_two();
    shape.down_after_ms = 500;
    let mut group = Group::start(&shape);
    let first = group.servers[0].port();
    group.sentinels[0].kill();
    group.servers[0].kill();
    group.sentinels[1].wait_for_log("+sdown master");
    // Time for what must not come.
    thread::sleep(Duration::from_secs(3));
    assert_eq!(group.told_master(), Some(first));
    assert_eq!(group.servers[1].info("replication").get("role"), "slave");
    assert!(
        !group.sentinels[1].log().contains("+odown"),
        "{}",
        group.sentinels[1].log()
    );
    // The second vote comes back, the first machine's server does not.
    group.sentinels[0].start();
    let new = group.wait_for_switch(first, &[0, 1]);
    assert_eq!(new, group.servers[1].port());
    group.write(new, "k", "v");
}

#[test]
fn a_stopped_master_is_replaced_and_comes_back_as_a_replica() {
    let mut group = Group::start(&Shape::of(OURS));
    let old = group.servers[0].port();
    group.servers[0].pause();
    let new = group.wait_for_switch(old, &[0, 1, 2]);
    group.write(new, "while-stopped", "yes");
    group.servers[0].resume();
    group.servers[0].wait_for_link(new);
    group.servers[0].wait_for_key("while-stopped", "yes");
    let refused = group.servers[0].text(&["SET", "k", "v"]);
    assert_eq!(
        refused,
        "-READONLY You can't write against a read only replica."
    );
}

#[test]
fn a_stopped_sentinel_takes_up_what_the_others_decided() {
    let mut group = Group::start(&Shape::of(OURS));
    let old = group.servers[0].port();
    group.sentinels[0].pause();
    group.servers[0].kill();
    let new = group.wait_for_switch(old, &[1, 2]);
    group.sentinels[0].resume();
    assert_eq!(group.wait_for_switch(old, &[0, 1, 2]), new);
}

#[test]
fn restarted_sentinels_remember_and_fail_over_again() {
    let mut shape = Shape::of(OURS);
    shape.failover_timeout_ms = 2_000;
    let mut group = Group::start(&shape);
    let failover = group.kill_master();
    group.wait_for_switch(failover.old, &[0, 1, 2]);
    group.restart(failover);
    let ids: Vec<String> = group
        .sentinels
        .iter()
        .map(|node| node.text(&["SENTINEL", "MYID"]))
        .collect();
    for (sentinel, id) in group.sentinels.iter_mut().zip(&ids) {
        // As by a crash: what counts was durable before it was told.
        sentinel.kill();
        let text = sentinel.config();
        let monitor = format!("sentinel monitor {MASTER} 127.0.0.1 {} 2\n", failover.new);
        assert!(text.contains(&monitor), "{text}");
        assert!(text.contains(&format!("sentinel myid {id}\n")), "{text}");
        assert!(text.contains("sentinel current-epoch "), "{text}");
    }
    for (sentinel, id) in group.sentinels.iter_mut().zip(&ids) {
        sentinel.start();
        assert_eq!(&sentinel.text(&["SENTINEL", "MYID"]), id);
        let info = sentinel.info("sentinel");
        assert!(
            info.get("master0").contains("slaves=2,sentinels=3"),
            "{info:?}"
        );
    }
    assert_eq!(group.told_master(), Some(failover.new));
    wait_until(
        PATIENCE,
        "all sentinels and replicas are seen to be up",
        || {
            let ready = |sentinel: &Node| {
                sentinel
                    .text(&["SENTINEL", "CKQUORUM", MASTER])
                    .starts_with("OK 3 ")
                    && !sentinel
                        .text(&["SENTINEL", "REPLICAS", MASTER])
                        .contains("s_down")
            };
            group.sentinels.iter().all(ready).then_some(())
        },
    );
    let again = group.kill_master();
    assert_eq!(again.old, failover.new);
}

#[test]
fn a_failover_can_be_asked_for() {
    let group = Group::start(&Shape::of(OURS));
    let old = group.servers[0].port();
    group.write(old, "before", "kept");
    assert_eq!(
        group.sentinels[1].text(&["SENTINEL", "FAILOVER", MASTER]),
        "OK"
    );
    let new = group.wait_for_switch(old, &[0, 1, 2]);
    group.write(new, "after", "kept");
    for server in &group.servers {
        server.wait_for_key("before", "kept");
        server.wait_for_key("after", "kept");
    }
}

#[test]
fn our_sentinels_and_those_of_redis_are_one_quorum() {
    if !peers_are_here("one quorum with the sentinels of Redis") {
        return;
    }
    for sentinels in [&[OURS, OURS, REDIS], &[REDIS, REDIS, OURS]] {
        let mut shape = Shape::of(OURS);
        shape.sentinels = sentinels;
        shape.down_after_ms = DOWN_AFTER_WITH_REDIS_MS;
        let mut group = Group::start(&shape);
        let failover = group.kill_master();
        assert_eq!(
            group.wait_for_switch(failover.old, &[0, 1, 2]),
            failover.new
        );
        group.restart(failover);
    }
}

#[test]
fn each_kind_leads_with_the_votes_of_the_other_and_is_restarted_from_its_file() {
    if !peers_are_here("elections with the sentinels of Redis") {
        return;
    }
    for sentinels in [&[OURS, OURS, REDIS], &[REDIS, REDIS, OURS]] {
        let mut shape = Shape::of(OURS);
        shape.sentinels = sentinels;
        shape.down_after_ms = DOWN_AFTER_WITH_REDIS_MS;
        shape.failover_timeout_ms = 3_000;
        let mut group = Group::start(&shape);
        let ids = |group: &Group, kind: Flavour| -> Vec<String> {
            let of_kind = sentinels.iter().zip(&group.sentinels);
            let of_kind = of_kind.filter(|(one, _)| **one == kind);
            of_kind
                .map(|(_, node)| node.text(&["SENTINEL", "MYID"]))
                .collect()
        };
        let set_auto = |group: &Group, word: &str| {
            for (_, node) in sentinels
                .iter()
                .zip(&group.sentinels)
                .filter(|(one, _)| **one == OURS)
            {
                let set = ["SENTINEL", "SET", MASTER, "auto-failover", word];
                assert_eq!(node.text(&set), "OK");
            }
        };
        // Whether a sentinel of this kind has voted for one of the other.
        let voted = |group: &Group, voter: Flavour, leader: Flavour| {
            let leaders = ids(group, leader);
            let voters = sentinels.iter().zip(&group.sentinels);
            voters.filter(|(one, _)| **one == voter).any(|(_, node)| {
                let log = node.log();
                leaders
                    .iter()
                    .any(|id| log.contains(&format!("+vote-for-leader {id}")))
            })
        };

        set_auto(&group, "no");
        let failover = group.kill_master();
        assert_eq!(
            group.wait_for_switch(failover.old, &[0, 1, 2]),
            failover.new
        );
        assert!(voted(&group, OURS, REDIS), "{sentinels:?}");
        group.restart(failover);
        set_auto(&group, "yes");

        let known: Vec<String> = { group.sentinels.iter() }
            .map(|node| node.text(&["SENTINEL", "MYID"]))
            .collect();
        for (sentinel, id) in group.sentinels.iter_mut().zip(&known) {
            sentinel.kill();
            sentinel.start();
            assert_eq!(&sentinel.text(&["SENTINEL", "MYID"]), id);
            let info = sentinel.info("sentinel");
            let line = info.get("master0");
            assert!(line.contains("slaves=2,sentinels=3"), "{line}");
        }
        let ours = sentinels.iter().position(|one| *one == OURS).unwrap();
        wait_until(PATIENCE, "a failover can be ordered", || {
            let order = ["SENTINEL", "FAILOVER", MASTER];
            let ready = group.sentinels.iter().all(|node| {
                let check = node.text(&["SENTINEL", "CKQUORUM", MASTER]);
                check.starts_with("OK 3 ")
            });
            (ready && group.sentinels[ours].text(&order) == "OK").then_some(())
        });
        group.wait_for_switch(failover.new, &[0, 1, 2]);
        assert!(voted(&group, REDIS, OURS), "{sentinels:?}");
    }
}

#[test]
fn our_sentinels_watch_servers_of_redis_and_theirs_watch_ours() {
    if !peers_are_here("sentinels and servers of both kinds") {
        return;
    }
    for (servers, sentinels) in [(REDIS, OURS), (OURS, REDIS)] {
        let mut shape = Shape::of(servers);
        shape.sentinels = Shape::of(sentinels).sentinels;
        shape.down_after_ms = DOWN_AFTER_WITH_REDIS_MS;
        let mut group = Group::start(&shape);
        let failover = group.kill_master();
        assert_eq!(
            group.wait_for_switch(failover.old, &[0, 1, 2]),
            failover.new
        );
        group.restart(failover);
    }
}

#[test]
fn info_has_the_fields_of_redis_in_their_order() {
    if !peers_are_here("INFO compared with that of Redis") {
        return;
    }
    let (ours, theirs) = (
        Group::start(&Shape::of(OURS)),
        Group::start(&Shape::of(REDIS)),
    );
    let names = |info: &Info| {
        info.names()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    for at in [0, 1] {
        let of = |group: &Group| names(&group.servers[at].info("replication"));
        assert_eq!(of(&ours), of(&theirs), "server {at}");
    }
    let of = |group: &Group| names(&group.sentinels[0].info("sentinel"));
    assert_eq!(of(&ours), of(&theirs));
    // What a master says of its replicas.
    let of = |group: &Group| {
        let line = group.servers[0]
            .info("replication")
            .get("slave0")
            .to_owned();
        let keys = line
            .split(',')
            .map(|pair| pair.split('=').next().unwrap().to_owned());
        keys.collect::<Vec<_>>()
    };
    assert_eq!(of(&ours), of(&theirs));
}
