//! Measured failovers.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, text_of};
use crate::group::{Group, MASTER, is_linked};
use crate::info::Info;

/// How a master is lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Loss {
    /// By SIGKILL.
    Kill,
    /// By SIGSTOP.
    Stop,
    /// By SHUTDOWN.
    Shutdown,
}

/// A failover as clients see it.
#[derive(Clone, Copy, Debug)]
pub struct Failover {
    /// How the master was lost.
    pub how: Loss,
    /// The port of the server that was lost.
    pub old: u16,
    /// The port of the new master.
    pub new: u16,
    /// From the loss until a write was taken from a client that asks again and again.
    pub took: Duration,
    /// The same for a client that listens for `+switch-master`.
    pub heard: Duration,
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
    /// Kills the master with SIGKILL and finds the next one as clients do.
    ///
    /// # Panics
    ///
    /// If there is no other master.
    pub fn kill_master(&mut self) -> Failover {
        self.lose_master(Loss::Kill)
    }

    /// Makes the master go away; then one client asks the sentinels again and again, another one
    /// listens to them, and both write to the server they are told.
    ///
    /// # Panics
    ///
    /// If there is no other master.
    pub fn lose_master(&mut self, how: Loss) -> Failover {
        let old = self.told_master().expect("a sentinel knows the master");
        let sentinels = self.sentinels.iter();
        let ports: Vec<u16> = sentinels.map(|sentinel| sentinel.port()).collect();
        let connected: io::Result<Vec<Client>> =
            ports.iter().map(|&port| Client::connect(port)).collect();
        let asking = connected.expect("the sentinels take connections");
        let lost = OnceLock::new();
        let (heard, hears) = channel();
        thread::scope(|scope| {
            for &port in &ports {
                let (ready, is_ready) = channel();
                let (lost, heard) = (&lost, heard.clone());
                scope.spawn(move || listen(port, &ready, lost, &heard));
                is_ready.recv().expect("a sentinel takes a subscription");
            }
            lost.set(Instant::now()).expect("it is lost once");
            self.lose(old, how);
            let (new, took) = ask_until_taken(asking, old, &lost);
            let heard = hears.recv_timeout(LIMIT).expect("a switch is announced");
            Failover {
                how,
                old,
                new,
                took,
                heard,
            }
        })
    }

    fn lose(&mut self, port: u16, how: Loss) {
        let node = self.server(port);
        match how {
            Loss::Kill => node.kill(),
            Loss::Stop => node.pause(),
            Loss::Shutdown => {
                let mut client = node.client();
                // The reply is the end of the connection.
                drop(client.ask(&["SHUTDOWN", "NOSAVE"]));
                node.process().wait();
            }
        }
    }

    /// Lets the old master run again, with its configuration as it is, and waits until it is a
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
        match failover.how {
            Loss::Stop => {
                node.resume();
                node.wait_until_ready();
            }
            Loss::Kill | Loss::Shutdown => node.start(),
        }
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

/// Asks the sentinels in turn until the server they name takes a write.
fn ask_until_taken(
    mut sentinels: Vec<Client>,
    old: u16,
    lost: &OnceLock<Instant>,
) -> (u16, Duration) {
    let lost = lost.get().expect("it is lost by now");
    loop {
        for sentinel in &mut sentinels {
            let new = ask_for_master(sentinel).filter(|&port| port != old);
            if let Some(new) = new
                && write_once(new, "after-failover", &new.to_string())
            {
                return (new, lost.elapsed());
            }
        }
        assert!(lost.elapsed() < LIMIT, "no new master within {LIMIT:?}");
        thread::sleep(POLL);
    }
}

/// Listens to a sentinel until it announces a master, and writes there until that is taken.
fn listen(sentinel: u16, ready: &Sender<()>, lost: &OnceLock<Instant>, heard: &Sender<Duration>) {
    let mut client = Client::connect_within(sentinel, LIMIT).expect("a sentinel takes clients");
    client.text(&["SUBSCRIBE", "+switch-master"]);
    ready.send(()).expect("somebody waits");
    let Ok(message) = client.receive() else {
        return;
    };
    let text = text_of(&message);
    let new = text.rsplit(' ').next().and_then(|port| port.parse().ok());
    let new = new.unwrap_or_else(|| panic!("{text}"));
    let lost = lost.get().expect("it is lost by now");
    while !write_once(new, "after-failover", &new.to_string()) {
        assert!(lost.elapsed() < LIMIT, "no write within {LIMIT:?}");
        thread::sleep(POLL);
    }
    // Only the first one counts, and nobody may wait for the others.
    let _ = heard.send(lost.elapsed());
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
