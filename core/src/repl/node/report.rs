//! What INFO, ROLE and SHUTDOWN say of replication.

use core::fmt::Write as _;

use tracing::info;

use super::Replication;
use crate::machine::Now;
use crate::repl::backlog::Backlog;
use crate::repl::history::Offset;
use crate::repl::primary::{ReplicaView, SyncStats};
use crate::repl::replica::Link;

/// What ROLE answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Role {
    /// `master`.
    Master {
        /// How far the stream has come.
        offset: Offset,
        /// Address, port and acknowledged offset of each replica that is online.
        replicas: Vec<(String, i64, Offset)>,
    },
    /// `slave`.
    Replica {
        /// The master's host.
        host: Box<str>,
        /// The master's port.
        port: u16,
        /// `connect`, `connecting`, `handshake`, `sync` or `connected`.
        state: &'static str,
        /// How far the stream was applied, or -1.
        offset: i64,
    },
}

impl Replication {
    /// The lines of INFO's replication section.
    #[must_use]
    pub fn info(&self, now: Now) -> String {
        let mut out = String::with_capacity(1024);
        match &self.link {
            None => out.push_str("role:master\r\n"),
            Some(link) => {
                out.push_str("role:slave\r\n");
                self.info_link(now, link, &mut out);
            }
        }
        self.info_replicas(now, &mut out);
        self.info_history(&mut out);
        out
    }

    /// What ROLE answers.
    #[must_use]
    pub fn role(&self, now: Now) -> Role {
        if let Some(link) = &self.link {
            let offset = link
                .stream()
                .map_or(-1, |_| signed(self.history.offset().get()));
            return Role::Replica {
                host: link.host().into(),
                port: link.port(),
                state: link.state_name(),
                offset,
            };
        }
        let online = self.primary.views(now.mono).filter(|view| view.online);
        Role::Master {
            offset: self.history.offset(),
            replicas: online
                .map(|view| (view.ip, view.port, view.acked))
                .collect(),
        }
    }

    /// Host and port of the master, as they were given; `None` on a master.
    #[must_use]
    pub fn master(&self) -> Option<(&str, u16)> {
        self.link.as_ref().map(|link| (link.host(), link.port()))
    }

    /// The replicas, in the order in which they came.
    pub fn replicas(&self, now: Now) -> impl Iterator<Item = ReplicaView<'_>> {
        self.primary.views(now.mono)
    }

    /// `sync_full`, `sync_partial_ok`, `sync_partial_err`.
    #[must_use]
    pub const fn sync_stats(&self) -> SyncStats {
        self.primary.stats()
    }

    /// Starts to count them anew (CONFIG RESETSTAT).
    pub fn reset_stats(&mut self) {
        self.primary.reset_stats();
    }

    /// Whether every replica has all of the stream.
    #[must_use]
    pub fn all_in_sync(&self) -> bool {
        self.in_sync() == self.primary.count()
    }

    /// Says in the log which replicas lack something as the node goes down.
    pub fn log_lagging(&self, now: Now) {
        let offset = self.history.offset();
        for view in self
            .primary
            .views(now.mono)
            .filter(|view| view.acked != offset)
        {
            info!(
                "Lagging replica {}:{} reported offset {} behind master, lag={}, state={}.",
                view.ip,
                view.port,
                offset.get().saturating_sub(view.acked.get()),
                view.lag_secs,
                view.state
            );
        }
        if self.primary.count() > 0 {
            info!(
                "{} of {} replicas are in sync when shutting down.",
                self.in_sync(),
                self.primary.count()
            );
        }
    }

    fn in_sync(&self) -> usize {
        // The time plays no part in an offset.
        let views = self.primary.views(crate::machine::Mono::default());
        views
            .filter(|view| view.acked == self.history.offset())
            .count()
    }

    fn info_link(&self, now: Now, link: &Link, out: &mut String) {
        let stream = link.stream();
        let status = if stream.is_some() { "up" } else { "down" };
        let silent = stream.map_or(-1, |s| signed(now.mono.since(s.heard_at).as_secs()));
        let transfer = link.transfer();
        let known = stream.is_some() || link.db().is_some();
        let applied = if known {
            self.history.offset().get()
        } else {
            1
        };
        let read = stream.map_or(applied, |s| s.read.get());
        line(out, "master_host", link.host());
        line(out, "master_port", link.port());
        line(out, "master_link_status", status);
        line(out, "master_last_io_seconds_ago", silent);
        line(
            out,
            "master_sync_in_progress",
            i32::from(transfer.is_some()),
        );
        line(out, "slave_read_repl_offset", read);
        line(out, "slave_repl_offset", applied);
        if let Some(transfer) = transfer {
            let (size, read) = (transfer.size, transfer.read);
            let hundredths = if size > 0 {
                i128::from(read) * 10_000 / i128::from(size)
            } else {
                0
            };
            line(out, "master_sync_total_bytes", size);
            line(out, "master_sync_read_bytes", read);
            line(out, "master_sync_left_bytes", size - read);
            let percent = format_args!("{}.{:02}", hundredths / 100, hundredths % 100);
            line(out, "master_sync_perc", percent);
            let silent = transfer.silent_secs(now.mono);
            line(out, "master_sync_last_io_seconds_ago", silent);
        }
        if stream.is_none() {
            let down = link
                .down_since()
                .map(|since| now.mono.since(since).as_secs());
            line(
                out,
                "master_link_down_since_seconds",
                down.map_or(-1, signed),
            );
        }
        if link.is_refusing() {
            line(out, "master_sync_refused", 1);
        }
        if link.is_circle() {
            line(out, "master_link_cycle", 1);
        }
        line(out, "slave_priority", self.settings.priority);
        line(out, "slave_read_only", i32::from(self.settings.read_only));
        line(out, "replica_announced", i32::from(self.settings.announced));
    }

    fn info_replicas(&self, now: Now, out: &mut String) {
        line(out, "connected_slaves", self.primary.count());
        if self.settings.min_replicas > 0 && !self.settings.min_replicas_lag.is_zero() {
            line(out, "min_slaves_good_slaves", self.primary.good());
        }
        for (n, view) in self.primary.views(now.mono).enumerate() {
            let _ = write!(
                out,
                "slave{n}:ip={},port={},state={},offset={},lag={}\r\n",
                view.ip, view.port, view.state, view.acked, view.lag_secs
            );
        }
    }

    fn info_history(&self, out: &mut String) {
        let history = &self.history;
        line(out, "master_failover_state", self.failover.state());
        line(out, "master_replid", history.replid());
        line(out, "master_replid2", history.replid2());
        line(out, "master_repl_offset", history.offset());
        line(out, "second_repl_offset", history.second_offset());
        let backlog = self.backlog.as_ref();
        line(out, "repl_backlog_active", i32::from(backlog.is_some()));
        line(out, "repl_backlog_size", self.settings.backlog_bytes);
        let first = backlog.map_or(0, |b| b.start().next_byte());
        line(out, "repl_backlog_first_byte_offset", first);
        line(
            out,
            "repl_backlog_histlen",
            backlog.map_or(0, Backlog::histlen),
        );
    }
}

fn line(out: &mut String, name: &str, value: impl core::fmt::Display) {
    let _ = write!(out, "{name}:{value}\r\n");
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
