use super::*;
use crate::persist::rdb::{Encoder, KeyMeta, Preamble};
use crate::rng::Rng;
use crate::value::{Str, Value};
use std::collections::BTreeMap;

const FILE: FileId = FileId(1);

/// A disk of named files.
#[derive(Default)]
struct Disk {
    files: BTreeMap<String, Vec<u8>>,
    open: Option<String>,
    /// The number of the op that fails, from 0 on.
    failing: Option<usize>,
    ops: usize,
}

impl Disk {
    fn with(files: &[(&str, &[u8])]) -> Self {
        let files = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.to_vec()));
        Self {
            files: files.collect(),
            ..Self::default()
        }
    }

    fn answer(&mut self, op: &DiskOp) -> Result<Bytes, DiskFault> {
        self.ops += 1;
        if self.failing == Some(self.ops - 1) {
            if let DiskOp::Close { .. } = op {
                // As Linux has it.
                self.open = None;
            }
            return Err(DiskFault::Failed { errno: 5 });
        }
        let open = || self.open.clone().expect("a file is open");
        match op {
            DiskOp::Open { path, mode, .. } => {
                assert_eq!(self.open, None, "one file at a time");
                match mode {
                    OpenMode::Read if !self.files.contains_key(&**path) => {
                        return Err(DiskFault::NotFound);
                    }
                    OpenMode::Create | OpenMode::CreateDirect => {
                        drop(self.files.insert(path.to_string(), Vec::new()))
                    }
                    OpenMode::Read | OpenMode::Append => {}
                }
                self.open = Some(path.to_string());
            }
            DiskOp::Read { at, len, .. } => {
                let text = &self.files[&open()];
                let from = usize::try_from(*at).unwrap().min(text.len());
                let to = text.len().min(from + usize::try_from(*len).unwrap());
                return Ok(Bytes::copy_from_slice(&text[from..to]));
            }
            DiskOp::Append { data, .. } => {
                let name = open();
                self.files.get_mut(&name).unwrap().extend_from_slice(data);
            }
            DiskOp::Truncate { len, .. } => {
                let name = open();
                let len = usize::try_from(*len).unwrap();
                self.files.get_mut(&name).unwrap().truncate(len);
            }
            DiskOp::Close { .. } => self.open = None,
            DiskOp::Length { path } => {
                let text = self.files.get(&**path).ok_or(DiskFault::NotFound)?;
                return Ok(Bytes::copy_from_slice(&(text.len() as u64).to_le_bytes()));
            }
            DiskOp::Rename { from, to } => {
                let text = self.files.remove(&**from).ok_or(DiskFault::NotFound)?;
                self.files.insert(to.to_string(), text);
            }
            DiskOp::MakeDir { .. } | DiskOp::Sync { .. } | DiskOp::SyncDir { .. } => {}
            DiskOp::Remove { .. } | DiskOp::ChangeDir { .. } | DiskOp::CanRun { .. } => {
                panic!("a load removes nothing")
            }
        }
        Ok(Bytes::new())
    }
}

/// Loads the log with a server that takes every line for a command; what it got, and the end.
fn load(disk: &mut Disk, keys: &mut Keyspace, may_truncate: bool) -> (Vec<u8>, AofEnd) {
    let names = Names {
        dir: "d".into(),
        stem: "log".into(),
    };
    let now = Wall::from_millis(5_000);
    let (mut load, op) = AofLoad::start(FILE, names, Options::default(), now);
    let (mut ops, mut answered) = (vec![op], 0);
    let (mut all, mut part) = (Vec::new(), Vec::new());
    let mut state = AofState::Waiting;
    for _ in 0..10_000 {
        state = match state {
            AofState::Waiting => {
                let result = disk.answer(&ops[answered]);
                answered += 1;
                load.handle_done(result, &mut ops)
            }
            AofState::Ready => load.step(keys, &mut { usize::MAX }, &mut ops),
            AofState::Commands(bytes) => {
                part.extend_from_slice(&bytes);
                AofState::Ready
            }
            AofState::PartOver => {
                let whole = part
                    .iter()
                    .rposition(|&byte| byte == b'\n')
                    .map_or(0, |at| at + 1);
                let tail = if whole == part.len() {
                    Tail::Whole
                } else {
                    let valid = load.preamble() + whole as u64;
                    Tail::Cut { valid }
                };
                all.append(&mut part);
                load.part_over(tail, may_truncate, &mut ops)
            }
            AofState::Over(end) => {
                assert_eq!(answered, ops.len(), "no op is left to be answered");
                let failed = matches!(end, AofEnd::Failed(_));
                assert!(failed || disk.open.is_none(), "no file stays open");
                return (all, end);
            }
        };
    }
    panic!("it does not end: {state:?}");
}

fn keyspace() -> Keyspace {
    Keyspace::new(2, &mut Rng::new([5; 32]))
}

fn rdb(key: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(true, true);
    encoder.preamble(&Preamble::default());
    encoder.select_db(1);
    let meta = KeyMeta {
        expire_ms: Some(1),
        ..KeyMeta::default()
    };
    encoder.key(key, Value::Str(Str::new(b"value")).as_ref(), meta);
    encoder.eof();
    core::iter::from_fn(|| encoder.poll_chunk())
        .flatten()
        .collect()
}

const THREE: &[u8] = b"file b seq 1 type b\nfile i1 seq 1 type i\nfile i2 seq 2 type i\n\
    file old seq 7 type h\n";

#[test]
fn the_files_come_in_order_and_rdb_data_goes_to_the_keyspace() {
    let base = [&rdb(b"k")[..], b"tail\n"].concat();
    let long = b"line\n".repeat(100_000);
    let mut disk = Disk::with(&[
        ("d/log.manifest", THREE),
        ("d/b", &base),
        ("d/i1", &long),
        ("d/i2", b"last\n"),
    ]);
    let mut keys = keyspace();
    let (text, end) = load(&mut disk, &mut keys, false);
    assert_eq!(text, [b"tail\n", &long[..], b"last\n"].concat());
    let AofEnd::Complete {
        manifest,
        last_len,
        total_len,
        base_len,
    } = end
    else {
        panic!("{end:?}")
    };
    assert_eq!(manifest.encode().len(), THREE.len());
    assert_eq!((last_len, base_len), (5, base.len() as u64));
    assert_eq!(total_len, (base.len() + long.len() + 5) as u64);
    assert_eq!(keys.db(1).len(), 1, "what has expired is loaded too");
}

#[test]
fn there_is_no_log_without_a_manifest_and_without_an_old_file() {
    let (_, end) = load(&mut Disk::default(), &mut keyspace(), true);
    assert_eq!(end, AofEnd::Missing(Manifest::default()));
    let mut disk = Disk::with(&[("d/log.manifest", b"file x seq 3 type h\n")]);
    let (_, end) = load(&mut disk, &mut keyspace(), true);
    let AofEnd::Missing(manifest) = end else {
        panic!("{end:?}")
    };
    assert_eq!(manifest.history().len(), 1, "it is still to be removed");
}

#[test]
fn a_cut_last_file_is_cut_back_if_it_may_be() {
    let files: [(&str, &[u8]); 2] = [
        ("d/log.manifest", b"file i seq 1 type i\n"),
        ("d/i", b"one\ntwo\nthr"),
    ];
    let mut disk = Disk::with(&files);
    let (_, end) = load(&mut disk, &mut keyspace(), true);
    assert!(
        matches!(end, AofEnd::Complete { last_len: 8, .. }),
        "{end:?}"
    );
    assert_eq!(disk.files["d/i"], b"one\ntwo\n");
    let mut disk = Disk::with(&files);
    let (_, end) = load(&mut disk, &mut keyspace(), false);
    let name = "i".into();
    assert_eq!(end, AofEnd::Failed(AofFault::Truncated { name }));
    assert_eq!(disk.files["d/i"].len(), 11);
}

#[test]
fn a_cut_file_with_another_behind_it_is_fatal() {
    let mut disk = Disk::with(&[
        ("d/log.manifest", THREE),
        ("d/b", b""),
        ("d/i1", b"one\ntw"),
        ("d/i2", b"three\n"),
    ]);
    let (_, end) = load(&mut disk, &mut keyspace(), true);
    assert_eq!(end, AofEnd::Failed(AofFault::NotLast));
    assert_eq!(disk.files["d/i1"], b"one\ntw", "it is left as it is");
}

#[test]
fn a_file_that_is_missing_is_named() {
    let mut disk = Disk::with(&[("d/log.manifest", THREE), ("d/b", b""), ("d/i2", b"")]);
    let (_, end) = load(&mut disk, &mut keyspace(), true);
    let AofEnd::Failed(fault) = end else {
        panic!("{end:?}")
    };
    assert_eq!(
        fault.to_string(),
        "Unable to obtain the AOF file i1 length. stat: No such file or directory"
    );
}

#[test]
fn damaged_rdb_data_is_fatal_and_so_is_half_of_it() {
    let whole = rdb(b"k");
    let mut damaged = whole.clone();
    damaged[20] ^= 0xff;
    for base in [&damaged, &whole[..whole.len() / 2]] {
        let manifest = b"file b seq 1 type b\n";
        let mut disk = Disk::with(&[("d/log.manifest", manifest), ("d/b", base)]);
        let (_, end) = load(&mut disk, &mut keyspace(), true);
        let fatal = matches!(end, AofEnd::Failed(AofFault::Preamble { .. }));
        assert!(fatal, "{end:?}");
    }
}

#[test]
fn the_single_file_of_an_old_server_becomes_the_base_wherever_that_is_cut_short() {
    let mut steps = 0;
    for failing in 0.. {
        let mut disk = Disk::with(&[("log", b"one\ntwo\n")]);
        disk.failing = Some(failing);
        let (text, end) = load(&mut disk, &mut keyspace(), false);
        if let AofEnd::Complete { .. } = end
            && disk.ops <= failing
        {
            assert_eq!(text, b"one\ntwo\n");
            steps = failing;
            break;
        }
        // As after a crash there: the next start sees to it.
        disk.failing = None;
        disk.open = None;
        let (text, end) = load(&mut disk, &mut keyspace(), false);
        assert!(matches!(end, AofEnd::Complete { .. }), "{failing}: {end:?}");
        assert_eq!(text, b"one\ntwo\n", "{failing}");
        assert_eq!(disk.files["d/log"], b"one\ntwo\n");
        assert!(!disk.files.contains_key("log"));
        assert_eq!(disk.files["d/log.manifest"], b"file log seq 1 type b\n");
    }
    assert!(steps > 12, "every step has failed once");
}
