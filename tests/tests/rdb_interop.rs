//! RDB files and DUMP payloads, from and to a real Redis.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use holdfast_core::machine::Wall;
use holdfast_core::persist::rdb::{
    Decoder, Encoder, Item, KeyMeta, Options, Preamble, ReplPoint, dump, restore,
};
use holdfast_core::value::{List, Shape, Str, Value};

#[test]
fn real_redis_loads_what_we_encode() {
    let Some(program) = redis_server() else {
        return;
    };
    for compress in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("dump.rdb"), encoded(compress)).unwrap();
        let mut redis = Redis::start(&program, dir.path(), &[]);
        assert_eq!(redis.text(&["DBSIZE"]), (sample().len() - 1).to_string());
        for (key, value) in sample() {
            redis.select(if key == b"elsewhere" { 9 } else { 0 });
            redis.assert_holds(&key, &value);
        }
        redis.select(0);
        assert_eq!(
            redis.text(&["PEXPIRETIME", "expiring"]),
            FAR_AWAY.to_string()
        );
        assert_eq!(redis.text(&["PTTL", "big"]), "-1");
    }
}

#[test]
fn we_decode_what_real_redis_saves() {
    let Some(program) = redis_server() else {
        return;
    };
    for options in [&[][..], &["--rdbcompression", "no", "--rdbchecksum", "no"]] {
        let dir = tempfile::tempdir().unwrap();
        let mut redis = Redis::start(&program, dir.path(), options);
        for (key, value) in sample() {
            redis.select(if key == b"elsewhere" { 9 } else { 0 });
            redis.store(&key, &value);
        }
        redis.select(0);
        redis.text(&["PEXPIREAT", "expiring", &FAR_AWAY.to_string()]);
        // A node that is stored outside any listpack.
        redis.text(&["DEBUG", "QUICKLIST-PACKED-THRESHOLD", "100B"]);
        redis.text(&["RPUSH", "plain", "short", &"p".repeat(150), "short again"]);
        assert_eq!(redis.text(&["SAVE"]), "OK");
        let saved = std::fs::read(dir.path().join("dump.rdb")).unwrap();
        let keys = decoded(&saved);
        let mut expected = sample();
        let plain = [b"short".as_slice(), &[b'p'; 150], b"short again"];
        expected.push((b"plain".to_vec(), Value::List(plain.into_iter().collect())));
        assert_eq!(keys.len(), expected.len());
        for (key, value) in expected {
            let found = keys.iter().find(|found| found.key == key);
            let found = found.unwrap_or_else(|| panic!("{} is missing", key.escape_ascii()));
            assert!(same(&found.value, &value), "{} differs", key.escape_ascii());
            assert_eq!(found.db, if key == b"elsewhere" { 9 } else { 0 });
            assert_eq!(found.expire_ms, (key == b"expiring").then_some(FAR_AWAY));
        }
    }
}

#[test]
fn payloads_are_exchanged_with_real_redis() {
    let Some(program) = redis_server() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let mut redis = Redis::start(&program, dir.path(), &["--sanitize-dump-payload", "yes"]);
    for (key, value) in sample() {
        redis.store(&key, &value);
        let payload = redis.reply(&[b"DUMP", &key]).expect("the key is there");
        assert!(same(&restore(&payload, &Shape::default()).unwrap(), &value));

        let payload = dump(value.as_ref(), true);
        assert_eq!(
            redis
                .reply(&[b"RESTORE", b"copy", b"0", &payload, b"REPLACE"])
                .unwrap(),
            b"OK"
        );
        redis.assert_holds(b"copy", &value);
    }
}

/// In the year 2100, in milliseconds.
const FAR_AWAY: i64 = 4_102_444_800_123;

fn sample() -> Vec<(Vec<u8>, Value)> {
    let text = |text: &[u8]| Value::Str(Str::new(text));
    let big: Vec<u8> = (0..300_000u32)
        .flat_map(|n| n.wrapping_mul(0x9e37_79b1).to_le_bytes())
        .collect();
    let numbers = [
        0i64,
        127,
        128,
        -1,
        -4096,
        4096,
        40_000,
        -9_000_000,
        1 << 40,
        i64::MIN,
    ];
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    let many: Vec<String> = (0..20_000).map(|n| format!("item number {n}")).collect();
    let odd = [
        b"".to_vec(),
        b"007".to_vec(),
        vec![b'x'; 5_000],
        vec![b'y'; 100_000],
        vec![255; 70],
    ];
    vec![
        (b"plain text".to_vec(), text(b"hello")),
        (b"empty".to_vec(), text(b"")),
        (b"expiring".to_vec(), text(b"soon")),
        (b"elsewhere".to_vec(), text(b"in database 9")),
        (b"12345".to_vec(), text(b"-1")),
        (b"int16".to_vec(), text(b"30000")),
        (b"int32".to_vec(), text(b"-2000000000")),
        (b"int64".to_vec(), text(b"9223372036854775807")),
        (b"repetitive".to_vec(), text(&b"abcdefgh".repeat(1_000))),
        (b"random".to_vec(), text(&big[..10_000])),
        (b"big".to_vec(), Value::Str(Str::Shared(Bytes::from(big)))),
        (vec![b'k'; 400], text(b"long key")),
        (b"numbers".to_vec(), list(&numbers)),
        (b"many".to_vec(), list(&many)),
        (
            b"odd".to_vec(),
            Value::List(odd.iter().map(Vec::as_slice).collect()),
        ),
    ]
}

fn list(items: &[String]) -> Value {
    Value::List(items.iter().map(String::as_bytes).collect())
}

fn same(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Str(one), Value::Str(two)) => one.as_ref() == two.as_ref(),
        (one, two) => one == two,
    }
}

fn encoded(compress: bool) -> Vec<u8> {
    let mut encoder = Encoder::new(compress, compress);
    encoder.preamble(&Preamble {
        created: Wall::from_millis(1_700_000_000_000),
        used_memory: 1 << 30,
        repl: Some(ReplPoint {
            stream_db: 0,
            id: [b'a'; 40],
            offset: 77,
        }),
        aof_base: false,
    });
    for (key, value) in sample() {
        encoder.select_db(if key == b"elsewhere" { 9 } else { 0 });
        encoder.resize_db(10, 1);
        let expire_ms = (key == b"expiring").then_some(FAR_AWAY);
        let meta = KeyMeta {
            expire_ms,
            idle_secs: None,
            freq: None,
        };
        encoder.key(&key, value.as_ref(), meta);
    }
    encoder.eof();
    core::iter::from_fn(|| encoder.poll_chunk())
        .flatten()
        .collect()
}

struct Found {
    db: u32,
    key: Vec<u8>,
    value: Value,
    expire_ms: Option<i64>,
}

fn decoded(bytes: &[u8]) -> Vec<Found> {
    let mut decoder = Decoder::new(Options::default());
    let (mut keys, mut db, mut version) = (Vec::new(), 0, None);
    for piece in bytes.chunks(10_007) {
        decoder.feed(piece);
        while let Some(item) = decoder.next().expect("real Redis wrote it") {
            match item {
                Item::Aux {
                    name: b"redis-ver",
                    value,
                } => version = Some(value.to_vec()),
                Item::SelectDb(selected) => db = selected,
                Item::Key { key, value, meta } => {
                    let (key, expire_ms) = (key.to_vec(), meta.expire_ms);
                    keys.push(Found {
                        db,
                        key,
                        value,
                        expire_ms,
                    });
                }
                Item::Aux { .. } | Item::ResizeDb { .. } | Item::Eof => {}
                Item::EmptyKey { .. } | Item::Function { .. } | Item::ModuleAux { .. } => {
                    panic!("nothing of the kind was saved")
                }
            }
        }
    }
    decoder.finish().expect("the file is whole");
    assert!(version.is_some());
    keys
}

/// Where the real server is; none, with a line that says so, if it is not installed.
#[expect(
    clippy::print_stdout,
    reason = "who runs the tests has to see what was not tested"
)]
fn redis_server() -> Option<String> {
    let program = "redis-server";
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok();
    if !found {
        let required = std::env::var_os("HOLDFAST_REQUIRE_PEERS").is_some_and(|set| set == "1");
        assert!(!required, "{program} is not installed");
        println!("skipped: {program} is not installed");
    }
    found.then(|| program.to_owned())
}

/// A real Redis and a connection to it.
struct Redis {
    process: Child,
    stream: BufReader<TcpStream>,
}

impl Redis {
    fn start(program: &str, dir: &Path, options: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let process = Command::new(program)
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .args(["--enable-debug-command", "yes", "--dir"])
            .arg(dir)
            .args(options)
            .stdout(std::fs::File::create(dir.join("log")).unwrap())
            .spawn()
            .unwrap();
        let stream = connect(port).unwrap_or_else(|| {
            panic!(
                "{}",
                std::fs::read_to_string(dir.join("log")).unwrap_or_default()
            )
        });
        let mut redis = Self {
            process,
            stream: BufReader::new(stream),
        };
        while redis.reply(&[b"PING"]) != Some(b"PONG".to_vec()) {
            std::thread::sleep(Duration::from_millis(20));
        }
        redis
    }

    fn select(&mut self, db: u32) {
        assert_eq!(self.text(&["SELECT", &db.to_string()]), "OK");
    }

    fn text(&mut self, args: &[&str]) -> String {
        let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        String::from_utf8(self.reply(&args).unwrap()).unwrap()
    }

    fn store(&mut self, key: &[u8], value: &Value) {
        match value {
            Value::Str(text) => {
                assert_eq!(
                    self.reply(&[b"SET", key, &text.as_ref().to_vec()]).unwrap(),
                    b"OK"
                );
            }
            Value::List(list) => list.as_ref().iter().for_each(|item| {
                self.reply(&[b"RPUSH", key, item]).unwrap();
            }),
            Value::Hash(_) | Value::Set(_) | Value::Zset(_) | Value::Stream(_) => {
                unreachable!("the sample has none")
            }
        }
    }

    fn assert_holds(&mut self, key: &[u8], value: &Value) {
        match value {
            Value::Str(text) => {
                let held = self.reply(&[b"GET", key]);
                assert!(
                    held == Some(text.as_ref().to_vec()),
                    "{} differs",
                    key.escape_ascii()
                );
            }
            Value::List(list) => {
                self.send(&[b"LRANGE", key, b"0", b"-1"]);
                let count: usize = self.line()[1..].parse().unwrap();
                let held: Vec<Vec<u8>> = (0..count).map(|_| self.receive().unwrap()).collect();
                let held: List = held.iter().map(Vec::as_slice).collect();
                assert!(held == *list, "{} differs", key.escape_ascii());
            }
            Value::Hash(_) | Value::Set(_) | Value::Zset(_) | Value::Stream(_) => {
                unreachable!("the sample has none")
            }
        }
    }

    fn reply(&mut self, args: &[&[u8]]) -> Option<Vec<u8>> {
        self.send(args);
        self.receive()
    }

    fn send(&mut self, args: &[&[u8]]) {
        let mut command = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            command.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            command.extend_from_slice(arg);
            command.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&command).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        let line = self.line();
        let Some(len) = line.strip_prefix('$') else {
            return Some(line.get(1..)?.as_bytes().to_vec());
        };
        let len: usize = len.parse().ok()?;
        let mut bulk = vec![0; len + 2];
        self.stream.read_exact(&mut bulk).unwrap();
        bulk.truncate(len);
        Some(bulk)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself, which the assertions have told.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn connect(port: u16) -> Option<TcpStream> {
    for _ in 0..250 {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            return Some(stream);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}
