//! One process of the group.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use holdfast_core::resp::{ReplyParser, Value};
use holdfast_io::daemon;
use signal_hook::consts::{SIGKILL, SIGTERM};

use super::shell_word;

/// How long a node may take to answer its first command.
const READY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long to wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Lines of the log shown when a node does not start.
const LOG_TAIL_LINES: usize = 10;

/// What a node is when the group starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// Takes the writes.
    Master,
    /// Follows it.
    Replica,
    /// Watches both.
    Sentinel,
}

impl Role {
    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Replica => "replica",
            Self::Sentinel => "sentinel",
        }
    }

    /// What its port is chosen with.
    pub(super) const fn port_option(self) -> &'static str {
        match self {
            Self::Master | Self::Replica => "--port",
            Self::Sentinel => "--sentinel-port",
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Master | Self::Replica => "server",
            Self::Sentinel => "sentinel",
        }
    }
}

/// What every node of a group has to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) master_port: u16,
    pub(super) sentinels: u16,
    pub(super) down_after_ms: u64,
}

/// A node to be started.
#[derive(Debug)]
pub(super) struct Spec {
    role: Role,
    port: u16,
    log: PathBuf,
    conf: PathBuf,
    text: String,
}

impl Spec {
    /// A node whose files go below `dir`.
    pub(super) fn new(role: Role, port: u16, layout: Layout, dir: &Path) -> Self {
        let dir = dir.join(format!("{}-{port}", role.program()));
        let log = dir.join("log");
        // Quoted: a directory may have blanks in its name.
        let text = format!(
            "bind 127.0.0.1\nport {port}\ndir {}\nlogfile {}\n{}",
            quoted(&dir),
            quoted(&log),
            directives(role, layout)
        );
        Self {
            role,
            port,
            conf: dir.join(format!("{}.conf", role.program())),
            log,
            text,
        }
    }

    fn command_line(&self, program: &Path) -> String {
        let (program, conf) = (shell_word(program), shell_word(&self.conf));
        format!("{program} {} {conf}", self.role.program())
    }
}

fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

fn directives(role: Role, layout: Layout) -> String {
    let Layout {
        master_port,
        sentinels,
        down_after_ms,
    } = layout;
    match role {
        Role::Master => "repl-diskless-sync-delay 0\n".to_owned(),
        Role::Replica => {
            format!("replicaof 127.0.0.1 {master_port}\nrepl-diskless-sync-delay 0\n")
        }
        Role::Sentinel => {
            let quorum = sentinels / 2 + 1;
            format!(
                "sentinel monitor mymaster 127.0.0.1 {master_port} {quorum}\n\
                 sentinel down-after-milliseconds mymaster {down_after_ms}\n\
                 sentinel failover-timeout mymaster 10000\n"
            )
        }
    }
}

/// A node that was started.
#[derive(Debug)]
pub(super) struct Node {
    spec: Spec,
    program: PathBuf,
    child: Child,
    /// Its end has been told.
    end_told: bool,
}

impl Node {
    /// Writes its configuration, unless a former run left one, and starts it.
    pub(super) fn start(spec: Spec) -> io::Result<Self> {
        let dir = spec
            .conf
            .parent()
            .expect("a configuration file lies in its node's directory");
        fs::create_dir_all(dir)?;
        if !spec.conf.exists() {
            fs::write(&spec.conf, &spec.text)?;
        }
        let program = std::env::current_exe()?;
        let mut command = Command::new(&program);
        command.arg(spec.role.program()).arg(&spec.conf);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        // A group of its own, so that Ctrl-C reaches this process alone, which ends the others.
        command.process_group(0);
        daemon::end_with_parent(&mut command, SIGKILL);
        let child = command.spawn()?;
        Ok(Self {
            spec,
            program,
            child,
            end_told: false,
        })
    }

    /// Waits for the first answer, or says why there is none.
    pub(super) fn wait_until_ready(&mut self) -> io::Result<()> {
        let started = Instant::now();
        while ask_role(self.spec.port).is_none() {
            let ended = self.child.try_wait()?.map(describe_end);
            let late = started.elapsed() > READY_TIMEOUT;
            let why = ended.or_else(|| late.then(|| "does not answer".to_owned()));
            if let Some(why) = why {
                let (role, port) = (self.spec.role.name(), self.spec.port);
                let tail = log_tail(&self.spec.log);
                let text = format!("the {role} at 127.0.0.1:{port} {why}; its log ends:\n{tail}");
                return Err(io::Error::other(text));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits a moment for a replica's first dataset, so that sentinels started after it find
    /// the whole group when they first ask the master.
    pub(super) fn wait_until_attached(&self, deadline: Instant) {
        while Instant::now() < deadline && ask_role(self.spec.port).is_some_and(|r| is_behind(&r)) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// A line for people. A node of a former run may have another role by now.
    pub(super) fn describe(&self) -> String {
        let role = ask_role(self.spec.port).and_then(|role| word(&role, 0));
        let role = match role.as_deref() {
            Some("slave") => Role::Replica.name().to_owned(),
            Some(role) => role.to_owned(),
            None => self.spec.role.name().to_owned(),
        };
        format!(
            "{role:<8} 127.0.0.1:{:<5}  pid {:<7}  log {}  again: {}",
            self.spec.port,
            self.child.id(),
            self.spec.log.display(),
            self.spec.command_line(&self.program)
        )
    }

    /// A line on its end, once.
    pub(super) fn new_end(&mut self) -> io::Result<Option<String>> {
        if self.end_told {
            return Ok(None);
        }
        let Some(status) = self.child.try_wait()? else {
            return Ok(None);
        };
        self.end_told = true;
        Ok(Some(format!(
            "{}:{} (pid {}) {}; start it again: {}",
            self.spec.role.program(),
            self.spec.port,
            self.child.id(),
            describe_end(status),
            self.spec.command_line(&self.program)
        )))
    }

    /// Whether the process is still there.
    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGTERM.
    pub(super) fn ask_to_end(&mut self) {
        // One that can't be asked is killed later on.
        drop(daemon::signal(&mut self.child, SIGTERM));
    }

    /// SIGKILL, and no zombie left.
    pub(super) fn kill(&mut self) {
        // An error means that it has ended already, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn describe_end(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => format!("was ended by signal {signal}"),
        None => format!(
            "ended with exit status {}",
            status.code().unwrap_or_default()
        ),
    }
}

fn log_tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}

/// The node's answer to ROLE; nothing while it does not answer, or is loading.
fn ask_role(port: u16) -> Option<Value> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).ok()?;
    stream.write_all(b"ROLE\r\n").ok()?;
    let mut parser = ReplyParser::default();
    let mut chunk = [0; 256];
    loop {
        let read = stream.read(&mut chunk).ok().filter(|&read| read > 0)?;
        let reply = parser.next(&mut &chunk[..read]).ok()?;
        if let Some(reply) = reply {
            return reply.as_array().is_some().then_some(reply);
        }
    }
}

/// A word of an answer to ROLE.
fn word(role: &Value, at: usize) -> Option<String> {
    let text = role.as_array()?.get(at)?.as_text()?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// Whether an answer to ROLE is that of a replica without its master's dataset.
fn is_behind(role: &Value) -> bool {
    word(role, 0).as_deref() == Some("slave") && word(role, 3).as_deref() != Some("connected")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        master_port: 6379,
        sentinels: 3,
        down_after_ms: 700,
    };

    #[test]
    fn a_sentinel_watches_the_master_with_a_majority() {
        let spec = Spec::new(Role::Sentinel, 26380, LAYOUT, Path::new("/tmp/g"));
        assert!(spec.text.contains("port 26380\n"));
        assert!(
            spec.text
                .contains("sentinel monitor mymaster 127.0.0.1 6379 2\n")
        );
        assert!(
            spec.text
                .contains("sentinel down-after-milliseconds mymaster 700\n")
        );
        assert_eq!(spec.conf, Path::new("/tmp/g/sentinel-26380/sentinel.conf"));
        assert_eq!(
            spec.command_line(Path::new("/usr/bin/holdfast")),
            "/usr/bin/holdfast sentinel /tmp/g/sentinel-26380/sentinel.conf"
        );
    }

    #[test]
    fn paths_in_the_configuration_are_quoted() {
        let spec = Spec::new(Role::Replica, 6380, LAYOUT, Path::new("/tmp/a \"b\""));
        assert!(
            spec.text.contains("dir \"/tmp/a \\\"b\\\"/server-6380\"\n"),
            "{}",
            spec.text
        );
        assert!(spec.text.contains("replicaof 127.0.0.1 6379\n"));
    }

    #[test]
    fn a_replica_is_behind_until_it_is_connected() {
        let role = |text: &str| {
            let mut bytes = text.as_bytes();
            let parsed = ReplyParser::default().next(&mut bytes);
            parsed.unwrap().unwrap()
        };
        let master = role("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
        assert_eq!(word(&master, 0).as_deref(), Some("master"));
        assert!(!is_behind(&master));
        let replica = |state: &str| {
            let len = state.len();
            role(&format!(
                "*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n${len}\r\n{state}\r\n:0\r\n"
            ))
        };
        assert!(is_behind(&replica("sync")));
        assert!(!is_behind(&replica("connected")));
    }
}
