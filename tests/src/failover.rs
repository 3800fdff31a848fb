//! Measured failovers.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, text_of};
use crate::group::{Group, MASTER, is_linked};
use crate::info::Info;

/// A failover as a client sees it.
#[derive(Clone, Copy, Debug)]
pub struct Failover {
    /// The port of the server that was killed.
    pub old: u16,
    /// The port of the new master.
    pub new: u16,
    /// From the kill until a write was taken.
    pub took: Duration,
}

/// How the old master came back.
#[derive(Clone, Copy, Debug)]
pub struct Rejoin {
    /// From its first PONG until it was a replica of the new master with all its data.
    pub took: Duration,
}

/// How long a client waits between two rounds through the sentinels.
const POLL: Duration = Duration::from_millis(2);
/// When a measurement is given up.
const LIMIT: Duration = Duration::from_secs(120);

impl Group {
    /// Kills the master with SIGKILL and asks the sentinels, as a client does, until a write is
    /// taken by another one.
    ///
    /// # Panics
    ///
    /// If there is no other master.
    pub fn kill_master(&mut self) -> Failover {
        let old = self.told_master().expect("a sentinel knows the master");
        let ports: Vec<u16> = self
            .sentinels
            .iter()
            .map(|sentinel| sentinel.port())
            .collect();
        let connected: io::Result<Vec<Client>> = ports.into_iter().map(Client::connect).collect();
        let mut sentinels = connected.expect("the sentinels take connections");
        let killed = Instant::now();
        self.server(old).kill();
        loop {
            for sentinel in &mut sentinels {
                let new = ask_for_master(sentinel).filter(|&port| port != old);
                if let Some(new) = new
                    && write_once(new, "after-failover", &new.to_string())
                {
                    return Failover {
                        old,
                        new,
                        took: killed.elapsed(),
                    };
                }
            }
            assert!(killed.elapsed() < LIMIT, "no new master within {LIMIT:?}");
            thread::sleep(POLL);
        }
    }

    /// Starts the old master again, with its configuration as it is, and waits until it is a
    /// replica of the new one and has what was written there since.
    ///
    /// # Panics
    ///
    /// If it does not become one.
    pub fn restart(&mut self, failover: Failover) -> Rejoin {
        let marker = format!("rejoined:{}", failover.old);
        assert!(
            write_once(failover.new, &marker, "yes"),
            "the new master takes writes"
        );
        let node = self.server(failover.old);
        node.start();
        let answered = Instant::now();
        let mut client = node.client();
        loop {
            if has_converged(&mut client, failover.new, &marker).unwrap_or(false) {
                return Rejoin {
                    took: answered.elapsed(),
                };
            }
            assert!(answered.elapsed() < LIMIT, "not a replica within {LIMIT:?}");
            thread::sleep(POLL);
            // Becoming a replica may cost a server its clients.
            if client.ask(&["PING"]).is_err() {
                client = self.server(failover.old).client();
            }
        }
    }
}

fn ask_for_master(sentinel: &mut Client) -> Option<u16> {
    let reply = sentinel
        .ask(&["SENTINEL", "get-master-addr-by-name", MASTER])
        .ok()?;
    text_of(&reply).split(' ').nth(1)?.parse().ok()
}

fn write_once(port: u16, key: &str, value: &str) -> bool {
    let Ok(mut client) = Client::connect_within(port, Duration::from_secs(2)) else {
        return false;
    };
    client
        .ask(&["SET", key, value])
        .is_ok_and(|reply| text_of(&reply) == "OK")
}

fn has_converged(client: &mut Client, master: u16, marker: &str) -> io::Result<bool> {
    let reply = client.ask(&["INFO", "replication"])?;
    let info = Info::parse(&text_of(&reply));
    if !is_linked(&info, master) {
        return Ok(false);
    }
    let reply = client.ask(&["GET", marker])?;
    Ok(text_of(&reply) == "yes")
}
