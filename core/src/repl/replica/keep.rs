//! Keeps what this replica holds from a master that has lost it.
//!
//! A master that is killed and started again within moments was never down to anybody. If it has
//! no files it is empty then, and a full synchronization would make its replicas empty, although
//! Sentinels could promote one of them. So a replica that Sentinels watch has a master that comes
//! back tell of itself before it asks for a resynchronization; see [`Report::has_lost`].

use core::time::Duration;

use tracing::warn;

use crate::machine::Mono;
use crate::repl::history::{History, Offset, ReplId};
use crate::repl::primary::integer;
use crate::repl::settings::Settings;

/// Whether the master of one link is refused.
#[derive(Debug, Default)]
pub(super) struct Keep {
    /// When the master was last heard of over this link; `None` if it never was followed.
    heard_at: Option<Mono>,
    /// When Sentinels were last seen to watch this node.
    watched_at: Option<Mono>,
    /// Whether there is data to be lost.
    holds_data: bool,
    refusal: Refusal,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Refusal {
    #[default]
    No,
    Since(Mono),
    /// Nobody has promoted anyone in all that time.
    Over,
}

/// What a master says of itself in INFO, as far as it is read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Report {
    /// Bytes still to come; `None` before the reply is announced.
    left: Option<usize>,
    is_master: bool,
    uptime_secs: Option<u64>,
    /// Whether it has an append-only file.
    logged: Option<bool>,
    has_keys: bool,
    replid: Option<ReplId>,
    replid2: Option<ReplId>,
    second_offset: Option<i64>,
}

/// What comes of a master's report.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// There is more of it to come.
    Open,
    /// The master is asked for a resynchronization.
    Follow,
    /// The link is given up.
    Refuse,
}

/// How far a report was read.
#[derive(Debug, Eq, PartialEq)]
enum Read {
    /// There is more to come.
    More,
    /// All of it.
    All,
    /// The master doesn't give one.
    Denied,
    /// It is no reply at all.
    Broken,
}

impl Keep {
    /// Learns whether there is data to be lost, and when Sentinels were last seen to watch.
    pub(super) const fn note(&mut self, holds_data: bool, watched_at: Option<Mono>) {
        (self.holds_data, self.watched_at) = (holds_data, watched_at);
    }

    /// The master is followed, or followed again.
    pub(super) const fn followed(&mut self) {
        self.refusal = Refusal::No;
    }

    /// The link to the master is lost.
    pub(super) const fn lost(&mut self, heard_at: Mono) {
        self.heard_at = Some(heard_at);
    }

    /// Whether the master has to tell of itself.
    pub(super) fn is_wary(&self, now: Mono, settings: &Settings) -> bool {
        let watched = |at: Mono| now.since(at) <= settings.keep_data;
        let doubtful = match self.refusal {
            Refusal::No => self.watched_at.is_some_and(watched),
            Refusal::Since(_) => true,
            Refusal::Over => false,
        };
        !settings.keep_data.is_zero() && self.heard_at.is_some() && self.holds_data && doubtful
    }

    /// Takes a line of the master's report, which was so long with its end.
    pub(super) fn read(
        &mut self,
        now: Mono,
        report: &mut Report,
        (line, len): (&[u8], usize),
        history: &History,
        settings: &Settings,
    ) -> Verdict {
        let refused = match report.take(line, len) {
            Read::More => return Verdict::Open,
            Read::All => self.refuses(now, report, history, settings),
            Read::Denied => {
                warn!(
                    "MASTER does not tell of itself ({}): it is followed even if it has lost its \
                     data. Let this replica's user run INFO.",
                    line.escape_ascii()
                );
                false
            }
            Read::Broken => true,
        };
        if refused {
            Verdict::Refuse
        } else {
            Verdict::Follow
        }
    }

    /// Whether the master is refused for what it tells of itself.
    fn refuses(
        &mut self,
        now: Mono,
        report: &Report,
        history: &History,
        settings: &Settings,
    ) -> bool {
        let heard_at = self
            .heard_at
            .expect("only a master that was followed tells");
        if !report.has_lost(history, now.since(heard_at)) {
            self.refusal = Refusal::No;
            return false;
        }
        match self.refusal {
            Refusal::No => {
                warn!(
                    "MASTER has restarted without the data this replica holds. Keeping it, for \
                     Sentinel to promote this replica or another one ('replica-keep-data-timeout' \
                     is {} seconds; REPLICAOF by hand follows the master at once).",
                    settings.keep_data.as_secs()
                );
                self.refusal = Refusal::Since(now);
                true
            }
            Refusal::Since(since) if now >= since + settings.keep_data => {
                warn!("No replica was promoted in time: following MASTER without its data.");
                self.refusal = Refusal::Over;
                false
            }
            Refusal::Since(_) => true,
            Refusal::Over => false,
        }
    }

    /// Whether the master is being refused.
    pub(super) const fn is_refusing(&self) -> bool {
        matches!(self.refusal, Refusal::Since(_))
    }
}

impl Report {
    /// Takes a line of the reply, which was `len` bytes long with its end.
    fn take(&mut self, line: &[u8], len: usize) -> Read {
        let Some(left) = self.left else {
            if line.is_empty() {
                // The master's keep-alive.
                return Read::More;
            }
            let announced = line.strip_prefix(b"$").and_then(integer);
            let body = announced.and_then(|body| usize::try_from(body).ok());
            self.left = body.and_then(|body| body.checked_add(END.len()));
            return if self.left.is_some() {
                Read::More
            } else {
                Read::Denied
            };
        };
        let Some(left) = left.checked_sub(len) else {
            return Read::Broken;
        };
        self.left = Some(left);
        if let Some(colon) = memchr::memchr(b':', line) {
            self.note(&line[..colon], &line[colon + 1..]);
        }
        if left == 0 { Read::All } else { Read::More }
    }

    fn note(&mut self, field: &[u8], value: &[u8]) {
        let number = || integer(value).and_then(|n| u64::try_from(n).ok());
        match field {
            b"role" => self.is_master = value == b"master",
            b"uptime_in_seconds" => self.uptime_secs = number(),
            b"aof_enabled" => self.logged = Some(value != b"0"),
            b"master_replid" => self.replid = ReplId::parse(value),
            b"master_replid2" => self.replid2 = ReplId::parse(value),
            b"second_repl_offset" => self.second_offset = integer(value),
            _ => {
                let db = field.strip_prefix(b"db").unwrap_or_default();
                let is_db = !db.is_empty() && db.iter().all(u8::is_ascii_digit);
                self.has_keys |= is_db && value.starts_with(b"keys=");
            }
        }
    }

    /// Whether the master lost what a replica of this history holds, which has not heard of it
    /// for so long: it is a new process and a master, and neither
    ///
    /// - is its data, by its own account, a state of the same history that is as old as the
    ///   replica's or newer,
    /// - nor has it keys and an append-only file, which had all of them. A Redis that starts from
    ///   one begins a new history.
    ///
    /// So it has lost it if it started from nothing, whatever was written since; or from a file
    /// that was saved earlier, or was left over from a synchronization.
    fn has_lost(&self, history: &History, unheard: Duration) -> bool {
        // Both ends count whole seconds.
        let restarted = |uptime: u64| uptime <= unheard.as_secs() + 1;
        if !self.is_master || !self.uptime_secs.is_some_and(restarted) {
            return false;
        }
        if self.replid.is_none_or(|replid| replid == history.replid()) {
            return false;
        }
        let until = self.second_offset.and_then(Offset::before_byte);
        let same_history = self.replid2 == Some(history.replid());
        let knows_all = same_history && until.is_some_and(|until| until >= history.offset());
        let logged = self.logged == Some(true) && self.has_keys;
        !knows_all && !logged
    }
}

/// What follows the body of a bulk reply.
const END: &[u8] = b"\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    const MINE: &str = "0123456789abcdef0123456789abcdef01234567";
    const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba98";
    const NONE: &str = "0000000000000000000000000000000000000000";

    fn read(body: &str) -> Report {
        let reply = format!("${}\r\n{body}\r\n", body.len());
        let mut report = Report::default();
        let mut lines = reply.split_inclusive("\r\n").peekable();
        while let Some(line) = lines.next() {
            let read = report.take(line.trim_end().as_bytes(), line.len());
            let expected = if lines.peek().is_some() {
                Read::More
            } else {
                Read::All
            };
            assert_eq!(read, expected, "{line}");
        }
        report
    }

    fn info(changes: &[(&str, &str)]) -> Report {
        let mut fields = vec![
            ("redis_version", "7.0.15"),
            ("uptime_in_seconds", "3"),
            ("aof_enabled", "0"),
            ("role", "master"),
            ("master_replid", OTHER),
            ("master_replid2", NONE),
            ("second_repl_offset", "-1"),
            ("db0", "keys=7,expires=0,avg_ttl=0"),
        ];
        for (name, value) in changes {
            match fields.iter().position(|(field, _)| field == name) {
                Some(at) if value.is_empty() => {
                    fields.remove(at);
                }
                Some(at) => fields[at].1 = value,
                None => fields.push((name, value)),
            }
        }
        let mut body = String::from("# Server\r\n");
        for (name, value) in fields {
            body += &format!("{name}:{value}\r\n\r\n");
        }
        read(&body)
    }

    /// Whether a master with such a report has lost what a replica at 100 of its history holds
    /// that last heard of it ten seconds before.
    fn lost(changes: &[(&str, &str)]) -> bool {
        let id = ReplId::parse(MINE.as_bytes()).unwrap();
        let history = History::restored_replica(id, Offset::new(100).unwrap());
        info(changes).has_lost(&history, Duration::from_secs(10))
    }

    #[test]
    fn a_master_that_started_from_nothing_has_lost_all_whatever_was_written_since() {
        assert!(lost(&[]));
        assert!(lost(&[("db0", "")]));
    }

    #[test]
    fn an_append_only_file_that_was_loaded_holds_all_and_an_empty_one_nothing() {
        assert!(!lost(&[("aof_enabled", "1")]));
        assert!(lost(&[("aof_enabled", "1"), ("db0", "")]));
    }

    #[test]
    fn a_file_is_enough_if_it_is_of_the_same_history_and_as_new() {
        let file = |until| [("master_replid2", MINE), ("second_repl_offset", until)];
        assert!(lost(&file("100")));
        assert!(!lost(&file("101")));
        assert!(!lost(&file("170")));
        assert!(lost(&[
            ("master_replid2", OTHER),
            ("second_repl_offset", "170")
        ]));
    }

    #[test]
    fn what_did_not_restart_or_is_no_master_is_believed() {
        assert!(!lost(&[("uptime_in_seconds", "12")]));
        assert!(lost(&[("uptime_in_seconds", "11")]));
        assert!(!lost(&[("uptime_in_seconds", "")]));
        assert!(!lost(&[("role", "slave")]));
        assert!(!lost(&[("master_replid", MINE)]));
        assert!(!lost(&[("master_replid", "")]));
    }

    #[test]
    fn a_refused_report_and_one_that_is_none_are_told_apart() {
        let take = |line: &[u8], len| Report::default().take(line, len);
        assert_eq!(take(b"", 2), Read::More);
        assert_eq!(take(b"-NOPERM no", 12), Read::Denied);
        assert_eq!(take(b"$-1", 5), Read::Denied);
        let mut report = Report::default();
        assert_eq!(report.take(b"$3", 4), Read::More);
        assert_eq!(report.take(b"too long", 10), Read::Broken);
    }
}
