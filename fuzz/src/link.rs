//! What a master sends to its replica.

use std::time::Duration;

use crate::files::{compare, split};
use crate::rig::{Files, Rig};

/// What ends a connection in an input: the next one brings what is behind it.
const CUT: &[u8] = b"--cut--";
/// Connections that an input may have; what is behind the last one's end is part of it.
const CONNECTIONS_MAX: usize = 4;

/// Has a replica read any bytes as what its master sends, answers of the handshake included: it
/// serves afterwards, as a replica and as a master, and what it holds is there after it was saved
/// and another start.
///
/// The bits of the first byte choose how a dataset is loaded, whether there is one before, and
/// whether it has an append-only file; the second how many bytes come at a time.
pub fn psync_stream(data: &[u8]) {
    if let [kind, piece, body @ ..] = data {
        let (rig, config) = replica(*kind, *piece, body);
        if rig.exit().is_none() {
            serves(rig, &config);
        }
    }
}

/// A replica whose master has sent that, and its configuration.
fn replica(kind: u8, piece: u8, body: &[u8]) -> (Rig, String) {
    let config = format!(
        "save ''\nreplicaof 10.0.0.9 6379\nrepl-diskless-load {}\nappendonly {}",
        ["disabled", "on-empty-db", "swapdb"][usize::from(kind & 3) % 3],
        if kind & 4 != 0 { "yes" } else { "no" },
    );
    let mut rig = Rig::start(&config, Files::new(), 1);
    assert_eq!(rig.exit(), None, "it starts");
    let client = rig.client();
    if kind & 8 != 0 {
        rig.ask(client, &[b"REPLICAOF", b"NO", b"ONE"]);
        rig.ask(client, &[b"RPUSH", b"before", b"1", b"2"]);
        rig.ask(client, &[b"REPLICAOF", b"10.0.0.9", b"6379"]);
    }
    rig.set_reachable(true);
    let mut rest = Some(body);
    for number in 1..=CONNECTIONS_MAX {
        let Some(bytes) = rest else { break };
        let end = bytes.windows(CUT.len()).position(|part| part == CUT);
        let end = end.filter(|_| number < CONNECTIONS_MAX);
        let (now, later) = bytes.split_at(end.unwrap_or(bytes.len()));
        rest = end.map(|_| &later[CUT.len()..]);
        // A lost master is looked for again after a second at the latest.
        for _ in 0..12 {
            if rig.link().is_none() {
                rig.pass(Duration::from_millis(100));
            }
        }
        rig.tell(now, usize::from(piece).max(1));
        rig.cut_link();
    }
    rig.set_reachable(false);
    (rig, config)
}

/// What the master has sent may have been commands that change how the server behaves.
fn serves(mut rig: Rig, config: &str) {
    let client = rig.client();
    let info = rig.ask(client, &[b"INFO", b"replication"]);
    let says = |word: &[u8]| info.windows(word.len()).any(|part| part == word);
    if !says(b"role:slave") {
        return;
    }
    rig.ask(client, &[b"REPLICAOF", b"NO", b"ONE"]);
    if rig.exit().is_some() || rig.ask(client, &[b"SET", b"k", b"v"]) != b"+OK\r\n" {
        return;
    }
    assert_eq!(rig.ask(client, &[b"GET", b"k"]), b"$1\r\nv\r\n");
    if rig.ask(client, &[b"SAVE"]) != b"+OK\r\n" {
        return;
    }
    let (all, mut files) = split(rig);
    let config = config.replace("appendonly yes", "appendonly no");
    files.retain(|path, _| path == "dump.rdb");
    if files.is_empty() {
        return;
    }
    let again = Rig::start(&config, files, 2);
    assert_eq!(again.exit(), None, "it has written this file");
    compare(&all, again.server.keys(), false);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_corpus_is_read_without_a_panic() {
        crate::corpus::replay("psync_stream", psync_stream);
    }

    #[test]
    fn changed_streams_are_read_without_a_panic() {
        crate::corpus::vary("psync_stream", psync_stream);
    }

    #[test]
    fn what_sound_streams_bring_is_there() {
        for (name, keys) in [
            ("full_from_disk", &["a", "l", "kk"][..]),
            ("full_diskless", &["a", "l", "kk"]),
            ("full_swapdb_before", &["a", "l", "kk"]),
            ("full_with_log", &["a", "l", "kk"]),
            ("continued", &["a", "l", "kk"]),
            ("continued_plain", &["a", "l", "kk", "z"]),
            ("cut_in_transfer", &["a", "l", "kk"]),
            ("cut_in_command", &["a", "l", "kk"]),
            ("refused", &["a", "l", "kk"]),
            ("bad_dataset", &["a", "l", "kk"]),
        ] {
            let path = format!("{}/corpus/psync_stream/{name}", env!("CARGO_MANIFEST_DIR"));
            let data = std::fs::read(path).expect("it is part of the source");
            let (rig, _) = replica(data[0], data[1], &data[2..]);
            assert_eq!(rig.exit(), None, "{name}");
            let db = rig.server.keys().db(0);
            assert_eq!(db.iter().count(), keys.len(), "{name}");
            for key in keys {
                assert!(db.get(key.as_bytes()).is_some(), "{key} of {name}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_are_read_without_a_panic(
            data in prop::collection::vec(any::<u8>(), 0..200)
        ) {
            psync_stream(&data);
        }
    }
}
