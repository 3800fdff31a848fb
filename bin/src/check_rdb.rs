//! `check-rdb`: reads an RDB file from its start to its end and tells what it holds, or where it
//! breaks.

use std::fs::File;
use std::io::{self, Read, Write};

use holdfast_core::config::REDIS_VERSION;
use holdfast_core::persist::rdb::{Decoder, Item, Options, RdbFault};

/// Bytes read at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// What stands in the place of a checksum that was not computed (`rdbchecksum no`).
const NO_CHECKSUM: &[u8] = &[0; 8];

/// Runs the tool; the code to exit with.
pub(crate) fn main(args: &[String]) -> u8 {
    match args {
        [flag] if flag == "--version" => {
            crate::say(&format!("redis-check-rdb {REDIS_VERSION}"));
            0
        }
        [path] => {
            let sound = check(path, now_ms(), &mut io::stdout().lock());
            u8::from(!matches!(sound, Ok(true)))
        }
        _ => {
            crate::complain("Usage: redis-check-rdb <rdb-file-name>");
            1
        }
    }
}

/// The time of day, in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
}

/// What was read so far.
#[derive(Default)]
struct Counts {
    keys: u64,
    expires: u64,
    expired: u64,
}

/// Checks one file and writes the report, as redis-check-rdb words it. Answers whether the file
/// is sound; the error is one of writing the report.
fn check(path: &str, now_ms: i64, out: &mut impl Write) -> io::Result<bool> {
    match File::open(path) {
        Ok(mut file) => Ok(check_open(path, &mut file, now_ms, out)?.is_some()),
        Err(error) => {
            writeln!(out, "[offset 0] Checking RDB file {path}")?;
            writeln!(out, "[offset 0] Cannot open the file: {error}")?;
            Ok(false)
        }
    }
}

/// As [`check`], of a file that is open and may go on behind the RDB data. Answers where that
/// ends, if it is sound.
pub(crate) fn check_open(
    path: &str,
    file: &mut impl Read,
    now_ms: i64,
    out: &mut impl Write,
) -> io::Result<Option<u64>> {
    writeln!(out, "[offset 0] Checking RDB file {path}")?;
    let mut decoder = Decoder::new(Options::default());
    let mut counts = Counts::default();
    let mut piece = vec![0; PIECE_BYTES];
    let mut tail = Vec::new();
    let fault = loop {
        match drain(&mut decoder, &mut counts, now_ms, out)? {
            Ok(true) => break None,
            Ok(false) => {}
            Err(fault) => break Some(fault),
        }
        match file.read(&mut piece) {
            Ok(0) => break decoder.finish().err(),
            Ok(len) => {
                decoder.feed(&piece[..len]);
                keep_tail(&mut tail, &piece[..len]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                writeln!(out, "[offset {}] {error}", decoder.offset())?;
                return Ok(None);
            }
        }
    };
    match &fault {
        None => {
            let at = decoder.offset();
            let read = tail.len() - decoder.rest().len().min(tail.len());
            let checksum = match tail[..read].ends_with(NO_CHECKSUM) {
                true => "RDB file was saved with checksum disabled: no check performed",
                false => "Checksum OK",
            };
            writeln!(out, "[offset {at}] {checksum}")?;
            writeln!(out, "[offset {at}] \\o/ RDB looks OK! \\o/")?;
        }
        Some(fault) => report(&decoder, *fault, out)?,
    }
    writeln!(out, "[info] {} keys read", counts.keys)?;
    writeln!(out, "[info] {} expires", counts.expires)?;
    writeln!(out, "[info] {} already expired", counts.expired)?;
    Ok(fault.is_none().then(|| decoder.offset()))
}

/// Keeps the last bytes that were read: a piece and what may belong to it of the one before.
fn keep_tail(tail: &mut Vec<u8>, piece: &[u8]) {
    tail.drain(..tail.len().saturating_sub(NO_CHECKSUM.len()));
    tail.extend_from_slice(piece);
}

/// Takes all that the decoder has; whether that was the end.
fn drain(
    decoder: &mut Decoder,
    counts: &mut Counts,
    now_ms: i64,
    out: &mut impl Write,
) -> io::Result<Result<bool, RdbFault>> {
    loop {
        let line = match decoder.next() {
            Err(fault) => return Ok(Err(fault)),
            Ok(None) => return Ok(Ok(false)),
            Ok(Some(Item::Eof)) => return Ok(Ok(true)),
            Ok(Some(Item::Aux { name, value })) => {
                let (name, value) = (name.escape_ascii(), value.escape_ascii());
                format!("AUX FIELD {name} = '{value}'")
            }
            Ok(Some(Item::SelectDb(db))) => format!("Selecting DB ID {db}"),
            Ok(Some(Item::ModuleAux { module })) => {
                format!("MODULE AUX for: {}", module.escape_ascii())
            }
            Ok(Some(Item::Key { meta, .. })) => {
                counts.keys += 1;
                if let Some(at) = meta.expire_ms {
                    counts.expires += 1;
                    counts.expired += u64::from(at < now_ms);
                }
                continue;
            }
            Ok(Some(Item::EmptyKey { .. })) => {
                counts.keys += 1;
                continue;
            }
            Ok(Some(Item::ResizeDb { .. } | Item::Function { .. })) => continue,
        };
        writeln!(out, "[offset {}] {line}", decoder.offset())?;
    }
}

fn report(decoder: &Decoder, fault: RdbFault, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "--- RDB ERROR DETECTED ---")?;
    let text = if matches!(fault, RdbFault::Truncated { .. }) {
        "Unexpected EOF reading RDB file".to_owned()
    } else {
        fault.to_string()
    };
    writeln!(out, "[offset {}] {text}", fault.offset())?;
    let place = decoder.place();
    writeln!(out, "[additional info] While doing: {}", place.doing)?;
    if let Some(key) = place.key {
        let key = key.escape_ascii();
        writeln!(out, "[additional info] Reading key '{key}'")?;
    }
    if let Some((kind, name)) = place.kind {
        writeln!(out, "[additional info] Reading type {kind} ({name})")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of Redis 7.0.15: three keys in database 0, one of which has expired, and one with a
    /// time to live in database 3.
    const SOUND: &[u8] = include_bytes!("../tests/data/redis-7.0.15.rdb");

    fn checked(bytes: &[u8]) -> (bool, String) {
        let dir = tempfile::tempdir().expect("a directory for the file");
        let path = dir.path().join("dump.rdb");
        std::fs::write(&path, bytes).expect("the file can be written");
        let name = path.display().to_string();
        let mut report = Vec::new();
        let sound = check(&name, 1_900_000_000_000, &mut report).expect("memory takes any text");
        let report = String::from_utf8(report).expect("the report is text");
        (sound, report.replace(&name, "FILE"))
    }

    #[test]
    fn a_sound_file_is_told_as_redis_check_rdb_tells_it() {
        let (sound, report) = checked(SOUND);
        assert!(sound);
        assert_eq!(
            report,
            "[offset 0] Checking RDB file FILE\n\
             [offset 27] AUX FIELD redis-ver = '7.0.15'\n\
             [offset 41] AUX FIELD redis-bits = '64'\n\
             [offset 53] AUX FIELD ctime = '1795912980'\n\
             [offset 68] AUX FIELD used-mem = '1042688'\n\
             [offset 80] AUX FIELD aof-base = '0'\n\
             [offset 82] Selecting DB ID 0\n\
             [offset 201] Selecting DB ID 3\n\
             [offset 227] Checksum OK\n\
             [offset 227] \\o/ RDB looks OK! \\o/\n\
             [info] 5 keys read\n\
             [info] 2 expires\n\
             [info] 2 already expired\n"
        );
    }

    #[test]
    fn a_file_that_was_cut_or_changed_is_told_where_it_breaks() {
        for len in 0..SOUND.len() {
            let (sound, report) = checked(&SOUND[..len]);
            assert!(!sound, "{len}");
            assert!(
                report.contains("Unexpected EOF reading RDB file\n"),
                "{report}"
            );
        }
        let (_, report) = checked(&SOUND[..120]);
        assert!(report.contains("While doing: read-key\n"), "{report}");
        assert!(
            report.ends_with("[info] 2 keys read\n[info] 0 expires\n[info] 0 already expired\n")
        );
        let mut unsigned = SOUND.to_vec();
        unsigned[SOUND.len() - 8..].fill(0);
        let (sound, report) = checked(&unsigned);
        assert!(sound && report.contains("no check performed"), "{report}");
        let mut changed = SOUND.to_vec();
        changed[SOUND.len() - 1] ^= 1;
        let (sound, report) = checked(&changed);
        assert!(!sound);
        assert!(report.contains("RDB CRC error"), "{report}");
        assert!(report.contains("While doing: check-sum\n"), "{report}");
    }

    #[test]
    fn what_is_no_file_is_told() {
        let mut report = Vec::new();
        let sound = check("/nowhere/dump.rdb", 0, &mut report);
        assert!(matches!(sound, Ok(false)));
        let report = String::from_utf8_lossy(&report);
        assert!(report.contains("No such file or directory"), "{report}");
    }
}
