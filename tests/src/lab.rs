//! A network of its own: three hosts with a server and a Sentinel each, a switch, and a host for
//! clients, all of them network namespaces of this system.

use std::fs::{self, File};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use crate::client::{Client, text_of};
use crate::process::Process;
use crate::program::executable;
use crate::wait::{PATIENCE, wait_until};

/// The name the Sentinels know the master by.
const MASTER: &str = "mymaster";
/// The port of every server.
pub const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26_379;
/// `down-after-milliseconds` of all Sentinels.
pub const DOWN_AFTER: Duration = Duration::from_millis(500);
/// How long the address outlives a Sentinel that was killed: `down-after-milliseconds` in whole
/// seconds, two more, and what the system takes to look at it.
pub const LIFETIME: Duration = Duration::from_secs(4);
/// How many hosts have a server and a Sentinel.
pub const HOSTS: usize = 3;

/// The network and what runs on it. All of it is gone when this value is.
#[derive(Debug)]
pub struct Lab {
    hosts: Vec<Host>,
    prefix: String,
    virtual_ip: IpAddr,
    /// What is written next; every value is written once.
    written: u64,
    dir: TempDir,
}

#[derive(Debug)]
struct Host {
    ip: IpAddr,
    server: Option<Process>,
    sentinel: Option<Process>,
    /// Notes when addresses come and go.
    _watcher: Process,
    /// When it was cut off, or dead, and when it was back.
    away: Vec<(u64, Option<u64>)>,
}

/// Some host had the address in that time, microseconds since the epoch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holding {
    /// Which one.
    pub host: usize,
    /// From then.
    pub from: u64,
    /// Until then, if it has it no more.
    pub to: Option<u64>,
}

/// Whether this process may make network namespaces; says why `test` is skipped if it may not.
pub fn can_have_one(test: &str) -> bool {
    let probe = format!("{}-probe", prefix());
    let made = Command::new("ip").args(["netns", "add", &probe]).output();
    let reason = match made {
        Err(error) => format!("ip (iproute2) can't be run: {error}"),
        Ok(output) if !output.status.success() => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            format!("no network namespace can be made: {}", said.trim())
        }
        Ok(_) => {
            // As one that can have an interface: some systems allow the one and not the other.
            let pair = [
                "link", "add", "probe0", "type", "veth", "peer", "name", "probe1",
            ];
            let linked = Command::new("ip").args(["-n", &probe]).args(pair).output();
            drop(Command::new("ip").args(["netns", "del", &probe]).output());
            if linked.is_ok_and(|output| output.status.success()) {
                return true;
            }
            "no virtual Ethernet can be made".to_owned()
        }
    };
    crate::say(&format!("skipped: {test}: {reason}"));
    false
}

impl Lab {
    /// Starts one and waits until the first host is the master, has the virtual IP, and is known
    /// by everybody.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub fn start(virtual_ip: &str) -> Self {
        let mut lab = Self::bare(virtual_ip);
        for at in 0..HOSTS {
            lab.write_config(at);
            lab.start_server(at);
        }
        for at in 0..HOSTS {
            lab.start_sentinel(at);
        }
        lab.wait_until_formed();
        lab
    }

    /// One whose hosts have nothing on them but their addresses.
    ///
    /// # Panics
    ///
    /// If the network can't be made.
    pub fn bare(virtual_ip: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("holdfast-lab-").tempdir();
        let mut lab = Self {
            hosts: Vec::new(),
            prefix: prefix(),
            virtual_ip: virtual_ip.parse().expect("an address"),
            written: 0,
            dir: dir.expect("a temporary directory can be made"),
        };
        lab.make_network();
        for at in 0..HOSTS {
            let host = lab.make_host(at);
            lab.hosts.push(host);
        }
        lab
    }

    /// What runs a line of shell on a host; the host behind the last one is that of the clients.
    /// Each host has a working directory of its own, and all find `holdfast`.
    ///
    /// # Panics
    ///
    /// If the directories can't be made.
    pub fn shell(&self, at: usize, line: &str) -> Command {
        let bin = self.dir.path().join("bin");
        let home = self.path(at, "home");
        for dir in [&bin, &home] {
            fs::create_dir_all(dir).expect("a directory can be made");
        }
        let link = bin.join("holdfast");
        if !link.exists() {
            std::os::unix::fs::symlink(executable(), link).expect("a link can be made");
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(&at.to_string())]);
        command.args(["sh", "-c", line]).current_dir(home);
        command.env("PATH", format!("{}:{path}", bin.display()));
        command.env_remove("REDISCLI_AUTH").stdin(Stdio::null());
        command
    }

    fn make_network(&self) {
        let switch = self.namespace("sw");
        ip(&["netns", "add", &switch]);
        ip(&["-n", &switch, "link", "add", "br0", "type", "bridge"]);
        ip(&["-n", &switch, "link", "set", "br0", "up"]);
        for at in 0..=HOSTS {
            let (space, port) = (self.namespace(&at.to_string()), port_name(at));
            ip(&["netns", "add", &space]);
            ip(&["-n", &space, "link", "set", "lo", "up"]);
            let pair = ["type", "veth", "peer", "name", &port, "netns", &switch];
            ip(&[&["-n", &space, "link", "add", "eth0"][..], &pair].concat());
            for address in [self.ip(at, false), self.ip(at, true)] {
                let own = match address {
                    IpAddr::V4(_) => format!("{address}/24"),
                    IpAddr::V6(_) => format!("{address}/64"),
                };
                let add = ["-n", &space, "address", "add", &own, "dev", "eth0"];
                let without_probing: &[&str] = if address.is_ipv6() { &["nodad"] } else { &[] };
                ip(&[&add, without_probing].concat());
            }
            ip(&["-n", &space, "link", "set", "eth0", "up"]);
            ip(&["-n", &switch, "link", "set", &port, "master", "br0", "up"]);
        }
    }

    fn make_host(&self, at: usize) -> Host {
        let file = File::create(self.path(at, "addresses")).expect("a temporary file");
        let mut command = Command::new("ip");
        command.args(["-ts", "-n", &self.namespace(&at.to_string())]);
        command.args(["monitor", "address"]).env("TZ", "UTC");
        Host {
            ip: self.ip(at, false),
            server: None,
            sentinel: None,
            _watcher: Process::start(command.stdout(file)),
            away: Vec::new(),
        }
    }

    fn write_config(&self, at: usize) {
        let master = self.ip(0, false);
        let mut server = format!(
            "port {PORT}\nprotected-mode no\nsave \"\"\nrepl-diskless-sync-delay 0\ndir {}\n\
             dbfilename server{at}.rdb\n",
            self.dir.path().display()
        );
        if at != 0 {
            server += &format!("replicaof {master} {PORT}\n");
        }
        let prefix = self.prefix_len();
        let sentinel = format!(
            "port {SENTINEL_PORT}\nprotected-mode no\ndir {}\n\
             sentinel monitor {MASTER} {master} {PORT} 2\n\
             sentinel down-after-milliseconds {MASTER} {}\n\
             sentinel failover-timeout {MASTER} 10000\n\
             sentinel virtual-ip {MASTER} {}/{prefix} eth0\n",
            self.dir.path().display(),
            DOWN_AFTER.as_millis(),
            self.virtual_ip,
        );
        for (name, text) in [("server", server), ("sentinel", sentinel)] {
            fs::write(self.path(at, name), text).expect("a temporary file");
        }
    }

    /// Starts the server of a host.
    pub fn start_server(&mut self, at: usize) {
        self.hosts[at].server = Some(self.run(at, "server"));
    }

    /// Starts the Sentinel of a host.
    pub fn start_sentinel(&mut self, at: usize) {
        self.hosts[at].sentinel = Some(self.run(at, "sentinel"));
    }

    fn run(&self, at: usize, what: &str) -> Process {
        let mut log = File::options();
        let log = log.append(true).create(true);
        let log = log.open(self.path(at, &format!("{what}.log")));
        let log = log.expect("a temporary file");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(&at.to_string())]);
        command.arg(executable()).arg(what).arg(self.path(at, what));
        command.stderr(log.try_clone().expect("a file has many handles"));
        Process::start(command.stdout(log))
    }

    #[track_caller]
    fn wait_until_formed(&mut self) {
        let status = format!("status=ok,address={}:{PORT}", self.hosts[0].ip);
        let status = format!("{status},slaves={},sentinels={HOSTS}", HOSTS - 1);
        for at in 0..HOSTS {
            wait_until(PATIENCE, &format!("sentinel {at} says {status}"), || {
                let info = self.sentinel_says(at, &["INFO", "sentinel"])?;
                info.contains(&status).then_some(())
            });
        }
        self.wait_for_holder(0);
        let link = "master_link_status:up";
        for at in 1..HOSTS {
            wait_until(PATIENCE, "the replicas are connected", || {
                let info = self.says(at, PORT, &["INFO", "replication"])?;
                info.contains(link).then_some(())
            });
        }
        self.write_until_taken(Instant::now());
    }

    /// What the Sentinel of a host answers, asked on that host.
    pub fn sentinel_says(&self, at: usize, words: &[&str]) -> Option<String> {
        self.says(at, SENTINEL_PORT, words)
    }

    /// What the server of a host answers, asked on that host.
    pub fn server_says(&self, at: usize, words: &[&str]) -> Option<String> {
        self.says(at, PORT, words)
    }

    fn says(&self, at: usize, port: u16, words: &[&str]) -> Option<String> {
        within(&self.namespace(&at.to_string()), || {
            let mut client = Client::connect_within(port, Duration::from_secs(2)).ok()?;
            client.ask(words).ok().map(|reply| text_of(&reply))
        })
    }

    /// Writes through the virtual IP, as a client that knows nothing else, until it is told that
    /// the write is done; how long after `since` that was.
    ///
    /// # Panics
    ///
    /// If it takes too long.
    pub fn write_until_taken(&mut self, since: Instant) -> Duration {
        self.written += 1;
        let value = self.written.to_string();
        let to = SocketAddr::new(self.virtual_ip, PORT);
        within(&self.namespace(&HOSTS.to_string()), || {
            wait_until(PATIENCE, "a write through the virtual IP is taken", || {
                let mut client = Client::connect_to(to, Duration::from_millis(20)).ok()?;
                let reply = client.ask(&["SET", "last", &value]).ok()?;
                (text_of(&reply) == "OK").then(|| since.elapsed())
            })
        })
    }

    /// What was written last is what is read through the virtual IP.
    pub fn reads_back(&self) -> bool {
        let to = SocketAddr::new(self.virtual_ip, PORT);
        within(&self.namespace(&HOSTS.to_string()), || {
            let client = Client::connect_to(to, Duration::from_secs(2));
            let reply = client.and_then(|mut client| client.ask(&["GET", "last"]));
            reply.is_ok_and(|reply| text_of(&reply) == self.written.to_string())
        })
    }

    /// A host loses its power: nothing of it answers any more.
    pub fn kill_host(&mut self, at: usize) {
        self.cut_off(at);
        let host = &mut self.hosts[at];
        for process in [&mut host.sentinel, &mut host.server] {
            if let Some(mut process) = process.take() {
                process.kill();
            }
        }
        let space = self.namespace(&at.to_string());
        let address = format!("{}/{}", self.virtual_ip, self.prefix_len());
        let lost = ["-n", &space, "address", "del", &address, "dev", "eth0"];
        // It may not have had it.
        drop(Command::new("ip").args(lost).output());
    }

    /// SIGKILL for its server and its Sentinel; the host itself lives on.
    pub fn kill_processes(&mut self, at: usize) {
        let host = &mut self.hosts[at];
        for process in [&mut host.server, &mut host.sentinel] {
            process.take().expect("it runs").kill();
        }
    }

    /// The Sentinel of a host.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn sentinel(&mut self, at: usize) -> &mut Process {
        self.hosts[at].sentinel.as_mut().expect("it runs")
    }

    /// Unplugs a host.
    pub fn cut_off(&mut self, at: usize) {
        let switch = self.namespace("sw");
        ip(&["-n", &switch, "link", "set", &port_name(at), "nomaster"]);
        self.hosts[at].away.push((micros(), None));
    }

    /// Plugs a host in again.
    ///
    /// # Panics
    ///
    /// If it was not unplugged.
    pub fn mend(&mut self, at: usize) {
        let last = self.hosts[at].away.last_mut();
        last.expect("it was cut off").1 = Some(micros());
        let switch = self.namespace("sw");
        ip(&[
            "-n",
            &switch,
            "link",
            "set",
            &port_name(at),
            "master",
            "br0",
        ]);
    }

    /// Waits until a host has the virtual IP, and of those not away it alone.
    #[track_caller]
    pub fn wait_for_holder(&self, at: usize) {
        wait_until(
            PATIENCE,
            &format!("host {at} alone has the address"),
            || {
                let holders = self.holders();
                let mut here = holders.iter().filter(|&&host| !self.is_away(host));
                (here.next() == Some(&at) && here.next().is_none()).then_some(())
            },
        );
    }

    /// The hosts that have the virtual IP.
    pub fn holders(&self) -> Vec<usize> {
        let mut holders: Vec<_> = self.history().into_iter().collect();
        holders.retain(|holding| holding.to.is_none());
        holders.iter().map(|holding| holding.host).collect()
    }

    fn is_away(&self, at: usize) -> bool {
        self.hosts[at]
            .away
            .last()
            .is_some_and(|(_, to)| to.is_none())
    }

    /// Who had the virtual IP when.
    pub fn history(&self) -> Vec<Holding> {
        (0..self.hosts.len())
            .flat_map(|at| {
                let log = fs::read_to_string(self.path(at, "addresses")).unwrap_or_default();
                holdings(at, &log, self.virtual_ip)
            })
            .collect()
    }

    /// The longest time for which two hosts on the same side had the address.
    pub fn longest_overlap(&self) -> Duration {
        let history = self.history();
        let now = micros();
        let mut longest = 0;
        for (number, one) in history.iter().enumerate() {
            for two in &history[number + 1..] {
                if one.host == two.host {
                    continue;
                }
                let end = |holding: &Holding| holding.to.unwrap_or(now).min(now);
                let (from, to) = (one.from.max(two.from), end(one).min(end(two)));
                let mut shared = vec![(from, to)];
                let away = [one, two].map(|holding| &self.hosts[holding.host].away);
                for &(from, to) in away.into_iter().flatten() {
                    shared = without(&shared, from, to.unwrap_or(u64::MAX));
                }
                for (from, to) in shared {
                    longest = longest.max(to.saturating_sub(from));
                }
            }
        }
        Duration::from_micros(longest)
    }

    /// The log of a Sentinel.
    pub fn sentinel_log(&self, at: usize) -> String {
        fs::read_to_string(self.path(at, "sentinel.log")).unwrap_or_default()
    }

    fn ip(&self, at: usize, v6: bool) -> IpAddr {
        let text = if v6 {
            format!("fd77::{}", at + 1)
        } else {
            format!("10.77.0.{}", at + 1)
        };
        text.parse().expect("an address")
    }

    fn prefix_len(&self) -> u8 {
        if self.virtual_ip.is_ipv4() { 24 } else { 64 }
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    fn path(&self, at: usize, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}{at}"))
    }

    /// Where files may be put.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for at in 0..self.hosts.len() {
                crate::say(&format!("--- sentinel {at}:\n{}", self.sentinel_log(at)));
            }
            crate::say(&format!("{:#?}", self.history()));
        }
        self.hosts.clear();
        let numbers = (0..=HOSTS).map(|at| at.to_string());
        for name in numbers.chain(["sw".to_owned()]) {
            let space = self.namespace(&name);
            end_all_in(&space);
            drop(Command::new("ip").args(["netns", "del", &space]).output());
        }
    }
}

/// Ends what runs in a namespace: daemons have left everybody who could.
fn end_all_in(space: &str) {
    let listed = Command::new("ip").args(["netns", "pids", space]).output();
    let listed = listed.map(|output| output.stdout).unwrap_or_default();
    for pid in String::from_utf8_lossy(&listed).split_whitespace() {
        drop(Command::new("kill").args(["-KILL", pid]).output());
    }
}

/// Carries something out in a network namespace.
///
/// # Panics
///
/// If there is no such namespace.
pub fn within<T: Send>(space: &str, what: impl FnOnce() -> T + Send) -> T {
    let path = Path::new("/run/netns").join(space);
    let file = File::open(path).expect("the namespace is there");
    std::thread::scope(|scope| {
        let there = scope.spawn(|| {
            let kind = Some(LinkNameSpaceType::Network);
            let moved = move_into_link_name_space(std::os::fd::AsFd::as_fd(&file), kind);
            moved.expect("root may move");
            what()
        });
        there.join().expect("it does not panic")
    })
}

/// No two labs of this system have the same.
fn prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("hf{}-{number}", std::process::id())
}

fn port_name(at: usize) -> String {
    format!("p{at}")
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).stdin(Stdio::null()).output();
    let output = output.expect("ip can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {said}", words.join(" "));
}

fn micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.expect("it is later than 1970").as_micros();
    u64::try_from(since).expect("it is earlier than 500,000 AD")
}

/// Reads what `ip -ts monitor address` has noted.
fn holdings(host: usize, log: &str, address: IpAddr) -> Vec<Holding> {
    let with_prefix = format!(" {address}/");
    let mut all: Vec<Holding> = Vec::new();
    for line in log.lines().filter(|line| line.contains(&with_prefix)) {
        let Some(at) = instant_of(line) else { continue };
        let lasting = all.last_mut().filter(|holding| holding.to.is_none());
        match (lasting, line.contains("Deleted")) {
            (Some(holding), true) => holding.to = Some(at),
            (None, false) => all.push(Holding {
                host,
                from: at,
                to: None,
            }),
            // A renewal.
            (Some(_), false) | (None, true) => {}
        }
    }
    all
}

/// `[2026-11-29T06:00:00.123456]` at the start of a line.
fn instant_of(line: &str) -> Option<u64> {
    let stamp = line.strip_prefix('[')?.split(']').next()?;
    let mut numbers = stamp.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next()?.parse::<u64>().ok();
    let (year, month, day) = (next()?, next()?, next()?);
    let (hour, minute, second, micro) = (next()?, next()?, next()?, next()?);
    // Years begin in March here, so that the day that may be missing comes last.
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micro)
}

/// What is left of spans of time without another.
fn without(spans: &[(u64, u64)], from: u64, to: u64) -> Vec<(u64, u64)> {
    let parts = spans
        .iter()
        .flat_map(|&(start, end)| [(start, end.min(from)), (start.max(to), end)]);
    parts.filter(|(start, end)| start < end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_of_addresses_is_read() {
        let log = "[1970-01-02T00:00:01.000002] 2: eth0    inet 10.77.0.100/24 scope global\n\
                   [1970-01-02T00:00:02.000000] 2: eth0    inet 10.77.0.100/24 scope global\n\
                   [1970-01-02T00:00:03.000000] Deleted 2: eth0    inet 10.77.0.100/24 scope\n\
                   [2024-03-01T00:00:00.000000] 2: eth0    inet 10.77.0.100/24 scope global\n";
        let found = holdings(1, log, "10.77.0.100".parse().unwrap());
        let holding = |from, to| Holding { host: 1, from, to };
        assert_eq!(
            found,
            [
                holding(86_401_000_002, Some(86_403_000_000)),
                holding(1_709_251_200_000_000, None),
            ]
        );
        assert!(holdings(1, log, "10.77.0.10".parse().unwrap()).is_empty());
    }

    #[test]
    fn time_away_is_taken_out() {
        assert_eq!(without(&[(1, 9)], 3, 5), [(1, 3), (5, 9)]);
        assert_eq!(without(&[(1, 9)], 0, 9), []);
        assert_eq!(without(&[(1, 9), (20, 30)], 8, 25), [(1, 8), (25, 30)]);
    }
}
