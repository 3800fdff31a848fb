//! INFO: the server's state in lines of `field:value`.

use super::client::ClientFlags;
use super::memory_report::MemoryReport;
use super::state::State;
use super::stats::Denials;
use crate::command::cx::Cx;
use crate::keyspace::Keyspace;
use crate::pubsub::Kind;
use core::fmt::{Display, Write as _};
use core::time::Duration;

/// One block of INFO.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Section {
    Server,
    Clients,
    Memory,
    Persistence,
    Stats,
    Replication,
    Cpu,
    Modules,
    Commandstats,
    Errorstats,
    Latencystats,
    Cluster,
    Keyspace,
}

impl Section {
    /// In the order of a full report.
    const ALL: &'static [Self] = &[
        Self::Server,
        Self::Clients,
        Self::Memory,
        Self::Persistence,
        Self::Stats,
        Self::Replication,
        Self::Cpu,
        Self::Modules,
        Self::Commandstats,
        Self::Errorstats,
        Self::Latencystats,
        Self::Cluster,
        Self::Keyspace,
    ];

    const fn title(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Clients => "Clients",
            Self::Memory => "Memory",
            Self::Persistence => "Persistence",
            Self::Stats => "Stats",
            Self::Replication => "Replication",
            Self::Cpu => "CPU",
            Self::Modules => "Modules",
            Self::Commandstats => "Commandstats",
            Self::Errorstats => "Errorstats",
            Self::Latencystats => "Latencystats",
            Self::Cluster => "Cluster",
            Self::Keyspace => "Keyspace",
        }
    }

    /// Whether INFO without arguments shows it.
    const fn is_default(self) -> bool {
        !matches!(self, Self::Commandstats | Self::Latencystats)
    }
}

/// A report in the making.
#[derive(Debug, Default)]
pub(super) struct Report(String);

impl Report {
    /// Adds a line.
    pub(super) fn line(&mut self, field: &str, value: impl Display) {
        write!(self.0, "{field}:{value}\r\n").expect("a String takes any text");
    }

    /// Adds finished lines.
    fn text(&mut self, lines: &str) {
        self.0.push_str(lines);
    }

    /// Adds a line with an amount of memory, and one with the same for people.
    fn memory(&mut self, field: &str, bytes: u64) {
        self.line(field, bytes);
        self.line(&format!("{field}_human"), Human(bytes));
    }

    fn section(&mut self, title: &str) {
        if !self.0.is_empty() {
            self.0.push_str("\r\n");
        }
        write!(self.0, "# {title}\r\n").expect("a String takes any text");
    }

    /// The finished text.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Bytes as Redis shows them to people: `1.50M`.
struct Human(u64);

impl Display for Human {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        const UNITS: [(u64, char); 4] = [
            (1 << 40, 'T'),
            (1 << 30, 'G'),
            (1 << 20, 'M'),
            (1 << 10, 'K'),
        ];
        match UNITS.iter().find(|(unit, _)| self.0 >= *unit) {
            Some((unit, letter)) => write!(f, "{:.2}{letter}", self.0 as f64 / *unit as f64),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// The sections some names stand for; all default ones if there are none.
fn sections<'a>(names: impl ExactSizeIterator<Item = &'a [u8]> + Clone) -> Vec<Section> {
    let is_wanted = |section: &&Section| {
        let mut names = names.clone();
        if names.len() == 0 {
            return section.is_default();
        }
        names.any(|name| {
            let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
            is(section.title())
                || is("all")
                || is("everything")
                || (is("default") && section.is_default())
        })
    };
    Section::ALL.iter().filter(is_wanted).copied().collect()
}

impl Cx<'_> {
    /// The report for the sections named; the default ones if none is.
    pub fn info<'a>(&self, names: impl ExactSizeIterator<Item = &'a [u8]> + Clone) -> String {
        let (st, keys) = (&*self.data.st, &*self.data.keys);
        let mut report = Report::default();
        for section in sections(names) {
            report.section(section.title());
            match section {
                Section::Server => server(&mut report, st),
                Section::Clients => clients(&mut report, st),
                Section::Memory => memory(&mut report, st, keys),
                Section::Persistence => st.persist.info(&mut report, st),
                Section::Stats => stats(&mut report, st),
                Section::Replication => report.text(&st.repl.info(st.now)),
                Section::Cpu => cpu(&mut report, st),
                Section::Modules => {}
                Section::Commandstats => commandstats(&mut report, st),
                Section::Errorstats => errorstats(&mut report, st),
                Section::Latencystats => {}
                Section::Cluster => report.line("cluster_enabled", 0),
                Section::Keyspace => keyspace(&mut report, st, keys),
            }
        }
        report.into_text()
    }
}

fn server(report: &mut Report, st: &State) {
    let launch = &st.launch;
    let uptime = st.now.mono.since(st.started.mono).as_secs();
    report.line("redis_version", crate::config::REDIS_VERSION);
    report.line("redis_git_sha1", "00000000");
    report.line("redis_git_dirty", 0);
    report.line("redis_build_id", "0000000000000000");
    report.line("redis_mode", "standalone");
    report.line("os", &launch.os);
    report.line("arch_bits", usize::BITS);
    report.line("monotonic_clock", "POSIX clock_gettime");
    report.line("multiplexing_api", "epoll");
    report.line("atomicvar_api", "rust-core");
    report.line("gcc_version", "0.0.0");
    report.line("process_id", launch.pid);
    report.line("process_supervised", launch.supervised);
    report.line("run_id", st.run_id);
    report.line("tcp_port", st.config.port());
    report.line("server_time_usec", st.now.wall.as_millis() * 1000);
    report.line("uptime_in_seconds", uptime);
    report.line("uptime_in_days", uptime / (24 * 3600));
    report.line("hz", st.config.hz());
    report.line("configured_hz", st.config.hz());
    report.line("lru_clock", st.now.wall.as_secs() & 0x00ff_ffff);
    report.line("executable", &launch.executable);
    report.line("config_file", &launch.config_file);
    report.line("io_threads_active", 0);
    report.line("server_name", "holdfast");
    report.line("holdfast_version", env!("CARGO_PKG_VERSION"));
    for (place, addr) in st.lifecycle.listening().enumerate() {
        report.line(&format!("listener{place}"), Listener(addr));
    }
}

struct Listener<'a>(&'a crate::machine::Addr);

impl Display for Listener<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            crate::machine::Addr::Tcp(addr) => {
                write!(f, "name=tcp,bind={},port={}", addr.ip(), addr.port())
            }
            crate::machine::Addr::Unix(path) => write!(f, "name=unix,bind={path}"),
        }
    }
}

fn clients(report: &mut Report, st: &State) {
    let normal = st.conns.iter().filter(|conn| {
        !conn
            .state
            .flags
            .has_any(ClientFlags::REPLICA.and(ClientFlags::MASTER))
    });
    let (mut count, mut input, mut output) = (0, 0, 0);
    for conn in normal {
        count += 1;
        input = conn.input_memory().max(input);
        output = conn.out.memory().max(output);
    }
    report.line("connected_clients", count);
    report.line("cluster_connections", 0);
    report.line("maxclients", st.config.maxclients());
    report.line("client_recent_max_input_buffer", input);
    report.line("client_recent_max_output_buffer", output);
    report.line("blocked_clients", st.blocked.len());
    report.line("tracking_clients", 0);
    report.line("pubsub_clients", st.pubsub.clients());
    report.line("watching_clients", st.watch.clients());
    let waits = &st.blocked.keys;
    let timeouts = waits.timeouts() + st.repl.waits_with_timeout();
    report.line("clients_in_timeout_table", timeouts);
    report.line("total_watched_keys", st.watch.keys());
    report.line("total_blocking_keys", waits.keys());
    report.line("total_blocking_keys_on_nokey", waits.keys_for_removal());
}

fn memory(report: &mut Report, st: &State, keys: &Keyspace) {
    let parts = st.memory_report(keys);
    let (facts, used) = (&parts.facts, parts.used);
    let ratio = MemoryReport::ratio;
    let percent = |percent: f64| format!("{percent:.2}%");
    report.memory("used_memory", used);
    report.memory("used_memory_rss", facts.rss_bytes);
    report.memory("used_memory_peak", parts.peak);
    report.line("used_memory_peak_perc", percent(parts.peak_percent()));
    report.line("used_memory_overhead", parts.overhead());
    report.line("used_memory_startup", parts.startup);
    report.line("used_memory_dataset", parts.dataset());
    report.line("used_memory_dataset_perc", percent(parts.dataset_percent()));
    report.line("allocator_allocated", facts.allocated_bytes);
    report.line("allocator_active", facts.active_bytes);
    report.line("allocator_resident", facts.resident_bytes);
    report.memory("total_system_memory", st.launch.system_memory);
    // What Lua takes depends on addresses, as what the allocator tells: it is told with that.
    let tells = facts.allocated_bytes > 0;
    let lua = if tells { st.scripts.engine_bytes() } else { 0 };
    for field in ["used_memory_lua", "used_memory_vm_eval"] {
        report.line(field, lua);
    }
    report.line("used_memory_lua_human", Human(lua as u64));
    report.line("used_memory_scripts_eval", st.scripts.text_bytes());
    report.line("number_of_cached_scripts", st.scripts.len());
    report.line("number_of_functions", 0);
    for field in ["number_of_libraries", "used_memory_vm_functions"] {
        report.line(field, 0);
    }
    report.memory("used_memory_vm_total", lua as u64);
    report.line("used_memory_functions", 0);
    report.memory("used_memory_scripts", st.scripts.text_bytes() as u64);
    report.memory("maxmemory", st.config.maxmemory());
    report.line(
        "maxmemory_policy",
        String::from_utf8_lossy(&st.config.show("maxmemory-policy").unwrap_or_default()),
    );
    let (allocated, active) = (facts.allocated_bytes, facts.active_bytes);
    report.line(
        "allocator_frag_ratio",
        format_args!("{:.2}", ratio(active, allocated)),
    );
    report.line("allocator_frag_bytes", active.saturating_sub(allocated));
    report.line(
        "allocator_rss_ratio",
        format_args!("{:.2}", ratio(facts.resident_bytes, active)),
    );
    report.line(
        "allocator_rss_bytes",
        facts.resident_bytes.saturating_sub(active),
    );
    let rss_overhead = ratio(facts.rss_bytes, facts.resident_bytes);
    report.line("rss_overhead_ratio", format_args!("{rss_overhead:.2}"));
    report.line(
        "rss_overhead_bytes",
        i128::from(facts.rss_bytes) - i128::from(facts.resident_bytes),
    );
    report.line(
        "mem_fragmentation_ratio",
        format_args!("{:.2}", parts.fragmentation()),
    );
    report.line(
        "mem_fragmentation_bytes",
        i128::from(facts.rss_bytes) - i128::from(used),
    );
    report.line("mem_not_counted_for_evict", st.not_counted_memory());
    report.line("mem_replication_backlog", parts.backlog);
    report.line("mem_total_replication_buffers", st.repl.backlog_memory());
    report.line("mem_clients_slaves", parts.replicas);
    report.line("mem_clients_normal", parts.clients);
    report.line("mem_cluster_links", 0);
    report.line("mem_aof_buffer", st.aof_waiting());
    report.line("mem_allocator", &st.launch.allocator);
    report.line("active_defrag_running", 0);
    report.line("lazyfree_pending_objects", keys.freed().0);
    report.line("lazyfreed_objects", keys.freed().1);
}

fn stats(report: &mut Report, st: &State) {
    let stats = &st.stats;
    let kbps = |per_second: u64| format!("{:.2}", per_second as f64 / 1024.0);
    report.line("total_connections_received", stats.connections);
    report.line("total_commands_processed", stats.commands);
    report.line("instantaneous_ops_per_sec", stats.ops_rate.per_second());
    report.line("total_net_input_bytes", stats.net_input);
    report.line("total_net_output_bytes", stats.net_output);
    report.line("total_net_repl_input_bytes", stats.repl_input);
    report.line("total_net_repl_output_bytes", stats.repl_output);
    report.line(
        "instantaneous_input_kbps",
        kbps(stats.input_rate.per_second()),
    );
    report.line(
        "instantaneous_output_kbps",
        kbps(stats.output_rate.per_second()),
    );
    report.line(
        "instantaneous_input_repl_kbps",
        kbps(stats.repl_input_rate.per_second()),
    );
    report.line(
        "instantaneous_output_repl_kbps",
        kbps(stats.repl_output_rate.per_second()),
    );
    report.line("rejected_connections", stats.rejected_connections);
    let syncs = st.repl.sync_stats();
    report.line("sync_full", syncs.full);
    report.line("sync_partial_ok", syncs.partial_ok);
    report.line("sync_partial_err", syncs.partial_err);
    report.line("expired_keys", stats.expired);
    report.line("expired_stale_perc", "0.00");
    report.line("expired_time_cap_reached_count", stats.expire_capped);
    report.line("expire_cycle_cpu_milliseconds", 0);
    report.line("evicted_keys", stats.evicted);
    report.line("evicted_clients", stats.evicted_clients);
    let exceeded = st.eviction.exceeded_for(st.now.mono);
    let total = stats.eviction_exceeded + exceeded;
    report.line("total_eviction_exceeded_time", total.as_millis());
    report.line("current_eviction_exceeded_time", exceeded.as_millis());
    report.line("keyspace_hits", stats.hits);
    report.line("keyspace_misses", stats.misses);
    report.line("pubsub_channels", st.pubsub.names(Kind::Channel));
    report.line("pubsub_patterns", st.pubsub.names(Kind::Pattern));
    report.line("pubsubshard_channels", st.pubsub.names(Kind::Shard));
    for field in ["latest_fork_usec", "total_forks", "migrate_cached_sockets"] {
        report.line(field, 0);
    }
    report.line("slave_expires_tracked_keys", st.own_expiry.len());
    for field in ABSENT_STATS {
        report.line(field, 0);
    }
    report.line("unexpected_error_replies", 0);
    report.line("total_error_replies", stats.errors);
    report.line("dump_payload_sanitizations", 0);
    report.line("total_reads_processed", stats.reads);
    report.line("total_writes_processed", stats.writes);
    report.line("io_threaded_reads_processed", 0);
    report.line("io_threaded_writes_processed", 0);
    report.line("client_query_buffer_limit_disconnections", 0);
    report.line(
        "client_output_buffer_limit_disconnections",
        stats.output_disconnections,
    );
    report.line("reply_buffer_shrinks", 0);
    report.line("reply_buffer_expands", 0);
    denials(report, &stats.denied);
}

fn denials(report: &mut Report, denied: &Denials) {
    report.line("acl_access_denied_auth", denied.auth);
    report.line("acl_access_denied_cmd", denied.command);
    report.line("acl_access_denied_key", denied.key);
    report.line("acl_access_denied_channel", denied.channel);
}

/// Counters of features that are not there.
const ABSENT_STATS: &[&str] = &[
    "active_defrag_hits",
    "active_defrag_misses",
    "active_defrag_key_hits",
    "active_defrag_key_misses",
    "total_active_defrag_time",
    "current_active_defrag_time",
    "tracking_total_keys",
    "tracking_total_items",
    "tracking_total_prefixes",
];

fn cpu(report: &mut Report, st: &State) {
    let seconds = |d: Duration| format!("{}.{:06}", d.as_secs(), d.subsec_micros());
    let (sys, user) = (seconds(st.facts.cpu_sys), seconds(st.facts.cpu_user));
    report.line("used_cpu_sys", &sys);
    report.line("used_cpu_user", &user);
    report.line("used_cpu_sys_children", seconds(Duration::ZERO));
    report.line("used_cpu_user_children", seconds(Duration::ZERO));
    report.line("used_cpu_sys_main_thread", &sys);
    report.line("used_cpu_user_main_thread", &user);
}

fn commandstats(report: &mut Report, st: &State) {
    for id in st.table.all() {
        let s = st.stats.by_command[id.index()];
        if s.calls + s.rejected + s.failed > 0 {
            let name = format!("cmdstat_{}", st.table.full_name(id));
            report.line(
                &name,
                format_args!(
                    "calls={},usec=0,usec_per_call=0.00,rejected_calls={},failed_calls={}",
                    s.calls, s.rejected, s.failed
                ),
            );
        }
    }
}

fn errorstats(report: &mut Report, st: &State) {
    for (code, count) in &st.stats.by_code {
        report.line(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

fn keyspace(report: &mut Report, st: &State, keys: &Keyspace) {
    for (index, db) in keys.dbs().iter().enumerate() {
        if !db.is_empty() {
            let average = db.avg_ttl(st.now.wall);
            report.line(
                &format!("db{index}"),
                format_args!(
                    "keys={},expires={},avg_ttl={average}",
                    db.len(),
                    db.expires()
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_chosen_in_any_case_and_shown_once() {
        let names = [&b"ALL"[..], b"server"];
        assert_eq!(sections(names.into_iter()), Section::ALL);
        let names = [&b"Replication"[..]];
        assert_eq!(sections(names.into_iter()), [Section::Replication]);
        let default = sections([].into_iter());
        assert!(!default.contains(&Section::Commandstats));
        assert!(default.contains(&Section::Keyspace));
    }

    #[test]
    fn memory_is_shown_to_people_with_two_decimals() {
        assert_eq!(Human(1023).to_string(), "1023B");
        assert_eq!(Human(1536).to_string(), "1.50K");
        assert_eq!(Human(3 << 20).to_string(), "3.00M");
    }
}
