//! Receiving a whole dataset.

use std::collections::VecDeque;

use tracing::{info, warn};

use super::handshake::{self, TooLong};
use super::payload::Payload;
use super::state::{Granted, Phase, Step, Store, Transfer};
use super::{ACK_PERIOD, Event, Target};
use crate::machine::{ConnId, DiskFault, DiskOp, Mono};
use crate::repl::action::{Action, Attempt};
use crate::repl::receive::{Progress, Receive};
use crate::repl::settings::Settings;

/// A dataset that is durable in its final place.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::repl) struct Stored {
    pub(in crate::repl) attempt: Attempt,
    pub(in crate::repl) path: Box<str>,
}

impl Transfer {
    pub(super) fn new(now: Mono, attempt: Attempt, conn: ConnId, granted: Granted) -> Self {
        Self {
            attempt,
            conn,
            granted,
            phase: Phase::Header,
            store: Store::Nowhere,
            size: -1,
            read: 0,
            marked: false,
            heard_at: now,
            newline_at: now + ACK_PERIOD,
            lost: false,
        }
    }

    /// Takes the next part of the dataset from the start of `input`.
    pub(super) fn receive<'a>(
        &mut self,
        now: Mono,
        input: &'a [u8],
        fx: &mut VecDeque<Action>,
    ) -> Step<'a> {
        if !input.is_empty() {
            self.heard_at = now;
        }
        let payload = match &mut self.phase {
            Phase::Header => return self.receive_header(input),
            Phase::Undecided(_) | Phase::Storing | Phase::Loading => return Step::Stuck,
            Phase::Payload(payload) => payload,
        };
        if input.is_empty() && payload.size() != Some(0) {
            return Step::Stuck;
        }
        let taken = payload.take(input);
        self.read += i64::try_from(taken.consumed).expect("memory is smaller");
        match &mut self.store {
            Store::Nowhere => panic!("a place was chosen"),
            Store::Memory if taken.data.is_empty() && taken.end => {
                self.phase = Phase::Loading;
                Step::Event(taken.consumed, Event::End)
            }
            Store::Memory if taken.data.is_empty() => Step::Consumed(taken.consumed),
            Store::Memory => {
                if taken.end {
                    // The end is an event of its own, found with the next, empty piece.
                    self.phase = Phase::Payload(Payload::Counted { left: 0 });
                }
                Step::Event(taken.consumed, Event::Payload(taken.data))
            }
            Store::Disk(receive) => {
                let attempt = self.attempt;
                if !taken.data.is_empty() {
                    let op = receive.append(&taken.data);
                    fx.push_back(Action::Disk { attempt, op });
                }
                if taken.end {
                    return self.finish(taken.consumed, fx);
                }
                Step::Consumed(taken.consumed)
            }
        }
    }

    /// Decides where the dataset goes.
    pub(super) fn receive_to(&mut self, target: Target, fx: &mut VecDeque<Action>) {
        let phase = core::mem::replace(&mut self.phase, Phase::Header);
        let Phase::Undecided(payload) = phase else {
            panic!("a place is chosen once, when a dataset begins");
        };
        self.phase = Phase::Payload(payload);
        let to = match target {
            Target::Memory => {
                self.store = Store::Memory;
                "to parser"
            }
            Target::Disk(place) => {
                let (receive, op) = Receive::start(place);
                let attempt = self.attempt;
                fx.push_back(Action::Disk { attempt, op });
                self.store = Store::Disk(receive);
                "to disk"
            }
        };
        if self.marked {
            info!("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF {to}");
        } else {
            info!(
                "MASTER <-> REPLICA sync: receiving {} bytes from master {to}",
                self.size
            );
        }
    }

    /// Takes the answer to a step on the file.
    pub(super) fn disk_done(
        &mut self,
        now: Mono,
        result: Result<(), DiskFault>,
        fx: &mut VecDeque<Action>,
    ) -> Result<Option<Stored>, DiskFault> {
        let Store::Disk(receive) = &mut self.store else {
            return Ok(None);
        };
        if receive.is_full() {
            // It was us who did not listen.
            self.heard_at = now;
        }
        let attempt = self.attempt;
        match receive.done(result) {
            Progress::Wait => Ok(None),
            Progress::Next(op) => {
                fx.push_back(Action::Disk { attempt, op });
                Ok(None)
            }
            Progress::Complete => {
                let path = receive.target().into();
                self.store = Store::Nowhere;
                self.phase = Phase::Loading;
                Ok(Some(Stored { attempt, path }))
            }
            Progress::Failed(fault) => Err(fault),
        }
    }

    /// Leaves nothing behind.
    pub(super) fn abandon(&mut self, fx: &mut VecDeque<Action>) {
        let attempt = self.attempt;
        let loading = self.is_loading();
        match core::mem::replace(&mut self.store, Store::Nowhere) {
            Store::Memory => fx.push_back(Action::AbandonLoad { attempt }),
            Store::Nowhere if loading => fx.push_back(Action::AbandonLoad { attempt }),
            Store::Nowhere => {}
            Store::Disk(receive) => {
                let ops = receive.abandon().into_iter();
                fx.extend(ops.map(|op: DiskOp| Action::Disk { attempt, op }));
            }
        }
    }

    /// Forgets the dataset: the server has dropped it.
    pub(super) fn store_nowhere(&mut self) {
        self.store = Store::Nowhere;
        self.phase = Phase::Header;
    }

    /// Tells the master that we live, while it hears nothing else of us.
    pub(super) fn keep_alive(&mut self, now: Mono, fx: &mut VecDeque<Action>) {
        if now < self.newline_at {
            return;
        }
        self.newline_at = now + ACK_PERIOD;
        if self.is_complete() && !self.lost {
            self.send_newline(fx);
        }
    }

    /// What has arrived is being decoded. The master may have sent all of it long ago and hear
    /// nothing else of us; and it is not silent, we do not listen.
    pub(super) fn goes_on(&mut self, now: Mono, fx: &mut VecDeque<Action>) {
        self.heard_at = now;
        if now >= self.newline_at {
            self.newline_at = now + ACK_PERIOD;
            self.send_newline(fx);
        }
    }

    fn send_newline(&self, fx: &mut VecDeque<Action>) {
        let conn = self.conn;
        let bytes = b"\n".to_vec();
        fx.push_back(Action::Send { conn, bytes });
    }

    /// Whether the master was silent for too long.
    pub(super) fn is_overdue(&self, now: Mono, settings: &Settings) -> bool {
        !self.is_complete() && now >= self.heard_at + settings.timeout
    }

    /// The next instant something is due.
    pub(super) fn deadline(&self, settings: &Settings) -> Option<Mono> {
        if self.is_complete() {
            Some(self.newline_at)
        } else {
            Some(self.heard_at + settings.timeout)
        }
    }

    /// Whether all of the dataset has arrived.
    pub(super) const fn is_complete(&self) -> bool {
        match self.phase {
            Phase::Header | Phase::Undecided(_) | Phase::Payload(_) => false,
            Phase::Storing | Phase::Loading => true,
        }
    }

    /// Whether the dataset is being loaded.
    pub(in crate::repl) const fn is_loading(&self) -> bool {
        match self.phase {
            Phase::Loading => true,
            Phase::Header | Phase::Undecided(_) | Phase::Payload(_) | Phase::Storing => false,
        }
    }

    /// Whether bytes of the master are wanted at present.
    pub(super) const fn wants_read(&self) -> bool {
        match &self.store {
            Store::Disk(receive) => !self.is_complete() && !receive.is_full(),
            Store::Nowhere | Store::Memory => !self.is_complete(),
        }
    }

    /// The attempt it belongs to.
    pub(in crate::repl) const fn attempt(&self) -> Attempt {
        self.attempt
    }

    /// What the master promised.
    pub(in crate::repl) const fn granted(&self) -> Granted {
        self.granted
    }

    /// Seconds since the master was last heard of.
    pub(in crate::repl) const fn silent_secs(&self, now: Mono) -> u64 {
        now.since(self.heard_at).as_secs()
    }

    fn receive_header<'a>(&mut self, input: &'a [u8]) -> Step<'a> {
        let (line, consumed) = match handshake::line(input) {
            Ok(Some(found)) => found,
            Ok(None) => return Step::Stuck,
            Err(TooLong) => {
                warn!("Bad protocol from MASTER: the announcement of a dataset is too long");
                return Step::Failed;
            }
        };
        if line.is_empty() {
            return Step::Consumed(consumed);
        }
        let text = line.escape_ascii();
        if line[0] == b'-' {
            warn!("MASTER aborted replication with an error: {text}");
            return Step::Failed;
        }
        let Some(payload) = line.strip_prefix(b"$").and_then(Payload::announced) else {
            warn!(
                "Bad protocol from MASTER, the first byte is not '$' (we received '{text}'), \
                 are you sure the host and port are right?"
            );
            return Step::Failed;
        };
        self.marked = payload.size().is_none();
        self.size = payload
            .size()
            .map_or(0, |size| i64::try_from(size).unwrap_or(i64::MAX));
        self.phase = Phase::Undecided(payload);
        Step::Event(consumed, Event::Begin)
    }

    /// All of the dataset has been handed to the disk.
    fn finish<'a>(&mut self, consumed: usize, fx: &mut VecDeque<Action>) -> Step<'a> {
        let Store::Disk(receive) = &mut self.store else {
            panic!("it goes to the disk");
        };
        let Some(progress) = receive.finish() else {
            warn!(
                "The dataset received from MASTER is damaged: its checksum is wrong. Keeping \
                 the old one and asking again."
            );
            return Step::Failed;
        };
        self.phase = Phase::Storing;
        if let Progress::Next(op) = progress {
            let attempt = self.attempt;
            fx.push_back(Action::Disk { attempt, op });
        }
        Step::Consumed(consumed)
    }
}
