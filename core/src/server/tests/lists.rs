//! Lists as clients see them.

use super::harness::{World, dialogue};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::VecDeque;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value|";

#[test]
fn elements_are_reached_from_both_ends() {
    let not_int = "-ERR value is not an integer or out of range|";
    let lines = [
        ("rpush l a b c", ":3|"),
        ("set s x", "+OK|"),
        ("lindex l 0", "$1|a|"),
        ("lindex l -1", "$1|c|"),
        ("lindex l 3", "$-1|"),
        ("lindex l -9223372036854775808", "$-1|"),
        ("lindex no x", "$-1|"),
        ("lindex l x", not_int),
        ("lindex s 0", WRONG_TYPE),
        ("lset l -2 B", "+OK|"),
        ("lset l 3 x", "-ERR index out of range|"),
        ("lset l x x", not_int),
        ("lset no x x", "-ERR no such key|"),
        ("lset s 0 x", WRONG_TYPE),
        ("linsert l before B 1", ":4|"),
        ("linsert l AFTER B 2", ":5|"),
        ("linsert l after nope 2", ":-1|"),
        ("linsert no after a 2", ":0|"),
        ("linsert l beside a 2", "-ERR syntax error|"),
        ("linsert s after a 2", WRONG_TYPE),
        ("lrange l 0 -1", "*5|$1|a|$1|1|$1|B|$1|2|$1|c|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn elements_are_removed_by_value_and_by_place() {
    let range = "-ERR value is out of range, value must between -9223372036854775807 and \
                 9223372036854775807|";
    let lines = [
        ("rpush l a b a c a d", ":6|"),
        ("lrem l -1 a", ":1|"),
        ("lrem l 1 a", ":1|"),
        ("lrange l 0 -1", "*4|$1|b|$1|a|$1|c|$1|d|"),
        ("lrem l 0 nope", ":0|"),
        ("lrem l -9223372036854775808 a", range),
        ("lrem no 0 a", ":0|"),
        ("ltrim l 1 -2", "+OK|"),
        ("lrange l 0 -1", "*2|$1|a|$1|c|"),
        ("ltrim l 5 9", "+OK|"),
        ("exists l", ":0|"),
        ("ltrim no 0 0", "+OK|"),
        ("rpush l 5 5", ":2|"),
        ("lrem l 0 5", ":2|"),
        ("exists l", ":0|"),
        ("lpop l 0", "*-1|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn an_element_is_looked_for_by_rank_count_and_length() {
    let zero = "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second \
                ... or use negative to start from the end of the list|";
    let lines = [
        ("rpush l a b c 1 2 3 c c", ":8|"),
        ("lpos l c", ":2|"),
        ("lpos l c rank 2", ":6|"),
        ("lpos l c rank -1", ":7|"),
        ("lpos l c rank 4", "$-1|"),
        ("lpos l c count 0", "*3|:2|:6|:7|"),
        ("lpos l c count 2 rank -1", "*2|:7|:6|"),
        ("lpos l c count 0 rank 2", "*2|:6|:7|"),
        ("lpos l c maxlen 2", "$-1|"),
        ("lpos l c maxlen 3 count 0", "*1|:2|"),
        ("lpos l c maxlen 1 count 0 rank -1", "*1|:7|"),
        ("lpos l x count 1", "*0|"),
        ("lpos no c", "$-1|"),
        ("lpos no c count 0", "*0|"),
        ("lpos no c rank 0", zero),
        ("lpos l c count -1", "-ERR COUNT can't be negative|"),
        ("lpos l c maxlen x", "-ERR MAXLEN can't be negative|"),
        ("lpos l c rank", "-ERR syntax error|"),
        ("lpos l c first 1", "-ERR syntax error|"),
    ];
    dialogue(&mut World::single(""), &lines);
}

#[test]
fn elements_move_between_lists_and_within_one() {
    let lines = [
        ("rpush l a b c", ":3|"),
        ("set s x", "+OK|"),
        ("lmove l m left right", "$1|a|"),
        ("lmove l m Right LEFT", "$1|c|"),
        ("rpoplpush l l", "$1|b|"),
        ("lmove l m left left", "$1|b|"),
        ("exists l", ":0|"),
        ("lmove m m left right", "$1|b|"),
        ("lrange m 0 -1", "*3|$1|c|$1|a|$1|b|"),
        ("lmove no s left left", "$-1|"),
        ("lmove m s left left", WRONG_TYPE),
        ("lmove s m left left", WRONG_TYPE),
        ("lmove m m left up", "-ERR syntax error|"),
        ("rpoplpush m s", WRONG_TYPE),
        ("lmpop 2 s m left", WRONG_TYPE),
        ("lmpop 2 no m right count 2", "*2|$1|m|*2|$1|b|$1|a|"),
        ("lmpop 1 m left count 9", "*2|$1|m|*1|$1|c|"),
        ("lmpop 1 m left", "*-1|"),
    ];
    dialogue(&mut World::single(""), &lines);
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
    events("rpush l a b c a");
    assert_eq!(events("lset l 0 x"), "lset l");
    assert_eq!(events("linsert l before nope y"), "");
    assert_eq!(events("linsert l before x y"), "linsert l");
    assert_eq!(events("lrem l 0 nope"), "");
    assert_eq!(events("lrem l 0 y"), "lrem l");
    assert_eq!(events("ltrim l 0 -1"), "ltrim l");
    assert_eq!(events("lmove l m left right"), "rpush m, lpop l");
    assert_eq!(events("lmove m n left left"), "lpush n, lpop m, del m");
    assert_eq!(events("rpoplpush n n"), "lpush n, rpop n");
    assert_eq!(events("lrem n 0 x"), "lrem n, del n");
    assert_eq!(events("lmpop 1 l right count 2"), "rpop l");
    assert_eq!(events("ltrim l 7 9"), "ltrim l, del l");
}

#[test]
fn the_encoding_follows_the_size() {
    let mut world = World::single("list-max-listpack-size 4");
    let lines = [
        ("rpush l 1 2 3 4", ":4|"),
        ("object encoding l", "$8|listpack|"),
        // It is reckoned with one more, before the pivot is found.
        ("linsert l before nope x", ":-1|"),
        ("object encoding l", "$9|quicklist|"),
        ("lrem l 1 3", ":1|"),
        ("object encoding l", "$9|quicklist|"),
        ("ltrim l 0 1", "+OK|"),
        ("object encoding l", "$8|listpack|"),
        ("rpush l 3 4", ":4|"),
        ("lset l 0 x", "+OK|"),
        ("object encoding l", "$9|quicklist|"),
        ("lmove l m left left", "$1|x|"),
        ("lmpop 1 l left", "*2|$1|l|*1|$1|2|"),
        ("object encoding l", "$8|listpack|"),
    ];
    dialogue(&mut world, &lines);
}

#[derive(Clone, Debug)]
enum Op {
    Push(bool, u8),
    Pop(bool, usize),
    Set(i64, u8),
    Insert(bool, u8, u8),
    Remove(i64, u8),
    Trim(i64, i64),
    Turn(bool, bool),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (any::<bool>(), 0..5u8).prop_map(|(head, item)| Op::Push(head, item)),
        1 => (any::<bool>(), 1..4usize).prop_map(|(head, count)| Op::Pop(head, count)),
        2 => (-8..8i64, 0..5u8).prop_map(|(at, item)| Op::Set(at, item)),
        3 => (any::<bool>(), 0..5u8, 0..5u8).prop_map(|(b, p, item)| Op::Insert(b, p, item)),
        1 => (-3..4i64, 0..5u8).prop_map(|(count, item)| Op::Remove(count, item)),
        1 => (-9..9i64, -9..9i64).prop_map(|(start, stop)| Op::Trim(start, stop)),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(from, to)| Op::Turn(from, to)),
    ]
}

/// An element. One of them is long, so that the list becomes a quicklist and is cut in chunks.
fn text(item: u8) -> String {
    if item == 4 {
        "x".repeat(3_000)
    } else {
        item.to_string()
    }
}

fn side(head: bool) -> &'static str {
    if head { "left" } else { "right" }
}

/// What a client says for an operation.
fn command(op: &Op) -> String {
    let push = |head| if head { "lpush" } else { "rpush" };
    match *op {
        Op::Push(head, item) => format!("{} l {}", push(head), text(item)),
        Op::Pop(head, count) => format!("lmpop 1 l {} count {count}", side(head)),
        Op::Set(at, item) => format!("lset l {at} {}", text(item)),
        Op::Insert(before, pivot, item) => {
            let word = if before { "before" } else { "after" };
            format!("linsert l {word} {} {}", text(pivot), text(item))
        }
        Op::Remove(count, item) => format!("lrem l {count} {}", text(item)),
        Op::Trim(start, stop) => format!("ltrim l {start} {stop}"),
        Op::Turn(from, to) => format!("lmove l l {} {}", side(from), side(to)),
    }
}

fn apply(model: &mut VecDeque<u8>, op: &Op) {
    let len = i64::try_from(model.len()).unwrap();
    let absolute = |at: i64| if at < 0 { at + len } else { at };
    match *op {
        Op::Push(true, item) => model.push_front(item),
        Op::Push(false, item) => model.push_back(item),
        Op::Pop(head, count) => {
            for _ in 0..count {
                let _ = if head {
                    model.pop_front()
                } else {
                    model.pop_back()
                };
            }
        }
        Op::Set(at, item) => {
            let place = usize::try_from(absolute(at)).ok();
            if let Some(place) = place.and_then(|place| model.get_mut(place)) {
                *place = item;
            }
        }
        Op::Insert(before, pivot, item) => {
            if let Some(at) = model.iter().position(|&other| other == pivot) {
                model.insert(at + usize::from(!before), item);
            }
        }
        Op::Remove(count, item) => {
            let most = usize::try_from(count.unsigned_abs()).unwrap();
            let most = if most == 0 { usize::MAX } else { most };
            let mut places: Vec<usize> = (0..model.len()).filter(|&at| model[at] == item).collect();
            if count < 0 {
                places.reverse();
            }
            places.truncate(most);
            places.sort_unstable();
            for at in places.into_iter().rev() {
                model.remove(at);
            }
        }
        Op::Trim(start, stop) => {
            let kept = absolute(start).max(0)..absolute(stop).saturating_add(1).min(len);
            let mut at = -1;
            model.retain(|_| {
                at += 1;
                kept.contains(&at)
            });
        }
        Op::Turn(from, to) => {
            let taken = if from {
                model.pop_front()
            } else {
                model.pop_back()
            };
            if let Some(item) = taken {
                if to {
                    model.push_front(item);
                } else {
                    model.push_back(item);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn commands_do_to_a_list_what_they_do_to_a_deque(ops in vec(op(), 0..60)) {
        let mut world = World::single("");
        let a = world.client(0);
        let mut model = VecDeque::new();
        for op in &ops {
            let before = model.len();
            apply(&mut model, op);
            let reply = world.ask(a, &command(op));
            if matches!(op, Op::Push(..)) {
                prop_assert_eq!(&reply, &format!(":{}|", model.len()));
            }
            if matches!(op, Op::Remove(..)) {
                prop_assert_eq!(&reply, &format!(":{}|", before - model.len()));
            }
            prop_assert_eq!(world.ask(a, "exists l"), format!(":{}|", usize::from(!model.is_empty())));
        }
        let items = model.iter().map(|&item| text(item));
        let items: String = items.map(|item| format!("${}|{item}|", item.len())).collect();
        prop_assert_eq!(world.ask(a, "lrange l 0 -1"), format!("*{}|{items}", model.len()));
        for item in 0..5 {
            let place = model.iter().rposition(|&other| other == item);
            let reply = place.map_or_else(|| "$-1|".into(), |place| format!(":{place}|"));
            prop_assert_eq!(world.ask(a, &format!("lpos l {} rank -1", text(item))), reply);
        }
    }
}
