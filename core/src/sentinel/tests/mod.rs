//! Whole groups of Sentinels in virtual time.

mod candidates;
mod fake;
mod operators;
mod periodic;
mod users;
mod virtual_ip;
mod world;

use core::time::Duration;

use world::{World, file_of};

use crate::resp::Value;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A group that knows itself.
fn settled(replicas: u16, sentinels: usize, quorum: u32) -> World {
    let mut world = World::new(replicas, sentinels, quorum);
    world.run_for(ms(3_000));
    for node in &world.nodes {
        let masters: Vec<_> = node.machine.watch().masters().collect();
        assert_eq!(masters[0].replicas, usize::from(replicas));
        assert_eq!(masters[0].peers, sentinels - 1);
        assert!(!masters[0].s_down);
    }
    world
}

fn all_see(world: &World, port: u16) -> bool {
    world.nodes.iter().filter(|node| node.alive).all(|node| {
        node.machine
            .watch()
            .masters()
            .all(|master| master.addr.port() == port)
    })
}

fn new_master(world: &World) -> u16 {
    let master = world
        .nodes
        .iter()
        .find(|node| node.alive)
        .expect("one is alive");
    master
        .machine
        .watch()
        .masters()
        .next()
        .expect("one master")
        .addr
        .port()
}

#[test]
fn three_sentinels_find_each_other_and_the_replicas_without_a_false_alarm() {
    let mut world = settled(2, 3, 2);
    world.run_for(ms(60_000));
    assert_eq!(world.count("+sdown"), 0);
    assert_eq!(world.count("+slave "), 6);
    assert_eq!(world.count("+sentinel "), 6);
    let reply = world.ask(0, &["sentinel", "ckquorum", "mymaster"]);
    let text = b"OK 3 usable Sentinels. Quorum and failover authorization can be reached";
    assert_eq!(reply, Value::Simple(text.to_vec()));
}

#[test]
fn a_dead_master_is_replaced_a_few_round_trips_after_it_counts_as_down() {
    let mut world = settled(2, 3, 2);
    world.kill_server(6379);
    let took = world.run_until(ms(2_000), |world| !all_see(world, 6379));
    assert!(took < ms(1_030), "{took:?}\n{:#?}", world.log());
    let spread = world.run_until(ms(1_000), |world| all_see(world, new_master(world)));
    assert!(spread < ms(10), "{spread:?}\n{:#?}", world.log());
    let port = new_master(&world);
    assert!(port == 6380 || port == 6381);
    let promoted = world.server(port);
    assert_eq!(world.servers[promoted].master, None);

    world.run_for(ms(500));
    let other = world
        .servers
        .iter()
        .find(|one| one.alive && one.port != port)
        .unwrap();
    assert_eq!(other.master, Some(port));
    let (_, leader) = world.first("+elected-leader").unwrap();
    assert_eq!(world.count("+elected-leader"), 1);
    let order: Vec<_> = world
        .events
        .iter()
        .filter(|(_, n, text)| *n == leader && !text.starts_with("+sentinel"))
        .map(|(_, _, text)| text.split(' ').next().unwrap())
        .skip_while(|name| *name != "+sdown")
        .filter(|name| !matches!(*name, "+sdown" | "+slave" | "+role-change" | "-role-change"))
        .collect();
    let expected = [
        "+odown",
        "+new-epoch",
        "+try-failover",
        "+vote-for-leader",
        "+elected-leader",
        "+failover-state-select-slave",
        "+selected-slave",
        "+failover-state-send-slaveof-noone",
        "+failover-state-wait-promotion",
        "+promoted-slave",
        "+failover-state-reconf-slaves",
        "+slave-reconf-sent",
        "+slave-reconf-inprog",
        "+slave-reconf-done",
        "+failover-end",
        "+switch-master",
    ];
    assert_eq!(order, expected);
    let epochs: Vec<_> = world
        .nodes
        .iter()
        .map(|node| node.machine.watch().masters().next().unwrap().config_epoch)
        .collect();
    assert!(
        epochs
            .iter()
            .all(|&epoch| epoch == epochs[0] && epoch.0 > 0)
    );
}

#[test]
fn a_master_that_stops_answering_is_missed_within_an_eighth_of_the_time() {
    for moment in [0, 30, 60, 90, 120] {
        let mut world = settled(2, 3, 2);
        world.run_for(ms(moment));
        let master = world.server(6379);
        world.servers[master].mute = true;
        let took = world.run_until(ms(2_000), |world| !all_see(world, 6379));
        assert!(took < ms(1_160), "{took:?}\n{:#?}", world.log());
        assert!(ms(1_000) < took, "{took:?}");
    }
}

#[test]
fn two_sentinels_that_both_have_to_agree_do_so() {
    let mut world = settled(1, 2, 2);
    world.kill_server(6379);
    let took = world.run_until(ms(2_000), |world| all_see(world, 6380));
    assert!(took < ms(1_050), "{took:?}\n{:#?}", world.log());
}

#[test]
fn a_master_that_comes_back_is_a_replica_soon() {
    let mut world = settled(2, 3, 2);
    world.kill_server(6379);
    world.run_until(ms(2_000), |world| !all_see(world, 6379));
    world.run_for(ms(5_000));
    let port = new_master(&world);
    world.restart_server(6379);
    let old = world.server(6379);
    let took = world.run_until(ms(2_000), |world| world.servers[old].master == Some(port));
    assert!(took < ms(600), "{took:?}\n{:#?}", world.log());
    // The other Sentinels leave it at that.
    world.run_for(ms(3_000));
    assert_eq!(world.count("+convert-to-slave"), 1);
}

#[test]
fn a_replica_promoted_by_hand_gets_the_time_of_four_hellos() {
    let mut world = settled(2, 3, 2);
    let server = world.server(6380);
    world.servers[server].master = None;
    world.servers[server].replid2 = Some("h".repeat(40));
    world.servers[server].replid = "z".repeat(40);
    let took = world.run_until(ms(30_000), |world| world.servers[server].master.is_some());
    assert!(ms(8_000) < took, "{took:?}\n{:#?}", world.log());
}

#[test]
fn a_minority_does_nothing() {
    let mut world = settled(2, 3, 1);
    world.kill_sentinel(1);
    world.kill_sentinel(2);
    world.run_for(ms(1_500));
    world.kill_server(6379);
    world.run_for(ms(60_000));
    assert_eq!(world.count("+odown"), 1);
    assert_eq!(world.count("+try-failover"), 0);
}

#[test]
fn an_operator_moves_the_master_with_the_votes_of_a_majority() {
    let mut world = settled(2, 3, 2);
    assert_eq!(
        world.ask(1, &["sentinel", "failover", "mymaster"]),
        Value::Simple(b"OK".to_vec())
    );
    let took = world.run_until(ms(2_000), |world| !all_see(world, 6379));
    assert!(took < ms(20), "{took:?}\n{:#?}", world.log());
    world.run_for(ms(2_000));
    let port = new_master(&world);
    assert!(all_see(&world, port));
    let old = world.server(6379);
    assert_eq!(world.servers[old].master, Some(port), "{:#?}", world.log());

    world.kill_sentinel(0);
    world.kill_sentinel(2);
    world.run_for(ms(2_000));
    world.ask(1, &["sentinel", "failover", "mymaster"]);
    world.run_for(ms(1_000));
    assert_eq!(world.count("-failover-abort-not-elected"), 1);
    assert_eq!(new_master(&world), port);
}

#[test]
fn votes_count_in_their_election_whatever_epoch_is_heard_of_meanwhile() {
    let mut world = settled(1, 3, 2);
    for n in 1..3 {
        world.nodes[n].disk_slow = ms(100);
    }
    let order = ["sentinel", "failover", "mymaster"];
    assert_eq!(world.ask(0, &order), Value::Simple(b"OK".to_vec()));
    let id = world.nodes[1].machine.watch().id().to_string();
    let hello = format!("127.0.0.1,26380,{id},50,mymaster,127.0.0.1,6379,0");
    world.ask(0, &["publish", "__sentinel__:hello", &hello]);
    assert_eq!(world.count("+elected-leader"), 0);
    world.run_until(ms(2_000), |world| all_see(world, 6380));
    assert_eq!(world.count("-failover-abort-not-elected"), 0);
    let master = world.nodes[0].machine.watch().masters().next().unwrap();
    assert_eq!(master.config_epoch.0, 1);
    assert_eq!(world.nodes[0].machine.watch().epoch().0, 50);
}

#[test]
fn an_election_waits_for_a_voter_that_is_restarted() {
    let mut world = settled(1, 2, 2);
    world.kill_sentinel(0);
    let order = ["sentinel", "failover", "mymaster"];
    assert_eq!(world.ask(1, &order), Value::Simple(b"OK".to_vec()));
    world.run_for(ms(300));
    world.restart_sentinel(0);
    world.run_until(ms(2_000), |world| all_see(world, 6380));
    assert_eq!(world.count("-failover-abort-not-elected"), 0);
}

#[test]
fn a_vote_is_not_told_before_it_is_durable() {
    let mut world = settled(1, 1, 1);
    world.nodes[0].disk_slow = ms(50);
    let id = "b".repeat(40);
    let question = [
        "sentinel",
        "is-master-down-by-addr",
        "127.0.0.1",
        "6379",
        "7",
        &id,
    ];
    let client = world.send(0, &question);
    world.run_for(ms(90));
    assert_eq!(world.replies(client), []);
    world.run_for(ms(100));
    let vote = Value::Array(vec![
        Value::Int(0),
        Value::Bulk(id.clone().into_bytes()),
        Value::Int(7),
    ]);
    assert_eq!(world.replies(client), [vote]);
    let file = String::from_utf8(world.nodes[0].files[&file_of(0)].clone()).unwrap();
    assert!(file.contains("sentinel leader-epoch mymaster 7"), "{file}");
    assert!(file.contains("sentinel current-epoch 7"), "{file}");

    // Nobody else gets it, and a restart does not bring it back.
    let other = "c".repeat(40);
    let question = [
        "sentinel",
        "is-master-down-by-addr",
        "127.0.0.1",
        "6379",
        "7",
        &other,
    ];
    let first = world.ask(0, &question);
    assert_eq!(first.as_array().unwrap()[1], Value::Bulk(id.into_bytes()));
    world.kill_sentinel(0);
    world.restart_sentinel(0);
    let reply = world.ask(0, &question);
    assert_eq!(reply.as_array().unwrap()[1], Value::Bulk(b"*".to_vec()));
}

#[test]
fn a_vote_that_can_not_be_saved_is_not_given() {
    let mut world = settled(1, 1, 1);
    world.nodes[0].disk_fails = true;
    let id = "b".repeat(40);
    let question = [
        "sentinel",
        "is-master-down-by-addr",
        "127.0.0.1",
        "6379",
        "7",
        &id,
    ];
    let none = Value::Array(vec![
        Value::Int(0),
        Value::Bulk(b"*".to_vec()),
        Value::Int(0),
    ]);
    assert_eq!(world.ask(0, &question), none);
    let error = b"ERR Failed to save config file. Check server logs.".to_vec();
    assert_eq!(
        world.ask(0, &["sentinel", "flushconfig"]),
        Value::Error(error)
    );
    world.nodes[0].disk_fails = false;
    world.run_for(ms(2_000));
    assert_eq!(
        world.ask(0, &question).as_array().unwrap()[1],
        Value::Bulk(id.into_bytes())
    );
}

#[test]
fn a_sentinel_whose_disk_fails_does_not_lead() {
    let mut world = settled(1, 1, 1);
    world.nodes[0].disk_fails = true;
    world.kill_server(6379);
    world.run_for(ms(15_000));
    assert_eq!(world.count("+try-failover"), 1);
    assert_eq!(world.count("+elected-leader"), 0);
    assert_eq!(world.count("-failover-abort-not-elected"), 1);
}

#[test]
fn the_votes_of_others_do_not_make_a_leader_of_one_whose_own_can_not_be_saved() {
    for broken in 0..3 {
        let mut world = settled(2, 3, 2);
        world.nodes[broken].disk_fails = true;
        world.kill_server(6379);
        world.run_for(ms(9_000));
        let leader = world.first("+elected-leader").map(|(_, leader)| leader);
        assert_ne!(leader, Some(broken), "{:#?}", world.log());
        world.nodes[broken].disk_fails = false;
        world.run_for(ms(2_000));
        assert_eq!(world.count("+elected-leader"), 1, "{:#?}", world.log());
    }
}

#[test]
fn a_stopped_sentinel_goes_into_tilt_and_accuses_nobody() {
    let mut world = settled(2, 3, 2);
    world.freeze(0, ms(5_000));
    world.run_for(ms(10_000));
    assert_eq!(world.count("+tilt"), 1);
    let accused = world
        .events
        .iter()
        .any(|(_, n, text)| *n == 0 && text.contains("+sdown"));
    assert!(!accused, "{:#?}", world.log());
    world.run_for(ms(30_000));
    assert_eq!(world.count("-tilt"), 1);
    assert_eq!(world.count("+odown"), 0);
}

#[test]
fn a_short_stop_is_not_held_against_those_who_were_not_heard() {
    let mut world = settled(2, 3, 2);
    world.freeze(0, ms(1_900));
    world.run_for(ms(5_000));
    assert_eq!(world.count("+tilt"), 0);
    let accused = world
        .events
        .iter()
        .any(|(_, n, text)| *n == 0 && text.contains("+sdown"));
    assert!(!accused, "{:#?}", world.log());
}

#[test]
fn the_file_of_a_leader_has_the_new_master_and_the_old_one_as_a_replica() {
    let mut world = settled(2, 3, 2);
    world.kill_server(6379);
    world.run_until(ms(2_000), |world| !all_see(world, 6379));
    world.run_for(ms(100));
    let port = new_master(&world);
    for n in 0..3 {
        world.kill_sentinel(n);
        world.restart_sentinel(n);
    }
    assert!(all_see(&world, port), "{:#?}", world.log());
    world.run_for(ms(3_000));
    for node in &world.nodes {
        let master = node.machine.watch().masters().next().unwrap();
        assert_eq!((master.replicas, master.peers), (2, 2));
        assert_eq!(master.addr.port(), port);
    }
}

#[test]
fn forgetting_survives_a_restart() {
    let mut world = settled(2, 2, 1);
    world.kill_sentinel(1);
    world.kill_server(6380);
    world.kill_server(6381);
    assert_eq!(world.ask(0, &["sentinel", "reset", "my*"]), Value::Int(1));
    world.kill_sentinel(0);
    world.restart_sentinel(0);
    world.run_for(ms(3_000));
    let master = world.nodes[0].machine.watch().masters().next().unwrap();
    assert_eq!((master.replicas, master.peers), (0, 0));
}

#[test]
fn sentinels_of_two_masters_share_one_connection() {
    let mut world = settled(1, 2, 2);
    world.servers.push(fake::FakeServer::new(7000, None));
    for n in 0..2 {
        let reply = world.ask(
            n,
            &["sentinel", "monitor", "other", "127.0.0.1", "7000", "2"],
        );
        assert_eq!(reply, Value::Simple(b"OK".to_vec()));
    }
    world.run_for(ms(5_000));
    let reply = world.ask(0, &["sentinel", "sentinels", "other"]);
    let fields = reply.as_array().unwrap()[0].as_array().unwrap().to_vec();
    let at = fields
        .iter()
        .position(|one| one.as_text() == Some(b"link-refcount"))
        .unwrap();
    assert_eq!(fields[at + 1], Value::Bulk(b"2".to_vec()));
    assert_eq!(
        world.ask(0, &["sentinel", "remove", "other"]),
        Value::Simple(b"OK".to_vec())
    );
    world.run_for(ms(5_000));
    assert_eq!(world.count("+sdown"), 0);
}

#[test]
fn a_name_that_does_not_resolve_stalls_nothing() {
    let mut world = settled(1, 1, 1);
    world.names.insert("redis-a".to_owned(), 6379);
    let error = Value::Error(b"ERR Invalid IP address or hostname specified".to_vec());
    let command = ["sentinel", "monitor", "named", "redis-a", "6379", "1"];
    assert_eq!(world.ask(0, &command), error);
    world.ask(
        0,
        &["sentinel", "config", "set", "resolve-hostnames", "yes"],
    );
    assert_eq!(world.ask(0, &command), Value::Simple(b"OK".to_vec()));
    let command = ["sentinel", "monitor", "lost", "redis-z", "6379", "1"];
    assert_eq!(world.ask(0, &command), error);
    let address = world.ask(0, &["sentinel", "get-master-addr-by-name", "named"]);
    assert_eq!(
        address.as_array().unwrap()[0],
        Value::Bulk(b"127.0.0.1".to_vec())
    );
    world.ask(
        0,
        &["sentinel", "config", "set", "announce-hostnames", "yes"],
    );
    let address = world.ask(0, &["sentinel", "get-master-addr-by-name", "named"]);
    assert_eq!(
        address.as_array().unwrap()[0],
        Value::Bulk(b"redis-a".to_vec())
    );
}

#[test]
fn a_name_that_takes_long_to_look_up_holds_nothing_up() {
    let mut world = World::new(2, 0, 2);
    world.lookup_us = 20_000_000;
    for n in 0..3 {
        let mut master = crate::config::MasterConfig::new("mymaster", "127.0.0.1", 6379, 2);
        master.down_after_ms = 1_000;
        master.known_replicas = vec![("redis-z".to_owned(), 6399)];
        world.add_sentinel(n, vec![master]);
        world.nodes[n].machine.watch.settings.resolve_hostnames = true;
    }
    world.run_for(ms(3_000));
    world.kill_server(6379);
    let took = world.run_until(ms(2_000), |world| !all_see(world, 6379));
    assert!(took < ms(1_030), "{took:?}\n{:#?}", world.log());
    assert_eq!(world.count("+tilt"), 0);
}

#[test]
fn an_address_that_is_not_known_yet_changes_with_its_epoch() {
    let mut world = settled(1, 1, 1);
    let resolve = ["sentinel", "config", "set", "resolve-hostnames", "yes"];
    world.ask(0, &resolve);
    let id = "b".repeat(40);
    let hello = format!("127.0.0.1,26390,{id},7,mymaster,redis-z,6380,7");
    world.ask(0, &["publish", "__sentinel__:hello", &hello]);
    let master = world.nodes[0].machine.watch().masters().next().unwrap();
    let configured = (master.addr.host(), master.addr.port());
    assert_eq!((configured, master.config_epoch.0), (("redis-z", 6380), 7));
    world.run_for(ms(5_000));
    assert_eq!(world.count("+switch-master"), 1, "{:#?}", world.log());
}

#[test]
fn a_server_known_by_name_and_by_address_is_one_once_the_name_is_resolved() {
    let mut world = World::new(1, 0, 1);
    let mut master = crate::config::MasterConfig::new("mymaster", "127.0.0.1", 6379, 1);
    master.down_after_ms = 5_000;
    master.known_replicas = vec![("redis-b".to_owned(), 6380)];
    world.add_sentinel(0, vec![master]);
    world.nodes[0].machine.watch.settings.resolve_hostnames = true;
    world.run_for(ms(1_000));
    let replicas = |world: &World| {
        let master = world.nodes[0].machine.watch().masters().next().unwrap();
        master.replicas
    };
    assert_eq!(replicas(&world), 2);
    world.names.insert("redis-b".to_owned(), 6380);
    world.run_for(ms(1_000));
    assert_eq!(replicas(&world), 1);
    let shown = world.ask(0, &["sentinel", "replicas", "mymaster"]);
    let fields = shown.as_array().unwrap()[0].as_array().unwrap();
    assert_eq!(fields[3], Value::Bulk(b"127.0.0.1".to_vec()));
    world.run_for(ms(10_000));
    assert_eq!((replicas(&world), world.count("+sdown")), (1, 0));
}

#[test]
fn a_leader_that_crashes_after_its_election_is_followed_by_another() {
    let mut world = settled(1, 3, 2);
    for n in 0..3 {
        world.ask(n, &["sentinel", "simulate-failure", "crash-after-election"]);
    }
    world.kill_server(6379);
    world.run_until(ms(3_000), |world| !world.exits.is_empty());
    let (leader, code) = world.exits[0];
    assert_eq!(code, 99);
    world.kill_sentinel(leader);
    for n in (0..3).filter(|&n| n != leader) {
        world.ask(n, &["sentinel", "simulate-failure", "help"]);
    }
    assert_eq!(world.servers[1].master, Some(6379));
    // Its voters leave it twice the time of a failover.
    let took = world.run_until(ms(60_000), |world| all_see(world, 6380));
    assert!(ms(39_000) < took, "{took:?}");
}

#[test]
fn a_stuck_promotion_is_repeated_and_in_the_end_given_up() {
    let mut world = settled(1, 3, 2);
    world.servers[1].obeys = false;
    world.kill_server(6379);
    world.run_for(ms(5_000));
    let told = world.servers[1]
        .seen
        .iter()
        .filter(|line| *line == "SLAVEOF NO ONE")
        .count();
    assert!((3..=5).contains(&told), "{told}");
    world.run_for(ms(20_000));
    assert_eq!(world.count("-failover-abort-slave-timeout"), 1);
    assert!(all_see(&world, 6379));
}

#[test]
fn commands_answer_as_redis_does() {
    let mut world = settled(1, 1, 1);
    let errors: [(&[&str], &str); 8] = [
        (
            &["foo", "bar", "baz"],
            "ERR unknown command 'foo', with args beginning with: 'bar' 'baz' ",
        ),
        (
            &["sentinel", "foo"],
            "ERR unknown subcommand 'foo'. Try SENTINEL HELP.",
        ),
        (
            &["sentinel", "master", "x"],
            "ERR No such master with that name",
        ),
        (
            &["sentinel", "set", "mymaster"],
            "ERR wrong number of arguments for 'sentinel|set' command",
        ),
        (
            &["sentinel", "set", "mymaster", "quorum", "-1"],
            "ERR Invalid argument '-1' for SENTINEL SET 'quorum'",
        ),
        (
            &["sentinel", "set", "mymaster", "fakeoption", "1"],
            "ERR Unknown option or number of arguments for SENTINEL SET 'fakeoption'",
        ),
        (
            &["publish", "foo", "bar"],
            "ERR Only HELLO messages are accepted by Sentinel instances.",
        ),
        (&["hello", "4"], "NOPROTO unsupported protocol version"),
    ];
    for (words, error) in errors {
        assert_eq!(
            world.ask(0, words),
            Value::Error(error.as_bytes().to_vec()),
            "{words:?}"
        );
    }
    assert_eq!(world.ask(0, &["ping"]), Value::Simple(b"PONG".to_vec()));
    let role = world.ask(0, &["role"]);
    assert_eq!(
        role.as_array().unwrap()[0],
        Value::Bulk(b"sentinel".to_vec())
    );
    let info = world.ask(0, &["info", "sentinel"]);
    let info = String::from_utf8(info.as_text().unwrap().to_vec()).unwrap();
    let line = "master0:name=mymaster,status=ok,address=127.0.0.1:6379,slaves=1,sentinels=1\r\n";
    assert!(
        info.starts_with("# Sentinel\r\nsentinel_masters:1\r\n"),
        "{info}"
    );
    assert!(info.ends_with(line), "{info}");
    assert_eq!(world.master_port(0), 6379);
    let master = world.ask(0, &["sentinel", "master", "mymaster"]);
    let fields = master.as_array().unwrap();
    // Redis's test suite reads the field by its place.
    assert_eq!(fields[32], Value::Bulk(b"num-other-sentinels".to_vec()));
    assert_eq!(fields[33], Value::Bulk(b"0".to_vec()));
}

#[test]
fn two_operators_do_not_make_two_masters_of_one_epoch() {
    let mut world = settled(2, 3, 2);
    let first = world.send(0, &["sentinel", "failover", "mymaster"]);
    let second = world.send(1, &["sentinel", "failover", "mymaster"]);
    world.run_for(ms(5_000));
    assert_eq!(world.replies(first), [Value::Simple(b"OK".to_vec())]);
    assert_eq!(world.replies(second), [Value::Simple(b"OK".to_vec())]);
    assert_eq!(world.count("+promoted-slave"), 1, "{:#?}", world.log());
    assert!(all_see(&world, new_master(&world)), "{:#?}", world.log());
}

#[test]
fn a_connection_to_itself_ends_with_what_it_was_for() {
    let mut world = World::new(1, 0, 1);
    world.kill_server(6379);
    let mut master = crate::config::MasterConfig::new("mymaster", "127.0.0.1", 6379, 1);
    // Its own address, with the identity it had before.
    master.known_sentinels = vec![("127.0.0.1".to_owned(), 26379, "b".repeat(40))];
    world.add_sentinel(0, vec![master]);
    let peers = |world: &World| {
        let master = world.nodes[0].machine.watch().masters().next().unwrap();
        master.peers
    };
    assert_eq!(peers(&world), 1);
    world.run_for(ms(1_000));
    assert_eq!(peers(&world), 0);
}

#[test]
fn a_sentinel_does_not_take_itself_for_another() {
    let mut world = settled(1, 1, 1);
    // A hello of the identity it had before.
    let old = "b".repeat(40);
    let hello = format!("127.0.0.1,26379,{old},0,mymaster,127.0.0.1,6379,0");
    world.ask(0, &["publish", "__sentinel__:hello", &hello]);
    let peers = |world: &World| {
        let master = world.nodes[0].machine.watch().masters().next().unwrap();
        master.peers
    };
    assert_eq!(peers(&world), 0);
    let hello = hello.replace("26379", "26380");
    world.ask(0, &["publish", "__sentinel__:hello", &hello]);
    assert_eq!(peers(&world), 1);
    // Nor does it vote for itself when it is asked to.
    let own = world.nodes[0].machine.watch().id().to_string();
    let question = [
        "sentinel",
        "is-master-down-by-addr",
        "127.0.0.1",
        "6379",
        "7",
        &own,
    ];
    let reply = world.ask(0, &question);
    assert_eq!(reply.as_array().unwrap()[1], Value::Bulk(b"*".to_vec()));
}

#[test]
fn a_sentinel_forgets_whom_it_took_for_another_at_its_own_address() {
    let mut world = World::new(1, 0, 1);
    let mut master = crate::config::MasterConfig::new("mymaster", "127.0.0.1", 6379, 1);
    let (phantom, other) = ("b".repeat(40), "c".repeat(40));
    master.known_sentinels = vec![
        ("127.0.0.1".to_owned(), 26_379, phantom),
        ("127.0.0.1".to_owned(), 26_380, other),
    ];
    world.add_sentinel(0, vec![master]);
    world.run_for(ms(1_000));
    let known = world.nodes[0].machine.watch().masters().next().unwrap();
    assert_eq!(known.peers, 1);
}

#[test]
fn two_sentinels_are_never_known_at_one_address() {
    let mut world = settled(1, 1, 1);
    let (one, other) = ("b".repeat(40), "c".repeat(40));
    let mut say = |id: &str, port: u16| {
        let hello = format!("127.0.0.1,{port},{id},0,mymaster,127.0.0.1,6379,0");
        world.ask(0, &["publish", "__sentinel__:hello", &hello]);
        let master = world.nodes[0].machine.watch().masters().next().unwrap();
        master.peers
    };
    assert_eq!(say(&one, 26_390), 1);
    assert_eq!(say(&other, 26_391), 2);
    assert_eq!(say(&one, 26_391), 1);
    assert_eq!(say(&other, 26_391), 1);
    world.run_for(ms(10));
    assert_eq!(world.count("+sentinel-address-switch"), 1);
    assert_eq!(world.count("+sentinel-invalid-addr"), 2);
}

#[test]
fn a_leader_votes_for_nobody_else() {
    let mut world = settled(1, 3, 2);
    world.servers[1].obeys = false;
    world.kill_server(6379);
    world.run_until(ms(3_000), |world| {
        world.count("+failover-state-wait-promotion") > 0
    });
    let (_, leader) = world.first("+failover-state-wait-promotion").unwrap();
    let other = "b".repeat(40);
    let question = [
        "sentinel",
        "is-master-down-by-addr",
        "127.0.0.1",
        "6379",
        "99",
        &other,
    ];
    let reply = world.ask(leader, &question);
    let own = world.nodes[leader]
        .machine
        .watch()
        .id()
        .to_string()
        .into_bytes();
    assert_eq!(reply.as_array().unwrap()[1], Value::Bulk(own));
    assert_eq!(world.nodes[leader].machine.watch().epoch().0, 99);
}

#[test]
fn a_promoted_replica_that_dies_at_once_is_replaced_in_turn() {
    let mut world = settled(3, 3, 2);
    world.kill_server(6379);
    world.run_until(ms(2_000), |world| world.count("+promoted-slave") > 0);
    let first = new_master(&world);
    world.kill_server(first);
    world.run_until(ms(5_000), |world| {
        all_see(world, new_master(world)) && !matches!(new_master(world), 6379) && {
            let port = new_master(world);
            world.servers[world.server(port)].alive
        }
    });
    world.run_for(ms(3_000));
    let port = new_master(&world);
    let alive: Vec<_> = world.servers.iter().filter(|one| one.alive).collect();
    assert!(
        alive
            .iter()
            .all(|one| one.port == port || one.master == Some(port))
    );
}

#[test]
fn many_masters_fail_over_at_the_same_time() {
    let mut world = World::new(0, 0, 2);
    for n in 0..10_u16 {
        world.servers.push(fake::FakeServer::new(7000 + n, None));
        world
            .servers
            .push(fake::FakeServer::new(8000 + n, Some(7000 + n)));
    }
    for n in 0..3 {
        let masters = (0..10_u16).map(|m| {
            let name = format!("master-{m}");
            let mut master = crate::config::MasterConfig::new(&name, "127.0.0.1", 7000 + m, 2);
            master.down_after_ms = 1000;
            master.failover_timeout_ms = 20_000;
            master
        });
        world.add_sentinel(n, masters.collect());
    }
    world.run_for(ms(5_000));
    for n in 0..10 {
        world.kill_server(7000 + n);
    }
    let moved = |world: &World| {
        let mut masters = world
            .nodes
            .iter()
            .flat_map(|node| node.machine.watch().masters());
        masters.all(|master| master.addr.port() >= 8000)
    };
    let took = world.run_until(ms(5_000), moved);
    assert!(took < ms(1_300), "{took:?}\n{:#?}", world.log());
}

#[test]
fn an_election_nobody_could_win_is_held_again_soon() {
    let mut world = settled(1, 2, 2);
    // Both have started before either hears of the other.
    world.latency_us = 40_000;
    world.run_for(ms(1_000));
    world.kill_server(6379);
    let took = world.run_until(ms(10_000), |world| all_see(world, 6380));
    assert!(took < ms(4_000), "{took:?}\n{:#?}", world.log());
    assert!(
        world.count("-failover-abort-not-elected") >= 2,
        "{:#?}",
        world.log()
    );
    assert_eq!(world.count("+elected-leader"), 1);
}

#[test]
fn with_sentinels_of_redis_it_is_held_again_at_their_pace() {
    let mut world = World::new(1, 2, 2);
    for node in &mut world.nodes {
        node.foreign = true;
    }
    world.run_for(ms(3_000));
    world.latency_us = 40_000;
    world.run_for(ms(1_000));
    world.kill_server(6379);
    let took = world.run_until(ms(100_000), |world| all_see(world, 6380));
    assert!(ms(40_000) < took, "{took:?}\n{:#?}", world.log());
    let tries = world.count("+try-failover");
    assert!((3..=6).contains(&tries), "{tries}");
}

#[test]
fn settings_change_one_after_the_other_up_to_a_bad_one() {
    let mut world = settled(1, 1, 1);
    let words = [
        "sentinel",
        "set",
        "mymaster",
        "quorum",
        "2",
        "failover-timeout",
        "0",
    ];
    let error = "ERR Invalid argument '0' for SENTINEL SET 'failover-timeout'";
    assert_eq!(
        world.ask(0, &words),
        Value::Error(error.as_bytes().to_vec())
    );
    let words = [
        "sentinel",
        "set",
        "mymaster",
        "rename-command",
        "config",
        "guess",
        "auth-pass",
        "x",
    ];
    assert_eq!(world.ask(0, &words), Value::Simple(b"OK".to_vec()));
    world.run_for(ms(100));
    assert_eq!(
        world.count("+set master mymaster 127.0.0.1 6379 quorum 2"),
        1
    );
    assert_eq!(
        world.count("+set master mymaster 127.0.0.1 6379 rename-command config guess"),
        1
    );
    assert_eq!(
        world.count("+set master mymaster 127.0.0.1 6379 auth-pass ******"),
        1
    );
    let file = String::from_utf8(world.nodes[0].files[&file_of(0)].clone()).unwrap();
    for line in [
        "monitor mymaster 127.0.0.1 6379 2",
        "rename-command mymaster config guess",
    ] {
        assert!(file.contains(&format!("sentinel {line}\n")), "{file}");
    }
    // The new password is used at once, on new connections.
    let server = world.server(6379);
    assert!(
        world.servers[server]
            .seen
            .iter()
            .any(|line| line == "AUTH x")
    );
    let words = [
        "sentinel",
        "set",
        "mymaster",
        "notification-script",
        "/bin/true",
    ];
    assert!(matches!(world.ask(0, &words), Value::Error(_)));
}
