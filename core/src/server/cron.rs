//! What is done by the clock: expiry, samples, idle clients, slices of long work.

use super::Server;
use super::client::ClientFlags;
use crate::limits;
use crate::machine::{ConnId, Mono, TimerName};
use core::time::Duration;

/// How often the periodic work is done.
const CRON_PERIOD: Duration = Duration::from_millis(100);
/// How often idle clients are looked for.
const IDLE_PERIOD: Duration = Duration::from_secs(1);
/// How long room is kept for the rest of a command that stays out, as Redis has it.
const INPUT_ROOM_KEPT: Duration = Duration::from_secs(2);
const EXPIRE_PASS: Duration = Duration::from_millis(limits::EXPIRE_PASS_MS);

/// The deadlines of periodic work.
#[derive(Debug)]
pub(super) struct Cron {
    next: Mono,
    next_idle: Mono,
    /// When the pass of active expiry under way ends, done or not.
    expiring: Option<Mono>,
    /// The database in which it goes on.
    expiring_db: usize,
}

impl Cron {
    /// From now on.
    pub(super) fn new(now: Mono) -> Self {
        Self {
            next: now + CRON_PERIOD,
            next_idle: now + IDLE_PERIOD,
            expiring: None,
            expiring_db: 0,
        }
    }

    /// Whether a pass of active expiry is under way.
    pub(super) fn is_expiring(&self) -> bool {
        self.expiring.is_some()
    }
}

impl Server {
    /// The next deadline of all parts.
    pub(super) fn next_timer(&self) -> Option<(Mono, TimerName)> {
        if let Some(until) = self.st.debug.asleep_until.filter(|_| self.is_asleep()) {
            return Some((until, TimerName("debug-sleep")));
        }
        // Its turns follow each other, and do nothing by the clock before it is over.
        if self.is_within_script() {
            return None;
        }
        let mut next = (self.cron.next, "cron");
        let mut consider = |at: Option<Mono>, name| {
            if let Some(at) = at
                && at < next.0
            {
                next = (at, name);
            }
        };
        consider(self.st.pause.deadline(), "client-pause");
        consider(self.st.shutdown.deadline(), "shutdown");
        consider(self.st.blocked.keys.deadline(), "blocked-client");
        consider(self.aof_deadline(), "append-only file");
        consider(self.st.persist.deadline(self.st.now.mono), "delay of a key");
        consider(self.st.migrations.deadline(), "migrate");
        if let Some((at, TimerName(name))) = self.st.repl.poll_timeout() {
            consider(Some(at), name);
        }
        let (at, name) = next;
        Some((at, TimerName(name)))
    }

    /// Does what is due.
    pub(super) fn run_timers(&mut self) {
        let now = self.st.now.mono;
        self.st.pause.expire(now);
        self.st.end_overdue_waits();
        self.end_overdue_migrations();
        if now >= self.cron.next {
            self.cron.next = now + CRON_PERIOD;
            if !self.st.debug.cron_paused {
                self.run_cron();
            }
        }
        self.expire_due_keys();
        if now >= self.cron.next_idle {
            self.cron.next_idle = now + IDLE_PERIOD;
            self.close_idle_clients();
            self.shrink_idle_inputs();
            self.st.recount_all();
        }
        self.keys.free_some(limits::FREED_PER_TURN_MAX);
        self.free_retired(limits::FREED_PER_TURN_MAX);
    }

    fn run_cron(&mut self) {
        self.st.stats.sample(self.st.now.mono);
        self.st.memory_peak = self.st.memory_peak.max(self.st.used_memory(&self.keys));
        self.keys.set_usage(self.st.usage());
        self.cron.expiring = Some(self.st.now.mono + EXPIRE_PASS);
        self.save_if_due();
        self.rewrite_if_due();
    }

    /// Goes on with the pass of active expiry that is under way.
    fn expire_due_keys(&mut self) {
        let Some(until) = self.cron.expiring else {
            return;
        };
        let done = self.expire_some();
        if done || self.st.now.mono >= until {
            self.cron.expiring = None;
            self.st.stats.expire_capped += u64::from(!done);
        }
    }

    /// Deletes what clients of this writable replica have let expire, a bounded number at a
    /// time; true if there is no more.
    fn expire_own_keys(&mut self) -> bool {
        if !self.st.decides_own_expiry() {
            return true;
        }
        let now = self.st.now.wall;
        for _ in 0..limits::OWN_EXPIRY_PER_TURN_MAX {
            let Some((db, key)) = self.st.own_expiry.take_due(now) else {
                return true;
            };
            let entry = self.keys.db(db).get(&key);
            if entry.is_some_and(|entry| entry.is_expired(now)) {
                self.st.delete_expired(&mut self.keys, db, &key);
            }
        }
        false
    }

    /// Deletes keys whose time has come, a bounded number at a time; true at the end of the last
    /// database. A replica leaves that to its master.
    fn expire_some(&mut self) -> bool {
        if !self.st.debug.active_expire {
            return true;
        }
        if !self.st.decides_expiry() {
            let through = self.expire_own_keys();
            self.st.end_batch();
            return through;
        }
        let now = self.st.now.wall;
        let mut budget = limits::EXPIRE_EFFORT_PER_TURN;
        let mut due = Vec::new();
        while budget > 0 {
            let db = self.cron.expiring_db;
            let through = self.keys.db_mut(db).due(now, &mut budget, &mut due);
            for key in due.drain(..) {
                self.st.delete_expired(&mut self.keys, db, &key);
            }
            if through {
                self.cron.expiring_db = (db + 1) % self.keys.dbs().len();
                if self.cron.expiring_db == 0 {
                    self.st.end_batch();
                    return true;
                }
            }
        }
        self.st.end_batch();
        false
    }

    /// Takes back the room for bytes that do not come.
    fn shrink_idle_inputs(&mut self) {
        let now = self.st.now.mono;
        let idle: Vec<ConnId> = self
            .st
            .conns
            .iter()
            .filter(|conn| conn.input_memory() > conn.input_len())
            .filter(|conn| now.since(conn.state.active) > INPUT_ROOM_KEPT)
            .map(|conn| conn.id())
            .collect();
        for conn in idle {
            self.st.conns.shrink_input(conn);
        }
    }

    fn close_idle_clients(&mut self) {
        let Some(timeout) = self.st.config.timeout() else {
            return;
        };
        let now = self.st.now.mono;
        let spared = ClientFlags::REPLICA
            .and(ClientFlags::MASTER)
            .and(ClientFlags::LOADER)
            .and(ClientFlags::OUTGOING)
            .and(ClientFlags::BLOCKED)
            .and(ClientFlags::SUBSCRIBER);
        let is_idle = |flags: ClientFlags, active: Mono| {
            !flags.has_any(spared) && now.since(active) > timeout
        };
        let idle: Vec<ConnId> = self
            .st
            .conns
            .iter()
            .filter(|conn| is_idle(conn.state.flags, conn.state.active))
            .map(|conn| conn.id())
            .collect();
        for conn in idle {
            tracing::debug!("Closing idle client");
            self.st.conns.close(conn);
        }
    }
}
