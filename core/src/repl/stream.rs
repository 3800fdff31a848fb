//! Turns the effects of commands into the bytes of the replication stream.

use bytes::{Bytes, BytesMut};

use super::backlog::Backlog;
use super::history::{Offset, ReplId};
use crate::limits::REPL_UNIT_BYTES_KEPT;
use crate::resp::encode;

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const GETACK: &[u8] = b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";
const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// How the effects gathered since the last flush belong together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// One command, script or transaction: more than one effect is wrapped in MULTI and EXEC.
    Atomic,
    /// Effects that happen to come together, as active expiry's and eviction's do.
    Batch,
}

/// The encoder of a master's own stream.
#[derive(Debug, Default)]
pub struct Stream {
    /// The database the stream is in; `None` makes the next effect select its own.
    selected: Option<u32>,
    effects: Vec<u8>,
    count: usize,
    first_db: u32,
    last_db: u32,
}

impl Stream {
    /// Adds an effect to the current unit.
    pub fn push<'a>(&mut self, db: u32, args: impl ExactSizeIterator<Item = &'a [u8]>) {
        if self.count == 0 {
            assert!(self.effects.is_empty());
            self.first_db = db;
        } else if db != self.last_db {
            select(&mut self.effects, db);
        }
        self.last_db = db;
        self.count += 1;
        encode(&mut self.effects, args);
    }

    /// Ends the current unit: puts its effects into the stream, if there is one, and into the
    /// log. Answers how many bytes the stream has got.
    pub fn flush(
        &mut self,
        unit: Unit,
        out: Option<&mut Backlog>,
        log: Option<&mut LogStream>,
    ) -> usize {
        if self.count == 0 {
            return 0;
        }
        if let Some(log) = log {
            log.stamp();
            self.write(unit, log.selected, |bytes| {
                log.bytes.extend_from_slice(bytes)
            });
            log.selected = Some(self.last_db);
        }
        let mut len = 0;
        if let Some(out) = out {
            let before = out.end();
            self.write(unit, self.selected, |bytes| out.append(bytes));
            self.selected = Some(self.last_db);
            len = usize::try_from(out.end().since(before)).expect("it was in memory at once");
        }
        self.clear();
        len
    }

    /// Writes the current unit behind what has selected a database.
    fn write(&self, unit: Unit, selected: Option<u32>, mut out: impl FnMut(&[u8])) {
        let wrapped = self.count > 1 && unit == Unit::Atomic;
        if wrapped {
            out(MULTI);
        }
        if selected != Some(self.first_db) {
            let mut command = Vec::with_capacity(32);
            select(&mut command, self.first_db);
            out(&command);
        }
        out(&self.effects);
        if wrapped {
            out(EXEC);
        }
    }

    /// Throws the current unit away: nobody could follow this history anyhow.
    pub fn clear(&mut self) {
        self.count = 0;
        self.effects.clear();
        if self.effects.capacity() > REPL_UNIT_BYTES_KEPT {
            self.effects = Vec::new();
        }
    }

    /// Makes the next effect select its database, whichever it is.
    pub const fn force_select(&mut self) {
        self.selected = None;
    }

    /// Goes on in the database that the stream so far has selected.
    pub const fn resume(&mut self, db: Option<u32>) {
        self.selected = db;
    }

    /// The database the stream is in.
    #[must_use]
    pub const fn selected(&self) -> Option<u32> {
        self.selected
    }

    /// Whether the current unit has no effect yet.
    #[must_use]
    pub const fn is_flushed(&self) -> bool {
        self.count == 0
    }
}

/// The same effects on their way to the append-only file, which has a database of its own
/// selected and no commands between servers.
#[derive(Debug, Default)]
pub struct LogStream {
    /// The database that what was taken last has selected.
    selected: Option<u32>,
    bytes: BytesMut,
    stamps: Option<Stamps>,
    /// The place that was noted last in this file, behind everything so far.
    noted: Option<(ReplId, Offset)>,
}

/// Annotations of time (`aof-timestamp-enabled`), in seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Stamps {
    now: i64,
    /// The last one written.
    written: i64,
}

impl LogStream {
    /// Tells the time, if it is to be noted.
    pub fn set_time(&mut self, secs: Option<i64>) {
        self.stamps = secs.map(|now| Stamps {
            now,
            ..self.stamps.unwrap_or_default()
        });
    }

    /// Notes where in the replication stream the dataset is, unless the last note says so. Redis
    /// skips such lines.
    pub fn note_place(&mut self, replid: ReplId, offset: Offset, db: u32) {
        if self.noted != Some((replid, offset)) {
            self.noted = Some((replid, offset));
            let note = format!("{PLACE_NOTE}{replid}:{offset}:{db}\r\n");
            self.bytes.extend_from_slice(note.as_bytes());
        }
    }

    /// Whether the last note names this place, and nothing has changed since.
    #[must_use]
    pub fn is_noted(&self, replid: ReplId, offset: Offset) -> bool {
        self.noted == Some((replid, offset))
    }

    /// Takes everything there is.
    #[must_use]
    pub fn take(&mut self) -> Bytes {
        // What follows takes the same room again once this is written, unless it is much.
        if self.bytes.len() <= REPL_UNIT_BYTES_KEPT {
            self.bytes.split().freeze()
        } else {
            core::mem::take(&mut self.bytes).freeze()
        }
    }

    /// What comes next begins a file.
    pub const fn begin_file(&mut self) {
        self.selected = None;
        self.noted = None;
    }

    /// Bytes that were not taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether everything was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn stamp(&mut self) {
        self.noted = None;
        if let Some(stamps) = &mut self.stamps
            && stamps.written < stamps.now
        {
            stamps.written = stamps.now;
            self.bytes
                .extend_from_slice(format!("#TS:{}\r\n", stamps.now).as_bytes());
        }
    }
}

/// Reads a line that [`LogStream::note_place`] has written: the id, the offset and the database.
#[must_use]
pub fn read_place(line: &[u8]) -> Option<(ReplId, Offset, u32)> {
    let text = core::str::from_utf8(line).ok()?.trim_end();
    let mut fields = text.strip_prefix(PLACE_NOTE)?.split(':');
    let replid = ReplId::parse(fields.next()?.as_bytes())?;
    let offset = Offset::new(fields.next()?.parse().ok()?)?;
    let db = fields.next()?.parse().ok()?;
    fields.next().is_none().then_some((replid, offset, db))
}

/// What such a line begins with.
const PLACE_NOTE: &str = "#REPL:";

/// Puts a PING into the stream. Answers how many bytes that was.
pub fn ping(out: &mut Backlog) -> usize {
    out.append(PING);
    PING.len()
}

/// Asks every replica for an acknowledgement. Answers how many bytes that was.
pub fn getack(out: &mut Backlog) -> usize {
    out.append(GETACK);
    GETACK.len()
}

fn select(out: &mut Vec<u8>, db: u32) {
    let mut digits = itoa::Buffer::new();
    let args: [&[u8]; 2] = [b"SELECT", digits.format(db).as_bytes()];
    encode(out, args.into_iter());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Slices;

    struct Fixture {
        stream: Stream,
        backlog: Backlog,
        read: Offset,
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                stream: Stream::default(),
                backlog: Backlog::new(Offset::START, 1024 * 1024),
                read: Offset::START,
            }
        }

        fn push(&mut self, db: u32, line: &str) {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            self.stream.push(db, args.into_iter());
        }

        /// What was put into the stream since the last call, one word per bulk.
        fn flush(&mut self, unit: Unit) -> String {
            let len = self.stream.flush(unit, Some(&mut self.backlog), None);
            let mut slices = Slices::new();
            self.backlog.slices(self.read, &mut slices);
            let bytes: Vec<u8> = slices.iter().flat_map(|s| s.to_vec()).collect();
            assert_eq!(bytes.len(), len);
            self.read = self.backlog.end();
            let text = String::from_utf8(bytes).unwrap();
            let words = text.split("\r\n").filter(|w| !w.starts_with(['*', '$']));
            words.collect::<Vec<_>>().join(" ").trim_end().to_owned()
        }
    }

    #[test]
    fn one_effect_goes_bare_and_only_a_change_of_database_selects() {
        let mut f = Fixture::new();
        f.push(0, "SET a 1");
        assert_eq!(f.flush(Unit::Atomic), "SELECT 0 SET a 1");
        f.push(0, "SET b 1");
        assert_eq!(f.flush(Unit::Atomic), "SET b 1");
        f.push(5, "SET c 1");
        assert_eq!(f.flush(Unit::Atomic), "SELECT 5 SET c 1");
    }

    #[test]
    fn several_effects_are_one_transaction_with_the_selects_in_it() {
        let mut f = Fixture::new();
        f.push(3, "SET a 1");
        f.push(4, "SET b 2");
        assert_eq!(
            f.flush(Unit::Atomic),
            "MULTI SELECT 3 SET a 1 SELECT 4 SET b 2 EXEC"
        );
        f.push(4, "SET c 1");
        assert_eq!(f.flush(Unit::Atomic), "SET c 1");
    }

    #[test]
    fn a_batch_is_not_wrapped() {
        let mut f = Fixture::new();
        f.push(0, "DEL a");
        f.push(1, "DEL b");
        assert_eq!(f.flush(Unit::Batch), "SELECT 0 DEL a SELECT 1 DEL b");
    }

    #[test]
    fn an_empty_unit_leaves_no_trace() {
        let mut f = Fixture::new();
        assert_eq!(f.flush(Unit::Atomic), "");
        assert_eq!(f.backlog.end(), Offset::START);
    }

    #[test]
    fn a_forced_select_is_sent_even_for_the_same_database() {
        let mut f = Fixture::new();
        f.push(2, "SET a 1");
        f.flush(Unit::Atomic);
        f.stream.force_select();
        f.push(2, "SET a 2");
        assert_eq!(f.flush(Unit::Atomic), "SELECT 2 SET a 2");
    }

    #[test]
    fn the_log_selects_for_itself_and_notes_the_time_once() {
        let mut f = Fixture::new();
        let mut log = LogStream::default();
        log.set_time(Some(7));
        f.push(2, "SET a 1");
        f.flush(Unit::Atomic);
        for line in ["SET b 1", "SET c 1"] {
            f.push(2, line);
            f.stream.flush(Unit::Atomic, None, Some(&mut log));
        }
        let command = |text: &str| {
            let mut bytes = Vec::new();
            encode(
                &mut bytes,
                text.split(' ')
                    .map(str::as_bytes)
                    .collect::<Vec<_>>()
                    .into_iter(),
            );
            bytes
        };
        let first = [
            b"#TS:7\r\n".to_vec(),
            command("SELECT 2"),
            command("SET b 1"),
            command("SET c 1"),
        ];
        assert_eq!(log.take(), first.concat());
        log.begin_file();
        f.push(2, "SET d 1");
        f.stream.flush(Unit::Atomic, None, Some(&mut log));
        assert_eq!(
            log.take(),
            [command("SELECT 2"), command("SET d 1")].concat()
        );
        f.push(2, "SET e 1");
        assert_eq!(f.flush(Unit::Atomic), "SET e 1", "the stream has its own");
    }

    #[test]
    fn the_log_notes_each_place_once_behind_what_leads_to_it() {
        let replid = ReplId::parse(&[b'a'; 40]).unwrap();
        let mut f = Fixture::new();
        let mut log = LogStream::default();
        log.note_place(replid, Offset::new(7).unwrap(), 3);
        assert!(log.is_noted(replid, Offset::new(7).unwrap()));
        log.note_place(replid, Offset::new(7).unwrap(), 3);
        let line = log.take();
        assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
        let place = (replid, Offset::new(7).unwrap(), 3);
        assert_eq!(read_place(&line), Some(place));
        f.push(0, "SET a 1");
        f.stream.flush(Unit::Atomic, None, Some(&mut log));
        assert!(!log.is_noted(replid, Offset::new(7).unwrap()));
        for bad in ["#REPL:", "#TS:1", "#REPL:a:1:0", "#REPL:x"] {
            assert_eq!(read_place(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn ping_and_getack_need_no_database() {
        let mut backlog = Backlog::new(Offset::START, 16 * 1024);
        assert_eq!(ping(&mut backlog) + getack(&mut backlog), 14 + 37);
        assert_eq!(backlog.end().get(), 51);
    }
}
