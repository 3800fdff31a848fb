//! Sets as clients see them.

use super::harness::{World, dialogue};
use super::replication::{assert_same, pair};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value|";
const NOT_INTEGER: &str = "-ERR value is not an integer or out of range|";

/// Every form for a few members: integers, a pack, a table.
const FORMS: &[&str] = &[
    "",
    "set-max-intset-entries 0",
    "set-max-intset-entries 0\nset-max-listpack-entries 0",
];

/// The elements of a flat reply, in order of their bytes.
fn members(reply: &str) -> Vec<String> {
    let words: Vec<&str> = reply.trim_end_matches('|').split('|').collect();
    let mut members: Vec<String> = words[1..]
        .chunks(2)
        .map(|pair| pair[1].to_owned())
        .collect();
    assert!(words[0].ends_with(&members.len().to_string()), "{reply}");
    members.sort();
    members
}

#[test]
fn members_are_added_looked_for_and_removed() {
    let lines = [
        ("sadd s 3 1 2", ":3|"),
        ("sadd s 1 4 4", ":1|"),
        ("scard s", ":4|"),
        ("sismember s 4", ":1|"),
        ("sismember s 04", ":0|"),
        ("sismember s x", ":0|"),
        ("smismember s 1 x 2", "*3|:1|:0|:1|"),
        ("srem s x", ":0|"),
        ("srem s 1 x 1 2", ":2|"),
        ("srem s 3 4 3 4", ":2|"),
        ("exists s", ":0|"),
        ("srem s 3", ":0|"),
        ("sadd one x", ":1|"),
        ("smembers one", "*1|$1|x|"),
        ("type one", "+set|"),
    ];
    for form in FORMS {
        dialogue(&mut World::single(form), &lines);
    }
}

#[test]
fn what_is_not_there_is_empty() {
    let lines = [
        ("smembers no", "*0|"),
        ("scard no", ":0|"),
        ("sismember no a", ":0|"),
        ("smismember no a b", "*2|:0|:0|"),
        ("srandmember no", "$-1|"),
        ("srandmember no 3", "*0|"),
        ("srandmember no -3", "*0|"),
        ("spop no", "$-1|"),
        ("spop no 2", "*0|"),
        ("smove no other a", ":0|"),
        ("sinter no other", "*0|"),
        ("sunion no other", "*0|"),
        ("sdiff no other", "*0|"),
        ("sintercard 2 no other", ":0|"),
        ("sscan no 7", "*2|$1|0|*0|"),
        ("sscan no 0 count x", "*2|$1|0|*0|"),
        ("sscan no x", "-ERR invalid cursor|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn other_types_are_refused() {
    let commands = [
        "sadd k a",
        "srem k a",
        "scard k",
        "sismember k a",
        "smismember k a",
        "smembers k",
        "spop k",
        "spop k 0",
        "srandmember k",
        "srandmember k 0",
        "smove k s a",
        "smove s k a",
        // Whether it moves nothing anyway is not looked at.
        "smove s k nope",
        "sinter no k",
        "sunion s k",
        "sdiff s no k",
        "sintercard 2 no k",
        "sinterstore t no k",
        "sunionstore t k",
        "sdiffstore t no k",
        "sscan k 0",
    ];
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "set k x");
    world.ask(a, "sadd s a");
    for command in commands {
        assert_eq!(world.ask(a, command), WRONG_TYPE, "{command}");
    }
    assert_eq!(world.ask(a, "smove no k a"), ":0|");
    assert_eq!(world.ask(a, "get s"), WRONG_TYPE);
    assert_eq!(world.ask(a, "lpush s a"), WRONG_TYPE);
    // What is stored may replace anything.
    assert_eq!(world.ask(a, "sunionstore k s"), ":1|");
    assert_eq!(world.ask(a, "smembers k"), "*1|$1|a|");
}

#[test]
fn arguments_are_checked_as_redis_checks_them() {
    let positive = "-ERR value is out of range, must be positive|";
    let keys = "-ERR numkeys should be greater than 0|";
    let limit = "-ERR LIMIT can't be negative|";
    let syntax = "-ERR syntax error|";
    let range = "-ERR value is out of range, value must between -9223372036854775807 and \
                 9223372036854775807|";
    let lines = [
        ("sadd s a b c", ":3|"),
        ("spop s -1", positive),
        ("spop s x", positive),
        ("spop s 1 2", syntax),
        ("spop s 0", "*0|"),
        ("srandmember s x", NOT_INTEGER),
        ("srandmember s 1 2", syntax),
        ("srandmember s -9223372036854775808", range),
        // Redis would draw until its memory is used up.
        (
            "srandmember s -9223372036854775807",
            "-ERR value is out of range|",
        ),
        ("sintercard 0 s", keys),
        ("sintercard -1 s", keys),
        ("sintercard x s", keys),
        (
            "sintercard 2 s",
            "-ERR Number of keys can't be greater than number of args|",
        ),
        ("sintercard 1 s limit", syntax),
        ("sintercard 1 s limit -1", limit),
        ("sintercard 1 s limit x", limit),
        ("sintercard 1 s s", syntax),
        ("sintercard 1 s LIMIT 1 limit 2", ":2|"),
        ("sscan s 0 count 0", syntax),
        ("sscan s 0 type set", syntax),
        ("sscan s 0 match", syntax),
        ("sscan s x", "-ERR invalid cursor|"),
        ("scard s", ":3|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn replies_have_the_shapes_of_the_protocol() {
    let mut world = World::single("");
    let a = world.client(0);
    world.ask(a, "hello 3");
    world.ask(a, "sadd s 1");
    for (command, reply) in [
        ("smembers s", "~1|$1|1|"),
        ("smembers no", "~0|"),
        ("sinter s s", "~1|$1|1|"),
        ("sinter s no", "~0|"),
        ("sunion s no", "~1|$1|1|"),
        ("sunion no no", "~0|"),
        ("sdiff s no", "~1|$1|1|"),
        ("sdiff no s", "~0|"),
        ("smismember s 1 2", "*2|:1|:0|"),
        ("sismember s 1", ":1|"),
        ("srandmember s", "$1|1|"),
        ("srandmember no", "_|"),
        ("srandmember s 2", "*1|$1|1|"),
        ("srandmember s -2", "*2|$1|1|$1|1|"),
        ("sscan s 0", "*2|$1|0|*1|$1|1|"),
        ("spop s 0", "~0|"),
        ("spop no", "_|"),
        ("spop no 1", "~0|"),
        ("spop s 2", "~1|$1|1|"),
    ] {
        assert_eq!(world.ask(a, command), reply, "{command}");
    }
}

#[test]
fn sets_are_combined() {
    for form in FORMS {
        let mut world = World::single(form);
        let a = world.client(0);
        world.ask(a, "sadd a 1 2 3 4");
        world.ask(a, "sadd b 3 4 5");
        world.ask(a, "sadd c 4 x 007");
        let mut of = |command: &str| members(&world.ask(a, command));
        assert_eq!(of("sinter a b"), ["3", "4"]);
        assert_eq!(of("sinter a b c"), ["4"]);
        assert_eq!(of("sinter c a"), ["4"]);
        assert_eq!(of("sinter a a"), ["1", "2", "3", "4"]);
        assert_eq!(of("sunion a b c"), ["007", "1", "2", "3", "4", "5", "x"]);
        let many = "sunion a no b a c b a b c";
        assert_eq!(of(many), ["007", "1", "2", "3", "4", "5", "x"]);
        assert_eq!(of("sdiff a b"), ["1", "2"]);
        assert_eq!(of("sdiff c a b"), ["007", "x"]);
        assert_eq!(of("sdiff a no"), ["1", "2", "3", "4"]);
        assert!(of("sdiff a a").is_empty());
        // So many that it is made by removal.
        let many = format!("sdiff a{} b", " c".repeat(30));
        assert_eq!(of(&many), ["1", "2"]);
        let lines = [
            ("sintercard 2 a b", ":2|"),
            ("sintercard 2 a b limit 1", ":1|"),
            ("sintercard 2 a b limit 0", ":2|"),
            ("sintercard 2 a b limit 5", ":2|"),
            ("sinterstore t a b", ":2|"),
            ("sunionstore t a b c", ":7|"),
            ("sdiffstore t a b", ":2|"),
            ("scard t", ":2|"),
            ("expire t 100", ":1|"),
            ("sunionstore t t b", ":5|"),
            ("ttl t", ":-1|"),
            ("sdiffstore t a b a", ":0|"),
            ("exists t", ":0|"),
            ("sinterstore a a no", ":0|"),
            ("exists a", ":0|"),
        ];
        dialogue(&mut world, &lines);
    }
}

#[test]
fn a_difference_is_the_same_whichever_way_it_is_made() {
    let mut world = World::single("");
    let a = world.client(0);
    let numbers: String = (0..400).map(|n| format!(" {n}")).collect();
    world.ask(a, &format!("sadd all{numbers}"));
    let mut command = String::from("sdiff all");
    for n in 0..8 {
        world.ask(a, &format!("sadd s{n} {n}"));
        write!(command, " s{n}").unwrap();
    }
    // By removal, and by looking for each.
    for command in [command.clone(), format!("{command} all2")] {
        let found = members(&world.ask(a, &command));
        assert_eq!(found.len(), 392);
        assert!(found.iter().all(|n| n.parse::<u32>().unwrap() >= 8));
        let numbers: String = (5_000..7_000).map(|n| format!(" {n}")).collect();
        world.ask(a, &format!("sadd all2{numbers}"));
    }
}

#[test]
fn members_move_between_sets() {
    let lines = [
        ("sadd a 1 2", ":2|"),
        ("smove a b 1", ":1|"),
        ("smembers b", "*1|$1|1|"),
        ("smove a b nope", ":0|"),
        ("smove a a 2", ":1|"),
        ("smove a a nope", ":0|"),
        ("scard a", ":1|"),
        ("sadd b 2", ":1|"),
        ("smove a b 2", ":1|"),
        ("exists a", ":0|"),
        ("scard b", ":2|"),
        ("smove b c 2", ":1|"),
        ("object encoding c", "$6|intset|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn members_are_drawn_as_often_as_is_asked() {
    let lines = [
        ("sadd s 1", ":1|"),
        ("srandmember s", "$1|1|"),
        ("srandmember s 0", "*0|"),
        ("srandmember s 5", "*1|$1|1|"),
        ("srandmember s -3", "*3|$1|1|$1|1|$1|1|"),
        ("srandmember s 9223372036854775807", "*1|$1|1|"),
        ("scard s", ":1|"),
        ("spop s", "$1|1|"),
        ("exists s", ":0|"),
        ("sadd s 1", ":1|"),
        ("spop s 5", "*1|$1|1|"),
        ("exists s", ":0|"),
    ];
    for form in FORMS {
        let mut world = World::single(form);
        dialogue(&mut world, &lines);
        let a = world.client(0);
        let all: Vec<String> = (10..60).map(|n| n.to_string()).collect();
        for count in [1, 20, 45, 49] {
            world.ask(a, &format!("sadd t {}", all.join(" ")));
            let drawn = members(&world.ask(a, &format!("srandmember t {count}")));
            let distinct: BTreeSet<&String> = drawn.iter().collect();
            assert_eq!(distinct.len(), count);
            let mut popped = members(&world.ask(a, &format!("spop t {count}")));
            assert_eq!(popped.len(), count);
            popped.extend(members(&world.ask(a, "smembers t")));
            popped.sort();
            assert_eq!(popped, all);
        }
    }
}

#[test]
fn a_walk_goes_through_all_members() {
    let mut world = World::single("");
    let a = world.client(0);
    let numbers: String = (0..900).map(|n| format!(" {n}")).collect();
    world.ask(a, &format!("sadd big{numbers}"));
    let mut seen = Vec::new();
    let mut cursor = String::from("0");
    loop {
        let reply = world.ask(a, &format!("sscan big {cursor} count 50"));
        let words: Vec<&str> = reply.trim_end_matches('|').split('|').collect();
        cursor = words[2].into();
        assert!(words.len() < 4 + 2 * 60);
        seen.extend(words[4..].chunks(2).map(|pair| pair[1].to_owned()));
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), 900);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 900);
    let lines = [
        ("sadd i 11 12 3", ":3|"),
        ("sscan i 0 count 1", "*2|$1|0|*3|$1|3|$2|11|$2|12|"),
        ("sscan i 9 match 1?", "*2|$1|0|*2|$2|11|$2|12|"),
        ("sadd p b aa ab", ":3|"),
        ("sscan p 0 match a?", "*2|$1|0|*2|$2|aa|$2|ab|"),
        ("sscan p 0 match *", "*2|$1|0|*3|$1|b|$2|aa|$2|ab|"),
    ];
    dialogue(&mut world, &lines);
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
    events("sadd warm 1");
    assert_eq!(events("sadd s 1 2 3"), "sadd s");
    assert_eq!(events("sadd s 1"), "");
    assert_eq!(events("srem s nope"), "");
    assert_eq!(events("srem s 1"), "srem s");
    assert_eq!(events("smove s t 2"), "srem s, sadd t");
    assert_eq!(events("sadd s 2"), "sadd s");
    assert_eq!(events("smove s t 2"), "srem s");
    assert_eq!(events("smove s t 3"), "srem s, del s, sadd t");
    assert_eq!(events("sinterstore r t t"), "sinterstore r");
    assert_eq!(events("sunionstore r t"), "sunionstore r");
    assert_eq!(events("sdiffstore r t no"), "sdiffstore r");
    assert_eq!(events("sdiffstore r t t"), "del r");
    assert_eq!(events("sdiffstore r t t"), "");
    assert_eq!(events("spop t"), "spop t");
    assert_eq!(events("spop t"), "spop t, del t");
    assert_eq!(events("sadd t 1 2 3"), "sadd t");
    assert_eq!(events("spop t 0"), "");
    assert_eq!(events("spop t 2"), "spop t");
    assert_eq!(events("spop t 2"), "spop t, del t");
    assert_eq!(events("sadd t 1"), "sadd t");
    assert_eq!(events("srem t 1"), "srem t, del t");
}

#[test]
fn replicas_are_told_what_was_drawn() {
    let mut world = World::single("");
    let a = world.client(0);
    let tap = world.eavesdropper();
    let mut sent = |command: &str| {
        world.ask(a, command);
        world.wait(100);
        world.overheard(tap)
    };
    sent("sadd s 1");
    let heard = sent("spop s");
    assert!(
        heard.contains("SREM s 1") && !heard.contains("spop"),
        "{heard}"
    );
    sent("sadd s 1 2");
    let heard = sent("spop s 2");
    assert!(
        heard.contains("DEL s") && !heard.contains("spop"),
        "{heard}"
    );
    let heard = sent("spop s 2");
    assert!(!heard.contains("spop") && !heard.contains('s'), "{heard}");
    sent("config set lazyfree-lazy-server-del yes");
    sent("sadd s 1 2");
    let heard = sent("spop s 3");
    assert!(heard.contains("UNLINK s"), "{heard}");
    sent("sadd s 1 2 3");
    let heard = sent("spop s 2");
    assert_eq!(heard.matches("SREM s ").count(), 1, "{heard}");
    let numbers: String = (0..3_000).map(|n| format!(" {n}")).collect();
    sent(&format!("sadd many{numbers}"));
    let heard = sent("spop many 2050");
    assert_eq!(heard.matches("SREM many ").count(), 3, "{heard}");
    for quiet in [
        "sadd s2 1",
        "smove s2 s2 1",
        "srem s2 9",
        "sdiffstore no s2 s2",
    ] {
        sent(quiet);
    }
    let heard = sent("sadd s2 1");
    assert!(!heard.contains("sadd"), "{heard}");
    let heard = sent("sinterstore t s2 s2");
    assert!(heard.contains("sinterstore t s2 s2"), "{heard}");
}

#[test]
fn replicas_have_the_same_sets() {
    let mut world = pair(1, "");
    let a = world.client(0);
    world.ask(a, "sadd ints 1 2 300 -70000");
    world.ask(a, "sadd pack a b 1");
    let numbers: String = (0..3_000).map(|n| format!(" m{n}")).collect();
    world.ask(a, &format!("sadd big{numbers}"));
    world.ask(a, "spop big 1500");
    world.ask(a, "spop big");
    world.ask(a, "spop pack");
    world.ask(a, "sunionstore both ints pack");
    world.ask(a, "sinterstore none ints pack no");
    assert_same(&mut world);
    world.start("replicaof 127.0.0.1 6379", BTreeMap::new());
    world.wait(3_000);
    assert_eq!(world.digest(0), world.digest(2));
    let c = world.client(2);
    assert_eq!(world.ask_at(2, c, "object encoding ints"), "$6|intset|");
    assert_eq!(world.ask_at(2, c, "scard big"), ":1499|");
}

#[test]
fn the_digest_does_not_depend_on_order_or_form() {
    let digest = |form: &str, commands: &[&str]| {
        let config = format!("enable-debug-command yes\n{form}");
        let mut world = World::single(&config);
        let a = world.client(0);
        for command in commands {
            world.ask(a, command);
        }
        world.ask(a, "debug digest-value s")
    };
    let one = digest("", &["sadd s 1 2 30"]);
    for form in FORMS {
        assert_eq!(digest(form, &["sadd s 30 2", "sadd s 1"]), one, "{form}");
        assert_ne!(digest(form, &["sadd s 1 2 31"]), one);
    }
}

#[test]
fn the_encoding_follows_the_members_and_stays() {
    let (intset, listpack, hashtable) = ("$6|intset|", "$8|listpack|", "$9|hashtable|");
    let config = "set-max-intset-entries 3\nset-max-listpack-entries 4\nset-max-listpack-value 5";
    let lines = [
        ("sadd i 1 2 3", ":3|"),
        ("object encoding i", intset),
        ("sadd i 1", ":0|"),
        ("object encoding i", intset),
        ("sadd i 4", ":1|"),
        ("object encoding i", hashtable),
        ("srem i 4 3 2", ":3|"),
        ("object encoding i", hashtable),
        ("sadd p 1 2 x", ":3|"),
        ("object encoding p", listpack),
        ("srem p x", ":1|"),
        ("object encoding p", listpack),
        ("sadd p 3 4", ":2|"),
        ("object encoding p", listpack),
        ("sadd p 5", ":1|"),
        ("object encoding p", hashtable),
        ("sadd many 1 2 3 4", ":4|"),
        ("object encoding many", listpack),
        ("sadd more a b c d e", ":5|"),
        ("object encoding more", hashtable),
        // As many are given as it takes, whatever they are.
        ("sadd twice 1 1 1 1 1", ":1|"),
        ("object encoding twice", hashtable),
        ("sadd long 123456", ":1|"),
        ("object encoding long", intset),
        ("sadd long x", ":1|"),
        ("object encoding long", hashtable),
        ("sadd wide abcdef", ":1|"),
        ("object encoding wide", hashtable),
        // Of what is stored, what was left is looked at anew.
        ("sinterstore r i i", ":1|"),
        ("object encoding r", intset),
        ("sinterstore r many many", ":4|"),
        ("object encoding r", listpack),
        ("sunionstore r many", ":4|"),
        ("object encoding r", hashtable),
        ("sunionstore r twice", ":1|"),
        ("object encoding r", intset),
        ("sdiffstore r p i", ":4|"),
        ("object encoding r", hashtable),
        ("sadd ab a b c d e f g h i j k l", ":12|"),
        ("spop ab 9", "-"),
        ("object encoding ab", hashtable),
        ("sadd ab a b c d e f g h i j k l", "-"),
        ("spop ab 10", "-"),
        ("object encoding ab", listpack),
    ];
    let mut world = World::single(config);
    let a = world.client(0);
    for (command, reply) in lines {
        let found = world.ask(a, command);
        assert!(reply == "-" || found == reply, "{command}: {found}");
    }
}

#[test]
fn copies_and_renamed_sets_go_their_own_ways() {
    let lines = [
        ("sadd s 1 2 3", ":3|"),
        ("copy s t", ":1|"),
        ("sadd t 9", ":1|"),
        ("srem s 2 3", ":2|"),
        ("smembers s", "*1|$1|1|"),
        ("scard t", ":4|"),
        ("rename t u", "+OK|"),
        ("expire u 100", ":1|"),
        ("sadd u 10", ":1|"),
        ("ttl u", ":100|"),
        ("scard u", ":5|"),
    ];
    for form in FORMS {
        dialogue(&mut World::single(form), &lines);
    }
}

#[derive(Clone, Debug)]
enum Op {
    Add(u8),
    Remove(u8, u8),
    Pop,
    PopMany(u8),
    Has(u8),
    StoreUnion,
    StoreRest,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..40_u8).prop_map(Op::Add),
        3 => (0..40_u8, 0..40_u8).prop_map(|(one, other)| Op::Remove(one, other)),
        1 => Just(Op::Pop),
        1 => (0..9_u8).prop_map(Op::PopMany),
        2 => (0..40_u8).prop_map(Op::Has),
        1 => Just(Op::StoreUnion),
        1 => Just(Op::StoreRest),
    ]
}

/// Integers and other members.
fn name(member: u8) -> String {
    match member % 4 {
        0 => format!("m{member}"),
        _ => member.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_set_answers_as_a_model_does(
        ops in vec(op(), 0..60),
        form in prop_oneof![Just(0), Just(3), Just(512)],
    ) {
        let config = format!("set-max-intset-entries {form}\nset-max-listpack-entries {form}");
        let mut world = World::single(&config);
        let a = world.client(0);
        world.ask(a, "sadd fixed 1 2 3 m4 m8");
        let fixed: BTreeSet<String> = ["1", "2", "3", "m4", "m8"].map(String::from).into();
        let mut model = BTreeSet::new();
        for op in ops {
            let (command, reply) = match op {
                Op::Add(one) => {
                    let is_new = model.insert(name(one));
                    (format!("sadd s {}", name(one)), i64::from(is_new))
                }
                Op::Remove(one, other) => {
                    let gone = [one, other].map(|it| i64::from(model.remove(&name(it))));
                    (format!("srem s {} {}", name(one), name(other)), gone.iter().sum())
                }
                Op::Has(one) => {
                    let has = model.contains(&name(one));
                    (format!("sismember s {}", name(one)), i64::from(has))
                }
                Op::Pop => {
                    let reply = world.ask(a, "spop s");
                    let member = reply.split('|').nth(1).unwrap_or_default();
                    prop_assert!(model.remove(member) || reply == "$-1|", "{}", reply);
                    (String::from("exists s"), i64::from(!model.is_empty()))
                }
                Op::PopMany(count) => {
                    for member in members(&world.ask(a, &format!("spop s {count}"))) {
                        prop_assert!(model.remove(&member));
                    }
                    (String::from("exists s"), i64::from(!model.is_empty()))
                }
                Op::StoreUnion => {
                    model.extend(fixed.iter().cloned());
                    (String::from("sunionstore s s fixed"), model.len() as i64)
                }
                Op::StoreRest => {
                    model.retain(|member| !fixed.contains(member));
                    (String::from("sdiffstore s s fixed"), model.len() as i64)
                }
            };
            prop_assert_eq!(world.ask(a, &command), format!(":{reply}|"), "{}", command);
            prop_assert_eq!(world.ask(a, "scard s"), format!(":{}|", model.len()));
        }
        let all: Vec<String> = model.iter().cloned().collect();
        prop_assert_eq!(members(&world.ask(a, "smembers s")), all);
        let shared: Vec<String> = model.intersection(&fixed).cloned().collect();
        prop_assert_eq!(members(&world.ask(a, "sinter fixed s")), shared);
    }
}
