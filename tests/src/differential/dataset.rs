//! What two servers hold: compared key by key, and exchanged by DUMP and RESTORE.

use std::collections::BTreeMap;
use std::io;

use super::reply::Reply;
use super::rules::{Peer, STREAM_FIELDS, accepted, sorted, sorted_pairs, without};
use super::run::Difference;
use super::sequence::{Words, quoted};
use super::server::{Link, Server};

/// Databases of a server.
const DBS: usize = 16;
/// Milliseconds that two expiry times may be apart.
const TOLERANCE_MS: i64 = 2_000;

/// Where a key is.
type Place = (usize, Vec<u8>);

/// What a key holds.
#[derive(Clone, Debug)]
struct Held {
    kind: Reply,
    encoding: Reply,
    expires: i64,
    dump: Vec<u8>,
    content: Vec<Reply>,
}

/// The first difference between what two servers hold, if there is one.
pub(super) fn compare(ours: &mut Server, theirs: &mut Server) -> io::Result<Option<Difference>> {
    let peer = theirs.peer();
    let (our_keys, their_keys) = (keys(ours.control())?, keys(theirs.control())?);
    if our_keys != their_keys {
        return Ok(Some(different_keys(&our_keys, &their_keys)));
    }
    let (held, other) = (
        read(ours.control(), &our_keys)?,
        read(theirs.control(), &our_keys)?,
    );
    for (place, held) in &held {
        if let Some(difference) = different(place, held, &other[place], peer) {
            return Ok(Some(difference));
        }
    }
    exchange(ours, theirs, &held, &other)
}

/// All that a server holds: a line for each key, with its database, type, time of expiry in
/// milliseconds and content. Servers of different versions show the same as the same.
pub(crate) fn contents(server: &mut Link) -> io::Result<Vec<String>> {
    let places = keys(server)?;
    let held = read(server, &places)?;
    let line = |((db, key), held): (&Place, &Held)| {
        let kind = held.kind.show();
        let content: String = match held.kind.text() {
            b"zset" => held.content.iter().map(scores).collect(),
            _ => held.content.iter().map(Reply::show).collect(),
        };
        let key = key.escape_ascii();
        format!("{db} {key} {kind} {} {content}", held.expires)
    };
    Ok(held.iter().map(line).collect())
}

/// Members with their scores, which Redis 7.0 writes with 17 digits.
fn scores(reply: &Reply) -> String {
    let pairs = reply.items().chunks_exact(2);
    let shown = pairs.map(|pair| {
        let score = String::from_utf8_lossy(pair[1].text()).parse::<f64>();
        format!("{} {score:?} ", pair[0].show())
    });
    shown.collect()
}

fn different_keys(ours: &[Place], theirs: &[Place]) -> Difference {
    let only = |these: &[Place], those: &[Place]| {
        let only = these.iter().filter(|place| !those.contains(place));
        let shown: Vec<String> = only
            .map(|(db, key)| format!("{} in database {db}", key.escape_ascii()))
            .collect();
        format!("keys that the other has not: {shown:?}")
    };
    Difference {
        command: "KEYS *".to_owned(),
        ours: only(ours, theirs),
        theirs: only(theirs, ours),
    }
}

fn words(words: &[&[u8]]) -> Words {
    words.iter().map(|word| word.to_vec()).collect()
}

fn select(db: usize) -> Words {
    words(&[b"SELECT", db.to_string().as_bytes()])
}

fn keys(server: &mut Link) -> io::Result<Vec<Place>> {
    let commands = (0..DBS).flat_map(|db| [select(db), words(&[b"KEYS", b"*"])]);
    let replies = server.ask_all(&commands.collect::<Vec<_>>())?;
    let lists = replies.iter().skip(1).step_by(2).enumerate();
    let mut keys: Vec<Place> = lists
        .flat_map(|(db, list)| {
            let keys = list.items().iter().map(Reply::text);
            keys.map(move |key| (db, key.to_vec()))
        })
        .collect();
    keys.sort_unstable();
    Ok(keys)
}

fn read(server: &mut Link, places: &[Place]) -> io::Result<BTreeMap<Place, Held>> {
    const EACH: usize = 5;
    let mut commands = Vec::with_capacity(places.len() * EACH);
    for (db, key) in places {
        commands.extend([
            select(*db),
            words(&[b"TYPE", key]),
            words(&[b"OBJECT", b"ENCODING", key]),
            words(&[b"PEXPIRETIME", key]),
            words(&[b"DUMP", key]),
        ]);
    }
    let told = server.ask_all(&commands)?;
    let mut commands = Vec::new();
    for (told, (db, key)) in told.chunks_exact(EACH).zip(places) {
        commands.push(select(*db));
        commands.extend(readers(told[1].text(), key));
    }
    let mut contents = server.ask_all(&commands)?.into_iter();
    let mut all = BTreeMap::new();
    for (told, place) in told.chunks_exact(EACH).zip(places) {
        let kind = told[1].text();
        let count = readers(kind, &place.1).len();
        contents.next().expect("SELECT was answered");
        let content = contents.by_ref().take(count);
        let content = content.map(|reply| normal(kind, &reply)).collect();
        let held = Held {
            kind: told[1].clone(),
            encoding: told[2].clone(),
            expires: told[3].int().unwrap_or(i64::MIN),
            dump: told[4].text().to_vec(),
            content,
        };
        all.insert(place.clone(), held);
    }
    Ok(all)
}

/// What shows all there is to a value.
fn readers(kind: &[u8], key: &[u8]) -> Vec<Words> {
    match kind {
        b"string" => vec![words(&[b"GET", key])],
        b"list" => vec![words(&[b"LRANGE", key, b"0", b"-1"])],
        b"set" => vec![words(&[b"SMEMBERS", key])],
        b"hash" => vec![words(&[b"HGETALL", key])],
        b"zset" => vec![words(&[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"])],
        b"stream" => vec![
            words(&[b"XRANGE", key, b"-", b"+"]),
            words(&[b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"]),
        ],
        _ => Vec::new(),
    }
}

fn normal(kind: &[u8], reply: &Reply) -> Reply {
    let items: Vec<Reply> = match kind {
        b"set" => sorted(reply).into_iter().cloned().collect(),
        b"hash" => sorted_pairs(reply).concat(),
        b"stream" => return without(reply, STREAM_FIELDS),
        _ => return reply.clone(),
    };
    Reply::List(reply.kind(), items)
}

/// The first reply in which two values differ, with the command.
fn different_content<'a>(
    key: &[u8],
    ours: &'a Held,
    theirs: &'a Held,
    peer: Peer,
) -> Option<(Words, &'a Reply, &'a Reply)> {
    let pairs = ours.content.iter().zip(&theirs.content);
    let mut all = readers(ours.kind.text(), key).into_iter().zip(pairs);
    all.find_map(|(command, (one, two))| {
        let same = one == two || accepted(&command, one, two, peer).is_some();
        (!same).then_some((command, one, two))
    })
}

fn different(place: &Place, ours: &Held, theirs: &Held, peer: Peer) -> Option<Difference> {
    let (db, key) = place;
    let told = |command: Words, ours: String, theirs: String| {
        Some(Difference {
            command: format!("{} (database {db}, at the end)", quoted(&command)),
            ours,
            theirs,
        })
    };
    if ours.kind != theirs.kind {
        return told(words(&[b"TYPE", key]), ours.kind.show(), theirs.kind.show());
    }
    if let Some((command, one, two)) = different_content(key, ours, theirs, peer) {
        return told(command, one.show(), two.show());
    }
    let encoding = words(&[b"OBJECT", b"ENCODING", key]);
    if ours.encoding != theirs.encoding
        && accepted(&encoding, &ours.encoding, &theirs.encoding, peer).is_none()
    {
        return told(encoding, ours.encoding.show(), theirs.encoding.show());
    }
    let apart = ours.expires.saturating_sub(theirs.expires).saturating_abs();
    let forever = ours.expires < 0 || theirs.expires < 0;
    if apart > if forever { 0 } else { TOLERANCE_MS } {
        let command = words(&[b"PEXPIRETIME", key]);
        return told(
            command,
            ours.expires.to_string(),
            theirs.expires.to_string(),
        );
    }
    None
}

/// Restores each key from the other server's payload, and compares what came of it.
fn exchange(
    ours: &mut Server,
    theirs: &mut Server,
    held: &BTreeMap<Place, Held>,
    other: &BTreeMap<Place, Held>,
) -> io::Result<Option<Difference>> {
    let twin = |key: &[u8]| [b"~", key].concat();
    let mut replies = Vec::new();
    for (server, dumps) in [(&mut *ours, other), (&mut *theirs, held)] {
        let commands = dumps.iter().flat_map(|((db, key), held)| {
            let restore = words(&[b"RESTORE", &twin(key), b"0", &held.dump, b"REPLACE"]);
            [select(*db), restore]
        });
        replies.push(server.ask_all(&commands.collect::<Vec<_>>())?);
    }
    let restored = |replies: &[Reply], at: usize| replies[at * 2 + 1].text() == b"OK";
    for (at, (place, held)) in held.iter().enumerate() {
        if restored(&replies[0], at) && restored(&replies[1], at) {
            continue;
        }
        let payloads = [&other[place].dump, &held.dump].map(|dump| dump.escape_ascii().to_string());
        return Ok(Some(Difference {
            command: format!("RESTORE of the other's DUMP of {}", place.1.escape_ascii()),
            ours: format!("{} for {}", replies[0][at * 2 + 1].show(), payloads[0]),
            theirs: format!("{} for {}", replies[1][at * 2 + 1].show(), payloads[1]),
        }));
    }
    let twins: Vec<Place> = held.keys().map(|(db, key)| (*db, twin(key))).collect();
    let (back, there) = (
        read(ours.control(), &twins)?,
        read(theirs.control(), &twins)?,
    );
    let peer = theirs.peer();
    for (place, held) in &back {
        let found = different(place, held, &there[place], peer);
        if let Some(mut difference) = found {
            difference
                .command
                .push_str(", restored from the other's DUMP");
            return Ok(Some(difference));
        }
        let original = &other[&(place.0, place.1[1..].to_vec())];
        if different_content(&place.1, held, original, peer).is_some() {
            return Ok(Some(Difference {
                command: format!("RESTORE of the other's DUMP of {}", place.1.escape_ascii()),
                ours: held.content.iter().map(Reply::show).collect(),
                theirs: original.content.iter().map(Reply::show).collect(),
            }));
        }
    }
    Ok(None)
}
