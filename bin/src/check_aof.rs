//! `check-aof`: reads an append-only file, or all files that a manifest names, and tells whether
//! they are sound. With `--fix` what is not whole at the end of the last file is cut off; with
//! `--truncate-to-timestamp`, what was written after a time.

mod source;

use std::fs::File;
use std::io::{self, BufRead, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use holdfast_core::config::REDIS_VERSION;
use holdfast_core::limits::{AOF_MANIFEST_LINE_BYTES_MAX, AOF_MANIFEST_LINES_MAX};
use holdfast_core::persist::aof::manifest::Manifest;

use crate::check_rdb;
use crate::system::reason;
use source::{Failing, Source};

/// A line that is no command has no more bytes, as Redis has it.
const ANNOTATION_BYTES_MAX: usize = 1023;
/// What RDB data begins with, and how long a file is at least that holds some.
const MAGIC: &[u8] = b"REDIS";
const RDB_BYTES_MIN: u64 = 8;
const USAGE: &str = "Usage: redis-check-aof [--fix|--truncate-to-timestamp $timestamp] \
                     <file.manifest|file.aof>";

/// Runs the tool; the code to exit with.
pub(crate) fn main(args: &[String]) -> u8 {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (mode, path) = match words[..] {
        ["-v" | "--version"] => {
            crate::say(&format!("redis-check-aof {REDIS_VERSION}"));
            return 0;
        }
        [path] => (Mode::Look, path),
        ["--fix", path] => (Mode::Fix, path),
        ["--truncate-to-timestamp", time, path] => match time.parse() {
            // No time is before all times.
            Ok(0) => (Mode::Look, path),
            Ok(time) => (Mode::Until(time), path),
            Err(_) => {
                crate::say("Invalid timestamp, aborting...");
                return 1;
            }
        },
        _ => {
            crate::say(USAGE);
            return 1;
        }
    };
    let (mut answers, mut out) = (io::stdin().lock(), io::stdout().lock());
    let mut check = Check::new(mode, &mut answers, &mut out);
    u8::from(check.run(path).is_err())
}

/// What is done about what is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    Look,
    /// Cut off what is not whole.
    Fix,
    /// Cut off what was written after this time, in seconds since the Unix epoch.
    Until(i64),
}

/// The check ends here, without success; why was told.
struct Stop;

impl From<io::Error> for Stop {
    /// The report can't be written: there is nobody to tell.
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// What came of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Found {
    Sound,
    Empty,
    CutToTime,
    Cut,
}

/// A check under way.
struct Check<'a> {
    mode: Mode,
    answers: &'a mut dyn BufRead,
    out: &'a mut dyn Write,
    /// Lines read of all files, from 1 on.
    line: u64,
}

/// A file to be checked.
struct Part<'a> {
    /// How the report calls it.
    name: &'a str,
    path: &'a Path,
    /// Only the last one may be cut.
    last: bool,
}

/// How far a file is whole.
struct Extent {
    /// Where the last command ends that is outside any transaction.
    whole: u64,
    /// It was cut back to a time.
    cut_to_time: bool,
}

impl<'a> Check<'a> {
    fn new(mode: Mode, answers: &'a mut dyn BufRead, out: &'a mut dyn Write) -> Self {
        Self {
            mode,
            answers,
            out,
            line: 1,
        }
    }

    fn run(&mut self, path: &str) -> Result<(), Stop> {
        if self.is_manifest(path)? {
            return self.all_of(path);
        }
        writeln!(self.out, "Start checking Old-Style AOF")?;
        let part = Part {
            name: path,
            path: Path::new(path),
            last: true,
        };
        let found = self.part(&part)?;
        self.tell("", path, found)
    }

    /// Checks the files that a manifest names.
    fn all_of(&mut self, path: &str) -> Result<(), Stop> {
        writeln!(self.out, "Start checking Multi Part AOF")?;
        // Longer ones are found faulty for their number of lines.
        let bound = (AOF_MANIFEST_LINES_MAX * AOF_MANIFEST_LINE_BYTES_MAX + 1) as u64;
        let mut text = Vec::new();
        let read = File::open(path).and_then(|file| file.take(bound).read_to_end(&mut text));
        if let Err(why) = read {
            writeln!(self.out, "Cannot read file: {path}: {}", reason(&why))?;
            return Err(Stop);
        }
        let manifest = match Manifest::parse(&text) {
            Ok(manifest) => manifest,
            Err(fault) => {
                writeln!(self.out, "{fault}")?;
                return Err(Stop);
            }
        };
        let dir = Path::new(path).parent().filter(|dir| dir != &Path::new(""));
        let dir = dir.unwrap_or_else(|| Path::new("."));
        let count = manifest.parts().count();
        let paths: Vec<PathBuf> = manifest.parts().map(|p| dir.join(&*p.name)).collect();
        let is_last = |number: usize| number + 1 == count;
        let bases = usize::from(manifest.base().is_some());
        if let Some(base) = manifest.base() {
            let form = if self.is_rdb(&paths[0])? {
                "RDB"
            } else {
                "RESP"
            };
            writeln!(self.out, "Start to check BASE AOF ({form} format).")?;
            let part = Part {
                name: &base.name,
                path: &paths[0],
                last: is_last(0),
            };
            let found = self.part(&part)?;
            self.tell("BASE ", &base.name, found)?;
        }
        if !manifest.incr().is_empty() {
            writeln!(self.out, "Start to check INCR files.")?;
        }
        for (number, incr) in manifest.incr().iter().enumerate() {
            let part = Part {
                name: &incr.name,
                path: &paths[bases + number],
                last: is_last(bases + number),
            };
            let found = self.part(&part)?;
            self.tell("INCR ", &incr.name, found)?;
        }
        writeln!(self.out, "All AOF files and manifest are valid")?;
        Ok(())
    }

    fn tell(&mut self, kind: &str, name: &str, found: Found) -> Result<(), Stop> {
        match (found, self.mode) {
            (Found::Sound, _) => writeln!(self.out, "{kind}AOF {name} is valid")?,
            (Found::Empty, _) => writeln!(self.out, "{kind}AOF {name} is empty")?,
            (Found::CutToTime, Mode::Until(time)) => {
                writeln!(
                    self.out,
                    "Successfully truncated AOF {name} to timestamp {time}"
                )?;
            }
            (Found::CutToTime | Found::Cut, _) => {
                writeln!(self.out, "Successfully truncated AOF {name}")?;
            }
        }
        Ok(())
    }

    /// Whether a file is a manifest. Lines with `#` may stand in both kinds of files; of the
    /// others the first one tells.
    fn is_manifest(&mut self, path: &str) -> Result<bool, Stop> {
        let file = self.open(Path::new(path), "")?;
        let mut source = Source::new(file, 0);
        loop {
            match source.line(AOF_MANIFEST_LINE_BYTES_MAX) {
                Ok(line) if line.first() == Some(&b'#') => {}
                Ok(line) => return Ok(line.starts_with(b"file")),
                Err(_) => {
                    writeln!(self.out, "Cannot read file: {path}")?;
                    return Err(Stop);
                }
            }
        }
    }

    fn is_rdb(&mut self, path: &Path) -> Result<bool, Stop> {
        let file = self.open(path, "")?;
        let mut head = Vec::new();
        let read = file.take(RDB_BYTES_MIN).read_to_end(&mut head);
        Ok(read.is_ok() && head.len() as u64 == RDB_BYTES_MIN && head.starts_with(MAGIC))
    }

    fn open(&mut self, path: &Path, consequence: &str) -> Result<File, Stop> {
        let writes = self.mode != Mode::Look;
        let opened = File::options().read(true).write(writes).open(path);
        opened.map_err(|why| {
            let (path, why) = (path.display(), reason(&why));
            drop(writeln!(
                self.out,
                "Cannot open file {path}: {why}{consequence}"
            ));
            Stop
        })
    }

    /// Checks one file.
    fn part(&mut self, part: &Part<'_>) -> Result<Found, Stop> {
        let has_rdb = self.is_rdb(part.path)?;
        let mut file = self.open(part.path, ", aborting...")?;
        let name = part.name;
        let Ok(size) = file.seek(SeekFrom::End(0)) else {
            writeln!(self.out, "Cannot stat file: {name}, aborting...")?;
            return Err(Stop);
        };
        if size == 0 {
            return Ok(Found::Empty);
        }
        file.rewind()?;
        let mut start = 0;
        if has_rdb {
            let end = check_rdb::check_open(name, &mut file, check_rdb::now_ms(), &mut self.out)?;
            let Some(end) = end else {
                writeln!(self.out, "RDB preamble of AOF file is not sane, aborting.")?;
                return Err(Stop);
            };
            writeln!(self.out, "RDB preamble is OK, proceeding with AOF tail...")?;
            start = end;
            file.seek(SeekFrom::Start(start))?;
        }
        let mut source = Source::new(file, start);
        let extent = self.commands(&mut source, part)?;
        if extent.cut_to_time {
            return Ok(Found::CutToTime);
        }
        self.judge(&source.into_file(), part, size, extent.whole)
    }

    /// Reads commands up to the end of the file, or to what is none.
    fn commands(&mut self, source: &mut Source, part: &Part<'_>) -> Result<Extent, Stop> {
        let path = part.path.display().to_string();
        let mut whole = source.offset();
        let mut in_transaction = false;
        let mut fault = None;
        loop {
            if !in_transaction {
                whole = source.offset();
            }
            match source.peek() {
                Err(_) => {
                    writeln!(self.out, "Failed to read from AOF {path}, aborting...")?;
                    return Err(Stop);
                }
                Ok(None) => break,
                Ok(Some(b'#')) => {
                    if self.annotation(source, part)? {
                        return Ok(Extent {
                            whole,
                            cut_to_time: true,
                        });
                    }
                }
                Ok(Some(b'*')) => {
                    let command = source.command(&path, &mut in_transaction, &mut self.line);
                    if let Err(failing) = command {
                        fault = failing.text();
                        break;
                    }
                }
                Ok(Some(_)) => {
                    writeln!(self.out, "AOF {} format error", part.name)?;
                    break;
                }
            }
        }
        if in_transaction && fault.is_none() && source.is_at_end() {
            let failing = Failing::new(
                source.began(),
                "Reached EOF before reading EXEC for MULTI".into(),
            );
            fault = failing.text();
        }
        if let Some(fault) = fault {
            writeln!(self.out, "{fault}")?;
        }
        Ok(Extent {
            whole,
            cut_to_time: false,
        })
    }

    /// Reads a line that is no command; whether the file was cut before it.
    fn annotation(&mut self, source: &mut Source, part: &Part<'_>) -> Result<bool, Stop> {
        let (at, path) = (source.offset(), part.path.display());
        let Ok(line) = source.line(ANNOTATION_BYTES_MAX) else {
            writeln!(
                self.out,
                "Failed to read annotations from AOF {path}, aborting..."
            )?;
            return Err(Stop);
        };
        let (Mode::Until(until), Some(time)) = (self.mode, line.strip_prefix(b"#TS:")) else {
            return Ok(false);
        };
        let time = time
            .strip_suffix(b"\r\n")
            .and_then(|t| t.utf8_chunks().next());
        let Some(time) = time.and_then(|t| t.valid().parse::<i64>().ok()) else {
            writeln!(self.out, "Invalid timestamp annotation")?;
            return Err(Stop);
        };
        if time <= until {
            return Ok(false);
        }
        if at == 0 {
            writeln!(
                self.out,
                "AOF {path} has nothing before timestamp {until}, aborting..."
            )?;
        } else if !part.last {
            writeln!(
                self.out,
                "Failed to truncate AOF {path} to timestamp {until} to offset {at} because it is \
                 not the last file."
            )?;
            writeln!(
                self.out,
                "If you insist, please delete all files after this file according to the manifest \
                 file and delete the corresponding records in manifest file manually. Then re-run \
                 redis-check-aof."
            )?;
        } else if cut(source.file(), at).is_err() {
            writeln!(
                self.out,
                "Failed to truncate AOF {path} to timestamp {until}"
            )?;
        } else {
            return Ok(true);
        }
        Err(Stop)
    }

    /// Tells how far a file is whole, and cuts off the rest if that is wanted.
    fn judge(
        &mut self,
        file: &File,
        part: &Part<'_>,
        size: u64,
        whole: u64,
    ) -> Result<Found, Stop> {
        let (name, diff) = (part.name, size - whole);
        if let Mode::Until(time) = self.mode
            && diff == 0
        {
            writeln!(
                self.out,
                "Truncate nothing in AOF {name} to timestamp {time}"
            )?;
            return Ok(Found::Sound);
        }
        writeln!(
            self.out,
            "AOF analyzed: filename={name}, size={size}, ok_up_to={whole}, ok_up_to_line={}, \
             diff={diff}",
            self.line
        )?;
        if diff == 0 {
            return Ok(Found::Sound);
        }
        if self.mode != Mode::Fix {
            writeln!(
                self.out,
                "AOF {name} is not valid. Use the --fix option to try fixing it."
            )?;
        } else if !part.last {
            writeln!(
                self.out,
                "Failed to truncate AOF {name} because it is not the last file"
            )?;
        } else if !self.is_wanted(name, size, whole)? {
            writeln!(self.out, "Aborting...")?;
        } else if cut(file, whole).is_err() {
            writeln!(self.out, "Failed to truncate AOF {name}")?;
        } else {
            return Ok(Found::Cut);
        }
        Err(Stop)
    }

    fn is_wanted(&mut self, name: &str, size: u64, whole: u64) -> Result<bool, Stop> {
        let diff = size - whole;
        writeln!(
            self.out,
            "This will shrink the AOF {name} from {size} bytes, with {diff} bytes, to {whole} bytes"
        )?;
        write!(self.out, "Continue? [y/N]: ")?;
        self.out.flush()?;
        let mut answer = String::new();
        let read = self.answers.read_line(&mut answer);
        Ok(read.is_ok() && answer.starts_with(['y', 'Y']))
    }
}

fn cut(file: &File, len: u64) -> io::Result<()> {
    file.set_len(len)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
