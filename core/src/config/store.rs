//! The configuration of a server: every row's value, and the directives that have no row.

use std::collections::BTreeMap;

use super::fault::{ConfigError, Fault, Origin};
use super::row::Kind;
use super::table::{self, ROWS};
use super::value::Value;

/// The configuration of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// By the row's place.
    pub(super) values: Vec<Value>,
    /// Where a row was last set.
    pub(super) origins: BTreeMap<usize, Origin>,
    pub(super) users: Vec<Directive>,
    pub(super) renamed_commands: Vec<Directive>,
    pub(super) modules: Vec<Directive>,
    file: Option<Box<str>>,
}

/// A line that is kept as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Directive {
    /// What follows the directive's name.
    pub args: Vec<Vec<u8>>,
    /// Where it stands.
    pub origin: Origin,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            values: ROWS.iter().map(super::row::Row::default_value).collect(),
            origins: BTreeMap::new(),
            users: Vec::new(),
            renamed_commands: Vec::new(),
            modules: Vec::new(),
            file: None,
        }
    }
}

impl Config {
    /// The defaults of a Sentinel: its own port, and no protected mode.
    pub fn sentinel_default() -> Self {
        let mut config = Self::default();
        config.put(const { table::place("port") }, Value::Int(26_379));
        config.put(const { table::place("protected-mode") }, Value::Bool(false));
        config
    }

    /// Says why a server can't start with this, if it can't: a feature it does not have yet and
    /// that must not be silently missing.
    pub fn start_check(&self) -> Result<(), StartRefusal> {
        let refuse = |directive, reason| Err(StartRefusal { directive, reason });
        if self.tls_port() != 0 {
            return refuse("tls-port", "TLS comes in a later release. Set 'tls-port 0'");
        }
        if self.flag("cluster-enabled") {
            return refuse(
                "cluster-enabled",
                "Redis Cluster is not supported. Set it to 'no'",
            );
        }
        if !self.modules.is_empty() {
            return refuse(
                "loadmodule",
                "loadable modules are not supported. Remove the line",
            );
        }
        if self.port() == 0 && self.unixsocket().is_none() {
            return refuse("port", "Configured to not listen anywhere, exiting.");
        }
        Ok(())
    }

    /// The value of a row by any of its names.
    pub fn value(&self, name: &str) -> Option<&Value> {
        let (id, _) = table::find(name.as_bytes())?;
        Some(&self.values[id])
    }

    /// A row's value in the text of CONFIG GET.
    pub fn show(&self, name: &str) -> Option<Vec<u8>> {
        let (id, row) = table::find(name.as_bytes())?;
        Some(self.values[id].show(&row.kind))
    }

    /// Whether a `yes` or `no` row says yes.
    ///
    /// # Panics
    ///
    /// If no such row exists: the names are the program's own.
    pub fn flag(&self, name: &str) -> bool {
        match self.value(name) {
            Some(Value::Bool(value)) => *value,
            Some(_) | None => panic!("{name} is no yes-or-no directive"),
        }
    }

    /// Where a row was set by a file or the command line; `None` while it has its default.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        let (id, _) = table::find(name.as_bytes())?;
        self.origins.get(&id)
    }

    /// An error at the place where a row was set, for what only the system can tell: a directory
    /// that is not there, a log file that can't be opened.
    pub fn error_at(&self, name: &str, reason: impl Into<Box<str>>) -> ConfigError {
        let fault = Fault::Other(reason.into());
        match self.origin(name) {
            Some(origin) => origin.error(fault),
            None => Origin {
                file: "the defaults".into(),
                line: 0,
                text: name.into(),
            }
            .error(fault),
        }
    }

    /// The file that CONFIG REWRITE writes.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Names the file that CONFIG REWRITE writes; absolute, as the working directory may change.
    pub fn set_file(&mut self, path: &str) {
        self.file = Some(path.into());
    }

    /// Follows a change of the working directory, absolute.
    pub fn set_dir(&mut self, path: &str) {
        self.put(const { table::place("dir") }, Value::Text(path.into()));
    }

    /// Follows what the limit of open files leaves room for.
    pub fn set_maxclients(&mut self, most: u32) {
        self.put(
            const { table::place("maxclients") },
            Value::Int(most.into()),
        );
    }

    /// Follows REPLICAOF.
    pub fn set_replicaof(&mut self, master: Option<(&str, u16)>) {
        let master = master.map(|(host, port)| (host.into(), port));
        self.put(
            const { table::place("replicaof") },
            Value::ReplicaOf(master),
        );
    }

    /// `user` lines, in order.
    pub fn users(&self) -> &[Directive] {
        &self.users
    }

    /// `rename-command` lines, in order: old and new name each.
    pub fn renamed_commands(&self) -> &[Directive] {
        &self.renamed_commands
    }

    /// `loadmodule` lines, in order.
    pub fn modules(&self) -> &[Directive] {
        &self.modules
    }

    pub(super) fn put(&mut self, id: usize, value: Value) {
        self.values[id] = value;
    }

    pub(super) fn is_default(&self, id: usize) -> bool {
        self.values[id] == ROWS[id].default_value()
    }
}

/// Why a server does not start, though its configuration is well formed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StartRefusal {
    /// The directive at fault.
    pub directive: &'static str,
    /// What is the matter with it, and what to do.
    pub reason: &'static str,
}

impl core::fmt::Display for StartRefusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.directive, self.reason)
    }
}

impl core::error::Error for StartRefusal {}

/// Typed access to one row by its place; the compiler checks that the row is of the kind.
#[derive(Clone, Copy)]
pub(super) struct Typed<T> {
    id: usize,
    of: core::marker::PhantomData<T>,
}

/// Stands for [`Kind::Bool`].
pub(super) struct Bools;
/// Stands for [`Kind::Int`].
pub(super) struct Ints;
/// Stands for [`Kind::Memory`].
pub(super) struct Sizes;
/// Stands for [`Kind::Text`] and [`Kind::Dir`].
pub(super) struct Texts;
/// Stands for [`Kind::Secret`].
pub(super) struct Secrets;
/// Stands for [`Kind::Word`].
pub(super) struct Words;

const fn typed<T>(id: usize, fits: bool) -> Typed<T> {
    assert!(fits, "the row is of another kind");
    let of = core::marker::PhantomData;
    Typed { id, of }
}

pub(super) const fn bools(name: &str) -> Typed<Bools> {
    let id = table::place(name);
    typed(id, matches!(table::ROWS_CONST[id].kind, Kind::Bool(_)))
}

pub(super) const fn ints(name: &str) -> Typed<Ints> {
    let id = table::place(name);
    typed(id, matches!(table::ROWS_CONST[id].kind, Kind::Int { .. }))
}

pub(super) const fn sizes(name: &str) -> Typed<Sizes> {
    let id = table::place(name);
    typed(
        id,
        matches!(table::ROWS_CONST[id].kind, Kind::Memory { .. }),
    )
}

pub(super) const fn texts(name: &str) -> Typed<Texts> {
    let id = table::place(name);
    typed(
        id,
        matches!(table::ROWS_CONST[id].kind, Kind::Text { .. } | Kind::Dir),
    )
}

pub(super) const fn secrets(name: &str) -> Typed<Secrets> {
    let id = table::place(name);
    typed(id, matches!(table::ROWS_CONST[id].kind, Kind::Secret))
}

pub(super) const fn words(name: &str) -> Typed<Words> {
    let id = table::place(name);
    typed(id, matches!(table::ROWS_CONST[id].kind, Kind::Word { .. }))
}

impl Config {
    pub(super) fn bool(&self, row: Typed<Bools>) -> bool {
        let Value::Bool(value) = self.values[row.id] else {
            unreachable!("a row keeps its kind");
        };
        value
    }

    pub(super) fn int(&self, row: Typed<Ints>) -> i64 {
        let Value::Int(value) = self.values[row.id] else {
            unreachable!("a row keeps its kind");
        };
        value
    }

    /// Of a row whose range begins at 0 or above.
    pub(super) fn uint(&self, row: Typed<Ints>) -> u64 {
        u64::try_from(self.int(row)).expect("the row's range has no negative numbers")
    }

    pub(super) fn small(&self, row: Typed<Ints>) -> u32 {
        u32::try_from(self.int(row)).expect("the row's range fits 32 bits")
    }

    pub(super) fn size(&self, row: Typed<Sizes>) -> u64 {
        let Value::Memory(value) = self.values[row.id] else {
            unreachable!("a row keeps its kind");
        };
        value
    }

    pub(super) fn text(&self, row: Typed<Texts>) -> &str {
        let Value::Text(value) = &self.values[row.id] else {
            unreachable!("a row keeps its kind");
        };
        value
    }

    pub(super) fn secret(&self, row: Typed<Secrets>) -> &[u8] {
        let Value::Secret(value) = &self.values[row.id] else {
            unreachable!("a row keeps its kind");
        };
        value
    }

    pub(super) fn word(&self, row: Typed<Words>) -> u8 {
        let Value::Word(value) = self.values[row.id] else {
            unreachable!("a row keeps its kind");
        };
        value
    }
}
