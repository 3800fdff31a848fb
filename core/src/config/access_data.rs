//! What the code asks the configuration, in its types: persistence, replication, memory.

use core::time::Duration;

use super::choice::{
    AppendFsync, ClientsMemory, DisklessLoad, MaxmemoryPolicy, PropagationError, SanitizeDump,
};
use super::special::{ClientLimit, NotifyFlags, SavePoint, ShutdownOn};
use super::store::{Config, bools, ints, secrets, sizes, texts, words};
use super::table::place;
use super::value::Value;

/// Persistence.
impl Config {
    /// When the data set is saved.
    pub fn save_points(&self) -> &[SavePoint] {
        let Value::Save(points) = &self.values[const { place("save") }] else {
            unreachable!("a row keeps its kind");
        };
        points
    }

    /// The working directory.
    pub fn dir(&self) -> &str {
        self.text(const { texts("dir") })
    }

    /// The file of the data set.
    pub fn dbfilename(&self) -> &str {
        self.text(const { texts("dbfilename") })
    }

    /// Whether strings are compressed in a saved data set.
    pub fn rdbcompression(&self) -> bool {
        self.bool(const { bools("rdbcompression") })
    }

    /// Whether a saved data set ends with a checksum, and it is checked.
    pub fn rdbchecksum(&self) -> bool {
        self.bool(const { bools("rdbchecksum") })
    }

    /// Whether files made for replication are removed when nothing else keeps them.
    pub fn rdb_del_sync_files(&self) -> bool {
        self.bool(const { bools("rdb-del-sync-files") })
    }

    /// Where malformed data are looked for.
    pub fn sanitize_dump_payload(&self) -> SanitizeDump {
        SanitizeDump::ALL[usize::from(self.word(const { words("sanitize-dump-payload") }))]
    }

    /// Whether writes are refused while saving fails.
    pub fn stop_writes_on_bgsave_error(&self) -> bool {
        self.bool(const { bools("stop-writes-on-bgsave-error") })
    }

    /// Whether a save is synced as it grows.
    pub fn rdb_save_incremental_fsync(&self) -> bool {
        self.bool(const { bools("rdb-save-incremental-fsync") })
    }

    /// Microseconds a save waits at each key; for tests.
    pub fn rdb_key_save_delay(&self) -> i64 {
        self.int(const { ints("rdb-key-save-delay") })
    }

    /// Microseconds a load waits at each key; if negative, keys per microsecond.
    pub fn key_load_delay(&self) -> i64 {
        self.int(const { ints("key-load-delay") })
    }

    /// Bytes loaded between looks at the clients.
    pub fn loading_process_events_interval_bytes(&self) -> u64 {
        self.uint(const { ints("loading-process-events-interval-bytes") })
    }

    /// Whether writes go to an append-only file.
    pub fn appendonly(&self) -> bool {
        self.bool(const { bools("appendonly") })
    }

    /// The name of the append-only file.
    pub fn appendfilename(&self) -> &str {
        self.text(const { texts("appendfilename") })
    }

    /// The directory of the append-only file.
    pub fn appenddirname(&self) -> &str {
        self.text(const { texts("appenddirname") })
    }

    /// Whether the append-only file is not synced while a snapshot is written.
    pub fn no_appendfsync_on_rewrite(&self) -> bool {
        self.bool(const { bools("no-appendfsync-on-rewrite") })
    }

    /// By how much the append-only file grows until it is rewritten, per cent; 0 for never.
    pub fn auto_aof_rewrite_percentage(&self) -> u64 {
        self.uint(const { ints("auto-aof-rewrite-percentage") })
    }

    /// How long it is at least when that happens, bytes.
    pub fn auto_aof_rewrite_min_size(&self) -> u64 {
        self.size(const { sizes("auto-aof-rewrite-min-size") })
    }

    /// Whether an append-only file that ends in the middle of a command is cut back and loaded.
    pub fn aof_load_truncated(&self) -> bool {
        self.bool(const { bools("aof-load-truncated") })
    }

    /// Whether the base of the append-only file is RDB data.
    pub fn aof_use_rdb_preamble(&self) -> bool {
        self.bool(const { bools("aof-use-rdb-preamble") })
    }

    /// Whether the time is noted in the append-only file.
    pub fn aof_timestamp_enabled(&self) -> bool {
        self.bool(const { bools("aof-timestamp-enabled") })
    }

    /// Whether a base of the append-only file is synced while it is written.
    pub fn aof_rewrite_incremental_fsync(&self) -> bool {
        self.bool(const { bools("aof-rewrite-incremental-fsync") })
    }

    /// Whether files of the append-only log that are of no use any more are left.
    pub fn aof_disable_auto_gc(&self) -> bool {
        self.bool(const { bools("aof-disable-auto-gc") })
    }

    /// When the append-only file is synced.
    pub fn appendfsync(&self) -> AppendFsync {
        AppendFsync::ALL[usize::from(self.word(const { words("appendfsync") }))]
    }
}

/// Replication.
impl Config {
    /// The master to replicate from.
    pub fn replicaof(&self) -> Option<(&str, u16)> {
        let Value::ReplicaOf(master) = &self.values[const { place("replicaof") }] else {
            unreachable!("a row keeps its kind");
        };
        master.as_ref().map(|(host, port)| (&**host, *port))
    }

    /// The password for the master; empty for none.
    pub fn masterauth(&self) -> &[u8] {
        self.secret(const { secrets("masterauth") })
    }

    /// The user at the master; empty for the default.
    pub fn masteruser(&self) -> &[u8] {
        self.secret(const { secrets("masteruser") })
    }

    /// Whether a replica without its master answers.
    pub fn replica_serve_stale_data(&self) -> bool {
        self.bool(const { bools("replica-serve-stale-data") })
    }

    /// Whether a replica refuses writes.
    pub fn replica_read_only(&self) -> bool {
        self.bool(const { bools("replica-read-only") })
    }

    /// Whether a full sync is sent without a file.
    pub fn repl_diskless_sync(&self) -> bool {
        self.bool(const { bools("repl-diskless-sync") })
    }

    /// How long to wait for more replicas before a full sync without a file.
    pub fn repl_diskless_sync_delay(&self) -> Duration {
        Duration::from_secs(self.uint(const { ints("repl-diskless-sync-delay") }))
    }

    /// How many replicas end that wait; 0 for no number.
    pub fn repl_diskless_sync_max_replicas(&self) -> u32 {
        self.small(const { ints("repl-diskless-sync-max-replicas") })
    }

    /// How a full sync without a file is loaded.
    pub fn repl_diskless_load(&self) -> DisklessLoad {
        DisklessLoad::ALL[usize::from(self.word(const { words("repl-diskless-load") }))]
    }

    /// How often replicas are pinged.
    pub fn repl_ping_replica_period(&self) -> Duration {
        Duration::from_secs(self.uint(const { ints("repl-ping-replica-period") }))
    }

    /// When a silent master or replica counts as gone.
    pub fn repl_timeout(&self) -> Duration {
        Duration::from_secs(self.uint(const { ints("repl-timeout") }))
    }

    /// Whether the stream to replicas may be delayed into larger packets.
    pub fn repl_disable_tcp_nodelay(&self) -> bool {
        self.bool(const { bools("repl-disable-tcp-nodelay") })
    }

    /// Bytes of the stream kept for partial resyncs.
    pub fn repl_backlog_size(&self) -> u64 {
        self.size(const { sizes("repl-backlog-size") })
    }

    /// How long the backlog is kept without replicas; `None` for ever.
    pub fn repl_backlog_ttl(&self) -> Option<Duration> {
        let keep = self.uint(const { ints("repl-backlog-ttl") });
        (keep != 0).then(|| Duration::from_secs(keep))
    }

    /// How long a replica refuses to follow a master that has lost its data; zero is not at all.
    pub fn replica_keep_data_timeout(&self) -> Duration {
        Duration::from_secs(self.uint(const { ints("replica-keep-data-timeout") }))
    }

    /// What Sentinel sorts candidates by; 0 is never promoted.
    pub fn replica_priority(&self) -> u32 {
        self.small(const { ints("replica-priority") })
    }

    /// Whether Sentinel may tell clients of this replica.
    pub fn replica_announced(&self) -> bool {
        self.bool(const { bools("replica-announced") })
    }

    /// The address the master shows for us.
    pub fn replica_announce_ip(&self) -> Option<&str> {
        Some(self.text(const { texts("replica-announce-ip") })).filter(|text| !text.is_empty())
    }

    /// The port the master shows for us; 0 for the real one.
    pub fn replica_announce_port(&self) -> u16 {
        self.port_number(const { ints("replica-announce-port") })
    }

    /// How many replicas a write needs; 0 for no number.
    pub fn min_replicas_to_write(&self) -> u32 {
        self.small(const { ints("min-replicas-to-write") })
    }

    /// How far these replicas may lag.
    pub fn min_replicas_max_lag(&self) -> Duration {
        Duration::from_secs(self.uint(const { ints("min-replicas-max-lag") }))
    }

    /// What a replica does that can't execute a command of its master.
    pub fn propagation_error_behavior(&self) -> PropagationError {
        PropagationError::ALL[usize::from(self.word(const { words("propagation-error-behavior") }))]
    }

    /// Whether a replica executes commands it can't log.
    pub fn replica_ignore_disk_write_errors(&self) -> bool {
        self.bool(const { bools("replica-ignore-disk-write-errors") })
    }

    /// Whether a replica leaves eviction to its master.
    pub fn replica_ignore_maxmemory(&self) -> bool {
        self.bool(const { bools("replica-ignore-maxmemory") })
    }

    /// Whether a full sync frees the old data set in the background.
    pub fn replica_lazy_flush(&self) -> bool {
        self.bool(const { bools("replica-lazy-flush") })
    }
}

/// Memory.
impl Config {
    /// Bytes at which eviction begins; 0 for no bound.
    pub fn maxmemory(&self) -> u64 {
        self.size(const { sizes("maxmemory") })
    }

    /// Which keys make room.
    pub fn maxmemory_policy(&self) -> MaxmemoryPolicy {
        MaxmemoryPolicy::ALL[usize::from(self.word(const { words("maxmemory-policy") }))]
    }

    /// Keys looked at to evict one.
    pub fn maxmemory_samples(&self) -> u32 {
        self.small(const { ints("maxmemory-samples") })
    }

    /// How long an eviction may take, 0 to 100.
    pub fn maxmemory_eviction_tenacity(&self) -> u32 {
        self.small(const { ints("maxmemory-eviction-tenacity") })
    }

    /// Memory for all clients together.
    pub fn maxmemory_clients(&self) -> ClientsMemory {
        let value = &self.values[const { place("maxmemory-clients") }];
        if let Value::Percent(percent) = *value {
            return ClientsMemory::PercentOfMaxmemory(percent);
        }
        let Value::Memory(bytes) = *value else {
            unreachable!("a row keeps its kind");
        };
        if bytes == 0 {
            ClientsMemory::Unbounded
        } else {
            ClientsMemory::Bytes(bytes)
        }
    }

    /// Bytes of one client's unfinished commands.
    pub fn client_query_buffer_limit(&self) -> u64 {
        self.size(const { sizes("client-query-buffer-limit") })
    }

    /// Bytes of one argument.
    pub fn proto_max_bulk_len(&self) -> u64 {
        self.size(const { sizes("proto-max-bulk-len") })
    }

    /// Bounds of reply buffers: normal clients, replicas, subscribers.
    pub fn client_limits(&self) -> [ClientLimit; 3] {
        let Value::ClientLimits(limits) =
            self.values[const { place("client-output-buffer-limit") }]
        else {
            unreachable!("a row keeps its kind");
        };
        limits
    }

    /// How hard expired keys are looked for, 1 to 10.
    pub fn active_expire_effort(&self) -> u32 {
        self.small(const { ints("active-expire-effort") })
    }

    /// How slowly the frequency counter grows.
    pub fn lfu_log_factor(&self) -> u32 {
        self.small(const { ints("lfu-log-factor") })
    }

    /// Minutes after which the frequency counter shrinks.
    pub fn lfu_decay_time(&self) -> u32 {
        self.small(const { ints("lfu-decay-time") })
    }

    /// Whether evicted keys are freed in the background.
    pub fn lazyfree_lazy_eviction(&self) -> bool {
        self.bool(const { bools("lazyfree-lazy-eviction") })
    }

    /// Whether expired keys are freed in the background.
    pub fn lazyfree_lazy_expire(&self) -> bool {
        self.bool(const { bools("lazyfree-lazy-expire") })
    }

    /// Whether overwritten keys are freed in the background.
    pub fn lazyfree_lazy_server_del(&self) -> bool {
        self.bool(const { bools("lazyfree-lazy-server-del") })
    }

    /// Whether DEL is UNLINK.
    pub fn lazyfree_lazy_user_del(&self) -> bool {
        self.bool(const { bools("lazyfree-lazy-user-del") })
    }

    /// Whether FLUSHDB and FLUSHALL free in the background unless told otherwise.
    pub fn lazyfree_lazy_user_flush(&self) -> bool {
        self.bool(const { bools("lazyfree-lazy-user-flush") })
    }
}

/// Background work and what is watched.
impl Config {
    /// When a running script makes others be answered BUSY; zero for never.
    pub fn busy_reply_threshold(&self) -> Duration {
        Duration::from_millis(self.uint(const { ints("busy-reply-threshold") }))
    }

    /// Microseconds from which a command is logged as slow; negative for never.
    pub fn slowlog_log_slower_than(&self) -> i64 {
        self.int(const { ints("slowlog-log-slower-than") })
    }

    /// Entries of the slow log.
    pub fn slowlog_max_len(&self) -> u64 {
        self.uint(const { ints("slowlog-max-len") })
    }

    /// Milliseconds from which an event is recorded; 0 for never.
    pub fn latency_monitor_threshold(&self) -> u64 {
        self.uint(const { ints("latency-monitor-threshold") })
    }

    /// Whether each command's latencies are recorded.
    pub fn latency_tracking(&self) -> bool {
        self.bool(const { bools("latency-tracking") })
    }

    /// Percentiles shown in INFO latencystats.
    pub fn latency_tracking_info_percentiles(&self) -> &[f64] {
        let Value::Percentiles(values) =
            &self.values[const { place("latency-tracking-info-percentiles") }]
        else {
            unreachable!("a row keeps its kind");
        };
        values
    }

    /// Which keyspace events are published.
    pub fn notify_keyspace_events(&self) -> NotifyFlags {
        let Value::Notify(flags) = self.values[const { place("notify-keyspace-events") }] else {
            unreachable!("a row keeps its kind");
        };
        flags
    }

    /// How often a second the background work runs. What is set below 1 or above 500 counts as
    /// that bound.
    pub fn hz(&self) -> u32 {
        self.small(const { ints("hz") }).clamp(1, 500)
    }

    /// Whether many clients make it run more often.
    pub fn dynamic_hz(&self) -> bool {
        self.bool(const { bools("dynamic-hz") })
    }

    /// Whether idle time goes into resizing tables.
    pub fn activerehashing(&self) -> bool {
        self.bool(const { bools("activerehashing") })
    }

    /// How long a shutdown waits for replicas.
    pub fn shutdown_timeout(&self) -> Duration {
        Duration::from_secs(self.uint(const { ints("shutdown-timeout") }))
    }

    /// How SIGINT shuts down.
    pub fn shutdown_on_sigint(&self) -> ShutdownOn {
        let Value::ShutdownOn(how) = self.values[const { place("shutdown-on-sigint") }] else {
            unreachable!("a row keeps its kind");
        };
        how
    }

    /// How SIGTERM shuts down.
    pub fn shutdown_on_sigterm(&self) -> ShutdownOn {
        let Value::ShutdownOn(how) = self.values[const { place("shutdown-on-sigterm") }] else {
            unreachable!("a row keeps its kind");
        };
        how
    }
}

/// Compact encodings.
impl Config {
    /// Fields of a compact hash.
    pub fn hash_max_listpack_entries(&self) -> u64 {
        self.uint(const { ints("hash-max-listpack-entries") })
    }

    /// Bytes of a field or value in a compact hash.
    pub fn hash_max_listpack_value(&self) -> u64 {
        self.size(const { sizes("hash-max-listpack-value") })
    }

    /// Elements of a list node; negative for a size class: -1 is 4 kB and -5 is 64 kB.
    pub fn list_max_listpack_size(&self) -> i64 {
        self.int(const { ints("list-max-listpack-size") })
    }

    /// Nodes at each end of a list that stay uncompressed; 0 compresses none.
    pub fn list_compress_depth(&self) -> u32 {
        self.small(const { ints("list-compress-depth") })
    }

    /// Members of a set of integers.
    pub fn set_max_intset_entries(&self) -> u64 {
        self.uint(const { ints("set-max-intset-entries") })
    }

    /// Members of a compact set.
    pub fn set_max_listpack_entries(&self) -> u64 {
        self.uint(const { ints("set-max-listpack-entries") })
    }

    /// Bytes of a member in a compact set.
    pub fn set_max_listpack_value(&self) -> u64 {
        self.size(const { sizes("set-max-listpack-value") })
    }

    /// Members of a compact sorted set.
    pub fn zset_max_listpack_entries(&self) -> u64 {
        self.uint(const { ints("zset-max-listpack-entries") })
    }

    /// Bytes of a member in a compact sorted set.
    pub fn zset_max_listpack_value(&self) -> u64 {
        self.size(const { sizes("zset-max-listpack-value") })
    }

    /// Bytes of a sparse HyperLogLog.
    pub fn hll_sparse_max_bytes(&self) -> u64 {
        self.size(const { sizes("hll-sparse-max-bytes") })
    }

    /// Bytes of a stream node; 0 for no bound.
    pub fn stream_node_max_bytes(&self) -> u64 {
        self.size(const { sizes("stream-node-max-bytes") })
    }

    /// Entries of a stream node; 0 for no bound.
    pub fn stream_node_max_entries(&self) -> u64 {
        self.uint(const { ints("stream-node-max-entries") })
    }
}
