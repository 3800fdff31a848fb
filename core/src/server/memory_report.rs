//! What takes how much memory, for INFO and MEMORY.

use super::state::State;
use crate::keyspace::Keyspace;
use crate::machine::Facts;

/// What takes how much memory, in bytes.
#[derive(Clone, Debug, Default)]
pub struct MemoryReport {
    /// All of it.
    pub used: u64,
    /// The most there ever was.
    pub peak: u64,
    /// What there was at the start.
    pub startup: u64,
    /// The replication stream, up to the size that is set.
    pub backlog: u64,
    /// What is kept of it beyond for replicas that lag behind.
    pub replicas: u64,
    /// How many replicas there are.
    pub replica_count: u64,
    /// Clients with their buffers.
    pub clients: u64,
    /// Texts of scripts.
    pub scripts: u64,
    /// The tables of the databases that have keys.
    pub tables: Vec<(usize, u64)>,
    /// How many keys there are.
    pub keys: u64,
    /// What the system says.
    pub facts: Facts,
}

impl MemoryReport {
    /// What is no data.
    pub fn overhead(&self) -> u64 {
        let tables: u64 = self.tables.iter().map(|(_, bytes)| bytes).sum();
        self.startup + self.backlog + self.replicas + self.clients + self.scripts + tables
    }

    /// What is.
    pub fn dataset(&self) -> u64 {
        self.used.saturating_sub(self.overhead())
    }

    /// What came since the start, per key.
    pub fn bytes_per_key(&self) -> u64 {
        self.net().checked_div(self.keys).unwrap_or(0)
    }

    /// The share of data in what came since the start.
    pub fn dataset_percent(&self) -> f64 {
        100.0 * Self::ratio(self.dataset(), self.net())
    }

    /// How near to the most there ever was.
    pub fn peak_percent(&self) -> f64 {
        100.0 * Self::ratio(self.used, self.peak)
    }

    /// What the process holds for each byte in use.
    pub fn fragmentation(&self) -> f64 {
        Self::ratio(self.facts.rss_bytes, self.used)
    }

    /// One amount by another; 0 by 0.
    pub fn ratio(whole: u64, part: u64) -> f64 {
        if part == 0 {
            0.0
        } else {
            whole as f64 / part as f64
        }
    }

    fn net(&self) -> u64 {
        self.used.saturating_sub(self.startup)
    }
}

impl State {
    /// What takes how much memory now.
    pub fn memory_report(&self, keys: &Keyspace) -> MemoryReport {
        let used = self.used_memory(keys);
        // The stream shrinks by and by when the last replica has gone.
        let replica_count = self.repl.replicas(self.now).count() as u64;
        let replicas = if replica_count > 0 {
            self.not_counted_memory()
        } else {
            0
        };
        let tables = keys.dbs().iter().enumerate();
        let tables = tables.filter(|(_, db)| !db.is_empty());
        MemoryReport {
            used,
            peak: self.memory_peak.max(used),
            startup: self.memory_startup,
            backlog: (self.repl.backlog_memory() as u64).saturating_sub(replicas),
            replicas,
            replica_count,
            clients: self.client_memory.clients,
            scripts: self.scripts.text_bytes() as u64,
            tables: tables
                .map(|(index, db)| (index, db.overhead() as u64))
                .collect(),
            keys: keys.len() as u64,
            facts: self.facts,
        }
    }
}
