//! A dataset with every type in every form that servers keep it in, commands that change it, and
//! all that a server holds, to be compared.

use std::thread;
use std::time::Duration;

use crate::client::text_of;
use crate::differential::{self, Link, Reply, Words, quoted};
use crate::node::Node;
use crate::wait::{PATIENCE, wait_until};

/// In the year 2100, in milliseconds.
const FAR_AWAY: &str = "4102444800123";

/// Fills a server that holds nothing yet: strings, lists, hashes, sets, sorted sets and streams,
/// small and large, with and without a time to live, in several databases.
pub fn fill(node: &Node) {
    let mut commands = lines(SMALL);
    commands.extend(large_values());
    commands.extend(streams());
    commands.extend((0..1000).map(|n| words(&format!("SET key:{n} value:{n}"))));
    for db in [5, 15] {
        commands.push(words(&format!("SELECT {db}")));
        commands.extend(lines(ELSEWHERE));
    }
    run(node, &commands);
}

/// Changes a server that [`fill`] has filled by commands that do not go to replicas and files as
/// they came. Can be done again.
pub fn change(node: &Node) {
    run(node, &lines(CHANGES));
    serve_who_waits(node);
    // Whoever looks first finds that they have expired.
    run(
        node,
        &lines("SET soon v PX 1\nHSET soon:hash f v\nPEXPIRE soon:hash 1"),
    );
    thread::sleep(Duration::from_millis(3));
    run(node, &lines("GET soon\nHGETALL soon:hash"));
}

/// All that a server holds: a line for each key.
///
/// # Panics
///
/// If it can't be asked.
#[track_caller]
pub fn contents(node: &Node) -> Vec<String> {
    let told = Link::connect(node.port()).and_then(|mut link| differential::contents(&mut link));
    match told {
        Ok(lines) => lines,
        Err(error) => panic!("port {}: {error}", node.port()),
    }
}

/// Asserts that two servers hold the same.
///
/// # Panics
///
/// As [`assert_same_contents`].
#[track_caller]
pub fn assert_same(one: &Node, two: &Node, context: &str) {
    assert_same_contents(&contents(one), &contents(two), context);
}

/// The same [without counts](without_counts), and with times of delivery that may be a little off:
/// a Redis that is told of one by its master takes it for later than its own clock, which it reads
/// now and then, and notes what that says.
///
/// # Panics
///
/// As [`assert_same_contents`].
#[track_caller]
pub fn assert_same_but_counts(one: &Node, two: &Node, context: &str) {
    let [one, two] = [one, two].map(|node| without_counts(contents(node)));
    assert_same_contents(&one, &with_times_of(&one, two), context);
}

/// Contents with the times of others where they are almost the same.
fn with_times_of(others: &[String], contents: Vec<String>) -> Vec<String> {
    const OFF_MS: u64 = 100;
    let time = |word: &str| {
        let digits = word.strip_prefix(':')?.trim_end_matches(']');
        digits
            .parse()
            .ok()
            .filter(|ms: &u64| *ms > 1_000_000_000_000)
    };
    let near = |one: &str, two: &str| match (time(one), time(two)) {
        (Some(one), Some(two)) => one.abs_diff(two) <= OFF_MS,
        (None, _) | (_, None) => false,
    };
    let adjust = |(at, line): (usize, String)| {
        let other = others.get(at).map_or("", String::as_str);
        if line.split(' ').count() != other.split(' ').count() {
            return line;
        }
        let words = line.split(' ').zip(other.split(' '));
        let words: Vec<&str> = words
            .map(|(own, other)| if near(own, other) { other } else { own })
            .collect();
        words.join(" ")
    };
    contents.into_iter().enumerate().map(adjust).collect()
}

/// [`contents`] without how many entries groups have read (`entries-read`, `lag`): Redis 7.0 tells
/// neither its replicas nor its append-only file.
pub fn without_counts(contents: Vec<String>) -> Vec<String> {
    let cut = |line: String| {
        let mut parts = line.split(r#""entries-read""#);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |line, part| {
            let from = part.find(r#""pel-count""#).unwrap_or(0);
            line + &part[from..]
        })
    };
    contents.into_iter().map(cut).collect()
}

/// Asserts that two times [`contents`] are the same.
///
/// # Panics
///
/// If they are not; the message tells of each key that is not the same where that begins.
#[track_caller]
pub fn assert_same_contents(one: &[String], two: &[String], context: &str) {
    if one == two {
        return;
    }
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        let only = these.iter().filter(|line| !those.contains(line));
        only.cloned().collect()
    };
    let (one, two) = (only(one, two), only(two, one));
    let shown = |line: &str, others: &[String]| {
        let same = |other: &String| {
            let pairs = line.bytes().zip(other.bytes());
            pairs.take_while(|(one, two)| one == two).count()
        };
        let same = others.iter().map(same).max().unwrap_or(0);
        let from = line.get(same.saturating_sub(200)..).unwrap_or(line);
        format!("{line:.20} ... {from:.400}\n")
    };
    let told = |these: &[String], those: &[String]| -> String {
        these.iter().map(|line| shown(line, those)).collect()
    };
    panic!(
        "{context}: only the first has\n{}only the second has\n{}",
        told(&one, &two),
        told(&two, &one)
    );
}

const SMALL: &str = r#"SET text hello
SET empty ""
SET number -1234567890123
SET byte 7
SET short -30000
SET int 2000000000
SET beyond 9223372036854775808
SET expiring v PXAT 4102444800123
SETBIT bits 100 1
PFADD hll a b c
RPUSH few a 1 "" 4294967296 -5
HSET record f 1 g "" h -7
SADD ints 1 2 -30000
SADD wide 1 -5000000000
SADD tags a b 17
ZADD ranks -inf low -1.5 a 0 zero 0.1 b 3 c 1e300 far inf high
GEOADD places 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
RPUSH expiring:list a b
HSET expiring:hash f v
SADD expiring:set a 1
ZADD expiring:zset 1 a
XADD expiring:stream 1-1 f v
PEXPIREAT expiring:list 4102444800124
PEXPIREAT expiring:hash 4102444800125
PEXPIREAT expiring:set 4102444800126
PEXPIREAT expiring:zset 4102444800127
PEXPIREAT expiring:stream 4102444800128"#;

const ELSEWHERE: &str = "SET text elsewhere
SET counter 5
RPUSH few x y
HSET record f other
SADD ints 7
ZADD ranks 2 a
XADD events 1-1 f v
XGROUP CREATE events readers 0
XREADGROUP GROUP readers alice STREAMS events >";

/// Values too large for the compact forms, and bytes that are no text.
fn large_values() -> Vec<Words> {
    let numbered = |command: &str, element: &dyn Fn(u32) -> String, count| {
        let mut command = words(command);
        let elements = (0..count).map(element);
        command.extend(elements.flat_map(|element| words(&element)));
        command
    };
    let set = |key: &[u8], value: Vec<u8>| vec![b"SET".to_vec(), key.to_vec(), value];
    let random = (0..2500_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b1).to_le_bytes());
    let mut sizes = words("RPUSH sizes");
    sizes.extend([5000, 1, 20_000, 5000, 300].map(|len| vec![b'x'; len]));
    vec![
        set(b"long", b"long and compressible ".repeat(3000)),
        set(b"random", random.collect()),
        set(b"\0\xff key\r\n", (0..=255).collect()),
        numbered("RPUSH many", &|n| format!("element:{n}"), 3000),
        sizes,
        numbered("HSET fields", &|n| format!("field:{n} {n}"), 700),
        vec![
            b"HSET".to_vec(),
            b"wide:hash".to_vec(),
            vec![0xff; 70],
            vec![0; 90],
        ],
        numbered("SADD members", &|n| format!("member:{n}"), 700),
        numbered("SADD numbers", &|n| format!("{n}"), 700),
        numbered(
            "ZADD scores",
            &|n| format!("{} member:{n}", f64::from(n) * 0.7 - 100.0),
            300,
        ),
        words(&format!("PEXPIREAT members {FAR_AWAY}")),
    ]
}

/// A stream of several nodes with groups, consumers, and entries that were not acknowledged, some
/// of which are deleted; one with nothing left in it, and one that never had an entry.
fn streams() -> Vec<Words> {
    let entry = |n: u32| {
        let rest = if n.is_multiple_of(7) { "" } else { " size 10" };
        words(&format!("XADD events {n}-{} value {n}{rest}", n % 3))
    };
    let mut commands: Vec<Words> = (1..=300).map(entry).collect();
    commands.extend((1..=20).map(|n| words(&format!("XADD trimmed MAXLEN 5 {n}-1 f {n}"))));
    commands.extend(lines(
        "XGROUP CREATE events readers 0
XGROUP CREATE events late $
XGROUP CREATE events some 5-2 ENTRIESREAD 5
XGROUP CREATECONSUMER events readers idle
XREADGROUP GROUP readers alice COUNT 120 STREAMS events >
XREADGROUP GROUP readers bob COUNT 10 STREAMS events >
XACK events readers 3-0 4-1
XCLAIM events readers bob 0 10-1 11-2
XDEL events 5-2 150-0 300-0
XSETID trimmed 100-0 ENTRIESADDED 50 MAXDELETEDID 15-1
XADD gone 1-1 f v
XGROUP CREATE gone g 0
XREADGROUP GROUP g c STREAMS gone >
XDEL gone 1-1
XGROUP CREATE jobs workers $ MKSTREAM",
    ));
    commands
}

const CHANGES: &str = r#"SET text changed EX 1000000
SET expiring w KEEPTTL
SET number 5 GET
SETEX after 100000 v
PSETEX after:too 100000000 v
GETEX text PX 2000000000
GETEX after PERSIST
GETEX byte EXAT 4102444800
GETDEL int
GETSET short 12
INCRBYFLOAT float 0.1
INCRBYFLOAT float 1e3
INCR byte
APPEND empty more
BITFIELD bits SET u8 #3 200 INCRBY i16 40 -5
PFADD hll d
EXPIRE few 1000000
PEXPIRE tags 100000000
PERSIST few
EXPIRE beyond -1
LPUSH few first
LINSERT few BEFORE first zeroth
RPOP many
LPOP many 2
LMOVE many few LEFT RIGHT
RPOPLPUSH many few
LMPOP 1 many RIGHT COUNT 3
LTRIM many 10 -1
HINCRBYFLOAT record f 0.25
HINCRBY fields field:1 -3
HDEL fields field:2
SPOP tags
SPOP members
SPOP members 5
SPOP ints 10
SMOVE numbers wide 17
SUNIONSTORE union wide numbers
SINTERSTORE nothing tags ints
ZADD ranks INCR 1.5 a
ZINCRBY ranks 0.1 b
ZPOPMIN ranks
ZPOPMAX scores 2
ZMPOP 1 scores MIN COUNT 2
ZRANGESTORE top scores 0 9
ZUNIONSTORE union:zset 2 scores ranks WEIGHTS 2 1
ZREMRANGEBYSCORE scores -5 5
GEOADD places 2.35 48.85 Paris
GEOSEARCHSTORE near places FROMLONLAT 15 37 BYRADIUS 200 km
GEORADIUS places 15 37 200 km STORE near:too
SORT few ALPHA DESC STORE sorted
SORT wide BY nosort LIMIT 0 1 STORE sorted:too
XADD events * value new
XADD events MAXLEN ~ 250 * value newer
XTRIM events MAXLEN ~ 150
XADD trimmed MAXLEN = 4 * f v
XREADGROUP GROUP readers bob COUNT 3 STREAMS events >
XREADGROUP GROUP late carol COUNT 1 NOACK STREAMS events >
XREADGROUP GROUP late dave COUNT 1 STREAMS events >
XREADGROUP GROUP late erin STREAMS events >
XCLAIM events readers carol 0 105-0 106-1 IDLE 5000 RETRYCOUNT 7
XCLAIM events readers carol 0 200-2 FORCE JUSTID
XAUTOCLAIM events readers dave 0 0 COUNT 20
XAUTOCLAIM gone g d 0 0
XACK events readers 107-2
XDEL events 108-0
XGROUP DELCONSUMER events readers bob
XGROUP CREATECONSUMER events late nobody
XGROUP SETID events some 120-0 ENTRIESREAD 120
COPY record copied REPLACE
RENAME copied renamed
SWAPDB 3 4
UNLINK random
MULTI
SET in one
SPOP members 2
INCRBYFLOAT float 0.5
SELECT 5
INCR counter
LMOVE few few LEFT RIGHT
XADD events * f v
XREADGROUP GROUP readers bob STREAMS events >
SELECT 15
GETEX text EX 1000000
EXEC
ZADD ranks 5 b
SELECT 7
SET flushed v
FLUSHDB
SET kept v PX 100000000
SELECT 0
DEL queue:1 queue:2 queue:3 queue:4 queue:5 queue:6"#;

/// Clients wait for lists, sorted sets and a stream, and get something.
fn serve_who_waits(node: &Node) {
    let waiting = [
        "BLPOP queue:1 0",
        "BLMOVE queue:2 moved LEFT RIGHT 0",
        "BLMPOP 0 1 queue:3 RIGHT COUNT 2",
        "BRPOPLPUSH queue:4 moved 0",
        "BZPOPMIN queue:5 0",
        "BZMPOP 0 1 queue:6 MAX",
        "XREADGROUP GROUP workers one BLOCK 0 STREAMS jobs >",
    ];
    let clients = waiting.map(|line| {
        let mut client = node.client();
        let words: Vec<&str> = line.split(' ').collect();
        client.send(&words).expect("the server reads");
        client
    });
    wait_until(PATIENCE, "all clients wait", || {
        let waits = node.info("clients").get("blocked_clients") == clients.len().to_string();
        waits.then_some(())
    });
    run(
        node,
        &lines(
            "RPUSH queue:1 a b
RPUSH queue:2 a
MULTI
RPUSH queue:3 a b c
RPUSH queue:4 a b
EXEC
ZADD queue:5 1 a 2 b
ZADD queue:6 1 a 2 b
XADD jobs * f v",
        ),
    );
    for (mut client, line) in clients.into_iter().zip(waiting) {
        let reply = client.receive().expect("the server answers");
        let text = text_of(&reply);
        assert!(!text.starts_with('-') && text != "(nil)", "{line}: {text}");
    }
}

/// Commands of words that are parted by blanks; `""` is an empty one.
fn lines(text: &str) -> Vec<Words> {
    text.lines().map(words).collect()
}

fn words(line: &str) -> Words {
    let word = |word: &str| match word {
        r#""""# => Vec::new(),
        word => word.as_bytes().to_vec(),
    };
    line.split(' ').map(word).collect()
}

#[track_caller]
fn run(node: &Node, commands: &[Words]) {
    let replies = Link::connect(node.port()).and_then(|mut link| link.ask_all(commands));
    let replies = match replies {
        Ok(replies) => replies,
        Err(error) => panic!("port {}: {error}", node.port()),
    };
    for (command, reply) in commands.iter().zip(&replies) {
        let failed = reply.is_error() || reply.items().iter().any(Reply::is_error);
        assert!(!failed, "{}: {}", quoted(command), reply.show());
    }
}
