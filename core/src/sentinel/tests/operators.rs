//! What operators ask of a Sentinel.

use super::world::{World, file_of};
use super::{all_see, ms, new_master, settled};
use crate::resp::Value;
use crate::sentinel::forget::FORGET_PERIOD;

fn ok() -> Value {
    Value::Simple(b"OK".to_vec())
}

fn error(text: &str) -> Value {
    Value::Error(text.as_bytes().to_vec())
}

/// The values of a map by their names.
fn field(map: &Value, name: &str) -> Option<String> {
    let items = map.as_array()?;
    let at = items
        .chunks(2)
        .find(|pair| pair[0].as_text() == Some(name.as_bytes()))?;
    Some(String::from_utf8_lossy(at[1].as_text()?).into_owned())
}

fn file(world: &World, n: usize) -> String {
    String::from_utf8(world.nodes[n].files[&file_of(n)].clone()).unwrap()
}

/// Starts a Sentinel again with these lines in front of its file.
pub(super) fn restart_with(world: &mut World, n: usize, lines: &str) {
    world.kill_sentinel(n);
    let text = format!("{lines}{}", file(world, n));
    world.nodes[n].files.insert(file_of(n), text.into_bytes());
    world.restart_sentinel(n);
}

/// Whether a Sentinel knows so many replicas and other Sentinels.
fn knows(world: &World, n: usize, replicas: usize, peers: usize) -> bool {
    let master = world.nodes[n].machine.watch().masters().next().unwrap();
    (master.replicas, master.peers) == (replicas, peers)
}

#[test]
fn debug_shows_thirteen_figures_and_changes_them_at_once() {
    let mut world = settled(1, 1, 1);
    let shown = world.ask(0, &["sentinel", "debug"]);
    assert_eq!(shown.as_array().unwrap().len(), 26);
    for (name, value) in [
        ("INFO-PERIOD", "10000"),
        ("DEFAULT-DOWN-AFTER", "30000"),
        ("SCRIPT-RETRY-DELAY", "30000"),
    ] {
        assert_eq!(field(&shown, name).as_deref(), Some(value));
    }
    let seen = |world: &World, word: &str| {
        let seen = world.servers[0].seen.iter();
        seen.filter(|line| line.starts_with(word)).count()
    };
    let before = (seen(&world, "INFO"), seen(&world, "PUBLISH"));
    let words = [
        "sentinel",
        "debug",
        "Info-Period",
        "100",
        "publish-period",
        "200",
    ];
    assert_eq!(world.ask(0, &words), ok());
    world.run_for(ms(2_000));
    let infos = seen(&world, "INFO") - before.0;
    let hellos = seen(&world, "PUBLISH") - before.1;
    assert!((15..=21).contains(&infos), "{infos}");
    assert!((8..=11).contains(&hellos), "{hellos}");
}

#[test]
fn debug_refuses_what_makes_no_sense_and_keeps_what_came_before_it() {
    let mut world = settled(1, 1, 1);
    for (words, expected) in [
        (
            &["ping-period", "500", "foo", "3"][..],
            "ERR Unknown option or number of arguments for SENTINEL DEBUG 'foo'",
        ),
        (
            &["ask-period"],
            "ERR Unknown option or number of arguments for SENTINEL DEBUG 'ask-period'",
        ),
        (
            &["ask-period", "0"],
            "ERR Invalid argument '0' for SENTINEL DEBUG 'ask-period'",
        ),
    ] {
        let words = [&["sentinel", "debug"], words].concat();
        assert_eq!(world.ask(0, &words), error(expected));
    }
    let shown = world.ask(0, &["sentinel", "debug"]);
    assert_eq!(field(&shown, "PING-PERIOD").as_deref(), Some("500"));
    assert_eq!(field(&shown, "ASK-PERIOD").as_deref(), Some("1000"));
}

#[test]
fn masters_added_later_get_the_defaults_of_debug() {
    let mut world = settled(1, 1, 1);
    let words = [
        "default-down-after",
        "7000",
        "default-failover-timeout",
        "9000",
    ];
    world.ask(0, &[&["sentinel", "debug"], &words[..]].concat());
    world.ask(
        0,
        &["sentinel", "monitor", "other", "127.0.0.1", "6379", "1"],
    );
    let shown = world.ask(0, &["sentinel", "master", "other"]);
    let after = field(&shown, "down-after-milliseconds");
    assert_eq!(after.as_deref(), Some("7000"));
    assert_eq!(field(&shown, "failover-timeout").as_deref(), Some("9000"));
}

#[test]
fn tilt_lasts_as_long_as_debug_says() {
    let mut world = settled(1, 1, 1);
    world.ask(
        0,
        &[
            "sentinel",
            "debug",
            "tilt-trigger",
            "700",
            "tilt-period",
            "1000",
        ],
    );
    world.freeze(0, ms(1_500));
    world.run_for(ms(2_000));
    assert_eq!(world.count("+tilt"), 1);
    world.run_for(ms(1_000));
    assert_eq!(world.count("-tilt"), 1);
}

#[test]
fn a_script_has_to_be_there_to_be_set() {
    let mut world = settled(1, 1, 1);
    let set = |path| ["sentinel", "set", "mymaster", "notification-script", path];
    let denied = world.ask(0, &set("/bin/true"));
    assert!(matches!(denied, Value::Error(text) if text.starts_with(b"ERR Reconfiguration")));
    world.nodes[0].machine.watch.settings.deny_scripts_reconfig = false;
    let missing = "ERR Notification script seems non existing or non executable";
    assert_eq!(world.ask(0, &set("/nowhere/x")), error(missing));
    let words = ["client-reconfig-script", "/nowhere/x", "quorum", "3"];
    let missing = "ERR Client reconfiguration script seems non existing or non executable";
    let words = [&["sentinel", "set", "mymaster"], &words[..]].concat();
    assert_eq!(world.ask(0, &words), error(missing));
    assert_eq!(world.ask(0, &set("/bin/true")), ok());
    let line = "sentinel notification-script mymaster /bin/true\n";
    assert!(file(&world, 0).contains(line), "{}", file(&world, 0));
    assert_eq!(world.ask(0, &set("")), ok());
    assert!(!file(&world, 0).contains("notification-script"));
}

#[test]
fn a_script_that_runs_is_shown_with_its_process() {
    let mut world = settled(1, 1, 1);
    world.nodes[0].machine.watch.settings.deny_scripts_reconfig = false;
    let words = [
        "sentinel",
        "set",
        "mymaster",
        "notification-script",
        "/bin/true",
    ];
    world.ask(0, &words);
    world.run_for(ms(100));
    world.nodes[0].script_takes = ms(5_000);
    world.ask(0, &["sentinel", "set", "mymaster", "quorum", "1"]);
    let pending = world.ask(0, &["sentinel", "pending-scripts"]);
    let script = &pending.as_array().unwrap()[0];
    assert_eq!(field(script, "flags").as_deref(), Some("running"));
    assert_eq!(field(script, "pid").as_deref(), Some("4711"));
    assert_eq!(field(script, "retry-num").as_deref(), Some("1"));
    assert!(field(script, "run-time").is_some());
}

#[test]
fn a_replica_that_is_gone_is_forgotten_for_good() {
    let mut world = settled(2, 3, 2);
    let gone = [
        "sentinel",
        "forget-replica",
        "mymaster",
        "127.0.0.1",
        "6381",
    ];
    let unknown = [&gone[..4], &["7777"]].concat();
    let refused = error("ERR No such replica with that address");
    assert_eq!(world.ask(0, &unknown), refused);
    world.kill_server(6381);
    // The master has not noticed yet that the connection is dead.
    let (master, index) = (world.server(6379), world.server(6381));
    world.servers[master].lists_dead = true;
    for n in 0..3 {
        assert_eq!(world.ask(n, &gone), ok());
        assert!(!file(&world, n).contains("known-replica mymaster 127.0.0.1 6381"));
    }
    assert_eq!(world.count("-slave slave 127.0.0.1:6381"), 3);
    world.run_for(ms(60_000));
    assert!((0..3).all(|n| knows(&world, n, 1, 2)));
    assert_eq!(world.count("+slave "), 6);
    world.servers[master].lists_dead = false;
    world.run_for(FORGET_PERIOD);
    assert!((0..3).all(|n| knows(&world, n, 1, 2)));
    // One that is there again after that time is found.
    world.servers[index].restart();
    world.run_for(ms(15_000));
    assert!((0..3).all(|n| knows(&world, n, 2, 2)));
}

#[test]
fn a_forgotten_replica_is_not_told_of_a_new_master() {
    let mut world = settled(2, 3, 2);
    for n in 0..3 {
        let gone = [
            "sentinel",
            "forget-replica",
            "mymaster",
            "127.0.0.1",
            "6381",
        ];
        world.ask(n, &gone);
    }
    world.kill_server(6379);
    world.run_until(ms(3_000), |world| all_see(world, 6380));
    world.run_for(ms(1_000));
    let left = world.server(6381);
    assert_eq!(world.servers[left].master, Some(6379));
}

#[test]
fn a_sentinel_that_is_gone_no_longer_counts_and_one_that_is_up_does() {
    let mut world = settled(1, 3, 2);
    let id = world.nodes[2].machine.watch().id().to_string();
    let gone = ["sentinel", "forget-sentinel", "mymaster", &id];
    let up = error("ERR This Sentinel is up: stop it first, and wait until it is down");
    assert_eq!(world.ask(0, &gone), up);
    let unknown = ["sentinel", "forget-sentinel", "mymaster", "x"];
    let refused = error("ERR No such Sentinel with that id");
    assert_eq!(world.ask(0, &unknown), refused);
    world.kill_sentinel(2);
    world.run_for(ms(1_500));
    for n in 0..2 {
        assert_eq!(world.ask(n, &gone), ok());
        assert!(knows(&world, n, 1, 1));
        assert!(!file(&world, n).contains(&id));
    }
    assert_eq!(world.count(&format!("-sentinel sentinel {id}")), 2);
    // A hello that was under way does not bring it back.
    let hello = format!("127.0.0.1,26381,{id},0,mymaster,127.0.0.1,6379,0");
    world.ask(0, &["publish", "__sentinel__:hello", &hello]);
    assert!(knows(&world, 0, 1, 1));
    // After its time it is a Sentinel like any other.
    world.run_for(FORGET_PERIOD);
    world.ask(0, &["publish", "__sentinel__:hello", &hello]);
    assert!(knows(&world, 0, 1, 2));
}

#[test]
fn a_forgotten_sentinel_that_lives_is_followed_where_it_leads() {
    let mut world = settled(2, 2, 2);
    let id = world.nodes[1].machine.watch().id().to_string();
    world.kill_sentinel(1);
    world.run_for(ms(1_500));
    let gone = ["sentinel", "forget-sentinel", "mymaster", &id];
    assert_eq!(world.ask(0, &gone), ok());
    world.restart_sentinel(1);
    world.run_for(ms(3_000));
    // It needs the vote of the one that has forgotten it, and gets it.
    world.kill_server(6379);
    world.run_until(ms(3_000), |world| all_see(world, 6380));
    assert!(knows(&world, 0, 2, 0));
    world.run_for(ms(1));
    let from =
        format!("+config-update-from sentinel {id} 127.0.0.1 26380 @ mymaster 127.0.0.1 6379");
    assert_eq!(world.count(&from), 1);
}

#[test]
fn without_auto_failover_a_dead_master_is_reported_and_an_operator_decides() {
    let mut world = settled(2, 3, 2);
    for n in 0..3 {
        let words = ["sentinel", "set", "mymaster", "auto-failover", "no"];
        assert_eq!(world.ask(n, &words), ok());
        let line = "sentinel auto-failover mymaster no\n";
        assert!(file(&world, n).contains(line));
        let shown = world.ask(n, &["sentinel", "master", "mymaster"]);
        assert_eq!(field(&shown, "auto-failover").as_deref(), Some("no"));
        world.kill_sentinel(n);
        world.restart_sentinel(n);
    }
    world.run_for(ms(3_000));
    world.kill_server(6379);
    world.run_for(ms(10_000));
    assert_eq!(world.count("+odown"), 3);
    assert_eq!(world.count("+try-failover"), 0);
    assert_eq!(world.ask(0, &["sentinel", "failover", "mymaster"]), ok());
    world.run_until(ms(1_000), |world| !all_see(world, 6379));
    world.run_for(ms(1_000));
    let first = new_master(&world);
    world.kill_server(first);
    world.run_for(ms(3_000));
    assert_eq!(world.count("+try-failover"), 1);
    let bad = ["sentinel", "set", "mymaster", "auto-failover", "maybe"];
    let refused = "ERR Invalid argument 'maybe' for SENTINEL SET 'auto-failover'";
    assert_eq!(world.ask(0, &bad), error(refused));
    let words = ["sentinel", "set", "mymaster", "auto-failover", "yes"];
    assert_eq!(world.ask(0, &words), ok());
    assert!(file(&world, 0).contains("sentinel auto-failover mymaster yes\n"));
}

#[test]
fn a_file_is_written_only_when_something_changed() {
    let mut world = settled(2, 3, 2);
    assert_eq!(world.ask(0, &["sentinel", "flushconfig"]), ok());
    let before = world.nodes[0].renames;
    let text = file(&world, 0);
    for _ in 0..3 {
        assert_eq!(world.ask(0, &["sentinel", "flushconfig"]), ok());
        let same = ["sentinel", "set", "mymaster", "quorum", "2"];
        assert_eq!(world.ask(0, &same), ok());
    }
    assert_eq!(world.nodes[0].renames, before);
    // What somebody else did to it is put right.
    world.nodes[0].files.remove(&file_of(0));
    assert_eq!(world.ask(0, &["sentinel", "flushconfig"]), ok());
    assert_eq!(world.nodes[0].renames, before + 1);
    assert_eq!(file(&world, 0).lines().count(), text.lines().count());
}

const STATE: &str = "/var/lib/sentinel.state";

#[test]
fn with_a_state_file_the_operators_file_stays_as_it_is() {
    let mut world = settled(2, 3, 2);
    for n in 0..3 {
        restart_with(&mut world, n, &format!("sentinel state-file {STATE}\n"));
        world.nodes[n].read_only = Some(file_of(n));
    }
    let texts: Vec<_> = (0..3).map(|n| file(&world, n)).collect();
    world.run_for(ms(3_000));
    world.kill_server(6379);
    world.run_until(ms(3_000), |world| !all_see(world, 6379));
    world.run_for(ms(1_000));
    let port = new_master(&world);
    for (n, text) in texts.iter().enumerate() {
        assert_eq!(&file(&world, n), text);
        let state = &world.nodes[n].files[STATE];
        let state = String::from_utf8(state.clone()).unwrap();
        for line in [
            format!("sentinel monitor mymaster 127.0.0.1 {port} 2\n"),
            "sentinel configured mymaster 127.0.0.1 6379\n".to_owned(),
            "sentinel known-replica mymaster 127.0.0.1 6379\n".to_owned(),
        ] {
            assert!(state.contains(&line), "{state}");
        }
        world.kill_sentinel(n);
        world.restart_sentinel(n);
        assert!(knows(&world, n, 2, 2));
    }
    assert!(all_see(&world, port));
}

#[test]
fn with_a_state_file_orders_go_to_the_operators_file() {
    let mut world = settled(1, 1, 1);
    restart_with(&mut world, 0, &format!("sentinel state-file {STATE}\n"));
    world.run_for(ms(100));
    let set = ["sentinel", "set", "mymaster", "failover-timeout", "5000"];
    assert_eq!(world.ask(0, &set), ok());
    let text = file(&world, 0);
    assert!(
        text.contains("sentinel failover-timeout mymaster 5000\n"),
        "{text}"
    );
    assert!(!text.contains("epoch") && !text.contains("myid"), "{text}");
    let state = String::from_utf8(world.nodes[0].files[STATE].clone()).unwrap();
    assert!(
        state.contains("sentinel myid ") && !state.contains("timeout"),
        "{state}"
    );
    let id = world.nodes[0].machine.watch().id();
    world.kill_sentinel(0);
    world.restart_sentinel(0);
    assert_eq!(world.nodes[0].machine.watch().id(), id);

    // One that can't be written fails the order, and nothing else.
    world.nodes[0].read_only = Some(file_of(0));
    let set = ["sentinel", "set", "mymaster", "failover-timeout", "6000"];
    let failed = error("ERR Failed to save config file. Check server logs.");
    assert_eq!(world.ask(0, &set), failed);
    assert_eq!(world.ask(0, &["sentinel", "flushconfig"]), ok());
    let id = "b".repeat(40);
    let question = [
        "sentinel",
        "is-master-down-by-addr",
        "127.0.0.1",
        "6379",
        "7",
        &id,
    ];
    let vote = world.ask(0, &question);
    assert_eq!(vote.as_array().unwrap()[1], Value::Bulk(id.into_bytes()));
}

#[test]
fn an_operator_who_moves_the_master_in_his_file_is_obeyed() {
    let mut world = settled(1, 1, 1);
    restart_with(&mut world, 0, &format!("sentinel state-file {STATE}\n"));
    world.run_for(ms(100));
    world.kill_sentinel(0);
    let text = file(&world, 0).replace("127.0.0.1 6379 1", "127.0.0.1 6380 1");
    world.nodes[0].files.insert(file_of(0), text.into_bytes());
    world.restart_sentinel(0);
    assert!(all_see(&world, 6380));
}

#[test]
fn a_server_that_lets_nobody_in_shows_as_disconnected() {
    let mut world = settled(1, 1, 1);
    let flags = |world: &mut World| {
        let shown = world.ask(0, &["sentinel", "master", "mymaster"]);
        field(&shown, "flags").unwrap()
    };
    assert_eq!(flags(&mut world), "master");
    world.kill_server(6379);
    world.restart_server(6379);
    let master = world.server(6379);
    world.servers[master].locked = true;
    for _ in 0..5 {
        world.run_for(ms(150));
        assert_eq!(flags(&mut world), "master,disconnected");
    }
    world.servers[master].locked = false;
    world.run_for(ms(2_000));
    assert_eq!(flags(&mut world), "master");
}

#[test]
fn a_failover_is_remembered_with_the_time_of_each_step() {
    for replicas in [1, 2] {
        remembers_a_failover(replicas);
    }
}

fn remembers_a_failover(replicas: u16) {
    let mut world = settled(replicas, 3, 2);
    world.kill_server(6379);
    world.run_until(ms(3_000), |world| !all_see(world, 6379));
    world.run_for(ms(2_000));
    let port = new_master(&world).to_string();
    let (_, leader) = world.first("+elected-leader").unwrap();
    for n in 0..3 {
        let all = world.ask(n, &["sentinel", "failovers", "mymaster"]);
        let [record] = all.as_array().unwrap() else {
            panic!("{all:?}");
        };
        let value = |name| field(record, name).unwrap();
        let step = |name| value(name).parse::<i64>().unwrap();
        assert_eq!(
            (value("epoch"), value("from-port")),
            ("1".to_owned(), "6379".to_owned())
        );
        assert_eq!(value("to-port"), port);
        if n == leader {
            assert_eq!(value("role"), "leader");
            assert_eq!(value("outcome"), "+failover-end");
            let steps = [
                "s-down",
                "o-down",
                "started",
                "elected",
                "selected",
                "ordered",
                "promoted",
                "announced",
                "reconfigured",
                "ended",
            ];
            let times: Vec<_> = steps.map(step).into();
            assert!(times.is_sorted() && times[0] == 0, "{times:?}");
            assert!(times[7] < 30, "{times:?}");
        } else {
            assert_eq!(value("role"), "observer");
            assert_eq!(value("outcome"), "+config-update-from");
            assert!(step("started") >= 0 && step("announced") >= step("started"));
            assert_eq!(step("elected"), -1);
        }
        let time = value("time").parse::<i64>().unwrap();
        assert!(
            (1_700_000_000_000..1_700_000_010_000).contains(&time),
            "{time}"
        );
        let shown = world.ask(n, &["sentinel", "master", "mymaster"]);
        assert_eq!(field(&shown, "voted-leader-epoch").as_deref(), Some("1"));
    }
}

#[test]
fn a_failover_that_came_to_nothing_is_remembered_too_and_only_so_many_are() {
    let mut world = settled(1, 1, 1);
    world.servers[1].priority = 0;
    world.run_for(ms(11_000));
    world.kill_server(6379);
    world.run_for(ms(5_000));
    let all = world.ask(0, &["sentinel", "failovers", "mymaster"]);
    let record = &all.as_array().unwrap()[0];
    let outcome = field(record, "outcome");
    assert_eq!(outcome.as_deref(), Some("-failover-abort-no-good-slave"));
    assert_eq!(field(record, "to-ip").as_deref(), Some("?"));
    world.run_for(ms(900_000));
    let all = world.ask(0, &["sentinel", "failovers", "mymaster"]);
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), crate::limits::SENTINEL_FAILOVERS_KEPT);
    assert_ne!(field(&all[0], "epoch"), field(&all[1], "epoch"));
}

#[test]
fn a_master_is_shown_with_whether_a_failover_could_be_agreed_on() {
    let mut world = settled(1, 3, 2);
    let shown = world.ask(0, &["sentinel", "master", "mymaster"]);
    assert_eq!(field(&shown, "usable-sentinels").as_deref(), Some("3"));
    assert_eq!(field(&shown, "failover-authorized").as_deref(), Some("yes"));
    assert_eq!(field(&shown, "voted-leader").as_deref(), Some("?"));
    world.kill_sentinel(1);
    world.kill_sentinel(2);
    world.run_for(ms(2_000));
    let shown = world.ask(0, &["sentinel", "master", "mymaster"]);
    assert_eq!(field(&shown, "usable-sentinels").as_deref(), Some("1"));
    assert_eq!(field(&shown, "failover-authorized").as_deref(), Some("no"));
}

#[test]
fn the_last_info_of_each_server_is_shown_in_a_plain_array() {
    let mut world = settled(1, 1, 1);
    let client = world.send(0, &["hello", "3"]);
    world.run_for(ms(10));
    world.send_on(client, &["sentinel", "info-cache", "mymaster", "nobody"]);
    world.send_on(client, &["info", "sentinel"]);
    world.run_for(ms(10));
    let replies = world.replies(client);
    let [name, servers] = replies[1].as_array().unwrap() else {
        panic!("{replies:?}");
    };
    assert_eq!(name.as_text(), Some(&b"mymaster"[..]));
    let servers = servers.as_array().unwrap();
    assert_eq!(servers.len(), 2);
    for server in servers {
        let [age, info] = server.as_array().unwrap() else {
            panic!("{server:?}");
        };
        assert!(age.as_int().is_some_and(|age| (0..4_000).contains(&age)));
        assert!(info.as_text().unwrap().starts_with(b"# Server"));
    }
    assert!(matches!(&replies[2], Value::Bulk(_)), "{replies:?}");
}

#[test]
fn commands_for_what_a_sentinel_has_not_answer_as_redis_does() {
    let mut world = settled(1, 1, 1);
    assert_eq!(world.ask(0, &["client", "getredir"]), Value::Int(-1));
    assert_eq!(world.ask(0, &["client", "unblock", "7"]), Value::Int(0));
    assert_eq!(
        world.ask(0, &["client", "unblock", "7", "error"]),
        Value::Int(0)
    );
    let refused = error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    assert_eq!(world.ask(0, &["client", "unblock", "7", "now"]), refused);
    let refused = error("ERR value is not an integer or out of range");
    assert_eq!(world.ask(0, &["client", "unblock", "x"]), refused);
    let refused = error("ERR The command has no key arguments");
    let question = ["command", "getkeysandflags", "ping"];
    assert_eq!(world.ask(0, &question), refused);
}
