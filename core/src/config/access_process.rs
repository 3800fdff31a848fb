//! What the code asks the configuration, in its types: network, process, security.

use core::time::Duration;

use super::choice::{Access, AclPubsubDefault, LogLevel, Supervised};
use super::store::{Config, bools, ints, secrets, texts, words};
use super::table::place;
use super::value::Value;

/// Network.
impl Config {
    /// The TCP port; 0 for none.
    pub fn port(&self) -> u16 {
        self.port_number(const { ints("port") })
    }

    /// Addresses to listen on: `*`, `::*` or one of our own; with `-` in front one that may be
    /// missing.
    pub fn bind(&self) -> &[Box<str>] {
        let Value::Bind(addresses) = &self.values[const { place("bind") }] else {
            unreachable!("a row keeps its kind");
        };
        addresses
    }

    /// Our own address for connections we make.
    pub fn bind_source_addr(&self) -> Option<&str> {
        Some(self.text(const { texts("bind-source-addr") })).filter(|text| !text.is_empty())
    }

    /// Whether clients from other machines are refused while there is no password.
    pub fn protected_mode(&self) -> bool {
        self.bool(const { bools("protected-mode") })
    }

    /// The longest queue of connections not yet accepted.
    pub fn tcp_backlog(&self) -> u32 {
        self.small(const { ints("tcp-backlog") })
    }

    /// The path of the Unix socket.
    pub fn unixsocket(&self) -> Option<&str> {
        Some(self.text(const { texts("unixsocket") })).filter(|text| !text.is_empty())
    }

    /// Permissions of the Unix socket; `None` leaves what the system gives.
    pub fn unixsocketperm(&self) -> Option<u32> {
        let Value::Octal(mode) = self.values[const { place("unixsocketperm") }] else {
            unreachable!("a row keeps its kind");
        };
        (mode != 0).then_some(mode)
    }

    /// The group of the Unix socket; `None` leaves that of the process.
    pub fn unixsocketgroup(&self) -> Option<&str> {
        Some(self.text(const { texts("unixsocketgroup") })).filter(|text| !text.is_empty())
    }

    /// How long a client may be idle; `None` for ever.
    pub fn timeout(&self) -> Option<Duration> {
        let idle = self.uint(const { ints("timeout") });
        (idle != 0).then(|| Duration::from_secs(idle))
    }

    /// How long a connection is idle before it is probed; `None` for no probes.
    pub fn tcp_keepalive(&self) -> Option<Duration> {
        let idle = self.uint(const { ints("tcp-keepalive") });
        (idle != 0).then(|| Duration::from_secs(idle))
    }

    /// The TCP port for TLS; 0 for none.
    pub fn tls_port(&self) -> u16 {
        self.port_number(const { ints("tls-port") })
    }

    /// Whether connections to masters use TLS.
    pub fn tls_replication(&self) -> bool {
        self.bool(const { bools("tls-replication") })
    }

    /// The most clients at a time.
    pub fn maxclients(&self) -> u32 {
        self.small(const { ints("maxclients") })
    }

    /// From where DEBUG may be used.
    pub fn enable_debug_command(&self) -> Access {
        Access::ALL[usize::from(self.word(const { words("enable-debug-command") }))]
    }

    /// From where protected parameters may be changed.
    pub fn enable_protected_configs(&self) -> Access {
        Access::ALL[usize::from(self.word(const { words("enable-protected-configs") }))]
    }

    /// From where MODULE may be used.
    pub fn enable_module_command(&self) -> Access {
        Access::ALL[usize::from(self.word(const { words("enable-module-command") }))]
    }
}

/// The process.
impl Config {
    /// Whether the process goes to the background.
    pub fn daemonize(&self) -> bool {
        self.bool(const { bools("daemonize") })
    }

    /// Whether the allocator gives memory back to the system from a thread of its own.
    pub fn jemalloc_bg_thread(&self) -> bool {
        self.bool(const { bools("jemalloc-bg-thread") })
    }

    /// Who watches over the process.
    pub fn supervised(&self) -> Supervised {
        Supervised::ALL[usize::from(self.word(const { words("supervised") }))]
    }

    /// Where the process id is written.
    pub fn pidfile(&self) -> Option<&str> {
        Some(self.text(const { texts("pidfile") })).filter(|text| !text.is_empty())
    }

    /// How much is logged.
    pub fn loglevel(&self) -> LogLevel {
        LogLevel::ALL[usize::from(self.word(const { words("loglevel") }))]
    }

    /// Where the log goes; empty for standard output.
    pub fn logfile(&self) -> &str {
        self.text(const { texts("logfile") })
    }

    /// Whether the log goes to the system log, too.
    pub fn syslog_enabled(&self) -> bool {
        self.bool(const { bools("syslog-enabled") })
    }

    /// The name in the system log.
    pub fn syslog_ident(&self) -> &str {
        self.text(const { texts("syslog-ident") })
    }

    /// The facility in the system log.
    pub fn syslog_facility(&self) -> &'static str {
        let row = const { place("syslog-facility") };
        super::value::word_text(
            &super::table::ROWS[row].kind,
            self.word(const { words("syslog-facility") }),
        )
    }

    /// How many databases there are.
    pub fn databases(&self) -> u32 {
        self.small(const { ints("databases") })
    }

    /// Whether the start is announced with a picture even off a terminal.
    pub fn always_show_logo(&self) -> bool {
        self.bool(const { bools("always-show-logo") })
    }

    /// Whether the process changes its title.
    pub fn set_proc_title(&self) -> bool {
        self.bool(const { bools("set-proc-title") })
    }

    /// What the title shows.
    pub fn proc_title_template(&self) -> &str {
        self.text(const { texts("proc-title-template") })
    }

    /// Whether a crash is reported in the log.
    pub fn crash_log_enabled(&self) -> bool {
        self.bool(const { bools("crash-log-enabled") })
    }

    /// Whether transparent huge pages are turned off.
    pub fn disable_thp(&self) -> bool {
        self.bool(const { bools("disable-thp") })
    }

    /// Whether and how `oom_score_adj_values` count: `no`, `yes` (relative) or `absolute`.
    pub fn oom_score_adj(&self) -> &'static str {
        let row = const { place("oom-score-adj") };
        super::value::word_text(
            &super::table::ROWS[row].kind,
            self.word(const { words("oom-score-adj") }),
        )
    }

    /// Out-of-memory scores of master, replica and children.
    pub fn oom_score_adj_values(&self) -> [i32; 3] {
        let Value::Oom(values) = self.values[const { place("oom-score-adj-values") }] else {
            unreachable!("a row keeps its kind");
        };
        values
    }

    /// Threads that read and write.
    pub fn io_threads(&self) -> u32 {
        self.small(const { ints("io-threads") })
    }

    /// The locale strings are collated in; empty for that of the environment.
    pub fn locale_collate(&self) -> &str {
        self.text(const { texts("locale-collate") })
    }
}

/// Security.
impl Config {
    /// The password clients must give; empty for none.
    pub fn requirepass(&self) -> &[u8] {
        self.secret(const { secrets("requirepass") })
    }

    /// The file of users.
    pub fn aclfile(&self) -> &str {
        self.text(const { texts("aclfile") })
    }

    /// Channels a new user may use.
    pub fn acl_pubsub_default(&self) -> AclPubsubDefault {
        AclPubsubDefault::ALL[usize::from(self.word(const { words("acl-pubsub-default") }))]
    }

    /// Entries of ACL LOG.
    pub fn acllog_max_len(&self) -> u64 {
        self.uint(const { ints("acllog-max-len") })
    }

    /// Keys remembered for client-side caching; 0 for no bound.
    pub fn tracking_table_max_keys(&self) -> u64 {
        self.uint(const { ints("tracking-table-max-keys") })
    }
}

/// Conversions shared by the above.
impl Config {
    pub(super) fn port_number(&self, row: super::store::Typed<super::store::Ints>) -> u16 {
        u16::try_from(self.int(row)).expect("the row's range is that of ports")
    }
}
