//! The server as a process: its start, its files, its log, its end.

use std::fs;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use holdfast_tests::{
    Client, Flavour, Kind, Node, PATIENCE, Port, Process, executable, say, wait_until,
};

fn server(config: &str) -> Node {
    Node::server(Flavour::Holdfast, config)
}

/// The message of a log line, without its stamp.
fn message(line: &str) -> &str {
    line.splitn(7, ' ').nth(6).unwrap_or_default()
}

#[test]
fn the_log_of_a_start_has_the_lines_of_redis_in_their_order() {
    let mut node = server("");
    node.wait_for_log("Ready to accept connections tcp");
    let log = node.log();
    let pid = node.process().pid();
    let wanted = [
        "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo".to_owned(),
        format!(
            "Redis version=7.2.4, bits=64, commit=00000000, modified=0, pid={pid}, just started"
        ),
        "Configuration loaded".to_owned(),
        format!("Running mode=standalone, port={}.", node.port()),
        "Server initialized".to_owned(),
        "Ready to accept connections tcp".to_owned(),
    ];
    let mut lines = log.lines();
    for text in &wanted {
        assert!(
            lines.any(|line| message(line) == text),
            "{text:?} is missing or late in:\n{log}"
        );
    }
    for line in log.lines() {
        let stamp: Vec<&str> = line.split(' ').collect();
        let role = stamp[0].strip_prefix(&format!("{pid}:"));
        assert!(matches!(role, Some("C" | "M")), "{line}");
        assert_eq!(stamp[3].parse::<u16>().unwrap() / 1000, 2, "{line}");
        assert_eq!(stamp[4].len(), "09:10:39.065".len(), "{line}");
        assert!(matches!(stamp[5], "." | "-" | "*" | "#"), "{line}");
    }
}

#[test]
fn sigterm_and_sigint_save_and_end_with_status_0() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut node = server("save 900 1\n");
        assert_eq!(node.text(&["SET", "kept", "yes"]), "OK");
        assert_eq!(node.text(&["RPUSH", "list", "a", "b", "c"]), "3");
        node.process().signal(signal);
        let status = node.process().wait();
        assert_eq!(status.code(), Some(0));
        assert!(node.dir().join("dump.rdb").exists());
        assert!(
            node.log().contains("ready to exit, bye bye..."),
            "{}",
            node.log()
        );
        node.start();
        assert_eq!(node.text(&["GET", "kept"]), "yes");
        assert_eq!(node.text(&["LRANGE", "list", "0", "-1"]), "a b c");
    }
}

#[test]
fn without_save_points_sigterm_saves_nothing() {
    let mut node = server("");
    assert_eq!(node.text(&["SET", "k", "v"]), "OK");
    assert_eq!(node.terminate().code(), Some(0));
    assert!(!node.dir().join("dump.rdb").exists());
}

#[test]
fn kill_9_loses_nothing_that_was_saved() {
    let mut node = server("");
    assert_eq!(node.text(&["SET", "kept", "yes"]), "OK");
    assert_eq!(node.text(&["SAVE"]), "OK");
    node.kill();
    node.start();
    assert_eq!(node.text(&["GET", "kept"]), "yes");
}

#[test]
fn a_port_in_use_ends_the_start_with_an_error_that_names_it() {
    let first = server("");
    let mut second = Node::new(Flavour::Holdfast, Kind::Server, "");
    let config = second.config() + &format!("port {}\n", first.port());
    fs::write(second.config_path(), config).unwrap();
    second.launch();
    assert_eq!(second.process().wait().code(), Some(1));
    let wanted = format!("Failed listening on port {}", first.port());
    assert!(second.log().contains(&wanted), "{}", second.log());
}

#[test]
fn a_pidfile_lives_as_long_as_the_process() {
    let mut node = server("pidfile run.pid\n");
    let path = node.dir().join("run.pid");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.trim(), node.process().pid().to_string());
    node.terminate();
    assert!(!path.exists());
}

#[test]
fn a_daemon_runs_in_the_background_and_ends_by_shutdown() {
    let node = Node::new(
        Flavour::Holdfast,
        Kind::Server,
        "daemonize yes\npidfile daemon.pid\n",
    );
    let status = node.command().stdin(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(0));
    let mut client = wait_until(PATIENCE, "the daemon answers", || {
        let mut client = Client::connect(node.port()).ok()?;
        client.ask(&["PING"]).ok()?;
        Some(client)
    });
    let pid = fs::read_to_string(node.dir().join("daemon.pid")).unwrap();
    let pid: u32 = pid.trim().parse().unwrap();
    let info = node.info("server");
    assert_eq!(info.get("process_id"), pid.to_string());
    // A session of its own, with nothing of ours open.
    let stdout = fs::read_link(format!("/proc/{pid}/fd/1")).unwrap();
    assert_eq!(stdout, std::path::Path::new("/dev/null"));
    client.send(&["SHUTDOWN", "NOSAVE"]).unwrap();
    wait_until(PATIENCE, "the daemon ends", || {
        (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    });
    assert!(!node.dir().join("daemon.pid").exists());
}

#[test]
fn a_unix_socket_takes_commands() {
    use std::io::{Read as _, Write as _};
    let node = server("unixsocket s.sock\nunixsocketperm 700\n");
    let mut stream = UnixStream::connect(node.dir().join("s.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"PING\r\n\n").unwrap();
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"+PONG\r\n");
}

#[test]
fn a_unix_socket_belongs_to_the_group_that_is_named() {
    use std::os::unix::fs::MetadataExt as _;
    // Its own group is one that any user may give a file to.
    let own = tempfile::tempfile().unwrap().metadata().unwrap().gid();
    let node = server(&format!(
        "unixsocket s.sock\nunixsocketperm 744\nunixsocketgroup \"{own}\"\n"
    ));
    let socket = fs::metadata(node.dir().join("s.sock")).unwrap();
    assert_eq!((socket.gid(), socket.mode() & 0o777), (own, 0o744));

    let mut node = Node::new(
        Flavour::Holdfast,
        Kind::Server,
        "unixsocket s.sock\nunixsocketgroup no-such-group\n",
    );
    node.launch();
    assert_eq!(node.process().wait().code(), Some(1));
    assert!(node.log().contains("There is no group 'no-such-group'"));
}

#[test]
fn lists_of_processes_show_a_title_by_its_template() {
    let mut node = Node::new(Flavour::Holdfast, Kind::Server, "");
    let mut command = node.command();
    command.env("HOLDFAST_TEST_ROOM", "x".repeat(500));
    let process = Process::start(&mut command);
    let pid = process.pid();
    let shown = || {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        text.trim_end_matches('\0').to_owned()
    };
    let port = node.port();
    let mut client = wait_until(PATIENCE, "the server listens", || {
        Client::connect(port).ok()
    });
    let name = executable().display().to_string();
    assert_eq!(shown(), format!("{name} 127.0.0.1:{port}"));
    for template in [
        "TEST {port} {config-file}",
        "x",
        &format!("{} {{port}}", "long".repeat(100)),
        "short again",
    ] {
        let reply = client.text(&["CONFIG", "SET", "proc-title-template", template]);
        assert_eq!(reply, "OK");
        let config = node.config_path().display().to_string();
        let title = template.replace("{port}", &port.to_string());
        let title = title.replace("{config-file}", &config);
        wait_until(PATIENCE, "the title", || (shown() == title).then_some(()));
    }
    drop(process);
    // Where it is not wanted, the arguments stay.
    let config = fs::read_to_string(node.config_path()).unwrap();
    fs::write(node.config_path(), config + "set-proc-title no\n").unwrap();
    node.start();
    let bytes = fs::read(format!("/proc/{}/cmdline", node.process().pid())).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(
        text.ends_with(&format!("{}\0", node.config_path().display())),
        "{text}"
    );
}

#[test]
fn a_service_manager_is_told_when_the_server_is_ready_and_when_it_stops() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let node = Node::new(
        Flavour::Holdfast,
        Kind::Server,
        "supervised systemd\ndaemonize yes\n",
    );
    let mut process = Process::start(node.command().env("NOTIFY_SOCKET", &path));
    let receive = || {
        let mut buffer = [0; 1024];
        let filled = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..filled]).into_owned()
    };
    wait_until(PATIENCE, "READY=1", || {
        receive().contains("READY=1").then_some(())
    });
    // Whoever is watched over stays in the foreground.
    assert!(process.ended().is_none());
    assert_eq!(node.text(&["PING"]), "PONG");
    assert_eq!(node.info("server").get("process_supervised"), "systemd");
    process.signal(libc::SIGTERM);
    wait_until(PATIENCE, "STOPPING=1", || {
        receive().contains("STOPPING=1").then_some(())
    });
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn includes_patterns_and_options_override_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("conf.d")).unwrap();
    fs::write(
        dir.path().join("conf.d/1.conf"),
        "maxmemory 1mb\ntimeout 7\n",
    )
    .unwrap();
    fs::write(dir.path().join("conf.d/2.conf"), "maxmemory 2mb\n").unwrap();
    let port = Port::free();
    let main = format!(
        "port {}\nbind 127.0.0.1\nsave ''\nmaxmemory 5mb\ninclude {}/conf.d/*.conf\n",
        port.number(),
        dir.path().display()
    );
    fs::write(dir.path().join("redis.conf"), main).unwrap();
    let mut command = Flavour::Holdfast.server();
    command.current_dir(dir.path()).stdout(Stdio::null());
    command.args([
        "redis.conf",
        "--tcp-keepalive",
        "11",
        "--proto-max-bulk-len",
        "2mb",
    ]);
    let _process = Process::start(&mut command);
    let mut client = wait_until(PATIENCE, "it answers", || {
        Client::connect(port.number()).ok()
    });
    let mut get = |name: &str| client.text(&["CONFIG", "GET", name]);
    assert_eq!(get("maxmemory"), "maxmemory 2097152");
    assert_eq!(get("timeout"), "timeout 7");
    assert_eq!(get("tcp-keepalive"), "tcp-keepalive 11");
    assert_eq!(get("proto-max-bulk-len"), "proto-max-bulk-len 2097152");
    let real = dir.path().canonicalize().unwrap();
    assert_eq!(get("dir"), format!("dir {}", real.display()));
}

#[test]
fn a_rewritten_configuration_starts_the_same_server_again() {
    let mut node = server("# mine\nmaxmemory 3mb\n");
    let mut client = node.client();
    assert_eq!(
        client.text(&[
            "CONFIG",
            "SET",
            "maxmemory",
            "4mb",
            "requirepass",
            "s3 cret"
        ]),
        "OK"
    );
    assert_eq!(client.text(&["CONFIG", "REWRITE"]), "OK");
    let text = node.config();
    assert!(text.contains("# mine\n"), "{text}");
    assert!(text.contains("maxmemory 4mb"), "{text}");
    node.terminate();
    node.launch();
    let mut client = wait_until(PATIENCE, "it answers", || Client::connect(node.port()).ok());
    assert!(client.text(&["GET", "k"]).starts_with("-NOAUTH"));
    assert_eq!(client.text(&["AUTH", "s3 cret"]), "OK");
    assert_eq!(
        client.text(&["CONFIG", "GET", "maxmemory"]),
        "maxmemory 4194304"
    );
}

#[test]
fn a_client_above_maxclients_is_told_so() {
    let node = server("maxclients 2\n");
    let mut first = node.client();
    assert_eq!(first.text(&["PING"]), "PONG");
    let mut second = wait_until(PATIENCE, "the connection of the start is gone", || {
        let mut client = node.client();
        (client.ask(&["PING"]).ok()?.as_text() == Some(b"PONG")).then_some(client)
    });
    assert_eq!(second.text(&["PING"]), "PONG");
    let refused = holdfast_tests::text_of(&node.client().receive().unwrap());
    assert_eq!(refused, "-ERR max number of clients reached");
}

#[test]
fn a_low_file_limit_lowers_maxclients() {
    let node = Node::new(Flavour::Holdfast, Kind::Server, "");
    let mut command = Command::new("sh");
    let program = format!(
        "{} server {}",
        executable().display(),
        node.config_path().display()
    );
    command.args(["-c", &format!("ulimit -n 100; exec {program}")]);
    let _process = Process::start(&mut command);
    let mut client = wait_until(PATIENCE, "it answers", || Client::connect(node.port()).ok());
    assert_eq!(
        client.text(&["CONFIG", "GET", "maxclients"]),
        "maxclients 68"
    );
    assert!(
        node.log().contains("maxclients has been reduced to 68"),
        "{}",
        node.log()
    );
}

#[test]
fn a_link_with_the_name_of_redis_is_that_program() {
    let dir = tempfile::tempdir().unwrap();
    let link = |name: &str| {
        let path = dir.path().join(name);
        std::os::unix::fs::symlink(executable(), &path).unwrap();
        path
    };
    let version = Command::new(link("redis-server"))
        .arg("-v")
        .output()
        .unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    assert!(
        version.starts_with("Redis server v=7.2.4 sha="),
        "{version}"
    );
    let node = Node::new(Flavour::Holdfast, Kind::Sentinel, "");
    let mut command = Command::new(link("redis-sentinel"));
    let mut process = Process::start(command.arg(node.config_path()));
    let mut client = wait_until(PATIENCE, "it answers", || Client::connect(node.port()).ok());
    assert_eq!(client.text(&["ROLE"]), "sentinel ");
    process.signal(libc::SIGTERM);
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn a_picture_with_the_process_id_is_shown_when_asked_for() {
    let node = Node::new(
        Flavour::Holdfast,
        Kind::Server,
        "logfile \"\"\nalways-show-logo yes\n",
    );
    let out = node.dir().join("out");
    let mut command = node.command();
    command.stdout(fs::File::create(&out).unwrap());
    let process = Process::start(&mut command);
    let wanted = format!(" PID: {}", process.pid());
    let text = wait_until(PATIENCE, "the server is ready", || {
        let text = fs::read_to_string(&out).unwrap();
        text.contains("Ready to accept connections").then_some(text)
    });
    let picture = text.find(&wanted).expect("the picture names the process");
    assert!(picture < text.find("Server initialized").unwrap(), "{text}");
}

#[test]
fn a_stopped_server_goes_on_where_it_was() {
    let mut node = server("");
    let mut client = node.client();
    assert_eq!(client.text(&["SET", "k", "v", "PX", "300"]), "OK");
    node.pause();
    client.send(&["GET", "k"]).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    node.resume();
    // Time went on meanwhile.
    assert_eq!(holdfast_tests::text_of(&client.receive().unwrap()), "(nil)");
    assert_eq!(node.terminate().code(), Some(0));
    say("stopped, continued and ended");
}

/// Only where the processes may write is said differently.
#[test]
fn the_configuration_files_of_debian_are_taken_as_they_are() {
    for (kind, name) in [
        (Kind::Server, "redis.conf"),
        (Kind::Sentinel, "sentinel.conf"),
    ] {
        let Ok(text) = fs::read(format!("/etc/redis/{name}")) else {
            say(&format!("skipped: /etc/redis/{name} can't be read"));
            continue;
        };
        let node = Node::new(Flavour::Holdfast, kind, "");
        fs::write(node.config_path(), &text).unwrap();
        let mut command = node.command();
        let (port, dir) = (node.port().to_string(), node.dir().display().to_string());
        command.args(["--port", &port, "--dir", &dir, "--daemonize", "no"]);
        command.args(["--logfile", "log", "--pidfile", "run.pid"]);
        let mut process = Process::start(&mut command);
        wait_until(PATIENCE, "it answers", || {
            assert!(process.ended().is_none(), "{}", node.log());
            let mut client = Client::connect(node.port()).ok()?;
            client.ask(&["PING"]).ok()
        });
        process.signal(libc::SIGTERM);
        assert_eq!(process.wait().code(), Some(0));
        // A sentinel rewrites its file, and keeps what is set there.
        let (text, kept) = (String::from_utf8_lossy(&text), node.config_path());
        let kept = fs::read_to_string(kept).unwrap();
        for line in text.lines().filter(|line| line.starts_with("sentinel ")) {
            assert!(kept.lines().any(|other| other == line.trim_end()), "{line}");
        }
    }
}
