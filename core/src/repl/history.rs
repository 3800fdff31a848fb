//! The identity of a dataset: which history of writes it is the result of, and how much of it.

use core::fmt;

use crate::rng::Rng;

/// Length of a replication id.
pub const REPLID_LEN: usize = 40;

/// The name of one history of writes.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct ReplId([u8; REPLID_LEN]);

impl ReplId {
    /// What is shown where there is no id.
    pub const NONE: Self = Self([b'0'; REPLID_LEN]);

    /// An id no other node has.
    pub fn random(rng: &mut Rng) -> Self {
        Self(rng.hex40())
    }

    /// The id a peer or a file names; `None` if it has not the form of one.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let id: [u8; REPLID_LEN] = text.try_into().ok()?;
        id.iter().all(u8::is_ascii_alphanumeric).then_some(Self(id))
    }

    /// Whether `text` names this id, in whichever case.
    #[must_use]
    pub fn is(&self, text: &[u8]) -> bool {
        self.0.eq_ignore_ascii_case(text)
    }

    /// The id's characters.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; REPLID_LEN] {
        &self.0
    }
}

impl fmt::Display for ReplId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.0).expect("ids are ASCII"))
    }
}

impl fmt::Debug for ReplId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A place in the replication stream: the number of bytes before it.
///
/// The wire counts bytes from 1: a replica at offset `n` asks for byte `n + 1`.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Offset(u64);

impl Offset {
    /// Where every stream starts.
    pub const START: Self = Self(0);

    /// The offset a peer or a file names; `None` if no stream can be that long.
    #[must_use]
    pub fn new(bytes: i64) -> Option<Self> {
        // Half of the wire's range leaves room to count on without ever leaving it.
        (0..=i64::MAX / 2)
            .contains(&bytes)
            .then(|| Self(bytes.unsigned_abs()))
    }

    /// The place before the byte that the wire numbers `byte`.
    #[must_use]
    pub fn before_byte(byte: i64) -> Option<Self> {
        byte.checked_sub(1).and_then(Self::new)
    }

    /// The number of bytes before this place.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The wire's number of the byte after this place.
    #[must_use]
    pub const fn next_byte(self) -> u64 {
        self.0 + 1
    }

    /// The place `len` bytes on.
    #[must_use]
    pub const fn plus(self, len: usize) -> Self {
        Self(self.0 + len as u64)
    }

    /// The bytes from `earlier` to here.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        assert!(earlier <= self, "offsets are compared in order");
        self.0 - earlier.0
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The history before the last change of id, which replicas may still name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Previous {
    /// Its id.
    pub replid: ReplId,
    /// The last place both histories have in common.
    pub until: Offset,
}

/// Which history the dataset belongs to and how far it has come.
///
/// Two nodes with the same id and offset hold the same data. So the id changes whenever writes
/// may happen that the offset does not count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct History {
    replid: ReplId,
    previous: Option<Previous>,
    offset: Offset,
}

impl History {
    /// The history of a node that has just been started with nothing to go by.
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            replid: ReplId::random(rng),
            previous: None,
            offset: Offset::START,
        }
    }

    /// The history of a replica that found its place in a file.
    #[must_use]
    pub const fn restored_replica(replid: ReplId, offset: Offset) -> Self {
        Self {
            replid,
            previous: None,
            offset,
        }
    }

    /// The history of a master that found its place in a file: its replicas may still name the
    /// id in the file, but what it writes from here on it writes under a new one.
    pub fn restored_master(rng: &mut Rng, replid: ReplId, offset: Offset) -> Self {
        let mut history = Self::restored_replica(replid, offset);
        history.promote(rng);
        history
    }

    /// Counts bytes of stream produced or applied.
    pub fn advance(&mut self, len: usize) {
        self.offset = self.offset.plus(len);
    }

    /// Takes a new id because writes were made that the offset did not count: the node has, or
    /// had, no backlog.
    pub fn start_fresh(&mut self, rng: &mut Rng) {
        self.rename(ReplId::random(rng));
        self.previous = None;
    }

    /// Takes a new id because a replica became a master: what others know of the old history up
    /// to here is still true.
    pub fn promote(&mut self, rng: &mut Rng) {
        self.shift(ReplId::random(rng));
    }

    /// Follows the master to the id it goes on under after a partial resynchronization. Answers
    /// whether that is a change.
    pub fn follow(&mut self, replid: ReplId) -> bool {
        if replid == self.replid {
            return false;
        }
        self.shift(replid);
        true
    }

    /// Belongs to the master's history from now on: its whole dataset was loaded.
    pub fn adopt(&mut self, replid: ReplId, offset: Offset) {
        *self = Self::restored_replica(replid, offset);
    }

    /// Belongs to no history any more: the dataset is gone and nothing has replaced it yet.
    pub fn forget(&mut self, rng: &mut Rng) {
        *self = Self::new(rng);
    }

    /// The current id.
    #[must_use]
    pub const fn replid(&self) -> ReplId {
        self.replid
    }

    /// The id before, as far as it can still be named.
    #[must_use]
    pub const fn previous(&self) -> Option<Previous> {
        self.previous
    }

    /// The bytes produced as a master or applied as a replica.
    #[must_use]
    pub const fn offset(&self) -> Offset {
        self.offset
    }

    /// `master_replid2`.
    #[must_use]
    pub fn replid2(&self) -> ReplId {
        self.previous
            .map_or(ReplId::NONE, |previous| previous.replid)
    }

    /// `second_repl_offset`: the first byte the previous history does not share, or -1.
    #[must_use]
    pub fn second_offset(&self) -> i64 {
        self.previous.map_or(-1, |previous| {
            i64::try_from(previous.until.next_byte()).expect("offsets fit the wire's range")
        })
    }

    fn shift(&mut self, replid: ReplId) {
        let previous = Previous {
            replid: self.replid,
            until: self.offset,
        };
        self.rename(replid);
        self.previous = Some(previous);
        assert!(self.previous.is_none_or(|p| p.until <= self.offset));
    }

    fn rename(&mut self, replid: ReplId) {
        assert_ne!(self.replid, replid, "an id names one history only");
        self.replid = replid;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rng() -> Rng {
        Rng::new([3; 32])
    }

    #[test]
    fn promotion_keeps_the_offset_and_remembers_the_old_id_up_to_it() {
        let mut rng = rng();
        let mut history = History::new(&mut rng);
        history.advance(50);
        let old = history.replid();
        history.promote(&mut rng);
        assert_ne!(history.replid(), old);
        assert_eq!(history.replid2(), old);
        assert_eq!(history.second_offset(), 51);
        assert_eq!(history.offset().get(), 50);
    }

    #[test]
    fn a_fresh_start_keeps_the_offset_and_forgets_both_ids() {
        let mut rng = rng();
        let mut history = History::new(&mut rng);
        history.advance(9);
        history.promote(&mut rng);
        let old = history.replid();
        history.start_fresh(&mut rng);
        assert_ne!(history.replid(), old);
        assert_eq!(history.replid2(), ReplId::NONE);
        assert_eq!(history.second_offset(), -1);
        assert_eq!(history.offset().get(), 9);
    }

    #[test]
    fn following_the_same_id_changes_nothing() {
        let mut rng = rng();
        let mut history = History::new(&mut rng);
        let before = history.clone();
        assert!(!history.follow(before.replid()));
        assert_eq!(history, before);
    }

    #[test]
    fn following_another_id_shifts_the_own_one() {
        let mut rng = rng();
        let mut history = History::new(&mut rng);
        history.advance(7);
        let old = history.replid();
        let new = ReplId::random(&mut rng);
        assert!(history.follow(new));
        assert_eq!((history.replid(), history.replid2()), (new, old));
        assert_eq!(history.second_offset(), 8);
    }

    #[test]
    fn a_restarted_master_writes_under_a_new_id_but_answers_to_the_old_one() {
        let mut rng = rng();
        let old = ReplId::random(&mut rng);
        let at = Offset::new(400).unwrap();
        let history = History::restored_master(&mut rng, old, at);
        assert_ne!(history.replid(), old);
        assert_eq!(history.replid2(), old);
        assert_eq!(history.second_offset(), 401);
        assert_eq!(history.offset(), at);
    }

    #[test]
    fn a_full_sync_takes_over_id_and_offset() {
        let mut rng = rng();
        let mut history = History::new(&mut rng);
        history.advance(10_000);
        history.promote(&mut rng);
        let id = ReplId::random(&mut rng);
        history.adopt(id, Offset::new(3).unwrap());
        assert_eq!((history.replid(), history.offset().get()), (id, 3));
        assert_eq!(history.previous(), None);
    }

    #[test]
    fn ids_and_offsets_from_outside_are_checked() {
        assert!(ReplId::parse(b"abc").is_none());
        assert!(ReplId::parse(&[b' '; 40]).is_none());
        assert!(ReplId::parse(&[b'a'; 40]).unwrap().is(&[b'A'; 40]));
        assert_eq!(Offset::new(-1), None);
        assert_eq!(Offset::new(i64::MAX), None);
        assert_eq!(Offset::before_byte(0), None);
        assert_eq!(Offset::before_byte(i64::MIN), None);
        assert_eq!(Offset::before_byte(1), Some(Offset::START));
    }
}
