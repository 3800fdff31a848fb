use super::*;

const SET_A: &str = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
const SET_B: &str = "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n";
/// A file of Redis 7.0.15, of 227 bytes.
const RDB: &[u8] = include_bytes!("../../tests/data/redis-7.0.15.rdb");

/// Files in a directory of their own.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the files");
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).expect("the file can be written");
        }
        Self(dir)
    }

    /// Checks a file; whether it is sound, and the report with `DIR` for the directory.
    fn check(&self, name: &str, mode: Mode, mut answers: &[u8]) -> (bool, String) {
        let path = self.0.path().join(name).display().to_string();
        let mut report = Vec::new();
        let mut check = Check::new(mode, &mut answers, &mut report);
        let sound = check.run(&path).is_ok();
        let report = String::from_utf8(report).expect("the report is text");
        let dir = self.0.path().display().to_string();
        (sound, report.replace(&dir, "DIR"))
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(name)).expect("the file is there")
    }
}

fn checked(bytes: &[u8]) -> (bool, String) {
    let (sound, report) = Files::new(&[("x", bytes)]).check("x", Mode::Look, b"");
    (sound, report.replace("DIR/x", "x"))
}

#[test]
fn a_file_is_told_as_redis_check_aof_tells_it() {
    let whole = [SET_A, SET_B].concat();
    let cut = "AOF x is not valid. Use the --fix option to try fixing it.\n";
    for (bytes, sound, lines) in [
        (
            &*whole,
            true,
            "AOF analyzed: filename=x, size=54, ok_up_to=54, ok_up_to_line=15, diff=0\n\
             AOF x is valid\n",
        ),
        ("", true, "AOF x is empty\n"),
        (
            &whole[..49],
            false,
            "0x              2f: Expected \\r\\n, got: 0000\n\
             AOF analyzed: filename=x, size=49, ok_up_to=27, ok_up_to_line=13, diff=22\n",
        ),
        (
            &whole[..47],
            false,
            "AOF analyzed: filename=x, size=47, ok_up_to=27, ok_up_to_line=13, diff=20\n",
        ),
        (
            &whole[..53],
            false,
            "0x              33: Expected to read 3 bytes, got 2 bytes\n\
             AOF analyzed: filename=x, size=53, ok_up_to=27, ok_up_to_line=14, diff=26\n",
        ),
        (
            "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\nxx",
            false,
            "AOF x format error\n\
             AOF analyzed: filename=x, size=29, ok_up_to=27, ok_up_to_line=8, diff=2\n",
        ),
        (
            "*3\r\n$3\r\nSET\r\n:1\r\na\r\n$1\r\n1\r\n",
            false,
            "0x               d: Expected prefix '$', got: ':'\n\
             AOF analyzed: filename=x, size=27, ok_up_to=0, ok_up_to_line=4, diff=27\n",
        ),
        (
            "*3\r\n$-3\r\nSET\r\n",
            false,
            "0x               4: Expected to read string of -3 bytes, which is not in the \
             suitable range\n\
             AOF analyzed: filename=x, size=14, ok_up_to=0, ok_up_to_line=3, diff=14\n",
        ),
        (
            "*3\r\n$3\r\nSETxx",
            false,
            "0x               8: Expected \\r\\n, got: 7878\n\
             AOF analyzed: filename=x, size=13, ok_up_to=0, ok_up_to_line=3, diff=13\n",
        ),
        (
            "*1\r\n$4\r\nEXEC\r\n",
            false,
            "0x               8: Unexpected EXEC in AOF x\n\
             AOF analyzed: filename=x, size=14, ok_up_to=0, ok_up_to_line=4, diff=14\n",
        ),
        (
            "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n",
            false,
            "0x              27: Reached EOF before reading EXEC for MULTI\n\
             AOF analyzed: filename=x, size=42, ok_up_to=0, ok_up_to_line=11, diff=42\n",
        ),
    ] {
        let end = if sound { "" } else { cut };
        let expected = format!("Start checking Old-Style AOF\n{lines}{end}");
        assert_eq!(checked(bytes.as_bytes()), (sound, expected));
    }
}

#[test]
fn no_number_of_bytes_is_believed() {
    for head in [
        "$9223372036854775800",
        "$99999999999999999999",
        "$4000000000",
    ] {
        let (sound, report) = checked(format!("*2\r\n{head}\r\nabc").as_bytes());
        assert!(!sound);
        assert!(report.contains("Expected to read "), "{report}");
    }
    let (sound, report) = checked(b"*99999999999999999999\r\n$1\r\na\r\n");
    assert!(!sound && report.contains("ok_up_to=0"), "{report}");
}

#[test]
fn what_is_not_whole_is_cut_off_if_that_is_wanted() {
    let bytes = [SET_A, "*1\r\n$5\r\nMULTI\r\n", SET_B].concat();
    let files = Files::new(&[("x", bytes.as_bytes())]);
    let (sound, report) = files.check("x", Mode::Fix, b"n\n");
    assert!(!sound);
    assert!(report.ends_with(
        "This will shrink the AOF DIR/x from 69 bytes, with 42 bytes, to 27 bytes\n\
         Continue? [y/N]: Aborting...\n"
    ));
    assert_eq!(files.read("x"), bytes.as_bytes());
    assert!(!files.check("x", Mode::Fix, b"").0, "no answer is none");
    let (sound, report) = files.check("x", Mode::Fix, b"yes\n");
    assert!(sound);
    assert!(report.ends_with("Continue? [y/N]: Successfully truncated AOF DIR/x\n"));
    assert_eq!(files.read("x"), SET_A.as_bytes());
    assert!(files.check("x", Mode::Look, b"").0);
}

#[test]
fn what_was_written_after_a_time_is_cut_off() {
    let bytes = ["#TS:1000\r\n", SET_A, "#TS:2000\r\n", SET_B].concat();
    let files = Files::new(&[("x", bytes.as_bytes())]);
    let (sound, report) = files.check("x", Mode::Until(500), b"");
    assert!(!sound);
    assert!(report.ends_with("AOF DIR/x has nothing before timestamp 500, aborting...\n"));
    let (sound, report) = files.check("x", Mode::Until(2000), b"");
    assert!(sound);
    assert!(
        report.ends_with("Truncate nothing in AOF DIR/x to timestamp 2000\nAOF DIR/x is valid\n")
    );
    let (sound, report) = files.check("x", Mode::Until(1999), b"");
    assert!(sound);
    assert!(report.ends_with("Successfully truncated AOF DIR/x to timestamp 1999\n"));
    assert_eq!(files.read("x").len(), 37);
    let files = Files::new(&[("x", b"#TS:1x\r\n")]);
    let (sound, report) = files.check("x", Mode::Until(1), b"");
    assert!(
        !sound && report.ends_with("Invalid timestamp annotation\n"),
        "{report}"
    );
}

#[test]
fn all_files_of_a_manifest_are_checked_and_only_the_last_is_cut() {
    let manifest = "# a comment\nfile base seq 1 type b\nfile one seq 1 type i\n\
                    file two seq 2 type i\nfile old seq 1 type h\n";
    let stamped = ["#TS:7\r\n", SET_A].concat();
    let all: [(&str, &[u8]); 4] = [
        ("m", manifest.as_bytes()),
        ("base", RDB),
        ("one", SET_A.as_bytes()),
        ("two", stamped.as_bytes()),
    ];
    let files = Files::new(&all);
    let (sound, report) = files.check("m", Mode::Look, b"");
    assert!(sound, "{report}");
    let (head, rest) = report
        .split_once("[offset 27] AUX")
        .expect("RDB data is checked");
    assert_eq!(
        head,
        "Start checking Multi Part AOF\nStart to check BASE AOF (RDB format).\n\
         [offset 0] Checking RDB file base\n"
    );
    assert!(rest.ends_with(
        "RDB preamble is OK, proceeding with AOF tail...\n\
         AOF analyzed: filename=base, size=227, ok_up_to=227, ok_up_to_line=1, diff=0\n\
         BASE AOF base is valid\nStart to check INCR files.\n\
         AOF analyzed: filename=one, size=27, ok_up_to=27, ok_up_to_line=8, diff=0\n\
         INCR AOF one is valid\n\
         AOF analyzed: filename=two, size=34, ok_up_to=34, ok_up_to_line=15, diff=0\n\
         INCR AOF two is valid\nAll AOF files and manifest are valid\n"
    ));
    let mut cut = all;
    cut[2].1 = &SET_A.as_bytes()[..20];
    let files = Files::new(&cut);
    let (sound, report) = files.check("m", Mode::Fix, b"y\n");
    assert!(!sound);
    assert!(report.ends_with("Failed to truncate AOF one because it is not the last file\n"));
    cut[2].1 = stamped.as_bytes();
    let (sound, report) = Files::new(&cut).check("m", Mode::Until(6), b"");
    assert!(
        !sound && report.contains("has nothing before timestamp 6"),
        "{report}"
    );
    cut[2].1 = b"";
    cut[3].1 = &stamped.as_bytes()[..20];
    let files = Files::new(&cut);
    let (sound, report) = files.check("m", Mode::Fix, b"y\n");
    assert!(
        sound && report.contains("INCR AOF one is empty\n"),
        "{report}"
    );
    assert_eq!(files.read("two"), b"#TS:7\r\n");
    std::fs::remove_file(files.0.path().join("two")).expect("it is there");
    let (sound, report) = files.check("m", Mode::Look, b"");
    assert!(!sound);
    assert!(report.ends_with("Cannot open file DIR/two: No such file or directory\n"));
}

#[test]
fn a_manifest_and_rdb_data_that_are_not_sound_are_told() {
    let files = Files::new(&[
        ("m", b"file x\n"),
        ("n", b"file y seq 1 type b\n"),
        ("y", &RDB[..60]),
    ]);
    let (sound, report) = files.check("m", Mode::Look, b"");
    assert!(!sound);
    assert_eq!(
        report,
        "Start checking Multi Part AOF\n\n*** FATAL AOF MANIFEST FILE ERROR ***\n\
         Reading the manifest file, at line 1\n>>> 'file x'\nInvalid AOF manifest file format\n"
    );
    let (sound, report) = files.check("n", Mode::Fix, b"y\n");
    assert!(!sound);
    assert!(report.ends_with("RDB preamble of AOF file is not sane, aborting.\n"));
    assert_eq!(files.read("y").len(), 60);
    let (sound, report) = files.check("none", Mode::Look, b"");
    assert!(!sound);
    assert_eq!(
        report,
        "Cannot open file DIR/none: No such file or directory\n"
    );
}

#[test]
fn rdb_data_at_the_start_of_an_old_file_is_checked_with_what_follows() {
    let bytes = [RDB, SET_A.as_bytes(), b"*1"].concat();
    let files = Files::new(&[("x", &bytes)]);
    let (sound, report) = files.check("x", Mode::Fix, b"y\n");
    assert!(sound, "{report}");
    assert!(report.contains("[offset 227] Checksum OK\n"), "{report}");
    assert!(report.contains("size=256, ok_up_to=254, ok_up_to_line=8, diff=2\n"));
    assert_eq!(files.read("x").len(), 254);
    assert!(checked(&bytes[..254]).0);
}
