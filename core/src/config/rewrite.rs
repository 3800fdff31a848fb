//! CONFIG REWRITE: the file as it was, with the values as they are.
//!
//! A directive keeps its place, comments and blank lines keep theirs, and what has no line yet
//! goes to the end, under a line that says so. A directive that is in the file stays there even
//! with its default value; one that is not is added only if its value is another.

use std::collections::{BTreeMap, VecDeque};

use super::row::{Empty, Kind, Row};
use super::special::ClientLimit;
use super::store::Config;
use super::table::{self, ROWS};
use super::text::{format_memory, quote, quote_if_needed, split_args};
use super::value::{Value, word_text};

/// The text of a server's file after CONFIG REWRITE.
///
/// `users` are the name and rules of each ACL user, as `user` lines have them.
pub fn rewrite(old: &[u8], config: &Config, users: &[Vec<u8>]) -> Vec<u8> {
    let mut document = Document::parse(old);
    put_rows(&mut document, config, Place::Server);
    put_users(&mut document, users);
    document.finish()
}

/// Whose file is written.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Place {
    Server,
    /// A Sentinel has no data set: its file has no `save` lines unless the user wrote them.
    Sentinel,
}

pub(super) fn put_rows(document: &mut Document, config: &Config, place: Place) {
    for (id, row) in ROWS.iter().enumerate() {
        if matches!(row.kind, Kind::Save) && place == Place::Sentinel {
            continue;
        }
        put_row(document, row, &config.values[id], !config.is_default(id));
    }
}

pub(super) fn put_users(document: &mut Document, users: &[Vec<u8>]) {
    for rules in users {
        document.put("user", [b"user ", rules.as_slice()].concat(), true);
    }
    document.close("user");
}

/// Writes the line or lines of a row; `changed` says that the value is not the default.
fn put_row(document: &mut Document, row: &Row, value: &Value, changed: bool) {
    let name = row.name;
    let (mut line, mut added) = (format!("{name} ").into_bytes(), changed);
    match value {
        Value::Memory(bytes) => line.extend(format_memory(*bytes).bytes()),
        Value::Bool(_) | Value::Int(_) | Value::Octal(_) | Value::Percent(_) => {
            line.extend(value.show(&row.kind));
        }
        Value::Word(index) => line.extend(word_text(&row.kind, *index).bytes()),
        Value::Text(text) => {
            if text.is_empty() && unset_when_empty(&row.kind) {
                return document.close(name);
            }
            quote(&mut line, text.as_bytes());
            // The working directory may have come from the environment: it is always written.
            added |= matches!(row.kind, Kind::Dir);
        }
        Value::Secret(secret) => {
            if secret.is_empty() {
                return document.close(name);
            }
            quote(&mut line, secret);
        }
        Value::Bind(addresses) => {
            if addresses.is_empty() {
                line.extend(b"\"\"");
            } else {
                quote_all(
                    &mut line,
                    addresses.iter().map(|address| address.as_bytes()),
                );
            }
        }
        Value::Save(points) => {
            for point in points {
                document.put(name, format!("save {point}").into(), true);
            }
            if points.is_empty() {
                document.put(name, b"save \"\"".to_vec(), true);
            }
            return document.close(name);
        }
        Value::ClientLimits(limits) => return put_client_limits(document, name, limits),
        Value::Notify(_) => quote(&mut line, &value.show(&row.kind)),
        Value::Oom(_) | Value::ShutdownOn(_) => line.extend(value.show(&row.kind)),
        Value::Percentiles(percentiles) => {
            // Redis writes this one always.
            added = true;
            if percentiles.is_empty() {
                line.extend(b"\"\"");
            } else {
                line.extend(value.show(&row.kind));
            }
        }
        Value::ReplicaOf(None) => return document.close(name),
        Value::ReplicaOf(Some((host, port))) => {
            quote_if_needed(&mut line, host.as_bytes());
            line.extend(format!(" {port}").bytes());
        }
    }
    document.put(name, line, added);
    document.close(name);
}

fn unset_when_empty(kind: &Kind) -> bool {
    let unset = Empty::Unset;
    matches!(kind, Kind::Text { empty, .. } if *empty == unset)
}

fn quote_all<'a>(line: &mut Vec<u8>, words: impl Iterator<Item = &'a [u8]>) {
    for (at, word) in words.enumerate() {
        if at > 0 {
            line.push(b' ');
        }
        quote_if_needed(line, word);
    }
}

fn put_client_limits(document: &mut Document, name: &str, limits: &[ClientLimit; 3]) {
    let classes = ["normal", "replica", "pubsub"].into_iter().zip(limits);
    for ((class, limit), default) in classes.zip(ClientLimit::DEFAULT) {
        let hard = format_memory(limit.hard_bytes);
        let soft = format_memory(limit.soft_bytes);
        let line = format!("{name} {class} {hard} {soft} {}", limit.soft_seconds);
        let key = format!("{name} {class}");
        document.put(&key, line.into(), *limit != default);
        document.close(&key);
    }
}

/// A file being rewritten.
pub(super) struct Document {
    /// `None` is a line that was removed.
    lines: Vec<Option<Vec<u8>>>,
    /// By directive: its lines that were not written anew yet, first to last.
    unused: BTreeMap<String, VecDeque<usize>>,
    signed: bool,
}

const SIGNATURE: &[u8] = b"# Generated by CONFIG REWRITE";

impl Document {
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut document = Self {
            lines: Vec::new(),
            unused: BTreeMap::new(),
            signed: false,
        };
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        if text.is_empty() {
            return document;
        }
        for line in text.split(|&byte| byte == b'\n') {
            document.parse_line(line);
        }
        document
    }

    fn parse_line(&mut self, line: &[u8]) {
        let trimmed = line.trim_ascii();
        self.signed |= trimmed == SIGNATURE;
        if trimmed.is_empty() || trimmed[0] == b'#' {
            let kept = if trimmed.is_empty() {
                b""
            } else {
                line.trim_ascii_end()
            };
            self.lines.push(Some(kept.to_vec()));
            return;
        }
        match split_args(trimmed).as_deref().map(directive_of) {
            Some(Some(directive)) => {
                let place = self.lines.len();
                self.unused.entry(directive).or_default().push_back(place);
                self.lines.push(Some(trimmed.to_vec()));
            }
            // A line nobody understands is kept from being read again.
            Some(None) | None => self.lines.push(Some([b"# ??? ", trimmed].concat())),
        }
    }

    /// Writes a line of `directive` in the place of the next of its old ones. Where there is
    /// none, it is added at the end if `added` says so, and left out otherwise.
    pub(super) fn put(&mut self, directive: &str, line: Vec<u8>, added: bool) {
        if let Some(place) = self.unused.get_mut(directive).and_then(VecDeque::pop_front) {
            self.lines[place] = Some(line);
        } else if added {
            if !self.signed {
                if self
                    .lines
                    .last()
                    .is_some_and(|last| last.as_deref() != Some(b""))
                {
                    self.lines.push(Some(Vec::new()));
                }
                self.lines.push(Some(SIGNATURE.to_vec()));
                self.signed = true;
            }
            self.lines.push(Some(line));
        }
    }

    /// Removes the lines of `directive` that were not written anew.
    pub(super) fn close(&mut self, directive: &str) {
        for place in self.unused.remove(directive).unwrap_or_default() {
            self.lines[place] = None;
        }
    }

    /// Removes the lines not written anew of every directive that `which` picks.
    pub(super) fn close_all(&mut self, which: impl Fn(&str) -> bool) {
        for (directive, places) in &self.unused {
            if which(directive) {
                for &place in places {
                    self.lines[place] = None;
                }
            }
        }
        self.unused.retain(|directive, _| !which(directive));
    }

    /// The text; blank and removed lines in a row leave one blank line.
    pub(super) fn finish(self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut after_blank = false;
        for line in self.lines.into_iter().map(Option::unwrap_or_default) {
            let blank = line.is_empty();
            if !(blank && after_blank) {
                text.extend(line);
                text.push(b'\n');
            }
            after_blank = blank;
        }
        text
    }
}

/// What a line's place is remembered under: the row's first name, or for `sentinel` lines what
/// [`sentinel_key`] says. `None` if there is no such directive.
fn directive_of(args: &[Vec<u8>]) -> Option<String> {
    let (name, args) = args.split_first()?;
    if let Some((_, row)) = table::find(name) {
        let class = args.first().map_or(b"".as_slice(), Vec::as_slice);
        return Some(if matches!(row.kind, Kind::ClientLimits) {
            // A line with several classes is that of its first.
            format!("{} {}", row.name, limit_class(class))
        } else {
            row.name.to_owned()
        });
    }
    let name = String::from_utf8(name.to_ascii_lowercase()).ok()?;
    match name.as_str() {
        "include" | "rename-command" | "user" | "loadmodule" => Some(name),
        "sentinel" => {
            let first = args.first().map_or(b"".as_slice(), Vec::as_slice);
            let first = String::from_utf8_lossy(first).to_ascii_lowercase();
            let first = if first == "known-slave" {
                "known-replica"
            } else {
                &first
            };
            Some(sentinel_key(first, args.get(1).map_or(b"", Vec::as_slice)))
        }
        _ => None,
    }
}

fn limit_class(class: &[u8]) -> &'static str {
    match class.to_ascii_lowercase().as_slice() {
        b"slave" | b"replica" => "replica",
        b"pubsub" => "pubsub",
        _ => "normal",
    }
}

/// The key of `sentinel <option> <master> ...`; for an option of no master, `master` is ignored.
pub(super) fn sentinel_key(option: &str, master: &[u8]) -> String {
    if super::sentinel::GLOBAL_OPTIONS.contains(&option) {
        return format!("sentinel {option}");
    }
    // Bytes that are not UTF-8 would make two names one; their hexadecimal form can't.
    match core::str::from_utf8(master) {
        Ok(master) => format!("sentinel {option} {master}"),
        Err(_) => format!("sentinel {option} {master:x?}"),
    }
}

#[cfg(test)]
mod tests;
