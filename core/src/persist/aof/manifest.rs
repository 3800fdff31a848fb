//! The manifest: which files the log consists of, in which order.

use core::fmt;

use crate::limits::{AOF_MANIFEST_LINE_BYTES_MAX, AOF_MANIFEST_LINES_MAX};
use crate::resp::split_args;

/// The files of the log: a base, then what was written since, in order; and files that are of no
/// use any more and shall be removed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Manifest {
    base: Option<Part>,
    incr: Vec<Part>,
    history: Vec<Part>,
}

/// One file of the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Part {
    /// Its name in the log's directory.
    pub name: Box<str>,
    /// Its number among files of its kind.
    pub seq: u64,
}

/// What a base is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BaseForm {
    /// RDB data.
    Rdb,
    /// Commands.
    Commands,
}

impl BaseForm {
    /// How the names of such files end.
    fn ending(self) -> &'static str {
        match self {
            Self::Rdb => "base.rdb",
            Self::Commands => "base.aof",
        }
    }
}

/// What is wrong with the text of a manifest, in Redis's words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ManifestFault {
    /// The line it is in, from 1 on; 0 if it is in none.
    pub line: usize,
    /// That line.
    pub text: Box<str>,
    /// What is wrong.
    pub what: &'static str,
}

/// The kinds of files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Base,
    Incr,
    History,
}

impl Manifest {
    /// Reads the text of a manifest.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestFault> {
        let mut manifest = Self::default();
        let whole = |what| ManifestFault {
            line: 0,
            text: Box::default(),
            what,
        };
        if text.is_empty() {
            return Err(whole("Found an empty AOF manifest"));
        }
        let mut rest = text;
        for number in 1..=AOF_MANIFEST_LINES_MAX {
            if rest.is_empty() {
                return Ok(manifest);
            }
            let end = memchr::memchr(b'\n', rest);
            let end = end.filter(|&end| end < AOF_MANIFEST_LINE_BYTES_MAX);
            let end = end.ok_or_else(|| whole(TOO_LONG))?;
            let line = rest[..end].trim_ascii();
            rest = &rest[end + 1..];
            manifest.take_line(line).map_err(|what| ManifestFault {
                line: number,
                text: String::from_utf8_lossy(line).into(),
                what,
            })?;
        }
        Err(whole("The AOF manifest file contains too many lines"))
    }

    /// Its text.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let lines = [(&self.history, 'h'), (&self.incr, 'i')];
        let base = self.base.iter().map(|part| (part, 'b'));
        let others = lines
            .into_iter()
            .flat_map(|(parts, kind)| parts.iter().map(move |part| (part, kind)));
        for (part, kind) in base.chain(others) {
            text.extend_from_slice(part.line(kind).as_bytes());
        }
        text
    }

    /// The file that comes first.
    #[must_use]
    pub fn base(&self) -> Option<&Part> {
        self.base.as_ref()
    }

    /// The files that follow it, in order.
    #[must_use]
    pub fn incr(&self) -> &[Part] {
        &self.incr
    }

    /// The files to be removed.
    #[must_use]
    pub fn history(&self) -> &[Part] {
        &self.history
    }

    /// The files to be loaded, in order.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.incr)
    }

    /// Whether there is nothing to be loaded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.incr.is_empty()
    }

    /// The log of a server before 7.0: one file, which is the base.
    #[must_use]
    pub fn of_single_file(name: &str) -> Self {
        let base = Part {
            name: name.into(),
            seq: 1,
        };
        Self {
            base: Some(base),
            ..Self::default()
        }
    }

    /// The file that would follow the last one.
    #[must_use]
    pub fn next_incr(&self, stem: &str) -> Part {
        let seq = 1 + last_seq(&self.incr).max(self.history_seq("incr.aof"));
        Part {
            name: format!("{stem}.{seq}.incr.aof").into(),
            seq,
        }
    }

    /// The file that would take the place of the base.
    #[must_use]
    pub fn next_base(&self, stem: &str, form: BaseForm) -> Part {
        let base = self.base.as_ref().map_or(0, |part| part.seq);
        let forms = [BaseForm::Rdb, BaseForm::Commands];
        let gone = forms.map(|form| self.history_seq(form.ending()));
        let seq = 1 + base.max(gone[0]).max(gone[1]);
        Part {
            name: format!("{stem}.{seq}.{}", form.ending()).into(),
            seq,
        }
    }

    /// With one more file behind the last one.
    #[must_use]
    pub fn with_incr(&self, part: Part) -> Self {
        let mut with = self.clone();
        assert!(last_seq(&with.incr) < part.seq, "files follow in order");
        with.incr.push(part);
        with
    }

    /// With a new base in the place of everything, and behind it `last`, if there is to be
    /// something; all else is to be removed.
    #[must_use]
    pub fn rebased(&self, base: Part, last: Option<&Part>) -> Self {
        let old = self.incr.iter().filter(|part| Some(*part) != last);
        let history = self.base.iter().chain(old).cloned();
        Self {
            base: Some(base),
            incr: last.into_iter().cloned().collect(),
            history: history.chain(self.history.iter().cloned()).collect(),
        }
    }

    /// Without the files to be removed.
    #[must_use]
    pub fn without_history(&self) -> Self {
        let mut without = self.clone();
        without.history.clear();
        without
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        const FORMAT: &str = "Invalid AOF manifest file format";
        if line.first() == Some(&b'#') {
            return Ok(());
        }
        let words = split_args(line).map_err(|_| FORMAT)?;
        if words.len() < 6 || !words.len().is_multiple_of(2) {
            return Err(FORMAT);
        }
        let (mut name, mut seq, mut kind) = (None, None, None);
        for pair in words.chunks_exact(2) {
            let (key, value) = (&pair[0], &pair[1]);
            if key.eq_ignore_ascii_case(b"file") {
                let text = core::str::from_utf8(value).map_err(|_| FORMAT)?;
                if text.contains(['/', '\\']) {
                    return Err("File can't be a path, just a filename");
                }
                name = Some(text).filter(|text| !text.is_empty());
            } else if key.eq_ignore_ascii_case(b"seq") {
                let text = core::str::from_utf8(value).map_err(|_| FORMAT)?;
                seq = text.parse().ok().filter(|&seq: &u64| seq > 0);
            } else if key.eq_ignore_ascii_case(b"type") {
                kind = Some(match &value[..] {
                    [b'b', ..] => Kind::Base,
                    [b'i', ..] => Kind::Incr,
                    [b'h', ..] => Kind::History,
                    _ => return Err("Unknown AOF file type"),
                });
            }
        }
        let (Some(name), Some(seq), Some(kind)) = (name, seq, kind) else {
            return Err(FORMAT);
        };
        let name = name.into();
        let part = Part { name, seq };
        // It is written again with every change, and quoted that takes more room.
        if part.line('h').len() > AOF_MANIFEST_LINE_BYTES_MAX {
            return Err(TOO_LONG);
        }
        self.take_part(kind, part)
    }

    fn take_part(&mut self, kind: Kind, part: Part) -> Result<(), &'static str> {
        match kind {
            Kind::Base if self.base.is_some() => {
                return Err("Found duplicate base file information");
            }
            Kind::Base => self.base = Some(part),
            Kind::History => self.history.push(part),
            Kind::Incr if last_seq(&self.incr) >= part.seq => {
                return Err("Found a non-monotonic sequence number");
            }
            Kind::Incr => self.incr.push(part),
        }
        Ok(())
    }

    /// The highest number among removed files of a kind, whose names must not come again while
    /// they may still be removed.
    fn history_seq(&self, ending: &str) -> u64 {
        let alike = self
            .history
            .iter()
            .filter(|part| part.name.ends_with(ending));
        alike.map(|part| part.seq).max().unwrap_or(0)
    }
}

impl fmt::Display for ManifestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\n*** FATAL AOF MANIFEST FILE ERROR ***\n")?;
        if self.line > 0 {
            writeln!(f, "Reading the manifest file, at line {}", self.line)?;
            writeln!(f, ">>> '{}'", self.text)?;
        }
        f.write_str(self.what)
    }
}

fn last_seq(parts: &[Part]) -> u64 {
    parts.last().map_or(0, |part| part.seq)
}

const TOO_LONG: &str = "The AOF manifest file contains too long line";

impl Part {
    fn line(&self, kind: char) -> String {
        format!("file {} seq {} type {kind}\n", quoted(&self.name), self.seq)
    }
}

/// A name as it stands in the manifest: in quotes if it has to.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '\\');
    if name.chars().all(plain) {
        return name.to_owned();
    }
    let mut text = String::from('"');
    for byte in name.bytes() {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (usize, &'static str) {
        let fault = Manifest::parse(text.as_bytes()).expect_err("it is not sound");
        (fault.line, fault.what)
    }

    #[test]
    fn what_redis_writes_is_read_and_written_back() {
        let text = "file appendonly.aof.2.base.rdb seq 2 type b\n\
                    file appendonly.aof.1.base.rdb seq 1 type h\n\
                    file appendonly.aof.4.incr.aof seq 4 type i\n\
                    file appendonly.aof.5.incr.aof seq 5 type i\n";
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        let names: Vec<_> = manifest.parts().map(|part| &*part.name).collect();
        let expected = [
            "appendonly.aof.2.base.rdb",
            "appendonly.aof.4.incr.aof",
            "appendonly.aof.5.incr.aof",
        ];
        assert_eq!(names, expected);
        assert_eq!(String::from_utf8(manifest.encode()).unwrap(), text);
    }

    #[test]
    fn names_that_need_quotes_have_them() {
        let name = " file seq \n\n.aof \"\u{e4}";
        let manifest = Manifest::of_single_file(name);
        let text = manifest.encode();
        assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), 1);
        assert_eq!(Manifest::parse(&text).unwrap(), manifest);
    }

    #[test]
    fn comments_and_unknown_fields_are_skipped() {
        let text = "# a comment\nfile x seq 7 type b future 1\n";
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!(manifest.base().unwrap().seq, 7);
        assert!(Manifest::parse(b"#\n").unwrap().is_empty());
    }

    #[test]
    fn faults_are_told_in_the_words_of_redis() {
        const FORMAT: &str = "Invalid AOF manifest file format";
        const LONG: &str = TOO_LONG;
        let long = format!("file {} seq 1 type b\n", "x".repeat(1100));
        let long_when_quoted = format!("file {} seq 1 type b\n", "é".repeat(300));
        for (text, line, what) in [
            ("", 0, "Found an empty AOF manifest"),
            ("\n", 1, FORMAT),
            ("file x seq 1\n", 1, FORMAT),
            ("file x seq 1 type\n", 1, FORMAT),
            ("blah x seq 1 type b\n", 1, FORMAT),
            ("file x seq b type b\n", 1, FORMAT),
            ("file \"x seq 1 type b\n", 1, FORMAT),
            ("file x seq 1 type z\n", 1, "Unknown AOF file type"),
            (
                "file a/b seq 1 type b\n",
                1,
                "File can't be a path, just a filename",
            ),
            (
                "file x seq 1 type b\nfile y seq 2 type b\n",
                2,
                "Found duplicate base file information",
            ),
            (
                "file x seq 2 type i\nfile y seq 2 type i\n",
                2,
                "Found a non-monotonic sequence number",
            ),
            ("file x seq 1 type b", 0, LONG),
            (&long, 0, LONG),
            (&long_when_quoted, 1, LONG),
        ] {
            assert_eq!(fault(text), (line, what), "{text}");
        }
    }

    #[test]
    fn a_rewrite_leaves_the_new_base_and_the_last_file() {
        let old = Manifest::of_single_file("appendonly.aof");
        let first = old.next_incr("appendonly.aof");
        assert_eq!(&*first.name, "appendonly.aof.1.incr.aof");
        let old = old.with_incr(first);
        let last = old.next_incr("appendonly.aof");
        let old = old.with_incr(last.clone());
        let base = old.next_base("appendonly.aof", BaseForm::Rdb);
        assert_eq!(&*base.name, "appendonly.aof.2.base.rdb");
        let new = old.rebased(base, Some(&last));
        let text = String::from_utf8(new.encode()).unwrap();
        let expected = "file appendonly.aof.2.base.rdb seq 2 type b\n\
                        file appendonly.aof seq 1 type h\n\
                        file appendonly.aof.1.incr.aof seq 1 type h\n\
                        file appendonly.aof.2.incr.aof seq 2 type i\n";
        assert_eq!(text, expected);
        assert_eq!(new.without_history().history(), []);
        assert_eq!(new.next_incr("x").seq, 3);
        assert_eq!(new.next_base("x", BaseForm::Commands).seq, 3);
    }

    #[test]
    fn names_of_files_being_removed_do_not_come_again() {
        let text = b"file x.9.incr.aof seq 9 type h\nfile x.4.base.rdb seq 4 type h\n";
        let manifest = Manifest::parse(text).unwrap();
        assert!(manifest.is_empty());
        assert_eq!(&*manifest.next_incr("x").name, "x.10.incr.aof");
        let base = manifest.next_base("x", BaseForm::Rdb);
        assert_eq!(&*base.name, "x.5.base.rdb");
        let base = manifest.next_base("x", BaseForm::Commands);
        assert_eq!(&*base.name, "x.5.base.aof");
    }
}
