//! The server machine.

pub mod acl;
pub mod aof;
mod auth;
pub mod blocked;
pub mod client;
pub mod client_list;
mod client_memory;
mod cron;
pub mod digest;
mod effects;
pub mod eviction;
pub mod exec;
mod info;
mod invariants;
pub mod key_waits;
mod lifecycle;
mod loading;
mod machine;
pub mod memory_report;
pub mod migrate;
mod output;
pub mod own_expiry;
mod persist;
mod publish;
mod receive;
mod reconfigure;
mod replay;
mod replication;
mod rewrite;
pub mod roles;
mod saving;
pub mod scripts;
mod sending;
mod serving;
pub mod shutdown;
pub mod state;
pub mod stats;
mod turn;
mod unit;
mod waiting;
mod warming;
pub mod watch;

pub use auth::Credentials;

use crate::command::FAMILIES;
use crate::command::table::Table;
use crate::config::Config;
use crate::conn::Conns;
use crate::keyspace::Keyspace;
use crate::machine::{ConnId, Now};
use crate::persist::save::Save;
use crate::resp::Argv;
use crate::rng::Rng;
use cron::Cron;
use receive::Incoming;
use state::State;

/// A Redis server: its dataset and everything that serves it.
pub struct Server {
    keys: Keyspace,
    st: State,
    cron: Cron,
    /// Saves that were given up and are not answered for yet.
    dying: Vec<(u64, Save)>,
    /// A dataset arriving from the master.
    incoming: Incoming,
    /// Datasets that were replaced, being freed in slices.
    retired: Vec<Keyspace>,
    /// The link to the master, if it has input that was not looked at yet.
    master_input: Vec<ConnId>,
    /// Argument positions, reused from command to command.
    argv: Argv,
    /// Replicas with something to write, not yet told to the driver.
    writable_replicas: Vec<ConnId>,
    /// What was told since the last end of a turn.
    news: News,
}

/// How much there is to look at when a turn ends.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum News {
    /// Nothing was told.
    None,
    /// Steps on the append-only file were done, as they are to be, and nothing else.
    LogGrew,
    /// Anything.
    #[default]
    Any,
}

/// What the machine can't know of the process it runs in.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// The operating system's number for the process.
    pub pid: u32,
    /// The operating system: name, release and machine.
    pub os: Box<str>,
    /// The name the program was started by.
    pub program: Box<str>,
    /// The path of the program.
    pub executable: Box<str>,
    /// The absolute path of the configuration file; empty without one.
    pub config_file: Box<str>,
    /// The text of the file of users, if there is one. [`acl::users`] has been asked whether it
    /// can be used.
    pub acl_file: Option<Box<[u8]>>,
    /// `no` or `systemd`.
    pub supervised: &'static str,
    /// The memory allocator's name.
    pub allocator: Box<str>,
    /// Memory of the machine, bytes.
    pub system_memory: u64,
}

impl Server {
    /// A server that asks for its listening sockets at the end of its first turn.
    pub fn new(config: Config, launch: Launch, seed: [u8; 32], now: Now) -> Self {
        let rng = Rng::new(seed);
        let renamed: Vec<_> = config
            .renamed_commands()
            .iter()
            .filter_map(|directive| {
                let text = |at: usize| -> Option<Box<str>> {
                    Some(String::from_utf8_lossy(directive.args.get(at)?).into())
                };
                Some((text(0)?, text(1)?))
            })
            .collect();
        let table = Table::new(FAMILIES, &renamed);
        let databases = usize::try_from(config.databases()).expect("databases are few");
        let mut keys = Keyspace::new(databases, &mut rng.fork("keys"));
        let mut launch = launch;
        let users = acl::users(&config, launch.acl_file.take().as_deref());
        let users = users.expect("who starts a server has looked at its users");
        let mut st = State::new(config, table, &rng, Conns::new(), launch, users, now);
        st.users_changed();
        keys.set_usage(st.usage());
        st.memory_startup = st.used_memory(&keys);
        Self {
            keys,
            st,
            cron: Cron::new(now.mono),
            dying: Vec::new(),
            incoming: Incoming::default(),
            retired: Vec::new(),
            master_input: Vec::new(),
            argv: Argv::default(),
            writable_replicas: Vec::new(),
            news: News::Any,
        }
    }

    /// The dataset, to look at.
    pub fn keys(&self) -> &Keyspace {
        &self.keys
    }

    /// Everything but the dataset, to look at.
    pub fn state(&self) -> &State {
        &self.st
    }

    /// Notes the time of an input, once what clients have sent before it has had its effect.
    fn at(&mut self, now: Now) {
        self.run_held();
        self.pass_time(now);
    }

    fn pass_time(&mut self, now: Now) {
        assert!(
            now.mono >= self.st.now.mono,
            "monotonic time does not go back"
        );
        self.st.now = now;
        self.news = News::Any;
        self.st.note_aof_time();
        if self.st.repl.pass_time(now.mono) {
            self.refresh_conditions();
        }
    }

    /// Whether the next turn goes on with more than a snapshot.
    fn is_awaited(&self) -> bool {
        let input = !self.st.backlog.is_empty() || self.st.eviction.is_running();
        let works = input && !self.st.persist.stalled;
        let script = self.is_within_script();
        works || script || self.cron.is_expiring() || self.has_to_serve()
    }

    /// Whether DEBUG SLEEP keeps the server from doing anything.
    fn is_asleep(&self) -> bool {
        self.st
            .debug
            .asleep_until
            .is_some_and(|until| until > self.st.now.mono)
    }
}

#[cfg(test)]
mod tests;
