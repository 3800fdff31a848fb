//! Scripts within a server.

use super::harness::{World, dialogue};
use crate::limits;
use crate::machine::{ConnId, Facts, Machine, Signal};
use crate::resp::encode_command;
use std::collections::BTreeMap;

/// Sends a command whose arguments may have blanks, without ending the turn.
fn send(world: &mut World, node: usize, conn: ConnId, args: &[&str]) {
    let mut bytes = Vec::new();
    let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
    encode_command(&mut bytes, &args);
    world.feed(node, conn, &bytes);
}

fn say(world: &mut World, conn: ConnId, args: &[&str]) -> String {
    send(world, 0, conn, args);
    world.settle();
    world.heard(conn)
}

/// EVAL without keys.
fn eval(world: &mut World, conn: ConnId, script: &str) -> String {
    say(world, conn, &["eval", script, "0"])
}

/// As [`eval`], with the place of an error left out.
fn complaint(world: &mut World, conn: ConnId, script: &str) -> String {
    let reply = eval(world, conn, script);
    let text = reply.rsplit_once(" script: ").map(|(text, _)| text);
    text.unwrap_or(&reply).to_owned()
}

/// Turns of the first server.
fn turns(world: &mut World, count: usize) {
    for _ in 0..count {
        world.turn(0);
    }
}

const ENDLESS: &str = "while true do end";
const BUSY: &str =
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.|";
/// Takes ten turns or so.
const LONG: &str = "redis.call('incr','before') for i=1,1000000 do end \
                    return redis.call('incr','behind')";

/// A server in the middle of an endless script, which others are told of.
fn busy(config: &str) -> (World, ConnId, ConnId) {
    let mut world = World::single(config);
    let (a, b) = (world.client(0), world.client(0));
    send(&mut world, 0, a, &["eval", ENDLESS, "0"]);
    turns(&mut world, 3);
    world.stand_still(5_000);
    turns(&mut world, 1);
    (world, a, b)
}

#[test]
fn a_script_works_on_the_dataset() {
    let mut world = World::single("enable-debug-command yes");
    let a = world.client(0);
    assert_eq!(
        say(
            &mut world,
            a,
            &[
                "eval",
                "return redis.call('set',KEYS[1],ARGV[1])",
                "1",
                "k",
                "v"
            ]
        ),
        "+OK|"
    );
    assert_eq!(eval(&mut world, a, "return redis.call('get','k')"), "$1|v|");
    assert_eq!(
        eval(&mut world, a, "return redis.call('hgetall','h')"),
        "*0|"
    );
    assert_eq!(
        complaint(&mut world, a, "return redis.call('incr','k')"),
        "-ERR value is not an integer or out of range"
    );
    assert_eq!(
        eval(&mut world, a, "return redis.pcall('incr','k')"),
        "-ERR value is not an integer or out of range|"
    );
    assert_eq!(
        complaint(&mut world, a, "return redis.call('nosuch')"),
        "-ERR Unknown Redis command called from script"
    );
    assert_eq!(
        complaint(&mut world, a, "return redis.call('get')"),
        "-ERR Wrong number of args calling Redis command from script"
    );
    for command in [
        "multi",
        "subscribe','x",
        "config','get','x",
        "eval','','0",
        "script','flush",
    ] {
        let script = format!("return redis.call('{command}')");
        assert_eq!(
            complaint(&mut world, a, &script),
            "-ERR This Redis command is not allowed from script",
            "{command}"
        );
    }
    assert_eq!(
        complaint(
            &mut world,
            a,
            "return redis.call('xread','block','0','streams','s','$')"
        ),
        "-ERR xread command is not allowed with BLOCK option from scripts"
    );
    let reply = eval(&mut world, a, "return redis.call('blpop','x','0')");
    assert_eq!(reply, "$-1|", "nothing waits");
    world.ask(a, "debug set-disable-deny-scripts 1");
    assert_eq!(
        eval(&mut world, a, "return redis.call('client','id')"),
        ":1|"
    );
    for command in [
        "eval','','0",
        "script','flush",
        "multi",
        "watch','x",
        "subscribe','x",
    ] {
        let reply = complaint(&mut world, a, &format!("return redis.call('{command}')"));
        assert_eq!(reply, "-ERR This Redis command is not allowed from script");
    }
}

#[test]
fn a_script_sees_sets_in_an_order_that_is_the_same_everywhere() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "sadd s 3 1 z 2 aa a");
    let reply = eval(&mut world, a, "return redis.call('sort','s','by','nosort')");
    assert_eq!(reply, "*6|$1|1|$1|2|$1|3|$1|a|$2|aa|$1|z|");
}

#[test]
fn scripts_are_known_by_their_digests() {
    let mut world = World::single("");
    let a = world.client(0);
    let sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    dialogue(
        &mut world,
        &[
            (
                &format!("evalsha {sha} 0"),
                "-NOSCRIPT No matching script. Please use EVAL.|",
            ),
            (
                "evalsha abc 0",
                "-NOSCRIPT No matching script. Please use EVAL.|",
            ),
            (
                "eval return",
                "-ERR wrong number of arguments for 'eval' command|",
            ),
            (
                "eval x y 0",
                "-ERR value is not an integer or out of range|",
            ),
            ("eval x -1", "-ERR Number of keys can't be negative|"),
            (
                "eval x 2 a",
                "-ERR Number of keys can't be greater than number of args|",
            ),
            (
                "script kill",
                "-NOTBUSY No scripts in execution right now.|",
            ),
            (
                "script flush foo",
                "-ERR SCRIPT FLUSH only support SYNC|ASYNC option|",
            ),
            ("script debug foo", "-ERR Use SCRIPT DEBUG YES/SYNC/NO|"),
            ("script debug no", "+OK|"),
        ],
    );
    assert_eq!(
        say(&mut world, a, &["script", "load", "return 1"]),
        format!("$40|{sha}|")
    );
    assert_eq!(
        world.ask(a, &format!("evalsha {} 0", sha.to_uppercase())),
        ":1|"
    );
    assert_eq!(
        world.ask(a, &format!("script exists {sha} ffff")),
        "*2|:1|:0|"
    );
    assert_eq!(world.info(0, "number_of_cached_scripts"), "1");
    assert_eq!(
        world.info(0, "used_memory_lua"),
        "0",
        "addresses are nobody's business"
    );
    let facts = Facts {
        allocated_bytes: 1,
        ..Facts::default()
    };
    let now = world.now();
    world.nodes[0].server.handle_facts(now, facts);
    assert_ne!(world.info(0, "used_memory_lua"), "0");
    assert_eq!(world.ask(a, "script flush"), "+OK|");
    assert_eq!(world.ask(a, &format!("script exists {sha}")), "*1|:0|");
    assert_eq!(world.info(0, "number_of_cached_scripts"), "0");
    let reply = say(&mut world, a, &["eval", "local a=", "0"]);
    assert_eq!(
        reply,
        "-ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'|"
    );
    assert_eq!(world.info(0, "number_of_cached_scripts"), "0");
}

#[test]
fn scripts_of_eval_are_forgotten_for_others_and_those_of_load_are_not() {
    let mut world = World::single("");
    let a = world.client(0);
    let loaded = say(&mut world, a, &["script", "load", "return 'loaded'"]);
    let loaded = loaded.split('|').nth(1).expect("a digest").to_owned();
    for n in 0..limits::EVAL_SCRIPTS_MAX + 10 {
        eval(&mut world, a, &format!("return {n}"));
        // This one is used again and again.
        assert_eq!(eval(&mut world, a, "return 'often'"), "$5|often|");
    }
    let known = world.info(0, "number_of_cached_scripts");
    assert_eq!(known, (limits::EVAL_SCRIPTS_MAX + 1).to_string());
    assert_eq!(world.ask(a, &format!("evalsha {loaded} 0")), "$6|loaded|");
}

#[test]
fn what_a_script_does_is_one_unit_for_replicas() {
    let mut world = World::single("");
    let a = world.client(0);
    let b = world.eavesdropper();
    world.overheard(b);
    eval(
        &mut world,
        a,
        "redis.call('set','x','1') redis.call('get','x') redis.call('incr','x')",
    );
    assert_eq!(world.overheard(b), "MULTI SELECT 0 set x 1 incr x EXEC");
    eval(&mut world, a, "redis.call('incr','x')");
    assert_eq!(world.overheard(b), "incr x");
    eval(&mut world, a, "redis.call('get','x')");
    eval(
        &mut world,
        a,
        "redis.set_repl(redis.REPL_NONE) redis.call('set','mine','1')",
    );
    assert_eq!(world.overheard(b), "");
    eval(
        &mut world,
        a,
        "redis.call('incr','x') redis.call('spop','nosuch') error('late')",
    );
    assert_eq!(
        world.overheard(b),
        "incr x",
        "what was done before an error is done"
    );
    // A script's own choice of a database ends with it.
    eval(
        &mut world,
        a,
        "redis.call('select','3') redis.call('set','y','1')",
    );
    assert_eq!(world.overheard(b), "SELECT 3 set y 1");
    assert_eq!(world.ask(a, "exists y"), ":0|");
    world.ask(a, "multi");
    world.ask(a, "set z 1");
    eval(&mut world, a, "redis.call('set','z','2')");
    world.ask(a, "exec");
    assert_eq!(world.overheard(b), "MULTI SELECT 0 set z 1 set z 2 EXEC");
}

#[test]
fn time_stands_still_for_a_script() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(a, "set k v px 100");
    send(
        &mut world,
        0,
        a,
        &[
            "eval",
            "local t = redis.call('time') local n = redis.call('exists','k') \
         for i=1,1000000 do end \
         local u = redis.call('time') return {n, redis.call('exists','k'), t[1]==u[1] and t[2]==u[2]}",
            "0",
        ],
    );
    turns(&mut world, 2);
    world.stand_still(1_000);
    world.settle();
    assert_eq!(world.heard(a), "*3|:1|:1|:1|");
    assert_eq!(world.ask(b, "exists k"), ":0|");
}

#[test]
fn nobody_sees_a_script_in_the_middle_of_its_work() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    let c = world.eavesdropper();
    send(&mut world, 0, a, &["eval", LONG, "0"]);
    send(&mut world, 0, a, &["get", "behind"]);
    send(&mut world, 0, b, &["mget", "before", "behind"]);
    turns(&mut world, 3);
    assert_eq!(world.heard(b), "", "it waits");
    assert_eq!(world.heard(a), "");
    world.overheard(c);
    world.settle();
    assert_eq!(world.heard(b), "*2|$1|1|$1|1|");
    assert_eq!(
        world.heard(a),
        ":1|$1|1|",
        "its own commands in their order"
    );
    assert_eq!(
        world.overheard(c),
        "MULTI SELECT 0 incr before incr behind EXEC"
    );
}

#[test]
fn what_a_pause_held_back_is_no_more_in_the_middle_of_a_script() {
    let mut world = World::single("");
    let (a, b, c) = (world.client(0), world.client(0), world.client(0));
    let d = world.eavesdropper();
    world.overheard(d);
    world.ask(a, "client pause 100000 write");
    send(&mut world, 0, b, &["eval", LONG, "0"]);
    for command in [
        &["eval", LONG, "0"][..],
        &["incr", "other"],
        &["wait", "1", "0"],
    ] {
        send(&mut world, 0, c, command);
    }
    world.settle();
    assert_eq!(
        (world.heard(b), world.heard(c)),
        (String::new(), String::new())
    );
    send(&mut world, 0, a, &["client", "unpause"]);
    turns(&mut world, 3);
    send(&mut world, 0, a, &["mget", "before", "behind", "other"]);
    turns(&mut world, 1);
    assert_eq!(world.heard(a), "+OK|");
    world.settle();
    assert_eq!(world.heard(a), "*3|$1|1|$1|1|$-1|", "between the two");
    assert_eq!(world.heard(b), ":1|");
    assert!(world.heard(c).starts_with(":2|:1|"));
    let stream =
        "MULTI SELECT 0 incr before incr behind EXEC MULTI incr before incr behind EXEC incr other";
    assert!(world.overheard(d).starts_with(stream));
}

#[test]
fn a_transaction_goes_on_behind_a_long_script() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    let c = world.eavesdropper();
    world.overheard(c);
    for command in [
        &["multi"][..],
        &["incr", "first"],
        &["eval", LONG, "0"],
        &["eval", LONG, "0"],
        &["incr", "last"],
        &["exec"],
        &["ping"],
    ] {
        send(&mut world, 0, a, command);
    }
    turns(&mut world, 3);
    send(
        &mut world,
        0,
        b,
        &["mget", "first", "before", "behind", "last"],
    );
    world.settle();
    let replies = "+OK|+QUEUED|+QUEUED|+QUEUED|+QUEUED|*4|:1|:1|:2|:1|+PONG|";
    assert_eq!(world.heard(a), replies);
    assert_eq!(world.heard(b), "*4|$1|1|$1|2|$1|2|$1|1|");
    let stream =
        "MULTI SELECT 0 incr first incr before incr behind incr before incr behind incr last EXEC";
    assert_eq!(world.overheard(c), stream);
}

#[test]
fn others_are_told_of_a_slow_script_and_can_end_it() {
    let (mut world, a, b) = busy("");
    for (command, reply) in [
        ("ping", BUSY),
        ("get k", BUSY),
        ("script flush", BUSY),
        ("shutdown", BUSY),
        ("eval x 0", BUSY),
        ("multi", "+OK|"),
        ("get k", BUSY),
        (
            "exec",
            "-EXECABORT Transaction discarded because of: BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.|",
        ),
        ("script kill", "+OK|"),
    ] {
        send(&mut world, 0, b, &command.split(' ').collect::<Vec<_>>());
        turns(&mut world, 1);
        assert_eq!(world.heard(b), reply, "{command}");
    }
    world.settle();
    let end = world.heard(a);
    assert!(
        end.starts_with("-ERR Script killed by user with SCRIPT KILL. script: "),
        "{end}"
    );
    assert_eq!(world.ask(b, "ping"), "+PONG|");
    assert_eq!(world.ask(a, "ping"), "+PONG|");
}

#[test]
fn who_waits_is_told_as_soon_as_a_script_is_slow() {
    let mut world = World::single("busy-reply-threshold 10");
    let (a, b) = (world.client(0), world.client(0));
    send(&mut world, 0, a, &["eval", ENDLESS, "0"]);
    send(&mut world, 0, b, &["ping"]);
    world.stand_still(9);
    turns(&mut world, 2);
    assert_eq!(world.heard(b), "");
    world.stand_still(1);
    turns(&mut world, 2);
    assert_eq!(world.heard(b), BUSY);
    let mut world = World::single("lua-time-limit 0");
    let (a, b) = (world.client(0), world.client(0));
    send(&mut world, 0, a, &["eval", ENDLESS, "0"]);
    send(&mut world, 0, b, &["ping"]);
    world.stand_still(60_000);
    turns(&mut world, 2);
    assert_eq!(world.heard(b), "", "never");
}

#[test]
fn a_script_that_has_written_can_only_be_ended_with_the_server() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    send(
        &mut world,
        0,
        a,
        &["eval", "redis.call('set','x','y') while true do end", "0"],
    );
    turns(&mut world, 2);
    world.stand_still(5_000);
    turns(&mut world, 1);
    send(&mut world, 0, b, &["script", "kill"]);
    turns(&mut world, 1);
    let refused = world.heard(b);
    assert!(
        refused.starts_with("-UNKILLABLE Sorry the script already executed write commands"),
        "{refused}"
    );
    send(&mut world, 0, b, &["shutdown", "nosave"]);
    turns(&mut world, 2);
    assert_eq!(world.nodes[0].exit, Some(0));
}

#[test]
fn a_caller_that_goes_is_missed_only_when_its_script_is_over() {
    let mut world = World::single("");
    let (a, b) = (world.client(0), world.client(0));
    for command in [
        &["multi"][..],
        &["eval", LONG, "0"],
        &["incr", "last"],
        &["exec"],
    ] {
        send(&mut world, 0, a, command);
    }
    turns(&mut world, 2);
    world.leave(a);
    assert_eq!(
        world.ask(b, "mget before behind last"),
        "*3|$1|1|$1|1|$1|1|"
    );
    assert_eq!(world.info(0, "connected_clients"), "2");
}

#[test]
fn a_signal_waits_for_a_script() {
    let mut world = World::single("");
    let a = world.client(0);
    send(&mut world, 0, a, &["eval", LONG, "0"]);
    turns(&mut world, 2);
    let now = world.now();
    world.nodes[0].server.handle_signal(now, Signal::Terminate);
    turns(&mut world, 2);
    assert_eq!(world.nodes[0].exit, None);
    world.settle();
    assert_eq!(world.heard(a), ":1|");
    assert_eq!(world.nodes[0].exit, Some(0));
}

#[test]
fn what_the_master_sends_waits_for_a_script() {
    let mut world = World::new(5);
    let files = BTreeMap::new();
    world.start("port 7000", files.clone());
    world.start(
        "port 7001\nreplicaof 127.0.0.1 7000\nreplica-read-only no",
        files,
    );
    world.wait(5_000);
    let (a, b) = (world.client(0), world.client(1));
    let (c, d) = (world.client(1), world.client(1));
    world.ask(a, "set x 1");
    send(
        &mut world,
        1,
        b,
        &[
            "eval",
            "local v = redis.call('get','x') for i=1,3000000 do end return {v, redis.call('get','x')}",
            "0",
        ],
    );
    world.turn(1);
    send(&mut world, 0, a, &["set", "x", "2"]);
    for _ in 0..5 {
        world.turn(0);
        world.carry();
        world.turn(1);
    }
    send(&mut world, 1, c, &["get", "x"]);
    world.settle();
    assert_eq!(world.heard_at(1, b), "*2|$1|1|$1|1|");
    world.wait(100);
    assert_eq!(world.ask_at(1, d, "get x"), "$1|2|");
}

#[test]
fn a_log_that_is_rewritten_has_nothing_of_the_middle_of_a_script() {
    // The script begins between any two steps of the rewrite.
    for step in 0..12 {
        let mut world = World::single("appendonly yes");
        let (a, b) = (world.client(0), world.client(0));
        world.ask(a, "set before 10");
        send(&mut world, 0, b, &["bgrewriteaof"]);
        turns(&mut world, step);
        send(&mut world, 0, a, &["eval", LONG, "0"]);
        world.settle();
        assert_eq!(world.heard(a), ":1|");
        world.wait(2_000);
        let again = world.restart(0, "appendonly yes");
        let c = world.client(again);
        let values = world.ask_at(again, c, "mget before behind");
        assert_eq!(values, "*2|$2|11|$1|1|", "each of them once");
    }
}

#[test]
fn what_a_link_brings_in_the_turn_in_which_a_script_begins_is_kept() {
    let mut world = World::new(5);
    let files = BTreeMap::new();
    world.start("port 7000", files.clone());
    world.start("port 7001\nreplicaof 127.0.0.1 7000", files);
    world.wait(5_000);
    let (a, b, c) = (world.client(0), world.client(1), world.client(1));
    let loops = "for i=1,1000000 do end return redis.call('get','x')";
    world.ask(a, "set x 0");
    world.wait(10);
    for n in 1..10 {
        send(&mut world, 0, a, &["set", "x", &n.to_string()]);
        world.turn(0);
        send(&mut world, 1, b, &["eval", loops, "0"]);
        world.begin_held(1);
        // In pieces, between which the replica has no turn.
        while world.carry() {}
        send(&mut world, 1, c, &["ping"]);
        world.settle();
        assert_eq!(world.heard_at(1, b), format!("$1|{}|", n - 1));
        world.wait(10);
        let now = world.ask_at(1, c, "get x");
        assert!(now.ends_with(&format!("|{n}|")), "{now}");
    }
    assert_eq!(world.digest(0), world.digest(1));
}

#[test]
fn a_script_of_the_log_is_run_while_the_log_is_loaded() {
    let mut log = Vec::new();
    encode_command(&mut log, &[b"select", b"9"]);
    let script = b"redis.call('set',KEYS[1],'y') for i=1,1000000 do end return 'ok'";
    encode_command(&mut log, &[b"eval", script, b"1", b"x"]);
    encode_command(&mut log, &[b"set", b"z", b"1"]);
    let files = BTreeMap::from([
        (
            "appendonlydir/appendonly.aof.manifest".to_owned(),
            b"file appendonly.aof.1.incr.aof seq 1 type i\n".to_vec(),
        ),
        ("appendonlydir/appendonly.aof.1.incr.aof".to_owned(), log),
    ]);
    let mut world = World::new(1);
    let config = "appendonly yes\nbusy-reply-threshold 1";
    world.start_stuck(config, files);
    let a = world.client(0);
    for _ in 0..100 {
        if world.nodes[0].server.is_within_script() {
            break;
        }
        world.disk_step(0);
    }
    send(&mut world, 0, a, &["ping"]);
    world.nodes[0].disk.stuck = false;
    world.stand_still(10);
    turns(&mut world, 2);
    let loading = world.heard(a);
    assert!(loading.starts_with("-LOADING"), "{loading}");
    world.settle();
    world.ask(a, "select 9");
    assert_eq!(world.ask(a, "mget x z"), "*2|$1|y|$1|1|");
}

#[test]
fn scripts_say_what_they_need() {
    let mut world = World::single("min-replicas-to-write 1");
    let a = world.client(0);
    let write = "return redis.call('set','a','1')";
    let declared = |flags: &str, code: &str| format!("#!lua{flags}\n{code}");
    assert_eq!(
        complaint(&mut world, a, write),
        "-NOREPLICAS Not enough good replicas to write."
    );
    assert_eq!(
        eval(&mut world, a, &declared("", "return 1")),
        "-NOREPLICAS Not enough good replicas to write.|"
    );
    assert_eq!(
        eval(&mut world, a, &declared(" flags=no-writes", "return 1")),
        ":1|"
    );
    world.ask(a, "config set min-replicas-to-write 0");
    assert_eq!(eval(&mut world, a, &declared("", write)), "+OK|");
    let refused = "-ERR Write commands are not allowed from read-only scripts.";
    assert_eq!(
        complaint(&mut world, a, &declared(" flags=no-writes", write)),
        refused
    );
    assert_eq!(
        say(
            &mut world,
            a,
            &["eval_ro", "return redis.call('get','a')", "0"]
        ),
        "$1|1|"
    );
    let reply = say(&mut world, a, &["eval_ro", write, "0"]);
    assert!(reply.starts_with(refused), "{reply}");
    let reply = say(&mut world, a, &["eval_ro", &declared("", write), "0"]);
    assert_eq!(
        reply,
        "-ERR Can not execute a script with write flag using *_ro command.|"
    );
    let reply = say(
        &mut world,
        a,
        &["eval_ro", "return redis.call('publish','a','b')", "0"],
    );
    assert!(reply.starts_with(refused), "{reply}");
    for (first, error) in [
        (
            "#!lua flags=foo\n",
            "-ERR Unexpected flag in script shebang: foo|",
        ),
        (
            "#!foo\n",
            "-ERR Unexpected engine in script shebang: #!foo|",
        ),
        ("#!lua bar=1\n", "-ERR Unknown lua shebang option: bar=1|"),
        ("#!lua", "-ERR Invalid script shebang|"),
    ] {
        assert_eq!(
            eval(&mut world, a, &format!("{first}return 1")),
            error.replace("#!luareturn", "#!lua")
        );
    }
    assert!(eval(&mut world, a, "#!lua\n\nreturn foo").contains("user_script:3: "));
}

#[test]
fn memory_and_staleness_are_looked_at_as_scripts_declare() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "set k v");
    world.ask(a, "config set maxmemory 1");
    let write = "return redis.call('set','a','1')";
    let oom = "-OOM command not allowed when used memory > 'maxmemory'.";
    assert_eq!(complaint(&mut world, a, write), oom);
    assert_eq!(eval(&mut world, a, "return redis.call('get','k')"), "$1|v|");
    assert_eq!(
        eval(&mut world, a, &format!("#!lua\n{write}")),
        format!("{oom}|")
    );
    assert_eq!(
        eval(&mut world, a, &format!("#!lua flags=allow-oom\n{write}")),
        "+OK|"
    );
    // One that has written can't be stopped in the middle.
    assert_eq!(
        eval(
            &mut world,
            a,
            "redis.call('del','k') return redis.call('set','b','1')"
        ),
        "+OK|"
    );
    world.ask(a, "config set maxmemory 0");
    world.ask(a, "config set replica-serve-stale-data no");
    world.ask(a, "replicaof 127.0.0.1 1");
    let stale =
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.|";
    assert_eq!(
        eval(&mut world, a, "#!lua flags=no-writes\nreturn 1"),
        stale
    );
    assert_eq!(
        eval(&mut world, a, "#!lua flags=no-writes,allow-stale\nreturn 1"),
        ":1|"
    );
    let reply = complaint(
        &mut world,
        a,
        "#!lua flags=no-writes,allow-stale\nreturn redis.call('get','a')",
    );
    assert_eq!(reply, "-ERR Can not execute the command on a stale replica");
    assert_eq!(eval(&mut world, a, "return 1"), stale);
    world.ask(a, "config set replica-serve-stale-data yes");
    let readonly = "-READONLY You can't write against a read only replica.";
    assert_eq!(complaint(&mut world, a, write), readonly);
    assert_eq!(
        eval(&mut world, a, &format!("#!lua\n{write}")),
        format!("{readonly}|")
    );
}

#[test]
fn a_script_may_do_what_its_caller_may() {
    let mut world = World::single("user u on nopass ~k* +@all -del");
    let a = world.client(0);
    world.ask(a, "auth u x");
    assert_eq!(
        eval(&mut world, a, "return redis.call('set','k1','v')"),
        "+OK|"
    );
    assert_eq!(
        complaint(&mut world, a, "return redis.call('del','k1')"),
        "-NOPERM ACL failure in script: User u has no permissions to run the 'del' command"
    );
    assert_eq!(
        complaint(&mut world, a, "return redis.call('set','x','v')"),
        "-NOPERM ACL failure in script: No permissions to access a key"
    );
    assert_eq!(
        eval(&mut world, a, "return redis.acl_check_cmd('set','k','v')"),
        ":1|"
    );
    assert_eq!(
        eval(&mut world, a, "return redis.acl_check_cmd('set','x','v')"),
        "$-1|"
    );
    assert_eq!(
        complaint(&mut world, a, "return redis.acl_check_cmd('nosuch')"),
        "-ERR Invalid command passed to redis.acl_check_cmd()"
    );
    let b = world.client(0);
    let log = world.ask(b, "acl log 1");
    assert!(log.contains("$7|context|$3|lua|"), "{log}");
    let reply = say(&mut world, a, &["eval", "return 1", "1", "x"]);
    assert_eq!(reply, "-NOPERM No permissions to access a key|");
}

#[test]
fn errors_within_scripts_are_counted_once() {
    let mut world = World::single("");
    let a = world.client(0);
    eval(&mut world, a, "return redis.pcall('incr','a','b')");
    eval(&mut world, a, "return redis.call('lpush','a')");
    world.ask(a, "set s v");
    eval(&mut world, a, "return redis.call('lpush','s','b')");
    let stats = world.ask(a, "info errorstats");
    assert!(stats.contains("errorstat_ERR:count=2|"), "{stats}");
    assert!(stats.contains("errorstat_WRONGTYPE:count=1|"), "{stats}");
    let stats = world.ask(a, "info commandstats");
    let line = |name: &str| {
        let start = stats
            .find(name)
            .unwrap_or_else(|| panic!("{name} in {stats}"));
        stats[start..]
            .split('|')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        line("cmdstat_lpush").contains("calls=1,"),
        "{}",
        line("cmdstat_lpush")
    );
    assert!(line("cmdstat_lpush").ends_with("failed_calls=1"));
    assert!(line("cmdstat_eval").contains("calls=3,"));
    assert!(line("cmdstat_eval").ends_with("failed_calls=3"));
}

#[test]
fn a_script_speaks_the_protocol_it_chooses() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "hset h f v");
    assert_eq!(
        eval(&mut world, a, "return redis.call('hgetall','h')"),
        "*2|$1|f|$1|v|"
    );
    assert_eq!(
        eval(
            &mut world,
            a,
            "redis.setresp(3) return redis.call('hgetall','h')"
        ),
        "*2|$1|f|$1|v|"
    );
    assert_eq!(
        eval(
            &mut world,
            a,
            "redis.setresp(3) return redis.call('hgetall','h').map.f"
        ),
        "$1|v|"
    );
    assert_eq!(
        eval(&mut world, a, "return redis.call('hgetall','h')[2]"),
        "$1|v|",
        "for itself alone"
    );
    world.ask(a, "hello 3");
    assert_eq!(
        eval(
            &mut world,
            a,
            "redis.setresp(3) return redis.call('hgetall','h')"
        ),
        "%1|$1|f|$1|v|"
    );
    assert_eq!(eval(&mut world, a, "return redis.call('get','nope')"), "_|");
}
