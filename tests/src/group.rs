//! A master, its replicas and the sentinels that watch them.

use std::time::Duration;

use crate::client::{Client, text_of};
use crate::info::Info;
use crate::node::{Kind, Node};
use crate::program::Flavour;
use crate::wait::{PATIENCE, wait_until};

/// The name the sentinels know the master by.
pub const MASTER: &str = "mymaster";

/// What a group is made of.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// Whose servers.
    pub servers: &'a [Flavour],
    /// Whose sentinels.
    pub sentinels: &'a [Flavour],
    /// How many sentinels must agree that the master is down.
    pub quorum: usize,
    /// Milliseconds without an answer after which a node counts as down.
    pub down_after_ms: u64,
    /// `failover-timeout`, milliseconds.
    pub failover_timeout_ms: u64,
    /// More lines for every server.
    pub server_config: &'a str,
    /// More lines for every sentinel.
    pub sentinel_config: &'a str,
}

impl Shape<'_> {
    /// Three servers and three sentinels of one kind.
    pub const fn of(flavour: Flavour) -> Self {
        let all: &'static [Flavour] = match flavour {
            Flavour::Holdfast => &[Flavour::Holdfast; 3],
            Flavour::Redis => &[Flavour::Redis; 3],
        };
        Self {
            servers: all,
            sentinels: all,
            quorum: 2,
            down_after_ms: 1000,
            failover_timeout_ms: 10_000,
            server_config: "",
            sentinel_config: "",
        }
    }
}

/// A group that runs.
#[derive(Debug)]
pub struct Group {
    /// The first one starts as the master.
    pub servers: Vec<Node>,
    /// All of them watch it.
    pub sentinels: Vec<Node>,
}

impl Group {
    /// Starts one and waits until every sentinel knows every other node, and every replica
    /// follows the master.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub fn start(shape: &Shape<'_>) -> Self {
        let master = Node::server(shape.servers[0], shape.server_config);
        let master_port = master.port();
        let follow = format!("replicaof 127.0.0.1 {master_port}\n{}", shape.server_config);
        let mut servers = vec![master];
        let replicas = shape.servers[1..].iter();
        servers.extend(replicas.map(|&flavour| Node::new(flavour, Kind::Server, &follow)));
        let watch = format!(
            "sentinel monitor {MASTER} 127.0.0.1 {master_port} {}\n\
             sentinel down-after-milliseconds {MASTER} {}\n\
             sentinel failover-timeout {MASTER} {}\n{}",
            shape.quorum, shape.down_after_ms, shape.failover_timeout_ms, shape.sentinel_config
        );
        let sentinels = shape.sentinels.iter();
        let sentinels = sentinels.map(|&flavour| Node::new(flavour, Kind::Sentinel, &watch));
        let mut group = Self {
            servers,
            sentinels: sentinels.collect(),
        };
        for replica in &mut group.servers[1..] {
            replica.start();
        }
        for replica in &group.servers[1..] {
            wait_for_link(replica, master_port);
        }
        for sentinel in &mut group.sentinels {
            sentinel.start();
        }
        group.wait_until_known();
        group
    }

    /// Waits until every sentinel knows all replicas and all other sentinels.
    #[track_caller]
    pub fn wait_until_known(&self) {
        let status = format!(
            "status=ok,address=127.0.0.1:{},slaves={},sentinels={}",
            self.servers[0].port(),
            self.servers.len() - 1,
            self.sentinels.len()
        );
        for sentinel in &self.sentinels {
            wait_until(PATIENCE, &format!("a sentinel says {status}"), || {
                let info = sentinel.try_info("sentinel")?;
                info.get("master0").ends_with(&status).then_some(())
            });
        }
    }

    /// The server with a port.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn server(&mut self, port: u16) -> &mut Node {
        let found = self.servers.iter_mut().find(|server| server.port() == port);
        found.expect("the port is that of a server")
    }

    /// The port of the master, as a sentinel that answers tells it.
    pub fn told_master(&self) -> Option<u16> {
        self.sentinels
            .iter()
            .find_map(|sentinel| told_master(sentinel.port()))
    }

    /// Waits until all sentinels that run tell of another master than the one on this port.
    #[track_caller]
    pub fn wait_for_switch(&self, old: u16, running: &[usize]) -> u16 {
        wait_until(PATIENCE, "the sentinels tell of one new master", || {
            let told = running
                .iter()
                .map(|&at| told_master(self.sentinels[at].port()));
            let told: Option<Vec<u16>> = told.collect();
            let told = told?;
            let first = *told.first()?;
            (first != old && told.iter().all(|&port| port == first)).then_some(first)
        })
    }

    /// Waits until a write to this master is taken, and its name is `key`.
    #[track_caller]
    pub fn write(&self, port: u16, key: &str, value: &str) {
        wait_until(PATIENCE, "the master takes a write", || {
            let mut client = Client::connect_within(port, Duration::from_secs(5)).ok()?;
            let reply = client.ask(&["SET", key, value]).ok()?;
            (text_of(&reply) == "OK").then_some(())
        });
    }
}

/// Waits until a replica is connected to the master on this port, with all its data.
#[track_caller]
pub(crate) fn wait_for_link(replica: &Node, master: u16) {
    wait_until(
        PATIENCE,
        &format!("{} follows {master}", replica.port()),
        || is_linked(&replica.try_info("replication")?, master).then_some(()),
    );
}

pub(crate) fn is_linked(info: &Info, master: u16) -> bool {
    info.get("role") == "slave"
        && info.get("master_port") == master.to_string()
        && info.get("master_link_status") == "up"
}

fn told_master(sentinel: u16) -> Option<u16> {
    let mut client = Client::connect_within(sentinel, Duration::from_secs(5)).ok()?;
    let reply = client
        .ask(&["SENTINEL", "get-master-addr-by-name", MASTER])
        .ok()?;
    text_of(&reply).split(' ').nth(1)?.parse().ok()
}

impl Node {
    /// Waits until it is a replica with a link to the master on this port.
    #[track_caller]
    pub fn wait_for_link(&self, master: u16) {
        wait_for_link(self, master);
    }

    /// Waits until a key has a value.
    #[track_caller]
    pub fn wait_for_key(&self, key: &str, value: &str) {
        wait_until(
            PATIENCE,
            &format!("{} has {key}={value}", self.port()),
            || {
                let mut client =
                    Client::connect_within(self.port(), Duration::from_secs(5)).ok()?;
                let reply = client.ask(&["GET", key]).ok()?;
                (text_of(&reply) == value).then_some(())
            },
        );
    }
}
