use super::*;
use crate::keyspace::Ttl;
use crate::limits::LOAD_READS_IN_FLIGHT;
use crate::machine::Wall;
use crate::persist::rdb::{Encoder, KeyMeta, Preamble, ReplPoint};
use crate::rng::Rng;
use crate::value::{Str, Value};

const FILE: FileId = FileId(1);
const NOW: Wall = Wall::from_millis(1_000_000);

fn keyspace() -> Keyspace {
    Keyspace::new(4, &mut Rng::new([5; 32]))
}

/// A file of that many keys, of which every tenth has expired.
fn file(keys: u32) -> Vec<u8> {
    let mut encoder = Encoder::new(true, true);
    encoder.preamble(&Preamble {
        repl: Some(ReplPoint {
            stream_db: 2,
            id: [b'e'; 40],
            offset: 99,
        }),
        used_memory: 5_000_000,
        ..Preamble::default()
    });
    encoder.select_db(3);
    for key in 0..keys {
        let expire_ms = (key % 10 == 0).then_some(NOW.as_millis() - 1);
        let meta = KeyMeta {
            expire_ms,
            ..KeyMeta::default()
        };
        let value = Value::Str(Str::new(format!("{key:0200}").as_bytes()));
        encoder.key(format!("key {key}").as_bytes(), value.as_ref(), meta);
    }
    encoder.eof();
    core::iter::from_fn(|| encoder.poll_chunk())
        .flatten()
        .collect()
}

/// A disk with one file, which answers reads with at most `most` bytes.
struct Disk {
    content: Vec<u8>,
    most: usize,
    failing_at: Option<u64>,
}

impl Disk {
    fn answer(&self, op: &DiskOp) -> Result<Bytes, DiskFault> {
        match op {
            DiskOp::Open { .. } | DiskOp::Close { .. } => Ok(Bytes::new()),
            DiskOp::Length { .. } => {
                let len = self.content.len() as u64;
                Ok(Bytes::copy_from_slice(&len.to_le_bytes()))
            }
            DiskOp::Read { at, len, .. } => {
                if self.failing_at.is_some_and(|failing| *at >= failing) {
                    return Err(DiskFault::Failed { errno: 5 });
                }
                let from = usize::try_from(*at).unwrap().min(self.content.len());
                let len = usize::try_from(*len).unwrap().min(self.most);
                let to = self.content.len().min(from + len);
                Ok(Bytes::copy_from_slice(&self.content[from..to]))
            }
            DiskOp::Append { .. }
            | DiskOp::Sync { .. }
            | DiskOp::Rename { .. }
            | DiskOp::Remove { .. }
            | DiskOp::SyncDir { .. }
            | DiskOp::Truncate { .. }
            | DiskOp::MakeDir { .. }
            | DiskOp::CanRun { .. }
            | DiskOp::ChangeDir { .. } => panic!("a load only reads"),
        }
    }
}

fn load(disk: &Disk, expired: Expired, keyspace: &mut Keyspace) -> (LoadEnd, Intake, u64) {
    let intake = Intake::new(NOW, expired);
    let (mut load, op) = Load::start(FILE, "dump.rdb".into(), Options::default(), intake);
    let mut ops = vec![op];
    let mut answered = 0;
    loop {
        let result = disk.answer(&ops[answered]);
        answered += 1;
        let mut state = load.handle_done(result, &mut ops);
        while state == LoadState::Ready {
            state = load.step(keyspace, &mut { usize::MAX }, &mut ops);
        }
        assert!(ops.len() - answered <= LOAD_READS_IN_FLIGHT + 1);
        if let LoadState::Over(end) = state {
            assert_eq!(answered, ops.len(), "no op is left to be answered");
            assert_eq!(ops.last(), Some(&DiskOp::Close { file: FILE }));
            assert_eq!(load.total(), disk.content.len() as u64);
            let loaded = load.loaded();
            return (end, load.intake, loaded);
        }
    }
}

#[test]
fn a_file_is_loaded_whatever_pieces_the_disk_gives() {
    let content = file(5_000);
    for most in [content.len(), 200_000, 100_000, 4_096, 777] {
        let disk = Disk {
            content: content.clone(),
            most,
            failing_at: None,
        };
        let mut keyspace = keyspace();
        let (end, intake, loaded) = load(&disk, Expired::Drop, &mut keyspace);
        assert_eq!(end, LoadEnd::Complete, "{most}");
        assert_eq!(loaded, content.len() as u64);
        assert_eq!(keyspace.db(3).len(), 4_500);
        let found = keyspace.db(3).get(b"key 4321").unwrap().value().to_value();
        assert_eq!(
            found,
            Value::Str(Str::new(format!("{:0200}", 4321).as_bytes()))
        );
        assert_eq!(
            (intake.loaded().keys, intake.loaded().expired),
            (4_500, 500)
        );
        assert_eq!(intake.loaded().used_memory, 5_000_000);
        let point = ReplPoint {
            stream_db: 2,
            id: [b'e'; 40],
            offset: 99,
        };
        assert_eq!(intake.repl_point(), Some(point));
    }
}

#[test]
fn a_replica_keeps_what_has_expired_and_a_master_tells_what_it_drops() {
    let disk = Disk {
        content: file(100),
        most: usize::MAX,
        failing_at: None,
    };
    let mut kept = keyspace();
    let (_, intake, _) = load(&disk, Expired::Keep, &mut kept);
    assert_eq!((kept.len(), intake.loaded().expired), (100, 0));
    let mut told = keyspace();
    let (_, mut intake, _) = load(&disk, Expired::DropAndTell, &mut told);
    assert_eq!(told.len(), 90);
    assert_eq!(intake.poll_dropped(), Some((3, b"key 0".as_slice().into())));
    assert_eq!(core::iter::from_fn(|| intake.poll_dropped()).count(), 9);
}

#[test]
fn a_missing_file_is_no_fault() {
    let intake = Intake::new(NOW, Expired::Drop);
    let (mut load, _) = Load::start(FILE, "dump.rdb".into(), Options::default(), intake);
    let mut ops = Vec::new();
    let state = load.handle_done(Err(DiskFault::NotFound), &mut ops);
    assert_eq!(state, LoadState::Waiting);
    assert!(matches!(ops[..], [DiskOp::Open { .. }]));
    let state = load.handle_done(Err(DiskFault::NotFound), &mut ops);
    assert_eq!(state, LoadState::Over(LoadEnd::Missing));
    assert_eq!(ops.len(), 1);
}

#[test]
fn faults_of_the_disk_and_of_the_data_end_with_the_file_closed() {
    let content = file(5_000);
    let disk = Disk {
        content: content.clone(),
        most: 4_096,
        failing_at: Some(1),
    };
    let (end, ..) = load(&disk, Expired::Drop, &mut keyspace());
    assert_eq!(
        end,
        LoadEnd::Failed(LoadFault::Disk(DiskFault::Failed { errno: 5 }))
    );

    for len in [0, 5, 100, content.len() - 1] {
        let disk = Disk {
            content: content[..len].to_vec(),
            most: 4_096,
            failing_at: None,
        };
        let (end, ..) = load(&disk, Expired::Drop, &mut keyspace());
        let LoadEnd::Failed(LoadFault::Rdb(fault)) = end else {
            panic!("{end:?}")
        };
        assert!(matches!(fault, RdbFault::Truncated { .. }), "{fault}");
    }

    let mut damaged = content;
    damaged[300] ^= 1;
    let disk = Disk {
        content: damaged,
        most: usize::MAX,
        failing_at: None,
    };
    let (end, ..) = load(&disk, Expired::Drop, &mut keyspace());
    assert!(
        matches!(
            end,
            LoadEnd::Failed(LoadFault::Rdb(_) | LoadFault::Intake { .. })
        ),
        "{end:?}"
    );
}

#[test]
fn what_does_not_fit_the_server_is_refused() {
    let disk = Disk {
        content: file(10),
        most: usize::MAX,
        failing_at: None,
    };
    let mut small = Keyspace::new(2, &mut Rng::new([5; 32]));
    let (end, ..) = load(&disk, Expired::Drop, &mut small);
    let LoadEnd::Failed(LoadFault::Intake { fault, .. }) = end else {
        panic!("{end:?}")
    };
    assert_eq!(
        fault,
        IntakeFault::NoSuchDb {
            db: 3,
            databases: 2
        }
    );

    let mut taken = keyspace();
    taken
        .db_mut(3)
        .set_str(b"key 5", b"here already", Ttl::Clear);
    let (end, ..) = load(&disk, Expired::Drop, &mut taken);
    let LoadEnd::Failed(LoadFault::Intake { fault, .. }) = end else {
        panic!("{end:?}")
    };
    assert_eq!(fault, IntakeFault::DuplicateKey { db: 3 });
}

#[test]
fn a_cancelled_load_closes_its_file() {
    for answers in 0..4 {
        let disk = Disk {
            content: file(5_000),
            most: usize::MAX,
            failing_at: None,
        };
        let intake = Intake::new(NOW, Expired::Drop);
        let (mut load, op) = Load::start(FILE, "dump.rdb".into(), Options::default(), intake);
        let mut ops = vec![op];
        for op in 0..answers {
            let _ = load.handle_done(disk.answer(&ops[op]), &mut ops);
        }
        load.cancel(&mut ops);
        load.cancel(&mut ops);
        let mut answered = answers;
        let end = loop {
            let state = load.handle_done(disk.answer(&ops[answered]), &mut ops);
            answered += 1;
            if let LoadState::Over(end) = state {
                break end;
            }
        };
        assert_eq!(end, LoadEnd::Failed(LoadFault::Cancelled));
        assert_eq!(answered, ops.len());
        assert_eq!(ops.last(), Some(&DiskOp::Close { file: FILE }));
    }
}
