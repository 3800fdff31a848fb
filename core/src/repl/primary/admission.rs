//! Whether a replica that names a place in a history can go on from there.

use tracing::{info, warn};

use super::handshake::integer;
use crate::repl::backlog::Backlog;
use crate::repl::history::{History, Offset};

/// What PSYNC asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Psync<'a> {
    /// The history.
    pub replid: &'a [u8],
    /// The first byte wanted.
    pub offset: &'a [u8],
    /// Part of a coordinated failover: take over first.
    pub failover: bool,
}

impl<'a> Psync<'a> {
    /// The request in the arguments of a PSYNC, without the command's name; `None` if there are
    /// too few.
    #[must_use]
    pub fn parse(args: &[&'a [u8]]) -> Option<Self> {
        Some(Self {
            replid: args.first()?,
            offset: args.get(1)?,
            failover: args
                .get(2)
                .is_some_and(|word| word.eq_ignore_ascii_case(b"failover")),
        })
    }

    /// The first byte wanted, as a number.
    pub(in crate::repl) fn first_byte(&self) -> Option<i64> {
        integer(self.offset)
    }

    /// Whether the replica knows of no history at all.
    pub(in crate::repl) fn is_blank(&self) -> bool {
        self.replid.first() == Some(&b'?')
    }
}

/// The place a replica can go on from, or `None` if it needs the whole dataset. Says why.
pub(in crate::repl) fn admit(
    psync: &Psync<'_>,
    first_byte: i64,
    history: &History,
    backlog: Option<&Backlog>,
    name: &str,
) -> Option<Offset> {
    if !shares_history(psync, first_byte, history, name) {
        return None;
    }
    let cursor = Offset::before_byte(first_byte);
    let reached = backlog.and_then(|backlog| cursor.filter(|&at| backlog.reaches(at)));
    if reached.is_none() {
        info!(
            "Unable to partial resync with replica {name} for lack of backlog \
             (Replica request was: {first_byte})."
        );
        if cursor.is_some_and(|at| at > history.offset()) {
            warn!(
                "Warning: replica {name} tried to PSYNC with an offset that is greater than \
                 the master replication offset."
            );
        }
    }
    reached
}

fn shares_history(psync: &Psync<'_>, first_byte: i64, history: &History, name: &str) -> bool {
    if history.replid().is(psync.replid) {
        return true;
    }
    if psync.is_blank() {
        info!("Full resync requested by replica {name}");
        return false;
    }
    let named_before = history.replid2().is(psync.replid);
    if named_before && first_byte <= history.second_offset() {
        return true;
    }
    if named_before {
        info!(
            "Partial resynchronization not accepted: Requested offset for second ID was \
             {first_byte}, but I can reply up to {}",
            history.second_offset()
        );
    } else {
        info!(
            "Partial resynchronization not accepted: Replication ID mismatch (Replica asked \
             for '{}', my replication IDs are '{}' and '{}')",
            psync.replid.escape_ascii(),
            history.replid(),
            history.replid2()
        );
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repl::history::ReplId;
    use crate::rng::Rng;

    /// A master promoted at 100 that has since written up to 300 and keeps 40 to 300.
    fn promoted() -> (History, ReplId, Backlog) {
        let mut rng = Rng::new([1; 32]);
        let mut history = History::new(&mut rng);
        history.advance(100);
        let old = history.replid();
        history.promote(&mut rng);
        history.advance(200);
        let mut backlog = Backlog::new(Offset::new(40).unwrap(), 16 * 1024);
        backlog.append(&[b'x'; 260]);
        (history, old, backlog)
    }

    fn ask(id: &[u8], byte: i64) -> Option<u64> {
        let (history, _, backlog) = promoted();
        let psync = Psync {
            replid: id,
            offset: b"",
            failover: false,
        };
        admit(&psync, byte, &history, Some(&backlog), "r").map(Offset::get)
    }

    #[test]
    fn the_current_history_is_continued_from_wherever_the_backlog_reaches() {
        let (history, _, _) = promoted();
        let id = history.replid();
        assert_eq!(ask(id.as_bytes(), 40), None);
        assert_eq!(ask(id.as_bytes(), 41), Some(40));
        assert_eq!(ask(id.as_bytes(), 301), Some(300));
        assert_eq!(ask(id.as_bytes(), 302), None);
        for byte in [0, -1, i64::MIN, i64::MAX] {
            assert_eq!(ask(id.as_bytes(), byte), None);
        }
        assert_eq!(ask(&id.as_bytes().to_ascii_uppercase(), 41), Some(40));
    }

    #[test]
    fn the_previous_history_is_continued_only_up_to_the_promotion() {
        let (_, old, _) = promoted();
        assert_eq!(ask(old.as_bytes(), 101), Some(100));
        assert_eq!(ask(old.as_bytes(), 102), None);
        assert_eq!(ask(old.as_bytes(), 40), None);
    }

    #[test]
    fn other_histories_are_not_continued() {
        assert_eq!(ask(&[b'a'; 40], 50), None);
        assert_eq!(ask(b"?", -1), None);
        assert_eq!(ask(b"", 50), None);
        let mut rng = Rng::new([1; 32]);
        let history = History::new(&mut rng);
        let nothing = Psync {
            replid: ReplId::NONE.as_bytes(),
            offset: b"",
            failover: false,
        };
        let backlog = Backlog::new(Offset::START, 16 * 1024);
        assert_eq!(admit(&nothing, 1, &history, Some(&backlog), "r"), None);
    }

    #[test]
    fn without_a_backlog_nothing_is_continued() {
        let (history, _, _) = promoted();
        let id = history.replid();
        let psync = Psync {
            replid: id.as_bytes(),
            offset: b"",
            failover: false,
        };
        assert_eq!(admit(&psync, 301, &history, None, "r"), None);
    }
}
