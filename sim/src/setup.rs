//! The configuration files a group starts from.

use std::fmt::Write as _;

use crate::client::{MASTER_NAME, SIDE_NAME};
use crate::ids::NodeId;
use crate::options::{DATA_PORT, Options, SENTINEL_PORT, VIRTUAL_IP};
use crate::rng::{Keys, Stream};

/// The users of a server besides the default one, with what Redis's manual says they need, and
/// INFO for replicas.
const USERS: [&str; 2] = [
    "replica on >replicate resetchannels +psync +replconf +ping +info",
    "sentinel on >watch allchannels +multi +slaveof +ping +exec +subscribe +config|rewrite +role \
     +publish +info +client|setname +client|kill +script|kill",
];

/// The user of a Sentinel that the others are.
const PEER: &str = "peer on >agree allchannels +ping +publish +subscribe +client|setname +sentinel";

/// The configuration file of every server and Sentinel.
pub fn configs(keys: Keys, options: &Options) -> Vec<(NodeId, Vec<u8>)> {
    let topology = &options.topology;
    let servers = topology.data().chain(topology.side());
    let data = servers.map(|node| (node, data_config(options, node).into_bytes()));
    let sentinels = (topology.sentinels())
        .map(|node| (node, sentinel_config(keys, options, node).into_bytes()));
    data.chain(sentinels).collect()
}

fn data_config(options: &Options, node: NodeId) -> String {
    let knobs = &options.knobs;
    let index = node.index();
    let mut text = String::new();
    let mut line = |directive: &str, value: &dyn std::fmt::Display| {
        writeln!(text, "{directive} {value}").expect("a String takes everything");
    };
    line("bind", &node.ip());
    line("port", &DATA_PORT);
    line("protected-mode", &"no");
    let save = if knobs.save.is_empty() {
        "\"\""
    } else {
        &knobs.save
    };
    line("save", &save);
    line("appendonly", &if knobs.appendonly { "yes" } else { "no" });
    line("rdb-key-save-delay", &knobs.save_delay_us);
    line("key-load-delay", &knobs.load_delay_us);
    let policy = knobs.appendfsync(node);
    if !policy.is_empty() {
        line("appendfsync", &policy);
        let rdb = if knobs.plain_base { "no" } else { "yes" };
        line("aof-use-rdb-preamble", &rdb);
        line("auto-aof-rewrite-min-size", &knobs.rewrite_min);
    }
    if let Some(files) = knobs.files.get(index) {
        let word = |yes| if yes { "yes" } else { "no" };
        line("aof-timestamp-enabled", &word(files.timestamps));
        line("rdbcompression", &word(files.compression));
        line("rdbchecksum", &word(files.checksum));
    }
    let side = options.topology.side() == Some(node);
    if !side {
        line("replica-priority", &options.topology.priority[index]);
    }
    line("repl-backlog-size", &knobs.backlog_bytes);
    line("repl-backlog-ttl", &knobs.backlog_ttl_s);
    line("repl-timeout", &knobs.repl_timeout_s);
    line("repl-ping-replica-period", &knobs.repl_ping_s);
    line("replica-keep-data-timeout", &knobs.keep_data_s);
    let diskless = if knobs.through_file { "no" } else { "yes" };
    line("repl-diskless-sync", &diskless);
    line("repl-diskless-sync-delay", &knobs.diskless_delay_s);
    line("repl-diskless-load", &knobs.diskless_load);
    line("min-replicas-to-write", &knobs.min_replicas);
    line("min-replicas-max-lag", &knobs.min_replicas_lag_s);
    if knobs.users {
        for rules in USERS {
            line("user", &rules);
        }
        line("masteruser", &"replica");
        line("masterauth", &"replicate");
    }
    if index > 0 && !side {
        let above = NodeId(options.topology.above[index]);
        line("replicaof", &format_args!("{} {DATA_PORT}", above.ip()));
    }
    text
}

fn sentinel_config(keys: Keys, options: &Options, node: NodeId) -> String {
    let knobs = &options.knobs;
    let mut text = String::new();
    let mut line = |directive: &str, value: &dyn std::fmt::Display| {
        writeln!(text, "{directive} {value}").expect("a String takes everything");
    };
    line("bind", &node.ip());
    line("port", &SENTINEL_PORT);
    line("protected-mode", &"no");
    if options.equal_sentinel_seeds {
        // Equal seeds would give equal names; what is tested is equal timing.
        let mut draws = keys.draws(Stream::Options, 1_000 + u64::from(node.0));
        let myid: String = (0..40)
            .map(|_| char::from(*draws.pick(b"0123456789abcdef")))
            .collect();
        line("sentinel myid", &myid);
    }
    let quorum = options.topology.quorum;
    let master = if knobs.names {
        line("sentinel resolve-hostnames", &"yes");
        options.topology.names()[0].clone()
    } else {
        NodeId(0).ip().to_string()
    };
    line(
        "sentinel monitor",
        &format_args!("{MASTER_NAME} {master} {DATA_PORT} {quorum}"),
    );
    if knobs.scripts {
        let named = |path: &str| format!("{MASTER_NAME} {path}");
        line("sentinel notification-script", &named("/bin/notify"));
        line(
            "sentinel client-reconfig-script",
            &named("/bin/reconfigure"),
        );
    }
    if let Some(side) = options.topology.side() {
        let monitored = format!("{SIDE_NAME} {} {DATA_PORT} {quorum}", side.ip());
        line("sentinel monitor", &monitored);
        line("sentinel auto-failover", &format_args!("{SIDE_NAME} no"));
    }
    if knobs.users {
        line("user", &PEER);
        line("sentinel sentinel-user", &"peer");
        line("sentinel sentinel-pass", &"agree");
        line(
            "sentinel auth-user",
            &format_args!("{MASTER_NAME} sentinel"),
        );
        line("sentinel auth-pass", &format_args!("{MASTER_NAME} watch"));
    }
    let named = |value: u64| format!("{MASTER_NAME} {value}");
    line(
        "sentinel down-after-milliseconds",
        &named(knobs.down_after_ms),
    );
    line(
        "sentinel failover-timeout",
        &named(knobs.failover_timeout_ms),
    );
    line(
        "sentinel parallel-syncs",
        &named(u64::from(knobs.parallel_syncs)),
    );
    if options.virtual_ip {
        let spec = format_args!("{MASTER_NAME} {VIRTUAL_IP}/24 eth0");
        line("sentinel virtual-ip", &spec);
    }
    text
}
