//! What is read at a start or restored, by a whole server: the append-only file, its manifest,
//! and payloads of RESTORE.

use holdfast_core::keyspace::Keyspace;
use holdfast_core::persist::aof::manifest::{BaseForm, Manifest};
use holdfast_core::value::ValueRef;

use crate::rdb::{same, sealed};
use crate::rig::{Files, Rig};

const DIR: &str = "appendonlydir/appendonly.aof";

/// Starts from any bytes as the append-only file: the server serves or ends, and what it serves
/// is there after another start, and after a rewrite in either form and another start.
///
/// The bits of the first byte choose what the rest is: the single file of a server before 7.0, or
/// a base and a file behind it, divided at the second byte; which form a base has; and whether
/// what is cut may be cut off.
pub fn aof_loader(data: &[u8]) {
    let [kind, at, body @ ..] = data else {
        return;
    };
    let plain = kind & 2 != 0;
    let config = format!(
        "appendonly yes\nsave ''\naof-load-truncated {}\naof-use-rdb-preamble {}",
        if kind & 4 != 0 { "yes" } else { "no" },
        if plain { "no" } else { "yes" },
    );
    let mut files = Files::new();
    if kind & 1 == 0 {
        files.insert("appendonly.aof".to_owned(), body.to_vec());
    } else {
        let (base, incr) = body.split_at(body.len().min(usize::from(*at) * 4));
        let manifest = "file appendonly.aof.1.base.rdb seq 1 type b\n\
                        file appendonly.aof.1.incr.aof seq 1 type i\n";
        files.insert(format!("{DIR}.manifest"), manifest.into());
        files.insert(format!("{DIR}.1.base.rdb"), base.to_vec());
        files.insert(format!("{DIR}.1.incr.aof"), incr.to_vec());
    }
    let first = Rig::start(&config, files, 1);
    if first.exit().is_some() || changes_the_server(body) {
        return;
    }
    assert!(!first.server.state().persist.is_loading(), "it serves");
    let (first, files) = split(first);
    let mut second = Rig::start(&config, files, 2);
    assert_eq!(second.exit(), None, "it has served from these files");
    compare(&first, second.server.keys(), false);
    let client = second.client();
    second.ask(client, &[b"BGREWRITEAOF"]);
    let (_, files) = split(second);
    let third = Rig::start(&config, files, 3);
    assert_eq!(third.exit(), None, "it has written these files");
    compare(&first, third.server.keys(), true);
}

/// The dataset of a server, and its files.
pub(crate) fn split(rig: Rig) -> (Vec<(usize, Vec<u8>, holdfast_core::value::Value)>, Files) {
    let mut all = Vec::new();
    for (number, db) in rig.server.keys().dbs().iter().enumerate() {
        for entry in db.iter() {
            all.push((number, entry.key().to_vec(), entry.value().to_value()));
        }
    }
    (all, rig.into_files())
}

/// A rewritten file does not say when a consumer was active, and a file may know of pending entries
/// that commands can't bring back: some that never were.
pub(crate) fn compare(
    all: &[(usize, Vec<u8>, holdfast_core::value::Value)],
    copy: &Keyspace,
    rewritten: bool,
) {
    assert_eq!(copy.len(), all.len());
    for (db, key, value) in all {
        let copied = copy.db(*db).get(key).expect("every key is there");
        let stream = matches!(value.as_ref(), ValueRef::Stream(_));
        assert!((stream && rewritten) || same(&copied.value().to_value(), value));
    }
}

/// Whether the commands may change how the server behaves, and not only its dataset, or what they
/// do depends on chance or time.
fn changes_the_server(body: &[u8]) -> bool {
    const WORDS: [&[u8]; 10] = [
        b"config",
        b"replicaof",
        b"slaveof",
        b"shutdown",
        b"debug",
        b"failover",
        b"rewrite",
        b"client",
        b"expire",
        b"spop",
    ];
    let text = body.to_ascii_lowercase();
    WORDS
        .iter()
        .any(|word| text.windows(word.len()).any(|part| part == *word))
}

/// Reads any bytes as a manifest, and what it understood after writing it again. The names of
/// files to come are those of no file there is.
pub fn aof_manifest(data: &[u8]) {
    let Ok(manifest) = Manifest::parse(data) else {
        return;
    };
    let text = manifest.encode();
    if !text.is_empty() {
        assert_eq!(Manifest::parse(&text).as_ref(), Ok(&manifest));
    }
    let last = manifest.incr().last().map_or(0, |part| part.seq);
    let base = manifest.base().map_or(0, |part| part.seq);
    let gone = manifest.history().iter().map(|part| part.seq).max();
    // What follows the last number there is, no server makes.
    if last.max(base).max(gone.unwrap_or(0)) == u64::MAX {
        return;
    }
    let incr = manifest.next_incr("appendonly.aof");
    assert!(incr.seq > last);
    for form in [BaseForm::Rdb, BaseForm::Commands] {
        let base = manifest.next_base("appendonly.aof", form);
        let next = manifest.with_incr(incr.clone()).rebased(base, Some(&incr));
        assert_eq!(Manifest::parse(&next.encode()), Ok(next.clone()));
        assert_eq!(next.parts().count(), 2);
        let all = manifest.parts().count() + manifest.history().len();
        assert_eq!(next.history().len(), all);
    }
}

/// Restores any payload and runs commands on what came of it: none of them fails in a way that
/// ends the server, and a dump of it restores to the same.
///
/// The first byte chooses which command comes first; the second whether the footer is made sound.
pub fn restore(data: &[u8]) {
    let [first, sound, body @ ..] = data else {
        return;
    };
    let payload = if sound % 4 == 0 {
        body.to_vec()
    } else {
        sealed(body)
    };
    let mut rig = Rig::start("save ''", Files::new(), 1);
    let client = rig.client();
    let reply = rig.ask(client, &[b"RESTORE", b"k", b"0", &payload]);
    if reply.first() == Some(&b'-') {
        assert!(rig.server.keys().is_empty(), "what failed has done nothing");
        return;
    }
    let dumped = rig.ask(client, &[b"DUMP", b"k"]);
    let start = dumped
        .iter()
        .position(|&byte| byte == b'\n')
        .expect("a bulk string");
    let dumped = &dumped[start + 1..dumped.len() - 2];
    assert_eq!(
        rig.ask(client, &[b"RESTORE", b"copy", b"0", dumped]),
        b"+OK\r\n"
    );
    let key = |name: &[u8]| {
        rig.server
            .keys()
            .db(0)
            .get(name)
            .map(|e| e.value().to_value())
    };
    let (value, copy) = (
        key(b"k").expect("it is there"),
        key(b"copy").expect("so is it"),
    );
    assert!(same(&value, &copy));
    let commands: Vec<&str> = COMMANDS.lines().collect();
    for at in 0..commands.len() {
        let line = commands[(usize::from(*first) + at) % commands.len()];
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        rig.ask(client, &words);
        assert_eq!(rig.exit(), None, "{line}");
    }
}

const COMMANDS: &str = "\
OBJECT ENCODING k
MEMORY USAGE k
COPY k other REPLACE
LRANGE k 0 -1
LPUSH k x
LINSERT k AFTER x y
LSET k -1 z
LREM k 0 x
LPOP k 2
RPOP k
LTRIM k 1 -2
LPOS k x
SMEMBERS k
SADD k x 17
SRANDMEMBER k 5
SSCAN k 0
SPOP k 2
SREM k x
SINTER k copy
SORT k ALPHA
ZRANGE k 0 -1 WITHSCORES
ZADD k 1.5 x
ZINCRBY k 2 x
ZRANK k x
ZRANGEBYSCORE k -inf inf
ZPOPMIN k 2
ZREM k x
ZSCAN k 0
HGETALL k
HSET k x y
HINCRBY k n 3
HRANDFIELD k 3
HSCAN k 0
HDEL k x
XRANGE k - +
XREVRANGE k + -
XINFO STREAM k FULL
XADD k * a b
XGROUP CREATE k new 0
XREADGROUP GROUP new c STREAMS k >
XAUTOCLAIM k new d 0 0
XPENDING k new
XDEL k 1-1
XTRIM k MAXLEN 1
GET k
APPEND k x
SETRANGE k 5 x
BITCOUNT k
INCR k
PFCOUNT k
PFADD k x
GETRANGE k 0 -1
DEL k
DEL other";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_corpora_are_read_without_a_panic() {
        crate::corpus::replay("aof_loader", aof_loader);
        crate::corpus::replay("aof_manifest", aof_manifest);
        crate::corpus::replay("restore", restore);
    }

    #[test]
    fn changed_append_only_files_are_read_without_a_panic() {
        crate::corpus::vary("aof_loader", aof_loader);
    }

    #[test]
    fn changed_manifests_are_read_without_a_panic() {
        crate::corpus::vary("aof_manifest", aof_manifest);
    }

    #[test]
    fn changed_payloads_are_restored_without_a_panic() {
        crate::corpus::vary("restore", restore);
    }

    #[test]
    fn what_a_sound_file_holds_is_served() {
        let file = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*1";
        for truncated in [false, true] {
            let config = format!(
                "appendonly yes\naof-load-truncated {}",
                if truncated { "yes" } else { "no" }
            );
            let files = Files::from([("appendonly.aof".to_owned(), file.to_vec())]);
            let rig = Rig::start(&config, files, 1);
            assert_eq!(rig.exit(), (!truncated).then_some(1));
            assert_eq!(rig.server.keys().len(), 1);
        }
        for kind in 0..8 {
            aof_loader(&[&[kind, 5], &file[..]].concat());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_read_without_a_panic(
            data in prop::collection::vec(any::<u8>(), 0..120)
        ) {
            aof_loader(&data);
            aof_manifest(&data);
            restore(&data);
        }
    }
}
