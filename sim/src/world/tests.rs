use std::collections::BTreeSet;
use std::time::Duration;

use holdfast_core::machine::{Addr, Completion, ConnId, Done, Effect, Mono, Ticket};

use super::*;
use crate::client::workload::Workload;
use crate::net::Quality;
use crate::options::{DATA_PORT, Families, Knobs, Topology};
use crate::oracle::liveness::Core;
use crate::program::Program;
use crate::run::{Outcome, Plan, run};
use crate::schedule::{Fault, Target};
use crate::toys::replica::{self, Bug};
use crate::toys::{Echo, Pinger, Shell, Stuck, Toy, Writer, make_forgetful_store, make_store};

fn small_plan(seed: u64) -> Plan {
    let options = Options {
        safety_ms: 30_000,
        topology: Topology {
            above: vec![0],
            priority: vec![100],
            sentinels: 1,
            quorum: 1,
            workers: 2,
            followers: 1,
            readers: 0,
            side: false,
        },
        knobs: Knobs {
            down_after_ms: 1_000,
            failover_timeout_ms: 5_000,
            parallel_syncs: 1,
            backlog_bytes: 1 << 20,
            repl_timeout_s: 10,
            repl_ping_s: 1,
            diskless_delay_s: 0,
            diskless_load: "disabled".to_owned(),
            through_file: false,
            min_replicas: 0,
            min_replicas_lag_s: 10,
            appendonly: false,
            appendfsync: String::new(),
            save: String::new(),
            rewrite_min: "2kb".to_owned(),
            backlog_ttl_s: 3_600,
            names: false,
            scripts: false,
            save_delay_us: 0,
            load_delay_us: 0,
            plain_base: false,
            users: false,
            keep_data_s: 0,
            files: Vec::new(),
        },
        network: Quality {
            cut_ppm: 200_000,
            ..Quality::CALM
        },
        virtual_ip: false,
        rot_anywhere: false,
        sync_max_us: 5_000,
        workload: Workload {
            think_ms: 50,
            lists: 3,
            list_len: 50,
            push_ppm: 500_000,
            mixed_ppm: 0,
            scripts: false,
            upkeep_ppm: 0,
            kept_ppm: 0,
            flush_ppm: 0,
            wait_ppm: 100_000,
            multi_ppm: 100_000,
            read_ppm: 500_000,
            expire_ppm: 0,
            idle_ppm: 0,
        },
        patience_ms: 1_000,
        wall_offset_max_ms: 1_000,
        drift_max_ppm: 100,
        equal_sentinel_seeds: false,
        families: Families::default(),
    };
    Plan {
        seed,
        options,
        schedule: Vec::new(),
    }
}

fn entry(at_ms: u64, until_ms: u64, fault: Fault) -> Entry {
    Entry {
        at_ms,
        until_ms,
        fault,
    }
}

fn world_of(maker: Maker, schedule: Vec<Entry>) -> World {
    let plan = small_plan(1);
    let mut world = World::new(Keys::new(1), plan.options, schedule, maker, None);
    world.start_at(NodeId(0), Time::ZERO);
    world.start_at(NodeId(1), Time::ZERO);
    world
}

/// The first node echoes, the second pings it.
fn make_ping_pong(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    Ok(match boot.kind {
        Kind::Data => Box::new(Shell::new(Echo, DATA_PORT)),
        Kind::Sentinel | Kind::Client => {
            let toy = Pinger {
                next: Mono::default(),
                got: 0,
            };
            let connect = Effect::Connect {
                conn: ConnId {
                    index: 0,
                    generation: 1,
                },
                to: Addr::Tcp(NodeId(0).at(DATA_PORT)),
                from: None,
            };
            Box::new(Shell::new(toy, 1).with_effect(connect))
        }
    })
}

fn make_writer(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    match boot.kind {
        Kind::Data => Ok(Box::new(Shell::new(Writer { step: 0 }, DATA_PORT))),
        Kind::Sentinel | Kind::Client => make_ping_pong(boot),
    }
}

fn make_stuck(_: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    Ok(Box::new(Shell::new(Stuck, DATA_PORT)))
}

fn make_panicking(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    struct Panicking;
    impl Toy for Panicking {
        fn on_bytes(
            &mut self,
            _: holdfast_core::machine::Now,
            _: &[u8],
            _: &mut crate::toys::Line,
        ) {
            panic!("this toy breaks");
        }
    }
    match boot.kind {
        Kind::Data => Ok(Box::new(Shell::new(Panicking, DATA_PORT))),
        Kind::Sentinel | Kind::Client => make_store(boot),
    }
}

fn oracle_of(outcome: &Outcome) -> Option<&'static str> {
    outcome.violation.as_ref().map(|violation| violation.oracle)
}

#[test]
fn machines_talk_and_the_same_seed_hashes_the_same() {
    let run = || {
        let mut world = world_of(make_ping_pong, Vec::new());
        world.run_until(Time::from_millis(2_000));
        assert!(world.violation.is_none());
        (world.sink.hash.events(), world.sink.hash.value())
    };
    let (events, hash) = run();
    assert!(events > 1_000, "{events} events of ping-pong");
    assert_eq!(run(), (events, hash));
}

#[test]
fn a_synced_line_survives_a_loss_of_power_and_the_process_comes_back() {
    let power = Fault::Power {
        target: Target::Node(0),
    };
    let schedule = vec![entry(200, 400, power)];
    let mut world = world_of(make_writer, schedule);
    world.run_until(Time::from_millis(199));
    let before = world.nodes[0].disk.content("/data/log").unwrap().to_vec();
    let whole = before.len() - before.iter().rev().position(|&byte| byte == b'\n').unwrap();
    let synced = before[..whole]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .unwrap();
    let penultimate = before[..synced]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .unwrap();
    world.run_until(Time::from_millis(300));
    let left = world.nodes[0].disk.content("/data/log").unwrap();
    assert!(left.starts_with(&before[..penultimate]));
    assert!(matches!(world.nodes[0].state, State::Down));
    world.run_until(Time::from_millis(1_000));
    assert_eq!(world.incarnation(NodeId(0)), 2);
    assert!(world.nodes[0].disk.content("/data/log").unwrap().len() > before.len());
}

#[test]
fn failed_syncs_of_servers_are_counted_and_those_of_sentinels_are_not() {
    let writers = |_: &Boot<'_>| -> Result<Box<dyn Program>, String> {
        Ok(Box::new(Shell::new(Writer { step: 0 }, DATA_PORT)))
    };
    for (node, counted) in [(0, true), (1, false)] {
        let (target, power) = (Target::Node(node), false);
        let fails = Fault::OneSyncFails { target, power };
        let mut world = world_of(writers, vec![entry(200, 400, fails)]);
        world.run_until(Time::from_millis(500));
        assert_eq!(world.judges.marks.contains_key("failed fsync"), counted);
    }
}

#[test]
fn a_paused_machine_stands_still_and_goes_on() {
    let pause = Fault::Pause {
        target: Target::Node(0),
    };
    let mut world = world_of(make_ping_pong, vec![entry(500, 1_500, pause)]);
    world.run_until(Time::from_millis(600));
    let paused = world.sink.hash.events();
    world.run_until(Time::from_millis(1_499));
    assert!(world.sink.hash.events() - paused < 10);
    world.run_until(Time::from_millis(2_500));
    assert!(world.sink.hash.events() - paused > 500);
}

#[test]
fn a_frozen_host_without_a_process_gets_none() {
    let core = Core {
        sentinels: BTreeSet::from([NodeId(1)]),
        data: BTreeSet::new(),
        clients: BTreeSet::new(),
    };
    let target = Target::Node(0);
    for seed in 0..12 {
        let kill = entry(500, 600, Fault::Kill { target });
        let options = small_plan(seed).options;
        let mut world = World::new(Keys::new(seed), options, vec![kill], make_ping_pong, None);
        world.start_at(NodeId(0), Time::ZERO);
        world.start_at(NodeId(0), Time::from_millis(700));
        world.run_until(Time::from_millis(550));
        world.heal(&core);
        world.run_until(Time::from_millis(900));
        let manner = world.keys.draws(Stream::Core, 100).below(4);
        let runs = matches!(world.nodes[0].state, State::Up(_));
        // What is cut off, or deaf, may go on.
        assert_eq!(runs, manner >= 2, "seed {seed}");
    }
}

#[test]
fn a_machine_that_asks_for_the_past_is_reported() {
    let mut world = world_of(make_stuck, Vec::new());
    world.run_until(Time::from_millis(100));
    assert_eq!(world.violation.unwrap().oracle, "progress");
}

#[test]
fn completions_reach_the_machine_they_belong_to() {
    let mut effects = std::collections::VecDeque::new();
    let mut writer = Writer { step: 0 };
    let done = Completion {
        ticket: Ticket(0),
        done: Done::Listen(Err(1)),
    };
    writer.on_done(done, &mut effects);
    assert_eq!(effects.len(), 1);
}

#[test]
fn a_group_of_one_serves_recovers_and_settles_its_accounts() {
    for seed in 0..5 {
        let outcome = run(&small_plan(seed), make_store, None);
        assert_eq!(outcome.violation, None);
        assert!(outcome.marks["operations done"] > 500);
        assert!(outcome.simulated > Duration::from_secs(30));
    }
}

#[test]
fn writes_lost_with_a_killed_master_are_explained() {
    let kill = Fault::Kill {
        target: Target::Master,
    };
    let mut plan = small_plan(3);
    plan.schedule = vec![entry(15_000, 16_000, kill)];
    let outcome = run(&plan, make_store, None);
    assert_eq!(outcome.violation, None);
    assert!(outcome.losses.died > 100);
}

#[test]
fn a_server_that_forgets_a_write_is_caught() {
    let outcome = run(&small_plan(1), make_forgetful_store, None);
    assert!(matches!(oracle_of(&outcome), Some("session" | "loss")));
}

#[test]
fn a_panic_fails_the_run_with_its_message() {
    let outcome = run(&small_plan(1), make_panicking, None);
    let violation = outcome.violation.unwrap();
    assert_eq!(violation.oracle, "panic");
    assert!(violation.message.contains("this toy breaks"));
}

#[test]
fn a_master_that_stays_away_is_a_liveness_failure() {
    let mut plan = small_plan(1);
    plan.options.topology.sentinels = 2;
    plan.options.topology.quorum = 2;
    let outcome = run(&plan, make_lonely, None);
    assert_eq!(oracle_of(&outcome), Some("liveness"));
}

/// A store that thinks it is a replica of a node that does not exist.
fn make_lonely(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    struct Lonely;
    impl Toy for Lonely {
        fn on_bytes(
            &mut self,
            _: holdfast_core::machine::Now,
            _: &[u8],
            _: &mut crate::toys::Line,
        ) {
        }
        fn server(&self) -> Option<crate::program::ServerView> {
            Some(crate::program::ServerView {
                replid: [b'a'; 40],
                replid2: [b'0'; 40],
                second_offset: -1,
                offset: 0,
                master: Some(NodeId(77).at(DATA_PORT)),
                link_up: false,
                loading: false,
                placed: true,
                hands_over: false,
                backlog_from: None,
            })
        }
    }
    match boot.kind {
        Kind::Data => Ok(Box::new(Shell::new(Lonely, DATA_PORT))),
        Kind::Sentinel | Kind::Client => make_store(boot),
    }
}

fn make_replicating(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    match boot.kind {
        Kind::Data => Ok(replica::make(boot, Bug::None)),
        Kind::Sentinel | Kind::Client => make_store(boot),
    }
}

fn make_dropping(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    match boot.kind {
        Kind::Data => Ok(replica::make(boot, Bug::DropsCommands)),
        Kind::Sentinel | Kind::Client => make_store(boot),
    }
}

fn replicating_plan(seed: u64) -> Plan {
    let mut plan = small_plan(seed);
    plan.options.topology.above = vec![0, 0, 1];
    plan.options.topology.priority = vec![100; 3];
    with_plain_commands(plan)
}

/// The small servers know no scripts, and send a transaction command by command.
fn with_plain_commands(mut plan: Plan) -> Plan {
    plan.options.workload.multi_ppm = 0;
    plan.options.workload.scripts = false;
    plan
}

#[test]
fn replicas_in_a_chain_are_equal_to_their_master() {
    for seed in 0..3 {
        let mut plan = replicating_plan(seed);
        let (one, other) = (Target::Node(0), Target::Node(1));
        plan.schedule = vec![entry(12_000, 12_000, Fault::Reset { one, other })];
        let outcome = run(&plan, make_replicating, None);
        assert_eq!(outcome.violation, None);
        assert!(outcome.marks.contains_key("partial resync"));
        assert_eq!(outcome.losses.total(), 0);
    }
}

#[test]
fn a_replica_that_drops_commands_is_caught() {
    let outcome = run(&replicating_plan(1), make_dropping, None);
    assert_eq!(oracle_of(&outcome), Some("equality"));
}

fn make_group(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    match boot.kind {
        Kind::Data => Ok(replica::make(boot, Bug::None)),
        Kind::Sentinel | Kind::Client => crate::machines::make_sentinel(boot),
    }
}

#[test]
fn sentinels_keep_a_group_of_small_servers_going() {
    for seed in 0..20 {
        let plan = with_plain_commands(Plan::of_seed(seed));
        let outcome = run(&plan, make_group, None);
        assert!(
            outcome.violation.is_none(),
            "seed {seed}: {:?}",
            outcome.violation
        );
    }
}
