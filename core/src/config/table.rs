//! One row per directive, grouped as in the `redis.conf` of 7.2.

use super::fault::Fault;
use super::row::{
    Check, Empty, Kind, Row, bool, int, memory, port, secret, special, text, unset, word,
};
use super::title;

/// All rows. A row's place is its id.
pub static ROWS: [Row; COUNT] = concat();

/// Finds a row by any of its names, of whatever case.
pub fn find(name: &[u8]) -> Option<(usize, &'static Row)> {
    ROWS.iter()
        .enumerate()
        .find(|(_, row)| row.answers_to(name))
}

/// The place of the row called `name`. Run by the compiler; a wrong name does not compile.
pub(super) const fn place(name: &str) -> usize {
    let mut at = 0;
    while at < COUNT {
        if same(ROWS_CONST[at].name.as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("no directive has this name");
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

pub(super) const ROWS_CONST: [Row; COUNT] = concat();

const GROUPS: &[&[Row]] = &[
    NETWORK,
    TLS,
    GENERAL,
    SNAPSHOT,
    REPLICATION,
    SECURITY,
    CLIENTS,
    MEMORY,
    LAZYFREE,
    THREADS,
    KERNEL,
    AOF,
    SHUTDOWN,
    SCRIPTS,
    CLUSTER,
    LOGS,
    ENCODINGS,
    ADVANCED,
    DEFRAG,
    DEVELOPMENT,
    VALKEY,
];

const COUNT: usize = {
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
};

const fn concat() -> [Row; COUNT] {
    let mut rows = [NETWORK[0]; COUNT];
    let (mut at, mut group) = (0, 0);
    while group < GROUPS.len() {
        let mut row = 0;
        while row < GROUPS[group].len() {
            rows[at] = GROUPS[group][row];
            at += 1;
            row += 1;
        }
        group += 1;
    }
    rows
}

const INT_MAX: i64 = i32::MAX as i64;
const UINT_MAX: i64 = u32::MAX as i64;
const INT_MIN: i64 = i32::MIN as i64;
const LONG_MAX: i64 = i64::MAX;
/// The largest amount Redis keeps in a signed number.
const SIGNED_MAX: u64 = i64::MAX as u64;
const MB: u64 = 1 << 20;

const ACCESS: &[&str] = &["no", "yes", "local"];

const NETWORK: &[Row] = &[
    special("bind", Kind::Bind),
    unset("bind-source-addr"),
    bool("protected-mode", true),
    word("enable-protected-configs", 0, ACCESS).immutable(),
    word("enable-debug-command", 0, ACCESS).immutable(),
    word("enable-module-command", 0, ACCESS).immutable(),
    port("port", 6379),
    int("tcp-backlog", 511, 0, INT_MAX).immutable(),
    unset("unixsocket").immutable(),
    special(
        "unixsocketperm",
        Kind::Octal {
            default: 0,
            max: 0o777,
        },
    )
    .immutable(),
    int("timeout", 0, 0, INT_MAX),
    int("tcp-keepalive", 300, 0, INT_MAX),
    int("socket-mark-id", 0, 0, UINT_MAX).immutable(),
];

const TLS: &[Row] = &[
    port("tls-port", 0),
    unset("tls-cert-file"),
    unset("tls-key-file"),
    secret("tls-key-file-pass"),
    unset("tls-client-cert-file"),
    unset("tls-client-key-file"),
    secret("tls-client-key-file-pass"),
    unset("tls-dh-params-file"),
    unset("tls-ca-cert-file"),
    unset("tls-ca-cert-dir"),
    word("tls-auth-clients", 1, &["no", "yes", "optional"]),
    bool("tls-replication", false),
    bool("tls-cluster", false),
    unset("tls-protocols"),
    unset("tls-ciphers"),
    unset("tls-ciphersuites"),
    bool("tls-prefer-server-ciphers", false),
    bool("tls-session-caching", true),
    int("tls-session-cache-size", 20_480, 0, INT_MAX),
    int("tls-session-cache-timeout", 300, 0, INT_MAX),
];

pub(super) const LOG_LEVELS: &[&str] = &["debug", "verbose", "notice", "warning", "nothing"];

const GENERAL: &[Row] = &[
    bool("daemonize", false).immutable(),
    word("supervised", 3, &["upstart", "systemd", "auto", "no"]).immutable(),
    unset("pidfile").immutable(),
    word("loglevel", 2, LOG_LEVELS),
    text("logfile", "").immutable(),
    bool("syslog-enabled", false).immutable(),
    text("syslog-ident", "redis").immutable(),
    word("syslog-facility", 1, SYSLOG_FACILITIES).immutable(),
    bool("crash-log-enabled", true),
    bool("crash-memcheck-enabled", true),
    bool("use-exit-on-panic", false).hidden(),
    int("databases", 16, 1, INT_MAX).immutable(),
    bool("always-show-logo", false).immutable(),
    bool("set-proc-title", true).immutable(),
    checked_text(
        "proc-title-template",
        "{title} {listen-addr} {server-mode}",
        title::check,
    ),
    text("locale-collate", ""),
];

const SYSLOG_FACILITIES: &[&str] = &[
    "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

const SNAPSHOT: &[Row] = &[
    special("save", Kind::Save),
    bool("stop-writes-on-bgsave-error", true),
    bool("rdbcompression", true),
    bool("rdbchecksum", true).immutable(),
    word("sanitize-dump-payload", 0, &["no", "yes", "clients"]),
    checked_text("dbfilename", "dump.rdb", plain_db_name).protected(),
    bool("rdb-del-sync-files", false),
    special("dir", Kind::Dir).protected().denied_while_loading(),
    bool("rdb-save-incremental-fsync", true),
    int("rdb-key-save-delay", 0, INT_MIN, INT_MAX).hidden(),
    int("key-load-delay", 0, INT_MIN, INT_MAX).hidden(),
    int(
        "loading-process-events-interval-bytes",
        2 << 20,
        1024,
        INT_MAX,
    )
    .hidden(),
];

const DISKLESS_LOAD: &[&str] = &["disabled", "on-empty-db", "swapdb"];

const REPLICATION: &[Row] = &[
    special("replicaof", Kind::ReplicaOf)
        .alias("slaveof")
        .immutable(),
    secret("masterauth"),
    secret("masteruser"),
    bool("replica-serve-stale-data", true).alias("slave-serve-stale-data"),
    bool("replica-read-only", true).alias("slave-read-only"),
    bool("repl-diskless-sync", true),
    int("repl-diskless-sync-delay", 5, 0, INT_MAX),
    int("repl-diskless-sync-max-replicas", 0, 0, INT_MAX),
    word("repl-diskless-load", 0, DISKLESS_LOAD).denied_while_loading(),
    int("repl-ping-replica-period", 10, 1, INT_MAX).alias("repl-ping-slave-period"),
    int("repl-timeout", 60, 1, INT_MAX),
    bool("repl-disable-tcp-nodelay", false),
    memory("repl-backlog-size", MB, 1, SIGNED_MAX),
    int("repl-backlog-ttl", 3600, 0, LONG_MAX),
    int("replica-keep-data-timeout", 180, 0, INT_MAX),
    int("replica-priority", 100, 0, INT_MAX).alias("slave-priority"),
    word(
        "propagation-error-behavior",
        0,
        &["ignore", "panic", "panic-on-replicas"],
    ),
    bool("replica-ignore-disk-write-errors", false),
    bool("replica-announced", true),
    int("min-replicas-to-write", 0, 0, INT_MAX).alias("min-slaves-to-write"),
    int("min-replicas-max-lag", 10, 0, INT_MAX).alias("min-slaves-max-lag"),
    unset("replica-announce-ip").alias("slave-announce-ip"),
    port("replica-announce-port", 0).alias("slave-announce-port"),
];

const SECURITY: &[Row] = &[
    int("acllog-max-len", 128, 0, LONG_MAX),
    text("aclfile", "").immutable(),
    secret("requirepass"),
    word("acl-pubsub-default", 1, &["allchannels", "resetchannels"]),
    int("tracking-table-max-keys", 1_000_000, 0, LONG_MAX),
];

const CLIENTS: &[Row] = &[
    int("maxclients", 10_000, 1, UINT_MAX),
    memory("client-query-buffer-limit", 1 << 30, MB, SIGNED_MAX),
    special("client-output-buffer-limit", Kind::ClientLimits),
    special("maxmemory-clients", Kind::MemoryOrPercent),
    memory("proto-max-bulk-len", 512 << 20, MB, SIGNED_MAX),
];

pub(super) const EVICTION_POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];

const MEMORY: &[Row] = &[
    memory("maxmemory", 0, 0, u64::MAX),
    word("maxmemory-policy", 7, EVICTION_POLICIES),
    int("maxmemory-samples", 5, 1, INT_MAX),
    int("maxmemory-eviction-tenacity", 10, 0, 100),
    bool("replica-ignore-maxmemory", true).alias("slave-ignore-maxmemory"),
    int("active-expire-effort", 1, 1, 10),
    int("lfu-log-factor", 10, 0, INT_MAX),
    int("lfu-decay-time", 1, 0, INT_MAX),
];

const LAZYFREE: &[Row] = &[
    bool("lazyfree-lazy-eviction", false),
    bool("lazyfree-lazy-expire", false),
    bool("lazyfree-lazy-server-del", false),
    bool("replica-lazy-flush", false).alias("slave-lazy-flush"),
    bool("lazyfree-lazy-user-del", false),
    bool("lazyfree-lazy-user-flush", false),
];

const THREADS: &[Row] = &[
    int("io-threads", 1, 1, 128).immutable(),
    bool("io-threads-do-reads", false).immutable(),
    unset("server_cpulist").immutable(),
    unset("bio_cpulist").immutable(),
    unset("aof_rewrite_cpulist").immutable(),
    unset("bgsave_cpulist").immutable(),
];

const KERNEL: &[Row] = &[
    special(
        "oom-score-adj",
        Kind::Word {
            default: 0,
            words: &["no", "yes", "relative", "absolute"],
            twin: Some((2, 1)),
        },
    ),
    special("oom-score-adj-values", Kind::OomValues),
    bool("disable-thp", true).immutable(),
    bool("jemalloc-bg-thread", true),
    text("ignore-warnings", ""),
];

const AOF: &[Row] = &[
    bool("appendonly", false).denied_while_loading(),
    checked_text("appendfilename", "appendonly.aof", plain_aof_name).immutable(),
    checked_text("appenddirname", "appendonlydir", plain_aof_dir).immutable(),
    word("appendfsync", 0, &["everysec", "always", "no"]),
    bool("no-appendfsync-on-rewrite", false),
    int("auto-aof-rewrite-percentage", 100, 0, INT_MAX),
    memory("auto-aof-rewrite-min-size", 64 * MB, 0, SIGNED_MAX),
    bool("aof-load-truncated", true),
    bool("aof-use-rdb-preamble", true),
    bool("aof-timestamp-enabled", false),
    bool("aof-rewrite-incremental-fsync", true),
    bool("aof-disable-auto-gc", false),
];

const SHUTDOWN: &[Row] = &[
    int("shutdown-timeout", 10, 0, INT_MAX),
    special("shutdown-on-sigint", Kind::ShutdownOn),
    special("shutdown-on-sigterm", Kind::ShutdownOn),
];

const SCRIPTS: &[Row] = &[
    int("busy-reply-threshold", 5000, 0, LONG_MAX).alias("lua-time-limit"),
    bool("lua-enable-deprecated-api", false)
        .immutable()
        .hidden(),
];

const ENDPOINT_TYPES: &[&str] = &["ip", "hostname", "unknown-endpoint"];

const CLUSTER: &[Row] = &[
    bool("cluster-enabled", false).immutable(),
    text("cluster-config-file", "nodes.conf").immutable(),
    int("cluster-node-timeout", 15_000, 0, LONG_MAX),
    port("cluster-port", 0).immutable(),
    int("cluster-replica-validity-factor", 10, 0, INT_MAX).alias("cluster-slave-validity-factor"),
    int("cluster-migration-barrier", 1, 0, INT_MAX),
    bool("cluster-allow-replica-migration", true),
    bool("cluster-require-full-coverage", true),
    bool("cluster-replica-no-failover", false).alias("cluster-slave-no-failover"),
    bool("cluster-allow-reads-when-down", false),
    bool("cluster-allow-pubsubshard-when-down", true),
    memory("cluster-link-sendbuf-limit", 0, 0, u64::MAX),
    unset("cluster-announce-ip"),
    checked_unset("cluster-announce-hostname", host_name),
    unset("cluster-announce-human-nodename"),
    word("cluster-preferred-endpoint-type", 0, ENDPOINT_TYPES),
    port("cluster-announce-port", 0),
    port("cluster-announce-tls-port", 0),
    port("cluster-announce-bus-port", 0),
];

const LOGS: &[Row] = &[
    int("slowlog-log-slower-than", 10_000, -1, LONG_MAX),
    int("slowlog-max-len", 128, 0, LONG_MAX),
    int("latency-monitor-threshold", 0, 0, LONG_MAX),
    bool("latency-tracking", true),
    special("latency-tracking-info-percentiles", Kind::Percentiles),
    special("notify-keyspace-events", Kind::NotifyFlags),
];

const ENCODINGS: &[Row] = &[
    int("hash-max-listpack-entries", 512, 0, LONG_MAX).alias("hash-max-ziplist-entries"),
    memory("hash-max-listpack-value", 64, 0, SIGNED_MAX).alias("hash-max-ziplist-value"),
    int("list-max-listpack-size", -2, INT_MIN, INT_MAX).alias("list-max-ziplist-size"),
    int("list-compress-depth", 0, 0, INT_MAX),
    int("set-max-intset-entries", 512, 0, LONG_MAX),
    int("set-max-listpack-entries", 128, 0, LONG_MAX),
    memory("set-max-listpack-value", 64, 0, SIGNED_MAX),
    int("zset-max-listpack-entries", 128, 0, LONG_MAX).alias("zset-max-ziplist-entries"),
    memory("zset-max-listpack-value", 64, 0, SIGNED_MAX).alias("zset-max-ziplist-value"),
    memory("hll-sparse-max-bytes", 3000, 0, SIGNED_MAX),
    memory("stream-node-max-bytes", 4096, 0, SIGNED_MAX),
    int("stream-node-max-entries", 100, 0, LONG_MAX),
];

const ADVANCED: &[Row] = &[
    bool("activerehashing", true),
    int("hz", 10, 0, INT_MAX),
    bool("dynamic-hz", true),
];

const DEFRAG: &[Row] = &[
    bool("activedefrag", false),
    memory("active-defrag-ignore-bytes", 100 * MB, 1, SIGNED_MAX),
    int("active-defrag-threshold-lower", 10, 0, 1000),
    int("active-defrag-threshold-upper", 100, 0, 1000),
    int("active-defrag-cycle-min", 1, 1, 99),
    int("active-defrag-cycle-max", 25, 1, 99),
    int("active-defrag-max-scan-fields", 1000, 1, LONG_MAX),
];

const DEVELOPMENT: &[Row] = &[int("watchdog-period", 0, 0, INT_MAX).hidden()];

/// What Valkey has and Redis has not. `CONFIG GET *` shows what a Redis would.
const VALKEY: &[Row] = &[
    unset("unixsocketgroup").immutable().hidden(),
    bool("enable-debug-assert", false).immutable().hidden(),
    bool("hide-user-data-from-log", true).hidden(),
];

/// Old directives that are read and mean nothing; each takes one argument.
pub(super) const OBSOLETE: &[&str] = &[
    "list-max-ziplist-entries",
    "list-max-ziplist-value",
    "lua-replicate-commands",
];

const fn checked_text(name: &'static str, default: &'static str, check: Check) -> Row {
    let (empty, check) = (Empty::Value, Some(check));
    special(
        name,
        Kind::Text {
            default,
            empty,
            check,
        },
    )
}

const fn checked_unset(name: &'static str, check: Check) -> Row {
    let (default, empty, check) = ("", Empty::Unset, Some(check));
    special(
        name,
        Kind::Text {
            default,
            empty,
            check,
        },
    )
}

fn has_separator(name: &[u8]) -> bool {
    name.iter().any(|byte| b"/\\".contains(byte))
}

fn plain_db_name(name: &[u8]) -> Result<(), Fault> {
    if has_separator(name) {
        return Err(Fault::Because(
            "dbfilename can't be a path, just a filename",
        ));
    }
    Ok(())
}

fn plain_aof_name(name: &[u8]) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(Fault::Because("appendfilename can't be empty"));
    }
    if has_separator(name) {
        return Err(Fault::Because(
            "appendfilename can't be a path, just a filename",
        ));
    }
    Ok(())
}

fn plain_aof_dir(name: &[u8]) -> Result<(), Fault> {
    if name.is_empty() {
        return Err(Fault::Because("appenddirname can't be empty"));
    }
    if has_separator(name) {
        return Err(Fault::Because(
            "appenddirname can't be a path, just a dirname",
        ));
    }
    Ok(())
}

fn host_name(name: &[u8]) -> Result<(), Fault> {
    if name.len() > 255 {
        return Err(Fault::Because("Hostnames must be less than 256 characters"));
    }
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte);
    if !name.iter().all(allowed) {
        return Err(Fault::Because(
            "Hostnames may only contain alphanumeric characters, hyphens or dots",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::value::Value;
    use super::*;

    #[test]
    fn names_are_unique_lower_case_and_found_in_any_case() {
        let mut names: Vec<&str> = ROWS
            .iter()
            .flat_map(|row| [Some(row.name), row.alias])
            .flatten()
            .collect();
        let count = names.len();
        for name in &names {
            assert!(
                !name.bytes().any(|byte| byte.is_ascii_uppercase()),
                "{name}"
            );
            assert!(
                find(name.to_ascii_uppercase().as_bytes()).is_some(),
                "{name}"
            );
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_default_is_a_value_its_own_row_takes() {
        for row in &ROWS {
            let value = row.default_value();
            let shown = value.show(&row.kind);
            if matches!(row.kind, Kind::ReplicaOf) {
                assert_eq!(shown, b"");
                continue;
            }
            let args: Vec<&[u8]> = if row.takes_many() {
                shown.split(|&byte| byte == b' ').collect()
            } else {
                vec![&shown]
            };
            let empty = Value::Save(Vec::new());
            let old = if matches!(row.kind, Kind::Save) {
                &empty
            } else {
                &value
            };
            assert_eq!(
                row.kind.parse(&args, old),
                Ok(value.clone()),
                "{}",
                row.name
            );
        }
    }
}
