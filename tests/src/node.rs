//! A server or Sentinel with its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;

use crate::client::{Client, text_of};
use crate::info::Info;
use crate::ports::Port;
use crate::process::Process;
use crate::program::Flavour;
use crate::wait::{PATIENCE, wait_until};

/// What a node is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A server.
    Server,
    /// A Sentinel.
    Sentinel,
}

/// A server or Sentinel on loopback, with a directory and a port of its own. It can be ended and
/// started again; in the end it leaves nothing behind.
#[derive(Debug)]
pub struct Node {
    // Before the directory, so that the process ends first.
    process: Option<Process>,
    flavour: Flavour,
    kind: Kind,
    port: Port,
    dir: TempDir,
}

impl Node {
    /// Starts a server and waits until it answers. `config` follows the lines that every node
    /// has, and can override them; a server saves nothing unless it is told to.
    pub fn server(flavour: Flavour, config: &str) -> Self {
        let mut node = Self::new(flavour, Kind::Server, config);
        node.start();
        node
    }

    /// Starts a Sentinel and waits until it answers.
    pub fn sentinel(flavour: Flavour, config: &str) -> Self {
        let mut node = Self::new(flavour, Kind::Sentinel, config);
        node.start();
        node
    }

    /// A node with its files, not started yet.
    ///
    /// # Panics
    ///
    /// If the files can't be written.
    pub fn new(flavour: Flavour, kind: Kind, config: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("holdfast-test-").tempdir();
        let dir = dir.expect("a temporary directory can be made");
        let port = Port::free();
        let node = Self {
            process: None,
            flavour,
            kind,
            port,
            dir,
        };
        let common = format!(
            "bind 127.0.0.1\nport {}\ndir {}\nlogfile {}\n{}",
            node.port(),
            node.dir().display(),
            node.log_path().display(),
            match kind {
                Kind::Server => "save \"\"\nrepl-diskless-sync-delay 0\n",
                Kind::Sentinel => "",
            }
        );
        fs::write(node.config_path(), common + config).expect("a temporary file can be written");
        node
    }

    /// Starts it, again if it has ended, and waits until it answers PING.
    #[track_caller]
    pub fn start(&mut self) {
        self.launch();
        self.wait_until_ready();
    }

    /// Starts it without waiting.
    #[track_caller]
    pub fn launch(&mut self) {
        assert!(
            self.process
                .as_mut()
                .is_none_or(|old| old.ended().is_some()),
            "it runs already"
        );
        self.process = Some(Process::start(&mut self.command()));
    }

    /// Waits until it answers PING with PONG, or asks for a password first.
    #[track_caller]
    pub fn wait_until_ready(&mut self) {
        let log = self.log_path();
        let process = self.process.as_mut().expect("the node was started");
        let port = self.port.number();
        wait_until(PATIENCE, "the node answers PING", || {
            if let Some(status) = process.ended() {
                let log = fs::read_to_string(&log).unwrap_or_default();
                panic!("the node on port {port} ended, {status}; its log:\n{log}");
            }
            let mut client = Client::connect_within(port, Duration::from_secs(5)).ok()?;
            let reply = client.ask(&["PING"]).ok()?;
            let reply = text_of(&reply);
            (reply == "PONG" || reply.starts_with("-NOAUTH")).then_some(())
        });
    }

    /// What starts it.
    pub fn command(&self) -> Command {
        let mut command = match self.kind {
            Kind::Server => self.flavour.server(),
            Kind::Sentinel => self.flavour.sentinel(),
        };
        command.arg(self.config_path());
        command
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process().kill();
    }

    /// SIGTERM; waits for the end.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        let process = self.process();
        process.signal(libc::SIGTERM);
        process.wait()
    }

    /// SIGSTOP.
    pub fn pause(&mut self) {
        self.process().signal(libc::SIGSTOP);
    }

    /// SIGCONT.
    pub fn resume(&mut self) {
        self.process().signal(libc::SIGCONT);
    }

    /// The process.
    ///
    /// # Panics
    ///
    /// If it was never started.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the node was started")
    }

    /// A new connection.
    ///
    /// # Panics
    ///
    /// If the node takes none.
    #[track_caller]
    pub fn client(&self) -> Client {
        match Client::connect(self.port()) {
            Ok(client) => client,
            Err(error) => panic!("port {}: {error}", self.port()),
        }
    }

    /// The reply to a command on a connection of its own, as [`text_of`] shows it.
    #[track_caller]
    pub fn text(&self, words: &[&str]) -> String {
        self.client().text(words)
    }

    /// A section of INFO.
    #[track_caller]
    pub fn info(&self, section: &str) -> Info {
        Info::parse(&self.text(&["INFO", section]))
    }

    /// The same while the node may be down or busy.
    pub fn try_info(&self, section: &str) -> Option<Info> {
        let mut client = Client::connect_within(self.port(), Duration::from_secs(5)).ok()?;
        let reply = client.ask(&["INFO", section]).ok()?;
        reply
            .as_text()
            .map(|text| Info::parse(&String::from_utf8_lossy(text)))
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.dir().join(match self.kind {
            Kind::Server => "redis.conf",
            Kind::Sentinel => "sentinel.conf",
        })
    }

    /// The text of its configuration file.
    ///
    /// # Panics
    ///
    /// If it can't be read.
    pub fn config(&self) -> String {
        fs::read_to_string(self.config_path()).expect("the configuration file can be read")
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Waits for a line of the log that has `text` in it.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) -> String {
        let what = format!("the log says {text:?}");
        wait_until(PATIENCE, &what, || {
            self.log()
                .lines()
                .find(|line| line.contains(text))
                .map(str::to_owned)
        })
    }

    fn log_path(&self) -> PathBuf {
        self.dir().join("log")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (port, log) = (self.port(), self.log());
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
            crate::say(&format!(
                "--- {:?} {:?} on port {port}:\n{tail}",
                self.flavour, self.kind
            ));
        }
    }
}

/// Lines of its log a node shows when its test fails.
const TAIL_LINES: usize = 60;
