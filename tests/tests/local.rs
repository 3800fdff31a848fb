//! `holdfast local`, as its user sees it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use holdfast_tests::{
    Client, Info, PATIENCE, Port, Process, executable, peers_are_here, redis_cli, say, wait_until,
};

/// A group that `holdfast local` runs, and what it has printed so far.
struct Local {
    process: Process,
    lines: Arc<Mutex<Vec<String>>>,
    _ports: Vec<Port>,
}

/// A line of the list at the start.
#[derive(Clone, Debug)]
struct Listed {
    role: String,
    port: u16,
    pid: u32,
    log: String,
    again: String,
}

impl Local {
    fn start(more: &[&str]) -> Self {
        let ports = Port::row(6);
        let (data, sentinel) = (ports[0].number(), ports[3].number());
        let mut command = Command::new(executable());
        command.arg("local").args(more).stdout(Stdio::piped());
        command.args([
            "--port",
            &data.to_string(),
            "--sentinel-port",
            &sentinel.to_string(),
        ]);
        let mut process = Process::start(&mut command);
        let stdout = BufReader::new(process.take_stdout().unwrap());
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in stdout.lines() {
                sink.lock().unwrap().push(line.unwrap());
            }
        });
        Self {
            process,
            lines,
            _ports: ports,
        }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The list of nodes, complete.
    fn listed(&self) -> Vec<Listed> {
        wait_until(PATIENCE, "all nodes are listed", || {
            let lines = self.lines();
            let end = lines.iter().position(|line| line.contains("Ctrl-C"))?;
            Some(lines[..end].iter().map(|line| listed(line)).collect())
        })
    }

    fn wait_for(&self, text: &str) -> String {
        wait_until(PATIENCE, &format!("a line with {text:?}"), || {
            self.lines().into_iter().find(|line| line.contains(text))
        })
    }
}

fn listed(line: &str) -> Listed {
    let words: Vec<&str> = line.split_whitespace().collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name);
        words[at.unwrap_or_else(|| panic!("no {name} in {line}")) + 1]
    };
    Listed {
        role: words[0].to_owned(),
        port: words[1]
            .strip_prefix("127.0.0.1:")
            .unwrap()
            .parse()
            .unwrap(),
        pid: after("pid").parse().unwrap(),
        log: after("log").to_owned(),
        again: line.split_once("again: ").unwrap().1.to_owned(),
    }
}

fn kill_9(pid: u32) {
    let status = Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the name in parentheses; a zombie has ended.
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn info(port: u16, section: &str) -> Option<Info> {
    let mut client = Client::connect_within(port, Duration::from_secs(5)).ok()?;
    let reply = client.ask(&["INFO", section]).ok()?;
    reply
        .as_text()
        .map(|text| Info::parse(&String::from_utf8_lossy(text)))
}

/// A command by the real client if it is installed, by ours if not.
fn cli(port: u16, words: &[&str], real: bool) -> String {
    if !real {
        return Client::connect(port).unwrap().text(words);
    }
    let output = redis_cli(port).args(words).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

#[test]
fn a_group_starts_fails_over_and_takes_its_old_master_back() {
    let real = peers_are_here("redis-cli in the walk through a local group");
    let started = Instant::now();
    let mut local = Local::start(&["--down-after", "1000"]);
    let nodes = local.listed();
    say(&format!(
        "six nodes answer after {} ms",
        started.elapsed().as_millis()
    ));
    let roles: Vec<&str> = nodes.iter().map(|node| node.role.as_str()).collect();
    let wanted = [
        "master", "replica", "replica", "sentinel", "sentinel", "sentinel",
    ];
    assert_eq!(roles, wanted);
    let (master, replica, sentinel) = (&nodes[0], &nodes[1], nodes[3].port);
    assert!(Path::new(&master.log).exists());
    assert_eq!(cli(master.port, &["SET", "greeting", "hello"], real), "OK");
    wait_until(PATIENCE, "the replica has the key", || {
        (cli(replica.port, &["GET", "greeting"], real) == "hello").then_some(())
    });
    assert_eq!(
        info(master.port, "replication")
            .unwrap()
            .get("connected_slaves"),
        "2"
    );
    // Well before they ask the master a second time.
    wait_until(Duration::from_secs(5), "the sentinels know all", || {
        let line = info(sentinel, "sentinel")?.get("master0").to_owned();
        line.ends_with("slaves=2,sentinels=3").then_some(())
    });

    kill_9(master.pid);
    let ended = local.wait_for(&format!("(pid {})", master.pid));
    assert!(ended.contains("signal 9"), "{ended}");
    let switch = local.wait_for("+switch-master");
    let new: u16 = switch.split(' ').next_back().unwrap().parse().unwrap();
    assert_ne!(new, master.port);
    let told = cli(
        sentinel,
        &["SENTINEL", "get-master-addr-by-name", "mymaster"],
        real,
    );
    assert!(told.ends_with(&new.to_string()), "{told}");
    assert_eq!(cli(new, &["SET", "written", "later"], real), "OK");

    let again = format!("exec {}", master.again);
    let _old = Process::start(Command::new("sh").args(["-c", &again]));
    wait_until(
        PATIENCE,
        "the old master is a replica of the new one",
        || {
            let info = info(master.port, "replication")?;
            let linked = info.get("master_port") == new.to_string()
                && info.get("master_link_status") == "up";
            linked.then_some(())
        },
    );
    wait_until(PATIENCE, "it has what was written meanwhile", || {
        (cli(master.port, &["GET", "written"], real) == "later").then_some(())
    });
    assert_eq!(cli(master.port, &["GET", "greeting"], real), "hello");
    ends_cleanly(&mut local, &nodes);
}

/// SIGTERM ends the nodes, and the temporary directory goes.
fn ends_cleanly(local: &mut Local, nodes: &[Listed]) {
    local.process.signal(libc::SIGTERM);
    assert_eq!(local.process.wait().code(), Some(0));
    for node in nodes {
        assert!(!is_alive(node.pid), "{node:?}");
    }
    let dir = Path::new(&nodes[0].log).parent().unwrap().parent().unwrap();
    assert!(!dir.exists(), "{}", dir.display());
}

#[test]
fn the_nodes_die_with_their_parent() {
    let mut local = Local::start(&[]);
    let nodes = local.listed();
    local.process.kill();
    wait_until(PATIENCE, "all nodes are gone", || {
        (!nodes.iter().any(|node| is_alive(node.pid))).then_some(())
    });
    let dir = Path::new(&nodes[0].log).parent().unwrap().parent().unwrap();
    // Nobody is left to remove it.
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn sigint_ends_a_group_and_a_directory_given_by_name_stays() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("the group");
    let mut local = Local::start(&["--dir", inner.to_str().unwrap()]);
    let nodes = local.listed();
    assert_eq!(
        Client::connect(nodes[0].port)
            .unwrap()
            .text(&["SET", "k", "v"]),
        "OK"
    );
    local.process.signal(libc::SIGINT);
    assert_eq!(local.process.wait().code(), Some(0));
    assert!(nodes.iter().all(|node| !is_alive(node.pid)));
    assert!(
        inner
            .join(format!("server-{}/server.conf", nodes[0].port))
            .exists()
    );
    assert!(
        inner
            .join(format!("sentinel-{}/log", nodes[3].port))
            .exists()
    );
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let free = Port::row(3);
    let output = Command::new(executable())
        .args([
            "local",
            "--replicas",
            "0",
            "--port",
            &free[0].number().to_string(),
        ])
        .args(["--sentinels", "1", "--sentinel-port", &port.to_string()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains(&format!("port {port} for the sentinel")),
        "{error}"
    );
    assert!(error.contains("Address already in use"), "{error}");
    assert!(error.contains("--sentinel-port"), "{error}");
}
