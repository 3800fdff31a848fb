//! What lies below dist/: units, samples, and the script that moves a virtual IP.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use holdfast_tests::lab::{HOSTS, Lab, can_have_one};
use holdfast_tests::{
    Client, PATIENCE, Port, Process, executable, peers_are_here, say, wait_until,
};

fn dist(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../dist")
        .join(path)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let there = Command::new("systemd-analyze").arg("--version").output();
    if !there.is_ok_and(|output| output.status.success()) {
        return say("skipped: units: systemd-analyze is not installed");
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = executable().display().to_string();
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no"]);
    let units = fs::read_dir(dist("systemd")).expect("the units are there");
    let mut count = 0;
    for unit in units {
        let from = unit.expect("it can be listed").path();
        let text = fs::read_to_string(&from).expect("a unit is text");
        assert!(text.contains("ExecStart=/usr/bin/holdfast "), "{from:?}");
        // Where it is found before it is installed.
        let text = text.replace(
            "ExecStart=/usr/bin/holdfast ",
            &format!("ExecStart={program} "),
        );
        let to = dir.path().join(from.file_name().expect("it has a name"));
        fs::write(&to, text).expect("a temporary file");
        command.arg(to);
        count += 1;
    }
    assert_eq!(count, 3);
    let output = command.output().expect("it can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_sample_configurations_are_taken() {
    for (what, file) in [("server", "holdfast.conf"), ("sentinel", "sentinel.conf")] {
        let text = fs::read_to_string(dist("etc").join(file)).expect("the sample is there");
        let dir = tempfile::tempdir().expect("a temporary directory");
        let port = Port::free();
        let here = dir.path().display().to_string();
        let own = text.replace("dir /var/lib/holdfast", &format!("dir {here}"));
        assert_ne!(own, text);
        let path = dir.path().join(file);
        fs::write(&path, own).expect("a temporary file");
        let mut command = Command::new(executable());
        command.arg(what).arg(&path);
        let number = port.number().to_string();
        command.args(["--port", &number, "--bind", "127.0.0.1"]);
        let mut process = Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
        wait_until(PATIENCE, "it answers PING", || {
            assert_eq!(process.ended(), None, "{what}");
            let mut client = Client::connect(port.number()).ok()?;
            client.ask(&["PING"]).ok().map(drop)
        });
    }
}

/// One host, on which the script is run.
struct Host {
    lab: Lab,
    conf: PathBuf,
}

impl Host {
    fn new() -> Self {
        let lab = Lab::bare("10.77.0.100");
        let conf = lab.dir().join("virtual-ip.conf");
        fs::write(&conf, "# masters\nmymaster 10.77.0.100/24 eth0\n").expect("a file");
        Self { lab, conf }
    }

    /// The exit status with these words in place of the usual ones.
    fn run(&self, conf: &Path, words: &str) -> i32 {
        let script = dist("client-reconfig-virtual-ip.sh");
        let line = format!("{} {words}", script.display());
        let mut command = self.lab.shell(0, &line);
        let output = command
            .env("VIRTUAL_IP_CONF", conf)
            .output()
            .expect("a shell can be run");
        output.status.code().expect("it ends by itself")
    }

    fn master_is(&self, to: &str) -> i32 {
        let words = format!("mymaster observer start 10.77.0.3 6379 {to} 6379");
        self.run(&self.conf, &words)
    }

    fn has_it(&self) -> bool {
        let show = "ip -o address show to 10.77.0.100";
        let output = self
            .lab
            .shell(0, show)
            .output()
            .expect("a shell can be run");
        !output.stdout.is_empty()
    }
}

#[test]
fn the_script_puts_the_address_where_the_master_is() {
    if !can_have_one("the script that moves a virtual IP") {
        return;
    }
    let host = Host::new();
    for _ in 0..2 {
        assert_eq!(host.master_is("10.77.0.1"), 0);
        assert!(host.has_it());
    }
    for _ in 0..2 {
        assert_eq!(host.master_is("10.77.0.2"), 0);
        assert!(!host.has_it());
    }
    // Nothing that another try could mend.
    assert_eq!(host.run(&host.conf, ""), 2);
    assert_eq!(
        host.run(&host.conf, "mymaster leader start 10.77.0.3 6379 10.77.0.1"),
        2
    );
    assert_eq!(host.master_is("10.77.0.100"), 2);
    let words = "start 10.77.0.3 6379 10.77.0.1 6379";
    assert_eq!(host.run(&host.conf, &format!("unknown leader {words}")), 0);
    let conf = |text: &str| {
        let path = host.lab.dir().join("bad.conf");
        fs::write(&path, text).expect("a file");
        path
    };
    for text in [
        "mymaster 10.77.0.100/24\n",
        "mymaster 10.77.0.100 eth0\n",
        "mymaster 10.77.0.100/24 eth9\n",
    ] {
        assert_eq!(
            host.run(&conf(text), &format!("mymaster leader {words}")),
            2,
            "{text}"
        );
    }
    assert_eq!(
        host.run(
            Path::new("/no/such/file"),
            &format!("mymaster leader {words}")
        ),
        2
    );
    assert!(!host.has_it());
    // What may go well the next time: no address can be added to an interface with this prefix.
    let bad = conf("mymaster 10.77.0.100/99 eth0\n");
    assert_eq!(host.run(&bad, &format!("mymaster leader {words}")), 1);
}

#[test]
fn the_script_follows_a_failover_of_redis_sentinels() {
    const TEST: &str = "the script under Redis's Sentinel";
    if !peers_are_here(TEST) || !can_have_one(TEST) {
        return;
    }
    let host = Host::new();
    let script = dist("client-reconfig-virtual-ip.sh");
    let mut running = Vec::new();
    for at in 0..HOSTS {
        let follow = if at == 0 {
            ""
        } else {
            "--replicaof 10.77.0.1 6379"
        };
        let line = format!("exec holdfast server --protected-mode no --save '' {follow}");
        let mut server = host.lab.shell(at, &line);
        running.push(Process::start(server.stdout(Stdio::null())));
        let conf = host.lab.dir().join(format!("redis-sentinel{at}.conf"));
        let text = format!(
            "port 26379\nprotected-mode no\nsentinel monitor mymaster 10.77.0.1 6379 2\n\
             sentinel down-after-milliseconds mymaster 1000\n\
             sentinel client-reconfig-script mymaster {}\n",
            script.display()
        );
        fs::write(&conf, text).expect("a file");
        let line = format!("exec redis-sentinel {}", conf.display());
        let mut sentinel = host.lab.shell(at, &line);
        sentinel.env("VIRTUAL_IP_CONF", &host.conf);
        running.push(Process::start(sentinel.stdout(Stdio::null())));
    }
    let says = |at: usize, words: &[&str]| host.lab.sentinel_says(at, words);
    let status = format!(
        "status=ok,address=10.77.0.1:6379,slaves={},sentinels={HOSTS}",
        HOSTS - 1
    );
    for at in 0..HOSTS {
        wait_until(PATIENCE, &status, || {
            let info = says(at, &["INFO", "sentinel"])?;
            info.contains(&status).then_some(())
        });
    }
    assert_eq!(host.master_is("10.77.0.1"), 0);
    host.lab.wait_for_holder(0);
    // Until the replicas can be promoted.
    wait_until(PATIENCE, "the failover begins", || {
        let reply = says(1, &["SENTINEL", "FAILOVER", "mymaster"])?;
        (reply == "OK").then_some(())
    });
    let new = wait_until(
        PATIENCE,
        "another host has the address, and that alone",
        || {
            let holders = host.lab.holders();
            (holders.len() == 1 && holders[0] != 0).then(|| holders[0])
        },
    );
    wait_until(PATIENCE, "all tell of the master on that host", || {
        let told = says(0, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"])?;
        (told == format!("10.77.0.{} 6379", new + 1)).then_some(())
    });
}
