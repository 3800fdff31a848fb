//! Appending to the last file of the log, and syncing it.

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::AOF_APPEND_BYTES_MAX;
use crate::machine::{DiskFault, DiskOp, FileId, Mono};

/// When what was written is synced (`appendfsync`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Policy {
    /// At once, and all that came meanwhile together at the next time.
    Always,
    /// Once a second.
    Everysec,
    /// When the system likes.
    Never,
}

/// The file that grows.
///
/// It takes pieces and has at most one of them on its way to the disk, so nothing is ever
/// appended behind one that failed: that one is cut off and tried again. There is at most one
/// sync under way; what is written during it is covered by the next. The answers to its ops come
/// in the order of the ops.
#[derive(Debug)]
pub struct Writer {
    file: FileId,
    /// Whole bytes in the file.
    len: u64,
    /// What waits to be appended, oldest first.
    pieces: VecDeque<Bytes>,
    waiting: usize,
    /// What was asked of the disk and not answered, oldest first.
    in_flight: VecDeque<Step>,
    /// Marks of what was taken, what is in the file, and what is durable. A mark belongs to
    /// everything taken before it.
    taken: u64,
    written: u64,
    synced: u64,
    /// The mark of what was appended last: those behind it stand for nothing to be synced.
    appended: u64,
    synced_at: Mono,
    /// Since when pieces wait for a sync to end, under [`Policy::Everysec`].
    postponed: Option<Mono>,
    trouble: Option<Trouble>,
    /// All is to be durable as soon as can be.
    hurry: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Append { piece: Bytes, mark: u64 },
    Sync { mark: u64 },
    Cut,
}

/// What is wrong with the file.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    fault: DiskFault,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// An append failed and is tried again.
    Retry { at: Mono },
    /// A sync failed, or a part of an append could not be cut off: the file can't be trusted.
    Broken,
}

/// What an answer brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// Nothing special.
    Progress,
    /// An append failed. It will be tried again.
    AppendFailed(DiskFault),
    /// The first append after that worked.
    Recovered,
    /// A sync failed, or what was appended in part could not be cut off. The file grows no more.
    Broken(DiskFault),
}

/// What asking for more brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// Nothing special.
    Usual,
    /// Something was written behind a sync that takes too long (`aof_delayed_fsync`).
    Delayed,
}

/// How long a piece waits for a sync to end, as Redis has it.
const POSTPONED_MAX: Duration = Duration::from_secs(2);
/// How long after a failed append it is tried again, as Redis has it.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How long after a sync the next one follows under [`Policy::Everysec`].
const SYNC_PERIOD: Duration = Duration::from_secs(1);

impl Writer {
    /// Goes on with a file that is open for writing and has `len` bytes, all of them durable.
    /// Marks go on behind `mark`.
    #[must_use]
    pub fn new(file: FileId, len: u64, mark: u64, now: Mono) -> Self {
        Self {
            file,
            len,
            pieces: VecDeque::new(),
            waiting: 0,
            in_flight: VecDeque::new(),
            taken: mark,
            written: mark,
            synced: mark,
            appended: mark,
            synced_at: now,
            postponed: None,
            trouble: None,
            hurry: false,
        }
    }

    /// Whether it would do something with a piece at once. Until then what comes is better
    /// gathered, to be written together.
    #[must_use]
    pub fn wants_piece(&self, policy: Policy) -> bool {
        if self.trouble.is_some() || self.has(|step| !matches!(step, Step::Sync { .. })) {
            return false;
        }
        match policy {
            Policy::Always => !self.is_syncing(),
            // The first one counts the seconds for those behind it.
            Policy::Everysec => !self.is_syncing() || self.pieces.is_empty(),
            Policy::Never => true,
        }
    }

    /// Takes a piece; the mark of everything taken so far.
    pub fn push(&mut self, piece: Bytes) -> u64 {
        if !piece.is_empty() {
            self.waiting += piece.len();
            self.pieces.push_back(piece);
            self.taken += 1;
        }
        self.taken
    }

    /// Uses up a mark for nothing: what waits for it need not wait.
    pub fn skip_mark(&mut self) {
        self.synced += u64::from(self.synced == self.taken);
        self.written += u64::from(self.written == self.taken);
        self.taken += 1;
    }

    /// The mark of everything taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Makes everything taken durable as soon as can be, whatever the policy.
    pub fn hurry(&mut self) {
        self.hurry = true;
    }

    /// Asks the disk for what is due.
    pub fn advance(&mut self, now: Mono, policy: Policy, ops: &mut Vec<DiskOp>) -> Asked {
        let asked = self.append_some(now, policy, ops);
        let appending = self.has(|step| !matches!(step, Step::Sync { .. }));
        let covered = self.pieces.is_empty() || policy != Policy::Always;
        let syncing = self.has(|step| matches!(step, Step::Sync { .. }));
        let last = match self.in_flight.back() {
            Some(&Step::Append { mark, .. }) => mark,
            Some(Step::Sync { .. } | Step::Cut) | None => self.written,
        };
        let due = match policy {
            Policy::Always => true,
            Policy::Everysec => now.since(self.synced_at) >= SYNC_PERIOD,
            Policy::Never => false,
        };
        // Behind an append that was just asked for a sync may follow at once.
        let may = !syncing && self.trouble.is_none() && (covered || !appending);
        if may && last > self.synced && (due || self.hurry) {
            self.in_flight.push_back(Step::Sync { mark: last });
            self.synced_at = now;
            ops.push(DiskOp::Sync { file: self.file });
        }
        if self.is_durable() {
            self.hurry = false;
        }
        asked
    }

    /// Takes the answer to the oldest op.
    pub fn handle_done(
        &mut self,
        now: Mono,
        result: Result<(), DiskFault>,
        ops: &mut Vec<DiskOp>,
    ) -> Event {
        let step = self
            .in_flight
            .pop_front()
            .expect("an answer belongs to an op");
        match (step, result) {
            (Step::Append { piece, mark }, Ok(())) => {
                self.len += piece.len() as u64;
                self.waiting -= piece.len();
                // Marks that were skipped belong to it.
                self.written = if self.pieces.is_empty() {
                    self.taken
                } else {
                    mark
                };
                self.appended = self.written;
                if self.trouble.take().is_some() {
                    return Event::Recovered;
                }
                Event::Progress
            }
            (Step::Append { piece, .. }, Err(fault)) => {
                self.pieces.push_front(piece);
                let at = now + RETRY_DELAY;
                let kind = Kind::Retry { at };
                self.trouble = Some(Trouble { fault, kind });
                // A sync that was asked for with it covers what was there before.
                self.in_flight.push_back(Step::Cut);
                let (file, len) = (self.file, self.len);
                ops.push(DiskOp::Truncate { file, len });
                Event::AppendFailed(fault)
            }
            (Step::Sync { mark }, Ok(())) => {
                // The append it was asked for with may have failed.
                self.synced = mark.min(self.written);
                if self.synced >= self.appended {
                    self.synced = self.written;
                }
                Event::Progress
            }
            (Step::Cut, Ok(())) => Event::Progress,
            (Step::Sync { .. } | Step::Cut, Err(fault)) => {
                let kind = Kind::Broken;
                self.trouble = Some(Trouble { fault, kind });
                Event::Broken(fault)
            }
        }
    }

    /// When [`advance`](Self::advance) has something to do by itself.
    #[must_use]
    pub fn deadline(&self, policy: Policy) -> Option<Mono> {
        match self.trouble.map(|trouble| trouble.kind) {
            Some(Kind::Retry { at }) => return Some(at).filter(|_| self.in_flight.is_empty()),
            Some(Kind::Broken) => return None,
            None => {}
        }
        let postponed = self.postponed.map(|since| since + POSTPONED_MAX);
        let syncing = self.has(|step| matches!(step, Step::Sync { .. }));
        let unsynced = self.written > self.synced && !syncing && policy == Policy::Everysec;
        let sync = unsynced.then(|| self.synced_at + SYNC_PERIOD);
        postponed.into_iter().chain(sync).min()
    }

    /// The mark up to which all is durable.
    #[must_use]
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// The mark up to which all is in the file.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Whether everything taken is durable.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.synced == self.taken
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> FileId {
        self.file
    }

    /// Whether nothing is asked of the disk.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Whether a sync is under way (`aof_pending_bio_fsync`).
    #[must_use]
    pub fn is_syncing(&self) -> bool {
        self.has(|step| matches!(step, Step::Sync { .. }))
    }

    /// Whether what was taken will not be in the file soon: a sync is in its way, or a fault.
    #[must_use]
    pub fn is_held_up(&self) -> bool {
        self.postponed.is_some() || self.trouble.is_some()
    }

    /// Bytes taken that are not in the file.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whole bytes in the file.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is in the file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is wrong, if anything is.
    #[must_use]
    pub fn fault(&self) -> Option<DiskFault> {
        self.trouble.map(|trouble| trouble.fault)
    }

    /// Whether the file can't be trusted any more.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.trouble
            .is_some_and(|trouble| trouble.kind == Kind::Broken)
    }

    /// Closes the file, once nothing is asked of the disk.
    pub fn close(self, ops: &mut Vec<DiskOp>) {
        assert!(self.is_idle(), "what was asked is answered first");
        ops.push(DiskOp::Close { file: self.file });
    }

    fn has(&self, is: impl FnMut(&Step) -> bool) -> bool {
        self.in_flight.iter().any(is)
    }

    fn append_some(&mut self, now: Mono, policy: Policy, ops: &mut Vec<DiskOp>) -> Asked {
        if self.pieces.is_empty() {
            self.postponed = None;
            return Asked::Usual;
        }
        match self.trouble.map(|trouble| trouble.kind) {
            Some(Kind::Broken) => return Asked::Usual,
            Some(Kind::Retry { at }) if now < at || !self.is_idle() => return Asked::Usual,
            Some(Kind::Retry { .. }) | None => {}
        }
        if self.has(|step| !matches!(step, Step::Sync { .. })) {
            return Asked::Usual;
        }
        let mut asked = Asked::Usual;
        if self.is_syncing() {
            // Under `always` the next append and its sync go together, one pair at a time.
            if policy == Policy::Always {
                return Asked::Usual;
            }
            let since = *self.postponed.get_or_insert(now);
            if policy == Policy::Everysec && now.since(since) < POSTPONED_MAX {
                return Asked::Usual;
            }
            if policy == Policy::Everysec {
                asked = Asked::Delayed;
            }
        }
        self.postponed = None;
        let (piece, mark) = self.next_append();
        self.in_flight.push_back(Step::Append {
            piece: piece.clone(),
            mark,
        });
        let file = self.file;
        ops.push(DiskOp::Append { file, data: piece });
        asked
    }

    /// The oldest piece, with those behind it if all of them are short.
    fn next_append(&mut self) -> (Bytes, u64) {
        let mark = |left: usize, taken: u64| taken - left as u64;
        let first = self.pieces.pop_front().expect("a piece waits");
        let mut len = first.len();
        let fits = |len: usize, next: &Bytes| len + next.len() <= AOF_APPEND_BYTES_MAX;
        if !self.pieces.front().is_some_and(|next| fits(len, next)) {
            return (first, mark(self.pieces.len(), self.taken));
        }
        let mut joined = first.to_vec();
        while let Some(next) = self.pieces.front().filter(|next| fits(len, next)) {
            joined.extend_from_slice(next);
            len = joined.len();
            self.pieces.pop_front();
        }
        (joined.into(), mark(self.pieces.len(), self.taken))
    }
}

#[cfg(test)]
mod tests;
