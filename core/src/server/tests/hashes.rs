//! Hashes as clients see them.

use super::harness::{World, dialogue, encoded};
use super::replication::{assert_same, pair};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value|";

#[test]
fn fields_are_set_read_and_deleted() {
    let lines = [
        ("hset h a 1 b 2", ":2|"),
        ("hset h a 3 c 4 c 5", ":1|"),
        ("hget h a", "$1|3|"),
        ("hget h nope", "$-1|"),
        ("hget no a", "$-1|"),
        ("hmget h c nope a", "*3|$1|5|$-1|$1|3|"),
        ("hmget no a b", "*2|$-1|$-1|"),
        ("hgetall h", "*6|$1|a|$1|3|$1|b|$1|2|$1|c|$1|5|"),
        ("hkeys h", "*3|$1|a|$1|b|$1|c|"),
        ("hvals h", "*3|$1|3|$1|2|$1|5|"),
        ("hlen h", ":3|"),
        ("hexists h a", ":1|"),
        ("hexists h nope", ":0|"),
        ("hstrlen h a", ":1|"),
        ("hstrlen h nope", ":0|"),
        ("hsetnx h a 9", ":0|"),
        ("hsetnx h d four", ":1|"),
        ("hstrlen h d", ":4|"),
        ("hsetnx new a 1", ":1|"),
        ("hmset h a 1 e 5", "+OK|"),
        ("hdel h nope", ":0|"),
        ("hdel h a b a nope", ":2|"),
        ("hdel h c d e", ":3|"),
        ("exists h", ":0|"),
        ("hdel h a", ":0|"),
        ("type new", "+hash|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn what_is_not_there_is_empty() {
    let lines = [
        ("hgetall no", "*0|"),
        ("hkeys no", "*0|"),
        ("hvals no", "*0|"),
        ("hlen no", ":0|"),
        ("hexists no a", ":0|"),
        ("hstrlen no a", ":0|"),
        ("hrandfield no", "$-1|"),
        ("hrandfield no 3", "*0|"),
        ("hrandfield no -3 withvalues", "*0|"),
        ("hscan no 7", "*2|$1|0|*0|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn pairs_must_be_whole() {
    let lines = [
        (
            "hset h a 1 b",
            "-ERR wrong number of arguments for 'hset' command|",
        ),
        (
            "hmset h a 1 b",
            "-ERR wrong number of arguments for 'hmset' command|",
        ),
        (
            "hset h a",
            "-ERR wrong number of arguments for 'hset' command|",
        ),
        ("exists h", ":0|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn other_types_are_refused() {
    let commands = [
        "hset s a 1",
        "hmset s a 1",
        "hsetnx s a 1",
        "hget s a",
        "hmget s a",
        "hgetall s",
        "hkeys s",
        "hvals s",
        "hlen s",
        "hexists s a",
        "hstrlen s a",
        "hdel s a",
        "hincrby s a 1",
        "hincrbyfloat s a 1",
        "hrandfield s",
        "hrandfield s 0",
        "hscan s 0",
    ];
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "set s x");
    for command in commands {
        assert_eq!(world.ask(a, command), WRONG_TYPE, "{command}");
    }
    world.ask(a, "hset h a 1");
    assert_eq!(world.ask(a, "get h"), WRONG_TYPE);
    assert_eq!(world.ask(a, "rpush h a"), WRONG_TYPE);
}

#[test]
fn integers_are_counted() {
    let not_int = "-ERR value is not an integer or out of range|";
    let lines = [
        ("hincrby h n 5", ":5|"),
        ("hincrby h n -7", ":-2|"),
        ("hget h n", "$2|-2|"),
        ("hset h m 9223372036854775807 t x z 01", ":3|"),
        (
            "hincrby h m 1",
            "-ERR increment or decrement would overflow|",
        ),
        ("hincrby h m -1", ":9223372036854775806|"),
        ("hincrby h t 1", "-ERR hash value is not an integer|"),
        ("hincrby h z 1", "-ERR hash value is not an integer|"),
        ("hincrby h n x", not_int),
        ("hincrby no n 9223372036854775808", not_int),
        ("exists no", ":0|"),
        ("set s 1", "+OK|"),
        ("hincrby s n x", not_int),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn numbers_are_counted() {
    let not_float = "-ERR value is not a valid float|";
    let lines = [
        ("hincrbyfloat h n 10.5", "$4|10.5|"),
        ("hincrbyfloat h n 0.1", "$4|10.6|"),
        ("hincrbyfloat h n -5e0", "$3|5.6|"),
        ("hincrbyfloat h n 0.4", "$1|6|"),
        ("hset h t x e 1.0e-2 i inf big 1e4932", ":4|"),
        ("hincrbyfloat h t 1", "-ERR hash value is not a float|"),
        ("hincrbyfloat h e 0", "$4|0.01|"),
        ("hincrbyfloat h n x", not_float),
        ("hincrbyfloat no n nan", not_float),
        ("hincrbyfloat no n inf", "-ERR value is NaN or Infinity|"),
        (
            "hincrbyfloat h i 1",
            "-ERR increment would produce NaN or Infinity|",
        ),
        (
            "hincrbyfloat h big 1e4932",
            "-ERR increment would produce NaN or Infinity|",
        ),
        ("exists no", ":0|"),
        ("hincrbyfloat no n 3.0e3", "$4|3000|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn replies_have_the_shapes_of_the_protocol() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "hello 3");
    world.ask(a, "hset h a 1");
    for (command, reply) in [
        ("hgetall h", "%1|$1|a|$1|1|"),
        ("hgetall no", "%0|"),
        ("hkeys h", "*1|$1|a|"),
        ("hget h b", "_|"),
        ("hmget h a b", "*2|$1|1|_|"),
        ("hrandfield no", "_|"),
        ("hrandfield no 2 withvalues", "*0|"),
        ("hrandfield h 2", "*1|$1|a|"),
        ("hrandfield h 2 withvalues", "*1|*2|$1|a|$1|1|"),
        (
            "hrandfield h -2 withvalues",
            "*2|*2|$1|a|$1|1|*2|$1|a|$1|1|",
        ),
        ("hscan h 0", "*2|$1|0|*2|$1|a|$1|1|"),
        ("hincrbyfloat h a 0.5", "$3|1.5|"),
    ] {
        assert_eq!(world.ask(a, command), reply, "{command}");
    }
}

#[test]
fn fields_are_drawn_as_often_as_is_asked() {
    let range = "-ERR value is out of range, value must between -9223372036854775807 and \
                 9223372036854775807|";
    let lines = [
        ("hset h a 1", ":1|"),
        ("hrandfield h", "$1|a|"),
        ("hrandfield h 0", "*0|"),
        ("hrandfield h 0 withvalues", "*0|"),
        ("hrandfield h 5", "*1|$1|a|"),
        ("hrandfield h 5 WITHVALUES", "*2|$1|a|$1|1|"),
        ("hrandfield h -3", "*3|$1|a|$1|a|$1|a|"),
        ("hrandfield h -2 withvalues", "*4|$1|a|$1|1|$1|a|$1|1|"),
        (
            "hrandfield h x",
            "-ERR value is not an integer or out of range|",
        ),
        ("hrandfield h -9223372036854775808", range),
        ("hrandfield h 1 values", "-ERR syntax error|"),
        ("hrandfield h 1 withvalues x", "-ERR syntax error|"),
        ("hrandfield h 9223372036854775807", "*1|$1|a|"),
        (
            "hrandfield h 4611686018427387903 withvalues",
            "*2|$1|a|$1|1|",
        ),
        (
            "hrandfield h 4611686018427387904 withvalues",
            "-ERR value is out of range|",
        ),
        (
            "hrandfield no -4611686018427387904 withvalues",
            "-ERR value is out of range|",
        ),
        // Redis would draw until its memory is used up.
        (
            "hrandfield h -9223372036854775807",
            "-ERR value is out of range|",
        ),
    ];
    for entries in [0, 512] {
        let config = format!("hash-max-listpack-entries {entries}");
        dialogue(&mut World::single(&config), &lines);
    }
}

#[test]
fn a_walk_goes_through_all_fields() {
    let mut world = World::single("");
    let a = world.client(0);
    let mut command = String::from("hset big");
    for n in 0..600 {
        write!(command, " f{n} v{n}").unwrap();
    }
    world.ask(a, &command);
    let mut seen = BTreeMap::new();
    let mut cursor = String::from("0");
    loop {
        let reply = world.ask(a, &format!("hscan big {cursor} count 50"));
        let words: Vec<&str> = reply.trim_end_matches('|').split('|').collect();
        cursor = words[2].into();
        assert!(words.len() < 4 + 4 * 60);
        for pair in words[4..].chunks(4) {
            seen.insert(pair[1].to_string(), pair[3].to_string());
        }
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), 600);
    assert!((0..600).all(|n| seen[&format!("f{n}")] == format!("v{n}")));
    for (command, reply) in [
        ("hset h aa 1 ab 2 b 3", ":3|"),
        (
            "hscan h 0 count 1",
            "*2|$1|0|*6|$2|aa|$1|1|$2|ab|$1|2|$1|b|$1|3|",
        ),
        ("hscan h 9 match a?", "*2|$1|0|*4|$2|aa|$1|1|$2|ab|$1|2|"),
        (
            "hscan h 0 match *",
            "*2|$1|0|*6|$2|aa|$1|1|$2|ab|$1|2|$1|b|$1|3|",
        ),
        ("hscan h 0 match 1", "*2|$1|0|*0|"),
        ("hscan h 0 novalues count 5", "*2|$1|0|*3|$2|aa|$2|ab|$1|b|"),
        ("hscan h 0 type hash", "-ERR syntax error|"),
        ("hscan h 0 count 0", "-ERR syntax error|"),
        (
            "hscan h 0 count x",
            "-ERR value is not an integer or out of range|",
        ),
        ("hscan h 0 match", "-ERR syntax error|"),
        ("hscan h x", "-ERR invalid cursor|"),
        ("hscan no 0 count 0", "*2|$1|0|*0|"),
        ("hscan no x", "-ERR invalid cursor|"),
    ] {
        assert_eq!(world.ask(a, command), reply, "{command}");
    }
}

#[test]
fn a_large_hash_answers_what_is_sent_together() {
    let mut world = World::single("");
    let a = world.client(0);
    for n in 0..50 {
        let pairs = (100 * n..100 * (n + 1)).map(|n| format!(" f{n} v{n}"));
        world.ask(a, &format!("hset h{}", pairs.collect::<String>()));
    }
    world.ask(a, "rpush other x");
    let commands = [
        ("hget h f7", "$2|v7|"),
        ("hget h nope", "$-1|"),
        ("hset h f8 x f7 y", ":0|"),
        ("hlen h", ":5000|"),
        ("lrange other 0 -1", "*1|$1|x|"),
        ("hget h f7", "$1|y|"),
        ("hdel h f7 f8", ":2|"),
        ("hmget h f8 f4999", "*2|$-1|$5|v4999|"),
        ("del h", ":1|"),
        ("hget h f9", "$-1|"),
    ];
    let bytes: Vec<u8> = commands
        .iter()
        .flat_map(|(command, _)| encoded(command))
        .collect();
    world.feed(0, a, &bytes);
    world.settle();
    let replies: String = commands.iter().map(|(_, reply)| *reply).collect();
    assert_eq!(world.heard(a), replies);
}

#[test]
fn events_come_as_redis_sends_them() {
    let mut world = World::single("notify-keyspace-events KEA");
    let (a, b) = (world.client(0), world.client(0));
    world.ask(b, "psubscribe __keyevent@0__:*");
    let mut events = |command: &str| {
        world.ask(a, command);
        let heard = world.heard(b);
        let words: Vec<&str> = heard.split('|').collect();
        let sent = words.windows(3).filter_map(|w| {
            let event = w[0].strip_prefix("__keyevent@0__:")?;
            (event != "*").then(|| format!("{event} {}", w[2]))
        });
        sent.collect::<Vec<_>>().join(", ")
    };
    events("hset warm a 1");
    assert_eq!(events("hset h a 1 b 2"), "hset h");
    assert_eq!(events("hmset h a 1"), "hset h");
    assert_eq!(events("hsetnx h a 1"), "");
    assert_eq!(events("hsetnx h c 1"), "hset h");
    assert_eq!(events("hincrby h a 1"), "hincrby h");
    assert_eq!(events("hincrbyfloat h a 1"), "hincrbyfloat h");
    assert_eq!(events("hdel h nope"), "");
    assert_eq!(events("hdel h a"), "hdel h");
    assert_eq!(events("hdel h b c"), "hdel h, del h");
}

#[test]
fn a_replica_gets_the_result_of_a_float() {
    let mut world = World::single("");
    let a = world.client(0);
    let tap = world.eavesdropper();
    world.ask(a, "hincrbyfloat h n 0.1");
    world.wait(100);
    assert!(world.overheard(tap).contains("HSET h n 0.1"));
    world.ask(a, "hincrby h m 2");
    world.ask(a, "hsetnx h m 2");
    world.ask(a, "hdel h nope");
    world.wait(100);
    let heard = world.overheard(tap);
    assert!(heard.contains("hincrby h m 2"), "{heard}");
    assert!(!heard.contains("hsetnx"), "{heard}");
    assert!(!heard.contains("hdel"), "{heard}");
}

#[test]
fn replicas_have_the_same_hashes() {
    let mut world = pair(1, "");
    let a = world.client(0);
    world.ask(a, "hset small a 1 b 2");
    for n in 0..1_000 {
        world.ask(a, &format!("hset big f{n} v{n}"));
    }
    world.ask(a, "hdel big f7 f8");
    world.ask(a, "hincrbyfloat small a 0.1");
    assert_same(&mut world);
    world.start("replicaof 127.0.0.1 6379", BTreeMap::new());
    world.wait(3_000);
    assert_eq!(world.digest(0), world.digest(2));
    let c = world.client(2);
    let encoding = world.ask_at(2, c, "object encoding big");
    assert_eq!(encoding, "$9|hashtable|");
    assert_eq!(world.ask_at(2, c, "hlen big"), ":998|");
}

#[test]
fn the_encoding_follows_the_size_and_stays() {
    let mut world = World::single("hash-max-listpack-entries 2\nhash-max-listpack-value 4");
    let listpack = "$8|listpack|";
    let hashtable = "$9|hashtable|";
    let lines = [
        ("hset h a 1 b 1234", ":2|"),
        ("object encoding h", listpack),
        ("hset h c 1", ":1|"),
        ("object encoding h", hashtable),
        ("hdel h c b", ":2|"),
        ("object encoding h", hashtable),
        ("hset long a 12345", ":1|"),
        ("object encoding long", hashtable),
        ("hset wide 12345 a", ":1|"),
        ("object encoding wide", hashtable),
        // As many are given as it takes, whatever they are.
        ("hset twice a 1 a 2 a 3", ":1|"),
        ("object encoding twice", hashtable),
        ("hset n a 9999", ":1|"),
        ("object encoding n", listpack),
        ("hincrby n a 1", ":10000|"),
        ("object encoding n", hashtable),
        ("hsetnx x a 12345", ":1|"),
        ("object encoding x", hashtable),
        ("hset f a 1", ":1|"),
        ("hincrbyfloat f a 0.001", "$5|1.001|"),
        ("object encoding f", hashtable),
        ("hset nx a 1", ":1|"),
        ("hsetnx nx a 12345", ":0|"),
        ("object encoding nx", listpack),
        ("hset shrunk a 1 b 2", ":2|"),
        ("config set hash-max-listpack-entries 1", "+OK|"),
        ("object encoding shrunk", listpack),
        ("hset shrunk a 2", ":0|"),
        ("object encoding shrunk", hashtable),
    ];
    dialogue(&mut world, &lines);
}

#[test]
fn copies_and_renamed_hashes_go_their_own_ways() {
    for entries in [1, 512] {
        let mut world = World::single(&format!("hash-max-listpack-entries {entries}"));
        let lines = [
            ("hset h a 1 b 2 c 3", ":3|"),
            ("copy h k", ":1|"),
            ("hset k a 9", ":0|"),
            ("hdel h b c", ":2|"),
            ("hget h a", "$1|1|"),
            ("hlen k", ":3|"),
            ("rename k l", "+OK|"),
            ("hget l a", "$1|9|"),
            ("expire l 100", ":1|"),
            ("hset l d 4", ":1|"),
            ("ttl l", ":100|"),
            ("persist l", ":1|"),
            ("hlen l", ":4|"),
        ];
        dialogue(&mut world, &lines);
    }
}

#[derive(Clone, Debug)]
enum Op {
    Set(u8, u8),
    SetNew(u8, u8),
    Add(u8, i8),
    Delete(u8, u8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..12u8, any::<u8>()).prop_map(|(field, value)| Op::Set(field, value)),
        1 => (0..12u8, any::<u8>()).prop_map(|(field, value)| Op::SetNew(field, value)),
        2 => (0..12u8, any::<i8>()).prop_map(|(field, by)| Op::Add(field, by)),
        3 => (0..12u8, 0..12u8).prop_map(|(one, other)| Op::Delete(one, other)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn commands_do_to_a_hash_what_they_do_to_a_map(
        ops in vec(op(), 0..60), entries in 0..12usize,
    ) {
        let mut world = World::single(&format!("hash-max-listpack-entries {entries}"));
        let a = world.client(0);
        let mut model: BTreeMap<u8, i64> = BTreeMap::new();
        for op in ops {
            let (command, reply) = match op {
                Op::Set(field, value) => {
                    let is_new = model.insert(field, value.into()).is_none();
                    (format!("hset h f{field} {value}"), i64::from(is_new))
                }
                Op::SetNew(field, value) => {
                    let is_new = !model.contains_key(&field);
                    model.entry(field).or_insert_with(|| value.into());
                    (format!("hsetnx h f{field} {value}"), i64::from(is_new))
                }
                Op::Add(field, by) => {
                    let sum = model.entry(field).or_default();
                    *sum += i64::from(by);
                    (format!("hincrby h f{field} {by}"), *sum)
                }
                Op::Delete(one, other) => {
                    let gone = [one, other].map(|field| i64::from(model.remove(&field).is_some()));
                    (format!("hdel h f{one} f{other}"), gone.iter().sum())
                }
            };
            prop_assert_eq!(world.ask(a, &command), format!(":{reply}|"), "{}", command);
            prop_assert_eq!(world.ask(a, "hlen h"), format!(":{}|", model.len()));
            let there = i64::from(!model.is_empty());
            prop_assert_eq!(world.ask(a, "exists h"), format!(":{there}|"));
        }
        for (field, value) in &model {
            let reply = format!("${}|{value}|", value.to_string().len());
            prop_assert_eq!(world.ask(a, &format!("hget h f{field}")), reply);
        }
    }
}
