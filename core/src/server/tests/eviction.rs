//! Memory: keys and clients that go when it is above its bound, and what is told of it.

use super::harness::{World, encoded};
use crate::machine::{ConnId, Machine as _};
use crate::value::{StrRef, ValueRef};

const POLICIES: [&str; 7] = [
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
];
const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.|";

fn number(world: &mut World, node: usize, field: &str) -> i64 {
    world.info(node, field).parse().expect("a number")
}

/// Lets memory grow by so many more bytes at most.
fn leave_room(world: &mut World, client: ConnId, bytes: i64, policy: &str) -> i64 {
    let limit = number(world, 0, "used_memory") + bytes;
    let set = format!("config set maxmemory {limit} maxmemory-policy {policy}");
    assert_eq!(world.ask(client, &set), "+OK|");
    limit
}

/// A server, a client, and a subscriber of all keyspace events.
fn listened(events: &str) -> (World, ConnId, ConnId) {
    let config = format!("notify-keyspace-events {events}\nenable-debug-command yes");
    let mut world = World::single(&config);
    let (client, listener) = (world.client(0), world.client(0));
    world.ask(listener, "psubscribe __keyevent*");
    (world, client, listener)
}

/// The events a subscriber got since, each with its key.
fn events(world: &mut World, listener: ConnId) -> Vec<String> {
    let heard = world.heard(listener);
    let words: Vec<_> = heard.split('|').collect();
    let messages = words.chunks_exact(9);
    messages
        .map(|message| {
            let (_, event) = message[6].rsplit_once(':').expect("a channel of events");
            format!("{event} {}", message[8])
        })
        .collect()
}

#[test]
fn the_bound_is_kept_by_every_policy() {
    for policy in POLICIES {
        let mut world = World::single("");
        let a = world.client(0);
        let limit = leave_room(&mut world, a, 100 * 1024, policy);
        for n in 0..3_000 {
            let set = format!("setex key{n} 10000 some-value-of-some-length");
            assert_eq!(world.ask(a, &set), "+OK|", "{policy}");
        }
        let used = number(&mut world, 0, "used_memory");
        assert!(used <= limit + 4096, "{policy}: {used} of {limit}");
        let evicted = number(&mut world, 0, "evicted_keys");
        assert!(evicted > 500, "{policy}: {evicted} evicted");
        assert_eq!(world.ask(a, "dbsize"), format!(":{}|", 3_000 - evicted));
    }
}

#[test]
fn where_only_what_expires_may_go_the_rest_stays_and_then_writes_are_refused() {
    for policy in [
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ] {
        let mut world = World::single("");
        let a = world.client(0);
        for n in 0..300 {
            world.ask(a, &format!("set stays{n} {n}"));
            world.ask(a, &format!("setex goes{n} 10000 {n}"));
        }
        leave_room(&mut world, a, 10 * 1024, policy);
        let mut refused = 0;
        for n in 0..2_000 {
            let reply = world.ask(a, &format!("set more{n} value-of-{n}"));
            refused += usize::from(reply == OOM);
        }
        assert!(refused > 0, "{policy}");
        assert_eq!(number(&mut world, 0, "evicted_keys"), 300, "{policy}");
        for n in 0..300 {
            assert_eq!(world.ask(a, &format!("exists stays{n}")), ":1|");
        }
        assert_eq!(world.ask(a, "set more value"), OOM);
        world.wait(1_500);
        assert!(number(&mut world, 0, "current_eviction_exceeded_time") >= 1_400);
        assert_eq!(world.ask(a, "flushall"), "+OK|");
        assert_eq!(world.ask(a, "set more value"), "+OK|", "{policy}");
        assert_eq!(number(&mut world, 0, "current_eviction_exceeded_time"), 0);
        assert!(number(&mut world, 0, "total_eviction_exceeded_time") >= 1_400);
    }
}

#[test]
fn nothing_goes_by_the_policy_that_spares_all() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "setex k 100 v");
    world.ask(a, "config set maxmemory 1");
    assert_eq!(world.ask(a, "set k 2"), OOM);
    assert_eq!(world.ask(a, "get k"), "$1|v|", "reading goes on");
    assert_eq!(world.ask(a, "del k"), ":1|", "so does deleting");
    world.ask(a, "config set maxmemory 0");
    assert_eq!(world.ask(a, "set k 2"), "+OK|");
}

#[test]
fn the_keys_used_last_stay() {
    let mut world = World::single("maxmemory-policy allkeys-lru\nmaxmemory-samples 10");
    let a = world.client(0);
    for n in 0..200 {
        world.ask(a, &format!("set key{n} {n}"));
    }
    for _ in 0..5 {
        world.wait(1_000);
        for n in 0..20 {
            world.ask(a, &format!("get key{n}"));
        }
    }
    leave_room(&mut world, a, 0, "allkeys-lru");
    for n in 0..60 {
        world.ask(a, &format!("set new{n} {n}"));
    }
    for n in 0..20 {
        assert_eq!(world.ask(a, &format!("exists key{n}")), ":1|", "key{n}");
    }
}

#[test]
fn a_lowered_bound_drives_keys_out_in_slices_and_tells_of_it() {
    let mut world = World::new(1);
    world.start(
        "notify-keyspace-events KEA\nrepl-backlog-size 16kb",
        Default::default(),
    );
    world.start("replicaof 127.0.0.1 6379", Default::default());
    world.wait(3_000);
    let (a, listener) = (world.client(0), world.client(0));
    for n in 0..3_000 {
        world.ask(a, &format!("set key{n} {n}"));
    }
    world.ask(listener, "subscribe __keyevent@0__:evicted");
    world.feed(
        0,
        a,
        &encoded("config set maxmemory 1 maxmemory-policy allkeys-random"),
    );
    world.turn(0);
    assert!(world.nodes[0].server.has_backlog(), "there is more to do");
    let left = world.nodes[0].server.keys().len();
    assert!((1..3_000).contains(&left), "{left} left after one slice");
    world.settle();
    assert_eq!(world.heard(a), "+OK|");
    assert_eq!(world.ask(a, "dbsize"), ":0|");
    assert_eq!(world.heard(listener).matches("|message|").count(), 3_000);
    assert_eq!(world.info(0, "evicted_keys"), "3000");
    world.wait(100);
    assert_eq!(world.digest(0), world.digest(1));
    let log = number(&mut world, 0, "rdb_changes_since_last_save");
    assert_eq!(
        log, 3_000,
        "what goes to make room is no change to be saved"
    );
}

#[test]
fn a_transaction_is_not_cut_in_two() {
    let mut world = World::single("maxmemory-policy allkeys-lru");
    let a = world.client(0);
    for command in ["multi", "incr x", "config set maxmemory 1", "incr x"] {
        world.ask(a, command);
    }
    assert_eq!(world.ask(a, "exec"), "*3|:1|+OK|:2|");
    assert_eq!(world.ask(a, "dbsize"), ":0|");
}

#[test]
fn a_replica_leaves_eviction_to_its_master_unless_told_otherwise() {
    let mut world = World::new(3);
    world.start("", Default::default());
    world.start(
        "replicaof 127.0.0.1 6379\nmaxmemory 1\nmaxmemory-policy allkeys-lru",
        Default::default(),
    );
    world.wait(3_000);
    let (a, b) = (world.client(0), world.client(1));
    for n in 0..100 {
        world.ask(a, &format!("set key{n} {n}"));
    }
    world.wait(1_000);
    assert_eq!(world.ask_at(1, b, "get key0"), "$1|0|");
    assert_eq!(world.ask_at(1, b, "dbsize"), ":100|");
    assert_eq!(world.info(1, "evicted_keys"), "0");
    assert_eq!(world.digest(0), world.digest(1));
    world.ask_at(1, b, "config set replica-ignore-maxmemory no");
    world.ask_at(1, b, "ping");
    assert_eq!(world.ask_at(1, b, "dbsize"), ":0|");
    assert_eq!(world.info(1, "evicted_keys"), "100");
}

#[test]
fn lists_that_wait_to_be_freed_drive_nothing_else_out() {
    let mut world = World::single("maxmemory-samples 2000");
    let a = world.client(0);
    let push = format!("rpush long {}", vec!["0123456789abcdef"; 40_000].join(" "));
    world.ask(a, &push);
    world.wait(3_000);
    for n in 0..100 {
        world.ask(a, &format!("set key{n} {n}"));
    }
    leave_room(&mut world, a, -50_000, "allkeys-lru");
    for _ in 0..20 {
        world.ask(a, "ping");
    }
    assert_eq!(world.ask(a, "exists long"), ":0|");
    assert_eq!(world.ask(a, "dbsize"), ":100|");
}

#[test]
fn how_keys_are_used_is_told_by_the_policy_and_survives_files_and_dumps() {
    let mut world = World::single("maxmemory-policy allkeys-lfu\nlfu-log-factor 0\nsave ''");
    let a = world.client(0);
    world.ask(a, "set k v");
    assert_eq!(world.ask(a, "object freq k"), ":5|");
    world.ask(a, "get k");
    world.ask(a, "append k v");
    world.ask(a, "set k w");
    assert_eq!(world.ask(a, "object freq k"), ":8|", "a write is a use");
    world.ask(a, "client no-touch on");
    world.ask(a, "get k");
    assert_eq!(world.ask(a, "object freq k"), ":8|");
    world.ask(a, "touch k");
    assert_eq!(world.ask(a, "object freq k"), ":9|");
    world.wait(2 * 60_000);
    assert_eq!(world.ask(a, "object freq k"), ":7|", "it falls with time");
    assert!(world.ask(a, "object idletime k").starts_with("-ERR An LFU"));
    world.ask(a, "save");
    let again = world.restart(0, "maxmemory-policy allkeys-lfu\nsave ''");
    let b = world.client(again);
    assert_eq!(world.ask_at(again, b, "object freq k"), ":7|");

    let mut world = World::single("maxmemory-policy volatile-lru\nsave ''");
    let a = world.client(0);
    world.ask(a, "set k v");
    world.wait(30_000);
    assert_eq!(world.ask(a, "object idletime k"), ":30|");
    assert!(world.ask(a, "object freq k").starts_with("-ERR An LFU"));
    world.ask(a, "copy k copy");
    assert_eq!(world.ask(a, "object idletime copy"), ":0|");
    assert_eq!(world.ask(a, "exists k"), ":1|", "which is no use of it");
    assert_eq!(world.ask(a, "object idletime k"), ":0|", "but COPY was");
    world.wait(10_000);
    world.ask(a, "save");
    let again = world.restart(0, "maxmemory-policy volatile-lru\nsave ''");
    let b = world.client(again);
    assert_eq!(world.ask_at(again, b, "object idletime k"), ":10|");
    world.ask_at(again, b, "get k");
    assert_eq!(world.ask_at(again, b, "object idletime k"), ":0|");
}

#[test]
fn restore_takes_a_time_to_live_that_never_ends() {
    let payload = crate::persist::rdb::dump(ValueRef::Str(StrRef::Int(1)), false);
    let mut world = World::single("");
    let a = world.client(0);
    let mut bytes = Vec::new();
    let words: [&[u8]; 4] = [b"restore", b"k", b"9223372036854775807", &payload];
    crate::resp::encode_command(&mut bytes, &words);
    world.feed(0, a, &bytes);
    world.settle();
    assert_eq!(world.heard(a), "+OK|");
    assert_eq!(world.ask(a, "get k"), "$1|1|");
    assert_eq!(world.ask(a, "pexpiretime k"), ":9223372036854775807|");
}

#[test]
fn restore_takes_idle_time_or_frequency() {
    let one = ValueRef::Str(StrRef::Int(1));
    let payload = crate::persist::rdb::dump(one, false);
    let restore = |rest: &[&[u8]]| {
        let mut bytes = Vec::new();
        let mut words: Vec<&[u8]> = vec![b"restore", b"k", b"0", &payload, b"replace"];
        words.extend(rest);
        crate::resp::encode_command(&mut bytes, &words);
        bytes
    };
    for (policy, question, answers) in [
        ("allkeys-lru", "object idletime k", [":1000|", ":0|"]),
        ("allkeys-lfu", "object freq k", [":5|", ":77|"]),
    ] {
        let mut world = World::single(&format!("maxmemory-policy {policy}"));
        let a = world.client(0);
        let options: [[&[u8]; 2]; 2] = [[b"idletime", b"1000"], [b"freq", b"77"]];
        for (option, answer) in options.iter().zip(answers) {
            world.feed(0, a, &restore(option));
            world.settle();
            assert_eq!(world.heard(a), "+OK|");
            assert_eq!(world.ask(a, question), answer, "{policy}");
        }
        world.feed(0, a, &restore(&[b"freq", b"256"]));
        world.settle();
        assert_eq!(
            world.heard(a),
            "-ERR Invalid FREQ value, must be >= 0 and <= 255|"
        );
    }
}

#[test]
fn the_biggest_clients_go_when_clients_take_too_much() {
    let mut world = World::single("");
    let (a, small, big, spared) = (
        world.client(0),
        world.client(0),
        world.client(0),
        world.client(0),
    );
    world.ask(spared, "client no-evict on");
    for (client, bytes) in [(small, 100_000), (big, 900_000), (spared, 900_000)] {
        let mut part = format!("*2\r\n$4\r\necho\r\n${bytes}\r\n").into_bytes();
        part.resize(part.len() + bytes - 1, b'x');
        world.feed(0, client, &part);
        world.settle();
    }
    assert!(number(&mut world, 0, "mem_clients_normal") > 1_900_000);
    assert_eq!(world.ask(a, "config set maxmemory-clients 1500000"), "+OK|");
    assert!(world.is_closed(big));
    assert!(!world.is_closed(small) && !world.is_closed(spared));
    assert_eq!(world.info(0, "evicted_clients"), "1");
    assert!(number(&mut world, 0, "mem_clients_normal") < 1_500_000);
    world.ask(a, "config set maxmemory 100mb maxmemory-clients 2%");
    assert!(!world.is_closed(small));
    world.ask(a, "config set maxmemory 10mb");
    assert!(world.is_closed(small));
    assert!(!world.is_closed(spared));
    world.feed(0, spared, b"x\r\n");
    world.settle();
    assert!(world.heard(spared).starts_with("$900000|xxx"));
    let mut world = World::single("maxmemory-clients 1");
    let a = world.client(0);
    assert_eq!(
        world.ask(a, "ping"),
        "+PONG|",
        "128 kB are the least they may have"
    );
}

#[test]
fn a_command_that_is_too_big_is_not_run_but_its_client_closed() {
    let mut world = World::single("maxmemory-clients 300kb");
    let (a, b) = (world.client(0), world.client(0));
    let set = format!("set k {}", "v".repeat(400_000));
    world.feed(0, a, &encoded(&set));
    world.settle();
    assert!(world.is_closed(a));
    assert_eq!(world.ask(b, "exists k"), ":0|");
}

#[test]
fn subscriptions_watches_and_queued_commands_count() {
    for (first, command) in [
        ("ping", "subscribe channel"),
        ("ping", "watch key"),
        ("multi", "append key value"),
    ] {
        let mut world = World::single("maxmemory-clients 128kb");
        let a = world.client(0);
        world.ask(a, first);
        for n in 0..5_000 {
            world.feed(0, a, &encoded(&format!("{command}{n}")));
            world.settle();
            if world.is_closed(a) {
                break;
            }
        }
        assert!(world.is_closed(a), "{command}");
        assert_eq!(world.info(0, "evicted_clients"), "1");
    }
}

#[test]
fn output_that_nobody_takes_drives_keys_out_but_not_that_of_replicas() {
    let mut world = World::single("client-output-buffer-limit pubsub 0 0 0");
    let (a, deaf) = (world.client(0), world.client(0));
    for n in 0..50 {
        world.ask(a, &format!("set key{n} {}", "x".repeat(10_000)));
    }
    leave_room(&mut world, a, 100_000, "allkeys-random");
    world.ask(deaf, "subscribe ch");
    let publish = encoded(&format!("publish ch {}", "x".repeat(10_000)));
    for _ in 0..30 {
        world.feed(0, a, &publish);
        let now = world.now();
        world.nodes[0].server.end_turn(now);
        // The driver asks who has something to write, and then the socket takes nothing.
        while world.nodes[0].server.poll_writable().is_some() {}
    }
    assert!(world.nodes[0].server.keys().len() < 50);
}

#[test]
fn events_are_told_of_new_missing_expired_and_evicted_keys() {
    let (mut world, a, listener) = listened("KEAnm");
    let told = [
        ("set k 1", "new k,set k"),
        ("set k 2", "set k"),
        ("incr n", "new n,incrby n"),
        ("append s x", "new s,append s"),
        ("rpush l a", "new l,rpush l"),
        ("rename l m", "new m,rename_from l,rename_to m"),
        ("copy k c", "new c,copy_to c"),
        ("mset k 1 x 2", "set k,new x,set x"),
        ("get none", "keymiss none"),
        ("exists none k", "keymiss none"),
        ("ttl none", "keymiss none"),
        ("type none", "keymiss none"),
        ("llen none", "keymiss none"),
        ("set g 1 get", "keymiss g,new g,set g"),
        ("object encoding none", ""),
        ("setrange none 0 x", "new none,setrange none"),
        ("move k 1", "new k,move_from k,move_to k"),
        ("setex t 1 x", "new t,set t,expire t"),
        ("debug set-active-expire 0", ""),
    ];
    for (command, expected) in told {
        world.ask(a, command);
        assert_eq!(
            events(&mut world, listener).join(","),
            expected,
            "{command}"
        );
    }
    world.wait(2_000);
    world.ask(a, "set t again");
    assert_eq!(
        events(&mut world, listener),
        ["expired t", "new t", "set t"]
    );
    world.ask(a, "pexpire t 1");
    world.wait(10);
    world.ask(a, "get t");
    let told = events(&mut world, listener);
    assert_eq!(told, ["expire t", "expired t", "keymiss t"]);
    world.ask(a, "flushall");
    world.ask(a, "set last 1");
    world.ask(a, "config set maxmemory 1 maxmemory-policy allkeys-lru");
    let told = events(&mut world, listener);
    assert_eq!(told, ["new last", "set last", "evicted last"]);
}

#[test]
fn memory_commands_answer_as_redis_does() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "set k v");
    assert!(world.ask(a, "memory usage k").starts_with(':'));
    assert_eq!(world.ask(a, "memory usage none"), "$-1|");
    assert!(world.ask(a, "memory usage k samples 0").starts_with(':'));
    let not = "-ERR value is not an integer or out of range|";
    assert_eq!(world.ask(a, "memory usage k samples x"), not);
    for wrong in ["samples -1", "samples", "other 1"] {
        let reply = world.ask(a, &format!("memory usage k {wrong}"));
        assert_eq!(reply, "-ERR syntax error|", "{wrong}");
    }
    assert_eq!(world.ask(a, "memory purge"), "+OK|");
    assert!(world.ask(a, "memory doctor").contains("Hi Sam"));
    assert!(world.ask(a, "memory malloc-stats").contains("alloc"));
    let stats = world.ask(a, "memory stats");
    assert!(stats.starts_with("*56|$14|peak.allocated|:"), "{stats}");
    let table = "|$4|db.0|*6|$23|overhead.hashtable.main|:";
    assert!(stats.contains(table), "{stats}");
    assert_eq!(
        stats.matches("|$").count(),
        28 + 3 + 6,
        "doubles are strings"
    );
    world.ask(a, "hello 3");
    assert!(world.ask(a, "memory stats").starts_with("%28|"));
}

#[test]
fn debug_commands_answer_as_redis_does() {
    let mut world = World::single("enable-debug-command yes\nmaxmemory-clients 1mb");
    let a = world.client(0);
    world.ask(a, "rpush small a b c");
    let told = [
        ("debug populate 3 pre 10", "+OK|"),
        ("strlen pre:2", ":10|"),
        ("get pre:1", "$10|value:1\0\0\0|"),
        (
            "debug populate x",
            "-ERR value is out of range, must be positive|",
        ),
        ("debug error CODE_of_mine", "-CODE_of_mine|"),
        (
            "debug loadaof",
            "-ERR Error trying to load the AOF files, check server logs.|",
        ),
        ("debug pause-cron x", "+OK|"),
        ("debug quicklist-packed-threshold 100b", "+OK|"),
        (
            "debug quicklist-packed-threshold 5gb",
            "-ERR argument must be a memory value bigger than 1 and smaller than 4gb|",
        ),
        ("debug replybuffer resizing 1", "+OK|"),
        ("debug replybuffer peak-reset-time never", "+OK|"),
        (
            "debug replybuffer other 1",
            "-ERR unknown subcommand or wrong number of arguments for 'replybuffer'. Try DEBUG \
             HELP.|",
        ),
        ("debug drop-cluster-packet-filter 1", "+OK|"),
        (
            "debug listpack small",
            "+Listpack structure printed on stdout|",
        ),
        (
            "debug listpack pre:1",
            "-ERR Not a listpack encoded object.|",
        ),
        (
            "debug quicklist small",
            "-ERR Not a quicklist encoded object.|",
        ),
        ("debug htstats 77", "-ERR Out of range database|"),
        ("debug htstats-key none", "-ERR no such key|"),
        ("debug protocol map", "*6|:0|:0|:1|:1|:2|:0|"),
        (
            "debug protocol push",
            "-ERR RESP2 is not supported by this command|",
        ),
        ("debug protocol double", "$5|3.141|"),
        (
            "debug stringmatch-test",
            "+Apparently Redis did not crash: test passed|",
        ),
        ("debug change-repl-id", "+OK|"),
    ];
    for (command, reply) in told {
        assert_eq!(world.ask(a, command), reply, "{command}");
    }
    let table = world.ask(a, "debug htstats 0");
    assert!(
        table.contains("[Dictionary HT]\nHash table 0 stats (main hash table):\n table size: ")
    );
    assert!(
        table.contains("\n number of elements: 4\n[Expires HT]\n"),
        "{table}"
    );
    let buckets = world.ask(a, "debug client-eviction");
    assert!(
        buckets.contains("bucket          0 -      32767: tot-mem:"),
        "{buckets}"
    );
    let object = world.ask(a, "debug object pre:0");
    assert!(object.starts_with("+Value at:0x"), "{object}");
    assert!(
        object.contains(" encoding:embstr serializedlength:"),
        "{object}"
    );
}

#[test]
fn a_replicated_command_of_debug_reaches_the_replicas_alone() {
    let mut world = World::new(4);
    world.start("enable-debug-command yes", Default::default());
    world.start("replicaof 127.0.0.1 6379", Default::default());
    world.wait(3_000);
    let (a, b) = (world.client(0), world.client(1));
    world.ask(a, "set k 1");
    assert_eq!(world.ask(a, "debug replicate set k 2"), "+OK|");
    world.wait(50);
    assert_eq!(world.ask(a, "get k"), "$1|1|");
    assert_eq!(world.ask_at(1, b, "get k"), "$1|2|");
    assert_eq!(world.ask(a, "debug populate 5"), "+OK|");
    world.wait(50);
    assert_eq!(
        world.ask_at(1, b, "dbsize"),
        ":1|",
        "populating is not replicated"
    );
}

#[test]
fn what_is_done_by_the_clock_can_be_stopped() {
    let mut world = World::single("enable-debug-command yes");
    let a = world.client(0);
    world.ask(a, "set k 1 px 10");
    world.ask(a, "debug pause-cron 1");
    world.wait(1_000);
    assert_eq!(world.ask(a, "dbsize"), ":1|");
    world.ask(a, "debug pause-cron 0");
    world.wait(200);
    assert_eq!(world.ask(a, "dbsize"), ":0|");
}
