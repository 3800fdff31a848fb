//! Sorted sets as clients see them.

use super::harness::{World, dialogue, encoded};
use super::replication::{assert_same, pair};
use crate::machine::ConnId;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value|";
const SYNTAX: &str = "-ERR syntax error|";
const NOT_INT: &str = "-ERR value is not an integer or out of range|";
const NOT_FLOAT: &str = "-ERR value is not a valid float|";

#[track_caller]
fn dialogue_alone(lines: &[(&str, &str)]) {
    dialogue(&mut World::single(""), lines);
}

#[test]
fn elements_are_added_on_conditions() {
    let gt_lt = "-ERR GT, LT, and/or NX options at the same time are not compatible|";
    dialogue_alone(&[
        ("set s x", "+OK|"),
        ("zadd z 1 a 2 b", ":2|"),
        ("zadd z 1 a 3 c", ":1|"),
        ("zadd z ch 5 a 3 c", ":1|"),
        ("zadd z nx 9 a 4 d", ":1|"),
        ("zadd z xx 9 d 4 e", ":0|"),
        ("zadd z gt ch 8 d 9 a", ":1|"),
        ("zadd z lt ch 8 d 10 a", ":1|"),
        ("zadd z Gt 1 new", ":1|"),
        ("zadd no xx 1 a", ":0|"),
        ("exists no", ":0|"),
        ("zadd z incr 2.5 a", "$4|11.5|"),
        ("zadd z nx incr 1 a", "$-1|"),
        ("zadd z xx incr 1 nope", "$-1|"),
        ("zadd z lt incr 1 a", "$-1|"),
        ("zadd z incr 0 a", "$4|11.5|"),
        ("zadd no xx incr 1 a", "$-1|"),
        ("zrange z 0 -1", "*5|$3|new|$1|b|$1|c|$1|d|$1|a|"),
        (
            "zadd z nx xx 1 a",
            "-ERR XX and NX options at the same time are not compatible|",
        ),
        ("zadd z nx gt 1 a", gt_lt),
        ("zadd z lt gt 1 a", gt_lt),
        (
            "zadd z incr 1 a 2 b",
            "-ERR INCR option supports a single increment-element pair|",
        ),
        ("zadd z 1 a 2", SYNTAX),
        ("zadd z nx xx", SYNTAX),
        ("zadd z x a", NOT_FLOAT),
        ("zadd z 1 f nan g", NOT_FLOAT),
        ("zscore z f", "$-1|"),
        ("zadd s x a", NOT_FLOAT),
        ("zadd s 1 a", WRONG_TYPE),
    ]);
}

#[test]
fn scores_are_added_to_and_looked_up() {
    let nan = "-ERR resulting score is not a number (NaN)|";
    dialogue_alone(&[
        ("set s x", "+OK|"),
        ("zincrby z 2 a", "$1|2|"),
        ("zincrby z -2.25 a", "$5|-0.25|"),
        ("zincrby z inf a", "$3|inf|"),
        ("zincrby z -inf a", nan),
        ("zadd z incr -inf a", nan),
        ("zincrby z x a", NOT_FLOAT),
        ("zincrby s 1 a", WRONG_TYPE),
        ("zadd z 0x10 b 1e3 c 3.0 d 17179869184.5 e", ":4|"),
        ("zscore z b", "$2|16|"),
        ("zscore z c", "$4|1000|"),
        ("zscore z d", "$1|3|"),
        ("zscore z e", "$13|17179869184.5|"),
        ("zscore z no", "$-1|"),
        ("zscore no a", "$-1|"),
        ("zscore s a", WRONG_TYPE),
        ("zmscore z a no b", "*3|$3|inf|$-1|$2|16|"),
        ("zmscore no a b", "*2|$-1|$-1|"),
        ("zcard z", ":5|"),
        ("zcard no", ":0|"),
        ("zcard s", WRONG_TYPE),
        // A listpack has no negative zero, the reply to INCR has.
        ("zadd zero -0 a", ":1|"),
        ("zscore zero a", "$1|0|"),
        ("zadd zero incr -0 b", "$2|-0|"),
    ]);
}

#[test]
fn ranks_count_from_either_end() {
    dialogue_alone(&[
        ("zadd z 1 b 1 a 2 c", ":3|"),
        ("zrank z a", ":0|"),
        ("zrank z c withscore", "*2|:2|$1|2|"),
        ("zrevrank z a WITHSCORE", "*2|:2|$1|1|"),
        ("zrank z no", "$-1|"),
        ("zrank z no withscore", "*-1|"),
        ("zrevrank no a", "$-1|"),
        ("zrank z a withscores", SYNTAX),
        (
            "zrank z a withscore x",
            "-ERR wrong number of arguments for 'zrank' command|",
        ),
    ]);
}

#[test]
fn elements_are_found_by_rank_score_and_member() {
    let limit = "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or \
                 BYLEX|";
    let scores = "-ERR syntax error, WITHSCORES not supported in combination with BYLEX|";
    let not_float = "-ERR min or max is not a float|";
    let not_range = "-ERR min or max not valid string range item|";
    dialogue_alone(&[
        ("zadd z 1 a 2 b 3 c 4 d", ":4|"),
        ("zadd l 0 a 0 b 0 c 0 d", ":4|"),
        ("zrange z 1 2", "*2|$1|b|$1|c|"),
        ("zrange z -2 -1 withscores", "*4|$1|c|$1|3|$1|d|$1|4|"),
        ("zrange z 0 1 rev", "*2|$1|d|$1|c|"),
        ("zrevrange z 1 1 withscores", "*2|$1|c|$1|3|"),
        ("zrange z 5 9", "*0|"),
        ("zrange no 0 -1", "*0|"),
        ("zrange z (1 3 byscore", "*2|$1|b|$1|c|"),
        ("zrange z +inf (2 byscore rev limit 1 5", "*1|$1|c|"),
        (
            "zrangebyscore z -inf +inf limit 1 2 withscores",
            "*4|$1|b|$1|2|$1|c|$1|3|",
        ),
        ("zrangebyscore z 1 4 limit -1 2", "*0|"),
        ("zrangebyscore z 1 4 limit 1 -1", "*3|$1|b|$1|c|$1|d|"),
        ("zrangebyscore z 1 4 limit 0 0", "*0|"),
        ("zrevrangebyscore z 3 1 limit 0 2", "*2|$1|c|$1|b|"),
        ("zrange l [b + bylex", "*3|$1|b|$1|c|$1|d|"),
        ("zrangebylex l - (c", "*2|$1|a|$1|b|"),
        ("zrevrangebylex l (d [a limit 1 1", "*1|$1|b|"),
        ("zrangebylex l + -", "*0|"),
        ("zcount z (1 3", ":2|"),
        ("zcount z 3 1", ":0|"),
        ("zlexcount l [a (c", ":2|"),
        ("zlexcount no - +", ":0|"),
        ("zrange z 0 1 limit 0 1", limit),
        ("zrange z 0 1 limit 0 -1", "*2|$1|a|$1|b|"),
        ("zrange l - + bylex withscores", scores),
        ("zrange z 0 1 limit 0", SYNTAX),
        ("zrange z 0 x", NOT_INT),
        ("zrange z 0 x byscore", not_float),
        ("zrange z a + bylex", not_range),
        ("zrangebyscore z nan 1", not_float),
        ("zrangebylex z -x +", not_range),
        ("zrevrange z 0 1 rev", SYNTAX),
        ("zrangebyscore z 0 1 bylex", SYNTAX),
        ("set s x", "+OK|"),
        ("zrange s 0 1", WRONG_TYPE),
        ("zcount s 0 1", WRONG_TYPE),
    ]);
}

#[test]
fn ranges_are_stored() {
    dialogue_alone(&[
        ("zadd z 1 a 2 b 3 c 4 d", ":4|"),
        ("set t x ex 100", "+OK|"),
        ("zrangestore t z 1 -1 rev", ":3|"),
        ("ttl t", ":-1|"),
        (
            "zrange t 0 -1 withscores",
            "*6|$1|a|$1|1|$1|b|$1|2|$1|c|$1|3|",
        ),
        ("zrangestore t z 2 (4 byscore limit 1 5", ":1|"),
        ("zrangestore z z 0 1", ":2|"),
        ("zrange z 0 -1", "*2|$1|a|$1|b|"),
        ("zrangestore t z 5 6", ":0|"),
        ("exists t", ":0|"),
        ("zrangestore t no 0 1", ":0|"),
        ("zrangestore t z 0 1 withscores", SYNTAX),
    ]);
}

#[test]
fn elements_are_removed() {
    dialogue_alone(&[
        ("zadd z 1 a 2 b 3 c 4 d 5 e 6 f", ":6|"),
        ("zrem z a no a", ":1|"),
        ("zremrangebyrank z -1 -1", ":1|"),
        ("zremrangebyrank z 3 1", ":0|"),
        ("zremrangebyscore z (2 3", ":1|"),
        ("zrange z 0 -1", "*3|$1|b|$1|d|$1|e|"),
        ("zremrangebylex z [e +", ":1|"),
        ("zadd l 0 a 0 b 0 c", ":3|"),
        ("zremrangebylex l (a [b", ":1|"),
        ("zremrangebylex l - +", ":2|"),
        ("exists l", ":0|"),
        ("zremrangebyscore z -inf inf", ":2|"),
        ("exists z", ":0|"),
        ("zrem z a", ":0|"),
        ("zremrangebyscore z x 1", "-ERR min or max is not a float|"),
        ("set s x", "+OK|"),
        ("zrem s a", WRONG_TYPE),
        ("zremrangebyrank s 0 1", WRONG_TYPE),
    ]);
}

#[test]
fn elements_are_taken_from_either_end() {
    let positive = "-ERR value is out of range, must be positive|";
    dialogue_alone(&[
        ("zadd z 1 a 2 b 3 c 4 d 5 e 6 f 7 g", ":7|"),
        ("zpopmin z", "*2|$1|a|$1|1|"),
        ("zpopmax z 2", "*4|$1|g|$1|7|$1|f|$1|6|"),
        ("zpopmin z 0", "*0|"),
        ("zmpop 2 no z min", "*2|$1|z|*1|*2|$1|b|$1|2|"),
        (
            "zmpop 1 z max count 2",
            "*2|$1|z|*2|*2|$1|e|$1|5|*2|$1|d|$1|4|",
        ),
        ("zpopmin z 9", "*2|$1|c|$1|3|"),
        ("exists z", ":0|"),
        ("zpopmin z", "*0|"),
        ("zpopmin z 3", "*0|"),
        ("zmpop 1 z min", "*-1|"),
        ("zpopmin z -1", positive),
        ("zpopmin z x", positive),
        ("zpopmin z 1 2", SYNTAX),
        ("zmpop 0 z min", "-ERR numkeys should be greater than 0|"),
        (
            "zmpop 1 z min count 0",
            "-ERR count should be greater than 0|",
        ),
        ("zmpop 1 z up", SYNTAX),
        ("zmpop 3 z min", SYNTAX),
        ("set s x", "+OK|"),
        ("zpopmax s 0", WRONG_TYPE),
        ("zmpop 2 no s min", WRONG_TYPE),
    ]);
}

#[test]
fn sets_are_combined() {
    let needs = |name: &str| format!("-ERR at least 1 input key is needed for '{name}' command|");
    let (zunion, zdiffstore) = (needs("zunion"), needs("zdiffstore"));
    dialogue_alone(&[
        ("zadd a 1 x 2 y 3 z", ":3|"),
        ("zadd b 10 y 20 z 30 w", ":3|"),
        ("zunion 2 a b", "*4|$1|x|$1|y|$1|z|$1|w|"),
        (
            "zunion 2 a b weights 2 .5 aggregate max withscores",
            "*8|$1|x|$1|2|$1|y|$1|5|$1|z|$2|10|$1|w|$2|15|",
        ),
        ("zinter 2 a b withscores", "*4|$1|y|$2|12|$1|z|$2|23|"),
        (
            "zinter 2 a b aggregate min withscores",
            "*4|$1|y|$1|2|$1|z|$1|3|",
        ),
        ("zinter 2 a no", "*0|"),
        ("zdiff 2 a b withscores", "*2|$1|x|$1|1|"),
        ("zdiff 1 a", "*3|$1|x|$1|y|$1|z|"),
        ("zdiff 2 no a", "*0|"),
        ("zintercard 2 a b", ":2|"),
        ("zintercard 2 a b limit 1", ":1|"),
        ("zintercard 2 a b limit 0", ":2|"),
        ("zunionstore a 2 a b", ":4|"),
        (
            "zrange a 0 -1 withscores",
            "*8|$1|x|$1|1|$1|y|$2|12|$1|z|$2|23|$1|w|$2|30|",
        ),
        ("zinterstore t 2 a b weights 1 0", ":3|"),
        ("zdiffstore t 2 b a", ":0|"),
        ("exists t", ":0|"),
        ("sadd names x y", ":2|"),
        ("sadd numbers 1 2 3", ":3|"),
        ("zadd n 5 1 6 9", ":2|"),
        (
            "zinter 2 b names weights 1 .5 withscores",
            "*2|$1|y|$4|10.5|",
        ),
        (
            "zunion 2 n numbers withscores",
            "*8|$1|2|$1|1|$1|3|$1|1|$1|1|$1|6|$1|9|$1|6|",
        ),
        ("zdiff 2 numbers n", "*2|$1|2|$1|3|"),
        ("zadd i inf x", ":1|"),
        ("zunion 1 i weights 0 withscores", "*2|$1|x|$1|0|"),
        ("zunion 2 i i weights 1 -1 withscores", "*2|$1|x|$1|0|"),
        ("zunion 0 a", &zunion),
        ("zdiffstore t 0 a", &zdiffstore),
        ("zunion x a", NOT_INT),
        ("zunion 3 a b", SYNTAX),
        ("zunion 2 a b weights 1", SYNTAX),
        (
            "zunion 2 a b weights 1 x",
            "-ERR weight value is not a float|",
        ),
        ("zunion 2 a b aggregate avg", SYNTAX),
        ("zdiff 2 a b weights 1 1", SYNTAX),
        ("zunionstore t 1 a withscores", SYNTAX),
        ("zintercard 1 a limit -1", "-ERR LIMIT can't be negative|"),
        ("zintercard 1 a limit x", "-ERR LIMIT can't be negative|"),
        ("zintercard 1 a withscores", SYNTAX),
        ("set s x", "+OK|"),
        ("zunion 2 a s nonsense", WRONG_TYPE),
    ]);
}

#[test]
fn replies_in_resp3_pair_members_with_doubles() {
    dialogue_alone(&[
        (
            "hello 3",
            "%7|$6|server|$5|redis|$7|version|$5|7.2.4|$5|proto|:3|$2|id|:1|$4|mode|$10|standalone\
             |$4|role|$6|master|$7|modules|*0|",
        ),
        ("zadd z 1 a 2.5 b", ":2|"),
        ("zscore z b", ",2.5|"),
        ("zadd z incr 1 a", ",2|"),
        ("zmscore z a no", "*2|,2|_|"),
        ("zrank z b withscore", "*2|:1|,2.5|"),
        ("zrank z no withscore", "_|"),
        ("zrange z 0 -1 withscores", "*2|*2|$1|a|,2|*2|$1|b|,2.5|"),
        ("zunion 1 z withscores", "*2|*2|$1|a|,2|*2|$1|b|,2.5|"),
        ("zrandmember z 5 withscores", "*2|*2|$1|a|,2|*2|$1|b|,2.5|"),
        ("zscan z 0", "*2|$1|0|*4|$1|a|$1|2|$1|b|$3|2.5|"),
        ("zpopmin z", "*2|$1|a|,2|"),
        ("zpopmin z 1", "*1|*2|$1|b|,2.5|"),
        ("zpopmin z 1", "*0|"),
        ("zmpop 1 z min", "_|"),
    ]);
}

#[test]
fn a_set_changes_its_encoding_as_in_redis() {
    let mut world = World::single("zset-max-listpack-entries 3\nzset-max-listpack-value 4");
    let (small, large) = ("$8|listpack|", "$8|skiplist|");
    dialogue(
        &mut world,
        &[
            ("zadd z 1 a 2 b 3 c", ":3|"),
            ("object encoding z", small),
            ("zadd z 1 a", ":0|"),
            ("object encoding z", small),
            ("zadd z 4 d", ":1|"),
            ("object encoding z", large),
            ("zrem z c d", ":2|"),
            ("object encoding z", large),
            ("zrangestore t z 0 -1", ":2|"),
            ("object encoding t", small),
            ("zadd long 1 abcde", ":1|"),
            ("object encoding long", large),
            // What a command brings counts, not what of it is new.
            ("zadd many 1 a 1 a 1 a 1 a", ":1|"),
            ("object encoding many", large),
            ("zunionstore u 2 z many", ":2|"),
            ("object encoding u", small),
            ("zunionstore u 2 z long", ":3|"),
            ("object encoding u", large),
            ("zinterstore u 2 z many", ":1|"),
            ("object encoding u", small),
            ("copy z c", ":1|"),
            ("zadd c 9 new", ":1|"),
            ("zrange z 0 -1", "*2|$1|a|$1|b|"),
            ("zrange c 0 -1", "*3|$1|a|$1|b|$3|new|"),
        ],
    );
}

#[test]
fn members_are_drawn_and_walked_through() {
    let mut world = World::single("zset-max-listpack-entries 8");
    let a = world.client(0);
    for members in [5_usize, 500] {
        let pairs = (0..members).map(|at| format!(" {at}.5 m{at}"));
        world.ask(a, &format!("zadd z{}", pairs.collect::<String>()));
        let mut seen = std::collections::BTreeSet::new();
        let mut cursor = "0".to_owned();
        loop {
            let reply = world.ask(a, &format!("zscan z {cursor} count 7"));
            let words: Vec<&str> = reply.split('|').collect();
            words[4..].chunks_exact(4).for_each(|pair| {
                assert_eq!(pair[3], format!("{}.5", &pair[1][1..]));
                assert!(seen.insert(pair[1].to_owned()), "{}", pair[1]);
            });
            cursor = words[2].to_owned();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen.len(), members);
        for count in [1, 3, members - 1, members, members + 10] {
            let reply = world.ask(a, &format!("zrandmember z {count}"));
            let drawn: std::collections::BTreeSet<&str> =
                reply.split('|').skip(2).step_by(2).collect();
            assert!(
                drawn
                    .iter()
                    .all(|member| member.is_empty() || seen.contains(*member))
            );
            let drawn = drawn.iter().filter(|member| !member.is_empty()).count();
            assert_eq!(drawn, count.min(members));
        }
        let reply = world.ask(a, "zrandmember z -1000 withscores");
        assert_eq!(reply.split('|').count(), 2 + 2 * 2_000);
    }
    let lines = [
        ("zrandmember no", "$-1|"),
        ("zrandmember no 3", "*0|"),
        ("zrandmember z 0", "*0|"),
        ("zrandmember z x", NOT_INT),
        ("zrandmember z 1 scores", SYNTAX),
        (
            "zrandmember z -9223372036854775807 withscores",
            "-ERR value is out of range|",
        ),
        (
            "zrandmember z -9223372036854775807",
            "-ERR value is out of range|",
        ),
        ("zscan z x", "-ERR invalid cursor|"),
        ("zscan z 0 type zset", SYNTAX),
        ("zscan no 0 nonsense", "*2|$1|0|*0|"),
        ("zscan z 0 match m1 count 1000", "*2|$1|0|*2|$2|m1|$3|1.5|"),
        (
            "zscan z 0 match m1 noscores count 1000",
            "*2|$1|0|*1|$2|m1|",
        ),
        ("zscan z 0 novalues", SYNTAX),
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
    assert_eq!(events("zadd z 1 a 2 b 3 c 4 d"), "zadd z");
    assert_eq!(events("zadd z 1 a"), "");
    assert_eq!(events("zincrby z 1 a"), "zincr z");
    assert_eq!(events("zadd z incr 1 a"), "zincr z");
    assert_eq!(events("zrem z no"), "");
    assert_eq!(events("zrem z a"), "zrem z");
    assert_eq!(events("zrangestore t z 0 -1"), "zrangestore t");
    assert_eq!(events("zunionstore t 1 z"), "zunionstore t");
    assert_eq!(events("zinterstore t 1 z"), "zinterstore t");
    assert_eq!(events("zdiffstore t 1 z"), "zdiffstore t");
    assert_eq!(events("zdiffstore t 2 z z"), "del t");
    assert_eq!(events("zdiffstore t 2 z z"), "");
    assert_eq!(events("zremrangebyrank z 0 0"), "zremrangebyrank z");
    assert_eq!(events("zpopmin z"), "zpopmin z");
    assert_eq!(events("zmpop 1 z max count 5"), "zpopmax z, del z");
    events("zadd z 1 a 0 b");
    assert_eq!(events("zremrangebyscore z 1 1"), "zremrangebyscore z");
    assert_eq!(events("zremrangebylex z - +"), "zremrangebylex z, del z");
}

/// Several clients of a single server.
fn clients<const N: usize>() -> (World, [ConnId; N]) {
    let mut world = World::single("");
    let conns = core::array::from_fn(|_| world.client(0));
    (world, conns)
}

#[track_caller]
fn waits(world: &mut World, conn: ConnId, command: &str) {
    assert_eq!(world.ask(conn, command), "", "{command} waits");
}

#[test]
fn clients_that_wait_are_served_in_order_of_arrival() {
    let (mut world, [a, b, c, d]) = clients();
    world.ask(d, "zadd there 1 x 2 y");
    assert_eq!(
        world.ask(a, "bzpopmin no there 0"),
        "*3|$5|there|$1|x|$1|1|"
    );
    assert_eq!(
        world.ask(a, "bzmpop 0 1 there max"),
        "*2|$5|there|*1|*2|$1|y|$1|2|"
    );
    waits(&mut world, a, "bzpopmin x z 0");
    waits(&mut world, b, "bzpopmax z 0");
    waits(&mut world, c, "bzmpop 0 2 x z min count 5");
    assert_eq!(world.ask(d, "zadd z 1 a 2 b 3 c 4 d"), ":4|");
    assert_eq!(world.heard(a), "*3|$1|z|$1|a|$1|1|");
    assert_eq!(world.heard(b), "*3|$1|z|$1|d|$1|4|");
    assert_eq!(world.heard(c), "*2|$1|z|*2|*2|$1|b|$1|2|*2|$1|c|$1|3|");
    assert_eq!(world.ask(d, "exists z"), ":0|");
}

#[test]
fn however_a_sorted_set_appears_it_serves() {
    let ways: &[&[&str]] = &[
        &["zincrby z 1 m"],
        &["zadd t 1 m", "rename t z"],
        &["zadd t 1 m", "zrangestore z t 0 -1"],
        &["zadd t 1 m", "zunionstore z 1 t"],
        &["rpush z x", "del z", "zadd z 1 m"],
    ];
    for way in ways {
        let (mut world, [a, b]) = clients();
        waits(&mut world, a, "bzpopmin z 0");
        for command in *way {
            assert_eq!(world.heard(a), "");
            world.ask(b, command);
        }
        assert_eq!(world.heard(a), "*3|$1|z|$1|m|$1|1|", "{way:?}");
    }
}

#[test]
fn waiting_ends_with_the_time_and_nobody_waits_inside_a_transaction() {
    for command in [
        "bzpopmin z 0.25",
        "bzpopmax y z 0.25",
        "bzmpop 0.25 1 z min",
    ] {
        let (mut world, [a]) = clients();
        world.feed(0, a, &[encoded(command), encoded("ping")].concat());
        world.wait(249);
        assert_eq!(world.heard(a), "", "{command}");
        world.wait(1);
        assert_eq!(world.heard(a), "*-1|+PONG|", "{command}");
        world.ask(a, "multi");
        world.ask(a, command);
        assert_eq!(world.ask(a, "exec"), "*1|*-1|");
    }
    let (mut world, [a]) = clients();
    world.ask(a, "set s x");
    assert_eq!(world.ask(a, "bzpopmin no s 0"), WRONG_TYPE);
    assert_eq!(
        world.ask(a, "bzmpop x 1 s min"),
        "-ERR timeout is not a float or out of range|"
    );
}

#[test]
fn replicas_have_the_same_sorted_sets() {
    let mut world = pair(5, "");
    let (a, b) = (world.client(0), world.client(0));
    for command in [
        "zadd z 1 a 2 b 3 c 4 d 5 e 6 f 7 g",
        "zincrby z 0.1 a",
        "zadd z gt 9 b 0 c",
        "zpopmin z 2",
        "zmpop 2 no z max count 2",
        "zrangestore t z 0 1",
        "zunionstore u 2 z t weights 1 3",
        "zremrangebyscore u 0 5",
        "zdiffstore t 1 no",
    ] {
        world.ask(a, command);
    }
    waits(&mut world, b, "bzmpop 0 1 w min count 2");
    world.ask(a, "zadd w 1 a 2 b 3 c");
    assert_eq!(world.heard(b), "*2|$1|w|*2|*2|$1|a|$1|1|*2|$1|b|$1|2|");
    assert_same(&mut world);
}

#[test]
fn a_large_set_is_saved_as_it_was_while_it_changes() {
    let mut world = World::single("");
    let a = world.client(0);
    for chunk in 0..20 {
        let pairs = (0..500).map(|at| format!(" {at} member:{}", chunk * 500 + at));
        world.ask(a, &format!("zadd z{}", pairs.collect::<String>()));
    }
    let before = world.digest(0);
    world.nodes[0].disk.stuck = true;
    assert_eq!(world.ask(a, "bgsave"), "+Background saving started|");
    world.ask(a, "zincrby z 7 member:17");
    world.ask(a, "zremrangebyscore z 100 300");
    world.ask(a, "zadd z 1 new");
    world.ask(a, "copy z other");
    world.ask(a, "zadd other 2 new");
    world.nodes[0].disk.stuck = false;
    world.settle();
    assert_eq!(world.info(0, "rdb_last_bgsave_status"), "ok");
    assert_eq!(world.ask(a, "zcard z"), ":5981|");
    assert_eq!(world.ask(a, "zscore z new"), "$1|1|");
    assert_eq!(world.ask(a, "zscore other new"), "$1|2|");
    world.ask(a, "del z other");
    world.settle();
    assert_eq!(world.ask(a, "dbsize"), ":0|");
    let again = world.restart(0, "");
    assert_eq!(world.digest(again), before);
    let b = world.client(again);
    assert_eq!(world.ask_at(again, b, "zcard z"), ":10000|");
    assert_eq!(world.ask_at(again, b, "zrank z member:0"), ":0|");
}
