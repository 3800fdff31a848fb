//! Writes of every kind to keys that all clients share. No oracle knows what they leave: what
//! counts is that it is the same on every node.

use super::record::LONG_LOOP;
use crate::resp::{Reader, Reply, command};
use crate::rng::{Draws, Keys, Stream};

/// Appends what a seed stands for, a command or a transaction of several, and returns how many
/// replies it gets.
pub(super) fn encode(seed: u64, scripts: bool, out: &mut Vec<u8>) -> usize {
    let mut draws = Keys::new(seed).draws(Stream::Client, 0);
    match draws.below(10) {
        0 => {
            // The connection is back in its own database whatever comes of what is between.
            command(out, &[b"SELECT", draws.pick::<&[u8]>(&[b"1", b"7"])]);
            push(&mut draws, out);
            command(out, &[b"SELECT", b"0"]);
            return 3;
        }
        1 | 2 => {}
        _ => {
            push(&mut draws, out);
            return 1;
        }
    }
    let count = 2 + draws.index(3);
    if scripts && seed.is_multiple_of(3) {
        let mut commands = Vec::new();
        for _ in 0..count {
            push(&mut draws, &mut commands);
        }
        let loops = if seed.is_multiple_of(4) {
            LONG_LOOP / 2
        } else {
            0
        };
        by_script(&commands, loops, out);
        return 1;
    }
    command(out, &[b"MULTI"]);
    for _ in 0..count {
        push(&mut draws, out);
    }
    command(out, &[b"EXEC"]);
    count + 2
}

/// Runs the commands that it is given, each behind the number of its words, and loops before each.
const SCRIPT: &str = "local at = 1 \
                      while at <= #ARGV do \
                      for _ = 1, tonumber(KEYS[1]) do end \
                      local words = tonumber(ARGV[at]) \
                      redis.pcall(unpack(ARGV, at + 1, at + words)) \
                      at = at + 1 + words \
                      end \
                      return redis.call('DBSIZE')";

/// Has encoded commands run by a script, of which those that fail are passed over.
fn by_script(commands: &[u8], loops: u64, out: &mut Vec<u8>) {
    let mut args = vec![b"EVAL".to_vec(), SCRIPT.into(), b"1".to_vec()];
    args.push(loops.to_string().into_bytes());
    let mut reader = Reader::default();
    reader.push(commands);
    while let Ok(Some(Reply::Array(Some(words)))) = reader.next_reply() {
        args.push(words.len().to_string().into_bytes());
        args.extend(words.into_iter().filter_map(|word| match word {
            Reply::Bulk(word) => word,
            Reply::Simple(_) | Reply::Error(_) | Reply::Int(_) | Reply::Array(_) => None,
        }));
    }
    let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
    command(out, &args);
}

fn push(draws: &mut Draws, out: &mut Vec<u8>) {
    let written = draws.pick(COMMANDS);
    let words: Vec<Vec<u8>> = written.split(' ').map(|word| fill(word, draws)).collect();
    let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    command(out, &args);
}

/// What a word of a command stands for.
fn fill(word: &str, draws: &mut Draws) -> Vec<u8> {
    let number = draws.below(KEYS_OF_A_KIND);
    let text = match word {
        "<any>" => {
            let kind = draws.pick(KINDS);
            format!("mix:{kind}:{number}")
        }
        "<str>" | "<bits>" | "<hll>" | "<list>" | "<hash>" | "<set>" | "<ints>" | "<zset>"
        | "<geo>" | "<stream>" => format!("mix:{}:{number}", &word[1..word.len() - 1]),
        "<member>" if draws.below(20) == 0 => "long".repeat(40),
        "<member>" => format!("m{}", draws.below(40)),
        "<int>" => format!("{}", draws.below(200)),
        "<float>" => format!("{}.{}", draws.below(100), draws.below(1000)),
        "<ms>" => format!("{}", draws.log_between(5, 20_000)),
        "<few>" => format!("{}", 1 + draws.below(3)),
        "<id>" => format!("{}-{}", 1 + draws.below(60), draws.below(3)),
        "<name>" => format!("g{}", draws.below(2)),
        plain => plain.into(),
    };
    text.into_bytes()
}

const KINDS: &[&str] = &[
    "str", "bits", "hll", "list", "hash", "set", "ints", "zset", "geo", "stream",
];
/// Few, so that commands meet what others left.
const KEYS_OF_A_KIND: u64 = 3;

/// What is written, one as often as another.
const COMMANDS: &[&str] = &[
    "SET <str> <int>",
    "SET <str> <member> PX <ms>",
    "SET <any> <member> GET",
    "SETEX <str> 2 <member>",
    "MSETNX <str> <int> <str> <member>",
    "GETEX <str> PX <ms>",
    "GETDEL <str>",
    "APPEND <str> <member>",
    "SETRANGE <str> <few> <member>",
    "INCRBY <str> <int>",
    "INCRBYFLOAT <str> <float>",
    "SETBIT <bits> <int> 1",
    "BITFIELD <bits> INCRBY u5 <int> <few> OVERFLOW SAT SET i9 <int> <int>",
    "BITOP XOR <bits> <bits> <str>",
    "PFADD <hll> <member> <member> <member>",
    "PFMERGE <hll> <hll> <hll>",
    "RPUSH <list> <member> <member>",
    "LPUSH <list> <int> <member>",
    "LPUSHX <list> <member>",
    "LPOP <list> <few>",
    "RPOP <list>",
    "LINSERT <list> BEFORE <member> <int>",
    "LSET <list> 0 <member>",
    "LREM <list> -1 <member>",
    "LTRIM <list> 0 <int>",
    "LMOVE <list> <list> LEFT RIGHT",
    "LMPOP 2 <list> <list> RIGHT COUNT <few>",
    "BLPOP <list> <list> 0.05",
    "BRPOP <list> 0.2",
    "BLPOP <list> <list> 2",
    "BLMOVE <list> <list> RIGHT LEFT 0.05",
    "BLMPOP 0.05 2 <list> <list> LEFT",
    "HSET <hash> <member> <int> <member> <member>",
    "HSETNX <hash> <member> <int>",
    "HDEL <hash> <member> <member>",
    "HINCRBY <hash> <member> <int>",
    "HINCRBYFLOAT <hash> <member> <float>",
    "SADD <set> <member> <member> <int>",
    "SADD <ints> <int> <int>",
    "SREM <set> <member> <member>",
    "SPOP <set>",
    "SPOP <ints> <few>",
    "SMOVE <set> <set> <member>",
    "SUNIONSTORE <set> <set> <ints>",
    "SINTERSTORE <set> <set> <set>",
    "SDIFFSTORE <ints> <ints> <set>",
    "ZADD <zset> <int> <member> <float> <member>",
    "ZADD <zset> GT CH <int> <member>",
    "ZADD <zset> INCR <float> <member>",
    "ZINCRBY <zset> <float> <member>",
    "ZREM <zset> <member> <member>",
    "ZPOPMIN <zset> <few>",
    "ZPOPMAX <zset>",
    "ZMPOP 2 <zset> <zset> MIN COUNT <few>",
    "BZPOPMIN <zset> <zset> 0.05",
    "BZMPOP 0.05 1 <zset> MAX",
    "ZREMRANGEBYRANK <zset> 0 <few>",
    "ZREMRANGEBYSCORE <zset> <int> +inf",
    "ZRANGESTORE <zset> <zset> 0 <int>",
    "ZUNIONSTORE <zset> 3 <zset> <zset> <set> WEIGHTS 1 <float> 2 AGGREGATE MAX",
    "ZINTERSTORE <zset> 2 <zset> <zset>",
    "ZDIFFSTORE <zset> 2 <zset> <set>",
    "GEOADD <geo> <float> <float> <member>",
    "GEOSEARCHSTORE <geo> <geo> FROMLONLAT 15 37 BYRADIUS 5000 km ASC COUNT <int>",
    "XADD <stream> * <member> <int>",
    "XADD <stream> MAXLEN ~ 100 * <member> <int> f <member>",
    "XADD <stream> NOMKSTREAM MAXLEN = 5 * f <int>",
    "XTRIM <stream> MAXLEN <int>",
    "XDEL <stream> <id>",
    "XGROUP CREATE <stream> <name> 0 MKSTREAM",
    "XGROUP CREATECONSUMER <stream> <name> <name>",
    "XGROUP DELCONSUMER <stream> <name> <name>",
    "XGROUP SETID <stream> <name> $",
    "XGROUP DESTROY <stream> <name>",
    "XREADGROUP GROUP g0 c COUNT <few> STREAMS <stream> >",
    "XREADGROUP GROUP g1 d NOACK BLOCK 50 STREAMS <stream> >",
    "XREADGROUP GROUP g1 d STREAMS <stream> 0",
    "XAUTOCLAIM <stream> g0 e 0 0 COUNT <few>",
    "XACK <stream> g0 <id>",
    "XSETID <stream> 9999999999999-0",
    "SORT <list> ALPHA STORE <list>",
    "SORT <ints> DESC LIMIT 0 <int> STORE <list>",
    "EXPIRE <any> <few>",
    "PEXPIRE <any> <ms>",
    "PEXPIREAT <any> <int>",
    "PERSIST <any>",
    "RENAME <any> <any>",
    "RENAMENX <any> <any>",
    "COPY <any> <any> REPLACE",
    "COPY <any> <any> DB 1 REPLACE",
    "MOVE <any> 7",
    "DEL <any>",
    "UNLINK <any> <any>",
    "TOUCH <any>",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::Reader;

    #[test]
    fn every_word_of_every_command_is_filled() {
        let mut draws = Keys::new(1).draws(Stream::Client, 0);
        for written in COMMANDS {
            for word in written.split(' ') {
                let filled = String::from_utf8(fill(word, &mut draws)).unwrap();
                assert!(
                    !filled.contains(['<', '>']) || filled == ">",
                    "{written}: {filled}"
                );
            }
        }
    }

    #[test]
    fn a_seed_stands_for_as_many_commands_as_it_gets_replies() {
        for seed in 0..200_u64 {
            let (mut once, mut again) = (Vec::new(), Vec::new());
            let scripts = seed.is_multiple_of(2);
            let replies = encode(seed, scripts, &mut once);
            assert_eq!(replies, encode(seed, scripts, &mut again));
            assert_eq!(once, again);
            let mut reader = Reader::default();
            reader.push(&once);
            let mut commands = 0;
            while reader.next_reply().unwrap().is_some() {
                commands += 1;
            }
            assert_eq!(commands, replies);
        }
    }
}
