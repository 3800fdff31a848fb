//! What concerns a whole process: daemon, pidfile, log, signals, crash report, file limit.
//!
//! Without the usual harness, because the program under test is this one, started again with the
//! name of a role, and a process that forks must have one thread.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use common::{Client, Lines, PATIENCE, eventually};
use holdfast_core::machine::{Addr, LogLevel};
use holdfast_io::{Clock, Options, crash, daemon, log};

type Case = (&'static str, fn());

fn main() {
    let mut args = std::env::args().skip(1);
    if let (Some("role"), Some(role)) = (args.next().as_deref(), args.next()) {
        act(&role);
        return;
    }
    let cases: &[Case] = &[
        ("a_daemon_serves_and_removes_its_files", daemon_case),
        ("the_log_goes_to_a_file_that_can_be_moved", log_case),
        (
            "sigterm_and_sigint_reach_the_machine_and_sighup_does_not",
            signal_case,
        ),
        ("a_panic_leaves_a_report_and_ends_the_process", panic_case),
        (
            "sigabrt_leaves_a_report_of_where_the_process_was",
            abort_case,
        ),
        ("too_few_files_reduce_maxclients", limit_case),
        (
            "out_of_files_accepting_rests_and_goes_on",
            out_of_files_case,
        ),
        ("a_child_ends_with_its_parent", parent_case),
    ];
    for (name, case) in cases {
        case();
        say(&format!("{name} ... ok"));
    }
}

#[allow(clippy::print_stdout, reason = "there is no harness to do it")]
fn say(text: &str) {
    println!("{text}");
}

/// What the process does when it is the one under test; the directory is its working directory.
fn act(role: &str) {
    match role {
        "daemon" => {
            daemon::daemonize().unwrap();
            serve(Some("log.txt"), 10_000);
        }
        "server" => serve(None, 10_000),
        "logfile" => serve(Some("log.txt"), 10_000),
        "few-files" => serve(None, 100_000_000),
        "limit" => {
            log::start(log::Target::default(), LogLevel::Notice).unwrap();
            say(&format!("{:?}", daemon::fit_maxclients(1_000)));
        }
        "parent" => {
            let mut command = role_command("sleeper", Path::new("."));
            daemon::end_with_parent(&mut command, libc::SIGTERM);
            let mut child = command.spawn().unwrap();
            say(&child.id().to_string());
            // This process is killed meanwhile.
            child.wait().unwrap();
        }
        "sleeper" => std::thread::sleep(PATIENCE),
        other => panic!("no such role: {other}"),
    }
}

fn serve(logfile: Option<&str>, maxclients: u32) {
    let target = log::Target {
        file: logfile.map(Into::into),
        syslog: None,
    };
    log::start(target, LogLevel::Notice).unwrap();
    crash::install(crash::Ending::Abort).unwrap();
    daemon::fit_maxclients(maxclients).unwrap();
    let pidfile = daemon::Pidfile::write(Path::new("test.pid"));
    let loopback = Addr::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
    let socket = Addr::Unix("test.sock".into());
    let (machine, _, bound) = Lines::new(usize::MAX, &[loopback, socket]);
    let clock = Clock::start();
    let tell = std::thread::spawn(move || {
        let tcp = bound.recv().unwrap().unwrap();
        bound.recv().unwrap().unwrap();
        tracing::info!("Ready at {tcp}");
        tracing::debug!("not shown at this level");
    });
    let mut options = Options::new(clock);
    options.pidfile = pidfile;
    let code = holdfast_io::run(machine, options).unwrap();
    tell.join().unwrap();
    tracing::warn!("bye");
    std::process::exit(i32::from(code));
}

fn role_command(role: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["role", role]).current_dir(dir);
    command.stdin(Stdio::null());
    command
}

/// Killed when a test fails before it has ended.
struct Victim(Child);

impl Victim {
    fn id(&self) -> u32 {
        self.0.id()
    }

    fn wait(&mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(role: &str, dir: &Path) -> Victim {
    let out = std::fs::File::create(dir.join("out.txt")).unwrap();
    let mut command = role_command(role, dir);
    command.stdout(out.try_clone().unwrap()).stderr(out);
    Victim(command.spawn().unwrap())
}

fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The address in the line that says so.
fn ready_at(log: &Path) -> SocketAddr {
    eventually("Ready", || text_of(log).contains("Ready at "));
    let text = text_of(log);
    let (_, rest) = text.split_once("Ready at ").unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

fn connect(at: SocketAddr) -> Client<std::net::TcpStream> {
    let stream = std::net::TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Client::new(stream)
}

fn signal(pid: u32, name: &str) {
    let pid = pid.to_string();
    let killed = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(killed.unwrap().success());
}

fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn daemon_case() {
    let dir = tempfile::tempdir().unwrap();
    let status = start("daemon", dir.path()).wait();
    assert!(status.success(), "{}", text_of(&dir.path().join("out.txt")));
    let at = ready_at(&dir.path().join("log.txt"));
    let pid: u32 = text_of(&dir.path().join("test.pid"))
        .trim()
        .parse()
        .unwrap();
    assert!(alive(pid));
    let stdout = std::fs::read_link(format!("/proc/{pid}/fd/1")).unwrap();
    assert_eq!(stdout, Path::new("/dev/null"));
    let stat = text_of(Path::new(&format!("/proc/{pid}/stat")));
    let session = stat.rsplit(") ").next().unwrap().split(' ').nth(3).unwrap();
    assert_eq!(session, pid.to_string());

    assert_eq!(connect(at).ask("ECHO daemon"), "daemon");
    assert!(dir.path().join("test.sock").exists());
    signal(pid, "TERM");
    eventually("the end", || !alive(pid));
    assert!(!dir.path().join("test.pid").exists());
    assert!(!dir.path().join("test.sock").exists());
}

fn log_case() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start("logfile", dir.path());
    let (log, moved) = (dir.path().join("log.txt"), dir.path().join("log.1"));
    ready_at(&log);
    let line = text_of(&log);
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[0], format!("{}:M", child.id()));
    assert_eq!(words.len(), 9, "{line}");
    assert_eq!(words[4].len(), "09:10:39.065".len());
    assert_eq!(words[5..7], ["*", "Ready"]);
    assert_eq!(line.lines().count(), 1, "{line}");

    std::fs::rename(&log, &moved).unwrap();
    signal(child.id(), "TERM");
    assert_eq!(child.wait().code(), Some(15));
    assert!(text_of(&log).ends_with("# bye\n"), "{}", text_of(&log));
    assert!(!text_of(&moved).contains("bye"));
}

fn signal_case() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start("server", dir.path());
    let at = ready_at(&dir.path().join("out.txt"));
    // The test machine counts SIGINT and ends at SIGTERM.
    signal(child.id(), "HUP");
    signal(child.id(), "INT");
    assert_eq!(connect(at).ask("ECHO alive"), "alive");
    signal(child.id(), "TERM");
    assert_eq!(child.wait().code(), Some(15));
}

fn panic_case() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start("server", dir.path());
    let out = dir.path().join("out.txt");
    let mut client = connect(ready_at(&out));
    client.say("PANIC");
    let status = child.wait();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(6)
    );
    let report = text_of(&out);
    for part in [
        "# === REDIS BUG REPORT START: Cut & paste starting from here ===",
        "=== ASSERTION FAILED ===",
        "asked for by ConnId",
        "STACK TRACE",
        "handle_read",
        "=== REDIS BUG REPORT END.",
    ] {
        assert!(report.contains(part), "{part} is not in {report}");
    }
}

fn abort_case() {
    for (role, log) in [("server", "out.txt"), ("logfile", "log.txt")] {
        let dir = tempfile::tempdir().unwrap();
        let mut child = start(role, dir.path());
        let log = dir.path().join(log);
        ready_at(&log);
        signal(child.id(), "ABRT");
        let status = child.wait();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(6)
        );
        let report = text_of(&log);
        let lines: Vec<&str> = report.lines().collect();
        let line = |text: &str| {
            let at = lines.iter().position(|line| line.contains(text));
            at.unwrap_or_else(|| panic!("{text} is not in {report}"))
        };
        let start = line("=== REDIS BUG REPORT START: Cut & paste starting from here ===");
        assert!(line("crashed by signal: 6") > start, "{report}");
        assert!(line("Killed by PID: ") > start, "{report}");
        let stack = line("------ STACK TRACE ------");
        let end = line("=== REDIS BUG REPORT END.");
        let frames = &lines[stack + 1..end];
        let program = std::env::current_exe().unwrap();
        let place = format!("{}(+0x", program.display());
        let here = |frame: &&&str| frame.starts_with(&place);
        if cfg!(target_env = "gnu") {
            assert!(frames.iter().filter(here).count() > 2, "{report}");
        }
        assert_eq!(report.matches("STACK TRACE").count(), 1, "{report}");
    }
}

/// Runs a role with a hard limit of open files.
fn with_files(role: &str, files: u32, dir: &Path) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new("/bin/sh");
    let line = format!("ulimit -n {files}; exec {} role {role}", program.display());
    command.arg("-c").arg(line).current_dir(dir);
    // Root may raise the hard limit, so it gives that privilege up where it can.
    let drop_privilege = ["--bounding-set=-sys_resource", "--inh-caps=-sys_resource"];
    let tried = Command::new("setpriv")
        .args(drop_privilege)
        .arg("true")
        .output();
    if tried.is_ok_and(|tried| tried.status.success()) {
        let shell = std::mem::replace(&mut command, Command::new("setpriv"));
        command
            .args(drop_privilege)
            .arg("/bin/sh")
            .args(shell.get_args());
        command.current_dir(dir);
    }
    command
}

fn limit_case() {
    let dir = tempfile::tempdir().unwrap();
    let Output { stdout, .. } = with_files("limit", 132, dir.path()).output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    if text.contains("Increased maximum number of open files to 1032") {
        // A privileged process without the means to drop its privilege.
        return;
    }
    assert!(text.ends_with("Ok(100)\n"), "{text}");
    for line in [
        "# You requested maxclients of 1000 requiring at least 1032 max file descriptors.",
        "# Server can't set maximum open files to 1032 because of OS error: \
         Operation not permitted.",
        "# Current maximum open files is 132. maxclients has been reduced to 100 to \
         compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'.",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let Output { stdout, .. } = with_files("limit", 32, dir.path()).output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert!(
        text.contains("Err(TooFewFiles { limit: 32, wanted: 1032 })"),
        "{text}"
    );
}

fn out_of_files_case() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("out.txt");
    let mut command = with_files("few-files", 40, dir.path());
    command.stdout(std::fs::File::create(&log).unwrap());
    let mut child = Victim(command.spawn().unwrap());
    let at = ready_at(&log);
    if !text_of(&log).contains("Current maximum open files is 40") {
        // As above.
        return;
    }
    let mut clients: Vec<_> = (0..60).map(|_| connect(at)).collect();
    let warning = "Accepting client connection: accept: Too many open files";
    eventually("the warning", || text_of(&log).contains(warning));
    let started = std::time::Instant::now();
    clients.drain(..50);
    // Those that waited are served once there is room.
    for client in &mut clients {
        assert_eq!(client.ask("ECHO at last"), "at last");
    }
    assert!(started.elapsed().as_millis() < 2_000);
    assert_eq!(text_of(&log).matches(warning).count(), 1);
    signal(child.id(), "TERM");
    assert_eq!(child.wait().code(), Some(15));
}

fn parent_case() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().unwrap();
    let mut command = role_command("parent", dir.path());
    let mut parent = Victim(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    let stdout = parent.0.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let pid: u32 = line.trim().parse().unwrap();
    assert!(alive(pid));
    drop(parent);
    eventually("the child's end", || !alive(pid));
}
