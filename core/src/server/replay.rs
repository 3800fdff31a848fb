//! Runs what the append-only file holds, through the same path as a client's commands.

use bytes::{Buf as _, Bytes};

use super::Server;
use super::blocked::Wait;
use super::client::{Client, ClientFlags};
use super::loading::{FILE, Loading, Progress, Source, Why, place_of};
use super::state::{Purpose, State};
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::conn::Input;
use crate::limits::{self, AOF_MANIFEST_LINE_BYTES_MAX as ANNOTATION_BYTES_MAX};
use crate::machine::{ConnId, Now};
use crate::persist::aof::load::{AofEnd, AofFault, AofLoad, AofState, Tail};
use crate::persist::pace::Pace;
use crate::repl::node::Place;
use crate::repl::stream::read_place;
use crate::resp::{ArgvRef, ParseLimits, Sender};

/// The append-only file being loaded.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) load: AofLoad,
    /// Bytes of the current file that are not run yet.
    input: Input,
    /// Those behind them, if commands wait for their time.
    held: Option<Bytes>,
    /// The client that its commands are run by.
    conn: ConnId,
    /// Where in the file the last whole command ends that was outside any transaction.
    valid: u64,
    /// Behind that and what is cut there were only zeros so far: a loss of power can leave them
    /// where a file had grown but its last bytes had not come to the disk.
    zeros: bool,
    /// Where in a replication stream the dataset is after what was run, if that is known.
    place: Option<Place>,
    /// The dataset that there is goes as soon as a log was found.
    replaces: bool,
    part_started: Now,
}

impl Replay {
    pub(super) fn progress(&self) -> Progress {
        Progress {
            read: self.load.read(),
            total: self.load.total(),
            used_memory: self.load.loaded().map_or(0, |loaded| loaded.used_memory),
        }
    }

    /// Whether commands that were read wait for their time.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Whether the dataset that there is has to go before the next step.
    pub(super) fn takes_place_of_dataset(&mut self) -> bool {
        let now = self.replaces && self.load.current().is_some();
        self.replaces &= !now;
        now
    }
}

impl Cx<'_> {
    /// DEBUG LOADAOF: replies when the dataset is loaded anew from the append-only file.
    pub fn wait_for_replay(&mut self) -> Result<(), Fail> {
        let st = &mut *self.data.st;
        // What the stream brings meanwhile could not be run.
        if st.is_replica() || st.is_loading() {
            return Err(LOAD_FAILED);
        }
        st.aof.want_replay();
        let conn = self.data.conn;
        self.data.st.block(conn, Wait::Replay);
        Ok(())
    }
}

impl State {
    /// Whether commands of the append-only file are being run.
    pub(super) fn is_replaying(&self) -> bool {
        let loading = self.persist.loading.as_ref();
        loading.is_some_and(|loading| matches!(loading.source, Source::Aof(_)))
    }
}

impl Server {
    /// Begins to load the append-only file.
    pub(super) fn start_replay(&mut self, why: Why) {
        let now = self.st.now;
        let id = self.st.next_client_id();
        let flags = ClientFlags::LOADER.and(ClientFlags::AUTHENTICATED);
        let client = Client::new(id, now.mono, flags);
        let conn = self.st.conns.insert(None, client);
        let options = self.st.decode_options();
        let names = self.st.aof_names();
        let (load, op) = AofLoad::start(FILE, names, options, now.wall);
        self.st.effects.disk(Purpose::Load, op);
        assert!(
            self.st.persist.loading.is_none(),
            "one dataset is loaded at a time"
        );
        let replay = Replay {
            load,
            input: Input::default(),
            held: None,
            conn,
            valid: 0,
            zeros: false,
            place: None,
            replaces: why == Why::Asked,
            part_started: now,
        };
        self.st.persist.loading = Some(Loading {
            source: Source::Aof(Box::new(replay)),
            why,
            started: now,
            pace: Pace::new(now.mono),
        });
    }

    /// Goes on from a state of the load, with no more than so many commands; whether there is more
    /// to do at once.
    pub(super) fn replay_on(&mut self, mut state: AofState, left: &mut usize) -> bool {
        loop {
            let mut ops = Vec::new();
            state = match state {
                AofState::Waiting => return false,
                AofState::Ready => return true,
                AofState::Commands(bytes) => match self.replay_commands(bytes, left) {
                    Ok(()) => return true,
                    Err(why) => self.replay().load.fail(why, &mut ops),
                },
                AofState::PartOver => {
                    let tail = self.end_part();
                    let may_truncate = self.st.config.aof_load_truncated();
                    self.replay().load.part_over(tail, may_truncate, &mut ops)
                }
                AofState::Over(end) => {
                    self.replay_ended(end);
                    return false;
                }
            };
            self.st.ask_for_load(ops);
        }
    }

    fn replay(&mut self) -> &mut Replay {
        match self.st.persist.loading.as_mut().map(|l| &mut l.source) {
            Some(Source::Aof(replay)) => replay,
            Some(Source::Rdb(_)) | None => unreachable!("the append-only file is being loaded"),
        }
    }

    /// Goes on with commands that had to wait; whether there is more to do at once.
    pub(super) fn replay_held(&mut self, left: &mut usize) -> bool {
        let bytes = self.replay().held.take();
        let bytes = bytes.expect("commands wait for their time");
        let mut input = core::mem::take(&mut self.replay().input);
        let result = self.replay_input(&mut input, left);
        self.replay().input = input;
        match result.and_then(|()| self.replay_piece(bytes, left)) {
            Ok(()) => true,
            Err(why) => {
                let mut ops = Vec::new();
                let state = self.replay().load.fail(why, &mut ops);
                self.st.ask_for_load(ops);
                self.replay_on(state, left)
            }
        }
    }

    fn replay_commands(&mut self, bytes: Bytes, left: &mut usize) -> Result<(), AofFault> {
        let replay = self.replay();
        if let Some(point) = replay.load.take_repl_point() {
            replay.place = place_of(point);
        }
        self.replay_piece(bytes, left)
    }

    /// Runs the commands that end within these bytes, and holds the rest if they are too many.
    fn replay_piece(&mut self, mut bytes: Bytes, left: &mut usize) -> Result<(), AofFault> {
        if self.replay().zeros {
            return self.only_zeros(&bytes);
        }
        let mut input = core::mem::take(&mut self.replay().input);
        let mut result = Ok(());
        while !bytes.is_empty() && result.is_ok() && *left > 0 && !self.replay().zeros {
            let space = input.space();
            let len = space.len().min(bytes.len());
            space[..len].copy_from_slice(&bytes[..len]);
            input.filled(len);
            bytes.advance(len);
            result = self.replay_input(&mut input, left);
        }
        if self.replay().zeros {
            input = Input::default();
            result = result.and_then(|()| self.only_zeros(&bytes));
        } else if *left == 0 {
            self.replay().held = Some(bytes);
        }
        self.replay().input = input;
        result
    }

    fn replay_input(&mut self, input: &mut Input, left: &mut usize) -> Result<(), AofFault> {
        let limits = ParseLimits {
            bulk_max: i64::MAX,
            authenticated: true,
            from: Sender::Master,
        };
        let (conn, preamble) = (self.replay().conn, self.replay().load.preamble());
        let mut argv = core::mem::take(&mut self.argv);
        let mut ran = 0;
        let result = loop {
            if *left == 0 {
                break Ok(());
            }
            if input.bytes().first() == Some(&b'#') {
                match skip_annotation(input) {
                    Ok(Some(place)) => {
                        self.replay().place = Some(place);
                        continue;
                    }
                    Ok(None) => continue,
                    Err(Annotation::Cut) => break Ok(()),
                    Err(Annotation::TooLong) => break Err(self.bad_format()),
                }
            }
            let next = input.next(&mut argv, &limits);
            match next.map(|args| args.map(ArgvRef::is_empty)) {
                Ok(None) if input.bytes().first() == Some(&0) => break self.cut_at(input),
                Ok(None) => break Ok(()),
                Ok(Some(true)) => break Err(self.bad_format()),
                Ok(Some(false)) => {}
                Err(_) => break self.cut_at(input),
            }
            // Nothing may stand behind an argument that came in a buffer of its own.
            let pieces = input.last_raw(&argv).filter(|piece| !piece.is_empty());
            if !pieces.last().is_some_and(|end| end.ends_with(b"\r\n")) {
                break self.cut_at(input);
            }
            let args = input.last_args(&argv);
            self.replay().place = None;
            *left -= 1;
            if ran % limits::WARM_KEYS_MAX == 0 {
                self.warm(self.st.client(conn).db, args, input);
            }
            ran += 1;
            if !self.execute_from_log(conn, args) {
                let command = String::from_utf8_lossy(args.get(0)).into();
                let name = self.part_name();
                break Err(AofFault::UnknownCommand { name, command });
            }
            if !self.st.client(conn).flags.has(ClientFlags::MULTI) {
                self.replay().valid = preamble + input.consumed();
            }
            if self.is_within_script() {
                *left = 0;
            }
        };
        self.argv = argv;
        result
    }

    fn part_name(&mut self) -> Box<str> {
        let part = self.replay().load.current();
        part.expect("a file is being read").name.clone()
    }

    /// What comes next is no command: the file may have been cut here, if all the rest is zeros.
    fn cut_at(&mut self, input: &Input) -> Result<(), AofFault> {
        self.replay().zeros = true;
        self.only_zeros(input.bytes())
    }

    fn only_zeros(&mut self, bytes: &[u8]) -> Result<(), AofFault> {
        if bytes.iter().all(|&byte| byte == 0) {
            Ok(())
        } else {
            Err(self.bad_format())
        }
    }

    fn bad_format(&mut self) -> AofFault {
        let (name, offset) = (self.part_name(), self.replay().valid);
        AofFault::Format { name, offset }
    }

    /// The current file was read to its end.
    fn end_part(&mut self) -> Tail {
        let now = self.st.now;
        let name = self.part_name();
        let replay = self.replay();
        let kind = if replay.load.is_in_base() {
            "base"
        } else {
            "incr"
        };
        let took = now.mono.since(replay.part_started.mono).as_secs_f64();
        replay.part_started = now;
        let valid = core::mem::take(&mut replay.valid).max(replay.load.preamble());
        let input = core::mem::take(&mut replay.input);
        let zeros = core::mem::take(&mut replay.zeros);
        let conn = replay.conn;
        let client = self.st.client_mut(conn);
        let in_transaction = client.flags.has(ClientFlags::MULTI);
        client.db = 0;
        self.st.discard(conn);
        if in_transaction {
            return Tail::CutInTransaction { valid };
        }
        if zeros || !input.is_idle() {
            return Tail::Cut { valid };
        }
        tracing::info!("DB loaded from {kind} file {name}: {took:.3} seconds");
        Tail::Whole
    }

    fn replay_ended(&mut self, end: AofEnd) {
        let loading = self.st.persist.loading.take();
        let loading = loading.expect("the load that ended was running");
        let Source::Aof(replay) = loading.source else {
            unreachable!("the append-only file was being loaded")
        };
        self.st.conns.remove(replay.conn);
        let loaded = replay.load.loaded();
        self.st.persist.functions = loaded.map_or_else(Vec::new, |loaded| loaded.functions.clone());
        let took = self.st.now.mono.since(loading.started.mono);
        match &end {
            AofEnd::Failed(fault) => tracing::warn!("{fault}"),
            AofEnd::Complete { .. } => tracing::info!(
                "DB loaded from append only file: {:.3} seconds",
                took.as_secs_f64()
            ),
            AofEnd::Missing(_) => {}
        }
        match loading.why {
            Why::Synced(_) => unreachable!("a master sends RDB data"),
            Why::Asked => {
                self.dataset_replaced();
                self.st.persist.saved_changes = self.st.unit.changes();
                let result = match end {
                    AofEnd::Complete { manifest, .. } => {
                        self.know_manifest(manifest);
                        Ok(())
                    }
                    AofEnd::Failed(_) | AofEnd::Missing(_) => Err(&LOAD_FAILED),
                };
                // What waits behind DEBUG LOADAOF may run at once.
                self.refresh_conditions();
                self.st.answer_waiting(Wait::Replay, result);
            }
            Why::Start => match end {
                AofEnd::Failed(_) => self.st.die(),
                AofEnd::Missing(manifest) => self.begin_new_aof(manifest),
                AofEnd::Complete {
                    manifest,
                    last_len,
                    total_len,
                    base_len,
                } => {
                    if let Some(place) = replay.place {
                        self.st.repl.restore(self.st.now, place);
                    }
                    self.go_on_with_aof(manifest, last_len, total_len, base_len);
                }
            },
        }
    }
}

/// Why a line that is no command can't be skipped.
enum Annotation {
    /// Its end is not there yet.
    Cut,
    TooLong,
}

/// Skips a line that is no command; the place in a replication stream that it names, if it does.
fn skip_annotation(input: &mut Input) -> Result<Option<Place>, Annotation> {
    match memchr::memchr(b'\n', input.bytes()) {
        Some(end) => {
            let place = read_place(&input.bytes()[..end]);
            input.skip(end + 1);
            Ok(place.map(|(replid, offset, db)| Place { replid, offset, db }))
        }
        None if input.bytes().len() > ANNOTATION_BYTES_MAX => Err(Annotation::TooLong),
        None => Err(Annotation::Cut),
    }
}

const LOAD_FAILED: Fail = Fail::Plain("Error trying to load the AOF files, check server logs.");
