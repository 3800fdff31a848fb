//! `holdfast local`: a whole group on loopback, as processes of their own, watched from here.

mod events;
mod node;

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use node::{Layout, Node, Role, Spec};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::{complain, system};

/// How long the nodes have to end by themselves.
const GRACE: Duration = Duration::from_secs(5);
/// How long the sentinels wait for the replicas to have their dataset.
const ATTACH_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the nodes are looked after.
const WATCH_PERIOD: Duration = Duration::from_millis(100);
/// The most replicas, and the most sentinels.
const NODES_MAX: i64 = 16;

/// Starts a master, replicas and sentinels on loopback and shows what happens to them.
#[derive(Debug, Parser)]
#[command(name = "holdfast local", disable_version_flag = true)]
struct Options {
    /// Port of the master; those of the replicas follow it.
    #[arg(long, default_value_t = 6379, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Port of the first sentinel; those of the others follow it.
    #[arg(long, default_value_t = 26379, value_parser = clap::value_parser!(u16).range(1..))]
    sentinel_port: u16,
    /// How many replicas the master gets.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=NODES_MAX))]
    replicas: u16,
    /// How many sentinels watch them.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(0..=NODES_MAX))]
    sentinels: u16,
    /// Where configuration, data and logs go; a group found there goes on [default: a temporary
    /// directory, removed at the end].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Milliseconds without an answer after which a node counts as down.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    down_after: u64,
}

/// What the main thread waits for.
enum Note {
    /// A signal asks for the end.
    Stop,
    /// A sentinel tells of something.
    Event(String),
}

/// Runs a group until a signal ends it; the exit status.
pub(crate) fn main(args: &[String]) -> u8 {
    let words = ["holdfast local"]
        .into_iter()
        .chain(args.iter().map(String::as_str));
    let options = match Options::try_parse_from(words) {
        Ok(options) => options,
        Err(error) => {
            // Help goes to standard output and is no failure; clap knows.
            drop(error.print());
            return u8::try_from(error.exit_code()).unwrap_or(1);
        }
    };
    match run(&options) {
        Ok(()) => 0,
        Err(error) => {
            complain(&format!("holdfast local: {}", system::reason(&error)));
            1
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    let (notes, inbox) = mpsc::channel();
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let stop = notes.clone();
    thread::spawn(move || {
        for _ in signals.forever() {
            // The receiver is gone only when the process is ending anyway.
            drop(stop.send(Note::Stop));
        }
    });
    let ports = ports(options)?;
    // Dropped last: a temporary directory goes with its guard.
    let (_guard, dir) = directory(options)?;
    let mut nodes = Nodes(Vec::new());
    let mut out = io::stdout().lock();
    let (sentinels, servers): (Vec<_>, Vec<_>) = ports
        .into_iter()
        .partition(|&(role, _)| role == Role::Sentinel);
    for kind in [servers, sentinels] {
        let first = nodes.0.len();
        for (role, port) in kind {
            let spec = Spec::new(role, port, layout(options), &dir);
            nodes.0.push(Node::start(spec)?);
            if role == Role::Sentinel {
                events::follow(port, notes.clone());
            }
        }
        for node in &mut nodes.0[first..] {
            node.wait_until_ready()?;
            writeln!(out, "{}", node.describe())?;
            out.flush()?;
        }
        let deadline = Instant::now() + ATTACH_TIMEOUT;
        for node in &nodes.0[first..] {
            node.wait_until_attached(deadline);
        }
    }
    writeln!(out, "Ctrl-C ends them all.")?;
    out.flush()?;
    watch(&mut nodes.0, &inbox, &mut out)
}

fn layout(options: &Options) -> Layout {
    Layout {
        master_port: options.port,
        sentinels: options.sentinels,
        down_after_ms: options.down_after,
    }
}

/// The role and port of every node, all of them free.
fn ports(options: &Options) -> io::Result<Vec<(Role, u16)>> {
    let data = (0..=options.replicas).map(|n| {
        let role = if n == 0 { Role::Master } else { Role::Replica };
        (role, options.port.checked_add(n))
    });
    let sentinels = 0..options.sentinels;
    let sentinels = sentinels.map(|n| (Role::Sentinel, options.sentinel_port.checked_add(n)));
    let mut ports: Vec<(Role, u16)> = Vec::new();
    for (role, port) in data.chain(sentinels) {
        let option = role.port_option();
        let Some(port) = port else {
            let text = format!(
                "the port of a {} would be above 65535; lower {option}",
                role.name()
            );
            return Err(io::Error::other(text));
        };
        let wanted = ports.iter().find(|(_, other)| *other == port);
        if let Some((other, _)) = wanted {
            let (role, other) = (role.name(), other.name());
            let text = format!("port {port} is wanted by a {other} and a {role}; choose {option}");
            return Err(io::Error::other(text));
        }
        check_free(role, port)?;
        ports.push((role, port));
    }
    Ok(ports)
}

/// Finds a port that is taken before any node is started.
fn check_free(role: Role, port: u16) -> io::Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(io::Error::other(format!(
            "port {port} for the {} can't be used: {}; choose others with {}",
            role.name(),
            system::reason(&error),
            role.port_option()
        ))),
    }
}

fn directory(options: &Options) -> io::Result<(Option<tempfile::TempDir>, PathBuf)> {
    let Some(dir) = &options.dir else {
        let guard = tempfile::Builder::new()
            .prefix("holdfast-local-")
            .tempdir()?;
        let dir = guard.path().to_path_buf();
        return Ok((Some(guard), dir));
    };
    let made = std::fs::create_dir_all(dir).and_then(|()| dir.canonicalize());
    let dir = made.map_err(|error| {
        let reason = system::reason(&error);
        io::Error::other(format!(
            "the directory {} can't be used: {reason}",
            dir.display()
        ))
    })?;
    Ok((None, dir))
}

fn watch(
    nodes: &mut [Node],
    inbox: &mpsc::Receiver<Note>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    loop {
        match inbox.recv_timeout(WATCH_PERIOD) {
            Ok(Note::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(Note::Event(line)) => writeln!(out, "{line}")?,
            Err(RecvTimeoutError::Timeout) => {}
        }
        for node in nodes.iter_mut() {
            if let Some(end) = node.new_end()? {
                writeln!(out, "{end}")?;
            }
        }
        out.flush()?;
    }
}

/// The group; ended in any case when this goes.
struct Nodes(Vec<Node>);

impl Drop for Nodes {
    fn drop(&mut self) {
        for node in &mut self.0 {
            node.ask_to_end();
        }
        let deadline = Instant::now() + GRACE;
        while self.0.iter_mut().any(Node::is_running) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        for node in &mut self.0 {
            node.kill();
        }
    }
}

/// A path as a shell takes it.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Options {
        Options::try_parse_from(["local"].iter().chain(args)).unwrap()
    }

    #[test]
    fn ports_follow_the_first_of_their_kind() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let wanted = options(&["--port", &port.to_string()]);
        let error = ports(&wanted).unwrap_err().to_string();
        let start = format!("port {port} for the master can't be used: Address already in use");
        assert!(error.starts_with(&start), "{error}");
        assert!(error.ends_with("--port"), "{error}");
    }

    #[test]
    fn ports_that_do_not_exist_or_meet_are_errors() {
        let high = options(&["--replicas", "0", "--sentinel-port", "65535"]);
        let error = ports(&high).unwrap_err().to_string();
        assert!(
            error.contains("--sentinel-port") || error.contains("can't be used"),
            "{error}"
        );
        let (_, first) = (0, 21_300);
        let met = options(&["--port", &first.to_string(), "--sentinel-port", "21301"]);
        let error = ports(&met).unwrap_err().to_string();
        assert!(
            error.contains("port 21301 is wanted by a replica and a sentinel"),
            "{error}"
        );
    }

    #[test]
    fn paths_with_blanks_are_quoted_for_the_shell() {
        assert_eq!(shell_word(Path::new("/tmp/a-1.conf")), "/tmp/a-1.conf");
        assert_eq!(shell_word(Path::new("/tmp/it's a")), r"'/tmp/it'\''s a'");
    }
}
